/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of a host's own store are taken over into etcd. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "etcd_host.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_import),
	};

	return run_etcd(tests);
}
