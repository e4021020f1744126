/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host on an etcd of the test's own, and what to wait for. The tests of a program share one
 * cluster, which run_etcd() starts and stops; each has a prefix in it: ETCD(test) in the table.
 */
#ifndef WEFT_TESTS_UNIT_STORE_ETCD_HOST_H
#define WEFT_TESTS_UNIT_STORE_ETCD_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "both_stores.h"
#include "etcd_fixture.h"

extern struct etcd_cluster cluster;
extern char prefix[32];

/* One host: a store with a mirror of its own, and what its watcher saw. */
struct host {
	struct store_fixture fixture;
	struct wf_store_etcd_options options;
	struct wf_store *store;
	struct log log;
	uint64_t watch;
};

/* With short times, on the first member. host_open() opens again what was closed, and watches. */
void host_init(struct host *host);
void host_open(struct host *host);
void host_done(struct host *host);

/* A key below the prefix; good until the eighth call after this. */
const char *key(const char *rest);

struct wf_store_state state_of(struct wf_store *store);

/* Drives the store until it has come to a revision, or fails the test. */
void catch_up(struct wf_store *store, uint64_t revision);

/* What drive() and await() may wait for; the context is the store. */
bool is_held(void *context);
bool is_free(void *context); /* nothing is withheld, and it is connected */
bool is_away(void *context);
bool is_back(void *context);

/* Drives one store until something holds, or fails the test. */
#define await(store_, limit_ms, condition)                                              \
	do {                                                                            \
		struct wf_store *const stores_[] = { store_, NULL };                    \
		if (!drive(stores_, limit_ms, condition, store_))                       \
			fail_msg(#condition " did not come: error \"%s\", hold \"%s\"", \
				 state_of(store_).last_error, state_of(store_).hold);   \
	} while (0)

/* One document K/name with the value 1 on a lease. */
int put_leased(struct wf_store *store, const char *name, uint64_t lease, struct wf_err *err);

/* A transaction of many documents Many/n00000 and so on, numbered from `first`. */
int put_many(struct wf_store *store, int first, int count, int value, uint64_t expected,
	     uint64_t *ret_revision, struct wf_err *err);
size_t count_many(struct wf_store *store);

/* 60 of them: enough that their end is not believed at once. */
void fill(struct wf_store *store);

/* Without the program etcd, says that the tests are skipped. */
bool has_no_etcd(void);

/* Runs a table of tests on one etcd of one member, or on what start_ starts: the exit status. */
#define run_etcd(tests) run_etcd_on(tests, start_one)
#define run_etcd_on(tests, start_) \
	(has_no_etcd()             \
		 ? 77              \
		 : _cmocka_run_group_tests(#tests, tests, WF_ARRAY_LEN(tests), start_, stop))
int start_one(void **state);
int stop(void **state);

#define ETCD(test) cmocka_unit_test_setup_teardown(test, new_prefix, thaw_all)
int new_prefix(void **state);

/* A test that failed leaves nothing frozen to the next. */
int thaw_all(void **state);

#endif
