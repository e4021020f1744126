/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcx (Linux 6.6 and later): the hook of a device that runs before the filters of its clsact qdisc,
 * and costs a packet less than they do. Putting a program there waits 5 to 25 ms for all CPUs while
 * the kernel changes no other link, and so does the end of a device that has one. So endpoints begin
 * with the filter of their block, and those that send much get WF_DP_FROM_CONTAINER in front of it.
 * The filter stays: whoever takes the program from the hook again changes nothing but the cost.
 *
 * The endpoint of a netkit pair has the program on the hook of its own end instead, where it runs as
 * the container sends: what leaves the host spares the way through a queue of the host, and what stays
 * takes it, to be handed over by the filter (bpf/lib/handed.h).
 */
#ifndef WEFT_DP_TCX_H
#define WEFT_DP_TCX_H

#include "dp/dp.h"

/* Programs on both directions of a device, and of the other end of a netkit pair. */
struct wf_dp_tcx {
	uint32_t own;    /* weft's, of whatever build */
	uint32_t others; /* they see packets before weft's filters do */
	bool is_netkit;  /* weft's is on the hook of netkit */
};
/* Looks. Zeros on a kernel without such hooks. -ENODEV, -EPERM or another negative errno. */
int wf_dp_tcx_look(uint32_t ifindex, struct wf_dp_tcx *ret_tcx);

/* Whether the kernel has netkit devices (Linux 6.7, CONFIG_NETKIT). */
bool wf_dp_netkit_possible(void);

/*
 * What a device shall have for what its peer sends: WF_DP_FROM_CONTAINER, or with `off` nothing of weft's. Done
 * by a thread, soon, one device at a time; of the last wish for a device only. What cannot be done is
 * left as it is (no such hook here, the device is gone). 0, -ENOMEM or as of wf_thread_start().
 */
int wf_dp_tcx_want(struct wf_dp *dp, uint32_t ifindex, bool off);

/*
 * Puts the program of this build in the place of an earlier one's, at once and without a moment between; does
 * nothing on a device that has neither. 0 or a negative errno.
 */
int wf_dp_tcx_renew(struct wf_dp *dp, uint32_t ifindex);

#endif
