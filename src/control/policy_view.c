/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as people see them: documents with whom they select, and whether they are enforced. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "model/document.h"

/* Endpoints that a list names; inspect names all. */
#define LIST_NAMES 16

/* ---- conditions --------------------------------------------------------------------------------- */

static json_t *condition(const char *type, bool is_true, const char *reason, const char *message)
{
	json_t *value = json_pack("{s:s, s:s, s:s}", "type", type, "status",
				  is_true ? "True" : "False", "reason", reason);

	(void)wf_json_set_str(value, "message", message);
	return value;
}

/* What of a policy cannot be enforced, rule by rule; returns their number. */
static size_t add_unenforced(const struct wf_policy *policy, struct wf_str *out)
{
	size_t count = 0;

	for (size_t s = 0; s < policy->section_count; s++)
		for (size_t i = 0; i < policy->sections[s].rule_count; i++) {
			const struct wf_policy_rule *rule = &policy->sections[s].rules[i];

			if (!rule->unenforced)
				continue;
			wf_str_addf(out, "%s%s: %s", count++ ? "; " : "", rule->path,
				    rule->unenforced);
		}
	return count;
}

/* Endpoints whose packets weft's programs do not see: macvlan, ipvlan. */
static size_t add_unseen(const struct wf_control *control, const struct wf_policy *policy,
			 struct wf_str *out)
{
	size_t count = 0;

	for (const struct ctl_endpoint *endpoint = control->endpoints; endpoint;
	     endpoint = endpoint->by_name.next) {
		const struct wf_endpoint *spec = &endpoint->spec;
		bool selected = false;

		for (size_t s = 0; !spec->slot && s < policy->section_count; s++)
			selected = selected ||
				   (!policy->sections[s].subject_is_node &&
				    wf_selector_matches(
					    &policy->sections[s].subject, &spec->meta.labels,
					    wf_ctl_namespace_of(&spec->meta.labels), NULL));
		if (selected)
			wf_str_addf(out, "%s%s", count++ ? ", " : "", spec->meta.name);
	}
	return count;
}

static json_t *enforced_json(const struct wf_control *control, const struct wf_policy *policy)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT, unseen = WF_STR_INIT;

	if (add_unenforced(policy, &text))
		return condition("Enforced", false, "Unsupported", wf_str_text(&text));
	if (add_unseen(control, policy, &unseen)) {
		wf_str_addf(&text,
			    "macvlan and ipvlan interfaces are beyond the reach of policies: %s",
			    wf_str_text(&unseen));
		return condition("Enforced", false, "OutOfReach", wf_str_text(&text));
	}
	return condition("Enforced", true, policy->audit ? "Audit" : "InForce",
			 policy->audit ? "on trial: what it denies passes, and is told" : NULL);
}

static json_t *conditions_json(const struct wf_control *control, const struct wf_policy *policy)
{
	if (!policy)
		return json_pack("[o]", condition("Enforced", false, "NotInForce",
						  "it is not in force; see the log of weftd"));
	return json_pack("[o, o]", condition("Valid", true, "Read", NULL),
			 enforced_json(control, policy));
}

static void key_of(const json_t *document, char key[CTL_POLICY_KEY_BYTES])
{
	char name[WF_NAME_BYTES] = "";

	(void)wf_document_key(document, name);
	(void)snprintf(key, CTL_POLICY_KEY_BYTES, "%.39s/%s", wf_json_str(document, "kind", ""),
		       name);
}

int wf_ctl_policy_add_status(struct wf_control *control, json_t *document)
{
	char key[CTL_POLICY_KEY_BYTES];
	json_t *status;

	if (!wf_policy_is_kind(wf_json_str(document, "kind", "")))
		return 0;
	key_of(document, key);
	status = json_pack(
		"{s:o}", "conditions",
		conditions_json(control, wf_policy_engine_policy(control->policy.engine, key)));
	return wf_json_set(document, "status", status);
}

/* ---- list and inspect ------------------------------------------------------------------------------ */

/* Slots that any section selects, each once. */
static json_t *selected_json(const struct wf_control *control, const char *key,
			     const struct wf_policy *policy, size_t most, size_t *ret_count)
{
	_cleanup_free_ uint32_t *slots = calloc(WF_MAX_SLOTS, sizeof(*slots));
	_cleanup_free_ uint8_t *seen = calloc(WF_MAX_SLOTS, 1);
	size_t count = 0, named = 0;

	*ret_count = 0;
	if (!slots || !seen)
		return NULL;
	for (size_t s = 0; s < policy->section_count; s++) {
		size_t n = wf_policy_engine_selected(control->policy.engine, key, s, slots,
						     WF_MAX_SLOTS);

		for (size_t i = 0; i < n && i < WF_MAX_SLOTS; i++)
			if (slots[i] < WF_MAX_SLOTS && !seen[slots[i]]) {
				seen[slots[i]] = 1;
				count++;
			}
	}
	for (uint32_t slot = 0; slot < WF_MAX_SLOTS && named < most; slot++)
		if (seen[slot])
			slots[named++] = slot;
	*ret_count = count;
	return wf_ctl_policy_slots_json(control, slots, named);
}

/* As it is stored: with uid and age, which come after it is in force. */
static json_t *document_of(struct wf_control *control, const char *key,
			   const struct wf_policy *policy)
{
	json_t *document;

	if (wf_store_get(control->store, policy->kind, strchr(key, '/') + 1, &document, NULL) == 0)
		return document;
	return wf_policy_to_json(policy);
}

static json_t *policy_json(struct wf_control *control, const char *key,
			   const struct wf_policy *policy, bool whole)
{
	json_t *document = document_of(control, key, policy), *status, *weft;
	size_t count;
	json_t *selects =
		selected_json(control, key, policy, whole ? WF_MAX_SLOTS : LIST_NAMES, &count);
	_cleanup_json_ json_t *rules = wf_ctl_policy_rules_json(control, key, policy, whole);

	weft = json_pack("{s:s, s:I, s:b, s:o, s:I, s:O, s:O}", "tier",
			 wf_policy_tier_name(policy->tier), "priority",
			 (json_int_t)policy->priority, "audit", policy->audit, "selects", selects,
			 "selectsCount", (json_int_t)count, "rules",
			 json_object_get(rules, "rules"), "hits", json_object_get(rules, "hits"));
	status = json_pack("{s:o, s:o}", "conditions", conditions_json(control, policy), "weft",
			   weft);
	if (!document || !status || json_object_set(document, "status", status) < 0) {
		json_decref(document);
		document = NULL;
	}
	json_decref(status);
	return document;
}

/* A list that is being made. */
struct listing {
	struct wf_control *control;
	json_t *items;
};

static void add_policy(const char *key, const struct wf_policy *policy, void *context)
{
	const struct listing *listing = context;

	(void)json_array_append_new(listing->items,
				    policy_json(listing->control, key, policy, false));
}

json_t *wf_control_policy_list(struct wf_control *control)
{
	struct listing listing = { .control = control, .items = json_array() };

	wf_policy_engine_visit(control->policy.engine, add_policy, &listing);
	return json_pack("{s:o}", "items", listing.items);
}

int wf_control_policy_inspect(struct wf_control *control, const char *key, json_t **ret_document,
			      struct wf_err *err)
{
	const struct wf_policy *policy = wf_policy_engine_policy(control->policy.engine, key);

	if (!policy) {
		wf_err_set(err, -ENOENT, "there is no policy %s; see 'weft policy ls'", key);
		wf_err_set_object(err, "%s", key);
		return -ENOENT;
	}
	*ret_document = policy_json(control, key, policy, true);
	return *ret_document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
