/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of VLANs (IEEE 802.1Q) on a device of the host, for networks that are attached to one:
 * what containers send by them has the tag, and only frames with the tag reach them. The kernel has
 * one device for a VLAN of a parent: all networks in it share that, and one that the host has
 * already is used.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

#define ALIAS "weft: VLAN %u for its networks"

static uint16_t number(const struct nlattr *attribute)
{
	const uint16_t *value = wf_netlink_bytes(attribute, sizeof(*value));

	return value ? *value : 0;
}

uint16_t wf_net_vlan_of(const struct nlattr *data)
{
	const struct nlattr *table[IFLA_VLAN_PROTOCOL + 1];

	wf_netlink_nested(data, table, IFLA_VLAN_PROTOCOL);
	return number(table[IFLA_VLAN_PROTOCOL]) == htons(ETH_P_8021Q) ? number(table[IFLA_VLAN_ID])
								       : 0;
}

static bool is_it(const struct wf_net_link *link, uint32_t parent_ifindex, uint16_t vlan)
{
	return link->vlan == vlan && link->parent == parent_ifindex && link->peer_nsid < 0;
}

/* As everybody names them, eth0.42; wfv42.2, with the parent's index, where that is too long. */
static void choose_name(const struct wf_net_link *parent, uint16_t vlan, char ret_name[16])
{
	if (snprintf(ret_name, 16, "%s.%u", parent->name, vlan) >= 16)
		(void)snprintf(ret_name, 16, "wfv%u.%x", vlan, parent->ifindex);
}

static void put_info(struct wf_netlink_batch *batch, uint16_t vlan)
{
	wf_netlink_nest info = wf_netlink_nest_begin(batch, IFLA_LINKINFO), data;

	wf_netlink_put_text(batch, IFLA_INFO_KIND, "vlan");
	data = wf_netlink_nest_begin(batch, IFLA_INFO_DATA);
	wf_netlink_put_u16(batch, IFLA_VLAN_ID, vlan);
	wf_netlink_nest_end(batch, data);
	wf_netlink_nest_end(batch, info);
}

/* Made down: the settings must be there before IPv6 starts on it. */
static int create(struct wf_net *net, const char *name, uint32_t parent_ifindex, uint16_t vlan,
		  struct wf_err *err)
{
	static const struct ifinfomsg header;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int r;

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
			       sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	wf_netlink_put_u32(batch, IFLA_LINK, parent_ifindex);
	/* with the device comes the mark: none is left without after a crash */
	wf_netlink_put_u32(batch, IFLA_GROUP, WF_NET_GROUP_VLAN);
	put_info(batch, vlan);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r == -EOPNOTSUPP)
		return wf_fail(err, r,
			       "the kernel has no VLANs (module 8021q), or the parent takes none");
	return r;
}

struct search {
	uint32_t parent_ifindex;
	uint16_t vlan;
	uint32_t ifindex; /* found; 0: none */
};

static void see_link(const struct wf_net_link *link, void *context)
{
	struct search *search = context;

	if (is_it(link, search->parent_ifindex, search->vlan))
		search->ifindex = link->ifindex;
}

/* The VLAN's device by another name, or -ENODEV. */
static int find_other(struct wf_net *net, uint32_t parent_ifindex, uint16_t vlan,
		      struct wf_net_link *ret_link, char names[256], struct wf_err *err)
{
	struct search search = { .parent_ifindex = parent_ifindex, .vlan = vlan };
	int r = wf_net_link_dump(net, see_link, &search, err);

	if (r < 0)
		return r;
	return search.ifindex ? wf_net_link_find(net, NULL, search.ifindex, ret_link, names, err)
			      : -ENODEV;
}

/*
 * The host has no business in the VLAN: no address of its own is told or taken there, and what
 * comes to its MAC from behind no route of the device (strict rp_filter, unless conf/all says
 * otherwise) is not for it; whoever gives the device an address has such routes. What IPv6
 * does on a device can be said once the kernel has made it, not along with making it: a new one
 * has no IPv6 yet, and a kernel such as 6.12 refuses the message for that (EAFNOSUPPORT).
 */
static int set_up(struct wf_net *net, const struct wf_net_link *link, struct wf_err *err)
{
	static const struct {
		const char *tree, *setting, *value;
	} settings[] = {
		{ "ipv4/conf", "arp_ignore", "1" },
		{ "ipv4/conf", "rp_filter", "1" },
		{ "ipv6/conf", "accept_ra", "0" },
	};
	struct wf_netlink_batch *batch;
	char alias[64];

	for (size_t i = 0; i < WF_ARRAY_LEN(settings); i++) {
		char path[96];
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s/%s", settings[i].tree, link->name,
			       settings[i].setting);
		r = wf_net_sysctl_set(path, settings[i].value, err);
		/* a kernel without IPv6 has no IPv6 settings */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	batch = wf_net_batch(net);
	wf_net_link_put_set(batch, link->ifindex, 0, 0);
	(void)snprintf(alias, sizeof(alias), ALIAS, link->vlan);
	wf_netlink_put_text(batch, IFLA_IFALIAS, alias);
	wf_net_link_put_no_autoconf(net, batch, link->mtu);
	/* while the parent is down it cannot be up; the kernel sets it up with the parent */
	wf_net_link_put_set(batch, link->ifindex, IFF_UP, IFF_UP);
	wf_netlink_batch_tolerate(batch, -ENETDOWN);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

/* The device of the VLAN as it is; -ENODEV: there is none, and its name is free. */
static int find(struct wf_net *net, const char *name, uint32_t parent_ifindex, uint16_t vlan,
		struct wf_net_link *ret_link, char names[256], struct wf_err *err)
{
	int r = wf_net_link_find(net, name, 0, ret_link, names, err);
	const bool is_taken = r == 0;

	if ((r < 0 && r != -ENODEV) || (is_taken && is_it(ret_link, parent_ifindex, vlan)))
		return r;
	r = find_other(net, parent_ifindex, vlan, ret_link, names, err);
	return r == -ENODEV && is_taken
		       ? wf_fail(err, -EEXIST,
				 "interface %s exists already and is not VLAN %u of that parent; "
				 "rename or delete it",
				 name, vlan)
		       : r;
}

int wf_net_vlan_ensure(struct wf_net *net, uint32_t parent_ifindex, uint16_t vlan,
		       struct wf_net_link *ret_link, char names[256], bool *ret_created,
		       struct wf_err *err)
{
	bool is_created = false;
	char name[16];
	int r = wf_net_link_find(net, NULL, parent_ifindex, ret_link, names, err);

	if (r < 0)
		return r;
	choose_name(ret_link, vlan, name);
	r = find(net, name, parent_ifindex, vlan, ret_link, names, err);
	if (r == -ENODEV) {
		r = create(net, name, parent_ifindex, vlan, err);
		is_created = r == 0;
		if (r == 0)
			r = wf_net_link_find(net, name, 0, ret_link, names, err);
	}
	if (r == 0 && ret_link->group == WF_NET_GROUP_VLAN && (!ret_link->up || !*ret_link->alias))
		r = set_up(net, ret_link, err);
	if (r < 0 && is_created)
		(void)wf_net_link_del(net, ret_link->ifindex, NULL);
	if (r == 0)
		*ret_created = is_created;
	return r;
}
