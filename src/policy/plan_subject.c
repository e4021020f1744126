/* SPDX-License-Identifier: Apache-2.0 */
/* Of the plan: subjects and prefixes that are to change. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/engine_priv.h"

/* The profiles of a group, and the class of its plain members; found once in a plan. */
static int judge_group(struct wf_policy_engine *engine, struct wf_group *group, enum wf_who who)
{
	int r = group->is_matched ? 0 : wf_plan_match(engine, group);

	if (group->stamp == engine->plan.stamp)
		return r;
	for (int dir = 0; r == 0 && dir < WF_POLICY_DIR_COUNT; dir++)
		r = wf_profiles_get(&engine->profiles, &engine->atoms, group,
				    (enum wf_policy_dir)dir, who == WF_WHO_HOST,
				    &group->profile[dir]);
	if (r == 0)
		r = wf_plan_group_plain(engine, group, who);
	if (r == 0)
		group->stamp = engine->plan.stamp;
	return r;
}

/* Adds an address of a subject to what the subject is to have. */
static int add_place(struct wf_policy_engine *engine, struct wf_force *will,
		     const struct wf_place *place, struct wf_class *plain)
{
	int family = !wf_addr_is_ip4(&place->addr);
	struct wf_class *class = plain;

	if (!wf_plan_is_plain(engine)) {
		int r = wf_plan_place_class(engine, place, &class);

		if (r < 0)
			return r;
	}
	if (!will->classes[family])
		will->classes[family] = class;
	else if (will->classes[family] != class)
		will->is_odd[family] = true;
	return 0;
}

/* The prefix of an address looks at it if it has one, or is to have one. */
static int mark_place(struct wf_policy_engine *engine, const struct wf_force *will,
		      const struct wf_place *place)
{
	struct wf_prefix prefix = { .addr = place->addr, .len = wf_addr_bits(&place->addr) };

	if (!engine->objects.record_count && !will->is_odd[0] && !will->is_odd[1])
		return 0;
	return wf_plan_mark_prefix(engine, place->scope, &prefix,
				   will->is_odd[!wf_addr_is_ip4(&place->addr)], NULL);
}

static int plan_member(struct wf_policy_engine *engine, const struct wf_member *member,
		       struct wf_force *will)
{
	struct wf_group *group = member->group;
	int r = judge_group(engine, group, WF_WHO_ENDPOINT);

	for (size_t i = 0; r == 0 && i < member->place_count; i++)
		r = add_place(engine, will, member->places[i], group->plain);
	for (int i = 0; r == 0 && i < 2; i++)
		if (!will->classes[i])
			will->classes[i] = group->plain;
	for (size_t i = 0; r == 0 && i < member->place_count; i++)
		r = mark_place(engine, will, member->places[i]);
	memcpy(will->profiles, group->profile, sizeof(will->profiles));
	return r;
}

/* It has it, and no endpoint does. */
static bool is_host_address(const struct wf_node *self, const struct wf_place *place)
{
	return !place->slot && !place->elsewhere && wf_place_node(place) == self;
}

static int plan_host(struct wf_policy_engine *engine, struct wf_force *will)
{
	const struct wf_node *self = engine->self;
	struct wf_class *plain = NULL;
	int r;

	if (!self) {
		r = wf_plan_group_class(engine, NULL, WF_WHO_HOST, &plain);
		will->classes[0] = will->classes[1] = plain;
		return r;
	}
	r = judge_group(engine, self->group, WF_WHO_HOST);
	for (size_t i = 0; r == 0 && i < self->addr_count; i++)
		if (is_host_address(self, self->addrs[i].place))
			r = add_place(engine, will, self->addrs[i].place, self->group->plain);
	for (int i = 0; r == 0 && i < 2; i++)
		if (!will->classes[i])
			will->classes[i] = self->group->plain;
	memcpy(will->profiles, self->group->profile, sizeof(will->profiles));
	return r;
}

static bool is_same(const struct wf_force *a, const struct wf_force *b)
{
	for (int i = 0; i < 2; i++)
		if (a->classes[i] != b->classes[i] || a->is_odd[i] != b->is_odd[i] ||
		    a->profiles[i] != b->profiles[i])
			return false;
	return a->is_sealed == b->is_sealed;
}

static int plan_slot(struct wf_policy_engine *engine, uint32_t number)
{
	struct wf_plan *plan = &engine->plan;
	struct wf_slot *slot = &engine->slots[number];
	struct wf_flip flip = { .slot = number };
	int r = 0;

	if (slot->stamp == plan->stamp)
		return 0;
	if (number == WF_SLOT_HOST) {
		r = plan_host(engine, &flip.will);
	} else if (slot->now) {
		r = plan_member(engine, slot->now, &flip.will);
	} else {
		flip.will.classes[0] = flip.will.classes[1] = engine->classes.world;
		flip.will.is_sealed = true;
	}
	if (r == 0 && slot->is_sealed) {
		memset(flip.will.profiles, 0, sizeof(flip.will.profiles));
		flip.will.is_sealed = true;
	}
	if (r < 0 || is_same(&flip.will, &slot->force))
		return r;
	if (wf_mem_grow(&plan->flips, sizeof(*plan->flips), plan->flip_count,
			&plan->flip_capacity) < 0)
		return -ENOMEM;
	slot->stamp = plan->stamp;
	slot->flip = (uint32_t)plan->flip_count;
	plan->flips[plan->flip_count++] = flip;
	return 0;
}

static bool is_unkeyed(const struct wf_class *class)
{
	return class && !class->is_keyed;
}

/* Those that an earlier daemon left, and those whose class has become like another. */
static int plan_all(struct wf_policy_engine *engine)
{
	static const struct wf_policy_subject_value nothing;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < engine->slot_count; i++) {
		const struct wf_slot *slot = &engine->slots[i];

		if (is_unkeyed(slot->force.classes[0]) || is_unkeyed(slot->force.classes[1]) ||
		    (engine->has_adopted &&
		     memcmp(&engine->memory.subjects[i], &nothing, sizeof(nothing)) != 0))
			r = plan_slot(engine, i);
	}
	return r;
}

int wf_plan_subjects(struct wf_policy_engine *engine)
{
	int r = plan_slot(engine, WF_SLOT_HOST);

	for (uint32_t i = engine->touched; r == 0 && i != WF_SLOT_NONE;
	     i = engine->slots[i].next_touched)
		r = plan_slot(engine, i);
	for (struct wf_group *group = engine->plan.has_looked ? engine->objects.groups : NULL;
	     r == 0 && group; group = group->hh.next)
		for (uint32_t i = group->is_dirty ? group->first : 0; r == 0 && i;
		     i = engine->slots[i].next)
			r = plan_slot(engine, i);
	for (const struct wf_place *place = engine->objects.dirty; r == 0 && place;
	     place = place->next_dirty)
		if (place->slot)
			r = plan_slot(engine, place->slot);
	if (r == 0 && (engine->has_adopted || engine->classes.unkeyed))
		r = plan_all(engine);
	return r;
}

const struct wf_force *wf_plan_force(const struct wf_policy_engine *engine, uint32_t slot)
{
	const struct wf_slot *of = &engine->slots[slot];

	return of->stamp == engine->plan.stamp && of->flip < engine->plan.flip_count
		       ? &engine->plan.flips[of->flip].will
		       : &of->force;
}

int wf_plan_mark_record(struct wf_policy_engine *engine, struct wf_place *record)
{
	struct wf_plan *plan = &engine->plan;

	if (record->is_marked)
		return 0;
	if (wf_mem_grow(&plan->marked, sizeof(void *), plan->marked_count, &plan->marked_capacity) <
	    0)
		return -ENOMEM;
	plan->marked[plan->marked_count++] = record;
	record->is_marked = true;
	return 0;
}

int wf_plan_mark_prefix(struct wf_policy_engine *engine, uint32_t scope,
			const struct wf_prefix *prefix, bool make, struct wf_place **ret_record)
{
	struct wf_place *record = wf_prefix_find(engine, scope, prefix);
	bool is_new = !record;
	int r;

	if (is_new && !make)
		return 0;
	if (is_new)
		record = wf_prefix_add(engine, scope, prefix);
	if (!record)
		return -ENOMEM;
	r = wf_plan_mark_record(engine, record);
	if (r < 0 && is_new)
		wf_prefix_drop(engine, record);
	if (r == 0 && ret_record)
		*ret_record = record;
	return r;
}

/* Prefixes of addresses that are dirty, and of all that may have to go. */
static int mark_prefixes(struct wf_policy_engine *engine)
{
	struct wf_place *record;
	size_t at = 0;
	int r = 0;

	for (struct wf_place *place = engine->objects.dirty; r == 0 && place;
	     place = place->next_dirty) {
		bool make = !place->slot &&
			    (place->nodes || place->elsewhere ||
			     (place->backends && engine->atoms.of_type[WF_ATOM_SERVICE]));

		bool is_new = make && !place->is_recorded;

		if (is_new)
			wf_prefix_record(engine, place);
		if (place->is_recorded)
			r = wf_plan_mark_record(engine, place);
		if (r < 0 && is_new)
			wf_prefix_drop(engine, place);
	}
	if (!engine->has_loose && !engine->has_adopted && !engine->classes.unkeyed)
		return r;
	while (r == 0 && (record = wf_prefix_walk(engine, &at))) {
		const struct wf_class *class = wf_prefix_class(record);

		if (!class || !record->bounds || !class->is_keyed)
			r = wf_plan_mark_record(engine, record);
	}
	return r;
}

/* Whether a backend that is nobody else has an entry of its own. */
static bool is_named_backend(const struct wf_policy_engine *engine, const struct wf_place *place)
{
	for (const struct wf_backend *backend = place->backends; backend; backend = backend->next)
		for (size_t i = 0; i < engine->atoms.services.count; i++) {
			uint32_t number = engine->atoms.services.items[i];

			if (wf_service_is_meant(backend->service,
						&engine->atoms.items[number]->peer))
				return true;
		}
	return false;
}

static bool is_wanted(const struct wf_policy_engine *engine, const struct wf_place *place)
{
	if (!place)
		return false;
	if (place->slot)
		return wf_plan_force(engine, place->slot)->is_odd[!wf_addr_is_ip4(&place->addr)];
	return place->nodes || place->elsewhere ||
	       (engine->atoms.of_type[WF_ATOM_SERVICE] && is_named_backend(engine, place));
}

static int plan_prefix(struct wf_policy_engine *engine, struct wf_place *record)
{
	struct wf_plan *plan = &engine->plan;
	const struct wf_place *place = wf_place_is_address(record) ? record : NULL;
	const struct wf_prefix prefix = wf_place_prefix(record);
	struct wf_prefix_flip flip = { .record = record };
	int r;

	flip.goes = !record->bounds && !is_wanted(engine, place);
	if (flip.goes && !record->is_there)
		return 0;
	r = place ? wf_plan_place_class(engine, place, &flip.class)
		  : wf_plan_prefix_class(engine, &prefix, &flip.class);
	if (r < 0 || (!flip.goes && record->is_there && wf_prefix_class(record) == flip.class))
		return r;
	if (wf_mem_grow(&plan->prefixes, sizeof(*plan->prefixes), plan->prefix_count,
			&plan->prefix_capacity) < 0)
		return -ENOMEM;
	plan->prefixes[plan->prefix_count++] = flip;
	return 0;
}

int wf_plan_prefixes(struct wf_policy_engine *engine)
{
	int r = mark_prefixes(engine);

	for (size_t i = 0; r == 0 && i < engine->plan.marked_count; i++)
		r = plan_prefix(engine, engine->plan.marked[i]);
	return r;
}
