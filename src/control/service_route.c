/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes to services inside of containers that have no other: those of networks with overlapping
 * subnets (desired.c says which). They depend on the node's range of services, on the network's
 * subnets, and on whether another interface of the container leads out; when one of these changes,
 * they follow. What a container itself did to its routes is not looked for.
 */
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(service);

/* Entering a namespace takes a tenth of a millisecond, and others wait meanwhile. */
#define AT_ONCE 100

static void touch(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	if (!wf_ctl_scope_routes_services(endpoint))
		return;
	endpoint->has_stale_routes = true;
	wf_ctl_dirty(control, CTL_DIRTY_ROUTES);
}

void wf_ctl_service_routes_touch(struct wf_control *control, const struct ctl_network *network)
{
	struct ctl_endpoint *endpoint, *next;

	if (network && !wf_ctl_scope_is_own(&network->spec))
		return;
	HASH_ITER(by_name, control->endpoints, endpoint, next)
		if (!network || endpoint->network == network)
			touch(control, endpoint);
}

void wf_ctl_service_routes_touch_space(struct wf_control *control,
				       const struct ctl_endpoint *endpoint)
{
	if (!endpoint->spec.default_route)
		return;
	WF_INDEX_EACH(&control->spaces, wf_ctl_space_hash(&endpoint->spec), node) {
		struct ctl_endpoint *other = WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);

		if (other != endpoint && wf_ctl_is_same_space(&other->spec, &endpoint->spec))
			touch(control, other);
	}
}

static int sync_one(struct wf_control *control, const struct ctl_endpoint *endpoint,
		    struct wf_err *err)
{
	struct ctl_interface interface;
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r;

	/* another's repair, or its end, sees to what is gone */
	if (!wf_ctl_namespace_alive(control, &endpoint->spec))
		return 0;
	r = wf_net_ns_open(endpoint->spec.netns, &fd, &id, err);
	if (r < 0)
		return r;
	wf_ctl_desired_interface(control, endpoint, fd, &interface);
	r = wf_net_endpoint_sync_routes(control->net, &interface.net, err);
	return r == -ENODEV ? 0 : r;
}

void wf_ctl_service_routes_sync(struct wf_control *control)
{
	struct ctl_endpoint *endpoint, *next;
	unsigned int done = 0;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		struct wf_err fault = WF_ERR_INIT;

		if (!endpoint->has_stale_routes)
			continue;
		if (++done > AT_ONCE) {
			wf_ctl_dirty(control, CTL_DIRTY_ROUTES);
			return;
		}
		endpoint->has_stale_routes = false;
		if (sync_one(control, endpoint, &fault) == 0)
			continue;
		wf_log_warning_rl("routes to services are not as they should be",
				  "endpoint=%s error=\"%s\"", endpoint->spec.meta.name,
				  fault.message);
		endpoint->has_stale_routes = true;
		wf_ctl_dirty_later(control, CTL_DIRTY_ROUTES);
	}
}
