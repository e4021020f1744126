/* SPDX-License-Identifier: Apache-2.0 */
/* A commit in two steps: what its end says when something comes in between. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "etcd_host.h"

/* A commit of one document that has begun. */
struct flight {
	json_t *document; /* owned */
	struct wf_store_write write;
	struct wf_store_flight flight;
};

static void take_off(struct flight *flight, struct host *host, const char *name, int value,
		     uint64_t expected)
{
	flight->document = make_document("K", name, value);
	flight->write =
		(struct wf_store_write){ WF_STORE_PUT, "K", name, flight->document, expected, 0 };
	flight->flight = wf_store_commit_begin(host->store, &flight->write, 1, WF_STORE_DURABLE);
}

static int land(struct flight *flight, uint64_t *ret_revision, struct wf_err *err)
{
	int r = wf_store_commit_end(&flight->flight, ret_revision, err);

	json_decref(flight->document);
	return r;
}

static void test_both_steps(void **state)
{
	struct host host;
	struct flight flight;
	uint64_t revision = 0;

	host_init(&host);
	take_off(&flight, &host, "a", 7, WF_STORE_ABSENT);
	assert_non_null(flight.flight.sent);
	assert_int_equal(land(&flight, &revision, NULL), 0);
	assert_int_equal(revision, wf_store_revision(host.store));
	assert_int_equal(stored_value(host.store, "K", "a"), 7);
	/* what changes nothing does not leave, and is no failure */
	take_off(&flight, &host, "a", 7, WF_STORE_ANY);
	assert_null(flight.flight.sent);
	assert_int_equal(land(&flight, &revision, NULL), 0);
	assert_int_equal(revision, wf_store_revision(host.store));
	host_done(&host);
}

/* It is with etcd already while this host does something else. */
static void test_it_leaves_at_once(void **state)
{
	struct host host, other;
	struct flight flight;
	uint64_t before;

	host_init(&host);
	host_init(&other);
	/* there is a connection for requests from now on */
	assert_int_equal(put(host.store, "K", "first", 1, WF_STORE_ANY, NULL), 0);
	catch_up(other.store, wf_store_revision(host.store));
	before = wf_store_revision(host.store);
	take_off(&flight, &host, "a", 1, WF_STORE_ABSENT);
	catch_up(other.store, before + 1);
	assert_int_equal(stored_value(other.store, "K", "a"), 1);
	assert_int_equal(wf_store_revision(host.store), before);
	assert_int_equal(land(&flight, NULL, NULL), 0);
	host_done(&host);
	host_done(&other);
}

/* What this host does not know yet is etcd's to say. */
static void test_another_was_faster(void **state)
{
	struct host host;
	struct flight flight;
	struct wf_err err = WF_ERR_INIT;

	host_init(&host);
	(void)etcd_put(cluster.urls[0], key("K/a"), "{\"spec\":{\"value\":3}}");
	take_off(&flight, &host, "a", 1, WF_STORE_ABSENT);
	assert_int_equal(land(&flight, NULL, &err), -EEXIST);
	assert_non_null(strstr(err.message, "K/a"));
	catch_up(host.store, etcd_put(cluster.urls[0], key("K/b"), "{\"spec\":{\"value\":4}}"));
	assert_int_equal(stored_value(host.store, "K", "a"), 3);
	/* what is known already is found before anything leaves; the end says the same */
	take_off(&flight, &host, "a", 1, WF_STORE_ABSENT);
	assert_null(flight.flight.sent);
	assert_int_equal(land(&flight, NULL, &err), -EEXIST);
	/* without a condition it is tried again with what is there */
	(void)etcd_put(cluster.urls[0], key("K/a"), "{\"spec\":{\"value\":5}}");
	take_off(&flight, &host, "a", 6, WF_STORE_ANY);
	assert_int_equal(land(&flight, NULL, &err), 0);
	assert_int_equal(stored_value(host.store, "K", "a"), 6);
	host_done(&host);
}

static void test_nobody_answers(void **state)
{
	struct host host;
	struct flight flight;
	struct wf_err err = WF_ERR_INIT;
	uint64_t begin_ms;

	host_init(&host);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	etcd_freeze(&cluster, 0);
	begin_ms = wf_clock_monotonic_ms();
	take_off(&flight, &host, "b", 1, WF_STORE_ANY);
	/* the first step does not wait for anybody */
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 500);
	assert_non_null(flight.flight.sent);
	assert_int_equal(land(&flight, NULL, &err), -EAGAIN);
	assert_non_null(strstr(err.message, "did not say whether"));
	etcd_thaw(&cluster, 0);
	await(host.store, 10000, is_back);
	/* away: nothing leaves, and the end says why */
	etcd_kill(&cluster, 0);
	await(host.store, 5000, is_away);
	take_off(&flight, &host, "c", 1, WF_STORE_ANY);
	assert_null(flight.flight.sent);
	assert_int_equal(land(&flight, NULL, &err), -EHOSTUNREACH);
	etcd_restart(&cluster, 0);
	host_done(&host);
}

/* The member dies with the transaction: made or not, what the end says is what etcd has. */
static void test_it_dies_meanwhile(void **state)
{
	struct host host;
	struct flight flight;
	int r;

	host_init(&host);
	assert_int_equal(put(host.store, "K", "a", 1, WF_STORE_ANY, NULL), 0);
	etcd_freeze(&cluster, 0);
	take_off(&flight, &host, "b", 1, WF_STORE_ANY);
	assert_non_null(flight.flight.sent);
	etcd_kill(&cluster, 0);
	etcd_restart(&cluster, 0);
	r = land(&flight, NULL, NULL);
	assert_true(r == 0 || r == -EAGAIN || r == -EHOSTUNREACH);
	await(host.store, 10000, is_back);
	catch_up(host.store, etcd_put(cluster.urls[0], key("K/c"), "{\"spec\":{\"value\":3}}"));
	if (r == 0)
		assert_int_equal(stored_value(host.store, "K", "b"), 1);
	if (r == -EHOSTUNREACH)
		assert_int_equal(stored_value(host.store, "K", "b"), -1);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_both_steps),         ETCD(test_it_leaves_at_once),
		ETCD(test_another_was_faster), ETCD(test_nobody_answers),
		ETCD(test_it_dies_meanwhile),
	};

	return run_etcd(tests);
}
