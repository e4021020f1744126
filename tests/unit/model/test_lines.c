/* SPDX-License-Identifier: Apache-2.0 */
#include "model/lines_priv.h"

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

static void test_paths(void **state)
{
	struct wf_document_lines *lines = wf_lines_new(), *view;
	uint64_t list = wf_lines_hash_key(WF_LINES_ROOT, "list", 4);
	uint64_t second = wf_lines_hash_index(list, 1);
	uint64_t member = wf_lines_hash_key(second, "a.b", 3);

	assert_non_null(lines);
	assert_int_equal(wf_lines_find_path(lines, "x"), 0);
	assert_int_equal(wf_lines_add(lines, WF_LINES_ROOT, 1), 0);
	assert_int_equal(wf_lines_add(lines, list, 2), 0);
	assert_int_equal(wf_lines_add(lines, second, 3), 0);
	assert_int_equal(wf_lines_add(lines, member, 4), 0);
	assert_int_equal(wf_lines_find(lines, member), 4);
	assert_int_equal(wf_lines_find(lines, member + 1), 0);
	assert_int_equal(wf_lines_find_path(lines, ""), 1);
	assert_int_equal(wf_lines_find_path(lines, "list"), 2);
	assert_int_equal(wf_lines_find_path(lines, "list[0]"), 2);
	assert_int_equal(wf_lines_find_path(lines, "list[1]"), 3);
	assert_int_equal(wf_lines_find_path(lines, "list[1].a.b"), 4);
	assert_int_equal(wf_lines_find_path(lines, "list[1].a.b.c[9]"), 4);
	assert_int_equal(wf_lines_find_path(lines, "lis"), 1);
	assert_int_equal(wf_lines_find_path(lines, "listing"), 1);
	view = wf_lines_new_view(lines, second);
	assert_non_null(view);
	wf_lines_free(&lines);
	assert_null(lines);
	assert_int_equal(wf_lines_find_path(view, "a.b"), 4);
	assert_int_equal(wf_lines_find_path(view, "z"), 3);
	wf_lines_free(&view);
	wf_lines_free(&view);
}

/* Whatever the text, the walk ends and stays within it (the sanitizer watches). */
static void test_json_cut_off(void **state)
{
	static const char text[] = "{\"a\": [1, \"x\\\"\", {}, []],\n\"b\": {\"c\": null}}";

	for (size_t len = 0; len < sizeof(text); len++) {
		struct wf_document_lines *lines = wf_lines_new();
		char *exact = malloc(len + 1);

		memcpy(exact, text, len);
		char *tight = realloc(exact, len ? len : 1);

		assert_int_equal(wf_lines_add_json(lines, tight, len), 0);
		free(tight);
		wf_lines_free(&lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_json_cut_off),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
