/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the sqlite back end: sqlite_open.c makes it, sqlite.c reads and writes rows,
 * sqlite_commit.c begins and ends transactions.
 */
#ifndef WEFT_STORE_SQLITE_PRIV_H
#define WEFT_STORE_SQLITE_PRIV_H

#include <sqlite3.h>

#include "base/str.h"
#include "store/local.h"

/* PRAGMA user_version of what this code writes, and PRAGMA application_id ("weft"). */
#define WF_SQLITE_SCHEMA         1
#define WF_SQLITE_APPLICATION_ID 0x77656674

/* PRAGMA user_version while rows are hidden: other versions of weft would see them. */
#define WF_SQLITE_UNFINISHED (1000000 + WF_SQLITE_SCHEMA)

/* The prepared statements; their text is in sqlite.c. */
enum wf_sqlite_statement {
	WF_SQL_BEGIN,
	WF_SQL_COMMIT,
	WF_SQL_ROLLBACK,
	WF_SQL_PUT,
	WF_SQL_REMOVE,
	WF_SQL_READ,
	WF_SQL_COUNT_KIND,
	WF_SQL_WALK_KIND,
	WF_SQL_WALK_LEASE,
	WF_SQL_WALK_ALL,
	/* the same while rows are hidden */
	WF_SQL_SHOWN_READ,
	WF_SQL_SHOWN_COUNT_KIND,
	WF_SQL_SHOWN_WALK_KIND,
	WF_SQL_SHOWN_WALK_LEASE,
	WF_SQL_SHOWN_WALK_ALL,
	WF_SQL_LOG,
	WF_SQL_OLDEST,
	WF_SQL_FORGET,
	WF_SQL_SET_FORGOTTEN,
	WF_SQL_TOUCH,
	WF_SQL_HISTORY,
	WF_SQL_HISTORY_KIND,
	WF_SQL_LEASE_NEW,
	WF_SQL_LEASE_DROP,
	WF_SQL_KEEP,
	WF_SQL_UNKEEP,
	WF_SQL_UNKEEP_SOME,
	WF_SQL_UNKEEP_ALL,
	WF_SQL_PUT_BACK,
	WF_SQL_ROWS_FROM,
	WF_SQL_UNHIDE,
	WF_SQL_COUNT,
};

/* What only tests change. */
struct wf_sqlite_tuning {
	const char *durable;  /* PRAGMA synchronous of WF_STORE_DURABLE */
	int checkpoint_pages; /* pages in the write-ahead log that start a checkpoint */
	uint64_t max_changes; /* bound of the log of changes */
	uint64_t max_history_bytes;
};

struct wf_sqlite {
	struct wf_local local;
	struct wf_sqlite_tuning tuning;
	char *path;  /* owned; for messages */
	int lock_fd; /* PATH.lock, flock()ed for as long as the store is open */
	sqlite3 *db;
	sqlite3_stmt *statements[WF_SQL_COUNT];
	struct wf_str read;      /* text of the last row of read() */
	const char *synchronous; /* the level in force; NULL: not known */
	int wal_pages;           /* pages in the write-ahead log after the last commit */
	bool is_suspect;         /* a write or sync failed: see sqlite.c */
	bool has_kept;           /* copies of rows that nobody needs any more */
};

#define WF_SQLITE_TUNING_DEFAULT                                                                  \
	{                                                                                         \
		.durable = "FULL", .checkpoint_pages = 1000, .max_changes = WF_LOCAL_MAX_CHANGES, \
		.max_history_bytes = WF_LOCAL_MAX_HISTORY_BYTES                                   \
	}

/* As wf_store_sqlite_open() with other settings. */
int wf_sqlite_open_tuned(const char *path, const struct wf_sqlite_tuning *tuning,
			 struct wf_store **ret_store, struct wf_err *err);

extern const struct wf_local_ops wf_sqlite_rows;

static inline struct wf_sqlite *wf_sqlite_of(struct wf_local *local)
{
	return (struct wf_sqlite *)local;
}

/* Prepares all statements. */
int wf_sqlite_prepare(struct wf_sqlite *sqlite, struct wf_err *err);

/* Turns the last failure of the database into an error; `code` is SQLite's result. */
int wf_sqlite_fail(struct wf_sqlite *sqlite, int code, const char *doing, struct wf_err *err);

/* Runs a statement that returns no rows. */
int wf_sqlite_execute(struct wf_sqlite *sqlite, enum wf_sqlite_statement which, const char *doing,
		      struct wf_err *err);
/* The same for a change of the document that ?1 and ?2 name. */
int wf_sqlite_execute_key(struct wf_sqlite *sqlite, enum wf_sqlite_statement which,
			  const char *kind, const char *name, struct wf_err *err);

/* As local.h says of these row operations. */
int wf_sqlite_begin(struct wf_local *local, enum wf_store_durability durability,
		    struct wf_err *err);
int wf_sqlite_end(struct wf_local *local, struct wf_err *err);
void wf_sqlite_undo(struct wf_local *local);
void wf_sqlite_tidy(struct wf_local *local);

/* ---- sqlite_hide.c: rows that are not to be seen yet ------------------------------------------------ */

/* Of local.h. */
int wf_sqlite_hide_begin(struct wf_local *local, struct wf_err *err);
int wf_sqlite_hide(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err);
int wf_sqlite_show(struct wf_local *local, struct wf_err *err);
int wf_sqlite_unhide(struct wf_local *local, size_t most, uint64_t *place, struct wf_err *err);
/* At the start, when all else is known: takes away what the last process did not finish. */
int wf_sqlite_hide_recover(struct wf_sqlite *sqlite, bool is_unfinished, struct wf_err *err);
/* Deletes some of the copies that are not needed. */
void wf_sqlite_hide_tidy(struct wf_sqlite *sqlite);

#endif
