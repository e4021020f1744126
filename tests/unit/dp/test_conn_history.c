/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories of the table of connections against a list that is searched from one end to
 * the other: same answers, same counters, at every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "conn_lab.h"

#define STEPS   60000
#define MAX     256 /* more than the tuples allow at once, so that nothing is taken over */
#define CLIENTS 60
#define REPLIES 50
#define SLOTS   4

#define NEW_S         30
#define ESTABLISHED_S 120
#define TICK_NS       (1ULL << WF_CONN_TICK_SHIFT)

/* A connection as the list has it. */
struct entry {
	bool in_force;
	bool answered;
	__u32 client;
	__u32 reply;
	__u32 owner;
	__u32 peer;
	__u32 backend;
	__u32 index;
	__u32 tick; /* of the last packet */
};

static struct entry list[CLIENTS];
static struct wf_conn_sweep sweep;

static __u32 pick(__u32 below)
{
	return wf_random32() % below;
}

static struct wf_conn_new conn_of(const struct entry *entry)
{
	struct wf_conn_new conn = lab_conn(LAB_PROTO_UDP, entry->client, entry->reply);

	/* replies differ by their port alone, as those of a masqueraded address do */
	conn.tuple[1] = lab_tuple(LAB_PROTO_UDP, 0x20000, entry->reply);
	conn.owner = entry->owner;
	conn.peer = entry->peer;
	conn.backend = entry->backend;
	return conn;
}

static struct entry *find_client(__u32 client)
{
	return list[client].in_force ? &list[client] : NULL;
}

static struct entry *find_reply(__u32 reply)
{
	for (__u32 i = 0; i < CLIENTS; i++)
		if (list[i].in_force && list[i].reply == reply)
			return &list[i];
	return NULL;
}

static void step_add(void)
{
	struct entry entry = { .in_force = true,
			       .client = pick(CLIENTS),
			       .reply = pick(REPLIES),
			       .owner = pick(SLOTS),
			       .peer = pick(SLOTS),
			       .backend = pick(3),
			       .tick = wf_now_tick() };
	const struct wf_conn_new conn = conn_of(&entry);
	bool taken = find_client(entry.client) || find_reply(entry.reply);

	assert_int_equal(wf_conn_known(&conn.tuple[0]), find_client(entry.client) != NULL);
	assert_int_equal(wf_conn_known(&conn.tuple[1]), find_reply(entry.reply) != NULL);
	assert_int_equal(wf_conn_add(&conn, &entry.index), taken ? WF_CONN_TAKEN : 0);
	if (!taken)
		list[entry.client] = entry;
}

static void step_packet(__u32 dir)
{
	struct entry asked = { .client = pick(CLIENTS), .reply = pick(REPLIES) };
	struct entry *entry = dir ? find_reply(asked.reply) : find_client(asked.client);
	const struct wf_conn_new conn = conn_of(entry ? entry : &asked);
	struct wf_conn_hit hit;

	assert_int_equal(wf_conn_find(&conn.tuple[dir], &hit), entry != NULL);
	if (!entry)
		return;
	assert_int_equal(hit.index, entry->index);
	assert_int_equal(hit.dir, dir);
	assert_int_equal(hit.backend, entry->backend);
	assert_int_equal(hit.peer, entry->peer);
	assert_int_equal(hit.to.sport, conn.tuple[!dir].dport);
	assert_memory_equal(&hit.to.dst, &conn.tuple[!dir].src, sizeof(struct wf_addr));
	wf_conn_touch(&hit, 0);
	entry->tick = wf_now_tick();
	entry->answered |= dir == WF_DIR_REPLY;
}

static void step_remove(void)
{
	const struct wf_conn_table table = lab_table();
	struct entry *entry = find_client(pick(CLIENTS));

	if (!entry)
		return;
	if (pick(2))
		wf_conn_remove(entry->index);
	else
		assert_true(wf_conn_table_remove(&table, entry->index,
						 native_conns.records[entry->index].guard,
						 wf_now_tick()));
	entry->in_force = false;
}

static bool is_over(const struct entry *entry)
{
	__u64 limit_s = entry->answered ? ESTABLISHED_S : NEW_S;

	return (wf_now_tick() - entry->tick) * TICK_NS > limit_s * 1000000000;
}

static void step_sweep(void)
{
	const struct wf_conn_table table = lab_table();
	__u32 removed = 0;

	for (__u32 i = 0; i < CLIENTS; i++) {
		if (!list[i].in_force || !is_over(&list[i]))
			continue;
		list[i].in_force = false;
		removed++;
	}
	assert_int_equal(wf_conn_table_is_due(&table, wf_now_tick()), removed != 0);
	assert_int_equal(wf_conn_table_sweep(&table, &sweep, wf_now_tick()), removed);
}

static void check_counters(void)
{
	__u32 live = 0, owned[SLOTS] = {}, backing[SLOTS] = {}, active[3] = {};

	for (__u32 i = 0; i < CLIENTS; i++) {
		if (!list[i].in_force)
			continue;
		live++;
		owned[list[i].owner]++;
		backing[list[i].peer]++;
		active[list[i].backend]++;
	}
	assert_int_equal(wf_conn_live(), live);
	assert_int_equal(lab_refs(), 2 * live);
	for (__u32 slot = 1; slot < SLOTS; slot++) {
		assert_int_equal(native_conns.owners[slot].owned, owned[slot]);
		assert_int_equal(native_conns.owners[slot].calling, owned[slot]);
		assert_int_equal(native_conns.owners[slot].backing, backing[slot]);
	}
	assert_int_equal(native_conns.owners[WF_SLOT_HOST].owned, 0);
	assert_int_equal(native.backends[1].active, active[1]);
	assert_int_equal(native.backends[2].active, active[2]);
}

static void histories_agree_with_the_list(void **state)
{
	__u32 most = 0;

	memset(&native, 0, sizeof(native));
	native.now_s = 1000;
	native_conns_reset(MAX);
	for (__u32 i = 0; i < STEPS; i++) {
		switch (pick(8)) {
		case 0:
		case 1: step_add(); break;
		case 2:
		case 3: step_packet(WF_DIR_ORIGINAL); break;
		case 4: step_packet(WF_DIR_REPLY); break;
		case 5: step_remove(); break;
		case 6: native.now_s += pick(8); break;
		default: step_sweep(); break;
		}
		check_counters();
		most = wf_conn_live() > most ? wf_conn_live() : most;
	}
	/* the history was one of many connections, and records were used again and again */
	assert_in_range(most, REPLIES / 3, REPLIES);
	assert_in_range(native_conns.state.high, 2, MAX);
	assert_int_equal(native_conns.state.failed_full, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histories_agree_with_the_list),
	};

	return cmocka_run_group_tests_name("dp/conn_history", tests, NULL, NULL);
}
