/* SPDX-License-Identifier: Apache-2.0 */
/* Fragments at a device that leads outside: in any order, kept until it is known for whom. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab.h"
#include "services.h"

/* One that comes in fragments. */
#define DATAGRAM       IPPROTO_UDP, 40000, 53, .payload = 1000
#define ANSWER_TO(who) "203.0.113.5", who, IPPROTO_UDP, 53, 40000, .payload = 1000
#define ANSWER         ANSWER_TO(TO_H)

static void fragments_in_any_order(void **state)
{
	static const struct step steps[] = {
		{ "first",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 9 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 9 } },
		{ "the rest",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 9 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 9 } },
		{ "the rest before the first",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 10 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 10 } },
		{ "and the first after it",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 10 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 10 } },
		{ "over IPv6",
		  GOES_OUT,
		  0,
		  { "fd01::11", "2001:db8:1::5", DATAGRAM, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 },
		  GO_ON,
		  { "2001:db8::1", "2001:db8:1::5", DATAGRAM, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 } },
		{ "of a network that is not masqueraded",
		  GOES_OUT,
		  0,
		  { "10.3.0.14", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 12 },
		  GO_ON },
		{ "of a protocol without ports",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_GRE, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 200, .id = 13 },
		  SHOT,
		  .reason = WF_REASON_NAT_PROTOCOL },
		{ "an answer's rest waits for whoever knows whom it is for",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 },
		  SHOT },
		{ "who starts again, and before that lets the rest go",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_bytes = 800, .id = 14 },
		  SHOT,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 } },
		{ "as it comes again",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_bytes = 800, .id = 14 },
		  GO_ON,
		  { ANSWER_TO("10.1.0.11"), .fragment_bytes = 800, .id = 14 } },
		{ "and the rest after it",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 },
		  GO_ON,
		  { ANSWER_TO("10.1.0.11"), .fragment_at = 800, .fragment_bytes = 208, .id = 14 } },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 1);
}

/* Places for those that wait are few, and a device gets no more than its share. */
static void a_flood_of_fragments(void **state)
{
	struct step known = { "a connection",
			      GOES_OUT,
			      0,
			      { "10.1.0.11", "203.0.113.5", DATAGRAM },
			      GO_ON,
			      { TO_H, "203.0.113.5", DATAGRAM } };
	struct step rest = {
		"rest", COMES_IN, 0, { ANSWER, .fragment_at = 800, .fragment_bytes = 208 }, SHOT
	};
	struct wf_counter before[WF_REASON_COUNT], after[WF_REASON_COUNT];
	static struct wire in, out;

	services_step(&known);
	for (rest.in.id = 100; rest.in.id < 100 + WF_HELD_SHARE; rest.in.id++)
		services_step(&rest);
	/* it may be the host's: the stack puts it together in any order */
	rest.action = SERVICES_GO_ON;
	services_step(&rest);
	/* those that waited in vain make room for others, and are counted */
	(void)sleep(3);
	assert_int_equal(wf_dp_drops_read(services_dp, before), 0);
	assert_int_equal(services_run(&rest, &in, &out), TC_ACT_SHOT);
	assert_int_equal(wf_dp_drops_read(services_dp, after), 0);
	assert_int_equal(after[WF_REASON_NAT_FRAGMENT].packets -
				 before[WF_REASON_NAT_FRAGMENT].packets,
			 WF_HELD_SHARE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(fragments_in_any_order, services_begin),
		cmocka_unit_test_setup(a_flood_of_fragments, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
