/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How programs end that may have to ask policies: beside them, for only the kernel has tail calls. */
#ifndef WEFT_BPF_END_H
#define WEFT_BPF_END_H

#include "lib/finish.h"
#include "lib/judge_nat.h"

/*
 * Asks, or leaves a fragment to bpf/hold.h, if the decision says so; otherwise counts, tells and
 * returns the action. work may be NULL.
 */
static __always_inline int wf_end(struct __sk_buff *skb, struct wf_work *work,
				  struct wf_subject *subject, int decision, __u32 observable)
{
	if (wf_unlikely(decision == -WF_REASON_NAT_FRAGMENT) && work && work->flow.turn) {
		work->guard.way = WF_WAY_HOLD;
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_POLICY);
	}
	if (decision == WF_NEXT(WF_STAGE_POLICY)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_POLICY);
		decision = -WF_REASON_INTERNAL_ERROR;
	}
	if (decision == WF_NEXT(WF_STAGE_DOOR)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_DOOR);
		decision = -WF_REASON_INTERNAL_ERROR;
	}
	if (work)
		subject->answer = wf_judge_reason(work, decision);
	return wf_finish_told(skb, subject, decision, observable);
}

#endif
