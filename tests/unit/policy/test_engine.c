/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule of the semantics by hand, and what the engine answers. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#include "base/mem.h"

#define IN  WF_POLICY_INGRESS
#define OUT WF_POLICY_EGRESS

#define WORLD   UINT32_MAX
#define OUTSIDE "192.0.2.1"

static struct lab lab;

static int setup(void **state)
{
	struct wf_labels labels = lab_labels("role=edge");
	struct wf_addr self[] = { lab_addr("172.16.0.1"), lab_addr("fd01::1") };
	struct wf_addr other[] = { lab_addr("172.16.0.2") };

	(void)state;
	lab_init(&lab, 64, 1024);
	assert_int_equal(
		wf_policy_engine_node_put(lab.engine, "here", true, &labels, self, 2, NULL), 0);
	assert_int_equal(
		wf_policy_engine_node_put(lab.engine, "there", false, NULL, other, 1, NULL), 0);
	wf_labels_done(&labels);
	assert_int_equal(lab_member(&lab, 1, "shop", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	assert_int_equal(lab_member(&lab, 3, "bank", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 4, "bank", ""), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lab_done(&lab);
	return 0;
}

/* The verdict of TCP between slots, IPv4; the engine says the same. */
static enum wf_policy_verdict tcp(enum wf_policy_dir dir, uint32_t subject, uint32_t peer,
				  const char *addr, uint16_t port)
{
	uint32_t rule;
	enum wf_policy_verdict verdict =
		lab_judge(&lab, dir, subject, peer, addr, IPPROTO_TCP, port, &rule);
	struct wf_policy_party of_subject = { subject, lab_addr(addr), lab.scope };
	struct wf_policy_party of_peer = { peer, lab_addr(addr), lab.scope };
	struct wf_policy_answer answer;

	wf_policy_engine_ask(lab.engine, dir, dir == OUT ? &of_subject : &of_peer,
			     dir == OUT ? &of_peer : &of_subject, IPPROTO_TCP, port, &answer);
	if (subject != peer) {
		assert_int_equal(answer.verdict, verdict);
		assert_int_equal(answer.rule, rule);
	}
	return verdict;
}

#define ALLOWED(...) assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_ALLOW)
#define DENIED(...)  assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_DENY)
#define AUDITED(...) assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_AUDIT)

/* A policy of one section that isolates ingress and has no rule. */
static struct wf_policy closed(const char *subject)
{
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);

	lab_isolate(lab_section(&policy, subject), IN, true);
	return policy;
}

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
	static const char *const names[] = { "here", "apart" };

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		struct wf_labels of = lab_labels(labels[i]);
		struct wf_policy_member member = { .scope = i ? 7 : WF_NETWORK_HOST,
						   .namespace = "shop",
						   .labels = &of,
						   .addrs = &addr,
						   .addr_count = 1 };

		assert_int_equal(wf_policy_engine_remote_put(lab.engine, names[i], &member, NULL),
				 0);
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
	assert_int_equal(wf_policy_engine_remote_drop(lab.engine, "apart", NULL), 0);
	lab.scope = WF_NETWORK_HOST;
	ALLOWED(IN, 2, WORLD, "10.9.0.1", 80);
	assert_int_equal(wf_policy_engine_remote_drop(lab.engine, "here", NULL), 0);
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
		wf_policy_engine_service_put(lab.engine, "shop", "db", &labels, backends, 2, NULL),
		0);
	ALLOWED(OUT, 1, 2, "10.0.0.2", 80);
	ALLOWED(OUT, 1, WORLD, OUTSIDE, 80);
	DENIED(OUT, 1, 2, "fd00::2", 80);
	assert_int_equal(
		wf_policy_engine_service_put(lab.engine, "shop", "db", &labels, backends, 1, NULL),
		0);
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
		wf_policy_engine_service_put(lab.engine, "shop", "any", &labels, backends, 2, NULL),
		0);
	ALLOWED(OUT, 1, WORLD, OUTSIDE, 80);
	wf_labels_done(&labels);
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
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing),
		TEST(isolation),
		TEST(allow),
		TEST(deny_beats_allow),
		TEST(peers_that_are_nobody),
		TEST(tiers),
		TEST(order_within_a_tier),
		TEST(spared_only_when_all_spare),
		TEST(cidr),
		TEST(cidr_holds_endpoints),
		TEST(scopes),
		TEST(worlds),
		TEST(entities),
		TEST(nodes),
		TEST(named_ports),
		TEST(services),
		TEST(namespaces),
		TEST(unenforced),
		TEST(audit),
		TEST(audit_of_subject),
		TEST(host),
		TEST(address_reuse),
		TEST(replicas_share),
		TEST(answers),
		TEST(batch),
		TEST(full_tables),
		TEST(what_is_at_work_is_left_alone),
		TEST(restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
