/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of the daemon's socket, for cli and cni: one blocking HTTP/1.0 request over a unix
 * socket. Small enough to be linked statically into the CNI plugin.
 */
#ifndef WEFT_API_CLIENT_H
#define WEFT_API_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define WF_CLIENT_DEFAULT_SOCKET "/run/weft/weft.sock"

/*
 * Sends one request and reads the whole answer. body may be NULL (borrowed otherwise).
 * *ret_body is a new reference (JSON null for an empty answer). Failures: -ECONNREFUSED when
 * the daemon is not reachable (message names the socket and what to do), -ETIMEDOUT, -EAGAIN when
 * the daemon went away in the middle, -EPROTO when it is not weftd that answers; an error answer
 * becomes *err with the daemon's message, object, field, document and errno. timeout_ms counts
 * for the whole call; 0: none.
 */
int wf_client_call(const char *socket_path, const char *method, const char *path,
		   const json_t *body, int timeout_ms, json_t **ret_body, struct wf_err *err);

/* As wf_client_call() with GET, for an answer that is not JSON (/metrics). */
int wf_client_text(const char *socket_path, const char *path, int timeout_ms,
		   struct wf_str *ret_text, struct wf_err *err);

/*
 * Reads an endless answer of JSON lines; calls back for each until it returns false or the
 * daemon closes. A signal that is handled ends it with -EINTR; a caller that blocks that signal
 * outside cannot miss it, since it is let in during every wait.
 */
typedef bool (*wf_client_line_fn)(const json_t *value, void *context);
int wf_client_stream(const char *socket_path, const char *path, wf_client_line_fn callback,
		     void *context, struct wf_err *err);

/* Appends text percent-encoded for use as one segment of a path or a query value. */
void wf_client_add_segment(struct wf_str *path, const char *text);

#endif
