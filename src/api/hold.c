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

struct api_held {
	struct evhttp_request *http;
	struct api_held *prev, *next;
};

struct applying {
	struct wf_server *server;
	struct evhttp_request *http;
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

static void on_applied(int result, json_t *results, const struct wf_err *err, void *context)
{
	struct applying *applying = context;
	struct evhttp_request *http = applying->http;
	struct wf_err copy = *err;
	_cleanup_json_ json_t *value = results ? json_pack("{s:O}", "results", results) : NULL;

	if (result < 0)
		answer(http, result, &copy);
	else
		wf_api_answer_json(http, HTTP_OK, value);
	resume(applying->server);
	free(applying);
}

void wf_api_apply(struct api_request *request, const json_t *documents, bool dry_run,
		  uint64_t confirm_ms)
{
	struct applying *applying = calloc(1, sizeof(*applying));
	struct wf_err err = WF_ERR_INIT;

	request->is_taken = true;
	if (!applying) {
		answer(request->http, wf_fail(&err, -ENOMEM, "out of memory"), &err);
		return;
	}
	*applying = (struct applying){ .server = request->server, .http = request->http };
	wf_control_apply_later(request->server->control, documents, dry_run, confirm_ms, on_applied,
			       applying);
}

void wf_api_held_end(struct wf_server *server)
{
	struct wf_err err = WF_ERR_INIT;
	struct api_held *list, *held, *next;

	(void)wf_fail(&err, -EAGAIN, "weftd is stopping");
	/* what waits for an apply must not begin another one */
	list = TAKE_PTR(server->held);
	wf_control_apply_cancel(server->control);
	DL_FOREACH_SAFE(list, held, next)
	{
		answer(held->http, err.code, &err);
		free(held);
	}
}
