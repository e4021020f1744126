/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies as the daemon would put them into the tables, without what compiles them: runs of rules
 * for profiles and pairs, and who is under which.
 */
#ifndef WEFT_TESTS_BPF_RULES_H
#define WEFT_TESTS_BPF_RULES_H

#include <stddef.h>

#include "dp/policy.h"

/* What holds from a protocol and port on; the first of a run is {0, 0}. */
struct rule {
	__u8 proto;
	__u16 port;
	__u8 verdict; /* enum wf_policy_verdict */
	__u32 number; /* of wf_policy_hits */
};

/* Nobody is under a policy, no rule was ever hit; no connection is judged as before. */
void rules_reset(struct wf_dp *dp);
/* What a profile says of those who have no pair. */
void rules_profile(struct wf_dp *dp, __u32 profile, const struct rule *rules, size_t count);
/* What it says of a class. */
void rules_pair(struct wf_dp *dp, __u32 profile, __u32 class_id, const struct rule *rules,
		size_t count);
/* Who a slot is, and that it is guarded unless both profiles are 0. */
void rules_subject(struct wf_dp *dp, __u32 slot, __u32 ingress, __u32 egress, __u32 class_id);
/* Puts a class in force for a prefix. */
void rules_prefix(struct wf_dp *dp, const char *prefix, __u32 class_id);
/* The same in a scope. */
void rules_prefix_in(struct wf_dp *dp, __u32 scope, const char *prefix, __u32 class_id);
__u64 rules_hits(struct wf_dp *dp, __u32 number);

#endif
