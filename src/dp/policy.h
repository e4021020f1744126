/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath's tables of policies (abi/policy.h), and questions put to its programs. What the
 * tables mean, and in which order they have to be changed, is the business of src/policy.
 */
#ifndef WEFT_DP_POLICY_H
#define WEFT_DP_POLICY_H

#include <weft/abi/policy.h>

#include "base/addr.h"
#include "dp/dp.h"

/*
 * The arrays as memory that is shared with the programs, at addresses that are good until
 * wf_dp_close(). A rule may be touched only after wf_dp_rules_reach(): what is mapped counts as
 * the daemon's memory.
 */
struct wf_dp_policy_memory {
	struct wf_policy_subject_value *subjects; /* WF_MAX_SLOTS */
	struct wf_policy_run *profiles;
	uint32_t profile_count;
	struct wf_policy_rule_value *rules;
	uint32_t rule_count;
};
/* 0, or a negative errno when they cannot be mapped. */
int wf_dp_policy_memory(struct wf_dp *dp, struct wf_dp_policy_memory *ret_memory,
			struct wf_err *err);
/* Makes (at least) the first rules usable. 0 or a negative errno. */
int wf_dp_rules_reach(struct wf_dp *dp, uint32_t count);
/* Only the first rules are needed from now on; the others may become unusable. */
void wf_dp_rules_trim(struct wf_dp *dp, uint32_t count);

/*
 * Sets (runs NULL: deletes) many pairs in few calls. Deleting what is not there is fine. -ENOSPC:
 * full; some may be set.
 */
int wf_dp_pairs_set(struct wf_dp *dp, const struct wf_policy_pair_key *keys,
		    const struct wf_policy_run *runs, size_t count, struct wf_err *err);
typedef int (*wf_dp_pair_fn)(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
			     void *context);
/* Visits all; a negative result of the callback ends it and is returned. */
int wf_dp_pair_visit(struct wf_dp *dp, wf_dp_pair_fn visit, void *context, struct wf_err *err);

/*
 * Sets or deletes the class of a prefix in a scope; bits behind its length are ignored. One that is a
 * single address also counts for the endpoint that has it (WF_POLICY_CLASS_ODD). -ENOSPC: full.
 */
int wf_dp_prefix_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, bool present, struct wf_err *err);
/* The same of one that is set, with others: with the flush at the latest, which may fail for any of them. */
int wf_dp_prefix_add(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, struct wf_err *err);
int wf_dp_prefixes_flush(struct wf_dp *dp, struct wf_err *err);
typedef int (*wf_dp_prefix_fn)(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			       void *context);
/*
 * Begins to read all of them in a thread of its own, for the next visit of all, unless one is set before.
 * If it cannot, the visit reads them itself.
 */
void wf_dp_prefixes_fetch(struct wf_dp *dp);
/* Visits all; a negative result of the callback ends it and is returned. */
int wf_dp_prefix_visit(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context, struct wf_err *err);

/* Where a visit of some after the other stands; zero: at the beginning. */
struct wf_dp_prefix_place {
	struct wf_policy_prefix_key key;
	bool is_inside;
};
/*
 * Visits the next few; what changes between two calls may be missed or met twice. 1: there may be
 * more, 0: that was all.
 */
int wf_dp_prefix_next(struct wf_dp *dp, struct wf_dp_prefix_place *place, wf_dp_prefix_fn visit,
		      void *context, struct wf_err *err);

/* Hits of rules [first, first + count), summed over CPUs, in few calls. -ERANGE. */
int wf_dp_hits_read(struct wf_dp *dp, uint32_t first, uint32_t count, struct wf_counter *ret_hits);
/* Zeroes one: its number is about to mean another rule. */
int wf_dp_hits_clear(struct wf_dp *dp, uint32_t rule);

/* Verdicts given before are not believed any more, established connections are judged anew. */
int wf_dp_policy_revise(struct wf_dp *dp, struct wf_err *err);
/*
 * Waits until no program is left that began before: what nothing in the tables names may be used
 * again. Blocks for some milliseconds. -EOPNOTSUPP: this kernel cannot say.
 */
int wf_dp_policy_settle(struct wf_dp *dp);

/*
 * Whether packets from and to a slot are judged (WF_EP_GUARDED). Nothing else changes that: it
 * outlives wf_dp_endpoint_set() and _clear(), which neither see nor set it.
 */
int wf_dp_guard_set(struct wf_dp *dp, uint32_t slot, bool guarded, struct wf_err *err);
int wf_dp_guard_get(struct wf_dp *dp, uint32_t slot, bool *ret_guarded);

/*
 * Asks a program what would become of a packet, as the first of a connection: judged by all that
 * is in force, counted and recorded nowhere, delivered to nobody. run->mark and run->repeat are
 * ignored. Other events that wait meanwhile go to `others` (not NULL). -ENOMSG: the program says
 * that the packet is no business of weft's.
 */
int wf_dp_trace(struct wf_dp *dp, const struct wf_dp_packet *packet, struct wf_event *ret_event,
		wf_dp_event_fn others, void *context, struct wf_err *err);

#endif
