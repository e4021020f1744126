/* SPDX-License-Identifier: Apache-2.0 */
#include "model/document.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "fail_alloc.h"

static struct wf_err err;

static int parse(struct wf_documents *documents, const char *text)
{
	wf_err_clear(&err);
	return wf_documents_parse(documents, "f.yaml", text, strlen(text), &err);
}

static void assert_message(const char *part)
{
	if (!strstr(err.message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err.message);
}

static void assert_refused(const char *text, const char *part)
{
	struct wf_documents documents = { 0 };

	if (parse(&documents, text) >= 0)
		fail_msg("accepted %s", text);
	assert_message(part);
	assert_int_equal(documents.count, 0);
	assert_null(documents.items);
}

static void test_several(void **state)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };

	assert_int_equal(parse(&documents, "a: 1\n---\n---\n# nothing\n---\nb:\n- x\n- c: 2\n"), 0);
	assert_int_equal(documents.count, 2);
	assert_int_equal(documents.items[0].first_line, 1);
	assert_int_equal(documents.items[1].first_line, 6);
	assert_int_equal(wf_document_line(&documents.items[1], "b[1].c"), 8);
	/* a second file is appended, a faulty third one changes nothing */
	assert_int_equal(parse(&documents, "d: 1"), 0);
	assert_int_equal(parse(&documents, "e: 1\n---\nf: [\n"), -EILSEQ);
	assert_int_equal(documents.count, 3);
}

static void test_nothing(void **state)
{
	struct wf_documents documents = { 0 };

	assert_int_equal(parse(&documents, ""), 0);
	assert_int_equal(parse(&documents, "# only a comment\n---\n"), 0);
	assert_int_equal(documents.count, 0);
}

static void test_lines(void **state)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
	const struct wf_document *document;

	assert_int_equal(parse(&documents, "\napiVersion: v1\nspec:\n  list:\n  - a: 1\n    b:\n"
					   "      c: 2\n  - 3\n  x.y/z: 4\n"),
			 0);
	document = &documents.items[0];
	assert_int_equal(wf_document_line(document, "apiVersion"), 2);
	assert_int_equal(wf_document_line(document, "spec.list"), 4);
	assert_int_equal(wf_document_line(document, "spec.list[0]"), 5);
	assert_int_equal(wf_document_line(document, "spec.list[0].b.c"), 7);
	assert_int_equal(wf_document_line(document, "spec.list[1]"), 8);
	assert_int_equal(wf_document_line(document, "spec.x.y/z"), 9);
	/* the nearest that is known */
	assert_int_equal(wf_document_line(document, "spec.list[0].absent.deeper"), 5);
	assert_int_equal(wf_document_line(document, "spec.list[7].a"), 4);
	assert_int_equal(wf_document_line(document, "status.number"), 2);
	assert_int_equal(wf_document_line(document, ""), 2);
}

static void test_json_lines(void **state)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
	const struct wf_document *document;

	/* the key is apart from its colon and there is a surrogate pair: JSON, but not YAML */
	assert_int_equal(parse(&documents, "\n{\n\"a\"\n: {\"b\\\"\": [\n1, \"]}\\\\\",\n{\"c\":\n"
					   "\"\\ud83d\\udc33\"}]},\n\"e\": {}, \"f\": [],\n"
					   "\"g\": 1}\n"),
			 0);
	document = &documents.items[0];
	assert_int_equal(document->first_line, 2);
	assert_int_equal(wf_document_line(document, "a"), 4);
	assert_int_equal(wf_document_line(document, "e"), 8);
	assert_int_equal(wf_document_line(document, "f"), 8);
	assert_int_equal(wf_document_line(document, "g"), 9);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(document->root, "a"), "b\"")), 3);
}

static void test_list(void **state)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };

	assert_int_equal(parse(&documents,
			       "apiVersion: v1\nkind: List\nitems:\n- kind: Network\n"
			       "  spec:\n    mtu: 1\n- kind: Network\n  spec: {mtu: 2}\n"),
			 0);
	assert_int_equal(documents.count, 2);
	assert_int_equal(documents.items[1].first_line, 7);
	assert_int_equal(wf_document_line(&documents.items[0], "spec.mtu"), 6);
	assert_int_equal(wf_document_line(&documents.items[1], "spec.mtu"), 8);
	assert_refused("kind: List\nitems: 3\n", "want a list of documents");
	assert_refused("kind: List\nitem: []\n", "unknown field \"item\"");
	assert_refused("kind: List\nitems:\n- 1\n", "f.yaml:3: items[0]: a document must be");
}

static void test_refusals(void **state)
{
	assert_refused("a: 1\nb: 2\na: 3\n",
		       "f.yaml:3:1: key \"a\" is there twice (first in line 1)");
	assert_refused("{\"a\": 1,\n \"a\": 2}",
		       "f.yaml:2:2: key \"a\" is there twice (first in line 1)");
	assert_refused("a: &x [1]\nb: *x\n", "f.yaml:1:4: anchors");
	assert_refused("a: *x\n", "aliases");
	assert_refused("a: !!str 1\n", "tags");
	assert_refused("a: ! 1\n", "tags");
	assert_refused("a: !x {b: 1}\n", "tags");
	assert_refused("- 1\n", "f.yaml:1: a document must be a mapping, not a list");
	assert_refused("word\n", "not a single value");
	assert_refused("? [a]\n: 1\n", "a key must be a word");
	assert_refused("? {a: 1}\n: 1\n", "a key must be a word");
	assert_refused("'': 1\n", "empty key");
	assert_refused("a: 1\n\tb: 2\n", "f.yaml:2:1: not valid YAML: indented with a tab");
	assert_refused("a: [1\nb: 2\n", "f.yaml:2:");
	assert_refused("a: \"x\\0y\"\n", "f.yaml:1:4: NUL");
	assert_refused("a: 1e999999\n", "does not fit");
	assert_refused("a: 1e99999999999999999999\n", "does not fit");
	assert_refused("a: 9223372036854775808\n", "does not fit");
	assert_refused("a: -9223372036854775809\n", "does not fit");
	assert_refused("a: 0xfffffffffffffffff\n", "does not fit");
	assert_refused("a: .inf\n", "finite");
	assert_refused("a: -.Inf\n", "finite");
	assert_refused("a: .NaN\n", "finite");
	assert_refused("a: b\x01\n", "f.yaml:1:5: control characters are not text (byte 0x01)");
	assert_refused("a: 1\nb: \xff\n", "f.yaml:2:4: not valid UTF-8 (byte 0xff)");
	assert_refused("a: \xc0\xaf\n", "UTF-8");
	assert_refused("a: \xed\xa0\x80\n", "UTF-8");
	assert_refused("a: \xf4\x90\x80\x80\n", "UTF-8");
	assert_refused("a: \xe2\x82", "UTF-8");
	assert_refused("%YAML 9.9\n---\na: 1\n", "f.yaml:1:");
}

static void test_nul_byte(void **state)
{
	struct wf_documents documents = { 0 };

	assert_int_equal(wf_documents_parse(&documents, "f", "a: 1\n\0", 6, &err), -EILSEQ);
	assert_message("f:2:1: control characters");
}

/* Repeats unit until text has bytes, with a head in front. */
static char *flood(const char *head, const char *unit, size_t bytes)
{
	char *text = malloc(bytes + 1);
	size_t at = strlen(head);

	memcpy(text, head, at);
	for (size_t i = 0; at < bytes; i++, at++)
		text[at] = unit[i % strlen(unit)];
	text[at] = '\0';
	return text;
}

static void test_hostile_texts_end_soon(void **state)
{
	static const struct {
		const char *head;
		const char *unit;
		size_t bytes;
		const char *message;
		bool is_mapping; /* a configuration file, which may have fewer values */
	} rows[] = {
		{ "a: ", "[", 1 << 20, "nested deeper" },
		{ "{\"a\":", "[", 1 << 20, "nested deeper" },
		{ "", "{a: ", 1 << 20, "nested deeper" },
		{ "", "- ", 1 << 20, "nested deeper" },
		{ "", "? ", 1 << 20, "a key must be" },
		{ "a: ", "x", 1 << 20, "longer than" },
		{ "a: \"", "x", 1 << 20, "" },
		{ "a: ", "9", 100000, "does not fit" },
		{ "a: [", "[],", 1 << 20, "values", true },
		{ "[", "[],", 4 << 20, "values", true },
		{ "", "&a ", 1 << 20, "" },
		{ "", "!", 1 << 20, "" },
		{ "", "a", WF_DOCUMENT_MAX_FILE_BYTES + 1, "accepted" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		char *text = flood(rows[i].head, rows[i].unit, rows[i].bytes);
		uint64_t before = wf_clock_monotonic_ms(), took;
		json_t *root = NULL;

		if (rows[i].is_mapping) {
			assert_true(wf_document_parse_mapping("f", text, rows[i].bytes, &root,
							      &err) < 0);
			assert_non_null(strstr(err.message, rows[i].message));
		} else {
			assert_refused(text, rows[i].message);
		}
		took = wf_clock_monotonic_ms() - before;
		/* a generous bound: sanitizers and neighbours slow this down */
		if (took > 2000)
			fail_msg("row %zu took %llu ms", i, (unsigned long long)took);
		free(text);
	}
}

static void test_too_many_documents(void **state)
{
	char *text = flood("", "a: 1\n---\n", 9 * (WF_DOCUMENTS_MAX + 1));

	assert_refused(text, "more than 131072 documents");
	free(text);
}

static void test_mapping(void **state)
{
	_cleanup_json_ json_t *root = NULL;
	json_t *untouched = NULL;

	assert_int_equal(wf_document_parse_mapping("c", "a: 1\n", 5, &root, &err), 0);
	assert_int_equal(wf_json_int(root, "a", 0), 1);
	json_decref(root);
	assert_int_equal(wf_document_parse_mapping("c", "{\"a\": 2}", 8, &root, &err), 0);
	assert_int_equal(wf_json_int(root, "a", 0), 2);
	json_decref(root);
	assert_int_equal(wf_document_parse_mapping("c", "# x\n", 4, &root, &err), 0);
	assert_int_equal(json_object_size(root), 0);
	assert_int_equal(wf_document_parse_mapping("c", "- 1\n", 4, &untouched, &err), -EINVAL);
	assert_message("c: want a mapping");
	assert_int_equal(wf_document_parse_mapping("c", "a: 1\n---\nb: 1", 13, &untouched, &err),
			 -EINVAL);
	assert_message("c:3: a second document");
	assert_int_equal(wf_document_parse_mapping("c", "a: 1\na: 2", 9, &untouched, &err),
			 -EILSEQ);
	assert_message("c:2:1: key \"a\" is there twice");
	assert_null(untouched);
}

static void test_locate(void **state)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
	struct wf_document body = { .source = (char *)"body" };

	assert_int_equal(parse(&documents, "apiVersion: weft.dev/v1\nkind: Network\n"
					   "metadata: {name: blue}\nspec:\n  driver: bridg\n"),
			 0);
	assert_int_equal(wf_document_check(documents.items[0].root, &err), -EINVAL);
	assert_string_equal(err.object, "network/blue");
	assert_string_equal(err.field, "spec.driver");
	wf_document_locate(&documents.items[0], &err);
	assert_string_equal(
		err.message,
		"f.yaml:5: Network/blue: spec.driver: \"bridg\" is not one of bridge, overlay, "
		"routed, host, none, macvlan, ipvlan (did you mean \"bridge\"?)");
	wf_err_set(&err, -EINVAL, "x");
	wf_document_locate(&body, &err);
	assert_string_equal(err.message, "body: x");
	wf_document_locate(&documents.items[0], NULL);
}

/* Fails each allocation in turn. */
static void fail_all(const char *text)
{
	struct wf_documents documents = { 0 };

	for (size_t n = 0;; n++) {
		int r;

		wf_err_clear(&err);
		fail_alloc_arm(n);
		r = wf_documents_parse(&documents, "f", text, strlen(text), &err);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		/* JSON that runs out of memory may still be read, as YAML or by jansson */
		if (r == 0) {
			wf_documents_done(&documents);
			continue;
		}
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(err.code, -ENOMEM);
		assert_int_equal(documents.count, 0);
	}
	assert_true(documents.count > 0);
	wf_documents_done(&documents);
}

static void test_allocation_failures(void **state)
{
	fail_all("a: 1\nb: [x, 'y', 1.5, null, true]\n---\nc: {d: \"e\"}\n");
	fail_all("kind: List\nitems:\n- a: 1\n- b: {c: [d]}\n");
	fail_all("{\"a\": 1, \"b\": [\"x\", 1.5, {\"c\": null}], \"d\": 1e3}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json_lines),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_hostile_texts_end_soon),
		cmocka_unit_test(test_too_many_documents),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_locate),
		cmocka_unit_test(test_allocation_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
