/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row operations of local.h over SQLite, in write-ahead log (WAL) mode: reading and writing rows.
 * Transactions are in sqlite_commit.c.
 *
 * Memory. The connection owns the file (locking_mode=EXCLUSIVE), so the index of the WAL is a few
 * tens of kB of heap instead of a shared mapping; the page cache is bounded to 512 kB; the
 * database is not mapped.
 */
#include "store/sqlite_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Key of the log of changes: the revision, and the place within its transaction. */
#define POSITION_BITS 20

/* The buffer of the last document read is kept for the next one up to this size. */
#define KEEP_READ_BYTES 65536

#define COLUMNS "kind, name, body, revision, lease"

/* While rows are hidden: those up to the store's revision (?9), and what others hide. */
#define SHOWN                                                                              \
	"(SELECT " COLUMNS " FROM document WHERE revision <= ?9 UNION ALL SELECT " COLUMNS \
	" FROM kept)"

/* The statements that read documents, from `first` on, in the order of the enumeration. */
#define READS(first, source)                                                                \
	[first] = "SELECT " COLUMNS " FROM " source " WHERE kind = ?1 AND name = ?2",       \
	[(first) + 1] = "SELECT count(*) FROM " source " WHERE kind = ?1",                  \
	[(first) + 2] = "SELECT " COLUMNS " FROM " source " WHERE kind = ?1 ORDER BY name", \
	[(first) + 3] = "SELECT " COLUMNS " FROM " source                                   \
			" WHERE lease = ?1 AND lease <> 0 ORDER BY kind, name",             \
	[(first) + 4] = "SELECT " COLUMNS " FROM " source " ORDER BY kind, name"

/* The end of an insertion into the documents. */
#define REPLACES                                                        \
	" ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body," \
	" revision = excluded.revision, lease = excluded.lease"

static const char *const sql[WF_SQL_COUNT] = {
	[WF_SQL_BEGIN] = "BEGIN",
	[WF_SQL_COMMIT] = "COMMIT",
	[WF_SQL_ROLLBACK] = "ROLLBACK",
	[WF_SQL_PUT] = "INSERT INTO document (kind, name, body, revision, lease)"
		       " VALUES (?1, ?2, ?3, ?4, ?5)" REPLACES,
	[WF_SQL_REMOVE] = "DELETE FROM document WHERE kind = ?1 AND name = ?2",
	READS(WF_SQL_READ, "document"),
	READS(WF_SQL_SHOWN_READ, SHOWN),
	[WF_SQL_LOG] = "INSERT INTO change (seq, kind, name, body, changes, bytes)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[WF_SQL_OLDEST] = "SELECT seq, changes, bytes FROM change ORDER BY seq",
	[WF_SQL_FORGET] = "DELETE FROM change WHERE seq < ?1",
	[WF_SQL_SET_FORGOTTEN] = "UPDATE forgotten SET revision = ?1, changes = ?2, bytes = ?3",
	[WF_SQL_TOUCH] = "UPDATE forgotten SET revision = revision + ?1",
	[WF_SQL_HISTORY] = "SELECT kind, name, body, seq >> 20, 0 FROM change WHERE seq >= ?1"
			   " ORDER BY seq",
	[WF_SQL_HISTORY_KIND] = "SELECT kind, name, body, seq >> 20, 0 FROM change"
				" WHERE seq >= ?1 AND kind = ?2 ORDER BY seq",
	[WF_SQL_LEASE_NEW] = "INSERT INTO lease (ttl_ms) VALUES (?1)",
	[WF_SQL_LEASE_DROP] = "DELETE FROM lease WHERE id = ?1",
	[WF_SQL_KEEP] = "INSERT INTO kept (" COLUMNS ") SELECT " COLUMNS " FROM document"
			" WHERE kind = ?1 AND name = ?2",
	[WF_SQL_UNKEEP] = "DELETE FROM kept WHERE kind = ?1 AND name = ?2",
	[WF_SQL_UNKEEP_SOME] =
		"DELETE FROM kept WHERE id IN (SELECT id FROM kept ORDER BY id LIMIT ?1)",
	[WF_SQL_UNKEEP_ALL] = "DELETE FROM kept",
	[WF_SQL_PUT_BACK] =
		"INSERT INTO document (" COLUMNS ") SELECT " COLUMNS
		" FROM kept WHERE id IN (SELECT id FROM kept ORDER BY id LIMIT ?1)" REPLACES,
	[WF_SQL_ROWS_FROM] = "SELECT count(*), max(id) FROM"
			     " (SELECT id FROM document WHERE id > ?1 ORDER BY id LIMIT ?2)",
	[WF_SQL_UNHIDE] = "DELETE FROM document WHERE id > ?1 AND id <= ?2 AND revision > ?3",
};

int wf_sqlite_prepare(struct wf_sqlite *sqlite, struct wf_err *err)
{
	for (size_t i = 0; i < WF_SQL_COUNT; i++) {
		int code = sqlite3_prepare_v3(sqlite->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
					      &sqlite->statements[i], NULL);

		if (code != SQLITE_OK)
			return wf_sqlite_fail(sqlite, code, "prepare a statement for", err);
	}
	return 0;
}

/* The binds cannot fail for these types and indexes, except for memory, which the step reports. */
static void bind_text(sqlite3_stmt *statement, int index, const char *text, size_t len)
{
	(void)sqlite3_bind_text64(statement, index, text, len, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_key(sqlite3_stmt *statement, const char *kind, const char *name)
{
	bind_text(statement, 1, kind, strlen(kind));
	bind_text(statement, 2, name, strlen(name));
}

static void bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
	(void)sqlite3_bind_int64(statement, index, (sqlite3_int64)number);
}

static uint64_t number_at(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

/* The statement that reads what is to be seen. */
static sqlite3_stmt *reading(struct wf_sqlite *sqlite, enum wf_sqlite_statement which)
{
	sqlite3_stmt *statement;

	if (!sqlite->local.hidden_revision)
		return sqlite->statements[which];
	statement = sqlite->statements[which + (WF_SQL_SHOWN_READ - WF_SQL_READ)];
	bind_number(statement, 9, sqlite->local.store.revision);
	return statement;
}

static int read_row(struct wf_sqlite *sqlite, sqlite3_stmt *statement, struct wf_local_row *ret_row,
		    struct wf_err *err)
{
	bool has_text = sqlite3_column_type(statement, 2) != SQLITE_NULL;

	*ret_row = (struct wf_local_row){
		.kind = (const char *)sqlite3_column_text(statement, 0),
		.name = (const char *)sqlite3_column_text(statement, 1),
		.text = (const char *)sqlite3_column_text(statement, 2),
		.revision = number_at(statement, 3),
		.lease = number_at(statement, 4),
	};
	ret_row->len = (size_t)sqlite3_column_bytes(statement, 2);
	if (!ret_row->kind || !ret_row->name || (has_text && !ret_row->text))
		return wf_fail(err, -ENOMEM, "out of memory reading %s", sqlite->path);
	return 0;
}

/* Keeps a copy of the text, so that no cursor stays open; a large one not for long. */
static int copy_row(struct wf_sqlite *sqlite, sqlite3_stmt *statement, struct wf_local_row *ret_row,
		    struct wf_err *err)
{
	int r = read_row(sqlite, statement, ret_row, err);

	if (r < 0)
		return r;
	if (sqlite->read.capacity > KEEP_READ_BYTES)
		wf_str_done(&sqlite->read);
	sqlite->read.len = 0;
	wf_str_add_bytes(&sqlite->read, ret_row->text, ret_row->len);
	if (sqlite->read.failed) {
		wf_str_done(&sqlite->read);
		return wf_fail(err, -ENOMEM, "out of memory reading %s", sqlite->path);
	}
	ret_row->text = sqlite->read.data;
	return 1;
}

static int sqlite_read(struct wf_local *local, const char *kind, const char *name,
		       struct wf_local_row *ret_row, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *statement = reading(sqlite, WF_SQL_READ);
	int code, r = 0;

	bind_key(statement, kind, name);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		r = copy_row(sqlite, statement, ret_row, err);
	else if (code != SQLITE_DONE)
		r = wf_sqlite_fail(sqlite, code, "read", err);
	ret_row->kind = kind;
	ret_row->name = name;
	(void)sqlite3_reset(statement);
	return r;
}

int wf_sqlite_execute_key(struct wf_sqlite *sqlite, enum wf_sqlite_statement which,
			  const char *kind, const char *name, struct wf_err *err)
{
	bind_key(sqlite->statements[which], kind, name);
	return wf_sqlite_execute(sqlite, which, "write", err);
}

static int sqlite_put(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *statement = sqlite->statements[WF_SQL_PUT];
	int r;

	bind_key(statement, row->kind, row->name);
	bind_text(statement, 3, row->text, row->len);
	bind_number(statement, 4, row->revision);
	bind_number(statement, 5, row->lease);
	r = wf_sqlite_execute(sqlite, WF_SQL_PUT, "write", err);
	/* what hid there is overwritten */
	if (r == 0 && local->hidden_revision && row->revision != local->hidden_revision)
		r = wf_sqlite_execute_key(sqlite, WF_SQL_UNKEEP, row->kind, row->name, err);
	return r;
}

static int sqlite_remove(struct wf_local *local, const char *kind, const char *name,
			 struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int r = wf_sqlite_execute_key(sqlite, WF_SQL_REMOVE, kind, name, err);

	if (r == 0 && local->hidden_revision)
		r = wf_sqlite_execute_key(sqlite, WF_SQL_UNKEEP, kind, name, err);
	return r;
}

static int sqlite_count(struct wf_local *local, const char *kind, size_t *ret_count,
			struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *statement = reading(sqlite, WF_SQL_COUNT_KIND);
	int code, r = 0;

	bind_text(statement, 1, kind, strlen(kind));
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_count = (size_t)number_at(statement, 0);
	else
		r = wf_sqlite_fail(sqlite, code, "read", err);
	(void)sqlite3_reset(statement);
	return r;
}

/* Steps through a bound statement. */
static int visit_rows(struct wf_sqlite *sqlite, sqlite3_stmt *statement, wf_local_row_fn visit,
		      void *context, struct wf_err *err)
{
	struct wf_local_row row;
	int code, r = 0;

	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		r = read_row(sqlite, statement, &row, err);
		if (r == 0)
			r = visit(&row, context, err);
		if (r)
			break;
	}
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		r = wf_sqlite_fail(sqlite, code, "read", err);
	(void)sqlite3_reset(statement);
	return r < 0 ? r : 0;
}

static int sqlite_walk(struct wf_local *local, const char *kind, uint64_t lease,
		       wf_local_row_fn visit, void *context, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	enum wf_sqlite_statement which = lease ? WF_SQL_WALK_LEASE : WF_SQL_WALK_ALL;
	sqlite3_stmt *statement = reading(sqlite, kind ? WF_SQL_WALK_KIND : which);

	if (kind)
		bind_text(statement, 1, kind, strlen(kind));
	else if (lease)
		bind_number(statement, 1, lease);
	return visit_rows(sqlite, statement, visit, context, err);
}

static int sqlite_log(struct wf_local *local, const struct wf_local_row *row, size_t position,
		      const struct wf_local_mark *mark, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *statement = sqlite->statements[WF_SQL_LOG];

	bind_number(statement, 1, row->revision << POSITION_BITS | position);
	bind_text(statement, 2, row->kind, strlen(row->kind));
	bind_text(statement, 3, row->name, strlen(row->name));
	if (row->text)
		bind_text(statement, 4, row->text, row->len);
	else
		(void)sqlite3_bind_null(statement, 4);
	bind_number(statement, 5, mark->changes);
	bind_number(statement, 6, mark->bytes);
	return wf_sqlite_execute(sqlite, WF_SQL_LOG, "write", err);
}

static int sqlite_oldest(struct wf_local *local, wf_local_mark_fn visit, void *context,
			 struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *statement = sqlite->statements[WF_SQL_OLDEST];
	int code, r = 0;

	while (r == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct wf_local_mark mark = {
			.revision = number_at(statement, 0) >> POSITION_BITS,
			.changes = number_at(statement, 1),
			.bytes = number_at(statement, 2),
		};

		r = visit(&mark, context);
	}
	if (r == 0 && code != SQLITE_DONE)
		r = wf_sqlite_fail(sqlite, code, "read", err);
	(void)sqlite3_reset(statement);
	return r < 0 ? r : 0;
}

static int sqlite_forget(struct wf_local *local, const struct wf_local_mark *until,
			 struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	sqlite3_stmt *set = sqlite->statements[WF_SQL_SET_FORGOTTEN];
	int r;

	bind_number(sqlite->statements[WF_SQL_FORGET], 1, (until->revision + 1) << POSITION_BITS);
	r = wf_sqlite_execute(sqlite, WF_SQL_FORGET, "write", err);
	bind_number(set, 1, until->revision);
	bind_number(set, 2, until->changes);
	bind_number(set, 3, until->bytes);
	return r < 0 ? r : wf_sqlite_execute(sqlite, WF_SQL_SET_FORGOTTEN, "write", err);
}

static int sqlite_history(struct wf_local *local, const char *kind, uint64_t after,
			  wf_local_row_fn visit, void *context, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	enum wf_sqlite_statement which = kind ? WF_SQL_HISTORY_KIND : WF_SQL_HISTORY;

	bind_number(sqlite->statements[which], 1, (after + 1) << POSITION_BITS);
	if (kind)
		bind_text(sqlite->statements[which], 2, kind, strlen(kind));
	return visit_rows(sqlite, sqlite->statements[which], visit, context, err);
}

static int sqlite_lease_new(struct wf_local *local, uint64_t ttl_ms, uint64_t *ret_lease,
			    struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int r;

	bind_number(sqlite->statements[WF_SQL_LEASE_NEW], 1, ttl_ms);
	r = wf_sqlite_execute(sqlite, WF_SQL_LEASE_NEW, "write", err);
	if (r == 0)
		*ret_lease = (uint64_t)sqlite3_last_insert_rowid(sqlite->db);
	return r;
}

static int sqlite_lease_drop(struct wf_local *local, uint64_t lease, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);

	bind_number(sqlite->statements[WF_SQL_LEASE_DROP], 1, lease);
	return wf_sqlite_execute(sqlite, WF_SQL_LEASE_DROP, "write", err);
}

static void sqlite_close(struct wf_local *local)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);

	for (size_t i = 0; i < WF_SQL_COUNT; i++)
		(void)sqlite3_finalize(sqlite->statements[i]);
	/* leaves an empty WAL behind: what was boot-bound is in the database, and synced */
	(void)sqlite3_close(sqlite->db);
	if (sqlite->lock_fd >= 0)
		(void)close(sqlite->lock_fd);
	wf_str_done(&sqlite->read);
	free(sqlite->path);
}

const struct wf_local_ops wf_sqlite_rows = {
	.close = sqlite_close,
	.begin = wf_sqlite_begin,
	.end = wf_sqlite_end,
	.undo = wf_sqlite_undo,
	.read = sqlite_read,
	.put = sqlite_put,
	.remove = sqlite_remove,
	.count = sqlite_count,
	.walk = sqlite_walk,
	.log = sqlite_log,
	.oldest = sqlite_oldest,
	.forget = sqlite_forget,
	.history = sqlite_history,
	.hide_begin = wf_sqlite_hide_begin,
	.hide = wf_sqlite_hide,
	.show = wf_sqlite_show,
	.unhide = wf_sqlite_unhide,
	.tidy = wf_sqlite_tidy,
	.lease_new = sqlite_lease_new,
	.lease_drop = sqlite_lease_drop,
};
