/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: their links, whether their namespace lives, and taking them out of everything. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/attach_priv.h"
#include "control/control_priv.h"

WF_LOG_MODULE(endpoint);

bool wf_ctl_namespace_alive(const struct wf_control *control, const struct wf_endpoint *endpoint)
{
	const struct wf_net_ns_id id = { .dev = endpoint->netns_dev,
					 .inode = endpoint->netns_inode };

	if (strcmp(endpoint->boot_id, control->boot_id) != 0)
		return false;
	/* what cannot be told is no reason to take a living container's network */
	return wf_net_ns_alive(endpoint->netns, &id) != 0;
}

int wf_ctl_endpoint_link(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
			 struct wf_err *err)
{
	struct ctl_interface interface;
	int r;

	wf_ctl_desired_interface(control, endpoint, netns_fd, &interface);
	r = wf_net_endpoint_create(control->net, &interface.net, &endpoint->spec.nsid, err);
	if (r < 0)
		return r;
	r = wf_ctl_endpoint_host_route(control, endpoint, true, err);
	if (r < 0)
		wf_ctl_endpoint_unlink(control, endpoint, netns_fd);
	return r;
}

void wf_ctl_endpoint_unlink(struct wf_control *control, const struct ctl_endpoint *endpoint,
			    int netns_fd)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	int r = 0;

	if (wf_ctl_has_parent(endpoint->network))
		(void)wf_net_inner_bury(control->net, netns_fd, spec->ifname);
	else if (spec->ifindex)
		r = wf_net_endpoint_bury(control->net, spec->ifindex);
	if (r < 0 && r != -ENODEV)
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
	(void)wf_ctl_endpoint_host_route(control, endpoint, false, NULL);
}

static int store_phase(struct wf_control *control, struct ctl_endpoint *endpoint,
		       enum wf_endpoint_phase phase, struct wf_err *err)
{
	enum wf_endpoint_phase before = endpoint->spec.phase;
	_cleanup_json_ json_t *document = NULL;
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = WF_KIND_ENDPOINT,
					.name = endpoint->spec.meta.name,
					.expected = WF_STORE_ANY };
	int r;

	endpoint->spec.phase = phase;
	document = wf_endpoint_to_json(&endpoint->spec);
	write.document = document;
	r = document ? wf_ctl_commit(control, &write, 1, WF_STORE_BOOT_BOUND, err)
		     : wf_fail(err, -ENOMEM, "out of memory storing endpoint %s", write.name);
	if (r < 0)
		endpoint->spec.phase = before;
	return r;
}

/*
 * An interface that only its namespace knows goes before its document does, which is Pending
 * meanwhile: whatever ends this half way, the document leads to the rest.
 */
static int bury_unseen(struct wf_control *control, struct ctl_endpoint *endpoint,
		       struct wf_err *err)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r;

	r = wf_net_ns_open(spec->netns, &fd, &id, err);
	/* the path may name another namespace by now: its identity decides */
	if (r == -ESRCH || (r == 0 && (id.dev != spec->netns_dev || id.inode != spec->netns_inode)))
		return 0;
	if (r == 0)
		r = store_phase(control, endpoint, WF_ENDPOINT_PENDING, err);
	if (r < 0)
		return r;
	wf_ctl_crash_point("detach.pending");
	r = wf_net_inner_bury(control->net, fd, spec->ifname);
	if (r == 0 || r == -ENODEV)
		return 0;
	(void)store_phase(control, endpoint, WF_ENDPOINT_READY, NULL);
	return wf_fail(err, r, "cannot remove interface %s of endpoint %s", spec->ifname,
		       spec->meta.name);
}

/* The slot is free again once the kernel says that the device is gone. */
static void bury_device(struct wf_control *control, const struct wf_endpoint *spec)
{
	int r;

	control->slots[spec->slot] = CTL_SLOT_DYING;
	r = wf_ctl_busy_was(control, spec->slot)
		    ? wf_net_endpoint_bury_slow(control->net, spec->ifindex)
		    : wf_net_endpoint_bury(control->net, spec->ifindex);
	if (r == -ENODEV)
		control->slots[spec->slot] = CTL_SLOT_FREE;
	else if (r < 0)
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
}

void wf_ctl_endpoint_unserve(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	if (endpoint->spec.publish.count && wf_ctl_publish_sync(control, endpoint, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
	wf_ctl_netns_unprogram(control, endpoint);
	wf_ctl_conn_forget(control, endpoint);
}

int wf_ctl_endpoint_serve(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
			  struct wf_err *err)
{
	int r;

	if (!endpoint->spec.slot)
		return 0;
	r = wf_net_ns_cookie(netns_fd, &endpoint->spec.netns_cookie, err);
	if (r == 0)
		r = wf_ctl_netns_program(control, endpoint, err);
	if (r == 0 && endpoint->spec.publish.count)
		r = wf_ctl_publish_sync(control, NULL, err);
	return r;
}

int wf_ctl_endpoint_release(struct wf_control *control, struct ctl_endpoint *endpoint,
			    const char *why, struct wf_err *err)
{
	int r = 0;

	wf_ctl_lb_touch_endpoint(control, endpoint);
	wf_ctl_unprogram_endpoint(control, endpoint);
	wf_ctl_crash_point("detach.fenced");
	if (wf_ctl_has_parent(endpoint->network))
		r = bury_unseen(control, endpoint, err);
	if (r == 0)
		r = wf_ctl_endpoint_forget(control, &endpoint->spec, WF_STORE_BOOT_BOUND, err);
	if (r < 0) {
		/* still documented: it stays an endpoint, in service, and the caller hears why */
		if (wf_ctl_program_endpoint(control, endpoint, NULL) < 0)
			wf_ctl_dirty(control, CTL_DIRTY_MAPS);
		return r;
	}
	wf_ctl_crash_point("detach.stored");
	wf_ctl_policy_member_drop(control, endpoint);
	wf_ctl_endpoint_unserve(control, endpoint);
	(void)wf_ctl_endpoint_host_route(control, endpoint, false, NULL);
	if (endpoint->spec.slot)
		bury_device(control, &endpoint->spec);
	wf_ctl_crash_point("detach.buried");
	wf_ctl_attach_unaddress(endpoint->network, &endpoint->spec, true);
	if (endpoint->spec.slot)
		(void)wf_dp_traffic_clear(control->dp, endpoint->spec.slot);
	wf_log_info("endpoint detached", "endpoint=%s network=%s why=\"%s\"",
		    endpoint->spec.meta.name, endpoint->spec.network, why);
	wf_ctl_service_routes_touch_space(control, endpoint);
	wf_ctl_endpoint_remove(control, endpoint);
	wf_ctl_lb_flush(control);
	return 0;
}
