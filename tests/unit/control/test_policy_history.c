/* SPDX-License-Identifier: Apache-2.0 */
/* The record of changes: who, what, with a diff; bounded; across restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define POLICY(app)                                                                           \
	"[{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy','metadata':{'name':'p'" \
	"},'spec':{'podSelector':{'matchLabels':{'app':'" app "'}}}}]"

static int setup(void **state)
{
	*state = lab_new();
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

/* Owned by the caller. */
static json_t *history(struct lab *lab)
{
	json_t *answer = NULL, *items;

	assert_int_equal(wf_control_policy_history(lab->control, 0, &answer, &lab->err), 0);
	items = json_incref(json_object_get(answer, "items"));
	json_decref(answer);
	return items;
}

static void test_who_and_what(void **state)
{
	struct lab *lab = *state;
	struct wf_control_actor actor = { .uid = getuid(), .pid = getpid() };
	_cleanup_json_ json_t *items = NULL;
	const char *diff;

	wf_control_actor_set(lab->control, &actor);
	assert_int_equal(lab_apply(lab, POLICY("a")), 0);
	assert_int_equal(lab_apply(lab, POLICY("b")), 0);
	/* nothing has changed: nothing to record */
	assert_int_equal(lab_apply(lab, POLICY("b")), 0);
	wf_control_actor_set(lab->control, NULL);
	assert_int_equal(lab_delete(lab, "NetworkPolicy", "default/p"), 0);
	/* a network is no policy */
	lab_network(lab, "blue", "{}");
	items = history(lab);
	assert_int_equal(json_array_size(items), 3);
	assert_string_equal(wf_json_str(json_array_get(items, 0), "action", ""), "deleted");
	assert_string_equal(wf_json_str(json_array_get(items, 0), "user", ""), "weft");
	assert_string_equal(wf_json_str(json_array_get(items, 1), "action", ""), "configured");
	assert_int_equal(wf_json_int(json_array_get(items, 1), "pid", 0), getpid());
	assert_int_equal(wf_json_int(json_array_get(items, 1), "uid", -1), getuid());
	assert_string_equal(wf_json_str(json_array_get(items, 1), "name", ""), "default/p");
	diff = wf_json_str(json_array_get(items, 1), "diff", "");
	assert_non_null(strstr(diff, "-      app: a\n+      app: b\n"));
	assert_null(strstr(diff, "uid"));
	diff = wf_json_str(json_array_get(items, 2), "diff", "");
	assert_non_null(strstr(diff, "+kind: NetworkPolicy\n"));
	assert_null(strstr(diff, "\n-"));
}

static void test_restart(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *items = NULL;

	assert_int_equal(lab_apply(lab, POLICY("a")), 0);
	lab_restart(lab);
	assert_int_equal(lab_apply(lab, POLICY("b")), 0);
	items = history(lab);
	assert_int_equal(json_array_size(items), 2);
}

static void test_bounded(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *items = NULL;

	for (int i = 0; i < 1003; i++)
		assert_int_equal(lab_apply(lab,
					   "[{'apiVersion':'v1','kind':'Namespace','metadata':{"
					   "'name':'n','labels':{'turn':'t%d'}}}]",
					   i),
				 0);
	items = history(lab);
	assert_int_equal(json_array_size(items), 1000);
	assert_non_null(strstr(wf_json_str(json_array_get(items, 0), "diff", ""), "t1002"));
	assert_non_null(strstr(wf_json_str(json_array_get(items, 999), "diff", ""), "t3"));
}

/* A transaction that fails leaves no hole that a later one falls into. */
static void test_failed(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *items = NULL;

	for (size_t n = 0; n < 6; n++) {
		fake_gate_arm(FAKE_STORE, n);
		(void)lab_apply(lab, n % 2 ? POLICY("a") : POLICY("b"));
		(void)fake_gate_disarm();
	}
	assert_int_equal(lab_apply(lab, POLICY("c")), 0);
	items = history(lab);
	assert_non_null(strstr(wf_json_str(json_array_get(items, 0), "diff", ""), "app: c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_who_and_what),
		CASE(test_restart),
		CASE(test_bounded),
		CASE(test_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
