/* SPDX-License-Identifier: Apache-2.0 */
/* src/flow/flow.c: events become lines with names. */
#include "flow/flow.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/abi/reason.h>

#include "base/addr.h"
#include "base/json.h"

static const char *by_slot(uint32_t slot, void *context)
{
	(void)context;
	return slot == 1 ? "web" : slot == 2 ? "db" : NULL;
}

static const char *by_address(uint32_t network, const struct wf_addr *addr, void *context)
{
	char text[WF_ADDR_TEXT];

	(void)context;
	if (network == 7 && strcmp(wf_addr_format(addr, text), "10.64.0.3") == 0)
		return "db";
	return NULL;
}

static const char *network(uint32_t number, void *context)
{
	(void)context;
	return number == 7 ? "blue" : NULL;
}

static json_t *rule(uint32_t number, void *context)
{
	(void)context;
	return number == 7 ? json_pack("{s:s, s:s}", "policy", "NetworkPolicy/default/x", "rule",
				       "spec.ingress[0]")
			   : NULL;
}

static const struct wf_flow_names names = { .endpoint_by_slot = by_slot,
					    .endpoint_by_address = by_address,
					    .network = network,
					    .rule = rule };

static struct wf_event make_event(uint8_t type, uint8_t hook)
{
	struct wf_event event = { .type = type,
				  .hook = hook,
				  .len = 74,
				  .network = 7,
				  .slot = 1,
				  .ethertype = htons(ETH_P_IP),
				  .proto = IPPROTO_TCP,
				  .sport = htons(40000),
				  .dport = htons(80),
				  .tcp_flags = 2 };

	assert_int_equal(wf_addr_parse("10.64.0.2", &event.src), 0);
	assert_int_equal(wf_addr_parse("10.64.0.3", &event.dst), 0);
	return event;
}

static void test_drop(void **state)
{
	struct wf_event event = make_event(WF_EVENT_DROP, WF_HOOK_FROM_CONTAINER);
	_cleanup_json_ json_t *value = NULL;
	const json_t *side;

	(void)state;
	event.reason = WF_REASON_NETWORK_ISOLATED;
	value = wf_flow_to_json(&event, 0, &names);
	assert_non_null(value);
	assert_string_equal(wf_json_str(value, "type", ""), "drop");
	assert_string_equal(wf_json_str(value, "time", ""), "1970-01-01T00:00:00Z");
	assert_string_equal(wf_json_str(value, "network", ""), "blue");
	assert_string_equal(wf_json_str(value, "endpoint", ""), "web");
	assert_string_equal(wf_json_str(value, "protocol", ""), "TCP");
	side = json_object_get(value, "source");
	assert_string_equal(wf_json_str(side, "address", ""), "10.64.0.2");
	assert_string_equal(wf_json_str(side, "name", ""), "web");
	assert_int_equal(wf_json_int(side, "port", 0), 40000);
	side = json_object_get(value, "destination");
	assert_string_equal(wf_json_str(side, "name", ""), "db");
	assert_string_equal(wf_json_str(json_object_get(value, "reason"), "label", ""),
			    "network_isolated");
	assert_string_equal(wf_json_str(json_object_get(value, "reason"), "class", ""), "policy");
}

static void test_policy(void **state)
{
	struct wf_event event = make_event(WF_EVENT_DROP, WF_HOOK_FROM_CONTAINER);
	_cleanup_json_ json_t *value = NULL, *plain = NULL;
	const json_t *end;

	(void)state;
	event.reason = WF_REASON_POLICY_INGRESS;
	event.rule = 7;
	event.ends[WF_POLICY_INGRESS] = (struct wf_event_end){
		.profile = 3, .class_id = 4, .rule = 7, .verdict = WF_POLICY_DENY
	};
	value = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(json_object_get(value, "policy"), "rule", ""),
			    "spec.ingress[0]");
	end = json_object_get(json_object_get(value, "policies"), "ingress");
	assert_string_equal(wf_json_str(end, "verdict", ""), "deny");
	assert_int_equal(wf_json_int(end, "profile", 0), 3);
	assert_int_equal(wf_json_int(end, "class", 0), 4);
	assert_non_null(json_object_get(end, "rule"));
	assert_null(json_object_get(json_object_get(value, "policies"), "egress"));
	/* of nobody's policies there is nothing to say */
	event = make_event(WF_EVENT_AUDIT, WF_HOOK_FROM_CONTAINER);
	plain = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(plain, "type", ""), "audit");
	assert_null(json_object_get(plain, "policies"));
	assert_null(json_object_get(plain, "policy"));
}

static void test_first_packet_from_host(void **state)
{
	struct wf_event event = make_event(WF_EVENT_FIRST, WF_HOOK_FROM_HOST);
	_cleanup_json_ json_t *value = NULL;

	(void)state;
	value = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(value, "type", ""), "first");
	assert_string_equal(wf_json_str(json_object_get(value, "source"), "name", ""), "host");
	assert_null(json_object_get(value, "reason"));
	assert_int_equal(wf_json_int(value, "tcpFlags", -1), 2);
}

static void test_other_protocols(void **state)
{
	struct wf_event event = make_event(WF_EVENT_DROP, WF_HOOK_FROM_CONTAINER);
	_cleanup_json_ json_t *arp = NULL;
	_cleanup_json_ json_t *icmp = NULL;
	_cleanup_json_ json_t *odd = NULL;
	char buf[8];

	(void)state;
	event.ethertype = htons(ETH_P_ARP);
	event.proto = 0;
	arp = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(arp, "protocol", ""), "ARP");
	assert_null(json_object_get(json_object_get(arp, "source"), "port"));

	event.ethertype = htons(ETH_P_IP);
	event.proto = IPPROTO_ICMP;
	event.sport = htons(8 << 8 | 3);
	icmp = wf_flow_to_json(&event, 0, &names);
	assert_int_equal(wf_json_int(icmp, "icmpType", -1), 8);
	assert_int_equal(wf_json_int(icmp, "icmpCode", -1), 3);

	event.ethertype = htons(0x88cc);
	odd = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(odd, "protocol", ""), "0x88cc");
	assert_string_equal(wf_flow_protocol(132, buf), "SCTP");
	assert_string_equal(wf_flow_protocol(47, buf), "GRE");
	assert_string_equal(wf_flow_protocol(200, buf), "200");
}

/* What was refused before its addresses were read is not said to come from "::". */
static void test_unread_header(void **state)
{
	struct wf_event event = make_event(WF_EVENT_DROP, WF_HOOK_FROM_CONTAINER);
	_cleanup_json_ json_t *value = NULL;

	(void)state;
	memset(&event.src, 0, sizeof(event.src));
	memset(&event.dst, 0, sizeof(event.dst));
	event.proto = 0;
	event.reason = WF_REASON_MALFORMED_IPV4;
	value = wf_flow_to_json(&event, 0, &names);
	assert_string_equal(wf_json_str(value, "protocol", ""), "IPv4");
	assert_null(json_object_get(json_object_get(value, "source"), "address"));
	assert_string_equal(wf_json_str(json_object_get(value, "source"), "name", ""), "web");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_first_packet_from_host),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_unread_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
