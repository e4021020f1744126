/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What programs of tc and of XDP ask the host's routes and neighbours. Included by
 * bpf/kernel/port.h and bpf/xdp/port.h; nobody else does.
 */
#ifndef WEFT_BPF_FIB_H
#define WEFT_BPF_FIB_H

#include <linux/bpf.h>

#include "common.h"

/* Jiffies in a moment, as a power of two: 16 to 160 ms, by the kernel's HZ. */
#define WF_ROUTE_MOMENT 4

/* What is to be routed. */
struct wf_ask {
	__u32 ifindex; /* of the device that it came in by */
	__u32 proto;
	__u32 len; /* of its longest segment, from the IP header on; 0: as long as the frame is */
};

/* What routes are remembered for: changes with every moment. */
static __always_inline __u32 wf_route_moment(void)
{
	return bpf_jiffies64() >> WF_ROUTE_MOMENT;
}

/* Asks about a packet between two addresses, `pair`: BPF_FIB_LKUP_RET_*, or less than 0. */
static __always_inline long wf_fib_ask(void *ctx, const struct wf_addr *pair,
				       const struct wf_ask *ask, struct bpf_fib_lookup *ret_fib)
{
	ret_fib->ifindex = ask->ifindex;
	ret_fib->l4_protocol = ask->proto;
	ret_fib->tot_len = ask->len;
	if (pair[0].halves[0]) {
		ret_fib->family = WF_FAMILY_IPV6;
		__builtin_memcpy(ret_fib->ipv6_src, &pair[0], sizeof(ret_fib->ipv6_src));
		__builtin_memcpy(ret_fib->ipv6_dst, &pair[1], sizeof(ret_fib->ipv6_dst));
	} else {
		ret_fib->family = WF_FAMILY_IPV4;
		ret_fib->ipv4_src = pair[0].words[3];
		ret_fib->ipv4_dst = pair[1].words[3];
	}
	return bpf_fib_lookup(ctx, ret_fib, sizeof(*ret_fib), 0);
}

/* Device and MACs of an answer that knows the neighbour. */
static __always_inline void wf_fib_frame(const struct bpf_fib_lookup *fib,
					 struct wf_route_value *ret_route)
{
	ret_route->ifindex = fib->ifindex;
	wf_copy(ret_route->macs, fib->dmac, sizeof(fib->dmac));
	wf_copy(ret_route->macs + sizeof(fib->dmac), fib->smac, sizeof(fib->smac));
}

#endif
