/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a service from its document, with the checks and defaults of Kubernetes. Its ports,
 * families, addresses and annotations have files of their own.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/service_priv.h"

/* Labels that say that a service is another proxy's, or no proxy's. */
#define LABEL_PROXY_NAME "service.kubernetes.io/service-proxy-name"
#define LABEL_HEADLESS   "service.kubernetes.io/headless"

static int read_meta(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	int r = wf_meta_from_json(&service->meta, document, err);

	if (r < 0)
		return r;
	if (!wf_meta_is_label(service->meta.name))
		return wf_field_fail(err, "metadata.name",
				     "\"%s\" is not a service's name (up to 63 lower-case letters, "
				     "digits or '-', a letter or digit at both ends)",
				     wf_field_excerpt(service->meta.name, excerpt));
	if (!*service->meta.namespace)
		(void)wf_str_copy(service->meta.namespace, sizeof(service->meta.namespace),
				  WF_NAMESPACE_DEFAULT);
	service->foreign = wf_labels_get(&service->meta.labels, LABEL_PROXY_NAME) ||
			   wf_labels_get(&service->meta.labels, LABEL_HEADLESS);
	return 0;
}

static int read_type(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	const char *text = wf_json_str(spec, "type", "ClusterIP");
	unsigned int type = 0;

	while (type < WF_SERVICE_TYPE_COUNT &&
	       strcmp(wf_service_type_name((enum wf_service_type)type), text) != 0)
		type++;
	service->type = (enum wf_service_type)type;
	if (service->type == WF_SERVICE_EXTERNAL_NAME && !*wf_json_str(spec, "externalName", ""))
		return wf_field_fail(err, "spec.externalName",
				     "is missing (type ExternalName wants a DNS name)");
	return 0;
}

static int read_selector(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");

	service->publish_not_ready = wf_json_bool(spec, "publishNotReadyAddresses", false);
	return wf_labels_from_json(&service->selector, json_object_get(spec, "selector"),
				   "spec.selector", true, err);
}

static int read_affinity(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	const json_t *config = json_object_get(spec, "sessionAffinityConfig");
	const json_t *client = json_object_get(config, "clientIP");
	bool wanted = strcmp(wf_json_str(spec, "sessionAffinity", "None"), "ClientIP") == 0;
	int64_t timeout = wf_json_int(client, "timeoutSeconds", WF_SERVICE_AFFINITY_S);

	if (!wanted && json_object_size(client))
		return wf_field_fail(err, "spec.sessionAffinityConfig",
				     "means nothing unless sessionAffinity is ClientIP");
	if (timeout < 1 || timeout > WF_SERVICE_MAX_AFFINITY_S)
		return wf_field_fail(err, "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
				     "%" PRId64 " is not between 1 and %d", timeout,
				     WF_SERVICE_MAX_AFFINITY_S);
	service->affinity_s = wanted ? (uint32_t)timeout : 0;
	return 0;
}

/* Whether clients from outside can have an address of the service. */
static bool is_external(const struct wf_service *service)
{
	return service->type == WF_SERVICE_NODE_PORT || service->type == WF_SERVICE_LOAD_BALANCER ||
	       service->external_ips.count;
}

static int read_policies(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	const char *external = wf_json_str(spec, "externalTrafficPolicy", "");
	const char *internal = wf_json_str(spec, "internalTrafficPolicy", "Cluster");

	if (*external && !is_external(service))
		return wf_field_fail(err, "spec.externalTrafficPolicy",
				     "is for services that are reached from outside (type NodePort "
				     "or LoadBalancer, or with externalIPs)");
	service->external_local = strcmp(external, "Local") == 0;
	service->internal_local = strcmp(internal, "Local") == 0;
	return 0;
}

static int read_balancer(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	bool balancer = service->type == WF_SERVICE_LOAD_BALANCER;
	int64_t port = wf_json_int(spec, "healthCheckNodePort", 0);
	const char *only = NULL;

	if (json_is_boolean(json_object_get(spec, "allocateLoadBalancerNodePorts")))
		only = "spec.allocateLoadBalancerNodePorts";
	else if (*wf_json_str(spec, "loadBalancerClass", ""))
		only = "spec.loadBalancerClass";
	if (only && !balancer)
		return wf_field_fail(err, only, "is for type LoadBalancer only, not for %s",
				     wf_service_type_name(service->type));
	if (port && !(balancer && service->external_local))
		return wf_field_fail(err, "spec.healthCheckNodePort",
				     "is for type LoadBalancer with externalTrafficPolicy Local "
				     "only");
	service->health_check_node_port = (uint16_t)port;
	service->allocate_node_ports = wf_json_bool(spec, "allocateLoadBalancerNodePorts", true);
	return 0;
}

static int keep_document(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	service->document = json_deep_copy(document);
	if (!service->document)
		return wf_fail(err, -ENOMEM, "out of memory");
	/* what weft shows of a service is no part of it */
	(void)json_object_del(json_object_get(service->document, "status"), "weft");
	return 0;
}

int wf_service_from_json(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	static int (*const steps[])(struct wf_service *, const json_t *, struct wf_err *) = {
		read_meta,
		read_type,
		read_selector,
		wf_service_read_families,
		wf_service_read_addresses,
		wf_service_read_ports,
		read_affinity,
		read_policies,
		read_balancer,
		wf_service_read_annotations,
		keep_document,
	};
	_cleanup_(wf_service_done) struct wf_service fresh = { .type = WF_SERVICE_CLUSTER_IP };
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(steps); i++)
		r = steps[i](&fresh, document, err);
	if (r < 0)
		return wf_field_name_object(r, document, err);
	*service = fresh;
	fresh = (struct wf_service){ .type = WF_SERVICE_CLUSTER_IP };
	return 0;
}
