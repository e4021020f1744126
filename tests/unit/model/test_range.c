/* SPDX-License-Identifier: Apache-2.0 */
#include "model/network.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "fail_alloc.h"
#include "model/network_priv.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		const char *formatted; /* NULL: refused */
	} rows[] = {
		{ "10.0.0.5", "10.0.0.5" },
		{ "10.0.0.5/32", "10.0.0.5" },
		{ "10.0.0.64/28", "10.0.0.64/28" },
		{ "10.0.0.64-10.0.0.79", "10.0.0.64/28" },
		{ "10.0.0.65-10.0.0.79", "10.0.0.65-10.0.0.79" },
		{ "10.0.0.5-10.0.0.5", "10.0.0.5" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "fd00::-fd00::f", "fd00::/124" },
		{ "fd00::1-fd00::f", "fd00::1-fd00::f" },
		{ "::/0", "::/0" },
		{ "fd00:1111:2222:3333:4444:5555:6666:7777-fd00:1111:2222:3333:4444:5555:6666:777a",
		  "fd00:1111:2222:3333:4444:5555:6666:7777-fd00:1111:2222:3333:4444:5555:6666:777a" },
		{ "", NULL },
		{ "-", NULL },
		{ "10.0.0.5-", NULL },
		{ "-10.0.0.5", NULL },
		{ "10.0.0.65/28", NULL },
		{ "10.0.0.5-10.0.0.4", NULL },
		{ "10.0.0.5-fd00::1", NULL },
		{ "10.0.0.5-10.0.0.6-10.0.0.7", NULL },
		{ "10.0.0.0/24-10.0.1.0/24", NULL },
		{ "10.0.0.5 - 10.0.0.6", NULL },
		{ "10000000000000000000000000000000000000000000000000000000000000000-1", NULL },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		char text[WF_RANGE_TEXT];
		struct wf_range range;
		int r = wf_range_parse(rows[i].text, &range);

		if ((r == 0) != (rows[i].formatted != NULL))
			fail_msg("\"%s\": %d", rows[i].text, r);
		if (r == 0)
			assert_string_equal(wf_range_format(&range, text), rows[i].formatted);
	}
}

static void test_contain(void **state)
{
	struct wf_ranges ranges = { 0 };
	struct wf_range range;
	struct wf_addr a;

	assert_int_equal(wf_addr_parse("10.0.0.5", &a), 0);
	assert_false(wf_ranges_contain(&ranges, &a));
	assert_int_equal(wf_range_parse("fd00::/64", &range), 0);
	assert_int_equal(wf_ranges_add(&ranges, &range), 0);
	assert_int_equal(wf_range_parse("10.0.0.4-10.0.0.6", &range), 0);
	assert_int_equal(wf_ranges_add(&ranges, &range), 0);
	for (int i = 0; i < 10; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "10.0.0.%d", i);
		assert_int_equal(wf_addr_parse(text, &a), 0);
		assert_int_equal(wf_ranges_contain(&ranges, &a), (i >= 4 && i <= 6));
	}
	fail_alloc_arm(0);
	ranges.capacity = ranges.count;
	assert_int_equal(wf_ranges_add(&ranges, &range), -ENOMEM);
	(void)fail_alloc_disarm();
	assert_int_equal(ranges.count, 2);
	wf_ranges_done(&ranges);
	assert_int_equal(ranges.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_contain),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
