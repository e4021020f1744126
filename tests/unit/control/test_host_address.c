/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the nodes' hosts in a network, and what a node says of itself with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "pair.h"

/* The address of a node's host in the network, as the other one knows it. */
static struct wf_addr host_of(struct lab *lab, const char *node)
{
	static const struct wf_addr none;
	const struct ctl_node *found = wf_ctl_node_find(lab->control, node);

	assert_non_null(found);
	return found->host_count ? found->hosts[0].is.addr : none;
}

static const struct wf_remote_value *remote_of(struct lab *lab, const struct wf_addr *addr)
{
	char text[WF_ADDR_TEXT];

	return fake_dp_remote(lab->dp, wf_addr_format(addr, text));
}

static void test_hosts_have_addresses(void **state)
{
	struct pair *pair = *state;
	struct ctl_network *here = wf_ctl_network_find(pair->a->control, "over");
	struct ctl_network *there = wf_ctl_network_find(pair->b->control, "over");
	_cleanup_json_ json_t *left = NULL;
	struct wf_addr a, b;
	uint64_t revision;

	pair_settle(pair);
	a = host_of(pair->b, "a");
	b = host_of(pair->a, "b");
	/* each has its own, which the other knows, sends to and gives to nobody */
	assert_true(wf_addr_equal(&a, &here->host_addrs[0]));
	assert_true(wf_addr_equal(&b, &there->host_addrs[0]));
	assert_false(wf_addr_equal(&a, &b));
	assert_int_equal(remote_of(pair->b, &a)->network, there->spec.number);
	assert_int_equal(fake_dp_network(pair->a->dp, here->spec.number).host4.words[3],
			 a.words[3]);
	assert_int_equal(wf_pool_explain(there->pools[0], &a, 0).state, WF_POOL_TAKEN);
	/* the same after a restart */
	lab_use(pair->a);
	lab_restart(pair->a);
	here = wf_ctl_network_find(pair->a->control, "over");
	assert_true(wf_addr_equal(&a, &here->host_addrs[0]));
	assert_non_null(remote_of(pair->a, &b));
	/* they end with the network, of which nobody has anything then */
	assert_int_equal(lab_delete(pair->a, "Network", "over"), 0);
	for (int i = 0; i < 3; i++)
		pair_settle(pair);
	assert_null(remote_of(pair->a, &b));
	assert_null(remote_of(pair->b, &a));
	assert_int_equal(wf_ctl_node_find(pair->a->control, "b")->host_count, 0);
	assert_int_equal(
		wf_store_list(pair->a->store, CTL_KIND_ADDRESS_LEASE, &left, &revision, NULL), 0);
	assert_int_equal(json_array_size(left), 0);
}

/* What a host shows in a network that is a scope of its own is known there alone, and found by nobody here. */
static void test_scopes_have_doors(void **state)
{
	struct pair *pair = *state;
	struct ctl_network *here, *there;
	struct wf_addr_value found;
	_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };
	_cleanup_json_ json_t *stored = NULL;
	char text[WF_ADDR_TEXT];
	uint32_t number;

	lab_use(pair->a);
	lab_network(pair->a, "acme",
		    "{'driver':'overlay','overlapping':true,'masquerade':true,"
		    "'subnets':[{'cidr':'10.9.0.0/24'}]}");
	/* without a way out nobody comes in */
	lab_network(pair->a, "shut",
		    "{'driver':'overlay','overlapping':true,'subnets':[{'cidr':'10.9.0.0/24'}]}");
	for (int i = 0; i < 3; i++)
		pair_settle(pair);
	here = wf_ctl_network_find(pair->a->control, "acme");
	there = wf_ctl_network_find(pair->b->control, "acme");
	number = there->spec.number;
	assert_false(wf_addr_is_zero(&here->host_addrs[0]));
	assert_false(wf_addr_equal(&here->host_addrs[0], &there->host_addrs[0]));
	(void)wf_addr_format(&here->host_addrs[0], text);
	assert_int_equal(fake_dp_remote_in(pair->b->dp, number, text)->network, number);
	assert_null(fake_dp_remote(pair->b->dp, text));
	assert_int_equal(wf_pool_explain(there->pools[0], &here->host_addrs[0], 0).state,
			 WF_POOL_TAKEN);
	assert_int_equal(fake_dp_network(pair->a->dp, here->spec.number).host4.words[3],
			 here->host_addrs[0].words[3]);
	for (uint32_t scope = 0; scope <= here->spec.number; scope++)
		assert_int_not_equal(
			wf_dp_address_get(pair->a->dp, scope, &here->host_addrs[0], &found), 0);
	assert_true(wf_addr_is_zero(&wf_ctl_network_find(pair->a->control, "shut")->host_addrs[0]));
	/* it is no address of the node, which policies know it by */
	assert_int_equal(wf_store_get(pair->a->store, WF_KIND_NODE, "a", &stored, NULL), 0);
	assert_int_equal(wf_node_from_json(&node, stored, NULL), 0);
	for (size_t i = 0; i < node.addr_count; i++)
		assert_false(wf_addr_equal(&node.addrs[i], &here->host_addrs[0]));
	/* the same after a restart, and gone with the network */
	lab_use(pair->b);
	lab_restart(pair->b);
	assert_non_null(fake_dp_remote_in(pair->b->dp, number, text));
	lab_use(pair->a);
	assert_int_equal(lab_delete(pair->a, "Network", "acme"), 0);
	for (int i = 0; i < 3; i++)
		pair_settle(pair);
	assert_null(fake_dp_remote_in(pair->b->dp, number, text));
}

/* Labels that somebody applies take nothing away that a node says of itself. */
static void test_labels_leave_the_rest(void **state)
{
	struct pair *pair = *state;
	struct wf_addr host;
	_cleanup_json_ json_t *stored = NULL;

	pair_settle(pair);
	host = host_of(pair->a, "b");
	for (size_t i = 0; i < 2; i++) {
		const char *const names[] = { "a", "b" };

		lab_use(pair->a);
		assert_int_equal(lab_apply(pair->a,
					   "[{'apiVersion':'v1','kind':'Node','metadata':{'name':"
					   "'%s','labels':{'role':'edge'}}}]",
					   names[i]),
				 0);
		pair_settle(pair);
	}
	assert_int_equal(wf_ctl_node_find(pair->a->control, "b")->host_count, 1);
	assert_true(
		wf_addr_equal(&wf_ctl_node_find(pair->a->control, "b")->hosts[0].is.addr, &host));
	assert_int_equal(wf_ctl_node_find(pair->b->control, "a")->host_count, 1);
	assert_int_equal(wf_store_get(pair->a->store, WF_KIND_NODE, "a", &stored, NULL), 0);
	assert_non_null(json_object_get(json_object_get(stored, "status"), "addresses"));
	assert_string_equal(
		wf_json_str(json_object_get(json_object_get(stored, "metadata"), "labels"), "role",
			    ""),
		"edge");
}

/* Two that have not heard of each other want the same one. */
static void test_hosts_ask_the_store(void **state)
{
	struct pair *pair = *state;
	struct ctl_network *here = wf_ctl_network_find(pair->a->control, "over");
	struct wf_addr a;
	char text[WF_ADDR_TEXT];
	_cleanup_str_ struct wf_str name = WF_STR_INIT;
	_cleanup_json_ json_t *lease = NULL;

	pair_settle(pair);
	a = here->host_addrs[0];
	/* another node, of which nothing is known yet, had it before */
	lab_use(pair->a);
	lab_stop(pair->a);
	wf_str_addf(&name, "over/%s", wf_addr_format(&a, text));
	lease = lab_json("{'apiVersion':'weft.dev/v1','kind':'AddressLease','metadata':{'name':"
			 "'x'},'spec':{'node':'c'}}");
	json_object_set_new(json_object_get(lease, "metadata"), "name",
			    json_string(wf_str_text(&name)));
	lab_use(pair->b);
	pair_write(pair->b, CTL_KIND_ADDRESS_LEASE, wf_str_text(&name), lease);
	pair_write(pair->b, WF_KIND_NODE, "a", NULL);
	lab_use(pair->a);
	assert_int_equal(lab_start(pair->a), 0);
	pair_settle(pair);
	here = wf_ctl_network_find(pair->a->control, "over");
	assert_false(wf_addr_is_zero(&here->host_addrs[0]));
	assert_false(wf_addr_equal(&here->host_addrs[0], &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_hosts_have_addresses),
		PAIR_CASE(test_scopes_have_doors),
		PAIR_CASE(test_labels_leave_the_rest),
		PAIR_CASE(test_hosts_ask_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
