/* SPDX-License-Identifier: Apache-2.0 */
/* Remembers at which line of a text each field of a document stands. */
#include "model/lines_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct line_entry {
	uint64_t hash;
	uint32_t line;
};

struct line_table {
	struct line_entry *items; /* owned */
	size_t count;
	size_t capacity;
	size_t references;
};

struct wf_document_lines {
	struct line_table *table; /* shared */
	uint64_t root;
};

struct wf_document_lines *wf_lines_new(void)
{
	struct wf_document_lines *lines = calloc(1, sizeof(*lines));
	struct line_table *table = calloc(1, sizeof(*table));

	if (!lines || !table) {
		free(lines);
		free(table);
		return NULL;
	}
	table->references = 1;
	lines->table = table;
	lines->root = WF_LINES_ROOT;
	return lines;
}

struct wf_document_lines *wf_lines_new_view(const struct wf_document_lines *lines, uint64_t root)
{
	struct wf_document_lines *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->table = lines->table;
	view->table->references++;
	view->root = root;
	return view;
}

void wf_lines_free(struct wf_document_lines **lines)
{
	if (!*lines)
		return;
	if (--(*lines)->table->references == 0) {
		free((*lines)->table->items);
		free((*lines)->table);
	}
	free(*lines);
	*lines = NULL;
}

/* FNV-1a: simple, and a step at a time, which is what walking down a path needs. */
static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ULL;
	return hash;
}

uint64_t wf_lines_hash_key(uint64_t parent, const char *key, size_t len)
{
	return hash_bytes(hash_bytes(parent, ".", 1), key, len);
}

uint64_t wf_lines_hash_index(uint64_t parent, size_t index)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "[%zu]", index);

	return hash_bytes(parent, text, (size_t)len);
}

int wf_lines_add(struct wf_document_lines *lines, uint64_t hash, size_t line)
{
	struct line_table *table = lines->table;

	if (wf_mem_grow(&table->items, sizeof(*table->items), table->count, &table->capacity) < 0)
		return -ENOMEM;
	table->items[table->count++] = (struct line_entry){ .hash = hash, .line = (uint32_t)line };
	return 0;
}

size_t wf_lines_find(const struct wf_document_lines *lines, uint64_t hash)
{
	for (size_t i = 0; i < lines->table->count; i++)
		if (lines->table->items[i].hash == hash)
			return lines->table->items[i].line;
	return 0;
}

size_t wf_lines_find_path(const struct wf_document_lines *lines, const char *path)
{
	size_t nearest = wf_lines_find(lines, lines->root), line;
	uint64_t hash = lines->root;

	if (*path && *path != '[')
		hash = hash_bytes(hash, ".", 1);
	for (const char *at = path; *at; at++) {
		hash = hash_bytes(hash, at, 1);
		if (at[1] != '\0' && at[1] != '.' && at[1] != '[')
			continue;
		line = wf_lines_find(lines, hash);
		if (line)
			nearest = line;
	}
	return nearest;
}
