/* SPDX-License-Identifier: Apache-2.0 */
/* What others break is put right, counted, and tried again when it does not work at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}");
	lab_network(lab, "lan",
		    "{'driver':'macvlan','parent':'uplink','hostAccess':true,"
		    "'subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_endpoint(lab, "blue", "a", 0);
	lab_endpoint(lab, "blue", "b", 1);
	lab_endpoint(lab, "lan", "m", 2);
	lab_settle(lab);
	assert_int_equal(lab->control->repairs_total, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)fake_gate_disarm();
	return lab_teardown_settled(state);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Every way to break something, one after the other. True: there was something to break. */
static bool break_something(struct lab *lab, size_t how)
{
	static const char *const names[] = { "wf1", "weft0", "weft0p", "wfm2" };

	if (how < 4)
		return fake_net_delete_link(lab->net, names[how]);
	if (how < 8)
		return fake_net_set_down(lab->net, names[how - 4]);
	switch (how) {
	case 8: return fake_net_delete_qdisc(lab->net, "wf1");
	case 9: return fake_net_delete_qdisc(lab->net, "weft0p");
	case 10: return fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS);
	case 11: return fake_net_delete_filter(lab->net, WF_BLOCK_EGRESS);
	case 12: return fake_net_delete_route(lab->net, 0);
	case 13: return fake_net_delete_route(lab->net, 2);
	case 14: return fake_net_delete_address(lab->net, 0);
	case 15: return fake_net_rename(lab->net, "wf1", "mine");
	case 16: return fake_net_rename(lab->net, "weft0", "mine");
	default: return fake_net_rename(lab->net, "weft0p", "mine");
	}
}

#define WAYS 18

static void test_all_ways(void **state)
{
	struct lab *lab = *state;

	for (size_t how = 0; how < WAYS; how++) {
		if (!break_something(lab, how))
			fail_msg("way %zu breaks nothing", how);
		lab_settle(lab);
		print_message("way %zu\n", how);
		lab_assert_consistent(lab);
	}
	assert_true(lab->control->repairs_total > 0);
}

/* The same when the news is lost. */
static void test_all_ways_unseen(void **state)
{
	struct lab *lab = *state;

	for (size_t how = 0; how < WAYS; how++) {
		assert_true(break_something(lab, how));
		fake_net_overrun(lab->net);
		lab_settle(lab);
		print_message("way %zu\n", how);
		lab_assert_consistent(lab);
	}
}

/* The same when a look at everything comes before the news does. */
static void test_all_ways_seen_twice(void **state)
{
	struct lab *lab = *state;

	for (size_t how = 0; how < WAYS; how++) {
		assert_true(break_something(lab, how));
		assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
		lab_settle(lab);
		print_message("way %zu\n", how);
		lab_assert_consistent(lab);
	}
}

/* A repair that fails is made later: call n of net or of the maps fails, for every n. */
static void repair_with_faults(struct lab *lab, enum fake_kind kind)
{
	for (size_t how = 0; how < WAYS; how++) {
		bool has_failed = true;

		for (size_t n = 0; has_failed; n++) {
			assert_true(break_something(lab, how));
			fake_gate_arm(kind, n);
			lab_settle(lab);
			has_failed = fake_gate_disarm();
			lab_settle(lab);
			print_message("way %zu, call %zu (%s)\n", how, n, fake_gate_failed());
			lab_assert_consistent(lab);
		}
	}
}

static void test_net_fails(void **state)
{
	repair_with_faults(*state, FAKE_NET);
}

static void test_dp_fails(void **state)
{
	repair_with_faults(*state, FAKE_DP);
}

/* A container dies while the store takes nothing: its endpoint goes when it can. */
static void test_store_fails(void **state)
{
	struct lab *lab = *state;

	fake_gate_arm(FAKE_STORE, 0);
	fake_net_kill_ns(lab->net, "/fake/c0");
	lab_settle(lab);
	assert_true(fake_gate_disarm());
	assert_null(wf_ctl_endpoint_find(lab->control, "a"));
	fake_gate_arm(FAKE_STORE, 0);
	fake_net_kill_ns(lab->net, "/fake/c2");
	lab_settle(lab);
	assert_true(fake_gate_disarm());
	assert_null(wf_ctl_endpoint_find(lab->control, "m"));
}

/* When no descriptor is left the living stay: not knowing is not knowing of a death. */
static void test_namespaces_cannot_be_opened(void **state)
{
	struct lab *lab = *state;

	for (size_t n = 0; n < 12; n++) {
		fake_gate_arm(FAKE_NET, n);
		(void)wf_control_resync(lab->control, &lab->err);
		(void)fake_gate_disarm();
		lab_settle(lab);
		assert_int_equal(lab->control->endpoint_count, 3);
	}
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
}

/* A look at everything that fails half way: what it found is put right all the same. */
static void test_resync_fails(void **state)
{
	static const enum fake_kind kinds[] = { FAKE_NET, FAKE_DP, FAKE_STORE };
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		bool has_failed = true;

		for (size_t n = 0; has_failed; n++) {
			int r;

			assert_true(fake_net_delete_link(lab->net, "wf1"));
			assert_true(fake_net_delete_qdisc(lab->net, "wf2"));
			assert_int_equal(wf_dp_endpoint_clear(lab->dp, 2, NULL), 0);
			fake_net_forget_events(lab->net);
			fake_gate_arm(kinds[i], n);
			r = wf_control_resync(lab->control, &lab->err);
			has_failed = fake_gate_disarm();
			if (r < 0)
				assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
			lab_settle(lab);
			lab_assert_consistent(lab);
		}
	}
}

/* A device that was not there at the start is looked for when somebody needs it. */
static void test_parent_comes_late(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_detach(lab, "m"), 0);
	lab_stop(lab);
	assert_true(fake_net_delete_link(lab->net, "uplink"));
	lab_restart(lab);
	lab_assert_refused(lab,
			   lab_attach(lab, "{'network':'lan','name':'m','netns':'/fake/c2',"
					   "'owner':'cli'}"),
			   -ENODEV, "spec.parent", "no device uplink");
	(void)fake_net_add_device(lab->net, "uplink", 1500);
	lab_endpoint(lab, "lan", "m", 2);
}

/* The parent of a macvlan network goes away, and everything else is still looked after. */
static void test_parent_is_lost(void **state)
{
	struct lab *lab = *state;

	/* what was in containers is lost with it, and weft does not see that */
	assert_int_equal(lab_detach(lab, "m"), 0);
	lab_settle(lab);
	assert_true(fake_net_delete_link(lab->net, "uplink"));
	assert_true(fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS));
	assert_true(fake_net_delete_qdisc(lab->net, "wf1"));
	lab_settle(lab);
	assert_int_equal(fake_dp_slot(lab->dp, 1).flags & WF_EP_READY, WF_EP_READY);
	assert_false(fake_net_delete_link(lab->net, "wfm2"));
	assert_true(fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS));
	(void)fake_net_add_device(lab->net, "uplink", 1500);
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
}

/* An interface of a container that somebody deleted inside of it. */
static void test_deaths(void **state)
{
	struct lab *lab = *state;

	fake_net_kill_ns(lab->net, "/fake/c0");
	fake_net_kill_ns(lab->net, "/fake/c2");
	lab_settle(lab);
	assert_null(wf_ctl_endpoint_find(lab->control, "a"));
	assert_null(wf_ctl_endpoint_find(lab->control, "m"));
	assert_non_null(wf_ctl_endpoint_find(lab->control, "b"));
}

/* Somebody who breaks things all the time is answered at a limited rate. */
static void test_rate(void **state)
{
	struct lab *lab = *state;
	struct timeval when;

	for (int i = 0; i < 60; i++) {
		assert_true(fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS));
		lab_settle(lab);
	}
	assert_true(fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS));
	(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
	assert_true(evtimer_pending(lab->control->repair_timer, &when));
	assert_true(lab->control->repair_count > 50);
	lab_settle(lab);
	fake_clock_advance_ms(11000);
	assert_true(fake_net_delete_filter(lab->net, WF_BLOCK_INGRESS));
	lab_settle(lab);
	assert_int_equal(lab->control->repair_count, 1);
}

/* A start is told before devices are looked at; whoever needs a slot has them looked at first. */
static void test_start_in_two_halves(void **state)
{
	struct lab *lab = *state;
	unsigned int asked, settled;

	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_true(fake_net_set_down(lab->net, "wf2"));
	lab_stop(lab);
	asked = fake_net_leftovers_asked(lab->net);
	assert_int_equal(lab_start(lab), 0);
	assert_int_equal(fake_net_leftovers_asked(lab->net), asked);
	assert_int_equal(lab->control->repairs_total, 0);
	assert_int_equal(lab->control->slots[1], CTL_SLOT_FREE);
	/* wf1 is still there, dead and nobody's */
	lab_endpoint(lab, "blue", "z", 0);
	settled = fake_net_leftovers_asked(lab->net);
	assert_true(settled > asked);
	assert_int_equal(lab->control->repairs_total, 1);
	assert_int_not_equal(wf_ctl_endpoint_find(lab->control, "z")->spec.slot, 1);
	lab_settle(lab);
	assert_int_equal(lab->control->slots[1], CTL_SLOT_FREE);
	assert_int_equal(fake_net_leftovers_asked(lab->net), settled);
}

/* Nor has anybody to wait for it who comes later: the loop's first round does it. */
static void test_start_is_finished_at_once(void **state)
{
	struct lab *lab = *state;
	unsigned int asked;

	assert_true(fake_net_set_down(lab->net, "wf2"));
	lab_stop(lab);
	assert_int_equal(lab_start(lab), 0);
	asked = fake_net_leftovers_asked(lab->net);
	assert_int_equal(lab->control->repairs_total, 0);
	(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
	assert_int_equal(lab->control->repairs_total, 1);
	assert_int_equal(lab->control->dirty & CTL_DIRTY_REST, 0);
	assert_true(fake_net_leftovers_asked(lab->net) > asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_all_ways),
		CASE(test_all_ways_unseen),
		CASE(test_all_ways_seen_twice),
		CASE(test_net_fails),
		CASE(test_dp_fails),
		CASE(test_store_fails),
		CASE(test_namespaces_cannot_be_opened),
		CASE(test_resync_fails),
		CASE(test_parent_is_lost),
		CASE(test_parent_comes_late),
		CASE(test_deaths),
		CASE(test_rate),
		CASE(test_start_in_two_halves),
		CASE(test_start_is_finished_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
