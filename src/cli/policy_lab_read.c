/* SPDX-License-Identifier: Apache-2.0 */
/* From documents to what a lab holds. */
#include "cli/policy_lab_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/namespace.h"
#include "model/network.h"
#include "model/node.h"

/* Addresses of those who have none: of the networks for benchmarks. */
#define MADE_UP4 "198.18.0.0"
#define MADE_UP6 "2001:2::"

void wf_cli_lab_endpoint_done(struct lab_endpoint *endpoint)
{
	free(endpoint->name);
	free(endpoint->namespace);
	free(endpoint->network);
	wf_labels_done(&endpoint->labels);
	wf_endpoint_done(&endpoint->ports);
}

static int add_policy(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err)
{
	struct wf_policy policy = { 0 };
	char name[WF_NAME_BYTES], key[WF_NAME_BYTES + 64];
	int r = wf_policy_from_json(&policy, document, err);

	if (r < 0)
		return r;
	(void)wf_document_key(document, name);
	(void)snprintf(key, sizeof(key), "%s/%s", policy.kind, name);
	r = wf_cli_lab_starts_add(lab, &policy);
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
	endpoint->network = strdup(wf_json_str(json_object_get(document, "spec"), "network", ""));
	if (!endpoint->name || !endpoint->namespace || !endpoint->network)
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
		wf_cli_lab_endpoint_done(&endpoint);
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
	if (strcmp(kind, WF_KIND_NETWORK) == 0)
		return wf_cli_lab_network_add(lab, document) < 0
			       ? wf_fail(err, -ENOMEM, "out of memory")
			       : 0;
	if (strcmp(kind, WF_KIND_ENDPOINT) == 0 || strcmp(kind, "Pod") == 0)
		return add_endpoint(lab, document, err);
	return 0;
}
