/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Messages of the IPv6 link from a container: neighbour solicitations are answered in its own
 * device's name for everybody in its network, all others are dropped with their reason.
 * RFC 4861, section 7.
 */
#ifndef WEFT_BPF_ND_H
#define WEFT_BPF_ND_H

#include "arp.h"
#include "ipv6.h"
#include "transport.h"
#include "work.h"

#define WF_IP6_HOP_LIMIT_OFFSET (ETH_HLEN + 7)

#define WF_ND_HOP_LIMIT   255
#define WF_ND_MAX_OPTIONS 4

#define WF_ND_OPTION_SOURCE 1
#define WF_ND_OPTION_TARGET 2

#define WF_NA_ROUTER    (1U << 31)
#define WF_NA_SOLICITED (1U << 30)
#define WF_NA_OVERRIDE  (1U << 29)

/* A link-layer address option; all options begin with kind and units. */
struct wf_nd_option {
	__u8 kind;
	__u8 units; /* of 8 bytes */
	__u8 mac[ETH_ALEN];
};

/* Solicitation and advertisement; in the former `flags` is reserved. */
struct wf_nd {
	__u8 type;
	__u8 code;
	__u16 checksum; /* in whatever order it was summed */
	__be32 flags;
	struct wf_addr target;
};

/* The answer, from the first byte of the frame. Packed: the IPv6 header stands at byte 14. */
struct wf_nd_answer {
	struct wf_macs macs;
	__be16 ethertype;
	__be32 first_word;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	struct wf_addr src;
	struct wf_addr dst;
	struct wf_nd nd;
	struct wf_nd_option option;
} __attribute__((packed));

_Static_assert(sizeof(struct wf_nd_answer) == 86, "wf_nd_answer");

#define WF_ND_BYTES (sizeof(struct wf_nd) + sizeof(struct wf_nd_option))

/* fe80::/64 with the modified EUI-64 of a MAC (RFC 4291, appendix A). */
static __always_inline void wf_addr_set_link_local(struct wf_addr *addr, const __u8 mac[ETH_ALEN])
{
	addr->words[0] = bpf_htonl(0xfe800000);
	addr->words[1] = 0;
	addr->words[2] = bpf_htonl((__u32)(mac[0] ^ 2) << 24 | (__u32)mac[1] << 16 |
				   (__u32)mac[2] << 8 | 0xff);
	addr->words[3] = bpf_htonl(0xfe000000 | (__u32)mac[3] << 16 | (__u32)mac[4] << 8 | mac[5]);
}

static __always_inline int wf_nd_is_own(const struct wf_ep_value *endpoint, __u32 slot,
					const struct wf_addr *addr)
{
	struct wf_addr link_local;

	wf_addr_set_link_local(&link_local, endpoint->mac);
	return wf_addr_same(&link_local, addr) || wf_endpoint_has(endpoint, slot, 6, addr);
}

/* Looks at the options: a source MAC must be the endpoint's, and absent when src is ::. */
WF_GLOBAL int wf_nd_check_options(struct wf_ctx *ctx, const struct wf_ip *ip,
				  const struct wf_ep_value *endpoint)
{
	__u32 offset;
	int is_probe;

	if (!ip || !endpoint)
		return -WF_REASON_INTERNAL_ERROR;
	offset = ip->l4 + sizeof(struct wf_nd);
	is_probe = !ip->src.halves[0];
	for (int i = 0; i < WF_ND_MAX_OPTIONS; i++) {
		struct wf_nd_option option;

		if (offset >= ip->end)
			break;
		if (offset + sizeof(option) > ip->end ||
		    wf_ctx_load(ctx, offset, &option, sizeof(option)) < 0 || !option.units)
			return -WF_REASON_MALFORMED_ND;
		if (option.kind == WF_ND_OPTION_SOURCE) {
			if (is_probe)
				return -WF_REASON_MALFORMED_ND;
			if (!wf_mac_same(option.mac, endpoint->mac))
				return -WF_REASON_SPOOFED_ND;
		}
		offset += 8 * (__u32)option.units;
	}
	return offset == ip->end ? 0 : -WF_REASON_MALFORMED_ND;
}

/* Internet checksum over the pseudo header and the message; the result as it stands in memory. */
static __always_inline __u16 wf_nd_checksum(const struct wf_nd_answer *answer)
{
	const __u8 *bytes = (const __u8 *)&answer->src;
	const __u32 words = (sizeof(*answer) - __builtin_offsetof(struct wf_nd_answer, src)) / 2;
	__u32 sum = bpf_htons(WF_ND_BYTES) + bpf_htons(IPPROTO_ICMPV6);

	for (__u32 i = 0; i < words; i++) {
		__u16 word;

		__builtin_memcpy(&word, bytes + 2 * i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return ~sum;
}

/* Fills in the advertisement for `target`, to a MAC, with the MAC in macs.src. */
static __always_inline void wf_nd_fill(struct wf_nd_answer *answer, const struct wf_ip *ip,
				       const __u8 to[ETH_ALEN], const struct wf_addr *target,
				       __u32 is_gateway)
{
	__u32 flags = WF_NA_OVERRIDE | (is_gateway ? WF_NA_ROUTER : 0);

	__builtin_memcpy(answer->macs.dst, to, ETH_ALEN);
	answer->dst = ip->src;
	if (ip->src.halves[0]) {
		flags |= WF_NA_SOLICITED;
	} else {
		/* a probe has no address to answer to: all nodes, ff02::1 */
		answer->dst.words[0] = bpf_htonl(0xff020000);
		answer->dst.words[3] = bpf_htonl(1);
		__builtin_memcpy(answer->macs.dst, "\x33\x33\0\0\0\1", ETH_ALEN);
	}
	answer->ethertype = bpf_htons(ETH_P_IPV6);
	answer->first_word = bpf_htonl(6U << 28);
	answer->payload_len = bpf_htons(WF_ND_BYTES);
	answer->next = IPPROTO_ICMPV6;
	answer->hop_limit = WF_ND_HOP_LIMIT;
	answer->src = *target;
	answer->nd.type = WF_ICMP6_NEIGHBOUR_ADVERT;
	answer->nd.flags = bpf_htonl(flags);
	answer->nd.target = *target;
	answer->option.kind = WF_ND_OPTION_TARGET;
	answer->option.units = 1;
	__builtin_memcpy(answer->option.mac, answer->macs.src, ETH_ALEN);
	answer->nd.checksum = wf_nd_checksum(answer);
}

/* Judges a solicitation and loads its target: 0 or -reason. */
static __always_inline int wf_nd_check_solicit(struct wf_ctx *ctx, const struct wf_ip *ip,
					       __u32 hop_limit, const struct wf_ep_value *endpoint,
					       __u32 slot, struct wf_addr *ret_target)
{
	struct wf_nd nd;

	if (ip->l4 + sizeof(nd) > ip->end || wf_ctx_load(ctx, ip->l4, &nd, sizeof(nd)) < 0 ||
	    hop_limit != WF_ND_HOP_LIMIT || nd.code != 0 || nd.target.bytes[0] == 0xff ||
	    !nd.target.halves[0])
		return -WF_REASON_MALFORMED_ND;
	/* :: is the sender of a probe, which goes to a multicast address only */
	if (!ip->src.halves[0] ? ip->dst.bytes[0] != 0xff : !wf_nd_is_own(endpoint, slot, &ip->src))
		return ip->src.halves[0] ? -WF_REASON_SPOOFED_ND : -WF_REASON_MALFORMED_ND;
	*ret_target = nd.target;
	return wf_nd_check_options(ctx, ip, endpoint);
}

/* Answers a solicitation: action or -reason. */
static __always_inline int wf_nd_solicit(struct wf_ctx *ctx, const struct wf_ip *ip,
					 __u32 hop_limit, const struct wf_ep_value *endpoint,
					 __u32 slot, const struct wf_net_value *network)
{
	struct wf_nd_answer answer = {};
	struct wf_addr target;
	__u32 is_gateway = 0;
	int r;

	r = wf_nd_check_solicit(ctx, ip, hop_limit, endpoint, slot, &target);
	if (r < 0)
		return r;
	if (wf_nd_is_own(endpoint, slot, &target))
		return -WF_REASON_ND_NO_TARGET;
	r = wf_resolve(network, endpoint->network, &target, answer.macs.src, &is_gateway,
		       -WF_REASON_ND_NO_TARGET);
	if (r < 0)
		return r;
	wf_nd_fill(&answer, ip, endpoint->mac, &target, is_gateway);
	if (wf_ctx_resize(ctx, sizeof(answer)) < 0 ||
	    wf_ctx_store(ctx, 0, &answer, sizeof(answer)) < 0 || wf_ctx_set_type_host(ctx) < 0)
		return -WF_REASON_INTERNAL_ERROR;
	return wf_redirect_peer(ctx, endpoint->ifindex);
}

/* An advertisement is never needed; one for a foreign address is an attack. */
static __always_inline int wf_nd_advert(struct wf_ctx *ctx, const struct wf_ip *ip,
					const struct wf_ep_value *endpoint, __u32 slot)
{
	struct wf_nd nd;

	if (ip->l4 + sizeof(nd) > ip->end || wf_ctx_load(ctx, ip->l4, &nd, sizeof(nd)) < 0)
		return -WF_REASON_MALFORMED_ND;
	return wf_nd_is_own(endpoint, slot, &nd.target) ? -WF_REASON_NEIGHBOUR_ADVERT
							: -WF_REASON_SPOOFED_ND;
}

/* The message itself, once endpoint and network are known to be fit. Action or -reason. */
static __always_inline int wf_nd_message(struct wf_ctx *ctx, const struct wf_ep_value *endpoint,
					 __u32 slot, const struct wf_net_value *network)
{
	struct wf_ip ip = {};
	struct wf_l4 l4;
	__u8 hop_limit;
	int r = wf_work_parse(ctx, ETH_HLEN, &ip);

	if (r == 0)
		r = wf_load_l4(ctx, &ip, &l4);
	if (r < 0)
		return r;
	if (ip.version != 6 || wf_ctx_load(ctx, WF_IP6_HOP_LIMIT_OFFSET, &hop_limit, 1) < 0)
		return -WF_REASON_MALFORMED_ND;
	if (l4.type == WF_ICMP6_NEIGHBOUR_ADVERT)
		return wf_nd_advert(ctx, &ip, endpoint, slot);
	if (l4.type != WF_ICMP6_NEIGHBOUR_SOLICIT)
		return -wf_link_icmp6_reason(l4.type);
	/* no stack sends a solicitation behind extension headers, and the answer has no place */
	if (ip.extension)
		return -WF_REASON_EXTENSION_HEADER;
	return wf_nd_solicit(ctx, &ip, hop_limit, endpoint, slot, network);
}

/* The stage. Action or -reason. */
static __always_inline int wf_nd(struct wf_ctx *ctx)
{
	int reason = -WF_REASON_INTERNAL_ERROR;
	__u32 slot = wf_slot_of(ctx);
	struct wf_ep_value *endpoint = wf_endpoint_ready(slot, &reason);
	struct wf_net_value *network;

	if (!endpoint)
		return reason;
	network = wf_network_valid(endpoint->network);
	if (!network)
		return -WF_REASON_NO_NETWORK;
	if (!(network->flags & WF_NET_IPV6))
		return -WF_REASON_FAMILY_DISABLED;
	return wf_nd_message(ctx, endpoint, slot, network);
}

#endif
