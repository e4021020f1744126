/* SPDX-License-Identifier: Apache-2.0 */
/* Which port a masqueraded connection shows, whose it must not be, and how many an endpoint gets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"
#include "services.h"

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
		cmocka_unit_test_setup(ports_of_others_are_not_taken, services_begin),
		cmocka_unit_test_setup(the_host_gives_way, services_begin),
		cmocka_unit_test_setup(quota_refuses_new_ones_only, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
