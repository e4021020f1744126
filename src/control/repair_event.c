/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of devices, filters, routes and addresses, and what is to be looked at for it. */
#include <string.h>

#include "base/log.h"
#include "control/repair_priv.h"

WF_LOG_MODULE(repair);

/* The overlay's, or one that it is encrypted by. */
static bool is_overlay(const struct wf_control *control, uint32_t ifindex)
{
	return ifindex && (ifindex == control->cluster.overlay_ifindex ||
			   wf_ctl_encrypt_has(control, ifindex));
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
	if (!wf_ctl_is_slot_device(ifindex))
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

bool wf_ctl_is_as_made(const struct wf_control *control, uint32_t slot,
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

bool wf_ctl_is_any_odd(struct wf_control *control)
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
		for (size_t i = 0;
		     !wf_ctl_scope_is_own(&network->spec) && i < network->spec.subnet_count; i++) {
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

void wf_ctl_on_net_event(const struct wf_net_event *event, void *context)
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
		if (wf_ctl_is_slot_device(event->ifindex))
			note_odd(control, event->ifindex - WF_IFINDEX_BASE,
				 !wf_ctl_is_as_made(control, event->ifindex - WF_IFINDEX_BASE,
						    &event->link));
		else
			on_host_link(control, &event->link);
		if (!wf_ctl_is_slot_device(event->ifindex) &&
		    wf_ctl_parent_concerns(control, event))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		/* what matters of other devices is whether they lead out */
		if (!wf_ctl_is_slot_device(event->ifindex) &&
		    event->ifindex != control->weft0_ifindex &&
		    event->link.up != wf_ctl_is_uplink(control, event->ifindex))
			wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
		break;
	case WF_NET_EVENT_QDISC_DEL:
		if (event->ifindex == WF_IFINDEX_BASE)
			wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_FILTERS);
		else if (wf_ctl_is_slot_device(event->ifindex))
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
