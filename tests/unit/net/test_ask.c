/* SPDX-License-Identifier: Apache-2.0 */
/* Questions between nodes over real sockets: 127.0.0.1 and 127.0.0.2, fd00::1 and fd00::2. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab.h"
#include "net/ask.h"

#define PORT 51822

static int setup(void **state)
{
	int r = lab_setup(state);

	if (r)
		return r;
	(void)lab_run(-1, "ip link set lo up; ip addr add fd00::1/64 dev lo nodad; "
			  "ip addr add fd00::2/64 dev lo nodad");
	lab_await_address(-1, "fd00::1");
	lab_await_address(-1, "fd00::2");
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

static struct wf_ask *opened(const char *address)
{
	const struct wf_addr addr = lab_addr(address);
	struct wf_err err = WF_ERR_INIT;
	struct wf_ask *ask = NULL;

	if (wf_ask_open(&addr, PORT, &ask, &err) < 0)
		fail_msg("%s", err.message);
	return ask;
}

/* Waits up to that time for the next message. */
static bool next(struct wf_ask *ask, int timeout_ms, struct wf_ask_message *ret_message)
{
	struct pollfd ready = { .fd = wf_ask_fd(ask), .events = POLLIN };

	while (poll(&ready, 1, timeout_ms) == 1)
		if (wf_ask_receive(ask, ret_message) == 1)
			return true;
	return false;
}

static void test_question_and_answer(void **state)
{
	static const char *const addresses[2][2] = { { "127.0.0.1", "127.0.0.2" },
						     { "fd00::1", "fd00::2" } };

	for (size_t i = 0; i < WF_ARRAY_LEN(addresses); i++) {
		_cleanup_(wf_ask_close) struct wf_ask *a = opened(addresses[i][0]);
		_cleanup_(wf_ask_close) struct wf_ask *b = opened(addresses[i][1]);
		struct wf_ask_message message = { .what = WF_ASK_QUESTION,
						  .peer = lab_addr(addresses[i][1]),
						  .cookie = 0x0123456789abcdef,
						  .revision = 1ULL << 40 };
		struct wf_ask_message got;
		struct wf_addr own = lab_addr(addresses[i][0]);

		assert_int_equal(wf_ask_receive(b, &got), 0);
		assert_int_equal(wf_ask_send(a, &message), 0);
		assert_true(next(b, 2000, &got));
		assert_int_equal(got.what, WF_ASK_QUESTION);
		assert_true(wf_addr_equal(&got.peer, &own));
		assert_true(got.cookie == message.cookie && got.revision == message.revision);
		got.what = WF_ASK_ANSWER;
		assert_int_equal(wf_ask_send(b, &got), 0);
		assert_true(next(a, 2000, &got));
		assert_int_equal(got.what, WF_ASK_ANSWER);
		assert_true(wf_addr_equal(&got.peer, &message.peer));
	}
}

/* Sends bytes to 127.0.0.1 from a port of 127.0.0.2. */
static void throw(const void *bytes, size_t len, uint16_t port)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &from.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr), 1);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, bytes, len, 0, (const struct sockaddr *)&to, sizeof(to)), len);
}

static void test_what_is_no_message(void **state)
{
	static const uint8_t good[24] = { 'w', 'e', 'f', 't', 1, WF_ASK_QUESTION,
					  0,   0,   0,   0,   0, 0,
					  0,   0,   0,   7,   0, 0,
					  0,   0,   0,   0,   0, 9 };
	_cleanup_(wf_ask_close) struct wf_ask *a = opened("127.0.0.1");
	struct wf_ask_message got;
	uint8_t bytes[200] = { 0 };

	throw(good, sizeof(good), PORT);
	assert_true(next(a, 2000, &got));
	assert_true(got.cookie == 7 && got.revision == 9);
	/* of another port, too short, too long, of another version, of no kind */
	throw(good, sizeof(good), PORT + 1);
	throw(good, sizeof(good) - 1, PORT);
	memcpy(bytes, good, sizeof(good));
	throw(bytes, sizeof(good) + 1, PORT);
	throw(bytes, 0, PORT);
	bytes[4] = 2;
	throw(bytes, sizeof(good), PORT);
	bytes[4] = 1;
	bytes[5] = WF_ASK_CAME + 1;
	throw(bytes, sizeof(good), PORT);
	bytes[5] = WF_ASK_ANSWER;
	bytes[0] = 'W';
	throw(bytes, sizeof(good), PORT);
	/* many of them do not hide what comes behind */
	for (int i = 0; i < 200; i++)
		throw(bytes, sizeof(bytes), PORT);
	bytes[0] = 'w';
	throw(bytes, sizeof(good), PORT);
	assert_true(next(a, 2000, &got));
	assert_int_equal(got.what, WF_ASK_ANSWER);
	assert_int_equal(wf_ask_receive(a, &got), 0);
}

static void test_a_port_that_is_taken(void **state)
{
	_cleanup_(wf_ask_close) struct wf_ask *a = opened("127.0.0.1");
	const struct wf_addr own = lab_addr("127.0.0.1");
	struct wf_err err = WF_ERR_INIT;
	struct wf_ask *second = NULL;

	assert_int_equal(wf_ask_open(&own, PORT, &second, &err), -EADDRINUSE);
	assert_non_null(strstr(err.message, "UDP port 51822 of 127.0.0.1"));
	assert_null(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_question_and_answer),
		CASE(test_what_is_no_message),
		CASE(test_a_port_that_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
