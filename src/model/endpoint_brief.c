/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other nodes have to know of an endpoint, read from its document's text without making values
 * of everything in it: a node that starts among many reads a hundred thousand of them. The text was
 * parsed before, by the store, so it is JSON; whatever here is not as this weft writes it is left to
 * wf_endpoint_from_json(), which must come to the same.
 */
#include <errno.h>
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
};

/* Each returns false when the text is not as expected. */
typedef bool (*read_fn)(struct scan *scan);

struct member {
	const char *key;
	read_fn read;
};

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
	const char *begin, *quote;

	if (!take(scan, '"'))
		return false;
	begin = scan->at;
	quote = memchr(begin, '"', (size_t)(scan->end - begin));
	if (!quote || memchr(begin, '\\', (size_t)(quote - begin)))
		return false;
	*ret_text = begin;
	*ret_len = (size_t)(quote - begin);
	scan->at = quote + 1;
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

static bool skip_string(struct scan *scan)
{
	for (scan->at++; scan->at < scan->end; scan->at++) {
		if (*scan->at == '\\')
			scan->at++;
		else if (*scan->at == '"')
			break;
	}
	if (scan->at >= scan->end)
		return false;
	scan->at++;
	return true;
}

/* Whatever it is, up to the comma or the bracket behind it. */
static bool skip_value(struct scan *scan)
{
	size_t depth = 0;

	while (skip_space(scan)) {
		char c = *scan->at;

		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return true;
		if (c == '"') {
			if (!skip_string(scan))
				return false;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		scan->at++;
	}
	return false;
}

static bool read_member(struct scan *scan, const struct member *members, size_t count)
{
	const char *key;
	size_t len;

	if (!take_string(scan, &key, &len) || !take(scan, ':'))
		return false;
	for (size_t i = 0; i < count; i++)
		if (strlen(members[i].key) == len && memcmp(members[i].key, key, len) == 0)
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
	return read_each(scan, '{', '}', read_label);
}

static bool read_metadata(struct scan *scan)
{
	static const struct member members[] = { { "name", read_name }, { "labels", read_labels } };

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
	static const struct member members[] = { { "network", read_network },
						 { "node", read_node },
						 { "ports", refuse } };

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
	static const struct member members[] = { { "address", read_prefix } };
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
	static const struct member members[] = { { "phase", read_phase },
						 { "addresses", read_addresses } };

	return read_object(scan, members, WF_ARRAY_LEN(members));
}

static bool read_endpoint(struct scan *scan)
{
	static const struct member members[] = { { "metadata", read_metadata },
						 { "spec", read_spec },
						 { "status", read_status } };
	const struct wf_endpoint *endpoint = scan->endpoint;

	return read_object(scan, members, WF_ARRAY_LEN(members)) && !skip_space(scan) &&
	       endpoint->meta.name[0] && endpoint->network[0] && endpoint->node &&
	       endpoint->phase == WF_ENDPOINT_READY;
}

bool wf_endpoint_read_brief(struct wf_endpoint *endpoint, const char *text, size_t len)
{
	struct scan scan = { .at = text, .end = text + len, .endpoint = endpoint };

	*endpoint = (struct wf_endpoint){ .mtu = 0 };
	if (read_endpoint(&scan))
		return true;
	wf_endpoint_done(endpoint);
	return false;
}
