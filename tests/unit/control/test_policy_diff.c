/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static void assert_diff(const char *before, const char *after, const char *wanted)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	wf_ctl_diff(before, after, &out);
	assert_string_equal(wf_str_text(&out), wanted);
}

static void test_small(void **state)
{
	(void)state;
	assert_diff("", "", "");
	assert_diff("a\nb\n", "a\nb\n", "");
	assert_diff("", "a\nb\n", "+a\n+b\n");
	assert_diff("a\nb\n", "", "-a\n-b\n");
	assert_diff("a\nb\nc\n", "a\nx\nc\n", " a\n-b\n+x\n c\n");
	assert_diff("a\nb", "a\nb\nc", " a\n b\n+c\n");
	assert_diff("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\nx\n5\n6\n7\n",
		    " ...\n 2\n 3\n-4\n+x\n 5\n 6\n ...\n");
	assert_diff("a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
		    "-a\n+x\n 1\n 2\n ...\n 5\n 6\n-b\n+y\n");
}

/* Applies a diff without its context to `before`: the lines that stay are taken as they come. */
static void assert_leads_to(const char *before, const char *after)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT, made = WF_STR_INIT;
	size_t gone = 0, come = 0, before_lines = 0, after_lines = 0;

	wf_ctl_diff(before, after, &out);
	for (const char *at = wf_str_text(&out); *at; at = strchr(at, '\n') + 1) {
		gone += *at == '-';
		come += *at == '+';
	}
	for (const char *at = before; *at; at++)
		before_lines += *at == '\n';
	for (const char *at = after; *at; at++)
		after_lines += *at == '\n';
	assert_int_equal(before_lines - gone + come, after_lines);
}

static void test_random(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 500; round++) {
		_cleanup_str_ struct wf_str a = WF_STR_INIT, b = WF_STR_INIT;

		for (int i = 0; i < 30; i++) {
			int word = rand() % 5;

			if (rand() % 4)
				wf_str_addf(&a, "%d\n", word);
			if (rand() % 4)
				wf_str_addf(&b, "%d\n", word);
		}
		assert_leads_to(wf_str_text(&a), wf_str_text(&b));
	}
}

/* Too large to be compared well: still right. */
static void test_large(void **state)
{
	_cleanup_str_ struct wf_str a = WF_STR_INIT, b = WF_STR_INIT;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		wf_str_addf(&a, "a%d\n", i);
		wf_str_addf(&b, "b%d\n", i);
	}
	assert_leads_to(wf_str_text(&a), wf_str_text(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
