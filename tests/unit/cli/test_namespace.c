/* SPDX-License-Identifier: Apache-2.0 */
/* Names in namespaces, and which items of a list are shown. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/namespace.h"

static void test_names(void **state)
{
	static char shop[] = "shop", sho[] = "sho", shop2[] = "shop2";
	static const struct {
		struct wf_cli_namespace_options options;
		const char *argument;
		const char *want; /* NULL: wrong usage */
	} rows[] = {
		{ { NULL, false }, "web", "default/web" },
		{ { shop, false }, "web", "shop/web" },
		{ { NULL, false }, "shop/web", "shop/web" },
		{ { shop, false }, "shop/web", "shop/web" },
		{ { sho, false }, "shop/web", NULL },
		{ { shop2, false }, "shop/web", NULL },
		{ { NULL, true }, "web", NULL },
	};

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str out = WF_STR_INIT;
		struct wf_cli cli = { .usage = false };
		int r = wf_cli_namespace_add(&cli, &rows[i].options, rows[i].argument, &out, NULL);

		assert_int_equal(r, rows[i].want ? 0 : -EINVAL);
		assert_int_equal(cli.usage, !rows[i].want);
		if (rows[i].want)
			assert_string_equal(wf_str_text(&out), rows[i].want);
	}
}

static size_t kept(const char *name, bool all)
{
	const struct wf_cli_namespace_options options = { .name = (char *)name, .all = all };
	_cleanup_json_ json_t *items =
		json_loads("[{\"metadata\":{\"name\":\"a\"}},"
			   "{\"metadata\":{\"name\":\"b\",\"namespace\":\"default\"}},"
			   "{\"metadata\":{\"name\":\"c\",\"namespace\":\"shop\"}},{}]",
			   0, NULL);

	assert_non_null(items);
	wf_cli_namespace_keep(items, &options);
	return json_array_size(items);
}

static void test_lists(void **state)
{
	(void)state;
	assert_int_equal(kept(NULL, false), 3);
	assert_int_equal(kept("shop", false), 1);
	assert_int_equal(kept("none", false), 0);
	assert_int_equal(kept(NULL, true), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
