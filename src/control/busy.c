/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that send much (WF_EVENT_BUSY) get the program of their block's filter on tcx, or on netkit
 * if they are such a pair, where it costs a packet less; see dp/tcx.h for what that costs. Slot 0 is one
 * of them: what the host sends to containers.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "control/control_priv.h"
#include "dp/tcx.h"

WF_LOG_MODULE(busy);

int wf_ctl_pair_choose(struct wf_control *control, struct wf_err *err)
{
	const char *pair = control->config.pair ? control->config.pair : "veth";

	if (strcmp(pair, "veth") == 0)
		return 0;
	control->is_netkit = wf_dp_netkit_possible();
	if (control->is_netkit || strcmp(pair, "auto") == 0)
		return 0;
	return wf_fail(err, -EOPNOTSUPP,
		       "datapathMode: the kernel has no netkit devices (Linux 6.7 or later with "
		       "CONFIG_NETKIT has): say veth, or auto");
}

static bool is_off(const struct wf_control *control)
{
	return control->config.tcx && strcmp(control->config.tcx, "off") == 0;
}

static bool is_used(const struct wf_control *control, uint32_t slot)
{
	return slot == WF_SLOT_HOST || (slot < WF_MAX_SLOTS && control->by_slot[slot]);
}

static void want(struct wf_control *control, uint32_t slot, bool off)
{
	int r = wf_dp_tcx_want(control->dp, WF_IFINDEX_BASE + slot, off);

	if (r < 0)
		wf_log_warning_rl("a busy endpoint keeps the slower hook", "slot=%u error=\"%s\"",
				  slot, strerror(-r));
}

void wf_ctl_busy_event(struct wf_control *control, uint32_t slot)
{
	if (!is_off(control) && is_used(control, slot))
		want(control, slot, false);
}

bool wf_ctl_busy_was(struct wf_control *control, uint32_t slot)
{
	struct wf_traffic_value traffic;

	/* the sum of all CPUs: who is believed to have it without need is only buried alone */
	return !is_off(control) && wf_dp_traffic_read(control->dp, slot, &traffic) == 0 &&
	       traffic.sent.packets >= WF_BUSY_PACKETS;
}

int wf_ctl_busy_renew(struct wf_control *control, struct wf_err *err)
{
	for (uint32_t slot = 0; slot < WF_MAX_SLOTS; slot++) {
		int r = is_used(control, slot)
				? wf_dp_tcx_renew(control->dp, WF_IFINDEX_BASE + slot)
				: 0;

		if (r < 0 && r != -ENODEV)
			return wf_fail(err, r, "cannot replace the program of slot %u: %s", slot,
				       strerror(-r));
	}
	return 0;
}

void wf_ctl_busy_start(struct wf_control *control)
{
	struct wf_dp_tcx tcx;

	if (!is_off(control))
		return;
	for (uint32_t slot = 0; slot < WF_MAX_SLOTS; slot++)
		if (is_used(control, slot) && wf_dp_tcx_look(WF_IFINDEX_BASE + slot, &tcx) == 0 &&
		    tcx.own)
			want(control, slot, true);
}
