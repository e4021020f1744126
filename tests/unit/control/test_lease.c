/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes give out addresses of one network: none of them twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "pair.h"

/* Both choose before they have heard of each other: the store lets one of them have it. */
static void test_no_address_twice(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(pair_attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	/* b has not heard of it yet: it would choose the same */
	assert_int_equal(fake_dp_remote_count(pair->b->dp), 0);
	assert_int_equal(pair_attach(pair->b, "two", ""), 0);
	assert_string_not_equal(lab_address(pair->b), "10.5.0.2");
	pair_settle(pair);
	lab_use(pair->b);
	lab_assert_refused(
		pair->b, pair_attach(pair->b, "three", ",'ifname':'eth1','addresses':['10.5.0.2']"),
		-EADDRINUSE, "addresses[0]", "one");
}

/* News of it have not come: what the store says counts, and the next address is tried. */
static void test_another_was_faster(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *lease = lab_json("{'apiVersion':'weft.dev/v1','kind':'AddressLease',"
						"'metadata':{'name':'over/10.5.0.2'},"
						"'spec':{'endpoint':'x'}}");
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = CTL_KIND_ADDRESS_LEASE,
					.name = "over/10.5.0.2",
					.document = lease,
					.expected = WF_STORE_ABSENT };

	assert_int_equal(wf_store_commit(pair->a->store, &write, 1, WF_STORE_DURABLE, NULL, NULL),
			 0);
	assert_int_equal(pair_attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.3");
	lab_settle(pair->a);
	lab_use(pair->a);
	lab_assert_refused(pair->a,
			   pair_attach(pair->a, "two", ",'ifname':'eth1','addresses':['10.5.0.2']"),
			   -ESTALE, "", "10.5.0.2 was given out");
	lab_settle(pair->a);
	assert_int_equal(lab_detach(pair->a, "one"), 0);
	assert_int_equal(pair_leased(pair->a), 1);
}

/* This node was taken for lost, and another one has the address by now. */
static void test_lease_of_another_stays(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *lease = lab_json("{'apiVersion':'weft.dev/v1','kind':'AddressLease',"
						"'metadata':{'name':'over/10.5.0.2'},"
						"'spec':{'endpoint':'other','node':'c'}}");
	const struct wf_store_write writes[] = {
		{ .op = WF_STORE_DELETE,
		  .kind = WF_KIND_ENDPOINT,
		  .name = "one",
		  .expected = WF_STORE_ANY },
		{ .op = WF_STORE_PUT,
		  .kind = CTL_KIND_ADDRESS_LEASE,
		  .name = "over/10.5.0.2",
		  .document = lease,
		  .expected = WF_STORE_ANY },
	};
	_cleanup_json_ json_t *left = NULL;

	assert_int_equal(pair_attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	assert_int_equal(wf_store_commit(pair->a->store, writes, WF_ARRAY_LEN(writes),
					 WF_STORE_DURABLE, NULL, NULL),
			 0);
	pair_settle(pair);
	assert_null(wf_ctl_endpoint_find(pair->a->control, "one"));
	assert_int_equal(
		wf_store_get(pair->a->store, CTL_KIND_ADDRESS_LEASE, "over/10.5.0.2", &left, NULL),
		0);
	assert_string_equal(wf_json_str(json_object_get(left, "spec"), "endpoint", ""), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_no_address_twice),
		PAIR_CASE(test_another_was_faster),
		PAIR_CASE(test_lease_of_another_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
