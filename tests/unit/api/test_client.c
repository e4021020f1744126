/* SPDX-License-Identifier: Apache-2.0 */
/* Single requests of the client to a fake daemon. Answers that go on: test_client_stream.c. */
#include "api/client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "fail_alloc.h"
#include "fake_daemon.h"

static int get(struct fake_daemon *fake, const char *answer, json_t **ret_body, struct wf_err *err)
{
	fake_play(fake, answer, strlen(answer));
	return wf_client_call(fake->path, "GET", "/v1/status", NULL, 5000, ret_body, err);
}

static void test_get_and_request(void **state)
{
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	assert_int_equal(get(fake, FAKE_OK "Content-Length: 7\r\n\r\n{\"a\":1}", &body, &err), 0);
	assert_int_equal(wf_json_int(body, "a", 0), 1);
	fake_stop(fake);
	assert_int_equal(strncmp(fake->request.data, "GET /v1/status HTTP/1.0\r\n", 25), 0);
	assert_non_null(strstr(fake->request.data, "\r\nHost: weft\r\n"));
	assert_null(strstr(fake->request.data, "Content-Length"));
}

static void test_post_sends_the_body(void **state)
{
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = json_pack("{s:s}", "network", "blue");
	_cleanup_json_ json_t *answer = NULL;

	fake_play(fake, "HTTP/1.0 201 Created\r\n\r\n{}", 26);
	assert_int_equal(
		wf_client_call(fake->path, "POST", "/v1/endpoints", body, 5000, &answer, &err), 0);
	assert_true(json_is_object(answer));
	fake_stop(fake);
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
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;

	fake->piece = 1;
	assert_int_equal(get(fake,
			     "HTTP/1.1 100 Continue\r\n\r\n" FAKE_OK
			     "transfer-encoding: Chunked\r\n\r\n"
			     "3\r\n{\"a\r\nA;x=y\r\n\":\"bcdefgh\r\n2\r\n\"}\r\n0\r\nX: y\r\n\r\n",
			     &body, &err),
			 0);
	assert_string_equal(wf_json_str(body, "a", ""), "bcdefgh");
}

static void test_huge_answer(void **state)
{
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *body = NULL;
	_cleanup_str_ struct wf_str answer = WF_STR_INIT;
	size_t items = 200000;

	wf_str_add(&answer, FAKE_OK "\r\n[");
	for (size_t i = 0; i < items; i++)
		wf_str_addf(&answer, "%s\"10.64.%zu.%zu/16 something\"", i ? "," : "", i / 256,
			    i % 256);
	wf_str_add(&answer, "]");
	assert_false(answer.failed);
	assert_true(answer.len > WF_JSON_MAX_BYTES);
	fake_play(fake, answer.data, answer.len);
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 20000, &body, &err), 0);
	assert_int_equal(json_array_size(body), items);
}

/* The daemon answers without reading a large body and closes: its answer must not be lost. */
static void test_early_refusal_of_a_body(void **state)
{
	struct fake_daemon *fake = *state;
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
	fake_play(fake, refusal, sizeof(refusal) - 1);
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
		{ FAKE_OK, -EAGAIN, "complete" },
		{ FAKE_OK "Content-Length: 8\r\n\r\n{\"a\":1}", -EAGAIN, "complete" },
		{ FAKE_OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", -EAGAIN, "complete" },
		{ FAKE_OK "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n", -EPROTO, "chunk" },
		{ FAKE_OK "Transfer-Encoding: chunked\r\n\r\nzz\r\n", -EPROTO, "chunk" },
		{ FAKE_OK "Transfer-Encoding: gzip\r\n\r\n", -EPROTO, "Transfer-Encoding" },
		{ FAKE_OK "Content-Length: -1\r\n\r\n", -EPROTO, "Content-Length" },
		{ FAKE_OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", -EPROTO, "two" },
		{ FAKE_OK "nonsense\r\n\r\n", -EPROTO, "colon" },
		{ FAKE_OK "\r\n{\"a\":", -EPROTO, "not JSON" },
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
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	json_t *body = NULL;
	uint64_t start = wf_clock_monotonic_ms();

	fake->stay = true;
	fake_play(fake, FAKE_OK, strlen(FAKE_OK));
	assert_int_equal(wf_client_call(fake->path, "GET", "/x", NULL, 100, &body, &err),
			 -ETIMEDOUT);
	assert_non_null(strstr(err.message, "within 100 ms"));
	assert_in_range(wf_clock_monotonic_ms() - start, 100, 3000);
}

/* Nobody accepts and the backlog is full: the time limit counts for connecting, too. */
static void test_timeout_of_connect(void **state)
{
	struct fake_daemon *fake = *state;
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
	struct fake_daemon *fake = *state;
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
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	fake_play(fake, "HTTP/1.0 200 OK\r\n\r\nweft_up 1\n", 29);
	assert_int_equal(wf_client_text(fake->path, "/metrics", 5000, &text, &err), 0);
	assert_string_equal(text.data, "weft_up 1\n");
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
	static const char answer[] = FAKE_OK "\r\n{\"a\":[1,2,\"three\"]}";
	struct fake_daemon *fake = *state;
	struct wf_err err = WF_ERR_INIT;

	for (size_t n = 0;; n++) {
		_cleanup_json_ json_t *body = NULL;
		int r;

		fake_play(fake, answer, sizeof(answer) - 1);
		fail_alloc_arm(n);
		r = wf_client_call(fake->path, "GET", "/x", NULL, 5000, &body, &err);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			assert_true(n > 5);
			break;
		}
		fake_stop(fake);
		/* jansson's lexer may do without */
		assert_int_equal(r == 0, body != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_get_and_request),
		FAKE_TEST(test_post_sends_the_body),
		FAKE_TEST(test_empty_answer_is_null),
		FAKE_TEST(test_byte_by_byte_chunked),
		FAKE_TEST(test_huge_answer),
		FAKE_TEST(test_early_refusal_of_a_body),
		FAKE_TEST(test_error_object),
		FAKE_TEST(test_errors_without_object),
		FAKE_TEST(test_bad_answers),
		FAKE_TEST(test_timeout),
		FAKE_TEST(test_timeout_of_connect),
		FAKE_TEST(test_not_reachable),
		FAKE_TEST(test_text),
		FAKE_TEST(test_out_of_memory),
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
