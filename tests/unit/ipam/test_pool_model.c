/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More than a million random operations on pools of many shapes, each compared with a model so
 * naive that it can be seen to be right: one array element per address, linear searches.
 */
#include "ipam/pool.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* The model knows this many addresses from the subnet's first one on. */
#define WINDOW     (1U << 18)
#define NAMES      12
#define MAX_RANGES 3

struct cell {
	uint8_t owner;  /* 0: none */
	uint8_t holder; /* 0: none */
	bool cooling;
	bool automatic; /* is_automatic(), which is slow */
	uint64_t released_ms;
};

struct model {
	struct wf_subnet subnet;
	struct wf_addr last; /* of the subnet */
	uint64_t size;       /* addresses of the subnet, capped to WINDOW */
	bool whole;          /* the window is the whole subnet */
	uint64_t cool_down_ms;
	uint64_t now_ms;
	int64_t cursor; /* -1: none yet */
	struct cell *cells;
	struct wf_range ranges[MAX_RANGES], excluded[MAX_RANGES], narrow[MAX_RANGES];
};

static uint64_t seed;

static uint64_t roll(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

static struct wf_addr addr_at(const struct model *model, uint64_t offset)
{
	return wf_addr_add(&model->subnet.prefix.addr, offset);
}

static const char *name_of(unsigned int id)
{
	static char names[NAMES + 1][8];

	(void)snprintf(names[id], sizeof(names[id]), "ep%u", id);
	return names[id];
}

static bool in_ranges(const struct wf_ranges *ranges, const struct wf_addr *addr)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (wf_addr_compare(&ranges->items[i].first, addr) <= 0 &&
		    wf_addr_compare(addr, &ranges->items[i].last) <= 0)
			return true;
	return false;
}

static bool is_unusable(const struct model *model, uint64_t offset)
{
	struct wf_addr addr = addr_at(model, offset);

	if (model->subnet.has_gateway && wf_addr_equal(&addr, &model->subnet.gateway))
		return true;
	if (wf_addr_is_ip4(&addr))
		return model->subnet.prefix.len < 31 &&
		       (offset == 0 || wf_addr_equal(&addr, &model->last));
	return offset == 0 && model->subnet.prefix.len < 127;
}

static bool is_automatic(const struct model *model, uint64_t offset)
{
	struct wf_addr addr = addr_at(model, offset);

	return !is_unusable(model, offset) && !in_ranges(&model->subnet.excluded, &addr) &&
	       (!model->subnet.ranges.count || in_ranges(&model->subnet.ranges, &addr));
}

static bool is_cooling(const struct model *model, const struct cell *cell)
{
	return cell->cooling && model->now_ms < cell->released_ms + model->cool_down_ms;
}

static enum wf_pool_state state_of(const struct model *model, uint64_t offset)
{
	const struct cell *cell = &model->cells[offset];

	if (cell->owner)
		return WF_POOL_TAKEN;
	if (cell->holder)
		return WF_POOL_RESERVED;
	if (is_cooling(model, cell))
		return WF_POOL_COOLING;
	if (is_unusable(model, offset))
		return WF_POOL_UNUSABLE;
	return cell->automatic ? WF_POOL_FREE : WF_POOL_EXCLUDED;
}

static void set_automatic(struct model *model)
{
	for (uint64_t offset = 0; offset < model->size; offset++)
		model->cells[offset].automatic = is_automatic(model, offset);
}

/* Whether range `i` is the first of the ranges that holds an address: count it there only. */
static bool is_first_of(const struct wf_ranges *ranges, size_t i, const struct wf_addr *addr)
{
	struct wf_ranges before = { ranges->items, i, i };

	return !in_ranges(&before, addr);
}

/* What must be given next: the free one that is the least onwards. -1 when nothing may be. */
static int64_t naive_choice(const struct model *model, const struct wf_ranges *narrow)
{
	uint64_t least = UINT64_MAX, found = 0, onwards = 0;

	for (uint64_t i = 1; !narrow && i <= model->size; i++) {
		uint64_t offset = (uint64_t)(model->cursor + (int64_t)i) % model->size;

		if (state_of(model, offset) == WF_POOL_FREE)
			return (int64_t)offset;
	}
	for (size_t i = 0; narrow && i < narrow->count; i++) {
		const struct wf_range *range = &narrow->items[i];
		uint64_t at = wf_addr_distance(&model->subnet.prefix.addr, &range->first);
		uint64_t end = wf_addr_distance(&model->subnet.prefix.addr, &range->last);

		for (; at <= end; at++) {
			onwards = (uint64_t)((int64_t)(at + model->size) - model->cursor - 1) %
				  model->size;
			if (onwards >= least || state_of(model, at) != WF_POOL_FREE)
				continue;
			least = onwards;
			found = at;
		}
	}
	return least == UINT64_MAX ? -1 : (int64_t)found;
}

struct census {
	uint64_t counts[WF_POOL_STATE_COUNT], size, next_ms;
};

static void count_one(const struct model *model, uint64_t offset, struct census *census)
{
	const struct cell *cell = &model->cells[offset];
	enum wf_pool_state state = state_of(model, offset);
	uint64_t due_ms = cell->released_ms + model->cool_down_ms;

	if (!cell->automatic)
		return;
	census->size++;
	census->counts[state]++;
	if (state == WF_POOL_COOLING && due_ms < census->next_ms)
		census->next_ms = due_ms;
}

/* The end of the message that must explain why nothing was given. */
static void expect_message(const struct model *model, const struct wf_ranges *narrow,
			   const char *message)
{
	struct census census = { .next_ms = UINT64_MAX };
	char want[160], due[64] = "";

	for (uint64_t offset = 0; !narrow && offset < model->size; offset++)
		count_one(model, offset, &census);
	for (size_t i = 0; narrow && i < narrow->count; i++) {
		const struct wf_range *range = &narrow->items[i];
		uint64_t length = wf_addr_distance(&range->first, &range->last);

		for (uint64_t n = 0; n <= length; n++) {
			struct wf_addr addr = wf_addr_add(&range->first, n);

			if (is_first_of(narrow, i, &addr))
				count_one(model,
					  wf_addr_distance(&model->subnet.prefix.addr, &addr),
					  &census);
		}
	}
	if (census.next_ms != UINT64_MAX)
		(void)snprintf(due, sizeof(due), " (next free in %llu s)",
			       (unsigned long long)((census.next_ms - model->now_ms + 999) / 1000));
	(void)snprintf(want, sizeof(want), ": %llu in use, %llu reserved, %llu cooling down%s",
		       (unsigned long long)census.counts[WF_POOL_TAKEN],
		       (unsigned long long)census.counts[WF_POOL_RESERVED],
		       (unsigned long long)census.counts[WF_POOL_COOLING], due);
	if (census.size && strcmp(message + strlen(message) - strlen(want), want) != 0)
		fail_msg("'%s' does not end with '%s'", message, want);
	if (!census.size)
		assert_non_null(strstr(message, "every address there is excluded"));
}

static uint64_t random_offset(const struct model *model)
{
	/* near the cursor, so that big subnets see collisions too */
	if (model->cursor >= 0 && roll(2))
		return (uint64_t)(model->cursor + (int64_t)roll(40)) % model->size;
	return roll(model->size < 300 || roll(8) == 0 ? model->size : 300);
}

static struct wf_range random_range(const struct model *model)
{
	uint64_t first = random_offset(model), len = roll(model->size > 64 ? 64 : model->size);

	if (first + len >= model->size)
		len = model->size - 1 - first;
	return (struct wf_range){ addr_at(model, first), addr_at(model, first + len) };
}

static void do_alloc(struct model *model, struct wf_pool *pool, bool narrowed)
{
	struct wf_ranges narrow = { model->narrow, 1 + roll(2), MAX_RANGES };
	const struct wf_ranges *ranges = narrowed ? &narrow : NULL;
	unsigned int id = 1 + (unsigned int)roll(NAMES);
	struct wf_err err = WF_ERR_INIT;
	struct wf_addr got;
	int64_t want;
	int r;

	for (size_t i = 0; i < MAX_RANGES; i++)
		model->narrow[i] = random_range(model);
	want = naive_choice(model, ranges);
	r = wf_pool_alloc(pool, name_of(id), ranges, model->now_ms, &got, &err);
	if (want < 0) {
		assert_int_equal(r, -ENOSPC);
		expect_message(model, ranges, err.message);
		return;
	}
	if (r < 0)
		fail_msg("%s", err.message);
	assert_int_equal(wf_addr_distance(&model->subnet.prefix.addr, &got), want);
	model->cells[want] = (struct cell){ .owner = (uint8_t)id, .automatic = true };
	model->cursor = want;
}

/* Who has an address elsewhere: the model's word, as if the pool's caller knew. */
static const char *ask(const struct wf_addr *addr, void *context)
{
	const struct model *model = context;
	uint32_t offset = be32toh(addr->words[3]) - be32toh(model->subnet.prefix.addr.words[3]);
	struct wf_addr at = addr_at(model, offset);

	assert_true(wf_addr_equal(&at, addr));
	return model->cells[offset].owner ? name_of(model->cells[offset].owner) : NULL;
}

static void do_take(struct model *model, struct wf_pool *pool, uint64_t offset)
{
	struct cell *cell = &model->cells[offset];
	struct wf_addr addr = addr_at(model, offset);
	uint8_t id = (uint8_t)(1 + roll(NAMES));
	int want = is_unusable(model, offset)           ? -EADDRNOTAVAIL
		   : cell->owner                        ? -EADDRINUSE
		   : cell->holder && cell->holder != id ? -EADDRINUSE
							: 0;

	assert_int_equal((roll(2) ? wf_pool_take : wf_pool_take_elsewhere)(pool, &addr, name_of(id),
									   model->now_ms, NULL),
			 want);
	if (want == 0) {
		cell->owner = id;
		cell->cooling = false;
	}
}

static void do_release(struct model *model, struct wf_pool *pool, uint64_t offset, bool stale)
{
	struct cell *cell = &model->cells[offset];
	struct wf_addr addr = addr_at(model, offset);
	uint8_t id = cell->owner && !stale ? cell->owner : (uint8_t)(1 + roll(NAMES));
	bool owned = cell->owner == id, cool = roll(4) != 0;

	assert_int_equal(wf_pool_release(pool, &addr, name_of(id), model->now_ms, cool),
			 owned ? 0 : -ENOENT);
	if (!owned)
		return;
	cell->owner = 0;
	cell->cooling = cool && model->cool_down_ms;
	cell->released_ms = model->now_ms;
}

static void do_reserve(struct model *model, struct wf_pool *pool, uint64_t offset)
{
	struct cell *cell = &model->cells[offset];
	struct wf_addr addr = addr_at(model, offset);
	uint8_t id = (uint8_t)(1 + roll(NAMES));
	int want = is_unusable(model, offset)           ? -EADDRNOTAVAIL
		   : cell->owner && cell->owner != id   ? -EADDRINUSE
		   : cell->holder && cell->holder != id ? -EADDRINUSE
							: 0;

	assert_int_equal(wf_pool_reserve(pool, &addr, name_of(id), NULL), want);
	if (want == 0)
		cell->holder = id;
}

static void do_unreserve(struct model *model, struct wf_pool *pool, uint64_t offset)
{
	struct cell *cell = &model->cells[offset];
	struct wf_addr addr = addr_at(model, offset);
	uint8_t id = cell->holder && roll(4) ? cell->holder : (uint8_t)(1 + roll(NAMES));
	bool held = cell->holder == id;

	assert_int_equal(wf_pool_unreserve(pool, &addr, name_of(id)), held ? 0 : -ENOENT);
	if (held)
		cell->holder = 0;
}

static void sweep(struct model *model)
{
	/* what was due under the old cool-down must not cool again under a longer one */
	for (uint64_t offset = 0; offset < model->size; offset++)
		if (!is_cooling(model, &model->cells[offset]))
			model->cells[offset].cooling = false;
}

static void do_update(struct model *model, struct wf_pool *pool)
{
	struct wf_addr unused;

	/* nothing is due and not swept up when a cool-down grows: alloc sweeps first */
	if (wf_pool_alloc(pool, "sweep", NULL, model->now_ms, &unused, NULL) == 0) {
		model->cursor = (int64_t)wf_addr_distance(&model->subnet.prefix.addr, &unused);
		assert_int_equal(wf_pool_release(pool, &unused, "sweep", model->now_ms, false), 0);
	}
	sweep(model);
	model->subnet.ranges.count = roll(2) ? 0 : 1 + roll(MAX_RANGES);
	model->subnet.excluded.count = roll(2) ? 0 : roll(MAX_RANGES + 1);
	for (size_t i = 0; i < MAX_RANGES; i++) {
		model->ranges[i] = random_range(model);
		model->excluded[i] = random_range(model);
	}
	model->cool_down_ms = roll(4) ? roll(20000) : 0;
	set_automatic(model);
	assert_int_equal(wf_pool_update(pool, &model->subnet, model->cool_down_ms), 0);
}

static void check_fact(const struct model *model, const struct wf_pool *pool, uint64_t offset)
{
	const struct cell *cell = &model->cells[offset];
	struct wf_addr addr = addr_at(model, offset);
	struct wf_pool_fact fact = wf_pool_explain(pool, &addr, model->now_ms);

	assert_int_equal(fact.state, state_of(model, offset));
	if (fact.state == WF_POOL_TAKEN)
		assert_string_equal(fact.owner, name_of(cell->owner));
	else if (fact.state == WF_POOL_RESERVED)
		assert_string_equal(fact.owner, name_of(cell->holder));
	else
		assert_null(fact.owner);
	if (fact.state == WF_POOL_COOLING)
		assert_int_equal(fact.cool_until_ms, cell->released_ms + model->cool_down_ms);
}

struct walk {
	const struct model *model;
	int64_t last;
};

static bool check_visited(const struct wf_addr *addr, const struct wf_pool_fact *fact,
			  void *context)
{
	struct walk *walk = context;
	uint64_t offset = wf_addr_distance(&walk->model->subnet.prefix.addr, addr);

	/* in order, and nothing is left out */
	while ((uint64_t)++walk->last < offset && (uint64_t)walk->last < walk->model->size) {
		enum wf_pool_state skipped = state_of(walk->model, (uint64_t)walk->last);

		assert_true(skipped == WF_POOL_FREE || skipped == WF_POOL_EXCLUDED);
	}
	if (offset < walk->model->size)
		assert_int_equal(fact->state, state_of(walk->model, offset));
	return true;
}

static void check_all(const struct model *model, const struct wf_pool *pool)
{
	struct wf_pool_usage usage = wf_pool_usage(pool, model->now_ms);
	struct walk walk = { model, -1 };
	uint64_t counts[WF_POOL_STATE_COUNT] = { 0 }, total = 0;

	for (uint64_t offset = 0; offset < model->size; offset++) {
		counts[state_of(model, offset)]++;
		total += model->cells[offset].automatic;
	}
	assert_int_equal(usage.taken, counts[WF_POOL_TAKEN]);
	assert_int_equal(usage.reserved, counts[WF_POOL_RESERVED]);
	assert_int_equal(usage.cooling, counts[WF_POOL_COOLING]);
	if (model->whole || model->subnet.ranges.count) {
		assert_int_equal(usage.total, total);
		assert_int_equal(usage.free, counts[WF_POOL_FREE]);
	}
	wf_pool_visit(pool, model->now_ms, check_visited, &walk);
}

static void step(struct model *model, struct wf_pool *pool, unsigned int fill)
{
	uint64_t offset = random_offset(model), dice = roll(100);

	if (dice < fill)
		do_alloc(model, pool, dice % 8 == 0);
	else if (dice < fill + 8)
		do_take(model, pool, offset);
	else if (dice < 80)
		do_release(model, pool, offset, dice % 8 == 0);
	else if (dice < 87)
		do_reserve(model, pool, offset);
	else if (dice < 95)
		do_unreserve(model, pool, offset);
	else
		model->now_ms += roll(roll(10) ? 500 : 20000);
	check_fact(model, pool, offset);
}

static void run_shape(const char *prefix, const char *gateway, int steps, int check_every)
{
	struct model model = { .cursor = -1, .cool_down_ms = 5000, .now_ms = 1000 };
	_cleanup_(wf_pool_free) struct wf_pool *pool = NULL;
	unsigned int host_bits;

	assert_int_equal(wf_prefix_parse(prefix, &model.subnet.prefix), 0);
	model.last = wf_prefix_last(&model.subnet.prefix);
	host_bits = wf_addr_bits(&model.subnet.prefix.addr) - model.subnet.prefix.len;
	model.whole = host_bits <= 18;
	model.size = model.whole ? UINT64_C(1) << host_bits : WINDOW;
	model.subnet.has_gateway = gateway != NULL;
	if (gateway)
		assert_int_equal(wf_addr_parse(gateway, &model.subnet.gateway), 0);
	model.subnet.ranges.items = model.ranges;
	model.subnet.excluded.items = model.excluded;
	model.cells = calloc(model.size, sizeof(*model.cells));
	set_automatic(&model);
	assert_int_equal(wf_pool_new(&pool, &model.subnet, model.cool_down_ms), 0);
	wf_pool_ask(pool, ask, &model);
	for (int i = 0; i < steps; i++) {
		/* phases of filling and of draining */
		step(&model, pool, i / 2000 % 2 ? 25 : 50);
		if (i % (check_every * 4) == 0 && i)
			do_update(&model, pool);
		if (i % check_every == 0)
			check_all(&model, pool);
	}
	check_all(&model, pool);
	free(model.cells);
}

static void test_30(void **state)
{
	run_shape("10.0.0.0/30", "10.0.0.1", 200000, 10);
}

static void test_29(void **state)
{
	run_shape("10.0.0.8/29", "10.0.0.12", 300000, 10);
}

static void test_31_and_32(void **state)
{
	run_shape("10.0.0.0/31", NULL, 30000, 10);
	run_shape("10.0.0.1/32", NULL, 30000, 10);
	run_shape("fd00::/127", NULL, 30000, 10);
}

static void test_24(void **state)
{
	run_shape("10.64.0.0/24", "10.64.0.1", 250000, 200);
}

static void test_16(void **state)
{
	run_shape("10.64.0.0/16", NULL, 60000, 10000);
}

static void test_ip6_120(void **state)
{
	run_shape("fd00::4:0/120", "fd00::4:1", 150000, 200);
}

static void test_ip6_64(void **state)
{
	run_shape("fd00:0:0:7::/64", "fd00:0:0:7::1", 60000, 20000);
}

static int set_seed(void **state)
{
	const char *text = getenv("WEFT_TEST_SEED");

	seed = text ? strtoull(text, NULL, 10) : 20261121;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_30, set_seed),
		cmocka_unit_test_setup(test_29, set_seed),
		cmocka_unit_test_setup(test_31_and_32, set_seed),
		cmocka_unit_test_setup(test_24, set_seed),
		cmocka_unit_test_setup(test_16, set_seed),
		cmocka_unit_test_setup(test_ip6_120, set_seed),
		cmocka_unit_test_setup(test_ip6_64, set_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
