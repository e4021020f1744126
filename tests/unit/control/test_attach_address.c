/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses and the MAC of an endpoint: asked for, held for its name, or the next free ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attach_lab.h"
#include "base/json.h"
#include "base/mem.h"

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
	assert_int_equal(json_array_size(json_object_get(attach_status(lab), "addresses")), 3);
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
	assert_string_equal(wf_json_str(attach_spec(lab), "sticky", ""), "web");
	memcpy(mac, wf_json_str(attach_status(lab), "mac", ""), sizeof(mac));
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
	assert_string_equal(wf_json_str(attach_status(lab), "mac", ""), mac);
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

/* An address and a MAC for whoever is called web. */
static void reserve_for_web(struct lab *lab)
{
	assert_int_equal(lab_apply(lab,
				   "[{'apiVersion':'weft.dev/v1','kind':'Reservation',"
				   "'metadata':{'name':'r'},'spec':{'network':'blue','for':'web',"
				   "'addresses':['10.1.0.2'],'mac':'02:00:00:00:00:77'}}]"),
			 0);
}

static void test_reserved_by_user(void **state)
{
	struct lab *lab = *state;

	reserve_for_web(lab);
	lab_endpoint(lab, "blue", "other", 0);
	assert_string_equal(lab_address(lab), "10.1.0.3");
	lab_endpoint(lab, "blue", "web", 1);
	assert_string_equal(lab_address(lab), "10.1.0.2");
	assert_string_equal(wf_json_str(attach_status(lab), "mac", ""), "02:00:00:00:00:77");
	/* the other family is chosen */
	assert_int_equal(json_array_size(json_object_get(attach_status(lab), "addresses")), 2);
}

/* The MAC that is held for a name may be somebody else's by now. */
static void test_reserved_mac_taken(void **state)
{
	struct lab *lab = *state;

	reserve_for_web(lab);
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','mac':'02:00:00:00:00:77'}"),
			 0);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'blue','name':'web','netns':'/fake/c1',"
					   "'owner':'cli'}"),
			   -EADDRINUSE, "mac", "endpoint a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATTACH_CASE(test_static_address),
		ATTACH_CASE(test_ranges),
		ATTACH_CASE(test_full),
		ATTACH_CASE(test_mac_taken),
		ATTACH_CASE(test_sticky),
		ATTACH_CASE(test_sticky_name_in_use),
		ATTACH_CASE(test_sticky_collides),
		ATTACH_CASE(test_sticky_network),
		ATTACH_CASE(test_reserved_by_user),
		ATTACH_CASE(test_reserved_mac_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
