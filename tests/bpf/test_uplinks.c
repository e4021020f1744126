/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a device that leads outside: masquerade, published and node ports. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab.h"
#include "services.h"

static void masquerade_there_and_back(void **state)
{
	static const struct step steps[] = {
		{ "TCP",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  GO_ON,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
		{ "its answer",
		  COMES_IN,
		  0,
		  { "203.0.113.5", TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { "203.0.113.5", "10.1.0.11", IPPROTO_TCP, 443, 40000, .tcp_flags = 18 } },
		{ "UDP over IPv6",
		  GOES_OUT,
		  0,
		  { "fd01::11", "2001:db8:1::5", SERVICES_UDP, .dport = 53 },
		  GO_ON,
		  { "2001:db8::1", "2001:db8:1::5", SERVICES_UDP, .dport = 53 } },
		{ "its answer",
		  COMES_IN,
		  0,
		  { "2001:db8:1::5", "2001:db8::1", IPPROTO_UDP, 53, 40000, .payload = 9 },
		  GO_ON,
		  { "2001:db8:1::5", "fd01::11", IPPROTO_UDP, 53, 40000, .payload = 9 } },
		{ "ping",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_ICMP, 77, .type = 8, .payload = 30 },
		  GO_ON,
		  { TO_H, "203.0.113.5", IPPROTO_ICMP, 77, .type = 8, .payload = 30 } },
		{ "its answer",
		  COMES_IN,
		  0,
		  { "203.0.113.5", TO_H, IPPROTO_ICMP, 77, .type = 0, .payload = 30 },
		  GO_ON,
		  { "203.0.113.5", "10.1.0.11", IPPROTO_ICMP, 77, .type = 0, .payload = 30 } },
		{ "SCTP",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_SCTP, 5000, 5001, .payload = 30 },
		  GO_ON,
		  { TO_H, "203.0.113.5", IPPROTO_SCTP, 5000, 5001, .payload = 30 } },
		{ "nobody asked for that",
		  COMES_IN,
		  0,
		  { "203.0.113.6", TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  GO_ON },
		{ "a network that is not masqueraded",
		  GOES_OUT,
		  0,
		  { "10.3.0.14", "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  GO_ON },
		{ "to another weft network",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "10.2.0.13", SERVICES_TCP, .dport = 443 },
		  GO_ON },
		{ "the host's own",
		  GOES_OUT,
		  0,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 22 },
		  GO_ON },
		{ "a protocol without ports",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_GRE, .payload = 20 },
		  SHOT,
		  .reason = WF_REASON_NAT_PROTOCOL },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 4);
}

static void errors_find_their_way(void **state)
{
	static const struct wire_spec sent = { TO_H, "203.0.113.5", SERVICES_UDP, .dport = 443 };
	static const struct wire_spec meant = { "10.1.0.11", "203.0.113.5", SERVICES_UDP,
						.dport = 443 };
	static const struct wire_spec unknown = { "10.1.0.11", "203.0.113.7", SERVICES_UDP,
						  .dport = 1 };
	static const struct wire_spec answer = { "203.0.113.5", "10.1.0.11", IPPROTO_UDP,
						 443,           40000,       .payload = 50 };
	static const struct wire_spec answered = { "203.0.113.5", TO_H,  IPPROTO_UDP,
						   443,           40000, .payload = 50 };
	static const struct step steps[] = {
		{ "UDP",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", SERVICES_UDP, .dport = 443 },
		  GO_ON,
		  { TO_H, "203.0.113.5", SERVICES_UDP, .dport = 443 } },
		{ "too big, says a router",
		  COMES_IN,
		  0,
		  { "198.18.0.1", TO_H, IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &sent,
		    .mtu = 1400 },
		  GO_ON,
		  { "198.18.0.1", "10.1.0.11", IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &meant,
		    .mtu = 1400 } },
		{ "too big, says the container",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_ICMP, .type = 3, .code = 4,
		    .quoted = &answer },
		  GO_ON,
		  { TO_H, "203.0.113.5", IPPROTO_ICMP, .type = 3, .code = 4,
		    .quoted = &answered } },
		{ "too big, says the host on the way",
		  GOES_OUT,
		  0,
		  { TO_H, "203.0.113.5", IPPROTO_ICMP, .type = 3, .code = 4, .quoted = &answer },
		  GO_ON,
		  { TO_H, "203.0.113.5", IPPROTO_ICMP, .type = 3, .code = 4,
		    .quoted = &answered } },
		{ "about nothing known",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "10.9.9.9", IPPROTO_ICMP, .type = 3, .code = 3,
		    .quoted = &unknown },
		  SHOT,
		  .reason = WF_REASON_NAT_UNRELATED },
	};

	SERVICES_STEPS(steps);
}

/* Who is routed to a container gets its answers from there, not from the host. */
static void answers_to_routed_clients_stay(void **state)
{
	static const struct step steps[] = {
		{ "UDP in",
		  COMES_IN,
		  0,
		  { "203.0.113.8", "10.1.0.11", IPPROTO_UDP, 5000, 53, .payload = 9 },
		  GO_ON },
		{ "UDP answer",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.8", IPPROTO_UDP, 53, 5000, .payload = 9 },
		  GO_ON },
		{ "TCP answer",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.8", IPPROTO_TCP, 80, 5000, .tcp_flags = 18 },
		  GO_ON },
		{ "echo reply",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.8", IPPROTO_ICMP, 5, .type = 0 },
		  GO_ON },
		{ "UDP of its own",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.8", IPPROTO_UDP, 40000, 5000, .payload = 9 },
		  GO_ON,
		  { TO_H, "203.0.113.8", IPPROTO_UDP, 40000, 5000, .payload = 9 } },
	};

	SERVICES_STEPS(steps);
}

static void clients_outside(void **state)
{
	static const struct step steps[] = {
		{ "node port",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30080 },
		  GO_ON,
		  { "192.0.2.9", "10.1.0.12", SERVICES_TCP, .dport = 8080 } },
		{ "its answer",
		  GOES_OUT,
		  0,
		  { "10.1.0.12", "192.0.2.9", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { TO_H, "192.0.2.9", IPPROTO_TCP, 30080, 40000, .tcp_flags = 18 } },
		{ "node port, IPv6",
		  COMES_IN,
		  0,
		  { "2001:db8::9", "2001:db8::1", SERVICES_TCP, .dport = 30080 },
		  GO_ON,
		  { "2001:db8::9", "fd01::12", SERVICES_TCP, .dport = 8080 } },
		{ "published",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 8765 },
		  GO_ON,
		  { "192.0.2.9", "10.2.0.13", SERVICES_TCP, .dport = 9765 } },
		{ "its answer",
		  GOES_OUT,
		  0,
		  { "10.2.0.13", "192.0.2.9", IPPROTO_TCP, 9765, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { TO_H, "192.0.2.9", IPPROTO_TCP, 8765, 40000, .tcp_flags = 18 } },
		{ "no backend",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30082 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_BACKEND,
		  .is_refused = true },
		{ "none here, policy Local",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30085 },
		  SHOT,
		  .reason = WF_REASON_SERVICE_NOT_LOCAL },
		{ "load balancer",
		  COMES_IN,
		  0,
		  { "192.0.2.11", "198.51.100.7", SERVICES_TCP, .dport = 80 },
		  GO_ON,
		  { "192.0.2.11", "10.1.0.12", SERVICES_TCP, .dport = 8080 } },
		{ "load balancer, not admitted",
		  COMES_IN,
		  0,
		  { "192.0.2.200", "198.51.100.7", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_SERVICE_SOURCE },
		{ "load balancer, no such port",
		  COMES_IN,
		  0,
		  { "192.0.2.9", "198.51.100.7", SERVICES_TCP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "a cluster address from outside",
		  COMES_IN,
		  0,
		  { "192.0.2.9", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "the host's own service",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 22 },
		  GO_ON },
		{ "in the middle of nothing",
		  COMES_IN,
		  0,
		  { "192.0.2.10", TO_H, IPPROTO_TCP, 40000, 30080 },
		  GO_ON },
		{ "ping of the host",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, IPPROTO_ICMP, 5, .type = 8 },
		  GO_ON },
		{ "through the host",
		  COMES_IN,
		  0,
		  { "192.0.2.9", "203.0.113.80", SERVICES_TCP, .dport = 30080 },
		  GO_ON },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 4);
}

static void a_backend_elsewhere_sees_the_host(void **state)
{
	static const struct step steps[] = {
		{ "in",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30084 },
		  GO_ON,
		  { "192.0.2.9", "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  .mark = 5,
		  .mark_out = 5 | WF_MARK_MASQUERADE },
		{ "and out",
		  GOES_OUT,
		  0,
		  { "192.0.2.9", "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  GO_ON,
		  { TO_H, "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  .mark = WF_MARK_MASQUERADE,
		  .mark_out = WF_MARK_MASQUERADE },
		{ "the answer in",
		  COMES_IN,
		  0,
		  { "203.0.113.9", TO_H, IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { "203.0.113.9", "192.0.2.9", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 } },
		{ "and out",
		  GOES_OUT,
		  0,
		  { "203.0.113.9", "192.0.2.9", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { TO_H, "192.0.2.9", IPPROTO_TCP, 30084, 40000, .tcp_flags = 18 } },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 2);
}

static void straight_into_the_container(void **state)
{
	static const struct step steps[] = {
		{ "node port",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30080 },
		  REDIRECT,
		  .out = { "192.0.2.9", "10.1.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
		{ "masquerade",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  GO_ON,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
		{ "its answer",
		  COMES_IN,
		  0,
		  { "203.0.113.5", TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  .out = { "203.0.113.5", "10.1.0.11", IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
	};

	services_configure(WF_CONFIG_SERVICES | WF_CONFIG_BYPASS, 0);
	SERVICES_STEPS(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(masquerade_there_and_back, services_begin),
		cmocka_unit_test_setup(errors_find_their_way, services_begin),
		cmocka_unit_test_setup(answers_to_routed_clients_stay, services_begin),
		cmocka_unit_test_setup(clients_outside, services_begin),
		cmocka_unit_test_setup(a_backend_elsewhere_sees_the_host, services_begin),
		cmocka_unit_test_setup(straight_into_the_container, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
