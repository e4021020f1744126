/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the fields of a JSON text. The text has been parsed by others already and is valid,
 * nested no deeper than WF_JSON_MAX_DEPTH; this only walks it once more and counts newlines.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "model/lines_priv.h"

struct walk {
	struct wf_document_lines *lines;
	const char *at;
	const char *end;
	size_t line;
};

static char peek(struct walk *walk)
{
	while (walk->at < walk->end && strchr(" \t\r\n", *walk->at)) {
		walk->line += *walk->at == '\n';
		walk->at++;
	}
	return (char)(walk->at < walk->end ? *walk->at : '\0');
}

/* Steps over a string and tells what is between the quotes. */
static const char *skip_string(struct walk *walk, size_t *ret_len)
{
	const char *begin = ++walk->at;

	while (walk->at < walk->end && *walk->at != '"')
		walk->at += *walk->at == '\\' && walk->at + 1 < walk->end ? 2 : 1;
	*ret_len = (size_t)(walk->at - begin);
	if (walk->at < walk->end)
		walk->at++;
	return begin;
}

static int walk_value(struct walk *walk, uint64_t hash);

/* After an element: true when another follows. */
static bool has_more(struct walk *walk)
{
	bool more = peek(walk) == ',';

	if (walk->at < walk->end)
		walk->at++;
	return more;
}

static int walk_object(struct walk *walk, uint64_t hash)
{
	do {
		const char *key;
		size_t len;
		int r;

		if (peek(walk) != '"')
			return 0;
		key = skip_string(walk, &len);
		/* the colon */
		(void)peek(walk);
		if (walk->at < walk->end)
			walk->at++;
		(void)peek(walk);
		r = walk_value(walk, wf_lines_hash_key(hash, key, len));
		if (r < 0)
			return r;
	} while (has_more(walk));
	return 0;
}

static int walk_array(struct walk *walk, uint64_t hash)
{
	size_t index = 0;

	do {
		int r;

		if (peek(walk) == ']' || walk->at == walk->end)
			return 0;
		r = walk_value(walk, wf_lines_hash_index(hash, index++));
		if (r < 0)
			return r;
	} while (has_more(walk));
	return 0;
}

static int walk_container(struct walk *walk, uint64_t hash)
{
	char closing = *walk->at++ == '{' ? '}' : ']';

	if (peek(walk) == closing) {
		walk->at++;
		return 0;
	}
	return closing == '}' ? walk_object(walk, hash) : walk_array(walk, hash);
}

static int walk_value(struct walk *walk, uint64_t hash)
{
	char first = peek(walk);
	size_t len;

	if (wf_lines_add(walk->lines, hash, walk->line) < 0)
		return -ENOMEM;
	if (first == '{' || first == '[')
		return walk_container(walk, hash);
	if (first == '"') {
		(void)skip_string(walk, &len);
		return 0;
	}
	while (walk->at < walk->end && !strchr(",]} \t\r\n", *walk->at))
		walk->at++;
	return 0;
}

int wf_lines_add_json(struct wf_document_lines *lines, const char *text, size_t len)
{
	struct walk walk = { .lines = lines, .at = text, .end = text + len, .line = 1 };

	return walk_value(&walk, WF_LINES_ROOT);
}
