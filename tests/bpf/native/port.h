/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The twin of bpf/kernel/port.h for native builds of bpf/lib: a packet in memory, maps that are
 * plain arrays, and helpers that can be told to fail. The state is one object per process.
 */
#ifndef WEFT_TESTS_BPF_NATIVE_PORT_H
#define WEFT_TESTS_BPF_NATIVE_PORT_H

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>
#include <stddef.h>
#include <string.h>

#include <bpf/bpf_endian.h>

#include <weft/abi/event.h>
#include <weft/abi/limits.h>
#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#ifndef __always_inline
#define __always_inline inline
#endif

#define wf_likely(x)   __builtin_expect(!!(x), 1)
#define wf_unlikely(x) __builtin_expect(!!(x), 0)

#define WF_UNROLL

#define NATIVE_ADDRESSES 64
#define NATIVE_SLOTS     16
#define NATIVE_NETWORKS  8

/* Helpers that native.failing can name. */
enum native_helper {
	NATIVE_HELPER_NONE,
	NATIVE_HELPER_LOAD,
	NATIVE_HELPER_STORE,
	NATIVE_HELPER_RESIZE,
	NATIVE_HELPER_TYPE,
};

/* The packet. bytes ends where a heap block ends, so that ASan sees every step beyond it. */
struct wf_ctx {
	__u8 *bytes;
	__u32 len;
	__u32 linear; /* bytes that direct reads may touch; wf_ctx_pull() moves it */
	__u32 ifindex;
	__u32 vlan;
	__u32 gso;
	__u32 is_host_type;
};

struct native_address {
	struct wf_addr_key key;
	struct wf_addr_value value;
};

struct native_state {
	struct wf_ep_value endpoints[NATIVE_SLOTS];
	struct native_address addresses[NATIVE_ADDRESSES];
	__u32 address_count;
	struct wf_net_value networks[NATIVE_NETWORKS];
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_traffic_value traffic[NATIVE_SLOTS];
	struct wf_config_value config;
	struct wf_flow_seen flows[WF_FLOW_FILTER_SLOTS];
	struct wf_event event; /* the last one */
	__u32 events;
	__u32 redirect_peer; /* ifindex of the last redirection of each kind, 0: none */
	__u32 redirect_ingress;
	__u32 now_s;
	enum native_helper failing;
};

extern struct native_state native;

/* Grows or cuts the packet's heap block. */
int native_resize(struct wf_ctx *ctx, __u32 len);

static inline void *wf_ctx_data(const struct wf_ctx *ctx)
{
	return ctx->bytes;
}

static inline void *wf_ctx_end(const struct wf_ctx *ctx)
{
	return ctx->bytes + ctx->linear;
}

static inline __u32 wf_ctx_len(const struct wf_ctx *ctx)
{
	return ctx->len;
}

static inline __u32 wf_ctx_ifindex(const struct wf_ctx *ctx)
{
	return ctx->ifindex;
}

static inline __u32 wf_ctx_has_vlan(const struct wf_ctx *ctx)
{
	return ctx->vlan;
}

static inline __u32 wf_ctx_is_gso(const struct wf_ctx *ctx)
{
	return ctx->gso;
}

static inline __u32 wf_ctx_hash(struct wf_ctx *ctx)
{
	__u32 hash = 2166136261U;

	for (__u32 i = 0; i < ctx->len; i++)
		hash = (hash ^ ctx->bytes[i]) * 16777619U;
	return hash;
}

static inline int wf_ctx_set_type_host(struct wf_ctx *ctx)
{
	if (native.failing == NATIVE_HELPER_TYPE)
		return -EINVAL;
	ctx->is_host_type = 1;
	return 0;
}

static inline int wf_ctx_pull(struct wf_ctx *ctx, __u32 len)
{
	if (len > ctx->len)
		return -EINVAL;
	if (len > ctx->linear)
		ctx->linear = len;
	return 0;
}

static inline int wf_ctx_load(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	memset(to, 0, len);
	if (native.failing == NATIVE_HELPER_LOAD || offset > ctx->len || len > ctx->len - offset)
		return -EFAULT;
	memcpy(to, ctx->bytes + offset, len);
	return 0;
}

static inline int wf_ctx_store(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	if (native.failing == NATIVE_HELPER_STORE || offset > ctx->len || len > ctx->len - offset)
		return -EFAULT;
	memcpy(ctx->bytes + offset, from, len);
	return 0;
}

static inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	return native.failing == NATIVE_HELPER_RESIZE ? -ENOMEM : native_resize(ctx, len);
}

static inline int wf_redirect_peer(__u32 ifindex)
{
	native.redirect_peer = ifindex;
	return TC_ACT_REDIRECT;
}

static inline int wf_redirect_ingress(__u32 ifindex)
{
	native.redirect_ingress = ifindex;
	return TC_ACT_REDIRECT;
}

static inline __u64 wf_now_ns(void)
{
	return (__u64)native.now_s * 1000000000ULL;
}

static inline __u32 wf_now_coarse_s(void)
{
	return native.now_s;
}

static inline void wf_event_send(struct wf_event *event)
{
	native.event = *event;
	native.events++;
}

static inline struct wf_ep_value *wf_map_endpoint(__u32 slot)
{
	return slot < NATIVE_SLOTS ? &native.endpoints[slot] : NULL;
}

static inline struct wf_addr_value *wf_map_address(const struct wf_addr_key *key)
{
	for (__u32 i = 0; i < native.address_count; i++)
		if (memcmp(&native.addresses[i].key, key, sizeof(*key)) == 0)
			return &native.addresses[i].value;
	return NULL;
}

static inline struct wf_net_value *wf_map_network(__u32 number)
{
	return number < NATIVE_NETWORKS ? &native.networks[number] : NULL;
}

static inline struct wf_counter *wf_map_drop(__u32 reason)
{
	return reason < WF_REASON_COUNT ? &native.drops[reason] : NULL;
}

static inline struct wf_traffic_value *wf_map_traffic(__u32 slot)
{
	return slot < NATIVE_SLOTS ? &native.traffic[slot] : NULL;
}

static inline struct wf_config_value *wf_map_config(void)
{
	return &native.config;
}

static inline struct wf_flow_seen *wf_map_flow(__u32 index)
{
	return &native.flows[index];
}

#endif
