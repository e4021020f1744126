/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying documents, all or nothing, in steps: every document is checked and completed (a later one
 * sees the earlier ones), the effects are made, one transaction stores all, and the effects that had to
 * wait for it come into force. A file may have 100,000 documents, so that takes seconds; whoever can
 * wait for an answer has the steps done in slices, and the loop serves others in between.
 *
 * What keeps that sound, while an apply is under way:
 *
 * - It is the only one. Whoever else wants to change documents waits (the API keeps the request), or
 *   is told -EAGAIN. So nothing that was checked changes its meaning, but for endpoints.
 * - No endpoint joins a network whose document, or a reservation in which, is among those that were
 *   looked at already (wf_control_apply_holds()); endpoints may leave. Elsewhere they come and go. What
 *   they want of the host's ports meets what planned services answer at, and the other way round.
 * - What services do is held back until all is stored: no other flush resolves them (lb.held).
 *   Policies come into force in one step. Networks and reservations do one by one.
 * - The store compares: what was written meanwhile of the same documents (a name's sticky address)
 *   fails the commit, and all is undone.
 * - With a store in etcd it is one step, for others change documents too. etcd bounds how much that is.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "model/document.h"

/* What a slice takes, unless one step takes longer. */
#define SLICE_MS 10
/* Steps between two looks at the clock. */
#define STEPS_AT_ONCE 16
/* Services that are resolved in one step. */
#define FLUSH_AT_ONCE 64

struct ctl_apply {
	struct wf_control *control;
	json_t *documents; /* a reference */
	json_t *results;   /* owned */
	struct ctl_plan plan;
	struct ctl_turn turn;
	struct ctl_writes writes;
	struct wf_store_stage *stage; /* owned */
	struct wf_control_actor actor;
	uint64_t confirm_ms;
	bool dry_run, stored;
	size_t phase, at; /* the next step */
	int result;
	struct wf_err err;
	wf_control_applied_fn done; /* NULL: somebody waits for it */
	void *context;
	struct event *timer; /* owned; while it goes on in slices */
};

/* ---- the steps ------------------------------------------------------------------------------- */

static int begin(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	struct wf_control *control = apply->control;
	size_t count = json_array_size(apply->documents);
	int r;

	(void)at;
	if (!json_is_array(apply->documents))
		return wf_fail_field(err, -EINVAL, "documents", "an array of documents is wanted");
	if (count > WF_DOCUMENTS_MAX)
		return wf_fail(err, -E2BIG, "more than %d documents at once", WF_DOCUMENTS_MAX);
	wf_ctl_follow(control);
	r = wf_ctl_check_joined(control, err);
	if (r == 0)
		r = wf_ctl_turn_begin(control, &apply->turn, err);
	return r < 0 ? r : wf_ctl_plan_init(&apply->plan, count, err);
}

static int check(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	return wf_ctl_plan_add(apply->control, &apply->plan, json_array_get(apply->documents, at),
			       err);
}

static int check_together(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	const struct ctl_change *change = &apply->plan.items[at];
	int r = wf_ctl_plan_check(apply->control, &apply->plan, at, err);

	if (r == 0 &&
	    json_array_append_new(apply->results, json_pack("{s:s, s:s, s:s}", "kind", change->kind,
							    "name", change->name, "action",
							    wf_ctl_change_action(change))) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	return r;
}

/* What was touched before is not this one's, and not held back. */
static int flush_others(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)at;
	(void)err;
	wf_ctl_lb_flush(apply->control);
	return 0;
}

static int force(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	struct wf_control *control = apply->control;
	int r;

	if (!wf_ctl_plan_is_plain(&apply->plan, at))
		return 0;
	control->lb.holding = true;
	r = wf_ctl_plan_force(control, &apply->plan, at, err);
	control->lb.holding = false;
	return r;
}

static int gather(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	int r = wf_ctl_plan_gather(apply->control, &apply->plan, err);

	(void)at;
	wf_ctl_crash_point("apply.in-force");
	return r;
}

static int write_down(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	int r = wf_ctl_plan_write(apply->control, &apply->plan, &apply->turn, apply->confirm_ms,
				  &apply->writes, err);

	(void)at;
	return r < 0 ? r : wf_store_stage_new(apply->control->store, &apply->stage, err);
}

static int make_ready(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	return wf_store_stage_add(apply->stage, &apply->writes.items[at], err);
}

static int store(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	int r = wf_ctl_commit_stage(apply->control, &apply->stage, apply->writes.items,
				    apply->writes.count, WF_STORE_DURABLE, err);

	(void)at;
	apply->stored = r == 0;
	return wf_ctl_turn_explain(apply->control, r, err);
}

/* ---- from here on nothing fails ---------------------------------------------------------------- */

static int adopt(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)err;
	wf_ctl_plan_adopt(apply->control, &apply->plan, at);
	wf_ctl_plan_log(apply->control, &apply->plan, at);
	return 0;
}

static int release(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)err;
	if (at % FLUSH_AT_ONCE == 0 && wf_ctl_lb_release(apply->control, FLUSH_AT_ONCE))
		wf_ctl_lb_flush(apply->control);
	return 0;
}

static int forget(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)err;
	wf_ctl_change_done(apply->control, &apply->plan.items[at]);
	return 0;
}

/* ---- their order ------------------------------------------------------------------------------- */

static size_t once(const struct ctl_apply *apply)
{
	(void)apply;
	return 1;
}

static size_t for_documents(const struct ctl_apply *apply)
{
	return json_array_size(apply->documents);
}

static size_t for_changes(const struct ctl_apply *apply)
{
	return apply->plan.count;
}

static size_t for_writes(const struct ctl_apply *apply)
{
	return apply->writes.count;
}

/* A change may touch many services, so it is not for them to say how many there are. */
static size_t for_held(const struct ctl_apply *apply)
{
	return apply->control->lb.held_count ? apply->at + FLUSH_AT_ONCE : 0;
}

static const struct {
	size_t (*count)(const struct ctl_apply *apply);
	int (*step)(struct ctl_apply *apply, size_t at, struct wf_err *err);
	bool in_dry_run;
} phases[] = {
	{ once, begin, true },
	{ for_documents, check, true },
	{ for_changes, check_together, true },
	{ once, flush_others, false },
	{ for_changes, force, false },
	{ once, gather, false },
	{ once, write_down, false },
	{ for_writes, make_ready, false },
	{ once, store, false },
	{ for_changes, adopt, false },
	{ for_held, release, false },
	{ for_changes, forget, true },
};

/* Nothing of it stays. */
static void take_back(struct ctl_apply *apply)
{
	wf_store_stage_free(&apply->stage);
	wf_ctl_history_forget(apply->control);
	wf_ctl_plan_undo(apply->control, &apply->plan);
	(void)wf_ctl_lb_release(apply->control, SIZE_MAX);
	wf_ctl_lb_flush(apply->control);
}

/* One step; false: that was the last one. */
static bool step(struct ctl_apply *apply)
{
	int r;

	while (apply->phase < WF_ARRAY_LEN(phases) &&
	       ((apply->dry_run && !phases[apply->phase].in_dry_run) ||
		apply->at >= phases[apply->phase].count(apply))) {
		apply->phase++;
		apply->at = 0;
	}
	if (apply->phase == WF_ARRAY_LEN(phases))
		return false;
	r = phases[apply->phase].step(apply, apply->at++, &apply->err);
	if (r == 0)
		return true;
	apply->result = r;
	take_back(apply);
	return false;
}

/* Steps for that long; false: there are none left. */
static bool slice(struct ctl_apply *apply, uint64_t ms)
{
	struct wf_control *control = apply->control;
	const struct wf_control_actor actor = control->policy.actor;
	uint64_t end_ms = wf_clock_monotonic_ms() + ms;
	bool more = true;

	control->policy.actor = apply->actor;
	do {
		for (size_t i = 0; more && i < STEPS_AT_ONCE; i++)
			more = step(apply);
	} while (more && wf_clock_monotonic_ms() < end_ms);
	control->policy.actor = actor;
	return more;
}

/* ---- beginning and end --------------------------------------------------------------------------- */

static int new_apply(struct wf_control *control, const json_t *documents, bool dry_run,
		     uint64_t confirm_ms, struct ctl_apply **ret_apply, struct wf_err *err)
{
	struct ctl_apply *apply;

	if (control->applying)
		return wf_fail(err, -EAGAIN, "another apply is under way; try again");
	apply = calloc(1, sizeof(*apply));
	if (!apply)
		return wf_fail(err, -ENOMEM, "out of memory");
	*apply = (struct ctl_apply){ .control = control,
				     .documents = json_incref((json_t *)documents),
				     .results = json_array(),
				     .actor = control->policy.actor,
				     .confirm_ms = confirm_ms,
				     .dry_run = dry_run,
				     .err = WF_ERR_INIT };
	control->applying = apply;
	*ret_apply = apply;
	return 0;
}

/* Frees it; what has come of it. */
static int end_apply(struct ctl_apply *apply, json_t **ret_results, struct wf_err *err)
{
	struct wf_control *control = apply->control;
	int r = apply->result;

	control->applying = NULL;
	if (r < 0 && err)
		*err = apply->err;
	if (r == 0 && apply->confirm_ms)
		r = wf_ctl_confirm_arm(control, err);
	if (r == 0)
		*ret_results = TAKE_PTR(apply->results);
	wf_ctl_plan_done(control, &apply->plan);
	wf_ctl_writes_done(&apply->writes);
	wf_ctl_turn_done(&apply->turn);
	if (apply->timer)
		event_free(apply->timer);
	json_decref(apply->results);
	json_decref(apply->documents);
	free(apply);
	return r;
}

static int run(struct wf_control *control, const json_t *documents, bool dry_run,
	       uint64_t confirm_ms, json_t **ret_results, struct wf_err *err)
{
	struct ctl_apply *apply;
	int r = new_apply(control, documents, dry_run, confirm_ms, &apply, err);

	if (r < 0)
		return r;
	while (slice(apply, SLICE_MS))
		;
	return end_apply(apply, ret_results, err);
}

int wf_control_apply(struct wf_control *control, const json_t *documents, bool dry_run,
		     json_t **ret_results, struct wf_err *err)
{
	return run(control, documents, dry_run, 0, ret_results, err);
}

int wf_control_apply_for(struct wf_control *control, const json_t *documents, uint64_t confirm_ms,
			 json_t **ret_results, struct wf_err *err)
{
	return run(control, documents, false, confirm_ms, ret_results, err);
}

static void finish(struct ctl_apply *apply)
{
	wf_control_applied_fn done = apply->done;
	void *context = apply->context;
	struct wf_err err = WF_ERR_INIT;
	json_t *results = NULL;
	int r = end_apply(apply, &results, &err);

	done(r, results, &err, context);
	json_decref(results);
}

static const struct timeval at_once = { 0 };

static void on_slice(evutil_socket_t fd, short what, void *context)
{
	struct ctl_apply *apply = context;

	(void)fd;
	(void)what;
	while (slice(apply, SLICE_MS))
		if (evtimer_add(apply->timer, &at_once) == 0)
			return;
	finish(apply);
}

void wf_control_apply_later(struct wf_control *control, const json_t *documents, bool dry_run,
			    uint64_t confirm_ms, wf_control_applied_fn done, void *context)
{
	struct wf_err err = WF_ERR_INIT;
	struct ctl_apply *apply;
	int r = new_apply(control, documents, dry_run, confirm_ms, &apply, &err);

	if (r < 0) {
		done(r, NULL, &err, context);
		return;
	}
	apply->done = done;
	apply->context = context;
	if (!wf_ctl_is_shared(control))
		apply->timer = evtimer_new(control->loop, on_slice, apply);
	while (slice(apply, SLICE_MS))
		if (apply->timer && evtimer_add(apply->timer, &at_once) == 0)
			return;
	finish(apply);
}

void wf_control_apply_cancel(struct wf_control *control)
{
	struct ctl_apply *apply = control->applying;

	if (!apply)
		return;
	if (!apply->stored) {
		apply->result =
			wf_fail(&apply->err, -EAGAIN, "weftd is stopping; nothing was changed");
		take_back(apply);
	} else {
		while (slice(apply, SLICE_MS))
			;
	}
	finish(apply);
}

bool wf_control_apply_holds(struct wf_control *control, const char *network)
{
	const struct ctl_apply *apply = control->applying;

	if (!apply || !network)
		return apply;
	return !wf_ctl_network_find(control, network) ||
	       wf_ctl_plan_concerns(&apply->plan, network);
}
