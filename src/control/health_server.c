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
}

bool wf_ctl_wants_health_server(const struct wf_service *spec)
{
	return spec->type == WF_SERVICE_LOAD_BALANCER && spec->external_local && !spec->foreign &&
	       spec->health_check_node_port;
}

void wf_ctl_health_server_sync(struct wf_control *control, struct ctl_service *service)
{
	uint16_t port = wf_ctl_wants_health_server(&service->spec)
				? service->spec.health_check_node_port
				: 0;

	if (port == service->health_port)
		return;
	wf_ctl_health_server_free(service);
	if (!port)
		return;
	service->health_server = evhttp_new(control->loop);
	if (!service->health_server)
		return;
	evhttp_set_gencb(service->health_server, on_request, service);
	evhttp_set_max_headers_size(service->health_server, 8192);
	evhttp_set_max_body_size(service->health_server, 0);
	evhttp_set_timeout(service->health_server, 5);
	/* the IPv6 wildcard socket of Linux takes IPv4 as well; hosts without IPv6 get the other */
	if (evhttp_bind_socket(service->health_server, "::", port) < 0 &&
	    evhttp_bind_socket(service->health_server, "0.0.0.0", port) < 0) {
		wf_log_error("health check node port cannot be opened", "service=%s port=%u",
			     service->key, port);
		wf_ctl_health_server_free(service);
		return;
	}
	service->health_port = port;
}
