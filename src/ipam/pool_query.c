/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a pool without changing it. */
#include "ipam/pool_priv.h"

#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/str.h"

uint64_t wf_pool_due_ms(const struct wf_pool *pool, const struct wf_pool_record *record)
{
	uint64_t due;

	return __builtin_add_overflow(record->released_ms, pool->cool_down_ms, &due) ? UINT64_MAX
										     : due;
}

enum wf_pool_state wf_pool_record_state(const struct wf_pool *pool,
					const struct wf_pool_record *record, uint64_t now_ms)
{
	if (record->owner)
		return WF_POOL_TAKEN;
	if (record->holder)
		return WF_POOL_RESERVED;
	if (record->is_cooling && wf_pool_due_ms(pool, record) > now_ms)
		return WF_POOL_COOLING;
	return WF_POOL_FREE;
}

void wf_pool_tally(struct wf_pool_counts *counts, const struct wf_pool_record *record, int sign)
{
	uint64_t one = sign > 0 ? 1 : UINT64_MAX;

	if (record->owner)
		counts->taken += one;
	else if (record->holder)
		counts->reserved += one;
	else
		counts->cooling += one;
}

bool wf_pool_is_elsewhere(const struct wf_pool *pool, uint64_t offset)
{
	return offset != WF_POOL_NOWHERE && wf_bitmap_next_set(&pool->busy, offset) == offset &&
	       !wf_pool_find(pool, offset);
}

const char *wf_pool_elsewhere(const struct wf_pool *pool, uint64_t offset)
{
	struct wf_addr addr = wf_pool_addr(pool, offset);
	const char *owner = pool->ask ? pool->ask(&addr, pool->ask_context) : NULL;

	return owner ? owner : "an endpoint elsewhere";
}

void wf_pool_tally_given(struct wf_pool *pool)
{
	uint64_t at = 0;

	while ((at = wf_bitmap_next_set(&pool->busy, at)) != WF_POOL_NOWHERE) {
		const struct wf_pool_record *record = wf_pool_find(pool, at);

		if (record && wf_intervals_contain(&pool->given, at))
			wf_pool_tally(&pool->automatic, record, 1);
		else if (wf_intervals_contain(&pool->given, at))
			pool->automatic.taken++;
		at++;
	}
}

struct wf_pool_fact wf_pool_explain(const struct wf_pool *pool, const struct wf_addr *addr,
				    uint64_t now_ms)
{
	struct wf_pool_fact fact = { .state = WF_POOL_OUTSIDE };
	uint64_t offset = wf_pool_offset(pool, addr);
	const struct wf_pool_record *record;

	if (!wf_prefix_contains(&pool->prefix, addr))
		return fact;
	if (wf_pool_is_elsewhere(pool, offset)) {
		fact.state = WF_POOL_TAKEN;
		fact.owner = wf_pool_elsewhere(pool, offset);
		return fact;
	}
	record = wf_pool_find(pool, offset);
	fact.state = record ? wf_pool_record_state(pool, record, now_ms) : WF_POOL_FREE;
	if (fact.state == WF_POOL_COOLING)
		fact.cool_until_ms = wf_pool_due_ms(pool, record);
	else if (fact.state != WF_POOL_FREE)
		fact.owner = record->owner ? record->owner : record->holder;
	else if (wf_pool_unusable(pool, offset))
		fact.state = WF_POOL_UNUSABLE;
	else if (!wf_intervals_contain(&pool->given, offset))
		fact.state = WF_POOL_EXCLUDED;
	return fact;
}

struct wf_pool_usage wf_pool_usage(const struct wf_pool *pool, uint64_t now_ms)
{
	struct wf_pool_counts all = pool->everywhere, automatic = pool->automatic;
	const struct wf_pool_record *record;

	/* those that are due but were not swept up yet; the list is in the order they get due in */
	DL_FOREACH(pool->cooling, record) {
		if (wf_pool_due_ms(pool, record) > now_ms)
			break;
		if (wf_pool_record_state(pool, record, now_ms) != WF_POOL_FREE)
			continue;
		wf_pool_tally(&all, record, -1);
		if (wf_intervals_contain(&pool->given, record->offset))
			wf_pool_tally(&automatic, record, -1);
	}
	return (struct wf_pool_usage){
		.total = pool->given_size,
		.taken = all.taken,
		.reserved = all.reserved,
		.cooling = all.cooling,
		.free = pool->given_size - automatic.taken - automatic.reserved - automatic.cooling,
	};
}

static bool visit_one(const struct wf_pool *pool, uint64_t offset, uint64_t now_ms,
		      wf_pool_visit_fn visit, void *context)
{
	struct wf_addr addr = wf_pool_addr(pool, offset);
	struct wf_pool_fact fact = wf_pool_explain(pool, &addr, now_ms);

	if (fact.state == WF_POOL_FREE || fact.state == WF_POOL_EXCLUDED)
		return true;
	return visit(&addr, &fact, context);
}

void wf_pool_visit(const struct wf_pool *pool, uint64_t now_ms, wf_pool_visit_fn visit,
		   void *context)
{
	/* the unusable ones have no record: they are merged in, in order */
	const uint64_t fixed[] = { 0, pool->gateway, pool->last };
	uint64_t at = wf_bitmap_next_set(&pool->busy, 0), from = 0;

	for (;;) {
		uint64_t next = at;

		for (size_t i = 0; i < WF_ARRAY_LEN(fixed); i++)
			if (fixed[i] >= from && fixed[i] < next)
				next = fixed[i];
		if (next == WF_POOL_NOWHERE || !visit_one(pool, next, now_ms, visit, context))
			return;
		from = next + 1;
		at = wf_bitmap_next_set(&pool->busy, from);
	}
}

/* What stands in the way of one choice. */
struct obstacles {
	struct wf_pool_counts counts;
	uint64_t size;        /* addresses of the choice */
	uint64_t next_due_ms; /* UINT64_MAX: none cools */
};

/* Looks at every address of a narrowed choice, all of them busy; only done to explain that. */
static struct obstacles survey_narrow(const struct wf_pool *pool, const struct wf_intervals *narrow)
{
	struct obstacles found = { .next_due_ms = UINT64_MAX };
	uint64_t at = 0;

	while ((at = wf_intervals_next(&pool->given, wf_intervals_next(narrow, at))) !=
	       WF_POOL_NOWHERE) {
		const struct wf_pool_record *record = wf_pool_find(pool, at);

		if (!wf_intervals_contain(narrow, at))
			continue;
		found.size++;
		if (record)
			wf_pool_tally(&found.counts, record, 1);
		else
			found.counts.taken++;
		if (record && !record->owner && !record->holder &&
		    wf_pool_due_ms(pool, record) < found.next_due_ms)
			found.next_due_ms = wf_pool_due_ms(pool, record);
		at++;
	}
	return found;
}

static struct obstacles survey_all(const struct wf_pool *pool)
{
	struct obstacles found = { pool->automatic, pool->given_size, UINT64_MAX };
	const struct wf_pool_record *record;

	if (!found.counts.cooling)
		return found;
	DL_FOREACH(pool->cooling, record) {
		if (record->owner || record->holder ||
		    !wf_intervals_contain(&pool->given, record->offset))
			continue;
		found.next_due_ms = wf_pool_due_ms(pool, record);
		break;
	}
	return found;
}

/* "10.64.0.0/24", or "10.64.0.10-10.64.0.20 of 10.64.0.0/24". */
static void add_place(struct wf_str *text, const struct wf_pool *pool,
		      const struct wf_intervals *narrow)
{
	char first[WF_ADDR_TEXT], last[WF_ADDR_TEXT];

	for (size_t i = 0; narrow && i < narrow->count; i++) {
		struct wf_addr from = wf_pool_addr(pool, narrow->items[i].first);
		struct wf_addr to = wf_pool_addr(pool, narrow->items[i].last);

		if (i == 3) {
			wf_str_add(text, " and more");
			break;
		}
		wf_str_addf(text, "%s%s-%s", i ? ", " : "", wf_addr_format(&from, first),
			    wf_addr_format(&to, last));
	}
	wf_str_addf(text, "%s%s",
		    !narrow              ? ""
		    : narrow->count == 0 ? "the ranges asked for (outside of it) of "
					 : " of ",
		    wf_prefix_format(&pool->prefix, first));
}

int wf_pool_fail_full(const struct wf_pool *pool, const struct wf_intervals *narrow,
		      uint64_t now_ms, struct wf_err *err)
{
	struct obstacles found = narrow ? survey_narrow(pool, narrow) : survey_all(pool);
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	add_place(&text, pool, narrow);
	if (found.size == 0)
		return wf_fail(err, -ENOSPC,
			       "no free address in %s: every address there is excluded, outside "
			       "the ranges, or not for endpoints",
			       wf_str_text(&text));
	wf_str_addf(&text, ": %llu in use, %llu reserved, %llu cooling down",
		    (unsigned long long)found.counts.taken,
		    (unsigned long long)found.counts.reserved,
		    (unsigned long long)found.counts.cooling);
	if (found.next_due_ms != UINT64_MAX)
		wf_str_addf(&text, " (next free in %llu s)",
			    (unsigned long long)((found.next_due_ms - now_ms + 999) / 1000));
	return wf_fail(err, -ENOSPC, "no free address in %s", wf_str_text(&text));
}
