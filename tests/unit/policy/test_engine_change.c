/* SPDX-License-Identifier: Apache-2.0 */
/* How the engine keeps what it was told: addresses that are used again, batches, full tables, restarts. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine_fixture.h"

static void test_address_reuse(void **state)
{
	struct wf_policy policy = closed("app=db");

	(void)state;
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), "app=web");
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	wf_policy_engine_member_drop(lab.engine, 1);
	assert_int_equal(lab.subjects[1].profile[IN], WF_POLICY_PROFILE_DENY_ALL);
	assert_int_equal(lab.subjects[1].profile[OUT], WF_POLICY_PROFILE_DENY_ALL);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	assert_int_equal(lab_member(&lab, 1, "shop", "app=other"), 0);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	ALLOWED(OUT, 1, 2, "10.0.0.2", 80);
}

/* Once for each direction that policies begin to be about; not for what is new, or still closed. */
static void test_what_closes_is_told(void **state)
{
	struct wf_policy in = closed("app=db"), more = closed("app=db");
	struct wf_policy out = lab_policy(WF_TIER_NETWORK, 0);

	(void)state;
	lab_isolate(lab_section(&out, "app=db"), OUT, true);
	lab_put(&lab, "in", &in);
	assert_int_equal(lab.closed[2], 1);
	assert_int_equal(lab.closed[1], 0);
	lab_peer(lab_rule(&more.sections[0], IN, WF_RULE_ALLOW), "app=web");
	lab_put(&lab, "more", &more);
	assert_int_equal(lab.closed[2], 1);
	lab_put(&lab, "out", &out);
	assert_int_equal(lab.closed[2], 2);
	lab_restart(&lab);
	assert_int_equal(lab.closed[2], 2);
	lab_drop(&lab, "out");
	lab_drop(&lab, "more");
	assert_int_equal(lab.closed[2], 2);
}

static void test_replicas_share(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_use one, many;
	size_t writes;

	(void)state;
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), "app=web");
	lab_put(&lab, "a", &policy);
	wf_policy_engine_use(lab.engine, &one);
	writes = lab.pair_writes;
	for (uint32_t slot = 10; slot < LAB_SLOTS; slot++)
		assert_int_equal(lab_member(&lab, slot, "shop", slot % 2 ? "app=db" : "app=web"),
				 0);
	wf_policy_engine_use(lab.engine, &many);
	assert_int_equal(many.members, one.members + LAB_SLOTS - 10);
	assert_int_equal(many.classes, one.classes);
	assert_int_equal(many.profiles, one.profiles);
	assert_int_equal(many.pairs, one.pairs);
	assert_int_equal(many.rules, one.rules);
	assert_int_equal(lab.pair_writes, writes);
}

static void test_answers(void **state)
{
	struct wf_policy policy = closed("app=web");
	struct wf_policy_rule_info info;
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);
	uint32_t slots[2], number, again;

	(void)state;
	lab_peer(rule, "app=db");
	lab_put(&lab, "a", &policy);
	assert_int_equal(wf_policy_engine_selected(lab.engine, "a", 0, slots, 2), 2);
	assert_int_equal(slots[0], 1);
	assert_int_equal(slots[1], 3);
	assert_int_equal(wf_policy_engine_selected(lab.engine, "a", 1, slots, 2), 0);
	assert_int_equal(wf_policy_engine_selected(lab.engine, "b", 0, slots, 2), 0);
	rule = &wf_policy_engine_policy(lab.engine, "a")->sections[0].rules[0];
	assert_int_equal(wf_policy_engine_peers(lab.engine, &rule->peers[0], slots, 1), 1);
	assert_int_equal(slots[0], 2);
	number = wf_policy_engine_rule_number(lab.engine, "a", 0, rule, IN);
	assert_int_equal(lab_judge(&lab, IN, 1, 2, "10.0.0.2", IPPROTO_TCP, 80, &again),
			 WF_POLICY_ALLOW);
	assert_int_equal(again, number);
	assert_true(wf_policy_engine_rule(lab.engine, number, &info));
	assert_string_equal(info.key, "a");
	assert_ptr_equal(info.rule, rule);
	assert_int_equal(lab_judge(&lab, IN, 1, 4, "10.0.0.4", IPPROTO_TCP, 80, &again),
			 WF_POLICY_DENY);
	assert_true(wf_policy_engine_rule(lab.engine, again, &info));
	assert_null(info.rule);
	assert_int_equal(info.dir, IN);
	assert_false(wf_policy_engine_rule(lab.engine, 0, &info));
	assert_false(wf_policy_engine_rule(lab.engine, 1000, &info));
	/* stable while others come and go */
	policy = closed("app=db");
	lab_put(&lab, "0", &policy);
	lab_drop(&lab, "0");
	assert_int_equal(wf_policy_engine_rule_number(lab.engine, "a", 0, rule, IN), number);
}

static void test_batch(void **state)
{
	struct wf_policy policy = closed("app=web");

	(void)state;
	wf_policy_engine_begin(lab.engine);
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 1, 2, "10.0.0.2", 80);
	wf_policy_engine_rollback(lab.engine);
	assert_null(wf_policy_engine_policy(lab.engine, "a"));
	policy = closed("app=web");
	wf_policy_engine_begin(lab.engine);
	lab_put(&lab, "a", &policy);
	policy = closed("app=db");
	lab_put(&lab, "b", &policy);
	lab_drop(&lab, "a");
	assert_int_equal(wf_policy_engine_commit(lab.engine, NULL), 0);
	ALLOWED(IN, 1, 2, "10.0.0.2", 80);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
}

static void test_full_tables(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_err err = WF_ERR_INIT;

	(void)state;
	lab_done(&lab);
	lab_init(&lab, 4, 4);
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, WORLD, OUTSIDE, 80);
	/* too many rules for the table: what was in force stays */
	policy = closed("app=db");
	lab_port(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), IPPROTO_TCP, 80, 80);
	policy.sections[0].rules[0].any_peer = true;
	lab_port(&policy.sections[0].rules[0], IPPROTO_TCP, 90, 90);
	assert_int_equal(wf_policy_engine_policy_put(lab.engine, "a", &policy, &err), -ENOSPC);
	assert_non_null(strstr(err.message, "policy rules"));
	assert_int_equal(policy.section_count, 1);
	wf_policy_done(&policy);
	DENIED(IN, 2, WORLD, OUTSIDE, 80);
	/* too many profiles: the endpoint that needs the last fails closed */
	policy = closed("app=x");
	lab_put(&lab, "b", &policy);
	assert_int_equal(lab_member(&lab, 3, "shop", "app=x"), 0);
	policy = closed("app=y");
	lab_put(&lab, "c", &policy);
	assert_int_equal(lab_member(&lab, 4, "shop", "app=y"), -ENOSPC);
	assert_int_equal(lab.subjects[4].profile[IN], WF_POLICY_PROFILE_DENY_ALL);
	assert_int_equal(lab.subjects[4].profile[OUT], WF_POLICY_PROFILE_DENY_ALL);
	lab_drop(&lab, "b");
	wf_policy_engine_sweep(lab.engine);
	assert_int_equal(lab_member(&lab, 4, "shop", "app=y"), 0);
	DENIED(IN, 4, WORLD, OUTSIDE, 80);
	ALLOWED(OUT, 4, WORLD, OUTSIDE, 80);
}

/* A policy that allows one port. */
static struct wf_policy opened(uint16_t port)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, port, port);
	return policy;
}

/* Programs that are at work find what they were sent to, until there is no room without it. */
static void test_what_is_at_work_is_left_alone(void **state)
{
	struct wf_policy policy = opened(80);
	struct wf_policy_run before;
	uint32_t profile;
	uint16_t port;

	(void)state;
	lab_done(&lab);
	lab_init(&lab, 8, 16);
	lab.rests = true;
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	lab_put(&lab, "a", &policy);
	profile = lab.subjects[2].profile[IN];
	before = lab.memory.profiles[profile];
	for (port = 81; lab.waits == 0 && port < 100; port++) {
		policy = opened(port);
		assert_int_equal(lab.memory.profiles[profile].first, before.first);
		assert_int_equal(lab.memory.profiles[profile].count, before.count);
		assert_int_not_equal(lab.memory.rules[before.first + 1].at, 0);
		lab_put(&lab, "a", &policy);
		ALLOWED(IN, 2, WORLD, OUTSIDE, port);
		DENIED(IN, 2, WORLD, OUTSIDE, port - 1);
	}
	/* it did not come to that at once, and then there was room for some more */
	assert_in_range(port, 83, 99);
	policy = opened(port);
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, WORLD, OUTSIDE, port);
	lab.rests = false;
	lab_drop(&lab, "a");
	wf_policy_engine_sweep(lab.engine);
	ALLOWED(IN, 2, WORLD, OUTSIDE, 1);
	for (uint32_t i = 0; i < lab.memory.rule_count; i++)
		assert_int_equal(lab.memory.rules[i].at | lab.memory.rules[i].rule, 0);
}

static void test_restart(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_use use;

	(void)state;
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), "app=web");
	(void)lab_peer_cidr(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), "192.0.2.0/24",
			    false);
	lab_put(&lab, "a", &policy);
	lab_restart(&lab);
	/* in force as it was; the new engine does not know what it means */
	assert_int_equal(lab_judge(&lab, IN, 2, 1, "10.0.0.1", IPPROTO_TCP, 80, NULL),
			 WF_POLICY_ALLOW);
	assert_int_equal(lab_judge(&lab, IN, 2, 4, "10.0.0.4", IPPROTO_TCP, 80, NULL),
			 WF_POLICY_DENY);
	assert_int_equal(lab_judge(&lab, IN, 2, WORLD, OUTSIDE, IPPROTO_TCP, 80, NULL),
			 WF_POLICY_ALLOW);
	wf_policy_engine_begin(lab.engine);
	policy = closed("app=db");
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), "app=web");
	lab_put(&lab, "a", &policy);
	assert_int_equal(lab_member(&lab, 1, "shop", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	assert_int_equal(wf_policy_engine_commit(lab.engine, NULL), 0);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 2, WORLD, OUTSIDE, 80);
	/* endpoints that are gone fail closed; nothing that was left stays */
	assert_int_equal(lab.subjects[4].profile[IN], WF_POLICY_PROFILE_DENY_ALL);
	assert_int_equal(lab.prefix_count, 0);
	wf_policy_engine_use(lab.engine, &use);
	assert_int_equal(HASH_COUNT(lab.pairs), use.pairs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(what_closes_is_told),
		ENGINE_TEST(address_reuse),
		ENGINE_TEST(replicas_share),
		ENGINE_TEST(answers),
		ENGINE_TEST(batch),
		ENGINE_TEST(full_tables),
		ENGINE_TEST(what_is_at_work_is_left_alone),
		ENGINE_TEST(restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
