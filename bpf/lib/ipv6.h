/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The IPv6 header and the chain of extension headers behind it. */
#ifndef WEFT_BPF_IPV6_H
#define WEFT_BPF_IPV6_H

#include "packet.h"

/* A chain longer than this is refused; the longest sensible one has four. */
#define WF_IP6_MAX_EXTENSIONS 6

#define WF_IP6_FRAGMENT_OFFSET 0xfff8

/* The first eight bytes of any extension header. */
struct wf_extension {
	__u8 next;
	__u8 units; /* of 8 bytes, the first not counted; reserved in the fragment header */
	__u8 kind;  /* routing header: its type */
	__u8 left;  /* routing header: segments left */
	__u8 last[4];
};

static __always_inline int wf_is_extension(__u32 proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_DSTOPTS;
}

/* A routing header: only one that is used up may pass. 0 or -reason. */
static __always_inline int wf_check_routing(const struct wf_extension *extension)
{
	if (extension->kind == 0)
		return -WF_REASON_EXTENSION_HEADER;
	return extension->left ? -WF_REASON_SOURCE_ROUTE : 0;
}

/* A fragment header: one at most. 0 or -reason. */
static __always_inline int wf_take_fragment(const struct wf_extension *extension, struct wf_ip *ip)
{
	__u32 offset = (__u32)extension->kind << 8 | extension->left;

	if (ip->fragment != WF_FRAGMENT_NONE)
		return -WF_REASON_EXTENSION_HEADER;
	ip->fragment = offset & WF_IP6_FRAGMENT_OFFSET ? WF_FRAGMENT_LATER : WF_FRAGMENT_FIRST;
	__builtin_memcpy(&ip->id, extension->last, sizeof(ip->id));
	return 0;
}

/*
 * Takes the extension header at ip->l4 and moves to the next. 0 or -reason. The first fragment
 * must hold the whole chain (RFC 7112): what lies behind its end cannot be judged.
 */
static __always_inline int wf_take_extension(struct wf_ctx *ctx, struct wf_ip *ip)
{
	struct wf_extension extension;
	__u32 bytes;
	int r = 0;

	if (ip->l4 + sizeof(extension) > ip->end ||
	    wf_ctx_load(ctx, ip->l4, &extension, sizeof(extension)) < 0)
		return ip->fragment ? -WF_REASON_EXTENSION_HEADER : -WF_REASON_MALFORMED_IPV6;
	bytes = 8 * (1 + (__u32)extension.units);
	/* hop-by-hop options stand first or not at all */
	if (ip->proto == IPPROTO_HOPOPTS && ip->extension)
		r = -WF_REASON_EXTENSION_HEADER;
	else if (ip->proto == IPPROTO_ROUTING)
		r = wf_check_routing(&extension);
	else if (ip->proto == IPPROTO_FRAGMENT) {
		r = wf_take_fragment(&extension, ip);
		bytes = 8;
	}
	ip->l4 += bytes;
	ip->proto = extension.next;
	ip->extension = 1;
	return r;
}

/* Walks to the transport header. 0 or -reason. */
static __always_inline int wf_walk_extensions(struct wf_ctx *ctx, struct wf_ip *ip)
{
	for (int i = 0; i < WF_IP6_MAX_EXTENSIONS; i++) {
		int r = wf_take_extension(ctx, ip);

		if (r < 0)
			return r;
		if (ip->fragment == WF_FRAGMENT_LATER || !wf_is_extension(ip->proto))
			return 0;
	}
	return -WF_REASON_EXTENSION_HEADER;
}

/*
 * Takes the IPv6 header, extensions unseen: 0 or -reason. A payload length of 0 is that of a
 * packet of more than 64 KiB still to be segmented (BIG TCP), or of one that ends here.
 * Addresses in ::/64 are refused here already, except :: as a source: among them are the mapped
 * ones, which the address table holds for IPv4.
 */
static __always_inline int wf_parse_ipv6_header(struct wf_ctx *ctx, struct wf_cursor *cursor,
						struct wf_ip *ret_ip)
{
	const struct ipv6hdr *header = cursor->pos;
	__u32 len = wf_ctx_len(ctx);
	__u32 payload;

	if ((void *)(header + 1) > cursor->end || header->version != 6)
		return -WF_REASON_MALFORMED_IPV6;
	payload = bpf_ntohs(header->payload_len);
	if (wf_unlikely(!payload)) {
		if (wf_ctx_gso_bytes(ctx))
			payload = len - cursor->l3 - sizeof(*header);
		else if (header->nexthdr != IPPROTO_NONE)
			return -WF_REASON_MALFORMED_IPV6;
	}
	if (cursor->l3 + sizeof(*header) + payload > len)
		return -WF_REASON_MALFORMED_IPV6;
	wf_addr_set_ip6(&ret_ip->src, &header->saddr);
	wf_addr_set_ip6(&ret_ip->dst, &header->daddr);
	ret_ip->version = 6;
	ret_ip->proto = header->nexthdr;
	ret_ip->l3 = cursor->l3;
	ret_ip->l4 = cursor->l3 + sizeof(*header);
	ret_ip->end = cursor->l3 + sizeof(*header) + payload;
	ret_ip->id = 0;
	ret_ip->check = 0;
	ret_ip->fragment = WF_FRAGMENT_NONE;
	ret_ip->extension = 0;
	if (wf_unlikely(!ret_ip->dst.halves[0] ||
			(!ret_ip->src.halves[0] && ret_ip->src.halves[1])))
		return -WF_REASON_MARTIAN;
	return 0;
}

/* Takes the IPv6 header and its extensions: 0 or -reason. */
static __always_inline int wf_parse_ipv6(struct wf_ctx *ctx, struct wf_cursor *cursor,
					 struct wf_ip *ret_ip)
{
	int r = wf_parse_ipv6_header(ctx, cursor, ret_ip);

	if (r == 0 && wf_unlikely(wf_is_extension(ret_ip->proto)))
		r = wf_walk_extensions(ctx, ret_ip);
	return r;
}

#endif
