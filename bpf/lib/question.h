/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The questions that a packet at hand raises: about whoever sent it as the one who begins, about the
 * other end when it answers, about the connection that an ICMP error quotes; and whether whoever sent
 * such an error may speak of it.
 */
#ifndef WEFT_BPF_QUESTION_H
#define WEFT_BPF_QUESTION_H

#include "endpoint.h"
#include "guard.h"
#include "via.h"
#include "work.h"

static __always_inline int wf_is_icmp(const struct wf_ip *ip)
{
	return ip->proto == (ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The type that rules name for an echo's connection. */
static __always_inline __u32 wf_echo_type(__u32 version)
{
	return version == 4 ? WF_ICMP4_ECHO : WF_ICMP6_ECHO;
}

/* The question about whoever sent the packet as the one who begins. */
static __always_inline void wf_judge_forward(struct wf_work *work)
{
	struct wf_question *question = &work->question;

	question->src = work->ip.src;
	question->dst = work->ip.dst;
	question->from = work->guard.sender;
	question->to = work->guard.receiver;
	question->scope = work->guard.scope;
	question->proto = work->ip.proto;
	question->port =
		wf_is_icmp(&work->ip) ? work->guard.type : bpf_ntohs(work->flow.tuple.dport);
}

/* The same for a packet that answers. Not for ICMP errors. */
static __always_inline void wf_judge_backward(struct wf_work *work)
{
	struct wf_question *question = &work->question;

	question->src = work->ip.dst;
	question->dst = work->ip.src;
	question->from = work->guard.receiver;
	question->to = work->guard.sender;
	question->scope = work->guard.scope;
	question->proto = work->ip.proto;
	question->port = wf_is_icmp(&work->ip) ? wf_echo_type(work->ip.version)
					       : bpf_ntohs(work->flow.tuple.sport);
}

/* An ICMP error about the connection in hit: the question is about that one. */
static __always_inline void wf_judge_quoted(struct wf_work *work)
{
	const struct wf_tuple *tuple = &work->flow.tuple;
	struct wf_question *question = &work->question;
	__u32 is_icmp = tuple->proto == IPPROTO_ICMP || tuple->proto == IPPROTO_ICMPV6;
	__u32 speaker = work->guard.sender;

	/* a router on the way speaks for the end behind it */
	if (!wf_addr_same(&tuple->src, &work->ip.src))
		speaker = wf_scope_owner(tuple->scope, &tuple->src);
	question->scope = tuple->scope;
	question->proto = tuple->proto;
	if (work->hit.dir == WF_DIR_ORIGINAL) {
		question->src = tuple->src;
		question->dst = tuple->dst;
		question->from = speaker;
		question->to = work->guard.receiver;
		question->port = bpf_ntohs(tuple->dport);
	} else {
		question->src = tuple->dst;
		question->dst = tuple->src;
		question->from = work->guard.receiver;
		question->to = speaker;
		question->port = bpf_ntohs(tuple->sport);
	}
	if (is_icmp)
		question->port = wf_echo_type(work->ip.version);
}

/* Whether a container speaks for an end that it is not, and that is not behind it. */
static __always_inline int wf_judge_is_pretence(const struct wf_work *work)
{
	return work->flow.error_ip && work->guard.from != WF_SLOT_NOBODY &&
	       work->guard.from != WF_SLOT_HOST &&
	       !wf_addr_same(&work->flow.tuple.src, &work->ip.src) &&
	       !wf_via_speaks_for(work->guard.from, work->ip.version, &work->flow.tuple.src);
}

#endif
