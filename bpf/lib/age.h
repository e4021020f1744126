/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a router does to a packet that weft sends on past the host's stack: it ages. */
#ifndef WEFT_BPF_AGE_H
#define WEFT_BPF_AGE_H

#include "csum.h"
#include "nat.h"
#include "packet.h"

#define WF_IP4_TTL_OFFSET __builtin_offsetof(struct iphdr, ttl)
#define WF_IP6_TTL_OFFSET __builtin_offsetof(struct ipv6hdr, hop_limit)

/* Counts down the time to live; 0, or -1 when it is over or cannot be written. */
static __always_inline int wf_age(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__u32 offset = ip->l3 + (ip->version == 4 ? WF_IP4_TTL_OFFSET : WF_IP6_TTL_OFFSET);
	__u8 before[2], after[2];
	__u16 from, to;

	/* the protocol beside it makes the 16 bits that IPv4's checksum is corrected for */
	if (wf_ctx_load(ctx, offset, before, sizeof(before)) < 0 || before[0] <= 1)
		return -1;
	after[0] = before[0] - 1;
	after[1] = before[1];
	if (wf_ctx_store(ctx, offset, after, 1) < 0)
		return -1;
	if (ip->version == 6)
		return 0;
	__builtin_memcpy(&from, before, sizeof(from));
	__builtin_memcpy(&to, after, sizeof(to));
	return wf_csum_l3(ctx, ip->l3 + WF_IP4_CHECK_OFFSET, from, to, sizeof(from));
}

#endif
