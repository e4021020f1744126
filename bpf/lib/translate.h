/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What containers' programs and those of uplinks have in common about translated connections:
 * beginning one, judging one whose backend changed, and refusing.
 */
#ifndef WEFT_BPF_TRANSLATE_H
#define WEFT_BPF_TRANSLATE_H

#include "finish.h"
#include "nat.h"
#include "reject.h"
#include "work.h"

/* Other ports tried when two connections would look alike to the backend. */
#define WF_TRANSLATE_TRIES 8

#define WF_NAT_PORTS (WF_NAT_LAST_PORT - WF_NAT_FIRST_PORT + 1)

/* What becomes of a connection whose packet was recognised. */
enum wf_judgement {
	WF_JUDGE_KEEP,
	WF_JUDGE_ANEW, /* it is void: forget it and treat the packet as the first */
	WF_JUDGE_CUT,  /* its backend left and it shall not go on */
};

/* UDP moves to another backend at once; TCP and SCTP cannot, so they go on or are cut. */
static __always_inline __u32 wf_judge(const struct wf_conn_hit *hit)
{
	struct wf_backend_value *backend;
	__u32 flags;

	if (!hit->backend)
		return WF_JUDGE_KEEP;
	backend = wf_map_backend(hit->backend);
	flags = backend ? backend->flags : 0;
	if (wf_likely((flags & WF_BACKEND_TAKES) == WF_BACKEND_TAKES &&
		      backend->service == hit->service))
		return WF_JUDGE_KEEP;
	if (!(flags & WF_BACKEND_VALID) || backend->service != hit->service)
		return WF_JUDGE_ANEW;
	if (hit->to.proto == IPPROTO_TCP || hit->to.proto == IPPROTO_SCTP)
		return flags & WF_BACKEND_CUT ? WF_JUDGE_CUT : WF_JUDGE_KEEP;
	return hit->dir == WF_DIR_ORIGINAL ? WF_JUDGE_ANEW : WF_JUDGE_KEEP;
}

/* Whether the packet could be the first of a connection that nobody has recorded. */
static __always_inline int wf_may_begin(const struct wf_flow *flow)
{
	if (flow->error_ip)
		return 0;
	if (flow->tuple.proto != IPPROTO_TCP)
		return 1;
	return (flow->tcp_flags & (WF_TCP_SYN | WF_CONN_TCP_ACK | WF_CONN_TCP_RST)) == WF_TCP_SYN;
}

/* A try of wf_translate_begin(): 0, -reason, or WF_CONN_TAKEN: try again. */
WF_GLOBAL int wf_translate_try(struct wf_conn_new *fresh, struct wf_conn_hit *ret_hit)
{
	__u32 index = 0;
	int r;

	if (!fresh || !ret_hit)
		return -WF_REASON_INTERNAL_ERROR;
	/* a record whose two tuples are the same would not know its direction */
	r = wf_tuple_same(&fresh->tuple[0], &fresh->tuple[1]) ? WF_CONN_TAKEN
							      : wf_conn_add(fresh, &index);
	if (r < 0)
		return r;
	if (r == 0) {
		wf_work_hit(ret_hit, fresh, index);
		return 0;
	}
	if (wf_conn_find(&fresh->tuple[WF_DIR_ORIGINAL], ret_hit)) {
		/* one for policies alone began before there was a service */
		if (!(ret_hit->flags & WF_CONN_POLICY))
			return ret_hit->dir == WF_DIR_ORIGINAL ? 0 : -WF_REASON_NAT_NO_PORT;
		wf_conn_remove(ret_hit->index);
		return WF_CONN_TAKEN;
	}
	fresh->tuple[WF_DIR_REPLY].dport =
		bpf_htons(WF_NAT_FIRST_PORT + wf_random32() % WF_NAT_PORTS);
	return WF_CONN_TAKEN;
}

/*
 * Adds the connection in `fresh`, or finds it when another CPU was faster. Where its reply would
 * look like that of another connection the client's port is changed. 0 or -reason.
 */
static __always_inline int wf_translate_begin(struct wf_conn_new *fresh,
					      struct wf_conn_hit *ret_hit)
{
	WF_NO_UNROLL
	for (int i = 0; i < WF_TRANSLATE_TRIES; i++) {
		int r = wf_translate_try(fresh, ret_hit);

		if (r <= 0)
			return r;
	}
	return -WF_REASON_NAT_NO_PORT;
}

/* Fills in a connection from the packet at hand to the target that was found. */
static __always_inline void wf_translate_fill(struct wf_work *work, __u32 owner)
{
	struct wf_conn_new *fresh = &work->fresh;
	const struct wf_target *target = &work->target;
	struct wf_tuple *back = &fresh->tuple[WF_DIR_REPLY];

	fresh->tuple[WF_DIR_ORIGINAL] = work->flow.tuple;
	*back = work->flow.tuple;
	back->src = target->addr;
	back->sport = target->port;
	back->dst = work->flow.tuple.src;
	back->dport = work->flow.tuple.sport;
	if (target->scope)
		back->scope = target->scope;
	fresh->flags = target->conn_flags;
	fresh->backend = target->backend;
	fresh->service = target->service;
	fresh->owner = owner;
	fresh->peer = target->slot;
}

/* Tells observers of a packet before it is changed to what hit says. */
static __always_inline void wf_tell(struct wf_ctx *ctx, const struct wf_work *work)
{
	const struct wf_subject subject = { .slot = work->slot,
					    .hook = work->hook,
					    .to = &work->hit.to };

	if (wf_unlikely(wf_observes(WF_OBSERVE_FIRST)))
		(void)wf_observe(ctx, &subject, 0, WF_EVENT_FIRST);
}

/* Tells of a packet of the connection in hit, before it is changed, and notes it there. */
static __always_inline void wf_translate_note(struct wf_ctx *ctx, const struct wf_work *work)
{
	wf_tell(ctx, work);
	/* an error is no sign of life; guard 0: just added */
	if (!work->flow.error_ip && work->hit.guard)
		wf_conn_touch(&work->hit, work->flow.tcp_flags);
}

/* Changes the packet to what hit says; one that goes on as it is is only noted. 0 or -reason. */
static __always_inline int wf_translate(struct wf_ctx *ctx, struct wf_work *work)
{
	wf_translate_note(ctx, work);
	if (wf_unlikely(work->hit.flags & WF_CONN_DIRECT))
		return 0;
	return wf_nat_apply(ctx, &work->ip, &work->flow, &work->hit.to);
}

/* Whether who asks for something that is not there is told so; what is forbidden is dropped. */
static __always_inline int wf_is_refusal(int reason)
{
	return reason == -WF_REASON_SERVICE_NO_PORT || reason == -WF_REASON_SERVICE_NO_BACKEND ||
	       reason == -WF_REASON_CONN_CUT;
}

/*
 * Makes the packet its own refusal, counted as the drop that it is. 1: send it back; 0: it could
 * not be answered, drop it. Either way everything has been counted and told.
 */
static __always_inline int wf_refuse(struct wf_ctx *ctx, const struct wf_work *work, int reason)
{
	const struct wf_subject subject = { .slot = work->slot, .hook = work->hook };

	wf_drop_count(&subject, -reason, wf_ctx_len(ctx));
	if (wf_unlikely(wf_observes(WF_OBSERVE_DROPS)))
		(void)wf_observe(ctx, &subject, -reason, WF_EVENT_DROP);
	return wf_reject(ctx, &work->ip, &work->flow) == 0;
}

#endif
