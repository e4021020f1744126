/* SPDX-License-Identifier: Apache-2.0 */
#include "model/meta.h"

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

static json_t *document(const char *metadata)
{
	_cleanup_json_ json_t *value = json_loads(metadata, 0, NULL);

	assert_non_null(value);
	return json_pack("{s:O}", "metadata", value);
}

static void test_round_trip(void **state)
{
	_cleanup_(wf_meta_done) struct wf_meta meta = { .uid = "" };
	_cleanup_json_ json_t *in = document(
		"{\"name\": \"blue\", \"uid\": \"u\", \"resourceVersion\": \"18446744073709551615\","
		"\"creationTimestamp\": \"2026-11-21T07:38:45Z\", \"labels\": {\"a\": \"b\"},"
		"\"annotations\": {\"c\": \"d e\"}}");
	_cleanup_json_ json_t *out = NULL;

	assert_int_equal(wf_meta_from_json(&meta, in, NULL), 0);
	assert_true(meta.created_s == 1795246725);
	assert_true(meta.resource_version == UINT64_MAX);
	out = wf_meta_to_json(&meta, "Network");
	assert_true(json_equal(json_object_get(out, "metadata"), json_object_get(in, "metadata")));
	assert_string_equal(wf_json_str(out, "kind", ""), "Network");
	assert_string_equal(wf_json_str(out, "apiVersion", ""), "weft.dev/v1");
}

static void test_not_stored_yet(void **state)
{
	_cleanup_(wf_meta_done) struct wf_meta meta = { .uid = "" };
	_cleanup_json_ json_t *in = document("{\"name\": \"blue\", \"labels\": null}");
	_cleanup_json_ json_t *out = NULL;

	assert_int_equal(wf_meta_from_json(&meta, in, NULL), 0);
	assert_int_equal(meta.resource_version, 0);
	assert_int_equal(meta.created_s, 0);
	out = wf_meta_to_json(&meta, "Network");
	assert_int_equal(json_object_size(json_object_get(out, "metadata")), 1);
}

static void test_namespace(void **state)
{
	_cleanup_(wf_meta_done) struct wf_meta meta = { .uid = "" };
	_cleanup_json_ json_t *in = document("{\"name\": \"web\", \"namespace\": \"shop\"}");
	_cleanup_json_ json_t *out = NULL;
	char key[WF_NAME_BYTES];

	assert_int_equal(wf_meta_from_json(&meta, in, NULL), 0);
	assert_string_equal(wf_meta_key(&meta, key), "shop/web");
	out = wf_meta_to_json(&meta, "Service");
	assert_true(json_equal(json_object_get(out, "metadata"), json_object_get(in, "metadata")));
	meta.namespace[0] = '\0';
	assert_string_equal(wf_meta_key(&meta, key), "web");
}

static void test_labels_of_dns(void **state)
{
	assert_true(wf_meta_is_label("a"));
	assert_true(wf_meta_is_label("0-9"));
	assert_false(wf_meta_is_label(""));
	assert_false(wf_meta_is_label("a.b"));
	assert_false(wf_meta_is_label("-a"));
	assert_false(wf_meta_is_label(
		"a234567890123456789012345678901234567890123456789012345678901234"));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *metadata;
		const char *field;
	} rows[] = {
		{ "{}", "metadata.name" },
		{ "{\"name\": \"A\"}", "metadata.name" },
		{ "{\"name\": \"all\"}", "metadata.name" },
		{ "{\"name\": \"a\", \"resourceVersion\": \"x\"}", "metadata.resourceVersion" },
		{ "{\"name\": \"a\", \"resourceVersion\": -1}", "metadata.resourceVersion" },
		{ "{\"name\": \"a\", \"creationTimestamp\": \"now\"}",
		  "metadata.creationTimestamp" },
		{ "{\"name\": \"a\", \"creationTimestamp\": \"2026-11-21T07:38:45+01:00\"}",
		  "metadata.creationTimestamp" },
		{ "{\"name\": \"a\", \"uid\": \"0123456789012345678901234567890123456\"}",
		  "metadata.uid" },
		{ "{\"name\": \"a\", \"namespace\": \"a/b\"}", "metadata.namespace" },
		{ "{\"name\": \"a\", \"labels\": {\"x y\": \"\"}}", "metadata.labels.x y" },
		{ "{\"name\": \"a\", \"annotations\": {\"x\": 1}}", "metadata.annotations.x" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *in = document(rows[i].metadata);
		struct wf_meta meta, before;
		struct wf_err err = WF_ERR_INIT;

		memset(&meta, 0x5a, sizeof(meta));
		memcpy(&before, &meta, sizeof(meta));
		if (wf_meta_from_json(&meta, in, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].metadata);
		assert_string_equal(err.field, rows[i].field);
		assert_memory_equal(&meta, &before, sizeof(meta));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_not_stored_yet),
		cmocka_unit_test(test_namespace),  cmocka_unit_test(test_labels_of_dns),
		cmocka_unit_test(test_refusals),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
