/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the policies of a cluster's administrator: ClusterNetworkPolicy (v1alpha2), and what it
 * was before, AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1).
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/policy_priv.h"
#include "model/protocol.h"

/* The one BaselineAdminNetworkPolicy comes after all that have a priority (0 to 1000). */
#define PRIORITY_LAST 1001
#define BASELINE_NAME "default"

static const struct direction {
	enum wf_policy_dir dir;
	const char *rules;
	const char *peers;
} directions[WF_POLICY_DIR_COUNT] = {
	[WF_POLICY_INGRESS] = { WF_POLICY_INGRESS, "ingress", "from" },
	[WF_POLICY_EGRESS] = { WF_POLICY_EGRESS, "egress", "to" },
};

static const char *const subjects[] = { "namespaces", "pods", NULL };
static const char *const ingress_peers[] = { "namespaces", "pods", NULL };
static const char *const egress_peers[] = { "namespaces", "pods",        "nodes",
					    "networks",   "domainNames", NULL };
static const char *const ports[] = { "portNumber", "portRange", "namedPort", NULL };
static const char *const protocols[] = { "tcp", "udp", "sctp", "destinationNamedPort", NULL };
static const char *const destinations[] = { "number", "range", NULL };

static int read_tier(struct wf_policy_reading *reading, const json_t *spec)
{
	struct wf_policy *policy = reading->policy;
	bool one = strcmp(policy->kind, WF_KIND_BASELINE_POLICY) == 0;

	if (one && strcmp(policy->meta.name, BASELINE_NAME) != 0)
		return wf_field_fail(reading->err, "metadata.name",
				     "must be \"" BASELINE_NAME "\": there is only one "
				     "BaselineAdminNetworkPolicy");
	policy->priority = one ? PRIORITY_LAST : (uint32_t)wf_json_int(spec, "priority", 0);
	policy->tier = one || strcmp(wf_json_str(spec, "tier", ""), "Baseline") == 0
			       ? WF_TIER_BASELINE
			       : WF_TIER_ADMIN;
	return 0;
}

/* {namespaces} or {pods: {namespaceSelector, podSelector}}; which says which one it is. */
static int read_endpoints(struct wf_policy_reading *reading, struct wf_selector *selector,
			  const json_t *object, const char *which)
{
	const json_t *pods = json_object_get(object, "pods");
	size_t parent;
	int r;

	if (strcmp(which, "namespaces") == 0)
		return wf_policy_read_selector(reading, selector, true, object, "namespaces");
	parent = wf_field_push_key(&reading->at, "pods");
	r = wf_policy_read_selector(reading, selector, true, pods, "namespaceSelector");
	if (r == 0)
		r = wf_policy_read_selector(reading, selector, false, pods, "podSelector");
	wf_field_pop(&reading->at, parent);
	return r;
}

static int read_subject(struct wf_policy_reading *reading, const json_t *spec)
{
	const json_t *subject = json_object_get(spec, "subject");
	size_t parent = wf_field_push_key(&reading->at, "subject");
	const char *which;
	int r = wf_policy_only_one(reading, subject, subjects, &which);

	if (r == 0)
		r = read_endpoints(reading, &reading->section->subject, subject, which);
	if (r == 0)
		wf_field_pop(&reading->at, parent);
	return r;
}

static int read_network(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_prefix cidr;
	struct wf_peer *peer;
	int r = wf_policy_read_cidr(reading, item, &cidr);

	if (r == 0)
		r = wf_policy_add_peer(reading, context, WF_PEER_CIDR, &peer);
	if (r != 0)
		return r;
	peer->cidr = cidr;
	peer->holds_endpoints = true;
	return 0;
}

static int read_domain(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const char *text = json_string_value(item);
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	(void)context;
	if (!wf_policy_is_domain(text, true))
		return WF_POLICY_FAIL(reading, "",
				      "\"%s\" is not a domain (such as www.example.org or "
				      "*.example.org)",
				      wf_field_excerpt(text, excerpt));
	return 0;
}

static int read_domains(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			const json_t *item)
{
	int r;

	if (rule->action != WF_RULE_ALLOW)
		return WF_POLICY_FAIL(reading, "domainNames", "is for rules that %s only",
				      strcmp(reading->policy->kind, WF_KIND_CLUSTER_POLICY) == 0
					      ? "Accept"
					      : "Allow");
	r = wf_policy_each(reading, item, "domainNames", read_domain, NULL);
	return r < 0 ? r : wf_policy_set_unenforced(reading, rule, "domainNames", "DNS");
}

static int read_peer(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_policy_rule *rule = context;
	struct wf_peer *peer;
	const char *which;
	int r = wf_policy_only_one(reading, item,
				   rule->dir == WF_POLICY_INGRESS ? ingress_peers : egress_peers,
				   &which);

	if (r < 0)
		return r;
	if (strcmp(which, "networks") == 0)
		return wf_policy_each(reading, item, "networks", read_network, rule);
	if (strcmp(which, "domainNames") == 0)
		return read_domains(reading, rule, item);
	if (strcmp(which, "nodes") == 0) {
		r = wf_policy_add_peer(reading, rule, WF_PEER_NODES, &peer);
		return r < 0 ? r
			     : wf_policy_read_selector(reading, &peer->selector, false, item,
						       "nodes");
	}
	r = wf_policy_add_peer(reading, rule, WF_PEER_ENDPOINTS, &peer);
	return r < 0 ? r : read_endpoints(reading, &peer->selector, item, which);
}

/* Its ends; equal: a range of one port is fine. Newer kinds want more than one. */
static int read_range(struct wf_policy_reading *reading, struct wf_policy_port *port,
		      const json_t *range, bool equal)
{
	port->first = (uint16_t)wf_json_int(range, "start", 0);
	port->last = (uint16_t)wf_json_int(range, "end", 0);
	if (port->last < port->first || (!equal && port->last == port->first))
		return WF_POLICY_FAIL(reading, "end", "%u is not above start (%u)", port->last,
				      port->first);
	return 0;
}

static int read_named(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		      const json_t *item, const char *key)
{
	struct wf_policy_port port = { .last = UINT16_MAX };
	int r = wf_policy_read_port_name(reading, key, wf_json_str(item, key, ""), &port);

	return r < 0 ? r : wf_policy_add_ports_of_any(reading, rule, &port);
}

/* An entry of ports (v1alpha1). */
static int read_port(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_policy_port port = { .first = 0 };
	const json_t *member;
	const char *which;
	size_t parent;
	int r = wf_policy_only_one(reading, item, ports, &which);

	if (r < 0)
		return r;
	if (strcmp(which, "namedPort") == 0)
		return read_named(reading, context, item, which);
	member = json_object_get(item, which);
	parent = wf_field_push_key(&reading->at, which);
	port.proto = wf_protocol_from_name(wf_json_str(member, "protocol", "TCP"));
	port.first = port.last = (uint16_t)wf_json_int(member, "port", 0);
	if (strcmp(which, "portRange") == 0)
		r = read_range(reading, &port, member, true);
	if (r < 0)
		return r;
	wf_field_pop(&reading->at, parent);
	return wf_policy_add_port(reading, context, &port);
}

static int read_destination(struct wf_policy_reading *reading, struct wf_policy_port *port,
			    const json_t *destination)
{
	const char *which;
	int r = wf_policy_only_one(reading, destination, destinations, &which);

	if (r < 0)
		return r;
	port->first = port->last = (uint16_t)wf_json_int(destination, "number", 0);
	if (strcmp(which, "number") == 0)
		return 0;
	(void)wf_field_push_key(&reading->at, "range");
	return read_range(reading, port, json_object_get(destination, "range"), false);
}

/* An entry of protocols (v1alpha2). */
static int read_protocol(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_policy_port port = { .first = 0 };
	size_t parent = reading->at.len;
	const char *which;
	int r = wf_policy_only_one(reading, item, protocols, &which);

	if (r < 0)
		return r;
	if (strcmp(which, "destinationNamedPort") == 0)
		return read_named(reading, context, item, which);
	(void)wf_field_push_key(&reading->at, which);
	(void)wf_field_push_key(&reading->at, "destinationPort");
	port.proto = wf_protocol_from_name(which);
	r = read_destination(reading, &port,
			     json_object_get(json_object_get(item, which), "destinationPort"));
	if (r < 0)
		return r;
	wf_field_pop(&reading->at, parent);
	return wf_policy_add_port(reading, context, &port);
}

/* Only endpoints have names for their ports. */
static int check_named(struct wf_policy_reading *reading, const struct wf_policy_rule *rule)
{
	bool named = false, nameless = rule->unenforced != NULL;

	for (size_t i = 0; i < rule->port_count; i++)
		named |= *rule->ports[i].name != '\0';
	for (size_t i = 0; i < rule->peer_count; i++)
		nameless |= rule->peers[i].type != WF_PEER_ENDPOINTS;
	if (named && nameless)
		return WF_POLICY_FAIL(reading, "",
				      "has a named port, but nodes, networks and domainNames have "
				      "no names for ports (write two rules)");
	return 0;
}

static enum wf_rule_action action_of(const json_t *item)
{
	const char *text = wf_json_str(item, "action", "");

	if (strcmp(text, "Deny") == 0)
		return WF_RULE_DENY;
	return strcmp(text, "Pass") == 0 ? WF_RULE_PASS : WF_RULE_ALLOW;
}

static int read_rule(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const struct direction *direction = context;
	bool newer = strcmp(reading->policy->kind, WF_KIND_CLUSTER_POLICY) == 0;
	const char *name = wf_json_str(item, "name", ""), *list = newer ? "protocols" : "ports";
	struct wf_policy_rule *rule;
	int r = wf_policy_add_rule(reading, direction->dir, action_of(item), &rule);

	if (r < 0)
		return r;
	rule->any_port = json_array_size(json_object_get(item, list)) == 0;
	if (*name) {
		rule->name = strdup(name);
		if (!rule->name)
			return wf_policy_no_memory(reading);
	}
	r = wf_policy_each(reading, item, direction->peers, read_peer, rule);
	if (r == 0)
		r = wf_policy_each(reading, item, list, newer ? read_protocol : read_port, rule);
	if (r == 0)
		r = check_named(reading, rule);
	/* after the last tier nothing denies: whom it passes on is allowed */
	if (r == 0 && rule->action == WF_RULE_PASS && reading->policy->tier == WF_TIER_BASELINE)
		rule->action = WF_RULE_ALLOW;
	return r;
}

int wf_policy_read_cluster(struct wf_policy_reading *reading, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	int r = read_tier(reading, spec);

	if (r == 0)
		r = wf_policy_add_section(reading);
	if (r < 0)
		return r;
	(void)wf_field_push_key(&reading->at, "spec");
	r = read_subject(reading, spec);
	for (size_t dir = 0; r == 0 && dir < WF_POLICY_DIR_COUNT; dir++)
		r = wf_policy_each(reading, spec, directions[dir].rules, read_rule,
				   (void *)&directions[dir]);
	return r;
}
