/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which backend and which published run (bpf/lib/lb*.h), natively: picks by every algorithm, and
 * the search for a run against the plainest one.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "native.h"

#include "lib/lb.h"

#define SERVICE  1
#define BACKENDS 10
#define ROUNDS   20000

/* Numbers of backends are 1 to BACKENDS, one place each. */
static void put_service(enum wf_lb_algorithm algorithm, __u32 flags, __u32 first)
{
	struct native_frontend *frontend = &native.frontends[native.frontend_count++];

	wf_addr_set_ip4(&frontend->key.addr, htonl(0x0a600001));
	frontend->key.scope = WF_SCOPE_ANY;
	frontend->key.port = htons(80);
	frontend->key.proto = IPPROTO_TCP;
	frontend->value = (struct wf_frontend_value){ .service = SERVICE,
						      .affinity_s = 100,
						      .inside = { first, BACKENDS },
						      .flags = (__u16)(WF_FRONTEND_INSIDE | flags),
						      .algorithm = (__u8)algorithm };
	for (__u32 i = 0; i < BACKENDS; i++) {
		struct wf_backend_value *backend = &native.backends[i + 1];

		native.pages[(first + i) / WF_PICKS_PER_PAGE]
			.backends[(first + i) % WF_PICKS_PER_PAGE] = i + 1;
		wf_addr_set_ip4(&backend->addr, htonl(0x0a010100 + i));
		backend->service = SERVICE;
		backend->flags = WF_BACKEND_TAKES;
	}
}

/* The backend of a connection, 0 when there is none. */
static __u32 find(__u32 client, __u16 sport, int *ret_result)
{
	struct wf_tuple tuple = { .sport = htons(sport), .dport = htons(80), .proto = IPPROTO_TCP };
	struct wf_client from = { .scope = 1 };
	struct wf_target target;
	int r;

	wf_addr_set_ip4(&tuple.dst, htonl(0x0a600001));
	wf_addr_set_ip4(&tuple.src, htonl(client));
	from.addr = tuple.src;
	r = wf_lb_find(&tuple, &from, &target);
	if (ret_result)
		*ret_result = r;
	return r > 0 ? target.backend : 0;
}

/* Nobody gets much more or less than a fair share: chi square, 9 degrees, 1 in a million. */
static void assert_fair(const __u32 counts[BACKENDS + 1], __u32 rounds)
{
	double wanted = (double)rounds / BACKENDS, chi = 0;

	assert_int_equal(counts[0], 0);
	for (__u32 i = 1; i <= BACKENDS; i++)
		chi += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
	assert_true(chi < 45);
}

static void hashes_spread_and_repeat(void **state)
{
	for (int algorithm = WF_LB_MAGLEV; algorithm <= WF_LB_RANDOM; algorithm++) {
		__u32 by_port[BACKENDS + 1] = {}, by_client[BACKENDS + 1] = {};

		native_reset();
		put_service((enum wf_lb_algorithm)algorithm, 0, 13);
		for (__u32 i = 0; i < ROUNDS; i++) {
			__u32 number = find(0x0a01000b, (__u16)(1024 + i), NULL);

			by_port[number]++;
			by_client[find(0xc0000200 + i, 5000, NULL)]++;
			assert_int_equal(find(0x0a01000b, (__u16)(1024 + i), NULL), number);
		}
		assert_fair(by_port, ROUNDS);
		assert_fair(by_client, ROUNDS);
		assert_int_equal(native.services[SERVICE].connections, 3 * ROUNDS);
	}
}

static void round_robin_takes_turns(void **state)
{
	native_reset();
	put_service(WF_LB_ROUND_ROBIN, 0, 7);
	for (__u32 i = 0; i < 3 * BACKENDS; i++)
		assert_int_equal(find(0x0a01000b, 5000, NULL), i % BACKENDS + 1);
}

static void least_takes_the_idlest(void **state)
{
	native_reset();
	put_service(WF_LB_LEAST, 0, 30);
	for (__u32 i = 0; i < 100; i++) {
		__u32 most = 0, least = 1000;

		native.backends[find(0x0a01000b, (__u16)i, NULL)].active++;
		for (__u32 j = 1; j <= BACKENDS; j++) {
			most = native.backends[j].active > most ? native.backends[j].active : most;
			least = native.backends[j].active < least ? native.backends[j].active
								  : least;
		}
		assert_true(most - least <= 1);
	}
}

/* A run longer than those that are looked through: the better of two. */
static void least_of_many_takes_the_better_of_two(void **state)
{
	__u32 counts[3] = {};

	native_reset();
	put_service(WF_LB_LEAST, 0, 0);
	native.frontends[0].value.inside.size = 100;
	for (__u32 i = 0; i < 100; i++)
		native.pages[i / WF_PICKS_PER_PAGE].backends[i % WF_PICKS_PER_PAGE] = 1 + i % 2;
	native.backends[1].active = 5;
	for (__u32 i = 0; i < 1000; i++)
		counts[find(0x0a01000b, (__u16)i, NULL)]++;
	/* the busy one only where both of the two are it: a quarter */
	assert_true(counts[1] > 180 && counts[1] < 320);
	assert_int_equal(counts[0], 0);
}

static void those_that_take_nothing_are_passed_over(void **state)
{
	for (int algorithm = 0; algorithm < WF_LB_ALGORITHM_COUNT; algorithm++) {
		int r;

		native_reset();
		put_service((enum wf_lb_algorithm)algorithm, 0, 0);
		for (__u32 i = 1; i <= BACKENDS; i++)
			native.backends[i].flags = i == 4 ? WF_BACKEND_TAKES : WF_BACKEND_VALID;
		native.backends[5].flags = WF_BACKEND_TAKES;
		native.backends[5].service = SERVICE + 1; /* the number has another owner by now */
		for (__u16 i = 0; i < 100; i++) {
			__u32 number = find(0x0a01000b, i, NULL);

			/* what stands too far behind is not found, but never a wrong one is */
			assert_true(number == 4 || number == 0);
			assert_true(number == 4 || algorithm != WF_LB_LEAST);
		}
		native.backends[4].flags = 0;
		assert_int_equal(find(0x0a01000b, 1, &r), 0);
		assert_int_equal(r, -WF_REASON_SERVICE_NO_BACKEND);
	}
}

static void affinity_lasts_as_long_as_it_shall(void **state)
{
	__u32 number, other;

	native_reset();
	put_service(WF_LB_ROUND_ROBIN, WF_FRONTEND_AFFINITY, 0);
	number = find(0x0a01000b, 1, NULL);
	for (__u16 i = 0; i < 50; i++) {
		native.now_s += 90; /* within the time-out, each time anew */
		assert_int_equal(find(0x0a01000b, i, NULL), number);
	}
	assert_int_not_equal(find(0x0a01000c, 1, NULL), number);
	native.now_s += 110;
	other = find(0x0a01000b, 1, NULL);
	assert_int_not_equal(other, number);
	native.backends[other].flags = WF_BACKEND_VALID;
	assert_int_not_equal(find(0x0a01000b, 1, NULL), other);
}

/* ---- published runs ------------------------------------------------------------------------ */

#define RUNS (NATIVE_RANGES / 2)

static const __u32 addrs[] = { 0, 0x0a000001, 0xc0000201 };

static int compare(const void *a, const void *b)
{
	const struct wf_range_value *x = a, *y = b;
	int by_addr;

	if (x->proto != y->proto)
		return x->proto - y->proto;
	by_addr = memcmp(&x->addr, &y->addr, sizeof(x->addr));
	return by_addr ? by_addr : x->first - y->first;
}

/* Random runs that do not overlap, sorted, in one of the generations. */
static void put_runs(__u32 count, __u32 generation)
{
	struct wf_range_value *runs = native.ranges + generation * RUNS;
	__u32 next = 1;

	for (__u32 i = 0; i < count; i++) {
		struct wf_range_value *run = &runs[i];

		memset(run, 0, sizeof(*run));
		wf_addr_set_ip4(&run->addr, htonl(addrs[wf_random32() % 3]));
		run->proto = wf_random32() % 2 ? IPPROTO_TCP : IPPROTO_UDP;
		run->first = (__u16)(next + wf_random32() % 50);
		run->last = (__u16)(run->first + (wf_random32() % 3 ? wf_random32() % 100 : 0));
		run->slot = i;
		next = run->last + 1U;
	}
	qsort(runs, count, sizeof(*runs), compare);
	native.config.ranges = count | generation << 31;
}

static const struct wf_range_value *scan(const struct wf_addr *addr, __u32 port, __u8 proto,
					 __u32 count, __u32 generation)
{
	for (__u32 i = 0; i < count; i++) {
		const struct wf_range_value *run = &native.ranges[generation * RUNS + i];

		if (run->proto == proto && wf_addr_same(&run->addr, addr) && port >= run->first &&
		    port <= run->last)
			return run;
	}
	return NULL;
}

static void every_port_finds_its_run(void **state)
{
	__u32 found = 0, missed = 0;

	native_reset();
	for (__u32 round = 0; round < 200; round++) {
		__u32 count = round % (RUNS + 1), generation = round & 1;

		put_runs(count, generation);
		for (__u32 i = 0; i < 500; i++) {
			__u8 proto = wf_random32() % 2 ? IPPROTO_TCP : IPPROTO_UDP;
			__u16 port = (__u16)(wf_random32() % 1200);
			const struct wf_range_value *wanted, *run;
			struct wf_addr addr;

			wf_addr_set_ip4(&addr, htonl(addrs[wf_random32() % 3]));
			wanted = scan(&addr, port, proto, count, generation);
			run = wf_range_find(&addr, htons(port), proto);
			assert_int_equal(!!run, !!wanted);
			if (run && wanted)
				assert_memory_equal(run, wanted, sizeof(*run));
			found += !!wanted;
			missed += !wanted;
		}
	}
	/* the draw had both */
	assert_true(found > 2000 && missed > 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_spread_and_repeat),
		cmocka_unit_test(round_robin_takes_turns),
		cmocka_unit_test(least_takes_the_idlest),
		cmocka_unit_test(least_of_many_takes_the_better_of_two),
		cmocka_unit_test(those_that_take_nothing_are_passed_over),
		cmocka_unit_test(affinity_lasts_as_long_as_it_shall),
		cmocka_unit_test(every_port_finds_its_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
