/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a transport header alone can condemn, and which messages the ND stage takes. */
#ifndef WEFT_BPF_TRANSPORT_H
#define WEFT_BPF_TRANSPORT_H

#include "packet.h"

#define WF_TCP_MIN_BYTES 20

#define WF_TCP_FIN 0x01
#define WF_TCP_SYN 0x02
#define WF_TCP_RST 0x04
#define WF_TCP_ACK 0x10

#define WF_PORT_DHCP_SERVER  67
#define WF_PORT_DHCP6_SERVER 547

#define WF_ICMP4_REDIRECT      5
#define WF_ICMP4_ROUTER_ADVERT 9

#define WF_ICMP6_MLD_FIRST         130 /* query; 131 report; 132 done */
#define WF_ICMP6_ROUTER_SOLICIT    133
#define WF_ICMP6_ROUTER_ADVERT     134
#define WF_ICMP6_NEIGHBOUR_SOLICIT 135
#define WF_ICMP6_NEIGHBOUR_ADVERT  136
#define WF_ICMP6_REDIRECT          137
#define WF_ICMP6_MLD2_REPORT       143

/* The first eight bytes behind the IP header; every transport we read has as many. */
struct wf_l4 {
	union {
		struct {
			__be16 sport;
			__be16 dport;
		};
		struct {
			__u8 type;
			__u8 code;
			__be16 checksum;
		};
	};
	__be32 rest;
};

/* Whether an ICMPv6 type belongs to the link: neighbour discovery and group membership. */
static __always_inline int wf_is_link_icmp6(__u32 type)
{
	return (type >= WF_ICMP6_MLD_FIRST && type <= WF_ICMP6_REDIRECT) ||
	       type == WF_ICMP6_MLD2_REPORT;
}

/* The reason for which a message of the link is dropped where nobody answers it. */
static __always_inline int wf_link_icmp6_reason(__u32 type)
{
	switch (type) {
	case WF_ICMP6_ROUTER_SOLICIT: return WF_REASON_ROUTER_SOLICIT;
	case WF_ICMP6_ROUTER_ADVERT: return WF_REASON_ROUTER_ADVERT;
	case WF_ICMP6_NEIGHBOUR_SOLICIT: return WF_REASON_ND_NO_TARGET;
	case WF_ICMP6_NEIGHBOUR_ADVERT: return WF_REASON_NEIGHBOUR_ADVERT;
	case WF_ICMP6_REDIRECT: return WF_REASON_ND_REDIRECT;
	default: return WF_REASON_GROUP_MEMBERSHIP;
	}
}

static __always_inline int wf_malformed_ip(const struct wf_ip *ip)
{
	return ip->version == 4 ? -WF_REASON_MALFORMED_IPV4 : -WF_REASON_MALFORMED_IPV6;
}

/* Offset of the transport header behind Ethernet and an IP header without options. */
#define WF_L4_PLAIN_IPV4 34
#define WF_L4_PLAIN_IPV6 54

/* Reads the transport header of UDP, ICMP and ICMPv6; 0 or -reason. */
static __always_inline int wf_load_l4(struct wf_ctx *ctx, const struct wf_ip *ip,
				      struct wf_l4 *ret_l4)
{
	const void *data = wf_ctx_data(ctx), *end = wf_ctx_end(ctx);

	if (ip->l4 + sizeof(*ret_l4) > ip->end)
		return wf_malformed_ip(ip);
	/* where it nearly always is, without a call: an offset the verifier knows */
	if (ip->l4 == WF_L4_PLAIN_IPV4 && data + WF_L4_PLAIN_IPV4 + sizeof(*ret_l4) <= end) {
		wf_copy(ret_l4, data + WF_L4_PLAIN_IPV4, sizeof(*ret_l4));
		return 0;
	}
	if (ip->l4 == WF_L4_PLAIN_IPV6 && data + WF_L4_PLAIN_IPV6 + sizeof(*ret_l4) <= end) {
		wf_copy(ret_l4, data + WF_L4_PLAIN_IPV6, sizeof(*ret_l4));
		return 0;
	}
	if (wf_ctx_load(ctx, ip->l4, ret_l4, sizeof(*ret_l4)) < 0)
		return wf_malformed_ip(ip);
	return 0;
}

/* ICMPv6: 0 to go on, the type when the message belongs to the link, or -reason. */
static __always_inline int wf_check_icmp6(const struct wf_ip *ip, const struct wf_l4 *l4)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): what could not be read was dropped */
	if (!wf_is_link_icmp6(l4->type))
		return 0;
	/* RFC 6980: nothing of neighbour discovery is ever fragmented */
	if (ip->fragment != WF_FRAGMENT_NONE)
		return -WF_REASON_EXTENSION_HEADER;
	return l4->type;
}

/*
 * Judges the transport header of a packet from a container: 0 to go on, the ICMPv6 type of a
 * message of the link, or -reason. Later fragments pass: the first one was judged, and without
 * it the receiver cannot put the packet together. A first fragment too small to be judged is
 * malformed. TCP, the bulk, is not even read.
 */
static __always_inline int wf_check_transport(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	struct wf_l4 l4;
	int r;

	if (wf_unlikely(ip->fragment == WF_FRAGMENT_LATER))
		return 0;
	if (ip->proto == IPPROTO_TCP) {
		if (wf_unlikely(ip->fragment && ip->l4 + WF_TCP_MIN_BYTES > ip->end))
			return wf_malformed_ip(ip);
		return 0;
	}
	if (ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_ICMPV6 && ip->proto != IPPROTO_ICMP)
		return 0;
	r = wf_load_l4(ctx, ip, &l4);
	if (r < 0)
		return r;
	if (ip->proto == IPPROTO_UDP) {
		__u32 server = ip->version == 4 ? WF_PORT_DHCP_SERVER : WF_PORT_DHCP6_SERVER;

		return bpf_ntohs(l4.sport) == server ? -WF_REASON_DHCP_SERVER : 0;
	}
	if (ip->proto == IPPROTO_ICMPV6)
		return ip->version == 6 ? wf_check_icmp6(ip, &l4) : 0;
	if (ip->version == 4 && l4.type == WF_ICMP4_REDIRECT)
		return -WF_REASON_ND_REDIRECT;
	if (ip->version == 4 && l4.type == WF_ICMP4_ROUTER_ADVERT)
		return -WF_REASON_ROUTER_ADVERT;
	return 0;
}

/*
 * Judges the transport header of a packet from the host, whose own stack is trusted with all
 * but the link's messages: 0 or -reason.
 */
static __always_inline int wf_check_host_transport(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	struct wf_l4 l4;
	int r;

	if (ip->version == 4 || ip->proto != IPPROTO_ICMPV6 || ip->fragment == WF_FRAGMENT_LATER)
		return 0;
	r = wf_load_l4(ctx, ip, &l4);
	if (r == 0)
		r = wf_check_icmp6(ip, &l4);
	return r > 0 ? -wf_link_icmp6_reason(r) : r;
}

#endif
