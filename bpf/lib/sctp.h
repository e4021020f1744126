/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * SCTP behind a translation. Its CRC covers everything behind the IP header and is corrected for
 * words that change. An endpoint names all its addresses in INIT or INIT ACK, and the other end
 * then uses them as well; of a translated association one address alone leads back, the packet's.
 * So the others are made padding (RFC 4820), which every receiver skips: the association has one
 * path, the translated one.
 */
#ifndef WEFT_BPF_SCTP_H
#define WEFT_BPF_SCTP_H

#include "crc32c.h"
#include "flow.h"

#define WF_SCTP_CRC_OFFSET 8

/* Chunks: behind the common header, and in INIT and INIT ACK what stands before parameters. */
#define WF_SCTP_CHUNK_OFFSET 12
#define WF_SCTP_INIT_BYTES   20
#define WF_SCTP_INIT         1
#define WF_SCTP_INIT_ACK     2

/* Parameters (RFC 9260, 3.3.2.1; RFC 4820) are of this many bytes at least, and of whole words. */
#define WF_SCTP_PARAM_BYTES 4
#define WF_SCTP_PARAM_IPV4  5
#define WF_SCTP_PARAM_IPV6  6
#define WF_SCTP_PARAM_PAD   0x8005

/* More parameters than that no packet holds. */
#define WF_SCTP_PARAMS (65536 / WF_SCTP_PARAM_BYTES)

struct wf_sctp_chunk {
	__u8 type;
	__u8 flags;
	__be16 bytes;
};

struct wf_sctp_param {
	__be16 type;
	__be16 bytes;
};

/* A walk over the parameters of a chunk. */
struct wf_sctp_walk {
	struct wf_ctx *ctx;
	__u32 at;     /* the next one */
	__u32 end;    /* of the chunk */
	__u32 packet; /* the packet's end */
	__u32 l4;     /* the common header */
	__u32 failed;
};

/*
 * Corrects the CRC of the packet with its common header at `l4` for a word that changed by `change`,
 * `bytes` before the packet's end. Where it is 0 the device will compute it, or nobody does (RFC
 * 9653). 0 or -1.
 */
WF_GLOBAL int wf_sctp_correct(struct wf_ctx *ctx, __u32 l4, __u32 change, __u32 bytes)
{
	__u32 crc;

	if (wf_ctx_load(ctx, l4 + WF_SCTP_CRC_OFFSET, &crc, sizeof(crc)) < 0)
		return -1;
	if (!crc)
		return 0;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		crc ^= wf_crc32c_change(change, bytes);
	else
		crc ^= __builtin_bswap32(wf_crc32c_change(__builtin_bswap32(change), bytes));
	return wf_ctx_store(ctx, l4 + WF_SCTP_CRC_OFFSET, &crc, sizeof(crc)) < 0 ? -1 : 0;
}

/* Makes a parameter padding: 0 or -1. */
static __always_inline int wf_sctp_pad(const struct wf_sctp_walk *walk,
				       const struct wf_sctp_param *param)
{
	const struct wf_sctp_param pad = { bpf_htons(WF_SCTP_PARAM_PAD), param->bytes };
	__u32 from, to;

	__builtin_memcpy(&from, param, sizeof(from));
	__builtin_memcpy(&to, &pad, sizeof(to));
	if (wf_ctx_store(walk->ctx, walk->at, &pad, sizeof(pad)) < 0)
		return -1;
	return wf_sctp_correct(walk->ctx, walk->l4, from ^ to, walk->packet - walk->at);
}

/* Step of wf_loop(): 1 behind the last parameter, or one that is none. */
static long wf_sctp_param_step(__u32 i, void *data)
{
	struct wf_sctp_walk *walk = data;
	struct wf_sctp_param param;
	__u32 bytes;

	(void)i;
	if (walk->at + sizeof(param) > walk->end ||
	    wf_ctx_load(walk->ctx, walk->at, &param, sizeof(param)) < 0)
		return 1;
	bytes = bpf_ntohs(param.bytes);
	if (bytes < WF_SCTP_PARAM_BYTES)
		return 1;
	if ((param.type == bpf_htons(WF_SCTP_PARAM_IPV4) ||
	     param.type == bpf_htons(WF_SCTP_PARAM_IPV6)) &&
	    wf_sctp_pad(walk, &param) < 0) {
		walk->failed = 1;
		return 1;
	}
	walk->at += (bytes + WF_SCTP_PARAM_BYTES - 1) & ~(WF_SCTP_PARAM_BYTES - 1);
	return 0;
}

/*
 * Takes the addresses out of a packet that opens an association; others are left as they are. 0 or
 * -reason.
 */
WF_GLOBAL int wf_sctp_narrow(struct wf_ctx *ctx, const struct wf_ip *ip, const struct wf_flow *flow)
{
	struct wf_sctp_walk walk = { .ctx = ctx };
	struct wf_sctp_chunk chunk;
	__u32 start;

	if (!ip || !flow)
		return -WF_REASON_INTERNAL_ERROR;
	start = flow->l4 + WF_SCTP_CHUNK_OFFSET;
	if (start + sizeof(chunk) > ip->end || wf_ctx_load(ctx, start, &chunk, sizeof(chunk)) < 0 ||
	    (chunk.type != WF_SCTP_INIT && chunk.type != WF_SCTP_INIT_ACK))
		return 0;
	walk.l4 = flow->l4;
	walk.packet = ip->end;
	walk.at = start + WF_SCTP_INIT_BYTES;
	walk.end = start + bpf_ntohs(chunk.bytes);
	if (walk.end > ip->end)
		walk.end = ip->end;
	wf_loop(WF_SCTP_PARAMS, wf_sctp_param_step, &walk);
	return walk.failed ? -WF_REASON_INTERNAL_ERROR : 0;
}

#endif
