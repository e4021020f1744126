/* SPDX-License-Identifier: Apache-2.0 */
/* What the kinds have in common: selectors, blocks, ports; and NetworkPolicy. */
#include "documents.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "worlds.h"

/* A label and the values that it has in worlds. */
struct key {
	const char *name;
	const char *values[5];
	uint32_t count;
};

static const struct key keys[] = {
	{ "app", { "web", "db", "cache" }, 3 }, { "tier", { "front", "back" }, 2 },
	{ "env", { "prod", "dev" }, 2 },        { "app", { "web", "db", "nothing" }, 3 },
	{ "missing", { "front" }, 1 },
};
static const struct key namespace_keys[] = {
	{ "team", { "red", "blue" }, 2 },
	{ "env", { "prod", "dev" }, 2 },
	{ "kubernetes.io/metadata.name", { "alpha", "beta", "gamma", "untold", "nowhere" }, 5 },
};
static const int numbers[] = { 1, 22, 53, 80, 81, 443, 3868, 5353, 8080, 65535 };

/* ---- selectors ----------------------------------------------------------------------------- */

static const struct key *random_key(struct random *random, bool of_namespace)
{
	return of_namespace ? &RANDOM_OF(random, namespace_keys) : &RANDOM_OF(random, keys);
}

static json_t *random_value(struct random *random, const struct key *key)
{
	return json_string(key->values[random_below(random, key->count)]);
}

static json_t *random_expression(struct random *random, bool of_namespace)
{
	static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist" };
	const char *operator= RANDOM_OF(random, operators);
	const struct key *key = random_key(random, of_namespace);
	json_t *item = json_pack("{s:s, s:s}", "key", key->name, "operator", operator);
	json_t *list = json_array();
	uint32_t count = 1 + random_below(random, 3);

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, random_value(random, key));
	if (strstr(operator, "In"))
		json_object_set(item, "values", list);
	json_decref(list);
	return item;
}

json_t *documents_selector(struct random *random, bool of_namespace)
{
	json_t *selector = json_object(), *labels = json_object(), *list = json_array();

	while (random_often(random, 35)) {
		const struct key *key = random_key(random, of_namespace);

		json_object_set_new(labels, key->name, random_value(random, key));
	}
	while (random_often(random, 25))
		json_array_append_new(list, random_expression(random, of_namespace));
	if (json_object_size(labels) > 0)
		json_object_set(selector, "matchLabels", labels);
	if (json_array_size(list) > 0)
		json_object_set(selector, "matchExpressions", list);
	json_decref(labels);
	json_decref(list);
	return selector;
}

/* ---- blocks -------------------------------------------------------------------------------- */

static void format_cidr(char text[64], int family, uint8_t bytes[16], int bits)
{
	char address[INET6_ADDRSTRLEN];
	int all = family == AF_INET ? 32 : 128;

	for (int i = bits; i < all; i++)
		bytes[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	inet_ntop(family, bytes, address, sizeof(address));
	snprintf(text, 64, "%s/%d", address, bits);
}

static int random_bits(struct random *random, int family)
{
	static const int four[] = { 0, 1, 8, 9, 12, 16, 17, 22, 24, 25, 28, 30, 31, 32 };
	static const int six[] = { 0, 1, 8, 16, 32, 48, 64, 96, 112, 113, 120, 124, 127, 128 };

	return family == AF_INET ? RANDOM_OF(random, four) : RANDOM_OF(random, six);
}

/* The address near which blocks lie, sometimes a neighbour of it. */
static int random_place(struct random *random, const json_t *world, uint8_t bytes[16])
{
	const char *address = worlds_address(random, world);
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;

	memset(bytes, 0, 16);
	inet_pton(family, address, bytes);
	if (random_often(random, 20))
		bytes[family == AF_INET ? 3 : 15] ^= (uint8_t)(1 << random_below(random, 8));
	return family;
}

const char *documents_cidr(struct random *random, const json_t *world, char text[64])
{
	uint8_t bytes[16];
	int family = random_place(random, world, bytes);

	format_cidr(text, family, bytes, random_bits(random, family));
	return text;
}

json_t *documents_block(struct random *random, const json_t *world)
{
	uint8_t bytes[16], inside[16];
	int family = random_place(random, world, bytes), all = family == AF_INET ? 32 : 128;
	int bits = random_bits(random, family);
	json_t *block = json_object(), *except = json_array();
	char text[64];

	while (bits < all && random_often(random, 45)) {
		int deeper = bits + 1 + (int)random_below(random, (uint32_t)(all - bits));

		memcpy(inside, bytes, sizeof(inside));
		for (int i = bits; i < all; i++)
			if (random_often(random, 6))
				inside[i / 8] ^= (uint8_t)(0x80 >> i % 8);
		format_cidr(text, family, inside, deeper);
		json_array_append_new(except, json_string(text));
	}
	format_cidr(text, family, bytes, bits);
	json_object_set_new(block, "cidr", json_string(text));
	if (json_array_size(except) > 0 || random_often(random, 10))
		json_object_set(block, "except", except);
	json_decref(except);
	return block;
}

/* ---- ports --------------------------------------------------------------------------------- */

int documents_number(struct random *random)
{
	return RANDOM_OF(random, numbers);
}

int documents_number_above(struct random *random, int first)
{
	int last = documents_number(random);

	return last >= first ? last : first + (int)random_below(random, (uint32_t)(65536 - first));
}

const char *documents_protocol(struct random *random)
{
	static const char *const protocols[] = { "TCP", "TCP", "UDP", "SCTP" };

	return RANDOM_OF(random, protocols);
}

const char *documents_port_name(struct random *random)
{
	static const char *const names[] = { "web", "dns", "signal", "nobody" };

	return RANDOM_OF(random, names);
}

struct documents_port documents_port_random(struct random *random)
{
	static const int protos[] = { 6, 6, 6, 17, 17, 132, 1, 58, 47, 50, 2, 0, 255 };
	static const int types[] = { 0, 3, 8, 13, 128, 129, 135, 1 };
	struct documents_port port = { .proto = RANDOM_OF(random, protos) };

	if (port.proto == 6 || port.proto == 17 || port.proto == 132) {
		port.port = documents_number(random) + (int)random_below(random, 3) - 1;
		if (random_often(random, 10))
			port.port = (int)random_below(random, 65536);
		if (port.port > 65535)
			port.port = 65535;
	} else if (port.proto == 1 || port.proto == 58) {
		port.port = RANDOM_OF(random, types);
	}
	return port;
}

/* ---- NetworkPolicy ------------------------------------------------------------------------- */

static json_t *network_port(struct random *random)
{
	json_t *item = json_object();
	int first = documents_number(random);

	if (random_often(random, 75))
		json_object_set_new(item, "protocol", json_string(documents_protocol(random)));
	if (random_often(random, 25)) {
		json_object_set_new(item, "port", json_string(documents_port_name(random)));
	} else if (random_often(random, 85)) {
		json_object_set_new(item, "port", json_integer(first));
		if (random_often(random, 40))
			json_object_set_new(item, "endPort",
					    json_integer(documents_number_above(random, first)));
	}
	return item;
}

static json_t *network_peer(struct random *random, const json_t *world)
{
	json_t *item = json_object();
	uint32_t form = random_below(random, 4);

	if (form == 0)
		json_object_set_new(item, "ipBlock", documents_block(random, world));
	if (form == 1 || form == 2)
		json_object_set_new(item, "podSelector", documents_selector(random, false));
	if (form == 2 || form == 3)
		json_object_set_new(item, "namespaceSelector", documents_selector(random, true));
	return item;
}

static json_t *network_rule(struct random *random, const json_t *world, const char *peers_key)
{
	json_t *rule = json_object(), *peers = json_array(), *ports = json_array();
	uint32_t count = 1 + random_below(random, 3);

	if (random_often(random, 80)) {
		for (uint32_t i = 0; i < count; i++)
			json_array_append_new(peers, network_peer(random, world));
		json_object_set(rule, peers_key, peers);
	} else if (random_often(random, 50)) {
		json_object_set(rule, peers_key, peers);
	}
	if (random_often(random, 60)) {
		for (uint32_t i = 0; i < count; i++)
			json_array_append_new(ports, network_port(random));
		json_object_set(rule, "ports", ports);
	} else if (random_often(random, 30)) {
		json_object_set(rule, "ports", ports);
	}
	json_decref(peers);
	json_decref(ports);
	return rule;
}

static void network_rules(struct random *random, const json_t *world, json_t *spec, const char *key,
			  const char *peers_key)
{
	json_t *rules = json_array();
	uint32_t count = random_below(random, 4);

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(rules, network_rule(random, world, peers_key));
	json_object_set_new(spec, key, rules);
}

json_t *documents_network(struct random *random, const json_t *world)
{
	json_t *spec = json_object(), *types = json_array();

	if (random_often(random, 92))
		json_object_set_new(spec, "podSelector", documents_selector(random, false));
	if (random_often(random, 70))
		network_rules(random, world, spec, "ingress", "from");
	if (random_often(random, 60))
		network_rules(random, world, spec, "egress", "to");
	if (random_often(random, 50))
		json_array_append_new(types, json_string("Egress"));
	if (random_often(random, 50))
		json_array_append_new(types, json_string("Ingress"));
	if (random_often(random, 60))
		json_object_set(spec, "policyTypes", types);
	json_decref(types);
	return spec;
}

/* ---- documents ----------------------------------------------------------------------------- */

enum form {
	NETWORK,
	CILIUM,
	CILIUM_CLUSTER,
	CLUSTER,
	ADMIN,
	BASELINE,
};

static const struct {
	const char *version, *kind;
} kinds[] = {
	[NETWORK] = { "networking.k8s.io/v1", "NetworkPolicy" },
	[CILIUM] = { "cilium.io/v2", "CiliumNetworkPolicy" },
	[CILIUM_CLUSTER] = { "cilium.io/v2", "CiliumClusterwideNetworkPolicy" },
	[CLUSTER] = { "policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy" },
	[ADMIN] = { "policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy" },
	[BASELINE] = { "policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy" },
};

static json_t *random_spec(struct random *random, const json_t *world, enum form form,
			   const char *namespace)
{
	if (form == NETWORK)
		return documents_network(random, world);
	if (form == CLUSTER)
		return documents_cluster(random, world);
	if (form == ADMIN || form == BASELINE)
		return documents_admin(random, world, form == BASELINE);
	return documents_cilium(random, world, form == CILIUM_CLUSTER, namespace);
}

json_t *documents_random(struct random *random, const json_t *world, const char *name)
{
	static const enum form forms[] = { NETWORK, NETWORK, NETWORK,        CILIUM,
					   CILIUM,  CILIUM,  CILIUM_CLUSTER, CILIUM_CLUSTER,
					   CLUSTER, CLUSTER, ADMIN,          BASELINE };
	enum form form = RANDOM_OF(random, forms);
	const char *namespace = worlds_namespace_name(random);
	json_t *meta = json_pack("{s:s}", "name", form == BASELINE ? "default" : name);
	json_t *document = json_pack("{s:s, s:s, s:o}", "apiVersion", kinds[form].version, "kind",
				     kinds[form].kind, "metadata", meta);
	json_t *specs;

	if (form == NETWORK || form == CILIUM)
		json_object_set_new(meta, "namespace", json_string(namespace));
	if (random_often(random, 10))
		json_object_set_new(meta, "annotations",
				    json_pack("{s:s}", "weft.dev/audit",
					      random_often(random, 90) ? "true" : "false"));
	if ((form == CILIUM || form == CILIUM_CLUSTER) && random_often(random, 15)) {
		specs = json_array();
		json_array_append_new(specs, random_spec(random, world, form, namespace));
		json_array_append_new(specs, random_spec(random, world, form, namespace));
		json_object_set_new(document, "specs", specs);
	} else {
		json_object_set_new(document, "spec", random_spec(random, world, form, namespace));
	}
	return document;
}
