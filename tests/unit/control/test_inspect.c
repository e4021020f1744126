/* SPDX-License-Identifier: Apache-2.0 */
/* What people see: networks, endpoints, addresses and why, the node, metrics, events. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "blue",
		    "{'subnets':[{'cidr':'10.1.0.0/28','exclude':['10.1.0.14']}],'mtu':1400}");
	lab_network(lab, "lan", "{'driver':'macvlan','subnets':[{'cidr':'10.3.0.0/24'}]}");
	lab_endpoint(lab, "blue", "web", 0);
	lab_endpoint(lab, "blue", "gone", 1);
	assert_int_equal(lab_detach(lab, "gone"), 0);
	assert_int_equal(lab_apply(lab, "[{'apiVersion':'weft.dev/v1','kind':'Reservation',"
					"'metadata':{'name':'r'},'spec':{'network':'blue',"
					"'for':'held','addresses':['10.1.0.9']}}]"),
			 0);
	fake_net_add_route(lab->net, "192.0.2.0/24", "uplink");
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

static void test_network(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *document = NULL, *list = wf_control_network_list(lab->control);
	const json_t *status, *subnet, *member;

	assert_int_equal(json_array_size(json_object_get(list, "items")), 2);
	assert_int_equal(wf_control_network_inspect(lab->control, "blue", &document, &lab->err), 0);
	status = json_object_get(document, "status");
	subnet = json_array_get(json_object_get(status, "subnets"), 0);
	assert_string_equal(wf_json_str(subnet, "cidr", ""), "10.1.0.0/28");
	assert_string_equal(wf_json_str(subnet, "gateway", ""), "10.1.0.1");
	assert_int_equal(wf_json_int(subnet, "total", 0), 12);
	assert_int_equal(wf_json_int(subnet, "inUse", 0), 1);
	assert_int_equal(wf_json_int(subnet, "reserved", 0), 1);
	assert_int_equal(wf_json_int(subnet, "cooling", 0), 1);
	assert_int_equal(wf_json_int(subnet, "free", 0), 9);
	assert_int_equal(wf_json_int(status, "endpointCount", 0), 1);
	assert_int_equal(wf_json_int(status, "mtu", 0), 1400);
	assert_string_equal(wf_json_str(status, "hostInterface", ""), "weft0");
	member = json_object_get(json_object_get(status, "endpoints"), "web");
	assert_string_equal(wf_json_str(member, "interface", ""), "eth0");
	assert_string_equal(wf_json_str(member, "netns", ""), "/fake/c0");
	json_decref(document);
	document = NULL;
	assert_int_equal(wf_control_network_inspect(lab->control, "lan", &document, &lab->err), 0);
	assert_string_equal(wf_json_str(json_object_get(document, "status"), "parent", ""),
			    "uplink");
	assert_int_equal(wf_control_network_inspect(lab->control, "red", &document, &lab->err),
			 -ENOENT);
	assert_string_equal(lab->err.object, "network/red");
}

static void test_endpoint(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *document = NULL, *list = wf_control_endpoint_list(lab->control);
	const json_t *sent;

	assert_int_equal(json_array_size(json_object_get(list, "items")), 1);
	fake_dp_count_sent(lab->dp, 1, 100);
	assert_int_equal(wf_control_endpoint_inspect(lab->control, "web", &document, &lab->err), 0);
	sent = json_object_get(json_object_get(json_object_get(document, "status"), "traffic"),
			       "sent");
	assert_int_equal(wf_json_int(sent, "packets", 0), 1);
	assert_int_equal(wf_json_int(sent, "bytes", 0), 100);
	assert_int_equal(wf_control_endpoint_inspect(lab->control, "x", &document, &lab->err),
			 -ENOENT);
	assert_string_equal(lab->err.message, "there is no endpoint x; see 'weft endpoint ls'");
	assert_int_equal(wf_control_endpoint_inspect(lab->control, "we", &document, &lab->err),
			 -ENOENT);
	assert_string_equal(lab->err.message, "there is no endpoint we; did you mean web?");
}

static void test_addresses(void **state)
{
	static const char *const wanted[] = {
		"10.1.0.1 gateway ",
		"10.1.0.2 in-use web",
		"10.1.0.3 cooling ",
		"10.1.0.9 reserved held",
	};
	struct lab *lab = *state;
	_cleanup_json_ json_t *items = NULL, *all = NULL;
	json_t *item;
	size_t i;

	assert_int_equal(wf_control_address_list(lab->control, "blue", &items, &lab->err), 0);
	assert_int_equal(json_array_size(items), WF_ARRAY_LEN(wanted));
	json_array_foreach(items, i, item) {
		char line[128];

		(void)snprintf(line, sizeof(line), "%s %s %s", wf_json_str(item, "address", ""),
			       wf_json_str(item, "state", ""), wf_json_str(item, "owner", ""));
		assert_string_equal(line, wanted[i]);
	}
	assert_int_equal(wf_json_int(json_array_get(items, 2), "freeInSeconds", 0), 30);
	assert_int_equal(wf_control_address_list(lab->control, NULL, &all, &lab->err), 0);
	assert_int_equal(json_array_size(all), WF_ARRAY_LEN(wanted) + 1);
	assert_int_equal(wf_control_address_list(lab->control, "red", &all, &lab->err), -ENOENT);
}

static void test_why(void **state)
{
	static const struct {
		const char *address, *state, *text;
	} rows[] = {
		{ "10.1.0.2", "in-use", "endpoint web has it (interface eth0 in /fake/c0)" },
		{ "10.1.0.3", "cooling", "not given out again for 30 s" },
		{ "10.1.0.4", "free", "nobody has it" },
		{ "10.1.0.9", "reserved", "held for held" },
		{ "10.1.0.14", "excluded", "only on request" },
		{ "10.1.0.1", "gateway", "it is the gateway" },
		{ "10.1.0.0", "unusable", "network or broadcast" },
	};
	struct lab *lab = *state;
	_cleanup_json_ json_t *host = NULL;
	json_t *answer = NULL;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		const json_t *item;

		assert_int_equal(
			wf_control_address_why(lab->control, rows[i].address, &answer, &lab->err),
			0);
		item = json_array_get(json_object_get(answer, "items"), 0);
		if (strcmp(wf_json_str(item, "state", ""), rows[i].state) != 0 ||
		    !strstr(wf_json_str(item, "text", ""), rows[i].text))
			fail_msg("%s: %s, %s", rows[i].address, wf_json_str(item, "state", ""),
				 wf_json_str(item, "text", ""));
		json_decref(answer);
	}
	assert_int_equal(wf_control_address_why(lab->control, "192.0.2.9", &host, &lab->err), 0);
	assert_int_equal(json_array_size(json_object_get(host, "items")), 0);
	assert_string_equal(
		wf_json_str(json_array_get(json_object_get(host, "host"), 0), "device", ""),
		"uplink");
	assert_int_equal(wf_control_address_why(lab->control, "web", &answer, &lab->err), -EINVAL);
}

static void test_status(void **state)
{
	struct lab *lab = *state;
	_cleanup_json_ json_t *status = NULL;

	fake_dp_count_drop(lab->dp, WF_REASON_SPOOFED_IP, 60);
	fake_clock_advance_ms(5000);
	status = wf_control_status(lab->control);
	assert_string_equal(wf_json_str(status, "nodeName", ""), "node1");
	assert_int_equal(wf_json_int(status, "uptimeSeconds", 0), 5);
	assert_int_equal(wf_json_int(status, "networks", 0), 2);
	assert_int_equal(wf_json_int(status, "endpoints", 0), 1);
	assert_int_equal(wf_json_int(json_object_get(status, "drops"), "spoofed_ip", 0), 1);
}

static void test_metrics(void **state)
{
	static const char *const lines[] = {
		"weft_networks 2\n",
		"weft_endpoints{network=\"blue\"} 1\n",
		"weft_endpoints{network=\"lan\"} 0\n",
		"weft_ipam_addresses{network=\"blue\",subnet=\"10.1.0.0/28\",state=\"in_use\"} 1\n",
		"weft_ipam_addresses{network=\"blue\",subnet=\"10.1.0.0/28\",state=\"free\"} 9\n",
		"weft_drop_packets_total{reason=\"spoofed_ip\",class=\"attack\"} 1\n",
		"weft_drop_bytes_total{reason=\"spoofed_ip\",class=\"attack\"} 60\n",
		"weft_repairs_total 0\n",
	};
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct lab *lab = *state;

	fake_dp_count_drop(lab->dp, WF_REASON_SPOOFED_IP, 60);
	wf_control_metrics(lab->control, &text);
	for (size_t i = 0; i < WF_ARRAY_LEN(lines); i++)
		if (!strstr(wf_str_text(&text), lines[i]))
			fail_msg("no line %s in:\n%s", lines[i], wf_str_text(&text));
}

/* ---- events ------------------------------------------------------------------------------- */

struct seen {
	int count;
	char last[32];
};

static void see(const json_t *event, void *context)
{
	struct seen *seen = context;

	seen->count++;
	(void)snprintf(seen->last, sizeof(seen->last), "%s", wf_json_str(event, "endpoint", "?"));
}

static void push_drop(struct lab *lab)
{
	struct wf_event event = { .time_ns = wf_clock_monotonic_ns(),
				  .len = 60,
				  .network = 1,
				  .slot = 1,
				  .ethertype = htons(ETH_P_IP),
				  .type = WF_EVENT_DROP,
				  .reason = WF_REASON_SPOOFED_IP,
				  .hook = WF_HOOK_FROM_CONTAINER,
				  .proto = 6 };

	fake_dp_push(lab->dp, &event);
	(void)event_base_loop(lab->loop, EVLOOP_NONBLOCK);
}

static void test_observe(void **state)
{
	struct lab *lab = *state;
	struct seen all = { 0 }, mine = { 0 }, other = { 0 };
	struct wf_observer observers[] = {
		{ .drops = true, .callback = see, .context = &all },
		{ .drops = true, .endpoint = "web", .callback = see, .context = &mine },
		{ .drops = true, .network = "lan", .callback = see, .context = &other },
		{ .first = true, .callback = see, .context = &other },
	};

	assert_int_equal(fake_dp_config(lab->dp).observe, 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(observers); i++)
		assert_int_equal(wf_control_observe(lab->control, &observers[i], &lab->err), 0);
	assert_int_equal(fake_dp_config(lab->dp).observe, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
	push_drop(lab);
	assert_int_equal(all.count, 1);
	assert_string_equal(all.last, "web");
	assert_int_equal(mine.count, 1);
	assert_int_equal(other.count, 0);
	/* a restart of the host's side does not forget who observes */
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_int_equal(fake_dp_config(lab->dp).observe, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
	for (size_t i = 0; i < WF_ARRAY_LEN(observers); i++)
		wf_control_unobserve(lab->control, &observers[i]);
	assert_int_equal(fake_dp_config(lab->dp).observe, 0);
	push_drop(lab);
	assert_int_equal(all.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_network), CASE(test_endpoint), CASE(test_addresses), CASE(test_why),
		CASE(test_status),  CASE(test_metrics),  CASE(test_observe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
