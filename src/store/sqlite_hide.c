/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the sqlite back end that are written and not to be seen yet: see local_hide.c. They are in their
 * table, with a revision that is still to come; what they replace is kept in another one. As long as that
 * is so the database says that it is of another version. Copies of a transaction that was committed are
 * of no use, and go little by little.
 */
#include "store/sqlite_priv.h"

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

static int unhide(struct wf_sqlite *sqlite, struct wf_err *err)
{
	int r;

	(void)sqlite3_bind_int64(sqlite->statements[WF_SQL_UNHIDE], 1,
				 (sqlite3_int64)sqlite->local.store.revision);
	r = wf_sqlite_execute(sqlite, WF_SQL_UNHIDE, "write", err);
	if (r == 0)
		r = wf_sqlite_execute(sqlite, WF_SQL_PUT_BACK, "write", err);
	if (r == 0)
		r = wf_sqlite_execute(sqlite, WF_SQL_UNKEEP_ALL, "write", err);
	return r < 0 ? r : set_version(sqlite, WF_SQLITE_SCHEMA, err);
}

int wf_sqlite_unhide(struct wf_local *local, struct wf_err *err)
{
	return unhide(wf_sqlite_of(local), err);
}

int wf_sqlite_hide_recover(struct wf_sqlite *sqlite, bool is_unfinished, struct wf_err *err)
{
	struct wf_local *local = &sqlite->local;
	int r;

	sqlite->has_kept = true;
	if (!is_unfinished)
		return 0;
	r = local->rows->begin(local, WF_STORE_DURABLE, err);
	if (r == 0)
		r = unhide(sqlite, err);
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
