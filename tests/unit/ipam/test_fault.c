/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation n fails, for every n, in every operation of a pool: nothing changes then. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fail_alloc.h"
#include "base/mem.h"
#include "ipam/pool.h"

static struct wf_range range = { { .bytes = { [10] = 0xff, 0xff, 10, 0, 0, 20 } },
				 { .bytes = { [10] = 0xff, 0xff, 10, 0, 0, 90 } } };

static struct wf_subnet subnet(void)
{
	struct wf_subnet made = { .excluded = { &range, 1, 1 } };

	assert_int_equal(wf_prefix_parse("10.0.0.0/16", &made.prefix), 0);
	return made;
}

static int do_alloc(struct wf_pool *pool)
{
	struct wf_addr addr;

	return wf_pool_alloc(pool, "owner", NULL, 0, &addr, NULL);
}

static int do_alloc_narrow(struct wf_pool *pool)
{
	struct wf_range wide = { range.first, wf_addr_add(&range.last, 3000) };
	struct wf_ranges narrow = { &wide, 1, 1 };
	struct wf_addr addr;

	return wf_pool_alloc(pool, "owner", &narrow, 0, &addr, NULL);
}

static int do_take(struct wf_pool *pool)
{
	struct wf_addr addr = wf_addr_add(&range.first, 20000);

	return wf_pool_take(pool, &addr, "taker", 0, NULL);
}

static int do_reserve(struct wf_pool *pool)
{
	struct wf_addr addr = wf_addr_add(&range.first, 30000);

	return wf_pool_reserve(pool, &addr, "holder", NULL);
}

static int do_update(struct wf_pool *pool)
{
	struct wf_subnet changed = subnet();

	changed.ranges = (struct wf_ranges){ &range, 1, 1 };
	changed.excluded.count = 0;
	return wf_pool_update(pool, &changed, 7);
}

static void fail_each(int (*operate)(struct wf_pool *pool))
{
	struct wf_subnet made = subnet();

	for (size_t n = 0;; n++) {
		_cleanup_(wf_pool_free) struct wf_pool *pool = NULL;
		struct wf_pool_usage before, after;
		int r;

		assert_int_equal(wf_pool_new(&pool, &made, 0), 0);
		/* up to where the hash of owners grows with the next one */
		for (int i = 0; i < 320; i++)
			assert_int_equal(do_alloc(pool), 0);
		before = wf_pool_usage(pool, 0);
		fail_alloc_arm(n);
		r = operate(pool);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			assert_true(n > 0);
			return;
		}
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			after = wf_pool_usage(pool, 0);
			assert_memory_equal(&before, &after, sizeof(before));
		}
		assert_int_equal(operate(pool), 0);
	}
}

static void test_operations(void **state)
{
	fail_each(do_alloc);
	fail_each(do_alloc_narrow);
	fail_each(do_take);
	fail_each(do_reserve);
	fail_each(do_update);
}

/* From nothing to some hundred addresses, each allocation failing once. */
static void test_growth(void **state)
{
	struct wf_subnet made = subnet();
	_cleanup_(wf_pool_free) struct wf_pool *pool = NULL;
	uint64_t taken = 0;

	for (size_t n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = wf_pool_new(&pool, &made, 0);
		if (!fail_alloc_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(pool);
	}
	for (int i = 0; i < 1000; i++) {
		for (size_t n = 0;; n++) {
			int r;

			fail_alloc_arm(n);
			r = do_alloc(pool);
			taken += r == 0;
			assert_int_equal(wf_pool_usage(pool, 0).taken, taken);
			if (!fail_alloc_disarm())
				break;
			assert_true(r == 0 || r == -ENOMEM);
		}
	}
	assert_true(taken >= 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
