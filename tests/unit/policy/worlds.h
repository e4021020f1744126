/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds, as oracle.h reads them: 20 to 60 endpoints in five namespaces (one of which nobody
 * has described), this node and another, services, and addresses outside. Few labels and
 * few names, so that selectors often match and endpoints are often alike.
 */
#ifndef WEFT_TESTS_UNIT_POLICY_WORLDS_H
#define WEFT_TESTS_UNIT_POLICY_WORLDS_H

#include <jansson.h>

#include "oracle.h"
#include "random.h"

#define WORLDS_SLOTS_MAX 100

/* Of a hundred endpoints, so many are on other nodes ("remote": true); 0 unless a test sets it. */
extern int worlds_remotes;

/* All owned by the caller. */
json_t *worlds_random(struct random *random);
json_t *worlds_endpoint(struct random *random, int slot); /* addresses follow from the slot */
json_t *worlds_namespace(struct random *random);          /* {labels, audit} */
json_t *worlds_service(struct random *random, const json_t *world, const char *namespace,
		       const char *name);
json_t *worlds_labels(struct random *random);

/* The name of one of the namespaces; one that has no object of its own is among them. */
const char *worlds_namespace_name(struct random *random);
/* Any address: of an endpoint, a node, or outside. Borrowed from the world. */
const char *worlds_address(struct random *random, const json_t *world);
/* Addresses outside; NULL at the end. */
extern const char *const worlds_outside[];

#define WORLDS_PARTIES_MAX 512

/* All that have an address: endpoints, nodes, and who is outside; how many they are. */
size_t worlds_parties(const json_t *world, struct oracle_party ret_parties[WORLDS_PARTIES_MAX]);

#endif
