/* SPDX-License-Identifier: Apache-2.0 */
/* The contracts of reading and committing, the same for every back end. */
#include "store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "both_stores.h"

static void test_put_get(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *document = make_document("Network", "blue", 1);
	_cleanup_json_ json_t *got = NULL, *second = make_document("Network", "blue", 2);
	struct wf_store_write write = {
		.kind = "Network",
		.name = "blue",
		.document = document,
		.expected = WF_STORE_ABSENT,
	};
	char uid[40], created[40];
	uint64_t revision = 99;

	assert_int_equal(wf_store_revision(setup->store), at(0));
	assert_int_equal(
		wf_store_commit(setup->store, &write, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_int_equal(revision, at(1));
	assert_int_equal(wf_store_revision(setup->store), at(1));
	assert_int_equal(version_of(document), 1);
	(void)snprintf(uid, sizeof(uid), "%s", metadata_text(document, "uid"));
	(void)snprintf(created, sizeof(created), "%s",
		       metadata_text(document, "creationTimestamp"));
	assert_int_equal(strlen(uid), 36);
	assert_int_equal(uid[14], '4');
	assert_int_equal(strlen(created), 20);
	reopen(setup);
	assert_int_equal(wf_store_get(setup->store, "Network", "blue", &got, NULL), 0);
	assert_true(json_equal(got, document));
	/* an update keeps uid and creationTimestamp, whatever the caller has there */
	write.document = second;
	write.expected = at(1);
	assert_int_equal(json_object_set_new(json_object_get(second, "metadata"), "uid",
					     json_string("forged")),
			 0);
	assert_int_equal(
		wf_store_commit(setup->store, &write, 1, WF_STORE_BOOT_BOUND, &revision, NULL), 0);
	assert_string_equal(metadata_text(second, "uid"), uid);
	assert_string_equal(metadata_text(second, "creationTimestamp"), created);
	assert_int_equal(version_of(second), 2);
	reopen(setup);
	assert_int_equal(stored_value(setup->store, "Network", "blue"), 2);
	assert_int_equal(wf_store_revision(setup->store), at(2));
}

static void test_uids_differ(void **state)
{
	struct setup *setup = *state;
	_cleanup_free_ char *dump = NULL;
	const char *const kinds[] = { "K", NULL };

	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "b", 1, WF_STORE_ANY, NULL), 0);
	dump = dump_store(setup->store, kinds);
	/* "K/a UID 1=1": not the same one twice */
	assert_memory_not_equal(dump + 4, strchr(dump, '\n') + 5, 36);
}

static void test_list(void **state)
{
	struct setup *setup = *state;
	static const char *const names[] = { "b", "a-1", "a", "z", "a.b" };
	_cleanup_json_ json_t *array = NULL, *none = NULL;
	uint64_t revision = 0;

	for (int i = 0; i < 5; i++)
		assert_int_equal(put(setup->store, "K", names[i], i, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "Ka", "other", 9, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_list(setup->store, "K", &array, &revision, NULL), 0);
	assert_int_equal(revision, at(6));
	assert_int_equal(json_array_size(array), 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(strcmp(metadata_text(json_array_get(array, i - 1), "name"),
				   metadata_text(json_array_get(array, i), "name")) < 0);
	assert_int_equal(wf_store_list(setup->store, "Nothing", &none, NULL, NULL), 0);
	assert_int_equal(json_array_size(none), 0);
}

/* Ends the visit at a name. */
struct visit {
	char names[64];
	const char *end;
};

static int note_name(const json_t *document, void *context, struct wf_err *err)
{
	struct visit *visit = context;
	const char *name = metadata_text(document, "name");
	size_t len = strlen(visit->names);

	(void)snprintf(visit->names + len, sizeof(visit->names) - len, " %s", name);
	return strcmp(name, visit->end) == 0 ? wf_fail(err, -EPERM, "enough of %s", name) : 0;
}

static void test_visit(void **state)
{
	struct setup *setup = *state;
	struct visit all = { .end = "" }, some = { .end = "b" }, none = { .end = "" };
	struct wf_err err = WF_ERR_INIT;

	for (int i = 0; i < 3; i++)
		assert_int_equal(put(setup->store, "K", (const char *[]){ "b", "c", "a" }[i], i,
				     WF_STORE_ANY, NULL),
				 0);
	assert_int_equal(wf_store_visit(setup->store, "K", note_name, &all, &err), 0);
	assert_string_equal(all.names, " a b c");
	assert_int_equal(wf_store_visit(setup->store, "K", note_name, &some, &err), -EPERM);
	assert_string_equal(some.names, " a b");
	assert_string_equal(err.message, "enough of b");
	assert_int_equal(wf_store_visit(setup->store, "Nothing", note_name, &none, &err), 0);
	assert_string_equal(none.names, "");
	/* the one that was cut short left nothing open */
	assert_int_equal(put(setup->store, "K", "d", 4, WF_STORE_ANY, NULL), 0);
}

static void test_compare_and_swap(void **state)
{
	struct setup *setup = *state;
	struct wf_err err = WF_ERR_INIT;
	char want[128];

	assert_int_equal(put(setup->store, "K", "a", 1, at(5), &err), -ESTALE);
	assert_string_equal(err.object, "K/a");
	assert_string_equal(err.message, "K/a was deleted since it was read");
	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ABSENT, &err), 0);
	assert_int_equal(put(setup->store, "K", "a", 2, WF_STORE_ABSENT, &err), -EEXIST);
	assert_string_equal(err.object, "K/a");
	assert_int_equal(put(setup->store, "K", "a", 2, at(7), &err), -ESTALE);
	(void)snprintf(want, sizeof(want),
		       "K/a was changed since it was read (it has resourceVersion %llu, expected "
		       "was %llu)",
		       (unsigned long long)at(1), (unsigned long long)at(7));
	assert_string_equal(err.message, want);
	assert_int_equal(put(setup->store, "K", "a", 2, at(1), &err), 0);
	assert_int_equal(del(setup->store, "K", "a", at(1), &err), -ESTALE);
	assert_int_equal(stored_value(setup->store, "K", "a"), 2);
	assert_int_equal(del(setup->store, "K", "a", at(2), &err), 0);
	assert_int_equal(del(setup->store, "K", "a", WF_STORE_ANY, &err), -ENOENT);
	assert_string_equal(err.object, "K/a");
	assert_int_equal(wf_store_revision(setup->store), at(3));
	assert_int_equal(stored_value(setup->store, "K", "a"), -1);
}

static void test_all_or_none(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = make_document("K", "a", 1), *b = make_document("K", "b", 1);
	_cleanup_json_ json_t *a_before = json_deep_copy(a), *bare = json_object();
	struct wf_store_write writes[] = {
		{ WF_STORE_PUT, "K", "a", a, WF_STORE_ABSENT, 0 },
		{ WF_STORE_PUT, "K", "bare", bare, WF_STORE_ANY, 0 },
		{ WF_STORE_PUT, "K", "b", b, WF_STORE_ABSENT, 0 },
	};
	struct wf_err err = WF_ERR_INIT;
	struct log log = { 0 };
	uint64_t revision = 77, id;

	assert_int_equal(put(setup->store, "K", "b", 5, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(1), note, &log, &id, NULL), 0);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 3, WF_STORE_DURABLE, &revision, &err),
		-EEXIST);
	assert_string_equal(err.object, "K/b");
	/* nothing is left of it: not in the store, the documents, the output, the watch */
	assert_true(json_equal(a, a_before));
	assert_int_equal(json_object_size(bare), 0);
	assert_int_equal(revision, 77);
	assert_string_equal(log.text, "");
	assert_int_equal(stored_value(setup->store, "K", "a"), -1);
	assert_int_equal(stored_value(setup->store, "K", "b"), 5);
	writes[2].expected = at(1);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 3, WF_STORE_DURABLE, &revision, &err), 0);
	assert_int_equal(revision, at(2));
	assert_string_equal(log.text, "+K/a@2=1 +K/bare@2=-1 +K/b@2=1 ");
	assert_int_equal(version_of(bare), 2);
}

static void test_unchanged(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *a = NULL, *b = make_document("K", "b", 2);
	_cleanup_json_ json_t *fresh = make_document("K", "a", 1);
	struct wf_store_write writes[] = {
		{ WF_STORE_PUT, "K", "a", fresh, WF_STORE_ANY, 0 },
		{ WF_STORE_PUT, "K", "b", b, WF_STORE_ANY, 0 },
	};
	struct log log = { 0 };
	uint64_t revision = 0, id;

	assert_int_equal(put(setup->store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(setup->store, "K", "x", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_get(setup->store, "K", "a", &a, NULL), 0);
	assert_int_equal(wf_store_watch(setup->store, NULL, at(2), note, &log, &id, NULL), 0);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_int_equal(revision, at(2));
	assert_int_equal(wf_store_revision(setup->store), at(2));
	assert_true(json_equal(fresh, a));
	assert_string_equal(log.text, "");
	/* also with its metadata filled in; but compare-and-swap comes first */
	assert_int_equal(
		wf_store_commit(setup->store, writes, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	writes[0].expected = at(9);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 1, WF_STORE_DURABLE, &revision, NULL),
		-ESTALE);
	/* in one transaction with a change it keeps its old version */
	writes[0].expected = at(1);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 2, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_int_equal(version_of(fresh), 1);
	assert_int_equal(version_of(b), 3);
	assert_string_equal(log.text, "+K/b@3=2 ");
	/* a label is a difference, a member less as well */
	assert_int_equal(json_object_set_new(json_object_get(fresh, "metadata"), "labels",
					     json_pack("{s:s}", "a", "b")),
			 0);
	assert_int_equal(
		wf_store_commit(setup->store, writes, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_int_equal(version_of(fresh), 4);
	assert_int_equal(json_object_del(json_object_get(fresh, "metadata"), "labels"), 0);
	writes[0].expected = WF_STORE_ANY;
	assert_int_equal(
		wf_store_commit(setup->store, writes, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	assert_int_equal(version_of(fresh), 5);
}

static void test_refused(void **state)
{
	struct setup *setup = *state;
	_cleanup_json_ json_t *good = make_document("K", "a", 1), *deep = json_object();
	_cleanup_json_ json_t *nul = json_pack("{s:s#}", "x", "a\0b", 3), *array = json_array();
	_cleanup_json_ json_t *odd = json_pack("{s:s}", "metadata", "x");
	json_t *inner = deep;
	char long_name[300];

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (int i = 0; i < 70; i++) {
		json_t *next = json_object();

		assert_int_equal(json_object_set_new(inner, "a", next), 0);
		inner = next;
	}
	const struct {
		struct wf_store_write writes[2];
		size_t count;
	} rows[] = {
		{ { { WF_STORE_PUT, "K", "", good, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", long_name, good, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "", "a", good, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", NULL, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", array, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", odd, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", nul, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", deep, WF_STORE_ANY, 0 } }, 1 },
		{ { { WF_STORE_DELETE, "K", "a", NULL, WF_STORE_ABSENT, 0 } }, 1 },
		{ { { WF_STORE_PUT, "K", "a", good, WF_STORE_ANY, 0 },
		    { WF_STORE_DELETE, "K", "a", NULL, WF_STORE_ANY, 0 } },
		  2 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		assert_int_equal(wf_store_commit(setup->store, rows[i].writes, rows[i].count,
						 WF_STORE_DURABLE, NULL, NULL),
				 -EINVAL);
	assert_int_equal(wf_store_revision(setup->store), at(0));
	assert_int_equal(wf_store_commit(setup->store, NULL, 0, WF_STORE_DURABLE, NULL, NULL), 0);
}

static void test_many_writes(void **state)
{
	struct setup *setup = *state;
	struct wf_store_write writes[100];
	char names[100][8];
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *array = NULL;

	for (int i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%d", (i * 37) % 100);
		writes[i] =
			(struct wf_store_write){ WF_STORE_PUT,    "K",
						 names[i],        make_document("K", names[i], i),
						 WF_STORE_ABSENT, 0 };
	}
	writes[99].name = names[3];
	assert_int_equal(wf_store_commit(setup->store, writes, 100, WF_STORE_DURABLE, NULL, &err),
			 -EINVAL);
	assert_non_null(strstr(err.message, "is written twice in one transaction"));
	writes[99].name = names[99];
	assert_int_equal(wf_store_commit(setup->store, writes, 100, WF_STORE_DURABLE, NULL, &err),
			 0);
	assert_int_equal(wf_store_list(setup->store, "K", &array, NULL, NULL), 0);
	assert_int_equal(json_array_size(array), 100);
	for (int i = 0; i < 100; i++)
		json_decref(writes[i].document);
}

static void test_describe(void **state)
{
	struct setup *setup = *state;
	char want[128];

	(void)snprintf(want, sizeof(want), "sqlite:%s", setup->fixture.path);
	assert_string_equal(wf_store_describe(setup->store), setup->durable ? want : "mem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(test_put_get),   ALL(test_uids_differ),      ALL(test_list),
		ALL(test_visit),     ALL(test_compare_and_swap), ALL(test_all_or_none),
		ALL(test_unchanged), ALL(test_refused),          ALL(test_many_writes),
		BOTH(test_describe),
	};

	return run_stores(tests);
}
