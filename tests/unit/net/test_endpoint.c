/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab.h"

/* IFLA_GSO_MAX_SIZE, IFLA_GRO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE */
static const uint16_t limits[] = { 41, 58, 63, 64 };

static void test_create_ip4(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid = -1;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.mtu = 1400;
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_true(nsid >= 0);
	lab_assert_has(box, "ip -d link show eth0", "mtu 1400");
	lab_assert_has(box, "ip -d link show eth0", "link/ether 02:00:00:01:00:01");
	lab_assert_has(box, "ip link show eth0", ",UP,LOWER_UP");
	lab_assert_has(box, "ip link show lo", "LOOPBACK,UP");
	lab_assert_has(box, "ip addr show eth0", "inet 10.9.0.2/24");
	lab_assert_has(box, "ip route", "default via 10.9.0.1 dev eth0 proto 119");
	lab_assert_has(-1, "ip -d link show wft1", "16777217: wft1@");
	lab_assert_has(-1, "ip -d link show wft1", "link/ether 02:00:00:02:00:01");
	lab_assert_has(-1, "ip -d link show wft1", "mtu 1400");
	lab_assert_has(-1, "ip -d link show wft1", "group 2003173377"); /* WF_NET_GROUP_LIVE */
	lab_assert_has(-1, "ip -d link show wft1", "alias box eth0");
	lab_assert_has(-1, "ip -d link show wft1", "addrgenmode none");
	lab_assert_has(-1, "ip -d link show wft1", "numtxqueues 1 numrxqueues 1");
	lab_assert_has(-1, "tc qdisc show dev wft1",
		       "clsact ffff: parent ffff:fff1 ingress_block 1592590337 "
		       "egress_block 1592590338");
	for (size_t i = 0; i < 4; i++) {
		if (!lab_knows_link_attr(limits[i]))
			continue;
		assert_int_equal(lab_link_attr(box, "eth0", limits[i]), 196608);
		assert_int_equal(lab_link_attr(-1, "wft1", limits[i]), 196608);
	}
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

/* A netkit pair is made like any other; to a check it is as good as veth. */
static void test_netkit(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), r;
	struct lab_endpoint e;
	int32_t nsid = -1;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	e.endpoint.is_netkit = true;
	r = wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err);
	if (r == -EOPNOTSUPP) {
		assert_non_null(strstr(lab->err.message, "netkit"));
		(void)close(box);
		skip();
	}
	lab_ok(lab, r);
	assert_true(nsid >= 0);
	lab_assert_has(box, "ip -d link show eth0", "mtu 1500");
	lab_assert_has(box, "ip -d link show eth0", "link/ether 02:00:00:01:00:01");
	lab_assert_has(box, "ip link show eth0", ",UP,LOWER_UP");
	lab_assert_lacks(box, "ip link show eth0", "NOARP");
	lab_assert_has(-1, "ip -d link show wft1", "16777217: wft1@");
	lab_assert_has(-1, "ip -d link show wft1", "link/ether 02:00:00:02:00:01");
	lab_assert_has(-1, "tc qdisc show dev wft1", "ingress_block 1592590337");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	e.endpoint.is_netkit = false;
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

/* Enough for the kernel's workers to be late once. */
#define SPEEDY_ENDPOINTS 40

/* The host side has no IPv6 address, not even after the link has come up for good. */
static void test_host_side_has_no_ip6(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	for (int i = 0; i < 50 && !strstr(lab_run(box, "ip -6 addr show eth0"), "fe80"); i++)
		(void)usleep(20000);
	lab_assert_has(box, "ip -6 addr show eth0", "fe80");
	lab_assert_lacks(-1, "ip -6 addr show wft1", "inet6");
	(void)close(box);
	/* nor has the inside when the endpoint has none */
	box = lab_container();
	lab_endpoint_init(&e, box, 2, "10.9.0.3/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	(void)usleep(300000);
	lab_assert_lacks(box, "ip -6 addr show eth0", "inet6");
	(void)close(box);
}

/* Binds a datagram socket to an IPv6 address inside: possible only when it is not tentative. */
static int bind_inside(int box, const char *address)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct wf_addr addr = lab_addr(address);
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd, r;

	memcpy(&to.sin6_addr, addr.bytes, 16);
	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	r = bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	(void)close(fd);
	(void)close(home);
	return r;
}

/* Below 1280 bytes the kernel keeps IPv6 off a device altogether. */
static void test_mtu_too_small_for_ip6(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.mtu = 1000;
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	lab_ok(lab, wf_net_host_side_repair(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

static void test_ip6_is_usable_at_once(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, NULL, "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_int_equal(bind_inside(box, "fd09::2"), 0);
	/* the control: an address with duplicate detection is not usable at once */
	(void)lab_run(box, "ip addr add fd09::99/64 dev eth0");
	assert_int_equal(bind_inside(box, "fd09::99"), -EADDRNOTAVAIL);
	lab_assert_has(box, "ip -6 route", "default via fd09::1 dev eth0 proto 119");
	lab_assert_has(box, "ip -6 route", "fd09::/64 dev eth0");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

/* Whether a datagram that a namespace sends to an address of its own comes to it. */
static bool hears_itself(int box, const char *address)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	const struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	const struct wf_addr addr = lab_addr(address);
	char byte = 'x';
	bool heard;
	int fd;

	memcpy(&to.sin6_addr, addr.bytes, sizeof(to.sin6_addr));
	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lab_go_home();
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof(any)), 0);
	heard = sendto(fd, &byte, 1, 0, (const struct sockaddr *)&to, sizeof(to)) == 1 &&
		recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
	(void)close(fd);
	return heard;
}

/* The kernel begins to receive for an IPv6 address a little after it was set. */
static void test_ip6_is_received_at_once(void **state)
{
	struct lab *lab = *state;

	for (uint32_t slot = 1; slot <= SPEEDY_ENDPOINTS; slot++) {
		int box = lab_container();
		struct lab_endpoint e;
		int32_t nsid;

		lab_endpoint_init(&e, box, slot, NULL, "fd09::2/64");
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		assert_true(hears_itself(box, "fd09::2"));
		/* the control: an address that nobody has */
		assert_false(hears_itself(box, "fd09::3"));
		(void)close(box);
	}
}

/* Messages about devices and IPv4 addresses inside a namespace, from now on. */
static int listen_inside(int box)
{
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR };
	int fd;

	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	lab_go_home();
	assert_int_equal(bind(fd, (struct sockaddr *)&groups, sizeof(groups)), 0);
	return fd;
}

/*
 * The routes of an address that is there when its interface comes up may fail, silently. IPv4 tells
 * the order; of IPv6 addresses the kernel says nothing before the interface is up.
 */
static void test_up_before_addresses(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), events = listen_inside(box);
	bool is_up = false, has_address = false;
	struct lab_endpoint e;
	char buffer[16384] __attribute__((aligned(8)));
	int32_t nsid;
	ssize_t got;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	while ((got = recv(events, buffer, sizeof(buffer), 0)) > 0) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
		const struct ifinfomsg *link = NLMSG_DATA(message);
		const struct ifaddrmsg *addr = NLMSG_DATA(message);

		if (message->nlmsg_type == RTM_NEWLINK && link->ifi_index != 1)
			is_up = is_up || link->ifi_flags & IFF_UP;
		if (message->nlmsg_type != RTM_NEWADDR || addr->ifa_index == 1)
			continue;
		assert_true(is_up);
		has_address = true;
	}
	assert_true(is_up && has_address);
	(void)close(events);
	(void)close(box);
}

static void note_operational(const struct wf_net_link *link, void *context)
{
	if (link->ifindex == LAB_SLOT(1))
		*(bool *)context = link->is_operational;
}

/* Seen in a list: being asked about a single device would make the kernel see to it now. */
static void test_host_side_sends_at_once(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 100; i++) {
		int box = lab_container();
		bool is_operational = false;
		struct lab_endpoint e;
		int32_t nsid;

		lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		lab_ok(lab,
		       wf_net_link_dump(lab->net, note_operational, &is_operational, &lab->err));
		assert_true(is_operational);
		lab_ok(lab, wf_net_link_del(lab->net, LAB_SLOT(1), &lab->err));
		(void)close(box);
	}
}

static void test_dual_stack(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	lab_assert_has(box, "ip addr show eth0", "inet 10.9.0.2/24");
	lab_assert_has(box, "ip addr show eth0", "inet6 fd09::2/64");
	lab_assert_has(box, "ip route", "default via 10.9.0.1");
	lab_assert_has(box, "ip -6 route", "default via fd09::1");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

/* Docker turns IPv6 off in the namespaces it makes. */
static void test_ip6_disabled_by_runtime(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	(void)lab_run(box, "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	assert_int_equal(bind_inside(box, "fd09::2"), 0);
	(void)close(box);
}

static void test_ifname_taken(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid = 77;

	(void)lab_run(box, "ip link add eth0 type veth peer name other");
	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -EEXIST);
	assert_non_null(strstr(lab->err.message, "interface eth0 exists already in "));
	assert_int_equal(nsid, 77);
	lab_assert_lacks(-1, "ip link", "wft1");
	lab_assert_has(box, "ip link", "eth0@other");
	(void)close(box);
}

static void test_host_name_or_index_taken(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	(void)lab_run(-1, "ip link add wft1 type veth peer name other");
	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -EBUSY);
	assert_non_null(strstr(lab->err.message, "wft1 exists already on the host"));
	lab_assert_lacks(box, "ip link", "eth0");
	(void)lab_run(-1, "ip link del wft1; ip link add foreign index 16777217 type veth");
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -EBUSY);
	assert_non_null(strstr(lab->err.message, "taken by foreign"));
	lab_assert_has(-1, "ip link", "foreign");
	lab_assert_lacks(box, "ip link", "eth0");
	lab_assert_lacks(-1, "tc qdisc show dev foreign", "clsact");
	(void)close(box);
}

/* Whatever step fails, neither side keeps anything. */
static void test_failure_leaves_nothing(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.routes[0].via = lab_addr("192.168.77.1");
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err),
			 -ENETUNREACH);
	assert_non_null(strstr(lab->err.message, "cannot set route 0.0.0.0/0 via 192.168.77.1"));
	assert_non_null(strstr(lab->err.message, "Nexthop has invalid gateway"));
	lab_assert_lacks(-1, "ip link", "wft1");
	lab_assert_lacks(box, "ip link", "eth0");

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.mtu = 17;
	assert_true(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err) < 0);
	lab_assert_lacks(-1, "ip link", "wft1");

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.ingress_block = e.endpoint.egress_block; /* refused by the kernel? then clean */
	if (wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err) < 0)
		lab_assert_lacks(-1, "ip link", "wft1");
	else
		lab_ok(lab, wf_net_link_del(lab->net, LAB_SLOT(1), &lab->err));

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.routes[0].via = lab_addr("fd09::1");
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err),
			 -EAFNOSUPPORT);
	lab_assert_lacks(-1, "ip link", "wft1");
	lab_assert_lacks(box, "ip link", "eth0");

	/* the probe sees an endpoint that does succeed */
	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	lab_assert_has(-1, "ip link", "wft1");
	lab_assert_has(box, "ip link", "eth0");
	(void)close(box);
}

/* Each of what others can do to a host side, and all of it together. */
static void test_host_side_repair(void **state)
{
	static const char *const damages[] = {
		"ip link set wft1 down",
		"ip link set wft1 group default",
		"ip link set wft1 alias ''",
		"ip link set wft1 mtu 1300",
		"ip link set wft1 down; ip link set wft1 name other; ip link set other up",
		"tc qdisc del dev wft1 clsact",
		"tc qdisc del dev wft1 clsact; tc qdisc add dev wft1 clsact",
		"tc qdisc del dev wft1 clsact; tc qdisc add dev wft1 ingress",
		"tc qdisc del dev wft1 clsact; ip link set wft1 down; "
		"ip link set wft1 name other group 7 mtu 999",
	};
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;
	char before[4096];

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	assert_int_equal(wf_net_host_side_repair(lab->net, &e.endpoint, &lab->err), -ENODEV);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	(void)snprintf(before, sizeof(before), "%s",
		       lab_run(-1, "ip -d link show dev wft1 2>/dev/null; tc qdisc show dev wft1"));
	assert_non_null(strstr(before, "ingress_block 1592590337 egress_block 1592590338"));
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		assert_string_equal(lab_run(-1, "%s", damages[i]), "");
		assert_string_not_equal(
			lab_run(-1, "ip -d link show dev wft1 2>/dev/null; tc qdisc show dev wft1"),
			before);
		lab_ok(lab, wf_net_host_side_repair(lab->net, &e.endpoint, &lab->err));
		assert_string_equal(
			lab_run(-1, "ip -d link show dev wft1 2>/dev/null; tc qdisc show dev wft1"),
			before);
	}
	(void)close(box);
}

static void test_loopback_only(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid = -1;

	lab_endpoint_init(&e, box, 1, NULL, NULL);
	e.endpoint.kind = WF_NET_KIND_LOOPBACK_ONLY;
	lab_assert_lacks(box, "ip link show lo", "LOOPBACK,UP");
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ESTALE);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_true(nsid >= 0);
	lab_assert_has(box, "ip link show lo", "LOOPBACK,UP");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)lab_run(box, "ip link set lo down");
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ESTALE);
	lab_assert_lacks(-1, "ip link", "wft1");
	(void)close(box);
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Two hundred, as fast as they go; prints what one costs, and one group delete of them all. */
static void test_two_hundred(void **state)
{
	enum {
		COUNT = 200
	};
	static uint64_t create_ns[COUNT], bury_ns[COUNT];
	struct lab *lab = *state;
	uint64_t start;
	int boxes[COUNT];
	struct lab_endpoint e;
	int32_t nsid;

	/* as on a node: the pair holds the blocks and their filters */
	uint32_t ifindex;
	bool created;
	int program = lab_program();

	lab_ok(lab, wf_net_host_ensure(lab->net, 1500, 0, 0x5eed0001, 0x5eed0002, &ifindex,
				       &created, &lab->err));
	lab_ok(lab, wf_net_block_set(lab->net, 0x5eed0001, program, "weft", &lab->err));
	lab_ok(lab, wf_net_block_set(lab->net, 0x5eed0002, program, "weft", &lab->err));
	for (uint32_t i = 0; i < COUNT; i++) {
		boxes[i] = lab_container();
		lab_endpoint_init(&e, boxes[i], i + 1, "10.9.0.2/24", NULL);
		start = wf_clock_monotonic_ns();
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		create_ns[i] = wf_clock_monotonic_ns() - start;
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		start = wf_clock_monotonic_ns();
		assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(i + 1)), 0);
		bury_ns[i] = wf_clock_monotonic_ns() - start;
	}
	start = wf_clock_monotonic_ns();
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	start = wf_clock_monotonic_ns() - start;
	lab_assert_lacks(-1, "ip link", "wft");
	for (int i = 0; i < COUNT; i++)
		(void)close(boxes[i]);
	(void)close(program);
	qsort(create_ns, COUNT, sizeof(create_ns[0]), compare_u64);
	qsort(bury_ns, COUNT, sizeof(bury_ns[0]), compare_u64);
	print_message("create: median %llu us, p99 %llu us; bury: median %llu us, p99 %llu us; "
		      "flush: %llu us\n",
		      (unsigned long long)create_ns[COUNT / 2] / 1000,
		      (unsigned long long)create_ns[COUNT - 3] / 1000,
		      (unsigned long long)bury_ns[COUNT / 2] / 1000,
		      (unsigned long long)bury_ns[COUNT - 3] / 1000,
		      (unsigned long long)start / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create_ip4, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_netkit, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_side_has_no_ip6, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ip6_is_received_at_once, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_mtu_too_small_for_ip6, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_ip6_is_usable_at_once, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_up_before_addresses, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_side_sends_at_once, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_dual_stack, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ip6_disabled_by_runtime, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_ifname_taken, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_name_or_index_taken, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_failure_leaves_nothing, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_side_repair, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_loopback_only, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_two_hundred, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
