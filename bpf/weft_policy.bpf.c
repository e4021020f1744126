/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Stage WF_STAGE_POLICY, reached from every hook: what policies are about and no CPU has judged a
 * moment ago. Ends the packet's way in weft as the program that called it would have.
 */
#include "lib/judge.h"

#include "lib/finish.h"
#include "lib/seal.h"

#include "hold.h"

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

/*
 * A fragment that is not in its turn. Where there is no room for it, what may be for the host itself
 * goes on to the stack, which puts fragments together in any order.
 */
static __always_inline int hold(struct __sk_buff *skb, struct wf_work *work, int fallback)
{
	int r = wf_hold(skb, work);

	return r < 0 ? fallback : WF_TOLD(r);
}

SEC("tc")
int weft_policy(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = {};
	__u32 type = 0, observable, is_host;
	int r;

	if (!work)
		return TC_ACT_SHOT;
	subject.slot = work->slot;
	subject.hook = work->hook;
	subject.answer = &work->answer;
	if (work->guard.way == WF_WAY_HOLD) {
		subject.answer = NULL;
		is_host = work->hook == WF_HOOK_FROM_UPLINK && !(wf_host_flags() & WF_EP_GUARDED);
		r = hold(skb, work, is_host ? WF_GO_ON : -WF_REASON_NAT_FRAGMENT);
	} else {
		r = wf_judge_stage(skb, work, &type);
		if (r == -WF_REASON_NAT_FRAGMENT && work->flow.turn && wf_judge_may_wait(work))
			r = hold(skb, work, r);
	}
	if (r >= WF_TOLD(0))
		return r - WF_TOLD(0);
	if (type == WF_EVENT_TRACE)
		return told(skb, &subject, work, r);
	if (type == WF_EVENT_AUDIT && wf_observes(WF_OBSERVE_DROPS))
		(void)wf_observe(skb, &subject, 0, type);
	/* what only passes an uplink is not told of, as ever */
	observable = work->guard.way < WF_WAY_IN ? WF_OBSERVE_DROPS | WF_OBSERVE_FIRST
						 : WF_OBSERVE_DROPS;
	r = wf_finish_for(skb, &subject, r, observable);
	if (r == WF_GO_ON && subject.hook == WF_HOOK_TO_UPLINK)
		r = wf_finish_for(skb, &subject, wf_seal_leave(skb), WF_OBSERVE_DROPS);
	return r == WF_GO_ON ? TC_ACT_UNSPEC : r;
}
