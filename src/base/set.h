/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of objects that live elsewhere, for tables of very many: ten to thirteen bytes for each
 * and nothing within the object. Slower than an index (base/index.h), and adding can fail. Objects
 * may have the same key; then one of them is found.
 */
#ifndef WEFT_BASE_SET_H
#define WEFT_BASE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wf_set_ops {
	uint64_t (*hash)(const void *object); /* of its key; all bits as good as random */
	bool (*is)(const void *object, const void *key);
};

struct wf_set {
	const struct wf_set_ops *ops;
	void **slots;  /* owned; an object is at its hash's place, or behind it */
	uint8_t *tags; /* of the slots, in the same memory: some bits of the hash; 0: it is empty */
	size_t slot_count;
	size_t count;
};

/* Frees the slots; the objects stay as they are. */
void wf_set_done(struct wf_set *set);

/* Room for so many in all: adding them does not move the others again and again. 0 or -ENOMEM. */
int wf_set_reserve(struct wf_set *set, size_t count);

/* Puts an object in that is not in it. 0 or -ENOMEM. */
int wf_set_add(struct wf_set *set, void *object);

/* Takes this object out; one that is not in it is fine. */
void wf_set_remove(struct wf_set *set, const void *object);

/* An object with a key, whose hash is given; NULL: there is none. */
void *wf_set_find(const struct wf_set *set, uint64_t hash, const void *key);

/* All, one after the other: *at begins with 0; NULL ends. Not while the set changes. */
void *wf_set_walk(const struct wf_set *set, size_t *at);

#endif
