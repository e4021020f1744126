/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections coming and going: rules 2, 4 and 5 of conn.h. */
#ifndef WEFT_BPF_CONN_ADD_H
#define WEFT_BPF_CONN_ADD_H

#include <weft/abi/reason.h>

#include "conn_find.h"

/* Result of wf_conn_add() beside 0 and -reason: one of the tuples is in force already. */
#define WF_CONN_TAKEN 1

/* Records tried when none is free: runs of neighbours, which memory delivers together. */
#define WF_CONN_PROBES    32
#define WF_CONN_PROBE_RUN 8

/*
 * Silence that a full table grants a connection that is not established: longer than handshakes
 * and last packets take, much shorter than the time-outs. It is what a flood has to outrun.
 */
#define WF_CONN_PRESSED_TICKS 4

/* Records taken from the queue before giving up on it; all but the first are rare. */
#define WF_CONN_POPS 4

/* How often a pending record looks again whether a rival went away. */
#define WF_CONN_PATIENCE 4

struct wf_conn_new {
	struct wf_tuple tuple[WF_DIR_COUNT]; /* each as packets of that direction arrive */
	__u32 flags;                         /* enum wf_conn_flag */
	__u32 backend;
	__u32 service;
	__u32 owner;
	__u32 peer;
};

/* Takes a held record out of the counters (was in force) and of the index. */
WF_GLOBAL int wf_conn_release(__u32 index, __u32 was_in_force)
{
	struct wf_conn *conn = wf_map_conn(index);

	if (!conn)
		return 0;
	if (was_in_force)
		wf_conn_count(conn, (__u32)-1);
	wf_conn_unrefer(conn, index, WF_DIR_ORIGINAL);
	wf_conn_unrefer(conn, index, WF_DIR_REPLY);
	return 0;
}

/* Takes it out of force; the counters of its owner and backend go down. */
static __always_inline void wf_conn_remove(__u32 index)
{
	struct wf_conn *conn = wf_map_conn(index);
	__u32 guard;

	if (!conn)
		return;
	guard = wf_read32(&conn->guard);
	if ((guard & WF_CONN_STAND) != WF_CONN_FORCE || !wf_conn_turn(conn, guard, WF_CONN_HELD))
		return;
	(void)wf_conn_release(index, 1);
	conn->seen[0] = wf_conn_now();
	(void)wf_conn_turn(conn, guard - WF_CONN_FORCE + WF_CONN_HELD, WF_CONN_LIMBO);
}

/* Whether a record in force may go to another connection, now that none is free. */
static __always_inline int wf_conn_is_spent(const struct wf_conn_state *state,
					    const struct wf_conn *conn, __u32 now)
{
	if (conn->phase != WF_CONN_ESTABLISHED &&
	    (__s32)wf_conn_silence(conn, now) >= WF_CONN_PRESSED_TICKS)
		return 1;
	return wf_conn_is_expired(state, conn, now);
}

/* Takes a record for new use if it may be taken. 1 or 0. */
WF_GLOBAL int wf_conn_seize(__u32 index)
{
	const struct wf_conn_state *state = wf_map_conn_state();
	struct wf_conn *conn = index ? wf_map_conn(index) : NULL;
	__u32 guard, now = wf_conn_now();

	if (!conn || !state)
		return 0;
	guard = wf_read32(&conn->guard);
	wf_barrier();
	switch (guard & WF_CONN_STAND) {
	case WF_CONN_FREE: return wf_conn_claim(conn, guard);
	case WF_CONN_LIMBO:
		return (__s32)(now - conn->seen[0]) >= WF_CONN_GRACE_TICKS &&
		       wf_conn_claim(conn, guard);
	case WF_CONN_FORCE:
		if (!wf_conn_is_spent(state, conn, now) || !wf_conn_claim(conn, guard))
			return 0;
		(void)wf_conn_release(index, 1);
		return 1;
	default: return 0;
	}
}

/* Step of wf_loop(): 1 when the record at *data was taken; *data is 0 in the end when none was. */
static long wf_conn_probe_step(__u32 i, void *data)
{
	struct wf_conn_state *state = wf_map_conn_state();
	__u32 *index = data;

	if (!state || i == WF_CONN_PROBES) {
		*index = 0;
		return 1;
	}
	*index = i % WF_CONN_PROBE_RUN ? *index + 1 : wf_random32();
	*index &= state->max - 1;
	return wf_conn_seize(*index) != 0;
}

/* Looks for a record whose time is over; 0: none found. */
static __always_inline __u32 wf_conn_probe(void)
{
	__u32 index = 0;

	wf_loop(WF_CONN_PROBES + 1, wf_conn_probe_step, &index);
	return index;
}

/* A held record for a new connection; 0: none. */
WF_GLOBAL int wf_conn_take(void)
{
	struct wf_conn_state *state = wf_map_conn_state();
	__u32 index = 0;

	if (!state)
		return 0;
	for (int i = 0; i < WF_CONN_POPS && wf_conn_free_pop(&index) == 0; i++)
		if (wf_conn_seize(index))
			return index;
	if (wf_read32(&state->high) < state->max) {
		index = wf_atomic_add32(&state->high, 1);
		if (index < state->max && wf_conn_seize(index))
			return index;
	}
	return wf_conn_probe();
}

/* Gives back a pending record that never came into force. */
static __always_inline void wf_conn_withdraw(struct wf_conn *conn, __u32 index)
{
	(void)wf_conn_release(index, 0);
	if (wf_conn_turn(conn, wf_read32(&conn->guard), WF_CONN_FREE))
		(void)wf_conn_free_push(index);
}

/* Where a record's tuples are in the index. */
struct wf_conn_spots {
	struct wf_conn_spot dir[WF_DIR_COUNT];
	int are_same; /* one reference stands for both */
};

static __always_inline void wf_conn_locate(const struct wf_conn_state *state,
					   const struct wf_conn *conn,
					   struct wf_conn_spots *ret_spots)
{
	struct wf_conn_spot *spots = ret_spots->dir;

	spots[WF_DIR_ORIGINAL] = wf_conn_spot(state, &conn->tuple[WF_DIR_ORIGINAL]);
	spots[WF_DIR_REPLY] = wf_conn_spot(state, &conn->tuple[WF_DIR_REPLY]);
	ret_spots->are_same =
		wf_conn_place_same(spots[WF_DIR_ORIGINAL].place, spots[WF_DIR_REPLY].place);
}

/* Whether a pending record has to give way to another with one of its tuples. */
static __always_inline int wf_conn_gives_way(const struct wf_conn_spots *spots,
					     const struct wf_conn *conn, __u32 index)
{
	const struct wf_tuple *there = &conn->tuple[WF_DIR_ORIGINAL];
	const struct wf_tuple *back = &conn->tuple[WF_DIR_REPLY];

	WF_NO_UNROLL
	for (int i = 0; i < WF_CONN_PATIENCE; i++) {
		__u32 rival = wf_conn_rival_at(&spots->dir[WF_DIR_ORIGINAL], there, back, index);

		if (!rival && !spots->are_same)
			rival = wf_conn_rival_at(&spots->dir[WF_DIR_REPLY], there, back, index);
		if (!rival)
			return 0;
		if (rival & WF_CONN_RIVAL_FORCE || rival < index)
			return 1;
	}
	return 1;
}

static __always_inline void wf_conn_fill(struct wf_conn *conn, const struct wf_conn_new *from)
{
	__u32 now = wf_conn_now();

	conn->tuple[WF_DIR_ORIGINAL] = from->tuple[WF_DIR_ORIGINAL];
	conn->tuple[WF_DIR_REPLY] = from->tuple[WF_DIR_REPLY];
	conn->refs[WF_DIR_ORIGINAL] = 0;
	conn->refs[WF_DIR_REPLY] = 0;
	conn->seen[WF_DIR_ORIGINAL] = now;
	conn->seen[WF_DIR_REPLY] = 0;
	conn->created = now;
	conn->backend = from->backend;
	conn->service = from->service;
	conn->owner = from->owner;
	conn->peer = from->peer;
	conn->flags = from->flags;
	conn->phase = WF_CONN_NEW;
}

/* From held to in force. 0, WF_CONN_TAKEN or -reason; unless 0 the record was given back. */
static __always_inline int wf_conn_publish(struct wf_conn_state *state, struct wf_conn *conn,
					   __u32 index)
{
	__u32 guard = wf_read32(&conn->guard);
	struct wf_conn_spots spots;
	int r = 0;

	wf_conn_locate(state, conn, &spots);
	(void)wf_conn_turn(conn, guard, WF_CONN_PENDING);
	if (wf_conn_refer(&spots.dir[WF_DIR_ORIGINAL], conn, index, WF_DIR_ORIGINAL) ||
	    (!spots.are_same &&
	     wf_conn_refer(&spots.dir[WF_DIR_REPLY], conn, index, WF_DIR_REPLY))) {
		(void)wf_atomic_add32(&state->failed_index, 1);
		r = -WF_REASON_CONN_TABLE_FULL;
	} else if (wf_conn_gives_way(&spots, conn, index)) {
		r = WF_CONN_TAKEN;
	}
	if (r) {
		wf_conn_withdraw(conn, index);
		return r;
	}
	wf_conn_count(conn, 1);
	(void)wf_conn_turn(conn, guard - WF_CONN_HELD + WF_CONN_PENDING, WF_CONN_FORCE);
	return 0;
}

static __always_inline int wf_conn_has_share(const struct wf_conn_state *state, __u32 slot)
{
	struct wf_conn_owner *owner = slot == WF_SLOT_HOST ? NULL : wf_map_conn_owner(slot);

	return !owner || !state->quota || wf_read32(&owner->owned) < state->quota;
}

/*
 * Puts a new connection in force. 0; WF_CONN_TAKEN: one of the tuples is in force already (look
 * for it again; that of another translation: try another port); -WF_REASON_CONN_TABLE_FULL or
 * -WF_REASON_CONN_QUOTA.
 */
WF_GLOBAL int wf_conn_add(const struct wf_conn_new *from, __u32 *ret_index)
{
	struct wf_conn_state *state = wf_map_conn_state();
	struct wf_conn *conn;
	__u32 index;
	int r;

	if (!state || !from || !ret_index)
		return -WF_REASON_INTERNAL_ERROR;
	if (!wf_conn_has_share(state, from->owner)) {
		(void)wf_atomic_add32(&state->failed_quota, 1);
		return -WF_REASON_CONN_QUOTA;
	}
	index = wf_conn_take();
	conn = index ? wf_map_conn(index) : NULL;
	if (!conn) {
		(void)wf_atomic_add32(&state->failed_full, 1);
		return -WF_REASON_CONN_TABLE_FULL;
	}
	wf_conn_fill(conn, from);
	r = wf_conn_publish(state, conn, index);
	if (r == 0)
		*ret_index = index;
	return r;
}

#endif
