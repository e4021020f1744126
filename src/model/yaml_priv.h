/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML text to JSON values and back, for document.c. The only files that know libyaml are
 * yaml_read.c and yaml_scalar.c's callers see JSON alone.
 */
#ifndef WEFT_MODEL_YAML_PRIV_H
#define WEFT_MODEL_YAML_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/lines_priv.h"

/* Longest string that a document may hold (annotations of Kubernetes: 256 KiB in all). */
#define WF_DOCUMENT_MAX_STRING_BYTES (256U << 10)

/*
 * Refuses what no text file holds: more than WF_DOCUMENT_MAX_FILE_BYTES, NUL and other control
 * characters, invalid UTF-8. -E2BIG, -EILSEQ with "SOURCE:LINE:COLUMN: what".
 */
int wf_text_check(const char *source, const char *text, size_t len, struct wf_err *err);

/* A parser over a text with any number of documents. Opaque; borrows source and text. */
struct wf_yaml;

int wf_yaml_open(struct wf_yaml **ret_yaml, const char *source, const char *text, size_t len,
		 size_t most_nodes, struct wf_err *err);
void wf_yaml_close(struct wf_yaml **yaml); /* NULL-safe */

/*
 * The next document that is not empty: 1, *ret_root a new reference, *ret_line its first line,
 * its lines added to lines unless NULL. 0 at the end of the text. -EILSEQ, -E2BIG, -ENOMEM.
 */
int wf_yaml_next(struct wf_yaml *yaml, struct wf_document_lines *lines, json_t **ret_root,
		 size_t *ret_line, struct wf_err *err);

/* What an unquoted word means in the core schema of YAML 1.2. */
enum wf_yaml_word {
	WF_YAML_STRING,
	WF_YAML_NULL,
	WF_YAML_TRUE,
	WF_YAML_FALSE,
	WF_YAML_INTEGER,
	WF_YAML_REAL,
	WF_YAML_NOT_FINITE, /* .inf, .nan: JSON has no such numbers */
};

enum wf_yaml_word wf_yaml_word(const char *text);

/* The value of an unquoted word. 0, -ENOMEM, -ERANGE (too large), -EDOM (not finite). */
int wf_yaml_word_value(const char *text, json_t **ret_value);

#endif
