/* SPDX-License-Identifier: Apache-2.0 */
/* What is too large for the way to another node: who is told, what, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/deliver.h"

#include "native.h"
#include "wire.h"

#define SLOT   1
#define SEALED 2 /* the slot of an encrypted network */
#define PEER   3
#define PATH   1400

/* Networks by number. */
enum {
	OVERLAY = 1,
	ROUTED,
	ENCRYPTED
};

static struct wf_addr addr4(__u8 last)
{
	struct wf_addr addr = { .words = { 0, 0, bpf_htonl(0xffff),
					   bpf_htonl(0x0a090000 | last) } };

	return addr;
}

static struct wf_addr addr6(__u8 last)
{
	struct wf_addr addr = { .words = { bpf_htonl(0xfd090000), 0, 0, bpf_htonl(last) } };

	return addr;
}

/* An endpoint of a network on the other node. */
static struct wf_remote_value remote_in(__u32 network)
{
	const struct wf_remote_value remote = { .node = PEER, .network = network };

	return remote;
}

static int setup(void **state)
{
	(void)state;
	native_reset();
	native.networks[OVERLAY].flags = WF_NET_VALID | WF_NET_OVERLAY;
	native.networks[ROUTED].flags = WF_NET_VALID | WF_NET_OVERLAY | WF_NET_ROUTED;
	native.networks[ENCRYPTED].flags = WF_NET_VALID | WF_NET_OVERLAY | WF_NET_ENCRYPTED;
	native.networks[OVERLAY].gateway4 = addr4(1);
	native.networks[OVERLAY].gateway6 = addr6(1);
	native.endpoints[SLOT].flags = WF_EP_READY;
	native.endpoints[SLOT].network = OVERLAY;
	native.endpoints[SLOT].ifindex = 77;
	native.endpoints[SEALED].network = ENCRYPTED;
	native.nodes[WF_NODE_SELF].ifindex = 5;
	native.nodes[PEER].underlay = addr4(9);
	native.nodes[PEER].path_mtu = PATH;
	return 0;
}

static struct wf_ip headers;

static void parse(struct wf_ctx *ctx)
{
	assert_int_equal(wf_work_parse(ctx, ETH_HLEN, &headers), 0);
}

/* A UDP packet of that many bytes from its IP header on. */
static void build(struct wf_ctx *ret_ctx, int version, size_t bytes, bool whole)
{
	const struct wire_spec spec = {
		.src = version == 4 ? "10.50.0.2" : "fd50::2",
		.dst = version == 4 ? "10.50.0.3" : "fd50::3",
		.proto = IPPROTO_UDP,
		.sport = 5,
		.dport = 6,
		.payload = bytes - (version == 4 ? 28 : 48),
	};
	struct wire wire;

	wire_build(&spec, &wire);
	if (version == 4)
		wire.bytes[wire.l3 + 6] = whole ? 0x40 : 0;
	native_packet(ret_ctx, wire.bytes, (__u32)wire.len);
}

static int mtu_to(__u32 from, const struct wf_remote_value *remote, int version, size_t bytes,
		  bool whole, __u32 gso)
{
	struct wf_ctx ctx;
	int r;

	build(&ctx, version, bytes, whole);
	ctx.gso = gso;
	parse(&ctx);
	r = (int)wf_remote_mtu(&ctx, &headers, from, remote);
	native_packet_done(&ctx);
	return r;
}

static int mtu_for(__u32 from, __u32 network, int version, size_t bytes, bool whole, __u32 gso)
{
	const struct wf_remote_value remote = remote_in(network);

	return mtu_to(from, &remote, version, bytes, whole, gso);
}

/* The largest packet to an endpoint that nobody is told of. */
static size_t largest_to(__u32 from, const struct wf_remote_value *remote, int version)
{
	size_t bytes = 100;

	while (bytes < 1500 && !mtu_to(from, remote, version, bytes + 1, true, 0))
		bytes++;
	if (bytes < 1500)
		assert_int_equal(mtu_to(from, remote, version, bytes + 1, true, 0), bytes);
	return bytes;
}

static size_t largest(__u32 from, __u32 network, int version)
{
	const struct wf_remote_value remote = remote_in(network);

	return largest_to(from, &remote, version);
}

static void test_what_ways_carry(void **state)
{
	(void)state;
	assert_int_equal(largest(SLOT, OVERLAY, 4), PATH - 50);
	assert_int_equal(largest(SLOT, OVERLAY, 6), PATH - 50);
	/* behind a router, and on the segment */
	native.endpoints[SLOT].network = ROUTED;
	assert_int_equal(largest(SLOT, ROUTED, 4), PATH - 50);
	native.nodes[PEER].ifindex = 6;
	assert_int_equal(largest(SLOT, ROUTED, 4), PATH);
	/* nobody has said where to send IPv6 on the segment */
	assert_int_equal(largest(SLOT, ROUTED, 6), PATH - 50);
	native.nodes[PEER].next_hop = addr6(9);
	assert_int_equal(largest(SLOT, ROUTED, 6), PATH);
	/* inside WireGuard: 60 bytes and what is filled up, then 70 */
	assert_int_equal(largest(SEALED, ENCRYPTED, 4), (PATH - 60) / 16 * 16 - 70);
	native.nodes[PEER].underlay = addr6(9);
	assert_int_equal(largest(SEALED, ENCRYPTED, 4), (PATH - 80) / 16 * 16 - 70);
	native.nodes[PEER].ifindex = 0;
	assert_int_equal(largest(SLOT, ROUTED, 4), PATH - 70);
	/* IPv6 knows nothing smaller */
	assert_int_equal(largest(SEALED, ENCRYPTED, 6), 1280);
	native.nodes[PEER].path_mtu = 0;
	assert_int_equal(largest(SLOT, OVERLAY, 4), 1500);
}

/* A packet that WireGuard takes as it is has no outer headers inside. */
static void test_what_wireguard_carries_as_it_is(void **state)
{
	struct wf_remote_value bound = remote_in(ENCRYPTED);

	(void)state;
	bound.flags = WF_REMOTE_BOUND;
	assert_int_equal(largest_to(SEALED, &bound, 4), (PATH - 60) / 16 * 16 - 70);
	native.nodes[WF_NODE_SELF].out_ifindex = 8;
	assert_int_equal(largest_to(SEALED, &bound, 4), (PATH - 60) / 16 * 16);
	/* from elsewhere they are there all the same */
	assert_int_equal(largest_to(SLOT, &bound, 4), (PATH - 60) / 16 * 16 - 70);
}

/* Who was there before there was a gateway's route knows nothing of the headers that it costs. */
static void test_what_has_outer_headers_anyway(void **state)
{
	static const __u32 networks[] = { OVERLAY, ROUTED, ENCRYPTED };
	struct wf_remote_value via[] = { remote_in(OVERLAY), remote_in(ROUTED),
					 remote_in(ENCRYPTED) };
	const size_t wanted[] = { PATH - 50, PATH - 50, (PATH - 60) / 16 * 16 - 70 };

	(void)state;
	native.nodes[PEER].path_mtu = 0;
	native.nodes[PEER].out_mtu = PATH;
	native.nodes[PEER].ifindex = 6;
	native.nodes[WF_NODE_SELF].out_ifindex = 8;
	for (size_t i = 0; i < sizeof(via) / sizeof(via[0]); i++) {
		const __u32 from = networks[i] == ENCRYPTED ? SEALED : SLOT;

		native.endpoints[SLOT].network = networks[i];
		assert_int_equal(largest_to(from, &via[i], 4), 1500);
		via[i].flags = WF_REMOTE_OUTER;
		assert_int_equal(largest_to(from, &via[i], 4), wanted[i]);
	}
	/* a way that carries less than the device counts, not the device */
	native.nodes[PEER].path_mtu = PATH - 64;
	assert_int_equal(largest_to(SEALED, &via[2], 4), wanted[2] - 64);
	/* none of weft's devices leads there: nobody can say */
	native.nodes[PEER].path_mtu = 0;
	native.nodes[PEER].out_mtu = 0;
	assert_int_equal(largest_to(SEALED, &via[2], 4), 1500);
}

static void test_who_is_told(void **state)
{
	const struct wf_remote_value remote = remote_in(OVERLAY);
	struct wf_ctx ctx;

	(void)state;
	assert_int_equal(mtu_for(SLOT, OVERLAY, 4, 1400, true, 0), PATH - 50);
	/* may be cut */
	assert_int_equal(mtu_for(SLOT, OVERLAY, 4, 1400, false, 0), 0);
	/* still to be segmented: by the segments, not by the whole */
	assert_int_equal(mtu_for(SLOT, OVERLAY, 4, 1450, true, PATH - 50 - 28), 0);
	assert_int_equal(mtu_for(SLOT, OVERLAY, 4, 1450, true, PATH - 50 - 27), PATH - 50);
	assert_int_equal(mtu_for(SLOT, OVERLAY, 6, 1450, true, PATH - 50 - 48), 0);
	assert_int_equal(mtu_for(SLOT, OVERLAY, 6, 1450, true, PATH - 50 - 47), PATH - 50);
	/* to many */
	build(&ctx, 4, 1400, true);
	ctx.bytes[14 + 16] = 0xe0;
	parse(&ctx);
	assert_int_equal(wf_too_big_mtu(&ctx, &headers, SLOT, &remote), 0);
	native_packet_done(&ctx);
	/* an ICMP error, and an echo */
	for (int type = 3; type <= 8; type += 5) {
		build(&ctx, 4, 1400, true);
		ctx.bytes[14 + 9] = IPPROTO_ICMP;
		ctx.bytes[14 + 20] = (__u8)type;
		parse(&ctx);
		assert_int_equal(wf_too_big_mtu(&ctx, &headers, SLOT, &remote),
				 type == 3 ? 0 : PATH - 50);
		native_packet_done(&ctx);
	}
}

static void check_message(int version)
{
	const struct wf_addr gateway = version == 4 ? addr4(1) : addr6(1);
	__u8 was[14 + 96], *ip;
	struct wf_ctx ctx;

	build(&ctx, version, 1400, true);
	memcpy(was, ctx.bytes, sizeof(was));
	parse(&ctx);
	assert_int_equal(wf_too_big_tell(&ctx, &headers, SLOT, PATH - 50), TC_ACT_REDIRECT);
	ip = ctx.bytes + 14;
	assert_memory_equal(ctx.bytes, was + 6, 6);
	assert_memory_equal(ctx.bytes + 6, was, 6);
	assert_true(wire_is_right(ip, ctx.len - 14));
	if (version == 4) {
		assert_memory_equal(ip + 12, &gateway.words[3], 4);
		assert_memory_equal(ip + 16, was + 14 + 12, 4);
		assert_memory_equal(ip + 20, "\x03\x04", 2);
		assert_int_equal(ip[26] << 8 | ip[27], PATH - 50);
		assert_memory_equal(ip + 28, was + 14, 96);
	} else {
		assert_memory_equal(ip + 8, &gateway, 16);
		assert_memory_equal(ip + 24, was + 14 + 8, 16);
		assert_memory_equal(ip + 40, "\x02\x00", 2);
		assert_int_equal(ip[46] << 8 | ip[47], PATH - 50);
		assert_memory_equal(ip + 48, was + 14, 96);
	}
	native_packet_done(&ctx);
}

static void test_the_message(void **state)
{
	(void)state;
	check_message(4);
	check_message(6);
}

static int tell(__u32 slot)
{
	struct wf_ctx ctx;
	__u32 len;
	int r;

	build(&ctx, 4, 1400, true);
	len = ctx.len;
	parse(&ctx);
	r = wf_too_big_tell(&ctx, &headers, slot, PATH - 50);
	/* who is not told any more has his packet as it was */
	assert_true(r != WF_GO_ON || ctx.len == len);
	native_packet_done(&ctx);
	return r;
}

static void test_how_often(void **state)
{
	(void)state;
	native.now_s = 10;
	for (int i = 0; i < WF_TOO_BIG_PER_SECOND; i++)
		assert_int_equal(tell(SLOT), TC_ACT_REDIRECT);
	assert_int_equal(tell(SLOT), WF_GO_ON);
	/* others are not kept from it, nor is anybody for long */
	assert_int_equal(tell(SEALED), TC_ACT_REDIRECT);
	assert_int_equal(tell(WF_SLOT_HOST), TC_ACT_REDIRECT);
	assert_int_equal(tell(SLOT), WF_GO_ON);
	native.now_s++;
	assert_int_equal(tell(SLOT), TC_ACT_REDIRECT);
}

static void test_helpers_that_fail(void **state)
{
	static const enum native_helper helpers[] = { NATIVE_HELPER_STORE, NATIVE_HELPER_RESIZE,
						      NATIVE_HELPER_TYPE };

	(void)state;
	for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
		struct wf_ctx ctx;

		build(&ctx, 4, 1400, true);
		parse(&ctx);
		native.failing = helpers[i];
		assert_int_equal(wf_too_big_tell(&ctx, &headers, SLOT, PATH - 50),
				 -WF_REASON_INTERNAL_ERROR);
		native.failing = NATIVE_HELPER_NONE;
		native_packet_done(&ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_ways_carry, setup),
		cmocka_unit_test_setup(test_what_wireguard_carries_as_it_is, setup),
		cmocka_unit_test_setup(test_what_has_outer_headers_anyway, setup),
		cmocka_unit_test_setup(test_who_is_told, setup),
		cmocka_unit_test_setup(test_the_message, setup),
		cmocka_unit_test_setup(test_how_often, setup),
		cmocka_unit_test_setup(test_helpers_that_fail, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
