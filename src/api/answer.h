/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to an HTTP/1 request, parsed as its bytes arrive: pure, no sockets, so that it can
 * be fuzzed. Only client.c uses it. How the bytes were cut into pieces never changes the result.
 */
#ifndef WEFT_API_ANSWER_H
#define WEFT_API_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Longest status or header line, and most header lines, that are accepted. */
#define WF_ANSWER_MAX_LINE    8192
#define WF_ANSWER_MAX_HEADERS 100

enum wf_answer_state {
	WF_ANSWER_STATUS_LINE,
	WF_ANSWER_HEADERS,
	WF_ANSWER_BODY_LENGTH, /* Content-Length bytes */
	WF_ANSWER_BODY_CLOSE,  /* until the connection is closed */
	WF_ANSWER_CHUNK_SIZE,
	WF_ANSWER_CHUNK_DATA,
	WF_ANSWER_CHUNK_END, /* the empty line behind a chunk */
	WF_ANSWER_TRAILERS,
	WF_ANSWER_DONE,
};

struct wf_answer {
	enum wf_answer_state state;
	int status;           /* 200; valid once the state is past the status line */
	struct wf_str body;   /* what has arrived of it; a reader may take bytes away */
	size_t max_body;      /* bytes that may be in body at one time */
	struct wf_str line;   /* the unfinished line */
	unsigned int headers; /* lines seen, trailers included */
	bool chunked;
	bool has_length;
	uint64_t left; /* bytes missing of the body or of the chunk */
};

/* Starts with an empty answer. */
void wf_answer_init(struct wf_answer *answer, size_t max_body);
void wf_answer_done(struct wf_answer *answer);

/*
 * Takes in the next bytes; bytes behind the end of the answer are ignored. -EPROTO when this is
 * not HTTP, -E2BIG beyond a limit, -ENOMEM.
 */
int wf_answer_feed(struct wf_answer *answer, const char *bytes, size_t len, struct wf_err *err);

/* The peer has closed: 0 when the answer is complete, -EAGAIN when it was cut off. */
int wf_answer_end(struct wf_answer *answer, struct wf_err *err);

/* Whether the status line and the headers are in. */
bool wf_answer_has_head(const struct wf_answer *answer);

#endif
