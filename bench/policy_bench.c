/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the compiler of policies costs: a full compile of many policies over many endpoints, one
 * endpoint more, one policy changed, and the memory that it holds. Prints JSON.
 *
 *   policy_bench [POLICIES ENDPOINTS CLASSES]      (1000 100000 5000)
 *
 * Endpoints are of that many applications and namespaces; with 1,000 policies somebody names each,
 * so all of them are told apart.
 */
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "policy/engine.h"

#define NAMESPACES 100
#define PROFILES   65536
#define RULES      (1 << 20)
#define TRIES      101

static size_t pair_writes;

static int pairs_set(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		     size_t count, void *context, struct wf_err *err)
{
	pair_writes += count;
	return 0;
}

static int prefix_set(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		      bool present, void *context, struct wf_err *err)
{
	return 0;
}

static int revise(void *context, struct wf_err *err)
{
	return 0;
}

static int guard_set(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	return 0;
}

static void must(int r)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "failed: %d\n", r);
	exit(EXIT_FAILURE);
}

static void *must_have(void *ptr)
{
	must(ptr ? 0 : -ENOMEM);
	return ptr;
}

static const char *text(char *buf, const char *what, uint32_t number)
{
	(void)snprintf(buf, 32, "%s%u", what, number);
	return buf;
}

static void require(struct wf_selector *selector, bool of_namespace, const char *key,
		    const char *value)
{
	must(wf_selector_add(selector, of_namespace, key, WF_MATCH_IN, &value, 1));
}

/* Peers of a first rule: with ten policies in each namespace somebody names each of 50 apps. */
#define NAMED 5

static void require_app(struct wf_selector *selector, uint32_t namespace, uint32_t app)
{
	char buf[32];

	require(selector, true, WF_LABEL_NAMESPACE_NAME, text(buf, "n", namespace % NAMESPACES));
	require(selector, false, "app", text(buf, "a", app));
}

static struct wf_peer *make_peers(struct wf_policy_rule *rule, size_t count)
{
	rule->peers = must_have(calloc(count, sizeof(*rule->peers)));
	rule->peer_count = rule->peer_capacity = count;
	return rule->peers;
}

/* Some applications of the own namespace. */
static void fill_first(struct wf_policy_rule *rule, uint32_t i, uint32_t apps)
{
	struct wf_peer *peers = make_peers(rule, NAMED);

	rule->dir = WF_POLICY_INGRESS;
	for (uint32_t k = 0; k < NAMED; k++)
		require_app(&peers[k].selector, i, (i / NAMESPACES * NAMED + k) % apps);
}

/* Every fifth a block, every tenth all of the next namespace, else an application of that. */
static void fill_second(struct wf_policy_rule *rule, uint32_t i, uint32_t apps)
{
	struct wf_peer *peer = make_peers(rule, 1);
	char buf[32];

	rule->dir = i % 3 == 0 ? WF_POLICY_EGRESS : WF_POLICY_INGRESS;
	if (i % 5 == 1) {
		peer->type = WF_PEER_CIDR;
		peer->cidr.addr = wf_addr_from_ip4(htonl(0xc0000000 + (i << 8)));
		peer->cidr.len = 24;
		peer->holds_endpoints = true;
	} else if (i % 10 == 0) {
		require(&peer->selector, true, WF_LABEL_NAMESPACE_NAME,
			text(buf, "n", (i + 1) % NAMESPACES));
	} else {
		require_app(&peer->selector, i + 1, (i / NAMESPACES + 1) % apps);
	}
}

/* Policy i selects one application of a namespace and allows others on a port. */
static struct wf_policy make_policy(uint32_t i, uint32_t apps)
{
	struct wf_policy policy = { .kind = WF_KIND_NETWORK_POLICY, .tier = WF_TIER_NETWORK };
	struct wf_policy_section *section = must_have(calloc(1, sizeof(*section)));
	struct wf_policy_rule *rules = must_have(calloc(2, sizeof(*rules)));
	uint16_t number = (uint16_t)(1000 + i % 50);

	policy.sections = section;
	policy.section_count = policy.section_capacity = 1;
	require_app(&section->subject, i, i / NAMESPACES % apps);
	section->isolates[WF_POLICY_INGRESS] = true;
	section->isolates[WF_POLICY_EGRESS] = i % 3 == 0;
	section->rules = rules;
	section->rule_count = section->rule_capacity = 2;
	fill_first(&rules[0], i, apps);
	fill_second(&rules[1], i, apps);
	for (int j = 0; j < 2; j++) {
		rules[j].ports = must_have(calloc(1, sizeof(*rules[j].ports)));
		rules[j].port_count = rules[j].port_capacity = 1;
		*rules[j].ports = (struct wf_policy_port){ IPPROTO_TCP, number, number, "" };
	}
	return policy;
}

static void put_member(struct wf_policy_engine *engine, uint32_t slot, uint32_t class,
		       uint32_t apps)
{
	struct wf_labels labels = { 0 };
	struct wf_addr addr = wf_addr_from_ip4(htonl(0x0a000000 + slot));
	char app[32], namespace[32], version[32];
	struct wf_policy_member member = {
		.slot = slot,
		.namespace = text(namespace, "n", class % NAMESPACES),
		.labels = &labels,
		.addrs = &addr,
		.addr_count = 1,
	};

	must(wf_labels_set(&labels, "app", text(app, "a", class / NAMESPACES % apps)));
	must(wf_labels_set(&labels, "version", text(version, "v", class)));
	must(wf_labels_set(&labels, "chart", "shop-1.2.3"));
	must(wf_policy_engine_member_put(engine, &member, NULL));
	wf_labels_done(&labels);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double us_since(uint64_t start_ns)
{
	return (double)(wf_clock_monotonic_ns() - start_ns) / 1e3;
}

static void report(const char *name, double *tries)
{
	qsort(tries, TRIES, sizeof(*tries), compare);
	(void)printf("  \"%s_us_p50\": %.1f,\n  \"%s_us_max\": %.1f,\n", name, tries[TRIES / 2],
		     name, tries[TRIES - 1]);
}

static void measure_changes(struct wf_policy_engine *engine, uint32_t policies, uint32_t endpoints,
			    uint32_t classes)
{
	uint32_t apps = classes / NAMESPACES;
	double tries[TRIES];
	char key[32];

	for (uint32_t i = 0; i < TRIES; i++) {
		uint64_t start_ns = wf_clock_monotonic_ns();

		put_member(engine, endpoints + 1 + i, i * 7 % classes, apps);
		tries[i] = us_since(start_ns);
	}
	report("endpoint_added", tries);
	for (uint32_t i = 0; i < TRIES; i++) {
		uint64_t start_ns = wf_clock_monotonic_ns();

		/* labels that nobody else has */
		put_member(engine, endpoints + 1 + TRIES + i, classes + i, apps);
		tries[i] = us_since(start_ns);
	}
	report("endpoint_of_new_labels_added", tries);
	for (uint32_t i = 0; i < TRIES; i++) {
		struct wf_policy policy = make_policy(i * 13 + 1, apps);
		uint64_t start_ns = wf_clock_monotonic_ns();

		must(wf_policy_engine_policy_put(engine, text(key, "p", i * 13 % policies), &policy,
						 NULL));
		tries[i] = us_since(start_ns);
	}
	report("policy_changed", tries);
	for (uint32_t i = 0; i < TRIES; i++) {
		uint64_t start_ns = wf_clock_monotonic_ns();

		wf_policy_engine_member_drop(engine, endpoints + 1 + i);
		tries[i] = us_since(start_ns);
	}
	report("endpoint_dropped", tries);
}

static struct wf_policy_engine *make_engine(struct wf_policy_memory *memory, uint32_t endpoints)
{
	struct wf_policy_effects effects = { .pairs_set = pairs_set,
					     .prefix_set = prefix_set,
					     .revise = revise,
					     .guard_set = guard_set };
	struct wf_policy_engine *engine;

	*memory = (struct wf_policy_memory){
		.subject_count = endpoints + 2 * TRIES + 1,
		.profile_count = PROFILES,
		.rule_count = RULES,
	};
	memory->subjects = must_have(calloc(memory->subject_count, sizeof(*memory->subjects)));
	memory->profiles = must_have(calloc(PROFILES, sizeof(*memory->profiles)));
	memory->rules = must_have(calloc(RULES, sizeof(*memory->rules)));
	must(wf_policy_engine_new(&engine, memory, &effects, NULL, 0, NULL));
	return engine;
}

int main(int argc, char **argv)
{
	uint32_t policies = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
	uint32_t endpoints = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000;
	uint32_t classes = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 5000;
	struct wf_policy_memory memory;
	struct wf_policy_engine *engine = make_engine(&memory, endpoints);
	struct wf_policy_use use;
	struct rusage usage;
	uint64_t start_ns, commit_ns;
	char key[32];

	start_ns = wf_clock_monotonic_ns();
	wf_policy_engine_begin(engine);
	for (uint32_t i = 0; i < policies; i++) {
		struct wf_policy policy = make_policy(i, classes / NAMESPACES);

		must(wf_policy_engine_policy_put(engine, text(key, "p", i), &policy, NULL));
	}
	for (uint32_t i = 1; i <= endpoints; i++)
		put_member(engine, i, i % classes, classes / NAMESPACES);
	commit_ns = wf_clock_monotonic_ns();
	must(wf_policy_engine_commit(engine, NULL));
	(void)printf("{\n  \"full_cpu_ms\": %.1f,\n", (double)clock() * 1e3 / CLOCKS_PER_SEC);
	(void)printf("  \"full_ms\": %.1f,\n  \"full_commit_ms\": %.1f,\n",
		     us_since(start_ns) / 1e3, us_since(commit_ns) / 1e3);
	wf_policy_engine_use(engine, &use);
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("  \"policies\": %zu,\n  \"endpoints\": %zu,\n  \"classes\": %zu,\n"
		     "  \"profiles\": %zu,\n  \"pairs\": %zu,\n  \"rules\": %zu,\n"
		     "  \"pair_writes\": %zu,\n",
		     use.policies, use.members, use.classes, use.profiles, use.pairs, use.rules,
		     pair_writes);
	(void)printf(
		"  \"engine_bytes\": %zu,\n  \"heap_bytes\": %zu,\n  \"resident_kb_max\": %ld,\n",
		use.memory_bytes, (size_t)mallinfo2().uordblks, usage.ru_maxrss);
	measure_changes(engine, policies, endpoints, classes);
	(void)printf("  \"pair_writes_in_all\": %zu\n}\n", pair_writes);
	wf_policy_engine_free(&engine);
	free(memory.subjects);
	free(memory.profiles);
	free(memory.rules);
	return 0;
}
