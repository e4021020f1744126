/* SPDX-License-Identifier: Apache-2.0 */
#include "prog_lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "lab.h"
#include "world.h"

#define SLOTS 3

void prog_lab_check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

static void put_endpoint(__u32 slot, const struct wf_ep_value *value, void *dp)
{
	prog_lab_check(wf_dp_endpoint_set(dp, slot, value, NULL), "endpoint");
}

static void put_address(__u32 network, const struct wf_addr *addr,
			const struct wf_addr_value *value, void *dp)
{
	prog_lab_check(wf_dp_address_set(dp, network, addr, value, NULL), "address");
}

static void put_network(__u32 number, const struct wf_net_value *value, void *dp)
{
	prog_lab_check(wf_dp_network_set(dp, number, value, NULL), "network");
}

static void put_config(const struct wf_config_value *value, void *dp)
{
	prog_lab_check(wf_dp_config_set(dp, value, NULL), "config");
}

struct wf_dp *prog_lab_open(void)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_dp *dp = NULL;

	lab_enter();
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		lab_run("ip link add wf%u index %u type veth peer name c%u", slot,
			WF_IFINDEX_BASE + slot, slot);
	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		exit(EXIT_FAILURE);
	}
	world_fill(&(struct world_maps){ put_endpoint, put_address, put_network, put_config, dp });
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
