/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real traffic through the programs, attached as the daemon attaches them: shared blocks on the
 * containers' devices and on weft0p. See node.h for the picture.
 */
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab.h"
#include "node.h"
#include "rows.h"
#include "traffic.h"

#define BULK (4U << 20)

static struct wf_dp *dp;

static int set_up(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0)
		fail_msg("%s", err.message);
	node_build(dp);
	return 0;
}

static int tear_down(void **state)
{
	node_remove();
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	wf_dp_close(&dp);
	return 0;
}

static struct wf_counter drops(enum wf_reason reason)
{
	struct wf_counter counters[WF_REASON_COUNT];

	assert_int_equal(wf_dp_drops_read(dp, counters), 0);
	return counters[reason];
}

static void container_to_container(void **state)
{
	assert_true(traffic_ping("c1", "10.1.0.12"));
	assert_true(traffic_ping("c1", "fd01::12"));
	assert_true(traffic_tcp("c1", "c2", "10.1.0.12", BULK));
	assert_true(traffic_tcp("c1", "c2", "fd01::12", BULK));
	assert_true(traffic_tcp("c2", "c1", "10.1.0.11", BULK));
}

static void container_to_gateway_and_host(void **state)
{
	assert_true(traffic_ping("c1", "10.1.0.1"));
	assert_true(traffic_ping("c1", "fd01::1"));
	assert_true(traffic_ping("c3", "10.2.0.1"));
	assert_true(traffic_tcp("c1", TRAFFIC_NODE, "10.1.0.1", BULK));
	assert_true(traffic_tcp("c1", TRAFFIC_NODE, "fd01::1", BULK));
	/* another gateway, and an address of the host that is none */
	assert_true(traffic_ping("c1", "10.2.0.1"));
	assert_true(traffic_tcp("c1", TRAFFIC_NODE, "192.0.2.1", BULK));
}

static void host_to_container(void **state)
{
	assert_true(traffic_ping(TRAFFIC_NODE, "10.1.0.11"));
	assert_true(traffic_ping(TRAFFIC_NODE, "fd01::11"));
	assert_true(traffic_tcp(TRAFFIC_NODE, "c1", "10.1.0.11", BULK));
	assert_true(traffic_tcp(TRAFFIC_NODE, "c3", "fd02::13", BULK));
}

static void outside_both_ways(void **state)
{
	assert_true(traffic_tcp("c1", "out", "192.0.2.2", BULK));
	assert_true(traffic_tcp("out", "c1", "10.1.0.11", BULK));
	assert_true(traffic_ping("out", "10.3.0.14"));
}

static void other_networks(void **state)
{
	struct wf_counter before = drops(WF_REASON_NETWORK_ISOLATED);

	assert_true(traffic_ping("c1", "10.2.0.13"));
	assert_true(traffic_tcp("c1", "c3", "fd02::13", BULK));
	assert_false(traffic_ping("c1", "10.3.0.14"));
	assert_false(traffic_ping("c4", "fd01::11"));
	assert_int_equal(drops(WF_REASON_NETWORK_ISOLATED).packets - before.packets, 2);
}

static void spoofed_source_is_dropped(void **state)
{
	struct packet_spec spec = { .src_mac = 1,
				    .dst_mac = 2,
				    .proto = 17,
				    .dport = 7002,
				    .payload = 16,
				    .src = "10.1.0.11",
				    .dst = "10.1.0.12" };
	struct wf_counter before = drops(WF_REASON_SPOOFED_IP);
	struct packet honest, spoofed;

	packet_build(&spec, &honest);
	spec.src = "10.1.0.99";
	packet_build(&spec, &spoofed);
	for (int way = TRAFFIC_SOCKET; way <= TRAFFIC_RING; way++) {
		assert_true(traffic_udp_frame("c1", (enum traffic_way)way, &honest, "c2",
					      "10.1.0.12", 7002));
		assert_false(traffic_udp_frame("c1", (enum traffic_way)way, &spoofed, "c2",
					       "10.1.0.12", 7002));
	}
	assert_int_equal(drops(WF_REASON_SPOOFED_IP).packets - before.packets, 2);
}

static void vlan_tag_is_dropped(void **state)
{
	const struct packet_spec spec = {
		.src_mac = 1, .dst_mac = 2, .ethertype = ETH_P_8021Q, .payload = 60
	};
	struct wf_counter before = drops(WF_REASON_VLAN_TAGGED);
	struct packet tagged;

	/* the tag, then what would be inside */
	packet_build(&spec, &tagged);
	tagged.bytes[15] = 5;
	tagged.bytes[16] = 8;
	assert_false(traffic_udp_frame("c1", TRAFFIC_SOCKET, &tagged, "c2", "10.1.0.12", 7002));
	assert_true(drops(WF_REASON_VLAN_TAGGED).packets > before.packets);
}

static void fenced_endpoint_is_silent(void **state)
{
	struct wf_ep_value value, fenced;

	assert_int_equal(wf_dp_endpoint_get(dp, 2, &value), 0);
	fenced = value;
	fenced.flags &= ~(__u32)WF_EP_READY;
	assert_int_equal(wf_dp_endpoint_set(dp, 2, &fenced, NULL), 0);
	assert_false(traffic_ping("c1", "10.1.0.12"));
	assert_int_equal(wf_dp_endpoint_set(dp, 2, &value, NULL), 0);
	assert_true(traffic_ping("c1", "10.1.0.12"));
}

static void guard_lets_only_own_packets_in(void **state)
{
	struct wf_counter before = drops(WF_REASON_NOT_FOR_ENDPOINT);

	/* a route of the host that points at a container's device */
	lab_run("ip link set wf1 arp off && ip addr add 10.1.0.1/32 dev wf1 && "
		"ip route add 10.1.0.12/32 dev wf1 src 10.1.0.1");
	assert_false(traffic_ping(TRAFFIC_NODE, "10.1.0.12"));
	assert_true(drops(WF_REASON_NOT_FOR_ENDPOINT).packets > before.packets);
	lab_run("ip route del 10.1.0.12/32 dev wf1 && ip addr del 10.1.0.1/32 dev wf1 && "
		"ip link set wf1 arp on");
	assert_true(traffic_ping(TRAFFIC_NODE, "10.1.0.12"));
}

/* The programs in the kernel outlive the handle, and a new one takes them over. */
static void traffic_goes_on_without_the_daemon(void **state)
{
	uint32_t id = wf_dp_program_id(dp, WF_DP_FROM_CONTAINER);

	wf_dp_close(&dp);
	assert_true(traffic_ping("c1", "10.1.0.12"));
	assert_true(traffic_ping("c1", "fd01::1"));
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, NULL), 0);
	assert_true(wf_dp_adopted(dp));
	assert_int_equal(wf_dp_program_id(dp, WF_DP_FROM_CONTAINER), id);
	assert_true(traffic_ping("c1", "10.1.0.12"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(container_to_container),
		cmocka_unit_test(container_to_gateway_and_host),
		cmocka_unit_test(host_to_container),
		cmocka_unit_test(outside_both_ways),
		cmocka_unit_test(other_networks),
		cmocka_unit_test(spoofed_source_is_dropped),
		cmocka_unit_test(vlan_tag_is_dropped),
		cmocka_unit_test(fenced_endpoint_is_silent),
		cmocka_unit_test(guard_lets_only_own_packets_in),
		cmocka_unit_test(traffic_goes_on_without_the_daemon),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
