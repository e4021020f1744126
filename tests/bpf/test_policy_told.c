/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs tell of their verdicts, and what they are told of connections. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "packet.h"
#include "policies.h"
#include "world.h"

static struct wf_event last;

static void keep(const struct wf_event *event, void *context)
{
	last = *event;
}

static int read_events(void)
{
	memset(&last, 0, sizeof(last));
	return wf_dp_event_read(services_dp, keep, NULL);
}

static void observers_are_told_the_rule(void **state)
{
	static const struct step denied = {
		"denied", FROM, 1, { TCP(ONE, TWO, 40000, 81, SYN) }, DENIED(INGRESS)
	};
	static const struct step allowed = {
		"allowed", FROM, 1, { TCP(ONE, TWO, 40000, 80, SYN) }, REDIRECT
	};
	static const struct step on_trial = {
		"on trial", FROM, 3, { TCP(THREE, ONE, 40000, 81, SYN) }, REDIRECT
	};
	static const struct step goes_on = {
		"goes on", FROM, 3, { TCP(THREE, ONE, 40000, 81, ACK) }, REDIRECT
	};

	subject(1, TRIAL, 0, 0);
	subject(2, WEB, NOTHING, 0);
	services_configure(WF_CONFIG_SERVICES, WF_OBSERVE_DROPS);
	services_step(&denied);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_DROP);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(last.verdict, WF_POLICY_DENY);
	assert_int_equal(last.rule, 20);
	assert_int_equal(last.ends[WF_POLICY_INGRESS].profile, WEB);
	services_step(&on_trial);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_AUDIT);
	assert_int_equal(last.verdict, WF_POLICY_AUDIT);
	assert_int_equal(last.rule, 50);
	assert_int_equal(last.reason, 0);
	services_step(&goes_on);
	assert_int_equal(read_events(), 0);
	assert_int_equal(hits(50), 1);
	services_configure(WF_CONFIG_SERVICES, WF_OBSERVE_FIRST);
	services_step(&allowed);
	assert_int_equal(read_events(), 1);
	assert_int_equal(last.type, WF_EVENT_FIRST);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.rule, 21);
}

/* Asks as `weft why` does. */
static int ask(enum wf_dp_program program, __u32 ifindex, const struct wire_spec *spec)
{
	static struct wire wire;
	struct wf_dp_packet packet = { .program = program, .ifindex = ifindex };
	__u32 slot = ifindex - WF_IFINDEX_BASE;

	wire_build(spec, &wire);
	packet_mac(MAC_HOST, wire.bytes);
	packet_mac(slot && slot < WORLD_SLOTS ? (__u16)slot : MAC_HOST, wire.bytes + 6);
	packet.bytes = wire.bytes;
	packet.len = wire.len;
	return wf_dp_trace(services_dp, &packet, &last, keep, NULL, NULL);
}

static void questions_leave_no_trace(void **state)
{
	static const struct wire_spec direct = { TCP(ONE, TWO, 40000, 80, SYN) };
	static const struct wire_spec service = TO_WEB;
	static const struct wire_spec spoofed = { TCP("10.1.0.99", TWO, 40000, 80, SYN) };
	static const struct wire_spec outside = { TCP(ONE, "203.0.113.5", 40000, 80, SYN) };
	static const struct wire_spec web_host = { TCP("192.0.2.9", TO_H, 40000, 80, SYN) };
	static const struct wire_spec node_port = { "192.0.2.9", TO_H, SERVICES_TCP,
						    .dport = 30080 };
	static const struct wire_spec probe = { TCP("10.1.0.1", TWO, 40000, 80, SYN) };
	static const __u32 one = WF_IFINDEX_BASE + 1;
	struct wf_counter before[WF_REASON_COUNT], after[WF_REASON_COUNT];
	struct wf_traffic_value sent, sent_after;

	assert_int_equal(wf_dp_drops_read(services_dp, before), 0);
	assert_int_equal(wf_dp_traffic_read(services_dp, 1, &sent), 0);
	/* nobody is guarded */
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &direct), 0);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.way, WF_EVENT_WAY_ENDPOINT);
	assert_int_equal(last.peer_slot, 2);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &spoofed), 0);
	assert_int_equal(last.reason, WF_REASON_SPOOFED_IP);
	/* both ends are told, whichever denies */
	subject(1, 0, EVERYTHING, 3);
	subject(2, NOTHING, NOTHING, 4);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &direct), 0);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(last.rule, 10);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].profile, EVERYTHING);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].class_id, 4);
	assert_int_equal(last.ends[WF_POLICY_EGRESS].verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.ends[WF_POLICY_INGRESS].class_id, 3);
	subject(2, BACKENDS, NOTHING, 4);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &service), 0);
	assert_int_equal(last.verdict, WF_POLICY_ALLOW);
	assert_int_equal(last.rule, 81);
	assert_int_equal(last.translated, WF_EVENT_TRANSLATED_DST);
	assert_int_equal(last.nat_port, htons(8080));
	assert_int_equal(last.peer_slot, 2);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, one, &outside), 0);
	assert_int_equal(last.way, WF_EVENT_WAY_HOST);
	assert_int_equal(last.rule, 30);
	assert_int_equal(ask(WF_DP_FROM_CONTAINER, WF_IFINDEX_BASE, &probe), 0);
	assert_int_equal(last.reason, WF_REASON_POLICY_INGRESS);
	assert_int_equal(ask(WF_DP_FROM_UPLINK, services_uplink, &node_port), 0);
	assert_int_equal(last.rule, 81);
	assert_int_equal(last.peer_slot, 2);
	subject(0, WEB, 0, 0);
	assert_int_equal(ask(WF_DP_FROM_UPLINK, services_uplink, &web_host), 0);
	assert_int_equal(last.rule, 21);
	assert_int_equal(last.way, WF_EVENT_WAY_HOST);
	assert_int_equal(services_live(), 0);
	assert_int_equal(hits(81), 0);
	assert_int_equal(hits(10), 0);
	assert_int_equal(wf_dp_drops_read(services_dp, after), 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(wf_dp_traffic_read(services_dp, 1, &sent_after), 0);
	assert_memory_equal(&sent, &sent_after, sizeof(sent));
}

/* ---- what the daemon remembers for them ---------------------------------------------------- */

static void seeds_let_connections_go_on(void **state)
{
	static const struct step denied = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, DENIED(EGRESS)
	};
	static const struct step back = {
		"back", FROM, 2, { TCP(TWO, ONE, 80, 40000, ACK) }, REDIRECT
	};
	const struct wf_conn_seed seed = seed_of_web();

	subject(2, WEB, NOTHING, 0);
	services_step(&denied);
	assert_int_equal(wf_dp_conn_seed(services_dp, &seed, 1), 1);
	assert_int_equal(services_live(), 1);
	services_step(&back);
	/* what is known already is left as it is */
	assert_int_equal(wf_dp_conn_seed(services_dp, &seed, 1), 0);
	assert_int_equal(services_live(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(observers_are_told_the_rule, begin),
		cmocka_unit_test_setup(questions_leave_no_trace, begin),
		cmocka_unit_test_setup(seeds_let_connections_go_on, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
