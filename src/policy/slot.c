/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints in their slots, with what was there before the change in hand. */
#include <stdlib.h>
#include <string.h>

#include "policy/engine_priv.h"

static void link_member(struct wf_policy_engine *engine, uint32_t number)
{
	struct wf_slot *slot = &engine->slots[number];
	struct wf_group *group = slot->now->group;

	slot->prev = 0;
	slot->next = group->first;
	if (slot->next)
		engine->slots[slot->next].prev = number;
	group->first = number;
	for (size_t i = 0; i < slot->now->place_count; i++) {
		struct wf_place *place = slot->now->places[i];

		place->slot = (uint16_t)number;
		place->holders++;
		wf_place_mark(&engine->objects, place);
	}
	engine->member_count++;
}

/* Another endpoint that has the address; 0: none. */
static uint16_t find_holder(const struct wf_policy_engine *engine, const struct wf_place *place,
			    uint32_t but)
{
	for (uint32_t i = 1; i < engine->slot_count; i++) {
		const struct wf_member *member = engine->slots[i].now;

		for (size_t j = 0; member && i != but && j < member->place_count; j++)
			if (member->places[j] == place)
				return (uint16_t)i;
	}
	return 0;
}

static void unlink_member(struct wf_policy_engine *engine, uint32_t number)
{
	struct wf_slot *slot = &engine->slots[number];

	if (slot->next)
		engine->slots[slot->next].prev = slot->prev;
	if (slot->prev)
		engine->slots[slot->prev].next = slot->next;
	else
		slot->now->group->first = slot->next;
	for (size_t i = 0; i < slot->now->place_count; i++) {
		struct wf_place *place = slot->now->places[i];

		place->holders--;
		if (place->slot == number)
			place->slot = place->holders ? find_holder(engine, place, number) : 0;
		wf_place_mark(&engine->objects, place);
	}
	engine->member_count--;
}

void wf_slot_set(struct wf_policy_engine *engine, uint32_t number, struct wf_member *member)
{
	struct wf_slot *slot = &engine->slots[number];

	if (slot->now)
		unlink_member(engine, number);
	if (!slot->is_touched) {
		slot->is_touched = true;
		slot->was_sealed = slot->is_sealed;
		slot->before = slot->now;
		slot->next_touched = engine->touched;
		engine->touched = number;
	} else {
		wf_member_free(&engine->objects, slot->now);
	}
	slot->now = member;
	if (member)
		link_member(engine, number);
}

static uint32_t take_touched(struct wf_policy_engine *engine)
{
	uint32_t number = engine->touched;
	struct wf_slot *slot = &engine->slots[number];

	engine->touched = slot->next_touched;
	slot->is_touched = false;
	return number;
}

void wf_slots_settle(struct wf_policy_engine *engine)
{
	while (engine->touched != WF_SLOT_NONE) {
		struct wf_slot *slot = &engine->slots[take_touched(engine)];

		wf_member_free(&engine->objects, slot->before);
		slot->before = NULL;
		slot->is_doomed = false;
	}
}

void wf_slots_restore(struct wf_policy_engine *engine)
{
	while (engine->touched != WF_SLOT_NONE) {
		uint32_t number = take_touched(engine);
		struct wf_slot *slot = &engine->slots[number];
		struct wf_member *gone = slot->now;

		if (gone)
			unlink_member(engine, number);
		slot->now = slot->before;
		slot->before = NULL;
		slot->is_sealed = slot->was_sealed;
		if (slot->now)
			link_member(engine, number);
		else if (gone)
			/* a new endpoint that came to nothing: not one without policy */
			wf_engine_seal(engine, number);
		wf_member_free(&engine->objects, gone);
	}
}

void wf_engine_seal(struct wf_policy_engine *engine, uint32_t number)
{
	struct wf_slot *slot = &engine->slots[number];
	struct wf_force force = { .profiles = { slot->force.profiles[0],
						slot->force.profiles[1] } };

	slot->is_sealed = true;
	slot->force.is_sealed = true;
	for (int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++) {
		__atomic_store_n(&engine->memory.subjects[number].profile[dir],
				 WF_POLICY_PROFILE_DENY_ALL, __ATOMIC_RELEASE);
		slot->force.profiles[dir] = NULL;
	}
	wf_engine_release(engine, &force);
	if ((!slot->is_told || !slot->is_guarded) &&
	    engine->effects.guard_set(number, true, engine->effects.context, NULL) == 0) {
		slot->is_told = true;
		slot->is_guarded = true;
	}
	(void)engine->effects.revise(engine->effects.context, NULL);
}
