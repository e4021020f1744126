/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The IPv4 header and its options. */
#ifndef WEFT_BPF_IPV4_H
#define WEFT_BPF_IPV4_H

#include "packet.h"

#define WF_IP4_MIN_BYTES   20
#define WF_IP4_MORE        0x2000 /* more fragments follow */
#define WF_IP4_OFFSET      0x1fff
#define WF_IP4_MAX_OPTIONS 40 /* bytes, so also the largest number of options */

#define WF_IP4_OPTION_END         0
#define WF_IP4_OPTION_NOP         1
#define WF_IP4_OPTION_LOOSE_ROUTE 131
#define WF_IP4_OPTION_STRICT      137

/* A walk over the options of a packet. */
struct wf_option_walk {
	__u8 options[WF_IP4_MAX_OPTIONS + 4];
	__u32 bytes; /* of them */
	__u32 next;  /* where the next one starts */
	int result;  /* 0 or -reason */
};

/* Step of wf_loop(): takes one option. The end must be met exactly. */
static long wf_option_step(__u32 i, void *data)
{
	struct wf_option_walk *walk = data;
	__u32 at = walk->next, kind, units;

	(void)i;
	if (at >= walk->bytes || at >= WF_IP4_MAX_OPTIONS) {
		walk->result = at == walk->bytes ? 0 : -WF_REASON_MALFORMED_IPV4;
		return 1;
	}
	kind = walk->options[at];
	units = kind == WF_IP4_OPTION_NOP ? 1 : walk->options[at + 1];
	if (kind == WF_IP4_OPTION_END) {
		walk->result = 0;
		return 1;
	}
	if (kind == WF_IP4_OPTION_LOOSE_ROUTE || kind == WF_IP4_OPTION_STRICT)
		walk->result = -WF_REASON_SOURCE_ROUTE;
	else if (kind != WF_IP4_OPTION_NOP && units < 2)
		walk->result = -WF_REASON_MALFORMED_IPV4;
	walk->next = at + units;
	return walk->result != 0;
}

/* Looks at the `bytes` of options of the header at `l3`. 0 or -reason. */
WF_GLOBAL int wf_read_options(struct wf_ctx *ctx, __u32 l3, __u32 bytes)
{
	struct wf_option_walk walk = { .bytes = bytes, .next = wf_opaque(0) };

	WF_UNROLL
	for (__u32 i = 0; i < WF_IP4_MAX_OPTIONS; i += 4)
		if (i < bytes &&
		    wf_ctx_load(ctx, l3 + WF_IP4_MIN_BYTES + i, &walk.options[i], 4) < 0)
			return -WF_REASON_MALFORMED_IPV4;
	wf_loop(WF_IP4_MAX_OPTIONS + 1, wf_option_step, &walk);
	return walk.result;
}

/* Checks the options of a packet whose header was taken, if it has any; 0 or -reason. */
static __always_inline int wf_check_options(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__u32 bytes = ip->l4 - ip->l3 - WF_IP4_MIN_BYTES;

	if (wf_likely(ip->version != 4 || !bytes))
		return 0;
	return wf_read_options(ctx, ip->l3, bytes);
}

/*
 * Takes the IPv4 header, options unseen: 0 or -reason. A total length of 0 is what a packet of
 * more than 64 KiB that is still to be segmented carries (BIG TCP).
 */
static __always_inline int wf_parse_ipv4(struct wf_ctx *ctx, struct wf_cursor *cursor,
					 struct wf_ip *ret_ip)
{
	const struct iphdr *header = cursor->pos;
	__u32 len = wf_ctx_len(ctx);
	__u32 header_bytes, total, fragment;

	if ((void *)(header + 1) > cursor->end)
		return -WF_REASON_MALFORMED_IPV4;
	header_bytes = header->ihl * 4;
	total = bpf_ntohs(header->tot_len);
	fragment = bpf_ntohs(header->frag_off);
	if (header->version != 4 || header_bytes < WF_IP4_MIN_BYTES)
		return -WF_REASON_MALFORMED_IPV4;
	if (wf_unlikely(!total) && wf_ctx_gso_bytes(ctx))
		total = len - cursor->l3;
	if (total < header_bytes || cursor->l3 + total > len)
		return -WF_REASON_MALFORMED_IPV4;
	wf_addr_set_ip4(&ret_ip->src, header->saddr);
	wf_addr_set_ip4(&ret_ip->dst, header->daddr);
	ret_ip->version = 4;
	ret_ip->proto = header->protocol;
	ret_ip->l3 = cursor->l3;
	ret_ip->l4 = cursor->l3 + header_bytes;
	ret_ip->end = cursor->l3 + total;
	ret_ip->extension = 0;
	ret_ip->fragment = WF_FRAGMENT_NONE;
	ret_ip->id = 0;
	ret_ip->check = header->check;
	if (wf_unlikely(fragment & (WF_IP4_MORE | WF_IP4_OFFSET))) {
		ret_ip->fragment = fragment & WF_IP4_OFFSET ? WF_FRAGMENT_LATER : WF_FRAGMENT_FIRST;
		ret_ip->id = header->id;
	}
	return 0;
}

#endif
