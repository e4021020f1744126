/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Applies that take their time, and those who have to wait for their end: their requests are kept as
 * they came, and begin anew then, in their order. Like wait.c, this counts on requests that outlive
 * their connection until they are answered.
 */
#include <errno.h>
#include <stdlib.h>

#include <utlist.h>

#include "api/server_priv.h"
#include "base/mem.h"

/* Results that are written into an answer in one turn of the loop. */
#define RESULTS_AT_ONCE 2048

struct api_held {
	struct evhttp_request *http;
	struct api_held *prev, *next;
};

/* An apply, and then its answer. */
struct api_applied {
	struct wf_server *server;
	struct evhttp_request *http;
	json_t *results;         /* owned; NULL while it is under way */
	size_t at;               /* the next of them */
	struct evbuffer *answer; /* owned; with those before */
	bool has_failed;
	struct event *timer; /* owned */
	struct api_applied *prev, *next;
};

bool wf_api_hold(struct api_request *request, enum api_hold hold, const json_t *body)
{
	struct wf_server *server = request->server;
	const char *network = wf_json_str(body, "network", NULL);
	struct api_held *held;

	/* without a network it is refused in any case */
	if (hold == API_HOLD_NEVER || (hold == API_HOLD_ATTACH && !network) ||
	    !wf_control_apply_holds(server->control, hold == API_HOLD_ATTACH ? network : NULL))
		return false;
	held = calloc(1, sizeof(*held));
	if (!held)
		return false;
	held->http = request->http;
	DL_APPEND(server->held, held);
	return true;
}

/* Nobody may be left to hear the answer. */
static void answer(struct evhttp_request *http, int code, struct wf_err *err)
{
	if (evhttp_request_get_connection(http))
		wf_api_answer_error(http, code, err);
	else
		evhttp_send_reply(http, 503, NULL, NULL);
}

static void resume(struct wf_server *server)
{
	struct api_held *list = TAKE_PTR(server->held), *held, *next;
	struct wf_err err = WF_ERR_INIT;

	DL_FOREACH_SAFE(list, held, next)
	{
		if (evhttp_request_get_connection(held->http))
			wf_api_on_request(held->http, server);
		else
			answer(held->http, -EAGAIN, &err);
		free(held);
	}
}

/* ---- the answer, which may be as long as the file ------------------------------------------------ */

static void write_result(struct api_applied *applied)
{
	char *text = wf_json_text(json_array_get(applied->results, applied->at));

	(void)evbuffer_add_printf(applied->answer, "%s%s", applied->at ? "," : "{\"results\":[",
				  text ? text : "null");
	applied->has_failed |= !text;
	free(text);
	(void)json_array_set_new(applied->results, applied->at++, json_null());
}

static void end_answer(struct api_applied *applied)
{
	struct evhttp_request *http = applied->http;
	struct wf_server *server = applied->server;
	struct wf_err err = WF_ERR_INIT;

	DL_DELETE(server->applied, applied);
	(void)evbuffer_add_printf(applied->answer, "%s]}\n", applied->at ? "" : "{\"results\":[");
	if (applied->has_failed)
		answer(http, wf_fail(&err, -ENOMEM, "out of memory for what was applied"), &err);
	else
		wf_api_answer_text(http, HTTP_OK, applied->answer);
	json_decref(applied->results);
	evbuffer_free(applied->answer);
	event_free(applied->timer);
	free(applied);
}

/* A part of it; false: that was the last one. */
static bool write_some(struct api_applied *applied)
{
	size_t count = json_array_size(applied->results);

	for (size_t i = 0; i < RESULTS_AT_ONCE && applied->at < count; i++)
		write_result(applied);
	return applied->at < count;
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval at_once = { 0 };
	struct api_applied *applied = context;

	(void)fd;
	(void)what;
	while (write_some(applied))
		if (evtimer_add(applied->timer, &at_once) == 0)
			return;
	end_answer(applied);
}

static void on_applied(int result, json_t *results, const struct wf_err *err, void *context)
{
	struct api_applied *applied = context;
	struct wf_server *server = applied->server;
	struct wf_err copy = *err;

	if (result == 0) {
		DL_APPEND(server->applied, applied);
		applied->results = json_incref(results);
		on_turn(-1, 0, applied);
	} else {
		answer(applied->http, result, &copy);
		evbuffer_free(applied->answer);
		event_free(applied->timer);
		free(applied);
	}
	/* while the answer is written: who came later must not be first */
	resume(server);
}

static struct api_applied *new_applied(struct api_request *request)
{
	struct api_applied *applied = calloc(1, sizeof(*applied));

	if (!applied)
		return NULL;
	*applied = (struct api_applied){ .server = request->server,
					 .http = request->http,
					 .answer = evbuffer_new(),
					 .timer = evtimer_new(request->server->loop, on_turn,
							      applied) };
	if (applied->answer && applied->timer)
		return applied;
	if (applied->answer)
		evbuffer_free(applied->answer);
	if (applied->timer)
		event_free(applied->timer);
	free(applied);
	return NULL;
}

void wf_api_apply(struct api_request *request, bool dry_run, uint64_t confirm_ms)
{
	struct api_applied *applied = new_applied(request);
	struct wf_control_documents documents;
	struct wf_err err = WF_ERR_INIT;
	int r = applied ? wf_api_body_documents(request->http, &documents, &err)
			: wf_fail(&err, -ENOMEM, "out of memory");

	request->is_taken = true;
	if (r < 0 && applied)
		on_applied(r, NULL, &err, applied);
	else if (r < 0)
		answer(request->http, r, &err);
	else
		wf_control_apply_later(request->server->control, &documents, dry_run, confirm_ms,
				       on_applied, applied);
}

void wf_api_held_end(struct wf_server *server)
{
	struct wf_err err = WF_ERR_INIT;
	struct api_held *list, *held, *next;

	(void)wf_fail(&err, -EAGAIN, "weftd is stopping");
	/* what waits for an apply must not begin another one */
	list = TAKE_PTR(server->held);
	wf_control_apply_cancel(server->control);
	while (server->applied) {
		while (write_some(server->applied))
			;
		end_answer(server->applied);
	}
	DL_FOREACH_SAFE(list, held, next)
	{
		answer(held->http, err.code, &err);
		free(held);
	}
}
