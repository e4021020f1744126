/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach: what a request gets, what is refused and in which words. Requests that are none:
 * test_attach_request.c; addresses: test_attach_address.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attach_lab.h"
#include "base/json.h"
#include "base/mem.h"

static void test_answer(void **state)
{
	struct lab *lab = *state;
	const json_t *metadata;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'web','netns':'/fake/c0',"
					 "'owner':'cni','containerID':'0123','mtu':1300,"
					 "'mac':'02:00:00:00:00:05','labels':{'app':'web'},"
					 "'extra':{'aliases':['db']}}"),
			 0);
	metadata = json_object_get(lab->answer, "metadata");
	assert_string_equal(wf_json_str(metadata, "name", ""), "web");
	assert_int_equal(strlen(wf_json_str(metadata, "uid", "")), 36);
	assert_string_equal(wf_json_str(json_object_get(metadata, "labels"), "app", ""), "web");
	assert_string_equal(wf_json_str(attach_spec(lab), "interface", ""), "eth0");
	assert_true(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	assert_string_equal(wf_json_str(attach_status(lab), "phase", ""), "Ready");
	assert_string_equal(wf_json_str(attach_status(lab), "mac", ""), "02:00:00:00:00:05");
	assert_int_equal(wf_json_int(attach_status(lab), "mtu", 0), 1300);
	assert_int_equal(json_array_size(json_object_get(attach_status(lab), "addresses")), 2);
	assert_string_equal(lab_address(lab), "10.1.0.2");
	assert_int_equal(
		wf_json_int(json_object_get(attach_status(lab), "hostInterface"), "index", 0),
		WF_IFINDEX_BASE + wf_json_int(attach_status(lab), "slot", 0));
}

static void test_unknown_network(void **state)
{
	struct lab *lab = *state;

	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'red','netns':'/fake/c0','owner':'cli'}"),
			   -ENOENT, "network", "weft network create red");
	/* but CNI may have it made */
	assert_int_equal(lab_attach(lab, "{'network':'red','netns':'/fake/c0','owner':'cni',"
					 "'createNetwork':true}"),
			 0);
	assert_non_null(wf_ctl_network_find(lab->control, "red"));
}

static void test_unknown_namespace(void **state)
{
	struct lab *lab = *state;

	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','netns':'/fake/none','owner':'cli'}"),
			   -ESRCH, "netns", "/fake/none");
}

static void test_name_taken(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "blue", "a", 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c1',"
					   "'owner':'cli'}"),
			   -EEXIST, "name", "10.1.0.2/28, in /fake/c0");
	/* a dead one makes way, before the kernel's word about it has been heard */
	fake_net_kill_ns(lab->net, "/fake/c0");
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c1',"
					 "'owner':'cli'}"),
			 0);
}

static void test_container_taken(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','netns':'/fake/c0','owner':'cni',"
					 "'containerID':'one','ifname':'eth0'}"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','netns':'/fake/c1','owner':'cni',"
					   "'name':'other','containerID':'one','ifname':'eth0'}"),
			   -EEXIST, "name", "one-eth0");
	assert_int_equal(lab_attach(lab, "{'network':'blue','netns':'/fake/c0','owner':'cni',"
					 "'containerID':'one','ifname':'eth1'}"),
			 0);
}

static void test_names(void **state)
{
	static const struct {
		const char *body, *name;
	} rows[] = {
		{ "'netns':'/fake/c0'", "c0-eth0" },
		{ "'netns':'/fake/c0'", "c0-eth1" },
		{ "'netns':'/fake/c1','containerID':'0123456789abcdef'", "0123456789ab-eth0" },
		{ "'netns':'/fake/c2','ifname':'Net.1'", "c2-net-1" },
		{ "'netns':'/fake/c3','ifname':'a_'", "c3-ax" },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		if (lab_attach(lab, "{'network':'nothing','owner':'cli',%s}", rows[i].body) < 0)
			fail_msg("%s: %s", rows[i].body, lab->err.message);
		assert_string_equal(
			wf_json_str(json_object_get(lab->answer, "metadata"), "name", ""),
			rows[i].name);
	}
}

/* The first free ethN of the namespace; what is asked for must not be there. */
static void test_interface_names(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "blue", "a", 0);
	assert_string_equal(wf_json_str(attach_spec(lab), "interface", ""), "eth0");
	lab_endpoint(lab, "lan", "b", 0);
	assert_string_equal(wf_json_str(attach_spec(lab), "interface", ""), "eth1");
	lab_endpoint(lab, "blue", "c", 1);
	assert_string_equal(wf_json_str(attach_spec(lab), "interface", ""), "eth0");
	assert_int_equal(lab_detach(lab, "a"), 0);
	lab_endpoint(lab, "green", "d", 0);
	assert_string_equal(wf_json_str(attach_spec(lab), "interface", ""), "eth0");
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'e','netns':'/fake/c0',"
					 "'owner':'cli','ifname':'eth1'}"),
			 -EEXIST);
	assert_null(wf_ctl_endpoint_find(lab->control, "e"));
}

static void test_default_route(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "blue", "a", 0);
	assert_true(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	lab_endpoint(lab, "lan", "b", 0);
	assert_false(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	lab_endpoint(lab, "blue", "c", 1);
	assert_true(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'d','netns':'/fake/c2',"
					 "'owner':'cli','defaultRoute':false}"),
			 0);
	assert_false(wf_json_bool(attach_spec(lab), "defaultRoute", true));
	/* nobody has it there yet */
	lab_endpoint(lab, "green", "e", 2);
	assert_true(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'f','netns':'/fake/c1',"
					   "'owner':'cli','defaultRoute':true}"),
			   -EEXIST, "defaultRoute", "endpoint c");
}

/* A network that leads nowhere leaves the default route to the next. */
static void test_default_route_internal(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "inner", "{'internal':true,'subnets':[{'cidr':'10.6.0.0/24'}]}");
	lab_endpoint(lab, "inner", "a", 0);
	assert_false(wf_json_bool(attach_spec(lab), "defaultRoute", true));
	lab_endpoint(lab, "blue", "b", 0);
	assert_true(wf_json_bool(attach_spec(lab), "defaultRoute", false));
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'inner','name':'c','netns':'/fake/c1',"
					   "'owner':'cli','defaultRoute':true}"),
			   -EINVAL, "defaultRoute", "internal");
}

static void test_full_tables(void **state)
{
	struct lab *lab = *state;
	size_t before = lab->control->endpoint_count;

	fake_dp_limit(lab->dp, 7);
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli'}"),
			 -ENOSPC);
	assert_non_null(strstr(lab->err.message, "is full"));
	fake_dp_limit(lab->dp, 0);
	memset(lab->control->slots + 1, CTL_SLOT_USED, WF_MAX_SLOTS - 1);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					   "'owner':'cli'}"),
			   -ENOSPC, "", "slots of the node");
	memset(lab->control->slots + 1, CTL_SLOT_FREE, WF_MAX_SLOTS - 1);
	assert_int_equal(lab->control->endpoint_count, before);
}

static void test_driver_none(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "nothing", "a", 0);
	assert_int_equal(json_array_size(json_object_get(attach_status(lab), "addresses")), 0);
	assert_int_equal(wf_json_int(attach_status(lab), "slot", 0), 0);
	assert_int_equal(fake_net_ns_interfaces(lab->net, "/fake/c0"), 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'nothing','name':'b','netns':'/fake/c0',"
					   "'owner':'cli','addresses':['10.1.0.5']}"),
			   -EADDRNOTAVAIL, "addresses[0]", "in no subnet");
}

static void test_driver_host(void **state)
{
	struct lab *lab = *state;

	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'host','netns':'/fake/c0','owner':'cli'}"),
			   -EINVAL, "network", "driver host");
}

static void test_driver_macvlan(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "lan", "a", 0);
	assert_int_equal(wf_json_int(attach_status(lab), "slot", 0), 0);
	assert_int_equal(fake_net_ns_interfaces(lab->net, "/fake/c0"), 1);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'lan','name':'b','netns':'/fake/c0',"
					   "'owner':'cli','mtu':9000}"),
			   -EINVAL, "mtu", "1500");
	fake_net_kill_ns(lab->net, "/fake/c0");
	lab_settle(lab);
	assert_null(wf_ctl_endpoint_find(lab->control, "a"));
}

struct pair_case {
	const char *mode;
	bool kernel_has_netkit, wanted;
};

/* What an endpoint was made as stays; new ones are made as the mode says now. */
static void test_datapath_modes(void **state)
{
	static const struct pair_case cases[] = {
		{ "veth", true, false },
		{ "auto", false, false },
		{ "auto", true, true },
		{ "netkit", true, true },
	};
	struct lab *lab = *state;
	char netns[32], name[8];

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		lab->pair = cases[i].mode;
		fake_dp_kernel_has_netkit = cases[i].kernel_has_netkit;
		lab_restart(lab);
		(void)snprintf(netns, sizeof(netns), "/fake/c%zu", i);
		(void)snprintf(name, sizeof(name), "p%zu", i);
		lab_endpoint(lab, "blue", name, (unsigned int)i);
		assert_int_equal(fake_net_ns_has_netkit(lab->net, netns), cases[i].wanted);
	}
	assert_false(fake_net_ns_has_netkit(lab->net, "/fake/c0"));
	lab_stop(lab);
	fake_dp_kernel_has_netkit = false;
	assert_int_equal(lab_start(lab), -EOPNOTSUPP);
	assert_non_null(strstr(lab->err.message, "netkit"));
	assert_non_null(strstr(lab->err.message, "Linux 6.7"));
	lab->pair = NULL;
	assert_int_equal(lab_start(lab), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATTACH_CASE(test_answer),
		ATTACH_CASE(test_unknown_network),
		ATTACH_CASE(test_unknown_namespace),
		ATTACH_CASE(test_name_taken),
		ATTACH_CASE(test_container_taken),
		ATTACH_CASE(test_names),
		ATTACH_CASE(test_interface_names),
		ATTACH_CASE(test_default_route),
		ATTACH_CASE(test_default_route_internal),
		ATTACH_CASE(test_full_tables),
		ATTACH_CASE(test_driver_none),
		ATTACH_CASE(test_driver_host),
		ATTACH_CASE(test_driver_macvlan),
		ATTACH_CASE(test_datapath_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
