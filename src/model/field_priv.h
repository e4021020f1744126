/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors about one field of a document, shared by the files of this folder. What a user wrote is
 * never put into a message as it is: it may be long or hold control characters.
 */
#ifndef WEFT_MODEL_FIELD_PRIV_H
#define WEFT_MODEL_FIELD_PRIV_H

#include <errno.h>
#include <jansson.h>
#include <stddef.h>

#include "base/err.h"

#define WF_FIELD_EXCERPT_BYTES 256
#define WF_FIELD_PATH_BYTES    512

/* Where a walk through a document is: "spec.subnets[0].cidr". Cut when too long. */
struct wf_field_path {
	char text[WF_FIELD_PATH_BYTES];
	size_t len;
};

/* Go down to a member or an element. Returns the length to give to wf_field_pop(). */
size_t wf_field_push_key(struct wf_field_path *path, const char *key);
size_t wf_field_push_index(struct wf_field_path *path, size_t index);
void wf_field_pop(struct wf_field_path *path, size_t len);

/* The beginning of text, escaped; buf has WF_FIELD_EXCERPT_BYTES; returns buf. */
char *wf_field_excerpt(const char *text, char *buf);

/* Sets "PATH: what" and the field, and yields -EINVAL. */
#define wf_field_fail(err, path, ...) (wf_field_error((err), (path), __VA_ARGS__), -EINVAL)

/* What wf_field_fail() is made of. An empty path leaves "what" alone. err may be NULL. */
void wf_field_error(struct wf_err *err, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Passes r on; when it is an error of this document, names the object ("network/blue") and puts
 * "Network/blue: " in front of the message.
 */
int wf_field_name_object(int r, const json_t *document, struct wf_err *err);

/* The nearest of count names for "did you mean", NULL when none is near. get gives one by index. */
const char *wf_field_nearest(const char *text, size_t count,
			     const char *(*get)(const void *context, size_t index),
			     const void *context);

#endif
