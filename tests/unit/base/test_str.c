/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fail_alloc.h"

static void test_append(void **state)
{
	_cleanup_str_ struct wf_str str = WF_STR_INIT;

	assert_string_equal(wf_str_text(&str), "");
	wf_str_add(&str, "a");
	wf_str_addf(&str, "%d-%s", 42, "b");
	wf_str_add_bytes(&str, "c\0d", 3);
	wf_str_add_bytes(&str, NULL, 0);
	assert_int_equal(str.len, 8);
	assert_memory_equal(wf_str_text(&str), "a42-bc\0d", 9);
	assert_false(str.failed);
}

static void test_grows(void **state)
{
	_cleanup_str_ struct wf_str str = WF_STR_INIT;

	for (int i = 0; i < 10000; i++)
		wf_str_addf(&str, "%04d", i);
	assert_int_equal(str.len, 40000);
	assert_memory_equal(str.data + 4 * 9999, "9999", 5);
}

static void test_failure_sticks(void **state)
{
	_cleanup_str_ struct wf_str str = WF_STR_INIT;

	wf_str_add(&str, "kept");
	fail_alloc_arm(0);
	for (int i = 0; i < 100; i++)
		wf_str_add(&str, "0123456789");
	assert_true(fail_alloc_disarm());
	assert_true(str.failed);
	assert_memory_equal(wf_str_text(&str), "kept", 4);
	size_t len = str.len;

	wf_str_add(&str, "more");
	assert_int_equal(str.len, len);
	wf_str_done(&str);
	assert_false(str.failed);
}

static void test_copy(void **state)
{
	char buf[4] = "old";

	assert_int_equal(wf_str_copy(buf, sizeof(buf), "abc"), 0);
	assert_string_equal(buf, "abc");
	assert_int_equal(wf_str_copy(buf, sizeof(buf), "abcd"), -EMSGSIZE);
	assert_string_equal(buf, "");
	assert_int_equal(wf_str_copy(buf, sizeof(buf), ""), 0);
}

static void test_u64(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "0x1", "1e3", "a", "1.0" };
	uint64_t value = 7;

	assert_int_equal(wf_str_to_u64("0", 0, 10, &value), 0);
	assert_true(value == 0);
	assert_int_equal(wf_str_to_u64("18446744073709551615", 0, UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(wf_str_to_u64("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
	assert_int_equal(wf_str_to_u64("11", 0, 10, &value), -ERANGE);
	assert_int_equal(wf_str_to_u64("4", 5, 10, &value), -ERANGE);
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		if (wf_str_to_u64(bad[i], 0, UINT64_MAX, &value) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
	assert_true(value == UINT64_MAX);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ms;
	} rows[] = {
		{ "30", 0, 30000 },
		{ "30s", 0, 30000 },
		{ "500ms", 0, 500 },
		{ "5m", 0, 300000 },
		{ "2h", 0, 7200000 },
		{ "1d", 0, 86400000 },
		{ "0", 0, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-1s", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1w", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "1h30m", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "18446744073709551615d", -ERANGE, 0 },
		{ "99999999999999999999s", -ERANGE, 0 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		uint64_t ms = 0;
		int r = wf_str_to_duration_ms(rows[i].text, &ms);

		if (r != rows[i].r || ms != rows[i].ms)
			fail_msg("\"%s\": %d, %llu", rows[i].text, r, (unsigned long long)ms);
	}
}

static void test_names(void **state)
{
	static const char *const good[] = { "a", "0", "blue", "a-b", "a.b", "a--b", "1.2.3" };
	static const char *const bad[] = { "",     "-a",   "a-",   "A",   "a_b",      ".a", "a.",
					   "a..b", "a.-b", "a-.b", "a b", "\xc3\xa9", "a/b" };
	char longest[256];

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++)
		if (!wf_str_is_name(good[i]))
			fail_msg("refused \"%s\"", good[i]);
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		if (wf_str_is_name(bad[i]))
			fail_msg("accepted \"%s\"", bad[i]);
	memset(longest, 'a', sizeof(longest));
	longest[253] = '\0';
	assert_true(wf_str_is_name(longest));
	longest[253] = 'a';
	longest[254] = '\0';
	assert_false(wf_str_is_name(longest));
}

static void test_ifnames(void **state)
{
	static const char *const good[] = { "e", "eth0", "eth0.5", "a_b-c", "123456789012345" };
	static const char *const bad[] = { "",
					   ".",
					   "..",
					   "a/b",
					   "a:b",
					   "a b",
					   "a\tb",
					   "a%d",
					   "\x7f",
					   "\xc3\xa9",
					   "1234567890123456" };

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++)
		if (!wf_str_is_ifname(good[i]))
			fail_msg("refused \"%s\"", good[i]);
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		if (wf_str_is_ifname(bad[i]))
			fail_msg("accepted \"%s\"", bad[i]);
}

static void test_escape(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{ "plain \"text\"", "plain \"text\"" },
		{ "\x1b[31mred\n\t", "\\x1b[31mred\\x0a\\x09" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3" },
		{ "\xff", "\\xff" },
		{ "\xc3", "\\xc3" },          /* cut off */
		{ "\xc0\x80", "\\xc0\\x80" }, /* overlong */
		{ "\xe0\x80\x80", "\\xe0\\x80\\x80" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		{ "\xc2\x9b", "\\xc2\\x9b" },          /* C1: the 8-bit CSI */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" }, /* right-to-left override */
		{ "\x7f", "\\x7f" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		wf_str_add_escaped(&out, rows[i].in);
		assert_string_equal(wf_str_text(&out), rows[i].out);
	}
}

/* The textbook recursion, exponential but obviously right. */
static size_t naive_distance(const char *a, const char *b)
{
	size_t best, other;

	if (!*a || !*b)
		return strlen(a) + strlen(b);
	best = naive_distance(a + 1, b + 1) + (*a != *b);
	other = naive_distance(a + 1, b) + 1;
	best = other < best ? other : best;
	other = naive_distance(a, b + 1) + 1;
	return other < best ? other : best;
}

static void test_distance(void **state)
{
	char a[8] = "", b[8] = "", longest[80];

	assert_int_equal(wf_str_distance("gatway", "gateway"), 1);
	assert_int_equal(wf_str_distance("", ""), 0);
	for (int i = 0; i < 500; i++) {
		size_t len_a = (size_t)random() % 6, len_b = (size_t)random() % 6;

		for (size_t j = 0; j < 7; j++) {
			a[j] = j < len_a ? (char)('a' + random() % 3) : '\0';
			b[j] = j < len_b ? (char)('a' + random() % 3) : '\0';
		}
		assert_int_equal(wf_str_distance(a, b), naive_distance(a, b));
	}
	memset(longest, 'x', sizeof(longest));
	longest[64] = '\0';
	assert_int_equal(wf_str_distance(longest, ""), 64);
	longest[64] = 'x';
	longest[65] = '\0';
	assert_true(wf_str_distance(longest, "") == SIZE_MAX);
	assert_true(wf_str_distance("", longest) == SIZE_MAX);
}

static void test_place(void **state)
{
	static const char *const texts[] = { "", "one", "two" };

	assert_int_equal(wf_str_place(texts, 3, ""), 0);
	assert_int_equal(wf_str_place(texts, 3, "two"), 2);
	assert_int_equal(wf_str_place(texts, 2, "two"), 2);
	assert_int_equal(wf_str_place(texts, 3, "tw"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_failure_sticks),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ifnames),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
