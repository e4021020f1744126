/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine with the tables of the datapath around it, filled from worlds and documents as
 * oracle.h has them. Verdicts can be had from the engine, or read from the tables as a program
 * would read them, which knows nothing of the engine.
 */
#ifndef WEFT_TESTS_UNIT_POLICY_ENGINE_LAB_H
#define WEFT_TESTS_UNIT_POLICY_ENGINE_LAB_H

#include <jansson.h>

#include "oracle.h"

#include "policy/engine.h"

#define LAB_SLOTS    1024
#define LAB_PROFILES 8192
#define LAB_RULES    (1U << 18)
#define LAB_BUCKETS  (1U << 14)

struct lab_pair {
	struct wf_policy_pair_key key;
	struct wf_policy_run run;
	struct lab_pair *next;
};

struct lab_prefix {
	struct wf_prefix prefix;
	uint32_t class_id;
};

struct lab {
	struct wf_policy_engine *engine;
	struct wf_policy_memory memory;
	struct lab_pair *pairs[LAB_BUCKETS];
	struct lab_prefix *prefixes; /* owned */
	size_t prefix_count, prefix_capacity;
	bool guarded[LAB_SLOTS];
	uint32_t asked;               /* by the engine whether it may free */
	bool is_borrowed;             /* the tables are somebody else's */
	void (*watch)(void *context); /* called at every effect, unless NULL */
	void *watch_context;
};

/* Ends are aborts with a message: nothing here may fail. */
void lab_open(struct lab *lab, const json_t *world, const json_t *documents);
/*
 * The same over tables that somebody else has, which outlive it; lab_look_up() and
 * lab_check_guards() know nothing of those.
 */
void lab_open_over(struct lab *lab, const struct wf_policy_memory *memory,
		   const struct wf_policy_effects *effects, const json_t *world,
		   const json_t *documents);
void lab_close(struct lab *lab);

void lab_policy_put(struct lab *lab, const json_t *document);
void lab_policy_drop(struct lab *lab, const json_t *document);
/* Whether an endpoint is of another node. */
bool lab_is_remote(const json_t *endpoint);
void lab_endpoint_put(struct lab *lab, const json_t *endpoint);
void lab_endpoint_drop(struct lab *lab, const json_t *endpoint);
/* Of an endpoint of another node, before a put that leaves them out. */
void lab_addresses_drop(struct lab *lab, const json_t *addresses);
void lab_namespace_put(struct lab *lab, const char *name, const json_t *namespace);
void lab_service_put(struct lab *lab, const json_t *service);
void lab_node_put(struct lab *lab, const json_t *node);

/* "KIND/NAMESPACE/NAME" or "KIND/NAME"; new, owned by the caller. */
char *lab_policy_key(const json_t *document);
/* Where the document of the same key is in an array; its size when there is none. */
size_t lab_policy_find(const json_t *documents, const json_t *document);
/* Puts a document into an array in place of the one of the same key. Takes it over. */
void lab_policy_set(json_t *documents, json_t *document);

/* What the engine answers. */
enum oracle_verdict lab_ask(const struct lab *lab, enum oracle_dir dir,
			    const struct oracle_party *src, const struct oracle_party *dst,
			    int proto, int port);
/* What a program would do. */
enum oracle_verdict lab_look_up(const struct lab *lab, enum oracle_dir dir,
				const struct oracle_party *src, const struct oracle_party *dst,
				int proto, int port);

/* The slot of a party, UINT32_MAX when it has none. */
uint32_t lab_slot(const struct oracle_party *party);
/* Aborts unless exactly those slots are guarded that have a profile. */
void lab_check_guards(const struct lab *lab);

#endif
