/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/run.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

#define POINTS 64 /* of the space; the last one of them stands for all behind it */

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/* Against an array that holds every point by itself. */
static void test_paint(void **state)
{
	(void)state;
	for (int round = 0; round < 500; round++) {
		_cleanup_(wf_canvas_done) struct wf_canvas canvas = { 0 };
		uint32_t naive[POINTS] = { 0 };

		assert_int_equal(wf_canvas_fill(&canvas, WF_POLICY_DENY, 0), 0);
		for (int i = 0; i < 12; i++) {
			struct wf_span span = { rnd(POINTS), 0 };
			uint32_t rule = rnd(3);

			span.last = span.first + rnd(POINTS - span.first);
			for (uint32_t j = span.first; j <= span.last; j++)
				naive[j] = rule;
			if (span.last == POINTS - 1)
				span.last = WF_POINT_LAST;
			assert_int_equal(wf_canvas_paint(&canvas, &span, WF_POLICY_DENY, rule), 0);
		}
		wf_canvas_join(&canvas);
		assert_int_equal(canvas.items[0].at & WF_POLICY_AT_START, 0);
		for (size_t i = 1; i < canvas.count; i++) {
			assert_true(canvas.items[i].at > canvas.items[i - 1].at);
			assert_int_not_equal(canvas.items[i].rule, canvas.items[i - 1].rule);
		}
		for (uint32_t i = 0; i < POINTS; i++)
			assert_int_equal(wf_rules_at(canvas.items, canvas.count, i)->rule,
					 naive[i]);
		assert_int_equal(wf_rules_at(canvas.items, canvas.count, WF_POINT_LAST)->rule,
				 naive[POINTS - 1]);
	}
}

static enum wf_policy_verdict at(const struct wf_canvas *canvas, uint32_t point)
{
	return (enum wf_policy_verdict)(wf_rules_at(canvas->items, canvas->count, point)->at >>
					WF_POLICY_AT_VERDICT);
}

static void test_try(void **state)
{
	_cleanup_(wf_canvas_done) struct wf_canvas canvas = { 0 }, without = { 0 };
	struct wf_span allowed = { 10, 19 }, denied = { 15, 29 };

	(void)state;
	assert_int_equal(wf_canvas_fill(&canvas, WF_POLICY_DENY, 1), 0);
	assert_int_equal(wf_canvas_paint(&canvas, &allowed, WF_POLICY_ALLOW, 2), 0);
	assert_int_equal(wf_canvas_fill(&without, WF_POLICY_ALLOW, 0), 0);
	assert_int_equal(wf_canvas_paint(&without, &denied, WF_POLICY_DENY, 3), 0);
	assert_int_equal(wf_canvas_try(&canvas, &without), 0);
	assert_int_equal(at(&canvas, 9), WF_POLICY_AUDIT);
	assert_int_equal(at(&canvas, 10), WF_POLICY_ALLOW);
	assert_int_equal(at(&canvas, 19), WF_POLICY_ALLOW);
	assert_int_equal(at(&canvas, 20), WF_POLICY_DENY);
	assert_int_equal(wf_rules_at(canvas.items, canvas.count, 20)->rule, 3);
	assert_int_equal(at(&canvas, 30), WF_POLICY_AUDIT);
	assert_int_equal(wf_rules_at(canvas.items, canvas.count, 30)->rule, 1);
}

/* How many rules may be touched, and the most that ever could. */
struct reached {
	uint32_t now, most;
	bool refuse;
};

static int reach(uint32_t count, void *context)
{
	struct reached *reached = context;

	if (reached->refuse)
		return -ENOMEM;
	reached->now = count > reached->now ? count : reached->now;
	reached->most = count > reached->most ? count : reached->most;
	return 0;
}

static void trim(uint32_t count, void *context)
{
	((struct reached *)context)->now = count;
}

/* Only as many rules are asked for as are used; what cannot be had leaves nothing behind. */
static void test_reach(void **state)
{
	struct wf_policy_rule_value rules[64] = { [5] = { .at = 1 } };
	struct reached reached = { 0 };
	const struct wf_rule_memory memory = { rules, 64, reach, trim, &reached };
	_cleanup_(wf_canvas_done) struct wf_canvas canvas = { 0 };
	struct wf_run *runs_got[8] = { 0 };
	struct wf_runs runs;

	(void)state;
	assert_int_equal(wf_runs_init(&runs, &memory), 0);
	assert_int_equal(reached.most, 64);
	assert_int_equal(reached.now, 6);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(wf_canvas_fill(&canvas, WF_POLICY_ALLOW, i + 1), 0);
		reached.refuse = i == 7;
		assert_int_equal(wf_runs_get(&runs, &canvas, &runs_got[i], NULL),
				 i == 7 ? -ENOMEM : 0);
		if (i < 7)
			assert_true(runs_got[i]->place.first < reached.now);
	}
	assert_int_equal(reached.now, 8);
	assert_int_equal(rules[8].at, 0);
	reached.refuse = false;
	assert_int_equal(wf_runs_get(&runs, &canvas, &runs_got[7], NULL), 0);
	assert_int_equal(reached.now, 9);
	for (uint32_t i = 0; i < 8; i++)
		wf_run_unref(&runs, runs_got[i]);
	wf_runs_done(&runs);
}

static void test_intern(void **state)
{
	struct wf_policy_rule_value rules[4] = { [3] = { .at = 1 } };
	const struct wf_rule_memory memory = { .rules = rules, .count = 4 };
	_cleanup_(wf_canvas_done) struct wf_canvas canvas = { 0 };
	struct wf_span span = { 5, 5 };
	struct wf_run *a, *b, *c;
	struct wf_runs runs;

	(void)state;
	assert_int_equal(wf_runs_init(&runs, &memory), 0);
	assert_int_equal(wf_canvas_fill(&canvas, WF_POLICY_ALLOW, 1), 0);
	assert_int_equal(wf_runs_get(&runs, &canvas, &a, NULL), 0);
	assert_int_equal(wf_runs_get(&runs, &canvas, &b, NULL), 0);
	assert_ptr_equal(a, b);
	/* three do not fit beside what an earlier daemon left, which stays */
	assert_int_equal(wf_canvas_paint(&canvas, &span, WF_POLICY_DENY, 2), 0);
	assert_int_equal(wf_runs_get(&runs, &canvas, &c, NULL), -ENOSPC);
	wf_run_unref(&runs, a);
	assert_int_not_equal(rules[a->place.first].at, 0);
	wf_run_unref(&runs, b);
	assert_int_equal(rules[0].at, 0);
	assert_int_equal(rules[3].at, 1);
	assert_int_equal(wf_runs_get(&runs, &canvas, &c, NULL), -ENOSPC);
	wf_runs_release(&runs);
	assert_int_equal(rules[3].at, 0);
	assert_int_equal(wf_runs_get(&runs, &canvas, &c, NULL), 0);
	assert_int_equal(c->place.count, 3);
	wf_run_unref(&runs, c);
	assert_int_equal(runs.space.used, 0);
	wf_runs_done(&runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paint),
		cmocka_unit_test(test_try),
		cmocka_unit_test(test_intern),
		cmocka_unit_test(test_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
