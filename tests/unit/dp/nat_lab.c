/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat_lab.h"

#include "lib/reject.h"

/* Bytes behind the end. */
#define PADDING 6

void nat_put(struct wf_ctx *ret_ctx, const struct wire *wire)
{
	static uint8_t padded[WIRE_MAX_BYTES + PADDING];

	memcpy(padded, wire->bytes, wire->len);
	memset(padded + wire->len, 0xa5, PADDING);
	native_packet_at(ret_ctx, padded, (__u32)(wire->len + PADDING), wire->l3 ? 2 : 0);
}

/* The packet in a context is that one, and the device's sum, if there is any, is right. */
static void compare(const char *name, const struct wf_ctx *ctx, const struct wire_spec *to,
		    const struct wire *after)
{
	if (memcmp(ctx->bytes, after->bytes, after->len) != 0)
		print_error("%s: to %s\n", name, to->src);
	assert_memory_equal(ctx->bytes, after->bytes, after->len);
	for (size_t i = 0; i < PADDING; i++)
		assert_int_equal(ctx->bytes[after->len + i], 0xa5);
	/* nobody asks for the sum of a packet that has no checksum of this kind */
	if (ctx->summed == NATIVE_SUMMED_COMPLETE && !to->no_check && to->proto != IPPROTO_SCTP) {
		__u32 sum = bpf_htons(
			(__u16)wire_sum(after->bytes + after->l3, after->len - after->l3));

		if (sum % 0xffff != ctx->sum % 0xffff)
			print_error("%s: to %s: sum\n", name, to->src);
		assert_int_equal(sum % 0xffff, ctx->sum % 0xffff);
	}
}

/* The same by one write, which ordinary packets with an Ethernet header get. */
static void check_frame(const char *name, const struct wire *before, const struct wire_spec *to,
			const struct wire *after, enum native_summed summed)
{
	static const struct wf_macs macs = { { 2, 0, 0, 0, 0xaa, 2 }, { 2, 0, 0, 0, 0xaa, 1 } };
	static struct wire wanted;
	struct wf_tuple tuple;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	nat_put(&ctx, before);
	ctx.summed = summed;
	ctx.sum = bpf_htons((__u16)wire_sum(before->bytes + before->l3, before->len - before->l3));
	assert_int_equal(native_flow_read(&ctx, (__u32)before->l3, WF_SITE_EDGE, &ip, &flow), 0);
	if (wf_frame_is_plain(&ip, &flow)) {
		wire_tuple(to, &tuple);
		wanted = *after;
		memcpy(wanted.bytes, &macs, sizeof(macs));
		assert_int_equal(wf_frame_turn(&ctx, &flow, &tuple, &macs, 0), 0);
		compare(name, &ctx, to, &wanted);
	}
	native_packet_done(&ctx);
}

void nat_check(const char *name, const struct wire_spec *from, const struct wire_spec *to,
	       enum native_summed summed)
{
	static struct wire before, after;
	struct wf_tuple tuple;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	wire_build(from, &before);
	wire_build(to, &after);
	assert_int_equal(before.len, after.len);
	nat_put(&ctx, &before);
	ctx.summed = summed;
	ctx.sum = bpf_htons((__u16)wire_sum(before.bytes + before.l3, before.len - before.l3));
	assert_int_equal(native_flow_read(&ctx, (__u32)before.l3, WF_SITE_EDGE, &ip, &flow), 0);
	wire_tuple(from, &tuple);
	assert_memory_equal(&flow.tuple, &tuple, sizeof(tuple));
	wire_tuple(to, &tuple);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &tuple), 0);
	compare(name, &ctx, to, &after);
	native_packet_done(&ctx);
	check_frame(name, &before, to, &after, summed);
}

void nat_check_both_ways(const struct nat_case *nat, enum native_summed summed)
{
	nat_check(nat->name, &nat->before, &nat->after, summed);
	nat_check(nat->name, &nat->after, &nat->before, summed);
}

void nat_declare(struct wire *wire, size_t len)
{
	uint8_t *ip = wire->bytes + wire->l3;
	size_t value = ip[0] >> 4 == 6 ? len - wire->l3 - 40 : len - wire->l3;
	size_t at = ip[0] >> 4 == 6 ? 4 : 2;

	ip[at] = (uint8_t)(value >> 8);
	ip[at + 1] = (uint8_t)value;
	wire->len = len;
}

void nat_run_broken(const struct wire *wire, const struct wf_tuple *to, bool refuse)
{
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	int r;

	nat_put(&ctx, wire);
	r = native_flow_read(&ctx, (__u32)wire->l3, WF_SITE_EDGE, &ip, &flow);
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
