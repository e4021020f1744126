/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three nodes give out one subnet in small blocks, in random order: they attach and detach, hear of
 * each other late, die, are taken for lost, are cut off and come back. After every step the store is
 * read as a naive checker reads it: no address is two endpoints', and each is leased to its own.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "pair.h"

#define NODES    3
#define STEPS    1000
#define HOSTS    32 /* addresses of the subnet */
#define NAMES    8  /* of sticky endpoints */
#define GRACE_MS 61000

static uint64_t seed;

static unsigned int roll(unsigned int below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 11) % below);
}

struct world {
	struct lab *labs[NODES];
	bool is_up[NODES];
	bool is_cut[NODES]; /* the store does not answer it, and its lease has ended */
	unsigned int made;  /* endpoints, for names */
	unsigned int attached, borrowed, full, released;
};

/* ---- the checker ------------------------------------------------------------------------------- */

struct seen {
	char owner[HOSTS][WF_NAME_BYTES];
	char node[HOSTS][WF_NAME_BYTES];
	char fault[256]; /* "": none */
};

static unsigned int place_of(const struct wf_addr *addr)
{
	struct wf_addr first;

	assert_int_equal(wf_addr_parse("10.5.0.0", &first), 0);
	return (unsigned int)wf_addr_distance(&first, addr);
}

static int see(const json_t *document, void *context, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	struct seen *seen = context;

	assert_int_equal(wf_endpoint_from_json(&spec, document, err), 0);
	for (size_t i = 0; i < spec.address_count; i++) {
		unsigned int at = place_of(&spec.addresses[i].prefix.addr);

		assert_true(at < HOSTS);
		if (*seen->owner[at] && !*seen->fault)
			(void)snprintf(seen->fault, sizeof(seen->fault),
				       "10.5.0.%u: %.80s and %.80s", at, seen->owner[at],
				       spec.meta.name);
		(void)snprintf(seen->owner[at], WF_NAME_BYTES, "%s", spec.meta.name);
		(void)snprintf(seen->node[at], WF_NAME_BYTES, "%s", spec.node);
	}
	return 0;
}

/* What is wrong with what is stored; "": nothing. */
static void check(struct wf_store *store, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	assert_int_equal(wf_store_visit(store, WF_KIND_ENDPOINT, see, seen, NULL), 0);
	for (unsigned int at = 0; at < HOSTS && !*seen->fault; at++) {
		_cleanup_json_ json_t *lease = NULL;
		const json_t *spec;
		char name[32];

		(void)snprintf(name, sizeof(name), "over/10.5.0.%u", at);
		(void)wf_store_get(store, CTL_KIND_ADDRESS_LEASE, name, &lease, NULL);
		spec = json_object_get(lease, "spec");
		if (*seen->owner[at] &&
		    (strcmp(wf_json_str(spec, "endpoint", ""), seen->owner[at]) != 0 ||
		     strcmp(wf_json_str(spec, "node", ""), seen->node[at]) != 0))
			(void)snprintf(seen->fault, sizeof(seen->fault), "%s: no lease of %.80s",
				       name, seen->owner[at]);
	}
}

/* Containers of all nodes that run have different addresses, when all have heard of everything. */
static void check_in_force(const struct world *world, const struct seen *seen)
{
	bool is_used[HOSTS] = { false };

	for (unsigned int i = 0; i < NODES; i++) {
		const struct ctl_endpoint *endpoint = world->labs[i]->control->endpoints;

		for (; endpoint; endpoint = endpoint->by_name.next) {
			unsigned int at = place_of(&endpoint->spec.addresses[0].prefix.addr);

			assert_false(is_used[at]);
			is_used[at] = true;
			assert_string_equal(seen->owner[at], endpoint->spec.meta.name);
			assert_string_equal(seen->node[at], world->labs[i]->node);
		}
	}
	for (unsigned int at = 0; at < HOSTS; at++)
		assert_int_equal(is_used[at], *seen->owner[at] != '\0');
}

/* ---- what happens ------------------------------------------------------------------------------ */

static uint64_t borrowed_of(const struct lab *lab)
{
	return wf_ctl_network_find(lab->control, "over")->borrowed_total;
}

static void begin(const struct world *world, unsigned int i)
{
	lab_use(world->labs[i]);
	if (world->is_cut[i])
		fake_gate_shut(FAKE_STORE);
}

static void end(void)
{
	(void)fake_gate_disarm();
}

#define MAX_INSIDE 8 /* interfaces that a fake namespace has room for */

/* A namespace of a lab that has room; -1: there is none. */
static int roomy(const struct lab *lab)
{
	unsigned int counts[8] = { 0 }, first = roll(8);

	for (const struct ctl_endpoint *endpoint = lab->control->endpoints; endpoint;
	     endpoint = endpoint->by_name.next)
		counts[endpoint->spec.netns[strlen("/fake/c")] - '0']++;
	for (unsigned int n = 0; n < 8; n++)
		if (counts[(first + n) % 8] < MAX_INSIDE)
			return (int)((first + n) % 8);
	return -1;
}

static void do_attach(struct world *world, unsigned int i)
{
	struct lab *lab = world->labs[i];
	uint64_t borrowed = borrowed_of(lab);
	char more[64] = "", name[16];
	int ns = roomy(lab), r;

	if (ns < 0)
		return;
	fake_net_dig(lab->net);
	(void)snprintf(name, sizeof(name), "e%u", world->made++);
	if (roll(6) == 0)
		(void)snprintf(more, sizeof(more), ",'addresses':['10.5.0.%u']",
			       2 + roll(HOSTS - 3));
	if (roll(4) == 0) {
		unsigned int sticky = roll(NAMES);

		(void)snprintf(name, sizeof(name), "s%u", sticky);
		(void)snprintf(more, sizeof(more), ",'sticky':true,'stickyName':'s%u'", sticky);
	}
	begin(world, i);
	r = lab_attach(lab, "{'network':'over','name':'%s','netns':'/fake/c%d','owner':'cli'%s}",
		       name, ns, more);
	end();
	world->attached += r == 0;
	world->full += r == -ENOSPC;
	world->borrowed += borrowed_of(lab) > borrowed;
	if (world->is_cut[i])
		assert_true(r < 0);
}

static void do_detach(struct world *world, unsigned int i)
{
	struct ctl_endpoint *endpoint = world->labs[i]->control->endpoints;
	unsigned int skip = roll(8);
	char name[WF_NAME_BYTES];

	while (endpoint && endpoint->by_name.next && skip--)
		endpoint = endpoint->by_name.next;
	if (!endpoint)
		return;
	(void)snprintf(name, sizeof(name), "%s", endpoint->spec.meta.name);
	begin(world, i);
	(void)lab_detach(world->labs[i], name);
	end();
}

static size_t blocks_stored(const struct world *world)
{
	_cleanup_json_ json_t *list = NULL;
	uint64_t revision;

	assert_int_equal(
		wf_store_list(world->labs[0]->store, CTL_KIND_IP_BLOCK, &list, &revision, NULL), 0);
	return json_array_size(list);
}

/* It hears of the others, and does what is done now and then. */
static void do_settle(struct world *world, unsigned int i)
{
	size_t before = blocks_stored(world);

	if (world->is_cut[i])
		return;
	lab_use(world->labs[i]);
	lab_settle(world->labs[i]);
	if (roll(2)) {
		wf_ctl_nodes_expire(world->labs[i]->control);
		wf_ctl_blocks_sync(world->labs[i]->control);
	}
	world->released += blocks_stored(world) < before;
}

static void lose(const struct world *world, unsigned int i)
{
	_cleanup_json_ json_t *lease = NULL;

	if (wf_store_get(world->labs[0]->store, CTL_KIND_NODE_LEASE, world->labs[i]->node, &lease,
			 NULL) == 0)
		pair_forget_lease(world->labs[0], world->labs[i]->node);
}

static void start(struct world *world, unsigned int i)
{
	lab_use(world->labs[i]);
	if (lab_start(world->labs[i]) < 0)
		fail_msg("%s", world->labs[i]->err.message);
	world->is_up[i] = true;
	lab_settle(world->labs[i]);
}

/* Dies, or is started again; its lease ends, or it is fast enough. */
static void do_die(struct world *world, unsigned int i)
{
	if (!world->is_up[i]) {
		start(world, i);
		return;
	}
	/* one that is cut off cannot start: it would not know of whom it is one */
	if (world->is_cut[i])
		return;
	lab_use(world->labs[i]);
	lab_stop(world->labs[i]);
	world->is_up[i] = false;
	if (roll(2))
		lose(world, i);
}

static void do_cut(struct world *world, unsigned int i)
{
	world->is_cut[i] = !world->is_cut[i];
	if (world->is_cut[i])
		lose(world, i);
	else
		do_settle(world, i);
}

/* Who is cut off hears nothing: what the lab's store has told it already is not for it yet. */
static bool is_deaf(const struct world *world, unsigned int i)
{
	return world->is_cut[i] && world->labs[i]->control->cluster.news;
}

static void step(struct world *world)
{
	unsigned int i = roll(NODES), what = roll(100);

	if (what < 4)
		fake_clock_advance_ms(roll(4) ? roll(20000) : GRACE_MS);
	else if (what < 7 || !world->is_up[i])
		do_die(world, i);
	else if (what < 9)
		do_cut(world, i);
	else if (what < 30)
		do_settle(world, i);
	else if (is_deaf(world, i))
		return;
	else if (what < 80)
		do_attach(world, i);
	else
		do_detach(world, i);
}

/* Everybody is there, and hears of everything. */
static void heal(struct world *world)
{
	for (unsigned int i = 0; i < NODES; i++) {
		world->is_cut[i] = false;
		if (!world->is_up[i])
			start(world, i);
	}
	for (unsigned int round = 0; round < 4; round++)
		for (unsigned int i = 0; i < NODES; i++) {
			lab_use(world->labs[i]);
			lab_settle(world->labs[i]);
		}
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void world_new(struct world *world)
{
	static const char *const names[NODES] = { "a", "b", "c" };
	static const char *const addresses[NODES] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };

	*world = (struct world){ .made = 0 };
	for (unsigned int i = 0; i < NODES; i++) {
		world->labs[i] = lab_join(i ? world->labs[0] : NULL, names[i], addresses[i]);
		world->is_up[i] = true;
	}
	lab_use(world->labs[0]);
	lab_network(world->labs[0], "over",
		    "{'driver':'overlay','coolDown':'1s',"
		    "'subnets':[{'cidr':'10.5.0.0/27','blockSize':29}]}");
}

static void world_free(struct world *world)
{
	for (unsigned int i = NODES; i--;) {
		lab_use(world->labs[i]);
		lab_free(&world->labs[i]);
	}
}

/* The checker sees a double, and an endpoint without its lease. */
static void test_the_checker_sees(void **state)
{
	struct world world;
	struct seen seen;
	_cleanup_json_ json_t *document = NULL;

	(void)state;
	world_new(&world);
	heal(&world);
	assert_int_equal(pair_attach(world.labs[0], "one", ""), 0);
	check(world.labs[0]->store, &seen);
	assert_string_equal(seen.fault, "");
	assert_int_equal(
		wf_store_get(world.labs[0]->store, WF_KIND_ENDPOINT, "one", &document, NULL), 0);
	assert_int_equal(wf_json_set_str(json_object_get(document, "metadata"), "name", "two"), 0);
	pair_write(world.labs[0], WF_KIND_ENDPOINT, "two", document);
	check(world.labs[0]->store, &seen);
	assert_string_equal(seen.fault, "10.5.0.2: one and two");
	pair_write(world.labs[0], WF_KIND_ENDPOINT, "one", NULL);
	check(world.labs[0]->store, &seen);
	assert_string_equal(seen.fault, "over/10.5.0.2: no lease of two");
	world_free(&world);
}

static void run(uint64_t start, struct world *sum)
{
	struct world world;
	struct seen seen;

	seed = start;
	world_new(&world);
	heal(&world);
	for (unsigned int i = 0; i < STEPS; i++) {
		step(&world);
		check(world.labs[0]->store, &seen);
		if (*seen.fault)
			fail_msg("seed %llu, step %u: %s", (unsigned long long)start, i,
				 seen.fault);
	}
	heal(&world);
	check(world.labs[0]->store, &seen);
	assert_string_equal(seen.fault, "");
	check_in_force(&world, &seen);
	sum->attached += world.attached;
	sum->borrowed += world.borrowed;
	sum->full += world.full;
	sum->released += world.released;
	world_free(&world);
}

static void test_no_address_twice(void **state)
{
	struct world sum = { .made = 0 };

	(void)state;
	for (uint64_t start = 1; start <= 6; start++)
		run(start * 7919, &sum);
	print_message("attached %u, borrowed %u, full %u, blocks released %u\n", sum.attached,
		      sum.borrowed, sum.full, sum.released);
	/* all of it happened */
	assert_true(sum.attached > 500 && sum.borrowed > 20 && sum.full > 20 && sum.released > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_checker_sees),
		cmocka_unit_test(test_no_address_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
