/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others break is put right: events of the kernel mark what to look at, a short timer
 * gathers them, and one pass compares and repairs. Repairs are limited, so that a tool that keeps
 * deleting our things costs it and us little, and is named in the log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(repair);

#define GATHER_US          20000
#define WINDOW_MS          10000
#define REPAIRS_PER_WINDOW 50
#define SLOW_US            900000

static bool is_ours(uint32_t ifindex)
{
	return ifindex >= WF_IFINDEX_BASE && ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS;
}

/* The overlay's, or one that it is encrypted by. */
static bool is_overlay(const struct wf_control *control, uint32_t ifindex)
{
	return ifindex && (ifindex == control->cluster.overlay_ifindex ||
			   wf_ctl_encrypt_has(control, ifindex));
}

void wf_ctl_dirty(struct wf_control *control, uint32_t dirty)
{
	struct timeval wait = { .tv_usec = GATHER_US };
	uint64_t now_ms = wf_clock_monotonic_ms();

	control->dirty |= dirty;
	if (!control->repair_timer || evtimer_pending(control->repair_timer, NULL))
		return;
	if (now_ms - control->repair_window_ms > WINDOW_MS) {
		control->repair_window_ms = now_ms;
		control->repair_count = 0;
	}
	if (++control->repair_count > REPAIRS_PER_WINDOW)
		wait.tv_usec = SLOW_US;
	(void)evtimer_add(control->repair_timer, &wait);
}

/* A device of ours is gone: its slot is free, and an endpoint that still has it needs a look. */
static void on_link_del(struct wf_control *control, uint32_t ifindex)
{
	uint32_t slot = ifindex - WF_IFINDEX_BASE;

	if (ifindex == control->weft0_ifindex || ifindex == WF_IFINDEX_BASE) {
		wf_ctl_dirty(control, CTL_DIRTY_ALL);
		return;
	}
	if (is_overlay(control, ifindex))
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
	if (!is_ours(ifindex))
		return;
	if (control->slots[slot] == CTL_SLOT_DYING)
		control->slots[slot] = CTL_SLOT_FREE;
	if (!control->by_slot[slot])
		return;
	control->lost[slot] = true;
	wf_ctl_dirty(control, CTL_DIRTY_LOST);
}

/*
 * A new device is reported several times on its way to what it shall be: only the last word
 * counts.
 */
static void note_odd(struct wf_control *control, uint32_t slot, bool odd)
{
	if (control->odd[slot] == odd)
		return;
	control->odd[slot] = odd;
	control->odd_count += odd ? 1U : -1U;
}

/* Whether the host's side of an endpoint is as it was made; WF_SLOT_HOST: weft0p. */
static bool is_as_made(const struct wf_control *control, uint32_t slot,
		       const struct wf_net_link *link)
{
	const struct ctl_endpoint *endpoint = control->by_slot[slot];
	char name[16], alias[256];

	if (link->group == WF_NET_GROUP_DEAD)
		return true;
	if (slot == WF_SLOT_HOST)
		return link->up && strcmp(link->name, WF_NET_HOST_PEER) == 0;
	if (!endpoint)
		return true;
	wf_ctl_desired_names(endpoint, name, alias);
	return link->up && link->group == WF_NET_GROUP_LIVE && link->mtu == endpoint->spec.mtu &&
	       strcmp(link->name, name) == 0 && strcmp(link->alias, alias) == 0;
}

/* Whether the events read so far leave a device in another state than it was made in. */
static bool is_any_odd(struct wf_control *control)
{
	bool found = false;

	for (uint32_t slot = 0; control->odd_count && slot < WF_MAX_SLOTS; slot++) {
		if (!control->odd[slot])
			continue;
		found = found || slot == WF_SLOT_HOST || control->by_slot[slot];
		note_odd(control, slot, false);
	}
	return found;
}

/* weft0, or the host's device in a macvlan network. */
static void on_host_link(struct wf_control *control, const struct wf_net_link *link)
{
	const struct ctl_network *network;

	if (is_overlay(control, link->ifindex) && !link->up)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);

	if (link->ifindex == control->weft0_ifindex) {
		if (!link->up || strcmp(link->name, WF_NET_HOST_DEVICE) != 0)
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		/* gateways answer with it */
		if (memcmp(&link->mac, &control->weft0_mac, sizeof(link->mac)) != 0)
			wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_MAPS);
		return;
	}
	for (network = control->networks; network; network = network->by_name.next)
		if (network->host_ifindex == link->ifindex && !link->up)
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

static bool is_macvlan_host(const struct wf_control *control, uint32_t ifindex)
{
	const struct ctl_network *network;

	for (network = control->networks; network; network = network->by_name.next)
		if (network->host_ifindex && network->host_ifindex == ifindex)
			return true;
	return false;
}

/* Where the addresses are by which macvlan containers know the host. */
static bool is_macvlan_parent(const struct wf_control *control, uint32_t ifindex)
{
	const struct ctl_network *network;

	for (network = control->networks; network; network = network->by_name.next)
		if (network->host_ifindex && network->parent_ifindex == ifindex)
			return true;
	return false;
}

/* Whether a route to there is one of weft's, or would be. */
static bool is_own_destination(const struct wf_control *control, const struct wf_prefix *prefix)
{
	const bool is_single = prefix->len == wf_addr_bits(&prefix->addr);
	const struct ctl_network *network;

	for (network = control->networks; network; network = network->by_name.next)
		for (size_t i = 0; !network->spec.overlapping && i < network->spec.subnet_count;
		     i++) {
			const struct wf_prefix *subnet = &network->spec.subnets[i].prefix;

			if (wf_ctl_is_routed_by_host(network)
				    ? wf_prefix_equal(subnet, prefix)
				    : network->host_ifindex && is_single &&
					      wf_prefix_contains(subnet, &prefix->addr))
				return true;
		}
	return false;
}

static void on_route(struct wf_control *control, const struct wf_net_event *event)
{
	const bool is_own = event->protocol == WF_NET_ROUTE_PROTOCOL ||
			    event->protocol == WF_NET_TUNNEL_PROTOCOL;
	char text[WF_ADDR_TEXT];

	if (event->type == WF_NET_EVENT_ROUTE_DEL && is_own)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
	if (wf_ctl_is_way(control, &event->prefix))
		wf_ctl_dirty(control, CTL_DIRTY_WAYS);
	if (event->type == WF_NET_EVENT_ROUTE_DEL || is_own ||
	    !is_own_destination(control, &event->prefix))
		return;
	wf_log_warning_rl("route was replaced", "destination=%s protocol=%u",
			  wf_prefix_format(&event->prefix, text), event->protocol);
	wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

static void on_addr(struct wf_control *control, const struct wf_net_event *event)
{
	if (event->ifindex != control->weft0_ifindex)
		wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
	if ((event->type == WF_NET_EVENT_ADDR_DEL &&
	     (event->ifindex == control->weft0_ifindex || is_overlay(control, event->ifindex))) ||
	    is_macvlan_parent(control, event->ifindex))
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

static void on_event(const struct wf_net_event *event, void *context)
{
	struct wf_control *control = context;

	switch (event->type) {
	case WF_NET_EVENT_LINK_DEL:
		on_link_del(control, event->ifindex);
		if (is_macvlan_host(control, event->ifindex) ||
		    wf_ctl_parent_concerns(control, event))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		break;
	case WF_NET_EVENT_LINK_CHANGE:
		if (is_ours(event->ifindex))
			note_odd(control, event->ifindex - WF_IFINDEX_BASE,
				 !is_as_made(control, event->ifindex - WF_IFINDEX_BASE,
					     &event->link));
		else
			on_host_link(control, &event->link);
		if (!is_ours(event->ifindex) && wf_ctl_parent_concerns(control, event))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		/* what matters of other devices is whether they lead out */
		if (!is_ours(event->ifindex) && event->ifindex != control->weft0_ifindex &&
		    event->link.up != wf_ctl_is_uplink(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
		break;
	case WF_NET_EVENT_QDISC_DEL:
		if (event->ifindex == WF_IFINDEX_BASE)
			wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_FILTERS);
		else if (is_ours(event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_DEVICES | CTL_DIRTY_FILTERS);
		else if (is_overlay(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		else if (wf_ctl_is_uplink(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
		break;
	case WF_NET_EVENT_FILTER_DEL:
	case WF_NET_EVENT_FILTER_CHANGE:
		if (event->block == WF_BLOCK_INGRESS || event->block == WF_BLOCK_EGRESS)
			wf_ctl_dirty(control, CTL_DIRTY_FILTERS);
		else if (is_overlay(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		else if (wf_ctl_is_uplink(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
		break;
	case WF_NET_EVENT_ROUTE_DEL:
	case WF_NET_EVENT_ROUTE_REPLACE: on_route(control, event); break;
	case WF_NET_EVENT_ADDR_NEW:
	case WF_NET_EVENT_ADDR_DEL: on_addr(control, event); break;
	case WF_NET_EVENT_NSID_DEL: wf_ctl_dirty(control, CTL_DIRTY_NAMESPACES); break;
	case WF_NET_EVENT_OVERRUN: wf_ctl_dirty(control, CTL_DIRTY_ALL); break;
	}
}

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
	if (!is_ours(link->ifindex))
		return;
	view->seen[slot] |= (uint8_t)(1 | (is_as_made(view->control, slot, link) ? 2 : 0));
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

	if (is_ours(ifindex) && ingress == WF_BLOCK_INGRESS && egress == WF_BLOCK_EGRESS)
		view->seen[ifindex - WF_IFINDEX_BASE] |= 4;
}

/* Makes the link of a living endpoint again, or whatever of it is missing. */
static int repair_endpoint(struct wf_control *control, struct ctl_endpoint *endpoint, uint8_t seen,
			   struct wf_err *err)
{
	struct wf_net_address addresses[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_net_route routes[2 * WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_net_endpoint interface;
	char host_name[16], alias[256];
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r;

	if (seen & 1) {
		wf_ctl_desired_interface(control, endpoint, -1, &interface, addresses, routes,
					 host_name, alias);
		r = wf_net_host_side_repair(control->net, &interface, err);
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

void wf_ctl_dirty_later(struct wf_control *control, uint32_t dirty)
{
	const struct timeval later = { .tv_usec = SLOW_US };

	control->dirty |= dirty;
	if (control->repair_timer && !evtimer_pending(control->repair_timer, NULL))
		(void)evtimer_add(control->repair_timer, &later);
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

/* Endpoints whose device the host cannot see: the kernel said that some namespace died. */
static void release_orphans(struct wf_control *control)
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

/* A deleted device: with its namespace, or by somebody while the container lives. */
static void settle_lost(struct wf_control *control)
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

static void on_repair(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	uint32_t dirty = control->dirty;
	struct wf_err err = WF_ERR_INIT;
	int r = 0;

	(void)fd;
	(void)what;
	control->dirty = 0;
	if (dirty & CTL_DIRTY_NAMESPACES)
		release_orphans(control);
	if (dirty & CTL_DIRTY_LOST)
		settle_lost(control);
	if (dirty & CTL_DIRTY_HOST) {
		wf_ctl_parents_repair(control);
		r = wf_ctl_host_sync(control, &err);
		if (r == 0)
			r = wf_ctl_cluster_sync(control, &err);
		wf_log_debug("host side checked", "dirty=%u", dirty);
	}
	if (r == 0 && (dirty & (CTL_DIRTY_MAPS | CTL_DIRTY_POLICY)))
		r = wf_ctl_policy_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_MAPS))
		r = wf_ctl_program_all(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_FILTERS))
		r = wf_ctl_filters_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_REST)) {
		control->dirty |= CTL_DIRTY_REST;
		r = wf_ctl_settle(control, &err);
	} else if (r == 0 && (dirty & CTL_DIRTY_DEVICES)) {
		r = wf_ctl_repair_devices(control, &err);
	}
	if (r == 0 && (dirty & CTL_DIRTY_UPLINKS))
		r = wf_ctl_uplinks_sync(control, &err);
	if (r == 0 && (dirty & (CTL_DIRTY_UPLINKS | CTL_DIRTY_WAYS)))
		r = wf_ctl_ways_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_SERVICES)) {
		wf_ctl_lb_touch_all(control);
		wf_ctl_lb_flush(control);
	}
	if (r < 0) {
		wf_log_error("repair failed", "error=\"%s\"", err.message);
		wf_ctl_dirty(control, dirty);
	}
}

static void on_net_event(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	(void)wf_net_event_read(control->net, on_event, control);
	if (is_any_odd(control))
		wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_DEVICES);
}

int wf_ctl_repair_start(struct wf_control *control, struct wf_err *err)
{
	control->repair_timer = evtimer_new(control->loop, on_repair, control);
	control->net_event = event_new(control->loop, wf_net_event_fd(control->net),
				       EV_READ | EV_PERSIST, on_net_event, control);
	/* after requests: what others do can wait for an answer that is ready */
	if (control->net_event)
		(void)event_priority_set(control->net_event, WF_CONTROL_PRIORITY_LOW);
	if (!control->repair_timer || !control->net_event ||
	    event_add(control->net_event, NULL) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for events");
	return 0;
}

void wf_ctl_repair_stop(struct wf_control *control)
{
	if (control->net_event)
		event_free(control->net_event);
	if (control->repair_timer)
		event_free(control->repair_timer);
	control->net_event = NULL;
	control->repair_timer = NULL;
}
