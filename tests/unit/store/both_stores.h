/* SPDX-License-Identifier: Apache-2.0 */
/* One test, run against every back end: BOTH(test) in the table of tests. */
#ifndef WEFT_TESTS_UNIT_STORE_BOTH_STORES_H
#define WEFT_TESTS_UNIT_STORE_BOTH_STORES_H

#include "store/local.h"
#include "store_fixture.h"

struct setup {
	struct store_fixture fixture;
	struct wf_store *store;
	bool durable; /* reopening finds what was there */
};

/* What a watcher saw, as text: "+Kind/name@3=7 " or "-Kind/name@4 ". */
struct log {
	char text[4096];
	struct wf_store *store;
	int budget; /* commits that the callback may still make */
	uint64_t id;
	uint64_t inner;
	struct log *inner_log;
};

/* What the stores take for the time. */
extern uint64_t fake_ms;

/* Closes and opens again a store that remembers; leaves the other alone. */
void reopen(struct setup *setup);

/* A watch callback that writes down what it is shown; the context is a struct log. */
void note(const struct wf_store_event *event, void *context);

int begin_mem(void **state);
int begin_sqlite(void **state);
int end(void **state);

#define BOTH(test)                                               \
	{ #test " (mem)", test, begin_mem, end, NULL },          \
	{                                                        \
#test " (sqlite)", test, begin_sqlite, end, NULL \
	}

#endif
