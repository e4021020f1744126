/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published runs of ports: two generations in one array. The one that is not in force is written
 * by one call, then put in force by one write of wf_config; programs that began with the other
 * are done long before it is written again, which takes another request.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "dp/lb.h"

#define GENERATION  0x80000000U
#define COUNT(word) ((word) & ~GENERATION)
#define FIRST(word) ((word)&GENERATION ? (uint32_t)WF_MAX_RANGES : 0)

/* The order that programs search in. */
static int compare(const void *left, const void *right)
{
	const struct wf_range_value *a = left, *b = right;
	int r;

	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	r = wf_addr_compare(&a->addr, &b->addr);
	return r ? r : (a->first > b->first) - (a->first < b->first);
}

static int write_generation(struct wf_dp *dp, uint32_t word, const struct wf_range_value *ranges)
{
	_cleanup_free_ uint32_t *keys = calloc(COUNT(word) + 1, sizeof(*keys));
	uint32_t count = COUNT(word);

	if (!keys)
		return -ENOMEM;
	if (!count)
		return 0;
	for (uint32_t i = 0; i < count; i++)
		keys[i] = FIRST(word) + i;
	if (bpf_map_update_batch(dp->map_fds[WF_DP_MAP_RANGES], keys, ranges, &count, NULL) < 0)
		return -errno;
	return 0;
}

/* Puts a generation in force. */
static int flip(struct wf_dp *dp, uint32_t word)
{
	struct wf_config_value config = dp->config;
	uint32_t zero = 0;

	config.ranges = word;
	if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_CONFIG], &zero, &config, BPF_ANY) < 0)
		return -errno;
	dp->config = config;
	return 0;
}

int wf_dp_ranges_set(struct wf_dp *dp, const struct wf_range_value *ranges, size_t count,
		     uint32_t *ret_word, struct wf_err *err)
{
	uint32_t word = (dp->config.ranges & GENERATION) ^ GENERATION;
	_cleanup_free_ struct wf_range_value *sorted = NULL;
	int r;

	if (count > WF_MAX_RANGES)
		return wf_fail(err, -ENOSPC, "a node publishes at most %d runs of ports",
			       WF_MAX_RANGES);
	sorted = calloc(count + 1, sizeof(*sorted));
	if (!sorted)
		return wf_fail(err, -ENOMEM, "out of memory publishing ports");
	if (count) {
		memcpy(sorted, ranges, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare);
	}
	word |= (uint32_t)count;
	r = write_generation(dp, word, sorted);
	if (r == 0)
		r = flip(dp, word);
	if (r < 0)
		return wf_fail(err, r, "cannot write to wf_ranges: %s", strerror(-r));
	*ret_word = word;
	return 0;
}

int wf_dp_ranges_get(struct wf_dp *dp, struct wf_range_value *ret_ranges)
{
	uint32_t first = FIRST(dp->config.ranges), count = COUNT(dp->config.ranges);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t index = first + i;

		if (bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_RANGES], &index, &ret_ranges[i]) < 0)
			return -errno;
	}
	return (int)count;
}
