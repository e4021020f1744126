/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the plugin: what came in, and the commands. Nothing here prints or exits; run.c
 * gathers the input, main.c writes the output.
 */
#ifndef WEFT_CNI_CALL_H
#define WEFT_CNI_CALL_H

#include <jansson.h>

#include "base/str.h"
#include "cni/config.h"
#include "cni/env.h"
#include "cni/error.h"

/* Longest waits for a daemon that does not answer, in milliseconds. */
#define WF_CNI_ADD_TIMEOUT_MS    10000
#define WF_CNI_DEL_TIMEOUT_MS    5000
#define WF_CNI_CHECK_TIMEOUT_MS  10000
#define WF_CNI_GC_TIMEOUT_MS     30000
#define WF_CNI_STATUS_TIMEOUT_MS 5000

struct wf_cni_call {
	struct wf_cni_env env;
	struct wf_cni_config config;
	struct wf_str *log; /* borrowed: lines for standard error */
};

/* ADD: asks the daemon for an interface. *ret_result is a new reference. */
int wf_cni_add(struct wf_cni_call *call, json_t **ret_result, struct wf_cni_error *error);

/* DEL: gives it back, or leaves a note in the spool when the daemon is down. */
int wf_cni_del(struct wf_cni_call *call, struct wf_cni_error *error);

/* CHECK: compares prevResult with what the daemon finds. */
int wf_cni_check(struct wf_cni_call *call, struct wf_cni_error *error);

/* GC: removes what is not in the list of valid attachments. */
int wf_cni_gc(struct wf_cni_call *call, struct wf_cni_error *error);

/* STATUS: whether an ADD would work; code 50 says why not. */
int wf_cni_status(struct wf_cni_call *call, struct wf_cni_error *error);

/*
 * The interface of this call, back to the daemon: {containerID, ifname, network}. Returns what
 * the client returns.
 */
int wf_cni_detach(const struct wf_cni_call *call, struct wf_err *err);

/* The body of that request. New reference; NULL: no memory. */
json_t *wf_cni_detach_body(const struct wf_cni_call *call);

/* Makes good a DEL of this container and interface that waits in the spool. Returns as detach. */
int wf_cni_replay(const struct wf_cni_call *call, struct wf_err *err);

#endif
