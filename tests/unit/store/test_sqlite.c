/* SPDX-License-Identifier: Apache-2.0 */
/* What only the SQLite back end promises: ownership, versions, damage, modes, a killed writer. */
#include "store/sqlite_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store_fixture.h"

static int begin(void **state)
{
	struct store_fixture *fixture = calloc(1, sizeof(*fixture));

	fixture_init(fixture);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	fixture_done(*state);
	free(*state);
	return 0;
}

static struct wf_store *open_store(const struct store_fixture *fixture)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store;

	if (wf_store_sqlite_open(fixture->path, &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

static void run_sql(const struct store_fixture *fixture, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static unsigned int mode_of(const char *dir, const char *name)
{
	char path[128];
	struct stat info;

	(void)snprintf(path, sizeof(path), "%s%s", dir, name);
	assert_int_equal(stat(path, &info), 0);
	return info.st_mode & 07777;
}

static void test_modes(void **state)
{
	struct store_fixture *fixture = *state, below;
	struct wf_store *store;
	mode_t mask = umask(0);

	(void)snprintf(below.dir, sizeof(below.dir), "%.40s/state", fixture->dir);
	(void)snprintf(below.path, sizeof(below.path), "%s/weft.db", below.dir);
	store = open_store(&below);
	assert_int_equal(put(store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	(void)umask(mask);
	assert_int_equal(mode_of(below.dir, ""), 0700);
	assert_int_equal(mode_of(below.path, ""), 0600);
	assert_int_equal(mode_of(below.path, "-wal"), 0600);
	assert_int_equal(mode_of(below.path, ".lock"), 0600);
	wf_store_close(&store);
	fixture_done(&below);
}

static void test_one_owner(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_store *store = open_store(fixture), *second = NULL;
	struct wf_err err = WF_ERR_INIT;
	char want[64];
	int status;
	pid_t pid;

	assert_int_equal(wf_store_sqlite_open(fixture->path, &second, &err), -EBUSY);
	assert_null(second);
	(void)snprintf(want, sizeof(want), "is in use by another process (pid %ld)",
		       (long)getpid());
	assert_non_null(strstr(err.message, want));
	/* the failed attempt took nothing away from the owner */
	pid = fork();
	if (pid == 0)
		_exit(wf_store_sqlite_open(fixture->path, &second, NULL) == -EBUSY ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(put(store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	wf_store_close(&store);
	store = open_store(fixture);
	wf_store_close(&store);
}

static void test_newer_version(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_store *store = open_store(fixture), *newer = NULL;
	struct wf_err err = WF_ERR_INIT;

	wf_store_close(&store);
	run_sql(fixture, "PRAGMA user_version = 3");
	assert_int_equal(wf_store_sqlite_open(fixture->path, &newer, &err), -ESTALE);
	assert_non_null(
		strstr(err.message, "was written by a newer weft (schema 3, this one knows 1): "));
	assert_null(newer);
}

static void test_other_program(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store;

	run_sql(fixture, "CREATE TABLE other (x)");
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), -EIO);
	assert_non_null(strstr(err.message, "is a database of another program"));
}

static void overwrite(const char *path, off_t offset, size_t len)
{
	char junk[4096];
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	memset(junk, 0x5a, sizeof(junk));
	assert_true(fd >= 0 && len <= sizeof(junk));
	assert_int_equal(pwrite(fd, junk, len, offset), len);
	(void)close(fd);
}

static void fill(struct wf_store *store, int count)
{
	for (int i = 0; i < count; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(put(store, "K", name, i, WF_STORE_ANY, NULL), 0);
	}
}

/* Junk over any page: an error that says what to do, or an intact database; never a crash. */
static void test_damage(void **state)
{
	struct store_fixture *fixture = *state;
	int refused = 0;

	for (off_t page = 0; page < 14; page++) {
		struct wf_store *store = open_store(fixture);
		struct wf_err err = WF_ERR_INIT;

		fill(store, 300);
		wf_store_close(&store);
		overwrite(fixture->path, page * 4096 + 8, 2000);
		if (wf_store_sqlite_open(fixture->path, &store, &err) < 0) {
			assert_int_equal(err.code, -EIO);
			assert_non_null(strstr(err.message, page ? "is damaged (" : "d"));
			refused++;
		} else {
			json_t *array = NULL;

			if (wf_store_list(store, "K", &array, NULL, &err) < 0)
				assert_int_equal(err.code, -EIO);
			json_decref(array);
			wf_store_close(&store);
		}
		fixture_done(fixture);
		assert_int_equal(mkdir(fixture->dir, 0700), 0);
	}
	assert_true(refused >= 8);
	overwrite(fixture->path, 0, 4096);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &(struct wf_store *){ NULL }, NULL),
			 -EIO);
}

static void test_damaged_document(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_store *store = open_store(fixture);
	struct wf_err err = WF_ERR_INIT;
	json_t *got = NULL;

	fill(store, 2);
	wf_store_close(&store);
	run_sql(fixture, "UPDATE document SET body = '{\"x\":' WHERE name = 'n1'");
	store = open_store(fixture);
	assert_int_equal(wf_store_get(store, "K", "n1", &got, &err), -EIO);
	assert_non_null(strstr(err.message, "the stored K/n1 is damaged: "));
	assert_int_equal(wf_store_list(store, "K", &got, NULL, &err), -EIO);
	assert_int_equal(stored_value(store, "K", "n0"), 0);
	wf_store_close(&store);
}

/* Commits as fast as it can, saying after each one which it was. */
static void write_until_killed(const struct store_fixture *fixture, int out)
{
	struct wf_sqlite_tuning tuning = WF_SQLITE_TUNING_DEFAULT;
	struct wf_store *store;

	tuning.checkpoint_pages = 20;
	tuning.max_changes = 50;
	if (wf_sqlite_open_tuned(fixture->path, &tuning, &store, NULL) < 0)
		_exit(1);
	for (;;) {
		uint64_t revision = wf_store_revision(store) + 1;
		json_t *document = make_document("K", "a", (int)revision);
		const struct wf_store_write change = { WF_STORE_PUT, "K",          "a",
						       document,     WF_STORE_ANY, 0 };

		if (wf_store_commit(store, &change, 1,
				    revision % 5 ? WF_STORE_BOOT_BOUND : WF_STORE_DURABLE, NULL,
				    NULL) < 0 ||
		    write(out, &revision, sizeof(revision)) != (ssize_t)sizeof(revision))
			_exit(1);
		json_decref(document);
	}
}

static uint64_t run_and_kill(const struct store_fixture *fixture, int after_ms)
{
	uint64_t acknowledged = 0, revision;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		write_until_killed(fixture, ends[1]);
	}
	(void)close(ends[1]);
	/* at least one, then for a while */
	assert_int_equal(read(ends[0], &acknowledged, sizeof(acknowledged)), sizeof(acknowledged));
	(void)poll(NULL, 0, after_ms);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(ends[0], &revision, sizeof(revision)) == (ssize_t)sizeof(revision))
		acknowledged = revision;
	(void)close(ends[0]);
	return acknowledged;
}

/* A killed process loses nothing at all that it had committed, boot-bound or not. */
static void test_killed_writer(void **state)
{
	struct store_fixture *fixture = *state;

	for (int round = 0; round < 25; round++) {
		uint64_t acknowledged = run_and_kill(fixture, round % 9);
		struct wf_store *store = open_store(fixture);
		uint64_t revision = wf_store_revision(store);

		/* one more may have been committed and not been reported */
		assert_in_range(revision, acknowledged, acknowledged + 1);
		assert_int_equal(stored_value(store, "K", "a"), revision);
		wf_store_close(&store);
	}
}

static off_t size_of(const char *path)
{
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_size;
}

static void note_backlog(void *context)
{
	(*(int *)context)++;
}

/* What waits for the disk is left to whoever says that it will see to it, up to a bound. */
static void test_backlog(void **state)
{
	struct wf_sqlite_tuning tuning = WF_SQLITE_TUNING_DEFAULT;
	struct store_fixture *fixture = *state;
	struct wf_store *store;
	off_t before;
	int told = 0;

	tuning.checkpoint_pages = 20;
	assert_int_equal(wf_sqlite_open_tuned(fixture->path, &tuning, &store, NULL), 0);
	fill(store, 40);
	before = size_of(fixture->path);
	assert_true(before > 4096);
	wf_store_on_backlog(store, note_backlog, &told);
	for (int i = 1; !told; i++)
		assert_int_equal(put(store, "K", "n0", -i, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(store, "L", "large", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(told, 2);
	assert_int_equal(size_of(fixture->path), before);
	fill(store, 100);
	assert_true(told > 2 && size_of(fixture->path) > before);
	/* nothing is lost by either */
	wf_store_tidy(store);
	told = 0;
	assert_int_equal(put(store, "K", "n99", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(told, 0);
	wf_store_close(&store);
	store = open_store(fixture);
	assert_int_equal(stored_value(store, "K", "n98"), 98);
	assert_int_equal(stored_value(store, "L", "large"), 1);
	wf_store_close(&store);
}

/* Opening again and again leaves the data alone and does not grow the file. */
static void test_reopen_many(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_store *store = open_store(fixture);
	struct stat before, after;

	fill(store, 20);
	wf_store_close(&store);
	assert_int_equal(stat(fixture->path, &before), 0);
	for (int i = 0; i < 20; i++) {
		store = open_store(fixture);
		assert_int_equal(wf_store_revision(store), 20);
		wf_store_close(&store);
	}
	assert_int_equal(stat(fixture->path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_modes, begin, end),
		cmocka_unit_test_setup_teardown(test_one_owner, begin, end),
		cmocka_unit_test_setup_teardown(test_newer_version, begin, end),
		cmocka_unit_test_setup_teardown(test_other_program, begin, end),
		cmocka_unit_test_setup_teardown(test_damage, begin, end),
		cmocka_unit_test_setup_teardown(test_damaged_document, begin, end),
		cmocka_unit_test_setup_teardown(test_killed_writer, begin, end),
		cmocka_unit_test_setup_teardown(test_backlog, begin, end),
		cmocka_unit_test_setup_teardown(test_reopen_many, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
