/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{}", "{}", true },
		{ "{}", "{\"metadata\":{}}", true },
		{ "{}", "{\"metadata\":{\"uid\":\"x\",\"resourceVersion\":\"7\"}}", true },
		{ "{\"metadata\":{\"name\":\"a\",\"uid\":\"x\"}}",
		  "{\"metadata\":{\"creationTimestamp\":\"t\",\"name\":\"a\"}}", true },
		{ "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true },
		{ "{\"a\":1}", "{\"a\":2}", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
		{ "{\"a\":1}", "{\"a\":1,\"b\":1}", false },
		{ "{\"a\":[1,2]}", "{\"a\":[2,1]}", false },
		{ "{}", "{\"metadata\":{\"name\":\"a\"}}", false },
		{ "{\"metadata\":{\"name\":\"a\"}}", "{\"metadata\":{\"labels\":\"a\"}}", false },
		/* the store's members count only inside of metadata */
		{ "{\"uid\":\"x\"}", "{\"uid\":\"y\"}", false },
		{ "{\"spec\":{\"uid\":\"x\"}}", "{\"spec\":{}}", false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *a = parse(rows[i].a), *b = parse(rows[i].b);

		assert_int_equal(wf_stamp_equal(a, b), rows[i].equal);
		assert_int_equal(wf_stamp_equal(b, a), rows[i].equal);
	}
}

/* Whatever the document had, undo brings it back; many members make its table grow. */
static void test_put_and_undo(void **state)
{
	for (int members = 0; members < 40; members++) {
		for (int had = 0; had < 8; had++) {
			_cleanup_json_ json_t *document = parse("{}"), *before = NULL;
			json_t *metadata = json_object();
			struct wf_stamp stamp;
			char key[8];

			for (int i = 0; i < members; i++) {
				(void)snprintf(key, sizeof(key), "k%d", i);
				(void)json_object_set_new(metadata, key, json_integer(i));
			}
			if (had & 1)
				(void)json_object_set_new(metadata, "uid", json_string("u"));
			if (had & 2)
				(void)json_object_set_new(metadata, "resourceVersion",
							  json_integer(5));
			if (had & 4)
				(void)json_object_set_new(metadata, "creationTimestamp",
							  json_null());
			(void)json_object_set_new(document, "metadata", metadata);
			if (members == 0 && had == 0)
				(void)json_object_del(document, "metadata");
			before = json_deep_copy(document);
			assert_int_equal(wf_stamp_put(&stamp, document, "id", 42, "now"), 0);
			assert_true(wf_stamp_equal(document, before));
			assert_false(json_equal(document, before));
			wf_stamp_undo(&stamp);
			assert_true(json_equal(document, before));
			assert_int_equal(wf_stamp_put(&stamp, document, "id", 42, "now"), 0);
			wf_stamp_keep(&stamp);
			assert_string_equal(wf_json_str(json_object_get(document, "metadata"),
							"resourceVersion", ""),
					    "42");
		}
	}
}

static void test_uid(void **state)
{
	char a[WF_STAMP_UID_BYTES], b[WF_STAMP_UID_BYTES];

	assert_int_equal(wf_stamp_uid(a), 0);
	assert_int_equal(wf_stamp_uid(b), 0);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_put_and_undo),
		cmocka_unit_test(test_uid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
