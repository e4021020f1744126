/* SPDX-License-Identifier: Apache-2.0 */
/* The selector itself: requirements in order, matching, text. Reading: selector_read.c. */
#include "model/selector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void requirement_done(struct wf_requirement *requirement)
{
	for (size_t i = 0; i < requirement->value_count; i++)
		free(requirement->values[i]);
	free(requirement->values);
	free(requirement->key);
	memset(requirement, 0, sizeof(*requirement));
}

void wf_selector_done(struct wf_selector *selector)
{
	for (size_t i = 0; i < selector->count; i++)
		requirement_done(&selector->items[i]);
	free(selector->items);
	memset(selector, 0, sizeof(*selector));
}

static int compare_requirements(const struct wf_requirement *a, const struct wf_requirement *b)
{
	int r;

	if (a->of_namespace != b->of_namespace)
		return a->of_namespace ? 1 : -1;
	r = strcmp(a->key, b->key);
	if (r != 0)
		return r;
	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	for (size_t i = 0; r == 0 && i < a->value_count && i < b->value_count; i++)
		r = strcmp(a->values[i], b->values[i]);
	if (r != 0 || a->value_count == b->value_count)
		return r;
	return a->value_count < b->value_count ? -1 : 1;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts the values, and leaves each once. */
static void order_values(struct wf_requirement *requirement)
{
	size_t kept = 0;

	if (requirement->value_count)
		qsort((void *)requirement->values, requirement->value_count,
		      sizeof(*requirement->values), compare_texts);
	for (size_t i = 0; i < requirement->value_count; i++) {
		char *value = requirement->values[i];

		if (kept && strcmp(requirement->values[kept - 1], value) == 0)
			free(value);
		else
			requirement->values[kept++] = value;
	}
	requirement->value_count = kept;
}

static int fill_requirement(struct wf_requirement *requirement, const char *key,
			    const char *const *values, size_t value_count)
{
	requirement->key = strdup(key);
	if (!requirement->key)
		return -ENOMEM;
	if (!value_count)
		return 0;
	requirement->values = calloc(value_count, sizeof(*requirement->values));
	if (!requirement->values)
		return -ENOMEM;
	requirement->value_capacity = value_count;
	for (size_t i = 0; i < value_count; i++) {
		requirement->values[i] = strdup(values[i]);
		if (!requirement->values[i])
			return -ENOMEM;
		requirement->value_count++;
	}
	order_values(requirement);
	return 0;
}

/* Index of the first requirement that is not before it. */
static size_t position(const struct wf_selector *selector, const struct wf_requirement *requirement)
{
	size_t low = 0, high = selector->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_requirements(&selector->items[middle], requirement) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int wf_selector_add(struct wf_selector *selector, bool of_namespace, const char *key,
		    enum wf_match_op op, const char *const *values, size_t value_count)
{
	_cleanup_(requirement_done) struct wf_requirement fresh = {
		.of_namespace = of_namespace,
		.op = op,
	};
	int r = fill_requirement(&fresh, key, values, value_count);
	size_t at;

	if (r < 0)
		return r;
	at = position(selector, &fresh);
	if (at < selector->count && compare_requirements(&selector->items[at], &fresh) == 0)
		return 0;
	if (wf_mem_grow(&selector->items, sizeof(*selector->items), selector->count,
			&selector->capacity) < 0)
		return -ENOMEM;
	memmove(&selector->items[at + 1], &selector->items[at],
		(selector->count - at) * sizeof(*selector->items));
	selector->items[at] = fresh;
	selector->count++;
	fresh = (struct wf_requirement){ .key = NULL };
	return 0;
}

/* The value that a requirement is about; NULL: the label is absent. */
static const char *value_of(const struct wf_requirement *requirement,
			    const struct wf_labels *labels, const char *namespace,
			    const struct wf_labels *of_namespace)
{
	if (!requirement->of_namespace)
		return wf_labels_get(labels, requirement->key);
	if (strcmp(requirement->key, WF_LABEL_NAMESPACE_NAME) == 0)
		return *namespace ? namespace : NULL;
	return of_namespace ? wf_labels_get(of_namespace, requirement->key) : NULL;
}

static bool has_value(const struct wf_requirement *requirement, const char *value)
{
	return requirement->value_count &&
	       bsearch((const void *)&value, (const void *)requirement->values,
		       requirement->value_count, sizeof(*requirement->values), compare_texts);
}

static bool holds(const struct wf_requirement *requirement, const char *value)
{
	switch (requirement->op) {
	case WF_MATCH_IN: return value && has_value(requirement, value);
	case WF_MATCH_NOT_IN: return !value || !has_value(requirement, value);
	case WF_MATCH_EXISTS: return value != NULL;
	case WF_MATCH_NOT_EXISTS: return !value;
	default: return false;
	}
}

bool wf_selector_matches(const struct wf_selector *selector, const struct wf_labels *labels,
			 const char *namespace, const struct wf_labels *of_namespace)
{
	for (size_t i = 0; i < selector->count; i++) {
		const struct wf_requirement *requirement = &selector->items[i];

		if (!holds(requirement, value_of(requirement, labels, namespace, of_namespace)))
			return false;
	}
	return true;
}

int wf_selector_compare(const struct wf_selector *a, const struct wf_selector *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->count && i < b->count; i++)
		r = compare_requirements(&a->items[i], &b->items[i]);
	if (r != 0 || a->count == b->count)
		return r;
	return a->count < b->count ? -1 : 1;
}

int wf_selector_copy(struct wf_selector *to, const struct wf_selector *from)
{
	_cleanup_(wf_selector_done) struct wf_selector fresh = { 0 };

	for (size_t i = 0; i < from->count; i++) {
		const struct wf_requirement *item = &from->items[i];

		if (wf_selector_add(&fresh, item->of_namespace, item->key, item->op,
				    (const char *const *)item->values, item->value_count) < 0)
			return -ENOMEM;
	}
	wf_selector_done(to);
	*to = fresh;
	fresh = (struct wf_selector){ 0 };
	return 0;
}

static void add_values(struct wf_str *out, const struct wf_requirement *requirement)
{
	for (size_t i = 0; i < requirement->value_count; i++) {
		wf_str_add(out, i ? "," : "");
		wf_str_add_escaped(out, requirement->values[i]);
	}
}

static void add_requirement(struct wf_str *out, const struct wf_requirement *requirement)
{
	bool in = requirement->op == WF_MATCH_IN, not_in = requirement->op == WF_MATCH_NOT_IN;
	bool one = requirement->value_count == 1;

	if (requirement->op == WF_MATCH_NOT_EXISTS)
		wf_str_add(out, "!");
	wf_str_add_escaped(out, requirement->key);
	if (!in && !not_in)
		return;
	if (one)
		wf_str_add(out, in ? "=" : "!=");
	else
		wf_str_add(out, in ? " in (" : " notin (");
	add_values(out, requirement);
	wf_str_add(out, one ? "" : ")");
}

void wf_selector_format(const struct wf_selector *selector, struct wf_str *out)
{
	if (!selector->count)
		wf_str_add(out, "everything");
	for (size_t i = 0; i < selector->count; i++) {
		bool first_of_namespace = selector->items[i].of_namespace &&
					  (i == 0 || !selector->items[i - 1].of_namespace);

		if (first_of_namespace)
			wf_str_add(out, i ? "; namespace " : "namespace ");
		else
			wf_str_add(out, i ? "," : "");
		add_requirement(out, &selector->items[i]);
	}
}
