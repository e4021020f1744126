/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes on one store: what each learns of the others, and what none may do twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "lab.h"

struct pair {
	struct lab *a, *b;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->a = lab_join(NULL, "a", "192.0.2.1");
	pair->b = lab_join(pair->a, "b", "192.0.2.2");
	lab_network(pair->a, "over", "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24'}]}");
	lab_settle(pair->b);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	lab_free(&pair->b);
	lab_free(&pair->a);
	free(pair);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void settle(struct pair *pair)
{
	lab_settle(pair->a);
	lab_settle(pair->b);
}

static int attach(struct lab *lab, const char *name, const char *more)
{
	int r;

	lab_use(lab);
	r = lab_attach(lab, "{'network':'over','name':'%s','netns':'/fake/c0','owner':'cli'%s}",
		       name, more);
	if (r < 0)
		print_message("%s\n", lab->err.message);
	return r;
}

/* How many addresses in the store are endpoints'; those of the nodes' hosts are not. */
static size_t leased(const struct lab *lab)
{
	_cleanup_json_ json_t *list = NULL;
	uint64_t revision;
	size_t count = 0, i;
	json_t *lease;

	assert_int_equal(wf_store_list(lab->store, CTL_KIND_ADDRESS_LEASE, &list, &revision, NULL),
			 0);
	json_array_foreach(list, i, lease)
		count += json_object_get(json_object_get(lease, "spec"), "endpoint") != NULL;
	return count;
}

static void test_network_is_everywhere(void **state)
{
	struct pair *pair = *state;
	const struct ctl_network *here = wf_ctl_network_find(pair->a->control, "over");
	const struct ctl_network *there = wf_ctl_network_find(pair->b->control, "over");

	assert_non_null(there);
	assert_int_equal(here->spec.number, there->spec.number);
	assert_int_equal(there->mtu, 1450);
	assert_true(fake_dp_network(pair->b->dp, there->spec.number).flags & WF_NET_OVERLAY);
	/* and goes everywhere */
	assert_int_equal(lab_delete(pair->b, "Network", "over"), 0);
	settle(pair);
	assert_null(wf_ctl_network_find(pair->a->control, "over"));
}

static void test_endpoint_is_known_to_others(void **state)
{
	struct pair *pair = *state;
	const struct wf_remote_value *remote;

	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	assert_int_equal(attach(pair->a, "web", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	settle(pair);
	remote = fake_dp_remote(pair->b->dp, "10.5.0.2");
	assert_non_null(remote);
	assert_int_equal(remote->node, wf_ctl_node_find(pair->b->control, "a")->number);
	/* of b only its host is known */
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 1);
	/* the next address is another one, and the name is taken */
	assert_int_equal(attach(pair->b, "db", ""), 0);
	assert_string_equal(lab_address(pair->b), "10.5.0.3");
	lab_use(pair->b);
	lab_assert_refused(pair->b, attach(pair->b, "web", ",'ifname':'eth1'"), -EEXIST, "name",
			   "on node a");
	settle(pair);
	assert_int_equal(fake_dp_remote_count(pair->a->dp), 2);
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web"), 0);
	settle(pair);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
}

/* Both choose before they have heard of each other: the store lets one of them have it. */
static void test_no_address_twice(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	/* b has not heard of it yet: it would choose the same */
	assert_int_equal(fake_dp_remote_count(pair->b->dp), 0);
	assert_int_equal(attach(pair->b, "two", ""), 0);
	assert_string_not_equal(lab_address(pair->b), "10.5.0.2");
	settle(pair);
	lab_use(pair->b);
	lab_assert_refused(pair->b,
			   attach(pair->b, "three", ",'ifname':'eth1','addresses':['10.5.0.2']"),
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
	assert_int_equal(attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.3");
	lab_settle(pair->a);
	lab_use(pair->a);
	lab_assert_refused(pair->a,
			   attach(pair->a, "two", ",'ifname':'eth1','addresses':['10.5.0.2']"),
			   -ESTALE, "", "10.5.0.2 was given out");
	lab_settle(pair->a);
	assert_int_equal(lab_detach(pair->a, "one"), 0);
	assert_int_equal(leased(pair->a), 1);
}

/* Somebody who changes a service as soon as he hears of it, while it is still being committed. */
struct rival {
	struct wf_store *store;
	bool is_done;
};

static void change_port(const struct wf_store_event *event, void *context)
{
	struct rival *rival = context;
	_cleanup_json_ json_t *document = NULL;
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = event->kind,
					.name = event->name,
					.expected = WF_STORE_ANY };

	if (rival->is_done)
		return;
	rival->is_done = true;
	document = json_deep_copy(event->document);
	json_object_set_new(
		json_array_get(json_object_get(json_object_get(document, "spec"), "ports"), 0),
		"port", json_integer(81));
	write.document = document;
	assert_int_equal(wf_store_commit(rival->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

/* What others write in the middle of a commit, and after it, is news. */
static void test_news_during_a_commit(void **state)
{
	struct pair *pair = *state;
	struct rival rival = { .store = pair->a->store };
	const struct ctl_service *service;
	uint64_t watch;

	assert_int_equal(wf_store_watch(pair->a->store, "Service",
					wf_store_revision(pair->a->store), change_port, &rival,
					&watch, NULL),
			 0);
	lab_use(pair->a);
	assert_int_equal(lab_apply(pair->a, "[{'kind':'Service','apiVersion':'v1','metadata':"
					    "{'name':'web'},'spec':{'clusterIP':'10.96.0.10',"
					    "'ports':[{'port':80}],'selector':{'app':'web'}}}]"),
			 0);
	assert_true(rival.is_done);
	wf_store_unwatch(pair->a->store, watch);
	settle(pair);
	service = wf_ctl_service_find(pair->b->control, "default/web");
	assert_int_equal(service->spec.ports[0].port, 81);
	service = wf_ctl_service_find(pair->a->control, "default/web");
	assert_int_equal(service->spec.ports[0].port, 81);
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

	assert_int_equal(attach(pair->a, "one", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	assert_int_equal(wf_store_commit(pair->a->store, writes, WF_ARRAY_LEN(writes),
					 WF_STORE_DURABLE, NULL, NULL),
			 0);
	settle(pair);
	assert_null(wf_ctl_endpoint_find(pair->a->control, "one"));
	assert_int_equal(
		wf_store_get(pair->a->store, CTL_KIND_ADDRESS_LEASE, "over/10.5.0.2", &left, NULL),
		0);
	assert_string_equal(wf_json_str(json_object_get(left, "spec"), "endpoint", ""), "other");
}

static void test_restart_knows_all(void **state)
{
	struct pair *pair = *state;
	uint32_t number;

	assert_int_equal(attach(pair->a, "web", ""), 0);
	settle(pair);
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

/* The address of a node's host in the network, as the other one knows it. */
static struct wf_addr host_of(struct lab *lab, const char *node)
{
	static const struct wf_addr none;
	const struct ctl_node *found = wf_ctl_node_find(lab->control, node);

	assert_non_null(found);
	return found->host_count ? found->hosts[0].addr : none;
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

	settle(pair);
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
		settle(pair);
	assert_null(remote_of(pair->a, &b));
	assert_null(remote_of(pair->b, &a));
	assert_int_equal(wf_ctl_node_find(pair->a->control, "b")->host_count, 0);
	assert_int_equal(
		wf_store_list(pair->a->store, CTL_KIND_ADDRESS_LEASE, &left, &revision, NULL), 0);
	assert_int_equal(json_array_size(left), 0);
}

/* Two that have not heard of each other want the same one. */
static void test_hosts_ask_the_store(void **state)
{
	struct pair *pair = *state;
	struct ctl_network *here = wf_ctl_network_find(pair->a->control, "over");
	struct wf_addr a;
	char text[WF_ADDR_TEXT];
	_cleanup_str_ struct wf_str name = WF_STR_INIT;
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = CTL_KIND_ADDRESS_LEASE,
					.expected = WF_STORE_ANY };
	_cleanup_json_ json_t *lease = NULL;

	settle(pair);
	a = here->host_addrs[0];
	/* another node, of which nothing is known yet, had it before */
	lab_use(pair->a);
	lab_stop(pair->a);
	wf_str_addf(&name, "over/%s", wf_addr_format(&a, text));
	lease = lab_json("{'apiVersion':'weft.dev/v1','kind':'AddressLease','metadata':{'name':"
			 "'x'},'spec':{'node':'c'}}");
	json_object_set_new(json_object_get(lease, "metadata"), "name",
			    json_string(wf_str_text(&name)));
	write.name = wf_str_text(&name);
	write.document = lease;
	lab_use(pair->b);
	assert_int_equal(wf_store_commit(pair->b->store, &write, 1, WF_STORE_DURABLE, NULL, NULL),
			 0);
	write = (struct wf_store_write){
		.op = WF_STORE_DELETE, .kind = WF_KIND_NODE, .name = "a", .expected = WF_STORE_ANY
	};
	assert_int_equal(wf_store_commit(pair->b->store, &write, 1, WF_STORE_DURABLE, NULL, NULL),
			 0);
	lab_use(pair->a);
	assert_int_equal(lab_start(pair->a), 0);
	settle(pair);
	here = wf_ctl_network_find(pair->a->control, "over");
	assert_false(wf_addr_is_zero(&here->host_addrs[0]));
	assert_false(wf_addr_equal(&here->host_addrs[0], &a));
}

static enum wf_policy_verdict verdict_from(struct lab *lab, const char *addr, const char *to)
{
	const struct ctl_endpoint *endpoint = wf_ctl_endpoint_find(lab->control, to);
	struct wf_policy_party src = { .slot = UINT32_MAX }, dst = { .slot = endpoint->spec.slot };
	struct wf_policy_answer answer;

	assert_int_equal(wf_addr_parse(addr, &src.addr), 0);
	dst.addr = endpoint->spec.addresses[0].prefix.addr;
	wf_policy_engine_ask(lab->control->policy.engine, WF_POLICY_INGRESS, &src, &dst, 6, 80,
			     &answer);
	return answer.verdict;
}

static void test_policy_sees_remote_labels(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(attach(pair->a, "good", ",'labels':{'app':'good'}"), 0);
	lab_use(pair->a);
	assert_int_equal(lab_attach(pair->a, "{'network':'over','name':'bad','netns':'/fake/c1',"
					     "'owner':'cli','labels':{'app':'bad'}}"),
			 0);
	settle(pair);
	assert_int_equal(attach(pair->b, "db", ",'labels':{'app':'db'}"), 0);
	/* said at one node, in force at the other */
	assert_int_equal(
		lab_apply(
			pair->a,
			"[{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy',"
			"'metadata':{'name':'db'},'spec':{'podSelector':{'matchLabels':{'app':'db'}},"
			"'policyTypes':['Ingress'],'ingress':[{'from':[{'podSelector':"
			"{'matchLabels':{'app':'good'}}}]}]}}]"),
		0);
	settle(pair);
	assert_int_equal(verdict_from(pair->b, "10.5.0.2", "db"), WF_POLICY_ALLOW);
	assert_int_equal(verdict_from(pair->b, "10.5.0.3", "db"), WF_POLICY_DENY);
	assert_int_equal(verdict_from(pair->b, "198.51.100.1", "db"), WF_POLICY_DENY);
	assert_int_equal(lab_delete(pair->b, "NetworkPolicy", "default/db"), 0);
	settle(pair);
	assert_int_equal(verdict_from(pair->b, "10.5.0.3", "db"), WF_POLICY_ALLOW);
}

static void test_names_and_addresses_of_nodes(void **state)
{
	struct pair *pair = *state;
	struct lab *third = lab_beside(pair->a, "b", "192.0.2.3");

	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "", "a node b is alive");
	third->node = "c";
	third->node_ip = "192.0.2.2";
	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "", "node b says");
	lab_use(pair->a);
	lab_free(&third);
}

/* As if b had looked at the networks before a's came: it must not choose the same number. */
static void test_networks_take_turns(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *index =
		lab_json("{'apiVersion':'weft.dev/v1','kind':'Index',"
			 "'metadata':{'name':'Network'},'spec':{'node':'x'}}");
	const struct wf_store_write write = { .op = WF_STORE_PUT,
					      .kind = CTL_KIND_INDEX,
					      .name = WF_KIND_NETWORK,
					      .document = index,
					      .expected = WF_STORE_ANY };
	struct ctl_plan plan = { 0 };
	struct ctl_turn turn;
	struct wf_store_write writes[CTL_TURNS];
	size_t count;

	assert_int_equal(wf_ctl_turn_begin(pair->b->control, &turn, NULL), 0);
	assert_int_equal(wf_store_commit(pair->b->store, &write, 1, WF_STORE_DURABLE, NULL, NULL),
			 0);
	plan.items = calloc(1, sizeof(*plan.items));
	assert_non_null(plan.items);
	plan.count = 1;
	plan.items[0].kind = WF_KIND_NETWORK;
	plan.items[0].changed = true;
	assert_int_equal(wf_ctl_turn_writes(pair->b->control, &plan, &turn, writes, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(wf_store_commit(pair->b->store, writes, count, WF_STORE_DURABLE, NULL,
					 &pair->b->err),
			 -ESTALE);
	assert_int_equal(wf_ctl_turn_explain(pair->b->control, -ESTALE, &pair->b->err), -ESTALE);
	assert_non_null(strstr(pair->b->err.message, "apply again"));
	wf_ctl_turn_done(&turn);
	free(plan.items);
	/* whoever looks now may write */
	lab_network(pair->b, "more", "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/24'}]}");
}

/* A node that dies: no backend at once, its addresses free after the grace. */
static void test_lost_node(void **state)
{
	struct pair *pair = *state;
	const struct wf_store_write gone = { .op = WF_STORE_DELETE,
					     .kind = CTL_KIND_NODE_LEASE,
					     .name = "b",
					     .expected = WF_STORE_ANY };

	assert_int_equal(attach(pair->b, "db", ""), 0);
	lab_stop(pair->b);
	lab_settle(pair->a);
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	assert_int_equal(wf_store_commit(pair->a->store, &gone, 1, WF_STORE_DURABLE, NULL, NULL),
			 0);
	lab_settle(pair->a);
	assert_false(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	fake_clock_advance_ms(59000);
	wf_ctl_nodes_expire(pair->a->control);
	assert_non_null(fake_dp_remote(pair->a->dp, "10.5.0.2"));
	fake_clock_advance_ms(2000);
	wf_ctl_nodes_expire(pair->a->control);
	assert_null(fake_dp_remote(pair->a->dp, "10.5.0.2"));
	assert_int_equal(leased(pair->a), 0);
	/* it comes back, and takes its own endpoint out as well */
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	lab_settle(pair->b);
	assert_null(wf_ctl_endpoint_find(pair->b->control, "db"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_network_is_everywhere),
		CASE(test_endpoint_is_known_to_others),
		CASE(test_no_address_twice),
		CASE(test_restart_knows_all),
		CASE(test_another_was_faster),
		CASE(test_news_during_a_commit),
		CASE(test_lease_of_another_stays),
		CASE(test_hosts_have_addresses),
		CASE(test_hosts_ask_the_store),
		CASE(test_policy_sees_remote_labels),
		CASE(test_names_and_addresses_of_nodes),
		CASE(test_networks_take_turns),
		CASE(test_lost_node),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
