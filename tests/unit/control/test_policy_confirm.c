/* SPDX-License-Identifier: Apache-2.0 */
/* Applies that wait for confirmation: kept, rolled back, and what a restart makes of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define NETWORK(name, mtu)                                                       \
	"{'apiVersion':'weft.dev/v1','kind':'Network','metadata':{'name':'" name \
	"'},'spec':{'subnets':[{'cidr':'10.1.0.0/24'}],'mtu':" mtu "}}"
#define CLOSED(name)                                                                            \
	"{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'" name \
	"'},'spec':{'podSelector':{}}}"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	assert_int_equal(lab_apply(lab, "[" NETWORK("blue", "1400") "]"), 0);
	*state = lab;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown_settled)

static int apply_for(struct lab *lab, uint64_t wait_ms, const char *text)
{
	_cleanup_json_ json_t *documents = lab_json("[%s]", text);

	json_decref(lab->answer);
	lab->answer = NULL;
	wf_err_clear(&lab->err);
	return wf_control_apply_for(lab->control, documents, wait_ms, &lab->answer, &lab->err);
}

/* The time that the timer waits for has come. */
static void pass(struct lab *lab, uint64_t ms)
{
	fake_clock_advance_ms(ms);
	if (lab->control->policy.confirm_timer)
		event_active(lab->control->policy.confirm_timer, EV_TIMEOUT, 1);
	lab_settle(lab);
}

static bool exists(struct lab *lab, const char *kind, const char *name)
{
	json_t *document = NULL;
	int r = wf_control_get(lab->control, kind, name, &document, NULL);

	json_decref(document);
	return r == 0;
}

static int64_t mtu_of(struct lab *lab)
{
	_cleanup_json_ json_t *document = NULL;

	assert_int_equal(wf_control_get(lab->control, "Network", "blue", &document, &lab->err), 0);
	return wf_json_int(json_object_get(document, "spec"), "mtu", 0);
}

static void test_confirmed(void **state)
{
	struct lab *lab = *state;
	json_t *answer = NULL;

	assert_int_equal(wf_control_confirm(lab->control, &answer, &lab->err), -ENOENT);
	assert_int_equal(apply_for(lab, 10000, CLOSED("p") "," NETWORK("blue", "1300")), 0);
	assert_int_equal(wf_control_confirm(lab->control, &answer, &lab->err), 0);
	assert_int_equal(json_array_size(json_object_get(answer, "results")), 2);
	json_decref(answer);
	pass(lab, 20000);
	assert_true(exists(lab, "NetworkPolicy", "default/p"));
	assert_int_equal(mtu_of(lab), 1300);
}

static void test_rolled_back(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(apply_for(lab, 10000, CLOSED("p") "," NETWORK("blue", "1300")), 0);
	assert_int_equal(mtu_of(lab), 1300);
	pass(lab, 9000);
	assert_true(exists(lab, "NetworkPolicy", "default/p"));
	pass(lab, 2000);
	assert_false(exists(lab, "NetworkPolicy", "default/p"));
	assert_int_equal(mtu_of(lab), 1400);
	/* and then the next may come */
	assert_int_equal(apply_for(lab, 10000, CLOSED("p")), 0);
}

static void test_one_at_a_time(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(apply_for(lab, 10000, CLOSED("p")), 0);
	assert_int_equal(apply_for(lab, 10000, CLOSED("q")), -EBUSY);
	assert_false(exists(lab, "NetworkPolicy", "default/q"));
	/* one that stays is no matter */
	assert_int_equal(lab_apply(lab, "[" CLOSED("q") "]"), 0);
	pass(lab, 11000);
	assert_false(exists(lab, "NetworkPolicy", "default/p"));
	assert_true(exists(lab, "NetworkPolicy", "default/q"));
}

static void test_restart(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(apply_for(lab, 10000, CLOSED("p")), 0);
	lab_restart(lab);
	assert_true(exists(lab, "NetworkPolicy", "default/p"));
	assert_non_null(lab->control->policy.confirm_timer);
	lab_stop(lab);
	fake_clock_advance_ms(11000);
	assert_int_equal(lab_start(lab), 0);
	pass(lab, 0);
	assert_false(exists(lab, "NetworkPolicy", "default/p"));
}

static void test_what_others_deleted(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(apply_for(lab, 10000, CLOSED("p") "," CLOSED("q")), 0);
	assert_int_equal(lab_delete(lab, "NetworkPolicy", "default/p"), 0);
	pass(lab, 11000);
	assert_false(exists(lab, "NetworkPolicy", "default/q"));
}

/* A roll-back that fails is tried again. */
static void test_tried_again(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(apply_for(lab, 10000, CLOSED("p")), 0);
	fake_clock_advance_ms(11000);
	fake_gate_arm(FAKE_STORE, 1);
	pass(lab, 0);
	(void)fake_gate_disarm();
	pass(lab, 0);
	assert_false(exists(lab, "NetworkPolicy", "default/p"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_confirmed), CASE(test_rolled_back),         CASE(test_one_at_a_time),
		CASE(test_restart),   CASE(test_what_others_deleted), CASE(test_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
