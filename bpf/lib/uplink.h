/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's devices that lead outside: what both directions share. Most of what passes there is
 * no business of weft's and goes on untouched, as early as it can be told (from_uplink.h,
 * to_uplink.h).
 */
#ifndef WEFT_BPF_UPLINK_H
#define WEFT_BPF_UPLINK_H

#include "deliver.h"
#include "judge_nat.h"
#include "translate.h"

/* The uplink's own address of the packet's family. */
static __always_inline const struct wf_addr *wf_uplink_addr(const struct wf_uplink_value *uplink,
							    const struct wf_ip *ip)
{
	return ip->version == 4 ? &uplink->ip4 : &uplink->ip6;
}

/* Takes the headers of a frame of the uplink: 0 or -reason; what has one is not weft's. */
static __always_inline int wf_uplink_parse(struct wf_ctx *ctx, const struct wf_uplink_value *uplink,
					   struct wf_ip *ip)
{
	return uplink->l2_bytes ? wf_work_parse_here(ctx, ETH_HLEN, ip) : wf_work_parse(ctx, 0, ip);
}

/* Leaves what the host itself receives or sends to the judge, if policies are about the host. */
static __always_inline int wf_uplink_firewall(struct wf_ctx *ctx, __u32 from, __u32 how)
{
	if (!(wf_host_flags() & WF_EP_GUARDED) && !wf_is_traced(ctx))
		return WF_GO_ON;
	return wf_guard_call(ctx, from, WF_SLOT_HOST, how);
}

#define WF_UPLINK_IN  WF_GUARD_HOW(WF_WAY_IN, WF_HOOK_FROM_UPLINK, 0)
#define WF_UPLINK_OUT WF_GUARD_HOW(WF_WAY_OUT, WF_HOOK_TO_UPLINK, 0)

#endif
