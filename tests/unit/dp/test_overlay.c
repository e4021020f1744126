/* SPDX-License-Identifier: Apache-2.0 */
/* To other nodes and from them: where packets of encrypted networks may go, and come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/from_tunnel.h"

#include "native.h"

/* Networks by number. */
enum {
	PLAIN = 1,
	SEALED = 2
};
#define SENDER_PLAIN  1
#define SENDER_SEALED 2
#define PEER          3
#define DEVICE        77

static struct wf_addr addr4(__u8 last)
{
	struct wf_addr addr = { .words = { 0, 0, bpf_htonl(0xffff),
					   bpf_htonl(0x0a090000 | last) } };

	return addr;
}

/* Inside WireGuard. */
static struct wf_addr tunnel(__u8 last)
{
	struct wf_addr addr = { .words = { bpf_htonl(WF_TUNNEL_PREFIX_WORD0),
					   bpf_htonl(WF_TUNNEL_PREFIX_WORD1), 0,
					   bpf_htonl(last) } };

	return addr;
}

static int setup(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	native.networks[PLAIN].flags = WF_NET_VALID | WF_NET_OVERLAY;
	native.networks[SEALED].flags = WF_NET_VALID | WF_NET_OVERLAY | WF_NET_ENCRYPTED;
	native.endpoints[SENDER_PLAIN].network = PLAIN;
	native.endpoints[SENDER_SEALED].network = SEALED;
	native.nodes[WF_NODE_SELF].ifindex = DEVICE;
	native.nodes[WF_NODE_SELF].tunnels[0] = tunnel(1);
	native.nodes[PEER].underlay = addr4(9);
	native.nodes[PEER].tunnels[0] = tunnel(9);
	native.nodes[PEER].tunnels[1] = tunnel(10);
	return 0;
}

static int send(__u32 slot, __u32 network)
{
	struct wf_remote_value remote = { .node = PEER, .network = network };
	struct wf_ctx ctx = { .len = 100 };

	memset(&native.tunnel_peer, 0, sizeof(native.tunnel_peer));
	return wf_to_remote(&ctx, slot, &remote);
}

static void assert_sent_to(const struct wf_addr want)
{
	assert_memory_equal(&native.tunnel_peer, &want, sizeof(want));
}

static void test_where_to(void **state)
{
	(void)state;
	assert_int_equal(send(SENDER_PLAIN, PLAIN), TC_ACT_REDIRECT);
	assert_sent_to(addr4(9));
	assert_int_equal(send(SENDER_SEALED, SEALED), TC_ACT_REDIRECT);
	assert_sent_to(tunnel(9));
	/* between the two, and from the host */
	assert_int_equal(send(SENDER_SEALED, PLAIN), TC_ACT_REDIRECT);
	assert_sent_to(tunnel(9));
	assert_int_equal(send(SENDER_PLAIN, SEALED), TC_ACT_REDIRECT);
	assert_sent_to(tunnel(9));
	assert_int_equal(send(WF_SLOT_HOST, SEALED), TC_ACT_REDIRECT);
	assert_sent_to(tunnel(9));
	assert_int_equal(send(WF_SLOT_HOST, PLAIN), TC_ACT_REDIRECT);
	assert_sent_to(addr4(9));
}

static void test_without_a_tunnel(void **state)
{
	static const struct wf_addr none;

	(void)state;
	native.nodes[PEER].tunnels[0] = none;
	assert_int_equal(send(SENDER_SEALED, SEALED), -WF_REASON_NO_TUNNEL);
	assert_int_equal(send(SENDER_SEALED, PLAIN), -WF_REASON_NO_TUNNEL);
	assert_sent_to(none);
	assert_int_equal(send(SENDER_PLAIN, PLAIN), TC_ACT_REDIRECT);
	native.nodes[PEER].tunnels[0] = tunnel(9);
	native.nodes[WF_NODE_SELF].tunnels[0] = none;
	assert_int_equal(send(SENDER_SEALED, SEALED), -WF_REASON_NO_TUNNEL);
	assert_sent_to(none);
	native.nodes[PEER].underlay = none;
	assert_int_equal(send(SENDER_PLAIN, PLAIN), -WF_REASON_NODE_UNKNOWN);
	native.nodes[WF_NODE_SELF].ifindex = 0;
	assert_int_equal(send(SENDER_SEALED, SEALED), -WF_REASON_NODE_UNKNOWN);
}

/* What comes of a frame by its outer source, its mark, its network and its inner source's. */
static int receive(struct wf_addr outer, __u32 mark, __u32 vni, __u32 source_network)
{
	struct wf_addr inner = addr4(200);
	struct wf_ip ip = { .src = inner };
	struct wf_ctx ctx = { .len = 100, .mark = mark };
	__u32 got_vni = 0, node = 0;
	int sealed = 0, r;

	native.remotes[0].key = (struct wf_addr_key){ .network = WF_NETWORK_HOST, .addr = inner };
	native.remotes[0].value =
		(struct wf_remote_value){ .node = PEER, .network = source_network };
	native.remote_count = 1;
	native.tunnel_peer = outer;
	native.tunnel_vni = vni;
	r = wf_overlay_origin(&ctx, &got_vni, &node, &sealed);
	/* nobody else sees the mark; other bits are left alone */
	assert_int_equal(ctx.mark, mark & ~(__u32)WF_MARK_SEALED);
	if (r < 0)
		return r;
	assert_int_equal(got_vni, vni);
	assert_int_equal(node, PEER);
	return wf_overlay_check_source(&ip, node, vni, &native.networks[vni], sealed);
}

static void test_where_from(void **state)
{
	const __u32 sealed = WF_MARK_SEALED | 5;

	(void)state;
	assert_int_equal(receive(addr4(9), 5, PLAIN, PLAIN), 0);
	assert_int_equal(receive(tunnel(9), sealed, SEALED, SEALED), 0);
	/* while its key is being changed */
	assert_int_equal(receive(tunnel(10), sealed, SEALED, SEALED), 0);
	assert_int_equal(receive(tunnel(9), sealed, PLAIN, SEALED), 0);
	assert_int_equal(receive(tunnel(9), sealed, SEALED, PLAIN), 0);
	assert_int_equal(receive(addr4(9), 5, SEALED, SEALED), -WF_REASON_OVERLAY_CLEAR);
	assert_int_equal(receive(addr4(9), 0, SEALED, PLAIN), -WF_REASON_OVERLAY_CLEAR);
	assert_int_equal(receive(addr4(9), 0, PLAIN, SEALED), -WF_REASON_OVERLAY_CLEAR);
	/* an address inside without WireGuard, WireGuard without one, and nobody's */
	assert_int_equal(receive(tunnel(9), 5, SEALED, SEALED), -WF_REASON_OVERLAY_FOREIGN);
	assert_int_equal(receive(addr4(9), sealed, SEALED, SEALED), -WF_REASON_OVERLAY_FOREIGN);
	assert_int_equal(receive(tunnel(8), sealed, SEALED, SEALED), -WF_REASON_OVERLAY_FOREIGN);
}

/* Each node speaks for its own endpoints alone, whatever tunnel it comes by. */
static void test_whose_source(void **state)
{
	const struct wf_net_value *network = &native.networks[PLAIN];
	const struct wf_ip ip = { .src = addr4(200) }, of_nobody = { .src = addr4(201) };

	(void)state;
	assert_int_equal(receive(addr4(9), 0, PLAIN, PLAIN), 0);
	assert_int_equal(wf_overlay_check_source(&ip, PEER, PLAIN, network, 0), 0);
	assert_int_equal(wf_overlay_check_source(&ip, PEER + 1, PLAIN, network, 0),
			 -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(wf_overlay_check_source(&ip, PEER + 1, PLAIN, network, 1),
			 -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(wf_overlay_check_source(&of_nobody, PEER, PLAIN, network, 0),
			 -WF_REASON_OVERLAY_SPOOFED);
}

#define WIREGUARD 88

/* The device that a packet leaves by, if its receiver is bound or not. */
static __u32 leaves_by(__u32 slot, __u32 network, __u32 flags)
{
	struct wf_remote_value remote = { .node = PEER, .network = network, .flags = flags };
	struct wf_ctx ctx = { .len = 100 };

	native.redirect = 0;
	assert_int_equal(wf_to_remote(&ctx, slot, &remote), TC_ACT_REDIRECT);
	return native.redirect;
}

static void test_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(leaves_by(SENDER_SEALED, SEALED, WF_REMOTE_BOUND), DEVICE);
	native.nodes[WF_NODE_SELF].out_ifindex = WIREGUARD;
	assert_int_equal(leaves_by(SENDER_SEALED, SEALED, WF_REMOTE_BOUND), WIREGUARD);
	assert_int_equal(leaves_by(SENDER_SEALED, SEALED, 0), DEVICE);
	/* what the host sends, and between networks, the other node could not tell whose it is */
	assert_int_equal(leaves_by(WF_SLOT_HOST, SEALED, WF_REMOTE_BOUND), DEVICE);
	assert_int_equal(leaves_by(SENDER_PLAIN, SEALED, WF_REMOTE_BOUND), DEVICE);
	assert_int_equal(leaves_by(SENDER_SEALED, PLAIN, WF_REMOTE_BOUND), DEVICE);
}

/* What comes of a packet out of WireGuard, by its source and what is known of that. */
static int emerge(struct wf_addr source, __u32 network, __u32 flags, __u32 *ret_mark)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .saddr = source.words[3] };
	struct ipv6hdr ip6 = { .version = 6 };
	/* what follows an Ethernet header is aligned */
	struct wf_ctx ctx = { .len = 60, .linear = 60, .front = 2, .mark = 5 };
	__u8 *block = calloc(1, 62);
	int r;

	assert_non_null(block);
	ctx.bytes = block + ctx.front;
	memcpy(&ip6.saddr, &source, sizeof(ip6.saddr));
	if (source.halves[0])
		memcpy(ctx.bytes, &ip6, sizeof(ip6));
	else
		memcpy(ctx.bytes, &ip, sizeof(ip));
	native.remotes[0].key =
		(struct wf_addr_key){ .network = WF_NETWORK_HOST, .addr = addr4(7) };
	native.remotes[0].value = (struct wf_remote_value){ PEER, network, flags };
	native.remote_count = 1;
	r = wf_from_tunnel(&ctx);
	*ret_mark = ctx.mark;
	free(ctx.bytes - ctx.front);
	return r;
}

static void test_out_of_wireguard(void **state)
{
	__u32 mark;

	(void)state;
	/* its source and network are right: what is wrong is the packet itself */
	assert_int_equal(emerge(addr4(7), SEALED, WF_REMOTE_BOUND, &mark),
			 -WF_REASON_MALFORMED_IPV4);
	assert_int_equal(mark, 5);
	assert_int_equal(emerge(addr4(7), SEALED, 0, &mark), -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(emerge(addr4(8), SEALED, WF_REMOTE_BOUND, &mark),
			 -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(emerge(addr4(7), PLAIN, WF_REMOTE_BOUND, &mark), -WF_REASON_NO_NETWORK);
	/* with outer headers it goes on, and is known by the mark */
	assert_int_equal(emerge(tunnel(9), SEALED, 0, &mark), WF_GO_ON);
	assert_int_equal(mark, WF_MARK_SEALED | 5);
}

/* An endpoint that is no node: its outer address, and what is behind it. */
#define VTEP_VNI 5001

static void add_vtep(__u32 scope, struct wf_addr addr, __u32 bits)
{
	struct native_vtep *vtep = &native.vteps[native.vtep_count++];

	vtep->key = (struct wf_vtep_key){ .prefixlen = 32 + bits, .scope = scope, .addr = addr };
	vtep->value =
		(struct wf_vtep_value){ .addr = addr4(20), .vni = VTEP_VNI, .network = PLAIN };
}

/* What becomes of a frame by its outer source, VNI and inner source; of ARP by whom it asks for. */
static int come(struct wf_addr outer, __u32 vni, __u16 proto, struct wf_addr inner)
{
	struct wf_ctx ctx = { .len = 60, .linear = 60, .front = 2, .mark = 5 };
	__u8 *block = calloc(1, 62);
	__u32 network = 0;
	int r;

	assert_non_null(block);
	ctx.bytes = block + ctx.front;
	*(__be16 *)(ctx.bytes + 12) = bpf_htons(proto);
	if (proto == ETH_P_IP) {
		struct iphdr ip = { .version = 4,
				    .ihl = 5,
				    .tot_len = bpf_htons(46),
				    .protocol = IPPROTO_UDP,
				    .saddr = inner.words[3] };

		memcpy(ctx.bytes + ETH_HLEN, &ip, sizeof(ip));
	} else {
		struct wf_arp arp = { .hardware = bpf_htons(WF_ARP_ETHERNET),
				      .protocol = bpf_htons(ETH_P_IP),
				      .hardware_bytes = ETH_ALEN,
				      .protocol_bytes = 4,
				      .operation = bpf_htons(WF_ARP_REQUEST),
				      .sender_mac = "\x02\0\0\0\0\x09" };

		memcpy(arp.target_ip, &inner.words[3], 4);
		memcpy(ctx.bytes + ETH_HLEN, &arp, sizeof(arp));
	}
	native.tunnel_peer = outer;
	native.tunnel_vni = vni;
	r = wf_vtep_open(&ctx, &network);
	if (r == 0)
		assert_int_equal(network, PLAIN);
	if (r == WF_TOLD(TC_ACT_REDIRECT)) {
		/* back to whoever asked, with the MAC of whom he asked for */
		assert_memory_equal(ctx.bytes, "\x02\0\0\0\0\x09\x02\0\0\0\0\x07", 12);
		assert_memory_equal(&native.tunnel_peer, &outer, sizeof(outer));
		assert_int_equal(native.redirect, DEVICE);
	}
	free(block);
	return r;
}

static void test_who_is_no_node(void **state)
{
	static const __u8 mac[ETH_ALEN] = { 2, 0, 0, 0, 0, 7 };

	(void)state;
	add_vtep(WF_VTEP_PEER | VTEP_VNI, addr4(20), 128);
	add_vtep(PLAIN, addr4(128), 96 + 26);
	native.endpoints[7] = (struct wf_ep_value){ .flags = WF_EP_READY, .network = PLAIN };
	memcpy(native.endpoints[7].mac, mac, ETH_ALEN);
	native.addresses[0].key = (struct wf_addr_key){ .network = PLAIN, .addr = addr4(70) };
	native.addresses[0].value.slot = 7;
	native.addresses[1].key = (struct wf_addr_key){ .network = PLAIN, .addr = addr4(65) };
	native.addresses[1].value.flags = WF_ADDR_GATEWAY;
	native.address_count = 2;
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_IP, addr4(128)), 0);
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_IP, addr4(191)), 0);
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_IP, addr4(192)),
			 -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(come(addr4(21), VTEP_VNI, ETH_P_IP, addr4(128)),
			 -WF_REASON_OVERLAY_FOREIGN);
	assert_int_equal(come(addr4(20), VTEP_VNI + 1, ETH_P_IP, addr4(128)),
			 -WF_REASON_OVERLAY_FOREIGN);
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_ARP, addr4(70)), WF_TOLD(TC_ACT_REDIRECT));
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_ARP, addr4(71)), -WF_REASON_ARP_NO_TARGET);
	/* the host is nobody's neighbour there */
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_ARP, addr4(65)), -WF_REASON_ARP_NO_TARGET);
	assert_int_equal(come(addr4(21), VTEP_VNI, ETH_P_ARP, addr4(70)),
			 -WF_REASON_OVERLAY_FOREIGN);
	/* a longer prefix that another one has */
	add_vtep(PLAIN, addr4(160), 96 + 28);
	native.vteps[2].value.addr = addr4(22);
	assert_int_equal(come(addr4(20), VTEP_VNI, ETH_P_IP, addr4(161)),
			 -WF_REASON_OVERLAY_SPOOFED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_where_to, setup),
		cmocka_unit_test_setup(test_without_a_tunnel, setup),
		cmocka_unit_test_setup(test_where_from, setup),
		cmocka_unit_test_setup(test_whose_source, setup),
		cmocka_unit_test_setup(test_as_it_is, setup),
		cmocka_unit_test_setup(test_out_of_wireguard, setup),
		cmocka_unit_test_setup(test_who_is_no_node, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
