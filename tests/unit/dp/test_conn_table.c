/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of translated connections: the programs' side (bpf/lib/conn.h) and the daemon's
 * (src/dp/conn_table.c) on the same memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "conn_lab.h"

#define MAX 64

#define SYN 0x02
#define ACK 0x10
#define FIN 0x11
#define RST 0x04

static struct wf_conn_sweep sweep;

static int set_up(void **state)
{
	memset(&native, 0, sizeof(native));
	memset(&sweep, 0, sizeof(sweep));
	native.now_s = 1000;
	native_random = 0x5eed;
	native_at_barrier = NULL;
	native_conns_reset(MAX);
	return 0;
}

static __u32 add(const struct wf_conn_new *conn)
{
	__u32 index = 0;

	assert_int_equal(wf_conn_add(conn, &index), 0);
	assert_in_range(index, 1, native_conns.state.max - 1);
	return index;
}

static __u32 add_plain(__u32 proto, __u32 from, __u32 by)
{
	const struct wf_conn_new conn = lab_conn(proto, from, by);

	return add(&conn);
}

static __u32 run_sweep(void)
{
	const struct wf_conn_table table = lab_table();

	sweep.waiting = 0;
	return wf_conn_table_sweep(&table, &sweep, wf_now_tick());
}

static bool is_due(void)
{
	const struct wf_conn_table table = lab_table();

	return wf_conn_table_is_due(&table, wf_now_tick());
}

static bool found(const struct wf_tuple *tuple)
{
	struct wf_conn_hit hit;
	int r = wf_conn_find(tuple, &hit);

	assert_int_equal(wf_conn_known(tuple), r);
	return r != 0;
}

static void wait_ticks(__u32 ticks)
{
	native.now_s += lab_ticks_s(ticks);
}

/* Packets of one direction in a row. */
static void pass(const struct wf_tuple *tuple, __u32 tcp_flags)
{
	struct wf_conn_hit hit;

	assert_int_equal(wf_conn_find(tuple, &hit), 1);
	wf_conn_touch(&hit, tcp_flags);
}

static void both_tuples_lead_to_the_record(void **state)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 7, 9);
	struct wf_tuple other = conn.tuple[0];
	struct wf_conn_hit hit;
	__u32 index;

	conn.flags = WF_CONN_SERVICE;
	conn.backend = 5;
	conn.owner = 2;
	conn.peer = 3;
	assert_false(found(&conn.tuple[0]));
	index = add(&conn);

	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
	assert_int_equal(hit.index, index);
	assert_int_equal(hit.dir, WF_DIR_ORIGINAL);
	assert_int_equal(hit.flags, WF_CONN_SERVICE);
	assert_int_equal(hit.backend, 5);
	assert_int_equal(hit.service, 1);
	assert_int_equal(hit.peer, 3);
	assert_int_equal(hit.phase, WF_CONN_NEW);
	assert_memory_equal(&hit.to.src, &conn.tuple[1].dst, sizeof(struct wf_addr));
	assert_memory_equal(&hit.to.dst, &conn.tuple[1].src, sizeof(struct wf_addr));
	assert_int_equal(hit.to.sport, conn.tuple[1].dport);
	assert_int_equal(hit.to.dport, conn.tuple[1].sport);
	assert_int_equal(hit.to.proto, LAB_PROTO_TCP);
	assert_int_equal(hit.to.site, WF_SITE_CONTAINER);

	assert_int_equal(wf_conn_find(&conn.tuple[1], &hit), 1);
	assert_int_equal(hit.dir, WF_DIR_REPLY);
	assert_memory_equal(&hit.to.src, &conn.tuple[0].dst, sizeof(struct wf_addr));
	assert_int_equal(hit.to.dport, conn.tuple[0].sport);

	other.site = WF_SITE_EDGE;
	assert_false(found(&other));
	other = conn.tuple[0];
	other.sport ^= 1;
	assert_false(found(&other));
}

static void counters_follow(void **state)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 7, 9);
	__u32 index;

	conn.backend = 5;
	conn.owner = 2;
	conn.peer = 3;
	index = add(&conn);
	assert_int_equal(wf_conn_live(), 1);
	assert_int_equal(native_conns.owners[2].owned, 1);
	assert_int_equal(native_conns.owners[2].calling, 1);
	assert_int_equal(native_conns.owners[2].backing, 0);
	assert_int_equal(native_conns.owners[3].backing, 1);
	assert_int_equal(native_conns.owners[3].calling, 0);
	assert_int_equal(native.backends[5].active, 1);
	assert_int_equal(lab_refs(), 2);
	wf_conn_remove(index);
	/* once only */
	wf_conn_remove(index);
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(native_conns.owners[2].owned, 0);
	assert_int_equal(native_conns.owners[2].calling, 0);
	assert_int_equal(native_conns.owners[3].backing, 0);
	assert_int_equal(native.backends[5].active, 0);
	assert_int_equal(lab_refs(), 0);
	/* outsiders' connections are nobody's, and only a container's own device looks for replies */
	conn.tuple[0].site = WF_SITE_EDGE;
	conn.tuple[1].site = WF_SITE_EDGE;
	index = add(&conn);
	assert_int_equal(native_conns.owners[2].owned, 1);
	assert_int_equal(native_conns.owners[2].calling, 0);
	wf_conn_remove(index);
	conn.owner = WF_SLOT_HOST;
	(void)add(&conn);
	assert_int_equal(native_conns.owners[WF_SLOT_HOST].owned, 0);
	assert_int_equal(native_conns.owners[3].backing, 0);
}

static void removed_record_waits_before_it_is_used_again(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = add(&conn);

	wf_conn_remove(index);
	assert_false(found(&conn.tuple[0]));
	assert_false(found(&conn.tuple[1]));
	assert_int_equal(run_sweep(), 0);
	assert_int_equal(sweep.waiting, 1);
	assert_int_equal(native_conns.queue_count, 0);
	assert_int_not_equal(add_plain(LAB_PROTO_UDP, 2, 2), index);
	wait_ticks(WF_CONN_GRACE_TICKS);
	assert_int_equal(run_sweep(), 0);
	assert_int_equal(sweep.waiting, 0);
	assert_int_equal(native_conns.queue_count, 1);
	assert_int_equal(add_plain(LAB_PROTO_UDP, 3, 3), index);
	assert_true(found(&lab_conn(LAB_PROTO_UDP, 3, 3).tuple[0]));
}

static void taken_tuples_are_refused(void **state)
{
	const struct wf_conn_new first = lab_conn(LAB_PROTO_UDP, 1, 1);
	struct wf_conn_new same_original = lab_conn(LAB_PROTO_UDP, 1, 2);
	struct wf_conn_new same_reply = lab_conn(LAB_PROTO_UDP, 2, 1);
	__u32 index = add(&first), none = 0;

	same_reply.tuple[1] = first.tuple[1];
	assert_int_equal(wf_conn_add(&first, &none), WF_CONN_TAKEN);
	assert_int_equal(wf_conn_add(&same_original, &none), WF_CONN_TAKEN);
	assert_int_equal(wf_conn_add(&same_reply, &none), WF_CONN_TAKEN);
	assert_int_equal(none, 0);
	assert_true(found(&first.tuple[0]));
	assert_false(found(&same_original.tuple[1]));
	assert_false(found(&same_reply.tuple[0]));
	assert_int_equal(lab_refs(), 2);
	assert_int_equal(wf_conn_live(), 1);
	/* what was withdrawn is free at once, and the tuples with the connection that had them */
	wf_conn_remove(index);
	assert_int_equal(wf_conn_add(&same_original, &none), 0);
	assert_int_equal(native_conns.state.high, 3);
	assert_int_equal(wf_conn_add(&same_reply, &none), 0);
}

static void pending_rivals_give_way_by_number(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	struct wf_conn_new rival = lab_conn(LAB_PROTO_UDP, 1, 2);
	struct wf_conn *record = &native_conns.records[1];
	__u32 index = add(&conn), none = 0;
	struct wf_conn_hit hit;

	/* as on another CPU, between its references and its decision */
	record->guard = record->guard - WF_CONN_FORCE + WF_CONN_PENDING;
	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 0);
	assert_int_equal(wf_conn_known(&conn.tuple[0]), 1);
	assert_int_equal(wf_conn_add(&rival, &none), WF_CONN_TAKEN);
	assert_int_equal(wf_conn_gives_way(record, index), 0);
	assert_int_equal(wf_conn_rival(&conn.tuple[0], index), 0);
	assert_int_equal(wf_conn_rival(&conn.tuple[0], index + 1), index);
}

static __u32 barriers_left;
static __u32 change_by;

/* Another CPU changes the first record in the middle of what this one does. */
static void change_guard(void)
{
	if (barriers_left && --barriers_left == 0)
		native_conns.records[1].guard += change_by;
}

static void copy_of_two_lives_is_no_hit(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	struct wf_conn_hit hit;

	(void)add(&conn);
	native_at_barrier = change_guard;
	change_by = WF_CONN_LIFE;
	for (__u32 i = 1; i <= 2; i++) {
		barriers_left = i;
		assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 0);
		assert_int_equal(barriers_left, 0);
		barriers_left = i;
		assert_int_equal(wf_conn_known(&conn.tuple[0]), 0);
	}
	/* a rival that comes into force under the eyes of another stays a rival */
	for (__u32 i = 1; i <= 2; i++) {
		native_conns.records[1].guard += WF_CONN_PENDING - WF_CONN_FORCE;
		change_by = (__u32)WF_CONN_FORCE - WF_CONN_PENDING;
		barriers_left = i;
		assert_int_equal(wf_conn_known(&conn.tuple[0]), 1);
		assert_int_equal(barriers_left, 0);
	}
	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
	native_at_barrier = NULL;
}

/* Seconds of silence after which the connection is still there, and a moment later is not. */
static void check_expiry(const struct wf_tuple *tuple, __u32 limit_s)
{
	__u32 tick_s = lab_ticks_s(1);

	native.now_s += limit_s - tick_s;
	assert_false(is_due());
	assert_int_equal(run_sweep(), 0);
	assert_true(found(tuple));
	native.now_s += 2 * tick_s;
	assert_true(is_due());
	assert_int_equal(run_sweep(), 1);
	assert_false(found(tuple));
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(lab_refs(), 0);
}

static void silence_ends_connections(void **state)
{
	const struct wf_conn_new udp = lab_conn(LAB_PROTO_UDP, 1, 1);
	const struct wf_conn_new tcp = lab_conn(LAB_PROTO_TCP, 1, 1);
	const struct wf_conn_new sctp = lab_conn(132, 1, 1);

	(void)add(&udp);
	check_expiry(&udp.tuple[0], 30);
	(void)add(&udp);
	pass(&udp.tuple[0], 0);
	check_expiry(&udp.tuple[0], 30);
	(void)add(&udp);
	pass(&udp.tuple[1], 0);
	check_expiry(&udp.tuple[1], 120);
	(void)add(&tcp);
	check_expiry(&tcp.tuple[0], 60);
	(void)add(&sctp);
	pass(&sctp.tuple[1], 0);
	check_expiry(&sctp.tuple[0], 600);
	/* any packet of either direction begins the time anew */
	(void)add(&udp);
	native.now_s += 25;
	pass(&udp.tuple[0], 0);
	native.now_s += 25;
	assert_int_equal(run_sweep(), 0);
	assert_true(found(&udp.tuple[0]));
}

static void timeouts_can_change_under_way(void **state)
{
	const struct wf_conn_new udp = lab_conn(LAB_PROTO_UDP, 1, 1);

	native_conns.state.timeout_s[WF_CONN_NEW][WF_CONN_CLASS_UDP] = 5;
	(void)add(&udp);
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

		(void)set_up(state);
		(void)add(&conn);
		for (; *at; at += 2)
			pass(&conn.tuple[*at == '<'], flags_of(at[1]));
		assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
		if (hit.phase != phase_rows[i].phase)
			fail_msg("%s leads to phase %u, not %u", phase_rows[i].packets, hit.phase,
				 phase_rows[i].phase);
	}
}

static void packets_that_change_nothing_write_nothing(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 1, 1);
	struct wf_conn *record = &native_conns.records[add(&conn)];
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	char *page;
	__u32 seen;

	pass(&conn.tuple[0], SYN);
	pass(&conn.tuple[1], ACK);
	pass(&conn.tuple[0], ACK);
	/* a write would end the test */
	page = (char *)record - (size_t)record % bytes;
	assert_int_equal(mprotect(page, bytes, PROT_READ), 0);
	pass(&conn.tuple[0], ACK);
	pass(&conn.tuple[1], ACK);
	assert_int_equal(mprotect(page, bytes, PROT_READ | PROT_WRITE), 0);
	seen = record->seen[WF_DIR_REPLY];
	wait_ticks(1);
	pass(&conn.tuple[1], ACK);
	assert_int_not_equal(record->seen[WF_DIR_REPLY], seen);
}

static void touch_of_another_life_does_nothing(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 1, 1);
	__u32 index = add(&conn);
	struct wf_conn_hit hit;

	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 1);
	wf_conn_remove(index);
	wait_ticks(WF_CONN_GRACE_TICKS);
	(void)run_sweep();
	assert_int_equal(add_plain(LAB_PROTO_TCP, 2, 2), index);
	wf_conn_touch(&hit, RST);
	assert_int_equal(native_conns.records[index].phase, WF_CONN_NEW);
}

static void quota_is_per_endpoint(void **state)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index, none = 0;

	native_conns.state.quota = 2;
	conn.owner = 3;
	index = add(&conn);
	conn = lab_conn(LAB_PROTO_UDP, 2, 2);
	conn.owner = 3;
	(void)add(&conn);
	conn = lab_conn(LAB_PROTO_UDP, 3, 3);
	conn.owner = 3;
	assert_int_equal(wf_conn_add(&conn, &none), -WF_REASON_CONN_QUOTA);
	assert_int_equal(native_conns.state.failed_quota, 1);
	assert_int_equal(native_conns.state.failed_full, 0);
	conn.owner = 4;
	(void)add(&conn);
	for (__u32 i = 10; i < 15; i++)
		(void)add_plain(LAB_PROTO_UDP, i, i);
	wf_conn_remove(index);
	conn = lab_conn(LAB_PROTO_UDP, 4, 4);
	conn.owner = 3;
	(void)add(&conn);
}

static void full_table_keeps_what_is_established(void **state)
{
	const struct wf_conn_new beyond = lab_conn(LAB_PROTO_UDP, MAX, MAX);
	__u32 index, admitted = 0, refused = 0;

	for (__u32 i = 1; i < MAX; i++) {
		const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, i, i);

		(void)add(&conn);
		if (i < MAX / 2)
			pass(&conn.tuple[1], 0);
	}
	assert_int_equal(wf_conn_add(&beyond, &index), -WF_REASON_CONN_TABLE_FULL);
	assert_int_equal(native_conns.state.failed_full, 1);
	/* half of them never got an answer, nobody sweeps: programs help themselves */
	wait_ticks(WF_CONN_PRESSED_TICKS);
	for (__u32 i = MAX; i < 8 * MAX; i++) {
		const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, i, i);
		int r = wf_conn_add(&conn, &index);

		admitted += r == 0;
		refused += r == -WF_REASON_CONN_TABLE_FULL;
		assert_true(r == 0 || r == -WF_REASON_CONN_TABLE_FULL);
	}
	assert_in_range(admitted, MAX / 2 - 2, MAX / 2);
	assert_int_equal(native_conns.state.failed_full, refused + 1);
	for (__u32 i = 1; i < MAX / 2; i++)
		assert_true(found(&lab_conn(LAB_PROTO_UDP, i, i).tuple[0]));
	assert_int_equal(lab_refs(), 2 * wf_conn_live());
}

static void programs_wait_for_the_grace_as_well(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, MAX, MAX);
	__u32 index = 0;

	for (__u32 i = 1; i < MAX; i++)
		(void)add_plain(LAB_PROTO_UDP, i, i);
	for (__u32 i = 1; i < MAX; i++)
		wf_conn_remove(i);
	assert_int_equal(wf_conn_add(&conn, &index), -WF_REASON_CONN_TABLE_FULL);
	wait_ticks(WF_CONN_GRACE_TICKS);
	assert_int_equal(wf_conn_add(&conn, &index), 0);
	assert_int_equal(native_conns.queue_count, 0);
}

static void full_bucket_refuses_and_leaks_nothing(void **state)
{
	const __u32 fit = WF_CONN_BUCKET_REFS / WF_DIR_COUNT;
	struct wf_conn_new conn;
	__u32 none = 0;

	native_conns.state.buckets = 1;
	for (__u32 i = 0; i < fit - 1; i++)
		(void)add_plain(LAB_PROTO_UDP, i, i);
	/* room for one of two references */
	native_conns.buckets[0].refs[WF_CONN_BUCKET_REFS - 1] = WF_CONN_REF_INDEX;
	conn = lab_conn(LAB_PROTO_UDP, fit, fit);
	assert_int_equal(wf_conn_add(&conn, &none), -WF_REASON_CONN_TABLE_FULL);
	assert_int_equal(native_conns.state.failed_index, 1);
	assert_int_equal(lab_refs(), 2 * (fit - 1) + 1);
	native_conns.buckets[0].refs[WF_CONN_BUCKET_REFS - 1] = 0;
	(void)add(&conn);
	for (__u32 i = 0; i < fit - 1; i++)
		assert_true(found(&lab_conn(LAB_PROTO_UDP, i, i).tuple[1]));
	assert_true(found(&conn.tuple[1]));
}

static void daemon_removes_the_life_it_saw(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = add(&conn);
	const struct wf_conn_table table = lab_table();
	struct wf_conn copy;

	assert_true(wf_conn_table_read(&table, index, &copy));
	assert_memory_equal(&copy.tuple, &conn.tuple, sizeof(copy.tuple));
	assert_false(wf_conn_table_read(&table, 0, &copy));
	assert_false(wf_conn_table_remove(&table, index, copy.guard + WF_CONN_LIFE, wf_now_tick()));
	assert_true(found(&conn.tuple[0]));
	assert_true(wf_conn_table_remove(&table, index, copy.guard, wf_now_tick()));
	assert_false(wf_conn_table_remove(&table, index, copy.guard, wf_now_tick()));
	assert_false(found(&conn.tuple[0]));
	assert_false(wf_conn_table_read(&table, index, &copy));
	assert_int_equal(wf_conn_live(), 0);
	assert_int_equal(lab_refs(), 0);
}

static void record_of_a_killed_daemon_comes_back(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index = add(&conn);
	struct wf_conn *record = &native_conns.records[index];

	record->guard = record->guard - WF_CONN_FORCE + WF_CONN_HELD;
	assert_true(is_due());
	(void)run_sweep();
	native.now_s++;
	(void)run_sweep();
	assert_int_equal(lab_refs(), 2);
	/* it moved: a program at work */
	record->guard += WF_CONN_LIFE;
	wait_ticks(WF_CONN_GRACE_TICKS);
	(void)run_sweep();
	assert_int_equal(lab_refs(), 2);
	wait_ticks(WF_CONN_GRACE_TICKS);
	(void)run_sweep();
	assert_int_equal(lab_refs(), 0);
	wait_ticks(WF_CONN_GRACE_TICKS);
	(void)run_sweep();
	assert_int_equal(native_conns.queue_count, 1);
	assert_int_equal(add_plain(LAB_PROTO_UDP, 2, 2), index);
}

static void record_that_is_queued_twice_is_used_once(void **state)
{
	__u32 index = add_plain(LAB_PROTO_UDP, 1, 1);

	wf_conn_remove(index);
	wait_ticks(WF_CONN_GRACE_TICKS);
	(void)run_sweep();
	assert_int_equal(native_queue_push(index), 0);
	assert_int_equal(add_plain(LAB_PROTO_UDP, 2, 2), index);
	assert_int_not_equal(add_plain(LAB_PROTO_UDP, 3, 3), index);
	assert_true(found(&lab_conn(LAB_PROTO_UDP, 2, 2).tuple[0]));
}

static __u32 bucket_of(__u16 port, __u32 site)
{
	struct wf_tuple tuple = lab_tuple(LAB_PROTO_TCP, 1, 1);

	tuple.sport = (__be16)port;
	tuple.site = (__u8)site;
	return wf_conn_spot(&native_conns.state, &tuple).number;
}

/* Tuples that differ in one place only spread over the buckets as chance would have it. */
static void hash_spreads(void **state)
{
	static __u32 load[NATIVE_CONNS / WF_CONN_PER_BUCKET];
	__u32 count = NATIVE_CONNS * 2, most = 0, moved;

	native_conns_reset(NATIVE_CONNS);
	memset(load, 0, sizeof(load));
	for (__u32 i = 0; i < count; i++)
		load[bucket_of((__u16)i, i >> 16)]++;
	/* others than somebody who knows the program but not the keys can work out */
	moved = bucket_of(1, 1);
	native_conns.state.keys[8]++;
	assert_int_not_equal(bucket_of(1, 1), moved);
	for (__u32 i = 0; i < native_conns.state.buckets; i++)
		most = load[i] > most ? load[i] : most;
	/* four on average; more than 20 of them once in a hundred million buckets */
	assert_in_range(most, 5, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_tuples_lead_to_the_record, set_up),
		cmocka_unit_test_setup(counters_follow, set_up),
		cmocka_unit_test_setup(removed_record_waits_before_it_is_used_again, set_up),
		cmocka_unit_test_setup(taken_tuples_are_refused, set_up),
		cmocka_unit_test_setup(pending_rivals_give_way_by_number, set_up),
		cmocka_unit_test_setup(copy_of_two_lives_is_no_hit, set_up),
		cmocka_unit_test_setup(silence_ends_connections, set_up),
		cmocka_unit_test_setup(timeouts_can_change_under_way, set_up),
		cmocka_unit_test_setup(tcp_goes_through_its_phases, set_up),
		cmocka_unit_test_setup(packets_that_change_nothing_write_nothing, set_up),
		cmocka_unit_test_setup(touch_of_another_life_does_nothing, set_up),
		cmocka_unit_test_setup(quota_is_per_endpoint, set_up),
		cmocka_unit_test_setup(full_table_keeps_what_is_established, set_up),
		cmocka_unit_test_setup(programs_wait_for_the_grace_as_well, set_up),
		cmocka_unit_test_setup(full_bucket_refuses_and_leaks_nothing, set_up),
		cmocka_unit_test_setup(daemon_removes_the_life_it_saw, set_up),
		cmocka_unit_test_setup(record_of_a_killed_daemon_comes_back, set_up),
		cmocka_unit_test_setup(record_that_is_queued_twice_is_used_once, set_up),
		cmocka_unit_test_setup(hash_spreads, set_up),
	};

	return cmocka_run_group_tests_name("dp/conn_table", tests, NULL, NULL);
}
