/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of metadata: of weft's own kinds, and of those that Kubernetes defines. */
#include "base/mem.h"
#include "model/kind_priv.h"

static const struct wf_schema label_value = { .type = WF_SCHEMA_STRING };
static const struct wf_schema annotation_value = {
	.type = WF_SCHEMA_STRING,
	.max = 256 << 10,
};

#define NAME_FIELD(text)                                                                          \
	{                                                                                         \
		.name = "name", .type = WF_SCHEMA_STRING, .required = true, .min = 1, .max = 253, \
		.example = "\"blue\"", .help = text                                               \
	}

#define LABEL_FIELDS(annotations_text)                                                   \
	{ .name = "labels",                                                              \
	  .type = WF_SCHEMA_MAP,                                                         \
	  .item = &label_value,                                                          \
	  .max = 1024,                                                                   \
	  .help = "Key-value pairs by which objects are selected." },                    \
	{                                                                                \
		.name = "annotations", .type = WF_SCHEMA_MAP, .item = &annotation_value, \
		.max = 1024, .help = annotations_text                                    \
	}

#define STORED_FIELDS                                                                     \
	{ .name = "uid",                                                                  \
	  .type = WF_SCHEMA_STRING,                                                       \
	  .read_only = true,                                                              \
	  .max = 36,                                                                      \
	  .help = "Identity of the object among all that ever had its name." },           \
		{ .name = "resourceVersion",                                              \
		  .type = WF_SCHEMA_INT_OR_STRING,                                        \
		  .read_only = true,                                                      \
		  .help = "Revision of the last change." },                               \
	{                                                                                 \
		.name = "creationTimestamp", .type = WF_SCHEMA_STRING, .read_only = true, \
		.help = "When the object was stored first."                               \
	}

#define FOREIGN "Of documents that come from Kubernetes; ignored."

#define FOREIGN_FIELDS                                                               \
	{ .name = "generation", .type = WF_SCHEMA_INTEGER, .help = FOREIGN },        \
		{ .name = "managedFields", .type = WF_SCHEMA_ANY, .help = FOREIGN }, \
	{                                                                            \
		.name = "selfLink", .type = WF_SCHEMA_STRING, .help = FOREIGN        \
	}

#define KUBERNETES_FIELDS                                                                   \
	{ .name = "generateName", .type = WF_SCHEMA_STRING, .help = FOREIGN },              \
		{ .name = "deletionTimestamp", .type = WF_SCHEMA_STRING, .help = FOREIGN }, \
		{ .name = "deletionGracePeriodSeconds",                                     \
		  .type = WF_SCHEMA_INTEGER,                                                \
		  .help = FOREIGN },                                                        \
		{ .name = "finalizers", .type = WF_SCHEMA_ANY, .help = FOREIGN },           \
	{                                                                                   \
		.name = "ownerReferences", .type = WF_SCHEMA_ANY, .help = FOREIGN           \
	}

const struct wf_schema wf_kind_metadata_fields[] = {
	NAME_FIELD("Name of the object, unique among those of its kind: lower-case letters, "
		   "digits, `-` and `.`; not `all`."),
	LABEL_FIELDS("Key-value pairs for people and tools; weft keeps them and does not read "
		     "them."),
	STORED_FIELDS,
	FOREIGN_FIELDS,
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_namespaced_metadata_fields[] = {
	NAME_FIELD("Name of the object, unique among those of its kind and namespace: "
		   "lower-case letters, digits, `-` and `.`; not `all`."),
	{ .name = "namespace",
	  .type = WF_SCHEMA_STRING,
	  .max = 63,
	  .fallback = "\"default\"",
	  .help = "The namespace of the object; it need not exist beforehand." },
	LABEL_FIELDS("Key-value pairs for people and tools. Those of `weft.dev/` say what "
		     "Kubernetes has no field for, see docs/services.md."),
	STORED_FIELDS,
	FOREIGN_FIELDS,
	KUBERNETES_FIELDS,
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_cluster_metadata_fields[] = {
	NAME_FIELD("Name of the object, unique among those of its kind: lower-case letters, "
		   "digits, `-` and `.`; not `all`."),
	LABEL_FIELDS("Key-value pairs for people and tools. Those of `weft.dev/` say what "
		     "Kubernetes has no field for."),
	STORED_FIELDS,
	FOREIGN_FIELDS,
	KUBERNETES_FIELDS,
	WF_SCHEMA_END,
};
