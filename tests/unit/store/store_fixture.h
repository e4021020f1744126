/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: a directory of their own, documents, short forms of calls. */
#ifndef WEFT_TESTS_UNIT_STORE_STORE_FIXTURE_H
#define WEFT_TESTS_UNIT_STORE_STORE_FIXTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct store_fixture {
	char dir[64];  /* removed by fixture_done() */
	char path[96]; /* of the database in it */
};

void fixture_init(struct store_fixture *fixture);
void fixture_done(struct store_fixture *fixture);

/* {"kind", "metadata": {"name"}, "spec": {"value"}}; new reference. */
json_t *make_document(const char *kind, const char *name, int value);

/*
 * The revision of a store that nobody has written to: in etcd others have. version_of() and at()
 * count from there.
 */
extern uint64_t base_revision;
uint64_t at(uint64_t revision);

uint64_t version_of(const json_t *document);
const char *metadata_text(const json_t *document, const char *key);
int value_of(const json_t *document);

/* One write in one transaction. put() drops its document. */
int put(struct wf_store *store, const char *kind, const char *name, int value, uint64_t expected,
	struct wf_err *err);
int del(struct wf_store *store, const char *kind, const char *name, uint64_t expected,
	struct wf_err *err);

/* The value of a stored document; -1 when it is not there. */
int stored_value(struct wf_store *store, const char *kind, const char *name);

/* Everything of the given kinds as text, for comparisons; the caller frees it. NULL: not readable. */
char *dump_store(struct wf_store *store, const char *const *kinds);

/* Renews a lease and waits for what comes of it, for some seconds. */
int renew(struct wf_store *store, uint64_t lease);

/* A small generator of repeatable randomness. */
uint64_t roll(uint64_t *seed, uint64_t below);

#endif
