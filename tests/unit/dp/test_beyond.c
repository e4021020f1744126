/* SPDX-License-Identifier: Apache-2.0 */
/* The way out past the host's stack: what is asked of its routes, how often, and what is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/beyond.h"

#include "native.h"
#include "wire.h"

#define HOST   77
#define UPLINK 5
#define TTL4   (ETH_HLEN + WF_IP4_TTL_OFFSET)
#define TTL6   (ETH_HLEN + WF_IP6_TTL_OFFSET)

static const __u8 next_hop[6] = { 2, 0, 0, 0, 0xaa, 2 };

static const struct wire_spec small = { "10.1.0.11", "203.0.113.5", IPPROTO_TCP, 40000, 443 };
static const struct wire_spec large = { "10.1.0.11", "203.0.113.5", IPPROTO_TCP,
					40000,       443,           .payload = 1000 };
static const struct wire_spec small6 = { "fd01::11", "2001:db8:1::5", IPPROTO_UDP, 40000, 53 };

/* The last packet: as it was, and as it is now. */
static struct wire before, after;

static int setup(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	native.config.host_ifindex = HOST;
	native.uplink_count = 1;
	native.uplinks[0].ifindex = UPLINK;
	native.uplinks[0].value.l2_bytes = ETH_HLEN;
	native.route_moment = 1000;
	memcpy(native.neighbour, next_hop, sizeof(next_hop));
	return 0;
}

/* Sends the packet in `before`, whose segments have `gso` bytes; the action. */
static int send_as_it_is(__u32 gso)
{
	struct wf_ctx ctx;
	struct wf_flow flow;
	struct wf_ip ip;
	int action;

	native_packet(&ctx, before.bytes, before.len);
	ctx.ifindex = UPLINK;
	ctx.gso = gso;
	assert_int_equal(native_flow_read(&ctx, ETH_HLEN, WF_SITE_EDGE, &ip, &flow), 0);
	action = wf_beyond_send(&ctx, &ip);
	memcpy(after.bytes, ctx.bytes, ctx.len);
	after.len = ctx.len;
	native_packet_done(&ctx);
	return action;
}

static int send(const struct wire_spec *spec)
{
	wire_build(spec, &before);
	return send_as_it_is(0);
}

/* Sends, and checks what has been asked by then and whether the program wrote the MACs itself. */
static void goes(const struct wire_spec *spec, __u32 questions, bool has_macs)
{
	__u8 macs[12];
	struct wire wanted;

	memcpy(macs, next_hop, sizeof(next_hop));
	memset(macs + sizeof(next_hop), UPLINK, sizeof(macs) - sizeof(next_hop));
	assert_int_equal(send(spec), TC_ACT_REDIRECT);
	assert_int_equal(native.route_questions, questions);
	assert_int_equal(native.redirect, UPLINK);
	assert_int_equal(after.len, before.len);
	assert_true(wire_is_right(after.bytes + ETH_HLEN, after.len - ETH_HLEN));
	/* one hop less, and its checksum where there is one; nothing else */
	wanted = before;
	if (has_macs)
		memcpy(wanted.bytes, macs, sizeof(macs));
	if (strchr(spec->src, ':')) {
		wanted.bytes[TTL6]--;
	} else {
		wanted.bytes[TTL4]--;
		memcpy(wanted.bytes + TTL4 + 2, after.bytes + TTL4 + 2, 2);
	}
	assert_memory_equal(after.bytes, wanted.bytes, wanted.len);
}

/* The packet is left to the stack, as it was. */
static void stays(const struct wire_spec *spec, __u32 questions)
{
	assert_int_equal(send(spec), WF_GO_ON);
	assert_int_equal(native.route_questions, questions);
	assert_memory_equal(after.bytes, before.bytes, before.len);
}

static void routes_are_asked_once_in_a_moment(void **state)
{
	(void)state;
	goes(&small, 1, false);
	goes(&small, 1, true);
	native.route_moment++;
	goes(&small, 2, false);
	goes(&small, 2, true);
	goes(&small6, 3, false);
	goes(&small6, 3, true);
}

static void an_answer_is_good_for_what_was_asked(void **state)
{
	struct wire_spec other = small;

	(void)state;
	goes(&small, 1, false);
	goes(&large, 2, false);
	goes(&large, 2, true);
	goes(&small, 2, true);
	other.proto = IPPROTO_UDP;
	goes(&other, 3, false);
	other.dst = "203.0.113.6";
	goes(&other, 4, false);
	other.src = "10.1.0.12";
	goes(&other, 5, false);
	native.config.host_ifindex++;
	goes(&other, 6, false);
}

static void of_segments_the_longest_counts(void **state)
{
	(void)state;
	wire_build(&large, &before);
	/* with its headers of 40 bytes one is as long as that of the packet which is asked for */
	assert_int_equal(send_as_it_is(500), TC_ACT_REDIRECT);
	assert_int_equal(send_as_it_is(500), TC_ACT_REDIRECT);
	assert_int_equal(native.route_questions, 1);
	goes(&small, 1, true);
	goes(&large, 2, false);
}

static void a_neighbour_that_is_not_known_is_asked_for(void **state)
{
	(void)state;
	memset(native.neighbour, 0, sizeof(native.neighbour));
	goes(&small, 1, false);
	goes(&small, 2, false);
	memcpy(native.neighbour, next_hop, sizeof(next_hop));
	goes(&small, 3, false);
	goes(&small, 3, true);
	/* by then it has gone again */
	memset(native.neighbour, 0, sizeof(native.neighbour));
	native.route_moment++;
	goes(&small, 4, false);
	goes(&small, 5, false);
}

static void devices_without_ethernet_have_no_macs(void **state)
{
	(void)state;
	native.uplinks[0].value.l2_bytes = 0;
	goes(&small, 1, false);
	goes(&small, 2, false);
}

static void other_devices_are_for_the_stack(void **state)
{
	(void)state;
	native.uplink_count = 0;
	stays(&small, 1);
	stays(&small, 2);
	native.uplink_count = 1;
	goes(&small, 3, false);
	goes(&small, 3, true);
}

/* Sends a packet that may go no further; it stays as it is. */
static void expires(const struct wire_spec *spec, __u32 ttl_at)
{
	wire_build(spec, &before);
	before.bytes[ttl_at] = 1;
	assert_int_equal(send_as_it_is(0), WF_GO_ON);
	assert_memory_equal(after.bytes, before.bytes, before.len);
}

static void whose_time_is_over_is_for_the_stack(void **state)
{
	(void)state;
	/* neither remembered, nor remembered for others */
	expires(&small, TTL4);
	expires(&small6, TTL6);
	goes(&small, 3, false);
	goes(&small6, 4, false);
	expires(&small, TTL4);
	expires(&small6, TTL6);
	goes(&small, 4, true);
	goes(&small6, 4, true);
}

static void what_cannot_be_written_is_for_the_stack(void **state)
{
	(void)state;
	goes(&small, 1, false);
	native.failing = NATIVE_HELPER_STORE;
	stays(&small, 1);
	native.route_moment++;
	stays(&small, 2);
	stays(&small, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(routes_are_asked_once_in_a_moment, setup),
		cmocka_unit_test_setup(an_answer_is_good_for_what_was_asked, setup),
		cmocka_unit_test_setup(of_segments_the_longest_counts, setup),
		cmocka_unit_test_setup(a_neighbour_that_is_not_known_is_asked_for, setup),
		cmocka_unit_test_setup(devices_without_ethernet_have_no_macs, setup),
		cmocka_unit_test_setup(other_devices_are_for_the_stack, setup),
		cmocka_unit_test_setup(whose_time_is_over_is_for_the_stack, setup),
		cmocka_unit_test_setup(what_cannot_be_written_is_for_the_stack, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
