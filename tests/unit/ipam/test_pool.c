/* SPDX-License-Identifier: Apache-2.0 */
/* The pool's rules one by one; test_pool_model.c holds it against a naive model. */
#include "ipam/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/mem.h"

static struct wf_subnet subnet_of(const char *prefix, const char *gateway)
{
	struct wf_subnet subnet = { 0 };

	assert_int_equal(wf_prefix_parse(prefix, &subnet.prefix), 0);
	subnet.has_gateway = gateway != NULL;
	if (gateway)
		subnet.gateway = addr_of(gateway);
	return subnet;
}

static struct wf_pool *pool_of(const char *prefix, const char *gateway, uint64_t cool_down_ms)
{
	struct wf_subnet subnet = subnet_of(prefix, gateway);
	struct wf_pool *pool;

	assert_int_equal(wf_pool_new(&pool, &subnet, cool_down_ms), 0);
	return pool;
}

static void assert_given(struct wf_pool *pool, const char *owner, uint64_t now_ms, const char *want)
{
	struct wf_err err = WF_ERR_INIT;
	char text[WF_ADDR_TEXT];
	struct wf_addr got;

	if (wf_pool_alloc(pool, owner, NULL, now_ms, &got, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(wf_addr_format(&got, text), want);
}

static enum wf_pool_state state_at(const struct wf_pool *pool, const char *text, uint64_t now_ms)
{
	struct wf_addr a = addr_of(text);

	return wf_pool_explain(pool, &a, now_ms).state;
}

static int take(struct wf_pool *pool, const char *text, const char *owner, struct wf_err *err)
{
	struct wf_addr a = addr_of(text);

	return wf_pool_take(pool, &a, owner, 0, err);
}

static int release(struct wf_pool *pool, const char *text, const char *owner, uint64_t now_ms)
{
	struct wf_addr a = addr_of(text);

	return wf_pool_release(pool, &a, owner, now_ms, true);
}

static void test_order(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/29", "10.0.0.1", 0);

	assert_given(pool, "a", 0, "10.0.0.2");
	assert_given(pool, "b", 0, "10.0.0.3");
	assert_int_equal(release(pool, "10.0.0.2", "a", 0), 0);
	/* onwards from the last one, not back to the first gap */
	assert_given(pool, "c", 0, "10.0.0.4");
	assert_int_equal(take(pool, "10.0.0.5", "d", NULL), 0);
	assert_given(pool, "e", 0, "10.0.0.6");
	assert_given(pool, "f", 0, "10.0.0.2");
}

static void test_never_given(void **state)
{
	static const struct {
		const char *prefix, *gateway;
		uint64_t total;
	} rows[] = {
		{ "10.0.0.0/30", "10.0.0.1", 1 },
		{ "10.0.0.0/30", NULL, 2 },
		{ "10.0.0.0/31", "10.0.0.0", 1 },
		{ "10.0.0.0/31", NULL, 2 },
		{ "10.0.0.9/32", NULL, 1 },
		{ "10.0.0.0/8", "10.0.0.1", (1 << 24) - 3 },
		{ "fd00::/120", "fd00::1", 254 },
		{ "fd00::/127", "fd00::1", 1 },
		{ "fd00::5/128", NULL, 1 },
		{ "fd00::/64", "fd00::1", UINT64_MAX - 2 },
		{ "fd00::/48", NULL, UINT64_MAX - 1 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_pool_free) struct wf_pool *pool =
			pool_of(rows[i].prefix, rows[i].gateway, 0);
		const struct wf_prefix *prefix = wf_pool_prefix(pool);
		struct wf_pool_usage usage = wf_pool_usage(pool, 0);
		struct wf_addr last = wf_prefix_last(prefix);

		assert_int_equal(usage.total, rows[i].total);
		assert_int_equal(usage.free, rows[i].total);
		if (wf_addr_is_ip4(&last) && prefix->len < 31)
			assert_int_equal(wf_pool_explain(pool, &last, 0).state, WF_POOL_UNUSABLE);
		for (uint64_t n = 0; n < rows[i].total && n < 300; n++) {
			struct wf_addr got;

			assert_int_equal(wf_pool_alloc(pool, "x", NULL, 0, &got, NULL), 0);
			assert_true(wf_prefix_contains(prefix, &got));
			assert_false(prefix->len < 31 && wf_addr_equal(&got, &prefix->addr));
			if (rows[i].gateway)
				assert_string_not_equal(
					rows[i].gateway,
					wf_addr_format(&got, (char[WF_ADDR_TEXT]){ 0 }));
		}
	}
}

static void test_take_errors(void **state)
{
	static const struct {
		const char *address, *message;
		int code;
	} rows[] = {
		{ "10.64.0.0", "10.64.0.0 is the network address of 10.64.0.0/24", -EADDRNOTAVAIL },
		{ "10.64.0.1", "10.64.0.1 is the gateway of 10.64.0.0/24", -EADDRNOTAVAIL },
		{ "10.64.0.255", "10.64.0.255 is the broadcast address of 10.64.0.0/24",
		  -EADDRNOTAVAIL },
		{ "10.64.1.0", "10.64.1.0 is not in 10.64.0.0/24", -EADDRNOTAVAIL },
		{ "fd00::1", "fd00::1 is not in 10.64.0.0/24", -EADDRNOTAVAIL },
		{ "10.64.0.7", "10.64.0.7 is in use by web", -EADDRINUSE },
		{ "10.64.0.8", "10.64.0.8 is reserved for db", -EADDRINUSE },
	};
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.64.0.0/24", "10.64.0.1", 0);
	struct wf_addr reserved = addr_of("10.64.0.8");
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(take(pool, "10.64.0.7", "web", NULL), 0);
	assert_int_equal(wf_pool_reserve(pool, &reserved, "db", NULL), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		assert_int_equal(take(pool, rows[i].address, "other", &err), rows[i].code);
		assert_string_equal(err.message, rows[i].message);
	}
	/* not even by the same owner: its first release would free the second's */
	assert_int_equal(take(pool, "10.64.0.7", "web", NULL), -EADDRINUSE);
	assert_int_equal(take(pool, "10.64.0.8", "db", NULL), 0);
}

static void test_anycast_and_end_of_ip6(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("fd00::/64", "fd00::1", 0);
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(take(pool, "fd00::", "x", &err), -EADDRNOTAVAIL);
	assert_string_equal(err.message,
			    "fd00:: is the subnet-router anycast address of fd00::/64");
	assert_int_equal(take(pool, "fd00::ffff:ffff:ffff:fffe", "x", &err), 0);
	assert_int_equal(take(pool, "fd00::ffff:ffff:ffff:ffff", "x", &err), -EADDRNOTAVAIL);
	assert_int_equal(state_at(pool, "fd00::ffff:ffff:ffff:ffff", 0), WF_POOL_UNUSABLE);
	assert_int_equal(state_at(pool, "fd00:0:0:1::", 0), WF_POOL_OUTSIDE);
	assert_given(pool, "a", 0, "fd00::2");
}

static void test_cool_down(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/30", NULL, 30000);
	struct wf_err err = WF_ERR_INIT;
	struct wf_addr got, first = addr_of("10.0.0.1");
	struct wf_pool_fact fact;

	assert_given(pool, "a", 1000, "10.0.0.1");
	assert_given(pool, "b", 1000, "10.0.0.2");
	assert_int_equal(release(pool, "10.0.0.1", "a", 2000), 0);
	fact = wf_pool_explain(pool, &first, 31999);
	assert_int_equal(fact.state, WF_POOL_COOLING);
	assert_int_equal(fact.cool_until_ms, 32000);
	assert_int_equal(wf_pool_alloc(pool, "c", NULL, 20001, &got, &err), -ENOSPC);
	assert_string_equal(err.message, "no free address in 10.0.0.0/30: 1 in use, 0 reserved, "
					 "1 cooling down (next free in 12 s)");
	assert_int_equal(wf_pool_alloc(pool, "c", NULL, 31999, &got, &err), -ENOSPC);
	assert_non_null(strstr(err.message, "(next free in 1 s)"));
	/* what is due counts as free even before anything swept it up */
	assert_int_equal(wf_pool_usage(pool, 31999).cooling, 1);
	assert_int_equal(wf_pool_usage(pool, 31999).free, 0);
	assert_int_equal(wf_pool_usage(pool, 32000).cooling, 0);
	assert_int_equal(wf_pool_usage(pool, 32000).free, 1);
	assert_int_equal(state_at(pool, "10.0.0.1", 32000), WF_POOL_FREE);
	assert_given(pool, "c", 32000, "10.0.0.1");
}

static void test_cool_down_details(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/30", NULL, 1000);
	struct wf_addr first = addr_of("10.0.0.1");
	struct wf_addr got;

	/* an ADD that failed before its address was used leaves no trace */
	assert_given(pool, "a", 0, "10.0.0.1");
	assert_int_equal(wf_pool_release(pool, &first, "a", 0, false), 0);
	assert_int_equal(state_at(pool, "10.0.0.1", 0), WF_POOL_FREE);
	/* a cooling one may be asked for by address */
	assert_int_equal(take(pool, "10.0.0.1", "a", NULL), 0);
	assert_int_equal(release(pool, "10.0.0.1", "a", 100), 0);
	assert_int_equal(take(pool, "10.0.0.1", "b", NULL), 0);
	/* its cool-down does not end the new owner's time */
	assert_int_equal(state_at(pool, "10.0.0.1", 5000), WF_POOL_TAKEN);
	assert_given(pool, "c", 5000, "10.0.0.2");
	assert_int_equal(wf_pool_alloc(pool, "d", NULL, 9000, &got, NULL), -ENOSPC);
	/* a reservation that ends during the cool-down does not cut it short */
	assert_int_equal(wf_pool_reserve(pool, &first, "b", NULL), 0);
	assert_int_equal(release(pool, "10.0.0.1", "b", 10000), 0);
	assert_int_equal(state_at(pool, "10.0.0.1", 10000), WF_POOL_RESERVED);
	assert_int_equal(wf_pool_unreserve(pool, &first, "b"), 0);
	assert_int_equal(state_at(pool, "10.0.0.1", 10999), WF_POOL_COOLING);
	assert_int_equal(wf_pool_alloc(pool, "d", NULL, 10999, &got, NULL), -ENOSPC);
	assert_given(pool, "d", 11000, "10.0.0.1");
}

static void test_stale_release(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/24", NULL, 0);

	assert_int_equal(take(pool, "10.0.0.7", "new", NULL), 0);
	assert_int_equal(release(pool, "10.0.0.7", "old", 0), -ENOENT);
	assert_int_equal(release(pool, "10.0.0.8", "old", 0), -ENOENT);
	assert_int_equal(release(pool, "10.1.0.8", "old", 0), -ENOENT);
	assert_int_equal(state_at(pool, "10.0.0.7", 0), WF_POOL_TAKEN);
	assert_int_equal(release(pool, "10.0.0.7", "new", 0), 0);
	assert_int_equal(release(pool, "10.0.0.7", "new", 0), -ENOENT);
}

static void test_reserve(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/29", NULL, 0);
	struct wf_addr second = addr_of("10.0.0.2"), third = addr_of("10.0.0.3");
	struct wf_addr network = addr_of("10.0.0.0");
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_pool_reserve(pool, &second, "web", NULL), 0);
	assert_int_equal(wf_pool_reserve(pool, &second, "web", NULL), 0);
	assert_int_equal(wf_pool_reserve(pool, &second, "db", &err), -EADDRINUSE);
	assert_string_equal(err.message, "10.0.0.2 is reserved for web");
	assert_int_equal(wf_pool_reserve(pool, &network, "db", &err), -EADDRNOTAVAIL);
	assert_int_equal(take(pool, "10.0.0.3", "db", NULL), 0);
	assert_int_equal(wf_pool_reserve(pool, &third, "web", &err), -EADDRINUSE);
	assert_string_equal(err.message, "10.0.0.3 is in use by db");
	assert_int_equal(wf_pool_reserve(pool, &third, "db", NULL), 0);
	/* taken away from its owner it stays with its holder */
	assert_int_equal(release(pool, "10.0.0.3", "db", 0), 0);
	assert_string_equal(wf_pool_explain(pool, &third, 0).owner, "db");
	assert_int_equal(state_at(pool, "10.0.0.3", 0), WF_POOL_RESERVED);
	assert_given(pool, "x", 0, "10.0.0.1");
	assert_given(pool, "y", 0, "10.0.0.4");
	assert_int_equal(wf_pool_unreserve(pool, &third, "web"), -ENOENT);
	assert_int_equal(wf_pool_unreserve(pool, &third, "db"), 0);
	assert_int_equal(state_at(pool, "10.0.0.3", 0), WF_POOL_FREE);
}

static void test_ranges_and_exclusions(void **state)
{
	struct wf_range ranges[] = { { addr_of("10.0.0.10"), addr_of("10.0.0.12") },
				     { addr_of("10.0.0.20"), addr_of("10.0.0.21") } };
	struct wf_range excluded[] = { { addr_of("10.0.0.11"), addr_of("10.0.0.11") } };
	struct wf_range asked[] = { { addr_of("10.0.0.12"), addr_of("10.0.0.20") } };
	struct wf_range beyond[] = { { addr_of("10.0.9.0"), addr_of("10.0.9.9") } };
	struct wf_range outside[] = { { addr_of("10.0.0.50"), addr_of("10.0.0.60") } };
	struct wf_subnet subnet = subnet_of("10.0.0.0/24", "10.0.0.1");
	struct wf_ranges narrow = { asked, 1, 1 }, far = { beyond, 1, 1 }, none = { outside, 1, 1 };
	_cleanup_(wf_pool_free) struct wf_pool *pool = NULL;
	struct wf_err err = WF_ERR_INIT;
	char text[WF_ADDR_TEXT];
	struct wf_addr got;

	subnet.ranges = (struct wf_ranges){ ranges, 2, 2 };
	subnet.excluded = (struct wf_ranges){ excluded, 1, 1 };
	assert_int_equal(wf_pool_new(&pool, &subnet, 0), 0);
	assert_int_equal(wf_pool_usage(pool, 0).total, 4);
	assert_int_equal(state_at(pool, "10.0.0.11", 0), WF_POOL_EXCLUDED);
	assert_int_equal(state_at(pool, "10.0.0.99", 0), WF_POOL_EXCLUDED);
	assert_int_equal(take(pool, "10.0.0.11", "asked", NULL), 0);
	assert_int_equal(wf_pool_alloc(pool, "n", &narrow, 0, &got, NULL), 0);
	assert_string_equal(wf_addr_format(&got, text), "10.0.0.12");
	assert_int_equal(wf_pool_alloc(pool, "n", &narrow, 0, &got, NULL), 0);
	assert_string_equal(wf_addr_format(&got, text), "10.0.0.20");
	assert_int_equal(wf_pool_alloc(pool, "n", &narrow, 0, &got, &err), -ENOSPC);
	assert_string_equal(err.message, "no free address in 10.0.0.12-10.0.0.20 of 10.0.0.0/24: "
					 "2 in use, 0 reserved, 0 cooling down");
	assert_int_equal(wf_pool_alloc(pool, "n", &none, 0, &got, &err), -ENOSPC);
	assert_string_equal(err.message,
			    "no free address in 10.0.0.50-10.0.0.60 of 10.0.0.0/24: every address "
			    "there is excluded, outside the ranges, or not for endpoints");
	assert_int_equal(wf_pool_alloc(pool, "n", &far, 0, &got, &err), -ENOSPC);
	assert_non_null(strstr(err.message, "the ranges asked for (outside of it) of 10.0.0.0/24"));
	assert_given(pool, "a", 0, "10.0.0.21");
	assert_given(pool, "b", 0, "10.0.0.10");
}

static void test_update(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/29", "10.0.0.1", 5000);
	struct wf_range low[] = { { addr_of("10.0.0.2"), addr_of("10.0.0.3") } };
	struct wf_subnet subnet = subnet_of("10.0.0.0/29", "10.0.0.6");
	struct wf_subnet other = subnet_of("10.0.0.0/28", NULL);
	struct wf_addr got;

	assert_given(pool, "a", 0, "10.0.0.2");
	assert_given(pool, "b", 0, "10.0.0.3");
	assert_given(pool, "c", 0, "10.0.0.4");
	subnet.ranges = (struct wf_ranges){ low, 1, 1 };
	assert_int_equal(wf_pool_update(pool, &other, 0), -EINVAL);
	assert_int_equal(wf_pool_update(pool, &subnet, 5000), 0);
	/* what is out stays out, also where nothing is given any more */
	assert_int_equal(state_at(pool, "10.0.0.4", 0), WF_POOL_TAKEN);
	assert_int_equal(state_at(pool, "10.0.0.6", 0), WF_POOL_UNUSABLE);
	assert_int_equal(state_at(pool, "10.0.0.1", 0), WF_POOL_EXCLUDED);
	assert_int_equal(wf_pool_usage(pool, 0).total, 2);
	assert_int_equal(wf_pool_usage(pool, 0).taken, 3);
	assert_int_equal(wf_pool_usage(pool, 0).free, 0);
	assert_int_equal(release(pool, "10.0.0.3", "b", 1000), 0);
	assert_int_equal(wf_pool_alloc(pool, "d", NULL, 3000, &got, NULL), -ENOSPC);
	/* a shorter cool-down helps at once */
	assert_int_equal(wf_pool_update(pool, &subnet, 2000), 0);
	assert_given(pool, "d", 3000, "10.0.0.3");
	subnet.gateway = addr_of("10.0.0.2");
	assert_int_equal(wf_pool_update(pool, &subnet, 0), -EADDRINUSE);
	assert_int_equal(state_at(pool, "10.0.0.6", 0), WF_POOL_UNUSABLE);
}

struct visited {
	char text[512];
	size_t count, stop_after;
};

static bool visit(const struct wf_addr *a, const struct wf_pool_fact *fact, void *context)
{
	struct visited *visited = context;
	char text[WF_ADDR_TEXT];
	size_t len = strlen(visited->text);

	(void)snprintf(visited->text + len, sizeof(visited->text) - len, "%s %d %s;",
		       wf_addr_format(a, text), (int)fact->state, fact->owner ? fact->owner : "-");
	return ++visited->count != visited->stop_after;
}

static void test_visit(void **state)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = pool_of("10.0.0.0/29", "10.0.0.4", 1000);
	struct visited all = { 0 }, two = { .stop_after = 2 }, later = { 0 };
	struct wf_addr third = addr_of("10.0.0.3");

	assert_int_equal(take(pool, "10.0.0.5", "b", NULL), 0);
	assert_int_equal(take(pool, "10.0.0.2", "a", NULL), 0);
	assert_int_equal(wf_pool_reserve(pool, &third, "r", NULL), 0);
	assert_int_equal(release(pool, "10.0.0.5", "b", 0), 0);
	wf_pool_visit(pool, 0, visit, &all);
	assert_string_equal(all.text, "10.0.0.0 5 -;10.0.0.2 1 a;10.0.0.3 2 r;10.0.0.4 5 -;"
				      "10.0.0.5 3 -;10.0.0.7 5 -;");
	wf_pool_visit(pool, 0, visit, &two);
	assert_int_equal(two.count, 2);
	wf_pool_visit(pool, 1000, visit, &later);
	assert_int_equal(later.count, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_never_given),
		cmocka_unit_test(test_take_errors),
		cmocka_unit_test(test_anycast_and_end_of_ip6),
		cmocka_unit_test(test_cool_down),
		cmocka_unit_test(test_cool_down_details),
		cmocka_unit_test(test_stale_release),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_ranges_and_exclusions),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
