/* SPDX-License-Identifier: Apache-2.0 */
/* The client reads an answer that goes on, line by line, from a fake daemon. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/client.h"
#include "base/json.h"
#include "fake_daemon.h"

struct lines {
	int count;
	int enough;
	int last;
};

static bool count_line(const json_t *value, void *context)
{
	struct lines *lines = context;

	lines->last = (int)wf_json_int(value, "n", -1);
	return ++lines->count < lines->enough;
}

static void test_stream(void **state)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\n\r\n{\"n\":1}\n\n{\"n\":2}\r\n{\"n\":3}\n"
				     "{\"n\":4}\n{\"unfinished";
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;

	for (size_t piece = 1; piece <= sizeof(answer); piece += 7) {
		struct lines all = { .enough = 100 }, some = { .enough = 3 };

		fake->piece = piece;
		fake_play(fake, answer, sizeof(answer) - 1);
		assert_int_equal(
			wf_client_stream(fake->path, "/v1/observe", count_line, &all, &err), 0);
		assert_int_equal(all.count, 4);
		assert_int_equal(all.last, 4);
		fake->stay = true;
		fake_play(fake, answer, sizeof(answer) - 1);
		assert_int_equal(
			wf_client_stream(fake->path, "/v1/observe", count_line, &some, &err), 0);
		assert_int_equal(some.count, 3);
		fake->stay = false;
	}
}

static void test_stream_failures(void **state)
{
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	struct lines lines = { .enough = 100 };
	static const char refused[] = "HTTP/1.1 404 No\r\n\r\n{\"error\": {\"code\": \"ENOENT\","
				      " \"message\": \"no endpoint\"}}\n";
	static const char garbage[] = FAKE_OK "\r\n{\"n\":1}\nnot json\n";
	static const char chunked[] = FAKE_OK "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"n\":7}\n";

	fake_play(fake, refused, sizeof(refused) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -ENOENT);
	assert_string_equal(err.message, "no endpoint");
	assert_int_equal(lines.count, 0);
	fake_play(fake, garbage, sizeof(garbage) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EPROTO);
	assert_int_equal(lines.count, 1);
	fake_play(fake, chunked, sizeof(chunked) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EAGAIN);
	assert_int_equal(lines.last, 7);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_stream_ends_on_signal(void **state)
{
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	struct lines lines = { .enough = 100 };
	struct sigaction action = { .sa_handler = on_alarm };
	sigset_t blocked;

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGALRM);
	fake->stay = true;
	/* the fake's thread inherits the mask, so that the signal comes to the client */
	(void)pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	fake_play(fake, FAKE_OK "\r\n{\"n\":1}\n", strlen(FAKE_OK "\r\n{\"n\":1}\n"));
	(void)raise(SIGALRM); /* before the wait, and not lost */
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EINTR);
	assert_in_range(lines.count, 0, 1);
	(void)ualarm(100000, 0);
	fake_play(fake, FAKE_OK "\r\n{\"n\":1}\n", strlen(FAKE_OK "\r\n{\"n\":1}\n"));
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EINTR);
	(void)pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_stream),
		FAKE_TEST(test_stream_failures),
		FAKE_TEST(test_stream_ends_on_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
