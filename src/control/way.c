/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which way other nodes are reached: over a segment that this one is on as well, or past a
 * router, which knows no container's address. Looked at when routes, devices or addresses change.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "net/uplink.h"

WF_LOG_MODULE(way);

/* Devices where the datapath sees what comes in, and that have neighbours. */
struct segments {
	uint32_t items[WF_MAX_UPLINKS];
	uint32_t mtus[WF_MAX_UPLINKS]; /* 0: the device is gone */
	size_t count;
};

static void see_uplink(uint32_t ifindex, const struct wf_uplink_value *value, void *context)
{
	struct segments *segments = context;

	if (value->l2_bytes && segments->count < WF_MAX_UPLINKS)
		segments->items[segments->count++] = ifindex;
}

/* Once for all nodes: each is reached by one of them, or past what the datapath sees. */
static void find_segments(struct wf_control *control, struct segments *segments)
{
	struct wf_net_link link;
	char names[256];

	*segments = (struct segments){ .count = 0 };
	(void)wf_dp_uplink_visit(control->dp, see_uplink, segments);
	for (size_t i = 0; i < segments->count; i++)
		if (wf_net_link_find(control->net, NULL, segments->items[i], &link, names, NULL) ==
		    0)
			segments->mtus[i] = link.mtu;
}

/* Of a device; 0: it is none of them. */
static uint32_t mtu_of(const struct segments *segments, uint32_t ifindex)
{
	for (size_t i = 0; i < segments->count; i++)
		if (segments->items[i] == ifindex)
			return segments->mtus[i];
	return 0;
}

/*
 * As the kernel has it now. What is encapsulated goes to the router, or to the node itself; IPv6
 * outside is left to the host's stack, which makes the checksums.
 */
static struct ctl_way way_of(struct wf_control *control, const struct segments *segments,
			     const struct ctl_node *node)
{
	struct ctl_way found = { .router = node->underlay };
	struct wf_net_way way;

	if (wf_net_way_find(control->net, &node->underlay, &way, NULL) < 0)
		return (struct ctl_way){ 0 };
	found.mtu = mtu_of(segments, way.ifindex);
	if (!found.mtu)
		return (struct ctl_way){ 0 };
	if (way.is_on_link)
		found.ifindex = way.ifindex;
	else
		found.router = way.router;
	if (!wf_addr_is_zero(&found.router) && wf_addr_is_ip4(&node->underlay))
		found.out_ifindex = way.ifindex;
	return found;
}

static bool is_same(const struct ctl_way *a, const struct ctl_way *b)
{
	return a->ifindex == b->ifindex && a->out_ifindex == b->out_ifindex && a->mtu == b->mtu &&
	       wf_addr_equal(&a->router, &b->router);
}

/*
 * What a way carries, if senders may not know it; 0: they do. Endpoints of a routed network that were
 * there before the first node behind a router have an MTU with no room for outer headers.
 */
static uint16_t limit_of(const struct ctl_node *node)
{
	const uint32_t found = wf_ctl_probe_limit(node);

	return (uint16_t)(found || node->way.ifindex ? found : node->way.mtu);
}

int wf_ctl_node_write(struct wf_control *control, const struct ctl_node *node, struct wf_err *err)
{
	struct wf_node_value value = { .underlay = node->underlay,
				       .router = node->way.router,
				       .ifindex = node->way.ifindex,
				       .out_ifindex = node->way.out_ifindex,
				       .out_mtu = node->way.mtu,
				       .path_mtu = limit_of(node) };

	/* a question for the other's address is asked from this node's own */
	if (!wf_addr_is_zero(&control->cluster.link_local))
		value.next_hop = node->link_local;
	return wf_dp_node_set(control->dp, node->number, &value, err);
}

static int find_and_program(struct wf_control *control, const struct segments *segments,
			    struct ctl_node *node, struct wf_err *err)
{
	if (!wf_ctl_is_peer(control, node))
		return 0;
	node->way = way_of(control, segments, node);
	/* what depends on it is looked at when this is done */
	wf_ctl_dirty(control, CTL_DIRTY_WAYS);
	return wf_ctl_node_write(control, node, err);
}

int wf_ctl_node_program(struct wf_control *control, struct ctl_node *node, struct wf_err *err)
{
	struct segments segments;

	find_segments(control, &segments);
	return find_and_program(control, &segments, node, err);
}

int wf_ctl_nodes_program(struct wf_control *control, struct wf_err *err)
{
	struct segments segments;
	int r = 0;

	find_segments(control, &segments);
	for (struct ctl_node *node = control->cluster.nodes; r == 0 && node;
	     node = node->by_name.next)
		r = find_and_program(control, &segments, node, err);
	return r;
}

static bool is_routed(const struct ctl_network *network)
{
	return network->spec.driver == WF_DRIVER_ROUTED;
}

uint32_t wf_ctl_shared_mtu(const struct wf_control *control, const struct ctl_network *network,
			   uint32_t mtu)
{
	const uint32_t tunnel_mtu = mtu - wf_ctl_overlay_bytes(control);

	/* what goes by way of a gateway takes the tunnel, too */
	if (!is_routed(network) || network->spec.route_count)
		return tunnel_mtu;
	for (const struct ctl_node *node = control->cluster.nodes; node;
	     node = node->by_name.next) {
		if (node->way.ifindex && node->way.mtu < mtu)
			mtu = node->way.mtu;
		if (!node->way.ifindex && wf_ctl_is_peer(control, node) &&
		    !wf_ctl_is_plain(network))
			mtu = mtu < tunnel_mtu ? mtu : tunnel_mtu;
	}
	return mtu;
}

/* Whether some of what an encrypted network sends has outer headers inside WireGuard, too. */
static bool is_wrapped(const struct wf_network *network)
{
	/* nor are addresses behind a gateway bound to a key */
	if (!wf_ctl_scope_has_keys(network))
		return true;
	for (size_t i = 0; i < network->route_count; i++)
		if (network->routes[i].is_via)
			return true;
	return false;
}

uint32_t wf_ctl_sealed_mtu(const struct wf_control *control, const struct ctl_network *network,
			   uint32_t mtu)
{
	return wf_ctl_inside_mtu(control, mtu) -
	       (is_wrapped(&network->spec) ? WF_VXLAN_BYTES_IP6 : 0);
}

/* Bytes of the largest packet of a network that gets to a node whole, where that carries `limit`. */
static uint32_t carried(const struct wf_control *control, const struct ctl_network *network,
			const struct ctl_node *node, uint32_t limit)
{
	if (is_routed(network) && node->way.ifindex)
		return limit;
	return wf_ctl_is_encrypted(network) ? wf_ctl_sealed_mtu(control, network, limit)
					    : limit - wf_ctl_overlay_bytes(control);
}

json_t *wf_ctl_way_narrow(const struct wf_control *control, const struct ctl_node *node)
{
	const uint32_t limit = wf_ctl_probe_limit(node);
	json_t *list = NULL;

	for (const struct ctl_network *network = control->networks; limit && network;
	     network = network->by_name.next) {
		const uint32_t bytes = carried(control, network, node, limit);

		if (!wf_ctl_is_overlay(network) || network->mtu <= bytes)
			continue;
		if (!list)
			list = json_array();
		(void)json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "network",
							    network->spec.meta.name, "mtu",
							    (json_int_t)network->mtu, "carried",
							    (json_int_t)bytes));
	}
	return list;
}

json_t *wf_ctl_ways_missing(const struct wf_control *control, const struct ctl_network *network)
{
	json_t *names;

	if (!wf_ctl_is_plain(network))
		return NULL;
	names = json_array();
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (!node->way.ifindex && wf_ctl_is_peer(control, node))
			(void)json_array_append_new(names, json_string(node->name));
	return names;
}

bool wf_ctl_is_way(const struct wf_control *control, const struct wf_prefix *prefix)
{
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (wf_ctl_is_peer(control, node) && wf_prefix_contains(prefix, &node->underlay))
			return true;
	return false;
}

/* Who has networks that are never encapsulated wants to know whom they do not reach. */
static void tell(struct wf_control *control, const struct ctl_node *node)
{
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (!node->way.ifindex && wf_ctl_is_plain(network))
			wf_log_warning("node is behind a router: the network does not reach it",
				       "node=%s network=%s", node->name, network->spec.meta.name);
	wf_log_info("way to node", "node=%s way=%s device=%u", node->name,
		    node->way.ifindex ? "segment" : "router", node->way.ifindex);
}

/* One node: 1 when its way is another one now, 0, or a failure. */
static int sync_node(struct wf_control *control, const struct segments *segments,
		     struct ctl_node *node, struct wf_err *err)
{
	const struct ctl_way now = way_of(control, segments, node);
	const bool is_other = now.ifindex != node->way.ifindex;
	int r;

	if (is_same(&now, &node->way))
		return 0;
	node->way = now;
	r = wf_ctl_node_write(control, node, err);
	if (is_other && r == 0)
		tell(control, node);
	return r < 0 ? r : 1;
}

/* New endpoints get what fits now; those that are there keep what they have. */
static int sync_networks(struct wf_control *control, struct wf_err *err)
{
	bool any = false;
	int r = 0;

	for (struct ctl_network *network = control->networks; r == 0 && network;
	     network = network->by_name.next) {
		const uint32_t before = network->mtu;

		if (!is_routed(network))
			continue;
		r = wf_ctl_network_resolve(control, network, err);
		any = any || network->mtu != before;
	}
	return r < 0 || !any ? r : wf_ctl_host_sync(control, err);
}

/* Nodes are sent IPv6 to as they are asked for: see wf_ctl_node_write(). */
static int write_nodes(struct wf_control *control, struct wf_err *err)
{
	struct ctl_node *node, *next;
	int r = 0;

	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (r == 0 && wf_ctl_is_peer(control, node))
			r = wf_ctl_node_write(control, node, err);
	return r;
}

/*
 * A device that was made anew, or whose MAC changed, has another one; a new device has none for a
 * second or two.
 */
void wf_ctl_link_local_sync(struct wf_control *control)
{
	const struct wf_addr before = control->cluster.link_local;
	struct wf_err fault = WF_ERR_INIT;
	struct wf_addr now;

	/* who has not joined says nothing of itself */
	if (!wf_ctl_has_joined(control) ||
	    wf_net_link_local_find(control->net, &control->config.node_ip, &now, NULL) < 0 ||
	    wf_addr_equal(&now, &before) || !wf_ctl_can_tell(control))
		return;
	if (wf_ctl_node_put(control, &fault) < 0) {
		/* when the store is back it is tried again */
		control->cluster.link_local = before;
		wf_log_warning_rl("others cannot be told where to send IPv6", "error=\"%s\"",
				  fault.message);
	}
}

/* Whoever told others of it, from now on it can be asked from. */
static int sync_can_ask(struct wf_control *control, struct wf_err *err)
{
	const bool can_ask = !wf_addr_is_zero(&control->cluster.link_local);
	int r = can_ask == control->cluster.can_ask ? 0 : write_nodes(control, err);

	if (r == 0)
		control->cluster.can_ask = can_ask;
	return r;
}

int wf_ctl_ways_sync(struct wf_control *control, struct wf_err *err)
{
	struct ctl_node *node, *next;
	struct segments segments;
	int r = 0;

	if (!wf_ctl_is_shared(control))
		return 0;
	find_segments(control, &segments);
	/* by which device hosts of other nodes are reached may be another one now */
	if (wf_ctl_hosts_said(control))
		wf_ctl_encrypt_touch(control);
	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (r >= 0 && wf_ctl_is_peer(control, node))
			r = sync_node(control, &segments, node, err);
	if (r >= 0)
		r = sync_networks(control, err);
	if (r >= 0)
		r = wf_ctl_tunnel_sync(control, err);
	wf_ctl_link_local_sync(control);
	return r < 0 ? r : sync_can_ask(control, err);
}
