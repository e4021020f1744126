/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of VLANs on phys, whose other end (physp) is in a namespace of its own: the wire.
 * A kernel without VLANs says so; the suite of kernels boots some that have them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

#define TAG        42
#define TEST_FRAME 0x88b5 /* IEEE 802, for experiments */
#define WAIT_MS    10000

struct vlan {
	struct wf_net_link link;
	char names[256];
	bool is_created;
};

static int ensure(struct lab *lab, uint32_t parent, struct vlan *vlan)
{
	return wf_net_vlan_ensure(lab->net, parent, TAG, &vlan->link, vlan->names,
				  &vlan->is_created, &lab->err);
}

/* phys and the wire; leaves the test when the kernel has no VLANs. */
static uint32_t make_parent(struct lab *lab, int wire)
{
	uint32_t parent = lab_make_veth(lab, "phys", wire);
	struct vlan vlan;
	int r;

	(void)lab_run(-1, "ip link set phys up");
	if (wire >= 0)
		(void)lab_run(wire, "ip link set physp up");
	r = ensure(lab, parent, &vlan);
	if (r == -EOPNOTSUPP) {
		assert_string_equal(
			lab->err.message,
			"the kernel has no VLANs (module 8021q), or the parent takes none");
		lab_assert_lacks(-1, "ip link", "phys.42");
		skip();
	}
	lab_ok(lab, r);
	(void)lab_run(-1, "ip link del phys.42");
	return parent;
}

static void test_made(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	struct vlan vlan, again;

	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_true(vlan.is_created);
	assert_string_equal(vlan.link.name, "phys.42");
	assert_int_equal(vlan.link.vlan, TAG);
	assert_int_equal(vlan.link.parent, parent);
	assert_int_equal(vlan.link.group, WF_NET_GROUP_VLAN);
	lab_assert_has(-1, "ip -d link show phys.42", "vlan protocol 802.1Q id 42");
	lab_assert_has(-1, "ip link show phys.42", "weft: VLAN 42 for its networks");
	lab_assert_has(-1, "ip link show phys.42", ",UP");
	/* the host is no part of it */
	lab_assert_lacks(-1, "ip addr show phys.42", "inet");
	lab_assert_has(-1, "cat /proc/sys/net/ipv4/conf/phys.42/arp_ignore", "1");
	lab_assert_has(-1, "cat /proc/sys/net/ipv4/conf/phys.42/rp_filter", "1");
	lab_assert_has(-1, "cat /proc/sys/net/ipv6/conf/phys.42/accept_ra", "0");
	lab_ok(lab, ensure(lab, parent, &again));
	assert_false(again.is_created);
	assert_int_equal(again.link.ifindex, vlan.link.ifindex);
	/* what is set down comes up again */
	(void)lab_run(-1, "ip link set phys.42 down");
	lab_ok(lab, ensure(lab, parent, &again));
	assert_int_equal(again.link.ifindex, vlan.link.ifindex);
	lab_assert_has(-1, "ip link show phys.42", ",UP");
	lab_assert_lacks(-1, "ip addr show phys.42", "inet");
}

/* A socket for whole frames on a device inside a namespace; -1: the host's. */
static int packet_socket(int netns_fd, const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd, on = 1;

	if (netns_fd >= 0)
		assert_int_equal(setns(netns_fd, CLONE_NEWNET), 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex(device);
	lab_go_home();
	assert_true(fd >= 0 && at.sll_ifindex > 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	return fd;
}

static void send_frame(int fd, uint8_t number)
{
	uint8_t frame[60] = { 0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2 };

	frame[12] = TEST_FRAME >> 8;
	frame[13] = TEST_FRAME & 0xff;
	frame[14] = number;
	assert_int_equal(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

/* The next frame of the test: its number, and *ret_tag; 0: it has none. */
static int receive_frame(int fd, uint16_t *ret_tag)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (poll(&wait, 1, WAIT_MS) > 0) {
		uint8_t frame[2048];
		union {
			struct cmsghdr header;
			char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		} control;
		struct iovec part = { .iov_base = frame, .iov_len = sizeof(frame) };
		struct msghdr message = { .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };
		const struct cmsghdr *header;
		struct tpacket_auxdata aux;

		if (recvmsg(fd, &message, 0) < 15 || frame[12] != TEST_FRAME >> 8 ||
		    frame[13] != (TEST_FRAME & 0xff))
			continue;
		header = CMSG_FIRSTHDR(&message);
		assert_non_null(header);
		assert_int_equal(header->cmsg_type, PACKET_AUXDATA);
		memcpy(&aux, CMSG_DATA(header), sizeof(aux));
		*ret_tag = aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci & 0xfff : 0;
		return frame[14];
	}
	fail_msg("no frame came");
	return -1;
}

static void test_tag_on_the_wire(void **state)
{
	struct lab *lab = *state;
	int wire = lab_container(), at_wire, in_vlan, plain;
	uint32_t parent = make_parent(lab, wire);
	uint16_t tag = 0;
	struct vlan vlan;

	lab_ok(lab, ensure(lab, parent, &vlan));
	at_wire = packet_socket(wire, "physp");
	in_vlan = packet_socket(-1, "phys.42");
	plain = packet_socket(-1, "phys");
	send_frame(in_vlan, 1);
	assert_int_equal(receive_frame(at_wire, &tag), 1);
	assert_int_equal(tag, TAG);
	send_frame(plain, 2);
	assert_int_equal(receive_frame(at_wire, &tag), 2);
	assert_int_equal(tag, 0);
	(void)close(plain);
	(void)close(in_vlan);
	(void)close(at_wire);
	(void)close(wire);
}

/* Echo requests that the host has received. */
static unsigned long echoes(void)
{
	const char *text =
		lab_run(-1, "awk '/^Icmp:/ { if (at) print $at; for (i = 1; i <= NF; i++) "
			    "if ($i == \"InEchos\") at = i }' /proc/net/snmp");

	return strtoul(text, NULL, 10);
}

/* Who sends to the host's address by the VLAN does not get there, even if he knows the MAC. */
static void test_host_is_out(void **state)
{
	struct lab *lab = *state;
	int wire = lab_container();
	uint32_t parent = make_parent(lab, wire);
	char mac[WF_MAC_TEXT];
	unsigned long before;
	struct vlan vlan;

	lab_ok(lab, ensure(lab, parent, &vlan));
	(void)lab_run(-1, "ip addr add 10.8.0.1/24 dev phys; ip route add 10.9.0.0/24 dev phys; "
			  "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; "
			  "echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore");
	(void)lab_run(wire, "ip link add link physp name v type vlan id 42; ip link set v up; "
			    "ip addr add 10.9.0.2/24 dev v; ip route add 10.8.0.1 dev v");
	(void)lab_run(wire, "ip neigh replace 10.8.0.1 lladdr %s dev v",
		      wf_mac_format(&vlan.link.mac, mac));
	before = echoes();
	(void)lab_run(wire, "ping -c 1 -W 1 10.8.0.1");
	assert_int_equal(echoes(), before);
	(void)lab_run(-1, "echo 0 >/proc/sys/net/ipv4/conf/phys.42/rp_filter");
	(void)lab_run(wire, "ping -c 1 -W 1 10.8.0.1");
	assert_true(echoes() > before);
	/* nor is it told the MAC */
	(void)lab_run(wire, "ip neigh del 10.8.0.1 dev v; ping -c 1 -W 1 10.8.0.1");
	lab_assert_lacks(wire, "ip neigh show dev v", "lladdr");
	(void)lab_run(-1, "echo 0 >/proc/sys/net/ipv4/conf/phys.42/arp_ignore");
	(void)lab_run(wire, "ip neigh flush dev v; ping -c 1 -W 1 10.8.0.1");
	lab_assert_has(wire, "ip neigh show dev v", "lladdr");
	(void)close(wire);
}

/* What the host has is used as it is, by whatever name, and not touched. */
static void test_of_others(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	struct vlan vlan;

	(void)lab_run(-1, "ip link add link phys name mine type vlan id 42");
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_false(vlan.is_created);
	assert_string_equal(vlan.link.name, "mine");
	assert_int_equal(vlan.link.group, 0);
	assert_int_equal(vlan.link.vlan, TAG);
	lab_assert_lacks(-1, "ip link show mine", ",UP");
	lab_assert_lacks(-1, "ip link show mine", "weft");
	/* a name of weft's own choice is no claim either */
	(void)lab_run(-1, "ip link set mine name phys.42");
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_false(vlan.is_created);
	assert_int_equal(vlan.link.group, 0);
	lab_assert_lacks(-1, "ip link show phys.42", ",UP");
}

static void test_name_taken(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	struct vlan vlan;

	(void)lab_run(-1, "ip link add link phys name phys.42 type vlan id 43");
	assert_int_equal(ensure(lab, parent, &vlan), -EEXIST);
	assert_string_equal(lab->err.message, "interface phys.42 exists already and is not VLAN 42 "
					      "of that parent; rename or delete it");
	/* of another parent's */
	(void)lab_run(-1, "ip link del phys.42; ip link set physp up; "
			  "ip link add link physp name phys.42 type vlan id 42");
	assert_int_equal(ensure(lab, parent, &vlan), -EEXIST);
	/* nothing stands in the way when the VLAN has a device by another name */
	(void)lab_run(-1, "ip link add link phys name mine type vlan id 42");
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_string_equal(vlan.link.name, "mine");
	lab_assert_has(-1, "ip -d link show phys.42", "phys.42@physp");
}

/* IEEE 802.1ad has tags of its own. */
static void test_of_a_provider(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	struct vlan vlan;

	assert_string_equal(
		lab_run(-1, "ip link add link phys name outer type vlan proto 802.1ad id 42"), "");
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_true(vlan.is_created);
	assert_string_equal(vlan.link.name, "phys.42");
}

static void test_long_name(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	char name[16];
	struct vlan vlan;

	(void)lab_run(-1, "ip link set phys down; ip link set phys name longer4567890; "
			  "ip link set longer4567890 up");
	lab_ok(lab, ensure(lab, parent, &vlan));
	(void)snprintf(name, sizeof(name), "wfv42.%x", parent);
	assert_string_equal(vlan.link.name, name);
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_false(vlan.is_created);
}

static void test_parents(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab, -1);
	struct vlan vlan;

	assert_int_equal(ensure(lab, 4242, &vlan), -ENODEV);
	/* the loopback takes no VLANs */
	assert_int_equal(ensure(lab, 1, &vlan), -EOPNOTSUPP);
	lab_assert_lacks(-1, "ip link", "lo.42");
	/* too small for IPv6 */
	(void)lab_run(-1, "ip link set phys mtu 1000");
	lab_ok(lab, ensure(lab, parent, &vlan));
	assert_int_equal(vlan.link.mtu, 1000);
	lab_assert_has(-1, "ip link show phys.42", ",UP");
	(void)lab_run(-1, "ip link del phys.42; ip link set phys mtu 1500");
	/* down: the device is there, and comes up with its parent */
	(void)lab_run(-1, "ip link set phys down");
	lab_ok(lab, ensure(lab, parent, &vlan));
	lab_assert_lacks(-1, "ip link show phys.42", ",UP");
	(void)lab_run(-1, "ip link set phys up");
	lab_assert_has(-1, "ip link show phys.42", ",UP");
	lab_assert_lacks(-1, "ip addr show phys.42", "inet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_tag_on_the_wire, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_is_out, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_of_others, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_name_taken, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_of_a_provider, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_long_name, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_parents, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
