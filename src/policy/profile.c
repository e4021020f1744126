/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int wf_profiles_init(struct wf_profiles *profiles, struct wf_policy_run *table, uint32_t count)
{
	memset(profiles, 0, sizeof(*profiles));
	profiles->table = table;
	profiles->count = count;
	if (wf_bits_init(&profiles->unused, count) < 0)
		return -ENOMEM;
	if (wf_bits_init(&profiles->adopted, count) < 0) {
		wf_bits_done(&profiles->unused);
		return -ENOMEM;
	}
	for (uint32_t i = WF_POLICY_PROFILE_FIRST; i < count; i++)
		wf_bits_set(&profiles->unused, i);
	return 0;
}

static void free_profile(struct wf_profile *profile, struct wf_laws *laws)
{
	for (size_t i = 0; i < profile->section_count; i++)
		wf_law_unref(laws, profile->sections[i]->law);
	free(profile->sections);
	free(profile->rules);
	free(profile->hits);
	free(profile->pairs);
	free(profile->key);
	free(profile);
}

void wf_profiles_done(struct wf_profiles *profiles, struct wf_laws *laws)
{
	struct wf_profile *profile, *next;

	HASH_ITER(hh, profiles->by_key, profile, next) {
		HASH_DEL(profiles->by_key, profile);
		free_profile(profile, laws);
	}
	while ((profile = profiles->dead)) {
		profiles->dead = profile->next_dead;
		free_profile(profile, laws);
	}
	wf_bits_done(&profiles->unused);
	wf_bits_done(&profiles->adopted);
	memset(profiles, 0, sizeof(*profiles));
}

/* By policy, then by place in it: a canonical order, also of what a denial is put down to. */
static int compare_sections(const void *a, const void *b)
{
	const struct wf_law_section *x = *(const struct wf_law_section *const *)a;
	const struct wf_law_section *y = *(const struct wf_law_section *const *)b;
	int r = x->law == y->law ? 0 : strcmp(x->law->key, y->law->key);

	return r ? r : x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* The sections that speak to a group in a direction. */
static int gather_sections(const struct wf_atoms *atoms, const struct wf_group *group,
			   struct wf_profile *profile)
{
	size_t capacity = 0;

	for (size_t i = 0; i < group->matched.count; i++) {
		const struct wf_atom *atom = wf_atom_of(atoms, group->matched.items[i]);
		struct wf_law_section *section = atom ? atom->sections : NULL;

		for (; section; section = section->next) {
			if (!wf_law_section_speaks(section, profile->dir))
				continue;
			if (wf_mem_grow(&profile->sections, sizeof(void *), profile->section_count,
					&capacity) < 0)
				return -ENOMEM;
			section->law->refs++;
			profile->sections[profile->section_count++] = section;
		}
	}
	if (profile->section_count)
		qsort(profile->sections, profile->section_count, sizeof(void *), compare_sections);
	return 0;
}

static size_t count_names(const struct wf_law_section *section, enum wf_policy_dir dir)
{
	size_t count = 0;

	for (size_t i = 0; i < section->rule_count[dir]; i++)
		count += section->rules[dir][i].name_count;
	return count;
}

/* Sections by serial, then the own named ports that rules ask for, in their order. */
static int make_key(struct wf_profile *profile, const struct wf_group *group)
{
	size_t count = 1 + profile->section_count;
	bool is_own = profile->dir == WF_POLICY_INGRESS;

	for (size_t i = 0; is_own && i < profile->section_count; i++)
		count += count_names(profile->sections[i], profile->dir);
	profile->key = calloc(count, sizeof(*profile->key));
	if (!profile->key)
		return -ENOMEM;
	profile->key[profile->key_count++] = (uint64_t)profile->dir | profile->is_host << 1 |
					     profile->is_audit << 2 | profile->section_count << 3;
	for (size_t i = 0; i < profile->section_count; i++)
		profile->key[profile->key_count++] = profile->sections[i]->serial;
	for (size_t i = 0; is_own && i < profile->section_count; i++) {
		const struct wf_law_section *section = profile->sections[i];

		for (size_t j = 0; j < section->rule_count[profile->dir]; j++) {
			const struct wf_law_rule *rule = &section->rules[profile->dir][j];

			for (size_t k = 0; k < rule->name_count; k++)
				profile->key[profile->key_count++] = wf_group_port(
					group, rule->names[k].name, rule->names[k].proto);
		}
	}
	return 0;
}

/* Tier over tier; within the ordered ones by priority, in the other what denies comes first. */
static int compare_rules(const void *a, const void *b)
{
	const struct wf_law_rule *x = ((const struct wf_profile_rule *)a)->law;
	const struct wf_law_rule *y = ((const struct wf_profile_rule *)b)->law;
	const struct wf_policy *of_x = &x->section->law->policy, *of_y = &y->section->law->policy;
	bool x_denies = x->action == WF_RULE_DENY, y_denies = y->action == WF_RULE_DENY;

	if (of_x->tier != of_y->tier)
		return of_x->tier < of_y->tier ? -1 : 1;
	if (of_x->tier != WF_TIER_NETWORK && of_x->priority != of_y->priority)
		return of_x->priority < of_y->priority ? -1 : 1;
	if (of_x->tier == WF_TIER_NETWORK && x_denies != y_denies)
		return x_denies ? -1 : 1;
	if (x->section != y->section)
		return compare_sections(&x->section, &y->section);
	return x < y ? -1 : x > y;
}

static int compare_hits(const void *a, const void *b)
{
	const struct wf_profile_hit *x = a, *y = b;

	if (x->atom != y->atom)
		return x->atom < y->atom ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static int fill_hits(struct wf_profile *profile)
{
	size_t count = 0;

	for (size_t i = 0; i < profile->rule_count; i++)
		count += profile->rules[i].law->atom_count + profile->rules[i].law->name_count;
	profile->hits = calloc(count + 1, sizeof(*profile->hits));
	if (!profile->hits)
		return -ENOMEM;
	for (size_t i = 0; i < profile->rule_count; i++) {
		const struct wf_law_rule *rule = profile->rules[i].law;

		for (size_t j = 0; j < rule->atom_count; j++) {
			wf_atom_mask_add(&profile->mask, rule->atoms[j]->number);
			profile->hits[profile->hit_count++] =
				(struct wf_profile_hit){ rule->atoms[j]->number, (uint32_t)i };
		}
		for (size_t j = 0; j < rule->name_count; j++) {
			if (!rule->names[j].atom)
				continue;
			wf_atom_mask_add(&profile->mask, rule->names[j].atom->number);
			profile->hits[profile->hit_count++] =
				(struct wf_profile_hit){ rule->names[j].atom->number,
							 WF_PROFILE_HIT_PORT };
		}
	}
	qsort(profile->hits, profile->hit_count, sizeof(*profile->hits), compare_hits);
	return 0;
}

static int fill_rules(struct wf_profile *profile)
{
	const uint64_t *own = profile->key + 1 + profile->section_count;
	size_t count = 0;

	for (size_t i = 0; i < profile->section_count; i++)
		count += profile->sections[i]->rule_count[profile->dir];
	profile->rules = calloc(count + 1, sizeof(*profile->rules));
	if (!profile->rules)
		return -ENOMEM;
	for (size_t i = 0; i < profile->section_count; i++) {
		const struct wf_law_section *section = profile->sections[i];

		profile->has_trial |= section->law->policy.audit;
		for (size_t j = 0; j < section->rule_count[profile->dir]; j++) {
			struct wf_profile_rule *rule = &profile->rules[profile->rule_count++];

			rule->law = &section->rules[profile->dir][j];
			if (profile->dir != WF_POLICY_INGRESS)
				continue;
			rule->own = own;
			own += rule->law->name_count;
		}
	}
	qsort(profile->rules, profile->rule_count, sizeof(*profile->rules), compare_rules);
	return fill_hits(profile);
}

/* Makes the rest of a profile that is not there yet, and enters it. */
static int enter(struct wf_profiles *profiles, struct wf_profile *profile)
{
	if (fill_rules(profile) < 0)
		return -ENOMEM;
	HASH_ADD_KEYPTR(hh, profiles->by_key, profile->key,
			profile->key_count * sizeof(*profile->key), profile);
	return profile->hh.tbl ? 0 : -ENOMEM;
}

int wf_profiles_get(struct wf_profiles *profiles, const struct wf_atoms *atoms,
		    const struct wf_group *group, enum wf_policy_dir dir, bool is_host,
		    struct wf_profile **ret_profile)
{
	struct wf_profile *profile = calloc(1, sizeof(*profile)), *found = NULL;
	int r = -ENOMEM;

	if (!profile)
		return r;
	profile->dir = dir;
	profile->is_host = is_host;
	profile->is_audit = group->audit;
	profile->is_fresh = true;
	r = gather_sections(atoms, group, profile);
	if (r == 0 && profile->section_count)
		r = make_key(profile, group);
	if (r == 0 && profile->section_count) {
		HASH_FIND(hh, profiles->by_key, profile->key,
			  profile->key_count * sizeof(*profile->key), found);
		if (!found) {
			r = enter(profiles, profile);
			found = r == 0 ? profile : NULL;
		}
	}
	if (r == 0)
		*ret_profile = found;
	if (found == profile)
		return r;
	for (size_t i = 0; i < profile->section_count; i++)
		((struct wf_law_section *)profile->sections[i])->law->refs--;
	profile->section_count = 0;
	free_profile(profile, NULL);
	return r;
}

void wf_profile_retire(struct wf_profiles *profiles, struct wf_profile *profile)
{
	HASH_DEL(profiles->by_key, profile);
	profile->next_dead = profiles->dead;
	profiles->dead = profile;
}

void wf_profile_free(struct wf_profiles *profiles, struct wf_profile *profile,
		     struct wf_judge *judge)
{
	for (size_t i = 0; i < profile->pair_count; i++)
		wf_run_unref(judge->runs, profile->pairs[i].run);
	for (int who = 0; who < WF_WHO_COUNT; who++)
		wf_run_unref(judge->runs, profile->base[who]);
	wf_run_unref(judge->runs, profile->own);
	if (profile->id) {
		profiles->table[profile->id] = (struct wf_policy_run){ 0 };
		wf_bits_set(&profiles->unused, profile->id);
	}
	free_profile(profile, judge->laws);
}

/* Index of the first pair whose class is not below. */
static size_t pair_position(const struct wf_profile *profile, uint32_t class_id)
{
	size_t low = 0, high = profile->pair_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (profile->pairs[middle].class_id < class_id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct wf_pair *wf_profile_pair(const struct wf_profile *profile, uint32_t class_id)
{
	size_t at = pair_position(profile, class_id);

	return at < profile->pair_count && profile->pairs[at].class_id == class_id
		       ? &profile->pairs[at]
		       : NULL;
}

void wf_profile_pair_add(struct wf_profile *profile, uint32_t class_id, struct wf_run *run)
{
	size_t at = pair_position(profile, class_id);

	memmove(&profile->pairs[at + 1], &profile->pairs[at],
		(profile->pair_count - at) * sizeof(*profile->pairs));
	profile->pairs[at] = (struct wf_pair){ class_id, run };
	profile->pair_count++;
}
