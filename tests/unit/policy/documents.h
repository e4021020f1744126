/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random documents of all six kinds: valid ones, with the corners that people and programs get
 * wrong (lists that are absent, empty, or hold an empty item; nested blocks; names of ports; parts
 * that cannot be enforced; policies on trial).
 */
#ifndef WEFT_TESTS_UNIT_POLICY_DOCUMENTS_H
#define WEFT_TESTS_UNIT_POLICY_DOCUMENTS_H

#include <jansson.h>

#include "random.h"

/* A new document named so; what it is about is taken from the world. Owned by the caller. */
json_t *documents_random(struct random *random, const json_t *world, const char *name);

/* A port, and the numbers around those that documents name. */
struct documents_port {
	int proto, port;
};
struct documents_port documents_port_random(struct random *random);

/* ---- between the files of the generator ----------------------------------------------------- */

json_t *documents_network(struct random *random, const json_t *world); /* a spec */
json_t *documents_cluster(struct random *random, const json_t *world); /* of v1alpha2 */
json_t *documents_admin(struct random *random, const json_t *world, bool is_baseline);
json_t *documents_cilium(struct random *random, const json_t *world, bool is_clusterwide,
			 const char *namespace);

/* A LabelSelector over the labels of endpoints and nodes, or of namespaces. */
json_t *documents_selector(struct random *random, bool of_namespace);
/* A block around some address of the world, as text; and {cidr, except}. */
const char *documents_cidr(struct random *random, const json_t *world, char text[64]);
json_t *documents_block(struct random *random, const json_t *world);
/* A number of a port, and one at least as high. */
int documents_number(struct random *random);
int documents_number_above(struct random *random, int first);
const char *documents_protocol(struct random *random); /* TCP, UDP, SCTP */
const char *documents_port_name(struct random *random);

#endif
