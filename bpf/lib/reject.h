/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Turning a packet into its refusal: TCP gets a reset (RFC 9293, 3.10.7.1), everything else an
 * ICMP "port unreachable" (RFC 1122, 3.2.2; RFC 4443, 2.4). Nobody limits the rate of these: each
 * is no longer than a hundred bytes more than what it answers, and goes back where that came from.
 */
#ifndef WEFT_BPF_REJECT_H
#define WEFT_BPF_REJECT_H

#include "csum.h"
#include "flow.h"
#include "nat.h"

#define WF_REJECT_TTL           64
#define WF_REJECT_DONT_FRAGMENT 0x4000

#define WF_ICMP4_PORT_UNREACHABLE 3
#define WF_ICMP6_PORT_UNREACHABLE 4

/* Most bytes of the refused packet that an ICMP error quotes, from its IP header on. */
#define WF_QUOTE_BYTES 96

/* A TCP header without options. */
struct wf_tcp_reset {
	struct wf_tcp head;
	__u16 check;
	__be16 urgent;
};

/* What an ICMP error says, beside the packet that it is about. */
struct wf_reject_message {
	__u8 type;
	__u8 code;
	__u16 pad;
	__be32 rest; /* of its header: an MTU, or nothing */
};

struct wf_icmp_refusal {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest;
	__u8 quote[WF_QUOTE_BYTES];
};

_Static_assert(sizeof(struct wf_tcp_reset) == 20, "wf_tcp_reset");
_Static_assert(sizeof(struct wf_icmp_refusal) % 4 == 0, "summed up in words");

/* Whether an address is that of one host. */
static __always_inline int wf_addr_is_unicast(__u32 version, const struct wf_addr *addr)
{
	__u32 first = bpf_ntohl(addr->words[3]) >> 24;

	if (version == 6)
		return addr->bytes[0] != 0xff && addr->halves[0];
	return first && first < 0xe0;
}

/* 0 when the packet may be answered with a refusal, otherwise -reason. */
static __always_inline int wf_reject_check(struct wf_ctx *ctx, const struct wf_ip *ip,
					   const struct wf_flow *flow)
{
	int is_icmp = flow->tuple.proto == IPPROTO_ICMP || flow->tuple.proto == IPPROTO_ICMPV6;

	if (!flow->l4)
		return -WF_REASON_NAT_FRAGMENT;
	/* of ICMP only an echo: never an error, and who knows what the rest is */
	if (flow->error_ip || (is_icmp && !flow->ports) || wf_ctx_gso_bytes(ctx))
		return -WF_REASON_NAT_PROTOCOL;
	if (!wf_addr_is_unicast(ip->version, &ip->src) ||
	    !wf_addr_is_unicast(ip->version, &ip->dst))
		return -WF_REASON_MULTICAST;
	return 0;
}

/* Gives the frame its new length behind the IP header. Its sum, if it has one, is forgotten. */
static __always_inline int wf_reject_resize(struct wf_ctx *ctx, __u32 len)
{
	/* the kernel forgets the sum of a packet only when its length changes */
	if (WF_CSUM_PSEUDO != 0 && wf_ctx_len(ctx) == len && wf_ctx_resize(ctx, len + 4) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_ctx_resize(ctx, len) < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

static __always_inline int wf_reject_store_ip4(struct wf_ctx *ctx, const struct wf_ip *ip,
					       __u32 proto, __u32 len)
{
	struct iphdr header = {
		.version = 4,
		.ihl = sizeof(header) / 4,
		.tot_len = bpf_htons(sizeof(header) + len),
		.frag_off = bpf_htons(WF_REJECT_DONT_FRAGMENT),
		.ttl = WF_REJECT_TTL,
		.protocol = proto,
		.saddr = ip->dst.words[3],
		.daddr = ip->src.words[3],
	};

	header.check = wf_csum_apply(
		0xffff, wf_csum_words((const wf_word *)&header, sizeof(header) / sizeof(__u32)));
	return wf_ctx_store(ctx, ip->l3, &header, sizeof(header));
}

static __always_inline int wf_reject_store_ip6(struct wf_ctx *ctx, const struct wf_ip *ip,
					       __u32 proto, __u32 len)
{
	struct ipv6hdr header = {
		.version = 6,
		.payload_len = bpf_htons(len),
		.nexthdr = proto,
		.hop_limit = WF_REJECT_TTL,
	};

	__builtin_memcpy(&header.saddr, &ip->dst, sizeof(header.saddr));
	__builtin_memcpy(&header.daddr, &ip->src, sizeof(header.daddr));
	return wf_ctx_store(ctx, ip->l3, &header, sizeof(header));
}

/* Writes the IP header of the refusal, in front of `len` bytes of `proto`. */
static __always_inline int wf_reject_store_ip(struct wf_ctx *ctx, const struct wf_ip *ip,
					      __u32 proto, __u32 len)
{
	int r = ip->version == 4 ? wf_reject_store_ip4(ctx, ip, proto, len)
				 : wf_reject_store_ip6(ctx, ip, proto, len);

	return r < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

/* The sum of an ICMP error, whose checksum is 0. */
WF_GLOBAL __u32 wf_refusal_sum(const struct wf_icmp_refusal *refusal)
{
	return refusal ? wf_csum_words((const wf_word *)refusal, sizeof(*refusal) / sizeof(__u32))
		       : 0;
}

/* The sum of the pseudo header; the marks in mapped addresses are 0 to a sum. */
static __always_inline __u32 wf_reject_pseudo(const struct wf_ip *ip, __u32 proto, __u32 len)
{
	return wf_csum_fold((__u64)wf_csum_words((const wf_word *)ip, WF_PAIR_WORDS) +
			    bpf_htons(proto) + bpf_htons(len));
}

static __always_inline __u32 wf_reject_l4(const struct wf_ip *ip)
{
	return ip->l3 + (ip->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* Makes the reset out of the segment it answers; 0 or -reason. */
static __always_inline int wf_reset_fill(const struct wf_ip *ip, struct wf_tcp_reset *reset)
{
	struct wf_tcp *tcp = &reset->head;
	__u32 header_bytes = tcp->data_offset / 16 * 4, bytes = ip->end - ip->l4;
	__be32 seq = tcp->seq;
	__be16 port = tcp->sport;

	if (tcp->flags & WF_TCP_RST)
		return -WF_REASON_NAT_PROTOCOL;
	if (header_bytes < WF_TCP_MIN_BYTES || header_bytes > bytes)
		return wf_malformed_ip(ip);
	bytes -= header_bytes;
	if (tcp->flags & WF_TCP_SYN)
		bytes++;
	if (tcp->flags & WF_TCP_FIN)
		bytes++;
	tcp->sport = tcp->dport;
	tcp->dport = port;
	if (tcp->flags & WF_TCP_ACK) {
		tcp->seq = tcp->ack;
		tcp->ack = 0;
		tcp->flags = WF_TCP_RST;
	} else {
		tcp->seq = 0;
		tcp->ack = bpf_htonl(bpf_ntohl(seq) + bytes);
		tcp->flags = WF_TCP_RST | WF_TCP_ACK;
	}
	tcp->data_offset = sizeof(*reset) / 4 << 4;
	tcp->window = 0;
	return 0;
}

/*
 * The checksum is written in two steps that leave the right thing in every packet: the whole sum
 * in an ordinary one, that of the pseudo header where the device is to add the rest. For the
 * latter the TCP header must stay where it was, so options in front of it are not answered.
 */
static __always_inline int wf_reject_tcp(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	struct wf_tcp_reset reset = {};
	__u32 l4 = wf_reject_l4(ip), check = l4 + WF_TCP_CHECK_OFFSET;
	int r;

	if (ip->l4 != l4)
		return -WF_REASON_EXTENSION_HEADER;
	if (ip->fragment != WF_FRAGMENT_NONE)
		return -WF_REASON_NAT_FRAGMENT;
	if (wf_ctx_load(ctx, l4, &reset.head, sizeof(reset.head)) < 0)
		return wf_malformed_ip(ip);
	r = wf_reset_fill(ip, &reset);
	if (r == 0)
		r = wf_reject_resize(ctx, l4 + sizeof(reset));
	if (r == 0)
		r = wf_reject_store_ip(ctx, ip, IPPROTO_TCP, sizeof(reset));
	if (r < 0)
		return r;
	if (wf_ctx_store(ctx, l4, &reset, sizeof(reset)) < 0 ||
	    wf_csum_l4(ctx, check, 0,
		       wf_csum_words((const wf_word *)&reset, sizeof(reset) / sizeof(__u32)),
		       0) < 0 ||
	    wf_csum_l4(ctx, check, 0, wf_reject_pseudo(ip, IPPROTO_TCP, sizeof(reset)),
		       WF_CSUM_PSEUDO) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return 0;
}

/*
 * Makes the packet an ICMP error that quotes it from its IP header on, and that shows ip->dst as its
 * sender. Whoever left the checksum of that packet to a device is
 * on this machine, and so is who gets this answer: it does not matter that the device's order to
 * add a checksum now points into the ICMP header.
 */
WF_GLOBAL int wf_reject_icmp(struct wf_ctx *ctx, const struct wf_ip *ip,
			     const struct wf_reject_message *message)
{
	struct wf_icmp_refusal refusal = {};
	__u32 proto, l4, quote, sum;
	int r;

	if (!ip || !message)
		return -WF_REASON_INTERNAL_ERROR;
	proto = ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	l4 = wf_reject_l4(ip);
	quote = ip->end - ip->l3;
	if (quote > WF_QUOTE_BYTES)
		quote = WF_QUOTE_BYTES;
	if (quote < sizeof(struct iphdr) || wf_ctx_load(ctx, ip->l3, refusal.quote, quote) < 0)
		return wf_malformed_ip(ip);
	refusal.type = message->type;
	refusal.code = message->code;
	refusal.rest = message->rest;
	sum = wf_refusal_sum(&refusal);
	if (ip->version == 6)
		sum += wf_reject_pseudo(ip, proto, WF_ICMP_BYTES + quote);
	refusal.check = wf_csum_apply(0xffff, sum);
	r = wf_reject_resize(ctx, l4 + WF_ICMP_BYTES + quote);
	if (r == 0)
		r = wf_reject_store_ip(ctx, ip, proto, WF_ICMP_BYTES + quote);
	if (r < 0)
		return r;
	if (wf_ctx_store(ctx, l4, &refusal, WF_ICMP_BYTES + quote) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return 0;
}

/* Turns the Ethernet header round, if there is one. */
static __always_inline int wf_reject_swap_macs(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__u8 macs[2 * ETH_ALEN], swapped[2 * ETH_ALEN];

	if (!ip->l3)
		return 0;
	if (wf_ctx_load(ctx, 0, macs, sizeof(macs)) < 0)
		return -WF_REASON_MALFORMED_L2;
	/* sent to many: as one, no answer */
	if (macs[0] & 1)
		return -WF_REASON_MULTICAST;
	__builtin_memcpy(swapped, macs + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(swapped + ETH_ALEN, macs, ETH_ALEN);
	return wf_ctx_store(ctx, 0, swapped, sizeof(swapped)) < 0 ? -WF_REASON_INTERNAL_ERROR : 0;
}

static __always_inline int wf_reject_port(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	const struct wf_reject_message message = {
		.type = ip->version == 4 ? WF_ICMP4_UNREACHABLE : WF_ICMP6_UNREACHABLE,
		.code = ip->version == 4 ? WF_ICMP4_PORT_UNREACHABLE : WF_ICMP6_PORT_UNREACHABLE,
	};

	return wf_reject_icmp(ctx, ip, &message);
}

/*
 * Turns the packet into its refusal, addressed to its sender: 0, to be sent back where it came
 * from, or -reason why it cannot be answered and must be dropped. Packet pointers are void
 * afterwards.
 */
WF_GLOBAL int wf_reject(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow)
{
	int r;

	if (!ip || !flow)
		return -WF_REASON_INTERNAL_ERROR;
	r = wf_reject_check(ctx, ip, flow);
	if (r == 0)
		r = wf_reject_swap_macs(ctx, ip);
	if (r < 0)
		return r;
	return ip->proto == IPPROTO_TCP ? wf_reject_tcp(ctx, ip) : wf_reject_port(ctx, ip);
}

#endif
