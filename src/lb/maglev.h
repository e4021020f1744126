/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev's consistent table (Eisenbud et al., NSDI 2016, section 3.4): each backend has a
 * permutation of all places and they take turns to claim their next free one, so that every table
 * made from the same backends is the same and a backend that leaves moves little but its own
 * places. Weights give a backend more turns. Pure.
 */
#ifndef WEFT_LB_MAGLEV_H
#define WEFT_LB_MAGLEV_H

#include <stddef.h>
#include <stdint.h>

struct wf_maglev_backend {
	uint64_t key;    /* what it is, alike on every node: a hash of address and port */
	uint32_t number; /* what its places hold */
	uint32_t weight; /* from 1 to WF_MAGLEV_MAX_WEIGHT */
};

#define WF_MAGLEV_MAX_WEIGHT 256

/*
 * Places for a number of backends: a prime of at least 25 for each, up to the largest table. While
 * `current` (0: none) still gives each 12 and no more than 400, it stays, because another size
 * moves nearly everything. 0 for no backend, 1 for one.
 */
uint32_t wf_maglev_size(size_t backend_count, uint32_t current);

/*
 * Fills table[0..size), size as wf_maglev_size() says. The order of the backends does not matter.
 * -ENOMEM; -EINVAL: size is smaller than the number of backends, or is none of ours.
 */
int wf_maglev_build(const struct wf_maglev_backend *backends, size_t count, uint32_t *table,
		    uint32_t size);

#endif
