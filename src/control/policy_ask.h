/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would become of a packet: the programs that would see it are run on a made-up one in the
 * kernel, one after the other, and between them the host's routes are asked.
 */
#ifndef WEFT_CONTROL_POLICY_ASK_H
#define WEFT_CONTROL_POLICY_ASK_H

#include "control/policy_question.h"

/* Why a packet ends that no program drops. */
enum ctl_end {
	CTL_END_NONE,   /* it goes on, or the event has the reason */
	CTL_END_SCOPE,  /* the destination means nothing outside of its network */
	CTL_END_ROUTES, /* the host's routes or settings let it go nowhere */
	CTL_END_NOBODY, /* the host's routes lead back where it came from */
};

struct ctl_finding {
	struct wf_event event;
	const char *program; /* the one that was asked last; NULL: none had to be */
	enum ctl_end end;
	uint32_t in_ifindex;  /* the uplink that it comes in by; 0: none */
	uint32_t out_ifindex; /* the device that the host's routes send it out by; 0: none */
};

/*
 * Nothing is sent, counted or remembered. *ret_finding is set on success. -EOPNOTSUPP: an end that only
 * another node knows about, or that no program sees; -ENODEV: no uplink.
 */
int wf_ctl_question_ask(struct wf_control *control, const struct ctl_question *question,
			struct ctl_finding *ret_finding, struct wf_err *err);

#endif
