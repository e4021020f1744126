/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others break is put right: events of the kernel mark what to look at, a short timer
 * gathers them, and one pass compares and repairs. Repairs are limited, so that a tool that keeps
 * deleting our things costs it and us little, and is named in the log.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/repair_priv.h"

WF_LOG_MODULE(repair);

#define GATHER_US          20000
#define WINDOW_MS          10000
#define REPAIRS_PER_WINDOW 50
#define SLOW_US            900000

void wf_ctl_dirty(struct wf_control *control, uint32_t dirty)
{
	struct timeval wait = { .tv_usec = GATHER_US };
	uint64_t now_ms = wf_clock_monotonic_ms();

	control->dirty |= dirty;
	if (!control->repair_timer || evtimer_pending(control->repair_timer, NULL))
		return;
	if (now_ms - control->repair_window_ms > WINDOW_MS) {
		control->repair_window_ms = now_ms;
		control->repair_count = 0;
	}
	if (++control->repair_count > REPAIRS_PER_WINDOW)
		wait.tv_usec = SLOW_US;
	(void)evtimer_add(control->repair_timer, &wait);
}

void wf_ctl_dirty_at_once(struct wf_control *control, uint32_t dirty)
{
	static const struct timeval now;

	control->dirty |= dirty;
	if (control->repair_timer)
		(void)evtimer_add(control->repair_timer, &now);
}

void wf_ctl_dirty_later(struct wf_control *control, uint32_t dirty)
{
	const struct timeval later = { .tv_usec = SLOW_US };

	control->dirty |= dirty;
	if (control->repair_timer && !evtimer_pending(control->repair_timer, NULL))
		(void)evtimer_add(control->repair_timer, &later);
}

static void on_repair(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	uint32_t dirty = control->dirty;
	struct wf_err err = WF_ERR_INIT;
	int r = 0;

	(void)fd;
	(void)what;
	control->dirty = 0;
	if (dirty & CTL_DIRTY_NAMESPACES)
		wf_ctl_release_orphans(control);
	if (dirty & CTL_DIRTY_LOST)
		wf_ctl_settle_lost(control);
	if (dirty & CTL_DIRTY_HOST) {
		wf_ctl_parents_repair(control);
		r = wf_ctl_host_sync(control, &err);
		if (r == 0)
			r = wf_ctl_cluster_sync(control, &err);
		wf_log_debug("host side checked", "dirty=%u", dirty);
	}
	if (r == 0 && (dirty & (CTL_DIRTY_MAPS | CTL_DIRTY_POLICY)))
		r = wf_ctl_policy_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_MAPS))
		r = wf_ctl_program_all(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_FILTERS))
		r = wf_ctl_filters_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_REST)) {
		control->dirty |= CTL_DIRTY_REST;
		r = wf_ctl_settle(control, &err);
	} else if (r == 0 && (dirty & CTL_DIRTY_DEVICES)) {
		r = wf_ctl_repair_devices(control, &err);
	}
	if (dirty & CTL_DIRTY_ROUTES)
		wf_ctl_service_routes_sync(control);
	if (r == 0 && (dirty & CTL_DIRTY_UPLINKS))
		r = wf_ctl_uplinks_sync(control, &err);
	if (r == 0 && (dirty & (CTL_DIRTY_UPLINKS | CTL_DIRTY_WAYS)))
		r = wf_ctl_ways_sync(control, &err);
	if (r == 0 && (dirty & CTL_DIRTY_SERVICES)) {
		wf_ctl_lb_touch_all(control);
		wf_ctl_lb_flush(control);
	}
	if (r < 0) {
		wf_log_error("repair failed", "error=\"%s\"", err.message);
		wf_ctl_dirty(control, dirty);
	}
}

static void on_net_event(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	(void)wf_net_event_read(control->net, wf_ctl_on_net_event, control);
	if (wf_ctl_is_any_odd(control))
		wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_DEVICES);
}

int wf_ctl_repair_start(struct wf_control *control, struct wf_err *err)
{
	control->repair_timer = evtimer_new(control->loop, on_repair, control);
	control->net_event = event_new(control->loop, wf_net_event_fd(control->net),
				       EV_READ | EV_PERSIST, on_net_event, control);
	/* after requests: what others do can wait for an answer that is ready */
	if (control->net_event)
		(void)event_priority_set(control->net_event, WF_CONTROL_PRIORITY_LOW);
	if (!control->repair_timer || !control->net_event ||
	    event_add(control->net_event, NULL) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for events");
	return 0;
}

void wf_ctl_repair_stop(struct wf_control *control)
{
	if (control->net_event)
		event_free(control->net_event);
	if (control->repair_timer)
		event_free(control->repair_timer);
	control->net_event = NULL;
	control->repair_timer = NULL;
}
