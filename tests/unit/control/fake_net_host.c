/* SPDX-License-Identifier: Apache-2.0 */
/* net/net.h over the tables: the host's own devices, addresses, routes and neighbours. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake_net_priv.h"

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
