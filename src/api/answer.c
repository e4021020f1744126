/* SPDX-License-Identifier: Apache-2.0 */
#include "api/answer.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

void wf_answer_init(struct wf_answer *answer, size_t max_body)
{
	memset(answer, 0, sizeof(*answer));
	answer->max_body = max_body;
}

void wf_answer_done(struct wf_answer *answer)
{
	wf_str_done(&answer->body);
	wf_str_done(&answer->line);
}

bool wf_answer_has_head(const struct wf_answer *answer)
{
	return answer->state > WF_ANSWER_HEADERS;
}

static int not_http(struct wf_err *err, const char *what)
{
	return wf_fail(err, -EPROTO, "the answer is not HTTP: %s; does weftd own this socket?",
		       what);
}

static int take_status_line(struct wf_answer *answer, const char *line, struct wf_err *err)
{
	/* "HTTP/1.1 200 OK": the version's minor digit and the phrase do not matter */
	if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
		return not_http(err, "it does not start with HTTP/1");
	for (int i = 9; i < 12; i++)
		if (!isdigit((unsigned char)line[i]))
			return not_http(err, "no status number");
	if (line[12] != ' ' && line[12] != '\0')
		return not_http(err, "no status number");
	answer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	if (answer->status < 100)
		return not_http(err, "no status number");
	answer->state = WF_ANSWER_HEADERS;
	return 0;
}

/* The value of a header line if it has this name, NULL otherwise. */
static const char *header_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	return line + strspn(line, " \t");
}

static int take_length(struct wf_answer *answer, const char *value, struct wf_err *err)
{
	uint64_t length;

	if (wf_str_to_u64(value, 0, INT64_MAX, &length) < 0)
		return not_http(err, "Content-Length is not a number");
	if (answer->has_length && answer->left != length)
		return not_http(err, "two different Content-Lengths");
	answer->has_length = true;
	answer->left = length;
	return 0;
}

/* The empty line behind the headers: what follows? */
static void end_headers(struct wf_answer *answer)
{
	bool bodyless = answer->status == 204 || answer->status == 304;

	answer->headers = 0;
	if (answer->status < 200) {
		answer->state = WF_ANSWER_STATUS_LINE; /* "100 Continue": the answer follows */
		answer->chunked = answer->has_length = false;
		answer->left = 0;
	} else if (bodyless || (!answer->chunked && answer->has_length && !answer->left)) {
		answer->state = WF_ANSWER_DONE;
	} else if (answer->chunked) {
		answer->state = WF_ANSWER_CHUNK_SIZE;
	} else {
		answer->state = answer->has_length ? WF_ANSWER_BODY_LENGTH : WF_ANSWER_BODY_CLOSE;
	}
}

static int take_header(struct wf_answer *answer, const char *line, struct wf_err *err)
{
	const char *value;

	if (!*line) {
		end_headers(answer);
		return 0;
	}
	if (++answer->headers > WF_ANSWER_MAX_HEADERS)
		return wf_fail(err, -E2BIG, "the answer has more than %d header lines",
			       WF_ANSWER_MAX_HEADERS);
	if (!strchr(line, ':'))
		return not_http(err, "a header line without a colon");
	value = header_value(line, "Content-Length");
	if (value)
		return take_length(answer, value, err);
	value = header_value(line, "Transfer-Encoding");
	if (!value)
		return 0;
	if (strcasecmp(value, "chunked") != 0)
		return not_http(err, "an unknown Transfer-Encoding");
	answer->chunked = true;
	return 0;
}

static int take_chunk_size(struct wf_answer *answer, const char *line, struct wf_err *err)
{
	uint64_t size = 0;
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (digits == 0 || digits > 15 || (line[digits] && !strchr("; \t", line[digits])))
		return not_http(err, "a chunk without its size");
	for (size_t i = 0; i < digits; i++) {
		int c = tolower((unsigned char)line[i]);

		size = size * 16 + (uint64_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
	}
	answer->left = size;
	answer->state = size ? WF_ANSWER_CHUNK_DATA : WF_ANSWER_TRAILERS;
	return 0;
}

static int take_trailer(struct wf_answer *answer, const char *line, struct wf_err *err)
{
	if (!*line)
		answer->state = WF_ANSWER_DONE;
	else if (++answer->headers > WF_ANSWER_MAX_HEADERS)
		return wf_fail(err, -E2BIG, "the answer has more than %d trailer lines",
			       WF_ANSWER_MAX_HEADERS);
	return 0;
}

static int take_line(struct wf_answer *answer, const char *line, struct wf_err *err)
{
	switch (answer->state) {
	case WF_ANSWER_STATUS_LINE: return take_status_line(answer, line, err);
	case WF_ANSWER_HEADERS: return take_header(answer, line, err);
	case WF_ANSWER_CHUNK_SIZE: return take_chunk_size(answer, line, err);
	case WF_ANSWER_TRAILERS: return take_trailer(answer, line, err);
	case WF_ANSWER_CHUNK_END:
		if (*line)
			return not_http(err, "a chunk longer than its size");
		answer->state = WF_ANSWER_CHUNK_SIZE;
		return 0;
	case WF_ANSWER_BODY_LENGTH:
	case WF_ANSWER_BODY_CLOSE:
	case WF_ANSWER_CHUNK_DATA:
	case WF_ANSWER_DONE: break;
	}
	return 0;
}

/* Gathers one line. Returns the bytes used, or a negative errno. */
static ssize_t feed_line(struct wf_answer *answer, const char *bytes, size_t len,
			 struct wf_err *err)
{
	const char *end = memchr(bytes, '\n', len);
	size_t used = end ? (size_t)(end - bytes) + 1 : len;
	int r;

	if (answer->line.len + used > WF_ANSWER_MAX_LINE) {
		if (answer->state == WF_ANSWER_STATUS_LINE)
			return not_http(err, "it does not start with HTTP/1");
		return wf_fail(err, -E2BIG, "the answer has a header longer than %d bytes",
			       WF_ANSWER_MAX_LINE);
	}
	wf_str_add_bytes(&answer->line, bytes, used);
	if (answer->line.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!end)
		return (ssize_t)used;
	if (memchr(answer->line.data, '\0', answer->line.len))
		return not_http(err, "a NUL character in a header");
	answer->line.len--;
	while (answer->line.len && strchr(" \t\r", answer->line.data[answer->line.len - 1]))
		answer->line.len--;
	answer->line.data[answer->line.len] = '\0';
	r = take_line(answer, answer->line.data, err);
	answer->line.len = 0;
	return r < 0 ? r : (ssize_t)used;
}

/* Takes body bytes. Returns the bytes used, or a negative errno. */
static ssize_t feed_body(struct wf_answer *answer, const char *bytes, size_t len,
			 struct wf_err *err)
{
	bool bounded = answer->state != WF_ANSWER_BODY_CLOSE;

	if (bounded && answer->left < len)
		len = (size_t)answer->left;
	if (answer->body.len + len > answer->max_body)
		return wf_fail(err, -E2BIG, "the answer is larger than %zu bytes",
			       answer->max_body);
	wf_str_add_bytes(&answer->body, bytes, len);
	if (answer->body.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!bounded)
		return (ssize_t)len;
	answer->left -= len;
	if (answer->left == 0)
		answer->state = answer->state == WF_ANSWER_CHUNK_DATA ? WF_ANSWER_CHUNK_END
								      : WF_ANSWER_DONE;
	return (ssize_t)len;
}

int wf_answer_feed(struct wf_answer *answer, const char *bytes, size_t len, struct wf_err *err)
{
	while (len && answer->state != WF_ANSWER_DONE) {
		bool body = answer->state == WF_ANSWER_BODY_LENGTH ||
			    answer->state == WF_ANSWER_BODY_CLOSE ||
			    answer->state == WF_ANSWER_CHUNK_DATA;
		ssize_t used = body ? feed_body(answer, bytes, len, err)
				    : feed_line(answer, bytes, len, err);

		if (used < 0)
			return (int)used;
		bytes += used;
		len -= (size_t)used;
	}
	return 0;
}

int wf_answer_end(struct wf_answer *answer, struct wf_err *err)
{
	if (answer->state == WF_ANSWER_DONE || answer->state == WF_ANSWER_BODY_CLOSE)
		return 0;
	return wf_fail(err, -EAGAIN,
		       "weftd closed the connection before its answer was complete; it may have "
		       "been restarted, try again");
}
