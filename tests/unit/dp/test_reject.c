/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: valid packets to the sender, which say what the standards want. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/ipv4.h"
#include "lib/ipv6.h"
#include "lib/reject.h"

#include "nat_cases.h"
#include "native.h"
#include "wire.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static struct wire refused;

/* Refuses the packet in `refused`; the refusal is in ctx. 0 or -reason. */
static int refuse_it(enum native_summed summed, __u32 gso, struct wf_ctx *ret_ctx)
{
	struct wf_flow flow = {};
	struct wf_ip ip = {};

	native_reset();
	native_packet_at(ret_ctx, refused.bytes, (__u32)refused.len, refused.l3 ? 2 : 0);
	ret_ctx->summed = summed;
	ret_ctx->gso = gso;
	assert_int_equal(
		native_flow_read(ret_ctx, (__u32)refused.l3, WF_SITE_CONTAINER, &ip, &flow), 0);
	return wf_reject(ret_ctx, &ip, &flow);
}

static int refuse(const struct wire_spec *spec, enum native_summed summed, __u32 gso,
		  struct wf_ctx *ret_ctx)
{
	wire_build(spec, &refused);
	return refuse_it(summed, gso, ret_ctx);
}

static __u32 read32(const __u8 *at)
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

/* What every refusal has in common. Returns its transport header. */
static const __u8 *check_frame(const struct wf_ctx *ctx, __u8 proto)
{
	const __u8 *was = refused.bytes + refused.l3, *ip = ctx->bytes + refused.l3;
	int version = ip[0] >> 4;

	if (refused.l3) {
		assert_memory_equal(ctx->bytes, refused.bytes + 6, 6);
		assert_memory_equal(ctx->bytes + 6, refused.bytes, 6);
		assert_memory_equal(ctx->bytes + 12, refused.bytes + 12, 2);
	}
	assert_int_equal(version, was[0] >> 4);
	assert_int_equal(ip[version == 4 ? 9 : 6], proto);
	assert_int_equal(ip[version == 4 ? 8 : 7], 64);
	if (version == 4) {
		assert_memory_equal(ip + 12, was + 16, 4);
		assert_memory_equal(ip + 16, was + 12, 4);
	} else {
		assert_memory_equal(ip + 8, was + 24, 16);
		assert_memory_equal(ip + 24, was + 8, 16);
	}
	return ip + (version == 4 ? 20 : 40);
}

/* Refuses a segment and compares the reset. */
static void check_reset(struct wire_spec spec, __u8 flags, __u32 seq, __u32 ack, __u8 answer)
{
	struct wf_ctx ctx;
	const __u8 *tcp;

	spec.tcp_flags = flags;
	assert_int_equal(refuse(&spec, NATIVE_SUMMED_NONE, 0, &ctx), 0);
	tcp = check_frame(&ctx, IPPROTO_TCP);
	assert_ptr_equal(tcp + 20, ctx.bytes + ctx.len);
	assert_int_equal(tcp[0] << 8 | tcp[1], spec.dport);
	assert_int_equal(tcp[2] << 8 | tcp[3], spec.sport);
	assert_int_equal(read32(tcp + 4), seq);
	assert_int_equal(read32(tcp + 8), ack);
	assert_int_equal(tcp[12], 0x50);
	assert_int_equal(tcp[13], answer);
	assert_true(wire_is_right(ctx.bytes + refused.l3, ctx.len - refused.l3));
	native_packet_done(&ctx);
}

/* The packets have sequence number 0x12345678 and acknowledge 0x9abcdef0. */
static void test_resets(void **state)
{
	(void)state;
	for (int variant = 0; variant < 4; variant++) {
		struct wire_spec spec =
			nat_case_find(variant & 1 ? "TCP over IPv6" : "TCP")->before;

		spec.bare = variant & 2;
		spec.payload = 0;
		check_reset(spec, SYN, 0, 0x12345679, RST | ACK);
		check_reset(spec, ACK, 0x9abcdef0, 0, RST);
		check_reset(spec, SYN | ACK, 0x9abcdef0, 0, RST);
		spec.payload = 101;
		check_reset(spec, SYN, 0, 0x12345679 + 101, RST | ACK);
		check_reset(spec, FIN, 0, 0x12345679 + 101, RST | ACK);
		check_reset(spec, FIN | ACK, 0x9abcdef0, 0, RST);
	}
}

/* Refuses a packet with an ICMP error that quotes it. */
static void check_unreachable(const struct wire_spec *spec, size_t most)
{
	int is_ip6 = strchr(spec->src, ':') != NULL;
	const __u8 *icmp;
	struct wf_ctx ctx;
	size_t quote;

	assert_int_equal(refuse(spec, NATIVE_SUMMED_NONE, 0, &ctx), 0);
	icmp = check_frame(&ctx, is_ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	assert_int_equal(icmp[0], is_ip6 ? 1 : 3);
	assert_int_equal(icmp[1], is_ip6 ? 4 : 3);
	assert_int_equal(read32(icmp + 4), 0);
	quote = (size_t)(ctx.bytes + ctx.len - icmp) - 8;
	assert_int_equal(quote, refused.len - refused.l3 < most ? refused.len - refused.l3 : most);
	assert_memory_equal(icmp + 8, refused.bytes + refused.l3, quote);
	assert_true(wire_is_right(ctx.bytes + refused.l3, ctx.len - refused.l3));
	native_packet_done(&ctx);
}

static void test_unreachables(void **state)
{
	static const char *const names[] = {
		"UDP",
		"UDP over IPv6",
		"UDP without checksum",
		"SCTP",
		"SCTP over IPv6",
		"echo request",
		"echo request over IPv6",
		"first fragment of UDP",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct wire_spec spec = nat_case_find(names[i])->before;

		check_unreachable(&spec, WF_QUOTE_BYTES);
		if (spec.fragment_bytes)
			continue;
		for (spec.payload = 0; spec.payload < 120; spec.payload++)
			check_unreachable(&spec, WF_QUOTE_BYTES);
		spec.bare = true;
		check_unreachable(&spec, WF_QUOTE_BYTES);
	}
}

/* A UDP packet behind IPv4 options: they are part of what is quoted. */
static void test_quotes_options(void **state)
{
	struct wire_spec spec = nat_case_find("UDP")->before;

	(void)state;
	spec.option_bytes = 40;
	check_unreachable(&spec, WF_QUOTE_BYTES);
}

/* The device is to add the checksum: the reset has that of the pseudo header. */
static void test_reset_of_unfinished_sum(void **state)
{
	struct wire_spec spec = nat_case_find("TCP")->before;
	struct wf_ctx ctx;
	__u8 *tcp;
	__u32 sum;

	(void)state;
	spec.partial = true;
	spec.tcp_flags = SYN;
	assert_int_equal(refuse(&spec, NATIVE_SUMMED_PARTIAL, 0, &ctx), 0);
	tcp = ctx.bytes + refused.l3 + 20;
	sum = 0xffff & ~wire_sum(tcp, 20);
	tcp[16] = (__u8)(sum >> 8);
	tcp[17] = (__u8)sum;
	assert_true(wire_is_right(ctx.bytes + refused.l3, ctx.len - refused.l3));
	native_packet_done(&ctx);
}

/* A reset that is as long as what it answers: the device's sum must not survive. */
static void test_forgets_the_sum(void **state)
{
	struct wire_spec spec = nat_case_find("TCP")->before;
	struct wf_ctx ctx;

	(void)state;
	spec.payload = 0;
	assert_int_equal(refuse(&spec, NATIVE_SUMMED_COMPLETE, 0, &ctx), 0);
	assert_int_equal(ctx.summed, NATIVE_SUMMED_NONE);
	assert_true(wire_is_right(ctx.bytes + refused.l3, ctx.len - refused.l3));
	native_packet_done(&ctx);
}

/* What stays without an answer. The first of each pair is answered: the probe sees answers. */
static void check_silence(const struct wire_spec *spec, __u32 gso, int wanted)
{
	struct wf_ctx ctx;

	assert_int_equal(refuse(spec, NATIVE_SUMMED_NONE, gso, &ctx), wanted);
	native_packet_done(&ctx);
}

static void test_silence(void **state)
{
	const struct wire_spec tcp = nat_case_find("TCP")->before;
	const struct wire_spec udp = nat_case_find("UDP")->before;
	const struct wire_spec udp6 = nat_case_find("UDP over IPv6")->before;
	const struct wire_spec echo = nat_case_find("echo request")->before;
	struct wire_spec spec;

	(void)state;
	check_silence(&tcp, 0, 0);
	check_silence(&tcp, 1000, -WF_REASON_NAT_PROTOCOL);
	spec = tcp;
	spec.tcp_flags = RST;
	check_silence(&spec, 0, -WF_REASON_NAT_PROTOCOL);
	spec = tcp;
	spec.option_bytes = 4;
	check_silence(&spec, 0, -WF_REASON_EXTENSION_HEADER);
	spec = nat_case_find("first fragment of TCP")->before;
	check_silence(&spec, 0, -WF_REASON_NAT_FRAGMENT);
	check_silence(&udp, 0, 0);
	spec = udp;
	spec.dst = "224.0.0.251";
	check_silence(&spec, 0, -WF_REASON_MULTICAST);
	spec.dst = "255.255.255.255";
	check_silence(&spec, 0, -WF_REASON_MULTICAST);
	spec = udp;
	spec.src = "0.0.0.0";
	check_silence(&spec, 0, -WF_REASON_MULTICAST);
	check_silence(&udp6, 0, 0);
	spec = udp6;
	spec.dst = "ff02::fb";
	check_silence(&spec, 0, -WF_REASON_MULTICAST);
	spec = udp6;
	spec.src = "::";
	check_silence(&spec, 0, -WF_REASON_MULTICAST);
	check_silence(&echo, 0, 0);
	spec = echo;
	spec.type = 13;
	check_silence(&spec, 0, -WF_REASON_NAT_PROTOCOL);
	check_silence(&nat_case_find("TCP expired of a router")->before, 0,
		      -WF_REASON_NAT_PROTOCOL);
}

/* Frames to many, and a TCP header that says to be longer than the packet. */
static void test_silence_to_broken_ones(void **state)
{
	struct wire_spec spec = nat_case_find("TCP")->before;
	struct wf_ctx ctx;

	(void)state;
	spec.payload = 0;
	wire_build(&spec, &refused);
	refused.bytes[0] |= 1;
	assert_int_equal(refuse_it(NATIVE_SUMMED_NONE, 0, &ctx), -WF_REASON_MULTICAST);
	native_packet_done(&ctx);
	wire_build(&spec, &refused);
	refused.bytes[refused.l3 + 20 + 12] = 0x60;
	assert_int_equal(refuse_it(NATIVE_SUMMED_NONE, 0, &ctx), -WF_REASON_MALFORMED_IPV4);
	native_packet_done(&ctx);
	wire_build(&spec, &refused);
	refused.bytes[refused.l3 + 20 + 12] = 0x40;
	assert_int_equal(refuse_it(NATIVE_SUMMED_NONE, 0, &ctx), -WF_REASON_MALFORMED_IPV4);
	native_packet_done(&ctx);
}

/* Fails each helper; what comes back is a reason. */
static void test_failing_helpers(void **state)
{
	static const enum native_helper helpers[] = { NATIVE_HELPER_STORE, NATIVE_HELPER_RESIZE,
						      NATIVE_HELPER_LOAD };
	static const char *const names[] = { "TCP", "TCP over IPv6", "UDP", "UDP over IPv6" };

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		const struct wire_spec *spec = &nat_case_find(names[i / 3])->before;
		struct wf_flow flow = { .l4 = 34, .ports = 34 };
		struct wf_ip ip = {
			.version = 4, .l3 = 14, .l4 = 34, .end = 80, .proto = spec->proto
		};
		struct wf_ctx ctx;
		int r;

		if (strchr(spec->src, ':')) {
			ip.version = 6;
			ip.l4 = flow.l4 = flow.ports = 54;
		}
		wire_build(spec, &refused);
		ip.src.words[0] = ip.dst.words[0] = bpf_htonl(0x20010db8);
		ip.src.words[3] = ip.dst.words[3] = bpf_htonl(0x0a000001);
		native_packet(&ctx, refused.bytes, (__u32)refused.len);
		native.failing = helpers[i % 3];
		r = wf_reject(&ctx, &ip, &flow);
		assert_true(r < 0 && r > -WF_REASON_COUNT);
		native.failing = NATIVE_HELPER_NONE;
		native_packet_done(&ctx);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_unreachables),
		cmocka_unit_test(test_quotes_options),
		cmocka_unit_test(test_reset_of_unfinished_sum),
		cmocka_unit_test(test_forgets_the_sum),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silence_to_broken_ones),
		cmocka_unit_test(test_failing_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
