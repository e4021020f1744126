/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real connections through services, published ports and masquerade, without socket hooks: every
 * packet is translated. The node of node.h; "out" knows no way back but to the node's own address,
 * so that nothing works there that is not translated. Servers say "b", "c", "o" for c2, c3, out.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <weft/abi/lb.h>

#include "base/addr.h"
#include "calls.h"
#include "dp/conn.h"
#include "dp/lb.h"
#include "lab.h"
#include "node.h"
#include "traffic.h"

#define BULK   (4U << 20)
#define SERVER 7000
#define STREAM 7001 /* port of traffic_tcp() */

static struct wf_dp *dp;
static pid_t servers[3];

/* Service N has backend N and page N of picks; backend 0 of the list: nobody. */
static const struct {
	const char *frontend;
	__u16 port;
	const char *backend;
	__u16 backend_port;
	__u32 slot;
	__u16 flags;
} services[] = {
	{ 0 },
	{ "10.96.0.1", 80, "10.1.0.12", SERVER, 2, WF_FRONTEND_INSIDE },
	{ "fd96::1", 80, "fd01::12", SERVER, 2, WF_FRONTEND_INSIDE },
	{ "0.0.0.0", 30080, "10.1.0.12", SERVER, 2, WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE },
	{ "::", 30080, "fd01::12", SERVER, 2, WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE },
	{ "10.96.0.2", 80, NULL, 0, 0, WF_FRONTEND_INSIDE },
	{ "10.96.0.3", 80, "192.0.2.2", SERVER, 0, WF_FRONTEND_INSIDE },
	{ "0.0.0.0", 30084, "192.0.2.2", SERVER, 0,
	  WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE | WF_FRONTEND_SNAT },
	{ "0.0.0.0", 30085, NULL, 0, 0, WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE },
	{ "10.96.0.3", STREAM, "10.2.0.13", STREAM, 3, WF_FRONTEND_INSIDE },
	{ "fd96::3", STREAM, "fd02::13", STREAM, 3, WF_FRONTEND_INSIDE },
};

static void put_service(__u32 number)
{
	struct wf_frontend_key key = { .addr = lab_addr(services[number].frontend),
				       .scope = WF_SCOPE_ANY,
				       .port = htons(services[number].port),
				       .proto = IPPROTO_TCP };
	const struct wf_pick_run run = { number * WF_PICKS_PER_PAGE,
					 services[number].backend ? 1 : 0 };
	const struct wf_frontend_value value = {
		.service = number, .inside = run, .outside = run, .flags = services[number].flags
	};
	const struct wf_addr_value seen = { .flags = WF_ADDR_SERVICE };
	struct wf_dp_lb_memory memory;

	lab_lb_memory(dp, &memory);
	if (services[number].backend) {
		memory.backends[number] =
			(struct wf_backend_value){ .addr = lab_addr(services[number].backend),
						   .service = number,
						   .slot = services[number].slot,
						   .port = htons(services[number].backend_port),
						   .flags = WF_BACKEND_VALID | WF_BACKEND_USABLE };
		memory.pages[number].backends[0] = number;
	}
	assert_int_equal(wf_dp_frontends_set(dp, &key, &value, 1, NULL), 0);
	key.proto = IPPROTO_UDP;
	assert_int_equal(wf_dp_frontends_set(dp, &key, &value, 1, NULL), 0);
	if (key.addr.bytes[13] == 96 || key.addr.bytes[1] == 0x96)
		assert_int_equal(wf_dp_address_set(dp, WF_NETWORK_HOST, &key.addr, &seen, NULL), 0);
}

static void put_uplink(void)
{
	const struct wf_uplink_value uplink = { .ip4 = lab_addr("192.0.2.1"),
						.ip6 = lab_addr("2001:db8::1"),
						.l2_bytes = 14 };
	const struct wf_addr_value host = { .flags = WF_ADDR_HOST };

	lab_run("ip addr add 2001:db8::1/64 dev uplink nodad && "
		"ip -n out addr add 2001:db8::2/64 dev eth0 nodad && "
		"ip -n out route del default && "
		"ip -n out route add 10.96.0.0/16 via 192.0.2.1");
	assert_int_equal(wf_dp_uplink_set(dp, if_nametoindex("uplink"), &uplink, NULL), 0);
	assert_int_equal(wf_dp_address_set(dp, WF_NETWORK_HOST, &uplink.ip4, &host, NULL), 0);
	assert_int_equal(wf_dp_address_set(dp, WF_NETWORK_HOST, &uplink.ip6, &host, NULL), 0);
	lab_run("tc qdisc add dev uplink clsact && "
		"tc filter add dev uplink ingress bpf da object-pinned " LAB_PINS
		"/progs/weft_from_uplink && "
		"tc filter add dev uplink egress bpf da object-pinned " LAB_PINS
		"/progs/weft_to_uplink");
}

static void configure(__u32 flags)
{
	const struct wf_config_value config = { .host_ifindex = if_nametoindex("weft0"),
						.flags = flags };

	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
}

static void put_ranges(void)
{
	const struct wf_range_value ranges[] = {
		{ .addr = lab_addr("0.0.0.0"),
		  .target = lab_addr("10.2.0.13"),
		  .slot = 3,
		  .target_port = htons(SERVER),
		  .first = 8000,
		  .last = 8009,
		  .proto = IPPROTO_TCP },
		{ .addr = lab_addr("0.0.0.0"),
		  .target = lab_addr("10.2.0.13"),
		  .slot = 3,
		  .target_port = htons(STREAM),
		  .first = STREAM,
		  .last = STREAM,
		  .proto = IPPROTO_TCP },
		{ .addr = lab_addr("0.0.0.0"),
		  .target = lab_addr("10.2.0.13"),
		  .slot = 3,
		  .target_port = htons(SERVER),
		  .first = 8000,
		  .last = 8009,
		  .proto = IPPROTO_UDP },
		{ .addr = lab_addr("::"),
		  .target = lab_addr("fd02::13"),
		  .slot = 3,
		  .target_port = htons(STREAM),
		  .first = STREAM,
		  .last = STREAM,
		  .proto = IPPROTO_TCP },
	};
	uint32_t word;

	assert_int_equal(wf_dp_ranges_set(dp, ranges, 4, &word, NULL), 0);
}

static int set_up(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0)
		fail_msg("%s", err.message);
	node_build(dp);
	for (__u32 number = 1; number <= 2; number++) {
		struct wf_net_value network;

		assert_int_equal(wf_dp_network_get(dp, number, &network), 0);
		network.flags |= WF_NET_MASQUERADE;
		assert_int_equal(wf_dp_network_set(dp, number, &network, NULL), 0);
	}
	for (__u32 number = 1; number < sizeof(services) / sizeof(services[0]); number++)
		put_service(number);
	put_ranges();
	put_uplink();
	configure(WF_CONFIG_SERVICES);
	servers[0] = call_serve("c2", SERVER, 'b');
	servers[1] = call_serve("c3", SERVER, 'c');
	servers[2] = call_serve("out", SERVER, 'o');
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		(void)kill(servers[i], SIGKILL);
		(void)waitpid(servers[i], NULL, 0);
	}
	node_remove();
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	wf_dp_close(&dp);
	return 0;
}

/* The letter of whoever answers, or 0 with errno. */
static char ask(enum call call, const char *from, const char *address, uint16_t port)
{
	const struct call_spec spec = {
		.call = call, .netns = from, .address = address, .port = port, .count = 1
	};
	struct call_result result;

	call_run(&spec, NULL, &result);
	errno = result.error;
	return result.error ? 0 : result.names[0];
}

#define BOTH_ANSWER(letter, from, address, port)                              \
	do {                                                                  \
		assert_int_equal(ask(CALL_TCP, from, address, port), letter); \
		assert_int_equal(ask(CALL_UDP, from, address, port), letter); \
	} while (0)

static void containers_reach_services(void **state)
{
	BOTH_ANSWER('b', "c1", "10.96.0.1", 80);
	BOTH_ANSWER('b', "c1", "fd96::1", 80);
	BOTH_ANSWER('b', "c3", "10.96.0.1", 80);
	BOTH_ANSWER('b', "c2", "10.96.0.1", 80);
	BOTH_ANSWER('b', "c2", "fd96::1", 80);
	BOTH_ANSWER('o', "c1", "10.96.0.3", 80);
	assert_true(traffic_tcp("c1", "c3", "10.96.0.3", BULK));
	assert_true(traffic_tcp("c1", "c3", "fd96::3", BULK));
	assert_true(traffic_tcp("c3", "c3", "10.96.0.3", BULK));
}

static void containers_reach_published_ports(void **state)
{
	BOTH_ANSWER('b', "c1", "10.1.0.1", 30080);
	BOTH_ANSWER('b', "c1", "192.0.2.1", 30080);
	BOTH_ANSWER('c', "c1", "192.0.2.1", 8000);
	BOTH_ANSWER('c', "c3", "192.0.2.1", 8000);
	assert_true(traffic_tcp("c1", "c3", "192.0.2.1", BULK));
}

static void containers_reach_the_world(void **state)
{
	BOTH_ANSWER('o', "c1", "192.0.2.2", SERVER);
	BOTH_ANSWER('o', "c3", "2001:db8::2", SERVER);
	assert_true(traffic_ping("c1", "192.0.2.2"));
	assert_true(traffic_ping("c2", "2001:db8::2"));
	assert_true(traffic_tcp("c1", "out", "192.0.2.2", BULK));
	assert_true(traffic_tcp("c1", "out", "2001:db8::2", BULK));
	/* a network that is not masqueraded has no way back */
	assert_false(traffic_ping("c4", "192.0.2.2"));
}

static void the_world_reaches_in(void **state)
{
	BOTH_ANSWER('b', "out", "192.0.2.1", 30080);
	BOTH_ANSWER('b', "out", "2001:db8::1", 30080);
	BOTH_ANSWER('c', "out", "192.0.2.1", 8000);
	BOTH_ANSWER('o', "out", "192.0.2.1", 30084);
	assert_true(traffic_tcp("out", "c3", "192.0.2.1", BULK));
	assert_true(traffic_tcp("out", "c3", "2001:db8::1", BULK));
	assert_true(traffic_ping("out", "192.0.2.1"));
}

static void past_the_stack(void **state)
{
	configure(WF_CONFIG_SERVICES | WF_CONFIG_BYPASS);
	the_world_reaches_in(state);
	containers_reach_the_world(state);
	configure(WF_CONFIG_SERVICES);
}

/* Turns off the checksums of eth0 that a device would compute. */
static int compute_checksums(void *context)
{
	struct ethtool_value off = { .cmd = ETHTOOL_STXCSUM };
	struct ifreq request = { .ifr_name = "eth0", .ifr_data = (void *)&off };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0;
}

/*
 * The client computes its checksums: those that a veth leaves to a device that never comes are no
 * business of a program before the stack. That the program was there: one record does for both
 * addresses, where the filters need two.
 */
static void before_the_stack(void **state)
{
	struct wf_conn_state conns;
	uint32_t before;

	assert_int_equal(lab_wait(lab_spawn("out", compute_checksums, NULL)), 0);
	assert_true(wf_dp_xdp_program_fd(dp, NULL) >= 0);
	lab_run("ip link set dev uplink xdpgeneric pinned " LAB_PINS "/progs/weft_xdp");
	(void)traffic_ping(TRAFFIC_NODE, "192.0.2.2");
	wf_dp_conn_state(dp, &conns);
	before = conns.live;
	BOTH_ANSWER('o', "out", "192.0.2.1", 30084);
	wf_dp_conn_state(dp, &conns);
	assert_int_equal(conns.live - before, 2);
	BOTH_ANSWER('b', "out", "192.0.2.1", 30080);
	BOTH_ANSWER('c', "out", "192.0.2.1", 8000);
	lab_run("ip link set dev uplink xdpgeneric off");
}

static void nobody_is_refused_at_once(void **state)
{
	assert_int_equal(ask(CALL_TCP, "c1", "10.96.0.2", 80), 0);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(ask(CALL_UDP, "c1", "10.96.0.2", 80), 0);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(ask(CALL_TCP, "c1", "fd96::1", 81), 0);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(ask(CALL_UDP, "c1", "fd96::1", 81), 0);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(ask(CALL_TCP, "out", "192.0.2.1", 30085), 0);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(ask(CALL_UDP, "out", "192.0.2.1", 30085), 0);
	assert_int_equal(errno, ECONNREFUSED);
	/* the backend's own refusal comes back as the service's */
	assert_int_equal(ask(CALL_TCP, "c1", "192.0.2.1", STREAM), 0);
	assert_int_equal(errno, ECONNREFUSED);
	/* and the world's */
	assert_int_equal(ask(CALL_UDP, "c1", "192.0.2.2", 9), 0);
	assert_int_equal(errno, ECONNREFUSED);
}

/* All that fits between a narrow link and a wide one: errors must reach who sends too much. */
static void path_mtu_is_found(void **state)
{
	lab_run("ip link set uplink mtu 1280 && ip -n out link set eth0 mtu 1280");
	assert_true(traffic_tcp("c1", "out", "192.0.2.2", BULK));
	assert_true(traffic_tcp("c1", "out", "2001:db8::2", BULK));
	lab_run("ip link set uplink mtu 1500 && ip -n out link set eth0 mtu 1500");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(containers_reach_services),
		cmocka_unit_test(containers_reach_published_ports),
		cmocka_unit_test(containers_reach_the_world),
		cmocka_unit_test(the_world_reaches_in),
		cmocka_unit_test(past_the_stack),
		cmocka_unit_test(before_the_stack),
		cmocka_unit_test(nobody_is_refused_at_once),
		cmocka_unit_test(path_mtu_is_found),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
