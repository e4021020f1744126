/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports on fakes: what is written, what clashes, and that nothing stays behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown_settled)

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

/* The one line of a host address: where it leads and from where, as "TARGET FROM,FROM". */
static void assert_listed(struct lab *lab, const char *host_ip, const char *expected)
{
	_cleanup_json_ json_t *list = wf_control_port_list(lab->control);
	char text[256] = "none";
	json_t *item, *from;
	size_t i, k;

	json_array_foreach(json_object_get(list, "items"), i, item) {
		int len;

		if (strcmp(wf_json_str(item, "hostIP", ""), host_ip) != 0)
			continue;
		len = snprintf(text, sizeof(text), "%s ", wf_json_str(item, "target", ""));
		json_array_foreach(json_object_get(item, "from"), k, from)
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%s",
					k ? "," : "", json_string_value(from));
	}
	assert_string_equal(text, expected);
}

static void test_the_list_tells_from_where(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(publish(lab, 0, "web",
				 "{'hostPort':8080,'containerPort':80},"
				 "{'hostPort':9000,'hostPortEnd':9099,'containerPort':80,"
				 "'hostIP':'127.0.0.1'},"
				 "{'hostPort':9000,'containerPort':80,'hostIP':'::1'}"),
			 0);
	assert_listed(lab, "*", "10.1.0.2:80 outside,host,containers");
	assert_listed(lab, "127.0.0.1", "10.1.0.2:80-179 host");
	assert_listed(lab, "::1", "[fd01::2]:80 host");
	/* without socket hooks the host's own processes reach nothing */
	assert_int_equal(wf_dp_sockets_detach(lab->dp), 0);
	assert_listed(lab, "*", "10.1.0.2:80 outside,containers");
	assert_listed(lab, "127.0.0.1", "10.1.0.2:80-179 ");
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
		CASE(test_the_list_tells_from_where),
		CASE(test_restart_keeps_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
