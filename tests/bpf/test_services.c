/* SPDX-License-Identifier: Apache-2.0 */
/* Containers that talk to services and published ports, and what answers them. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "services.h"
#include "world.h"

static void a_service_there_and_back(void **state)
{
	static const struct step steps[] = {
		{ "to the service",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
		{ "its answer",
		  FROM,
		  2,
		  { "10.1.0.12", "10.1.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.96.0.1", "10.1.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
		{ "once more",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40000, 80, .payload = 100 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", IPPROTO_TCP, 40000, 8080, .payload = 100 },
		  .to_mac = 2 },
		{ "IPv6",
		  FROM,
		  1,
		  { "fd01::11", "fd96::1", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "fd01::11", "fd01::12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
		{ "IPv6, its answer",
		  FROM,
		  2,
		  { "fd01::12", "fd01::11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "fd96::1", "fd01::11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
		{ "the backend's own traffic",
		  FROM,
		  2,
		  { "10.1.0.12", "10.1.0.11", IPPROTO_TCP, 8081, 40000 },
		  REDIRECT,
		  .to_mac = 1 },
		{ "the backend's own traffic outside",
		  FROM,
		  2,
		  { "10.1.0.12", "203.0.113.1", IPPROTO_TCP, 8081, 443 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 2);
	assert_int_equal(services_backend(BACKEND_WEB)->active, 1);
}

static void another_network_answers(void **state)
{
	static const struct step steps[] = {
		{ "first",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_UDP, .dport = 53 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", SERVICES_UDP, .dport = 53 },
		  .to_mac = 2 },
		{ "second, in turn",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", IPPROTO_UDP, 40001, 53, .payload = 20 },
		  REDIRECT,
		  { "10.1.0.11", "10.2.0.13", IPPROTO_UDP, 40001, 53, .payload = 20 },
		  .to_mac = 3 },
		{ "its answer",
		  FROM,
		  3,
		  { "10.2.0.13", "10.1.0.11", IPPROTO_UDP, 53, 40001, .payload = 9 },
		  REDIRECT,
		  { "10.96.0.1", "10.1.0.11", IPPROTO_UDP, 53, 40001, .payload = 9 },
		  .to_mac = 1 },
		{ "not a service's port",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_UDP, .dport = 54 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
	};
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	memory.services[2].turn = 0;
	SERVICES_STEPS(steps);
}

static void an_error_finds_its_way_back(void **state)
{
	static const struct wire_spec there = { "10.1.0.11", "10.1.0.12", SERVICES_UDP,
						.dport = 53 };
	static const struct wire_spec seen = { "10.1.0.11", "10.96.0.1", SERVICES_UDP,
					       .dport = 53 };
	static const struct step steps[] = {
		{ "first",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_UDP, .dport = 53 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", SERVICES_UDP, .dport = 53 },
		  .to_mac = 2 },
		{ "port unreachable",
		  FROM,
		  2,
		  { "10.1.0.12", "10.1.0.11", IPPROTO_ICMP, .type = 3, .code = 3,
		    .quoted = &there },
		  REDIRECT,
		  { "10.96.0.1", "10.1.0.11", IPPROTO_ICMP, .type = 3, .code = 3, .quoted = &seen },
		  .to_mac = 1 },
	};
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	memory.services[2].turn = 0;
	SERVICES_STEPS(steps);
}

static void to_oneself(void **state)
{
	static const struct step steps[] = {
		{ "to itself",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.3", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.96.0.3", "10.1.0.11", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 1 },
		{ "from itself",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.3", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.96.0.3", "10.1.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
	};

	SERVICES_STEPS(steps);
}

static void nobody_serves(void **state)
{
	static const struct step steps[] = {
		{ "TCP without a backend",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.2", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_BACKEND,
		  .is_refused = true,
		  .to_mac = 1 },
		{ "UDP without a backend",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.2", SERVICES_UDP, .dport = 53 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_BACKEND,
		  .is_refused = true },
		{ "TCP to no port",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_TCP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "IPv6 to no port",
		  FROM,
		  1,
		  { "fd01::11", "fd96::1", SERVICES_UDP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "not in the source ranges",
		  FROM,
		  1,
		  { "10.1.0.11", "198.51.100.7", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_SERVICE_SOURCE },
		{ "no service at all",
		  FROM,
		  1,
		  { "10.1.0.11", "198.51.100.8", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 0);
}

static void published_ports_inside(void **state)
{
	static const struct step steps[] = {
		{ "by the gateway",
		  FROM,
		  1,
		  { "10.1.0.11", "10.1.0.1", SERVICES_TCP, .dport = 8321 },
		  REDIRECT,
		  { "10.1.0.11", "10.2.0.13", SERVICES_TCP, .dport = 9321 },
		  .to_mac = 3 },
		{ "its answer",
		  FROM,
		  3,
		  { "10.2.0.13", "10.1.0.11", IPPROTO_TCP, 9321, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.1.0.1", "10.1.0.11", IPPROTO_TCP, 8321, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
		{ "by the host's address",
		  FROM,
		  2,
		  { "10.1.0.12", "192.0.2.1", SERVICES_TCP, .dport = 8999 },
		  REDIRECT,
		  { "10.1.0.12", "10.2.0.13", SERVICES_TCP, .dport = 9999 },
		  .to_mac = 3 },
		{ "beyond the run",
		  FROM,
		  2,
		  { "10.1.0.12", "192.0.2.1", SERVICES_TCP, .dport = 9000 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "UDP, not published",
		  FROM,
		  2,
		  { "10.1.0.12", "192.0.2.1", SERVICES_UDP, .dport = 8000 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "its own, published",
		  FROM,
		  3,
		  { "10.2.0.13", "192.0.2.1", SERVICES_TCP, .dport = 8000 },
		  REDIRECT,
		  { "192.0.2.1", "10.2.0.13", SERVICES_TCP, .dport = 9000 },
		  .to_mac = 3 },
		{ "a node port",
		  FROM,
		  3,
		  { "10.2.0.13", "10.2.0.1", SERVICES_TCP, .dport = 30080 },
		  REDIRECT,
		  { "10.2.0.13", "10.1.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
	};

	SERVICES_STEPS(steps);
}

static void isolation_holds_for_service_addresses(void **state)
{
	static const struct step steps[] = {
		{ "service of an isolated network",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.5", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_ISOLATED },
		{ "its published port",
		  FROM,
		  1,
		  { "10.1.0.11", "192.0.2.1", SERVICES_TCP, .dport = 7000 },
		  REDIRECT,
		  { "10.1.0.11", "10.3.0.14", SERVICES_TCP, .dport = 70 },
		  .to_mac = 4 },
		{ "its node port",
		  FROM,
		  1,
		  { "10.1.0.11", "192.0.2.1", SERVICES_TCP, .dport = 30086 },
		  REDIRECT,
		  { "10.1.0.11", "10.3.0.14", SERVICES_TCP, .dport = 80 },
		  .to_mac = 4 },
		{ "from an isolated network",
		  FROM,
		  4,
		  { "10.3.0.14", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_ISOLATED },
		{ "from an internal network",
		  FROM,
		  5,
		  { "10.4.0.15", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "from an internal network to far away",
		  FROM,
		  5,
		  { "10.4.0.15", "10.96.0.4", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "from an internal network to a published port",
		  FROM,
		  5,
		  { "10.4.0.15", "10.4.0.1", SERVICES_TCP, .dport = 8000 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
	};

	SERVICES_STEPS(steps);
}

static void a_backend_elsewhere(void **state)
{
	static const struct step steps[] = {
		{ "leaves by the host",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.4", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.11", "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  .to_mac = MAC_HOST },
		{ "shows the host's address",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  SERVICES_GO_ON,
		  { "192.0.2.1", "203.0.113.9", SERVICES_TCP, .dport = 8080 } },
		{ "the answer comes in",
		  COMES_IN,
		  0,
		  { "203.0.113.9", "192.0.2.1", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  SERVICES_GO_ON,
		  { "203.0.113.9", "10.1.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 } },
		{ "and shows the service's",
		  FROM_HOST,
		  0,
		  { "203.0.113.9", "10.1.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.96.0.4", "10.1.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
		{ "another's does not",
		  FROM_HOST,
		  0,
		  { "203.0.113.9", "10.1.0.11", IPPROTO_TCP, 8081, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  .to_mac = 1 },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 2);
}

static void datagrams_move_and_streams_drain(void **state)
{
	static const struct step first[] = {
		{ "UDP",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_UDP, .dport = 53 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", SERVICES_UDP, .dport = 53 } },
		{ "TCP",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", SERVICES_TCP, .dport = 8080 } },
	};
	static const struct step left[] = {
		{ "UDP moves",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", SERVICES_UDP, .dport = 53 },
		  REDIRECT,
		  { "10.1.0.11", "10.2.0.13", SERVICES_UDP, .dport = 53 } },
		{ "TCP goes on",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40000, 80 },
		  REDIRECT,
		  { "10.1.0.11", "10.1.0.12", IPPROTO_TCP, 40000, 8080 } },
		{ "a new one finds nobody",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40001, 80, .tcp_flags = 2 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_BACKEND,
		  .is_refused = true },
	};
	static const struct step cut[] = {
		{ "TCP is cut",
		  FROM,
		  1,
		  { "10.1.0.11", "10.96.0.1", IPPROTO_TCP, 40000, 80 },
		  REDIRECT,
		  .reason = WF_REASON_CONN_CUT,
		  .is_refused = true },
	};
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	memory.services[2].turn = 0;
	SERVICES_STEPS(first);
	services_backend(BACKEND_DNS2)->flags = WF_BACKEND_VALID;
	services_backend(BACKEND_WEB)->flags = WF_BACKEND_VALID;
	SERVICES_STEPS(left);
	services_backend(BACKEND_WEB)->flags = WF_BACKEND_VALID | WF_BACKEND_CUT;
	SERVICES_STEPS(cut);
	assert_int_equal(services_live(), 1);
}

/* The same client comes to the same backend by whatever port, while that may serve. */
static void affinity_sticks(void **state)
{
	struct step step = {
		"sticky", FROM, 1, { "10.1.0.11", "10.96.0.6", SERVICES_TCP, .dport = 80 }, REDIRECT
	};
	bool is_second;

	services_backend(BACKEND_STICKY3)->flags = WF_BACKEND_VALID;
	step.out = (struct wire_spec){ "10.1.0.11", "10.1.0.12", SERVICES_TCP, .dport = 80 };
	services_step(&step);
	services_backend(BACKEND_STICKY3)->flags |= WF_BACKEND_USABLE;
	for (int i = 1; i < 20; i++) {
		step.in.sport = step.out.sport = (uint16_t)(40000 + i);
		services_step(&step);
	}
	services_backend(BACKEND_STICKY2)->flags = WF_BACKEND_VALID;
	step.in.sport = step.out.sport = 50000;
	step.out.dst = "10.2.0.13";
	services_step(&step);
	is_second = services_backend(BACKEND_STICKY3)->active == 1;
	assert_true(is_second);
}

/* Two connections of one client port to one backend, by two services: told apart by a new port. */
static void alike_connections_are_told_apart(void **state)
{
	static const struct step one = { "the service",
					 FROM,
					 1,
					 { "10.1.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
					 REDIRECT,
					 { "10.1.0.11", "10.1.0.12", SERVICES_TCP,
					   .dport = 8080 } };
	static const struct step other = {
		"its node port", FROM, 1, { "10.1.0.11", "192.0.2.1", SERVICES_TCP, .dport = 30080 }
	};
	static struct wire in, out;

	services_step(&one);
	assert_int_equal(services_run(&other, &in, &out), TC_ACT_REDIRECT);
	assert_memory_not_equal(in.bytes + 34, out.bytes + 34, 2);
	assert_memory_equal(out.bytes + 36, "\x1f\x90", 2);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
	assert_int_equal(services_live(), 2);
}

static struct wf_event last;

static void keep(const struct wf_event *event, void *context)
{
	last = *event;
}

static void observers_see_both_addresses(void **state)
{
	static const struct step step = { "to the service",
					  FROM,
					  1,
					  { "10.1.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
					  REDIRECT,
					  { "10.1.0.11", "10.1.0.12", SERVICES_TCP,
					    .dport = 8080 } };
	static const struct step refused = { "refused",
					     FROM,
					     1,
					     { "10.1.0.11", "10.96.0.2", SERVICES_TCP,
					       .dport = 80 },
					     REDIRECT,
					     .reason = WF_REASON_SERVICE_NO_BACKEND,
					     .is_refused = true };

	services_configure(WF_CONFIG_SERVICES, WF_OBSERVE_FIRST | WF_OBSERVE_DROPS);
	services_step(&step);
	assert_int_equal(wf_dp_event_read(services_dp, keep, NULL), 1);
	assert_int_equal(last.type, WF_EVENT_FIRST);
	assert_int_equal(last.dst.bytes[13], 96);
	assert_int_equal(last.dport, htons(80));
	assert_int_equal(last.translated, WF_EVENT_TRANSLATED_DST);
	assert_int_equal(last.nat.bytes[15], 12);
	assert_int_equal(last.nat_port, htons(8080));
	services_step(&refused);
	assert_int_equal(wf_dp_event_read(services_dp, keep, NULL), 1);
	assert_int_equal(last.type, WF_EVENT_DROP);
	assert_int_equal(last.reason, WF_REASON_SERVICE_NO_BACKEND);
	assert_int_equal(last.dst.bytes[15], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_service_there_and_back, services_begin),
		cmocka_unit_test_setup(another_network_answers, services_begin),
		cmocka_unit_test_setup(an_error_finds_its_way_back, services_begin),
		cmocka_unit_test_setup(to_oneself, services_begin),
		cmocka_unit_test_setup(nobody_serves, services_begin),
		cmocka_unit_test_setup(published_ports_inside, services_begin),
		cmocka_unit_test_setup(isolation_holds_for_service_addresses, services_begin),
		cmocka_unit_test_setup(a_backend_elsewhere, services_begin),
		cmocka_unit_test_setup(datagrams_move_and_streams_drain, services_begin),
		cmocka_unit_test_setup(affinity_sticks, services_begin),
		cmocka_unit_test_setup(alike_connections_are_told_apart, services_begin),
		cmocka_unit_test_setup(observers_see_both_addresses, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
