/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the logic in bpf/lib needs of the world, as the kernel offers it: the packet, helpers and
 * maps. tests/bpf/native/port.h is its twin for native builds; the include path decides.
 *
 * There is no direct write to packets here, and none must be added: it makes the verifier put a
 * prologue in front of the program that copies the header of every TCP packet.
 */
#ifndef WEFT_BPF_PORT_H
#define WEFT_BPF_PORT_H

#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

#define wf_ctx __sk_buff

#define wf_likely(x)   __builtin_expect(!!(x), 1)
#define wf_unlikely(x) __builtin_expect(!!(x), 0)

/* Before a loop whose index must be a constant for the verifier. */
#define WF_UNROLL _Pragma("unroll")

static __always_inline void *wf_ctx_data(const struct wf_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *wf_ctx_end(const struct wf_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 wf_ctx_len(const struct wf_ctx *ctx)
{
	return ctx->len;
}

static __always_inline __u32 wf_ctx_ifindex(const struct wf_ctx *ctx)
{
	return ctx->ifindex;
}

static __always_inline __u32 wf_ctx_has_vlan(const struct wf_ctx *ctx)
{
	return ctx->vlan_present;
}

static __always_inline __u32 wf_ctx_is_gso(const struct wf_ctx *ctx)
{
	return ctx->gso_size;
}

static __always_inline __u32 wf_ctx_hash(struct wf_ctx *ctx)
{
	return bpf_get_hash_recalc(ctx);
}

/* Makes the packet pass as addressed to the receiving host, whatever its destination MAC. */
static __always_inline int wf_ctx_set_type_host(struct wf_ctx *ctx)
{
	if (ctx->pkt_type == PACKET_HOST)
		return 0;
	return bpf_skb_change_type(ctx, PACKET_HOST);
}

/* Brings the first `len` bytes into the linear part. Packet pointers are void afterwards. */
static __always_inline int wf_ctx_pull(struct wf_ctx *ctx, __u32 len)
{
	return bpf_skb_pull_data(ctx, len);
}

static __always_inline int wf_ctx_load(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, offset, to, len);
}

/* Writes to the packet, wherever its bytes are. Packet pointers are void afterwards. */
static __always_inline int wf_ctx_store(struct wf_ctx *ctx, __u32 offset, const void *from,
					__u32 len)
{
	return bpf_skb_store_bytes(ctx, offset, from, len, 0);
}

/* Cuts or grows the packet at its end. Packet pointers are void afterwards. */
static __always_inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	return bpf_skb_change_tail(ctx, len, 0);
}

/* Delivers into the namespace of the peer of a host-side device; returns the action. */
static __always_inline int wf_redirect_peer(__u32 ifindex)
{
	return bpf_redirect_peer(ifindex, 0);
}

/* Delivers as received on a device of the host; returns the action. */
static __always_inline int wf_redirect_ingress(__u32 ifindex)
{
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

static __always_inline __u64 wf_now_ns(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline __u32 wf_now_coarse_s(void)
{
	return bpf_ktime_get_coarse_ns() / 1000000000ULL;
}

static __always_inline void wf_event_send(struct wf_event *event)
{
	(void)bpf_ringbuf_output(&wf_events, event, sizeof(*event), 0);
}

static __always_inline struct wf_ep_value *wf_map_endpoint(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_endpoints, &slot);
}

static __always_inline struct wf_addr_value *wf_map_address(const struct wf_addr_key *key)
{
	return bpf_map_lookup_elem(&wf_addresses, key);
}

static __always_inline struct wf_net_value *wf_map_network(__u32 number)
{
	return bpf_map_lookup_elem(&wf_networks, &number);
}

static __always_inline struct wf_counter *wf_map_drop(__u32 reason)
{
	return bpf_map_lookup_elem(&wf_drops, &reason);
}

static __always_inline struct wf_traffic_value *wf_map_traffic(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_traffic, &slot);
}

static __always_inline struct wf_config_value *wf_map_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wf_config, &zero);
}

static __always_inline struct wf_flow_seen *wf_map_flow(__u32 index)
{
	return bpf_map_lookup_elem(&wf_flow_filter, &index);
}

#endif
