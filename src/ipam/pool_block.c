/* SPDX-License-Identifier: Apache-2.0 */
/* The blocks that a pool is cut into, by number from the start of the subnet, and whose they are. */
#include "ipam/pool_priv.h"

#include <errno.h>

#include "base/mem.h"

static uint64_t last_block(const struct wf_pool *pool)
{
	return pool->last >> pool->block_bits;
}

static struct wf_prefix block_at(const struct wf_pool *pool, uint64_t number)
{
	return (struct wf_prefix){ .addr = wf_pool_addr(pool, number << pool->block_bits),
				   .len = wf_pool_block_len(pool) };
}

void wf_pool_cut(struct wf_pool *pool, uint8_t block_len)
{
	unsigned int bits = wf_addr_bits(&pool->prefix.addr) - block_len;
	unsigned int count_bits;

	wf_bitmap_done(&pool->claimed);
	wf_bitmap_done(&pool->own);
	pool->block_bits = block_len >= pool->prefix.len && bits > 0 && bits < 64 ? bits : 0;
	if (!pool->block_bits)
		return;
	count_bits = last_block(pool) ? 64 - (unsigned int)__builtin_clzll(last_block(pool)) : 0;
	wf_bitmap_init(&pool->claimed, count_bits);
	wf_bitmap_init(&pool->own, count_bits);
}

uint8_t wf_pool_block_len(const struct wf_pool *pool)
{
	return pool->block_bits ? (uint8_t)(wf_addr_bits(&pool->prefix.addr) - pool->block_bits)
				: 0;
}

bool wf_pool_block_of(const struct wf_pool *pool, const struct wf_addr *addr,
		      struct wf_prefix *ret_block)
{
	uint64_t offset = wf_pool_offset(pool, addr);

	if (!pool->block_bits || offset == WF_POOL_NOWHERE)
		return false;
	*ret_block = block_at(pool, offset >> pool->block_bits);
	return true;
}

int wf_pool_block_mark(struct wf_pool *pool, const struct wf_prefix *block,
		       enum wf_pool_block whose)
{
	struct wf_prefix at;
	uint64_t number;
	int r = 0;

	if (!wf_pool_block_of(pool, &block->addr, &at) || !wf_prefix_equal(&at, block))
		return -EINVAL;
	number = wf_pool_offset(pool, &block->addr) >> pool->block_bits;
	wf_bitmap_clear(&pool->claimed, number);
	wf_bitmap_clear(&pool->own, number);
	if (whose != WF_POOL_BLOCK_FREE)
		r = wf_bitmap_set(&pool->claimed, number);
	if (r == 0 && whose == WF_POOL_BLOCK_OWN)
		r = wf_bitmap_set(&pool->own, number);
	return r;
}

uint64_t wf_pool_next_there(const struct wf_pool *pool, enum wf_pool_where where, uint64_t from)
{
	uint64_t first = from >> pool->block_bits, number;

	if (where == WF_POOL_ANYWHERE || from == WF_POOL_NOWHERE)
		return from;
	if (!pool->block_bits)
		return WF_POOL_NOWHERE;
	number = where == WF_POOL_OWN_BLOCKS ? wf_bitmap_next_set(&pool->own, first)
					     : wf_bitmap_next_clear(&pool->claimed, first);
	if (number == WF_BITMAP_NONE || number > last_block(pool))
		return WF_POOL_NOWHERE;
	return number == first ? from : number << pool->block_bits;
}

int wf_pool_block_find(struct wf_pool *pool, const struct wf_ranges *ranges, uint64_t number,
		       uint64_t now_ms, struct wf_prefix *ret_block)
{
	_cleanup_(wf_intervals_done) struct wf_intervals narrow = { 0 };
	const struct wf_intervals *within = ranges && ranges->count ? &narrow : NULL;
	uint64_t at;

	if (!pool->block_bits)
		return -ENOSPC;
	if (within && wf_pool_add_ranges(pool, ranges, &narrow) < 0)
		return -ENOMEM;
	wf_pool_expire(pool, now_ms);
	/* the last number may be 2^64 / 2^bits - 1 at most: no overflow, as a block has two addresses */
	number %= last_block(pool) + 1;
	at = wf_pool_next_free(pool, WF_POOL_FREE_BLOCKS, within, number << pool->block_bits);
	if (at == WF_POOL_NOWHERE && number)
		at = wf_pool_next_free(pool, WF_POOL_FREE_BLOCKS, within, 0);
	if (at == WF_POOL_NOWHERE)
		return -ENOSPC;
	*ret_block = block_at(pool, at >> pool->block_bits);
	return 0;
}

/* The offsets of a block; false: it is none of the subnet's. */
static bool bounds_of(const struct wf_pool *pool, const struct wf_prefix *block,
		      uint64_t *ret_first, uint64_t *ret_last)
{
	struct wf_addr last = wf_prefix_last(block);

	*ret_first = wf_pool_offset(pool, &block->addr);
	*ret_last = wf_pool_offset(pool, &last);
	if (*ret_first != WF_POOL_NOWHERE && *ret_last > pool->last)
		*ret_last = pool->last;
	return *ret_first != WF_POOL_NOWHERE;
}

uint64_t wf_pool_block_size(const struct wf_pool *pool, const struct wf_prefix *block)
{
	uint64_t first, last, size = 0;

	if (!bounds_of(pool, block, &first, &last))
		return 0;
	for (size_t i = 0; i < pool->given.count; i++) {
		const struct wf_interval *run = &pool->given.items[i];
		uint64_t from = run->first > first ? run->first : first;
		uint64_t to = run->last < last ? run->last : last;

		if (from <= to)
			size += to - from + 1;
	}
	return size;
}

void wf_pool_visit_block(const struct wf_pool *pool, const struct wf_prefix *block, uint64_t now_ms,
			 wf_pool_visit_fn visit, void *context)
{
	uint64_t at, last;

	if (!bounds_of(pool, block, &at, &last))
		return;
	while ((at = wf_bitmap_next_set(&pool->busy, at)) <= last && at != WF_POOL_NOWHERE) {
		struct wf_addr addr = wf_pool_addr(pool, at++);
		struct wf_pool_fact fact = wf_pool_explain(pool, &addr, now_ms);

		if (fact.owner || fact.state == WF_POOL_COOLING)
			if (!visit(&addr, &fact, context))
				return;
	}
}
