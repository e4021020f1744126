/* SPDX-License-Identifier: Apache-2.0 */
/* An etcd that is none, and one whose answers are not to be trusted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "etcd_host.h"
#include "etcd_liar.h"

static void test_nonsense(void **state)
{
#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	static const char *const answers[] = {
		"hello",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
		"HTTP/1.1 200 OK\r\n\r\n<html>It works!</html>",
		OK "{}",
		OK "[]",
		OK "{\"header\":{}}",
		OK "{\"header\":{\"cluster_id\":\"x\",\"revision\":\"1\"}}",
		OK "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"-1\"}}",
		OK "{\"header\":{\"cluster_id\":\"1\",\"revision\":\"1\"},\"kvs\":7}",
		OK
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"1\"},\"responses\":[{\"response_"
		"range\":{\"kvs\":[{\"key\":\"??\"}]}}]}",
		OK
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"1\"},\"responses\":[{\"response_"
		"range\":{\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"1\",\"value\":\"YQ==\"}]}}]}",
		OK "{\"error\":5}",
		OK "{\"error\":\"etcdserver: permission denied\",\"code\":7}",
		OK "{\"error\":\"etcdserver: user name is empty\",\"code\":3}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(answers); i++) {
		struct liar liar;
		const char *urls[] = { liar.url };
		struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
		struct wf_store *store = NULL;
		struct wf_err err = WF_ERR_INIT;
		uint64_t begin_ms = wf_clock_monotonic_ms();
		int r;

		options.timeout_ms = 300;
		liar_start_server(&liar, answers[i]);
		r = wf_store_etcd_open(&options, &store, &err);
		if (r != -EPROTO && r != -EACCES && r != -EHOSTUNREACH)
			fail_msg("answer %zu: %d, %s", i, r, err.message);
		if (!strstr(err.message, liar.url))
			fail_msg("answer %zu: %s", i, err.message);
		assert_null(store);
		assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 2000);
		liar_stop(&liar);
	}
}

/* Endless bytes do not fill the memory. */
static void test_endless(void **state)
{
	size_t len = 9U << 20;
	char *answer = malloc(len + 1);
	struct liar liar;
	const char *urls[] = { liar.url };
	struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
	struct wf_store *store = NULL;
	struct wf_err err = WF_ERR_INIT;

	memset(answer, ' ', len);
	answer[len] = '\0';
	memcpy(answer, OK, strlen(OK));
	liar_start_server(&liar, answer);
	assert_int_equal(wf_store_etcd_open(&options, &store, &err), -E2BIG);
	assert_non_null(strstr(err.message, liar.url));
	liar_stop(&liar);
	free(answer);
}

struct pair_of_stores {
	struct wf_store *truth;
	struct wf_store *lied_to;
};

static const char *const kinds[] = { "K", "L", NULL };

static bool are_equal(void *context)
{
	const struct pair_of_stores *stores = context;
	_cleanup_free_ char *a = dump_store(stores->truth, kinds);
	_cleanup_free_ char *b = dump_store(stores->lied_to, kinds);

	return strcmp(a, b) == 0;
}

/* A watch that loses, repeats and misorders: what it breaks is found and put right. */
static void test_watch_lies(void **state)
{
	struct liar liar;
	const char *urls[] = { liar.url };
	struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
	const struct wf_store_etcd_options direct = quick_options(cluster.urls, 1, prefix, NULL);
	struct pair_of_stores stores;
	struct wf_store *driven[3];
	struct wf_store_state now;
	uint64_t seed = 1234567;
	bool differed;

	options.audit_ms = 300;
	liar_start_proxy(&liar, cluster.members[0].client_port);
	stores.truth = etcd_open(&direct);
	stores.lied_to = etcd_open(&options);
	driven[0] = stores.truth;
	driven[1] = stores.lied_to;
	driven[2] = NULL;
	liar.orders->lie_percent = 15;
	for (int i = 0; i < 300; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", (int)roll(&seed, 30));
		if (roll(&seed, 3))
			(void)put(stores.truth, i % 2 ? "K" : "L", name, i, WF_STORE_ANY, NULL);
		else
			(void)del(stores.truth, i % 2 ? "K" : "L", name, WF_STORE_ANY, NULL);
		wf_store_process(stores.lied_to);
	}
	/* the probe of this test: lies were told, and without a comparison they would stay */
	assert_true(liar.orders->lies > 20);
	differed = !are_equal(&stores);
	assert_true(drive(driven, 15000, are_equal, &stores));
	now = state_of(stores.lied_to);
	assert_true(differed || now.counters.lists > 1);
	assert_true(now.counters.repairs > 0);
	wf_store_close(&stores.truth);
	wf_store_close(&stores.lied_to);
	liar_stop(&liar);
}

/* A partition: nothing comes and nothing is refused. */
static void test_partition(void **state)
{
	struct liar liar;
	const char *urls[] = { liar.url };
	const struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
	const struct wf_store_etcd_options direct = quick_options(cluster.urls, 1, prefix, NULL);
	struct pair_of_stores stores;
	struct wf_store *driven[2] = { NULL, NULL };
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms;

	liar_start_proxy(&liar, cluster.members[0].client_port);
	stores.lied_to = etcd_open(&options);
	stores.truth = etcd_open(&direct);
	driven[0] = stores.lied_to;
	assert_int_equal(put(stores.lied_to, "K", "a", 1, WF_STORE_ANY, &err), 0);
	liar.orders->is_hole = true;
	begin_ms = wf_clock_monotonic_ms();
	assert_int_equal(put(stores.lied_to, "K", "b", 1, WF_STORE_ANY, &err), -EAGAIN);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 1000, 3000);
	assert_true(drive(driven, 5000, is_away, stores.lied_to));
	assert_int_equal(put(stores.truth, "K", "c", 3, WF_STORE_ANY, &err), 0);
	assert_int_equal(stored_value(stores.lied_to, "K", "c"), -1);
	liar.orders->is_hole = false;
	assert_true(drive(driven, 10000, is_back, stores.lied_to));
	assert_true(drive(driven, 5000, are_equal, &stores));
	wf_store_close(&stores.truth);
	wf_store_close(&stores.lied_to);
	liar_stop(&liar);
}

/* A slow one is waited for, up to the time that is stated. */
static void test_slow(void **state)
{
	struct liar liar;
	const char *urls[] = { liar.url };
	const struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
	struct wf_store *store;
	struct wf_err err = WF_ERR_INIT;

	liar_start_proxy(&liar, cluster.members[0].client_port);
	store = etcd_open(&options);
	liar.orders->delay_ms = 150;
	for (int i = 0; i < 3; i++)
		if (put(store, "K", "a", i, WF_STORE_ANY, &err) < 0)
			fail_msg("%s", err.message);
	assert_int_equal(stored_value(store, "K", "a"), 2);
	wf_store_close(&store);
	liar_stop(&liar);
}

/* Connected or not: is_free() wants more. */
static bool holds_nothing(void *context)
{
	return !is_held(context);
}

/* Empty lists by mistake: nothing is deleted, and when the mistake is over nothing was lost. */
static void test_empty_lists(void **state)
{
	struct liar liar;
	const char *urls[] = { liar.url };
	struct wf_store_etcd_options options = quick_options(urls, 1, prefix, NULL);
	struct store_fixture fixture;
	struct wf_store *driven[2] = { NULL, NULL };
	struct wf_store *store;

	fixture_init(&fixture);
	options.mirror = fixture.path;
	options.confirm_ms = 1500;
	liar_start_proxy(&liar, cluster.members[0].client_port);
	store = etcd_open(&options);
	for (int i = 0; i < 50; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(put(store, "K", name, i, WF_STORE_ANY, NULL), 0);
	}
	wf_store_close(&store);
	/* away until the history is gone, so that it has to list */
	(void)etcd_put(cluster.urls[0], key("x"), "x");
	etcd_compact(cluster.urls[0], etcd_put(cluster.urls[0], key("x"), "y"));
	liar.orders->lists_are_empty = true;
	store = etcd_open(&options);
	driven[0] = store;
	assert_true(drive(driven, 5000, is_held, store));
	assert_int_equal(stored_value(store, "K", "n49"), 49);
	liar.orders->lists_are_empty = false;
	assert_true(drive(driven, 10000, holds_nothing, store));
	assert_int_equal(stored_value(store, "K", "n49"), 49);
	wf_store_close(&store);
	liar_stop(&liar);
	fixture_done(&fixture);
}

int main(void)
{
	const struct CMUnitTest alone[] = { ETCD(test_nonsense), ETCD(test_endless) };
	const struct CMUnitTest tests[] = {
		ETCD(test_watch_lies),
		ETCD(test_partition),
		ETCD(test_slow),
		ETCD(test_empty_lists),
	};
	/* no etcd is needed to tell nonsense */
	int failed = cmocka_run_group_tests_name("nonsense", alone, NULL, NULL);
	int result = run_etcd(tests);

	return failed ? failed : result;
}
