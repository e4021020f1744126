/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of a local store that are too large to be written at once: 100,000 rows take a second,
 * in which nobody else is served. So they are written some hundred at a time, each time in a
 * transaction of the back end's own, and seen by nobody: they have a revision that the store has not
 * reached, and the back end leaves out rows of that revision (and shows what was there before, of which
 * it keeps a copy). The commit then only counts them, and the store reaches that revision. Others read
 * and write in between; their revisions lie below, which is why some are left out.
 *
 * Until the commit a database says that it has something unfinished: the next start takes it away, as
 * does a stage that is given up, in parts again. Only transactions that the log of changes has no room for
 * are written like this, and one at a time; any other is written by its commit.
 */
#include <errno.h>

#include "store/local.h"

/* Rows that are taken away at once where nobody waits for it. */
#define TIDY_ROWS 500

static int hide_one(struct wf_local *local, struct wf_store_prepared *prepared, struct wf_err *err)
{
	const struct wf_store_write *write = &prepared->write;
	const struct wf_local_row row = {
		.kind = write->kind,
		.name = write->name,
		.text = prepared->text,
		.len = prepared->len,
		.revision = local->hidden_revision,
		.lease = write->lease,
	};
	int r;

	/* the commit does, or refuses, the others */
	if (write->op != WF_STORE_PUT || prepared->same || prepared->overtaken)
		return 0;
	if (wf_stamp_version(write->document, local->hidden_revision) < 0)
		return wf_fail(err, -ENOMEM, "out of memory storing %s/%s", write->kind,
			       write->name);
	r = local->rows->hide(local, &row, err);
	prepared->written = r == 0;
	if (r < 0)
		wf_err_set_object(err, "%s/%s", write->kind, write->name);
	return r;
}

static int hide_some(struct wf_store_stage *stage, size_t most, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	int r = 0;

	for (; r == 0 && most && stage->unwritten; most--) {
		r = hide_one(local, stage->unwritten, err);
		stage->unwritten = stage->unwritten->next;
	}
	return r;
}

static int begin(struct wf_store_stage *stage, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	int r = local->rows->hide_begin(local, err);

	if (r < 0)
		return r;
	local->hiding = stage;
	local->hidden_revision = local->store.revision + local->hidden_gap;
	stage->unwritten = stage->first;
	return 0;
}

/* Whether it is one that is written in parts. */
static bool takes_parts(struct wf_store_stage *stage)
{
	struct wf_local *local = (struct wf_local *)stage->store;

	if (local->hidden_revision)
		return local->hiding == stage;
	return local->rows->hide && wf_local_stage_changes(stage) > local->max_changes;
}

int wf_local_stage_write(struct wf_store_stage *stage, size_t most, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	int r;

	if (!takes_parts(stage) || (local->hiding == stage && !stage->unwritten))
		return 0;
	r = local->rows->begin(local, WF_STORE_BOOT_BOUND, err);
	if (r < 0)
		return r;
	if (!local->hiding)
		r = begin(stage, err);
	if (r == 0)
		r = hide_some(stage, most, err);
	r = wf_local_rows_end(local, r, err);
	stage->is_lost = r < 0;
	if (r < 0)
		return r;
	/* what has gathered goes to its place bit by bit, too */
	local->rows->tidy(local);
	return !!stage->unwritten;
}

int wf_local_unhide(struct wf_local *local, size_t most, struct wf_err *err)
{
	uint64_t place = local->unhidden;
	int r = local->rows->begin(local, WF_STORE_BOOT_BOUND, err), more;

	if (r < 0)
		return r;
	more = local->rows->unhide(local, most, &place, err);
	r = wf_local_rows_end(local, more < 0 ? more : 0, err);
	if (r < 0)
		return r;
	local->unhidden = more ? place : 0;
	if (more)
		return 1;
	if (local->hiding)
		local->hiding->is_lost = true;
	local->hidden_revision = 0;
	local->hiding = NULL;
	return 0;
}

bool wf_local_stage_drop(struct wf_store_stage *stage, size_t most)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	int r;

	if (local->hiding != stage)
		return false;
	r = wf_local_unhide(local, most, NULL);
	/* with a disk that takes no change it stays hidden until then: wf_store_tidy() */
	if (r < 0)
		local->hiding = NULL;
	else
		local->rows->tidy(local);
	return r == 1;
}

void wf_local_tidy_hidden(struct wf_local *local)
{
	if (!local->hidden_revision || local->hiding)
		return;
	while (wf_local_unhide(local, TIDY_ROWS, NULL) == 1) {
		if (!local->backlog)
			continue;
		local->backlog(local->backlog_context);
		return;
	}
}

int wf_local_show(struct wf_local_transaction *t, struct wf_store_stage *stage, struct wf_err *err)
{
	struct wf_local *local = t->local;

	if (local->hiding != stage)
		return 0;
	t->revision = local->hidden_revision;
	return local->rows->show(local, err);
}

void wf_local_shown(struct wf_store_stage *stage)
{
	struct wf_local *local = (struct wf_local *)stage->store;

	if (local->hiding != stage)
		return;
	local->hidden_revision = 0;
	local->hiding = NULL;
}
