/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applying documents, all or nothing, in steps: every document is checked and completed (a later one
 * sees the earlier ones), the effects are made, one transaction stores all, and the effects that had to
 * wait for it come into force. When a step fails, all is undone, in steps as well. A file may have 100,000
 * documents, so that takes seconds; whoever can wait for an answer has the steps done in slices, and the
 * loop serves others in between.
 *
 * What keeps that sound, while an apply is under way:
 *
 * - It is the only one. Whoever else wants to change documents waits (the API keeps the request), or
 *   is told -EAGAIN. So nothing that was checked changes its meaning, but for endpoints.
 * - No endpoint joins a network whose document, or a reservation in which, is among those that were
 *   looked at already (wf_control_apply_holds()); endpoints may leave. Elsewhere they come and go. What
 *   they want of the host's ports meets what planned services answer at, and the other way round.
 * - What services do is held back until all is stored, or undone: no other flush resolves them
 *   (lb.held). Policies come into force, or are taken back, in one step. Networks and reservations do
 *   one by one.
 * - The store compares: what was written meanwhile of the same documents (a name's sticky address)
 *   fails the commit, and all is undone. What it has written before the commit nobody sees, and it is
 *   taken away again first.
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
#define SLICE_MS 5
/* Short steps between two looks at the clock. */
#define STEPS_AT_ONCE 16
/* Services that are resolved in one step, and documents that are written, or taken away, in one. */
#define FLUSH_AT_ONCE 64
#define WRITE_AT_ONCE 256

struct ctl_apply;

/* Like steps, until there are no more of them. */
struct ctl_phase {
	size_t (*count)(const struct ctl_apply *apply);
	int (*step)(struct ctl_apply *apply, size_t at, struct wf_err *err);
	bool in_dry_run;
	size_t weight; /* so many short steps take as long */
};

struct ctl_apply {
	struct wf_control *control;
	struct wf_control_documents documents; /* owned */
	json_t *results;                       /* owned */
	struct ctl_plan plan;
	struct ctl_turn turn;
	struct ctl_writes writes;
	struct wf_store_stage *stage; /* owned */
	struct wf_control_actor actor;
	uint64_t confirm_ms;
	bool dry_run, stored;
	bool has_more; /* documents to be read, to be written, or to be taken away */
	const struct ctl_phase *phase; /* one without steps: that was the last one */
	size_t at;                     /* the next step in it */
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
	size_t most = apply->documents.most;
	int r;

	(void)at;
	apply->has_more = true;
	wf_ctl_follow(control);
	r = wf_ctl_check_joined(control, err);
	if (r == 0)
		r = wf_ctl_turn_begin(control, &apply->turn, err);
	return r < 0 ? r
		     : wf_ctl_plan_init(&apply->plan,
					most < WF_DOCUMENTS_MAX ? most : WF_DOCUMENTS_MAX, err);
}

static int check(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	int r = apply->documents.next(apply->documents.context, &document, err);

	apply->has_more = r == 1;
	if (r != 1)
		return r;
	if (at == apply->plan.room)
		return wf_fail(err, -E2BIG, "more than %d documents at once", WF_DOCUMENTS_MAX);
	return wf_ctl_plan_add(apply->control, &apply->plan, document, err);
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
	apply->has_more = true;
	return r < 0 ? r : wf_store_stage_new(apply->control->store, &apply->stage, err);
}

static int make_ready(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	return wf_store_stage_add(apply->stage, &apply->writes.items[at], err);
}

static int write_some(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	int r = wf_store_stage_write(apply->stage, WRITE_AT_ONCE, err);

	(void)at;
	apply->has_more = r == 1;
	return r < 0 ? r : 0;
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

/* What it takes to remember; of what has failed there are no results either. */
static int forget(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)err;
	wf_ctl_change_done(apply->control, &apply->plan.items[at]);
	if (apply->result < 0 && at < json_array_size(apply->results))
		(void)json_array_set_new(apply->results, at, json_null());
	return 0;
}

/* ---- back: nothing of it stays, and nothing of this fails either -------------------------------- */

static int give_up(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)at;
	(void)err;
	apply->has_more = wf_store_stage_undo(&apply->stage, WRITE_AT_ONCE);
	return 0;
}

static int undo_reservation(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)err;
	wf_ctl_plan_undo_reservation(apply->control, &apply->plan, at);
	return 0;
}

static int undo_network(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	struct wf_control *control = apply->control;

	(void)err;
	control->lb.holding = true;
	wf_ctl_plan_undo_network(control, &apply->plan, apply->plan.count - 1 - at);
	control->lb.holding = false;
	return 0;
}

static int undo_rest(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	struct wf_control *control = apply->control;

	(void)err;
	control->lb.holding = true;
	wf_ctl_plan_undo_rest(control, &apply->plan, at);
	control->lb.holding = false;
	return 0;
}

static int undo_gathered(struct ctl_apply *apply, size_t at, struct wf_err *err)
{
	(void)at;
	(void)err;
	wf_ctl_history_forget(apply->control);
	wf_ctl_plan_undo_gathered(apply->control, &apply->plan);
	return 0;
}

/* ---- their order ------------------------------------------------------------------------------- */

static size_t once(const struct ctl_apply *apply)
{
	(void)apply;
	return 1;
}

/* How many there are is known when there are no more. */
static size_t while_more(const struct ctl_apply *apply)
{
	return apply->at + apply->has_more;
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

static const struct ctl_phase forwards[] = {
	{ once, begin, true, 1 },
	{ while_more, check, true, 1 },
	{ for_changes, check_together, true, 1 },
	{ once, flush_others, false, 1 },
	{ for_changes, force, false, 1 },
	{ once, gather, false, 1 },
	{ once, write_down, false, 1 },
	{ for_writes, make_ready, false, 1 },
	{ while_more, write_some, false, STEPS_AT_ONCE },
	{ once, store, false, 1 },
	{ for_changes, adopt, false, 1 },
	{ for_held, release, false, 1 },
	{ for_changes, forget, true, 1 },
	{ 0 },
};

static const struct ctl_phase backwards[] = {
	{ while_more, give_up, false, STEPS_AT_ONCE },
	{ for_changes, undo_reservation, false, 1 },
	{ for_changes, undo_network, false, 1 },
	{ for_changes, undo_rest, false, 1 },
	{ once, undo_gathered, false, 1 },
	{ for_held, release, false, 1 },
	{ once, flush_others, false, 1 },
	{ for_changes, forget, true, 1 },
	{ 0 },
};

/* From here on it is undone. */
static void turn_back(struct ctl_apply *apply, int r)
{
	apply->result = r;
	apply->phase = backwards;
	apply->at = 0;
	apply->has_more = true;
}

/* One step; false: that was the last one. */
static bool step(struct ctl_apply *apply)
{
	int r;

	while (apply->phase->step && ((apply->dry_run && !apply->phase->in_dry_run) ||
				      apply->at >= apply->phase->count(apply))) {
		apply->phase++;
		apply->at = 0;
	}
	if (!apply->phase->step)
		return false;
	r = apply->phase->step(apply, apply->at++, &apply->err);
	if (r < 0)
		turn_back(apply, r);
	return true;
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
		for (size_t done = 0; more && done < STEPS_AT_ONCE;) {
			more = step(apply);
			done += more ? apply->phase->weight : 0;
		}
	} while (more && wf_clock_monotonic_ms() < end_ms);
	control->policy.actor = actor;
	return more;
}

/* ---- beginning and end --------------------------------------------------------------------------- */

static void free_documents(const struct wf_control_documents *documents)
{
	if (documents->free)
		documents->free(documents->context);
}

static int new_apply(struct wf_control *control, const struct wf_control_documents *documents,
		     bool dry_run, uint64_t confirm_ms, struct ctl_apply **ret_apply,
		     struct wf_err *err)
{
	struct ctl_apply *apply = control->applying ? NULL : calloc(1, sizeof(*apply));

	if (!apply) {
		free_documents(documents);
		return control->applying
			       ? wf_fail(err, -EAGAIN, "another apply is under way; try again")
			       : wf_fail(err, -ENOMEM, "out of memory");
	}
	*apply = (struct ctl_apply){ .control = control,
				     .documents = *documents,
				     .results = json_array(),
				     .phase = forwards,
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
	free_documents(&apply->documents);
	free(apply);
	return r;
}

/* Documents of an array, for whom it is no matter how long it takes. */
struct in_array {
	const json_t *array;
	size_t at;
};

static int next_in_array(void *context, json_t **ret_document, struct wf_err *err)
{
	struct in_array *in = context;

	if (!json_is_array(in->array))
		return wf_fail_field(err, -EINVAL, "documents", "an array of documents is wanted");
	if (in->at == json_array_size(in->array))
		return 0;
	*ret_document = json_incref(json_array_get(in->array, in->at++));
	return 1;
}

static int run(struct wf_control *control, const json_t *array, bool dry_run, uint64_t confirm_ms,
	       json_t **ret_results, struct wf_err *err)
{
	struct in_array in = { .array = array };
	const struct wf_control_documents documents = { .most = json_array_size(array),
							.next = next_in_array,
							.context = &in };
	struct ctl_apply *apply;
	int r = new_apply(control, &documents, dry_run, confirm_ms, &apply, err);

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

void wf_control_apply_later(struct wf_control *control,
			    const struct wf_control_documents *documents, bool dry_run,
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
	if (!apply->stored && apply->result == 0)
		turn_back(apply,
			  wf_fail(&apply->err, -EAGAIN, "weftd is stopping; nothing was changed"));
	while (slice(apply, SLICE_MS))
		;
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
