/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The start of an ordinary frame made anew: MACs, time to live, addresses and ports go with one write,
 * since each write takes as long as a look-up. What is not ordinary is changed piece by piece (age.h,
 * nat.h).
 */
#ifndef WEFT_BPF_FRAME_H
#define WEFT_BPF_FRAME_H

#include "age.h"
#include "nat.h"

/* wf_frame_turn(): the packet's time to live is over, nothing was changed. */
#define WF_FRAME_OVER 1

/* The two addresses at the front of a frame. */
struct wf_macs {
	__u8 dst[ETH_ALEN];
	__u8 src[ETH_ALEN];
};

/* A frame without options up to its ports. */
struct wf_frame4 {
	struct wf_macs macs;
	__be16 type;
	__u8 before[WF_IP4_TTL_OFFSET];
	struct wf_age_ip4 age;
	__be32 addrs[2];
	__be16 ports[2];
} __attribute__((packed, aligned(4)));

struct wf_frame6 {
	struct wf_macs macs;
	__be16 type;
	__u8 before[WF_IP6_TTL_OFFSET];
	__u8 hops;
	struct wf_addr addrs[2];
	__be16 ports[2];
} __attribute__((packed, aligned(4)));

_Static_assert(__builtin_offsetof(struct wf_frame4, ports) == WF_L4_PLAIN_IPV4, "wf_frame4");
_Static_assert(__builtin_offsetof(struct wf_frame6, ports) == WF_L4_PLAIN_IPV6, "wf_frame6");

/* Bytes of a frame that are written. */
#define WF_FRAME_BYTES(frame) (__builtin_offsetof(struct frame, ports) + 2 * sizeof(__be16))
/* Bytes of a frame that are taken as they are: from the MACs to the addresses, in words. */
#define WF_FRAME_KEPT(frame) \
	((__builtin_offsetof(struct frame, addrs) - sizeof(struct wf_macs) + 3) / 4 * 4)

/* Whether wf_frame_turn() can change the packet: TCP or UDP, whole, nothing between the headers. */
static __always_inline int wf_frame_is_plain(const struct wf_ip *ip, const struct wf_flow *flow)
{
	return ip->l4 == (ip->version == 4 ? WF_L4_PLAIN_IPV4 : WF_L4_PLAIN_IPV6) &&
	       !ip->fragment && !flow->error_ip &&
	       (ip->proto == IPPROTO_TCP || ip->proto == IPPROTO_UDP);
}

/* wf_frame_turn() of IPv4; *ret_diff is what the sum of both addresses changes by. */
static __always_inline int wf_frame_turn4(struct wf_ctx *ctx, const struct wf_tuple *from,
					  const struct wf_tuple *to, const struct wf_macs *macs,
					  __u32 hops, __u32 *ret_diff)
{
	struct wf_frame4 frame;

	if (wf_ctx_peek(ctx, sizeof(*macs), &frame.type, WF_FRAME_KEPT(wf_frame4)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	if (hops && wf_age_step(&frame.age) < 0)
		return WF_FRAME_OVER;
	*ret_diff = wf_nat_change_ip4(&from->src, &from->dst, to);
	wf_copy(&frame.macs, macs, sizeof(*macs));
	frame.age.check = wf_csum_apply(frame.age.check, *ret_diff);
	frame.addrs[0] = to->src.words[3];
	frame.addrs[1] = to->dst.words[3];
	frame.ports[0] = to->sport;
	frame.ports[1] = to->dport;
	return wf_ctx_store_fast(ctx, 0, &frame, WF_FRAME_BYTES(wf_frame4)) < 0
		       ? -WF_REASON_INTERNAL_ERROR
		       : 0;
}

/* The same of IPv6. */
static __always_inline int wf_frame_turn6(struct wf_ctx *ctx, const struct wf_tuple *from,
					  const struct wf_tuple *to, const struct wf_macs *macs,
					  __u32 hops, __u32 *ret_diff)
{
	struct wf_frame6 frame;

	if (wf_ctx_peek(ctx, sizeof(*macs), &frame.type, WF_FRAME_KEPT(wf_frame6)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	if (hops && frame.hops <= 1)
		return WF_FRAME_OVER;
	frame.hops -= hops;
	*ret_diff = wf_csum_diff((const __u32 *)from, (const __u32 *)to, WF_PAIR_WORDS);
	wf_copy(&frame.macs, macs, sizeof(*macs));
	frame.addrs[0] = to->src;
	frame.addrs[1] = to->dst;
	frame.ports[0] = to->sport;
	frame.ports[1] = to->dport;
	if (wf_ctx_store_fast(ctx, 0, &frame, WF_FRAME_BYTES(wf_frame6)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	/* not for the time to live: what a container sends has no such sum */
	wf_ctx_sum_changed(ctx, *ret_diff);
	return 0;
}

/*
 * Gives a plain frame the MACs and makes its packet look like `to`, as wf_nat_apply(); `hops`, 0 or 1,
 * are taken from its time to live. 0, WF_FRAME_OVER, or -reason, with which the packet must be dropped.
 * Packet pointers are void afterwards.
 */
WF_GLOBAL int wf_frame_turn(struct wf_ctx *ctx, const struct wf_flow *flow,
			    const struct wf_tuple *to, const struct wf_macs *macs, __u32 hops)
{
	__u32 addrs = 0, ports = 0;
	struct wf_sums sums;
	int r;

	if (!flow || !to || !macs || wf_nat_sums(4, flow->tuple.proto, &sums) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	r = flow->l4 == WF_L4_PLAIN_IPV4
		    ? wf_frame_turn4(ctx, &flow->tuple, to, macs, hops, &addrs)
		    : wf_frame_turn6(ctx, &flow->tuple, to, macs, hops, &addrs);
	if (r)
		return r;
	if (wf_nat_ports(&flow->tuple) != wf_nat_ports(to))
		ports = wf_csum_change(wf_nat_ports(&flow->tuple), wf_nat_ports(to));
	return wf_nat_check(ctx, flow->l4 + sums.offset, ports, addrs, sums.flags);
}

#endif
