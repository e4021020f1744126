/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that add, find, touch and remove connections while another sweeps, on few tuples and few
 * records, so that they meet all the time. Checked: no tuple is in force twice, what is found
 * belongs to the tuple, and in the end nothing is lost: no reference, no count, no record.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conn_lab.h"

#define WORKERS 4
#define ROUNDS  40000
#define CLIENTS 24
#define REPLIES 16
#define MAX     64
#define FEW     16 /* records: they are taken over */
#define SLOTS   3

/* What the threads share beside the table. */
static struct {
	bool ends_by_itself;    /* connections expire under way; else only who added removes */
	__u32 clients[CLIENTS]; /* whether the tuple is in force, as far as its owner knows */
	__u32 replies[REPLIES];
	__u32 faults;
	__u32 added;
	__u32 taken;
	__u32 hits;
	__u32 stop;
} shared;

static void fault(bool wrong)
{
	if (wrong)
		(void)__atomic_fetch_add(&shared.faults, 1, __ATOMIC_RELAXED);
}

static void note(__u32 *counter)
{
	(void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* The pair is told by `service`, to see that a copy is of one record. */
static struct wf_conn_new conn_of(__u32 client, __u32 reply)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, client, reply);

	conn.tuple[1] = lab_tuple(LAB_PROTO_UDP, 0x20000, reply);
	conn.service = 1 + client * REPLIES + reply;
	conn.backend = conn.service % 7;
	conn.owner = client % SLOTS;
	conn.peer = reply % SLOTS;
	return conn;
}

static void check_hit(const struct wf_conn_hit *hit, __u32 dir, __u32 number)
{
	__u32 client = (hit->service - 1) / REPLIES, reply = (hit->service - 1) % REPLIES;
	const struct wf_conn_new conn = conn_of(client, reply);

	fault(hit->dir != dir || (dir ? reply : client) != number);
	fault(hit->backend != conn.backend || hit->peer != conn.peer);
	fault(hit->to.sport != conn.tuple[!dir].dport || hit->to.dport != conn.tuple[!dir].sport);
}

static void look(void)
{
	__u32 dir = wf_random32() & 1, number = wf_random32() % (dir ? REPLIES : CLIENTS);
	const struct wf_conn_new conn = conn_of(dir ? 0 : number, dir ? number : 0);
	struct wf_conn_hit hit;

	if (!wf_conn_find(&conn.tuple[dir], &hit))
		return;
	note(&shared.hits);
	check_hit(&hit, dir, number);
	wf_conn_touch(&hit, 0);
}

/* Until no worker can meet an empty table, where it would take over what others have. */
static void wait_for_room(void)
{
	const struct wf_conn_state *state = &native_conns.state;

	while (__atomic_load_n(&native_conns.queue_count, __ATOMIC_ACQUIRE) < WORKERS &&
	       __atomic_load_n(&state->high, __ATOMIC_ACQUIRE) + WORKERS > state->max)
		(void)sched_yield();
}

/* Adds a connection, has it for a moment, removes it. */
static void have(void)
{
	__u32 client = wf_random32() % CLIENTS, reply = wf_random32() % REPLIES, index = 0;
	const struct wf_conn_new conn = conn_of(client, reply);
	int r;

	if (!shared.ends_by_itself)
		wait_for_room();
	r = wf_conn_add(&conn, &index);
	if (r == WF_CONN_TAKEN)
		note(&shared.taken);
	fault(r < 0 && r != -WF_REASON_CONN_TABLE_FULL);
	/* let time pass */
	if (r < 0)
		(void)sched_yield();
	if (r)
		return;
	note(&shared.added);
	if (!shared.ends_by_itself) {
		fault(__atomic_exchange_n(&shared.clients[client], 1, __ATOMIC_SEQ_CST));
		fault(__atomic_exchange_n(&shared.replies[reply], 1, __ATOMIC_SEQ_CST));
	}
	for (__u32 i = wf_random32() % 8; i; i--)
		look();
	/* others meet it even where there is one CPU only */
	if (wf_random32() % 16 == 0)
		(void)sched_yield();
	if (!shared.ends_by_itself) {
		__atomic_store_n(&shared.clients[client], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&shared.replies[reply], 0, __ATOMIC_SEQ_CST);
		wf_conn_remove(index);
	} else if (wf_random32() % 2) {
		wf_conn_remove(index);
	}
}

static void *work(void *context)
{
	native_random = 0x1234567 + (__u32)(size_t)context * 77773;
	for (__u32 i = 0; i < ROUNDS; i++)
		have();
	return NULL;
}

/* The daemon, and time: it passes so fast that records are used again at once. */
static void *sweep(void *context)
{
	(void)context;
	while (!__atomic_load_n(&shared.stop, __ATOMIC_RELAXED)) {
		const struct wf_conn_table table = lab_table();
		/* forgets its suspects: threads, unlike programs, are held up for hours of this time */
		struct wf_conn_sweep memory = {};

		(void)wf_conn_table_sweep(&table, &memory, wf_now_tick());
		__atomic_store_n(&native.now_s, native.now_s + 1, __ATOMIC_RELAXED);
		(void)sched_yield();
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t workers[WORKERS], sweeper;

	assert_int_equal(pthread_create(&sweeper, NULL, sweep, NULL), 0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i], NULL, work, (void *)i), 0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(workers[i], NULL), 0);
	__atomic_store_n(&shared.stop, 1, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(sweeper, NULL), 0);
}

static void start(bool ends_by_itself, __u32 max)
{
	memset(&native, 0, sizeof(native));
	memset(&shared, 0, sizeof(shared));
	native.now_s = 1000;
	native_conns_reset(max);
	shared.ends_by_itself = ends_by_itself;
	if (!ends_by_itself)
		memset(native_conns.state.timeout_s, 0x7f, sizeof(native_conns.state.timeout_s));
}

/* Each tuple of each record in force is found, at that record. */
static void check_unique(void)
{
	for (__u32 i = 1; i < native_conns.state.max; i++) {
		const struct wf_conn *conn = &native_conns.records[i];

		if ((conn->guard & WF_CONN_STAND) != WF_CONN_FORCE)
			continue;
		assert_int_equal(wf_conn_rival(&conn->tuple[0], i), 0);
		assert_int_equal(wf_conn_rival(&conn->tuple[1], i), 0);
		assert_int_not_equal(wf_conn_rival(&conn->tuple[0], 0), 0);
		assert_int_not_equal(wf_conn_rival(&conn->tuple[1], 0), 0);
	}
	assert_int_equal(lab_refs(), 2 * wf_conn_live());
}

static void check_nothing_is_lost(void)
{
	const struct wf_conn_table table = lab_table();
	struct wf_conn_sweep memory = {};
	bool seen[MAX] = {};
	__u32 index;

	for (__u32 i = 1; i < native_conns.state.max; i++)
		wf_conn_remove(i);
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(lab_refs(), 0);
	for (__u32 slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(native_conns.owners[slot].owned, 0);
		assert_int_equal(native_conns.owners[slot].calling, 0);
		assert_int_equal(native_conns.owners[slot].backing, 0);
	}
	for (__u32 i = 0; i < NATIVE_BACKENDS; i++)
		assert_int_equal(native.backends[i].active, 0);
	native.now_s += 10;
	(void)wf_conn_table_sweep(&table, &memory, wf_now_tick());
	while (native_queue_pop(&index) == 0)
		seen[index] = true;
	for (__u32 i = 1; i < table.count; i++)
		assert_true(seen[i]);
}

static void tuples_are_in_force_once(void **state)
{
	start(false, MAX);
	run_threads();
	assert_int_equal(shared.faults, 0);
	assert_int_equal(native_conns.state.failed_full, 0);
	/* they did meet */
	assert_in_range(shared.added, ROUNDS / 20, WORKERS * ROUNDS);
	assert_in_range(shared.taken, ROUNDS / 100, WORKERS * ROUNDS);
	assert_in_range(shared.hits, ROUNDS / 100, WORKERS * ROUNDS * 8);
	check_unique();
	check_nothing_is_lost();
}

static void expiry_under_way_does_no_harm(void **state)
{
	start(true, FEW);
	run_threads();
	assert_int_equal(shared.faults, 0);
	assert_in_range(shared.added, ROUNDS / 20, WORKERS * ROUNDS);
	assert_in_range(shared.taken, ROUNDS / 100, WORKERS * ROUNDS);
	check_unique();
	check_nothing_is_lost();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuples_are_in_force_once),
		cmocka_unit_test(expiry_under_way_does_no_harm),
	};

	return cmocka_run_group_tests_name("dp/conn_stress", tests, NULL, NULL);
}
