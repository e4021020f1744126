/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * VXLAN endpoints that are no nodes: switches, other hosts. A route of a network says which prefix is
 * behind one. What is sent there always takes the overlay's device; what comes from there is taken
 * only as far as a route would lead back.
 */
#ifndef WEFT_BPF_VTEP_H
#define WEFT_BPF_VTEP_H

#include "endpoint.h"
#include "finish.h"
#include "tunnel.h"

/* Sends to the endpoint of a route that was found; judged already. Action or -reason. */
WF_GLOBAL int wf_to_vtep(struct wf_ctx *ctx, __u32 from, const struct wf_vtep_value *vtep)
{
	struct wf_addr addr;

	if (!vtep)
		return -WF_REASON_INTERNAL_ERROR;
	addr = vtep->addr;
	if (wf_ctx_store(ctx, 0, vtep->mac, ETH_ALEN) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	wf_traffic_count(from, WF_SLOT_NOBODY, wf_ctx_len(ctx));
	return wf_to_device(ctx, vtep->vni, &addr);
}

#endif
