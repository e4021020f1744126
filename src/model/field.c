/* SPDX-License-Identifier: Apache-2.0 */
/* Field paths, excerpts of what users wrote, and errors made of both. */
#include "model/field_priv.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define EXCERPT_LEN 60

static size_t push(struct wf_field_path *path, const char *before, const char *text)
{
	size_t old = path->len;
	size_t room = sizeof(path->text) - old;
	int len = snprintf(path->text + old, room, "%s%s", before, text);

	if (len > 0)
		path->len += (size_t)len < room ? (size_t)len : room - 1;
	return old;
}

size_t wf_field_push_key(struct wf_field_path *path, const char *key)
{
	return push(path, path->len ? "." : "", key);
}

size_t wf_field_push_index(struct wf_field_path *path, size_t index)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "[%zu]", index);
	return push(path, "", text);
}

void wf_field_pop(struct wf_field_path *path, size_t len)
{
	path->len = len;
	path->text[len] = '\0';
}

/* Escapes at most max bytes of text (cut between characters) into buf. */
static char *escape(const char *text, size_t max, char *buf)
{
	_cleanup_str_ struct wf_str safe = WF_STR_INIT;
	char head[WF_FIELD_PATH_BYTES];
	size_t len = strnlen(text, max + 1);
	bool cut = len > max;

	if (cut)
		for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	memcpy(head, text, len);
	head[len] = '\0';
	wf_str_add_escaped(&safe, head);
	(void)snprintf(buf, WF_FIELD_EXCERPT_BYTES, "%s%s", wf_str_text(&safe), cut ? "..." : "");
	return buf;
}

char *wf_field_excerpt(const char *text, char *buf)
{
	return escape(text, EXCERPT_LEN, buf);
}

void wf_field_error(struct wf_err *err, const char *path, const char *format, ...)
{
	char where[WF_FIELD_EXCERPT_BYTES], what[sizeof(err->message)];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)escape(path, 200, where);
	wf_err_set(err, -EINVAL, "%s%s%s", where, *path ? ": " : "", what);
	wf_err_set_field(err, path);
}

const char *wf_field_nearest(const char *text, size_t count,
			     const char *(*get)(const void *context, size_t index),
			     const void *context)
{
	size_t limit = strlen(text) / 3 + 1, best = SIZE_MAX;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *name = get(context, i);
		size_t distance = strcasecmp(text, name) == 0 ? 0 : wf_str_distance(text, name);

		/* a guess that shares hardly a letter is worse than none */
		if (distance < best && distance <= limit && distance < strlen(name)) {
			best = distance;
			nearest = name;
		}
	}
	return nearest;
}
