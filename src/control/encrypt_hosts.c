/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts themselves send each other: to which nodes it goes inside WireGuard only, and from which
 * nothing else is taken. That is decided by what both say, not by what works: where a key or a device
 * is missing the programs drop it.
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"

WF_LOG_MODULE(encrypt);

/* No smaller packets are asked for, whatever the way is: RFC 791 and RFC 8200. */
#define LEAST_IP4 576
#define LEAST_IP6 1280

bool wf_ctl_hosts_said(const struct wf_control *control)
{
	return wf_ctl_is_shared(control) && control->config.encryption_hosts;
}

bool wf_ctl_is_sealed(const struct wf_control *control, const struct ctl_node *node)
{
	return wf_ctl_hosts_said(control) && node->encrypts_hosts && wf_ctl_is_peer(control, node);
}

/* Bytes of the largest packet that WireGuard carries to a node in one of its own. */
static uint16_t carried(struct wf_control *control, const struct ctl_node *node)
{
	const uint32_t least = wf_addr_is_ip4(&node->underlay) ? LEAST_IP4 : LEAST_IP6;
	const uint32_t limit = wf_ctl_probe_limit(node);
	uint32_t mtu = node->way.mtu ? node->way.mtu : wf_ctl_default_mtu(control);

	if (limit && limit < mtu)
		mtu = limit;
	if (mtu < least + wf_ctl_encrypt_bytes(control) + WF_WIREGUARD_PAD + WF_VXLAN_BYTES_IP6)
		return (uint16_t)least;
	mtu = wf_ctl_inside_mtu(control, mtu) - WF_VXLAN_BYTES_IP6;
	return (uint16_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX);
}

static int seal(struct wf_control *control, const struct ctl_node *node, struct wf_err *err)
{
	const uint16_t port = control->config.encryption_port;
	struct wf_net_way way = { 0 };
	struct wf_seal_value value = {
		.node = node->number,
		.own = { htons(port), htons((uint16_t)(port + 1)) },
		.vxlan = htons(control->config.overlay_port),
		.mtu = carried(control, node),
	};

	for (size_t i = 0; i < node->tunnel_count; i++)
		value.ports[i] = htons(node->tunnels[i].port);
	(void)wf_net_way_find(control->net, &node->underlay, &way, NULL);
	value.ifindex = way.ifindex;
	if (way.ifindex && control->lb.settled && !wf_ctl_is_uplink(control, way.ifindex))
		wf_log_warning_rl("a node is reached by a device that is no uplink: what its host "
				  "is sent is not encrypted",
				  "node=%s device=%u", node->name, way.ifindex);
	return wf_dp_seal_set(control->dp, &node->underlay, &value, err);
}

struct stale {
	const struct wf_control *control;
	struct wf_addr *items; /* owned */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void see_seal(const struct wf_addr *addr, const struct wf_seal_value *value, void *context)
{
	struct stale *stale = context;
	const struct ctl_node *node =
		value->node < WF_MAX_NODES ? stale->control->cluster.by_number[value->node] : NULL;

	if (node && wf_ctl_is_sealed(stale->control, node) && wf_addr_equal(&node->underlay, addr))
		return;
	if (wf_mem_grow(&stale->items, sizeof(*stale->items), stale->count, &stale->capacity) < 0)
		stale->failed = true;
	else
		stale->items[stale->count++] = *addr;
}

/* What is in the table for nobody any more. */
static int unseal(struct wf_control *control, struct wf_err *err)
{
	struct stale stale = { .control = control };
	int r = wf_dp_seal_visit(control->dp, see_seal, &stale, err);

	if (r == 0 && stale.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < stale.count; i++)
		r = wf_dp_seal_set(control->dp, &stale.items[i], NULL, err);
	free(stale.items);
	return r;
}

static int announce(struct wf_control *control, bool is_any, struct wf_err *err)
{
	uint32_t flags = control->lb.config_flags & ~(uint32_t)WF_CONFIG_SEALS;

	if (is_any)
		flags |= WF_CONFIG_SEALS;
	if (flags == control->lb.config_flags)
		return 0;
	control->lb.config_flags = flags;
	return wf_ctl_config_sync(control, err);
}

static int put_ports(struct wf_control *control, struct wf_err *err)
{
	static const uint64_t none[WF_CLEAR_WORDS];
	const uint64_t *ports = control->config.clear_ports;
	int r;

	if (control->cluster.encrypt.has_ports)
		return 0;
	r = wf_dp_clear_set(control->dp, ports ? ports : none, err);
	control->cluster.encrypt.has_ports = r == 0;
	return r;
}

int wf_ctl_seals_sync(struct wf_control *control, struct wf_err *err)
{
	bool is_any = false;
	int r = 0;

	if (!wf_ctl_hosts_said(control) && !(control->lb.config_flags & WF_CONFIG_SEALS))
		return 0;
	r = put_ports(control, err);
	for (const struct ctl_node *node = control->cluster.nodes; r == 0 && node;
	     node = node->by_name.next)
		if (wf_ctl_is_sealed(control, node)) {
			is_any = true;
			r = seal(control, node, err);
		}
	if (r == 0)
		r = announce(control, is_any, err);
	return r < 0 ? r : unseal(control, err);
}
