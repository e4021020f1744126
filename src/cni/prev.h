/* SPDX-License-Identifier: Apache-2.0 */
/* prevResult of any version, read into the newest shape; and a result of the newest shape into any. */
#ifndef WEFT_CNI_PREV_H
#define WEFT_CNI_PREV_H

#include <jansson.h>

#include "cni/error.h"
#include "cni/version.h"

/*
 * Checks a previous result and gives a deep copy in the newest shape: {interfaces, ips, routes,
 * dns} and whatever else was in it, without cniVersion. Its own cniVersion counts, else fallback.
 * Code 7 names what does not fit. New reference.
 */
int wf_cni_prev_read(const json_t *prev, enum wf_cni_version fallback, json_t **ret_result,
		     struct wf_cni_error *error);

/*
 * Turns a result of the newest shape into one of a version, in place or into a new one (0.1.0 and
 * 0.2.0: first address of each family; interfaces are dropped). Steals result; NULL: no memory.
 */
json_t *wf_cni_result_convert(json_t *result, enum wf_cni_version version);

/*
 * The interface of this name within sandbox, and its index. sandbox NULL: within any. NULL when
 * there is none.
 */
const json_t *wf_cni_result_find(const json_t *result, const char *ifname, const char *sandbox,
				 size_t *ret_index);

#endif
