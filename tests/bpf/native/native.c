/* SPDX-License-Identifier: Apache-2.0 */
#include "native.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/arp.h"
#include "lib/door.h"
#include "lib/from_container.h"
#include "lib/from_host.h"
#include "lib/from_uplink.h"
#include "lib/judge.h"
#include "lib/nd.h"
#include "lib/service.h"
#include "lib/to_container.h"
#include "lib/to_uplink.h"

#include "world.h"

/* In front of every frame, as in the kernel, so that the IP header is aligned. */
#define IP_ALIGN 2

/* Records of the table of connections after native_reset(). */
#define NATIVE_RESET_CONNS 64

struct native_state native;

static void put_endpoint(__u32 slot, const struct wf_ep_value *value, void *context)
{
	(void)context;
	native.endpoints[slot] = *value;
}

static void put_address(__u32 network, const struct wf_addr *addr,
			const struct wf_addr_value *value, void *context)
{
	struct native_address *entry = &native.addresses[native.address_count++];

	(void)context;
	assert(native.address_count <= NATIVE_ADDRESSES);
	entry->key = (struct wf_addr_key){ .network = network, .addr = *addr };
	entry->value = *value;
}

static void put_network(__u32 number, const struct wf_net_value *value, void *context)
{
	(void)context;
	native.networks[number] = *value;
}

static void put_config(const struct wf_config_value *value, void *context)
{
	(void)context;
	native.config = *value;
}

void native_reset(void)
{
	const struct world_maps maps = { put_endpoint, put_address, put_network, put_config, NULL };

	memset(&native, 0, sizeof(native));
	native_conns_reset(NATIVE_RESET_CONNS);
	native.now_s = 1000;
	world_fill(&maps);
}

void native_packet(struct wf_ctx *ret_ctx, const void *bytes, __u32 len)
{
	native_packet_at(ret_ctx, bytes, len, IP_ALIGN);
}

void native_packet_at(struct wf_ctx *ret_ctx, const void *bytes, __u32 len, __u32 front)
{
	__u8 *block = malloc(front + len);

	assert(block);
	memset(ret_ctx, 0, sizeof(*ret_ctx));
	ret_ctx->front = front;
	ret_ctx->bytes = block + front;
	memcpy(ret_ctx->bytes, bytes, len);
	ret_ctx->len = len;
	ret_ctx->linear = len;
}

void native_packet_done(struct wf_ctx *ctx)
{
	free(ctx->bytes - ctx->front);
	ctx->bytes = NULL;
}

int native_flow_read(struct wf_ctx *ctx, __u32 l3, enum wf_site site, struct wf_ip *ret_ip,
		     struct wf_flow *ret_flow)
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
	return r < 0 ? r : wf_flow_read(ctx, ret_ip, site, ret_flow);
}

int native_resize(struct wf_ctx *ctx, __u32 len)
{
	__u8 *block = realloc(ctx->bytes - ctx->front, ctx->front + len), *bytes;

	if (!block)
		return -ENOMEM;
	bytes = block + ctx->front;
	if (len > ctx->len)
		memset(bytes + ctx->len, 0, len - ctx->len);
	ctx->bytes = bytes;
	ctx->len = len;
	ctx->linear = len;
	return 0;
}

static int finish_told(struct wf_ctx *ctx, __u32 hook, int decision, __u32 observable)
{
	const struct wf_work *work = wf_map_work();
	const struct wf_subject subject = { .slot = hook >= WF_HOOK_FROM_UPLINK ? work->slot
										: wf_slot_of(ctx),
					    .hook = hook };

	return wf_finish_told(ctx, &subject, decision, observable);
}

/* As bpf/weft_policy.bpf.c; anything but WF_NEXT(WF_STAGE_POLICY) is the caller's. */
static bool judge(struct wf_ctx *ctx, int *decision)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = work->slot,
				      .hook = work->hook,
				      .answer = &work->answer };
	__u32 type = 0;
	int r;

	if (*decision != WF_NEXT(WF_STAGE_POLICY))
		return false;
	r = wf_judge_stage(ctx, work, &type);
	if (type == WF_EVENT_TRACE && r >= 0) {
		subject.way = wf_judge_way(work);
		subject.peer = work->guard.to;
		(void)wf_observe(ctx, &subject, 0, WF_EVENT_TRACE);
		*decision = TC_ACT_SHOT;
		return true;
	}
	if (type == WF_EVENT_AUDIT && wf_observes(WF_OBSERVE_DROPS))
		(void)wf_observe(ctx, &subject, 0, type);
	*decision = wf_finish_for(ctx, &subject, r,
				  work->guard.way < WF_WAY_IN ? WF_OBSERVE_DROPS | WF_OBSERVE_FIRST
							      : WF_OBSERVE_DROPS);
	return true;
}

static int finish_inner(struct wf_ctx *ctx, __u32 hook, int decision)
{
	if (judge(ctx, &decision))
		return decision;
	return finish_told(ctx, hook, decision, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}

/* What the programs in bpf/ do with a decision. */
int native_run(struct wf_ctx *ctx, bool egress)
{
	struct wf_work *work = wf_work_begin(wf_slot_of(ctx), WF_HOOK_FROM_CONTAINER);
	int r;

	if (egress) {
		r = wf_to_container(ctx);
		return judge(ctx, &r) ? r : wf_finish(ctx, WF_HOOK_TO_CONTAINER, r);
	}
	r = wf_from_container(ctx);
	if (r == WF_NEXT(WF_STAGE_REPLY)) {
		r = wf_reply(ctx, work);
		if (r != WF_NEXT(WF_STAGE_SERVICE))
			return finish_inner(ctx, WF_HOOK_FROM_CONTAINER, r);
	}
	if (r == WF_NEXT(WF_STAGE_SERVICE)) {
		r = wf_service(ctx, work);
		if (r != WF_NEXT(WF_STAGE_VIA))
			return finish_inner(ctx, WF_HOOK_FROM_CONTAINER, r);
	}
	switch (r) {
	case WF_NEXT(WF_STAGE_VIA):
		return finish_inner(ctx, WF_HOOK_FROM_CONTAINER, wf_via(ctx, work));
	case WF_NEXT(WF_STAGE_FROM_HOST):
		return finish_inner(ctx, WF_HOOK_FROM_HOST, wf_from_host(ctx));
	case WF_NEXT(WF_STAGE_ARP): return wf_finish_link(ctx, wf_arp(ctx));
	case WF_NEXT(WF_STAGE_ND): return wf_finish_link(ctx, wf_nd(ctx));
	default: return judge(ctx, &r) ? r : wf_finish(ctx, WF_HOOK_FROM_CONTAINER, r);
	}
}

int native_uplink_run(struct wf_ctx *ctx, bool egress)
{
	__u32 hook = egress ? WF_HOOK_TO_UPLINK : WF_HOOK_FROM_UPLINK;
	struct wf_work *work = wf_work_begin(WF_SLOT_HOST, hook);
	int r = egress ? wf_to_uplink(ctx, work) : wf_from_uplink(ctx, work);

	if (r == WF_NEXT(WF_STAGE_DOOR))
		r = wf_door(ctx, work);
	if (!judge(ctx, &r))
		r = finish_told(ctx, hook, r, WF_OBSERVE_DROPS);
	return r == WF_GO_ON ? TC_ACT_UNSPEC : r;
}
