/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections whose answers no policy is about, in the shipped object: they need no record. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab.h"
#include "policies.h"
#include "world.h"

#define TOO_BIG(from, to, about) \
	(from), (to), IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &(about), .mtu = 1400

static void who_answers_freely_needs_no_record(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT, .to_mac = 2 },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT, .to_mac = 1 },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "data back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK), .payload = 9 }, REDIRECT },
		{ "closes", FROM, 1, { TCP(ONE, TWO, 40000, 80, FIN_ACK) }, REDIRECT },
		{ "closes, too", FROM, 2, { TCP(TWO, ONE, 80, 40000, FIN_ACK) }, REDIRECT },
		{ "last word", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "begins again", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "under way", FROM, 1, { TCP(ONE, TWO, 40005, 80, ACK) }, REDIRECT },
		{ "another port", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, DENIED(INGRESS) },
		{ "under way to another port",
		  FROM,
		  1,
		  { TCP(ONE, TWO, 40000, 81, ACK) },
		  DENIED(INGRESS) },
		{ "answers what may not be asked",
		  FROM,
		  2,
		  { TCP(TWO, ONE, 81, 40000, ACK) },
		  DENIED(INGRESS) },
	};
	static const struct step others[] = {
		{ "the other begins", FROM, 2, { TCP(TWO, ONE, 40001, 90, SYN) }, REDIRECT },
		{ "answer", FROM, 1, { TCP(ONE, TWO, 90, 40001, SYN_ACK) }, REDIRECT },
		{ "goes on", FROM, 2, { TCP(TWO, ONE, 40001, 90, ACK) }, REDIRECT },
		{ "answers nothing",
		  FROM,
		  1,
		  { TCP(ONE, TWO, 90, 40002, SYN_ACK) },
		  DENIED(INGRESS) },
	};

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 0);
	/* once: whoever begins again so soon may have lost an answer */
	assert_int_equal(hits(21), 1);
	/* whose answers need leave is noted */
	SERVICES_STEPS(others);
	assert_int_equal(services_live(), 1);
}

static void what_a_change_forbids_ends_both_ways(void **state)
{
	static const struct step before[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
	};
	static const struct step cut[] = {
		{ "data back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(INGRESS) },
		{ "data", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, DENIED(INGRESS) },
		{ "closes", FROM, 2, { TCP(TWO, ONE, 80, 40000, FIN_ACK) }, DENIED(INGRESS) },
		{ "resets", FROM, 1, { TCP(ONE, TWO, 40000, 80, 4) }, DENIED(INGRESS) },
		{ "the other may begin", FROM, 2, { TCP(TWO, ONE, 80, 40001, SYN) }, REDIRECT },
	};
	static const struct step again[] = {
		{ "data back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT },
		{ "data", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
	};

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(before);
	subject(2, NOTHING, 0, 0);
	revise();
	SERVICES_STEPS(cut);
	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(again);
}

/* The daemon notes those that there are; of what it did not see nobody knows who began. */
static void when_answers_need_leave_records_count(void **state)
{
	static const struct step begins[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT },
	};
	static const struct step closed[] = {
		{ "back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(EGRESS) },
		{ "there", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
		{ "back again", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(EGRESS) },
	};
	static const struct step noted[] = {
		{ "back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT },
		{ "there", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
	};
	const struct wf_conn_seed seed = seed_of_web();

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(begins);
	subject(2, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(closed);
	assert_int_equal(wf_dp_conn_seed(services_dp, &seed, 1), 1);
	SERVICES_STEPS(noted);
	/* and now that nobody asks about answers again, it is known who began */
	subject(2, NOTHING, 0, 0);
	revise();
	services_step(&(struct step){
		"cut", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(INGRESS) });
}

/* The same from the other end: policies of the client alone. */
static void the_policies_of_the_sender_are_the_same(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT },
		{ "may not", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, DENIED(EGRESS) },
		{ "answers it", FROM, 2, { TCP(TWO, ONE, 81, 40000, ACK) }, DENIED(EGRESS) },
	};
	static const struct step called[] = {
		{ "is called", FROM, 2, { TCP(TWO, ONE, 40000, 22, SYN) }, REDIRECT },
		{ "answers", FROM, 1, { TCP(ONE, TWO, 22, 40000, SYN_ACK) }, REDIRECT },
	};

	subject(1, 0, WEB, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 0);
	SERVICES_STEPS(called);
	assert_int_equal(services_live(), 1);
}

/* By ports of its own: what passed in the tests before is remembered for seconds. */
static void errors_need_a_connection_that_was_seen(void **state)
{
	static const struct wire_spec answer = { TCP(TWO, ONE, 80, 41000, ACK) };
	static const struct wire_spec unseen = { TCP(TWO, ONE, 80, 41001, ACK) };
	static const struct step steps[] = {
		{ "about nothing yet", FROM, 1, { TOO_BIG(ONE, TWO, answer) }, DENIED(INGRESS) },
		{ "begins", FROM, 1, { TCP(ONE, TWO, 41000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 41000, SYN_ACK) }, REDIRECT },
		{ "too big", FROM, 1, { TOO_BIG(ONE, TWO, answer) }, REDIRECT },
		{ "about nothing", FROM, 1, { TOO_BIG(ONE, TWO, unseen) }, DENIED(INGRESS) },
		{ "in the name of another",
		  FROM,
		  3,
		  { TOO_BIG(THREE, TWO, answer) },
		  DENIED(INGRESS) },
	};
	static const struct step cut = {
		"too big", FROM, 1, { TOO_BIG(ONE, TWO, answer) }, DENIED(INGRESS)
	};

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(steps);
	subject(2, NOTHING, 0, 0);
	revise();
	services_step(&cut);
}

/* On trial everything passes, and is noted: what begins is told of, and what was under way, once. */
static void on_trial_it_is_told_once(void **state)
{
	static const struct step begins[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 40000, SYN_ACK) }, REDIRECT },
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40000, 80, ACK) }, REDIRECT },
	};
	static const struct step goes_on[] = {
		{ "goes on", FROM, 1, { TCP(ONE, TWO, 40001, 80, ACK) }, REDIRECT },
		{ "again", FROM, 1, { TCP(ONE, TWO, 40001, 80, ACK) }, REDIRECT },
		{ "back", FROM, 2, { TCP(TWO, ONE, 80, 40001, ACK) }, REDIRECT },
	};

	subject(2, TRIAL, 0, 0);
	revise();
	SERVICES_STEPS(begins);
	assert_int_equal(hits(50), 1);
	SERVICES_STEPS(goes_on);
	assert_int_equal(hits(50), 2);
	revise();
	SERVICES_STEPS(goes_on);
	assert_int_equal(hits(50), 2);
	assert_int_equal(services_live(), 2);
}

/* Whoever answers first leaves it to the other one to be noted. */
static void on_trial_answers_say_nothing(void **state)
{
	static const struct step steps[] = {
		{ "back", FROM, 2, { TCP(TWO, ONE, 80, 42000, ACK) }, REDIRECT },
		{ "back again", FROM, 2, { TCP(TWO, ONE, 80, 42000, ACK) }, REDIRECT },
	};
	static const struct step there = {
		"there", FROM, 1, { TCP(ONE, TWO, 42000, 80, ACK) }, REDIRECT
	};

	subject(2, TRIAL, 0, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(hits(50), 0);
	services_step(&there);
	services_step(&there);
	assert_int_equal(hits(50), 1);
	assert_int_equal(services_live(), 1);
}

/* The same ports were used the other way round before: that record says nothing about who begins now. */
static void a_record_of_the_other_one_gives_way(void **state)
{
	static const struct step before[] = {
		{ "begins", FROM, 2, { TCP(TWO, ONE, 80, 43000, SYN) }, REDIRECT },
		{ "refuses", FROM, 1, { TCP(ONE, TWO, 43000, 80, 20) }, REDIRECT },
	};
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP(ONE, TWO, 43000, 80, SYN) }, REDIRECT },
		{ "answer", FROM, 2, { TCP(TWO, ONE, 80, 43000, SYN_ACK) }, REDIRECT },
	};
	static const struct step cut[] = {
		{ "data", FROM, 1, { TCP(ONE, TWO, 43000, 80, ACK) }, DENIED(INGRESS) },
		{ "data back", FROM, 2, { TCP(TWO, ONE, 80, 43000, ACK) }, DENIED(INGRESS) },
	};

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(before);
	assert_int_equal(services_live(), 1);
	SERVICES_STEPS(steps);
	subject(2, NOTHING, 0, 0);
	revise();
	SERVICES_STEPS(cut);
}

static void ipv6_is_no_other_matter(void **state)
{
	static const struct step steps[] = {
		{ "begins", FROM, 1, { TCP("fd01::11", "fd01::12", 40000, 80, SYN) }, REDIRECT },
		{ "answer",
		  FROM,
		  2,
		  { TCP("fd01::12", "fd01::11", 80, 40000, SYN_ACK) },
		  REDIRECT },
		{ "goes on", FROM, 1, { TCP("fd01::11", "fd01::12", 40000, 80, ACK) }, REDIRECT },
		{ "answers what may not be asked",
		  FROM,
		  2,
		  { TCP("fd01::12", "fd01::11", 81, 40000, ACK) },
		  DENIED(INGRESS) },
	};

	subject(2, WEB, 0, 0);
	revise();
	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_answers_freely_needs_no_record, begin),
		cmocka_unit_test_setup(what_a_change_forbids_ends_both_ways, begin),
		cmocka_unit_test_setup(when_answers_need_leave_records_count, begin),
		cmocka_unit_test_setup(the_policies_of_the_sender_are_the_same, begin),
		cmocka_unit_test_setup(errors_need_a_connection_that_was_seen, begin),
		cmocka_unit_test_setup(on_trial_it_is_told_once, begin),
		cmocka_unit_test_setup(on_trial_answers_say_nothing, begin),
		cmocka_unit_test_setup(a_record_of_the_other_one_gives_way, begin),
		cmocka_unit_test_setup(ipv6_is_no_other_matter, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
