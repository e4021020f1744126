/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the table: in which order, how long it is kept, what becomes of its connections. */
#include <string.h>

#include "base/mem.h"
#include "table_lab.h"

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
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	struct look seen = { 0 };
	uint32_t again;

	table_put(&port, 0);
	seen.gone = table_backend(&port, 0);
	seen.before = *lab_find(&lab, "10.96.0.1", 80);
	for (uint32_t i = 0; i < 61; i++)
		seen.picks[i] = lab_pick(&lab, &seen.before.inside, i);
	lab.on_set = look;
	lab.context = &seen;
	port.backends[0].addr = port.backends[1].addr;
	port.backend_count = 1;
	lab_add_backend(&port, 9, WF_LB_INSIDE);
	table_put(&port, 100);
	assert_int_equal(seen.gone_flags, TABLE_USABLE);
	assert_int_equal(seen.come_flags, TABLE_USABLE);
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
	table_put(&port, 100 + LAB_PAUSE_MS - 1);
	lab_add_backend(&port, 10, WF_LB_INSIDE);
	table_put(&port, 100 + LAB_PAUSE_MS - 1);
	assert_int_not_equal(lab_find(&lab, "10.96.0.1", 80)->inside.first,
			     seen.before.inside.first);
	assert_int_not_equal(lab_find(&lab, "10.96.0.1", 80)->inside.first, again);
}

/* Connections keep a number, however long. */
static void test_drain(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	_cleanup_(wf_lb_port_done) struct wf_lb_port fewer = table_usual(1);
	struct wf_backend_value *gone;
	struct wf_lb_use use;

	table_put(&port, 0);
	gone = table_backend(&port, 1);
	gone->active = 2;
	table_put(&fewer, 1000);
	assert_int_equal(gone->flags, WF_BACKEND_VALID);
	assert_int_equal(wf_lb_table_backend(lab.table, port.key, &gone->addr, 8080), 0);
	assert_int_equal(wf_lb_table_sweep(lab.table, 1500), 1500);
	assert_true(wf_lb_table_sweep(lab.table, 1000 + LAB_PAUSE_MS) <= 1000);
	assert_int_equal(wf_lb_table_sweep(lab.table, 60000), 1000);
	assert_int_equal(gone->flags, WF_BACKEND_VALID);
	/* it may come back meanwhile, under its old number */
	table_put(&port, 60000);
	assert_int_equal(table_backend(&port, 1), gone);
	assert_int_equal(gone->flags, TABLE_USABLE);
	assert_int_equal(gone->active, 2);
	table_put(&fewer, 61000);
	gone->active = 0;
	assert_int_equal(wf_lb_table_sweep(lab.table, 61000 + LAB_PAUSE_MS), UINT64_MAX);
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
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(3);
	struct wf_backend_value *far, *ill, *gone;

	port.cut = true;
	table_put(&port, 0);
	far = table_backend(&port, 0);
	ill = table_backend(&port, 1);
	gone = table_backend(&port, 2);
	port.backends[0].sets = 0; /* ready still: only too far away now */
	port.backends[1].sets = 0;
	port.backends[1].state = WF_LB_UNHEALTHY;
	port.backend_count = 2;
	table_put(&port, 0);
	assert_int_equal(far->flags, WF_BACKEND_VALID);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	assert_int_equal(gone->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	port.backends[1].sets = WF_LB_INSIDE;
	table_put(&port, 0);
	assert_int_equal(ill->flags, TABLE_USABLE);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 0, NULL), 0);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
	/* a table that only finds it leaves it so */
	lab_restart(&lab);
	assert_int_equal(wf_lb_table_drop_unclaimed(lab.table, 0, NULL), 0);
	assert_int_equal(ill->flags, WF_BACKEND_VALID | WF_BACKEND_CUT);
}

static void test_remove(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	uint32_t number = table_put(&port, 0);
	struct wf_backend_value *kept = table_backend(&port, 0);
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
	assert_int_equal(table_put(&port, 100000), number);
	assert_int_equal(table_backend(&port, 0), kept);
	assert_int_equal(wf_lb_table_remove(lab.table, port.key, 200000, NULL), 0);
	kept->active = 0;
	assert_int_equal(wf_lb_table_sweep(lab.table, 200000), LAB_PAUSE_MS);
	assert_int_equal(wf_lb_table_sweep(lab.table, 200000 + LAB_PAUSE_MS), UINT64_MAX);
	assert_null(wf_lb_table_key(lab.table, number));
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services + use.backends + use.picks + use.frontends, 0);
	assert_int_equal(lab.memory.services[number].connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_order),
		TABLE_TEST(test_drain),
		TABLE_TEST(test_cut),
		TABLE_TEST(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
