/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The twin of bpf/kernel/port.h for native builds of bpf/lib: packets are plain buffers. Maps and all
 * that needs no packet are in common.h.
 */
#ifndef WEFT_TESTS_BPF_NATIVE_PORT_H
#define WEFT_TESTS_BPF_NATIVE_PORT_H

#include <linux/if_ether.h>

#include "common.h"
#include "lib/csum.h"

/* What is known of a packet's transport checksum (skb->ip_summed). */
enum native_summed {
	NATIVE_SUMMED_NONE,
	NATIVE_SUMMED_PARTIAL, /* the field holds the pseudo header only, the device adds the rest */
	NATIVE_SUMMED_COMPLETE, /* the device summed up the whole packet */
};

/* The packet. bytes ends where a heap block ends, so that ASan sees every step beyond it. */
struct wf_ctx {
	__u8 *bytes;
	__u32 front; /* bytes of the block before the packet */
	__u32 len;
	__u32 linear; /* bytes that direct reads may touch; wf_ctx_pull() moves it */
	__u32 ifindex;
	__u32 vlan;
	__u32 gso;
	__u32 is_host_type;
	__u32 mark;
	enum native_summed summed;
	__u32 sum; /* NATIVE_SUMMED_COMPLETE: of all bytes from the IP header on */
};

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

static inline int wf_ctx_is_ip6(const struct wf_ctx *ctx)
{
	return ctx->len > 13 && ctx->bytes[12] == 0x86 && ctx->bytes[13] == 0xdd;
}

static inline __u32 wf_ctx_has_vlan(const struct wf_ctx *ctx)
{
	return ctx->vlan;
}

static inline __u32 wf_ctx_gso_bytes(const struct wf_ctx *ctx)
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

static inline int wf_ctx_is_for_others(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
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

static inline int wf_ctx_load_fast(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return wf_ctx_load(ctx, offset, to, len);
}

static inline int wf_ctx_store_fast(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	return wf_ctx_store(ctx, offset, from, len);
}

static inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	if (native.failing == NATIVE_HELPER_RESIZE)
		return -ENOMEM;
	if (ctx->summed == NATIVE_SUMMED_COMPLETE && len != ctx->len)
		ctx->summed = NATIVE_SUMMED_NONE;
	return native_resize(ctx, len);
}

/* As the kernel's helper with BPF_F_RECOMPUTE_CSUM; all offsets that are stored to are even. */
static inline int wf_ctx_store_summed(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	__u8 old[64];
	int r;

	if (len > sizeof(old) || len % 4 || wf_ctx_load(ctx, offset, old, len) < 0)
		return -EINVAL;
	r = wf_ctx_store(ctx, offset, from, len);
	for (__u32 i = 0; r == 0 && i < len; i += 4) {
		__u32 a, b;

		memcpy(&a, old + i, sizeof(a));
		memcpy(&b, (const __u8 *)from + i, sizeof(b));
		ctx->sum = wf_csum_fold((__u64)ctx->sum + wf_csum_change(a, b));
	}
	return r;
}

static inline void wf_ctx_sum_changed(struct wf_ctx *ctx, __u32 diff)
{
	ctx->sum = wf_csum_fold((__u64)ctx->sum + diff);
}

#define WF_CSUM_PSEUDO      0x10
#define WF_CSUM_MAY_BE_NONE 0x20

static inline int wf_csum_l3(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to, __u32 size)
{
	__u32 diff = size ? wf_csum_change((__u32)from, (__u32)to) : (__u32)to;
	__u16 check;

	if (offset & 1 || (!size && from) || wf_ctx_load(ctx, offset, &check, sizeof(check)) < 0)
		return -EFAULT;
	check = wf_csum_apply(check, diff);
	return wf_ctx_store(ctx, offset, &check, sizeof(check));
}

/* As the kernel's helper, for packets of every state of their sum. */
static inline int wf_csum_l4(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to, __u32 flags)
{
	__u32 diff = flags & 0xf ? wf_csum_change((__u32)from, (__u32)to) : (__u32)to;
	int none = flags & WF_CSUM_MAY_BE_NONE, pseudo = flags & WF_CSUM_PSEUDO;
	__u16 check;

	if (offset & 1 || (!(flags & 0xf) && from) ||
	    wf_ctx_load(ctx, offset, &check, sizeof(check)) < 0)
		return -EFAULT;
	if (none && !check)
		return 0;
	if (ctx->summed != NATIVE_SUMMED_PARTIAL)
		check = wf_csum_apply(check, diff);
	else if (pseudo)
		check = (__u16)wf_csum_fold((__u64)check + diff);
	if (ctx->summed == NATIVE_SUMMED_COMPLETE && pseudo)
		ctx->sum = wf_csum_fold((__u64)ctx->sum + wf_csum_change(diff, 0));
	if (none && !check)
		check = 0xffff;
	return wf_ctx_store(ctx, offset, &check, sizeof(check));
}

static inline __u32 wf_ctx_mark(const struct wf_ctx *ctx)
{
	return ctx->mark;
}

static inline void wf_ctx_set_mark(struct wf_ctx *ctx, __u32 mark)
{
	ctx->mark = mark;
}

static inline __be16 wf_ctx_protocol(const struct wf_ctx *ctx)
{
	return ctx->len > 13 ? (__be16)(ctx->bytes[12] | ctx->bytes[13] << 8) : 0;
}

static inline int wf_ctx_is_sent(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static inline int wf_ctx_is_framed(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 1;
}

static inline int wf_redirect_peer(struct wf_ctx *ctx, __u32 ifindex)
{
	(void)ctx;
	native.redirect_peer = ifindex;
	return TC_ACT_REDIRECT;
}

static inline int wf_redirect_ingress(__u32 ifindex)
{
	native.redirect_ingress = ifindex;
	return TC_ACT_REDIRECT;
}

/* The packet's outer header, as it will leave or as it came. */
static inline int wf_tunnel_set(struct wf_ctx *ctx, __u32 vni, const struct wf_addr *to)
{
	(void)ctx;
	native.tunnel_vni = vni;
	native.tunnel_peer = *to;
	return 0;
}

/* The device does it. */
static inline int wf_ctx_encapsulate(struct wf_ctx *ctx, __u32 bytes)
{
	(void)ctx;
	(void)bytes;
	return -1;
}

static inline int wf_ctx_add_eth(struct wf_ctx *ctx)
{
	__u32 len = ctx->len;
	__u8 packet[2048];

	if (len > sizeof(packet) || wf_ctx_load(ctx, 0, packet, len) < 0 ||
	    native_resize(ctx, len + ETH_HLEN) < 0)
		return -ENOMEM;
	memcpy(ctx->bytes + ETH_HLEN, packet, len);
	memset(ctx->bytes, 0, ETH_HLEN);
	return 0;
}

static inline int wf_ctx_decapsulate(struct wf_ctx *ctx, __u32 bytes, int to_ip6)
{
	(void)ctx;
	(void)bytes;
	(void)to_ip6;
	return -1;
}

static inline int wf_tunnel_get(struct wf_ctx *ctx, __u32 *ret_vni, struct wf_addr *ret_from)
{
	(void)ctx;
	if (!native.tunnel_peer.halves[0] && !native.tunnel_peer.halves[1])
		return -1;
	*ret_vni = native.tunnel_vni;
	*ret_from = native.tunnel_peer;
	return 0;
}

static inline int wf_redirect(__u32 ifindex)
{
	native.redirect = ifindex;
	return TC_ACT_REDIRECT;
}

static inline int wf_redirect_neigh(__u32 ifindex)
{
	native.redirect = ifindex;
	return TC_ACT_REDIRECT;
}

struct wf_hop {
	__u32 ifindex;
};

static inline void wf_hop_set(struct wf_hop *ret_hop, __u32 ifindex, const struct wf_addr *addr)
{
	(void)addr;
	ret_hop->ifindex = ifindex;
}

struct wf_ask {
	__u32 ifindex;
	__u32 proto;
	__u32 len;
};

static inline __u32 wf_route_moment(void)
{
	return native.route_moment;
}

/* All ways lead out of the packet's own device, and show its index as the source. */
static inline int wf_route_ask(struct wf_ctx *ctx, const struct wf_addr *pair,
			       const struct wf_ask *ask, struct wf_hop *ret_hop,
			       struct wf_route_value *ret_route)
{
	static const __u8 none[sizeof(native.neighbour)];
	int is_known = memcmp(native.neighbour, none, sizeof(none)) != 0;

	(void)pair;
	(void)ask;
	native.route_questions++;
	ret_hop->ifindex = ctx->ifindex;
	if (is_known && ret_route) {
		ret_route->ifindex = ctx->ifindex;
		memcpy(ret_route->macs, native.neighbour, sizeof(native.neighbour));
		memset(ret_route->macs + sizeof(native.neighbour), ctx->ifindex,
		       sizeof(ret_route->macs) - sizeof(native.neighbour));
	}
	return is_known;
}

static inline int wf_route_hop(struct wf_ctx *ctx, const struct wf_tuple *tuple,
			       struct wf_hop *ret_hop)
{
	const struct wf_ask ask = { .ifindex = ctx->ifindex, .proto = tuple->proto };

	return wf_route_ask(ctx, &tuple->src, &ask, ret_hop, NULL);
}

static inline int wf_redirect_hop(const struct wf_hop *hop)
{
	native.redirect = hop->ifindex;
	return TC_ACT_REDIRECT;
}

static inline __u32 wf_route_device(struct wf_ctx *ctx, const struct wf_tuple *tuple)
{
	(void)tuple;
	return ctx->ifindex;
}

#endif
