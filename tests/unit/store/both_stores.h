/* SPDX-License-Identifier: Apache-2.0 */
/* One test, run against every back end: BOTH(test) in the table of tests, or ALL(test). */
#ifndef WEFT_TESTS_UNIT_STORE_BOTH_STORES_H
#define WEFT_TESTS_UNIT_STORE_BOTH_STORES_H

#include "base/mem.h"
#include "store/local.h"
#include "store_fixture.h"

struct setup {
	struct store_fixture fixture;
	struct wf_store *store;
	bool durable; /* reopening finds what was there */
	bool is_etcd;
	char prefix[32]; /* of its keys in etcd: each test has its own */
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
int begin_etcd(void **state);
int end(void **state);

/* Runs a table of tests with one etcd for all of them; without the program those are skipped. */
#define run_stores(tests)     \
	(skip_without_etcd(), \
	 _cmocka_run_group_tests(#tests, tests, WF_ARRAY_LEN(tests), start_etcd, stop_etcd))
void skip_without_etcd(void);
int start_etcd(void **state);
int stop_etcd(void **state);

#define SQLITE(test)                                             \
	{                                                        \
#test " (sqlite)", test, begin_sqlite, end, NULL \
	}

#define BOTH(test) { #test " (mem)", test, begin_mem, end, NULL }, SQLITE(test)

#define ALL(test)                                            \
	BOTH(test),                                          \
	{                                                    \
#test " (etcd)", test, begin_etcd, end, NULL \
	}

#endif
