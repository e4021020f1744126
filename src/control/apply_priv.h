/* SPDX-License-Identifier: Apache-2.0 */
/* Applying: the parts of it; see apply_job.c for the order of things. */
#ifndef WEFT_CONTROL_APPLY_PRIV_H
#define WEFT_CONTROL_APPLY_PRIV_H

#include <string.h>

#include "control/control_priv.h"

struct ctl_kind_ops {
	const char *kind;
	/* Checks and completes: fills change->document and what later documents must see. */
	int (*plan)(struct wf_control *control, struct ctl_change *change, const json_t *document,
		    struct wf_err *err);
	/* Brings a planned or stored document into force, new or changed. */
	int (*force)(struct wf_control *control, const char *key, const json_t *document,
		     struct wf_err *err);
	/* Takes it out of force. Unknown keys are fine. */
	void (*stop)(struct wf_control *control, const char *key);
	/* Learns what the store added; may be NULL. */
	void (*adopt)(struct wf_control *control, const char *key, const json_t *document);
	/*
	 * In place of stop, for kinds whose effects the policy engine gathers: between
	 * wf_ctl_policy_begin() and commit, which brings them into force or takes all back.
	 */
	int (*drop)(struct wf_control *control, const char *kind, const char *key,
		    struct wf_err *err);
};

static inline bool wf_ctl_change_is(const struct ctl_change *change, const char *kind)
{
	return strcmp(change->kind, kind) == 0;
}

/* What the policy engine gathers comes into force, and is taken back, as one. */
static inline bool wf_ctl_change_is_gathered(const struct ctl_change *change)
{
	return change->ops->drop;
}

/* ---- turn.c: one node at a time --------------------------------------------------------------- */

#define CTL_TURNS 3
struct ctl_turn {
	uint64_t seen[CTL_TURNS];     /* versions of the indexes as they were before the plan */
	json_t *documents[CTL_TURNS]; /* owned; what the writes point to */
};
/* Before others are looked at. */
int wf_ctl_turn_begin(struct wf_control *control, struct ctl_turn *turn, struct wf_err *err);
/* Up to CTL_TURNS writes to be committed with the plan. 0 or -ENOMEM. */
int wf_ctl_turn_writes(struct wf_control *control, const struct ctl_plan *plan,
		       struct ctl_turn *turn, struct wf_store_write *writes, size_t *ret_count);
void wf_ctl_turn_done(struct ctl_turn *turn);
/* What a commit's failure means to whoever applied; returns the code. */
int wf_ctl_turn_explain(struct wf_control *control, int r, struct wf_err *err);

/* ---- apply_plan.c: what is asked for, checked ---------------------------------------------------- */

int wf_ctl_plan_init(struct ctl_plan *plan, size_t room, struct wf_err *err);
/* The next document. A refused one may be in the plan, too, so that wf_ctl_plan_done() frees it. */
int wf_ctl_plan_add(struct wf_control *control, struct ctl_plan *plan, const json_t *document,
		    struct wf_err *err);
/* What can be said when all are known. */
int wf_ctl_plan_check(struct wf_control *control, struct ctl_plan *plan, size_t at,
		      struct wf_err *err);
/* Whether the network, or something reserved in it, is among what was looked at so far. */
bool wf_ctl_plan_concerns(const struct ctl_plan *plan, const char *network);
void wf_ctl_change_done(struct wf_control *control, struct ctl_change *change);
void wf_ctl_plan_done(struct wf_control *control, struct ctl_plan *plan);

/* ---- apply.c: its effects -------------------------------------------------------------------------- */

/* What has become of a document: created, configured, unchanged. */
const char *wf_ctl_change_action(const struct ctl_change *change);
/* Whether it changes something, and has its effect for itself alone. */
bool wf_ctl_plan_is_plain(const struct ctl_plan *plan, size_t at);
/* The effect of one change; of all that the policy engine gathers. */
int wf_ctl_plan_force(struct wf_control *control, struct ctl_plan *plan, size_t at,
		      struct wf_err *err);
int wf_ctl_plan_gather(struct wf_control *control, struct ctl_plan *plan, struct wf_err *err);
/* What is to be committed, and what it points to that is nobody else's. */
struct ctl_writes {
	struct wf_store_write *items; /* owned */
	size_t count;
	json_t *history, *pending; /* owned */
};
/* The documents, the record of what was done to policies, and what to go back to, in one. */
int wf_ctl_plan_write(struct wf_control *control, const struct ctl_plan *plan,
		      struct ctl_turn *turn, uint64_t confirm_ms, struct ctl_writes *writes,
		      struct wf_err *err);
void wf_ctl_writes_done(struct ctl_writes *writes);
/* A table learns what the store added: uid, resourceVersion, creation time. */
void wf_ctl_plan_adopt(struct wf_control *control, const struct ctl_plan *plan, size_t at);
void wf_ctl_plan_log(const struct wf_control *control, const struct ctl_plan *plan, size_t at);

/* ---- apply_undo.c: back to what was before ----------------------------------------------------------- */

/*
 * Steps for each change, all of the first for all changes before the second, and so on: what is held may be
 * held in subnets that have to come back first. What is not in force is left alone.
 */
void wf_ctl_plan_undo_reservation(struct wf_control *control, const struct ctl_plan *plan,
				  size_t at);
/* To be called from the last change to the first. */
void wf_ctl_plan_undo_network(struct wf_control *control, const struct ctl_plan *plan, size_t at);
void wf_ctl_plan_undo_rest(struct wf_control *control, const struct ctl_plan *plan, size_t at);
/* One step for all that the policy engine gathered and could not be stored. */
void wf_ctl_plan_undo_gathered(struct wf_control *control, const struct ctl_plan *plan);

/* ---- apply_kinds.c ----------------------------------------------------------------------------------- */

/* NULL: the kind cannot be applied. */
const struct ctl_kind_ops *wf_ctl_kind_ops(const char *kind);
/* Those of policy_kinds.c; NULL: another's. */
const struct ctl_kind_ops *wf_ctl_policy_kind_ops(const char *kind);
/* The change of an object that is among those of a plan; NULL: it is not. */
const struct ctl_change *wf_ctl_planned(struct ctl_plan *plan, const char *kind, const char *name);

#endif
