/* SPDX-License-Identifier: Apache-2.0 */
/* Three members of etcd: one is killed, one is stopped, two are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etcd_host.h"

static struct wf_store *open_store(void)
{
	const struct wf_store_etcd_options options =
		quick_options(cluster.urls, cluster.count, prefix, NULL);

	return etcd_open(&options);
}

/* The member that a store talks to. */
static size_t member_of(struct wf_store *store)
{
	const struct wf_store_state state = state_of(store);

	for (size_t i = 0; i < cluster.count; i++)
		if (strcmp(cluster.urls[i], state.endpoint) == 0)
			return i;
	fail_msg("%s is no member", state.endpoint);
	return 0;
}

/* A commit that must be possible within the time of a few elections. */
static void put_soon(struct wf_store *store, const char *name, int value)
{
	uint64_t end_ms = wf_clock_monotonic_ms() + 10000;
	struct wf_err err = WF_ERR_INIT;
	int r;

	do {
		r = put(store, "K", name, value, WF_STORE_ANY, &err);
		if (r < 0)
			drive_for(store, 50);
	} while (r < 0 && wf_clock_monotonic_ms() < end_ms);
	if (r < 0)
		fail_msg("%s", err.message);
}

static void test_member_killed(void **state)
{
	struct wf_store *store = open_store();
	struct log log = { 0 };
	uint64_t id;
	size_t member;

	base_revision = wf_store_revision(store);
	assert_int_equal(wf_store_watch(store, NULL, base_revision, note, &log, &id, NULL), 0);
	put_soon(store, "a", 1);
	member = member_of(store);
	etcd_kill(&cluster, member);
	put_soon(store, "b", 2);
	assert_true(is_back(store));
	assert_int_not_equal(member_of(store), member);
	assert_int_equal(stored_value(store, "K", "b"), 2);
	assert_string_equal(log.text, "+K/a@1=1 +K/b@2=2 ");
	etcd_restart(&cluster, member);
	put_soon(store, "c", 3);
	assert_string_equal(log.text, "+K/a@1=1 +K/b@2=2 +K/c@3=3 ");
	wf_store_close(&store);
	base_revision = 0;
}

/* Stopped, it still takes connections: nothing but time tells. */
static void test_member_stopped(void **state)
{
	struct wf_store *store = open_store();
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms;
	size_t member;

	put_soon(store, "a", 1);
	member = member_of(store);
	etcd_freeze(&cluster, member);
	begin_ms = wf_clock_monotonic_ms();
	/* the answer is lost, and the next member knows what became of it */
	put_soon(store, "b", 2);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 6000);
	assert_int_equal(stored_value(store, "K", "b"), 2);
	/* open ends at it, too */
	{
		struct wf_store *other = open_store();

		assert_int_equal(stored_value(other, "K", "b"), 2);
		wf_store_close(&other);
	}
	etcd_thaw(&cluster, member);
	etcd_wait(&cluster, member);
	assert_int_equal(put(store, "K", "c", 3, WF_STORE_ANY, &err), 0);
	wf_store_close(&store);
}

/* A member alone has no say: its answers are refused, and nothing is invented. */
static void test_no_quorum(void **state)
{
	struct wf_store *store = open_store();
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms;
	int r;

	put_soon(store, "a", 1);
	etcd_kill(&cluster, 1);
	etcd_kill(&cluster, 2);
	begin_ms = wf_clock_monotonic_ms();
	r = put(store, "K", "b", 2, WF_STORE_ANY, &err);
	assert_true(r == -EAGAIN || r == -EHOSTUNREACH);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 3500);
	assert_non_null(strstr(err.message, "http://127.0.0.1:"));
	assert_int_equal(stored_value(store, "K", "a"), 1);
	assert_int_equal(stored_value(store, "K", "b"), -1);
	etcd_restart(&cluster, 1);
	etcd_restart(&cluster, 2);
	await(store, 10000, is_back);
	put_soon(store, "c", 3);
	assert_int_equal(stored_value(store, "K", "c"), 3);
	wf_store_close(&store);
}

static int start_three(void **state)
{
	etcd_start(&cluster, 3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_member_killed),
		ETCD(test_member_stopped),
		ETCD(test_no_quorum),
	};

	return run_etcd_on(tests, start_three);
}
