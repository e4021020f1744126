/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet as the programs see it: addresses in the one format, the place of the transport
 * header, and the cursor that the header parsers move. Knows no map and no verdict.
 */
#ifndef WEFT_BPF_PACKET_H
#define WEFT_BPF_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#include "port.h"

enum wf_fragment {
	WF_FRAGMENT_NONE,
	WF_FRAGMENT_FIRST, /* or whole, but with a fragment header */
	WF_FRAGMENT_LATER, /* has no transport header */
};

/* What the headers of an IP packet say, both families alike. */
struct wf_ip {
	struct wf_addr src;
	struct wf_addr dst;
	__u32 l4;        /* offset of the transport header in the frame; unset in later fragments */
	__u32 end;       /* offset behind the packet as its own header declares it */
	__u32 version;   /* 4 or 6 */
	__u32 proto;     /* IPPROTO_* of the transport header */
	__u32 fragment;  /* enum wf_fragment */
	__u16 extension; /* whether IPv6 extension headers were passed */
	__u16 check;     /* of the IPv4 header, as it stands there */
	__u32 l3;        /* offset of the IP header in the frame */
	__be32 id;       /* of a fragmented packet, as its header has it; otherwise 0 */
};

/* A position in the linear part of the packet; end is exclusive. */
struct wf_cursor {
	void *pos;
	void *end;
	__u32 l3; /* offset of the IP header in the frame: a constant, once everything is inlined */
};

static __always_inline int wf_addr_same(const struct wf_addr *a, const struct wf_addr *b)
{
	return !((a->halves[0] ^ b->halves[0]) | (a->halves[1] ^ b->halves[1]));
}

/* Two stores of 64 bits: the address is read again as such, and 32-bit stores would stall that. */
static __always_inline void wf_addr_set_ip4(struct wf_addr *addr, __be32 ip4)
{
	const __u64 mark = bpf_htonl(0xffff);

	addr->halves[0] = 0;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		addr->halves[1] = mark | (__u64)ip4 << 32;
	else
		addr->halves[1] = mark << 32 | ip4;
}

static __always_inline void wf_addr_set_ip6(struct wf_addr *addr, const struct in6_addr *ip6)
{
	__builtin_memcpy(addr, ip6, sizeof(*addr));
}

/* fe80::/10 */
static __always_inline int wf_addr_is_link_local6(const struct wf_addr *addr)
{
	return (addr->words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline int wf_mac_same(const void *a, const void *b)
{
	const __u16 *x = a, *y = b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

/*
 * Reads a number of bytes, which like the offset is a constant: from the linear part, where what is
 * read again nearly always is, without a call.
 */
static __always_inline int wf_ctx_peek(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	const void *data = wf_ctx_data(ctx), *end = wf_ctx_end(ctx);

	if (wf_unlikely(data + offset + len > end))
		return wf_ctx_load(ctx, offset, to, len);
	wf_copy(to, data + offset, len);
	return 0;
}

/* wf_ctx_gso_bytes(): segments of any length, as they are (GSO_BY_FRAGS). */
#define WF_GSO_BY_FRAGS 0xffff

/*
 * Starts at the frame's first byte; `l3`, ETH_HLEN or 0, says where the IP header will be. Headers
 * beyond the linear part are brought in first: the kernel's own packets never need that, those of
 * packet sockets with a ring do. SCTP that is still to be segmented has all its headers there, and a
 * list of whole segments behind them, which a pull would tear.
 */
static __always_inline void wf_cursor_start_at(struct wf_ctx *ctx, __u32 l3,
					       struct wf_cursor *ret_cursor)
{
	const __u32 wanted = l3 + sizeof(struct ipv6hdr);
	void *data = wf_ctx_data(ctx);

	if (wf_unlikely(data + wanted > wf_ctx_end(ctx)) &&
	    wf_ctx_gso_bytes(ctx) != WF_GSO_BY_FRAGS) {
		__u32 len = wf_ctx_len(ctx);

		(void)wf_ctx_pull(ctx, len < wanted ? len : wanted);
	}
	ret_cursor->pos = wf_ctx_data(ctx);
	ret_cursor->end = wf_ctx_end(ctx);
	ret_cursor->l3 = l3;
}

/* The same for a frame with an Ethernet header. */
static __always_inline void wf_cursor_start(struct wf_ctx *ctx, struct wf_cursor *ret_cursor)
{
	wf_cursor_start_at(ctx, ETH_HLEN, ret_cursor);
}

/* Takes the Ethernet header; returns its EtherType in host order, or -reason. */
static __always_inline int wf_parse_eth(struct wf_cursor *cursor, struct ethhdr **ret_eth)
{
	struct ethhdr *eth = cursor->pos;

	if ((void *)(eth + 1) > cursor->end)
		return -WF_REASON_MALFORMED_L2;
	cursor->pos = eth + 1;
	*ret_eth = eth;
	return bpf_ntohs(eth->h_proto);
}

/*
 * The same for a frame that starts with its IP header, as on devices without Ethernet: takes
 * nothing and returns the EtherType that the first byte stands for, or -reason.
 */
static __always_inline int wf_parse_bare(const struct wf_cursor *cursor)
{
	const __u8 *first = cursor->pos;

	if ((const void *)(first + 1) > cursor->end)
		return -WF_REASON_MALFORMED_L2;
	switch (*first >> 4) {
	case 4: return ETH_P_IP;
	case 6: return ETH_P_IPV6;
	default: return -WF_REASON_UNSUPPORTED_L3;
	}
}

#endif
