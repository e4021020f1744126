/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of the semantics by hand, and what the engine answers: isolation, tiers, audit, hosts. */
#include <netinet/in.h>
#include <string.h>

#include "engine_fixture.h"

#include "base/mem.h"

static void test_nothing(void **state)
{
	(void)state;
	ALLOWED(IN, 1, 2, "10.0.0.2", 80);
	ALLOWED(OUT, 1, WORLD, OUTSIDE, 80);
	assert_int_equal(lab.subjects[1].profile[IN], WF_POLICY_PROFILE_NONE);
	assert_false(lab.guarded[1]);
}

static void test_isolation(void **state)
{
	struct wf_policy policy = closed("app=web;kubernetes.io/metadata.name=shop");

	(void)state;
	lab_put(&lab, "NetworkPolicy/shop/a", &policy);
	assert_null(policy.sections);
	assert_true(lab.guarded[1]);
	DENIED(IN, 1, 2, "10.0.0.2", 80);
	DENIED(IN, 1, WORLD, OUTSIDE, 80);
	/* the node itself is spared, another node is not; the other direction is not touched */
	ALLOWED(IN, 1, 0, "172.16.0.1", 80);
	ALLOWED(IN, 1, WORLD, "172.16.0.1", 80);
	DENIED(IN, 1, WORLD, "172.16.0.2", 80);
	ALLOWED(OUT, 1, 2, "10.0.0.2", 80);
	/* the same labels in another namespace */
	ALLOWED(IN, 3, 2, "10.0.0.2", 80);
	lab_drop(&lab, "NetworkPolicy/shop/a");
	ALLOWED(IN, 1, 2, "10.0.0.2", 80);
	assert_false(lab.guarded[1]);
	wf_policy_engine_sweep(lab.engine);
	assert_null(lab.pairs);
}

static void test_allow(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	(void)state;
	lab_peer(rule, "app=web;kubernetes.io/metadata.name=shop");
	lab_port(rule, IPPROTO_TCP, 5432, 5433);
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, 1, "10.0.0.1", 5432);
	ALLOWED(IN, 2, 1, "10.0.0.1", 5433);
	ALLOWED(IN, 2, 1, "fd00::1", 5433);
	DENIED(IN, 2, 1, "10.0.0.1", 5434);
	DENIED(IN, 2, 1, "10.0.0.1", 5431);
	DENIED(IN, 2, 3, "10.0.0.3", 5432);
	assert_int_equal(lab_judge(&lab, IN, 2, 1, "10.0.0.1", IPPROTO_SCTP, 5432, NULL),
			 WF_POLICY_DENY);
	assert_int_equal(lab_judge(&lab, IN, 2, 1, "10.0.0.1", IPPROTO_ICMP, 0, NULL),
			 WF_POLICY_DENY);
}

static void test_deny_beats_allow(void **state)
{
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&policy, "app=db");
	struct wf_policy_rule *rule = lab_rule(section, IN, WF_RULE_ALLOW);

	(void)state;
	lab_isolate(section, IN, true);
	rule->any_peer = true;
	rule = lab_rule(section, IN, WF_RULE_DENY);
	lab_peer(rule, "app=web");
	lab_port(rule, IPPROTO_TCP, 22, 22);
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, 1, "10.0.0.1", 22);
	ALLOWED(IN, 2, 1, "10.0.0.1", 23);
	ALLOWED(IN, 2, 4, "10.0.0.4", 22);
	ALLOWED(IN, 2, WORLD, OUTSIDE, 22);
}

static void test_peers_that_are_nobody(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	(void)state;
	/* no peer at all means nobody; no port at all means nothing */
	rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);
	rule->any_peer = true;
	rule->any_port = false;
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 2, WORLD, OUTSIDE, 80);
}

static void test_tiers(void **state)
{
	struct wf_policy admin = lab_policy(WF_TIER_ADMIN, 10),
			 first = lab_policy(WF_TIER_ADMIN, 5);
	struct wf_policy base = lab_policy(WF_TIER_BASELINE, 0), network = closed("app=db");
	struct wf_policy_section *section = lab_section(&admin, "app=db");
	struct wf_policy_rule *rule;

	(void)state;
	rule = lab_rule(section, IN, WF_RULE_PASS);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 100, 199);
	rule = lab_rule(section, IN, WF_RULE_DENY);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 150, 299);
	rule = lab_rule(section, IN, WF_RULE_ALLOW);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 250, 399);
	rule = lab_rule(lab_section(&first, "app=db"), IN, WF_RULE_ALLOW);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 200, 209);
	section = lab_section(&base, "app=db");
	rule = lab_rule(section, IN, WF_RULE_DENY);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 100, 109);
	lab_put(&lab, "admin", &admin);
	lab_put(&lab, "base", &base);
	lab_put(&lab, "first", &first);
	DENIED(IN, 2, 1, "10.0.0.1", 100);  /* passed on, and the baseline denies */
	ALLOWED(IN, 2, 1, "10.0.0.1", 110); /* passed on, nothing says anything */
	ALLOWED(IN, 2, 1, "10.0.0.1", 160); /* what passes is not denied behind */
	ALLOWED(IN, 2, 1, "10.0.0.1", 205); /* the lower priority comes first */
	DENIED(IN, 2, 1, "10.0.0.1", 210);
	DENIED(IN, 2, 1, "10.0.0.1", 260);
	ALLOWED(IN, 2, 1, "10.0.0.1", 300);
	ALLOWED(IN, 2, 1, "10.0.0.1", 500);
	/* isolated by the network tier: the baseline is not asked any more */
	lab_put(&lab, "network", &network);
	DENIED(IN, 2, 1, "10.0.0.1", 110);
	DENIED(IN, 2, 1, "10.0.0.1", 500);
	ALLOWED(IN, 2, 1, "10.0.0.1", 300);
	/* the host is spared by isolation, and then the baseline counts */
	DENIED(IN, 2, 0, "172.16.0.1", 100);
	ALLOWED(IN, 2, 0, "172.16.0.1", 110);
}

static void test_order_within_a_tier(void **state)
{
	struct wf_policy a = lab_policy(WF_TIER_ADMIN, 5), b = lab_policy(WF_TIER_ADMIN, 5);

	(void)state;
	lab_rule(lab_section(&a, "app=db"), IN, WF_RULE_ALLOW)->any_peer = true;
	lab_rule(lab_section(&b, "app=db"), IN, WF_RULE_DENY)->any_peer = true;
	lab_put(&lab, "b", &b);
	lab_put(&lab, "a", &a);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
}

static void test_spared_only_when_all_spare(void **state)
{
	struct wf_policy a = closed("app=db"), b = lab_policy(WF_TIER_NETWORK, 0);

	(void)state;
	lab_put(&lab, "a", &a);
	ALLOWED(IN, 2, 0, "172.16.0.1", 80);
	lab_isolate(lab_section(&b, "app=db"), IN, false);
	lab_put(&lab, "b", &b);
	DENIED(IN, 2, 0, "172.16.0.1", 80);
}

static void test_namespaces(void **state)
{
	struct wf_labels labels = lab_labels("team=blue");
	struct wf_policy policy = closed("app=db");

	(void)state;
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), ";team=blue");
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, 3, "10.0.0.3", 80);
	assert_int_equal(wf_policy_engine_namespace_put(lab.engine, "bank", &labels, false, NULL),
			 0);
	ALLOWED(IN, 2, 3, "10.0.0.3", 80);
	ALLOWED(IN, 2, 4, "10.0.0.4", 80);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	assert_int_equal(wf_policy_engine_namespace_drop(lab.engine, "bank", NULL), 0);
	DENIED(IN, 2, 3, "10.0.0.3", 80);
	/* a name that lies about the namespace does not help */
	wf_labels_done(&labels);
	labels = lab_labels("kubernetes.io/metadata.name=shop");
	policy = closed("app=db");
	lab_peer(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW),
		 ";kubernetes.io/metadata.name=shop");
	lab_put(&lab, "a", &policy);
	assert_int_equal(wf_policy_engine_namespace_put(lab.engine, "bank", &labels, false, NULL),
			 0);
	DENIED(IN, 2, 3, "10.0.0.3", 80);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	wf_labels_done(&labels);
}

static void test_unenforced(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	(void)state;
	rule->any_peer = true;
	rule->unenforced = strdup("rules.http needs L7");
	rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);
	lab_peer(rule, "app=web");
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, 4, "10.0.0.4", 80);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	for (int action = WF_RULE_DENY; action <= WF_RULE_PASS; action++) {
		policy = lab_policy(WF_TIER_ADMIN, 0);
		rule = lab_rule(lab_section(&policy, "app=db"), IN, (enum wf_rule_action)action);
		lab_peer(rule, "app=nobody");
		lab_port(rule, IPPROTO_UDP, 53, 53);
		rule->unenforced = strdup("domainNames needs DNS");
		lab_put(&lab, "b", &policy);
		DENIED(IN, 2, 1, "10.0.0.1", 80);
		DENIED(IN, 2, WORLD, OUTSIDE, 80);
	}
}

static void test_audit(void **state)
{
	struct wf_policy trial = closed("app=db"), real = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&real, "app=db");
	struct wf_policy_rule *rule = lab_rule(section, IN, WF_RULE_DENY);
	uint32_t number;

	(void)state;
	trial.audit = true;
	lab_put(&lab, "trial", &trial);
	AUDITED(IN, 2, 1, "10.0.0.1", 80);
	number = wf_policy_engine_rule_number(lab.engine, "trial", 0, NULL, IN);
	assert_int_not_equal(number, 0);
	(void)lab_judge(&lab, IN, 2, 1, "10.0.0.1", IPPROTO_TCP, 80, &number);
	assert_int_equal(number, wf_policy_engine_rule_number(lab.engine, "trial", 0, NULL, IN));
	/* another policy denies part of it as well */
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 22, 22);
	lab_put(&lab, "real", &real);
	AUDITED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 2, 1, "10.0.0.1", 22);
	lab_drop(&lab, "trial");
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 2, 1, "10.0.0.1", 22);
}

static void test_audit_of_subject(void **state)
{
	struct wf_policy policy = closed("");
	struct wf_labels labels = lab_labels("app=db");
	struct wf_addr addr = lab_addr("10.0.0.2");
	struct wf_policy_member member = { .slot = 2,
					   .namespace = "shop",
					   .labels = &labels,
					   .addrs = &addr,
					   .addr_count = 1,
					   .audit = true };

	(void)state;
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	assert_int_equal(wf_policy_engine_member_put(lab.engine, &member, NULL), 0);
	AUDITED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 1, 2, "10.0.0.2", 80);
	assert_int_equal(wf_policy_engine_namespace_put(lab.engine, "shop", NULL, true, NULL), 0);
	AUDITED(IN, 1, 2, "10.0.0.2", 80);
	DENIED(IN, 3, 2, "10.0.0.2", 80);
	assert_int_equal(wf_policy_engine_namespace_drop(lab.engine, "shop", NULL), 0);
	AUDITED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 1, 2, "10.0.0.2", 80);
	wf_labels_done(&labels);
}

static void test_host(void **state)
{
	static const struct wf_policy_failsafe failsafes[] = {
		{ WF_POLICY_INGRESS, IPPROTO_TCP, 22 },
		{ WF_POLICY_EGRESS, IPPROTO_UDP, 53 },
	};
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section;
	struct wf_labels labels = lab_labels("role=edge");
	struct wf_policy_rule *rule;

	(void)state;
	lab_done(&lab);
	lab_init_failsafe(&lab, 64, 1024, failsafes, WF_ARRAY_LEN(failsafes));
	section = lab_section(&policy, "role=edge");
	section->subject_is_node = true;
	lab_isolate(section, IN, true);
	lab_isolate(section, OUT, true);
	rule = lab_rule(section, IN, WF_RULE_ALLOW);
	lab_peer_entities(rule, WF_ENTITY_WORLD);
	lab_port(rule, IPPROTO_TCP, 443, 443);
	rule = lab_rule(section, IN, WF_RULE_DENY);
	rule->any_peer = true;
	lab_port(rule, IPPROTO_TCP, 22, 22);
	lab_put(&lab, "a", &policy);
	assert_int_equal(lab_member(&lab, 1, "shop", "role=edge"), 0);
	/* not before its labels are known; and an endpoint with the same labels is no node */
	assert_int_equal(lab.subjects[0].profile[IN], WF_POLICY_PROFILE_NONE);
	assert_int_equal(lab.subjects[1].profile[IN], WF_POLICY_PROFILE_NONE);
	assert_int_equal(
		wf_policy_engine_node_put(lab.engine, "here", true, &labels, NULL, 0, NULL), 0);
	ALLOWED(IN, 0, WORLD, OUTSIDE, 443);
	DENIED(IN, 0, WORLD, OUTSIDE, 80);
	DENIED(IN, 0, 1, "10.0.0.1", 443);
	ALLOWED(IN, 0, WORLD, OUTSIDE, 22);
	DENIED(OUT, 0, WORLD, OUTSIDE, 443);
	assert_int_equal(lab_judge(&lab, OUT, 0, WORLD, OUTSIDE, IPPROTO_UDP, 53, NULL),
			 WF_POLICY_ALLOW);
	assert_true(lab.guarded[0]);
	wf_labels_done(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(nothing),
		ENGINE_TEST(isolation),
		ENGINE_TEST(allow),
		ENGINE_TEST(deny_beats_allow),
		ENGINE_TEST(peers_that_are_nobody),
		ENGINE_TEST(tiers),
		ENGINE_TEST(order_within_a_tier),
		ENGINE_TEST(spared_only_when_all_spare),
		ENGINE_TEST(namespaces),
		ENGINE_TEST(unenforced),
		ENGINE_TEST(audit),
		ENGINE_TEST(audit_of_subject),
		ENGINE_TEST(host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
