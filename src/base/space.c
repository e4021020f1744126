/* SPDX-License-Identifier: Apache-2.0 */
#include "base/space.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* The smallest order whose blocks hold size places. */
static uint32_t order_of(uint32_t size)
{
	return size <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(size - 1);
}

/* Cuts places that are no power of two into the fewest aligned blocks. */
static void free_all(struct wf_space *space)
{
	uint32_t at = 0;

	for (uint32_t order = space->orders; order--;) {
		if (space->places - at < 1U << order)
			continue;
		wf_bits_set(&space->free[order], at >> order);
		at += 1U << order;
	}
}

int wf_space_init(struct wf_space *space, uint32_t places)
{
	memset(space, 0, sizeof(*space));
	space->places = places;
	while (space->orders < WF_SPACE_ORDERS && places >> space->orders) {
		int r = wf_bits_init(&space->free[space->orders], places >> space->orders);

		if (r < 0) {
			wf_space_done(space);
			return r;
		}
		space->orders++;
	}
	free_all(space);
	return 0;
}

void wf_space_done(struct wf_space *space)
{
	for (uint32_t i = 0; i < space->orders; i++)
		wf_bits_done(&space->free[i]);
	memset(space, 0, sizeof(*space));
}

/* Takes block `wanted` of an order out of the free block that holds it; the rest stays free. */
static void split(struct wf_space *space, uint32_t from, uint32_t order, uint32_t wanted)
{
	wf_bits_clear(&space->free[from], wanted >> (from - order));
	while (from-- > order)
		wf_bits_set(&space->free[from], (wanted >> (from - order)) ^ 1);
	space->used += 1U << order;
}

int wf_space_take(struct wf_space *space, uint32_t size, uint32_t *ret_first)
{
	uint32_t order = order_of(size);

	for (uint32_t from = order; from < space->orders; from++) {
		uint32_t block = wf_bits_next(&space->free[from], 0);

		if (block == WF_BITS_NONE)
			continue;
		split(space, from, order, block << (from - order));
		*ret_first = block << from;
		return 0;
	}
	return -ENOSPC;
}

int wf_space_take_at(struct wf_space *space, uint32_t first, uint32_t size)
{
	uint32_t order = order_of(size);

	if (!size || order >= space->orders || first & ((1U << order) - 1) ||
	    first >= space->places || space->places - first < size)
		return -EINVAL;
	for (uint32_t from = order; from < space->orders; from++) {
		if (!wf_bits_has(&space->free[from], first >> from))
			continue;
		split(space, from, order, first >> order);
		return 0;
	}
	return -EBUSY;
}

void wf_space_give(struct wf_space *space, uint32_t first, uint32_t size)
{
	uint32_t order = order_of(size);
	uint32_t block = first >> order;

	space->used -= 1U << order;
	while (order + 1 < space->orders && wf_bits_has(&space->free[order], block ^ 1)) {
		wf_bits_clear(&space->free[order], block ^ 1);
		block >>= 1;
		order++;
	}
	wf_bits_set(&space->free[order], block);
}
