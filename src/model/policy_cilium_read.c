/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy: its sections and their rules.
 * Peers, ports, L7 and ICMP have files of their own.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/policy_cilium_priv.h"

#define NAMESPACE_LABELS "io.cilium.k8s.namespace.labels."

/* The four lists of rules. */
static const struct list {
	const char *key;
	enum wf_policy_dir dir;
	enum wf_rule_action action;
} lists[] = {
	{ "ingress", WF_POLICY_INGRESS, WF_RULE_ALLOW },
	{ "ingressDeny", WF_POLICY_INGRESS, WF_RULE_DENY },
	{ "egress", WF_POLICY_EGRESS, WF_RULE_ALLOW },
	{ "egressDeny", WF_POLICY_EGRESS, WF_RULE_DENY },
};

/* The key without a prefix that means nothing here; NULL when what remains is none. */
static const char *strip(const char *text, const char *const *prefixes)
{
	for (; *prefixes; prefixes++) {
		size_t len = strlen(*prefixes);

		if (strncmp(text, *prefixes, len) == 0)
			return wf_label_is_key(text + len) ? text + len : NULL;
	}
	return wf_label_is_key(text) ? text : NULL;
}

const char *wf_policy_cilium_plain_key(const char *text, bool *ret_of_namespace)
{
	static const char *const prefixes[] = { "k8s:", "any:", "node:", NULL };

	*ret_of_namespace = false;
	return strip(text, prefixes);
}

const char *wf_policy_cilium_key(const char *text, bool *ret_of_namespace)
{
	static const char *const prefixes[] = { "k8s:", "any:", "container:", NULL };
	static const char *const kept[] = { "reserved:", "cidr:", NULL };
	const char *key;

	*ret_of_namespace = false;
	for (size_t i = 0; kept[i]; i++)
		if (strncmp(text, kept[i], strlen(kept[i])) == 0)
			return wf_label_is_key(text + strlen(kept[i])) ? text : NULL;
	key = strip(text, prefixes);
	if (!key)
		return NULL;
	if (strcmp(key, WF_LABEL_POD_NAMESPACE) == 0) {
		*ret_of_namespace = true;
		return WF_LABEL_NAMESPACE_NAME;
	}
	if (strncmp(key, NAMESPACE_LABELS, strlen(NAMESPACE_LABELS)) == 0) {
		*ret_of_namespace = true;
		key += strlen(NAMESPACE_LABELS);
	}
	return wf_label_is_key(key) ? key : NULL;
}

bool wf_policy_cilium_names_namespace(const struct wf_selector *selector)
{
	for (size_t i = 0; i < selector->count; i++)
		if (selector->items[i].of_namespace)
			return true;
	return false;
}

/* Whether what the selector says of the namespace's name leaves the policy's own. */
static bool allows_own_namespace(const struct wf_selector *selector, const char *namespace)
{
	static const struct wf_labels none = { 0 };

	for (size_t i = 0; i < selector->count; i++) {
		const struct wf_selector one = { .items = &selector->items[i], .count = 1 };

		if (one.items->of_namespace &&
		    strcmp(one.items->key, WF_LABEL_NAMESPACE_NAME) == 0 &&
		    !wf_selector_matches(&one, &none, namespace, NULL))
			return false;
	}
	return true;
}

/*
 * A policy of a namespace is for endpoints of that namespace, whatever its selector says: nobody
 * may rule over other namespaces by naming them.
 */
static int read_endpoints(struct wf_policy_reading *reading, const json_t *object)
{
	struct wf_selector *subject = &reading->section->subject;
	const char *namespace = reading->policy->meta.namespace;
	int r = wf_policy_read_selector_keys(reading, subject, wf_policy_cilium_key, object);

	if (r < 0 || !*namespace)
		return r;
	if (!allows_own_namespace(subject, namespace))
		return WF_POLICY_FAIL(reading, "",
				      "selects endpoints of another namespace than the policy's "
				      "own, \"%s\" (want none, or a " WF_KIND_CILIUM_CLUSTER_POLICY
				      ")",
				      namespace);
	return wf_policy_in_namespace(reading, subject, namespace);
}

static int read_subject(struct wf_policy_reading *reading, const json_t *spec)
{
	static const char *const selectors[] = { "endpointSelector", "nodeSelector", NULL };
	bool node = wf_policy_has(spec, "nodeSelector");
	const json_t *object;
	const char *which;
	size_t parent;
	int r;

	if (node && strcmp(reading->policy->kind, WF_KIND_CILIUM_CLUSTER_POLICY) != 0)
		return WF_POLICY_FAIL(reading, "nodeSelector",
				      "is for " WF_KIND_CILIUM_CLUSTER_POLICY " only");
	r = wf_policy_only_one(reading, spec, selectors, &which);
	if (r < 0)
		return r;
	object = json_object_get(spec, which);
	parent = wf_field_push_key(&reading->at, which);
	reading->section->subject_is_node = node;
	if (node)
		r = wf_policy_read_selector_keys(reading, &reading->section->subject,
						 wf_policy_cilium_plain_key, object);
	else
		r = read_endpoints(reading, object);
	if (r == 0)
		wf_field_pop(&reading->at, parent);
	return r;
}

static int read_authentication(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			       const json_t *item)
{
	const char *mode = wf_json_str(json_object_get(item, "authentication"), "mode", "");

	if (!*mode || strcmp(mode, "disabled") == 0)
		return 0;
	return wf_policy_set_unenforced(reading, rule, "authentication", "mutual authentication");
}

/* What to read of toPorts: the entries that need L7, or the others. */
struct port_context {
	struct wf_policy_rule *rule;
	bool l7;
};

static int read_to_ports(struct wf_policy_reading *reading, const json_t *entry, void *context)
{
	struct port_context *port = context;
	int r;

	if (wf_policy_cilium_has_l7(entry) != port->l7)
		return 0;
	r = wf_policy_cilium_read_ports(reading, entry, port->rule);
	if (r == 0 && port->l7)
		r = wf_policy_cilium_read_l7(reading, port->rule, entry);
	return r;
}

static int read_part(struct wf_policy_reading *reading, const json_t *item, const struct list *list,
		     bool l7)
{
	bool ports = json_array_size(json_object_get(item, "toPorts")) > 0;
	bool icmps = json_array_size(json_object_get(item, "icmps")) > 0;
	struct port_context context = { .l7 = l7 };
	bool named = false;
	int r;

	if (ports && icmps)
		return WF_POLICY_FAIL(reading, "icmps",
				      "cannot be combined with toPorts (write two rules)");
	r = wf_policy_add_rule(reading, list->dir, list->action, &context.rule);
	if (r == 0)
		r = wf_policy_cilium_read_peers(reading, context.rule, item, &named);
	if (r == 0)
		r = wf_policy_each(reading, item, "toPorts", read_to_ports, &context);
	if (r == 0)
		r = wf_policy_each(reading, item, "icmps", wf_policy_cilium_read_icmp,
				   context.rule);
	if (r == 0)
		r = read_authentication(reading, context.rule, item);
	if (r < 0)
		return r;
	/* a rule that says nothing at all is for nobody: it is there to isolate */
	context.rule->any_peer = !named && (ports || icmps);
	context.rule->any_port = !ports && !icmps;
	return 0;
}

/*
 * One rule, or two where some of its ports need L7: what cannot be enforced shall not take with it
 * what can.
 */
static int read_rule(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const json_t *ports = json_object_get(item, "toPorts");
	size_t l7 = 0, i;
	json_t *entry;
	int r = 0;

	json_array_foreach(ports, i, entry)
		l7 += wf_policy_cilium_has_l7(entry);
	if (l7 < json_array_size(ports) || !l7)
		r = read_part(reading, item, context, false);
	if (r == 0 && l7)
		r = read_part(reading, item, context, true);
	return r;
}

/* Who has rules for a direction is isolated in it, unless enableDefaultDeny says otherwise. */
static void read_isolation(struct wf_policy_section *section, const json_t *spec)
{
	const json_t *wanted = json_object_get(spec, "enableDefaultDeny");

	for (size_t i = 0; i < WF_ARRAY_LEN(lists); i++)
		if (json_array_size(json_object_get(spec, lists[i].key)))
			section->isolates[lists[i].dir] = true;
	section->isolates[WF_POLICY_INGRESS] =
		wf_json_bool(wanted, "ingress", section->isolates[WF_POLICY_INGRESS]);
	section->isolates[WF_POLICY_EGRESS] =
		wf_json_bool(wanted, "egress", section->isolates[WF_POLICY_EGRESS]);
	section->spares_host[WF_POLICY_INGRESS] = true;
}

static int read_section(struct wf_policy_reading *reading, const json_t *spec, void *context)
{
	bool found = false;
	int r = 0;

	(void)context;
	for (size_t i = 0; i < WF_ARRAY_LEN(lists); i++)
		found |= wf_policy_has(spec, lists[i].key);
	if (!found)
		return WF_POLICY_FAIL(reading, "",
				      "has no rules (want ingress, ingressDeny, egress or "
				      "egressDeny)");
	r = wf_policy_add_section(reading);
	if (r == 0)
		r = read_subject(reading, spec);
	if (r == 0)
		read_isolation(reading->section, spec);
	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(lists); i++)
		r = wf_policy_each(reading, spec, lists[i].key, read_rule, (void *)&lists[i]);
	return r;
}

int wf_policy_read_cilium(struct wf_policy_reading *reading, const json_t *document)
{
	int r = 0;

	if (!wf_policy_has(document, "spec") &&
	    !json_array_size(json_object_get(document, "specs")))
		return WF_POLICY_FAIL(reading, "spec", "is missing (want spec, specs or both)");
	if (wf_policy_has(document, "spec")) {
		size_t parent = wf_field_push_key(&reading->at, "spec");

		r = read_section(reading, json_object_get(document, "spec"), NULL);
		if (r == 0)
			wf_field_pop(&reading->at, parent);
	}
	return r < 0 ? r : wf_policy_each(reading, document, "specs", read_section, NULL);
}
