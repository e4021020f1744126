/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* RFC 4648, section 10. */
static void test_vectors(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
		{ "\xfb\xef\xbe", "++++" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		_cleanup_free_ char *bytes = NULL;
		size_t len = 99;

		wf_base64_add(&text, rows[i][0], strlen(rows[i][0]));
		assert_string_equal(wf_str_text(&text), rows[i][1]);
		assert_int_equal(wf_base64_decode(rows[i][1], strlen(rows[i][1]), &bytes, &len), 0);
		assert_int_equal(len, strlen(rows[i][0]));
		assert_string_equal(bytes, rows[i][0]);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-", "=m9v", "Z=9v",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		char *bytes = NULL;
		size_t len;

		assert_int_equal(wf_base64_decode(rows[i], strlen(rows[i]), &bytes, &len), -EILSEQ);
		assert_null(bytes);
	}
}

static void test_all_lengths(void **state)
{
	uint8_t source[700];

	for (size_t i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)(i * 151 + i / 256);
	for (size_t len = 0; len <= sizeof(source); len++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		_cleanup_free_ char *bytes = NULL;
		size_t got;

		wf_base64_add(&text, source, len);
		assert_int_equal(text.len, (len + 2) / 3 * 4);
		assert_int_equal(wf_base64_decode(wf_str_text(&text), text.len, &bytes, &got), 0);
		assert_int_equal(got, len);
		assert_memory_equal(bytes, source, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
