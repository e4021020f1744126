/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath on foreign bytes. Input: one byte of options, one of the device's slot, one for
 * how much is linear, then the frame. Besides what the sanitizers see, invariants are checked:
 * every packet has one fate, a drop has a reason, and nothing with a foreign source passes.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "native.h"
#include "world.h"

#define OPTION_BYTES 3

enum option {
	OPTION_EGRESS = 1 << 0,
	OPTION_OBSERVE = 1 << 1,
	OPTION_GSO = 1 << 2,
	OPTION_VLAN = 1 << 3,
	OPTION_REPAIR = 1 << 4, /* put the right source MAC in, to get further */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static uint64_t count_drops(void)
{
	uint64_t count = 0;

	for (uint32_t i = 1; i < WF_REASON_COUNT; i++)
		count += native.drops[i].packets;
	return count;
}

/* A redirected IPv4 packet of a container carries an address that the table gives its slot. */
static void check_source(const struct wf_ctx *ctx, uint32_t slot)
{
	struct wf_addr_key key = { .network = native.endpoints[slot].network,
				   .addr.words = { 0, 0, bpf_htonl(0xffff), 0 } };
	struct wf_addr_value *value;

	if (slot == WF_SLOT_HOST || ctx->bytes[12] != 8 || ctx->bytes[13] != 0)
		return;
	memcpy(&key.addr.words[3], ctx->bytes + 26, 4);
	value = wf_map_address(&key);
	require(value && value->slot == slot && !(value->flags & WF_ADDR_GATEWAY));
}

static void check_fate(const struct wf_ctx *ctx, int action, uint32_t slot, int egress)
{
	uint64_t drops = count_drops();

	require(drops == (action == TC_ACT_SHOT));
	require(native.drops[0].packets == 0);
	if (action == TC_ACT_SHOT) {
		require(!native.redirect_peer && !native.redirect_ingress);
		return;
	}
	require(action == (egress ? TC_ACT_OK : TC_ACT_REDIRECT));
	if (egress)
		return;
	require(!native.redirect_peer != !native.redirect_ingress);
	check_source(ctx, slot);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wf_ctx ctx;
	uint32_t options, slot;
	int action;

	if (size < OPTION_BYTES)
		return 0;
	options = data[0];
	slot = data[1] % (WORLD_SLOTS + 1);
	native_reset();
	native.config.observe = options & OPTION_OBSERVE ? WF_OBSERVE_DROPS | WF_OBSERVE_FIRST : 0;
	native_packet(&ctx, data + OPTION_BYTES, (uint32_t)(size - OPTION_BYTES));
	if (data[2] < ctx.linear)
		ctx.linear = data[2];
	ctx.ifindex = WF_IFINDEX_BASE + slot;
	ctx.gso = options & OPTION_GSO ? 1448 : 0;
	ctx.vlan = options & OPTION_VLAN ? 1 : 0;
	if (options & OPTION_REPAIR && ctx.len >= 12)
		memcpy(ctx.bytes + 6, native.endpoints[slot].mac, 6);
	action = native_run(&ctx, options & OPTION_EGRESS);
	check_fate(&ctx, action, slot, options & OPTION_EGRESS);
	native_packet_done(&ctx);
	return 0;
}
