/* SPDX-License-Identifier: Apache-2.0 */
#include "world_dp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(EXIT_FAILURE);
}

static void put_endpoint(__u32 slot, const struct wf_ep_value *value, void *dp)
{
	check(wf_dp_endpoint_set(dp, slot, value, NULL), "endpoint");
}

static void put_address(__u32 network, const struct wf_addr *addr,
			const struct wf_addr_value *value, void *dp)
{
	check(wf_dp_address_set(dp, network, addr, value, NULL), "address");
}

static void put_network(__u32 number, const struct wf_net_value *value, void *dp)
{
	check(wf_dp_network_set(dp, number, value, NULL), "network");
}

static void put_config(const struct wf_config_value *value, void *dp)
{
	check(wf_dp_config_set(dp, value, NULL), "config");
}

struct world_maps world_dp_maps(struct wf_dp *dp)
{
	return (struct world_maps){ put_endpoint, put_address, put_network, put_config, dp };
}

struct wf_dp *world_dp_open(unsigned int slots)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_dp *dp = NULL;

	for (unsigned int slot = 0; slot < slots; slot++)
		lab_run("ip link add wf%u index %u type veth peer name c%u", slot,
			WF_IFINDEX_BASE + slot, slot);
	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		exit(EXIT_FAILURE);
	}
	return dp;
}
