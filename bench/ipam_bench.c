/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast addresses are given out and taken back: an empty pool, a nearly full one, a churning
 * one with a cool-down, and the memory that a million of them need.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipam/pool.h"

#define MILLION 1000000U

static void report(const char *prefix, const char *what, uint64_t count, uint64_t start_ns)
{
	double seconds = (double)(wf_clock_monotonic_ns() - start_ns) / 1e9;

	(void)printf("%-14s %-34s %8.0f ns each %12.0f per second\n", prefix, what,
		     seconds * 1e9 / (double)count, (double)count / seconds);
}

static struct wf_pool *make(const char *prefix, uint64_t cool_down_ms)
{
	struct wf_subnet subnet = { 0 };
	struct wf_pool *pool;

	if (wf_prefix_parse(prefix, &subnet.prefix) < 0 ||
	    wf_pool_new(&pool, &subnet, cool_down_ms) < 0)
		exit(EXIT_FAILURE);
	return pool;
}

static struct wf_addr give(struct wf_pool *pool, uint64_t now_ms)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_addr addr;

	if (wf_pool_alloc(pool, "0123456789ab-eth0", NULL, now_ms, &addr, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		exit(EXIT_FAILURE);
	}
	return addr;
}

static void take_back(struct wf_pool *pool, const struct wf_addr *addr, uint64_t now_ms)
{
	if (wf_pool_release(pool, addr, "0123456789ab-eth0", now_ms, true) < 0)
		exit(EXIT_FAILURE);
}

static void measure(const char *prefix, uint64_t fill)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = make(prefix, 0);
	size_t before = mallinfo2().uordblks;
	uint64_t start_ns = wf_clock_monotonic_ns();

	for (uint64_t i = 0; i < fill; i++)
		(void)give(pool, 0);
	report(prefix, "alloc", fill, start_ns);
	(void)printf("%-14s %-34s %8.0f bytes each\n", prefix, "memory",
		     (double)(mallinfo2().uordblks - before) / (double)fill);
	start_ns = wf_clock_monotonic_ns();
	for (uint64_t i = 0; i < MILLION; i++) {
		struct wf_addr addr = give(pool, 0);

		take_back(pool, &addr, 0);
	}
	report(prefix, "alloc + release, the rest in use", MILLION, start_ns);
}

static void measure_cooling(const char *prefix)
{
	_cleanup_(wf_pool_free) struct wf_pool *pool = make(prefix, 10);
	uint64_t start_ns = wf_clock_monotonic_ns();

	for (uint64_t i = 0; i < MILLION; i++) {
		struct wf_addr addr = give(pool, i / 100);

		take_back(pool, &addr, i / 100);
	}
	report(prefix, "alloc + release with cool-down", MILLION, start_ns);
}

int main(void)
{
	measure("10.0.0.0/8", MILLION);
	measure("10.0.0.0/12", (1 << 20) - 3);
	measure("10.0.0.0/24", 253);
	measure("fd00::/64", MILLION);
	measure_cooling("10.0.0.0/16");
	measure_cooling("fd00::/64");
	return EXIT_SUCCESS;
}
