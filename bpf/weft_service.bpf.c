/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stages of the filter of WF_BLOCK_INGRESS for containers that talk to services or are talked to
 * through them.
 */
#include "lib/service.h"

static __always_inline int finish(struct __sk_buff *skb, int decision)
{
	const struct wf_subject subject = { .slot = wf_slot_of(skb),
					    .hook = WF_HOOK_FROM_CONTAINER };

	return wf_finish_told(skb, &subject, decision, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}

SEC("tc")
int weft_service(struct __sk_buff *skb)
{
	struct wf_work *work = wf_work_begin(wf_slot_of(skb), WF_HOOK_FROM_CONTAINER);

	return finish(skb, work ? wf_service(skb, work) : -WF_REASON_INTERNAL_ERROR);
}

SEC("tc")
int weft_reply(struct __sk_buff *skb)
{
	struct wf_work *work = wf_work_begin(wf_slot_of(skb), WF_HOOK_FROM_CONTAINER);
	int r = work ? wf_reply(skb, work) : -WF_REASON_INTERNAL_ERROR;

	if (r == WF_NEXT(WF_STAGE_SERVICE)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_SERVICE);
		r = -WF_REASON_INTERNAL_ERROR;
	}
	return finish(skb, r);
}
