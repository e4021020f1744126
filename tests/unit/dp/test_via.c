/* SPDX-License-Identifier: Apache-2.0 */
/* Routes by way of an endpoint: who is sent to, who may send from behind it, here and from other nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/from_tunnel.h"

#include "native.h"

#define OVER   1 /* the network with the route, and another one */
#define OTHER  2
#define WEB    1 /* slots */
#define GATE   2
#define APART  3 /* of OTHER */
#define PEER   3 /* nodes */
#define THIRD  4
#define DEVICE 77
#define TUNNEL 88 /* the WireGuard device for packets as they are */

#define IP_WEB    0x0a090001
#define IP_HOST   0x0a0900fe
#define IP_GATE   0x0a090009
#define IP_DB     0x0a090040 /* on PEER */
#define IP_APART  0x0a080001
#define IP_BEHIND 0x0a620001 /* 10.98.0.1 */
#define IP_NONE   0x0a610001 /* 10.97.0.1 */

struct frame {
	__u8 eth[ETH_HLEN];
	struct iphdr ip;
	__u8 udp[8];
} __attribute__((packed));

static struct wf_addr addr4(__u32 ip)
{
	struct wf_addr addr = { .words = { 0, 0, bpf_htonl(0xffff), bpf_htonl(ip) } };

	return addr;
}

static void add_address(__u32 network, __u32 ip, __u32 slot)
{
	struct native_address *entry = &native.addresses[native.address_count++];

	entry->key = (struct wf_addr_key){ .network = network, .addr = addr4(ip) };
	entry->value.slot = slot;
}

static void add_endpoint(__u32 slot, __u32 network, __u32 ip)
{
	native.endpoints[slot] =
		(struct wf_ep_value){ .flags = WF_EP_READY | WF_EP_IPV4 | WF_EP_OVERLAY,
				      .ifindex = WF_IFINDEX_BASE + slot,
				      .network = network,
				      .ip4 = addr4(ip),
				      .mac = { 2, 0, 0, 0, 0, slot } };
	add_address(network, ip, slot);
	add_address(WF_NETWORK_HOST, ip, slot);
}

static void add_remote(__u32 ip, __u32 node)
{
	struct native_remote *entry = &native.remotes[native.remote_count++];

	entry->key = (struct wf_addr_key){ .network = WF_NETWORK_HOST, .addr = addr4(ip) };
	entry->value = (struct wf_remote_value){ node, OVER, WF_REMOTE_BOUND };
}

static struct wf_vtep_value *add_route(__u32 ip, __u32 bits, __u32 via)
{
	struct native_vtep *entry = &native.vteps[native.vtep_count++];

	entry->key = (struct wf_vtep_key){ .prefixlen = 32 + 96 + bits,
					   .scope = OVER,
					   .addr = addr4(ip) };
	entry->value = (struct wf_vtep_value){ .addr = addr4(via), .network = OVER };
	return &entry->value;
}

static int setup(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	native.now_s = 1000;
	native.networks[OVER] = (struct wf_net_value){
		.flags = WF_NET_VALID | WF_NET_IPV4 | WF_NET_OVERLAY | WF_NET_VTEPS,
		.gateway_mac = { 2, 0, 0, 0, 0, 0xff },
	};
	native.networks[OTHER].flags = WF_NET_VALID | WF_NET_IPV4;
	native.nodes[WF_NODE_SELF].ifindex = DEVICE;
	native.nodes[WF_NODE_SELF].out_ifindex = TUNNEL;
	native.nodes[WF_NODE_SELF].tunnels[0] = addr4(0x0a010001);
	native.nodes[PEER].underlay = addr4(0x0a000002);
	native.nodes[PEER].tunnels[0] = addr4(0x0a010002);
	add_endpoint(WEB, OVER, IP_WEB);
	add_endpoint(APART, OTHER, IP_APART);
	add_address(OVER, IP_HOST, WF_SLOT_HOST);
	add_remote(IP_DB, PEER);
	(void)add_route(0x0a620000, 16, IP_GATE);
	return 0;
}

/* The same with the gateway here, or there. */
static int setup_here(void **state)
{
	int r = setup(state);

	add_endpoint(GATE, OVER, IP_GATE);
	return r;
}

static int setup_there(void **state)
{
	int r = setup(state);

	add_remote(IP_GATE, PEER);
	return r;
}

static void fill(struct frame *frame, __u32 slot, __u32 src, __u32 dst)
{
	*frame = (struct frame){ .eth = { 2, 0, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, slot, 8, 0 },
				 .ip = { .version = 4,
					 .ihl = 5,
					 .tot_len = bpf_htons(sizeof(*frame) - ETH_HLEN),
					 .ttl = 64,
					 .protocol = IPPROTO_UDP,
					 .saddr = bpf_htonl(src),
					 .daddr = bpf_htonl(dst) },
				 .udp = { 0, 9, 0, 9, 0, 8 } };
}

static void forget(void)
{
	native.redirect = native.redirect_peer = native.redirect_ingress = 0;
	memset(native.drops, 0, sizeof(native.drops));
	memset(&native.tunnel_peer, 0, sizeof(native.tunnel_peer));
}

/* A container sends; what is asserted is on the frame, and where it went. */
static int sends(__u32 slot, __u32 src, __u32 dst, struct frame *frame)
{
	struct wf_ctx ctx;
	int r;

	forget();
	fill(frame, slot, src, dst);
	native_packet(&ctx, frame, sizeof(*frame));
	ctx.ifindex = WF_IFINDEX_BASE + slot;
	r = native_run(&ctx, false);
	memcpy(frame, ctx.bytes, sizeof(*frame));
	native_packet_done(&ctx);
	return r;
}

static void assert_enters(__u32 slot, __u32 src, __u32 dst, __u32 receiver)
{
	struct frame frame;

	assert_int_equal(sends(slot, src, dst, &frame), TC_ACT_REDIRECT);
	assert_int_equal(native.redirect_peer, WF_IFINDEX_BASE + receiver);
	assert_memory_equal(frame.eth, native.endpoints[receiver].mac, ETH_ALEN);
	assert_memory_equal(frame.eth + ETH_ALEN, native.networks[OVER].gateway_mac, ETH_ALEN);
	/* with its own address, and none the older */
	assert_int_equal(bpf_ntohl(frame.ip.saddr), src);
	assert_int_equal(frame.ip.ttl, 64);
}

static void assert_dropped(__u32 slot, __u32 src, __u32 dst, __u32 reason)
{
	struct frame frame;

	assert_int_equal(sends(slot, src, dst, &frame), TC_ACT_SHOT);
	assert_int_equal(native.drops[reason].packets, 1);
	assert_int_equal(native.redirect | native.redirect_peer | native.redirect_ingress, 0);
}

static void test_gateway_here(void **state)
{
	(void)state;
	assert_enters(WEB, IP_WEB, IP_BEHIND, GATE);
	assert_enters(GATE, IP_BEHIND, IP_WEB, WEB);
	assert_int_equal(native.traffic[GATE].received.packets, 1);
	assert_int_equal(native.traffic[GATE].sent.packets, 1);
	assert_int_equal(native.traffic[WEB].received.packets, 1);
	/* from behind it: not for others, nor back */
	assert_dropped(GATE, IP_BEHIND, IP_HOST, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_BEHIND, IP_APART, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_BEHIND, IP_NONE, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_BEHIND, IP_BEHIND + 1, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_BEHIND, IP_GATE, WF_REASON_SPOOFED_IP);
	/* who is not behind it, and who is not the gateway */
	assert_dropped(GATE, IP_NONE, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_DB, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(WEB, IP_BEHIND, IP_GATE, WF_REASON_SPOOFED_IP);
	assert_dropped(APART, IP_BEHIND, IP_WEB, WF_REASON_SPOOFED_IP);
	/* it has the prefix itself: not in a circle */
	assert_dropped(GATE, IP_GATE, IP_BEHIND, WF_REASON_NO_ROUTER);
	/* known addresses come first, in either direction */
	add_address(WF_NETWORK_HOST, IP_BEHIND, APART);
	assert_dropped(GATE, IP_BEHIND, IP_WEB, WF_REASON_SPOOFED_IP);
	native.address_count--;
	assert_enters(GATE, IP_BEHIND, IP_WEB, WEB);
	native.endpoints[GATE].flags &= ~WF_EP_READY;
	assert_dropped(WEB, IP_WEB, IP_BEHIND, WF_REASON_NOT_READY);
}

static void test_longer_prefixes(void **state)
{
	struct wf_vtep_value *route;

	(void)state;
	route = add_route(0x0a620000, 24, IP_WEB);
	assert_dropped(GATE, IP_BEHIND, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_enters(GATE, IP_BEHIND + 0x100, IP_WEB, WEB);
	assert_enters(WEB, IP_BEHIND, IP_GATE, GATE);
	/* to a VXLAN endpoint: nobody's here */
	route->vni = 5001;
	assert_dropped(WEB, IP_BEHIND, IP_GATE, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_BEHIND, IP_WEB, WF_REASON_SPOOFED_IP);
}

static void test_nobody_has_it(void **state)
{
	(void)state;
	assert_dropped(WEB, IP_WEB, IP_BEHIND, WF_REASON_NO_ROUTER);
	/* somebody of another network, and the host, are not meant */
	add_address(OVER, IP_GATE, WF_SLOT_HOST);
	assert_dropped(WEB, IP_WEB, IP_BEHIND, WF_REASON_NO_ROUTER);
	native.address_count--;
	add_remote(IP_GATE, PEER);
	native.remotes[native.remote_count - 1].value.network = OTHER;
	assert_dropped(WEB, IP_WEB, IP_BEHIND, WF_REASON_NO_ROUTER);
}

/* With outer headers, also where WireGuard takes the gateway's own packets as they are. */
static void assert_leaves(__u32 slot, __u32 src, __u32 dst, const struct wf_addr *end)
{
	struct frame frame;

	assert_int_equal(sends(slot, src, dst, &frame), TC_ACT_REDIRECT);
	assert_int_equal(native.redirect, DEVICE);
	assert_int_equal(native.tunnel_vni, OVER);
	assert_memory_equal(&native.tunnel_peer, end, sizeof(*end));
}

static void test_gateway_there(void **state)
{
	struct frame frame;

	(void)state;
	assert_leaves(WEB, IP_WEB, IP_BEHIND, &native.nodes[PEER].underlay);
	native.networks[OVER].flags |= WF_NET_ENCRYPTED;
	assert_leaves(WEB, IP_WEB, IP_BEHIND, &native.nodes[PEER].tunnels[0]);
	assert_int_equal(sends(WEB, IP_WEB, IP_GATE, &frame), TC_ACT_REDIRECT);
	assert_int_equal(native.redirect, TUNNEL);
	memset(&native.nodes[PEER].tunnels[0], 0, sizeof(struct wf_addr));
	assert_dropped(WEB, IP_WEB, IP_BEHIND, WF_REASON_NO_TUNNEL);
}

static void test_to_other_nodes(void **state)
{
	(void)state;
	assert_leaves(GATE, IP_BEHIND, IP_DB, &native.nodes[PEER].underlay);
	native.networks[OVER].flags |= WF_NET_ENCRYPTED;
	assert_leaves(GATE, IP_BEHIND, IP_DB, &native.nodes[PEER].tunnels[0]);
	native.remotes[0].value.network = OTHER;
	assert_dropped(GATE, IP_BEHIND, IP_DB, WF_REASON_SPOOFED_IP);
}

/* What another node sends to OVER; the reason, or 0 when it enters `receiver`. */
static int comes(__u32 node, int sealed, __u32 src, __u32 dst, __u32 receiver)
{
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, WF_HOOK_FROM_OVERLAY);
	struct frame frame;
	struct wf_ctx ctx;
	int r;

	forget();
	fill(&frame, 0x77, src, dst);
	native_packet(&ctx, &frame, sizeof(frame));
	r = wf_overlay_enter(&ctx, work, OVER, node, sealed, WF_HOOK_FROM_OVERLAY);
	if (r == TC_ACT_REDIRECT) {
		assert_int_equal(native.redirect_peer, WF_IFINDEX_BASE + receiver);
		assert_memory_equal(ctx.bytes, native.endpoints[receiver].mac, ETH_ALEN);
		assert_memory_equal(ctx.bytes + ETH_ALEN, native.networks[OVER].gateway_mac,
				    ETH_ALEN);
	} else {
		assert_int_equal(native.redirect_peer, 0);
	}
	native_packet_done(&ctx);
	return r == TC_ACT_REDIRECT ? 0 : -r;
}

static void test_from_the_gateways_node(void **state)
{
	(void)state;
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_WEB, WEB), 0);
	assert_int_equal(comes(THIRD, 0, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(comes(PEER, 0, IP_NONE, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(comes(PEER, 0, IP_WEB, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_HOST, WEB), WF_REASON_NO_SUCH_ADDRESS);
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_APART, WEB), WF_REASON_NO_SUCH_ADDRESS);
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_BEHIND + 1, WEB), WF_REASON_NO_SUCH_ADDRESS);
	/* known addresses come first, wherever they are */
	add_remote(IP_BEHIND, THIRD);
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	native.remote_count--;
	add_address(WF_NETWORK_HOST, IP_BEHIND, APART);
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	native.address_count--;
	native.networks[OVER].flags |= WF_NET_ENCRYPTED;
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_CLEAR);
	assert_int_equal(comes(PEER, 1, IP_BEHIND, IP_WEB, WEB), 0);
	native.networks[OVER].flags &= ~WF_NET_VTEPS;
	assert_int_equal(comes(PEER, 1, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
}

static void test_to_the_gateway_here(void **state)
{
	(void)state;
	assert_int_equal(comes(PEER, 0, IP_DB, IP_BEHIND, GATE), 0);
	assert_int_equal(comes(PEER, 0, IP_DB, IP_NONE, GATE), WF_REASON_NO_SUCH_ADDRESS);
	assert_int_equal(comes(THIRD, 0, IP_DB, IP_BEHIND, GATE), WF_REASON_OVERLAY_SPOOFED);
	/* from behind it, from another node */
	assert_int_equal(comes(PEER, 0, IP_BEHIND, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	/* of another network, which may talk to this one's containers */
	native.remotes[0].value.network = OTHER;
	assert_int_equal(comes(PEER, 0, IP_DB, IP_WEB, WEB), 0);
	assert_int_equal(comes(PEER, 0, IP_DB, IP_BEHIND, GATE), WF_REASON_NO_SUCH_ADDRESS);
	native.remotes[0].value.network = OVER;
	/* an address that somebody has is his */
	add_address(WF_NETWORK_HOST, IP_BEHIND, APART);
	assert_int_equal(comes(PEER, 0, IP_DB, IP_BEHIND, GATE), WF_REASON_NO_SUCH_ADDRESS);
	native.address_count--;
	native.vteps[0].value.addr = addr4(IP_GATE + 1);
	assert_int_equal(comes(PEER, 0, IP_DB, IP_BEHIND, GATE), WF_REASON_NO_ROUTER);
}

static void test_who_speaks_for_it(void **state)
{
	struct wf_addr behind = addr4(IP_BEHIND), none = addr4(IP_NONE);

	(void)state;
	assert_true(wf_via_speaks_for(GATE, 4, &behind));
	assert_false(wf_via_speaks_for(GATE, 4, &none));
	assert_false(wf_via_speaks_for(WEB, 4, &behind));
	add_remote(IP_BEHIND, PEER);
	assert_false(wf_via_speaks_for(GATE, 4, &behind));
}

/* ---- the default route ------------------------------------------------------------------------- */

#define IP_WORLD   0xcb007109 /* 203.0.113.9 */
#define IP_NOBODY  0x0a090077 /* of the network's subnet */
#define HOST_INDEX 55

static int setup_default(void **state)
{
	int r = setup_here(state);

	add_route(0, 0, IP_GATE)->flags = WF_VTEP_DEFAULT;
	native.networks[OVER].subnets[0].base = addr4(0x0a090000);
	memset(&native.networks[OVER].subnets[0].mask, 0xff, 15);
	native.networks[OVER].subnet_count = 1;
	native.config.host_ifindex = HOST_INDEX;
	native.endpoints[WF_SLOT_HOST].flags = WF_EP_READY | WF_EP_HOST;
	native_conns_reset(64);
	return r;
}

static void assert_to_the_host(__u32 slot, __u32 src, __u32 dst)
{
	struct frame frame;

	assert_int_equal(sends(slot, src, dst, &frame), TC_ACT_REDIRECT);
	assert_int_equal(native.redirect_ingress, HOST_INDEX);
	assert_int_equal(native.redirect_peer, 0);
}

static void test_default_route(void **state)
{
	(void)state;
	/* what nobody has, in both directions; the gateway itself has the node's way out */
	assert_enters(WEB, IP_WEB, IP_WORLD, GATE);
	assert_enters(WEB, IP_WEB, IP_BEHIND, GATE);
	assert_to_the_host(GATE, IP_GATE, IP_WORLD);
	assert_enters(GATE, IP_WORLD, IP_WEB, WEB);
	assert_dropped(GATE, IP_GATE, IP_BEHIND, WF_REASON_NO_ROUTER);
	/* nobody else may say so, and nobody more is reached */
	assert_dropped(WEB, IP_WORLD, IP_GATE, WF_REASON_SPOOFED_IP);
	assert_dropped(APART, IP_WORLD, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_WORLD, IP_HOST, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_WORLD, IP_APART, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_WORLD, IP_WORLD + 1, WF_REASON_SPOOFED_IP);
	/* whose address it cannot be: a container's, whether it is there or not, and no address at all */
	assert_dropped(GATE, IP_APART, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_DB, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, IP_NOBODY, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, 0x7f000001, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, 0xe0000001, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(GATE, 0xa9fe0001, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_dropped(WEB, IP_WEB, IP_NOBODY, WF_REASON_NO_SUCH_ADDRESS);
	/* other networks of weft: as before */
	assert_int_equal(sends(WEB, IP_WEB, IP_APART, &(struct frame){}), TC_ACT_REDIRECT);
	assert_int_equal(native.redirect_peer, WF_IFINDEX_BASE + APART);
	/* never past a gateway that is not there */
	native.endpoints[GATE].flags &= ~WF_EP_READY;
	assert_dropped(WEB, IP_WEB, IP_WORLD, WF_REASON_NOT_READY);
}

/* A longer route leads elsewhere; one of IPv6 says nothing of IPv4. */
static void test_default_route_beside_others(void **state)
{
	struct wf_vtep_value *route;

	(void)state;
	add_endpoint(THIRD, OVER, IP_GATE + 1);
	route = add_route(0xcb007100, 24, IP_GATE + 1);
	assert_enters(WEB, IP_WEB, IP_WORLD, THIRD);
	assert_dropped(GATE, IP_WORLD, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_enters(THIRD, IP_WORLD, IP_WEB, WEB);
	assert_enters(GATE, IP_GATE, IP_WORLD, THIRD);
	native.vtep_count--;
	route = &native.vteps[native.vtep_count - 1].value;
	native.vteps[native.vtep_count - 1].key.prefixlen = 32;
	memset(&native.vteps[native.vtep_count - 1].key.addr, 0, sizeof(struct wf_addr));
	route->addr = (struct wf_addr){ .bytes = { 0xfd, 0x50, [15] = 9 } };
	assert_to_the_host(WEB, IP_WEB, IP_WORLD);
	assert_dropped(GATE, IP_WORLD, IP_WEB, WF_REASON_SPOOFED_IP);
	assert_enters(WEB, IP_WEB, IP_BEHIND, GATE);
}

/* Whoever came in by the node is answered by it. */
static void test_default_route_and_answers(void **state)
{
	struct wf_conn_new fresh = {
		.tuple = { { .src = addr4(IP_WORLD),
			     .dst = addr4(0xc0000201),
			     .sport = bpf_htons(9),
			     .dport = bpf_htons(80),
			     .proto = IPPROTO_UDP,
			     .site = WF_SITE_EDGE },
			   { .src = addr4(IP_WEB),
			     .dst = addr4(IP_WORLD),
			     .sport = bpf_htons(9),
			     .dport = bpf_htons(9),
			     .proto = IPPROTO_UDP,
			     .site = WF_SITE_EDGE } },
		.flags = WF_CONN_PUBLISHED | WF_CONN_VIA_HOST,
		.peer = WEB,
	};
	__u32 index;

	(void)state;
	assert_enters(WEB, IP_WEB, IP_WORLD, GATE);
	assert_int_equal(wf_conn_add(&fresh, &index), 0);
	assert_to_the_host(WEB, IP_WEB, IP_WORLD);
	assert_enters(WEB, IP_WEB, IP_WORLD + 1, GATE);
	/* who was asked by the container before there was the route: by the gateway now */
	wf_conn_remove(index);
	fresh.tuple[0].src = addr4(IP_WEB);
	fresh.tuple[0].dst = addr4(IP_WORLD);
	fresh.tuple[0].dport = bpf_htons(9);
	fresh.tuple[1].src = addr4(IP_WORLD);
	fresh.tuple[1].dst = addr4(0xc0000201);
	assert_int_equal(wf_conn_add(&fresh, &index), 0);
	assert_enters(WEB, IP_WEB, IP_WORLD, GATE);
}

static void test_default_route_across_nodes(void **state)
{
	(void)state;
	native.address_count -= 2;
	add_remote(IP_GATE, PEER);
	assert_int_equal(comes(PEER, 0, IP_WORLD, IP_WEB, WEB), 0);
	assert_int_equal(comes(PEER, 0, IP_NOBODY, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(comes(PEER, 0, 0x7f000001, IP_WEB, WEB), WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(comes(PEER, 0, IP_WORLD, IP_HOST, WEB), WF_REASON_NO_SUCH_ADDRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_gateway_here, setup_here),
		cmocka_unit_test_setup(test_longer_prefixes, setup_here),
		cmocka_unit_test_setup(test_nobody_has_it, setup),
		cmocka_unit_test_setup(test_gateway_there, setup_there),
		cmocka_unit_test_setup(test_to_other_nodes, setup_here),
		cmocka_unit_test_setup(test_from_the_gateways_node, setup_there),
		cmocka_unit_test_setup(test_to_the_gateway_here, setup_here),
		cmocka_unit_test_setup(test_who_speaks_for_it, setup_here),
		cmocka_unit_test_setup(test_default_route, setup_default),
		cmocka_unit_test_setup(test_default_route_beside_others, setup_default),
		cmocka_unit_test_setup(test_default_route_and_answers, setup_default),
		cmocka_unit_test_setup(test_default_route_across_nodes, setup_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
