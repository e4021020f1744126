/* SPDX-License-Identifier: Apache-2.0 */
/* From networks and endpoints to what maps and links shall hold. Pure: no effects, no failures. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"

bool wf_ctl_is_routed_by_host(const struct ctl_network *network)
{
	return wf_driver_is_routed(network->spec.driver);
}

bool wf_ctl_is_overlay(const struct ctl_network *network)
{
	return wf_driver_is_shared(network->spec.driver);
}

bool wf_ctl_takes_hosts(const struct ctl_network *network)
{
	return wf_ctl_is_overlay(network) &&
	       (wf_ctl_scope_has_host(&network->spec) || wf_ctl_scope_has_door(&network->spec));
}

bool wf_ctl_is_plain(const struct ctl_network *network)
{
	return network->spec.driver == WF_DRIVER_ROUTED &&
	       network->spec.encapsulation == WF_ENCAPSULATION_NEVER;
}

bool wf_ctl_is_encrypted(const struct ctl_network *network)
{
	return wf_ctl_is_overlay(network) && network->spec.encryption == WF_ENCRYPTION_WIREGUARD;
}

size_t wf_ctl_desired_host_addrs(const struct ctl_network *network,
				 struct wf_addr addrs[CTL_MAX_HOST_ADDRS])
{
	size_t count = 0;

	for (size_t i = 0; i < network->spec.subnet_count; i++)
		if (network->spec.subnets[i].has_gateway)
			addrs[count++] = network->spec.subnets[i].gateway;
	/* what it shows in a scope nobody finds */
	for (size_t i = 0;
	     wf_ctl_scope_has_host(&network->spec) && i < WF_ARRAY_LEN(network->host_addrs); i++)
		if (!wf_addr_is_zero(&network->host_addrs[i]))
			addrs[count++] = network->host_addrs[i];
	return count;
}

/* The first gateway of each family is the one that speaks for the network. */
static void set_gateway(const struct wf_subnet *subnet, struct wf_net_value *value)
{
	struct wf_addr *gateway =
		wf_addr_is_ip4(&subnet->prefix.addr) ? &value->gateway4 : &value->gateway6;

	if (subnet->has_gateway && wf_addr_is_zero(gateway))
		*gateway = subnet->gateway;
}

struct wf_net_value wf_ctl_desired_network(const struct wf_control *control,
					   const struct ctl_network *network)
{
	struct wf_net_value value = { .flags = WF_NET_VALID };

	if (network->spec.isolated)
		value.flags |= WF_NET_ISOLATED;
	/* a scope's way out is one of its own, and no other packet has it */
	if (network->spec.internal || wf_ctl_scope_is_own(&network->spec))
		value.flags |= WF_NET_INTERNAL;
	if (network->spec.masquerade && !network->spec.internal)
		value.flags |= WF_NET_MASQUERADE;
	if (wf_ctl_is_overlay(network))
		value.flags |= WF_NET_OVERLAY;
	if (network->spec.driver == WF_DRIVER_ROUTED)
		value.flags |= WF_NET_ROUTED;
	if (wf_ctl_is_plain(network))
		value.flags |= WF_NET_PLAIN;
	if (wf_ctl_is_encrypted(network))
		value.flags |= WF_NET_ENCRYPTED;
	if (network->spec.route_count)
		value.flags |= WF_NET_VTEPS;
	if (wf_ctl_scope_is_own(&network->spec))
		value.flags |= WF_NET_SCOPED;
	value.host4 = network->host_addrs[0];
	value.host6 = network->host_addrs[1];
	for (size_t i = 0; i < network->spec.subnet_count; i++) {
		const struct wf_prefix *prefix = &network->spec.subnets[i].prefix;

		set_gateway(&network->spec.subnets[i], &value);
		value.flags |= wf_addr_is_ip4(&prefix->addr) ? WF_NET_IPV4 : WF_NET_IPV6;
		value.subnets[i].base = prefix->addr;
		value.subnets[i].mask = wf_prefix_mask(prefix);
	}
	value.subnet_count = (uint32_t)network->spec.subnet_count;
	memcpy(value.gateway_mac, control->weft0_mac.bytes, sizeof(value.gateway_mac));
	return value;
}

struct wf_ep_value wf_ctl_desired_endpoint(const struct ctl_endpoint *endpoint)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	struct wf_ep_value value = {
		.flags = WF_EP_READY,
		.ifindex = spec->ifindex,
		.network = endpoint->network->spec.number,
		.scope = (uint16_t)wf_ctl_scope_of(endpoint->network),
	};

	if (wf_ctl_is_overlay(endpoint->network))
		value.flags |= WF_EP_OVERLAY;
	for (size_t i = 0; i < spec->address_count; i++) {
		const struct wf_addr *addr = &spec->addresses[i].prefix.addr;
		bool ip4 = wf_addr_is_ip4(addr);
		uint32_t flag = ip4 ? WF_EP_IPV4 : WF_EP_IPV6;

		if (value.flags & flag) {
			value.flags |= WF_EP_MORE_ADDRS;
			continue;
		}
		value.flags |= flag;
		if (ip4)
			value.ip4 = *addr;
		else
			value.ip6 = *addr;
	}
	memcpy(value.mac, spec->mac.bytes, sizeof(value.mac));
	return value;
}

static enum wf_net_kind kind_of(enum wf_driver driver)
{
	switch (driver) {
	case WF_DRIVER_MACVLAN: return WF_NET_KIND_MACVLAN;
	case WF_DRIVER_IPVLAN: return WF_NET_KIND_IPVLAN;
	case WF_DRIVER_OVERLAY:
	case WF_DRIVER_ROUTED:
	case WF_DRIVER_BRIDGE: return WF_NET_KIND_PAIR;
	default: return WF_NET_KIND_LOOPBACK_ONLY;
	}
}

static enum wf_net_mode mode_of(enum wf_driver_mode mode)
{
	static const enum wf_net_mode modes[WF_MODE_COUNT] = {
		[WF_MODE_DEFAULT] = WF_NET_MODE_DEFAULT,
		[WF_MODE_BRIDGE] = WF_NET_MODE_BRIDGE,
		[WF_MODE_VEPA] = WF_NET_MODE_VEPA,
		[WF_MODE_PRIVATE] = WF_NET_MODE_PRIVATE,
		[WF_MODE_PASSTHRU] = WF_NET_MODE_PASSTHRU,
		[WF_MODE_L2] = WF_NET_MODE_L2,
		[WF_MODE_L3] = WF_NET_MODE_L3,
		[WF_MODE_L3S] = WF_NET_MODE_L3S,
	};

	return modes[mode];
}

/* A layer 3 ipvlan has no neighbours: its default route is the device itself. */
static bool is_layer3(const struct wf_network *network)
{
	return network->driver == WF_DRIVER_IPVLAN &&
	       (network->mode == WF_MODE_L3 || network->mode == WF_MODE_L3S);
}

/* Whether an endpoint of the namespace leads on, and so to services as well. */
static bool has_default_route(const struct wf_control *control, const struct wf_endpoint *spec)
{
	WF_INDEX_EACH(&control->spaces, wf_ctl_space_hash(spec), node) {
		const struct ctl_endpoint *endpoint =
			WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);

		if (endpoint->spec.default_route && wf_ctl_is_same_space(&endpoint->spec, spec))
			return true;
	}
	return false;
}

/* Whether an endpoint is told where services of a family are, since nothing else leads there. */
static bool wants_services(const struct ctl_endpoint *endpoint, const struct wf_prefix *services)
{
	const struct wf_network *network = &endpoint->network->spec;
	bool ip4 = wf_addr_is_ip4(&services->addr), has_family = false;

	for (size_t i = 0; i < endpoint->spec.address_count; i++)
		has_family |= wf_addr_is_ip4(&endpoint->spec.addresses[i].prefix.addr) == ip4;
	for (size_t i = 0; i < network->subnet_count; i++)
		if (network->subnets[i].prefix.len <= services->len &&
		    wf_prefix_overlaps(&network->subnets[i].prefix, services))
			return false;
	return has_family && services->len;
}

/*
 * What has no gateway is told that services are on its link, for packets that no socket hook sees:
 * a VM's, SCTP.
 */
static size_t service_routes(const struct wf_control *control, const struct ctl_endpoint *endpoint,
			     struct wf_net_route *routes)
{
	size_t count = 0;

	if (has_default_route(control, &endpoint->spec))
		return 0;
	for (size_t i = 0; i < WF_ARRAY_LEN(control->lb.cluster_cidrs); i++)
		if (wants_services(endpoint, &control->lb.cluster_cidrs[i]))
			routes[count++] = (struct wf_net_route){
				.prefix = wf_prefix_network(&control->lb.cluster_cidrs[i])
			};
	return count;
}

/* Default routes through the gateways; internal networks have none. */
static size_t desired_routes(const struct wf_control *control, const struct ctl_endpoint *endpoint,
			     struct wf_net_route *routes)
{
	const struct wf_network *network = &endpoint->network->spec;
	bool seen[2] = { false, false };
	size_t count = 0;

	if (wf_ctl_scope_routes_services(endpoint) && !endpoint->spec.default_route)
		return service_routes(control, endpoint, routes);
	if (!endpoint->spec.default_route || network->internal)
		return 0;
	for (size_t i = 0; i < endpoint->spec.address_count; i++) {
		const struct wf_endpoint_address *address = &endpoint->spec.addresses[i];
		bool ip4 = wf_addr_is_ip4(&address->prefix.addr);
		struct wf_net_route route = { .via = address->gateway };

		if (seen[ip4] || (wf_addr_is_zero(&address->gateway) && !is_layer3(network)))
			continue;
		seen[ip4] = true;
		if (ip4)
			route.prefix.addr = wf_addr_from_ip4(0);
		routes[count++] = route;
	}
	return count;
}

void wf_ctl_desired_names(const struct ctl_endpoint *endpoint, char host_name[16], char alias[256])
{
	(void)snprintf(host_name, 16, "wf%u", endpoint->spec.slot);
	(void)snprintf(alias, 256, "weft:%.120s/%.120s", endpoint->network->spec.meta.name,
		       endpoint->spec.meta.name);
}

void wf_ctl_desired_interface(const struct wf_control *control, const struct ctl_endpoint *endpoint,
			      int netns_fd, struct ctl_interface *ret_interface)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	const struct ctl_network *network = endpoint->network;
	bool is_pair = wf_ctl_is_routed_by_host(network);

	wf_ctl_desired_names(endpoint, ret_interface->host_name, ret_interface->alias);
	for (size_t i = 0; i < spec->address_count; i++)
		ret_interface->addresses[i].prefix = spec->addresses[i].prefix;
	ret_interface->net = (struct wf_net_endpoint){
		.kind = kind_of(network->spec.driver),
		.is_netkit = control->is_netkit,
		.netns_fd = netns_fd,
		.ifname = spec->ifname,
		.host_name = ret_interface->host_name,
		.host_ifindex = spec->ifindex,
		.alias = ret_interface->alias,
		.mac = spec->mac,
		.host_mac = control->weft0_mac,
		.mtu = spec->mtu,
		.parent_ifindex = network->parent_ifindex,
		.mode = mode_of(network->spec.mode),
		/* a tunnel adds headers to what the kernel sends in one piece */
		.gso_max_bytes =
			is_pair && !wf_ctl_is_overlay(network) ? control->config.gso_max_bytes : 0,
		.ingress_block = is_pair ? WF_BLOCK_INGRESS : 0,
		.egress_block = is_pair ? WF_BLOCK_EGRESS : 0,
		.addresses = ret_interface->addresses,
		.address_count = spec->address_count,
		.routes = ret_interface->routes,
		.route_count = desired_routes(control, endpoint, ret_interface->routes),
	};
}
