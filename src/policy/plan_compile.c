/* SPDX-License-Identifier: Apache-2.0 */
/* Of the plan: numbers for new classes and profiles, their runs and pairs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/engine_priv.h"

static void refer(struct wf_plan *plan)
{
	for (size_t i = 0; i < plan->flip_count; i++)
		for (int j = 0; j < 2; j++) {
			plan->flips[i].will.classes[j]->refs++;
			if (plan->flips[i].will.profiles[j])
				plan->flips[i].will.profiles[j]->refs++;
		}
	for (size_t i = 0; i < plan->prefix_count; i++)
		plan->prefixes[i].class->refs++;
	plan->is_referenced = true;
}

/* A user goes from one class to another. */
static void note_move(struct wf_class *from, struct wf_class *to, uint32_t stamp)
{
	if (!from || from == to)
		return;
	if (from->move_stamp != stamp) {
		from->move_stamp = stamp;
		from->heir = from->source = NULL;
		from->leaving = 0;
		from->is_unsure = false;
	}
	from->leaving++;
	if (from->heir && from->heir != to)
		from->is_unsure = true;
	from->heir = to;
	if (!to->is_fresh)
		return;
	if (to->source && to->source != from)
		to->is_unsure = true;
	to->source = from;
}

/*
 * A class of which all users go to the same new one, which only knows more or fewer atoms that are
 * of no concern yet: the new one takes over its number and pairs, and no user has to be written.
 */
static void find_heirs(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->flip_count; i++)
		for (int j = 0; j < 2; j++)
			note_move(engine->slots[plan->flips[i].slot].force.classes[j],
				  plan->flips[i].will.classes[j], plan->stamp);
	for (size_t i = 0; i < plan->prefix_count; i++)
		note_move(wf_prefix_class(plan->prefixes[i].record), plan->prefixes[i].class,
			  plan->stamp);
}

static bool inherits(const struct wf_policy_engine *engine, const struct wf_class *class)
{
	const struct wf_class *source = class->source;

	return source && !class->is_unsure && !source->is_unsure && source->heir == class &&
	       source->leaving == source->refs && source != engine->classes.world &&
	       wf_class_is_like(&engine->atoms, source, class);
}

/* A class of an earlier daemon, and the one that its user is to have now. */
struct bequest {
	uint32_t id;
	struct wf_class *class;
};

static int compare_bequests(const void *a, const void *b)
{
	const struct bequest *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/*
 * Numbers of an earlier daemon's classes go on for what now stands for the same: so its profiles
 * find their pairs until each subject is turned over.
 */
static int inherit_adopted(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;
	_cleanup_free_ struct bequest *bequests =
		calloc(plan->flip_count * 2 + plan->prefix_count + 1, sizeof(*bequests));
	size_t count = 0;

	if (!bequests)
		return -ENOMEM;
	for (size_t i = 0; i < plan->flip_count; i++)
		for (int j = 0; j < 2; j++)
			bequests[count++] = (struct bequest){
				engine->memory.subjects[plan->flips[i].slot].class_id[j] &
					~WF_POLICY_CLASS_ODD,
				plan->flips[i].will.classes[j],
			};
	for (size_t i = 0; i < plan->prefix_count; i++) {
		const struct wf_place *record = plan->prefixes[i].record;

		bequests[count++] = (struct bequest){ record->is_adopted ? record->adopted_id : 0,
						      plan->prefixes[i].class };
	}
	qsort(bequests, count, sizeof(*bequests), compare_bequests);
	for (size_t i = 0; i < count; i++) {
		struct wf_class *class = bequests[i].class;

		if (!bequests[i].id || !class->is_fresh || class->id ||
		    (i && bequests[i].id == bequests[i - 1].id &&
		     bequests[i - 1].class->id == bequests[i].id))
			continue;
		class->id = bequests[i].id;
	}
	return 0;
}

/* Drops classes that turned out not to be used; numbers the others. */
static int number_classes(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = engine->classes.count; i-- > engine->classes.settled;)
		if (!engine->classes.items[i]->refs)
			wf_class_retire(&engine->classes, engine->classes.items[i], true);
	find_heirs(engine);
	if (engine->has_adopted && inherit_adopted(engine) < 0)
		return -ENOMEM;
	for (size_t i = engine->classes.settled; i < engine->classes.count; i++) {
		struct wf_class *class = engine->classes.items[i];

		if (inherits(engine, class)) {
			class->id = class->source->id;
			continue;
		}
		class->source = NULL;
		if (wf_mem_grow(&plan->classes, sizeof(void *), plan->class_count,
				&plan->class_capacity) < 0)
			return -ENOMEM;
		if (!class->id)
			wf_class_number(&engine->classes, class);
		plan->classes[plan->class_count++] = class;
	}
	return 0;
}

static int number_profiles(struct wf_policy_engine *engine, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_profile *profile, *next;

	HASH_ITER(hh, engine->profiles.by_key, profile, next) {
		uint32_t id;

		if (!profile->is_fresh || !profile->refs)
			continue;
		if (wf_mem_grow(&plan->profiles, sizeof(void *), plan->profile_count,
				&plan->profile_capacity) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		id = wf_bits_next(&engine->profiles.unused, 0);
		if (id == WF_BITS_NONE)
			return wf_fail(err, -ENOSPC, "the table of policy profiles is full (%u)",
				       engine->profiles.count);
		wf_bits_clear(&engine->profiles.unused, id);
		profile->id = id;
		plan->profiles[plan->profile_count++] = profile;
	}
	return 0;
}

/* The atoms that new profiles ask for; ret_mask: all of them. */
static int want_atoms(struct wf_policy_engine *engine, struct wf_atom_mask *ret_mask)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->profile_count; i++)
		for (size_t j = 0; j < plan->profiles[i]->hit_count; j++) {
			struct wf_atom *atom = engine->atoms.items[plan->profiles[i]->hits[j].atom];

			if (atom->is_wanted)
				continue;
			if (wf_mem_grow(&plan->wanted, sizeof(void *), plan->wanted_count,
					&plan->wanted_capacity) < 0)
				return -ENOMEM;
			plan->wanted[plan->wanted_count++] = atom;
			atom->is_wanted = true;
			atom->found = 0;
			wf_atom_mask_add(ret_mask, atom->number);
		}
	return 0;
}

/* Counts, and with `lists` enters, the classes that have each of them. */
static void find_wanted(struct wf_policy_engine *engine, const struct wf_atom_mask *mask,
			struct wf_class **lists)
{
	const struct wf_classes *classes = &engine->classes;

	for (size_t i = 0; i < classes->count; i++) {
		struct wf_class *class;

		if (!wf_atom_mask_meets(&classes->traits[i].mask, mask))
			continue;
		class = classes->items[i];
		for (size_t j = 1; j < class->item_count; j++) {
			uint32_t number = WF_CLASS_ITEM_NUMBER(class->items[j]);
			struct wf_atom *atom = engine->atoms.items[number];

			if (!atom->is_wanted)
				continue;
			if (lists)
				lists[atom->offset + atom->found] = class;
			atom->found++;
		}
	}
}

/* For each atom that a new profile asks for, the classes that have it. */
static int list_classes(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_atom_mask mask = { 0 };
	uint32_t total = 0;

	if (want_atoms(engine, &mask) < 0)
		return -ENOMEM;
	find_wanted(engine, &mask, NULL);
	for (size_t i = 0; i < plan->wanted_count; i++) {
		plan->wanted[i]->offset = total;
		total += plan->wanted[i]->found;
		plan->wanted[i]->found = 0;
	}
	plan->lists = calloc(total + 1, sizeof(void *));
	if (!plan->lists)
		return -ENOMEM;
	find_wanted(engine, &mask, plan->lists);
	return 0;
}

static int add_pair(struct wf_profile *profile, const struct wf_class *class, struct wf_run *run)
{
	if (wf_mem_grow(&profile->pairs, sizeof(*profile->pairs), profile->pair_count,
			&profile->pair_capacity) < 0)
		return -ENOMEM;
	profile->pairs[profile->pair_count++] = (struct wf_pair){ class->id, run };
	return 0;
}

/* The cells of all classes that have an atom of a profile, as pairs for now. */
static int compile_hits(struct wf_policy_engine *engine, struct wf_profile *profile, size_t *of_who,
			struct wf_err *err)
{
	uint32_t stamp = ++engine->class_stamp;
	uint32_t last = 0;

	for (size_t i = 0; i < profile->hit_count; i++) {
		const struct wf_atom *atom = engine->atoms.items[profile->hits[i].atom];

		for (size_t j = 0; atom->number != last && j < atom->found; j++) {
			struct wf_class *class = engine->plan.lists[atom->offset + j];
			struct wf_run *run;
			int r;

			/* a class that passes to its heir is the heir */
			if (class->stamp == stamp || class->is_passing)
				continue;
			class->stamp = stamp;
			r = wf_judge_cell(&engine->judge, profile, class->who, class, &run, err);
			if (r < 0)
				return r;
			if (add_pair(profile, class, run) < 0) {
				wf_run_unref(&engine->runs, run);
				return wf_fail(err, -ENOMEM, "out of memory");
			}
			of_who[class->who]++;
		}
		last = atom->number;
	}
	return 0;
}

/* The run that most classes have. */
static struct wf_run *choose_own(const struct wf_policy_engine *engine, struct wf_profile *profile,
				 const size_t *of_who)
{
	struct wf_run *own = profile->base[WF_WHO_ENDPOINT];

	for (size_t i = 0; i < profile->pair_count; i++)
		profile->pairs[i].run->tally = 0;
	for (int who = 0; who < WF_WHO_COUNT; who++)
		profile->base[who]->tally = 0;
	for (size_t i = 0; i < profile->pair_count; i++)
		profile->pairs[i].run->tally++;
	for (int who = 0; who < WF_WHO_COUNT; who++)
		profile->base[who]->tally += engine->classes.of_who[who] - of_who[who];
	for (size_t i = 0; i < profile->pair_count; i++)
		if (profile->pairs[i].run->tally > own->tally)
			own = profile->pairs[i].run;
	for (int who = 0; who < WF_WHO_COUNT; who++)
		if (profile->base[who]->tally > own->tally)
			own = profile->base[who];
	return own;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct wf_pair *x = a, *y = b;

	return x->class_id < y->class_id ? -1 : x->class_id > y->class_id;
}

/* Leaves only pairs that differ from the profile's own run, and adds the others that do. */
static int finish_pairs(struct wf_policy_engine *engine, struct wf_profile *profile)
{
	size_t kept = 0;
	bool differs = false;

	for (size_t i = 0; i < profile->pair_count; i++) {
		if (profile->pairs[i].run == profile->own)
			wf_run_unref(&engine->runs, profile->pairs[i].run);
		else
			profile->pairs[kept++] = profile->pairs[i];
	}
	profile->pair_count = kept;
	for (int who = 0; who < WF_WHO_COUNT; who++)
		differs |= profile->base[who] != profile->own;
	for (size_t i = 0; differs && i < engine->classes.count; i++) {
		struct wf_run *run = profile->base[engine->classes.traits[i].who];
		struct wf_class *class = engine->classes.items[i];

		if (run == profile->own || class->stamp == engine->class_stamp || class->is_passing)
			continue;
		if (add_pair(profile, class, run) < 0)
			return -ENOMEM;
		run->refs++;
	}
	if (profile->pair_count)
		qsort(profile->pairs, profile->pair_count, sizeof(*profile->pairs), compare_pairs);
	return 0;
}

static int compile_profile(struct wf_policy_engine *engine, struct wf_profile *profile,
			   struct wf_err *err)
{
	size_t of_who[WF_WHO_COUNT] = { 0 };
	int r = 0;

	for (int who = 0; r == 0 && who < WF_WHO_COUNT; who++)
		r = wf_judge_cell(&engine->judge, profile, (enum wf_who)who, NULL,
				  &profile->base[who], err);
	if (r == 0)
		r = compile_hits(engine, profile, of_who, err);
	if (r < 0)
		return r;
	profile->own = choose_own(engine, profile, of_who);
	profile->own->refs++;
	if (finish_pairs(engine, profile) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

/* A profile that stays meets a new class. */
static int add_new_pair(struct wf_policy_engine *engine, struct wf_profile *profile,
			struct wf_class *class, size_t *added, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_run *run = profile->base[class->who];
	int r = 0;

	if (wf_atom_mask_meets(&profile->mask, &class->mask))
		r = wf_judge_cell(&engine->judge, profile, class->who, class, &run, err);
	else
		run->refs++;
	if (r < 0)
		return r;
	if (run == profile->own) {
		wf_run_unref(&engine->runs, run);
		return 0;
	}
	while (r == 0 && profile->pair_capacity < profile->pair_count + *added + 1)
		r = wf_mem_grow(&profile->pairs, sizeof(*profile->pairs), profile->pair_capacity,
				&profile->pair_capacity);
	if (r == 0)
		r = wf_mem_grow(&plan->pairs, sizeof(*plan->pairs), plan->pair_count,
				&plan->pair_capacity);
	if (r < 0) {
		wf_run_unref(&engine->runs, run);
		return wf_fail(err, r, "out of memory");
	}
	plan->pairs[plan->pair_count++] = (struct wf_new_pair){ profile, class->id, run };
	++*added;
	return 0;
}

static int add_new_pairs(struct wf_policy_engine *engine, struct wf_err *err)
{
	const struct wf_plan *plan = &engine->plan;
	struct wf_profile *profile = plan->class_count ? engine->profiles.by_key : NULL;

	for (; profile; profile = profile->hh.next) {
		size_t added = 0;

		for (size_t i = 0; !profile->is_fresh && i < plan->class_count; i++) {
			int r = add_new_pair(engine, profile, plan->classes[i], &added, err);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int wf_plan_compile(struct wf_policy_engine *engine, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;
	int r;

	refer(plan);
	r = number_classes(engine);
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	for (size_t i = engine->classes.settled; i < engine->classes.count; i++)
		if (engine->classes.items[i]->source)
			engine->classes.items[i]->source->is_passing = true;
	r = number_profiles(engine, err);
	if (r == 0 && plan->profile_count && list_classes(engine) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < plan->profile_count; i++)
		r = compile_profile(engine, plan->profiles[i], err);
	return r == 0 ? add_new_pairs(engine, err) : r;
}
