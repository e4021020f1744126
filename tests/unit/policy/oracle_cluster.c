/* SPDX-License-Identifier: Apache-2.0 */
/* ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy, read by the oracle. */
#include <string.h>

#include "oracle.h"

static bool is_any_proto(int proto)
{
	return proto == 6 || proto == 17 || proto == 132;
}

/* {namespaces} or {pods: {namespaceSelector, podSelector}}; neither: false. */
static bool is_workload(const struct oracle_party *party, const json_t *object)
{
	const json_t *namespaces = oracle_get(object, "namespaces");
	const json_t *pods = oracle_get(object, "pods");

	if (!party->endpoint)
		return false;
	if (namespaces)
		return oracle_selects(namespaces, oracle_namespace_label, party);
	return pods &&
	       oracle_selects(oracle_get(pods, "namespaceSelector"), oracle_namespace_label,
			      party) &&
	       oracle_selects(oracle_get(pods, "podSelector"), oracle_pod_label, party);
}

static bool is_peer(const struct oracle_party *party, const json_t *peer)
{
	const json_t *nodes = oracle_get(peer, "nodes");
	const json_t *networks = oracle_get(peer, "networks");

	if (nodes)
		return party->node && oracle_selects(nodes, oracle_node_label, party);
	for (size_t i = 0; i < json_array_size(networks); i++)
		if (oracle_in_cidr(party, json_string_value(json_array_get(networks, i))))
			return true;
	return is_workload(party, peer);
}

/* A peer that nobody here can tell: names of domains, and kinds that are not known. */
static bool is_beyond_us(const json_t *peers)
{
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);

		if (!oracle_get(peer, "namespaces") && !oracle_get(peer, "pods") &&
		    !oracle_get(peer, "nodes") && !oracle_get(peer, "networks"))
			return true;
	}
	return false;
}

static bool is_within(const json_t *range, const char *first, const char *last, int port)
{
	return port >= json_integer_value(json_object_get(range, first)) &&
	       port <= json_integer_value(json_object_get(range, last));
}

/* One of {portNumber{protocol, port}}, {portRange{protocol, start, end}}, {namedPort}. */
static bool is_admin_port(const struct oracle_pair *pair, const json_t *item, int proto, int port)
{
	const json_t *number = oracle_get(item, "portNumber");
	const json_t *range = oracle_get(item, "portRange");
	const json_t *named = oracle_get(item, "namedPort");
	const char *name = oracle_text(number ? number : range, "protocol");

	if (named)
		return is_any_proto(proto) &&
		       oracle_port_named(pair, json_string_value(named), proto, port);
	if (oracle_proto(*name ? name : "TCP") != proto)
		return false;
	return number ? is_within(number, "port", "port", port)
		      : is_within(range, "start", "end", port);
}

/* One of {tcp|udp|sctp: {destinationPort: {number | range{start, end}}}}, {destinationNamedPort}. */
static bool is_cluster_port(const struct oracle_pair *pair, const json_t *item, int proto, int port)
{
	const json_t *named = oracle_get(item, "destinationNamedPort");
	const char *key = proto == 6 ? "tcp" : proto == 17 ? "udp" : proto == 132 ? "sctp" : "";
	const json_t *section = oracle_get(item, key), *wanted, *range;

	if (named)
		return is_any_proto(proto) &&
		       oracle_port_named(pair, json_string_value(named), proto, port);
	if (!section)
		return false;
	wanted = oracle_get(section, "destinationPort");
	range = oracle_get(wanted, "range");
	if (!wanted)
		return true;
	return range ? is_within(range, "start", "end", port)
		     : is_within(wanted, "number", "number", port);
}

static bool holds_port(const struct oracle_pair *pair, const json_t *rule, int proto, int port)
{
	const json_t *ports = oracle_get(rule, "ports");
	const json_t *protocols = oracle_get(rule, "protocols");

	for (size_t i = 0; i < json_array_size(ports); i++)
		if (is_admin_port(pair, json_array_get(ports, i), proto, port))
			return true;
	for (size_t i = 0; i < json_array_size(protocols); i++)
		if (is_cluster_port(pair, json_array_get(protocols, i), proto, port))
			return true;
	return !ports && !protocols;
}

static enum oracle_says action_of(const json_t *rule)
{
	const char *action = oracle_text(rule, "action");

	if (strcmp(action, "Deny") == 0)
		return ORACLE_SAYS_DENY;
	return strcmp(action, "Pass") == 0 ? ORACLE_SAYS_PASS : ORACLE_SAYS_ALLOW;
}

void oracle_cluster(struct oracle_pair *pair, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	bool ingress = pair->dir == ORACLE_INGRESS;
	const json_t *rules = oracle_get(spec, ingress ? "ingress" : "egress");
	bool last = strcmp(oracle_text(document, "kind"), "BaselineAdminNetworkPolicy") == 0;
	bool baseline = last || strcmp(oracle_text(spec, "tier"), "Baseline") == 0;
	struct oracle_voice voice = {
		.tier = baseline ? ORACLE_BASELINE : ORACLE_ADMIN,
		/* the one that has no priority comes after all that have one */
		.priority = last ? 1001 : json_integer_value(json_object_get(spec, "priority")),
	};

	if (!is_workload(pair->subject, oracle_get(spec, "subject")))
		return;
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *peers = oracle_get(json_array_get(rules, i), ingress ? "from" : "to");
		bool beyond = is_beyond_us(peers), among = false;

		voice.order = i;
		voice.rule = json_array_get(rules, i);
		voice.says = action_of(voice.rule);
		voice.ports = holds_port;
		for (size_t k = 0; k < json_array_size(peers); k++)
			among |= is_peer(pair->peer, json_array_get(peers, k));
		if (beyond && voice.says != ORACLE_SAYS_ALLOW) {
			voice.says = ORACLE_SAYS_DENY;
			voice.ports = NULL;
			among = true;
		} else if (beyond) {
			continue;
		}
		if (among)
			oracle_say(pair, document, voice);
	}
}
