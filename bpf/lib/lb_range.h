/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Published ports: the run that holds an address and port, by a binary search over the sorted
 * entries in force (abi/lb.h). A thousand ports of one run cost what one costs.
 */
#ifndef WEFT_BPF_LB_RANGE_H
#define WEFT_BPF_LB_RANGE_H

#include <weft/abi/lb.h>

#include "packet.h"

/* wf_config_value.ranges */
#define WF_RANGES_SECOND 0x80000000
#define WF_RANGES_COUNT  0x7fffffff

/* Whether the run sorts behind (protocol, address, port). */
static __always_inline int wf_range_is_behind(const struct wf_range_value *range,
					      const struct wf_addr *addr, __u32 port, __u32 proto)
{
	__u64 a, b;

	if (range->proto != proto)
		return range->proto > proto;
	a = bpf_be64_to_cpu(range->addr.halves[0]);
	b = bpf_be64_to_cpu(addr->halves[0]);
	if (a != b)
		return a > b;
	a = bpf_be64_to_cpu(range->addr.halves[1]);
	b = bpf_be64_to_cpu(addr->halves[1]);
	if (a != b)
		return a > b;
	return range->first > port;
}

/* The last of `count` entries from `base` that does not sort behind; the first if all do. */
static __always_inline __u32 wf_range_search(__u32 base, __u32 count, const struct wf_addr *addr,
					     __u32 port, __u32 proto)
{
	__u32 at = 0;

	WF_NO_UNROLL
	for (__u32 step = WF_MAX_RANGES / 2; step; step /= 2) {
		struct wf_range_value *range;

		if (at + step >= count)
			continue;
		range = wf_map_range(base + at + step);
		if (range && !wf_range_is_behind(range, addr, port, proto))
			at += step;
	}
	return at;
}

/* The run with exactly that host address which holds the port; 1 found, 0 not. */
WF_GLOBAL int wf_range_find(const struct wf_addr *addr, __be16 port_be, __u8 proto,
			    struct wf_range_value *ret_range)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_range_value *range;
	__u32 word, base, port = bpf_ntohs(port_be);

	if (!config || !addr || !ret_range)
		return 0;
	word = wf_read32(&config->ranges);
	if (!(word & WF_RANGES_COUNT))
		return 0;
	base = word & WF_RANGES_SECOND ? WF_MAX_RANGES : 0;
	range = wf_map_range(base +
			     wf_range_search(base, word & WF_RANGES_COUNT, addr, port, proto));
	if (!range || range->proto != proto || !wf_addr_same(&range->addr, addr) ||
	    port < range->first || port > range->last)
		return 0;
	*ret_range = *range;
	return 1;
}

#endif
