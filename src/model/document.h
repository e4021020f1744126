/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents: YAML or JSON text into checked objects that remember which line each field came
 * from. Used by the command line (files) and the daemon (JSON bodies, configuration). Pure: text
 * in, data out.
 */
#ifndef WEFT_MODEL_DOCUMENT_H
#define WEFT_MODEL_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/meta.h"

/*
 * Limits against hostile input, of one file or one request: values, bytes, documents; depth is as in
 * base/json.h. What is large is 100,000 services or slices with their backends, and a third more.
 */
#define WF_DOCUMENTS_MAX           131072
#define WF_DOCUMENTS_MAX_NODES     (6U << 20)
#define WF_DOCUMENT_MAX_FILE_BYTES (96U << 20)
/* Values of a single mapping, which is a configuration file. */
#define WF_DOCUMENT_MAX_NODES 40000U

struct wf_document_lines; /* path -> line; opaque */

struct wf_document {
	json_t *root;                    /* owned; an object */
	char *source;                    /* owned; file name for messages */
	struct wf_document_lines *lines; /* owned; NULL when unknown (JSON bodies) */
	int first_line;                  /* of the document within its source; from 1 */
};

struct wf_documents {
	struct wf_document *items; /* owned */
	size_t count;
	size_t capacity;
};

void wf_documents_done(struct wf_documents *documents);

/*
 * Parses a text of one or many documents: YAML (JSON is a subset) separated by "---", or one
 * JSON value; a "List" kind is taken apart into its items. Scalars follow the YAML 1.2 core
 * schema (yes and no are strings). Anchors and aliases are refused (expansion bombs), as are
 * duplicate keys, tags, non-mapping documents. Empty documents are skipped. Errors read
 * "FILE:LINE:COLUMN: what". Appends to *documents; untouched on failure.
 */
int wf_documents_parse(struct wf_documents *documents, const char *source, const char *text,
		       size_t len, struct wf_err *err);

/* Parses one YAML mapping (a configuration file) without document rules. New reference. */
int wf_document_parse_mapping(const char *source, const char *text, size_t len, json_t **ret_root,
			      struct wf_err *err);

/* Line of a field ("spec.subnets[0].cidr"), of its nearest known parent otherwise; 0: unknown. */
int wf_document_line(const struct wf_document *document, const char *path);

/*
 * Checks the shape against the schema of its kind: apiVersion, kind, metadata.name, required
 * fields, types, unknown fields (with the nearest known name). Values with a meaning of their
 * own (addresses, ranges) are checked by wf_<kind>_from_json().
 *
 * Errors of this and of all from_json functions are complete by themselves: "Network/blue:
 * spec.subnets[0].gateway: 10.9.0.1 is not inside 10.64.0.0/16" with err->object "network/blue"
 * and err->field "spec.subnets[0].gateway". Whoever shows them adds neither.
 */
int wf_document_check(const json_t *root, struct wf_err *err);

/* As wf_document_check() and then the kind's own from_json check. */
int wf_document_check_deep(const json_t *root, struct wf_err *err);

/*
 * The document's name in the store, paths and results: "NAME", or "NAMESPACE/NAME" of a namespaced
 * kind, whose namespace is "default" when it names none. Never fails for a document that passed
 * wf_document_check(); otherwise -ENAMETOOLONG.
 */
int wf_document_key(const json_t *root, char key[WF_NAME_BYTES]);

/* A copy with metadata.namespace spelled out where the kind has one. NULL: no memory. */
json_t *wf_document_in_namespace(const json_t *root);

/* Puts "FILE:LINE: " in front of an error about a field of this document. */
void wf_document_locate(const struct wf_document *document, struct wf_err *err);

struct wf_schema;

/* One kind of document. The table drives checks, the API, completion, and docs/documents.md. */
struct wf_kind {
	const char *name;           /* "Network" */
	const char *api_version;    /* "weft.dev/v1" */
	const char *plural;         /* "networks" */
	const char *const *aliases; /* what `weft get` accepts besides; NULL-terminated */
	bool namespaced;            /* named NAMESPACE/NAME */
	bool user_writable;         /* may be applied and deleted by users */
	int (*check)(const json_t *document, struct wf_err *err); /* deep check */
	const struct wf_schema *fields; /* model/schema.h: all of the document's, apiVersion on */
	const char *help;               /* what it is, in a sentence */
};

/* By name, plural or alias, any case; NULL when unknown. */
const struct wf_kind *wf_kind_find(const char *name);

/* All kinds; ends with name NULL. */
const struct wf_kind *wf_kind_all(void);

/* JSON schema (draft 2020-12) of a kind, from the same table. New reference; NULL if unknown. */
json_t *wf_kind_schema(const char *name);

/* Appends the kind's section of docs/documents.md. -ENOENT when unknown, -ENOMEM. */
struct wf_str;
int wf_kind_markdown(const char *name, struct wf_str *out);

/* Writes one document as YAML text (for `weft get -o yaml`). 0 or -ENOMEM. */
int wf_document_to_yaml(const json_t *root, struct wf_str *out);

#endif
