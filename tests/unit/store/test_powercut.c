/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts at every point of a run of random transactions. What every one of thousands of
 * possible disks must hold: it opens, it is whole, and it is exactly the state after some
 * transaction, which is none before the last durable one that was acknowledged. The same probe
 * must see losses when durable commits are not synced, or it could not see any.
 *
 * WEFT_POWERCUT_IMAGES=N sets how many disks are tried per run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "disk_vfs.h"
#include "store/sqlite_priv.h"
#include "store_fixture.h"

#define TRANSACTIONS 400

/* Documents of a transaction that is written in parts, every so many transactions. */
#define LARGE       24
#define LARGE_EVERY 20

static const char *const kinds[] = { "A", "B", NULL };

/* What was true after one transaction. */
struct step {
	char *dump;        /* owned; all documents */
	size_t log_length; /* of the disk when its commit returned */
	bool durable;
};

struct history {
	struct store_fixture fixture;
	struct step steps[TRANSACTIONS + 1]; /* by revision */
	uint64_t seed;
};

struct outcome {
	int images;
	int refused;   /* did not open, or was damaged */
	int unknown;   /* a state that never was */
	int lost;      /* a durable transaction was gone */
	int not_all;   /* boot-bound ones were gone, as they may */
	int mid_write; /* cut within a transaction */
};

static void note_step(struct history *history, struct wf_store *store, int number,
		      enum wf_store_durability durability)
{
	history->steps[number] = (struct step){
		.dump = dump_store(store, kinds),
		.log_length = disk_log_length(),
		.durable = durability == WF_STORE_DURABLE,
	};
}

static void random_transaction(struct history *history, struct wf_store *store, int number)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	struct wf_store_write writes[3] = { 0 };
	enum wf_store_durability durability =
		roll(&history->seed, 3) ? WF_STORE_BOOT_BOUND : WF_STORE_DURABLE;
	size_t count = 1 + roll(&history->seed, 3);
	uint64_t revision;

	for (size_t i = 0; i < count; i++) {
		const char *kind = kinds[i % 2], *name = names[(number + (int)i * 3) % 8];
		json_t *document = make_document(kind, name, number);
		char pad[500];

		memset(pad, 'x', sizeof(pad));
		pad[roll(&history->seed, sizeof(pad))] = '\0';
		pad[sizeof(pad) - 1] = '\0';
		assert_int_equal(json_object_set_new(document, "pad", json_string(pad)), 0);
		writes[i] = (struct wf_store_write){ WF_STORE_PUT, kind,         name,
						     document,     WF_STORE_ANY, 0 };
		if (stored_value(store, kind, name) >= 0 && roll(&history->seed, 4) == 0)
			writes[i].op = WF_STORE_DELETE;
	}
	assert_int_equal(wf_store_commit(store, writes, count, durability, &revision, NULL), 0);
	assert_int_equal(revision, number);
	for (size_t i = 0; i < count; i++)
		json_decref(writes[i].document);
	note_step(history, store, number, durability);
}

/* One that is too large for the log of changes, and written in parts. */
static void large_transaction(struct history *history, struct wf_store *store, int number)
{
	enum wf_store_durability durability =
		roll(&history->seed, 2) ? WF_STORE_BOOT_BOUND : WF_STORE_DURABLE;
	struct wf_store_stage *stage = NULL;
	json_t *documents[LARGE];
	char names[LARGE][8];
	uint64_t revision;

	/* no other transaction comes in between */
	((struct wf_local *)store)->hidden_gap = 1;
	assert_int_equal(wf_store_stage_new(store, &stage, NULL), 0);
	for (int i = 0; i < LARGE; i++) {
		/* some of the others', and some that the last one made */
		(void)snprintf(names[i], sizeof(names[i]), "%c%.*d", 'a' + i % 10, i / 10,
			       number % 2);
		documents[i] = make_document("A", names[i], number);
		assert_int_equal(wf_store_stage_add(
					 stage,
					 &(struct wf_store_write){ WF_STORE_PUT, "A", names[i],
								   documents[i], WF_STORE_ANY, 0 },
					 NULL),
				 0);
	}
	while (wf_store_stage_write(stage, 5, NULL) == 1)
		;
	assert_int_equal(wf_store_stage_commit(&stage, durability, &revision, NULL), 0);
	assert_int_equal(revision, number);
	for (int i = 0; i < LARGE; i++)
		json_decref(documents[i]);
	note_step(history, store, number, durability);
}

/* Small bounds, so that the run has many checkpoints and trims. */
static struct wf_sqlite_tuning small_tuning(const char *durable)
{
	return (struct wf_sqlite_tuning){
		.durable = durable,
		.checkpoint_pages = 30,
		.max_changes = 20,
		.max_history_bytes = 1 << 20,
	};
}

static struct history *record(const char *durable, uint64_t seed)
{
	struct history *history = calloc(1, sizeof(*history));
	struct wf_sqlite_tuning tuning = small_tuning(durable);
	struct wf_store *store;

	history->seed = seed;
	fixture_init(&history->fixture);
	disk_reset(true);
	assert_int_equal(wf_sqlite_open_tuned(history->fixture.path, &tuning, &store, NULL), 0);
	history->steps[0] = (struct step){ strdup(""), disk_log_length(), false };
	for (int number = 1; number <= TRANSACTIONS; number++) {
		if (number % LARGE_EVERY)
			random_transaction(history, store, number);
		else
			large_transaction(history, store, number);
		/* a clean restart in between is part of life */
		if (number % 100 == 50) {
			wf_store_close(&store);
			assert_int_equal(
				wf_sqlite_open_tuned(history->fixture.path, &tuning, &store, NULL),
				0);
		}
	}
	wf_store_close(&store);
	return history;
}

static void forget(struct history *history)
{
	for (int i = 0; i <= TRANSACTIONS; i++)
		free(history->steps[i].dump);
	fixture_done(&history->fixture);
	disk_reset(false);
	free(history);
}

static void count_event(const struct wf_store_event *event, void *context)
{
	(*(int *)context)++;
}

/* The history of changes must be whole too, from where it is kept. */
static bool watch_works(struct wf_store *store)
{
	const struct wf_local *local = (struct wf_local *)store;
	int events = 0;
	uint64_t id;

	return wf_store_watch(store, NULL, local->forgotten.revision, count_event, &events, &id,
			      NULL) == 0 &&
	       (uint64_t)events == local->newest.changes - local->forgotten.changes;
}

static void judge(const struct history *history, size_t cut, struct outcome *outcome)
{
	struct wf_sqlite_tuning tuning = small_tuning("FULL");
	uint64_t acknowledged = 0, begun = 0, revision;
	_cleanup_free_ char *dump = NULL;
	struct wf_store *store;

	outcome->images++;
	for (uint64_t i = 1; i <= TRANSACTIONS; i++) {
		if (history->steps[i].log_length <= cut && history->steps[i].durable)
			acknowledged = i;
		if (history->steps[i - 1].log_length <= cut)
			begun = i;
	}
	outcome->mid_write += cut != history->steps[begun ? begun - 1 : 0].log_length;
	if (wf_sqlite_open_tuned(history->fixture.path, &tuning, &store, NULL) < 0) {
		outcome->refused++;
		return;
	}
	revision = wf_store_revision(store);
	dump = dump_store(store, kinds);
	if (!dump || revision > begun || strcmp(dump, history->steps[revision].dump) != 0 ||
	    !watch_works(store))
		outcome->unknown++;
	outcome->lost += revision < acknowledged;
	outcome->not_all += revision + 1 < begun;
	wf_store_close(&store);
}

static struct outcome cut_everywhere(const char *durable, int images)
{
	struct history *history = record(durable, 20261121);
	struct outcome outcome = { 0 };
	size_t length = disk_log_length();
	uint64_t seed = 4711;

	for (int i = 0; i < images; i++) {
		/* evenly over the log; every kind of loss at every point when there are enough */
		size_t cut = (size_t)i * length / (size_t)images;

		disk_crash(cut, (enum disk_loss)(i % DISK_LOSS_COUNT), &seed);
		judge(history, cut, &outcome);
	}
	(void)printf("%s: %zu operations, %d disks, %d cut within a transaction, %d refused, "
		     "%d in no known state, %d without a durable transaction, %d without a "
		     "boot-bound one\n",
		     durable, length, outcome.images, outcome.mid_write, outcome.refused,
		     outcome.unknown, outcome.lost, outcome.not_all);
	forget(history);
	return outcome;
}

static int image_count(int fallback)
{
	const char *text = getenv("WEFT_POWERCUT_IMAGES");

	return text ? (int)strtol(text, NULL, 10) : fallback;
}

static void test_power_cut(void **state)
{
	struct outcome outcome = cut_everywhere("FULL", image_count(4000));

	assert_int_equal(outcome.refused, 0);
	assert_int_equal(outcome.unknown, 0);
	assert_int_equal(outcome.lost, 0);
	/* the run was not too tame: cuts hit transactions, and unsynced ones did get lost */
	assert_true(outcome.mid_write > outcome.images / 4);
	assert_true(outcome.not_all > 0);
}

/* Control: without syncs the probe must find durable transactions missing. */
static void test_probe_sees_loss(void **state)
{
	struct outcome off = cut_everywhere("OFF", 300);
	struct outcome normal = cut_everywhere("NORMAL", 300);

	assert_true(off.lost + off.refused + off.unknown > 10);
	assert_true(normal.lost > 10);
	assert_int_equal(normal.refused + normal.unknown, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_probe_sees_loss),
	};

	disk_install();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
