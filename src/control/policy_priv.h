/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control keeps for policies. The engine (policy/engine.h) holds the policies themselves and
 * all that follows from them; here is what it is told, and what people are told of it.
 *
 * An apply gathers its changes between begin and commit, so that a file comes into force as one;
 * endpoints come and go outside of that.
 */
#ifndef WEFT_CONTROL_POLICY_PRIV_H
#define WEFT_CONTROL_POLICY_PRIV_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "dp/policy.h"
#include "model/policy.h"
#include "policy/engine.h"

struct ctl_endpoint;
struct ctl_service;
struct ctl_plan;
struct ctl_audit;

/* "CiliumClusterwideNetworkPolicy/NAMESPACE/NAME" */
#define CTL_POLICY_KEY_BYTES (WF_NAME_BYTES + 40)

/* Drops and audited flows that are remembered to be explained later. */
#define CTL_POLICY_DROPS 128

struct ctl_policy {
	struct wf_policy_engine *engine;
	const struct wf_policy_subject_value *subjects; /* as programs read them; borrowed */
	json_t *self;     /* owned; the Node document of this node, NULL: none */
	json_t *audited;  /* owned; names of namespaces on trial */
	uint32_t observe; /* enum wf_observe_flag: what weft itself wants to hear of */
	bool logs_some;   /* some policy asks for its flows in the log */
	bool gathering;
	bool settled;                         /* all was read and put in force once */
	uint64_t changed_ms;                  /* when something came into force last */
	uint64_t changes_total;               /* batches that came into force */
	uint64_t refused_total;               /* batches that did not fit */
	uint64_t compile_ns;                  /* of the last one */
	uint64_t compile_sum_ns;              /* of all */
	struct wf_control_actor actor;        /* who asks for what is being done now */
	struct ctl_audit *audit;              /* owned; what was seen on trial */
	json_t *drops;                        /* owned; the last drops, newest last */
	uint64_t drop_count;                  /* ids are given from 1 */
	uint64_t history_first, history_next; /* numbers of what is on record */
	bool history_read;
	struct event *confirm_timer;
	struct event *check_timer;
	struct ctl_policy_check {
		struct wf_dp_prefix_place place;
		size_t seen;       /* prefixes of this pass so far */
		uint64_t spent_ms; /* of this pass */
		uint64_t writes;   /* of prefixes, when it began */
		bool is_wrong;
	} check;                /* a pass over the tables */
	uint64_t prefix_writes; /* all that were made or tried */
};

/* ---- policy.c: the engine's life ---------------------------------------------------------- */

int wf_ctl_policy_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_policy_stop(struct wf_control *control);
/*
 * At the start: everything that was read comes into force, before endpoints do. Later: compares
 * the maps with what the engine wants there, and puts that right.
 */
int wf_ctl_policy_sync(struct wf_control *control, struct wf_err *err);
/* recover.c: policies, Namespaces and Nodes from the store; gathered. */
int wf_ctl_policies_load(struct wf_control *control, struct wf_err *err);
/* Around the changes of an apply; begin within begin is a mistake. commit: -ENOSPC, -ENOMEM. */
void wf_ctl_policy_begin(struct wf_control *control);
int wf_ctl_policy_commit(struct wf_control *control, struct wf_err *err);
void wf_ctl_policy_rollback(struct wf_control *control);

/* Whether packets of a slot have to be judged, by what is in force for it. */
bool wf_ctl_policy_is_guarded(const struct wf_control *control, uint32_t slot);
/* Makes the datapath judge them, or not. */
int wf_ctl_policy_guard(struct wf_control *control, uint32_t slot, struct wf_err *err);

/* ---- policy_check.c: whether the tables are as they were written ----------------------------- */

/* Starts looking at them now and then: damage is repaired (CTL_DIRTY_POLICY). 0 or -ENOMEM. */
int wf_ctl_policy_check_start(struct wf_control *control, struct wf_err *err);
/* There may be something to look at from now on. */
void wf_ctl_policy_check_arm(struct wf_control *control);
void wf_ctl_policy_check_stop(struct wf_control *control);
/* Whether they hold what the engine has written, and nothing else. */
bool wf_ctl_policy_is_whole(struct wf_control *control);

/* ---- policy_member.c: whom policies are about ----------------------------------------------- */

/*
 * Before its interface comes up, and when labels change. -ENOSPC, -ENOMEM: it is DENY_ALL.
 * Endpoints that weft's programs do not see (macvlan) are under no policy.
 */
int wf_ctl_policy_member_put(struct wf_control *control, const struct ctl_endpoint *endpoint,
			     struct wf_err *err);
void wf_ctl_policy_member_drop(struct wf_control *control, const struct ctl_endpoint *endpoint);
/* This node: its name, the labels of its Node document, every address of the host. */
int wf_ctl_policy_self_put(struct wf_control *control, struct wf_err *err);
/* The same when the host's addresses are known. */
int wf_ctl_policy_self_put_at(struct wf_control *control, const struct wf_addr *addrs, size_t count,
			      struct wf_err *err);
/* A service and who is behind it, for policies that name it; what fails is logged. */
void wf_ctl_policy_service_put(struct wf_control *control, const struct ctl_service *service);
void wf_ctl_policy_service_drop(struct wf_control *control, const struct ctl_service *service);
/* Whether an endpoint is on trial by its own label or annotation. */
bool wf_ctl_policy_is_audited(const struct wf_endpoint *spec);

/* ---- policy_seed.c ---------------------------------------------------------------------------- */

/*
 * Notes the TCP connections that an endpoint has, so that policies that begin to be about a direction of
 * it cut none that they allow. NULL: the host's. is_late: they are in the tables by now.
 */
void wf_ctl_policy_seed(struct wf_control *control, struct ctl_endpoint *endpoint, bool is_late);

/* ---- policy_view.c, policy_rule.c: what people see ---------------------------------------------- */

/* Adds status.conditions to a document of a policy that is in force; others are left alone. */
int wf_ctl_policy_add_status(struct wf_control *control, json_t *document);
/* "spec.ingress[0]" or "isolation": what of the policy a rule number is. Borrowed or buf's. */
const char *wf_ctl_policy_rule_path(const struct wf_policy_rule_info *info, char buf[96]);
/* {rules: [...], hits}: each with its hits; with_peers: and whom it means at which ports. */
json_t *wf_ctl_policy_rules_json(const struct wf_control *control, const char *key,
				 const struct wf_policy *policy, bool with_peers);
/* The numbers of its rules begin to count. */
void wf_ctl_policy_clear_hits(struct wf_control *control, const char *key,
			      const struct wf_policy *policy);
/* How often its rules have decided. */
struct wf_counter wf_ctl_policy_hits(const struct wf_control *control, const char *key,
				     const struct wf_policy *policy);
/* The names of endpoints, "host" for slot 0. */
json_t *wf_ctl_policy_slots_json(const struct wf_control *control, const uint32_t *slots,
				 size_t count);
/* {policy, kind, namespace, name, rule, ruleName?, direction, number}; NULL: no such rule. */
json_t *wf_ctl_policy_rule_json(const struct wf_control *control, uint32_t number);

/* ---- policy_audit.c ------------------------------------------------------------------------------ */

/* An event of the datapath that policies are about: remembered, and told in the log if asked. */
void wf_ctl_policy_event(struct wf_control *control, const struct wf_event *event,
			 const json_t *value);
/* Whether events are wanted at all: something is on trial, or the log shall have flows. */
void wf_ctl_audit_sync(struct wf_control *control);
void wf_ctl_audit_free(struct wf_control *control);

/* ---- policy_history.c ----------------------------------------------------------------------------- */

/* One change of one document, for the record. */
struct ctl_policy_change {
	const char *kind, *key;
	const json_t *before, *after; /* NULL: none */
	const char *action;           /* "created", "configured", "deleted", "rolled back" */
};
/*
 * The writes that put changes of policies on record, to be part of the same transaction. *ret_items
 * is owned by the caller: documents of the writes, which borrow them. Sets up to `most` writes.
 */
int wf_ctl_history_writes(struct wf_control *control, const struct ctl_policy_change *changes,
			  size_t count, struct wf_store_write *writes, size_t *ret_count,
			  json_t **ret_items, struct wf_err *err);
/* What a write of history may come to for so many changes. */
#define CTL_HISTORY_WRITES(count) ((size_t)2 * (count))
/* The transaction failed: the numbers that were given are read again. */
void wf_ctl_history_forget(struct wf_control *control);
/* The change in the log. */
void wf_ctl_history_log(const struct wf_control *control, const struct ctl_policy_change *change);

/* ---- policy_confirm.c ------------------------------------------------------------------------------ */

/* The write that remembers what to go back to; document owned by the caller. -EBUSY. */
int wf_ctl_confirm_write(struct wf_control *control, const struct ctl_plan *plan, uint64_t wait_ms,
			 struct wf_store_write *write, json_t **ret_document, struct wf_err *err);
/* After that write was made, and at the start: rolls back when its time has come. */
int wf_ctl_confirm_arm(struct wf_control *control, struct wf_err *err);
void wf_ctl_confirm_stop(struct wf_control *control);

/* ---- policy_metrics.c ------------------------------------------------------------------------------- */

void wf_ctl_policy_metrics(struct wf_control *control, struct wf_str *out);

#endif
