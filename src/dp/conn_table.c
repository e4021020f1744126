/* SPDX-License-Identifier: Apache-2.0 */
/* See conn_table.h; the rules are those of bpf/lib/conn.h. */
#include "dp/conn_table.h"

#include <netinet/in.h>
#include <string.h>

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

static bool is_expired(const struct wf_conn_state *state, const struct wf_conn *conn, uint32_t now)
{
	return TICK_MS(wf_conn_table_silence(conn, now)) > wf_conn_table_limit_ms(state, conn);
}

static void decrement(uint32_t *counter)
{
	(void)__sync_fetch_and_sub(counter, 1);
}

static void uncount(const struct wf_conn_table *table, const struct wf_conn *conn)
{
	decrement(&table->state->live);
	if (conn->owner != WF_SLOT_HOST && conn->owner < table->owner_count) {
		decrement(&table->owners[conn->owner].owned);
		if (conn->tuple[0].site == WF_SITE_CONTAINER)
			decrement(&table->owners[conn->owner].calling);
	}
	if (conn->peer != WF_SLOT_HOST && conn->peer < table->owner_count &&
	    conn->tuple[0].site == WF_SITE_CONTAINER)
		decrement(&table->owners[conn->peer].backing);
	if (conn->backend && conn->backend < table->backend_count)
		decrement(&table->backends[conn->backend].active);
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
	uncount(table, conn);
	bury(table, index, guard - WF_CONN_FORCE + WF_CONN_HELD, now);
	return true;
}

bool wf_conn_table_is_due(const struct wf_conn_table *table, uint32_t now)
{
	for (uint32_t i = 0; i < table->count; i++) {
		const struct wf_conn *conn = &table->conns[i];

		switch (load(&conn->guard) & WF_CONN_STAND) {
		case WF_CONN_FREE:
		case WF_CONN_LIMBO: continue;
		case WF_CONN_FORCE:
			if (is_expired(table->state, conn, now))
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

/* 1 if the record was taken out of force. */
static uint32_t sweep_one(const struct wf_conn_table *table, struct wf_conn_sweep *sweep,
			  uint32_t index, uint32_t now)
{
	struct wf_conn *conn = record(table, index);
	uint32_t guard = load(&conn->guard);

	switch (guard & WF_CONN_STAND) {
	case WF_CONN_FREE: return 0;
	case WF_CONN_FORCE:
		if (!is_expired(table->state, conn, now) ||
		    !wf_conn_table_remove(table, index, guard, now))
			return 0;
		sweep->waiting++;
		return 1;
	case WF_CONN_LIMBO:
		if ((int32_t)(now - load(&conn->seen[0])) < WF_CONN_GRACE_TICKS)
			sweep->waiting++;
		else if (turn(conn, guard, WF_CONN_FREE, 0))
			/* one that the queue does not take is found by programs that look for any */
			(void)table->free(index, table->context);
		return 0;
	default: suspect(table, sweep, index, guard, now); return 0;
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
