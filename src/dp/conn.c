/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections in mapped memory. Records are mapped a window at a time and the index
 * only while something is removed, because the kernel counts mapped maps as the daemon's memory.
 */
#include "dp/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dp/conn_table.h"
#include "dp/dp_priv.h"

/* Records of one window: 256 KiB. */
#define WINDOW_RECORDS 2048

/* Share of the table that one endpoint may have. */
#define QUOTA_DIVISOR 4

static const uint32_t default_timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT] = {
	/* TCP, UDP, ICMP, others */
	[WF_CONN_NEW] = { 60, 30, 30, 60 },
	[WF_CONN_ESTABLISHED] = { 21600, 120, 30, 600 },
	[WF_CONN_CLOSING] = { 30, 30, 30, 30 },
	[WF_CONN_CLOSED] = { 10, 10, 10, 10 },
};

/* The windows that are open, and the table they make. */
struct session {
	struct wf_dp *dp;
	struct wf_dp_window conns;
	struct wf_dp_window index;
	struct wf_dp_window owners;
	struct wf_dp_window backends;
	struct wf_conn_table table;
};

static void session_close(struct session *session)
{
	wf_dp_window_close(&session->conns);
	wf_dp_window_close(&session->index);
	wf_dp_window_close(&session->owners);
	wf_dp_window_close(&session->backends);
}

static uint32_t entries_of(const struct wf_dp *dp, enum wf_dp_map map)
{
	return wf_dp_map_entries(&wf_dp_map_specs[map], &dp->sizes);
}

static uint32_t now_tick(void)
{
	return (uint32_t)(wf_clock_monotonic_ns() >> WF_CONN_TICK_SHIFT);
}

static int queue_free(uint32_t index, void *context)
{
	const struct wf_dp *dp = context;

	return bpf_map_update_elem(dp->map_fds[WF_DP_MAP_CONN_FREE], NULL, &index, BPF_ANY) < 0
		       ? -errno
		       : 0;
}

static int pop_free(uint32_t *ret_index, void *context)
{
	const struct wf_dp *dp = context;

	return bpf_map_lookup_and_delete_elem(dp->map_fds[WF_DP_MAP_CONN_FREE], NULL, ret_index) < 0
		       ? -errno
		       : 0;
}

static int session_open(struct wf_dp *dp, struct session *session)
{
	session->dp = dp;
	session->table.state = wf_dp_memory(dp, WF_DP_MAP_CONN_STATE);
	session->table.free = queue_free;
	session->table.pop = pop_free;
	session->table.context = dp;
	return session->table.state ? 0 : -errno;
}

/* Shows the records [first, first + count). */
static int session_look(struct session *session, uint32_t first, uint32_t count)
{
	int r;

	wf_dp_window_close(&session->conns);
	r = wf_dp_window_open(session->dp, WF_DP_MAP_CONNS, first, count, &session->conns);
	if (r < 0)
		return r;
	session->table.conns = session->conns.entries;
	session->table.first = first;
	session->table.count = count;
	return 0;
}

/* A whole array; the one that is open already if it is. */
static int open_all(const struct wf_dp *dp, enum wf_dp_map map, struct wf_dp_window *window)
{
	return window->base ? 0 : wf_dp_window_open(dp, map, 0, entries_of(dp, map), window);
}

/* Makes removal possible. */
static int session_arm(struct session *session)
{
	const struct wf_dp *dp = session->dp;
	int r = open_all(dp, WF_DP_MAP_CONN_INDEX, &session->index);

	if (r == 0)
		r = open_all(dp, WF_DP_MAP_CONN_OWNERS, &session->owners);
	if (r == 0)
		r = open_all(dp, WF_DP_MAP_BACKENDS, &session->backends);
	if (r < 0)
		return r;
	session->table.buckets = session->index.entries;
	session->table.owners = session->owners.entries;
	session->table.owner_count = entries_of(dp, WF_DP_MAP_CONN_OWNERS);
	session->table.backends = session->backends.entries;
	session->table.backend_count = entries_of(dp, WF_DP_MAP_BACKENDS);
	return 0;
}

static uint64_t ticks_ms(uint32_t ticks)
{
	return ((uint64_t)ticks << WF_CONN_TICK_SHIFT) / 1000000;
}

static void describe(const struct wf_conn_state *state, uint32_t index, uint32_t now,
		     struct wf_dp_conn *conn)
{
	uint64_t limit_ms = wf_conn_table_limit_ms(state, &conn->conn);
	uint32_t age = now - conn->conn.created;

	conn->index = index;
	conn->age_ms = (int32_t)age < 0 ? 0 : ticks_ms(age);
	conn->idle_ms = ticks_ms(wf_conn_table_silence(&conn->conn, now));
	conn->expires_ms = conn->idle_ms < limit_ms ? limit_ms - conn->idle_ms : 0;
}

/* The records of the window; how many were in force, or a negative errno. */
static int visit_window(struct session *session, wf_dp_conn_fn visit, void *context)
{
	const struct wf_conn_table *table = &session->table;
	uint32_t now = now_tick();
	int found = 0, r;

	for (uint32_t index = table->first; index < table->first + table->count; index++) {
		struct wf_dp_conn conn;

		if (!wf_conn_table_read(table, index, &conn.conn))
			continue;
		describe(table->state, index, now, &conn);
		found++;
		if (!visit(&conn, context))
			continue;
		r = session_arm(session);
		if (r < 0)
			return r;
		(void)wf_conn_table_remove(table, index, conn.conn.guard, now);
	}
	return found;
}

int wf_dp_conn_visit(struct wf_dp *dp, wf_dp_conn_fn visit, void *context)
{
	_cleanup_(session_close) struct session session = {};
	int r = session_open(dp, &session), found = 0;
	uint32_t end;

	if (r < 0)
		return r;
	end = wf_conn_table_end(session.table.state);
	for (uint32_t first = 0; first < end; first += WINDOW_RECORDS) {
		uint32_t left = end - first;

		r = session_look(&session, first, left < WINDOW_RECORDS ? left : WINDOW_RECORDS);
		if (r == 0)
			r = visit_window(&session, visit, context);
		if (r < 0)
			return r;
		found += r;
	}
	return found;
}

/* Where the next window of a sweep begins; a round ends at the last record in use. */
static uint32_t sweep_first(struct wf_conn_sweep *sweep, uint32_t end)
{
	if (sweep->next >= end) {
		sweep->next = 0;
		sweep->waiting_was = sweep->waiting;
		sweep->waiting = 0;
	}
	return sweep->next;
}

int wf_dp_conn_sweep(struct wf_dp *dp, uint32_t slice, struct wf_dp_conn_rest *ret_rest)
{
	_cleanup_(session_close) struct session session = {};
	struct wf_conn_sweep *sweep = &dp->conn_sweep;
	uint32_t end, looked = 0, removed = 0, now = now_tick();
	int r = session_open(dp, &session);

	*ret_rest = (struct wf_dp_conn_rest){ .live = 0 };
	if (r < 0)
		return r;
	end = wf_conn_table_end(session.table.state);
	sweep->soonest_ms = slice < end ? 0 : UINT64_MAX;
	/* never more than one round */
	for (slice = slice < end ? slice : end; looked < slice; looked += session.table.count) {
		uint32_t first = sweep_first(sweep, end), count = slice - looked;

		count = count < end - first ? count : end - first;
		count = count < WINDOW_RECORDS ? count : WINDOW_RECORDS;
		r = session_look(&session, first, count);
		if (r == 0 && wf_conn_table_is_due(&session.table, now))
			r = session_arm(&session);
		if (r < 0)
			return r;
		removed += wf_conn_table_sweep(&session.table, sweep, now);
		sweep->next = first + count;
	}
	ret_rest->live = __atomic_load_n(&session.table.state->live, __ATOMIC_RELAXED) +
			 sweep->waiting + sweep->waiting_was;
	ret_rest->wait_ms = sweep->soonest_ms;
	return (int)removed;
}

bool wf_dp_conn_wake_at(struct wf_dp *dp, uint32_t live)
{
	struct wf_conn_state *state = wf_dp_memory(dp, WF_DP_MAP_CONN_STATE);

	if (!state)
		return false;
	/* before the number is read: whoever counts later sees it */
	__atomic_store_n(&state->wake_at, live, __ATOMIC_SEQ_CST);
	return !live || __atomic_load_n(&state->live, __ATOMIC_SEQ_CST) < live;
}

int wf_dp_conn_seed(struct wf_dp *dp, const struct wf_conn_seed *seeds, size_t count)
{
	_cleanup_(session_close) struct session session = {};
	int r = session_open(dp, &session), added = 0, failure = 0;

	if (r == 0)
		r = session_look(&session, 0, entries_of(dp, WF_DP_MAP_CONNS));
	if (r == 0)
		r = session_arm(&session);
	if (r < 0)
		return r;
	/* one that finds no place is no reason to lose the others */
	for (size_t i = 0; i < count; i++) {
		r = wf_conn_table_add(&session.table, &seeds[i], now_tick());
		added += r == 0;
		if (r < 0 && r != -EEXIST)
			failure = r;
	}
	return failure < 0 ? failure : added;
}

void wf_dp_conn_state(struct wf_dp *dp, struct wf_conn_state *ret_state)
{
	const struct wf_conn_state *state = wf_dp_memory(dp, WF_DP_MAP_CONN_STATE);

	memset(ret_state, 0, sizeof(*ret_state));
	if (state)
		memcpy(ret_state, state, sizeof(*ret_state));
}

static void write_timeouts(struct wf_conn_state *state,
			   const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT])
{
	for (size_t phase = 0; phase < WF_CONN_PHASE_COUNT; phase++)
		for (size_t class = 0; class < WF_CONN_CLASS_COUNT; class ++)
			__atomic_store_n(&state->timeout_s[phase][class], timeout_s[phase][class],
					 __ATOMIC_RELAXED);
}

void wf_dp_conn_configure(struct wf_dp *dp,
			  const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT],
			  uint32_t quota)
{
	struct wf_conn_state *state = wf_dp_memory(dp, WF_DP_MAP_CONN_STATE);

	if (!state)
		return;
	write_timeouts(state, timeout_s);
	__atomic_store_n(&state->quota, quota, __ATOMIC_RELAXED);
}

void wf_dp_conn_owner(struct wf_dp *dp, uint32_t slot, struct wf_conn_owner *ret_owner)
{
	memset(ret_owner, 0, sizeof(*ret_owner));
	(void)bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_CONN_OWNERS], &slot, ret_owner);
}

int wf_dp_conn_init(struct wf_dp *dp, bool fresh, struct wf_err *err)
{
	struct wf_conn_state *state = wf_dp_memory(dp, WF_DP_MAP_CONN_STATE);

	if (!state)
		return wf_fail(err, -errno, "cannot map the state of the table of connections: %s",
			       strerror(errno));
	memset(&dp->conn_sweep, 0, sizeof(dp->conn_sweep));
	/* a daemon that was killed between making the maps and this left zeros as well */
	if (!fresh && state->max)
		return 0;
	if (getrandom(state->keys, sizeof(state->keys), 0) != (ssize_t)sizeof(state->keys))
		return wf_fail(err, -EIO, "no random numbers for the table of connections");
	state->buckets = entries_of(dp, WF_DP_MAP_CONN_INDEX);
	state->layout = WF_CONN_LAYOUT_RUNS;
	state->quota = entries_of(dp, WF_DP_MAP_CONNS) / QUOTA_DIVISOR;
	write_timeouts(state, default_timeout_s);
	state->high = 1;
	/* last: the programs use the table from here on */
	__atomic_store_n(&state->max, entries_of(dp, WF_DP_MAP_CONNS), __ATOMIC_RELEASE);
	return 0;
}
