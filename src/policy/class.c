/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/class.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define EPOCH_BITS  24
#define EPOCH_COUNT 128

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int wf_class_items_add(struct wf_class_items *items, uint64_t item)
{
	if (wf_mem_grow(&items->items, sizeof(*items->items), items->count, &items->capacity) < 0)
		return -ENOMEM;
	items->items[items->count++] = item;
	return 0;
}

void wf_class_items_done(struct wf_class_items *items)
{
	free(items->items);
	memset(items, 0, sizeof(*items));
}

static void free_class(struct wf_class *class)
{
	free(class->items);
	free(class);
}

static void set_mask(struct wf_class *class)
{
	memset(&class->mask, 0, sizeof(class->mask));
	for (size_t i = 1; i < class->item_count; i++)
		wf_atom_mask_add(&class->mask, WF_CLASS_ITEM_NUMBER(class->items[i]));
}

/* Puts a class into a place of those that live. */
static void put_at(struct wf_classes *classes, struct wf_class *class, size_t index)
{
	classes->items[index] = class;
	classes->traits[index] = (struct wf_class_trait){ class->mask, class->who };
	class->index = (uint32_t)index;
}

static int reserve(struct wf_classes *classes)
{
	int r = wf_mem_grow(&classes->items, sizeof(struct wf_class *), classes->count,
			    &classes->capacity);

	return r < 0 ? r
		     : wf_mem_grow(&classes->traits, sizeof(*classes->traits), classes->count,
				   &classes->trait_capacity);
}

static struct wf_class *find(const struct wf_classes *classes, const uint64_t *items, size_t count)
{
	struct wf_class *class;

	HASH_FIND(hh, classes->by_items, items, count * sizeof(*items), class);
	return class;
}

/* False when there was no memory. */
static bool enter(struct wf_classes *classes, struct wf_class *class)
{
	HASH_ADD_KEYPTR(hh, classes->by_items, class->items,
			class->item_count * sizeof(*class->items), class);
	class->is_keyed = class->hh.tbl != NULL;
	return class->is_keyed;
}

int wf_classes_get(struct wf_classes *classes, struct wf_class_items *items,
		   struct wf_class **ret_class)
{
	struct wf_class *class;

	qsort(items->items + 1, items->count - 1, sizeof(*items->items), compare);
	class = find(classes, items->items, items->count);
	if (class) {
		*ret_class = class;
		return 0;
	}
	class = calloc(1, sizeof(*class));
	if (!class)
		return -ENOMEM;
	class->items = calloc(items->count, sizeof(*class->items));
	if (!class->items || reserve(classes) < 0) {
		free_class(class);
		return -ENOMEM;
	}
	memcpy(class->items, items->items, items->count * sizeof(*class->items));
	class->item_count = items->count;
	class->who = (enum wf_who)items->items[0];
	class->is_fresh = true;
	set_mask(class);
	if (!enter(classes, class)) {
		free_class(class);
		return -ENOMEM;
	}
	put_at(classes, class, classes->count++);
	classes->of_who[class->who]++;
	*ret_class = class;
	return 0;
}

int wf_classes_init(struct wf_classes *classes)
{
	struct wf_class_items items = { 0 };
	int r;

	memset(classes, 0, sizeof(*classes));
	r = wf_class_items_add(&items, WF_WHO_WORLD);
	if (r == 0)
		r = wf_classes_get(classes, &items, &classes->world);
	if (r == 0) {
		classes->world->refs = 1;
		wf_classes_settle(classes);
	}
	wf_class_items_done(&items);
	return r;
}

void wf_classes_done(struct wf_classes *classes)
{
	HASH_CLEAR(hh, classes->by_items);
	for (size_t i = 0; i < classes->count; i++)
		free_class(classes->items[i]);
	while (classes->dead) {
		struct wf_class *class = classes->dead;

		classes->dead = class->next_dead;
		free_class(class);
	}
	free(classes->items);
	free(classes->traits);
	memset(classes, 0, sizeof(*classes));
}

static bool is_taken(const struct wf_classes *classes, uint32_t id)
{
	for (size_t i = 0; i < classes->count; i++)
		if (classes->items[i]->id == id)
			return true;
	for (const struct wf_class *class = classes->dead; class; class = class->next_dead)
		if (class->id == id)
			return true;
	return false;
}

void wf_class_number(struct wf_classes *classes, struct wf_class *class)
{
	uint32_t id;

	/* 16 million later: those that live from so long ago are stepped over */
	do {
		id = (classes->epoch % EPOCH_COUNT) << EPOCH_BITS |
		     (++classes->last & ((1U << EPOCH_BITS) - 1));
	} while (!id || (classes->last >> EPOCH_BITS && is_taken(classes, id)));
	class->id = id;
}

void wf_classes_settle(struct wf_classes *classes)
{
	for (; classes->settled < classes->count; classes->settled++)
		classes->items[classes->settled]->is_fresh = false;
}

/* Fills the hole with the last of its kind, and that one's place with the last of all. */
static void take_out(struct wf_classes *classes, size_t hole)
{
	if (hole < classes->settled) {
		put_at(classes, classes->items[--classes->settled], hole);
		hole = classes->settled;
	}
	if (--classes->count != hole)
		put_at(classes, classes->items[classes->count], hole);
}

void wf_class_retire(struct wf_classes *classes, struct wf_class *class, bool is_gone)
{
	take_out(classes, class->index);
	classes->of_who[class->who]--;
	if (class->is_keyed)
		HASH_DEL(classes->by_items, class);
	else
		classes->unkeyed--;
	class->is_keyed = false;
	if (is_gone) {
		free_class(class);
		return;
	}
	class->next_dead = classes->dead;
	classes->dead = class;
}

const uint64_t *wf_class_find(const struct wf_class *class, uint32_t number)
{
	size_t low = 1, high = class->item_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (WF_CLASS_ITEM_NUMBER(class->items[middle]) < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < class->item_count && WF_CLASS_ITEM_NUMBER(class->items[low]) == number
		       ? &class->items[low]
		       : NULL;
}

void wf_classes_strip(struct wf_classes *classes, uint32_t number)
{
	struct wf_atom_mask mask = { 0 };

	wf_atom_mask_add(&mask, number);
	for (size_t i = 0; i < classes->count; i++) {
		struct wf_class *class = classes->items[i];
		const uint64_t *item = wf_atom_mask_meets(&classes->traits[i].mask, &mask)
					       ? wf_class_find(class, number)
					       : NULL;
		size_t at;

		if (!item)
			continue;
		if (class->is_keyed)
			/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is deleted is in the table */
			HASH_DEL(classes->by_items, class);
		else
			classes->unkeyed--;
		class->is_keyed = false;
		at = (size_t)(item - class->items);
		memmove(&class->items[at], &class->items[at + 1],
			(class->item_count - at - 1) * sizeof(*class->items));
		class->item_count--;
		set_mask(class);
		classes->traits[i].mask = class->mask;
		/* without memory for the hash it is as if another one had taken its place */
		if (find(classes, class->items, class->item_count) || !enter(classes, class))
			classes->unkeyed++;
	}
}

static bool is_fresh_item(const struct wf_atoms *atoms, uint64_t item)
{
	const struct wf_atom *atom = wf_atom_of(atoms, WF_CLASS_ITEM_NUMBER(item));

	return atom && atom->is_fresh;
}

bool wf_class_is_like(const struct wf_atoms *atoms, const struct wf_class *a,
		      const struct wf_class *b)
{
	size_t i = 1, j = 1;

	if (a->who != b->who)
		return false;
	for (;; i++, j++) {
		while (i < a->item_count && is_fresh_item(atoms, a->items[i]))
			i++;
		while (j < b->item_count && is_fresh_item(atoms, b->items[j]))
			j++;
		if (i == a->item_count || j == b->item_count)
			return i == a->item_count && j == b->item_count;
		if (a->items[i] != b->items[j])
			return false;
	}
}

void wf_classes_adopt(struct wf_classes *classes, uint32_t id)
{
	if (id >> EPOCH_BITS >= classes->epoch)
		classes->epoch = (id >> EPOCH_BITS) + 1;
}
