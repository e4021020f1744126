/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server behind healthCheckNodePort: external load balancers ask each node whether it has
 * backends of its own. Answers as kube-proxy does (Kubernetes pkg/proxy/healthcheck).
 */
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "control/control_priv.h"

WF_LOG_MODULE(health);

/* Between attempts to open a port that another process has. */
#define RETRY_S 1

static void on_request(struct evhttp_request *request, void *context)
{
	const struct ctl_service *service = context;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();
	bool ok = service->local_ready > 0;
	char weight[24];

	(void)snprintf(weight, sizeof(weight), "%zu", service->local_ready);
	(void)evhttp_add_header(headers, "Content-Type", "application/json");
	(void)evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	(void)evhttp_add_header(headers, "X-Load-Balancing-Endpoint-Weight", weight);
	if (body)
		(void)evbuffer_add_printf(body,
					  "{\n\t\"service\": {\n\t\t\"namespace\": \"%s\",\n"
					  "\t\t\"name\": \"%s\"\n\t},\n\t\"localEndpoints\": %zu,\n"
					  "\t\"serviceProxyHealthy\": true\n}",
					  service->spec.meta.namespace, service->spec.meta.name,
					  service->local_ready);
	evhttp_send_reply(request, ok ? HTTP_OK : HTTP_SERVUNAVAIL, ok ? "OK" : "No local backend",
			  body);
	if (body)
		evbuffer_free(body);
}

void wf_ctl_health_server_free(struct ctl_service *service)
{
	if (service->health_server)
		evhttp_free(service->health_server);
	service->health_server = NULL;
	service->health_port = 0;
	if (service->health_retry)
		event_free(service->health_retry);
	service->health_retry = NULL;
}

bool wf_ctl_wants_health_server(const struct wf_service *spec)
{
	return wf_ctl_wants_health_port(spec) && !spec->foreign && spec->health_check_node_port;
}

/* 0, or -1 when the port is another's or there is no memory. */
static int open_server(struct ctl_service *service, struct event_base *loop)
{
	uint16_t port = service->spec.health_check_node_port;
	struct evhttp *server = evhttp_new(loop);

	if (!server)
		return -1;
	evhttp_set_gencb(server, on_request, service);
	evhttp_set_max_headers_size(server, 8192);
	evhttp_set_max_body_size(server, 0);
	evhttp_set_timeout(server, 5);
	/* the IPv6 wildcard socket of Linux takes IPv4 as well; hosts without IPv6 get the other */
	if (evhttp_bind_socket(server, "::", port) < 0 &&
	    evhttp_bind_socket(server, "0.0.0.0", port) < 0) {
		evhttp_free(server);
		return -1;
	}
	service->health_server = server;
	service->health_port = port;
	return 0;
}

/* Whoever had the port may be gone by now. */
static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct ctl_service *service = context;

	(void)fd;
	(void)what;
	if (open_server(service, event_get_base(service->health_retry)) < 0)
		return;
	wf_log_info("health check node port is open", "service=%s port=%u", service->key,
		    service->health_port);
	event_free(service->health_retry);
	service->health_retry = NULL;
}

void wf_ctl_health_server_sync(struct wf_control *control, struct ctl_service *service)
{
	const struct timeval wait = { .tv_sec = RETRY_S };
	const bool was_waiting = service->health_retry;
	const bool wanted = wf_ctl_wants_health_server(&service->spec);

	if (service->health_port == (wanted ? service->spec.health_check_node_port : 0) &&
	    !was_waiting)
		return;
	wf_ctl_health_server_free(service);
	if (!wanted || open_server(service, control->loop) == 0)
		return;
	if (!was_waiting)
		wf_log_error("health check node port cannot be opened", "service=%s port=%u",
			     service->key, service->spec.health_check_node_port);
	service->health_retry = event_new(control->loop, -1, EV_PERSIST, on_retry, service);
	if (service->health_retry)
		(void)event_add(service->health_retry, &wait);
}
