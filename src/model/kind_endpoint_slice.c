/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of an EndpointSlice, as discovery.k8s.io/v1 of Kubernetes has them. */
#include "base/mem.h"
#include "model/endpoint_slice.h"
#include "model/kind_priv.h"

static const char *const versions[] = { WF_ENDPOINT_SLICE_API_VERSION, NULL };
static const char *const address_types[] = { "IPv4", "IPv6", "FQDN", NULL };
static const char *const protocols[] = { "TCP", "UDP", "SCTP", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema port_fields[] = {
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .max = 63,
	  .help = "Name of the service's port that it belongs to." },
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .choices = protocols,
	  .fallback = "\"TCP\"",
	  .help = "Its protocol." },
	{ .name = "port",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "8080",
	  .help = "The backends' port. A port without a number is ignored." },
	{ .name = "appProtocol",
	  .type = WF_SCHEMA_STRING,
	  .help = "What is spoken there; kept, not used." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema condition_fields[] = {
	{ .name = "ready",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "true",
	  .help = "It takes new connections." },
	{ .name = "serving",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "true",
	  .help = "It can serve, even if it is about to end." },
	{ .name = "terminating",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "It is about to end: used only while no other is ready." },
	WF_SCHEMA_END,
};

static const struct wf_schema target_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .help = "What it is; shown to people." },
	WF_SCHEMA_END,
};

static const struct wf_schema hint_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .required = true, .help = "Its name." },
	WF_SCHEMA_END,
};

static const struct wf_schema hint = { .type = WF_SCHEMA_OBJECT, .fields = hint_fields };

static const struct wf_schema hints_fields[] = {
	{ .name = "forZones",
	  .type = WF_SCHEMA_LIST,
	  .item = &hint,
	  .max = 8,
	  .help = "Zones whose clients it is meant for." },
	{ .name = "forNodes",
	  .type = WF_SCHEMA_LIST,
	  .item = &hint,
	  .max = 8,
	  .help = "Nodes whose clients it is meant for." },
	WF_SCHEMA_END,
};

static const struct wf_schema endpoint_fields[] = {
	{ .name = "addresses",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .required = true,
	  .min = 1,
	  .max = 100,
	  .example = "[\"10.64.0.5\"]",
	  .help = "Its address; further ones mean nothing." },
	{ .name = "conditions",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = condition_fields,
	  .help = "Whether it serves." },
	{ .name = "hostname", .type = WF_SCHEMA_STRING, .help = "Its name in DNS; kept." },
	{ .name = "targetRef",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = target_fields,
	  .open = true,
	  .help = "The object behind it." },
	{ .name = "deprecatedTopology",
	  .type = WF_SCHEMA_MAP,
	  .item = &text,
	  .help = "Kept, not used." },
	{ .name = "nodeName",
	  .type = WF_SCHEMA_STRING,
	  .help = "The node it runs on; decides what Local policies mean." },
	{ .name = "zone", .type = WF_SCHEMA_STRING, .help = "The zone it runs in." },
	{ .name = "hints",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = hints_fields,
	  .help = "Whose clients it is meant for." },
	WF_SCHEMA_END,
};

static const struct wf_schema endpoint = { .type = WF_SCHEMA_OBJECT, .fields = endpoint_fields };

const struct wf_schema wf_kind_endpoint_slice_fields[] = {
	WF_KIND_FIELDS(versions, WF_ENDPOINT_SLICE_API_VERSION, wf_kind_namespaced_metadata_fields),
	{ .name = "addressType",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = address_types,
	  .example = "\"IPv4\"",
	  .help = "Family of its addresses. Names (`FQDN`) are kept, not used." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = 256,
	  .help = "Ports of all of its endpoints." },
	{ .name = "endpoints",
	  .type = WF_SCHEMA_LIST,
	  .item = &endpoint,
	  .max = WF_SLICE_MAX_ENDPOINTS,
	  .help = "The backends." },
	WF_SCHEMA_END,
};

int wf_kind_endpoint_slice_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_slice_done) struct wf_endpoint_slice slice = { .ip6 = false };

	return wf_endpoint_slice_from_json(&slice, document, err);
}
