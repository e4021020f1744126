/* SPDX-License-Identifier: Apache-2.0 */
/* An array read an item at a time, from pieces of every size: as the whole text read at once. */
#include "base/json_items.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fail_alloc.h"

static const struct wf_json_bounds wide = { 1 << 20, 1000 };

/*
 * All items, shown the text in pieces: the first of `piece` bytes, which grows as it is asked for, always
 * from memory that ends there. -EAGAIN never comes out.
 */
static int read_all(const char *text, size_t len, size_t piece, const struct wf_json_bounds *bounds,
		    json_t *ret_array, bool *ret_found, struct wf_err *err)
{
	struct wf_json_items items;
	size_t used = 0, shown = piece;
	int r;

	wf_json_items_init(&items, "documents", bounds);
	do {
		_cleanup_free_ char *copy = NULL;
		json_t *item = NULL;
		size_t here = shown < len ? shown : len;

		copy = malloc(here + 1);
		memcpy(copy, text, here);
		r = wf_json_items_next(&items, copy, here, here == len, &used, &item, err);
		if (r == 1)
			assert_int_equal(json_array_append_new(ret_array, item), 0);
		else
			assert_null(item);
		if (r == -EAGAIN)
			assert_true(here < len);
		if (r >= 0 || r == -EAGAIN) {
			text += used;
			len -= used;
			shown = r == -EAGAIN ? here - used + piece : piece;
		}
	} while (r == 1 || r == -EAGAIN);
	*ret_found = items.has_found;
	return r;
}

/* Whether both readers take it; what they make of it has to be the same then. */
static bool is_taken(const char *text, size_t len, size_t piece)
{
	_cleanup_json_ json_t *mine = json_array(), *whole = NULL;
	bool has_found = false;
	int r = read_all(text, len, piece, &wide, mine, &has_found, NULL);
	struct wf_err err = WF_ERR_INIT;
	const json_t *wanted;

	if (wf_json_parse(text, len, &whole, &err) < 0) {
		/* members that are passed over may be there twice */
		if (r == 0 && !strstr(err.message, "duplicate"))
			fail_msg("accepted by parts of %zu: %.*s", piece, (int)len, text);
		return false;
	}
	wanted = json_object_get(whole, "documents");
	if (!json_is_object(whole)) {
		assert_int_equal(r, -EILSEQ);
		return false;
	}
	if (r < 0 || has_found != json_is_array(wanted) || (has_found && !json_equal(mine, wanted)))
		fail_msg("by parts of %zu: %d %.*s", piece, r, (int)len, text);
	return true;
}

static const char text[] =
	" {\"a\": [1, {\"documents\": [0]}], \"documents\" : [ 1, [-2.5e3],\"x,]\\\"}\" "
	", {\"c\": [ ], \"d\": {\"e\": \"\xc3\xa4\"}},[[]], true,null ] \n,\"b\":"
	"\"]\"}\n ";

static void test_pieces(void **state)
{
	static const char *const others[] = {
		"{}",
		"{\"documents\":[]}",
		"{\"documents\":5}",
		"{\"documents\": {\"a\": []}}",
		"{\"a\":true}",
		"{\"documents\":[{}]}",
		"{\"a\" : 12 , \"documents\":[12]}",
	};
	size_t len = sizeof(text) - 1;

	for (size_t piece = 1; piece <= len; piece++)
		assert_true(is_taken(text, len, piece));
	for (size_t i = 0; i < WF_ARRAY_LEN(others); i++)
		for (size_t piece = 1; piece <= strlen(others[i]); piece++)
			assert_true(is_taken(others[i], strlen(others[i]), piece));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"[1]",
		"{",
		"{\"documents\"",
		"{\"documents\":",
		"{\"documents\":[",
		"{\"documents\":[1",
		"{\"documents\":[1,",
		"{\"documents\":[1]",
		"{\"documents\":[1,]}",
		"{\"documents\":[1}]",
		"{\"documents\":[{]}]}",
		"{\"documents\":[tru]}",
		"{\"documents\":[1]}x",
		"{\"documents\":[1],}",
		"{\"documents\":[1],\"documents\":[2]}",
		"{\"documents\":[\"abc",
		"{\"documents\":[{\"a\":1,\"a\":2}]}",
		"{5:[1]}",
		"{\"documents\" [1]}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		for (size_t piece = 1; piece <= strlen(bad[i]) + 1; piece++) {
			_cleanup_json_ json_t *array = json_array();
			struct wf_err err = WF_ERR_INIT;
			bool has_found;

			if (read_all(bad[i], strlen(bad[i]), piece, &wide, array, &has_found,
				     &err) != -EILSEQ)
				fail_msg("%s: %s", bad[i], err.message);
			assert_non_null(strstr(err.message, "not valid JSON"));
		}
}

static void test_random(void **state)
{
	static const char odd[] = "{}[]:,\"\\ \n0129-+.eEntfax\x7f\xc3";
	size_t taken = 0, count = 50000;

	srandom(7);
	for (size_t n = 0; n < count; n++) {
		char changed[sizeof(text)];
		size_t len = sizeof(text) - 1;

		memcpy(changed, text, sizeof(text));
		for (long changes = random() % 3; changes >= 0; changes--)
			changed[(size_t)random() % len] = odd[(size_t)random() % (sizeof(odd) - 1)];
		taken += is_taken(changed, len, 1 + (size_t)random() % len);
	}
	assert_true(taken > count / 50 && taken < count);
}

/* What the whole text may have, and where it says that it is wrong. */
static void test_bounds(void **state)
{
	static const char many[] = "{\"documents\":[[1,2],[3,4],[5,6]]}";
	struct wf_json_bounds bounds = { 1 << 20, 7 };
	_cleanup_json_ json_t *array = json_array(), *none = json_array();
	struct wf_err err = WF_ERR_INIT;
	bool has_found;

	assert_int_equal(read_all(many, sizeof(many) - 1, 5, &bounds, array, &has_found, NULL), 0);
	assert_int_equal(json_array_size(array), 3);
	bounds.nodes = 6;
	assert_int_equal(read_all(many, sizeof(many) - 1, 5, &bounds, none, &has_found, &err),
			 -E2BIG);
	assert_int_equal(read_all("{\"documents\":[1,2,x]}", 20, 5, &wide, none, &has_found, &err),
			 -EILSEQ);
	assert_non_null(strstr(err.message, "behind 2 items of documents"));
}

static void test_no_memory(void **state)
{
	bool has_failed = false;

	for (size_t n = 0; n < 1000; n++) {
		_cleanup_json_ json_t *array = NULL;
		struct wf_json_items items;
		json_t *item = NULL;
		size_t used;
		int r;

		wf_json_items_init(&items, "documents", &wide);
		fail_alloc_arm(n);
		r = wf_json_items_next(&items, text, sizeof(text) - 1, true, &used, &item, NULL);
		has_failed |= fail_alloc_disarm();
		json_decref(item);
		if (r == 1)
			break;
		assert_int_equal(r, -ENOMEM);
	}
	assert_true(has_failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_random),    cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
