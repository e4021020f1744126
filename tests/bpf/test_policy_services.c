/* SPDX-License-Identifier: Apache-2.0 */
/* Policies about services in the shipped object: they are judged by their backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab.h"
#include "policies.h"
#include "world.h"

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

/* The host's own packets to a service are judged as those that it sends to the backend itself. */
static void the_host_is_judged_by_the_backend(void **state)
{
	static const struct step denied = {
		"denied", FROM_HOST, 0, { TCP(TO_H, "10.96.0.1", 40000, 80, SYN) }, DENIED(INGRESS)
	};
	static const struct step steps[] = {
		{ "allowed",
		  FROM_HOST,
		  0,
		  { TCP(TO_H, "10.96.0.1", 40000, 80, SYN) },
		  REDIRECT,
		  { TCP("10.1.0.1", TWO, 40000, 8080, SYN) } },
		{ "its answer",
		  FROM,
		  2,
		  { TCP(TWO, "10.1.0.1", 8080, 40000, SYN_ACK) },
		  REDIRECT,
		  { TCP("10.96.0.1", TO_H, 80, 40000, SYN_ACK) } },
	};
	static const struct step cut[] = {
		{ "cut",
		  FROM_HOST,
		  0,
		  { TCP(TO_H, "10.96.0.1", 40000, 80, ACK) },
		  DENIED(INGRESS) },
		{ "cut answer",
		  FROM,
		  2,
		  { TCP(TWO, "10.1.0.1", 8080, 40000, ACK) },
		  DENIED(INGRESS) },
	};

	subject(2, NOTHING, NOTHING, 0);
	services_step(&denied);
	assert_int_equal(services_live(), 0);
	subject(2, BACKENDS, NOTHING, 0);
	revise();
	SERVICES_STEPS(steps);
	subject(2, NOTHING, NOTHING, 0);
	revise();
	SERVICES_STEPS(cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(services_are_judged_by_their_backend, begin),
		cmocka_unit_test_setup(to_oneself_is_nobodys_business, begin),
		cmocka_unit_test_setup(a_backend_elsewhere_is_judged_by_its_address, begin),
		cmocka_unit_test_setup(a_service_takes_over_what_was_no_service, begin),
		cmocka_unit_test_setup(the_host_is_judged_by_the_backend, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
