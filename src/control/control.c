/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the control object. */
#include <errno.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_priv.h"

static void free_tables(struct wf_control *control)
{
	struct ctl_endpoint *endpoint, *next_endpoint;
	struct ctl_reservation *reservation, *next_reservation;
	struct ctl_network *network, *next_network;

	HASH_ITER(by_name, control->endpoints, endpoint, next_endpoint)
		wf_ctl_endpoint_remove(control, endpoint);
	HASH_ITER(by_name, control->reservations, reservation, next_reservation)
		wf_ctl_reservation_remove(control, reservation);
	HASH_ITER(by_name, control->networks, network, next_network)
		wf_ctl_network_remove(control, network);
	wf_index_done(&control->addresses);
	wf_index_done(&control->labels);
	wf_index_done(&control->spaces);
	wf_index_done(&control->holders);
}

void wf_control_actor_set(struct wf_control *control, const struct wf_control_actor *actor)
{
	static const struct wf_control_actor weft = { .uid = 0 };

	control->policy.actor = actor ? *actor : weft;
}

void wf_ctl_timer_within(struct event *timer, uint64_t ms)
{
	struct timeval wait = wf_ctl_timeval(ms);
	struct timeval due, now, left;

	if (evtimer_pending(timer, &due)) {
		(void)evutil_gettimeofday(&now, NULL);
		evutil_timersub(&due, &now, &left);
		if (evutil_timercmp(&left, &wait, <))
			return;
	}
	(void)evtimer_add(timer, &wait);
}

uint32_t wf_ctl_random(struct wf_control *control)
{
	uint32_t value;

	/* never short for so few bytes once the kernel has started */
	if (getrandom(&value, sizeof(value), 0) != sizeof(value))
		value = (uint32_t)wf_clock_monotonic_ms();
	(void)control;
	return value;
}

void wf_control_free(struct wf_control **control)
{
	if (!*control)
		return;
	wf_control_apply_cancel(*control);
	wf_ctl_spool_stop(*control);
	wf_ctl_stray_stop(*control);
	wf_ctl_observe_stop(*control);
	wf_ctl_repair_stop(*control);
	wf_ctl_lb_stop(*control);
	wf_ctl_policy_stop(*control);
	wf_ctl_cluster_stop(*control);
	free_tables(*control);
	free(*control);
	*control = NULL;
}

int wf_control_new(struct wf_control **ret_control, const struct wf_control_config *config,
		   struct wf_store *store, struct wf_dp *dp, struct wf_net *net,
		   struct event_base *loop, struct wf_err *err)
{
	_cleanup_(wf_control_free) struct wf_control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return wf_fail(err, -ENOMEM, "out of memory for the node's tables");
	control->config = *config;
	control->store = store;
	control->dp = dp;
	control->net = net;
	control->loop = loop;
	control->started_ms = wf_clock_monotonic_ms();
	r = wf_ctl_pair_choose(control, err);
	/* listen before looking: what changes meanwhile is looked at again */
	if (r == 0)
		r = wf_ctl_remotes_init(control, err);
	if (r == 0)
		r = wf_ctl_repair_start(control, err);
	if (r == 0)
		r = wf_ctl_observe_start(control, err);
	if (r == 0)
		r = wf_ctl_lb_start(control, err);
	if (r == 0)
		r = wf_ctl_policy_start(control, err);
	/* what others change from here on is news, also while this node reads and joins */
	if (r == 0 && wf_ctl_is_shared(control))
		r = wf_ctl_follow_start(control, err);
	if (r == 0)
		r = wf_ctl_recover(control, err);
	if (r == 0)
		r = wf_ctl_cluster_start(control, err);
	if (r < 0)
		return r;
	wf_ctl_busy_start(control);
	*ret_control = TAKE_PTR(control);
	return 0;
}
