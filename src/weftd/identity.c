/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/identity.h"

#include <errno.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/mem.h"
#include "net/uplink.h"

static int check_given(const struct weftd_config *config, struct wf_net *net,
		       struct wf_control_config *control, struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *addrs = NULL;
	size_t count = 0;
	int r = wf_addr_parse(config->node_ip, &control->node_ip);

	if (r == 0)
		r = wf_net_host_addresses(net, &addrs, &count, err);
	if (r < 0)
		return wf_fail(err, r, "node-ip: %s cannot be looked for", config->node_ip);
	for (size_t i = 0; i < count; i++)
		if (wf_addr_equal(&addrs[i], &control->node_ip))
			return 0;
	return wf_fail(err, -EADDRNOTAVAIL, "node-ip: %s is not an address of this host",
		       config->node_ip);
}

/* Of the device with the default route, else of the first one that leads out; IPv4 before IPv6. */
static int choose(struct wf_net *net, struct wf_control_config *control, struct wf_err *err)
{
	_cleanup_free_ struct wf_net_uplink *uplinks = NULL;
	const struct wf_net_uplink *best = NULL;
	size_t count = 0;
	int r = wf_net_uplinks(net, &uplinks, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (!best || (uplinks[i].has_default && !best->has_default))
			best = &uplinks[i];
	if (r < 0)
		return r;
	if (!best)
		return wf_fail(err, -EADDRNOTAVAIL,
			       "no device leads out of this host, so other nodes cannot reach it; "
			       "give its address with --node-ip");
	control->node_ip = wf_addr_is_zero(&best->ip4) ? best->ip6 : best->ip4;
	return 0;
}

int weftd_identity(const struct weftd_config *config, const struct wf_store *store,
		   struct wf_net *net, struct wf_control_config *control, struct wf_err *err)
{
	struct wf_store_state state;

	wf_store_state(store, &state);
	control->shared = state.is_remote;
	if (!state.is_remote)
		return 0;
	return config->node_ip && *config->node_ip ? check_given(config, net, control, err)
						   : choose(net, control, err);
}
