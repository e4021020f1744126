/* SPDX-License-Identifier: Apache-2.0 */
/* The log of changes of a local store: reading from a revision, forgetting from its start. */
#include "store/local.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"

/*
 * How many changes the log may be over its bound before it is trimmed: trimming touches other
 * pages than a commit does, so it is done for some dozens of changes at once.
 */
#define TRIM_SLACK 64

/* Reads one transaction's worth of changes. */
struct collector {
	struct wf_store_batch *batch; /* owned; NULL until the first change */
	size_t count;                 /* changes of that transaction, counted first */
	uint64_t revision;
};

static int count_changes(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct collector *collector = context;

	if (collector->count && row->revision != collector->revision)
		return 1;
	collector->revision = row->revision;
	collector->count++;
	return 0;
}

static int collect_change(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct collector *collector = context;
	json_t *document = NULL;
	int r;

	if (row->revision != collector->revision)
		return 1;
	if (row->text) {
		r = wf_local_parse(row, &document, err);
		if (r < 0)
			return r;
	}
	if (wf_watch_batch_add(collector->batch, row->kind, row->name, document) < 0)
		return wf_fail(err, -ENOMEM, "out of memory reading the history");
	return 0;
}

int wf_local_history(struct wf_store *store, const char *kind, uint64_t after,
		     struct wf_store_batch **ret_batch, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	_cleanup_(wf_watch_batch_free) struct wf_store_batch *batch = NULL;
	struct collector collector = { 0 };
	int r;

	if (after < local->forgotten.revision)
		return wf_fail(err, -ESTALE,
			       "changes up to revision %llu are compacted away, %llu was asked "
			       "for: list again",
			       (unsigned long long)local->forgotten.revision,
			       (unsigned long long)after);
	r = local->rows->history(local, kind, after, count_changes, &collector, err);
	if (r < 0)
		return r;
	*ret_batch = NULL;
	if (!collector.count)
		return 0;
	batch = collector.batch = wf_watch_batch_new(collector.count);
	if (!batch)
		return wf_fail(err, -ENOMEM, "out of memory reading the history");
	r = local->rows->history(local, kind, after, collect_change, &collector, err);
	if (r < 0)
		return r;
	batch->revision = collector.revision;
	*ret_batch = TAKE_PTR(batch);
	return 0;
}

/* Finds the end of the last transaction that must go. */
struct trimmer {
	uint64_t before;  /* transactions of an earlier revision must go */
	uint64_t changes; /* so must those up to this many changes ever made */
	uint64_t bytes;   /* and up to this many bytes */
	struct wf_local_mark until;
	bool any;
};

static int find_end(const struct wf_local_mark *mark, void *context)
{
	struct trimmer *trimmer = context;
	bool begun = trimmer->any && mark->revision == trimmer->until.revision;

	/* a transaction goes as a whole */
	if (!begun && mark->revision >= trimmer->before && mark->changes > trimmer->changes &&
	    mark->bytes > trimmer->bytes)
		return 1;
	trimmer->until = *mark;
	trimmer->any = true;
	return 0;
}

static uint64_t beyond(uint64_t value, uint64_t bound)
{
	return value > bound ? value - bound : 0;
}

int wf_local_trim(struct wf_local *local, const struct wf_local_mark *newest,
		  struct wf_local_mark *ret_mark, struct wf_err *err)
{
	uint64_t changes = newest->changes - local->forgotten.changes;
	uint64_t bytes = newest->bytes - local->forgotten.bytes;
	struct trimmer trimmer = {
		.changes = beyond(newest->changes, local->max_changes),
		.bytes = beyond(newest->bytes, local->max_history_bytes),
	};
	int r;

	if (changes <= local->max_changes + TRIM_SLACK && bytes <= local->max_history_bytes)
		return 0;
	r = local->rows->oldest(local, find_end, &trimmer, err);
	if (r < 0 || !trimmer.any)
		return r;
	r = local->rows->forget(local, &trimmer.until, err);
	if (r == 0)
		*ret_mark = trimmer.until;
	return r;
}

int wf_local_compact(struct wf_store *store, uint64_t before, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	struct trimmer trimmer = { .before = before };
	int r = local->rows->begin(local, WF_STORE_BOOT_BOUND, err);

	if (r < 0)
		return r;
	r = local->rows->oldest(local, find_end, &trimmer, err);
	if (r == 0 && trimmer.any)
		r = local->rows->forget(local, &trimmer.until, err);
	if (r < 0 || !trimmer.any) {
		local->rows->undo(local);
		return r;
	}
	r = local->rows->end(local, err);
	if (r == 0)
		local->forgotten = trimmer.until;
	return r;
}
