/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single steps on a small table of connections, by programs (bpf/lib/conn.h) and by the daemon
 * (src/dp/conn_table.c), each of which has to succeed.
 */
#ifndef WEFT_TESTS_UNIT_DP_CONN_STEPS_H
#define WEFT_TESTS_UNIT_DP_CONN_STEPS_H

#include "conn_lab.h"

#define CONN_MAX 64

/* What the daemon remembers from one sweep to the next. */
extern struct wf_conn_sweep conn_sweep;

/* Before each test: an empty table of CONN_MAX records. */
int conn_set_up(void **state);
/* Returns the number of the record. */
__u32 conn_add(const struct wf_conn_new *conn);
__u32 conn_add_plain(__u32 proto, __u32 from, __u32 by);
/* Returns how many connections ended. */
__u32 conn_run_sweep(void);
bool conn_is_due(void);
bool conn_found(const struct wf_tuple *tuple);
void conn_wait_ticks(__u32 ticks);
/* A packet of a connection that is there. */
void conn_pass(const struct wf_tuple *tuple, __u32 tcp_flags);

#endif
