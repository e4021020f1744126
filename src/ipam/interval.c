/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/interval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void wf_intervals_done(struct wf_intervals *set)
{
	free(set->items);
	*set = (struct wf_intervals){ 0 };
}

/* Index of the first run that ends at or after a number. */
static size_t find(const struct wf_intervals *set, uint64_t number)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (set->items[middle].last < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Replaces the runs [from, to) by one, or by none. The room for one more is there. */
static void replace(struct wf_intervals *set, size_t from, size_t to, const struct wf_interval *run)
{
	size_t added = run ? 1 : 0;

	memmove(set->items + from + added, set->items + to,
		(set->count - to) * sizeof(*set->items));
	set->count = set->count - (to - from) + added;
	if (run)
		set->items[from] = *run;
}

int wf_intervals_add(struct wf_intervals *set, uint64_t first, uint64_t last)
{
	struct wf_interval run = { first, last };
	size_t from, to;

	if (wf_mem_grow(&set->items, sizeof(*set->items), set->count, &set->capacity) < 0)
		return -ENOMEM;
	/* neighbours that touch are joined */
	from = to = find(set, first ? first - 1 : 0);
	while (to < set->count && set->items[to].first <= last + 1) {
		if (set->items[to].first < run.first)
			run.first = set->items[to].first;
		if (set->items[to].last > run.last)
			run.last = set->items[to].last;
		to++;
	}
	replace(set, from, to, &run);
	return 0;
}

int wf_intervals_remove(struct wf_intervals *set, uint64_t first, uint64_t last)
{
	size_t from = find(set, first), to;

	if (wf_mem_grow(&set->items, sizeof(*set->items), set->count, &set->capacity) < 0)
		return -ENOMEM;
	if (from < set->count && set->items[from].first < first) {
		struct wf_interval head = { set->items[from].first, first - 1 };

		if (set->items[from].last > last) {
			/* the run falls apart in two */
			set->items[from].first = last + 1;
			replace(set, from, from, &head);
			return 0;
		}
		set->items[from++] = head;
	}
	for (to = from; to < set->count && set->items[to].last <= last; to++)
		;
	if (to < set->count && set->items[to].first <= last)
		set->items[to].first = last + 1;
	replace(set, from, to, NULL);
	return 0;
}

uint64_t wf_intervals_next(const struct wf_intervals *set, uint64_t from)
{
	size_t i = find(set, from);

	if (i == set->count)
		return WF_INTERVAL_NONE;
	return set->items[i].first > from ? set->items[i].first : from;
}

bool wf_intervals_contain(const struct wf_intervals *set, uint64_t number)
{
	return wf_intervals_next(set, number) == number && number != WF_INTERVAL_NONE;
}

uint64_t wf_intervals_size(const struct wf_intervals *set)
{
	uint64_t size = 0;

	for (size_t i = 0; i < set->count; i++)
		size += set->items[i].last - set->items[i].first + 1;
	return size;
}
