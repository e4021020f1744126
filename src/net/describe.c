/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says in words what a request was meant to do, read back from the request itself: builders
 * need not keep texts for the one in a thousand that fails.
 */
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "net/net_priv.h"

static void describe_link(const struct nlmsghdr *request, const char *verb, char *buf)
{
	const struct nlattr *table[IFLA_IFNAME + 1];
	const struct ifinfomsg *header = wf_netlink_header(request, sizeof(*header));
	const char *name;

	if (!header)
		return;
	wf_netlink_attrs(request, sizeof(*header), table, IFLA_IFNAME);
	name = wf_netlink_text(table[IFLA_IFNAME]);
	if (name[0])
		(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s interface %s", verb, name);
	else
		(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s interface with index %d", verb,
			       header->ifi_index);
}

static void describe_addr(const struct nlmsghdr *request, const char *verb, char *buf)
{
	const struct ifaddrmsg *header = wf_netlink_header(request, sizeof(*header));
	const struct nlattr *table[IFA_LOCAL + 1];
	struct wf_prefix prefix;
	char text[WF_ADDR_TEXT];
	const void *bytes;

	if (!header)
		return;
	wf_netlink_attrs(request, sizeof(*header), table, IFA_LOCAL);
	bytes = wf_netlink_bytes(table[IFA_LOCAL], header->ifa_family == AF_INET ? 4 : 16);
	if (!bytes)
		return;
	prefix.addr = wf_addr_from_bytes(header->ifa_family, bytes);
	prefix.len = header->ifa_prefixlen;
	(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s address %s", verb,
		       wf_prefix_format(&prefix, text));
}

static void describe_route(const struct nlmsghdr *request, const char *verb, char *buf)
{
	static const uint8_t zero[16];
	const struct rtmsg *header = wf_netlink_header(request, sizeof(*header));
	const struct nlattr *table[RTA_GATEWAY + 1];
	char text[WF_ADDR_TEXT], via_text[WF_ADDR_TEXT] = "";
	const void *to, *via;
	struct wf_prefix prefix;
	struct wf_addr gateway;
	size_t size;

	if (!header)
		return;
	size = header->rtm_family == AF_INET ? 4 : 16;
	wf_netlink_attrs(request, sizeof(*header), table, RTA_GATEWAY);
	to = wf_netlink_bytes(table[RTA_DST], size);
	via = wf_netlink_bytes(table[RTA_GATEWAY], size);
	prefix.addr = wf_addr_from_bytes(header->rtm_family, to ? to : zero);
	prefix.len = header->rtm_dst_len;
	if (via) {
		gateway = wf_addr_from_bytes(header->rtm_family, via);
		(void)wf_addr_format(&gateway, via_text);
	}
	(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s route %s%s%s", verb,
		       wf_prefix_format(&prefix, text), via ? " via " : "", via_text);
}

static void describe_neigh(const struct nlmsghdr *request, const char *verb, char *buf)
{
	const struct ndmsg *header = wf_netlink_header(request, sizeof(*header));
	const struct nlattr *table[NDA_DST + 1];
	struct wf_addr addr;
	char text[WF_ADDR_TEXT];
	const void *bytes;

	if (!header)
		return;
	wf_netlink_attrs(request, sizeof(*header), table, NDA_DST);
	bytes = wf_netlink_bytes(table[NDA_DST], header->ndm_family == AF_INET ? 4 : 16);
	if (!bytes)
		return;
	addr = wf_addr_from_bytes(header->ndm_family, bytes);
	(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s neighbour %s", verb,
		       wf_addr_format(&addr, text));
}

static void describe_tc(const struct nlmsghdr *request, const char *what, char *buf)
{
	const struct tcmsg *header = wf_netlink_header(request, sizeof(*header));

	if (!header)
		return;
	if (header->tcm_ifindex == (int)TCM_IFINDEX_MAGIC_BLOCK)
		(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s of tc block %#x", what,
			       header->tcm_parent);
	else
		(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "cannot %s of interface with index %d",
			       what, header->tcm_ifindex);
}

char *wf_net_describe(const struct nlmsghdr *request, char *buf)
{
	(void)snprintf(buf, WF_NET_DESCRIBE_TEXT, "netlink request %u", request->nlmsg_type);
	switch (request->nlmsg_type) {
	case RTM_NEWLINK: describe_link(request, "create", buf); break;
	case RTM_SETLINK: describe_link(request, "change", buf); break;
	case RTM_DELLINK: describe_link(request, "delete", buf); break;
	case RTM_GETLINK: describe_link(request, "find", buf); break;
	case RTM_NEWADDR: describe_addr(request, "set", buf); break;
	case RTM_DELADDR: describe_addr(request, "remove", buf); break;
	case RTM_NEWROUTE: describe_route(request, "set", buf); break;
	case RTM_DELROUTE: describe_route(request, "remove", buf); break;
	case RTM_NEWQDISC: describe_tc(request, "attach the clsact qdisc", buf); break;
	case RTM_NEWTFILTER: describe_tc(request, "set the program", buf); break;
	case RTM_NEWNEIGH: describe_neigh(request, "set", buf); break;
	case RTM_DELNEIGH: describe_neigh(request, "remove", buf); break;
	case RTM_DELQDISC: describe_tc(request, "remove the qdisc", buf); break;
	case RTM_DELTFILTER: describe_tc(request, "remove a filter", buf); break;
	default: break;
	}
	return buf;
}
