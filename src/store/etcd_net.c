/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_net.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_EVENTS 16

/* A dead peer is noticed by the kernel after about 20 s without an answer. */
#define KEEPALIVE_IDLE_S     10L
#define KEEPALIVE_INTERVAL_S 5L

static void set_timer(struct wf_etcd_net *net)
{
	uint64_t due_ms =
		net->curl_due_ms < net->owner_due_ms ? net->curl_due_ms : net->owner_due_ms;
	struct itimerspec when = { 0 };

	if (due_ms == net->armed_ms)
		return;
	net->armed_ms = due_ms;
	if (due_ms != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(due_ms / 1000);
		when.it_value.tv_nsec = (long)(due_ms % 1000 * 1000000);
		if (due_ms == 0)
			when.it_value.tv_nsec = 1;
	}
	(void)timerfd_settime(net->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void wf_etcd_net_wake_at(struct wf_etcd_net *net, uint64_t due_ms)
{
	net->owner_due_ms = due_ms;
	set_timer(net);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct wf_etcd_net *net = context;

	net->curl_due_ms =
		timeout_ms < 0 ? UINT64_MAX : wf_clock_monotonic_ms() + (uint64_t)timeout_ms;
	set_timer(net);
	return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
	const struct wf_etcd_net *net = context;
	struct epoll_event event = { .data.fd = fd };

	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(net->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(net->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
		(void)epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static void finish(struct wf_etcd_call *call, CURLcode result)
{
	struct wf_etcd_net *net = call->net;
	struct wf_etcd_call **link = &net->calls;
	curl_off_t began_us = 0;

	while (*link && *link != call)
		link = &(*link)->next;
	if (*link)
		*link = call->next;
	call->is_done = true;
	call->result = result;
	(void)wf_late.curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &call->status);
	(void)wf_late.curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &call->os_error);
	(void)wf_late.curl_easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &began_us);
	call->was_sent = began_us > 0;
	(void)wf_late.curl_multi_remove_handle(net->multi, call->easy);
}

static void count(struct wf_etcd_net *net, const struct wf_etcd_call *call)
{
	net->requests++;
	net->failures += call->result != CURLE_OK || call->status != 200;
	if (call->timeout_ms)
		net->request_ns += wf_clock_monotonic_ns() - call->started_ns;
}

static void collect(struct wf_etcd_net *net)
{
	CURLMsg *message;
	int left;

	while ((message = wf_late.curl_multi_info_read(net->multi, &left))) {
		struct wf_etcd_call *call = net->calls;

		while (call && call->easy != message->easy_handle)
			call = call->next;
		if (!call || message->msg != CURLMSG_DONE)
			continue;
		finish(call, message->data.result);
		count(net, call);
	}
}

static int curl_mask(uint32_t events)
{
	int mask = 0;

	if (events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	return mask;
}

void wf_etcd_net_step(struct wf_etcd_net *net, uint64_t timeout_ms)
{
	struct epoll_event events[MAX_EVENTS];
	int running;
	int ready = epoll_wait(net->epoll_fd, events, MAX_EVENTS,
			       timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);

	for (int i = 0; i < ready; i++) {
		uint64_t ticks;

		if (events[i].data.fd == net->timer_fd) {
			(void)!read(net->timer_fd, &ticks, sizeof(ticks));
			net->armed_ms = UINT64_MAX;
			continue;
		}
		(void)wf_late.curl_multi_socket_action(net->multi, events[i].data.fd,
						       curl_mask(events[i].events), &running);
	}
	if (net->curl_due_ms <= wf_clock_monotonic_ms()) {
		net->curl_due_ms = UINT64_MAX;
		(void)wf_late.curl_multi_socket_action(net->multi, CURL_SOCKET_TIMEOUT, 0,
						       &running);
	}
	collect(net);
	set_timer(net);
}

void wf_etcd_net_rotate(struct wf_etcd_net *net)
{
	net->current = (net->current + 1) % net->endpoint_count;
}

const char *wf_etcd_net_endpoint(const struct wf_etcd_net *net)
{
	return net->endpoints[net->current];
}

const char *wf_etcd_call_endpoint(const struct wf_etcd_call *call)
{
	return call->net->endpoints[call->endpoint];
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
	struct wf_etcd_call *call = context;
	size_t len = size * count;

	if (call->received.len + len > WF_ETCD_MAX_ANSWER_BYTES) {
		call->is_too_large = true;
		return 0;
	}
	wf_str_add_bytes(&call->received, bytes, len);
	return call->received.failed ? 0 : len;
}

static void set_tls(const struct wf_etcd_net *net, CURL *easy)
{
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (net->tls.ca) {
		(void)wf_late.curl_easy_setopt(easy, CURLOPT_CAINFO, net->tls.ca);
		(void)wf_late.curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (net->tls.cert)
		(void)wf_late.curl_easy_setopt(easy, CURLOPT_SSLCERT, net->tls.cert);
	if (net->tls.key)
		(void)wf_late.curl_easy_setopt(easy, CURLOPT_SSLKEY, net->tls.key);
}

static void set_options(struct wf_etcd_call *call, const char *url, size_t len)
{
	const struct wf_etcd_net *net = call->net;
	CURL *easy = call->easy;

	(void)wf_late.curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_HTTPHEADER, net->headers);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
				       (long)net->connect_timeout_ms);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	(void)wf_late.curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	set_tls(net, easy);
}

int wf_etcd_call_start(struct wf_etcd_net *net, const char *path, struct wf_str *body,
		       uint64_t timeout_ms, struct wf_etcd_call **ret_call, struct wf_err *err)
{
	struct wf_etcd_call *call = calloc(1, sizeof(*call));
	_cleanup_free_ char *url = NULL;
	size_t len = body->len;

	if (!call || body->failed)
		goto err_free;
	*call = (struct wf_etcd_call){ .net = net,
				       .endpoint = net->current,
				       .timeout_ms = timeout_ms,
				       .started_ns = wf_clock_monotonic_ns() };
	call->body = TAKE_PTR(body->data);
	wf_str_done(body);
	call->easy = wf_late.curl_easy_init();
	if (!call->easy || asprintf(&url, "%s/v3/%s", wf_etcd_net_endpoint(net), path) < 0)
		goto err_free;
	set_options(call, url, len);
	if (wf_late.curl_multi_add_handle(net->multi, call->easy) != CURLM_OK)
		goto err_free;
	call->next = net->calls;
	net->calls = call;
	*ret_call = call;
	return 0;

err_free:
	wf_str_done(body);
	if (call) {
		wf_late.curl_easy_cleanup(call->easy);
		free(call->body);
		free(call);
	}
	return wf_fail(err, -ENOMEM, "out of memory asking etcd");
}

void wf_etcd_call_free(struct wf_etcd_call **call)
{
	struct wf_etcd_call *ended = TAKE_PTR(*call);

	if (!ended)
		return;
	if (!ended->is_done)
		finish(ended, CURLE_ABORTED_BY_CALLBACK);
	wf_late.curl_easy_cleanup(ended->easy);
	wf_str_done(&ended->received);
	free(ended->body);
	free(ended);
}

int wf_etcd_net_ask(struct wf_etcd_net *net, const char *path, struct wf_str *body,
		    uint64_t timeout_ms, struct wf_etcd_answer *ret_answer, struct wf_err *err)
{
	_cleanup_(wf_etcd_call_free) struct wf_etcd_call *call = NULL;
	int r = wf_etcd_call_start(net, path, body, timeout_ms, &call, err);

	*ret_answer = (struct wf_etcd_answer){ 0 };
	if (r < 0)
		return r;
	while (!call->is_done)
		wf_etcd_net_step(net, timeout_ms);
	return wf_etcd_call_answer(call, ret_answer, err);
}

static int copy_endpoints(struct wf_etcd_net *net, const char *const *endpoints, size_t count)
{
	net->endpoints = calloc(count, sizeof(char *));
	if (!net->endpoints)
		return -ENOMEM;
	for (; net->endpoint_count < count; net->endpoint_count++) {
		net->endpoints[net->endpoint_count] = strdup(endpoints[net->endpoint_count]);
		if (!net->endpoints[net->endpoint_count])
			return -ENOMEM;
	}
	return 0;
}

static int copy_path(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int add_header(struct wf_etcd_net *net, const char *text)
{
	struct curl_slist *grown = wf_late.curl_slist_append(net->headers, text);

	if (!grown)
		return -ENOMEM;
	net->headers = grown;
	return 0;
}

static int open_curl(struct wf_etcd_net *net)
{
	static bool is_ready;

	if (!is_ready && wf_late.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	is_ready = true;
	net->multi = wf_late.curl_multi_init();
	if (!net->multi)
		return -ENOMEM;
	(void)wf_late.curl_multi_setopt(net->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	(void)wf_late.curl_multi_setopt(net->multi, CURLMOPT_SOCKETDATA, net);
	(void)wf_late.curl_multi_setopt(net->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	(void)wf_late.curl_multi_setopt(net->multi, CURLMOPT_TIMERDATA, net);
	/* a watch ends when its member has lost the others, instead of falling silent */
	if (add_header(net, "Content-Type: application/json") < 0 ||
	    add_header(net, "Expect:") < 0 || add_header(net, "Grpc-Metadata-hasleader: true") < 0)
		return -ENOMEM;
	return 0;
}

int wf_etcd_net_init(struct wf_etcd_net *ret_net, const char *const *endpoints, size_t count,
		     const struct wf_etcd_tls *tls, uint64_t connect_timeout_ms, struct wf_err *err)
{
	struct wf_etcd_net *net = ret_net;
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	*net = (struct wf_etcd_net){ .epoll_fd = -1,
				     .timer_fd = -1,
				     .curl_due_ms = UINT64_MAX,
				     .owner_due_ms = UINT64_MAX,
				     .armed_ms = UINT64_MAX,
				     .connect_timeout_ms = connect_timeout_ms };
	r = wf_late_load(err);
	if (r < 0)
		return r;
	if (copy_endpoints(net, endpoints, count) < 0 || copy_path(&net->tls.ca, tls->ca) < 0 ||
	    copy_path(&net->tls.cert, tls->cert) < 0 || copy_path(&net->tls.key, tls->key) < 0 ||
	    open_curl(net) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the connection to etcd");
	net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	net->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	event.data.fd = net->timer_fd;
	if (net->epoll_fd < 0 || net->timer_fd < 0 ||
	    epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, net->timer_fd, &event) < 0)
		return wf_fail(err, -errno, "no descriptors for the connection to etcd: %s",
			       strerror(errno));
	return 0;
}

void wf_etcd_net_done(struct wf_etcd_net *net)
{
	if (net->multi)
		(void)wf_late.curl_multi_cleanup(net->multi);
	if (net->headers)
		wf_late.curl_slist_free_all(net->headers);
	if (net->epoll_fd >= 0)
		(void)close(net->epoll_fd);
	if (net->timer_fd >= 0)
		(void)close(net->timer_fd);
	for (size_t i = 0; i < net->endpoint_count; i++)
		free(net->endpoints[i]);
	free(net->endpoints);
	free(net->tls.ca);
	free(net->tls.cert);
	free(net->tls.key);
}
