/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/interval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 200

static uint32_t seed = 1;

static uint32_t roll(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void check(const struct wf_intervals *set, const bool *naive)
{
	uint64_t size = 0, next = WF_INTERVAL_NONE;

	for (size_t i = 0; i < set->count; i++) {
		assert_true(set->items[i].first <= set->items[i].last);
		/* disjoint, and never adjacent */
		if (i)
			assert_true(set->items[i].first > set->items[i - 1].last + 1);
	}
	for (uint64_t i = SIZE; i-- > 0;) {
		size += naive[i];
		if (naive[i])
			next = i;
		assert_int_equal(wf_intervals_contain(set, i), naive[i]);
		assert_int_equal(wf_intervals_next(set, i), next);
	}
	assert_int_equal(wf_intervals_size(set), size);
}

static void test_against_array(void **state)
{
	for (int round = 0; round < 300; round++) {
		struct wf_intervals set = { 0 };
		bool naive[SIZE] = { 0 };

		for (int i = 0; i < 25; i++) {
			uint64_t first = roll(SIZE), last = first + roll(SIZE - (uint32_t)first);
			bool add = roll(2);

			if (roll(3))
				last = first + (last - first) / 10;
			for (uint64_t n = first; n <= last; n++)
				naive[n] = add;
			if (add)
				assert_int_equal(wf_intervals_add(&set, first, last), 0);
			else
				assert_int_equal(wf_intervals_remove(&set, first, last), 0);
			check(&set, naive);
		}
		wf_intervals_done(&set);
	}
}

static void test_edges(void **state)
{
	struct wf_intervals set = { 0 };

	assert_int_equal(wf_intervals_next(&set, 0), WF_INTERVAL_NONE);
	assert_int_equal(wf_intervals_add(&set, 0, UINT64_MAX - 1), 0);
	assert_int_equal(wf_intervals_size(&set), UINT64_MAX);
	assert_int_equal(wf_intervals_remove(&set, 0, 0), 0);
	assert_int_equal(wf_intervals_remove(&set, UINT64_MAX - 1, UINT64_MAX - 1), 0);
	assert_int_equal(wf_intervals_next(&set, 0), 1);
	assert_int_equal(wf_intervals_next(&set, UINT64_MAX - 1), WF_INTERVAL_NONE);
	assert_false(wf_intervals_contain(&set, UINT64_MAX));
	wf_intervals_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
