/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is named no more is freed with a change after: as soon as no program is at work with it any
 * more, and numbers and places may mean something else. Nothing here can fail for good: what an
 * effect refuses to delete is tried again.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/engine_priv.h"

#define BATCH 1024

static int delete_pairs(struct wf_policy_engine *engine, const struct wf_policy_pair_key *keys,
			size_t count)
{
	return count ? engine->effects.pairs_set(keys, NULL, count, engine->effects.context, NULL)
		     : 0;
}

static int delete_of_profile(struct wf_policy_engine *engine, const struct wf_profile *profile)
{
	struct wf_policy_pair_key keys[BATCH];
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < profile->pair_count; i++) {
		keys[count++] =
			(struct wf_policy_pair_key){ profile->id, profile->pairs[i].class_id };
		if (count < BATCH)
			continue;
		r = delete_pairs(engine, keys, count);
		count = 0;
	}
	return r == 0 ? delete_pairs(engine, keys, count) : r;
}

static void sweep_profiles(struct wf_policy_engine *engine)
{
	struct wf_profile **at = &engine->profiles.dead;

	while (*at) {
		struct wf_profile *profile = *at;

		if (delete_of_profile(engine, profile) < 0) {
			at = &profile->next_dead;
			continue;
		}
		*at = profile->next_dead;
		wf_profile_free(&engine->profiles, profile, &engine->judge);
	}
}

static void remove_pair(struct wf_policy_engine *engine, struct wf_profile *profile,
			uint32_t class_id)
{
	struct wf_pair *pair = wf_profile_pair(profile, class_id);
	size_t at;

	if (!pair)
		return;
	wf_run_unref(&engine->runs, pair->run);
	at = (size_t)(pair - profile->pairs);
	memmove(pair, pair + 1, (profile->pair_count - at - 1) * sizeof(*pair));
	profile->pair_count--;
}

/* Pairs that are to go, and whose. */
struct going {
	struct wf_policy_pair_key keys[BATCH];
	struct wf_profile *profiles[BATCH];
	size_t count;
};

static int flush(struct wf_policy_engine *engine, struct going *going)
{
	int r = delete_pairs(engine, going->keys, going->count);

	for (size_t i = 0; r == 0 && i < going->count; i++)
		remove_pair(engine, going->profiles[i], going->keys[i].class_id);
	going->count = 0;
	return r;
}

static int delete_of_class(struct wf_policy_engine *engine, const struct wf_class *class,
			   struct going *going)
{
	for (struct wf_profile *profile = engine->profiles.by_key; profile;
	     profile = profile->hh.next) {
		if (!wf_profile_pair(profile, class->id))
			continue;
		going->keys[going->count] = (struct wf_policy_pair_key){ profile->id, class->id };
		going->profiles[going->count++] = profile;
		if (going->count == BATCH && flush(engine, going) < 0)
			return -1;
	}
	return 0;
}

static void sweep_classes(struct wf_policy_engine *engine)
{
	struct wf_class *dead = engine->classes.dead;
	struct going going;
	int r = 0;

	going.count = 0;
	for (const struct wf_class *class = dead; r == 0 && class; class = class->next_dead)
		r = delete_of_class(engine, class, &going);
	if (r < 0 || flush(engine, &going) < 0)
		return;
	while ((dead = engine->classes.dead)) {
		engine->classes.dead = dead->next_dead;
		free(dead->items);
		free(dead);
	}
}

/* Atoms that no policy asks for leave groups, classes and prefixes. */
static void sweep_atoms(struct wf_policy_engine *engine)
{
	struct wf_atoms *atoms = &engine->atoms;

	for (size_t i = 0; atoms->idle && i < atoms->count; i++) {
		struct wf_atom *atom = atoms->items[i];
		struct wf_group *group = engine->objects.groups;

		if (!atom || atom->refs)
			continue;
		for (; group && atom->type <= WF_ATOM_NODES; group = group->hh.next)
			wf_numbers_remove(&group->matched, atom->number);
		if (atom->type > WF_ATOM_SUBJECT_NODE)
			wf_classes_strip(&engine->classes, atom->number);
		if (atom->is_bounded)
			wf_atom_count_bounds(engine, atom, false);
		/* entries of addresses may have been there for it alone */
		if (atom->type == WF_ATOM_CIDR || atom->type == WF_ATOM_SERVICE)
			engine->has_loose = true;
		wf_atoms_remove(atoms, atom);
	}
}

bool wf_engine_sweep(struct wf_policy_engine *engine, bool is_needed)
{
	const struct wf_policy_effects *effects = &engine->effects;

	if (effects->may_free && !effects->may_free(is_needed, effects->context))
		return false;
	sweep_profiles(engine);
	sweep_classes(engine);
	sweep_atoms(engine);
	if (!engine->has_adopted)
		wf_engine_forget_adopted(engine);
	return true;
}

static bool delete_adopted(struct wf_policy_engine *engine)
{
	while (engine->adopted_count) {
		size_t count = engine->adopted_count < BATCH ? engine->adopted_count : BATCH;

		if (delete_pairs(engine, &engine->adopted_pairs[engine->adopted_count - count],
				 count) < 0)
			return false;
		engine->adopted_count -= count;
	}
	free(engine->adopted_pairs);
	engine->adopted_pairs = NULL;
	engine->adopted_capacity = 0;
	return true;
}

void wf_engine_forget_adopted(struct wf_policy_engine *engine)
{
	uint32_t id;

	engine->has_adopted = false;
	/* pairs that stay keep the numbers of their profiles */
	if (!delete_adopted(engine))
		return;
	wf_runs_release(&engine->runs);
	while ((id = wf_bits_next(&engine->profiles.adopted, 0)) != WF_BITS_NONE) {
		wf_bits_clear(&engine->profiles.adopted, id);
		engine->profiles.table[id] = (struct wf_policy_run){ 0 };
		wf_bits_set(&engine->profiles.unused, id);
	}
}
