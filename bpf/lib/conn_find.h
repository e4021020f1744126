/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Looking into the table of connections: rules 2 and 3 of conn.h. */
#ifndef WEFT_BPF_CONN_FIND_H
#define WEFT_BPF_CONN_FIND_H

#include "conn_record.h"

/* wf_conn_rival(): the rival is in force, not only pending. */
#define WF_CONN_RIVAL_FORCE 0x80000000

/* What a packet needs to know of its connection. */
struct wf_conn_hit {
	__u32 index;
	__u32 guard; /* tells this life of the record from others */
	__u16 dir;   /* enum wf_dir: of this packet */
	__u16 phase; /* enum wf_conn_phase, before this packet */
	__u32 flags; /* enum wf_conn_flag */
	__u32 backend;
	__u32 service;
	__u32 owner;
	__u32 peer;
	struct wf_tuple to; /* how the packet shall look */
};

/*
 * A reference with the right tag: copies the record if either of its tuples is this one. 1 or 0. A
 * reference that stands for both tuples names one of them.
 */
WF_GLOBAL int wf_conn_read(__u32 ref, const struct wf_tuple *tuple, struct wf_conn_hit *ret_hit)
{
	__u32 index = ref & WF_CONN_REF_INDEX, dir = ref >> WF_CONN_REF_DIR & 1, guard;
	const struct wf_conn *conn = wf_map_conn(index);

	if (!conn || !tuple || !ret_hit)
		return 0;
	guard = wf_read32(&conn->guard);
	wf_barrier();
	if ((guard & WF_CONN_STAND) != WF_CONN_FORCE)
		return 0;
	if (!wf_tuple_same(&conn->tuple[dir], tuple)) {
		dir ^= 1;
		if (!wf_tuple_same(&conn->tuple[dir], tuple))
			return 0;
	}
	wf_tuple_turn(&conn->tuple[dir ^ 1], &ret_hit->to);
	ret_hit->index = index;
	ret_hit->guard = guard;
	ret_hit->dir = dir;
	ret_hit->flags = conn->flags;
	ret_hit->backend = conn->backend;
	ret_hit->service = conn->service;
	ret_hit->owner = conn->owner;
	ret_hit->peer = conn->peer;
	ret_hit->phase = conn->phase;
	wf_barrier();
	return wf_read32(&conn->guard) == guard;
}

/* As wf_conn_find_here(), of a tuple whose spot is known. */
static __always_inline int wf_conn_find_at(const struct wf_conn_spot *spot,
					   const struct wf_tuple *tuple,
					   struct wf_conn_hit *ret_hit)
{
	ret_hit->guard = 0;
	if (!spot->bucket)
		return 0;
	WF_NO_UNROLL
	for (__u32 i = 0; i < WF_CONN_BUCKET_REFS; i++) {
		__u32 ref = wf_read32(&spot->bucket->refs[i]);

		if (!ref || (ref & WF_CONN_REF_TAG_MASK) != spot->place.tag)
			continue;
		if (wf_conn_read(ref, tuple, ret_hit))
			return 1;
		ret_hit->guard = 0;
	}
	return 0;
}

/*
 * Whether the tuple is in force; if so *ret_hit says all about it, otherwise nothing but guard 0. 1
 * or 0.
 */
static __always_inline int wf_conn_find_here(const struct wf_tuple *tuple,
					     struct wf_conn_hit *ret_hit)
{
	struct wf_conn_state *state = wf_map_conn_state();
	struct wf_conn_spot spot;

	ret_hit->guard = 0;
	if (!state)
		return 0;
	spot = wf_conn_spot(state, tuple);
	return wf_conn_find_at(&spot, tuple, ret_hit);
}

/* For wf_conn_find(). */
WF_GLOBAL int wf_conn_search(const struct wf_tuple *tuple, struct wf_conn_hit *ret_hit)
{
	return tuple && ret_hit ? wf_conn_find_here(tuple, ret_hit) : 0;
}

/* The same by a call, for which the verifier wants all of *ret_hit written before. */
static __always_inline int wf_conn_find(const struct wf_tuple *tuple, struct wf_conn_hit *ret_hit)
{
	*ret_hit = (struct wf_conn_hit){};
	return wf_conn_search(tuple, ret_hit);
}

/* Whether the tuple is one of the record's. */
static __always_inline int wf_conn_has(const struct wf_conn *conn, const struct wf_tuple *tuple)
{
	return wf_tuple_same(&conn->tuple[WF_DIR_ORIGINAL], tuple) ||
	       wf_tuple_same(&conn->tuple[WF_DIR_REPLY], tuple);
}

/* Whether a reference leads to one of two tuples: 0, or the record's stand. */
WF_GLOBAL int wf_conn_stand_of(__u32 ref, const struct wf_tuple *tuple,
			       const struct wf_tuple *other)
{
	const struct wf_conn *conn = wf_map_conn(ref & WF_CONN_REF_INDEX);
	__u32 guard, again, stand;

	if (!conn || !tuple || !other)
		return 0;
	guard = wf_read32(&conn->guard);
	wf_barrier();
	stand = guard & WF_CONN_STAND;
	if (stand != WF_CONN_FORCE && stand != WF_CONN_PENDING)
		return 0;
	if (!wf_conn_has(conn, tuple) && !wf_conn_has(conn, other))
		return 0;
	wf_barrier();
	again = wf_read32(&conn->guard);
	if ((again ^ guard) & ~WF_CONN_STAND)
		return 0;
	stand = again & WF_CONN_STAND;
	return stand == WF_CONN_FORCE || stand == WF_CONN_PENDING ? stand : 0;
}

/* A record in the bucket other than `own` with either tuple, as wf_conn_rival() says it. */
static __always_inline int wf_conn_rival_at(const struct wf_conn_spot *spot,
					    const struct wf_tuple *tuple,
					    const struct wf_tuple *other, __u32 own)
{
	if (!spot->bucket)
		return 0;
	WF_NO_UNROLL
	for (__u32 i = 0; i < WF_CONN_BUCKET_REFS; i++) {
		__u32 ref = wf_read32(&spot->bucket->refs[i]);
		__u32 index = ref & WF_CONN_REF_INDEX, stand;

		if (!index || index == own || (ref & WF_CONN_REF_TAG_MASK) != spot->place.tag)
			continue;
		stand = wf_conn_stand_of(ref, tuple, other);
		if (stand)
			return index | (stand == WF_CONN_FORCE ? WF_CONN_RIVAL_FORCE : 0);
	}
	return 0;
}

/* A record other than `own` with the tuple, PENDING or in FORCE (WF_CONN_RIVAL_FORCE); 0: none. */
WF_GLOBAL int wf_conn_rival(const struct wf_tuple *tuple, __u32 own)
{
	struct wf_conn_state *state = wf_map_conn_state();
	struct wf_conn_spot spot;

	if (!state || !tuple)
		return 0;
	spot = wf_conn_spot(state, tuple);
	return wf_conn_rival_at(&spot, tuple, tuple, own);
}

/* Whether the tuple is in force, or about to be. */
static __always_inline int wf_conn_known(const struct wf_tuple *tuple)
{
	return wf_conn_rival(tuple, 0) != 0;
}

/* Connections in force. */
static __always_inline __u32 wf_conn_live(void)
{
	struct wf_conn_state *state = wf_map_conn_state();

	return state ? wf_read32(&state->live) : 0;
}

#endif
