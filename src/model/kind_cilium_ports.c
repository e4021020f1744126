/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of toPorts and icmps of Cilium policies, as cilium.io/v2 has them. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/policy_priv.h"

static const char *const protocols[] = { "TCP",  "UDP", "SCTP", "ANY",  "ICMP", "ICMPV6", "VRRP",
					 "IGMP", "GRE", "IPIP", "IPV6", "ESP",  "AH",     NULL };

static const char *const families[] = { "IPv4", "IPv6", NULL };

static const char *const mismatches[] = { "LOG", "ADD", "DELETE", "REPLACE", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema pairs = { .type = WF_SCHEMA_MAP, .item = &text };

#define KEPT "Checked and kept, not enforced yet: the rule fails closed."

static const struct wf_schema port_fields[] = {
	{ .name = "port",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 63,
	  .example = "\"80\"",
	  .help = "The port by number or by its name at the endpoint; `0`: all." },
	{ .name = "endPort",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 0,
	  .max = UINT16_MAX,
	  .help = "Last port of a range that begins with port." },
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"ANY\"",
	  .help = "Its protocol. `ANY`: TCP, UDP and SCTP; with port 0 every one." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema secret_fields[] = {
	{ .name = "namespace", .type = WF_SCHEMA_STRING, .help = "Its namespace." },
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"secret\"",
	  .help = "Its name." },
	WF_SCHEMA_END,
};

static const struct wf_schema mismatch_fields[] = {
	{ .name = "mismatch",
	  .type = WF_SCHEMA_STRING,
	  .choices = mismatches,
	  .help = "What happens when it differs." },
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 253,
	  .example = "\"X-Key\"",
	  .help = "Name of the header." },
	{ .name = "secret",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = secret_fields,
	  .help = "Where its value is found." },
	{ .name = "value", .type = WF_SCHEMA_STRING, .help = "Its value." },
	WF_SCHEMA_END,
};

static const struct wf_schema mismatch = { .type = WF_SCHEMA_OBJECT, .fields = mismatch_fields };

static const struct wf_schema http_fields[] = {
	{ .name = "path", .type = WF_SCHEMA_STRING, .help = "Regular expression of the path." },
	{ .name = "method", .type = WF_SCHEMA_STRING, .help = "Regular expression of the method." },
	{ .name = "host", .type = WF_SCHEMA_STRING, .help = "Regular expression of the host." },
	{ .name = "headers",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .help = "Headers that must be there." },
	{ .name = "headerMatches",
	  .type = WF_SCHEMA_LIST,
	  .item = &mismatch,
	  .help = "Headers with values." },
	WF_SCHEMA_END,
};

static const struct wf_schema http = { .type = WF_SCHEMA_OBJECT, .fields = http_fields };

static const struct wf_schema kafka_fields[] = {
	{ .name = "role", .type = WF_SCHEMA_STRING, .help = "`produce` or `consume`." },
	{ .name = "apiVersion", .type = WF_SCHEMA_STRING, .help = "Version of the API." },
	{ .name = "apiKey", .type = WF_SCHEMA_STRING, .help = "Key of the API." },
	{ .name = "clientID", .type = WF_SCHEMA_STRING, .help = "Who asks." },
	{ .name = "topic", .type = WF_SCHEMA_STRING, .help = "The topic." },
	WF_SCHEMA_END,
};

static const struct wf_schema kafka = { .type = WF_SCHEMA_OBJECT, .fields = kafka_fields };

const struct wf_schema wf_kind_cilium_name_fields[] = {
	{ .name = "matchName", .type = WF_SCHEMA_STRING, .max = 255, .help = "The name itself." },
	{ .name = "matchPattern",
	  .type = WF_SCHEMA_STRING,
	  .max = 255,
	  .help = "The name with `*` in it." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_cilium_name = { .type = WF_SCHEMA_OBJECT,
					       .fields = wf_kind_cilium_name_fields };

static const struct wf_schema rules_fields[] = {
	{ .name = "http", .type = WF_SCHEMA_LIST, .item = &http, .help = KEPT },
	{ .name = "kafka", .type = WF_SCHEMA_LIST, .item = &kafka, .help = KEPT },
	{ .name = "dns", .type = WF_SCHEMA_LIST, .item = &wf_kind_cilium_name, .help = KEPT },
	{ .name = "l7proto", .type = WF_SCHEMA_STRING, .help = KEPT },
	{ .name = "l7", .type = WF_SCHEMA_LIST, .item = &pairs, .help = KEPT },
	WF_SCHEMA_END,
};

static const struct wf_schema listener_ref_fields[] = {
	{ .name = "kind", .type = WF_SCHEMA_STRING, .help = "Its kind." },
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 253,
	  .example = "\"envoy\"",
	  .help = "Its name." },
	WF_SCHEMA_END,
};

static const struct wf_schema listener_fields[] = {
	{ .name = "envoyConfig",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = listener_ref_fields,
	  .help = "Where it is defined." },
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 253,
	  .example = "\"listener\"",
	  .help = "Its name there." },
	{ .name = "priority",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 0,
	  .max = 100,
	  .help = "Order among several." },
	WF_SCHEMA_END,
};

static const struct wf_schema to_ports_fields[] = {
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &port,
	  .min = 1,
	  .max = 40,
	  .help = "The ports." },
	{ .name = "rules",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = rules_fields,
	  .help = "What may be spoken there; one kind of rules." },
	{ .name = "serverNames", .type = WF_SCHEMA_LIST, .item = &text, .help = KEPT },
	{ .name = "terminatingTLS",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = KEPT },
	{ .name = "originatingTLS",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = KEPT },
	{ .name = "listener", .type = WF_SCHEMA_OBJECT, .fields = listener_fields, .help = KEPT },
	WF_SCHEMA_END,
};

static const struct wf_schema deny_ports_fields[] = {
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &port,
	  .min = 1,
	  .max = 40,
	  .help = "The ports." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_cilium_ports = { .type = WF_SCHEMA_OBJECT,
						.fields = to_ports_fields };
const struct wf_schema wf_kind_cilium_deny_ports = { .type = WF_SCHEMA_OBJECT,
						     .fields = deny_ports_fields };

static const struct wf_schema type_fields[] = {
	{ .name = "family",
	  .type = WF_SCHEMA_STRING,
	  .choices = families,
	  .fallback = "\"IPv4\"",
	  .help = "Of IPv4, or of IPv6." },
	{ .name = "type",
	  .type = WF_SCHEMA_INT_OR_STRING,
	  .required = true,
	  .example = "\"EchoRequest\"",
	  .help = "The type by number or by name." },
	WF_SCHEMA_END,
};

static const struct wf_schema type = { .type = WF_SCHEMA_OBJECT, .fields = type_fields };

static const struct wf_schema icmp_fields[] = {
	{ .name = "fields",
	  .type = WF_SCHEMA_LIST,
	  .required = true,
	  .item = &type,
	  .min = 1,
	  .max = 40,
	  .help = "The types." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_cilium_icmp = { .type = WF_SCHEMA_OBJECT, .fields = icmp_fields };
