/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own pair of devices. weft0 carries the gateways' addresses and the routes to the
 * networks; what the host sends leaves there and arrives at weft0p, which is slot 0 of the
 * datapath. What containers send to the host or beyond is put into weft0's ingress by the
 * programs. Neither end answers ARP; forwarding flags of the host are nobody's business here.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <weft/abi/limits.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Tells the pair from others when it was renamed. */
#define ALIAS "weft: the way between the host and its containers"

/* What ensure has to work with. */
struct host_pair {
	uint32_t mtu;
	uint32_t gso_max_bytes;
	uint32_t ingress_block, egress_block;
	uint32_t device; /* index of weft0 */
	bool has_alias;  /* both ends */
};

static void put_end(struct wf_netlink_batch *batch, const char *name, const struct host_pair *pair)
{
	static const struct wf_mac any;

	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	wf_net_link_put_limits(batch, &any, pair->mtu, pair->gso_max_bytes);
}

/* The slot's end is the one that is made, weft0 its peer: an index of one's choice needs that. */
static int create(struct wf_net *net, const struct host_pair *pair, struct wf_err *err)
{
	static const struct ifinfomsg slot = { .ifi_index = WF_IFINDEX_BASE };
	static const struct ifinfomsg device;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	wf_netlink_nest info, data, peer;

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &slot, sizeof(slot));
	put_end(batch, WF_NET_HOST_PEER, pair);
	info = wf_netlink_nest_begin(batch, IFLA_LINKINFO);
	wf_netlink_put_text(batch, IFLA_INFO_KIND, "veth");
	data = wf_netlink_nest_begin(batch, IFLA_INFO_DATA);
	peer = wf_netlink_nest_begin(batch, VETH_INFO_PEER);
	wf_netlink_put_raw(batch, &device, sizeof(device));
	put_end(batch, WF_NET_HOST_DEVICE, pair);
	wf_netlink_nest_end(batch, peer);
	wf_netlink_nest_end(batch, data);
	wf_netlink_nest_end(batch, info);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

static int fail_foreign(const char *name, struct wf_err *err)
{
	return wf_fail(err, -EEXIST,
		       "interface %s exists already and is not weft's; rename or delete it", name);
}

/* No pair: then its names must be free. Returns -ENODEV when they are. */
static int check_names(struct wf_net *net, struct wf_err *err)
{
	static const char *const names[] = { WF_NET_HOST_DEVICE, WF_NET_HOST_PEER };

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++) {
		struct wf_net_link link;
		char strings[256];
		int r = wf_net_link_find(net, names[i], 0, &link, strings, err);

		if (r == 0)
			return fail_foreign(names[i], err);
		if (r != -ENODEV)
			return r;
	}
	return -ENODEV;
}

static int put_name_back(struct wf_net *net, const struct wf_net_link *link, const char *name,
			 struct wf_err *err)
{
	int r = strcmp(link->name, name) == 0 ? 0
					      : wf_net_link_rename(net, link->ifindex, name, err);

	return r == -EEXIST ? fail_foreign(name, err) : r;
}

/* Found by the slot's index, whatever its ends are called. -ENODEV: the pair is not there. */
static int find(struct wf_net *net, struct host_pair *pair, struct wf_err *err)
{
	char slot_names[256], device_names[256];
	struct wf_net_link slot, device;
	int r;

	r = wf_net_link_find(net, NULL, WF_IFINDEX_BASE, &slot, slot_names, err);
	if (r == -ENODEV)
		return check_names(net, err);
	if (r < 0)
		return r;
	if (strcmp(slot.kind, "veth") != 0 ||
	    (strcmp(slot.name, WF_NET_HOST_PEER) != 0 && strcmp(slot.alias, ALIAS) != 0))
		return fail_foreign(slot.name, err);
	if (slot.peer_nsid >= 0) {
		r = wf_net_link_del(net, WF_IFINDEX_BASE, err);
		return r < 0 ? r : check_names(net, err);
	}
	r = wf_net_link_find(net, NULL, slot.parent, &device, device_names, err);
	if (r == 0)
		r = put_name_back(net, &slot, WF_NET_HOST_PEER, err);
	if (r == 0)
		r = put_name_back(net, &device, WF_NET_HOST_DEVICE, err);
	if (r < 0)
		return r;
	pair->device = device.ifindex;
	pair->has_alias = strcmp(slot.alias, ALIAS) == 0 && strcmp(device.alias, ALIAS) == 0;
	return 0;
}

/*
 * rp_filter 2 (loose) wins over whatever conf/all says: replies to containers leave by weft0,
 * but what enters it may come from any container, and its source was checked by the program.
 */
static int set_sysctls(struct wf_err *err)
{
	static const struct {
		const char *path, *value;
	} settings[] = {
		{ "ipv4/conf/" WF_NET_HOST_DEVICE "/rp_filter", "2" },
		{ "ipv6/conf/" WF_NET_HOST_DEVICE "/accept_ra", "0" },
		{ "ipv6/conf/" WF_NET_HOST_DEVICE "/disable_ipv6", "0" },
		{ "ipv6/conf/" WF_NET_HOST_PEER "/accept_ra", "0" },
		{ "ipv6/conf/" WF_NET_HOST_PEER "/disable_ipv6", "1" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(settings); i++) {
		int r = wf_net_sysctl_set(settings[i].path, settings[i].value, err);

		/* a kernel without IPv6 has no IPv6 settings */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int configure(struct wf_net *net, const struct host_pair *pair, struct wf_err *err)
{
	static const struct wf_mac any;
	const uint32_t ends[] = { WF_IFINDEX_BASE, pair->device };
	struct wf_netlink_batch *batch;
	int r;

	r = set_sysctls(err);
	if (r == 0)
		r = wf_net_blocks_attach(net, WF_IFINDEX_BASE, pair->ingress_block,
					 pair->egress_block, err);
	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	for (size_t i = 0; i < WF_ARRAY_LEN(ends); i++) {
		wf_net_link_put_set(batch, ends[i], IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
		wf_net_link_put_limits(batch, &any, pair->mtu, pair->gso_max_bytes);
		/* an alias that changes nothing has the kernel go through all its routes again */
		if (!pair->has_alias)
			wf_netlink_put_text(batch, IFLA_IFALIAS, ALIAS);
	}
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_host_ensure(struct wf_net *net, uint32_t mtu, uint32_t gso_max_bytes,
		       uint32_t ingress_block, uint32_t egress_block, uint32_t *ret_ifindex,
		       bool *ret_created, struct wf_err *err)
{
	struct host_pair pair = { .mtu = mtu,
				  .gso_max_bytes = gso_max_bytes,
				  .ingress_block = ingress_block,
				  .egress_block = egress_block };
	bool created = false;
	int r;

	r = find(net, &pair, err);
	if (r == -ENODEV) {
		r = create(net, &pair, err);
		created = r == 0;
		if (r == 0)
			r = find(net, &pair, err);
	}
	if (r == 0)
		r = configure(net, &pair, err);
	if (r < 0 && created)
		(void)wf_net_link_del(net, WF_IFINDEX_BASE, NULL);
	if (r < 0)
		return r;
	*ret_ifindex = pair.device;
	*ret_created = created;
	return 0;
}
