/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Stage WF_STAGE_VIA: what containers send to a gateway of their network, and what gateways send on. */
#include "lib/via.h"

#include "end.h"

SEC("tc")
int weft_via(struct __sk_buff *skb)
{
	struct wf_work *work = wf_work_begin(wf_slot_of(skb), WF_HOOK_FROM_CONTAINER);
	struct wf_subject subject = { .hook = WF_HOOK_FROM_CONTAINER };

	/* the entry of an array: it is always there */
	if (!work)
		return TC_ACT_SHOT;
	subject.slot = work->slot;
	return wf_end(skb, work, &subject, wf_via(skb, work), WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
