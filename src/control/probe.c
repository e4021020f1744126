/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo requests to the other nodes, at the addresses where their tunnels end. A node has its own
 * timer, so that many are asked one after the other; with none there is no timer and no socket.
 * What comes of it is told and takes no part in any decision: a firewall that drops echo requests
 * must not cost a backend.
 */
#include "control/probe.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "net/echo.h"
#include "net/path.h"

WF_LOG_MODULE(probe);

/* A node that becomes known is asked within this time for each one that is known, at first. */
#define SPREAD_MS 10ULL

struct ctl_probe {
	struct wf_control *control;
	struct ctl_node *node;
	struct event *timer; /* owned */
	struct wf_path path;
	bool is_told_unreachable;
	uint32_t told_mtu; /* 0: that of the device, or nothing yet */
	uint32_t limit;    /* that the datapath has; 0: none */
};

static uint64_t interval_ms(const struct wf_control *control)
{
	return control->config.node_probe_ms;
}

/* ---- what is told ------------------------------------------------------------------------- */

static void tell_state(struct ctl_probe *probe)
{
	enum wf_path_state state = wf_path_state(&probe->path);
	char text[WF_ADDR_TEXT];

	if (state == WF_PATH_UNKNOWN ||
	    (state == WF_PATH_UNREACHABLE) == probe->is_told_unreachable)
		return;
	probe->is_told_unreachable = state == WF_PATH_UNREACHABLE;
	(void)wf_addr_format(&probe->node->underlay, text);
	if (!probe->is_told_unreachable)
		wf_log_info("node answers echo requests again", "node=%s address=%s",
			    probe->node->name, text);
	else if (probe->node->is_alive)
		wf_log_warning_rl("node is alive but answers no echo requests",
				  "node=%s address=%s", probe->node->name, text);
	else
		wf_log_info("node answers no echo requests", "node=%s address=%s",
			    probe->node->name, text);
}

static void tell_mtu(struct ctl_probe *probe)
{
	const struct wf_path *path = &probe->path;
	uint32_t small = path->mtu < path->device_mtu ? path->mtu : 0;

	if (!path->mtu || path->is_searching || small == probe->told_mtu)
		return;
	probe->told_mtu = small;
	if (small)
		wf_log_warning_rl("packets to a node may not be as large as this node's device "
				  "sends them",
				  "node=%s pathMtu=%u deviceMtu=%u", probe->node->name, small,
				  path->device_mtu);
	else
		wf_log_info("packets to a node may be as large as the device sends them",
			    "node=%s pathMtu=%u", probe->node->name, path->mtu);
}

/* What is too large from now on is answered by the datapath. */
static void program_limit(struct ctl_probe *probe)
{
	struct wf_err fault = WF_ERR_INIT;
	const uint32_t limit = wf_path_limit(&probe->path);

	if (limit == probe->limit)
		return;
	probe->limit = limit;
	if (wf_ctl_node_write(probe->control, probe->node, &fault) < 0)
		wf_log_warning_rl("containers are not told how large their packets may be",
				  "node=%s pathMtu=%u error=\"%s\"", probe->node->name, limit,
				  fault.message);
	if (wf_ctl_is_sealed(probe->control, probe->node))
		wf_ctl_encrypt_touch(probe->control);
}

static void tell(struct ctl_probe *probe)
{
	tell_state(probe);
	tell_mtu(probe);
	program_limit(probe);
}

/* ---- answers ------------------------------------------------------------------------------ */

static struct ctl_probe *probe_of(struct wf_control *control, const struct wf_echo_news *news)
{
	const struct ctl_node *node;

	if (news->what == WF_ECHO_ANSWER) {
		node = news->tag < WF_MAX_NODES ? control->cluster.by_number[news->tag] : NULL;
		if (node && !wf_addr_equal(&node->underlay, &news->peer))
			node = NULL;
		return node ? node->probe : NULL;
	}
	/* routers quote too little for more than a look at all of them */
	node = wf_ctl_node_at(control, "", &news->peer);
	return node ? node->probe : NULL;
}

static void take_news(struct wf_control *control, struct wf_echo *echo)
{
	struct wf_echo_news news;

	while (wf_echo_receive(echo, &news) == 1) {
		struct ctl_probe *probe = probe_of(control, &news);

		if (!probe)
			continue;
		if (news.what == WF_ECHO_TOO_BIG)
			wf_path_too_big(&probe->path, news.seq, news.mtu);
		else
			(void)wf_path_answer(&probe->path, news.seq, wf_clock_monotonic_ns());
		tell(probe);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	take_news(control, control->cluster.echo);
}

/* ---- rounds ------------------------------------------------------------------------------- */

static void wait_ms(struct ctl_probe *probe, uint64_t ms)
{
	const struct timeval time = wf_ctl_timeval(ms);

	(void)evtimer_add(probe->timer, &time);
}

/* An eighth more or less, so that nodes that began together do not stay together. */
static uint64_t about(struct wf_control *control, uint64_t ms)
{
	return ms - ms / 8 + wf_ctl_random(control) % (ms / 4 + 1);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct ctl_probe *probe = context;
	struct wf_control *control = probe->control;
	const struct wf_addr *peer = &probe->node->underlay;
	struct wf_echo *echo = control->cluster.echo;
	const struct wf_path_round *round;
	uint32_t number = probe->node->number;

	(void)fd;
	(void)what;
	/* what has come in time is not lost because this was looked at first */
	take_news(control, echo);
	wf_path_begin(&probe->path, wf_clock_monotonic_ns(), wf_echo_device_mtu(echo, peer),
		      &round);
	tell(probe);
	/* what cannot be sent is lost */
	(void)wf_echo_send(echo, peer, round->seq, number, probe->path.small);
	if (round->size)
		(void)wf_echo_send(echo, peer, (uint16_t)(round->seq + 1), number, round->size);
	wait_ms(probe, about(control, wf_path_wait_ms(&probe->path, interval_ms(control))));
}

/* ---- life --------------------------------------------------------------------------------- */

/* Of this node's family: the others' underlay addresses are of that too. */
static int open_echo(struct wf_control *control, struct wf_err *err)
{
	struct wf_echo *echo;
	struct event *event;
	int r;

	if (control->cluster.echo)
		return 0;
	r = wf_echo_open(&control->config.node_ip, &echo, err);
	if (r < 0)
		return r;
	event = event_new(control->loop, wf_echo_fd(echo), EV_READ | EV_PERSIST, on_readable,
			  control);
	if (!event || event_add(event, NULL) < 0) {
		if (event)
			event_free(event);
		wf_echo_close(&echo);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	control->cluster.echo = echo;
	control->cluster.echo_event = event;
	return 0;
}

void wf_ctl_probe_start(struct wf_control *control, struct ctl_node *node)
{
	struct wf_err fault = WF_ERR_INIT;
	struct ctl_probe *probe;
	uint64_t spread_ms = SPREAD_MS * HASH_CNT(by_name, control->cluster.nodes);
	bool is_ip4 = wf_addr_is_ip4(&node->underlay);

	wf_ctl_probe_stop(node);
	if (!interval_ms(control))
		return;
	if (open_echo(control, &fault) < 0) {
		wf_log_warning_rl("node is not asked whether it is reached", "node=%s error=\"%s\"",
				  node->name, fault.message);
		return;
	}
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return;
	*probe = (struct ctl_probe){ .control = control, .node = node };
	probe->timer = evtimer_new(control->loop, on_timer, probe);
	if (!probe->timer) {
		free(probe);
		return;
	}
	wf_path_init(&probe->path, is_ip4 ? WF_ECHO_SMALL_IP4 : WF_ECHO_SMALL_IP6, is_ip4);
	node->probe = probe;
	if (spread_ms > interval_ms(control))
		spread_ms = interval_ms(control);
	wait_ms(probe, wf_ctl_random(control) % (spread_ms + 1));
}

void wf_ctl_probe_stop(struct ctl_node *node)
{
	struct ctl_probe *probe = TAKE_PTR(node->probe);

	if (!probe)
		return;
	event_free(probe->timer);
	free(probe);
}

void wf_ctl_probes_close(struct wf_control *control)
{
	if (control->cluster.echo_event)
		event_free(control->cluster.echo_event);
	control->cluster.echo_event = NULL;
	wf_echo_close(&control->cluster.echo);
}

/* ---- seen from outside -------------------------------------------------------------------- */

uint32_t wf_ctl_probe_limit(const struct ctl_node *node)
{
	return node->probe ? node->probe->limit : 0;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

json_t *wf_ctl_probe_json(const struct ctl_node *node)
{
	static const char *const states[] = { [WF_PATH_UNKNOWN] = "unknown",
					      [WF_PATH_REACHABLE] = "reachable",
					      [WF_PATH_UNREACHABLE] = "unreachable" };
	const struct wf_path *path = node->probe ? &node->probe->path : NULL;
	json_t *value;

	if (!path)
		return NULL;
	value = json_pack("{s:s, s:I, s:I, s:I, s:b}", "state", states[wf_path_state(path)],
			  "probes", (json_int_t)path->judged, "lost", (json_int_t)path->lost_total,
			  "lossPercent", (json_int_t)wf_path_loss_percent(path), "mtuSearch",
			  path->is_searching && wf_path_state(path) == WF_PATH_REACHABLE);
	if (!value)
		return NULL;
	if (path->srtt_ns) {
		(void)json_object_set_new(value, "rttSeconds", json_real(seconds(path->srtt_ns)));
		(void)json_object_set_new(value, "lastRttSeconds",
					  json_real(seconds(path->rtt_ns)));
		(void)json_object_set_new(
			value, "answeredSeconds",
			json_real((double)(wf_clock_monotonic_ms() - path->answered_ms) / 1e3));
	}
	if (path->mtu)
		(void)json_object_set_new(value, "mtu", json_integer(path->mtu));
	if (path->device_mtu)
		(void)json_object_set_new(value, "deviceMtu", json_integer(path->device_mtu));
	return value;
}

static void add_rtt(const struct wf_path *path, const char *labels, struct wf_str *out)
{
	if (path->srtt_ns)
		wf_str_addf(out, "weft_node_rtt_seconds%s %.6f\n", labels, seconds(path->srtt_ns));
}

static void add_mtu(const struct wf_path *path, const char *labels, struct wf_str *out)
{
	if (path->mtu)
		wf_str_addf(out, "weft_node_path_mtu_bytes%s %u\n", labels, path->mtu);
}

static void add_probes(const struct wf_path *path, const char *labels, struct wf_str *out)
{
	wf_str_addf(out, "weft_node_probes_total%s %llu\n", labels,
		    (unsigned long long)path->sent_total);
}

static void add_lost(const struct wf_path *path, const char *labels, struct wf_str *out)
{
	wf_str_addf(out, "weft_node_probe_lost_total%s %llu\n", labels,
		    (unsigned long long)path->lost_total);
}

static void add_reachable(const struct wf_path *path, const char *labels, struct wf_str *out)
{
	wf_str_addf(out, "weft_node_reachable%s %d\n", labels,
		    wf_path_state(path) == WF_PATH_REACHABLE);
}

void wf_ctl_probe_metrics(struct wf_control *control, struct wf_str *out)
{
	static const struct {
		const char *name, *type, *help;
		void (*add)(const struct wf_path *path, const char *labels, struct wf_str *out);
	} series[] = {
		{ "weft_node_rtt_seconds", "gauge",
		  "Smoothed round-trip time of echo requests to another node.", add_rtt },
		{ "weft_node_path_mtu_bytes", "gauge",
		  "Largest packet that reaches another node whole.", add_mtu },
		{ "weft_node_reachable", "gauge", "Whether another node answers echo requests.",
		  add_reachable },
		{ "weft_node_probes_total", "counter", "Echo requests to another node.",
		  add_probes },
		{ "weft_node_probe_lost_total", "counter",
		  "Echo requests to another node that were not answered.", add_lost },
	};
	struct ctl_node *node, *next;
	char labels[WF_NAME_BYTES + 16];

	for (size_t i = 0; i < WF_ARRAY_LEN(series); i++) {
		wf_ctl_metric_head(out, series[i].name, series[i].type, series[i].help);
		HASH_ITER(by_name, control->cluster.nodes, node, next) {
			if (!node->probe)
				continue;
			(void)snprintf(labels, sizeof(labels), "{node=\"%s\"}", node->name);
			series[i].add(&node->probe->path, labels, out);
		}
	}
}
