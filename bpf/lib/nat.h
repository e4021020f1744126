/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rewriting a packet to another tuple, all checksums with it. Checksums are corrected, never made
 * anew: that costs the same for a packet of any length, and one that was wrong stays wrong.
 */
#ifndef WEFT_BPF_NAT_H
#define WEFT_BPF_NAT_H

#include "csum.h"
#include "flow.h"
#include "sctp.h"

/* Words of both addresses, which stand first in struct wf_tuple and struct wf_ip. */
#define WF_PAIR_WORDS 8

_Static_assert(__builtin_offsetof(struct wf_tuple, src) == 0, "addresses first");
_Static_assert(__builtin_offsetof(struct wf_tuple, dst) == 16, "addresses first");
_Static_assert(__builtin_offsetof(struct wf_tuple, sport) == 32, "then ports");
_Static_assert(__builtin_offsetof(struct wf_tuple, dport) == 34, "then ports");
_Static_assert(__builtin_offsetof(struct wf_ip, src) == 0, "addresses first");
_Static_assert(__builtin_offsetof(struct wf_ip, dst) == 16, "addresses first");

#define WF_IP4_CHECK_OFFSET  __builtin_offsetof(struct iphdr, check)
#define WF_IP4_ADDRS_OFFSET  __builtin_offsetof(struct iphdr, saddr)
#define WF_IP6_ADDRS_OFFSET  __builtin_offsetof(struct ipv6hdr, saddr)
#define WF_TCP_CHECK_OFFSET  16
#define WF_UDP_CHECK_OFFSET  6
#define WF_ICMP_CHECK_OFFSET 2

/* What a sum changes by when words do. Functions: inlined, these fill the stack with copies. */
static __noinline __u32 wf_csum_diff(const __u32 *from, const __u32 *to, __u32 words)
{
	__u64 sum = 0;

	WF_NO_UNROLL
	for (__u32 i = 0; i < words; i++)
		sum += (__u64)(__u32)~from[i] + to[i];
	return wf_csum_fold(sum);
}

/* A word of anything. */
typedef __u32 __attribute__((may_alias)) wf_word;

/* The sum of words. */
static __always_inline __u32 wf_csum_words(const wf_word *words, __u32 count)
{
	__u64 sum = 0;

	WF_UNROLL
	for (__u32 i = 0; i < count; i++)
		sum += words[i];
	return wf_csum_fold(sum);
}

/* How a transport protocol sums up. */
struct wf_sums {
	__u32 offset; /* of the checksum in the header; 0: none to correct */
	__u32 pseudo; /* whether it covers the addresses */
	__u32 flags;  /* of wf_csum_l4() */
};

/* 0, or -NAT_PROTOCOL when NAT does not know the protocol. */
static __always_inline int wf_nat_sums(__u32 version, __u32 proto, struct wf_sums *ret_sums)
{
	ret_sums->offset = 0;
	ret_sums->pseudo = 1;
	ret_sums->flags = 0;
	if (proto == IPPROTO_TCP) {
		ret_sums->offset = WF_TCP_CHECK_OFFSET;
	} else if (proto == IPPROTO_UDP) {
		ret_sums->offset = WF_UDP_CHECK_OFFSET;
		ret_sums->flags = WF_CSUM_MAY_BE_NONE;
	} else if (proto == (version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		ret_sums->offset = WF_ICMP_CHECK_OFFSET;
		ret_sums->pseudo = version == 6;
	} else if (proto != IPPROTO_SCTP) {
		return -WF_REASON_NAT_PROTOCOL;
	}
	return 0;
}

/* Both ports as one word. Of an echo one of them is 0, so the word's sum is the identifier's. */
static __always_inline __u32 wf_nat_ports(const struct wf_tuple *tuple)
{
	__u32 ports;

	__builtin_memcpy(&ports, &tuple->sport, sizeof(ports));
	return ports;
}

/* Writes ports, or the identifier of an echo. */
static __always_inline int wf_nat_store_ports(struct wf_ctx *ctx, const struct wf_flow *flow,
					      __be16 sport, __be16 dport)
{
	const __be16 ports[2] = { sport, dport };
	const __be16 id = sport | dport;

	if (flow->tuple.proto == IPPROTO_ICMP || flow->tuple.proto == IPPROTO_ICMPV6)
		return wf_ctx_store_fast(ctx, flow->ports, &id, sizeof(id));
	return wf_ctx_store_fast(ctx, flow->ports, ports, sizeof(ports));
}

/* What stands behind one another in the header of IPv4. */
struct wf_nat_ip4 {
	__u16 check;
	__be32 src;
	__be32 dst;
} __attribute__((packed));

/* Corrects the checksum of an IPv4 header whose addresses changed by `diff`. */
static __always_inline int wf_nat_check_ip4(struct wf_ctx *ctx, __u32 l3, __u32 diff)
{
	return wf_csum_l3(ctx, l3 + WF_IP4_CHECK_OFFSET, 0, diff, 0);
}

/* What a sum over both addresses of IPv4 changes by. */
static __always_inline __u32 wf_nat_change_ip4(const struct wf_addr *src, const struct wf_addr *dst,
					       const struct wf_tuple *to)
{
	return wf_csum_fold((__u64)wf_csum_change(src->words[3], to->src.words[3]) +
			    wf_csum_change(dst->words[3], to->dst.words[3]));
}

/* Gives the packet both addresses of `to`; *ret_diff is what sums of them change by. */
static __always_inline int wf_nat_addrs(struct wf_ctx *ctx, const struct wf_ip *ip,
					const struct wf_tuple *to, __u32 *ret_diff)
{
	struct wf_nat_ip4 ip4 = { .src = to->src.words[3], .dst = to->dst.words[3] };

	if (ip->version == 6) {
		*ret_diff = wf_csum_diff((const __u32 *)ip, (const __u32 *)to, WF_PAIR_WORDS);
		return wf_ctx_store_summed(ctx, ip->l3 + WF_IP6_ADDRS_OFFSET, to,
					   2 * sizeof(struct wf_addr));
	}
	*ret_diff = wf_nat_change_ip4(&ip->src, &ip->dst, to);
	ip4.check = wf_csum_apply(ip->check, *ret_diff);
	return wf_ctx_store_fast(ctx, ip->l3 + WF_IP4_CHECK_OFFSET, &ip4, sizeof(ip4));
}

/* The same for the destination alone. */
static __always_inline int wf_nat_dst(struct wf_ctx *ctx, const struct wf_ip *ip,
				      const struct wf_tuple *to, __u32 *ret_diff)
{
	int r;

	if (ip->version == 6) {
		*ret_diff = wf_csum_diff(ip->dst.words, to->dst.words, WF_PAIR_WORDS / 2);
		return wf_ctx_store_summed(ctx,
					   ip->l3 + WF_IP6_ADDRS_OFFSET + sizeof(struct wf_addr),
					   &to->dst, sizeof(to->dst));
	}
	*ret_diff = wf_csum_change(ip->dst.words[3], to->dst.words[3]);
	r = wf_ctx_store_fast(ctx, ip->l3 + WF_IP4_ADDRS_OFFSET + sizeof(__be32), &to->dst.words[3],
			      sizeof(__be32));
	return r < 0 ? r : wf_nat_check_ip4(ctx, ip->l3, *ret_diff);
}

/* SCTP: its CRC covers no addresses. Of a fragment it cannot be corrected: what follows is not known. */
static __always_inline int wf_nat_sctp(struct wf_ctx *ctx, const struct wf_ip *ip,
				       const struct wf_flow *flow, const struct wf_tuple *to)
{
	__u32 change = wf_nat_ports(&flow->tuple) ^ wf_nat_ports(to);
	int r = ip->fragment == WF_FRAGMENT_NONE ? wf_sctp_narrow(ctx, ip, flow) : 0;

	if (r < 0 || !change)
		return r;
	if (ip->fragment != WF_FRAGMENT_NONE)
		return -WF_REASON_NAT_PROTOCOL;
	if (wf_nat_store_ports(ctx, flow, to->sport, to->dport) < 0 ||
	    wf_sctp_correct(ctx, flow->l4, change, ip->end - flow->l4) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return 0;
}

/* Corrects a checksum for what it covers itself and for its pseudo header; 0: nothing changed. */
static __always_inline int wf_nat_check(struct wf_ctx *ctx, __u32 offset, __u32 diff, __u32 pseudo,
					__u32 flags)
{
	int r = 0;

	/* where no sum is ever incomplete, one correction does for both */
	if (WF_CSUM_PSEUDO == 0) {
		diff += pseudo;
		pseudo = 0;
	}
	if (diff)
		r = wf_csum_l4(ctx, offset, 0, diff, flags);
	if (r == 0 && pseudo)
		r = wf_csum_l4(ctx, offset, 0, pseudo, flags | WF_CSUM_PSEUDO);
	return r < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

/* The transport header of an ordinary packet, whose addresses changed by `addrs`. */
static __always_inline int wf_nat_transport(struct wf_ctx *ctx, const struct wf_ip *ip,
					    const struct wf_flow *flow, const struct wf_tuple *to,
					    __u32 addrs)
{
	__u32 from_ports = wf_nat_ports(&flow->tuple), to_ports = wf_nat_ports(to), ports = 0;
	struct wf_sums sums;
	int r;

	r = wf_nat_sums(ip->version, ip->proto, &sums);
	if (r < 0)
		return r;
	if (ip->proto == IPPROTO_SCTP)
		return wf_nat_sctp(ctx, ip, flow, to);
	if (flow->ports && from_ports != to_ports) {
		ports = wf_csum_change(from_ports, to_ports);
		r = wf_nat_store_ports(ctx, flow, to->sport, to->dport);
	}
	if (r < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_nat_check(ctx, flow->l4 + sums.offset, ports, sums.pseudo ? addrs : 0,
			    sums.flags);
}

/*
 * The checksum of the quoted packet, if the quotation reaches that far, after what it sums up
 * changed. Adds to `diff` what the change means for the error's own checksum.
 */
static __always_inline int wf_nat_quoted_check(struct wf_ctx *ctx, __u32 offset, __u32 change,
					       __u32 flags, __u64 *diff)
{
	__u16 from, to;

	if (wf_ctx_load(ctx, offset, &from, sizeof(from)) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	if (flags & WF_CSUM_MAY_BE_NONE && !from)
		return 0;
	to = wf_csum_apply(from, change);
	if (flags & WF_CSUM_MAY_BE_NONE && !to)
		to = 0xffff;
	*diff += wf_csum_change(from, to);
	return wf_ctx_store(ctx, offset, &to, sizeof(to)) < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

/* The reverse of `to` for the addresses of the packet inside an ICMP error. */
static __always_inline int wf_nat_quoted_addrs(struct wf_ctx *ctx, const struct wf_ip *ip,
					       const struct wf_flow *flow,
					       const struct wf_tuple *to, __u32 diff)
{
	const __be32 ip4[2] = { to->dst.words[3], to->src.words[3] };
	__u32 at = flow->error_ip + WF_IP6_ADDRS_OFFSET;
	int r;

	if (ip->version == 6) {
		r = wf_ctx_store(ctx, at, &to->dst, sizeof(to->dst));
		if (r < 0)
			return r;
		return wf_ctx_store(ctx, at + sizeof(to->dst), &to->src, sizeof(to->src));
	}
	r = wf_ctx_store(ctx, flow->error_ip + WF_IP4_ADDRS_OFFSET, ip4, sizeof(ip4));
	return r < 0 ? r : wf_nat_check_ip4(ctx, flow->error_ip, diff);
}

/* The packet inside an ICMP error; *ret_diff is what the error's own checksum changes by. */
static __always_inline int wf_nat_quoted(struct wf_ctx *ctx, const struct wf_ip *ip,
					 const struct wf_flow *flow, const struct wf_tuple *to,
					 __u32 *ret_diff)
{
	__u32 addrs = wf_csum_diff((const __u32 *)&flow->tuple, (const __u32 *)to, WF_PAIR_WORDS);
	/* in IPv4, addresses and the header's checksum keep each other's sum */
	__u64 diff = ip->version == 4 ? 0 : addrs;
	__u32 change = 0;
	struct wf_sums sums;
	int r;

	r = wf_nat_sums(ip->version, flow->tuple.proto, &sums);
	if (r < 0)
		return r;
	r = wf_nat_quoted_addrs(ctx, ip, flow, to, addrs);
	if (r == 0 && flow->ports) {
		change = wf_csum_change(wf_nat_ports(&flow->tuple), wf_nat_ports(to));
		diff += change;
		r = wf_nat_store_ports(ctx, flow, to->dport, to->sport);
	}
	if (sums.pseudo)
		change += addrs;
	if (r == 0 && sums.offset && flow->error_l4 + sums.offset + 2 <= ip->end)
		r = wf_nat_quoted_check(ctx, flow->error_l4 + sums.offset, change, sums.flags,
					&diff);
	*ret_diff = wf_csum_fold(diff);
	return r < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

/*
 * An ICMP error. Its own source changes only if it is the translated host itself: a router on the
 * way keeps its name.
 */
WF_GLOBAL int wf_nat_error(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow,
			   const struct wf_tuple *to)
{
	__u32 addrs, diff;
	int r;

	if (!ip || !flow || !to)
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_addr_same(&ip->src, &flow->tuple.src))
		r = wf_nat_addrs(ctx, ip, to, &addrs);
	else
		r = wf_nat_dst(ctx, ip, to, &addrs);
	if (r < 0)
		return -WF_REASON_INTERNAL_ERROR;
	r = wf_nat_quoted(ctx, ip, flow, to, &diff);
	if (r < 0)
		return r;
	return wf_nat_check(ctx, ip->l4 + WF_ICMP_CHECK_OFFSET, diff, ip->version == 6 ? addrs : 0,
			    0);
}

/* A packet that is no ICMP error. */
WF_GLOBAL int wf_nat_packet(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow,
			    const struct wf_tuple *to)
{
	__u32 diff;

	if (!ip || !flow || !to)
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_nat_addrs(ctx, ip, to, &diff) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_likely(flow->l4) ? wf_nat_transport(ctx, ip, flow, to, diff) : 0;
}

/*
 * Makes the packet look like `to`: addresses, ports or echo identifier, and all checksums. In an
 * ICMP error the quoted packet gets the reverse of `to`. 0 or -reason, with which the packet must
 * be dropped: it may be half rewritten. Packet pointers are void afterwards.
 */
static __always_inline int wf_nat_apply(struct wf_ctx *ctx, const struct wf_ip *ip,
					const struct wf_flow *flow, const struct wf_tuple *to)
{
	if (wf_unlikely(flow->error_ip))
		return wf_nat_error(ctx, ip, flow, to);
	return wf_nat_packet(ctx, ip, flow, to);
}

#endif
