/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in the shipped object, step by step: who may begin, what answers, what a change cuts. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "lab.h"
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
	/* who may not begin does not end what is over, either */
	assert_int_equal(services_live(), 2);
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
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
