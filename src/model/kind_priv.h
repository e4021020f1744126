/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the kinds, one file each; kind.c puts them into one list. */
#ifndef WEFT_MODEL_KIND_PRIV_H
#define WEFT_MODEL_KIND_PRIV_H

#include "model/document.h"
#include "model/schema.h"

extern const char *const wf_kind_api_versions[];
extern const struct wf_schema wf_kind_metadata_fields[];

/* What every document begins with; the kind's own fields follow. */
#define WF_KIND_COMMON_FIELDS                                                   \
	{ .name = "apiVersion",                                                 \
	  .type = WF_SCHEMA_STRING,                                             \
	  .required = true,                                                     \
	  .choices = wf_kind_api_versions,                                      \
	  .example = "\"weft.dev/v1\"",                                         \
	  .help = "Group and version of the kind." },                           \
		{ .name = "kind",                                               \
		  .type = WF_SCHEMA_STRING,                                     \
		  .required = true,                                             \
		  .help = "What the document describes." },                     \
	{                                                                       \
		.name = "metadata", .type = WF_SCHEMA_OBJECT, .required = true, \
		.fields = wf_kind_metadata_fields, .help = "Name and labels."   \
	}

extern const struct wf_schema wf_kind_network_fields[];
extern const struct wf_schema wf_kind_endpoint_fields[];
extern const struct wf_schema wf_kind_reservation_fields[];

/* The deep checks: whether the kind's own from_json accepts the document. */
int wf_kind_network_check(const json_t *document, struct wf_err *err);
int wf_kind_endpoint_check(const json_t *document, struct wf_err *err);
int wf_kind_reservation_check(const json_t *document, struct wf_err *err);

#endif
