/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a translating program does when it cannot: ports run out, tables are full, helpers fail,
 * packets end too early (bpf/lib/masquerade.h, uplink.h, service.h, natively). That it can is
 * shown by the shipped object in tests/bpf.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "native.h"
#include "wire.h"
#include "world.h"

#define UPLINK 33

static struct wf_addr ip4(__u32 addr)
{
	struct wf_addr result = { .words = { 0, 0, htonl(0xffff), htonl(addr) } };

	return result;
}

static void put_address(__u32 addr, __u32 flags)
{
	native.addresses[native.address_count++] =
		(struct native_address){ { .network = WF_NETWORK_HOST, .addr = ip4(addr) },
					 { .flags = flags } };
}

static void put_frontend(__u32 addr, __u16 port, __u32 size)
{
	native.frontends[native.frontend_count++] = (struct native_frontend){
		{ .addr = ip4(addr),
		  .scope = WF_SCOPE_ANY,
		  .port = htons(port),
		  .proto = IPPROTO_TCP },
		{ .service = 1,
		  .inside = { 0, size },
		  .outside = { 0, size },
		  .flags = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE },
	};
}

static void begin(void)
{
	native_reset();
	native.networks[1].flags |= WF_NET_MASQUERADE;
	native.config.flags = WF_CONFIG_SERVICES;
	native.uplinks[0] =
		(struct native_uplink){ UPLINK, { .ip4 = ip4(0xc0000201), .l2_bytes = 14 } };
	native.uplink_count = 1;
	put_address(0xc0000201, WF_ADDR_HOST);
	put_address(0x0a600001, WF_ADDR_SERVICE);
	put_frontend(0x0a600001, 80, 1);
	put_frontend(0x0a600001, 81, 0);
	put_frontend(0, 30080, 1);
	put_frontend(0, 30081, 0);
	native.pages[0].backends[0] = 1;
	native.backends[1] =
		(struct wf_backend_value){ .addr = ip4(0x0a01000c),
					   .service = 1,
					   .slot = 2,
					   .port = htons(8080),
					   .flags = WF_BACKEND_VALID | WF_BACKEND_USABLE };
}

static __u32 dropped_as(void)
{
	for (__u32 i = 1; i < WF_REASON_COUNT; i++)
		if (native.drops[i].packets)
			return i;
	return 0;
}

enum way {
	OUT,
	IN,
	FROM
};

struct outcome {
	int action;
	__be16 sport;
};

static struct outcome run(enum way way, const struct wire_spec *spec, size_t len)
{
	static struct wire wire;
	struct outcome outcome = {};
	struct wf_ctx ctx;

	memset(native.drops, 0, sizeof(native.drops));
	wire_build(spec, &wire);
	memcpy(wire.bytes + 6, "\2\0\0\0\0\1", 6);
	native_packet(&ctx, wire.bytes, (__u32)(len < wire.len ? len : wire.len));
	ctx.ifindex = way == FROM ? WF_IFINDEX_BASE + 1 : UPLINK;
	outcome.action =
		way == FROM ? native_run(&ctx, false) : native_uplink_run(&ctx, way == OUT);
	if (ctx.len >= 36)
		memcpy(&outcome.sport, ctx.bytes + 34, 2);
	native_packet_done(&ctx);
	return outcome;
}

static const struct wire_spec leaving = { "10.1.0.11", "203.0.113.5", IPPROTO_TCP,
					  40000,       443,           .tcp_flags = 2 };

static void the_last_free_port_is_found(void **state)
{
	static const __u16 ports[] = { WF_NAT_FIRST_PORT, 33333, WF_NAT_LAST_PORT };

	for (size_t i = 0; i < 3; i++) {
		struct outcome outcome;

		begin();
		native.all_ports_but = htons(ports[i]);
		outcome = run(OUT, &leaving, SIZE_MAX);
		assert_int_equal(outcome.action, TC_ACT_UNSPEC);
		assert_int_equal(ntohs(outcome.sport), ports[i]);
		/* one that is known keeps it */
		assert_int_equal(run(OUT, &leaving, SIZE_MAX).sport, outcome.sport);
	}
}

/* A search in vain costs milliseconds: it is not repeated at once, but later. */
static void a_search_in_vain_is_remembered(void **state)
{
	struct wire_spec other = leaving;
	__u32 questions;

	begin();
	native.all_ports_but = htons(1);
	assert_int_equal(run(OUT, &leaving, SIZE_MAX).action, TC_ACT_SHOT);
	assert_int_equal(dropped_as(), WF_REASON_NAT_NO_PORT);
	/* every port was asked for, but those that the node offers to others */
	assert_int_equal(native.socket_questions, 1 + WF_NAT_LAST_PORT - WF_NAT_FIRST_PORT - 1);
	questions = native.socket_questions;
	other.sport = 40001;
	assert_int_equal(run(OUT, &other, SIZE_MAX).action, TC_ACT_SHOT);
	assert_true(native.socket_questions - questions < 10);
	assert_int_equal(native_conns.state.failed_ports, 2);
	/* another destination is not in the way */
	native.all_ports_but = 0;
	other.dport = 444;
	assert_int_equal(run(OUT, &other, SIZE_MAX).action, TC_ACT_UNSPEC);
	/* nor is the past */
	other.dport = 443;
	other.sport = 80;
	assert_int_equal(run(OUT, &other, SIZE_MAX).action, TC_ACT_SHOT);
	native.now_s += 4;
	assert_int_equal(run(OUT, &other, SIZE_MAX).action, TC_ACT_UNSPEC);
}

static void without_an_address_nothing_leaves(void **state)
{
	begin();
	memset(&native.uplinks[0].value.ip4, 0, sizeof(struct wf_addr));
	assert_int_equal(run(OUT, &leaving, SIZE_MAX).action, TC_ACT_SHOT);
	assert_int_equal(dropped_as(), WF_REASON_NAT_NO_ADDRESS);
}

static void a_full_table_keeps_what_it_has(void **state)
{
	struct wire_spec spec = leaving;
	__u32 refused = 0;

	begin();
	for (__u16 port = 1; port <= 80; port++) {
		spec.dport = port;
		if (run(OUT, &spec, SIZE_MAX).action == TC_ACT_UNSPEC)
			continue;
		assert_int_equal(dropped_as(), WF_REASON_CONN_TABLE_FULL);
		refused++;
	}
	assert_true(refused >= 80 - 63 && refused < 80);
	assert_int_equal(native_conns.state.live, 80 - refused);
	spec.dport = 1;
	assert_int_equal(run(OUT, &spec, SIZE_MAX).action, TC_ACT_UNSPEC);
}

static const struct {
	enum way way;
	struct wire_spec spec;
} packets[] = {
	{ OUT, { "10.1.0.11", "203.0.113.5", IPPROTO_TCP, 40000, 443, .tcp_flags = 2 } },
	{ OUT, { "10.1.0.11", "203.0.113.5", IPPROTO_UDP, 40000, 443, .payload = 9 } },
	{ OUT, { "10.1.0.11", "203.0.113.5", IPPROTO_ICMP, 40000, .type = 8 } },
	{ IN, { "192.0.2.9", "192.0.2.1", IPPROTO_TCP, 40000, 30080, .tcp_flags = 2 } },
	{ IN, { "192.0.2.9", "192.0.2.1", IPPROTO_TCP, 40000, 30081, .tcp_flags = 2 } },
	{ FROM, { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40000, 80, .tcp_flags = 2 } },
	{ FROM, { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40000, 81, .tcp_flags = 2 } },
	{ FROM, { "10.1.0.11", "10.96.0.1", IPPROTO_UDP, 40000, 82, .payload = 9 } },
};

/* Cut anywhere: never beyond the end, and no connection of what had no complete header. */
static void every_prefix_is_survived(void **state)
{
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (size_t len = 14; len < 80; len++) {
			begin();
			(void)run(packets[i].way, &packets[i].spec, len);
			if (len < 42)
				assert_int_equal(native_conns.state.live, 0);
		}
}

/* A helper that fails drops the packet, and nothing else happens. */
static void every_failing_helper_is_survived(void **state)
{
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		for (int helper = NATIVE_HELPER_NONE; helper <= NATIVE_HELPER_TYPE; helper++) {
			int action, fine;

			begin();
			fine = run(packets[i].way, &packets[i].spec, SIZE_MAX).action;
			begin();
			native.failing = (enum native_helper)helper;
			action = run(packets[i].way, &packets[i].spec, SIZE_MAX).action;
			assert_true(action == TC_ACT_SHOT || action == fine ||
				    action == TC_ACT_UNSPEC);
			if (helper == NATIVE_HELPER_STORE)
				assert_int_equal(action, TC_ACT_SHOT);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_free_port_is_found),
		cmocka_unit_test(a_search_in_vain_is_remembered),
		cmocka_unit_test(without_an_address_nothing_leaves),
		cmocka_unit_test(a_full_table_keeps_what_it_has),
		cmocka_unit_test(every_prefix_is_survived),
		cmocka_unit_test(every_failing_helper_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
