/* SPDX-License-Identifier: Apache-2.0 */
/* Several nodes on one store: networks, policies and news of what another one writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "control/apply_priv.h"
#include "dp/policy.h"
#include "pair.h"

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
	pair_settle(pair);
	assert_null(wf_ctl_network_find(pair->a->control, "over"));
}

/* Somebody who changes a service as soon as he hears of it, while it is still being committed. */
struct rival {
	struct lab *lab;
	bool is_done;
};

static void change_port(const struct wf_store_event *event, void *context)
{
	struct rival *rival = context;
	_cleanup_json_ json_t *document = NULL;

	if (rival->is_done)
		return;
	rival->is_done = true;
	document = json_deep_copy(event->document);
	json_object_set_new(
		json_array_get(json_object_get(json_object_get(document, "spec"), "ports"), 0),
		"port", json_integer(81));
	pair_write(rival->lab, event->kind, event->name, document);
}

/* What others write in the middle of a commit, and after it, is news. */
static void test_news_during_a_commit(void **state)
{
	struct pair *pair = *state;
	struct rival rival = { .lab = pair->a };
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
	pair_settle(pair);
	service = wf_ctl_service_find(pair->b->control, "default/web");
	assert_int_equal(service->spec.ports[0].port, 81);
	service = wf_ctl_service_find(pair->a->control, "default/web");
	assert_int_equal(service->spec.ports[0].port, 81);
}

/* As if b had looked at the networks before a's came: it must not choose the same number. */
static void test_networks_take_turns(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *index =
		lab_json("{'apiVersion':'weft.dev/v1','kind':'Index',"
			 "'metadata':{'name':'Network'},'spec':{'node':'x'}}");
	struct ctl_plan plan = { 0 };
	struct ctl_turn turn;
	struct wf_store_write writes[CTL_TURNS];
	size_t count;

	assert_int_equal(wf_ctl_turn_begin(pair->b->control, &turn, NULL), 0);
	pair_write(pair->b, CTL_KIND_INDEX, WF_KIND_NETWORK, index);
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

	assert_int_equal(pair_attach(pair->a, "good", ",'labels':{'app':'good'}"), 0);
	lab_use(pair->a);
	assert_int_equal(lab_attach(pair->a, "{'network':'over','name':'bad','netns':'/fake/c1',"
					     "'owner':'cli','labels':{'app':'bad'}}"),
			 0);
	pair_settle(pair);
	assert_int_equal(pair_attach(pair->b, "db", ",'labels':{'app':'db'}"), 0);
	/* said at one node, in force at the other */
	assert_int_equal(
		lab_apply(
			pair->a,
			"[{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy',"
			"'metadata':{'name':'db'},'spec':{'podSelector':{'matchLabels':{'app':'db'}},"
			"'policyTypes':['Ingress'],'ingress':[{'from':[{'podSelector':"
			"{'matchLabels':{'app':'good'}}}]}]}}]"),
		0);
	pair_settle(pair);
	assert_int_equal(verdict_from(pair->b, "10.5.0.2", "db"), WF_POLICY_ALLOW);
	assert_int_equal(verdict_from(pair->b, "10.5.0.3", "db"), WF_POLICY_DENY);
	assert_int_equal(verdict_from(pair->b, "198.51.100.1", "db"), WF_POLICY_DENY);
	assert_int_equal(lab_delete(pair->b, "NetworkPolicy", "default/db"), 0);
	pair_settle(pair);
	assert_int_equal(verdict_from(pair->b, "10.5.0.3", "db"), WF_POLICY_ALLOW);
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
		assert_int_equal(pair_attach(pair->a, name, more), 0);
	}
	pair_settle(pair);
	repairs = pair->b->control->repairs_total;
	assert_false(check_policies(pair->b, &turns));
	assert_true(turns > 2);
	assert_int_equal(wf_dp_prefix_set(pair->b->dp, WF_NETWORK_HOST, &prefix, 12345, true, NULL),
			 0);
	assert_true(check_policies(pair->b, &turns));
	lab_settle(pair->b);
	assert_int_equal(pair->b->control->repairs_total, repairs + 1);
	assert_false(check_policies(pair->b, &turns));
	assert_int_equal(wf_dp_prefix_set(pair->b->dp, WF_NETWORK_HOST, &prefix, 0, false, NULL),
			 0);
	assert_true(check_policies(pair->b, &turns));
	lab_settle(pair->b);
	assert_int_equal(pair->b->control->repairs_total, repairs + 2);
	assert_false(check_policies(pair->b, &turns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_network_is_everywhere), PAIR_CASE(test_news_during_a_commit),
		PAIR_CASE(test_networks_take_turns),   PAIR_CASE(test_policy_sees_remote_labels),
		PAIR_CASE(test_prefixes_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
