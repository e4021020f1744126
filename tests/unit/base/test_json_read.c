/* SPDX-License-Identifier: Apache-2.0 */
/* The quick reader against jansson's: what it accepts, jansson reads as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/json_priv.h"

#define ROUNDS 200000

static const char *const plain[] = {
	"{}",
	" [ ] ",
	"[1,2,3]",
	"{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}",
	"\t{ \"name\" : \"x\" ,\n\"n\" : -17 }\r\n",
	"\"\"",
	"0",
	"-0",
	"999999999999999999",
	"{\"\":\"\"}",
	"{\"text\":\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"}",
	"{\"kind\":\"Endpoint\",\"spec\":{\"network\":\"net\",\"interface\":\"eth0\",\"extra\":{}},"
	"\"status\":{\"addresses\":[{\"address\":\"10.0.0.2/24\"},{\"address\":\"fd00::2/64\"}],"
	"\"mtu\":1500,\"slot\":3}}",
};

/* Right or wrong, but not for the quick reader. */
static const char *const others[] = {
	"",
	" ",
	"{",
	"[1",
	"[1,]",
	"{\"a\":}",
	"{\"a\"}",
	"{\"a\":1,}",
	"{a:1}",
	"\"",
	"\"\\\"",
	"\"\\x\"",
	"\"\\u0041\"",
	"\"\xc3\xa4\"",
	"\"\t\"",
	"01",
	"-",
	"1.5",
	"1e3",
	"- 1",
	"+1",
	"1000000000000000000",
	"nul",
	"nulll",
	"truefalse",
	"1 2",
	"[1 2]",
	"{} x",
	"[1,,2]",
	"{\"a\":1,\"a\":2}",
	"[\"a\" \"b\"]",
	"{\"a\" 1}",
	"]",
	"}",
	"[}",
	"{]",
};

static json_t *slow(const char *text, size_t len)
{
	return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

static void test_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		_cleanup_json_ json_t *quick = wf_json_read_plain(plain[i], strlen(plain[i]));
		_cleanup_json_ json_t *other = slow(plain[i], strlen(plain[i]));

		assert_non_null(quick);
		assert_true(json_equal(quick, other));
	}
}

static void test_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_null(wf_json_read_plain(others[i], strlen(others[i])));
	assert_null(wf_json_read_plain("[1]\0", 4));
}

/* The last that fits, and the first that does not: jansson's reader says what is wrong with it. */
static void test_bounds(void **state)
{
	char text[8192], key[200];
	json_t *value;

	(void)state;
	for (size_t depth = WF_JSON_MAX_DEPTH; depth <= WF_JSON_MAX_DEPTH + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		value = wf_json_read_plain(text, 2 * depth);
		assert_int_equal(value != NULL, depth == WF_JSON_MAX_DEPTH);
		json_decref(value);
	}
	for (size_t len = 127; len <= 128; len++) {
		memset(key, 'k', len);
		key[len] = '\0';
		value = wf_json_read_plain(text,
					   (size_t)snprintf(text, sizeof(text), "{\"%s\":1}", key));
		assert_int_equal(value != NULL, len == 127);
		json_decref(value);
	}
	for (size_t len = 4094; len <= 4095; len++) {
		memset(text, 'x', len + 4);
		text[0] = text[len + 3] = '"';
		text[1] = '\\';
		text[2] = 'n';
		value = wf_json_read_plain(text, len + 4);
		assert_int_equal(value != NULL, len == 4094);
		json_decref(value);
	}
}

/* Texts with some bytes changed: never another value, never one that jansson refuses. */
static void test_mutations(void **state)
{
	static const char signs[] = "{}[]:,\"\\ 0123456789-.eEtfnu\n\x80\xff";
	size_t accepted = 0;

	(void)state;
	srandom(1);
	for (size_t round = 0; round < ROUNDS; round++) {
		const char *from = plain[(size_t)random() % (sizeof(plain) / sizeof(plain[0]))];
		_cleanup_json_ json_t *quick = NULL, *other = NULL;
		size_t len = strlen(from);
		char text[512];

		memcpy(text, from, len);
		for (long changes = random() % 3; changes--;)
			text[(size_t)random() % len] =
				signs[(size_t)random() % (sizeof(signs) - 1)];
		len -= (size_t)random() % 8 == 0 ? (size_t)random() % len : 0;
		quick = wf_json_read_plain(text, len);
		if (!quick)
			continue;
		accepted++;
		other = slow(text, len);
		assert_non_null(other);
		assert_true(json_equal(quick, other));
	}
	assert_true(accepted > ROUNDS / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
