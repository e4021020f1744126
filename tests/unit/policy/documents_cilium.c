/* SPDX-License-Identifier: Apache-2.0 */
/* Random CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy. */
#include "documents.h"

#include <stdio.h>
#include <string.h>

#include "worlds.h"

#define NAMESPACE_KEY "io.kubernetes.pod.namespace"

/* ---- selectors ----------------------------------------------------------------------------- */

/* Puts sources before some keys of matchLabels. */
static json_t *with_sources(struct random *random, json_t *selector)
{
	static const char *const sources[] = { "k8s:", "any:", "", "" };
	json_t *labels = json_object_get(selector, "matchLabels"), *changed, *value;
	const char *key;

	if (!labels)
		return selector;
	changed = json_object();
	json_object_foreach(labels, key, value) {
		char text[128];

		snprintf(text, sizeof(text), "%s%s", RANDOM_OF(random, sources), key);
		json_object_set(changed, text, value);
	}
	json_object_set_new(selector, "matchLabels", changed);
	return selector;
}

static json_t *labels_of(json_t *selector)
{
	json_t *labels = json_object_get(selector, "matchLabels");

	if (!labels) {
		labels = json_object();
		json_object_set_new(selector, "matchLabels", labels);
	}
	return labels;
}

static void add_expression(json_t *selector, const char *key, const char *operator,
			   const char * value)
{
	json_t *list = json_object_get(selector, "matchExpressions");
	json_t *item = json_pack("{s:s, s:s}", "key", key, "operator", operator);

	if (!list) {
		list = json_array();
		json_object_set_new(selector, "matchExpressions", list);
	}
	if (value)
		json_object_set_new(item, "values", json_pack("[s]", value));
	json_array_append_new(list, item);
}

/* Of peers: sometimes says which namespaces it means. */
static json_t *peer_selector(struct random *random)
{
	json_t *selector = with_sources(random, documents_selector(random, false));
	const char *space = worlds_namespace_name(random);

	switch (random_below(random, 12)) {
	case 0:
		json_object_set_new(labels_of(selector), "k8s:" NAMESPACE_KEY, json_string(space));
		break;
	case 1: json_object_set_new(labels_of(selector), NAMESPACE_KEY, json_string(space)); break;
	case 2:
		json_object_set_new(labels_of(selector), "k8s:io.cilium.k8s.namespace.labels.team",
				    json_string(random_often(random, 50) ? "red" : "blue"));
		break;
	case 3: add_expression(selector, "k8s:" NAMESPACE_KEY, "NotIn", space); break;
	case 4: add_expression(selector, "k8s:" NAMESPACE_KEY, "Exists", NULL); break;
	case 5:
		add_expression(selector, "io.cilium.k8s.namespace.labels.env", "DoesNotExist",
			       NULL);
		break;
	default: break;
	}
	return selector;
}

/* ---- peers --------------------------------------------------------------------------------- */

static const char *random_entity(struct random *random)
{
	static const char *const entities[] = { "all",         "world",   "world-ipv4",
						"world-ipv6",  "cluster", "host",
						"remote-node", "none",    "init",
						"world-ipv4",  "cluster" };

	return RANDOM_OF(random, entities);
}

static json_t *random_service(struct random *random)
{
	static const char *const names[] = { "one", "two", "missing" };
	const char *space = worlds_namespace_name(random);

	if (random_often(random, 60))
		return json_pack("{s:{s:s, s:s}}", "k8sService", "serviceName",
				 RANDOM_OF(random, names), "namespace", space);
	return json_pack("{s:{s:o, s:s}}", "k8sServiceSelector", "selector",
			 documents_selector(random, false), "namespace", space);
}

/* The lists, without "from" or "to". */
enum list {
	ENDPOINTS,
	CIDR,
	CIDR_SET,
	ENTITIES,
	NODES,
	SERVICES,
	FQDNS,
};

static const char *const list_names[] = { "Endpoints", "CIDR",     "CIDRSet", "Entities",
					  "Nodes",     "Services", "FQDNs" };

static json_t *random_item(struct random *random, const json_t *world, enum list list)
{
	char text[64];

	switch (list) {
	case ENDPOINTS: return peer_selector(random);
	case CIDR: return json_string(documents_cidr(random, world, text));
	case CIDR_SET:
		if (random_often(random, 5))
			return json_pack("{s:s}", "cidrGroupRef", "some-group");
		return documents_block(random, world);
	case ENTITIES: return json_string(random_entity(random));
	case NODES: return documents_selector(random, false);
	case SERVICES: return random_service(random);
	case FQDNS: return json_pack("{s:s}", "matchName", "example.org");
	}
	return NULL;
}

static void add_peers(struct random *random, const json_t *world, json_t *rule, bool is_egress,
		      bool is_deny)
{
	static const enum list lists[] = { ENDPOINTS, ENDPOINTS, ENDPOINTS, CIDR,
					   CIDR_SET,  CIDR_SET,  ENTITIES,  NODES,
					   SERVICES,  SERVICES,  FQDNS };
	enum list list = RANDOM_OF(random, lists);
	json_t *items = json_array();
	char key[32];

	if ((list == SERVICES && !is_egress) || (list == FQDNS && (!is_egress || is_deny)))
		list = ENDPOINTS;
	if (random_often(random, 95))
		do
			json_array_append_new(items, random_item(random, world, list));
		while (random_often(random, 35));
	snprintf(key, sizeof(key), "%s%s", is_egress ? "to" : "from", list_names[list]);
	json_object_set_new(rule, key, items);
}

/* ---- ports --------------------------------------------------------------------------------- */

static json_t *random_port(struct random *random)
{
	static const char *const bare[] = { "GRE", "ESP", "IGMP", "IPIP" };
	int first = documents_number(random);
	json_t *item;
	char text[8];

	if (random_often(random, 8))
		return json_pack("{s:s, s:s}", "port", "0", "protocol", RANDOM_OF(random, bare));
	item = json_object();
	if (random_often(random, 70))
		json_object_set_new(
			item, "protocol",
			json_string(random_often(random, 20) ? "ANY" : documents_protocol(random)));
	if (random_often(random, 20)) {
		json_object_set_new(item, "port", json_string(documents_port_name(random)));
		return item;
	}
	if (random_often(random, 12))
		first = 0;
	snprintf(text, sizeof(text), "%d", first);
	json_object_set_new(item, "port", json_string(text));
	if (first > 0 && random_often(random, 35))
		json_object_set_new(item, "endPort",
				    json_integer(documents_number_above(random, first)));
	return item;
}

static json_t *random_port_rule(struct random *random, bool is_deny)
{
	json_t *ports;

	if (!is_deny && random_often(random, 6))
		return json_pack("{s:[{s:s, s:s}], s:{s:[{s:s}]}}", "ports", "port", "80",
				 "protocol", "TCP", "rules", "http", "path", "/public");
	ports = json_array();
	do
		json_array_append_new(ports, random_port(random));
	while (random_often(random, 50) && json_array_size(ports) < 20);
	return json_pack("{s:o}", "ports", ports);
}

static json_t *random_icmp(struct random *random)
{
	static const int types[] = { 0, 3, 8, 13, 128, 129 };

	switch (random_below(random, 4)) {
	case 0: return json_pack("{s:s}", "type", "EchoRequest");
	case 1: return json_pack("{s:s, s:s}", "family", "IPv6", "type", "EchoRequest");
	case 2: return json_pack("{s:i}", "type", RANDOM_OF(random, types));
	default: return json_pack("{s:s, s:i}", "family", "IPv6", "type", RANDOM_OF(random, types));
	}
}

static void add_ports(struct random *random, json_t *rule, bool is_deny)
{
	json_t *list = json_array();

	if (random_often(random, 15)) {
		json_array_append_new(list, json_pack("{s:[o, o]}", "fields", random_icmp(random),
						      random_icmp(random)));
		json_object_set_new(rule, "icmps", list);
		return;
	}
	do
		json_array_append_new(list, random_port_rule(random, is_deny));
	while (random_often(random, 30));
	json_object_set_new(rule, "toPorts", list);
}

/* ---- rules --------------------------------------------------------------------------------- */

static json_t *random_rule(struct random *random, const json_t *world, bool is_egress, bool is_deny)
{
	json_t *rule = json_object();

	if (random_often(random, 6))
		return rule;
	if (random_often(random, 85))
		add_peers(random, world, rule, is_egress, is_deny);
	if (json_object_size(rule) == 0 || random_often(random, 55))
		add_ports(random, rule, is_deny);
	if (!is_deny && random_often(random, 4))
		json_object_set_new(rule, "authentication",
				    json_pack("{s:s}", "mode",
					      random_often(random, 60) ? "required" : "disabled"));
	return rule;
}

static void add_rules(struct random *random, const json_t *world, json_t *spec)
{
	static const struct {
		const char *key;
		bool is_egress, is_deny;
		uint32_t percent;
	} lists[] = {
		{ "ingress", false, false, 60 },
		{ "ingressDeny", false, true, 25 },
		{ "egress", true, false, 50 },
		{ "egressDeny", true, true, 25 },
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_t *rules;

		if (!random_often(random, lists[i].percent) && (any || i < 3))
			continue;
		any = true;
		rules = json_array();
		while (random_often(random, 65) && json_array_size(rules) < 8)
			json_array_append_new(rules, random_rule(random, world, lists[i].is_egress,
								 lists[i].is_deny));
		json_object_set_new(spec, lists[i].key, rules);
	}
}

json_t *documents_cilium(struct random *random, const json_t *world, bool is_clusterwide,
			 const char *namespace)
{
	json_t *spec = json_object(), *wish = json_object();
	json_t *subject = with_sources(random, documents_selector(random, false));

	if (!is_clusterwide && random_often(random, 10))
		json_object_set_new(labels_of(subject), "k8s:" NAMESPACE_KEY,
				    json_string(namespace));
	if (is_clusterwide && random_often(random, 20))
		json_object_set_new(labels_of(subject), "k8s:" NAMESPACE_KEY,
				    json_string(worlds_namespace_name(random)));
	if (is_clusterwide && random_often(random, 35)) {
		json_decref(subject);
		json_object_set_new(spec, "nodeSelector",
				    random_often(random, 40) ? json_object()
							     : documents_selector(random, false));
	} else {
		json_object_set_new(spec, "endpointSelector", subject);
	}
	add_rules(random, world, spec);
	if (random_often(random, 15))
		json_object_set_new(wish, "ingress", json_boolean(random_often(random, 40)));
	if (random_often(random, 15))
		json_object_set_new(wish, "egress", json_boolean(random_often(random, 40)));
	if (json_object_size(wish) > 0)
		json_object_set(spec, "enableDefaultDeny", wish);
	json_decref(wish);
	return spec;
}
