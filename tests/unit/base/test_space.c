/* SPDX-License-Identifier: Apache-2.0 */
#include "base/space.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define RUNS 3000

struct run {
	uint32_t first, size;
};

/* Sizes as services have them: mostly one place or a small Maglev table, some of any length. */
static uint32_t random_size(void)
{
	static const uint32_t usual[] = { 1, 1, 61, 127, 251, 251, 509, 1021 };

	if (rand() % 8)
		return usual[rand() % 8];
	return 1 + (uint32_t)rand() % 4096;
}

static void mark(uint8_t *owner, const struct run *run, uint8_t from, uint8_t to)
{
	for (uint32_t i = 0; i < run->size; i++) {
		assert_int_equal(owner[run->first + i], from);
		owner[run->first + i] = to;
	}
}

/*
 * A hundred thousand random takes and gives. No two runs overlap; and it never fails while a
 * third is in use, however long it goes on, and in the end the whole is one piece again.
 */
static void churn(uint32_t places)
{
	_cleanup_free_ uint8_t *owner = calloc(places, 1);
	static struct run runs[RUNS];
	struct wf_space space;
	size_t count = 0;
	uint32_t first;

	assert_int_equal(wf_space_init(&space, places), 0);
	for (int i = 0; i < 100000; i++) {
		struct run made = { .size = random_size() };

		if (count == RUNS || space.used > places / 3 || (count && rand() % 3 == 0)) {
			size_t which = (size_t)rand() % count;

			mark(owner, &runs[which], 1, 0);
			wf_space_give(&space, runs[which].first, runs[which].size);
			runs[which] = runs[--count];
			continue;
		}
		assert_int_equal(wf_space_take(&space, made.size, &made.first), 0);
		assert_true(made.first + made.size <= places);
		mark(owner, &made, 0, 1);
		runs[count++] = made;
	}
	while (count--)
		wf_space_give(&space, runs[count].first, runs[count].size);
	assert_int_equal(space.used, 0);
	/* the greatest power of two in it */
	assert_int_equal(wf_space_take(&space, 1U << (31 - __builtin_clz(places)), &first), 0);
	wf_space_done(&space);
}

static void test_churn(void **state)
{
	srand(2);
	churn(1 << 18);
	churn(300016);
}

static void test_take_at(void **state)
{
	struct wf_space space;
	uint32_t first;

	assert_int_equal(wf_space_init(&space, 1024), 0);
	assert_int_equal(wf_space_take_at(&space, 256, 251), 0);
	assert_int_equal(space.used, 256);
	assert_int_equal(wf_space_take_at(&space, 256, 251), -EBUSY);
	assert_int_equal(wf_space_take_at(&space, 511, 1), -EBUSY);
	assert_int_equal(wf_space_take_at(&space, 0, 1000), -EBUSY);
	assert_int_equal(wf_space_take_at(&space, 16, 251), -EINVAL);
	assert_int_equal(wf_space_take_at(&space, 1024, 1), -EINVAL);
	assert_int_equal(wf_space_take_at(&space, 0, 0), -EINVAL);
	assert_int_equal(wf_space_take_at(&space, 0, UINT32_MAX), -EINVAL);
	assert_int_equal(wf_space_take_at(&space, 1023, 1), 0);
	/* the lowest that fits: the upper end stays whole */
	assert_int_equal(wf_space_take(&space, 251, &first), 0);
	assert_int_equal(first, 0);
	wf_space_give(&space, 256, 251);
	wf_space_give(&space, 0, 251);
	wf_space_give(&space, 1023, 1);
	assert_int_equal(wf_space_take(&space, 1024, &first), 0);
	assert_int_equal(wf_space_take(&space, 1, &first), -ENOSPC);
	wf_space_done(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_take_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
