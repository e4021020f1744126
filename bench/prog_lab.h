/* SPDX-License-Identifier: Apache-2.0 */
/* What measurements of single programs share: tables with the world of tests/bpf/world.h, and runs. */
#ifndef WEFT_BENCH_PROG_LAB_H
#define WEFT_BENCH_PROG_LAB_H

#include "dp/dp.h"
#include "packet.h"

/* Ends the process with a message unless r is 0 or more. */
void prog_lab_check(int r, const char *what);

/*
 * Enters namespaces of its own, makes devices for the host and for slots 1 and 2, and opens a datapath
 * with the world in it, which prog_lab_close() takes away again.
 */
struct wf_dp *prog_lab_open(void);
void prog_lab_close(struct wf_dp *dp);

/* Runs a program on a packet that comes by a slot's device: nanoseconds of one of `repeat` runs. */
__u32 prog_lab_run(int prog_fd, __u32 slot, const struct packet *packet, int repeat,
		   __u32 *ret_action);

#endif
