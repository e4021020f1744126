/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, and the transaction: compare, stamp, write, log, trim, commit, deliver. */
#include "store/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

void wf_local_init(struct wf_local *local, const struct wf_local_ops *rows)
{
	local->rows = rows;
	local->max_changes = WF_LOCAL_MAX_CHANGES;
	local->max_history_bytes = WF_LOCAL_MAX_HISTORY_BYTES;
	local->hidden_gap = WF_LOCAL_HIDDEN_GAP;
	local->now_ms = wf_clock_monotonic_ms;
}

static void local_close(struct wf_store *store)
{
	struct wf_local *local = (struct wf_local *)store;

	local->rows->close(local);
	wf_store_done(store);
	free(local->leases);
	free(local);
}

int wf_local_parse(const struct wf_local_row *row, json_t **ret_document, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	int r = wf_json_parse(row->text, row->len, &document, err);

	if (r == -EILSEQ || r == -E2BIG)
		r = -EIO;
	if (r < 0)
		return wf_wrap(err, r, "the stored %s/%s is damaged", row->kind, row->name);
	/* the text of a mirrored document has no number, or one that means nothing */
	if (wf_stamp_version(document, row->revision) < 0)
		return wf_fail(err, -ENOMEM, "out of memory reading %s/%s", row->kind, row->name);
	*ret_document = TAKE_PTR(document);
	return 0;
}

static int local_get(struct wf_store *store, const char *kind, const char *name,
		     json_t **ret_document, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	struct wf_local_row row;
	int found = local->rows->read(local, kind, name, &row, err);

	if (found < 0)
		return found;
	if (!found) {
		found = wf_fail(err, -ENOENT, "%s/%s does not exist", kind, name);
		wf_err_set_object(err, "%s/%s", kind, name);
		return found;
	}
	return wf_local_parse(&row, ret_document, err);
}

static int local_count(struct wf_store *store, const char *kind, size_t *ret_count,
		       struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;

	return local->rows->count(local, kind, ret_count, err);
}

struct document_visit {
	wf_store_text_fn take; /* NULL: nobody wants texts */
	wf_store_visit_fn visit;
	void *context;
};

static int pass_document(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	const struct document_visit *to = context;
	_cleanup_json_ json_t *document = NULL;
	int r = to->take ? to->take(row->text, row->len, to->context, err) : 0;

	if (r)
		return r < 0 ? r : 0;
	r = wf_local_parse(row, &document, err);
	return r < 0 ? r : to->visit(document, to->context, err);
}

static int local_visit(struct wf_store *store, const char *kind, wf_store_text_fn take,
		       wf_store_visit_fn visit, void *context, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	struct document_visit to = { .take = take, .visit = visit, .context = context };

	return local->rows->walk(local, kind, 0, pass_document, &to, err);
}

static int add_to_array(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	json_t *array = context, *document;
	int r = wf_local_parse(row, &document, err);

	if (r < 0)
		return r;
	if (json_array_append_new(array, document) < 0)
		return wf_fail(err, -ENOMEM, "out of memory listing %s", row->kind);
	return 0;
}

static int local_list(struct wf_store *store, const char *kind, json_t **ret_array,
		      uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	_cleanup_json_ json_t *array = json_array();
	int r;

	if (!array)
		return wf_fail(err, -ENOMEM, "out of memory listing %s", kind);
	r = local->rows->walk(local, kind, 0, add_to_array, array, err);
	if (r < 0)
		return r;
	*ret_array = TAKE_PTR(array);
	if (ret_revision)
		*ret_revision = store->revision;
	return 0;
}

static int fail_object(const struct wf_store_write *write, int code, struct wf_err *err)
{
	wf_err_set_object(err, "%s/%s", write->kind, write->name);
	return code;
}

int wf_local_check_expected(const struct wf_store_write *write, const struct wf_local_row *row,
			    struct wf_err *err)
{
	if (!row && write->op == WF_STORE_DELETE)
		return wf_fail(err, -ENOENT, "%s/%s does not exist", write->kind, write->name);
	if (write->expected == WF_STORE_ANY)
		return 0;
	if (write->expected == WF_STORE_ABSENT)
		return row ? wf_fail(err, -EEXIST, "%s/%s already exists", write->kind, write->name)
			   : 0;
	if (!row)
		return wf_fail(err, -ESTALE, "%s/%s was deleted since it was read", write->kind,
			       write->name);
	if (row->revision != write->expected)
		return wf_fail(err, -ESTALE,
			       "%s/%s was changed since it was read (it has resourceVersion %llu, "
			       "expected was %llu)",
			       write->kind, write->name, (unsigned long long)row->revision,
			       (unsigned long long)write->expected);
	return 0;
}

/* Appends to the log what was done, and to the batch if anybody wants to see it. */
static int record(struct wf_local_transaction *t, const struct wf_local_row *row,
		  const json_t *document, struct wf_err *err)
{
	struct wf_local *local = t->local;
	json_t *copy = NULL;
	int r = 0;

	t->newest.revision = t->revision;
	t->newest.changes++;
	t->newest.bytes += row->len + strlen(row->kind) + strlen(row->name);
	if (!t->is_unlogged)
		r = local->rows->log(local, row, t->changes, &t->newest, err);
	t->changes++;
	if (r < 0 || !wf_watch_wants(&local->store, row->kind))
		return r;
	if (document && !(copy = json_deep_copy(document)))
		return wf_fail(err, -ENOMEM, "out of memory for the watchers of %s", row->kind);
	if (wf_watch_batch_add(t->batch, row->kind, row->name, copy) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the watchers of %s", row->kind);
	return 0;
}

int wf_local_render(const struct wf_store_write *write, char **ret_text, size_t *ret_len,
		    struct wf_err *err)
{
	_cleanup_free_ char *text = wf_json_text(write->document);

	if (!text)
		return wf_fail(err, -ENOMEM, "out of memory storing %s/%s", write->kind,
			       write->name);
	*ret_len = strlen(text);
	if (*ret_len > WF_JSON_MAX_BYTES)
		return wf_fail(err, -E2BIG, "%s/%s of %zu bytes is larger than the %u accepted",
			       write->kind, write->name, *ret_len, WF_JSON_MAX_BYTES);
	*ret_text = TAKE_PTR(text);
	return 0;
}

int wf_local_write(struct wf_local_transaction *t, const struct wf_store_write *write,
		   const char *text, size_t len, struct wf_err *err)
{
	const struct wf_local_row row = {
		.kind = write->kind,
		.name = write->name,
		.text = text,
		.len = len,
		.revision = t->revision,
		.lease = write->lease,
	};
	int r = t->local->rows->put(t->local, &row, err);

	return r < 0 ? r : record(t, &row, write->document, err);
}

int wf_local_note_put(struct wf_local_transaction *t, const struct wf_store_write *write,
		      size_t len, struct wf_err *err)
{
	const struct wf_local_row row = { .kind = write->kind, .name = write->name, .len = len };

	return record(t, &row, write->document, err);
}

/* The member of a stored document's metadata; "" when it is not there. */
static const char *stored_text(const json_t *stored, const char *key)
{
	return wf_json_str(json_object_get(stored, "metadata"), key, "");
}

int wf_local_check_lease(struct wf_local *local, const struct wf_store_write *write,
			 struct wf_err *err)
{
	if (!write->lease || wf_local_find_lease(local, write->lease))
		return 0;
	return wf_fail(err, -ENOENT, "%s/%s: lease %llu has ended", write->kind, write->name,
		       (unsigned long long)write->lease);
}

int wf_local_rows_end(struct wf_local *local, int r, struct wf_err *err)
{
	if (r == 0)
		return local->rows->end(local, err);
	local->rows->undo(local);
	return r;
}

int wf_local_stamp(struct wf_local *local, const struct wf_store_write *write,
		   const struct wf_local_row *row, const char *created, struct wf_stamp *stamp,
		   bool *ret_same, struct wf_err *err)
{
	_cleanup_json_ json_t *stored = NULL;
	uint64_t revision = local->store.revision + 1;
	char uid[WF_STAMP_UID_BYTES];
	int r;

	*ret_same = false;
	r = wf_local_check_lease(local, write, err);
	if (r < 0)
		return r;
	if (row) {
		r = wf_local_parse(row, &stored, err);
		if (r < 0)
			return r;
		*ret_same = row->lease == write->lease && wf_stamp_equal(stored, write->document);
		r = wf_stamp_put(stamp, write->document, stored_text(stored, "uid"),
				 *ret_same ? row->revision : revision,
				 stored_text(stored, "creationTimestamp"));
	} else {
		r = wf_stamp_uid(uid);
		if (r < 0)
			return wf_fail(err, r, "no randomness for a uid: %s", strerror(-r));
		r = wf_stamp_put(stamp, write->document, uid, revision, created);
	}
	return r < 0 ? wf_fail(err, r, "out of memory storing %s/%s", write->kind, write->name) : 0;
}

static int do_put(struct wf_local_transaction *t, const struct wf_store_write *write,
		  const struct wf_local_row *row, struct wf_stamp *stamp, struct wf_err *err)
{
	_cleanup_free_ char *text = NULL;
	bool same = false;
	size_t len = 0;
	int r = wf_local_stamp(t->local, write, row, t->created, stamp, &same, err);

	if (r < 0 || same)
		return r;
	r = wf_local_render(write, &text, &len, err);
	return r < 0 ? r : wf_local_write(t, write, text, len, err);
}

int wf_local_delete(struct wf_local_transaction *t, const struct wf_store_write *write,
		    struct wf_err *err)
{
	const struct wf_local_row row = {
		.kind = write->kind,
		.name = write->name,
		.revision = t->revision,
	};
	int r = t->local->rows->remove(t->local, write->kind, write->name, err);

	return r < 0 ? r : record(t, &row, NULL, err);
}

static int do_writes(struct wf_local_transaction *t, const struct wf_store_write *writes,
		     size_t count, struct wf_stamp *stamps, struct wf_err *err)
{
	for (size_t i = 0; i < count; i++) {
		const struct wf_store_write *write = &writes[i];
		struct wf_local_row row, *found;
		int r = t->local->rows->read(t->local, write->kind, write->name, &row, err);

		if (r < 0)
			return fail_object(write, r, err);
		found = r ? &row : NULL;
		r = wf_local_check_expected(write, found, err);
		if (r == 0)
			r = write->op == WF_STORE_PUT ? do_put(t, write, found, &stamps[i], err)
						      : wf_local_delete(t, write, err);
		if (r < 0)
			return fail_object(write, r, err);
	}
	return 0;
}

int wf_local_begin(struct wf_local_transaction *t, struct wf_local *local, size_t count,
		   enum wf_store_durability durability, struct wf_err *err)
{
	*t = (struct wf_local_transaction){
		.local = local,
		.newest = local->newest,
		.revision = local->store.revision + 1,
		.batch = wf_watch_batch_new(count),
	};
	(void)wf_clock_format(wf_clock_wall_s(), t->created);
	if (!t->batch)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction of %zu writes",
			       count);
	/* never known to happen: a revision that would show what is hidden */
	if (local->hidden_revision && t->revision >= local->hidden_revision) {
		int r = wf_local_unhide(local, SIZE_MAX, err);

		if (r < 0)
			return r;
	}
	return local->rows->begin(local, durability, err);
}

static int trim(struct wf_local_transaction *t, struct wf_local_mark *forgotten, struct wf_err *err)
{
	if (!t->is_unlogged)
		return wf_local_trim(t->local, &t->newest, forgotten, err);
	*forgotten = t->newest;
	return t->local->rows->forget(t->local, &t->newest, err);
}

int wf_local_end(struct wf_local_transaction *t, int r, uint64_t drop, struct wf_err *err)
{
	struct wf_local *local = t->local;
	struct wf_local_mark forgotten = local->forgotten;

	if (r == 0 && drop)
		r = local->rows->lease_drop(local, drop, err);
	if (r == 0 && t->changes)
		r = trim(t, &forgotten, err);
	if (r < 0 || !(t->changes || drop)) {
		local->rows->undo(local);
		return r;
	}
	r = local->rows->end(local, err);
	if (r < 0 || !t->changes)
		return r;
	local->newest = t->newest;
	local->forgotten = forgotten;
	local->store.revision = t->revision;
	t->is_done = true;
	return 0;
}

void wf_local_deliver(struct wf_local_transaction *t)
{
	struct wf_store_batch *batch = TAKE_PTR(t->batch);

	if (!t->is_done) {
		wf_watch_batch_free(&batch);
		return;
	}
	batch->revision = t->revision;
	wf_watch_deliver(&t->local->store, batch);
}

/* Backwards, so that a document that is in it twice gets its first stamp off last. */
static void end_stamps(struct wf_stamp *stamps, size_t count, bool committed)
{
	for (size_t i = count; i-- > 0;) {
		if (!stamps[i].document)
			continue;
		if (committed)
			wf_stamp_keep(&stamps[i]);
		else
			wf_stamp_undo(&stamps[i]);
	}
}

int wf_local_apply(struct wf_local *local, const struct wf_store_write *writes, size_t count,
		   enum wf_store_durability durability, uint64_t drop, struct wf_err *err)
{
	_cleanup_free_ struct wf_stamp *stamps = calloc(count ? count : 1, sizeof(*stamps));
	struct wf_local_transaction t;
	int r;

	if (!stamps)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction of %zu writes",
			       count);
	r = wf_local_begin(&t, local, count, durability, err);
	if (r == 0)
		r = wf_local_end(&t, do_writes(&t, writes, count, stamps, err), drop, err);
	end_stamps(stamps, count, r == 0);
	if (r == 0)
		wf_local_stages_note(local, writes, count);
	wf_local_deliver(&t);
	return r;
}

static int local_commit(struct wf_store *store, const struct wf_store_write *writes, size_t count,
			enum wf_store_durability durability, uint64_t *ret_revision,
			struct wf_err *err)
{
	uint64_t before = store->revision;
	struct wf_local *local = (struct wf_local *)store;
	uint64_t changed = local->newest.changes;
	int r = wf_local_apply(local, writes, count, durability, 0, err);

	/* callbacks may have committed more by now: this one's revision is the next after before */
	if (r == 0)
		*ret_revision = local->newest.changes == changed ? before : before + 1;
	return r;
}

static void local_on_backlog(struct wf_store *store, wf_store_backlog_fn backlog, void *context)
{
	struct wf_local *local = (struct wf_local *)store;

	local->backlog = backlog;
	local->backlog_context = context;
}

static void local_tidy(struct wf_store *store)
{
	struct wf_local *local = (struct wf_local *)store;

	wf_local_tidy_hidden(local);
	if (local->rows->tidy)
		local->rows->tidy(local);
}

static void local_state(const struct wf_store *store, struct wf_store_state *ret_state)
{
	const struct wf_local *local = (const struct wf_local *)store;

	ret_state->write_code = local->refused.code;
	ret_state->write_error = local->refused.message;
	ret_state->write_error_since_s = local->refused_since_s;
}

void wf_local_refused(struct wf_local *local, const struct wf_err *why)
{
	if (!local->refused.code)
		local->refused_since_s = wf_clock_wall_s();
	local->refused = *why;
	if (local->backlog)
		local->backlog(local->backlog_context);
}

void wf_local_written(struct wf_local *local)
{
	if (!local->refused.code)
		return;
	wf_err_clear(&local->refused);
	local->refused_since_s = 0;
}

const struct wf_store_ops wf_local_store_ops = {
	.close = local_close,
	.get = local_get,
	.list = local_list,
	.count = local_count,
	.visit = local_visit,
	.commit = local_commit,
	.stage_add = wf_local_stage_add,
	.stage_write = wf_local_stage_write,
	.stage_commit = wf_local_stage_commit,
	.stage_drop = wf_local_stage_drop,
	.stage_end = wf_local_stage_end,
	.history = wf_local_history,
	.compact = wf_local_compact,
	.on_backlog = local_on_backlog,
	.tidy = local_tidy,
	.lease_grant = wf_local_lease_grant,
	.lease_renew = wf_local_lease_renew,
	.lease_revoke = wf_local_lease_revoke,
	.lease_expire = wf_local_lease_expire,
	.state = local_state,
};
