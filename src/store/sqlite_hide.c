/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the sqlite back end that are written and not to be seen yet: see local_hide.c. They are in their
 * table, with a revision that is still to come; what they replace is kept in another one. As long as that
 * is so the database says that it is of another version. Copies of a transaction that was committed are
 * of no use, and go little by little.
 */
#include "store/sqlite_priv.h"

#include "base/mem.h"

/* Copies that are deleted at once. */
#define TIDY_ROWS 500

static int set_version(struct wf_sqlite *sqlite, int version, struct wf_err *err)
{
	char text[64];
	int code;

	(void)sqlite3_snprintf(sizeof(text), text, "PRAGMA user_version = %d", version);
	code = sqlite3_exec(sqlite->db, text, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : wf_sqlite_fail(sqlite, code, "write", err);
}

int wf_sqlite_hide_begin(struct wf_local *local, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int r = wf_sqlite_execute(sqlite, WF_SQL_UNKEEP_ALL, "write", err);

	return r < 0 ? r : set_version(sqlite, WF_SQLITE_UNFINISHED, err);
}

int wf_sqlite_hide(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err)
{
	int r = wf_sqlite_execute_key(wf_sqlite_of(local), WF_SQL_KEEP, row->kind, row->name, err);

	return r < 0 ? r : local->rows->put(local, row, err);
}

int wf_sqlite_show(struct wf_local *local, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);

	sqlite->has_kept = true;
	return set_version(sqlite, WF_SQLITE_SCHEMA, err);
}

/* Up to `most` of what others hide, oldest first; how many, or an error. */
static int64_t put_back(struct wf_sqlite *sqlite, sqlite3_int64 most, struct wf_err *err)
{
	static const enum wf_sqlite_statement steps[] = { WF_SQL_PUT_BACK, WF_SQL_UNKEEP_SOME };

	for (size_t i = 0; i < WF_ARRAY_LEN(steps); i++) {
		int r;

		(void)sqlite3_bind_int64(sqlite->statements[steps[i]], 1, most);
		r = wf_sqlite_execute(sqlite, steps[i], "write", err);
		if (r < 0)
			return r;
	}
	return sqlite3_changes64(sqlite->db);
}

/* Of the next `most` rows after *place those that are hidden; 1: there are more rows. */
static int remove_hidden(struct wf_sqlite *sqlite, sqlite3_int64 most, uint64_t *place,
			 struct wf_err *err)
{
	sqlite3_stmt *rows = sqlite->statements[WF_SQL_ROWS_FROM];
	sqlite3_stmt *unhide = sqlite->statements[WF_SQL_UNHIDE];
	sqlite3_int64 after = (sqlite3_int64)*place, last = after, count = 0;
	int r = 0;

	(void)sqlite3_bind_int64(rows, 1, after);
	(void)sqlite3_bind_int64(rows, 2, most);
	if (sqlite3_step(rows) == SQLITE_ROW) {
		count = sqlite3_column_int64(rows, 0);
		last = sqlite3_column_int64(rows, 1);
	} else {
		r = wf_sqlite_fail(sqlite, sqlite3_errcode(sqlite->db), "read", err);
	}
	(void)sqlite3_reset(rows);
	if (r < 0 || !count)
		return r;
	(void)sqlite3_bind_int64(unhide, 1, after);
	(void)sqlite3_bind_int64(unhide, 2, last);
	(void)sqlite3_bind_int64(unhide, 3, (sqlite3_int64)sqlite->local.store.revision);
	r = wf_sqlite_execute(sqlite, WF_SQL_UNHIDE, "write", err);
	*place = (uint64_t)last;
	return r < 0 ? r : count == most;
}

/* First what is in the place of something, then what is in nobody's, in the order of the rows. */
int wf_sqlite_unhide(struct wf_local *local, size_t most, uint64_t *place, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_int64 limit = most < INT64_MAX ? (sqlite3_int64)most : INT64_MAX;
	int64_t count = put_back(sqlite, limit, err);
	int r = count < 0 ? (int)count : count == limit;

	if (r == 0)
		r = remove_hidden(sqlite, limit, place, err);
	return r ? r : set_version(sqlite, WF_SQLITE_SCHEMA, err);
}

int wf_sqlite_hide_recover(struct wf_sqlite *sqlite, bool is_unfinished, struct wf_err *err)
{
	struct wf_local *local = &sqlite->local;
	uint64_t place = 0;
	int r;

	sqlite->has_kept = true;
	if (!is_unfinished)
		return 0;
	r = local->rows->begin(local, WF_STORE_DURABLE, err);
	if (r == 0)
		r = wf_sqlite_unhide(local, SIZE_MAX, &place, err);
	return r < 0 ? r : local->rows->end(local, err);
}

void wf_sqlite_hide_tidy(struct wf_sqlite *sqlite)
{
	struct wf_local *local = &sqlite->local;
	bool has_more;

	if (!sqlite->has_kept || local->hidden_revision ||
	    local->rows->begin(local, WF_STORE_BOOT_BOUND, NULL) < 0)
		return;
	(void)sqlite3_bind_int64(sqlite->statements[WF_SQL_UNKEEP_SOME], 1, TIDY_ROWS);
	if (wf_sqlite_execute(sqlite, WF_SQL_UNKEEP_SOME, "write", NULL) < 0) {
		local->rows->undo(local);
		return;
	}
	has_more = sqlite3_changes(sqlite->db) == TIDY_ROWS;
	/* the end may find that there is to tidy up, and would come here again */
	sqlite->has_kept = false;
	sqlite->has_kept = local->rows->end(local, NULL) < 0 || has_more;
	if (has_more && local->backlog)
		local->backlog(local->backlog_context);
}
