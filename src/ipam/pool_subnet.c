/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool is made of: offsets, and which of them may be given out. Called by pool.c. */
#include "ipam/pool_priv.h"

#include <errno.h>

uint64_t wf_pool_offset(const struct wf_pool *pool, const struct wf_addr *addr)
{
	if (!wf_prefix_contains(&pool->prefix, addr))
		return WF_POOL_NOWHERE;
	return wf_addr_distance(&pool->prefix.addr, addr);
}

struct wf_addr wf_pool_addr(const struct wf_pool *pool, uint64_t offset)
{
	return wf_addr_add(&pool->prefix.addr, offset);
}

const char *wf_pool_unusable(const struct wf_pool *pool, uint64_t offset)
{
	if (offset == WF_POOL_NOWHERE)
		return "beyond the addresses that can be managed";
	if (offset == pool->gateway)
		return "the gateway";
	if (wf_addr_is_ip4(&pool->prefix.addr)) {
		if (pool->prefix.len >= 31) /* RFC 3021 */
			return NULL;
		if (offset == pool->last)
			return "the broadcast address";
		return offset == 0 ? "the network address" : NULL;
	}
	/* RFC 4291, 2.6.1; /127 has none (RFC 6164), /128 is one host */
	return offset == 0 && pool->prefix.len < 127 ? "the subnet-router anycast address" : NULL;
}

void wf_pool_set_bounds(struct wf_pool *pool, const struct wf_subnet *subnet)
{
	unsigned int host_bits = wf_addr_bits(&pool->prefix.addr) - pool->prefix.len;

	/* WF_POOL_NOWHERE is no offset: of 2^64 addresses and more the last are not managed */
	pool->last = host_bits >= 64 ? WF_POOL_NOWHERE - 1 : (UINT64_C(1) << host_bits) - 1;
	pool->gateway = WF_POOL_NOWHERE;
	if (subnet->has_gateway)
		pool->gateway = wf_pool_offset(pool, &subnet->gateway);
}

/* The part of a range that lies inside the subnet; false when none does. */
static bool clip(const struct wf_pool *pool, const struct wf_range *range,
		 struct wf_interval *ret_run)
{
	struct wf_addr highest = wf_prefix_last(&pool->prefix);
	struct wf_interval run = { 0, pool->last };

	if (wf_addr_is_ip4(&range->first) != wf_addr_is_ip4(&pool->prefix.addr) ||
	    wf_addr_compare(&range->first, &highest) > 0 ||
	    wf_addr_compare(&range->last, &pool->prefix.addr) < 0 ||
	    wf_addr_compare(&range->first, &range->last) > 0)
		return false;
	if (wf_addr_compare(&range->first, &pool->prefix.addr) > 0)
		run.first = wf_addr_distance(&pool->prefix.addr, &range->first);
	if (wf_addr_compare(&range->last, &highest) < 0)
		run.last = wf_addr_distance(&pool->prefix.addr, &range->last);
	if (run.last > pool->last)
		run.last = pool->last;
	*ret_run = run;
	return run.first <= run.last;
}

int wf_pool_add_ranges(const struct wf_pool *pool, const struct wf_ranges *ranges,
		       struct wf_intervals *set)
{
	struct wf_interval run;

	for (size_t i = 0; i < ranges->count; i++)
		if (clip(pool, &ranges->items[i], &run) &&
		    wf_intervals_add(set, run.first, run.last) < 0)
			return -ENOMEM;
	return 0;
}

static int remove_unusable(const struct wf_pool *pool, struct wf_intervals *set)
{
	const uint64_t candidates[] = { 0, pool->last, pool->gateway };

	for (size_t i = 0; i < 3; i++)
		if (candidates[i] != WF_POOL_NOWHERE && wf_pool_unusable(pool, candidates[i]) &&
		    wf_intervals_remove(set, candidates[i], candidates[i]) < 0)
			return -ENOMEM;
	return 0;
}

int wf_pool_make_given(const struct wf_pool *pool, const struct wf_subnet *subnet,
		       struct wf_intervals *ret_given)
{
	struct wf_intervals given = { 0 };
	struct wf_interval run;
	int r;

	if (subnet->ranges.count)
		r = wf_pool_add_ranges(pool, &subnet->ranges, &given);
	else
		r = wf_intervals_add(&given, 0, pool->last);
	for (size_t i = 0; r == 0 && i < subnet->excluded.count; i++)
		if (clip(pool, &subnet->excluded.items[i], &run))
			r = wf_intervals_remove(&given, run.first, run.last);
	if (r == 0)
		r = remove_unusable(pool, &given);
	if (r < 0) {
		wf_intervals_done(&given);
		return r;
	}
	*ret_given = given;
	return 0;
}
