/* SPDX-License-Identifier: Apache-2.0 */
/* Policies on fakes: what documents put in force, in which order, and what survives. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "dp/conn_table.h"
#include "lab.h"
#include "net/sock.h"

#define CILIUM(name, spec)                                                                    \
	"{'apiVersion':'cilium.io/v2','kind':'CiliumNetworkPolicy','metadata':{'name':'" name \
	"'},'spec':{" spec "}}"
#define CLOSED(name, app)                                                                       \
	"{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'" name \
	"'},'spec':{'podSelector':{'matchLabels':{'app':'" app "'}}}}"
#define CIDRS                                                                             \
	CILIUM("blocks", "'endpointSelector':{'matchLabels':{'app':'back'}},'ingress':[{" \
			 "'fromCIDR':['192.0.2.0/24']}]")
#define ISSUE                                                                                     \
	CILIUM("allow", "'endpointSelector':{'matchLabels':{'app':'back'}},'ingress':[{"          \
			"'fromEndpoints':[{'matchLabels':{'app':'front'}}],'toPorts':[{'ports':[" \
			"{'port':'80','protocol':'TCP'}]}]}]")

/* Slots, in the order of attaching. */
enum {
	FRONT = 1,
	BACK = 2,
	OTHER = 3
};

static void attach(struct lab *lab, const char *name, unsigned int ns, const char *labels)
{
	if (lab_attach(lab,
		       "{'network':'blue','name':'%s','netns':'/fake/c%u','owner':'cli',"
		       "'labels':{'app':'%s'%s}}",
		       name, ns, name, labels) < 0)
		fail_msg("endpoint %s: %s", name, lab->err.message);
}

static int setup(void **state)
{
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	attach(lab, "front", 0, "");
	attach(lab, "back", 1, "");
	attach(lab, "other", 2, "");
	*state = lab;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown_settled)

static bool tcp(struct lab *lab, uint32_t from, uint32_t to, uint16_t port)
{
	return lab_verdict(lab, from, to, IPPROTO_TCP, port) == WF_POLICY_ALLOW;
}

static bool is_guarded(struct lab *lab, uint32_t slot)
{
	return fake_dp_guarded(lab->dp, slot);
}

static void must_apply(struct lab *lab, const char *text)
{
	if (lab_apply(lab, "[%s]", text) < 0)
		fail_msg("%s: %s", lab->err.field, lab->err.message);
}

/* The policy as inspect shows it; owned by the caller. */
static json_t *inspect(struct lab *lab, const char *key)
{
	json_t *document = NULL;

	assert_int_equal(wf_control_policy_inspect(lab->control, key, &document, &lab->err), 0);
	return document;
}

static const char *condition(const json_t *document, size_t index, const char *member)
{
	const json_t *list = json_object_get(json_object_get(document, "status"), "conditions");

	return wf_json_str(json_array_get(list, index), member, "?");
}

static void test_the_document_of_the_issue(void **state)
{
	struct lab *lab = *state;

	assert_true(tcp(lab, OTHER, BACK, 80));
	assert_false(is_guarded(lab, BACK));
	must_apply(lab, ISSUE);
	assert_true(tcp(lab, FRONT, BACK, 80));
	assert_false(tcp(lab, FRONT, BACK, 81));
	assert_false(tcp(lab, OTHER, BACK, 80));
	assert_true(tcp(lab, BACK, OTHER, 80));
	assert_true(is_guarded(lab, BACK));
	assert_false(is_guarded(lab, FRONT));
	assert_int_equal(lab_delete(lab, "CiliumNetworkPolicy", "default/allow"), 0);
	assert_true(tcp(lab, OTHER, BACK, 80));
	assert_false(is_guarded(lab, BACK));
}

static void test_all_or_nothing(void **state)
{
	struct lab *lab = *state;
	uint32_t revision = fake_dp_config(lab->dp).revision;

	assert_true(lab_apply(lab, "[" CLOSED("c", "back") "," CILIUM("x", "'ingress':7") "]") < 0);
	assert_true(tcp(lab, OTHER, BACK, 80));
	assert_int_equal(fake_dp_config(lab->dp).revision, revision);
	assert_int_equal(json_array_size(json_object_get(
				 lab->answer = wf_control_policy_list(lab->control), "items")),
			 0);
}

/* What does not fit is refused with the name of the table, and what was in force stays. */
static void test_a_full_table(void **state)
{
	struct lab *lab = *state;
	int r;

	must_apply(lab, ISSUE);
	fake_dp_pair_limit(lab->dp, fake_dp_pair_count(lab->dp));
	r = lab_apply(lab,
		      "[" CILIUM("more", "'endpointSelector':{},'ingress':[{'fromEndpoints':[{"
					 "'matchLabels':{'app':'other'}}],'toPorts':[{'ports':["
					 "{'port':'443','protocol':'TCP'}]}]}]") "]");
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(lab->err.message, "wf_policy_pairs"));
	assert_true(tcp(lab, FRONT, BACK, 80));
	assert_false(tcp(lab, OTHER, BACK, 443));
	assert_true(tcp(lab, BACK, FRONT, 443));
	/* nothing of it is stored either */
	assert_int_equal(lab_delete(lab, "CiliumNetworkPolicy", "default/more"), -ENOENT);
	fake_dp_pair_limit(lab->dp, 0);
}

static void test_the_store_refuses(void **state)
{
	struct lab *lab = *state;

	must_apply(lab, ISSUE);
	fake_gate_arm(FAKE_STORE, 2);
	assert_true(lab_apply(lab, "[" CLOSED("c", "front") "]") < 0 || !fake_gate_disarm());
	(void)fake_gate_disarm();
	assert_true(tcp(lab, OTHER, FRONT, 80) || is_guarded(lab, FRONT));
	must_apply(lab, CLOSED("c", "front"));
	assert_false(tcp(lab, OTHER, FRONT, 80));
}

static void do_attach_selected(struct lab *lab)
{
	attach(lab, "late", 3, "");
}

/* Its policy is in the maps while its slot cannot carry a packet yet. */
static void test_judged_before_it_is_ready(void **state)
{
	struct lab *lab = *state;

	must_apply(lab, CLOSED("c", "late"));
	assert_true(lab_crashes(lab, "attach.judged", do_attach_selected));
	assert_int_not_equal(fake_dp_subject(lab->dp, 4).profile[WF_POLICY_INGRESS],
			     WF_POLICY_PROFILE_NONE);
	assert_int_equal(fake_dp_slot(lab->dp, 4).flags & WF_EP_READY, 0);
	assert_int_equal(lab_start(lab), 0);
	lab_settle(lab);
	do_attach_selected(lab);
	assert_false(tcp(lab, OTHER, 4, 80));
	assert_true(is_guarded(lab, 4));
}

static void test_a_slot_forgets(void **state)
{
	struct lab *lab = *state;

	must_apply(lab, ISSUE);
	assert_true(tcp(lab, FRONT, BACK, 80));
	assert_int_equal(lab_detach(lab, "front"), 0);
	lab_settle(lab);
	for (int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
		assert_int_equal(lab->control->policy.subjects[FRONT].profile[dir],
				 WF_POLICY_PROFILE_DENY_ALL);
	attach(lab, "new", 0, "");
	for (uint32_t slot = 1; slot < 6; slot++)
		if (lab->control->by_slot[slot] && slot != BACK)
			assert_false(tcp(lab, slot, BACK, 80));
}

static void test_restart(void **state)
{
	struct lab *lab = *state;
	_cleanup_str_ struct wf_str before = WF_STR_INIT, after = WF_STR_INIT;

	must_apply(lab, ISSUE "," CLOSED("c", "front"));
	lab_settle(lab);
	lab_dump(lab, &before);
	for (int i = 0; i < 3; i++) {
		lab_stop(lab);
		/* nothing in force waits for a daemon */
		assert_true(is_guarded(lab, BACK) && is_guarded(lab, FRONT));
		lab_restart(lab);
	}
	lab_dump(lab, &after);
	assert_string_equal(wf_str_text(&before), wf_str_text(&after));
	assert_false(tcp(lab, OTHER, BACK, 80));
}

/* A policy that cannot be read is no reason to open what it closes. */
static void test_a_start_that_fails_changes_nothing(void **state)
{
	struct lab *lab = *state;
	struct wf_policy_subject_value before, after;
	_cleanup_json_ json_t *broken =
		lab_json("{'apiVersion':'cilium.io/v2','kind':'CiliumNetworkPolicy','metadata':{"
			 "'name':'b','namespace':'default'},'spec':{'ingress':7}}");
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = "CiliumNetworkPolicy",
					.name = "default/b",
					.document = broken,
					.expected = WF_STORE_ANY };

	must_apply(lab, CLOSED("c", "back"));
	before = fake_dp_subject(lab->dp, BACK);
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, &lab->err),
			 0);
	lab_stop(lab);
	assert_true(lab_start(lab) < 0);
	assert_non_null(strstr(lab->err.message, "default/b"));
	assert_true(is_guarded(lab, BACK));
	after = fake_dp_subject(lab->dp, BACK);
	assert_memory_equal(&before, &after, sizeof(before));
	write.op = WF_STORE_DELETE;
	write.document = NULL;
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, &lab->err),
			 0);
	lab_restart(lab);
	assert_false(tcp(lab, OTHER, BACK, 80));
}

static void test_status(void **state)
{
	struct lab *lab = *state;
	json_t *document;

	must_apply(lab, ISSUE);
	document = inspect(lab, "CiliumNetworkPolicy/default/allow");
	assert_string_equal(condition(document, 0, "type"), "Valid");
	assert_string_equal(condition(document, 1, "status"), "True");
	assert_int_equal(wf_json_int(json_object_get(json_object_get(document, "status"), "weft"),
				     "selectsCount", -1),
			 1);
	json_decref(document);
	must_apply(lab, CILIUM("allow", "'endpointSelector':{},'egress':[{'toFQDNs':[{"
					"'matchName':'example.com'}]}]"));
	document = inspect(lab, "CiliumNetworkPolicy/default/allow");
	assert_string_equal(condition(document, 1, "status"), "False");
	assert_non_null(strstr(condition(document, 1, "message"), "toFQDNs"));
	json_decref(document);
	/* and `get` shows it, too; what is sent back with it is not stored */
	assert_int_equal(wf_control_get(lab->control, "CiliumNetworkPolicy", "default/allow",
					&document, &lab->err),
			 0);
	assert_string_equal(condition(document, 1, "status"), "False");
	json_decref(lab->answer);
	lab->answer = NULL;
	{
		_cleanup_json_ json_t *documents = json_pack("[o]", document);

		assert_int_equal(
			wf_control_apply(lab->control, documents, false, &lab->answer, &lab->err),
			0);
	}
	assert_string_equal(wf_json_str(json_array_get(lab->answer, 0), "action", "?"),
			    "unchanged");
	assert_int_equal(wf_control_policy_inspect(lab->control, "NetworkPolicy/default/none",
						   &document, &lab->err),
			 -ENOENT);
}

static void test_hits(void **state)
{
	struct lab *lab = *state;
	json_t *document;
	const json_t *rules, *rule;
	size_t i;

	must_apply(lab, ISSUE);
	document = inspect(lab, "CiliumNetworkPolicy/default/allow");
	rules = json_object_get(json_object_get(json_object_get(document, "status"), "weft"),
				"rules");
	assert_int_equal(json_array_size(rules), 2);
	json_array_foreach(rules, i, rule) {
		uint32_t number = (uint32_t)wf_json_int(rule, "number", 0);

		assert_int_not_equal(number, 0);
		for (size_t n = 0; n <= i; n++)
			fake_dp_hit(lab->dp, number, 100);
	}
	json_decref(document);
	document = inspect(lab, "CiliumNetworkPolicy/default/allow");
	assert_int_equal(
		wf_json_int(json_object_get(
				    json_object_get(json_object_get(document, "status"), "weft"),
				    "hits"),
			    "packets", 0),
		3);
	json_decref(document);
}

/* Connections are noted by whoever began them before policies ask about a direction for the first time. */
static void test_seeds(void **state)
{
	struct lab *lab = *state;
	struct wf_net_conn listener = { .local_port = 80, .listening = true };
	struct wf_net_conn called = { .local_port = 80, .remote_port = 40000 };
	struct wf_net_conn calling = { .local_port = 50000, .remote_port = 443 };
	const struct wf_conn_seed *seeds;

	assert_int_equal(wf_addr_parse("10.1.0.3", &called.local), 0);
	assert_int_equal(wf_addr_parse("10.1.0.2", &called.remote), 0);
	calling.local = called.local;
	calling.remote = called.remote;
	fake_net_connect(lab->net, &listener);
	fake_net_connect(lab->net, &called);
	fake_net_connect(lab->net, &calling);
	assert_int_equal(fake_dp_seeds(lab->dp, &seeds), 0);
	must_apply(lab, ISSUE);
	assert_int_equal(fake_dp_seeds(lab->dp, &seeds), 2);
	assert_int_equal(ntohs(seeds[0].tuple[WF_DIR_ORIGINAL].dport), 80);
	assert_int_equal(ntohs(seeds[0].tuple[WF_DIR_ORIGINAL].sport), 40000);
	assert_true(wf_addr_equal(&seeds[0].tuple[WF_DIR_ORIGINAL].src, &called.remote));
	assert_int_equal(ntohs(seeds[1].tuple[WF_DIR_ORIGINAL].dport), 443);
	assert_true(wf_addr_equal(&seeds[1].tuple[WF_DIR_ORIGINAL].src, &calling.local));
	assert_int_equal(seeds[1].phase, WF_CONN_ESTABLISHED);
	/* once policies are about a direction its connections have records */
	called.remote_port++;
	fake_net_connect(lab->net, &called);
	must_apply(lab, CLOSED("c", "back"));
	assert_int_equal(fake_dp_seeds(lab->dp, &seeds), 2);
	must_apply(lab, CILIUM("out", "'endpointSelector':{'matchLabels':{'app':'back'}},"
				      "'egress':[{'toCIDR':['192.0.2.0/24']}]"));
	assert_int_equal(fake_dp_seeds(lab->dp, &seeds), 3);
}

/* Ports that say nothing: what has no record so far is of the one whose answers nobody asked about. */
static void test_seeds_of_whoever_needed_none(void **state)
{
	struct lab *lab = *state;
	struct wf_net_conn conn = {
		.local_port = 40000, .remote_port = 50051, .is_opening = true, .has_ended = true
	};
	const struct wf_conn_seed *seeds;

	assert_int_equal(wf_addr_parse("10.1.0.2", &conn.local), 0);
	assert_int_equal(wf_addr_parse("10.1.0.3", &conn.remote), 0);
	must_apply(lab, ISSUE);
	fake_net_connect(lab->net, &conn);
	must_apply(lab, CLOSED("c", "front"));
	assert_int_equal(fake_dp_seeds(lab->dp, &seeds), 1);
	assert_true(wf_addr_equal(&seeds[0].tuple[WF_DIR_ORIGINAL].src, &conn.local));
	assert_int_equal(seeds[0].phase, WF_CONN_NEW);
	assert_int_equal(seeds[0].flags, WF_CONN_POLICY | WF_CONN_FIN_ORIGINAL);
}

static void test_audit_is_listened_to(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(fake_dp_config(lab->dp).observe, 0);
	must_apply(lab, "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'default',"
			"'annotations':{'weft.dev/audit':'true'}}}");
	assert_int_equal(fake_dp_config(lab->dp).observe, WF_OBSERVE_DROPS);
	must_apply(lab, CLOSED("c", "back"));
	assert_int_equal(lab_verdict(lab, OTHER, BACK, IPPROTO_TCP, 80), WF_POLICY_AUDIT);
	assert_int_equal(lab_delete(lab, "Namespace", "default"), 0);
	assert_int_equal(fake_dp_config(lab->dp).observe, 0);
	assert_false(tcp(lab, OTHER, BACK, 80));
	attach(lab, "tried", 4, ",'weft.dev/audit':'true'");
	assert_int_equal(fake_dp_config(lab->dp).observe, WF_OBSERVE_DROPS);
}

static void test_the_host(void **state)
{
	struct lab *lab = *state;

	must_apply(lab,
		   "{'apiVersion':'cilium.io/v2','kind':'CiliumClusterwideNetworkPolicy',"
		   "'metadata':{'name':'h'},'spec':{'nodeSelector':{'matchLabels':{'role':'edge'}"
		   "},'ingress':[{}]}}");
	assert_false(is_guarded(lab, WF_SLOT_HOST));
	must_apply(lab, "{'apiVersion':'v1','kind':'Node','metadata':{'name':'node1','labels':{"
			"'role':'edge'}}}");
	assert_true(is_guarded(lab, WF_SLOT_HOST));
	/* whatever writes its slot again keeps the guard */
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_true(is_guarded(lab, WF_SLOT_HOST));
	lab_restart(lab);
	assert_true(is_guarded(lab, WF_SLOT_HOST));
	assert_int_equal(lab_delete(lab, "Node", "node1"), 0);
	assert_false(is_guarded(lab, WF_SLOT_HOST));
}

/* Pairs that others took out are back, and what nobody wants there is gone. */
static void test_repair(void **state)
{
	struct lab *lab = *state;
	size_t pairs;

	must_apply(lab, ISSUE);
	pairs = fake_dp_pair_count(lab->dp);
	assert_true(pairs > 0);
	fake_dp_forget_pairs(lab->dp);
	assert_int_equal(fake_dp_pair_count(lab->dp), 0);
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_int_equal(fake_dp_pair_count(lab->dp), pairs);
	assert_int_equal(lab->control->repairs_total, 1);
	assert_true(tcp(lab, FRONT, BACK, 80));
	assert_false(tcp(lab, OTHER, BACK, 80));
	/* nothing is wrong: nothing is done */
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_int_equal(lab->control->repairs_total, 1);
}

static int spoil_one_pair(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
			  void *context)
{
	const struct wf_policy_run other = { run->first, run->count - 1 };

	assert_int_equal(wf_dp_pairs_set(context, key, &other, 1, NULL), 0);
	return -ECANCELED;
}

static void spoil_pair(struct lab *lab)
{
	assert_int_equal(wf_dp_pair_visit(lab->dp, spoil_one_pair, lab->dp, NULL), -ECANCELED);
}

static int spoil_one_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			    void *context)
{
	assert_int_equal(wf_dp_prefix_set(context, scope, prefix, class_id + 1, true, NULL), 0);
	return -ECANCELED;
}

static void spoil_prefix(struct lab *lab)
{
	assert_int_equal(wf_dp_prefix_visit(lab->dp, spoil_one_prefix, lab->dp, NULL), -ECANCELED);
}

static struct wf_dp_policy_memory memory_of(struct lab *lab)
{
	struct wf_dp_policy_memory memory;

	assert_int_equal(wf_dp_policy_memory(lab->dp, &memory, NULL), 0);
	return memory;
}

/* A rule that denies allows. */
static void spoil_rule(struct lab *lab)
{
	struct wf_dp_policy_memory memory = memory_of(lab);

	for (uint32_t i = 0; i < memory.rule_count; i++)
		if (memory.rules[i].rule && memory.rules[i].at >> WF_POLICY_AT_VERDICT == 0) {
			memory.rules[i].at |= WF_POLICY_AT(WF_POLICY_ALLOW, 0, 0);
			return;
		}
	fail();
}

static void spoil_subject(struct lab *lab)
{
	memory_of(lab).subjects[BACK].profile[WF_POLICY_INGRESS] = WF_POLICY_PROFILE_NONE;
}

static void spoil_class(struct lab *lab)
{
	struct wf_policy_subject_value *subjects = memory_of(lab).subjects;

	subjects[OTHER].class_id[0] = subjects[FRONT].class_id[0];
}

static void spoil_profile(struct lab *lab)
{
	struct wf_dp_policy_memory memory = memory_of(lab);
	struct wf_policy_run *run =
		&memory.profiles[memory.subjects[BACK].profile[WF_POLICY_INGRESS]];

	run->count = run->count ? 0 : 1;
}

/* Whatever others change in an entry, counts being right, is found and put right. */
static void test_contents_are_repaired(void **state)
{
	static void (*const damages[])(struct lab * lab) = { spoil_pair,    spoil_prefix,
							     spoil_rule,    spoil_subject,
							     spoil_profile, spoil_class };
	struct lab *lab = *state;

	must_apply(lab, ISSUE "," CIDRS);
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_int_equal(lab->control->repairs_total, 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(damages); i++) {
		damages[i](lab);
		assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
		if (lab->control->repairs_total != i + 1)
			fail_msg("damage %zu is not found", i);
		assert_true(tcp(lab, FRONT, BACK, 80));
		assert_false(tcp(lab, FRONT, BACK, 81));
		assert_false(tcp(lab, OTHER, BACK, 80));
		assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
		assert_int_equal(lab->control->repairs_total, i + 1);
	}
}

static void test_metrics(void **state)
{
	struct lab *lab = *state;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	must_apply(lab, ISSUE);
	wf_control_metrics(lab->control, &text);
	assert_non_null(strstr(wf_str_text(&text), "\nweft_policies 1\n"));
	assert_non_null(strstr(wf_str_text(&text), "weft_policy_hits_total{policy=\"Cilium"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_the_document_of_the_issue),
		CASE(test_all_or_nothing),
		CASE(test_a_full_table),
		CASE(test_the_store_refuses),
		CASE(test_judged_before_it_is_ready),
		CASE(test_a_slot_forgets),
		CASE(test_restart),
		CASE(test_a_start_that_fails_changes_nothing),
		CASE(test_status),
		CASE(test_hits),
		CASE(test_seeds),
		CASE(test_seeds_of_whoever_needed_none),
		CASE(test_audit_is_listened_to),
		CASE(test_the_host),
		CASE(test_repair),
		CASE(test_contents_are_repaired),
		CASE(test_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
