/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a change from its making to its end; see engine_priv.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/engine_priv.h"

void wf_plan_done(struct wf_plan *plan)
{
	free(plan->flips);
	free(plan->marked);
	free(plan->prefixes);
	free(plan->profiles);
	free(plan->classes);
	free(plan->pairs);
	free(plan->atoms);
	free(plan->wanted);
	free(plan->lists);
	memset(plan, 0, sizeof(*plan));
}

int wf_plan_make(struct wf_policy_engine *engine, struct wf_err *err)
{
	int r;

	engine->plan.stamp++;
	r = wf_plan_atoms(engine);
	if (r == 0)
		r = wf_plan_subjects(engine);
	if (r == 0)
		r = wf_plan_prefixes(engine);
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	return wf_plan_compile(engine, err);
}

/* Gives up what was planned: references, then what nobody names. */
static void give_up(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_profile *profile, *next;

	for (size_t i = 0; plan->is_referenced && i < plan->flip_count; i++)
		for (int j = 0; j < 2; j++) {
			plan->flips[i].will.classes[j]->refs--;
			if (plan->flips[i].will.profiles[j])
				plan->flips[i].will.profiles[j]->refs--;
		}
	for (size_t i = 0; plan->is_referenced && i < plan->prefix_count; i++)
		plan->prefixes[i].class->refs--;
	for (size_t i = 0; i < plan->pair_count; i++)
		wf_run_unref(&engine->runs, plan->pairs[i].run);
	for (size_t i = engine->classes.count; i-- > engine->classes.settled;) {
		struct wf_class *class = engine->classes.items[i];

		if (class->source)
			class->source->is_passing = false;
		wf_class_retire(&engine->classes, class, true);
	}
	HASH_ITER(hh, engine->profiles.by_key, profile, next) {
		if (!profile->is_fresh)
			continue;
		HASH_DEL(engine->profiles.by_key, profile);
		wf_profile_free(&engine->profiles, profile, &engine->judge);
	}
}

static void clear(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_plan fresh = { .stamp = plan->stamp };

	for (size_t i = 0; i < plan->marked_count; i++)
		plan->marked[i]->is_marked = false;
	for (size_t i = 0; i < plan->wanted_count; i++)
		plan->wanted[i]->is_wanted = false;
	if (plan->has_looked)
		for (struct wf_group *group = engine->objects.groups; group; group = group->hh.next)
			group->is_dirty = false;
	/* a subject's scratch may outlive the flips: the stamp tells */
	fresh.stamp = plan->stamp + 1;
	wf_plan_done(plan);
	*plan = fresh;
}

/* Prefixes that nothing asks for and that have no entry are forgotten. */
static void forget_prefixes(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;
	size_t kept = 0;

	for (size_t i = 0; i < plan->marked_count; i++) {
		struct wf_place *record = plan->marked[i];

		if (record->is_there || record->bounds) {
			plan->marked[kept++] = record;
			continue;
		}
		wf_prefix_drop(engine, record);
	}
	plan->marked_count = kept;
}

void wf_plan_drop(struct wf_policy_engine *engine, bool is_done)
{
	if (!is_done)
		give_up(engine);
	forget_prefixes(engine);
	clear(engine);
	wf_places_clear(&engine->objects);
}
