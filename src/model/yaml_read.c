/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to JSON over libyaml's events, one document at a time. Everything that could make a small
 * text large or slow is refused: aliases, tags, depth, too many nodes, long strings. libyaml
 * reads ahead by a bounded number of tokens, so a refusal comes before the rest is parsed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/document.h"
#include "model/field_priv.h"
#include "model/yaml_priv.h"

struct wf_yaml {
	yaml_parser_t parser;
	const char *source; /* borrowed */
	const char *text;   /* borrowed */
	size_t len;
	size_t nodes; /* seen so far, in all documents */
	size_t most_nodes;
	struct wf_document_lines *lines; /* borrowed; NULL: not wanted */
	struct wf_err *err;
};

#define _cleanup_event_ _cleanup_(yaml_event_delete)

#define FAIL_AT(yaml, mark, code, format, ...)                                             \
	wf_fail((yaml)->err, code, "%s:%zu:%zu: " format, (yaml)->source, (mark).line + 1, \
		(mark).column + 1, ##__VA_ARGS__)

int wf_yaml_open(struct wf_yaml **ret_yaml, const char *source, const char *text, size_t len,
		 size_t most_nodes, struct wf_err *err)
{
	struct wf_yaml *yaml = calloc(1, sizeof(*yaml));

	if (!yaml || !yaml_parser_initialize(&yaml->parser)) {
		free(yaml);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	/* with the encoding given the parser would take a byte order mark for text */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	yaml_parser_set_encoding(&yaml->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&yaml->parser, (const unsigned char *)text, len);
	yaml->source = source;
	yaml->text = text;
	yaml->len = len;
	yaml->most_nodes = most_nodes;
	*ret_yaml = yaml;
	return 0;
}

void wf_yaml_close(struct wf_yaml **yaml)
{
	if (!*yaml)
		return;
	yaml_parser_delete(&(*yaml)->parser);
	free(*yaml);
	*yaml = NULL;
}

/* Whether a line (from 0) begins with a tab among its spaces, the commonest invisible mistake. */
static bool is_indented_with_tab(const struct wf_yaml *yaml, size_t line)
{
	const char *at = yaml->text, *end = yaml->text + yaml->len;

	while (line-- && at) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	while (at && at < end && *at == ' ')
		at++;
	return at && at < end && *at == '\t';
}

static int fail_syntax(const struct wf_yaml *yaml)
{
	const yaml_parser_t *parser = &yaml->parser;
	const char *problem = parser->problem ? parser->problem : "not valid";

	if (parser->error == YAML_MEMORY_ERROR)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	if (parser->error == YAML_READER_ERROR)
		return wf_fail(yaml->err, -EILSEQ, "%s: not valid YAML: %s (at byte %zu)",
			       yaml->source, problem, parser->problem_offset);
	if (is_indented_with_tab(yaml, parser->problem_mark.line))
		return FAIL_AT(yaml, parser->problem_mark, -EILSEQ,
			       "not valid YAML: indented with a tab (use spaces)");
	if (parser->context)
		return FAIL_AT(yaml, parser->problem_mark, -EILSEQ,
			       "not valid YAML: %s %s that begins in line %zu", problem,
			       parser->context, parser->context_mark.line + 1);
	return FAIL_AT(yaml, parser->problem_mark, -EILSEQ, "not valid YAML: %s", problem);
}

static int next_event(struct wf_yaml *yaml, yaml_event_t *ret_event)
{
	return yaml_parser_parse(&yaml->parser, ret_event) ? 0 : fail_syntax(yaml);
}

/* Anchors, tags and aliases are not for configuration; nodes are counted here as well. */
static int check_node(struct wf_yaml *yaml, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "aliases (*name) are not accepted: write the value out");
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "anchors (&name) are not accepted: write the value out");
	if (tag)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ, "tags (!name) are not accepted");
	if (++yaml->nodes > yaml->most_nodes)
		return FAIL_AT(yaml, event->start_mark, -E2BIG, "more than %zu values",
			       yaml->most_nodes);
	return 0;
}

/* The text of a scalar, which must be a C string of bounded length. */
static int scalar_text(struct wf_yaml *yaml, const yaml_event_t *event, const char **ret_text)
{
	const char *text = (const char *)event->data.scalar.value;

	if (event->data.scalar.length > WF_DOCUMENT_MAX_STRING_BYTES)
		return FAIL_AT(yaml, event->start_mark, -E2BIG,
			       "a string of %zu bytes is longer than the %u accepted",
			       event->data.scalar.length, WF_DOCUMENT_MAX_STRING_BYTES);
	if (memchr(text, '\0', event->data.scalar.length))
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "NUL characters in strings are not accepted");
	*ret_text = text;
	return 0;
}

static int read_scalar(struct wf_yaml *yaml, const yaml_event_t *event, json_t **ret_value)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	const char *text = NULL;
	int r = scalar_text(yaml, event, &text);

	if (r < 0)
		return r;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		r = wf_yaml_word_value(text, ret_value);
	} else {
		*ret_value = json_string(text);
		r = *ret_value ? 0 : -ENOMEM;
	}
	if (r == -ERANGE)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "the number %s does not fit (quotes make it a string)",
			       wf_field_excerpt(text, excerpt));
	if (r == -EDOM)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "%s is not a finite number (quotes make it a string)", text);
	return r < 0 ? wf_fail(yaml->err, r, "out of memory") : 0;
}

static int read_node(struct wf_yaml *yaml, const yaml_event_t *event, size_t depth, uint64_t hash,
		     json_t **ret_value);

static int read_sequence(struct wf_yaml *yaml, size_t depth, uint64_t hash, json_t **ret_value)
{
	_cleanup_json_ json_t *array = json_array();

	if (!array)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	for (;;) {
		_cleanup_event_ yaml_event_t event = { .type = YAML_NO_EVENT };
		json_t *item = NULL;
		int r = next_event(yaml, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = read_node(yaml, &event, depth,
			      wf_lines_hash_index(hash, json_array_size(array)), &item);
		if (r < 0)
			return r;
		if (json_array_append_new(array, item) < 0)
			return wf_fail(yaml->err, -ENOMEM, "out of memory");
	}
	*ret_value = TAKE_PTR(array);
	return 0;
}

/* Checks the key of a member that is about to be added to object. */
static int read_key(struct wf_yaml *yaml, const yaml_event_t *event, uint64_t hash,
		    const json_t *object, const char **ret_key)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	size_t first = 0;
	int r = check_node(yaml, event);

	if (r < 0)
		return r;
	if (event->type != YAML_SCALAR_EVENT)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "a key must be a word, not a list or a mapping");
	r = scalar_text(yaml, event, ret_key);
	if (r < 0)
		return r;
	if (!**ret_key)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ, "empty key");
	if (!json_object_get(object, *ret_key))
		return 0;
	(void)wf_field_excerpt(*ret_key, excerpt);
	if (yaml->lines)
		first = wf_lines_find(yaml->lines,
				      wf_lines_hash_key(hash, *ret_key, strlen(*ret_key)));
	if (first)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ,
			       "key \"%s\" is there twice (first in line %zu)", excerpt, first);
	return FAIL_AT(yaml, event->start_mark, -EILSEQ, "key \"%s\" is there twice", excerpt);
}

/* One "key: value" whose key is at event. */
static int read_member(struct wf_yaml *yaml, const yaml_event_t *event, size_t depth, uint64_t hash,
		       json_t *object)
{
	_cleanup_event_ yaml_event_t value_event = { .type = YAML_NO_EVENT };
	const char *key = NULL;
	uint64_t own;
	json_t *value;
	int r = read_key(yaml, event, hash, object, &key);

	if (r < 0)
		return r;
	own = wf_lines_hash_key(hash, key, strlen(key));
	/* the key's line is the field's, also when the value begins on the next */
	if (yaml->lines && wf_lines_add(yaml->lines, own, event->start_mark.line + 1) < 0)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	r = next_event(yaml, &value_event);
	if (r < 0)
		return r;
	r = read_node(yaml, &value_event, depth, own, &value);
	if (r < 0)
		return r;
	if (json_object_set_new(object, key, value) < 0)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	return 0;
}

static int read_mapping(struct wf_yaml *yaml, size_t depth, uint64_t hash, json_t **ret_value)
{
	_cleanup_json_ json_t *object = json_object();

	if (!object)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	for (;;) {
		_cleanup_event_ yaml_event_t event = { .type = YAML_NO_EVENT };
		int r = next_event(yaml, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		r = read_member(yaml, &event, depth, hash, object);
		if (r < 0)
			return r;
	}
	*ret_value = TAKE_PTR(object);
	return 0;
}

static int read_node(struct wf_yaml *yaml, const yaml_event_t *event, size_t depth, uint64_t hash,
		     json_t **ret_value)
{
	int r = check_node(yaml, event);

	if (r < 0)
		return r;
	if (depth == WF_JSON_MAX_DEPTH && event->type != YAML_SCALAR_EVENT)
		return FAIL_AT(yaml, event->start_mark, -EILSEQ, "nested deeper than %d levels",
			       WF_JSON_MAX_DEPTH);
	/* members were added with their key */
	if (yaml->lines && wf_lines_add(yaml->lines, hash, event->start_mark.line + 1) < 0)
		return wf_fail(yaml->err, -ENOMEM, "out of memory");
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(yaml, event, ret_value);
	if (event->type == YAML_SEQUENCE_START_EVENT)
		return read_sequence(yaml, depth + 1, hash, ret_value);
	return read_mapping(yaml, depth + 1, hash, ret_value);
}

static int read_document(struct wf_yaml *yaml, json_t **ret_root, size_t *ret_line)
{
	_cleanup_event_ yaml_event_t event = { .type = YAML_NO_EVENT };
	_cleanup_event_ yaml_event_t end = { .type = YAML_NO_EVENT };
	_cleanup_json_ json_t *root = NULL;
	int r = next_event(yaml, &event);

	if (r < 0)
		return r;
	r = read_node(yaml, &event, 0, WF_LINES_ROOT, &root);
	if (r < 0)
		return r;
	/* the end of the document, or a syntax error behind its last node */
	r = next_event(yaml, &end);
	if (r < 0)
		return r;
	*ret_line = event.start_mark.line + 1;
	*ret_root = TAKE_PTR(root);
	return 0;
}

int wf_yaml_next(struct wf_yaml *yaml, struct wf_document_lines *lines, json_t **ret_root,
		 size_t *ret_line, struct wf_err *err)
{
	yaml->lines = lines;
	yaml->err = err;
	for (;;) {
		_cleanup_event_ yaml_event_t event = { .type = YAML_NO_EVENT };
		_cleanup_json_ json_t *root = NULL;
		int r = next_event(yaml, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_STREAM_END_EVENT || event.type == YAML_NO_EVENT)
			return 0;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		r = read_document(yaml, &root, ret_line);
		if (r < 0)
			return r;
		if (json_is_null(root))
			continue;
		*ret_root = TAKE_PTR(root);
		return 1;
	}
}
