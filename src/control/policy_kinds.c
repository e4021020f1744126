/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What applying means for policies, and for the namespaces and nodes whose labels they select.
 * Effects are gathered by the engine: apply.c brings all of a file into force at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/namespace.h"
#include "model/node.h"

/* "KIND/NAME", as the engine orders and people see policies. */
static void policy_key(char key[CTL_POLICY_KEY_BYTES], const char *kind, const char *name)
{
	(void)snprintf(key, CTL_POLICY_KEY_BYTES, "%.39s/%.253s", kind, name);
}

/* What is weft's to say is not stored, whoever sends it back. */
static int take_document(struct ctl_change *change, json_t *document, struct wf_err *err)
{
	if (document)
		(void)json_object_del(document, "status");
	change->document = document;
	return document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

/* ---- policies ---------------------------------------------------------------------------------- */

static int plan_policy(struct wf_control *control, struct ctl_change *change,
		       const json_t *document, struct wf_err *err)
{
	struct wf_policy spec = { 0 };
	int r = wf_policy_from_json(&spec, document, err);

	(void)control;
	if (r == 0)
		r = take_document(change, wf_policy_to_json(&spec), err);
	wf_policy_done(&spec);
	return r;
}

static int force_policy(struct wf_control *control, const char *name, const json_t *document,
			struct wf_err *err)
{
	char key[CTL_POLICY_KEY_BYTES];
	struct wf_policy spec = { 0 };
	int r = wf_policy_from_json(&spec, document, err);

	if (r < 0)
		return r;
	policy_key(key, spec.kind, name);
	spec.audit = spec.audit || control->config.policy_audit;
	r = wf_policy_engine_policy_put(control->policy.engine, key, &spec, err);
	wf_policy_done(&spec);
	return r;
}

static int stop_policy(struct wf_control *control, const char *kind, const char *name,
		       struct wf_err *err)
{
	char key[CTL_POLICY_KEY_BYTES];

	policy_key(key, kind, name);
	return wf_policy_engine_policy_drop(control->policy.engine, key, err);
}

/* ---- namespaces ---------------------------------------------------------------------------------- */

static int plan_namespace(struct wf_control *control, struct ctl_change *change,
			  const json_t *document, struct wf_err *err)
{
	struct wf_namespace spec = { 0 };
	int r = wf_namespace_from_json(&spec, document, err);

	(void)control;
	wf_namespace_done(&spec);
	return r < 0 ? r : take_document(change, json_deep_copy(document), err);
}

/* Which namespaces are on trial: while one is, events are wanted. */
static void note_audited(struct wf_control *control, const char *name, bool audit)
{
	if (audit)
		(void)json_object_set_new(control->policy.audited, name, json_true());
	else
		(void)json_object_del(control->policy.audited, name);
}

static int force_namespace(struct wf_control *control, const char *name, const json_t *document,
			   struct wf_err *err)
{
	struct wf_namespace spec = { 0 };
	int r = wf_namespace_from_json(&spec, document, err);

	if (r < 0)
		return r;
	r = wf_policy_engine_namespace_put(control->policy.engine, name, &spec.meta.labels,
					   spec.audit, err);
	if (r == 0)
		note_audited(control, name, spec.audit);
	wf_namespace_done(&spec);
	return r;
}

static int stop_namespace(struct wf_control *control, const char *kind, const char *name,
			  struct wf_err *err)
{
	(void)kind;
	note_audited(control, name, false);
	return wf_policy_engine_namespace_drop(control->policy.engine, name, err);
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

/* What nodes say of themselves stays, whoever applies labels. */
static void keep_own(json_t *document, const json_t *before)
{
	static const char *const annotations[] = { WF_ANNOTATION_HOST_ADDRESSES,
						   WF_ANNOTATION_SCOPE_ADDRESSES,
						   WF_ANNOTATION_WIREGUARD };
	const json_t *was = json_object_get(json_object_get(before, "metadata"), "annotations");
	json_t *status = json_object_get(before, "status");

	if (status && !json_object_get(document, "status"))
		(void)json_object_set(document, "status", status);
	for (size_t i = 0; i < WF_ARRAY_LEN(annotations); i++) {
		const char *value = wf_json_str(was, annotations[i], "");

		if (*value)
			(void)wf_ctl_node_set_meta(document, "annotations", annotations[i], value);
	}
}

static int plan_node(struct wf_control *control, struct ctl_change *change, const json_t *document,
		     struct wf_err *err)
{
	_cleanup_json_ json_t *before = NULL;
	struct wf_node spec = { 0 };
	int r = wf_node_from_json(&spec, document, err);

	wf_node_done(&spec);
	/* a node's status is where its addresses are */
	if (r == 0)
		change->document = json_deep_copy(document);
	if (change->document &&
	    wf_store_get(control->store, WF_KIND_NODE, change->name, &before, NULL) == 0)
		keep_own(change->document, before);
	return r < 0 || change->document ? r : wf_fail(err, -ENOMEM, "out of memory");
}

static bool is_self(const struct wf_control *control, const char *name)
{
	return strcmp(name, control->config.node_name) == 0;
}

static int force_node(struct wf_control *control, const char *name, const json_t *document,
		      struct wf_err *err)
{
	struct wf_node spec = { 0 };
	json_t *copy;
	int r;

	if (is_self(control, name)) {
		copy = json_deep_copy(document);
		if (!copy)
			return wf_fail(err, -ENOMEM, "out of memory");
		json_decref(control->policy.self);
		control->policy.self = copy;
		wf_ctl_encrypt_learn_self(control, document);
		return wf_ctl_policy_self_put(control, err);
	}
	r = wf_node_from_json(&spec, document, err);
	if (r == 0)
		r = wf_policy_engine_node_put(control->policy.engine, name, false,
					      &spec.meta.labels, spec.addrs, spec.addr_count, err);
	if (r == 0)
		r = wf_ctl_node_learn(control, name, &spec, err);
	wf_node_done(&spec);
	return r;
}

static int stop_node(struct wf_control *control, const char *kind, const char *name,
		     struct wf_err *err)
{
	(void)kind;
	if (!is_self(control, name)) {
		int r = wf_ctl_node_learn(control, name, NULL, err);

		return r < 0 ? r : wf_policy_engine_node_drop(control->policy.engine, name, err);
	}
	json_decref(control->policy.self);
	control->policy.self = NULL;
	return wf_ctl_policy_self_put(control, err);
}

/* ---- the table --------------------------------------------------------------------------------------- */

/* What its numbers counted before was for what it said before. */
static void adopt_policy(struct wf_control *control, const char *name, const json_t *document)
{
	char key[CTL_POLICY_KEY_BYTES];
	const struct wf_policy *policy;

	policy_key(key, wf_json_str(document, "kind", ""), name);
	policy = wf_policy_engine_policy(control->policy.engine, key);
	if (policy)
		wf_ctl_policy_clear_hits(control, key, policy);
}

#define POLICY(kind)                                                               \
	{                                                                          \
		(kind), plan_policy, force_policy, NULL, adopt_policy, stop_policy \
	}

static const struct ctl_kind_ops operations[] = {
	POLICY(WF_KIND_NETWORK_POLICY),
	POLICY(WF_KIND_CLUSTER_POLICY),
	POLICY(WF_KIND_ADMIN_POLICY),
	POLICY(WF_KIND_BASELINE_POLICY),
	POLICY(WF_KIND_CILIUM_POLICY),
	POLICY(WF_KIND_CILIUM_CLUSTER_POLICY),
	{ WF_KIND_NAMESPACE, plan_namespace, force_namespace, NULL, NULL, stop_namespace },
	{ WF_KIND_NODE, plan_node, force_node, NULL, NULL, stop_node },
};

const struct ctl_kind_ops *wf_ctl_policy_kind_ops(const char *kind)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++)
		if (strcmp(operations[i].kind, kind) == 0)
			return &operations[i];
	return NULL;
}
