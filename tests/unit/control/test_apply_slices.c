/* SPDX-License-Identifier: Apache-2.0 */
/* Applies that are done in slices, and what others do between them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

/* More than one slice takes when the clock goes on by a slice's time with each look. */
#define MANY 200

/* What an apply has come to. */
struct outcome {
	bool done;
	int result;
	size_t results;
	struct wf_err err;
};

static int setup(void **state)
{
	struct lab *lab = lab_new();

	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	lab_network(lab, "green", "{'subnets':[{'cidr':'10.2.0.0/24'}]}");
	lab_settle(lab);
	fake_clock_tick_ms(10);
	*state = lab;
	return 0;
}

static int teardown(void **state)
{
	fake_clock_tick_ms(0);
	return lab_teardown_settled(state);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void on_done(int result, json_t *results, const struct wf_err *err, void *context)
{
	struct outcome *outcome = context;

	assert_false(outcome->done);
	*outcome = (struct outcome){
		.done = true, .result = result, .results = json_array_size(results), .err = *err
	};
}

static json_t *services(size_t count)
{
	json_t *documents = json_array();

	for (size_t i = 0; i < count; i++)
		assert_int_equal(
			json_array_append_new(
				documents,
				json_pack("{s:s, s:s, s:{s:o}, s:{s:[{s:i}], s:{s:s}}}",
					  "apiVersion", "v1", "kind", "Service", "metadata", "name",
					  json_sprintf("s%zu", i), "spec", "ports", "port", 80,
					  "selector", "app", "web")),
			0);
	return documents;
}

/* The documents, and how far they were asked for. */
struct reader {
	const json_t *documents; /* a reference */
	size_t at;
};

static int next_document(void *context, json_t **ret_document, struct wf_err *err)
{
	struct reader *reader = context;

	if (reader->at == json_array_size(reader->documents))
		return 0;
	*ret_document = json_incref(json_array_get(reader->documents, reader->at++));
	return 1;
}

static void free_reader(void *context)
{
	json_decref((json_t *)((struct reader *)context)->documents);
	free(context);
}

static void begin(struct lab *lab, const json_t *documents, struct outcome *outcome)
{
	struct wf_control_documents all = { .most = json_array_size(documents),
					    .next = next_document,
					    .free = free_reader };
	struct reader *reader = calloc(1, sizeof(*reader));

	reader->documents = json_incref((json_t *)documents);
	all.context = reader;
	*outcome = (struct outcome){ .done = false };
	wf_control_apply_later(lab->control, &all, false, 0, on_done, outcome);
}

static void on_stop(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(context);
}

/* One slice at most: with other events to be processed the loop would not come back after one. */
static void turn(struct lab *lab)
{
	static const struct timeval at_once = { 0 };

	assert_int_equal(event_base_once(lab->loop, -1, EV_TIMEOUT, on_stop, lab->loop, &at_once),
			 0);
	(void)event_base_loop(lab->loop, 0);
}

static size_t finish(struct lab *lab, const struct outcome *outcome)
{
	size_t turns = 0;

	for (; !outcome->done; turns++)
		turn(lab);
	return turns;
}

static bool is_stored(struct lab *lab, const char *kind, const char *name)
{
	_cleanup_json_ json_t *document = NULL;

	return wf_store_get(lab->store, kind, name, &document, NULL) == 0;
}

static void test_small_ones_are_done_at_once(void **state)
{
	_cleanup_json_ json_t *documents = services(1);
	struct lab *lab = *state;
	struct outcome outcome;

	fake_clock_tick_ms(0);
	begin(lab, documents, &outcome);
	assert_true(outcome.done);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.results, 1);
}

static void test_others_are_served(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	struct lab *lab = *state;
	struct ctl_service *service;
	struct outcome outcome;
	size_t held = 0, turns = 0;

	begin(lab, documents, &outcome);
	assert_false(outcome.done);
	assert_true(wf_control_apply_holds(lab->control, NULL));
	/* endpoints come, go and are backends of what is in force; not of what is not stored */
	for (; !outcome.done; turns++) {
		if (turns % 8 == 0) {
			assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a',"
							 "'netns':'/fake/c0','owner':'cli',"
							 "'labels':{'app':'web'}}"),
					 0);
			assert_int_equal(lab_detach(lab, "a"), 0);
		}
		service = wf_ctl_service_find(lab->control, "default/s0");
		if (service && !is_stored(lab, "Service", "default/s0")) {
			assert_false(service->programmed);
			held++;
		}
		turn(lab);
	}
	if (outcome.result < 0)
		fail_msg("%s", outcome.err.message);
	assert_true(turns > 10);
	assert_true(held > 3);
	assert_int_equal(outcome.result, 0);
	assert_int_equal(outcome.results, MANY);
	assert_false(wf_control_apply_holds(lab->control, NULL));
	assert_int_equal(lab->control->lb.held_count, 0);
	for (size_t i = 0; i < MANY; i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "default/s%zu", i);
		service = wf_ctl_service_find(lab->control, key);
		assert_true(service && service->programmed);
	}
}

static void test_who_has_to_wait(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	_cleanup_json_ json_t *more = lab_json(
		"[{'apiVersion':'weft.dev/v1','kind':'Reservation','metadata':{'name':'r'},"
		"'spec':{'network':'green','for':'x','addresses':['10.2.0.9']}}]");
	struct outcome outcome, other;
	struct lab *lab = *state;

	assert_int_equal(json_array_insert(documents, 0, json_array_get(more, 0)), 0);
	begin(lab, documents, &outcome);
	assert_false(outcome.done);
	/* a network that was looked at, one that there is not yet, and any document */
	assert_true(wf_control_apply_holds(lab->control, "green"));
	assert_true(wf_control_apply_holds(lab->control, "new"));
	assert_false(wf_control_apply_holds(lab->control, "blue"));
	assert_int_equal(lab_delete(lab, "Network", "blue"), -EAGAIN);
	assert_int_equal(lab_apply(lab, "[]"), -EAGAIN);
	begin(lab, more, &other);
	assert_true(other.done);
	assert_int_equal(other.result, -EAGAIN);
	(void)finish(lab, &outcome);
	assert_int_equal(outcome.result, 0);
	assert_false(wf_control_apply_holds(lab->control, "green"));
	assert_int_equal(lab_delete(lab, "Network", "blue"), 0);
}

/* Fails in the middle of each part; whatever was done until then is undone. */
static void test_failing_leaves_nothing(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	_cleanup_json_ json_t *bad =
		lab_json("{'apiVersion':'weft.dev/v1','kind':'Reservation','metadata':{'name':'r'},"
			 "'spec':{'network':'nowhere','for':'x','addresses':['10.2.0.9']}}");
	struct lab *lab = *state;
	struct outcome outcome;

	fake_gate_arm(FAKE_STORE, SIZE_MAX);
	begin(lab, documents, &outcome);
	while (!wf_ctl_service_find(lab->control, "default/s100"))
		turn(lab);
	fake_gate_shut(FAKE_STORE);
	(void)finish(lab, &outcome);
	fake_gate_arm(FAKE_STORE, SIZE_MAX);
	assert_int_equal(outcome.result, -EIO);
	assert_null(wf_ctl_service_find(lab->control, "default/s0"));
	assert_int_equal(lab->control->lb.held_count, 0);
	/* the last of the documents is refused */
	assert_int_equal(json_array_append(documents, bad), 0);
	begin(lab, documents, &outcome);
	(void)finish(lab, &outcome);
	assert_int_equal(outcome.result, -ENOENT);
	assert_int_equal(outcome.err.document, MANY);
	assert_null(wf_ctl_service_find(lab->control, "default/s0"));
	assert_false(is_stored(lab, "Service", "default/s0"));
}

/*
 * Up to where it is made ready; then one of its documents is written by somebody else, as an attach does
 * with a name's sticky address, so that the commit will fail. Returns what undoes that.
 */
static struct wf_store_write overtake(struct lab *lab, const json_t *documents,
				      struct outcome *outcome)
{
	_cleanup_json_ json_t *copy = json_deep_copy(json_array_get(documents, 7));
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = "Service",
					.name = "default/s7",
					.document = copy,
					.expected = WF_STORE_ANY };

	begin(lab, documents, outcome);
	while (!wf_ctl_service_find(lab->control, "default/s198"))
		turn(lab);
	/* it is being made ready from here on */
	for (int i = 0; i < 5; i++)
		turn(lab);
	assert_false(outcome->done);
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
	write.document = NULL;
	write.op = WF_STORE_DELETE;
	return write;
}

static void test_overtaken(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	struct lab *lab = *state;
	struct outcome outcome;
	struct wf_store_write write = overtake(lab, documents, &outcome);

	(void)finish(lab, &outcome);
	assert_int_equal(outcome.result, -ESTALE);
	assert_null(wf_ctl_service_find(lab->control, "default/s0"));
	assert_false(is_stored(lab, "Service", "default/s0"));
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

/* What there was comes back little by little, and others are served meanwhile. */
static void test_others_are_served_while_it_is_undone(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	struct lab *lab = *state;
	struct ctl_service *service;
	struct wf_store_write write;
	struct outcome outcome;
	size_t turns = 0;

	/* the last one changes one that is there, which has a backend */
	assert_int_equal(lab_apply(lab,
				   "[{'apiVersion':'v1','kind':'Service',"
				   "'metadata':{'name':'s199'},"
				   "'spec':{'ports':[{'port':81}],'selector':{'app':'web'}}}]"),
			 0);
	assert_int_equal(lab_attach(lab, "{'network':'blue','name':'a','netns':'/fake/c0',"
					 "'owner':'cli','labels':{'app':'web'}}"),
			 0);
	lab_settle(lab);
	write = overtake(lab, documents, &outcome);
	while (wf_ctl_service_find(lab->control, "default/s0"))
		turn(lab);
	assert_false(outcome.done);
	for (; !outcome.done; turns++) {
		/* what is left of it does not come into force */
		service = wf_ctl_service_find(lab->control, "default/s198");
		assert_false(service && service->programmed);
		assert_int_equal(lab_delete(lab, "Network", "green"), -EAGAIN);
		turn(lab);
	}
	assert_int_equal(outcome.result, -ESTALE);
	assert_true(turns > 10);
	assert_int_equal(lab->control->lb.held_count, 0);
	assert_null(wf_ctl_service_find(lab->control, "default/s198"));
	service = wf_ctl_service_find(lab->control, "default/s199");
	assert_true(service->programmed);
	assert_int_equal(service->spec.ports[0].port, 81);
	assert_int_equal(service->link_count, 1);
	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
	assert_int_equal(lab_delete(lab, "Service", "default/s199"), 0);
	assert_int_equal(lab_detach(lab, "a"), 0);
}

static void test_cancelled(void **state)
{
	_cleanup_json_ json_t *documents = services(MANY);
	struct lab *lab = *state;
	struct outcome outcome;

	begin(lab, documents, &outcome);
	while (!wf_ctl_service_find(lab->control, "default/s100"))
		turn(lab);
	wf_control_apply_cancel(lab->control);
	assert_true(outcome.done);
	assert_int_equal(outcome.result, -EAGAIN);
	assert_null(wf_ctl_service_find(lab->control, "default/s0"));
	/* while it is undone that is what is brought to its end */
	begin(lab, documents, &outcome);
	while (!wf_ctl_service_find(lab->control, "default/s199"))
		turn(lab);
	fake_gate_shut(FAKE_STORE);
	while (wf_ctl_service_find(lab->control, "default/s0"))
		turn(lab);
	assert_false(outcome.done);
	wf_control_apply_cancel(lab->control);
	fake_gate_arm(FAKE_STORE, SIZE_MAX);
	assert_true(outcome.done);
	assert_int_equal(outcome.result, -EIO);
	assert_null(wf_ctl_service_find(lab->control, "default/s199"));
	/* once it is stored it is brought to its end */
	begin(lab, documents, &outcome);
	while (!is_stored(lab, "Service", "default/s0"))
		turn(lab);
	assert_false(outcome.done);
	wf_control_apply_cancel(lab->control);
	assert_true(outcome.done);
	assert_int_equal(outcome.result, 0);
	assert_true(wf_ctl_service_find(lab->control, "default/s199")->programmed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_small_ones_are_done_at_once),
		CASE(test_others_are_served),
		CASE(test_who_has_to_wait),
		CASE(test_failing_leaves_nothing),
		CASE(test_overtaken),
		CASE(test_others_are_served_while_it_is_undone),
		CASE(test_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
