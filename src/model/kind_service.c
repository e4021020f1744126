/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a Service, as core/v1 of Kubernetes has them. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/service_priv.h"

static const char *const versions[] = { WF_SERVICE_API_VERSION, NULL };
static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer", "ExternalName",
				     NULL };
static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };
static const char *const affinities[] = { "None", "ClientIP", NULL };
static const char *const policies[] = { "Cluster", "Local", NULL };
static const char *const families[] = { "IPv4", "IPv6", NULL };
static const char *const family_policies[] = { "SingleStack", "PreferDualStack", "RequireDualStack",
					       NULL };
static const char *const distributions[] = { "PreferClose", "PreferSameZone", "PreferSameNode",
					     NULL };
static const char *const ip_modes[] = { "VIP", "Proxy", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };
static const struct wf_schema family = { .type = WF_SCHEMA_STRING, .choices = families };
static const struct wf_schema anything = { .type = WF_SCHEMA_ANY };

static const struct wf_schema port_fields[] = {
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .max = 63,
	  .example = "\"http\"",
	  .help = "Name of the port, by which slices refer to it; required where there are "
		  "several." },
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"TCP\"",
	  .help = "Its protocol." },
	{ .name = "appProtocol",
	  .type = WF_SCHEMA_STRING,
	  .help = "What is spoken there; kept, not used." },
	{ .name = "port",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "80",
	  .help = "The port that clients use." },
	{ .name = "targetPort",
	  .type = WF_SCHEMA_INT_OR_STRING,
	  .example = "8080",
	  .help = "The backends' port, by number or by its name in their spec.ports. Default: "
		  "port." },
	{ .name = "nodePort",
	  .type = WF_SCHEMA_INTEGER,
	  .max = UINT16_MAX,
	  .help = "NodePort, LoadBalancer: the port on every address of the host. Default: a free "
		  "one is chosen." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema client_fields[] = {
	{ .name = "timeoutSeconds",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 1,
	  .max = WF_SERVICE_MAX_AFFINITY_S,
	  .fallback = "10800",
	  .help = "How long a client that is silent keeps its backend." },
	WF_SCHEMA_END,
};

static const struct wf_schema affinity_fields[] = {
	{ .name = "clientIP",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = client_fields,
	  .help = "Of the affinity to the client's address." },
	WF_SCHEMA_END,
};

static const struct wf_schema spec_fields[] = {
	{ .name = "type",
	  .type = WF_SCHEMA_STRING,
	  .choices = types,
	  .fallback = "\"ClusterIP\"",
	  .help = "Where it can be reached: each type has what the ones before it have." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = WF_SERVICE_MAX_PORTS,
	  .help = "Its ports; at least one unless it is headless." },
	{ .name = "selector",
	  .type = WF_SCHEMA_MAP,
	  .item = &text,
	  .max = 1024,
	  .example = "{\"app\": \"web\"}",
	  .help = "Labels of the endpoints that are its backends. Without it only slices name "
		  "backends." },
	{ .name = "clusterIP",
	  .type = WF_SCHEMA_STRING,
	  .help = "Its address, `None` for a headless service. Default: one is chosen." },
	{ .name = "clusterIPs",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = 2,
	  .help = "Its addresses, one per family; the first is clusterIP." },
	{ .name = "ipFamilies",
	  .type = WF_SCHEMA_LIST,
	  .item = &family,
	  .max = 2,
	  .help = "Its families in the order of clusterIPs." },
	{ .name = "ipFamilyPolicy",
	  .type = WF_SCHEMA_STRING,
	  .choices = family_policies,
	  .help = "Whether it has one family or both." },
	{ .name = "externalIPs",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = 256,
	  .example = "[\"198.51.100.10\"]",
	  .help = "Further addresses that somebody routes to this host." },
	{ .name = "externalName",
	  .type = WF_SCHEMA_STRING,
	  .max = 253,
	  .help = "ExternalName: the DNS name it stands for." },
	{ .name = "sessionAffinity",
	  .type = WF_SCHEMA_STRING,
	  .choices = affinities,
	  .fallback = "\"None\"",
	  .help = "`ClientIP`: the same client gets the same backend." },
	{ .name = "sessionAffinityConfig",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = affinity_fields,
	  .help = "Its time-out." },
	{ .name = "internalTrafficPolicy",
	  .type = WF_SCHEMA_STRING,
	  .choices = policies,
	  .fallback = "\"Cluster\"",
	  .help = "`Local`: containers and the host get backends of this node only." },
	{ .name = "externalTrafficPolicy",
	  .type = WF_SCHEMA_STRING,
	  .choices = policies,
	  .fallback = "\"Cluster\"",
	  .help = "`Local`: clients from outside get backends of this node only, which see their "
		  "addresses." },
	{ .name = "healthCheckNodePort",
	  .type = WF_SCHEMA_INTEGER,
	  .max = UINT16_MAX,
	  .help = "LoadBalancer with externalTrafficPolicy Local: where a balancer asks whether "
		  "this node has backends. Default: a free one is chosen." },
	{ .name = "publishNotReadyAddresses",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "Backends found by the selector count as ready, whatever they are." },
	{ .name = "loadBalancerIP",
	  .type = WF_SCHEMA_STRING,
	  .help = "LoadBalancer: an address it is reached at." },
	{ .name = "loadBalancerClass",
	  .type = WF_SCHEMA_STRING,
	  .help = "LoadBalancer: whose balancer it is; kept, not used." },
	{ .name = "loadBalancerSourceRanges",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = 1024,
	  .example = "[\"203.0.113.0/24\"]",
	  .help = "LoadBalancer: clients that may use its balancer's addresses. Default: all." },
	{ .name = "allocateLoadBalancerNodePorts",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "true",
	  .help = "LoadBalancer: it has node ports as well." },
	{ .name = "trafficDistribution",
	  .type = WF_SCHEMA_STRING,
	  .choices = distributions,
	  .help = "Which backends are preferred. Of slices their hints say it." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress_fields[] = {
	{ .name = "ip", .type = WF_SCHEMA_STRING, .help = "An address of the balancer." },
	{ .name = "ipMode",
	  .type = WF_SCHEMA_STRING,
	  .choices = ip_modes,
	  .help = "`Proxy`: packets to it go to the balancer itself, not to a backend. Default: "
		  "`VIP`." },
	{ .name = "hostname", .type = WF_SCHEMA_STRING, .help = "A name of the balancer." },
	{ .name = "ports", .type = WF_SCHEMA_LIST, .item = &anything, .help = "Kept, not used." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress = { .type = WF_SCHEMA_OBJECT, .fields = ingress_fields };

static const struct wf_schema balancer_fields[] = {
	{ .name = "ingress",
	  .type = WF_SCHEMA_LIST,
	  .item = &ingress,
	  .max = 256,
	  .help = "Addresses of the balancer in front of the service. Read when applied, as there "
		  "may be no controller that writes them." },
	WF_SCHEMA_END,
};

static const struct wf_schema status_fields[] = {
	{ .name = "loadBalancer",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = balancer_fields,
	  .help = "LoadBalancer: where it is reached." },
	{ .name = "conditions",
	  .type = WF_SCHEMA_LIST,
	  .item = &anything,
	  .help = "What keeps it from working, if anything does." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_service_fields[] = {
	WF_KIND_FIELDS(versions, WF_SERVICE_API_VERSION, wf_kind_namespaced_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = spec_fields,
	  .help = "What the service shall be." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = status_fields,
	  .open = true,
	  .help = "What the service is." },
	WF_SCHEMA_END,
};

int wf_kind_service_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_service_done) struct wf_service service = { .headless = false };

	return wf_service_from_json(&service, document, err);
}
