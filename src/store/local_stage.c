/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of a local store that are made ready in parts: reading, comparing, stamping and writing
 * the text is done write by write, and the commit only moves texts into the rows. What was committed
 * in between of the same documents fails it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/local.h"

int wf_local_stage_add(struct wf_store_stage *stage, struct wf_store_prepared *prepared,
		       struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	const struct wf_store_write *write = &prepared->write;
	char created[WF_CLOCK_TEXT];
	struct wf_local_row row;
	int found = local->rows->read(local, write->kind, write->name, &row, err);
	int r = found < 0 ? found : wf_local_check_expected(write, found ? &row : NULL, err);

	if (r == 0 && write->op == WF_STORE_PUT)
		r = wf_local_stamp(local, write, found ? &row : NULL,
				   wf_clock_format(wf_clock_wall_s(), created), &prepared->stamp,
				   &prepared->same, err);
	if (r == 0 && write->op == WF_STORE_PUT && !prepared->same)
		r = wf_local_render(write, &prepared->text, &prepared->len, err);
	if (r < 0) {
		wf_local_stage_end(prepared, false);
		wf_err_set_object(err, "%s/%s", write->kind, write->name);
	}
	return r;
}

void wf_local_stage_end(struct wf_store_prepared *prepared, bool committed)
{
	if (prepared->stamp.document && committed)
		wf_stamp_keep(&prepared->stamp);
	else if (prepared->stamp.document)
		wf_stamp_undo(&prepared->stamp);
	free(prepared->text);
	prepared->text = NULL;
}

void wf_local_stages_note(struct wf_local *local, const struct wf_store_write *writes, size_t count)
{
	for (const struct wf_store_stage *stage = local->store.stages; stage; stage = stage->next)
		for (size_t i = 0; i < count; i++) {
			struct wf_store_prepared *prepared =
				wf_store_staged(stage, writes[i].kind, writes[i].name);

			if (prepared)
				prepared->overtaken = true;
		}
}

static int write_one(struct wf_local_transaction *t, struct wf_store_prepared *prepared,
		     struct wf_err *err)
{
	const struct wf_store_write *write = &prepared->write;
	int r;

	if (write->op == WF_STORE_DELETE)
		return wf_local_delete(t, write, err);
	if (prepared->same)
		return 0;
	r = wf_local_check_lease(t->local, write, err);
	if (r < 0)
		return r;
	/* it was hidden, and is as good as written */
	if (prepared->written)
		return wf_local_note_put(t, write, prepared->len, err);
	/* a text's own number means nothing: what is read gets that of its row */
	if (wf_stamp_version(write->document, t->revision) < 0)
		return wf_fail(err, -ENOMEM, "out of memory storing %s/%s", write->kind,
			       write->name);
	return wf_local_write(t, write, prepared->text, prepared->len, err);
}

static int write_all(struct wf_local_transaction *t, struct wf_store_stage *stage,
		     struct wf_err *err)
{
	for (struct wf_store_prepared *at = stage->first; at; at = at->next) {
		int r = at->overtaken ? wf_fail(err, -ESTALE, "%s/%s was changed at the same time",
						at->write.kind, at->write.name)
				      : write_one(t, at, err);

		if (r < 0) {
			wf_err_set_object(err, "%s/%s", at->write.kind, at->write.name);
			return r;
		}
	}
	return 0;
}

size_t wf_local_stage_changes(const struct wf_store_stage *stage)
{
	size_t count = 0;

	for (const struct wf_store_prepared *at = stage->first; at; at = at->next)
		count += !at->same;
	return count;
}

/* There is hardly ever more than one. */
static void note_others(const struct wf_store_stage *stage)
{
	struct wf_local *local = (struct wf_local *)stage->store;

	if (local->store.stages == stage && !stage->next)
		return;
	for (const struct wf_store_prepared *at = stage->first; at; at = at->next)
		if (!at->same)
			wf_local_stages_note(local, &at->write, 1);
}

int wf_local_stage_commit(struct wf_store_stage *stage, enum wf_store_durability durability,
			  uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)stage->store;
	size_t changes = wf_local_stage_changes(stage);
	struct wf_local_transaction t;
	int r;

	if (stage->is_lost)
		return wf_fail(err, -ESTALE, "the transaction was interrupted");
	r = wf_local_begin(&t, local, changes, durability, err);

	t.is_unlogged = changes > local->max_changes;
	if (r == 0) {
		r = wf_local_show(&t, stage, err);
		r = wf_local_end(&t, r < 0 ? r : write_all(&t, stage, err), 0, err);
	}
	if (r == 0)
		wf_local_shown(stage);
	if (r == 0 && t.is_done)
		*ret_revision = t.revision;
	if (r == 0)
		note_others(stage);
	wf_local_deliver(&t);
	return r;
}
