/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where the index of connections has the references to a tuple. Programs and daemon reckon it alike,
 * so it is here: arithmetic without any memory but its arguments.
 */
#ifndef WEFT_ABI_CONN_PLACE_H
#define WEFT_ABI_CONN_PLACE_H

#include <weft/abi/conn.h>

#define WF_CONN_INLINE static inline __attribute__((__always_inline__))

#define WF_CONN_HASH_SPREAD 0x9e3779b97f4a7c15ULL
#define WF_CONN_HASH_BUCKET 29 /* lowest bit of the hash that chooses the bucket */
#define WF_CONN_HASH_TAG    57 /* and of the tag: the seven uppermost */
#define WF_CONN_RUN_TAG     9  /* lowest bit of the port that tells the tags of one run apart */

/* A place in the index. */
struct wf_conn_place {
	__u32 bucket;
	__u32 tag; /* as it is in a reference */
};

/* Whether one reference stands for the tuples at both. */
WF_CONN_INLINE int wf_conn_place_same(struct wf_conn_place a, struct wf_conn_place b)
{
	return a.bucket == b.bucket && a.tag == b.tag;
}

WF_CONN_INLINE __u32 wf_conn_port(__be16 port)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(port) : port;
}

/* Keeps the compiler from knowing what a value can be, of which it would make a branch. */
#define WF_CONN_OPAQUE(value) __asm__("" : "+r"(value))

/*
 * Whether the end that receives comes first: the one with the higher port, which is the client's as
 * good as always. All bits or none, reckoned without a branch unless the ports are the same: packets
 * go there and back by turns, so that a processor would guess wrong half of the time.
 */
WF_CONN_INLINE __u64 wf_conn_is_turned(const struct wf_tuple *tuple)
{
	__s64 order = (__s64)wf_conn_port(tuple->sport) - wf_conn_port(tuple->dport);
	const __u64 *src = tuple->src.halves, *dst = tuple->dst.halves;
	__u64 turned;

	if (!order)
		order = -(src[1] != dst[1] ? src[1] < dst[1] : src[0] < dst[0]);
	WF_CONN_OPAQUE(order);
	turned = (__u64)(order >> 63);
	WF_CONN_OPAQUE(turned);
	return turned;
}

/* A term of the hash: two words, each moved by a key. */
WF_CONN_INLINE __u64 wf_conn_term(const __u32 *keys, __u32 a, __u32 b)
{
	return (__u64)(a + keys[0]) * (b + keys[1]);
}

WF_CONN_INLINE __u64 wf_conn_half(const __u32 *keys, __u64 half)
{
	return wf_conn_term(keys, (__u32)half, half >> 32);
}

/* Of half an address of either end, in order. */
WF_CONN_INLINE __u64 wf_conn_halves(const __u32 *keys, __u64 src, __u64 dst, __u64 turned)
{
	__u64 swap = (src ^ dst) & turned;

	return wf_conn_half(keys, src ^ swap) + wf_conn_half(keys + 4, dst ^ swap);
}

/*
 * Products of pairs of words, each word moved by a random key of its own (Black et al.: NH): two
 * tuples meet with a probability of 2^-32 over the keys, whoever chose them without knowing the
 * keys. The multiplication brings all of the sum into the upper bits.
 */
WF_CONN_INLINE __u64 wf_conn_spread(__u64 sum)
{
	return (sum ^ sum >> 32) * WF_CONN_HASH_SPREAD;
}

/*
 * In runs: both directions of a connection that is not translated are at one place, and each client,
 * server and port of the server has a run of neighbours, through which the ports of the client lead.
 * Stacks give them out one after the other: what a connection needs was fetched with the last one.
 */
WF_CONN_INLINE struct wf_conn_place wf_conn_place_run(const struct wf_conn_state *state,
						      const struct wf_tuple *tuple)
{
	const __u64 *src = tuple->src.halves, *dst = tuple->dst.halves;
	__u64 turned = wf_conn_is_turned(tuple);
	__u64 sum = wf_conn_halves(state->keys, src[0], dst[0], turned) +
		    wf_conn_halves(state->keys + 2, src[1], dst[1], turned);
	__u32 sport = wf_conn_port(tuple->sport), dport = wf_conn_port(tuple->dport);
	__u32 swap = (sport ^ dport) & (__u32)turned, run = sport ^ swap;
	__u32 rest = tuple->proto | (__u32)tuple->site << 8 | (__u32)tuple->scope << 16;
	__u64 hash = wf_conn_spread(sum + wf_conn_term(state->keys + 8, dport ^ swap, rest));

	return (struct wf_conn_place){
		.bucket = ((__u32)(hash >> WF_CONN_HASH_BUCKET) + run) & (state->buckets - 1),
		.tag = ((__u32)(hash >> WF_CONN_HASH_TAG) + (run >> WF_CONN_RUN_TAG))
		       << WF_CONN_REF_TAG,
	};
}

/* In tables that were made before there were runs: every tuple by itself. */
WF_CONN_INLINE struct wf_conn_place wf_conn_place_lone(const struct wf_conn_state *state,
						       const struct wf_tuple *tuple)
{
	const __u32 *src = tuple->src.words, *dst = tuple->dst.words;
	__u64 hash;
	__u32 tail[2];

	__builtin_memcpy(tail, (const char *)tuple + 2 * sizeof(tuple->src), sizeof(tail));
	hash = wf_conn_spread(wf_conn_term(state->keys, src[0], src[1]) +
			      wf_conn_term(state->keys + 2, src[2], src[3]) +
			      wf_conn_term(state->keys + 4, dst[0], dst[1]) +
			      wf_conn_term(state->keys + 6, dst[2], dst[3]) +
			      wf_conn_term(state->keys + 8, tail[0], tail[1]));
	return (struct wf_conn_place){
		.bucket = (__u32)(hash >> WF_CONN_HASH_BUCKET) & (state->buckets - 1),
		.tag = (__u32)(hash >> WF_CONN_HASH_TAG) << WF_CONN_REF_TAG,
	};
}

/* The place of a tuple. */
WF_CONN_INLINE struct wf_conn_place wf_conn_place(const struct wf_conn_state *state,
						  const struct wf_tuple *tuple)
{
	return state->layout == WF_CONN_LAYOUT_RUNS ? wf_conn_place_run(state, tuple)
						    : wf_conn_place_lone(state, tuple);
}

#endif
