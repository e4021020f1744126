/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change costs must not grow with what is there already. Not by time: the compiler calls
 * back for every basic block of control, lb, policy, store and base, and blocks are counted. A
 * walk over all services for each of them, however it is written, is some blocks for each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define FEW   60
#define MANY  480 /* the fakes have no room for many more */
#define TIMES 7

static uint64_t blocks;

/* What the compiler calls; it is no name of ours. */
void __sanitizer_cov_trace_pc(void); /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c) */
void __sanitizer_cov_trace_pc(void)  /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c) */
{
	blocks++;
}

/* ---- documents ---------------------------------------------------------------------------------- */

/* One of them has a node port, one an external address shared by all, one a selector. */
static void add_service(struct wf_str *out, unsigned int number)
{
	wf_str_addf(out,
		    "%s{'apiVersion':'v1','kind':'Service','metadata':{'name':'s%u'},"
		    "'spec':{'type':'%s','ports':[{'port':%u,'targetPort':8080}]",
		    out->len > 1 ? "," : "", number, number % 3 == 0 ? "NodePort" : "ClusterIP",
		    1 + number);
	if (number % 3 == 1)
		wf_str_add(out, ",'externalIPs':['192.0.2.1']");
	if (number % 3 == 2)
		wf_str_addf(out, ",'selector':{'app':'a%u'}", number);
	wf_str_add(out, "}}");
}

/* All have one backend in common. */
static void add_slice(struct wf_str *out, unsigned int number, unsigned int generation)
{
	if (number % 3 == 2)
		return;
	wf_str_addf(out,
		    "%s{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice',"
		    "'addressType':'IPv4','metadata':{'name':'s%u','labels':{"
		    "'kubernetes.io/service-name':'s%u'}},'ports':[{'name':'','port':8080,"
		    "'protocol':'TCP'}],'endpoints':[{'addresses':['198.51.100.7']},"
		    "{'addresses':['203.0.%u.%u']}]}",
		    out->len > 1 ? "," : "", number, number, generation + number / 200,
		    number % 200 + 1);
}

static void apply(struct lab *lab, const struct wf_str *text)
{
	int r = lab_apply(lab, "%s]", text->data);

	if (r < 0)
		fail_msg("%s", lab->err.message);
}

static void apply_one(struct lab *lab, unsigned int number, unsigned int generation, bool slice)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	wf_str_add(&text, "[");
	if (slice)
		add_slice(&text, number, generation);
	else
		add_service(&text, number);
	apply(lab, &text);
}

/* Slices of half of them come before their services. */
static void apply_all(struct lab *lab, unsigned int first, unsigned int end)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	wf_str_add(&text, "[");
	for (unsigned int i = first; i < end; i += 2)
		add_slice(&text, i, 0);
	for (unsigned int i = first; i < end; i++)
		add_service(&text, i);
	for (unsigned int i = first + 1; i < end; i += 2)
		add_slice(&text, i, 0);
	apply(lab, &text);
}

static struct lab *lab_of(unsigned int services)
{
	struct lab *lab = lab_new();

	/* more than other tests need */
	lab->control->config.node_port_last = 32767;
	lab->control->lb.cluster_cidrs[0].len = 16;
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	if (services)
		apply_all(lab, 0, services);
	return lab;
}

/* ---- changes ------------------------------------------------------------------------------------- */

/* Each for the time-th time, of services of all three sorts. */

static void new_service(struct lab *lab, unsigned int time)
{
	for (unsigned int i = 0; i < 3; i++)
		apply_one(lab, 3000 + 3 * time + i, 0, false);
}

static void service_again(struct lab *lab, unsigned int time)
{
	for (unsigned int i = 0; i < 3; i++)
		apply_one(lab, 3 * time + i, 0, false);
}

static void slice_changed(struct lab *lab, unsigned int time)
{
	apply_one(lab, 3 * time, 50, true);
	apply_one(lab, 3 * time + 1, 50, true);
}

static void delete (struct lab *lab, const char *kind, unsigned int number)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "default/s%u", number);
	assert_int_equal(lab_delete(lab, kind, key), 0);
}

static void service_deleted(struct lab *lab, unsigned int time)
{
	delete (lab, "EndpointSlice", 3 * time);
	for (unsigned int i = 0; i < 3; i++)
		delete (lab, "Service", 3 * time + i);
}

static void backend_attached(struct lab *lab, unsigned int time)
{
	assert_int_equal(lab_attach(lab,
				    "{'network':'blue','netns':'/fake/c0','owner':'cli',"
				    "'name':'web','labels':{'app':'a%u'}}",
				    3 * time + 2),
			 0);
	assert_int_equal(lab_detach(lab, "web"), 0);
}

static void many_at_once(struct lab *lab, unsigned int time)
{
	apply_all(lab, 2000 + 60 * time, 2060 + 60 * time);
}

static int compare_costs(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* ---- endpoints of other nodes -------------------------------------------------------------------- */

/* As another node writes it, from one that this node wrote. */
static void put_remote(struct lab *lab, const json_t *pattern, unsigned int number)
{
	_cleanup_json_ json_t *document = json_deep_copy(pattern);
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = "Endpoint",
					.document = document,
					.expected = WF_STORE_ANY };
	char text[32];

	(void)snprintf(text, sizeof(text), "10.5.%u.%u/16", 1 + number / 200, number % 200 + 1);
	json_object_set_new(
		json_array_get(json_object_get(json_object_get(document, "status"), "addresses"),
			       0),
		"address", json_string(text));
	json_object_set_new(json_object_get(document, "spec"), "node", json_string("z"));
	json_object_set_new(json_object_get(document, "metadata"), "labels",
			    json_pack("{s:o}", "app", json_sprintf("a%u", number % 24)));
	(void)snprintf(text, sizeof(text), "remote%u", number);
	json_object_set_new(json_object_get(document, "metadata"), "name", json_string(text));
	write.name = text;
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

static void drop_remote(struct lab *lab, unsigned int number)
{
	char name[32];
	const struct wf_store_write write = {
		.op = WF_STORE_DELETE, .kind = "Endpoint", .name = name, .expected = WF_STORE_ANY
	};

	(void)snprintf(name, sizeof(name), "remote%u", number);
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

/* A node among others that have so many endpoints; services select some, and policies. */
static struct lab *lab_among(unsigned int remotes, json_t **ret_pattern)
{
	struct lab *lab = lab_join(NULL, "a", "192.0.2.1");

	lab_network(lab, "over", "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/16'}]}");
	assert_int_equal(lab_apply(lab,
				   "[{'apiVersion':'v1','kind':'Service','metadata':{'name':'s'},"
				   "'spec':{'ports':[{'port':80}],'selector':{'app':'a99'}}},"
				   "{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy',"
				   "'metadata':{'name':'p'},'spec':{'podSelector':{},'ingress':"
				   "[{'from':[{'podSelector':{'matchLabels':{'app':'a1'}}}]}]}}]"),
			 0);
	lab_endpoint(lab, "over", "pattern", 0);
	assert_int_equal(wf_store_get(lab->store, "Endpoint", "pattern", ret_pattern, NULL), 0);
	for (unsigned int i = 0; i < remotes; i++)
		put_remote(lab, *ret_pattern, i);
	lab_settle(lab);
	assert_int_equal(lab->control->cluster.remotes.count, remotes);
	return lab;
}

/* The usual cost of one that comes, is looked for, and goes. */
static uint64_t cost_of_remote(unsigned int remotes)
{
	_cleanup_json_ json_t *pattern = NULL;
	struct lab *lab = lab_among(remotes, &pattern);
	uint64_t costs[TIMES];
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse("10.5.1.1", &addr), 0);
	for (unsigned int i = 0; i < TIMES; i++) {
		uint64_t before = blocks;

		put_remote(lab, pattern, 900 + i);
		lab_settle(lab);
		assert_non_null(wf_ctl_remote_by_address(lab->control, WF_NETWORK_HOST, &addr));
		assert_non_null(wf_ctl_remote_in(lab->control, "over"));
		wf_ctl_lb_touch_all(lab->control);
		wf_ctl_lb_flush(lab->control);
		drop_remote(lab, 900 + i);
		lab_settle(lab);
		costs[i] = blocks - before;
	}
	lab_free(&lab);
	qsort(costs, TIMES, sizeof(costs[0]), compare_costs);
	return costs[TIMES / 2];
}

static void test_remotes_cost_the_same(void **state)
{
	uint64_t few = cost_of_remote(FEW), many = cost_of_remote(MANY);

	(void)state;
	print_message("an endpoint elsewhere: %llu blocks beside %u, %llu beside %u\n",
		      (unsigned long long)few, FEW, (unsigned long long)many, MANY);
	assert_true(few > 100);
	/* how full the sets are makes a difference as well, but none such as a walk */
	assert_true(many < few + 2 * (MANY - FEW));
}

/* One walk over all of them would be seen. */
static void test_walk_of_remotes_is_seen(void **state)
{
	_cleanup_json_ json_t *pattern = NULL;
	struct lab *lab = lab_among(MANY, &pattern);
	uint64_t before = blocks;
	size_t at = 0, count = 0;

	(void)state;
	while (wf_ctl_remote_walk(lab->control, &at))
		count++;
	assert_int_equal(count, MANY);
	assert_true(blocks - before > 2 * (MANY - FEW));
	lab_free(&lab);
}

/* The usual cost: now and then an index grows. */
static uint64_t cost_of(void (*change)(struct lab *lab, unsigned int time), unsigned int services)
{
	struct lab *lab = lab_of(services);
	uint64_t costs[TIMES];

	for (unsigned int i = 0; i < TIMES; i++) {
		uint64_t before = blocks;

		change(lab, i);
		costs[i] = blocks - before;
	}
	lab_free(&lab);
	qsort(costs, TIMES, sizeof(costs[0]), compare_costs);
	return costs[TIMES / 2];
}

static void test_changes_cost_the_same(void **state)
{
	static const struct {
		const char *what;
		void (*change)(struct lab *lab, unsigned int time);
		unsigned int steps; /* things that are changed */
	} changes[] = {
		{ "a new service", new_service, 3 },
		{ "a service again", service_again, 3 },
		{ "a slice changed", slice_changed, 2 },
		{ "a service deleted", service_deleted, 4 },
		{ "a backend attached", backend_attached, 2 },
		{ "sixty services at once", many_at_once, 60 },
	};

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(changes); i++) {
		uint64_t few = cost_of(changes[i].change, FEW);
		uint64_t many = cost_of(changes[i].change, MANY);

		print_message("%s: %llu blocks beside %u services, %llu beside %u\n",
			      changes[i].what, (unsigned long long)few, FEW,
			      (unsigned long long)many, MANY);
		assert_true(few > 100);
		/* not even one block, at each step, for each service that is there */
		assert_true(many < few + changes[i].steps * (MANY - FEW));
	}
}

/* All from nothing: so many times as many cost so many times as much. */
static void test_linear_from_nothing(void **state)
{
	uint64_t before, few, many;
	struct lab *lab;

	(void)state;
	before = blocks;
	lab = lab_of(MANY / 8);
	few = blocks - before;
	lab_free(&lab);
	before = blocks;
	lab = lab_of(MANY);
	many = blocks - before;
	lab_restart(lab);
	print_message("%llu blocks for %u services, %llu for %u, %llu to start anew\n",
		      (unsigned long long)few, MANY / 8, (unsigned long long)many, MANY,
		      (unsigned long long)(blocks - before - many));
	assert_true(many < 8 * few + 2 * few);
	assert_true(blocks - before - many < 2 * many);
	lab_free(&lab);
}

/* The counter sees what it is there for. */
static void test_walks_are_seen(void **state)
{
	struct lab *lab = lab_of(MANY);
	uint64_t before = blocks;

	(void)state;
	wf_ctl_lb_touch_network(lab->control, "blue");
	assert_true(blocks - before >= MANY);
	lab_free(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks_are_seen),
		cmocka_unit_test(test_changes_cost_the_same),
		cmocka_unit_test(test_linear_from_nothing),
		cmocka_unit_test(test_walk_of_remotes_is_seen),
		cmocka_unit_test(test_remotes_cost_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
