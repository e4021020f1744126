/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/endpoint.h"
#include "model/namespace.h"
#include "model/node.h"
#include "model/service.h"

/* Addresses of those who have none: of the networks for benchmarks and documentation. */
#define MADE_UP4 "198.18.0.0"
#define MADE_UP6 "2001:2::"
#define HOST4    "198.19.255.1"
#define HOST6    "2001:2:0:ffff::1"
#define WORLD4   "203.0.113.9"
#define WORLD6   "2001:db8::9"

#define MAX_PROFILES 16384
#define MAX_RULES    1048576

struct lab_endpoint {
	char *name;      /* owned */
	char *namespace; /* owned */
	struct wf_labels labels;
	struct wf_endpoint ports; /* only its ports are used */
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	size_t addr_count;
	bool audit;
};

struct lab_service {
	struct wf_service spec;
};

struct wf_cli_lab {
	struct wf_policy_memory memory; /* owned arrays */
	struct wf_policy_engine *engine;
	struct lab_endpoint *endpoints; /* owned; slot is index + 1 */
	size_t endpoint_count, endpoint_capacity;
	struct lab_service *services; /* owned */
	size_t service_count, service_capacity;
	uint32_t *starts; /* owned; (proto, port) at which some rule begins, sorted, each once */
	size_t start_count, start_capacity;
};

/* ---- life ---------------------------------------------------------------------------------------- */

static int no_pairs(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		    size_t count, void *context, struct wf_err *err)
{
	(void)keys, (void)runs, (void)count, (void)context, (void)err;
	return 0;
}

static int no_prefix(const struct wf_prefix *prefix, uint32_t class_id, bool present, void *context,
		     struct wf_err *err)
{
	(void)prefix, (void)class_id, (void)present, (void)context, (void)err;
	return 0;
}

static int no_revise(void *context, struct wf_err *err)
{
	(void)context, (void)err;
	return 0;
}

static int no_guard(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	(void)slot, (void)guarded, (void)context, (void)err;
	return 0;
}

static int make_engine(struct wf_cli_lab *lab, struct wf_err *err)
{
	static const struct wf_policy_effects effects = { .pairs_set = no_pairs,
							  .prefix_set = no_prefix,
							  .revise = no_revise,
							  .guard_set = no_guard };
	struct wf_policy_memory *memory = &lab->memory;

	memory->subject_count = WF_MAX_SLOTS;
	memory->profile_count = MAX_PROFILES;
	memory->rule_count = MAX_RULES;
	memory->subjects = calloc(WF_MAX_SLOTS, sizeof(*memory->subjects));
	memory->profiles = calloc(MAX_PROFILES, sizeof(*memory->profiles));
	memory->rules = calloc(MAX_RULES, sizeof(*memory->rules));
	if (!memory->subjects || !memory->profiles || !memory->rules)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_policy_engine_new(&lab->engine, memory, &effects, NULL, 0, err);
}

int wf_cli_lab_new(struct wf_cli_lab **ret_lab, struct wf_err *err)
{
	_cleanup_(wf_cli_lab_free) struct wf_cli_lab *lab = calloc(1, sizeof(*lab));
	int r;

	if (!lab)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = make_engine(lab, err);
	if (r < 0)
		return r;
	wf_policy_engine_begin(lab->engine);
	*ret_lab = TAKE_PTR(lab);
	return 0;
}

static void endpoint_done(struct lab_endpoint *endpoint)
{
	free(endpoint->name);
	free(endpoint->namespace);
	wf_labels_done(&endpoint->labels);
	wf_endpoint_done(&endpoint->ports);
}

void wf_cli_lab_free(struct wf_cli_lab **lab)
{
	if (!*lab)
		return;
	wf_policy_engine_free(&(*lab)->engine);
	for (size_t i = 0; i < (*lab)->endpoint_count; i++)
		endpoint_done(&(*lab)->endpoints[i]);
	for (size_t i = 0; i < (*lab)->service_count; i++)
		wf_service_done(&(*lab)->services[i].spec);
	free((*lab)->endpoints);
	free((*lab)->services);
	free((*lab)->starts);
	free((*lab)->memory.subjects);
	free((*lab)->memory.profiles);
	free((*lab)->memory.rules);
	free(*lab);
	*lab = NULL;
}

/* ---- where verdicts may change ------------------------------------------------------------------- */

static int add_start(struct wf_cli_lab *lab, uint8_t proto, uint32_t port)
{
	if (port > UINT16_MAX)
		return 0;
	if (wf_mem_grow(&lab->starts, sizeof(*lab->starts), lab->start_count,
			&lab->start_capacity) < 0)
		return -ENOMEM;
	lab->starts[lab->start_count++] = (uint32_t)proto << 16 | port;
	return 0;
}

static int add_starts(struct wf_cli_lab *lab, const struct wf_policy *policy)
{
	int r = 0;

	for (size_t s = 0; s < policy->section_count; s++)
		for (size_t i = 0; i < policy->sections[s].rule_count; i++) {
			const struct wf_policy_rule *rule = &policy->sections[s].rules[i];

			for (size_t p = 0; r == 0 && p < rule->port_count; p++) {
				r = add_start(lab, rule->ports[p].proto, rule->ports[p].first);
				if (r == 0)
					r = add_start(lab, rule->ports[p].proto,
						      (uint32_t)rule->ports[p].last + 1);
			}
		}
	return r;
}

static int compare_starts(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int settle_starts(struct wf_cli_lab *lab)
{
	static const uint8_t protos[] = { IPPROTO_ICMP, IPPROTO_TCP,    IPPROTO_UDP,
					  IPPROTO_GRE,  IPPROTO_ICMPV6, IPPROTO_SCTP };
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(protos); i++)
		r = add_start(lab, protos[i], 0);
	for (size_t i = 0; r == 0 && i < lab->endpoint_count; i++)
		for (size_t p = 0; r == 0 && p < lab->endpoints[i].ports.port_count; p++) {
			const struct wf_endpoint_port *port = &lab->endpoints[i].ports.ports[p];

			r = add_start(lab, port->proto, port->port);
			if (r == 0)
				r = add_start(lab, port->proto, (uint32_t)port->port + 1);
		}
	if (r < 0)
		return r;
	qsort(lab->starts, lab->start_count, sizeof(*lab->starts), compare_starts);
	for (size_t i = 0; i < lab->start_count; i++)
		if (!kept || lab->starts[kept - 1] != lab->starts[i])
			lab->starts[kept++] = lab->starts[i];
	lab->start_count = kept;
	return 0;
}

/* ---- documents -------------------------------------------------------------------------------------- */

static int add_policy(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct wf_policy policy = { 0 };
	char name[WF_NAME_BYTES], key[WF_NAME_BYTES + 64];
	int r = wf_policy_from_json(&policy, document, err);

	if (r < 0)
		return r;
	(void)wf_document_key(document, name);
	(void)snprintf(key, sizeof(key), "%s/%s", policy.kind, name);
	r = add_starts(lab, &policy);
	if (r == 0)
		r = wf_policy_engine_policy_put(lab->engine, key, &policy, err);
	wf_policy_done(&policy);
	return r;
}

static int add_namespace(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct wf_namespace spec = { 0 };
	int r = wf_namespace_from_json(&spec, document, err);

	if (r == 0)
		r = wf_policy_engine_namespace_put(lab->engine, spec.meta.name, &spec.meta.labels,
						   spec.audit, err);
	wf_namespace_done(&spec);
	return r;
}

static int add_node(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct wf_node spec = { 0 };
	int r = wf_node_from_json(&spec, document, err);

	if (r == 0)
		r = wf_policy_engine_node_put(lab->engine, spec.meta.name, false, &spec.meta.labels,
					      spec.addrs, spec.addr_count, err);
	wf_node_done(&spec);
	return r;
}

static int add_service(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct wf_service spec = { 0 };
	int r = wf_service_from_json(&spec, document, err);

	if (r < 0)
		return r;
	if (wf_mem_grow(&lab->services, sizeof(*lab->services), lab->service_count,
			&lab->service_capacity) < 0) {
		wf_service_done(&spec);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	lab->services[lab->service_count++].spec = spec;
	return 0;
}

/* Addresses as an Endpoint's or a Pod's status has them; -EINVAL: one that is none. */
static int read_addrs(struct lab_endpoint *endpoint, const json_t *document, struct wf_err *err)
{
	const json_t *status = json_object_get(document, "status"), *item;
	const json_t *lists[] = { json_object_get(status, "addresses"),
				  json_object_get(status, "podIPs") };
	size_t i;

	for (size_t l = 0; l < WF_ARRAY_LEN(lists); l++)
		json_array_foreach(lists[l], i, item) {
			const char *text = wf_json_str(item, l ? "ip" : "address", "");
			struct wf_prefix prefix;

			if (endpoint->addr_count == WF_MAX_ENDPOINT_ADDRESSES)
				return 0;
			if (wf_prefix_parse(text, &prefix) < 0)
				return wf_fail(err, -EINVAL, "%s: \"%s\" is not an address",
					       endpoint->name, text);
			endpoint->addrs[endpoint->addr_count++] = prefix.addr;
		}
	if (!endpoint->addr_count && *wf_json_str(status, "podIP", "")) {
		if (wf_addr_parse(wf_json_str(status, "podIP", ""), &endpoint->addrs[0]) < 0)
			return wf_fail(err, -EINVAL, "%s: status.podIP is not an address",
				       endpoint->name);
		endpoint->addr_count = 1;
	}
	return 0;
}

static void make_up_addrs(struct wf_cli_lab *lab, struct lab_endpoint *endpoint)
{
	static const char *const bases[] = { MADE_UP4, MADE_UP6 };

	if (endpoint->addr_count)
		return;
	for (size_t i = 0; i < WF_ARRAY_LEN(bases); i++) {
		struct wf_addr base;

		(void)wf_addr_parse(bases[i], &base);
		endpoint->addrs[endpoint->addr_count++] =
			wf_addr_add(&base, lab->endpoint_count + 1);
	}
}

/* spec.ports of an Endpoint, or the named ports of a Pod's containers. */
static int read_ports(struct lab_endpoint *endpoint, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec"), *container, *port;
	_cleanup_json_ json_t *ports = json_array();
	size_t i, p;

	if (json_object_get(spec, "ports"))
		return wf_endpoint_ports_from_json(&endpoint->ports, json_object_get(spec, "ports"),
						   "spec.ports", err);
	json_array_foreach(json_object_get(spec, "containers"), i, container)
		json_array_foreach(json_object_get(container, "ports"), p, port)
			if (*wf_json_str(port, "name", "") &&
			    json_array_append_new(
				    ports,
				    json_pack("{s:s, s:I, s:s}", "name",
					      wf_json_str(port, "name", ""), "port",
					      (json_int_t)wf_json_int(port, "containerPort", 0),
					      "protocol", wf_json_str(port, "protocol", "TCP"))) <
				    0)
				return wf_fail(err, -ENOMEM, "out of memory");
	return wf_endpoint_ports_from_json(&endpoint->ports, ports, "spec.containers", err);
}

static const char *text_of(const struct wf_labels *labels, const char *key, const char *fallback)
{
	const char *value = wf_labels_get(labels, key);

	return value ? value : fallback;
}

static int read_endpoint(struct lab_endpoint *endpoint, const json_t *document, struct wf_err *err)
{
	const json_t *meta = json_object_get(document, "metadata");
	const json_t *labels = json_object_get(meta, "labels");
	const char *namespace = wf_json_str(meta, "namespace", WF_NAMESPACE_DEFAULT);
	int r = labels ? wf_labels_from_json(&endpoint->labels, labels, "metadata.labels", true,
					     err)
		       : 0;

	if (r < 0)
		return r;
	endpoint->name = strdup(wf_json_str(meta, "name", "?"));
	endpoint->namespace = strdup(text_of(&endpoint->labels, WF_LABEL_POD_NAMESPACE, namespace));
	if (!endpoint->name || !endpoint->namespace)
		return wf_fail(err, -ENOMEM, "out of memory");
	endpoint->audit =
		strcmp(text_of(&endpoint->labels, WF_ANNOTATION_AUDIT, ""), "true") == 0 ||
		strcmp(wf_json_str(json_object_get(meta, "annotations"), WF_ANNOTATION_AUDIT, ""),
		       "true") == 0;
	r = read_addrs(endpoint, document, err);
	return r < 0 ? r : read_ports(endpoint, document, err);
}

static int add_endpoint(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct lab_endpoint endpoint = { 0 };
	int r;

	if (lab->endpoint_count + 2 >= WF_MAX_SLOTS)
		return wf_fail(err, -E2BIG, "more than %d endpoints", WF_MAX_SLOTS - 2);
	r = read_endpoint(&endpoint, document, err);
	if (r == 0 && wf_mem_grow(&lab->endpoints, sizeof(*lab->endpoints), lab->endpoint_count,
				  &lab->endpoint_capacity) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r < 0) {
		endpoint_done(&endpoint);
		return r;
	}
	make_up_addrs(lab, &endpoint);
	lab->endpoints[lab->endpoint_count++] = endpoint;
	return 0;
}

int wf_cli_lab_add(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	const char *kind = wf_json_str(document, "kind", "");

	if (wf_policy_is_kind(kind))
		return add_policy(lab, document, err);
	if (strcmp(kind, WF_KIND_NAMESPACE) == 0)
		return add_namespace(lab, document, err);
	if (strcmp(kind, WF_KIND_NODE) == 0)
		return add_node(lab, document, err);
	if (strcmp(kind, WF_KIND_SERVICE) == 0)
		return add_service(lab, document, err);
	if (strcmp(kind, WF_KIND_ENDPOINT) == 0 || strcmp(kind, "Pod") == 0)
		return add_endpoint(lab, document, err);
	return 0;
}

/* ---- coming into force --------------------------------------------------------------------------- */

static bool is_backend(const struct wf_service *service, const struct lab_endpoint *endpoint)
{
	if (!service->selector.count || strcmp(service->meta.namespace, endpoint->namespace) != 0)
		return false;
	for (size_t i = 0; i < service->selector.count; i++) {
		const char *value =
			wf_labels_get(&endpoint->labels, service->selector.items[i].key);

		if (!value || strcmp(value, service->selector.items[i].value) != 0)
			return false;
	}
	return true;
}

static int put_service(struct wf_cli_lab *lab, const struct wf_service *service, struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *backends =
		calloc(lab->endpoint_count * WF_MAX_ENDPOINT_ADDRESSES + 1, sizeof(*backends));
	size_t count = 0;

	if (!backends)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < lab->endpoint_count; i++)
		for (size_t a = 0;
		     is_backend(service, &lab->endpoints[i]) && a < lab->endpoints[i].addr_count;
		     a++)
			backends[count++] = lab->endpoints[i].addrs[a];
	return wf_policy_engine_service_put(lab->engine, service->meta.namespace,
					    service->meta.name, &service->meta.labels, backends,
					    count, err);
}

static int put_host(struct wf_cli_lab *lab, struct wf_err *err)
{
	const struct wf_labels none = { 0 };
	struct wf_addr addrs[2];

	(void)wf_addr_parse(HOST4, &addrs[0]);
	(void)wf_addr_parse(HOST6, &addrs[1]);
	return wf_policy_engine_node_put(lab->engine, "host", true, &none, addrs, 2, err);
}

int wf_cli_lab_settle(struct wf_cli_lab *lab, struct wf_err *err)
{
	int r = put_host(lab, err);

	for (size_t i = 0; r == 0 && i < lab->endpoint_count; i++) {
		const struct lab_endpoint *endpoint = &lab->endpoints[i];
		const struct wf_policy_member member = { .slot = (uint32_t)i + 1,
							 .namespace = endpoint->namespace,
							 .labels = &endpoint->labels,
							 .ports = endpoint->ports.ports,
							 .port_count = endpoint->ports.port_count,
							 .addrs = endpoint->addrs,
							 .addr_count = endpoint->addr_count,
							 .audit = endpoint->audit };

		r = wf_policy_engine_member_put(lab->engine, &member, err);
	}
	for (size_t i = 0; r == 0 && i < lab->service_count; i++)
		r = put_service(lab, &lab->services[i].spec, err);
	if (r == 0)
		r = wf_policy_engine_commit(lab->engine, err);
	if (r == 0 && settle_starts(lab) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	return r;
}

/* ---- questions ------------------------------------------------------------------------------------- */

size_t wf_cli_lab_party_count(const struct wf_cli_lab *lab)
{
	return lab->endpoint_count + 2;
}

const char *wf_cli_lab_party_name(const struct wf_cli_lab *lab, size_t index)
{
	if (index < lab->endpoint_count)
		return lab->endpoints[index].name;
	return index == lab->endpoint_count ? "host" : "world";
}

/* Whoever a word means: has[0] IPv4, has[1] IPv6. */
struct meant {
	uint32_t slot;
	bool has[2];
	struct wf_addr addrs[2];
};

static void add_addr(struct meant *meant, const struct wf_addr *addr)
{
	size_t family = !wf_addr_is_ip4(addr);

	if (!meant->has[family])
		meant->addrs[family] = *addr;
	meant->has[family] = true;
}

static void add_text(struct meant *meant, const char *text)
{
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) == 0)
		add_addr(meant, &addr);
}

static void add_endpoint_addrs(struct meant *meant, const struct lab_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->addr_count; i++)
		add_addr(meant, &endpoint->addrs[i]);
}

static int find_meant(const struct wf_cli_lab *lab, const char *word, struct meant *meant,
		      struct wf_err *err)
{
	struct wf_addr addr;

	*meant = (struct meant){ .slot = UINT32_MAX };
	if (strcmp(word, "host") == 0) {
		meant->slot = WF_SLOT_HOST;
		add_text(meant, HOST4);
		add_text(meant, HOST6);
		return 0;
	}
	if (strcmp(word, "world") == 0) {
		add_text(meant, WORLD4);
		add_text(meant, WORLD6);
		return 0;
	}
	for (size_t i = 0; i < lab->endpoint_count; i++)
		if (strcmp(lab->endpoints[i].name, word) == 0) {
			meant->slot = (uint32_t)i + 1;
			add_endpoint_addrs(meant, &lab->endpoints[i]);
			return 0;
		}
	if (wf_addr_parse(word, &addr) < 0)
		return wf_fail(err, -ENOENT, "there is no endpoint %s in these files", word);
	add_addr(meant, &addr);
	for (size_t i = 0; i < lab->endpoint_count; i++)
		for (size_t a = 0; a < lab->endpoints[i].addr_count; a++)
			if (wf_addr_equal(&lab->endpoints[i].addrs[a], &addr))
				meant->slot = (uint32_t)i + 1;
	return 0;
}

static void ask(const struct wf_cli_lab *lab, const struct meant *src, const struct meant *dst,
		size_t family, uint32_t at, struct wf_cli_lab_answer *ret_answer)
{
	const struct wf_policy_party from = { .slot = src->slot, .addr = src->addrs[family] };
	const struct wf_policy_party to = { .slot = dst->slot, .addr = dst->addrs[family] };
	bool audit = false;

	ret_answer->verdict = WF_POLICY_ALLOW;
	for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++) {
		struct wf_policy_answer answer;

		wf_policy_engine_ask(lab->engine, (enum wf_policy_dir)dir, &from, &to,
				     (uint8_t)(at >> 16), (uint16_t)at, &answer);
		ret_answer->by_dir[dir] = answer.verdict;
		ret_answer->rules[dir] = answer.rule;
		audit = audit || answer.verdict == WF_POLICY_AUDIT;
		if (answer.verdict == WF_POLICY_DENY)
			ret_answer->verdict = WF_POLICY_DENY;
	}
	if (audit && ret_answer->verdict == WF_POLICY_ALLOW)
		ret_answer->verdict = WF_POLICY_AUDIT;
	/* nobody keeps an endpoint from itself */
	if (src->slot != UINT32_MAX && src->slot == dst->slot)
		ret_answer->verdict = WF_POLICY_ALLOW;
}

static int find_both(const struct wf_cli_lab *lab, const char *source, const char *destination,
		     struct meant *src, struct meant *dst, size_t *ret_family, struct wf_err *err)
{
	int r = find_meant(lab, source, src, err);

	if (r == 0)
		r = find_meant(lab, destination, dst, err);
	if (r < 0)
		return r;
	for (size_t family = 0; family < 2; family++)
		if (src->has[family] && dst->has[family]) {
			*ret_family = family;
			return 0;
		}
	return wf_fail(err, -EAFNOSUPPORT, "%s and %s have no address of the same family", source,
		       destination);
}

int wf_cli_lab_ask(const struct wf_cli_lab *lab, const char *source, const char *destination,
		   uint8_t proto, uint16_t port, struct wf_cli_lab_answer *ret_answer,
		   struct wf_err *err)
{
	struct meant src = { .slot = UINT32_MAX }, dst = src;
	size_t family;
	int r = find_both(lab, source, destination, &src, &dst, &family, err);

	if (r < 0)
		return r;
	if (proto == IPPROTO_ICMP && family == 1)
		proto = IPPROTO_ICMPV6;
	ask(lab, &src, &dst, family, (uint32_t)proto << 16 | port, ret_answer);
	return 0;
}

static const char *proto_text(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "TCP";
	case IPPROTO_UDP: return "UDP";
	case IPPROTO_SCTP: return "SCTP";
	case IPPROTO_ICMP: return "ICMP";
	case IPPROTO_ICMPV6: return "ICMPv6";
	default: return "other protocols";
	}
}

/* Returns whether it is all there is: then nothing is appended. */
static bool add_range(struct wf_str *out, const char *separator, uint32_t first, uint32_t last)
{
	if (first == 0 && last == UINT16_MAX)
		return true;
	if (first == last)
		wf_str_addf(out, "%s%u", separator, first);
	else
		wf_str_addf(out, "%s%u-%u", separator, first, last);
	return false;
}

/* One protocol: "" when nothing of it passes. */
static void add_proto(const struct wf_cli_lab *lab, const struct meant *src,
		      const struct meant *dst, size_t family, uint8_t proto, struct wf_str *out,
		      bool *ret_all)
{
	const char *separator = "";
	uint32_t first = UINT32_MAX;
	size_t i = 0;

	*ret_all = false;
	while (i < lab->start_count && lab->starts[i] >> 16 < proto)
		i++;
	for (; i <= lab->start_count; i++) {
		bool inside = i < lab->start_count && lab->starts[i] >> 16 == proto;
		struct wf_cli_lab_answer answer = { .verdict = WF_POLICY_DENY };
		uint32_t last;

		if (inside)
			ask(lab, src, dst, family, lab->starts[i], &answer);
		if (inside && answer.verdict != WF_POLICY_DENY) {
			first = first == UINT32_MAX ? lab->starts[i] & 0xffff : first;
			continue;
		}
		last = inside ? (lab->starts[i] & 0xffff) - 1 : UINT16_MAX;
		if (first != UINT32_MAX)
			*ret_all = add_range(out, separator, first, last);
		if (first != UINT32_MAX)
			separator = ",";
		first = UINT32_MAX;
		if (!inside)
			break;
	}
}

int wf_cli_lab_reach(const struct wf_cli_lab *lab, const char *source, const char *destination,
		     struct wf_str *out, struct wf_err *err)
{
	const uint8_t protos[] = { IPPROTO_TCP,  IPPROTO_UDP,    IPPROTO_SCTP,
				   IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_GRE };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct meant src = { .slot = UINT32_MAX }, dst = src;
	size_t family, whole = 0, asked = 0;
	int r = find_both(lab, source, destination, &src, &dst, &family, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < WF_ARRAY_LEN(protos); i++) {
		_cleanup_str_ struct wf_str ports = WF_STR_INIT;
		bool all = false;

		if (protos[i] == (family ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			continue;
		asked++;
		add_proto(lab, &src, &dst, family, protos[i], &ports, &all);
		whole += all;
		if (!all && !ports.len)
			continue;
		wf_str_addf(&text, "%s%s%s%s", text.len ? " " : "", wf_str_text(&ports),
			    ports.len ? "/" : "", proto_text(protos[i]));
	}
	if (whole == asked)
		wf_str_add(out, "everything");
	else
		wf_str_add(out, text.len ? wf_str_text(&text) : "nothing");
	return text.failed || out->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

void wf_cli_lab_rule(const struct wf_cli_lab *lab, uint32_t number, struct wf_str *out)
{
	struct wf_policy_rule_info info;

	if (!number || !wf_policy_engine_rule(lab->engine, number, &info))
		return;
	wf_str_addf(out, "%s %s", info.key,
		    info.rule ? info.rule->path : "isolates: no rule allows it");
}
