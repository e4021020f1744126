/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the kinds, one file each; kind.c puts them into one list. */
#ifndef WEFT_MODEL_KIND_PRIV_H
#define WEFT_MODEL_KIND_PRIV_H

#include "model/document.h"
#include "model/meta.h"
#include "model/schema.h"

extern const char *const wf_kind_api_versions[];
extern const struct wf_schema wf_kind_metadata_fields[];
extern const struct wf_schema wf_kind_namespaced_metadata_fields[];
/* Of Kubernetes' kinds without namespaces. */
extern const struct wf_schema wf_kind_cluster_metadata_fields[];

/* What kinds of policies share. */
extern const struct wf_schema wf_kind_nothing_fields[];
extern const struct wf_schema wf_kind_label_selector_fields[];
extern const struct wf_schema wf_kind_cilium_name;
extern const struct wf_schema wf_kind_cilium_ports;
extern const struct wf_schema wf_kind_cilium_deny_ports;
extern const struct wf_schema wf_kind_cilium_icmp;

/* What every document begins with; the kind's own fields follow. */
#define WF_KIND_FIELDS(versions, version, metadata_fields)                      \
	{ .name = "apiVersion",                                                 \
	  .type = WF_SCHEMA_STRING,                                             \
	  .required = true,                                                     \
	  .choices = (versions),                                                \
	  .example = "\"" version "\"",                                         \
	  .help = "Group and version of the kind." },                           \
		{ .name = "kind",                                               \
		  .type = WF_SCHEMA_STRING,                                     \
		  .required = true,                                             \
		  .help = "What the document describes." },                     \
	{                                                                       \
		.name = "metadata", .type = WF_SCHEMA_OBJECT, .required = true, \
		.fields = (metadata_fields), .help = "Name and labels."         \
	}

#define WF_KIND_COMMON_FIELDS \
	WF_KIND_FIELDS(wf_kind_api_versions, WF_API_VERSION, wf_kind_metadata_fields)

extern const struct wf_schema wf_kind_network_fields[];
extern const struct wf_schema wf_kind_endpoint_fields[];
extern const struct wf_schema wf_kind_reservation_fields[];
extern const struct wf_schema wf_kind_service_fields[];
extern const struct wf_schema wf_kind_endpoint_slice_fields[];
extern const struct wf_schema wf_kind_network_policy_fields[];
extern const struct wf_schema wf_kind_cluster_policy_fields[];
extern const struct wf_schema wf_kind_admin_policy_fields[];
extern const struct wf_schema wf_kind_baseline_policy_fields[];
extern const struct wf_schema wf_kind_cilium_policy_fields[];
extern const struct wf_schema wf_kind_cilium_cluster_policy_fields[];
extern const struct wf_schema wf_kind_namespace_fields[];
extern const struct wf_schema wf_kind_node_fields[];

/* The deep checks: whether the kind's own from_json accepts the document. */
int wf_kind_network_check(const json_t *document, struct wf_err *err);
int wf_kind_endpoint_check(const json_t *document, struct wf_err *err);
int wf_kind_reservation_check(const json_t *document, struct wf_err *err);
int wf_kind_service_check(const json_t *document, struct wf_err *err);
int wf_kind_endpoint_slice_check(const json_t *document, struct wf_err *err);
int wf_kind_policy_check(const json_t *document, struct wf_err *err);
int wf_kind_namespace_check(const json_t *document, struct wf_err *err);
int wf_kind_node_check(const json_t *document, struct wf_err *err);

#endif
