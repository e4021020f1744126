/* SPDX-License-Identifier: Apache-2.0 */
/* A new table over what an earlier one left in the kernel. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "table_lab.h"

/* After a restart nobody claims these: they go, and what they had is free after the pause. */
static void test_unclaimed(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(3);
	_cleanup_(wf_lb_port_done) struct wf_lb_port gone = lab_port("gone", "10.96.0.9");
	struct wf_frontend_key key = { .scope = WF_SCOPE_ANY, .port = 1, .proto = 17 };
	struct wf_frontend_value value = { .service = 60000 };
	struct wf_lb_use use;
	uint32_t number;

	number = table_put(&port, 0);
	lab_add_backend(&gone, 7, WF_LB_INSIDE);
	table_put(&gone, 0);
	/* and one that no release of ours would have written */
	lab.frontends[lab.frontend_count++] = (struct lab_frontend){ key, value };
	lab_restart(&lab);
	assert_int_equal(table_put(&port, 0), number);
	assert_null(wf_lb_table_key(lab.table, number + 1));
	assert_int_equal(lab.frontend_count, 3);
	assert_int_equal(wf_lb_table_drop_unclaimed(lab.table, 0, NULL), 0);
	assert_int_equal(lab.frontend_count, 1);
	assert_non_null(lab_find(&lab, "10.96.0.1", 80));
	wf_lb_table_sweep(lab.table, LAB_PAUSE_MS);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services, 1);
	assert_int_equal(use.backends, 3);
	assert_int_equal(use.picks, 128);
}

/* A crash between frontends: some name the new run, some the old one. Both are known. */
static void test_torn(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(2);
	struct wf_frontend_value old;
	struct wf_lb_use use;
	uint32_t number;

	lab_add_frontend(&port, "192.0.2.1", 80, WF_FRONTEND_CLUSTER_IP);
	number = table_put(&port, 0);
	old = *lab_find(&lab, "192.0.2.1", 80);
	lab_add_backend(&port, 3, WF_LB_INSIDE);
	table_put(&port, 0);
	for (size_t i = 0; i < lab.frontend_count; i++)
		if (lab.frontends[i].key.addr.bytes[12] == 192)
			lab.frontends[i].value = old;
	lab_restart(&lab);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.picks, 128);
	assert_int_equal(table_put(&port, 100), number);
	assert_memory_equal(lab_find(&lab, "192.0.2.1", 80), lab_find(&lab, "10.96.0.1", 80),
			    sizeof(struct wf_frontend_value));
	wf_lb_table_sweep(lab.table, 100 + LAB_PAUSE_MS);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.picks, 64);
}

static void test_numbers(void **state)
{
	_cleanup_(wf_lb_port_done) struct wf_lb_port port = table_usual(1);
	uint32_t first, second, again;

	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/a/0", &first, NULL), 0);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/b/0", &second, NULL), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(wf_lb_table_number_take(lab.table, "publish/a/0", &again, NULL), 0);
	assert_int_equal(again, first);
	assert_string_equal(wf_lb_table_key(lab.table, first), "publish/a/0");
	assert_int_not_equal(table_put(&port, 0), first);
	lab.memory.services[first].connections = 7;
	lab_restart(&lab);
	table_put(&port, 0);
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
	assert_int_equal(wf_lb_table_sweep(lab.table, 50), LAB_PAUSE_MS);
	wf_lb_table_sweep(lab.table, 50 + LAB_PAUSE_MS);
	assert_null(wf_lb_table_key(lab.table, first));
	assert_non_null(wf_lb_table_key(lab.table, second));
	assert_int_equal(lab.memory.services[first].connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_unclaimed),
		TABLE_TEST(test_torn),
		TABLE_TEST(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
