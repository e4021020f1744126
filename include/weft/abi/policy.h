/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Policy as programs and daemon see it. Whoever may be told apart by the selectors in force has a
 * class (as a peer) and two profiles (as a subject, one for each direction). A verdict is
 *
 *   wf_policy_pairs[(profile, class)], or wf_policy_profiles[profile] when there is no such pair
 *        -> a run of wf_policy_rules: sorted, gapless, each rule good from its start to the next
 *
 * Runs and profiles never change while they are named: a change is written beside what is in
 * force, then endpoints are turned over one by one, then what nobody names any more is freed.
 * Whatever is missing or empty denies.
 */
#ifndef WEFT_ABI_POLICY_H
#define WEFT_ABI_POLICY_H

#include <weft/abi/conn.h>
#include <weft/abi/types.h>

/* The direction as the subject sees it; index of wf_policy_subject_value.profile. */
enum wf_policy_dir {
	WF_POLICY_INGRESS,
	WF_POLICY_EGRESS,
	WF_POLICY_DIR_COUNT,
};

enum wf_policy_verdict {
	WF_POLICY_DENY,
	WF_POLICY_ALLOW,
	WF_POLICY_AUDIT, /* passes; would be denied if it were not on trial */
	WF_POLICY_VERDICT_COUNT,
};

/* Profiles and classes with a meaning of their own; the others are given by the daemon. */
#define WF_POLICY_PROFILE_NONE     0 /* nothing selects the subject: everything passes */
#define WF_POLICY_PROFILE_DENY_ALL 1 /* fails closed: of whom nothing is known, or not all */
#define WF_POLICY_PROFILE_FIRST    2
#define WF_POLICY_CLASS_WORLD      0 /* outside, and in no prefix that any policy names */
#define WF_POLICY_CLASS_FIRST      1

/* Bit of class_id: the endpoint has addresses of other classes; see wf_policy_prefixes first. */
#define WF_POLICY_CLASS_ODD 0x80000000u

/*
 * Value of wf_policy_subjects, by slot; slot WF_SLOT_HOST is the node itself (host firewall). All
 * zero: no policy. Each field is read and written as one.
 */
struct wf_policy_subject_value {
	__u32 profile[WF_POLICY_DIR_COUNT];
	__u32 class_id[2]; /* as a peer: [0] of its IPv4 addresses, [1] IPv6 */
};

/* A run of wf_policy_rules: [first, first + count). count 0 denies. */
struct wf_policy_run {
	__u32 first;
	__u32 count;
};

/* Key of wf_policy_pairs; the value is a struct wf_policy_run. */
struct wf_policy_pair_key {
	__u32 profile;
	__u32 class_id;
};

/*
 * Value of wf_policy_rules. `at`: verdict (8 bits), protocol (8), port (16), in host byte order and
 * from the highest bits on. Sorted by the lower 24 bits; the first of a run starts at 0. The port
 * of ICMP is the type; protocols without ports have 0.
 */
struct wf_policy_rule_value {
	__u32 at;
	__u32 rule; /* what decided: index of wf_policy_hits; 0: no rule, nothing selects it */
};

#define WF_POLICY_AT(verdict, proto, port) \
	((__u32)(verdict) << 24 | (__u32)(proto) << 16 | (__u32)(port))
#define WF_POLICY_AT_START   0x00ffffffu
#define WF_POLICY_AT_VERDICT 24

/*
 * Key of wf_policy_prefixes (LPM trie) for whatever is no endpoint of this node, and for the
 * addresses of endpoints with WF_POLICY_CLASS_ODD. Value: the class; of a prefix that is one
 * address with WF_POLICY_CLASS_ODD set: only such a one counts for an endpoint.
 */
struct wf_policy_prefix_key {
	__u32 prefixlen; /* counts scope and the 128-bit address: IPv4 is 32 + 96 + bits */
	__u32 scope;     /* of the address, always whole */
	struct wf_addr addr;
};

/* struct wf_verdict_value.conn, beside number and direction as in a reference of wf_conn_index. */
#define WF_VERDICT_MAY       (1u << 25) /* a packet as in the tuple may pass; one bit up: an answer */
#define WF_VERDICT_OPENS     (1u << 27) /* the next one changes the record, whatever it is; as before */
#define WF_VERDICT_UNTRACKED (1u << 29) /* of TCP: there is no record, and none is needed */

/* struct wf_verdict_value.ends: slots have 16 bits here, WF_SLOT_NOBODY as well. */
#define WF_VERDICT_ENDS(from, to) (((from)&0xffff) << 16 | ((to)&0xffff))

/*
 * Value of wf_verdicts (per CPU, direct-mapped by a hash of the tuple): packets of this kind may
 * pass, there or back. Good for one revision of the policies and a moment of time (wf_now_moment()).
 */
struct wf_verdict_value {
	struct wf_tuple tuple; /* not turned (wf_conn_is_turned()) */
	__u32 ends[2];         /* WF_VERDICT_ENDS() as they were asked for: there, back */
	__u32 revision;
	__u32 moment;
	__u32 conn; /* of TCP: the record that its packets open and close */
	__u32 life; /* wf_conn.guard of that; 0: not known */
};

_Static_assert(WF_MAX_SLOTS < 0xffff, "WF_VERDICT_ENDS");

/*
 * Value of wf_policy_memos (per CPU, direct-mapped by a hash of the first three): what a profile
 * says of a class, a protocol and a port. Good for one revision.
 */
struct wf_policy_memo {
	__u32 profile; /* WF_POLICY_PROFILE_NONE: nothing yet */
	__u32 class_id;
	__u32 at; /* WF_POLICY_AT(), verdict 0 */
	__u32 revision;
	__u32 rule;
	__u32 verdict; /* enum wf_policy_verdict */
	__u32 pad[2];
};

_Static_assert(sizeof(struct wf_policy_memo) == 32, "wf_policy_memo");
_Static_assert(sizeof(struct wf_verdict_value) == 64, "wf_verdict_value");
_Static_assert(sizeof(struct wf_policy_subject_value) == 16, "wf_policy_subject_value");
_Static_assert(sizeof(struct wf_policy_run) == 8, "wf_policy_run");
_Static_assert(sizeof(struct wf_policy_pair_key) == 8, "wf_policy_pair_key");
_Static_assert(sizeof(struct wf_policy_prefix_key) == 24, "wf_policy_prefix_key");
_Static_assert(sizeof(struct wf_policy_rule_value) == 8, "wf_policy_rule_value");

#endif
