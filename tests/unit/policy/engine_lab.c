/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_lab.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cases.h"
#include "model/document.h"

/* ---- tables -------------------------------------------------------------------------------- */

static struct lab_pair **find_pair(const struct lab *lab, const struct wf_policy_pair_key *key)
{
	uint32_t bucket = (key->profile * 2654435761u ^ key->class_id * 40503u) % LAB_BUCKETS;
	struct lab_pair **at = (struct lab_pair **)&lab->pairs[bucket];

	while (*at && memcmp(&(*at)->key, key, sizeof(*key)) != 0)
		at = &(*at)->next;
	return at;
}

static void watch(struct lab *lab)
{
	if (lab->watch)
		lab->watch(lab->watch_context);
}

static void set_pair(struct lab *lab, const struct wf_policy_pair_key *key,
		     const struct wf_policy_run *run)
{
	struct lab_pair **at = find_pair(lab, key), *old = *at;

	if (!run) {
		if (old)
			*at = old->next;
		free(old);
		return;
	}
	if (!old) {
		old = calloc(1, sizeof(*old));
		cases_check(old, "no memory");
		old->key = *key;
		*at = old;
	}
	old->run = *run;
}

static int pairs_set(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		     size_t count, void *context, struct wf_err *err)
{
	for (size_t i = 0; i < count; i++) {
		watch(context);
		set_pair(context, &keys[i], runs ? &runs[i] : NULL);
	}
	watch(context);
	return 0;
}

static int prefix_set(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		      bool present, void *context, struct wf_err *err)
{
	struct lab *lab = context;
	size_t i = 0;

	cases_check(scope == WF_NETWORK_HOST, "a scope that nobody told of");
	watch(lab);
	while (i < lab->prefix_count && !wf_prefix_equal(&lab->prefixes[i].prefix, prefix))
		i++;
	if (!present) {
		if (i < lab->prefix_count)
			lab->prefixes[i] = lab->prefixes[--lab->prefix_count];
	} else {
		if (i == lab->prefix_count) {
			cases_check(wf_mem_grow(&lab->prefixes, sizeof(*lab->prefixes),
						lab->prefix_count, &lab->prefix_capacity) == 0,
				    "no memory");
			lab->prefix_count++;
			lab->prefixes[i].prefix = *prefix;
		}
		lab->prefixes[i].class_id = class_id;
	}
	watch(lab);
	return 0;
}

static int revise(void *context, struct wf_err *err)
{
	watch(context);
	return 0;
}

static int guard_set(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	struct lab *lab = context;

	cases_check(slot < LAB_SLOTS, "guard of slot %u", slot);
	lab->guarded[slot] = guarded;
	return 0;
}

/* Now and then only, so that much is in the way that nobody names. */
static bool may_free(bool is_needed, void *context)
{
	struct lab *lab = context;

	return is_needed || ++lab->asked % 5 == 0;
}

/* ---- reading as a program does ------------------------------------------------------------- */

static struct wf_addr addr_of(const struct oracle_party *party)
{
	return wf_addr_from_bytes(party->family, party->bytes);
}

static bool is_inside(const struct wf_addr *addr, const struct wf_addr *network, int bits)
{
	int mask = 0xff00 >> bits % 8 & 0xff;

	return memcmp(addr->bytes, network->bytes, (size_t)bits / 8) == 0 &&
	       (bits % 8 == 0 || ((addr->bytes[bits / 8] ^ network->bytes[bits / 8]) & mask) == 0);
}

/* Of the longest prefix, or with only_single of that of the address alone. */
static uint32_t prefix_class(const struct lab *lab, const struct wf_addr *addr, bool only_single,
			     uint32_t fallback)
{
	int best = only_single ? 127 : -1;

	for (size_t i = 0; i < lab->prefix_count; i++) {
		const struct lab_prefix *item = &lab->prefixes[i];
		int bits = item->prefix.len + (wf_addr_is_ip4(&item->prefix.addr) ? 96 : 0);

		if (bits > best && is_inside(addr, &item->prefix.addr, bits)) {
			best = bits;
			fallback = item->class_id;
		}
	}
	return fallback;
}

bool lab_is_remote(const json_t *endpoint)
{
	return json_is_true(json_object_get(endpoint, "remote"));
}

uint32_t lab_slot(const struct oracle_party *party)
{
	if (lab_is_remote(party->endpoint))
		return UINT32_MAX;
	if (party->endpoint)
		return (uint32_t)json_integer_value(json_object_get(party->endpoint, "slot"));
	return oracle_is_self(party) ? 0 : UINT32_MAX;
}

static uint32_t class_of(const struct lab *lab, const struct oracle_party *party)
{
	uint32_t slot = lab_slot(party), class_id;
	struct wf_addr addr = addr_of(party);

	if (slot == UINT32_MAX)
		return prefix_class(lab, &addr, false, WF_POLICY_CLASS_WORLD);
	class_id = lab->memory.subjects[slot].class_id[party->family == AF_INET6];
	if (!(class_id & WF_POLICY_CLASS_ODD))
		return class_id;
	return prefix_class(lab, &addr, true, class_id & ~WF_POLICY_CLASS_ODD);
}

static enum oracle_verdict read_run(const struct lab *lab, struct wf_policy_run run, int proto,
				    int port)
{
	uint32_t wanted = WF_POLICY_AT(0, proto, port), found = 0;

	cases_check(run.first + run.count <= lab->memory.rule_count, "a run out of bounds");
	if (run.count == 0)
		return ORACLE_DENY;
	for (uint32_t i = 0; i < run.count; i++) {
		uint32_t at = lab->memory.rules[run.first + i].at;

		if ((at & WF_POLICY_AT_START) <= wanted)
			found = at;
	}
	switch (found >> WF_POLICY_AT_VERDICT) {
	case WF_POLICY_ALLOW: return ORACLE_ALLOW;
	case WF_POLICY_AUDIT: return ORACLE_AUDIT;
	default: return ORACLE_DENY;
	}
}

enum oracle_verdict lab_look_up(const struct lab *lab, enum oracle_dir dir,
				const struct oracle_party *src, const struct oracle_party *dst,
				int proto, int port)
{
	uint32_t slot = lab_slot(dir == ORACLE_EGRESS ? src : dst);
	struct wf_policy_pair_key key;
	const struct lab_pair *pair;

	if (slot == UINT32_MAX || lab_slot(src) == lab_slot(dst))
		return ORACLE_ALLOW;
	key.profile = lab->memory.subjects[slot]
			      .profile[dir == ORACLE_EGRESS ? WF_POLICY_EGRESS : WF_POLICY_INGRESS];
	if (key.profile == WF_POLICY_PROFILE_NONE)
		return ORACLE_ALLOW;
	key.class_id = class_of(lab, dir == ORACLE_EGRESS ? dst : src);
	pair = *find_pair(lab, &key);
	return read_run(lab, pair ? pair->run : lab->memory.profiles[key.profile], proto, port);
}

static struct wf_policy_party party_of(const struct oracle_party *party)
{
	return (struct wf_policy_party){ lab_slot(party), addr_of(party) };
}

enum oracle_verdict lab_ask(const struct lab *lab, enum oracle_dir dir,
			    const struct oracle_party *src, const struct oracle_party *dst,
			    int proto, int port)
{
	static const enum oracle_verdict verdicts[] = {
		[WF_POLICY_DENY] = ORACLE_DENY,
		[WF_POLICY_ALLOW] = ORACLE_ALLOW,
		[WF_POLICY_AUDIT] = ORACLE_AUDIT,
	};
	struct wf_policy_party from = party_of(src), to = party_of(dst);
	struct wf_policy_answer answer;

	wf_policy_engine_ask(lab->engine,
			     dir == ORACLE_EGRESS ? WF_POLICY_EGRESS : WF_POLICY_INGRESS, &from,
			     &to, (uint8_t)proto, (uint16_t)port, &answer);
	return verdicts[answer.verdict];
}

void lab_check_guards(const struct lab *lab)
{
	for (uint32_t slot = 0; slot < LAB_SLOTS; slot++) {
		const struct wf_policy_subject_value *subject = &lab->memory.subjects[slot];
		bool wanted = subject->profile[0] > WF_POLICY_PROFILE_DENY_ALL ||
			      subject->profile[1] > WF_POLICY_PROFILE_DENY_ALL;

		cases_check(!wanted || lab->guarded[slot], "slot %u is not guarded", slot);
		wanted = subject->profile[0] != WF_POLICY_PROFILE_NONE ||
			 subject->profile[1] != WF_POLICY_PROFILE_NONE;
		cases_check(wanted || !lab->guarded[slot], "slot %u is guarded", slot);
	}
}

/* ---- filling ------------------------------------------------------------------------------- */

static void read_labels(struct wf_labels *labels, const json_t *object)
{
	struct wf_err err = WF_ERR_INIT;

	if (object)
		cases_check(wf_labels_from_json(labels, object, "labels", true, &err) == 0, "%s",
			    err.message);
}

static size_t read_addresses(const json_t *array, struct wf_addr *addrs, size_t most)
{
	size_t count = json_array_size(array);

	cases_check(count <= most, "too many addresses");
	for (size_t i = 0; i < count; i++)
		cases_check(wf_addr_parse(json_string_value(json_array_get(array, i)), &addrs[i]) ==
				    0,
			    "no address");
	return count;
}

char *lab_policy_key(const json_t *document)
{
	const char *kind = oracle_text(document, "kind");
	const char *name = oracle_text(json_object_get(document, "metadata"), "name");
	bool is_namespaced =
		strcmp(kind, "NetworkPolicy") == 0 || strcmp(kind, "CiliumNetworkPolicy") == 0;
	char *key = NULL;
	int len = is_namespaced ? asprintf(&key, "%s/%s/%s", kind,
					   oracle_document_namespace(document), name)
				: asprintf(&key, "%s/%s", kind, name);

	cases_check(len > 0, "no memory");
	return key;
}

size_t lab_policy_find(const json_t *documents, const json_t *document)
{
	_cleanup_free_ char *key = lab_policy_key(document);
	size_t found = 0;

	for (; found < json_array_size(documents); found++) {
		_cleanup_free_ char *other = lab_policy_key(json_array_get(documents, found));

		if (strcmp(key, other) == 0)
			break;
	}
	return found;
}

void lab_policy_set(json_t *documents, json_t *document)
{
	size_t at = lab_policy_find(documents, document);

	if (at < json_array_size(documents))
		json_array_set_new(documents, at, document);
	else
		json_array_append_new(documents, document);
}

void lab_policy_put(struct lab *lab, const json_t *document)
{
	_cleanup_free_ char *key = lab_policy_key(document);
	struct wf_err err = WF_ERR_INIT;
	struct wf_policy policy = { 0 };
	int r = wf_document_check(document, &err);

	if (r == 0)
		r = wf_policy_from_json(&policy, document, &err);
	if (r == 0)
		r = wf_policy_engine_policy_put(lab->engine, key, &policy, &err);
	if (r != 0)
		fprintf(stderr, "%s\n", json_dumps(document, JSON_COMPACT));
	cases_check(r == 0, "%s: %s", key, err.message);
	wf_policy_done(&policy);
}

void lab_policy_drop(struct lab *lab, const json_t *document)
{
	_cleanup_free_ char *key = lab_policy_key(document);
	struct wf_err err = WF_ERR_INIT;

	cases_check(wf_policy_engine_policy_drop(lab->engine, key, &err) == 0, "%s: %s", key,
		    err.message);
}

void lab_endpoint_put(struct lab *lab, const json_t *endpoint)
{
	struct oracle_party party = { .endpoint = endpoint };
	const json_t *ports = json_object_get(endpoint, "ports");
	struct wf_endpoint_port named[16];
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_err err = WF_ERR_INIT;
	struct wf_labels labels = { 0 };
	struct wf_policy_member member = {
		.slot = lab_slot(&party),
		.namespace = oracle_namespace(&party),
		.labels = &labels,
		.ports = named,
		.port_count = json_array_size(ports),
		.addrs = addrs,
		.audit = json_is_true(json_object_get(endpoint, "audit")),
	};
	int r;

	read_labels(&labels, json_object_get(endpoint, "labels"));
	member.addr_count = read_addresses(json_object_get(endpoint, "addresses"), addrs,
					   WF_MAX_ENDPOINT_ADDRESSES);
	cases_check(member.port_count <= 16, "too many ports");
	for (size_t i = 0; i < member.port_count; i++) {
		const json_t *item = json_array_get(ports, i);

		named[i].proto = (uint8_t)oracle_proto(oracle_text(item, "protocol"));
		named[i].port = (uint16_t)json_integer_value(json_object_get(item, "port"));
		snprintf(named[i].name, sizeof(named[i].name), "%s", oracle_text(item, "name"));
	}
	if (lab_is_remote(endpoint))
		r = wf_policy_engine_remote_put(lab->engine, &member, &err);
	else
		r = wf_policy_engine_member_put(lab->engine, &member, &err);
	cases_check(r == 0, "endpoint %s: %s", oracle_text(endpoint, "name"), err.message);
	wf_labels_done(&labels);
}

void lab_endpoint_drop(struct lab *lab, const json_t *endpoint)
{
	struct oracle_party party = { .endpoint = endpoint };

	if (!lab_is_remote(endpoint))
		wf_policy_engine_member_drop(lab->engine, lab_slot(&party));
	else
		lab_addresses_drop(lab, json_object_get(endpoint, "addresses"));
}

void lab_addresses_drop(struct lab *lab, const json_t *addresses)
{
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	size_t count = read_addresses(addresses, addrs, WF_MAX_ENDPOINT_ADDRESSES);
	struct wf_err err = WF_ERR_INIT;

	cases_check(
		wf_policy_engine_remote_drop(lab->engine, WF_NETWORK_HOST, addrs, count, &err) == 0,
		"%s", err.message);
}

void lab_namespace_put(struct lab *lab, const char *name, const json_t *namespace)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_labels labels = { 0 };
	int r;

	if (!namespace) {
		r = wf_policy_engine_namespace_drop(lab->engine, name, &err);
	} else {
		read_labels(&labels, json_object_get(namespace, "labels"));
		r = wf_policy_engine_namespace_put(
			lab->engine, name, &labels,
			json_is_true(json_object_get(namespace, "audit")), &err);
	}
	cases_check(r == 0, "%s: %s", name, err.message);
	wf_labels_done(&labels);
}

void lab_service_put(struct lab *lab, const json_t *service)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_labels labels = { 0 };
	struct wf_addr addrs[32];
	size_t count = read_addresses(json_object_get(service, "backends"), addrs, 32);

	read_labels(&labels, json_object_get(service, "labels"));
	cases_check(wf_policy_engine_service_put(
			    lab->engine, oracle_text(service, "namespace"),
			    oracle_text(service, "name"), &labels,
			    &(struct wf_policy_backends){ .addrs = addrs, .count = count },
			    &err) == 0,
		    "%s", err.message);
	wf_labels_done(&labels);
}

void lab_node_put(struct lab *lab, const json_t *node)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_labels labels = { 0 };
	struct wf_addr addrs[32];
	size_t count = read_addresses(json_object_get(node, "addresses"), addrs, 32);

	read_labels(&labels, json_object_get(node, "labels"));
	cases_check(wf_policy_engine_node_put(lab->engine, oracle_text(node, "name"),
					      json_is_true(json_object_get(node, "self")), &labels,
					      addrs, count, &err) == 0,
		    "%s", err.message);
	wf_labels_done(&labels);
}

static void open_engine(struct lab *lab, const struct wf_policy_effects *effects,
			const json_t *failsafes)
{
	struct wf_policy_failsafe list[16];
	struct wf_err err = WF_ERR_INIT;
	size_t count = json_array_size(failsafes);

	cases_check(count <= 16, "too many failsafes");
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(failsafes, i);

		list[i].dir = strcmp(oracle_text(item, "dir"), "ingress") == 0 ? WF_POLICY_INGRESS
									       : WF_POLICY_EGRESS;
		list[i].proto = (uint8_t)json_integer_value(json_object_get(item, "proto"));
		list[i].port = (uint16_t)json_integer_value(json_object_get(item, "port"));
	}
	cases_check(wf_policy_engine_new(&lab->engine, &lab->memory, effects, list, count, &err) ==
			    0,
		    "%s", err.message);
}

static void fill(struct lab *lab, const json_t *world, const json_t *documents)
{
	json_t *namespaces = json_object_get(world, "namespaces"), *value;
	const json_t *nodes = json_object_get(world, "nodes");
	const json_t *services = json_object_get(world, "services");
	const json_t *endpoints = json_object_get(world, "endpoints");
	const char *name;

	json_object_foreach(namespaces, name, value) {
		lab_namespace_put(lab, name, value);
	}
	for (size_t i = 0; i < json_array_size(nodes); i++)
		lab_node_put(lab, json_array_get(nodes, i));
	for (size_t i = 0; i < json_array_size(services); i++)
		lab_service_put(lab, json_array_get(services, i));
	for (size_t i = 0; i < json_array_size(endpoints); i++)
		lab_endpoint_put(lab, json_array_get(endpoints, i));
	for (size_t i = 0; i < json_array_size(documents); i++)
		lab_policy_put(lab, json_array_get(documents, i));
}

static void open_all(struct lab *lab, const struct wf_policy_effects *effects, const json_t *world,
		     const json_t *documents)
{
	struct wf_err err = WF_ERR_INIT;

	open_engine(lab, effects, json_object_get(world, "failsafes"));
	wf_policy_engine_begin(lab->engine);
	fill(lab, world, documents);
	cases_check(wf_policy_engine_commit(lab->engine, &err) == 0, "%s", err.message);
}

void lab_open(struct lab *lab, const json_t *world, const json_t *documents)
{
	const struct wf_policy_effects effects = {
		.pairs_set = pairs_set,
		.prefix_set = prefix_set,
		.revise = revise,
		.guard_set = guard_set,
		.may_free = may_free,
		.context = lab,
	};

	memset(lab, 0, sizeof(*lab));
	lab->memory.subjects = calloc(WF_MAX_SLOTS, sizeof(*lab->memory.subjects));
	lab->memory.profiles = calloc(LAB_PROFILES, sizeof(*lab->memory.profiles));
	lab->memory.rules = calloc(LAB_RULES, sizeof(*lab->memory.rules));
	lab->memory.subject_count = WF_MAX_SLOTS;
	lab->memory.profile_count = LAB_PROFILES;
	lab->memory.rule_count = LAB_RULES;
	cases_check(lab->memory.subjects && lab->memory.profiles && lab->memory.rules, "no memory");
	open_all(lab, &effects, world, documents);
}

void lab_open_over(struct lab *lab, const struct wf_policy_memory *memory,
		   const struct wf_policy_effects *effects, const json_t *world,
		   const json_t *documents)
{
	memset(lab, 0, sizeof(*lab));
	lab->memory = *memory;
	lab->is_borrowed = true;
	open_all(lab, effects, world, documents);
}

void lab_close(struct lab *lab)
{
	wf_policy_engine_free(&lab->engine);
	for (uint32_t i = 0; i < LAB_BUCKETS; i++) {
		while (lab->pairs[i]) {
			struct lab_pair *pair = lab->pairs[i];

			lab->pairs[i] = pair->next;
			free(pair);
		}
	}
	free(lab->prefixes);
	if (!lab->is_borrowed) {
		free(lab->memory.subjects);
		free(lab->memory.profiles);
		free(lab->memory.rules);
	}
	memset(lab, 0, sizeof(*lab));
}
