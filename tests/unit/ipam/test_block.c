/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a pool: random operations, each compared with a model that has one array element for each
 * address and each block; and the shapes that the model is too small for.
 */
#include "ipam/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/mem.h"

#define SIZE   256
#define LEN    28
#define WIDTH  16
#define BLOCKS (SIZE / WIDTH)

static uint64_t seed = 88172645463325252U;

static unsigned int roll(unsigned int below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 11) % below);
}

static struct wf_pool *pool_of(const char *cidr, uint8_t block_len)
{
	struct wf_subnet subnet = { .prefix = prefix_of(cidr), .has_gateway = true };
	struct wf_pool *pool;

	subnet.gateway = wf_addr_add(&subnet.prefix.addr, 1);
	assert_int_equal(wf_pool_new(&pool, &subnet, 0), 0);
	wf_pool_cut(pool, block_len);
	return pool;
}

/* ---- the model --------------------------------------------------------------------------------- */

struct model {
	struct wf_pool *pool;
	enum wf_pool_block whose[BLOCKS];
	bool busy[SIZE];
	int cursor; /* -1: none yet */
	struct wf_range within;
	bool is_narrow;
};

static struct wf_addr addr_at(const struct model *model, int offset)
{
	return wf_addr_add(&wf_pool_prefix(model->pool)->addr, (uint64_t)offset);
}

static int offset_of(const struct model *model, const struct wf_addr *addr)
{
	return (int)wf_addr_distance(&wf_pool_prefix(model->pool)->addr, addr);
}

static bool may_give(const struct model *model, int offset)
{
	struct wf_addr addr = addr_at(model, offset);

	if (model->busy[offset] || offset < 2 || offset == SIZE - 1)
		return false;
	return !model->is_narrow || (wf_addr_compare(&addr, &model->within.first) >= 0 &&
				     wf_addr_compare(&addr, &model->within.last) <= 0);
}

static int naive_own(const struct model *model)
{
	for (int i = 1; i <= SIZE; i++) {
		int offset = (model->cursor + i) % SIZE;

		if (model->whose[offset / WIDTH] == WF_POOL_BLOCK_OWN && may_give(model, offset))
			return offset;
	}
	return -1;
}

static int naive_find(const struct model *model, unsigned int number)
{
	for (unsigned int i = 0; i < BLOCKS; i++) {
		int block = (int)((number + i) % BLOCKS);

		for (int k = 0; k < WIDTH; k++)
			if (model->whose[block] == WF_POOL_BLOCK_FREE &&
			    may_give(model, block * WIDTH + k))
				return block;
	}
	return -1;
}

static void narrow(struct model *model, struct wf_ranges *ranges)
{
	int first = (int)roll(SIZE), last = first + (int)roll(SIZE - (unsigned int)first);

	model->is_narrow = roll(2);
	model->within = (struct wf_range){ addr_at(model, first), addr_at(model, last) };
	*ranges = (struct wf_ranges){ .items = &model->within, .count = model->is_narrow };
}

static void do_alloc(struct model *model, const struct wf_ranges *ranges)
{
	struct wf_addr got;
	int want = naive_own(model);
	int r = wf_pool_alloc_own(model->pool, "x", ranges, 0, &got, NULL);

	assert_int_equal(r, want < 0 ? -ENOSPC : 0);
	if (r < 0)
		return;
	assert_int_equal(offset_of(model, &got), want);
	model->busy[want] = true;
	model->cursor = want;
}

static void do_find(struct model *model, const struct wf_ranges *ranges)
{
	unsigned int number = roll(4 * BLOCKS);
	int want = naive_find(model, number);
	struct wf_prefix got;
	int r = wf_pool_block_find(model->pool, ranges, number, 0, &got);

	assert_int_equal(r, want < 0 ? -ENOSPC : 0);
	if (r < 0)
		return;
	assert_int_equal(got.len, LEN);
	assert_int_equal(offset_of(model, &got.addr), want * WIDTH);
}

static void do_mark(struct model *model)
{
	unsigned int block = roll(BLOCKS);
	struct wf_prefix prefix = { .addr = addr_at(model, (int)block * WIDTH), .len = LEN };

	model->whose[block] = (enum wf_pool_block)roll(3);
	assert_int_equal(wf_pool_block_mark(model->pool, &prefix, model->whose[block]), 0);
}

/* Somebody else takes it, or it is given back. */
static void do_toggle(struct model *model)
{
	int offset = 2 + (int)roll(SIZE - 3);
	struct wf_addr addr = addr_at(model, offset);

	if (model->busy[offset])
		assert_int_equal(wf_pool_release(model->pool, &addr, "x", 0, false), 0);
	else
		assert_int_equal(wf_pool_take(model->pool, &addr, "x", 0, NULL), 0);
	model->busy[offset] = !model->busy[offset];
}

static bool count_one(const struct wf_addr *addr, const struct wf_pool_fact *fact, void *context)
{
	int *count = context;

	(void)addr;
	assert_int_equal(fact->state, WF_POOL_TAKEN);
	(*count)++;
	return true;
}

static void check_block(const struct model *model, int block)
{
	struct wf_prefix prefix = { .addr = addr_at(model, block * WIDTH), .len = LEN };
	int want = 0, got = 0;

	for (int i = 0; i < WIDTH; i++)
		want += model->busy[block * WIDTH + i];
	wf_pool_visit_block(model->pool, &prefix, 0, count_one, &got);
	assert_int_equal(got, want);
	assert_int_equal(wf_pool_block_size(model->pool, &prefix),
			 WIDTH - 2 * (block == 0) - (block == BLOCKS - 1));
}

static void test_model(void **state)
{
	struct model model = { .pool = pool_of("10.5.0.0/24", LEN), .cursor = -1 };
	unsigned int full = 0;
	struct wf_ranges ranges;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		narrow(&model, &ranges);
		switch (roll(6)) {
		case 0:
		case 1: do_alloc(&model, &ranges); break;
		case 2: do_find(&model, &ranges); break;
		case 3: do_mark(&model); break;
		default: do_toggle(&model); break;
		}
		full += naive_own(&model) < 0;
		check_block(&model, (int)roll(BLOCKS));
	}
	/* both happened */
	assert_true(full > 1000 && full < 199000);
	wf_pool_free(&model.pool);
}

/* ---- shapes ------------------------------------------------------------------------------------ */

static void assert_found(struct wf_pool *pool, uint64_t number, const char *want)
{
	struct wf_prefix block;
	char text[WF_ADDR_TEXT];

	assert_int_equal(wf_pool_block_find(pool, NULL, number, 0, &block), 0);
	assert_string_equal(wf_prefix_format(&block, text), want);
}

static void test_wide_subnets(void **state)
{
	struct wf_pool *pool = pool_of("fd00:5::/64", 122);
	struct wf_prefix first = prefix_of("fd00:5::/122"),
			 far = prefix_of("fd00:5:0:0:8000::/122");
	struct wf_addr addr;
	char text[WF_ADDR_TEXT];

	(void)state;
	assert_found(pool, 0, "fd00:5::/122");
	assert_int_equal(wf_pool_block_mark(pool, &first, WF_POOL_BLOCK_OTHER), 0);
	assert_found(pool, 0, "fd00:5::40/122");
	assert_found(pool, UINT64_C(1) << 57, "fd00:5:0:0:8000::/122");
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), -ENOSPC);
	assert_int_equal(wf_pool_block_mark(pool, &far, WF_POOL_BLOCK_OWN), 0);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), 0);
	assert_string_equal(wf_addr_format(&addr, text), "fd00:5:0:0:8000::");
	/* a number beyond them all begins anew */
	assert_found(pool, (UINT64_C(1) << 58) + 1, "fd00:5::40/122");
	wf_pool_free(&pool);
	/* more addresses than are managed */
	pool = pool_of("fd00:5::/48", 122);
	assert_found(pool, 1, "fd00:5::40/122");
	assert_found(pool, UINT64_MAX, "fd00:5::ffff:ffff:ffff:ffc0/122");
	wf_pool_free(&pool);
}

static void test_narrow_subnets(void **state)
{
	struct wf_pool *pool = pool_of("10.5.0.0/30", 30);
	struct wf_prefix all = prefix_of("10.5.0.0/30"), block;
	struct wf_addr addr;

	(void)state;
	assert_found(pool, 7, "10.5.0.0/30");
	assert_int_equal(wf_pool_block_mark(pool, &all, WF_POOL_BLOCK_OWN), 0);
	assert_int_equal(wf_pool_block_find(pool, NULL, 0, 0, &block), -ENOSPC);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), 0);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), -ENOSPC);
	/* nothing but the gateway is in the first block of two */
	wf_pool_free(&pool);
	pool = pool_of("10.5.0.0/29", 31);
	assert_found(pool, 0, "10.5.0.2/31");
	wf_pool_free(&pool);
}

/* Without blocks there is nothing to choose from; another cut forgets the one before. */
static void test_cut(void **state)
{
	struct wf_pool *pool = pool_of("10.5.0.0/24", 0);
	struct wf_prefix block = prefix_of("10.5.0.0/28"), other = prefix_of("10.5.0.0/26"), at;
	struct wf_addr addr = block.addr;

	(void)state;
	assert_int_equal(wf_pool_block_len(pool), 0);
	assert_int_equal(wf_pool_block_mark(pool, &block, WF_POOL_BLOCK_OWN), -EINVAL);
	assert_int_equal(wf_pool_block_find(pool, NULL, 0, 0, &at), -ENOSPC);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), -ENOSPC);
	assert_false(wf_pool_block_of(pool, &block.addr, &at));
	wf_pool_cut(pool, 28);
	assert_int_equal(wf_pool_block_len(pool), 28);
	assert_int_equal(wf_pool_block_mark(pool, &block, WF_POOL_BLOCK_OWN), 0);
	assert_int_equal(wf_pool_block_mark(pool, &other, WF_POOL_BLOCK_OTHER), -EINVAL);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), 0);
	wf_pool_cut(pool, 26);
	assert_int_equal(wf_pool_alloc_own(pool, "x", NULL, 0, &addr, NULL), -ENOSPC);
	assert_found(pool, 0, "10.5.0.0/26");
	wf_pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_wide_subnets),
		cmocka_unit_test(test_narrow_subnets),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
