/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of endpoints: what is not as it was made is made so again, what nobody has any more goes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/repair_priv.h"

WF_LOG_MODULE(repair);

/* What a dump of links and qdiscs says of the slots. */
struct device_view {
	struct wf_control *control;
	uint8_t seen[WF_MAX_SLOTS]; /* bits: 1 device, 2 as it was made, 4 in the blocks */
	bool failed;                /* something that must go is still there */
	bool has_leftovers;         /* buried by an earlier daemon */
};

/* A device that the host had in a macvlan network which is gone or has another now. */
static bool is_lost_macvlan_host(const struct wf_control *control, const struct wf_net_link *link)
{
	unsigned int number;
	char rest;

	return strcmp(link->kind, "macvlan") == 0 &&
	       sscanf(link->name, "wfm%u%c", &number, &rest) == 1 && number < WF_MAX_NETWORKS &&
	       !(control->by_number[number] &&
		 wf_ctl_wants_host_device(&control->by_number[number]->spec));
}

static void see_link(const struct wf_net_link *link, void *context)
{
	struct device_view *view = context;
	uint32_t slot = link->ifindex - WF_IFINDEX_BASE;
	int r;

	if ((is_lost_macvlan_host(view->control, link) ||
	     wf_ctl_vlan_is_lost(view->control, link)) &&
	    wf_net_link_del(view->control->net, link->ifindex, NULL) < 0)
		view->failed = true;
	if (!wf_ctl_is_slot_device(link->ifindex))
		return;
	view->seen[slot] |= (uint8_t)(1 | (wf_ctl_is_as_made(view->control, slot, link) ? 2 : 0));
	if (link->group == WF_NET_GROUP_DEAD && view->control->slots[slot] == CTL_SLOT_FREE) {
		view->control->slots[slot] = CTL_SLOT_DYING;
		view->has_leftovers = true;
	}
	/* nobody's: what a crash left behind */
	if (slot && !view->control->by_slot[slot] && link->group != WF_NET_GROUP_DEAD) {
		view->control->slots[slot] = CTL_SLOT_DYING;
		r = wf_net_endpoint_bury(view->control->net, link->ifindex);
		if (r < 0 && r != -ENODEV)
			view->failed = true;
	}
}

static void see_qdisc(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context)
{
	struct device_view *view = context;

	if (wf_ctl_is_slot_device(ifindex) && ingress == WF_BLOCK_INGRESS &&
	    egress == WF_BLOCK_EGRESS)
		view->seen[ifindex - WF_IFINDEX_BASE] |= 4;
}

/* Makes the link of a living endpoint again, or whatever of it is missing. */
static int repair_endpoint(struct wf_control *control, struct ctl_endpoint *endpoint, uint8_t seen,
			   struct wf_err *err)
{
	struct ctl_interface interface;
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r;

	if (seen & 1) {
		wf_ctl_desired_interface(control, endpoint, -1, &interface);
		r = wf_net_host_side_repair(control->net, &interface.net, err);
	} else {
		r = wf_net_ns_open(endpoint->spec.netns, &fd, &id, err);
		if (r == 0)
			r = wf_ctl_endpoint_link(control, endpoint, fd, err);
	}
	if (r < 0)
		return r;
	control->repairs_total++;
	wf_log_warning("endpoint repaired", "endpoint=%s missing=%s", endpoint->spec.meta.name,
		       !(seen & 1)   ? "device"
		       : !(seen & 4) ? "filter"
				     : "state");
	return 0;
}

static void postpone(struct wf_control *control, const struct ctl_endpoint *endpoint,
		     bool has_device, const struct wf_err *fault)
{
	wf_log_warning_rl("repair failed", "endpoint=%s error=\"%s\"", endpoint->spec.meta.name,
			  fault->message);
	control->lost[endpoint->spec.slot] = !has_device;
	wf_ctl_dirty_later(control, has_device ? CTL_DIRTY_DEVICES : CTL_DIRTY_LOST);
}

static void release_orphan(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	struct wf_err fault = WF_ERR_INIT;

	if (wf_ctl_endpoint_release(control, endpoint, "its namespace is gone", &fault) == 0)
		return;
	wf_log_warning_rl("endpoint of a dead namespace cannot be released",
			  "endpoint=%s error=\"%s\"", endpoint->spec.meta.name, fault.message);
	wf_ctl_dirty_later(control, endpoint->spec.slot ? CTL_DIRTY_DEVICES : CTL_DIRTY_NAMESPACES);
}

/* Slots whose device never came, or went while nobody looked. */
static void settle_slots(struct wf_control *control, const struct device_view *view)
{
	for (uint32_t slot = 1; slot < WF_MAX_SLOTS; slot++)
		if (control->slots[slot] == CTL_SLOT_DYING && !(view->seen[slot] & 1))
			control->slots[slot] = CTL_SLOT_FREE;
}

int wf_ctl_repair_devices(struct wf_control *control, struct wf_err *err)
{
	_cleanup_free_ struct device_view *view = calloc(1, sizeof(*view));
	struct ctl_endpoint *endpoint, *next;
	int r;

	if (!view)
		return wf_fail(err, -ENOMEM, "out of memory");
	view->control = control;
	r = wf_net_link_dump(control->net, see_link, view, err);
	if (r == 0)
		r = wf_net_qdisc_dump(control->net, see_qdisc, view, err);
	if (r < 0)
		return r;
	settle_slots(control, view);
	if (view->has_leftovers)
		wf_net_bury_leftovers(control->net);
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		struct wf_err fault = WF_ERR_INIT;
		uint8_t seen = endpoint->spec.slot ? view->seen[endpoint->spec.slot] : 7;

		if (seen == 7)
			continue;
		if (!wf_ctl_namespace_alive(control, &endpoint->spec))
			release_orphan(control, endpoint);
		else if (repair_endpoint(control, endpoint, seen, &fault) < 0)
			postpone(control, endpoint, seen & 1, &fault);
	}
	if (view->failed)
		wf_ctl_dirty_later(control, CTL_DIRTY_DEVICES);
	return 0;
}

void wf_ctl_release_orphans(struct wf_control *control)
{
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next)
		if (!endpoint->spec.slot && !wf_ctl_namespace_alive(control, &endpoint->spec))
			release_orphan(control, endpoint);
}

/* Makes a lost device again, unless it is there: the event was of before that was done. */
static int remake_lost(struct wf_control *control, struct ctl_endpoint *endpoint,
		       struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(control->net, NULL, endpoint->spec.ifindex, &link, names, err);

	return r == -ENODEV ? repair_endpoint(control, endpoint, 0, err) : r;
}

void wf_ctl_settle_lost(struct wf_control *control)
{
	for (uint32_t slot = 1; slot < WF_MAX_SLOTS; slot++) {
		struct ctl_endpoint *endpoint = control->by_slot[slot];
		struct wf_err fault = WF_ERR_INIT;

		if (!control->lost[slot])
			continue;
		control->lost[slot] = false;
		if (!endpoint)
			continue;
		if (!wf_ctl_namespace_alive(control, &endpoint->spec))
			release_orphan(control, endpoint);
		else if (remake_lost(control, endpoint, &fault) < 0)
			postpone(control, endpoint, false, &fault);
	}
}
