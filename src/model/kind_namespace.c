/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a Namespace, as far as policies ask for them. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/namespace.h"

static const char *const versions[] = { WF_NAMESPACE_API_VERSION, NULL };

const struct wf_schema wf_kind_namespace_fields[] = {
	WF_KIND_FIELDS(versions, WF_NAMESPACE_API_VERSION, wf_kind_cluster_metadata_fields),
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "Kept, not used." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .open = true,
	  .fields = wf_kind_nothing_fields,
	  .help = "What others say of it; kept." },
	WF_SCHEMA_END,
};

int wf_kind_namespace_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_namespace_done) struct wf_namespace namespace = { .audit = false };

	return wf_namespace_from_json(&namespace, document, err);
}
