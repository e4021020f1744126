/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * TCP connections between two containers of this node that need no record, as no policy is about their
 * answers, at neither end: these would pass anyway. So when a packet needs no leave and its connection
 * has no record, the other end began; if that one may not, the connection is over. When policies are
 * about to close such a direction the daemon notes those that there are (control/policy_seed.c). What
 * is on trial has a record, so that it is told of once.
 */
#ifndef WEFT_BPF_UNTRACKED_H
#define WEFT_BPF_UNTRACKED_H

#include "question.h"

/*
 * Whether both ends are containers of this node, known by their slots: then answers come by the same
 * way. Those of other nodes and what is behind a gateway may come by others.
 */
static __always_inline int wf_untracked_are_here(const struct wf_guarding *guard)
{
	return guard->way == WF_WAY_PEER && guard->from != WF_SLOT_NOBODY &&
	       guard->from != WF_SLOT_HOST && guard->to != WF_SLOT_HOST;
}

/* Whether a slot has begun connections that have records. */
static __always_inline int wf_untracked_owns(__u32 slot)
{
	const struct wf_conn_owner *owner = wf_map_conn_owner(slot);

	return !owner || owner->owned;
}

/*
 * Whether a connection that the sender opens needs no record, and there is none from before, by
 * either end: most who are called have begun nothing that has one.
 */
static __always_inline int wf_untracked_may_open(struct wf_work *work)
{
	const struct wf_guarding *guard = &work->guard;

	if (!wf_untracked_are_here(guard) || !wf_policy_is_free(guard->receiver, guard->sender))
		return 0;
	if (!wf_untracked_owns(guard->sender) && !wf_untracked_owns(guard->receiver))
		return 1;
	return !wf_conn_find_here(&work->flow.tuple, &work->hit);
}

/* Which way a packet goes that opens nothing, if its connection needs no record; else WF_DIR_COUNT. */
static __always_inline __u32 wf_untracked_dir(const struct wf_work *work)
{
	const struct wf_guarding *guard = &work->guard;

	if (work->flow.tuple.proto != IPPROTO_TCP || !wf_untracked_are_here(guard))
		return WF_DIR_COUNT;
	/* a router speaks for somebody else */
	if (work->flow.error_ip && !wf_addr_same(&work->flow.tuple.src, &work->ip.src))
		return WF_DIR_COUNT;
	if (wf_policy_is_free(guard->sender, guard->receiver))
		return WF_DIR_REPLY;
	return wf_policy_is_free(guard->receiver, guard->sender) ? WF_DIR_ORIGINAL : WF_DIR_COUNT;
}

/* One opens, and may. A packet that is sent again is no first one. */
static __always_inline int wf_untracked_begin(struct wf_work *work)
{
	work->hit.guard = 0;
	work->guard.is_first = !wf_verdict_here(&work->flow.tuple);
	work->is_untracked = 1;
	return 0;
}

/*
 * An ICMP error about such a connection, which is there if its packets have passed just now: 0 or
 * -reason. Any other error is what it is by itself.
 */
static __always_inline int wf_untracked_quoted(struct wf_work *work, __u32 dir)
{
	if (wf_verdict_any(&work->flow.tuple)) {
		work->hit.dir = dir;
		wf_judge_quoted(work);
	} else {
		wf_judge_forward(work);
	}
	return wf_policy_ask(&work->question, &work->answer);
}

/* A packet of one: 0 or -reason. */
static __always_inline int wf_untracked_pass(struct wf_work *work, __u32 dir)
{
	int r;

	work->hit.guard = 0;
	if (work->flow.error_ip)
		return wf_untracked_quoted(work, dir);
	if (dir == WF_DIR_REPLY)
		wf_judge_backward(work);
	else
		wf_judge_forward(work);
	r = wf_policy_ask(&work->question, &work->answer);
	work->is_untracked = r == 0 && work->answer.verdict != WF_POLICY_AUDIT;
	return r;
}

#endif
