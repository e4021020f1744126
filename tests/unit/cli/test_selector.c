/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors of `weft get -l`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/selector.h"

static const struct {
	const char *selector;
	int result; /* against {"app": "web", "empty": ""} */
} rows[] = {
	{ "app=web", 1 },        { "app==web", 1 },      { " app = web ", 1 },
	{ "app=db", 0 },         { "app!=db", 1 },       { "app!=web", 0 },
	{ "other!=x", 1 },       { "app", 1 },           { "!app", 0 },
	{ "other", 0 },          { "!other", 1 },        { "empty=", 1 },
	{ "app=", 0 },           { "app=web,empty", 1 }, { "app=web,!empty", 0 },
	{ "app=db,app=web", 0 }, { "", -EINVAL },        { "app=web,", -EINVAL },
	{ "=web", -EINVAL },     { "!=web", -EINVAL },   { "app in (web)", -EINVAL },
	{ "!", -EINVAL },
};

static void test_match(void **state)
{
	_cleanup_json_ json_t *labels = json_pack("{s:s, s:s}", "app", "web", "empty", "");

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_err err = WF_ERR_INIT;
		int r = wf_cli_selector_match(rows[i].selector, labels, &err);

		if (r != rows[i].result)
			fail_msg("'%s' gives %d, not %d", rows[i].selector, r, rows[i].result);
		if (r < 0)
			assert_string_equal(err.field, "--selector");
	}
}

static void test_no_labels(void **state)
{
	(void)state;
	assert_int_equal(wf_cli_selector_match("app", NULL, NULL), 0);
	assert_int_equal(wf_cli_selector_match("!app", NULL, NULL), 1);
	assert_int_equal(wf_cli_selector_match("app!=x", NULL, NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_no_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
