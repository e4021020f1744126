/* SPDX-License-Identifier: Apache-2.0 */
/* What a host has missed: told by the watch, by a new list, or found by the comparison. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "etcd_host.h"
#include "store/etcd_priv.h"

static void test_restart_resumes(void **state)
{
	struct host a, b;
	uint64_t lists;

	host_init(&a);
	host_init(&b);
	base_revision = wf_store_revision(a.store);
	assert_int_equal(put(a.store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	wf_store_close(&a.store);
	assert_int_equal(put(b.store, "K", "b", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(b.store, "K", "a", 3, WF_STORE_ANY, NULL), 0);
	a.store = etcd_open(&a.options);
	/* from the revision where it stopped, by the watch alone */
	assert_int_equal(wf_store_watch(a.store, NULL, at(1), note, &a.log, &a.watch, NULL), 0);
	catch_up(a.store, at(3));
	assert_string_equal(a.log.text, "+K/a@1=1 +K/b@2=2 +K/a@3=3 ");
	lists = state_of(a.store).counters.lists;
	assert_int_equal(lists, 0);
	host_done(&a);
	host_done(&b);
	base_revision = 0;
}

/* Away while the history was compacted: all is listed again, and the difference is told. */
static void test_compacted_while_away(void **state)
{
	struct host a, b;
	const char *const kinds[] = { "K", NULL };
	_cleanup_free_ char *on_a = NULL, *on_b = NULL;

	host_init(&a);
	host_init(&b);
	base_revision = wf_store_revision(a.store);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(a.store, "K", (const char *[]){ "stay", "go", "change" }[i], 1,
				     WF_STORE_ANY, NULL),
				 0);
	wf_store_close(&a.store);
	assert_int_equal(put(b.store, "K", "change", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(del(b.store, "K", "go", WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(b.store, "K", "come", 3, WF_STORE_ANY, NULL), 0);
	etcd_compact(cluster.urls[0], wf_store_revision(b.store));
	a.store = etcd_open(&a.options);
	await(a.store, 5000, is_back);
	catch_up(a.store, wf_store_revision(b.store));
	assert_int_equal(state_of(a.store).counters.lists, 1);
	on_a = dump_store(a.store, kinds);
	on_b = dump_store(b.store, kinds);
	assert_string_equal(on_a, on_b);
	/* what was before cannot be watched any more; from now on it can */
	assert_int_equal(wf_store_watch(a.store, NULL, at(3), note, &a.log, &a.watch, NULL),
			 -ESTALE);
	host_done(&a);
	host_done(&b);
	base_revision = 0;
}

/* As note(), but without the numbers: those of a list are older than its revision. */
static void note_names(const struct wf_store_event *event, void *context)
{
	struct log *log = context;
	size_t len = strlen(log->text);

	(void)snprintf(log->text + len, sizeof(log->text) - len, "%c%s/%s ",
		       event->document ? '+' : '-', event->kind, event->name);
}

/* The same with a watcher, while the process is stopped rather than the store. */
static void test_compacted_while_stale(void **state)
{
	struct host a, b;
	struct wf_err err = WF_ERR_INIT;

	host_init(&a);
	host_init(&b);
	base_revision = wf_store_revision(a.store);
	assert_int_equal(put(a.store, "K", "go", 1, WF_STORE_ANY, NULL), 0);
	wf_store_unwatch(a.store, a.watch);
	assert_int_equal(wf_store_watch(a.store, NULL, at(1), note_names, &a.log, &a.watch, NULL),
			 0);
	a.log.text[0] = '\0';
	/* the connection is lost, and changes and a compaction come before it is back */
	(void)wf_fail(&err, -EHOSTUNREACH, "cut by the test");
	wf_etcd_link_drop((struct wf_etcd *)a.store, &err);
	((struct wf_etcd *)a.store)->retry_ms = wf_clock_monotonic_ms() + 200;
	wf_etcd_schedule((struct wf_etcd *)a.store);
	assert_int_equal(put(b.store, "K", "come", 3, WF_STORE_ANY, NULL), 0);
	assert_int_equal(del(b.store, "K", "go", WF_STORE_ANY, NULL), 0);
	etcd_compact(cluster.urls[0], wf_store_revision(b.store));
	await(a.store, 5000, is_back);
	catch_up(a.store, at(3));
	/* one transaction; its documents have the revisions that they have */
	assert_string_equal(a.log.text, "+K/come -K/go ");
	host_done(&a);
	host_done(&b);
	base_revision = 0;
}

static void lose_document(struct wf_store *store, const char *name)
{
	struct wf_local *mirror = wf_etcd_mirror((struct wf_etcd *)store);

	assert_int_equal(wf_local_mirror_begin(mirror, NULL), 0);
	assert_int_equal(mirror->rows->remove(mirror, "K", name, NULL), 0);
	assert_int_equal(mirror->rows->end(mirror, NULL), 0);
}

static bool was_repaired(void *context)
{
	return stored_value(context, "K", "lost") == 1;
}

static bool was_audited(void *context)
{
	return state_of(context).counters.audits >= 2;
}

/* A watch that has lost an event never says so: the comparison finds it. */
static void test_audit_repairs(void **state)
{
	struct host host;
	uint64_t lists;

	host_init(&host);
	wf_store_close(&host.store);
	host.options.audit_ms = 200;
	host_open(&host);
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(host.store, "K", (const char *[]){ "a", "lost", "z" }[i], 1,
				     WF_STORE_ANY, NULL),
				 0);
	/* while all is well nothing is listed, however often it is compared */
	lists = state_of(host.store).counters.lists;
	await(host.store, 10000, was_audited);
	assert_int_equal(state_of(host.store).counters.lists, lists);
	lose_document(host.store, "lost");
	assert_int_equal(stored_value(host.store, "K", "lost"), -1);
	await(host.store, 10000, was_repaired);
	assert_int_equal(state_of(host.store).counters.lists, lists + 1);
	assert_true(state_of(host.store).counters.repairs > 0);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_restart_resumes),
		ETCD(test_compacted_while_away),
		ETCD(test_compacted_while_stale),
		ETCD(test_audit_repairs),
	};

	return run_etcd(tests);
}
