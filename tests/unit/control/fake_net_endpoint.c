/* SPDX-License-Identifier: Apache-2.0 */
/* net/net.h over the tables: namespaces, and the interfaces of endpoints until they are buried. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fake_net_priv.h"

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

static void fill_inner(struct inner *inner, const struct wf_net_endpoint *endpoint)
{
	*inner = (struct inner){ .used = true,
				 .kind = endpoint->kind,
				 .is_netkit = endpoint->is_netkit,
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
	if (endpoint->kind == WF_NET_KIND_PAIR &&
	    (fake_link_by_index(net, endpoint->host_ifindex) ||
	     fake_link_by_name(net, endpoint->host_name)))
		return wf_fail(err, -EBUSY, "device %s is there already", endpoint->host_name);
	if (endpoint->kind != WF_NET_KIND_PAIR &&
	    !fake_link_by_index(net, endpoint->parent_ifindex))
		return wf_fail(err, -ENODEV, "the parent is gone");
	inner = fake_inner_by_name(ns, endpoint->ifname, true);
	for (size_t i = 0; !inner && i < MAX_INNER; i++)
		if (!ns->inner[i].used)
			inner = &ns->inner[i];
	fake_must(inner != NULL);
	fill_inner(inner, endpoint);
	if (endpoint->kind == WF_NET_KIND_PAIR) {
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

int wf_net_endpoint_bury_slow(struct wf_net *net, uint32_t host_ifindex)
{
	return wf_net_endpoint_bury(net, host_ifindex);
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

unsigned int fake_net_leftovers_asked(const struct wf_net *net)
{
	return net->leftovers_asked;
}

void wf_net_bury_leftovers(struct wf_net *net)
{
	net->leftovers_asked++;
	fake_net_dig(net);
}
