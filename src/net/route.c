/* SPDX-License-Identifier: Apache-2.0 */
/* Routes: reading all, and bringing weft's own to what they shall be. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* What the kernel gives IPv6 routes that ask for no metric. */
#define IP6_DEFAULT_METRIC 1024

static void put_addr(struct wf_netlink_batch *batch, uint16_t type, const struct wf_addr *addr,
		     int family)
{
	if (wf_addr_family(addr) != family)
		wf_netlink_batch_fail(batch, -EAFNOSUPPORT);
	else
		wf_net_put_addr(batch, type, addr);
}

void wf_net_route_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		      const struct wf_net_route *route, uint32_t ifindex)
{
	const int family = wf_addr_family(&route->prefix.addr);
	const bool on_link = wf_addr_is_zero(&route->via);
	struct rtmsg header = {
		.rtm_family = (uint8_t)family,
		.rtm_dst_len = route->prefix.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = WF_NET_ROUTE_PROTOCOL,
		.rtm_scope = family == AF_INET && on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	const struct wf_prefix network = wf_prefix_network(&route->prefix);

	if (type == RTM_DELROUTE)
		header.rtm_scope = RT_SCOPE_NOWHERE; /* of any scope */
	wf_netlink_batch_begin(batch, type, flags, &header, sizeof(header));
	if (route->prefix.len)
		put_addr(batch, RTA_DST, &network.addr, family);
	if (!on_link)
		put_addr(batch, RTA_GATEWAY, &route->via, family);
	if (!wf_addr_is_zero(&route->source))
		put_addr(batch, RTA_PREFSRC, &route->source, family);
	wf_netlink_put_u32(batch, RTA_OIF, ifindex);
	if (route->metric)
		wf_netlink_put_u32(batch, RTA_PRIORITY, route->metric);
	if (route->mtu && type == RTM_NEWROUTE) {
		wf_netlink_nest metrics = wf_netlink_nest_begin(batch, RTA_METRICS);

		wf_netlink_put_u32(batch, RTAX_MTU, route->mtu);
		wf_netlink_nest_end(batch, metrics);
	}
}

/* The device of the first next hop. */
static uint32_t first_device(const struct nlattr *const *table)
{
	const struct rtnexthop *hop;

	if (table[RTA_OIF])
		return wf_netlink_u32(table[RTA_OIF], 0);
	hop = wf_netlink_bytes(table[RTA_MULTIPATH], sizeof(*hop));
	return hop ? (uint32_t)hop->rtnh_ifindex : 0;
}

bool wf_net_route_parse(const struct nlmsghdr *message, struct wf_net_kernel_route *ret_route)
{
	static const uint8_t zero[16];
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[RTA_TABLE + 1], *metrics[RTAX_MTU + 1];
	const void *to, *via, *source;
	size_t bytes;

	if (!header || (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return false;
	bytes = header->rtm_family == AF_INET ? 4 : 16;
	if (header->rtm_dst_len > bytes * 8)
		return false;
	wf_netlink_attrs(message, sizeof(*header), table, RTA_TABLE);
	wf_netlink_nested(table[RTA_METRICS], metrics, RTAX_MTU);
	to = wf_netlink_bytes(table[RTA_DST], bytes);
	via = wf_netlink_bytes(table[RTA_GATEWAY], bytes);
	source = wf_netlink_bytes(table[RTA_PREFSRC], bytes);
	*ret_route = (struct wf_net_kernel_route){
		.route.prefix.addr = wf_addr_from_bytes(header->rtm_family, to ? to : zero),
		.route.prefix.len = header->rtm_dst_len,
		.route.mtu = wf_netlink_u32(metrics[RTAX_MTU], 0),
		.route.ifindex = first_device(table),
		.route.metric = wf_netlink_u32(table[RTA_PRIORITY], 0),
		.table = wf_netlink_u32(table[RTA_TABLE], header->rtm_table),
		.protocol = header->rtm_protocol,
		.type = header->rtm_type,
	};
	if (via)
		ret_route->route.via = wf_addr_from_bytes(header->rtm_family, via);
	if (source)
		ret_route->route.source = wf_addr_from_bytes(header->rtm_family, source);
	return true;
}

struct route_visit {
	const struct wf_net_route_filter *filter;
	wf_net_route_fn visit;
	void *context;
};

static void pass_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct route_visit *to = context;
	const struct wf_net_route_filter *filter = to->filter;
	struct wf_net_kernel_route route;

	/* cached routes (clones) are copies of others; filters are repeated for older kernels */
	if (!header || message->nlmsg_type != RTM_NEWROUTE || header->rtm_flags & RTM_F_CLONED ||
	    !wf_net_route_parse(message, &route))
		return;
	if ((!filter->table || route.table == filter->table) &&
	    (!filter->ifindex || route.route.ifindex == filter->ifindex) &&
	    (!filter->protocol || route.protocol == filter->protocol))
		to->visit(&route, to->context);
}

int wf_net_route_dump(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		      const struct wf_net_route_filter *filter, wf_net_route_fn visit,
		      void *context, struct wf_err *err)
{
	struct route_visit to = { .filter = filter, .visit = visit, .context = context };
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < WF_ARRAY_LEN(families); i++) {
		const struct rtmsg header = {
			.rtm_family = families[i],
			.rtm_protocol = filter->protocol,
		};
		int r;

		wf_netlink_batch_clear(batch);
		wf_netlink_batch_begin(batch, RTM_GETROUTE, 0, &header, sizeof(header));
		if (filter->table)
			wf_netlink_put_u32(batch, RTA_TABLE, filter->table);
		if (filter->ifindex)
			wf_netlink_put_u32(batch, RTA_OIF, filter->ifindex);
		r = wf_netlink_dump(netlink, batch, pass_route, &to, err);
		/* ENOENT: the table does not exist (yet) in this family */
		if (r < 0 && r != -ENOENT)
			return wf_wrap(err, r, "cannot list routes");
	}
	return 0;
}

void wf_net_route_put_ask(struct wf_netlink_batch *batch, const struct wf_addr *addr)
{
	const uint8_t bits = (uint8_t)wf_addr_bits(addr);
	const struct rtmsg header = {
		.rtm_family = (uint8_t)wf_addr_family(addr),
		.rtm_dst_len = bits,
	};

	wf_netlink_batch_begin(batch, RTM_GETROUTE, 0, &header, sizeof(header));
	wf_netlink_put(batch, RTA_DST, wf_addr_is_ip4(addr) ? &addr->words[3] : addr->words,
		       bits / 8);
	wf_netlink_batch_tolerate(batch, -ENETUNREACH);
}

/* Whether two routes occupy the same place in the table. */
static bool same_key(const struct wf_net_route *a, const struct wf_net_route *b)
{
	uint32_t fallback = wf_addr_is_ip4(&a->prefix.addr) ? 0 : IP6_DEFAULT_METRIC;
	struct wf_prefix left = wf_prefix_network(&a->prefix);
	struct wf_prefix right = wf_prefix_network(&b->prefix);

	return wf_prefix_equal(&left, &right) &&
	       (a->metric ? a->metric : fallback) == (b->metric ? b->metric : fallback);
}

static bool same_addr(const struct wf_addr *a, const struct wf_addr *b)
{
	return wf_addr_equal(a, b) || (wf_addr_is_zero(a) && wf_addr_is_zero(b));
}

static bool same_route(const struct wf_net_route *a, const struct wf_net_route *b)
{
	return same_key(a, b) && a->ifindex == b->ifindex && a->mtu == b->mtu &&
	       same_addr(&a->via, &b->via) && same_addr(&a->source, &b->source);
}

struct route_sync {
	struct wf_netlink_socket *socket; /* borrowed; in which namespace */
	uint16_t how; /* NLM_F_REPLACE: others' in the same place; NLM_F_EXCL: not */
	const struct wf_net_route *wanted;
	const struct wf_net_route **sorted; /* owned; the wanted ones by destination */
	size_t count;
	uint32_t spared; /* metric of those that stay, 0: none */
	bool has_spared;
	bool *present;              /* owned; one per wanted route */
	struct wf_net_route *stale; /* owned */
	size_t stale_count, stale_capacity;
	bool failed; /* out of memory */
};

static int compare_destinations(const void *left, const void *right)
{
	const struct wf_net_route *const *a = left, *const *b = right;
	const struct wf_prefix from = wf_prefix_network(&(*a)->prefix);
	const struct wf_prefix to = wf_prefix_network(&(*b)->prefix);
	int r = memcmp(&from.addr, &to.addr, sizeof(from.addr));

	return r ? r : (int)from.len - (int)to.len;
}

/* The first of those wanted that do not come before a destination. */
static size_t first_wanted(const struct route_sync *sync, const struct wf_net_route *route)
{
	size_t first = 0, end = sync->count;

	while (first < end) {
		size_t middle = (first + end) / 2;

		if (compare_destinations(&sync->sorted[middle], &route) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* The wanted route that is like another one; NULL: there is none. */
static const struct wf_net_route *
find_wanted(const struct route_sync *sync, const struct wf_net_route *route,
	    bool (*is_like)(const struct wf_net_route *a, const struct wf_net_route *b))
{
	for (size_t i = first_wanted(sync, route);
	     i < sync->count && compare_destinations(&sync->sorted[i], &route) == 0; i++)
		if (is_like(sync->sorted[i], route))
			return sync->sorted[i];
	return NULL;
}

static void compare_route(const struct wf_net_kernel_route *route, void *context)
{
	struct route_sync *sync = context;
	const struct wf_net_route *wanted = find_wanted(sync, &route->route, same_route);

	if (wanted) {
		sync->present[wanted - sync->wanted] = true;
		return;
	}
	if (sync->spared && route->route.metric == sync->spared) {
		sync->has_spared = true;
		return;
	}
	if (wf_mem_grow(&sync->stale, sizeof(*sync->stale), sync->stale_count,
			&sync->stale_capacity) < 0) {
		sync->failed = true;
		return;
	}
	sync->stale[sync->stale_count++] = route->route;
}

/* Whether setting the wanted routes replaces this one anyway. */
static bool is_replaced(const struct route_sync *sync, const struct wf_net_route *stale)
{
	const struct wf_net_route *wanted = find_wanted(sync, stale, same_key);

	return wanted && !sync->present[wanted - sync->wanted];
}

static int apply_sync(struct wf_net *net, const struct route_sync *sync, struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);

	for (size_t i = 0; i < sync->count; i++) {
		if (sync->present[i])
			continue;
		wf_net_route_put(batch, RTM_NEWROUTE, NLM_F_CREATE | sync->how, &sync->wanted[i],
				 sync->wanted[i].ifindex);
		if (sync->how == NLM_F_EXCL)
			wf_netlink_batch_tolerate(batch, -EEXIST);
	}
	for (size_t i = 0; i < sync->stale_count; i++) {
		if (is_replaced(sync, &sync->stale[i]))
			continue;
		wf_net_route_put(batch, RTM_DELROUTE, 0, &sync->stale[i], sync->stale[i].ifindex);
		wf_netlink_batch_tolerate(batch, -ESRCH);
	}
	return wf_net_send(sync->socket, batch, NULL, NULL, err);
}

/* Weft's own routes, by one device or (0) by any, become what sync wants. */
static int run_sync(struct wf_net *net, struct route_sync *sync, uint32_t ifindex,
		    struct wf_err *err)
{
	const struct wf_net_route_filter filter = { .table = RT_TABLE_MAIN,
						    .ifindex = ifindex,
						    .protocol = WF_NET_ROUTE_PROTOCOL };
	int r = -ENOMEM;

	sync->present = calloc(sync->count + 1, sizeof(*sync->present));
	sync->sorted = calloc(sync->count + 1, sizeof(struct wf_net_route *));
	if (!sync->present || !sync->sorted) {
		(void)wf_fail(err, r, "out of memory");
		goto err_free;
	}
	for (size_t i = 0; i < sync->count; i++)
		sync->sorted[i] = &sync->wanted[i];
	qsort(sync->sorted, sync->count, sizeof(struct wf_net_route *), compare_destinations);
	r = wf_net_route_dump(sync->socket, wf_net_batch(net), &filter, compare_route, sync, err);
	if (r == 0 && sync->failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = apply_sync(net, sync, err);
	free(sync->stale);
err_free:
	free(sync->sorted);
	free(sync->present);
	return r;
}

int wf_net_host_sync_routes(struct wf_net *net, const struct wf_net_route *routes, size_t count,
			    uint32_t spared, struct wf_err *err)
{
	struct route_sync sync = { .socket = &net->socket,
				   .how = NLM_F_REPLACE,
				   .wanted = routes,
				   .count = count,
				   .spared = spared };
	int r = run_sync(net, &sync, 0, err);

	return r == 0 && sync.has_spared ? 1 : r;
}

int wf_net_routes_sync(struct wf_net *net, struct wf_netlink_socket *inside, uint32_t ifindex,
		       const struct wf_net_route *routes, size_t count, struct wf_err *err)
{
	struct route_sync sync = {
		.socket = inside, .how = NLM_F_EXCL, .wanted = routes, .count = count
	};

	return run_sync(net, &sync, ifindex, err);
}

struct own_route {
	const struct wf_net_route *wanted;
	bool is_there;
};

static void look_for_own(const struct wf_net_kernel_route *route, void *context)
{
	struct own_route *own = context;

	if (same_key(own->wanted, &route->route))
		own->is_there = true;
}

static int put_one(struct wf_net *net, const struct wf_net_route *route, uint16_t how,
		   struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_net_route_put(batch, RTM_NEWROUTE, NLM_F_CREATE | how, route, route->ifindex);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_route_add(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err)
{
	const struct wf_net_route_filter filter = { .table = RT_TABLE_MAIN,
						    .protocol = WF_NET_ROUTE_PROTOCOL };
	struct own_route own = { .wanted = route };
	char text[WF_ADDR_TEXT];
	int r;

	r = put_one(net, route, NLM_F_EXCL, err);
	if (r != -EEXIST)
		return r;
	r = wf_net_route_dump(&net->socket, wf_net_batch(net), &filter, look_for_own, &own, err);
	if (r < 0)
		return r;
	if (!own.is_there)
		return wf_fail(err, -EEXIST, "the host has a route to %s that is not weft's",
			       wf_prefix_format(&route->prefix, text));
	return put_one(net, route, NLM_F_REPLACE, err);
}

int wf_net_route_del(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_net_route_put(batch, RTM_DELROUTE, 0, route, route->ifindex);
	wf_netlink_batch_tolerate(batch, -ESRCH);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

static void choose_default(const struct wf_net_kernel_route *route, void *context)
{
	struct wf_net_kernel_route *best = context;

	if (route->route.prefix.len || route->type != RTN_UNICAST || !route->route.ifindex)
		return;
	/* IPv4 is dumped first and wins; within a family the smaller metric does */
	if (best->route.ifindex && (wf_addr_is_ip4(&best->route.prefix.addr) !=
					    wf_addr_is_ip4(&route->route.prefix.addr) ||
				    best->route.metric <= route->route.metric))
		return;
	*best = *route;
}

int wf_net_default_device(struct wf_net *net, char ret_name[16], uint32_t *ret_ifindex,
			  uint32_t *ret_mtu, struct wf_err *err)
{
	const struct wf_net_route_filter filter = { .table = RT_TABLE_MAIN };
	struct wf_net_kernel_route best = { 0 };
	struct wf_net_link link;
	char names[256];
	int r;

	r = wf_net_route_dump(&net->socket, wf_net_batch(net), &filter, choose_default, &best, err);
	if (r < 0)
		return r;
	if (!best.route.ifindex)
		return wf_fail(err, -ENODEV, "the host has no default route");
	r = wf_net_link_find(net, NULL, best.route.ifindex, &link, names, err);
	if (r < 0)
		return r;
	(void)strncpy(ret_name, link.name, IFNAMSIZ - 1);
	ret_name[IFNAMSIZ - 1] = '\0';
	*ret_ifindex = link.ifindex;
	*ret_mtu = link.mtu;
	return 0;
}
