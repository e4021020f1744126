/* SPDX-License-Identifier: Apache-2.0 */
/* Attach: what a request gets, what is refused and in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "blue",
		    "{'subnets':[{'cidr':'10.1.0.0/28','exclude':['10.1.0.14']},"
		    "{'cidr':'fd01::/64'}],'mtu':1400}");
	lab_network(lab, "green", "{'subnets':[{'cidr':'10.2.0.0/30'}]}");
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_network(lab, "nothing", "{'driver':'none'}");
	lab_network(lab, "host", "{'driver':'host'}");
	return 0;
}

/* Whatever a test did, in the end everything is as the documents say. */
static int teardown(void **state)
{
	struct lab *lab = *state;

	lab_settle(lab);
	lab_assert_consistent(lab);
	lab_free(&lab);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static const json_t *status(const struct lab *lab)
{
	return json_object_get(lab->answer, "status");
}

static const json_t *spec(const struct lab *lab)
{
	return json_object_get(lab->answer, "spec");
}

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
	assert_string_equal(wf_json_str(spec(lab), "interface", ""), "eth0");
	assert_true(wf_json_bool(spec(lab), "defaultRoute", false));
	assert_string_equal(wf_json_str(status(lab), "phase", ""), "Ready");
	assert_string_equal(wf_json_str(status(lab), "mac", ""), "02:00:00:00:00:05");
	assert_int_equal(wf_json_int(status(lab), "mtu", 0), 1300);
	assert_int_equal(json_array_size(json_object_get(status(lab), "addresses")), 2);
	assert_string_equal(lab_address(lab), "10.1.0.2");
	assert_int_equal(wf_json_int(json_object_get(status(lab), "hostInterface"), "index", 0),
			 WF_IFINDEX_BASE + wf_json_int(status(lab), "slot", 0));
}

/* What is refused before anything is looked at. */
static void test_bad_requests(void **state)
{
	static const struct {
		const char *body, *field, *text;
	} rows[] = {
		{ "{}", "network", "required" },
		{ "{'network':'blue'}", "netns", "required" },
		{ "{'network':'blue','netns':'/fake/c0'}", "owner", "required" },
		{ "{'network':1,'netns':'/fake/c0','owner':'cli'}", "network", "string" },
		{ "{'network':'','netns':'/fake/c0','owner':'cli'}", "network", "empty" },
		{ "{'network':'Blue','netns':'/fake/c0','owner':'cli'}", "network", "not a name" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','name':'a_b'}", "name",
		  "not a name" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','stickyName':'-'}",
		  "stickyName", "not a name" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','ifname':'a/b'}", "ifname",
		  "cannot name an interface" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','ifname':'0123456789abcdef'}",
		  "ifname", "cannot name an interface" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','addresses':'10.1.0.5'}",
		  "addresses", "array" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','addresses':['x']}",
		  "addresses[0]", "not an address" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','addresses':[7]}",
		  "addresses[0]", "not an address" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','mac':'x'}", "mac",
		  "unicast MAC" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','mac':'01:00:5e:00:00:01'}",
		  "mac", "unicast MAC" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','mtu':500}", "mtu", "576" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','mtu':'x'}", "mtu", "576" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','ranges':[[]]}", "ranges[0]",
		  "not empty" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','ranges':[[{'subnet':'x'}]]}",
		  "ranges[0][0]", "not a prefix" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli',"
		  "'ranges':[[{'subnet':'10.1.0.0/28','rangeStart':'x'}]]}",
		  "ranges[0][0]", "rangeStart" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli',"
		  "'ranges':[[{'subnet':'10.1.0.0/28','rangeEnd':'10.9.0.1'}]]}",
		  "ranges[0][0]", "must lie in" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli',"
		  "'ranges':[[{'subnet':'10.1.0.0/28','rangeStart':'10.1.0.9',"
		  "'rangeEnd':'10.1.0.3'}]]}",
		  "ranges[0][0]", "in this order" },
		{ "{'network':'blue','netns':'/fake/c0','owner':'cli','labels':{'a b':'c'}}",
		  "labels", "" },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int r = lab_attach(lab, "%s", rows[i].body);

		if (r != -EINVAL || strncmp(lab->err.field, rows[i].field, strlen(rows[i].field)) ||
		    !strstr(lab->err.message, rows[i].text))
			fail_msg("%s: %d, field \"%s\": %s", rows[i].body, r, lab->err.field,
				 lab->err.message);
		assert_null(lab->answer);
	}
	assert_int_equal(lab_attach(lab, "[]"), -EINVAL);
}

static void test_too_many_addresses(void **state)
{
	struct lab *lab = *state;

	lab_assert_refused(
		lab,
		lab_attach(lab, "{'network':'blue','netns':'/fake/c0','owner':'cli','addresses':["
				"'10.1.0.2','10.1.0.3','10.1.0.4','10.1.0.5','10.1.0.6',"
				"'10.1.0.7','10.1.0.8','10.1.0.9','10.1.0.10']}"),
		-E2BIG, "addresses", "at most 8");
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
	assert_string_equal(wf_json_str(spec(lab), "interface", ""), "eth0");
	lab_endpoint(lab, "lan", "b", 0);
	assert_string_equal(wf_json_str(spec(lab), "interface", ""), "eth1");
	lab_endpoint(lab, "blue", "c", 1);
	assert_string_equal(wf_json_str(spec(lab), "interface", ""), "eth0");
	assert_int_equal(lab_detach(lab, "a"), 0);
	lab_endpoint(lab, "green", "d", 0);
	assert_string_equal(wf_json_str(spec(lab), "interface", ""), "eth0");
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'e','netns':'/fake/c0',"
					 "'owner':'cli','ifname':'eth1'}"),
			 -EEXIST);
	assert_null(wf_ctl_endpoint_find(lab->control, "e"));
}

static void test_default_route(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "blue", "a", 0);
	assert_true(wf_json_bool(spec(lab), "defaultRoute", false));
	lab_endpoint(lab, "lan", "b", 0);
	assert_false(wf_json_bool(spec(lab), "defaultRoute", false));
	lab_endpoint(lab, "blue", "c", 1);
	assert_true(wf_json_bool(spec(lab), "defaultRoute", false));
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'d','netns':'/fake/c2',"
					 "'owner':'cli','defaultRoute':false}"),
			 0);
	assert_false(wf_json_bool(spec(lab), "defaultRoute", true));
	/* nobody has it there yet */
	lab_endpoint(lab, "green", "e", 2);
	assert_true(wf_json_bool(spec(lab), "defaultRoute", false));
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
	assert_false(wf_json_bool(spec(lab), "defaultRoute", true));
	lab_endpoint(lab, "blue", "b", 0);
	assert_true(wf_json_bool(spec(lab), "defaultRoute", false));
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'inner','name':'c','netns':'/fake/c1',"
					   "'owner':'cli','defaultRoute':true}"),
			   -EINVAL, "defaultRoute", "internal");
}

static void test_static_address(void **state)
{
	static const struct {
		const char *addresses, *text;
		int code;
	} rows[] = {
		{ "['10.1.0.5']", "in use by a", -EADDRINUSE },
		{ "['10.9.0.5']", "in no subnet of network blue", -EADDRNOTAVAIL },
		{ "['10.1.0.1']", "gateway", -EADDRNOTAVAIL },
		{ "['10.1.0.0']", "", -EADDRNOTAVAIL },
		{ "['10.1.0.15']", "", -EADDRNOTAVAIL },
		{ "['10.1.0.6','10.1.0.5']", "in use by a", -EADDRINUSE },
		{ "['fd01::5']", "in use by a", -EADDRINUSE },
	};
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','addresses':['10.1.0.5/24','fd01::5']}"),
			 0);
	assert_string_equal(lab_address(lab), "10.1.0.5");
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int r = lab_attach(lab,
				   "{'network':'blue','name':'b','netns':'/fake/c1',"
				   "'owner':'cli','addresses':%s}",
				   rows[i].addresses);

		if (r != rows[i].code || strncmp(lab->err.field, "addresses[", 10) != 0 ||
		    !strstr(lab->err.message, rows[i].text))
			fail_msg("%s: %d, %s: %s", rows[i].addresses, r, lab->err.field,
				 lab->err.message);
	}
	/* what was excluded may be asked for; nothing of the refused ones was kept */
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					 "'owner':'cli','addresses':['10.1.0.14','10.1.0.6']}"),
			 0);
	assert_int_equal(json_array_size(json_object_get(status(lab), "addresses")), 3);
}

static void test_ranges(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cni','ranges':[[{'subnet':'10.1.0.0/28',"
					 "'rangeStart':'10.1.0.9','rangeEnd':'10.1.0.9'}]]}"),
			 0);
	assert_string_equal(lab_address(lab), "10.1.0.9");
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					   "'owner':'cni','ranges':[[{'subnet':'10.1.0.0/28',"
					   "'rangeStart':'10.1.0.9','rangeEnd':'10.1.0.9'}]]}"),
			   -ENOSPC, "", "network blue is full");
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					   "'owner':'cni','ranges':[[{'subnet':'10.7.0.0/28'}]]}"),
			   -EADDRNOTAVAIL, "ranges", "no subnet that contains");
}

static void test_full(void **state)
{
	_cleanup_str_ struct wf_str metrics = WF_STR_INIT;
	struct lab *lab = *state;

	lab_endpoint(lab, "green", "a", 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'green','name':'b','netns':'/fake/c1',"
					   "'owner':'cli'}"),
			   -ENOSPC, "", "network green is full");
	assert_int_equal(wf_control_attachable(lab->control, "green", &lab->err), -ENOSPC);
	wf_control_metrics(lab->control, &metrics);
	assert_non_null(
		strstr(wf_str_text(&metrics), "weft_ipam_exhausted_total{network=\"green\"} 1\n"));
	/* it rests, but may be asked for outright; then the time has passed */
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_int_equal(lab_attach(lab, "{'network':'green','name':'b','netns':'/fake/c1',"
					 "'owner':'cli'}"),
			 -ENOSPC);
	assert_non_null(strstr(lab->err.message, "30 s"));
	fake_clock_advance_ms(30000);
	lab_endpoint(lab, "green", "b", 1);
	assert_string_equal(lab_address(lab), "10.2.0.2");
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

static void test_mac_taken(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','mac':'02:00:00:00:00:05'}"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					   "'owner':'cli','mac':'02:00:00:00:00:05'}"),
			   -EADDRINUSE, "mac", "endpoint a");
	assert_int_equal(lab_attach(lab, "{'network':'green','name':'b','netns':'/fake/c1',"
					 "'owner':'cli','mac':'02:00:00:00:00:05'}"),
			 0);
}

static void test_sticky(void **state)
{
	char mac[WF_MAC_TEXT];
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'web','netns':'/fake/c0',"
					 "'owner':'cli','sticky':true,"
					 "'addresses':['10.1.0.7']}"),
			 0);
	assert_string_equal(wf_json_str(spec(lab), "sticky", ""), "web");
	memcpy(mac, wf_json_str(status(lab), "mac", ""), sizeof(mac));
	assert_int_equal(lab_detach(lab, "web"), 0);
	lab_settle(lab);
	/* held: not for others, not even when asked for */
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					   "'owner':'cli','addresses':['10.1.0.7']}"),
			   -EADDRINUSE, "addresses[0]", "reserved for web");
	/* also after a restart, and without asking for it */
	lab_restart(lab);
	lab_endpoint(lab, "blue", "web", 2);
	assert_string_equal(lab_address(lab), "10.1.0.7");
	assert_string_equal(wf_json_str(status(lab), "mac", ""), mac);
}

/* Two endpoints must not have what sticks to one name at once. */
static void test_sticky_name_in_use(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','stickyName':'db'}"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'b','netns':'/fake/c1',"
					   "'owner':'cli','stickyName':'db'}"),
			   -EADDRINUSE, "name", "in use by db");
}

/* A name of a reservation that a user gave to something else. */
static void test_sticky_collides(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_apply(lab, "[{'apiVersion':'weft.dev/v1','kind':'Reservation',"
					"'metadata':{'name':'blue.web'},'spec':{'network':'blue',"
					"'for':'other','addresses':['10.1.0.9']}}]"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'web','netns':'/fake/c1',"
					   "'owner':'cli','sticky':true}"),
			   -EEXIST, "stickyName", "blue.web");
}

static void test_sticky_network(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "own", "{'sticky':true,'subnets':[{'cidr':'10.6.0.0/24'}]}");
	lab_endpoint(lab, "own", "a", 0);
	assert_int_equal(lab_detach(lab, "a"), 0);
	lab_endpoint(lab, "own", "b", 1);
	lab_endpoint(lab, "own", "a", 2);
	assert_string_equal(lab_address(lab), "10.6.0.2");
}

static void test_reserved_by_user(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_apply(lab,
				   "[{'apiVersion':'weft.dev/v1','kind':'Reservation',"
				   "'metadata':{'name':'r'},'spec':{'network':'blue','for':'web',"
				   "'addresses':['10.1.0.2'],'mac':'02:00:00:00:00:77'}}]"),
			 0);
	lab_endpoint(lab, "blue", "other", 0);
	assert_string_equal(lab_address(lab), "10.1.0.3");
	lab_endpoint(lab, "blue", "web", 1);
	assert_string_equal(lab_address(lab), "10.1.0.2");
	assert_string_equal(wf_json_str(status(lab), "mac", ""), "02:00:00:00:00:77");
	/* the other family is chosen */
	assert_int_equal(json_array_size(json_object_get(status(lab), "addresses")), 2);
}

/* The MAC that is held for a name may be somebody else's by now. */
static void test_reserved_mac_taken(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_apply(lab,
				   "[{'apiVersion':'weft.dev/v1','kind':'Reservation',"
				   "'metadata':{'name':'r'},'spec':{'network':'blue','for':'web',"
				   "'addresses':['10.1.0.2'],'mac':'02:00:00:00:00:77'}}]"),
			 0);
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','mac':'02:00:00:00:00:77'}"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'web','netns':'/fake/c1',"
					   "'owner':'cli'}"),
			   -EADDRINUSE, "mac", "endpoint a");
}

static void test_driver_none(void **state)
{
	struct lab *lab = *state;

	lab_endpoint(lab, "nothing", "a", 0);
	assert_int_equal(json_array_size(json_object_get(status(lab), "addresses")), 0);
	assert_int_equal(wf_json_int(status(lab), "slot", 0), 0);
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
	assert_int_equal(wf_json_int(status(lab), "slot", 0), 0);
	assert_int_equal(fake_net_ns_interfaces(lab->net, "/fake/c0"), 1);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'lan','name':'b','netns':'/fake/c0',"
					   "'owner':'cli','mtu':9000}"),
			   -EINVAL, "mtu", "1500");
	fake_net_kill_ns(lab->net, "/fake/c0");
	lab_settle(lab);
	assert_null(wf_ctl_endpoint_find(lab->control, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_answer),
		CASE(test_bad_requests),
		CASE(test_too_many_addresses),
		CASE(test_unknown_network),
		CASE(test_unknown_namespace),
		CASE(test_name_taken),
		CASE(test_container_taken),
		CASE(test_names),
		CASE(test_interface_names),
		CASE(test_default_route),
		CASE(test_default_route_internal),
		CASE(test_static_address),
		CASE(test_ranges),
		CASE(test_full),
		CASE(test_full_tables),
		CASE(test_mac_taken),
		CASE(test_sticky),
		CASE(test_sticky_name_in_use),
		CASE(test_sticky_collides),
		CASE(test_sticky_network),
		CASE(test_reserved_by_user),
		CASE(test_reserved_mac_taken),
		CASE(test_driver_none),
		CASE(test_driver_host),
		CASE(test_driver_macvlan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
