/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports on fakes: what is written, what clashes, and that nothing stays behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}");
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	lab_settle(lab);
	lab_assert_consistent(lab);
	lab_free(&lab);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static int publish(struct lab *lab, unsigned int ns, const char *name, const char *list)
{
	return lab_attach(lab,
			  "{'network':'blue','netns':'/fake/c%u','owner':'cli','name':'%s',"
			  "'publish':[%s]}",
			  ns, name, list);
}

static size_t runs(struct lab *lab)
{
	struct wf_range_value *values = calloc(WF_MAX_RANGES, sizeof(*values));
	int count;

	assert_non_null(values);
	count = wf_dp_ranges_get(lab->dp, values);
	free(values);
	assert_true(count >= 0);
	return (size_t)count;
}

static void test_a_run_is_one_entry_per_family(void **state)
{
	struct wf_range_value *values = calloc(WF_MAX_RANGES, sizeof(*values));
	struct lab *lab = *state;

	assert_int_equal(
		publish(lab, 0, "web", "{'hostPort':9000,'hostPortEnd':9999,'containerPort':80}"),
		0);
	assert_int_equal(wf_dp_ranges_get(lab->dp, values), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(values[i].first, 9000);
		assert_int_equal(values[i].last, 9999);
		assert_int_equal(ntohs(values[i].target_port), 80);
		assert_true(wf_addr_is_zero(&values[i].addr));
	}
	free(values);
	assert_int_equal(lab_detach(lab, "web"), 0);
	assert_int_equal(runs(lab), 0);
}

static void test_clashes_name_the_owner(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(publish(lab, 0, "web", "{'hostPort':8080,'containerPort':80}"), 0);
	lab_assert_refused(lab, publish(lab, 1, "two", "{'hostPort':8080,'containerPort':80}"),
			   -EADDRINUSE, "publish[0]", "endpoint web");
	lab_assert_refused(
		lab,
		publish(lab, 1, "two", "{'hostPort':8000,'hostPortEnd':8099,'containerPort':80}"),
		-EADDRINUSE, "publish[0]", "endpoint web");
	/* another protocol is another port */
	assert_int_equal(
		publish(lab, 1, "two", "{'hostPort':8080,'containerPort':80,'protocol':'UDP'}"), 0);
	assert_int_equal(lab_apply(lab, "[{'apiVersion':'v1','kind':'Service','metadata':{'name':"
					"'s'},'spec':{'type':'NodePort','ports':[{'port':80,"
					"'nodePort':30001}]}}]"),
			 0);
	lab_assert_refused(lab, publish(lab, 2, "three", "{'hostPort':30001,'containerPort':80}"),
			   -EADDRINUSE, "publish[0]", "default/s");
	assert_null(wf_ctl_endpoint_find(lab->control, "three"));
	lab_assert_refused(lab,
			   publish(lab, 2, "three",
				   "{'hostPort':1,'containerPort':80},"
				   "{'hostPort':1,'containerPort':81}"),
			   -EINVAL, "publish[1]", "twice");
}

static void test_a_node_port_does_not_take_a_published_one(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(publish(lab, 0, "web", "{'hostPort':30001,'containerPort':80}"), 0);
	lab_assert_refused(lab,
			   lab_apply(lab, "[{'apiVersion':'v1','kind':'Service','metadata':{'name':"
					  "'s'},'spec':{'type':'NodePort','ports':[{'port':80,"
					  "'nodePort':30001}]}}]"),
			   -EADDRINUSE, "spec.ports[0].nodePort", "endpoint web");
}

static void test_restart_keeps_them(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(publish(lab, 0, "web", "{'hostPort':8080,'containerPort':80}"), 0);
	lab_restart(lab);
	assert_int_equal(runs(lab), 2);
	lab_assert_refused(lab, publish(lab, 1, "two", "{'hostPort':8080,'containerPort':80}"),
			   -EADDRINUSE, "publish[0]", "endpoint web");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_run_is_one_entry_per_family),
		CASE(test_clashes_name_the_owner),
		CASE(test_a_node_port_does_not_take_a_published_one),
		CASE(test_restart_keeps_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
