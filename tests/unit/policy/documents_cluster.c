/* SPDX-License-Identifier: Apache-2.0 */
/* Random ClusterNetworkPolicy, AdminNetworkPolicy and BaselineAdminNetworkPolicy. */
#include "documents.h"

#include <string.h>

static json_t *random_workload(struct random *random)
{
	if (random_often(random, 50))
		return json_pack("{s:o}", "namespaces", documents_selector(random, true));
	return json_pack("{s:{s:o, s:o}}", "pods", "namespaceSelector",
			 documents_selector(random, true), "podSelector",
			 documents_selector(random, false));
}

static json_t *random_networks(struct random *random, const json_t *world)
{
	json_t *list = json_array();
	char text[64];

	do
		json_array_append_new(list, json_string(documents_cidr(random, world, text)));
	while (random_often(random, 50) && json_array_size(list) < 20);
	return json_pack("{s:o}", "networks", list);
}

/* *has_names: a name of a port would have no meaning beside this peer. */
static json_t *random_peer(struct random *random, const json_t *world, bool is_egress,
			   bool *has_names)
{
	uint32_t form = is_egress ? random_below(random, 5) : 9;

	if (form == 0 || form == 1) {
		*has_names = false;
		return random_networks(random, world);
	}
	if (form == 2) {
		*has_names = false;
		return json_pack("{s:o}", "nodes", documents_selector(random, false));
	}
	return random_workload(random);
}

static json_t *section_of(const char *key, json_t *value)
{
	return json_pack("{s:{s:o}}", key, "destinationPort", value);
}

static json_t *random_protocol(struct random *random, bool has_names)
{
	const char *name = documents_protocol(random);
	const char *key = strcmp(name, "TCP") == 0   ? "tcp"
			  : strcmp(name, "UDP") == 0 ? "udp"
						     : "sctp";
	int first = documents_number(random), last = documents_number_above(random, first);

	if (has_names && random_often(random, 30))
		return json_pack("{s:s}", "destinationNamedPort", documents_port_name(random));
	if (first == last || random_often(random, 40)) /* a range of one is refused */
		return section_of(key, json_pack("{s:i}", "number", first));
	return section_of(key, json_pack("{s:{s:i, s:i}}", "range", "start", first, "end", last));
}

static json_t *random_admin_port(struct random *random, bool has_names)
{
	int first = documents_number(random);

	if (has_names && random_often(random, 30))
		return json_pack("{s:s}", "namedPort", documents_port_name(random));
	if (random_often(random, 50))
		return json_pack("{s:{s:s, s:i}}", "portNumber", "protocol",
				 documents_protocol(random), "port", first);
	return json_pack("{s:{s:s, s:i, s:i}}", "portRange", "protocol", documents_protocol(random),
			 "start", first, "end", documents_number_above(random, first));
}

/* How the two versions of the API differ. */
struct dialect {
	const char *accept, *ports_key;
	bool has_pass, is_old;
};

static json_t *random_rule(struct random *random, const json_t *world,
			   const struct dialect *dialect, bool is_egress)
{
	json_t *rule = json_object(), *peers = json_array(), *ports = json_array();
	uint32_t dice = random_below(random, dialect->has_pass ? 10 : 8);
	const char *action = dice < 4 ? dialect->accept : dice < 8 ? "Deny" : "Pass";
	bool has_names = true;

	do
		json_array_append_new(peers, random_peer(random, world, is_egress, &has_names));
	while (random_often(random, 40) && json_array_size(peers) < 10);
	if (is_egress && strcmp(action, dialect->accept) == 0 && random_often(random, 8)) {
		json_array_append_new(peers, json_pack("{s:[s]}", "domainNames", "*.example.org"));
		has_names = false;
	}
	json_object_set_new(rule, "action", json_string(action));
	json_object_set_new(rule, is_egress ? "to" : "from", peers);
	while (random_often(random, 45) && json_array_size(ports) < 10)
		json_array_append_new(ports, dialect->is_old ? random_admin_port(random, has_names)
							     : random_protocol(random, has_names));
	if (json_array_size(ports) > 0)
		json_object_set(rule, dialect->ports_key, ports);
	json_decref(ports);
	return rule;
}

static void add_rules(struct random *random, const json_t *world, const struct dialect *dialect,
		      json_t *spec)
{
	static const char *const lists[] = { "ingress", "egress" };

	json_object_set_new(spec, "subject", random_workload(random));
	for (int i = 0; i < 2; i++) {
		json_t *rules = json_array();

		while (random_often(random, 60) && json_array_size(rules) < 10)
			json_array_append_new(rules, random_rule(random, world, dialect, i == 1));
		if (json_array_size(rules) > 0)
			json_object_set(spec, lists[i], rules);
		json_decref(rules);
	}
}

/* Few of them, so that names have to decide as well. */
static int random_priority(struct random *random)
{
	static const int priorities[] = { 0, 1, 10, 10, 10, 999, 1000 };

	return RANDOM_OF(random, priorities);
}

json_t *documents_cluster(struct random *random, const json_t *world)
{
	bool is_baseline = random_often(random, 40);
	const struct dialect dialect = { "Accept", "protocols", !is_baseline, false };
	json_t *spec = json_pack("{s:s, s:i}", "tier", is_baseline ? "Baseline" : "Admin",
				 "priority", random_priority(random));

	add_rules(random, world, &dialect, spec);
	return spec;
}

json_t *documents_admin(struct random *random, const json_t *world, bool is_baseline)
{
	const struct dialect dialect = { "Allow", "ports", !is_baseline, true };
	json_t *spec = json_object();

	if (!is_baseline)
		json_object_set_new(spec, "priority", json_integer(random_priority(random)));
	add_rules(random, world, &dialect, spec);
	return spec;
}
