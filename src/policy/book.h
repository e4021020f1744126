/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by name, with what each was before the change in hand: taking a change back is a swap of
 * pointers and cannot fail. Used for policies, namespaces, nodes and services.
 */
#ifndef WEFT_POLICY_BOOK_H
#define WEFT_POLICY_BOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/index.h"

struct wf_record {
	char *name; /* owned */
	size_t at;  /* its place in the book */
	struct wf_index_node by_name;
	void *now;    /* owned; NULL: there is none */
	void *before; /* owned; with is_touched: what it was */
	bool is_touched;
	struct wf_record *next_touched;
};

/* What an object's going into force and out of it does. None of them can fail. */
struct wf_book_ops {
	void (*link)(void *context, void *object);
	void (*unlink)(void *context, void *object);
	void (*free)(void *context, void *object);
};

struct wf_book {
	const struct wf_book_ops *ops;
	void *context;
	struct wf_record **items; /* owned; in no order */
	size_t count, capacity;
	struct wf_index by_name;
	struct wf_record *touched;
};

void wf_book_done(struct wf_book *book); /* unlinks and frees all */
struct wf_record *wf_book_find(const struct wf_book *book, const char *name); /* NULL: none */
/* Puts an object (taken over on success) in place of what is there; NULL drops. 0 or -ENOMEM. */
int wf_book_set(struct wf_book *book, const char *name, void *object);
/* Puts the items in the order of their names, until one more comes or goes. */
void wf_book_sort(const struct wf_book *book);
/* The end of a change: what was before is freed, or comes back. */
void wf_book_settle(struct wf_book *book);
void wf_book_restore(struct wf_book *book);

#endif
