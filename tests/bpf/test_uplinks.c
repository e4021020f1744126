/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a device that leads outside: masquerade, published and node ports. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"
#include "services.h"
#include "world.h"

#define GO_ON .action = SERVICES_GO_ON
#define SHOT  .action = TC_ACT_SHOT
#define TO_H  "192.0.2.1"

/* One that comes in fragments. */
#define DATAGRAM       IPPROTO_UDP, 40000, 53, .payload = 1000
#define ANSWER_TO(who) "203.0.113.5", who, IPPROTO_UDP, 53, 40000, .payload = 1000
#define ANSWER         ANSWER_TO(TO_H)

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

/* Sends the first packet of a connection out and returns the port that it shows. */
static uint16_t port_shown(struct wire_spec spec)
{
	const struct step step = { "begins", GOES_OUT, 0, spec };
	static struct wire in, out;

	assert_int_equal(services_run(&step, &in, &out), SERVICES_GO_ON);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
	assert_memory_equal(out.bytes + 26, "\xc0\0\2\1", 4);
	return (uint16_t)(out.bytes[34] << 8 | out.bytes[35]);
}

static int host_socket(int type, uint16_t port)
{
	const struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void ports_of_others_are_not_taken(void **state)
{
	struct wire_spec one = { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 };
	struct wire_spec two = { "10.1.0.12", "203.0.113.5", SERVICES_TCP, .dport = 443 };
	struct wire_spec low = { "10.1.0.12", "203.0.113.5", IPPROTO_TCP, 80, 443, .tcp_flags = 2 };
	struct wire_spec offered = { "10.1.0.12", "203.0.113.5", IPPROTO_TCP,
				     8500,        443,           .tcp_flags = 2 };
	_cleanup_close_ int tcp = host_socket(SOCK_STREAM, 41000);
	_cleanup_close_ int udp = host_socket(SOCK_DGRAM, 41001);

	assert_int_equal(port_shown(one), 40000);
	assert_int_not_equal(port_shown(two), 40000);
	two.dst = "203.0.113.6";
	assert_int_equal(port_shown(two), 40000);
	assert_true(port_shown(low) >= WF_NAT_FIRST_PORT);
	assert_int_not_equal(port_shown(offered), 8500);
	one.sport = 41000;
	assert_int_not_equal(port_shown(one), 41000);
	one.sport = 41001;
	assert_int_equal(port_shown(one), 41001);
	one = (struct wire_spec){ "10.1.0.11", "203.0.113.5", IPPROTO_UDP, 41001, 53 };
	assert_int_not_equal(port_shown(one), 41001);
}

/* The host begins a connection that would get a container's answers: it gives way. */
static void the_host_gives_way(void **state)
{
	struct wire_spec theirs = { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 };
	struct wire_spec own = { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 };
	struct step back = { "answer to the host",
			     COMES_IN,
			     0,
			     { "203.0.113.5", TO_H, IPPROTO_TCP, 443, 0, .tcp_flags = 18 },
			     GO_ON,
			     { "203.0.113.5", TO_H, IPPROTO_TCP, 443, 40000, .tcp_flags = 18 } };

	assert_int_equal(port_shown(theirs), 40000);
	back.in.dport = port_shown(own);
	assert_int_not_equal(back.in.dport, 40000);
	services_step(&back);
	back.in.dport = 40000;
	back.out.dst = "10.1.0.11";
	services_step(&back);
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
		  .action = TC_ACT_REDIRECT,
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
		  .action = TC_ACT_REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "a cluster address from outside",
		  COMES_IN,
		  0,
		  { "192.0.2.9", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  .action = TC_ACT_REDIRECT,
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

static void fragments_in_any_order(void **state)
{
	static const struct step steps[] = {
		{ "first",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 9 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 9 } },
		{ "the rest",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 9 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 9 } },
		{ "the rest before the first",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 10 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 10 } },
		{ "and the first after it",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 10 },
		  GO_ON,
		  { TO_H, "203.0.113.5", DATAGRAM, .fragment_bytes = 800, .id = 10 } },
		{ "over IPv6",
		  GOES_OUT,
		  0,
		  { "fd01::11", "2001:db8:1::5", DATAGRAM, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 },
		  GO_ON,
		  { "2001:db8::1", "2001:db8:1::5", DATAGRAM, .fragment_at = 800,
		    .fragment_bytes = 208, .id = 11 } },
		{ "of a network that is not masqueraded",
		  GOES_OUT,
		  0,
		  { "10.3.0.14", "203.0.113.5", DATAGRAM, .fragment_at = 800, .fragment_bytes = 208,
		    .id = 12 },
		  GO_ON },
		{ "of a protocol without ports",
		  GOES_OUT,
		  0,
		  { "10.1.0.11", "203.0.113.5", IPPROTO_GRE, .payload = 1000, .fragment_at = 800,
		    .fragment_bytes = 200, .id = 13 },
		  SHOT,
		  .reason = WF_REASON_NAT_PROTOCOL },
		{ "an answer's rest waits for whoever knows whom it is for",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 },
		  SHOT },
		{ "who starts again, and before that lets the rest go",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_bytes = 800, .id = 14 },
		  SHOT,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 } },
		{ "as it comes again",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_bytes = 800, .id = 14 },
		  GO_ON,
		  { ANSWER_TO("10.1.0.11"), .fragment_bytes = 800, .id = 14 } },
		{ "and the rest after it",
		  COMES_IN,
		  0,
		  { ANSWER, .fragment_at = 800, .fragment_bytes = 208, .id = 14 },
		  GO_ON,
		  { ANSWER_TO("10.1.0.11"), .fragment_at = 800, .fragment_bytes = 208, .id = 14 } },
	};

	SERVICES_STEPS(steps);
	assert_int_equal(services_live(), 1);
}

/* Places for those that wait are few, and a device gets no more than its share. */
static void a_flood_of_fragments(void **state)
{
	struct step known = { "a connection",
			      GOES_OUT,
			      0,
			      { "10.1.0.11", "203.0.113.5", DATAGRAM },
			      GO_ON,
			      { TO_H, "203.0.113.5", DATAGRAM } };
	struct step rest = {
		"rest", COMES_IN, 0, { ANSWER, .fragment_at = 800, .fragment_bytes = 208 }, SHOT
	};
	struct wf_counter before[WF_REASON_COUNT], after[WF_REASON_COUNT];
	static struct wire in, out;

	services_step(&known);
	for (rest.in.id = 100; rest.in.id < 100 + WF_HELD_SHARE; rest.in.id++)
		services_step(&rest);
	/* it may be the host's: the stack puts it together in any order */
	rest.action = SERVICES_GO_ON;
	services_step(&rest);
	/* those that waited in vain make room for others, and are counted */
	(void)sleep(3);
	assert_int_equal(wf_dp_drops_read(services_dp, before), 0);
	assert_int_equal(services_run(&rest, &in, &out), TC_ACT_SHOT);
	assert_int_equal(wf_dp_drops_read(services_dp, after), 0);
	assert_int_equal(after[WF_REASON_NAT_FRAGMENT].packets -
				 before[WF_REASON_NAT_FRAGMENT].packets,
			 WF_HELD_SHARE);
}

static void straight_into_the_container(void **state)
{
	static const struct step steps[] = {
		{ "node port",
		  COMES_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30080 },
		  .action = TC_ACT_REDIRECT,
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
		  .action = TC_ACT_REDIRECT,
		  .out = { "203.0.113.5", "10.1.0.11", IPPROTO_TCP, 443, 40000, .tcp_flags = 18 },
		  .to_mac = 1 },
	};

	services_configure(WF_CONFIG_SERVICES | WF_CONFIG_BYPASS, 0);
	SERVICES_STEPS(steps);
}

static void quota_refuses_new_ones_only(void **state)
{
	uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT];
	struct step step = { "first", GOES_OUT,
			     0,       { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 },
			     GO_ON,   { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } };
	struct wf_conn_state conns;

	wf_dp_conn_state(services_dp, &conns);
	memcpy(timeout_s, conns.timeout_s, sizeof(timeout_s));
	wf_dp_conn_configure(services_dp, timeout_s, 1);
	services_step(&step);
	step.in.dport = 444;
	step.action = TC_ACT_SHOT;
	step.reason = WF_REASON_CONN_QUOTA;
	services_step(&step);
	step.in.dport = 443;
	step.action = SERVICES_GO_ON;
	step.reason = 0;
	services_step(&step);
	step.in.src = "10.1.0.12";
	step.in.dport = step.out.dport = 445;
	services_step(&step);
	wf_dp_conn_configure(services_dp, timeout_s, conns.quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(masquerade_there_and_back, services_begin),
		cmocka_unit_test_setup(errors_find_their_way, services_begin),
		cmocka_unit_test_setup(answers_to_routed_clients_stay, services_begin),
		cmocka_unit_test_setup(ports_of_others_are_not_taken, services_begin),
		cmocka_unit_test_setup(the_host_gives_way, services_begin),
		cmocka_unit_test_setup(clients_outside, services_begin),
		cmocka_unit_test_setup(a_backend_elsewhere_sees_the_host, services_begin),
		cmocka_unit_test_setup(fragments_in_any_order, services_begin),
		cmocka_unit_test_setup(a_flood_of_fragments, services_begin),
		cmocka_unit_test_setup(straight_into_the_container, services_begin),
		cmocka_unit_test_setup(quota_refuses_new_ones_only, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
