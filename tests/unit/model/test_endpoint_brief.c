/* SPDX-License-Identifier: Apache-2.0 */
/* The quick reader of endpoints comes to what the whole one does, or leaves it to that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "fail_alloc.h"
#include "model/endpoint.h"

#define ROUNDS 20000

static const char usual[] =
	"{\"apiVersion\":\"weft.dev/v1\",\"kind\":\"Endpoint\",\"metadata\":{\"name\":\"web\","
	"\"labels\":{\"tier\":\"front\",\"app\":\"web\"},\"uid\":\"u\",\"resourceVersion\":\"3\"},"
	"\"spec\":{\"network\":\"blue\",\"interface\":\"eth0\",\"netns\":\"/run/netns/c1\","
	"\"owner\":\"cli\",\"node\":\"a\",\"defaultRoute\":true,\"extra\":{\"aliases\":[\"d\\\"b\"]}},"
	"\"status\":{\"phase\":\"Ready\",\"addresses\":[{\"address\":\"10.64.0.5/16\",\"gateway\":"
	"\"10.64.0.1\"},{\"address\":\"fd00::5/64\"}],\"mac\":\"02:00:00:00:00:05\",\"mtu\":1500,"
	"\"namespace\":{\"device\":4,\"inode\":4026532000}}}";

/* The text with one part in place of another. */
static char *with(const char *part, const char *other)
{
	const char *at = strstr(usual, part);
	char *text = NULL;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - usual), usual, other,
			     at + strlen(part)) > 0);
	return text;
}

static void assert_same(const struct wf_endpoint *brief, const struct wf_endpoint *whole)
{
	assert_string_equal(brief->meta.name, whole->meta.name);
	assert_string_equal(brief->network, whole->network);
	assert_string_equal(brief->node, whole->node);
	assert_int_equal(brief->phase, whole->phase);
	assert_int_equal(brief->port_count, whole->port_count);
	assert_int_equal(brief->address_count, whole->address_count);
	for (size_t i = 0; i < brief->address_count; i++) {
		const struct wf_prefix *a = &brief->addresses[i].prefix;
		const struct wf_prefix *b = &whole->addresses[i].prefix;

		assert_true(wf_addr_equal(&a->addr, &b->addr) && a->len == b->len);
	}
	assert_int_equal(brief->meta.labels.count, whole->meta.labels.count);
	for (size_t i = 0; i < brief->meta.labels.count; i++) {
		assert_string_equal(brief->meta.labels.items[i].key,
				    whole->meta.labels.items[i].key);
		assert_string_equal(brief->meta.labels.items[i].value,
				    whole->meta.labels.items[i].value);
	}
}

/* Labels that are left come to the same when they are read. */
static void assert_reads_later(const char *text, size_t len, const struct wf_endpoint *whole)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint brief = { .mtu = 0 };
	struct wf_endpoint_text labels;

	assert_true(wf_endpoint_read_brief(&brief, text, len, &labels));
	assert_int_equal(brief.meta.labels.count, 0);
	assert_true(wf_endpoint_read_labels(&brief, &labels));
	assert_same(&brief, whole);
}

/* Whether it was read; what was has to be what the whole reader makes of it. */
static bool reads(const char *text, size_t len)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint brief = { .mtu = 0 }, whole = { .mtu = 0 };
	_cleanup_json_ json_t *document = NULL;

	if (!wf_endpoint_read_brief(&brief, text, len, NULL))
		return false;
	assert_int_equal(wf_json_parse(text, len, &document, NULL), 0);
	assert_int_equal(wf_endpoint_from_json(&whole, document, NULL), 0);
	assert_same(&brief, &whole);
	assert_reads_later(text, len, &whole);
	return true;
}

static void test_what_weft_writes(void **state)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint whole = { .mtu = 0 };
	_cleanup_json_ json_t *document = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;

	assert_true(reads(usual, strlen(usual)));
	/* as it is written, not only as it is written here */
	assert_int_equal(wf_json_parse(usual, strlen(usual), &document, NULL), 0);
	assert_int_equal(wf_endpoint_from_json(&whole, document, NULL), 0);
	again = wf_endpoint_to_json(&whole);
	text = wf_json_text(again);
	assert_non_null(text);
	assert_true(reads(text, strlen(text)));
}

static void test_what_is_left_to_the_other(void **state)
{
	static const struct {
		const char *part, *other;
		bool is_read;
	} rows[] = {
		{ "\"cli\"", " [1, {\"a\": \"]}\"}] ", true },
		{ "\"uid\":\"u\",", "", true },
		{ "\"tier\":\"front\",", "", true },
		{ "{\"tier\":\"front\",\"app\":\"web\"}", "{}", true },
		{ ",{\"address\":\"fd00::5/64\"}", "", true },
		{ "\"web\"", "\"w\\u0065b\"", false },
		{ "\"name\":\"web\",", "", false },
		{ "\"web\"", "\"all\"", false },
		{ "\"web\"", "\"WEB\"", false },
		{ "\"app\":\"web\"", "\"app\":7", false },
		{ "\"app\":\"web\"", "\"a pp\":\"web\"", false },
		{ "\"node\":\"a\",", "", false },
		{ "\"node\":\"a\"", "\"node\":\"\"", false },
		{ "\"node\":\"a\"", "\"node\":null", false },
		{ "\"blue\"", "\"b lue\"", false },
		{ "\"Ready\"", "\"Pending\"", false },
		{ "\"phase\":\"Ready\",", "", false },
		{ "10.64.0.5/16", "10.64.0.5/99", false },
		{ "\"address\":\"fd00::5/64\"", "", false },
		{ "\"defaultRoute\":true", "\"ports\":[]", false },
		{ "\"status\":{", "\"status\":[", false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text = with(rows[i].part, rows[i].other);
		_cleanup_(wf_endpoint_done) struct wf_endpoint brief = { .mtu = 0 };

		if (wf_endpoint_read_brief(&brief, text, strlen(text), NULL) != rows[i].is_read)
			fail_msg("row %zu: %s", i, text);
	}
}

/* Whatever the bytes: it stays within them, and what is JSON and is read is read right. */
static void test_spoilt_texts(void **state)
{
	size_t read = 0;

	for (size_t len = 0; len < strlen(usual); len++) {
		_cleanup_free_ char *text = malloc(len + 1);

		memcpy(text, usual, len);
		assert_false(reads(text, len));
	}
	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_(wf_endpoint_done) struct wf_endpoint brief = { .mtu = 0 };
		_cleanup_(wf_endpoint_done) struct wf_endpoint whole = { .mtu = 0 };
		_cleanup_json_ json_t *document = NULL;
		_cleanup_free_ char *text = malloc(sizeof(usual) - 1);
		static const char bytes[] = "\"\\{}[],: a0/.";

		memcpy(text, usual, sizeof(usual) - 1);
		for (int i = 0; i < 2; i++)
			text[(size_t)random() % (sizeof(usual) - 1)] =
				bytes[(size_t)random() % (sizeof(bytes) - 1)];
		if (!wf_endpoint_read_brief(&brief, text, sizeof(usual) - 1, NULL) ||
		    wf_json_parse(text, sizeof(usual) - 1, &document, NULL) < 0 ||
		    wf_endpoint_from_json(&whole, document, NULL) < 0)
			continue;
		assert_same(&brief, &whole);
		read++;
	}
	assert_true(read > ROUNDS / 20);
}

static void test_without_memory(void **state)
{
	for (size_t n = 0;; n++) {
		_cleanup_(wf_endpoint_done) struct wf_endpoint brief = { .mtu = 0 };
		bool is_read;

		fail_alloc_arm(n);
		is_read = wf_endpoint_read_brief(&brief, usual, strlen(usual), NULL);
		if (!fail_alloc_disarm()) {
			assert_true(is_read);
			assert_true(n > 3);
			break;
		}
		assert_false(is_read);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_weft_writes),
		cmocka_unit_test(test_what_is_left_to_the_other),
		cmocka_unit_test(test_spoilt_texts),
		cmocka_unit_test(test_without_memory),
	};

	srandom(5);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
