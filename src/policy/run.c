/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static uint32_t start_of(const struct wf_policy_rule_value *item)
{
	return item->at & WF_POLICY_AT_START;
}

static enum wf_policy_verdict verdict_of(const struct wf_policy_rule_value *item)
{
	return (enum wf_policy_verdict)(item->at >> WF_POLICY_AT_VERDICT);
}

void wf_canvas_done(struct wf_canvas *canvas)
{
	free(canvas->items);
	memset(canvas, 0, sizeof(*canvas));
}

static int reserve(struct wf_canvas *canvas, size_t count)
{
	while (canvas->capacity < count) {
		int r = wf_mem_grow(&canvas->items, sizeof(*canvas->items), canvas->capacity,
				    &canvas->capacity);

		if (r < 0)
			return r;
	}
	return 0;
}

int wf_canvas_fill(struct wf_canvas *canvas, enum wf_policy_verdict verdict, uint32_t rule)
{
	if (reserve(canvas, 1) < 0)
		return -ENOMEM;
	canvas->items[0] =
		(struct wf_policy_rule_value){ .at = WF_POLICY_AT(verdict, 0, 0), .rule = rule };
	canvas->count = 1;
	return 0;
}

/* Index of the item that is good for a point. */
static size_t find(const struct wf_policy_rule_value *items, size_t count, uint32_t point)
{
	size_t low = 0, high = count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (start_of(&items[middle]) <= point)
			low = middle;
		else
			high = middle;
	}
	return low;
}

const struct wf_policy_rule_value *wf_rules_at(const struct wf_policy_rule_value *rules,
					       size_t count, uint32_t point)
{
	return &rules[find(rules, count, point)];
}

int wf_canvas_paint(struct wf_canvas *canvas, const struct wf_span *span,
		    enum wf_policy_verdict verdict, uint32_t rule)
{
	struct wf_policy_rule_value behind;
	size_t at, last, rest;
	bool has_behind;

	if (reserve(canvas, canvas->count + 2) < 0)
		return -ENOMEM;
	at = find(canvas->items, canvas->count, span->first);
	last = find(canvas->items, canvas->count, span->last);
	behind = canvas->items[last];
	has_behind =
		span->last < WF_POINT_LAST &&
		(last + 1 == canvas->count || start_of(&canvas->items[last + 1]) != span->last + 1);
	if (start_of(&canvas->items[at]) < span->first)
		at++;
	rest = canvas->count - (last + 1);
	memmove(&canvas->items[at + 1 + has_behind], &canvas->items[last + 1],
		rest * sizeof(*canvas->items));
	canvas->items[at] = (struct wf_policy_rule_value){
		.at = (uint32_t)verdict << WF_POLICY_AT_VERDICT | span->first,
		.rule = rule,
	};
	if (has_behind) {
		behind.at = (behind.at & ~WF_POLICY_AT_START) | (span->last + 1);
		canvas->items[at + 1] = behind;
	}
	canvas->count = at + 1 + has_behind + rest;
	return 0;
}

int wf_canvas_copy(struct wf_canvas *canvas, const struct wf_canvas *from)
{
	if (reserve(canvas, from->count) < 0)
		return -ENOMEM;
	if (from->count)
		memcpy(canvas->items, from->items, from->count * sizeof(*from->items));
	canvas->count = from->count;
	return 0;
}

/* Last point that item i is good for. */
static uint32_t end_of(const struct wf_canvas *canvas, size_t i)
{
	return i + 1 < canvas->count ? start_of(&canvas->items[i + 1]) - 1 : WF_POINT_LAST;
}

int wf_canvas_copy_span(struct wf_canvas *canvas, const struct wf_canvas *from,
			const struct wf_span *span)
{
	for (size_t i = find(from->items, from->count, span->first);
	     i < from->count && start_of(&from->items[i]) <= span->last; i++) {
		const struct wf_policy_rule_value *item = &from->items[i];
		struct wf_span part = { start_of(item), end_of(from, i) };

		if (part.first < span->first)
			part.first = span->first;
		if (part.last > span->last)
			part.last = span->last;
		if (wf_canvas_paint(canvas, &part, verdict_of(item), item->rule) < 0)
			return -ENOMEM;
	}
	return 0;
}

int wf_canvas_try(struct wf_canvas *canvas, const struct wf_canvas *without)
{
	_cleanup_(wf_canvas_done) struct wf_canvas all = { 0 };

	if (wf_canvas_copy(&all, canvas) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < all.count; i++) {
		struct wf_span span = { start_of(&all.items[i]), end_of(&all, i) };

		if (verdict_of(&all.items[i]) != WF_POLICY_DENY)
			continue;
		if (wf_canvas_paint(canvas, &span, WF_POLICY_AUDIT, all.items[i].rule) < 0)
			return -ENOMEM;
		for (size_t j = find(without->items, without->count, span.first);
		     j < without->count && start_of(&without->items[j]) <= span.last; j++) {
			const struct wf_policy_rule_value *item = &without->items[j];
			struct wf_span part = { start_of(item), end_of(without, j) };

			if (verdict_of(item) != WF_POLICY_DENY)
				continue;
			part.first = part.first < span.first ? span.first : part.first;
			part.last = part.last > span.last ? span.last : part.last;
			if (wf_canvas_paint(canvas, &part, WF_POLICY_DENY, item->rule) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

void wf_canvas_audit(struct wf_canvas *canvas)
{
	for (size_t i = 0; i < canvas->count; i++)
		if (verdict_of(&canvas->items[i]) == WF_POLICY_DENY)
			canvas->items[i].at |= (uint32_t)WF_POLICY_AUDIT << WF_POLICY_AT_VERDICT;
}

void wf_canvas_join(struct wf_canvas *canvas)
{
	size_t kept = 0;

	for (size_t i = 1; i < canvas->count; i++) {
		const struct wf_policy_rule_value *item = &canvas->items[i];

		if (verdict_of(item) == verdict_of(&canvas->items[kept]) &&
		    item->rule == canvas->items[kept].rule)
			continue;
		canvas->items[++kept] = *item;
	}
	if (canvas->count)
		canvas->count = kept + 1;
}

static int reach(const struct wf_runs *runs, uint32_t count)
{
	const struct wf_rule_memory *memory = &runs->memory;

	return memory->reach && memory->reach(count, memory->context) < 0 ? -ENOMEM : 0;
}

/* Places that are not all zero. */
static int adopt(struct wf_runs *runs)
{
	uint32_t used = 0;

	if (reach(runs, runs->rule_count) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < runs->rule_count; i++) {
		if (!runs->rules[i].at && !runs->rules[i].rule)
			continue;
		used = i + 1;
		if (wf_space_take_at(&runs->space, i, 1) == 0)
			wf_bits_set(&runs->adopted, i);
	}
	if (runs->memory.trim)
		runs->memory.trim(used, runs->memory.context);
	return 0;
}

int wf_runs_init(struct wf_runs *runs, const struct wf_rule_memory *memory)
{
	memset(runs, 0, sizeof(*runs));
	runs->memory = *memory;
	runs->rules = memory->rules;
	runs->rule_count = memory->count;
	if (wf_space_init(&runs->space, memory->count) < 0 ||
	    wf_bits_init(&runs->adopted, memory->count) < 0 || adopt(runs) < 0) {
		wf_space_done(&runs->space);
		wf_bits_done(&runs->adopted);
		return -ENOMEM;
	}
	return 0;
}

void wf_runs_done(struct wf_runs *runs)
{
	struct wf_run *run, *next;

	HASH_ITER(hh, runs->by_content, run, next) {
		HASH_DEL(runs->by_content, run);
		free(run);
	}
	wf_space_done(&runs->space);
	wf_bits_done(&runs->adopted);
	memset(runs, 0, sizeof(*runs));
}

void wf_runs_release(struct wf_runs *runs)
{
	uint32_t i;

	while ((i = wf_bits_next(&runs->adopted, 0)) != WF_BITS_NONE) {
		wf_bits_clear(&runs->adopted, i);
		memset(&runs->rules[i], 0, sizeof(runs->rules[i]));
		wf_space_give(&runs->space, i, 1);
	}
}

int wf_runs_get(struct wf_runs *runs, struct wf_canvas *canvas, struct wf_run **ret_run,
		struct wf_err *err)
{
	size_t size;
	struct wf_run *run;
	uint32_t first;

	wf_canvas_join(canvas);
	size = canvas->count * sizeof(*canvas->items);
	HASH_FIND(hh, runs->by_content, canvas->items, size, run);
	if (run) {
		run->refs++;
		*ret_run = run;
		return 0;
	}
	if (canvas->count > runs->rule_count ||
	    wf_space_take(&runs->space, (uint32_t)canvas->count, &first) < 0)
		return wf_fail(err, -ENOSPC,
			       "the table of policy rules is full (%u of %u in use, %zu wanted)",
			       runs->space.used, runs->rule_count, canvas->count);
	run = reach(runs, first + (uint32_t)canvas->count) < 0 ? NULL : calloc(1, sizeof(*run));
	if (run) {
		memcpy(&runs->rules[first], canvas->items, size);
		run->place = (struct wf_policy_run){ first, (uint32_t)canvas->count };
		run->refs = 1;
		HASH_ADD_KEYPTR(hh, runs->by_content, &runs->rules[first], size, run);
		if (run->hh.tbl) {
			*ret_run = run;
			return 0;
		}
		memset(&runs->rules[first], 0, size);
		free(run);
	}
	wf_space_give(&runs->space, first, (uint32_t)canvas->count);
	return wf_fail(err, -ENOMEM, "out of memory");
}

void wf_run_unref(struct wf_runs *runs, struct wf_run *run)
{
	if (!run || --run->refs)
		return;
	HASH_DEL(runs->by_content, run);
	/* what is all zero is free: so the next daemon tells it */
	memset(&runs->rules[run->place.first], 0, run->place.count * sizeof(*runs->rules));
	wf_space_give(&runs->space, run->place.first, run->place.count);
	free(run);
}
