/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the API server. */
#ifndef WEFT_API_SERVER_PRIV_H
#define WEFT_API_SERVER_PRIV_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "api/server.h"
#include "base/json.h"
#include "base/str.h"

struct api_observer;
struct api_waiting;
struct api_held;

struct wf_server {
	struct wf_server_config config;
	struct wf_control *control;
	struct event_base *loop;
	struct evhttp *http;
	char *socket_path; /* owned */
	gid_t group;
	bool has_group;
	struct api_observer *observers;
	struct api_waiting
		*waiting;      /* answers of attaches that other nodes have to know of first */
	struct api_held *held; /* requests that wait for the end of an apply */
	struct api_applied *applied; /* long answers that are being written */
};

/* One request on its way through a handler. */
struct api_request {
	struct wf_server *server;
	struct evhttp_request *http;
	struct evkeyvalq query;
	char *segments[3];  /* decoded path segments that the route captures; owned */
	const json_t *body; /* borrowed; NULL when the request has none */
	int status;         /* of the answer; a handler may change it from 200 */
	bool is_attach;     /* the answer, if it is one, waits until other nodes know */
	bool is_taken;      /* the handler answers itself, now or later */
};

/* A handler sets *ret_answer (new reference) or fails. */
typedef int (*api_handler)(struct api_request *request, json_t **ret_answer, struct wf_err *err);

/* Who waits until an apply that is under way has ended. */
enum api_hold {
	API_HOLD_NEVER,
	API_HOLD_ATTACH, /* who attaches to a network that it concerns */
	API_HOLD_CHANGE, /* who changes documents */
};

/* One row; a star in the path captures one segment. */
struct api_route {
	enum evhttp_cmd_type method;
	enum api_hold hold;
	const char *path;
	api_handler handler; /* NULL: the request is answered by stream instead */
	void (*stream)(struct api_request *request);
	bool reads_body; /* the handler does it itself */
};

extern const struct api_route wf_api_routes[]; /* ends with path NULL */

/* Query parameter as text, NULL when absent. Borrowed. */
const char *wf_api_query(const struct api_request *request, const char *key);
bool wf_api_query_is_true(const struct api_request *request, const char *key);

/* The answer is this text, which is moved. */
void wf_api_answer_text(struct evhttp_request *http, int status, struct evbuffer *text);
void wf_api_answer_json(struct evhttp_request *http, int status, const json_t *value);
void wf_api_answer_error(struct evhttp_request *http, int code, const struct wf_err *err);

/* wait.c: whether the answer of an attach is sent later, when other nodes know of it. */
bool wf_api_wait(struct api_request *request, json_t *answer);
/* Sends what waits now. */
void wf_api_waits_end(struct wf_server *server);

/* body.c: the documents of a request's body, {"documents": [..]}, which are read as they are asked for. */
int wf_api_body_documents(struct evhttp_request *http, struct wf_control_documents *ret_documents,
			  struct wf_err *err);

/* hold.c: whether a request has to wait until an apply has ended; body: what is known of it. */
bool wf_api_hold(struct api_request *request, enum api_hold hold, const json_t *body);
/* Applies what the body has, and answers when that is done. */
void wf_api_apply(struct api_request *request, bool dry_run, uint64_t confirm_ms);
/* Ends what is under way, and answers those who wait for it. */
void wf_api_held_end(struct wf_server *server);
/* server.c: what libevent calls with each request; context: the server. */
void wf_api_on_request(struct evhttp_request *http, void *context);

/* observe.c and metrics: answers that are not one JSON value. */
void wf_api_observe(struct api_request *request);
void wf_api_metrics(struct api_request *request);
void wf_api_observers_end(struct wf_server *server);

#endif
