/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of an AdminNetworkPolicy and a BaselineAdminNetworkPolicy, as
 * policy.networking.k8s.io/v1alpha1 has them.
 */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/policy_priv.h"

static const char *const versions[] = { WF_POLICY_ADMIN_API_VERSION, NULL };
static const char *const actions[] = { "Allow", "Deny", "Pass", NULL };

static const char *const baseline_actions[] = { "Allow", "Deny", NULL };

static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema pods_fields[] = {
	{ .name = "namespaceSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Their namespaces by labels. Default: all." },
	{ .name = "podSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Their own labels." },
	WF_SCHEMA_END,
};

static const struct wf_schema subject_fields[] = {
	{ .name = "namespaces",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "All endpoints of these namespaces." },
	{ .name = "pods",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = pods_fields,
	  .help = "These endpoints; instead of namespaces." },
	WF_SCHEMA_END,
};

static const struct wf_schema from_fields[] = {
	{ .name = "namespaces",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "All endpoints of these namespaces." },
	{ .name = "pods",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = pods_fields,
	  .help = "These endpoints." },
	WF_SCHEMA_END,
};

static const struct wf_schema from = { .type = WF_SCHEMA_OBJECT, .fields = from_fields };

static const struct wf_schema to_fields[] = {
	{ .name = "namespaces",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "All endpoints of these namespaces." },
	{ .name = "pods",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = pods_fields,
	  .help = "These endpoints." },
	{ .name = "nodes",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Nodes by their labels." },
	{ .name = "networks",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .min = 1,
	  .max = 25,
	  .example = "[\"192.0.2.0/24\"]",
	  .help = "Prefixes of addresses, of endpoints as well." },
	{ .name = "domainNames",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .min = 1,
	  .max = 25,
	  .help = "Domains; kept, not enforced yet." },
	WF_SCHEMA_END,
};

static const struct wf_schema to = { .type = WF_SCHEMA_OBJECT, .fields = to_fields };

static const struct wf_schema number_fields[] = {
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"TCP\"",
	  .help = "Its protocol." },
	{ .name = "port",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "80",
	  .help = "The port." },
	WF_SCHEMA_END,
};

static const struct wf_schema range_fields[] = {
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"TCP\"",
	  .help = "Its protocol." },
	{ .name = "start",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "8000",
	  .help = "Its first port." },
	{ .name = "end",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "8080",
	  .help = "Its last port." },
	WF_SCHEMA_END,
};

static const struct wf_schema port_fields[] = {
	{ .name = "portNumber",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = number_fields,
	  .help = "One port." },
	{ .name = "portRange",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = range_fields,
	  .help = "Ports from start to end." },
	{ .name = "namedPort",
	  .type = WF_SCHEMA_STRING,
	  .min = 1,
	  .max = 63,
	  .help = "A port by its name at the endpoint, of any protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema ingress_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .max = 100, .help = "For people." },
	{ .name = "action",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = actions,
	  .example = "\"Deny\"",
	  .help = "What becomes of it; `Pass`: the policies of namespaces decide." },
	{ .name = "from",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &from,
	  .min = 1,
	  .max = 100,
	  .help = "Who comes in; exactly one member each." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = 100,
	  .help = "The ports; exactly one member each. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress = { .type = WF_SCHEMA_OBJECT, .fields = ingress_fields };

static const struct wf_schema egress_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .max = 100, .help = "For people." },
	{ .name = "action",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = actions,
	  .example = "\"Deny\"",
	  .help = "What becomes of it; `Pass`: the policies of namespaces decide." },
	{ .name = "to",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &to,
	  .min = 1,
	  .max = 100,
	  .help = "Whom it talks to; exactly one member each." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = 100,
	  .help = "The ports; exactly one member each. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema egress = { .type = WF_SCHEMA_OBJECT, .fields = egress_fields };

static const struct wf_schema baseline_ingress_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .max = 100, .help = "For people." },
	{ .name = "action",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = baseline_actions,
	  .example = "\"Deny\"",
	  .help = "What becomes of it." },
	{ .name = "from",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &from,
	  .min = 1,
	  .max = 100,
	  .help = "Who comes in; exactly one member each." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = 100,
	  .help = "The ports; exactly one member each. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema baseline_ingress = { .type = WF_SCHEMA_OBJECT,
						   .fields = baseline_ingress_fields };

static const struct wf_schema baseline_egress_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .max = 100, .help = "For people." },
	{ .name = "action",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = baseline_actions,
	  .example = "\"Deny\"",
	  .help = "What becomes of it." },
	{ .name = "to",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &to,
	  .min = 1,
	  .max = 100,
	  .help = "Whom it talks to; exactly one member each." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = 100,
	  .help = "The ports; exactly one member each. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema baseline_egress = { .type = WF_SCHEMA_OBJECT,
						  .fields = baseline_egress_fields };

static const struct wf_schema spec_fields[] = {
	{ .name = "priority",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 0,
	  .max = 1000,
	  .example = "100",
	  .help = "Order among its like; lower comes first." },
	{ .name = "subject",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = subject_fields,
	  .help = "The endpoints that it is for." },
	{ .name = "ingress",
	  .type = WF_SCHEMA_LIST,
	  .item = &ingress,
	  .max = 100,
	  .help = "What comes in: the first rule that fits decides." },
	{ .name = "egress",
	  .type = WF_SCHEMA_LIST,
	  .item = &egress,
	  .max = 100,
	  .help = "What goes out: the first rule that fits decides." },
	WF_SCHEMA_END,
};

static const struct wf_schema baseline_spec_fields[] = {
	{ .name = "subject",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = subject_fields,
	  .help = "The endpoints that it is for." },
	{ .name = "ingress",
	  .type = WF_SCHEMA_LIST,
	  .item = &baseline_ingress,
	  .max = 100,
	  .help = "What comes in: the first rule that fits decides." },
	{ .name = "egress",
	  .type = WF_SCHEMA_LIST,
	  .item = &baseline_egress,
	  .max = 100,
	  .help = "What goes out: the first rule that fits decides." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_admin_policy_fields[] = {
	WF_KIND_FIELDS(versions, WF_POLICY_ADMIN_API_VERSION, wf_kind_cluster_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = spec_fields,
	  .help = "What is decided before the policies of namespaces." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_baseline_policy_fields[] = {
	WF_KIND_FIELDS(versions, WF_POLICY_ADMIN_API_VERSION, wf_kind_cluster_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = baseline_spec_fields,
	  .help = "What is decided for whom no policy of a namespace isolates." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};
