/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices of the host lead outside, and the host's addresses. */
#include "net/uplink.h"
#include "net/wireguard.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <weft/abi/limits.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Ranks of addresses, added up; lower is better. */
#define RANK_SECONDARY  1 /* the same bit says "temporary" of an IPv6 address */
#define RANK_DEPRECATED 2
#define RANK_TENTATIVE  4

struct candidate {
	struct wf_net_uplink uplink;
	unsigned int rank4, rank6;
};

struct candidates {
	struct candidate *items; /* owned; sorted by ifindex in the end */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void candidates_done(struct candidates *all)
{
	free(all->items);
}

/* weft0, devices of slots, and the host's legs in macvlan networks: wfm7. */
static bool is_own(const struct wf_net_link *link)
{
	unsigned int number;
	char rest;

	return link->ifindex - WF_IFINDEX_BASE < WF_MAX_SLOTS || link->group == WF_NET_GROUP_LIVE ||
	       link->group == WF_NET_GROUP_DEAD || strcmp(link->name, WF_NET_HOST_DEVICE) == 0 ||
	       strcmp(link->name, WF_NET_HOST_PEER) == 0 ||
	       strcmp(link->name, WF_NET_OVERLAY_DEVICE) == 0 ||
	       strncmp(link->name, WF_NET_WG_DEVICE, strlen(WF_NET_WG_DEVICE)) == 0 ||
	       (strcmp(link->kind, "macvlan") == 0 &&
		sscanf(link->name, "wfm%u%c", &number, &rest) == 1);
}

/* Bytes in front of the IP header where tc programs see a packet; false: it starts otherwise. */
static bool l2_bytes(uint16_t hardware, uint32_t *ret_bytes)
{
	switch (hardware) {
	case ARPHRD_ETHER: *ret_bytes = 14; return true;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_PPP: *ret_bytes = 0; return true;
	default: return false;
	}
}

static int by_index(const void *a, const void *b)
{
	const struct candidate *left = a, *right = b;

	return (left->uplink.ifindex > right->uplink.ifindex) -
	       (left->uplink.ifindex < right->uplink.ifindex);
}

static unsigned int rank_of(const struct wf_net_addr *addr)
{
	unsigned int rank = 0;

	if (addr->flags & IFA_F_SECONDARY)
		rank += RANK_SECONDARY;
	if (addr->flags & IFA_F_DEPRECATED)
		rank += RANK_DEPRECATED;
	if (addr->flags & IFA_F_TENTATIVE && !(addr->flags & IFA_F_OPTIMISTIC))
		rank += RANK_TENTATIVE;
	return rank;
}

/* The candidate of a device, made when it is new; NULL: out of memory. */
static struct candidate *candidate_of(struct candidates *all, uint32_t ifindex)
{
	struct candidate *candidate;

	for (size_t i = all->count; i-- > 0;)
		if (all->items[i].uplink.ifindex == ifindex)
			return &all->items[i];
	if (wf_mem_grow(&all->items, sizeof(*all->items), all->count, &all->capacity) < 0) {
		all->failed = true;
		return NULL;
	}
	candidate = &all->items[all->count++];
	*candidate = (struct candidate){ .uplink = { .ifindex = ifindex },
					 .rank4 = UINT32_MAX,
					 .rank6 = UINT32_MAX };
	return candidate;
}

static void add_address(const struct wf_net_addr *addr, void *context)
{
	const bool is_ip4 = wf_addr_is_ip4(&addr->prefix.addr);
	const unsigned int rank = rank_of(addr);
	struct candidate *candidate;
	unsigned int *best;

	if (addr->scope != RT_SCOPE_UNIVERSE || addr->flags & IFA_F_DADFAILED ||
	    addr->ifindex - WF_IFINDEX_BASE < WF_MAX_SLOTS)
		return;
	candidate = candidate_of(context, addr->ifindex);
	if (!candidate)
		return;
	best = is_ip4 ? &candidate->rank4 : &candidate->rank6;
	if (rank >= *best)
		return;
	*best = rank;
	*(is_ip4 ? &candidate->uplink.ip4 : &candidate->uplink.ip6) = addr->prefix.addr;
}

/* Fills in what the device itself says. 1: it may lead outside, 0: it does not. */
static int examine(struct wf_net *net, struct wf_net_uplink *uplink, struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, NULL, uplink->ifindex, &link, names, err);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	if (!link.up || link.master || is_own(&link) || !l2_bytes(link.hardware, &uplink->l2_bytes))
		return 0;
	uplink->mac = link.mac;
	(void)snprintf(uplink->name, sizeof(uplink->name), "%.15s", link.name);
	return 1;
}

static int examine_all(struct wf_net *net, struct candidates *all, struct wf_err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++) {
		int r = examine(net, &all->items[i].uplink, err);

		if (r < 0)
			return r;
		if (r)
			all->items[kept++] = all->items[i];
	}
	all->count = kept;
	return 0;
}

static void add_default(const struct wf_net_kernel_route *route, void *context)
{
	struct candidates *all = context;

	if (route->route.prefix.len || route->type != RTN_UNICAST)
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].uplink.ifindex == route->route.ifindex)
			all->items[i].uplink.has_default = true;
}

/* By addresses: a dump of all devices costs the kernel more the more containers there are. */
static int gather(struct wf_net *net, struct candidates *all, struct wf_err *err)
{
	static const struct wf_net_route_filter main_table = { .table = RT_TABLE_MAIN };
	int r = wf_net_addr_dump(&net->socket, wf_net_batch(net), 0, add_address, all, err);

	if (r == 0 && all->failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = examine_all(net, all, err);
	if (r < 0)
		return r;
	if (all->count)
		qsort(all->items, all->count, sizeof(*all->items), by_index);
	return wf_net_route_dump(&net->socket, wf_net_batch(net), &main_table, add_default, all,
				 err);
}

int wf_net_uplinks(struct wf_net *net, struct wf_net_uplink **ret_uplinks, size_t *ret_count,
		   struct wf_err *err)
{
	_cleanup_(candidates_done) struct candidates all = { 0 };
	struct wf_net_uplink *uplinks;
	int r = gather(net, &all, err);

	if (r < 0)
		return r;
	uplinks = calloc(all.count + 1, sizeof(*uplinks));
	if (!uplinks)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < all.count; i++)
		uplinks[i] = all.items[i].uplink;
	*ret_uplinks = uplinks;
	*ret_count = all.count;
	return 0;
}

struct addresses {
	struct wf_addr *items; /* owned */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void note_address(const struct wf_net_addr *addr, void *context)
{
	struct addresses *all = context;

	if (wf_mem_grow(&all->items, sizeof(*all->items), all->count, &all->capacity) < 0)
		all->failed = true;
	else
		all->items[all->count++] = addr->prefix.addr;
}

static int by_value(const void *a, const void *b)
{
	return wf_addr_compare(a, b);
}

int wf_net_host_addresses(struct wf_net *net, struct wf_addr **ret_addrs, size_t *ret_count,
			  struct wf_err *err)
{
	struct addresses all = { 0 };
	size_t kept = 0;
	int r = wf_net_addr_dump(&net->socket, wf_net_batch(net), 0, note_address, &all, err);

	if (r == 0 && all.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r < 0) {
		free(all.items);
		return r;
	}
	if (all.count)
		qsort(all.items, all.count, sizeof(*all.items), by_value);
	/* link-local addresses may be the same on many devices */
	for (size_t i = 0; i < all.count; i++)
		if (!kept || !wf_addr_equal(&all.items[kept - 1], &all.items[i]))
			all.items[kept++] = all.items[i];
	*ret_addrs = all.items;
	*ret_count = kept;
	return 0;
}
