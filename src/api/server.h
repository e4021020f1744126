/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's API: HTTP over a unix socket, one handler per row of a table (docs/api.md).
 * Handlers turn a request into one call of control and its result into an answer; nothing is
 * decided here.
 */
#ifndef WEFT_API_SERVER_H
#define WEFT_API_SERVER_H

#include <event2/event.h>
#include <jansson.h>

#include "base/err.h"
#include "control/control.h"

struct wf_server;

struct wf_server_config {
	const char *socket_path; /* borrowed */
	const char *group;       /* members may connect besides root; NULL: root only */
	/* answers /v1/config and /v1/reload; new references */
	json_t *(*show_config)(void *context);
	int (*reload)(void *context, json_t **ret_report, struct wf_err *err);
	void *context;
};

/* Binds the socket (replacing one that nobody listens on) and serves it from the loop. */
int wf_server_new(struct wf_server **ret_server, const struct wf_server_config *config,
		  struct wf_control *control, struct event_base *loop, struct wf_err *err);

/* Ends observers, closes connections and removes the socket. NULL-safe; nulls the pointer. */
void wf_server_free(struct wf_server **server);

#endif
