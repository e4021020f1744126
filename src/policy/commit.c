/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a plan, in an order that shows no packet half of it; and the way back. */
#include <errno.h>
#include <string.h>

#include "policy/engine_priv.h"

#define BATCH 1024

uint32_t wf_force_profile(const struct wf_force *force, int dir)
{
	if (force->profiles[dir])
		return force->profiles[dir]->id;
	return force->is_sealed ? WF_POLICY_PROFILE_DENY_ALL : WF_POLICY_PROFILE_NONE;
}

uint32_t wf_force_class(const struct wf_force *force, int family)
{
	return force->classes[family]->id | (force->is_odd[family] ? WF_POLICY_CLASS_ODD : 0);
}

/* Programs read it at the same time; what it leads to was written before. */
static void store(volatile uint32_t *field, uint32_t value)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*field = value;
}

/* Pairs on their way to the effect, many at once. */
struct batch {
	struct wf_policy_engine *engine;
	struct wf_policy_pair_key keys[BATCH];
	struct wf_policy_run runs[BATCH];
	size_t count;
	bool is_deletion;
	int result; /* of the first that failed */
};

static int flush(struct batch *batch, struct wf_err *err)
{
	const struct wf_policy_effects *effects = &batch->engine->effects;

	if (batch->count && batch->result == 0)
		batch->result =
			effects->pairs_set(batch->keys, batch->is_deletion ? NULL : batch->runs,
					   batch->count, effects->context, err);
	batch->count = 0;
	return batch->result;
}

static int add(struct batch *batch, const struct wf_profile *profile, uint32_t id,
	       const struct wf_run *run, struct wf_err *err)
{
	batch->keys[batch->count] = (struct wf_policy_pair_key){ profile->id, id };
	batch->runs[batch->count++] = run->place;
	return batch->count == BATCH ? flush(batch, err) : batch->result;
}

/* Of all new profiles, and new ones of those that stay; when deleting all are tried. */
static int write_pairs(struct wf_policy_engine *engine, bool is_deletion, struct wf_err *err)
{
	const struct wf_plan *plan = &engine->plan;
	struct batch batch = { .engine = engine, .is_deletion = is_deletion };

	for (size_t i = 0; i < plan->profile_count; i++) {
		const struct wf_profile *profile = plan->profiles[i];

		for (size_t j = 0; batch.result == 0 && j < profile->pair_count; j++)
			(void)add(&batch, profile, profile->pairs[j].class_id,
				  profile->pairs[j].run, err);
	}
	for (size_t i = 0; batch.result == 0 && i < plan->pair_count; i++)
		(void)add(&batch, plan->pairs[i].profile, plan->pairs[i].class_id,
			  plan->pairs[i].run, err);
	return flush(&batch, err);
}

uint32_t wf_engine_prefix_class(const struct wf_place *record)
{
	const struct wf_class *class = wf_prefix_class(record);

	if (record->is_adopted)
		return record->adopted_id;
	return class ? class->id : 0;
}

static int set_prefix(struct wf_policy_engine *engine, const struct wf_place *record, uint32_t id,
		      bool present, struct wf_err *err)
{
	const struct wf_prefix prefix = wf_place_prefix(record);

	return engine->effects.prefix_set(record->scope, &prefix,
					  present ? id : WF_POLICY_CLASS_WORLD, present,
					  engine->effects.context, err);
}

static int flush_prefixes(struct wf_policy_engine *engine, struct wf_err *err)
{
	return engine->effects.prefixes_flush
		       ? engine->effects.prefixes_flush(engine->effects.context, err)
		       : 0;
}

/* is_going: those that are deleted; otherwise those that are set. */
static int write_prefixes(struct wf_policy_engine *engine, bool is_going, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->prefix_count; i++) {
		struct wf_prefix_flip *flip = &plan->prefixes[i];
		const struct wf_place *record = flip->record;
		bool is_same =
			record->is_there && wf_engine_prefix_class(record) == flip->class->id;
		int r;

		if (is_going ? !flip->goes : is_same)
			continue;
		r = set_prefix(engine, record, flip->class->id, !is_going, err);
		if (r < 0)
			return r;
		if (is_going)
			flip->is_gone = true;
		else
			flip->is_set = true;
	}
	return is_going ? 0 : flush_prefixes(engine, err);
}

static void write_classes(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->flip_count; i++) {
		struct wf_flip *flip = &plan->flips[i];
		struct wf_policy_subject_value *subject = &engine->memory.subjects[flip->slot];

		flip->was = *subject;
		for (int j = 0; j < 2; j++)
			store(&subject->class_id[j], wf_force_class(&flip->will, j));
	}
	plan->classes_written = plan->flip_count;
}

/* Whether a slot's guard has to be told, and what. */
static bool needs_guard(const struct wf_policy_engine *engine, const struct wf_flip *flip,
			bool *ret_guarded)
{
	const struct wf_slot *slot = &engine->slots[flip->slot];

	*ret_guarded = wf_force_profile(&flip->will, WF_POLICY_INGRESS) != WF_POLICY_PROFILE_NONE ||
		       wf_force_profile(&flip->will, WF_POLICY_EGRESS) != WF_POLICY_PROFILE_NONE;
	/* the guard of an endpoint that is gone went with it */
	if (flip->slot != WF_SLOT_HOST && !slot->now)
		return false;
	return !slot->is_told || slot->is_guarded != *ret_guarded;
}

static int set_guard(struct wf_policy_engine *engine, uint32_t slot, bool guarded,
		     struct wf_err *err)
{
	return engine->effects.guard_set(slot, guarded, engine->effects.context, err);
}

static bool is_asked(uint32_t profile)
{
	return profile >= WF_POLICY_PROFILE_FIRST;
}

/* Tells of a flip, or of its undoing, that has policies asked in a direction where they were not. */
static void tell_closing(struct wf_policy_engine *engine, const struct wf_flip *flip,
			 bool is_undone, bool is_written)
{
	bool closes = false;

	for (int i = 0; i < WF_POLICY_DIR_COUNT; i++) {
		bool was = is_asked(flip->was.profile[i]);
		bool will = is_asked(wf_force_profile(&flip->will, i));

		closes |= is_undone ? was && !will : will && !was;
	}
	if (closes && engine->effects.closes)
		engine->effects.closes(flip->slot, is_written, engine->effects.context);
}

static int write_subjects(struct wf_policy_engine *engine, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->flip_count; i++)
		tell_closing(engine, &plan->flips[i], false, false);
	for (size_t i = 0; i < plan->flip_count; i++) {
		const struct wf_flip *flip = &plan->flips[i];
		struct wf_policy_subject_value *subject = &engine->memory.subjects[flip->slot];
		bool guarded;
		int r;

		for (int j = 0; j < WF_POLICY_DIR_COUNT; j++)
			store(&subject->profile[j], wf_force_profile(&flip->will, j));
		plan->subjects_written = i + 1;
		tell_closing(engine, flip, false, true);
		if (!needs_guard(engine, flip, &guarded))
			continue;
		r = set_guard(engine, flip->slot, guarded, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_plan(struct wf_policy_engine *engine, struct wf_err *err)
{
	struct wf_plan *plan = &engine->plan;
	int r;

	for (size_t i = 0; i < plan->profile_count; i++)
		engine->memory.profiles[plan->profiles[i]->id] = plan->profiles[i]->own->place;
	plan->pairs_written = true;
	r = write_pairs(engine, false, err);
	if (r == 0)
		r = write_prefixes(engine, false, err);
	if (r < 0)
		return r;
	write_classes(engine);
	r = write_prefixes(engine, true, err);
	if (r == 0)
		r = write_subjects(engine, err);
	if (r == 0 && (plan->flip_count || plan->prefix_count))
		r = engine->effects.revise(engine->effects.context, err);
	return r;
}

static void undo_subjects(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;

	for (size_t i = plan->subjects_written; i--;) {
		const struct wf_flip *flip = &plan->flips[i];
		const struct wf_slot *slot = &engine->slots[flip->slot];
		struct wf_policy_subject_value *subject = &engine->memory.subjects[flip->slot];
		bool was = flip->was.profile[0] || flip->was.profile[1], guarded;

		if (needs_guard(engine, flip, &guarded))
			(void)set_guard(engine, flip->slot, slot->is_told ? slot->is_guarded : was,
					NULL);
		for (int j = 0; j < WF_POLICY_DIR_COUNT; j++)
			store(&subject->profile[j], flip->was.profile[j]);
		tell_closing(engine, flip, true, true);
	}
}

/* is_going: those that were deleted come back; otherwise those that were set. */
static void undo_prefixes(struct wf_policy_engine *engine, bool is_going)
{
	struct wf_plan *plan = &engine->plan;

	for (size_t i = plan->prefix_count; i--;) {
		struct wf_prefix_flip *flip = &plan->prefixes[i];
		const struct wf_place *record = flip->record;

		if (is_going && flip->is_gone)
			(void)set_prefix(engine, record, flip->class->id, true, NULL);
		if (!is_going && flip->is_set)
			(void)set_prefix(engine, record, wf_engine_prefix_class(record),
					 record->is_there, NULL);
	}
	(void)flush_prefixes(engine, NULL);
}

/* The way back; in reverse order, so that it shows no packet half of it either. */
static void undo_plan(struct wf_policy_engine *engine)
{
	struct wf_plan *plan = &engine->plan;

	undo_subjects(engine);
	undo_prefixes(engine, true);
	for (size_t i = plan->classes_written; i--;) {
		const struct wf_flip *flip = &plan->flips[i];
		struct wf_policy_subject_value *subject = &engine->memory.subjects[flip->slot];

		for (int j = 0; j < 2; j++)
			store(&subject->class_id[j], flip->was.class_id[j]);
	}
	undo_prefixes(engine, false);
	if (plan->pairs_written)
		(void)write_pairs(engine, true, NULL);
	/* numbers that were shown and are fresh again may mean something else next time */
	if (plan->pairs_written)
		(void)engine->effects.revise(engine->effects.context, NULL);
}

void wf_engine_release_class(struct wf_policy_engine *engine, struct wf_class *class)
{
	if (class && --class->refs == 0)
		wf_class_retire(&engine->classes, class, class->is_passing);
}

void wf_engine_release(struct wf_policy_engine *engine, const struct wf_force *force)
{
	for (int i = 0; i < 2; i++) {
		struct wf_profile *profile = force->profiles[i];

		wf_engine_release_class(engine, force->classes[i]);
		if (profile && --profile->refs == 0)
			wf_profile_retire(&engine->profiles, profile);
	}
}

static void settle_flips(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;

	for (size_t i = 0; i < plan->flip_count; i++) {
		const struct wf_flip *flip = &plan->flips[i];
		struct wf_slot *slot = &engine->slots[flip->slot];
		bool guarded;

		if (needs_guard(engine, flip, &guarded)) {
			slot->is_told = true;
			slot->is_guarded = guarded;
		}
		if (flip->slot != WF_SLOT_HOST && !slot->now)
			slot->is_told = false;
		wf_engine_release(engine, &slot->force);
		slot->force = flip->will;
	}
	for (size_t i = 0; i < plan->prefix_count; i++) {
		const struct wf_prefix_flip *flip = &plan->prefixes[i];

		wf_engine_release_class(engine, wf_prefix_class(flip->record));
		if (flip->goes)
			wf_engine_release_class(engine, flip->class);
		wf_prefix_set_class(flip->record, flip->goes ? NULL : flip->class);
		flip->record->is_there = !flip->goes;
	}
}

/* What was fresh is in force; fresh things that nobody names after all go. */
static void settle_fresh(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;
	struct wf_profile *profile, *next;

	for (size_t i = 0; i < plan->pair_count; i++)
		wf_profile_pair_add(plan->pairs[i].profile, plan->pairs[i].class_id,
				    plan->pairs[i].run);
	for (size_t i = 0; i < plan->atom_count; i++)
		plan->atoms[i]->is_fresh = false;
	wf_numbers_done(&engine->atoms.fresh);
	wf_classes_settle(&engine->classes);
	HASH_ITER(hh, engine->profiles.by_key, profile, next) {
		bool was_fresh = profile->is_fresh;

		profile->is_fresh = false;
		if (!was_fresh || profile->refs)
			continue;
		HASH_DEL(engine->profiles.by_key, profile);
		wf_profile_free(&engine->profiles, profile, &engine->judge);
	}
}

static void finish(struct wf_policy_engine *engine)
{
	settle_fresh(engine);
	settle_flips(engine);
	wf_book_settle(&engine->policies);
	wf_book_settle(&engine->namespaces);
	wf_book_settle(&engine->nodes);
	wf_remotes_settle(engine);
	wf_book_settle(&engine->services);
	wf_slots_settle(engine);
	engine->has_loose = false;
	wf_plan_drop(engine, true);
	wf_engine_forget_adopted(engine);
}

void wf_engine_restore(struct wf_policy_engine *engine)
{
	wf_slots_restore(engine);
	wf_book_restore(&engine->services);
	wf_remotes_restore(engine);
	wf_book_restore(&engine->nodes);
	wf_book_restore(&engine->namespaces);
	wf_book_restore(&engine->policies);
	wf_places_clear(&engine->objects);
}

/* Plans and writes what was gathered; when that fails nothing is left of either. */
static int carry_out(struct wf_policy_engine *engine, struct wf_err *err)
{
	int r = wf_plan_make(engine, err);

	if (r == 0) {
		r = write_plan(engine, err);
		if (r < 0)
			undo_plan(engine);
	}
	if (r == 0)
		finish(engine);
	else
		wf_plan_drop(engine, false);
	return r;
}

int wf_engine_commit(struct wf_policy_engine *engine, struct wf_err *err)
{
	bool has_swept = wf_engine_sweep(engine, false);
	int r;

	for (uint32_t i = 0; engine->has_doomed && i < engine->slot_count; i++)
		if (engine->slots[i].is_doomed && !engine->slots[i].is_touched)
			wf_slot_set(engine, i, NULL);
	r = carry_out(engine, err);
	/* what rests is in the way */
	if (r == -ENOSPC && !has_swept && wf_engine_sweep(engine, true))
		r = carry_out(engine, err);
	if (r < 0)
		wf_engine_restore(engine);
	return r;
}
