/* SPDX-License-Identifier: Apache-2.0 */
/* The attach request of an ADD, as docs/api.md describes it. Pure. */
#ifndef WEFT_CNI_ATTACH_H
#define WEFT_CNI_ATTACH_H

#include <jansson.h>

#include "cni/call.h"
#include "cni/wish.h"

/*
 * prev is the normalised prevResult, NULL when weft comes first: a chain that has a default route
 * gets no second one unless the configuration asks for it. New reference; NULL: no memory.
 */
json_t *wf_cni_attach_body(const struct wf_cni_call *call, const struct wf_cni_wish *wish,
			   const struct wf_cni_args *args, const json_t *prev);

/*
 * Appends "NAMESPACE.POD.ID-IFNAME" made fit for a name of weft's, nothing when it cannot be or
 * there is no pod: then the daemon chooses. The id keeps two sandboxes of one pod apart.
 */
void wf_cni_attach_add_name(struct wf_str *name, const struct wf_cni_env *env,
			    const struct wf_cni_args *args);

#endif
