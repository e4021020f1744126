/* SPDX-License-Identifier: Apache-2.0 */
/* The running daemon: opening the parts in order, serving until told to stop. */
#ifndef WEFT_WEFTD_DAEMON_H
#define WEFT_WEFTD_DAEMON_H

#include "weftd/config.h"

/* Runs until SIGTERM or SIGINT; argc and argv are read again on SIGHUP. */
int weftd_run(struct weftd_config *config, int argc, char **argv, struct wf_err *err);

#endif
