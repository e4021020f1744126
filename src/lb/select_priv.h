/* SPDX-License-Identifier: Apache-2.0 */
/* Within the folder: from endpoint slices to the backends of one port, for select.c. */
#ifndef WEFT_LB_SELECT_PRIV_H
#define WEFT_LB_SELECT_PRIV_H

#include <stdbool.h>

#include "lb/select.h"

/* Slices and services with this label are not for proxies: somebody made them for headless use. */
#define WF_LB_LABEL_HEADLESS "service.kubernetes.io/headless"

/* One port of a service in one family, and all that decides about its backends. */
struct wf_lb_question {
	const struct wf_service *service;
	const struct wf_service_port *port;
	bool ip6;
	bool has_external; /* it is reached at other addresses than its own */
	const struct wf_endpoint_slice *const *slices;
	size_t slice_count;
	const struct wf_lb_facts *facts;
};

/* Fills the port's backends; *ret_has_any: somebody, here or elsewhere, could serve. -ENOMEM. */
int wf_lb_select_backends(const struct wf_lb_question *question, struct wf_lb_port *port,
			  bool *ret_has_any);

#endif
