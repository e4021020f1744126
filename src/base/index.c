/* SPDX-License-Identifier: Apache-2.0 */
#include "base/index.h"

#include <stdlib.h>
#include <string.h>

#define FEWEST_BUCKETS 16

static struct wf_index_node **chain_of(struct wf_index *index, uint64_t hash)
{
	return index->buckets ? &index->buckets[hash & (index->bucket_count - 1)] : &index->only;
}

static void push(struct wf_index_node **chain, struct wf_index_node *node)
{
	node->next = *chain;
	node->link = chain;
	if (node->next)
		node->next->link = &node->next;
	*chain = node;
}

/* Last first, so that the order within each chain stays. */
static void move_chain(struct wf_index *index, struct wf_index_node *chain)
{
	struct wf_index_node *reversed = NULL, *next;

	for (; chain; chain = next) {
		next = chain->next;
		chain->next = reversed;
		reversed = chain;
	}
	for (; reversed; reversed = next) {
		next = reversed->next;
		push(chain_of(index, reversed->hash), reversed);
	}
}

static void grow(struct wf_index *index)
{
	size_t before = index->bucket_count, count = before ? before * 2 : FEWEST_BUCKETS;
	struct wf_index_node **old = index->buckets;
	struct wf_index_node *only = index->only;
	struct wf_index_node **buckets = calloc(count, sizeof(struct wf_index_node *));

	if (!buckets)
		return;
	index->buckets = buckets;
	index->bucket_count = count;
	index->only = NULL;
	for (size_t i = 0; i < before; i++)
		move_chain(index, old[i]);
	move_chain(index, only);
	free(old);
}

void wf_index_done(struct wf_index *index)
{
	free(index->buckets);
	memset(index, 0, sizeof(*index));
}

void wf_index_add(struct wf_index *index, struct wf_index_node *node, uint64_t hash)
{
	if (index->count >= index->bucket_count)
		grow(index);
	node->hash = hash;
	push(chain_of(index, hash), node);
	index->count++;
}

void wf_index_remove(struct wf_index *index, struct wf_index_node *node)
{
	if (!node->link)
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	node->next = NULL;
	node->link = NULL;
	index->count--;
}

static struct wf_index_node *skip_others(struct wf_index_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct wf_index_node *wf_index_first(const struct wf_index *index, uint64_t hash)
{
	struct wf_index_node *first =
		index->buckets ? index->buckets[hash & (index->bucket_count - 1)] : index->only;

	return skip_others(first, hash);
}

struct wf_index_node *wf_index_next(const struct wf_index_node *node)
{
	return skip_others(node->next, node->hash);
}

/* The finaliser of splitmix64: every bit of the argument moves half of the result's. */
uint64_t wf_hash_number(uint64_t seed, uint64_t number)
{
	uint64_t x = seed + 0x9e3779b97f4a7c15 + number;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

uint64_t wf_hash_addr(uint64_t seed, const struct wf_addr *addr)
{
	return wf_hash_number(wf_hash_number(seed, addr->halves[0]), addr->halves[1]);
}

/* FNV-1a, mixed at the end because chains are chosen by the low bits. */
uint64_t wf_hash_text(uint64_t seed, const char *text)
{
	uint64_t hash = seed ^ 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
	return wf_hash_number(0, hash);
}
