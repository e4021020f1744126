/* SPDX-License-Identifier: Apache-2.0 */
/* The result of an ADD, from the daemon's Endpoint document. Pure. */
#ifndef WEFT_CNI_RESULT_H
#define WEFT_CNI_RESULT_H

#include <jansson.h>

#include "cni/error.h"

/*
 * The newest shape: host side and container side of the interface, addresses, default routes and
 * dns, appended to prev (normalised, borrowed; NULL: none). dns (borrowed, may be NULL) is told
 * unless prev has one. Code 999 for a document that is none. New reference.
 */
int wf_cni_result_build(const json_t *endpoint, const char *ifname, const char *netns, json_t *dns,
			const json_t *prev, json_t **ret_result, struct wf_cni_error *error);

#endif
