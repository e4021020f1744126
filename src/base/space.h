/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which places of a long array are free: a buddy allocator. Runs are rounded up to powers of two
 * (Maglev tables lie just below them anyway), and what is freed joins its neighbour at once: no
 * order of takes and gives leaves holes that nothing fits into. The lowest block that fits is
 * given, so the upper end stays whole. Does not touch the places.
 */
#ifndef WEFT_BASE_SPACE_H
#define WEFT_BASE_SPACE_H

#include "base/bits.h"

#define WF_SPACE_ORDERS 32

struct wf_space {
	struct wf_bits free[WF_SPACE_ORDERS]; /* blocks of 2^order places, by first >> order */
	uint32_t orders;
	uint32_t places; /* in all */
	uint32_t used;   /* of these, as rounded */
};

/* Starts with all places free. -ENOMEM. */
int wf_space_init(struct wf_space *space, uint32_t places);
void wf_space_done(struct wf_space *space);

/* Takes a run of size > 0 places. -ENOSPC. */
int wf_space_take(struct wf_space *space, uint32_t size, uint32_t *ret_first);
/* Takes this very run. -EBUSY when it is not free, -EINVAL when this allocator never made it. */
int wf_space_take_at(struct wf_space *space, uint32_t first, uint32_t size);
/* Gives back what one of the above gave. */
void wf_space_give(struct wf_space *space, uint32_t first, uint32_t size);

#endif
