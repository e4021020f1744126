/* SPDX-License-Identifier: Apache-2.0 */
/* A service as a document: as it was read, with what was chosen since and defaults spelled out. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/protocol.h"
#include "model/service_priv.h"

static int set_integer(json_t *object, const char *key, json_int_t value)
{
	return json_object_set_new(object, key, json_integer(value));
}

static int set_string(json_t *object, const char *key, const char *text)
{
	return json_object_set_new(object, key, json_string(text));
}

/* Sets a member that is absent or null. value is stolen. */
static int set_default(json_t *object, const char *key, json_t *value)
{
	const json_t *member = json_object_get(object, key);

	if (member && !json_is_null(member)) {
		json_decref(value);
		return 0;
	}
	return json_object_set_new(object, key, value);
}

static int write_metadata(json_t *document, const struct wf_service *service)
{
	_cleanup_json_ json_t *own = wf_meta_to_json(&service->meta, WF_KIND_SERVICE);
	json_t *metadata = json_object_get(own, "metadata");

	if (!own || json_object_update_missing(metadata, json_object_get(document, "metadata")) < 0)
		return -ENOMEM;
	return json_object_set(document, "metadata", metadata);
}

static int write_cluster_ips(json_t *spec, const struct wf_service *service)
{
	json_t *list;

	if (service->headless)
		return json_object_set_new(spec, "clusterIP", json_string("None")) < 0
			       ? -ENOMEM
			       : json_object_set_new(spec, "clusterIPs", json_pack("[s]", "None"));
	if (!service->cluster_ip_count) {
		(void)json_object_del(spec, "clusterIP");
		(void)json_object_del(spec, "clusterIPs");
		return 0;
	}
	list = json_array();
	if (json_object_set_new(spec, "clusterIPs", list) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < service->cluster_ip_count; i++) {
		char text[WF_ADDR_TEXT];

		(void)wf_addr_format(&service->cluster_ips[i], text);
		if (json_array_append_new(list, json_string(text)) < 0 ||
		    (i == 0 && set_string(spec, "clusterIP", text) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* Of the cluster IPs, in their order; of what is wanted while there are none. */
static int write_families(json_t *spec, const struct wf_service *service)
{
	bool first_ip6 = service->ip6_first || !service->want_ip4;
	bool two = service->want_ip4 && service->want_ip6;
	const char *first;
	json_t *list;

	if (service->cluster_ip_count) {
		first_ip6 = !wf_addr_is_ip4(&service->cluster_ips[0]);
		two = service->cluster_ip_count == 2;
	}
	first = first_ip6 ? "IPv6" : "IPv4";
	list = two ? json_pack("[s, s]", first, first_ip6 ? "IPv4" : "IPv6")
		   : json_pack("[s]", first);
	if (json_object_set_new(spec, "ipFamilies", list) < 0)
		return -ENOMEM;
	return set_default(spec, "ipFamilyPolicy",
			   json_string(service->require_dual ? "RequireDualStack" : "SingleStack"));
}

static int write_port(json_t *item, const struct wf_service_port *port)
{
	json_t *target = *port->target_name ? json_string(port->target_name)
					    : json_integer(port->target_port);

	if (set_default(item, "targetPort", target) < 0 ||
	    set_default(item, "protocol", json_string(wf_protocol_name(port->proto))) < 0)
		return -ENOMEM;
	return port->node_port ? set_integer(item, "nodePort", port->node_port) : 0;
}

static int write_ports(json_t *spec, const struct wf_service *service)
{
	json_t *list = json_object_get(spec, "ports");

	for (size_t i = 0; i < service->port_count; i++)
		if (write_port(json_array_get(list, i), &service->ports[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int write_affinity(json_t *spec, const struct wf_service *service)
{
	if (set_default(spec, "sessionAffinity", json_string("None")) < 0)
		return -ENOMEM;
	if (!service->affinity_s)
		return 0;
	return json_object_set_new(
		spec, "sessionAffinityConfig",
		json_pack("{s:{s:i}}", "clientIP", "timeoutSeconds", (int)service->affinity_s));
}

static int write_policies(json_t *spec, const struct wf_service *service)
{
	bool balancer = service->type == WF_SERVICE_LOAD_BALANCER;
	bool external =
		balancer || service->type == WF_SERVICE_NODE_PORT || service->external_ips.count;

	if (set_default(spec, "internalTrafficPolicy", json_string("Cluster")) < 0)
		return -ENOMEM;
	if (external && set_default(spec, "externalTrafficPolicy", json_string("Cluster")) < 0)
		return -ENOMEM;
	if (balancer && set_default(spec, "allocateLoadBalancerNodePorts", json_true()) < 0)
		return -ENOMEM;
	if (!service->health_check_node_port)
		return 0;
	return set_integer(spec, "healthCheckNodePort", service->health_check_node_port);
}

static int write_spec(json_t *spec, const struct wf_service *service)
{
	if (set_string(spec, "type", wf_service_type_name(service->type)) < 0 ||
	    write_affinity(spec, service) < 0)
		return -ENOMEM;
	if (service->type == WF_SERVICE_EXTERNAL_NAME)
		return 0;
	if (write_cluster_ips(spec, service) < 0 || write_families(spec, service) < 0 ||
	    write_ports(spec, service) < 0)
		return -ENOMEM;
	return write_policies(spec, service);
}

json_t *wf_service_to_json(const struct wf_service *service)
{
	_cleanup_json_ json_t *document = json_deep_copy(service->document);
	json_t *spec = json_object_get(document, "spec");

	if (!spec || write_metadata(document, service) < 0 || write_spec(spec, service) < 0)
		return NULL;
	return TAKE_PTR(document);
}
