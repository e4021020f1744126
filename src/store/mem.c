/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store in memory, for tests and dry runs: the row operations of local.h over two arrays. A
 * transaction is prepared beside them and takes effect in end(), which cannot fail.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/local.h"

/* A document, or a change of one. The texts are owned. */
struct entry {
	struct wf_local_row row;
	struct wf_local_mark mark; /* of a change */
};

struct entries {
	struct entry **items; /* owned, and what they point to */
	size_t count;
	size_t capacity;
};

struct mem {
	struct wf_local local;
	struct entries documents; /* sorted by kind and name */
	struct entries log;       /* in order */
	/* the open transaction */
	struct entries puts;    /* documents to come */
	struct entries removes; /* keys of documents to go */
	struct entries changes; /* to be appended to the log */
	uint64_t forget;        /* changes up to this revision are to go */
	uint64_t last_lease;
};

static struct mem *mem_of(struct wf_local *local)
{
	return (struct mem *)local;
}

static void free_entry(struct entry *entry)
{
	if (!entry)
		return;
	free((char *)entry->row.kind);
	free((char *)entry->row.name);
	free((char *)entry->row.text);
	free(entry);
}

static void entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free_entry(entries->items[i]);
	entries->count = 0;
}

static void entries_done(struct entries *entries)
{
	entries_clear(entries);
	free(entries->items);
}

static int entries_reserve(struct entries *entries, size_t count)
{
	struct entry **grown;

	if (count <= entries->capacity)
		return 0;
	grown = realloc(entries->items, count * 2 * sizeof(struct entry *));
	if (!grown)
		return -ENOMEM;
	entries->items = grown;
	entries->capacity = count * 2;
	return 0;
}

static int compare(const struct wf_local_row *row, const char *kind, const char *name)
{
	int order = strcmp(row->kind, kind);

	return order ? order : strcmp(row->name, name);
}

/* Index of the first entry that is not before (kind, name). */
static size_t find(const struct entries *entries, const char *kind, const char *name)
{
	size_t low = 0, high = entries->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&entries->items[middle]->row, kind, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Adds a copy of a row at the end. */
static int append(struct entries *entries, const struct wf_local_row *row,
		  const struct wf_local_mark *mark, struct wf_err *err)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry || entries_reserve(entries, entries->count + 1) < 0)
		goto err_free;
	entry->row = *row;
	if (mark)
		entry->mark = *mark;
	entry->row.kind = strdup(row->kind);
	entry->row.name = strdup(row->name);
	entry->row.text = row->text ? strdup(row->text) : NULL;
	if (!entry->row.kind || !entry->row.name || (row->text && !entry->row.text))
		goto err_free;
	entries->items[entries->count++] = entry;
	return 0;

err_free:
	free_entry(entry);
	return wf_fail(err, -ENOMEM, "out of memory storing %s/%s", row->kind, row->name);
}

static int mem_begin(struct wf_local *local, enum wf_store_durability durability,
		     struct wf_err *err)
{
	return 0;
}

static void mem_undo(struct wf_local *local)
{
	struct mem *mem = mem_of(local);

	entries_clear(&mem->puts);
	entries_clear(&mem->removes);
	entries_clear(&mem->changes);
	mem->forget = 0;
}

static void remove_document(struct mem *mem, const struct wf_local_row *key)
{
	size_t at = find(&mem->documents, key->kind, key->name);

	free_entry(mem->documents.items[at]);
	mem->documents.count--;
	memmove(mem->documents.items + at, mem->documents.items + at + 1,
		(mem->documents.count - at) * sizeof(struct entry *));
}

static void put_document(struct mem *mem, struct entry *entry)
{
	struct entries *documents = &mem->documents;
	size_t at = find(documents, entry->row.kind, entry->row.name);

	if (at < documents->count &&
	    compare(&documents->items[at]->row, entry->row.kind, entry->row.name) == 0) {
		free_entry(documents->items[at]);
		documents->items[at] = entry;
		return;
	}
	memmove(documents->items + at + 1, documents->items + at,
		(documents->count - at) * sizeof(struct entry *));
	documents->items[at] = entry;
	documents->count++;
}

static void forget_changes(struct mem *mem)
{
	size_t gone = 0;

	while (gone < mem->log.count && mem->log.items[gone]->mark.revision <= mem->forget)
		free_entry(mem->log.items[gone++]);
	if (!gone)
		return;
	mem->log.count -= gone;
	memmove(mem->log.items, mem->log.items + gone, mem->log.count * sizeof(struct entry *));
}

static int mem_end(struct wf_local *local, struct wf_err *err)
{
	struct mem *mem = mem_of(local);

	if (entries_reserve(&mem->documents, mem->documents.count + mem->puts.count) < 0 ||
	    entries_reserve(&mem->log, mem->log.count + mem->changes.count) < 0) {
		mem_undo(local);
		return wf_fail(err, -ENOMEM, "out of memory for a transaction");
	}
	for (size_t i = 0; i < mem->removes.count; i++)
		remove_document(mem, &mem->removes.items[i]->row);
	for (size_t i = 0; i < mem->puts.count; i++)
		put_document(mem, mem->puts.items[i]);
	for (size_t i = 0; i < mem->changes.count; i++)
		mem->log.items[mem->log.count++] = mem->changes.items[i];
	mem->puts.count = 0;
	mem->changes.count = 0;
	if (mem->forget)
		forget_changes(mem);
	mem_undo(local);
	return 0;
}

static int mem_read(struct wf_local *local, const char *kind, const char *name,
		    struct wf_local_row *ret_row, struct wf_err *err)
{
	const struct entries *documents = &mem_of(local)->documents;
	size_t at = find(documents, kind, name);

	if (at == documents->count || compare(&documents->items[at]->row, kind, name) != 0)
		return 0;
	*ret_row = documents->items[at]->row;
	return 1;
}

static int mem_put(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err)
{
	return append(&mem_of(local)->puts, row, NULL, err);
}

static int mem_remove(struct wf_local *local, const char *kind, const char *name,
		      struct wf_err *err)
{
	const struct wf_local_row key = { .kind = kind, .name = name };

	return append(&mem_of(local)->removes, &key, NULL, err);
}

static int mem_count(struct wf_local *local, const char *kind, size_t *ret_count,
		     struct wf_err *err)
{
	const struct entries *documents = &mem_of(local)->documents;
	size_t count = 0;

	(void)err;
	for (size_t i = 0; i < documents->count; i++)
		count += strcmp(documents->items[i]->row.kind, kind) == 0;
	*ret_count = count;
	return 0;
}

static int mem_walk(struct wf_local *local, const char *kind, uint64_t lease, wf_local_row_fn visit,
		    void *context, struct wf_err *err)
{
	const struct entries *documents = &mem_of(local)->documents;
	int r = 0;

	for (size_t i = 0; r == 0 && i < documents->count; i++) {
		const struct wf_local_row *row = &documents->items[i]->row;

		if (kind ? strcmp(row->kind, kind) == 0 : !lease || row->lease == lease)
			r = visit(row, context, err);
	}
	return r;
}

static int mem_log(struct wf_local *local, const struct wf_local_row *row, size_t position,
		   const struct wf_local_mark *mark, struct wf_err *err)
{
	return append(&mem_of(local)->changes, row, mark, err);
}

static int mem_oldest(struct wf_local *local, wf_local_mark_fn visit, void *context,
		      struct wf_err *err)
{
	const struct entries *lists[] = { &mem_of(local)->log, &mem_of(local)->changes };
	int r = 0;

	for (size_t n = 0; n < WF_ARRAY_LEN(lists); n++)
		for (size_t i = 0; r == 0 && i < lists[n]->count; i++)
			r = visit(&lists[n]->items[i]->mark, context);
	return r < 0 ? r : 0;
}

static int mem_forget(struct wf_local *local, const struct wf_local_mark *until, struct wf_err *err)
{
	struct mem *mem = mem_of(local);

	/* asked more than once in a transaction: the greatest counts */
	if (until->revision > mem->forget)
		mem->forget = until->revision;
	return 0;
}

static int mem_history(struct wf_local *local, const char *kind, uint64_t after,
		       wf_local_row_fn visit, void *context, struct wf_err *err)
{
	const struct entries *log = &mem_of(local)->log;
	int r = 0;

	for (size_t i = 0; r == 0 && i < log->count; i++) {
		const struct wf_local_row *row = &log->items[i]->row;

		if (row->revision > after && (!kind || strcmp(row->kind, kind) == 0))
			r = visit(row, context, err);
	}
	return r < 0 ? r : 0;
}

static int mem_lease_new(struct wf_local *local, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err)
{
	*ret_lease = ++mem_of(local)->last_lease;
	return 0;
}

static int mem_lease_drop(struct wf_local *local, uint64_t lease, struct wf_err *err)
{
	return 0;
}

static void mem_close(struct wf_local *local)
{
	struct mem *mem = mem_of(local);

	entries_done(&mem->documents);
	entries_done(&mem->log);
	entries_done(&mem->puts);
	entries_done(&mem->removes);
	entries_done(&mem->changes);
}

static const struct wf_local_ops mem_rows = {
	.close = mem_close,
	.begin = mem_begin,
	.end = mem_end,
	.undo = mem_undo,
	.read = mem_read,
	.put = mem_put,
	.remove = mem_remove,
	.count = mem_count,
	.walk = mem_walk,
	.log = mem_log,
	.oldest = mem_oldest,
	.forget = mem_forget,
	.history = mem_history,
	.lease_new = mem_lease_new,
	.lease_drop = mem_lease_drop,
};

int wf_store_mem_open(struct wf_store **ret_store, struct wf_err *err)
{
	struct mem *mem = calloc(1, sizeof(*mem));

	if (!mem || wf_store_init(&mem->local.store, &wf_local_store_ops, "mem") < 0) {
		free(mem);
		return wf_fail(err, -ENOMEM, "out of memory opening a store");
	}
	wf_local_init(&mem->local, &mem_rows);
	*ret_store = &mem->local.store;
	return 0;
}
