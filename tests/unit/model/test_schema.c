/* SPDX-License-Identifier: Apache-2.0 */
#include "model/schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "documents.h"
#include "fail_alloc.h"

static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };
static const struct wf_schema number = { .type = WF_SCHEMA_INTEGER, .min = 1, .max = 9 };
static const struct wf_schema numbers = { .type = WF_SCHEMA_LIST, .item = &number, .max = 3 };
static const struct wf_schema port_fields[] = {
	{ .name = "port", .type = WF_SCHEMA_INT_OR_STRING, .required = true },
	{ .name = "protocol", .type = WF_SCHEMA_STRING, .choices = protocols },
	WF_SCHEMA_END,
};
static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };
static const struct wf_schema open_fields[] = {
	{ .name = "known", .type = WF_SCHEMA_BOOL },
	WF_SCHEMA_END,
};
static const struct wf_schema fields[] = {
	{ .name = "matrix", .type = WF_SCHEMA_LIST, .item = &numbers },
	{ .name = "ports", .type = WF_SCHEMA_MAP, .item = &port, .max = 2 },
	{ .name = "ratio", .type = WF_SCHEMA_NUMBER },
	{ .name = "name", .type = WF_SCHEMA_STRING, .min = 2, .max = 4 },
	{ .name = "text", .type = WF_SCHEMA_STRING },
	{ .name = "any", .type = WF_SCHEMA_ANY },
	{ .name = "open", .type = WF_SCHEMA_OBJECT, .open = true, .fields = open_fields },
	WF_SCHEMA_END,
};

static int check(const char *text, struct wf_err *err)
{
	_cleanup_json_ json_t *root = document_parse(text);

	return wf_schema_check(fields, root, err);
}

static void test_accepts(void **state)
{
	static const char *const good[] = {
		"{}",
		"{matrix: [[1, 9], [], [5]]}",
		"{ports: {a: {port: 80}, b: {port: http, protocol: UDP}}}",
		"{ratio: 1.5, name: abc, any: [{x: 1}], open: {known: true, other: [1]}}",
		"{ratio: 2, matrix: null, name: null}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++) {
		struct wf_err err = WF_ERR_INIT;

		if (check(good[i], &err) < 0)
			fail_msg("%s: %s", good[i], err.message);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		const char *text;
		const char *field;
		const char *message;
	} rows[] = {
		{ "{matrix: [[1, 10]]}", "matrix[0][1]",
		  "matrix[0][1]: 10 is not between 1 and 9" },
		{ "{matrix: [[1], [1, 2, 3, 4]]}", "matrix[1]",
		  "matrix[1]: has 4 entries, the limit is 3" },
		{ "{matrix: [1]}", "matrix[0]",
		  "matrix[0]: found the number 1, want a list (\"- \" in front of each entry)" },
		{ "{matrix: [[null]]}", "matrix[0][0]",
		  "matrix[0][0]: found nothing (null), want a whole number" },
		{ "{matrix: [['1']]}", "matrix[0][0]",
		  "matrix[0][0]: found the string \"1\", want a whole number (without quotes)" },
		{ "{ports: {a: {port: true}}}", "ports.a.port",
		  "ports.a.port: found true, want a whole number or a string" },
		{ "{ports: {a: {port: 1, protocol: tcp}}}", "ports.a.protocol",
		  "ports.a.protocol: \"tcp\" is not one of TCP, UDP, SCTP (did you mean \"TCP\"?)" },
		{ "{ports: {a: {protocol: TCP}}}", "ports.a.port",
		  "ports.a.port: is missing (want a whole number or a string)" },
		{ "{ports: {a: {port: null}}}", "ports.a.port",
		  "ports.a.port: is missing (want a whole number or a string)" },
		{ "{ports: {a: {prot: 1}}}", "ports.a.prot",
		  "ports.a.prot: unknown field \"prot\" (did you mean \"port\"?)" },
		{ "{ports: {a: {port: 1}, b: {port: 1}, c: {port: 1}}}", "ports",
		  "ports: has 3 entries, the limit is 2" },
		{ "{ratio: '1'}", "ratio", "ratio: found the string \"1\", want a number" },
		{ "{name: a}", "name", "name: a length of 1 bytes is not between 2 and 4" },
		{ "{name: ''}", "name", "name: must not be empty" },
		{ "{name: 1.5}", "name",
		  "name: found the number 1.5, want a string (put it in quotes)" },
		{ "{open: {known: 1}}", "open.known",
		  "open.known: found the number 1, want true or false" },
		{ "{open: [1]}", "open", "open: found a list, want a mapping" },
		{ "{zzz: {}}", "zzz", "zzz: unknown field \"zzz\"" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_err err = WF_ERR_INIT;

		assert_int_equal(check(rows[i].text, &err), -EINVAL);
		assert_string_equal(err.message, rows[i].message);
		assert_string_equal(err.field, rows[i].field);
	}
}

static void test_long_string(void **state)
{
	_cleanup_json_ json_t *root = json_object();
	struct wf_err err = WF_ERR_INIT;
	char *text = malloc(WF_SCHEMA_STRING_BYTES + 2);

	memset(text, 'x', WF_SCHEMA_STRING_BYTES + 1);
	text[WF_SCHEMA_STRING_BYTES + 1] = '\0';
	(void)json_object_set_new(root, "text", json_string(text));
	assert_int_equal(wf_schema_check(fields, root, &err), -EINVAL);
	text[WF_SCHEMA_STRING_BYTES] = '\0';
	(void)json_object_set_new(root, "text", json_string(text));
	assert_int_equal(wf_schema_check(fields, root, &err), 0);
	free(text);
}

static void test_export(void **state)
{
	_cleanup_json_ json_t *schema = wf_schema_to_json(fields);
	_cleanup_str_ struct wf_str out = WF_STR_INIT;
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *matrix = json_object_get(properties, "matrix");
	const json_t *cell = json_object_get(json_object_get(matrix, "items"), "items");
	const json_t *ports = json_object_get(properties, "ports");

	assert_int_equal(wf_json_int(cell, "maximum", 0), 9);
	assert_int_equal(wf_json_int(ports, "maxProperties", 0), 2);
	assert_string_equal(wf_json_str(json_object_get(ports, "additionalProperties"), "type", ""),
			    "object");
	assert_true(
		wf_json_bool(json_object_get(properties, "open"), "additionalProperties", false));
	wf_schema_markdown(fields, &out);
	assert_non_null(strstr(wf_str_text(&out), "| `ports.KEY.port` | a whole number or a string "
						  "| required |"));
	assert_non_null(strstr(wf_str_text(&out), "list of list of a whole number (1 to 9)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_long_string),
		cmocka_unit_test(test_export),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
