/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies in the shipped object, step by step: who may begin, what answers, what a change cuts,
 * services, and what observers are told.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "dp/conn_table.h"
#include "lab.h"
#include "packet.h"
#include "policies.h"
#include "world.h"

/* ---- containers ---------------------------------------------------------------------------- */

static void answers_pass_and_nothing_else(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT, .to_mac = 2 },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT, .to_mac = 1 },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "data", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK), .payload = 90 }, REDIRECT },
		{ "data back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK), .payload = 9 }, REDIRECT },
		{ "data back again", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT },
		{ "another port", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, DENIED(INGRESS) },
		{ "a port below", FROM, 1, { TCP(ONE, TWO, 40000, 79, SYN) }, DENIED(INGRESS) },
		{ "another protocol", FROM, 1, { UDP(ONE, TWO, 40000, 80) }, DENIED(INGRESS) },
		{ "the other begins", FROM, 2, { TCP(TWO, ONE, 40001, 80, SYN) }, DENIED(EGRESS) },
		{ "the other begins as if it answered",
		  FROM,
		  2,
		  { TCP(TWO, ONE, 80, 40000, SYN) },
		  DENIED(EGRESS) },
		{ "it is not disturbed", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "an answer to nothing",
		  FROM,
		  2,
		  { TCP(TWO, ONE, 80, 40009, ACK) },
		  DENIED(EGRESS) },
		{ "closes", FROM, 1, { TCP(ONE, TWO, 40000, 80, FIN_ACK) }, REDIRECT },
		{ "closes, too", FROM, 2, { TCP(TWO, ONE, 80, 40000, FIN_ACK) }, REDIRECT },
		{ "last word", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "begins, now that it is over",
		  FROM,
		  2,
		  { TCP(TWO, ONE, 80, 40000, SYN) },
		  DENIED(EGRESS) },
		{ "another container",
		  FROM,
		  3,
		  { TCP(THREE, TWO, 40000, 80, SYN) },
		  REDIRECT,
		  .to_mac = 2 },
		{ "its answer",
		  FROM,
		  2,
		  { TCP(TWO, THREE, 80, 40000, SYN_ACK) },
		  REDIRECT,
		  .to_mac = 3 },
	};

	/* the probe sees it: without a policy everything passes */
	static const struct step free_way = {
		"unguarded", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, REDIRECT
	};

	services_step(&free_way);
	assert_int_equal(services_live(), 0);
	subject(2, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 1);
	assert_int_equal(hits(21), 2);
	assert_int_equal(hits(20), 3);
	assert_int_equal(hits(10), 4);
}

/* ---- scopes -------------------------------------------------------------------------------- */

#define APART 9 /* a network that is a scope of its own */

/* Makes a slot one of that network, with an address that somebody else has in another one. */
static void move_apart(__u32 slot, const char *text, struct wf_ep_value *ret_before)
{
	const struct wf_addr_value value = { .slot = slot };
	struct wf_ep_value now;
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	assert_int_equal(wf_dp_endpoint_read(services_dp, slot, 1, ret_before), 0);
	now = *ret_before;
	now.network = now.scope = APART;
	now.ip4 = addr;
	assert_int_equal(wf_dp_address_set(services_dp, APART, &addr, &value, NULL), 0);
	assert_int_equal(wf_dp_endpoint_set(services_dp, slot, &now, NULL), 0);
}

static void the_same_tuple_in_two_scopes_is_two_connections(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT, .to_mac = 2 },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT, .to_mac = 1 },
		{ "data", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK), .payload = 9 }, REDIRECT },
		/* what is in force, and remembered, there says nothing here */
		{ "apart, an answer to nothing",
		  FROM,
		  5,
		  { TCP(TWO, ONE, 80, 40000, ACK), .payload = 9 },
		  DENIED(EGRESS) },
		{ "apart, begins",
		  FROM,
		  4,
		  { TCP(ONE, TWO, 40000, 80, SYN) },
		  REDIRECT,
		  .to_mac = 5 },
		{ "apart, answer",
		  FROM,
		  5,
		  { TCP(TWO, ONE, 80, 40000, SYN_ACK) },
		  REDIRECT,
		  .to_mac = 4 },
		{ "apart, data", FROM, 5, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT },
		{ "apart, whom the other one knows",
		  FROM,
		  4,
		  { TCP(ONE, "10.1.0.111", 40000, 80, SYN) },
		  .action = TC_ACT_SHOT,
		  .reason = WF_REASON_NO_SUCH_ADDRESS },
		{ "apart, the host",
		  FROM,
		  4,
		  { TCP(ONE, TO_H, 40000, 80, SYN) },
		  .action = TC_ACT_SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT, .to_mac = 2 },
	};
	static const struct step cut[] = {
		{ "apart, cut", FROM, 4, { TCP(ONE, TWO, 40000, 80, ACK) }, DENIED(INGRESS) },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
	};
	struct wf_net_value network = {
		.flags = WF_NET_VALID | WF_NET_IPV4 | WF_NET_ISOLATED | WF_NET_INTERNAL |
			 WF_NET_SCOPED,
		.subnet_count = 1,
	};
	struct wf_ep_value before[2];

	assert_int_equal(wf_addr_parse("10.1.0.0", &network.subnets[0].base), 0);
	memset(&network.subnets[0].mask, 0xff, sizeof(network.subnets[0].mask));
	network.subnets[0].mask.bytes[15] = 0;
	assert_int_equal(wf_dp_network_set(services_dp, APART, &network, NULL), 0);
	move_apart(4, ONE, &before[0]);
	move_apart(5, TWO, &before[1]);
	subject(2, WEB, NOTHING, 0);
	subject(5, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 2);
	subject(5, NOTHING, NOTHING, 0);
	revise();
	SERVICES_STEPS(cut);
	assert_int_equal(wf_dp_endpoint_set(services_dp, 4, &before[0], NULL), 0);
	assert_int_equal(wf_dp_endpoint_set(services_dp, 5, &before[1], NULL), 0);
	assert_int_equal(wf_dp_network_set(services_dp, APART, NULL, NULL), 0);
}

static void ipv6_is_judged_alike(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP("fd01::11", "fd01::12", 40000, 80, SYN) }, REDIRECT },
		{ "answer",
		  FROM,
		  2,
		  { TCP("fd01::12", "fd01::11", 80, 40000, SYN_ACK) },
		  REDIRECT },
		{ "another port",
		  FROM,
		  1,
		  { TCP("fd01::11", "fd01::12", 40000, 81, SYN) },
		  DENIED(INGRESS) },
		{ "the other begins",
		  FROM,
		  2,
		  { TCP("fd01::12", "fd01::11", 40000, 80, SYN) },
		  DENIED(EGRESS) },
	};

	subject(2, WEB, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void peers_are_told_apart_by_class(void **state)
{
	static const struct step steps[] = {
		{ "chosen", FROM, 1, { UDP(ONE, TWO, 40000, 53) }, REDIRECT },
		{ "its answer", FROM, 2, { UDP(TWO, ONE, 53, 40000) }, REDIRECT },
		{ "not chosen", FROM, 3, { UDP(THREE, TWO, 40000, 53) }, DENIED(INGRESS) },
		{ "routed from a prefix",
		  FROM_HOST,
		  0,
		  { UDP("203.0.113.8", TWO, 40000, 53) },
		  REDIRECT },
		{ "its answer goes out",
		  FROM,
		  2,
		  { UDP(TWO, "203.0.113.8", 53, 40000) },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "routed from elsewhere",
		  FROM_HOST,
		  0,
		  { UDP("203.0.114.8", TWO, 40000, 53) },
		  DENIED(INGRESS) },
		{ "routed, excepted",
		  FROM_HOST,
		  0,
		  { UDP("203.0.113.9", TWO, 40000, 53) },
		  DENIED(INGRESS) },
		{ "begins with outside",
		  FROM,
		  2,
		  { UDP(TWO, "203.0.113.8", 40000, 53) },
		  DENIED(EGRESS) },
	};

	subject(1, 0, 0, CHOSEN);
	subject(2, PICKY, NOTHING, 0);
	rules_prefix(services_dp, "203.0.113.0/24", CHOSEN);
	rules_prefix(services_dp, "203.0.113.9/32", 6);
	SERVICES_STEPS(steps);
}

/* A further address of an endpoint may be of another class; subnets around it say nothing. */
static void odd_addresses_have_classes_of_their_own(void **state)
{
	static const struct step steps[] = {
		{ "first address", FROM, 1, { UDP(ONE, TWO, 40000, 53) }, DENIED(INGRESS) },
		{ "further address", FROM, 1, { UDP("10.1.0.111", TWO, 40000, 53) }, REDIRECT },
	};

	subject(1, 0, 0, 3 | WF_POLICY_CLASS_ODD);
	subject(2, PICKY, 0, 0);
	rules_prefix(services_dp, "10.1.0.0/16", CHOSEN);
	rules_prefix(services_dp, "10.1.0.111/32", CHOSEN);
	SERVICES_STEPS(steps);
}

static void an_echo_request_is_no_answer(void **state)
{
	static const struct step steps[] = {
		{ "request", FROM, 1, { PING(ONE, TWO, 8) }, REDIRECT },
		{ "its answer", FROM, 2, { PING(TWO, ONE, 0) }, REDIRECT },
		{ "a request back", FROM, 2, { PING(TWO, ONE, 8) }, DENIED(EGRESS) },
		{ "an answer to nothing",
		  FROM,
		  2,
		  { TWO, ONE, IPPROTO_ICMP, 78, .type = 0 },
		  DENIED(EGRESS) },
		{ "a timestamp", FROM, 1, { PING(ONE, TWO, 13) }, DENIED(INGRESS) },
		{ "request, IPv6",
		  FROM,
		  1,
		  { "fd01::11", "fd01::12", IPPROTO_ICMPV6, 77, .type = 128 },
		  REDIRECT },
		{ "its answer",
		  FROM,
		  2,
		  { "fd01::12", "fd01::11", IPPROTO_ICMPV6, 77, .type = 129 },
		  REDIRECT },
		{ "a request back",
		  FROM,
		  2,
		  { "fd01::12", "fd01::11", IPPROTO_ICMPV6, 77, .type = 128 },
		  DENIED(EGRESS) },
	};

	subject(2, ECHO, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void errors_follow_their_connection(void **state)
{
	static const struct wire_spec sent = { TCP(ONE, TWO, 40000, 80, SYN) };
	static const struct wire_spec other = { TCP(ONE, TWO, 40001, 80, SYN) };
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "too big",
		  FROM,
		  2,
		  { TWO, ONE, IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &sent, .mtu = 1400 },
		  REDIRECT },
		{ "about nothing",
		  FROM,
		  2,
		  { TWO, ONE, IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &other, .mtu = 1400 },
		  DENIED(EGRESS) },
		{ "from a router",
		  FROM_HOST,
		  0,
		  { "198.18.0.1", ONE, IPPROTO_ICMP, .type = 11, .quoted = &sent },
		  REDIRECT },
		{ "about nothing, from a router",
		  FROM_HOST,
		  0,
		  { "198.18.0.1", ONE, IPPROTO_ICMP, .type = 11, .quoted = &other },
		  DENIED(INGRESS) },
		{ "in the name of another",
		  FROM,
		  3,
		  { THREE, ONE, IPPROTO_ICMP, .type = 3, .code = 3, .quoted = &sent },
		  DENIED(INGRESS) },
	};

	subject(1, NOTHING, EVERYTHING, 0);
	subject(2, WEB, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void fragments_share_a_fate(void **state)
{
	static const struct step steps[] = {
		{ "first",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 9 },
		  REDIRECT },
		{ "later",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 9 },
		  REDIRECT },
		{ "of another packet: waits",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 10 },
		  .action = TC_ACT_SHOT },
		{ "its first one starts again, and the later one after it",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 10 },
		  .action = TC_ACT_SHOT,
		  .out = { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
			   .fragment_bytes = 208, .id = 10 } },
		{ "first, again",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 10 },
		  REDIRECT },
		{ "later, again",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 10 },
		  REDIRECT },
		{ "later, before what is forbidden",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 },
		  .action = TC_ACT_SHOT },
		{ "forbidden, which it learns by starting again",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 11 },
		  .action = TC_ACT_SHOT,
		  .out = { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
			   .fragment_bytes = 208, .id = 11 } },
		{ "forbidden, again",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 11 },
		  DENIED(INGRESS) },
		{ "later of what is forbidden, again",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 },
		  DENIED(INGRESS) },
		{ "first, forbidden",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_bytes = 800,
		    .id = 9 },
		  DENIED(INGRESS) },
		{ "later, forbidden",
		  FROM,
		  3,
		  { THREE, TWO, IPPROTO_UDP, 40000, 53, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 9 },
		  DENIED(INGRESS) },
	};

	subject(1, 0, 0, CHOSEN);
	subject(2, PICKY, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void other_protocols_are_judged_whole(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { ONE, TWO, 47, .payload = 20 }, REDIRECT },
		{ "answer", FROM, 2, { TWO, ONE, 47, .payload = 20 }, REDIRECT },
		{ "the other begins", FROM, 2, { TWO, THREE, 47, .payload = 20 }, DENIED(EGRESS) },
		{ "another protocol", FROM, 1, { ONE, TWO, 50, .payload = 20 }, DENIED(INGRESS) },
		{ "TCP", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, DENIED(INGRESS) },
		{ "SCTP",
		  FROM,
		  1,
		  { ONE, TWO, IPPROTO_SCTP, 5000, 80, .payload = 20 },
		  DENIED(INGRESS) },
	};

	subject(2, TUNNEL, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void what_is_under_way_goes_on_where_it_could_have_begun(void **state)
{
	static const struct step forth = {
		"under way", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT
	};
	static const struct step back = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT
	};
	static const struct step denied = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(EGRESS)
	};
	static const struct step reset = {
		"reset", FROM, 1, { TCP(ONE, TWO, 40000, 80, 4) }, REDIRECT
	};

	/* neither way */
	subject(2, NOTHING, NOTHING, 0);
	services_step(&denied);
	assert_int_equal(services_live(), 0);
	/* one way: passes, and is no leave to answer */
	subject(2, WEB, NOTHING, 0);
	revise();
	services_step(&forth);
	services_step(&forth);
	assert_int_equal(services_live(), 0);
	services_step(&denied);
	/* both ways */
	subject(2, WEB, EVERYTHING, 0);
	revise();
	services_step(&reset);
	assert_int_equal(services_live(), 0);
	services_step(&forth);
	assert_int_equal(services_live(), 1);
	services_step(&back);
	assert_int_equal(services_live(), 1);
}

static void a_change_cuts(void **state)
{
	static const struct step begins = {
		"begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT
	};
	static const struct step goes_on = {
		"goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT
	};
	static const struct step answers = {
		"answers", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT
	};
	static const struct step cut = {
		"cut", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, DENIED(INGRESS)
	};
	static const struct step cut_answer = {
		"cut answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(INGRESS)
	};

	subject(2, WEB, NOTHING, 0);
	services_step(&begins);
	services_step(&answers);
	services_step(&goes_on);
	services_step(&goes_on);
	subject(2, ECHO, NOTHING, 0);
	revise();
	services_step(&cut);
	services_step(&cut_answer);
	assert_int_equal(hits(40), 2);
	/* a change that allows as much lets it be */
	subject(2, EVERYTHING, NOTHING, 0);
	revise();
	services_step(&goes_on);
	services_step(&answers);
}

/* ---- services ------------------------------------------------------------------------------ */

#define TO_WEB                                              \
	{                                                   \
		ONE, "10.96.0.1", SERVICES_TCP, .dport = 80 \
	}
#define AS_WEB                                        \
	{                                             \
		ONE, TWO, SERVICES_TCP, .dport = 8080 \
	}

static void services_are_judged_by_their_backend(void **state)
{
	static const struct step denied_out = { "egress", FROM, 1, TO_WEB, DENIED(EGRESS) };
	static const struct step denied_in = { "ingress", FROM, 1, TO_WEB, DENIED(INGRESS) };
	static const struct step begins = { "begins", FROM, 1, TO_WEB, REDIRECT, AS_WEB };
	static const struct step answers = {
		"answers", FROM,
		2,         { TCP(TWO, ONE, 8080, 40000, SYN_ACK) },
		REDIRECT,  { TCP("10.96.0.1", ONE, 80, 40000, SYN_ACK) }
	};
	static const struct step goes_on = { "goes on", FROM,
					     1,         { TCP(ONE, "10.96.0.1", 40000, 80, ACK) },
					     REDIRECT,  { TCP(ONE, TWO, 40000, 8080, ACK) } };
	static const struct step cut = {
		"cut", FROM, 1, { TCP(ONE, "10.96.0.1", 40000, 80, ACK) }, DENIED(INGRESS)
	};
	static const struct step cut_answer = {
		"cut answer", FROM, 2, { TCP(TWO, ONE, 8080, 40000, ACK) }, DENIED(INGRESS)
	};

	/* TCP 80 is the service's port, not the backend's */
	subject(1, 0, WEB, 0);
	services_step(&denied_out);
	assert_int_equal(services_live(), 0);
	subject(1, 0, BACKENDS, 0);
	subject(2, NOTHING, NOTHING, 0);
	revise();
	services_step(&denied_in);
	assert_int_equal(services_live(), 0);
	subject(2, BACKENDS, NOTHING, 0);
	revise();
	services_step(&begins);
	services_step(&answers);
	services_step(&goes_on);
	services_step(&goes_on);
	assert_int_equal(services_live(), 1);
	assert_int_equal(hits(81), 2);
	subject(2, NOTHING, NOTHING, 0);
	revise();
	services_step(&cut);
	services_step(&cut_answer);
}

static void to_oneself_is_nobodys_business(void **state)
{
	static const struct step steps[] = {
		{ "to itself",
		  FROM,
		  1,
		  { ONE, "10.96.0.3", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.96.0.3", ONE, SERVICES_TCP, .dport = 8080 },
		  .to_mac = 1 },
		{ "from itself",
		  FROM,
		  1,
		  { TCP(ONE, "10.96.0.3", 8080, 40000, SYN_ACK) },
		  REDIRECT,
		  { TCP("10.96.0.3", ONE, 80, 40000, SYN_ACK) },
		  .to_mac = 1 },
		{ "to anybody else", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, DENIED(EGRESS) },
	};

	subject(1, NOTHING, NOTHING, 0);
	SERVICES_STEPS(steps);
}

static void a_backend_elsewhere_is_judged_by_its_address(void **state)
{
	static const struct step denied = {
		"denied", FROM, 1, { ONE, "10.96.0.4", SERVICES_TCP, .dport = 80 }, DENIED(EGRESS)
	};
	static const struct step steps[] = {
		{ "allowed",
		  FROM,
		  1,
		  { ONE, "10.96.0.4", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { ONE, "203.0.113.9", SERVICES_TCP, .dport = 8080 } },
		{ "answer",
		  FROM_HOST,
		  0,
		  { TCP("203.0.113.9", ONE, 8080, 40000, SYN_ACK) },
		  REDIRECT,
		  { TCP("10.96.0.4", ONE, 80, 40000, SYN_ACK) } },
	};

	subject(1, NOTHING, PICKY, 0);
	services_step(&denied);
	rules_prefix(services_dp, "203.0.113.0/24", CHOSEN);
	revise();
	SERVICES_STEPS(steps);
}

/* A client that asked before there was a service is not kept from it by what was recorded then. */
static void a_service_takes_over_what_was_no_service(void **state)
{
	static const struct step before = { "before", FROM,
					    1,        { UDP(ONE, "10.96.0.1", 40000, 53) },
					    REDIRECT, .to_mac = MAC_HOST };
	static const struct step after = {
		"after", FROM, 1, { UDP(ONE, "10.96.0.1", 40000, 53) }, REDIRECT
	};
	static struct wire in, out;

	subject(1, 0, EVERYTHING, 0);
	services_configure(0, 0);
	services_step(&before);
	assert_int_equal(services_live(), 1);
	services_configure(WF_CONFIG_SERVICES, 0);
	assert_int_equal(services_run(&after, &in, &out), TC_ACT_REDIRECT);
	assert_memory_not_equal(out.bytes + 30, in.bytes + 30, 4);
	assert_int_equal(services_live(), 1);
}

/* ---- what is told -------------------------------------------------------------------------- */

static struct wf_event last;

static void keep(const struct wf_event *event, void *context)
{
	last = *event;
}

static int read_events(void)
{
	memset(&last, 0, sizeof(last));
	return wf_dp_event_read(services_dp, keep, NULL);
}

static void observers_are_told_the_rule(void **state)
{
	static const struct step denied = {
		"denied", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, DENIED(INGRESS)
	};
	static const struct step allowed = {
		"allowed", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT
	};
	static const struct step on_trial = {
		"on trial", FROM, 3, { TCP(THREE, ONE, 40000, 81, SYN) }, REDIRECT
	};
	static const struct step goes_on = {
		"goes on", FROM, 3, { TCP(THREE, ONE, 40000, 81, ACK) }, REDIRECT
	};

	subject(1, TRIAL, 0, 0);
	subject(2, WEB, NOTHING, 0);
	services_configure(WF_CONFIG_SERVICES, WF_OBSERVE_DROPS);
	services_step(&denied);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_DROP);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(last.verdict, WF_POLICY_DENY);
	assert_int_equal(last.rule, 20);
	assert_int_equal(last.ends[WF_POLICY_INGRESS].profile, WEB);
	services_step(&on_trial);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_AUDIT);
	assert_int_equal(last.verdict, WF_POLICY_AUDIT);
	assert_int_equal(last.rule, 50);
	assert_int_equal(last.reason, 0);
	services_step(&goes_on);
	assert_int_equal(read_events(), 0);
	assert_int_equal(hits(50), 1);
	services_configure(WF_CONFIG_SERVICES, WF_OBSERVE_FIRST);
	services_step(&allowed);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_FIRST);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.rule, 21);
}

/* Asks as `weft why` does. */
static int ask(enum wf_dp_program program, __u32 ifindex, const struct wire_spec *spec)
{
	static struct wire wire;
	struct wf_dp_packet packet = { .program = program, .ifindex = ifindex };
	__u32 slot = ifindex - WF_IFINDEX_BASE;

	wire_build(spec, &wire);
	packet_mac(MAC_HOST, wire.bytes);
	packet_mac(slot && slot < WORLD_SLOTS ? (__u16)slot : MAC_HOST, wire.bytes + 6);
	packet.bytes = wire.bytes;
	packet.len = wire.len;
	return wf_dp_trace(services_dp, &packet, &last, keep, NULL, NULL);
}

static void questions_leave_no_trace(void **state)
{
	static const struct wire_spec direct = { TCP(ONE, TWO, 40000, 80, SYN) };
	static const struct wire_spec service = TO_WEB;
	static const struct wire_spec spoofed = { TCP("10.1.0.99", TWO, 40000, 80, SYN) };
	static const struct wire_spec outside = { TCP(ONE, "203.0.113.5", 40000, 80, SYN) };
	static const struct wire_spec web_host = { TCP("192.0.2.9", TO_H, 40000, 80, SYN) };
	static const struct wire_spec node_port = { "192.0.2.9", TO_H, SERVICES_TCP,
						    .dport = 30080 };
	static const struct wire_spec probe = { TCP("10.1.0.1", TWO, 40000, 80, SYN) };
	static const __u32 one = WF_IFINDEX_BASE + 1;
	struct wf_counter before[WF_REASON_COUNT], after[WF_REASON_COUNT];
	struct wf_traffic_value sent, sent_after;

	assert_int_equal(wf_dp_drops_read(services_dp, before), 0);
	assert_int_equal(wf_dp_traffic_read(services_dp, 1, &sent), 0);
	/* nobody is guarded */
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &direct), 0);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.way, WF_EVENT_WAY_ENDPOINT);
	assert_int_equal(last.peer_slot, 2);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &spoofed), 0);
	assert_int_equal(last.reason, WF_REASON_SPOOFED_IP);
	/* both ends are told, whichever denies */
	subject(1, 0, EVERYTHING, 3);
	subject(2, NOTHING, NOTHING, 4);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &direct), 0);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(last.rule, 10);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].profile, EVERYTHING);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].class_id, 4);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.ends[WF_POLICY_INGRESS].class_id, 3);
	subject(2, BACKENDS, NOTHING, 4);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &service), 0);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.rule, 81);
	assert_int_equal(last.translated, WF_EVENT_TRANSLATED_DST);
	assert_int_equal(last.nat_port, htons(8080));
	assert_int_equal(last.peer_slot, 2);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &outside), 0);
	assert_int_equal(last.way, WF_EVENT_WAY_HOST);
	assert_int_equal(last.rule, 30);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, WF_IFINDEX_BASE, &probe), 0);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(ask(WF_DP_FROM_UPLINK, services_uplink, &node_port), 0);
	assert_int_equal(last.rule, 81);
	assert_int_equal(last.peer_slot, 2);
	subject(0, WEB, 0, 0);
	assert_int_equal(ask(WF_DP_FROM_UPLINK, services_uplink, &web_host), 0);
	assert_int_equal(last.rule, 21);
	assert_int_equal(last.way, WF_EVENT_WAY_HOST);
	assert_int_equal(services_live(), 0);
	assert_int_equal(hits(81), 0);
	assert_int_equal(hits(10), 0);
	assert_int_equal(wf_dp_drops_read(services_dp, after), 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(wf_dp_traffic_read(services_dp, 1, &sent_after), 0);
	assert_memory_equal(&sent, &sent_after, sizeof(sent));
}

/* ---- what the daemon remembers for them ---------------------------------------------------- */

static void seeds_let_connections_go_on(void **state)
{
	static const struct step denied = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(EGRESS)
	};
	static const struct step back = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT
	};
	static const struct wire_spec spec = { TCP(ONE, TWO, 40000, 80, ACK) };
	static const struct wire_spec reverse = { TCP(TWO, ONE, 80, 40000, ACK) };
	struct wf_conn_seed seed = {
		.flags = WF_CONN_POLICY, .owner = 1, .peer = 2, .phase = WF_CONN_ESTABLISHED
	};

	wire_tuple(&spec, &seed.tuple[WF_DIR_ORIGINAL]);
	wire_tuple(&reverse, &seed.tuple[WF_DIR_REPLY]);
	seed.tuple[WF_DIR_ORIGINAL].site = WF_SITE_CONTAINER;
	seed.tuple[WF_DIR_REPLY].site = WF_SITE_CONTAINER;
	subject(2, WEB, NOTHING, 0);
	services_step(&denied);
	assert_int_equal(wf_dp_conn_seed(services_dp, &seed, 1), 1);
	assert_int_equal(services_live(), 1);
	services_step(&back);
	/* what is known already is left as it is */
	assert_int_equal(wf_dp_conn_seed(services_dp, &seed, 1), 0);
	assert_int_equal(services_live(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_pass_and_nothing_else, begin),
		cmocka_unit_test_setup(the_same_tuple_in_two_scopes_is_two_connections, begin),
		cmocka_unit_test_setup(ipv6_is_judged_alike, begin),
		cmocka_unit_test_setup(peers_are_told_apart_by_class, begin),
		cmocka_unit_test_setup(odd_addresses_have_classes_of_their_own, begin),
		cmocka_unit_test_setup(an_echo_request_is_no_answer, begin),
		cmocka_unit_test_setup(errors_follow_their_connection, begin),
		cmocka_unit_test_setup(fragments_share_a_fate, begin),
		cmocka_unit_test_setup(other_protocols_are_judged_whole, begin),
		cmocka_unit_test_setup(what_is_under_way_goes_on_where_it_could_have_begun, begin),
		cmocka_unit_test_setup(a_change_cuts, begin),
		cmocka_unit_test_setup(services_are_judged_by_their_backend, begin),
		cmocka_unit_test_setup(to_oneself_is_nobodys_business, begin),
		cmocka_unit_test_setup(a_backend_elsewhere_is_judged_by_its_address, begin),
		cmocka_unit_test_setup(a_service_takes_over_what_was_no_service, begin),
		cmocka_unit_test_setup(observers_are_told_the_rule, begin),
		cmocka_unit_test_setup(questions_leave_no_trace, begin),
		cmocka_unit_test_setup(seeds_let_connections_go_on, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
