/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes checksums inside the tunnel: what is found out, what is told of it, and what is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "pair.h"

#define PROBE_MS 5

static char said[4096];

static void note(enum wf_log_level level, const char *line)
{
	(void)level;
	(void)strncat(said, line, sizeof(said) - strlen(said) - 1);
}

static int setup(void **state)
{
	struct pair *pair;

	*fake_net_sums() = (struct fake_sums){ 0 };
	said[0] = '\0';
	if (pair_setup(state) < 0)
		return -1;
	pair = *state;
	/* both nodes have an uplink, and their hosts an address each in the network */
	for (int i = 0; i < 2; i++) {
		struct lab *lab = i ? pair->b : pair->a;

		lab_use(lab);
		fake_net_set_uplink(lab->net, "uplink", i ? "192.0.2.2" : "192.0.2.1", NULL);
		lab_settle(lab);
	}
	pair_settle(pair);
	(void)wf_log_set_levels("info");
	wf_log_set_sink(note);
	return 0;
}

static int teardown(void **state)
{
	wf_log_set_sink(NULL);
	(void)pair_teardown(state);
	assert_int_equal(fake_net_sums()->sockets, 0);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void probe(struct lab *lab, enum wf_overlay_sums how)
{
	lab->probe_ms = PROBE_MS;
	lab->overlay_sums = how;
	lab_use(lab);
	lab_restart(lab);
}

static json_t *listed(struct lab *lab, const char *name)
{
	_cleanup_json_ json_t *list = wf_control_node_list(lab->control);
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(list, "items"), i, item)
		if (strcmp(wf_json_str(item, "name", ""), name) == 0)
			return json_incref(json_object_get(item, "checksums"));
	return NULL;
}

/* Both loops run in real time: a's probes and what b says of them. */
static void run(struct pair *pair, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		const struct timeval pause = { .tv_usec = 500 };

		lab_use(pair->a);
		(void)event_base_loopexit(pair->a->loop, &pause);
		(void)event_base_dispatch(pair->a->loop);
		lab_use(pair->b);
		(void)event_base_loopexit(pair->b->loop, &pause);
		(void)event_base_dispatch(pair->b->loop);
	}
	lab_use(pair->a);
}

static void until(struct pair *pair, const char *wanted)
{
	for (int i = 0; i < 2000; i++) {
		_cleanup_json_ json_t *sums = NULL;

		run(pair, 2);
		sums = listed(pair->a, "b");
		if (strcmp(wf_json_str(sums, "state", ""), wanted) == 0)
			return;
	}
	fail_msg("the way to b is not %s", wanted);
}

static void assert_self(struct lab *lab, const char *by, const char *because)
{
	_cleanup_json_ json_t *self = listed(lab, "a");

	assert_string_equal(wf_json_str(self, "by", ""), by);
	assert_string_equal(wf_json_str(self, "because", ""), because);
}

static bool has_metric(struct lab *lab, const char *line)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	wf_ctl_sums_metrics(lab->control, &out);
	return strstr(wf_str_text(&out), line) != NULL;
}

static void test_found_and_repaired(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *self = NULL;

	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	until(pair, "sound");
	assert_self(pair->a, "device", "");
	assert_false(fake_dp_sends_by_device(pair->a->dp));
	assert_true(has_metric(pair->a, "weft_node_checksums_broken{node=\"b\"} 0\n"));
	fake_net_sums()->is_broken = true;
	until(pair, "broken");
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_WEFT);
	assert_true(fake_dp_sends_by_device(pair->a->dp));
	assert_self(pair->a, "kernel", "detected");
	assert_non_null(strstr(said, "arrive wrong"));
	assert_non_null(strstr(said, "device=uplink nodes=b"));
	assert_true(has_metric(pair->a, "weft_overlay_checksums_by_kernel 1\n"));
	assert_true(has_metric(pair->a, "weft_node_checksums_broken{node=\"b\"} 1\n"));
	self = listed(pair->a, "a");
	assert_string_equal(json_string_value(json_array_get(json_object_get(self, "devices"), 0)),
			    "uplink");
	assert_string_equal(json_string_value(json_array_get(json_object_get(self, "nodes"), 0)),
			    "b");
	/* silence changes nothing, one that comes does */
	fake_net_sums()->is_cut = true;
	run(pair, 50);
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_WEFT);
	fake_net_sums()->is_broken = fake_net_sums()->is_cut = false;
	until(pair, "sound");
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_DEVICE);
	assert_false(fake_dp_sends_by_device(pair->a->dp));
	assert_non_null(strstr(said, "left to devices again"));
}

/* A weftd that is started anew goes on with what was found, until it knows better. */
static void test_remembered(void **state)
{
	struct pair *pair = *state;

	fake_net_sums()->is_broken = true;
	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	until(pair, "broken");
	fake_net_sums()->is_cut = true;
	lab_restart(pair->a);
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_WEFT);
	assert_self(pair->a, "kernel", "remembered");
	run(pair, 100);
	assert_self(pair->a, "kernel", "remembered");
	fake_net_sums()->is_cut = false;
	until(pair, "broken");
	assert_self(pair->a, "kernel", "detected");
	lab_restart(pair->a);
	fake_net_sums()->is_broken = false;
	until(pair, "sound");
	assert_self(pair->a, "device", "");
}

/* What is told outright is done, and undone; what somebody else has done is left alone. */
static void test_told(void **state)
{
	struct pair *pair = *state;

	probe(pair->a, WF_OVERLAY_SUMS_SOFTWARE);
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_WEFT);
	assert_self(pair->a, "kernel", "option");
	run(pair, 20);
	assert_int_equal(fake_net_sums()->sent, 0);
	fake_net_sums()->is_broken = true;
	probe(pair->a, WF_OVERLAY_SUMS_DEVICE);
	assert_self(pair->a, "device", "");
	run(pair, 50);
	assert_int_equal(fake_net_sums()->sent, 0);
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_DEVICE);
	fake_net_set_checksums(pair->a->net, false);
	fake_net_sums()->is_broken = false;
	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	assert_self(pair->a, "kernel", "others");
	run(pair, 50);
	assert_int_equal(fake_net_sums()->sent, 0);
	assert_int_equal(fake_net_sums_by(pair->a->net), WF_NET_SUMS_OTHERS);
}

/* Where programs do not send, the device of the overlay would make the checksums of probes too. */
static void test_what_cannot_be_asked_again_stays(void **state)
{
	struct pair *pair = *state;
	unsigned int sent;

	fake_net_set_ipsec(pair->a->net, true);
	fake_net_sums()->is_broken = true;
	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	until(pair, "broken");
	assert_self(pair->a, "kernel", "detected");
	fake_net_sums()->is_broken = false;
	run(pair, 20);
	sent = fake_net_sums()->sent;
	run(pair, 100);
	assert_int_equal(fake_net_sums()->sent, sent);
	assert_self(pair->a, "kernel", "detected");
	lab_restart(pair->a);
	run(pair, 100);
	assert_self(pair->a, "kernel", "remembered");
	probe(pair->a, WF_OVERLAY_SUMS_DEVICE);
	assert_self(pair->a, "device", "");
}

/* Without a tunnel a device sees no checksum inside anything. */
static void test_networks_that_are_not_asked(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(lab_delete(pair->a, "Network", "over"), 0);
	lab_network(pair->a, "direct", "{'driver':'routed','subnets':[{'cidr':'10.6.0.0/24'}]}");
	pair_settle(pair);
	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	run(pair, 50);
	assert_int_equal(fake_net_sums()->sent, 0);
	/* past a router it goes through the tunnel */
	fake_net_set_far(pair->a->net, "192.0.2.2", true);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	until(pair, "sound");
}

/* Without sockets all else goes on. */
static void test_no_socket(void **state)
{
	struct pair *pair = *state;

	fake_net_sums()->is_forbidden = true;
	probe(pair->a, WF_OVERLAY_SUMS_AUTO);
	assert_non_null(strstr(said, "not found out"));
	run(pair, 50);
	assert_int_equal(fake_net_sums()->sent, 0);
	assert_self(pair->a, "device", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_found_and_repaired),
		CASE(test_remembered),
		CASE(test_told),
		CASE(test_what_cannot_be_asked_again_stays),
		CASE(test_networks_that_are_not_asked),
		CASE(test_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
