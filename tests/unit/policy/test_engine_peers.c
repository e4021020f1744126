/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who and what rules are about, by hand, and what the engine answers: addresses, entities, nodes, ports,
 * services.
 */
#include <netinet/in.h>

#include "engine_fixture.h"

#include "base/mem.h"

static void test_cidr(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);
	struct wf_peer *peer = lab_peer_cidr(rule, "192.0.2.0/24", false);

	(void)state;
	lab_except(peer, "192.0.2.64/26");
	(void)lab_peer_cidr(rule, "192.0.2.80/32", false);
	(void)lab_peer_cidr(rule, "10.0.0.0/8", false);
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, WORLD, OUTSIDE, 80);
	DENIED(IN, 2, WORLD, "192.0.2.65", 80);
	ALLOWED(IN, 2, WORLD, "192.0.2.80", 80);
	ALLOWED(IN, 2, WORLD, "192.0.2.128", 80);
	DENIED(IN, 2, WORLD, "192.0.3.1", 80);
	ALLOWED(IN, 2, WORLD, "10.9.9.9", 80);
	DENIED(IN, 2, WORLD, "2001:db8::1", 80);
	/* an endpoint is not what that CIDR means */
	DENIED(IN, 2, 1, "10.0.0.1", 80);
	lab_drop(&lab, "a");
	ALLOWED(IN, 2, WORLD, "192.0.2.65", 80);
	wf_policy_engine_sweep(lab.engine);
	lab_drop(&lab, "a");
	/* only those of nodes are left */
	assert_int_equal(lab.prefix_count, 3);
}

static void test_cidr_holds_endpoints(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	(void)state;
	lab_except(lab_peer_cidr(rule, "10.0.0.0/29", true), "10.0.0.3/32");
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, 1, "10.0.0.1", 80);
	DENIED(IN, 2, 1, "fd00::1", 80);
	DENIED(IN, 2, 3, "10.0.0.3", 80);
	ALLOWED(IN, 2, WORLD, "10.0.0.6", 80);
	/* an endpoint of which one address is meant and another is not */
	{
		struct wf_labels labels = lab_labels("app=x");
		struct wf_addr addrs[] = { lab_addr("10.0.0.5"), lab_addr("10.0.1.5"),
					   lab_addr("fd00::5") };
		struct wf_policy_member member = { .slot = 5,
						   .namespace = "shop",
						   .labels = &labels,
						   .addrs = addrs,
						   .addr_count = 3 };

		assert_int_equal(wf_policy_engine_member_put(lab.engine, &member, NULL), 0);
		wf_labels_done(&labels);
	}
	assert_true(lab.subjects[5].class_id[0] & WF_POLICY_CLASS_ODD);
	assert_false(lab.subjects[5].class_id[1] & WF_POLICY_CLASS_ODD);
	ALLOWED(IN, 2, 5, "10.0.0.5", 80);
	DENIED(IN, 2, 5, "10.0.1.5", 80);
	lab_drop(&lab, "a");
	lab_drop(&lab, "a");
	assert_false(lab.subjects[5].class_id[0] & WF_POLICY_CLASS_ODD);
	assert_int_equal(lab.prefix_count, 3);
}

/* Endpoints elsewhere with one address in two scopes: each is what its labels say. */
static void test_scopes(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);
	struct wf_addr addr = lab_addr("10.9.0.1");
	static const char *const labels[] = { "app=web", "app=other" };

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct wf_labels of = lab_labels(labels[i]);
		struct wf_policy_member member = { .scope = i ? 7 : WF_NETWORK_HOST,
						   .namespace = "shop",
						   .labels = &of,
						   .addrs = &addr,
						   .addr_count = 1 };

		assert_int_equal(wf_policy_engine_remote_put(lab.engine, &member, NULL), 0);
		wf_labels_done(&of);
	}
	lab_peer(rule, "app=web");
	lab_put(&lab, "a", &policy);
	for (int turn = 0; turn < 2; turn++) {
		lab.scope = WF_NETWORK_HOST;
		ALLOWED(IN, 2, WORLD, "10.9.0.1", 80);
		lab.scope = 7;
		DENIED(IN, 2, WORLD, "10.9.0.1", 80);
		lab.scope = 8;
		DENIED(IN, 2, WORLD, "10.9.0.1", 80);
		/* another version of their namespace leaves them where they are */
		assert_int_equal(
			wf_policy_engine_namespace_put(lab.engine, "shop", NULL, false, NULL), 0);
	}
	/* what goes in one scope stays in the other */
	assert_int_equal(wf_policy_engine_remote_drop(lab.engine, 7, &addr, 1, NULL), 0);
	lab.scope = WF_NETWORK_HOST;
	ALLOWED(IN, 2, WORLD, "10.9.0.1", 80);
	assert_int_equal(wf_policy_engine_remote_drop(lab.engine, WF_NETWORK_HOST, &addr, 1, NULL),
			 0);
	DENIED(IN, 2, WORLD, "10.9.0.1", 80);
}

static void test_worlds(void **state)
{
	struct wf_policy policy = closed("app=db");
	struct wf_policy_rule *rule = lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW);

	(void)state;
	lab_peer_entities(rule, WF_ENTITY_WORLD6);
	lab_put(&lab, "a", &policy);
	DENIED(IN, 2, WORLD, OUTSIDE, 80);
	ALLOWED(IN, 2, WORLD, "2001:db8::1", 80);
	DENIED(IN, 2, 1, "fd00::1", 80);
	policy = closed("app=db");
	lab_peer_entities(lab_rule(&policy.sections[0], IN, WF_RULE_ALLOW), WF_ENTITY_WORLD4);
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 2, WORLD, OUTSIDE, 80);
	DENIED(IN, 2, WORLD, "2001:db8::1", 80);
}

static void test_entities(void **state)
{
	static const struct {
		uint32_t slot;
		const char *addr;
		uint32_t entity;
	} peers[] = {
		{ 1, "10.0.0.1", WF_ENTITY_ENDPOINT },
		{ 0, "172.16.0.1", WF_ENTITY_HOST },
		{ WORLD, "fd01::1", WF_ENTITY_HOST },
		{ WORLD, "172.16.0.2", WF_ENTITY_REMOTE_NODE },
		{ WORLD, OUTSIDE, WF_ENTITY_WORLD },
	};

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(peers); i++) {
		struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
		struct wf_policy_section *section = lab_section(&policy, "app=db");

		lab_isolate(section, IN, false);
		lab_peer_entities(lab_rule(section, IN, WF_RULE_ALLOW), peers[i].entity);
		lab_put(&lab, "a", &policy);
		for (size_t j = 0; j < WF_ARRAY_LEN(peers); j++)
			assert_int_equal(tcp(IN, 2, peers[j].slot, peers[j].addr, 80),
					 peers[i].entity == peers[j].entity ? WF_POLICY_ALLOW
									    : WF_POLICY_DENY);
	}
}

static void test_nodes(void **state)
{
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&policy, "");
	struct wf_policy_rule *rule = lab_rule(section, OUT, WF_RULE_ALLOW);

	(void)state;
	lab_isolate(section, OUT, false);
	lab_select(&lab_peer_add(rule, WF_PEER_NODES)->selector, "kubernetes.io/hostname=there");
	lab_put(&lab, "a", &policy);
	ALLOWED(OUT, 1, WORLD, "172.16.0.2", 80);
	DENIED(OUT, 1, WORLD, "172.16.0.1", 80);
	DENIED(OUT, 1, 0, "172.16.0.1", 80);
	/* a policy that selects every endpoint does not select the node */
	assert_int_equal(lab.subjects[0].profile[OUT], WF_POLICY_PROFILE_NONE);
	assert_int_equal(wf_policy_engine_node_drop(lab.engine, "there", NULL), 0);
	DENIED(OUT, 1, WORLD, "172.16.0.2", 80);
}

static void test_named_ports(void **state)
{
	static const struct wf_endpoint_port http = { "http", IPPROTO_TCP, 8080 };
	struct wf_labels labels = lab_labels("app=named");
	struct wf_addr addr = lab_addr("10.0.0.9");
	struct wf_policy_member member = { .slot = 9,
					   .namespace = "shop",
					   .labels = &labels,
					   .ports = &http,
					   .port_count = 1,
					   .addrs = &addr,
					   .addr_count = 1 };
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&policy, "");
	struct wf_policy_rule *rule;

	(void)state;
	assert_int_equal(wf_policy_engine_member_put(lab.engine, &member, NULL), 0);
	lab_isolate(section, IN, true);
	lab_isolate(section, OUT, true);
	rule = lab_rule(section, IN, WF_RULE_ALLOW);
	rule->any_peer = true;
	lab_port_named(rule, IPPROTO_TCP, "http");
	rule = lab_rule(section, OUT, WF_RULE_ALLOW);
	rule->any_peer = true;
	lab_port_named(rule, IPPROTO_TCP, "http");
	lab_put(&lab, "a", &policy);
	ALLOWED(IN, 9, 1, "10.0.0.1", 8080);
	DENIED(IN, 9, 1, "10.0.0.1", 80);
	DENIED(IN, 1, 9, "10.0.0.9", 8080); /* the subject's own name, which it has not */
	ALLOWED(OUT, 1, 9, "10.0.0.9", 8080);
	DENIED(OUT, 9, 1, "10.0.0.1", 8080);
	assert_int_equal(lab_judge(&lab, OUT, 1, 9, "10.0.0.9", IPPROTO_UDP, 8080, NULL),
			 WF_POLICY_DENY);
	/* the same name leads elsewhere */
	{
		struct wf_endpoint_port other = { "http", IPPROTO_TCP, 81 };

		member.ports = &other;
		assert_int_equal(wf_policy_engine_member_put(lab.engine, &member, NULL), 0);
	}
	DENIED(OUT, 1, 9, "10.0.0.9", 8080);
	ALLOWED(OUT, 1, 9, "10.0.0.9", 81);
	ALLOWED(IN, 9, 1, "10.0.0.1", 81);
	wf_labels_done(&labels);
}

static void test_services(void **state)
{
	struct wf_addr backends[] = { lab_addr("10.0.0.2"), lab_addr(OUTSIDE) };
	const struct wf_policy_backends one = { .addrs = backends, .count = 1 };
	const struct wf_policy_backends two = { .addrs = backends, .count = 2 };
	const struct wf_policy_backends elsewhere = { 7, backends, 2 };
	struct wf_labels labels = lab_labels("tier=gold");
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);
	struct wf_policy_section *section = lab_section(&policy, "app=web");
	struct wf_peer *peer;

	(void)state;
	lab_isolate(section, OUT, false);
	peer = lab_peer_add(lab_rule(section, OUT, WF_RULE_ALLOW), WF_PEER_SERVICE);
	assert_int_equal(wf_str_copy(peer->service, sizeof(peer->service), "db"), 0);
	assert_int_equal(
		wf_str_copy(peer->service_namespace, sizeof(peer->service_namespace), "shop"), 0);
	lab_put(&lab, "a", &policy);
	DENIED(OUT, 1, 2, "10.0.0.2", 80);
	assert_int_equal(
		wf_policy_engine_service_put(lab.engine, "shop", "db", &labels, &two, NULL), 0);
	ALLOWED(OUT, 1, 2, "10.0.0.2", 80);
	ALLOWED(OUT, 1, WORLD, OUTSIDE, 80);
	DENIED(OUT, 1, 2, "fd00::2", 80);
	/* the same addresses where they mean others */
	assert_int_equal(
		wf_policy_engine_service_put(lab.engine, "shop", "db", &labels, &elsewhere, NULL),
		0);
	DENIED(OUT, 1, 2, "10.0.0.2", 80);
	DENIED(OUT, 1, WORLD, OUTSIDE, 80);
	assert_int_equal(
		wf_policy_engine_service_put(lab.engine, "shop", "db", &labels, &one, NULL), 0);
	DENIED(OUT, 1, WORLD, OUTSIDE, 80);
	assert_int_equal(wf_policy_engine_service_drop(lab.engine, "shop", "db", NULL), 0);
	DENIED(OUT, 1, 2, "10.0.0.2", 80);
	/* by labels */
	policy = lab_policy(WF_TIER_NETWORK, 0);
	section = lab_section(&policy, "app=web");
	lab_isolate(section, OUT, false);
	peer = lab_peer_add(lab_rule(section, OUT, WF_RULE_ALLOW), WF_PEER_SERVICE);
	lab_select(&peer->selector, "tier=gold");
	lab_put(&lab, "a", &policy);
	DENIED(OUT, 1, WORLD, OUTSIDE, 80);
	assert_int_equal(
		wf_policy_engine_service_put(lab.engine, "shop", "any", &labels, &two, NULL), 0);
	ALLOWED(OUT, 1, WORLD, OUTSIDE, 80);
	wf_labels_done(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(cidr),        ENGINE_TEST(cidr_holds_endpoints),
		ENGINE_TEST(scopes),      ENGINE_TEST(worlds),
		ENGINE_TEST(entities),    ENGINE_TEST(nodes),
		ENGINE_TEST(named_ports), ENGINE_TEST(services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
