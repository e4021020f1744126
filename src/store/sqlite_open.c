/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the database: own it alone, refuse what a newer weft or another program wrote, refuse
 * what is damaged, create what is missing, take up where the last process stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "store/sqlite_priv.h"

/*
 * document: the objects. change: the log of changes, key revision << 20 | position, body NULL
 * for a deletion, with running totals so that its size is known without counting. forgotten:
 * one row, the totals up to which the log was compacted. lease: ids are never used twice.
 */
static const char schema[] =
	"CREATE TABLE document (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
	" revision INTEGER NOT NULL, lease INTEGER NOT NULL, body TEXT NOT NULL,"
	" UNIQUE (kind, name));"
	"CREATE INDEX document_lease ON document (lease) WHERE lease <> 0;"
	"CREATE TABLE change (seq INTEGER PRIMARY KEY, changes INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT);"
	"CREATE TABLE forgotten (revision INTEGER NOT NULL, changes INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL);"
	"INSERT INTO forgotten VALUES (0, 0, 0);"
	"CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL);";

/* Copies of rows that others hide (sqlite_hide.c); not in all databases of this version. */
static const char kept[] =
	"CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
	" name TEXT NOT NULL, revision INTEGER NOT NULL, lease INTEGER NOT NULL,"
	" body TEXT NOT NULL, UNIQUE (kind, name));";

static int make_parent(const char *path, struct wf_err *err)
{
	_cleanup_free_ char *parent = strdup(path);
	char *slash;

	if (!parent)
		return wf_fail(err, -ENOMEM, "out of memory opening %s", path);
	slash = strrchr(parent, '/');
	if (slash == parent || access(path, F_OK) == 0)
		return 0;
	*slash = '\0';
	return wf_file_make_dirs(parent, 0700, err);
}

static int fail_locked(const struct wf_sqlite *sqlite, struct wf_err *err)
{
	char owner[24] = "";
	ssize_t len = pread(sqlite->lock_fd, owner, sizeof(owner) - 1, 0);

	owner[len > 0 ? len : 0] = '\0';
	owner[strcspn(owner, " \n")] = '\0';
	return wf_fail(err, -EBUSY,
		       "%s is in use by another process (pid %s): only one weftd can own it; stop "
		       "the other one or give this one its own --state-dir",
		       sqlite->path, *owner ? owner : "unknown");
}

/* The lock is a file of its own: SQLite's are lost when any descriptor of the file is closed. */
static int lock(struct wf_sqlite *sqlite, struct wf_err *err)
{
	_cleanup_free_ char *path = NULL;
	char text[24];
	int len;

	if (asprintf(&path, "%s.lock", sqlite->path) < 0)
		return wf_fail(err, -ENOMEM, "out of memory opening %s", sqlite->path);
	sqlite->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (sqlite->lock_fd < 0 && errno == EROFS)
		return wf_fail(err, -EROFS, "%s is on a read-only file system", sqlite->path);
	if (sqlite->lock_fd < 0)
		return wf_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(sqlite->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? fail_locked(sqlite, err)
			       : wf_fail(err, -errno, "cannot lock %s: %s", path, strerror(errno));
	/* for the message above; of fixed width, so that it overwrites the last owner's */
	len = snprintf(text, sizeof(text), "%-20ld\n", (long)getpid());
	if (pwrite(sqlite->lock_fd, text, (size_t)len, 0) != len)
		return wf_fail(err, -ENOSPC, "no space left: cannot write %s", path);
	return 0;
}

/* SQLite would create the file readable for all; its WAL takes over the mode. */
static int create_private(const struct wf_sqlite *sqlite, struct wf_err *err)
{
	int fd = open(sqlite->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return wf_fail(err, -errno, "cannot open %s: %s", sqlite->path, strerror(errno));
	(void)close(fd);
	return 0;
}

static int run(struct wf_sqlite *sqlite, const char *text, struct wf_err *err)
{
	int code = sqlite3_exec(sqlite->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : wf_sqlite_fail(sqlite, code, "open", err);
}

/* Reads up to `count` integers of the only row of a query; fewer rows leave them alone. */
static int query(struct wf_sqlite *sqlite, const char *text, uint64_t *values, int count,
		 struct wf_err *err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(sqlite->db, text, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	for (int i = 0; code == SQLITE_ROW && i < count; i++)
		values[i] = (uint64_t)sqlite3_column_int64(statement, i);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		code = wf_sqlite_fail(sqlite, code, "open", err);
	else
		code = 0;
	(void)sqlite3_finalize(statement);
	return code;
}

/* Before anything is written: is it ours, and do we understand it? */
static int check_version(struct wf_sqlite *sqlite, bool *ret_is_new, bool *ret_is_unfinished,
			 struct wf_err *err)
{
	uint64_t version = 0, application = 0, tables = 0;
	int r = query(sqlite, "PRAGMA user_version", &version, 1, err);

	if (r == 0)
		r = query(sqlite, "PRAGMA application_id", &application, 1, err);
	if (r == 0)
		r = query(sqlite, "SELECT count(*) FROM sqlite_schema", &tables, 1, err);
	if (r < 0)
		return r;
	*ret_is_new = tables == 0 && application == 0;
	if (*ret_is_new)
		return 0;
	if (application != WF_SQLITE_APPLICATION_ID)
		return wf_fail(err, -EIO, "%s is a database of another program", sqlite->path);
	*ret_is_unfinished = version == WF_SQLITE_UNFINISHED;
	if (version > WF_SQLITE_SCHEMA && !*ret_is_unfinished)
		return wf_fail(err, -ESTALE,
			       "%s was written by a newer weft (schema %llu, this one knows %d): "
			       "start that version again, or restore the backup made before the "
			       "upgrade",
			       sqlite->path, (unsigned long long)version, WF_SQLITE_SCHEMA);
	return 0;
}

static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
	((struct wf_sqlite *)context)->wal_pages = pages;
	return SQLITE_OK;
}

static int configure(struct wf_sqlite *sqlite, struct wf_err *err)
{
	int on = 1;
	int r = run(sqlite,
		    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -512;"
		    "PRAGMA mmap_size = 0; PRAGMA trusted_schema = OFF;"
		    "PRAGMA journal_size_limit = 8388608; PRAGMA synchronous = FULL",
		    err);

	(void)sqlite3_extended_result_codes(sqlite->db, 1);
	(void)sqlite3_file_control(sqlite->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &on);
	(void)sqlite3_wal_hook(sqlite->db, on_wal, sqlite);
	return r;
}

static int create_schema(struct wf_sqlite *sqlite, struct wf_err *err)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text,
		     "BEGIN; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		     schema, WF_SQLITE_APPLICATION_ID, WF_SQLITE_SCHEMA) < 0)
		return wf_fail(err, -ENOMEM, "out of memory opening %s", sqlite->path);
	return run(sqlite, text, err);
}

static int check_whole(struct wf_sqlite *sqlite, struct wf_err *err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(sqlite->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	const char *found;
	int r = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code != SQLITE_ROW)
		r = wf_sqlite_fail(sqlite, code, "open", err);
	else if (!(found = (const char *)sqlite3_column_text(statement, 0)))
		r = wf_sqlite_fail(sqlite, SQLITE_NOMEM, "open", err);
	else if (strcmp(found, "ok") != 0)
		r = wf_sqlite_fail(sqlite, SQLITE_CORRUPT, "open", err);
	(void)sqlite3_finalize(statement);
	return r;
}

static int load_leases(struct wf_sqlite *sqlite, struct wf_err *err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(sqlite->db, "SELECT id, ttl_ms FROM lease", -1, &statement,
				      NULL);
	int r = 0;

	while (r == 0 && code != SQLITE_DONE) {
		if (code == SQLITE_OK)
			code = sqlite3_step(statement);
		if (code == SQLITE_DONE)
			break;
		if (code != SQLITE_ROW) {
			r = wf_sqlite_fail(sqlite, code, "open", err);
			break;
		}
		r = wf_local_add_lease(&sqlite->local, (uint64_t)sqlite3_column_int64(statement, 0),
				       (uint64_t)sqlite3_column_int64(statement, 1));
		if (r < 0)
			(void)wf_fail(err, r, "out of memory opening %s", sqlite->path);
		code = SQLITE_OK;
	}
	(void)sqlite3_finalize(statement);
	return r;
}

/* Where the last process stopped: the revision is that of the newest change. */
static int load_state(struct wf_sqlite *sqlite, struct wf_err *err)
{
	struct wf_local *local = &sqlite->local;
	uint64_t mark[3] = { 0 };
	int r = query(sqlite, "SELECT revision, changes, bytes FROM forgotten", mark, 3, err);

	if (r < 0)
		return r;
	local->forgotten = (struct wf_local_mark){ mark[0], mark[1], mark[2] };
	r = query(sqlite, "SELECT seq >> 20, changes, bytes FROM change ORDER BY seq DESC LIMIT 1",
		  mark, 3, err);
	if (r < 0)
		return r;
	local->newest = (struct wf_local_mark){ mark[0], mark[1], mark[2] };
	local->store.revision = mark[0];
	return load_leases(sqlite, err);
}

static int open_database(struct wf_sqlite *sqlite, struct wf_err *err)
{
	bool is_new = false, is_unfinished = false;
	int code = sqlite3_open_v2(sqlite->path, &sqlite->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
				   NULL);
	int r;

	if (!sqlite->db)
		return wf_fail(err, -ENOMEM, "out of memory opening %s", sqlite->path);
	if (code != SQLITE_OK)
		return wf_sqlite_fail(sqlite, code, "open", err);
	r = configure(sqlite, err);
	if (r == 0)
		r = check_version(sqlite, &is_new, &is_unfinished, err);
	if (r == 0)
		r = run(sqlite, "PRAGMA journal_mode = WAL", err);
	if (r == 0)
		r = is_new ? create_schema(sqlite, err) : check_whole(sqlite, err);
	if (r == 0)
		r = run(sqlite, kept, err);
	if (r == 0)
		r = wf_sqlite_prepare(sqlite, err);
	if (r == 0)
		r = load_state(sqlite, err);
	return r < 0 ? r : wf_sqlite_hide_recover(sqlite, is_unfinished, err);
}

/* The object with nothing opened yet; NULL when out of memory. */
static struct wf_sqlite *make(const char *path, const struct wf_sqlite_tuning *tuning)
{
	struct wf_sqlite *sqlite = calloc(1, sizeof(*sqlite));

	if (!sqlite)
		return NULL;
	/* a relative path must not look like one of SQLite's special names */
	if (asprintf(&sqlite->path, "%s%s", strchr(path, '/') ? "" : "./", path) < 0) {
		free(sqlite);
		return NULL;
	}
	if (wf_store_init(&sqlite->local.store, &wf_local_store_ops, "sqlite:%s", path) < 0) {
		free(sqlite->path);
		free(sqlite);
		return NULL;
	}
	wf_local_init(&sqlite->local, &wf_sqlite_rows);
	sqlite->local.max_changes = tuning->max_changes;
	sqlite->local.max_history_bytes = tuning->max_history_bytes;
	sqlite->tuning = *tuning;
	sqlite->lock_fd = -1;
	return sqlite;
}

int wf_sqlite_open_tuned(const char *path, const struct wf_sqlite_tuning *tuning,
			 struct wf_store **ret_store, struct wf_err *err)
{
	struct wf_sqlite *sqlite = make(path, tuning);
	struct wf_store *store;
	int r;

	if (!sqlite)
		return wf_fail(err, -ENOMEM, "out of memory opening %s", path);
	store = &sqlite->local.store;
	r = make_parent(sqlite->path, err);
	if (r == 0)
		r = lock(sqlite, err);
	if (r == 0)
		r = create_private(sqlite, err);
	if (r == 0)
		r = open_database(sqlite, err);
	if (r < 0) {
		wf_store_close(&store);
		return r;
	}
	*ret_store = store;
	return 0;
}

int wf_store_sqlite_open(const char *path, struct wf_store **ret_store, struct wf_err *err)
{
	static const struct wf_sqlite_tuning tuning = WF_SQLITE_TUNING_DEFAULT;

	return wf_sqlite_open_tuned(path, &tuning, ret_store, err);
}
