/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct wf_record *wf_book_find(const struct wf_book *book, const char *name)
{
	WF_INDEX_EACH(&book->by_name, wf_hash_text(0, name), node) {
		struct wf_record *record = WF_INDEX_OBJECT(node, struct wf_record, by_name);

		if (strcmp(record->name, name) == 0)
			return record;
	}
	return NULL;
}

static struct wf_record *make(struct wf_book *book, const char *name)
{
	struct wf_record *record;

	if (wf_mem_grow(&book->items, sizeof(struct wf_record *), book->count, &book->capacity) < 0)
		return NULL;
	record = calloc(1, sizeof(*record));
	if (!record)
		return NULL;
	record->name = strdup(name);
	if (!record->name) {
		free(record);
		return NULL;
	}
	record->at = book->count;
	book->items[book->count++] = record;
	wf_index_add(&book->by_name, &record->by_name, wf_hash_text(0, name));
	return record;
}

/* The last one takes its place. */
static void discard(struct wf_book *book, struct wf_record *record)
{
	struct wf_record *last = book->items[--book->count];

	last->at = record->at;
	book->items[last->at] = last;
	wf_index_remove(&book->by_name, &record->by_name);
	free(record->name);
	free(record);
}

static int compare(const void *a, const void *b)
{
	const struct wf_record *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

void wf_book_sort(const struct wf_book *book)
{
	if (book->count)
		qsort(book->items, book->count, sizeof(struct wf_record *), compare);
	for (size_t i = 0; i < book->count; i++)
		book->items[i]->at = i;
}

void wf_book_done(struct wf_book *book)
{
	for (size_t i = 0; i < book->count; i++) {
		struct wf_record *record = book->items[i];

		if (record->now) {
			book->ops->unlink(book->context, record->now);
			book->ops->free(book->context, record->now);
		}
		if (record->before)
			book->ops->free(book->context, record->before);
		free(record->name);
		free(record);
	}
	wf_index_done(&book->by_name);
	free(book->items);
	memset(book, 0, sizeof(*book));
}

int wf_book_set(struct wf_book *book, const char *name, void *object)
{
	struct wf_record *record = wf_book_find(book, name);

	if (!record && !object)
		return 0;
	if (!record)
		record = make(book, name);
	if (!record)
		return -ENOMEM;
	if (record->now)
		book->ops->unlink(book->context, record->now);
	if (!record->is_touched) {
		record->is_touched = true;
		record->before = record->now;
		record->next_touched = book->touched;
		book->touched = record;
	} else if (record->now) {
		book->ops->free(book->context, record->now);
	}
	record->now = object;
	if (object)
		book->ops->link(book->context, object);
	return 0;
}

static void end(struct wf_book *book, bool restore)
{
	while (book->touched) {
		struct wf_record *record = book->touched;
		void *gone = restore ? record->now : record->before;

		book->touched = record->next_touched;
		if (restore && gone)
			book->ops->unlink(book->context, gone);
		if (restore && record->before)
			book->ops->link(book->context, record->before);
		record->now = restore ? record->before : record->now;
		record->before = NULL;
		record->next_touched = NULL;
		record->is_touched = false;
		if (gone)
			book->ops->free(book->context, gone);
		if (!record->now)
			discard(book, record);
	}
}

void wf_book_settle(struct wf_book *book)
{
	end(book, false);
}

void wf_book_restore(struct wf_book *book)
{
	end(book, true);
}
