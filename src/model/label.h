/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and annotations: a sorted list of key=value, owned. Pure. */
#ifndef WEFT_MODEL_LABEL_H
#define WEFT_MODEL_LABEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct wf_label {
	char *key;   /* owned; Kubernetes grammar: [prefix/]name */
	char *value; /* owned; never NULL */
};

struct wf_labels {
	struct wf_label *items; /* owned, sorted by key, keys unique */
	size_t count;
	size_t capacity;
};

void wf_labels_done(struct wf_labels *labels);

/* Whether text is a label's key ([DNS-name/]name), and a label's value. */
bool wf_label_is_key(const char *text);
bool wf_label_is_value(const char *text);

/* Sets or replaces one. Does not check the grammar. 0 or -ENOMEM. */
int wf_labels_set(struct wf_labels *labels, const char *key, const char *value);

/* Value of a key, NULL when absent. Borrowed. */
const char *wf_labels_get(const struct wf_labels *labels, const char *key);

/* Parses "key=value" with the Kubernetes grammar for labels and sets it. -EINVAL, -ENOMEM. */
int wf_labels_parse(struct wf_labels *labels, const char *text, struct wf_err *err);

/*
 * Replaces the contents from a JSON object of strings. path names the field in errors
 * ("metadata.labels"). strict: values must be label values; otherwise any string (annotations).
 * Outputs untouched on failure.
 */
int wf_labels_from_json(struct wf_labels *labels, const json_t *object, const char *path,
			bool strict, struct wf_err *err);

/* A new JSON object; NULL when out of memory. */
json_t *wf_labels_to_json(const struct wf_labels *labels);

#endif
