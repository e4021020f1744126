/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading flows and rewriting packets: every translated packet is compared byte by byte with one
 * that was built from nothing with the addresses and ports it should have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/ipv4.h"
#include "lib/ipv6.h"
#include "lib/nat.h"
#include "lib/reject.h"

#include "nat_cases.h"
#include "native.h"
#include "wire.h"

#define PADDING 6

/* A packet of the description in a context, with bytes behind its end that belong to nobody. */
static void put(struct wf_ctx *ret_ctx, const struct wire *wire)
{
	static uint8_t padded[WIRE_MAX_BYTES + PADDING];

	memcpy(padded, wire->bytes, wire->len);
	memset(padded + wire->len, 0xa5, PADDING);
	native_packet_at(ret_ctx, padded, (__u32)(wire->len + PADDING), wire->l3 ? 2 : 0);
}

static int read_flow(struct wf_ctx *ctx, __u32 l3, struct wf_ip *ret_ip, struct wf_flow *ret_flow)
{
	struct wf_cursor cursor;
	struct ethhdr *eth;
	int r;

	wf_cursor_start_at(ctx, l3, &cursor);
	r = l3 ? wf_parse_eth(&cursor, &eth) : wf_parse_bare(&cursor);
	if (r == ETH_P_IP)
		r = wf_parse_ipv4(ctx, &cursor, ret_ip);
	else if (r == ETH_P_IPV6)
		r = wf_parse_ipv6(ctx, &cursor, ret_ip);
	else
		return -WF_REASON_UNSUPPORTED_L3;
	return r < 0 ? r : wf_flow_read(ctx, ret_ip, WF_SITE_EDGE, ret_flow);
}

/* Makes packets of `from` into packets of `to`. */
static void check_translation(const char *name, const struct wire_spec *from,
			      const struct wire_spec *to, enum native_summed summed)
{
	static struct wire before, after;
	struct wf_tuple tuple;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	wire_build(from, &before);
	wire_build(to, &after);
	assert_int_equal(before.len, after.len);
	put(&ctx, &before);
	ctx.summed = summed;
	ctx.sum = bpf_htons((__u16)wire_sum(before.bytes + before.l3, before.len - before.l3));
	assert_int_equal(read_flow(&ctx, (__u32)before.l3, &ip, &flow), 0);
	wire_tuple(from, &tuple);
	assert_memory_equal(&flow.tuple, &tuple, sizeof(tuple));
	wire_tuple(to, &tuple);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &tuple), 0);
	if (memcmp(ctx.bytes, after.bytes, after.len) != 0)
		print_error("%s: %s -> %s\n", name, from->src, to->src);
	assert_memory_equal(ctx.bytes, after.bytes, after.len);
	for (size_t i = 0; i < PADDING; i++)
		assert_int_equal(ctx.bytes[after.len + i], 0xa5);
	/* nobody asks for the sum of a packet that has no checksum of this kind */
	if (summed == NATIVE_SUMMED_COMPLETE && !from->no_check && from->proto != IPPROTO_SCTP) {
		__u32 sum =
			bpf_htons((__u16)wire_sum(after.bytes + after.l3, after.len - after.l3));

		if (sum % 0xffff != ctx.sum % 0xffff)
			print_error("%s: %s -> %s: sum\n", name, from->src, to->src);
		assert_int_equal(sum % 0xffff, ctx.sum % 0xffff);
	}
	native_packet_done(&ctx);
}

static void check_both_ways(const struct nat_case *nat, enum native_summed summed)
{
	check_translation(nat->name, &nat->before, &nat->after, summed);
	check_translation(nat->name, &nat->after, &nat->before, summed);
}

static void test_builder_sums_up(void **state)
{
	static struct wire wire;

	(void)state;
	/* the check value of CRC32c as published with it */
	assert_int_equal(wire_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	for (size_t i = 0; i < nat_case_count; i++) {
		if (nat_cases[i].before.fragment_bytes)
			continue;
		wire_build(&nat_cases[i].before, &wire);
		assert_true(wire_is_right(wire.bytes + wire.l3, wire.len - wire.l3) ||
			    nat_cases[i].before.no_check);
		wire.bytes[wire.len - 1] ^= 1;
		assert_false(wire_is_right(wire.bytes + wire.l3, wire.len - wire.l3) &&
			     !nat_cases[i].before.no_check);
	}
}

static void test_translates_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		native_reset();
		check_both_ways(&nat_cases[i], NATIVE_SUMMED_NONE);
		check_both_ways(&nat_cases[i], NATIVE_SUMMED_COMPLETE);
	}
}

static void test_translates_without_ethernet(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		struct nat_case nat = nat_cases[i];

		native_reset();
		nat.before.bare = nat.after.bare = true;
		check_both_ways(&nat, NATIVE_SUMMED_NONE);
	}
}

/* What the device is to complete stays to be completed. */
static void test_translates_unfinished_sums(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		struct nat_case nat = nat_cases[i];

		if ((nat.before.proto != IPPROTO_TCP && nat.before.proto != IPPROTO_UDP) ||
		    nat.before.fragment_bytes || nat.before.no_check || nat.before.zero_sum)
			continue;
		native_reset();
		nat.before.partial = nat.after.partial = true;
		check_both_ways(&nat, NATIVE_SUMMED_PARTIAL);
	}
}

static void test_translates_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		struct nat_case nat = nat_cases[i];

		if (nat.before.quoted || nat.before.fragment_bytes || nat.before.zero_sum)
			continue;
		for (size_t payload = 0; payload < 300; payload++) {
			nat.before.payload = nat.after.payload = payload;
			check_both_ways(&nat, NATIVE_SUMMED_NONE);
		}
		nat.before.payload = nat.after.payload = 65000;
		check_both_ways(&nat, NATIVE_SUMMED_NONE);
	}
}

/* The quotation of an error may end anywhere behind the first eight bytes of its transport. */
static void test_translates_every_quotation(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		struct nat_case nat = nat_cases[i];
		size_t least;

		if (!nat.before.quoted || nat.before.quoted->proto == IPPROTO_SCTP)
			continue;
		least = strchr(nat.before.src, ':') ? 48 : 28U + nat.before.quoted->option_bytes;
		for (size_t bytes = least; bytes < least + 40; bytes++) {
			/* half a checksum cannot be corrected, and nobody could check it */
			if (nat.before.quoted->proto == IPPROTO_TCP && bytes == least + 9)
				continue;
			nat.before.quote_bytes = nat.after.quote_bytes = bytes;
			check_both_ways(&nat, NATIVE_SUMMED_NONE);
		}
	}
}

/* The CRC of what was not checksummed, or is to be by the device, stays 0. */
static void test_leaves_empty_crc_alone(void **state)
{
	struct nat_case nat = *nat_case_find("SCTP");

	(void)state;
	nat.before.no_check = nat.after.no_check = true;
	check_both_ways(&nat, NATIVE_SUMMED_NONE);
}

/* A UDP checksum that would be 0 is sent as 0xffff: 0 means that there is none. */
static void check_zero_sum(const char *name)
{
	const struct nat_case *nat = nat_case_find(name);
	struct wire_spec spec = nat->before;
	struct wf_tuple there, back;
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	spec.payload = 2;
	spec.zero_sum = true;
	wire_build(&spec, &wire);
	assert_memory_equal(wire.bytes + wire.len - 4, "\xff\xff", 2);
	wire_tuple(&spec, &back);
	wire_tuple(&nat->after, &there);
	put(&ctx, &wire);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &there), 0);
	assert_true(wire_is_right(ctx.bytes + wire.l3, wire.len - wire.l3));
	assert_memory_not_equal(ctx.bytes + wire.len - 4, "\xff\xff", 2);
	assert_memory_not_equal(ctx.bytes + wire.len - 4, "\0", 2);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &back), 0);
	assert_memory_equal(ctx.bytes, wire.bytes, wire.len);
	native_packet_done(&ctx);
}

static void test_udp_sum_of_zero(void **state)
{
	(void)state;
	check_zero_sum("UDP");
	check_zero_sum("UDP over IPv6");
}

/* Writes the length that the IP header declares. */
static void declare(struct wire *wire, size_t len)
{
	uint8_t *ip = wire->bytes + wire->l3;
	size_t value = ip[0] >> 4 == 6 ? len - wire->l3 - 40 : len - wire->l3;
	size_t at = ip[0] >> 4 == 6 ? 4 : 2;

	ip[at] = (uint8_t)(value >> 8);
	ip[at + 1] = (uint8_t)value;
	wire->len = len;
}

/* Runs everything on a packet that may be cut or broken anywhere; what is behind it stays. */
static void run_broken(const struct wire *wire, const struct wf_tuple *to, bool refuse)
{
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	int r;

	put(&ctx, wire);
	r = read_flow(&ctx, (__u32)wire->l3, &ip, &flow);
	assert_true(r <= 0 && r > -WF_REASON_COUNT);
	if (r == 0 && refuse)
		r = wf_reject(&ctx, &ip, &flow);
	else if (r == 0)
		r = wf_nat_apply(&ctx, &ip, &flow, to);
	assert_true(r <= 0 && r > -WF_REASON_COUNT);
	for (size_t i = 0; i < PADDING && (r < 0 || !refuse) && ctx.len > wire->len + i; i++)
		assert_int_equal(ctx.bytes[wire->len + i], 0xa5);
	native_packet_done(&ctx);
}

/* Makes the CRC of the segment at the packet's end. */
static void sum_sctp(struct wire *wire, size_t len)
{
	uint8_t *l4 = wire->bytes + wire->len - len;
	uint32_t crc;

	memset(l4 + 8, 0, 4);
	crc = wire_crc32c(l4, len);
	for (int i = 0; i < 4; i++)
		l4[8 + i] = (uint8_t)(crc >> 8 * i);
}

/* What opens an association: INIT (1) or INIT ACK (2), with addresses among its parameters. */
#define SCTP_OPENING(type)                         \
	"\xca\xfe\xba\xbe\0\0\0\0" type "\0\0\x44" \
	"\0\0\x12\x34\0\1\0\0\0\xa\0\xa\0\0\0\7"   \
	"\0\5\0\x08\x0a\0\0\2\0\xc\0\6\0\5\0\0"    \
	"\0\6\0\x14\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\5\0\x08\x0a\0\0\3"

static void put_opening(struct wire *wire, const struct wire_spec *spec, const char *bytes,
			size_t len)
{
	struct wire_spec grown = *spec;

	/* behind the ports: common header, chunk */
	grown.payload = len - 8;
	wire_build(&grown, wire);
	memcpy(wire->bytes + wire->len - len, bytes, len);
	sum_sctp(wire, len + 4);
}

/* Addresses besides that of the packet become padding, and the CRC is right; the rest stays. */
static void check_opening(const char *name, const char *bytes, size_t len, int is_narrowed)
{
	const struct nat_case *nat = nat_case_find(name);
	static struct wire wire;
	struct wf_tuple there;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	const __u8 *chunk;

	put_opening(&wire, &nat->before, bytes, len);
	put(&ctx, &wire);
	wire_tuple(&nat->after, &there);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &there), 0);
	assert_true(wire_is_right(ctx.bytes + wire.l3, wire.len - wire.l3));
	chunk = ctx.bytes + wire.len - len + 8;
	assert_memory_equal(chunk, bytes + 8, 20);
	assert_memory_equal(chunk + 20, is_narrowed ? "\x80\5\0\x08\x0a" : "\0\5\0\x08\x0a", 5);
	assert_memory_equal(chunk + 28, "\0\xc\0\6\0\5\0\0", 8);
	assert_memory_equal(chunk + 36, is_narrowed ? "\x80\5\0\x14\xfd" : "\0\6\0\x14\xfd", 5);
	assert_memory_equal(chunk + 56, is_narrowed ? "\x80\5\0\x08\x0a" : "\0\5\0\x08\x0a", 5);
	native_packet_done(&ctx);
}

static void test_associations_have_one_path(void **state)
{
	static const char init[] = SCTP_OPENING("\1"), ack[] = SCTP_OPENING("\2"),
			  data[] = SCTP_OPENING("\0");

	(void)state;
	native_reset();
	check_opening("SCTP", init, sizeof(init) - 1, 1);
	check_opening("SCTP", ack, sizeof(ack) - 1, 1);
	check_opening("SCTP", data, sizeof(data) - 1, 0);
	check_opening("SCTP over IPv6", init, sizeof(init) - 1, 1);
}

/* Nothing is written behind the packet, whatever lengths it tells. */
static void test_broken_openings(void **state)
{
	static const char init[] = SCTP_OPENING("\1");
	const struct nat_case *nat = nat_case_find("SCTP");
	static struct wire wire;
	struct wf_tuple to;

	(void)state;
	wire_tuple(&nat->after, &to);
	for (size_t at = 8; at < sizeof(init) - 1; at++)
		for (unsigned int value = 0; value < 256; value += 85) {
			char bytes[sizeof(init)];

			native_reset();
			memcpy(bytes, init, sizeof(init));
			bytes[at] = (char)value;
			put_opening(&wire, &nat->before, bytes, sizeof(init) - 1);
			run_broken(&wire, &to, false);
			declare(&wire, wire.len - at / 2);
			run_broken(&wire, &to, false);
		}
}

static void test_bounds_of_short_packets(void **state)
{
	static struct wire wire;
	struct wf_tuple to;

	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		const struct nat_case *nat = &nat_cases[i];
		size_t least = strchr(nat->before.src, ':') ? 54 : 34;

		native_reset();
		wire_tuple(&nat->after, &to);
		wire_build(&nat->before, &wire);
		for (size_t len = wire.len; len >= least; len--) {
			declare(&wire, len);
			run_broken(&wire, &to, false);
			run_broken(&wire, &to, true);
		}
	}
}

/* Every helper's failure is reported, none is taken for success. */
static void test_failing_helpers(void **state)
{
	static struct wire wire;
	struct wf_tuple to;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		native_reset();
		wire_build(&nat_cases[i].before, &wire);
		wire_tuple(&nat_cases[i].after, &to);
		put(&ctx, &wire);
		assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
		native.failing = NATIVE_HELPER_STORE;
		assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &to), -WF_REASON_INTERNAL_ERROR);
		native_packet_done(&ctx);
	}
}

/* Errors that quote what the addressee cannot have sent, or nothing that can be translated. */
static void test_unrelated_errors(void **state)
{
	struct wire_spec quoted = { .src = "10.0.0.2",
				    .dst = "192.0.2.9",
				    .proto = IPPROTO_UDP,
				    .sport = 5000,
				    .dport = 53,
				    .payload = 20 };
	struct wire_spec error = { .src = "192.0.2.1",
				   .dst = "10.0.0.2",
				   .proto = IPPROTO_ICMP,
				   .type = 3,
				   .code = 1,
				   .quoted = &quoted };
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	native_reset();
	for (int change = 0; change < 6; change++) {
		int wanted = change ? -WF_REASON_NAT_UNRELATED : 0;

		wire_build(&error, &wire);
		switch (change) {
		case 1: wire.bytes[42] = 0x65; break;            /* the quoted version */
		case 2: wire.bytes[42] = 0x44; break;            /* its header length */
		case 3: wire.bytes[48] = 0x01; break;            /* a later fragment */
		case 4: wire.bytes[57] ^= 1; break;              /* of another sender */
		case 5: declare(&wire, 14 + 20 + 8 + 27); break; /* too short */
		default: break;
		}
		put(&ctx, &wire);
		assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), wanted);
		native_packet_done(&ctx);
	}
}

/* An error that quotes a mapped IPv4 address in IPv6 must not name an IPv4 connection. */
static void test_quoted_mapped_address(void **state)
{
	struct wire_spec quoted = { .src = "fd00::2",
				    .dst = "::ffff:192.0.2.9",
				    .proto = IPPROTO_TCP,
				    .sport = 5000,
				    .dport = 80 };
	struct wire_spec error = { .src = "2001:db8::1",
				   .dst = "fd00::2",
				   .type = 1,
				   .proto = IPPROTO_ICMPV6,
				   .quoted = &quoted };
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	for (int mapped = 0; mapped < 2; mapped++) {
		quoted.dst = mapped ? "::ffff:192.0.2.9" : "2001:db8::9";
		wire_build(&error, &wire);
		put(&ctx, &wire);
		assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow),
				 mapped ? -WF_REASON_NAT_UNRELATED : 0);
		native_packet_done(&ctx);
	}
}

static void test_unknown_protocols(void **state)
{
	struct wire_spec spec = { .src = "10.0.0.2", .dst = "192.0.2.9", .proto = IPPROTO_UDPLITE };
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	wire_build(&spec, &wire);
	put(&ctx, &wire);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
	assert_int_equal(flow.tuple.sport, 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &flow.tuple), -WF_REASON_NAT_PROTOCOL);
	native_packet_done(&ctx);
}

/* The later fragments of a datagram; the first one is among the cases. */
static void check_fragments(const struct nat_case *nat)
{
	struct wire_spec from = nat->before, to = nat->after;
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	from.fragment_at = to.fragment_at = from.fragment_bytes;
	from.fragment_bytes = to.fragment_bytes = 64;
	wire_build(&from, &wire);
	native_reset();
	put(&ctx, &wire);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), -WF_REASON_NAT_FRAGMENT);
	native_packet_done(&ctx);
	check_translation(nat->name, &nat->before, &nat->after, NATIVE_SUMMED_NONE);
	check_translation(nat->name, &from, &to, NATIVE_SUMMED_NONE);
	check_translation(nat->name, &from, &to, NATIVE_SUMMED_COMPLETE);
	native.now_s += 120;
	put(&ctx, &wire);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), -WF_REASON_NAT_FRAGMENT);
	native_packet_done(&ctx);
}

static void test_later_fragments(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		if (!nat_cases[i].before.fragment_bytes)
			continue;
		check_fragments(&nat_cases[i]);
		count++;
	}
	assert_true(count > 3);
}

/* The CRC covers fragments that are not here: other ports are refused, other addresses are not. */
static void test_fragment_of_sctp(void **state)
{
	struct nat_case nat = *nat_case_find("SCTP");
	static struct wire wire;
	struct wf_tuple to;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	native_reset();
	nat.before.payload = nat.after.payload = 400;
	nat.before.fragment_bytes = nat.after.fragment_bytes = 200;
	wire_build(&nat.before, &wire);
	wire_tuple(&nat.after, &to);
	put(&ctx, &wire);
	assert_int_equal(read_flow(&ctx, (__u32)wire.l3, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &to), -WF_REASON_NAT_PROTOCOL);
	native_packet_done(&ctx);
	nat.after.sport = nat.before.sport;
	nat.after.dport = nat.before.dport;
	check_both_ways(&nat, NATIVE_SUMMED_NONE);
}

static void test_crc_change_against_naive(void **state)
{
	static uint8_t bytes[65535];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	for (size_t len = 4; len <= sizeof(bytes); len += len / 3 + 1) {
		const __u32 change = 0x80c30000 + 0x01010101 * (__u32)(len & 0x3f);
		__u32 word, before = wire_crc32c(bytes, len);

		memcpy(&word, bytes, sizeof(word));
		word ^= change;
		memcpy(bytes, &word, sizeof(word));
		assert_int_equal(before ^ wf_crc32c_change(change, (__u32)len),
				 wire_crc32c(bytes, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builder_sums_up),
		cmocka_unit_test(test_translates_both_ways),
		cmocka_unit_test(test_translates_without_ethernet),
		cmocka_unit_test(test_translates_unfinished_sums),
		cmocka_unit_test(test_translates_every_length),
		cmocka_unit_test(test_translates_every_quotation),
		cmocka_unit_test(test_leaves_empty_crc_alone),
		cmocka_unit_test(test_associations_have_one_path),
		cmocka_unit_test(test_broken_openings),
		cmocka_unit_test(test_udp_sum_of_zero),
		cmocka_unit_test(test_bounds_of_short_packets),
		cmocka_unit_test(test_failing_helpers),
		cmocka_unit_test(test_unrelated_errors),
		cmocka_unit_test(test_quoted_mapped_address),
		cmocka_unit_test(test_unknown_protocols),
		cmocka_unit_test(test_later_fragments),
		cmocka_unit_test(test_fragment_of_sctp),
		cmocka_unit_test(test_crc_change_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
