/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes: whoever no peer of any policy tells apart. A class is known by its items: what it is
 * (enum wf_who), and each atom that matches it, with the resolved port of a named one.
 *
 * Numbers are never used twice while an engine lives, so that a program that is just at work cannot
 * take one class for another; the upper bits differ from those of the daemon before.
 */
#ifndef WEFT_POLICY_CLASS_H
#define WEFT_POLICY_CLASS_H

#include "policy/law.h"

#define WF_CLASS_ITEM(number, port) ((uint64_t)(number) << 16 | (port))
#define WF_CLASS_ITEM_NUMBER(item)  ((uint32_t)((item) >> 16))
#define WF_CLASS_ITEM_PORT(item)    ((uint16_t)(item))

/* Atoms as bits that may collide: two masks without a common bit have no common atom. */
struct wf_atom_mask {
	uint64_t words[4];
};

static inline void wf_atom_mask_add(struct wf_atom_mask *mask, uint32_t number)
{
	mask->words[number / 64 % 4] |= 1ULL << (number % 64);
}

static inline bool wf_atom_mask_meets(const struct wf_atom_mask *a, const struct wf_atom_mask *b)
{
	return (a->words[0] & b->words[0]) | (a->words[1] & b->words[1]) |
	       (a->words[2] & b->words[2]) | (a->words[3] & b->words[3]);
}

struct wf_class {
	uint32_t id;
	uint32_t refs; /* subjects and prefixes that name it */
	enum wf_who who;
	bool is_fresh;   /* made by the change in hand */
	bool is_keyed;   /* found by its items; otherwise another one has the same and takes over */
	bool is_unsure;  /* scratch: its users go to more than one class */
	bool is_passing; /* scratch: its number and its pairs pass to its heir */
	struct wf_class *heir;   /* scratch: the fresh class its users go to */
	struct wf_class *source; /* scratch, of a fresh one: where its users come from */
	uint32_t leaving;        /* scratch: how many */
	uint32_t move_stamp;     /* of the plan that the scratch is of */
	uint32_t stamp;          /* scratch */
	uint32_t index;          /* in wf_classes.items */
	struct wf_atom_mask mask;
	size_t item_count;
	uint64_t *items; /* owned; sorted; the first is `who` */
	struct wf_class *next_dead;
	UT_hash_handle hh;
};

struct wf_class_items {
	uint64_t *items; /* owned */
	size_t count, capacity;
};

/* What is looked for among all classes, where a look does not wait for each class's own memory. */
struct wf_class_trait {
	struct wf_atom_mask mask;
	enum wf_who who;
};

struct wf_classes {
	struct wf_class *by_items;
	struct wf_class **items; /* owned; all that live: those that are not fresh first */
	size_t count, capacity;
	struct wf_class_trait *traits; /* owned; of `items` */
	size_t trait_capacity;
	size_t settled; /* how many are not fresh */
	size_t of_who[WF_WHO_COUNT];
	struct wf_class *world; /* WF_POLICY_CLASS_WORLD; always there */
	struct wf_class *dead;  /* named no more; pairs not yet deleted */
	uint32_t epoch, last;   /* of the numbers */
	size_t unkeyed;         /* how many are not is_keyed */
};

int wf_classes_init(struct wf_classes *classes); /* 0 or -ENOMEM */
void wf_classes_done(struct wf_classes *classes);

int wf_class_items_add(struct wf_class_items *items, uint64_t item); /* 0 or -ENOMEM */
void wf_class_items_done(struct wf_class_items *items);
/* The class with these items (sorted here); a new one is fresh and has no number. -ENOMEM. */
int wf_classes_get(struct wf_classes *classes, struct wf_class_items *items,
		   struct wf_class **ret_class);
void wf_class_number(struct wf_classes *classes, struct wf_class *class);
/* An earlier daemon has that number in use. */
void wf_classes_adopt(struct wf_classes *classes, uint32_t id);
/* What is fresh is in force now. */
void wf_classes_settle(struct wf_classes *classes);
/* Takes it out of those that live; puts it among the dead, or frees it when is_gone. */
void wf_class_retire(struct wf_classes *classes, struct wf_class *class, bool is_gone);
/* An atom that nothing asks for any more. Classes that become alike: all but one lose is_keyed. */
void wf_classes_strip(struct wf_classes *classes, uint32_t number);
/* The item of an atom; NULL: does not have it. */
const uint64_t *wf_class_find(const struct wf_class *class, uint32_t number);
/* Whether two are the same but for fresh atoms. */
bool wf_class_is_like(const struct wf_atoms *atoms, const struct wf_class *a,
		      const struct wf_class *b);

#endif
