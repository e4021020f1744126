/* SPDX-License-Identifier: Apache-2.0 */
/* Reads LabelSelectors of Kubernetes, and Cilium's, whose keys have prefixes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/selector_priv.h"

/* A selector being read. */
struct reading {
	struct wf_selector *selector;
	wf_selector_key_fn *find;
	struct wf_field_path at;
	struct wf_err *err;
};

static const char *const op_names[WF_MATCH_OP_COUNT] = {
	[WF_MATCH_IN] = "In",
	[WF_MATCH_NOT_IN] = "NotIn",
	[WF_MATCH_EXISTS] = "Exists",
	[WF_MATCH_NOT_EXISTS] = "DoesNotExist",
};

static const char *own_key(const char *text, bool *ret_of_namespace)
{
	*ret_of_namespace = false;
	return wf_label_is_key(text) ? text : NULL;
}

static const char *namespace_key(const char *text, bool *ret_of_namespace)
{
	*ret_of_namespace = true;
	return wf_label_is_key(text) ? text : NULL;
}

static int check_value(struct reading *reading, const json_t *value)
{
	const char *text = json_string_value(value);
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!text)
		return wf_field_fail(reading->err, reading->at.text,
				     "want a string (put it in quotes)");
	if (!wf_label_is_value(text))
		return wf_field_fail(reading->err, reading->at.text,
				     "\"%s\" is not a label value (empty, or up to 63 letters, "
				     "digits, '-', '_' or '.', a letter or digit at both ends)",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

static int add(struct reading *reading, const char *text, enum wf_match_op op,
	       const char *const *values, size_t value_count)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	bool of_namespace;
	const char *key = reading->find(text, &of_namespace);

	if (!key)
		return wf_field_fail(reading->err, reading->at.text,
				     "\"%s\" is not a label key ([DNS-name/]name; name: up to 63 "
				     "letters, digits, '-', '_' or '.', a letter or digit at both "
				     "ends)",
				     wf_field_excerpt(text, excerpt));
	if (reading->selector->count == WF_SELECTOR_MAX_REQUIREMENTS)
		return wf_field_fail(reading->err, reading->at.text,
				     "has more than %d requirements in all",
				     WF_SELECTOR_MAX_REQUIREMENTS);
	if (wf_selector_add(reading->selector, of_namespace, key, op, values, value_count) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	return 0;
}

static int read_labels(struct reading *reading, const json_t *labels)
{
	size_t root = wf_field_push_key(&reading->at, "matchLabels");
	const char *key;
	json_t *value;

	if (labels && !json_is_null(labels) && !json_is_object(labels))
		return wf_field_fail(reading->err, reading->at.text, "want a mapping of strings");
	json_object_foreach((json_t *)labels, key, value) {
		size_t parent = wf_field_push_key(&reading->at, key);
		const char *text = json_string_value(value);
		int r = check_value(reading, value);

		if (r == 0)
			r = add(reading, key, WF_MATCH_IN, &text, 1);
		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	wf_field_pop(&reading->at, root);
	return 0;
}

/* The values of an expression, borrowed from it; *ret_values is freed by the caller. */
static int read_values(struct reading *reading, const json_t *list, const char ***ret_values)
{
	size_t count = json_array_size(list), root = wf_field_push_key(&reading->at, "values"), i;
	_cleanup_free_ const char **values = NULL;
	json_t *item;

	if (list && !json_is_null(list) && !json_is_array(list))
		return wf_field_fail(reading->err, reading->at.text, "want a list of strings");
	if (count > WF_SELECTOR_MAX_VALUES)
		return wf_field_fail(reading->err, reading->at.text,
				     "has %zu entries, the limit is %d", count,
				     WF_SELECTOR_MAX_VALUES);
	values = calloc(count + 1, sizeof(*values));
	if (!values)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	json_array_foreach(list, i, item) {
		size_t parent = wf_field_push_index(&reading->at, i);
		int r = check_value(reading, item);

		if (r < 0)
			return r;
		values[i] = json_string_value(item);
		wf_field_pop(&reading->at, parent);
	}
	wf_field_pop(&reading->at, root);
	*ret_values = TAKE_PTR(values);
	return 0;
}

static int read_op(struct reading *reading, const json_t *expression, enum wf_match_op *ret_op)
{
	const char *text = wf_json_str(expression, "operator", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	for (unsigned int op = 0; op < WF_MATCH_OP_COUNT; op++) {
		if (strcmp(op_names[op], text) == 0) {
			*ret_op = (enum wf_match_op)op;
			return 0;
		}
	}
	(void)wf_field_push_key(&reading->at, "operator");
	return wf_field_fail(reading->err, reading->at.text,
			     "\"%s\" is not one of In, NotIn, Exists, DoesNotExist",
			     wf_field_excerpt(text, excerpt));
}

static int read_expression(struct reading *reading, const json_t *expression)
{
	const json_t *list = json_object_get(expression, "values");
	const char *key = wf_json_str(expression, "key", "");
	_cleanup_free_ const char **values = NULL;
	size_t count = json_array_size(list);
	enum wf_match_op op = WF_MATCH_IN;
	bool wants_values;
	int r = read_op(reading, expression, &op);

	if (r == 0)
		r = read_values(reading, list, &values);
	if (r < 0)
		return r;
	wants_values = op == WF_MATCH_IN || op == WF_MATCH_NOT_IN;
	if (wants_values != (count > 0)) {
		(void)wf_field_push_key(&reading->at, "values");
		return wf_field_fail(
			reading->err, reading->at.text, "%s",
			wants_values ? "is missing (In and NotIn want at least one value)"
				     : "must be left out (Exists and DoesNotExist take none)");
	}
	(void)wf_field_push_key(&reading->at, "key");
	return add(reading, key, op, values, count);
}

static int read_expressions(struct reading *reading, const json_t *list)
{
	size_t root = wf_field_push_key(&reading->at, "matchExpressions"), i;
	json_t *item;

	if (list && !json_is_null(list) && !json_is_array(list))
		return wf_field_fail(reading->err, reading->at.text, "want a list of expressions");
	json_array_foreach(list, i, item) {
		size_t parent = wf_field_push_index(&reading->at, i);
		int r = read_expression(reading, item);

		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	wf_field_pop(&reading->at, root);
	return 0;
}

int wf_selector_add_json_keys(struct wf_selector *selector, wf_selector_key_fn *find,
			      const json_t *object, const char *path, struct wf_err *err)
{
	_cleanup_(wf_selector_done) struct wf_selector fresh = { 0 };
	struct reading reading = { .selector = &fresh, .find = find, .err = err };
	struct wf_selector old;
	int r;

	if (!object || json_is_null(object))
		return 0;
	(void)wf_field_push_key(&reading.at, path);
	if (!json_is_object(object))
		return wf_field_fail(err, path, "want a mapping (matchLabels, matchExpressions)");
	if (wf_selector_copy(&fresh, selector) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = read_labels(&reading, json_object_get(object, "matchLabels"));
	if (r == 0)
		r = read_expressions(&reading, json_object_get(object, "matchExpressions"));
	if (r < 0)
		return r;
	old = *selector;
	*selector = fresh;
	fresh = old;
	return 0;
}

int wf_selector_add_json(struct wf_selector *selector, bool of_namespace, const json_t *object,
			 const char *path, struct wf_err *err)
{
	return wf_selector_add_json_keys(selector, of_namespace ? namespace_key : own_key, object,
					 path, err);
}
