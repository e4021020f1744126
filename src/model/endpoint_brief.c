/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other nodes have to know of an endpoint, read from its document's text without making values
 * of everything in it: a node that starts among many reads a hundred thousand of them. The text was
 * parsed before, by the store, so it is JSON; whatever here is not as this weft writes it is left to
 * wf_endpoint_from_json(), which must come to the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/endpoint.h"
#include "model/label.h"

/* Longest string that is looked at; names are shorter. */
#define TEXT_BYTES 320

/* More labels are left to the other one, which knows how many there may be. */
#define MAX_LABELS 32

struct scan {
	const char *at, *end;
	struct wf_endpoint *endpoint;
	struct wf_endpoint_text *labels; /* NULL: they are read */
};

/* Each returns false when the text is not as expected. */
typedef bool (*read_fn)(struct scan *scan);

struct member {
	const char *key;
	size_t len;
	read_fn read;
};

#define MEMBER(key, read)                      \
	{                                      \
		(key), sizeof(key) - 1, (read) \
	}

static bool skip_space(struct scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
		scan->at++;
	return scan->at < scan->end;
}

static bool take(struct scan *scan, char c)
{
	if (!skip_space(scan) || *scan->at != c)
		return false;
	scan->at++;
	return true;
}

/* A string without escapes, as it is in the text. */
static bool take_string(struct scan *scan, const char **ret_text, size_t *ret_len)
{
	const char *at;

	if (!take(scan, '"'))
		return false;
	/* most are short: shorter than it takes to call somebody who looks at many bytes at once */
	for (at = scan->at; at < scan->end && *at != '"'; at++)
		if (*at == '\\')
			return false;
	if (at == scan->end)
		return false;
	*ret_text = scan->at;
	*ret_len = (size_t)(at - scan->at);
	scan->at = at + 1;
	return true;
}

/* The same with an end, for what wants one. */
static bool copy_string(struct scan *scan, char text[TEXT_BYTES])
{
	const char *begin;
	size_t len;

	if (!take_string(scan, &begin, &len) || len >= TEXT_BYTES)
		return false;
	memcpy(text, begin, len);
	text[len] = '\0';
	return true;
}

/* From a quote to behind the next one that no backslash is before. */
static bool skip_string(struct scan *scan)
{
	const char *quote = scan->at;

	do {
		size_t slashes = 0;

		quote = memchr(quote + 1, '"', (size_t)(scan->end - quote - 1));
		if (!quote)
			return false;
		while (quote[-1 - (ptrdiff_t)slashes] == '\\')
			slashes++;
		if (slashes % 2 == 0)
			break;
	} while (true);
	scan->at = quote + 1;
	return true;
}

/* A number, or a word. */
static void skip_word(struct scan *scan)
{
	while (scan->at < scan->end && strchr(",}] \n\t\r", *scan->at) == NULL)
		scan->at++;
}

/* What an object or array has between its brackets, with the second one. */
static bool skip_inside(struct scan *scan)
{
	size_t depth = 1;

	for (scan->at++; depth && scan->at < scan->end;) {
		char c = *scan->at;

		if (c == '"') {
			if (!skip_string(scan))
				return false;
			continue;
		}
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		scan->at++;
	}
	return depth == 0;
}

/* Whatever it is, up to what is behind it. */
static bool skip_value(struct scan *scan)
{
	if (!skip_space(scan))
		return false;
	if (*scan->at == '"')
		return skip_string(scan);
	if (*scan->at == '{' || *scan->at == '[')
		return skip_inside(scan);
	skip_word(scan);
	return true;
}

static bool read_member(struct scan *scan, const struct member *members, size_t count)
{
	const char *key;
	size_t len;

	if (!take_string(scan, &key, &len) || !take(scan, ':'))
		return false;
	for (size_t i = 0; i < count; i++)
		if (members[i].len == len && memcmp(members[i].key, key, len) == 0)
			return members[i].read(scan);
	return skip_value(scan);
}

static bool read_object(struct scan *scan, const struct member *members, size_t count)
{
	if (!take(scan, '{'))
		return false;
	if (take(scan, '}'))
		return true;
	do
		if (!read_member(scan, members, count))
			return false;
	while (take(scan, ','));
	return take(scan, '}');
}

/* Whatever is between two brackets, apart by commas. */
static bool read_each(struct scan *scan, char open, char close, read_fn read)
{
	if (!take(scan, open))
		return false;
	if (take(scan, close))
		return true;
	do
		if (!read(scan))
			return false;
	while (take(scan, ','));
	return take(scan, close);
}

/* ---- metadata ----------------------------------------------------------------------------- */

static bool read_name(struct scan *scan)
{
	char text[TEXT_BYTES];

	return copy_string(scan, text) && wf_meta_check_name(text, "", NULL) == 0 &&
	       wf_str_copy(scan->endpoint->meta.name, WF_NAME_BYTES, text) == 0;
}

static bool read_label(struct scan *scan)
{
	char key[TEXT_BYTES], value[TEXT_BYTES];

	return scan->endpoint->meta.labels.count < MAX_LABELS && copy_string(scan, key) &&
	       take(scan, ':') && copy_string(scan, value) && wf_label_is_key(key) &&
	       wf_label_is_value(value) &&
	       wf_labels_set(&scan->endpoint->meta.labels, key, value) == 0;
}

static bool read_labels(struct scan *scan)
{
	if (!scan->labels)
		return read_each(scan, '{', '}', read_label);
	if (scan->labels->text || !skip_space(scan))
		return false;
	scan->labels->text = scan->at;
	if (!skip_value(scan))
		return false;
	scan->labels->len = (size_t)(scan->at - scan->labels->text);
	return true;
}

static bool read_metadata(struct scan *scan)
{
	static const struct member members[] = { MEMBER("name", read_name),
						 MEMBER("labels", read_labels) };

	return read_object(scan, members, WF_ARRAY_LEN(members));
}

/* ---- spec --------------------------------------------------------------------------------- */

static bool read_network(struct scan *scan)
{
	char text[TEXT_BYTES];

	return copy_string(scan, text) && wf_meta_check_name(text, "", NULL) == 0 &&
	       wf_str_copy(scan->endpoint->network, WF_NAME_BYTES, text) == 0;
}

static bool read_node(struct scan *scan)
{
	const char *text;
	size_t len;

	if (!take_string(scan, &text, &len) || len == 0 || scan->endpoint->node)
		return false;
	scan->endpoint->node = strndup(text, len);
	return scan->endpoint->node;
}

/* Few have any. */
static bool refuse(struct scan *scan)
{
	(void)scan;
	return false;
}

static bool read_spec(struct scan *scan)
{
	static const struct member members[] = { MEMBER("network", read_network),
						 MEMBER("node", read_node),
						 MEMBER("ports", refuse) };

	return read_object(scan, members, WF_ARRAY_LEN(members));
}

/* ---- status ------------------------------------------------------------------------------- */

static bool read_prefix(struct scan *scan)
{
	struct wf_endpoint *endpoint = scan->endpoint;
	char text[TEXT_BYTES];

	return copy_string(scan, text) &&
	       wf_prefix_parse(text, &endpoint->addresses[endpoint->address_count].prefix) == 0;
}

static bool read_address(struct scan *scan)
{
	static const struct member members[] = { MEMBER("address", read_prefix) };
	struct wf_endpoint *endpoint = scan->endpoint;

	if (endpoint->address_count == WF_MAX_ENDPOINT_ADDRESSES ||
	    !read_object(scan, members, WF_ARRAY_LEN(members)) ||
	    wf_addr_is_zero(&endpoint->addresses[endpoint->address_count].prefix.addr))
		return false;
	endpoint->address_count++;
	return true;
}

static bool read_addresses(struct scan *scan)
{
	return read_each(scan, '[', ']', read_address);
}

static bool read_phase(struct scan *scan)
{
	const char *ready = wf_endpoint_phase_name(WF_ENDPOINT_READY);
	const char *text;
	size_t len;

	scan->endpoint->phase = WF_ENDPOINT_READY;
	return take_string(scan, &text, &len) && len == strlen(ready) &&
	       memcmp(text, ready, len) == 0;
}

static bool read_status(struct scan *scan)
{
	static const struct member members[] = { MEMBER("phase", read_phase),
						 MEMBER("addresses", read_addresses) };

	return read_object(scan, members, WF_ARRAY_LEN(members));
}

static bool read_endpoint(struct scan *scan)
{
	static const struct member members[] = { MEMBER("metadata", read_metadata),
						 MEMBER("spec", read_spec),
						 MEMBER("status", read_status) };
	const struct wf_endpoint *endpoint = scan->endpoint;

	return read_object(scan, members, WF_ARRAY_LEN(members)) && !skip_space(scan) &&
	       endpoint->meta.name[0] && endpoint->network[0] && endpoint->node &&
	       endpoint->phase == WF_ENDPOINT_READY;
}

bool wf_endpoint_read_brief(struct wf_endpoint *endpoint, const char *text, size_t len,
			    struct wf_endpoint_text *ret_labels)
{
	struct wf_endpoint_text labels = { .text = NULL };
	struct scan scan = { .at = text,
			     .end = text + len,
			     .endpoint = endpoint,
			     .labels = ret_labels ? &labels : NULL };

	*endpoint = (struct wf_endpoint){ .mtu = 0 };
	if (!read_endpoint(&scan)) {
		wf_endpoint_done(endpoint);
		return false;
	}
	if (ret_labels)
		*ret_labels = labels;
	return true;
}

bool wf_endpoint_read_labels(struct wf_endpoint *endpoint, const struct wf_endpoint_text *labels)
{
	struct scan scan = { .at = labels->text,
			     .end = labels->text + labels->len,
			     .endpoint = endpoint };

	return !labels->len || (read_labels(&scan) && !skip_space(&scan));
}
