/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms over jansson; strings returned are borrowed from the value they were read from. */
#ifndef WEFT_BASE_JSON_H
#define WEFT_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Largest text, deepest nesting and most values that weft parses, from whomever. */
#define WF_JSON_MAX_BYTES (4U << 20)
#define WF_JSON_MAX_DEPTH 64
#define WF_JSON_MAX_NODES 100000

/* Other bounds, for texts of many documents. */
struct wf_json_bounds {
	size_t bytes, nodes;
};

#define _cleanup_json_ __attribute__((cleanup(wf_json_cleanup)))

void wf_json_cleanup(json_t **value);

/*
 * Parses a whole text (duplicate keys, trailing bytes, NUL characters and too deep nesting are
 * errors; integers written as floats, "1e+06", are accepted as integers). -EILSEQ with line and
 * column in the message, -E2BIG, -ENOMEM (jansson's allocations go through here from start on:
 * by itself it would return a value with bytes missing).
 */
int wf_json_parse(const char *text, size_t len, json_t **ret_value, struct wf_err *err);

/* The same within other bounds of size. */
int wf_json_parse_within(const char *text, size_t len, const struct wf_json_bounds *bounds,
			 json_t **ret_value, struct wf_err *err);

/* Compact text, sorted keys off; owned by the caller; NULL when out of memory. */
char *wf_json_text(const json_t *value);

/* Member of an object by name ignoring case (Go peers do); exact match wins. NULL if absent. */
json_t *wf_json_get_nocase(const json_t *object, const char *key);

/* Typed members with a default when absent or of another type. */
const char *wf_json_str(const json_t *object, const char *key, const char *fallback);
int64_t wf_json_int(const json_t *object, const char *key, int64_t fallback);
bool wf_json_bool(const json_t *object, const char *key, bool fallback);

/* json_object_set_new() that skips NULL values; returns 0 or -ENOMEM. value is stolen. */
int wf_json_set(json_t *object, const char *key, json_t *value);

/* Sets a string member; does nothing when text is NULL or empty. 0 or -ENOMEM. */
int wf_json_set_str(json_t *object, const char *key, const char *text);

#endif
