/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rewriting packets of every protocol and length. Which flow they belong to: test_nat_flow.c; what SCTP
 * asks for besides: test_nat_sctp.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat_lab.h"

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
		nat_check_both_ways(&nat_cases[i], NATIVE_SUMMED_NONE);
		nat_check_both_ways(&nat_cases[i], NATIVE_SUMMED_COMPLETE);
	}
}

static void test_translates_without_ethernet(void **state)
{
	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		struct nat_case nat = nat_cases[i];

		native_reset();
		nat.before.bare = nat.after.bare = true;
		nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
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
		nat_check_both_ways(&nat, NATIVE_SUMMED_PARTIAL);
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
			nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
		}
		nat.before.payload = nat.after.payload = 65000;
		nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
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
			nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
		}
	}
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
	nat_put(&ctx, &wire);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &there), 0);
	assert_true(wire_is_right(ctx.bytes + wire.l3, wire.len - wire.l3));
	assert_memory_not_equal(ctx.bytes + wire.len - 4, "\xff\xff", 2);
	assert_memory_not_equal(ctx.bytes + wire.len - 4, "\0", 2);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow), 0);
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
			nat_declare(&wire, len);
			nat_run_broken(&wire, &to, false);
			nat_run_broken(&wire, &to, true);
		}
	}
}

/* The packet of a case before it is changed, in a program's hands and read. */
static void nat_read(const struct nat_case *one, struct wire *wire, struct wf_ctx *ret_ctx,
		     struct wf_ip *ret_ip, struct wf_flow *ret_flow)
{
	native_reset();
	wire_build(&one->before, wire);
	nat_put(ret_ctx, wire);
	assert_int_equal(native_flow_read(ret_ctx, (__u32)wire->l3, WF_SITE_EDGE, ret_ip, ret_flow),
			 0);
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
		nat_read(&nat_cases[i], &wire, &ctx, &ip, &flow);
		wire_tuple(&nat_cases[i].after, &to);
		native.failing = NATIVE_HELPER_STORE;
		assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &to), -WF_REASON_INTERNAL_ERROR);
		native_packet_done(&ctx);
	}
}

/* A frame that is over stays; what cannot be written is not taken for done. */
static void test_frames_that_go_no_further(void **state)
{
	static const struct wf_macs macs = {};
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		nat_read(&nat_cases[i], &wire, &ctx, &ip, &flow);
		if (wf_frame_is_plain(&ip, &flow)) {
			__u8 *ttl = (__u8 *)ctx.bytes + wire.l3 +
				    (ip.version == 4 ? WF_IP4_TTL_OFFSET : WF_IP6_TTL_OFFSET);
			__u8 was = *ttl;

			*ttl = 1;
			assert_int_equal(wf_frame_turn(&ctx, &flow, &flow.tuple, &macs, 1),
					 WF_FRAME_OVER);
			*ttl = was;
			assert_memory_equal(ctx.bytes, wire.bytes, wire.len);
			native.failing = NATIVE_HELPER_STORE;
			assert_int_equal(wf_frame_turn(&ctx, &flow, &flow.tuple, &macs, 1),
					 -WF_REASON_INTERNAL_ERROR);
		}
		native_packet_done(&ctx);
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
		cmocka_unit_test(test_udp_sum_of_zero),
		cmocka_unit_test(test_bounds_of_short_packets),
		cmocka_unit_test(test_failing_helpers),
		cmocka_unit_test(test_frames_that_go_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
