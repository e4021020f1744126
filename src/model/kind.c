/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all kinds, and what is made from their tables. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"
#include "model/endpoint.h"
#include "model/endpoint_slice.h"
#include "model/field_priv.h"
#include "model/kind_priv.h"
#include "model/namespace.h"
#include "model/network.h"
#include "model/node.h"
#include "model/policy_priv.h"
#include "model/reservation.h"
#include "model/service.h"

const char *const wf_kind_api_versions[] = { WF_API_VERSION, NULL };

static const char *const network_aliases[] = { "net", "nets", NULL };
static const char *const endpoint_aliases[] = { "ep", "eps", NULL };
static const char *const reservation_aliases[] = { "res", NULL };
static const char *const service_aliases[] = { "svc", NULL };
static const char *const slice_aliases[] = { "slice", "slices", NULL };
static const char *const network_policy_aliases[] = { "netpol", "netpols", NULL };
/* the short name that its makers gave it, cnp, is that of CiliumNetworkPolicy */
static const char *const cluster_policy_aliases[] = { "cnetpol", "cnetpols", NULL };
static const char *const admin_policy_aliases[] = { "anp", NULL };
static const char *const baseline_policy_aliases[] = { "banp", NULL };
static const char *const cilium_policy_aliases[] = { "cnp", "ciliumnp", NULL };
static const char *const cilium_cluster_policy_aliases[] = { "ccnp", NULL };
static const char *const namespace_aliases[] = { "ns", NULL };
static const char *const node_aliases[] = { "no", NULL };

static const struct wf_kind kinds[] = {
	{
		.name = WF_KIND_NETWORK,
		.api_version = WF_API_VERSION,
		.plural = "networks",
		.aliases = network_aliases,
		.user_writable = true,
		.check = wf_kind_network_check,
		.fields = wf_kind_network_fields,
		.help = "A named L3 domain: its driver, subnets and rules.",
	},
	{
		.name = WF_KIND_ENDPOINT,
		.api_version = WF_API_VERSION,
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
		.api_version = WF_API_VERSION,
		.plural = "reservations",
		.aliases = reservation_aliases,
		.user_writable = true,
		.check = wf_kind_reservation_check,
		.fields = wf_kind_reservation_fields,
		.help = "Addresses, and a MAC, of a network that are held for a name.",
	},
	{
		.name = WF_KIND_SERVICE,
		.api_version = WF_SERVICE_API_VERSION,
		.plural = "services",
		.aliases = service_aliases,
		.namespaced = true,
		.user_writable = true,
		.check = wf_kind_service_check,
		.fields = wf_kind_service_fields,
		.help = "An address, or several, in front of backends that come and go; as "
			"Kubernetes "
			"defines it.",
	},
	{
		.name = WF_KIND_ENDPOINT_SLICE,
		.api_version = WF_ENDPOINT_SLICE_API_VERSION,
		.plural = "endpointslices",
		.aliases = slice_aliases,
		.namespaced = true,
		.user_writable = true,
		.check = wf_kind_endpoint_slice_check,
		.fields = wf_kind_endpoint_slice_fields,
		.help = "Backends of a service; as Kubernetes defines it.",
	},
	{
		.name = WF_KIND_NETWORK_POLICY,
		.api_version = WF_POLICY_NETWORK_API_VERSION,
		.plural = "networkpolicies",
		.aliases = network_policy_aliases,
		.namespaced = true,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_network_policy_fields,
		.help = "Who may talk to the endpoints of a namespace, and to whom they may; as "
			"Kubernetes defines it.",
	},
	{
		.name = WF_KIND_CLUSTER_POLICY,
		.api_version = WF_POLICY_CLUSTER_API_VERSION,
		.plural = "clusternetworkpolicies",
		.aliases = cluster_policy_aliases,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_cluster_policy_fields,
		.help = "What an administrator decides before the policies of namespaces, or "
			"where there are none; as Kubernetes defines it.",
	},
	{
		.name = WF_KIND_ADMIN_POLICY,
		.api_version = WF_POLICY_ADMIN_API_VERSION,
		.plural = "adminnetworkpolicies",
		.aliases = admin_policy_aliases,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_admin_policy_fields,
		.help = "What ClusterNetworkPolicy of the tier `Admin` was before.",
	},
	{
		.name = WF_KIND_BASELINE_POLICY,
		.api_version = WF_POLICY_ADMIN_API_VERSION,
		.plural = "baselineadminnetworkpolicies",
		.aliases = baseline_policy_aliases,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_baseline_policy_fields,
		.help = "What ClusterNetworkPolicy of the tier `Baseline` was before; there is "
			"one, `default`.",
	},
	{
		.name = WF_KIND_CILIUM_POLICY,
		.api_version = WF_POLICY_CILIUM_API_VERSION,
		.plural = "ciliumnetworkpolicies",
		.aliases = cilium_policy_aliases,
		.namespaced = true,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_cilium_policy_fields,
		.help = "Who may talk to the endpoints of a namespace, and to whom they may; as "
			"Cilium defines it.",
	},
	{
		.name = WF_KIND_CILIUM_CLUSTER_POLICY,
		.api_version = WF_POLICY_CILIUM_API_VERSION,
		.plural = "ciliumclusterwidenetworkpolicies",
		.aliases = cilium_cluster_policy_aliases,
		.user_writable = true,
		.check = wf_kind_policy_check,
		.fields = wf_kind_cilium_cluster_policy_fields,
		.help = "The same for endpoints of all namespaces, or for nodes; as Cilium "
			"defines it.",
	},
	{
		.name = WF_KIND_NAMESPACE,
		.api_version = WF_NAMESPACE_API_VERSION,
		.plural = "namespaces",
		.aliases = namespace_aliases,
		.user_writable = true,
		.check = wf_kind_namespace_check,
		.fields = wf_kind_namespace_fields,
		.help = "Labels by which policies select the endpoints of a namespace; as "
			"Kubernetes defines it.",
	},
	{
		.name = WF_KIND_NODE,
		.api_version = WF_NODE_API_VERSION,
		.plural = "nodes",
		.aliases = node_aliases,
		.user_writable = true,
		.check = wf_kind_node_check,
		.fields = wf_kind_node_fields,
		.help = "Labels and addresses of a node, by which policies tell nodes apart; as "
			"Kubernetes defines it.",
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

int wf_field_name_object(int r, const json_t *document, struct wf_err *err)
{
	const char *kind = json_string_value(json_object_get(document, "kind"));
	const json_t *metadata = json_object_get(document, "metadata");
	const char *name = json_string_value(json_object_get(metadata, "name"));
	char kind_text[WF_FIELD_EXCERPT_BYTES], name_text[WF_FIELD_EXCERPT_BYTES];
	char key[WF_NAME_BYTES];

	if (r >= 0 || !kind)
		return r;
	/* without a name there is nothing to say of its namespace either */
	if (name && *name && wf_document_key(document, key) == 0)
		name = key;
	(void)wf_field_excerpt(kind, kind_text);
	(void)wf_field_excerpt(name ? name : "", name_text);
	wf_err_prefix(err, "%s%s%s", kind_text, *name_text ? "/" : "", name_text);
	for (char *c = kind_text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	wf_err_set_object(err, "%s%s%s", kind_text, *name_text ? "/" : "", name_text);
	return r;
}

int wf_document_check(const json_t *root, struct wf_err *err)
{
	const struct wf_kind *kind;
	const json_t *metadata;
	char key[WF_NAME_BYTES];
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
	if (r == 0 && wf_document_key(root, key) < 0)
		r = wf_field_fail(err, "metadata.name",
				  "is longer than %d characters together with the namespace",
				  WF_NAME_BYTES - 1);
	return wf_field_name_object(r, root, err);
}

static const char *namespace_of(const json_t *root)
{
	const struct wf_kind *kind = wf_kind_find(wf_json_str(root, "kind", ""));
	const char *namespace = wf_json_str(json_object_get(root, "metadata"), "namespace", "");

	if (!kind || !kind->namespaced)
		return "";
	return *namespace ? namespace : WF_NAMESPACE_DEFAULT;
}

int wf_document_key(const json_t *root, char key[WF_NAME_BYTES])
{
	const char *name = wf_json_str(json_object_get(root, "metadata"), "name", "");
	const char *namespace = namespace_of(root);
	char text[WF_NAME_BYTES] = "";
	size_t len = strlen(namespace);

	if (len > WF_NAMESPACE_LEN_MAX)
		return -ENAMETOOLONG;
	memcpy(text, namespace, len);
	if (len)
		text[len++] = '/';
	if (wf_str_copy(text + len, sizeof(text) - len, name) < 0)
		return -ENAMETOOLONG;
	memcpy(key, text, len + strlen(name) + 1);
	return 0;
}

json_t *wf_document_in_namespace(const json_t *root)
{
	_cleanup_json_ json_t *copy = json_deep_copy(root);
	json_t *old = json_object_get(copy, "metadata"), *metadata;

	if (!copy || !*namespace_of(root))
		return TAKE_PTR(copy);
	metadata = json_pack("{s:s, s:s}", "name", wf_json_str(old, "name", ""), "namespace",
			     namespace_of(root));
	if (metadata && json_object_update_missing(metadata, old) < 0) {
		json_decref(metadata);
		return NULL;
	}
	if (json_object_set_new(copy, "metadata", metadata) < 0)
		return NULL;
	return TAKE_PTR(copy);
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
