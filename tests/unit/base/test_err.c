/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_fail(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(err.document, -1);
	assert_int_equal(wf_fail(&err, -ENOSPC, "pool %s is full", "blue"), -ENOSPC);
	assert_int_equal(err.code, -ENOSPC);
	assert_string_equal(err.message, "pool blue is full");
	assert_int_equal(err.document, -1);
}

static void test_null_is_allowed(void **state)
{
	assert_int_equal(wf_fail(NULL, -EBUSY, "x"), -EBUSY);
	assert_int_equal(wf_fail_field(NULL, -EBUSY, "a", "x"), -EBUSY);
	assert_int_equal(wf_wrap(NULL, -EBUSY, "x"), -EBUSY);
	wf_err_set_object(NULL, "x");
	wf_err_clear(NULL);
}

static void test_failure_never_looks_like_success(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_fail(&err, 0, "x"), -EIO);
	assert_int_equal(err.code, -EIO);
	assert_int_equal(wf_fail(&err, ENOENT, "x"), -EIO);
	assert_int_equal(wf_err_negative(-ENOENT), -ENOENT);
}

static void test_field_and_object(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	(void)wf_fail_field(&err, -EINVAL, "spec.mtu", "too small");
	assert_string_equal(err.field, "spec.mtu");
	wf_err_set_object(&err, "network/%s", "blue");
	wf_err_set_object(&err, "endpoint/web");
	assert_string_equal(err.object, "network/blue");
	(void)wf_fail(&err, -EIO, "another");
	assert_string_equal(err.field, "");
	assert_string_equal(err.object, "");
}

static void test_wrap(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	int r = wf_fail(&err, -ENOENT, "no such file");

	assert_int_equal(wf_wrap(&err, r, "endpoint %s", "web"), -ENOENT);
	assert_string_equal(err.message, "endpoint web: no such file");
}

static void test_long_texts_are_cut(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	char *text = malloc(5000);

	memset(text, 'x', 4999);
	text[4999] = '\0';
	(void)wf_fail_field(&err, -EINVAL, text, "%s", text);
	wf_err_set_object(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
	assert_int_equal(strlen(err.object), sizeof(err.object) - 1);
	for (int i = 0; i < 3; i++)
		wf_err_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	free(text);
}

static void test_map(void **state)
{
	assert_int_equal(wf_err_map(-EEXIST)->http_status, 409);
	assert_int_equal(wf_err_map(EEXIST)->http_status, 409);
	assert_int_equal(wf_err_map(-EINVAL)->cni_code, 7);
	assert_int_equal(wf_err_map(-EAGAIN)->cni_code, 11);
	assert_string_equal(wf_err_map(-EXDEV)->name, "EIO");
	assert_string_equal(wf_err_map(0)->name, "EIO");
	assert_int_equal(wf_err_map_by_name("ENOSPC")->errnum, ENOSPC);
	assert_null(wf_err_map_by_name("EWHATEVER"));
	assert_null(wf_err_map_by_name(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_null_is_allowed),
		cmocka_unit_test(test_failure_never_looks_like_success),
		cmocka_unit_test(test_field_and_object),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
