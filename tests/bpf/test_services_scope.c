/* SPDX-License-Identifier: Apache-2.0 */
/* Services of networks that are scopes of their own: the same addresses mean others there. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dp/overlay.h"
#include "lab.h"
#include "services.h"
#include "world.h"

#define SCOPED_VIP "10.96.1.1"

/* A network with a client .11 and a backend .12 in two slots, addresses of which others have as well. */
static void put_scope(__u32 number, __u32 client, __u32 backend, __u32 service, __u32 pick)
{
	const struct wf_net_value network = { .flags = WF_NET_VALID | WF_NET_IPV4 | WF_NET_SCOPED |
						       WF_NET_ISOLATED | WF_NET_INTERNAL };
	const struct wf_addr_value of_service = { .flags = WF_ADDR_SERVICE };
	const struct wf_frontend_key key = { .addr = lab_addr(SCOPED_VIP),
					     .scope = number,
					     .port = htons(80),
					     .proto = IPPROTO_TCP };
	const struct wf_frontend_value value = {
		.service = service,
		.inside = { service * WF_PICKS_PER_PAGE, 1 },
		.flags = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE,
	};
	struct wf_dp_lb_memory memory;

	assert_int_equal(wf_dp_network_set(services_dp, number, &network, NULL), 0);
	for (__u32 i = 0; i < 2; i++) {
		const __u32 slot = i ? backend : client;
		const struct wf_addr_value own = { .slot = slot };
		struct wf_ep_value endpoint = { .flags = WF_EP_READY | WF_EP_IPV4,
						.ifindex = WF_IFINDEX_BASE + slot,
						.network = number,
						.ip4 = lab_addr(i ? "10.8.0.12" : "10.8.0.11"),
						.mac = { 2, 0, 0, 0, 0, (__u8)slot },
						.scope = (__u16)number };

		assert_int_equal(wf_dp_endpoint_set(services_dp, slot, &endpoint, NULL), 0);
		assert_int_equal(wf_dp_address_set(services_dp, number, &endpoint.ip4, &own, NULL),
				 0);
	}
	lab_lb_memory(services_dp, &memory);
	memory.backends[pick] = (struct wf_backend_value){
		.addr = lab_addr("10.8.0.12"),
		.service = service,
		.port = htons(8080),
		.slot = backend,
		.flags = WF_BACKEND_VALID | WF_BACKEND_USABLE,
	};
	memory.pages[service].backends[0] = pick;
	assert_int_equal(wf_dp_frontends_set(services_dp, &key, &value, 1, NULL), 0);
	assert_int_equal(wf_dp_address_set(services_dp, number, &key.addr, &of_service, NULL), 0);
}

static void a_scope_has_services_of_its_own(void **state)
{
	static const struct step steps[] = {
		{ "one network's",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.8.0.11", "10.8.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 9 },
		{ "another's, by the same addresses and ports",
		  FROM,
		  10,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.8.0.11", "10.8.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 11 },
		{ "the answer of one",
		  FROM,
		  9,
		  { "10.8.0.12", "10.8.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { SCOPED_VIP, "10.8.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 8 },
		{ "the answer of the other",
		  FROM,
		  11,
		  { "10.8.0.12", "10.8.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { SCOPED_VIP, "10.8.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 10 },
		{ "no port of it",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "everybody's service",
		  FROM,
		  8,
		  { "10.8.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "a published port",
		  FROM,
		  8,
		  { "10.8.0.11", "192.0.2.1", SERVICES_TCP, .dport = 8000 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "from another network: nothing of weft's",
		  FROM,
		  1,
		  { "10.1.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "from the uplink: the same",
		  COMES_IN,
		  0,
		  { "192.0.2.9", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  SERVICES_GO_ON },
	};
	static const struct step rest[] = {
		{ "from the middle of a connection that nobody knows",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, IPPROTO_TCP, 40009, 81, .tcp_flags = 16 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
	};

	put_scope(8, 8, 9, 20, BACKEND_COUNT);
	put_scope(9, 10, 11, 21, BACKEND_COUNT + 1);
	SERVICES_STEPS(steps);
	/* never to the host, whatever is known of services */
	services_configure(0, 0);
	SERVICES_STEPS(rest);
}

/* ---- the way out --------------------------------------------------------------------------------- */

#define WORLD     "203.0.113.5"
#define OWN       "10.8.0.11"
#define HIDDEN    WF_MARK_MASQUERADE
#define FLOW(src) src, WORLD, SERVICES_TCP, .dport = 443

/* The networks of the two scopes lead out from here on, as far as the host's own routes do. */
static void lead_out(void)
{
	for (__u32 number = 8; number <= 9; number++) {
		struct wf_net_value network;

		assert_int_equal(wf_dp_network_read(services_dp, number, 1, &network), 0);
		network.flags |= WF_NET_MASQUERADE;
		network.subnet_count = 1;
		network.subnets[0].base = lab_addr("10.8.0.0");
		network.subnets[0].mask = lab_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00");
		assert_int_equal(wf_dp_network_set(services_dp, number, &network, NULL), 0);
	}
	lab_run("ip link add weft0 index %d type veth peer name weft0q && ip link set weft0 up && "
		"ip link set weft0q up && sysctl -qw net.ipv4.conf.weft0.forwarding=1",
		WORLD_HOST_DEVICE);
}

static const struct step other_ways[] = {
	{ "UDP",
	  FROM,
	  8,
	  { OWN, WORLD, SERVICES_UDP, .dport = 53 },
	  REDIRECT,
	  { TO_H, WORLD, SERVICES_UDP, .dport = 53 },
	  .mark_out = HIDDEN },
	{ "its answer",
	  COMES_IN,
	  0,
	  { WORLD, TO_H, IPPROTO_UDP, 53, 40000, .payload = 9 },
	  REDIRECT,
	  { WORLD, OWN, IPPROTO_UDP, 53, 40000, .payload = 9 },
	  .to_mac = 8 },
	{ "an echo request",
	  FROM,
	  10,
	  { OWN, WORLD, IPPROTO_ICMP, 77, .type = 8, .payload = 30 },
	  REDIRECT,
	  { TO_H, WORLD, IPPROTO_ICMP, 77, .type = 8, .payload = 30 },
	  .mark_out = HIDDEN },
	{ "its answer",
	  COMES_IN,
	  0,
	  { WORLD, TO_H, IPPROTO_ICMP, 77, .type = 0, .payload = 30 },
	  REDIRECT,
	  { WORLD, OWN, IPPROTO_ICMP, 77, .type = 0, .payload = 30 },
	  .to_mac = 10 },
	{ "from the middle of a connection that nobody knows",
	  FROM,
	  8,
	  { OWN, WORLD, IPPROTO_TCP, 40009, 443, .tcp_flags = 16 },
	  SHOT,
	  .reason = WF_REASON_NAT_UNRELATED },
	{ "an address of the host",
	  FROM,
	  8,
	  { OWN, TO_H, SERVICES_TCP, .dport = 22 },
	  SHOT,
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "a container of another network",
	  FROM,
	  8,
	  { OWN, "10.1.0.11", SERVICES_TCP, .dport = 80 },
	  SHOT,
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "everybody's service",
	  FROM,
	  8,
	  { OWN, "10.96.0.1", SERVICES_TCP, .dport = 80 },
	  SHOT,
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "nobody of the own subnet",
	  FROM,
	  8,
	  { OWN, "10.8.0.99", SERVICES_TCP, .dport = 80 },
	  SHOT,
	  .reason = WF_REASON_NO_SUCH_ADDRESS },
};

/* Who comes in by the uplink at a published port of one of them. */
static const struct step published[] = {
	{ "a client outside",
	  COMES_IN,
	  0,
	  { WORLD, TO_H, IPPROTO_TCP, 40000, 7000, .tcp_flags = 2 },
	  REDIRECT,
	  { WORLD, "10.8.0.12", IPPROTO_TCP, 40000, 70, .tcp_flags = 2 },
	  .to_mac = 11 },
	{ "its answer",
	  FROM,
	  11,
	  { "10.8.0.12", WORLD, IPPROTO_TCP, 70, 40000, .tcp_flags = 18 },
	  REDIRECT,
	  { TO_H, WORLD, IPPROTO_TCP, 7000, 40000, .tcp_flags = 18 },
	  .mark_out = HIDDEN },
	{ "the other network's, which nobody asked for that",
	  FROM,
	  9,
	  { "10.8.0.12", WORLD, IPPROTO_TCP, 70, 40000, .tcp_flags = 18 },
	  SHOT,
	  .reason = WF_REASON_NAT_UNRELATED },
	{ "a container of this node: the host has no such port",
	  FROM,
	  1,
	  { "10.1.0.11", TO_H, SERVICES_TCP, .dport = 7000 },
	  REDIRECT,
	  .to_mac = MAC_HOST },
	{ "a scope's gateway is not the host",
	  FROM,
	  8,
	  { OWN, "10.8.0.1", SERVICES_TCP, .dport = 8000 },
	  SHOT,
	  .reason = WF_REASON_SERVICE_NO_PORT },
};

static __be16 source_port(const struct wire *wire)
{
	__be16 port;

	memcpy(&port, wire->bytes + 34, sizeof(port));
	return port;
}

static void a_scope_has_a_way_out(void **state)
{
	const struct step refused[] = {
		{ "not asked for",
		  FROM,
		  8,
		  { FLOW(OWN) },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
	};
	const struct step one[] = {
		{ "one network's",
		  FROM,
		  8,
		  { FLOW(OWN) },
		  REDIRECT,
		  { FLOW(TO_H) },
		  .mark_out = HIDDEN },
		{ "at the uplink: as it is",
		  GOES_OUT,
		  0,
		  { FLOW(TO_H) },
		  SERVICES_GO_ON,
		  .mark = HIDDEN,
		  .mark_out = HIDDEN },
	};
	const struct step other = { "another's, by the same addresses and ports",
				    FROM,
				    10,
				    { FLOW(OWN) },
				    .mark_out = HIDDEN };
	const struct step host = {
		"the host's own, by the port that is shown", GOES_OUT, 0, { FLOW(TO_H) }
	};
	struct step answers[] = {
		{ "the answer of one",
		  COMES_IN,
		  0,
		  { WORLD, TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { WORLD, OWN, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  .to_mac = 8 },
		{ "the answer of the other",
		  COMES_IN,
		  0,
		  { WORLD, TO_H, IPPROTO_TCP, 443, 0, .tcp_flags = 18 },
		  REDIRECT,
		  { WORLD, OWN, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  .to_mac = 10 },
	};
	static struct wire in, out;
	__be16 port;

	SERVICES_STEPS(refused);
	lead_out();
	SERVICES_STEPS(one);
	assert_int_equal(services_run(&other, &in, &out), TC_ACT_REDIRECT);
	port = source_port(&out);
	assert_int_not_equal(port, htons(40000));
	answers[1].in.dport = ntohs(port);
	SERVICES_STEPS(answers);
	/* what the host itself begins there is not taken for either of them */
	assert_int_equal(services_run(&host, &in, &out), SERVICES_GO_ON);
	assert_int_not_equal(source_port(&out), htons(40000));
	assert_int_not_equal(source_port(&out), port);
	SERVICES_STEPS(other_ways);
}

static void a_scope_publishes_ports(void **state)
{
	const struct wf_addr_value gateway = { .slot = WF_SLOT_HOST, .flags = WF_ADDR_GATEWAY };
	const struct wf_addr addr = lab_addr("10.8.0.1");
	const struct wf_range_value ranges[] = {
		{ .addr = lab_addr("0.0.0.0"),
		  .target = lab_addr("10.8.0.12"),
		  .slot = 11,
		  .service = 13,
		  .target_port = htons(70),
		  .first = 7000,
		  .last = 7000,
		  .proto = IPPROTO_TCP },
		services_run_of_ports(),
	};
	uint32_t word;

	assert_int_equal(wf_dp_ranges_set(services_dp, ranges, 2, &word, NULL), 0);
	assert_int_equal(wf_dp_address_set(services_dp, 8, &addr, &gateway, NULL), 0);
	SERVICES_STEPS(published);
}

/* ---- who is served from outside ------------------------------------------------------------------ */

#define BALANCED "198.51.100.77"

/* A frontend of network 8's service, or of all, for who is outside. */
static void put_outside(const char *addr, __u16 port, __u32 scope, __u32 service, __u32 page)
{
	const struct wf_frontend_key key = { .addr = lab_addr(addr),
					     .scope = WF_SCOPE_ANY,
					     .port = htons(port),
					     .proto = IPPROTO_TCP };
	const struct wf_frontend_value value = {
		.service = service,
		.outside = { page * WF_PICKS_PER_PAGE, 1 },
		.flags = WF_FRONTEND_OUTSIDE | WF_FRONTEND_SNAT,
		.type = WF_FRONTEND_NODE_PORT,
		.scope = scope,
	};

	assert_int_equal(wf_dp_frontends_set(services_dp, &key, &value, 1, NULL), 0);
}

static const struct step served[] = {
	{ "a client outside, at a node port",
	  COMES_IN,
	  0,
	  { WORLD, TO_H, SERVICES_TCP, .dport = 30090 },
	  REDIRECT,
	  { WORLD, "10.8.0.12", SERVICES_TCP, .dport = 8080 },
	  .to_mac = 9 },
	{ "its answer",
	  FROM,
	  9,
	  { "10.8.0.12", WORLD, IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
	  REDIRECT,
	  { TO_H, WORLD, IPPROTO_TCP, 30090, 40000, .tcp_flags = 18 },
	  .mark_out = HIDDEN },
	{ "the other network's, which nobody asked for that",
	  FROM,
	  11,
	  { "10.8.0.12", WORLD, IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
	  SHOT,
	  .reason = WF_REASON_NAT_UNRELATED },
	{ "at an address of a load balancer",
	  COMES_IN,
	  0,
	  { WORLD, BALANCED, IPPROTO_TCP, 40001, 80, .tcp_flags = 2 },
	  REDIRECT,
	  { WORLD, "10.8.0.12", IPPROTO_TCP, 40001, 8080, .tcp_flags = 2 },
	  .to_mac = 9 },
	{ "its answer",
	  FROM,
	  9,
	  { "10.8.0.12", WORLD, IPPROTO_TCP, 8080, 40001, .tcp_flags = 18 },
	  REDIRECT,
	  { BALANCED, WORLD, IPPROTO_TCP, 80, 40001, .tcp_flags = 18 },
	  .mark_out = HIDDEN },
	{ "at the uplink: as it is",
	  GOES_OUT,
	  0,
	  { BALANCED, WORLD, IPPROTO_TCP, 80, 40001, .tcp_flags = 18 },
	  SERVICES_GO_ON,
	  .mark = HIDDEN,
	  .mark_out = HIDDEN },
	{ "the same, if it could begin something",
	  GOES_OUT,
	  0,
	  { BALANCED, WORLD, IPPROTO_UDP, 80, 40001, .payload = 9 },
	  SERVICES_GO_ON,
	  .mark = HIDDEN,
	  .mark_out = HIDDEN },
	{ "a container of this node: the host has no such port",
	  FROM,
	  1,
	  { "10.1.0.11", TO_H, SERVICES_TCP, .dport = 30090 },
	  REDIRECT,
	  .to_mac = MAC_HOST },
	{ "nor the balancer, to which it is nobody",
	  FROM,
	  1,
	  { "10.1.0.11", BALANCED, SERVICES_TCP, .dport = 80 },
	  REDIRECT,
	  .reason = WF_REASON_SERVICE_NO_PORT,
	  .is_refused = true },
};

static void a_scope_is_served_from_outside(void **state)
{
	const struct wf_addr_value of_service = { .flags = WF_ADDR_SERVICE };
	const struct wf_addr balanced = lab_addr(BALANCED);

	put_outside("0.0.0.0", 30090, 8, 20, 20);
	put_outside(BALANCED, 80, 8, 20, 20);
	assert_int_equal(
		wf_dp_address_set(services_dp, WF_NETWORK_HOST, &balanced, &of_service, NULL), 0);
	SERVICES_STEPS(served);
}

/* This node's address in network 8; zero: it has none. */
static void show_as(struct wf_addr addr)
{
	struct wf_net_value network;

	assert_int_equal(wf_dp_network_read(services_dp, 8, 1, &network), 0);
	network.host4 = addr;
	assert_int_equal(wf_dp_network_set(services_dp, 8, &network, NULL), 0);
}

/* A backend that is not here: its address is somebody else's to the host. */
static void a_scope_is_not_looked_for_elsewhere(void **state)
{
	const struct step before_the_stack = {
		"everybody's", XDP_IN, 0, { "192.0.2.2", TO_H, SERVICES_TCP, .dport = 30091 }
	};
	static const struct step steps[] = {
		{ "a scope's",
		  XDP_IN,
		  0,
		  { "192.0.2.2", TO_H, IPPROTO_TCP, 40001, 30092, .tcp_flags = 2 },
		  .action = XDP_PASS },
		{ "in the stack, where this node has no address in it",
		  COMES_IN,
		  0,
		  { "192.0.2.2", TO_H, IPPROTO_TCP, 40001, 30092, .tcp_flags = 2 },
		  SHOT,
		  .reason = WF_REASON_NAT_NO_ADDRESS },
	};
	static const struct step with_address[] = {
		{ "where it has one, and no node of the scope the backend's",
		  COMES_IN,
		  0,
		  { "192.0.2.2", TO_H, IPPROTO_TCP, 40001, 30092, .tcp_flags = 2 },
		  SHOT,
		  .reason = WF_REASON_NO_SUCH_ADDRESS },
	};
	static struct wire in, out;
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	memory.pages[22].backends[0] = BACKEND_FAR;
	put_outside("0.0.0.0", 30091, WF_NETWORK_HOST, 5, 22);
	put_outside("0.0.0.0", 30092, 8, 5, 22);
	assert_int_equal(services_run(&before_the_stack, &in, &out), XDP_TX);
	SERVICES_STEPS(steps);
	show_as(lab_addr("10.8.0.250"));
	SERVICES_STEPS(with_address);
	show_as((struct wf_addr){ 0 });
}

/* By the host's address nobody speaks for the node: what is for a tunnel ends at the uplink. */
static void a_scope_reaches_no_tunnel(void **state)
{
	static const struct step steps[] = {
		{ "to a node's tunnel",
		  FROM,
		  8,
		  { OWN, WORLD, SERVICES_UDP, .dport = 4789 },
		  REDIRECT,
		  { TO_H, WORLD, SERVICES_UDP, .dport = 4789 },
		  .mark_out = HIDDEN },
		{ "at the uplink",
		  GOES_OUT,
		  0,
		  { TO_H, WORLD, SERVICES_UDP, .dport = 4789 },
		  SHOT,
		  .reason = WF_REASON_TUNNEL_PRETENDED,
		  .mark = HIDDEN,
		  .mark_out = HIDDEN },
	};
	const struct wf_node_value node = { .underlay = lab_addr(WORLD) };
	const struct wf_addr self = lab_addr(TO_H), none = {};

	assert_int_equal(wf_dp_overlay_set(services_dp, 0, &self, 4789, 0, NULL), 0);
	assert_int_equal(wf_dp_node_set(services_dp, 3, &node, NULL), 0);
	SERVICES_STEPS(steps);
	assert_int_equal(wf_dp_node_set(services_dp, 3, NULL, NULL), 0);
	assert_int_equal(wf_dp_overlay_set(services_dp, 0, &none, 0, 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* takes over slots 8 to 11 */
		cmocka_unit_test_setup(a_scope_has_services_of_its_own, services_begin),
		cmocka_unit_test_setup(a_scope_has_a_way_out, services_begin),
		cmocka_unit_test_setup(a_scope_publishes_ports, services_begin),
		cmocka_unit_test_setup(a_scope_is_served_from_outside, services_begin),
		cmocka_unit_test_setup(a_scope_is_not_looked_for_elsewhere, services_begin),
		cmocka_unit_test_setup(a_scope_reaches_no_tunnel, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
