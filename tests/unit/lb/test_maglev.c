/* SPDX-License-Identifier: Apache-2.0 */
#include "lb/maglev.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct wf_maglev_backend *make(size_t count, uint32_t most_weight)
{
	struct wf_maglev_backend *backends = calloc(count, sizeof(*backends));

	for (size_t i = 0; i < count; i++)
		backends[i] = (struct wf_maglev_backend){
			.key = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)i,
			.number = (uint32_t)i + 100,
			.weight = 1 + (uint32_t)rand() % most_weight,
		};
	return backends;
}

static uint32_t *build(const struct wf_maglev_backend *backends, size_t count, uint32_t size)
{
	uint32_t *table = malloc(size * sizeof(*table));

	assert_int_equal(wf_maglev_build(backends, count, table, size), 0);
	return table;
}

static uint32_t places_of(const uint32_t *table, uint32_t size, uint32_t number)
{
	uint32_t places = 0;

	for (uint32_t i = 0; i < size; i++)
		places += table[i] == number;
	return places;
}

static int by_key(const void *a, const void *b)
{
	const struct wf_maglev_backend *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static uint64_t scramble(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* How many turns a backend has had after so many rounds: one in the first, then its share. */
static uint64_t turns_after(uint64_t rounds, uint64_t weight, uint64_t most)
{
	return rounds ? 1 + (rounds - 1) * weight / most : 0;
}

/*
 * Pseudocode of the paper, word by word: permutations as whole lists, everybody takes the next
 * entry of his list that is free. Turns by weight as computed from the number of the round.
 */
static uint32_t *naive(const struct wf_maglev_backend *backends, size_t n, uint32_t m)
{
	_cleanup_free_ struct wf_maglev_backend *sorted = malloc(n * sizeof(*sorted));
	_cleanup_free_ uint32_t *permutation = malloc(n * m * sizeof(*permutation));
	_cleanup_free_ uint32_t *next = calloc(n, sizeof(*next));
	int64_t *entry = malloc(m * sizeof(*entry));
	uint32_t *table = malloc(m * sizeof(*table)), most = 0, filled = 0;

	memcpy(sorted, backends, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < n; i++) {
		uint64_t offset = scramble(sorted[i].key) % m;
		uint64_t skip = scramble(sorted[i].key + 0x9e3779b97f4a7c15) % (m - 1) + 1;

		most = sorted[i].weight > most ? sorted[i].weight : most;
		for (uint64_t j = 0; j < m; j++)
			permutation[i * m + j] = (uint32_t)((offset + j * skip) % m);
	}
	for (uint32_t j = 0; j < m; j++)
		entry[j] = -1;
	for (uint64_t round = 1; filled < m; round++) {
		for (size_t i = 0; i < n && filled < m; i++) {
			uint32_t c;

			if (turns_after(round, sorted[i].weight, most) ==
			    turns_after(round - 1, sorted[i].weight, most))
				continue;
			do
				c = permutation[i * m + next[i]++];
			while (entry[c] >= 0);
			entry[c] = sorted[i].number;
			filled++;
		}
	}
	for (uint32_t j = 0; j < m; j++)
		table[j] = (uint32_t)entry[j];
	free(entry);
	return table;
}

static void test_naive(void **state)
{
	static const struct {
		size_t count;
		uint32_t size, most_weight;
	} rows[] = { { 2, 61, 1 },       { 2, 61, 256 },   { 10, 251, 1 },   { 10, 251, 9 },
		     { 31, 31, 1 },      { 64, 2039, 1 },  { 65, 2039, 3 },  { 100, 4093, 1 },
		     { 100, 4093, 256 }, { 300, 8191, 1 }, { 500, 509, 17 }, { 1000, 32749, 1 } };

	srand(3);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_free_ struct wf_maglev_backend *backends =
			make(rows[i].count, rows[i].most_weight);
		_cleanup_free_ uint32_t *ours = build(backends, rows[i].count, rows[i].size);
		_cleanup_free_ uint32_t *theirs = naive(backends, rows[i].count, rows[i].size);

		assert_memory_equal(ours, theirs, rows[i].size * sizeof(*ours));
	}
}

static void test_size(void **state)
{
	assert_int_equal(wf_maglev_size(0, 0), 0);
	assert_int_equal(wf_maglev_size(0, 251), 0);
	assert_int_equal(wf_maglev_size(1, 0), 1);
	assert_int_equal(wf_maglev_size(1, 251), 1);
	assert_int_equal(wf_maglev_size(2, 0), 61);
	assert_int_equal(wf_maglev_size(2, 1), 61);
	assert_int_equal(wf_maglev_size(10, 0), 251);
	assert_int_equal(wf_maglev_size(11, 0), 509);
	assert_int_equal(wf_maglev_size(1000, 0), 32749);
	assert_int_equal(wf_maglev_size(65536, 0), 131071);
	/* it stays between 12 and 400 places each */
	assert_int_equal(wf_maglev_size(20, 251), 251);
	assert_int_equal(wf_maglev_size(21, 251), 1021);
	assert_int_equal(wf_maglev_size(2, 509), 509);
	assert_int_equal(wf_maglev_size(2, 1021), 61);
	assert_int_equal(wf_maglev_size(10000, 131071), 131071);
	/* what is no size of ours, a sequence of turns perhaps, is none to keep */
	assert_int_equal(wf_maglev_size(10, 250), 251);
	assert_int_equal(wf_maglev_size(10, 300), 251);
	for (size_t count = 2; count < 70000; count = count * 5 / 4 + 1)
		assert_int_equal(wf_maglev_size(count, wf_maglev_size(count, 0)),
				 wf_maglev_size(count, 0));
}

static void test_order(void **state)
{
	_cleanup_free_ struct wf_maglev_backend *backends = make(200, 5);
	_cleanup_free_ uint32_t *table = build(backends, 200, 8191);

	for (int round = 0; round < 5; round++) {
		_cleanup_free_ uint32_t *again = NULL;

		for (size_t i = 199; i; i--) {
			size_t other = (size_t)rand() % (i + 1);
			struct wf_maglev_backend kept = backends[i];

			backends[i] = backends[other];
			backends[other] = kept;
		}
		again = build(backends, 200, 8191);
		assert_memory_equal(table, again, 8191 * sizeof(*table));
	}
}

static void test_balance(void **state)
{
	for (size_t count = 2; count <= 1000; count = count * 3 / 2 + 1) {
		uint32_t size = wf_maglev_size(count, 0);
		_cleanup_free_ struct wf_maglev_backend *backends = make(count, 1);
		_cleanup_free_ uint32_t *table = build(backends, count, size);

		/* equal turns: nobody has two places more than another */
		for (size_t i = 0; i < count; i++) {
			uint32_t places = places_of(table, size, backends[i].number);

			assert_true(places >= size / count && places <= size / count + 1);
		}
	}
}

static void test_weights(void **state)
{
	_cleanup_free_ struct wf_maglev_backend *backends = make(20, 10);
	_cleanup_free_ uint32_t *table = build(backends, 20, 8191);
	uint32_t sum = 0;

	for (size_t i = 0; i < 20; i++)
		sum += backends[i].weight;
	for (size_t i = 0; i < 20; i++) {
		double share = 8191.0 * backends[i].weight / sum;
		double places = places_of(table, 8191, backends[i].number);

		assert_true(places > share * 0.95 - 2 && places < share * 1.05 + 2);
	}
}

/* Even with next to no weight everybody has a place: it would never be asked otherwise. */
static void test_least_weight(void **state)
{
	_cleanup_free_ struct wf_maglev_backend *backends = make(8, 1);
	_cleanup_free_ uint32_t *table = NULL;

	backends[0].weight = WF_MAGLEV_MAX_WEIGHT;
	table = build(backends, 8, 251);
	for (size_t i = 1; i < 8; i++)
		assert_true(places_of(table, 251, backends[i].number) >= 1);
	assert_true(places_of(table, 251, backends[0].number) > 230);
}

/* Places of `with` that hold another backend in `without`, besides those of the one that left. */
static uint32_t moved(const uint32_t *with, const uint32_t *without, uint32_t size, uint32_t left)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < size; i++)
		found += with[i] != left && with[i] != without[i];
	return found;
}

/* Of the places of those who stay, on average at most so many percent move. */
static void disruption(size_t count, uint32_t size, double percent)
{
	_cleanup_free_ struct wf_maglev_backend *backends = make(count, 1);
	_cleanup_free_ uint32_t *with = build(backends, count, size);
	double sum = 0;
	unsigned int rounds = 0;

	for (size_t i = 0; i < count; i += 1 + count / 20, rounds++) {
		_cleanup_free_ uint32_t *without = NULL;
		struct wf_maglev_backend gone = backends[i];

		backends[i] = backends[count - 1];
		without = build(backends, count - 1, size);
		backends[i] = gone;
		assert_int_equal(places_of(without, size, gone.number), 0);
		sum += moved(with, without, size, gone.number);
	}
	sum = 100 * sum / rounds / size;
	print_message("%zu backends, %u places: %.2f %% of places moved besides\n", count, size,
		      sum);
	assert_true(sum < percent);
}

static void test_disruption(void **state)
{
	disruption(2, 61, 0.01);
	disruption(10, 251, 8);
	disruption(10, 1021, 6);
	disruption(100, 4093, 6);
	disruption(100, 65521, 3);
	disruption(1000, 32749, 6);
	disruption(1000, 65521, 4);
}

static void test_refused(void **state)
{
	struct wf_maglev_backend backends[3] = { { 1, 1, 1 }, { 2, 2, 1 }, { 3, 3, 1 } };
	uint32_t table[61] = { 0 };

	assert_int_equal(wf_maglev_build(backends, 0, table, 31), -EINVAL);
	assert_int_equal(wf_maglev_build(backends, 3, table, 2), -EINVAL);
	assert_int_equal(wf_maglev_build(backends, 3, table, 32), -EINVAL);
	assert_int_equal(wf_maglev_build(backends, 2, table, 1), -EINVAL);
	assert_int_equal(table[0], 0);
	assert_int_equal(wf_maglev_build(backends, 1, table, 1), 0);
	assert_int_equal(table[0], 1);
	/* keys that collide are one order all the same */
	backends[1].key = backends[0].key;
	assert_int_equal(wf_maglev_build(backends, 2, table, 61), 0);
	assert_int_equal(places_of(table, 61, 1) + places_of(table, 61, 2), 61);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_naive),      cmocka_unit_test(test_size),
		cmocka_unit_test(test_order),      cmocka_unit_test(test_balance),
		cmocka_unit_test(test_weights),    cmocka_unit_test(test_least_weight),
		cmocka_unit_test(test_disruption), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
