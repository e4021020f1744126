/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes of the host to addresses of services, through weft0: only so its processes reach what no
 * socket hook translates (bpf/lib/host_service.h). That is SCTP; everything where there are no hooks.
 * Part of the host's plan, by which they are compared, repaired and removed like all of weft's.
 */
#include "control/control_priv.h"

bool wf_ctl_view_is_routed(const struct wf_control *control, const struct ctl_view *view)
{
	return view->key.network == WF_NETWORK_HOST && !view->host &&
	       (view->sctp || (view->services && !control->lb.has_hooks));
}

struct wf_net_route wf_ctl_host_route(const struct wf_control *control, const struct ctl_view *view)
{
	return (struct wf_net_route){
		.prefix = { .addr = view->key.addr, .len = wf_addr_bits(&view->key.addr) },
		.ifindex = control->weft0_ifindex,
		.metric = CTL_SERVICE_ROUTE_METRIC,
	};
}

int wf_ctl_host_routes_sync(struct wf_control *control, struct wf_err *err)
{
	/* which there are is not known before all services are; until then none goes away */
	if (!control->lb.settled || !control->lb.routes_changed)
		return 0;
	control->lb.routes_changed = false;
	return wf_ctl_host_sync(control, err);
}
