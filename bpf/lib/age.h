/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a router does to a packet that weft sends on past the host's stack: it ages. */
#ifndef WEFT_BPF_AGE_H
#define WEFT_BPF_AGE_H

#include "csum.h"
#include "packet.h"

#define WF_IP4_TTL_OFFSET __builtin_offsetof(struct iphdr, ttl)
#define WF_IP6_TTL_OFFSET __builtin_offsetof(struct ipv6hdr, hop_limit)

/* What stands behind one another in the header of IPv4. */
struct wf_age_ip4 {
	__u8 ttl;
	__u8 proto;
	__u16 check;
};

/* Counts down in the bytes of a header; 0, or -1 when the time is over. */
static __always_inline int wf_age_step(struct wf_age_ip4 *header)
{
	__u16 from, to;

	if (header->ttl <= 1)
		return -1;
	/* the protocol beside it makes the 16 bits that are summed up */
	__builtin_memcpy(&from, header, sizeof(from));
	header->ttl--;
	__builtin_memcpy(&to, header, sizeof(to));
	header->check = wf_csum_apply(header->check, wf_csum_change(from, to));
	return 0;
}

static __always_inline int wf_age_ip4(struct wf_ctx *ctx, struct wf_ip *ip)
{
	__u32 offset = ip->l3 + WF_IP4_TTL_OFFSET;
	struct wf_age_ip4 header;

	if (wf_ctx_load_fast(ctx, offset, &header, sizeof(header)) < 0 ||
	    wf_age_step(&header) < 0 || wf_ctx_store_fast(ctx, offset, &header, sizeof(header)) < 0)
		return -1;
	ip->check = header.check;
	return 0;
}

/* Counts down the time to live; 0, or -1 when it is over or cannot be written. */
static __always_inline int wf_age(struct wf_ctx *ctx, struct wf_ip *ip)
{
	__u8 hops;

	if (ip->version == 4)
		return wf_age_ip4(ctx, ip);
	if (wf_ctx_load(ctx, ip->l3 + WF_IP6_TTL_OFFSET, &hops, sizeof(hops)) < 0 || hops <= 1)
		return -1;
	hops--;
	return wf_ctx_store(ctx, ip->l3 + WF_IP6_TTL_OFFSET, &hops, sizeof(hops));
}

/* The start of a frame of IPv4, up to the last byte that a router changes, and one word's rest. */
struct wf_age_frame4 {
	__u8 macs[2 * ETH_ALEN];
	__be16 type;
	__u8 before[WF_IP4_TTL_OFFSET];
	struct wf_age_ip4 age;
	__u8 rest[2];
} __attribute__((aligned(4)));

struct wf_age_frame6 {
	__u8 macs[2 * ETH_ALEN];
	__be16 type;
	__u8 before[WF_IP6_TTL_OFFSET];
	__u8 hops;
	__u8 rest[2];
} __attribute__((aligned(4)));

/*
 * The same, and gives the frame the two MACs, with one write for both. The packet lies behind an
 * Ethernet header. 0; -1: nothing was changed.
 */
static __always_inline int wf_age_frame(struct wf_ctx *ctx, const struct wf_ip *ip,
					const __u8 *macs)
{
	const __u32 skipped = 2 * ETH_ALEN;
	struct wf_age_frame4 ip4;
	struct wf_age_frame6 ip6;

	if (ip->version == 4) {
		if (wf_ctx_peek(ctx, skipped, &ip4.type, sizeof(ip4) - skipped) < 0 ||
		    wf_age_step(&ip4.age) < 0)
			return -1;
		wf_copy(ip4.macs, macs, sizeof(ip4.macs));
		return wf_ctx_store_fast(ctx, 0, &ip4,
					 __builtin_offsetof(struct wf_age_frame4, rest));
	}
	if (wf_ctx_peek(ctx, skipped, &ip6.type, sizeof(ip6) - skipped) < 0 || ip6.hops <= 1)
		return -1;
	ip6.hops--;
	wf_copy(ip6.macs, macs, sizeof(ip6.macs));
	return wf_ctx_store_fast(ctx, 0, &ip6, __builtin_offsetof(struct wf_age_frame6, rest));
}

#endif
