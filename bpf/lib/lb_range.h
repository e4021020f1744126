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

/* More halvings than WF_MAX_RANGES allows. */
#define WF_RANGE_STEPS 32

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

/* A search for the last of `count` entries from `base` on that does not sort behind. */
struct wf_range_search {
	const struct wf_addr *addr;
	__u32 base;
	__u32 count;
	__u32 at; /* behind base; the first if all sort behind */
	__u16 port;
	__u8 proto;
	__u8 pad;
};

/* Step of wf_loop(): halves what is left. */
static long wf_range_step(__u32 i, void *data)
{
	struct wf_range_search *search = data;
	__u32 step = WF_MAX_RANGES / 2 >> i;
	struct wf_range_value *range;

	if (!step)
		return 1;
	if (search->at + step >= search->count)
		return 0;
	range = wf_map_range(search->base + search->at + step);
	if (range && !wf_range_is_behind(range, search->addr, search->port, search->proto))
		search->at += step;
	return 0;
}

/* The place, from 1 on, of the run with exactly that host address which holds the port; 0: none. */
WF_GLOBAL int wf_range_place(const struct wf_addr *addr, __be16 port_be, __u8 proto)
{
	struct wf_range_search search = { .port = bpf_ntohs(port_be), .proto = proto };
	struct wf_config_value *config = wf_map_config();
	struct wf_range_value *range;
	__u32 word;

	if (!config || !addr)
		return 0;
	word = wf_read32(&config->ranges);
	search.count = word & WF_RANGES_COUNT;
	if (!search.count)
		return 0;
	search.addr = addr;
	search.base = word & WF_RANGES_SECOND ? WF_MAX_RANGES : 0;
	wf_loop(WF_RANGE_STEPS, wf_range_step, &search);
	search.base += search.at;
	range = wf_map_range(search.base);
	if (!range || range->proto != proto || !wf_addr_same(&range->addr, addr) ||
	    search.port < range->first || search.port > range->last)
		return 0;
	return (int)search.base + 1;
}

/* That run; NULL: there is none. */
static __always_inline struct wf_range_value *wf_range_find(const struct wf_addr *addr,
							    __be16 port_be, __u8 proto)
{
	int place = wf_range_place(addr, port_be, proto);

	return place > 0 ? wf_map_range((__u32)place - 1) : NULL;
}

#endif
