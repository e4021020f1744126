/* SPDX-License-Identifier: Apache-2.0 */
/* CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, read by the oracle. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

#define POD_NAMESPACE    "io.kubernetes.pod.namespace"
#define NAMESPACE_LABELS "io.cilium.k8s.namespace.labels."
#define CLUSTER          "io.cilium.k8s.policy.cluster"

/* ---- labels -------------------------------------------------------------------------------- */

static const char *without_source(const char *key)
{
	if (strncmp(key, "k8s:", 4) == 0 || strncmp(key, "any:", 4) == 0)
		return key + 4;
	return key;
}

static const char *endpoint_label(const struct oracle_party *party, const char *key)
{
	key = without_source(key);
	if (strchr(key, ':')) /* of another source, which no endpoint here has labels of */
		return NULL;
	if (strcmp(key, POD_NAMESPACE) == 0)
		return oracle_namespace(party);
	if (strcmp(key, CLUSTER) == 0)
		return "default";
	if (strncmp(key, NAMESPACE_LABELS, strlen(NAMESPACE_LABELS)) == 0)
		return oracle_namespace_label(party, key + strlen(NAMESPACE_LABELS));
	return oracle_pod_label(party, key);
}

static const char *node_label(const struct oracle_party *party, const char *key)
{
	return oracle_node_label(party, without_source(key));
}

static bool names_namespace(const char *key)
{
	key = without_source(key);
	return strcmp(key, POD_NAMESPACE) == 0 ||
	       strncmp(key, NAMESPACE_LABELS, strlen(NAMESPACE_LABELS)) == 0;
}

static bool selector_names_namespace(const json_t *selector)
{
	const json_t *expressions = json_object_get(selector, "matchExpressions");
	json_t *labels = json_object_get(selector, "matchLabels");
	const char *key;
	json_t *value;

	json_object_foreach(labels, key, value) {
		if (names_namespace(key))
			return true;
	}
	for (size_t i = 0; i < json_array_size(expressions); i++)
		if (names_namespace(oracle_text(json_array_get(expressions, i), "key")))
			return true;
	return false;
}

static bool is_clusterwide(const json_t *document)
{
	return strcmp(oracle_text(document, "kind"), "CiliumClusterwideNetworkPolicy") == 0;
}

static bool is_in_own_namespace(const struct oracle_party *party, const json_t *document)
{
	return strcmp(oracle_namespace(party), oracle_document_namespace(document)) == 0;
}

/* ---- peers --------------------------------------------------------------------------------- */

static bool is_outside(const struct oracle_party *party)
{
	return !party->endpoint && !party->node;
}

static bool is_entity(const struct oracle_party *party, const char *entity)
{
	bool world = is_outside(party);

	if (strcmp(entity, "all") == 0)
		return true;
	if (strcmp(entity, "world") == 0)
		return world;
	if (strcmp(entity, "world-ipv4") == 0)
		return world && party->family == AF_INET;
	if (strcmp(entity, "world-ipv6") == 0)
		return world && party->family == AF_INET6;
	if (strcmp(entity, "cluster") == 0)
		return !world;
	if (strcmp(entity, "host") == 0)
		return oracle_is_self(party);
	if (strcmp(entity, "remote-node") == 0)
		return party->node && !oracle_is_self(party);
	return false;
}

/* The labels of a service, for oracle_selects(): the service stands in for the endpoint. */
static bool is_service(const json_t *service, const json_t *item)
{
	const json_t *named = oracle_get(item, "k8sService");
	const json_t *chosen = oracle_get(item, "k8sServiceSelector");
	const char *space = oracle_text(named ? named : chosen, "namespace");
	struct oracle_party stand_in = { .endpoint = service };

	if (*space && strcmp(space, oracle_text(service, "namespace")) != 0)
		return false;
	if (named)
		return strcmp(oracle_text(named, "serviceName"), oracle_text(service, "name")) == 0;
	return oracle_selects(oracle_get(chosen, "selector"), oracle_pod_label, &stand_in);
}

static bool is_backend(const struct oracle_party *party, const json_t *item)
{
	const json_t *services = json_object_get(party->world, "services");

	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		const json_t *backends = json_object_get(service, "backends");

		if (!is_service(service, item))
			continue;
		for (size_t k = 0; k < json_array_size(backends); k++)
			if (strcmp(json_string_value(json_array_get(backends, k)),
				   party->address) == 0)
				return true;
	}
	return false;
}

/* One item of one of the lists of peers; list: its name without "from" or "to". */
static bool is_meant(const struct oracle_pair *pair, const json_t *document, const char *list,
		     const json_t *item)
{
	const struct oracle_party *party = pair->peer;

	if (strcmp(list, "Endpoints") == 0)
		return party->endpoint && oracle_selects(item, endpoint_label, party) &&
		       (is_clusterwide(document) || selector_names_namespace(item) ||
			is_in_own_namespace(party, document));
	if (strcmp(list, "CIDR") == 0)
		return is_outside(party) && oracle_in_cidr(party, json_string_value(item));
	if (strcmp(list, "CIDRSet") == 0)
		return is_outside(party) && oracle_in_block(party, item);
	if (strcmp(list, "Entities") == 0)
		return is_entity(party, json_string_value(item));
	if (strcmp(list, "Nodes") == 0)
		return party->node && oracle_selects(item, node_label, party);
	if (strcmp(list, "Services") == 0)
		return is_backend(party, item);
	return false;
}

static const char *const lists[] = { "Endpoints", "CIDR",   "CIDRSet", "Entities",
				     "Nodes",     "Groups", "FQDNs",   "Services" };

#define LISTS (sizeof(lists) / sizeof(lists[0]))

static const json_t *peers_of(const struct oracle_pair *pair, const json_t *rule, const char *list)
{
	char key[32] = "";

	strncat(key, pair->dir == ORACLE_INGRESS ? "from" : "to", sizeof(key) - 1);
	strncat(key, list, sizeof(key) - strlen(key) - 1);
	return oracle_get(rule, key);
}

/* Whether the peer is among those of the rule; without any list only a rule with ports means all. */
static bool is_among(const struct oracle_pair *pair, const json_t *document, const json_t *rule)
{
	bool any_list = false;

	for (size_t i = 0; i < LISTS; i++) {
		const json_t *peers = peers_of(pair, rule, lists[i]);

		any_list |= peers != NULL;
		for (size_t k = 0; k < json_array_size(peers); k++)
			if (is_meant(pair, document, lists[i], json_array_get(peers, k)))
				return true;
	}
	return !any_list && (json_array_size(oracle_get(rule, "toPorts")) > 0 ||
			     json_array_size(oracle_get(rule, "icmps")) > 0);
}

/* ---- ports --------------------------------------------------------------------------------- */

static bool is_proto(const char *wanted, int proto)
{
	if (!*wanted || strcmp(wanted, "ANY") == 0)
		return proto == 6 || proto == 17 || proto == 132;
	return oracle_proto(wanted) == proto;
}

static bool is_port(const struct oracle_pair *pair, const json_t *item, int proto, int port)
{
	const char *wanted = oracle_text(item, "port");
	long first, last;

	if (!is_proto(oracle_text(item, "protocol"), proto))
		return false;
	if (*wanted && !isdigit((unsigned char)*wanted))
		return oracle_port_named(pair, wanted, proto, port);
	first = strtol(wanted, NULL, 10);
	last = (long)json_integer_value(json_object_get(item, "endPort"));
	if (first == 0)
		return true;
	return port >= first && port <= (last ? last : first);
}

static int icmp_type(const json_t *type, bool six)
{
	static const struct {
		const char *name;
		int four, six;
	} known[] = { { "EchoReply", 0, 129 },
		      { "EchoRequest", 8, 128 },
		      { "DestinationUnreachable", 3, 1 },
		      { "TimeExceeded", 11, 3 },
		      { "ParameterProblem", 12, 4 },
		      { "PacketTooBig", -1, 2 },
		      { "Timestamp", 13, -1 },
		      { "NeighborSolicitation", -1, 135 } };
	const char *name = json_string_value(type);

	if (!name)
		return (int)json_integer_value(type);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return six ? known[i].six : known[i].four;
	return isdigit((unsigned char)*name) ? (int)strtol(name, NULL, 10) : -1;
}

static bool is_icmp(const json_t *field, int proto, int port)
{
	bool six = strcmp(oracle_text(field, "family"), "IPv6") == 0;

	return proto == (six ? 58 : 1) && port == icmp_type(json_object_get(field, "type"), six);
}

/* Ports of which only a look into the payload would tell what is allowed. */
static bool needs_payload(const json_t *to_port)
{
	static const char *const parts[] = { "rules", "terminatingTLS", "originatingTLS",
					     "serverNames", "listener" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (oracle_get(to_port, parts[i]))
			return true;
	return false;
}

static bool holds_port(const struct oracle_pair *pair, const json_t *rule, int proto, int port)
{
	const json_t *to_ports = oracle_get(rule, "toPorts");
	const json_t *icmps = oracle_get(rule, "icmps");

	for (size_t i = 0; i < json_array_size(to_ports); i++) {
		const json_t *ports = json_object_get(json_array_get(to_ports, i), "ports");

		if (needs_payload(json_array_get(to_ports, i)))
			continue;
		for (size_t k = 0; k < json_array_size(ports); k++)
			if (is_port(pair, json_array_get(ports, k), proto, port))
				return true;
	}
	for (size_t i = 0; i < json_array_size(icmps); i++) {
		const json_t *fields = json_object_get(json_array_get(icmps, i), "fields");

		for (size_t k = 0; k < json_array_size(fields); k++)
			if (is_icmp(json_array_get(fields, k), proto, port))
				return true;
	}
	return json_array_size(to_ports) == 0 && json_array_size(icmps) == 0;
}

/* ---- rules --------------------------------------------------------------------------------- */

/* Parts of a rule that need names, groups or handshakes. */
static bool is_beyond_us(const struct oracle_pair *pair, const json_t *rule)
{
	const char *mode = oracle_text(oracle_get(rule, "authentication"), "mode");
	const json_t *sets = peers_of(pair, rule, "CIDRSet");

	if (peers_of(pair, rule, "Groups") || peers_of(pair, rule, "FQDNs") ||
	    (*mode && strcmp(mode, "disabled") != 0))
		return true;
	for (size_t i = 0; i < json_array_size(sets); i++)
		if (!oracle_get(json_array_get(sets, i), "cidr"))
			return true;
	return false;
}

static void say_rules(struct oracle_pair *pair, const json_t *document, const json_t *rules,
		      enum oracle_says says)
{
	struct oracle_voice voice = { .tier = ORACLE_NETWORK, .says = says };

	for (size_t i = 0; i < json_array_size(rules); i++) {
		voice.rule = json_array_get(rules, i);
		voice.ports = holds_port;
		if (is_beyond_us(pair, voice.rule)) {
			voice.ports = NULL;
			if (says == ORACLE_SAYS_DENY)
				oracle_say(pair, document, voice);
		} else if (is_among(pair, document, voice.rule)) {
			oracle_say(pair, document, voice);
		}
	}
}

static bool is_subject(const struct oracle_pair *pair, const json_t *document, const json_t *spec)
{
	const json_t *nodes = oracle_get(spec, "nodeSelector");

	if (nodes)
		return oracle_is_self(pair->subject) &&
		       oracle_selects(nodes, node_label, pair->subject);
	return pair->subject->endpoint &&
	       (is_clusterwide(document) || is_in_own_namespace(pair->subject, document)) &&
	       oracle_selects(oracle_get(spec, "endpointSelector"), endpoint_label, pair->subject);
}

static void hear_spec(struct oracle_pair *pair, const json_t *document, const json_t *spec)
{
	bool ingress = pair->dir == ORACLE_INGRESS;
	const json_t *allow = oracle_get(spec, ingress ? "ingress" : "egress");
	const json_t *deny = oracle_get(spec, ingress ? "ingressDeny" : "egressDeny");
	const json_t *wish =
		oracle_get(oracle_get(spec, "enableDefaultDeny"), ingress ? "ingress" : "egress");
	bool isolates = json_array_size(allow) > 0 || json_array_size(deny) > 0;

	if (!is_subject(pair, document, spec))
		return;
	if (wish)
		isolates = json_is_true(wish);
	if (isolates)
		oracle_say(pair, document,
			   (struct oracle_voice){
				   .tier = ORACLE_NETWORK,
				   .says = ORACLE_SAYS_ISOLATED,
				   .spares_host = ingress,
			   });
	say_rules(pair, document, allow, ORACLE_SAYS_ALLOW);
	say_rules(pair, document, deny, ORACLE_SAYS_DENY);
}

void oracle_cilium(struct oracle_pair *pair, const json_t *document)
{
	const json_t *spec = oracle_get(document, "spec");
	const json_t *specs = oracle_get(document, "specs");

	if (spec)
		hear_spec(pair, document, spec);
	for (size_t i = 0; i < json_array_size(specs); i++)
		hear_spec(pair, document, json_array_get(specs, i));
}
