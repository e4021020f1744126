/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation and every effect fails in turn: nothing is half done, and a second try works. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#include "../fail_alloc.h"
#include "base/mem.h"

#define RULES    256
#define PROFILES 16
#define CHANGES  8

static struct lab lab;

static struct wf_policy make_policy(bool more)
{
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&policy, "app=db");
	struct wf_policy_rule *rule;

	lab_isolate(section, WF_POLICY_INGRESS, true);
	rule = lab_rule(section, WF_POLICY_INGRESS, WF_RULE_ALLOW);
	lab_peer(rule, more ? "app=web" : "app=web;team=t");
	lab_port_named(rule, IPPROTO_TCP, "http");
	rule = lab_rule(section, WF_POLICY_INGRESS, WF_RULE_ALLOW);
	lab_except(lab_peer_cidr(rule, more ? "10.0.0.0/8" : "192.0.2.0/24", true),
		   more ? "10.0.0.3/32" : "192.0.2.128/25");
	(void)lab_peer_add(rule, WF_PEER_SERVICE);
	if (more) {
		section = lab_section(&policy, "app=web");
		lab_isolate(section, WF_POLICY_EGRESS, true);
		rule = lab_rule(section, WF_POLICY_EGRESS, WF_RULE_ALLOW);
		(void)lab_peer_add(rule, WF_PEER_SERVICE);
		lab_port_named(rule, IPPROTO_TCP, "http");
	}
	return policy;
}

static void setup_lab(void)
{
	struct wf_policy policy = make_policy(false);
	struct wf_addr addr = lab_addr("172.16.0.1");

	lab_init(&lab, PROFILES, RULES);
	assert_int_equal(wf_policy_engine_node_put(lab.engine, "here", true, NULL, &addr, 1, NULL),
			 0);
	assert_int_equal(lab_member(&lab, 1, "shop", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	assert_int_equal(lab_member(&lab, 3, "bank", "app=web"), 0);
	lab_put(&lab, "a", &policy);
	wf_policy_engine_sweep(lab.engine);
}

/* The changes that are tried; 0 or what the engine says. */
static int change(unsigned int number)
{
	static const struct wf_labels none;
	struct wf_addr addrs[] = { lab_addr("10.0.0.2"), lab_addr("192.0.2.7") };
	const struct wf_policy_backends two = { .addrs = addrs, .count = 2 };
	struct wf_policy policy;
	struct wf_policy_member member = {
		.slot = 2, .namespace = "bank", .labels = &none, .addrs = addrs, .addr_count = 2
	};
	int r;

	switch (number) {
	case 0:
	case 1: return wf_policy_engine_member_put(lab.engine, &member, NULL);
	case 2:
		return wf_policy_engine_node_put(lab.engine, "there", false, &none, addrs + 1, 1,
						 NULL);
	case 3: return wf_policy_engine_service_put(lab.engine, "shop", "s", &none, &two, NULL);
	case 4: return wf_policy_engine_namespace_put(lab.engine, "shop", &none, true, NULL);
	case 5: return wf_policy_engine_policy_drop(lab.engine, "a", NULL);
	default:
		policy = make_policy(true);
		r = wf_policy_engine_policy_put(lab.engine, number == 6 ? "a" : "b", &policy, NULL);
		if (r < 0)
			assert_non_null(policy.sections);
		wf_policy_done(&policy);
		return r;
	}
}

/* All that programs read, and what the engine says of itself. */
struct state {
	struct wf_policy_subject_value subjects[LAB_SLOTS];
	bool guarded[LAB_SLOTS];
	struct wf_policy_use use;
	size_t pair_count, prefix_count;
	uint8_t verdicts[2 * 4 * 5];
};

static void look(struct state *state)
{
	static const char *const addrs[] = { "10.0.0.1", "fd00::3", "192.0.2.1", "172.16.0.1",
					     "10.0.0.3" };
	size_t at = 0;

	memset(state, 0, sizeof(*state));
	memcpy(state->subjects, lab.memory.subjects, sizeof(state->subjects));
	memcpy(state->guarded, lab.guarded, sizeof(state->guarded));
	wf_policy_engine_use(lab.engine, &state->use);
	state->use.memory_bytes = 0;
	state->pair_count = HASH_COUNT(lab.pairs);
	state->prefix_count = lab.prefix_count;
	for (uint32_t slot = 0; slot < 4; slot++)
		for (size_t i = 0; i < WF_ARRAY_LEN(addrs); i++)
			for (int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
				state->verdicts[at++] = lab_judge(&lab, (enum wf_policy_dir)dir,
								  slot, i == 1 ? 3 : UINT32_MAX,
								  addrs[i], IPPROTO_TCP, 80, NULL);
}

static void expect_same(const struct state *was, unsigned int number)
{
	struct state is;

	wf_policy_engine_sweep(lab.engine);
	look(&is);
	if (number < 2) {
		/* an endpoint fails closed, and only it */
		assert_int_equal(is.subjects[2].profile[0], WF_POLICY_PROFILE_DENY_ALL);
		assert_int_equal(is.subjects[2].profile[1], WF_POLICY_PROFILE_DENY_ALL);
		is.subjects[2] = was->subjects[2];
		assert_memory_equal(is.subjects, was->subjects, sizeof(is.subjects));
		return;
	}
	assert_memory_equal(is.subjects, was->subjects, sizeof(is.subjects));
	assert_memory_equal(is.guarded, was->guarded, sizeof(is.guarded));
	assert_memory_equal(&is.use, &was->use, sizeof(is.use));
	assert_memory_equal(is.verdicts, was->verdicts, sizeof(is.verdicts));
	assert_int_equal(is.pair_count, was->pair_count);
	assert_int_equal(is.prefix_count, was->prefix_count);
}

/* One change with failure n; whether something has failed. */
static bool try_one(unsigned int number, size_t n, bool of_memory)
{
	struct state was, is;
	bool failed;
	int r;

	setup_lab();
	look(&was);
	lab.calls = 0;
	lab.has_failed = false;
	if (of_memory)
		fail_alloc_arm(n);
	else
		lab.fail_at = n;
	r = change(number);
	failed = of_memory ? fail_alloc_disarm() : lab.has_failed;
	lab.fail_at = SIZE_MAX;
	if (r < 0) {
		assert_true(failed);
		expect_same(&was, number);
	}
	assert_int_equal(change(number), 0);
	wf_policy_engine_sweep(lab.engine);
	look(&is);
	assert_int_equal(is.pair_count, is.use.pairs);
	assert_int_equal(is.prefix_count, is.use.prefixes);
	lab_done(&lab);
	return failed;
}

static void test_each(void **state)
{
	(void)state;
	for (unsigned int number = 0; number < CHANGES; number++) {
		size_t allocations = 0, effects = 0;

		while (number != 6 && number != 7 && try_one(number, allocations, true))
			allocations++;
		while (try_one(number, effects, false))
			effects++;
		assert_true(effects > 0);
	}
}

/* The same of policies, whose making is not to fail. */
static void test_policy(void **state)
{
	(void)state;
	for (unsigned int number = 0; number < 2; number++)
		for (size_t n = 0;; n++) {
			struct wf_policy policy;
			struct state was;
			bool failed;
			int r;

			setup_lab();
			look(&was);
			policy = make_policy(true);
			fail_alloc_arm(n);
			r = wf_policy_engine_policy_put(lab.engine, number ? "b" : "a", &policy,
							NULL);
			failed = fail_alloc_disarm();
			if (r < 0) {
				assert_int_equal(r, -ENOMEM);
				expect_same(&was, 6);
				r = wf_policy_engine_policy_put(lab.engine, number ? "b" : "a",
								&policy, NULL);
			}
			assert_int_equal(r, 0);
			assert_null(policy.sections);
			lab_done(&lab);
			if (!failed)
				break;
		}
}

/* A drop never fails for long. */
static void test_member_drop(void **state)
{
	(void)state;
	for (int of_memory = 0; of_memory < 2; of_memory++)
		for (size_t n = 0;; n++) {
			struct wf_policy_use use;
			bool failed;

			setup_lab();
			lab.calls = 0;
			lab.has_failed = false;
			if (of_memory)
				fail_alloc_arm(n);
			else
				lab.fail_at = n;
			wf_policy_engine_member_drop(lab.engine, 2);
			failed = of_memory ? fail_alloc_disarm() : lab.has_failed;
			lab.fail_at = SIZE_MAX;
			assert_int_equal(lab.subjects[2].profile[0], WF_POLICY_PROFILE_DENY_ALL);
			assert_int_equal(lab.subjects[2].profile[1], WF_POLICY_PROFILE_DENY_ALL);
			lab_drop(&lab, "not there");
			wf_policy_engine_use(lab.engine, &use);
			assert_int_equal(use.members, 2);
			lab_done(&lab);
			if (!failed)
				break;
		}
}

static void test_new(void **state)
{
	(void)state;
	for (size_t n = 0;; n++) {
		struct wf_policy_memory memory;
		struct wf_policy_effects effects = { 0 };
		struct wf_policy_engine *engine = NULL;
		int r;

		lab_init(&lab, PROFILES, RULES);
		memory = lab.memory;
		fail_alloc_arm(n);
		r = wf_policy_engine_new(&engine, &memory, &effects, NULL, 0, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			wf_policy_engine_free(&engine);
			lab_done(&lab);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(engine);
		lab_done(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_member_drop),
		cmocka_unit_test(test_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
