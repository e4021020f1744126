/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions of the sqlite back end, what the disk makes of them, and what becomes of its errors.
 *
 * Durability. A commit appends to the WAL, and PRAGMA synchronous says whether the WAL is synced
 * then: FULL for WF_STORE_DURABLE, NORMAL for WF_STORE_BOOT_BOUND. The level is a setting of the
 * connection that takes effect with the next transaction, so one connection switches it (1 us,
 * and only when the level changes); two connections would need shared memory, locks on
 * every commit, and a cache each. The frames of the WAL are chained by checksums and a sync
 * covers the whole file: a durable commit takes every boot-bound one before it along, and what a
 * power cut leaves is always the state after some transaction.
 *
 * Moving the WAL into the database waits for the disk, three times. It is done when nobody wants
 * anything (wf_store_tidy()), or when the WAL has become several times as long as it should.
 *
 * Failed writes. After a failed sync Linux may have dropped the very pages it could not write and
 * report success the next time: commits that build on such a WAL would be lost silently. So after
 * any I/O error the store is suspect, and the next transaction begins only after the WAL has been
 * written into the database, synced there, and emptied. A commit that failed with -EIO changed
 * nothing that this process will see; should the machine or the daemon die before the WAL is
 * emptied, it may turn out to have happened.
 *
 * From a write that the disk refuses until one that it takes, the store says so (wf_store_state()).
 */
#include <errno.h>
#include <string.h>

#include "store/sqlite_priv.h"

/* So many times the pages that are to be moved into the database may wait until they are. */
#define BACKLOG_FACTOR 4

static int fail_read_only(const struct wf_sqlite *sqlite, const char *doing, struct wf_err *err)
{
	return wf_fail(
		err, -EROFS,
		"cannot %s %s: its file system is read-only; see with dmesg why, and mount it "
		"for writing again",
		doing, sqlite->path);
}

/* The last errno of the file that a file control points to; 0: none. */
static int file_errno(sqlite3 *db, int pointer)
{
	sqlite3_file *file = NULL;
	int errnum = 0;

	if (sqlite3_file_control(db, "main", pointer, &file) != SQLITE_OK || !file ||
	    !file->pMethods ||
	    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &errnum) != SQLITE_OK)
		return 0;
	return errnum;
}

/* SQLite keeps the errno of statements, but not that of COMMIT, which only the WAL or the database has. */
static int disk_errno(sqlite3 *db)
{
	int errnum = sqlite3_system_errno(db);

	if (!errnum)
		errnum = file_errno(db, SQLITE_FCNTL_JOURNAL_POINTER);
	return errnum ? errnum : file_errno(db, SQLITE_FCNTL_FILE_POINTER);
}

static int fail_io(struct wf_sqlite *sqlite, int code, const char *doing, struct wf_err *err)
{
	int errnum = disk_errno(sqlite->db);

	sqlite->is_suspect = true;
	if (code == SQLITE_IOERR_NOMEM)
		return wf_fail(err, -ENOMEM, "out of memory: cannot %s %s", doing, sqlite->path);
	if (errnum == ENOSPC || errnum == EDQUOT)
		return wf_fail(err, -ENOSPC, "no space left: cannot %s %s; nothing was changed",
			       doing, sqlite->path);
	if (errnum == EROFS)
		return fail_read_only(sqlite, doing, err);
	if (errnum == EPERM || errnum == EACCES)
		return wf_fail(
			err, -EROFS,
			"cannot %s %s: it may not be changed, or the files beside it; look at "
			"them with lsattr, and allow it with 'chattr -i %s*'",
			doing, sqlite->path, sqlite->path);
	return wf_fail(err, -EIO, "cannot %s %s: %s (%s)", doing, sqlite->path,
		       sqlite3_errmsg(sqlite->db), errnum ? strerror(errnum) : "I/O error");
}

int wf_sqlite_fail(struct wf_sqlite *sqlite, int code, const char *doing, struct wf_err *err)
{
	int extended = sqlite3_extended_errcode(sqlite->db), errnum;

	switch (code & 0xff) {
	case SQLITE_FULL:
		return wf_fail(err, -ENOSPC, "no space left: cannot %s %s; nothing was changed",
			       doing, sqlite->path);
	case SQLITE_NOMEM:
		return wf_fail(err, -ENOMEM, "out of memory: cannot %s %s", doing, sqlite->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return wf_fail(err, -EBUSY, "%s is in use by another process", sqlite->path);
	case SQLITE_READONLY:
		return wf_fail(err, -EROFS, "cannot %s %s: it is read-only", doing, sqlite->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return wf_fail(err, -EIO,
			       "%s is damaged (%s): stop weftd, move %s and %s-wal away, then put "
			       "a backup in their place, or start with an empty store and apply "
			       "the documents again",
			       sqlite->path, sqlite3_errmsg(sqlite->db), sqlite->path,
			       sqlite->path);
	case SQLITE_IOERR: return fail_io(sqlite, extended, doing, err);
	case SQLITE_CANTOPEN:
		errnum = sqlite3_system_errno(sqlite->db);
		return wf_fail(err, errnum ? -errnum : -EIO, "cannot open %s: %s", sqlite->path,
			       errnum ? strerror(errnum) : sqlite3_errmsg(sqlite->db));
	default:
		return wf_fail(err, -EIO, "cannot %s %s: %s", doing, sqlite->path,
			       sqlite3_errmsg(sqlite->db));
	}
}

/* The failure of a write: told until one succeeds, if it is the disk's. */
static int fail_write(struct wf_sqlite *sqlite, int code, const char *doing, struct wf_err *err)
{
	struct wf_err why = WF_ERR_INIT;
	int r = wf_sqlite_fail(sqlite, code, doing, &why);

	if (r == -ENOSPC || r == -EROFS || r == -EIO)
		wf_local_refused(&sqlite->local, &why);
	if (err)
		*err = why;
	return r;
}

int wf_sqlite_execute(struct wf_sqlite *sqlite, enum wf_sqlite_statement which, const char *doing,
		      struct wf_err *err)
{
	sqlite3_stmt *statement = sqlite->statements[which];
	int code = sqlite3_step(statement), r = 0;

	if (code != SQLITE_DONE)
		r = fail_write(sqlite, code, doing, err);
	(void)sqlite3_reset(statement);
	return r;
}

static int use_synchronous(struct wf_sqlite *sqlite, const char *level, struct wf_err *err)
{
	char text[64];
	int code;

	if (sqlite->synchronous == level)
		return 0;
	(void)sqlite3_snprintf(sizeof(text), text, "PRAGMA synchronous = %s", level);
	code = sqlite3_exec(sqlite->db, text, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return wf_sqlite_fail(sqlite, code, "write", err);
	sqlite->synchronous = level;
	return 0;
}

void wf_sqlite_undo(struct wf_local *local)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);

	/* some failures have rolled back already */
	if (!sqlite3_get_autocommit(sqlite->db))
		(void)wf_sqlite_execute(sqlite, WF_SQL_ROLLBACK, "write", NULL);
}

static int commit(struct wf_sqlite *sqlite, struct wf_err *err)
{
	int r = wf_sqlite_execute(sqlite, WF_SQL_COMMIT, "write", err);

	if (r < 0)
		wf_sqlite_undo(&sqlite->local);
	else
		wf_local_written(&sqlite->local);
	return r;
}

/* Empties the WAL into the database after an I/O error; nothing is written before it worked. */
static int recover(struct wf_sqlite *sqlite, struct wf_err *err)
{
	int code =
		sqlite3_wal_checkpoint_v2(sqlite->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (code != SQLITE_OK)
		return fail_write(sqlite, code, "write", err);
	sqlite->is_suspect = false;
	return 0;
}

int wf_sqlite_begin(struct wf_local *local, enum wf_store_durability durability, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int r = sqlite->is_suspect ? recover(sqlite, err) : 0;

	if (r == 0)
		r = use_synchronous(
			sqlite, durability == WF_STORE_DURABLE ? sqlite->tuning.durable : "NORMAL",
			err);
	return r < 0 ? r : wf_sqlite_execute(sqlite, WF_SQL_BEGIN, "write", err);
}

/*
 * The first write after the WAL has been moved begins it anew, and waits for the disk: this one does,
 * so that no commit has to. What it writes is as it was, but SQLite must not see that.
 */
static void begin_wal(struct wf_sqlite *sqlite)
{
	sqlite3_stmt *touch = sqlite->statements[WF_SQL_TOUCH];
	int r = wf_sqlite_execute(sqlite, WF_SQL_BEGIN, "write", NULL);

	(void)sqlite3_bind_int64(touch, 1, 1);
	if (r == 0)
		r = wf_sqlite_execute(sqlite, WF_SQL_TOUCH, "write", NULL);
	(void)sqlite3_bind_int64(touch, 1, -1);
	if (r == 0)
		r = wf_sqlite_execute(sqlite, WF_SQL_TOUCH, "write", NULL);
	if (r == 0)
		(void)commit(sqlite, NULL);
	else
		wf_sqlite_undo(&sqlite->local);
}

/*
 * Moves the WAL into the database. The commits stand whatever becomes of it. A disk that took no change
 * is tried again first.
 */
void wf_sqlite_tidy(struct wf_local *local)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int code;

	if (local->refused.code && (!sqlite->is_suspect || recover(sqlite, NULL) == 0))
		begin_wal(sqlite);
	if (!local->refused.code)
		wf_sqlite_hide_tidy(sqlite);
	if (local->refused.code || sqlite->wal_pages < sqlite->tuning.checkpoint_pages)
		return;
	code = sqlite3_wal_checkpoint_v2(sqlite->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	if ((code & 0xff) == SQLITE_IOERR)
		(void)fail_write(sqlite, code, "write", NULL);
	if (code == SQLITE_OK)
		begin_wal(sqlite);
	sqlite->wal_pages = 0;
}

int wf_sqlite_end(struct wf_local *local, struct wf_err *err)
{
	struct wf_sqlite *sqlite = wf_sqlite_of(local);
	int r = commit(sqlite, err);

	if (r < 0)
		return r;
	if (sqlite->wal_pages < sqlite->tuning.checkpoint_pages)
		return 0;
	if (local->backlog && sqlite->wal_pages < BACKLOG_FACTOR * sqlite->tuning.checkpoint_pages)
		local->backlog(local->backlog_context);
	else
		wf_sqlite_tidy(local);
	return 0;
}
