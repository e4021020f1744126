/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories. After every single write each verdict, as programs read it, is the one before
 * the change or the one after it, never a third, and nothing that is named is missing. After every
 * change the verdicts are those of an engine that computed everything anew.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#include "base/mem.h"

#define MEMBERS    6
#define POLICIES   5
#define OUTSIDE    6 /* addresses of nobody here, or of nodes */
#define FIRST_NODE 3
#define POINTS     5
#define VERDICTS   (2 * (MEMBERS + 1) * (MEMBERS * 2 + OUTSIDE) * POINTS)
#define ROUNDS     60
#define STEPS      25

static const struct {
	uint8_t proto;
	uint16_t port;
} points[POINTS] = {
	{ IPPROTO_TCP, 80 }, { IPPROTO_TCP, 81 },   { IPPROTO_UDP, 80 },
	{ IPPROTO_ICMP, 8 }, { IPPROTO_TCP, 8080 },
};

static const char *const outside[OUTSIDE] = {
	"192.0.2.1", "192.0.2.130", "2001:db8::1", "172.16.0.1", "172.16.0.2", "10.0.0.200",
};

/* All that an engine was told, so that another can be told the same. */
struct world {
	uint32_t policy_seeds[POLICIES]; /* 0: none */
	bool has_member[MEMBERS + 1];
	uint32_t member_seeds[MEMBERS + 1];
	uint32_t namespace_seed[2]; /* 0: not told */
	uint32_t node_seed[2];      /* 0: none */
	uint32_t service_seed;      /* 0: none */
};

static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void add_ports(struct wf_policy_rule *rule)
{
	switch (rnd(5)) {
	case 0: lab_port(rule, IPPROTO_TCP, 80, 80); break;
	case 1: lab_port(rule, 0, 80, 81); break;
	case 2: lab_port_named(rule, rnd(2) ? IPPROTO_TCP : 0, "http"); break;
	default: break;
	}
}

static void add_peers(struct wf_policy_rule *rule)
{
	static const char *const selectors[] = {
		"app=a",
		"app=b",
		"tier=x",
		"!app=a",
		";kubernetes.io/metadata.name=n0",
		";team=t",
		"app=a;kubernetes.io/metadata.name=n1",
		"",
		"app=*",
	};
	static const char *const cidrs[] = { "0.0.0.0/0",  "::/0",        "192.0.2.0/24",
					     "10.0.0.0/8", "10.0.0.2/32", "172.16.0.0/16",
					     "fd00::/126" };
	static const uint32_t entities[] = { WF_ENTITY_HOST,     WF_ENTITY_REMOTE_NODE,
					     WF_ENTITY_ENDPOINT, WF_ENTITY_WORLD4,
					     WF_ENTITY_WORLD6,   WF_ENTITY_ALL };
	struct wf_peer *peer;

	switch (rnd(7)) {
	case 0: rule->any_peer = true; break;
	case 1:
	case 2:
	case 3: lab_peer(rule, selectors[rnd(WF_ARRAY_LEN(selectors))]); break;
	case 4:
		peer = lab_peer_cidr(rule, cidrs[rnd(WF_ARRAY_LEN(cidrs))], rnd(2));
		if (wf_addr_is_ip4(&peer->cidr.addr) && peer->cidr.len == 0 && rnd(2))
			lab_except(peer, "192.0.2.128/25");
		break;
	case 5: lab_peer_entities(rule, entities[rnd(WF_ARRAY_LEN(entities))]); break;
	default:
		peer = lab_peer_add(rule, rnd(2) ? WF_PEER_SERVICE : WF_PEER_NODES);
		lab_select(&peer->selector, rnd(2) ? "tier=x" : "");
		break;
	}
}

static struct wf_policy make_policy(uint32_t from)
{
	static const char *const subjects[] = { "app=a", "app=b", "", ";team=t", "tier=x" };
	uint32_t kept = seed;
	struct wf_policy policy;
	enum wf_policy_tier tier;

	seed = from;
	tier = rnd(2) ? WF_TIER_NETWORK : (enum wf_policy_tier)rnd(WF_TIER_COUNT);
	policy = lab_policy(tier, rnd(3));
	policy.audit = rnd(6) == 0;
	for (uint32_t i = 0; i <= rnd(2); i++) {
		struct wf_policy_section *section =
			lab_section(&policy, subjects[rnd(WF_ARRAY_LEN(subjects))]);

		section->subject_is_node = rnd(6) == 0;
		for (int dir = 0; dir < WF_POLICY_DIR_COUNT && tier == WF_TIER_NETWORK; dir++)
			if (rnd(3))
				lab_isolate(section, (enum wf_policy_dir)dir, rnd(2));
		for (uint32_t j = rnd(4); j; j--) {
			uint32_t actions = tier == WF_TIER_ADMIN ? 3 : 2;
			struct wf_policy_rule *rule = lab_rule(section, (enum wf_policy_dir)rnd(2),
							       (enum wf_rule_action)rnd(actions));

			add_peers(rule);
			add_ports(rule);
			if (rnd(20) == 0)
				rule->unenforced = strdup("not here");
		}
	}
	seed = kept;
	return policy;
}

static void put_member(struct lab *lab, uint32_t slot, uint32_t from)
{
	static const char *const labels[] = { "app=a", "app=b", "app=a,tier=x", "", "tier=x" };
	struct wf_endpoint_port http = { "http", IPPROTO_TCP, from & 64 ? 80 : 8080 };
	struct wf_labels of = lab_labels(labels[from % WF_ARRAY_LEN(labels)]);
	struct wf_addr addrs[3];
	char text[3][32];
	struct wf_policy_member member = {
		.slot = slot,
		.namespace = from & 8 ? "n0" : "n1",
		.labels = &of,
		.ports = &http,
		.port_count = from & 32 ? 1 : 0,
		.addrs = addrs,
		.addr_count = 2 + (from >> 7 & 1),
		.audit = (from & 0x300) == 0x300,
	};

	(void)snprintf(text[0], sizeof(text[0]), "10.0.0.%u", slot);
	(void)snprintf(text[1], sizeof(text[1]), "fd00::%x", slot);
	(void)snprintf(text[2], sizeof(text[2]), "172.16.1.%u", slot);
	for (int i = 0; i < 3; i++)
		addrs[i] = lab_addr(text[i]);
	assert_int_equal(wf_policy_engine_member_put(lab->engine, &member, NULL), 0);
	wf_labels_done(&of);
}

static void put_namespace(struct lab *lab, uint32_t i, uint32_t from)
{
	struct wf_labels labels = lab_labels(from & 1 ? "team=t" : "team=u");

	assert_int_equal(wf_policy_engine_namespace_put(lab->engine, i ? "n1" : "n0", &labels,
							from & 4, NULL),
			 0);
	wf_labels_done(&labels);
}

static void put_node(struct lab *lab, uint32_t i, uint32_t from)
{
	struct wf_labels labels = lab_labels(from & 1 ? "tier=x" : "app=a");
	struct wf_addr addr = lab_addr(i == (from >> 1 & 1) ? "172.16.0.1" : "172.16.0.2");

	assert_int_equal(wf_policy_engine_node_put(lab->engine, i ? "node1" : "node0", !i, &labels,
						   &addr, 1, NULL),
			 0);
	wf_labels_done(&labels);
}

static void put_service(struct lab *lab, uint32_t from)
{
	struct wf_labels labels = lab_labels(from & 1 ? "tier=x" : "tier=y");
	struct wf_addr addrs[] = { lab_addr("10.0.0.1"), lab_addr("192.0.2.1"),
				   lab_addr("fd00::2") };
	const struct wf_policy_backends backends = { .addrs = addrs, .count = 1 + from / 2 % 3 };

	assert_int_equal(
		wf_policy_engine_service_put(lab->engine, "n0", "s", &labels, &backends, NULL), 0);
	wf_labels_done(&labels);
}

/* One change, or its like on an engine that has not seen it: `what` and `from` say it all. */
struct change {
	uint32_t what, which, from;
};

static void apply(struct lab *lab, const struct change *change)
{
	char key[16];

	(void)snprintf(key, sizeof(key), "p%u", change->which);
	switch (change->what) {
	case 0: {
		struct wf_policy policy = make_policy(change->from);

		lab_put(lab, key, &policy);
		break;
	}
	case 1: lab_drop(lab, key); break;
	case 2: put_member(lab, change->which, change->from); break;
	case 3: wf_policy_engine_member_drop(lab->engine, change->which); break;
	case 4: put_namespace(lab, change->which, change->from); break;
	case 5:
		assert_int_equal(wf_policy_engine_namespace_drop(lab->engine,
								 change->which ? "n1" : "n0", NULL),
				 0);
		break;
	case 6: put_node(lab, change->which, change->from); break;
	case 7:
		assert_int_equal(wf_policy_engine_node_drop(
					 lab->engine, change->which ? "node1" : "node0", NULL),
				 0);
		break;
	case 8: put_service(lab, change->from); break;
	default:
		assert_int_equal(wf_policy_engine_service_drop(lab->engine, "n0", "s", NULL), 0);
		break;
	}
}

static void remember(struct world *world, const struct change *change)
{
	bool is_put = change->what % 2 == 0;
	uint32_t from = is_put ? change->from : 0;

	switch (change->what / 2) {
	case 0: world->policy_seeds[change->which] = from; break;
	case 1:
		world->has_member[change->which] = is_put;
		world->member_seeds[change->which] = from;
		break;
	case 2: world->namespace_seed[change->which] = from; break;
	case 3: world->node_seed[change->which] = from; break;
	default: world->service_seed = from; break;
	}
}

static struct change make_change(void)
{
	static const uint32_t likely[] = { 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct change change = { likely[rnd(WF_ARRAY_LEN(likely))], 0, 1 + rnd(1U << 22) };

	change.which = change.what < 2 ? rnd(POLICIES) : rnd(2);
	if (change.what == 2 || change.what == 3)
		change.which = 1 + rnd(MEMBERS);
	return change;
}

static void tell_all(struct lab *lab, const struct world *world)
{
	wf_policy_engine_begin(lab->engine);
	for (uint32_t i = 0; i < 2; i++) {
		struct change namespace = { 4, i, world->namespace_seed[i] };
		struct change node = { 6, i, world->node_seed[i] };

		if (namespace.from)
			apply(lab, &namespace);
		if (node.from)
			apply(lab, &node);
	}
	for (uint32_t i = 1; i <= MEMBERS; i++) {
		struct change change = { 2, i, world->member_seeds[i] };

		if (world->has_member[i])
			apply(lab, &change);
	}
	for (uint32_t i = 0; i < POLICIES; i++) {
		struct change change = { 0, i, world->policy_seeds[i] };

		if (change.from)
			apply(lab, &change);
	}
	if (world->service_seed) {
		struct change change = { 8, 0, world->service_seed };

		apply(lab, &change);
	}
	assert_int_equal(wf_policy_engine_commit(lab->engine, NULL), 0);
}

static void build(struct lab *lab, const struct world *world)
{
	lab_init(lab, 256, 8192);
	tell_all(lab, world);
}

/* All verdicts; of slots that have no endpoint, as subject or peer: 9. */
static void judge_all(const struct lab *lab, const struct world *world, uint8_t *verdicts)
{
	size_t at = 0;

	for (uint32_t subject = 0; subject <= MEMBERS; subject++)
		for (uint32_t peer = 0; peer < MEMBERS * 2 + OUTSIDE; peer++) {
			uint32_t slot = peer < MEMBERS * 2 ? peer / 2 + 1 : UINT32_MAX;
			bool is_here = (!subject || world->has_member[subject]) &&
				       (slot == UINT32_MAX || world->has_member[slot]);
			/* a node's labels and addresses change at once: with itself it is nobody's */
			bool is_self =
				slot == subject || (!subject && peer >= MEMBERS * 2 + FIRST_NODE &&
						    peer < MEMBERS * 2 + FIRST_NODE + 2);
			char text[32];
			struct wf_addr addr;

			(void)snprintf(text, sizeof(text), peer % 2 ? "fd00::%x" : "10.0.0.%u",
				       slot);
			addr = lab_addr(slot == UINT32_MAX ? outside[peer - MEMBERS * 2] : text);
			for (int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
				for (size_t i = 0; i < POINTS; i++)
					verdicts[at++] =
						is_here && !is_self
							? lab_judge_addr(lab,
									 (enum wf_policy_dir)dir,
									 subject, slot, &addr,
									 points[i].proto,
									 points[i].port, NULL)
							: 9;
		}
	assert_int_equal(at, VERDICTS);
}

/* What a change is held against, while it is written. */
struct watch {
	struct change change;
	const struct world *after;
	uint8_t old[VERDICTS], new[VERDICTS];
	struct wf_policy_subject_value seen[LAB_SLOTS];
	size_t looks;
};

/*
 * Labels of a namespace change both ends of a pair in it at once, which can only be written one
 * after the other. Index as in judge_all().
 */
static bool is_both_ends(const struct watch *watch, size_t i)
{
	size_t subject = i / (VERDICTS / (MEMBERS + 1));
	size_t peer = i % (VERDICTS / (MEMBERS + 1)) / (2 * POINTS);

	return watch->change.what / 2 == 2 && subject && peer < MEMBERS * 2;
}

static void check(const struct lab *lab, struct watch *watch)
{
	static uint8_t now[VERDICTS];

	/* whoever comes or goes is judged before it comes, and after it is gone, by nobody */
	judge_all(lab, watch->after, now);
	for (size_t i = 0; i < VERDICTS; i++)
		if (now[i] != watch->old[i] && now[i] != watch->new[i] && watch->old[i] != 9 &&
		    watch->new[i] != 9 && !is_both_ends(watch, i))
			fail_msg("change %u of %u: verdict %zu: %d, neither %d nor %d",
				 watch->change.what, watch->change.which, i, now[i], watch->old[i],
				 watch->new[i]);
	watch->looks++;
}

/* Shows the writes to the subjects one by one, as if each were seen alone. */
static void catch_up(struct lab *lab, void *context)
{
	struct watch *watch = context;

	/* the classes of all are written before any profile */
	for (size_t field = 4; field--;)
		for (uint32_t i = 0; i <= MEMBERS; i++) {
			uint32_t is = ((const uint32_t *)&lab->memory.subjects[i])[field];
			uint32_t *seen = &((uint32_t *)&watch->seen[i])[field];

			if (*seen == is)
				continue;
			*seen = is;
			check(lab, watch);
		}
	check(lab, watch);
}

static void check_use(const struct lab *lab)
{
	struct wf_policy_use use;

	wf_policy_engine_use(lab->engine, &use);
	assert_int_equal(use.pairs, HASH_COUNT(lab->pairs));
	assert_int_equal(use.prefixes, lab->prefix_count);
}

static void check_asked(const struct lab *lab)
{
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t subject = rnd(MEMBERS + 1), peer = 1 + rnd(MEMBERS);
		enum wf_policy_dir dir = (enum wf_policy_dir)rnd(2);
		struct wf_policy_party parties[2] = { { subject, lab_addr("10.0.0.99") },
						      { UINT32_MAX,
							lab_addr(outside[rnd(OUTSIDE)]) } };
		struct wf_policy_answer answer;
		size_t point = rnd(POINTS);

		if (rnd(2)) {
			parties[1].slot = peer;
			parties[1].addr = lab_addr(rnd(2) ? "10.0.0.1" : "fd00::1");
		}
		if (parties[1].slot == subject)
			continue;
		wf_policy_engine_ask(lab->engine, dir, &parties[dir == WF_POLICY_INGRESS],
				     &parties[dir == WF_POLICY_EGRESS], points[point].proto,
				     points[point].port, &answer);
		assert_int_equal(answer.verdict,
				 lab_judge_addr(lab, dir, subject, parties[1].slot,
						&parties[1].addr, points[point].proto,
						points[point].port, NULL));
	}
}

static void step(struct lab *lab, struct world *world)
{
	static struct watch watch;
	struct change change = make_change();
	struct world after = *world;
	struct lab twin;

	remember(&after, &change);
	build(&twin, &after);
	memset(&watch, 0, sizeof(watch));
	watch.change = change;
	watch.after = &after;
	judge_all(lab, world, watch.old);
	judge_all(&twin, &after, watch.new);
	lab_done(&twin);
	memcpy(watch.seen, lab->memory.subjects, sizeof(watch.seen));
	lab->subjects = watch.seen;
	lab->on_effect = catch_up;
	lab->context = &watch;
	apply(lab, &change);
	catch_up(lab, &watch);
	lab->on_effect = NULL;
	lab->subjects = lab->memory.subjects;
	*world = after;
	judge_all(lab, world, watch.old);
	if (memcmp(watch.old, watch.new, sizeof(watch.new)) != 0)
		fail_msg("change %u of %u: not what a new engine says", change.what, change.which);
	check_asked(lab);
	if (rnd(4) == 0) {
		wf_policy_engine_sweep(lab->engine);
		check_use(lab);
	}
}

static void test_histories(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		struct world world = { 0 };
		struct lab lab;

		seed = 7919 * round + 1;
		for (uint32_t i = 1; i <= MEMBERS; i++) {
			world.has_member[i] = rnd(4) != 0;
			world.member_seeds[i] = 1 + rnd(1U << 20);
		}
		for (uint32_t i = 0; i < POLICIES; i++)
			world.policy_seeds[i] = rnd(2) ? 1 + rnd(1U << 20) : 0;
		world.node_seed[0] = 2;
		build(&lab, &world);
		for (int i = 0; i < STEPS; i++)
			step(&lab, &world);
		lab_done(&lab);
	}
}

/* A daemon that starts again over what the one before left changes no verdict for an instant. */
static void test_restart(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		static struct watch watch;
		struct world world = { .node_seed = { 2, 3 } };
		struct lab lab;

		seed = 104729 * round + 3;
		for (uint32_t i = 1; i <= MEMBERS; i++) {
			world.has_member[i] = true;
			world.member_seeds[i] = 1 + rnd(1U << 20);
		}
		for (uint32_t i = 0; i < POLICIES; i++)
			world.policy_seeds[i] = 1 + rnd(1U << 20);
		build(&lab, &world);
		for (int i = 0; i < 5; i++)
			step(&lab, &world);
		memset(&watch, 0, sizeof(watch));
		watch.change.what = UINT32_MAX;
		watch.after = &world;
		judge_all(&lab, &world, watch.old);
		memcpy(watch.new, watch.old, sizeof(watch.new));
		lab_restart(&lab);
		memcpy(watch.seen, lab.memory.subjects, sizeof(watch.seen));
		lab.subjects = watch.seen;
		lab.on_effect = catch_up;
		lab.context = &watch;
		tell_all(&lab, &world);
		catch_up(&lab, &watch);
		lab.on_effect = NULL;
		check_use(&lab);
		lab_done(&lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
