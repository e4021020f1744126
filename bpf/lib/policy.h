/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What policies say about a connection: the tables of abi/policy.h, asked for both ends. Knows no
 * packet, and no connection but the one it is asked about.
 */
#ifndef WEFT_BPF_POLICY_H
#define WEFT_BPF_POLICY_H

#include <weft/abi/conn.h>
#include <weft/abi/event.h>
#include <weft/abi/policy.h>

#include "packet.h"

/* Halvings of the longest run, and one more. */
#define WF_POLICY_STEPS 18

_Static_assert(WF_MAX_POLICY_RULES < 1 << WF_POLICY_STEPS, "WF_POLICY_STEPS");

/* A connection, as whoever begins it sends. */
struct wf_question {
	struct wf_addr src;
	struct wf_addr dst;
	__u32 from; /* slots; WF_SLOT_NOBODY: not of this node */
	__u32 to;
	__u32 scope; /* of both addresses */
	__u32 proto;
	__u32 port; /* host byte order; of ICMP the type */
};

struct wf_answer {
	struct wf_event_end ends[WF_POLICY_DIR_COUNT];
	__u32 verdict; /* enum wf_policy_verdict, of both ends */
	__u32 rule;    /* what decided: of the end that did not allow, else the receiver's */
};

/* The class of an address as a peer. */
static __always_inline __u32 wf_policy_class(__u32 slot, __u32 scope, const struct wf_addr *addr)
{
	struct wf_policy_prefix_key key = {
		.prefixlen = 8 * (sizeof(key.scope) + sizeof(key.addr)),
		.scope = scope,
		.addr = *addr,
	};
	struct wf_policy_subject_value *subject = wf_map_policy_subject(slot);
	__u32 family = !!addr->halves[0], class_id = 0, *found;

	if (subject) {
		class_id = subject->class_id[family & 1];
		if (wf_likely(!(class_id & WF_POLICY_CLASS_ODD)))
			return class_id;
	}
	found = wf_map_policy_prefix(&key);
	/* a subnet that holds an endpoint's address says nothing about the endpoint */
	if (found && (!subject || *found & WF_POLICY_CLASS_ODD))
		class_id = *found;
	return class_id & ~WF_POLICY_CLASS_ODD;
}

/* The place in a run of the rule that is good for `at`: the last that starts there or before. */
static __always_inline __u32 wf_policy_search(__u32 first, __u32 count, __u32 at)
{
	WF_NO_UNROLL
	for (int i = 0; i < WF_POLICY_STEPS && count > 1; i++) {
		__u32 half = count / 2;
		struct wf_policy_rule_value *middle = wf_map_policy_rule(first + half);

		if (middle && (middle->at & WF_POLICY_AT_START) <= at)
			first += half;
		count -= half;
	}
	return first;
}

/*
 * Where the answer of a profile about a class is remembered. Numbers of profiles and classes that
 * are named no more mean something else one revision later at the earliest, and what they lead to
 * does not change while they are named: so an answer is good for its revision.
 */
static __always_inline struct wf_policy_memo *wf_policy_memo(const struct wf_event_end *end,
							     __u32 at)
{
	__u32 hash = (end->profile * 31 + end->class_id) * 0x9e3779b1u ^ at * 0x85ebca6bu;

	return wf_map_policy_memo((hash ^ hash >> 15) * 0x9e3779b1u >> (32 - WF_MEMO_BITS));
}

/* Fills in verdict and rule of an end whose profile and class are known, by the tables. */
WF_GLOBAL int wf_policy_look(struct wf_event_end *end, __u32 at)
{
	struct wf_policy_pair_key key;
	struct wf_policy_rule_value *rule;
	struct wf_policy_run *run;
	__u32 verdict;

	if (!end)
		return 0;
	key.profile = end->profile;
	key.class_id = end->class_id;
	run = wf_map_policy_pair(&key);
	if (!run)
		run = wf_map_policy_profile(end->profile);
	end->verdict = WF_POLICY_DENY;
	end->rule = 0;
	if (!run || !run->count)
		return 0;
	rule = wf_map_policy_rule(wf_policy_search(run->first, run->count, at));
	if (!rule)
		return 0;
	end->rule = rule->rule;
	verdict = rule->at >> WF_POLICY_AT_VERDICT;
	if (verdict < WF_POLICY_VERDICT_COUNT)
		end->verdict = verdict;
	return 0;
}

/* The same, by what is remembered if it is; revision: as it was before anything was read. */
static __always_inline void wf_policy_recall(struct wf_event_end *end, __u32 at, __u32 revision)
{
	struct wf_policy_memo *memo = wf_policy_memo(end, at);

	if (memo && memo->profile == end->profile && memo->class_id == end->class_id &&
	    memo->at == at && memo->revision == revision) {
		end->rule = memo->rule;
		end->verdict = memo->verdict & 0xff;
		return;
	}
	(void)wf_policy_look(end, at);
	if (!memo)
		return;
	memo->profile = end->profile;
	memo->class_id = end->class_id;
	memo->at = at;
	memo->revision = revision;
	memo->rule = end->rule;
	memo->verdict = end->verdict;
}

/* One end: the subject of that direction, and who is at the other end. */
static __always_inline void wf_policy_end(struct wf_event_end *end,
					  const struct wf_question *question, __u32 dir, __u32 at,
					  __u32 revision)
{
	__u32 is_out = dir == WF_POLICY_EGRESS, slot = is_out ? question->from : question->to;
	struct wf_policy_subject_value *subject = wf_map_policy_subject(slot);

	end->profile = subject ? subject->profile[dir] : WF_POLICY_PROFILE_NONE;
	end->class_id = 0;
	end->rule = 0;
	end->verdict = WF_POLICY_ALLOW;
	if (end->profile == WF_POLICY_PROFILE_NONE)
		return;
	end->class_id = is_out ? wf_policy_class(question->to, question->scope, &question->dst)
			       : wf_policy_class(question->from, question->scope, &question->src);
	wf_policy_recall(end, at, revision);
}

/* Whether no policy is about what one slot sends to another, at neither end. */
static __always_inline int wf_policy_is_free(__u32 from, __u32 to)
{
	struct wf_policy_subject_value *sender = wf_map_policy_subject(from);
	struct wf_policy_subject_value *receiver = wf_map_policy_subject(to);

	return (!sender || sender->profile[WF_POLICY_EGRESS] == WF_POLICY_PROFILE_NONE) &&
	       (!receiver || receiver->profile[WF_POLICY_INGRESS] == WF_POLICY_PROFILE_NONE);
}

/* What both ends come to. */
static __always_inline void wf_policy_join(struct wf_answer *answer)
{
	const struct wf_event_end *in = &answer->ends[WF_POLICY_INGRESS];
	const struct wf_event_end *out = &answer->ends[WF_POLICY_EGRESS];
	const struct wf_event_end *decides = in->rule ? in : out;

	/* by weight: DENY, AUDIT, ALLOW; the sender's first, as a packet meets them */
	if (out->verdict == WF_POLICY_DENY)
		decides = out;
	else if (in->verdict == WF_POLICY_DENY)
		decides = in;
	else if (out->verdict == WF_POLICY_AUDIT)
		decides = out;
	else if (in->verdict == WF_POLICY_AUDIT)
		decides = in;
	answer->verdict = decides->verdict;
	answer->rule = decides->rule;
}

/*
 * Asks for both ends: 0 when the connection may be (AUDIT passes), -POLICY_EGRESS or
 * -POLICY_INGRESS. What a slot has with itself is nobody's business.
 */
WF_GLOBAL int wf_policy_ask(const struct wf_question *question, struct wf_answer *answer)
{
	struct wf_config_value *config = wf_map_config();
	__u32 at, revision;

	if (!question || !answer || !config)
		return -WF_REASON_INTERNAL_ERROR;
	revision = wf_read32(&config->revision);
	wf_barrier();
	__builtin_memset(answer, 0, sizeof(*answer));
	answer->verdict = WF_POLICY_ALLOW;
	answer->ends[WF_POLICY_INGRESS].verdict = WF_POLICY_ALLOW;
	answer->ends[WF_POLICY_EGRESS].verdict = WF_POLICY_ALLOW;
	if (question->from == question->to && question->from != WF_SLOT_NOBODY)
		return 0;
	at = WF_POLICY_AT(0, question->proto & 0xff, question->port & 0xffff);
	wf_policy_end(&answer->ends[WF_POLICY_EGRESS], question, WF_POLICY_EGRESS, at, revision);
	wf_policy_end(&answer->ends[WF_POLICY_INGRESS], question, WF_POLICY_INGRESS, at, revision);
	wf_policy_join(answer);
	if (answer->verdict != WF_POLICY_DENY)
		return 0;
	return answer->ends[WF_POLICY_EGRESS].verdict == WF_POLICY_DENY ? -WF_REASON_POLICY_EGRESS
									: -WF_REASON_POLICY_INGRESS;
}

/* Counts a packet for a rule. */
static __always_inline void wf_policy_hit(__u32 rule, __u32 len)
{
	struct wf_counter *counter = rule ? wf_map_policy_hit(rule) : NULL;

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += len;
}

/* A first packet counts for what let it pass at both ends, a drop for what dropped it. */
static __always_inline void wf_policy_count(const struct wf_answer *answer, __u32 len)
{
	if (answer->verdict == WF_POLICY_DENY) {
		wf_policy_hit(answer->rule, len);
		return;
	}
	wf_policy_hit(answer->ends[WF_POLICY_EGRESS].rule, len);
	wf_policy_hit(answer->ends[WF_POLICY_INGRESS].rule, len);
}

#endif
