/* SPDX-License-Identifier: Apache-2.0 */
/* A real file system that is full, and one that is read-only. Needs root, in a mount namespace. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

#define SKIPPED 77

static void test_full(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store;
	uint64_t revision;
	char name[16];
	int r = 0, i;

	assert_int_equal(mount("weft", fixture->dir, "tmpfs", 0, "size=512k"), 0);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), 0);
	for (i = 0; r == 0 && i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		r = put(store, "K", name, i, WF_STORE_ANY, &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.message, "nothing was changed"));
	assert_true(i > 20);
	revision = wf_store_revision(store);
	assert_int_equal(revision, i - 1);
	assert_int_equal(stored_value(store, "K", name), -1);
	/* room is made, and it goes on */
	assert_int_equal(mount("weft", fixture->dir, "tmpfs", MS_REMOUNT, "size=8m"), 0);
	assert_int_equal(put(store, "K", name, 7, WF_STORE_ANY, &err), 0);
	wf_store_close(&store);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), 0);
	assert_int_equal(wf_store_revision(store), revision + 1);
	wf_store_close(&store);
	assert_int_equal(umount(fixture->dir), 0);
}

static void test_full_at_creation(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store = NULL;

	assert_int_equal(mount("weft", fixture->dir, "tmpfs", 0, "size=12k"), 0);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), -ENOSPC);
	assert_null(store);
	assert_non_null(strstr(err.message, "no space left"));
	assert_int_equal(umount(fixture->dir), 0);
}

static void test_read_only(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store = NULL;

	assert_int_equal(mount("weft", fixture->dir, "tmpfs", 0, "size=1m"), 0);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), 0);
	assert_int_equal(put(store, "K", "a", 7, WF_STORE_ANY, &err), 0);
	wf_store_close(&store);
	assert_int_equal(mount("weft", fixture->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m"),
			 0);
	assert_int_equal(wf_store_sqlite_open(fixture->path, &store, &err), -EROFS);
	assert_null(store);
	assert_non_null(strstr(err.message, "is on a read-only file system"));
	assert_int_equal(umount(fixture->dir), 0);
}

static int begin(void **state)
{
	struct store_fixture *fixture = calloc(1, sizeof(*fixture));

	fixture_init(fixture);
	*state = fixture;
	return 0;
}

static int end(void **state)
{
	struct store_fixture *fixture = *state;

	(void)umount2(fixture->dir, MNT_DETACH);
	fixture_done(fixture);
	free(fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, begin, end),
		cmocka_unit_test_setup_teardown(test_full_at_creation, begin, end),
		cmocka_unit_test_setup_teardown(test_read_only, begin, end),
	};

	if (geteuid() != 0)
		return SKIPPED;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
