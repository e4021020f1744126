/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an apply that failed has brought into force is taken back, change by change; apply_job.c has the
 * order, and what may happen in between.
 */
#include <string.h>

#include "base/log.h"
#include "control/apply_priv.h"

WF_LOG_MODULE(apply);

void wf_ctl_plan_undo_reservation(struct wf_control *control, const struct ctl_plan *plan,
				  size_t at)
{
	const struct ctl_change *change = &plan->items[at];

	if (change->in_force && wf_ctl_change_is(change, WF_KIND_RESERVATION))
		change->ops->stop(control, change->name);
}

void wf_ctl_plan_undo_network(struct wf_control *control, const struct ctl_plan *plan, size_t at)
{
	const struct ctl_change *change = &plan->items[at];

	if (!change->in_force || !wf_ctl_change_is(change, WF_KIND_NETWORK))
		return;
	if (!change->before)
		change->ops->stop(control, change->name);
	else if (change->ops->force(control, change->name, change->before, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_ALL);
}

void wf_ctl_plan_undo_rest(struct wf_control *control, const struct ctl_plan *plan, size_t at)
{
	const struct ctl_change *change = &plan->items[at];

	if (!change->in_force || wf_ctl_change_is(change, WF_KIND_NETWORK) ||
	    wf_ctl_change_is_gathered(change))
		return;
	if (change->before)
		(void)change->ops->force(control, change->name, change->before, NULL);
	else
		change->ops->stop(control, change->name);
}

static int gather_back(struct wf_control *control, const struct ctl_change *change,
		       struct wf_err *err)
{
	if (!change->in_force || !wf_ctl_change_is_gathered(change))
		return 0;
	if (change->before)
		return change->ops->force(control, change->name, change->before, err);
	return change->ops->drop(control, change->kind, change->name, err);
}

void wf_ctl_plan_undo_gathered(struct wf_control *control, const struct ctl_plan *plan)
{
	struct wf_err fault = WF_ERR_INIT;
	int r = 0;

	if (!plan->gathered)
		return;
	wf_ctl_policy_begin(control);
	for (size_t i = 0; r == 0 && i < plan->count; i++)
		r = gather_back(control, &plan->items[i], &fault);
	if (r == 0)
		r = wf_ctl_policy_commit(control, &fault);
	else
		wf_ctl_policy_rollback(control);
	if (r < 0)
		wf_log_error("policies are in force that could neither be stored nor taken back",
			     "error=\"%s\"", fault.message);
}
