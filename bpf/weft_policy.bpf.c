/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stage WF_STAGE_POLICY, reached from every hook: what policies are about and no CPU has judged a
 * moment ago. Ends the packet's way in weft as the program that called it would have.
 */
#include "lib/judge.h"

#include "lib/finish.h"

/* What was asked about ends here. */
static __always_inline int told(struct __sk_buff *skb, struct wf_subject *subject,
				const struct wf_work *work, int decision)
{
	if (decision < 0)
		return wf_finish_for(skb, subject, decision, WF_OBSERVE_DROPS);
	subject->way = wf_judge_way(work);
	subject->peer = work->guard.to;
	(void)wf_observe(skb, subject, 0, WF_EVENT_TRACE);
	return TC_ACT_SHOT;
}

SEC("tc")
int weft_policy(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = {};
	__u32 type = 0, observable;
	int r;

	if (!work)
		return TC_ACT_SHOT;
	subject.slot = work->slot;
	subject.hook = work->hook;
	subject.answer = &work->answer;
	r = wf_judge_stage(skb, work, &type);
	if (type == WF_EVENT_TRACE)
		return told(skb, &subject, work, r);
	if (type == WF_EVENT_AUDIT && wf_observes(WF_OBSERVE_DROPS))
		(void)wf_observe(skb, &subject, 0, type);
	/* what only passes an uplink is not told of, as ever */
	observable = work->guard.way < WF_WAY_IN ? WF_OBSERVE_DROPS | WF_OBSERVE_FIRST
						 : WF_OBSERVE_DROPS;
	r = wf_finish_for(skb, &subject, r, observable);
	return r == WF_GO_ON ? TC_ACT_UNSPEC : r;
}
