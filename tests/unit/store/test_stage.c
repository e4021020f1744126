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
	};

	return run_stores(tests);
}
