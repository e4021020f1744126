/* SPDX-License-Identifier: Apache-2.0 */
/* What every object has: apiVersion, kind and metadata, as Kubernetes shapes them. Pure. */
#ifndef WEFT_MODEL_META_H
#define WEFT_MODEL_META_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/label.h"

/* The group and version of weft's own kinds. */
#define WF_API_VERSION "weft.dev/v1"

#define WF_NAME_BYTES 254

/* The namespace of a namespaced object that names none. */
#define WF_NAMESPACE_DEFAULT "default"
#define WF_NAMESPACE_LEN_MAX 63

struct wf_meta {
	char name[WF_NAME_BYTES];
	char namespace[64];        /* of Kubernetes' namespaced kinds; "" for weft's own */
	char uid[37];              /* empty until stored */
	uint64_t resource_version; /* 0 until stored */
	int64_t created_s;         /* wall clock; 0 until stored */
	struct wf_labels labels;
	struct wf_labels annotations;
};

void wf_meta_done(struct wf_meta *meta);

/* Reads "metadata" of a document. The document passed wf_document_check(). */
int wf_meta_from_json(struct wf_meta *meta, const json_t *document, struct wf_err *err);

/* The revision that a document from the store shows; 0: none. */
uint64_t wf_meta_revision(const json_t *document);

/* Whether name can be an object's; path names the field in the error. 0 or -EINVAL. */
int wf_meta_check_name(const char *name, const char *path, struct wf_err *err);

/* Whether text is a DNS label: up to 63 lower-case letters, digits or '-', none at the ends. */
bool wf_meta_is_label(const char *text);

/*
 * The object's name in the store, paths and results: "NAME", or "NAMESPACE/NAME" for a namespaced
 * one. Returns key.
 */
char *wf_meta_key(const struct wf_meta *meta, char key[WF_NAME_BYTES]);

/* New {"apiVersion","kind","metadata"}; NULL when out of memory. */
json_t *wf_meta_to_json(const struct wf_meta *meta, const char *kind);

#endif
