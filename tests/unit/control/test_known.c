/* SPDX-License-Identifier: Apache-2.0 */
/* An attach waits until other nodes know of it: whom it asks, whom it believes, and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pair.h"

/* Real time, after which a wait ends; long enough that what a test does in between is over. */
#define WAIT_MS 300

static int setup(void **state)
{
	struct pair *pair;
	int r;

	*fake_net_ask() = (struct fake_ask){ 0 };
	r = pair_setup(state);
	pair = *state;
	pair->a->attach_wait_ms = WAIT_MS;
	lab_use(pair->a);
	lab_restart(pair->a);
	lab_settle(pair->b);
	return r;
}

static int teardown(void **state)
{
	int r = pair_teardown(state);

	assert_int_equal(fake_net_ask()->sockets, 0);
	return r;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void count_up(void *context)
{
	*(unsigned int *)context += 1;
}

/* Attaches to `network` on a and asks whether it waits; *done counts the ends of the wait. */
static bool attach(struct pair *pair, const char *network, const char *name, unsigned int *done)
{
	lab_use(pair->a);
	assert_int_equal(lab_attach(pair->a,
				    "{'network':'%s','name':'%s','netns':'/fake/c%c',"
				    "'owner':'cli'}",
				    network, name, name[1]),
			 0);
	return wf_control_when_known(pair->a->control, pair->a->answer, count_up, done);
}

static void turn(struct lab *lab)
{
	lab_use(lab);
	(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
}

/* a's loop runs in real time until the wait is over. */
static void run_out(struct pair *pair, const unsigned int *done)
{
	for (int i = 0; i < 1000 && !*done; i++) {
		const struct timeval pause = { .tv_usec = 5000 };

		(void)event_base_loopexit(pair->a->loop, &pause);
		(void)event_base_dispatch(pair->a->loop);
	}
	assert_int_equal(*done, 1);
}

static bool has_metric(struct lab *lab, const char *text)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	wf_control_metrics(lab->control, &out);
	return strstr(wf_str_text(&out), text);
}

static void test_until_it_is_in_force(void **state)
{
	struct pair *pair = *state;
	unsigned int done = 0;

	assert_true(attach(pair, "over", "w0", &done));
	turn(pair->a);
	assert_int_equal(done, 0);
	assert_null(wf_ctl_remote_find(pair->b->control, "w0"));
	turn(pair->b);
	assert_non_null(wf_ctl_remote_find(pair->b->control, "w0"));
	turn(pair->b);
	turn(pair->a);
	assert_int_equal(done, 1);
	assert_true(has_metric(pair->a, "weft_attach_waits_total 1\n"));
	assert_true(has_metric(pair->a, "weft_attach_waits_expired_total 0\n"));
	assert_false(wf_ctl_node_find(pair->a->control, "b")->known.is_mute);
}

/* The question is there before the news: b answers when it has both. */
static void test_a_question_before_the_news(void **state)
{
	struct pair *pair = *state;
	const uint64_t next = wf_store_revision(pair->a->store) + 1;
	unsigned int answers = fake_net_ask()->answers;

	fake_net_forge("192.0.2.1", "192.0.2.2", WF_ASK_QUESTION, 4711, next);
	turn(pair->b);
	assert_int_equal(fake_net_ask()->answers, answers);
	assert_int_equal(pair_attach(pair->a, "w0", ""), 0);
	turn(pair->b);
	assert_int_equal(fake_net_ask()->answers, answers + 1);
	assert_int_equal(fake_net_asked("192.0.2.1")->cookie, 4711);
	assert_int_equal(fake_net_asked("192.0.2.1")->revision, next);
	/* once */
	assert_int_equal(pair_attach(pair->a, "w1", ",'ifname':'eth1'"), 0);
	turn(pair->b);
	assert_int_equal(fake_net_ask()->answers, answers + 1);
}

static void test_several_at_once(void **state)
{
	struct pair *pair = *state;
	unsigned int done[3] = { 0 };
	char name[] = "w0";

	for (size_t i = 0; i < WF_ARRAY_LEN(done); i++, name[1]++)
		assert_true(attach(pair, "over", name, &done[i]));
	turn(pair->b);
	turn(pair->b);
	turn(pair->a);
	for (size_t i = 0; i < WF_ARRAY_LEN(done); i++)
		assert_int_equal(done[i], 1);
}

/* Who does not answer costs the time once, and is waited for again when it has. */
static void test_a_node_that_is_silent(void **state)
{
	struct pair *pair = *state;
	const struct ctl_node *b = wf_ctl_node_find(pair->a->control, "b");
	unsigned int done = 0, none = 0, again = 0, questions;

	assert_true(attach(pair, "over", "w0", &done));
	run_out(pair, &done);
	assert_true(b->known.is_mute);
	assert_true(has_metric(pair->a, "weft_attach_waits_expired_total 1\n"));
	/* asked several times: questions get lost */
	questions = fake_net_ask()->questions;
	assert_true(questions > 1);
	assert_false(attach(pair, "over", "w1", &none));
	assert_int_equal(fake_net_ask()->questions, questions);
	fake_clock_advance_ms(1500);
	assert_false(attach(pair, "over", "w2", &none));
	assert_int_equal(fake_net_ask()->questions, questions + 1);
	/* its next turn is later */
	fake_clock_advance_ms(1500);
	assert_false(attach(pair, "over", "w3", &none));
	assert_int_equal(fake_net_ask()->questions, questions + 1);
	turn(pair->b);
	turn(pair->b);
	turn(pair->a);
	assert_false(b->known.is_mute);
	assert_true(attach(pair, "over", "w4", &again));
	turn(pair->b);
	turn(pair->b);
	turn(pair->a);
	assert_int_equal(again, 1);
	assert_int_equal(none, 0);
}

static void test_a_lost_question(void **state)
{
	struct pair *pair = *state;
	unsigned int done = 0;

	fake_net_ask()->is_cut = true;
	assert_true(attach(pair, "over", "w0", &done));
	fake_net_ask()->is_cut = false;
	for (int i = 0; i < 1000 && !done; i++) {
		const struct timeval pause = { .tv_usec = 2000 };

		(void)event_base_loopexit(pair->a->loop, &pause);
		(void)event_base_dispatch(pair->a->loop);
		turn(pair->b);
	}
	assert_int_equal(done, 1);
	assert_true(has_metric(pair->a, "weft_attach_waits_expired_total 0\n"));
}

static void test_who_is_believed(void **state)
{
	struct pair *pair = *state;
	struct wf_ask_message question;
	unsigned int done = 0, answers;

	assert_true(attach(pair, "over", "w0", &done));
	question = *fake_net_asked("192.0.2.2");
	/* from elsewhere, with another number, for less */
	fake_net_forge("192.0.2.9", "192.0.2.1", WF_ASK_ANSWER, question.cookie, question.revision);
	fake_net_forge("192.0.2.2", "192.0.2.1", WF_ASK_ANSWER, question.cookie + 1,
		       question.revision);
	fake_net_forge("192.0.2.2", "192.0.2.1", WF_ASK_ANSWER, question.cookie,
		       question.revision - 1);
	turn(pair->a);
	assert_int_equal(done, 0);
	fake_net_forge("192.0.2.2", "192.0.2.1", WF_ASK_ANSWER, question.cookie, question.revision);
	turn(pair->a);
	assert_int_equal(done, 1);
	/* strangers get no answer, and neither does who says that it is this node */
	answers = fake_net_ask()->answers;
	fake_net_forge("192.0.2.9", "192.0.2.1", WF_ASK_QUESTION, 1, 1);
	fake_net_forge("192.0.2.1", "192.0.2.1", WF_ASK_QUESTION, 1, 1);
	turn(pair->a);
	assert_int_equal(fake_net_ask()->answers, answers);
	fake_net_forge("192.0.2.2", "192.0.2.1", WF_ASK_QUESTION, 1, 1);
	turn(pair->a);
	assert_int_equal(fake_net_ask()->answers, answers + 1);
}

/* Networks that end at the node, nodes that are lost, and those that do not want to. */
static void test_who_is_not_asked(void **state)
{
	struct pair *pair = *state;
	unsigned int done = 0;

	lab_network(pair->a, "own", "{'subnets':[{'cidr':'10.7.0.0/24'}]}");
	assert_false(attach(pair, "own", "w0", &done));
	wf_ctl_node_lives(pair->a->control, "b", false);
	assert_false(attach(pair, "over", "w1", &done));
	wf_ctl_node_lives(pair->a->control, "b", true);
	assert_true(attach(pair, "over", "w2", &done));
	/* an end of control ends the wait; restarted without one, it asks nobody, but answers */
	pair->a->attach_wait_ms = 0;
	lab_restart(pair->a);
	assert_int_equal(done, 1);
	assert_false(attach(pair, "over", "w3", &done));
	fake_net_forge("192.0.2.2", "192.0.2.1", WF_ASK_QUESTION, 1, 1);
	turn(pair->a);
	assert_int_equal(fake_net_asked("192.0.2.2")->what, WF_ASK_ANSWER);
	/* a port that somebody else has keeps no node from starting */
	fake_net_ask()->is_forbidden = true;
	pair->a->attach_wait_ms = WAIT_MS;
	lab_restart(pair->a);
	assert_false(attach(pair, "over", "w4", &done));
	fake_net_ask()->is_forbidden = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_until_it_is_in_force), CASE(test_a_question_before_the_news),
		CASE(test_several_at_once),      CASE(test_a_node_that_is_silent),
		CASE(test_a_lost_question),      CASE(test_who_is_believed),
		CASE(test_who_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
