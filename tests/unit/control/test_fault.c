/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call n of the store, of the maps, of net, or of malloc fails, for every n, in every operation
 * that changes something. A refused operation leaves everything as it was; one that went through
 * in spite of the fault has had its full effect; and nothing is left over either way.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "fail_alloc.h"
#include "lab.h"

/* Whichever of the fakes' kinds, or an allocation. */
#define FAIL_ALLOC FAKE_KIND_COUNT
/* So many are tried one by one, then each so-many-th. */
#define EVERY  600
#define STRIDE 31

struct operation {
	const char *name;
	void (*prepare)(struct lab *lab); /* may be NULL */
	json_t *(*request)(void);         /* made before anything can fail; may be NULL */
	int (*run)(struct lab *lab, const json_t *request, json_t **ret_answer);
	bool half_way; /* a refusal may leave a part done that another try finishes */
};

#define NETWORK     "'apiVersion':'weft.dev/v1','kind':'Network'"
#define NETWORK_N3  "{" NETWORK ",'metadata':{'name':'n3'},'spec':{}}"
#define RESERVATION "'apiVersion':'weft.dev/v1','kind':'Reservation'"

/* ---- what is there before ----------------------------------------------------------------- */

static void prepare_blue(struct lab *lab)
{
	lab_network(lab, "blue",
		    "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}],'mtu':1400}");
	lab_network(lab, "green", "{'subnets':[{'cidr':'10.2.0.0/24'}]}");
}

static void prepare_blue_endpoint(struct lab *lab)
{
	prepare_blue(lab);
	lab_endpoint(lab, "blue", "a", 0);
	lab_endpoint(lab, "blue", "b", 1);
	lab_endpoint(lab, "green", "c", 0);
}

static void prepare_sticky(struct lab *lab)
{
	prepare_blue(lab);
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cni','containerID':'c0','sticky':true}"),
			 0);
}

static void prepare_sticky_gone(struct lab *lab)
{
	prepare_sticky(lab);
	assert_int_equal(lab_detach(lab, "a"), 0);
}

static void prepare_macvlan(struct lab *lab)
{
	(void)fake_net_add_device(lab->net, "second", 1500);
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','hostAccess':true,"
		    "'subnets':[{'cidr':'10.3.0.0/24'}]}");
}

static void prepare_macvlan_endpoint(struct lab *lab)
{
	prepare_macvlan(lab);
	lab_endpoint(lab, "lan", "m", 0);
}

static void prepare_vlan(struct lab *lab)
{
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','vlan':42,"
		    "'subnets':[{'cidr':'10.3.0.0/24'}]}");
}

static void prepare_reserved(struct lab *lab)
{
	prepare_blue(lab);
	assert_int_equal(lab_apply(lab, "[{" RESERVATION
					",'metadata':{'name':'r'},'spec':{'network':'blue',"
					"'for':'web','addresses':['10.1.0.7','fd01::7']}}]"),
			 0);
}

#define POLICY(name, subject, more)                                                             \
	"{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'" name \
	"'},'spec':{'podSelector':{'matchLabels':{'app':'" subject "'}}" more "}}"
#define FROM(app, port)                                                                     \
	",'ingress':[{'from':[{'podSelector':{'matchLabels':{'app':'" app "'}}}],'ports':[" \
	"{'port':" port "}]}]"

/* Endpoints a and b with labels, and a policy between them. */
static void prepare_policy(struct lab *lab)
{
	static const char *const names[] = { "a", "b" };

	prepare_blue(lab);
	for (unsigned int i = 0; i < WF_ARRAY_LEN(names); i++)
		assert_int_equal(lab_attach(lab,
					    "{'network':'blue','name':'%s','netns':'/fake/c%u',"
					    "'owner':'cli','labels':{'app':'%s'}}",
					    names[i], i, names[i]),
				 0);
	assert_int_equal(lab_apply(lab, "[" POLICY("p", "a", FROM("b", "80")) "]"), 0);
}

/* ---- requests ----------------------------------------------------------------------------- */

static json_t *attach_blue(void)
{
	return lab_json("{'network':'blue','name':'n','netns':'/fake/c2','owner':'cni',"
			"'containerID':'0123456789abcdef','labels':{'app':'web'},"
			"'annotations':{'note':'x'},'extra':{'aliases':['db']}}");
}

static json_t *attach_blue_sticky(void)
{
	return lab_json("{'network':'blue','name':'a','netns':'/fake/c2','owner':'cli',"
			"'sticky':true,'ranges':[[{'subnet':'10.1.0.0/24',"
			"'rangeStart':'10.1.0.9'}]]}");
}

static json_t *attach_held(void)
{
	return lab_json("{'network':'blue','name':'a','netns':'/fake/c2','owner':'cli',"
			"'sticky':true}");
}

static json_t *attach_macvlan(void)
{
	return lab_json("{'network':'lan','name':'n','netns':'/fake/c2','owner':'cli'}");
}

static json_t *apply_networks(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'n1'},'spec':{'ipFamilies':['IPv4',"
			"'IPv6']}},{" NETWORK ",'metadata':{'name':'n2','labels':{'a':'b'}},"
			"'spec':{'subnets':[{'cidr':'10.9.0.0/24','ranges':[{'start':'10.9.0.5',"
			"'end':'10.9.0.9'}],'exclude':['10.9.0.7']}]}},{" RESERVATION
			",'metadata':{'name':'n2.web'},'spec':{'network':'n2','for':'web',"
			"'addresses':['10.9.0.8']}}]");
}

static json_t *apply_macvlan(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'n1'},'spec':{'driver':'macvlan',"
			"'hostAccess':true,'subnets':[{'cidr':'10.9.0.0/24'}]}}]");
}

static json_t *apply_more_subnets(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'blue'},'spec':{'mtu':1400,'subnets':["
			"{'cidr':'10.1.0.0/24','exclude':['10.1.0.200']},{'cidr':'fd01::/64'},"
			"{'cidr':'10.4.0.0/24'}],'isolated':false,'coolDown':'1s'}}]");
}

static json_t *apply_other_subnets(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'green'},'spec':{'subnets':["
			"{'cidr':'10.7.0.0/24'},{'cidr':'10.8.0.0/24'}]}},{" NETWORK
			",'metadata':{'name':'blue'},'spec':{'subnets':[{'cidr':'fd01::/64'},"
			"{'cidr':'10.1.0.0/24'}]}}]");
}

static json_t *apply_other_driver(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'green'},'spec':{'driver':'macvlan',"
			"'hostAccess':true,'subnets':[{'cidr':'10.2.0.0/24'}]}}]");
}

static json_t *apply_other_parent(void)
{
	return lab_json(
		"[{" NETWORK ",'metadata':{'name':'lan'},'spec':{'driver':'macvlan',"
		"'parent':'second','hostAccess':true,'subnets':[{'cidr':'10.3.0.0/24'}]}}]");
}

static json_t *apply_vlan(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'n1'},'spec':{'driver':'ipvlan',"
			"'parent':'uplink.42','subnets':[{'cidr':'10.9.0.0/24'}]}}]");
}

static json_t *apply_other_vlan(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'lan'},'spec':{'driver':'macvlan',"
			"'parent':'uplink','vlan':43,'subnets':[{'cidr':'10.3.0.0/24'}]}}]");
}

static json_t *apply_bridge_again(void)
{
	return lab_json("[{" NETWORK ",'metadata':{'name':'lan'},'spec':{'subnets':["
			"{'cidr':'10.3.0.0/24'}]}}]");
}

static json_t *apply_reservation(void)
{
	return lab_json("[{" RESERVATION ",'metadata':{'name':'r'},'spec':{'network':'blue',"
			"'for':'web','addresses':['10.1.0.8','fd01::7']}}]");
}

static json_t *apply_policies(void)
{
	return lab_json("[" POLICY("p", "a", FROM("b", "81")) "," POLICY(
		"q", "b", "") ","
			      "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'default',"
			      "'labels':{'team':'x'}}}," NETWORK_N3 "]");
}

static json_t *attach_selected(void)
{
	return lab_json("{'network':'blue','name':'n','netns':'/fake/c2','owner':'cli',"
			"'labels':{'app':'a'}}");
}

static json_t *gc_all(void)
{
	return lab_json("{'network':'blue','owner':'cni','valid':[]}");
}

/* ---- operations --------------------------------------------------------------------------- */

static int run_attach(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_attach(lab->control, request, ret_answer, &lab->err);
}

static int run_apply(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_apply(lab->control, request, false, ret_answer, &lab->err);
}

static int run_detach_a(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_detach(lab->control, "a", &lab->err);
}

static int run_detach_m(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_detach(lab->control, "m", &lab->err);
}

static int run_detach_container(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_detach_container(lab->control, "c0", "eth0", NULL, ret_answer, &lab->err);
}

static int run_gc(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	int r = wf_control_gc(lab->control, request, ret_answer, &lab->err);

	/* what could not be collected is in the report */
	if (r == 0 && json_array_size(json_object_get(*ret_answer, "errors")))
		return -EAGAIN;
	return r;
}

static int run_delete_green(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_delete(lab->control, "network", "green", &lab->err);
}

static int run_delete_blue(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_delete(lab->control, "network", "blue", &lab->err);
}

static int run_delete_lan(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_delete(lab->control, "network", "lan", &lab->err);
}

static int run_delete_policy(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_delete(lab->control, "networkpolicy", "default/p", &lab->err);
}

static int run_delete_reservation(struct lab *lab, const json_t *request, json_t **ret_answer)
{
	return wf_control_delete(lab->control, "reservation", "r", &lab->err);
}

static const struct operation operations[] = {
	{ "attach", prepare_blue_endpoint, attach_blue, run_attach, false },
	{ "attach sticky", prepare_blue, attach_blue_sticky, run_attach, false },
	{ "attach held", prepare_sticky_gone, attach_held, run_attach, false },
	{ "attach macvlan", prepare_macvlan, attach_macvlan, run_attach, false },
	{ "detach", prepare_blue_endpoint, NULL, run_detach_a, false },
	{ "detach sticky", prepare_sticky, NULL, run_detach_a, false },
	{ "detach container", prepare_sticky, NULL, run_detach_container, false },
	{ "detach macvlan", prepare_macvlan_endpoint, NULL, run_detach_m, true },
	{ "gc", prepare_sticky, gc_all, run_gc, false },
	{ "create networks", prepare_blue, apply_networks, run_apply, false },
	{ "create macvlan", prepare_blue, apply_macvlan, run_apply, false },
	{ "change network in use", prepare_blue_endpoint, apply_more_subnets, run_apply, false },
	{ "change subnets", prepare_reserved, apply_other_subnets, run_apply, false },
	{ "change driver", prepare_blue, apply_other_driver, run_apply, false },
	{ "change parent", prepare_macvlan, apply_other_parent, run_apply, false },
	{ "change driver back", prepare_macvlan, apply_bridge_again, run_apply, false },
	{ "create vlan", prepare_blue, apply_vlan, run_apply, false },
	{ "attach vlan", prepare_vlan, attach_macvlan, run_attach, false },
	{ "change vlan", prepare_vlan, apply_other_vlan, run_apply, false },
	{ "leave vlan", prepare_vlan, apply_bridge_again, run_apply, false },
	{ "delete vlan", prepare_vlan, NULL, run_delete_lan, false },
	{ "change reservation", prepare_reserved, apply_reservation, run_apply, false },
	{ "delete network", prepare_blue, NULL, run_delete_green, false },
	{ "delete sticky network", prepare_sticky_gone, NULL, run_delete_blue, false },
	{ "delete macvlan", prepare_macvlan, NULL, run_delete_lan, false },
	{ "apply policies", prepare_policy, apply_policies, run_apply, false },
	{ "attach under policy", prepare_policy, attach_selected, run_attach, false },
	{ "detach under policy", prepare_policy, NULL, run_detach_a, false },
	{ "delete policy", prepare_policy, NULL, run_delete_policy, false },
	{ "delete reservation", prepare_reserved, NULL, run_delete_reservation, false },
};

/* ---- the loop ----------------------------------------------------------------------------- */

/* One operation under faults of one kind; what it was doing is told when it fails. */
struct trial {
	const struct operation *operation;
	unsigned int kind;
	struct lab *lab;
	struct wf_str before;
	size_t n;
	int r;
	char name[48];
	bool is_over;
};

static const char *const kinds[] = { "store", "dp", "dp read", "net", "malloc" };

static void prepare(struct trial *trial)
{
	lab_free(&trial->lab);
	trial->lab = lab_new();
	if (trial->operation->prepare)
		trial->operation->prepare(trial->lab);
	lab_settle(trial->lab);
	lab_assert_consistent(trial->lab);
	wf_str_done(&trial->before);
	lab_dump(trial->lab, &trial->before);
}

static bool run_armed(struct trial *trial, const json_t *request, json_t **ret_answer)
{
	wf_err_clear(&trial->lab->err);
	if (trial->kind == FAIL_ALLOC)
		fail_alloc_arm(trial->n);
	else
		fake_gate_arm((enum fake_kind)trial->kind, trial->n);
	trial->r = trial->operation->run(trial->lab, request, ret_answer);
	return trial->kind == FAIL_ALLOC ? fail_alloc_disarm() : fake_gate_disarm();
}

/* Runs once with call n failing. False: nothing was left to fail. */
static bool run_once(struct trial *trial)
{
	const struct operation *operation = trial->operation;
	_cleanup_json_ json_t *request = operation->request ? operation->request() : NULL;
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_str_ struct wf_str after = WF_STR_INIT;
	size_t fds = lab_open_fds();
	bool has_failed = run_armed(trial, request, &answer);

	if (!has_failed)
		assert_int_equal(trial->r, 0);
	lab_settle(trial->lab);
	assert_int_equal(lab_open_fds(), fds);
	if (trial->r < 0 && operation->half_way) {
		assert_int_equal(operation->run(trial->lab, request, &answer), 0);
		lab_settle(trial->lab);
	}
	lab_assert_consistent(trial->lab);
	lab_dump(trial->lab, &after);
	if (trial->r < 0 && !operation->half_way &&
	    strcmp(wf_str_text(&after), wf_str_text(&trial->before)) != 0)
		fail_msg("refused, but not as before:\n%s\nbefore:\n%s", wf_str_text(&after),
			 wf_str_text(&trial->before));
	if (trial->r == 0 || operation->half_way)
		prepare(trial);
	return has_failed;
}

static void test_trial(void **state)
{
	struct trial *trial = *state;

	prepare(trial);
	/* every call, and of the thousands that compiling policies takes, a part */
	while (run_once(trial))
		trial->n += trial->n < EVERY ? 1 : STRIDE;
	trial->is_over = true;
}

static int end_trial(void **state)
{
	struct trial *trial = *state;

	(void)fake_gate_disarm();
	(void)fail_alloc_disarm();
	if (!trial->is_over)
		print_error("%s, call %zu (%s): result %d, %s\n", trial->name, trial->n,
			    trial->kind == FAIL_ALLOC ? "malloc" : fake_gate_failed(), trial->r,
			    trial->lab->err.message);
	lab_free(&trial->lab);
	wf_str_done(&trial->before);
	return 0;
}

int main(void)
{
	static struct trial trials[WF_ARRAY_LEN(operations) * WF_ARRAY_LEN(kinds)];
	static struct CMUnitTest tests[WF_ARRAY_LEN(trials)];
	size_t count = 0;

	for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++) {
		for (unsigned int kind = 0; kind < WF_ARRAY_LEN(kinds); kind++) {
			struct trial *trial = &trials[count];

			trial->operation = &operations[i];
			trial->kind = kind;
			(void)snprintf(trial->name, sizeof(trial->name), "%s, %s",
				       operations[i].name, kinds[kind]);
			tests[count++] = (struct CMUnitTest){ .name = trial->name,
							      .test_func = test_trial,
							      .teardown_func = end_trial,
							      .initial_state = trial };
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
