/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and ages, the two things that table cells are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static const struct {
	const char *path;
	const char *text;
} rows[] = {
	{ "name", "blue" },
	{ "spec.mtu", "1500" },
	{ "spec.subnets[].cidr", "10.0.0.0/8,fd00::/64" },
	{ "spec.subnets[].gateway", "10.0.0.1" },
	{ "spec.tags", "a,b" },
	{ "spec.labels", "k=v,n=1" },
	{ "spec.yes", "true" },
	{ "spec.none", "" },
	{ "spec.missing.deeper", "" },
	{ "name.of.text", "" },
	{ "name[].x", "" },
	{ "bad", "a\\x1b[2Jb\\x0a" },
};

static void test_paths(void **state)
{
	_cleanup_json_ json_t *value =
		json_loads("{\"name\":\"blue\",\"bad\":\"a\\u001b[2Jb\\n\",\"spec\":{\"mtu\":1500,"
			   "\"subnets\":[{\"cidr\":\"10.0.0.0/8\",\"gateway\":\"10.0.0.1\"},"
			   "{\"cidr\":\"fd00::/64\"}],\"tags\":[\"a\",\"b\"],"
			   "\"labels\":{\"k\":\"v\",\"n\":1},\"yes\":true,\"none\":null}}",
			   0, NULL);

	(void)state;
	assert_non_null(value);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		wf_cli_add_path(value, rows[i].path, &out);
		assert_string_equal(wf_str_text(&out), rows[i].text);
	}
}

static void test_age(void **state)
{
	static const struct {
		int64_t ago_s;
		const char *text;
	} ages[] = { { -50, "0s" },  { 119, "119s" },   { 120, "2m" },    { 7199, "119m" },
		     { 7200, "2h" }, { 172799, "47h" }, { 172800, "2d" }, { 8640000, "100d" } };

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(ages); i++) {
		char when[WF_CLOCK_TEXT];
		_cleanup_json_ json_t *item =
			json_pack("{s:{s:s}}", "metadata", "creationTimestamp",
				  wf_clock_format(wf_clock_wall_s() - ages[i].ago_s, when));
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		wf_cli_format_age(item, &out);
		/* the clock may move on by a second in between */
		if (ages[i].ago_s % 60 == 0)
			assert_string_equal(wf_str_text(&out), ages[i].text);
		else
			assert_true(out.len > 0);
	}
}

static void test_no_age(void **state)
{
	_cleanup_json_ json_t *item = json_object();
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	(void)state;
	wf_cli_format_age(item, &out);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_no_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
