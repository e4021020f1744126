/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that join, are lost, come back and are deleted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "pair.h"

static bool is_stored(const struct lab *lab, const char *kind, const char *name)
{
	_cleanup_json_ json_t *document = NULL;

	return wf_store_get(lab->store, kind, name, &document, NULL) == 0;
}

static int delete_node(struct lab *lab, const char *name, bool force,
		       struct wf_control_released *ret_released)
{
	lab_use(lab);
	json_decref(lab->answer);
	lab->answer = NULL;
	wf_err_clear(&lab->err);
	return wf_control_delete_for(lab->control, WF_KIND_NODE, name, force, ret_released,
				     &lab->err);
}

static void test_names_and_addresses_of_nodes(void **state)
{
	struct pair *pair = *state;
	struct lab *third = lab_beside(pair->a, "b", "192.0.2.3");

	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "", "a node b is alive");
	third->node = "c";
	third->node_ip = "192.0.2.2";
	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "",
			   "node b is alive at 192.0.2.2");
	/* once it is lost it may still come back */
	pair_forget_lease(pair->a, "b");
	lab_settle(pair->a);
	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "", "weft delete node b");
	lab_use(pair->a);
	lab_free(&third);
}

/* A node that dies: no backend at once, its addresses free after the grace. */
static void test_lost_node(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(pair_attach(pair->b, "db", ""), 0);
	lab_stop(pair->b);
	lab_settle(pair->a);
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	pair_forget_lease(pair->a, "b");
	lab_settle(pair->a);
	assert_false(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	fake_clock_advance_ms(59000);
	wf_ctl_nodes_expire(pair->a->control);
	assert_non_null(fake_dp_remote(pair->a->dp, "10.5.0.2"));
	fake_clock_advance_ms(2000);
	wf_ctl_nodes_expire(pair->a->control);
	assert_null(fake_dp_remote(pair->a->dp, "10.5.0.2"));
	assert_int_equal(pair_leased(pair->a), 0);
	/* it comes back, and takes its own endpoint out as well */
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	lab_settle(pair->b);
	assert_null(wf_ctl_endpoint_find(pair->b->control, "db"));
}

/* Who is alive says so again, whatever was deleted; the others see no gap that lasts. */
static void test_own_documents_come_back(void **state)
{
	struct pair *pair = *state;
	const char *const kinds[] = { WF_KIND_NODE, CTL_KIND_NODE_LEASE };

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		pair_write(pair->a, kinds[i], "b", NULL);
		assert_false(is_stored(pair->a, kinds[i], "b"));
		pair_settle(pair);
		pair_settle(pair);
		assert_true(is_stored(pair->a, kinds[i], "b"));
		assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	}
}

static void test_a_node_that_is_alive_stays(void **state)
{
	struct pair *pair = *state;
	struct wf_control_released released;

	assert_int_equal(pair_attach(pair->b, "db", ""), 0);
	pair_settle(pair);
	lab_assert_refused(pair->a, delete_node(pair->a, "b", false, &released), -EBUSY, "",
			   "node b is alive and has 1 endpoint that is reached from here");
	lab_assert_refused(pair->b, delete_node(pair->b, "b", true, &released), -EBUSY, "",
			   "this is the node that is asked");
	assert_true(is_stored(pair->a, WF_KIND_NODE, "b"));
	/* forced: what it had goes, it says again that it is there, and loses its endpoint */
	assert_int_equal(delete_node(pair->a, "b", true, &released), 0);
	assert_int_equal(released.endpoints, 1);
	/* the endpoint's, and the host's own in the network */
	assert_int_equal(released.addresses, 2);
	pair_settle(pair);
	pair_settle(pair);
	assert_true(is_stored(pair->a, WF_KIND_NODE, "b"));
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	assert_null(wf_ctl_endpoint_find(pair->b->control, "db"));
}

/* At once, without the grace; also what only the node itself knew of. */
static void test_a_lost_node_is_forgotten(void **state)
{
	struct pair *pair = *state;
	struct wf_control_released released;

	lab_network(pair->b, "own", "{'subnets':[{'cidr':'10.7.0.0/24'}]}");
	lab_use(pair->b);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(lab_attach(pair->b,
					    "{'network':'%s','name':'db%u','netns':'/fake/c%u',"
					    "'owner':'cli'}",
					    i == 4 ? "own" : "over", i, i),
				 0);
	pair_settle(pair);
	assert_int_equal(pair_attach(pair->a, "mine", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.6");
	lab_stop(pair->b);
	pair_forget_lease(pair->a, "b");
	lab_settle(pair->a);
	assert_int_equal(delete_node(pair->a, "b", false, &released), 0);
	assert_int_equal(released.endpoints, 5);
	assert_int_equal(released.addresses, 5);
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 0);
	assert_null(wf_ctl_node_find(pair->a->control, "b"));
	assert_false(is_stored(pair->a, WF_KIND_NODE, "b"));
	for (unsigned int i = 0; i < 5; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "db%u", i);
		assert_false(is_stored(pair->a, WF_KIND_ENDPOINT, name));
	}
	/* what others have stays */
	assert_true(is_stored(pair->a, WF_KIND_ENDPOINT, "mine"));
	assert_true(is_stored(pair->a, CTL_KIND_ADDRESS_LEASE, "over/10.5.0.6"));
	assert_false(is_stored(pair->a, CTL_KIND_ADDRESS_LEASE, "over/10.5.0.2"));
	lab_assert_refused(pair->a, delete_node(pair->a, "b", false, &released), -ENOENT, "",
			   "does not exist");
	/* it comes back as a new one */
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	lab_settle(pair->b);
	lab_settle(pair->a);
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	assert_null(wf_ctl_endpoint_find(pair->b->control, "db0"));
}

/* Many endpoints go in few transactions, and others are not kept waiting for all of them. */
static void test_many_endpoints_of_a_lost_node(void **state)
{
	struct pair *pair = *state;
	uint64_t before;
	size_t left, parts = 0;

	for (unsigned int i = 0; i < 44; i++) {
		lab_use(pair->b);
		assert_int_equal(lab_attach(pair->b,
					    "{'network':'over','name':'db%u','netns':'/fake/c%u',"
					    "'ifname':'eth%u','owner':'cli'}",
					    i, i % 8, i / 8),
				 0);
	}
	pair_settle(pair);
	lab_use(pair->b);
	lab_stop(pair->b);
	pair_forget_lease(pair->a, "b");
	lab_use(pair->a);
	lab_settle(pair->a);
	/* one is gone half: its address has somebody else by now */
	pair_write(pair->a, WF_KIND_ENDPOINT, "db3", NULL);
	fake_clock_advance_ms(61000);
	before = wf_store_revision(pair->a->store);
	left = wf_ctl_node_find(pair->a->control, "b")->remote_count;
	while (wf_ctl_nodes_expire(pair->a->control)) {
		const size_t now = wf_ctl_node_find(pair->a->control, "b")->remote_count;

		assert_true(now < left);
		left = now;
		parts++;
	}
	assert_int_equal(parts, 1);
	assert_int_equal(wf_ctl_node_find(pair->a->control, "b")->remote_count, 0);
	/* eight endpoints in each, and the one part of which something was gone */
	assert_true(wf_store_revision(pair->a->store) - before <= 44 / 8 + 1 + 8);
	for (unsigned int i = 0; i < 44; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "db%u", i);
		assert_false(is_stored(pair->a, WF_KIND_ENDPOINT, name));
	}
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 1);
	/* of what was gone half nothing is touched */
	assert_int_equal(pair_leased(pair->a), 1);
}

/* Deleted while endpoints of it are left: its number is free when these have gone. */
static void test_the_number_of_a_deleted_node(void **state)
{
	struct pair *pair = *state;
	uint32_t number;

	assert_int_equal(pair_attach(pair->b, "db", ""), 0);
	lab_stop(pair->b);
	lab_use(pair->a);
	pair_forget_lease(pair->a, "b");
	lab_settle(pair->a);
	number = wf_ctl_node_find(pair->a->control, "b")->number;
	pair_write(pair->a, WF_KIND_NODE, "b", NULL);
	lab_settle(pair->a);
	assert_false(wf_ctl_nodes_expire(pair->a->control));
	assert_non_null(wf_ctl_node_find(pair->a->control, "b"));
	pair_write(pair->a, WF_KIND_ENDPOINT, "db", NULL);
	lab_settle(pair->a);
	assert_false(wf_ctl_nodes_expire(pair->a->control));
	assert_null(wf_ctl_node_find(pair->a->control, "b"));
	assert_null(pair->a->control->cluster.by_number[number]);
}

/* It says that it is at an address, and has its host's in "over", which comes last. */
static void learn_as(struct lab *lab, const char *name, const char *at, struct wf_node_host *host)
{
	struct wf_addr addrs[2] = { [1] = host->addr };
	struct wf_node spec = { .addrs = addrs, .addr_count = 2, .hosts = host, .host_count = 1 };

	(void)snprintf(spec.meta.name, sizeof(spec.meta.name), "%s", name);
	assert_int_equal(wf_addr_parse(at, &addrs[0]), 0);
	lab_use(lab);
	assert_int_equal(wf_ctl_node_learn(lab->control, name, &spec, NULL), 0);
}

static void learn(struct lab *lab, const char *at, struct wf_node_host *host)
{
	learn_as(lab, "far", at, host);
}

/* While one takes over from another both say that they have it. */
static void test_an_address_of_two_hosts(void **state)
{
	struct pair *pair = *state;
	struct wf_control *control = pair->a->control;
	struct wf_node_host host = { .network = "over" }, elsewhere = { .network = "nowhere" };

	assert_int_equal(wf_addr_parse("10.5.0.77", &host.addr), 0);
	elsewhere.addr = host.addr;
	learn_as(pair->a, "one", "192.0.2.7", &elsewhere);
	assert_false(wf_ctl_node_hosts_have(control, WF_NETWORK_HOST, &host.addr));
	learn_as(pair->a, "one", "192.0.2.7", &host);
	learn_as(pair->a, "two", "192.0.2.8", &host);
	assert_true(wf_ctl_node_hosts_have(control, WF_NETWORK_HOST, &host.addr));
	assert_int_equal(wf_ctl_node_learn(control, "one", NULL, NULL), 0);
	assert_true(wf_ctl_node_hosts_have(control, WF_NETWORK_HOST, &host.addr));
	assert_int_equal(wf_ctl_node_learn(control, "two", NULL, NULL), 0);
	assert_false(wf_ctl_node_hosts_have(control, WF_NETWORK_HOST, &host.addr));
	lab_settle(pair->a);
}

/* No tunnel leads to a node of the other family; what its host has is not given out all the same. */
static void test_a_node_of_the_other_family(void **state)
{
	struct pair *pair = *state;
	struct wf_node_host host = { .network = "over" };
	struct wf_control *control = pair->a->control;
	struct ctl_node *far;

	assert_int_equal(wf_addr_parse("10.5.0.2", &host.addr), 0);
	learn(pair->a, "2001:db8::7", &host);
	far = wf_ctl_node_find(control, "far");
	assert_non_null(far);
	assert_true(wf_addr_is_zero(&far->underlay));
	assert_int_equal(far->host_count, 1);
	assert_int_equal(pair_attach(pair->a, "web", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.3");
	/* it has an address of ours, and then has none any more */
	learn(pair->a, "192.0.2.7", &host);
	assert_true(wf_ctl_is_peer(control, far));
	learn(pair->a, "2001:db8::7", &host);
	assert_false(wf_ctl_is_peer(control, far));
	assert_int_equal(far->host_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_many_endpoints_of_a_lost_node),
		PAIR_CASE(test_the_number_of_a_deleted_node),
		PAIR_CASE(test_a_node_of_the_other_family),
		PAIR_CASE(test_an_address_of_two_hosts),
		PAIR_CASE(test_names_and_addresses_of_nodes),
		PAIR_CASE(test_lost_node),
		PAIR_CASE(test_own_documents_come_back),
		PAIR_CASE(test_a_node_that_is_alive_stays),
		PAIR_CASE(test_a_lost_node_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
