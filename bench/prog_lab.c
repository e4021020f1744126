/* SPDX-License-Identifier: Apache-2.0 */
#include "prog_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "lab.h"
#include "world_dp.h"

#define SLOTS 3

void prog_lab_check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

struct wf_dp *prog_lab_open(void)
{
	struct world_maps maps;
	struct wf_dp *dp;

	lab_enter();
	dp = world_dp_open(SLOTS);
	maps = world_dp_maps(dp);
	world_fill(&maps);
	return dp;
}

void prog_lab_close(struct wf_dp *dp)
{
	(void)wf_dp_remove(LAB_BPF_DIR, NULL);
	wf_dp_close(&dp);
}

__u32 prog_lab_run(int prog_fd, __u32 slot, const struct packet *packet, int repeat,
		   __u32 *ret_action)
{
	struct __sk_buff context = { .ifindex = WF_IFINDEX_BASE + slot,
				     .ingress_ifindex = WF_IFINDEX_BASE + slot };
	LIBBPF_OPTS(bpf_test_run_opts, options);

	options.data_in = packet->bytes;
	options.data_size_in = (__u32)packet->len;
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	options.repeat = repeat;
	prog_lab_check(bpf_prog_test_run_opts(prog_fd, &options) < 0 ? -errno : 0, "test run");
	*ret_action = options.retval;
	return options.duration;
}
