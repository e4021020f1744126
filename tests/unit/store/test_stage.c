/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that are made ready in parts: as a commit of the same writes, whatever comes in between. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "both_stores.h"

static struct wf_store_write put_of(const char *name, json_t *document, uint64_t expected)
{
	return (struct wf_store_write){ WF_STORE_PUT, "K", name, document, expected, 0 };
}

static int add(struct wf_store_stage *stage, struct wf_store_write write, struct wf_err *err)
{
	return wf_store_stage_add(stage, &write, err);
}

static void test_as_a_commit(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *b = make_document("K", "b", 2),
			      *same = make_document("K", "same", 3);
	struct wf_store_stage *stage = NULL;
	struct log log = { .store = setup->store };
	uint64_t revision = 0, id;

	assert_int_equal(put(setup->store, "K", "gone", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "same", 3, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(2), note, &log, &id, NULL), 0);
	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ABSENT), NULL), 0);
	assert_int_equal(add(stage, put_of("same", same, WF_STORE_ANY), NULL), 0);
	/* others go on; nothing of it can be seen yet */
	assert_int_equal(put(setup->store, "K", "other", 9, WF_STORE_ANY, NULL), 0);
	assert_int_equal(stored_value(setup->store, "K", "a"), -1);
	assert_int_equal(add(stage, put_of("b", b, WF_STORE_ANY), NULL), 0);
	assert_int_equal(
		add(stage,
		    (struct wf_store_write){ WF_STORE_DELETE, "K", "gone", NULL, WF_STORE_ANY, 0 },
		    NULL),
		0);
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_null(stage);
	assert_int_equal(revision, at(4));
	assert_string_equal(log.text, "+K/other@3=9 +K/a@4=1 +K/b@4=2 -K/gone@4 ");
	assert_int_equal(version_of(a), 4);
	assert_int_equal(version_of(same), 2);
	assert_int_equal(strlen(metadata_text(b, "uid")), 36);
	wf_store_unwatch(setup->store, id);
	reopen(setup);
	assert_int_equal(stored_value(setup->store, "K", "b"), 2);
	assert_int_equal(stored_value(setup->store, "K", "gone"), -1);
	assert_int_equal(wf_store_revision(setup->store), at(4));
}

/* What a watcher is shown later, from the history, is what it would have been shown then. */
static void test_numbers_are_those_of_the_commit(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *got = NULL;
	struct wf_store_stage *stage = NULL;
	struct log log = { .store = setup->store };
	uint64_t id;

	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ANY), NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(setup->store, "L", "x", i, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_BOOT_BOUND, NULL, NULL), 0);
	assert_int_equal(wf_store_get(setup->store, "K", "a", &got, NULL), 0);
	assert_int_equal(version_of(got), 4);
	assert_true(json_equal(got, a));
	assert_int_equal(wf_store_watch(setup->store, "K", at(0), note, &log, &id, NULL), 0);
	assert_string_equal(log.text, "+K/a@4=1 ");
}

static void test_overtaken(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *b = make_document("K", "b", 2);
	struct wf_store_stage *stage = NULL;
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ANY), NULL), 0);
	assert_int_equal(add(stage, put_of("b", b, WF_STORE_ANY), NULL), 0);
	assert_int_equal(put(setup->store, "K", "b", 7, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_DURABLE, NULL, &err), -ESTALE);
	assert_non_null(strstr(err.message, "K/b was changed at the same time"));
	assert_non_null(stage);
	wf_store_stage_free(&stage);
	assert_null(stage);
	/* none of it, and the documents are as they were */
	assert_int_equal(stored_value(setup->store, "K", "a"), -1);
	assert_int_equal(stored_value(setup->store, "K", "b"), 7);
	assert_null(json_object_get(json_object_get(a, "metadata"), "uid"));
	assert_int_equal(wf_store_revision(setup->store), at(1));
}

/* One that is given up, and one beside another. */
static void test_two(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *a2 = make_document("K", "a", 2);
	struct wf_store_stage *one = NULL, *two = NULL;

	assert_int_equal(wf_store_stage_new(setup->store, &one, NULL), 0);
	assert_int_equal(add(one, put_of("a", a, WF_STORE_ANY), NULL), 0);
	wf_store_stage_free(&one);
	assert_null(json_object_get(json_object_get(a, "metadata"), "uid"));
	assert_int_equal(wf_store_stage_new(setup->store, &one, NULL), 0);
	assert_int_equal(wf_store_stage_new(setup->store, &two, NULL), 0);
	assert_int_equal(add(one, put_of("a", a, WF_STORE_ANY), NULL), 0);
	assert_int_equal(add(two, put_of("a", a2, WF_STORE_ANY), NULL), 0);
	assert_int_equal(wf_store_stage_commit(&two, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(wf_store_stage_commit(&one, WF_STORE_DURABLE, NULL, NULL), -ESTALE);
	wf_store_stage_free(&one);
	assert_int_equal(stored_value(setup->store, "K", "a"), 2);
}

static void test_refused(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *bad = json_array();
	struct wf_store_stage *stage = NULL;
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(add(stage, put_of("", a, WF_STORE_ANY), NULL), -EINVAL);
	assert_int_equal(add(stage, put_of("a", bad, WF_STORE_ANY), NULL), -EINVAL);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ANY), NULL), 0);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ANY), &err), -EINVAL);
	assert_non_null(strstr(err.message, "twice"));
	/* what was refused is not in it */
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(stored_value(setup->store, "K", "a"), 1);
	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_DURABLE, NULL, NULL), 0);
}

/* On this host it is compared when it is added. */
static void test_compared_at_once(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1);
	struct wf_store_stage *stage = NULL;

	assert_int_equal(put(setup->store, "K", "a", 5, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	assert_int_equal(add(stage, put_of("a", a, WF_STORE_ABSENT), NULL), -EEXIST);
	assert_int_equal(add(stage, put_of("a", a, at(7)), NULL), -ESTALE);
	assert_int_equal(add(stage, put_of("a", a, at(1)), NULL), 0);
	wf_store_stage_free(&stage);
	assert_int_equal(stored_value(setup->store, "K", "a"), 5);
}

/* What would not stay in the history is not written there: watches begin after it. */
static void test_larger_than_the_history(void **state)
{
	struct setup *setup = *state;
	struct log log = { .store = setup->store };
	json_t *documents[20];
	char names[20][8];
	struct wf_store_stage *stage = NULL;
	uint64_t id;

	((struct wf_local *)setup->store)->max_changes = 10;
	assert_int_equal(put(setup->store, "K", "before", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_stage_new(setup->store, &stage, NULL), 0);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%d", i);
		documents[i] = make_document("K", names[i], i);
		assert_int_equal(add(stage, put_of(names[i], documents[i], WF_STORE_ANY), NULL), 0);
	}
	assert_int_equal(wf_store_stage_commit(&stage, WF_STORE_DURABLE, NULL, NULL), 0);
	for (int i = 0; i < 20; i++)
		json_decref(documents[i]);
	reopen(setup);
	assert_int_equal(wf_store_revision(setup->store), 2);
	assert_int_equal(wf_store_watch(setup->store, NULL, 1, note, &log, &id, NULL), -ESTALE);
	assert_int_equal(wf_store_watch(setup->store, NULL, 2, note, &log, &id, NULL), 0);
	assert_int_equal(put(setup->store, "K", "n3", 99, WF_STORE_ANY, NULL), 0);
	assert_string_equal(log.text, "+K/n3@3=99 ");
}

/* ---- written in parts ------------------------------------------------------------------------- */

#define PARTS 24

/* A stage of n0 to n23, n3 and n4 of which are there already, n4 as it will be. */
struct parts {
	json_t *documents[PARTS];
	char names[PARTS][8];
	struct wf_store_stage *stage;
	char *before; /* what the store shows without it */
};

static char *dump(struct wf_store *store)
{
	static const char *const kinds[] = { "K", "L", NULL };

	return dump_store(store, kinds);
}

static void begin_parts(struct setup *setup, struct parts *parts)
{
	((struct wf_local *)setup->store)->max_changes = 10;
	assert_int_equal(put(setup->store, "K", "n3", 100, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "n4", 4, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "L", "other", 1, WF_STORE_ANY, NULL), 0);
	parts->before = dump(setup->store);
	parts->stage = NULL;
	assert_int_equal(wf_store_stage_new(setup->store, &parts->stage, NULL), 0);
	for (int i = 0; i < PARTS; i++) {
		(void)snprintf(parts->names[i], sizeof(parts->names[i]), "n%d", i);
		parts->documents[i] = make_document("K", parts->names[i], i);
		assert_int_equal(add(parts->stage,
				     put_of(parts->names[i], parts->documents[i], WF_STORE_ANY),
				     NULL),
				 0);
	}
}

static void end_parts(struct parts *parts)
{
	for (int i = 0; i < PARTS; i++)
		json_decref(parts->documents[i]);
	free(parts->before);
}

static void assert_shown(struct wf_store *store, const char *wanted)
{
	_cleanup_free_ char *now = dump(store);

	assert_string_equal(now, wanted);
}

static size_t count_of(struct wf_store *store, const char *kind)
{
	size_t count = 0;

	assert_int_equal(wf_store_count(store, kind, &count, NULL), 0);
	return count;
}

/* A store as it would be found after a crash: what is in the files, and nothing that memory has. */
static void assert_after_crash(struct setup *setup, const char *wanted)
{
	char command[512], path[128];
	struct wf_store *store;

	(void)snprintf(path, sizeof(path), "%s.crash", setup->fixture.path);
	for (int i = 0; i < 2; i++) {
		const char *suffix = i ? "-wal" : "";

		(void)snprintf(command, sizeof(command), "cp %s%s %s%s", setup->fixture.path,
			       suffix, path, suffix);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(wf_store_sqlite_open(path, &store, NULL), 0);
	assert_shown(store, wanted);
	wf_store_close(&store);
	/* nothing of it is left in the file either */
	(void)snprintf(command, sizeof(command), "rm %s*", path);
	assert_int_equal(system(command), 0);
}

static void test_in_parts(void **state)
{
	struct setup *setup = *state;
	struct wf_store *store = setup->store;
	uint64_t revision = 0, others;
	_cleanup_free_ char *after = NULL;
	struct parts parts;
	int turns = 0, r;

	begin_parts(setup, &parts);
	while ((r = wf_store_stage_write(parts.stage, 7, NULL)) == 1) {
		turns++;
		assert_shown(store, parts.before);
		assert_int_equal(count_of(store, "K"), 2);
		assert_int_equal(stored_value(store, "K", "n3"), 100);
		assert_int_equal(stored_value(store, "K", "n0"), -1);
		assert_after_crash(setup, parts.before);
	}
	assert_int_equal(r, 0);
	assert_int_equal(turns, 3);
	/* others go on */
	assert_int_equal(put(store, "L", "other", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(store, "L", "second", 3, WF_STORE_ABSENT, NULL), 0);
	assert_int_equal(del(store, "L", "second", WF_STORE_ANY, NULL), 0);
	others = wf_store_revision(store);
	assert_int_equal(wf_store_stage_commit(&parts.stage, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_true(revision > others);
	assert_int_equal(wf_store_revision(store), revision);
	assert_int_equal(version_of(parts.documents[0]), revision);
	assert_int_equal(version_of(parts.documents[4]), 2);
	for (int i = 0; i < PARTS; i++)
		assert_int_equal(stored_value(store, "K", parts.names[i]), i);
	assert_int_equal(count_of(store, "K"), PARTS);
	after = dump(store);
	assert_after_crash(setup, after);
	wf_store_tidy(store);
	assert_int_equal(put(store, "L", "other", 5, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_revision(store), revision + 1);
	reopen(setup);
	assert_int_equal(wf_store_revision(setup->store), revision + 1);
	assert_int_equal(count_of(setup->store, "K"), PARTS);
	end_parts(&parts);
}

/* Given up half-way, and when all is written. */
static void test_parts_given_up(void **state)
{
	struct setup *setup = *state;
	struct parts parts;

	for (int i = 0; i < 2; i++) {
		begin_parts(setup, &parts);
		while (wf_store_stage_write(parts.stage, 7, NULL) == 1 && i == 0)
			;
		wf_store_stage_free(&parts.stage);
		assert_shown(setup->store, parts.before);
		assert_int_equal(count_of(setup->store, "K"), 2);
		assert_null(
			json_object_get(json_object_get(parts.documents[0], "metadata"), "uid"));
		assert_after_crash(setup, parts.before);
		end_parts(&parts);
	}
	assert_int_equal(wf_store_revision(setup->store), 3);
}

/* What others write of the same documents meanwhile is theirs, whether it was hidden already or not. */
static void test_parts_overtaken(void **state)
{
	static const struct {
		const char *name;
		bool is_deleted;
	} cases[] = { { "n3", false }, { "n3", true }, { "n1", false }, { "n20", false } };
	struct setup *setup = *state;
	_cleanup_free_ char *mine = NULL;
	struct wf_err err = WF_ERR_INIT;
	struct parts parts;

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		begin_parts(setup, &parts);
		assert_int_equal(wf_store_stage_write(parts.stage, 7, NULL), 1);
		if (cases[i].is_deleted)
			assert_int_equal(del(setup->store, "K", cases[i].name, WF_STORE_ANY, NULL),
					 0);
		else
			assert_int_equal(
				put(setup->store, "K", cases[i].name, 77, WF_STORE_ANY, NULL), 0);
		free(mine);
		mine = dump(setup->store);
		while (wf_store_stage_write(parts.stage, 7, NULL) == 1)
			;
		assert_shown(setup->store, mine);
		assert_int_equal(wf_store_stage_commit(&parts.stage, WF_STORE_DURABLE, NULL, &err),
				 -ESTALE);
		wf_store_stage_free(&parts.stage);
		assert_shown(setup->store, mine);
		assert_int_equal(stored_value(setup->store, "K", cases[i].name),
				 cases[i].is_deleted ? -1 : 77);
		end_parts(&parts);
		if (!cases[i].is_deleted)
			assert_int_equal(del(setup->store, "K", cases[i].name, WF_STORE_ANY, NULL),
					 0);
	}
}

/* More come in between than there are revisions left: they are served, and it begins anew. */
static void test_parts_outrun(void **state)
{
	struct setup *setup = *state;
	_cleanup_free_ char *mine = NULL;
	struct parts parts;

	((struct wf_local *)setup->store)->hidden_gap = 3;
	begin_parts(setup, &parts);
	assert_int_equal(wf_store_stage_write(parts.stage, 7, NULL), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(setup->store, "L", "other", 10 + i, WF_STORE_ANY, NULL), 0);
	mine = dump(setup->store);
	assert_int_equal(wf_store_stage_commit(&parts.stage, WF_STORE_DURABLE, NULL, NULL),
			 -ESTALE);
	wf_store_stage_free(&parts.stage);
	assert_shown(setup->store, mine);
	end_parts(&parts);
}

/*
 * Given up in parts, in the middle of being written or after that: nothing of it is seen meanwhile, nor
 * after a crash, and others change the same documents: those that are taken away by then, and those that
 * are not.
 */
static void test_parts_given_up_in_parts(void **state)
{
	struct setup *setup = *state;
	struct parts parts;
	int turns;

	for (int whole = 0; whole <= 1; whole++) {
		_cleanup_free_ char *mine = NULL;

		begin_parts(setup, &parts);
		mine = strdup(parts.before);
		while (wf_store_stage_write(parts.stage, 7, NULL) == 1 && whole)
			;
		for (turns = 0; wf_store_stage_undo(&parts.stage, 3); turns++) {
			assert_shown(setup->store, mine);
			assert_int_equal(stored_value(setup->store, "K", "n0"), -1);
			assert_after_crash(setup, mine);
			if (turns != 2)
				continue;
			/* one that hides another, one that hides nothing, and one that hides nothing yet */
			assert_int_equal(put(setup->store, "K", "n3", 101, WF_STORE_ANY, NULL), 0);
			assert_int_equal(put(setup->store, "K", "n1", 7, WF_STORE_ABSENT, NULL), 0);
			assert_int_equal(del(setup->store, "K", "n4", WF_STORE_ANY, NULL), 0);
			free(mine);
			mine = dump(setup->store);
		}
		assert_null(parts.stage);
		assert_true(turns >= (whole ? 12 : 8));
		assert_shown(setup->store, mine);
		assert_int_equal(count_of(setup->store, "K"), 2);
		assert_after_crash(setup, mine);
		reopen(setup);
		assert_shown(setup->store, mine);
		end_parts(&parts);
		assert_int_equal(del(setup->store, "K", "n1", WF_STORE_ANY, NULL), 0);
	}
}

/* A second one is written at once, while the first is in parts; so is a small one. */
static void test_one_in_parts(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *x = make_document("L", "x", 1);
	struct wf_store_stage *second = NULL;
	struct wf_store_write write = { WF_STORE_PUT, "L", "x", x, WF_STORE_ANY, 0 };
	struct parts parts;

	begin_parts(setup, &parts);
	assert_int_equal(wf_store_stage_write(parts.stage, 7, NULL), 1);
	assert_int_equal(wf_store_stage_new(setup->store, &second, NULL), 0);
	assert_int_equal(add(second, write, NULL), 0);
	assert_int_equal(wf_store_stage_write(second, 7, NULL), 0);
	assert_int_equal(wf_store_stage_commit(&second, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(stored_value(setup->store, "L", "x"), 1);
	/* what was not written in parts is written by the commit */
	assert_int_equal(wf_store_stage_commit(&parts.stage, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(count_of(setup->store, "K"), PARTS);
	assert_int_equal(count_of(setup->store, "L"), 2);
	end_parts(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(test_as_a_commit),
		BOTH(test_numbers_are_those_of_the_commit),
		BOTH(test_overtaken),
		BOTH(test_two),
		ALL(test_refused),
		BOTH(test_compared_at_once),
		BOTH(test_larger_than_the_history),
		SQLITE(test_in_parts),
		SQLITE(test_parts_given_up),
		SQLITE(test_parts_given_up_in_parts),
		SQLITE(test_parts_overtaken),
		SQLITE(test_parts_outrun),
		SQLITE(test_one_in_parts),
	};

	return run_stores(tests);
}
