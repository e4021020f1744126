/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of the daemon's socket. One connection per request, HTTP/1.0 and "close", so
 * that the end of an answer can never be mistaken. answer.c knows HTTP, this file sockets.
 */
#include "api/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api/answer.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

/* A list of all endpoints of a full node is some 20 MB. */
#define MAX_ANSWER_BYTES (64U << 20)

/* One line of a stream. */
#define MAX_LINE_BYTES (1U << 20)

struct connection {
	int fd;
	const char *socket_path;
	int timeout_ms;       /* 0 or less: none */
	uint64_t deadline_ms; /* of the monotonic clock */
	bool interruptible;   /* a signal ends the wait with -EINTR */
	struct wf_answer answer;
};

static void connection_done(struct connection *connection)
{
	if (connection->fd >= 0)
		(void)close(connection->fd);
	wf_answer_done(&connection->answer);
}

static int timed_out(const struct connection *connection, struct wf_err *err)
{
	return wf_fail(err, -ETIMEDOUT,
		       "weftd at %s did not answer within %d ms; it may be busy, see its log",
		       connection->socket_path, connection->timeout_ms);
}

/* Milliseconds to wait at most: -1 for ever. */
static int time_left_ms(const struct connection *connection)
{
	uint64_t now = wf_clock_monotonic_ms();

	if (connection->timeout_ms <= 0)
		return -1;
	return connection->deadline_ms > now ? (int)(connection->deadline_ms - now) : 0;
}

/*
 * Waits for the socket, or just for a while when fd is -1. An interruptible wait lets in signals
 * that the caller has blocked, and only a wait does: one that comes between two waits is not
 * lost, it ends the next one.
 */
static int wait_ms(const struct connection *connection, int fd, short events, int limit_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	struct timespec limit = { .tv_sec = limit_ms / 1000,
				  .tv_nsec = (long)(limit_ms % 1000) * 1000000 };
	sigset_t none;

	(void)sigemptyset(&none);
	return ppoll(&poll_fd, 1, limit_ms < 0 ? NULL : &limit,
		     connection->interruptible ? &none : NULL);
}

static int wait_for(const struct connection *connection, short events, struct wf_err *err)
{
	for (;;) {
		int r = wait_ms(connection, connection->fd, events, time_left_ms(connection));

		if (r > 0)
			return 0;
		if (r == 0)
			return timed_out(connection, err);
		if (errno != EINTR)
			return wf_fail(err, -errno, "poll: %s", strerror(errno));
		if (connection->interruptible)
			return wf_fail(err, -EINTR, "interrupted");
	}
}

static int unreachable(const struct connection *connection, int errnum, struct wf_err *err)
{
	const char *path = connection->socket_path;

	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return wf_fail(
			err, -ECONNREFUSED,
			"there is no socket %s: start weftd, or name the socket of a running "
			"one with --socket or WEFT_SOCKET",
			path);
	case ECONNREFUSED:
		return wf_fail(err, -ECONNREFUSED,
			       "nobody listens on %s: weftd is not running, start it", path);
	case EACCES:
	case EPERM:
		return wf_fail(err, -ECONNREFUSED,
			       "no permission to use %s: run as root or as a member of the group "
			       "that weftd was given",
			       path);
	default:
		return wf_fail(err, -ECONNREFUSED, "cannot connect to %s: %s", path,
			       strerror(errnum));
	}
}

/* A full backlog of a unix socket says EAGAIN and cannot be polled for: try again until late. */
static int connect_patiently(const struct connection *connection, const struct sockaddr_un *address,
			     struct wf_err *err)
{
	while (connect(connection->fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return unreachable(connection, errno, err);
		if (time_left_ms(connection) == 0)
			return timed_out(connection, err);
		if (wait_ms(connection, -1, 0, 5) < 0 && connection->interruptible)
			return wf_fail(err, -EINTR, "interrupted");
	}
	return 0;
}

static int open_connection(struct connection *connection, struct wf_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (wf_str_copy(address.sun_path, sizeof(address.sun_path), connection->socket_path) < 0)
		return wf_fail(err, -EINVAL, "the socket's path %s is longer than %zu characters",
			       connection->socket_path, sizeof(address.sun_path) - 1);
	if (connection->timeout_ms > 0)
		connection->deadline_ms =
			wf_clock_monotonic_ms() + (uint64_t)connection->timeout_ms;
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return wf_fail(err, -errno, "cannot make a socket: %s", strerror(errno));
	return connect_patiently(connection, &address, err);
}

/*
 * EPIPE is not a failure yet: a daemon that refuses a body answers and closes before it has read
 * all of it, and that answer is worth more than "broken pipe".
 */
static int send_all(const struct connection *connection, const struct wf_str *request,
		    struct wf_err *err)
{
	size_t sent = 0;

	while (sent < request->len) {
		ssize_t n = send(connection->fd, request->data + sent, request->len - sent,
				 MSG_NOSIGNAL);
		int r;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return wf_fail(err, -errno, "cannot send to %s: %s",
				       connection->socket_path, strerror(errno));
		r = wait_for(connection, POLLOUT, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int send_request(const struct connection *connection, const char *method, const char *path,
			const json_t *body, struct wf_err *err)
{
	_cleanup_str_ struct wf_str request = WF_STR_INIT;
	_cleanup_free_ char *text = body ? wf_json_text(body) : NULL;

	if (body && !text)
		return wf_fail(err, -ENOMEM, "out of memory");
	wf_str_addf(&request, "%s %s HTTP/1.0\r\nHost: weft\r\nUser-Agent: weft/%s\r\n", method,
		    path, WEFT_VERSION);
	wf_str_add(&request, "Connection: close\r\n");
	if (text)
		wf_str_addf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			    strlen(text));
	else if (strcmp(method, "GET") != 0)
		wf_str_add(&request, "Content-Length: 0\r\n");
	wf_str_add(&request, "\r\n");
	if (text)
		wf_str_add(&request, text);
	if (request.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return send_all(connection, &request, err);
}

/* Reads once. 1: more may come, 0: the answer is complete. */
static int receive(struct connection *connection, struct wf_err *err)
{
	char buf[16384];
	ssize_t n;
	int r = wait_for(connection, POLLIN, err);

	if (r < 0)
		return r;
	n = recv(connection->fd, buf, sizeof(buf), 0);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	if (n < 0 && errno != ECONNRESET)
		return wf_fail(err, -errno, "cannot read from %s: %s", connection->socket_path,
			       strerror(errno));
	if (n <= 0)
		return wf_answer_end(&connection->answer, err);
	r = wf_answer_feed(&connection->answer, buf, (size_t)n, err);
	if (r < 0)
		return r;
	return connection->answer.state == WF_ANSWER_DONE ? 0 : 1;
}

static int receive_all(struct connection *connection, struct wf_err *err)
{
	int r;

	do
		r = receive(connection, err);
	while (r > 0);
	return r;
}

/* The errno for a status that came without an error object. */
static int errno_of_status(int status)
{
	switch (status) {
	case 400: return -EINVAL;
	case 401:
	case 403: return -EPERM;
	case 404: return -ENOENT;
	case 405:
	case 501: return -EOPNOTSUPP;
	case 409: return -EBUSY;
	case 413: return -E2BIG;
	case 503: return -EAGAIN;
	case 504: return -ETIMEDOUT;
	default: return -EIO;
	}
}

/* Turns an answer other than 2xx into *err; returns its code. */
static int refused(const struct wf_answer *answer, struct wf_err *err)
{
	_cleanup_json_ json_t *body =
		json_loadb(wf_str_text(&answer->body), answer->body.len, 0, NULL);
	const json_t *error = json_object_get(body, "error");
	const struct wf_err_map *map = wf_err_map_by_name(wf_json_str(error, "code", ""));
	int code = map ? -map->errnum : errno_of_status(answer->status);
	const char *object = wf_json_str(error, "object", "");

	if (!json_is_object(error) && answer->status == 413)
		return wf_fail(err, code,
			       "the request is larger than weftd accepts at once: apply the "
			       "documents from several files");
	if (!json_is_object(error))
		return wf_fail(err, code, "weftd answered with HTTP status %d and no reason",
			       answer->status);
	wf_err_set(err, code, "%s", wf_json_str(error, "message", "refused without a reason"));
	if (*object)
		wf_err_set_object(err, "%s", object);
	wf_err_set_field(err, wf_json_str(error, "field", ""));
	if (err)
		err->document = (int)wf_json_int(error, "document", -1);
	return code;
}

static bool is_success(const struct wf_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

/* Sends and reads the whole answer, which is a success afterwards. */
static int exchange(struct connection *connection, const char *method, const char *path,
		    const json_t *body, struct wf_err *err)
{
	int r = open_connection(connection, err);

	if (r == 0)
		r = send_request(connection, method, path, body, err);
	if (r == 0)
		r = receive_all(connection, err);
	if (r == 0 && !is_success(&connection->answer))
		r = refused(&connection->answer, err);
	return r;
}

int wf_client_call(const char *socket_path, const char *method, const char *path,
		   const json_t *body, int timeout_ms, json_t **ret_body, struct wf_err *err)
{
	_cleanup_(connection_done) struct connection connection = { .fd = -1,
								    .socket_path = socket_path,
								    .timeout_ms = timeout_ms };
	const struct wf_str *text = &connection.answer.body;
	json_error_t fault;
	json_t *value;
	int r;

	wf_answer_init(&connection.answer, MAX_ANSWER_BYTES);
	r = exchange(&connection, method, path, body, err);
	if (r < 0)
		return r;
	value = text->len ? json_loadb(text->data, text->len, JSON_DECODE_ANY, &fault)
			  : json_null();
	if (!value)
		return wf_fail(err, -EPROTO, "weftd's answer is not JSON: %s", fault.text);
	*ret_body = value;
	return 0;
}

int wf_client_text(const char *socket_path, const char *path, int timeout_ms,
		   struct wf_str *ret_text, struct wf_err *err)
{
	_cleanup_(connection_done) struct connection connection = { .fd = -1,
								    .socket_path = socket_path,
								    .timeout_ms = timeout_ms };
	int r;

	wf_answer_init(&connection.answer, MAX_ANSWER_BYTES);
	r = exchange(&connection, "GET", path, NULL, err);
	if (r < 0)
		return r;
	wf_str_done(ret_text);
	*ret_text = connection.answer.body;
	connection.answer.body = (struct wf_str)WF_STR_INIT;
	return 0;
}

/* Hands out the complete lines in the body. 1: go on, 0: the callback has had enough. */
static int hand_out_lines(struct wf_str *body, wf_client_line_fn callback, void *context,
			  struct wf_err *err)
{
	const char *start = wf_str_text(body);
	const char *end = start + body->len, *newline;
	int r = 1;

	while (r > 0 && start < end && (newline = memchr(start, '\n', (size_t)(end - start)))) {
		size_t len = (size_t)(newline - start);
		json_error_t fault;
		_cleanup_json_ json_t *value = NULL;

		if (len && !(len == 1 && *start == '\r')) {
			value = json_loadb(start, len, JSON_DECODE_ANY, &fault);
			if (!value)
				return wf_fail(err, -EPROTO, "a line of weftd's is not JSON: %s",
					       fault.text);
			r = callback(value, context) ? 1 : 0;
		}
		start = newline + 1;
	}
	body->len = (size_t)(end - start);
	if (body->data)
		memmove(body->data, start, body->len);
	return r;
}

int wf_client_stream(const char *socket_path, const char *path, wf_client_line_fn callback,
		     void *context, struct wf_err *err)
{
	_cleanup_(connection_done) struct connection connection = { .fd = -1,
								    .socket_path = socket_path,
								    .interruptible = true };
	struct wf_answer *answer = &connection.answer;
	int r, more = 1;

	wf_answer_init(answer, MAX_LINE_BYTES);
	r = open_connection(&connection, err);
	if (r == 0)
		r = send_request(&connection, "GET", path, NULL, err);
	while (r == 0 && more > 0) {
		more = receive(&connection, err);
		if (more < 0)
			return more;
		if (!wf_answer_has_head(answer) || !is_success(answer))
			continue;
		r = hand_out_lines(&answer->body, callback, context, err);
		if (r <= 0)
			return r;
		r = 0;
	}
	if (r == 0 && !is_success(answer))
		return refused(answer, err);
	return r;
}

void wf_client_add_segment(struct wf_str *path, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~", c);

		if (plain)
			wf_str_add_bytes(path, text, 1);
		else
			wf_str_addf(path, "%%%02X", c);
	}
}
