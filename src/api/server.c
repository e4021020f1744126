/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket, who may use it, and the way from a request to its handler. Peers are checked by
 * their credentials at every request: root, or a member of the configured group.
 */
#include "api/server.h"

#include <ctype.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/server_priv.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/document.h"

WF_LOG_MODULE(api);

#define BACKLOG          4096
#define IDLE_TIMEOUT_S   60
#define MAX_HEADER_BYTES 16384

void wf_api_answer_text(struct evhttp_request *http, int status, struct evbuffer *text)
{
	(void)evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type",
				"application/json");
	evhttp_send_reply(http, status, NULL, text);
}

void wf_api_answer_json(struct evhttp_request *http, int status, const json_t *value)
{
	char *text = value ? wf_json_text(value) : NULL;

	if (text)
		(void)evbuffer_add_printf(evhttp_request_get_output_buffer(http), "%s\n", text);
	wf_api_answer_text(http, text ? status : 500, NULL);
	free(text);
}

/* "Network/blue" is told as "network/blue": one spelling, whoever found the fault. */
static void add_object(json_t *fault, const char *object)
{
	char lower[sizeof(((struct wf_err *)NULL)->object)];
	size_t kind = strcspn(object, "/");

	(void)snprintf(lower, sizeof(lower), "%s", object);
	for (size_t i = 0; i < kind && i < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)lower[i]);
	(void)wf_json_set_str(fault, "object", lower);
}

void wf_api_answer_error(struct evhttp_request *http, int code, const struct wf_err *err)
{
	const struct wf_err_map *map = wf_err_map(code);
	json_t *fault = json_pack("{s:s, s:s, s:b}", "code", map->name, "message",
				  err->message[0] ? err->message : strerror(-code), "retryable",
				  map->cni_code == 11);
	_cleanup_json_ json_t *body = NULL;

	add_object(fault, err->object);
	(void)wf_json_set_str(fault, "field", err->field);
	if (err->document >= 0)
		(void)wf_json_set(fault, "document", json_integer(err->document));
	body = json_pack("{s:o}", "error", fault);
	wf_api_answer_json(http, map->http_status, body);
}

const char *wf_api_query(const struct api_request *request, const char *key)
{
	return evhttp_find_header(&request->query, key);
}

bool wf_api_query_is_true(const struct api_request *request, const char *key)
{
	const char *value = wf_api_query(request, key);

	return value && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

static bool may_use(const struct wf_server *server, struct evhttp_request *http,
		    struct wf_control_actor *ret_actor)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct bufferevent *buffer = evhttp_connection_get_bufferevent(connection);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(bufferevent_getfd(buffer), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	*ret_actor = (struct wf_control_actor){ .uid = peer.uid, .pid = peer.pid };
	/* with a group the mode of the socket has let only its members through */
	return peer.uid == 0 || peer.uid == geteuid() || server->has_group;
}

/* A percent-decoded copy; NULL when out of memory. */
static char *decode(const char *text, size_t len)
{
	_cleanup_free_ char *raw = strndup(text, len);

	return raw ? evhttp_uridecode(raw, 0, NULL) : NULL;
}

/* Matches a pattern of the route table against a path; captures what stands for each star. */
static bool route_matches(const char *pattern, const char *path, char *segments[3])
{
	size_t captured = 0;

	while (*pattern) {
		const char *end;
		size_t len;

		if (*pattern != '*') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		end = strchrnul(path, '/');
		len = (size_t)(end - path);
		if (len == 0 || captured == 3)
			return false;
		free(segments[captured]);
		segments[captured] = decode(path, len);
		if (!segments[captured])
			return false;
		captured++;
		path = end;
		pattern++;
	}
	return *path == '\0';
}

static int read_body(struct evhttp_request *http, json_t **ret_body, struct wf_err *err)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(in);
	const char *text;

	if (len == 0)
		return 0;
	text = (const char *)evbuffer_pullup(in, -1);
	return wf_json_parse(text, len, ret_body, err);
}

static void run_handler(struct api_request *request, const struct api_route *route)
{
	_cleanup_json_ json_t *body = NULL;
	_cleanup_json_ json_t *answer = NULL;
	struct wf_err err = WF_ERR_INIT;
	int r;

	if (wf_api_hold(request, route->hold, NULL))
		return;
	r = route->reads_body ? 0 : read_body(request->http, &body, &err);
	if (r == 0 && wf_api_hold(request, route->hold, body))
		return;
	request->body = body;
	request->status = HTTP_OK;
	if (r == 0)
		r = route->handler(request, &answer, &err);
	if (request->is_taken)
		return;
	if (r < 0)
		wf_api_answer_error(request->http, r, &err);
	else if (!request->is_attach || !wf_api_wait(request, answer))
		wf_api_answer_json(request->http, request->status, answer);
}

static void dispatch(struct api_request *request, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request->http);
	struct wf_err err = WF_ERR_INIT;
	bool path_known = false;

	for (const struct api_route *route = wf_api_routes; route->path; route++) {
		if (!route_matches(route->path, path, request->segments))
			continue;
		path_known = true;
		if (route->method != method)
			continue;
		if (route->handler)
			run_handler(request, route);
		else
			route->stream(request);
		return;
	}
	(void)wf_fail(&err, path_known ? -EOPNOTSUPP : -ENOENT,
		      path_known ? "%s does not take this method"
				 : "there is no %s; see docs/api.md",
		      path);
	wf_api_answer_error(request->http, err.code, &err);
}

void wf_api_on_request(struct evhttp_request *http, void *context)
{
	struct api_request request = { .server = context, .http = http };
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct wf_control_actor actor;
	struct wf_err err = WF_ERR_INIT;

	if (!may_use(context, http, &actor)) {
		(void)wf_fail(&err, -EACCES, "only root and the configured group may use weftd");
		wf_api_answer_error(http, err.code, &err);
		return;
	}
	(void)evhttp_parse_query_str(query ? query : "", &request.query);
	wf_control_actor_set(request.server->control, &actor);
	dispatch(&request, path ? path : "/");
	wf_control_actor_set(request.server->control, NULL);
	evhttp_clear_headers(&request.query);
	for (size_t i = 0; i < WF_ARRAY_LEN(request.segments); i++)
		free(request.segments[i]);
}

/* A path that somebody listens on belongs to them; one that nobody does is a leftover. */
static int remove_stale(const struct sockaddr_un *address, struct wf_err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return wf_fail(err, -EBUSY, "another process serves %s", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return wf_fail(err, -errno, "cannot remove the old socket %s: %s",
			       address->sun_path, strerror(errno));
	return 0;
}

static int bind_socket(struct wf_server *server, int *ret_fd, struct wf_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t before;
	int r;

	if (wf_str_copy(address.sun_path, sizeof(address.sun_path), server->socket_path) < 0)
		return wf_fail(err, -EMSGSIZE,
			       "socket path %s is longer than the %zu bytes a unix socket can have",
			       server->socket_path, sizeof(address.sun_path) - 1);
	r = remove_stale(&address, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot create a socket: %s", strerror(errno));
	before = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	(void)umask(before);
	if (r < 0 || listen(fd, BACKLOG) < 0)
		return wf_fail(err, -errno, "cannot listen on %s: %s", server->socket_path,
			       strerror(errno));
	if (server->has_group && (chown(server->socket_path, (uid_t)-1, server->group) < 0 ||
				  chmod(server->socket_path, 0660) < 0))
		return wf_fail(err, -errno, "cannot give %s to its group: %s", server->socket_path,
			       strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int find_group(struct wf_server *server, const char *name, struct wf_err *err)
{
	const struct group *group;

	if (!name || !*name)
		return 0;
	group = getgrnam(name);
	if (!group)
		return wf_fail_field(err, -EINVAL, "group", "the host has no group %s", name);
	server->group = group->gr_gid;
	server->has_group = true;
	return 0;
}

static int start(struct wf_server *server, struct wf_err *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	r = find_group(server, server->config.group, err);
	if (r == 0)
		r = bind_socket(server, &fd, err);
	if (r < 0)
		return r;
	server->http = evhttp_new(server->loop);
	if (!server->http || evhttp_accept_socket(server->http, fd) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the API");
	fd = -1;
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST |
							 EVHTTP_REQ_DELETE | EVHTTP_REQ_PUT);
	evhttp_set_max_body_size(server->http, WF_DOCUMENT_MAX_FILE_BYTES);
	evhttp_set_max_headers_size(server->http, MAX_HEADER_BYTES);
	evhttp_set_timeout(server->http, IDLE_TIMEOUT_S);
	evhttp_set_gencb(server->http, wf_api_on_request, server);
	return 0;
}

int wf_server_new(struct wf_server **ret_server, const struct wf_server_config *config,
		  struct wf_control *control, struct event_base *loop, struct wf_err *err)
{
	_cleanup_(wf_server_free) struct wf_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return wf_fail(err, -ENOMEM, "out of memory for the API");
	server->config = *config;
	server->control = control;
	server->loop = loop;
	server->socket_path = strdup(config->socket_path);
	if (!server->socket_path)
		return wf_fail(err, -ENOMEM, "out of memory for the API");
	r = start(server, err);
	if (r < 0)
		return r;
	wf_log_debug("serving", "socket=%s", server->socket_path);
	*ret_server = TAKE_PTR(server);
	return 0;
}

void wf_server_free(struct wf_server **server)
{
	if (!*server)
		return;
	wf_api_observers_end(*server);
	wf_api_held_end(*server);
	wf_api_waits_end(*server);
	if ((*server)->http) {
		evhttp_free((*server)->http);
		(void)unlink((*server)->socket_path);
	}
	free((*server)->socket_path);
	free(*server);
	*server = NULL;
}
