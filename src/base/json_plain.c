/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of plain JSON: ASCII without escapes, numbers that are integers, no member twice. That is
 * what weft writes and nearly all that it is sent; a start reads thousands of documents, and jansson's
 * own reader, which looks at every character several times, would take most of its time. Whatever is
 * not plain, or not JSON, is left to that reader: it alone says what is wrong with a text.
 */
#include <string.h>

#include "base/json_priv.h"

/* So many digits fit into every integer. */
#define MAX_DIGITS 18

struct reader {
	const char *at, *end;
	size_t nodes; /* counted as check_shape() of json.c does */
	size_t max_nodes;
	size_t depth;
};

static json_t *read_value(struct reader *reader);

static char peek(const struct reader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

/* The next character that is no space; '\0' at the end. */
static char look(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
					    *reader->at == '\r' || *reader->at == '\t'))
		reader->at++;
	return peek(reader);
}

/* One of the characters that check_shape() counts. */
static bool take(struct reader *reader, char c)
{
	if (look(reader) != c || ++reader->nodes > reader->max_nodes)
		return false;
	reader->at++;
	return true;
}

/* What is between quotation marks, in the text itself; NULL: not plain. */
static const char *read_text(struct reader *reader, size_t *ret_len)
{
	const char *start = reader->at + 1, *at = start;

	if (peek(reader) != '"')
		return NULL;
	for (; at < reader->end && *at != '"'; at++)
		if (*at == '\\' || *at < ' ' || *at > '~')
			return NULL;
	if (at == reader->end)
		return NULL;
	*ret_len = (size_t)(at - start);
	reader->at = at + 1;
	return start;
}

static json_t *read_string(struct reader *reader)
{
	size_t len = 0;
	const char *text = read_text(reader, &len);

	return text ? json_stringn_nocheck(text, len) : NULL;
}

static json_t *read_number(struct reader *reader)
{
	const bool is_negative = peek(reader) == '-';
	const char *start = reader->at += is_negative;
	json_int_t number = 0;
	char c;

	while (reader->at - start < MAX_DIGITS && (c = peek(reader)) >= '0' && c <= '9') {
		number = number * 10 + (c - '0');
		reader->at++;
	}
	if (reader->at == start || (*start == '0' && reader->at - start > 1))
		return NULL;
	c = peek(reader);
	if ((c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E')
		return NULL;
	return json_integer(is_negative ? -number : number);
}

static bool take_word(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

static json_t *read_word(struct reader *reader)
{
	if (take_word(reader, "true"))
		return json_true();
	if (take_word(reader, "false"))
		return json_false();
	return take_word(reader, "null") ? json_null() : NULL;
}

/* Of an object: "name": value. */
static bool read_member(struct reader *reader, json_t *object)
{
	size_t len = 0, before = json_object_size(object);
	const char *name = look(reader) == '"' ? read_text(reader, &len) : NULL;
	json_t *value;

	if (!name || !take(reader, ':'))
		return false;
	value = read_value(reader);
	return value && json_object_setn_new_nocheck(object, name, len, value) == 0 &&
	       json_object_size(object) > before;
}

static bool read_item(struct reader *reader, json_t *array)
{
	json_t *value = read_value(reader);

	return value && json_array_append_new(array, value) == 0;
}

/* What is between brackets; value is given back, or freed when it is not plain. */
static json_t *read_inside(struct reader *reader, json_t *value, char close)
{
	const bool is_object = close == '}';
	bool is_plain = value && ++reader->depth <= WF_JSON_MAX_DEPTH;

	if (is_plain && look(reader) != close)
		do
			is_plain =
				is_object ? read_member(reader, value) : read_item(reader, value);
		while (is_plain && take(reader, ','));
	if (is_plain && look(reader) == close) {
		reader->at++;
		reader->depth--;
		return value;
	}
	json_decref(value);
	return NULL;
}

static json_t *read_value(struct reader *reader)
{
	char c = look(reader);

	if (c == '"')
		return read_string(reader);
	if (c == '{')
		return take(reader, c) ? read_inside(reader, json_object(), '}') : NULL;
	if (c == '[')
		return take(reader, c) ? read_inside(reader, json_array(), ']') : NULL;
	return c == '-' || (c >= '0' && c <= '9') ? read_number(reader) : read_word(reader);
}

json_t *wf_json_read_plain(const char *text, size_t len, size_t max_nodes)
{
	struct reader reader = { .at = text, .end = text + len, .max_nodes = max_nodes };
	json_t *value = read_value(&reader);

	if (value && (look(&reader) || reader.at != reader.end)) {
		json_decref(value);
		return NULL;
	}
	return value;
}
