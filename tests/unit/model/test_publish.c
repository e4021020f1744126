/* SPDX-License-Identifier: Apache-2.0 */
#include "model/publish.h"

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
#include "model/protocol.h"

#define _cleanup_publishes_ _cleanup_(wf_publishes_done)

static void test_text(void **state)
{
	static const struct {
		const char *text;
		const char *want[2];
	} rows[] = {
		{ "8080:80", { "8080 -> 80/tcp" } },
		{ "127.0.0.1:8080:80/udp", { "127.0.0.1:8080 -> 80/udp" } },
		{ "0.0.0.0:1:2/SCTP", { "0.0.0.0:1 -> 2/sctp" } },
		{ "[::1]:8000-8099:9000-9099/tcp", { "[::1]:8000-8099 -> 9000/tcp" } },
		{ "8000-8099:9000", { "8000-8099 -> 9000/tcp" } },
		{ "[::]:53:53/tcp+udp", { "53 -> 53/tcp", "53 -> 53/udp" } },
		{ "[192.0.2.1]:1:1", { "192.0.2.1:1 -> 1/tcp" } },
		{ "1-65535:1", { "1-65535 -> 1/tcp" } },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_publishes_ struct wf_publishes list = { 0 };
		struct wf_err err = WF_ERR_INIT;
		char text[WF_PUBLISH_TEXT];

		if (wf_publish_parse(&list, rows[i].text, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.message);
		assert_int_equal(list.count, rows[i].want[1] ? 2 : 1);
		for (size_t j = 0; j < list.count; j++)
			assert_string_equal(wf_publish_format(&list.items[j], text),
					    rows[i].want[j]);
	}
}

static void test_text_refusals(void **state)
{
	static const char *const rows[] = {
		"",
		"80",
		"0:80",
		"80:0",
		"65536:80",
		"80:65536",
		"a:80",
		"80:80:80",
		"80:",
		":80",
		":80:80",
		"[]:80:80",
		"[::1:80:80",
		"::1:80:80",
		"x:80:80",
		"90-80:80",
		"80-90:80-81",
		"80-81:80-90",
		"80-81:65535",
		"80:80/icmp",
		"80:80/",
		"80:80/tcp+",
		"80:80/tcp+tcp",
		"224.0.0.1:80:80",
		"[ff02::1]:80:80",
		"80 :80",
		"-80:80",
		"80:80/tcp/udp",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_publishes_ struct wf_publishes list = { 0 };
		struct wf_err err = WF_ERR_INIT;

		if (wf_publish_parse(&list, rows[i], &err) != -EINVAL)
			fail_msg("accepted %s", rows[i]);
		assert_int_equal(list.count, 0);
		assert_true(strlen(err.message) > 0);
	}
}

static void test_long_text(void **state)
{
	_cleanup_publishes_ struct wf_publishes list = { 0 };
	char text[4096];

	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(wf_publish_parse(&list, text, NULL), -EINVAL);
}

/* The same port of the same address cannot lead to two places. */
static void test_twice(void **state)
{
	static const struct {
		const char *first, *second;
		int want;
	} rows[] = {
		{ "80:80", "80:81", -EINVAL },
		{ "80:80", "80:81/udp", 0 },
		{ "80-90:80", "85-95:1080", -EINVAL },
		{ "80-90:80", "91-95:1080", 0 },
		{ "0.0.0.0:80:80", "80:81", -EINVAL },
		{ "0.0.0.0:80:80", "0.0.0.0:80:81", -EINVAL },
		/* an exact address comes before any */
		{ "127.0.0.1:80:80", "80:81", 0 },
		{ "127.0.0.1:80:80", "127.0.0.2:80:81", 0 },
		{ "[::1]:80:80", "[::1]:80:81", -EINVAL },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_publishes_ struct wf_publishes list = { 0 };

		assert_int_equal(wf_publish_parse(&list, rows[i].first, NULL), 0);
		if (wf_publish_parse(&list, rows[i].second, NULL) != rows[i].want)
			fail_msg("%s, then %s", rows[i].first, rows[i].second);
	}
}

static void test_limit(void **state)
{
	_cleanup_publishes_ struct wf_publishes list = { 0 };
	char text[32];

	for (int i = 0; i < WF_MAX_PUBLISHED; i++) {
		(void)snprintf(text, sizeof(text), "%d:80", 1000 + i);
		assert_int_equal(wf_publish_parse(&list, text, NULL), 0);
	}
	assert_int_equal(wf_publish_parse(&list, "1:80", NULL), -EINVAL);
	assert_int_equal(list.count, WF_MAX_PUBLISHED);
}

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	return value;
}

static void test_json_round_trip(void **state)
{
	_cleanup_publishes_ struct wf_publishes list = { 0 };
	_cleanup_json_ json_t *in =
		load("[{\"hostPort\": 80, \"containerPort\": 8080, \"protocol\": \"TCP\"},"
		     "{\"hostIP\": \"127.0.0.1\", \"hostPort\": 1000, \"hostPortEnd\": 1999,"
		     " \"containerPort\": 2000, \"protocol\": \"UDP\"},"
		     "{\"hostIP\": \"0.0.0.0\", \"hostPort\": 81, \"containerPort\": 81,"
		     " \"protocol\": \"SCTP\"}]");
	_cleanup_json_ json_t *out = NULL;

	assert_int_equal(wf_publishes_from_json(&list, in, "publish", NULL), 0);
	assert_int_equal(list.count, 3);
	out = wf_publishes_to_json(&list);
	assert_true(json_equal(in, out));
}

static void test_json_defaults(void **state)
{
	_cleanup_publishes_ struct wf_publishes list = { 0 };
	_cleanup_json_ json_t *in = load("[{\"hostIP\": \"\", \"hostPort\": 80, \"containerPort\": "
					 "81, \"protocol\": \"udp\", \"hostPortEnd\": null}]");
	char text[WF_PUBLISH_TEXT];

	assert_int_equal(wf_publishes_from_json(&list, NULL, "publish", NULL), 0);
	assert_int_equal(wf_publishes_from_json(&list, in, "publish", NULL), 0);
	assert_string_equal(wf_publish_format(&list.items[0], text), "80 -> 81/udp");
}

static void test_json_refusals(void **state)
{
	static const struct {
		const char *json;
		const char *field;
	} rows[] = {
		{ "{}", "publish" },
		{ "[1]", "publish[0]" },
		{ "[{\"containerPort\": 1}]", "publish[0].hostPort" },
		{ "[{\"hostPort\": 1}]", "publish[0].containerPort" },
		{ "[{\"hostPort\": 0, \"containerPort\": 1}]", "publish[0].hostPort" },
		{ "[{\"hostPort\": 65536, \"containerPort\": 1}]", "publish[0].hostPort" },
		{ "[{\"hostPort\": \"1\", \"containerPort\": 1}]", "publish[0].hostPort" },
		{ "[{\"hostPort\": 9, \"hostPortEnd\": 8, \"containerPort\": 1}]",
		  "publish[0].hostPortEnd" },
		{ "[{\"hostPort\": 1, \"containerPort\": 1, \"protocol\": \"icmp\"}]",
		  "publish[0].protocol" },
		{ "[{\"hostPort\": 1, \"containerPort\": 1, \"protocol\": 6}]",
		  "publish[0].protocol" },
		{ "[{\"hostPort\": 1, \"containerPort\": 1, \"hostIP\": \"x\"}]",
		  "publish[0].hostIP" },
		{ "[{\"hostPort\": 1, \"containerPort\": 1, \"hostip\": \"::1\"}]",
		  "publish[0].hostip" },
		{ "[{\"hostPort\": 1, \"hostPortEnd\": 3, \"containerPort\": 65534}]",
		  "publish[0]" },
		{ "[{\"hostPort\": 1, \"containerPort\": 1}, {\"hostPort\": 1, \"containerPort\": "
		  "2}]",
		  "publish[1]" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_publishes_ struct wf_publishes list = { 0 };
		_cleanup_json_ json_t *in = load(rows[i].json);
		struct wf_err err = WF_ERR_INIT;

		if (wf_publishes_from_json(&list, in, "publish", &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].json);
		if (strcmp(err.field, rows[i].field) != 0)
			fail_msg("%s: field %s: %s", rows[i].json, err.field, err.message);
		assert_int_equal(list.count, 0);
	}
}

static void test_protocols(void **state)
{
	assert_int_equal(wf_protocol_from_name("tcp"), 6);
	assert_int_equal(wf_protocol_from_name("Udp"), 17);
	assert_int_equal(wf_protocol_from_name("SCTP"), 132);
	assert_int_equal(wf_protocol_from_name("icmp"), 0);
	assert_string_equal(wf_protocol_name(132), "SCTP");
	assert_string_equal(wf_protocol_word(17), "udp");
	assert_string_equal(wf_protocol_name(1), "");
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in = load("[{\"hostPort\": 80, \"containerPort\": 8080}]");

	for (size_t n = 0;; n++) {
		struct wf_publishes list = { 0 };
		json_t *out = NULL;
		bool failed;
		int r;

		fail_alloc_arm(n);
		r = wf_publishes_from_json(&list, in, "publish", NULL);
		if (r == 0)
			out = wf_publishes_to_json(&list);
		failed = fail_alloc_disarm();
		assert_true(r == 0 || r == -ENOMEM);
		assert_true(failed || out);
		json_decref(out);
		wf_publishes_done(&list);
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),          cmocka_unit_test(test_text_refusals),
		cmocka_unit_test(test_long_text),     cmocka_unit_test(test_twice),
		cmocka_unit_test(test_limit),         cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_json_defaults), cmocka_unit_test(test_json_refusals),
		cmocka_unit_test(test_protocols),     cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
