/* SPDX-License-Identifier: Apache-2.0 */
/* The world of world.h in the maps of a datapath. Whatever fails ends the process. */
#ifndef WEFT_TESTS_BPF_WORLD_DP_H
#define WEFT_TESTS_BPF_WORLD_DP_H

#include "dp/dp.h"
#include "world.h"

/*
 * Makes a pair wfN, cN for the host and each slot below `slots`, and opens a datapath below LAB_BPF_DIR,
 * which is the caller's to close and remove. lab_enter() comes first.
 */
struct wf_dp *world_dp_open(unsigned int slots);

/* Where world_fill() puts things: into that datapath. Members may be put in the place of these. */
struct world_maps world_dp_maps(struct wf_dp *dp);

#endif
