/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the logic in bpf/lib needs of the world, as the kernel offers it to programs of tc: the
 * packet and its helpers here, maps and all that needs no packet in common.h. bpf/xdp/port.h is
 * the same for XDP. tests/bpf/native/port.h is its twin for native builds; the include path decides.
 *
 * There is no direct write to packets here, and none must be added: it makes the verifier put a
 * prologue in front of the program that copies the header of every TCP packet.
 */
#ifndef WEFT_BPF_PORT_H
#define WEFT_BPF_PORT_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "common.h"
#include "fib.h"

#define wf_ctx __sk_buff

/*
 * Pointers into the packet. The kernel offers them as numbers of 32 bits; were the compiler to load
 * them it might copy them as such, and the verifier would take them for numbers from there on.
 */
#define WF_CTX_POINTER(ctx, field)                                                                 \
	({                                                                                         \
		void *pointer;                                                                     \
		asm("%0 = *(u32 *)(%1 + %2)"                                                       \
		    : "=r"(pointer)                                                                \
		    : "r"(ctx), "i"(__builtin_offsetof(struct wf_ctx, field)), "m"((ctx)->field)); \
		pointer;                                                                           \
	})

static __always_inline void *wf_ctx_data(const struct wf_ctx *ctx)
{
	return WF_CTX_POINTER(ctx, data);
}

static __always_inline void *wf_ctx_end(const struct wf_ctx *ctx)
{
	return WF_CTX_POINTER(ctx, data_end);
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

/* Bytes of payload in every segment that the packet is still to be cut into; 0: it is one. */
static __always_inline __u32 wf_ctx_gso_bytes(const struct wf_ctx *ctx)
{
	return ctx->gso_size;
}

static __always_inline __u32 wf_ctx_hash(struct wf_ctx *ctx)
{
	return bpf_get_hash_recalc(ctx);
}

/* Whether it is IPv6; a packet that programs have parsed is IPv4 otherwise. */
static __always_inline int wf_ctx_is_ip6(const struct wf_ctx *ctx)
{
	return ctx->protocol == bpf_htons(ETH_P_IPV6);
}

/* Whether the frame is for another MAC than that of the device. */
static __always_inline int wf_ctx_is_for_others(const struct wf_ctx *ctx)
{
	return ctx->pkt_type == PACKET_OTHERHOST;
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

/* The same for what nearly every packet has; ports that can, do it without a call. */
static __always_inline int wf_ctx_load_fast(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return wf_ctx_load(ctx, offset, to, len);
}

static __always_inline int wf_ctx_store_fast(struct wf_ctx *ctx, __u32 offset, const void *from,
					     __u32 len)
{
	return wf_ctx_store(ctx, offset, from, len);
}

/* Cuts or grows the packet at its end. Packet pointers are void afterwards. */
static __always_inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	return bpf_skb_change_tail(ctx, len, 0);
}

/*
 * The same for bytes that only a pseudo header sums up, IPv6 addresses: keeps the sum that the
 * device may have made of the whole packet (CHECKSUM_COMPLETE) right.
 */
static __always_inline int wf_ctx_store_summed(struct wf_ctx *ctx, __u32 offset, const void *from,
					       __u32 len)
{
	return bpf_skb_store_bytes(ctx, offset, from, len, BPF_F_RECOMPUTE_CSUM);
}

/* The same after bytes were written that a pseudo header sums up: their sum changed by `diff`. */
static __always_inline void wf_ctx_sum_changed(struct wf_ctx *ctx, __u32 diff)
{
	(void)bpf_csum_update(ctx, diff);
}

/* wf_csum_l4(): the change is one of the pseudo header; the packet's sum is still to be made. */
#define WF_CSUM_PSEUDO BPF_F_PSEUDO_HDR
/* wf_csum_l4(): 0 means that there is no checksum (UDP). */
#define WF_CSUM_MAY_BE_NONE BPF_F_MARK_MANGLED_0

/*
 * Corrects the checksum at `offset` of an IPv4 header for a value of `size` bytes (2, 4) that
 * changed; size 0: for the difference `to`, see wf_csum_diff(). Packet pointers are void
 * afterwards.
 */
static __always_inline int wf_csum_l3(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to,
				      __u32 size)
{
	return bpf_l3_csum_replace(ctx, offset, from, to, size);
}

/* The same for a transport header; flags: size and WF_CSUM_*. */
static __always_inline int wf_csum_l4(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to,
				      __u32 flags)
{
	return bpf_l4_csum_replace(ctx, offset, from, to, flags);
}

static __always_inline __u32 wf_ctx_mark(const struct wf_ctx *ctx)
{
	return ctx->mark;
}

/* In one instruction: of an address of the field, made beforehand, the verifier wants to know nothing. */
static __always_inline void wf_ctx_set_mark(struct wf_ctx *ctx, __u32 mark)
{
	asm("*(u32 *)(%1 + %2) = %3"
	    : "=m"(ctx->mark)
	    : "r"(ctx), "i"(__builtin_offsetof(struct wf_ctx, mark)), "r"(mark));
}

/* The EtherType by which the kernel takes the packet, in network order. */
static __always_inline __be16 wf_ctx_protocol(const struct wf_ctx *ctx)
{
	return (__be16)ctx->protocol;
}

/*
 * Whether the program runs as a container sends, on a netkit pair, and not as the host receives: then
 * the packet has come in by no device.
 */
static __always_inline int wf_ctx_is_sent(const struct wf_ctx *ctx)
{
	return !ctx->ingress_ifindex;
}

/*
 * Whether the kernel takes the packet to begin behind one Ethernet header, as programs do: helpers that
 * redirect without that header cut off whatever it says. The header's place shows by how many bytes
 * there are from it to the end of the linear part.
 */
static __always_inline int wf_ctx_is_framed(struct wf_ctx *ctx)
{
	__u32 behind = wf_ctx_end(ctx) - wf_ctx_data(ctx) - ETH_HLEN;
	__u8 byte;

	return bpf_skb_load_bytes_relative(ctx, behind - 1, &byte, 1, BPF_HDR_START_NET) == 0 &&
	       bpf_skb_load_bytes_relative(ctx, behind, &byte, 1, BPF_HDR_START_NET) < 0;
}

/*
 * Delivers into the namespace of the peer of a host-side device; returns the action. The kernel does
 * that for what the host receives: what is being sent gets a mark, and the filter of the sender's
 * host-side device, where it comes next, does it (lib/handed.h).
 */
static __always_inline int wf_redirect_peer(struct wf_ctx *ctx, __u32 ifindex)
{
	if (wf_likely(!wf_ctx_is_sent(ctx)))
		return bpf_redirect_peer(ifindex, 0);
	wf_ctx_set_mark(ctx, ifindex);
	return TC_ACT_OK;
}

/* Delivers as received on a device of the host; returns the action. */
static __always_inline int wf_redirect_ingress(__u32 ifindex)
{
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/* Sends out of a device of the host, as the frame is; returns the action. */
static __always_inline int wf_redirect(__u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

/* Sends out of a device of the host, routed and with the neighbour's MAC; returns the action. */
static __always_inline int wf_redirect_neigh(__u32 ifindex)
{
	return bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

/*
 * Gives the packet an outer header for when it leaves by the device of the overlay. IPv4: without
 * a UDP checksum, as RFC 7348 asks; IPv6: with one.
 */
static __always_inline int wf_tunnel_set(struct wf_ctx *ctx, __u32 vni, const struct wf_addr *to)
{
	struct bpf_tunnel_key key = { .tunnel_id = vni, .tunnel_ttl = WF_TUNNEL_TTL };

	if (to->halves[0]) {
		__builtin_memcpy(key.remote_ipv6, to, sizeof(key.remote_ipv6));
		return bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_TUNINFO_IPV6);
	}
	key.remote_ipv4 = bpf_ntohl(to->words[3]);
	return bpf_skb_set_tunnel_key(ctx, &key, sizeof(key), BPF_F_ZERO_CSUM_TX);
}

/* Flags of bpf_skb_adjust_room() that older headers lack. */
#define WF_DECAP_TO_IPV6 (1ULL << 8)

/*
 * Makes room behind the Ethernet header for an outer IPv4 header, UDP and VXLAN, and a copy of the
 * Ethernet header. A packet still to be segmented is one inside a tunnel from here on.
 */
static __always_inline int wf_ctx_encapsulate(struct wf_ctx *ctx, __u32 bytes)
{
	return bpf_skb_adjust_room(ctx, bytes, BPF_ADJ_ROOM_MAC,
				   BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					   BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
					   BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) |
					   BPF_F_ADJ_ROOM_ENCAP_L2_ETH);
}

/* Puts room for an Ethernet header, zeroed, in front of a packet that has none. */
static __always_inline int wf_ctx_add_eth(struct wf_ctx *ctx)
{
	return bpf_skb_change_head(ctx, ETH_HLEN, 0);
}

/* Takes that away. to_ip6: the inner packet is of IPv6; kernels before 6.3 refuse that. */
static __always_inline int wf_ctx_decapsulate(struct wf_ctx *ctx, __u32 bytes, int to_ip6)
{
	return bpf_skb_adjust_room(ctx, -(__s32)bytes, BPF_ADJ_ROOM_MAC,
				   BPF_F_ADJ_ROOM_FIXED_GSO | (to_ip6 ? WF_DECAP_TO_IPV6 : 0));
}

/* What the outer header of a packet said that came through the overlay; -1: it did not. */
static __always_inline int wf_tunnel_get(struct wf_ctx *ctx, __u32 *ret_vni,
					 struct wf_addr *ret_from)
{
	struct bpf_tunnel_key key = {};

	if (bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), 0) == 0) {
		ret_from->halves[0] = 0;
		ret_from->words[2] = bpf_htonl(0xffff);
		ret_from->words[3] = bpf_htonl(key.remote_ipv4);
	} else if (bpf_skb_get_tunnel_key(ctx, &key, sizeof(key), BPF_F_TUNINFO_IPV6) == 0) {
		__builtin_memcpy(ret_from, key.remote_ipv6, sizeof(*ret_from));
	} else {
		return -1;
	}
	*ret_vni = key.tunnel_id;
	return 0;
}

/* Where a packet goes next: the neighbour that has the address, on a device of the host. */
struct wf_hop {
	__u32 ifindex;
	__u32 family; /* of the address */
	union {
		__be32 ip4;
		__u32 ip6[4];
	};
};

/* Fills in the hop to an address on the segment of a device. */
static __always_inline void wf_hop_set(struct wf_hop *ret_hop, __u32 ifindex,
				       const struct wf_addr *addr)
{
	ret_hop->ifindex = ifindex;
	if (addr->halves[0]) {
		ret_hop->family = WF_FAMILY_IPV6;
		__builtin_memcpy(ret_hop->ip6, addr, sizeof(ret_hop->ip6));
	} else {
		ret_hop->family = WF_FAMILY_IPV4;
		ret_hop->ip4 = addr->words[3];
	}
}

/* Sends to a neighbour, whatever the packet's destination; returns the action. */
static __always_inline int wf_redirect_hop(const struct wf_hop *hop)
{
	struct bpf_redir_neigh to = { .nh_family = hop->family };

	__builtin_memcpy(to.ipv6_nh, hop->ip6, sizeof(to.ipv6_nh));
	return bpf_redirect_neigh(hop->ifindex, &to, sizeof(to), 0);
}

/*
 * The way by which a packet between two addresses, `pair`, would leave: 1; 0: the neighbour is not
 * known yet; -1: there is none. With 1 *ret_route has device and MACs; it may be NULL.
 */
static __always_inline int wf_route_ask(struct wf_ctx *ctx, const struct wf_addr *pair,
					const struct wf_ask *ask, struct wf_hop *ret_hop,
					struct wf_route_value *ret_route)
{
	struct bpf_fib_lookup fib = {};
	long r = wf_fib_ask(ctx, pair, ask, &fib);

	if (r != BPF_FIB_LKUP_RET_SUCCESS && r != BPF_FIB_LKUP_RET_NO_NEIGH)
		return -1;
	ret_hop->ifindex = fib.ifindex;
	/* a gateway of the other family has changed it */
	ret_hop->family = fib.family;
	__builtin_memcpy(ret_hop->ip6, fib.ipv6_dst, sizeof(ret_hop->ip6));
	if (r == BPF_FIB_LKUP_RET_SUCCESS && ret_route)
		wf_fib_frame(&fib, ret_route);
	return r == BPF_FIB_LKUP_RET_SUCCESS;
}

/* The way by which a packet with this tuple would leave: as wf_route_ask(). */
static __always_inline int wf_route_hop(struct wf_ctx *ctx, const struct wf_tuple *tuple,
					struct wf_hop *ret_hop)
{
	const struct wf_ask ask = { .ifindex = ctx->ifindex, .proto = tuple->proto };

	return wf_route_ask(ctx, &tuple->src, &ask, ret_hop, NULL);
}

/* The device of the host by which a packet with this tuple would leave; 0: none. */
static __always_inline __u32 wf_route_device(struct wf_ctx *ctx, const struct wf_tuple *tuple)
{
	struct wf_hop hop = {};

	return wf_route_hop(ctx, tuple, &hop) < 0 ? 0 : hop.ifindex;
}

#endif
