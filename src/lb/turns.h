/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence in which every backend occurs as often as its weight says, spread as evenly as can
 * be: what round robin walks along, and what random picks from. Used by the table. Pure.
 */
#ifndef WEFT_LB_TURNS_H
#define WEFT_LB_TURNS_H

#include <stddef.h>
#include <stdint.h>

#include "lb/maglev.h"

/* Longest sequence, unless there are more backends: greater sums of weights are scaled down. */
#define WF_TURNS_MAX 4096

/* Length of the sequence: the sum of the weights divided by what divides them all. */
uint32_t wf_turns_size(const struct wf_maglev_backend *backends, size_t count);

/*
 * Fills table[0..size), size from wf_turns_size(). Backends of one weight come in the order they
 * are given in; keys are not looked at. -ENOMEM.
 */
int wf_turns_build(const struct wf_maglev_backend *backends, size_t count, uint32_t *table,
		   uint32_t size);

#endif
