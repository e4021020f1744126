/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of repair: repair_event.c marks, repair_device.c puts devices right, repair.c does one after the other. */
#ifndef WEFT_CONTROL_REPAIR_PRIV_H
#define WEFT_CONTROL_REPAIR_PRIV_H

#include "control/control_priv.h"

/* Whether a device has the index of a slot's. */
static inline bool wf_ctl_is_slot_device(uint32_t ifindex)
{
	return ifindex >= WF_IFINDEX_BASE && ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS;
}

/* ---- repair_event.c -------------------------------------------------------------------------- */

/* Marks what is to be looked at; a wf_net_event callback whose context is the control. */
void wf_ctl_on_net_event(const struct wf_net_event *event, void *context);
/* Whether the events read so far leave a device in another state than it was made in. */
bool wf_ctl_is_any_odd(struct wf_control *control);
/* Whether the host's side of an endpoint is as it was made; WF_SLOT_HOST: weft0p. */
bool wf_ctl_is_as_made(const struct wf_control *control, uint32_t slot,
		       const struct wf_net_link *link);

/* ---- repair_device.c ------------------------------------------------------------------------- */

/* Endpoints whose device the host cannot see: the kernel said that some namespace died. */
void wf_ctl_release_orphans(struct wf_control *control);
/* Deleted devices: with their namespaces, or by somebody while the container lives. */
void wf_ctl_settle_lost(struct wf_control *control);

#endif
