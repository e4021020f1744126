/* SPDX-License-Identifier: Apache-2.0 */
/* Texts into lists of documents, all or nothing. Reading YAML is yaml_read.c's. */
#include "model/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/yaml_priv.h"

#define _cleanup_lines_ _cleanup_(wf_lines_free)

static void document_done(struct wf_document *document)
{
	json_decref(document->root);
	free(document->source);
	wf_lines_free(&document->lines);
}

void wf_documents_done(struct wf_documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		document_done(&documents->items[i]);
	free(documents->items);
	memset(documents, 0, sizeof(*documents));
}

/* Appends a document; root and lines are borrowed, a view of lines from hash on is kept. */
static int append(struct wf_documents *documents, const char *source, json_t *root,
		  const struct wf_document_lines *lines, uint64_t hash, size_t line,
		  struct wf_err *err)
{
	struct wf_document document = { .first_line = (int)line };

	if (documents->count == WF_DOCUMENTS_MAX)
		return wf_fail(err, -E2BIG, "%s:%zu: more than %d documents", source, line,
			       WF_DOCUMENTS_MAX);
	document.source = strdup(source);
	document.lines = wf_lines_new_view(lines, hash);
	document.root = json_incref(root);
	if (!document.source || !document.lines ||
	    wf_mem_grow(&documents->items, sizeof(*documents->items), documents->count,
			&documents->capacity) < 0) {
		document_done(&document);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	documents->items[documents->count++] = document;
	return 0;
}

/* What a list may hold beside its items is what kubectl writes. */
static int check_list_key(const char *source, const char *key, size_t line, struct wf_err *err)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", "items" };
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	for (size_t i = 0; i < WF_ARRAY_LEN(known); i++)
		if (strcmp(known[i], key) == 0)
			return 0;
	return wf_fail(err, -EINVAL, "%s:%zu: List: unknown field \"%s\" (want items)", source,
		       line, wf_field_excerpt(key, excerpt));
}

/* Takes a "List" apart. */
static int append_items(struct wf_documents *documents, const char *source, const json_t *root,
			const struct wf_document_lines *lines, size_t line, struct wf_err *err)
{
	uint64_t items_hash = wf_lines_hash_key(WF_LINES_ROOT, "items", strlen("items"));
	const json_t *items = json_object_get(root, "items");
	const char *key;
	json_t *item;
	size_t i;
	int r = 0;

	json_object_foreach((json_t *)root, key, item) {
		r = check_list_key(source, key, line, err);
		if (r < 0)
			return r;
	}
	if (!json_is_array(items))
		return wf_fail(err, -EINVAL, "%s:%zu: List: items: want a list of documents",
			       source, line);
	json_array_foreach(items, i, item) {
		uint64_t hash = wf_lines_hash_index(items_hash, i);
		size_t item_line = wf_lines_find(lines, hash);

		if (!json_is_object(item))
			return wf_fail(err, -EINVAL,
				       "%s:%zu: items[%zu]: a document must be a mapping", source,
				       item_line, i);
		r = append(documents, source, item, lines, hash, item_line, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int append_root(struct wf_documents *documents, const char *source, json_t *root,
		       const struct wf_document_lines *lines, size_t line, struct wf_err *err)
{
	if (!json_is_object(root))
		return wf_fail(err, -EINVAL, "%s:%zu: a document must be a mapping, not %s", source,
			       line, json_is_array(root) ? "a list" : "a single value");
	if (strcmp(wf_json_str(root, "kind", ""), "List") == 0)
		return append_items(documents, source, root, lines, line, err);
	return append(documents, source, root, lines, WF_LINES_ROOT, line, err);
}

/*
 * Whether a text begins as JSON does and stays within a document's limits; the count is an upper
 * bound of its values, taken before anything is built from them.
 */
static bool is_modest_json(const char *text, size_t len, size_t most_values)
{
	size_t begin = 0, values = 0, string_begin = 0;
	bool in_string = false;

	while (begin < len && strchr(" \t\r\n", text[begin]))
		begin++;
	if (begin == len || (text[begin] != '{' && text[begin] != '['))
		return false;
	for (size_t i = begin; i < len; i++) {
		if (in_string && text[i] == '\\') {
			i++;
		} else if (text[i] == '"') {
			if (in_string && i - string_begin > WF_DOCUMENT_MAX_STRING_BYTES)
				return false;
			in_string = !in_string;
			string_begin = i;
		} else if (!in_string && strchr(",:{[", text[i])) {
			values++;
		}
	}
	return values < most_values;
}

/*
 * The text as one JSON value: 1 when it is one, 0 when it is YAML, or faulty in a way that the
 * YAML reader tells better (its errors have both lines of a duplicate key). lines may be NULL.
 */
static int parse_json(const char *text, size_t len, size_t most_values,
		      struct wf_document_lines *lines, json_t **ret_root, struct wf_err *err)
{
	const struct wf_json_bounds bounds = { WF_DOCUMENT_MAX_FILE_BYTES, most_values };
	_cleanup_json_ json_t *root = NULL;
	int r;

	if (!is_modest_json(text, len, most_values))
		return 0;
	r = wf_json_parse_within(text, len, &bounds, &root, NULL);
	if (r < 0)
		return 0;
	if (lines && wf_lines_add_json(lines, text, len) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	*ret_root = TAKE_PTR(root);
	return 1;
}

static int parse_json_document(struct wf_documents *documents, const char *source, const char *text,
			       size_t len, struct wf_err *err)
{
	_cleanup_lines_ struct wf_document_lines *lines = wf_lines_new();
	_cleanup_json_ json_t *root = NULL;
	size_t line;
	int r;

	if (!lines)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = parse_json(text, len, WF_DOCUMENTS_MAX_NODES, lines, &root, err);
	if (r <= 0)
		return r;
	line = wf_lines_find(lines, WF_LINES_ROOT);
	r = append_root(documents, source, root, lines, line, err);
	return r < 0 ? r : 1;
}

static int parse_yaml_documents(struct wf_documents *documents, const char *source,
				const char *text, size_t len, struct wf_err *err)
{
	_cleanup_(wf_yaml_close) struct wf_yaml *yaml = NULL;
	int r = wf_yaml_open(&yaml, source, text, len, WF_DOCUMENTS_MAX_NODES, err);

	if (r < 0)
		return r;
	for (;;) {
		_cleanup_lines_ struct wf_document_lines *lines = wf_lines_new();
		_cleanup_json_ json_t *root = NULL;
		size_t line;

		if (!lines)
			return wf_fail(err, -ENOMEM, "out of memory");
		r = wf_yaml_next(yaml, lines, &root, &line, err);
		if (r <= 0)
			return r;
		r = append_root(documents, source, root, lines, line, err);
		if (r < 0)
			return r;
	}
}

/* Moves all of fresh to the end of documents. */
static int move_all(struct wf_documents *documents, struct wf_documents *fresh, struct wf_err *err)
{
	if (documents->count + fresh->count > WF_DOCUMENTS_MAX)
		return wf_fail(err, -E2BIG, "more than %d documents", WF_DOCUMENTS_MAX);
	while (documents->capacity < documents->count + fresh->count)
		if (wf_mem_grow(&documents->items, sizeof(*documents->items), documents->capacity,
				&documents->capacity) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	if (fresh->count)
		memcpy(&documents->items[documents->count], fresh->items,
		       fresh->count * sizeof(*fresh->items));
	documents->count += fresh->count;
	fresh->count = 0;
	return 0;
}

int wf_documents_parse(struct wf_documents *documents, const char *source, const char *text,
		       size_t len, struct wf_err *err)
{
	_cleanup_(wf_documents_done) struct wf_documents fresh = { 0 };
	int r = wf_text_check(source, text, len, err);

	if (r < 0)
		return r;
	r = parse_json_document(&fresh, source, text, len, err);
	if (r == 0)
		r = parse_yaml_documents(&fresh, source, text, len, err);
	return r < 0 ? r : move_all(documents, &fresh, err);
}

static int parse_yaml_mapping(const char *source, const char *text, size_t len, json_t **ret_root,
			      struct wf_err *err)
{
	_cleanup_(wf_yaml_close) struct wf_yaml *yaml = NULL;
	_cleanup_json_ json_t *root = NULL, *second = NULL;
	size_t line;
	int r = wf_yaml_open(&yaml, source, text, len, WF_DOCUMENT_MAX_NODES, err);

	if (r == 0)
		r = wf_yaml_next(yaml, NULL, &root, &line, err);
	if (r == 1)
		r = wf_yaml_next(yaml, NULL, &second, &line, err);
	if (r == 1)
		return wf_fail(err, -EINVAL, "%s:%zu: a second document is not expected here",
			       source, line);
	if (r < 0)
		return r;
	/* an empty file */
	if (!root)
		root = json_object();
	if (!root)
		return wf_fail(err, -ENOMEM, "out of memory");
	*ret_root = TAKE_PTR(root);
	return 0;
}

int wf_document_parse_mapping(const char *source, const char *text, size_t len, json_t **ret_root,
			      struct wf_err *err)
{
	_cleanup_json_ json_t *root = NULL;
	int r = wf_text_check(source, text, len, err);

	if (r == 0)
		r = parse_json(text, len, WF_DOCUMENT_MAX_NODES, NULL, &root, err);
	if (r == 0)
		r = parse_yaml_mapping(source, text, len, &root, err);
	if (r < 0)
		return r;
	if (!json_is_object(root))
		return wf_fail(err, -EINVAL, "%s: want a mapping (key: value)", source);
	*ret_root = TAKE_PTR(root);
	return 0;
}

int wf_document_line(const struct wf_document *document, const char *path)
{
	return document->lines ? (int)wf_lines_find_path(document->lines, path) : 0;
}

void wf_document_locate(const struct wf_document *document, struct wf_err *err)
{
	int line = err ? wf_document_line(document, err->field) : 0;

	if (line)
		wf_err_prefix(err, "%s:%d", document->source, line);
	else
		wf_err_prefix(err, "%s", document->source);
}
