/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/choose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define IP4(a, b)                                                      \
	{                                                              \
		.bytes = { [10] = 0xff, [11] = 0xff, [12] = (a), (b) } \
	}

/* How many of the things in the way the message names. */
#define NAMED_MAX 3

static const struct wf_choose_pool default_ip4[] = {
	{ .base = { IP4(10, 64), 10 }, .size = 16 },
	{ .base = { IP4(172, 16), 12 }, .size = 20 },
	{ .base = { IP4(192, 168), 16 }, .size = 24 },
};

/* The widest of the things that were in the way. */
struct blockers {
	const struct wf_choose_taken *widest[NAMED_MAX];
	size_t count; /* distinct ones met, those not kept included */
};

const struct wf_choose_pool *wf_choose_default_ip4(size_t *ret_count)
{
	*ret_count = WF_ARRAY_LEN(default_ip4);
	return default_ip4;
}

struct wf_choose_pool wf_choose_default_ip6(const uint8_t seed[5])
{
	struct wf_choose_pool pool = { .base = { .len = 48 }, .size = 64 };

	pool.base.addr.bytes[0] = 0xfd;
	memcpy(pool.base.addr.bytes + 1, seed, 5);
	return pool;
}

const struct wf_choose_taken *wf_choose_overlap(const struct wf_prefix *prefix,
						const struct wf_choose_taken *taken,
						size_t taken_count)
{
	for (size_t i = 0; i < taken_count; i++)
		if (wf_prefix_overlaps(prefix, &taken[i].prefix))
			return &taken[i];
	return NULL;
}

/* The prefix of the same length right after this one; false when it was the last of all. */
static bool next_prefix(struct wf_prefix *prefix)
{
	bool is_ip4 = wf_addr_is_ip4(&prefix->addr);
	unsigned int bits = prefix->len + (is_ip4 ? 96U : 0U);
	unsigned int lowest = is_ip4 ? 12 : 0, carry;

	if (prefix->len == 0)
		return false;
	carry = 1U << (7 - (bits - 1) % 8);
	for (unsigned int i = (bits - 1) / 8 + 1; i-- > lowest && carry;) {
		carry += prefix->addr.bytes[i];
		prefix->addr.bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry == 0;
}

/*
 * Moves a candidate behind what is in its way: whole runs are stepped over at once, so the time
 * depends on how much is taken, not on how many candidates there are.
 */
static bool step_over(struct wf_prefix *candidate, const struct wf_prefix *obstacle)
{
	struct wf_prefix wide = *candidate;

	if (obstacle->len >= candidate->len)
		return next_prefix(candidate);
	wide.len = obstacle->len;
	wide = wf_prefix_network(&wide);
	if (!next_prefix(&wide))
		return false;
	candidate->addr = wide.addr;
	return true;
}

static void remember(struct blockers *blockers, const struct wf_choose_taken *met)
{
	for (size_t i = 0; i < NAMED_MAX && blockers->widest[i]; i++)
		if (blockers->widest[i] == met)
			return;
	blockers->count++;
	for (size_t i = 0; i < NAMED_MAX; i++) {
		const struct wf_choose_taken *kept = blockers->widest[i];

		if (kept && kept->prefix.len <= met->prefix.len)
			continue;
		blockers->widest[i] = met;
		met = kept;
		if (!met)
			return;
	}
}

static int find_in_pool(const struct wf_choose_pool *pool, const struct wf_choose_taken *taken,
			size_t taken_count, struct blockers *blockers, struct wf_prefix *ret_subnet)
{
	struct wf_prefix base = wf_prefix_network(&pool->base);
	struct wf_prefix candidate = { base.addr, pool->size };

	if (pool->size < base.len || pool->size > wf_addr_bits(&base.addr))
		return -ENOSPC;
	do {
		const struct wf_choose_taken *met =
			wf_choose_overlap(&candidate, taken, taken_count);

		if (!met) {
			*ret_subnet = candidate;
			return 0;
		}
		remember(blockers, met);
		if (!step_over(&candidate, &met->prefix))
			return -ENOSPC;
	} while (wf_prefix_contains(&base, &candidate.addr));
	return -ENOSPC;
}

static int fail_all_taken(const struct wf_choose_pool *pools, size_t pool_count,
			  const struct blockers *blockers, struct wf_err *err)
{
	_cleanup_str_ struct wf_str where = WF_STR_INIT;
	_cleanup_str_ struct wf_str what = WF_STR_INIT;
	char text[WF_ADDR_TEXT];
	size_t named = 0;

	for (size_t i = 0; i < pool_count; i++)
		wf_str_addf(&where, "%s%s by /%u", i ? ", " : "",
			    wf_prefix_format(&pools[i].base, text), pools[i].size);
	for (; named < NAMED_MAX && blockers->widest[named]; named++)
		wf_str_addf(&what, "%s%s (%s)", named ? ", " : "",
			    wf_prefix_format(&blockers->widest[named]->prefix, text),
			    blockers->widest[named]->what);
	if (blockers->count > named)
		wf_str_add(&what, " and more");
	return wf_fail(err, -ENOSPC,
		       "no free subnet in %s: in the way are %s; name one in spec.subnets",
		       wf_str_text(&where), named ? wf_str_text(&what) : "none");
}

int wf_choose_subnet(const struct wf_choose_pool *pools, size_t pool_count,
		     const struct wf_choose_taken *taken, size_t taken_count,
		     struct wf_prefix *ret_subnet, struct wf_err *err)
{
	struct blockers blockers = { 0 };

	for (size_t i = 0; i < pool_count; i++)
		if (find_in_pool(&pools[i], taken, taken_count, &blockers, ret_subnet) == 0)
			return 0;
	return fail_all_taken(pools, pool_count, &blockers, err);
}

struct wf_mac wf_choose_mac(uint64_t bits)
{
	struct wf_mac mac;

	for (unsigned int i = 0; i < sizeof(mac.bytes); i++)
		mac.bytes[i] = (uint8_t)(bits >> (8 * i));
	/* locally administered, unicast */
	mac.bytes[0] = (uint8_t)((mac.bytes[0] | 0x02) & ~0x01);
	return mac;
}
