/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../from_text.h"
#include "base/mem.h"
#include "table_lab.h"

static void test_put(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	const struct wf_frontend_value *value;
	const struct wf_backend_value *first;
	uint32_t number;

	port.affinity_s = 30;
	port.frontends[0].flags |= WF_FRONTEND_AFFINITY;
	number = table_put(&port, 0);
	value = lab_find(&lab, "10.96.0.1", 80);
	assert_non_null(value);
	assert_int_equal(value->service, number);
	assert_int_equal(value->affinity_s, 30);
	assert_int_equal(value->flags,
			 WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE | WF_FRONTEND_AFFINITY);
	assert_int_equal(value->type, WF_FRONTEND_CLUSTER_IP);
	assert_int_equal(value->inside.size, 61);
	/* one run for both */
	assert_memory_equal(&value->inside, &value->outside, sizeof(value->inside));
	first = table_backend(&port, 0);
	assert_true(wf_addr_equal(&first->addr, &port.backends[0].addr));
	assert_int_equal(first->port, htons(8080));
	assert_int_equal(first->service, number);
	assert_int_equal(first->slot, 1);
	assert_int_equal(first->flags, TABLE_USABLE);
	assert_null(wf_lb_table_key(lab.table, number + 1));
	assert_null(wf_lb_table_key(lab.table, UINT32_MAX));
	assert_int_equal(wf_lb_table_number(lab.table, "other"), 0);
	assert_int_equal(wf_lb_table_backend(lab.table, "other", &first->addr, 8080), 0);
	assert_int_equal(wf_lb_table_backend(lab.table, port.key, &first->addr, 8081), 0);
}

/* The same once more: no effect, no write. */
static void test_put_again(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(3);
	size_t calls;

	table_put(&port, 0);
	calls = lab.calls;
	table_put(&port, 10);
	assert_int_equal(lab.calls, calls);
	/* where a backend lives here may change by itself */
	port.backends[0].slot = 99;
	table_put(&port, 20);
	assert_int_equal(lab.calls, calls);
	assert_int_equal(table_backend(&port, 0)->slot, 99);
	port.affinity_s = 5;
	table_put(&port, 30);
	assert_int_equal(lab.calls, calls + 1);
}

static void test_one_backend(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(1);
	const struct wf_frontend_value *value;

	table_put(&port, 0);
	value = lab_find(&lab, "10.96.0.1", 80);
	assert_int_equal(value->inside.size, 1);
	assert_int_equal(&lab.memory.backends[lab_pick(&lab, &value->inside, 0)],
			 table_backend(&port, 0));
	port.backends[0].sets = 0;
	table_put(&port, 1);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 0);
	assert_int_equal(table_backend(&port, 0)->flags, WF_BACKEND_VALID);
}

/* Weighted sequences for the other algorithms. */
static void test_round_robin(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(3);
	const struct wf_frontend_value *value;

	port.algorithm = WF_LB_ROUND_ROBIN;
	table_put(&port, 0);
	value = lab_find(&lab, "10.96.0.1", 80);
	assert_int_equal(value->algorithm, WF_LB_ROUND_ROBIN);
	assert_int_equal(value->inside.size, 3);
	port.backends[0].weight = 4;
	table_put(&port, 0);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 6);
	port.algorithm = WF_LB_MAGLEV;
	table_put(&port, 0);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 127);
}

static void test_sets(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(0);
	const struct wf_frontend_value *own, *node;
	uint32_t local;

	lab_add_frontend(&port, "0.0.0.0", 30080, WF_FRONTEND_NODE_PORT);
	lab_add_backend(&port, 1, WF_LB_INSIDE | WF_LB_OUTSIDE | WF_LB_EXTERNAL);
	lab_add_backend(&port, 2, WF_LB_INSIDE | WF_LB_EXTERNAL);
	table_put(&port, 0);
	own = lab_find(&lab, "10.96.0.1", 80);
	node = lab_find(&lab, "0.0.0.0", 30080);
	assert_int_equal(own->inside.first, own->outside.first);
	assert_int_equal(own->inside.first, node->inside.first);
	assert_int_equal(node->inside.size, 61);
	assert_int_equal(node->outside.size, 1);
	local = lab_pick(&lab, &node->outside, 0);
	assert_int_equal(&lab.memory.backends[local], table_backend(&port, 0));
	/* the internal policy Local: the run of outsiders serves insiders of the own address */
	port.backends[0].sets = WF_LB_INSIDE | WF_LB_OUTSIDE | WF_LB_EXTERNAL;
	port.backends[1].sets = WF_LB_EXTERNAL;
	table_put(&port, 0);
	own = lab_find(&lab, "10.96.0.1", 80);
	node = lab_find(&lab, "0.0.0.0", 30080);
	assert_int_equal(own->inside.size, 1);
	assert_int_equal(own->inside.first, node->outside.first);
	assert_int_equal(node->inside.size, 61);
	/* a frontend that serves one side only has no run for the other */
	port.frontends[1].flags = WF_FRONTEND_OUTSIDE;
	table_put(&port, 0);
	assert_int_equal(lab_find(&lab, "0.0.0.0", 30080)->inside.size, 0);
	assert_int_equal(lab_find(&lab, "0.0.0.0", 30080)->outside.size, 1);
}

static void test_clash(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(1);
	_cleanup_(wf_lb_port_done) struct wf_lb_port other =
		lab_port("shop/other:80/tcp/IPv4", "10.96.0.1");
	struct wf_err err = WF_ERR_INIT;
	struct wf_lb_use use;
	uint32_t number;

	table_put(&port, 0);
	assert_int_equal(wf_lb_table_put(lab.table, &other, 0, &number, &err), -EEXIST);
	assert_string_equal(err.message, "10.96.0.1 port 80 of shop/other:80/tcp/IPv4 belongs to "
					 "shop/web:80/tcp/IPv4");
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services, 1);
	/* in one batch the owner gives it up first */
	wf_lb_table_begin(lab.table);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	number = table_put(&other, 0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->service, number);
	assert_int_equal(lab.frontend_count, 1);
}

static void test_batch(void **state)
{
	struct wf_lb_port ports[20];
	char key[32], addr[32];

	wf_lb_table_begin(lab.table);
	for (unsigned int i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "shop/web%u:80/tcp/IPv4", i);
		(void)snprintf(addr, sizeof(addr), "10.96.1.%u", i);
		ports[i] = lab_port(key, addr);
		lab_add_backend(&ports[i], i + 1, WF_LB_INSIDE);
		table_put(&ports[i], 0);
	}
	assert_int_equal(lab.calls, 0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(lab.calls, 1);
	assert_int_equal(lab.sets, 20);
	/* one service twice in a batch: the last one counts */
	wf_lb_table_begin(lab.table);
	ports[0].affinity_s = 1;
	table_put(&ports[0], 0);
	ports[0].affinity_s = 2;
	table_put(&ports[0], 0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(lab_find(&lab, "10.96.1.0", 80)->affinity_s, 2);
	for (unsigned int i = 0; i < 20; i++)
		wf_lb_port_done(&ports[i]);
}

/* The kernel has no room: the port is what it was before, the others are not touched. */
static void test_refused(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	_cleanup_(wf_lb_port_done) struct wf_lb_port bad = lab_port("bad", "10.96.0.2");
	_cleanup_(wf_lb_port_done) struct wf_lb_port good = lab_port("good", "10.96.0.3");
	struct wf_err err = WF_ERR_INIT;
	struct wf_frontend_value before;
	struct wf_backend_value *gone;
	uint32_t number;

	table_put(&port, 0);
	gone = table_backend(&port, 1);
	before = *lab_find(&lab, "10.96.0.1", 80);
	lab.refused_port = 666;
	lab_add_frontend(&port, "10.96.0.1", 666, WF_FRONTEND_EXTERNAL_IP);
	port.backend_count = 1;
	assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, &err), -ENOSPC);
	assert_string_equal(err.message,
			    "service port shop/web:80/tcp/IPv4: the lab refuses port 666");
	assert_memory_equal(lab_find(&lab, "10.96.0.1", 80), &before, sizeof(before));
	assert_int_equal(gone->flags, TABLE_USABLE);
	assert_int_equal(lab.frontend_count, 1);
	/* in a batch commit tells */
	lab_add_frontend(&bad, "10.96.0.2", 666, WF_FRONTEND_EXTERNAL_IP);
	lab_add_backend(&bad, 5, WF_LB_INSIDE);
	lab_add_backend(&good, 5, WF_LB_INSIDE);
	wf_lb_table_begin(lab.table);
	table_put(&bad, 0);
	table_put(&good, 0);
	assert_int_equal(wf_lb_table_commit(lab.table, &err), -ENOSPC);
	assert_string_equal(err.message, "service port bad: the lab refuses port 666");
	assert_int_equal(wf_lb_table_number(lab.table, "bad"), 0);
	assert_non_null(lab_find(&lab, "10.96.0.3", 80));
	assert_null(lab_find(&lab, "10.96.0.2", 80));
	/* and with room it comes into force */
	lab.refused_port = 0;
	table_put(&bad, 10);
	assert_int_equal(lab.frontend_count, 4);
	assert_int_equal(table_backend(&bad, 0)->flags, TABLE_USABLE);
}

static void test_full(void **state)
{
	struct wf_lb_port ports[80] = { 0 };
	struct wf_err err = WF_ERR_INIT;
	struct wf_lb_port many = table_usual(300);
	uint32_t number, used = 0;
	char key[16], addr[32];

	assert_int_equal(wf_lb_table_put(lab.table, &many, 0, &number, &err), -ENOSPC);
	assert_non_null(strstr(err.message, "needs 300 more backends and 255 of 255 are free"));
	assert_int_equal(lab.frontend_count, 0);
	/* there is room for two runs of so many; while both have their pause there is none */
	many.backend_count = 255;
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(wf_lb_table_put(lab.table, &many, i, &number, &err), 0);
		assert_int_equal(wf_lb_table_remove(lab.table, many.key, i, NULL), 0);
	}
	assert_int_equal(wf_lb_table_put(lab.table, &many, 10, &number, &err), -ENOSPC);
	assert_non_null(strstr(err.message, "no run of 8191 picks is free"));
	assert_int_equal(lab.frontend_count, 0);
	/* the pause is over and everything is free again without anybody calling sweep */
	assert_int_equal(wf_lb_table_put(lab.table, &many, 5000, &number, &err), 0);
	assert_int_equal(wf_lb_table_remove(lab.table, many.key, 5000, NULL), 0);
	wf_lb_table_sweep(lab.table, 10000);
	for (unsigned int i = 0; i < 80; i++) {
		int r;

		(void)snprintf(key, sizeof(key), "p%u", i);
		(void)snprintf(addr, sizeof(addr), "10.96.2.%u", i);
		ports[i] = lab_port(key, addr);
		r = wf_lb_table_put(lab.table, &ports[i], 10000, &number, &err);
		assert_int_equal(r, i < 63 ? 0 : -ENOSPC);
		used += r == 0;
	}
	assert_int_equal(used, 63);
	assert_non_null(strstr(err.message, "all 63 are in use"));
	assert_int_equal(wf_lb_table_number_take(lab.table, "x", &number, &err), -ENOSPC);
	for (unsigned int i = 0; i < 80; i++)
		wf_lb_port_done(&ports[i]);
	wf_lb_port_done(&many);
}

static void test_unsorted(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	uint32_t number;

	port.backends[0].addr = port.backends[1].addr;
	assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, NULL), -EINVAL);
	assert_int_equal(wf_lb_table_number(lab.table, port.key), 0);
}

static void add_source(struct wf_lb_port *port, const char *text)
{
	assert_int_equal(wf_mem_grow(&port->sources, sizeof(*port->sources), port->source_count,
				     &port->source_capacity),
			 0);
	port->sources[port->source_count++] = prefix_of(text);
}

static bool has_source(const char *text)
{
	struct wf_prefix prefix = prefix_of(text);

	for (size_t i = 0; i < lab.source_count; i++)
		if (wf_prefix_equal(&lab.sources[i].prefix, &prefix))
			return true;
	return false;
}

static void test_sources(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(1);
	size_t changes;

	add_source(&port, "192.0.2.0/24");
	add_source(&port, "10.0.0.0/8");
	add_source(&port, "192.0.2.5/24"); /* the same */
	table_put(&port, 0);
	assert_int_equal(lab.source_count, 2);
	changes = lab.source_changes;
	table_put(&port, 0);
	assert_int_equal(lab.source_changes, changes);
	port.source_count = 0;
	add_source(&port, "192.0.2.0/24");
	add_source(&port, "203.0.113.0/24");
	table_put(&port, 0);
	assert_int_equal(lab.source_changes, changes + 2);
	assert_true(has_source("192.0.2.0/24"));
	assert_true(has_source("203.0.113.0/24"));
	assert_false(has_source("10.0.0.0/8"));
	/* one that goes while nobody looks */
	port.source_count = 1;
	lab_restart(&lab);
	table_put(&port, 0);
	assert_int_equal(lab.source_count, 1);
	/* what the kernel refuses changes nothing */
	for (unsigned int i = 0; i < LAB_SOURCES; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "10.9.%u.0/24", i);
		add_source(&port, text);
	}
	{
		uint32_t number;

		assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, NULL), -ENOSPC);
	}
	assert_int_equal(lab.source_count, 1);
	assert_true(has_source("192.0.2.0/24"));
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	assert_int_equal(lab.source_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_put),         TABLE_TEST(test_put_again),
		TABLE_TEST(test_one_backend), TABLE_TEST(test_round_robin),
		TABLE_TEST(test_sets),        TABLE_TEST(test_clash),
		TABLE_TEST(test_batch),       TABLE_TEST(test_refused),
		TABLE_TEST(test_full),        TABLE_TEST(test_unsorted),
		TABLE_TEST(test_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
