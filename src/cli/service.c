/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/event.h"

static const json_t *spec_of(const json_t *service)
{
	return json_object_get(service, "spec");
}

/* The ports as they are in force; NULL when the document does not say. */
static const json_t *live_ports(const json_t *service)
{
	const json_t *status = json_object_get(service, "status");

	return json_object_get(json_object_get(status, "weft"), "ports");
}

static void add_joined(struct wf_str *out, size_t start, const char *text)
{
	if (!*text)
		return;
	wf_str_add(out, out->len > start ? "," : "");
	wf_str_add_escaped(out, text);
}

static void format_cluster_ips(const json_t *service, struct wf_str *out)
{
	const json_t *spec = spec_of(service);

	if (json_array_size(json_object_get(spec, "clusterIPs")))
		wf_cli_add_path(spec, "clusterIPs", out);
	else
		wf_cli_add_path(spec, "clusterIP", out);
}

static void format_external(const json_t *service, struct wf_str *out)
{
	const json_t *balancer =
		json_object_get(json_object_get(service, "status"), "loadBalancer");
	size_t start = out->len, i;
	const json_t *item;

	wf_cli_add_path(spec_of(service), "externalName", out);
	wf_cli_add_path(spec_of(service), "externalIPs", out);
	json_array_foreach(json_object_get(balancer, "ingress"), i, item) {
		add_joined(out, start, wf_json_str(item, "ip", ""));
		if (!*wf_json_str(item, "ip", ""))
			add_joined(out, start, wf_json_str(item, "hostname", ""));
	}
}

/* "80:30080/TCP,53/UDP" */
static void format_ports(const json_t *service, struct wf_str *out)
{
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(spec_of(service), "ports"), i, port) {
		wf_str_addf(out, "%s%lld", i ? "," : "", (long long)wf_json_int(port, "port", 0));
		if (wf_json_int(port, "nodePort", 0))
			wf_str_addf(out, ":%lld", (long long)wf_json_int(port, "nodePort", 0));
		wf_str_add(out, "/");
		wf_str_add_escaped(out, wf_json_str(port, "protocol", "TCP"));
	}
}

/* Remembers the backends of one port: "address:port" -> whether it is ready. */
static void gather_backends(const json_t *port, json_t *seen)
{
	const json_t *backend;
	size_t i;

	json_array_foreach(json_object_get(port, "backends"), i, backend) {
		_cleanup_str_ struct wf_str key = WF_STR_INIT;
		bool ready = strcmp(wf_json_str(backend, "state", ""), "ready") == 0;

		wf_cli_side_add(backend, &key);
		(void)json_object_set_new(seen, wf_str_text(&key), json_boolean(ready));
	}
}

/* "2/3": ready ones of all; one that serves several ports of the service under one is one. */
static void format_backends(const json_t *service, struct wf_str *out)
{
	const json_t *ports = live_ports(service), *port;
	_cleanup_json_ json_t *seen = json_object();
	size_t ready = 0, i;
	const char *key;
	json_t *value;

	if (!ports || !seen)
		return;
	json_array_foreach(ports, i, port)
		gather_backends(port, seen);
	json_object_foreach(seen, key, value)
		ready += json_is_true(value);
	wf_str_addf(out, "%zu/%zu", ready, json_object_size(seen));
}

static void add_sum(const json_t *service, const char *member, struct wf_str *out)
{
	const json_t *ports = live_ports(service), *port;
	long long sum = 0;
	size_t i;

	json_array_foreach(ports, i, port)
		sum += wf_json_int(port, member, 0);
	if (ports)
		wf_str_addf(out, "%lld", sum);
}

static void format_hits(const json_t *service, struct wf_str *out)
{
	add_sum(service, "connections", out);
}

static void format_refused(const json_t *service, struct wf_str *out)
{
	add_sum(service, "refused", out);
}

static void format_algorithms(const json_t *service, struct wf_str *out)
{
	wf_cli_add_path(json_array_get(live_ports(service), 0), "algorithm", out);
}

const struct wf_cli_column wf_cli_service_columns[] = {
	{ .header = "NAMESPACE", .path = "metadata.namespace" },
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "TYPE", .path = "spec.type" },
	{ .header = "CLUSTER-IP", .format = format_cluster_ips },
	{ .header = "EXTERNAL-IP", .format = format_external },
	{ .header = "PORTS", .format = format_ports },
	{ .header = "BACKENDS", .format = format_backends },
	{ .header = "HITS", .format = format_hits },
	{ .header = "REFUSED", .format = format_refused, .wide = true },
	{ .header = "ALGORITHM", .format = format_algorithms, .wide = true },
	{ .header = "SELECTOR", .path = "spec.selector", .wide = true },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age, .wide = true },
	{ .header = NULL },
};

static void format_name(const json_t *service, struct wf_str *out)
{
	wf_cli_add_path(service, "metadata.namespace", out);
	wf_str_add(out, "/");
	wf_cli_add_path(service, "metadata.name", out);
}

/* "ClientIP for 10800s" */
static void format_affinity(const json_t *service, struct wf_str *out)
{
	static const char timeout[] = "sessionAffinityConfig.clientIP.timeoutSeconds";
	const json_t *spec = spec_of(service);

	wf_str_add_escaped(out, wf_json_str(spec, "sessionAffinity", "None"));
	if (strcmp(wf_json_str(spec, "sessionAffinity", ""), "ClientIP") != 0)
		return;
	wf_str_add(out, " for ");
	wf_cli_add_path(spec, timeout, out);
	wf_str_add(out, "s");
}

static const struct wf_cli_column head_columns[] = {
	{ .header = "Service", .format = format_name },
	{ .header = "Type", .path = "spec.type" },
	{ .header = "Cluster IPs", .format = format_cluster_ips },
	{ .header = "External", .format = format_external },
	{ .header = "Ports", .format = format_ports },
	{ .header = "Selector", .path = "spec.selector" },
	{ .header = "Affinity", .format = format_affinity },
	{ .header = "Policy inside", .path = "spec.internalTrafficPolicy" },
	{ .header = "Policy outside", .path = "spec.externalTrafficPolicy" },
	{ .header = NULL },
};

/* "10.96.0.10:80", "*:30080" for every address of the host */
static void format_address(const json_t *end, struct wf_str *out)
{
	const char *address = wf_json_str(end, "address", "");

	if (*address && strcmp(address, "0.0.0.0") != 0 && strcmp(address, "::") != 0)
		wf_cli_side_add(end, out);
	else
		wf_str_addf(out, "*:%lld", (long long)wf_json_int(end, "port", 0));
}

static const struct wf_cli_column frontend_columns[] = {
	{ .header = "FRONTEND", .format = format_address },
	{ .header = "TYPE", .path = "type" },
	{ .header = "SEEN BY", .path = "scope" },
	{ .header = NULL },
};

static void format_serves(const json_t *backend, struct wf_str *out)
{
	bool inside = wf_json_bool(backend, "inside", false);
	bool outside = wf_json_bool(backend, "outside", false);

	if (inside && outside)
		wf_str_add(out, "all");
	else if (inside || outside)
		wf_str_add(out, inside ? "inside" : "outside");
	else
		wf_str_add(out, "nobody new");
}

static const struct wf_cli_column backend_columns[] = {
	{ .header = "BACKEND", .format = format_address },
	{ .header = "STATE", .path = "state" },
	{ .header = "SERVES", .format = format_serves },
	{ .header = "ACTIVE", .path = "active" },
	{ .header = "WEIGHT", .path = "weight" },
	{ .header = "NODE", .path = "node" },
	{ .header = "ZONE", .path = "zone" },
	{ .header = "TARGET", .path = "target" },
	{ .header = NULL },
};

static void add_list(const struct wf_cli_column *columns, const json_t *items, struct wf_str *out)
{
	if (json_array_size(items) && wf_cli_add_table(columns, items, true, out) < 0)
		out->failed = true;
}

static void add_port(const json_t *port, struct wf_str *out)
{
	wf_str_add(out, "\n");
	wf_str_add_escaped(out, wf_json_str(port, "key", "?"));
	if (*wf_json_str(port, "name", "")) {
		wf_str_add(out, " (");
		wf_str_add_escaped(out, wf_json_str(port, "name", ""));
		wf_str_add(out, ")");
	}
	wf_str_add(out, ": ");
	wf_str_add_escaped(out, wf_json_str(port, "algorithm", "?"));
	wf_str_addf(out, ", %lld hits, %lld refused\n",
		    (long long)wf_json_int(port, "connections", 0),
		    (long long)wf_json_int(port, "refused", 0));
	add_list(frontend_columns, json_object_get(port, "frontends"), out);
	if (json_array_size(json_object_get(port, "backends")))
		add_list(backend_columns, json_object_get(port, "backends"), out);
	else
		wf_str_add(out, "no backends\n");
}

void wf_cli_service_add(const json_t *service, struct wf_str *out)
{
	const json_t *status = json_object_get(json_object_get(service, "status"), "weft");
	const json_t *conditions = json_object_get(status, "conditions"), *port;
	_cleanup_json_ json_t *single = json_pack("[O]", service);
	size_t i;

	if (!single) {
		out->failed = true;
		return;
	}
	wf_cli_add_fields(head_columns, single, false, out);
	if (json_array_size(conditions))
		wf_str_add(out, "\n");
	add_list(wf_cli_condition_columns, conditions, out);
	json_array_foreach(json_object_get(status, "ports"), i, port)
		add_port(port, out);
	if (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
}
