/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says what policies mean: one question, answered from the documents as they were written and from
 * the specifications, with no preparation and no shortcut. It shares nothing with the code that it
 * judges: no parser, no struct, no matching of labels, ports or addresses.
 *
 * A world is JSON as well; every member may be missing:
 *
 *   {"namespaces": {"NAME": {"labels": {}, "audit": false}},
 *    "nodes":      [{"name", "self": true, "labels": {}, "addresses": ["10.9.0.1"]}],
 *    "services":   [{"namespace", "name", "labels": {}, "backends": ["10.1.0.7"]}],
 *    "endpoints":  [{"slot": 1, "namespace", "name", "labels": {}, "addresses": [],
 *                    "ports": [{"name", "protocol": "TCP", "port": 80}], "audit": false}],
 *    "failsafes":  [{"dir": "ingress", "proto": 6, "port": 22}]}
 *
 * Addresses are texts in the one canonical form and compared as such.
 */
#ifndef WEFT_TESTS_UNIT_POLICY_ORACLE_H
#define WEFT_TESTS_UNIT_POLICY_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oracle_verdict {
	ORACLE_DENY,
	ORACLE_ALLOW,
	ORACLE_AUDIT,
};

enum oracle_dir {
	ORACLE_INGRESS,
	ORACLE_EGRESS,
};

enum oracle_tier {
	ORACLE_ADMIN,
	ORACLE_NETWORK,
	ORACLE_BASELINE,
};

enum oracle_says {
	ORACLE_SAYS_ALLOW,
	ORACLE_SAYS_DENY,
	ORACLE_SAYS_PASS,
	ORACLE_SAYS_ISOLATED,
};

/* One end of a connection, by its address. All borrowed from the world. */
struct oracle_party {
	const json_t *world;
	const char *address;
	const json_t *endpoint; /* NULL: no endpoint has the address */
	const json_t *node;     /* NULL: no node has it, or an endpoint does */
	int family;
	uint8_t bytes[16];
};

struct oracle_pair;

/* Whether the ports of a rule, in its kind's own words, hold this one. */
typedef bool (*oracle_ports_fn)(const struct oracle_pair *pair, const json_t *rule, int proto,
				int port);

/* What one rule, or the isolation by one policy, says about two parties in one direction. */
struct oracle_voice {
	enum oracle_tier tier;
	enum oracle_says says;
	int64_t priority;
	const char *kind, *name;
	size_t order; /* within the document */
	bool audit;
	bool spares_host;
	const json_t *rule;
	oracle_ports_fn ports; /* NULL: whatever the port */
};

/* Everything that is said about two parties in one direction. */
struct oracle_pair {
	const json_t *world;
	enum oracle_dir dir;
	const struct oracle_party *subject, *peer;
	const struct oracle_party *destination; /* whose names of ports count */
	struct oracle_voice *voices;            /* owned */
	size_t count, capacity;
};

/* Who has the address in that world. The text stays borrowed. Aborts when it is no address. */
void oracle_party_find(struct oracle_party *party, const json_t *world, const char *address);

/*
 * Hears all documents (an array) about src to dst. *pair is reused when it is not zeroed. World,
 * documents and parties must outlive it.
 */
void oracle_pair_open(struct oracle_pair *pair, const json_t *world, const json_t *documents,
		      enum oracle_dir dir, const struct oracle_party *src,
		      const struct oracle_party *dst);
enum oracle_verdict oracle_pair_ask(const struct oracle_pair *pair, int proto, int port);
void oracle_pair_done(struct oracle_pair *pair);

/* Of both directions: what one denies is denied, what one has on trial is on trial. */
enum oracle_verdict oracle_both(enum oracle_verdict egress, enum oracle_verdict ingress);
const char *oracle_verdict_name(enum oracle_verdict verdict);

/* ---- for the kinds ------------------------------------------------------------------------- */

/* The value of a label, NULL when there is none. */
typedef const char *(*oracle_label_fn)(const struct oracle_party *party, const char *key);

/* Each adds the voices of a document of its kinds. */
void oracle_network(struct oracle_pair *pair, const json_t *document);
void oracle_cluster(struct oracle_pair *pair, const json_t *document);
void oracle_cilium(struct oracle_pair *pair, const json_t *document);

/* Adds a voice: kind, name and audit are read from the document. */
void oracle_say(struct oracle_pair *pair, const json_t *document, struct oracle_voice voice);

/* A member that is there and not null. */
const json_t *oracle_get(const json_t *object, const char *key);
const char *oracle_text(const json_t *object, const char *key); /* "" when absent */

/* A LabelSelector over what label tells. NULL and {} select everything. */
bool oracle_selects(const json_t *selector, oracle_label_fn label,
		    const struct oracle_party *party);

const char *oracle_namespace(const struct oracle_party *party); /* of an endpoint */
const char *oracle_document_namespace(const json_t *document);
const char *oracle_pod_label(const struct oracle_party *party, const char *key);
const char *oracle_namespace_label(const struct oracle_party *party, const char *key);
const char *oracle_node_label(const struct oracle_party *party, const char *key);

bool oracle_is_self(const struct oracle_party *party); /* this node */
bool oracle_in_cidr(const struct oracle_party *party, const char *cidr);
/* Of an object {cidr, except}. */
bool oracle_in_block(const struct oracle_party *party, const json_t *block);

/* TCP, UDP, ...: the number; -1 for what is none. */
int oracle_proto(const char *name);
/* Whether the destination is an endpoint that has that name for that port. */
bool oracle_port_named(const struct oracle_pair *pair, const char *name, int proto, int port);

#endif
