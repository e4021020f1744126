/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: reading, changing, deleting. */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Leaves counters out of answers about links: half of their bytes. */
#define FILTER_SKIP_STATS (1 << 3)
/* IF_OPER_UP of linux/if.h, which does not go together with net/if.h. */
#define OPERSTATE_UP 6
/* Below it the kernel keeps IPv6 off a device. */
#define IP6_MIN_MTU 1280

bool wf_net_link_parse(const struct nlmsghdr *message, struct wf_net_link *ret_link)
{
	const struct ifinfomsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[IFLA_LINK_NETNSID + 1], *info[IFLA_INFO_DATA + 1];
	const void *mac;

	if (!header || header->ifi_family != AF_UNSPEC)
		return false;
	wf_netlink_attrs(message, sizeof(*header), table, IFLA_LINK_NETNSID);
	wf_netlink_nested(table[IFLA_LINKINFO], info, IFLA_INFO_DATA);
	*ret_link = (struct wf_net_link){
		.ifindex = (uint32_t)header->ifi_index,
		.name = wf_netlink_text(table[IFLA_IFNAME]),
		.kind = wf_netlink_text(info[IFLA_INFO_KIND]),
		.alias = wf_netlink_text(table[IFLA_IFALIAS]),
		.group = wf_netlink_u32(table[IFLA_GROUP], 0),
		.mtu = wf_netlink_u32(table[IFLA_MTU], 0),
		.parent = wf_netlink_u32(table[IFLA_LINK], 0),
		.master = wf_netlink_u32(table[IFLA_MASTER], 0),
		.hardware = header->ifi_type,
		.peer_nsid = (int32_t)wf_netlink_u32(table[IFLA_LINK_NETNSID], UINT32_MAX),
		.up = header->ifi_flags & IFF_UP,
		.is_operational = wf_netlink_u8(table[IFLA_OPERSTATE], 0) == OPERSTATE_UP,
	};
	if (ret_link->group - WF_NET_GROUP_DEAD < WF_NET_DEAD_GROUPS)
		ret_link->group = WF_NET_GROUP_DEAD;
	if (strcmp(ret_link->kind, "vlan") == 0)
		ret_link->vlan = wf_net_vlan_of(info[IFLA_INFO_DATA]);
	mac = wf_netlink_bytes(table[IFLA_ADDRESS], sizeof(ret_link->mac));
	if (mac && wf_netlink_len(table[IFLA_ADDRESS]) == sizeof(ret_link->mac))
		memcpy(ret_link->mac.bytes, mac, sizeof(ret_link->mac));
	return true;
}

void wf_net_link_put_set(struct wf_netlink_batch *batch, uint32_t ifindex, unsigned int flags,
			 unsigned int change)
{
	const struct ifinfomsg header = {
		.ifi_index = (int)ifindex,
		.ifi_flags = flags,
		.ifi_change = change,
	};

	wf_netlink_batch_begin(batch, RTM_SETLINK, 0, &header, sizeof(header));
}

void wf_net_link_put_limits(struct wf_netlink_batch *batch, const struct wf_mac *mac, uint32_t mtu,
			    uint32_t gso_max_bytes)
{
	if (!wf_mac_is_zero(mac))
		wf_netlink_put(batch, IFLA_ADDRESS, mac->bytes, sizeof(mac->bytes));
	if (mtu)
		wf_netlink_put_u32(batch, IFLA_MTU, mtu);
	if (!gso_max_bytes)
		return;
	wf_netlink_put_u32(batch, WF_IFLA_GSO_MAX_SIZE, gso_max_bytes);
	wf_netlink_put_u32(batch, WF_IFLA_GRO_MAX_SIZE, gso_max_bytes);
	wf_netlink_put_u32(batch, WF_IFLA_GSO_IPV4_MAX_SIZE, gso_max_bytes);
	wf_netlink_put_u32(batch, WF_IFLA_GRO_IPV4_MAX_SIZE, gso_max_bytes);
}

void wf_net_link_put_no_autoconf(const struct wf_net *net, struct wf_netlink_batch *batch,
				 uint32_t mtu)
{
	wf_netlink_nest spec, inet6;

	if (!net->has_ip6 || (mtu && mtu < IP6_MIN_MTU))
		return;
	spec = wf_netlink_nest_begin(batch, IFLA_AF_SPEC);
	inet6 = wf_netlink_nest_begin(batch, AF_INET6);
	wf_netlink_put_u8(batch, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	wf_netlink_nest_end(batch, inet6);
	wf_netlink_nest_end(batch, spec);
}

/* Copies a string behind another one; what does not fit is cut. */
static const char *keep(const char *text, char **at, size_t *room)
{
	const char *kept = *at;
	size_t len = strnlen(text, *room - 1);

	memcpy(*at, text, len);
	(*at)[len] = '\0';
	/* the last byte stays a terminator for whatever comes after */
	*at += len + 1 < *room ? len + 1 : len;
	*room -= len + 1 < *room ? len + 1 : len;
	return kept;
}

struct found {
	struct wf_net_link *link;
	char *names; /* 256 bytes */
	bool is_found;
};

static void take_link(const struct nlmsghdr *message, void *context)
{
	struct found *found = context;
	struct wf_net_link link;
	size_t room = 256;
	char *at = found->names;

	if (message->nlmsg_type != RTM_NEWLINK || !wf_net_link_parse(message, &link))
		return;
	link.name = keep(link.name, &at, &room);
	link.kind = keep(link.kind, &at, &room);
	link.alias = keep(link.alias, &at, &room);
	*found->link = link;
	found->is_found = true;
}

int wf_net_link_get(
	struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch, const char *name,
	uint32_t ifindex, struct wf_net_link *ret_link,
	char names[256], /* NOLINT(readability-non-const-parameter): written through found */
	struct wf_err *err)
{
	const struct ifinfomsg header = { .ifi_index = name ? 0 : (int)ifindex };
	struct found found = { .link = ret_link, .names = names };
	int r;

	wf_netlink_batch_clear(batch);
	wf_netlink_batch_begin(batch, RTM_GETLINK, 0, &header, sizeof(header));
	if (name)
		wf_netlink_put_text(batch, IFLA_IFNAME, name);
	wf_netlink_put_u32(batch, IFLA_EXT_MASK, FILTER_SKIP_STATS);
	r = wf_netlink_transact(netlink, batch, take_link, &found, NULL, err);
	if (r == -ENODEV && name)
		return wf_fail(err, r, "there is no interface %s", name);
	if (r == -ENODEV)
		return wf_fail(err, r, "there is no interface with index %u", ifindex);
	if (r == 0 && !found.is_found)
		return wf_fail(err, -EBADMSG, "the kernel's answer about a link is malformed");
	return r;
}

int wf_net_link_find(struct wf_net *net, const char *name, uint32_t ifindex,
		     struct wf_net_link *ret_link, char names[256], struct wf_err *err)
{
	return wf_net_link_get(&net->socket, wf_net_batch(net), name, ifindex, ret_link, names,
			       err);
}

struct link_visit {
	wf_net_link_fn visit;
	void *context;
};

static void pass_link(const struct nlmsghdr *message, void *context)
{
	const struct link_visit *to = context;
	struct wf_net_link link;

	if (message->nlmsg_type == RTM_NEWLINK && wf_net_link_parse(message, &link))
		to->visit(&link, to->context);
}

int wf_net_link_dump(struct wf_net *net, wf_net_link_fn visit, void *context, struct wf_err *err)
{
	struct link_visit to = { .visit = visit, .context = context };
	struct wf_netlink_batch *batch = wf_net_batch(net);
	const struct ifinfomsg header = { 0 };
	int r;

	wf_netlink_batch_begin(batch, RTM_GETLINK, 0, &header, sizeof(header));
	wf_netlink_put_u32(batch, IFLA_EXT_MASK, FILTER_SKIP_STATS);
	r = wf_netlink_dump(&net->socket, batch, pass_link, &to, err);
	return r < 0 ? wf_wrap(err, r, "cannot list interfaces") : 0;
}

int wf_net_link_del(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	const struct ifinfomsg header = { .ifi_index = (int)ifindex };
	struct wf_netlink_batch *batch = wf_net_batch(net);

	if (!ifindex)
		return wf_fail(err, -EINVAL, "interface index 0");
	wf_netlink_batch_begin(batch, RTM_DELLINK, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENODEV);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_link_rename(struct wf_net *net, uint32_t ifindex, const char *name, struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int r;

	wf_net_link_put_set(batch, ifindex, 0, 0);
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r != -EBUSY)
		return r;
	/* before Linux 6.2 an interface had to be down for it */
	batch = wf_net_batch(net);
	wf_net_link_put_set(batch, ifindex, 0, IFF_UP);
	wf_net_link_put_set(batch, ifindex, 0, 0);
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}
