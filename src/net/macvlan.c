/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces that share a device of the host: macvlan and ipvlan. */
#include <errno.h>
#include <linux/if_link.h>

#include "net/net_priv.h"

static const char *kind_name(enum wf_net_kind kind)
{
	return kind == WF_NET_KIND_IPVLAN ? "ipvlan" : "macvlan";
}

/* -1: the kind has no such mode. */
static int kernel_mode(enum wf_net_kind kind, enum wf_net_mode mode)
{
	const bool is_ipvlan = kind == WF_NET_KIND_IPVLAN;

	switch (mode) {
	case WF_NET_MODE_DEFAULT: return is_ipvlan ? IPVLAN_MODE_L2 : MACVLAN_MODE_BRIDGE;
	case WF_NET_MODE_BRIDGE: return is_ipvlan ? -1 : MACVLAN_MODE_BRIDGE;
	case WF_NET_MODE_VEPA: return is_ipvlan ? -1 : MACVLAN_MODE_VEPA;
	case WF_NET_MODE_PRIVATE: return is_ipvlan ? -1 : MACVLAN_MODE_PRIVATE;
	case WF_NET_MODE_PASSTHRU: return is_ipvlan ? -1 : MACVLAN_MODE_PASSTHRU;
	case WF_NET_MODE_L2: return is_ipvlan ? IPVLAN_MODE_L2 : -1;
	case WF_NET_MODE_L3: return is_ipvlan ? IPVLAN_MODE_L3 : -1;
	case WF_NET_MODE_L3S: return is_ipvlan ? IPVLAN_MODE_L3S : -1;
	}
	return -1;
}

void wf_net_macvlan_put_info(struct wf_netlink_batch *batch, enum wf_net_kind kind,
			     enum wf_net_mode mode)
{
	wf_netlink_nest info = wf_netlink_nest_begin(batch, IFLA_LINKINFO);
	const int number = kernel_mode(kind, mode);
	wf_netlink_nest data;

	if (number < 0)
		wf_netlink_batch_fail(batch, -EINVAL);

	wf_netlink_put_text(batch, IFLA_INFO_KIND, kind_name(kind));
	data = wf_netlink_nest_begin(batch, IFLA_INFO_DATA);
	if (kind == WF_NET_KIND_IPVLAN)
		wf_netlink_put_u16(batch, IFLA_IPVLAN_MODE, (uint16_t)number);
	else
		wf_netlink_put_u32(batch, IFLA_MACVLAN_MODE, (uint32_t)number);
	wf_netlink_nest_end(batch, data);
	wf_netlink_nest_end(batch, info);
}

static void put_endpoint(struct wf_netlink_batch *batch, const struct wf_net_endpoint *endpoint)
{
	static const struct wf_mac none;
	static const struct ifinfomsg header;

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
			       sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, endpoint->ifname);
	wf_netlink_put_u32(batch, IFLA_LINK, endpoint->parent_ifindex);
	wf_netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)endpoint->netns_fd);
	/* an ipvlan has its parent's MAC, always */
	wf_net_link_put_limits(batch, endpoint->kind == WF_NET_KIND_IPVLAN ? &none : &endpoint->mac,
			       endpoint->mtu, 0);
	wf_net_macvlan_put_info(batch, endpoint->kind, endpoint->mode);
}

int wf_net_macvlan_explain(int code, enum wf_net_kind kind, struct wf_err *err)
{
	if (code != -EOPNOTSUPP)
		return code;
	return wf_fail(err, code, "the kernel has no %s (module %s)", kind_name(kind),
		       kind_name(kind));
}

static void delete_inside(struct wf_netlink_socket *inside, struct wf_netlink_batch *batch,
			  const char *ifname)
{
	static const struct ifinfomsg header;

	wf_netlink_batch_clear(batch);
	wf_netlink_batch_begin(batch, RTM_DELLINK, 0, &header, sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, ifname);
	(void)wf_netlink_transact(inside, batch, NULL, NULL, NULL, NULL);
}

int wf_net_macvlan_create(struct wf_net *net, struct wf_netlink_socket *inside,
			  const struct wf_net_endpoint *endpoint, uint32_t *ret_inner,
			  struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct wf_net_link link;
	char names[256];
	int r;

	put_endpoint(batch, endpoint);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r < 0)
		return wf_net_macvlan_explain(r, endpoint->kind, err);
	r = wf_net_link_get(inside, wf_net_batch(net), endpoint->ifname, 0, &link, names, err);
	if (r < 0)
		delete_inside(inside, batch, endpoint->ifname);
	else
		*ret_inner = link.ifindex;
	return r;
}
