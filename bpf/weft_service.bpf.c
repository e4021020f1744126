/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stages of the filter of WF_BLOCK_INGRESS for those who talk to services, containers and the host,
 * and for containers that are talked to through them.
 */
#include "lib/host_service.h"
#include "lib/service.h"

#include "end.h"

static __always_inline int finish(struct __sk_buff *skb, struct wf_work *work, int decision)
{
	struct wf_subject subject = { .slot = work->slot, .hook = work->hook };

	if (decision == WF_NEXT(WF_STAGE_VIA)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_VIA);
		decision = -WF_REASON_INTERNAL_ERROR;
	}
	return wf_end(skb, work, &subject, decision, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}

SEC("tc")
int weft_service(struct __sk_buff *skb)
{
	__u32 slot = wf_slot_of(skb), is_host = slot == WF_SLOT_HOST;
	struct wf_work *work =
		wf_work_begin(slot, is_host ? WF_HOOK_FROM_HOST : WF_HOOK_FROM_CONTAINER);

	/* the entry of an array: it is always there */
	if (!work)
		return TC_ACT_SHOT;
	return finish(skb, work, is_host ? wf_host_service(skb, work) : wf_service(skb, work));
}

SEC("tc")
int weft_reply(struct __sk_buff *skb)
{
	struct wf_work *work = wf_work_begin(wf_slot_of(skb), WF_HOOK_FROM_CONTAINER);
	int r;

	if (!work)
		return TC_ACT_SHOT;
	r = wf_reply(skb, work);
	if (r == WF_NEXT(WF_STAGE_SERVICE)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_SERVICE);
		r = -WF_REASON_INTERNAL_ERROR;
	}
	return finish(skb, work, r);
}
