/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of applying: the effects of a plan are made, then one transaction stores all; when
 * an effect or the transaction fails, apply_undo.c undoes the effects. apply_job.c has the order of the
 * steps, and what may happen between them.
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

static bool has_gathered(const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changed && wf_ctl_change_is_gathered(&plan->items[i]))
			return true;
	return false;
}

const char *wf_ctl_change_action(const struct ctl_change *change)
{
	if (!change->before)
		return "created";
	return change->changed ? "configured" : "unchanged";
}

static struct ctl_policy_change record_of(const struct ctl_change *change)
{
	return (struct ctl_policy_change){ .kind = change->kind,
					   .key = change->name,
					   .before = change->before,
					   .after = change->document,
					   .action = wf_ctl_change_action(change) };
}

/* What goes on record of the changes; returns their number. */
static size_t recorded_changes(const struct ctl_plan *plan, struct ctl_policy_change *ret_changes)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].changed && wf_ctl_change_is_gathered(&plan->items[i]))
			ret_changes[count++] = record_of(&plan->items[i]);
	return count;
}

int wf_ctl_plan_force(struct wf_control *control, struct ctl_plan *plan, size_t at,
		      struct wf_err *err)
{
	struct ctl_change *change = &plan->items[at];
	int r;

	change->in_force = true;
	r = change->ops->force(control, change->name, change->document, err);
	if (r < 0) {
		wf_err_set_object(err, "%s/%s", change->kind, change->name);
		if (err)
			err->document = (int)at;
	}
	return r;
}

bool wf_ctl_plan_is_plain(const struct ctl_plan *plan, size_t at)
{
	return plan->items[at].changed && !wf_ctl_change_is_gathered(&plan->items[at]);
}

int wf_ctl_plan_gather(struct wf_control *control, struct ctl_plan *plan, struct wf_err *err)
{
	int r = 0;

	if (!has_gathered(plan))
		return 0;
	wf_ctl_policy_begin(control);
	for (size_t i = 0; r == 0 && i < plan->count; i++)
		if (plan->items[i].changed && wf_ctl_change_is_gathered(&plan->items[i]))
			r = wf_ctl_plan_force(control, plan, i, err);
	if (r == 0)
		r = wf_ctl_policy_commit(control, err);
	else
		wf_ctl_policy_rollback(control);
	plan->gathered = r == 0;
	return r;
}

int wf_ctl_plan_write(struct wf_control *control, const struct ctl_plan *plan,
		      struct ctl_turn *turn, uint64_t confirm_ms, struct ctl_writes *writes,
		      struct wf_err *err)
{
	size_t room = plan->count + CTL_HISTORY_WRITES(plan->count) + 1 + CTL_TURNS;
	_cleanup_free_ struct ctl_policy_change *changes =
		calloc(plan->count + 1, sizeof(*changes));
	size_t more = 0, turns = 0;
	int r;

	writes->items = calloc(room, sizeof(*writes->items));
	if (!writes->items || !changes)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < plan->count; i++) {
		const struct ctl_change *change = &plan->items[i];

		if (change->changed)
			writes->items[writes->count++] =
				(struct wf_store_write){ .op = WF_STORE_PUT,
							 .kind = change->kind,
							 .name = change->name,
							 .document = change->document,
							 .expected = WF_STORE_ANY };
	}
	if (!writes->count)
		return 0;
	r = wf_ctl_history_writes(control, changes, recorded_changes(plan, changes),
				  writes->items + writes->count, &more, &writes->history, err);
	if (r == 0 && confirm_ms)
		r = wf_ctl_confirm_write(control, plan, confirm_ms,
					 &writes->items[writes->count + more++], &writes->pending,
					 err);
	if (r == 0 && wf_ctl_turn_writes(control, plan, turn, writes->items + writes->count + more,
					 &turns) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	writes->count += more + turns;
	return r;
}

void wf_ctl_writes_done(struct ctl_writes *writes)
{
	json_decref(writes->history);
	json_decref(writes->pending);
	free(writes->items);
	memset(writes, 0, sizeof(*writes));
}

void wf_ctl_plan_adopt(struct wf_control *control, const struct ctl_plan *plan, size_t at)
{
	const struct ctl_change *change = &plan->items[at];

	if (change->changed && change->ops->adopt)
		change->ops->adopt(control, change->name, change->document);
}

void wf_ctl_plan_log(const struct wf_control *control, const struct ctl_plan *plan, size_t at)
{
	const struct ctl_change *change = &plan->items[at];
	struct ctl_policy_change record;

	if (!change->changed)
		return;
	wf_log_info("document applied", "kind=%s name=%s action=%s", change->kind, change->name,
		    wf_ctl_change_action(change));
	if (!wf_ctl_change_is_gathered(change))
		return;
	record = record_of(change);
	wf_ctl_history_log(control, &record);
}
