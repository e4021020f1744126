/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the tables, to compare: pairs as a sum, in any order; prefixes each for itself; and
 * arrays as they were written. Nobody but the engine writes them; whoever does anyway is found.
 */
#include "base/index.h"
#include "policy/engine_priv.h"

void wf_policy_sum_pair(struct wf_policy_sum *sum, const struct wf_policy_pair_key *key,
			const struct wf_policy_run *run)
{
	uint64_t who = (uint64_t)key->profile << 32 | key->class_id;
	uint64_t what = (uint64_t)run->first << 32 | run->count;

	sum->entries++;
	sum->value += wf_hash_number(wf_hash_number(0, who), what);
}

static void add_pairs(struct wf_policy_sum *sum, const struct wf_profile *profile)
{
	for (size_t i = 0; i < profile->pair_count; i++) {
		const struct wf_policy_pair_key key = { profile->id, profile->pairs[i].class_id };

		wf_policy_sum_pair(sum, &key, &profile->pairs[i].run->place);
	}
}

void wf_policy_engine_sum(const struct wf_policy_engine *engine, struct wf_policy_sum *ret_sum)
{
	const struct wf_profile *profile = engine->profiles.by_key;

	*ret_sum = (struct wf_policy_sum){ 0 };
	for (; profile; profile = profile->hh.next)
		add_pairs(ret_sum, profile);
	for (profile = engine->profiles.dead; profile; profile = profile->next_dead)
		add_pairs(ret_sum, profile);
}

bool wf_policy_engine_prefix_is(const struct wf_policy_engine *engine, uint32_t scope,
				const struct wf_prefix *prefix, uint32_t class_id)
{
	const struct wf_prefix network = wf_prefix_network(prefix);
	const struct wf_place *record = wf_prefix_find(engine, scope, &network);

	return record && record->is_there && wf_engine_prefix_class(record) == class_id;
}

size_t wf_policy_engine_prefix_count(const struct wf_policy_engine *engine)
{
	const struct wf_place *record;
	size_t at = 0, count = 0;

	while ((record = wf_prefix_walk(engine, &at)))
		count += record->is_there;
	return count;
}

/* The key of a run is its content: uthash has kept the hash of what was written. */
static bool are_rules_intact(const struct wf_policy_engine *engine)
{
	const struct wf_runs *runs = &engine->runs;

	for (const struct wf_run *run = runs->by_content; run; run = run->hh.next) {
		size_t size = run->place.count * sizeof(*runs->rules);
		unsigned int hash;

		HASH_VALUE(&runs->rules[run->place.first], size, hash);
		if (hash != run->hh.hashv)
			return false;
	}
	return true;
}

static bool are_profiles_intact(const struct wf_policy_engine *engine)
{
	const struct wf_profile *profile = engine->profiles.by_key;

	for (; profile; profile = profile->hh.next) {
		const struct wf_policy_run *run = &engine->memory.profiles[profile->id];

		if (run->first != profile->own->place.first ||
		    run->count != profile->own->place.count)
			return false;
	}
	return true;
}

static bool are_subjects_intact(const struct wf_policy_engine *engine)
{
	for (uint32_t i = 0; i < engine->slot_count; i++) {
		const struct wf_policy_subject_value *subject = &engine->memory.subjects[i];
		const struct wf_force *force = &engine->slots[i].force;

		/* nobody has ever been there */
		if (!force->classes[0])
			continue;
		for (int j = 0; j < 2; j++)
			if (subject->profile[j] != wf_force_profile(force, j) ||
			    subject->class_id[j] != wf_force_class(force, j))
				return false;
	}
	return true;
}

bool wf_policy_engine_is_intact(const struct wf_policy_engine *engine)
{
	return are_subjects_intact(engine) && are_profiles_intact(engine) &&
	       are_rules_intact(engine);
}
