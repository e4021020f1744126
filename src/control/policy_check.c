/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the tables of policies are what the engine has written. The kernel does not tell when
 * somebody else writes to a map, so they are looked at now and then, as often as costs little.
 */
#include <errno.h>

#include "base/clock.h"
#include "control/control_priv.h"
#include "dp/policy.h"

#define EVERY_MS 10000
/* Of the time, what looking may take: one in this many. */
#define SHARE 500

static int sum_pair(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
		    void *context)
{
	wf_policy_sum_pair(context, key, run);
	return 0;
}

static int sum_prefix(const struct wf_prefix *prefix, uint32_t class_id, void *context)
{
	wf_policy_sum_prefix(context, prefix, class_id);
	return 0;
}

bool wf_ctl_policy_is_whole(struct wf_control *control)
{
	const struct wf_policy_engine *engine = control->policy.engine;
	struct wf_policy_sum found = { 0 }, wanted;

	wf_policy_engine_sum(engine, &wanted);
	return wf_policy_engine_is_intact(engine) &&
	       wf_dp_pair_visit(control->dp, sum_pair, &found, NULL) == 0 &&
	       wf_dp_prefix_visit(control->dp, sum_prefix, &found, NULL) == 0 &&
	       found.entries == wanted.entries && found.value == wanted.value;
}

static void arm(struct wf_control *control, uint64_t ms)
{
	const struct timeval wait = { .tv_sec = (time_t)(ms / 1000),
				      .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	(void)evtimer_add(control->policy.check_timer, &wait);
}

static void on_check(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	uint64_t start_ms = wf_clock_monotonic_ms(), rest_ms;

	(void)fd;
	(void)what;
	if (control->policy.settled && !wf_ctl_policy_is_whole(control))
		wf_ctl_dirty(control, CTL_DIRTY_POLICY);
	rest_ms = (wf_clock_monotonic_ms() - start_ms) * SHARE;
	arm(control, rest_ms > EVERY_MS ? rest_ms : EVERY_MS);
}

int wf_ctl_policy_check_start(struct wf_control *control, struct wf_err *err)
{
	control->policy.check_timer = evtimer_new(control->loop, on_check, control);
	if (!control->policy.check_timer)
		return wf_fail(err, -ENOMEM, "out of memory for events");
	(void)event_priority_set(control->policy.check_timer, WF_CONTROL_PRIORITY_LOW);
	arm(control, EVERY_MS);
	return 0;
}

void wf_ctl_policy_check_stop(struct wf_control *control)
{
	if (control->policy.check_timer)
		event_free(control->policy.check_timer);
	control->policy.check_timer = NULL;
}
