/* SPDX-License-Identifier: Apache-2.0 */
/* Other nodes are asked whether they are reached: whom, when, and what is told of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "pair.h"

static char said[4096];

static void note(enum wf_log_level level, const char *line)
{
	(void)level;
	(void)strncat(said, line, sizeof(said) - strlen(said) - 1);
}

static int setup(void **state)
{
	*fake_net_echo() = (struct fake_echo){ .largest = 1500 };
	said[0] = '\0';
	*state = pair_new();
	(void)wf_log_set_levels("warning");
	wf_log_set_sink(note);
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	wf_log_set_sink(NULL);
	pair_free(&pair);
	assert_int_equal(fake_net_echo()->sockets, 0);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void start_asking(struct lab *lab, uint64_t probe_ms)
{
	lab->probe_ms = probe_ms;
	lab_use(lab);
	lab_restart(lab);
}

/* What is told of a node; a new reference, NULL: it is not asked. */
static json_t *path_of(struct lab *lab, const char *name)
{
	_cleanup_json_ json_t *list = wf_control_node_list(lab->control);
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(list, "items"), i, item)
		if (strcmp(wf_json_str(item, "name", ""), name) == 0)
			return json_incref(json_object_get(item, "path"));
	return NULL;
}

/* The loop runs in real time until a node was asked so often. */
static json_t *asked(struct lab *lab, const char *name, int64_t probes, const char *path_state)
{
	for (int i = 0; i < 500; i++) {
		const struct timeval pause = { .tv_usec = 10000 };
		_cleanup_json_ json_t *path = NULL;

		(void)event_base_loopexit(lab->loop, &pause);
		(void)event_base_dispatch(lab->loop);
		path = path_of(lab, name);
		if (wf_json_int(path, "probes", 0) >= probes &&
		    strcmp(wf_json_str(path, "state", ""), path_state) == 0)
			return TAKE_PTR(path);
	}
	fail_msg("%s is not %s after %d probes", name, path_state, (int)probes);
	return NULL;
}

static bool has_metric(struct lab *lab, const char *text)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	wf_control_metrics(lab->control, &out);
	return strstr(wf_str_text(&out), text);
}

static void test_what_is_told(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *path = NULL;

	assert_int_equal(fake_net_echo()->sockets, 0);
	start_asking(pair->a, 20);
	path = asked(pair->a, "b", 1, "reachable");
	assert_int_equal(wf_json_int(path, "mtu", 0), 1500);
	assert_int_equal(wf_json_int(path, "deviceMtu", 0), 1500);
	assert_int_equal(wf_json_int(path, "lost", -1), 0);
	assert_true(has_metric(pair->a, "weft_node_reachable{node=\"b\"} 1\n"));
	assert_true(has_metric(pair->a, "weft_node_path_mtu_bytes{node=\"b\"} 1500\n"));
	assert_true(has_metric(pair->a, "weft_node_probe_lost_total{node=\"b\"} 0\n"));
	assert_string_equal(said, "");
	assert_int_equal(fake_net_echo()->sockets, 1);
}

static void test_a_smaller_way_is_told_once(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *path = NULL;

	fake_net_echo()->largest = 1400;
	start_asking(pair->a, 20);
	path = asked(pair->a, "b", 6, "reachable");
	assert_int_equal(wf_json_int(path, "mtu", 0), 1400);
	assert_non_null(strstr(said, "pathMtu=1400 deviceMtu=1500"));
	assert_null(strstr(strstr(said, "pathMtu") + 1, "pathMtu"));
}

/* The datapath tells containers; people see which networks send too much. */
static void test_networks_over_a_smaller_way(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *path = NULL, *list = NULL;
	const struct ctl_node *node;
	const json_t *narrow;

	lab_network(pair->a, "over", "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24'}]}");
	lab_network(pair->a, "fits",
		    "{'driver':'overlay','mtu':1350,'subnets':[{'cidr':'10.6.0.0/24'}]}");
	node = wf_ctl_node_find(pair->a->control, "b");
	assert_int_equal(fake_dp_node(pair->a->dp, node->number).path_mtu, 0);
	fake_net_echo()->largest = 1400;
	start_asking(pair->a, 20);
	path = asked(pair->a, "b", 6, "reachable");
	node = wf_ctl_node_find(pair->a->control, "b");
	assert_int_equal(fake_dp_node(pair->a->dp, node->number).path_mtu, 1400);
	list = wf_control_node_list(pair->a->control);
	narrow = json_object_get(json_array_get(json_object_get(list, "items"), 1), "narrow");
	assert_int_equal(json_array_size(narrow), 1);
	narrow = json_array_get(narrow, 0);
	assert_string_equal(wf_json_str(narrow, "network", ""), "over");
	assert_int_equal(wf_json_int(narrow, "mtu", 0), 1450);
	assert_int_equal(wf_json_int(narrow, "carried", 0), 1350);
	/* other reasons to write the node leave it alone */
	lab_use(pair->a);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	assert_int_equal(fake_dp_node(pair->a->dp, node->number).path_mtu, 1400);
}

static void test_nobody_answers(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *gone = NULL, *back = NULL;

	start_asking(pair->a, 20);
	json_decref(asked(pair->a, "b", 1, "reachable"));
	fake_net_echo()->is_cut = true;
	gone = asked(pair->a, "b", 4, "unreachable");
	assert_true(wf_json_int(gone, "lost", 0) >= 3);
	assert_non_null(strstr(said, "node is alive but answers no echo requests"));
	assert_true(has_metric(pair->a, "weft_node_reachable{node=\"b\"} 0\n"));
	/* it stays what its lease says */
	assert_true(wf_ctl_node_find(pair->a->control, "b")->is_alive);
	fake_net_echo()->is_cut = false;
	back = asked(pair->a, "b", 5, "reachable");
	assert_int_equal(wf_json_int(back, "mtu", 0), 1500);
}

static void test_off_and_forbidden(void **state)
{
	struct pair *pair = *state;

	start_asking(pair->a, 0);
	assert_null(path_of(pair->a, "b"));
	assert_int_equal(fake_net_echo()->sockets, 0);
	fake_net_echo()->is_forbidden = true;
	start_asking(pair->a, 20);
	assert_null(path_of(pair->a, "b"));
	assert_non_null(strstr(said, "node is not asked whether it is reached"));
}

/* What was learnt of a way stays when only the link-local address is another one. */
static void test_another_link_local_address(void **state)
{
	struct pair *pair = *state;
	struct wf_addr addr;
	struct wf_node spec = { .meta = { .name = "b" }, .addrs = &addr, .addr_count = 1 };
	const struct ctl_probe *before;

	start_asking(pair->a, 20);
	json_decref(asked(pair->a, "b", 1, "reachable"));
	before = wf_ctl_node_find(pair->a->control, "b")->probe;
	assert_int_equal(wf_addr_parse("192.0.2.2", &addr), 0);
	assert_int_equal(wf_addr_parse("fe80::77", &spec.link_local), 0);
	assert_int_equal(wf_ctl_node_learn(pair->a->control, "b", &spec, NULL), 0);
	assert_true(wf_addr_equal(&wf_ctl_node_find(pair->a->control, "b")->link_local,
				  &spec.link_local));
	assert_ptr_equal(wf_ctl_node_find(pair->a->control, "b")->probe, before);
	json_decref(asked(pair->a, "b", 1, "reachable"));
}

/* Who is alone has no socket and no timer; who was deleted is not asked any more. */
static void test_nobody_else(void **state)
{
	struct pair *pair = *state;
	unsigned int sent;

	lab_stop(pair->b);
	start_asking(pair->a, 20);
	json_decref(asked(pair->a, "b", 1, "reachable"));
	assert_int_equal(wf_ctl_node_learn(pair->a->control, "b", NULL, NULL), 0);
	sent = fake_net_echo()->sent;
	for (int i = 0; i < 10; i++) {
		const struct timeval pause = { .tv_usec = 10000 };

		(void)event_base_loopexit(pair->a->loop, &pause);
		(void)event_base_dispatch(pair->a->loop);
	}
	assert_int_equal(fake_net_echo()->sent, sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_is_told),
		CASE(test_a_smaller_way_is_told_once),
		CASE(test_networks_over_a_smaller_way),
		CASE(test_nobody_answers),
		CASE(test_off_and_forbidden),
		CASE(test_nobody_else),
		CASE(test_another_link_local_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
