/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The parts of the table of connections: the hash, the buckets of the index, the stand of one
 * record, its expiry and its counters. conn.h puts them together and states the protocol.
 */
#ifndef WEFT_BPF_CONN_RECORD_H
#define WEFT_BPF_CONN_RECORD_H

#include <linux/in.h>
#include <linux/in6.h>

#include <weft/abi/conn.h>
#include <weft/abi/conn_place.h>

#include "port.h"

#define WF_CONN_NS_PER_S     1000000000ULL
#define WF_CONN_REF_TAG_MASK 0xfe000000

/* A tuple as words. */
union wf_conn_bits {
	struct wf_tuple tuple;
	__u32 words[WF_CONN_KEYS];
	__u64 longs[WF_CONN_KEYS / 2];
};

_Static_assert(sizeof(union wf_conn_bits) == sizeof(struct wf_tuple), "wf_conn_bits");

/* Where the references to a tuple are. */
struct wf_conn_spot {
	struct wf_conn_bucket *bucket;
	struct wf_conn_place place;
};

static __always_inline int wf_tuple_same(const struct wf_tuple *a, const struct wf_tuple *b)
{
	const __u64 *x = ((const union wf_conn_bits *)a)->longs;
	const __u64 *y = ((const union wf_conn_bits *)b)->longs;

	/* what differs between connections of one service comes first */
	return x[4] == y[4] && x[1] == y[1] && x[3] == y[3] && x[0] == y[0] && x[2] == y[2];
}

/* The tuple of what goes the other way. */
static __always_inline void wf_tuple_turn(const struct wf_tuple *tuple, struct wf_tuple *ret_turned)
{
	ret_turned->src = tuple->dst;
	ret_turned->dst = tuple->src;
	ret_turned->sport = tuple->dport;
	ret_turned->dport = tuple->sport;
	ret_turned->proto = tuple->proto;
	ret_turned->site = tuple->site;
	ret_turned->scope = tuple->scope;
}

/* The spot of a tuple; bucket NULL when there is no table. */
static __always_inline struct wf_conn_spot wf_conn_spot(const struct wf_conn_state *state,
							const struct wf_tuple *tuple)
{
	struct wf_conn_spot spot = { .place = wf_conn_place(state, tuple) };

	spot.bucket = wf_map_conn_bucket(spot.place.bucket);
	return spot;
}

/* Asks for a line of memory that is needed later: nothing waits for a value that nobody uses. */
static __always_inline void wf_touch(const void *line)
{
	if (line)
		(void)wf_read32(line);
}

/* Changes the stand within one life; whether it was as expected. Orders all before and after. */
static __always_inline int wf_conn_turn(struct wf_conn *conn, __u32 guard, __u32 stand)
{
	__u32 next = (guard & ~WF_CONN_STAND) | stand;

	return wf_atomic_cas32(&conn->guard, guard, next) == guard;
}

/* Takes a record for a new life; whether nobody was faster. */
static __always_inline int wf_conn_claim(struct wf_conn *conn, __u32 guard)
{
	__u32 next = ((guard & ~WF_CONN_STAND) + WF_CONN_LIFE) | WF_CONN_HELD;

	return wf_atomic_cas32(&conn->guard, guard, next) == guard;
}

/* Now, as records keep it: 0 means never. */
static __always_inline __u32 wf_conn_now(void)
{
	__u32 tick = wf_now_tick();

	return tick ? tick : 1;
}

static __always_inline __u32 wf_conn_class(__u32 proto)
{
	switch (proto) {
	case IPPROTO_TCP: return WF_CONN_CLASS_TCP;
	case IPPROTO_UDP: return WF_CONN_CLASS_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return WF_CONN_CLASS_ICMP;
	default: return WF_CONN_CLASS_OTHER;
	}
}

/* Ticks without a packet; negative when another CPU's clock is ahead. */
static __always_inline __u32 wf_conn_silence(const struct wf_conn *conn, __u32 now)
{
	__u32 there = conn->seen[WF_DIR_ORIGINAL], back = conn->seen[WF_DIR_REPLY];

	return now - (there > back ? there : back);
}

/* Whether nothing was seen for longer than the phase allows. */
static __always_inline int wf_conn_is_expired(const struct wf_conn_state *state,
					      const struct wf_conn *conn, __u32 now)
{
	__u32 silence = wf_conn_silence(conn, now);
	__u32 phase = conn->phase & (WF_CONN_PHASE_COUNT - 1);
	__u32 limit_s = state->timeout_s[phase][wf_conn_class(conn->tuple[0].proto)];

	if ((__s32)silence <= 0)
		return 0;
	return (__u64)silence << WF_CONN_TICK_SHIFT > limit_s * WF_CONN_NS_PER_S;
}

/* Tells a daemon that sleeps until so many are in force, once; it looks at the number after that. */
static __always_inline void wf_conn_wake(struct wf_conn_state *state, __u32 live)
{
	__u32 at = wf_read32(&state->wake_at);

	if (wf_likely(!at || live < at))
		return;
	if (wf_atomic_cas32(&state->wake_at, at, 0) == at &&
	    wf_event_signal(WF_EVENT_WAKE, WF_SLOT_HOST) < 0)
		(void)wf_atomic_cas32(&state->wake_at, 0, at);
}

/* change: 1, or (__u32)-1 for one less. */
static __always_inline void wf_conn_count(const struct wf_conn *conn, __u32 change)
{
	struct wf_conn_state *state = wf_map_conn_state();
	struct wf_backend_value *backend;
	struct wf_conn_owner *owner;
	int translates;

	if (state) {
		__u32 before = wf_atomic_add32(&state->live, change);

		if (change == 1)
			wf_conn_wake(state, before + 1);
	}
	owner = conn->owner == WF_SLOT_HOST ? NULL : wf_map_conn_owner(conn->owner);
	if (owner)
		wf_atomic_add32(&owner->owned, change);
	/* what is not translated needs no look at other packets of theirs */
	translates = conn->tuple[0].site == WF_SITE_CONTAINER && !(conn->flags & WF_CONN_POLICY);
	if (owner && translates)
		wf_atomic_add32(&owner->calling, change);
	owner = conn->peer == WF_SLOT_HOST || !translates ? NULL : wf_map_conn_owner(conn->peer);
	if (owner)
		wf_atomic_add32(&owner->backing, change);
	backend = conn->backend ? wf_map_backend(conn->backend) : NULL;
	if (backend)
		wf_atomic_add32(&backend->active, change);
}

/* Puts a reference to one tuple of a held or pending record into its bucket. 0, or 1: no place. */
static __always_inline int wf_conn_refer(const struct wf_conn_spot *spot, struct wf_conn *conn,
					 __u32 index, __u32 dir)
{
	__u32 ref = index | dir << WF_CONN_REF_DIR | spot->place.tag;

	if (!spot->bucket)
		return 1;
	WF_NO_UNROLL
	for (__u32 i = 0; i < WF_CONN_BUCKET_REFS; i++) {
		__u32 *place = &spot->bucket->refs[i];

		if (wf_read32(place) || wf_atomic_cas32(place, 0, ref))
			continue;
		conn->refs[dir] = spot->place.bucket * WF_CONN_BUCKET_REFS + i;
		return 0;
	}
	return 1;
}

/* Takes the record's reference out of the index, if it has one. */
static __always_inline void wf_conn_unrefer(struct wf_conn *conn, __u32 index, __u32 dir)
{
	__u32 at = conn->refs[dir];
	struct wf_conn_bucket *bucket = wf_map_conn_bucket(at / WF_CONN_BUCKET_REFS);
	__u32 *place, ref;

	if (!bucket)
		return;
	place = &bucket->refs[at % WF_CONN_BUCKET_REFS];
	ref = wf_read32(place);
	/* a record that never got a place there says 0, which may be anybody's */
	if ((ref & ~WF_CONN_REF_TAG_MASK) == (index | dir << WF_CONN_REF_DIR))
		(void)wf_atomic_cas32(place, ref, 0);
}

#endif
