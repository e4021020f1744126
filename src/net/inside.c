/* SPDX-License-Identifier: Apache-2.0 */
/* What happens inside a container's namespace once its interface is there. */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net_priv.h"

/* lo has this index in every namespace: it is the first device the kernel makes. */
#define LOOPBACK_IFINDEX 1

/* Patience with the worker that puts IPv6 addresses to use: 10 ms. */
#define ADDRESS_TRIES   50
#define ADDRESS_WAIT_US 200

static bool has_ip6(const struct wf_net_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->address_count; i++)
		if (!wf_addr_is_ip4(&endpoint->addresses[i].prefix.addr))
			return true;
	return false;
}

/* family: AF_UNSPEC for both. */
static void put_family(struct wf_net *net, const struct wf_net_endpoint *endpoint, uint32_t ifindex,
		       int family)
{
	struct wf_netlink_batch *batch = &net->batch;

	/*
	 * Without an IPv6 address the datapath lets no IPv6 pass: a link-local address would only
	 * make the kernel solicit routers and report groups that are dropped.
	 */
	if (!has_ip6(endpoint)) {
		wf_net_link_put_set(batch, ifindex, 0, 0);
		wf_net_link_put_no_autoconf(net, batch, endpoint->mtu);
	}
	/*
	 * Up before the addresses: what an interface has when it comes up gets its routes from
	 * memory that the kernel must not wait for, and of 1,000 IPv6 addresses in a row one was
	 * dropped ("Failed to add prefix route", 6.18). On an interface that is up it may wait.
	 */
	wf_net_link_put_set(batch, ifindex, IFF_UP, IFF_UP);
	for (size_t i = 0; i < endpoint->address_count; i++) {
		const struct wf_prefix *prefix = &endpoint->addresses[i].prefix;
		const bool is_ip4 = wf_addr_is_ip4(&prefix->addr);

		if (family == AF_UNSPEC || !is_ip4)
			wf_net_addr_put(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex,
					prefix, is_ip4 ? 0 : IFA_F_NODAD);
	}
	for (size_t i = 0; i < endpoint->route_count; i++) {
		const struct wf_net_route *route = &endpoint->routes[i];

		if (family == AF_UNSPEC || !wf_addr_is_ip4(&route->prefix.addr))
			wf_net_route_put(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route,
					 ifindex);
	}
}

/*
 * Runtimes (Docker) turn IPv6 off in the namespaces they make; an endpoint with an IPv6 address
 * wants it on for its interface. IPv4 is complete at this point, IPv6 refused altogether.
 */
static int enable_ip6(struct wf_net *net, struct wf_netlink_socket *inside,
		      const struct wf_net_endpoint *endpoint, uint32_t ifindex, struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "ipv6/conf/%s/disable_ipv6", endpoint->ifname);
	r = wf_net_ns_sysctl(net, endpoint->netns_fd, path, "0", err);
	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	put_family(net, endpoint, ifindex, AF_INET6);
	return wf_net_send(inside, batch, NULL, NULL, err);
}

static void count_local(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	size_t *count = context;

	if (header && message->nlmsg_type == RTM_NEWROUTE && header->rtm_type == RTN_LOCAL)
		(*count)++;
}

/*
 * A worker of the kernel gives an IPv6 address its local route some time after it was set, and
 * until then the namespace does not know the address as its own: what arrives for it is refused.
 */
static void await_ip6(struct wf_net *net, struct wf_netlink_socket *inside,
		      const struct wf_net_endpoint *endpoint)
{
	for (int try = 0; try < ADDRESS_TRIES; try++) {
		struct wf_netlink_batch *batch = wf_net_batch(net);
		size_t wanted = 0, found = 0;

		for (size_t i = 0; i < endpoint->address_count; i++) {
			if (wf_addr_is_ip4(&endpoint->addresses[i].prefix.addr))
				continue;
			wf_net_route_put_ask(batch, &endpoint->addresses[i].prefix.addr);
			wanted++;
		}
		if (!wanted || wf_net_send(inside, batch, count_local, &found, NULL) < 0 ||
		    found == wanted)
			return;
		(void)usleep(ADDRESS_WAIT_US);
	}
}

int wf_net_inside_configure(struct wf_net *net, struct wf_netlink_socket *inside,
			    const struct wf_net_endpoint *endpoint, uint32_t ifindex,
			    struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int r;

	wf_net_link_put_set(batch, LOOPBACK_IFINDEX, IFF_UP, IFF_UP);
	if (ifindex)
		put_family(net, endpoint, ifindex, AF_UNSPEC);
	r = wf_net_send(inside, batch, NULL, NULL, err);
	if (r == -EACCES && has_ip6(endpoint))
		r = enable_ip6(net, inside, endpoint, ifindex, err);
	if (r == 0 && ifindex)
		await_ip6(net, inside, endpoint);
	return r;
}

int wf_net_endpoint_sync_routes(struct wf_net *net, const struct wf_net_endpoint *endpoint,
				struct wf_err *err)
{
	struct wf_netlink_socket inside;
	struct wf_net_route *routes;
	struct wf_net_link link;
	char names[256];
	int r;

	r = wf_net_ns_socket(net, endpoint->netns_fd, &inside, err);
	if (r < 0)
		return r;
	routes = calloc(endpoint->route_count + 1, sizeof(*routes));
	r = routes ? wf_net_link_get(&inside, wf_net_batch(net), endpoint->ifname, 0, &link, names,
				     err)
		   : wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < endpoint->route_count; i++) {
		routes[i] = endpoint->routes[i];
		routes[i].ifindex = link.ifindex;
	}
	if (r == 0)
		r = wf_net_routes_sync(net, &inside, link.ifindex, routes, endpoint->route_count,
				       err);
	free(routes);
	wf_netlink_close(&inside);
	return r;
}
