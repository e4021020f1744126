/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that get full, and disks that fail to sync. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "disk_vfs.h"
#include "store/sqlite_priv.h"
#include "store_fixture.h"

static const char *const kinds[] = { "K", NULL };

static struct wf_store *open_small(const struct store_fixture *fixture)
{
	struct wf_sqlite_tuning tuning = WF_SQLITE_TUNING_DEFAULT;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store;

	tuning.checkpoint_pages = 10;
	if (wf_sqlite_open_tuned(fixture->path, &tuning, &store, &err) < 0)
		fail_msg("%s", err.message);
	return store;
}

static void count_event(const struct wf_store_event *event, void *context)
{
	(*(int *)context)++;
}

/* Whatever the moment at which the disk gets full: -ENOSPC, nothing changed, and then it works. */
static void test_full(void **state)
{
	struct store_fixture *fixture = *state;
	int failures = 0;

	for (size_t room = 0; room < 60000; room += 1500) {
		_cleanup_free_ char *before = NULL, *after = NULL;
		struct wf_err err = WF_ERR_INIT;
		struct wf_store *store;
		int events = 0, r = 0;
		uint64_t id;

		disk_reset(false);
		store = open_small(fixture);
		assert_int_equal(put(store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
		assert_int_equal(wf_store_watch(store, NULL, 1, count_event, &events, &id, NULL),
				 0);
		disk_set_room(room);
		for (int i = 0; i < 10 && r == 0; i++) {
			free(before);
			before = dump_store(store, kinds);
			r = put(store, "K", "a", 100 + i, WF_STORE_ANY, &err);
			events -= r == 0;
		}
		if (r < 0) {
			failures++;
			assert_int_equal(r, -ENOSPC);
			assert_non_null(strstr(err.message, "no space left: cannot write "));
			after = dump_store(store, kinds);
			assert_string_equal(before, after);
			assert_int_equal(events, 0);
		}
		disk_set_room(SIZE_MAX);
		assert_int_equal(put(store, "K", "b", 7, WF_STORE_ANY, NULL), 0);
		wf_store_close(&store);
		store = open_small(fixture);
		assert_int_equal(stored_value(store, "K", "b"), 7);
		wf_store_close(&store);
	}
	assert_true(failures > 10);
}

/* A transaction that is written in parts, of n0 to n29; the first failure. */
static int put_in_parts(struct wf_store *store)
{
	struct wf_store_stage *stage = NULL;
	json_t *documents[30];
	char names[30][8];
	int r;

	assert_int_equal(wf_store_stage_new(store, &stage, NULL), 0);
	for (int i = 0; i < 30; i++) {
		struct wf_store_write write = {
			WF_STORE_PUT, "K", names[i], NULL, WF_STORE_ANY, 0
		};

		(void)snprintf(names[i], sizeof(names[i]), "n%d", i);
		write.document = documents[i] = make_document("K", names[i], i);
		assert_int_equal(wf_store_stage_add(stage, &write, NULL), 0);
	}
	while ((r = wf_store_stage_write(stage, 7, NULL)) == 1)
		;
	if (r == 0)
		r = wf_store_stage_commit(&stage, WF_STORE_DURABLE, NULL, NULL);
	wf_store_stage_free(&stage);
	for (int i = 0; i < 30; i++)
		json_decref(documents[i]);
	return r;
}

/* Wherever that happens nothing of it is seen: not while the disk is full, nor later. */
static void test_full_in_parts(void **state)
{
	struct store_fixture *fixture = *state;
	int failures = 0;

	for (size_t room = 0; room < 150000; room += 3000) {
		_cleanup_free_ char *before = NULL, *full = NULL, *after = NULL, *later = NULL;
		struct wf_store *store;
		int r;

		disk_reset(false);
		store = open_small(fixture);
		((struct wf_local *)store)->max_changes = 10;
		assert_int_equal(put(store, "K", "n3", 100, WF_STORE_ANY, NULL), 0);
		before = dump_store(store, kinds);
		disk_set_room(room);
		r = put_in_parts(store);
		if (r < 0) {
			failures++;
			assert_int_equal(r, -ENOSPC);
			full = dump_store(store, kinds);
			assert_string_equal(full, before);
		}
		disk_set_room(SIZE_MAX);
		assert_int_equal(put(store, "K", "b", 7, WF_STORE_ANY, NULL), 0);
		wf_store_tidy(store);
		after = dump_store(store, kinds);
		assert_int_equal(stored_value(store, "K", "n3"), r < 0 ? 100 : 3);
		assert_int_equal(stored_value(store, "K", "n29"), r < 0 ? -1 : 29);
		wf_store_close(&store);
		store = open_small(fixture);
		later = dump_store(store, kinds);
		assert_string_equal(later, after);
		wf_store_close(&store);
	}
	assert_true(failures > 5);
}

static void test_full_at_creation(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store = NULL;
	size_t room;
	int r = -1;

	for (room = 0; r < 0; room += 3000) {
		disk_reset(false);
		disk_set_room(room);
		r = wf_store_sqlite_open(fixture->path, &store, &err);
		if (r < 0)
			assert_int_equal(r, -ENOSPC);
		wf_store_close(&store);
		/* what it left behind is no obstacle once there is room */
		disk_set_room(SIZE_MAX);
		assert_int_equal(wf_store_sqlite_open(fixture->path, &store, NULL), 0);
		wf_store_close(&store);
	}
	assert_true(room > 9000);
}

static int put_as(struct wf_store *store, int value, enum wf_store_durability durability)
{
	_cleanup_json_ json_t *document = make_document("K", "a", value);
	const struct wf_store_write write = { WF_STORE_PUT, "K", "a", document, WF_STORE_ANY, 0 };

	return wf_store_commit(store, &write, 1, durability, NULL, NULL);
}

/*
 * Each sync in turn fails once. The commit it was for fails, or (a checkpoint's) does not; after
 * the next success nothing that was acknowledged may be missing, even if the power goes then and
 * the disk had dropped all that the failed sync was to write.
 */
static void test_failed_sync(void **state)
{
	struct store_fixture *fixture = *state;
	int n, refused = 0;

	for (n = 0;; n++) {
		_cleanup_free_ char *before = NULL, *after = NULL;
		struct wf_store *store;
		uint64_t seed = 1;
		int value = 0;

		disk_reset(true);
		store = open_small(fixture);
		disk_fail_sync(n);
		while (value < 30) {
			/* unsynced ones in between: a durable one takes them along, or is lost */
			int r = put_as(store, value + 1,
				       value % 3 < 2 ? WF_STORE_BOOT_BOUND : WF_STORE_DURABLE);

			value++;
			if (r == 0)
				continue;
			assert_int_equal(r, -EIO);
			assert_int_equal(stored_value(store, "K", "a"), value - 1 ? value - 1 : -1);
			refused++;
		}
		/* a failed one at the end says nothing of the boot-bound ones before it */
		if (put_as(store, 98, WF_STORE_DURABLE) < 0)
			assert_int_equal(put_as(store, 99, WF_STORE_DURABLE), 0);
		before = dump_store(store, kinds);
		disk_crash(disk_log_length(), DISK_LOSE_ALL, &seed);
		/* the process is gone with the power; its memory must not write to the disk */
		disk_set_room(0);
		wf_store_close(&store);
		disk_set_room(SIZE_MAX);
		disk_crash(disk_log_length(), DISK_LOSE_ALL, &seed);
		store = open_small(fixture);
		after = dump_store(store, kinds);
		assert_string_equal(before, after);
		wf_store_close(&store);
		if (!disk_sync_failed())
			break;
	}
	assert_true(n > 12);
	assert_true(refused >= 5);
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
	disk_reset(false);
	fixture_done(*state);
	free(*state);
	return 0;
}

static void note_backlog(void *context)
{
	*(bool *)context = true;
}

/* After a backlog was dealt with no commit waits for the disk in its place. */
static void test_tidied(void **state)
{
	struct store_fixture *fixture = *state;
	bool told = false;
	struct wf_store *store;

	disk_reset(false);
	store = open_small(fixture);
	wf_store_on_backlog(store, note_backlog, &told);
	for (int i = 0; !told; i++)
		assert_int_equal(put_as(store, i, WF_STORE_BOOT_BOUND), 0);
	wf_store_tidy(store);
	disk_fail_sync(0);
	assert_int_equal(put_as(store, 1000, WF_STORE_BOOT_BOUND), 0);
	assert_false(disk_sync_failed());
	/* one that has to wait meets the failure */
	assert_int_equal(put_as(store, 1001, WF_STORE_DURABLE), -EIO);
	assert_true(disk_sync_failed());
	wf_store_close(&store);
}

/* From the first change that the disk refuses until one that it takes; who waits is told to try. */
static void test_refused_is_told(void **state)
{
	struct store_fixture *fixture = *state;
	struct wf_store_state now;
	struct wf_store *store;
	bool told = false;

	disk_reset(false);
	store = open_small(fixture);
	wf_store_on_backlog(store, note_backlog, &told);
	assert_int_equal(put_as(store, 1, WF_STORE_DURABLE), 0);
	wf_store_state(store, &now);
	assert_int_equal(now.write_code, 0);
	assert_string_equal(now.write_error, "");
	told = false;
	disk_set_room(0);
	assert_int_equal(put_as(store, 2, WF_STORE_BOOT_BOUND), -ENOSPC);
	wf_store_state(store, &now);
	assert_int_equal(now.write_code, -ENOSPC);
	assert_non_null(strstr(now.write_error, fixture->path));
	assert_true(now.write_error_since_s > 0);
	assert_true(told);
	/* tried again in vain: whoever waits is told once more */
	told = false;
	wf_store_tidy(store);
	assert_true(told);
	/* in earnest: by what tries, without anybody's change */
	disk_set_room(SIZE_MAX);
	wf_store_tidy(store);
	wf_store_state(store, &now);
	assert_int_equal(now.write_code, 0);
	assert_int_equal(now.write_error_since_s, 0);
	assert_int_equal(stored_value(store, "K", "a"), 1);
	assert_int_equal(put_as(store, 3, WF_STORE_DURABLE), 0);
	/* a sync that fails is told as well, and a change that succeeds ends it */
	disk_fail_sync(0);
	assert_int_equal(put_as(store, 4, WF_STORE_DURABLE), -EIO);
	wf_store_state(store, &now);
	assert_int_equal(now.write_code, -EIO);
	assert_int_equal(put_as(store, 5, WF_STORE_DURABLE), 0);
	wf_store_state(store, &now);
	assert_int_equal(now.write_code, 0);
	wf_store_close(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, begin, end),
		cmocka_unit_test_setup_teardown(test_full_in_parts, begin, end),
		cmocka_unit_test_setup_teardown(test_full_at_creation, begin, end),
		cmocka_unit_test_setup_teardown(test_failed_sync, begin, end),
		cmocka_unit_test_setup_teardown(test_tidied, begin, end),
		cmocka_unit_test_setup_teardown(test_refused_is_told, begin, end),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
