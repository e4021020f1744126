/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet that goes to a container of this host, of which the program has decided where the sender's
 * netkit device sent it (wf_redirect_peer()). The kernel delivers to a peer only what the host receives:
 * so the packet goes on to the sender's host-side device, marked with the index of the receiver's.
 *
 * The mark is weft's: what a container wrote there is gone once the packet has left its namespace. Of
 * weft0p, whose peer is in the same one, that is not true, and nothing is handed over there.
 */
#ifndef WEFT_BPF_HANDED_H
#define WEFT_BPF_HANDED_H

#include "packet.h"

/* The index of the receiver's host-side device; 0: the packet is still to be looked at. */
static __always_inline __u32 wf_handed_to(const struct wf_ctx *ctx)
{
	__u32 mark = wf_ctx_mark(ctx);

	return wf_unlikely(mark) && mark - WF_IFINDEX_BASE < WF_MAX_SLOTS && !wf_ctx_is_sent(ctx)
		       ? mark
		       : 0;
}

/* Delivers it; returns the action. */
static __always_inline int wf_handed_deliver(struct wf_ctx *ctx, __u32 ifindex)
{
	wf_ctx_set_mark(ctx, 0);
	return wf_redirect_peer(ctx, ifindex);
}

#endif
