/* SPDX-License-Identifier: Apache-2.0 */
/* The policy object: lifetime, names, from and to documents. Readers: policy_*_read.c. */
#include "model/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/audit_priv.h"
#include "model/policy_priv.h"

static const char *const tier_names[WF_TIER_COUNT] = {
	[WF_TIER_ADMIN] = "admin",
	[WF_TIER_NETWORK] = "network",
	[WF_TIER_BASELINE] = "baseline",
};

static const char *const action_names[WF_RULE_ACTION_COUNT] = {
	[WF_RULE_ALLOW] = "allow",
	[WF_RULE_DENY] = "deny",
	[WF_RULE_PASS] = "pass",
};

static const char *const dir_names[WF_POLICY_DIR_COUNT] = {
	[WF_POLICY_INGRESS] = "ingress",
	[WF_POLICY_EGRESS] = "egress",
};

static const char *const verdict_names[WF_POLICY_VERDICT_COUNT] = {
	[WF_POLICY_DENY] = "deny",
	[WF_POLICY_ALLOW] = "allow",
	[WF_POLICY_AUDIT] = "audit",
};

static const struct row {
	const char *kind;
	bool namespaced;
	int (*read)(struct wf_policy_reading *reading, const json_t *document);
} rows[] = {
	{ WF_KIND_NETWORK_POLICY, true, wf_policy_read_network },
	{ WF_KIND_CLUSTER_POLICY, false, wf_policy_read_cluster },
	{ WF_KIND_ADMIN_POLICY, false, wf_policy_read_cluster },
	{ WF_KIND_BASELINE_POLICY, false, wf_policy_read_cluster },
	{ WF_KIND_CILIUM_POLICY, true, wf_policy_read_cilium },
	{ WF_KIND_CILIUM_CLUSTER_POLICY, false, wf_policy_read_cilium },
};

const char *wf_policy_tier_name(enum wf_policy_tier tier)
{
	return tier < WF_TIER_COUNT ? tier_names[tier] : "";
}

const char *wf_rule_action_name(enum wf_rule_action action)
{
	return action < WF_RULE_ACTION_COUNT ? action_names[action] : "";
}

const char *wf_policy_dir_name(enum wf_policy_dir dir)
{
	return dir < WF_POLICY_DIR_COUNT ? dir_names[dir] : "";
}

const char *wf_policy_verdict_name(enum wf_policy_verdict verdict)
{
	return verdict < WF_POLICY_VERDICT_COUNT ? verdict_names[verdict] : "";
}

void wf_policy_rule_done(struct wf_policy_rule *rule)
{
	for (size_t i = 0; i < rule->peer_count; i++) {
		wf_selector_done(&rule->peers[i].selector);
		free(rule->peers[i].except);
	}
	free(rule->peers);
	free(rule->ports);
	free(rule->name);
	free(rule->unenforced);
	memset(rule, 0, sizeof(*rule));
}

static void section_done(struct wf_policy_section *section)
{
	for (size_t i = 0; i < section->rule_count; i++)
		wf_policy_rule_done(&section->rules[i]);
	free(section->rules);
	wf_selector_done(&section->subject);
}

void wf_policy_done(struct wf_policy *policy)
{
	for (size_t i = 0; i < policy->section_count; i++)
		section_done(&policy->sections[i]);
	free(policy->sections);
	wf_meta_done(&policy->meta);
	json_decref(policy->document);
	memset(policy, 0, sizeof(*policy));
}

static const struct row *find_row(const char *kind)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].kind, kind) == 0)
			return &rows[i];
	return NULL;
}

bool wf_policy_is_kind(const char *kind)
{
	return find_row(kind) != NULL;
}

static int read_head(struct wf_policy *policy, const struct row *row, const json_t *document,
		     struct wf_err *err)
{
	int r = wf_meta_from_json(&policy->meta, document, err);

	if (r < 0)
		return r;
	policy->kind = row->kind;
	if (row->namespaced && !*policy->meta.namespace)
		(void)wf_str_copy(policy->meta.namespace, sizeof(policy->meta.namespace),
				  WF_NAMESPACE_DEFAULT);
	return wf_audit_read(&policy->meta, &policy->audit, err);
}

static int keep_document(struct wf_policy *policy, const json_t *document, struct wf_err *err)
{
	policy->document = json_deep_copy(document);
	if (!policy->document)
		return wf_fail(err, -ENOMEM, "out of memory");
	/* what weft shows of a policy is no part of it */
	(void)json_object_del(json_object_get(policy->document, "status"), "weft");
	return 0;
}

int wf_policy_from_json(struct wf_policy *policy, const json_t *document, struct wf_err *err)
{
	const struct row *row = find_row(wf_json_str(document, "kind", ""));
	_cleanup_(wf_policy_done) struct wf_policy fresh = { .tier = WF_TIER_NETWORK };
	struct wf_policy_reading reading = { .policy = &fresh, .err = err };
	int r;

	if (!row)
		return wf_field_fail(err, "kind", "is not that of a policy");
	r = read_head(&fresh, row, document, err);
	if (r == 0)
		r = row->read(&reading, document);
	if (r == 0)
		r = keep_document(&fresh, document, err);
	if (r < 0)
		return wf_field_name_object(r, document, err);
	*policy = fresh;
	fresh = (struct wf_policy){ .tier = WF_TIER_NETWORK };
	return 0;
}

json_t *wf_policy_to_json(const struct wf_policy *policy)
{
	_cleanup_json_ json_t *document = json_deep_copy(policy->document);
	_cleanup_json_ json_t *own = wf_meta_to_json(&policy->meta, policy->kind);
	json_t *metadata = json_object_get(own, "metadata");

	if (!document || !own ||
	    json_object_update_missing(metadata, json_object_get(document, "metadata")) < 0 ||
	    json_object_set(document, "metadata", metadata) < 0)
		return NULL;
	return TAKE_PTR(document);
}
