/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logic of bpf/lib, built natively and run under the sanitizers on the same rows as the
 * shipped object (tests/bpf), also with every prefix of every packet, with headers beyond the
 * linear part and with helpers that fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "native.h"
#include "rows.h"

static int run(const struct row *row, struct wf_ctx *ctx)
{
	ctx->gso = row->gso;
	ctx->ifindex = row->slot == SLOT_FOREIGN ? 1 : WF_IFINDEX_BASE + row->slot;
	return native_run(ctx, row->egress);
}

static __u32 dropped_as(void)
{
	for (__u32 i = 1; i < WF_REASON_COUNT; i++)
		if (native.drops[i].packets)
			return i;
	return 0;
}

static void check_redirection(const struct row *row)
{
	if (row->reason || row->egress) {
		assert_int_equal(native.redirect_peer, 0);
		assert_int_equal(native.redirect_ingress, 0);
	} else if (row->to == WF_SLOT_HOST) {
		assert_int_equal(native.redirect_ingress, WORLD_HOST_DEVICE);
	} else {
		assert_int_equal(native.redirect_peer,
				 WF_IFINDEX_BASE +
					 (row->to == TO_SELF ? row->slot : (__u32)row->to));
	}
}

static void check_row(const struct row *row, __u32 linear)
{
	struct packet in, wanted;
	struct wf_ctx ctx;
	int action;

	native_reset();
	native.config.observe = WF_OBSERVE_DROPS | WF_OBSERVE_FIRST;
	packet_build(&row->in, &in);
	wanted = in;
	if (row->out)
		packet_build(row->out, &wanted);
	native_packet(&ctx, in.bytes, (__u32)in.len);
	if (linear < ctx.linear)
		ctx.linear = linear;
	action = run(row, &ctx);
	if (dropped_as() != row->reason)
		fail_msg("%s: dropped as %u, not %u", row->name, dropped_as(), row->reason);
	assert_int_equal(action, row->reason   ? TC_ACT_SHOT
				 : row->egress ? TC_ACT_OK
					       : TC_ACT_REDIRECT);
	check_redirection(row);
	assert_int_equal(native.events, row->reason || row->to != TO_SELF);
	assert_int_equal(ctx.len, wanted.len);
	assert_memory_equal(ctx.bytes, wanted.bytes, wanted.len);
	/* who receives it must not take it for somebody else's, whatever the MAC */
	if (native.redirect_peer)
		assert_int_equal(ctx.is_host_type, 1);
	native_packet_done(&ctx);
}

static void each_row(void (*check)(const struct row *row))
{
	for (size_t i = 0; i < row_table_count; i++)
		for (size_t j = 0; j < row_tables[i]->count; j++)
			check(&row_tables[i]->rows[j]);
}

static void check_whole(const struct row *row)
{
	check_row(row, UINT32_MAX);
}

static void check_nonlinear(const struct row *row)
{
	check_row(row, 14);
	check_row(row, 34);
}

/* Whatever a cut packet is taken for, nothing beyond its end is touched (ASan watches). */
static void check_prefixes(const struct row *row)
{
	struct packet in;

	packet_build(&row->in, &in);
	for (__u32 len = 0; len < in.len; len++) {
		struct wf_ctx ctx;

		native_reset();
		native.config.observe = WF_OBSERVE_DROPS | WF_OBSERVE_FIRST;
		native_packet(&ctx, in.bytes, len);
		(void)run(row, &ctx);
		native_packet_done(&ctx);
	}
}

static void check_failing(const struct row *row)
{
	struct packet in;

	packet_build(&row->in, &in);
	for (int helper = NATIVE_HELPER_LOAD; helper <= NATIVE_HELPER_TYPE; helper++) {
		struct wf_ctx ctx;
		int action;

		native_reset();
		native.failing = (enum native_helper)helper;
		native_packet(&ctx, in.bytes, (__u32)in.len);
		action = run(row, &ctx);
		/* a failure never lets through what would have been dropped */
		if (row->reason)
			assert_int_equal(action, TC_ACT_SHOT);
		assert_int_equal(action == TC_ACT_SHOT, dropped_as() != 0);
		native_packet_done(&ctx);
	}
}

static void rows(void **state)
{
	(void)state;
	each_row(check_whole);
}

static void rows_with_headers_beyond_the_linear_part(void **state)
{
	(void)state;
	each_row(check_nonlinear);
}

static void every_prefix_of_every_packet(void **state)
{
	(void)state;
	each_row(check_prefixes);
}

static void every_helper_failing(void **state)
{
	(void)state;
	each_row(check_failing);
}

/* INTERNAL_ERROR, which no row of tests/bpf can provoke. */
static void helper_failures_have_their_reason(void **state)
{
	static const struct {
		enum native_helper helper;
		struct packet_spec spec;
	} cases[] = {
		{ NATIVE_HELPER_TYPE,
		  { .src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12" } },
		{ NATIVE_HELPER_STORE,
		  { .src_mac = 1, .dst_mac = 3, .src = "10.1.0.11", .dst = "10.1.0.12" } },
		{ NATIVE_HELPER_STORE,
		  { .src_mac = 1, .dst_mac = 3, .src = "10.1.0.11", .dst = "10.2.0.13" } },
		{ NATIVE_HELPER_RESIZE,
		  { .src_mac = 1,
		    .src = "fd01::11",
		    .dst = "fd01::12",
		    .proto = 58,
		    .type = 135,
		    .target = "fd01::12" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct row row = { .slot = 1 };
		struct packet in;
		struct wf_ctx ctx;

		native_reset();
		native.failing = cases[i].helper;
		packet_build(&cases[i].spec, &in);
		native_packet(&ctx, in.bytes, (__u32)in.len);
		assert_int_equal(run(&row, &ctx), TC_ACT_SHOT);
		assert_int_equal(dropped_as(), WF_REASON_INTERNAL_ERROR);
		native_packet_done(&ctx);
	}
}

static void hardware_vlan_tag_is_dropped(void **state)
{
	const struct packet_spec spec = {
		.src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12"
	};
	const struct row row = { .slot = 1 };
	struct packet in;
	struct wf_ctx ctx;

	(void)state;
	native_reset();
	packet_build(&spec, &in);
	native_packet(&ctx, in.bytes, (__u32)in.len);
	ctx.vlan = 1;
	assert_int_equal(run(&row, &ctx), TC_ACT_SHOT);
	assert_int_equal(dropped_as(), WF_REASON_VLAN_TAGGED);
	native_packet_done(&ctx);
}

static __u32 events_of(const struct packet *in)
{
	const struct row row = { .slot = 1 };
	__u32 before = native.events;
	struct wf_ctx ctx;

	native_packet(&ctx, in->bytes, (__u32)in->len);
	assert_int_equal(run(&row, &ctx), TC_ACT_REDIRECT);
	native_packet_done(&ctx);
	return native.events - before;
}

static void a_flow_is_told_again_after_half_a_minute(void **state)
{
	const struct packet_spec spec = {
		.src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12"
	};
	struct packet in;

	(void)state;
	native_reset();
	native.config.observe = WF_OBSERVE_FIRST;
	packet_build(&spec, &in);
	assert_int_equal(events_of(&in), 1);
	assert_int_equal(native.event.type, WF_EVENT_FIRST);
	assert_int_equal(native.event.peer_slot, 2);
	native.now_s += 29;
	assert_int_equal(events_of(&in), 0);
	native.now_s += 1;
	assert_int_equal(events_of(&in), 1);
	native.config.observe = 0;
	native.now_s += 100;
	assert_int_equal(events_of(&in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(rows_with_headers_beyond_the_linear_part),
		cmocka_unit_test(every_prefix_of_every_packet),
		cmocka_unit_test(every_helper_failing),
		cmocka_unit_test(helper_failures_have_their_reason),
		cmocka_unit_test(hardware_vlan_tag_is_dropped),
		cmocka_unit_test(a_flow_is_told_again_after_half_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
