/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a connection in the table: its phases, its end by silence or by the daemon, and how
 * its record is used again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn_steps.h"

#define SYN 0x02
#define ACK 0x10
#define FIN 0x11
#define RST 0x04

static void removed_record_waits_before_it_is_used_again(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = conn_add(&conn);

	wf_conn_remove(index);
	assert_false(conn_found(&conn.tuple[0]));
	assert_false(conn_found(&conn.tuple[1]));
	assert_int_equal(conn_run_sweep(), 0);
	assert_int_equal(conn_sweep.waiting, 1);
	assert_int_equal(native_conns.queue_count, 0);
	assert_int_not_equal(conn_add_plain(LAB_PROTO_UDP, 2, 2), index);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	assert_int_equal(conn_run_sweep(), 0);
	assert_int_equal(conn_sweep.waiting, 0);
	assert_int_equal(native_conns.queue_count, 1);
	assert_int_equal(conn_add_plain(LAB_PROTO_UDP, 3, 3), index);
	assert_true(conn_found(&lab_conn(LAB_PROTO_UDP, 3, 3).tuple[0]));
}

/* Seconds of silence after which the connection is still there, and a moment later is not. */
static void check_expiry(const struct wf_tuple *tuple, __u32 limit_s)
{
	__u32 tick_s = lab_ticks_s(1);

	native.now_s += limit_s - tick_s;
	assert_false(conn_is_due());
	assert_int_equal(conn_run_sweep(), 0);
	assert_true(conn_found(tuple));
	native.now_s += 2 * tick_s;
	assert_true(conn_is_due());
	assert_int_equal(conn_run_sweep(), 1);
	assert_false(conn_found(tuple));
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(lab_refs(), 0);
}

static void silence_ends_connections(void **state)
{
	const struct wf_conn_new udp = lab_conn(LAB_PROTO_UDP, 1, 1);
	const struct wf_conn_new tcp = lab_conn(LAB_PROTO_TCP, 1, 1);
	const struct wf_conn_new sctp = lab_conn(132, 1, 1);

	(void)conn_add(&udp);
	check_expiry(&udp.tuple[0], 30);
	(void)conn_add(&udp);
	conn_pass(&udp.tuple[0], 0);
	check_expiry(&udp.tuple[0], 30);
	(void)conn_add(&udp);
	conn_pass(&udp.tuple[1], 0);
	check_expiry(&udp.tuple[1], 120);
	(void)conn_add(&tcp);
	check_expiry(&tcp.tuple[0], 60);
	(void)conn_add(&sctp);
	conn_pass(&sctp.tuple[1], 0);
	check_expiry(&sctp.tuple[0], 600);
	/* any packet of either direction begins the time anew */
	(void)conn_add(&udp);
	native.now_s += 25;
	conn_pass(&udp.tuple[0], 0);
	native.now_s += 25;
	assert_int_equal(conn_run_sweep(), 0);
	assert_true(conn_found(&udp.tuple[0]));
}

static void timeouts_can_change_under_way(void **state)
{
	const struct wf_conn_new udp = lab_conn(LAB_PROTO_UDP, 1, 1);

	native_conns.state.timeout_s[WF_CONN_NEW][WF_CONN_CLASS_UDP] = 5;
	(void)conn_add(&udp);
	check_expiry(&udp.tuple[0], 5);
}

/* One row: packets ('>' original, '<' reply: S, A, F, R), and the phase they lead to. */
static const struct {
	const char *packets;
	__u32 phase;
} phase_rows[] = {
	{ ">S", WF_CONN_NEW },
	{ ">S>S", WF_CONN_NEW },
	{ ">S>A", WF_CONN_NEW }, /* nothing has come back */
	{ ">S<S", WF_CONN_NEW },
	{ ">S<A", WF_CONN_NEW }, /* the client has not answered */
	{ ">S<A>A", WF_CONN_ESTABLISHED },
	{ ">A<A>A", WF_CONN_ESTABLISHED }, /* picked up in the middle */
	{ ">S<R", WF_CONN_CLOSED },
	{ ">S<A>A>F", WF_CONN_ESTABLISHED },
	{ ">S<A>A>F>F", WF_CONN_ESTABLISHED },
	{ ">S<A>A>F<A<A", WF_CONN_ESTABLISHED },
	{ ">S<A>A>F<F", WF_CONN_CLOSING },
	{ ">S<A>A<F>F", WF_CONN_CLOSING },
	{ ">S<A>A<F>F<A", WF_CONN_CLOSING },
	{ ">S<A>A<F>F>A", WF_CONN_CLOSING },
	{ ">S<A>A>F<F<S", WF_CONN_CLOSING }, /* only the client may begin again */
	{ ">S<A>A>F<F>S", WF_CONN_NEW },
	{ ">S<A>A>F<F>S>A", WF_CONN_NEW }, /* the reply before does not count */
	{ ">S<A>A>F<F>S<A>A", WF_CONN_ESTABLISHED },
	{ ">S<A>A>F<F>S<A>A>F", WF_CONN_ESTABLISHED }, /* nor the FINs before */
	{ ">S<A>A>R", WF_CONN_CLOSED },
	{ ">S<A>A<R", WF_CONN_CLOSED },
	{ ">S<A>A<R>A<A", WF_CONN_CLOSED },
	{ ">S<A>A<R>S", WF_CONN_NEW },
	{ ">S<A>A>F<F>R", WF_CONN_CLOSED },
	{ ">S<A>A>S", WF_CONN_ESTABLISHED },
};

static __u32 flags_of(char letter)
{
	switch (letter) {
	case 'S': return SYN;
	case 'F': return FIN;
	case 'R': return RST;
	default: return ACK;
	}
}

static void tcp_goes_through_its_phases(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 1, 1);
	struct wf_conn_hit hit;

	for (size_t i = 0; i < sizeof(phase_rows) / sizeof(phase_rows[0]); i++) {
		const char *at = phase_rows[i].packets;

		(void)conn_set_up(state);
		(void)conn_add(&conn);
		for (; *at; at += 2)
			conn_pass(&conn.tuple[*at == '<'], flags_of(at[1]));
		assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
		if (hit.phase != phase_rows[i].phase)
			fail_msg("%s leads to phase %u, not %u", phase_rows[i].packets, hit.phase,
				 phase_rows[i].phase);
	}
}

static void packets_that_change_nothing_write_nothing(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 1, 1);
	struct wf_conn *record = &native_conns.records[conn_add(&conn)];
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page;
	__u32 seen;

	conn_pass(&conn.tuple[0], SYN);
	conn_pass(&conn.tuple[1], ACK);
	conn_pass(&conn.tuple[0], ACK);
	/* a write would end the test */
	page = (char *)record - (size_t)record % bytes;
	assert_int_equal(mprotect(page, bytes, PROT_READ), 0);
	conn_pass(&conn.tuple[0], ACK);
	conn_pass(&conn.tuple[1], ACK);
	assert_int_equal(mprotect(page, bytes, PROT_READ | PROT_WRITE), 0);
	seen = record->seen[WF_DIR_REPLY];
	conn_wait_ticks(1);
	conn_pass(&conn.tuple[1], ACK);
	assert_int_not_equal(record->seen[WF_DIR_REPLY], seen);
}

static void touch_of_another_life_does_nothing(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 1, 1);
	__u32 index = conn_add(&conn);
	struct wf_conn_hit hit;

	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
	wf_conn_remove(index);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	(void)conn_run_sweep();
	assert_int_equal(conn_add_plain(LAB_PROTO_TCP, 2, 2), index);
	wf_conn_touch(&hit, RST);
	assert_int_equal(native_conns.records[index].phase, WF_CONN_NEW);
}

static void daemon_removes_the_life_it_saw(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = conn_add(&conn);
	const struct wf_conn_table table = lab_table();
	struct wf_conn copy;

	assert_true(wf_conn_table_read(&table, index, &copy));
	assert_memory_equal(&copy.tuple, &conn.tuple, sizeof(copy.tuple));
	assert_false(wf_conn_table_read(&table, 0, &copy));
	assert_false(wf_conn_table_remove(&table, index, copy.guard + WF_CONN_LIFE, wf_now_tick()));
	assert_true(conn_found(&conn.tuple[0]));
	assert_true(wf_conn_table_remove(&table, index, copy.guard, wf_now_tick()));
	assert_false(wf_conn_table_remove(&table, index, copy.guard, wf_now_tick()));
	assert_false(conn_found(&conn.tuple[0]));
	assert_false(wf_conn_table_read(&table, index, &copy));
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(lab_refs(), 0);
}

static void record_of_a_killed_daemon_comes_back(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = conn_add(&conn);
	struct wf_conn *record = &native_conns.records[index];

	record->guard = record->guard - WF_CONN_FORCE + WF_CONN_HELD;
	assert_true(conn_is_due());
	(void)conn_run_sweep();
	native.now_s++;
	(void)conn_run_sweep();
	assert_int_equal(lab_refs(), 2);
	/* it moved: a program at work */
	record->guard += WF_CONN_LIFE;
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	(void)conn_run_sweep();
	assert_int_equal(lab_refs(), 2);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	(void)conn_run_sweep();
	assert_int_equal(lab_refs(), 0);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	(void)conn_run_sweep();
	assert_int_equal(native_conns.queue_count, 1);
	assert_int_equal(conn_add_plain(LAB_PROTO_UDP, 2, 2), index);
}

static void record_that_is_queued_twice_is_used_once(void **state)
{
	__u32 index = conn_add_plain(LAB_PROTO_UDP, 1, 1);

	wf_conn_remove(index);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
	(void)conn_run_sweep();
	assert_int_equal(native_queue_push(index), 0);
	assert_int_equal(conn_add_plain(LAB_PROTO_UDP, 2, 2), index);
	assert_int_not_equal(conn_add_plain(LAB_PROTO_UDP, 3, 3), index);
	assert_true(conn_found(&lab_conn(LAB_PROTO_UDP, 2, 2).tuple[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(removed_record_waits_before_it_is_used_again, conn_set_up),
		cmocka_unit_test_setup(silence_ends_connections, conn_set_up),
		cmocka_unit_test_setup(timeouts_can_change_under_way, conn_set_up),
		cmocka_unit_test_setup(tcp_goes_through_its_phases, conn_set_up),
		cmocka_unit_test_setup(packets_that_change_nothing_write_nothing, conn_set_up),
		cmocka_unit_test_setup(touch_of_another_life_does_nothing, conn_set_up),
		cmocka_unit_test_setup(daemon_removes_the_life_it_saw, conn_set_up),
		cmocka_unit_test_setup(record_of_a_killed_daemon_comes_back, conn_set_up),
		cmocka_unit_test_setup(record_that_is_queued_twice_is_used_once, conn_set_up),
	};

	return cmocka_run_group_tests_name("dp/conn_life", tests, NULL, NULL);
}
