/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node as the daemon would set it up, made with ip and tc: the pair weft0 / weft0p, containers
 * in namespaces, shared blocks with the programs. For the live test and the benchmark.
 *
 *     c1, c2 (blue)   c3 (red)   c4 (alone)        "out", 192.0.2.0/24
 *        |  |            |          |                    |
 *      wf1 wf2          wf3        wf4                 uplink
 *        '--'--- shared tc blocks --'    weft0p -- weft0  |   (the node: the test's namespace)
 *
 * Addresses are those of world.h.
 */
#ifndef WEFT_TESTS_BPF_NODE_H
#define WEFT_TESTS_BPF_NODE_H

#include "dp/dp.h"

/* Containers, slots 1 to this number. */
#define NODE_CONTAINERS 4

/* Builds the node around an open datapath and fills the maps. lab_enter() comes first. */
void node_build(struct wf_dp *dp);

/* Removes namespaces and devices. */
void node_remove(void);

#endif
