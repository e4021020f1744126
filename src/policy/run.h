/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of rules: painted over the space of (protocol, port), and interned, so that equal ones share
 * one place in the array that programs read.
 */
#ifndef WEFT_POLICY_RUN_H
#define WEFT_POLICY_RUN_H

/* A failed allocation inside uthash leaves the element out; HASH_ADD callers look at hh.tbl. */
#define HASH_NONFATAL_OOM 1
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include <weft/abi/policy.h>

#include "base/err.h"
#include "base/space.h"

/* Points of the space: protocol (8 bits), port (16). */
#define WF_POINT(proto, port) ((uint32_t)(proto) << 16 | (uint32_t)(port))
#define WF_POINT_LAST         WF_POLICY_AT_START

/* What holds from one point to another, both included. */
struct wf_span {
	uint32_t first, last;
};

/* A run in the making: sorted, gapless from point 0 on; adjacent ones may be alike. */
struct wf_canvas {
	struct wf_policy_rule_value *items; /* owned */
	size_t count, capacity;
};

void wf_canvas_done(struct wf_canvas *canvas);
/* One verdict everywhere. 0 or -ENOMEM, as all of these. */
int wf_canvas_fill(struct wf_canvas *canvas, enum wf_policy_verdict verdict, uint32_t rule);
/* Covers what is there. */
int wf_canvas_paint(struct wf_canvas *canvas, const struct wf_span *span,
		    enum wf_policy_verdict verdict, uint32_t rule);
int wf_canvas_copy(struct wf_canvas *canvas, const struct wf_canvas *from);
/* Covers a part with what `from` has there. */
int wf_canvas_copy_span(struct wf_canvas *canvas, const struct wf_canvas *from,
			const struct wf_span *span);
/*
 * What is denied here, but not in `without` (the same without what is on trial), becomes AUDIT;
 * what is denied in both takes the rule of `without`.
 */
int wf_canvas_try(struct wf_canvas *canvas, const struct wf_canvas *without);
/* Everything that is denied becomes AUDIT. */
void wf_canvas_audit(struct wf_canvas *canvas);
/* Joins neighbours that are alike. */
void wf_canvas_join(struct wf_canvas *canvas);
/* What decides at a point. Also for a run as programs have it (count > 0). */
const struct wf_policy_rule_value *wf_rules_at(const struct wf_policy_rule_value *rules,
					       size_t count, uint32_t point);

/* A run in the array of rules; its content is its key. */
struct wf_run {
	struct wf_policy_run place;
	uint32_t refs;
	uint32_t tally; /* scratch of whoever counts which one is the most common */
	UT_hash_handle hh;
};

/*
 * The array. Most of it is never used: a rule is touched only after reach() of so many, and trim()
 * says that those behind the first ones are not needed. Both NULL: all of it can be used.
 */
struct wf_rule_memory {
	struct wf_policy_rule_value *rules; /* borrowed: shared memory */
	uint32_t count;
	int (*reach)(uint32_t count, void *context); /* 0 or a negative errno */
	void (*trim)(uint32_t count, void *context);
	void *context;
};

struct wf_runs {
	struct wf_rule_memory memory;
	struct wf_policy_rule_value *rules; /* of memory */
	uint32_t rule_count;
	struct wf_space space;
	struct wf_run *by_content; /* owned */
	struct wf_bits adopted;    /* places that an earlier daemon may have in use */
};

/* Places that are not all zero belong to an earlier daemon until wf_runs_release(). -ENOMEM. */
int wf_runs_init(struct wf_runs *runs, const struct wf_rule_memory *memory);
void wf_runs_done(struct wf_runs *runs);
/* Gives back what was adopted. */
void wf_runs_release(struct wf_runs *runs);
/*
 * The run with that content, written if it is new; the caller has one more reference. The canvas is
 * joined. -ENOSPC, -ENOMEM.
 */
int wf_runs_get(struct wf_runs *runs, struct wf_canvas *canvas, struct wf_run **ret_run,
		struct wf_err *err);
void wf_run_unref(struct wf_runs *runs, struct wf_run *run); /* NULL is fine */

#endif
