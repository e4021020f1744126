/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft doctor`: is this host fit for weft, and is what weft keeps on it in order? Called by the
 * daemon's main in its one-shot mode, with or without a daemon running beside it. Changes nothing
 * and leaves nothing behind: whatever must be tried is tried by a child process in network and
 * mount namespaces of its own, which end with it.
 */
#ifndef WEFT_CONTROL_DOCTOR_H
#define WEFT_CONTROL_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Where the node that is asked about lives. All borrowed. */
struct wf_doctor_config {
	const char *run_dir;   /* holds weftd.lock and spool/ */
	const char *state_dir; /* holds weft.db */
	const char *bpf_dir;
	const char *socket;  /* the daemon's */
	const char *root;    /* put in front of /proc, /sys, /etc, /opt; NULL: the host's (tests) */
	const json_t *nodes; /* what the daemon says of other nodes; NULL: nothing */
};

/*
 * Runs every check. *ret_report is new: {checks: [{id, title, status, seen, advice}], summary:
 * {ok, notes, warnings, errors}}; status is "ok", "note", "warning" or "error", advice is empty
 * when all is fine. What a check cannot find out is a finding, not a failure; -ENOMEM is the only
 * one. May take a second (it loads every program).
 */
int wf_control_doctor(const struct wf_doctor_config *config, json_t **ret_report,
		      struct wf_err *err);

/* The exit status of `weft doctor`: 0 without errors (warnings may be there), 1 otherwise. */
int wf_control_doctor_status(const json_t *report);

/* Appends the report for people: a line per check, what to do about it, a summary. */
void wf_control_doctor_print(const json_t *report, bool colour, struct wf_str *out);

#endif
