/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others do to links, qdiscs, filters, routes, addresses and namespaces. Most notifications
 * are about things coming into being (weft's own included) and interest nobody; a filter on the
 * socket drops most of them in the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/net_namespace.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* A limit, not a reservation: room for the burst of a thousand endpoints coming or going. */
#define RECEIVE_BYTES (8 << 20)
/* Largest notification: a link with everything. */
#define MESSAGE_BYTES 16384

static int subscribe(int fd)
{
	static const int groups[] = {
		RTNLGRP_LINK,        RTNLGRP_TC,          RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NSID,
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(groups); i++)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

/* Classic BPF reads numbers in network byte order, the message has the host's. */
#define PASS_TYPE(type, remaining) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(type), (remaining) + 4, 0)

/* Of new routes only those that replace another: a router learns thousands. */
static int filter(int fd)
{
	static struct sock_filter program[15];
	const struct sock_fprog fprog = { .len = WF_ARRAY_LEN(program), .filter = program };
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		PASS_TYPE(RTM_NEWLINK, 8),
		PASS_TYPE(RTM_DELLINK, 7),
		PASS_TYPE(RTM_NEWADDR, 6),
		PASS_TYPE(RTM_DELADDR, 5),
		PASS_TYPE(RTM_DELROUTE, 4),
		PASS_TYPE(RTM_DELQDISC, 3),
		PASS_TYPE(RTM_NEWTFILTER, 2),
		PASS_TYPE(RTM_DELTFILTER, 1),
		PASS_TYPE(RTM_DELNSID, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_flags)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	_Static_assert(sizeof(code) == sizeof(program), "one size");
	memcpy(program, code, sizeof(program));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof(fprog)) < 0)
		return -errno;
	return 0;
}

int wf_net_monitor_open(int *ret_fd, struct wf_err *err)
{
	static const struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	static const int bytes = RECEIVE_BYTES;
	_cleanup_close_ int fd = -1;
	int r;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot open a netlink socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	r = filter(fd);
	/* a socket without an address of its own hears nothing */
	if (r == 0 && bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0)
		r = -errno;
	if (r == 0)
		r = subscribe(fd);
	if (r < 0)
		return wf_fail(err, r, "cannot subscribe to netlink events: %s", strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int wf_net_event_fd(const struct wf_net *net)
{
	return net->event_fd;
}

static bool parse_link(const struct nlmsghdr *message, struct wf_net_event *event)
{
	struct wf_net_link link;

	/* bridges tell of their ports in the same group, with a family of their own */
	if (!wf_net_link_parse(message, &link))
		return false;
	event->type = message->nlmsg_type == RTM_DELLINK ? WF_NET_EVENT_LINK_DEL
							 : WF_NET_EVENT_LINK_CHANGE;
	event->ifindex = link.ifindex;
	event->link = link;
	return true;
}

static bool parse_tc(const struct nlmsghdr *message, struct wf_net_event *event)
{
	const struct tcmsg *header = wf_netlink_header(message, sizeof(*header));

	if (!header)
		return false;
	event->type = message->nlmsg_type == RTM_DELQDISC     ? WF_NET_EVENT_QDISC_DEL
		      : message->nlmsg_type == RTM_DELTFILTER ? WF_NET_EVENT_FILTER_DEL
							      : WF_NET_EVENT_FILTER_CHANGE;
	if (header->tcm_ifindex == (int)TCM_IFINDEX_MAGIC_BLOCK)
		event->block = header->tcm_parent; /* tcm_block_index */
	else
		event->ifindex = (uint32_t)header->tcm_ifindex;
	return true;
}

static bool parse_route(const struct nlmsghdr *message, struct wf_net_event *event)
{
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	struct wf_net_kernel_route route;

	if (!header || header->rtm_flags & RTM_F_CLONED || !wf_net_route_parse(message, &route))
		return false;
	event->type = message->nlmsg_type == RTM_DELROUTE ? WF_NET_EVENT_ROUTE_DEL
							  : WF_NET_EVENT_ROUTE_REPLACE;
	event->protocol = route.protocol;
	event->prefix = route.route.prefix;
	event->ifindex = route.route.ifindex;
	return true;
}

static bool parse_addr(const struct nlmsghdr *message, struct wf_net_event *event)
{
	const struct ifaddrmsg *header = wf_netlink_header(message, sizeof(*header));

	if (!header)
		return false;
	event->type =
		message->nlmsg_type == RTM_DELADDR ? WF_NET_EVENT_ADDR_DEL : WF_NET_EVENT_ADDR_NEW;
	event->ifindex = header->ifa_index;
	return true;
}

static bool parse_nsid(const struct nlmsghdr *message, struct wf_net_event *event)
{
	const struct nlattr *table[NETNSA_NSID + 1];

	wf_netlink_attrs(message, sizeof(struct rtgenmsg), table, NETNSA_NSID);
	event->type = WF_NET_EVENT_NSID_DEL;
	event->nsid = (int32_t)wf_netlink_u32(table[NETNSA_NSID], UINT32_MAX);
	return event->nsid >= 0;
}

static bool parse(const struct nlmsghdr *message, struct wf_net_event *event)
{
	*event = (struct wf_net_event){ .nsid = -1 };
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: return parse_link(message, event);
	case RTM_DELQDISC:
	case RTM_NEWTFILTER:
	case RTM_DELTFILTER: return parse_tc(message, event);
	case RTM_NEWROUTE:
	case RTM_DELROUTE: return parse_route(message, event);
	case RTM_NEWADDR:
	case RTM_DELADDR: return parse_addr(message, event);
	case RTM_DELNSID: return parse_nsid(message, event);
	default: return false;
	}
}

int wf_net_event_read(struct wf_net *net, wf_net_event_fn callback, void *context)
{
	unsigned char buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
	struct wf_netlink_cursor cursor;
	const struct nlmsghdr *message;
	struct wf_net_event event;

	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_bytes = sizeof(from);
		ssize_t got = recvfrom(net->event_fd, buffer, sizeof(buffer), MSG_TRUNC,
				       (struct sockaddr *)&from, &from_bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0 && errno != ENOBUFS)
			return -errno;
		if (got < 0 || got > (ssize_t)sizeof(buffer)) {
			event = (struct wf_net_event){ .type = WF_NET_EVENT_OVERRUN, .nsid = -1 };
			callback(&event, context);
			continue;
		}
		/* anybody may write to the socket; only the kernel is believed */
		if (from.nl_pid != 0)
			continue;
		cursor = (struct wf_netlink_cursor){ buffer, (size_t)got };
		while ((message = wf_netlink_next(&cursor)))
			if (parse(message, &event))
				callback(&event, context);
	}
}
