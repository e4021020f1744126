/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation n fails, for every n: what was in force stays, and the next attempt succeeds. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#include "../fail_alloc.h"
#include "base/mem.h"
#include "lb/maglev.h"
#include "lb/select.h"
#include "lb/turns.h"

#define BACKENDS 70

static struct lab lab;

/* Different from one call to the next in everything a port has. */
static struct wf_lb_port make_port(unsigned int kind)
{
	struct wf_lb_port port = lab_port("shop/web:80/tcp/IPv4", "10.96.0.1");

	lab_add_frontend(&port, kind & 1 ? "192.0.2.1" : "192.0.2.2", 80, WF_FRONTEND_EXTERNAL_IP);
	port.algorithm = kind & 2 ? WF_LB_ROUND_ROBIN : WF_LB_MAGLEV;
	for (unsigned int i = 0; i < BACKENDS; i++) {
		struct wf_lb_backend *made =
			lab_add_backend(&port, i * 2 + (kind & 1), WF_LB_INSIDE | i % 2 << 1 | 4);

		made->weight = 1 + i % 3;
	}
	port.sources = calloc(1, sizeof(*port.sources));
	port.sources[0].len = 32;
	port.sources[0].addr = wf_addr_from_ip4(kind);
	port.source_count = port.source_capacity = 1;
	return port;
}

static void snapshot(struct lab *in, struct wf_lb_use *use, uint32_t *numbers)
{
	wf_lb_table_use(in->table, use);
	for (uint32_t i = 0; i < in->memory.backend_count; i++)
		numbers[i] = in->memory.backends[i].flags;
}

static void put_each(unsigned int before, unsigned int after)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port old = make_port(before);
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = make_port(after);
	uint32_t number, was[512], is[512];
	struct wf_lb_use use_was, use_is;
	size_t failed = 0;

	for (size_t n = 0;; n++) {
		size_t calls;
		int r;

		lab_init(&lab, 16, 512, 512);
		if (before)
			assert_int_equal(wf_lb_table_put(lab.table, &old, 0, &number, NULL), 0);
		snapshot(&lab, &use_was, was);
		calls = lab.calls + lab.source_changes;
		fail_alloc_arm(n);
		r = wf_lb_table_put(lab.table, &port, 0, &number, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			lab_done(&lab);
			break;
		}
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			failed++;
			snapshot(&lab, &use_is, is);
			assert_memory_equal(&use_was, &use_is, sizeof(use_is));
			assert_memory_equal(was, is, sizeof(is));
			assert_int_equal(calls, lab.calls + lab.source_changes);
		}
		assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, NULL), 0);
		assert_int_equal(lab.frontend_count, 2);
		assert_int_equal(lab.source_count, 1);
		lab_done(&lab);
	}
	assert_true(failed >= 4);
}

static void test_put(void **state)
{
	put_each(0, 1);
	put_each(0, 2);
	put_each(1, 4);
	put_each(1, 2);
	put_each(2, 5);
	put_each(4, 6);
}

/* Commit has no need of memory any more. */
static void test_commit(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = make_port(1);
	uint32_t number;

	lab_init(&lab, 16, 512, 512);
	wf_lb_table_begin(lab.table);
	assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, NULL), 0);
	fail_alloc_arm(0);
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
	assert_int_equal(wf_lb_table_remove(lab.table, "nobody", 0, NULL), 0);
	assert_false(fail_alloc_disarm());
	assert_int_equal(lab.frontend_count, 2);
	lab_done(&lab);
}

static void test_new(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = make_port(1);
	struct wf_lb_effects effects = lab_effects(&lab);
	uint32_t number;

	lab_init(&lab, 16, 512, 512);
	assert_int_equal(wf_lb_table_put(lab.table, &port, 0, &number, NULL), 0);
	wf_lb_table_free(&lab.table);
	for (size_t n = 0;; n++) {
		int r = 0;

		fail_alloc_arm(n);
		r = wf_lb_table_new(&lab.table, &lab.view, &effects, NULL);
		for (size_t i = 0; r == 0 && i < lab.frontend_count; i++)
			r = wf_lb_table_adopt(lab.table, &lab.frontends[i].key,
					      &lab.frontends[i].value, NULL);
		for (size_t i = 0; r == 0 && i < lab.source_count; i++)
			r = wf_lb_table_adopt_source(lab.table, lab.sources[i].service,
						     &lab.sources[i].prefix, NULL);
		if (r == 0)
			r = wf_lb_table_number_take(lab.table, "publish", &number, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			assert_true(n > 10);
			break;
		}
		assert_true(r == 0 || r == -ENOMEM);
		wf_lb_table_free(&lab.table);
	}
	lab_done(&lab);
}

static void test_tables(void **state)
{
	_cleanup_free_ struct wf_maglev_backend *backends = calloc(100, sizeof(*backends));
	_cleanup_free_ uint32_t *table = calloc(4093, sizeof(*table));

	for (uint32_t i = 0; i < 100; i++)
		backends[i] = (struct wf_maglev_backend){ i, i, 1 + i % 2 };
	fail_alloc_arm(0);
	assert_int_equal(wf_maglev_build(backends, 100, table, 4093), -ENOMEM);
	assert_true(fail_alloc_disarm());
	/* a usual service needs none */
	fail_alloc_arm(0);
	assert_int_equal(wf_maglev_build(backends, 64, table, 2039), 0);
	assert_false(fail_alloc_disarm());
	fail_alloc_arm(0);
	assert_int_equal(wf_turns_build(backends, 100, table, wf_turns_size(backends, 100)),
			 -ENOMEM);
	assert_true(fail_alloc_disarm());
}

static void test_select(void **state)
{
	struct wf_addr external[9];
	struct wf_prefix sources[9];
	struct wf_slice_endpoint endpoints[9] = { 0 };
	struct wf_service_port service_port = { .proto = 6, .port = 80, .node_port = 30080 };
	struct wf_slice_port slice_port = { .proto = 6, .port = 8080 };
	struct wf_endpoint_slice slice = {
		.ports = &slice_port, .port_count = 1, .endpoints = endpoints, .endpoint_count = 9
	};
	const struct wf_endpoint_slice *slices[] = { &slice };
	const struct wf_lb_facts facts = { .node = "", .zone = "", .scope = 3 };
	struct wf_service service = { .type = WF_SERVICE_LOAD_BALANCER,
				      .cluster_ip_count = 1,
				      .ports = &service_port,
				      .port_count = 1 };

	for (uint32_t i = 0; i < 9; i++) {
		endpoints[i].addr = external[i] = wf_addr_from_ip4(i + 1);
		sources[i] = (struct wf_prefix){ wf_addr_from_ip4(i), 32 };
	}
	service.cluster_ips[0] = wf_addr_from_ip4(99);
	service.external_ips = (struct wf_service_addrs){ external, 9, 9 };
	service.balancer_ips = (struct wf_service_addrs){ external, 4, 4 };
	service.sources = sources;
	service.source_count = 9;
	for (size_t n = 0;; n++) {
		_cleanup_(wf_lb_ports_done) struct wf_lb_ports ports = { 0 };
		int r;

		fail_alloc_arm(n);
		r = wf_lb_select(&service, slices, 1, &facts, &ports, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			assert_int_equal(ports.items[0].frontend_count, 22);
			assert_true(n > 6);
			return;
		}
		assert_true(r == 0 || r == -ENOMEM);
		if (r < 0)
			assert_int_equal(ports.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put),    cmocka_unit_test(test_commit),
		cmocka_unit_test(test_new),    cmocka_unit_test(test_tables),
		cmocka_unit_test(test_select),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
