/* SPDX-License-Identifier: Apache-2.0 */
#include "lb/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define MOST 8192

static struct wf_maglev_backend backends[MOST];
static uint32_t table[2 * MOST];

static uint32_t build(const uint32_t *weights, size_t count)
{
	uint32_t size;

	for (size_t i = 0; i < count; i++)
		backends[i] = (struct wf_maglev_backend){ .number = (uint32_t)i + 1,
							  .weight = weights ? weights[i] : 7 };
	size = wf_turns_size(backends, count);
	assert_true(size <= WF_ARRAY_LEN(table));
	assert_int_equal(wf_turns_build(backends, count, table, size), 0);
	return size;
}

static uint32_t places_of(uint32_t number, uint32_t from, uint32_t to)
{
	uint32_t places = 0;

	for (uint32_t i = from; i < to; i++)
		places += table[i] == number;
	return places;
}

static void test_equal(void **state)
{
	assert_int_equal(build(NULL, 3), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(table[i], i + 1);
	assert_int_equal(build(NULL, MOST), MOST);
	assert_int_equal(table[MOST - 1], MOST);
}

static void test_weights(void **state)
{
	static const uint32_t five_to_one[] = { 50, 10, 10 };
	uint32_t size = build(five_to_one, 3);

	assert_int_equal(size, 7);
	assert_int_equal(places_of(1, 0, 7), 5);
	assert_int_equal(places_of(2, 0, 7), 1);
	assert_int_equal(places_of(3, 0, 7), 1);
}

/* In every stretch of the sequence a backend has its share, give or take few. */
static void test_smooth(void **state)
{
	static const uint32_t weights[] = { 1, 2, 3, 5, 8, 13 };
	uint32_t size = build(weights, 6);

	assert_int_equal(size, 32);
	for (uint32_t number = 1; number <= 6; number++) {
		for (uint32_t from = 0; from < size; from++) {
			for (uint32_t to = from + 1; to <= size; to++) {
				double share = weights[number - 1] * (to - from) / 32.0;
				double has = places_of(number, from, to);

				assert_true(has > share - 2 && has < share + 2);
			}
		}
	}
}

/* Great sums are scaled down to the bound; nobody is left out and shares stay about right. */
static void test_scaled(void **state)
{
	uint32_t weights[1000], size;

	for (uint32_t i = 0; i < 1000; i++)
		weights[i] = i < 10 ? 256 : 1 + i % 2;
	size = build(weights, 1000);
	assert_true(size <= WF_TURNS_MAX && size > WF_TURNS_MAX * 3 / 4);
	for (uint32_t number = 1; number <= 1000; number++)
		assert_true(places_of(number, 0, size) >= 1);
	assert_true(places_of(1, 0, size) > 50 * places_of(999, 0, size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_smooth),
		cmocka_unit_test(test_scaled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
