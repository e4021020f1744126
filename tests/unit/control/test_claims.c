/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers where: the index against a naive walk over all services, and what applying makes of
 * it, through random histories of changes that succeed, are refused, or are only tried.
 */
#include "control/claims.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define NAMES    12
#define CLUSTERS 10
#define EXTERNS  3
#define PORTS    3
#define NODES    5

/* A service as the naive side knows it. */
struct naive {
	bool there;
	unsigned int cluster; /* index of its address */
	int external;         /* the same; -1: none */
	unsigned int port;    /* 80 and up */
	int node_port;        /* 30000 and up; -1: none */
};

static unsigned int any(unsigned int bound)
{
	return (unsigned int)rand() % bound;
}

static struct wf_addr address(unsigned int third, unsigned int index)
{
	char text[32];
	struct wf_addr addr;

	(void)snprintf(text, sizeof(text), "10.96.%u.%u", third, index + 1);
	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return addr;
}

static struct naive any_naive(void)
{
	return (struct naive){
		.there = true,
		.cluster = any(CLUSTERS),
		.external = any(2) ? (int)any(EXTERNS) : -1,
		.port = any(PORTS),
		.node_port = any(2) ? (int)any(NODES) : -1,
	};
}

/* ---- the index alone -------------------------------------------------------------------------- */

static struct ctl_claimant *claimant_of(unsigned int name, const struct naive *naive)
{
	struct wf_service_port port = { .proto = IPPROTO_TCP,
					.port = (uint16_t)(80 + naive->port) };
	struct wf_addr external = address(1, (unsigned int)(naive->external + 1));
	struct wf_service spec = { .ports = &port, .port_count = 1, .cluster_ip_count = 1 };
	struct ctl_claimant *claimant;
	char key[32];

	spec.cluster_ips[0] = address(0, naive->cluster);
	if (naive->external >= 0)
		spec.external_ips = (struct wf_service_addrs){ &external, 1, 1 };
	if (naive->node_port >= 0)
		port.node_port = (uint16_t)(30000 + naive->node_port);
	(void)snprintf(key, sizeof(key), "default/s%u", name);
	assert_int_equal(wf_ctl_claimant_new(&claimant, key, &spec), 0);
	return claimant;
}

static bool is_at(const struct naive *naive, const struct wf_addr *addr)
{
	struct wf_addr cluster = address(0, naive->cluster);
	struct wf_addr external = address(1, (unsigned int)(naive->external + 1));

	return wf_addr_equal(&cluster, addr) ||
	       (naive->external >= 0 && wf_addr_equal(&external, addr));
}

static bool is_within(int number, int base, uint16_t first, uint16_t last)
{
	return number >= 0 && base + number >= first && base + number <= last;
}

/* The name that a claim belongs to; -1: no claim. */
static int owner_of(const struct ctl_claim *claim)
{
	return claim ? atoi(claim->owner->key + strlen("default/s")) : -1;
}

enum question {
	AT_ADDRESS,
	AT_PORT,
	AT_NODE_PORT,
	QUESTIONS,
};

static bool answers(const struct naive *naive, enum question question, const struct wf_addr *addr,
		    uint16_t first, uint16_t last)
{
	switch (question) {
	case AT_ADDRESS: return is_at(naive, addr);
	case AT_PORT: return is_at(naive, addr) && is_within((int)naive->port, 80, first, last);
	default: return is_within(naive->node_port, 30000, first, last);
	}
}

static const struct ctl_claim *ask(struct wf_index *claims, enum question question,
				   const struct wf_addr *addr, uint16_t first, uint16_t last,
				   const char *except)
{
	switch (question) {
	case AT_ADDRESS: return wf_ctl_claim_of_address(claims, addr, except);
	case AT_PORT: return wf_ctl_claim_of_port(claims, addr, IPPROTO_TCP, first, last, except);
	default: return wf_ctl_claim_of_node_port(claims, IPPROTO_TCP, first, last, except);
	}
}

/* One question to both: whoever is named must be one that answers there, and nobody else is asked
 * about than those that are shown. */
static void compare(struct wf_index *claims, const struct naive *models, const bool *shown)
{
	enum question question = (enum question)any(QUESTIONS);
	bool external = any(2);
	struct wf_addr addr = address(external, any(external ? EXTERNS : CLUSTERS) + external);
	uint16_t first = (uint16_t)((question == AT_NODE_PORT ? 30000 : 80) + any(4));
	uint16_t last = (uint16_t)(first + any(3));
	int except = any(2) ? (int)any(NAMES) : -1, owner;
	bool expected = false;
	char key[32];

	(void)snprintf(key, sizeof(key), "default/s%d", except);
	owner = owner_of(ask(claims, question, &addr, first, last, except < 0 ? NULL : key));
	for (int i = 0; i < NAMES; i++) {
		bool does = i != except && shown[i] &&
			    answers(&models[i], question, &addr, first, last);

		expected |= does;
		if (i == owner)
			assert_true(does);
	}
	assert_int_equal(owner >= 0, expected);
}

static void test_index(void **state)
{
	struct ctl_claimant *claimants[NAMES] = { NULL };
	struct naive models[NAMES] = { { 0 } };
	struct wf_index claims = { 0 };
	bool shown[NAMES] = { false };
	size_t hits = 0;

	(void)state;
	srand(11);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int name = any(NAMES);

		switch (any(3)) {
		case 0:
			wf_ctl_claimant_free(&claims, &claimants[name]);
			models[name] = any_naive();
			claimants[name] = claimant_of(name, &models[name]);
			shown[name] = false;
			break;
		case 1:
			wf_ctl_claimant_show(&claims, claimants[name]);
			shown[name] = claimants[name];
			break;
		default: wf_ctl_claimant_hide(&claims, claimants[name]); shown[name] = false;
		}
		hits += claims.count;
		compare(&claims, models, shown);
	}
	assert_true(hits > 20000);
	for (unsigned int i = 0; i < NAMES; i++)
		wf_ctl_claimant_free(&claims, &claimants[i]);
	assert_int_equal(claims.count, 0);
	wf_index_done(&claims);
}

/* Health check ports are node ports, and others' protocols are none. */
static void test_kinds_of_node_ports(void **state)
{
	struct wf_service_port port = { .proto = IPPROTO_UDP, .port = 53, .node_port = 30053 };
	struct wf_service spec = { .type = WF_SERVICE_LOAD_BALANCER,
				   .external_local = true,
				   .health_check_node_port = 30100,
				   .ports = &port,
				   .port_count = 1 };
	const struct ctl_claim *found;
	struct ctl_claimant *claimant;
	struct wf_index claims = { 0 };

	(void)state;
	assert_int_equal(wf_ctl_claimant_new(&claimant, "default/dns", &spec), 0);
	wf_ctl_claimant_show(&claims, claimant);
	found = wf_ctl_claim_of_node_port(&claims, IPPROTO_TCP, 30000, 32767, NULL);
	assert_non_null(found);
	assert_int_equal(found->kind, CTL_CLAIM_HEALTH_PORT);
	assert_int_equal(found->port, 30100);
	found = wf_ctl_claim_of_node_port(&claims, IPPROTO_UDP, 30000, 32767, NULL);
	assert_non_null(found);
	assert_int_equal(found->kind, CTL_CLAIM_NODE_PORT);
	assert_int_equal(found->port, 30053);
	assert_null(wf_ctl_claim_of_node_port(&claims, IPPROTO_UDP, 30100, 30100, NULL));
	assert_null(wf_ctl_claim_of_node_port(&claims, IPPROTO_SCTP, 1, 65535, NULL));
	wf_ctl_claimant_free(&claims, &claimant);
	wf_index_done(&claims);
}

/* ---- through applying -------------------------------------------------------------------------- */

static void add_document(struct wf_str *out, unsigned int name, const struct naive *naive)
{
	wf_str_addf(out,
		    "%s{'apiVersion':'v1','kind':'Service','metadata':{'name':'s%u'},'spec':{"
		    "'type':'%s','clusterIP':'10.96.0.%u','ports':[{'port':%u",
		    out->len > 1 ? "," : "", name, naive->node_port >= 0 ? "NodePort" : "ClusterIP",
		    naive->cluster + 1, 80 + naive->port);
	if (naive->node_port >= 0)
		wf_str_addf(out, ",'nodePort':%d", 30000 + naive->node_port);
	wf_str_add(out, "}]");
	if (naive->external >= 0)
		wf_str_addf(out, ",'externalIPs':['10.96.1.%d']", naive->external + 2);
	wf_str_add(out, "}}");
}

/* What the documents say of clashes, by looking at everybody. */
static bool clashes(const struct naive *models, unsigned int name, const struct naive *one)
{
	for (unsigned int i = 0; i < NAMES; i++) {
		const struct naive *other = &models[i];

		if (i == name || !other->there)
			continue;
		if (other->cluster == one->cluster)
			return true;
		if (one->external >= 0 && other->external == one->external &&
		    other->port == one->port)
			return true;
		if (one->node_port >= 0 && other->node_port == one->node_port)
			return true;
	}
	return false;
}

/* Some documents at once: later ones see earlier ones. True: the naive side accepts all. */
static bool any_documents(struct naive *models, struct wf_str *out)
{
	bool accepted = true, used[NAMES] = { false };

	wf_str_add(out, "[");
	for (unsigned int count = 1 + any(4); count; count--) {
		unsigned int name = any(NAMES);
		struct naive one = any_naive();

		if (used[name])
			continue;
		used[name] = true;
		add_document(out, name, &one);
		accepted &= !clashes(models, name, &one);
		models[name] = one;
	}
	wf_str_add(out, "]");
	return accepted;
}

static int try(struct lab *lab, const char *text)
{
	_cleanup_json_ json_t *documents = lab_json("%s", text), *results = NULL;
	struct wf_err err = WF_ERR_INIT;

	return wf_control_apply(lab->control, documents, true, &results, &err);
}

/* The index holds what those in force answer at, and nothing else. */
static void assert_index(struct lab *lab, const struct naive *models)
{
	size_t expected = 0;

	for (unsigned int i = 0; i < NAMES; i++)
		if (models[i].there)
			expected +=
				2 + (models[i].external >= 0 ? 2 : 0) + (models[i].node_port >= 0);
	assert_int_equal(lab->control->lb.claims.count, expected);
}

static void test_histories(void **state)
{
	struct lab *lab = lab_new();
	struct naive models[NAMES] = { { 0 } };
	size_t accepted = 0, refused = 0;

	(void)state;
	srand(12);
	for (unsigned int step = 0; step < 1500; step++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		struct naive after[NAMES];
		unsigned int gone = any(NAMES);
		char key[32];
		bool good;

		memcpy(after, models, sizeof(after));
		good = any_documents(after, &text);
		if (any(4) == 0) {
			assert_int_equal(try(lab, text.data), good ? 0 : -EADDRINUSE);
		} else {
			assert_int_equal(lab_apply(lab, "%s", text.data), good ? 0 : -EADDRINUSE);
			if (good)
				memcpy(models, after, sizeof(models));
			*(good ? &accepted : &refused) += 1;
		}
		assert_index(lab, models);
		(void)snprintf(key, sizeof(key), "default/s%u", gone);
		if (any(3) == 0 && models[gone].there) {
			assert_int_equal(lab_delete(lab, "Service", key), 0);
			models[gone].there = false;
		}
		if (any(200) == 0)
			lab_restart(lab);
		assert_index(lab, models);
	}
	assert_true(accepted > 100 && refused > 100);
	lab_settle(lab);
	lab_assert_consistent(lab);
	lab_free(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_kinds_of_node_ports),
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
