/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An index of objects that live elsewhere, by a hash of what they are looked for by; any number
 * may have the same. The node is part of the object, so adding and removing take constant time
 * and cannot fail: where there is no memory to grow, chains get longer and nothing is lost. The
 * index compares hashes only; whoever asks compares the key itself:
 *
 *	WF_INDEX_EACH(index, hash, node) {
 *		struct thing *thing = WF_INDEX_OBJECT(node, struct thing, by_name);
 *		...
 */
#ifndef WEFT_BASE_INDEX_H
#define WEFT_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/types.h>

struct wf_index_node {
	struct wf_index_node *next;
	struct wf_index_node **link; /* what points to it; NULL: in no index */
	uint64_t hash;
};

struct wf_index {
	struct wf_index_node **buckets; /* owned; NULL: all are in `only` */
	struct wf_index_node *only;
	size_t bucket_count; /* a power of two */
	size_t count;
};

/* Frees the buckets; the objects stay as they are, and must not be removed any more. */
void wf_index_done(struct wf_index *index);

/* Puts a zeroed node in. Of those with one hash the newest is found first. */
void wf_index_add(struct wf_index *index, struct wf_index_node *node, uint64_t hash);

/* Takes a node out; one that is in no index is fine. */
void wf_index_remove(struct wf_index *index, struct wf_index_node *node);

/* The first node with a hash, and the one after a node with the same; NULL: none. */
struct wf_index_node *wf_index_first(const struct wf_index *index, uint64_t hash);
struct wf_index_node *wf_index_next(const struct wf_index_node *node);

static inline bool wf_index_has(const struct wf_index_node *node)
{
	return node->link;
}

/* The object around a node. */
#define WF_INDEX_OBJECT(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

/* Each node with a hash; none of them may be removed meanwhile. */
#define WF_INDEX_EACH(index, hash, node)                                         \
	for (struct wf_index_node *node = wf_index_first((index), (hash)); node; \
	     node = wf_index_next(node))

/* Hashes; `seed` is the hash of what goes before, or 0. */
uint64_t wf_hash_number(uint64_t seed, uint64_t number);
uint64_t wf_hash_addr(uint64_t seed, const struct wf_addr *addr);
uint64_t wf_hash_text(uint64_t seed, const char *text);

#endif
