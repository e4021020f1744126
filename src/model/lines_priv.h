/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which line each field of a document came from. A field is known by the hash of its path, so a
 * line costs 16 bytes and no string; two paths with one hash would at worst show a wrong line.
 */
#ifndef WEFT_MODEL_LINES_PRIV_H
#define WEFT_MODEL_LINES_PRIV_H

#include <stddef.h>
#include <stdint.h>

/* Hash of the path of a document's root. */
#define WF_LINES_ROOT 0xcbf29ce484222325ULL

struct wf_document_lines;

/* An empty table for one text; NULL: no memory. */
struct wf_document_lines *wf_lines_new(void);

/* The same table as seen from a node within it (an item of a list); NULL: no memory. */
struct wf_document_lines *wf_lines_new_view(const struct wf_document_lines *lines, uint64_t root);

/* The table goes with its last view. NULL-safe. */
void wf_lines_free(struct wf_document_lines **lines);

/* Hash of a member or an element from that of its parent. */
uint64_t wf_lines_hash_key(uint64_t parent, const char *key, size_t len);
uint64_t wf_lines_hash_index(uint64_t parent, size_t index);

/* Remembers the line of a node. 0 or -ENOMEM. */
int wf_lines_add(struct wf_document_lines *lines, uint64_t hash, size_t line);

/* Line of exactly this node, 0 when unknown. */
size_t wf_lines_find(const struct wf_document_lines *lines, uint64_t hash);

/* Line of the node at path, or of the nearest known one above it; 0 when none is known. */
size_t wf_lines_find_path(const struct wf_document_lines *lines, const char *path);

/* Fills a table from a text that is known to be valid JSON. 0 or -ENOMEM. */
int wf_lines_add_json(struct wf_document_lines *lines, const char *text, size_t len);

#endif
