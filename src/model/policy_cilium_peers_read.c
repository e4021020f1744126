/* SPDX-License-Identifier: Apache-2.0 */
/* Reads whom a rule of a Cilium policy is about: fromEndpoints, toCIDRSet, toServices, ... */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/policy_cilium_priv.h"

#define RESERVED "reserved:"
#define CIDR     "cidr:"

/* Entities whose members are none here have no bits. */
static const struct entity {
	const char *name;
	uint32_t entities;
} entities[] = {
	{ "all", WF_ENTITY_ALL },
	{ "world", WF_ENTITY_WORLD },
	{ "world-ipv4", WF_ENTITY_WORLD4 },
	{ "world-ipv6", WF_ENTITY_WORLD6 },
	{ "cluster", WF_ENTITY_CLUSTER },
	{ "cluster-mesh", WF_ENTITY_CLUSTER },
	{ "host", WF_ENTITY_HOST },
	{ "remote-node", WF_ENTITY_REMOTE_NODE },
	{ "ingress", 0 },
	{ "init", 0 },
	{ "health", 0 },
	{ "unmanaged", 0 },
	{ "none", 0 },
};

#define API_SERVER           "kube-apiserver"
#define API_SERVER_SERVICE   "kubernetes"
#define API_SERVER_NAMESPACE "default"

/* Who serves the API of the cluster is known by the service that every cluster has for it. */
static int add_api_server(struct wf_policy_reading *reading, struct wf_policy_rule *rule)
{
	struct wf_peer *peer;
	int r = wf_policy_add_peer(reading, rule, WF_PEER_SERVICE, &peer);

	if (r < 0)
		return r;
	(void)wf_str_copy(peer->service, sizeof(peer->service), API_SERVER_SERVICE);
	return wf_str_copy(peer->service_namespace, sizeof(peer->service_namespace),
			   API_SERVER_NAMESPACE);
}

static int add_entity(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		      const char *name)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_peer *peer;
	int r;

	if (strcmp(name, API_SERVER) == 0)
		return add_api_server(reading, rule);
	for (size_t i = 0; i < WF_ARRAY_LEN(entities); i++) {
		if (strcmp(entities[i].name, name) != 0)
			continue;
		r = wf_policy_add_peer(reading, rule, WF_PEER_ENTITIES, &peer);
		if (r == 0)
			peer->entities = entities[i].entities;
		return r;
	}
	return WF_POLICY_FAIL(reading, "",
			      "\"%s\" is not an entity (such as all, world, cluster, host, "
			      "remote-node)",
			      wf_field_excerpt(name, excerpt));
}

static int read_entity(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	return add_entity(reading, context, json_string_value(item));
}

/* The entity that a selector of nothing but "reserved:ENTITY" means; NULL: it is another one. */
static const char *entity_of(const json_t *item)
{
	json_t *labels = json_object_get(item, "matchLabels");
	const char *key = json_object_iter_key(json_object_iter(labels));

	if (json_object_size(labels) != 1 ||
	    json_array_size(json_object_get(item, "matchExpressions")) ||
	    strncmp(key, RESERVED, strlen(RESERVED)) != 0 || *wf_json_str(labels, key, "x"))
		return NULL;
	return key + strlen(RESERVED);
}

static bool has_reserved_key(const struct wf_selector *selector)
{
	for (size_t i = 0; i < selector->count; i++)
		if (strncmp(selector->items[i].key, RESERVED, strlen(RESERVED)) == 0 ||
		    strncmp(selector->items[i].key, CIDR, strlen(CIDR)) == 0)
			return true;
	return false;
}

static int read_endpoints(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const char *namespace = reading->policy->meta.namespace, *entity = entity_of(item);
	struct wf_policy_rule *rule = context;
	struct wf_peer *peer;
	int r;

	if (entity)
		return add_entity(reading, rule, entity);
	r = wf_policy_add_peer(reading, rule, WF_PEER_ENDPOINTS, &peer);
	if (r == 0)
		r = wf_policy_read_selector_keys(reading, &peer->selector, wf_policy_cilium_key,
						 item);
	if (r < 0)
		return r;
	/* what such labels select besides endpoints would have to be said in another way */
	if (has_reserved_key(&peer->selector))
		return wf_policy_set_unenforced(reading, rule,
						"a label with reserved: or cidr: among others",
						"labels of what is no endpoint");
	if (!*namespace || wf_policy_cilium_names_namespace(&peer->selector))
		return 0;
	return wf_policy_in_namespace(reading, &peer->selector, namespace);
}

static int read_requirement(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	(void)item;
	(void)context;
	return WF_POLICY_FAIL(reading, "",
			      "is of a list that means nothing any more (leave it out)");
}

static int add_cidr(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		    const struct wf_prefix *cidr, struct wf_peer **ret_peer)
{
	int r = wf_policy_add_peer(reading, rule, WF_PEER_CIDR, ret_peer);

	if (r == 0)
		(*ret_peer)->cidr = *cidr;
	return r;
}

/* Here an address without a length will do. */
static int read_cidr(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const char *text = json_string_value(item);
	struct wf_prefix cidr = { .len = 0 };
	struct wf_peer *peer;
	int r;

	if (!strchr(text, '/') && wf_addr_parse(text, &cidr.addr) == 0) {
		cidr.len = wf_addr_bits(&cidr.addr);
		return add_cidr(reading, context, &cidr, &peer);
	}
	r = wf_policy_read_cidr(reading, item, &cidr);
	return r < 0 ? r : add_cidr(reading, context, &cidr, &peer);
}

static int read_group_excepts(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_prefix prefix;

	(void)context;
	return wf_policy_read_cidr(reading, item, &prefix);
}

static int read_cidr_set(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	static const char *const members[] = { "cidr", "cidrGroupRef", "cidrGroupSelector", NULL };
	struct wf_policy_rule *rule = context;
	struct wf_prefix cidr;
	struct wf_peer *peer;
	const char *which;
	size_t parent;
	int r = wf_policy_only_one(reading, item, members, &which);

	if (r < 0)
		return r;
	if (strcmp(which, "cidr") != 0) {
		r = wf_policy_each(reading, item, "except", read_group_excepts, NULL);
		return r < 0 ? r
			     : wf_policy_set_unenforced(reading, rule, which,
							"CiliumCIDRGroup objects");
	}
	parent = wf_field_push_key(&reading->at, "cidr");
	r = wf_policy_read_cidr(reading, json_object_get(item, "cidr"), &cidr);
	if (r == 0)
		r = add_cidr(reading, rule, &cidr, &peer);
	if (r != 0)
		return r;
	wf_field_pop(&reading->at, parent);
	return wf_policy_read_excepts(reading, peer, item, false);
}

static int read_group(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	(void)item;
	return wf_policy_set_unenforced(reading, context, "a group of addresses",
					"to ask a cloud for them");
}

static int read_nodes(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	struct wf_peer *peer;
	int r = wf_policy_add_peer(reading, context, WF_PEER_NODES, &peer);

	return r < 0 ? r
		     : wf_policy_read_selector_keys(reading, &peer->selector,
						    wf_policy_cilium_plain_key, item);
}

/* "" in a policy of a namespace means that one; in one of the cluster, every one. */
static int read_service_namespace(struct wf_policy_reading *reading, struct wf_peer *peer,
				  const json_t *object)
{
	const char *text = wf_json_str(object, "namespace", reading->policy->meta.namespace);
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!*text)
		text = reading->policy->meta.namespace;
	if (*text && !wf_meta_is_label(text))
		return WF_POLICY_FAIL(reading, "namespace", "\"%s\" is not a namespace",
				      wf_field_excerpt(text, excerpt));
	return wf_str_copy(peer->service_namespace, sizeof(peer->service_namespace), text);
}

static int read_service_name(struct wf_policy_reading *reading, struct wf_peer *peer,
			     const json_t *object)
{
	const char *text = wf_json_str(object, "serviceName", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!wf_meta_is_label(text))
		return WF_POLICY_FAIL(reading, "serviceName", "\"%s\" is not a service's name",
				      wf_field_excerpt(text, excerpt));
	return wf_str_copy(peer->service, sizeof(peer->service), text);
}

static int read_service(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	static const char *const members[] = { "k8sService", "k8sServiceSelector", NULL };
	const json_t *object;
	struct wf_peer *peer;
	const char *which;
	int r = wf_policy_only_one(reading, item, members, &which);

	if (r == 0)
		r = wf_policy_add_peer(reading, context, WF_PEER_SERVICE, &peer);
	if (r != 0)
		return r;
	object = json_object_get(item, which);
	(void)wf_field_push_key(&reading->at, which);
	r = read_service_namespace(reading, peer, object);
	if (r < 0)
		return r;
	if (strcmp(which, "k8sService") == 0)
		return read_service_name(reading, peer, object);
	(void)wf_field_push_key(&reading->at, "selector");
	return wf_policy_read_selector_keys(reading, &peer->selector, wf_policy_cilium_plain_key,
					    json_object_get(object, "selector"));
}

static int read_fqdn(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	int r = wf_policy_cilium_read_name(reading, item, context);

	return r < 0 ? r : wf_policy_set_unenforced(reading, context, "toFQDNs", "DNS");
}

/* The lists; "from" or "to" in front. Without is_l3 they do not say whom the rule is about. */
static const struct member {
	const char *suffix;
	bool is_l3;
	wf_policy_item_fn *read;
} members[] = {
	{ "Endpoints", true, read_endpoints }, { "Requires", false, read_requirement },
	{ "CIDR", true, read_cidr },           { "CIDRSet", true, read_cidr_set },
	{ "Entities", true, read_entity },     { "Groups", true, read_group },
	{ "Nodes", true, read_nodes },         { "Services", true, read_service },
	{ "FQDNs", true, read_fqdn },
};

int wf_policy_cilium_read_peers(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
				const json_t *item, bool *ret_named)
{
	const char *way = rule->dir == WF_POLICY_INGRESS ? "from" : "to", *first = NULL;
	bool named = false;

	for (size_t i = 0; i < WF_ARRAY_LEN(members); i++) {
		char key[24];
		int r;

		(void)snprintf(key, sizeof(key), "%s%s", way, members[i].suffix);
		named |= members[i].is_l3 && wf_policy_has(item, key);
		if (!json_array_size(json_object_get(item, key)))
			continue;
		if (first)
			return WF_POLICY_FAIL(reading, key,
					      "cannot be combined with %s%s (write two rules)", way,
					      first);
		first = members[i].suffix;
		r = wf_policy_each(reading, item, key, members[i].read, rule);
		if (r < 0)
			return r;
	}
	*ret_named = named;
	return 0;
}
