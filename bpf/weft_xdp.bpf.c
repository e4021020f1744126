/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The program of XDP on the devices that lead outside. Drops nothing but what it spoiled itself. */
#include "lib/xdp_lb.h"

SEC("xdp")
int weft_xdp(struct xdp_md *ctx)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_XDP);

	return work ? wf_xdp(ctx, work) : XDP_PASS;
}
