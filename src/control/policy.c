/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of the policy engine: what it writes goes to the datapath, what an earlier daemon left
 * stays in force until everything has been read, and then one commit turns it all over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/policy.h"

WF_LOG_MODULE(policy);

/* ---- effects ------------------------------------------------------------------------------- */

static int write_pairs(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		       size_t count, void *context, struct wf_err *err)
{
	struct wf_control *control = context;

	return wf_dp_pairs_set(control->dp, keys, runs, count, err);
}

static int write_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			bool present, void *context, struct wf_err *err)
{
	struct wf_control *control = context;

	int r;

	control->policy.prefix_writes++;
	if (present)
		return wf_dp_prefix_add(control->dp, scope, prefix, class_id, err);
	r = wf_dp_prefixes_flush(control->dp, err);
	return r < 0 ? r : wf_dp_prefix_set(control->dp, scope, prefix, class_id, false, err);
}

static int flush_prefixes(void *context, struct wf_err *err)
{
	struct wf_control *control = context;

	return wf_dp_prefixes_flush(control->dp, err);
}

static int revise(void *context, struct wf_err *err)
{
	struct wf_control *control = context;

	control->policy.changed_ms = wf_clock_monotonic_ms();
	return wf_dp_policy_revise(control->dp, err);
}

/* Whoever is in service may have connections that nobody has noted. */
static void note_connections(uint32_t slot, bool is_written, void *context)
{
	struct wf_control *control = context;
	struct ctl_endpoint *endpoint = control->by_slot[slot];
	struct wf_ep_value value;

	if ((endpoint || slot == WF_SLOT_HOST) &&
	    wf_dp_endpoint_get(control->dp, slot, &value) == 0 && value.flags & WF_EP_READY)
		wf_ctl_policy_seed(control, endpoint, is_written);
}

static int set_guard(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	struct wf_control *control = context;
	bool before = !guarded;

	if (wf_dp_guard_get(control->dp, slot, &before) == 0 && before == guarded)
		return 0;
	return wf_dp_guard_set(control->dp, slot, guarded, err);
}

/* Programs end within microseconds; whatever holds one up that long stops the machine. */
#define REST_MS 50

static bool may_free(bool is_needed, void *context)
{
	struct wf_control *control = context;
	bool has_rested = wf_clock_monotonic_ms() - control->policy.changed_ms >= REST_MS;

	/* to be told that they have ended takes up to 20 ms: no change waits for it without need */
	if (!has_rested && is_needed)
		has_rested = wf_dp_policy_settle(control->dp) == 0;
	return has_rested;
}

bool wf_ctl_policy_is_guarded(const struct wf_control *control, uint32_t slot)
{
	const struct wf_policy_subject_value *subject = &control->policy.subjects[slot];

	return subject->profile[WF_POLICY_INGRESS] != WF_POLICY_PROFILE_NONE ||
	       subject->profile[WF_POLICY_EGRESS] != WF_POLICY_PROFILE_NONE;
}

int wf_ctl_policy_guard(struct wf_control *control, uint32_t slot, struct wf_err *err)
{
	bool wanted = wf_ctl_policy_is_guarded(control, slot), found = !wanted;

	if (wf_dp_guard_get(control->dp, slot, &found) == 0 && found == wanted)
		return 0;
	return wf_dp_guard_set(control->dp, slot, wanted, err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static int reach_rules(uint32_t count, void *context)
{
	struct wf_control *control = context;

	return wf_dp_rules_reach(control->dp, count);
}

static void trim_rules(uint32_t count, void *context)
{
	struct wf_control *control = context;

	wf_dp_rules_trim(control->dp, count);
}

/* ---- start and stop ------------------------------------------------------------------------- */

static int adopt_pair(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
		      void *context)
{
	struct wf_control *control = context;

	(void)run;
	return wf_policy_engine_adopt_pair(control->policy.engine, key);
}

static int adopt_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			void *context)
{
	struct wf_control *control = context;

	return wf_policy_engine_adopt_prefix(control->policy.engine, scope, prefix, class_id);
}

static int make_engine(struct wf_control *control, struct wf_err *err)
{
	const struct wf_policy_effects effects = { .pairs_set = write_pairs,
						   .prefix_set = write_prefix,
						   .prefixes_flush = flush_prefixes,
						   .revise = revise,
						   .closes = note_connections,
						   .guard_set = set_guard,
						   .may_free = may_free,
						   .context = control };
	struct wf_dp_policy_memory shared;
	struct wf_policy_memory memory;
	int r = wf_dp_policy_memory(control->dp, &shared, err);

	if (r < 0)
		return r;
	control->policy.subjects = shared.subjects;
	memory = (struct wf_policy_memory){ .subjects = shared.subjects,
					    .subject_count = WF_MAX_SLOTS,
					    .profiles = shared.profiles,
					    .profile_count = shared.profile_count,
					    .rules = shared.rules,
					    .rule_count = shared.rule_count,
					    .rules_reach = reach_rules,
					    .rules_trim = trim_rules,
					    .context = control };
	return wf_policy_engine_new(&control->policy.engine, &memory, &effects,
				    control->config.failsafes, control->config.failsafe_count, err);
}

/* An engine that knows what is in the maps and nothing else yet. */
static int adopt(struct wf_control *control, struct wf_err *err)
{
	int r = make_engine(control, err);

	if (r == 0)
		wf_policy_engine_remotes_expect(control->policy.engine, control->cluster.expected);
	if (r == 0)
		r = wf_dp_pair_visit(control->dp, adopt_pair, control, err);
	if (r == 0)
		r = wf_dp_prefix_visit(control->dp, adopt_prefix, control, err);
	return r;
}

int wf_ctl_policy_start(struct wf_control *control, struct wf_err *err)
{
	int r = adopt(control, err);

	if (r < 0)
		return r;
	control->policy.drops = json_array();
	control->policy.audited = json_object();
	if (!control->policy.drops || !control->policy.audited)
		return wf_fail(err, -ENOMEM, "out of memory for policies");
	wf_ctl_policy_begin(control);
	return wf_ctl_policy_check_start(control, err);
}

void wf_ctl_policy_stop(struct wf_control *control)
{
	wf_ctl_policy_check_stop(control);
	wf_ctl_confirm_stop(control);
	wf_ctl_audit_free(control);
	json_decref(control->policy.self);
	json_decref(control->policy.drops);
	json_decref(control->policy.audited);
	control->policy.self = control->policy.drops = control->policy.audited = NULL;
	wf_policy_engine_free(&control->policy.engine);
}

/* ---- changes ---------------------------------------------------------------------------------- */

void wf_ctl_policy_begin(struct wf_control *control)
{
	wf_policy_engine_begin(control->policy.engine);
	control->policy.gathering = true;
}

int wf_ctl_policy_commit(struct wf_control *control, struct wf_err *err)
{
	uint64_t start_ns = wf_clock_monotonic_ns();
	int r = wf_policy_engine_commit(control->policy.engine, err);

	control->policy.gathering = false;
	control->policy.compile_ns = wf_clock_monotonic_ns() - start_ns;
	control->policy.compile_sum_ns += control->policy.compile_ns;
	if (r == 0)
		control->policy.changes_total++;
	else
		control->policy.refused_total++;
	if (r == 0) {
		wf_ctl_audit_sync(control);
		wf_ctl_policy_check_arm(control);
	}
	return r;
}

void wf_ctl_policy_rollback(struct wf_control *control)
{
	wf_policy_engine_rollback(control->policy.engine);
	control->policy.gathering = false;
}

/* Services as they are known before they are resolved: their backends are needed from the start. */
static void put_services(struct wf_control *control)
{
	struct ctl_service *service, *next;

	HASH_ITER(by_key, control->lb.services, service, next)
		wf_ctl_policy_service_put(control, service);
}

static int put_members(struct wf_control *control, struct wf_err *err)
{
	struct ctl_endpoint *endpoint, *next;
	int r = 0;

	HASH_ITER(by_name, control->endpoints, endpoint, next)
		if (r == 0)
			r = wf_ctl_policy_member_put(control, endpoint, err);
	return r;
}

static void clear_hits(const char *key, const struct wf_policy *policy, void *context)
{
	wf_ctl_policy_clear_hits(context, key, policy);
}

/* The guards are what subjects say. */
static int sync_guards(struct wf_control *control, struct wf_err *err)
{
	int r = wf_ctl_policy_guard(control, WF_SLOT_HOST, err);

	for (uint32_t slot = 1; r == 0 && slot < WF_MAX_SLOTS; slot++)
		if (control->by_slot[slot])
			r = wf_ctl_policy_guard(control, slot, err);
	return r;
}

static int come_into_force(struct wf_control *control, struct wf_err *err)
{
	int r = wf_ctl_policy_self_put(control, err);

	if (r == 0)
		r = put_members(control, err);
	if (r == 0)
		r = wf_ctl_remotes_judge(control, err);
	if (r == 0)
		put_services(control);
	if (r < 0)
		return r;
	r = wf_ctl_policy_commit(control, err);
	if (r < 0)
		return wf_wrap(err, r, "policies cannot be put in force; what was stays so");
	control->policy.settled = true;
	/* numbers of rules are given anew by every daemon: what was counted means others now */
	wf_policy_engine_visit(control->policy.engine, clear_hits, control);
	return sync_guards(control, err);
}

/* As a restart does it: beside what is there, then turned over at once. */
static int rebuild(struct wf_control *control, struct wf_err *err)
{
	struct wf_policy_engine *before = control->policy.engine;
	int r;

	control->policy.engine = NULL;
	r = adopt(control, err);
	if (r == 0) {
		wf_ctl_policy_begin(control);
		r = wf_ctl_policies_load(control, err);
	}
	if (r == 0)
		r = come_into_force(control, err);
	control->policy.gathering = false;
	if (r < 0) {
		wf_policy_engine_free(&control->policy.engine);
		control->policy.engine = before;
		return r;
	}
	wf_policy_engine_free(&before);
	return 0;
}

int wf_ctl_policy_sync(struct wf_control *control, struct wf_err *err)
{
	int r;

	if (!control->policy.settled)
		return come_into_force(control, err);
	if (!wf_ctl_policy_is_whole(control)) {
		wf_log_warning("tables of policies were changed by others; they are written again",
			       "revision=%llu", (unsigned long long)control->policy.changes_total);
		control->repairs_total++;
		return rebuild(control, err);
	}
	r = wf_ctl_policy_self_put(control, err);
	return r < 0 ? r : sync_guards(control, err);
}
