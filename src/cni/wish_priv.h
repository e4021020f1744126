/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of wf_cni_wish_gather() that have a file of their own. */
#ifndef WEFT_CNI_WISH_PRIV_H
#define WEFT_CNI_WISH_PRIV_H

#include "cni/wish.h"

/* Sets wish->labels, and adds the pod to wish->annotations. */
int wf_cni_wish_labels(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		       const struct wf_cni_args *args, struct wf_cni_error *error);

/* Sets wish->publish from runtimeConfig.portMappings. */
int wf_cni_wish_ports(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		      struct wf_cni_error *error);

/* Sets wish->dns from runtimeConfig.dns, or from the configuration's dns. */
int wf_cni_wish_dns(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		    struct wf_cni_error *error);

#endif
