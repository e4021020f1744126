/* SPDX-License-Identifier: Apache-2.0 */
/* net/net.h over the tables. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_net_priv.h"

struct wf_net *fake_net_current;

int wf_net_open(struct wf_net **ret_net, struct wf_err *err)
{
	*ret_net = fake_net_new();
	return 0;
}

int wf_net_open_reader(struct wf_net **ret_net, struct wf_err *err)
{
	return wf_net_open(ret_net, err);
}

void wf_net_close(struct wf_net **net)
{
	fake_net_free(net);
}

int wf_net_ns_open(const char *path, int *ret_fd, struct wf_net_ns_id *ret_id, struct wf_err *err)
{
	struct ns *ns = fake_ns_by_path(fake_net_current, path);
	int fd;

	PASS(-EMFILE, err);
	if (!ns)
		return wf_fail(err, -ESRCH, "cannot open the network namespace %s", path);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fake_must(fd >= 0 && fd < MAX_FDS);
	fake_net_current->fds[fd] = (size_t)(ns - fake_net_current->ns) + 1;
	*ret_fd = fd;
	*ret_id = ns->id;
	return 0;
}

int wf_net_ns_alive(const char *path, const struct wf_net_ns_id *id)
{
	const struct ns *ns = fake_ns_by_path(fake_net_current, path);

	PASS(-ENOMEM, NULL);
	return ns && ns->id.dev == id->dev && ns->id.inode == id->inode;
}

bool wf_net_ns_is_own(const struct wf_net_ns_id *id)
{
	return id->inode == 1;
}

static void fill_inner(struct inner *inner, const struct wf_net_endpoint *endpoint)
{
	*inner = (struct inner){ .used = true,
				 .kind = endpoint->kind,
				 .parent = endpoint->parent_ifindex,
				 .mode = endpoint->mode,
				 .mtu = endpoint->mtu,
				 .mac = endpoint->mac };
	(void)snprintf(inner->ifname, sizeof(inner->ifname), "%s", endpoint->ifname);
	fake_must(endpoint->address_count <= MAX_INSIDE && endpoint->route_count <= 2 * MAX_INSIDE);
	for (size_t i = 0; i < endpoint->address_count; i++)
		inner->addresses[inner->address_count++] = endpoint->addresses[i];
	for (size_t i = 0; i < endpoint->route_count; i++)
		inner->routes[inner->route_count++] = endpoint->routes[i];
}

static void add_host_side(struct wf_net *net, const struct ns *ns,
			  const struct wf_net_endpoint *endpoint)
{
	struct link *link = fake_add_link(net, endpoint->host_name, endpoint->host_ifindex, "veth",
					  endpoint->mtu);

	link->group = WF_NET_GROUP_LIVE;
	link->mac = endpoint->host_mac;
	link->peer_ns = (size_t)(ns - net->ns);
	(void)snprintf(link->alias, sizeof(link->alias), "%s", endpoint->alias);
	fake_tell_link(net, link);
	link->ingress = endpoint->ingress_block;
	link->egress = endpoint->egress_block;
	link->up = true;
	fake_tell_link(net, link);
}

int wf_net_ns_number(struct wf_net *net, int netns_fd, int32_t *ret_nsid, struct wf_err *err)
{
	struct ns *ns = fake_ns_of_fd(net, netns_fd);

	PASS(-EIO, err);
	if (!ns->alive)
		return wf_fail(err, -ESRCH, "the namespace is gone");
	if (ns->nsid < 0)
		ns->nsid = net->next_nsid++;
	*ret_nsid = ns->nsid;
	return 0;
}

int wf_net_endpoint_create(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			   int32_t *ret_nsid, struct wf_err *err)
{
	struct ns *ns = fake_ns_of_fd(net, endpoint->netns_fd);
	struct inner *inner = NULL;

	PASS(-EIO, err);
	if (!ns->alive)
		return wf_fail(err, -ESRCH, "the namespace is gone");
	if (ns->nsid < 0)
		ns->nsid = net->next_nsid++;
	*ret_nsid = ns->nsid;
	ns->lo_up = true;
	if (endpoint->kind == WF_NET_KIND_LOOPBACK_ONLY)
		return 0;
	if (fake_inner_by_name(ns, endpoint->ifname, false))
		return wf_fail(err, -EEXIST, "interface %s is there already", endpoint->ifname);
	if (endpoint->kind == WF_NET_KIND_VETH &&
	    (fake_link_by_index(net, endpoint->host_ifindex) ||
	     fake_link_by_name(net, endpoint->host_name)))
		return wf_fail(err, -EBUSY, "device %s is there already", endpoint->host_name);
	if (endpoint->kind != WF_NET_KIND_VETH &&
	    !fake_link_by_index(net, endpoint->parent_ifindex))
		return wf_fail(err, -ENODEV, "the parent is gone");
	inner = fake_inner_by_name(ns, endpoint->ifname, true);
	for (size_t i = 0; !inner && i < MAX_INNER; i++)
		if (!ns->inner[i].used)
			inner = &ns->inner[i];
	fake_must(inner != NULL);
	fill_inner(inner, endpoint);
	if (endpoint->kind == WF_NET_KIND_VETH) {
		inner->host_ifindex = endpoint->host_ifindex;
		add_host_side(net, ns, endpoint);
	}
	return 0;
}

static bool same_inner(const struct inner *a, const struct inner *b)
{
	if (a->address_count != b->address_count || a->route_count != b->route_count ||
	    a->mtu != b->mtu || memcmp(&a->mac, &b->mac, sizeof(a->mac)) != 0)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!wf_prefix_equal(&a->addresses[i].prefix, &b->addresses[i].prefix))
			return false;
	return true;
}

int wf_net_endpoint_check(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			  struct wf_err *err)
{
	struct ns *ns = fake_ns_of_fd(net, endpoint->netns_fd);
	const struct inner *found = fake_inner_by_name(ns, endpoint->ifname, false);
	struct inner wanted;

	PASS(-EIO, err);
	if (endpoint->kind == WF_NET_KIND_LOOPBACK_ONLY)
		return 0;
	if (!found)
		return wf_fail(err, -ENODEV, "there is no interface %s", endpoint->ifname);
	fill_inner(&wanted, endpoint);
	return same_inner(found, &wanted)
		       ? 0
		       : wf_fail(err, -ESTALE, "interface %s differs", endpoint->ifname);
}

int wf_net_endpoint_sync_routes(struct wf_net *net, const struct wf_net_endpoint *endpoint,
				struct wf_err *err)
{
	struct inner *inner =
		fake_inner_by_name(fake_ns_of_fd(net, endpoint->netns_fd), endpoint->ifname, false);

	PASS(-EIO, err);
	if (!inner)
		return wf_fail(err, -ENODEV, "there is no interface %s", endpoint->ifname);
	inner->route_count = 0;
	for (size_t i = 0; i < endpoint->route_count; i++)
		inner->routes[inner->route_count++] = endpoint->routes[i];
	return 0;
}

int wf_net_host_side_repair(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			    struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, endpoint->host_ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no device %s", endpoint->host_name);
	(void)snprintf(link->name, sizeof(link->name), "%s", endpoint->host_name);
	(void)snprintf(link->alias, sizeof(link->alias), "%s", endpoint->alias);
	link->group = WF_NET_GROUP_LIVE;
	link->mtu = endpoint->mtu;
	link->ingress = endpoint->ingress_block;
	link->egress = endpoint->egress_block;
	link->up = true;
	fake_tell_link(net, link);
	return 0;
}

int wf_net_endpoint_bury(struct wf_net *net, uint32_t host_ifindex)
{
	struct link *link = fake_link_by_index(net, host_ifindex);

	PASS(-ENOMEM, NULL);
	if (!link)
		return -ENODEV;
	link->group = WF_NET_GROUP_DEAD;
	link->up = false;
	fake_tell_link(net, link);
	for (size_t i = 0; link->peer_ns != HOST_NS && i < MAX_INNER; i++)
		if (net->ns[link->peer_ns].inner[i].used &&
		    net->ns[link->peer_ns].inner[i].host_ifindex == host_ifindex)
			net->ns[link->peer_ns].inner[i].buried = true;
	return 0;
}

int wf_net_inner_bury(struct wf_net *net, int netns_fd, const char *ifname)
{
	struct inner *inner = fake_inner_by_name(fake_ns_of_fd(net, netns_fd), ifname, false);

	PASS(-ENOMEM, NULL);
	if (!inner)
		return -ENODEV;
	inner->buried = true;
	return 0;
}

int wf_net_bury_flush(struct wf_net *net, struct wf_err *err)
{
	PASS(-EIO, err);
	fake_net_dig(net);
	return 0;
}

int wf_net_host_ensure(struct wf_net *net, uint32_t mtu, uint32_t gso_max_bytes,
		       uint32_t ingress_block, uint32_t egress_block, uint32_t *ret_ifindex,
		       bool *ret_created, struct wf_err *err)
{
	struct link *peer = fake_link_by_index(net, WF_IFINDEX_BASE);
	struct link *link = peer ? fake_link_by_index(net, peer->parent) : NULL;

	PASS(-EIO, err);
	*ret_created = !link;
	if (!link) {
		link = fake_add_link(net, WF_NET_HOST_DEVICE, 0, "veth", mtu);
		peer = fake_add_link(net, WF_NET_HOST_PEER, WF_IFINDEX_BASE, "veth", mtu);
		link->parent = peer->ifindex;
		peer->parent = link->ifindex;
	}
	(void)snprintf(link->name, sizeof(link->name), "%s", WF_NET_HOST_DEVICE);
	(void)snprintf(peer->name, sizeof(peer->name), "%s", WF_NET_HOST_PEER);
	link->up = peer->up = true;
	peer->ingress = ingress_block;
	peer->egress = egress_block;
	*ret_ifindex = link->ifindex;
	return 0;
}

int wf_net_host_sync_addresses(struct wf_net *net, uint32_t ifindex,
			       const struct wf_net_address *addresses, size_t count,
			       struct wf_err *err)
{
	size_t kept = 0;

	PASS(-EIO, err);
	if (!fake_link_by_index(net, ifindex))
		return wf_fail(err, -ENODEV, "there is no device %u", ifindex);
	for (size_t i = 0; i < net->address_count; i++)
		if (net->addresses[i].ifindex != ifindex)
			net->addresses[kept++] = net->addresses[i];
	net->address_count = kept;
	for (size_t i = 0; i < count; i++)
		net->addresses[net->address_count++] =
			(struct address){ .ifindex = ifindex, .prefix = addresses[i].prefix };
	fake_must(net->address_count <= MAX_ROUTES);
	return 0;
}

static int put_route(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err)
{
	if (!fake_link_by_index(net, route->ifindex))
		return wf_fail(err, -ENODEV, "a route through a device that is gone");
	fake_must(net->route_count < MAX_ROUTES);
	net->routes[net->route_count++] =
		(struct route){ .route = *route, .protocol = WF_NET_ROUTE_PROTOCOL };
	return 0;
}

/* Whether one of these routes is to the prefix. */
static bool is_wanted(const struct wf_net_route *routes, size_t count,
		      const struct wf_prefix *prefix)
{
	for (size_t i = 0; i < count; i++)
		if (wf_prefix_equal(&routes[i].prefix, prefix))
			return true;
	return false;
}

int wf_net_host_sync_routes(struct wf_net *net, const struct wf_net_route *routes, size_t count,
			    uint32_t spared, struct wf_err *err)
{
	size_t kept = 0;
	int r = 0, any = 0;

	PASS(-EIO, err);
	for (size_t i = 0; i < net->route_count; i++)
		if (net->routes[i].protocol != WF_NET_ROUTE_PROTOCOL) {
			net->routes[kept++] = net->routes[i];
		} else if (spared && net->routes[i].route.metric == spared &&
			   !is_wanted(routes, count, &net->routes[i].route.prefix)) {
			net->routes[kept++] = net->routes[i];
			any = 1;
		}
	net->route_count = kept;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_route(net, &routes[i], err);
	return r < 0 ? r : any;
}

static struct route *find_route(struct wf_net *net, const struct wf_net_route *route)
{
	for (size_t i = 0; i < net->route_count; i++)
		if (net->routes[i].protocol == WF_NET_ROUTE_PROTOCOL &&
		    net->routes[i].route.ifindex == route->ifindex &&
		    wf_prefix_equal(&net->routes[i].route.prefix, &route->prefix))
			return &net->routes[i];
	return NULL;
}

int wf_net_route_add(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err)
{
	PASS(-EIO, err);
	return find_route(net, route) ? 0 : put_route(net, route, err);
}

int wf_net_route_del(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err)
{
	struct route *found = find_route(net, route);

	PASS(-EIO, err);
	if (found)
		*found = net->routes[--net->route_count];
	return 0;
}

int wf_net_macvlan_host_ensure(struct wf_net *net, const char *name, uint32_t parent_ifindex,
			       uint32_t *ret_ifindex, struct wf_err *err)
{
	struct link *link = fake_link_by_name(net, name);

	PASS(-EIO, err);
	if (!link && !fake_link_by_index(net, parent_ifindex))
		return wf_fail(err, -ENODEV, "the parent is gone");
	if (link && (strcmp(link->kind, "macvlan") != 0 || link->parent != parent_ifindex))
		return wf_fail(err, -EEXIST, "interface %s is another's", name);
	if (!link) {
		link = fake_add_link(net, name, 0, "macvlan", 1500);
		link->parent = parent_ifindex;
	}
	link->up = true;
	*ret_ifindex = link->ifindex;
	return 0;
}

static struct link *find_vlan(struct wf_net *net, uint32_t parent, uint16_t vlan)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].parent == parent &&
		    net->links[i].vlan == vlan)
			return &net->links[i];
	return NULL;
}

int wf_net_vlan_ensure(struct wf_net *net, uint32_t parent_ifindex, uint16_t vlan,
		       struct wf_net_link *ret_link, char names[256], bool *ret_created,
		       struct wf_err *err)
{
	const struct link *parent = fake_link_by_index(net, parent_ifindex);
	struct link *link = find_vlan(net, parent_ifindex, vlan);
	char name[24];

	PASS(-EIO, err);
	if (!parent)
		return wf_fail(err, -ENODEV, "the parent is gone");
	*ret_created = !link;
	(void)snprintf(name, sizeof(name), "%.10s.%u", parent->name, vlan);
	if (!link && fake_link_by_name(net, name))
		return wf_fail(err, -EEXIST, "interface %s is another's", name);
	if (!link) {
		link = fake_add_vlan(net, name, parent, vlan);
		link->group = WF_NET_GROUP_VLAN;
	}
	if (link->group == WF_NET_GROUP_VLAN)
		link->up = true;
	fake_describe(link, ret_link);
	return 0;
}

static struct wf_net_route route_to(uint32_t ifindex, const struct wf_addr *addr)
{
	return (struct wf_net_route){ .prefix = { .addr = *addr, .len = wf_addr_bits(addr) },
				      .ifindex = ifindex };
}

static void add_neigh(struct wf_net *net, uint32_t ifindex, const struct wf_net_macvlan_peer *peer)
{
	fake_must(net->neigh_count < MAX_ROUTES);
	net->neighs[net->neigh_count++] = (struct neigh){ .ifindex = ifindex, .peer = *peer };
}

static void del_neigh(struct wf_net *net, uint32_t ifindex, const struct wf_addr *addr)
{
	for (size_t i = 0; i < net->neigh_count; i++)
		if (net->neighs[i].ifindex == ifindex &&
		    wf_addr_equal(&net->neighs[i].peer.addr, addr))
			net->neighs[i] = net->neighs[--net->neigh_count];
}

int wf_net_macvlan_host_sync(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			     const struct wf_net_macvlan_peer *peers, size_t count,
			     struct wf_net_route *ret_routes, struct wf_err *err)
{
	PASS(-EIO, err);
	if (!fake_link_by_index(net, ifindex))
		return wf_fail(err, -ENODEV, "there is no device %u", ifindex);
	fake_forget_neighs(net, ifindex);
	for (size_t i = 0; i < count; i++) {
		add_neigh(net, ifindex, &peers[i]);
		ret_routes[i] = route_to(ifindex, &peers[i].addr);
	}
	return 0;
}

int wf_net_macvlan_peer_add(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err)
{
	struct wf_net_route route = route_to(ifindex, &peer->addr);
	int r;

	PASS(-EIO, err);
	r = find_route(net, &route) ? 0 : put_route(net, &route, err);
	if (r < 0)
		return r;
	del_neigh(net, ifindex, &peer->addr);
	add_neigh(net, ifindex, peer);
	return 0;
}

int wf_net_macvlan_peer_del(struct wf_net *net, uint32_t ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err)
{
	struct wf_net_route route = route_to(ifindex, &peer->addr);
	struct route *found = find_route(net, &route);

	PASS(-EIO, err);
	if (found)
		*found = net->routes[--net->route_count];
	del_neigh(net, ifindex, &peer->addr);
	return 0;
}

int wf_net_overlay_ensure(struct wf_net *net, uint16_t port, uint32_t mtu, uint32_t *ret_ifindex,
			  struct wf_err *err)
{
	struct link *link = fake_link_by_name(net, WF_NET_OVERLAY_DEVICE);

	(void)port;
	PASS(-EIO, err);
	if (!link)
		link = fake_add_link(net, WF_NET_OVERLAY_DEVICE, 0, "vxlan", mtu);
	*ret_ifindex = link->ifindex;
	return 0;
}

int wf_net_link_del(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (link)
		fake_remove_link(net, link);
	return 0;
}

unsigned int fake_net_leftovers_asked(const struct wf_net *net)
{
	return net->leftovers_asked;
}

void wf_net_bury_leftovers(struct wf_net *net)
{
	net->leftovers_asked++;
	fake_net_dig(net);
}

int wf_net_link_dump(struct wf_net *net, wf_net_link_fn visit, void *context, struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < MAX_LINKS; i++) {
		struct wf_net_link link;

		if (!net->links[i].used)
			continue;
		fake_describe(&net->links[i], &link);
		visit(&link, context);
	}
	return 0;
}

int wf_net_link_find(struct wf_net *net, const char *name, uint32_t ifindex,
		     struct wf_net_link *ret_link, char names[256], struct wf_err *err)
{
	const struct link *link =
		name ? fake_link_by_name(net, name) : fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no device %s", name ? name : "?");
	fake_describe(link, ret_link);
	return 0;
}

int wf_net_default_device(struct wf_net *net, char ret_name[16], uint32_t *ret_ifindex,
			  uint32_t *ret_mtu, struct wf_err *err)
{
	const struct link *link = fake_link_by_name(net, net->default_device);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no default route");
	(void)snprintf(ret_name, 16, "%s", link->name);
	*ret_ifindex = link->ifindex;
	*ret_mtu = link->mtu;
	return 0;
}

int wf_net_prefix_dump(struct wf_net *net, wf_net_prefix_fn visit, void *context,
		       struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < net->route_count; i++)
		visit(&net->routes[i].route.prefix,
		      fake_device_name(net, net->routes[i].route.ifindex), net->routes[i].protocol,
		      context);
	for (size_t i = 0; i < net->address_count; i++)
		visit(&net->addresses[i].prefix, fake_device_name(net, net->addresses[i].ifindex),
		      0, context);
	return 0;
}

int wf_net_block_set(struct wf_net *net, uint32_t block, int prog_fd, const char *name,
		     struct wf_err *err)
{
	PASS(-EIO, err);
	if (!fake_is_block_used(net, block))
		return wf_fail(err, -EINVAL, "no device uses block %x", block);
	/* ids as fake_dp.c gives them; both programs have one descriptor there */
	net->blocks[block == WF_BLOCK_EGRESS].prog_id = 700 + (block == WF_BLOCK_EGRESS);
	return 0;
}

int wf_net_block_get(struct wf_net *net, uint32_t block, uint32_t *ret_prog_id, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_prog_id = net->blocks[block == WF_BLOCK_EGRESS].prog_id;
	return *ret_prog_id ? 0 : wf_fail(err, -ENOENT, "block %x has no filter", block);
}

int wf_net_blocks_attach(struct wf_net *net, uint32_t ifindex, uint32_t ingress, uint32_t egress,
			 struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no device %u", ifindex);
	link->ingress = ingress;
	link->egress = egress;
	return 0;
}

int wf_net_qdisc_dump(struct wf_net *net, wf_net_qdisc_fn visit, void *context, struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].ingress)
			visit(net->links[i].ifindex, net->links[i].ingress, net->links[i].egress,
			      context);
	return 0;
}

int wf_net_event_fd(const struct wf_net *net)
{
	return net->event_fd;
}

int wf_net_event_read(struct wf_net *net, wf_net_event_fn callback, void *context)
{
	static struct queued taken[MAX_EVENTS];
	size_t count = net->event_count;
	eventfd_t ignored;

	(void)eventfd_read(net->event_fd, &ignored);
	memcpy(taken, net->events, count * sizeof(taken[0]));
	net->event_count = 0;
	for (size_t i = 0; i < count; i++) {
		fake_describe(&taken[i].link, &taken[i].event.link);
		callback(&taken[i].event, context);
	}
	return (int)count;
}
