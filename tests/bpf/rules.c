/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SLOTS 16
#define MOST_HITS  256

/* The next free place among the rules. */
static __u32 next;

static void check(int r)
{
	if (r < 0)
		abort();
}

static int drop_pair(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
		     void *context)
{
	return wf_dp_pairs_set(context, key, NULL, 1, NULL);
}

static int drop_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		       void *context)
{
	return wf_dp_prefix_set(context, scope, prefix, 0, false, NULL);
}

void rules_reset(struct wf_dp *dp)
{
	next = 0;
	for (__u32 slot = 0; slot < MOST_SLOTS; slot++)
		rules_subject(dp, slot, 0, 0, 0);
	check(wf_dp_pair_visit(dp, drop_pair, dp, NULL));
	check(wf_dp_prefix_visit(dp, drop_prefix, dp, NULL));
	for (__u32 rule = 0; rule < MOST_HITS; rule++)
		check(wf_dp_hits_clear(dp, rule));
	check(wf_dp_policy_revise(dp, NULL));
}

static struct wf_policy_run put(struct wf_dp *dp, const struct rule *rules, size_t count)
{
	struct wf_policy_run run = { .first = next, .count = (__u32)count };
	struct wf_dp_policy_memory memory;

	check(wf_dp_policy_memory(dp, &memory, NULL));
	check(wf_dp_rules_reach(dp, next + (__u32)count));
	for (size_t i = 0; i < count; i++)
		memory.rules[next++] = (struct wf_policy_rule_value){
			.at = WF_POLICY_AT(rules[i].verdict, rules[i].proto, rules[i].port),
			.rule = rules[i].number,
		};
	return run;
}

void rules_profile(struct wf_dp *dp, __u32 profile, const struct rule *rules, size_t count)
{
	struct wf_policy_run run = put(dp, rules, count);
	struct wf_dp_policy_memory memory;

	check(wf_dp_policy_memory(dp, &memory, NULL));
	memory.profiles[profile] = run;
}

void rules_pair(struct wf_dp *dp, __u32 profile, __u32 class_id, const struct rule *rules,
		size_t count)
{
	const struct wf_policy_pair_key key = { profile, class_id };
	struct wf_policy_run run = put(dp, rules, count);

	check(wf_dp_pairs_set(dp, &key, &run, 1, NULL));
}

void rules_subject(struct wf_dp *dp, __u32 slot, __u32 ingress, __u32 egress, __u32 class_id)
{
	struct wf_dp_policy_memory memory;

	check(wf_dp_policy_memory(dp, &memory, NULL));
	memory.subjects[slot] = (struct wf_policy_subject_value){
		.profile = { ingress, egress },
		.class_id = { class_id, class_id },
	};
	check(wf_dp_guard_set(dp, slot, ingress || egress, NULL));
}

void rules_prefix_in(struct wf_dp *dp, __u32 scope, const char *text, __u32 class_id)
{
	struct wf_prefix prefix;

	check(wf_prefix_parse(text, &prefix));
	check(wf_dp_prefix_set(dp, scope, &prefix, class_id, true, NULL));
}

void rules_prefix(struct wf_dp *dp, const char *text, __u32 class_id)
{
	rules_prefix_in(dp, WF_NETWORK_HOST, text, class_id);
}

__u64 rules_hits(struct wf_dp *dp, __u32 number)
{
	struct wf_counter counter;

	check(wf_dp_hits_read(dp, number, 1, &counter));
	return counter.packets;
}
