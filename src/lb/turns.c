/* SPDX-License-Identifier: Apache-2.0 */
#include "lb/turns.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

/* What the weights are divided by and how they are scaled. */
struct scale {
	uint32_t divisor;
	uint64_t sum;   /* of the divided weights */
	uint64_t spare; /* places to share out beyond one for each; 0: no scaling */
};

static uint32_t weight_of(const struct wf_maglev_backend *backend)
{
	return backend->weight ? backend->weight : 1;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static struct scale scale_of(const struct wf_maglev_backend *backends, size_t count)
{
	struct scale scale = { .divisor = 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		scale.divisor = common_divisor(weight_of(&backends[i]), scale.divisor);
		sum += weight_of(&backends[i]);
	}
	scale.sum = scale.divisor ? sum / scale.divisor : 0;
	if (scale.sum > WF_TURNS_MAX && count < WF_TURNS_MAX)
		scale.spare = WF_TURNS_MAX - count;
	return scale;
}

/* Places of one backend. Scaled, everybody has one and the rest is shared out by weight. */
static uint32_t places(const struct scale *scale, const struct wf_maglev_backend *backend,
		       size_t count)
{
	uint32_t weight = weight_of(backend) / scale->divisor;

	if (scale->sum <= WF_TURNS_MAX)
		return weight;
	if (count >= WF_TURNS_MAX)
		return 1;
	return 1 + (uint32_t)(weight * scale->spare / scale->sum);
}

uint32_t wf_turns_size(const struct wf_maglev_backend *backends, size_t count)
{
	struct scale scale = scale_of(backends, count);
	uint32_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += places(&scale, &backends[i], count);
	return size;
}

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The k-th of n places of a backend is due at (k + 1/2) / n of the way. Sorting these times gives
 * the order. The time is in the upper half of a number, the backend in the lower: with at most
 * 4096 places two different times are 2^-26 apart, and 32 bits tell them apart.
 */
int wf_turns_build(const struct wf_maglev_backend *backends, size_t count, uint32_t *table,
		   uint32_t size)
{
	struct scale scale = scale_of(backends, count);
	_cleanup_free_ uint64_t *times = NULL;
	uint32_t filled = 0;

	if (size == count) {
		for (size_t i = 0; i < count; i++)
			table[i] = backends[i].number;
		return 0;
	}
	times = malloc(size * sizeof(*times));
	if (!times)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		uint32_t own = places(&scale, &backends[i], count);

		for (uint64_t k = 0; k < own && filled < size; k++)
			times[filled++] = ((2 * k + 1) << 31) / own << 32 | i;
	}
	qsort(times, filled, sizeof(*times), compare_times);
	for (uint32_t i = 0; i < filled; i++)
		table[i] = backends[(uint32_t)times[i]].number;
	return 0;
}
