/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bits.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int wf_bits_init(struct wf_bits *bits, uint32_t size)
{
	uint64_t words = size, total = 0;

	memset(bits, 0, sizeof(*bits));
	do {
		words = (words + 63) / 64;
		bits->level_words[bits->levels++] = (uint32_t)words;
		total += words;
	} while (words > 1);
	bits->words = calloc(total ? total : 1, sizeof(*bits->words));
	if (!bits->words)
		return -ENOMEM;
	total = 0;
	for (unsigned int i = 0; i < bits->levels; i++) {
		bits->level[i] = bits->words + total;
		total += bits->level_words[i];
	}
	bits->size = size;
	return 0;
}

void wf_bits_done(struct wf_bits *bits)
{
	free(bits->words);
	memset(bits, 0, sizeof(*bits));
}

bool wf_bits_has(const struct wf_bits *bits, uint32_t number)
{
	return number < bits->size && (bits->level[0][number / 64] >> (number % 64) & 1);
}

void wf_bits_set(struct wf_bits *bits, uint32_t number)
{
	if (number >= bits->size || wf_bits_has(bits, number))
		return;
	bits->count++;
	for (unsigned int i = 0; i < bits->levels; i++, number /= 64) {
		uint64_t *word = &bits->level[i][number / 64];
		bool was_empty = !*word;

		*word |= 1ULL << (number % 64);
		if (!was_empty)
			return;
	}
}

void wf_bits_clear(struct wf_bits *bits, uint32_t number)
{
	if (!wf_bits_has(bits, number))
		return;
	bits->count--;
	for (unsigned int i = 0; i < bits->levels; i++, number /= 64) {
		uint64_t *word = &bits->level[i][number / 64];

		*word &= ~(1ULL << (number % 64));
		if (*word)
			return;
	}
}

uint32_t wf_bits_next(const struct wf_bits *bits, uint32_t from)
{
	uint32_t at = from;

	/* up, until a level has something at or behind this place; then down to its first */
	for (unsigned int i = 0; i < bits->levels && at / 64 < bits->level_words[i]; i++) {
		uint64_t word = bits->level[i][at / 64] & (~0ULL << (at % 64));

		if (word) {
			at = at / 64 * 64 + (uint32_t)__builtin_ctzll(word);
			while (i--)
				at = at * 64 + (uint32_t)__builtin_ctzll(bits->level[i][at]);
			return at;
		}
		at = at / 64 + 1;
	}
	return WF_BITS_NONE;
}
