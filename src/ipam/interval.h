/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of 64-bit numbers kept as sorted, disjoint, non-adjacent runs: what of a subnet may be
 * given out. Used by the pool; knows nothing of addresses.
 */
#ifndef WEFT_IPAM_INTERVAL_H
#define WEFT_IPAM_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WF_INTERVAL_NONE UINT64_MAX

struct wf_interval {
	uint64_t first;
	uint64_t last; /* inclusive */
};

struct wf_intervals {
	struct wf_interval *items; /* owned */
	size_t count;
	size_t capacity;
};

void wf_intervals_done(struct wf_intervals *set);

/*
 * Adds, or takes out, a run of numbers (first <= last < WF_INTERVAL_NONE). O(count). Adding may
 * find no memory, taking out too (a run may fall apart in two): -ENOMEM, set unchanged.
 */
int wf_intervals_add(struct wf_intervals *set, uint64_t first, uint64_t last);
int wf_intervals_remove(struct wf_intervals *set, uint64_t first, uint64_t last);

/* The smallest member that is not below from, WF_INTERVAL_NONE when none. O(log count). */
uint64_t wf_intervals_next(const struct wf_intervals *set, uint64_t from);
bool wf_intervals_contain(const struct wf_intervals *set, uint64_t number);

/* How many numbers. */
uint64_t wf_intervals_size(const struct wf_intervals *set);

#endif
