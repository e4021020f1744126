/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all kinds, and what is made from their tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"
#include "model/endpoint.h"
#include "model/field_priv.h"
#include "model/kind_priv.h"
#include "model/network.h"
#include "model/reservation.h"

const char *const wf_kind_api_versions[] = { WF_API_VERSION, NULL };

static const struct wf_schema label_value = { .type = WF_SCHEMA_STRING };
static const struct wf_schema annotation_value = {
	.type = WF_SCHEMA_STRING,
	.max = 256 << 10,
};

const struct wf_schema wf_kind_metadata_fields[] = {
	{ .name = "name",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 253,
	  .example = "\"blue\"",
	  .help = "Name of the object, unique among those of its kind: lower-case letters, digits, "
		  "`-` and `.`; not `all`." },
	{ .name = "labels",
	  .type = WF_SCHEMA_MAP,
	  .item = &label_value,
	  .max = 1024,
	  .help = "Key-value pairs by which objects are selected." },
	{ .name = "annotations",
	  .type = WF_SCHEMA_MAP,
	  .item = &annotation_value,
	  .max = 1024,
	  .help = "Key-value pairs for people and tools; weft keeps them and does not read them." },
	{ .name = "uid",
	  .type = WF_SCHEMA_STRING,
	  .read_only = true,
	  .max = 36,
	  .help = "Identity of the object among all that ever had its name." },
	{ .name = "resourceVersion",
	  .type = WF_SCHEMA_INT_OR_STRING,
	  .read_only = true,
	  .help = "Revision of the last change." },
	{ .name = "creationTimestamp",
	  .type = WF_SCHEMA_STRING,
	  .read_only = true,
	  .help = "When the object was stored first." },
	{ .name = "generation",
	  .type = WF_SCHEMA_INTEGER,
	  .help = "Of documents that come from Kubernetes; ignored." },
	{ .name = "managedFields",
	  .type = WF_SCHEMA_ANY,
	  .help = "Of documents that come from Kubernetes; ignored." },
	{ .name = "selfLink",
	  .type = WF_SCHEMA_STRING,
	  .help = "Of documents that come from Kubernetes; ignored." },
	WF_SCHEMA_END,
};

static const char *const network_aliases[] = { "net", "nets", NULL };
static const char *const endpoint_aliases[] = { "ep", "eps", NULL };
static const char *const reservation_aliases[] = { "res", NULL };

static const struct wf_kind kinds[] = {
	{
		.name = WF_KIND_NETWORK,
		.plural = "networks",
		.aliases = network_aliases,
		.user_writable = true,
		.check = wf_kind_network_check,
		.fields = wf_kind_network_fields,
		.help = "A named L3 domain: its driver, subnets and rules.",
	},
	{
		.name = WF_KIND_ENDPOINT,
		.plural = "endpoints",
		.aliases = endpoint_aliases,
		.user_writable = false,
		.check = wf_kind_endpoint_check,
		.fields = wf_kind_endpoint_fields,
		.help = "One interface of one container, pod or namespace in one network. Written "
			"by weft on attach; it cannot be applied.",
	},
	{
		.name = WF_KIND_RESERVATION,
		.plural = "reservations",
		.aliases = reservation_aliases,
		.user_writable = true,
		.check = wf_kind_reservation_check,
		.fields = wf_kind_reservation_fields,
		.help = "Addresses, and a MAC, of a network that are held for a name.",
	},
	{ .name = NULL },
};

const struct wf_kind *wf_kind_all(void)
{
	return kinds;
}

static bool answers_to(const struct wf_kind *kind, const char *name)
{
	if (strcasecmp(kind->name, name) == 0 || strcasecmp(kind->plural, name) == 0)
		return true;
	for (size_t i = 0; kind->aliases[i]; i++)
		if (strcasecmp(kind->aliases[i], name) == 0)
			return true;
	return false;
}

const struct wf_kind *wf_kind_find(const char *name)
{
	for (const struct wf_kind *kind = kinds; kind->name; kind++)
		if (answers_to(kind, name))
			return kind;
	return NULL;
}

static const char *kind_at(const void *context, size_t index)
{
	return ((const struct wf_kind *)context)[index].name;
}

/* The kind of a document, by its exact name. */
static int find_exact(const json_t *root, const struct wf_kind **ret_kind, struct wf_err *err)
{
	const json_t *member = json_object_get(root, "kind");
	const char *text = json_string_value(member), *nearest;
	char excerpt[WF_FIELD_EXCERPT_BYTES], hint[64] = "";
	_cleanup_str_ struct wf_str names = WF_STR_INIT;
	size_t count = WF_ARRAY_LEN(kinds) - 1;

	if (!member)
		return wf_field_fail(err, "kind", "is missing (want a string such as \"Network\")");
	if (!text)
		return wf_field_fail(err, "kind", "want a string such as \"Network\"");
	for (const struct wf_kind *kind = kinds; kind->name; kind++) {
		if (strcmp(kind->name, text) == 0) {
			*ret_kind = kind;
			return 0;
		}
	}
	nearest = wf_field_nearest(text, count, kind_at, kinds);
	if (nearest)
		(void)snprintf(hint, sizeof(hint), " (did you mean \"%s\"?)", nearest);
	for (const struct wf_kind *kind = kinds; kind->name; kind++)
		wf_str_addf(&names, "%s%s", kind == kinds ? "" : ", ", kind->name);
	return wf_field_fail(err, "kind", "\"%s\" is not one of %s%s",
			     wf_field_excerpt(text, excerpt), wf_str_text(&names), hint);
}

int wf_document_check(const json_t *root, struct wf_err *err)
{
	const struct wf_kind *kind;
	const json_t *metadata;
	int r;

	if (!json_is_object(root))
		return wf_field_fail(err, "", "a document must be a mapping");
	r = find_exact(root, &kind, err);
	if (r < 0)
		return r;
	r = wf_schema_check(kind->fields, root, err);
	metadata = json_object_get(root, "metadata");
	if (r == 0)
		r = wf_meta_check_name(wf_json_str(metadata, "name", ""), "metadata.name", err);
	return wf_field_name_object(r, root, err);
}

int wf_document_check_deep(const json_t *root, struct wf_err *err)
{
	int r = wf_document_check(root, err);

	if (r < 0)
		return r;
	return wf_kind_find(wf_json_str(root, "kind", ""))->check(root, err);
}

json_t *wf_kind_schema(const char *name)
{
	const struct wf_kind *kind = wf_kind_find(name);
	_cleanup_json_ json_t *schema = kind ? wf_schema_to_json(kind->fields) : NULL;
	json_t *kind_field = json_object_get(json_object_get(schema, "properties"), "kind");

	if (!schema || json_object_set_new(kind_field, "const", json_string(kind->name)) < 0 ||
	    wf_json_set_str(schema, "$schema", "https://json-schema.org/draft/2020-12/schema") <
		    0 ||
	    wf_json_set_str(schema, "title", kind->name) < 0 ||
	    wf_json_set_str(schema, "description", kind->help) < 0)
		return NULL;
	return TAKE_PTR(schema);
}

int wf_kind_markdown(const char *name, struct wf_str *out)
{
	const struct wf_kind *kind = wf_kind_find(name);

	if (!kind)
		return -ENOENT;
	wf_str_addf(out, "## %s\n\n%s\n\n", kind->name, kind->help);
	wf_schema_markdown(kind->fields, out);
	return out->failed ? -ENOMEM : 0;
}
