/* SPDX-License-Identifier: Apache-2.0 */
/* Everything is gone, or the etcd is another: what is believed, when, and who says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "etcd_host.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_guard_watch),
		ETCD(test_guard_comes_back),
		ETCD(test_guard_own),
		ETCD(test_guard_foreign),
	};

	return run_etcd(tests);
}
