/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds where a value ends by brackets and quotation marks alone; whether it is one is for the reader of
 * whole texts to say.
 */
#include "base/json_items.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

enum state {
	AT_START,
	AT_FIRST_NAME, /* or the end of the object */
	AT_NAME,
	AT_VALUE, /* of another member */
	AT_ARRAY,
	AT_FIRST_ITEM, /* or the end of the array */
	AT_ITEM,
	BEHIND_ITEM,
	BEHIND_VALUE,
	AT_END,
};

/* The text that is looked at. */
struct window {
	const char *at, *end;
	bool is_end;
};

void wf_json_items_init(struct wf_json_items *items, const char *name,
			const struct wf_json_bounds *bounds)
{
	*items = (struct wf_json_items){ .name = name, .bounds = *bounds };
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool ends_word(char c)
{
	return is_space(c) || c == ',' || c == ']' || c == '}' || c == ':';
}

/* Behind the string that begins at `at`; NULL: it does not end here. */
static const char *behind_string(const char *at, const char *end)
{
	for (at++; at < end; at++) {
		if (*at == '"')
			return at + 1;
		if (*at == '\\')
			at++;
	}
	return NULL;
}

/* Behind the object or array that begins at `at`; counts its values as the readers do. */
static const char *behind_brackets(const char *at, const char *end, size_t *nodes)
{
	size_t depth = 0;

	*nodes = 0;
	while (at < end) {
		const char c = *at;

		if (c == '"') {
			at = behind_string(at, end);
			if (!at)
				return NULL;
			continue;
		}
		at++;
		if (c == '{' || c == '[')
			depth++;
		if (c == ',' || c == ':' || c == '[' || c == '{')
			++*nodes;
		if ((c == '}' || c == ']') && --depth == 0)
			return at;
	}
	return NULL;
}

/* Behind the value that begins at `at`. NULL: more of the text is needed to know. */
static const char *behind_value(const struct window *window, size_t *nodes)
{
	const char *at = window->at;

	*nodes = 1;
	if (*at == '"')
		return behind_string(at, window->end);
	if (*at == '{' || *at == '[')
		return behind_brackets(at, window->end, nodes);
	while (at < window->end && !ends_word(*at))
		at++;
	return at < window->end || window->is_end ? at : NULL;
}

static int fail(const struct wf_json_items *items, const char *what, struct wf_err *err)
{
	return wf_fail(err, -EILSEQ, "not valid JSON: %s behind %zu items of %s", what,
		       items->count, items->name);
}

/* Takes the value that comes next. -EAGAIN: it is not all here. */
static int take_value(struct wf_json_items *items, struct window *window, json_t **ret_value,
		      struct wf_err *err)
{
	size_t nodes = 0;
	const char *end = behind_value(window, &nodes);
	int r;

	if (!end && !window->is_end)
		return -EAGAIN;
	if (!end)
		return fail(items, "the text ends early", err);
	if (nodes > items->bounds.nodes)
		return wf_fail(err, -E2BIG, "JSON has too many values");
	items->bounds.nodes -= nodes;
	r = wf_json_parse_within(window->at, (size_t)(end - window->at),
				 &(struct wf_json_bounds){ items->bounds.bytes, nodes }, ret_value,
				 err);
	if (r < 0)
		return wf_wrap(err, r, "behind %zu items of %s", items->count, items->name);
	window->at = end;
	return 0;
}

/* The name of a member, and the colon behind it. */
static int take_name(struct wf_json_items *items, struct window *window, struct wf_err *err)
{
	_cleanup_json_ json_t *name = NULL;
	struct window ahead = *window;
	size_t nodes = 0;
	const char *end;
	int r;

	if (*window->at != '"')
		return fail(items, "no name of a member", err);
	end = behind_value(window, &nodes);
	while (end && end < window->end && is_space(*end))
		end++;
	if (!end || end == window->end)
		return window->is_end ? fail(items, "the text ends early", err) : -EAGAIN;
	if (*end != ':')
		return fail(items, "no colon", err);
	r = take_value(items, &ahead, &name, err);
	if (r < 0)
		return r;
	window->at = end + 1;
	items->state = AT_VALUE;
	if (strcmp(json_string_value(name), items->name) != 0)
		return 0;
	if (items->has_found)
		return fail(items, "the same member twice", err);
	items->state = AT_ARRAY;
	return 0;
}

static int pass_value(struct wf_json_items *items, struct window *window, struct wf_err *err)
{
	_cleanup_json_ json_t *value = NULL;
	int r = take_value(items, window, &value, err);

	items->state = r < 0 ? items->state : BEHIND_VALUE;
	return r;
}

/* What has to come next: a bracket or comma. */
static int take_mark(struct wf_json_items *items, struct window *window, struct wf_err *err)
{
	static const struct {
		char mark[2];
		int next[2];
		const char *fault;
	} marks[] = {
		[AT_START] = { { '{' }, { AT_FIRST_NAME }, "no object" },
		[BEHIND_ITEM] = { { ',', ']' }, { AT_ITEM, BEHIND_VALUE }, "no comma" },
		[BEHIND_VALUE] = { { ',', '}' }, { AT_NAME, AT_END }, "no comma" },
		[AT_END] = { { '\0' }, { AT_END }, "more text" },
	};
	const char c = *window->at;

	for (size_t i = 0; i < 2; i++)
		if (c && c == marks[items->state].mark[i]) {
			items->state = marks[items->state].next[i];
			window->at++;
			return 0;
		}
	return fail(items, marks[items->state].fault, err);
}

/* Empty ones have no first name, or item. */
static void take_empty(struct wf_json_items *items, struct window *window)
{
	const bool is_array = items->state == AT_FIRST_ITEM;

	if (*window->at != (is_array ? ']' : '}')) {
		items->state = is_array ? AT_ITEM : AT_NAME;
		return;
	}
	items->state = is_array ? BEHIND_VALUE : AT_END;
	window->at++;
}

static int take_item(struct wf_json_items *items, struct window *window, json_t **ret_item,
		     struct wf_err *err)
{
	int r = take_value(items, window, ret_item, err);

	if (r < 0)
		return r;
	items->count++;
	items->state = BEHIND_ITEM;
	return 1;
}

/* One step: 1 with an item, 0 without one, or a failure. The window is not empty. */
static int step(struct wf_json_items *items, struct window *window, json_t **ret_item,
		struct wf_err *err)
{
	switch (items->state) {
	case AT_FIRST_NAME:
	case AT_FIRST_ITEM: take_empty(items, window); return 0;
	case AT_NAME: return take_name(items, window, err);
	case AT_VALUE: return pass_value(items, window, err);
	case AT_ITEM: return take_item(items, window, ret_item, err);
	case AT_ARRAY:
		items->has_found = *window->at == '[';
		items->state = items->has_found ? AT_FIRST_ITEM : AT_VALUE;
		window->at += items->has_found;
		return 0;
	default: return take_mark(items, window, err);
	}
}

int wf_json_items_next(struct wf_json_items *items, const char *text, size_t len, bool is_end,
		       size_t *ret_used, json_t **ret_item, struct wf_err *err)
{
	struct window window = { .at = text, .end = text + len, .is_end = is_end };
	int r = 0;

	while (r == 0) {
		while (window.at < window.end && is_space(*window.at))
			window.at++;
		if (window.at == window.end)
			break;
		r = step(items, &window, ret_item, err);
	}
	*ret_used = (size_t)(window.at - text);
	if (r || (is_end && items->state == AT_END))
		return r;
	if (!is_end)
		return -EAGAIN;
	return fail(items, "the text ends early", err);
}
