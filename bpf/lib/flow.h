/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a packet to the tuple under which its connection is known. An ICMP error belongs to the
 * connection of the packet that it quotes, and a later fragment to that of its first one.
 */
#ifndef WEFT_BPF_FLOW_H
#define WEFT_BPF_FLOW_H

#include <weft/abi/conn.h>

#include "packet.h"
#include "transport.h"

#define WF_UDP_BYTES      8
#define WF_SCTP_MIN_BYTES 12
#define WF_ICMP_BYTES     8

#define WF_ICMP4_ECHO_REPLY    0
#define WF_ICMP4_UNREACHABLE   3
#define WF_ICMP4_SOURCE_QUENCH 4
#define WF_ICMP4_ECHO          8
#define WF_ICMP4_TIME_EXCEEDED 11
#define WF_ICMP4_PARAMETER     12

#define WF_ICMP6_UNREACHABLE 1
#define WF_ICMP6_PARAMETER   4 /* the last one of the errors in use */
#define WF_ICMP6_ECHO        128
#define WF_ICMP6_ECHO_REPLY  129

/* How long the ports of a first fragment are good for: as long as stacks wait for the others. */
#define WF_FRAGMENT_TICKS 30
/* How long a later fragment waits for its first one: what paths delay is over within a second. */
#define WF_HELD_TICKS 1

/* Fragments that are not in order; see bpf/hold.h. */
enum wf_turn {
	WF_TURN_NONE,
	WF_TURN_WAITS, /* a later one whose first one was not seen */
	WF_TURN_FREES, /* a first one for which others wait */
};

struct wf_flow {
	struct wf_tuple tuple; /* ICMP error: of the quoted packet, turned round */
	__u32 l4;              /* offset of the transport header; 0: a later fragment, has none */
	__u32 ports;           /* offset of the ports or echo identifier; 0: none here */
	__u32 tcp_flags;
	__u32 error_ip; /* ICMP error: offset of the quoted packet's IP header; otherwise 0 */
	__u32 error_l4; /* ICMP error: offset of the quoted packet's transport header */
	__u32 turn;     /* enum wf_turn */
};

/* The TCP header up to its checksum. */
struct wf_tcp {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 data_offset; /* of 4 bytes, upper nibble */
	__u8 flags;
	__be16 window;
};

/* Whether the type is that of an ICMP error that quotes a packet. */
static __always_inline int wf_is_icmp_error(__u32 version, __u32 type)
{
	if (version == 6)
		return type >= WF_ICMP6_UNREACHABLE && type <= WF_ICMP6_PARAMETER;
	return type == WF_ICMP4_UNREACHABLE || type == WF_ICMP4_SOURCE_QUENCH ||
	       type == WF_ICMP4_TIME_EXCEEDED || type == WF_ICMP4_PARAMETER;
}

/* Echo: the identifier is the port of the side that asked. Other messages have no ports. */
static __always_inline void wf_flow_echo(__u32 version, const struct wf_l4 *l4, __u32 offset,
					 struct wf_flow *flow)
{
	__u32 request = version == 6 ? WF_ICMP6_ECHO : WF_ICMP4_ECHO;
	__u32 reply = version == 6 ? WF_ICMP6_ECHO_REPLY : WF_ICMP4_ECHO_REPLY;
	__be16 id;

	__builtin_memcpy(&id, &l4->rest, sizeof(id));
	if (l4->type == request)
		flow->tuple.sport = id;
	else if (l4->type == reply)
		flow->tuple.dport = id;
	else
		return;
	flow->ports = offset + __builtin_offsetof(struct wf_l4, rest);
}

/* The header of the packet inside an error: 0, or -NAT_UNRELATED when it is of no use. */
static __always_inline int wf_flow_quoted_ip4(struct wf_ctx *ctx, const struct wf_ip *ip,
					      struct wf_flow *flow)
{
	struct iphdr header;

	if (flow->error_ip + sizeof(header) > ip->end ||
	    wf_ctx_load(ctx, flow->error_ip, &header, sizeof(header)) < 0 || header.version != 4 ||
	    header.ihl < 5 || header.frag_off & bpf_htons(0x1fff))
		return -WF_REASON_NAT_UNRELATED;
	wf_addr_set_ip4(&flow->tuple.src, header.daddr);
	wf_addr_set_ip4(&flow->tuple.dst, header.saddr);
	flow->tuple.proto = header.protocol;
	flow->error_l4 = flow->error_ip + header.ihl * 4;
	return 0;
}

/* Nobody puts extension headers in front of what NAT can translate, fragments apart. */
static __always_inline int wf_flow_quoted_ip6(struct wf_ctx *ctx, const struct wf_ip *ip,
					      struct wf_flow *flow)
{
	struct ipv6hdr header;

	if (flow->error_ip + sizeof(header) > ip->end ||
	    wf_ctx_load(ctx, flow->error_ip, &header, sizeof(header)) < 0 || header.version != 6)
		return -WF_REASON_NAT_UNRELATED;
	wf_addr_set_ip6(&flow->tuple.src, &header.daddr);
	wf_addr_set_ip6(&flow->tuple.dst, &header.saddr);
	/* among these are the mapped ones, which would be taken for IPv4 */
	if (!flow->tuple.src.halves[0] || !flow->tuple.dst.halves[0])
		return -WF_REASON_NAT_UNRELATED;
	flow->tuple.proto = header.nexthdr;
	flow->error_l4 = flow->error_ip + sizeof(header);
	return 0;
}

/*
 * An ICMP error: fills in the tuple of the packet inside, turned round. 0 or -NAT_UNRELATED. An
 * error that goes to somebody else than the sender of that packet is not believed.
 */
WF_GLOBAL int wf_flow_read_error(struct wf_ctx *ctx, const struct wf_ip *ip, struct wf_flow *flow)
{
	struct wf_tuple *tuple = &flow->tuple;
	struct wf_l4 l4;
	int r;

	if (!ip || !flow)
		return -WF_REASON_INTERNAL_ERROR;
	flow->error_ip = ip->l4 + WF_ICMP_BYTES;
	r = ip->version == 4 ? wf_flow_quoted_ip4(ctx, ip, flow)
			     : wf_flow_quoted_ip6(ctx, ip, flow);
	if (r < 0)
		return r;
	if (!wf_addr_same(&tuple->dst, &ip->dst) || flow->error_l4 + sizeof(l4) > ip->end ||
	    wf_ctx_load(ctx, flow->error_l4, &l4, sizeof(l4)) < 0)
		return -WF_REASON_NAT_UNRELATED;
	if (tuple->proto == IPPROTO_TCP || tuple->proto == IPPROTO_UDP ||
	    tuple->proto == IPPROTO_SCTP) {
		tuple->sport = l4.dport;
		tuple->dport = l4.sport;
		flow->ports = flow->error_l4;
	} else if (tuple->proto == (ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		__be16 id;

		wf_flow_echo(ip->version, &l4, flow->error_l4, flow);
		id = tuple->sport;
		tuple->sport = tuple->dport;
		tuple->dport = id;
	}
	return 0;
}

static __always_inline void wf_fragment_key(const struct wf_ip *ip, const struct wf_flow *flow,
					    struct wf_fragment_key *ret_key)
{
	ret_key->src = ip->src;
	ret_key->dst = ip->dst;
	ret_key->id = ip->id;
	ret_key->proto = ip->proto;
	ret_key->site = flow->tuple.site;
	ret_key->scope = flow->tuple.scope;
}

/* What the first fragment of the packet left, NULL: it was not seen. */
static __always_inline struct wf_fragment_value *wf_fragment_find(const struct wf_fragment_key *key)
{
	struct wf_fragment_value *value = wf_map_fragment(key);

	/* identifiers come round again: what is old belongs to another packet */
	return value && wf_now_tick() - value->tick <= WF_FRAGMENT_TICKS ? value : NULL;
}

static __always_inline int wf_fragment_same(const struct wf_fragment_key *a,
					    const struct wf_fragment_key *b)
{
	return wf_addr_same(&a->src, &b->src) && wf_addr_same(&a->dst, &b->dst) && a->id == b->id &&
	       a->proto == b->proto && a->site == b->site && a->scope == b->scope;
}

/* A search for fragments that wait. */
struct wf_held_search {
	struct wf_fragment_key key;
	__u32 found;
};

/* Step of wf_loop(): 1 when the place holds a fragment of the packet. */
static long wf_held_step(__u32 i, void *data)
{
	struct wf_held_search *search = data;
	struct wf_held_value *held = wf_map_held();
	struct wf_held_frame *frame;

	if (!held || i >= WF_MAX_HELD || wf_read32(&held->places[i].state) != WF_HELD_WAITS)
		return 0;
	frame = wf_map_held_frame(i);
	search->found |= frame && wf_fragment_same(&frame->key, &search->key);
	return search->found;
}

/*
 * Whether later fragments of the packet wait for the first one. The first look is an operation that
 * orders: who waits looks for the ports after it said so, who brings them looks after it left them.
 */
static __always_inline int wf_held_any(const struct wf_fragment_key *key)
{
	struct wf_held_value *held = wf_map_held();
	__u32 tick = held ? wf_atomic_or32(&held->tick, 0) : 0;
	struct wf_held_search search = { .key = *key };

	if (wf_likely(!tick || wf_now_tick() - tick > 1 + WF_HELD_TICKS))
		return 0;
	wf_loop(WF_MAX_HELD, wf_held_step, &search);
	return search.found;
}

/* A first fragment: its ports are those of the later ones, too. */
WF_GLOBAL int wf_flow_keep_ports(const struct wf_ip *ip, struct wf_flow *flow)
{
	struct wf_fragment_value value = { .tick = wf_now_tick() };
	struct wf_fragment_key key;

	if (!ip || !flow)
		return -WF_REASON_INTERNAL_ERROR;
	value.sport = flow->tuple.sport;
	value.dport = flow->tuple.dport;
	wf_fragment_key(ip, flow, &key);
	wf_map_fragment_set(&key, &value);
	flow->turn = wf_held_any(&key) ? WF_TURN_FREES : WF_TURN_NONE;
	return 0;
}

/* A later fragment: 0, or -NAT_FRAGMENT when the first one was not seen. */
WF_GLOBAL int wf_flow_recall_ports(const struct wf_ip *ip, struct wf_flow *flow)
{
	struct wf_fragment_value *value;
	struct wf_fragment_key key;

	if (!ip || !flow)
		return -WF_REASON_INTERNAL_ERROR;
	wf_fragment_key(ip, flow, &key);
	value = wf_fragment_find(&key);
	if (!value) {
		flow->turn = WF_TURN_WAITS;
		return -WF_REASON_NAT_FRAGMENT;
	}
	flow->tuple.sport = value->sport;
	flow->tuple.dport = value->dport;
	return 0;
}

/* Reads the start of a transport header; from where it nearly always is without a call. */
static __always_inline int wf_flow_load(struct wf_ctx *ctx, const struct wf_ip *ip, void *to,
					__u32 len)
{
	const void *data = wf_ctx_data(ctx), *end = wf_ctx_end(ctx);

	if (ip->l4 == WF_L4_PLAIN_IPV4 && data + WF_L4_PLAIN_IPV4 + len <= end)
		wf_copy(to, data + WF_L4_PLAIN_IPV4, len);
	else if (ip->l4 == WF_L4_PLAIN_IPV6 && data + WF_L4_PLAIN_IPV6 + len <= end)
		wf_copy(to, data + WF_L4_PLAIN_IPV6, len);
	else
		return wf_ctx_load(ctx, ip->l4, to, len);
	return 0;
}

static __always_inline int wf_flow_read_tcp(struct wf_ctx *ctx, const struct wf_ip *ip,
					    struct wf_flow *flow)
{
	struct wf_tcp tcp;

	if (ip->l4 + WF_TCP_MIN_BYTES > ip->end || wf_flow_load(ctx, ip, &tcp, sizeof(tcp)) < 0)
		return wf_malformed_ip(ip);
	flow->tuple.sport = tcp.sport;
	flow->tuple.dport = tcp.dport;
	flow->tcp_flags = tcp.flags;
	flow->ports = ip->l4;
	return 0;
}

/* UDP, SCTP, ICMP of either version. */
static __always_inline int wf_flow_read_other(struct wf_ctx *ctx, const struct wf_ip *ip,
					      struct wf_flow *flow)
{
	__u32 least = ip->proto == IPPROTO_SCTP ? WF_SCTP_MIN_BYTES : sizeof(struct wf_l4);
	struct wf_l4 l4;

	if (ip->l4 + least > ip->end || wf_flow_load(ctx, ip, &l4, sizeof(l4)) < 0)
		return wf_malformed_ip(ip);
	if (ip->proto == IPPROTO_UDP || ip->proto == IPPROTO_SCTP) {
		flow->tuple.sport = l4.sport;
		flow->tuple.dport = l4.dport;
		flow->ports = ip->l4;
		return 0;
	}
	if (ip->proto != (ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return 0;
	if (wf_is_icmp_error(ip->version, l4.type))
		return wf_flow_read_error(ctx, ip, flow);
	wf_flow_echo(ip->version, &l4, ip->l4, flow);
	return 0;
}

/* Where a packet is seen, as programs ask for its flow: a site, and the scope of its addresses. */
#define WF_PLACE(site, scope) ((site) | (__u32)(scope) << 16)

/*
 * Fills in the flow of a packet whose headers were parsed: 0 or -reason. place: WF_PLACE(); a site
 * alone is one in the host's scope. Protocols that NAT does not know have ports 0. The packet is not
 * changed.
 */
static __always_inline int wf_flow_read_here(struct wf_ctx *ctx, const struct wf_ip *ip,
					     __u32 place, struct wf_flow *ret_flow)
{
	int r = 0;

	__builtin_memset(ret_flow, 0, sizeof(*ret_flow));
	ret_flow->tuple.src = ip->src;
	ret_flow->tuple.dst = ip->dst;
	ret_flow->tuple.proto = ip->proto;
	ret_flow->tuple.site = place;
	ret_flow->tuple.scope = place >> 16;
	if (wf_unlikely(ip->fragment == WF_FRAGMENT_LATER))
		return wf_flow_recall_ports(ip, ret_flow);
	ret_flow->l4 = ip->l4;
	if (ip->proto == IPPROTO_TCP)
		r = wf_flow_read_tcp(ctx, ip, ret_flow);
	else if (ip->proto == IPPROTO_UDP || ip->proto == IPPROTO_SCTP ||
		 ip->proto == IPPROTO_ICMP || ip->proto == IPPROTO_ICMPV6)
		r = wf_flow_read_other(ctx, ip, ret_flow);
	if (wf_unlikely(ip->fragment && r == 0 && !ret_flow->error_ip))
		return wf_flow_keep_ports(ip, ret_flow);
	return r;
}

WF_GLOBAL int wf_flow_read(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 place,
			   struct wf_flow *ret_flow)
{
	return ip && ret_flow ? wf_flow_read_here(ctx, ip, place, ret_flow)
			      : -WF_REASON_INTERNAL_ERROR;
}

/*
 * The same where fragments can wait for each other: -NAT_FRAGMENT also for a first one that has
 * others to let go. The program that ends so leaves the packet to bpf/hold.h.
 */
static __always_inline int wf_flow_gather(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 place,
					  struct wf_flow *ret_flow)
{
	int r = wf_flow_read_here(ctx, ip, place, ret_flow);

	return r == 0 && wf_unlikely(ret_flow->turn) ? -WF_REASON_NAT_FRAGMENT : r;
}

#endif
