/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/book.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Index of the first name that is not before. */
static size_t position(const struct wf_book *book, const char *name)
{
	size_t low = 0, high = book->items ? book->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(book->items[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct wf_record *wf_book_find(const struct wf_book *book, const char *name)
{
	size_t at = position(book, name);

	return book->items && at < book->count && strcmp(book->items[at]->name, name) == 0
		       ? book->items[at]
		       : NULL;
}

static struct wf_record *make(struct wf_book *book, const char *name)
{
	size_t at = position(book, name);
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
	memmove(&book->items[at + 1], &book->items[at],
		(book->count - at) * sizeof(struct wf_record *));
	book->items[at] = record;
	book->count++;
	return record;
}

static void discard(struct wf_book *book, struct wf_record *record)
{
	size_t at = position(book, record->name);

	book->count--;
	memmove(&book->items[at], &book->items[at + 1],
		(book->count - at) * sizeof(struct wf_record *));
	free(record->name);
	free(record);
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
