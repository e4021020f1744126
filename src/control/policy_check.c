/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the tables of policies are what the engine has written. The kernel does not tell when
 * somebody else writes to a map, so they are looked at now and then, as often as costs little; while
 * policies are about nobody, never: nothing reads the tables.
 */
#include <errno.h>

#include "base/clock.h"
#include "control/control_priv.h"
#include "dp/policy.h"

#define EVERY_MS 10000
/* Of the time, what looking may take: one in this many. */
#define SHARE 500
/* Between two turns of a pass that takes more than one. */
#define PAUSE_MS 5

static int sum_pair(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
		    void *context)
{
	wf_policy_sum_pair(context, key, run);
	return 0;
}

static void arm(struct wf_control *control, uint64_t ms)
{
	const struct timeval wait = wf_ctl_timeval(ms);

	(void)evtimer_add(control->policy.check_timer, &wait);
}

/* All but the prefixes, of which there may be very many. */
static bool are_others_whole(struct wf_control *control)
{
	const struct wf_policy_engine *engine = control->policy.engine;
	struct wf_policy_sum found = { 0 }, wanted;

	wf_policy_engine_sum(engine, &wanted);
	return wf_policy_engine_is_intact(engine) &&
	       wf_dp_pair_visit(control->dp, sum_pair, &found, NULL) == 0 &&
	       found.entries == wanted.entries && found.value == wanted.value;
}

static void begin_pass(struct wf_control *control)
{
	control->policy.check = (struct ctl_policy_check){
		.writes = control->policy.prefix_writes,
		.is_wrong = !are_others_whole(control),
	};
}

static int check_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			void *context)
{
	struct wf_control *control = context;
	struct ctl_policy_check *check = &control->policy.check;

	check->seen++;
	check->is_wrong |=
		!wf_policy_engine_prefix_is(control->policy.engine, scope, prefix, class_id);
	return 0;
}

/* Whether entries are missing, or there are others: as many as were written meanwhile may be. */
static bool are_counted(const struct wf_control *control)
{
	const struct ctl_policy_check *check = &control->policy.check;
	size_t wanted = wf_policy_engine_prefix_count(control->policy.engine);
	size_t apart = wanted > check->seen ? wanted - check->seen : check->seen - wanted;

	return apart <= control->policy.prefix_writes - check->writes;
}

/* All at once; a pass in hand begins anew. */
bool wf_ctl_policy_is_whole(struct wf_control *control)
{
	struct ctl_policy_check *check = &control->policy.check;
	bool is_whole;

	begin_pass(control);
	is_whole = !check->is_wrong &&
		   wf_dp_prefix_visit(control->dp, check_prefix, control, NULL) == 0 &&
		   !check->is_wrong && are_counted(control);
	*check = (struct ctl_policy_check){ .seen = 0 };
	return is_whole;
}

/* A few prefixes a turn, so that nothing waits for all of them. Whether there is more. */
static bool go_on(struct wf_control *control)
{
	struct ctl_policy_check *check = &control->policy.check;
	int r;

	if (!check->place.is_inside)
		begin_pass(control);
	r = wf_dp_prefix_next(control->dp, &check->place, check_prefix, control, NULL);
	check->is_wrong |= r < 0 || (r == 0 && !are_counted(control));
	return r > 0 && !check->is_wrong;
}

static void on_check(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct ctl_policy_check *check = &control->policy.check;
	uint64_t start_ms = wf_clock_monotonic_ms(), rest_ms;
	bool more = control->policy.settled && go_on(control);

	(void)fd;
	(void)what;
	check->spent_ms += wf_clock_monotonic_ms() - start_ms;
	if (more) {
		arm(control, PAUSE_MS);
		return;
	}
	if (check->is_wrong)
		wf_ctl_dirty(control, CTL_DIRTY_POLICY);
	rest_ms = check->spent_ms * SHARE;
	*check = (struct ctl_policy_check){ .seen = 0 };
	if (wf_policy_engine_guards(control->policy.engine))
		arm(control, rest_ms > EVERY_MS ? rest_ms : EVERY_MS);
}

void wf_ctl_policy_check_arm(struct wf_control *control)
{
	if (control->policy.check_timer && !evtimer_pending(control->policy.check_timer, NULL) &&
	    wf_policy_engine_guards(control->policy.engine))
		arm(control, EVERY_MS);
}

int wf_ctl_policy_check_start(struct wf_control *control, struct wf_err *err)
{
	control->policy.check_timer = evtimer_new(control->loop, on_check, control);
	if (!control->policy.check_timer)
		return wf_fail(err, -ENOMEM, "out of memory for events");
	(void)event_priority_set(control->policy.check_timer, WF_CONTROL_PRIORITY_LOW);
	return 0;
}

void wf_ctl_policy_check_stop(struct wf_control *control)
{
	if (control->policy.check_timer)
		event_free(control->policy.check_timer);
	control->policy.check_timer = NULL;
}
