/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes on one store: what each learns of the others, and what none may do twice. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "dp/overlay.h"
#include "dp/policy.h"
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

/* A remote that cannot be taken out at once is not forgotten. */
static void test_what_cannot_go_is_tried_again(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(attach(pair->a, "web", ""), 0);
	settle(pair);
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
	settle(pair);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
}

static void commit(struct lab *lab, enum wf_store_op op, const char *name, json_t *document)
{
	const struct wf_store_write write = { .op = op,
					      .kind = WF_KIND_ENDPOINT,
					      .name = name,
					      .document = document,
					      .expected = WF_STORE_ANY };

	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

/* After a list, who has an address now may be told before it is told that another one is gone. */
static void test_address_is_told_of_twice(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *document = NULL;
	struct wf_control *control = pair->b->control;
	struct wf_pool_fact fact;
	struct wf_addr addr;

	assert_int_equal(attach(pair->a, "one", ""), 0);
	settle(pair);
	assert_int_equal(wf_store_get(pair->a->store, WF_KIND_ENDPOINT, "one", &document, NULL), 0);
	json_object_set_new(json_object_get(document, "metadata"), "name", json_string("two"));
	json_object_set_new(json_object_get(document, "spec"), "node", json_string("c"));
	commit(pair->a, WF_STORE_PUT, "two", document);
	lab_settle(pair->b);
	commit(pair->a, WF_STORE_DELETE, "one", NULL);
	lab_settle(pair->b);
	assert_int_equal(wf_addr_parse("10.5.0.2", &addr), 0);
	assert_string_equal(wf_ctl_remote_by_address(control, &addr)->name, "two");
	assert_int_equal(fake_dp_remote(pair->b->dp, "10.5.0.2")->node,
			 wf_ctl_node_find(control, "c")->number);
	fact = wf_pool_explain(wf_ctl_network_find(control, "over")->pools[0], &addr, 0);
	assert_int_equal(fact.state, WF_POOL_TAKEN);
	assert_string_equal(fact.owner, "two");
	commit(pair->a, WF_STORE_DELETE, "two", NULL);
	lab_settle(pair->b);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.2"));
	assert_null(wf_ctl_remote_by_address(control, &addr));
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
	assert_int_equal(attach(pair->a, "web1", ",'labels':{'app':'web','tier':'x'}"), 0);
	assert_int_equal(
		attach(pair->a, "web2", ",'ifname':'eth1','labels':{'app':'web','tier':'x'}"), 0);
	assert_int_equal(
		attach(pair->a, "web3", ",'ifname':'eth2','labels':{'app':'web','tier':'y'}"), 0);
	assert_int_equal(attach(pair->a, "db", ",'ifname':'eth3','labels':{'app':'db'}"), 0);
	settle(pair);
	assert_int_equal(there->remotes.count, 4);
	assert_int_equal(there->addresses.count, 4);
	assert_int_equal(there->crowds.count, 3);
	assert_int_equal(backends_of(pair->b, "default/web"), 3);
	assert_non_null(wf_ctl_remote_in(pair->b->control, "over"));
	assert_null(wf_ctl_remote_in(pair->b->control, "other"));
	assert_int_equal(wf_addr_parse("10.5.0.4", &addr), 0);
	assert_string_equal(wf_ctl_remote_by_address(pair->b->control, &addr)->name, "web3");
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web1"), 0);
	assert_int_equal(lab_detach(pair->a, "web3"), 0);
	settle(pair);
	assert_int_equal(there->crowds.count, 2);
	assert_int_equal(backends_of(pair->b, "default/web"), 1);
	assert_null(wf_ctl_remote_by_address(pair->b->control, &addr));
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "web2"), 0);
	assert_int_equal(lab_detach(pair->a, "db"), 0);
	settle(pair);
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

	assert_int_equal(attach(pair->a, "one", ""), 0);
	assert_int_equal(attach(pair->a, "two", ",'ifname':'eth1'"), 0);
	settle(pair);
	fake_gate_reset_calls();
	assert_int_equal(wf_ctl_remotes_program(pair->b->control, NULL), 0);
	few = fake_gate_calls(FAKE_DP); /* the visit, and what is not compared */
	assert_true(few < 3);
	assert_int_equal(wf_addr_parse("10.5.0.99", &stale), 0);
	assert_int_equal(wf_addr_parse("10.5.0.2", &right), 0);
	assert_int_equal(wf_dp_remote_set(pair->b->dp, &stale, &wrong, NULL), 0);
	assert_int_equal(wf_dp_remote_set(pair->b->dp, &right, &wrong, NULL), 0);
	fake_gate_reset_calls();
	assert_int_equal(wf_ctl_remotes_program(pair->b->control, NULL), 0);
	assert_int_equal(fake_gate_calls(FAKE_DP), few + 2);
	assert_null(fake_dp_remote(pair->b->dp, "10.5.0.99"));
	assert_int_equal(fake_dp_remote(pair->b->dp, "10.5.0.2")->node,
			 wf_ctl_node_find(pair->b->control, "a")->number);
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

/* Labels that somebody applies take nothing away that a node says of itself. */
static void test_labels_leave_the_rest(void **state)
{
	struct pair *pair = *state;
	struct wf_addr host;
	_cleanup_json_ json_t *stored = NULL;

	settle(pair);
	host = host_of(pair->a, "b");
	for (size_t i = 0; i < 2; i++) {
		const char *const names[] = { "a", "b" };

		lab_use(pair->a);
		assert_int_equal(lab_apply(pair->a,
					   "[{'apiVersion':'v1','kind':'Node','metadata':{'name':"
					   "'%s','labels':{'role':'edge'}}}]",
					   names[i]),
				 0);
		settle(pair);
	}
	assert_int_equal(wf_ctl_node_find(pair->a->control, "b")->host_count, 1);
	assert_true(wf_addr_equal(&wf_ctl_node_find(pair->a->control, "b")->hosts[0].addr, &host));
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

/* One pass over the tables of policies, of however many turns. Whether it found them changed. */
static bool check_policies(struct lab *lab, unsigned int *turns)
{
	*turns = 0;
	do {
		event_active(lab->control->policy.check_timer, EV_TIMEOUT, 1);
		(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
		++*turns;
	} while (lab->control->policy.check.place.is_inside);
	return lab->control->dirty & CTL_DIRTY_POLICY;
}

/* What others write to the table of prefixes, or take out, is found, though it takes a while. */
static void test_prefixes_are_checked(void **state)
{
	struct pair *pair = *state;
	struct wf_prefix prefix = { .len = 32 };
	uint64_t repairs;
	unsigned int turns;

	assert_int_equal(wf_addr_parse("10.5.0.4", &prefix.addr), 0);
	for (unsigned int i = 0; i < 5; i++) {
		char name[8], more[32];

		(void)snprintf(name, sizeof(name), "e%u", i);
		(void)snprintf(more, sizeof(more), ",'ifname':'eth%u'", i);
		assert_int_equal(attach(pair->a, name, more), 0);
	}
	settle(pair);
	repairs = pair->b->control->repairs_total;
	assert_false(check_policies(pair->b, &turns));
	assert_true(turns > 2);
	assert_int_equal(wf_dp_prefix_set(pair->b->dp, &prefix, 12345, true, NULL), 0);
	assert_true(check_policies(pair->b, &turns));
	lab_settle(pair->b);
	assert_int_equal(pair->b->control->repairs_total, repairs + 1);
	assert_false(check_policies(pair->b, &turns));
	assert_int_equal(wf_dp_prefix_set(pair->b->dp, &prefix, 0, false, NULL), 0);
	assert_true(check_policies(pair->b, &turns));
	lab_settle(pair->b);
	assert_int_equal(pair->b->control->repairs_total, repairs + 2);
	assert_false(check_policies(pair->b, &turns));
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

/* As etcd does when a node does not renew its lease. */
static void forget_lease(struct wf_store *store, const char *name)
{
	_cleanup_json_ json_t *claims = NULL;
	struct wf_store_write write = { .op = WF_STORE_DELETE,
					.kind = CTL_KIND_NODE_LEASE,
					.name = name,
					.expected = WF_STORE_ANY };
	json_t *claim;
	uint64_t revision;
	size_t i;

	assert_int_equal(wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(wf_store_list(store, CTL_KIND_NODE_ADDRESS, &claims, &revision, NULL), 0);
	json_array_foreach(claims, i, claim) {
		if (strcmp(wf_json_str(json_object_get(claim, "spec"), "node", ""), name) != 0)
			continue;
		write.kind = CTL_KIND_NODE_ADDRESS;
		write.name = wf_json_str(json_object_get(claim, "metadata"), "name", "");
		assert_int_equal(wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, NULL),
				 0);
	}
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
	forget_lease(pair->a->store, "b");
	lab_settle(pair->a);
	lab_assert_refused(third, lab_start(third), -EADDRINUSE, "", "weft delete node b");
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

	assert_int_equal(attach(pair->b, "db", ""), 0);
	lab_stop(pair->b);
	lab_settle(pair->a);
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	forget_lease(pair->a->store, "b");
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

static uint32_t node_device(const struct lab *lab, const char *name)
{
	return fake_dp_node(lab->dp, wf_ctl_node_find(lab->control, name)->number).ifindex;
}

/* A node is on the segment of an uplink, or it is behind a router; what follows from that. */
static void test_ways(void **state)
{
	struct pair *pair = *state;
	const struct ctl_network *direct, *plain;
	struct wf_node_value value;
	_cleanup_json_ json_t *seen = NULL;
	const json_t *missing;

	lab_network(pair->a, "direct", "{'driver':'routed','subnets':[{'cidr':'10.6.0.0/24'}]}");
	lab_network(pair->a, "plain",
		    "{'driver':'routed','encapsulation':'never',"
		    "'subnets':[{'cidr':'10.7.0.0/24'}]}");
	settle(pair);
	direct = wf_ctl_network_find(pair->a->control, "direct");
	plain = wf_ctl_network_find(pair->a->control, "plain");
	assert_int_equal(fake_dp_network(pair->a->dp, direct->spec.number).flags &
				 (WF_NET_OVERLAY | WF_NET_ROUTED | WF_NET_PLAIN),
			 WF_NET_OVERLAY | WF_NET_ROUTED);
	assert_true(fake_dp_network(pair->a->dp, plain->spec.number).flags & WF_NET_PLAIN);
	/* the device is no uplink: nothing would see what comes in there */
	assert_int_equal(node_device(pair->a, "b"), 0);
	assert_int_equal(direct->mtu, 1450);
	assert_int_equal(plain->mtu, 1500);
	lab_use(pair->a);
	fake_net_set_uplink(pair->a->net, "uplink", "192.0.2.1", NULL);
	lab_settle(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
	value = fake_dp_node(pair->a->dp, wf_ctl_node_find(pair->a->control, "b")->number);
	assert_int_equal(value.out_ifindex, value.ifindex);
	assert_int_equal(value.out_mtu, 1500);
	assert_true(wf_addr_equal(&value.router, &value.underlay));
	assert_int_equal(direct->mtu, 1500);
	/* it stays over a restart, and before the uplinks are looked at again */
	lab_restart(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
	fake_net_set_far(pair->a->net, "192.0.2.2", true);
	lab_settle(pair->a);
	direct = wf_ctl_network_find(pair->a->control, "direct");
	assert_int_equal(node_device(pair->a, "b"), 0);
	assert_int_equal(direct->mtu, 1450);
	assert_int_equal(wf_control_network_inspect(pair->a->control, "plain", &seen, NULL), 0);
	missing = json_object_get(json_object_get(seen, "status"), "unreachableNodes");
	assert_int_equal(json_array_size(missing), 1);
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "b");
	fake_net_set_far(pair->a->net, "192.0.2.2", false);
	lab_settle(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
}

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

/* Who is alive says so again, whatever was deleted; the others see no gap that lasts. */
static void test_own_documents_come_back(void **state)
{
	struct pair *pair = *state;
	const char *const kinds[] = { WF_KIND_NODE, CTL_KIND_NODE_LEASE };

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		const struct wf_store_write gone = { .op = WF_STORE_DELETE,
						     .kind = kinds[i],
						     .name = "b",
						     .expected = WF_STORE_ANY };

		assert_int_equal(
			wf_store_commit(pair->a->store, &gone, 1, WF_STORE_DURABLE, NULL, NULL), 0);
		assert_false(is_stored(pair->a, kinds[i], "b"));
		settle(pair);
		settle(pair);
		assert_true(is_stored(pair->a, kinds[i], "b"));
		assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	}
}

static void test_a_node_that_is_alive_stays(void **state)
{
	struct pair *pair = *state;
	struct wf_control_released released;

	assert_int_equal(attach(pair->b, "db", ""), 0);
	settle(pair);
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
	settle(pair);
	settle(pair);
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
	settle(pair);
	assert_int_equal(attach(pair->a, "mine", ""), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.6");
	lab_stop(pair->b);
	forget_lease(pair->a->store, "b");
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

/* What IPsec is to encrypt must not go past the stack, and what it would refuse must not either. */
static void test_ipsec(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), WF_OVERLAY_PORT);
	lab_use(pair->a);
	fake_net_set_ipsec(pair->a->net, true);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), 0);
	fake_net_set_ipsec(pair->a->net, false);
	lab_restart(pair->a);
	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), WF_OVERLAY_PORT);
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
		CASE(test_what_cannot_go_is_tried_again),
		CASE(test_address_is_told_of_twice),
		CASE(test_crowds),
		CASE(test_remotes_are_compared),
		CASE(test_prefixes_are_checked),
		CASE(test_hosts_have_addresses),
		CASE(test_hosts_ask_the_store),
		CASE(test_policy_sees_remote_labels),
		CASE(test_names_and_addresses_of_nodes),
		CASE(test_networks_take_turns),
		CASE(test_lost_node),
		CASE(test_ways),
		CASE(test_labels_leave_the_rest),
		CASE(test_own_documents_come_back),
		CASE(test_a_node_that_is_alive_stays),
		CASE(test_a_lost_node_is_forgotten),
		CASE(test_ipsec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
