/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"
#include "world_dp.h"

static const unsigned int network_of[NODE_CONTAINERS + 1] = { 0, 1, 1, 2, 3 };

static void put_config(const struct wf_config_value *value, void *dp)
{
	struct wf_config_value real = *value;

	real.host_ifindex = if_nametoindex("weft0");
	if (wf_dp_config_set(dp, &real, NULL) < 0)
		abort();
}

static void attach(const char *device)
{
	lab_run("tc qdisc add dev %s ingress_block %u egress_block %u clsact", device,
		WF_BLOCK_INGRESS, WF_BLOCK_EGRESS);
}

static void build_host(void)
{
	lab_run("ip link add weft0p index %u address 02:00:00:00:ff:00 type veth "
		"peer name weft0 address 02:00:00:00:ff:01",
		WF_IFINDEX_BASE);
	lab_run("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.ip_forward=1 "
		"net.ipv6.conf.all.forwarding=1");
	lab_run("ip link set weft0 arp off && ip link set weft0p up && ip link set weft0 up");
	attach("weft0p");
	lab_run("tc filter add block %u bpf da object-pinned " LAB_PINS
		"/progs/weft_from_container",
		WF_BLOCK_INGRESS);
	lab_run("tc filter add block %u bpf da object-pinned " LAB_PINS "/progs/weft_to_container",
		WF_BLOCK_EGRESS);
	for (unsigned int network = 1; network <= 3; network++)
		lab_run("ip addr add 10.%u.0.1/32 dev weft0 && "
			"ip route add 10.%u.0.0/24 dev weft0 src 10.%u.0.1 && "
			"ip addr add fd0%u::1/128 dev weft0 nodad && "
			"ip route add fd0%u::/64 dev weft0 src fd0%u::1",
			network, network, network, network, network, network);
}

static void build_outside(void)
{
	lab_run("ip netns add out && ip link add uplink type veth peer name eth0 netns out && "
		"ip addr add 192.0.2.1/24 dev uplink && ip link set uplink up && "
		"ip -n out link set lo up && ip -n out addr add 192.0.2.2/24 dev eth0 && "
		"ip -n out link set eth0 up && ip -n out route add default via 192.0.2.1");
}

static void build_container(unsigned int slot)
{
	unsigned int network = network_of[slot];
	char device[IF_NAMESIZE];

	lab_run("ip netns add c%u && ip link add wf%u index %u type veth "
		"peer name eth0 address 02:00:00:00:00:%02x netns c%u",
		slot, slot, WF_IFINDEX_BASE + slot, slot, slot);
	(void)snprintf(device, sizeof(device), "wf%u", slot);
	attach(device);
	lab_run("ip link set wf%u up && ip -n c%u link set lo up && "
		"ip -n c%u addr add 10.%u.0.%u/24 dev eth0 && "
		"ip -n c%u addr add fd0%u::%u/64 dev eth0 nodad && "
		"ip -n c%u link set eth0 up && ip -n c%u route add default via 10.%u.0.1 && "
		"ip -n c%u route add default via fd0%u::1",
		slot, slot, slot, network, slot + 10, slot, network, slot + 10, slot, slot, network,
		slot, network);
}

void node_build(struct wf_dp *dp)
{
	struct world_maps maps = world_dp_maps(dp);

	build_host();
	build_outside();
	for (unsigned int slot = 1; slot <= NODE_CONTAINERS; slot++)
		build_container(slot);
	maps.config = put_config;
	world_fill(&maps);
}

void node_remove(void)
{
	for (unsigned int slot = 1; slot <= NODE_CONTAINERS; slot++)
		lab_run("ip link del wf%u && ip netns del c%u", slot, slot);
	lab_run("ip link del weft0 && ip link del uplink && ip netns del out");
}
