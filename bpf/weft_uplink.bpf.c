/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filters of the devices that lead outside, one for each direction. */
#include "lib/from_uplink.h"
#include "lib/seal.h"
#include "lib/to_uplink.h"

#include "end.h"

/*
 * First packets are told where they are translated, or where one comes from another node; others
 * are not weft's.
 */
static __always_inline int finish(struct __sk_buff *skb, struct wf_work *work, __u32 hook,
				  int decision)
{
	struct wf_subject subject = { .slot = work ? work->slot : WF_SLOT_HOST, .hook = hook };
	__u32 observable = decision == WF_GO_ON ? 0 : WF_OBSERVE_DROPS | WF_OBSERVE_FIRST;
	int action = wf_end(skb, work, &subject, decision, observable);

	if (action == WF_GO_ON && hook == WF_HOOK_TO_UPLINK)
		action = wf_finish_for(skb, &subject, wf_seal_leave(skb), WF_OBSERVE_DROPS);
	return action == WF_GO_ON ? TC_ACT_UNSPEC : action;
}

SEC("tc")
int weft_from_uplink(struct __sk_buff *skb)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_FROM_UPLINK);
	int decision = wf_seal_enter(skb);

	if (work && decision == WF_GO_ON)
		decision = wf_from_uplink(skb, work);
	return finish(skb, work, WF_HOOK_FROM_UPLINK, decision);
}

SEC("tc")
int weft_to_uplink(struct __sk_buff *skb)
{
	__u32 mark = wf_ctx_mark(skb);
	struct wf_work *work;

	if (mark == WF_MARK_NEAR || mark == WF_MARK_TUNNEL) {
		wf_ctx_set_mark(skb, 0);
		return TC_ACT_UNSPEC;
	}
	work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_TO_UPLINK);
	return finish(skb, work, WF_HOOK_TO_UPLINK, work ? wf_to_uplink(skb, work) : WF_GO_ON);
}
