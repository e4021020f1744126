/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filter of the overlay's device, ingress: what other nodes send to containers of this one. */
#include "lib/from_overlay.h"

#include "end.h"

SEC("tc")
int weft_from_overlay(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = WF_SLOT_HOST, .hook = WF_HOOK_FROM_OVERLAY };

	return wf_end(skb, work, &subject, wf_from_overlay(skb),
		      WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
