/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

static void test_monotonic(void **state)
{
	struct timespec now;
	uint64_t before = wf_clock_monotonic_ns(), between;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	between = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	assert_true(before <= between);
	assert_true(between <= wf_clock_monotonic_ns());
	assert_true(wf_clock_monotonic_ms() - between / 1000000 < 10000);
}

static void test_wall(void **state)
{
	int64_t before = time(NULL), now = wf_clock_wall_s();

	assert_true(now >= before - 1 && now <= before + 10);
}

static void test_format(void **state)
{
	char text[WF_CLOCK_TEXT];

	assert_string_equal(wf_clock_format(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(wf_clock_format(1795246725, text), "2026-11-21T07:38:45Z");
	assert_string_equal(wf_clock_format(951827696, text), "2000-02-29T12:34:56Z");
	/* beyond what the C library can say: empty, not garbage */
	assert_string_equal(wf_clock_format(INT64_MAX, text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_monotonic),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
