/* SPDX-License-Identifier: Apache-2.0 */
/* The first half of applying: what is asked for, checked and completed, and nothing changed yet. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/document.h"

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

static bool is_network(const struct ctl_change *change)
{
	return wf_ctl_change_is(change, WF_KIND_NETWORK);
}

static bool is_reservation(const struct ctl_change *change)
{
	return wf_ctl_change_is(change, WF_KIND_RESERVATION);
}

void wf_ctl_change_done(struct wf_control *control, struct ctl_change *change)
{
	if (!change->kind)
		return;
	unclaim(control, change);
	json_decref(change->document);
	json_decref(change->before);
	if (is_network(change))
		wf_network_done(&change->network);
	else if (is_reservation(change))
		wf_reservation_done(&change->reservation);
	else if (wf_ctl_change_is(change, WF_KIND_SERVICE))
		wf_service_done(&change->service);
	change->kind = NULL;
}

void wf_ctl_plan_done(struct wf_control *control, struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		wf_ctl_change_done(control, &plan->items[i]);
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

int wf_ctl_plan_check(struct wf_control *control, struct ctl_plan *plan, size_t at,
		      struct wf_err *err)
{
	const struct ctl_change *change = &plan->items[at];
	int r = is_network(change) ? check_held(control, plan, &change->network, err) : 0;

	if (r < 0) {
		wf_err_set_object(err, "%s/%s", change->kind, change->name);
		if (err)
			err->document = (int)at;
	}
	return r;
}

int wf_ctl_plan_init(struct ctl_plan *plan, size_t room, struct wf_err *err)
{
	plan->networks_end = &plan->networks;
	plan->room = room;
	plan->items = calloc(room + 1, sizeof(*plan->items));
	return plan->items ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

int wf_ctl_plan_add(struct wf_control *control, struct ctl_plan *plan, const json_t *document,
		    struct wf_err *err)
{
	size_t at = plan->count;
	int r = plan_one(control, plan, document, err);

	if (r < 0) {
		wf_err_set_object(err, "%s/%s", wf_json_str(document, "kind", "document"),
				  wf_json_str(json_object_get(document, "metadata"), "name", "?"));
		if (err)
			err->document = (int)at;
	}
	return r;
}

bool wf_ctl_plan_concerns(const struct ctl_plan *plan, const char *network)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (!change->kind)
			continue;
		if (is_network(change) && strcmp(change->name, network) == 0)
			return true;
		if (is_reservation(change) && strcmp(change->reservation.network, network) == 0)
			return true;
	}
	return false;
}
