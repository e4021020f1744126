/* SPDX-License-Identifier: Apache-2.0 */
/* Policies about the host, and about who talks to containers from there and from outside. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lab.h"
#include "policies.h"
#include "world.h"

static void the_host_and_its_containers(void **state)
{
	static const struct step unguarded[] = {
		{ "probe of a container",
		  FROM_HOST,
		  0,
		  { TCP("10.1.0.1", TWO, 40000, 81, SYN) },
		  REDIRECT },
		{ "container to its gateway",
		  FROM,
		  2,
		  { TCP(TWO, "10.1.0.1", 40000, 22, SYN) },
		  REDIRECT },
	};
	static const struct step container[] = {
		{ "probe", FROM_HOST, 0, { TCP("10.1.0.1", TWO, 40000, 80, SYN) }, REDIRECT },
		{ "answer",
		  FROM,
		  2,
		  { TCP(TWO, "10.1.0.1", 80, 40000, SYN_ACK) },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "other port",
		  FROM_HOST,
		  0,
		  { TCP("10.1.0.1", TWO, 40000, 81, SYN) },
		  DENIED(INGRESS) },
		{ "container to its gateway",
		  FROM,
		  2,
		  { TCP(TWO, "10.1.0.1", 40000, 22, SYN) },
		  DENIED(EGRESS) },
		{ "container to an address of the host",
		  FROM,
		  2,
		  { TCP(TWO, TO_H, 40000, 22, SYN) },
		  DENIED(EGRESS) },
	};
	static const struct step host[] = {
		{ "host to the container",
		  FROM_HOST,
		  0,
		  { TCP("10.1.0.1", TWO, 41000, 80, SYN) },
		  DENIED(EGRESS) },
		{ "container to its gateway",
		  FROM,
		  1,
		  { TCP(ONE, "10.1.0.1", 40000, 80, SYN) },
		  REDIRECT },
		{ "its answer",
		  FROM_HOST,
		  0,
		  { TCP("10.1.0.1", ONE, 80, 40000, SYN_ACK) },
		  REDIRECT },
		{ "another port of the host",
		  FROM,
		  1,
		  { TCP(ONE, TO_H, 40000, 22, SYN) },
		  DENIED(INGRESS) },
		{ "beyond the host",
		  FROM,
		  1,
		  { TCP(ONE, "203.0.113.5", 40000, 22, SYN) },
		  REDIRECT },
		{ "from beyond the host",
		  FROM_HOST,
		  0,
		  { TCP("203.0.113.5", ONE, 40000, 22, SYN) },
		  REDIRECT },
	};

	SERVICES_STEPS(unguarded);
	subject(2, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(container);
	subject(2, 0, 0, 0);
	subject(0, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(host);
}

static void the_hosts_own_firewall(void **state)
{
	static const struct step before[] = {
		{ "ssh", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 40000, 22, SYN) }, GO_ON },
		{ "out", GOES_OUT, 0, { TCP(TO_H, "192.0.2.9", 40000, 443, SYN) }, GO_ON },
	};
	static const struct step steps[] = {
		{ "ssh", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 40000, 22, SYN) }, DENIED(INGRESS) },
		{ "web", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 40000, 80, SYN) }, GO_ON },
		{ "its answer",
		  GOES_OUT,
		  0,
		  { TCP(TO_H, "192.0.2.9", 80, 40000, SYN_ACK) },
		  GO_ON },
		{ "goes on", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 40000, 80, ACK) }, GO_ON },
		{ "goes on", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 40000, 80, ACK) }, GO_ON },
		{ "out", GOES_OUT, 0, { TCP(TO_H, "192.0.2.9", 40001, 443, SYN) }, DENIED(EGRESS) },
		{ "an answer to nothing",
		  COMES_IN,
		  0,
		  { TCP("192.0.2.9", TO_H, 443, 40001, ACK) },
		  DENIED(INGRESS) },
		{ "ssh, IPv6",
		  COMES_IN,
		  0,
		  { TCP("2001:db8::9", "2001:db8::1", 40000, 22, SYN) },
		  DENIED(INGRESS) },
		{ "a neighbour is asked for",
		  COMES_IN,
		  0,
		  { "2001:db8::9", "2001:db8::1", IPPROTO_ICMPV6, .type = 135, .payload = 16 },
		  GO_ON },
		{ "a neighbour answers",
		  GOES_OUT,
		  0,
		  { "2001:db8::1", "2001:db8::9", IPPROTO_ICMPV6, .type = 136, .payload = 16 },
		  GO_ON },
		{ "a node port is no port of the host",
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
		{ "containers are masqueraded",
		  GOES_OUT,
		  0,
		  { ONE, "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  GO_ON,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
		{ "and answered",
		  COMES_IN,
		  0,
		  { "203.0.113.5", TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  GO_ON,
		  { "203.0.113.5", ONE, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 } },
		{ "routed through", COMES_IN, 0, { UDP("203.0.113.8", ONE, 5000, 53) }, GO_ON },
		{ "nobody of weft's",
		  GOES_OUT,
		  0,
		  { UDP("203.0.113.8", "203.0.113.9", 5000, 53) },
		  GO_ON },
	};
	static const struct step sends = {
		"out", GOES_OUT, 0, { TCP(TO_H, "192.0.2.9", 40001, 443, SYN) }, GO_ON
	};
	static const struct step answered = {
		"answer", COMES_IN, 0, { TCP("192.0.2.9", TO_H, 443, 40001, SYN_ACK) }, GO_ON
	};

	SERVICES_STEPS(before);
	subject(0, WEB, NOTHING, 0);
	revise();
	SERVICES_STEPS(steps);
	subject(0, NOTHING, EVERYTHING, 0);
	revise();
	services_step(&sends);
	services_step(&answered);
}

/* The host's own connection that had to give way to a masqueraded one is judged, too. */
static void the_host_gives_way_and_is_judged(void **state)
{
	static const struct step steps[] = {
		{ "theirs",
		  GOES_OUT,
		  0,
		  { ONE, "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  GO_ON,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
		{ "own",
		  GOES_OUT,
		  0,
		  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 },
		  DENIED(EGRESS) },
	};

	subject(0, 0, WEB, 0);
	SERVICES_STEPS(steps);
}

static void nobody_outside_has_our_addresses(void **state)
{
#define SPOOFED .action = TC_ACT_SHOT, .reason = WF_REASON_SPOOFED_IP
	static const struct step steps[] = {
		{ "a stranger", COMES_IN, 0, { UDP("192.0.2.9", TO_H, 5000, 53) }, GO_ON },
		{ "the host", COMES_IN, 0, { UDP(TO_H, TO_H, 5000, 53) }, SPOOFED },
		{ "a gateway", COMES_IN, 0, { UDP("10.1.0.1", ONE, 5000, 53) }, SPOOFED },
		{ "a container", COMES_IN, 0, { UDP(TWO, ONE, 5000, 53) }, SPOOFED },
		{ "a container, to anybody",
		  COMES_IN,
		  0,
		  { UDP(TWO, "192.0.2.77", 5000, 53) },
		  SPOOFED },
		{ "a container, IPv6",
		  COMES_IN,
		  0,
		  { UDP("fd01::12", "fd01::11", 5000, 53) },
		  SPOOFED },
		{ "the host, IPv6",
		  COMES_IN,
		  0,
		  { UDP("2001:db8::1", "fd01::11", 5000, 53) },
		  SPOOFED },
		{ "a stranger, IPv6",
		  COMES_IN,
		  0,
		  { UDP("2001:db8::9", "fd01::11", 5000, 53) },
		  GO_ON },
	};

	SERVICES_STEPS(steps);
}

static void straight_from_an_uplink(void **state)
{
	static const struct step steps[] = {
		{ "published, allowed",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30080 },
		  REDIRECT,
		  { "192.0.2.9", "10.1.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
		{ "its answer",
		  FROM,
		  2,
		  { TCP(TWO, "192.0.2.9", 8080, 40000, SYN_ACK) },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "published, denied",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 8765 },
		  DENIED(INGRESS) },
	};

	subject(2, BACKENDS, NOTHING, 0);
	subject(3, NOTHING, NOTHING, 0);
	services_configure(WF_CONFIG_SERVICES | WF_CONFIG_BYPASS, 0);
	SERVICES_STEPS(steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_host_and_its_containers, begin),
		cmocka_unit_test_setup(the_hosts_own_firewall, begin),
		cmocka_unit_test_setup(the_host_gives_way_and_is_judged, begin),
		cmocka_unit_test_setup(nobody_outside_has_our_addresses, begin),
		cmocka_unit_test_setup(straight_from_an_uplink, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
