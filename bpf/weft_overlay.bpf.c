/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filter of the overlay's device, ingress: what other nodes send to containers of this one. */
#include "lib/from_overlay.h"

#include "lib/finish.h"

SEC("tc")
int weft_from_overlay(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = WF_SLOT_HOST, .hook = WF_HOOK_FROM_OVERLAY };
	int r = wf_from_overlay(skb);

	if (r == WF_NEXT(WF_STAGE_POLICY)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_POLICY);
		r = -WF_REASON_INTERNAL_ERROR;
	}
	if (work)
		subject.answer = wf_judge_reason(work, r);
	return wf_finish_told(skb, &subject, r, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
