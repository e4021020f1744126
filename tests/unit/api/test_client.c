/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against a fake daemon: a thread that accepts one connection, reads the request and
 * plays a script of pieces. The answer parser alone is tested with every way to cut an answer.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "api/answer.h"
#include "api/client.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

struct fake {
	char directory[32];
	char path[64];
	int listener;
	pthread_t thread;
	bool running;
	const char *answer; /* what to send */
	size_t answer_len;
	size_t piece;      /* bytes per send */
	bool stay;         /* keep the connection open until the client closes */
	size_t read_bytes; /* of the request before answering; 0: up to its end */
	struct wf_str request;
};

/* The n-th allocation fails when n counts down to zero; negative: never. */
static int fail_after = -1;

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

static bool must_fail(void)
{
	return fail_after >= 0 && fail_after-- == 0;
}

void *__wrap_realloc(void *old, size_t bytes)
{
	return must_fail() ? NULL : __real_realloc(old, bytes);
}

static void *json_malloc(size_t bytes)
{
	return must_fail() ? NULL : malloc(bytes);
}

static bool request_is_complete(const struct wf_str *request)
{
	const char *end = request->len ? strstr(request->data, "\r\n\r\n") : NULL;
	const char *length = end ? strstr(request->data, "Content-Length: ") : NULL;

	if (!end)
		return false;
	if (!length)
		return true;
	return request->len >= (size_t)(end + 4 - request->data) + strtoul(length + 16, NULL, 10);
}

static void *serve(void *context)
{
	struct fake *fake = context;
	int fd = accept(fake->listener, NULL, NULL);
	char buf[65536];
	size_t sent = 0;
	ssize_t n;

	while (fd >= 0 && (fake->read_bytes ? fake->request.len < fake->read_bytes
					    : !request_is_complete(&fake->request))) {
		n = recv(fd, buf, fake->read_bytes ? 16 : sizeof(buf), 0);
		if (n <= 0)
			break;
		wf_str_add_bytes(&fake->request, buf, (size_t)n);
	}
	while (sent < fake->answer_len) {
		size_t len = fake->answer_len - sent < fake->piece ? fake->answer_len - sent
								   : fake->piece;

		n = send(fd, fake->answer + sent, len, MSG_NOSIGNAL);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	while (fake->stay && recv(fd, buf, sizeof(buf), 0) > 0)
		;
	(void)close(fd);
	return NULL;
}

static int setup(void **state)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	assert_non_null(fake);
	strncpy(fake->directory, "/tmp/weft-client-XXXXXX", sizeof(fake->directory) - 1);
	assert_non_null(mkdtemp(fake->directory));
	(void)snprintf(fake->path, sizeof(fake->path), "%s/s", fake->directory);
	assert_int_equal(wf_str_copy(address.sun_path, sizeof(address.sun_path), fake->path), 0);
	fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listener, 4), 0);
	fake->piece = SIZE_MAX;
	*state = fake;
	return 0;
}

static void stop(struct fake *fake)
{
	if (fake->running)
		assert_int_equal(pthread_join(fake->thread, NULL), 0);
	fake->running = false;
}

static int teardown(void **state)
{
	struct fake *fake = *state;

	stop(fake);
	(void)close(fake->listener);
	(void)unlink(fake->path);
	(void)rmdir(fake->directory);
	wf_str_done(&fake->request);
	free(fake);
	return 0;
}

static void play(struct fake *fake, const char *answer, size_t len)
{
	stop(fake);
	fake->answer = answer;
	fake->answer_len = len;
	/* room in advance: the fake must not use up an allocation that is to fail */
	fake->request.len = 0;
	for (int i = 0; i < 256; i++)
		wf_str_add(&fake->request, "................");
	fake->request.len = 0;
	fake->running = true;
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

static int get(struct fake *fake, const char *answer, json_t **ret_body, struct wf_err *err)
{
	play(fake, answer, strlen(answer));
	return wf_client_call(fake->path, "GET", "/v1/status", NULL, 5000, ret_body, err);
}

static void test_get_and_request(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	assert_int_equal(get(fake, OK_HEAD "Content-Length: 7\r\n\r\n{\"a\":1}", &body, &err), 0);
	assert_int_equal(wf_json_int(body, "a", 0), 1);
	stop(fake);
	assert_int_equal(strncmp(fake->request.data, "GET /v1/status HTTP/1.0\r\n", 25), 0);
	assert_non_null(strstr(fake->request.data, "\r\nHost: weft\r\n"));
	assert_null(strstr(fake->request.data, "Content-Length"));
}

static void test_post_sends_the_body(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = json_pack("{s:s}", "network", "blue");
	_cleanup_json_ json_t *answer = NULL;

	play(fake, "HTTP/1.0 201 Created\r\n\r\n{}", 26);
	assert_int_equal(
		wf_client_call(fake->path, "POST", "/v1/endpoints", body, 5000, &answer, &err), 0);
	assert_true(json_is_object(answer));
	stop(fake);
	assert_non_null(strstr(fake->request.data, "\r\n\r\n{\"network\":\"blue\"}"));
	assert_non_null(strstr(fake->request.data, "Content-Type: application/json\r\n"));
}

static void test_empty_answer_is_null(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	assert_int_equal(get(*state, "HTTP/1.1 204 No Content\r\n\r\n", &body, &err), 0);
	assert_true(json_is_null(body));
}

static void test_byte_by_byte_chunked(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	fake->piece = 1;
	assert_int_equal(get(fake,
			     "HTTP/1.1 100 Continue\r\n\r\n" OK_HEAD
			     "transfer-encoding: Chunked\r\n\r\n"
			     "3\r\n{\"a\r\nA;x=y\r\n\":\"bcdefgh\r\n2\r\n\"}\r\n0\r\nX: y\r\n\r\n",
			     &body, &err),
			 0);
	assert_string_equal(wf_json_str(body, "a", ""), "bcdefgh");
}

static void test_huge_answer(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;
	_cleanup_str_ struct wf_str answer = WF_STR_INIT;
	size_t items = 200000;

	wf_str_add(&answer, OK_HEAD "\r\n[");
	for (size_t i = 0; i < items; i++)
		wf_str_addf(&answer, "%s\"10.64.%zu.%zu/16 something\"", i ? "," : "", i / 256,
			    i % 256);
	wf_str_add(&answer, "]");
	assert_false(answer.failed);
	assert_true(answer.len > WF_JSON_MAX_BYTES);
	play(fake, answer.data, answer.len);
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 20000, &body, &err), 0);
	assert_int_equal(json_array_size(body), items);
}

/* The daemon answers without reading a large body and closes: its answer must not be lost. */
static void test_early_refusal_of_a_body(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = json_object();
	_cleanup_free_ char *filler = malloc(3000000);
	_cleanup_json_ json_t *answer = NULL;
	static const char refusal[] =
		"HTTP/1.1 413 Too Large\r\n\r\n"
		"{\"error\": {\"code\": \"E2BIG\", \"message\": \"too much\"}}";

	memset(filler, 'x', 2999999);
	filler[2999999] = '\0';
	assert_int_equal(wf_json_set_str(body, "filler", filler), 0);
	fake->read_bytes = 64;
	play(fake, refusal, sizeof(refusal) - 1);
	assert_int_equal(wf_client_call(fake->path, "POST", "/v1/apply", body, 5000, &answer, &err),
			 -E2BIG);
	assert_string_equal(err.message, "too much");
}

static void test_error_object(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	assert_int_equal(get(*state,
			     "HTTP/1.1 409 Conflict\r\n\r\n"
			     "{\"error\": {\"code\": \"EADDRINUSE\", \"message\": \"100%s taken\","
			     " \"object\": \"network/blue\", \"field\": \"spec.subnets[0].cidr\","
			     " \"document\": 2, \"retryable\": false}}",
			     &body, &err),
			 -EADDRINUSE);
	assert_null(body);
	assert_int_equal(err.code, -EADDRINUSE);
	assert_int_equal(err.document, 2);
	assert_string_equal(err.object, "network/blue");
	assert_string_equal(err.field, "spec.subnets[0].cidr");
	assert_string_equal(err.message, "100%s taken");
}

static void test_errors_without_object(void **state)
{
	static const struct {
		const char *answer;
		int result;
		const char *message;
	} rows[] = {
		{ "HTTP/1.1 404 No\r\n\r\n<html>", -ENOENT, "HTTP status 404" },
		{ "HTTP/1.1 500 Oh\r\n\r\n{\"error\": \"x\"}", -EIO, "HTTP status 500" },
		{ "HTTP/1.1 503 Busy\r\n\r\n", -EAGAIN, "HTTP status 503" },
		{ "HTTP/1.1 302 Away\r\n\r\n", -EIO, "HTTP status 302" },
		{ "HTTP/1.1 400 Bad\r\n\r\n{\"error\": {\"code\": \"EWHAT\"}}", -EINVAL,
		  "without a reason" },
		{ "HTTP/1.1 400 Bad\r\n\r\n{\"error\": {\"code\": 5, \"object\": 5}}", -EINVAL,
		  "without a reason" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_err err = WF_ERR_INIT;
		json_t *body = NULL;

		assert_int_equal(get(*state, rows[i].answer, &body, &err), rows[i].result);
		assert_non_null(strstr(err.message, rows[i].message));
		assert_int_equal(err.document, -1);
	}
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *answer;
		int result;
		const char *message;
	} rows[] = {
		{ "", -EAGAIN, "before its answer was complete" },
		{ "HTTP/1.1 200", -EAGAIN, "complete" },
		{ OK_HEAD, -EAGAIN, "complete" },
		{ OK_HEAD "Content-Length: 8\r\n\r\n{\"a\":1}", -EAGAIN, "complete" },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", -EAGAIN, "complete" },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n", -EPROTO, "chunk" },
		{ OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", -EPROTO, "chunk" },
		{ OK_HEAD "Transfer-Encoding: gzip\r\n\r\n", -EPROTO, "Transfer-Encoding" },
		{ OK_HEAD "Content-Length: -1\r\n\r\n", -EPROTO, "Content-Length" },
		{ OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", -EPROTO, "two" },
		{ OK_HEAD "nonsense\r\n\r\n", -EPROTO, "colon" },
		{ OK_HEAD "\r\n{\"a\":", -EPROTO, "not JSON" },
		{ "SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, "does not start with HTTP" },
		{ "HTTP/2 200\r\n", -EPROTO, "does not start with HTTP" },
		{ "HTTP/1.1 2x0 OK\r\n", -EPROTO, "status" },
		{ "HTTP/1.1 2000 OK\r\n", -EPROTO, "status" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_err err = WF_ERR_INIT;
		json_t *body = NULL;

		assert_int_equal(get(*state, rows[i].answer, &body, &err), rows[i].result);
		assert_non_null(strstr(err.message, rows[i].message));
		assert_null(body);
	}
}

static void test_timeout(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	json_t *body = NULL;
	uint64_t start = wf_clock_monotonic_ms();

	fake->stay = true;
	play(fake, OK_HEAD, strlen(OK_HEAD));
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 100, &body, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.message, "within 100 ms"));
	assert_in_range(wf_clock_monotonic_ms() - start, 100, 3000);
}

/* Nobody accepts and the backlog is full: the time limit counts for connecting, too. */
static void test_timeout_of_connect(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	json_t *body = NULL;
	int fds[8];

	assert_int_equal(listen(fake->listener, 0), 0);
	assert_int_equal(wf_str_copy(address.sun_path, sizeof(address.sun_path), fake->path), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(fds); i++) {
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 50, &body, &err),
			 -ETIMEDOUT);
	for (size_t i = 0; i < WF_ARRAY_LEN(fds); i++)
		(void)close(fds[i]);
}

static void test_not_reachable(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	json_t *body = NULL;
	char missing[80], too_long[200];

	(void)snprintf(missing, sizeof(missing), "%s-gone", fake->path);
	assert_int_equal(wf_client_call(missing, "GET", "/x", NULL, 50, &body, &err),
			 -ECONNREFUSED);
	assert_non_null(strstr(err.message, missing));
	assert_non_null(strstr(err.message, "--socket"));
	(void)close(fake->listener);
	fake->listener = -1;
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 50, &body, &err),
			 -ECONNREFUSED);
	assert_non_null(strstr(err.message, "not running"));
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_int_equal(wf_client_call(too_long, "GET", "/x", NULL, 50, &body, &err), -EINVAL);
}

static void test_text(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	play(fake, "HTTP/1.0 200 OK\r\n\r\nweft_up 1\n", 29);
	assert_int_equal(wf_client_text(fake->path, "/metrics", 5000, &text, &err), 0);
	assert_string_equal(text.data, "weft_up 1\n");
}

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
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;

	for (size_t piece = 1; piece <= sizeof(answer); piece += 7) {
		struct lines all = { .enough = 100 }, some = { .enough = 3 };

		fake->piece = piece;
		play(fake, answer, sizeof(answer) - 1);
		assert_int_equal(
			wf_client_stream(fake->path, "/v1/observe", count_line, &all, &err), 0);
		assert_int_equal(all.count, 4);
		assert_int_equal(all.last, 4);
		fake->stay = true;
		play(fake, answer, sizeof(answer) - 1);
		assert_int_equal(
			wf_client_stream(fake->path, "/v1/observe", count_line, &some, &err), 0);
		assert_int_equal(some.count, 3);
		fake->stay = false;
	}
}

static void test_stream_failures(void **state)
{
	struct fake *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	struct lines lines = { .enough = 100 };
	static const char refused[] = "HTTP/1.1 404 No\r\n\r\n{\"error\": {\"code\": \"ENOENT\","
				      " \"message\": \"no endpoint\"}}\n";
	static const char garbage[] = OK_HEAD "\r\n{\"n\":1}\nnot json\n";
	static const char chunked[] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"n\":7}\n";

	play(fake, refused, sizeof(refused) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -ENOENT);
	assert_string_equal(err.message, "no endpoint");
	assert_int_equal(lines.count, 0);
	play(fake, garbage, sizeof(garbage) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EPROTO);
	assert_int_equal(lines.count, 1);
	play(fake, chunked, sizeof(chunked) - 1);
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EAGAIN);
	assert_int_equal(lines.last, 7);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_stream_ends_on_signal(void **state)
{
	struct fake *fake = *state;
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
	play(fake, OK_HEAD "\r\n{\"n\":1}\n", strlen(OK_HEAD "\r\n{\"n\":1}\n"));
	(void)raise(SIGALRM); /* before the wait, and not lost */
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EINTR);
	assert_in_range(lines.count, 0, 1);
	(void)ualarm(100000, 0);
	play(fake, OK_HEAD "\r\n{\"n\":1}\n", strlen(OK_HEAD "\r\n{\"n\":1}\n"));
	assert_int_equal(wf_client_stream(fake->path, "/x", count_line, &lines, &err), -EINTR);
	(void)pthread_sigmask(SIG_UNBLOCK, &blocked, NULL);
}

static void test_segments(void **state)
{
	_cleanup_str_ struct wf_str path = WF_STR_INIT;

	(void)state;
	wf_str_add(&path, "/v1/");
	wf_client_add_segment(&path, "a/b c?d=e&\xc3\xa4%Z-._~9");
	assert_string_equal(path.data, "/v1/a%2Fb%20c%3Fd%3De%26%C3%A4%25Z-._~9");
}

static void test_out_of_memory(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	int n, r = -1;

	json_set_alloc_funcs(json_malloc, free);
	for (n = 0; n < 200 && r < 0; n++) {
		json_t *body = NULL;

		play(*state, OK_HEAD "\r\n{\"a\":[1,2,\"three\"]}",
		     strlen(OK_HEAD "\r\n{\"a\":[1,2,\"three\"]}"));
		fail_after = n;
		r = wf_client_call(((struct fake *)*state)->path, "GET", "/x", NULL, 5000, &body,
				   &err);
		fail_after = -1;
		stop(*state);
		assert_int_equal(r == 0, body != NULL);
		json_decref(body);
	}
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(r, 0);
	assert_true(n > 5);
}

/* However an answer is cut in two, the result is the same. */
static void test_any_cut(void **state)
{
	static const char text[] = OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
					   "3\r\nabc\r\n0B\r\ndefghijklmn\r\n0\r\n\r\ntrailing";
	struct wf_err err = WF_ERR_INIT;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct wf_answer answer;

		wf_answer_init(&answer, 100);
		assert_int_equal(wf_answer_feed(&answer, text, cut, &err), 0);
		assert_int_equal(wf_answer_feed(&answer, text + cut, sizeof(text) - 1 - cut, &err),
				 0);
		assert_int_equal(answer.state, WF_ANSWER_DONE);
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer.body.data, "abcdefghijklmn");
		wf_answer_done(&answer);
	}
}

static void test_limits(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_answer answer;
	char line[WF_ANSWER_MAX_LINE + 100];
	int r = 0;

	(void)state;
	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, OK_HEAD "\r\n12345678901",
					strlen(OK_HEAD "\r\n12345678901"), &err),
			 -E2BIG);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, OK_HEAD, strlen(OK_HEAD), &err), 0);
	memset(line, 'x', sizeof(line));
	assert_int_equal(wf_answer_feed(&answer, line, sizeof(line), &err), -E2BIG);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, line, sizeof(line), &err), -EPROTO);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, OK_HEAD, strlen(OK_HEAD), &err), 0);
	for (int i = 0; i < WF_ANSWER_MAX_HEADERS && r == 0; i++)
		r = wf_answer_feed(&answer, "a: b\r\n", 6, &err);
	assert_int_equal(r, -E2BIG);
	wf_answer_done(&answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get_and_request),
		TEST(test_post_sends_the_body),
		TEST(test_empty_answer_is_null),
		TEST(test_byte_by_byte_chunked),
		TEST(test_huge_answer),
		TEST(test_early_refusal_of_a_body),
		TEST(test_error_object),
		TEST(test_errors_without_object),
		TEST(test_bad_answers),
		TEST(test_timeout),
		TEST(test_timeout_of_connect),
		TEST(test_not_reachable),
		TEST(test_text),
		TEST(test_stream),
		TEST(test_stream_failures),
		TEST(test_stream_ends_on_signal),
		TEST(test_out_of_memory),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
