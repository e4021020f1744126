/* SPDX-License-Identifier: Apache-2.0 */
#include "model/field_priv.h"

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

static void test_path(void **state)
{
	struct wf_field_path path = { .len = 0 };
	char longest[1000];
	size_t one, two;

	one = wf_field_push_key(&path, "spec");
	two = wf_field_push_key(&path, "subnets");
	(void)wf_field_push_index(&path, 3);
	(void)wf_field_push_key(&path, "cidr");
	assert_string_equal(path.text, "spec.subnets[3].cidr");
	wf_field_pop(&path, two);
	assert_string_equal(path.text, "spec");
	wf_field_pop(&path, one);
	assert_string_equal(path.text, "");
	memset(longest, 'x', sizeof(longest));
	longest[999] = '\0';
	(void)wf_field_push_key(&path, longest);
	(void)wf_field_push_key(&path, longest);
	assert_int_equal(strlen(path.text), WF_FIELD_PATH_BYTES - 1);
	assert_int_equal(path.len, WF_FIELD_PATH_BYTES - 1);
}

static void test_excerpt(void **state)
{
	char buf[WF_FIELD_EXCERPT_BYTES], text[200];

	assert_string_equal(wf_field_excerpt("blue", buf), "blue");
	assert_string_equal(wf_field_excerpt("a\x1b[2J\n", buf), "a\\x1b[2J\\x0a");
	memset(text, 'a', sizeof(text));
	text[199] = '\0';
	(void)wf_field_excerpt(text, buf);
	assert_int_equal(strlen(buf), 63);
	assert_string_equal(buf + 60, "...");
	/* the cut never goes through a character */
	text[59] = '\xc3';
	text[60] = '\xbc';
	(void)wf_field_excerpt(text, buf);
	assert_string_equal(buf + 59, "...");
	memset(text, 1, 199);
	assert_int_equal(strlen(wf_field_excerpt(text, buf)), 4 * 60 + 3);
}

static void test_error(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_field_fail(&err, "a.b", "is %d", 3), -EINVAL);
	assert_string_equal(err.message, "a.b: is 3");
	assert_string_equal(err.field, "a.b");
	assert_int_equal(wf_field_fail(&err, "", "x"), -EINVAL);
	assert_string_equal(err.message, "x");
	assert_int_equal(wf_field_fail(&err, "a\nb", "x"), -EINVAL);
	assert_string_equal(err.message, "a\\x0ab: x");
	assert_int_equal(wf_field_fail(NULL, "a", "x"), -EINVAL);
}

static void test_object(void **state)
{
	_cleanup_json_ json_t *document =
		json_pack("{s:s, s:{s:s}}", "kind", "Network", "metadata", "name", "blue");
	_cleanup_json_ json_t *nameless = json_pack("{s:s}", "kind", "Network");
	struct wf_err err = WF_ERR_INIT;

	(void)wf_field_fail(&err, "spec", "x");
	assert_int_equal(wf_field_name_object(-EINVAL, document, &err), -EINVAL);
	assert_string_equal(err.message, "Network/blue: spec: x");
	assert_string_equal(err.object, "network/blue");
	(void)wf_field_fail(&err, "spec", "x");
	assert_int_equal(wf_field_name_object(-EINVAL, nameless, &err), -EINVAL);
	assert_string_equal(err.message, "Network: spec: x");
	assert_int_equal(wf_field_name_object(0, document, &err), 0);
	assert_int_equal(wf_field_name_object(-EINVAL, document, NULL), -EINVAL);
}

static const char *at(const void *context, size_t index)
{
	return ((const char *const *)context)[index];
}

static void test_nearest(void **state)
{
	static const char *const names[] = { "gateway", "cidr", "coolDown", "mtu" };

	assert_string_equal(wf_field_nearest("gatway", 4, at, names), "gateway");
	assert_string_equal(wf_field_nearest("cool_down", 4, at, names), "coolDown");
	assert_string_equal(wf_field_nearest("MTU", 4, at, names), "mtu");
	assert_null(wf_field_nearest("banana", 4, at, names));
	assert_null(wf_field_nearest("", 4, at, names));
	assert_null(wf_field_nearest("x", 0, at, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),    cmocka_unit_test(test_excerpt),
		cmocka_unit_test(test_error),   cmocka_unit_test(test_object),
		cmocka_unit_test(test_nearest),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
