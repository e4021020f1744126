/* SPDX-License-Identifier: Apache-2.0 */
/* Applying and deleting documents: what comes of them, what is refused, all or nothing. */
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
	*state = lab_new();
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown_settled)

#define NETWORK(name, spec)                                                                        \
	"{'apiVersion':'weft.dev/v1','kind':'Network','metadata':{'name':'" name "'},'spec':" spec \
	"}"
#define RESERVATION(name, spec)                                                            \
	"{'apiVersion':'weft.dev/v1','kind':'Reservation','metadata':{'name':'" name "'}," \
	"'spec':" spec "}"

static const char *action(const struct lab *lab, size_t index)
{
	return wf_json_str(json_array_get(lab->answer, index), "action", "?");
}

static void test_actions(void **state)
{
	struct lab *lab = *state;
	uint64_t revision;

	assert_int_equal(lab_apply(lab, "[" NETWORK("n1", "{}") "," NETWORK("n2", "{}") "]"), 0);
	assert_string_equal(action(lab, 0), "created");
	assert_string_equal(action(lab, 1), "created");
	revision = wf_store_revision(lab->store);
	assert_int_equal(
		lab_apply(lab, "[" NETWORK("n1", "{}") "," NETWORK("n2", "{'isolated':false}") "]"),
		0);
	assert_string_equal(action(lab, 0), "unchanged");
	assert_string_equal(action(lab, 1), "configured");
	assert_int_equal(wf_store_revision(lab->store), revision + 1);
	assert_int_equal(lab_apply(lab, "[]"), 0);
	assert_int_equal(json_array_size(lab->answer), 0);
}

static void test_dry_run(void **state)
{
	_cleanup_json_ json_t *documents = lab_json("[" NETWORK("n1", "{}") "]");
	_cleanup_json_ json_t *results = NULL;
	struct lab *lab = *state;

	assert_int_equal(wf_control_apply(lab->control, documents, true, &results, &lab->err), 0);
	assert_string_equal(wf_json_str(json_array_get(results, 0), "action", ""), "created");
	assert_null(wf_ctl_network_find(lab->control, "n1"));
	assert_int_equal(wf_store_revision(lab->store), 1); /* the node's own state */
}

static void test_refused(void **state)
{
	static const struct {
		const char *documents;
		int code, document;
		const char *field, *text;
	} rows[] = {
		{ "[1]", -EINVAL, 0, "", "" },
		{ "[{'apiVersion':'weft.dev/v1','kind':'Nothing','metadata':{'name':'a'}}]",
		  -EINVAL, 0, "kind", "" },
		{ "[{'apiVersion':'weft.dev/v1','kind':'Endpoint','metadata':{'name':'a'},"
		  "'spec':{'network':'blue','interface':'eth0'}}]",
		  -EPERM, 0, "kind", "weft attach" },
		{ "[" NETWORK("n1", "{}") "," NETWORK("n1", "{}") "]", -EEXIST, 1, "metadata.name",
		  "twice" },
		{ "[" NETWORK("n1", "{'subnets':[{'cidr':'10.1.0.0/25'}]}") "]", -EADDRINUSE, 0,
		  "spec.subnets[0].cidr", "overlaps 10.1.0.0/24 of network blue" },
		{ "[" NETWORK("n1", "{'subnets':[{'cidr':'10.1.0.0/25'}]}") "]", -EADDRINUSE, 0,
		  "spec.subnets[0].cidr", "or say overlapping: true" },
		{ "[" NETWORK("blue",
			      "{'overlapping':true,'subnets':[{'cidr':'10.1.0.0/24'}]}") "]",
		  -EBUSY, 0, "spec.overlapping", "cannot change" },
		{ "[" NETWORK("n1", "{'subnets':[{'cidr':'10.7.0.0/24'}]}") "," NETWORK(
			  "n2", "{'subnets':[{'cidr':'10.8.0.0/24'},{'cidr':'10.7.0.0/16'}]}") "]",
		  -EADDRINUSE, 1, "spec.subnets[1].cidr", "network n1" },
		{ "[" NETWORK("n1", "{'subnets':[{'cidr':'192.0.2.0/24'}]}") "]", -EADDRINUSE, 0,
		  "spec.subnets[0].cidr", "the host's route or address on uplink" },
		{ "[" NETWORK("n1", "{'driver':'macvlan','parent':'nix',"
				    "'subnets':[{'cidr':'10.7.0.0/24'}]}") "]",
		  -ENODEV, 0, "spec.parent", "no device nix" },
		{ "[" RESERVATION("r", "{'network':'red','for':'a','addresses':['10.1.0.7']}") "]",
		  -ENOENT, 0, "spec.network", "no network red" },
		{ "[" RESERVATION("r", "{'network':'blue','for':'a','addresses':['10.9.0.7']}") "]",
		  -EADDRNOTAVAIL, 0, "spec.addresses[0]", "in no subnet of network blue" },
		{ "[" RESERVATION("r", "{'network':'blue','for':'a','addresses':['10.1.0.2']}") "]",
		  -EADDRINUSE, 0, "", "in use by web" },
		{ "[" RESERVATION("r", "{'network':'blue','for':'a','addresses':['10.1.0.9']}") "]",
		  -EADDRINUSE, 0, "", "reserved for held" },
		{ "[" RESERVATION("r", "{'network':'blue','for':'held',"
				       "'addresses':['10.1.0.8']}") "]",
		  -EEXIST, 0, "spec.for", "reservation h holds" },
	};
	struct lab *lab = *state;
	_cleanup_str_ struct wf_str before = WF_STR_INIT;

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_endpoint(lab, "blue", "web", 0);
	fake_net_add_route(lab->net, "192.0.2.0/24", "uplink");
	assert_int_equal(lab_apply(lab, "[" RESERVATION("h", "{'network':'blue','for':'held',"
							     "'addresses':['10.1.0.9']}") "]"),
			 0);
	lab_dump(lab, &before);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str after = WF_STR_INIT;
		int r = lab_apply(lab, "%s", rows[i].documents);

		if (r != rows[i].code || lab->err.document != rows[i].document ||
		    strcmp(lab->err.field, rows[i].field) != 0 ||
		    !strstr(lab->err.message, rows[i].text))
			fail_msg("%s: %d, document %d, field \"%s\": %s", rows[i].documents, r,
				 lab->err.document, lab->err.field, lab->err.message);
		lab_settle(lab);
		lab_dump(lab, &after);
		assert_string_equal(wf_str_text(&after), wf_str_text(&before));
	}
	assert_int_equal(lab_apply(lab, "{}"), -EINVAL);
}

/* A change that is refused in the middle takes back what came before it. */
static void test_all_or_nothing(void **state)
{
	_cleanup_str_ struct wf_str before = WF_STR_INIT, after = WF_STR_INIT;
	struct lab *lab = *state;

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_endpoint(lab, "blue", "web", 0);
	lab_dump(lab, &before);
	assert_int_equal(
		lab_apply(
			lab,
			"[" NETWORK(
				"blue",
				"{'isolated':false,'subnets':["
				"{'cidr':'10.1.0.0/24'},{'cidr':'10.2.0.0/24'}]}") "," NETWORK("n1",
											       "{}") "," RESERVATION("r1",
														     "{'network':'blue','for':'a',"
														     "'addresses':['10.2.0.7']}") "," RESERVATION("r2",
																				  "{'network':'blue','for':'b','addresses':['10.1.0.2']}") "]"),
		-EADDRINUSE);
	assert_int_equal(lab->err.document, 3);
	assert_string_equal(lab->err.object, "Reservation/r2");
	lab_settle(lab);
	lab_dump(lab, &after);
	assert_string_equal(wf_str_text(&after), wf_str_text(&before));
}

static void test_flags_in_the_maps(void **state)
{
	static const struct {
		const char *spec;
		uint32_t flags, subnets;
	} rows[] = {
		{ "{'subnets':[{'cidr':'10.1.0.0/24'}]}",
		  WF_NET_VALID | WF_NET_ISOLATED | WF_NET_IPV4 | WF_NET_MASQUERADE, 1 },
		{ "{'isolated':false,'subnets':[{'cidr':'10.1.0.0/24'}]}",
		  WF_NET_VALID | WF_NET_IPV4 | WF_NET_MASQUERADE, 1 },
		{ "{'internal':true,'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}",
		  WF_NET_VALID | WF_NET_ISOLATED | WF_NET_INTERNAL | WF_NET_IPV4 | WF_NET_IPV6, 2 },
		{ "{'subnets':[{'cidr':'fd01::/64'}]}",
		  WF_NET_VALID | WF_NET_ISOLATED | WF_NET_IPV6 | WF_NET_MASQUERADE, 1 },
		{ "{'masquerade':false,'subnets':[{'cidr':'10.1.0.0/24'}]}",
		  WF_NET_VALID | WF_NET_ISOLATED | WF_NET_IPV4, 1 },
		{ "{'driver':'none'}", 0, 0 },
		{ "{'driver':'macvlan','subnets':[{'cidr':'10.1.0.0/24'}]}", 0, 0 },
		{ "{'subnets':[{'cidr':'10.1.0.0/24','gateway':''}]}",
		  WF_NET_VALID | WF_NET_ISOLATED | WF_NET_IPV4 | WF_NET_MASQUERADE, 1 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_net_value value;

		lab_network(lab, "n", rows[i].spec);
		value = fake_dp_network(lab->dp, 1);
		if (value.flags != rows[i].flags || value.subnet_count != rows[i].subnets)
			fail_msg("%s: flags %x, %u subnets", rows[i].spec, value.flags,
				 value.subnet_count);
		lab_settle(lab);
		lab_assert_consistent(lab);
	}
}

/* Subnets are chosen apart from each other and from what the host knows, and then stay. */
static void test_chosen_subnets(void **state)
{
	struct lab *lab = *state;
	struct ctl_network *first, *second;
	struct wf_prefix before;

	fake_net_add_route(lab->net, "10.64.0.0/16", "uplink");
	lab_network(lab, "n1", "{'ipFamilies':['IPv4','IPv6']}");
	lab_network(lab, "n2", "{}");
	first = wf_ctl_network_find(lab->control, "n1");
	second = wf_ctl_network_find(lab->control, "n2");
	assert_int_equal(first->spec.subnet_count, 2);
	assert_int_equal(second->spec.subnet_count, 1);
	assert_false(wf_prefix_overlaps(&first->spec.subnets[0].prefix,
					&second->spec.subnets[0].prefix));
	before = first->spec.subnets[0].prefix;
	assert_int_not_equal(before.addr.bytes[13], 64);
	lab_network(lab, "n1", "{'ipFamilies':['IPv4','IPv6'],'isolated':false}");
	assert_true(wf_prefix_equal(&first->spec.subnets[0].prefix, &before));
	/* another family is another wish */
	lab_network(lab, "n1", "{'ipFamilies':['IPv6']}");
	assert_int_equal(first->spec.subnet_count, 1);
	assert_false(wf_addr_is_ip4(&first->spec.subnets[0].prefix.addr));
}

/* In what order subnets are written does not matter to those who live in them. */
static void test_subnets_change_places(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'10.2.0.0/24'}]}");
	assert_int_equal(
		lab_apply(lab, "[" RESERVATION("r", "{'network':'n','for':'held',"
						    "'addresses':['10.2.0.9','10.1.0.9']}") "]"),
		0);
	lab_endpoint(lab, "n", "a", 0);
	lab_network(lab, "n",
		    "{'subnets':[{'cidr':'10.5.0.0/24'},{'cidr':'10.2.0.0/24'},"
		    "{'cidr':'10.1.0.0/24'}]}");
	lab_settle(lab);
	lab_assert_consistent(lab);
	assert_int_equal(lab_attach(lab, "{'network':'n','name':'b','netns':'/fake/c1',"
					 "'owner':'cli','addresses':['10.1.0.2']}"),
			 -EADDRINUSE);
	assert_int_equal(lab_attach(lab, "{'network':'n','name':'b','netns':'/fake/c1',"
					 "'owner':'cli','addresses':['10.2.0.9']}"),
			 -EADDRINUSE);
	/* the one that somebody lives in cannot go; the one that is held cannot either */
	assert_int_equal(
		lab_apply(lab, "[" NETWORK("n", "{'subnets':[{'cidr':'10.2.0.0/24'}]}") "]"),
		-EBUSY);
	assert_int_equal(lab_detach(lab, "a"), 0);
	lab_assert_refused(
		lab, lab_apply(lab, "[" NETWORK("n", "{'subnets':[{'cidr':'10.2.0.0/24'}]}") "]"),
		-EBUSY, "spec.subnets", "reservation r holds 10.1.0.9");
	/* both in one file */
	assert_int_equal(
		lab_apply(lab,
			  "[" NETWORK("n", "{'subnets':[{'cidr':'10.2.0.0/24'}]}") "," RESERVATION(
				  "r", "{'network':'n','for':'held',"
				       "'addresses':['10.2.0.9']}") "]"),
		0);
}

/* What is held stays held in a subnet that is cut anew. */
static void test_subnet_is_cut_anew(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	assert_int_equal(lab_apply(lab, "[" RESERVATION("r", "{'network':'n','for':'held',"
							     "'addresses':['10.1.0.2']}") "]"),
			 0);
	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/25'}]}");
	lab_endpoint(lab, "n", "a", 0);
	assert_string_equal(lab_address(lab), "10.1.0.3");
	lab_endpoint(lab, "n", "held", 1);
	assert_string_equal(lab_address(lab), "10.1.0.2");
}

static void test_busy_network(void **state)
{
	static const struct {
		const char *spec, *field;
	} rows[] = {
		{ "{'driver':'none'}", "spec.driver" },
		{ "{'mtu':9000,'subnets':[{'cidr':'10.1.0.0/24'}]}", "spec.mtu" },
		{ "{'internal':true,'subnets':[{'cidr':'10.1.0.0/24'}]}", "spec.internal" },
		{ "{'subnets':[{'cidr':'10.3.0.0/24'}]}", "spec.subnets" },
		{ "{'subnets':[{'cidr':'10.1.0.0/24','gateway':'10.1.0.9'}]}",
		  "spec.subnets[0].gateway" },
	};
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_endpoint(lab, "n", "a", 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int r = lab_apply(lab, "[" NETWORK("n", "%s") "]", rows[i].spec);

		if (r != -EBUSY || strncmp(lab->err.field, rows[i].field, 12) != 0)
			fail_msg("%s: %d, field \"%s\": %s", rows[i].spec, r, lab->err.field,
				 lab->err.message);
	}
	lab_network(lab, "n",
		    "{'isolated':false,'subnets':[{'cidr':'10.1.0.0/24',"
		    "'exclude':['10.1.0.9']},{'cidr':'10.2.0.0/24'}]}");
}

/* A gateway cannot move onto an address that is held. */
static void test_gateway_moves(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	assert_int_equal(lab_apply(lab, "[" RESERVATION("r", "{'network':'n','for':'held',"
							     "'addresses':['10.1.0.9']}") "]"),
			 0);
	lab_assert_refused(lab,
			   lab_apply(lab, "[" NETWORK("n", "{'subnets':[{'cidr':'10.1.0.0/24',"
							   "'gateway':'10.1.0.9'}]}") "]"),
			   -EADDRINUSE, "spec.subnets[0].gateway", "has this address");
	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24','gateway':'10.1.0.254'}]}");
	lab_endpoint(lab, "n", "a", 0);
	assert_string_equal(lab_address(lab), "10.1.0.1");
}

static void test_delete(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_network(lab, "lan", "{'driver':'macvlan','subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_endpoint(lab, "n", "a", 0);
	lab_assert_refused(lab, lab_delete(lab, "network", "n"), -EBUSY, "", "1 endpoint (a");
	lab_assert_refused(lab, lab_delete(lab, "endpoint", "a"), -EPERM, "", "weft detach a");
	lab_assert_refused(lab, lab_delete(lab, "network", "x"), -ENOENT, "", "does not exist");
	lab_assert_refused(lab, lab_delete(lab, "thing", "x"), -ENOENT, "", "no kind thing");
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_int_equal(lab_apply(lab, "[" RESERVATION("r", "{'network':'n','for':'held',"
							     "'addresses':['10.1.0.9']}") "]"),
			 0);
	lab_assert_refused(lab, lab_delete(lab, "network", "n"), -EBUSY, "", "reservations (r");
	assert_int_equal(lab_delete(lab, "reservation", "r"), 0);
	assert_int_equal(lab_delete(lab, "networks", "n"), 0);
	assert_int_equal(lab_delete(lab, "Network", "lan"), 0);
	assert_int_equal(HASH_CNT(by_name, lab->control->networks), 0);
}

/* What weft made for names itself goes with the network. */
static void test_delete_with_sticky(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'sticky':true,'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_endpoint(lab, "n", "a", 0);
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_non_null(wf_ctl_reservation_find(lab->control, "n.a"));
	assert_int_equal(lab_delete(lab, "network", "n"), 0);
	assert_null(wf_ctl_reservation_find(lab->control, "n.a"));
}

/* A reservation given back: the address is free again. */
static void test_delete_reservation(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "n", "{'subnets':[{'cidr':'10.1.0.0/30'}]}");
	assert_int_equal(lab_apply(lab, "[" RESERVATION("r", "{'network':'n','for':'held',"
							     "'addresses':['10.1.0.2']}") "]"),
			 0);
	assert_int_equal(lab_attach(lab, "{'network':'n','netns':'/fake/c0','owner':'cli'}"),
			 -ENOSPC);
	assert_int_equal(lab_delete(lab, "reservation", "r"), 0);
	lab_endpoint(lab, "n", "a", 0);
}

static void test_read_back(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *document = NULL, *list = NULL;

	lab_network(lab, "n", "{}");
	assert_int_equal(wf_control_get(lab->control, "networks", "n", &document, &lab->err), 0);
	assert_string_equal(wf_json_str(document, "kind", ""), "Network");
	assert_int_equal(wf_control_list(lab->control, "network", &list, &lab->err), 0);
	assert_int_equal(json_array_size(json_object_get(list, "items")), 1);
	assert_int_equal(wf_json_int(list, "revision", 0), (int64_t)wf_store_revision(lab->store));
	assert_int_equal(wf_control_list(lab->control, "x", &list, &lab->err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_actions),
		CASE(test_dry_run),
		CASE(test_refused),
		CASE(test_all_or_nothing),
		CASE(test_flags_in_the_maps),
		CASE(test_chosen_subnets),
		CASE(test_subnets_change_places),
		CASE(test_subnet_is_cut_anew),
		CASE(test_busy_network),
		CASE(test_gateway_moves),
		CASE(test_delete),
		CASE(test_delete_with_sticky),
		CASE(test_delete_reservation),
		CASE(test_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
