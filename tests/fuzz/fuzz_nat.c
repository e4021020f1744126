/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, rewriting and refusing foreign packets. Input: one byte of options, both addresses and
 * ports that the packet shall have, then the frame. Besides what the sanitizers see: a rewritten
 * packet reads as what was wanted, right checksums stay right and wrong ones wrong, nothing
 * outside the packet changes, and every refusal is a valid packet.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/ipv4.h"
#include "lib/ipv6.h"
#include "lib/nat.h"
#include "lib/reject.h"

#include "native.h"
#include "wire.h"

#define TUPLE_BYTES 36
#define MAX_FRAME   4096

enum option {
	OPTION_BARE = 1 << 0,
	OPTION_REFUSE = 1 << 1,
	OPTION_COMPLETE = 1 << 2,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* What the wanted tuple can be at all: of the packet's family, with the ports that there are. */
static void fit_tuple(const struct wf_ip *ip, const struct wf_flow *flow, struct wf_tuple *to)
{
	if (ip->version == 4) {
		to->src.halves[0] = to->dst.halves[0] = 0;
		to->src.words[2] = to->dst.words[2] = bpf_htonl(0xffff);
	} else {
		to->src.words[0] |= bpf_htonl(0x20000000);
		to->dst.words[0] |= bpf_htonl(0x20000000);
	}
	if (!flow->ports)
		to->sport = to->dport = 0;
	if (flow->tuple.proto != IPPROTO_ICMP && flow->tuple.proto != IPPROTO_ICMPV6)
		return;
	/* an identifier of 0 looks the same on both sides: leave it */
	if (!flow->tuple.sport)
		to->sport = 0;
	if (!flow->tuple.dport)
		to->dport = 0;
}

/* Whether the checksums of this packet can be told right from wrong. */
static int has_sums(const struct wf_ip *ip, const struct wf_flow *flow)
{
	return !ip->extension && ip->fragment == WF_FRAGMENT_NONE && flow->l4;
}

static void check_rewritten(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow,
			    const struct wf_tuple *to)
{
	struct wf_ip ip_after = {};
	struct wf_flow flow_after = {};

	if (ip->fragment != WF_FRAGMENT_NONE)
		return;
	/* martian destinations are the parser's business */
	if (native_flow_read(ctx, ip->l3, WF_SITE_EDGE, &ip_after, &flow_after) < 0)
		return;
	require(memcmp(&flow_after.tuple, to, sizeof(*to)) == 0);
	require(ip_after.end == ip->end && flow_after.l4 == flow->l4);
}

static void rewrite(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow,
		    struct wf_tuple *to)
{
	static uint8_t before[MAX_FRAME];
	size_t len = ip->end - ip->l3;
	int sums = has_sums(ip, flow), was_right = 0;

	memcpy(before, ctx->bytes, ctx->len);
	if (sums)
		was_right = wire_is_right(before + ip->l3, len);
	fit_tuple(ip, flow, to);
	if (wf_nat_apply(ctx, ip, flow, to) < 0)
		return;
	require(memcmp(ctx->bytes + ip->end, before + ip->end, ctx->len - ip->end) == 0);
	require(memcmp(ctx->bytes, before, ip->l3) == 0);
	if (was_right)
		require(wire_is_right(ctx->bytes + ip->l3, len));
	/* a CRC of 0 is one that nobody computed */
	if (sums && !was_right && ip->proto != IPPROTO_SCTP)
		require(!wire_is_right(ctx->bytes + ip->l3, len));
	check_rewritten(ctx, ip, flow, to);
}

static void refuse(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow)
{
	struct wf_ip answer = {};
	struct wf_flow flow_after = {};

	if (wf_reject(ctx, ip, flow) < 0)
		return;
	require(ctx->summed == NATIVE_SUMMED_NONE);
	require(wire_is_right(ctx->bytes + ip->l3, ctx->len - ip->l3));
	require(ctx->len <= ip->end + sizeof(struct ipv6hdr) + WF_ICMP_BYTES);
	(void)native_flow_read(ctx, ip->l3, WF_SITE_EDGE, &answer, &flow_after);
	require(answer.version == ip->version && wf_addr_same(&answer.src, &ip->dst) &&
		wf_addr_same(&answer.dst, &ip->src));
	/* nothing answers a refusal */
	require(wf_reject(ctx, &answer, &flow_after) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t options, l3;
	struct wf_tuple to = { .site = WF_SITE_EDGE };
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	if (size < 1 + TUPLE_BYTES || size > MAX_FRAME)
		return 0;
	options = data[0];
	l3 = options & OPTION_BARE ? 0 : ETH_HLEN;
	memcpy(&to, data + 1, TUPLE_BYTES);
	memset(&native, 0, sizeof(native));
	native_packet_at(&ctx, data + 1 + TUPLE_BYTES, (uint32_t)(size - 1 - TUPLE_BYTES),
			 l3 ? 2 : 0);
	ctx.summed = options & OPTION_COMPLETE ? NATIVE_SUMMED_COMPLETE : NATIVE_SUMMED_NONE;
	if (native_flow_read(&ctx, l3, WF_SITE_EDGE, &ip, &flow) == 0) {
		to.proto = flow.tuple.proto;
		if (options & OPTION_REFUSE)
			refuse(&ctx, &ip, &flow);
		else
			rewrite(&ctx, &ip, &flow, &to);
	}
	native_packet_done(&ctx);
	return 0;
}
