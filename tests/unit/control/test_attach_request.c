/* SPDX-License-Identifier: Apache-2.0 */
/* What a request of attach must be, before anything is looked at. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attach_lab.h"
#include "base/mem.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATTACH_CASE(test_bad_requests),
		ATTACH_CASE(test_too_many_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
