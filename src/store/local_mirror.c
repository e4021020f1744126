/* SPDX-License-Identifier: Apache-2.0 */
/* A local store as the mirror of a remote one: see local.h. */
#include <errno.h>
#include <string.h>

#include "store/local.h"

/* A deletion of what is not there changes nothing and is not logged. */
static int mirror_row(struct wf_local *local, const struct wf_local_row *row,
		      struct wf_local_mark *newest, size_t position, struct wf_err *err)
{
	struct wf_local_row old;
	int r;

	if (row->text) {
		r = local->rows->put(local, row, err);
	} else {
		r = local->rows->read(local, row->kind, row->name, &old, err);
		if (r <= 0)
			return r;
		r = local->rows->remove(local, row->kind, row->name, err);
	}
	if (r < 0)
		return r;
	newest->changes++;
	newest->bytes += row->len + strlen(row->kind) + strlen(row->name);
	return local->rows->log(local, row, position, newest, err);
}

/* Ends the transaction; r < 0: as if it had not been. `newest` is where the log ends then. */
static int end(struct wf_local *local, int r, const struct wf_local_mark *newest,
	       const struct wf_local_mark *forgotten, struct wf_err *err)
{
	r = wf_local_rows_end(local, r, err);
	if (r < 0)
		return r;
	local->newest = *newest;
	local->forgotten = *forgotten;
	local->store.revision = newest->revision;
	return 0;
}

int wf_local_mirror_apply(struct wf_local *local, const struct wf_local_row *rows, size_t count,
			  uint64_t revision, struct wf_err *err)
{
	struct wf_local_mark newest = local->newest, forgotten = local->forgotten;
	int r = local->rows->begin(local, WF_STORE_BOOT_BOUND, err);

	if (r < 0)
		return r;
	newest.revision = revision;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = mirror_row(local, &rows[i], &newest, i, err);
	if (r == 0)
		r = wf_local_trim(local, &newest, &forgotten, err);
	return end(local, r, &newest, &forgotten, err);
}

int wf_local_mirror_begin(struct wf_local *local, struct wf_err *err)
{
	return local->rows->begin(local, WF_STORE_BOOT_BOUND, err);
}

int wf_local_mirror_end(struct wf_local *local, uint64_t revision, struct wf_err *err)
{
	struct wf_local_mark mark = local->newest;
	int r = 0;

	/* the log's end may be after the revision: another server counts from its own start */
	if (mark.revision > revision)
		r = local->rows->forget(local, &mark, err);
	mark.revision = revision;
	if (r == 0)
		r = local->rows->forget(local, &mark, err);
	return end(local, r, &mark, &mark, err);
}
