/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/abi/limits.h>

#include "base/mem.h"

#define INSIDE   WF_LB_INSIDE
#define USABLE   (WF_BACKEND_VALID | WF_BACKEND_USABLE)
#define PAUSE_MS 2000

static struct lab lab;

static int setup(void **state)
{
	lab_init(&lab, 64, 256, 1024);
	return 0;
}

static int teardown(void **state)
{
	lab_done(&lab);
	return 0;
}

static uint32_t put(const struct wf_lb_port *port, uint64_t now_ms)
{
	uint32_t number = 0;

	assert_int_equal(wf_lb_table_put(lab.table, port, now_ms, &number, NULL), 0);
	assert_int_equal(wf_lb_table_number(lab.table, port->key), number);
	assert_string_equal(wf_lb_table_key(lab.table, number), port->key);
	return number;
}

static struct wf_backend_value *backend(const struct wf_lb_port *port, size_t index)
{
	uint32_t number = wf_lb_table_backend(lab.table, port->key, &port->backends[index].addr,
					      port->backends[index].port);

	assert_true(number > 0 && number < lab.memory.backend_count);
	return &lab.memory.backends[number];
}

static struct wf_lb_port usual(unsigned int backends)
{
	struct wf_lb_port port = lab_port("shop/web:80/tcp/IPv4", "10.96.0.1");

	for (unsigned int i = 1; i <= backends; i++)
		lab_add_backend(&port, i, INSIDE)->slot = i;
	return port;
}

static void test_put(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	const struct wf_frontend_value *value;
	const struct wf_backend_value *first;
	uint32_t number;

	port.affinity_s = 30;
	port.frontends[0].flags |= WF_FRONTEND_AFFINITY;
	number = put(&port, 0);
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
	first = backend(&port, 0);
	assert_true(wf_addr_equal(&first->addr, &port.backends[0].addr));
	assert_int_equal(first->port, htons(8080));
	assert_int_equal(first->service, number);
	assert_int_equal(first->slot, 1);
	assert_int_equal(first->flags, USABLE);
	assert_null(wf_lb_table_key(lab.table, number + 1));
	assert_null(wf_lb_table_key(lab.table, UINT32_MAX));
	assert_int_equal(wf_lb_table_number(lab.table, "other"), 0);
	assert_int_equal(wf_lb_table_backend(lab.table, "other", &first->addr, 8080), 0);
	assert_int_equal(wf_lb_table_backend(lab.table, port.key, &first->addr, 8081), 0);
}

/* The same once more: no effect, no write. */
static void test_put_again(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(3);
	size_t calls;

	put(&port, 0);
	calls = lab.calls;
	put(&port, 10);
	assert_int_equal(lab.calls, calls);
	/* where a backend lives here may change by itself */
	port.backends[0].slot = 99;
	put(&port, 20);
	assert_int_equal(lab.calls, calls);
	assert_int_equal(backend(&port, 0)->slot, 99);
	port.affinity_s = 5;
	put(&port, 30);
	assert_int_equal(lab.calls, calls + 1);
}

static void test_one_backend(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(1);
	const struct wf_frontend_value *value;

	put(&port, 0);
	value = lab_find(&lab, "10.96.0.1", 80);
	assert_int_equal(value->inside.size, 1);
	assert_int_equal(&lab.memory.backends[lab_pick(&lab, &value->inside, 0)],
			 backend(&port, 0));
	port.backends[0].sets = 0;
	put(&port, 1);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 0);
	assert_int_equal(backend(&port, 0)->flags, WF_BACKEND_VALID);
}

/* Weighted sequences for the other algorithms. */
static void test_round_robin(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(3);
	const struct wf_frontend_value *value;

	port.algorithm = WF_LB_ROUND_ROBIN;
	put(&port, 0);
	value = lab_find(&lab, "10.96.0.1", 80);
	assert_int_equal(value->algorithm, WF_LB_ROUND_ROBIN);
	assert_int_equal(value->inside.size, 3);
	port.backends[0].weight = 4;
	put(&port, 0);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 6);
	port.algorithm = WF_LB_MAGLEV;
	put(&port, 0);
	assert_int_equal(lab_find(&lab, "10.96.0.1", 80)->inside.size, 127);
}

static void test_sets(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(0);
	const struct wf_frontend_value *own, *node;
	uint32_t local;

	lab_add_frontend(&port, "0.0.0.0", 30080, WF_FRONTEND_NODE_PORT);
	lab_add_backend(&port, 1, WF_LB_INSIDE | WF_LB_OUTSIDE | WF_LB_EXTERNAL);
	lab_add_backend(&port, 2, WF_LB_INSIDE | WF_LB_EXTERNAL);
	put(&port, 0);
	own = lab_find(&lab, "10.96.0.1", 80);
	node = lab_find(&lab, "0.0.0.0", 30080);
	assert_int_equal(own->inside.first, own->outside.first);
	assert_int_equal(own->inside.first, node->inside.first);
	assert_int_equal(node->inside.size, 61);
	assert_int_equal(node->outside.size, 1);
	local = lab_pick(&lab, &node->outside, 0);
	assert_int_equal(&lab.memory.backends[local], backend(&port, 0));
	/* the internal policy Local: the run of outsiders serves insiders of the own address */
	port.backends[0].sets = WF_LB_INSIDE | WF_LB_OUTSIDE | WF_LB_EXTERNAL;
	port.backends[1].sets = WF_LB_EXTERNAL;
	put(&port, 0);
	own = lab_find(&lab, "10.96.0.1", 80);
	node = lab_find(&lab, "0.0.0.0", 30080);
	assert_int_equal(own->inside.size, 1);
	assert_int_equal(own->inside.first, node->outside.first);
	assert_int_equal(node->inside.size, 61);
	/* a frontend that serves one side only has no run for the other */
	port.frontends[1].flags = WF_FRONTEND_OUTSIDE;
	put(&port, 0);
	assert_int_equal(lab_find(&lab, "0.0.0.0", 30080)->inside.size, 0);
	assert_int_equal(lab_find(&lab, "0.0.0.0", 30080)->outside.size, 1);
}

/* What was in force while frontends were being written: looked at from within the effect. */
struct look {
	struct wf_backend_value *gone, *come;
	uint16_t gone_flags, come_flags;
	struct wf_frontend_value before;
	uint32_t picks[61], still[61];
};

static void look(struct lab *in)
{
	struct look *seen = in->context;

	seen->gone_flags = seen->gone ? seen->gone->flags : 0;
	seen->come_flags = in->memory.backends[3].flags;
	for (uint32_t i = 0; i < 61; i++)
		seen->still[i] = lab_pick(in, &seen->before.inside, i);
}

/* Backends first, then the frontend, and only then the one that left; the old run stays. */
static void test_order(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	struct look seen = { 0 };
	uint32_t again;

	put(&port, 0);
	seen.gone = backend(&port, 0);
	seen.before = *lab_find(&lab, "10.96.0.1", 80);
	for (uint32_t i = 0; i < 61; i++)
		seen.picks[i] = lab_pick(&lab, &seen.before.inside, i);
	lab.on_set = look;
	lab.context = &seen;
	port.backends[0].addr = port.backends[1].addr;
	port.backend_count = 1;
	lab_add_backend(&port, 9, INSIDE);
	put(&port, 100);
	assert_int_equal(seen.gone_flags, USABLE);
	assert_int_equal(seen.come_flags, USABLE);
	assert_memory_equal(seen.still, seen.picks, sizeof(seen.picks));
	assert_int_equal(seen.gone->flags, WF_BACKEND_VALID);
	/* until the pause is over */
	look(&lab);
	assert_memory_equal(seen.still, seen.picks, sizeof(seen.picks));
	lab.on_set = NULL;
	assert_int_not_equal(lab_find(&lab, "10.96.0.1", 80)->inside.first,
			     seen.before.inside.first);
	again = lab_find(&lab, "10.96.0.1", 80)->inside.first;
	port.backend_count = 1;
	put(&port, 100 + PAUSE_MS - 1);
	lab_add_backend(&port, 10, INSIDE);
	put(&port, 100 + PAUSE_MS - 1);
	assert_int_not_equal(lab_find(&lab, "10.96.0.1", 80)->inside.first,
			     seen.before.inside.first);
	assert_int_not_equal(lab_find(&lab, "10.96.0.1", 80)->inside.first, again);
}

/* Connections keep a number, however long. */
static void test_drain(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	_cleanup_(wf_lb_port_done) struct wf_lb_port fewer = usual(1);
	struct wf_backend_value *gone;
	struct wf_lb_use use;

	put(&port, 0);
	gone = backend(&port, 1);
	gone->active = 2;
	put(&fewer, 1000);
	assert_int_equal(gone->flags, WF_BACKEND_VALID);
	assert_int_equal(wf_lb_table_backend(lab.table, port.key, &gone->addr, 8080), 0);
	assert_int_equal(wf_lb_table_sweep(lab.table, 1500), 1500);
	assert_true(wf_lb_table_sweep(lab.table, 1000 + PAUSE_MS) <= 1000);
	assert_int_equal(wf_lb_table_sweep(lab.table, 60000), 1000);
	assert_int_equal(gone->flags, WF_BACKEND_VALID);
	/* it may come back meanwhile, under its old number */
	put(&port, 60000);
	assert_int_equal(backend(&port, 1), gone);
	assert_int_equal(gone->flags, USABLE);
	assert_int_equal(gone->active, 2);
	put(&fewer, 61000);
	gone->active = 0;
	assert_int_equal(wf_lb_table_sweep(lab.table, 61000 + PAUSE_MS), UINT64_MAX);
	assert_int_equal(gone->flags, 0);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.backends, 1);
	assert_int_equal(use.backends_max, 255);
	assert_int_equal(use.picks, 1);
	assert_int_equal(use.picks_max, 1024 * 16);
	assert_int_equal(use.services, 1);
	assert_int_equal(use.services_max, 63);
	assert_int_equal(use.frontends, 1);
}

static void test_cut(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(3);
	struct wf_backend_value *far, *ill, *gone;

	port.cut = true;
	put(&port, 0);
	far = backend(&port, 0);
	ill = backend(&port, 1);
	gone = backend(&port, 2);
	port.backends[0].sets = 0; /* ready still: only too far away now */
	port.backends[1].sets = 0;
	port.backends[1].state = WF_LB_UNHEALTHY;
	port.backend_count = 2;
	put(&port, 0);
	assert_int_equal(far->flags, WF_BACKEND_VALID);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	assert_int_equal(gone->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	port.backends[1].sets = INSIDE;
	put(&port, 0);
	assert_int_equal(ill->flags, USABLE);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	/* a table that only finds it leaves it so */
	lab_restart(&lab);
	assert_int_equal(wf_lb_table_drop_unclaimed(lab.table, 0, NULL), 0);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
}

static void test_remove(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	uint32_t number = put(&port, 0);
	struct wf_backend_value *kept = backend(&port, 0);
	struct wf_lb_use use;

	kept->active = 1;
	lab.memory.services[number].connections = 5;
	assert_int_equal(wf_lb_table_remove(lab.table, "nobody", 0, NULL), 0);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	assert_int_equal(lab.frontend_count, 0);
	assert_int_equal(wf_lb_table_number(lab.table, port.key), 0);
	/* its name is known as long as a connection is */
	wf_lb_table_sweep(lab.table, 100000);
	assert_string_equal(wf_lb_table_key(lab.table, number), port.key);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 100000, NULL), 0);
	assert_int_equal(put(&port, 100000), number);
	assert_int_equal(backend(&port, 0), kept);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 200000, NULL), 0);
	kept->active = 0;
	assert_int_equal(wf_lb_table_sweep(lab.table, 200000), PAUSE_MS);
	assert_int_equal(wf_lb_table_sweep(lab.table, 200000 + PAUSE_MS), UINT64_MAX);
	assert_null(wf_lb_table_key(lab.table, number));
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services + use.backends + use.picks + use.frontends, 0);
	assert_int_equal(lab.memory.services[number].connections, 0);
}

static void test_clash(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(1);
	_cleanup_(wf_lb_port_done) struct wf_lb_port other =
		lab_port("shop/other:80/tcp/IPv4", "10.96.0.1");
	struct wf_err err = WF_ERR_INIT;
	struct wf_lb_use use;
	uint32_t number;

	put(&port, 0);
	assert_int_equal(wf_lb_table_put(lab.table, &other, 0, &number, &err), -EEXIST);
	assert_string_equal(err.message, "10.96.0.1 port 80 of shop/other:80/tcp/IPv4 belongs to "
					 "shop/web:80/tcp/IPv4");
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services, 1);
	/* in one batch the owner gives it up first */
	wf_lb_table_begin(lab.table);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	number = put(&other, 0);
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
		lab_add_backend(&ports[i], i + 1, INSIDE);
		put(&ports[i], 0);
	}
	assert_int_equal(lab.calls, 0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(lab.calls, 1);
	assert_int_equal(lab.sets, 20);
	/* one service twice in a batch: the last one counts */
	wf_lb_table_begin(lab.table);
	ports[0].affinity_s = 1;
	put(&ports[0], 0);
	ports[0].affinity_s = 2;
	put(&ports[0], 0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(lab_find(&lab, "10.96.1.0", 80)->affinity_s, 2);
	for (unsigned int i = 0; i < 20; i++)
		wf_lb_port_done(&ports[i]);
}

/* The kernel has no room: the port is what it was before, the others are not touched. */
static void test_refused(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	_cleanup_(wf_lb_port_done) struct wf_lb_port bad = lab_port("bad", "10.96.0.2");
	_cleanup_(wf_lb_port_done) struct wf_lb_port good = lab_port("good", "10.96.0.3");
	struct wf_err err = WF_ERR_INIT;
	struct wf_frontend_value before;
	struct wf_backend_value *gone;
	uint32_t number;

	put(&port, 0);
	gone = backend(&port, 1);
	before = *lab_find(&lab, "10.96.0.1", 80);
	lab.refused_port = 666;
	lab_add_frontend(&port, "10.96.0.1", 666, WF_FRONTEND_EXTERNAL_IP);
	port.backend_count = 1;
	assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, &err), -ENOSPC);
	assert_string_equal(err.message,
			    "service port shop/web:80/tcp/IPv4: the lab refuses port 666");
	assert_memory_equal(lab_find(&lab, "10.96.0.1", 80), &before, sizeof(before));
	assert_int_equal(gone->flags, USABLE);
	assert_int_equal(lab.frontend_count, 1);
	/* in a batch commit tells */
	lab_add_frontend(&bad, "10.96.0.2", 666, WF_FRONTEND_EXTERNAL_IP);
	lab_add_backend(&bad, 5, INSIDE);
	lab_add_backend(&good, 5, INSIDE);
	wf_lb_table_begin(lab.table);
	put(&bad, 0);
	put(&good, 0);
	assert_int_equal(wf_lb_table_commit(lab.table, &err), -ENOSPC);
	assert_string_equal(err.message, "service port bad: the lab refuses port 666");
	assert_int_equal(wf_lb_table_number(lab.table, "bad"), 0);
	assert_non_null(lab_find(&lab, "10.96.0.3", 80));
	assert_null(lab_find(&lab, "10.96.0.2", 80));
	/* and with room it comes into force */
	lab.refused_port = 0;
	put(&bad, 10);
	assert_int_equal(lab.frontend_count, 4);
	assert_int_equal(backend(&bad, 0)->flags, USABLE);
}

static void test_full(void **state)
{
	struct wf_lb_port ports[80] = { 0 };
	struct wf_err err = WF_ERR_INIT;
	struct wf_lb_port many = usual(300);
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
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
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
	assert_int_equal(wf_prefix_parse(text, &port->sources[port->source_count++]), 0);
}

static bool has_source(const char *text)
{
	struct wf_prefix prefix;

	assert_int_equal(wf_prefix_parse(text, &prefix), 0);
	for (size_t i = 0; i < lab.source_count; i++)
		if (wf_prefix_equal(&lab.sources[i].prefix, &prefix))
			return true;
	return false;
}

static void test_sources(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(1);
	size_t changes;

	add_source(&port, "192.0.2.0/24");
	add_source(&port, "10.0.0.0/8");
	add_source(&port, "192.0.2.5/24"); /* the same */
	put(&port, 0);
	assert_int_equal(lab.source_count, 2);
	changes = lab.source_changes;
	put(&port, 0);
	assert_int_equal(lab.source_changes, changes);
	port.source_count = 0;
	add_source(&port, "192.0.2.0/24");
	add_source(&port, "203.0.113.0/24");
	put(&port, 0);
	assert_int_equal(lab.source_changes, changes + 2);
	assert_true(has_source("192.0.2.0/24"));
	assert_true(has_source("203.0.113.0/24"));
	assert_false(has_source("10.0.0.0/8"));
	/* one that goes while nobody looks */
	port.source_count = 1;
	lab_restart(&lab);
	put(&port, 0);
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

/* After a restart nobody claims these: they go, and what they had is free after the pause. */
static void test_unclaimed(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(3);
	_cleanup_(wf_lb_port_done) struct wf_lb_port gone = lab_port("gone", "10.96.0.9");
	struct wf_frontend_key key = { .scope = WF_SCOPE_ANY, .port = 1, .proto = 17 };
	struct wf_frontend_value value = { .service = 60000 };
	struct wf_lb_use use;
	uint32_t number;

	number = put(&port, 0);
	lab_add_backend(&gone, 7, INSIDE);
	put(&gone, 0);
	/* and one that no release of ours would have written */
	lab.frontends[lab.frontend_count++] = (struct lab_frontend){ key, value };
	lab_restart(&lab);
	assert_int_equal(put(&port, 0), number);
	assert_null(wf_lb_table_key(lab.table, number + 1));
	assert_int_equal(lab.frontend_count, 3);
	assert_int_equal(wf_lb_table_drop_unclaimed(lab.table, 0, NULL), 0);
	assert_int_equal(lab.frontend_count, 1);
	assert_non_null(lab_find(&lab, "10.96.0.1", 80));
	wf_lb_table_sweep(lab.table, PAUSE_MS);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services, 1);
	assert_int_equal(use.backends, 3);
	assert_int_equal(use.picks, 128);
}

/* A crash between frontends: some name the new run, some the old one. Both are known. */
static void test_torn(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(2);
	struct wf_frontend_value old;
	struct wf_lb_use use;
	uint32_t number;

	lab_add_frontend(&port, "192.0.2.1", 80, WF_FRONTEND_CLUSTER_IP);
	number = put(&port, 0);
	old = *lab_find(&lab, "192.0.2.1", 80);
	lab_add_backend(&port, 3, INSIDE);
	put(&port, 0);
	for (size_t i = 0; i < lab.frontend_count; i++)
		if (lab.frontends[i].key.addr.bytes[12] == 192)
			lab.frontends[i].value = old;
	lab_restart(&lab);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.picks, 128);
	assert_int_equal(put(&port, 100), number);
	assert_memory_equal(lab_find(&lab, "192.0.2.1", 80), lab_find(&lab, "10.96.0.1", 80),
			    sizeof(struct wf_frontend_value));
	wf_lb_table_sweep(lab.table, 100 + PAUSE_MS);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.picks, 64);
}

static void test_numbers(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = usual(1);
	uint32_t first, second, again;

	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/a/0", &first, NULL), 0);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/b/0", &second, NULL), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/a/0", &again, NULL), 0);
	assert_int_equal(again, first);
	assert_string_equal(wf_lb_table_key(lab.table, first), "publish/a/0");
	assert_int_not_equal(put(&port, 0), first);
	lab.memory.services[first].connections = 7;
	lab_restart(&lab);
	put(&port, 0);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/b/0", &again, NULL), 0);
	assert_int_equal(again, second);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/a/0", &again, NULL), 0);
	assert_int_equal(again, first);
	assert_int_equal(lab.memory.services[first].connections, 7);
	/* names of ports and of these are one space */
	assert_int_equal(wf_lb_table_number_take(lab.table, port.key, &again, NULL), -EEXIST);
	wf_lb_table_number_release(lab.table, port.key);
	wf_lb_table_number_release(lab.table, "nobody");
	wf_lb_table_number_release(lab.table, "publish/a/0");
	assert_int_equal(wf_lb_table_sweep(lab.table, 50), PAUSE_MS);
	wf_lb_table_sweep(lab.table, 50 + PAUSE_MS);
	assert_null(wf_lb_table_key(lab.table, first));
	assert_non_null(wf_lb_table_key(lab.table, second));
	assert_int_equal(lab.memory.services[first].connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_put_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_backend, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_robin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsorted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unclaimed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
