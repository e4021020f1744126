/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a pool and everything that changes it. What can be asked of it is in pool_query.c. */
#include "ipam/pool_priv.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
struct wf_pool_record *wf_pool_find(const struct wf_pool *pool, uint64_t offset)
{
	struct wf_pool_record *record;

	HASH_FIND(hh, pool->records, &offset, sizeof(offset), record);
	return record;
}

static void count(struct wf_pool *pool, const struct wf_pool_record *record, int sign)
{
	wf_pool_tally(&pool->everywhere, record, sign);
	if (wf_intervals_contain(&pool->given, record->offset))
		wf_pool_tally(&pool->automatic, record, sign);
}

static void count_elsewhere(struct wf_pool *pool, uint64_t offset, int sign)
{
	uint64_t one = sign > 0 ? 1 : UINT64_MAX;

	pool->everywhere.taken += one;
	if (wf_intervals_contain(&pool->given, offset))
		pool->automatic.taken += one;
}

/* The record of an offset, made if there is none; a new one is not counted yet. NULL: no memory. */
/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
static struct wf_pool_record *make_record(struct wf_pool *pool, uint64_t offset)
{
	bool was_busy = wf_bitmap_next_set(&pool->busy, offset) == offset;
	struct wf_pool_record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->offset = offset;
	if (wf_bitmap_set(&pool->busy, offset) < 0)
		goto err_free;
	HASH_ADD(hh, pool->records, offset, sizeof(record->offset), record);
	if (!record->hh.tbl)
		goto err_clear;
	return record;

err_clear:
	if (!was_busy)
		wf_bitmap_clear(&pool->busy, offset);
err_free:
	free(record);
	return NULL;
}

static void free_record(struct wf_pool_record *record)
{
	free(record->owner);
	free(record->holder);
	free(record);
}

/* Counts a changed record again, or forgets it when nothing is left to know. */
static void settle(struct wf_pool *pool, struct wf_pool_record *record)
{
	if (record->owner || record->holder || record->is_cooling) {
		count(pool, record, 1);
		return;
	}
	HASH_DEL(pool->records, record);
	wf_bitmap_clear(&pool->busy, record->offset);
	free_record(record);
}

static void stop_cooling(struct wf_pool *pool, struct wf_pool_record *record)
{
	if (!record->is_cooling)
		return;
	DL_DELETE(pool->cooling, record);
	record->is_cooling = false;
}

/* Sets free what is due. Each release is undone here at most once: O(1) amortised. */
void wf_pool_expire(struct wf_pool *pool, uint64_t now_ms)
{
	struct wf_pool_record *record;

	while ((record = pool->cooling) && wf_pool_due_ms(pool, record) <= now_ms) {
		count(pool, record, -1);
		stop_cooling(pool, record);
		settle(pool, record);
	}
}

int wf_pool_new(struct wf_pool **ret_pool, const struct wf_subnet *subnet, uint64_t cool_down_ms)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->prefix = wf_prefix_network(&subnet->prefix);
	pool->cool_down_ms = cool_down_ms;
	pool->cursor = WF_POOL_NOWHERE;
	wf_pool_set_bounds(pool, subnet);
	wf_bitmap_init(&pool->busy, pool->last == 0 ? 0 : 64 - __builtin_clzll(pool->last));
	if (wf_pool_make_given(pool, subnet, &pool->given) < 0)
		return -ENOMEM;
	pool->given_size = wf_intervals_size(&pool->given);
	*ret_pool = TAKE_PTR(pool);
	return 0;
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
void wf_pool_free(struct wf_pool **pool)
{
	struct wf_pool_record *record, *next;

	if (!*pool)
		return;
	HASH_ITER(hh, (*pool)->records, record, next) {
		HASH_DEL((*pool)->records, record);
		free_record(record);
	}
	wf_bitmap_done(&(*pool)->busy);
	wf_bitmap_done(&(*pool)->claimed);
	wf_bitmap_done(&(*pool)->own);
	wf_intervals_done(&(*pool)->given);
	free(*pool);
	*pool = NULL;
}

/* Sets that each know their next member, asked in turn until they agree. */
uint64_t wf_pool_next_free(const struct wf_pool *pool, enum wf_pool_where where,
			   const struct wf_intervals *narrow, uint64_t from)
{
	for (;;) {
		uint64_t at = wf_intervals_next(&pool->given, from);

		if (narrow)
			at = wf_intervals_next(narrow, at);
		at = wf_pool_next_there(pool, where, at);
		at = wf_bitmap_next_clear(&pool->busy, at);
		if (at == from || at == WF_POOL_NOWHERE)
			return at;
		from = at;
	}
}

static uint64_t choose(const struct wf_pool *pool, enum wf_pool_where where,
		       const struct wf_intervals *narrow)
{
	const struct wf_pool_counts *used = &pool->automatic;
	uint64_t found = WF_POOL_NOWHERE;

	if (used->taken + used->reserved + used->cooling == pool->given_size)
		return WF_POOL_NOWHERE;
	if (pool->cursor != WF_POOL_NOWHERE)
		found = wf_pool_next_free(pool, where, narrow, pool->cursor + 1);
	return found == WF_POOL_NOWHERE ? wf_pool_next_free(pool, where, narrow, 0) : found;
}

static int alloc_from(struct wf_pool *pool, const char *owner, enum wf_pool_where where,
		      const struct wf_intervals *narrow, uint64_t now_ms, struct wf_addr *ret_addr,
		      struct wf_err *err)
{
	_cleanup_free_ char *name = strdup(owner);
	struct wf_pool_record *record;
	uint64_t offset;

	wf_pool_expire(pool, now_ms);
	offset = choose(pool, where, narrow);
	if (offset == WF_POOL_NOWHERE)
		return where == WF_POOL_ANYWHERE ? wf_pool_fail_full(pool, narrow, now_ms, err)
						 : -ENOSPC;
	record = name ? make_record(pool, offset) : NULL;
	if (!record)
		return wf_fail(err, -ENOMEM, "out of memory for an address of %s", owner);
	record->owner = TAKE_PTR(name);
	count(pool, record, 1);
	pool->cursor = offset;
	*ret_addr = wf_pool_addr(pool, offset);
	return 0;
}

static int alloc_where(struct wf_pool *pool, const char *owner, enum wf_pool_where where,
		       const struct wf_ranges *ranges, uint64_t now_ms, struct wf_addr *ret_addr,
		       struct wf_err *err)
{
	_cleanup_(wf_intervals_done) struct wf_intervals narrow = { 0 };

	if (!ranges || !ranges->count)
		return alloc_from(pool, owner, where, NULL, now_ms, ret_addr, err);
	if (wf_pool_add_ranges(pool, ranges, &narrow) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for an address of %s", owner);
	return alloc_from(pool, owner, where, &narrow, now_ms, ret_addr, err);
}

int wf_pool_alloc(struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		  uint64_t now_ms, struct wf_addr *ret_addr, struct wf_err *err)
{
	return alloc_where(pool, owner, WF_POOL_ANYWHERE, ranges, now_ms, ret_addr, err);
}

int wf_pool_alloc_own(struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		      uint64_t now_ms, struct wf_addr *ret_addr, struct wf_err *err)
{
	return alloc_where(pool, owner, WF_POOL_OWN_BLOCKS, ranges, now_ms, ret_addr, err);
}

/* The offset of an address that somebody may have; otherwise -EADDRNOTAVAIL says why not. */
static int check_usable(const struct wf_pool *pool, const struct wf_addr *addr,
			uint64_t *ret_offset, struct wf_err *err)
{
	char text[WF_ADDR_TEXT], subnet[WF_ADDR_TEXT];
	uint64_t offset = wf_pool_offset(pool, addr);
	bool is_inside = wf_prefix_contains(&pool->prefix, addr);
	const char *why = is_inside ? wf_pool_unusable(pool, offset) : NULL;

	if (is_inside && !why) {
		*ret_offset = offset;
		return 0;
	}
	(void)wf_addr_format(addr, text);
	(void)wf_prefix_format(&pool->prefix, subnet);
	return is_inside ? wf_fail(err, -EADDRNOTAVAIL, "%s is %s of %s", text, why, subnet)
			 : wf_fail(err, -EADDRNOTAVAIL, "%s is not in %s", text, subnet);
}

/* Fails when an address is another's. The owner itself may reserve. */
static int check_others(const struct wf_pool *pool, uint64_t offset, const char *name,
			bool owner_may, struct wf_err *err)
{
	const struct wf_pool_record *record;
	struct wf_addr at = wf_pool_addr(pool, offset), *addr = &at;
	const char *owner;
	char text[WF_ADDR_TEXT];

	/* most are free: that is told without looking for a record */
	if (wf_bitmap_next_set(&pool->busy, offset) != offset)
		return 0;
	record = wf_pool_find(pool, offset);
	owner = record ? record->owner : wf_pool_elsewhere(pool, offset);
	if (owner && !(owner_may && strcmp(owner, name) == 0))
		return wf_fail(err, -EADDRINUSE, "%s is in use by %s", wf_addr_format(addr, text),
			       owner);
	if (record && record->holder && strcmp(record->holder, name) != 0)
		return wf_fail(err, -EADDRINUSE, "%s is reserved for %s",
			       wf_addr_format(addr, text), record->holder);
	return 0;
}

/* What is known of one who has an address elsewhere becomes a record. 0 or -ENOMEM. */
static int make_known(struct wf_pool *pool, uint64_t offset)
{
	struct wf_pool_record *record;
	_cleanup_free_ char *owner = strdup(wf_pool_elsewhere(pool, offset));

	record = owner ? make_record(pool, offset) : NULL;
	if (!record)
		return -ENOMEM;
	/* it is counted as taken already */
	record->owner = TAKE_PTR(owner);
	return 0;
}

/* Puts a name into a record's owner or holder, making the record if need be. */
static int put_name(struct wf_pool *pool, uint64_t offset, const char *name, bool as_owner,
		    struct wf_err *err)
{
	struct wf_pool_record *record = wf_pool_find(pool, offset);
	_cleanup_free_ char *copy = strdup(name);
	bool known = record != NULL;

	if (copy && !record)
		record = make_record(pool, offset);
	if (!copy || !record)
		return wf_fail(err, -ENOMEM, "out of memory for an address of %s", name);
	if (known)
		count(pool, record, -1);
	if (as_owner) {
		stop_cooling(pool, record);
		record->owner = TAKE_PTR(copy);
	} else {
		record->holder = TAKE_PTR(copy);
	}
	count(pool, record, 1);
	return 0;
}

int wf_pool_take(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
		 uint64_t now_ms, struct wf_err *err)
{
	uint64_t offset = WF_POOL_NOWHERE;
	int r = check_usable(pool, addr, &offset, err);

	if (r < 0)
		return r;
	wf_pool_expire(pool, now_ms);
	r = check_others(pool, offset, owner, false, err);
	return r < 0 ? r : put_name(pool, offset, owner, true, err);
}

void wf_pool_ask(struct wf_pool *pool, wf_pool_ask_fn ask, void *context)
{
	pool->ask = ask;
	pool->ask_context = context;
}

int wf_pool_take_elsewhere(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
			   uint64_t now_ms, struct wf_err *err)
{
	uint64_t offset = WF_POOL_NOWHERE;
	struct wf_pool_record *record;
	int r = check_usable(pool, addr, &offset, err);

	if (r < 0)
		return r;
	wf_pool_expire(pool, now_ms);
	r = check_others(pool, offset, owner, false, err);
	if (r < 0)
		return r;
	record = wf_bitmap_next_set(&pool->busy, offset) == offset ? wf_pool_find(pool, offset)
								   : NULL;
	if (record && record->holder)
		return put_name(pool, offset, owner, true, err);
	if (record) {
		count(pool, record, -1);
		stop_cooling(pool, record);
		settle(pool, record);
	}
	if (wf_bitmap_set(&pool->busy, offset) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for an address of %s", owner);
	count_elsewhere(pool, offset, 1);
	return 0;
}

/* 1: the record that it has now is to cool down. Without memory there is no cool-down. */
static int release_elsewhere(struct wf_pool *pool, uint64_t offset, const char *owner, bool cool)
{
	if (strcmp(wf_pool_elsewhere(pool, offset), owner) != 0)
		return -ENOENT;
	if (cool && pool->cool_down_ms && make_known(pool, offset) == 0)
		return 1;
	count_elsewhere(pool, offset, -1);
	wf_bitmap_clear(&pool->busy, offset);
	return 0;
}

int wf_pool_release(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
		    uint64_t now_ms, bool cool)
{
	uint64_t offset = wf_pool_offset(pool, addr);
	struct wf_pool_record *record;

	if (wf_pool_is_elsewhere(pool, offset)) {
		int r = release_elsewhere(pool, offset, owner, cool);

		if (r <= 0)
			return r;
	}
	record = wf_pool_find(pool, offset);
	if (!record || !record->owner || strcmp(record->owner, owner) != 0)
		return -ENOENT;
	count(pool, record, -1);
	free(TAKE_PTR(record->owner));
	if (cool && pool->cool_down_ms) {
		if (now_ms > pool->newest_release_ms)
			pool->newest_release_ms = now_ms;
		record->released_ms = pool->newest_release_ms;
		record->is_cooling = true;
		DL_APPEND(pool->cooling, record);
	}
	settle(pool, record);
	return 0;
}

int wf_pool_reserve(struct wf_pool *pool, const struct wf_addr *addr, const char *holder,
		    struct wf_err *err)
{
	const struct wf_pool_record *record;
	uint64_t offset = WF_POOL_NOWHERE;
	int r = check_usable(pool, addr, &offset, err);

	if (r < 0)
		return r;
	record = wf_pool_find(pool, offset);
	r = check_others(pool, offset, holder, true, err);
	if (r < 0 || (record && record->holder))
		return r;
	if (!record && wf_pool_is_elsewhere(pool, offset) && make_known(pool, offset) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for an address of %s", holder);
	return put_name(pool, offset, holder, false, err);
}

int wf_pool_unreserve(struct wf_pool *pool, const struct wf_addr *addr, const char *holder)
{
	struct wf_pool_record *record = wf_pool_find(pool, wf_pool_offset(pool, addr));

	if (!record || !record->holder || strcmp(record->holder, holder) != 0)
		return -ENOENT;
	count(pool, record, -1);
	free(TAKE_PTR(record->holder));
	settle(pool, record);
	return 0;
}

int wf_pool_update(struct wf_pool *pool, const struct wf_subnet *subnet, uint64_t cool_down_ms)
{
	struct wf_prefix prefix = wf_prefix_network(&subnet->prefix);
	struct wf_pool bounds = { .prefix = pool->prefix };
	struct wf_intervals given = { 0 };
	const struct wf_pool_record *record;

	if (!wf_prefix_equal(&prefix, &pool->prefix))
		return -EINVAL;
	wf_pool_set_bounds(&bounds, subnet);
	record = wf_pool_find(pool, bounds.gateway);
	if ((record && (record->owner || record->holder)) ||
	    wf_pool_is_elsewhere(pool, bounds.gateway))
		return -EADDRINUSE;
	if (wf_pool_make_given(&bounds, subnet, &given) < 0)
		return -ENOMEM;
	wf_intervals_done(&pool->given);
	pool->given = given;
	pool->given_size = wf_intervals_size(&given);
	pool->gateway = bounds.gateway;
	pool->cool_down_ms = cool_down_ms;
	pool->automatic = (struct wf_pool_counts){ 0 };
	wf_pool_tally_given(pool);
	return 0;
}

const struct wf_prefix *wf_pool_prefix(const struct wf_pool *pool)
{
	return &pool->prefix;
}
