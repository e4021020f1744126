/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what is inside a namespace with what an endpoint shall be (CNI CHECK). */
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* What is missing of an endpoint inside; bits follow the order of its addresses and routes. */
struct presence {
	const struct wf_net_endpoint *endpoint;
	bool *addresses; /* owned */
	bool *routes;    /* owned */
};

/* One visit: the socket inside, the interface, and what of the endpoint is there. */
struct inspection {
	struct wf_netlink_socket inside;
	struct wf_net_link link;
	char names[256];
	struct presence have;
};

static void see_addr(const struct wf_net_addr *addr, void *context)
{
	struct presence *have = context;

	for (size_t i = 0; i < have->endpoint->address_count; i++)
		if (wf_prefix_equal(&have->endpoint->addresses[i].prefix, &addr->prefix) &&
		    !(addr->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
			have->addresses[i] = true;
}

static bool route_matches(const struct wf_net_route *wanted, const struct wf_net_route *seen)
{
	struct wf_prefix network = wf_prefix_network(&wanted->prefix);

	return wf_prefix_equal(&network, &seen->prefix) &&
	       (wf_addr_equal(&wanted->via, &seen->via) ||
		(wf_addr_is_zero(&wanted->via) && wf_addr_is_zero(&seen->via))) &&
	       (!wanted->metric || wanted->metric == seen->metric) && wanted->mtu == seen->mtu;
}

static void see_route(const struct wf_net_kernel_route *route, void *context)
{
	struct presence *have = context;

	for (size_t i = 0; i < have->endpoint->route_count; i++)
		if (route_matches(&have->endpoint->routes[i], &route->route))
			have->routes[i] = true;
}

static void inspection_done(struct inspection *seen)
{
	wf_netlink_close(&seen->inside);
	free(seen->have.addresses);
	free(seen->have.routes);
}

static int inspect(struct wf_net *net, const struct wf_net_endpoint *endpoint,
		   struct inspection *seen, struct wf_err *err)
{
	struct wf_net_route_filter filter = { .table = RT_TABLE_MAIN };
	int r;

	seen->have.endpoint = endpoint;
	seen->have.addresses = calloc(endpoint->address_count + 1, sizeof(bool));
	seen->have.routes = calloc(endpoint->route_count + 1, sizeof(bool));
	if (!seen->have.addresses || !seen->have.routes)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_net_ns_socket(net, endpoint->netns_fd, &seen->inside, err);
	if (r < 0)
		return r;
	r = wf_net_link_get(&seen->inside, wf_net_batch(net),
			    endpoint->kind == WF_NET_KIND_LOOPBACK_ONLY ? "lo" : endpoint->ifname,
			    0, &seen->link, seen->names, err);
	if (r < 0)
		return r;
	r = wf_net_addr_dump(&seen->inside, wf_net_batch(net), seen->link.ifindex, see_addr,
			     &seen->have, err);
	filter.ifindex = seen->link.ifindex;
	if (r == 0)
		r = wf_net_route_dump(&seen->inside, wf_net_batch(net), &filter, see_route,
				      &seen->have, err);
	return r;
}

/* The interface is the one that was made, not another that took its name. */
static int judge_identity(const struct inspection *seen, const struct wf_net_endpoint *endpoint,
			  struct wf_err *err)
{
	static const char *const kinds[] = {
		[WF_NET_KIND_PAIR] = "veth",
		[WF_NET_KIND_MACVLAN] = "macvlan",
		[WF_NET_KIND_IPVLAN] = "ipvlan",
		[WF_NET_KIND_LOOPBACK_ONLY] = "",
	};
	const struct wf_net_link *link = &seen->link;
	uint32_t parent = endpoint->parent_ifindex;

	if (strcmp(link->kind, kinds[endpoint->kind]) != 0 &&
	    !(endpoint->kind == WF_NET_KIND_PAIR && strcmp(link->kind, "netkit") == 0))
		return wf_fail(err, -ESTALE, "interface %s is of kind '%s' instead of '%s'",
			       link->name, link->kind, kinds[endpoint->kind]);
	if (endpoint->kind == WF_NET_KIND_PAIR)
		parent = endpoint->host_ifindex;
	if (parent && link->parent != parent)
		return wf_fail(err, -ESTALE,
			       "interface %s belongs to host interface %u instead of %u",
			       link->name, link->parent, parent);
	return 0;
}

static int judge_link(const struct inspection *seen, const struct wf_net_endpoint *endpoint,
		      struct wf_err *err)
{
	char have[WF_MAC_TEXT], want[WF_MAC_TEXT];
	const struct wf_net_link *link = &seen->link;

	if (endpoint->kind != WF_NET_KIND_IPVLAN && !wf_mac_is_zero(&endpoint->mac) &&
	    memcmp(&link->mac, &endpoint->mac, sizeof(link->mac)) != 0)
		return wf_fail(err, -ESTALE, "interface %s has MAC %s instead of %s", link->name,
			       wf_mac_format(&link->mac, have),
			       wf_mac_format(&endpoint->mac, want));
	if (endpoint->mtu && link->mtu != endpoint->mtu)
		return wf_fail(err, -ESTALE, "interface %s has MTU %u instead of %u", link->name,
			       link->mtu, endpoint->mtu);
	if (!link->up)
		return wf_fail(err, -ESTALE, "interface %s is down", link->name);
	return 0;
}

static int judge_layer3(const struct inspection *seen, const struct wf_net_endpoint *endpoint,
			struct wf_err *err)
{
	char text[WF_ADDR_TEXT], via[WF_ADDR_TEXT];

	for (size_t i = 0; i < endpoint->address_count; i++)
		if (!seen->have.addresses[i])
			return wf_fail(err, -ESTALE, "interface %s lacks the address %s",
				       seen->link.name,
				       wf_prefix_format(&endpoint->addresses[i].prefix, text));
	for (size_t i = 0; i < endpoint->route_count; i++) {
		const struct wf_net_route *route = &endpoint->routes[i];

		if (!seen->have.routes[i])
			return wf_fail(err, -ESTALE, "interface %s lacks the route to %s via %s",
				       seen->link.name, wf_prefix_format(&route->prefix, text),
				       wf_addr_is_zero(&route->via)
					       ? "the link"
					       : wf_addr_format(&route->via, via));
	}
	return 0;
}

static int judge(const struct inspection *seen, const struct wf_net_endpoint *endpoint,
		 struct wf_err *err)
{
	int r;

	if (endpoint->kind == WF_NET_KIND_LOOPBACK_ONLY)
		return seen->link.up ? 0 : wf_fail(err, -ESTALE, "interface lo is down");
	r = judge_identity(seen, endpoint, err);
	if (r == 0)
		r = judge_link(seen, endpoint, err);
	if (r == 0)
		r = judge_layer3(seen, endpoint, err);
	return r;
}

int wf_net_endpoint_check(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			  struct wf_err *err)
{
	struct inspection seen = { .inside = WF_NETLINK_SOCKET_INIT };
	int r = inspect(net, endpoint, &seen, err);

	if (r == 0)
		r = judge(&seen, endpoint, err);
	inspection_done(&seen);
	return r;
}
