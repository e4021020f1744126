/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "packet.h"

static const struct {
	__u32 flags;
	__u16 gateway_mac;
} networks[] = {
	[1] = { WF_NET_VALID | WF_NET_IPV4 | WF_NET_IPV6, MAC_HOST },
	[2] = { WF_NET_VALID | WF_NET_IPV4 | WF_NET_IPV6, MAC_RED },
	[3] = { WF_NET_VALID | WF_NET_IPV4 | WF_NET_IPV6 | WF_NET_ISOLATED, MAC_HOST },
	[4] = { WF_NET_VALID | WF_NET_IPV4 | WF_NET_IPV6 | WF_NET_INTERNAL, MAC_HOST },
	[5] = { WF_NET_VALID | WF_NET_IPV4, MAC_HOST },
	[6] = { WF_NET_VALID | WF_NET_IPV6, MAC_HOST },
	[7] = { 0, MAC_HOST },
};

static const struct {
	__u32 network;
	__u32 flags;
} slots[WORLD_SLOTS] = {
	[1] = { 1, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 | WF_EP_MORE_ADDRS },
	[2] = { 1, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
	[3] = { 2, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
	[4] = { 3, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
	[5] = { 4, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
	[6] = { 5, WF_EP_READY | WF_EP_IPV4 },
	[7] = { 6, WF_EP_READY | WF_EP_IPV6 },
	[8] = { 1, WF_EP_IPV4 | WF_EP_IPV6 },
	[9] = { 7, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
	[11] = { 4, WF_EP_READY | WF_EP_IPV4 | WF_EP_IPV6 },
};

static struct wf_addr ip4(__u32 network, __u32 host)
{
	return (struct wf_addr){ .words = { 0, 0, htonl(0xffff),
					    htonl(10U << 24 | network << 16 | host) } };
}

/* The host's decimal digits are the last digits of the text. */
static struct wf_addr ip6(__u32 network, __u32 host)
{
	struct wf_addr addr;
	char text[64];
	int parsed;

	(void)snprintf(text, sizeof(text), "fd0%u::%u", network, host);
	parsed = inet_pton(AF_INET6, text, &addr);
	assert(parsed == 1);
	(void)parsed;
	return addr;
}

/* In the network and in the host's view. */
static void add_address(const struct world_maps *maps, __u32 network, struct wf_addr addr,
			__u32 slot, __u32 flags)
{
	const struct wf_addr_value value = { .slot = slot, .flags = flags };

	maps->address(network, &addr, &value, maps->context);
	maps->address(WF_NETWORK_HOST, &addr, &value, maps->context);
}

static void add_network(const struct world_maps *maps, __u32 number)
{
	struct wf_net_value value = { .flags = networks[number].flags };
	struct wf_subnet_value *subnet = value.subnets;

	packet_mac(networks[number].gateway_mac, value.gateway_mac);
	if (value.flags & WF_NET_IPV4) {
		subnet->base = ip4(number, 0);
		memset(&subnet->mask, 0xff, sizeof(subnet->mask));
		subnet->mask.bytes[15] = 0;
		subnet++;
		add_address(maps, number, ip4(number, 1), WF_SLOT_HOST, WF_ADDR_GATEWAY);
	}
	if (value.flags & WF_NET_IPV6) {
		subnet->base = ip6(number, 0);
		memset(&subnet->mask, 0xff, 8);
		subnet++;
		add_address(maps, number, ip6(number, 1), WF_SLOT_HOST, WF_ADDR_GATEWAY);
	}
	value.subnet_count = (__u32)(subnet - value.subnets);
	maps->network(number, &value, maps->context);
}

static void add_endpoint(const struct world_maps *maps, __u32 slot)
{
	struct wf_ep_value value = { .flags = slots[slot].flags, .network = slots[slot].network };

	value.ifindex = WF_IFINDEX_BASE + slot;
	packet_mac((__u16)slot, value.mac);
	if (value.flags & WF_EP_IPV4) {
		value.ip4 = ip4(value.network, slot + 10);
		add_address(maps, value.network, value.ip4, slot, 0);
	}
	if (value.flags & WF_EP_IPV6) {
		value.ip6 = ip6(value.network, slot + 10);
		add_address(maps, value.network, value.ip6, slot, 0);
	}
	maps->endpoint(slot, &value, maps->context);
}

void world_fill(const struct world_maps *maps)
{
	const struct wf_config_value config = { .host_ifindex = WORLD_HOST_DEVICE };
	struct wf_ep_value host = { .flags = WF_EP_READY | WF_EP_HOST, .ifindex = WF_IFINDEX_BASE };

	packet_mac(MAC_HOST, host.mac);
	maps->endpoint(WF_SLOT_HOST, &host, maps->context);
	maps->config(&config, maps->context);
	for (__u32 number = 1; number < sizeof(networks) / sizeof(networks[0]); number++)
		add_network(maps, number);
	for (__u32 slot = 1; slot < WORLD_SLOTS; slot++)
		if (slots[slot].network)
			add_endpoint(maps, slot);
	add_address(maps, 1, ip4(1, 111), 1, 0);
	add_address(maps, 1, ip6(1, 111), 1, 0);
}
