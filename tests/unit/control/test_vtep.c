/* SPDX-License-Identifier: Apache-2.0 */
/* Routes to VXLAN endpoints that are no nodes: what is in the maps of every node, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dp/overlay.h"
#include "pair.h"

#define VTEP(vni) "'vtep':{'address':'192.0.2.77','vni':" #vni ",'mac':'02:00:00:00:98:01'"

/* Gives "over" these routes (JSON). */
static int set_routes(struct lab *lab, const char *routes)
{
	lab_use(lab);
	return lab_apply(lab,
			 "[{'apiVersion':'weft.dev/v1','kind':'Network','metadata':{'name':'over'},"
			 "'spec':{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24',"
			 "'blockSize':0}],'routes':[%s]}}]",
			 routes);
}

static uint32_t number_of(struct lab *lab)
{
	return wf_ctl_network_find(lab->control, "over")->spec.number;
}

static void assert_route(struct lab *lab, const char *to, uint32_t vni)
{
	const struct wf_vtep_value *route = fake_dp_vtep(lab->dp, number_of(lab), to);
	const struct wf_vtep_value *peer =
		fake_dp_vtep(lab->dp, WF_VTEP_PEER | vni, "192.0.2.77/32");
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse("192.0.2.77", &addr), 0);
	assert_non_null(route);
	assert_true(wf_addr_equal(&route->addr, &addr));
	assert_int_equal(route->vni, vni);
	assert_memory_equal(route->mac, "\x02\0\0\0\x98\x01", 6);
	assert_non_null(peer);
	assert_int_equal(peer->network, number_of(lab));
}

static bool has_flag(struct lab *lab)
{
	return fake_dp_network(lab->dp, number_of(lab)).flags & WF_NET_VTEPS;
}

static void test_on_every_node(void **state)
{
	struct pair *pair = *state;
	struct lab *const labs[] = { pair->a, pair->b };

	assert_false(has_flag(pair->a));
	assert_int_equal(set_routes(pair->a, "{'to':'10.98.0.0/16'," VTEP(
						     5001) "}},"
							   "{'to':'10.97.0.0/16'," VTEP(5001) "}}"),
			 0);
	pair_settle(pair);
	for (size_t i = 0; i < WF_ARRAY_LEN(labs); i++) {
		assert_route(labs[i], "10.98.0.0/16", 5001);
		assert_route(labs[i], "10.97.0.0/16", 5001);
		assert_int_equal(fake_dp_vtep_count(labs[i]->dp), 3);
		assert_true(has_flag(labs[i]));
	}
	/* one goes, the other keeps the endpoint; then another VNI */
	assert_int_equal(set_routes(pair->b, "{'to':'10.97.0.0/16'," VTEP(5001) "}}"), 0);
	pair_settle(pair);
	assert_route(pair->a, "10.97.0.0/16", 5001);
	assert_int_equal(fake_dp_vtep_count(pair->a->dp), 2);
	assert_int_equal(set_routes(pair->b, "{'to':'10.97.0.0/16'," VTEP(5002) "}}"), 0);
	pair_settle(pair);
	assert_route(pair->a, "10.97.0.0/16", 5002);
	assert_int_equal(fake_dp_vtep_count(pair->a->dp), 2);
	/* with the network all is gone */
	assert_int_equal(lab_delete(pair->a, "Network", "over"), 0);
	pair_settle(pair);
	assert_int_equal(fake_dp_vtep_count(pair->a->dp), 0);
	assert_int_equal(fake_dp_vtep_count(pair->b->dp), 0);
}

/* By way of an endpoint: one entry, which says whose address it is. */
static void assert_via(struct lab *lab, const char *to, const char *via)
{
	const struct wf_vtep_value *route = fake_dp_vtep(lab->dp, number_of(lab), to);
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(via, &addr), 0);
	assert_non_null(route);
	assert_int_equal(route->vni, 0);
	assert_true(wf_addr_equal(&route->addr, &addr));
}

static void test_via_an_endpoint(void **state)
{
	struct pair *pair = *state;
	struct lab *const labs[] = { pair->a, pair->b };

	assert_int_equal(set_routes(pair->a, "{'to':'10.98.0.0/16','via':'10.5.0.9'},"
					     "{'to':'10.97.0.0/16'," VTEP(5001) "}}"),
			 0);
	pair_settle(pair);
	for (size_t i = 0; i < WF_ARRAY_LEN(labs); i++) {
		assert_via(labs[i], "10.98.0.0/16", "10.5.0.9");
		assert_route(labs[i], "10.97.0.0/16", 5001);
		assert_int_equal(fake_dp_vtep_count(labs[i]->dp), 3);
		assert_true(has_flag(labs[i]));
	}
	/* one becomes the other */
	assert_int_equal(set_routes(pair->b, "{'to':'10.97.0.0/16','via':'10.5.0.8'},"
					     "{'to':'10.98.0.0/16'," VTEP(5001) "}}"),
			 0);
	pair_settle(pair);
	assert_via(pair->a, "10.97.0.0/16", "10.5.0.8");
	assert_route(pair->a, "10.98.0.0/16", 5001);
	assert_int_equal(fake_dp_vtep_count(pair->a->dp), 3);
	assert_int_equal(set_routes(pair->b, "{'to':'10.97.0.0/16','via':'10.5.0.8'}"), 0);
	pair_settle(pair);
	assert_int_equal(fake_dp_vtep_count(pair->a->dp), 1);
	assert_int_equal(fake_dp_vtep_count(pair->b->dp), 1);
	assert_int_equal(set_routes(pair->a, ""), 0);
	pair_settle(pair);
	assert_int_equal(fake_dp_vtep_count(pair->b->dp), 0);
	assert_false(has_flag(pair->b));
	/* an address that the subnet which was chosen does not have */
	lab_assert_refused(pair->a,
			   lab_apply(pair->a,
				     "[{'apiVersion':'weft.dev/v1','kind':'Network','metadata':"
				     "{'name':'chosen'},'spec':{'routes':[{'to':'10.98.0.0/16',"
				     "'via':'192.0.2.9'}]}}]"),
			   -EINVAL, "spec.routes[0].via", "in none of the network's subnets");
}

/* What an earlier daemon left is put right: what is missing, what is wrong, and what nobody has. */
static void test_over_a_restart(void **state)
{
	struct pair *pair = *state;
	static const struct wf_vtep_value wrong = { .vni = 9999 };
	struct wf_prefix prefix;

	assert_int_equal(set_routes(pair->a, "{'to':'10.98.0.0/16'," VTEP(5001) "}}"), 0);
	pair_settle(pair);
	lab_use(pair->b);
	lab_stop(pair->b);
	assert_int_equal(wf_prefix_parse("10.98.0.0/16", &prefix), 0);
	assert_int_equal(wf_dp_vtep_set(pair->b->dp, 1, &prefix, &wrong, NULL), 0);
	assert_int_equal(wf_dp_vtep_set(pair->b->dp, 7, &prefix, &wrong, NULL), 0);
	assert_int_equal(wf_dp_vtep_set(pair->b->dp, 5000, &prefix, &wrong, NULL), 0);
	assert_int_equal(wf_prefix_parse("192.0.2.78/32", &prefix), 0);
	assert_int_equal(wf_dp_vtep_set(pair->b->dp, WF_VTEP_PEER | 5001, &prefix, &wrong, NULL),
			 0);
	assert_int_equal(wf_prefix_parse("192.0.2.77/32", &prefix), 0);
	assert_int_equal(wf_dp_vtep_set(pair->b->dp, WF_VTEP_PEER | 5001, &prefix, NULL, NULL), 0);
	assert_int_equal(lab_start(pair->b), 0);
	lab_settle(pair->b);
	assert_route(pair->b, "10.98.0.0/16", 5001);
	assert_int_equal(fake_dp_vtep_count(pair->b->dp), 2);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *routes;
		int code;
		const char *field, *text;
	} rows[] = {
		{ "{'to':'10.6.0.0/16'," VTEP(5001) "}}", -EADDRINUSE, "spec.routes[0].to",
		  "of network other" },
		{ "{'to':'10.5.0.128/25'," VTEP(5001) "}}", -EINVAL, "spec.routes[0].to",
		  "own subnet 10.5.0.0/24" },
		{ "{'to':'10.98.0.0/16'," VTEP(6001) "}}", -EADDRINUSE, "spec.routes[0].vtep.vni",
		  "for network other already" },
		{ "{'to':'10.98.0.0/16','vtep':{'address':'192.0.2.2','vni':5001,"
		  "'mac':'02:00:00:00:98:01'}}",
		  -EINVAL, "spec.routes[0].vtep.address", "is node b" },
		{ "{'to':'10.98.0.0/16','vtep':{'address':'192.0.2.1','vni':5001,"
		  "'mac':'02:00:00:00:98:01'}}",
		  -EINVAL, "spec.routes[0].vtep.address", "is node a" },
		{ "{'to':'10.98.0.0/16','vtep':{'address':'2001:db8::1','vni':5001,"
		  "'mac':'02:00:00:00:98:01'}}",
		  -EAFNOSUPPORT, "spec.routes[0].vtep.address", "family" },
	};
	struct pair *pair = *state;

	lab_network(pair->a, "other",
		    "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/24'}],"
		    "'routes':[{'to':'10.95.0.0/16'," VTEP(6001) "}}]}");
	pair_settle(pair);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		lab_assert_refused(pair->a, set_routes(pair->a, rows[i].routes), rows[i].code,
				   rows[i].field, rows[i].text);
	assert_false(has_flag(pair->a));
	/* the same prefix is another one's business too, by another VNI */
	assert_int_equal(set_routes(pair->a, "{'to':'10.95.0.0/16'," VTEP(6002) "}}"), 0);
	/* who chooses keeps away from it */
	lab_assert_refused(pair->a,
			   lab_apply(pair->a,
				     "[{'apiVersion':'weft.dev/v1','kind':'Network','metadata':"
				     "{'name':'late'},'spec':{'subnets':[{'cidr':'10.95.4.0/24'}]}"
				     "}]"),
			   -EADDRINUSE, "spec.subnets[0].cidr", "a route of network");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_on_every_node),
		PAIR_CASE(test_via_an_endpoint),
		PAIR_CASE(test_over_a_restart),
		PAIR_CASE(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
