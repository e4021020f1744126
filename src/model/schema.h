/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of a kind of document as one nested table: field names, types, choices, bounds,
 * defaults and help. From it come the check of what users write, the JSON schema and the
 * reference page. A new kind is a new table (kind_<name>.c) and one row in kind.c. Pure.
 */
#ifndef WEFT_MODEL_SCHEMA_H
#define WEFT_MODEL_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum wf_schema_type {
	WF_SCHEMA_ANY, /* passed through */
	WF_SCHEMA_STRING,
	WF_SCHEMA_BOOL,
	WF_SCHEMA_INTEGER,
	WF_SCHEMA_NUMBER,
	WF_SCHEMA_INT_OR_STRING, /* a port by number or name */
	WF_SCHEMA_OBJECT,        /* fields */
	WF_SCHEMA_MAP,           /* any keys; item */
	WF_SCHEMA_LIST,          /* item */
	WF_SCHEMA_TYPE_COUNT,
};

struct wf_schema {
	const char *name; /* of the field; NULL in an item */
	enum wf_schema_type type;
	bool required;                  /* must be there; null counts as absent */
	bool read_only;                 /* written by the daemon, shown as such in the reference */
	bool open;                      /* OBJECT: unknown fields are passed through */
	const struct wf_schema *fields; /* OBJECT: ends with WF_SCHEMA_END */
	const struct wf_schema *item;   /* LIST, MAP: what each element is */
	const char *const *choices;     /* STRING: NULL-terminated */
	/*
	 * INTEGER: value. STRING: bytes, LIST and MAP: entries. 0, 0: unbounded, but for strings,
	 * which end at WF_SCHEMA_STRING_BYTES.
	 */
	int64_t min, max;
	const char *fallback; /* default, as JSON text; NULL: none */
	const char *example;  /* as JSON text; NULL: none */
	const char *help;     /* one sentence or more */
};

#define WF_SCHEMA_END        \
	{                    \
		.name = NULL \
	}

#define WF_SCHEMA_STRING_BYTES 4096

/*
 * Checks a value against an OBJECT schema (fields). Errors name the field, what was found, what
 * is wanted, and the nearest name for a misspelt one. -EINVAL.
 */
int wf_schema_check(const struct wf_schema *fields, const json_t *value, struct wf_err *err);

/* The fields as a JSON schema object. New reference; NULL when out of memory. */
json_t *wf_schema_to_json(const struct wf_schema *fields);

/* Appends one table row of Markdown per field, nested ones as "spec.subnets[].cidr". */
void wf_schema_markdown(const struct wf_schema *fields, struct wf_str *out);

/* How a type is called in messages and in the reference ("a string"). */
const char *wf_schema_type_name(enum wf_schema_type type);

#endif
