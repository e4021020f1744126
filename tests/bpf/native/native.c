/* SPDX-License-Identifier: Apache-2.0 */
#include "native.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/arp.h"
#include "lib/from_container.h"
#include "lib/from_host.h"
#include "lib/nd.h"
#include "lib/to_container.h"

#include "world.h"

/* In front of every frame, as in the kernel, so that the IP header is aligned. */
#define IP_ALIGN 2

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
	native.now_s = 1000;
	world_fill(&maps);
}

void native_packet(struct wf_ctx *ret_ctx, const void *bytes, __u32 len)
{
	__u8 *block = malloc(IP_ALIGN + len);

	assert(block);
	memset(ret_ctx, 0, sizeof(*ret_ctx));
	ret_ctx->bytes = block + IP_ALIGN;
	memcpy(ret_ctx->bytes, bytes, len);
	ret_ctx->len = len;
	ret_ctx->linear = len;
}

void native_packet_done(struct wf_ctx *ctx)
{
	free(ctx->bytes - IP_ALIGN);
	ctx->bytes = NULL;
}

int native_resize(struct wf_ctx *ctx, __u32 len)
{
	__u8 *block = realloc(ctx->bytes - IP_ALIGN, IP_ALIGN + len), *bytes;

	if (!block)
		return -ENOMEM;
	bytes = block + IP_ALIGN;
	if (len > ctx->len)
		memset(bytes + ctx->len, 0, len - ctx->len);
	ctx->bytes = bytes;
	ctx->len = len;
	ctx->linear = len;
	return 0;
}

/* What the programs in bpf/ do with a decision. */
int native_run(struct wf_ctx *ctx, bool egress)
{
	int r;

	if (egress)
		return wf_finish(ctx, WF_HOOK_TO_CONTAINER, wf_to_container(ctx));
	r = wf_from_container(ctx);
	switch (r) {
	case WF_NEXT(WF_STAGE_FROM_HOST):
		return wf_finish(ctx, WF_HOOK_FROM_HOST, wf_from_host(ctx));
	case WF_NEXT(WF_STAGE_ARP): return wf_finish_link(ctx, wf_arp(ctx));
	case WF_NEXT(WF_STAGE_ND): return wf_finish_link(ctx, wf_nd(ctx));
	default: return wf_finish(ctx, WF_HOOK_FROM_CONTAINER, r);
	}
}
