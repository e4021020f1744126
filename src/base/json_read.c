/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quick reader of JSON, behind wf_json_parse(). Whatever it is not sure of it leaves to
 * jansson's, which looks at every byte through three functions and takes five times as long: a
 * start reads one document per endpoint.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/json_priv.h"

#define MAX_DIGITS    18
#define MAX_KEY_BYTES 128
/* Longest string with escapes in it. */
#define MAX_ESCAPED_BYTES 4096

struct reader {
	const char *at, *end;
	size_t nodes;
	int depth;
};

static json_t *read_value(struct reader *reader);

static void skip_space(struct reader *reader)
{
	while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
					    *reader->at == '\t' || *reader->at == '\r'))
		reader->at++;
}

/* The next character if it is this one, and past it. */
static bool take(struct reader *reader, char c)
{
	if (reader->at >= reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* As take(), between spaces. */
static bool take_sign(struct reader *reader, char c)
{
	bool taken;

	skip_space(reader);
	taken = take(reader, c);
	skip_space(reader);
	return taken;
}

static bool take_word(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
		return false;
	reader->at += len;
	return true;
}

/* Length of the plain characters from here on. */
static size_t plain_len(const struct reader *reader)
{
	const char *at = reader->at;

	while (at < reader->end && *at >= ' ' && *at < 0x7f && *at != '"' && *at != '\\')
		at++;
	return (size_t)(at - reader->at);
}

/* What an escape stands for; 0: not one of the short ones. */
static char unescape(char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '/': return c;
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	default: return 0;
	}
}

/* The rest of a string that has escapes, into a buffer; its length, or -1. */
static int read_escaped(struct reader *reader, char *text, size_t room)
{
	size_t len = 0;

	for (;;) {
		size_t run = plain_len(reader);

		if (run + 1 > room - len)
			return -1;
		memcpy(text + len, reader->at, run);
		len += run;
		reader->at += run;
		if (take(reader, '"'))
			return (int)len;
		if (!take(reader, '\\') || reader->at >= reader->end)
			return -1;
		text[len] = unescape(*reader->at++);
		if (!text[len++])
			return -1;
	}
}

/* A string behind its first quote. */
static json_t *read_string(struct reader *reader)
{
	const char *start = reader->at;
	size_t run = plain_len(reader);
	char text[MAX_ESCAPED_BYTES];
	int len;

	reader->at += run;
	if (take(reader, '"'))
		return json_stringn_nocheck(start, run);
	reader->at = start;
	len = read_escaped(reader, text, sizeof(text));
	return len < 0 ? NULL : json_stringn_nocheck(text, (size_t)len);
}

static json_t *read_number(struct reader *reader)
{
	bool is_negative = take(reader, '-');
	const char *start = reader->at;
	int64_t value = 0;
	size_t digits;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9' &&
	       reader->at - start <= MAX_DIGITS)
		value = value * 10 + (*reader->at++ - '0');
	digits = (size_t)(reader->at - start);
	if (!digits || digits > MAX_DIGITS || (*start == '0' && digits > 1))
		return NULL;
	/* a fraction or an exponent */
	if (reader->at < reader->end &&
	    (*reader->at == '.' || *reader->at == 'e' || *reader->at == 'E'))
		return NULL;
	return json_integer(is_negative ? -value : value);
}

static bool read_key(struct reader *reader, char key[MAX_KEY_BYTES])
{
	size_t len;

	if (!take(reader, '"'))
		return false;
	len = plain_len(reader);
	if (len >= MAX_KEY_BYTES)
		return false;
	memcpy(key, reader->at, len);
	key[len] = '\0';
	reader->at += len;
	return take(reader, '"');
}

/* Behind the brace. */
static json_t *read_object(struct reader *reader)
{
	_cleanup_json_ json_t *object = json_object();
	char key[MAX_KEY_BYTES];

	if (!object)
		return NULL;
	if (take_sign(reader, '}'))
		return json_incref(object);
	for (size_t count = 1;; count++) {
		json_t *value;

		if (!read_key(reader, key) || !take_sign(reader, ':'))
			return NULL;
		value = read_value(reader);
		if (!value || json_object_set_new_nocheck(object, key, value) < 0)
			return NULL;
		/* a key that was there already */
		if (json_object_size(object) != count)
			return NULL;
		if (take_sign(reader, '}'))
			return json_incref(object);
		if (!take_sign(reader, ','))
			return NULL;
	}
}

/* Behind the bracket. */
static json_t *read_array(struct reader *reader)
{
	_cleanup_json_ json_t *array = json_array();

	if (!array)
		return NULL;
	if (take_sign(reader, ']'))
		return json_incref(array);
	for (;;) {
		json_t *value = read_value(reader);

		if (!value || json_array_append_new(array, value) < 0)
			return NULL;
		if (take_sign(reader, ']'))
			return json_incref(array);
		if (!take_sign(reader, ','))
			return NULL;
	}
}

static json_t *read_nested(struct reader *reader, bool is_object)
{
	json_t *value;

	if (++reader->depth > WF_JSON_MAX_DEPTH)
		return NULL;
	value = is_object ? read_object(reader) : read_array(reader);
	reader->depth--;
	return value;
}

static json_t *read_value(struct reader *reader)
{
	/* wf_json_parse() counts signs, of which each value has three at most: ',', ':' and '{' */
	if (++reader->nodes > WF_JSON_MAX_NODES / 3)
		return NULL;
	if (take(reader, '"'))
		return read_string(reader);
	if (take(reader, '{'))
		return read_nested(reader, true);
	if (take(reader, '['))
		return read_nested(reader, false);
	if (take_word(reader, "true"))
		return json_true();
	if (take_word(reader, "false"))
		return json_false();
	if (take_word(reader, "null"))
		return json_null();
	return read_number(reader);
}

json_t *wf_json_read_plain(const char *text, size_t len)
{
	struct reader reader = { .at = text, .end = text + len };
	_cleanup_json_ json_t *value = NULL;

	skip_space(&reader);
	value = read_value(&reader);
	skip_space(&reader);
	return value && reader.at == reader.end ? json_incref(value) : NULL;
}
