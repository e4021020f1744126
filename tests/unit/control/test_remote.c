/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of other nodes: what a node knows of them, and what of that is in its maps. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "dp/overlay.h"
#include "pair.h"

static void test_endpoint_is_known_to_others(void **state)
{
	struct pair *pair = *state;
	const struct wf_remote_value *remote;

	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	assert_int_equal(pair_attach(pair->a, "web", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	pair_settle(pair);
	remote = fake_dp_remote(pair->b->dp, "10.5.0.2");
	assert_non_null(remote);
	assert_int_equal(remote->node, wf_ctl_node_find(pair->b->control, "a")->number);
	/* of b only its host is known */
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 1);
	/* the next address is another one, and the name is taken */
	assert_int_equal(pair_attach(pair->b, "db", ""), 0);
	assert_string_equal(lab_address(pair->b), "10.5.0.3");
	lab_use(pair->b);
	lab_assert_refused(pair->b, pair_attach(pair->b, "web", ",'ifname':'eth1'"), -EEXIST,
			   "name", "on node a");
	pair_settle(pair);
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 2);
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web"), 0);
	pair_settle(pair);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
}

/* Two networks with one subnet: each knows its own, and gives out the same addresses. */
static void test_overlapping_networks_are_apart(void **state)
{
	static const char *const names[] = { "acme", "beta" };
	struct pair *pair = *state;
	struct wf_addr addr;
	uint32_t numbers[2];

	assert_int_equal(wf_addr_parse("10.5.0.1", &addr), 0);
	for (size_t i = 0; i < 2; i++) {
		lab_network(pair->a, names[i],
			    "{'driver':'overlay','overlapping':true,"
			    "'subnets':[{'cidr':'10.5.0.0/24','blockSize':0}]}");
		numbers[i] = wf_ctl_network_find(pair->a->control, names[i])->spec.number;
	}
	lab_settle(pair->b);
	for (size_t i = 0; i < 2; i++) {
		lab_use(pair->a);
		assert_int_equal(lab_attach(pair->a,
					    "{'network':'%s','name':'%s','netns':'/fake/c%zu',"
					    "'owner':'cli'}",
					    names[i], names[i], i),
				 0);
		/* nobody is a gateway there, and no host */
		assert_string_equal(lab_address(pair->a), "10.5.0.1");
	}
	pair_settle(pair);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.1"));
	for (size_t i = 0; i < 2; i++) {
		const struct wf_remote_value *remote =
			fake_dp_remote_in(pair->b->dp, numbers[i], "10.5.0.1");

		assert_non_null(remote);
		assert_int_equal(remote->network, numbers[i]);
		assert_string_equal(wf_ctl_remote_name(wf_ctl_remote_by_address(pair->b->control,
										numbers[i], &addr)),
				    names[i]);
		/* the other node does not give it out again there */
		lab_use(pair->b);
		assert_int_equal(lab_attach(pair->b,
					    "{'network':'%s','name':'%s2','netns':'/fake/c%zu',"
					    "'owner':'cli'}",
					    names[i], names[i], i),
				 0);
		assert_string_equal(lab_address(pair->b), "10.5.0.2");
	}
	/* a restart knows them apart, and what goes leaves the other's alone */
	lab_restart(pair->b);
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "acme"), 0);
	pair_settle(pair);
	assert_null(fake_dp_remote_in(pair->b->dp, numbers[0], "10.5.0.1"));
	assert_non_null(fake_dp_remote_in(pair->b->dp, numbers[1], "10.5.0.1"));
}

static void test_restart_knows_all(void **state)
{
	struct pair *pair = *state;
	uint32_t number;

	assert_int_equal(pair_attach(pair->a, "web", ""), 0);
	pair_settle(pair);
	number = fake_dp_remote(pair->b->dp, "10.5.0.2")->node;
	lab_use(pair->b);
	lab_restart(pair->b);
	assert_int_equal(fake_dp_remote(pair->b->dp, "10.5.0.2")->node, number);
	/* what went meanwhile is taken out */
	lab_stop(pair->b);
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web"), 0);
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
}

/* A remote that cannot be taken out at once is not forgotten. */
static void test_what_cannot_go_is_tried_again(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(pair_attach(pair->a, "web", ""), 0);
	pair_settle(pair);
	assert_non_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web"), 0);
	fake_gate_arm(FAKE_DP, 0);
	(void)event_base_loop(pair->b->loop, EVLOOP_NONBLOCK);
	assert_true(fake_gate_disarm());
	assert_string_equal(fake_gate_failed(), "wf_dp_remote_clear");
	assert_null(wf_ctl_remote_find(pair->b->control, "web"));
	assert_non_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	assert_true(pair->b->control->dirty & CTL_DIRTY_HOST);
	pair_settle(pair);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
}

/* After a list, who has an address now may be told before it is told that another one is gone. */
static void test_address_is_told_of_twice(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *document = NULL;
	struct wf_control *control = pair->b->control;
	struct wf_pool_fact fact;
	struct wf_addr addr;

	assert_int_equal(pair_attach(pair->a, "one", ""), 0);
	pair_settle(pair);
	assert_int_equal(wf_store_get(pair->a->store, WF_KIND_ENDPOINT, "one", &document, NULL), 0);
	json_object_set_new(json_object_get(document, "metadata"), "name", json_string("two"));
	json_object_set_new(json_object_get(document, "spec"), "node", json_string("c"));
	pair_write(pair->a, WF_KIND_ENDPOINT, "two", document);
	lab_settle(pair->b);
	pair_write(pair->a, WF_KIND_ENDPOINT, "one", NULL);
	lab_settle(pair->b);
	assert_int_equal(wf_addr_parse("10.5.0.2", &addr), 0);
	assert_string_equal(
		wf_ctl_remote_name(wf_ctl_remote_by_address(control, WF_NETWORK_HOST, &addr)),
		"two");
	assert_int_equal(fake_dp_remote(pair->b->dp, "10.5.0.2")->node,
			 wf_ctl_node_find(control, "c")->number);
	fact = wf_pool_explain(wf_ctl_network_find(control, "over")->pools[0], &addr, 0);
	assert_int_equal(fact.state, WF_POOL_TAKEN);
	assert_string_equal(fact.owner, "two");
	pair_write(pair->a, WF_KIND_ENDPOINT, "two", NULL);
	lab_settle(pair->b);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	assert_null(wf_ctl_remote_by_address(control, WF_NETWORK_HOST, &addr));
}

enum known {
	NOBODY,
	OTHER,
	WEB
};

/* As policies of a lab know an address, which let only app=web in to its endpoint "db". */
static enum known known_as(struct lab *lab, const char *text)
{
	struct wf_policy_party peer = { .slot = UINT32_MAX, .scope = WF_NETWORK_HOST };
	const struct ctl_endpoint *db = wf_ctl_endpoint_find(lab->control, "db");
	const struct wf_policy_party subject = { .slot = db->spec.slot,
						 .addr = db->spec.addresses[0].prefix.addr };
	struct wf_policy_answer answer;

	assert_int_equal(wf_addr_parse(text, &peer.addr), 0);
	wf_policy_engine_ask(lab->control->policy.engine, WF_POLICY_INGRESS, &peer, &subject,
			     IPPROTO_TCP, 80, &answer);
	if (answer.verdict != WF_POLICY_DENY)
		return WEB;
	return answer.class_id == WF_POLICY_CLASS_WORLD ? NOBODY : OTHER;
}

/* Writes what another node's document says, with other labels and addresses. */
static void write_like(struct pair *pair, const json_t *document, const char *name, const char *app,
		       const char *address)
{
	_cleanup_json_ json_t *copy = json_deep_copy(document);
	json_t *metadata = json_object_get(copy, "metadata");
	json_t *addresses = json_object_get(json_object_get(copy, "status"), "addresses");

	json_object_set_new(metadata, "name", json_string(name));
	json_object_set_new(metadata, "labels", json_pack("{s:s}", "app", app));
	json_object_set_new(json_array_get(addresses, 0), "address", json_string(address));
	pair_write(pair->a, WF_KIND_ENDPOINT, name, copy);
	lab_settle(pair->b);
}

/* Policies know an address by who has it now, in whatever order that is told. */
static void test_policies_follow_addresses(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *document = NULL;

	lab_use(pair->b);
	assert_int_equal(lab_apply(pair->b,
				   "[{'kind':'NetworkPolicy','apiVersion':'networking.k8s.io/v1',"
				   "'metadata':{'name':'p'},'spec':{'podSelector':{},"
				   "'policyTypes':['Ingress'],'ingress':[{'from':[{'podSelector':"
				   "{'matchLabels':{'app':'web'}}}]}]}}]"),
			 0);
	assert_int_equal(
		pair_attach(pair->b, "db", ",'labels':{'app':'db'},'addresses':['10.5.0.20']"), 0);
	lab_use(pair->a);
	assert_int_equal(pair_attach(pair->a, "one", ",'labels':{'app':'web'}"), 0);
	assert_int_equal(wf_store_get(pair->a->store, WF_KIND_ENDPOINT, "one", &document, NULL), 0);
	assert_int_equal(known_as(pair->b, "10.5.0.2"), NOBODY);
	pair_settle(pair);
	assert_int_equal(known_as(pair->b, "10.5.0.2"), WEB);
	/* the newest has it; when that one goes, who had it before */
	write_like(pair, document, "two", "db", "10.5.0.2/24");
	assert_int_equal(known_as(pair->b, "10.5.0.2"), OTHER);
	pair_write(pair->a, WF_KIND_ENDPOINT, "two", NULL);
	lab_settle(pair->b);
	assert_int_equal(known_as(pair->b, "10.5.0.2"), WEB);
	/* what it has no more is nobody's */
	write_like(pair, document, "one", "web", "10.5.0.9/24");
	assert_int_equal(known_as(pair->b, "10.5.0.2"), NOBODY);
	assert_int_equal(known_as(pair->b, "10.5.0.9"), WEB);
	write_like(pair, document, "one", "db", "10.5.0.9/24");
	assert_int_equal(known_as(pair->b, "10.5.0.9"), OTHER);
	write_like(pair, document, "one", "web", "10.5.0.9/24");
	/* and a restart knows the same */
	lab_use(pair->b);
	lab_restart(pair->b);
	assert_int_equal(known_as(pair->b, "10.5.0.9"), WEB);
	assert_int_equal(known_as(pair->b, "10.5.0.2"), NOBODY);
	pair_write(pair->a, WF_KIND_ENDPOINT, "one", NULL);
	lab_settle(pair->b);
	assert_int_equal(known_as(pair->b, "10.5.0.9"), NOBODY);
}

static size_t backends_of(struct lab *lab, const char *service)
{
	return wf_ctl_service_find(lab->control, service)->ports.items[0].backend_count;
}

/* Copies of one workload are kept as such, and found by what they have in common. */
static void test_crowds(void **state)
{
	struct pair *pair = *state;
	const struct ctl_cluster *there = &pair->b->control->cluster;
	struct wf_addr addr;

	lab_use(pair->a);
	assert_int_equal(lab_apply(pair->a, "[{'kind':'Service','apiVersion':'v1','metadata':"
					    "{'name':'web'},'spec':{'clusterIP':'10.96.0.10',"
					    "'ports':[{'port':80}],'selector':{'app':'web'}}}]"),
			 0);
	assert_int_equal(pair_attach(pair->a, "web1", ",'labels':{'app':'web','tier':'x'}"), 0);
	assert_int_equal(
		pair_attach(pair->a, "web2", ",'ifname':'eth1','labels':{'app':'web','tier':'x'}"),
		0);
	assert_int_equal(
		pair_attach(pair->a, "web3", ",'ifname':'eth2','labels':{'app':'web','tier':'y'}"),
		0);
	assert_int_equal(pair_attach(pair->a, "db", ",'ifname':'eth3','labels':{'app':'db'}"), 0);
	pair_settle(pair);
	assert_int_equal(there->remotes.count, 4);
	assert_int_equal(there->addresses.count, 4);
	assert_int_equal(there->crowds.count, 3);
	assert_int_equal(backends_of(pair->b, "default/web"), 3);
	assert_non_null(wf_ctl_remote_in(pair->b->control, "over"));
	assert_null(wf_ctl_remote_in(pair->b->control, "other"));
	assert_int_equal(wf_addr_parse("10.5.0.4", &addr), 0);
	assert_string_equal(wf_ctl_remote_name(wf_ctl_remote_by_address(pair->b->control,
									WF_NETWORK_HOST, &addr)),
			    "web3");
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web1"), 0);
	assert_int_equal(lab_detach(pair->a, "web3"), 0);
	pair_settle(pair);
	assert_int_equal(there->crowds.count, 2);
	assert_int_equal(backends_of(pair->b, "default/web"), 1);
	assert_null(wf_ctl_remote_by_address(pair->b->control, WF_NETWORK_HOST, &addr));
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web2"), 0);
	assert_int_equal(lab_detach(pair->a, "db"), 0);
	pair_settle(pair);
	assert_int_equal(there->crowds.count + there->crowd_labels.count + there->addresses.count,
			 0);
	assert_null(wf_ctl_remote_in(pair->b->control, "over"));
	assert_int_equal(backends_of(pair->b, "default/web"), 0);
}

/* What is right already is not written again. */
static void test_remotes_are_compared(void **state)
{
	struct pair *pair = *state;
	const struct wf_remote_value wrong = { .node = 7, .network = 7 };
	struct wf_addr stale, right;
	size_t few;

	assert_int_equal(pair_attach(pair->a, "one", ""), 0);
	assert_int_equal(pair_attach(pair->a, "two", ",'ifname':'eth1'"), 0);
	pair_settle(pair);
	fake_gate_reset_calls();
	assert_int_equal(wf_ctl_remotes_program(pair->b->control, NULL), 0);
	few = fake_gate_calls(FAKE_DP); /* the visit, and what is not compared */
	assert_true(few < 3);
	assert_int_equal(wf_addr_parse("10.5.0.99", &stale), 0);
	assert_int_equal(wf_addr_parse("10.5.0.2", &right), 0);
	assert_int_equal(wf_dp_remote_set(pair->b->dp, WF_NETWORK_HOST, &stale, &wrong, NULL), 0);
	assert_int_equal(wf_dp_remote_set(pair->b->dp, WF_NETWORK_HOST, &right, &wrong, NULL), 0);
	fake_gate_reset_calls();
	assert_int_equal(wf_ctl_remotes_program(pair->b->control, NULL), 0);
	assert_int_equal(fake_gate_calls(FAKE_DP), few + 2);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.99"));
	assert_int_equal(fake_dp_remote(pair->b->dp, "10.5.0.2")->node,
			 wf_ctl_node_find(pair->b->control, "a")->number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_endpoint_is_known_to_others),
		PAIR_CASE(test_overlapping_networks_are_apart),
		PAIR_CASE(test_restart_knows_all),
		PAIR_CASE(test_what_cannot_go_is_tried_again),
		PAIR_CASE(test_address_is_told_of_twice),
		PAIR_CASE(test_policies_follow_addresses),
		PAIR_CASE(test_crowds),
		PAIR_CASE(test_remotes_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
