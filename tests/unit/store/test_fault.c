/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation n fails, for every n, in every operation of every back end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fail_alloc.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/sqlite_priv.h"
#include "store_fixture.h"

/* Bounds so small that the commit under test also trims the log and runs a checkpoint. */
#define SMALL_LOG 5

static const char *const kinds[] = { "K", "L", NULL };

struct setup {
	struct store_fixture fixture;
	bool sqlite;
	struct wf_store *store;
	int events;
};

static int open_one(struct setup *setup, struct wf_err *err)
{
	return setup->sqlite ? wf_store_sqlite_open(setup->fixture.path, &setup->store, err)
			     : wf_store_mem_open(&setup->store, err);
}

/* Out of memory while reading a text may look like damage to the parser: nothing worse. */
static void assert_no_memory(int r)
{
	if (r != -ENOMEM && r != -EIO)
		fail_msg("unexpected result %d", r);
}

static void count_event(const struct wf_store_event *event, void *context)
{
	((struct setup *)context)->events++;
}

/* Runs one operation with every allocation failing in turn, until it succeeds. */
static void fail_each(struct setup *setup, const char *what, int (*operate)(struct setup *setup),
		      bool changes)
{
	for (size_t n = 0;; n++) {
		_cleanup_free_ char *before = dump_store(setup->store, kinds), *after = NULL;
		uint64_t revision = wf_store_revision(setup->store);
		int events = setup->events, r;

		fail_alloc_arm(n);
		r = operate(setup);
		if (!fail_alloc_disarm()) {
			if (r < 0)
				fail_msg("%s: %d without a failed allocation", what, r);
			assert_int_equal(wf_store_revision(setup->store) > revision, changes);
			(void)printf("%s: %zu allocations\n", what, n);
			return;
		}
		if (r == 0) {
			/* the library could do without: the operation has happened, as a whole */
			assert_int_equal(wf_store_revision(setup->store) > revision, changes);
			if (changes)
				return;
			continue;
		}
		assert_no_memory(r);
		after = dump_store(setup->store, kinds);
		assert_non_null(after);
		assert_string_equal(before, after);
		assert_int_equal(wf_store_revision(setup->store), revision);
		assert_int_equal(setup->events, events);
	}
}

static struct wf_store_write writes[3];
static uint64_t lease;

static int do_commit(struct setup *setup)
{
	return wf_store_commit(setup->store, writes, 3, WF_STORE_DURABLE, NULL, NULL);
}

static int do_get(struct setup *setup)
{
	_cleanup_json_ json_t *got = NULL;

	return wf_store_get(setup->store, "K", "a", &got, NULL);
}

static int do_list(struct setup *setup)
{
	_cleanup_json_ json_t *got = NULL;

	return wf_store_list(setup->store, "K", &got, NULL, NULL);
}

static int ignore_document(const json_t *document, void *context, struct wf_err *err)
{
	return 0;
}

static int do_visit(struct setup *setup)
{
	return wf_store_visit(setup->store, "K", ignore_document, NULL, NULL);
}

static void ignore_event(const struct wf_store_event *event, void *context)
{
}

static int do_watch(struct setup *setup)
{
	uint64_t id = 0;
	int r = wf_store_watch(setup->store, "K", wf_store_revision(setup->store) - 1, ignore_event,
			       NULL, &id, NULL);

	if (r == 0)
		wf_store_unwatch(setup->store, id);
	return r;
}

static int do_compact(struct setup *setup)
{
	return wf_store_compact(setup->store, UINT64_MAX, NULL);
}

static int do_grant(struct setup *setup)
{
	return wf_store_lease_grant(setup->store, 1000, &lease, NULL);
}

static int do_revoke(struct setup *setup)
{
	return wf_store_lease_revoke(setup->store, lease, NULL);
}

static void test_operations(void **state)
{
	struct setup *setup = *state;
	json_t *documents[3] = { make_document("K", "a", 5), make_document("K", "new", 6),
				 make_document("L", "leased", 7) };
	json_t *copy = json_deep_copy(documents[1]);
	uint64_t id;

	assert_int_equal(open_one(setup, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(put(setup->store, "K", "a", i + 10, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_watch(setup->store, NULL, 100, count_event, setup, &id, NULL), 0);
	((struct wf_local *)setup->store)->max_changes = SMALL_LOG;
	if (setup->sqlite)
		((struct wf_sqlite *)setup->store)->tuning.checkpoint_pages = 1;
	fail_each(setup, "lease_grant", do_grant, false);
	writes[0] = (struct wf_store_write){ WF_STORE_PUT, "K", "a", documents[0], 100, 0 };
	writes[1] = (struct wf_store_write){ WF_STORE_PUT,    "K", "new", documents[1],
					     WF_STORE_ABSENT, 0 };
	writes[2] = (struct wf_store_write){ WF_STORE_PUT, "L",          "leased",
					     documents[2], WF_STORE_ANY, lease };
	fail_alloc_arm(20);
	if (do_commit(setup) < 0)
		assert_true(json_equal(copy, documents[1]));
	assert_true(fail_alloc_disarm());
	fail_each(setup, "commit", do_commit, true);
	assert_int_equal(version_of(documents[1]), 101);
	fail_each(setup, "get", do_get, false);
	fail_each(setup, "list", do_list, false);
	fail_each(setup, "visit", do_visit, false);
	fail_each(setup, "watch", do_watch, false);
	fail_each(setup, "compact", do_compact, false);
	fail_each(setup, "lease_revoke", do_revoke, true);
	assert_int_equal(stored_value(setup->store, "L", "leased"), -1);
	assert_int_equal(stored_value(setup->store, "K", "a"), 5);
	wf_store_close(&setup->store);
	json_decref(copy);
	for (int i = 0; i < 3; i++)
		json_decref(documents[i]);
}

static void test_open(void **state)
{
	struct setup *setup = *state;

	for (size_t n = 0;; n++) {
		bool failed;
		int r;

		fail_alloc_arm(n);
		r = open_one(setup, NULL);
		failed = fail_alloc_disarm();
		if (r < 0) {
			assert_true(failed);
			assert_no_memory(r);
			assert_null(setup->store);
			continue;
		}
		assert_int_equal(put(setup->store, "K", "a", (int)n, WF_STORE_ANY, NULL), 0);
		wf_store_close(&setup->store);
		if (!failed) {
			(void)printf("open: %zu allocations\n", n);
			return;
		}
	}
}

static int begin(void **state, bool sqlite)
{
	struct setup *setup = calloc(1, sizeof(*setup));

	setup->sqlite = sqlite;
	fixture_init(&setup->fixture);
	*state = setup;
	return 0;
}

static int begin_mem(void **state)
{
	return begin(state, false);
}

static int begin_sqlite(void **state)
{
	return begin(state, true);
}

static int end(void **state)
{
	struct setup *setup = *state;

	fixture_done(&setup->fixture);
	free(setup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, begin_mem, end),
		cmocka_unit_test_setup_teardown(test_open, begin_sqlite, end),
		cmocka_unit_test_setup_teardown(test_operations, begin_mem, end),
		cmocka_unit_test_setup_teardown(test_operations, begin_sqlite, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
