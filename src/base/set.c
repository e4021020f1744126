/* SPDX-License-Identifier: Apache-2.0 */
#include "base/set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FEWEST_SLOTS 16

/*
 * Where a hash begins to look: its share of all hashes, so that any number of slots will do. Sets of
 * different sizes mix it differently: one is often filled by a walk through another, and in the
 * order of the hashes all would crowd where it begins.
 */
static size_t home_of(const struct wf_set *set, uint64_t hash)
{
	uint64_t mixed = hash * (set->slot_count * 0x9e3779b97f4a7c15 | 1);

	return (size_t)(((mixed >> 32) * (uint64_t)set->slot_count) >> 32);
}

static size_t next_of(const struct wf_set *set, size_t at)
{
	return at + 1 == set->slot_count ? 0 : at + 1;
}

/* Never 0, which is that of an empty slot. */
static uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)(hash % UINT8_MAX + 1);
}

static void put(struct wf_set *set, void *object)
{
	uint64_t hash = set->ops->hash(object);
	size_t at = home_of(set, hash);

	while (set->tags[at])
		at = next_of(set, at);
	set->slots[at] = object;
	set->tags[at] = tag_of(hash);
}

static int resize(struct wf_set *set, size_t count)
{
	struct wf_set old = *set;
	void **slots = calloc(count, sizeof(void *) + sizeof(*set->tags));

	if (!slots)
		return -ENOMEM;
	set->slots = slots;
	set->tags = (uint8_t *)&slots[count];
	set->slot_count = count;
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.slots[i])
			put(set, old.slots[i]);
	free(old.slots);
	return 0;
}

static int grow(struct wf_set *set)
{
	return resize(set, set->slot_count ? set->slot_count + set->slot_count / 4 : FEWEST_SLOTS);
}

int wf_set_reserve(struct wf_set *set, size_t count)
{
	size_t slots = count + count / 6 + FEWEST_SLOTS;

	return slots <= set->slot_count ? 0 : resize(set, slots);
}

void wf_set_done(struct wf_set *set)
{
	free(set->slots);
	set->slots = NULL;
	set->tags = NULL;
	set->slot_count = set->count = 0;
}

int wf_set_add(struct wf_set *set, void *object)
{
	/* an eighth stays empty; without memory one slot is enough, as it ends what looks */
	if ((set->count + 1) * 8 > set->slot_count * 7 && grow(set) < 0 &&
	    set->count + 1 >= set->slot_count)
		return -ENOMEM;
	put(set, object);
	set->count++;
	return 0;
}

/* How far behind `from` a slot is. */
static size_t distance(const struct wf_set *set, size_t from, size_t to)
{
	return to >= from ? to - from : to + set->slot_count - from;
}

/* Those behind the hole that would not be found any more move up. */
static void close_hole(struct wf_set *set, size_t hole)
{
	for (size_t at = next_of(set, hole); set->tags[at]; at = next_of(set, at)) {
		size_t home = home_of(set, set->ops->hash(set->slots[at]));

		if (distance(set, home, at) < distance(set, hole, at))
			continue;
		set->slots[hole] = set->slots[at];
		set->tags[hole] = set->tags[at];
		hole = at;
	}
	set->slots[hole] = NULL;
	set->tags[hole] = 0;
}

void wf_set_remove(struct wf_set *set, const void *object)
{
	size_t at;

	if (!set->count)
		return;
	for (at = home_of(set, set->ops->hash(object)); set->slots[at] != object;
	     at = next_of(set, at))
		if (!set->tags[at])
			return;
	close_hole(set, at);
	set->count--;
}

void *wf_set_find(const struct wf_set *set, uint64_t hash, const void *key)
{
	const uint8_t tag = tag_of(hash);

	if (!set->count)
		return NULL;
	/* where the objects are is not looked at for each of those that are passed */
	for (size_t at = home_of(set, hash); set->tags[at]; at = next_of(set, at))
		if (set->tags[at] == tag && set->ops->is(set->slots[at], key))
			return set->slots[at];
	return NULL;
}

void *wf_set_walk(const struct wf_set *set, size_t *at)
{
	while (*at < set->slot_count) {
		void *object = set->slots[(*at)++];

		if (object)
			return object;
	}
	return NULL;
}
