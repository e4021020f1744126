/* SPDX-License-Identifier: Apache-2.0 */
/* CNI_ARGS: "K=V;K=V", the oldest way to hand something to a plugin, and the one of Kubernetes. */
#ifndef WEFT_CNI_ARGS_H
#define WEFT_CNI_ARGS_H

#include <stdbool.h>

#include "cni/error.h"

struct wf_cni_args {
	char *text; /* owned; the others point into it; unset ones are "" */
	const char *ip;
	const char *gateway;
	const char *mac;
	const char *pod_namespace;
	const char *pod_name;
	const char *pod_infra_id;
	const char *pod_uid;
};

void wf_cni_args_done(struct wf_cni_args *args);

/* Code 4 for a pair without '=' and for an unknown key unless IgnoreUnknown is true or 1. */
int wf_cni_args_parse(struct wf_cni_args *args, const char *text, struct wf_cni_error *error);

#endif
