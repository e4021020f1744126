/* SPDX-License-Identifier: Apache-2.0 */
/* The one member is killed, or stopped; and how seldom a host wakes up when nothing happens. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "etcd_host.h"
#include "store/etcd_wire.h"

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
	etcd_freeze(&cluster, 0);
	begin_ms = wf_clock_monotonic_ms();
	/* it may have taken the request: that cannot be known */
	assert_int_equal(put(host.store, "K", "b", 1, WF_STORE_ANY, &err), -EAGAIN);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 1500, 8000);
	assert_non_null(strstr(err.message, "did not say whether"));
	assert_int_equal(stored_value(host.store, "K", "a"), 1);
	etcd_thaw(&cluster, 0);
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
	etcd_freeze(&cluster, 0);
	await(host.store, 5000, is_away);
	etcd_thaw(&cluster, 0);
	await(host.store, 10000, is_back);
	host_done(&host);
}

/* A renewal that nobody waits for. */
struct renewal {
	struct wf_store *store;
	int result; /* 1: not known yet */
	unsigned int calls;
};

static void note_renewal(int result, const struct wf_err *err, void *context)
{
	struct renewal *renewal = context;

	assert_int_equal(result == 0, err->code == 0);
	renewal->result = result;
	renewal->calls++;
}

static bool is_answered(void *context)
{
	return ((struct renewal *)context)->calls > 0;
}

/* Begins one, which must return at once, and waits for what comes of it. */
static int renew_later(struct renewal *renewal, uint64_t lease)
{
	struct wf_store *const stores[] = { renewal->store, NULL };
	uint64_t begin_ms = wf_clock_monotonic_ms();

	renewal->calls = 0;
	renewal->result = 1;
	wf_store_lease_renew_later(renewal->store, lease, note_renewal, renewal);
	assert_in_range(wf_clock_monotonic_ms() - begin_ms, 0, 100);
	assert_true(drive(stores, 5000, is_answered, renewal));
	assert_int_equal(renewal->calls, 1);
	return renewal->result;
}

static void test_renewal_without_waiting(void **state)
{
	struct host host;
	struct renewal renewal;
	struct wf_err err = WF_ERR_INIT;
	uint64_t lease;

	host_init(&host);
	renewal.store = host.store;
	assert_int_equal(wf_store_lease_grant(host.store, 60000, &lease, &err), 0);
	assert_int_equal(renew_later(&renewal, lease), 0);
	assert_int_equal(renew_later(&renewal, 12345), -ENOENT);
	/* one takes the place of the other */
	renewal.calls = 0;
	wf_store_lease_renew_later(host.store, 12345, note_renewal, &renewal);
	assert_int_equal(renew_later(&renewal, lease), 0);
	/* a member that says nothing, then one that is not there */
	etcd_freeze(&cluster, 0);
	assert_int_equal(renew_later(&renewal, lease), -EHOSTUNREACH);
	await(host.store, 5000, is_away);
	assert_int_equal(renew_later(&renewal, lease), -EHOSTUNREACH);
	etcd_thaw(&cluster, 0);
	await(host.store, 10000, is_back);
	assert_int_equal(renew_later(&renewal, lease), 0);
	assert_int_equal(wf_store_lease_revoke(host.store, lease, &err), 0);
	assert_int_equal(renew_later(&renewal, lease), -ENOENT);
	/* who closes the store is not called any more */
	renewal.calls = 0;
	wf_store_lease_renew_later(host.store, lease, note_renewal, &renewal);
	host_done(&host);
	assert_int_equal(renewal.calls, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ETCD(test_outage),
		ETCD(test_stopped),
		ETCD(test_stopped_is_noticed),
		ETCD(test_renewal_without_waiting),
		ETCD(test_idle),
	};

	return run_etcd(tests);
}
