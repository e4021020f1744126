/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a Node, as far as policies ask for them. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/node.h"

static const char *const versions[] = { WF_NODE_API_VERSION, NULL };

static const struct wf_schema address_fields[] = {
	{ .name = "type",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"InternalIP\"",
	  .help = "What it is: those of `InternalIP` and `ExternalIP` are the node's, "
		  "`LinkLocalIP` is where neighbours send IPv6." },
	{ .name = "address",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"192.0.2.1\"",
	  .help = "The address, or a name." },
	WF_SCHEMA_END,
};

static const struct wf_schema address = { .type = WF_SCHEMA_OBJECT, .fields = address_fields };

static const struct wf_schema status_fields[] = {
	{ .name = "addresses",
	  .type = WF_SCHEMA_LIST,
	  .item = &address,
	  .max = 1024,
	  .help = "Where it is reached. Read when applied; the annotation `weft.dev/addresses` "
		  "(a list with commas) adds to them." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_node_fields[] = {
	WF_KIND_FIELDS(versions, WF_NODE_API_VERSION, wf_kind_cluster_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "Kept, not used." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = status_fields,
	  .help = "What the node is." },
	WF_SCHEMA_END,
};

int wf_kind_node_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };

	return wf_node_from_json(&node, document, err);
}
