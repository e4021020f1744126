/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the plugin, from environment and configuration to exit status. */
#ifndef WEFT_CNI_RUN_H
#define WEFT_CNI_RUN_H

#include "base/str.h"
#include "cni/env.h"

struct wf_cni_io {
	wf_cni_getenv_fn get;
	const char *input;  /* file with the configuration, "-" for standard input */
	int out_fd;         /* gets the result, or the error object */
	struct wf_str *log; /* gets the lines for standard error */
};

/*
 * Reads, checks and does one command in the reference's order of checks. An ADD whose result
 * cannot be written is taken back. Returns the exit status.
 */
int wf_cni_run(const struct wf_cni_io *io);

#endif
