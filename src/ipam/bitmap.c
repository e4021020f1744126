/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/bitmap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define FAN_OUT      64U
#define FAN_OUT_BITS 6U
#define LEAF_BITS    12U /* one word of 64 bits for each of 64 slots */
#define MAX_HEIGHT   9U  /* 12 + 9 * 6 = 66 bits */

/* Empty leaves that are kept for the next number, so that a churning pool does not allocate. */
#define SPARE_LEAVES 8U

struct wf_bitmap_node {
	uint64_t some; /* slots that hold at least one member */
	uint64_t full; /* slots whose every number is a member */
	union {
		uint64_t words[FAN_OUT];               /* height 0 */
		struct wf_bitmap_node *child[FAN_OUT]; /* above; owned; NULL: no members */
	};
};

/* Numbers that one slot of a node of this height spans, as a shift. */
static unsigned int slot_shift(unsigned int height)
{
	return FAN_OUT_BITS * (height + 1);
}

static unsigned int slot_of(uint64_t number, unsigned int height)
{
	return (unsigned int)(number >> slot_shift(height)) % FAN_OUT;
}

/* Bits of the slots from `slot` on. */
static uint64_t from_slot(unsigned int slot)
{
	return UINT64_MAX << slot;
}

/* Bits of the slots that stand for 64-bit numbers: a root of full height has slots beyond them. */
static uint64_t real_slots(unsigned int shift)
{
	return shift + FAN_OUT_BITS > 64 ? (UINT64_C(1) << (1U << (64 - shift))) - 1 : UINT64_MAX;
}

static uint64_t below_shift(unsigned int shift)
{
	return shift >= 64 ? UINT64_MAX : (UINT64_C(1) << shift) - 1;
}

void wf_bitmap_init(struct wf_bitmap *bitmap, unsigned int bits)
{
	*bitmap = (struct wf_bitmap){ .bits = bits };
	while (LEAF_BITS + FAN_OUT_BITS * bitmap->height < bits)
		bitmap->height++;
}

static void free_node(struct wf_bitmap_node *node, unsigned int height)
{
	if (!node)
		return;
	for (unsigned int i = 0; height && i < FAN_OUT; i++)
		free_node(node->child[i], height - 1);
	free(node);
}

void wf_bitmap_done(struct wf_bitmap *bitmap)
{
	free_node(bitmap->root, bitmap->height);
	wf_bitmap_init(bitmap, bitmap->bits);
}

static struct wf_bitmap_node *make_node(struct wf_bitmap *bitmap, unsigned int height)
{
	struct wf_bitmap_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	bitmap->bytes += sizeof(*node);
	if (height == 0) {
		bitmap->leaves++;
		bitmap->empty_leaves++;
	}
	return node;
}

/* Frees every node without members; the tree keeps its shape otherwise. */
static struct wf_bitmap_node *prune(struct wf_bitmap *bitmap, struct wf_bitmap_node *node,
				    unsigned int height)
{
	if (!node)
		return NULL;
	for (unsigned int i = 0; height && i < FAN_OUT; i++)
		node->child[i] = prune(bitmap, node->child[i], height - 1);
	if (node->some)
		return node;
	bitmap->bytes -= sizeof(*node);
	if (height == 0) {
		bitmap->leaves--;
		bitmap->empty_leaves--;
	}
	free(node);
	return NULL;
}

/*
 * The nodes from the root to the leaf of a number, path[0] being the leaf. make: create what is
 * missing (created nodes are empty and harmless when a later one fails). False: not there.
 */
static bool find_path(struct wf_bitmap *bitmap, uint64_t number, bool make,
		      struct wf_bitmap_node *path[MAX_HEIGHT + 1])
{
	struct wf_bitmap_node **link = &bitmap->root;

	for (unsigned int height = bitmap->height;; height--) {
		if (!*link && make)
			*link = make_node(bitmap, height);
		if (!*link)
			return false;
		path[height] = *link;
		if (height == 0)
			return true;
		link = &path[height]->child[slot_of(number, height)];
	}
}

int wf_bitmap_set(struct wf_bitmap *bitmap, uint64_t number)
{
	struct wf_bitmap_node *path[MAX_HEIGHT + 1];
	unsigned int slot = slot_of(number, 0);

	if (!find_path(bitmap, number, true, path))
		return -ENOMEM;
	if (!path[0]->some)
		bitmap->empty_leaves--;
	path[0]->words[slot] |= UINT64_C(1) << (number % 64);
	path[0]->some |= UINT64_C(1) << slot;
	if (path[0]->words[slot] == UINT64_MAX)
		path[0]->full |= UINT64_C(1) << slot;
	for (unsigned int height = 1; height <= bitmap->height; height++) {
		uint64_t bit = UINT64_C(1) << slot_of(number, height);

		path[height]->some |= bit;
		if (path[height - 1]->full == UINT64_MAX)
			path[height]->full |= bit;
	}
	return 0;
}

void wf_bitmap_clear(struct wf_bitmap *bitmap, uint64_t number)
{
	struct wf_bitmap_node *path[MAX_HEIGHT + 1];
	unsigned int slot = slot_of(number, 0);

	if (!find_path(bitmap, number, false, path))
		return;
	if (!(path[0]->words[slot] & UINT64_C(1) << (number % 64)))
		return;
	path[0]->words[slot] &= ~(UINT64_C(1) << (number % 64));
	path[0]->full &= ~(UINT64_C(1) << slot);
	if (!path[0]->words[slot])
		path[0]->some &= ~(UINT64_C(1) << slot);
	if (!path[0]->some)
		bitmap->empty_leaves++;
	for (unsigned int height = 1; height <= bitmap->height; height++) {
		uint64_t bit = UINT64_C(1) << slot_of(number, height);

		path[height]->full &= ~bit;
		if (!path[height - 1]->some)
			path[height]->some &= ~bit;
	}
	if (bitmap->empty_leaves > SPARE_LEAVES && bitmap->empty_leaves > bitmap->leaves / 2)
		bitmap->root = prune(bitmap, bitmap->root, bitmap->height);
}

/* Numbers below are relative to their node; a node of height h spans 2^slot_shift(h + 1). */
static uint64_t next_clear(const struct wf_bitmap_node *node, unsigned int height, uint64_t from)
{
	unsigned int shift = slot_shift(height), slot = (unsigned int)(from >> shift) % FAN_OUT;
	uint64_t inside = from & below_shift(shift);

	for (uint64_t open = ~node->full & from_slot(slot) & real_slots(shift); open;
	     open &= open - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(open);
		uint64_t start = i == slot ? inside : 0, found;

		if (height == 0) {
			uint64_t clear = ~node->words[i] & (UINT64_MAX << start);

			found = clear ? (uint64_t)__builtin_ctzll(clear) : WF_BITMAP_NONE;
		} else {
			found = node->child[i] ? next_clear(node->child[i], height - 1, start)
					       : start;
		}
		if (found != WF_BITMAP_NONE)
			return ((uint64_t)i << shift) + found;
	}
	return WF_BITMAP_NONE;
}

static uint64_t next_set(const struct wf_bitmap_node *node, unsigned int height, uint64_t from)
{
	unsigned int shift = slot_shift(height), slot = (unsigned int)(from >> shift) % FAN_OUT;
	uint64_t inside = from & below_shift(shift);

	for (uint64_t held = node->some & from_slot(slot); held; held &= held - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(held);
		uint64_t start = i == slot ? inside : 0, found;

		if (height == 0) {
			uint64_t set = node->words[i] & (UINT64_MAX << start);

			found = set ? (uint64_t)__builtin_ctzll(set) : WF_BITMAP_NONE;
		} else {
			found = next_set(node->child[i], height - 1, start);
		}
		if (found != WF_BITMAP_NONE)
			return ((uint64_t)i << shift) + found;
	}
	return WF_BITMAP_NONE;
}

uint64_t wf_bitmap_next_clear(const struct wf_bitmap *bitmap, uint64_t from)
{
	uint64_t found;

	if (from > below_shift(bitmap->bits))
		return WF_BITMAP_NONE;
	found = bitmap->root ? next_clear(bitmap->root, bitmap->height, from) : from;
	return found > below_shift(bitmap->bits) ? WF_BITMAP_NONE : found;
}

uint64_t wf_bitmap_next_set(const struct wf_bitmap *bitmap, uint64_t from)
{
	if (!bitmap->root || from > below_shift(bitmap->bits))
		return WF_BITMAP_NONE;
	return next_set(bitmap->root, bitmap->height, from);
}
