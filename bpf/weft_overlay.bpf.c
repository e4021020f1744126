/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filters of the overlay's device and of WireGuard's, ingress: what other nodes send. */
#include "lib/from_tunnel.h"

#include "end.h"

SEC("tc")
int weft_from_overlay(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = WF_SLOT_HOST, .hook = WF_HOOK_FROM_OVERLAY };

	return wf_end(skb, work, &subject, wf_from_overlay(skb),
		      WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}

/* A container's packet goes to the container; one with outer headers to the overlay's device. */
SEC("tc")
int weft_from_tunnel(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = WF_SLOT_HOST, .hook = WF_HOOK_FROM_OVERLAY };
	int decision = wf_from_tunnel(skb);

	if (decision == WF_GO_ON)
		return TC_ACT_OK;
	return wf_end(skb, work, &subject, decision, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
