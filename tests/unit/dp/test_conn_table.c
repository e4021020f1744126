/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of translated connections: who is found by which tuple, who gets in, and who does not.
 * What becomes of them: test_conn_life.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "conn_steps.h"

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
	assert_false(conn_found(&conn.tuple[0]));
	index = conn_add(&conn);

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
	assert_false(conn_found(&other));
	other = conn.tuple[0];
	other.sport ^= 1;
	assert_false(conn_found(&other));
}

static void counters_follow(void **state)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, 7, 9);
	__u32 index;

	conn.backend = 5;
	conn.owner = 2;
	conn.peer = 3;
	index = conn_add(&conn);
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
	index = conn_add(&conn);
	assert_int_equal(native_conns.owners[2].owned, 1);
	assert_int_equal(native_conns.owners[2].calling, 0);
	wf_conn_remove(index);
	conn.owner = WF_SLOT_HOST;
	(void)conn_add(&conn);
	assert_int_equal(native_conns.owners[WF_SLOT_HOST].owned, 0);
	assert_int_equal(native_conns.owners[3].backing, 0);
}

static void taken_tuples_are_refused(void **state)
{
	const struct wf_conn_new first = lab_conn(LAB_PROTO_UDP, 1, 1);
	struct wf_conn_new same_original = lab_conn(LAB_PROTO_UDP, 1, 2);
	struct wf_conn_new same_reply = lab_conn(LAB_PROTO_UDP, 2, 1);
	__u32 index = conn_add(&first), none = 0;

	same_reply.tuple[1] = first.tuple[1];
	assert_int_equal(wf_conn_add(&first, &none), WF_CONN_TAKEN);
	assert_int_equal(wf_conn_add(&same_original, &none), WF_CONN_TAKEN);
	assert_int_equal(wf_conn_add(&same_reply, &none), WF_CONN_TAKEN);
	assert_int_equal(none, 0);
	assert_true(conn_found(&first.tuple[0]));
	assert_false(conn_found(&same_original.tuple[1]));
	assert_false(conn_found(&same_reply.tuple[0]));
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
	__u32 index = conn_add(&conn), none = 0;
	struct wf_conn_spots spots;
	struct wf_conn_hit hit;

	/* as on another CPU, between its references and its decision */
	record->guard = record->guard - WF_CONN_FORCE + WF_CONN_PENDING;
	assert_int_equal(wf_conn_find(&conn.tuple[0], &hit), 0);
	assert_int_equal(wf_conn_known(&conn.tuple[0]), 1);
	assert_int_equal(wf_conn_add(&rival, &none), WF_CONN_TAKEN);
	wf_conn_locate(&native_conns.state, record, &spots);
	assert_int_equal(wf_conn_gives_way(&spots, record, index), 0);
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

	(void)conn_add(&conn);
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

static void quota_is_per_endpoint(void **state)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, 1, 1);
	__u32 index, none = 0;

	native_conns.state.quota = 2;
	conn.owner = 3;
	index = conn_add(&conn);
	conn = lab_conn(LAB_PROTO_UDP, 2, 2);
	conn.owner = 3;
	(void)conn_add(&conn);
	conn = lab_conn(LAB_PROTO_UDP, 3, 3);
	conn.owner = 3;
	assert_int_equal(wf_conn_add(&conn, &none), -WF_REASON_CONN_QUOTA);
	assert_int_equal(native_conns.state.failed_quota, 1);
	assert_int_equal(native_conns.state.failed_full, 0);
	conn.owner = 4;
	(void)conn_add(&conn);
	for (__u32 i = 10; i < 15; i++)
		(void)conn_add_plain(LAB_PROTO_UDP, i, i);
	wf_conn_remove(index);
	conn = lab_conn(LAB_PROTO_UDP, 4, 4);
	conn.owner = 3;
	(void)conn_add(&conn);
}

static void full_table_keeps_what_is_established(void **state)
{
	const struct wf_conn_new beyond = lab_conn(LAB_PROTO_UDP, CONN_MAX, CONN_MAX);
	__u32 index, admitted = 0, refused = 0;

	for (__u32 i = 1; i < CONN_MAX; i++) {
		const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, i, i);

		(void)conn_add(&conn);
		if (i < CONN_MAX / 2)
			conn_pass(&conn.tuple[1], 0);
	}
	assert_int_equal(wf_conn_add(&beyond, &index), -WF_REASON_CONN_TABLE_FULL);
	assert_int_equal(native_conns.state.failed_full, 1);
	/* half of them never got an answer, nobody sweeps: programs help themselves */
	conn_wait_ticks(WF_CONN_PRESSED_TICKS);
	for (__u32 i = CONN_MAX; i < 8 * CONN_MAX; i++) {
		const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, i, i);
		int r = wf_conn_add(&conn, &index);

		admitted += r == 0;
		refused += r == -WF_REASON_CONN_TABLE_FULL;
		assert_true(r == 0 || r == -WF_REASON_CONN_TABLE_FULL);
	}
	assert_in_range(admitted, CONN_MAX / 2 - 2, CONN_MAX / 2);
	assert_int_equal(native_conns.state.failed_full, refused + 1);
	for (__u32 i = 1; i < CONN_MAX / 2; i++)
		assert_true(conn_found(&lab_conn(LAB_PROTO_UDP, i, i).tuple[0]));
	assert_int_equal(lab_refs(), 2 * wf_conn_live());
}

static void programs_wait_for_the_grace_as_well(void **state)
{
	const struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, CONN_MAX, CONN_MAX);
	__u32 index = 0;

	for (__u32 i = 1; i < CONN_MAX; i++)
		(void)conn_add_plain(LAB_PROTO_UDP, i, i);
	for (__u32 i = 1; i < CONN_MAX; i++)
		wf_conn_remove(i);
	assert_int_equal(wf_conn_add(&conn, &index), -WF_REASON_CONN_TABLE_FULL);
	conn_wait_ticks(WF_CONN_GRACE_TICKS);
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
		(void)conn_add_plain(LAB_PROTO_UDP, i, i);
	/* room for one of two references */
	native_conns.buckets[0].refs[WF_CONN_BUCKET_REFS - 1] = WF_CONN_REF_INDEX;
	conn = lab_conn(LAB_PROTO_UDP, fit, fit);
	assert_int_equal(wf_conn_add(&conn, &none), -WF_REASON_CONN_TABLE_FULL);
	assert_int_equal(native_conns.state.failed_index, 1);
	assert_int_equal(lab_refs(), 2 * (fit - 1) + 1);
	native_conns.buckets[0].refs[WF_CONN_BUCKET_REFS - 1] = 0;
	(void)conn_add(&conn);
	for (__u32 i = 0; i < fit - 1; i++)
		assert_true(conn_found(&lab_conn(LAB_PROTO_UDP, i, i).tuple[1]));
	assert_true(conn_found(&conn.tuple[1]));
}

/* What nobody translates: its tuples mirror each other. */
static struct wf_conn_new mirrored(__u32 port)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_TCP, port, port);

	conn.flags = WF_CONN_POLICY;
	wf_tuple_turn(&conn.tuple[WF_DIR_ORIGINAL], &conn.tuple[WF_DIR_REPLY]);
	return conn;
}

/* In tables of either layout: references that the connection takes. */
static void mirrored_is_found_both_ways(__u32 layout, int refs)
{
	struct wf_conn_new conn = mirrored(7), turned = conn;
	struct wf_conn_hit hit;
	__u32 index, none = 0;

	native_conns.state.layout = layout;
	index = conn_add(&conn);
	assert_int_equal(lab_refs(), refs);
	for (__u32 dir = 0; dir < WF_DIR_COUNT; dir++) {
		assert_int_equal(wf_conn_find(&conn.tuple[dir], &hit), 1);
		assert_int_equal(hit.index, index);
		assert_int_equal(hit.dir, dir);
	}
	/* nor does whoever answers begin a second one */
	turned.tuple[WF_DIR_ORIGINAL] = conn.tuple[WF_DIR_REPLY];
	turned.tuple[WF_DIR_REPLY] = conn.tuple[WF_DIR_ORIGINAL];
	assert_int_equal(wf_conn_add(&turned, &none), WF_CONN_TAKEN);
	assert_int_equal(lab_refs(), refs);
	wf_conn_remove(index);
	assert_int_equal(lab_refs(), 0);
	assert_false(conn_found(&conn.tuple[WF_DIR_REPLY]));
}

static void one_reference_stands_for_both_directions(void **state)
{
	mirrored_is_found_both_ways(WF_CONN_LAYOUT_RUNS, 1);
}

static void older_tables_keep_their_layout(void **state)
{
	mirrored_is_found_both_ways(WF_CONN_LAYOUT_LONE, 2);
}

/* What the daemon adds is found by programs, and neither adds what the other has added. */
static void daemon_adds(__u32 layout, int refs)
{
	const struct wf_conn_new conn = mirrored(7), other = mirrored(8);
	struct wf_conn_seed seed = { .flags = WF_CONN_POLICY, .phase = WF_CONN_ESTABLISHED };
	struct wf_conn_table table;
	__u32 none = 0;

	native_conns.state.layout = layout;
	native_conns.state.high = 4; /* some have been in use: they are in the queue */
	for (__u32 i = 1; i < native_conns.state.high; i++)
		assert_int_equal(native_queue_push(i), 0);
	table = lab_table();
	memcpy(seed.tuple, conn.tuple, sizeof(seed.tuple));
	assert_int_equal(wf_conn_table_add(&table, &seed, wf_now_tick()), 0);
	assert_int_equal(lab_refs(), refs);
	assert_true(conn_found(&conn.tuple[WF_DIR_ORIGINAL]));
	assert_true(conn_found(&conn.tuple[WF_DIR_REPLY]));
	assert_int_equal(wf_conn_add(&conn, &none), WF_CONN_TAKEN);

	(void)conn_add(&other);
	memcpy(seed.tuple, other.tuple, sizeof(seed.tuple));
	assert_int_equal(wf_conn_table_add(&table, &seed, wf_now_tick()), -EEXIST);
	assert_int_equal(lab_refs(), 2 * refs);
	assert_int_equal(wf_conn_live(), 2);
}

static void daemon_adds_as_programs_do(void **state)
{
	daemon_adds(WF_CONN_LAYOUT_RUNS, 1);
	assert_int_equal(conn_set_up(state), 0);
	daemon_adds(WF_CONN_LAYOUT_LONE, 2);
}

/* One of its tuples is that of a connection that is not translated. */
static void translated_gives_way_to_mirrored(void **state)
{
	const struct wf_conn_new conn = mirrored(7);
	struct wf_conn_new other = lab_conn(LAB_PROTO_TCP, 9, 9);
	__u32 none = 0;

	(void)conn_add(&conn);
	for (__u32 dir = 0; dir < WF_DIR_COUNT; dir++) {
		other.tuple[WF_DIR_REPLY] = conn.tuple[dir];
		assert_int_equal(wf_conn_add(&other, &none), WF_CONN_TAKEN);
	}
	assert_int_equal(lab_refs(), 1);
}

static struct wf_conn_place place_of(__u32 client, __u16 port)
{
	struct wf_tuple tuple = lab_tuple(LAB_PROTO_TCP, 1, 1);

	tuple.src.words[3] = client;
	tuple.sport = wf_conn_port(port);
	tuple.dport = wf_conn_port(80);
	return wf_conn_place(&native_conns.state, &tuple);
}

/* Buckets are filled evenly, and differently from what is known without the keys. */
static void spreads(__u32 clients, __u32 ports, __u32 most)
{
	static __u32 load[NATIVE_CONNS / WF_CONN_PER_BUCKET];
	struct wf_conn_place was;

	memset(load, 0, sizeof(load));
	for (__u32 i = 0; i < clients; i++)
		for (__u32 j = 0; j < ports; j++)
			load[place_of(i, (__u16)(1024 + j)).bucket]++;
	for (__u32 i = 0; i < native_conns.state.buckets; i++)
		assert_in_range(load[i], 0, most);
	was = place_of(1, 1024);
	native_conns.state.keys[8]++;
	assert_int_not_equal(place_of(1, 1024).bucket, was.bucket);
}

/* Four on average; more than 20 of them once in a hundred million buckets. */
static void hash_spreads(void **state)
{
	const __u32 layouts[] = { WF_CONN_LAYOUT_LONE, WF_CONN_LAYOUT_RUNS };

	native_conns_reset(NATIVE_CONNS);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		native_conns.state.layout = layouts[i];
		spreads(NATIVE_CONNS * 2, 1, 20);
		spreads(NATIVE_CONNS / 16, 32, 20);
	}
}

/* The ports of one client are neighbours, each in its own bucket as long as there are buckets. */
static void ports_of_a_client_are_neighbours(void **state)
{
	struct wf_conn_place last, next;

	native_conns_reset(NATIVE_CONNS);
	last = place_of(1, 1023);
	for (__u16 port = 1024; port < 1124; port++) {
		next = place_of(1, port);
		assert_int_equal(next.bucket, (last.bucket + 1) & (native_conns.state.buckets - 1));
		last = next;
	}
	spreads(1, NATIVE_CONNS / WF_CONN_PER_BUCKET, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(both_tuples_lead_to_the_record, conn_set_up),
		cmocka_unit_test_setup(counters_follow, conn_set_up),
		cmocka_unit_test_setup(taken_tuples_are_refused, conn_set_up),
		cmocka_unit_test_setup(pending_rivals_give_way_by_number, conn_set_up),
		cmocka_unit_test_setup(copy_of_two_lives_is_no_hit, conn_set_up),
		cmocka_unit_test_setup(quota_is_per_endpoint, conn_set_up),
		cmocka_unit_test_setup(full_table_keeps_what_is_established, conn_set_up),
		cmocka_unit_test_setup(programs_wait_for_the_grace_as_well, conn_set_up),
		cmocka_unit_test_setup(full_bucket_refuses_and_leaks_nothing, conn_set_up),
		cmocka_unit_test_setup(one_reference_stands_for_both_directions, conn_set_up),
		cmocka_unit_test_setup(older_tables_keep_their_layout, conn_set_up),
		cmocka_unit_test_setup(daemon_adds_as_programs_do, conn_set_up),
		cmocka_unit_test_setup(translated_gives_way_to_mirrored, conn_set_up),
		cmocka_unit_test_setup(hash_spreads, conn_set_up),
		cmocka_unit_test_setup(ports_of_a_client_are_neighbours, conn_set_up),
	};

	return cmocka_run_group_tests_name("dp/conn_table", tests, NULL, NULL);
}
