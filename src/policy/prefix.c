/* SPDX-License-Identifier: Apache-2.0 */
/* Records of prefixes: which have an entry that says their class. Most are of addresses of somebody. */
#include "policy/engine_priv.h"

struct wf_place *wf_prefix_find(const struct wf_policy_engine *engine, uint32_t scope,
				const struct wf_prefix *prefix)
{
	struct wf_place *place = wf_place_find(&engine->objects, scope, prefix);

	return place && place->is_recorded ? place : NULL;
}

struct wf_place *wf_prefix_add(struct wf_policy_engine *engine, uint32_t scope,
			       const struct wf_prefix *prefix)
{
	struct wf_place *place = wf_place_get(&engine->objects, scope, prefix);

	if (!place)
		return NULL;
	wf_prefix_record(engine, place);
	wf_place_unref(&engine->objects, place);
	return place;
}

void wf_prefix_record(struct wf_policy_engine *engine, struct wf_place *place)
{
	place->refs++;
	place->is_recorded = true;
	engine->objects.record_count++;
}

void wf_prefix_drop(struct wf_policy_engine *engine, struct wf_place *record)
{
	wf_prefix_set_class(record, NULL);
	record->is_recorded = record->is_there = record->is_marked = false;
	engine->objects.record_count--;
	wf_place_unref(&engine->objects, record);
}

struct wf_place *wf_prefix_walk(const struct wf_policy_engine *engine, size_t *at)
{
	struct wf_place *place;

	do
		place = wf_set_walk(&engine->objects.places, at);
	while (place && !place->is_recorded);
	return place;
}

struct wf_class *wf_prefix_class(const struct wf_place *record)
{
	return record->is_adopted ? NULL : record->class;
}

void wf_prefix_set_class(struct wf_place *record, struct wf_class *class)
{
	record->is_adopted = false;
	record->class = class;
}
