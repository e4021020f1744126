/* SPDX-License-Identifier: Apache-2.0 */
#include "model/label.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"

#define NAME_LEN_MAX  63
#define LABELS_MAX    1024
#define VALUE_GRAMMAR "up to 63 letters, digits, '-', '_' or '.', a letter or digit at both ends"

void wf_labels_done(struct wf_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
	memset(labels, 0, sizeof(*labels));
}

/* Index of the first key that is not before key. */
static size_t position(const struct wf_labels *labels, const char *key)
{
	size_t low = 0, high = labels->items ? labels->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(labels->items[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct wf_label *find(const struct wf_labels *labels, const char *key)
{
	size_t at = position(labels, key);

	if (!labels->items || at == labels->count || strcmp(labels->items[at].key, key) != 0)
		return NULL;
	return &labels->items[at];
}

int wf_labels_set(struct wf_labels *labels, const char *key, const char *value)
{
	_cleanup_free_ char *new_value = strdup(value);
	struct wf_label *label = find(labels, key);
	_cleanup_free_ char *new_key = NULL;
	size_t at;

	if (!new_value)
		return -ENOMEM;
	if (label) {
		free(label->value);
		label->value = TAKE_PTR(new_value);
		return 0;
	}
	new_key = strdup(key);
	if (!new_key || wf_mem_grow(&labels->items, sizeof(*labels->items), labels->count,
				    &labels->capacity) < 0)
		return -ENOMEM;
	at = position(labels, key);
	memmove(&labels->items[at + 1], &labels->items[at],
		(labels->count - at) * sizeof(*labels->items));
	labels->items[at] =
		(struct wf_label){ .key = TAKE_PTR(new_key), .value = TAKE_PTR(new_value) };
	labels->count++;
	return 0;
}

const char *wf_labels_get(const struct wf_labels *labels, const char *key)
{
	const struct wf_label *label = find(labels, key);

	return label ? label->value : NULL;
}

static bool is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The part of the grammar that names and values share; empty is not one. */
static bool is_word(const char *text)
{
	size_t len = strnlen(text, NAME_LEN_MAX + 1);

	if (len == 0 || len > NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(text[i]) && !strchr("-_.", text[i]))
			return false;
	return is_alphanumeric(text[0]) && is_alphanumeric(text[len - 1]);
}

bool wf_label_is_key(const char *text)
{
	const char *slash = strchr(text, '/');
	char prefix[254];

	if (!slash)
		return is_word(text);
	if ((size_t)(slash - text) >= sizeof(prefix))
		return false;
	memcpy(prefix, text, (size_t)(slash - text));
	prefix[slash - text] = '\0';
	return wf_str_is_name(prefix) && is_word(slash + 1);
}

bool wf_label_is_value(const char *text)
{
	return !*text || is_word(text);
}

static int check(const char *key, const char *value, const char *path, bool strict,
		 struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!wf_label_is_key(key))
		return wf_field_fail(err, path,
				     "\"%s\" is not a label key ([DNS-name/]name; name: %s)",
				     wf_field_excerpt(key, excerpt), VALUE_GRAMMAR);
	if (strict && !wf_label_is_value(value))
		return wf_field_fail(err, path, "\"%s\" is not a label value (empty, or %s)",
				     wf_field_excerpt(value, excerpt), VALUE_GRAMMAR);
	return 0;
}

int wf_labels_parse(struct wf_labels *labels, const char *text, struct wf_err *err)
{
	const char *equals = strchr(text, '=');
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	_cleanup_free_ char *key = NULL;
	int r;

	if (!equals)
		return wf_fail(err, -EINVAL, "label \"%s\" has no '=' (want key=value)",
			       wf_field_excerpt(text, excerpt));
	key = strndup(text, (size_t)(equals - text));
	if (!key)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = check(key, equals + 1, "", true, err);
	if (r < 0)
		return r;
	if (wf_labels_set(labels, key, equals + 1) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

int wf_labels_from_json(struct wf_labels *labels, const json_t *object, const char *path,
			bool strict, struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels fresh = { 0 };
	struct wf_field_path at = { .len = 0 };
	const char *key;
	json_t *value;
	int r;

	(void)wf_field_push_key(&at, path);
	if (object && !json_is_null(object) && !json_is_object(object))
		return wf_field_fail(err, path, "want a mapping of strings");
	if (json_object_size(object) > LABELS_MAX)
		return wf_field_fail(err, path, "has %zu entries, the limit is %d",
				     json_object_size(object), LABELS_MAX);
	json_object_foreach((json_t *)object, key, value) {
		size_t parent = wf_field_push_key(&at, key);

		if (!json_is_string(value))
			return wf_field_fail(err, at.text, "want a string (put it in quotes)");
		r = check(key, json_string_value(value), at.text, strict, err);
		if (r < 0)
			return r;
		if (wf_labels_set(&fresh, key, json_string_value(value)) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		wf_field_pop(&at, parent);
	}
	wf_labels_done(labels);
	*labels = fresh;
	fresh = (struct wf_labels){ 0 };
	return 0;
}

json_t *wf_labels_to_json(const struct wf_labels *labels)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < labels->count; i++) {
		if (json_object_set_new(object, labels->items[i].key,
					json_string(labels->items[i].value)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}
