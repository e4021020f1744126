/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of a CNI ADD: a bare program that makes only the netlink calls that no plugin can do
 * without (a veth pair with one end in the namespace, an address, both ends up, a default route)
 * and ends. Built static, it is what a runtime would have to start if a daemon, an address pool
 * and a policy did not exist; ADD is measured against it. It shares no code with weft.
 *
 *   nlfloor NETNS IFNAME ADDRESS/LEN GATEWAY
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Requests of one send, built by hand. */
static unsigned char buffer[4096] __attribute__((aligned(8)));
static size_t used;
static struct nlmsghdr *message;

static void die(const char *what, int code)
{
	(void)fprintf(stderr, "nlfloor: %s: %s\n", what, strerror(code));
	exit(1);
}

static void *take(size_t bytes)
{
	void *at = buffer + used;

	used += NLMSG_ALIGN(bytes);
	if (used > sizeof(buffer))
		die("request", EMSGSIZE);
	message->nlmsg_len = (uint32_t)(buffer + used - (unsigned char *)message);
	return at;
}

static void begin(uint16_t type, uint16_t flags, const void *header, size_t bytes)
{
	message = (struct nlmsghdr *)(void *)(buffer + used);
	(void)take(sizeof(*message));
	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	memcpy(take(bytes), header, bytes);
}

static struct nlattr *put(uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *attribute = take(sizeof(*attribute) + len);

	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)(sizeof(*attribute) + len);
	if (len)
		memcpy(attribute + 1, bytes, len);
	return attribute;
}

static void close_nest(struct nlattr *nest)
{
	nest->nla_len = (uint16_t)(buffer + used - (unsigned char *)nest);
}

/* Sends what was built; the last message asks for the acknowledgement. Returns IFLA_LINK seen. */
static int commit(int fd, const char *what)
{
	unsigned char answer[8192] __attribute__((aligned(8)));
	int peer = 0;

	message->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, buffer, used, 0) < 0)
		die(what, errno);
	for (;;) {
		ssize_t got = recv(fd, answer, sizeof(answer), 0);
		const struct nlmsghdr *header = (const void *)answer;
		const struct nlmsgerr *error = NLMSG_DATA(header);

		if (got < (ssize_t)sizeof(*header))
			die(what, got < 0 ? errno : EBADMSG);
		if (header->nlmsg_type == NLMSG_ERROR) {
			if (error->error)
				die(what, -error->error);
			used = 0;
			memset(buffer, 0, sizeof(buffer));
			return peer;
		}
		for (size_t at = 32; at + 4 <= (size_t)got;) {
			const struct nlattr *attribute = (const void *)(answer + at);

			if (attribute->nla_type == IFLA_LINK)
				memcpy(&peer, attribute + 1, sizeof(peer));
			at += attribute->nla_len ? NLA_ALIGN(attribute->nla_len) : sizeof(answer);
		}
	}
}

static void put_up(int ifindex)
{
	struct ifinfomsg link = { .ifi_index = ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	begin(RTM_SETLINK, 0, &link, sizeof(link));
}

/* The pair, host side up; returns the inner side's index. */
static int make_pair(int netns, const char *ifname)
{
	static const struct ifinfomsg peer_link;
	const struct ifinfomsg link = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct nlattr *info, *data, *peer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int ifindex;

	if (fd < 0)
		die("socket", errno);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO, &link, sizeof(link));
	info = put(IFLA_LINKINFO, NULL, 0);
	(void)put(IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, 0);
	memcpy(take(sizeof(peer_link)), &peer_link, sizeof(peer_link));
	(void)put(IFLA_IFNAME, ifname, strlen(ifname) + 1);
	(void)put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	close_nest(peer);
	close_nest(data);
	close_nest(info);
	ifindex = commit(fd, "veth");
	(void)close(fd);
	return ifindex;
}

static void configure(int ifindex, const struct in_addr *address, int len,
		      const struct in_addr *gateway)
{
	const struct ifaddrmsg addr = { .ifa_family = AF_INET,
					.ifa_prefixlen = (uint8_t)len,
					.ifa_index = (uint32_t)ifindex };
	const struct rtmsg route = { .rtm_family = AF_INET,
				     .rtm_table = RT_TABLE_MAIN,
				     .rtm_protocol = RTPROT_STATIC,
				     .rtm_scope = RT_SCOPE_UNIVERSE,
				     .rtm_type = RTN_UNICAST };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		die("socket", errno);
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &addr, sizeof(addr));
	(void)put(IFA_LOCAL, address, sizeof(*address));
	(void)put(IFA_ADDRESS, address, sizeof(*address));
	put_up(ifindex);
	begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof(route));
	(void)put(RTA_GATEWAY, gateway, sizeof(*gateway));
	(void)put(RTA_OIF, &ifindex, sizeof(ifindex));
	(void)commit(fd, "address and route");
	(void)close(fd);
}

int main(int argc, char **argv)
{
	struct in_addr address, gateway;
	char text[32];
	const char *slash;
	int netns, ifindex;

	if (argc != 5 || !(slash = strchr(argv[3], '/')) ||
	    (size_t)(slash - argv[3]) >= sizeof(text)) {
		(void)fprintf(stderr, "usage: nlfloor NETNS IFNAME ADDRESS/LEN GATEWAY\n");
		return 2;
	}
	(void)snprintf(text, sizeof(text), "%.*s", (int)(slash - argv[3]), argv[3]);
	if (inet_pton(AF_INET, text, &address) != 1 || inet_pton(AF_INET, argv[4], &gateway) != 1)
		die("address", EINVAL);
	netns = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		die(argv[1], errno);
	ifindex = make_pair(netns, argv[2]);
	if (setns(netns, CLONE_NEWNET) < 0)
		die("setns", errno);
	configure(ifindex, &address, (int)strtol(slash + 1, NULL, 10), &gateway);
	return 0;
}
