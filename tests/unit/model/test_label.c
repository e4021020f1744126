/* SPDX-License-Identifier: Apache-2.0 */
#include "model/label.h"

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

static void test_set_and_get(void **state)
{
	_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };

	assert_null(wf_labels_get(&labels, "a"));
	assert_int_equal(wf_labels_set(&labels, "b", "1"), 0);
	assert_int_equal(wf_labels_set(&labels, "a", "2"), 0);
	assert_int_equal(wf_labels_set(&labels, "c", ""), 0);
	assert_int_equal(wf_labels_set(&labels, "b", "3"), 0);
	assert_int_equal(labels.count, 3);
	assert_string_equal(wf_labels_get(&labels, "b"), "3");
	assert_string_equal(wf_labels_get(&labels, "c"), "");
	for (size_t i = 1; i < labels.count; i++)
		assert_true(strcmp(labels.items[i - 1].key, labels.items[i].key) < 0);
}

static void test_grammar(void **state)
{
	static const char *const good[] = { "a=b", "a=", "app.kubernetes.io/name=web-1.2_x", "A=B",
					    "x/1=2" };
	static const char *const bad[] = { "a",     "=b",    "",        "-a=b",      "a-=b",
					   "a b=c", "a=b c", "a=-b",    "a=b=c",     "/a=b",
					   "A/b=c", "a/=b",  "a/b/c=d", "a=\xc3\xa9" };
	char longest[400];

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++) {
		_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };

		if (wf_labels_parse(&labels, good[i], NULL) < 0)
			fail_msg("refused %s", good[i]);
		assert_int_equal(labels.count, 1);
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		struct wf_labels labels = { 0 };
		struct wf_err err = WF_ERR_INIT;

		if (wf_labels_parse(&labels, bad[i], &err) != -EINVAL)
			fail_msg("accepted %s", bad[i]);
		assert_int_equal(labels.count, 0);
		assert_true(strlen(err.message) > 0);
	}
	for (size_t len = 63; len <= 64; len++) {
		_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };

		memset(longest, 'a', sizeof(longest));
		(void)strcpy(longest + len, "=b");
		assert_int_equal(wf_labels_parse(&labels, longest, NULL), len == 63 ? 0 : -EINVAL);
	}
	memset(longest, 'a', sizeof(longest));
	(void)strcpy(longest + 260, "/b=c");
	struct wf_labels labels = { 0 };

	assert_int_equal(wf_labels_parse(&labels, longest, NULL), -EINVAL);
}

static void test_json(void **state)
{
	_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };
	_cleanup_json_ json_t *object = json_pack("{s:s, s:s}", "b", "1", "a", "2");
	_cleanup_json_ json_t *bad = json_pack("{s:s, s:i}", "a", "1", "c", 2);
	_cleanup_json_ json_t *free_text = json_pack("{s:s}", "a", "any text: \n");
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_labels_from_json(&labels, object, "p", true, &err), 0);
	written = wf_labels_to_json(&labels);
	assert_true(json_equal(written, object));
	assert_int_equal(wf_labels_from_json(&labels, bad, "p", true, &err), -EINVAL);
	assert_string_equal(err.field, "p.c");
	assert_int_equal(wf_labels_from_json(&labels, free_text, "p", true, &err), -EINVAL);
	assert_string_equal(err.field, "p.a");
	assert_int_equal(labels.count, 2);
	assert_int_equal(wf_labels_from_json(&labels, free_text, "p", false, &err), 0);
	assert_int_equal(labels.count, 1);
	assert_int_equal(wf_labels_from_json(&labels, NULL, "p", true, &err), 0);
	assert_int_equal(labels.count, 0);
}

static void test_too_many(void **state)
{
	_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };
	_cleanup_json_ json_t *object = json_object();
	struct wf_err err = WF_ERR_INIT;
	char key[32];

	for (int i = 0; i < 1025; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		(void)json_object_set_new(object, key, json_string(""));
	}
	assert_int_equal(wf_labels_from_json(&labels, object, "p", true, &err), -EINVAL);
	(void)json_object_del(object, "k0");
	assert_int_equal(wf_labels_from_json(&labels, object, "p", true, &err), 0);
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *object = json_pack("{s:s, s:s}", "b", "1", "a", "2");
	struct wf_labels labels = { 0 };

	for (size_t n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = wf_labels_from_json(&labels, object, "p", true, NULL);
		if (!fail_alloc_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(labels.count, 0);
	}
	assert_int_equal(labels.count, 2);
	wf_labels_done(&labels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_get),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
