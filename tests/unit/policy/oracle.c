/* SPDX-License-Identifier: Apache-2.0 */
#include "oracle.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- documents ----------------------------------------------------------------------------- */

const json_t *oracle_get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

const char *oracle_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

const char *oracle_document_namespace(const json_t *document)
{
	const char *name = oracle_text(json_object_get(document, "metadata"), "namespace");

	return *name ? name : "default";
}

void oracle_say(struct oracle_pair *pair, const json_t *document, struct oracle_voice voice)
{
	const json_t *meta = json_object_get(document, "metadata");

	if (pair->count == pair->capacity) {
		pair->capacity = pair->capacity ? 2 * pair->capacity : 64;
		pair->voices = realloc(pair->voices, pair->capacity * sizeof(*pair->voices));
		if (!pair->voices)
			abort();
	}
	voice.kind = oracle_text(document, "kind");
	voice.name = oracle_text(meta, "name");
	voice.audit = strcmp(oracle_text(json_object_get(meta, "annotations"), "weft.dev/audit"),
			     "true") == 0;
	pair->voices[pair->count++] = voice;
}

/* ---- parties ------------------------------------------------------------------------------- */

static bool has_text(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (strcmp(json_string_value(json_array_get(array, i)), text) == 0)
			return true;
	return false;
}

static const json_t *find_by_address(const json_t *array, const char *address)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);

		if (has_text(json_object_get(item, "addresses"), address))
			return item;
	}
	return NULL;
}

static int read_address(const char *text, uint8_t bytes[16])
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	memset(bytes, 0, 16);
	if (inet_pton(family, text, bytes) != 1) {
		fprintf(stderr, "no address: %s\n", text);
		abort();
	}
	return family;
}

void oracle_party_find(struct oracle_party *party, const json_t *world, const char *address)
{
	memset(party, 0, sizeof(*party));
	party->world = world;
	party->address = address;
	party->family = read_address(address, party->bytes);
	party->endpoint = find_by_address(json_object_get(world, "endpoints"), address);
	if (!party->endpoint)
		party->node = find_by_address(json_object_get(world, "nodes"), address);
}

bool oracle_is_self(const struct oracle_party *party)
{
	return json_is_true(json_object_get(party->node, "self"));
}

const char *oracle_namespace(const struct oracle_party *party)
{
	const char *name = oracle_text(party->endpoint, "namespace");

	return *name ? name : "default";
}

const char *oracle_pod_label(const struct oracle_party *party, const char *key)
{
	return json_string_value(json_object_get(json_object_get(party->endpoint, "labels"), key));
}

static const json_t *namespace_of(const struct oracle_party *party)
{
	return json_object_get(json_object_get(party->world, "namespaces"),
			       oracle_namespace(party));
}

const char *oracle_namespace_label(const struct oracle_party *party, const char *key)
{
	if (strcmp(key, "kubernetes.io/metadata.name") == 0)
		return oracle_namespace(party);
	return json_string_value(
		json_object_get(json_object_get(namespace_of(party), "labels"), key));
}

const char *oracle_node_label(const struct oracle_party *party, const char *key)
{
	if (strcmp(key, "kubernetes.io/hostname") == 0)
		return oracle_text(party->node, "name");
	return json_string_value(json_object_get(json_object_get(party->node, "labels"), key));
}

/* ---- matching ------------------------------------------------------------------------------ */

static bool holds(const json_t *requirement, const char *value)
{
	const char *op = oracle_text(requirement, "operator");
	bool among = value && has_text(json_object_get(requirement, "values"), value);

	if (strcmp(op, "In") == 0)
		return among;
	if (strcmp(op, "NotIn") == 0)
		return !among;
	if (strcmp(op, "Exists") == 0)
		return value;
	if (strcmp(op, "DoesNotExist") == 0)
		return !value;
	fprintf(stderr, "no operator: %s\n", op);
	abort();
}

bool oracle_selects(const json_t *selector, oracle_label_fn label, const struct oracle_party *party)
{
	const json_t *expressions = json_object_get(selector, "matchExpressions");
	json_t *labels = json_object_get(selector, "matchLabels");
	const char *key;
	json_t *wanted;

	json_object_foreach(labels, key, wanted) {
		const char *value = label(party, key);

		if (!value || strcmp(value, json_string_value(wanted)) != 0)
			return false;
	}
	for (size_t i = 0; i < json_array_size(expressions); i++) {
		const json_t *requirement = json_array_get(expressions, i);

		if (!holds(requirement, label(party, oracle_text(requirement, "key"))))
			return false;
	}
	return true;
}

bool oracle_in_cidr(const struct oracle_party *party, const char *cidr)
{
	const char *slash = strchr(cidr, '/');
	char text[64] = "";
	uint8_t bytes[16];
	int family, bits;

	memcpy(text, cidr, slash ? (size_t)(slash - cidr) : strlen(cidr));
	family = read_address(text, bytes);
	if (family != party->family)
		return false;
	bits = family == AF_INET ? 32 : 128;
	if (slash)
		bits = (int)strtol(slash + 1, NULL, 10);
	for (int i = 0; i < bits; i++) {
		int mask = 0x80 >> i % 8;

		if ((bytes[i / 8] & mask) != (party->bytes[i / 8] & mask))
			return false;
	}
	return true;
}

bool oracle_in_block(const struct oracle_party *party, const json_t *block)
{
	const json_t *except = json_object_get(block, "except");

	for (size_t i = 0; i < json_array_size(except); i++)
		if (oracle_in_cidr(party, json_string_value(json_array_get(except, i))))
			return false;
	return oracle_in_cidr(party, oracle_text(block, "cidr"));
}

int oracle_proto(const char *name)
{
	static const struct {
		const char *name;
		int proto;
	} known[] = {
		{ "TCP", 6 },  { "UDP", 17 }, { "SCTP", 132 }, { "VRRP", 112 }, { "IGMP", 2 },
		{ "GRE", 47 }, { "IPIP", 4 }, { "IPV6", 41 },  { "ESP", 50 },   { "AH", 51 }
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].proto;
	return -1;
}

bool oracle_port_named(const struct oracle_pair *pair, const char *name, int proto, int port)
{
	const json_t *ports = json_object_get(pair->destination->endpoint, "ports");

	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *item = json_array_get(ports, i);

		if (strcmp(oracle_text(item, "name"), name) == 0 &&
		    oracle_proto(oracle_text(item, "protocol")) == proto &&
		    json_integer_value(json_object_get(item, "port")) == port)
			return true;
	}
	return false;
}

/* ---- judging ------------------------------------------------------------------------------- */

/* Same endpoint or same node: nobody is kept from himself. */
static bool is_same(const struct oracle_party *a, const struct oracle_party *b)
{
	return (a->endpoint && a->endpoint == b->endpoint) || (a->node && a->node == b->node);
}

static bool can_be_subject(const struct oracle_party *party)
{
	return party->endpoint || oracle_is_self(party);
}

static int by_order(const void *left, const void *right)
{
	const struct oracle_voice *a = left, *b = right;
	int kind = strcmp(a->kind, b->kind), name = strcmp(a->name, b->name);

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (kind != 0)
		return kind;
	if (name != 0)
		return name;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void hear(struct oracle_pair *pair, const json_t *document)
{
	const char *kind = oracle_text(document, "kind");

	if (strcmp(kind, "NetworkPolicy") == 0)
		oracle_network(pair, document);
	else if (strcmp(kind, "CiliumNetworkPolicy") == 0 ||
		 strcmp(kind, "CiliumClusterwideNetworkPolicy") == 0)
		oracle_cilium(pair, document);
	else
		oracle_cluster(pair, document);
}

void oracle_pair_open(struct oracle_pair *pair, const json_t *world, const json_t *documents,
		      enum oracle_dir dir, const struct oracle_party *src,
		      const struct oracle_party *dst)
{
	pair->world = world;
	pair->dir = dir;
	pair->subject = dir == ORACLE_EGRESS ? src : dst;
	pair->peer = dir == ORACLE_EGRESS ? dst : src;
	pair->destination = dst;
	pair->count = 0;
	if (is_same(src, dst) || !can_be_subject(pair->subject))
		return;
	for (size_t i = 0; i < json_array_size(documents); i++)
		hear(pair, json_array_get(documents, i));
	if (pair->count > 0)
		qsort(pair->voices, pair->count, sizeof(*pair->voices), by_order);
}

void oracle_pair_done(struct oracle_pair *pair)
{
	free(pair->voices);
	memset(pair, 0, sizeof(*pair));
}

/* Whether somebody of that tier says it, without those that are on trial when `trial`. */
static bool is_said(const struct oracle_pair *pair, enum oracle_says says, int proto, int port,
		    bool trial)
{
	for (size_t i = 0; i < pair->count; i++) {
		const struct oracle_voice *voice = &pair->voices[i];
		bool denies = says == ORACLE_SAYS_DENY || says == ORACLE_SAYS_ISOLATED;

		if (voice->tier != ORACLE_NETWORK || voice->says != says)
			continue;
		if (trial && denies && voice->audit)
			continue;
		if (says == ORACLE_SAYS_ISOLATED && voice->spares_host &&
		    oracle_is_self(pair->peer))
			continue;
		if (!voice->ports || voice->ports(pair, voice->rule, proto, port))
			return true;
	}
	return false;
}

/* What the first rule of an ordered tier says; ORACLE_SAYS_PASS when none does. */
static enum oracle_says first_said(const struct oracle_pair *pair, enum oracle_tier tier, int proto,
				   int port, bool trial)
{
	for (size_t i = 0; i < pair->count; i++) {
		const struct oracle_voice *voice = &pair->voices[i];

		if (voice->tier != tier)
			continue;
		if (trial && voice->audit && voice->says == ORACLE_SAYS_DENY)
			continue;
		if (!voice->ports || voice->ports(pair, voice->rule, proto, port))
			return voice->says;
	}
	return ORACLE_SAYS_PASS;
}

/* trial: as if what policies on trial deny had not been written. */
static bool is_allowed(const struct oracle_pair *pair, int proto, int port, bool trial)
{
	enum oracle_says says = first_said(pair, ORACLE_ADMIN, proto, port, trial);

	if (says != ORACLE_SAYS_PASS)
		return says == ORACLE_SAYS_ALLOW;
	if (is_said(pair, ORACLE_SAYS_DENY, proto, port, trial))
		return false;
	if (is_said(pair, ORACLE_SAYS_ALLOW, proto, port, trial))
		return true;
	if (is_said(pair, ORACLE_SAYS_ISOLATED, proto, port, trial))
		return false;
	return first_said(pair, ORACLE_BASELINE, proto, port, trial) != ORACLE_SAYS_DENY;
}

static bool is_failsafe(const struct oracle_pair *pair, int proto, int port)
{
	const json_t *failsafes = json_object_get(pair->world, "failsafes");
	const char *dir = pair->dir == ORACLE_INGRESS ? "ingress" : "egress";

	for (size_t i = 0; oracle_is_self(pair->subject) && i < json_array_size(failsafes); i++) {
		const json_t *item = json_array_get(failsafes, i);

		if (strcmp(oracle_text(item, "dir"), dir) == 0 &&
		    json_integer_value(json_object_get(item, "proto")) == proto &&
		    json_integer_value(json_object_get(item, "port")) == port)
			return true;
	}
	return false;
}

static bool is_on_trial(const struct oracle_party *subject)
{
	return subject->endpoint && (json_is_true(json_object_get(subject->endpoint, "audit")) ||
				     json_is_true(json_object_get(namespace_of(subject), "audit")));
}

enum oracle_verdict oracle_pair_ask(const struct oracle_pair *pair, int proto, int port)
{
	if (is_failsafe(pair, proto, port) || is_allowed(pair, proto, port, false))
		return ORACLE_ALLOW;
	if (is_on_trial(pair->subject) || is_allowed(pair, proto, port, true))
		return ORACLE_AUDIT;
	return ORACLE_DENY;
}

enum oracle_verdict oracle_both(enum oracle_verdict egress, enum oracle_verdict ingress)
{
	if (egress == ORACLE_DENY || ingress == ORACLE_DENY)
		return ORACLE_DENY;
	return egress == ORACLE_AUDIT || ingress == ORACLE_AUDIT ? ORACLE_AUDIT : ORACLE_ALLOW;
}

const char *oracle_verdict_name(enum oracle_verdict verdict)
{
	static const char *const names[] = { "deny", "allow", "audit" };

	return names[verdict];
}
