/* SPDX-License-Identifier: Apache-2.0 */
#include "model/selector.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "documents.h"
#include "fail_alloc.h"

static void read_selector(struct wf_selector *selector, bool of_namespace, const char *text)
{
	_cleanup_json_ json_t *object = document_parse(text);
	struct wf_err err = WF_ERR_INIT;

	if (wf_selector_add_json(selector, of_namespace, object, "p", &err) < 0)
		fail_msg("%s: %s", text, err.message);
}

static void test_matching(void **state)
{
	static const struct {
		const char *own;
		const char *of_namespace;
		bool want;
	} rows[] = {
		{ "{}", "{}", true },
		{ "{matchLabels: {app: web}}", "{}", true },
		{ "{matchLabels: {app: db}}", "{}", false },
		{ "{matchLabels: {app: ''}}", "{}", false },
		{ "{matchLabels: {empty: ''}}", "{}", true },
		{ "{matchLabels: {absent: ''}}", "{}", false },
		{ "{matchLabels: {app: web, tier: front}}", "{}", true },
		{ "{matchLabels: {app: web, tier: back}}", "{}", false },
		{ "{matchExpressions: [{key: app, operator: In, values: [db, web]}]}", "{}", true },
		{ "{matchExpressions: [{key: app, operator: NotIn, values: [db, web]}]}", "{}",
		  false },
		{ "{matchExpressions: [{key: app, operator: NotIn, values: [db]}]}", "{}", true },
		{ "{matchExpressions: [{key: absent, operator: NotIn, values: [a]}]}", "{}", true },
		{ "{matchExpressions: [{key: absent, operator: In, values: [a]}]}", "{}", false },
		{ "{matchExpressions: [{key: empty, operator: Exists}]}", "{}", true },
		{ "{matchExpressions: [{key: absent, operator: Exists}]}", "{}", false },
		{ "{matchExpressions: [{key: app, operator: DoesNotExist}]}", "{}", false },
		{ "{matchExpressions: [{key: absent, operator: DoesNotExist, values: []}]}", "{}",
		  true },
		{ "{matchLabels: {app: web}, matchExpressions: [{key: app, operator: DoesNotExist}]}",
		  "{}", false },
		{ "{}", "{matchLabels: {team: a}}", true },
		{ "{}", "{matchLabels: {app: web}}", false },
		{ "{matchLabels: {team: a}}", "{}", false },
		{ "{}", "{matchLabels: {kubernetes.io/metadata.name: shop}}", true },
		{ "{}", "{matchLabels: {kubernetes.io/metadata.name: forged}}", false },
		{ "{matchLabels: {kubernetes.io/metadata.name: shop}}", "{}", false },
	};
	_cleanup_(wf_labels_done) struct wf_labels own = { 0 }, of_namespace = { 0 };

	assert_int_equal(wf_labels_set(&own, "app", "web"), 0);
	assert_int_equal(wf_labels_set(&own, "tier", "front"), 0);
	assert_int_equal(wf_labels_set(&own, "empty", ""), 0);
	assert_int_equal(wf_labels_set(&of_namespace, "team", "a"), 0);
	/* what a user writes there does not count */
	assert_int_equal(wf_labels_set(&of_namespace, WF_LABEL_NAMESPACE_NAME, "forged"), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };

		read_selector(&selector, false, rows[i].own);
		read_selector(&selector, true, rows[i].of_namespace);
		if (wf_selector_matches(&selector, &own, "shop", &of_namespace) != rows[i].want)
			fail_msg("%s %s", rows[i].own, rows[i].of_namespace);
	}
}

static void test_without_namespace(void **state)
{
	_cleanup_(wf_selector_done) struct wf_selector name = { 0 }, no_name = { 0 }, team = { 0 };
	static const struct wf_labels none = { 0 };

	read_selector(&name, true,
		      "{matchExpressions: [{key: kubernetes.io/metadata.name,"
		      " operator: Exists}]}");
	read_selector(&no_name, true,
		      "{matchExpressions: [{key: kubernetes.io/metadata.name,"
		      " operator: DoesNotExist}]}");
	read_selector(&team, true, "{matchLabels: {team: a}}");
	assert_true(wf_selector_matches(&name, &none, "shop", NULL));
	assert_false(wf_selector_matches(&name, &none, "", NULL));
	assert_false(wf_selector_matches(&no_name, &none, "shop", NULL));
	assert_true(wf_selector_matches(&no_name, &none, "", NULL));
	assert_false(wf_selector_matches(&team, &none, "shop", NULL));
}

static void test_equal_ones_are_alike(void **state)
{
	_cleanup_(wf_selector_done) struct wf_selector a = { 0 }, b = { 0 }, c = { 0 };

	read_selector(&a, false,
		      "{matchLabels: {x: '1', a: '2'}, matchExpressions: ["
		      "{key: k, operator: In, values: [c, a, b, a]}, {key: k, operator: Exists}]}");
	read_selector(&b, false,
		      "{matchExpressions: [{key: k, operator: Exists}, {key: a, operator: In,"
		      " values: ['2']}, {key: k, operator: In, values: [b, c, a]}, {key: k,"
		      " operator: Exists}], matchLabels: {x: '1'}}");
	assert_int_equal(a.count, 4);
	assert_int_equal(wf_selector_compare(&a, &b), 0);
	assert_int_equal(wf_selector_copy(&c, &a), 0);
	assert_int_equal(wf_selector_compare(&a, &c), 0);
	/* every further requirement makes it another, and order is one way or the other */
	assert_int_equal(wf_selector_add(&c, true, "k", WF_MATCH_EXISTS, NULL, 0), 0);
	assert_true(wf_selector_compare(&a, &c) < 0);
	assert_true(wf_selector_compare(&c, &a) > 0);
}

/* A selector of at most three requirements over few keys and values. */
static void make(struct wf_selector *selector)
{
	static const char *const values[] = { "a", "b", "c" };
	long count = random() % 4;

	for (long i = 0; i < count; i++) {
		enum wf_match_op op = (enum wf_match_op)(random() % WF_MATCH_OP_COUNT);
		size_t first = (size_t)random() % 3;
		bool takes_values = op == WF_MATCH_IN || op == WF_MATCH_NOT_IN;

		assert_int_equal(wf_selector_add(selector, random() % 2 == 0,
						 random() % 2 ? "x" : "y", op, &values[first],
						 takes_values ? 3 - first : 0),
				 0);
	}
}

/* Order is total: what is equal says and selects the same, and turning round turns the sign. */
static void test_order(void **state)
{
	size_t equal = 0;

	for (int i = 0; i < 20000; i++) {
		_cleanup_(wf_selector_done) struct wf_selector a = { 0 }, b = { 0 };
		_cleanup_str_ struct wf_str a_text = WF_STR_INIT, b_text = WF_STR_INIT;
		int order;

		make(&a);
		make(&b);
		order = wf_selector_compare(&a, &b);
		assert_true((order > 0) == (wf_selector_compare(&b, &a) < 0));
		wf_selector_format(&a, &a_text);
		wf_selector_format(&b, &b_text);
		assert_int_equal(order == 0,
				 strcmp(wf_str_text(&a_text), wf_str_text(&b_text)) == 0);
		equal += order == 0;
	}
	assert_true(equal > 100);
}

static void test_format(void **state)
{
	static const struct {
		const char *own;
		const char *of_namespace;
		const char *want;
	} rows[] = {
		{ "{}", "{}", "everything" },
		{ "{matchLabels: {app: web}, matchExpressions: [{key: tier, operator: In,"
		  " values: [b, a]}, {key: x, operator: DoesNotExist}]}",
		  "{matchLabels: {team: a}}", "app=web,tier in (a,b),!x; namespace team=a" },
		{ "{matchExpressions: [{key: a, operator: NotIn, values: [x]}, {key: b,"
		  " operator: NotIn, values: [x, y]}, {key: c, operator: Exists}]}",
		  "{}", "a!=x,b notin (x,y),c" },
		{ "{}", "{matchLabels: {a: b, c: d}}", "namespace a=b,c=d" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		read_selector(&selector, false, rows[i].own);
		read_selector(&selector, true, rows[i].of_namespace);
		wf_selector_format(&selector, &out);
		assert_string_equal(wf_str_text(&out), rows[i].want);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text;
		const char *field;
	} rows[] = {
		{ "{matchLabels: [a]}", "p.matchLabels" },
		{ "{matchLabels: {a: 1}}", "p.matchLabels.a" },
		{ "{matchLabels: {a: '-'}}", "p.matchLabels.a" },
		{ "{matchLabels: {'k8s:a': b}}", "p.matchLabels.k8s:a" },
		{ "{matchExpressions: {a: b}}", "p.matchExpressions" },
		{ "{matchExpressions: [a]}", "p.matchExpressions[0].operator" },
		{ "{matchExpressions: [{key: a}]}", "p.matchExpressions[0].operator" },
		{ "{matchExpressions: [{key: a, operator: in, values: [b]}]}",
		  "p.matchExpressions[0].operator" },
		{ "{matchExpressions: [{operator: Exists}]}", "p.matchExpressions[0].key" },
		{ "{matchExpressions: [{key: a, operator: In}]}", "p.matchExpressions[0].values" },
		{ "{matchExpressions: [{key: a, operator: NotIn, values: []}]}",
		  "p.matchExpressions[0].values" },
		{ "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
		  "p.matchExpressions[0].values" },
		{ "{matchExpressions: [{key: a, operator: DoesNotExist, values: [b]}]}",
		  "p.matchExpressions[0].values" },
		{ "{matchExpressions: [{key: a, operator: In, values: {b: c}}]}",
		  "p.matchExpressions[0].values" },
		{ "{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: In,"
		  " values: [b, 'c d']}]}",
		  "p.matchExpressions[1].values[1]" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };
		_cleanup_json_ json_t *object = document_parse(rows[i].text);
		struct wf_err err = WF_ERR_INIT;

		assert_int_equal(
			wf_selector_add(&selector, false, "kept", WF_MATCH_EXISTS, NULL, 0), 0);
		if (wf_selector_add_json(&selector, false, object, "p", &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].text);
		if (strcmp(err.field, rows[i].field) != 0)
			fail_msg("%s: field %s: %s", rows[i].text, err.field, err.message);
		assert_int_equal(selector.count, 1);
	}
}

static void test_nothing_adds_nothing(void **state)
{
	_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };
	_cleanup_json_ json_t *text = json_string("x");

	assert_int_equal(wf_selector_add_json(&selector, false, NULL, "p", NULL), 0);
	assert_int_equal(wf_selector_add_json(&selector, false, json_null(), "p", NULL), 0);
	assert_int_equal(wf_selector_add_json(&selector, false, text, "p", NULL), -EINVAL);
	assert_int_equal(selector.count, 0);
}

static void test_limits(void **state)
{
	for (size_t count = WF_SELECTOR_MAX_REQUIREMENTS; count <= WF_SELECTOR_MAX_REQUIREMENTS + 1;
	     count++) {
		_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };
		_cleanup_json_ json_t *object = json_pack("{s:{}}", "matchLabels");

		for (size_t i = 0; i < count; i++) {
			char key[32];

			(void)snprintf(key, sizeof(key), "k%zu", i);
			(void)json_object_set_new(json_object_get(object, "matchLabels"), key,
						  json_string(""));
		}
		assert_int_equal(wf_selector_add_json(&selector, false, object, "p", NULL),
				 count > WF_SELECTOR_MAX_REQUIREMENTS ? -EINVAL : 0);
	}
	for (size_t count = WF_SELECTOR_MAX_VALUES; count <= WF_SELECTOR_MAX_VALUES + 1; count++) {
		_cleanup_(wf_selector_done) struct wf_selector selector = { 0 };
		_cleanup_json_ json_t *object =
			json_pack("{s:[{s:s, s:s, s:[]}]}", "matchExpressions", "key", "a",
				  "operator", "In", "values");
		json_t *list = json_object_get(
			json_array_get(json_object_get(object, "matchExpressions"), 0), "values");

		for (size_t i = 0; i < count; i++)
			(void)json_array_append_new(list, json_sprintf("v%zu", i));
		assert_int_equal(wf_selector_add_json(&selector, false, object, "p", NULL),
				 count > WF_SELECTOR_MAX_VALUES ? -EINVAL : 0);
	}
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *object = document_parse(
		"{matchLabels: {a: b, c: d, e: f, g: h, i: j}, matchExpressions: ["
		"{key: k, operator: In, values: [c, a, b, a]}, {key: k, operator: Exists}]}");
	_cleanup_(wf_selector_done) struct wf_selector selector = { 0 }, copy = { 0 };

	for (size_t n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = wf_selector_add_json(&selector, false, object, "p", NULL);
		if (r == 0)
			r = wf_selector_copy(&copy, &selector);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(copy.count, 0);
		assert_true(selector.count == 0 || selector.count == 7);
		wf_selector_done(&selector);
	}
	assert_int_equal(wf_selector_compare(&selector, &copy), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_without_namespace),
		cmocka_unit_test(test_equal_ones_are_alike),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nothing_adds_nothing),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
