/* SPDX-License-Identifier: Apache-2.0 */
/* The store in etcd with one member: several hosts, leases, large transactions, first comers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "etcd_host.h"
#include "store/etcd_priv.h"

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
	assert_int_equal(renew(a.store, lease), 0);
	/* b says no more: etcd takes its documents away, and a hears of it */
	dying = (struct named){ a.store, "dying" };
	drive_for(a.store, 200);
	assert_int_equal(stored_value(a.store, "K", "dying"), 1);
	assert_true(drive(stores, 10000, is_gone, &dying));
	assert_int_equal(stored_value(a.store, "K", "mine"), 1);
	assert_int_equal(renew(b.store, other), -ENOENT);
	assert_int_equal(wf_store_lease_revoke(a.store, lease, &err), 0);
	assert_int_equal(stored_value(a.store, "K", "mine"), -1);
	assert_int_equal(wf_store_lease_revoke(a.store, lease, &err), -ENOENT);
	host_done(&a);
	host_done(&b);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_two_hosts),          ETCD(test_uid_survives_other_hosts),
		ETCD(test_swap_never_loses),   ETCD(test_leases),
		ETCD(test_large_transactions), ETCD(test_too_large),
		ETCD(test_keys_of_others),     ETCD(test_newer_version),
		ETCD(test_first_comers),
	};

	return run_etcd(tests);
}
