/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft's own health checks, for services whose backends no orchestrator watches: a TCP connection
 * or an HTTP GET to each backend, at the service's interval. Two failures in a row make a backend
 * unhealthy, one success healthy. Nothing blocks: one event per check in flight.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/sockaddr.h"
#include "control/control_priv.h"

WF_LOG_MODULE(check);

#define FAILURES_TO_LEAVE 2
#define ANSWER_BYTES      16

/* The check of one backend. */
struct ctl_check {
	struct wf_control *control;
	struct ctl_service *service;
	struct wf_addr addr;
	uint16_t port; /* the backend's, by which it is known */
	unsigned int failures;
	bool healthy;
	bool keep;                      /* while checks are compared with backends */
	struct bufferevent *connection; /* in flight */
	struct event *timer;
	struct ctl_check *next;
};

static void check_free(struct ctl_check *check)
{
	if (check->connection)
		bufferevent_free(check->connection);
	if (check->timer)
		event_free(check->timer);
	free(check);
}

static void wait_for_next(struct ctl_check *check)
{
	const struct timeval wait = wf_ctl_timeval(check->service->spec.check.interval_ms);

	(void)evtimer_add(check->timer, &wait);
}

static void settle(struct ctl_check *check, bool ok)
{
	bool before = check->healthy;
	char text[WF_ADDR_TEXT];

	bufferevent_free(check->connection);
	check->connection = NULL;
	check->failures = ok ? 0 : check->failures + 1;
	check->healthy = ok || (check->healthy && check->failures < FAILURES_TO_LEAVE);
	wait_for_next(check);
	if (check->healthy == before)
		return;
	wf_log_info(check->healthy ? "backend is healthy" : "backend is unhealthy",
		    "service=%s backend=%s port=%u", check->service->key,
		    wf_addr_format(&check->addr, text), check->port);
	/* by the timer: the service is not resolved in the middle of its own check */
	wf_ctl_service_touch(check->control, check->service);
	event_active(check->control->lb.flush_timer, EV_TIMEOUT, 0);
}

static void on_answer(struct bufferevent *connection, void *context)
{
	struct ctl_check *check = context;
	char text[ANSWER_BYTES + 1] = "";
	int status = 0;

	if (evbuffer_get_length(bufferevent_get_input(connection)) < ANSWER_BYTES - 3)
		return;
	(void)evbuffer_copyout(bufferevent_get_input(connection), text, ANSWER_BYTES);
	(void)sscanf(text, "HTTP/1.%*1[01] %3d", &status);
	settle(check, status >= 200 && status < 400);
}

static void ask(struct ctl_check *check)
{
	char text[WF_ADDR_TEXT];

	(void)evbuffer_add_printf(
		bufferevent_get_output(check->connection),
		"GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: weft-health/" WEFT_VERSION
		"\r\nConnection: close\r\n\r\n",
		check->service->spec.check.path, wf_addr_format(&check->addr, text));
	bufferevent_setwatermark(check->connection, EV_READ, ANSWER_BYTES - 3, 4096);
	(void)bufferevent_enable(check->connection, EV_READ);
}

static void on_state(struct bufferevent *connection, short what, void *context)
{
	struct ctl_check *check = context;

	if (!(what & BEV_EVENT_CONNECTED))
		settle(check, false);
	else if (check->service->spec.check.type == WF_CHECK_TCP)
		settle(check, true);
	else
		ask(check);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct ctl_check *check = context;
	const struct wf_service_check *wanted = &check->service->spec.check;
	const struct timeval limit = { .tv_sec = 1 };
	union wf_sockaddr to;
	socklen_t len =
		wf_sockaddr_set(&to, &check->addr, wanted->port ? wanted->port : check->port);

	(void)fd;
	(void)what;
	check->connection = bufferevent_socket_new(check->control->loop, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!check->connection) {
		wait_for_next(check);
		return;
	}
	bufferevent_setcb(check->connection, wanted->type == WF_CHECK_HTTP ? on_answer : NULL, NULL,
			  on_state, check);
	(void)bufferevent_set_timeouts(check->connection, &limit, &limit);
	/* a failure at once is told through on_state, which may have ended the check by now */
	if (bufferevent_socket_connect(check->connection, &to.any, (int)len) < 0 &&
	    check->connection)
		settle(check, false);
}

static struct ctl_check *check_find(const struct ctl_service *service, const struct wf_addr *addr,
				    uint16_t port)
{
	for (struct ctl_check *check = service->checks; check; check = check->next)
		if (check->port == port && wf_addr_equal(&check->addr, addr))
			return check;
	return NULL;
}

static void check_start(struct wf_control *control, struct ctl_service *service,
			const struct wf_lb_backend *backend)
{
	const struct timeval soon = { .tv_usec = 1000 };
	struct ctl_check *check = calloc(1, sizeof(*check));

	if (!check)
		return;
	*check = (struct ctl_check){ .control = control,
				     .service = service,
				     .addr = backend->addr,
				     .port = backend->port,
				     .healthy = true,
				     .keep = true };
	check->timer = evtimer_new(control->loop, on_timer, check);
	if (!check->timer || evtimer_add(check->timer, &soon) < 0) {
		check_free(check);
		return;
	}
	check->next = service->checks;
	service->checks = check;
}

static void mark(struct wf_control *control, struct ctl_service *service)
{
	for (size_t p = 0; p < service->ports.count; p++) {
		const struct wf_lb_port *port = &service->ports.items[p];

		if (port->proto != IPPROTO_TCP && !service->spec.check.port)
			continue;
		for (size_t i = 0; i < port->backend_count; i++) {
			struct ctl_check *check = check_find(service, &port->backends[i].addr,
							     port->backends[i].port);

			if (check)
				check->keep = true;
			else
				check_start(control, service, &port->backends[i]);
		}
	}
}

void wf_ctl_checks_sync(struct wf_control *control, struct ctl_service *service)
{
	struct ctl_check **at = &service->checks;

	for (struct ctl_check *check = service->checks; check; check = check->next)
		check->keep = false;
	if (service->spec.check.type != WF_CHECK_NONE)
		mark(control, service);
	while (*at) {
		struct ctl_check *check = *at;

		if (check->keep) {
			at = &check->next;
			continue;
		}
		*at = check->next;
		check_free(check);
	}
}

bool wf_ctl_check_is_healthy(const struct ctl_service *service, const struct wf_addr *addr,
			     uint16_t port)
{
	const struct ctl_check *check = check_find(service, addr, port);

	return !check || check->healthy;
}

void wf_ctl_checks_free(struct ctl_service *service)
{
	while (service->checks) {
		struct ctl_check *check = service->checks;

		service->checks = check->next;
		check_free(check);
	}
}
