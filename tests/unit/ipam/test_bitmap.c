/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/bitmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAIVE 70000

static uint64_t seed = 88172645463325252U;

static uint64_t roll(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t naive_next(const bool *set, uint64_t size, uint64_t from, bool wanted)
{
	for (uint64_t i = from; i < size; i++)
		if (set[i] == wanted)
			return i;
	return WF_BITMAP_NONE;
}

/* Dense random runs of several widths against an array of booleans. */
static void test_against_array(void **state)
{
	static const unsigned int widths[] = { 0, 1, 6, 8, 12, 13, 16 };

	for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
		bool *set = calloc(NAIVE, sizeof(*set));
		uint64_t size = UINT64_C(1) << widths[w];
		struct wf_bitmap bitmap;

		wf_bitmap_init(&bitmap, widths[w]);
		for (int i = 0; i < 30000; i++) {
			uint64_t number = roll() % size, run = roll() % (i % 50 ? 1 : 5000);
			bool on = roll() % 3 != 0;

			for (uint64_t n = number; n <= number + run && n < size; n++) {
				set[n] = on;
				if (on)
					assert_int_equal(wf_bitmap_set(&bitmap, n), 0);
				else
					wf_bitmap_clear(&bitmap, n);
			}
			number = roll() % (size + 2);
			assert_int_equal(wf_bitmap_next_clear(&bitmap, number),
					 naive_next(set, size, number, false));
			assert_int_equal(wf_bitmap_next_set(&bitmap, number),
					 naive_next(set, size, number, true));
		}
		wf_bitmap_done(&bitmap);
		free(set);
	}
}

static void test_full_width(void **state)
{
	struct wf_bitmap bitmap;

	wf_bitmap_init(&bitmap, 64);
	assert_int_equal(wf_bitmap_next_set(&bitmap, 0), WF_BITMAP_NONE);
	assert_int_equal(wf_bitmap_next_clear(&bitmap, 7), 7);
	assert_int_equal(wf_bitmap_set(&bitmap, UINT64_MAX - 1), 0);
	assert_int_equal(wf_bitmap_set(&bitmap, UINT64_C(1) << 63), 0);
	assert_int_equal(wf_bitmap_set(&bitmap, 5), 0);
	assert_int_equal(wf_bitmap_next_set(&bitmap, 0), 5);
	assert_int_equal(wf_bitmap_next_set(&bitmap, 6), UINT64_C(1) << 63);
	assert_int_equal(wf_bitmap_next_set(&bitmap, (UINT64_C(1) << 63) + 1), UINT64_MAX - 1);
	assert_int_equal(wf_bitmap_next_clear(&bitmap, 5), 6);
	assert_int_equal(wf_bitmap_next_clear(&bitmap, UINT64_MAX - 1), WF_BITMAP_NONE);
	wf_bitmap_done(&bitmap);
}

/* Memory follows the members: it grows with sparse ones and is given back. */
static void test_memory(void **state)
{
	struct wf_bitmap bitmap;
	size_t peak;

	wf_bitmap_init(&bitmap, 64);
	assert_int_equal(bitmap.bytes, 0);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(wf_bitmap_set(&bitmap, i << 40), 0);
	peak = bitmap.bytes;
	assert_true(peak > 500000);
	for (uint64_t i = 0; i < 1000; i++)
		wf_bitmap_clear(&bitmap, i << 40);
	assert_true(bitmap.bytes < peak / 50);
	assert_int_equal(wf_bitmap_next_set(&bitmap, 0), WF_BITMAP_NONE);
	wf_bitmap_done(&bitmap);
	for (uint64_t i = 0; i < 1000000; i++)
		assert_int_equal(wf_bitmap_set(&bitmap, i), 0);
	/* a bit for each dense member, and little more */
	assert_true(bitmap.bytes < 1000000 / 8 + 20000);
	assert_int_equal(wf_bitmap_next_clear(&bitmap, 0), 1000000);
	wf_bitmap_done(&bitmap);
	assert_int_equal(bitmap.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_full_width),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
