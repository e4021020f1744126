/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An apply that waits for confirmation: what was there before is stored with it, in the same
 * transaction, and comes back when nobody has confirmed in time; a restart in between changes
 * nothing about that. For rules of the host that may lock their author out.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/apply_priv.h"

WF_LOG_MODULE(policy_confirm);

#define PENDING_KIND "PendingApply"
#define PENDING_NAME "local"
#define RETRY_S      5

static int read_pending(struct wf_control *control, json_t **ret_pending, struct wf_err *err)
{
	return wf_store_get(control->store, PENDING_KIND, PENDING_NAME, ret_pending, err);
}

static int add_change(json_t *items, const struct ctl_change *change)
{
	json_t *item = json_pack("{s:s, s:s}", "kind", change->kind, "name", change->name);

	/* no document: it did not exist */
	if (item && change->before && json_object_set(item, "document", change->before) < 0) {
		json_decref(item);
		return -ENOMEM;
	}
	return json_array_append_new(items, item) < 0 ? -ENOMEM : 0;
}

int wf_ctl_confirm_write(struct wf_control *control, const struct ctl_plan *plan, uint64_t wait_ms,
			 struct wf_store_write *write, json_t **ret_document, struct wf_err *err)
{
	int64_t deadline_s = wf_clock_wall_s() + (int64_t)((wait_ms + 999) / 1000);
	_cleanup_json_ json_t *pending = NULL, *document = NULL;
	json_t *items;
	int r = read_pending(control, &pending, NULL);

	if (r == 0)
		return wf_fail(
			err, -EBUSY,
			"an earlier apply waits for confirmation; 'weft confirm' keeps it, or "
			"wait until it is rolled back");
	if (r != -ENOENT)
		return wf_fail(err, r, "cannot read what waits for confirmation");
	items = json_array();
	document = json_pack("{s:s, s:s, s:{s:s}, s:{s:I, s:I, s:o}}", "apiVersion", WF_API_VERSION,
			     "kind", PENDING_KIND, "metadata", "name", PENDING_NAME, "spec",
			     "deadline", (json_int_t)deadline_s, "uid",
			     (json_int_t)control->policy.actor.uid, "before", items);
	r = document ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < plan->count; i++)
		if (plan->items[i].changed)
			r = add_change(items, &plan->items[i]);
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	*write = (struct wf_store_write){ .op = WF_STORE_PUT,
					  .kind = PENDING_KIND,
					  .name = PENDING_NAME,
					  .document = document,
					  .expected = WF_STORE_ABSENT };
	*ret_document = TAKE_PTR(document);
	return 0;
}

static int forget(struct wf_control *control, struct wf_err *err)
{
	const struct wf_store_write gone = { .op = WF_STORE_DELETE,
					     .kind = PENDING_KIND,
					     .name = PENDING_NAME,
					     .expected = WF_STORE_ANY };

	if (control->policy.confirm_timer)
		(void)event_del(control->policy.confirm_timer);
	return wf_ctl_commit(control, &gone, 1, WF_STORE_DURABLE, err);
}

static void arm_after(struct wf_control *control, int64_t wait_s)
{
	const struct timeval wait = { .tv_sec = (time_t)(wait_s > 0 ? wait_s : 0) };

	(void)evtimer_add(control->policy.confirm_timer, &wait);
}

/* What was changed goes back, what was created goes: in two steps, each whole. */
static int roll_back(struct wf_control *control, const json_t *items, struct wf_err *err)
{
	_cleanup_json_ json_t *documents = json_array(), *results = NULL;
	const json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach(items, i, item)
		if (json_object_get(item, "document") &&
		    json_array_append(documents, json_object_get(item, "document")) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	if (json_array_size(documents))
		r = wf_control_apply(control, documents, false, &results, err);
	for (i = json_array_size(items); r == 0 && i-- > 0;) {
		item = json_array_get(items, i);
		if (json_object_get(item, "document"))
			continue;
		r = wf_control_delete(control, wf_json_str(item, "kind", ""),
				      wf_json_str(item, "name", ""), err);
		/* somebody was quicker */
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	_cleanup_json_ json_t *pending = NULL;
	struct wf_err fault = WF_ERR_INIT;
	const json_t *spec;
	int64_t left_s;
	int r;

	(void)fd;
	(void)what;
	if (read_pending(control, &pending, NULL) < 0)
		return;
	spec = json_object_get(pending, "spec");
	left_s = wf_json_int(spec, "deadline", 0) - wf_clock_wall_s();
	if (left_s <= 0 && wf_control_apply_holds(control, NULL))
		left_s = 1;
	if (left_s > 0) {
		arm_after(control, left_s);
		return;
	}
	r = roll_back(control, json_object_get(spec, "before"), &fault);
	if (r == 0)
		r = forget(control, &fault);
	if (r < 0) {
		wf_log_error("apply that nobody confirmed cannot be rolled back yet",
			     "error=\"%s\"", fault.message);
		arm_after(control, RETRY_S);
		return;
	}
	wf_log_warning("apply that nobody confirmed was rolled back", "documents=%zu",
		       json_array_size(json_object_get(spec, "before")));
}

int wf_ctl_confirm_arm(struct wf_control *control, struct wf_err *err)
{
	_cleanup_json_ json_t *pending = NULL;
	int r = read_pending(control, &pending, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!control->policy.confirm_timer)
		control->policy.confirm_timer = evtimer_new(control->loop, on_deadline, control);
	if (!control->policy.confirm_timer)
		return wf_fail(err, -ENOMEM, "out of memory for timers");
	arm_after(control,
		  wf_json_int(json_object_get(pending, "spec"), "deadline", 0) - wf_clock_wall_s());
	return 0;
}

void wf_ctl_confirm_stop(struct wf_control *control)
{
	if (control->policy.confirm_timer)
		event_free(control->policy.confirm_timer);
	control->policy.confirm_timer = NULL;
}

int wf_control_confirm(struct wf_control *control, json_t **ret_answer, struct wf_err *err)
{
	_cleanup_json_ json_t *pending = NULL, *items = json_array();
	const json_t *item;
	size_t i;
	int r = read_pending(control, &pending, NULL);

	if (r == -ENOENT)
		return wf_fail(err, r, "nothing waits for confirmation");
	if (r < 0)
		return wf_fail(err, r, "cannot read what waits for confirmation");
	json_array_foreach(json_object_get(json_object_get(pending, "spec"), "before"), i, item)
		if (json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "kind",
							   wf_json_str(item, "kind", ""), "name",
							   wf_json_str(item, "name", ""), "action",
							   "confirmed")) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	r = forget(control, err);
	if (r < 0)
		return r;
	wf_log_info("apply confirmed", "documents=%zu", json_array_size(items));
	*ret_answer = json_pack("{s:O}", "results", items);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
