/* SPDX-License-Identifier: Apache-2.0 */
/* NetworkPolicy, read by the oracle. */
#include <string.h>

#include "oracle.h"

static bool has_type(const json_t *types, const char *type)
{
	for (size_t i = 0; i < json_array_size(types); i++)
		if (strcmp(json_string_value(json_array_get(types, i)), type) == 0)
			return true;
	return false;
}

/* Without policyTypes: ingress always, egress when there is a rule. */
static bool is_about(const json_t *spec, enum oracle_dir dir)
{
	const json_t *types = json_object_get(spec, "policyTypes");

	if (json_array_size(types) > 0)
		return has_type(types, dir == ORACLE_INGRESS ? "Ingress" : "Egress");
	return dir == ORACLE_INGRESS || json_array_size(json_object_get(spec, "egress")) > 0;
}

static bool is_peer(const struct oracle_pair *pair, const json_t *document, const json_t *peer)
{
	const json_t *block = oracle_get(peer, "ipBlock");
	const json_t *namespaces = oracle_get(peer, "namespaceSelector");

	if (block)
		return oracle_in_block(pair->peer, block);
	if (!pair->peer->endpoint)
		return false;
	if (namespaces) {
		if (!oracle_selects(namespaces, oracle_namespace_label, pair->peer))
			return false;
	} else if (strcmp(oracle_namespace(pair->peer), oracle_document_namespace(document)) != 0) {
		return false;
	}
	return oracle_selects(oracle_get(peer, "podSelector"), oracle_pod_label, pair->peer);
}

static bool is_among(const struct oracle_pair *pair, const json_t *document, const json_t *peers)
{
	for (size_t i = 0; i < json_array_size(peers); i++)
		if (is_peer(pair, document, json_array_get(peers, i)))
			return true;
	return json_array_size(peers) == 0;
}

static bool is_port(const struct oracle_pair *pair, const json_t *item, int proto, int port)
{
	const char *name = oracle_text(item, "protocol");
	const json_t *wanted = oracle_get(item, "port");
	const json_t *end = oracle_get(item, "endPort");

	if (oracle_proto(*name ? name : "TCP") != proto)
		return false;
	if (!wanted)
		return true;
	if (json_is_string(wanted))
		return oracle_port_named(pair, json_string_value(wanted), proto, port);
	if (end)
		return port >= json_integer_value(wanted) && port <= json_integer_value(end);
	return port == json_integer_value(wanted);
}

static bool holds_port(const struct oracle_pair *pair, const json_t *rule, int proto, int port)
{
	const json_t *ports = oracle_get(rule, "ports");

	for (size_t i = 0; i < json_array_size(ports); i++)
		if (is_port(pair, json_array_get(ports, i), proto, port))
			return true;
	return json_array_size(ports) == 0;
}

void oracle_network(struct oracle_pair *pair, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	bool ingress = pair->dir == ORACLE_INGRESS;
	const json_t *rules = oracle_get(spec, ingress ? "ingress" : "egress");

	if (!pair->subject->endpoint ||
	    strcmp(oracle_namespace(pair->subject), oracle_document_namespace(document)) != 0 ||
	    !oracle_selects(oracle_get(spec, "podSelector"), oracle_pod_label, pair->subject) ||
	    !is_about(spec, pair->dir))
		return;
	oracle_say(pair, document,
		   (struct oracle_voice){
			   .tier = ORACLE_NETWORK,
			   .says = ORACLE_SAYS_ISOLATED,
			   .spares_host = true,
		   });
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);

		if (is_among(pair, document, oracle_get(rule, ingress ? "from" : "to")))
			oracle_say(pair, document,
				   (struct oracle_voice){
					   .tier = ORACLE_NETWORK,
					   .says = ORACLE_SAYS_ALLOW,
					   .rule = rule,
					   .ports = holds_port,
				   });
	}
}
