/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of attaches, held back until other nodes know of the endpoint. Nobody else waits. A request
 * that was not answered yet outlives its connection (libevent's `userdone`); its answer then goes nowhere.
 */
#include <stdlib.h>

#include <utlist.h>

#include "api/server_priv.h"
#include "base/json.h"
#include "base/mem.h"

struct api_waiting {
	struct wf_server *server;
	struct evhttp_request *http; /* NULL: was answered */
	json_t *answer;              /* a reference */
	int status;
	struct api_waiting *prev, *next;
};

static void reply(struct api_waiting *waiting)
{
	struct evhttp_request *http = TAKE_PTR(waiting->http);

	DL_DELETE(waiting->server->waiting, waiting);
	wf_api_answer_json(http, waiting->status, waiting->answer);
}

static void on_known(void *context)
{
	struct api_waiting *waiting = context;

	if (waiting->http)
		reply(waiting);
	json_decref(waiting->answer);
	free(waiting);
}

bool wf_api_wait(struct api_request *request, json_t *answer)
{
	struct api_waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting ||
	    !wf_control_when_known(request->server->control, answer, on_known, waiting)) {
		free(waiting);
		return false;
	}
	*waiting = (struct api_waiting){ .server = request->server,
					 .http = request->http,
					 .answer = json_incref(answer),
					 .status = request->status };
	DL_APPEND(request->server->waiting, waiting);
	return true;
}

/* What is left of them is freed when control calls on_known(). */
void wf_api_waits_end(struct wf_server *server)
{
	while (server->waiting)
		reply(server->waiting);
}
