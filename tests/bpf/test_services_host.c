/* SPDX-License-Identifier: Apache-2.0 */
/* The host itself talks to services on packets: what no socket hook translates. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "services.h"
#include "world.h"

#define SCTP .proto = IPPROTO_SCTP, .sport = 40000, .payload = 20

/* The backend sees the address by which the host talks to his network, and answers that. */
static void a_container_serves_the_host(void **state)
{
	static const struct step steps[] = {
		{ "SCTP",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.1", SCTP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.1", "10.1.0.12", SCTP, .dport = 8080 },
		  .to_mac = 2 },
		{ "its answer",
		  FROM,
		  2,
		  { "10.1.0.12", "10.1.0.1", IPPROTO_SCTP, 8080, 40000, .payload = 30 },
		  REDIRECT,
		  { "10.96.0.1", "192.0.2.1", IPPROTO_SCTP, 80, 40000, .payload = 30 },
		  .to_mac = MAC_HOST },
		{ "once more",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.1", SCTP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.1", "10.1.0.12", SCTP, .dport = 8080 },
		  .to_mac = 2 },
		{ "TCP over IPv6",
		  FROM_HOST,
		  0,
		  { "2001:db8::1", "fd96::1", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "fd01::1", "fd01::12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
		{ "its answer over IPv6",
		  FROM,
		  2,
		  { "fd01::12", "fd01::1", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "fd96::1", "2001:db8::1", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = MAC_HOST },
		{ "an isolated network's",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.5", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.3.0.1", "10.3.0.14", SERVICES_TCP, .dport = 80 },
		  .to_mac = 4 },
		{ "what the backend sends the host besides",
		  FROM,
		  2,
		  { "10.1.0.12", "10.1.0.1", IPPROTO_SCTP, 8080, 40001, .payload = 30 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 3);
	assert_int_equal(services_backend(BACKEND_WEB)->active, 1);
}

/* Two of its addresses with one port: the backend tells them apart. */
static void ports_are_told_apart(void **state)
{
	static const struct step first = {
		"one address",
		FROM_HOST,
		0,
		{ "192.0.2.1", "10.96.0.1", SCTP, .dport = 80 },
		REDIRECT,
		{ "10.1.0.1", "10.1.0.12", SCTP, .dport = 8080 },
		.to_mac = 2,
	};
	static const struct step second = {
		"another", FROM_HOST, 0, { "10.2.0.1", "10.96.0.1", SCTP, .dport = 80 }, REDIRECT,
	};
	static struct wire in, out;

	services_step(&first);
	assert_int_equal(services_run(&second, &in, &out), TC_ACT_REDIRECT);
	/* from the gateway's address as well, and by another port */
	assert_memory_equal(out.bytes + in.l3 + 12, "\x0a\x01\x00\x01\x0a\x01\x00\x0c", 8);
	assert_memory_not_equal(out.bytes + in.l3 + 20, in.bytes + in.l3 + 20, 2);
	assert_true(wire_is_right(out.bytes + in.l3, out.len - in.l3));
	assert_int_equal(services_live(), 2);
}

/* Nobody of weft's: out of the uplink, and the answer by the way that all answers come. */
static void somebody_outside_serves_the_host(void **state)
{
	static const struct step steps[] = {
		{ "there",
		  FROM_HOST,
		  0,
		  { "10.1.0.1", "10.96.0.4", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "192.0.2.1", "203.0.113.9", SERVICES_TCP, .dport = 8080 } },
		{ "as it leaves",
		  GOES_OUT,
		  0,
		  { "192.0.2.1", "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		  SERVICES_GO_ON },
		{ "its answer",
		  COMES_IN,
		  0,
		  { "203.0.113.9", "192.0.2.1", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.96.0.4", "10.1.0.1", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = MAC_HOST },
	};

	/* by its index wf_config knows weft0, from which routes are looked up */
	lab_run("ip link add weft0 index 77 type veth peer name weft0peer && ip link set weft0 up && "
		"sysctl -qw net.ipv4.conf.weft0.forwarding=1");
	SERVICES_STEPS(steps);
}

/* A server of the host's own sees the service as the client: only so its answers come by here. */
static void the_host_serves_itself(void **state)
{
	static const struct step steps[] = {
		{ "there",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.7", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.96.0.7", "192.0.2.1", SERVICES_TCP, .dport = 8080 },
		  .to_mac = MAC_HOST },
		{ "its answer",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.7", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { "10.96.0.7", "192.0.2.1", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = MAC_HOST },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 1);
}

static void what_is_not_served(void **state)
{
	static const struct step steps[] = {
		{ "nobody there",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.2", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_BACKEND,
		  .is_refused = true },
		{ "no port of it",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.1", SERVICES_TCP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "who is not admitted",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "198.51.100.7", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_SERVICE_SOURCE },
		{ "somebody outside, whom the host forwards",
		  FROM_HOST,
		  0,
		  { "192.0.2.9", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NO_SUCH_ADDRESS },
	};
	static const struct step admitted[] = {
		{ "who is admitted",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "198.51.100.7", SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.1", "10.1.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 2 },
	};
	struct wf_prefix host = { .len = 8 * sizeof(host.addr) };

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 0);
	host.addr.halves[1] = WF_CLIENT_HOST;
	assert_int_equal(wf_dp_source_set(services_dp, 7, &host, true, NULL), 0);
	SERVICES_STEPS(admitted);
	assert_int_equal(wf_dp_source_set(services_dp, 7, &host, false, NULL), 0);
}

/* TCP of a backend that was cut is reset; a datagram goes to another one. */
static void backends_leave(void **state)
{
	static const struct step begin[] = {
		{ "there",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.1", SCTP, .dport = 80 },
		  REDIRECT,
		  { "10.1.0.1", "10.1.0.12", SCTP, .dport = 8080 },
		  .to_mac = 2 },
	};
	static const struct step cut[] = {
		{ "to who left",
		  FROM_HOST,
		  0,
		  { "192.0.2.1", "10.96.0.1", SCTP, .dport = 80 },
		  REDIRECT,
		  .reason = WF_REASON_CONN_CUT,
		  .is_refused = true },
	};

	SERVICES_STEPS(begin);
	services_backend(BACKEND_WEB)->flags = WF_BACKEND_VALID | WF_BACKEND_CUT;
	SERVICES_STEPS(cut);
	assert_int_equal(services_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_container_serves_the_host, services_begin),
		cmocka_unit_test_setup(ports_are_told_apart, services_begin),
		cmocka_unit_test_setup(somebody_outside_serves_the_host, services_begin),
		cmocka_unit_test_setup(the_host_serves_itself, services_begin),
		cmocka_unit_test_setup(what_is_not_served, services_begin),
		cmocka_unit_test_setup(backends_leave, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
