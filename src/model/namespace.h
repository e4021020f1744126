/* SPDX-License-Identifier: Apache-2.0 */
/* A Namespace of Kubernetes: labels by which policies select what is in it. Pure. */
#ifndef WEFT_MODEL_NAMESPACE_H
#define WEFT_MODEL_NAMESPACE_H

#include "model/meta.h"

#define WF_KIND_NAMESPACE        "Namespace"
#define WF_NAMESPACE_API_VERSION "v1"

struct wf_namespace {
	struct wf_meta meta;
	bool audit; /* what would be denied to its endpoints passes and is told */
};

void wf_namespace_done(struct wf_namespace *namespace);

/* Reads a document that passed wf_document_check(). *namespace is zeroed; untouched on failure. */
int wf_namespace_from_json(struct wf_namespace *namespace, const json_t *document,
			   struct wf_err *err);

#endif
