/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Policies and translated connections: whoever begins one is judged as if he had sent to the
 * backend, and the connection's own record says who that was. Called by the stages that translate.
 */
#ifndef WEFT_BPF_JUDGE_NAT_H
#define WEFT_BPF_JUDGE_NAT_H

#include "guard.h"
#include "work.h"

/* Who began the connection in hit, and with which backend. Slots are those of this packet. */
static __always_inline void wf_judge_nat_question(struct wf_work *work, __u32 sender,
						  __u32 receiver)
{
	const struct wf_tuple *tuple = &work->flow.tuple, *to = &work->hit.to;
	struct wf_question *question = &work->question;

	/* out of a scope: the container is known by its slot, the other end as the host knows it */
	question->scope = tuple->scope == to->scope ? tuple->scope : WF_NETWORK_HOST;
	question->proto = tuple->proto;
	if (work->hit.dir == WF_DIR_ORIGINAL) {
		question->src = tuple->src;
		question->dst = to->dst;
		question->from = sender;
		question->to = receiver;
		question->port = bpf_ntohs(to->dport);
	} else {
		question->src = to->dst;
		question->dst = tuple->src;
		question->from = receiver;
		question->to = sender;
		question->port = bpf_ntohs(tuple->sport);
	}
}

/*
 * Judges a packet of the translated connection in hit, before or after it was changed: 0 or
 * -reason. Slots of this packet's ends, WF_SLOT_NOBODY: not of this node. work->answer says more.
 */
WF_GLOBAL int wf_judge_nat(struct wf_ctx *ctx, struct wf_work *work, __u32 sender, __u32 receiver)
{
	struct wf_config_value *config = wf_map_config();
	__u32 revision;
	int steady, r;

	if (!config || !work)
		return -WF_REASON_INTERNAL_ERROR;
	steady = wf_flow_is_steady(&work->flow);
	/* guard 0: it is about to begin */
	if (steady && work->hit.guard &&
	    wf_verdict_holds(config, &work->flow.tuple, sender, receiver))
		return 0;
	revision = wf_read32(&config->revision);
	wf_barrier();
	wf_judge_nat_question(work, sender, receiver);
	r = wf_policy_ask(&work->question, &work->answer);
	if (work->guard.is_traced)
		return r;
	if (r < 0 || !work->hit.guard)
		wf_policy_count(&work->answer, wf_ctx_len(ctx));
	if (r == 0 && steady) {
		const struct wf_verdict_news news = { .from = sender,
						      .to = receiver,
						      .revision = revision };

		(void)wf_verdict_keep(&work->flow.tuple, &news);
	}
	return r;
}

/* A connection is about to begin that policies would not let pass were they not in audit. */
static __always_inline void wf_judge_nat_audit(struct wf_ctx *ctx, struct wf_work *work)
{
	const struct wf_subject subject = {
		.slot = work->slot, .hook = work->hook, .to = &work->hit.to, .answer = &work->answer
	};

	if (!work->guard.is_traced && wf_observes(WF_OBSERVE_DROPS))
		(void)wf_observe(ctx, &subject, 0, WF_EVENT_AUDIT);
}

/* The same, if policies are about either end. */
static __always_inline int wf_judge_translated(struct wf_ctx *ctx, struct wf_work *work,
					       __u32 sender, __u32 receiver)
{
	const struct wf_ep_value *from = wf_map_endpoint(sender), *to = wf_map_endpoint(receiver);
	__u32 flags = (from ? from->flags : 0) | (to ? to->flags : 0);
	int r;

	if (wf_likely(!(flags & WF_EP_GUARDED)) && !work->guard.is_traced)
		return 0;
	r = wf_judge_nat(ctx, work, sender, receiver);
	if (r == 0 && !work->hit.guard && work->answer.verdict == WF_POLICY_AUDIT)
		wf_judge_nat_audit(ctx, work);
	return r;
}

/* Tells where a packet that is asked about would go; it ends here. */
static __always_inline int wf_judge_told(struct wf_ctx *ctx, struct wf_work *work, __u32 peer)
{
	const struct wf_subject subject = {
		.slot = work->slot,
		.hook = work->hook,
		.to = &work->hit.to,
		.answer = &work->answer,
		.way = peer == WF_SLOT_HOST || peer == WF_SLOT_NOBODY ? WF_EVENT_WAY_HOST
								      : WF_EVENT_WAY_ENDPOINT,
		.peer = peer == WF_SLOT_NOBODY ? WF_SLOT_HOST : peer,
	};

	(void)wf_observe(ctx, &subject, 0, WF_EVENT_TRACE);
	return WF_TOLD(TC_ACT_SHOT);
}

/* What policies said, if it is what a decision is about. */
static __always_inline const struct wf_answer *wf_judge_reason(const struct wf_work *work,
							       int decision)
{
	return decision == -WF_REASON_POLICY_INGRESS || decision == -WF_REASON_POLICY_EGRESS
		       ? &work->answer
		       : NULL;
}

#endif
