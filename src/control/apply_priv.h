/* SPDX-License-Identifier: Apache-2.0 */
/* What applying means for each kind; see apply.c for the order of things. */
#ifndef WEFT_CONTROL_APPLY_PRIV_H
#define WEFT_CONTROL_APPLY_PRIV_H

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

/* NULL: the kind cannot be applied. */
const struct ctl_kind_ops *wf_ctl_kind_ops(const char *kind);
/* Those of policy_kinds.c; NULL: another's. */
const struct ctl_kind_ops *wf_ctl_policy_kind_ops(const char *kind);
/* The change of an object that is among those of a plan; NULL: it is not. */
const struct ctl_change *wf_ctl_planned(struct ctl_plan *plan, const char *kind, const char *name);

#endif
