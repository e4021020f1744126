/* SPDX-License-Identifier: Apache-2.0 */
/* What applying a document means for each kind: checking and completing it, force, and undoing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"

static int plan_network(struct wf_control *control, struct ctl_change *change,
			const json_t *document, struct wf_err *err)
{
	struct ctl_network *existing;
	int r;

	r = wf_network_from_json(&change->network, document, err);
	if (r < 0)
		return r;
	existing = wf_ctl_network_find(control, change->name);
	if (!json_object_get(json_object_get(document, "spec"), "coolDown"))
		change->network.cool_down_ms = control->config.cool_down_ms;
	r = wf_ctl_network_complete(control, &change->network, existing ? &existing->spec : NULL,
				    err);
	if (r == 0 && existing)
		r = wf_network_check_kept(&existing->spec, &change->network, err);
	if (r == 0 && existing &&
	    (existing->endpoint_count || wf_ctl_remote_in(control, change->name)))
		r = wf_network_check_change(&existing->spec, &change->network, err);
	if (r == 0)
		r = wf_ctl_network_check(control, &change->network, err);
	if (r < 0)
		return r;
	change->document = wf_network_to_json(&change->network);
	return change->document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

/* The network a reservation names, among those in force or in this plan. */
static const struct wf_network *network_of(struct wf_control *control, const char *name)
{
	const struct ctl_change *planned = wf_ctl_planned(control->plan, WF_KIND_NETWORK, name);
	struct ctl_network *network = wf_ctl_network_find(control, name);

	if (planned)
		return &planned->network;
	return network ? &network->spec : NULL;
}

static bool is_for_same(const struct wf_reservation *a, const struct wf_reservation *b)
{
	return strcmp(a->network, b->network) == 0 && strcmp(a->holder, b->holder) == 0;
}

/* Another reservation of the network for the same name, among those of this plan or in force. */
static const char *other_for(struct wf_control *control, const struct wf_reservation *reservation)
{
	uint64_t hash = wf_ctl_holder_hash(reservation->network, reservation->holder);

	WF_INDEX_EACH(&control->plan->by_holder, hash, node) {
		const struct wf_reservation *planned =
			&WF_INDEX_OBJECT(node, struct ctl_change, by_holder)->reservation;

		if (is_for_same(planned, reservation))
			return planned->meta.name;
	}
	WF_INDEX_EACH(&control->holders, hash, node) {
		const struct wf_reservation *other =
			&WF_INDEX_OBJECT(node, struct ctl_reservation, by_holder)->spec;

		if (is_for_same(other, reservation) &&
		    strcmp(other->meta.name, reservation->meta.name) != 0 &&
		    !wf_ctl_planned(control->plan, WF_KIND_RESERVATION, other->meta.name))
			return other->meta.name;
	}
	return NULL;
}

static int plan_reservation(struct wf_control *control, struct ctl_change *change,
			    const json_t *document, struct wf_err *err)
{
	const char *other;
	const struct wf_network *network;
	char text[WF_ADDR_TEXT], field[64];
	int r;

	r = wf_reservation_from_json(&change->reservation, document, err);
	if (r < 0)
		return r;
	network = network_of(control, change->reservation.network);
	if (!network)
		return wf_fail_field(err, -ENOENT, "spec.network",
				     "there is no network %s; create it first or in the same file",
				     change->reservation.network);
	other = other_for(control, &change->reservation);
	if (other)
		return wf_fail_field(err, -EEXIST, "spec.for",
				     "reservation %s holds addresses of network %s for %s already",
				     other, network->meta.name, change->reservation.holder);
	for (size_t i = 0; i < change->reservation.address_count; i++) {
		const struct wf_addr *addr = &change->reservation.addresses[i];

		if (wf_network_subnet_of(network, addr))
			continue;
		(void)snprintf(field, sizeof(field), "spec.addresses[%zu]", i);
		return wf_fail_field(err, -EADDRNOTAVAIL, field, "%s is in no subnet of network %s",
				     wf_addr_format(addr, text), network->meta.name);
	}
	change->document = wf_reservation_to_json(&change->reservation);
	return change->document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

static int force_network(struct wf_control *control, const char *key, const json_t *document,
			 struct wf_err *err)
{
	struct wf_network spec = { 0 };
	struct ctl_network *existing;
	int r;

	r = wf_network_from_json(&spec, document, err);
	if (r < 0)
		return r;
	existing = wf_ctl_network_find(control, spec.meta.name);
	r = existing ? wf_ctl_network_change(control, existing, &spec, err)
		     : wf_ctl_network_start(control, &spec, err);
	wf_network_done(&spec);
	wf_ctl_lb_touch_network(control, key);
	/* its gateways are addresses of this node */
	if (control->policy.settled && wf_ctl_policy_self_put(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_POLICY);
	/* with the first network the host starts to forward: its first container counts on that */
	if (!existing && wf_ctl_uplinks_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_UPLINKS);
	if (r == 0)
		r = wf_ctl_node_hosts_program(control, err);
	wf_ctl_hosts_want(control);
	return r;
}

static int force_reservation(struct wf_control *control, const char *key, const json_t *document,
			     struct wf_err *err)
{
	struct wf_reservation spec = { 0 };
	struct ctl_reservation *existing;
	int r;

	r = wf_reservation_from_json(&spec, document, err);
	if (r < 0)
		return r;
	existing = wf_ctl_reservation_find(control, spec.meta.name);
	if (existing)
		wf_ctl_reservation_stop(control, existing);
	r = wf_ctl_reservation_start(control, &spec, err);
	wf_reservation_done(&spec);
	return r;
}

static void stop_network(struct wf_control *control, const char *key)
{
	struct ctl_network *network = wf_ctl_network_find(control, key);

	/* what hosts of other nodes have there goes with it */
	if (network && wf_ctl_is_overlay(network))
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
	if (network)
		wf_ctl_network_stop(control, network);
	if (wf_ctl_policy_self_put(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_POLICY);
	wf_ctl_lb_touch_network(control, key);
	wf_ctl_hosts_want(control);
}

static void adopt_network(struct wf_control *control, const char *key, const json_t *document)
{
	struct ctl_network *network = wf_ctl_network_find(control, key);

	if (network)
		wf_ctl_meta_adopt(&network->spec.meta, document);
}

static void stop_reservation(struct wf_control *control, const char *key)
{
	struct ctl_reservation *reservation = wf_ctl_reservation_find(control, key);

	if (reservation)
		wf_ctl_reservation_stop(control, reservation);
}

/* ---- Service ---------------------------------------------------------------------------------- */

static int plan_service(struct wf_control *control, struct ctl_change *change,
			const json_t *document, struct wf_err *err)
{
	const struct ctl_service *existing = wf_ctl_service_find(control, change->name);
	struct wf_service spec = { 0 };
	int r;

	r = wf_service_from_json(&spec, document, err);
	if (r == 0)
		r = wf_ctl_service_complete(control, change->name, &spec,
					    existing ? &existing->spec : NULL, err);
	change->service = spec;
	if (r < 0)
		return r;
	if (wf_ctl_claimant_new(&change->claimant, change->name, &change->service) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	/* until the plan ends, this is where it answers, and not where it does so far */
	wf_ctl_claimant_show(&control->lb.claims, change->claimant);
	if (existing)
		wf_ctl_claimant_hide(&control->lb.claims, existing->claimant);
	change->document = wf_service_to_json(&change->service);
	return change->document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

static int force_service(struct wf_control *control, const char *key, const json_t *document,
			 struct wf_err *err)
{
	struct wf_service spec = { 0 };
	int r = wf_service_from_json(&spec, document, err);

	if (r == 0)
		r = wf_ctl_service_put(control, key, &spec, err);
	wf_service_done(&spec);
	return r;
}

static void adopt_service(struct wf_control *control, const char *key, const json_t *document)
{
	struct ctl_service *service = wf_ctl_service_find(control, key);

	if (!service)
		return;
	wf_ctl_meta_adopt(&service->spec.meta, document);
	json_decref(service->spec.document);
	service->spec.document = json_deep_copy(document);
}

/* ---- EndpointSlice ------------------------------------------------------------------------------ */

static int plan_slice(struct wf_control *control, struct ctl_change *change, const json_t *document,
		      struct wf_err *err)
{
	struct wf_endpoint_slice spec = { 0 };
	int r = wf_endpoint_slice_from_json(&spec, document, err);

	(void)control;
	wf_endpoint_slice_done(&spec);
	if (r < 0)
		return r;
	change->document = json_deep_copy(document);
	/* the namespace that is meant when none is said is part of what is stored */
	if (change->document &&
	    wf_json_set_str(json_object_get(change->document, "metadata"), "namespace",
			    wf_json_str(json_object_get(document, "metadata"), "namespace",
					"default")) == 0)
		return 0;
	return wf_fail(err, -ENOMEM, "out of memory");
}

static int force_slice(struct wf_control *control, const char *key, const json_t *document,
		       struct wf_err *err)
{
	struct wf_endpoint_slice spec = { 0 };
	int r = wf_endpoint_slice_from_json(&spec, document, err);

	if (r == 0)
		r = wf_ctl_slice_put(control, key, &spec, err);
	wf_endpoint_slice_done(&spec);
	return r;
}

static const struct ctl_kind_ops operations[] = {
	{ WF_KIND_NETWORK, plan_network, force_network, stop_network, adopt_network, NULL },
	{ WF_KIND_RESERVATION, plan_reservation, force_reservation, stop_reservation, NULL, NULL },
	{ WF_KIND_SERVICE, plan_service, force_service, wf_ctl_service_drop, adopt_service, NULL },
	{ WF_KIND_ENDPOINT_SLICE, plan_slice, force_slice, wf_ctl_slice_drop, NULL, NULL },
};

const struct ctl_kind_ops *wf_ctl_kind_ops(const char *kind)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(operations); i++)
		if (strcmp(operations[i].kind, kind) == 0)
			return &operations[i];
	return wf_ctl_policy_kind_ops(kind);
}
