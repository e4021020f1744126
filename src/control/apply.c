/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying documents, all or nothing: every document is checked and completed first (a later one
 * sees the earlier ones), then the effects are made, then one transaction stores all; when an
 * effect or the transaction fails, the effects are undone.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/document.h"

WF_LOG_MODULE(apply);

/* From now on services answer where those in force do. */
static void unclaim(struct wf_control *control, struct ctl_change *change)
{
	const struct ctl_service *service;

	if (!change->claimant)
		return;
	wf_ctl_claimant_free(&control->lb.claims, &change->claimant);
	service = wf_ctl_service_find(control, change->name);
	if (service)
		wf_ctl_claimant_show(&control->lb.claims, service->claimant);
}

static bool is_kind(const struct ctl_change *change, const char *kind)
{
	return strcmp(change->kind, kind) == 0;
}

static bool is_network(const struct ctl_change *change)
{
	return is_kind(change, WF_KIND_NETWORK);
}

static bool is_reservation(const struct ctl_change *change)
{
	return is_kind(change, WF_KIND_RESERVATION);
}

static void change_done(struct ctl_change *change)
{
	json_decref(change->document);
	json_decref(change->before);
	if (is_network(change))
		wf_network_done(&change->network);
	else if (is_reservation(change))
		wf_reservation_done(&change->reservation);
	else if (is_kind(change, WF_KIND_SERVICE))
		wf_service_done(&change->service);
}

static void plan_done(struct wf_control *control, struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		unclaim(control, &plan->items[i]);
		change_done(&plan->items[i]);
	}
	wf_index_done(&plan->by_name);
	wf_index_done(&plan->by_holder);
	free(plan->items);
}

static uint64_t name_hash(const char *kind, const char *name)
{
	return wf_hash_text(wf_hash_text(0, kind), name);
}

const struct ctl_change *wf_ctl_planned(struct ctl_plan *plan, const char *kind, const char *name)
{
	WF_INDEX_EACH(&plan->by_name, name_hash(kind, name), node) {
		const struct ctl_change *change = WF_INDEX_OBJECT(node, struct ctl_change, by_name);

		if (strcmp(change->kind, kind) == 0 && strcmp(change->name, name) == 0)
			return change;
	}
	return NULL;
}

/* Later documents see it from now on, even one that is refused, so that plan_done() frees it. */
static void plan_add(struct ctl_plan *plan, struct ctl_change *change)
{
	plan->count++;
	wf_index_add(&plan->by_name, &change->by_name, name_hash(change->kind, change->name));
	if (is_reservation(change))
		wf_index_add(&plan->by_holder, &change->by_holder,
			     wf_ctl_holder_hash(change->reservation.network,
						change->reservation.holder));
	if (!is_network(change))
		return;
	*plan->networks_end = change;
	plan->networks_end = &change->next_network;
}

/* What the store adds; comparing without it tells whether anything changed. */
static json_t *without_store_fields(const json_t *document)
{
	static const char *const added[] = { "uid", "resourceVersion", "creationTimestamp" };
	json_t *copy = json_deep_copy(document);

	for (size_t i = 0; copy && i < WF_ARRAY_LEN(added); i++)
		(void)json_object_del(json_object_get(copy, "metadata"), added[i]);
	return copy;
}

static bool same_content(const json_t *a, const json_t *b)
{
	_cleanup_json_ json_t *left = without_store_fields(a);
	_cleanup_json_ json_t *right = without_store_fields(b);

	return left && right && json_equal(left, right);
}

static int plan_one(struct wf_control *control, struct ctl_plan *plan, const json_t *document,
		    struct wf_err *err)
{
	const struct wf_kind *kind;
	struct ctl_change *change;
	int r;

	r = wf_document_check(document, err);
	if (r < 0)
		return r;
	kind = wf_kind_find(wf_json_str(document, "kind", ""));
	if (!kind || !kind->user_writable)
		return wf_fail_field(err, -EPERM, "kind",
				     "%s objects are made by weft itself; use 'weft attach'",
				     kind ? kind->name : "such");
	change = &plan->items[plan->count];
	change->kind = kind->name;
	change->ops = wf_ctl_kind_ops(kind->name);
	if (!change->ops)
		return wf_fail_field(err, -EOPNOTSUPP, "kind", "%s cannot be applied", kind->name);
	r = wf_document_key(document, change->name);
	if (r < 0)
		return wf_fail_field(err, r, "metadata.name", "is too long");
	if (wf_ctl_planned(plan, kind->name, change->name))
		return wf_fail_field(err, -EEXIST, "metadata.name",
				     "%s is in these documents twice", change->name);
	control->plan = plan;
	r = change->ops->plan(control, change, document, err);
	control->plan = NULL;
	plan_add(plan, change);
	if (r < 0)
		return r;
	r = wf_store_get(control->store, change->kind, change->name, &change->before, NULL);
	if (r < 0 && r != -ENOENT)
		return wf_fail(err, r, "cannot read %s/%s from the store", change->kind,
			       change->name);
	change->changed = !change->before || !same_content(change->before, change->document);
	return 0;
}

/* What is held in a network that changes must have a place in it, unless it changes too. */
static int check_held(struct wf_control *control, struct ctl_plan *plan,
		      const struct wf_network *network, struct wf_err *err)
{
	const struct ctl_reservation *reservation, *next;
	char text[WF_ADDR_TEXT];

	HASH_ITER(by_name, control->reservations, reservation, next) {
		const struct wf_reservation *held = &reservation->spec;

		if (strcmp(held->network, network->meta.name) != 0)
			continue;
		for (size_t i = 0; i < held->address_count; i++)
			if (!wf_network_subnet_of(network, &held->addresses[i]) &&
			    !wf_ctl_planned(plan, WF_KIND_RESERVATION, held->meta.name))
				return wf_fail_field(
					err, -EBUSY, "spec.subnets",
					"reservation %s holds %s, which is in none of them; "
					"delete it first, or change it in the same file",
					held->meta.name, wf_addr_format(&held->addresses[i], text));
	}
	return 0;
}

static int check_all_held(struct wf_control *control, struct ctl_plan *plan, struct wf_err *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		int r = is_network(&plan->items[i])
				? check_held(control, plan, &plan->items[i].network, err)
				: 0;

		if (r < 0) {
			wf_err_set_object(err, "%s/%s", plan->items[i].kind, plan->items[i].name);
			if (err)
				err->document = (int)i;
			return r;
		}
	}
	return 0;
}

static int plan_make(struct wf_control *control, struct ctl_plan *plan, const json_t *documents,
		     struct wf_err *err)
{
	json_t *document;
	size_t i;

	plan->networks_end = &plan->networks;
	plan->items = calloc(json_array_size(documents) + 1, sizeof(*plan->items));
	if (!plan->items)
		return wf_fail(err, -ENOMEM, "out of memory");
	json_array_foreach(documents, i, document) {
		int r = plan_one(control, plan, document, err);

		if (r < 0) {
			wf_err_set_object(
				err, "%s/%s", wf_json_str(document, "kind", "document"),
				wf_json_str(json_object_get(document, "metadata"), "name", "?"));
			if (err)
				err->document = (int)i;
			return r;
		}
	}
	return check_all_held(control, plan, err);
}

/* What the policy engine gathers comes into force, and is taken back, as one. */
static bool is_gathered(const struct ctl_change *change)
{
	return change->ops->drop;
}

static bool has_gathered(const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changed && is_gathered(&plan->items[i]))
			return true;
	return false;
}

static const char *action_of(const struct ctl_change *change)
{
	if (!change->before)
		return "created";
	return change->changed ? "configured" : "unchanged";
}

static void undo_networks(struct wf_control *control, const struct ctl_plan *plan)
{
	for (size_t i = plan->count; i-- > 0;) {
		const struct ctl_change *change = &plan->items[i];

		if (!change->in_force || !is_network(change))
			continue;
		if (!change->before)
			change->ops->stop(control, change->name);
		else if (change->ops->force(control, change->name, change->before, NULL) < 0)
			wf_ctl_dirty(control, CTL_DIRTY_ALL);
	}
}

/* Back to what was before. What is held may be held in subnets that have to come back first. */
static void undo(struct wf_control *control, const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].in_force && is_reservation(&plan->items[i]))
			plan->items[i].ops->stop(control, plan->items[i].name);
	undo_networks(control, plan);
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (!change->in_force || is_network(change) || is_gathered(change))
			continue;
		if (change->before)
			(void)change->ops->force(control, change->name, change->before, NULL);
		else
			change->ops->stop(control, change->name);
	}
}

/* The same for what had come into force already and could not be stored. */
static void undo_gathered(struct wf_control *control, const struct ctl_plan *plan)
{
	struct wf_err fault = WF_ERR_INIT;
	int r = 0;

	wf_ctl_policy_begin(control);
	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (!change->in_force || !is_gathered(change))
			continue;
		r = change->before
			    ? change->ops->force(control, change->name, change->before, &fault)
			    : change->ops->drop(control, change->kind, change->name, &fault);
	}
	if (r == 0)
		r = wf_ctl_policy_commit(control, &fault);
	else
		wf_ctl_policy_rollback(control);
	if (r < 0)
		wf_log_error("policies are in force that could neither be stored nor taken back",
			     "error=\"%s\"", fault.message);
}

/* What goes on record of the changes; returns their number. */
static size_t recorded_changes(const struct ctl_plan *plan, struct ctl_policy_change *ret_changes)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (change->changed && is_gathered(change))
			ret_changes[count++] =
				(struct ctl_policy_change){ .kind = change->kind,
							    .key = change->name,
							    .before = change->before,
							    .after = change->document,
							    .action = action_of(change) };
	}
	return count;
}

/* The documents, the record of what was done to policies, and what to go back to, in one. */
static int plan_store(struct wf_control *control, const struct ctl_plan *plan,
		      struct ctl_turn *turn, uint64_t confirm_ms, struct wf_err *err)
{
	size_t room = plan->count + CTL_HISTORY_WRITES(plan->count) + 1 + CTL_TURNS, count = 0,
	       more = 0, turns = 0;
	_cleanup_free_ struct wf_store_write *writes = calloc(room, sizeof(*writes));
	_cleanup_free_ struct ctl_policy_change *changes =
		calloc(plan->count + 1, sizeof(*changes));
	_cleanup_json_ json_t *history = NULL, *pending = NULL;
	int r;

	if (!writes || !changes)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (change->changed)
			writes[count++] = (struct wf_store_write){ .op = WF_STORE_PUT,
								   .kind = change->kind,
								   .name = change->name,
								   .document = change->document,
								   .expected = WF_STORE_ANY };
	}
	if (!count)
		return 0;
	r = wf_ctl_history_writes(control, changes, recorded_changes(plan, changes), writes + count,
				  &more, &history, err);
	if (r == 0 && confirm_ms)
		r = wf_ctl_confirm_write(control, plan, confirm_ms, &writes[count + more++],
					 &pending, err);
	if (r == 0 && wf_ctl_turn_writes(control, plan, turn, writes + count + more, &turns) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	r = wf_ctl_commit(control, writes, count + more + turns, WF_STORE_DURABLE, err);
	if (r < 0)
		wf_ctl_history_forget(control);
	return wf_ctl_turn_explain(control, r, err);
}

/* The tables learn what the store added: uid, resourceVersion, creation time. */
static void adopt_meta(struct wf_control *control, const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (change->changed && change->ops->adopt)
			change->ops->adopt(control, change->name, change->document);
	}
}

/* In this order, and as far as it goes. */
static int force_all(struct wf_control *control, struct ctl_plan *plan, struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		struct ctl_change *change = &plan->items[i];

		if (!change->changed)
			continue;
		change->in_force = true;
		r = change->ops->force(control, change->name, change->document, err);
		if (r < 0) {
			wf_err_set_object(err, "%s/%s", change->kind, change->name);
			if (err)
				err->document = (int)i;
		}
	}
	return r;
}

static int plan_execute(struct wf_control *control, struct ctl_plan *plan, struct ctl_turn *turn,
			uint64_t confirm_ms, struct wf_err *err)
{
	bool gathers = has_gathered(plan), gathered = false;
	int r;

	if (gathers)
		wf_ctl_policy_begin(control);
	r = force_all(control, plan, err);
	if (gathers && r == 0) {
		r = wf_ctl_policy_commit(control, err);
		gathered = r == 0;
	} else if (gathers) {
		wf_ctl_policy_rollback(control);
	}
	wf_ctl_crash_point("apply.in-force");
	if (r == 0)
		r = plan_store(control, plan, turn, confirm_ms, err);
	if (r == 0) {
		adopt_meta(control, plan);
	} else {
		undo(control, plan);
		if (gathered)
			undo_gathered(control, plan);
	}
	wf_ctl_lb_flush(control);
	return r;
}

/* NULL: no memory. */
static json_t *plan_results(const struct ctl_plan *plan)
{
	_cleanup_json_ json_t *results = json_array();

	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (json_array_append_new(results,
					  json_pack("{s:s, s:s, s:s}", "kind", change->kind, "name",
						    change->name, "action", action_of(change))) < 0)
			return NULL;
	}
	return TAKE_PTR(results);
}

static void log_applied(const struct wf_control *control, const struct ctl_plan *plan)
{
	_cleanup_free_ struct ctl_policy_change *changes =
		calloc(plan->count + 1, sizeof(*changes));
	size_t count = changes ? recorded_changes(plan, changes) : 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changed)
			wf_log_info("document applied", "kind=%s name=%s action=%s",
				    plan->items[i].kind, plan->items[i].name,
				    action_of(&plan->items[i]));
	for (size_t i = 0; i < count; i++)
		wf_ctl_history_log(control, &changes[i]);
}

static int apply(struct wf_control *control, const json_t *documents, bool dry_run,
		 uint64_t confirm_ms, json_t **ret_results, struct wf_err *err)
{
	_cleanup_(wf_ctl_turn_done) struct ctl_turn turn = { .seen = { 0 } };
	_cleanup_json_ json_t *results = NULL;
	struct ctl_plan plan = { 0 };
	int r;

	if (!json_is_array(documents))
		return wf_fail_field(err, -EINVAL, "documents", "an array of documents is wanted");
	if (json_array_size(documents) > WF_DOCUMENTS_MAX)
		return wf_fail(err, -E2BIG, "more than %d documents at once", WF_DOCUMENTS_MAX);
	wf_ctl_follow(control);
	r = wf_ctl_check_joined(control, err);
	if (r == 0)
		r = wf_ctl_turn_begin(control, &turn, err);
	if (r == 0)
		r = plan_make(control, &plan, documents, err);
	if (r == 0 && !(results = plan_results(&plan)))
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0 && !dry_run)
		r = plan_execute(control, &plan, &turn, confirm_ms, err);
	if (r == 0 && !dry_run)
		log_applied(control, &plan);
	plan_done(control, &plan);
	if (r < 0)
		return r;
	*ret_results = TAKE_PTR(results);
	return 0;
}

int wf_control_apply(struct wf_control *control, const json_t *documents, bool dry_run,
		     json_t **ret_results, struct wf_err *err)
{
	return apply(control, documents, dry_run, 0, ret_results, err);
}

int wf_control_apply_for(struct wf_control *control, const json_t *documents, uint64_t confirm_ms,
			 json_t **ret_results, struct wf_err *err)
{
	int r = apply(control, documents, false, confirm_ms, ret_results, err);

	return r < 0 ? r : wf_ctl_confirm_arm(control, err);
}
