/* SPDX-License-Identifier: Apache-2.0 */
/* The store in etcd with one member: several hosts, leases, large transactions, histories lost. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "both_stores.h"
#include "etcd_fixture.h"
#include "store/etcd_priv.h"

static struct etcd_cluster cluster;
static char prefix[32];

/* One host: a store with a mirror of its own, and what its watcher saw. */
struct host {
	struct store_fixture fixture;
	struct wf_store_etcd_options options;
	struct wf_store *store;
	struct log log;
	uint64_t watch;
};

static void host_open(struct host *host)
{
	host->store = etcd_open(&host->options);
	assert_int_equal(wf_store_watch(host->store, NULL, wf_store_revision(host->store), note,
					&host->log, &host->watch, NULL),
			 0);
}

static void host_init(struct host *host)
{
	*host = (struct host){ 0 };
	fixture_init(&host->fixture);
	host->options = quick_options(cluster.urls, 1, prefix, host->fixture.path);
	host_open(host);
}

static void host_done(struct host *host)
{
	wf_store_close(&host->store);
	fixture_done(&host->fixture);
}

static const char *key(const char *rest)
{
	static char text[8][96];
	static unsigned int next;
	char *at_text = text[next++ % 8];

	(void)snprintf(at_text, sizeof(text[0]), "%s/%s", prefix, rest);
	return at_text;
}

/* Whether the store has come to a revision. */
struct target {
	struct wf_store *store;
	uint64_t revision;
};

static bool has_come_to(void *context)
{
	const struct target *target = context;

	return wf_store_revision(target->store) >= target->revision;
}

static void catch_up(struct wf_store *store, uint64_t revision)
{
	struct wf_store *const stores[] = { store, NULL };
	struct target target = { store, revision };

	if (!drive(stores, 5000, has_come_to, &target))
		fail_msg("the store stays at %llu, %llu was expected",
			 (unsigned long long)wf_store_revision(store),
			 (unsigned long long)revision);
}

static struct wf_store_state state_of(struct wf_store *store)
{
	struct wf_store_state state;

	wf_store_state(store, &state);
	return state;
}

static bool is_held(void *context)
{
	return state_of(context).hold[0] != '\0';
}

static bool is_free(void *context)
{
	return state_of(context).hold[0] == '\0' && state_of(context).is_connected;
}

static bool is_away(void *context)
{
	return !state_of(context).is_connected;
}

static bool is_back(void *context)
{
	return state_of(context).is_connected;
}

/* Drives one store until something holds, or fails the test. */
#define await(store_, limit_ms, condition)                                              \
	do {                                                                            \
		struct wf_store *const stores_[] = { store_, NULL };                    \
		if (!drive(stores_, limit_ms, condition, store_))                       \
			fail_msg(#condition " did not come: error \"%s\", hold \"%s\"", \
				 state_of(store_).last_error, state_of(store_).hold);   \
	} while (0)

static void test_two_hosts(void **state)
{
	struct host a, b;
	struct wf_err err = WF_ERR_INIT;
	uint64_t first;

	host_init(&a);
	host_init(&b);
	base_revision = wf_store_revision(a.store);
	assert_int_equal(put(a.store, "K", "x", 1, WF_STORE_ABSENT, &err), 0);
	first = wf_store_revision(a.store);
	/* b has not been driven: it has not heard of it, and is told by etcd */
	assert_int_equal(stored_value(b.store, "K", "x"), -1);
	assert_int_equal(put(b.store, "K", "x", 2, WF_STORE_ABSENT, &err), -EEXIST);
	assert_int_equal(put(b.store, "K", "x", 2, first, &err), 0);
	assert_int_equal(put(a.store, "K", "x", 3, first, &err), -ESTALE);
	assert_string_equal(err.object, "K/x");
	/* what expects nothing overwrites, and keeps the uid */
	assert_int_equal(put(a.store, "K", "x", 4, WF_STORE_ANY, &err), 0);
	/* the own commit has brought the other's change before it, in order, once */
	assert_string_equal(a.log.text, "+K/x@1=1 +K/x@2=2 +K/x@3=4 ");
	assert_int_equal(del(b.store, "K", "x", WF_STORE_ANY, &err), 0);
	assert_string_equal(b.log.text, "+K/x@1=1 +K/x@2=2 +K/x@3=4 -K/x@4 ");
	catch_up(a.store, at(4));
	assert_string_equal(a.log.text, b.log.text);
	assert_int_equal(del(a.store, "K", "x", WF_STORE_ANY, &err), -ENOENT);
	assert_int_equal(wf_store_revision(a.store), at(4));
	host_done(&a);
	host_done(&b);
	base_revision = 0;
}

static void test_uid_survives_other_hosts(void **state)
{
	struct host a, b;
	_cleanup_json_ json_t *on_a = NULL, *on_b = NULL;

	host_init(&a);
	host_init(&b);
	assert_int_equal(put(a.store, "K", "x", 1, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_get(a.store, "K", "x", &on_a, NULL), 0);
	/* b does not know that it is there, and would make a new uid */
	assert_int_equal(put(b.store, "K", "x", 2, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_get(b.store, "K", "x", &on_b, NULL), 0);
	assert_string_equal(metadata_text(on_a, "uid"), metadata_text(on_b, "uid"));
	assert_string_equal(metadata_text(on_a, "creationTimestamp"),
			    metadata_text(on_b, "creationTimestamp"));
	host_done(&a);
	host_done(&b);
}

/* Two hosts count one number up together: no step is lost. */
static void test_swap_never_loses(void **state)
{
	struct host hosts[2];
	int tries = 0;

	host_init(&hosts[0]);
	host_init(&hosts[1]);
	assert_int_equal(put(hosts[0].store, "K", "n", 0, WF_STORE_ANY, NULL), 0);
	for (int i = 0; i < 40; i++) {
		struct wf_store *store = hosts[i % 2].store;
		int r = -ESTALE;

		/* read without looking at the network: often too old */
		while (r == -ESTALE) {
			_cleanup_json_ json_t *now = NULL;
			uint64_t version = 0;
			int value = -1;

			if (wf_store_get(store, "K", "n", &now, NULL) == 0) {
				version = version_of(now);
				value = value_of(now);
			}
			tries++;
			r = version ? put(store, "K", "n", value + 1, version, NULL) : -ESTALE;
			if (r == -ESTALE)
				drive_for(store, 5);
		}
		assert_int_equal(r, 0);
	}
	assert_int_equal(stored_value(hosts[1].store, "K", "n"), 40);
	/* there were conflicts: without the comparison steps would have been lost */
	assert_true(tries > 40);
	host_done(&hosts[0]);
	host_done(&hosts[1]);
}

static int put_leased(struct wf_store *store, const char *name, uint64_t lease, struct wf_err *err)
{
	_cleanup_json_ json_t *document = make_document("K", name, 1);
	const struct wf_store_write write = {
		WF_STORE_PUT, "K", name, document, WF_STORE_ANY, lease
	};

	return wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, err);
}

struct named {
	struct wf_store *store;
	const char *name;
};

static bool is_gone(void *context)
{
	const struct named *named = context;

	return stored_value(named->store, "K", named->name) == -1;
}

static void test_leases(void **state)
{
	struct host a, b;
	struct wf_store *stores[3];
	struct wf_err err = WF_ERR_INIT;
	struct named dying;
	uint64_t lease, other, next_ms = 0;

	host_init(&a);
	host_init(&b);
	stores[0] = a.store;
	stores[1] = b.store;
	stores[2] = NULL;
	assert_int_equal(wf_store_lease_grant(a.store, 60000, &lease, &err), 0);
	assert_int_equal(wf_store_lease_grant(b.store, 500, &other, &err), 0);
	assert_int_not_equal(lease, other);
	assert_int_equal(put_leased(a.store, "mine", lease, &err), 0);
	assert_int_equal(put_leased(b.store, "dying", other, &err), 0);
	assert_int_equal(put_leased(b.store, "never", 12345, &err), -ENOENT);
	assert_int_equal(wf_store_lease_expire(a.store, &next_ms, &err), 0);
	assert_int_equal(next_ms, UINT64_MAX);
	assert_int_equal(wf_store_lease_renew(a.store, lease, &err), 0);
	/* b says no more: etcd takes its documents away, and a hears of it */
	dying = (struct named){ a.store, "dying" };
	drive_for(a.store, 200);
	assert_int_equal(stored_value(a.store, "K", "dying"), 1);
	assert_true(drive(stores, 10000, is_gone, &dying));
	assert_int_equal(stored_value(a.store, "K", "mine"), 1);
	assert_int_equal(wf_store_lease_renew(b.store, other, &err), -ENOENT);
	assert_int_equal(wf_store_lease_revoke(a.store, lease, &err), 0);
	assert_int_equal(stored_value(a.store, "K", "mine"), -1);
	assert_int_equal(wf_store_lease_revoke(a.store, lease, &err), -ENOENT);
	host_done(&a);
	host_done(&b);
}

/* A transaction of many documents, numbered from `first`. */
static int put_many(struct wf_store *store, int first, int count, int value, uint64_t expected,
		    uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_store_write *writes = calloc((size_t)count, sizeof(*writes));
	char(*names)[16] = calloc((size_t)count, sizeof(*names));
	int r;

	for (int i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%05d", first + i);
		writes[i] = (struct wf_store_write){
			WF_STORE_PUT, "Many", names[i], make_document("Many", names[i], value),
			expected,     0
		};
	}
	r = wf_store_commit(store, writes, (size_t)count, WF_STORE_DURABLE, ret_revision, err);
	for (int i = 0; i < count; i++)
		json_decref(writes[i].document);
	free(writes);
	free(names);
	return r;
}

static size_t count_many(struct wf_store *store)
{
	_cleanup_json_ json_t *array = NULL;

	assert_int_equal(wf_store_list(store, "Many", &array, NULL, NULL), 0);
	return json_array_size(array);
}

static void test_large_transactions(void **state)
{
	struct host a, b;
	struct wf_err err = WF_ERR_INIT;
	uint64_t revision = 0, before;

	host_init(&a);
	host_init(&b);
	before = wf_store_revision(a.store);
	assert_int_equal(put_many(a.store, 0, 1000, 1, WF_STORE_ABSENT, &revision, &err), 0);
	/* one revision: all or nothing */
	assert_int_equal(revision, before + 1);
	assert_int_equal(count_many(a.store), 1000);
	catch_up(b.store, revision);
	assert_int_equal(count_many(b.store), 1000);
	/* one of them is there: none is written */
	assert_int_equal(put_many(b.store, 999, 500, 1, WF_STORE_ABSENT, NULL, &err), -EEXIST);
	assert_string_equal(err.object, "Many/n00999");
	/* the same with a host that does not know it yet */
	assert_int_equal(put(a.store, "Many", "n01200", 9, WF_STORE_ANY, &err), 0);
	assert_int_equal(stored_value(b.store, "Many", "n01200"), -1);
	assert_int_equal(put_many(b.store, 1000, 500, 1, WF_STORE_ABSENT, NULL, &err), -EEXIST);
	assert_string_equal(err.object, "Many/n01200");
	catch_up(b.store, wf_store_revision(a.store));
	assert_int_equal(count_many(b.store), 1001);
	/* 128 may change at once, and what does not change costs nothing */
	assert_int_equal(put_many(b.store, 0, 128, 2, WF_STORE_ANY, NULL, &err), 0);
	assert_int_equal(put_many(b.store, 0, 160, 2, WF_STORE_ANY, &revision, &err), 0);
	assert_int_equal(stored_value(b.store, "Many", "n00159"), 2);
	/* more existing documents than can be compared: refused, nothing is written */
	assert_int_equal(put_many(b.store, 0, 300, 3, WF_STORE_ANY, NULL, &err), -E2BIG);
	assert_int_equal(stored_value(b.store, "Many", "n00000"), 2);
	assert_int_equal(put_many(b.store, 10000, 5000, 3, WF_STORE_ANY, NULL, &err), -E2BIG);
	host_done(&a);
	host_done(&b);
}

/* More bytes than etcd takes in one request. */
static void test_too_large(void **state)
{
	struct host host;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *document = make_document("K", "big", 1);
	const struct wf_store_write write = { WF_STORE_PUT, "K", "big", document, WF_STORE_ANY, 0 };
	char *text = malloc(2000001);

	host_init(&host);
	memset(text, 'x', 2000000);
	text[2000000] = '\0';
	assert_int_equal(json_object_set_new(document, "data", json_string(text)), 0);
	free(text);
	assert_int_equal(wf_store_commit(host.store, &write, 1, WF_STORE_DURABLE, NULL, &err),
			 -E2BIG);
	assert_non_null(strstr(err.message, cluster.urls[0]));
	/* nothing is lost with it: the next commit is like any other */
	assert_int_equal(put(host.store, "K", "small", 1, WF_STORE_ANY, &err), 0);
	host_done(&host);
}

static void test_keys_of_others(void **state)
{
	struct host host;
	struct wf_err err = WF_ERR_INIT;
	uint64_t unreadable;

	host_init(&host);
	base_revision = wf_store_revision(host.store);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	unreadable = state_of(host.store).counters.unreadable;
	/* no document, no kind, another prefix that begins like ours, and a name with a slash */
	(void)etcd_put(cluster.urls[0], key("note"), "x");
	(void)etcd_put(cluster.urls[0], key("K/"), "x");
	(void)etcd_put(cluster.urls[0], "/other/K/b", "{}");
	catch_up(host.store, etcd_put(cluster.urls[0], key("K/b/c"), "{\"spec\":{\"value\":5}}"));
	assert_int_equal(stored_value(host.store, "K", "b/c"), 5);
	assert_int_equal(state_of(host.store).counters.unreadable, unreadable);
	/* a value that is no document is left out; what was there is kept */
	(void)etcd_put(cluster.urls[0], key("K/a"), "not JSON");
	catch_up(host.store, etcd_put(cluster.urls[0], key("K/d"), "{\"spec\":{\"value\":6}}"));
	assert_int_equal(state_of(host.store).counters.unreadable, unreadable + 1);
	assert_int_equal(stored_value(host.store, "K", "a"), 1);
	assert_string_equal(host.log.text, "+K/a@1=1 +K/b/c@5=5 +K/d@7=6 ");
	/* and it can be written over */
	assert_int_equal(put(host.store, "K", "a", 7, WF_STORE_ANY, &err), 0);
	assert_int_equal(put(host.store, "K/x", "a", 7, WF_STORE_ANY, &err), -EINVAL);
	host_done(&host);
	base_revision = 0;
}

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

static void test_newer_version(void **state)
{
	struct wf_store_etcd_options options = quick_options(cluster.urls, 1, prefix, NULL);
	struct wf_err err = WF_ERR_INIT;
	struct wf_store *store = NULL;
	struct host host;

	host_init(&host);
	(void)etcd_put(cluster.urls[0], key("schema"),
		       "{\"version\":2,\"store\":\"x\",\"writtenBy\":\"weft 9.9\"}");
	assert_int_equal(wf_store_etcd_open(&options, &store, &err), -ESTALE);
	assert_non_null(strstr(err.message, "written by a newer weft (weft 9.9"));
	(void)etcd_put(cluster.urls[0], key("schema"), "hello");
	assert_int_equal(wf_store_etcd_open(&options, &store, &err), -EPROTO);
	assert_non_null(strstr(err.message, key("schema")));
	assert_non_null(strstr(err.message, cluster.urls[0]));
	assert_null(store);
	host_done(&host);
}

/* Whoever opens an empty prefix makes it a store; both who come first make the same. */
static void test_first_comers(void **state)
{
	struct host a, b;

	host_init(&a);
	host_init(&b);
	assert_string_equal(((struct wf_etcd *)a.store)->store_id,
			    ((struct wf_etcd *)b.store)->store_id);
	host_done(&a);
	host_done(&b);
}

static void fill(struct wf_store *store)
{
	assert_int_equal(put_many(store, 0, 60, 1, WF_STORE_ANY, NULL, NULL), 0);
}

/* Somebody empties the prefix: it is believed only when it is still so after a while. */
static void test_guard_watch(void **state)
{
	struct host host;

	host_init(&host);
	fill(host.store);
	host.log.text[0] = '\0';
	/* few deletions are nothing unusual */
	etcd_delete(cluster.urls[0], key("Many/n00000"), key("Many/n00003"));
	drive_for(host.store, 100);
	assert_int_equal(count_many(host.store), 57);
	etcd_delete(cluster.urls[0], key("Many/n00010"), key("Many/n00050"));
	await(host.store, 3000, is_held);
	assert_int_equal(count_many(host.store), 57);
	/* what is new is taken meanwhile */
	await(host.store, 3000, is_back);
	catch_up(host.store,
		 etcd_put(cluster.urls[0], key("Many/new"), "{\"spec\":{\"value\":5}}"));
	assert_int_equal(stored_value(host.store, "Many", "new"), 5);
	assert_int_equal(count_many(host.store), 58);
	await(host.store, 5000, is_free);
	assert_int_equal(count_many(host.store), 18);
	host_done(&host);
}

/* The same, but it is back before that. */
static void test_guard_comes_back(void **state)
{
	struct host host;

	host_init(&host);
	host.options.confirm_ms = 1500;
	wf_store_close(&host.store);
	host_open(&host);
	fill(host.store);
	wf_store_close(&host.store);
	/* while it is away, so that only the list can tell */
	etcd_delete(cluster.urls[0], key("Many/"), key("Many0"));
	etcd_compact(cluster.urls[0], etcd_put(cluster.urls[0], key("x"), "x"));
	host.log.text[0] = '\0';
	host_open(&host);
	await(host.store, 3000, is_held);
	await(host.store, 3000, is_back);
	for (int i = 0; i < 60; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "Many/n%05d", i);
		(void)etcd_put(cluster.urls[0], key(name), "{\"spec\":{\"value\":1}}");
	}
	await(host.store, 6000, is_free);
	assert_int_equal(count_many(host.store), 60);
	assert_null(strchr(host.log.text, '-'));
	host_done(&host);
}

/* What this host deletes itself needs no confirmation. */
static void test_guard_own(void **state)
{
	struct host host;
	struct wf_store_write writes[60];
	char names[60][16];
	struct wf_err err = WF_ERR_INIT;

	host_init(&host);
	fill(host.store);
	for (int i = 0; i < 60; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%05d", i);
		writes[i] = (struct wf_store_write){ WF_STORE_DELETE, "Many", names[i], NULL,
						     WF_STORE_ANY,    0 };
	}
	assert_int_equal(wf_store_commit(host.store, writes, 60, WF_STORE_DURABLE, NULL, &err), 0);
	assert_int_equal(count_many(host.store), 0);
	assert_false(is_held(host.store));
	host_done(&host);
}

/* Another etcd at the same address: nothing is taken, nothing written, until somebody says so. */
static void test_guard_foreign(void **state)
{
	struct host host;
	struct wf_err err = WF_ERR_INIT;

	host_init(&host);
	fill(host.store);
	etcd_wipe(&cluster);
	await(host.store, 5000, is_held);
	assert_int_equal(count_many(host.store), 60);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, &err), -EPERM);
	assert_non_null(strstr(err.message, "weft store accept"));
	/* a restart does not forget whose mirror it is */
	wf_store_close(&host.store);
	host_open(&host);
	assert_true(is_held(host.store));
	assert_int_equal(count_many(host.store), 60);
	assert_int_equal(wf_store_accept(host.store, &err), 0);
	await(host.store, 5000, is_free);
	assert_int_equal(count_many(host.store), 0);
	assert_int_equal(wf_store_accept(host.store, &err), -EALREADY);
	/* the revisions have gone back, and the watcher still hears of what comes */
	host.log.text[0] = '\0';
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, &err), 0);
	assert_non_null(strstr(host.log.text, "+K/a@"));
	host_done(&host);
}

static void test_outage(void **state)
{
	struct host host;
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms, waited_ms;

	host_init(&host);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, &err), 0);
	etcd_kill(&cluster, 0);
	begin_ms = wf_clock_monotonic_ms();
	assert_int_equal(put(host.store, "K", "b", 1, WF_STORE_ANY, &err), -EHOSTUNREACH);
	waited_ms = wf_clock_monotonic_ms() - begin_ms;
	assert_in_range(waited_ms, 0, 3000);
	assert_non_null(strstr(err.message, cluster.urls[0]));
	assert_non_null(strstr(err.message, "Connection refused"));
	/* the next ones do not wait */
	begin_ms = wf_clock_monotonic_ms();
	assert_int_equal(put(host.store, "K", "b", 1, WF_STORE_ANY, &err), -EHOSTUNREACH);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 100);
	assert_false(state_of(host.store).is_connected);
	assert_true(state_of(host.store).stale_since_s > 0);
	/* reads go on, and so does what changes nothing */
	assert_int_equal(stored_value(host.store, "K", "a"), 1);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, &err), 0);
	/* a restart meanwhile as well */
	wf_store_close(&host.store);
	host_open(&host);
	assert_int_equal(stored_value(host.store, "K", "a"), 1);
	/* but not of a host that has no state yet */
	{
		struct wf_store_etcd_options options = quick_options(cluster.urls, 1, prefix, NULL);
		struct wf_store *store = NULL;

		assert_int_equal(wf_store_etcd_open(&options, &store, &err), -EHOSTUNREACH);
		assert_non_null(strstr(err.message, cluster.urls[0]));
	}
	etcd_restart(&cluster, 0);
	await(host.store, 8000, is_back);
	assert_int_equal(put(host.store, "K", "b", 2, WF_STORE_ANY, &err), 0);
	host_done(&host);
}

/* A member that is stopped takes connections and says nothing. */
static void test_stopped(void **state)
{
	struct host host;
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms;

	host_init(&host);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, &err), 0);
	etcd_signal(&cluster, 0, SIGSTOP);
	begin_ms = wf_clock_monotonic_ms();
	/* it may have taken the request: that cannot be known */
	assert_int_equal(put(host.store, "K", "b", 1, WF_STORE_ANY, &err), -EAGAIN);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 1500, 3000);
	assert_non_null(strstr(err.message, "did not say whether"));
	assert_int_equal(stored_value(host.store, "K", "a"), 1);
	etcd_signal(&cluster, 0, SIGCONT);
	await(host.store, 10000, is_back);
	/* now it shows: made or not, the mirror has what etcd has */
	catch_up(host.store, etcd_put(cluster.urls[0], key("K/c"), "{\"spec\":{\"value\":3}}"));
	{
		_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
		_cleanup_str_ struct wf_str body = WF_STR_INIT;

		wf_etcd_add_range(&body, key("K/b"), strlen(key("K/b")), "");
		wf_str_add(&body, "}");
		etcd_ask(cluster.urls[0], "kv/range", wf_str_text(&body), &answer);
		assert_int_equal(stored_value(host.store, "K", "b"), answer.kv_count ? 1 : -1);
	}
	host_done(&host);
}

/* A silent watch is found out by the probe, without a commit. */
static void test_stopped_is_noticed(void **state)
{
	struct host host;

	host_init(&host);
	etcd_signal(&cluster, 0, SIGSTOP);
	await(host.store, 5000, is_away);
	etcd_signal(&cluster, 0, SIGCONT);
	await(host.store, 10000, is_back);
	host_done(&host);
}

/* How often the owner's loop would wake up in a time. */
static int count_wakes(struct wf_store *store, uint64_t ms)
{
	uint64_t end_ms = wf_clock_monotonic_ms() + ms, now_ms;
	int wakes = 0;

	while ((now_ms = wf_clock_monotonic_ms()) < end_ms) {
		struct pollfd fd = { .fd = wf_store_fd(store), .events = POLLIN };

		if (poll(&fd, 1, (int)(end_ms - now_ms)) > 0) {
			wf_store_process(store);
			wakes++;
		}
	}
	return wakes;
}

/* Nothing happens, nobody wakes up; not while something is withheld or away either. */
static void test_idle(void **state)
{
	struct host host;

	host_init(&host);
	wf_store_close(&host.store);
	host.options.probe_ms = 60000;
	host.options.confirm_ms = 60000;
	host_open(&host);
	fill(host.store);
	drive_for(host.store, 200);
	assert_in_range(count_wakes(host.store, 500), 0, 1);
	/* the probe of this test: a change does wake */
	(void)etcd_put(cluster.urls[0], key("K/a"), "{}");
	assert_in_range(count_wakes(host.store, 200), 1, 3);
	etcd_delete(cluster.urls[0], key("Many/n00010"), key("Many/n00050"));
	await(host.store, 3000, is_held);
	drive_for(host.store, 300);
	assert_in_range(count_wakes(host.store, 500), 0, 1);
	etcd_kill(&cluster, 0);
	drive_for(host.store, 500);
	/* tries at growing intervals, a few steps each */
	assert_in_range(count_wakes(host.store, 500), 0, 30);
	etcd_restart(&cluster, 0);
	host_done(&host);
}

static void test_import(void **state)
{
	struct store_fixture fixture;
	struct wf_store *local = NULL, *again = NULL;
	struct wf_store_etcd_options options = quick_options(cluster.urls, 1, prefix, NULL);
	struct wf_store_import done = { 0 };
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *before = NULL, *after = NULL;
	struct host host;
	uint64_t lease;

	fixture_init(&fixture);
	assert_int_equal(wf_store_sqlite_open(fixture.path, &local, &err), 0);
	for (int i = 0; i < 300; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%05d", i);
		assert_int_equal(put(local, "Many", name, i, WF_STORE_ANY, NULL), 0);
	}
	assert_int_equal(put(local, "K", "a", 7, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_lease_grant(local, 60000, &lease, NULL), 0);
	assert_int_equal(put_leased(local, "leased", lease, NULL), 0);
	if (wf_store_etcd_import(local, &options, false, &done, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(done.copied, 301);
	assert_int_equal(done.same, 0);
	assert_int_equal(done.leased, 1);
	host_init(&host);
	assert_int_equal(count_many(host.store), 300);
	assert_int_equal(wf_store_get(local, "K", "a", &before, NULL), 0);
	assert_int_equal(wf_store_get(host.store, "K", "a", &after, NULL), 0);
	/* all but the number: uid and time too */
	(void)json_object_del(json_object_get(before, "metadata"), "resourceVersion");
	(void)json_object_del(json_object_get(after, "metadata"), "resourceVersion");
	assert_true(json_equal(before, after));
	/* a second host: its documents are added, if it is asked for and none contradicts */
	assert_int_equal(put(local, "K", "new", 8, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_etcd_import(local, &options, false, &done, &err), -ENOTEMPTY);
	assert_int_equal(wf_store_etcd_import(local, &options, true, &done, &err), 0);
	assert_int_equal(done.copied, 1);
	assert_int_equal(done.same, 301);
	assert_int_equal(put(local, "K", "a", 9, WF_STORE_ANY, NULL), 0);
	assert_int_equal(put(local, "K", "aa", 9, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_etcd_import(local, &options, true, &done, &err), -EEXIST);
	assert_string_equal(err.object, "K/a");
	drive_for(host.store, 100);
	assert_int_equal(stored_value(host.store, "K", "a"), 7);
	assert_int_equal(stored_value(host.store, "K", "aa"), -1);
	assert_int_equal(stored_value(host.store, "K", "new"), 8);
	host_done(&host);
	/* one that was cut short keeps everybody out until it is run again */
	(void)etcd_put(cluster.urls[0], key("schema"),
		       "{\"version\":1,\"store\":\"x\",\"importing\":\"host-7\"}");
	assert_int_equal(wf_store_etcd_open(&options, &again, &err), -EBUSY);
	assert_non_null(strstr(err.message, "host-7"));
	assert_int_equal(put(local, "K", "a", 7, WF_STORE_ANY, NULL), 0);
	assert_int_equal(wf_store_etcd_import(local, &options, false, &done, &err), 0);
	again = etcd_open(&options);
	assert_int_equal(stored_value(again, "K", "aa"), 9);
	wf_store_close(&again);
	wf_store_close(&local);
	fixture_done(&fixture);
}

static void test_options(void **state)
{
	static const struct {
		const char *url;
		const char *endpoint;
		size_t count;
		const char *prefix;
	} good[] = {
		{ "etcd://10.0.0.1:2379", "http://10.0.0.1:2379", 1, "/weft" },
		{ "etcd://a,b:1,[fd00::1]:2", "http://a:2379", 3, "/weft" },
		{ "etcds://h:1/", "https://h:1", 1, "/weft" },
		{ "etcds://h:1/a/b/", "https://h:1", 1, "/a/b" },
	};
	static const char *const bad[] = {
		"etcd://",        "etcd:///x",  "http://a",        "etcd://a:0",
		"etcd://a:70000", "etcd://a b", "etcd://u@h",      "etcd://fd00::1",
		"etcd://a:1/x y", "etcd://a?x", "etcd://[fd00::1",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++) {
		struct wf_store_etcd_url url;

		assert_int_equal(wf_store_etcd_url_parse(good[i].url, &url, NULL), 0);
		assert_string_equal(url.endpoints[0], good[i].endpoint);
		assert_int_equal(url.endpoint_count, good[i].count);
		assert_string_equal(url.prefix, good[i].prefix);
		wf_store_etcd_url_done(&url);
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		struct wf_store_etcd_url url;

		if (wf_store_etcd_url_parse(bad[i], &url, NULL) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		wf_store_etcd_url_done(&url);
	}
}

static int new_prefix(void **state)
{
	static int tests;

	(void)snprintf(prefix, sizeof(prefix), "/e%d", tests++);
	return 0;
}

static int start(void **state)
{
	etcd_start(&cluster, 1);
	return 0;
}

static int stop(void **state)
{
	etcd_stop(&cluster);
	return 0;
}

#define ETCD(test) cmocka_unit_test_setup(test, new_prefix)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_two_hosts),
		ETCD(test_uid_survives_other_hosts),
		ETCD(test_swap_never_loses),
		ETCD(test_leases),
		ETCD(test_large_transactions),
		ETCD(test_too_large),
		ETCD(test_keys_of_others),
		ETCD(test_restart_resumes),
		ETCD(test_compacted_while_away),
		ETCD(test_compacted_while_stale),
		ETCD(test_audit_repairs),
		ETCD(test_newer_version),
		ETCD(test_first_comers),
		ETCD(test_guard_watch),
		ETCD(test_guard_comes_back),
		ETCD(test_guard_own),
		ETCD(test_guard_foreign),
		ETCD(test_outage),
		ETCD(test_stopped),
		ETCD(test_stopped_is_noticed),
		ETCD(test_idle),
		ETCD(test_import),
	};
	const struct CMUnitTest pure[] = { cmocka_unit_test(test_options) };
	int failed = cmocka_run_group_tests_name("options", pure, NULL, NULL);

	if (!etcd_is_there()) {
		print_message("skipped: the program etcd is not there\n");
		return failed ? failed : 77;
	}
	return failed + cmocka_run_group_tests_name("etcd", tests, start, stop);
}
