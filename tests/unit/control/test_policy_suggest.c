/* SPDX-License-Identifier: Apache-2.0 */
/* From events of flows on trial to documents that allow exactly those. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define TRIAL                                                                                   \
	"[{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'p',"  \
	"'annotations':{'weft.dev/audit':'true'}},'spec':{'podSelector':{'matchLabels':{'app':" \
	"'back'}}}}]"
#define KEY "NetworkPolicy/default/p"

enum {
	FRONT = 1,
	BACK = 2,
	PLAIN = 3
};

static void attach(struct lab *lab, const char *name, unsigned int ns, const char *labels)
{
	if (lab_attach(lab,
		       "{'network':'blue','name':'%s','netns':'/fake/c%u','owner':'cli',"
		       "'labels':{%s}}",
		       name, ns, labels) < 0)
		fail_msg("%s", lab->err.message);
}

static int setup(void **state)
{
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	attach(lab, "front", 0, "'app':'front','io.kubernetes.pod.namespace':'shop'");
	attach(lab, "back", 1, "'app':'back','tier':'db'");
	attach(lab, "plain", 2, "");
	assert_int_equal(lab_apply(lab, TRIAL), 0);
	*state = lab;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

static uint32_t isolation(struct lab *lab)
{
	return wf_policy_engine_rule_number(lab->control->policy.engine, KEY, 0, NULL,
					    WF_POLICY_INGRESS);
}

/* A flow to the backend that its policy would have denied. */
static void push(struct lab *lab, uint32_t from, const char *addr, uint8_t proto, uint16_t port)
{
	struct wf_event event = { .type = WF_EVENT_AUDIT,
				  .hook = from ? WF_HOOK_FROM_CONTAINER : WF_HOOK_FROM_UPLINK,
				  .slot = from,
				  .peer_slot = BACK,
				  .ethertype = htons(ETH_P_IP),
				  .proto = proto,
				  .dport = htons(port) };

	assert_int_equal(wf_addr_parse(addr, &event.src), 0);
	event.dst = lab->control->by_slot[BACK]->spec.addresses[0].prefix.addr;
	if (proto == IPPROTO_ICMP)
		*(uint8_t *)&event.sport = (uint8_t)port;
	event.rule = isolation(lab);
	event.ends[WF_POLICY_INGRESS] = (struct wf_event_end){ .profile = 2,
							       .rule = event.rule,
							       .verdict = WF_POLICY_AUDIT };
	fake_dp_push(lab->dp, &event);
	lab_settle(lab);
}

/* Owned by the caller. */
static json_t *suggest(struct lab *lab, const char *name)
{
	json_t *answer = NULL;

	assert_int_equal(wf_control_policy_suggest(lab->control, name, &answer, &lab->err), 0);
	return answer;
}

static void test_nothing_seen(void **state)
{
	_cleanup_json_ json_t *answer = suggest(*state, NULL);

	assert_int_equal(json_array_size(json_object_get(answer, "items")), 0);
	assert_int_equal(wf_json_int(answer, "flows", -1), 0);
}

static void test_exactly_what_was_seen(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *answer = NULL, *wanted = NULL;

	push(lab, FRONT, "10.1.0.2", IPPROTO_TCP, 80);
	push(lab, FRONT, "10.1.0.2", IPPROTO_TCP, 80);
	push(lab, FRONT, "10.1.0.2", IPPROTO_UDP, 53);
	push(lab, FRONT, "10.1.0.2", IPPROTO_ICMP, 8);
	push(lab, 0, "198.51.100.7", IPPROTO_TCP, 443);
	answer = suggest(lab, KEY);
	assert_int_equal(wf_json_int(answer, "flows", 0), 4);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
	wanted = lab_json(
		"{'endpointSelector':{'matchLabels':{'app':'back','tier':'db'}},"
		"'enableDefaultDeny':{'ingress':false},'ingress':["
		"{'fromCIDR':['198.51.100.7/32'],'toPorts':[{'ports':[{'port':'443','protocol':"
		"'TCP'}]}]},"
		"{'fromEndpoints':[{'matchLabels':{'app':'front','io.kubernetes.pod.namespace':"
		"'shop'}}],'icmps':[{'fields':[{'family':'IPv4','type':8}]}]},"
		"{'fromEndpoints':[{'matchLabels':{'app':'front','io.kubernetes.pod.namespace':"
		"'shop'}}],'toPorts':[{'ports':[{'port':'53','protocol':'UDP'},{'port':'80',"
		"'protocol':'TCP'}]}]}]}");
	if (!json_equal(wanted, json_object_get(json_array_get(json_object_get(answer, "items"), 0),
						"spec")))
		fail_msg("%s", json_dumps(answer, JSON_INDENT(1)));
	/* of somebody else there is nothing */
	json_decref(answer);
	answer = suggest(lab, "plain");
	assert_int_equal(wf_json_int(answer, "flows", -1), 0);
}

/* What is suggested can be applied, and then it is allowed. */
static void test_it_helps(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *answer = NULL;
	json_t *results = NULL;

	push(lab, FRONT, "10.1.0.2", IPPROTO_TCP, 80);
	answer = suggest(lab, NULL);
	assert_int_equal(wf_control_apply(lab->control, json_object_get(answer, "items"), false,
					  &results, &lab->err),
			 0);
	json_decref(results);
	assert_int_equal(lab_verdict(lab, FRONT, BACK, IPPROTO_TCP, 80), WF_POLICY_ALLOW);
	assert_int_equal(lab_verdict(lab, FRONT, BACK, IPPROTO_TCP, 81), WF_POLICY_AUDIT);
	assert_int_equal(lab_verdict(lab, PLAIN, BACK, IPPROTO_TCP, 80), WF_POLICY_AUDIT);
}

static void test_what_cannot_be_said(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *answer = NULL;
	const json_t *notes;

	push(lab, PLAIN, "10.1.0.4", IPPROTO_TCP, 80);
	push(lab, FRONT, "10.1.0.2", 200, 0);
	answer = suggest(lab, NULL);
	notes = json_object_get(answer, "notes");
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 0);
	assert_int_equal(json_array_size(notes), 2);
	assert_non_null(strstr(json_string_value(json_array_get(notes, 0)), "protocol"));
	assert_non_null(strstr(json_string_value(json_array_get(notes, 1)), "without labels"));
}

static void test_bounded(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	for (unsigned int i = 0; i < 4100; i++)
		push(lab, FRONT, "10.1.0.2", IPPROTO_TCP, (uint16_t)(1000 + i));
	answer = suggest(lab, NULL);
	assert_int_equal(wf_json_int(answer, "flows", 0), 4096);
	assert_int_equal(wf_json_int(answer, "missed", 0), 4);
	assert_true(wf_json_bool(answer, "truncated", false));
	wf_control_metrics(lab->control, &text);
	assert_non_null(strstr(wf_str_text(&text), "\nweft_policy_audited_flows_total 4100\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_seen), CASE(test_exactly_what_was_seen),
		CASE(test_it_helps),     CASE(test_what_cannot_be_said),
		CASE(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
