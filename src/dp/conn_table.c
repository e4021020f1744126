/* SPDX-License-Identifier: Apache-2.0 */
/* See conn_table.h; the rules are those of bpf/lib/conn.h. */
#include "dp/conn_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <weft/abi/conn_place.h>
#include <weft/abi/limits.h>

#define REF_TAG_MASK   0xfe000000u
#define MS_PER_S       1000ULL
#define TICK_MS(ticks) (((uint64_t)(ticks) << WF_CONN_TICK_SHIFT) / 1000000)

static uint32_t load(const uint32_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

/* Changes the stand, and the life by so many; whether it was as expected. */
static bool turn(struct wf_conn *conn, uint32_t guard, uint32_t stand, uint32_t lives)
{
	uint32_t next = ((guard & ~WF_CONN_STAND) + lives * WF_CONN_LIFE) | stand;

	return __atomic_compare_exchange_n(&conn->guard, &guard, next, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static struct wf_conn *record(const struct wf_conn_table *table, uint32_t index)
{
	return &table->conns[index - table->first];
}

uint32_t wf_conn_table_end(const struct wf_conn_state *state)
{
	uint32_t high = load(&state->high);

	return high < state->max ? high : state->max;
}

bool wf_conn_table_read(const struct wf_conn_table *table, uint32_t index, struct wf_conn *ret_conn)
{
	const struct wf_conn *conn = record(table, index);
	uint32_t guard = load(&conn->guard);
	struct wf_conn copy;

	if ((guard & WF_CONN_STAND) != WF_CONN_FORCE)
		return false;
	memcpy(&copy, conn, sizeof(copy));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (load(&conn->guard) != guard)
		return false;
	copy.guard = guard;
	*ret_conn = copy;
	return true;
}

static enum wf_conn_class class_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return WF_CONN_CLASS_TCP;
	case IPPROTO_UDP: return WF_CONN_CLASS_UDP;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return WF_CONN_CLASS_ICMP;
	default: return WF_CONN_CLASS_OTHER;
	}
}

uint64_t wf_conn_table_limit_ms(const struct wf_conn_state *state, const struct wf_conn *conn)
{
	uint32_t phase = load(&conn->phase) % WF_CONN_PHASE_COUNT;

	return load(&state->timeout_s[phase][class_of(conn->tuple[0].proto)]) * MS_PER_S;
}

uint32_t wf_conn_table_silence(const struct wf_conn *conn, uint32_t now)
{
	uint32_t there = load(&conn->seen[WF_DIR_ORIGINAL]), back = load(&conn->seen[WF_DIR_REPLY]);
	uint32_t silence = now - (there > back ? there : back);

	/* the programs' clock may be a tick ahead */
	return (int32_t)silence < 0 ? 0 : silence;
}

/* Milliseconds of silence until a record is over; negative: it is. */
static int64_t left_ms(const struct wf_conn_state *state, const struct wf_conn *conn, uint32_t now)
{
	return (int64_t)wf_conn_table_limit_ms(state, conn) -
	       (int64_t)TICK_MS(wf_conn_table_silence(conn, now));
}

static void change(uint32_t *counter, uint32_t by)
{
	(void)__sync_fetch_and_add(counter, by);
}

/* by: 1 or UINT32_MAX, one less. */
static void count(const struct wf_conn_table *table, const struct wf_conn *conn, uint32_t by)
{
	bool translates =
		conn->tuple[0].site == WF_SITE_CONTAINER && !(load(&conn->flags) & WF_CONN_POLICY);

	change(&table->state->live, by);
	if (conn->owner != WF_SLOT_HOST && conn->owner < table->owner_count) {
		change(&table->owners[conn->owner].owned, by);
		if (translates)
			change(&table->owners[conn->owner].calling, by);
	}
	if (conn->peer != WF_SLOT_HOST && conn->peer < table->owner_count && translates)
		change(&table->owners[conn->peer].backing, by);
	if (conn->backend && conn->backend < table->backend_count)
		change(&table->backends[conn->backend].active, by);
}

static void unrefer(const struct wf_conn_table *table, const struct wf_conn *conn, uint32_t index,
		    uint32_t dir)
{
	uint32_t at = conn->refs[dir], bucket = at / WF_CONN_BUCKET_REFS, ref;
	uint32_t *place;

	if (bucket >= table->state->buckets)
		return;
	place = &table->buckets[bucket].refs[at % WF_CONN_BUCKET_REFS];
	ref = load(place);
	/* a record that never got a place there says 0, which may be anybody's */
	if ((ref & ~REF_TAG_MASK) == (index | dir << WF_CONN_REF_DIR))
		(void)__atomic_compare_exchange_n(place, &ref, 0, false, __ATOMIC_SEQ_CST,
						  __ATOMIC_SEQ_CST);
}

/* A held record out of the index and into limbo. */
static void bury(const struct wf_conn_table *table, uint32_t index, uint32_t guard, uint32_t now)
{
	struct wf_conn *conn = record(table, index);

	unrefer(table, conn, index, WF_DIR_ORIGINAL);
	unrefer(table, conn, index, WF_DIR_REPLY);
	conn->seen[0] = now;
	(void)turn(conn, guard, WF_CONN_LIMBO, 0);
}

bool wf_conn_table_remove(const struct wf_conn_table *table, uint32_t index, uint32_t guard,
			  uint32_t now)
{
	struct wf_conn *conn = record(table, index);

	if ((guard & WF_CONN_STAND) != WF_CONN_FORCE || !turn(conn, guard, WF_CONN_HELD, 0))
		return false;
	count(table, conn, UINT32_MAX);
	bury(table, index, guard - WF_CONN_FORCE + WF_CONN_HELD, now);
	return true;
}

/* ---- adding -------------------------------------------------------------------------------- */

/* Puts a reference to one tuple of a pending record into the index; false: no place. */
static bool refer(const struct wf_conn_table *table, const struct wf_conn_place *place,
		  struct wf_conn *conn, uint32_t index, uint32_t dir)
{
	uint32_t ref = index | dir << WF_CONN_REF_DIR | place->tag;

	for (uint32_t i = 0; i < WF_CONN_BUCKET_REFS; i++) {
		uint32_t none = 0;

		if (!__atomic_compare_exchange_n(&table->buckets[place->bucket].refs[i], &none, ref,
						 false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			continue;
		conn->refs[dir] = place->bucket * WF_CONN_BUCKET_REFS + i;
		return true;
	}
	return false;
}

static bool has_tuple(const struct wf_conn *conn, const struct wf_tuple *tuple)
{
	return memcmp(&conn->tuple[WF_DIR_ORIGINAL], tuple, sizeof(*tuple)) == 0 ||
	       memcmp(&conn->tuple[WF_DIR_REPLY], tuple, sizeof(*tuple)) == 0;
}

/* Whether another record at that place, pending or in force, has one of a record's tuples. */
static bool has_rival(const struct wf_conn_table *table, const struct wf_conn_place *place,
		      const struct wf_conn *of, uint32_t own)
{
	const struct wf_conn_bucket *bucket = &table->buckets[place->bucket];

	for (uint32_t i = 0; i < WF_CONN_BUCKET_REFS; i++) {
		uint32_t index = load(&bucket->refs[i]) & WF_CONN_REF_INDEX, stand;
		const struct wf_conn *conn;

		if (!index || index == own || index >= table->count)
			continue;
		conn = record(table, index);
		stand = load(&conn->guard) & WF_CONN_STAND;
		if ((stand == WF_CONN_FORCE || stand == WF_CONN_PENDING) &&
		    (has_tuple(conn, &of->tuple[WF_DIR_ORIGINAL]) ||
		     has_tuple(conn, &of->tuple[WF_DIR_REPLY])))
			return true;
	}
	return false;
}

/* Puts a pending record into the index unless another has one of its tuples. 0 or a negative errno. */
static int enter(const struct wf_conn_table *table, struct wf_conn *conn, uint32_t index)
{
	struct wf_conn_place there = wf_conn_place(table->state, &conn->tuple[WF_DIR_ORIGINAL]);
	struct wf_conn_place back = wf_conn_place(table->state, &conn->tuple[WF_DIR_REPLY]);
	bool are_same = wf_conn_place_same(there, back);

	if (!refer(table, &there, conn, index, WF_DIR_ORIGINAL) ||
	    (!are_same && !refer(table, &back, conn, index, WF_DIR_REPLY)))
		return -ENOSPC;
	/* gives way to whoever is there, pending or not: a program adds the same */
	if (has_rival(table, &there, conn, index) || has_rival(table, &back, conn, index))
		return -EEXIST;
	return 0;
}

/* Takes a free record for a new life; false: it is none. */
static bool claim(const struct wf_conn_table *table, uint32_t index)
{
	struct wf_conn *conn;
	uint32_t guard;

	if (!index || index >= table->count)
		return false;
	conn = record(table, index);
	guard = load(&conn->guard);
	return (guard & WF_CONN_STAND) == WF_CONN_FREE && turn(conn, guard, WF_CONN_HELD, 1);
}

/* A held record; 0: none is free. */
static uint32_t take(const struct wf_conn_table *table)
{
	uint32_t index;

	while (table->pop(&index, table->context) == 0)
		if (claim(table, index))
			return index;
	while (load(&table->state->high) < table->state->max) {
		index = __sync_fetch_and_add(&table->state->high, 1);
		if (index < table->state->max && claim(table, index))
			return index;
	}
	return 0;
}

static void fill(struct wf_conn *conn, const struct wf_conn_seed *seed, uint32_t now)
{
	uint32_t guard = load(&conn->guard);

	*conn = (struct wf_conn){
		.tuple = { seed->tuple[WF_DIR_ORIGINAL], seed->tuple[WF_DIR_REPLY] },
		.guard = guard,
		.seen = { now, seed->phase == WF_CONN_NEW ? 0 : now },
		.created = now,
		.owner = seed->owner,
		.peer = seed->peer,
		.flags = seed->flags,
		.phase = seed->phase,
	};
}

int wf_conn_table_add(const struct wf_conn_table *table, const struct wf_conn_seed *seed,
		      uint32_t now)
{
	uint32_t index = take(table), guard;
	struct wf_conn *conn;
	int r;

	if (!index)
		return -ENOSPC;
	conn = record(table, index);
	fill(conn, seed, now ? now : 1);
	guard = load(&conn->guard);
	(void)turn(conn, guard, WF_CONN_PENDING, 0);
	r = enter(table, conn, index);
	if (r < 0) {
		unrefer(table, conn, index, WF_DIR_ORIGINAL);
		unrefer(table, conn, index, WF_DIR_REPLY);
		if (turn(conn, load(&conn->guard), WF_CONN_FREE, 0))
			(void)table->free(index, table->context);
		return r;
	}
	count(table, conn, 1);
	(void)turn(conn, load(&conn->guard), WF_CONN_FORCE, 0);
	return 0;
}

/* ---- expiry -------------------------------------------------------------------------------- */

bool wf_conn_table_is_due(const struct wf_conn_table *table, uint32_t now)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const struct wf_conn *conn = &table->conns[i];

		switch (load(&conn->guard) & WF_CONN_STAND) {
		case WF_CONN_FREE:
		case WF_CONN_LIMBO: continue;
		case WF_CONN_FORCE:
			if (left_ms(table->state, conn, now) < 0)
				return true;
			continue;
		default: return true;
		}
	}
	return false;
}

/*
 * A record that is held or pending. Programs keep it so for microseconds; one that is found the
 * same twice, a grace apart, was left behind by a daemon that was killed. Its counters may have
 * gone down before: they are left alone, which errs on the side of too many by one.
 */
static void suspect(const struct wf_conn_table *table, struct wf_conn_sweep *sweep, uint32_t index,
		    uint32_t guard, uint32_t now)
{
	struct wf_conn *conn = record(table, index);

	for (size_t i = 0; i < WF_CONN_SUSPECTS; i++) {
		struct wf_conn_suspect *known = &sweep->suspects[i];

		if (known->index != index || known->guard != guard)
			continue;
		if (now - known->since < WF_CONN_GRACE_TICKS)
			return;
		known->index = 0;
		if (turn(conn, guard, WF_CONN_HELD, 1))
			bury(table, index, load(&conn->guard), now);
		return;
	}
	sweep->suspects[sweep->suspect_next++ % WF_CONN_SUSPECTS] =
		(struct wf_conn_suspect){ index, guard, now };
}

/* wait_ms: until a record wants to be looked at again; negative: it does now. */
static void note_wait(struct wf_conn_sweep *sweep, int64_t wait_ms)
{
	uint64_t soon_ms = wait_ms < 0 ? 0 : (uint64_t)wait_ms;

	if (soon_ms < sweep->soonest_ms)
		sweep->soonest_ms = soon_ms;
}

/* 1 if the record was taken out of force. */
static uint32_t sweep_one(const struct wf_conn_table *table, struct wf_conn_sweep *sweep,
			  uint32_t index, uint32_t now)
{
	struct wf_conn *conn = record(table, index);
	uint32_t guard = load(&conn->guard);
	int64_t wait_ms;

	switch (guard & WF_CONN_STAND) {
	case WF_CONN_FREE: return 0;
	case WF_CONN_FORCE:
		wait_ms = left_ms(table->state, conn, now);
		note_wait(sweep, wait_ms);
		if (wait_ms >= 0 || !wf_conn_table_remove(table, index, guard, now))
			return 0;
		sweep->waiting++;
		return 1;
	case WF_CONN_LIMBO:
		note_wait(sweep, 0);
		if ((int32_t)(now - load(&conn->seen[0])) < WF_CONN_GRACE_TICKS)
			sweep->waiting++;
		else if (turn(conn, guard, WF_CONN_FREE, 0))
			/* one that the queue does not take is found by programs that look for any */
			(void)table->free(index, table->context);
		return 0;
	default:
		note_wait(sweep, 0);
		suspect(table, sweep, index, guard, now);
		return 0;
	}
}

uint32_t wf_conn_table_sweep(const struct wf_conn_table *table, struct wf_conn_sweep *sweep,
			     uint32_t now)
{
	uint32_t removed = 0;

	for (uint32_t i = 0; i < table->count; i++)
		removed += sweep_one(table, sweep, table->first + i, now);
	return removed;
}
