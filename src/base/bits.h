/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of numbers below a fixed bound that finds its next member in time that does not depend on
 * how full it is: each level says in one bit whether 64 of the level below hold anything. One
 * allocation for its life, so that changes cannot fail. Used for free numbers and free runs.
 */
#ifndef WEFT_BASE_BITS_H
#define WEFT_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#define WF_BITS_NONE   UINT32_MAX
#define WF_BITS_LEVELS 6 /* 64^6 covers 32 bits */

struct wf_bits {
	uint64_t *words;                 /* owned: all levels */
	uint64_t *level[WF_BITS_LEVELS]; /* into words; 0 is the members themselves */
	uint32_t level_words[WF_BITS_LEVELS];
	unsigned int levels;
	uint32_t size;  /* members are below */
	uint32_t count; /* of members */
};

/* Starts empty. -ENOMEM. */
int wf_bits_init(struct wf_bits *bits, uint32_t size);
void wf_bits_done(struct wf_bits *bits);

bool wf_bits_has(const struct wf_bits *bits, uint32_t number);
/* Both do nothing when it is so already, or when number is not below the bound. */
void wf_bits_set(struct wf_bits *bits, uint32_t number);
void wf_bits_clear(struct wf_bits *bits, uint32_t number);
/* The smallest member that is not below from; WF_BITS_NONE when there is none. */
uint32_t wf_bits_next(const struct wf_bits *bits, uint32_t from);

#endif
