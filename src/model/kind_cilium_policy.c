/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of the policies of cilium.io/v2, of a namespace and of the cluster. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/policy_priv.h"

static const char *const versions[] = { WF_POLICY_CILIUM_API_VERSION, NULL };
static const char *const entities[] = {
	"all",          "world",  "world-ipv4",  "world-ipv6",     "cluster",
	"cluster-mesh", "host",   "remote-node", "kube-apiserver", "ingress",
	"init",         "health", "unmanaged",   "none",           NULL,
};

static const char *const modes[] = { "disabled", "required", "test-always-fail", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema anything = { .type = WF_SCHEMA_ANY };
static const struct wf_schema entity = { .type = WF_SCHEMA_STRING, .choices = entities };
static const struct wf_schema selector = { .type = WF_SCHEMA_OBJECT,
					   .fields = wf_kind_label_selector_fields };

static const struct wf_schema cidr_set_fields[] = {
	{ .name = "cidr",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"192.0.2.0/24\"",
	  .help = "The addresses." },
	{ .name = "cidrGroupRef",
	  .type = WF_SCHEMA_STRING,
	  .max = 253,
	  .help = "Name of a group; kept, not enforced yet." },
	{ .name = "cidrGroupSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Labels of groups; kept, not enforced yet." },
	{ .name = "except",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = WF_POLICY_MAX_PEERS,
	  .help = "Parts of cidr that are not meant." },
	WF_SCHEMA_END,
};

static const struct wf_schema cidr_set = { .type = WF_SCHEMA_OBJECT, .fields = cidr_set_fields };

static const struct wf_schema service_fields[] = {
	{ .name = "serviceName",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"web\"",
	  .help = "Its name." },
	{ .name = "namespace",
	  .type = WF_SCHEMA_STRING,
	  .help = "Its namespace. Default: the policy's own; every one for a policy of the "
		  "cluster." },
	WF_SCHEMA_END,
};

static const struct wf_schema service_selector_fields[] = {
	{ .name = "selector",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Its labels." },
	{ .name = "namespace",
	  .type = WF_SCHEMA_STRING,
	  .help = "Its namespace. Default: the policy's own; every one for a policy of the "
		  "cluster." },
	WF_SCHEMA_END,
};

static const struct wf_schema to_service_fields[] = {
	{ .name = "k8sService",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = service_fields,
	  .help = "A service by name." },
	{ .name = "k8sServiceSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = service_selector_fields,
	  .help = "Services by labels; instead of k8sService." },
	WF_SCHEMA_END,
};

static const struct wf_schema to_service = { .type = WF_SCHEMA_OBJECT,
					     .fields = to_service_fields };

static const struct wf_schema authentication_fields[] = {
	{ .name = "mode",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = modes,
	  .example = "\"disabled\"",
	  .help = "`required`: kept, not enforced yet; the rule fails closed." },
	WF_SCHEMA_END,
};

/* Whom a rule is about, in either direction. */
#define PEERS(way, who)                                                                       \
	{ .name = way "Endpoints",                                                            \
	  .type = WF_SCHEMA_LIST,                                                             \
	  .item = &selector,                                                                  \
	  .max = WF_POLICY_MAX_PEERS,                                                         \
	  .help = who " endpoints that one of these selects; of the own namespace unless it " \
		      "names one." },                                                         \
		{ .name = way "Requires",                                                     \
		  .type = WF_SCHEMA_LIST,                                                     \
		  .item = &selector,                                                          \
		  .help = "No longer in use; must be empty." },                               \
		{ .name = way "CIDR",                                                         \
		  .type = WF_SCHEMA_LIST,                                                     \
		  .item = &text,                                                              \
		  .max = WF_POLICY_MAX_PEERS,                                                 \
		  .example = "[\"192.0.2.0/24\"]",                                            \
		  .help = who " addresses outside in one of these prefixes." },               \
		{ .name = way "CIDRSet",                                                      \
		  .type = WF_SCHEMA_LIST,                                                     \
		  .item = &cidr_set,                                                          \
		  .max = WF_POLICY_MAX_PEERS,                                                 \
		  .help = "The same, with exceptions." },                                     \
		{ .name = way "Entities",                                                     \
		  .type = WF_SCHEMA_LIST,                                                     \
		  .item = &entity,                                                            \
		  .max = WF_POLICY_MAX_PEERS,                                                 \
		  .example = "[\"world\"]",                                                   \
		  .help = who " what one of these words means." },                            \
		{ .name = way "Groups",                                                       \
		  .type = WF_SCHEMA_LIST,                                                     \
		  .item = &anything,                                                          \
		  .help = "Groups of a cloud; kept, not enforced yet." },                     \
	{                                                                                     \
		.name = way "Nodes", .type = WF_SCHEMA_LIST, .item = &selector,               \
		.max = WF_POLICY_MAX_PEERS, .help = who " nodes that one of these selects."   \
	}

#define TO_SERVICES                                                                      \
	{                                                                                \
		.name = "toServices", .type = WF_SCHEMA_LIST, .item = &to_service,       \
		.max = WF_POLICY_MAX_PEERS, .help = "To the backends of these services." \
	}

static const struct wf_schema ingress_fields[] = {
	PEERS("from", "From"),
	{ .name = "toPorts",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_ports,
	  .max = 1000,
	  .help = "The ports. Default: all, of every protocol." },
	{ .name = "icmps",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_icmp,
	  .max = 1000,
	  .help = "Types of ICMP; instead of toPorts." },
	{ .name = "authentication",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = authentication_fields,
	  .help = "Whether both ends must prove who they are." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress = { .type = WF_SCHEMA_OBJECT, .fields = ingress_fields };

static const struct wf_schema ingress_deny_fields[] = {
	PEERS("from", "From"),
	{ .name = "toPorts",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_deny_ports,
	  .max = 1000,
	  .help = "The ports. Default: all, of every protocol." },
	{ .name = "icmps",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_icmp,
	  .max = 1000,
	  .help = "Types of ICMP; instead of toPorts." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress_deny = { .type = WF_SCHEMA_OBJECT,
					       .fields = ingress_deny_fields };

static const struct wf_schema egress_fields[] = {
	PEERS("to", "To"),
	TO_SERVICES,
	{ .name = "toFQDNs",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_name,
	  .max = WF_POLICY_MAX_PEERS,
	  .help = "To these names; kept, not enforced yet: the rule fails closed." },
	{ .name = "toPorts",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_ports,
	  .max = 1000,
	  .help = "The ports. Default: all, of every protocol." },
	{ .name = "icmps",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_icmp,
	  .max = 1000,
	  .help = "Types of ICMP; instead of toPorts." },
	{ .name = "authentication",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = authentication_fields,
	  .help = "Whether both ends must prove who they are." },
	WF_SCHEMA_END,
};

static const struct wf_schema egress = { .type = WF_SCHEMA_OBJECT, .fields = egress_fields };

static const struct wf_schema egress_deny_fields[] = {
	PEERS("to", "To"),
	TO_SERVICES,
	{ .name = "toPorts",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_deny_ports,
	  .max = 1000,
	  .help = "The ports. Default: all, of every protocol." },
	{ .name = "icmps",
	  .type = WF_SCHEMA_LIST,
	  .item = &wf_kind_cilium_icmp,
	  .max = 1000,
	  .help = "Types of ICMP; instead of toPorts." },
	WF_SCHEMA_END,
};

static const struct wf_schema egress_deny = { .type = WF_SCHEMA_OBJECT,
					      .fields = egress_deny_fields };

static const struct wf_schema default_deny_fields[] = {
	{ .name = "ingress", .type = WF_SCHEMA_BOOL, .help = "For what comes in." },
	{ .name = "egress", .type = WF_SCHEMA_BOOL, .help = "For what goes out." },
	WF_SCHEMA_END,
};

static const struct wf_schema log_fields[] = {
	{ .name = "value",
	  .type = WF_SCHEMA_STRING,
	  .max = 32,
	  .help = "A word for the log; kept." },
	WF_SCHEMA_END,
};

static const struct wf_schema spec_fields[] = {
	{ .name = "endpointSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "The endpoints that it is for." },
	{ .name = "nodeSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "CiliumClusterwideNetworkPolicy: the nodes that it is for; instead of "
		  "endpointSelector." },
	{ .name = "ingress",
	  .type = WF_SCHEMA_LIST,
	  .item = &ingress,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may come in." },
	{ .name = "ingressDeny",
	  .type = WF_SCHEMA_LIST,
	  .item = &ingress_deny,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may not come in, whatever is allowed." },
	{ .name = "egress",
	  .type = WF_SCHEMA_LIST,
	  .item = &egress,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may go out." },
	{ .name = "egressDeny",
	  .type = WF_SCHEMA_LIST,
	  .item = &egress_deny,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may not go out, whatever is allowed." },
	{ .name = "enableDefaultDeny",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = default_deny_fields,
	  .help = "Whether what no rule allows is denied. Default: where there are rules." },
	{ .name = "description", .type = WF_SCHEMA_STRING, .max = 64 << 10, .help = "For people." },
	{ .name = "labels",
	  .type = WF_SCHEMA_LIST,
	  .item = &anything,
	  .max = 1024,
	  .help = "For people and tools; kept." },
	{ .name = "log",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = log_fields,
	  .help = "For the log; kept." },
	WF_SCHEMA_END,
};

static const struct wf_schema rule = { .type = WF_SCHEMA_OBJECT, .fields = spec_fields };

const struct wf_schema wf_kind_cilium_policy_fields[] = {
	WF_KIND_FIELDS(versions, WF_POLICY_CILIUM_API_VERSION, wf_kind_namespaced_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = spec_fields,
	  .help = "Whom it is for, and what they may do." },
	{ .name = "specs",
	  .type = WF_SCHEMA_LIST,
	  .item = &rule,
	  .max = 1000,
	  .help = "The same several times; all hold." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_cilium_cluster_policy_fields[] = {
	WF_KIND_FIELDS(versions, WF_POLICY_CILIUM_API_VERSION, wf_kind_cluster_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = spec_fields,
	  .help = "Whom it is for, and what they may do." },
	{ .name = "specs",
	  .type = WF_SCHEMA_LIST,
	  .item = &rule,
	  .max = 1000,
	  .help = "The same several times; all hold." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};
