/* SPDX-License-Identifier: Apache-2.0 */
/* dp/policy.h over tables in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/addr.h"
#include "base/mem.h"
#include "dp/conn.h"
#include "dp/conn_table.h"
#include "dp/policy.h"
#include "fake_dp.h"
#include "fake_dp_priv.h"

#define PREFIXES 4096
#define SEEDS    64

struct pair {
	struct wf_policy_pair_key key;
	struct wf_policy_run run;
	UT_hash_handle hh;
};

struct prefix {
	struct wf_prefix prefix;
	uint32_t scope;
	uint32_t class_id;
};

struct fake_policy {
	struct wf_policy_subject_value subjects[WF_MAX_SLOTS];
	struct wf_policy_run profiles[WF_MAX_POLICY_PROFILES];
	struct wf_policy_rule_value rules[WF_MAX_POLICY_RULES];
	struct pair *pairs; /* owned */
	struct prefix prefixes[PREFIXES];
	size_t prefix_count;
	struct wf_counter hits[WF_MAX_POLICY_HITS];
	bool guarded[WF_MAX_SLOTS];
	struct wf_conn_seed seeds[SEEDS];
	size_t seed_count;
	size_t settled;
	struct wf_event answer; /* of wf_dp_trace() */
	struct wf_dp_packet asked;
	size_t pair_limit; /* 0: none */
};

struct fake_policy *fake_policy_new(void)
{
	struct fake_policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		abort();
	return policy;
}

static void forget_pairs(struct fake_policy *policy)
{
	struct pair *pair, *next;

	HASH_ITER(hh, policy->pairs, pair, next) {
		HASH_DEL(policy->pairs, pair);
		free(pair);
	}
}

void fake_policy_free(struct fake_policy **policy)
{
	forget_pairs(*policy);
	free(TAKE_PTR(*policy));
}

void fake_dp_forget_pairs(struct wf_dp *dp)
{
	forget_pairs(dp->policy);
}

bool fake_dp_guarded(const struct wf_dp *dp, uint32_t slot)
{
	return dp->policy->guarded[slot];
}

void fake_dp_hit(struct wf_dp *dp, uint32_t rule, uint64_t bytes)
{
	dp->policy->hits[rule].packets++;
	dp->policy->hits[rule].bytes += bytes;
}

size_t fake_dp_seeds(const struct wf_dp *dp, const struct wf_conn_seed **ret_seeds)
{
	*ret_seeds = dp->policy->seeds;
	return dp->policy->seed_count;
}

void fake_dp_answer(struct wf_dp *dp, const struct wf_event *answer)
{
	dp->policy->answer = *answer;
}

size_t fake_dp_pair_count(const struct wf_dp *dp)
{
	return HASH_COUNT(dp->policy->pairs);
}

void fake_dp_pair_limit(struct wf_dp *dp, size_t pairs)
{
	dp->policy->pair_limit = pairs;
}

struct wf_policy_subject_value fake_dp_subject(const struct wf_dp *dp, uint32_t slot)
{
	return dp->policy->subjects[slot];
}

struct wf_dp_packet fake_dp_asked(const struct wf_dp *dp)
{
	return dp->policy->asked;
}

int wf_dp_policy_memory(struct wf_dp *dp, struct wf_dp_policy_memory *ret_memory,
			struct wf_err *err)
{
	PASS(FAKE_DP, err);
	*ret_memory = (struct wf_dp_policy_memory){
		.subjects = dp->policy->subjects,
		.profiles = dp->policy->profiles,
		.profile_count = WF_MAX_POLICY_PROFILES,
		.rules = dp->policy->rules,
		.rule_count = WF_MAX_POLICY_RULES,
	};
	return 0;
}

int wf_dp_rules_reach(struct wf_dp *dp, uint32_t count)
{
	(void)dp;
	(void)count;
	return 0;
}

void wf_dp_rules_trim(struct wf_dp *dp, uint32_t count)
{
	(void)dp;
	(void)count;
}

static int set_pair(struct fake_policy *policy, const struct wf_policy_pair_key *key,
		    const struct wf_policy_run *run)
{
	struct pair *pair;

	HASH_FIND(hh, policy->pairs, key, sizeof(*key), pair);
	if (!run) {
		if (pair)
			HASH_DEL(policy->pairs, pair);
		free(pair);
		return 0;
	}
	if (!pair) {
		pair = calloc(1, sizeof(*pair));
		if (!pair)
			return -ENOMEM;
		pair->key = *key;
		HASH_ADD(hh, policy->pairs, key, sizeof(pair->key), pair);
	}
	pair->run = *run;
	return 0;
}

int wf_dp_pairs_set(struct wf_dp *dp, const struct wf_policy_pair_key *keys,
		    const struct wf_policy_run *runs, size_t count, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	if (runs && dp->policy->pair_limit &&
	    HASH_COUNT(dp->policy->pairs) + count > dp->policy->pair_limit)
		return wf_fail(err, -ENOSPC, "the table wf_policy_pairs is full");
	for (size_t i = 0; i < count; i++)
		if (set_pair(dp->policy, &keys[i], runs ? &runs[i] : NULL) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

int wf_dp_pair_visit(struct wf_dp *dp, wf_dp_pair_fn visit, void *context, struct wf_err *err)
{
	struct pair *pair, *next;
	int r = 0;

	PASS(FAKE_DP, err);
	HASH_ITER(hh, dp->policy->pairs, pair, next) {
		r = visit(&pair->key, &pair->run, context);
		if (r < 0)
			break;
	}
	return r;
}

int wf_dp_prefix_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, bool present, struct wf_err *err)
{
	struct fake_policy *policy = dp->policy;
	struct wf_prefix network = wf_prefix_network(prefix);
	size_t i = 0;

	PASS(FAKE_DP, err);
	while (i < policy->prefix_count &&
	       (policy->prefixes[i].scope != scope ||
		policy->prefixes[i].prefix.len != network.len ||
		!wf_addr_equal(&policy->prefixes[i].prefix.addr, &network.addr)))
		i++;
	if (!present) {
		if (i < policy->prefix_count)
			policy->prefixes[i] = policy->prefixes[--policy->prefix_count];
		return 0;
	}
	if (i == PREFIXES)
		return wf_fail(err, -ENOSPC, "the table of policy prefixes is full");
	policy->prefixes[i] = (struct prefix){ network, scope, class_id };
	if (i == policy->prefix_count)
		policy->prefix_count++;
	return 0;
}

int wf_dp_prefix_add(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, struct wf_err *err)
{
	return wf_dp_prefix_set(dp, scope, prefix, class_id, true, err);
}

int wf_dp_prefixes_flush(struct wf_dp *dp, struct wf_err *err)
{
	(void)dp;
	(void)err;
	return 0;
}

int wf_dp_prefix_visit(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context, struct wf_err *err)
{
	const struct fake_policy *policy = dp->policy;
	int r = 0;

	PASS(FAKE_DP, err);
	for (size_t i = 0; r >= 0 && i < policy->prefix_count; i++)
		r = visit(policy->prefixes[i].scope, &policy->prefixes[i].prefix,
			  policy->prefixes[i].class_id, context);
	return r < 0 ? r : 0;
}

/* Two at a time, so that tests meet the middle of a pass; the place is counted in the key. */
int wf_dp_prefix_next(struct wf_dp *dp, struct wf_dp_prefix_place *place, wf_dp_prefix_fn visit,
		      void *context, struct wf_err *err)
{
	const struct fake_policy *policy = dp->policy;
	uint32_t at = place->is_inside ? place->key.prefixlen : 0, end = at + 2;
	int r = 0;

	PASS(FAKE_DP, err);
	for (; r >= 0 && at < end && at < policy->prefix_count; at++)
		r = visit(policy->prefixes[at].scope, &policy->prefixes[at].prefix,
			  policy->prefixes[at].class_id, context);
	place->is_inside = true;
	place->key.prefixlen = at;
	return r < 0 ? r : at < policy->prefix_count;
}

int wf_dp_hits_read(struct wf_dp *dp, uint32_t first, uint32_t count, struct wf_counter *ret_hits)
{
	PASS(FAKE_DP_READ, NULL);
	if (first > WF_MAX_POLICY_HITS || count > WF_MAX_POLICY_HITS - first)
		return -ERANGE;
	memcpy(ret_hits, dp->policy->hits + first, count * sizeof(*ret_hits));
	return 0;
}

int wf_dp_hits_clear(struct wf_dp *dp, uint32_t rule)
{
	PASS(FAKE_DP, NULL);
	if (rule >= WF_MAX_POLICY_HITS)
		return -E2BIG;
	memset(&dp->policy->hits[rule], 0, sizeof(dp->policy->hits[rule]));
	return 0;
}

int wf_dp_policy_revise(struct wf_dp *dp, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	dp->config.revision++;
	return 0;
}

int wf_dp_policy_settle(struct wf_dp *dp)
{
	PASS(FAKE_DP, NULL);
	dp->policy->settled++;
	return 0;
}

int wf_dp_guard_set(struct wf_dp *dp, uint32_t slot, bool guarded, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	dp->policy->guarded[slot] = guarded;
	return 0;
}

int wf_dp_guard_get(struct wf_dp *dp, uint32_t slot, bool *ret_guarded)
{
	PASS(FAKE_DP_READ, NULL);
	*ret_guarded = dp->policy->guarded[slot];
	return 0;
}

int wf_dp_trace(struct wf_dp *dp, const struct wf_dp_packet *packet, struct wf_event *ret_event,
		wf_dp_event_fn others, void *context, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	dp->policy->asked = *packet;
	if (dp->policy->answer.type != WF_EVENT_TRACE)
		return wf_fail(err, -ENOMSG, "the packet is no business of weft's");
	*ret_event = dp->policy->answer;
	return 0;
}

static bool has_seed(const struct fake_policy *policy, const struct wf_conn_seed *seed)
{
	for (size_t i = 0; i < policy->seed_count; i++)
		for (int dir = 0; dir < WF_DIR_COUNT; dir++)
			if (memcmp(&policy->seeds[i].tuple[dir], &seed->tuple[0],
				   sizeof(seed->tuple[0])) == 0)
				return true;
	return false;
}

int wf_dp_conn_seed(struct wf_dp *dp, const struct wf_conn_seed *seeds, size_t count)
{
	struct fake_policy *policy = dp->policy;
	int added = 0;

	if (fake_gate_pass(FAKE_DP, __func__, -EIO, NULL) < 0)
		return -EIO;
	for (size_t i = 0; i < count && policy->seed_count < SEEDS; i++) {
		if (has_seed(policy, &seeds[i]))
			continue;
		policy->seeds[policy->seed_count++] = seeds[i];
		added++;
	}
	return added;
}
