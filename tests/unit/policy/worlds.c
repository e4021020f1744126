/* SPDX-License-Identifier: Apache-2.0 */
#include "worlds.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

const char *const worlds_outside[] = {
	"192.0.2.1",       "192.0.2.129",  "192.0.3.1",    "198.51.100.9",
	"203.0.113.5",     "10.1.200.200", "10.200.0.1",   "8.8.8.8",
	"255.255.255.254", "2001:db8::1",  "2001:db8::ff", "2001:db8:1::1",
	"fd00:1::9:9",     "fd99::1",      "::1:0:0:1",    NULL,
};

static const char *const namespaces[] = { "alpha", "beta", "gamma", "delta", "untold" };
static const char *const apps[] = { "web", "db", "cache" };
static const char *const tiers[] = { "front", "back" };
static const char *const envs[] = { "prod", "dev" };
static const char *const teams[] = { "red", "blue" };

const char *worlds_namespace_name(struct random *random)
{
	return RANDOM_OF(random, namespaces);
}

json_t *worlds_labels(struct random *random)
{
	json_t *labels = json_object();

	if (random_often(random, 85))
		json_object_set_new(labels, "app", json_string(RANDOM_OF(random, apps)));
	if (random_often(random, 60))
		json_object_set_new(labels, "tier", json_string(RANDOM_OF(random, tiers)));
	if (random_often(random, 40))
		json_object_set_new(labels, "env", json_string(RANDOM_OF(random, envs)));
	if (random_often(random, 5)) /* pretends to be of a namespace */
		json_object_set_new(labels, "kubernetes.io/metadata.name",
				    json_string(worlds_namespace_name(random)));
	if (random_often(random, 5))
		json_object_set_new(labels, "io.cilium.k8s.namespace.labels.team",
				    json_string(RANDOM_OF(random, teams)));
	return labels;
}

json_t *worlds_namespace(struct random *random)
{
	json_t *labels = json_object();

	if (random_often(random, 80))
		json_object_set_new(labels, "team", json_string(RANDOM_OF(random, teams)));
	if (random_often(random, 50))
		json_object_set_new(labels, "env", json_string(RANDOM_OF(random, envs)));
	if (random_often(random, 5))
		json_object_set_new(labels, "kubernetes.io/metadata.name",
				    json_string(worlds_namespace_name(random)));
	return json_pack("{s:o, s:b}", "labels", labels, "audit", random_often(random, 5));
}

static void add_port(json_t *ports, const char *name, const char *protocol, int port)
{
	json_array_append_new(ports, json_pack("{s:s, s:s, s:i}", "name", name, "protocol",
					       protocol, "port", port));
}

static json_t *random_ports(struct random *random)
{
	static const int webs[] = { 80, 81, 8080 }, dns[] = { 53, 5353 };
	json_t *ports = json_array();

	if (random_often(random, 60))
		add_port(ports, "web", "TCP", RANDOM_OF(random, webs));
	if (random_often(random, 30))
		add_port(ports, "web", "UDP", RANDOM_OF(random, webs));
	if (random_often(random, 30))
		add_port(ports, "dns", "UDP", RANDOM_OF(random, dns));
	if (random_often(random, 20))
		add_port(ports, "dns", "TCP", RANDOM_OF(random, dns));
	if (random_often(random, 15))
		add_port(ports, "signal", "SCTP", 3868);
	return ports;
}

__attribute__((format(printf, 2, 3))) static void add_address(json_t *addresses, const char *format,
							      ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(addresses, json_string(text));
}

int worlds_remotes;

json_t *worlds_endpoint(struct random *random, int slot)
{
	json_t *addresses = json_array();
	char name[16];
	uint32_t form = random_below(random, 10);

	snprintf(name, sizeof(name), "e%d", slot);
	if (form != 0)
		add_address(addresses, "10.1.%d.%d", slot % 4, slot);
	if (form != 1)
		add_address(addresses, "fd00:1::%x:%x", (unsigned)slot % 4 + 1, (unsigned)slot);
	if (form == 2) /* more addresses, elsewhere: blocks may hold the one and not the other */
		add_address(addresses, "10.1.%d.%d", 128 + slot % 4, slot);
	if (form == 3)
		add_address(addresses, "fd00:2::%x:%x", (unsigned)slot % 4 + 1, (unsigned)slot);
	return json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:b, s:b}", "slot", slot, "namespace",
			 worlds_namespace_name(random), "name", name, "labels",
			 worlds_labels(random), "addresses", addresses, "ports",
			 random_ports(random), "audit", random_often(random, 4), "remote",
			 worlds_remotes && random_often(random, worlds_remotes));
}

const char *worlds_address(struct random *random, const json_t *world)
{
	const json_t *from = json_object_get(world, "endpoints");
	const json_t *addresses;
	size_t count = 0;

	while (worlds_outside[count])
		count++;
	if (json_array_size(from) == 0 || random_often(random, 40))
		return worlds_outside[random_below(random, (uint32_t)count)];
	if (random_often(random, 15))
		from = json_object_get(world, "nodes");
	from = json_array_get(from, random_below(random, (uint32_t)json_array_size(from)));
	addresses = json_object_get(from, "addresses");
	return json_string_value(json_array_get(
		addresses, random_below(random, (uint32_t)json_array_size(addresses))));
}

json_t *worlds_service(struct random *random, const json_t *world, const char *namespace,
		       const char *name)
{
	json_t *backends = json_array();
	uint32_t count = random_below(random, 6);

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(backends, json_string(worlds_address(random, world)));
	return json_pack("{s:s, s:s, s:o, s:o}", "namespace", namespace, "name", name, "labels",
			 worlds_labels(random), "backends", backends);
}

static json_t *random_nodes(struct random *random)
{
	json_t *nodes = json_array();

	json_array_append_new(nodes,
			      json_pack("{s:s, s:b, s:o, s:[s, s, s]}", "name", "node-a", "self", 1,
					"labels", worlds_labels(random), "addresses", "10.9.0.1",
					"fd00:9::1", "192.168.7.1"));
	json_array_append_new(nodes, json_pack("{s:s, s:b, s:o, s:[s, s]}", "name", "node-b",
					       "self", 0, "labels", worlds_labels(random),
					       "addresses", "10.9.0.2", "fd00:9::2"));
	return nodes;
}

json_t *worlds_random(struct random *random)
{
	json_t *spaces = json_object(), *endpoints = json_array(), *services = json_array();
	int count = 20 + (int)random_below(random, 41);
	json_t *world = json_object();

	for (size_t i = 0; strcmp(namespaces[i], "untold") != 0; i++)
		json_object_set_new(spaces, namespaces[i], worlds_namespace(random));
	for (int i = 1; i <= count; i++)
		json_array_append_new(endpoints, worlds_endpoint(random, i));
	json_object_set_new(world, "namespaces", spaces);
	json_object_set_new(world, "nodes", random_nodes(random));
	json_object_set_new(world, "endpoints", endpoints);
	json_array_append_new(services, worlds_service(random, world, "alpha", "one"));
	json_array_append_new(services, worlds_service(random, world, "beta", "one"));
	json_array_append_new(services, worlds_service(random, world, "gamma", "two"));
	json_object_set_new(world, "services", services);
	json_object_set_new(world, "failsafes",
			    json_pack("[{s:s, s:i, s:i}, {s:s, s:i, s:i}]", "dir", "ingress",
				      "proto", 6, "port", 22, "dir", "egress", "proto", 17, "port",
				      53));
	return world;
}

static size_t add_parties(const json_t *world, const json_t *items,
			  struct oracle_party *ret_parties)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *list = json_object_get(json_array_get(items, i), "addresses");

		for (size_t k = 0; k < json_array_size(list); k++)
			oracle_party_find(&ret_parties[count++], world,
					  json_string_value(json_array_get(list, k)));
	}
	return count;
}

size_t worlds_parties(const json_t *world, struct oracle_party ret_parties[WORLDS_PARTIES_MAX])
{
	size_t count = add_parties(world, json_object_get(world, "endpoints"), ret_parties);

	count += add_parties(world, json_object_get(world, "nodes"), ret_parties + count);
	for (size_t i = 0; worlds_outside[i]; i++)
		oracle_party_find(&ret_parties[count++], world, worlds_outside[i]);
	return count;
}
