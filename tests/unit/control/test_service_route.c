/* SPDX-License-Identifier: Apache-2.0 */
/* Routes to services inside of containers follow what they depend on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "acme", "{'overlapping':true,'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.2.0.0/24'}]}");
	lab_endpoint(lab, "acme", "a", 0);
	lab_endpoint(lab, "acme", "b", 1);
	lab_settle(lab);
	return 0;
}

/* Asserts that an interface has one route to services, or (NULL) none. */
static void assert_route(struct lab *lab, const char *interface, const char *route)
{
	struct wf_str dump = WF_STR_INIT;
	char wanted[64], *line;

	lab_settle(lab);
	fake_net_dump(lab->net, &dump);
	(void)snprintf(wanted, sizeof(wanted), "inside %s ", interface);
	line = strstr(dump.data, wanted);
	assert_non_null(line);
	*strchr(line, '\n') = '\0';
	line = strstr(line, "route=");
	if (!route && line)
		fail_msg("%s has %s", interface, line);
	if (route && (!line || strcmp(line + strlen("route="), route) != 0))
		fail_msg("%s has %s, not %s", interface, line ? line : "none", route);
	wf_str_done(&dump);
}

/* Another interface of the container that leads out is the way to services as well. */
static void test_another_interface_leads_out(void **state)
{
	struct lab *lab = *state;

	assert_route(lab, "/fake/c0 eth0", "10.96.0.0/24");
	lab_endpoint(lab, "blue", "out", 0);
	assert_route(lab, "/fake/c0 eth0", NULL);
	assert_route(lab, "/fake/c0 eth1", NULL);
	assert_route(lab, "/fake/c1 eth0", "10.96.0.0/24");
	assert_int_equal(lab_detach(lab, "out"), 0);
	assert_route(lab, "/fake/c0 eth0", "10.96.0.0/24");
	/* one that does not lead out */
	assert_int_equal(
		lab_attach(lab, "{'network':'blue','name':'in','netns':'/fake/c0','owner':'cli',"
				"'defaultRoute':false}"),
		0);
	assert_route(lab, "/fake/c0 eth0", "10.96.0.0/24");
}

static void test_the_range_changes(void **state)
{
	struct lab *lab = *state;

	lab->service_cidr = "10.97.0.0/16";
	lab_restart(lab);
	assert_route(lab, "/fake/c0 eth0", "10.97.0.0/16");
	assert_route(lab, "/fake/c1 eth0", "10.97.0.0/16");
}

/* What is in the network's own subnets is no service. */
static void test_the_network_changes(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "acme",
		    "{'overlapping':true,'subnets':[{'cidr':'10.1.0.0/24'},"
		    "{'cidr':'10.96.0.0/16'}]}");
	assert_route(lab, "/fake/c0 eth0", NULL);
}

/* What does not work is tried again. */
static void test_it_fails_at_first(void **state)
{
	struct lab *lab = *state;
	size_t n = 0;

	for (;; n++) {
		const char *range = n % 2 ? "10.96.0.0/24" : "10.97.0.0/24";
		bool failed;

		assert_int_equal(wf_prefix_parse(range, &lab->control->lb.cluster_cidrs[0]), 0);
		wf_ctl_service_routes_touch(lab->control, NULL);
		fake_gate_arm(FAKE_NET, n);
		(void)event_base_loop(lab->loop, EVLOOP_ONCE);
		failed = fake_gate_disarm();
		assert_route(lab, "/fake/c0 eth0", range);
		assert_route(lab, "/fake/c1 eth0", range);
		if (!failed)
			break;
	}
	assert_true(n > 2);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_another_interface_leads_out),
		CASE(test_the_range_changes),
		CASE(test_the_network_changes),
		CASE(test_it_fails_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
