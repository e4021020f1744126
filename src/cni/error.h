/* SPDX-License-Identifier: Apache-2.0 */
/* The error object of the CNI specification: what a runtime reads on standard output. */
#ifndef WEFT_CNI_ERROR_H
#define WEFT_CNI_ERROR_H

#include <jansson.h>

#include "base/err.h"

/* Codes of the specification (1-99) and, from 100 on, those of the table in base/err.c. */
enum wf_cni_code {
	WF_CNI_VERSION_UNSUPPORTED = 1,
	WF_CNI_FIELD_UNSUPPORTED = 2,
	WF_CNI_CONTAINER_UNKNOWN = 3,
	WF_CNI_ENVIRONMENT = 4,
	WF_CNI_IO = 5,
	WF_CNI_DECODE = 6,
	WF_CNI_CONFIG = 7,
	WF_CNI_NETNS = 8,
	WF_CNI_TRY_AGAIN = 11,
	WF_CNI_NOT_AVAILABLE = 50,
	WF_CNI_EXISTS = 101,
	WF_CNI_INTERNAL = 999,
};

struct wf_cni_error {
	int code; /* enum wf_cni_code or another of the table; 0: no error */
	char msg[1024];
	char details[640]; /* empty: none */
};

/* Sets code and message, clears the details. Always returns -EINVAL. */
int wf_cni_fail(struct wf_cni_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets the details of an error that was set. */
void wf_cni_error_detail(struct wf_cni_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What the daemon (or the way to it) answered, as a CNI error. r is the negative errno. */
int wf_cni_fail_daemon(struct wf_cni_error *error, int r, const struct wf_err *err,
		       const char *socket_path);

/* Out of memory: try again later. */
int wf_cni_fail_memory(struct wf_cni_error *error);

/* {cniVersion, code, msg, details}; version NULL leaves cniVersion out. NULL: no memory. */
json_t *wf_cni_error_json(const struct wf_cni_error *error, const char *version);

#endif
