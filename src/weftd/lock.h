/* SPDX-License-Identifier: Apache-2.0 */
/* One daemon per run directory, per network namespace and per directory of pinned maps. */
#ifndef WEFT_WEFTD_LOCK_H
#define WEFT_WEFTD_LOCK_H

#include "base/err.h"

/*
 * Each takes one lock, which ends with the process or with close() of *ret_fd. -EBUSY names the
 * daemon that holds it and what to do.
 */

/* weftd.lock in the run directory; holds the pid for people and for doctor. */
int weftd_lock_run_dir(const char *run_dir, int *ret_fd, struct wf_err *err);

/*
 * The network namespace: two daemons in one would take each other's devices for leftovers. Whoever
 * is refused connects to *ret_fd to learn our pid: weftd_lock_answer() whenever it is readable.
 * Stays -1, with a warning, when somebody who is no weftd holds the name.
 */
int weftd_lock_namespace(int *ret_fd, struct wf_err *err);
void weftd_lock_answer(int fd);

/* The directory of pinned maps, which must exist. */
int weftd_lock_bpf_dir(const char *bpf_dir, int *ret_fd, struct wf_err *err);

#endif
