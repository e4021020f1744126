/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's own side: the pair weft0/weft0p (slot 0), the gateways' addresses and one route per
 * network on weft0, the filters of the two shared blocks, and per macvlan network a device through
 * which the host reaches its own containers.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"

#define DEFAULT_MTU 1500

/* Addresses and routes that weft0 and the macvlan host devices shall have. */
struct host_plan {
	struct wf_net_address *addresses; /* owned */
	size_t address_count, address_capacity;
	struct wf_net_route *routes; /* owned */
	size_t route_count, route_capacity;
	uint32_t mtu; /* largest of all networks */
};

static void plan_done(struct host_plan *plan)
{
	free(plan->addresses);
	free(plan->routes);
}

static struct wf_prefix host_prefix(const struct wf_addr *addr)
{
	return (struct wf_prefix){ .addr = *addr, .len = wf_addr_bits(addr) };
}

static int plan_address(struct host_plan *plan, const struct wf_addr *addr)
{
	if (wf_mem_grow(&plan->addresses, sizeof(*plan->addresses), plan->address_count,
			&plan->address_capacity) < 0)
		return -ENOMEM;
	plan->addresses[plan->address_count++].prefix = host_prefix(addr);
	return 0;
}

/* What the host sends shows its own address if it has one, which other nodes know, or the gateway's. */
static int plan_subnet(struct host_plan *plan, const struct wf_control *control,
		       const struct ctl_network *network, const struct wf_subnet *subnet)
{
	const struct wf_addr *own = &network->host_addrs[!wf_addr_is_ip4(&subnet->prefix.addr)];
	struct wf_net_route route = { .prefix = subnet->prefix,
				      .source = subnet->gateway,
				      .ifindex = control->weft0_ifindex,
				      .mtu = network->mtu };

	if (!wf_addr_is_zero(own))
		route.source = *own;
	if (wf_mem_grow(&plan->routes, sizeof(*plan->routes), plan->route_count,
			&plan->route_capacity) < 0)
		return -ENOMEM;
	plan->routes[plan->route_count++] = route;
	return 0;
}

static int plan_network(struct host_plan *plan, const struct wf_control *control,
			const struct ctl_network *network)
{
	struct wf_addr addrs[CTL_MAX_HOST_ADDRS];
	size_t count = wf_ctl_desired_host_addrs(network, addrs);
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = plan_address(plan, &addrs[i]);
	for (size_t i = 0; r == 0 && i < network->spec.subnet_count; i++)
		r = plan_subnet(plan, control, network, &network->spec.subnets[i]);
	return r;
}

/* The containers of a macvlan network that the host reaches through a device of its own. */
static int plan_macvlan(struct host_plan *plan, struct wf_control *control,
			const struct ctl_network *network, struct wf_err *err)
{
	_cleanup_free_ struct wf_net_macvlan_peer *peers = NULL;
	const size_t first = plan->route_count;
	size_t count = 0, capacity = 0;
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		for (size_t i = 0; endpoint->network == network && i < endpoint->spec.address_count;
		     i++) {
			if (wf_mem_grow(&peers, sizeof(*peers), count, &capacity) < 0 ||
			    wf_mem_grow(&plan->routes, sizeof(*plan->routes), plan->route_count,
					&plan->route_capacity) < 0)
				return -ENOMEM;
			peers[count++] = (struct wf_net_macvlan_peer){
				.addr = endpoint->spec.addresses[i].prefix.addr,
				.mac = endpoint->spec.mac,
			};
			plan->route_count++;
		}
	}
	return wf_net_macvlan_host_sync(control->net, network->host_ifindex,
					network->parent_ifindex, peers, count, plan->routes + first,
					err);
}

static int plan_services(struct host_plan *plan, const struct wf_control *control)
{
	const struct ctl_view *view;

	for (view = control->lb.views; view; view = view->by_key.next) {
		if (!wf_ctl_view_is_routed(control, view))
			continue;
		if (wf_mem_grow(&plan->routes, sizeof(*plan->routes), plan->route_count,
				&plan->route_capacity) < 0)
			return -ENOMEM;
		plan->routes[plan->route_count++] = wf_ctl_host_route(control, view);
	}
	return 0;
}

static int plan_make(struct host_plan *plan, struct wf_control *control, struct wf_err *err)
{
	struct ctl_network *network, *next;
	int r = plan_services(plan, control);

	HASH_ITER(by_name, control->networks, network, next) {
		if (r == 0 && network->host_ifindex)
			r = plan_macvlan(plan, control, network, err);
		if (r == 0 && wf_ctl_scope_has_host(&network->spec))
			r = plan_network(plan, control, network);
	}
	return r == -ENOMEM ? wf_fail(err, r, "out of memory for the host's routes") : r;
}

static uint32_t largest_mtu(const struct wf_control *control)
{
	const struct ctl_network *network;
	uint32_t mtu = DEFAULT_MTU;

	for (network = control->networks; network; network = network->by_name.next)
		if (wf_ctl_is_routed_by_host(network) && network->mtu > mtu)
			mtu = network->mtu;
	return mtu;
}

/* Slot 0: the node itself, and where the programs hand over to its stack. */
static int program_host(struct wf_control *control, struct wf_err *err)
{
	struct wf_ep_value slot = { .flags = WF_EP_READY | WF_EP_HOST, .ifindex = WF_IFINDEX_BASE };
	struct wf_net_link link;
	char names[256];
	int r;

	r = wf_net_link_find(control->net, NULL, control->weft0_ifindex, &link, names, err);
	if (r < 0)
		return r;
	control->weft0_mac = link.mac;
	memcpy(slot.mac, link.mac.bytes, sizeof(slot.mac));
	r = wf_dp_endpoint_set(control->dp, WF_SLOT_HOST, &slot, err);
	return r < 0 ? r : wf_ctl_config_sync(control, err);
}

int wf_ctl_host_sync(struct wf_control *control, struct wf_err *err)
{
	const uint32_t spared = control->lb.settled ? 0 : CTL_SERVICE_ROUTE_METRIC;
	_cleanup_(plan_done) struct host_plan plan = { 0 };
	bool created;
	int r;

	r = wf_net_host_ensure(control->net, largest_mtu(control), control->config.gso_max_bytes,
			       WF_BLOCK_INGRESS, WF_BLOCK_EGRESS, &control->weft0_ifindex, &created,
			       err);
	if (r < 0)
		return r;
	r = program_host(control, err);
	if (r < 0)
		return r;
	if (created) {
		r = wf_ctl_filters_sync(control, err);
		if (r < 0)
			return r;
	}
	r = plan_make(&plan, control, err);
	if (r < 0)
		return r;
	r = wf_net_host_sync_addresses(control->net, control->weft0_ifindex, plan.addresses,
				       plan.address_count, err);
	if (r == 0)
		r = wf_net_host_sync_routes(control->net, plan.routes, plan.route_count, spared,
					    err);
	/* what an earlier daemon's services have, or had */
	control->lb.routes_changed |= r > 0;
	return r < 0 ? r : 0;
}

int wf_ctl_filters_sync(struct wf_control *control, struct wf_err *err)
{
	static const struct {
		uint32_t block;
		enum wf_dp_program program;
		const char *name;
	} filters[] = {
		{ WF_BLOCK_INGRESS, WF_DP_FROM_CONTAINER, "weft/from_container" },
		{ WF_BLOCK_EGRESS, WF_DP_TO_CONTAINER, "weft/to_container" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(filters); i++) {
		uint32_t wanted = wf_dp_program_id(control->dp, filters[i].program);
		uint32_t found = 0;
		int r;

		if (wf_net_block_get(control->net, filters[i].block, &found, NULL) == 0 &&
		    found == wanted)
			continue;
		/* before the block: whoever is killed in between does both again */
		if (filters[i].program == WF_DP_FROM_CONTAINER) {
			r = wf_ctl_busy_renew(control, err);
			if (r < 0)
				return r;
		}
		r = wf_net_block_set(control->net, filters[i].block,
				     wf_dp_program_fd(control->dp, filters[i].program),
				     filters[i].name, err);
		if (r < 0)
			return wf_wrap(err, r, "cannot put %s in force", filters[i].name);
	}
	return 0;
}

bool wf_ctl_wants_host_device(const struct wf_network *network)
{
	return network->driver == WF_DRIVER_MACVLAN && network->host_access &&
	       (network->mode == WF_MODE_DEFAULT || network->mode == WF_MODE_BRIDGE);
}

/* The device of the host in a macvlan network; one of that name on another parent makes way. */
static int resolve_host_device(struct wf_control *control, struct ctl_network *network,
			       struct wf_err *err)
{
	struct wf_net_link link;
	char name[16], names[256];
	int r = 0;

	(void)snprintf(name, sizeof(name), "wfm%u", network->spec.number);
	network->host_ifindex = 0;
	if (wf_net_link_find(control->net, name, 0, &link, names, NULL) == 0 &&
	    strcmp(link.kind, "macvlan") == 0 && link.parent != network->parent_ifindex)
		r = wf_net_link_del(control->net, link.ifindex, err);
	return r < 0 ? r
		     : wf_net_macvlan_host_ensure(control->net, name, network->parent_ifindex,
						  &network->host_ifindex, err);
}

static void drop_host_device(struct wf_control *control, struct ctl_network *network)
{
	if (network->host_ifindex && wf_net_link_del(control->net, network->host_ifindex, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
	network->host_ifindex = 0;
}

uint32_t wf_ctl_default_mtu(struct wf_control *control)
{
	uint32_t ifindex = 0, mtu = DEFAULT_MTU;
	char name[16];

	return wf_net_default_device(control->net, name, &ifindex, &mtu, NULL) == 0 ? mtu
										    : DEFAULT_MTU;
}

int wf_ctl_network_resolve(struct wf_control *control, struct ctl_network *network,
			   struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r;

	network->mtu = wf_ctl_has_parent(network) ? DEFAULT_MTU : wf_ctl_default_mtu(control);
	r = wf_ctl_parent_resolve(control, network, err);
	if (wf_ctl_is_encrypted(network))
		network->mtu = wf_ctl_sealed_mtu(control, network, network->mtu);
	else if (wf_ctl_is_overlay(network))
		network->mtu = wf_ctl_shared_mtu(control, network, network->mtu);
	if (r < 0) {
		/* with the parent the kernel took the host's device too */
		if (network->host_ifindex &&
		    wf_net_link_find(control->net, NULL, network->host_ifindex, &link, names,
				     NULL) == -ENODEV)
			network->host_ifindex = 0;
		return r;
	}
	if (network->spec.mtu)
		network->mtu = network->spec.mtu;
	if (wf_ctl_wants_host_device(&network->spec))
		return resolve_host_device(control, network, err);
	drop_host_device(control, network);
	return 0;
}

int wf_ctl_endpoint_host_route(struct wf_control *control, const struct ctl_endpoint *endpoint,
			       bool add, struct wf_err *err)
{
	int r = 0;

	if (!endpoint->network->host_ifindex)
		return 0;
	for (size_t i = 0; (r == 0 || !add) && i < endpoint->spec.address_count; i++) {
		const struct ctl_network *network = endpoint->network;
		struct wf_net_macvlan_peer peer = { .addr = endpoint->spec.addresses[i].prefix.addr,
						    .mac = endpoint->spec.mac };

		r = add ? wf_net_macvlan_peer_add(control->net, network->host_ifindex,
						  network->parent_ifindex, &peer, err)
			: wf_net_macvlan_peer_del(control->net, network->host_ifindex, &peer, err);
		if (r < 0)
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
	}
	return r;
}
