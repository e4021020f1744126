/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fail_alloc.h"

static json_t *parse(const char *text)
{
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;

	if (wf_json_parse(text, strlen(text), &value, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return value;
}

static void test_parse(void **state)
{
	_cleanup_json_ json_t *value = parse("{\"a\": [1, \"x\", true, null, 1.5]}");
	_cleanup_free_ char *text = wf_json_text(value);

	assert_string_equal(text, "{\"a\":[1,\"x\",true,null,1.5]}");
}

static void test_floats_become_integers(void **state)
{
	_cleanup_json_ json_t *value =
		parse("{\"a\": 1e+06, \"b\": [2.0, {\"c\": -3.0}], \"d\": 1.5, "
		      "\"f\": -0.0}");
	_cleanup_free_ char *text = wf_json_text(value);

	assert_string_equal(text, "{\"a\":1000000,\"b\":[2,{\"c\":-3}],\"d\":1.5,\"f\":0}");
}

static void test_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{\"a\":1}x",
		"{\"a\":1,\"a\":2}",
		"[1,]",
		"{'a':1}",
		"\"\xff\"",
		"\"a\\u0000b\"",
		"1e999999",
		"99999999999999999999",
		"{\"a\\u0000\":1}",
		"nul",
		"\"\\ud800\"",
		"[01]",
		"\"tab\there\"",
	};
	json_t *untouched = NULL;

	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		struct wf_err err = WF_ERR_INIT;

		if (wf_json_parse(bad[i], strlen(bad[i]), &untouched, &err) != -EILSEQ)
			fail_msg("accepted %s", bad[i]);
		assert_non_null(strstr(err.message, "line"));
		assert_null(untouched);
	}
	assert_int_equal(wf_json_parse("[1]\0", 4, &untouched, NULL), -EILSEQ);
}

static const char plain[] =
	"{\"a\": [1, -20, \"x y\", true, false, null, [], {}], \"b\" :{\"c\": {\"d\":0}},\r\n\t"
	"\"\": \"\", \"long\": 123456789012345678 , \"e\": [[[\"~\"]]]}";

/* What the reader of plain texts accepts jansson accepts, and it is the same. */
static bool is_plain_and_right(const char *text, size_t len)
{
	_cleanup_json_ json_t *mine = wf_json_read_plain(text, len, WF_JSON_MAX_NODES),
			      *other = NULL;

	if (!mine)
		return false;
	other = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!other || !json_equal(mine, other))
		fail_msg("accepted %.*s", (int)len, text);
	return true;
}

static void test_plain(void **state)
{
	static const char *const not_plain[] = {
		"1.0",
		"1e3",
		"\"\\n\"",
		"\"\xc3\xa4\"",
		"[1234567890123456789]",
		"{\"a\":1,\"a\":1}",
		"-",
		"01",
		"[1 2]",
		"{\"a\" 1}",
		"{1:1}",
		"{\"a\":1,}",
		"tru",
		"",
		" ",
		"[",
		"\"a",
		"[1]]",
		"\"\x7f\"",
		"nulll",
	};

	assert_true(is_plain_and_right(plain, sizeof(plain) - 1));
	assert_true(is_plain_and_right(" -0 ", 4) && is_plain_and_right("null", 4));
	for (size_t i = 0; i < WF_ARRAY_LEN(not_plain); i++)
		if (is_plain_and_right(not_plain[i], strlen(not_plain[i])))
			fail_msg("plain: %s", not_plain[i]);
	assert_null(wf_json_read_plain("[1]\0", 4, WF_JSON_MAX_NODES));
}

/* The same with some characters changed, taken out and doubled at random. */
static void test_plain_random(void **state)
{
	static const char odd[] = "{}[]:,\"\\ \n0129-+.eEntfax\x7f\xc3";
	size_t accepted = 0, count = 200000;

	srandom(7);
	for (size_t n = 0; n < count; n++) {
		char text[sizeof(plain)];
		size_t len = sizeof(plain) - 1;

		memcpy(text, plain, sizeof(plain));
		for (long changes = random() % 3; changes >= 0; changes--) {
			size_t at = (size_t)random() % len;

			if (random() % 2)
				text[at] = odd[(size_t)random() % sizeof(odd)];
			else
				memmove(&text[at], &text[at + 1], --len - at);
		}
		accepted += is_plain_and_right(text, len);
	}
	/* neither nothing nor everything: both readers had something to decide */
	assert_in_range(accepted, count / 50, count / 2);
}

static void test_depth(void **state)
{
	char text[2 * WF_JSON_MAX_DEPTH + 4];
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;
	char *deep;

	memset(text, '[', WF_JSON_MAX_DEPTH);
	memset(text + WF_JSON_MAX_DEPTH, ']', WF_JSON_MAX_DEPTH);
	assert_int_equal(wf_json_parse(text, 2 * WF_JSON_MAX_DEPTH, &value, NULL), 0);
	json_decref(value);
	value = NULL;
	memset(text, '[', WF_JSON_MAX_DEPTH + 1);
	memset(text + WF_JSON_MAX_DEPTH + 1, ']', WF_JSON_MAX_DEPTH + 1);
	assert_int_equal(wf_json_parse(text, 2 * WF_JSON_MAX_DEPTH + 2, &value, &err), -EILSEQ);
	assert_non_null(strstr(err.message, "nested"));
	/* brackets in strings do not count */
	value = parse(
		"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
	json_decref(value);
	value = NULL;
	deep = malloc(100000);
	memset(deep, '[', 100000);
	uint64_t before = wf_clock_monotonic_ns();

	assert_int_equal(wf_json_parse(deep, 100000, &value, NULL), -EILSEQ);
	assert_true(wf_clock_monotonic_ns() - before < 100000000);
	free(deep);
}

static void test_too_large(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;

	/* refused by its length: the text is not looked at */
	assert_int_equal(wf_json_parse("[]", WF_JSON_MAX_BYTES + 1, &value, &err), -E2BIG);
	assert_null(value);
}

static void test_too_many_values(void **state)
{
	const size_t len = 2 * WF_JSON_MAX_NODES + 8;
	_cleanup_free_ char *text = malloc(len);
	struct wf_err err = WF_ERR_INIT;
	json_t *value = NULL;

	/* "[", then "0," again and again: one value more than there may be */
	assert_non_null(text);
	for (size_t i = 0; i < WF_JSON_MAX_NODES; i++)
		memcpy(text + 1 + 2 * i, "0,", 2);
	text[0] = '[';
	memcpy(text + 1 + 2 * WF_JSON_MAX_NODES, "0]", 2);
	assert_int_equal(wf_json_parse(text, 2 * WF_JSON_MAX_NODES + 3, &value, &err), -E2BIG);
	assert_non_null(strstr(err.message, "values"));
	assert_null(value);
	/* one less is fine, and so are any number within a string */
	memcpy(text + 2 * WF_JSON_MAX_NODES - 1, "0]", 2);
	assert_int_equal(wf_json_parse(text, 2 * WF_JSON_MAX_NODES + 1, &value, &err), 0);
	assert_int_equal(json_array_size(value), WF_JSON_MAX_NODES);
	json_decref(value);
	memset(text, ',', len);
	text[0] = text[len - 1] = '"';
	assert_int_equal(wf_json_parse(text, len, &value, &err), 0);
	json_decref(value);
}

static void test_members(void **state)
{
	_cleanup_json_ json_t *o = parse("{\"Name\": \"a\", \"n\": 3, \"t\": true, \"s\": \"x\", "
					 "\"real\": 1.5, \"NAME\": \"b\"}");

	assert_string_equal(json_string_value(wf_json_get_nocase(o, "NAME")), "b");
	assert_string_equal(json_string_value(wf_json_get_nocase(o, "name")), "a");
	assert_null(wf_json_get_nocase(o, "nam"));
	assert_null(wf_json_get_nocase(NULL, "x"));
	assert_string_equal(wf_json_str(o, "s", "d"), "x");
	assert_string_equal(wf_json_str(o, "n", "d"), "d");
	assert_string_equal(wf_json_str(NULL, "n", "d"), "d");
	assert_int_equal(wf_json_int(o, "n", 9), 3);
	assert_int_equal(wf_json_int(o, "real", 9), 9);
	assert_int_equal(wf_json_int(o, "absent", 9), 9);
	assert_true(wf_json_bool(o, "t", false));
	assert_true(wf_json_bool(o, "n", true));
}

static void test_set(void **state)
{
	_cleanup_json_ json_t *o = json_object();
	_cleanup_free_ char *text = NULL;

	assert_int_equal(wf_json_set(o, "a", NULL), 0);
	assert_int_equal(wf_json_set(o, "b", json_integer(1)), 0);
	assert_int_equal(wf_json_set_str(o, "c", NULL), 0);
	assert_int_equal(wf_json_set_str(o, "d", ""), 0);
	assert_int_equal(wf_json_set_str(o, "e", "x"), 0);
	assert_int_equal(wf_json_set(NULL, "b", json_integer(1)), -ENOMEM);
	text = wf_json_text(o);
	assert_string_equal(text, "{\"b\":1,\"e\":\"x\"}");
}

/* jansson by itself returns values and texts with bytes missing when a buffer cannot grow. */
static void test_allocation_failures(void **state)
{
	static const char text[] = "{\"a\": [1, \"x\", 2.0, {\"b\": null}], \"c\": 1.5, "
				   "\"a string that is longer than the reader's first buffer\": "
				   "\"and one more of the kind, so that both of them must grow\"}";

	for (size_t n = 0;; n++) {
		struct wf_err err = WF_ERR_INIT;
		json_t *value = NULL;
		int r;

		fail_alloc_arm(n);
		r = wf_json_parse(text, sizeof(text) - 1, &value, &err);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			json_decref(value);
			return;
		}
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(err.code, -ENOMEM);
		assert_null(value);
	}
}

static void test_allocation_failures_of_texts(void **state)
{
	_cleanup_json_ json_t *value =
		parse("{\"key\": [1, \"x\"], \"another key that is longer than the buffer\": 1.5, "
		      "\"one more, for good measure, so that it grows\": \"value\"}");
	_cleanup_free_ char *whole = wf_json_text(value);

	for (size_t n = 0;; n++) {
		_cleanup_free_ char *text = NULL;

		fail_alloc_arm(n);
		text = wf_json_text(value);
		if (!fail_alloc_disarm()) {
			assert_true(n > 0);
			assert_string_equal(text, whole);
			return;
		}
		assert_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_floats_become_integers),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_random),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_allocation_failures),
		cmocka_unit_test(test_allocation_failures_of_texts),
		cmocka_unit_test(test_too_many_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
