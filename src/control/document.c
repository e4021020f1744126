/* SPDX-License-Identifier: Apache-2.0 */
/* Reading documents back and deleting them. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/document.h"

WF_LOG_MODULE(document);

int wf_control_get(struct wf_control *control, const char *kind_name, const char *name,
		   json_t **ret_document, struct wf_err *err)
{
	const struct wf_kind *kind = wf_kind_find(kind_name);
	int r;

	if (!kind)
		return wf_fail(err, -ENOENT, "there is no kind %s", kind_name);
	r = wf_store_get(control->store, kind->name, name, ret_document, err);
	if (r == 0)
		r = wf_ctl_policy_add_status(control, *ret_document);
	if (r == -ENOENT) {
		wf_err_set(err, r, "does not exist; 'weft get %s' lists those that do",
			   kind->plural);
		wf_err_set_object(err, "%s/%s", kind->name, name);
	}
	return r;
}

int wf_control_list(struct wf_control *control, const char *kind_name, json_t **ret_list,
		    struct wf_err *err)
{
	const struct wf_kind *kind = wf_kind_find(kind_name);
	json_t *items, *item;
	uint64_t revision;
	size_t i;
	int r;

	if (!kind)
		return wf_fail(err, -ENOENT, "there is no kind %s", kind_name);
	r = wf_store_list(control->store, kind->name, &items, &revision, err);
	if (r < 0)
		return r;
	json_array_foreach(items, i, item)
		if (wf_ctl_policy_add_status(control, item) < 0)
			wf_log_warning("out of memory for a status", "kind=%s", kind->name);
	*ret_list = json_pack("{s:o, s:I}", "items", items, "revision", (json_int_t)revision);
	return *ret_list ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

static int check_deletable(struct wf_control *control, const char *kind, const char *name,
			   struct wf_err *err)
{
	struct ctl_network *network = wf_ctl_network_find(control, name);
	struct ctl_endpoint *endpoint, *next;
	struct ctl_reservation *reservation, *next_reservation;
	const struct ctl_remote *remote;

	if (strcmp(kind, WF_KIND_ENDPOINT) == 0)
		return wf_fail(err, -EPERM,
			       "an endpoint is not deleted but detached: "
			       "weft detach %s",
			       name);
	if (strcmp(kind, WF_KIND_NETWORK) != 0 || !network)
		return 0;
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		if (endpoint->network == network)
			return wf_fail(err, -EBUSY,
				       "network %s has %zu endpoint%s (%s%s); detach %s first",
				       name, network->endpoint_count,
				       network->endpoint_count == 1 ? "" : "s",
				       endpoint->spec.meta.name,
				       network->endpoint_count == 1 ? "" : ", ...",
				       network->endpoint_count == 1 ? "it" : "them");
	}
	remote = wf_ctl_remote_in(control, name);
	if (remote)
		return wf_fail(
			err, -EBUSY,
			"network %s has endpoints on other nodes (%s on %s, ...); detach them "
			"there first",
			name, wf_ctl_remote_name(remote), remote->node->name);
	HASH_ITER(by_name, control->reservations, reservation, next_reservation) {
		if (strcmp(reservation->spec.network, name) == 0 && !reservation->spec.sticky)
			return wf_fail(err, -EBUSY,
				       "network %s has reservations (%s, ...); delete them first",
				       name, reservation->spec.meta.name);
	}
	return 0;
}

/* The object itself and, with a network, the sticky reservations weft made in it. */
static int delete_from_store(struct wf_control *control, const char *kind, const char *name,
			     const struct ctl_policy_change *change, struct wf_err *err)
{
	bool is_network = strcmp(kind, WF_KIND_NETWORK) == 0;
	size_t held = is_network ? HASH_CNT(by_name, control->reservations) : 0;
	size_t room = held + 1 + CTL_HISTORY_WRITES(1);
	_cleanup_free_ struct wf_store_write *writes = calloc(room, sizeof(*writes));
	const struct ctl_reservation *reservation;
	_cleanup_json_ json_t *history = NULL;
	size_t count = 0, more = 0;
	int r;

	if (!writes)
		return wf_fail(err, -ENOMEM, "out of memory");
	writes[count++] = (struct wf_store_write){
		.op = WF_STORE_DELETE, .kind = kind, .name = name, .expected = WF_STORE_ANY
	};
	for (reservation = is_network ? control->reservations : NULL; reservation;
	     reservation = reservation->by_name.next) {
		if (strcmp(reservation->spec.network, name) == 0)
			writes[count++] =
				(struct wf_store_write){ .op = WF_STORE_DELETE,
							 .kind = WF_KIND_RESERVATION,
							 .name = reservation->spec.meta.name,
							 .expected = WF_STORE_ANY };
	}
	r = wf_ctl_history_writes(control, change, change ? 1 : 0, writes + count, &more, &history,
				  err);
	if (r == 0)
		r = wf_ctl_commit(control, writes, count + more, WF_STORE_DURABLE, err);
	if (r < 0)
		wf_ctl_history_forget(control);
	return r;
}

/*
 * Out of force first: what does not fit without it is refused, and stays as it was. What then
 * cannot be deleted comes back.
 */
static int delete_gathered(struct wf_control *control, const struct ctl_kind_ops *ops,
			   const char *name, const json_t *document, struct wf_err *err)
{
	const struct ctl_policy_change change = {
		.kind = ops->kind, .key = name, .before = document, .action = "deleted"
	};
	int r, q;

	wf_ctl_policy_begin(control);
	r = ops->drop(control, ops->kind, name, err);
	if (r < 0)
		wf_ctl_policy_rollback(control);
	else
		r = wf_ctl_policy_commit(control, err);
	if (r < 0)
		return r;
	wf_ctl_crash_point("delete.out-of-force");
	r = delete_from_store(control, ops->kind, name, &change, err);
	if (r == 0) {
		wf_ctl_history_log(control, &change);
		return 0;
	}
	q = ops->force(control, name, document, NULL);
	if (q < 0)
		wf_log_error("policy is not in force and could not be deleted", "kind=%s name=%s",
			     ops->kind, name);
	return r;
}

int wf_control_delete(struct wf_control *control, const char *kind_name, const char *name,
		      struct wf_err *err)
{
	struct wf_control_released released;

	return wf_control_delete_for(control, kind_name, name, false, &released, err);
}

int wf_control_delete_for(struct wf_control *control, const char *kind_name, const char *name,
			  bool force, struct wf_control_released *ret_released, struct wf_err *err)
{
	const struct wf_kind *kind = wf_kind_find(kind_name);
	_cleanup_json_ json_t *document = NULL;
	struct ctl_reservation *reservation, *next;
	const struct ctl_kind_ops *ops;
	int r;

	*ret_released = (struct wf_control_released){ 0 };
	if (wf_control_apply_holds(control, NULL))
		return wf_fail(err, -EAGAIN, "an apply is under way; try again");
	wf_ctl_follow(control);
	r = wf_control_get(control, kind_name, name, &document, err);
	if (r == 0)
		r = check_deletable(control, kind->name, name, err);
	if (r == 0 && strcmp(kind->name, WF_KIND_NODE) == 0) {
		r = wf_ctl_node_check_leave(control, name, force, err);
		if (r == 0)
			r = wf_ctl_node_leave(control, name, ret_released, err);
	}
	ops = kind ? wf_ctl_kind_ops(kind->name) : NULL;
	if (r == 0 && ops && ops->drop)
		r = delete_gathered(control, ops, name, document, err);
	else if (r == 0)
		r = delete_from_store(control, kind->name, name, NULL, err);
	if (r < 0 || !kind) {
		wf_err_set_object(err, "%s/%s", kind ? kind->name : kind_name, name);
		return wf_err_negative(r);
	}
	wf_ctl_crash_point("delete.stored");
	if (strcmp(kind->name, WF_KIND_NETWORK) == 0)
		HASH_ITER(by_name, control->reservations, reservation, next)
			if (strcmp(reservation->spec.network, name) == 0)
				wf_ctl_reservation_stop(control, reservation);
	if (ops && ops->stop)
		ops->stop(control, name);
	wf_ctl_lb_flush(control);
	wf_log_info("document deleted", "kind=%s name=%s", kind->name, name);
	return 0;
}
