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

static __always_inline int wf_age_ip4(struct wf_ctx *ctx, struct wf_ip *ip)
{
	__u32 offset = ip->l3 + WF_IP4_TTL_OFFSET;
	struct wf_age_ip4 header;
	__u16 from, to;

	if (wf_ctx_load_fast(ctx, offset, &header, sizeof(header)) < 0 || header.ttl <= 1)
		return -1;
	/* the protocol beside it makes the 16 bits that are summed up */
	__builtin_memcpy(&from, &header, sizeof(from));
	header.ttl--;
	__builtin_memcpy(&to, &header, sizeof(to));
	header.check = wf_csum_apply(header.check, wf_csum_change(from, to));
	if (wf_ctx_store_fast(ctx, offset, &header, sizeof(header)) < 0)
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

#endif
