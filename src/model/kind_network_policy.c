/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a NetworkPolicy, as networking.k8s.io/v1 of Kubernetes has them. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/policy_priv.h"

static const char *const versions[] = { WF_POLICY_NETWORK_API_VERSION, NULL };
static const char *const types[] = { "Ingress", "Egress", NULL };

static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema type = { .type = WF_SCHEMA_STRING, .choices = types };

static const struct wf_schema block_fields[] = {
	{ .name = "cidr",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"192.0.2.0/24\"",
	  .help = "The addresses, of endpoints as well." },
	{ .name = "except",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = WF_POLICY_MAX_PEERS,
	  .help = "Parts of cidr that are not meant." },
	WF_SCHEMA_END,
};

static const struct wf_schema peer_fields[] = {
	{ .name = "podSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Endpoints by their labels; of the own namespace unless namespaceSelector is "
		  "there." },
	{ .name = "namespaceSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "Namespaces by their labels." },
	{ .name = "ipBlock",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = block_fields,
	  .help = "Addresses; instead of the selectors." },
	WF_SCHEMA_END,
};

static const struct wf_schema peer = { .type = WF_SCHEMA_OBJECT, .fields = peer_fields };

static const struct wf_schema port_fields[] = {
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"TCP\"",
	  .help = "Its protocol." },
	{ .name = "port",
	  .type = WF_SCHEMA_INT_OR_STRING,
	  .example = "80",
	  .help = "The port by number or by its name at the endpoint. Default: all." },
	{ .name = "endPort",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 1,
	  .max = UINT16_MAX,
	  .help = "Last port of a range that begins with port." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema ingress_fields[] = {
	{ .name = "from",
	  .type = WF_SCHEMA_LIST,
	  .item = &peer,
	  .max = WF_POLICY_MAX_PEERS,
	  .help = "Who may come in. Default: everybody." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = WF_POLICY_MAX_PORTS,
	  .help = "The ports that may be used. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema ingress = { .type = WF_SCHEMA_OBJECT, .fields = ingress_fields };

static const struct wf_schema egress_fields[] = {
	{ .name = "to",
	  .type = WF_SCHEMA_LIST,
	  .item = &peer,
	  .max = WF_POLICY_MAX_PEERS,
	  .help = "Whom it may talk to. Default: everybody." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = WF_POLICY_MAX_PORTS,
	  .help = "The ports that may be used. Default: all, of every protocol." },
	WF_SCHEMA_END,
};

static const struct wf_schema egress = { .type = WF_SCHEMA_OBJECT, .fields = egress_fields };

static const struct wf_schema spec_fields[] = {
	{ .name = "podSelector",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = wf_kind_label_selector_fields,
	  .help = "The endpoints that it is for, of the own namespace. Default: all." },
	{ .name = "policyTypes",
	  .type = WF_SCHEMA_LIST,
	  .item = &type,
	  .max = 2,
	  .help = "Directions in which they are isolated. Default: `Ingress`, and `Egress` if "
		  "there are egress rules." },
	{ .name = "ingress",
	  .type = WF_SCHEMA_LIST,
	  .item = &ingress,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may come in." },
	{ .name = "egress",
	  .type = WF_SCHEMA_LIST,
	  .item = &egress,
	  .max = WF_POLICY_MAX_RULES,
	  .help = "What may go out." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_network_policy_fields[] = {
	WF_KIND_FIELDS(versions, WF_POLICY_NETWORK_API_VERSION, wf_kind_namespaced_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = spec_fields,
	  .help = "Whom it isolates, and what is allowed nevertheless." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};
