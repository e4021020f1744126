/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/yaml_read.c and yaml_write.c: text to values and back. */
#include "model/yaml_priv.h"

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
#include "model/document.h"

/* Words and the JSON they mean. */
static const struct {
	const char *text;
	const char *json; /* NULL: an error */
} words[] = {
	{ "", "null" },
	{ "~", "null" },
	{ "null", "null" },
	{ "nulL", "\"nulL\"" },
	{ "true", "true" },
	{ "FALSE", "false" },
	{ "yes", "\"yes\"" },
	{ "no", "\"no\"" },
	{ "on", "\"on\"" },
	{ "0", "0" },
	{ "010", "10" },
	{ "-7", "-7" },
	{ "+7", "7" },
	{ "0x1F", "31" },
	{ "0o17", "15" },
	{ "0x", "\"0x\"" },
	{ "0o8", "\"0o8\"" },
	{ "-0x1", "\"-0x1\"" },
	{ "1_000", "\"1_000\"" },
	{ "1.5", "1.5" },
	{ ".5", "0.5" },
	{ "5.", "5" },
	{ ".", "\".\"" },
	{ "1e3", "1000" },
	{ "1E-1", "0.10000000000000001" },
	{ "1e", "\"1e\"" },
	{ "e3", "\"e3\"" },
	{ "+", "\"+\"" },
	{ "1.2.3", "\"1.2.3\"" },
	{ "10.0.0.1", "\"10.0.0.1\"" },
	{ "02:00:00:00:00:05", "\"02:00:00:00:00:05\"" },
	{ "190:20:30", "\"190:20:30\"" },
	{ "2026-11-21", "\"2026-11-21\"" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "-9223372036854775808", "-9223372036854775808" },
	{ "9223372036854775808", NULL },
	{ "0x8000000000000000", NULL },
	{ "1e999", NULL },
	{ "-1e999", NULL },
	{ ".inf", NULL },
	{ "-.INF", NULL },
	{ ".NaN", NULL },
	{ ".infx", "\".infx\"" },
};

static void test_words(void **state)
{

	for (size_t i = 0; i < WF_ARRAY_LEN(words); i++) {
		_cleanup_json_ json_t *value = NULL;
		int r = wf_yaml_word_value(words[i].text, &value);

		if ((r == 0) != (words[i].json != NULL))
			fail_msg("%s: %d", words[i].text, r);
		if (r < 0) {
			assert_null(value);
			continue;
		}
		_cleanup_free_ char *json = wf_json_text(value);

		assert_string_equal(json, words[i].json);
	}
}

static json_t *random_value(int depth);

/* Strings that are easily taken for something else. */
static const char *const awkward[] = {
	"",
	" ",
	"a ",
	" a",
	"yes",
	"No",
	"null",
	"~",
	"1",
	"1.5",
	"0x1",
	"1e3",
	"-",
	"- a",
	"-a",
	"a: b",
	"a:",
	"a#",
	"a #b",
	"# c",
	"'q'",
	"\"",
	"\\",
	"{",
	"[x]",
	"*a",
	"&a",
	"!t",
	"|",
	">",
	"%d",
	"@",
	"`",
	"---",
	"...",
	"a\nb",
	"\t",
	"\x01",
	"\x7f",
	"gr\xc3\xbc\xc3\x9f",
	"\xf0\x9f\x90\xb3",
	"\xc2\x85",
	"\xe2\x80\xa8",
	"\xef\xbb\xbf",
	"2026-11-21",
	"12:30:45",
	"=",
	"<<",
	"10.64.0.0/16",
	"fd00::1",
	"::1",
	"02:00:00:00:00:05",
	"? x",
	",",
	".inf",
	"a\r\nb",
	"y",
	"-1",
	"+",
	":",
	"::",
	"0o7",
	"on",
	"/run/netns/c1",
	("a long text that goes on and on, with commas and spaces, until it is longer than "
	 "any line that one would like to see in a file, which some writers then fold"),
};

static json_t *random_string(void)
{
	return json_string(awkward[(size_t)random() % WF_ARRAY_LEN(awkward)]);
}

static json_t *random_container(int depth)
{
	json_t *value = random() % 2 ? json_object() : json_array();

	for (long n = random() % 4; n > 0; n--) {
		if (json_is_array(value)) {
			(void)json_array_append_new(value, random_value(depth - 1));
			continue;
		}
		_cleanup_json_ json_t *key = random_string();

		if (json_string_length(key))
			(void)json_object_set_new(value, json_string_value(key),
						  random_value(depth - 1));
	}
	return value;
}

static json_t *random_value(int depth)
{
	switch (depth > 0 ? random() % 10 : random() % 5) {
	case 0: return json_integer(random() - random());
	case 1: return json_real((double)random() + 0.5);
	case 2: return json_boolean(random() % 2);
	case 3: return json_null();
	case 4: return random_string();
	default: return random_container(depth);
	}
}

/* Whatever JSON is written as YAML is read back as the same. */
static void test_round_trip(void **state)
{
	for (int i = 0; i < 3000; i++) {
		_cleanup_json_ json_t *root = json_object(), *again = NULL;
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		struct wf_err err = WF_ERR_INIT;

		(void)json_object_set_new(root, "root", random_value(5));
		assert_int_equal(wf_document_to_yaml(root, &text), 0);
		if (wf_document_parse_mapping("t", text.data, text.len, &again, &err) < 0 ||
		    !json_equal(root, again))
			fail_msg("%s\n%s", err.message, text.data);
	}
}

static void test_layout(void **state)
{
	_cleanup_json_ json_t *root =
		json_loads("{\"a\": {\"b\": [1, {\"c\": \"x\", \"d\": []}, [2, 3]]}, \"e\": {}, "
			   "\"f\": \"true\", \"g\": \"10.0.0.0/8\"}",
			   0, NULL);
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	assert_int_equal(wf_document_to_yaml(root, &text), 0);
	assert_string_equal(wf_str_text(&text), "a:\n  b:\n  - 1\n  - c: x\n    d: []\n  - - 2\n"
						"    - 3\ne: {}\nf: \"true\"\ng: 10.0.0.0/8\n");
}

static void test_scalars_alone(void **state)
{
	_cleanup_json_ json_t *string = json_string("x"), *empty = json_object();
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	assert_int_equal(wf_document_to_yaml(string, &text), 0);
	assert_int_equal(wf_document_to_yaml(empty, &text), 0);
	assert_string_equal(wf_str_text(&text), "x\n{}\n");
}

static void test_long_keys(void **state)
{
	_cleanup_json_ json_t *root = json_object(), *inner = json_array(), *again = NULL;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	char key[3000];

	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	(void)json_array_append_new(inner, json_pack("{s:[i], s:{s:i}}", key, 1, key + 1, "a", 2));
	(void)json_array_append_new(inner, json_pack("{s:s}", key, "x"));
	(void)json_object_set(root, key, inner);
	assert_int_equal(wf_document_to_yaml(root, &text), 0);
	if (wf_document_parse_mapping("t", text.data, text.len, &again, &err) < 0)
		fail_msg("%s", err.message);
	assert_true(json_equal(root, again));
}

static void test_write_allocation_failures(void **state)
{
	_cleanup_json_ json_t *root =
		json_pack("{s:[i, f, {s:s}], s:b}", "a", 1, 1.5, "b:", "c: d", "e", 1);

	for (size_t n = 0;; n++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		int r;

		fail_alloc_arm(n);
		r = wf_document_to_yaml(root, &text);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			return;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),     cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_layout),    cmocka_unit_test(test_scalars_alone),
		cmocka_unit_test(test_long_keys), cmocka_unit_test(test_write_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
