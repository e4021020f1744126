/* SPDX-License-Identifier: Apache-2.0 */
/* Questions: whom words mean, which program is asked, and what becomes of its answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
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
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}");
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(lab_attach(lab,
					    "{'network':'blue','name':'e%u','netns':'/fake/c%u',"
					    "'owner':'cli','labels':{'app':'%s'}}",
					    i, i, i == 2 ? "db" : "web"),
				 0);
	*state = lab;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

static struct wf_event trace(uint8_t way, uint8_t reason)
{
	return (struct wf_event){ .type = WF_EVENT_TRACE,
				  .hook = WF_HOOK_FROM_CONTAINER,
				  .slot = 1,
				  .peer_slot = 3,
				  .network = 1,
				  .ethertype = htons(ETH_P_IP),
				  .proto = IPPROTO_TCP,
				  .verdict = reason ? WF_POLICY_DENY : WF_POLICY_ALLOW,
				  .way = way,
				  .reason = reason };
}

/* The answer is lab->answer. */
static int why(struct lab *lab, const char *request)
{
	_cleanup_json_ json_t *body = lab_json("%s", request);

	json_decref(lab->answer);
	lab->answer = NULL;
	wf_err_clear(&lab->err);
	return wf_control_why(lab->control, body, &lab->answer, &lab->err);
}

static const char *part(const struct lab *lab, const char *object, const char *member)
{
	return wf_json_str(json_object_get(lab->answer, object), member, "");
}

static void test_endpoints(void **state)
{
	struct lab *lab = *state;
	struct wf_event event = trace(WF_EVENT_WAY_ENDPOINT, 0);

	fake_dp_answer(lab->dp, &event);
	assert_int_equal(why(lab, "{'source':'e0','destination':'e2','port':80}"), 0);
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "allow");
	assert_string_equal(wf_json_str(lab->answer, "nextHop", ""), "straight into endpoint e2");
	assert_string_equal(part(lab, "source", "name"), "e0");
	assert_string_equal(part(lab, "source", "namespace"), "default");
	assert_string_equal(part(lab, "destination", "name"), "e2");
	assert_int_equal(fake_dp_asked(lab->dp).program, WF_DP_FROM_CONTAINER);
	assert_int_equal(fake_dp_asked(lab->dp).ifindex, WF_IFINDEX_BASE + 1);
	assert_int_equal(why(lab, "{'source':'app=web','destination':'app=db','port':80}"), 0);
	assert_int_equal(wf_json_int(json_object_get(lab->answer, "source"), "alike", 0), 2);
	assert_int_equal(why(lab, "{'source':'10.1.0.2','destination':'fd01::4','port':80}"),
			 -EAFNOSUPPORT);
	assert_int_equal(why(lab, "{'source':'fd01::2','destination':'e2','port':80}"), 0);
	assert_string_equal(part(lab, "destination", "address"), "fd01::4");
}

static void test_denied(void **state)
{
	struct lab *lab = *state;
	struct wf_event event = trace(WF_EVENT_WAY_NONE, WF_REASON_POLICY_INGRESS);

	assert_int_equal(lab_apply(lab, "[{'apiVersion':'networking.k8s.io/v1','kind':"
					"'NetworkPolicy','metadata':{'name':'p'},'spec':{"
					"'podSelector':{'matchLabels':{'app':'db'}}}}]"),
			 0);
	event.rule = wf_policy_engine_rule_number(
		lab->control->policy.engine, "NetworkPolicy/default/p", 0, NULL, WF_POLICY_INGRESS);
	event.ends[WF_POLICY_INGRESS] = (struct wf_event_end){
		.profile = 2, .class_id = 1, .rule = event.rule, .verdict = WF_POLICY_DENY
	};
	fake_dp_answer(lab->dp, &event);
	assert_int_equal(why(lab, "{'source':'e0','destination':'e2','port':80}"), 0);
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "deny");
	assert_string_equal(part(lab, "policy", "policy"), "NetworkPolicy/default/p");
	assert_string_equal(part(lab, "policy", "action"), "isolate");
	assert_string_equal(part(lab, "reason", "label"), "policy_ingress");
}

static void test_host_and_outside(void **state)
{
	struct lab *lab = *state;
	struct wf_event event = trace(WF_EVENT_WAY_HOST, 0);

	fake_dp_answer(lab->dp, &event);
	fake_net_set_uplink(lab->net, "uplink", "192.0.2.1", "2001:db8::1");
	lab_settle(lab);
	assert_int_equal(why(lab, "{'source':'host','destination':'e2','port':80}"), 0);
	assert_int_equal(fake_dp_asked(lab->dp).ifindex, WF_IFINDEX_BASE);
	assert_string_equal(part(lab, "source", "address"), "10.1.0.1");
	assert_int_equal(why(lab, "{'source':'203.0.113.7','destination':'e2','port':80}"), 0);
	assert_int_equal(fake_dp_asked(lab->dp).program, WF_DP_FROM_UPLINK);
	/* nobody's business: nobody denies it */
	event.type = 0;
	fake_dp_answer(lab->dp, &event);
	assert_int_equal(why(lab, "{'source':'203.0.113.7','destination':'host','port':22}"), 0);
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "allow");
}

/* From outside to an endpoint, when the host does this with it. */
static void ask_outside(struct lab *lab, const struct wf_net_fate *fate)
{
	fake_net_set_fate(lab->net, fate);
	assert_int_equal(
		why(lab, "{'source':'203.0.113.7','destination':'198.51.100.9','port':80}"), 0);
}

static void assert_answer(const struct lab *lab, const char *verdict, const char *hop)
{
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), verdict);
	assert_string_equal(wf_json_str(lab->answer, "nextHop", ""), hop);
}

/* What the uplink's program lets go on is for the host's routes to say. */
static void test_outside_goes_on(void **state)
{
	static const struct wf_net_fate none = { .kind = WF_NET_FATE_NONE };
	struct lab *lab = *state;
	struct wf_event event = trace(WF_EVENT_WAY_ENDPOINT, 0);
	struct wf_net_fate back = { .kind = WF_NET_FATE_FORWARD }, near = back, in = back;

	fake_net_set_uplink(lab->net, "uplink", "192.0.2.1", "2001:db8::1");
	lab_settle(lab);
	back.ifindex = near.ifindex = lab->control->lb.uplinks[0].ifindex;
	near.is_neighbour = true;
	in.ifindex = lab->control->weft0_ifindex;
	fake_dp_answer(lab->dp, &(struct wf_event){ 0 });
	ask_outside(lab, &none);
	assert_answer(lab, "deny", "");
	assert_string_equal(part(lab, "reason", "label"), "no_such_address");
	assert_non_null(strstr(part(lab, "reason", "hint"),
			       "ip route get 198.51.100.9 from 203.0.113.7 iif uplink"));
	ask_outside(lab, &back);
	assert_answer(lab, "deny", "");
	assert_non_null(strstr(part(lab, "reason", "text"), "leave by uplink again"));
	ask_outside(lab, &near);
	assert_answer(lab, "allow", "by the host's routes out of uplink");
	/* by weft0 another program decides */
	fake_dp_answer(lab->dp, &event);
	ask_outside(lab, &in);
	assert_int_equal(fake_dp_asked(lab->dp).program, WF_DP_FROM_CONTAINER);
	assert_int_equal(fake_dp_asked(lab->dp).ifindex, WF_IFINDEX_BASE);
	assert_answer(lab, "allow", "straight into endpoint e2");
	assert_string_equal(wf_json_str(lab->answer, "program", ""), "from_host");
	/* a backend that is reached by the same uplink */
	event.translated = WF_EVENT_TRANSLATED_DST;
	fake_dp_answer(lab->dp, &event);
	ask_outside(lab, &back);
	assert_answer(lab, "allow", "by the host's routes out of uplink");
}

/* An address of a scope leads to nobody elsewhere, whoever has the same one there. */
static void test_scopes(void **state)
{
	static const char *const apart[] = {
		"{'source':'203.0.113.7','destination':'s0','port':80}",
		"{'source':'203.0.113.7','destination':'10.1.0.9','network':'shut','port':80}",
		"{'source':'host','destination':'s0','port':80}",
		"{'source':'e0','destination':'s0','port':80}",
		"{'source':'s0','destination':'e0','port':80}",
		"{'source':'s0','destination':'host','port':80}",
	};
	struct lab *lab = *state;
	struct wf_event event = trace(WF_EVENT_WAY_ENDPOINT, 0);

	lab_network(lab, "shut",
		    "{'overlapping':true,'masquerade':true,'subnets':[{'cidr':'10.1.0.0/24'}]}");
	assert_int_equal(lab_attach(lab, "{'network':'shut','name':'s0','netns':'/fake/c5',"
					 "'owner':'cli'}"),
			 0);
	fake_net_set_uplink(lab->net, "uplink", "192.0.2.1", "2001:db8::1");
	lab_settle(lab);
	fake_dp_answer(lab->dp, &event);
	for (size_t i = 0; i < WF_ARRAY_LEN(apart); i++) {
		assert_int_equal(why(lab, apart[i]), 0);
		assert_answer(lab, "deny", "");
		assert_string_equal(part(lab, "reason", "label"), "network_isolated");
		assert_non_null(strstr(part(lab, "reason", "text"), "network shut"));
	}
	/* what is beyond it is asked about */
	assert_int_equal(why(lab, "{'source':'s0','destination':'203.0.113.7','port':80}"), 0);
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "allow");
	assert_int_equal(why(lab, "{'source':'203.0.113.7','destination':'192.0.2.1',"
				  "'network':'shut','port':80}"),
			 0);
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "allow");
}

static void test_wrong_questions(void **state)
{
	struct lab *lab = *state;

	lab_assert_refused(lab, why(lab, "{'destination':'e2'}"), -EINVAL, "source", "required");
	lab_assert_refused(lab, why(lab, "{'source':'e0','destination':'e9','port':1}"), -ENOENT,
			   "destination", "e9");
	lab_assert_refused(lab, why(lab, "{'source':'a=b','destination':'e1','port':1}"), -ENOENT,
			   "source", "a=b");
	lab_assert_refused(lab, why(lab, "{'source':'e0','destination':'e1','protocol':'tcp'}"),
			   -EINVAL, "port", "required");
	lab_assert_refused(lab,
			   why(lab, "{'source':'e0','destination':'e1','port':1,'protocol':'x'}"),
			   -EINVAL, "protocol", "x");
	lab_assert_refused(lab, why(lab, "{'source':'e0','destination':'service/s','port':1}"),
			   -ENOENT, "destination", "default/s");
}

static void ignore(const json_t *event, void *context)
{
	(void)event;
	(void)context;
}

static void test_drops(void **state)
{
	struct lab *lab = *state;
	struct wf_event drop = trace(0, WF_REASON_POLICY_INGRESS);
	struct wf_event now = trace(WF_EVENT_WAY_ENDPOINT, 0);
	struct wf_observer observer = { .drops = true };
	json_t *drops;

	lab_assert_refused(lab, why(lab, "{'drop':true}"), -ENOENT, "", "no drop");
	observer.callback = ignore;
	assert_int_equal(wf_control_observe(lab->control, &observer, &lab->err), 0);
	drop.type = WF_EVENT_DROP;
	drop.dport = htons(80);
	drop.src = lab->control->by_slot[1]->spec.addresses[0].prefix.addr;
	drop.dst = lab->control->by_slot[3]->spec.addresses[0].prefix.addr;
	for (int i = 0; i < 130; i++) {
		fake_dp_push(lab->dp, &drop);
		lab_settle(lab);
	}
	drops = wf_control_policy_drops(lab->control);
	assert_int_equal(json_array_size(json_object_get(drops, "items")), CTL_POLICY_DROPS);
	json_decref(drops);
	fake_dp_answer(lab->dp, &now);
	assert_int_equal(why(lab, "{'drop':true}"), 0);
	assert_int_equal(wf_json_int(json_object_get(lab->answer, "drop"), "id", 0), 130);
	assert_string_equal(part(lab, "source", "name"), "e0");
	assert_string_equal(wf_json_str(lab->answer, "verdict", ""), "allow");
	assert_int_equal(why(lab, "{'drop':100}"), 0);
	lab_assert_refused(lab, why(lab, "{'drop':1}"), -ENOENT, "", "remembered");
	assert_int_equal(why(lab, "{'drop':{'source':{'address':'10.1.0.3'},'destination':{"
				  "'address':'10.1.0.4','port':5},'protocol':'UDP'}}"),
			 0);
	assert_string_equal(part(lab, "source", "name"), "e1");
	lab_assert_refused(lab, why(lab, "{'drop':{'protocol':'ARP'}}"), -EINVAL, "", "who sent");
	wf_control_unobserve(lab->control, &observer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_endpoints),       CASE(test_denied), CASE(test_host_and_outside),
		CASE(test_outside_goes_on), CASE(test_scopes), CASE(test_wrong_questions),
		CASE(test_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
