/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random transactions with compare-and-swap on every back end, each compared with a naive model:
 * the result, what is stored, what watchers see live and from a revision, also after a restart.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "both_stores.h"

#define KEYS       12
#define MAX_EVENTS 8192

static const char *const kinds[] = { "A", "B", "C" };

struct key {
	bool exists;
	int value;
	uint64_t revision;
	char uid[40];
};

struct event {
	int key;
	int value; /* -1: deleted */
	uint64_t revision;
};

struct events {
	struct event items[MAX_EVENTS];
	size_t count;
};

struct model {
	struct key keys[KEYS];
	uint64_t revision;
	struct events events;
};

/* A transaction as it is tried on both. */
struct plan {
	struct wf_store_write writes[5];
	int keys[5];
	int values[5];
	size_t count;
};

static uint64_t seed;

static const char *kind_of(int key)
{
	return kinds[key % 3];
}

static const char *name_of(int key)
{
	static const char *const names[] = { "n0", "n1", "n2", "n3" };

	return names[key / 3];
}

static void observe(const struct wf_store_event *event, void *context)
{
	struct events *seen = context;

	for (int key = 0; key < KEYS; key++) {
		if (strcmp(kind_of(key), event->kind) != 0 ||
		    strcmp(name_of(key), event->name) != 0)
			continue;
		seen->items[seen->count++] =
			(struct event){ key, event->document ? value_of(event->document) : -1,
					event->revision };
		return;
	}
	fail_msg("an event for %s/%s", event->kind, event->name);
}

static struct plan make_plan(const struct model *model)
{
	struct plan plan = { .count = 1 + roll(&seed, 5) };
	bool used[KEYS] = { false };

	for (size_t i = 0; i < plan.count; i++) {
		int key = (int)roll(&seed, KEYS);
		uint64_t dice = roll(&seed, 20);

		while (used[key])
			key = (key + 1) % KEYS;
		used[key] = true;
		plan.keys[i] = key;
		plan.values[i] = (int)roll(&seed, 4);
		plan.writes[i] = (struct wf_store_write){
			.op = roll(&seed, 3) ? WF_STORE_PUT : WF_STORE_DELETE,
			.kind = kind_of(key),
			.name = name_of(key),
			.expected = dice < 12 && model->keys[key].exists ? model->keys[key].revision
				    : dice < 18                          ? WF_STORE_ANY
				    : dice == 18                         ? WF_STORE_ABSENT
									 : 1 + roll(&seed, 50),
		};
		if (!model->keys[key].exists && roll(&seed, 8))
			plan.writes[i].op = WF_STORE_PUT;
		if (plan.writes[i].op == WF_STORE_DELETE && !plan.writes[i].expected)
			plan.writes[i].expected = WF_STORE_ANY;
		if (plan.writes[i].op == WF_STORE_PUT)
			plan.writes[i].document =
				make_document(kind_of(key), name_of(key), plan.values[i]);
	}
	return plan;
}

static int expected_result(const struct model *model, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct wf_store_write *write = &plan->writes[i];
		const struct key *key = &model->keys[plan->keys[i]];

		if (write->op == WF_STORE_DELETE && !key->exists)
			return -ENOENT;
		if (write->expected == WF_STORE_ANY)
			continue;
		if (write->expected == WF_STORE_ABSENT && key->exists)
			return -EEXIST;
		if (write->expected && (!key->exists || key->revision != write->expected))
			return -ESTALE;
	}
	return 0;
}

static void apply(struct model *model, const struct plan *plan)
{
	uint64_t next = model->revision + 1;
	size_t before = model->events.count;

	for (size_t i = 0; i < plan->count; i++) {
		const struct wf_store_write *write = &plan->writes[i];
		struct key *key = &model->keys[plan->keys[i]];
		bool is_put = write->op == WF_STORE_PUT;

		if (is_put && !key->exists)
			(void)snprintf(key->uid, sizeof(key->uid), "%s",
				       metadata_text(write->document, "uid"));
		if (!is_put || !key->exists || key->value != plan->values[i]) {
			key->revision = next;
			model->events.items[model->events.count++] =
				(struct event){ plan->keys[i], is_put ? plan->values[i] : -1,
						next };
		}
		key->exists = is_put;
		key->value = plan->values[i];
		if (is_put) {
			assert_int_equal(at(version_of(write->document)), key->revision);
			assert_string_equal(metadata_text(write->document, "uid"), key->uid);
		}
	}
	if (model->events.count > before)
		model->revision = next;
}

static void check_documents(const struct model *model, struct wf_store *store)
{
	size_t listed = 0;

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		_cleanup_json_ json_t *array = NULL;
		uint64_t revision;

		assert_int_equal(wf_store_list(store, kinds[i], &array, &revision, NULL), 0);
		assert_int_equal(revision, model->revision);
		listed += json_array_size(array);
	}
	for (int i = 0; i < KEYS; i++) {
		_cleanup_json_ json_t *got = NULL;
		const struct key *key = &model->keys[i];
		int r = wf_store_get(store, kind_of(i), name_of(i), &got, NULL);

		assert_int_equal(r, key->exists ? 0 : -ENOENT);
		if (!key->exists)
			continue;
		listed--;
		assert_int_equal(value_of(got), key->value);
		assert_int_equal(at(version_of(got)), key->revision);
		assert_string_equal(metadata_text(got, "uid"), key->uid);
	}
	assert_int_equal(listed, 0);
}

static void check_same(const struct events *want, size_t from, const struct events *got)
{
	assert_int_equal(got->count, want->count - from);
	for (size_t i = 0; i < got->count; i++) {
		assert_int_equal(got->items[i].key, want->items[from + i].key);
		assert_int_equal(got->items[i].value, want->items[from + i].value);
		assert_int_equal(got->items[i].revision, want->items[from + i].revision);
	}
}

/* A watch from any revision that still can be watched sees the rest of the model's history. */
static void check_history(const struct model *model, struct wf_store *store, uint64_t oldest)
{
	struct events *seen = calloc(1, sizeof(*seen));
	uint64_t start = roll(&seed, model->revision + 1), id;
	size_t from = 0;
	int r = wf_store_watch(store, NULL, start, observe, seen, &id, NULL);

	assert_int_equal(r, start < oldest ? -ESTALE : 0);
	if (r == 0) {
		while (from < model->events.count && model->events.items[from].revision <= start)
			from++;
		check_same(&model->events, from, seen);
		wf_store_unwatch(store, id);
	}
	free(seen);
}

static void try_plan(struct model *model, struct wf_store *store)
{
	struct plan plan = make_plan(model);
	json_t *copies[5] = { NULL };
	int want = expected_result(model, &plan);
	uint64_t revision = UINT64_MAX;

	for (size_t i = 0; i < plan.count; i++)
		copies[i] =
			plan.writes[i].document ? json_deep_copy(plan.writes[i].document) : NULL;
	assert_int_equal(wf_store_commit(store, plan.writes, plan.count,
					 roll(&seed, 2) ? WF_STORE_DURABLE : WF_STORE_BOOT_BOUND,
					 &revision, NULL),
			 want);
	if (want == 0) {
		apply(model, &plan);
		assert_int_equal(revision, model->revision);
	}
	assert_int_equal(wf_store_revision(store), model->revision);
	for (size_t i = 0; i < plan.count; i++) {
		if (want < 0 && copies[i])
			assert_true(json_equal(copies[i], plan.writes[i].document));
		json_decref(copies[i]);
		json_decref(plan.writes[i].document);
	}
}

static void watch_all(struct wf_store *store, struct events *live, uint64_t from)
{
	uint64_t id;

	assert_int_equal(wf_store_watch(store, NULL, from, observe, live, &id, NULL), 0);
}

static int steps_of(const struct setup *setup)
{
	if (setup->is_etcd)
		return 600;
	return setup->durable ? 1500 : 2000;
}

/* So that no change is dropped by itself. */
static void keep_all(struct setup *setup)
{
	if (!setup->is_etcd)
		((struct wf_local *)setup->store)->max_changes = MAX_EVENTS;
}

static void test_model(void **state)
{
	struct setup *setup = *state;
	const char *text = getenv("WEFT_TEST_SEED");
	struct model *model = calloc(1, sizeof(*model));
	struct events *live = calloc(1, sizeof(*live));
	int steps = steps_of(setup);
	uint64_t oldest, first;

	seed = text ? strtoull(text, NULL, 10) : 20261121;
	keep_all(setup);
	/* in etcd others have written before */
	first = oldest = model->revision = wf_store_revision(setup->store);
	watch_all(setup->store, live, first);
	for (int i = 0; i < steps; i++) {
		try_plan(model, setup->store);
		if (i % 10 == 0)
			check_documents(model, setup->store);
		if (i % 25 == 0)
			check_history(model, setup->store, oldest);
		if (i % 200 == 199) {
			uint64_t before = roll(&seed, model->revision) + 1;

			assert_int_equal(wf_store_compact(setup->store, before, NULL), 0);
			if (before - 1 > oldest)
				oldest = before - 1;
		}
		if (setup->durable && i % 50 == 49) {
			reopen(setup);
			keep_all(setup);
			watch_all(setup->store, live, model->revision);
			assert_int_equal(wf_store_revision(setup->store), model->revision);
			check_documents(model, setup->store);
			check_history(model, setup->store, oldest);
		}
	}
	check_same(&model->events, 0, live);
	assert_true(model->revision - first > (uint64_t)steps / 3);
	/* before the memory that its watcher writes to */
	wf_store_close(&setup->store);
	free(live);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = { ALL(test_model) };

	return run_stores(tests);
}
