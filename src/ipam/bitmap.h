/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sparse set of 64-bit numbers that finds the next member and the next non-member in time that
 * depends on the width of the numbers only, however full it is. Used by the pool; knows nothing
 * of addresses. A 64-way tree: leaves hold 4096 bits, inner nodes say which children are full and
 * which hold anything. Nodes are made on demand and given back when many are empty.
 */
#ifndef WEFT_IPAM_BITMAP_H
#define WEFT_IPAM_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returned by the searches when there is nothing (more); never a member. */
#define WF_BITMAP_NONE UINT64_MAX

struct wf_bitmap_node;

struct wf_bitmap {
	struct wf_bitmap_node *root; /* owned; NULL while nothing was ever set */
	unsigned int bits;           /* numbers are below 2^bits */
	unsigned int height;         /* levels of inner nodes above the leaves */
	size_t leaves;               /* leaves in memory */
	size_t empty_leaves;         /* of these without a member */
	size_t bytes;                /* memory of all nodes */
};

/* Starts empty, for numbers below 2^bits (0-64). */
void wf_bitmap_init(struct wf_bitmap *bitmap, unsigned int bits);
void wf_bitmap_done(struct wf_bitmap *bitmap);

/* Adds a number, which must be below 2^bits and not WF_BITMAP_NONE. 0 or -ENOMEM (unchanged). */
int wf_bitmap_set(struct wf_bitmap *bitmap, uint64_t number);

/* Removes a number; does nothing when it is not there. */
void wf_bitmap_clear(struct wf_bitmap *bitmap, uint64_t number);

/* The smallest non-member, or member, that is not below from; WF_BITMAP_NONE when none. */
uint64_t wf_bitmap_next_clear(const struct wf_bitmap *bitmap, uint64_t from);
uint64_t wf_bitmap_next_set(const struct wf_bitmap *bitmap, uint64_t from);

#endif
