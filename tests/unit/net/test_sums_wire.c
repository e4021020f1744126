/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of checksums as the kernel takes them, over lo; and the device whose checksums they are about. */
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab.h"
#include "net/ask.h"
#include "net/offload.h"
#include "net/sums_wire.h"

#define PORT 51823

static int setup(void **state)
{
	int r = lab_setup(state);

	if (r == 0)
		(void)lab_run(-1, "ip link set lo up; ip addr add fd00::1/64 dev lo nodad; "
				  "ip addr add fd00::2/64 dev lo nodad; "
				  "cd /proc/sys/net/ipv4/conf/lo; echo 1 > route_localnet; "
				  "echo 1 > accept_local");
	return r;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

static bool next(struct wf_sums_wire *wire, struct wf_ask_message *ret_message)
{
	struct pollfd ready = { .fd = wf_sums_wire_fd(wire), .events = POLLIN };

	while (poll(&ready, 1, 2000) == 1)
		if (wf_sums_wire_receive(wire, ret_message) == 1)
			return true;
	return false;
}

/* Sees what is put onto lo, with what is still to be done to it. */
static int open_eye(void)
{
	const struct sockaddr_ll lo = { .sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = (int)if_nametoindex("lo") };
	const int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&lo, sizeof(lo)), 0);
	return fd;
}

/* How the next UDP datagram to our port that somebody receives stands. */
static struct virtio_net_hdr look(int eye, size_t udp_at)
{
	for (;;) {
		struct pollfd ready = { .fd = eye, .events = POLLIN };
		struct sockaddr_ll from = { 0 };
		socklen_t len = sizeof(from);
		struct virtio_net_hdr head;
		uint8_t bytes[256] = { 0 };
		uint16_t port;

		assert_int_equal(poll(&ready, 1, 2000), 1);
		assert_true(recvfrom(eye, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len) >
			    0);
		memcpy(&port, bytes + sizeof(head) + udp_at + 2, sizeof(port));
		if (port != htons(PORT) || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		memcpy(&head, bytes, sizeof(head));
		return head;
	}
}

/* The kernel takes both kinds; one is left to a device, and what it has to do is right. */
static void test_both_kinds(void **state)
{
	static const struct {
		const char *from, *to;
		size_t udp_at;
	} ways[] = {
		{ "127.0.0.1", "127.0.0.2", ETH_HLEN + 20 },
		{ "fd00::1", "fd00::2", ETH_HLEN + 40 },
	};
	_cleanup_(wf_sums_wire_close) struct wf_sums_wire *wire = NULL;
	_cleanup_close_ int eye = open_eye();

	assert_int_equal(wf_sums_wire_open(PORT, &wire, NULL), 0);
	for (uint32_t i = 0; i < 2 * WF_ARRAY_LEN(ways); i++) {
		const bool by_device = i % 2;
		const struct wf_sums_ends ends = { .from = lab_addr(ways[i / 2].from),
						   .to = lab_addr(ways[i / 2].to),
						   .ifindex = if_nametoindex("lo"),
						   .mark = i };
		/* all values that a sum may have come by */
		const struct wf_ask_message sent = { .what = WF_ASK_PROBE,
						     .cookie = 0xffffffffffffffff,
						     .revision = i << 20 | 0xffff };
		struct wf_ask_message got;
		struct virtio_net_hdr head;

		assert_int_equal(wf_sums_wire_send(wire, &ends, &sent, by_device), 0);
		assert_true(next(wire, &got));
		assert_int_equal(got.what, WF_ASK_PROBE);
		assert_true(got.cookie == sent.cookie && got.revision == sent.revision);
		assert_true(wf_addr_equal(&got.peer, &ends.from));
		head = look(eye, ways[i / 2].udp_at);
		assert_int_equal(!!(head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM), by_device);
		if (by_device) {
			assert_int_equal(head.csum_start, ways[i / 2].udp_at);
			assert_int_equal(head.csum_offset, 6);
		}
	}
}

/* Made checksums are looked at: over many values none is wrong. */
static void test_many_values(void **state)
{
	const struct wf_sums_ends ends = { .from = lab_addr("127.0.0.1"),
					   .to = lab_addr("127.0.0.2"),
					   .ifindex = if_nametoindex("lo") };
	_cleanup_(wf_sums_wire_close) struct wf_sums_wire *wire = NULL;

	assert_int_equal(wf_sums_wire_open(PORT, &wire, NULL), 0);
	for (uint64_t i = 0; i < 70000; i++) {
		const struct wf_ask_message sent = { .what = WF_ASK_PROBE, .revision = i };
		struct wf_ask_message got;

		assert_int_equal(wf_sums_wire_send(wire, &ends, &sent, false), 0);
		assert_true(next(wire, &got));
		assert_true(got.revision == i);
	}
}

static enum wf_net_sums sums_of(struct lab *lab)
{
	enum wf_net_sums sums = WF_NET_SUMS_DEVICE;

	assert_int_equal(wf_net_overlay_sums_get(lab->net, &sums, &lab->err), 0);
	return sums;
}

/* What weft has done is told from what others have; it lasts, and can be undone. */
static void test_the_device(void **state)
{
	struct lab *lab = *state;
	enum wf_net_sums sums;
	uint32_t ifindex = 0;

	assert_int_equal(wf_net_overlay_sums_get(lab->net, &sums, &lab->err), -ENODEV);
	assert_int_equal(wf_net_overlay_ensure(lab->net, 4789, 1450, &ifindex, &lab->err), 0);
	assert_int_equal(sums_of(lab), WF_NET_SUMS_DEVICE);
	assert_int_equal(wf_net_overlay_sums_set(lab->net, true, &lab->err), 0);
	assert_int_equal(sums_of(lab), WF_NET_SUMS_WEFT);
	assert_int_equal(wf_net_offload_get(NULL, WF_NET_OVERLAY_DEVICE, ETHTOOL_GTXCSUM), 0);
	assert_int_equal(wf_net_offload_get(NULL, WF_NET_OVERLAY_DEVICE, ETHTOOL_GTSO), 0);
	assert_int_equal(wf_net_overlay_ensure(lab->net, 4789, 1400, &ifindex, &lab->err), 0);
	assert_int_equal(sums_of(lab), WF_NET_SUMS_WEFT);
	assert_int_equal(wf_net_overlay_sums_set(lab->net, false, &lab->err), 0);
	assert_int_equal(sums_of(lab), WF_NET_SUMS_DEVICE);
	assert_int_equal(wf_net_offload_get(NULL, WF_NET_OVERLAY_DEVICE, ETHTOOL_GTSO), 1);
	assert_int_equal(wf_net_offload_set(WF_NET_OVERLAY_DEVICE, ETHTOOL_STXCSUM, false), 0);
	assert_int_equal(sums_of(lab), WF_NET_SUMS_OTHERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_both_kinds),
		CASE(test_many_values),
		CASE(test_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
