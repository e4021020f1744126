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

/* NULL: the kind cannot be applied. */
const struct ctl_kind_ops *wf_ctl_kind_ops(const char *kind);
/* Those of policy_kinds.c; NULL: another's. */
const struct ctl_kind_ops *wf_ctl_policy_kind_ops(const char *kind);
/* The change of an object that is among those of a plan; NULL: it is not. */
const struct ctl_change *wf_ctl_planned(struct ctl_plan *plan, const char *kind, const char *name);

#endif
