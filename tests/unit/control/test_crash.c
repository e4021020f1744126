/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control is killed at every crash point of every operation, and started anew on what the store
 * and the kernel hold: it comes to what the documents say, nothing is left over, and the
 * operation can be done again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

#define NETWORK "'apiVersion':'weft.dev/v1','kind':'Network'"

struct operation {
	const char *name;
	void (*prepare)(struct lab *lab);
	void (*run)(struct lab *lab);
	void (*again)(struct lab *lab); /* must succeed after a restart */
};

static void prepare_networks(struct lab *lab)
{
	(void)fake_net_add_device(lab->net, "second", 1500);
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}");
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','hostAccess':true,"
		    "'subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_network(lab, "nothing", "{'driver':'none'}");
	lab_network(lab, "green", "{'subnets':[{'cidr':'10.2.0.0/24'}]}");
	lab_endpoint(lab, "blue", "other", 7);
}

static void prepare_endpoints(struct lab *lab)
{
	prepare_networks(lab);
	lab_endpoint(lab, "blue", "b", 0);
	lab_endpoint(lab, "lan", "m", 1);
	lab_endpoint(lab, "nothing", "n", 2);
}

static void attach(struct lab *lab, const char *network)
{
	(void)lab_attach(lab,
			 "{'network':'%s','name':'%.1s','netns':'/fake/c0','owner':'cli',"
			 "'ifname':'eth0','sticky':true}",
			 network, network);
}

static void attach_blue(struct lab *lab)
{
	attach(lab, "blue");
}

static void attach_lan(struct lab *lab)
{
	attach(lab, "lan");
}

static void attach_nothing(struct lab *lab)
{
	attach(lab, "nothing");
}

/* It may be there already: then it is detached first, as a runtime would. */
static void attach_again(struct lab *lab, const char *network)
{
	char name[2] = { network[0], '\0' };

	if (wf_ctl_endpoint_find(lab->control, name))
		assert_int_equal(lab_detach(lab, name), 0);
	attach(lab, network);
	assert_int_equal(lab->err.code, 0);
}

static void attach_blue_again(struct lab *lab)
{
	attach_again(lab, "blue");
}

static void attach_lan_again(struct lab *lab)
{
	attach_again(lab, "lan");
}

static void attach_nothing_again(struct lab *lab)
{
	attach_again(lab, "nothing");
}

static void detach_blue(struct lab *lab)
{
	(void)lab_detach(lab, "b");
}

static void detach_lan(struct lab *lab)
{
	(void)lab_detach(lab, "m");
}

static void detach_nothing(struct lab *lab)
{
	(void)lab_detach(lab, "n");
}

/* Not there any more is as good: CNI's DEL says so too. */
static void detach_again(struct lab *lab)
{
	static const char *const names[] = { "b", "m", "n" };

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++) {
		int r = lab_detach(lab, names[i]);

		assert_true(r == 0 || r == -ENOENT);
	}
	for (unsigned int i = 0; i < 3; i++) {
		char path[16];

		lab_settle(lab);
		(void)snprintf(path, sizeof(path), "/fake/c%u", i);
		assert_int_equal(fake_net_ns_interfaces(lab->net, path), 0);
	}
}

static void apply(struct lab *lab)
{
	(void)lab_apply(
		lab, "[{" NETWORK ",'metadata':{'name':'n1'},'spec':{}},"
		     "{" NETWORK
		     ",'metadata':{'name':'n2'},'spec':{'driver':'macvlan','hostAccess':true,"
		     "'parent':'second','subnets':[{'cidr':'10.9.0.0/24'}]}},"
		     "{" NETWORK ",'metadata':{'name':'lan'},'spec':{'driver':'macvlan',"
		     "'hostAccess':true,'parent':'second','subnets':[{'cidr':'10.3.0.0/24'}]}},"
		     "{" NETWORK ",'metadata':{'name':'blue'},'spec':{'isolated':false,'subnets':["
		     "{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'},"
		     "{'cidr':'10.8.0.0/24'}]}},"
		     "{" NETWORK ",'metadata':{'name':'green'},'spec':{'subnets':["
		     "{'cidr':'10.2.0.0/24','gateway':'10.2.0.254'}]}},"
		     "{'apiVersion':'weft.dev/v1','kind':'Reservation','metadata':{'name':'r'},"
		     "'spec':{'network':'n2','for':'web','addresses':['10.9.0.7']}}]");
}

static void apply_again(struct lab *lab)
{
	apply(lab);
	if (lab->err.code)
		fail_msg("%s", lab->err.message);
}

static void delete_lan(struct lab *lab)
{
	(void)lab_delete(lab, "network", "lan");
}

static void delete_lan_again(struct lab *lab)
{
	int r = lab_delete(lab, "network", "lan");

	assert_true(r == 0 || r == -ENOENT);
}

#define POLICY                                                                                  \
	"[{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'p'}," \
	"'spec':{'podSelector':{}}}]"

static void apply_policy(struct lab *lab)
{
	(void)lab_apply(lab, POLICY);
}

static void apply_policy_again(struct lab *lab)
{
	assert_int_equal(lab_apply(lab, POLICY), 0);
	for (uint32_t slot = 1; slot < WF_MAX_SLOTS; slot++)
		if (lab->control->by_slot[slot])
			assert_true(fake_dp_guarded(lab->dp, slot));
}

static void prepare_policy(struct lab *lab)
{
	prepare_endpoints(lab);
	apply_policy(lab);
}

static void delete_policy(struct lab *lab)
{
	(void)lab_delete(lab, "NetworkPolicy", "default/p");
}

static void delete_policy_again(struct lab *lab)
{
	int r = lab_delete(lab, "NetworkPolicy", "default/p");

	assert_true(r == 0 || r == -ENOENT);
	for (uint32_t slot = 0; slot < WF_MAX_SLOTS; slot++)
		if (lab->control->by_slot[slot])
			assert_false(fake_dp_guarded(lab->dp, slot));
}

static const struct operation operations[] = {
	{ "attach bridge", prepare_networks, attach_blue, attach_blue_again },
	{ "attach macvlan", prepare_networks, attach_lan, attach_lan_again },
	{ "attach none", prepare_networks, attach_nothing, attach_nothing_again },
	{ "detach bridge", prepare_endpoints, detach_blue, detach_again },
	{ "detach macvlan", prepare_endpoints, detach_lan, detach_again },
	{ "detach none", prepare_endpoints, detach_nothing, detach_again },
	{ "apply", prepare_networks, apply, apply_again },
	{ "delete macvlan", prepare_networks, delete_lan, delete_lan_again },
	{ "apply policy", prepare_endpoints, apply_policy, apply_policy_again },
	{ "delete policy", prepare_policy, delete_policy, delete_policy_again },
};

static void restart(struct lab *lab)
{
	if (lab_start(lab) < 0)
		fail_msg("control does not start: %s", lab->err.message);
	lab_settle(lab);
	lab_assert_consistent(lab);
}

/* The grave-digger is a thread of the same process: it may have got to it, or not. */
static void crash_at(const struct operation *operation, const char *point, bool dug)
{
	struct lab *lab = lab_new();

	operation->prepare(lab);
	lab_settle(lab);
	if (lab_crashes(lab, point, operation->run)) {
		if (dug)
			fake_net_dig(lab->net);
		restart(lab);
		operation->again(lab);
		lab_settle(lab);
		lab_assert_consistent(lab);
	}
	lab_free(&lab);
}

/* Without a crash every operation works: a refused one would prove nothing. */
static void test_operations_work(void **state)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++) {
		struct lab *lab = lab_new();

		operations[i].prepare(lab);
		operations[i].run(lab);
		if (lab->err.code)
			fail_msg("%s: %s", operations[i].name, lab->err.message);
		lab_free(&lab);
	}
}

/* Which points there are is found by running everything once. */
static char *find_points(void)
{
	struct wf_str points = WF_STR_INIT;

	for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++)
		crash_at(&operations[i], "none", false);
	lab_points(&points);
	return points.data;
}

static void test_every_point(void **state)
{
	static const char *const known[] = {
		"attach.pending",      "attach.programmed", "attach.linked",  "attach.stored",
		"attach.addressed",    "detach.fenced",     "detach.pending", "detach.stored",
		"detach.buried",       "apply.in-force",    "delete.stored",  "attach.judged",
		"delete.out-of-force", "attach.sent"
	};
	_cleanup_free_ char *points = find_points();
	char *save = NULL;
	size_t count = 0;

	for (size_t i = 0; i < WF_ARRAY_LEN(known); i++)
		if (!strstr(points, known[i]))
			fail_msg("%s was not passed", known[i]);
	for (char *point = strtok_r(points, "\n", &save); point;
	     point = strtok_r(NULL, "\n", &save)) {
		print_message("%s\n", point);
		for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++) {
			crash_at(&operations[i], point, false);
			crash_at(&operations[i], point, true);
		}
		count++;
	}
	assert_int_equal(count, WF_ARRAY_LEN(known));
}

/* An endpoint must be gone after its namespace died while nobody ran. */
static void test_death_while_down(void **state)
{
	struct lab *lab = lab_new();

	prepare_endpoints(lab);
	lab_stop(lab);
	fake_net_kill_ns(lab->net, "/fake/c0");
	fake_net_kill_ns(lab->net, "/fake/c1");
	fake_net_kill_ns(lab->net, "/fake/c2");
	/* another container has the path by now */
	fake_net_add_ns(lab->net, "/fake/c7x");
	fake_net_add_ns(lab->net, "/fake/c1");
	restart(lab);
	assert_null(wf_ctl_endpoint_find(lab->control, "b"));
	assert_null(wf_ctl_endpoint_find(lab->control, "m"));
	assert_null(wf_ctl_endpoint_find(lab->control, "n"));
	assert_non_null(wf_ctl_endpoint_find(lab->control, "other"));
	lab_free(&lab);
}

/* What nobody asked for is taken out of maps and links at start. */
static void test_litter(void **state)
{
	struct lab *lab = lab_new();

	prepare_endpoints(lab);
	lab_stop(lab);
	fake_dp_litter(lab->dp, 99, 77, "10.99.0.1");
	restart(lab);
	lab_free(&lab);
}

/* All that weft made was taken away meanwhile: it is made again. */
static void test_everything_gone(void **state)
{
	struct lab *lab = lab_new();

	prepare_endpoints(lab);
	lab_stop(lab);
	assert_true(fake_net_delete_link(lab->net, "wf1"));
	assert_true(fake_net_delete_link(lab->net, "wf2"));
	assert_true(fake_net_delete_link(lab->net, "wfm2"));
	assert_true(fake_net_delete_link(lab->net, "weft0"));
	fake_dp_free(&lab->dp);
	lab->dp = fake_dp_new();
	restart(lab);
	lab_free(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations_work),  cmocka_unit_test(test_every_point),
		cmocka_unit_test(test_death_while_down), cmocka_unit_test(test_litter),
		cmocka_unit_test(test_everything_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
