/* SPDX-License-Identifier: Apache-2.0 */
/* Watching, live and from a revision, callbacks that use the store, and the bounded history. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "both_stores.h"

static void test_watch_from_revision(void **state)
{
	struct setup *setup = *state;
	struct log all = { 0 }, later = { 0 }, kind = { 0 };
	struct wf_err err = WF_ERR_INIT;
	uint64_t id, kind_id;

	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "L", "a", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "a", 3, WF_STORE_ANY, NULL), 0);
	assert_int_equal(del(setup->store, "K", "a", WF_STORE_ANY, NULL), 0);
	reopen(setup);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(0), note, &all, &id, NULL), 0);
	assert_string_equal(all.text, "+K/a@1=1 +L/a@2=2 +K/a@3=3 -K/a@4 ");
	assert_int_equal(wf_store_watch(setup->store, NULL, at(3), note, &later, &id, NULL), 0);
	assert_string_equal(later.text, "-K/a@4 ");
	assert_int_equal(wf_store_watch(setup->store, "L", at(0), note, &kind, &kind_id, NULL), 0);
	assert_string_equal(kind.text, "+L/a@2=2 ");
	assert_int_equal(put(setup->store, "L", "b", 5, WF_STORE_ANY, NULL), 0);
	wf_store_unwatch(setup->store, kind_id);
	assert_int_equal(put(setup->store, "L", "c", 6, WF_STORE_ANY, NULL), 0);
	assert_string_equal(kind.text, "+L/a@2=2 +L/b@5=5 ");
	assert_string_equal(later.text, "-K/a@4 +L/b@5=5 +L/c@6=6 ");
	assert_int_equal(wf_store_watch(setup->store, NULL, at(7), note, &all, &id, &err), -ESTALE);
}

static void test_compact(void **state)
{
	struct setup *setup = *state;
	struct log log = { 0 }, none = { 0 };
	struct wf_err err = WF_ERR_INIT;
	uint64_t id;
	char want[128];

	for (int i = 1; i <= 6; i++)
		assert_int_equal(put(setup->store, "K", "a", i, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_compact(setup->store, at(4), NULL), 0);
	reopen(setup);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(2), note, &log, &id, &err), -ESTALE);
	(void)snprintf(want, sizeof(want),
		       "changes up to revision %llu are compacted away, %llu was asked for: list "
		       "again",
		       (unsigned long long)at(3), (unsigned long long)at(2));
	assert_string_equal(err.message, want);
	assert_string_equal(log.text, "");
	assert_int_equal(wf_store_watch(setup->store, NULL, at(3), note, &log, &id, &err), 0);
	assert_string_equal(log.text, "+K/a@4=4 +K/a@5=5 +K/a@6=6 ");
	/* all of it: the revision stays, and the present can still be watched */
	assert_int_equal(wf_store_compact(setup->store, UINT64_MAX, NULL), 0);
	assert_int_equal(wf_store_compact(setup->store, at(2), NULL), 0);
	reopen(setup);
	assert_int_equal(wf_store_revision(setup->store), at(6));
	assert_int_equal(wf_store_watch(setup->store, NULL, at(5), note, &none, &id, &err),
			 -ESTALE);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(6), note, &none, &id, &err), 0);
	assert_int_equal(put(setup->store, "K", "a", 7, WF_STORE_ANY, NULL), 0);
	assert_string_equal(none.text, "+K/a@7=7 ");
	assert_int_equal(stored_value(setup->store, "K", "a"), 7);
}

static void test_history_is_bounded(void **state)
{
	struct setup *setup = *state;
	struct wf_local *local = (struct wf_local *)setup->store;
	struct log log = { 0 };
	uint64_t id, kept;

	local->max_changes = 100;
	for (int i = 1; i <= 1000; i++)
		assert_int_equal(put(setup->store, "K", "a", i, WF_STORE_ANY, NULL), 0);
	kept = local->newest.changes - local->forgotten.changes;
	assert_in_range(kept, 100, 164);
	reopen(setup);
	local = (struct wf_local *)setup->store;
	assert_int_equal(local->newest.changes - local->forgotten.changes, kept);
	assert_int_equal(wf_store_watch(setup->store, NULL, 1000 - kept - 1, note, &log, &id, NULL),
			 -ESTALE);
	assert_int_equal(wf_store_watch(setup->store, NULL, 1000 - kept, note, &log, &id, NULL), 0);
	wf_store_unwatch(setup->store, id);
	/* the same for bytes; the newest transaction is always there */
	local->max_history_bytes = 20;
	assert_int_equal(put(setup->store, "K", "a", 5000, WF_STORE_ANY, NULL), 0);
	assert_int_equal(local->newest.changes - local->forgotten.changes, 1);
	assert_int_equal(wf_store_revision(setup->store), at(1001));
	reopen(setup);
	assert_int_equal(wf_store_revision(setup->store), at(1001));
}

/* Commits another document for every change it sees, as long as its budget lasts. */
static void note_and_commit(const struct wf_store_event *event, void *context)
{
	struct log *log = context;
	char name[16];

	note(event, context);
	if (log->budget <= 0)
		return;
	log->budget--;
	(void)snprintf(name, sizeof(name), "n%d", log->budget);
	assert_int_equal(put(log->store, "N", name, log->budget, WF_STORE_ABSENT, NULL), 0);
	/* committed at once, delivered later */
	assert_int_equal(stored_value(log->store, "N", name), log->budget);
}

static void test_commit_in_callback(void **state)
{
	struct setup *setup = *state;
	struct log first = { .store = setup->store, .budget = 3 }, second = { 0 };
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *b = make_document("K", "b", 2);
	const struct wf_store_write writes[] = {
		{ WF_STORE_PUT, "K", "a", a, WF_STORE_ANY, 0 },
		{ WF_STORE_PUT, "K", "b", b, WF_STORE_ANY, 0 },
	};
	const char *want = "+K/a@1=1 +K/b@1=2 +N/n2@2=2 +N/n1@3=1 +N/n0@4=0 ";
	uint64_t id, revision = 0;

	assert_int_equal(
		wf_store_watch(setup->store, NULL, at(0), note_and_commit, &first, &id, NULL), 0);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(0), note, &second, &id, NULL), 0);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 2, WF_STORE_DURABLE, &revision, NULL), 0);
	/* the outer commit's own revision, although the store is further by now */
	assert_int_equal(revision, at(1));
	assert_int_equal(wf_store_revision(setup->store), at(4));
	assert_string_equal(first.text, want);
	assert_string_equal(second.text, want);
}

static void test_commit_while_catching_up(void **state)
{
	struct setup *setup = *state;
	struct log log = { .store = setup->store, .budget = 2 }, other = { 0 };
	uint64_t id;

	assert_int_equal(wf_store_watch(setup->store, NULL, at(0), note, &other, &id, NULL), 0);
	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "b", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(
		wf_store_watch(setup->store, NULL, at(0), note_and_commit, &log, &id, NULL), 0);
	assert_string_equal(log.text, "+K/a@1=1 +K/b@2=2 +N/n1@3=1 +N/n0@4=0 ");
	assert_string_equal(other.text, log.text);
}

static void note_and_end(const struct wf_store_event *event, void *context)
{
	struct log *log = context;

	note(event, context);
	if (event->revision == at(2))
		wf_store_unwatch(log->store, log->id);
}

static void test_unwatch_in_callback(void **state)
{
	struct setup *setup = *state;
	struct log live = { .store = setup->store }, old = { .store = setup->store };
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *b = make_document("K", "b", 2);
	const struct wf_store_write writes[] = {
		{ WF_STORE_PUT, "K", "a", a, WF_STORE_ANY, 0 },
		{ WF_STORE_PUT, "K", "b", b, WF_STORE_ANY, 0 },
	};

	assert_int_equal(put(setup->store, "K", "x", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(
		wf_store_watch(setup->store, NULL, at(1), note_and_end, &live, &live.id, NULL), 0);
	assert_int_equal(wf_store_commit(setup->store, writes, 2, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_string_equal(live.text, "+K/a@2=1 ");
	assert_int_equal(put(setup->store, "K", "y", 1, WF_STORE_ANY, NULL), 0);
	assert_string_equal(live.text, "+K/a@2=1 ");
	/* and while it is caught up */
	assert_int_equal(
		wf_store_watch(setup->store, NULL, at(0), note_and_end, &old, &old.id, NULL), 0);
	assert_string_equal(old.text, "+K/x@1=1 +K/a@2=1 ");
}

static void note_and_watch(const struct wf_store_event *event, void *context)
{
	struct log *log = context;

	note(event, context);
	if (!log->inner)
		assert_int_equal(wf_store_watch(log->store, NULL, at(0), note, log->inner_log,
						&log->inner, NULL),
				 0);
}

static void test_watch_in_callback(void **state)
{
	struct setup *setup = *state;
	struct log inner = { 0 };
	struct log outer = { .store = setup->store, .inner_log = &inner };
	uint64_t id;

	assert_int_equal(
		wf_store_watch(setup->store, NULL, at(0), note_and_watch, &outer, &id, NULL), 0);
	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	assert_string_equal(inner.text, "+K/a@1=1 ");
	assert_int_equal(put(setup->store, "K", "b", 2, WF_STORE_ANY, NULL), 0);
	assert_string_equal(inner.text, "+K/a@1=1 +K/b@2=2 ");
	assert_string_equal(outer.text, inner.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(test_watch_from_revision),      ALL(test_compact),
		BOTH(test_history_is_bounded),      ALL(test_commit_in_callback),
		ALL(test_commit_while_catching_up), ALL(test_unwatch_in_callback),
		ALL(test_watch_in_callback),
	};

	return run_stores(tests);
}
