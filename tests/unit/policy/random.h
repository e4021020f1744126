/* SPDX-License-Identifier: Apache-2.0 */
/* A generator that gives the same numbers for the same seed everywhere. */
#ifndef WEFT_TESTS_UNIT_POLICY_RANDOM_H
#define WEFT_TESTS_UNIT_POLICY_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t mixed = random->state += 0x9e3779b97f4a7c15u;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

static inline uint32_t random_below(struct random *random, uint32_t bound)
{
	return (uint32_t)(random_next(random) % bound);
}

/* True in `percent` of a hundred. */
static inline bool random_often(struct random *random, uint32_t percent)
{
	return random_below(random, 100) < percent;
}

#define RANDOM_OF(random, array) \
	((array)[random_below((random), sizeof(array) / sizeof((array)[0]))])

#endif
