/* SPDX-License-Identifier: Apache-2.0 */
#include "lb/maglev.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Primes, so that every skip visits all places; each just below a power of two, which is what the
 * allocator of runs gives out. */
static const uint32_t sizes[] = { 31,   61,   127,   251,   509,   1021,  2039,
				  4093, 8191, 16381, 32749, 65521, 131071 };

#define PLACES_WANTED 25
#define PLACES_ENOUGH 12
#define PLACES_MOST   400

/* A place nobody claimed yet; no number of a backend. */
#define NOBODY UINT32_MAX

/* Backends whose turns are kept on the stack: nearly every service. */
#define FEW 64

/* One backend while the table is made. */
struct turn {
	uint64_t key;
	uint32_t number;
	uint32_t weight;
	uint32_t at;     /* the place of its permutation it looks at next */
	uint32_t skip;   /* from one place of its permutation to the next */
	uint32_t credit; /* claims a place when it reaches the greatest weight */
};

static bool is_size(uint32_t size)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(sizes); i++)
		if (sizes[i] == size)
			return true;
	return false;
}

uint32_t wf_maglev_size(size_t backend_count, uint32_t current)
{
	uint64_t count = backend_count;

	if (count <= 1)
		return (uint32_t)count;
	if (is_size(current) && current >= count * PLACES_ENOUGH && current <= count * PLACES_MOST)
		return current;
	for (size_t i = 0; i < WF_ARRAY_LEN(sizes); i++)
		if (sizes[i] >= count * PLACES_WANTED)
			return sizes[i];
	return sizes[WF_ARRAY_LEN(sizes) - 1];
}

/* The finaliser of splitmix64: every bit of the key moves half of the bits. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static int compare_turns(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Few turns are sorted by hand: calling back for each comparison would take longer than all else. */
static void sort_turns(struct turn *turns, size_t count)
{
	if (count > FEW) {
		qsort(turns, count, sizeof(*turns), compare_turns);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct turn turn = turns[i];
		size_t at = i;

		for (; at && compare_turns(&turn, &turns[at - 1]) < 0; at--)
			turns[at] = turns[at - 1];
		turns[at] = turn;
	}
}

static uint32_t weight_of(const struct wf_maglev_backend *backend)
{
	return backend->weight ? backend->weight : 1;
}

/* x % divisor, by multiplying with ones = UINT64_MAX / divisor: a division takes as long as ten. */
static uint32_t remainder_of(uint64_t x, uint32_t divisor, uint64_t ones)
{
	uint64_t rest = x - (uint64_t)(((unsigned __int128)x * ones) >> 64) * divisor;

	while (rest >= divisor)
		rest -= divisor;
	return (uint32_t)rest;
}

/* Returns the greatest weight. */
static uint32_t make_turns(const struct wf_maglev_backend *backends, size_t count,
			   struct turn *turns, uint32_t size)
{
	const uint64_t ones = UINT64_MAX / size, ones_less = UINT64_MAX / (size - 1);
	uint32_t most = 1;

	for (size_t i = 0; i < count; i++)
		if (weight_of(&backends[i]) > most)
			most = weight_of(&backends[i]);
	for (size_t i = 0; i < count; i++) {
		uint64_t key = backends[i].key;
		uint32_t weight = weight_of(&backends[i]);

		/* the credit makes everybody claim in the first round: no backend is left out */
		turns[i] = (struct turn){
			.key = key,
			.number = backends[i].number,
			.weight = weight,
			.at = remainder_of(mix(key), size, ones),
			.skip = remainder_of(mix(key + 0x9e3779b97f4a7c15), size - 1, ones_less) +
				1,
			.credit = most - weight,
		};
	}
	sort_turns(turns, count);
	return most;
}

static void claim(struct turn *turn, uint32_t *table, uint32_t size)
{
	uint32_t at = turn->at, skip = turn->skip;

	while (table[at] != NOBODY) {
		at += skip;
		if (at >= size)
			at -= size;
	}
	table[at] = turn->number;
	turn->at = at;
}

static void fill(struct turn *turns, size_t count, uint32_t most, uint32_t *table, uint32_t size)
{
	uint32_t left = size;

	memset(table, 0xff, size * sizeof(*table));
	for (;;) {
		for (size_t i = 0; i < count; i++) {
			turns[i].credit += turns[i].weight;
			if (turns[i].credit < most)
				continue;
			turns[i].credit -= most;
			claim(&turns[i], table, size);
			if (!--left)
				return;
		}
	}
}

int wf_maglev_build(const struct wf_maglev_backend *backends, size_t count, uint32_t *table,
		    uint32_t size)
{
	_cleanup_free_ struct turn *many = NULL;
	struct turn few[FEW];
	struct turn *turns = few;

	if (count == 1 && size == 1) {
		table[0] = backends[0].number;
		return 0;
	}
	if (!count || size < count || !is_size(size))
		return -EINVAL;
	if (count > FEW) {
		many = malloc(count * sizeof(*many));
		if (!many)
			return -ENOMEM;
		turns = many;
	}
	fill(turns, count, make_turns(backends, count, turns, size), table, size);
	return 0;
}
