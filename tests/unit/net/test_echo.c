/* SPDX-License-Identifier: Apache-2.0 */
/* Echo requests over a real wire: host 192.0.2.1, fd00::1 -- container 192.0.2.2, fd00::2. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab.h"
#include "net/echo.h"

struct wire {
	struct lab *lab;
	int far;
	struct wf_echo *echo[2]; /* IPv4, IPv6 */
	struct wf_addr peer[2];
};

static int setup(void **state)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	struct wf_err err = WF_ERR_INIT;
	int r = lab_setup(state);

	if (r)
		return r;
	wire->far = lab_container();
	lab_make_veth(*state, "up0", wire->far);
	(void)lab_run(-1, "ip addr add 192.0.2.1/24 dev up0; ip addr add fd00::1/64 dev up0 nodad; "
			  "ip link set up0 up");
	(void)lab_run(wire->far, "ip addr add 192.0.2.2/24 dev up0p; "
				 "ip addr add fd00::2/64 dev up0p nodad; ip link set up0p up");
	lab_await_address(-1, "fd00::1");
	lab_await_address(wire->far, "fd00::2");
	for (int i = 0; i < 2; i++) {
		struct wf_addr own = lab_addr(i ? "fd00::1" : "192.0.2.1");

		wire->peer[i] = lab_addr(i ? "fd00::2" : "192.0.2.2");
		if (wf_echo_open(&own, &wire->echo[i], &err) < 0)
			fail_msg("%s", err.message);
	}
	wire->lab = *state;
	*state = wire;
	return 0;
}

static int teardown(void **state)
{
	struct wire *wire = *state;

	for (int i = 0; i < 2; i++)
		wf_echo_close(&wire->echo[i]);
	(void)close(wire->far);
	*state = wire->lab;
	free(wire);
	return lab_teardown(state);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

/* Waits up to that time for the next news. */
static bool next(struct wf_echo *echo, int timeout_ms, struct wf_echo_news *ret_news)
{
	struct pollfd ready = { .fd = wf_echo_fd(echo), .events = POLLIN };

	while (poll(&ready, 1, timeout_ms) == 1)
		if (wf_echo_receive(echo, ret_news) == 1)
			return true;
	return false;
}

/* IPv6 takes a moment until the link is ready. */
static void wait_wire(struct wire *wire)
{
	struct wf_echo_news news;

	for (int i = 0; i < 2; i++)
		for (int try = 0; try < 50; try++) {
			(void)wf_echo_send(wire->echo[i], &wire->peer[i], 9999, 1, 200);
			if (next(wire->echo[i], 100, &news))
				break;
		}
	for (int i = 0; i < 2; i++)
		while (next(wire->echo[i], 50, &news))
			continue;
}

static void test_answers(void **state)
{
	struct wire *wire = *state;
	struct wf_echo_news news;

	wait_wire(wire);
	for (int i = 0; i < 2; i++) {
		const uint32_t sizes[] = { i ? WF_ECHO_SMALL_IP6 : WF_ECHO_SMALL_IP4, 1500 };

		assert_int_equal(wf_echo_device_mtu(wire->echo[i], &wire->peer[i]), 1500);
		for (size_t s = 0; s < WF_ARRAY_LEN(sizes); s++) {
			assert_int_equal(wf_echo_send(wire->echo[i], &wire->peer[i],
						      (uint16_t)(60000 + s), 4711, sizes[s]),
					 0);
			assert_true(next(wire->echo[i], 1000, &news));
			assert_int_equal(news.what, WF_ECHO_ANSWER);
			assert_int_equal(news.seq, 60000 + s);
			assert_int_equal(news.tag, 4711);
			assert_true(wf_addr_equal(&news.peer, &wire->peer[i]));
		}
		assert_false(next(wire->echo[i], 50, &news));
		assert_int_equal(wf_echo_send(wire->echo[i], &wire->peer[i], 1, 1, 1501),
				 -EMSGSIZE);
		assert_int_equal(wf_echo_send(wire->echo[i], &wire->peer[i], 1, 1, 20), -EINVAL);
		assert_false(next(wire->echo[i], 50, &news));
	}
	(void)lab_run(-1, "ip link set up0 mtu 1300");
	for (int i = 0; i < 2; i++)
		assert_int_equal(wf_echo_device_mtu(wire->echo[i], &wire->peer[i]), 1300);
}

/* Others on this host ask the same node: their answers are not ours, and do not wake us. */
static void test_answers_to_others(void **state)
{
	struct wire *wire = *state;
	struct wf_echo_news news;

	wait_wire(wire);
	for (int i = 0; i < 2; i++) {
		struct pollfd ready = { .fd = wf_echo_fd(wire->echo[i]), .events = POLLIN };

		lab_assert_has(-1, i ? "ping -n -c1 -W1 fd00::2" : "ping -n -c1 -W1 192.0.2.2",
			       " 1 received");
		assert_int_equal(poll(&ready, 1, 50), 0);
		assert_int_equal(wf_echo_receive(wire->echo[i], &news), 0);
	}
}

/* A router on the way, that is the far end here, cannot pass it on. */
static void test_too_big(void **state)
{
	struct wire *wire = *state;
	struct wf_addr peers[2] = { lab_addr("198.51.100.2"), lab_addr("fd01::2") };
	struct wf_echo_news news;

	wait_wire(wire);
	(void)lab_run(wire->far, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1; "
				 "ip link add out0 mtu 1400 type veth peer name out1; "
				 "ip link set out0 up; ip link set out1 up; "
				 "ip addr add 198.51.100.1/24 dev out0; "
				 "ip addr add fd01::1/64 dev out0 nodad");
	(void)lab_run(-1, "ip route add 198.51.100.0/24 via 192.0.2.2; "
			  "ip route add fd01::/64 via fd00::2");
	for (int i = 0; i < 2; i++) {
		bool is_told = false;

		/* a router has its pace for such messages */
		for (int try = 0; try < 20 && !is_told; try++) {
			assert_int_equal(wf_echo_send(wire->echo[i], &peers[i], 77, 1, 1500), 0);
			is_told = next(wire->echo[i], 200, &news);
		}
		assert_true(is_told);
		assert_int_equal(news.what, WF_ECHO_TOO_BIG);
		assert_int_equal(news.seq, 77);
		assert_int_equal(news.mtu, 1400);
		assert_true(wf_addr_equal(&news.peer, &peers[i]));
		/* the kernel believes it; the next large one is sent all the same */
		assert_int_equal(wf_echo_send(wire->echo[i], &peers[i], 78, 1, 1500), 0);
	}
}

static void test_nobody_leads_there(void **state)
{
	struct wire *wire = *state;
	const struct wf_addr nowhere = lab_addr("203.0.113.1");
	const struct wf_addr foreign = lab_addr("203.0.113.2");
	struct wf_err err = WF_ERR_INIT;
	struct wf_echo *echo = NULL;

	assert_int_equal(wf_echo_device_mtu(wire->echo[0], &nowhere), 0);
	assert_int_equal(wf_echo_send(wire->echo[0], &nowhere, 1, 1, 84), -ENETUNREACH);
	assert_int_equal(wf_echo_open(&foreign, &echo, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.message, "203.0.113.2"));
	assert_null(echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_answers),
		CASE(test_answers_to_others),
		CASE(test_too_big),
		CASE(test_nobody_leads_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
