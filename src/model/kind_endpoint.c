/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of an Endpoint. */
#include "base/mem.h"
#include "model/endpoint.h"
#include "model/kind_priv.h"

static const char *const phases[] = { "Pending", "Ready", NULL };

static const struct wf_schema publish_fields[] = {
	{ .name = "hostIP",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"127.0.0.1\"",
	  .help = "The host's address; `0.0.0.0`: all of IPv4. Default: all." },
	{ .name = "hostPort",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "8080",
	  .help = "The host's port." },
	{ .name = "hostPortEnd",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 1,
	  .max = UINT16_MAX,
	  .help = "Last port of a range; the container's ports follow alike." },
	{ .name = "containerPort",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "80",
	  .help = "The container's port, the first one of a range." },
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .fallback = "\"TCP\"",
	  .help = "`TCP`, `UDP` or `SCTP`." },
	WF_SCHEMA_END,
};

static const struct wf_schema publish = { .type = WF_SCHEMA_OBJECT, .fields = publish_fields };

static const struct wf_schema port_fields[] = {
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .max = 63,
	  .example = "\"http\"",
	  .help = "Its name." },
	{ .name = "port",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = 1,
	  .max = UINT16_MAX,
	  .example = "8080",
	  .help = "Its number." },
	{ .name = "protocol",
	  .type = WF_SCHEMA_STRING,
	  .fallback = "\"TCP\"",
	  .help = "`TCP`, `UDP` or `SCTP`." },
	WF_SCHEMA_END,
};

static const struct wf_schema port = { .type = WF_SCHEMA_OBJECT, .fields = port_fields };

static const struct wf_schema spec_fields[] = {
	{ .name = "network",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .help = "The network it belongs to." },
	{ .name = "interface",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .help = "Name of the interface inside the container." },
	{ .name = "netns",
	  .type = WF_SCHEMA_STRING,
	  .help = "Path of the network namespace as it was given." },
	{ .name = "owner", .type = WF_SCHEMA_STRING, .help = "Who asked for it: `cli`, `cni`." },
	{ .name = "containerID",
	  .type = WF_SCHEMA_STRING,
	  .help = "The container it was made for." },
	{ .name = "node",
	  .type = WF_SCHEMA_STRING,
	  .help = "The node it is on, where several share the store." },
	{ .name = "sticky",
	  .type = WF_SCHEMA_STRING,
	  .help = "Name to which the addresses and the MAC stick." },
	{ .name = "defaultRoute",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "It carries the container's default route." },
	{ .name = "publish",
	  .type = WF_SCHEMA_LIST,
	  .item = &publish,
	  .max = WF_MAX_PUBLISHED,
	  .help = "Ports of the host that lead to it." },
	{ .name = "ports",
	  .type = WF_SCHEMA_LIST,
	  .item = &port,
	  .max = WF_ENDPOINT_MAX_PORTS,
	  .help = "Ports of the container that have names, for the targetPort of services." },
	{ .name = "extra",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = (const struct wf_schema[]){ WF_SCHEMA_END },
	  .help = "Passed through from the attach request: aliases, dns, cgroupPath." },
	WF_SCHEMA_END,
};

static const struct wf_schema address_fields[] = {
	{ .name = "address",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"10.64.0.5/16\"",
	  .help = "Address with the prefix length of its subnet." },
	{ .name = "gateway", .type = WF_SCHEMA_STRING, .help = "The gateway, if there is one." },
	WF_SCHEMA_END,
};

static const struct wf_schema address = { .type = WF_SCHEMA_OBJECT, .fields = address_fields };

static const struct wf_schema device_fields[] = {
	{ .name = "name", .type = WF_SCHEMA_STRING, .help = "Name of the host's end." },
	{ .name = "index",
	  .type = WF_SCHEMA_INTEGER,
	  .max = UINT32_MAX,
	  .help = "Interface index of the host's end." },
	WF_SCHEMA_END,
};

static const struct wf_schema namespace_fields[] = {
	{ .name = "device", .type = WF_SCHEMA_INTEGER, .help = "Device of the namespace's inode." },
	{ .name = "inode", .type = WF_SCHEMA_INTEGER, .help = "Inode of the namespace." },
	{ .name = "cookie",
	  .type = WF_SCHEMA_INTEGER,
	  .help = "Cookie of the namespace (`SO_NETNS_COOKIE`)." },
	{ .name = "id",
	  .type = WF_SCHEMA_INTEGER,
	  .min = -1,
	  .max = INT32_MAX,
	  .help = "The namespace's id in the host's." },
	WF_SCHEMA_END,
};

static const struct wf_schema status_fields[] = {
	{ .name = "phase",
	  .type = WF_SCHEMA_STRING,
	  .choices = phases,
	  .help = "Where it stands." },
	{ .name = "addresses",
	  .type = WF_SCHEMA_LIST,
	  .item = &address,
	  .max = WF_MAX_ENDPOINT_ADDRESSES,
	  .help = "Its addresses." },
	{ .name = "mac", .type = WF_SCHEMA_STRING, .help = "Its MAC." },
	{ .name = "mtu", .type = WF_SCHEMA_INTEGER, .max = UINT32_MAX, .help = "Its MTU." },
	{ .name = "slot",
	  .type = WF_SCHEMA_INTEGER,
	  .max = WF_MAX_SLOTS - 1,
	  .help = "Its place in the tables of the datapath." },
	{ .name = "hostInterface",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = device_fields,
	  .help = "The host's end of the link." },
	{ .name = "namespace",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = namespace_fields,
	  .help = "Identity of the network namespace." },
	{ .name = "bootID",
	  .type = WF_SCHEMA_STRING,
	  .max = 36,
	  .help = "The boot of the host that the namespace lives in." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_endpoint_fields[] = {
	WF_KIND_COMMON_FIELDS,
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = spec_fields,
	  .help = "What was asked for." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = status_fields,
	  .read_only = true,
	  .open = true,
	  .help = "What it is." },
	WF_SCHEMA_END,
};

int wf_kind_endpoint_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint endpoint = { .mtu = 0 };

	return wf_endpoint_from_json(&endpoint, document, err);
}
