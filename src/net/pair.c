/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of Ethernet devices, veth or netkit: one message makes both ends, each in its final namespace
 * with its final name, MAC, MTU and limits.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "net/net_priv.h"

/*
 * One queue per end: a queue costs two sysfs directories when the link is made, the default is
 * one per possible CPU, and a veth that runs no XDP program spreads nothing over them.
 */
static void put_end(struct wf_netlink_batch *batch, const char *name, const struct wf_mac *mac,
		    const struct wf_net_endpoint *endpoint)
{
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	wf_netlink_put_u32(batch, IFLA_NUM_TX_QUEUES, 1);
	wf_netlink_put_u32(batch, IFLA_NUM_RX_QUEUES, 1);
	wf_net_link_put_limits(batch, mac, endpoint->mtu, endpoint->gso_max_bytes);
}

/* Of netkit, as in linux/if_link.h, of which the headers of the oldest distribution are too old. */
#define NETKIT_PEER_INFO 1
#define NETKIT_MODE      5
#define NETKIT_MODE_L2   0 /* with MACs and ARP, like veth */

/* What stands before the inner side of each kind. */
static wf_netlink_nest begin_peer(struct wf_netlink_batch *batch, bool is_netkit)
{
	if (!is_netkit)
		return wf_netlink_nest_begin(batch, VETH_INFO_PEER);
	wf_netlink_put_u32(batch, NETKIT_MODE, NETKIT_MODE_L2);
	return wf_netlink_nest_begin(batch, NETKIT_PEER_INFO);
}

static void put_pair(struct wf_netlink_batch *batch, const struct wf_net_endpoint *endpoint)
{
	const struct ifinfomsg host = { .ifi_index = (int)endpoint->host_ifindex };
	static const struct ifinfomsg inner;
	wf_netlink_nest info, data, peer;

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &host,
			       sizeof(host));
	put_end(batch, endpoint->host_name, &endpoint->host_mac, endpoint);
	wf_netlink_put_u32(batch, IFLA_GROUP, WF_NET_GROUP_LIVE);
	info = wf_netlink_nest_begin(batch, IFLA_LINKINFO);
	wf_netlink_put_text(batch, IFLA_INFO_KIND, endpoint->is_netkit ? "netkit" : "veth");
	data = wf_netlink_nest_begin(batch, IFLA_INFO_DATA);
	peer = begin_peer(batch, endpoint->is_netkit);
	wf_netlink_put_raw(batch, &inner, sizeof(inner));
	put_end(batch, endpoint->ifname, &endpoint->mac, endpoint);
	wf_netlink_put_u32(batch, IFLA_NET_NS_FD, (uint32_t)endpoint->netns_fd);
	wf_netlink_nest_end(batch, peer);
	wf_netlink_nest_end(batch, data);
	wf_netlink_nest_end(batch, info);
}

struct pair {
	uint32_t inner;
	int32_t nsid;
};

static void take_pair(const struct nlmsghdr *message, void *context)
{
	struct pair *pair = context;
	struct wf_net_link link;

	if (message->nlmsg_type != RTM_NEWLINK || !wf_net_link_parse(message, &link))
		return;
	pair->inner = link.parent;
	pair->nsid = link.peer_nsid;
}

/* Kernels before 6.2 do not echo what they made. */
static int ask_for_pair(struct wf_net *net, uint32_t host_ifindex, struct pair *pair,
			struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, NULL, host_ifindex, &link, names, err);

	if (r < 0)
		return r;
	pair->inner = link.parent;
	pair->nsid = link.peer_nsid;
	return 0;
}

/* Blocks before up: no packet ever passes the host side without the program. */
static int ready_host_side(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			   struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);

	if (endpoint->ingress_block || endpoint->egress_block)
		wf_net_blocks_put(batch, NLM_F_EXCL, endpoint->host_ifindex,
				  endpoint->ingress_block, endpoint->egress_block);
	wf_net_link_put_set(batch, endpoint->host_ifindex, IFF_UP, IFF_UP);
	if (endpoint->alias)
		wf_netlink_put_text(batch, IFLA_IFALIAS, endpoint->alias);
	/* in time although it is carried out after up: the peer is down, there is no carrier yet */
	wf_net_link_put_no_autoconf(net, batch, endpoint->mtu);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_pair_create(struct wf_net *net, const struct wf_net_endpoint *endpoint,
		       uint32_t *ret_inner, int32_t *ret_nsid, struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct pair pair = { .nsid = -1 };
	int r;

	put_pair(batch, endpoint);
	r = wf_net_send(&net->socket, batch, take_pair, &pair, err);
	if (r == -EOPNOTSUPP && endpoint->is_netkit)
		return wf_fail(err, r,
			       "the kernel has no netkit devices (Linux 6.7, CONFIG_NETKIT)");
	if (r < 0)
		return r;
	r = ready_host_side(net, endpoint, err);
	if (r == 0 && !pair.inner)
		r = ask_for_pair(net, endpoint->host_ifindex, &pair, err);
	if (r < 0) {
		(void)wf_net_link_del(net, endpoint->host_ifindex, NULL);
		return r;
	}
	*ret_inner = pair.inner;
	*ret_nsid = pair.nsid;
	return 0;
}

int wf_net_host_side_repair(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			    struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, NULL, endpoint->host_ifindex, &link, names, err);

	if (r == 0 && strcmp(link.name, endpoint->host_name) != 0)
		r = wf_net_link_rename(net, link.ifindex, endpoint->host_name, err);
	if (r == 0 && (endpoint->ingress_block || endpoint->egress_block))
		r = wf_net_blocks_attach(net, link.ifindex, endpoint->ingress_block,
					 endpoint->egress_block, err);
	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	wf_net_link_put_set(batch, link.ifindex, IFF_UP, IFF_UP);
	wf_netlink_put_u32(batch, IFLA_GROUP, WF_NET_GROUP_LIVE);
	if (endpoint->alias)
		wf_netlink_put_text(batch, IFLA_IFALIAS, endpoint->alias);
	if (endpoint->mtu)
		wf_netlink_put_u32(batch, IFLA_MTU, endpoint->mtu);
	/* forgotten if the MTU was too small for IPv6; in force only once it is large enough */
	wf_net_link_put_set(batch, link.ifindex, 0, 0);
	wf_net_link_put_no_autoconf(net, batch, endpoint->mtu);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}
