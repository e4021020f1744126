/* SPDX-License-Identifier: Apache-2.0 */
/* src/dp/conn.c on the maps in the kernel: what a program leaves there, the daemon reads and ends. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include <weft/abi/lb.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dp/conn.h"
#include "dp/dp.h"
#include "lab.h"

#define MAPS LAB_PINS "/maps"

#define CONNECTIONS 8192
#define RECORDS     5000 /* more than a window of the daemon's */
#define OWNER       3
#define PEER        4
#define BACKEND     7

static struct wf_dp *dp;

static int map_of(const char *name)
{
	int fd = bpf_obj_get(name);

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return fd;
}

static void open_dp(void)
{
	const struct wf_dp_sizes sizes = { .connections = CONNECTIONS };
	struct wf_err err = WF_ERR_INIT;

	if (wf_dp_open(LAB_BPF_DIR, &sizes, &dp, &err) < 0)
		fail_msg("%s", err.message);
}

static int set_up(void **state)
{
	open_dp();
	return 0;
}

static int tear_down(void **state)
{
	wf_dp_close(&dp);
	return wf_dp_remove(LAB_BPF_DIR, NULL);
}

static uint32_t tick(void)
{
	return (uint32_t)(wf_clock_monotonic_ns() >> WF_CONN_TICK_SHIFT);
}

static void write_at(const char *map, uint32_t key, const void *value)
{
	_cleanup_close_ int fd = map_of(map);

	assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_ANY), 0);
}

static void read_at(const char *map, uint32_t key, void *ret_value)
{
	_cleanup_close_ int fd = map_of(map);

	assert_int_equal(bpf_map_lookup_elem(fd, &key, ret_value), 0);
}

static struct wf_conn record_of(uint32_t index, uint32_t seen)
{
	return (struct wf_conn){
		.tuple = { { .sport = (__be16)index, .proto = IPPROTO_UDP, .site = 1 },
			   { .dport = (__be16)index, .proto = IPPROTO_UDP, .site = 1 } },
		.guard = WF_CONN_FORCE,
		.refs = { index * WF_CONN_BUCKET_REFS / 2, index * WF_CONN_BUCKET_REFS / 2 + 1 },
		.seen = { seen },
		.created = seen,
		.backend = index == 1 ? BACKEND : 0,
		.owner = OWNER,
		.peer = PEER,
	};
}

/* What programs would have left: RECORDS connections, a reference to each tuple, the counts. */
static void leave_connections(uint32_t seen)
{
	const struct wf_backend_value backend = { .active = 1 };
	const struct wf_conn_owner owner = { .owned = RECORDS, .calling = RECORDS };
	const struct wf_conn_owner peer = { .backing = RECORDS };
	struct wf_conn_state state;

	for (uint32_t index = 1; index <= RECORDS; index++) {
		struct wf_conn conn = record_of(index, seen);
		uint32_t place = conn.refs[0] % WF_CONN_BUCKET_REFS;
		struct wf_conn_bucket bucket;

		read_at(MAPS "/wf_conn_index", conn.refs[0] / WF_CONN_BUCKET_REFS, &bucket);
		bucket.refs[place] = index | 5U << WF_CONN_REF_TAG;
		bucket.refs[place + 1] = index | 1U << WF_CONN_REF_DIR;
		write_at(MAPS "/wf_conn_index", conn.refs[0] / WF_CONN_BUCKET_REFS, &bucket);
		write_at(MAPS "/wf_conns", index, &conn);
	}
	write_at(MAPS "/wf_conn_owners", OWNER, &owner);
	write_at(MAPS "/wf_conn_owners", PEER, &peer);
	write_at(MAPS "/wf_backends", BACKEND, &backend);
	read_at(MAPS "/wf_conn_state", 0, &state);
	state.high = RECORDS + 1;
	state.live = RECORDS;
	write_at(MAPS "/wf_conn_state", 0, &state);
}

/* Whether all that leave_connections() counted is gone. */
static void check_nothing_left(void)
{
	struct wf_backend_value backend;
	struct wf_conn_owner owner;
	struct wf_conn_state state;

	wf_dp_conn_state(dp, &state);
	assert_int_equal(state.live, 0);
	wf_dp_conn_owner(dp, OWNER, &owner);
	assert_int_equal(owner.owned, 0);
	assert_int_equal(owner.calling, 0);
	wf_dp_conn_owner(dp, PEER, &owner);
	assert_int_equal(owner.backing, 0);
	read_at(MAPS "/wf_backends", BACKEND, &backend);
	assert_int_equal(backend.active, 0);
	for (uint32_t i = 0; i < CONNECTIONS / WF_CONN_PER_BUCKET; i++) {
		static const struct wf_conn_bucket empty;
		struct wf_conn_bucket bucket;

		read_at(MAPS "/wf_conn_index", i, &bucket);
		assert_memory_equal(&bucket, &empty, sizeof(bucket));
	}
}

static void new_table_is_ready(void **state)
{
	static const uint32_t zeros[WF_CONN_KEYS];
	struct wf_conn_state before, after;

	wf_dp_conn_state(dp, &before);
	assert_int_equal(before.max, CONNECTIONS);
	assert_int_equal(before.buckets, CONNECTIONS / WF_CONN_PER_BUCKET);
	assert_int_equal(before.quota, CONNECTIONS / 4);
	assert_int_equal(before.high, 1);
	assert_int_equal(before.timeout_s[WF_CONN_ESTABLISHED][WF_CONN_CLASS_TCP], 21600);
	assert_memory_not_equal(before.keys, zeros, sizeof(zeros));
	/* another daemon finds it as it is */
	wf_dp_close(&dp);
	open_dp();
	wf_dp_conn_state(dp, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void settings_are_in_force_at_once(void **state)
{
	const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT] = { { 1, 2, 3, 4 },
									       { 5, 6, 7, 8 } };
	struct wf_conn_state read;

	wf_dp_conn_configure(dp, timeout_s, 99);
	read_at(MAPS "/wf_conn_state", 0, &read);
	assert_int_equal(read.quota, 99);
	assert_memory_equal(read.timeout_s, timeout_s, sizeof(timeout_s));
}

static bool keep(const struct wf_dp_conn *conn, void *context)
{
	uint32_t *count = context;

	assert_in_range(conn->index, 1, RECORDS);
	assert_int_equal(conn->conn.tuple[0].sport, (__be16)conn->index);
	assert_in_range(conn->idle_ms, 3000, 20000);
	assert_int_equal(conn->age_ms, conn->idle_ms);
	assert_int_equal(conn->expires_ms + conn->idle_ms, 30000);
	(*count)++;
	return false;
}

static bool drop(const struct wf_dp_conn *conn, void *context)
{
	return true;
}

static void connections_are_listed_and_flushed(void **state)
{
	uint32_t count = 0;

	assert_int_equal(wf_dp_conn_visit(dp, keep, &count), 0);
	leave_connections(tick() - 4);
	assert_int_equal(wf_dp_conn_visit(dp, keep, &count), RECORDS);
	assert_int_equal(count, RECORDS);
	assert_int_equal(wf_dp_conn_visit(dp, drop, NULL), RECORDS);
	assert_int_equal(wf_dp_conn_visit(dp, keep, &count), 0);
	check_nothing_left();
}

/* Pretends that all records in limbo have been there for long. */
static void age_limbo(void)
{
	for (uint32_t index = 1; index <= RECORDS; index++) {
		struct wf_conn conn;

		read_at(MAPS "/wf_conns", index, &conn);
		assert_int_equal(conn.guard & WF_CONN_STAND, WF_CONN_LIMBO);
		conn.seen[0] -= WF_CONN_GRACE_TICKS;
		write_at(MAPS "/wf_conns", index, &conn);
	}
}

static void sweep_goes_round_slice_by_slice(void **state)
{
	const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT] = { { 10, 10 } };
	_cleanup_close_ int queue = map_of(MAPS "/wf_conn_free");
	struct wf_dp_conn_rest rest = { .live = 77 };
	uint32_t index, freed = 0;
	int removed = 0;

	wf_dp_conn_configure(dp, timeout_s, 0);
	assert_int_equal(wf_dp_conn_sweep(dp, 1000, &rest), 0);
	assert_int_equal(rest.live, 0);
	leave_connections(tick() - 2);
	assert_int_equal(wf_dp_conn_sweep(dp, RECORDS + 1, &rest), 0);
	assert_int_equal(rest.live, RECORDS);
	leave_connections(tick() - 12);
	for (int i = 0; i < 6; i++)
		removed += wf_dp_conn_sweep(dp, 1000, &rest);
	assert_int_equal(removed, RECORDS);
	assert_true(rest.live > 0);
	check_nothing_left();
	assert_int_equal(bpf_map_lookup_and_delete_elem(queue, NULL, &index), -ENOENT);
	age_limbo();
	/* two rounds: the second one sees that none is waiting any more */
	for (int i = 0; i < 3; i++)
		assert_int_equal(wf_dp_conn_sweep(dp, CONNECTIONS, &rest), 0);
	assert_int_equal(rest.live, 0);
	while (bpf_map_lookup_and_delete_elem(queue, NULL, &index) == 0)
		freed++;
	assert_int_equal(freed, RECORDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(new_table_is_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(settings_are_in_force_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(connections_are_listed_and_flushed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(sweep_goes_round_slice_by_slice, set_up, tear_down),
	};

	lab_enter();
	return cmocka_run_group_tests_name("bpf/conn", tests, NULL, NULL);
}
