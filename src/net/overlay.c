/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's device of the overlay: one VXLAN device in external mode (RFC 7348). Which network and
 * which node a packet is for comes with the packet, from the programs; the device itself floods
 * nothing, learns nothing and has no address.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"
#include "net/offload.h"

#define ALIAS "weft: the way between nodes"
/* The same when weft has turned off that devices below it make checksums: kept over restarts. */
#define ALIAS_SUMS ALIAS ", checksums by the kernel"

static void put_info(struct wf_netlink_batch *batch, uint16_t port)
{
	wf_netlink_nest info = wf_netlink_nest_begin(batch, IFLA_LINKINFO), data;

	wf_netlink_put_text(batch, IFLA_INFO_KIND, "vxlan");
	data = wf_netlink_nest_begin(batch, IFLA_INFO_DATA);
	wf_netlink_put_u8(batch, IFLA_VXLAN_COLLECT_METADATA, 1);
	wf_netlink_put_u8(batch, IFLA_VXLAN_LEARNING, 0);
	wf_netlink_put_u16(batch, IFLA_VXLAN_PORT, htons(port));
	wf_netlink_nest_end(batch, data);
	wf_netlink_nest_end(batch, info);
}

static int create(struct wf_net *net, uint16_t port, uint32_t mtu, struct wf_err *err)
{
	static const struct ifinfomsg header;
	static const struct wf_mac any;
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
			       sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, WF_NET_OVERLAY_DEVICE);
	wf_net_link_put_limits(batch, &any, mtu, 0);
	put_info(batch, port);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

/* It sends and receives for the programs alone: the host's IPv6 has no business there. */
static int bring_up(struct wf_net *net, uint32_t ifindex, uint32_t mtu, const char *alias,
		    struct wf_err *err)
{
	static const struct wf_mac any;
	struct wf_netlink_batch *batch;
	int r = wf_net_sysctl_set("ipv6/conf/" WF_NET_OVERLAY_DEVICE "/disable_ipv6", "1", err);

	if (r < 0 && r != -ENOENT)
		return r;
	batch = wf_net_batch(net);
	wf_net_link_put_set(batch, ifindex, IFF_UP, IFF_UP);
	wf_net_link_put_limits(batch, &any, mtu, 0);
	wf_netlink_put_text(batch, IFLA_IFALIAS, alias);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r == -EADDRINUSE || r == -EEXIST)
		return wf_fail(err, -EADDRINUSE,
			       "the UDP port of the overlay is taken by another VXLAN device or "
			       "program; see 'ss -ulnp' and 'ip -d link show type vxlan'");
	return r;
}

int wf_net_overlay_ensure(struct wf_net *net, uint16_t port, uint32_t mtu, uint32_t *ret_ifindex,
			  struct wf_err *err)
{
	struct wf_net_link link;
	const char *alias;
	char names[256];
	bool created = false;
	int r = wf_net_link_find(net, WF_NET_OVERLAY_DEVICE, 0, &link, names, err);

	if (r == -ENODEV) {
		r = create(net, port, mtu, err);
		created = r == 0;
		if (r == 0)
			r = wf_net_link_find(net, WF_NET_OVERLAY_DEVICE, 0, &link, names, err);
	}
	if (r < 0)
		return r;
	if (strcmp(link.kind, "vxlan") != 0)
		return wf_fail(err, -EEXIST,
			       "interface " WF_NET_OVERLAY_DEVICE
			       " exists already and is not weft's; rename or delete it");
	alias = strcmp(link.alias, ALIAS_SUMS) == 0 ? ALIAS_SUMS : ALIAS;
	if (!link.up || link.mtu != mtu || strcmp(link.alias, alias) != 0)
		r = bring_up(net, link.ifindex, mtu, alias, err);
	if (r < 0 && created)
		(void)wf_net_link_del(net, link.ifindex, NULL);
	if (r == 0)
		*ret_ifindex = link.ifindex;
	return r;
}

int wf_net_overlay_sums_get(struct wf_net *net, enum wf_net_sums *ret_sums, struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, WF_NET_OVERLAY_DEVICE, 0, &link, names, err);

	if (r < 0)
		return r;
	if (wf_net_offload_get(net, WF_NET_OVERLAY_DEVICE, ETHTOOL_GTXCSUM) != 0)
		*ret_sums = WF_NET_SUMS_DEVICE;
	else
		*ret_sums =
			strcmp(link.alias, ALIAS_SUMS) == 0 ? WF_NET_SUMS_WEFT : WF_NET_SUMS_OTHERS;
	return 0;
}

int wf_net_overlay_sums_set(struct wf_net *net, bool by_kernel, struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, WF_NET_OVERLAY_DEVICE, 0, &link, names, err);

	if (r < 0)
		return r;
	/* the mark is there before what it marks, and goes after it */
	if (!by_kernel)
		r = wf_net_offload_set(WF_NET_OVERLAY_DEVICE, ETHTOOL_STXCSUM, true);
	if (r == 0) {
		batch = wf_net_batch(net);
		wf_net_link_put_set(batch, link.ifindex, 0, 0);
		wf_netlink_put_text(batch, IFLA_IFALIAS, by_kernel ? ALIAS_SUMS : ALIAS);
		r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	}
	if (r == 0 && by_kernel)
		r = wf_net_offload_set(WF_NET_OVERLAY_DEVICE, ETHTOOL_STXCSUM, false);
	return r < 0 ? wf_fail(err, r, "cannot change who makes checksums: %s", strerror(-r)) : 0;
}
