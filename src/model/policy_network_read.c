/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a NetworkPolicy of Kubernetes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/policy_priv.h"
#include "model/protocol.h"

/* The names of the two directions in a document. */
static const struct direction {
	enum wf_policy_dir dir;
	const char *type;
	const char *rules;
	const char *peers;
} directions[WF_POLICY_DIR_COUNT] = {
	[WF_POLICY_INGRESS] = { WF_POLICY_INGRESS, "Ingress", "ingress", "from" },
	[WF_POLICY_EGRESS] = { WF_POLICY_EGRESS, "Egress", "egress", "to" },
};

/* Without types: ingress always, and egress if there are rules for it. */
static void read_types(struct wf_policy_section *section, const json_t *spec)
{
	const json_t *types = json_object_get(spec, "policyTypes");
	json_t *item;
	size_t i;

	if (!json_array_size(types)) {
		section->isolates[WF_POLICY_INGRESS] = true;
		section->isolates[WF_POLICY_EGRESS] =
			json_array_size(json_object_get(spec, "egress")) > 0;
		return;
	}
	json_array_foreach(types, i, item)
		for (size_t dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
			if (strcmp(json_string_value(item), directions[dir].type) == 0)
				section->isolates[dir] = true;
}

static int read_block(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		      const json_t *block)
{
	size_t parent = wf_field_push_key(&reading->at, "cidr");
	struct wf_prefix cidr;
	struct wf_peer *peer;
	int r = wf_policy_read_cidr(reading, json_object_get(block, "cidr"), &cidr);

	if (r == 0)
		r = wf_policy_add_peer(reading, rule, WF_PEER_CIDR, &peer);
	if (r != 0)
		return r;
	wf_field_pop(&reading->at, parent);
	peer->cidr = cidr;
	peer->holds_endpoints = true;
	return wf_policy_read_excepts(reading, peer, block, true);
}

static int read_pods(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		     const json_t *item)
{
	struct wf_peer *peer;
	int r = wf_policy_add_peer(reading, rule, WF_PEER_ENDPOINTS, &peer);

	if (r == 0)
		r = wf_policy_read_selector(reading, &peer->selector, false, item, "podSelector");
	if (r == 0 && wf_policy_has(item, "namespaceSelector"))
		r = wf_policy_read_selector(reading, &peer->selector, true, item,
					    "namespaceSelector");
	else if (r == 0)
		r = wf_policy_in_namespace(reading, &peer->selector,
					   reading->policy->meta.namespace);
	return r;
}

static int read_peer(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	bool pods = wf_policy_has(item, "podSelector") || wf_policy_has(item, "namespaceSelector");
	bool block = wf_policy_has(item, "ipBlock");
	size_t parent;
	int r;

	if (!pods && !block)
		return WF_POLICY_FAIL(reading, "",
				      "is empty (want podSelector, namespaceSelector or ipBlock)");
	if (pods && block)
		return WF_POLICY_FAIL(reading, "ipBlock",
				      "cannot be combined with podSelector or namespaceSelector "
				      "(write two entries)");
	if (pods)
		return read_pods(reading, context, item);
	parent = wf_field_push_key(&reading->at, "ipBlock");
	r = read_block(reading, context, json_object_get(item, "ipBlock"));
	if (r == 0)
		wf_field_pop(&reading->at, parent);
	return r;
}

static int read_number(struct wf_policy_reading *reading, const json_t *item,
		       struct wf_policy_port *port)
{
	int64_t number = wf_json_int(item, "port", 0);

	if (number < 1 || number > UINT16_MAX)
		return WF_POLICY_FAIL(reading, "port", "%" PRId64 " is not between 1 and %d",
				      number, UINT16_MAX);
	port->first = port->last = (uint16_t)number;
	if (!wf_policy_has(item, "endPort"))
		return 0;
	/* the schema has checked its range */
	port->last = (uint16_t)wf_json_int(item, "endPort", 0);
	if (port->last < port->first)
		return WF_POLICY_FAIL(reading, "endPort", "%u is below port %u", port->last,
				      port->first);
	return 0;
}

static int read_port(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const json_t *member = json_object_get(item, "port");
	struct wf_policy_port port = {
		.proto = wf_protocol_from_name(wf_json_str(item, "protocol", "TCP")),
		.last = UINT16_MAX,
	};
	int r = 0;

	if (wf_policy_has(item, "endPort") && !json_is_integer(member))
		return WF_POLICY_FAIL(reading, "endPort",
				      "is the end of a range that wants a number as port");
	if (json_is_string(member))
		r = wf_policy_read_port_name(reading, "port", json_string_value(member), &port);
	else if (json_is_integer(member))
		r = read_number(reading, item, &port);
	return r < 0 ? r : wf_policy_add_port(reading, context, &port);
}

static int read_rule(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const struct direction *direction = context;
	struct wf_policy_rule *rule;
	int r = wf_policy_add_rule(reading, direction->dir, WF_RULE_ALLOW, &rule);

	if (r < 0)
		return r;
	rule->any_peer = json_array_size(json_object_get(item, direction->peers)) == 0;
	rule->any_port = json_array_size(json_object_get(item, "ports")) == 0;
	r = wf_policy_each(reading, item, direction->peers, read_peer, rule);
	if (r == 0)
		r = wf_policy_each(reading, item, "ports", read_port, rule);
	/* rules of a direction that policyTypes leaves out must be right, and mean nothing */
	if (r == 0 && !reading->section->isolates[direction->dir])
		wf_policy_drop_last_rule(reading);
	return r;
}

int wf_policy_read_network(struct wf_policy_reading *reading, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	int r = wf_policy_add_section(reading);

	if (r < 0)
		return r;
	(void)wf_field_push_key(&reading->at, "spec");
	reading->section->spares_host[WF_POLICY_INGRESS] = true;
	reading->section->spares_host[WF_POLICY_EGRESS] = true;
	read_types(reading->section, spec);
	r = wf_policy_read_selector(reading, &reading->section->subject, false, spec,
				    "podSelector");
	if (r == 0)
		r = wf_policy_in_namespace(reading, &reading->section->subject,
					   reading->policy->meta.namespace);
	for (size_t dir = 0; r == 0 && dir < WF_POLICY_DIR_COUNT; dir++)
		r = wf_policy_each(reading, spec, directions[dir].rules, read_rule,
				   (void *)&directions[dir]);
	return r;
}
