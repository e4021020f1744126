/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are not one JSON value: the endless lines of observe, and metrics. */
#include <errno.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>

#include "api/server_priv.h"
#include "base/json.h"
#include "base/mem.h"

/* An observer that reads slower than events come loses lines, never our memory. */
#define MAX_WAITING_BYTES (1U << 20)

struct api_observer {
	struct wf_observer observer;
	struct wf_server *server;
	struct evhttp_request *http;
	char *network, *endpoint; /* owned */
	uint64_t lost;
	struct api_observer *next;
};

static void observer_free(struct api_observer *observer)
{
	for (struct api_observer **at = &observer->server->observers; *at; at = &(*at)->next) {
		if (*at == observer) {
			*at = observer->next;
			break;
		}
	}
	wf_control_unobserve(observer->server->control, &observer->observer);
	free(observer->network);
	free(observer->endpoint);
	free(observer);
}

/* libevent leaves a request we own to us, however its connection ends. */
static void on_close(struct evhttp_connection *connection, void *context)
{
	struct api_observer *observer = context;

	(void)connection;
	evhttp_request_free(observer->http);
	observer_free(observer);
}

static void send_line(struct api_observer *observer, const json_t *value)
{
	_cleanup_free_ char *text = wf_json_text(value);
	struct evbuffer *line = evbuffer_new();

	if (text && line && evbuffer_add_printf(line, "%s\n", text) >= 0)
		evhttp_send_reply_chunk(observer->http, line);
	if (line)
		evbuffer_free(line);
}

static void on_observed(const json_t *event, void *context)
{
	struct api_observer *observer = context;
	struct bufferevent *buffer =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(observer->http));

	if (evbuffer_get_length(bufferevent_get_output(buffer)) > MAX_WAITING_BYTES) {
		observer->lost++;
		return;
	}
	if (observer->lost) {
		_cleanup_json_ json_t *lost = json_pack("{s:s, s:I}", "type", "lost", "count",
							(json_int_t)observer->lost);

		observer->lost = 0;
		send_line(observer, lost);
	}
	send_line(observer, event);
}

static struct api_observer *observer_new(struct api_request *request)
{
	const char *network = wf_api_query(request, "network");
	const char *endpoint = wf_api_query(request, "endpoint");
	struct api_observer *observer = calloc(1, sizeof(*observer));

	if (!observer)
		return NULL;
	observer->server = request->server;
	observer->http = request->http;
	observer->network = network ? strdup(network) : NULL;
	observer->endpoint = endpoint ? strdup(endpoint) : NULL;
	observer->observer = (struct wf_observer){
		.drops = wf_api_query_is_true(request, "drops"),
		.first = wf_api_query_is_true(request, "first"),
		.audit = wf_api_query_is_true(request, "audit"),
		.network = observer->network,
		.endpoint = observer->endpoint,
		.callback = on_observed,
		.context = observer,
	};
	if (!observer->observer.drops && !observer->observer.first && !observer->observer.audit)
		observer->observer.drops = observer->observer.first = observer->observer.audit =
			true;
	observer->next = request->server->observers;
	request->server->observers = observer;
	return observer;
}

void wf_api_observe(struct api_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request->http);
	struct api_observer *observer = observer_new(request);
	struct wf_err err = WF_ERR_INIT;
	int r;

	if (!observer) {
		(void)wf_fail(&err, -ENOMEM, "out of memory for an observer");
		wf_api_answer_error(request->http, err.code, &err);
		return;
	}
	r = wf_control_observe(request->server->control, &observer->observer, &err);
	if (r < 0) {
		observer_free(observer);
		wf_api_answer_error(request->http, r, &err);
		return;
	}
	(void)evhttp_add_header(evhttp_request_get_output_headers(request->http), "Content-Type",
				"application/jsonl");
	evhttp_connection_set_timeout(connection, 0);
	evhttp_connection_set_closecb(connection, on_close, observer);
	evhttp_request_own(request->http);
	evhttp_send_reply_start(request->http, HTTP_OK, NULL);
}

void wf_api_observers_end(struct wf_server *server)
{
	/* freeing a connection calls on_close(), which takes the observer off the list */
	while (server->observers)
		evhttp_connection_free(evhttp_request_get_connection(server->observers->http));
}

void wf_api_metrics(struct api_request *request)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;

	wf_control_metrics(request->server->control, &text);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request->http), "Content-Type",
				"text/plain; version=0.0.4; charset=utf-8");
	(void)evbuffer_add(evhttp_request_get_output_buffer(request->http), wf_str_text(&text),
			   text.len);
	evhttp_send_reply(request->http, HTTP_OK, NULL, NULL);
}
