/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that get checksums inside the tunnel wrong, found out by datagrams between this node's host
 * and others' (net/sums.h), by their addresses in a network that is tunnelled in clear: the programs
 * that take containers' packets to other nodes take these. What came is said on the underlay, where
 * no checksum is inside anything. Where a device is broken the kernel makes the checksums, for all
 * nodes: the device of the overlay is told that nobody below it can.
 *
 * Programs go on sending the probes themselves (WF_MARK_SUMS), so a device that was repaired is found
 * out as well. Where they cannot, the device of the overlay would make the checksums of probes too:
 * then what was found stays.
 */
#include "control/sums.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "net/ask.h"
#include "net/sums.h"
#include "net/sums_wire.h"

WF_LOG_MODULE(sums);

/* A node that becomes known is probed within this time for each one that is known, at first. */
#define SPREAD_MS 10ULL
/* While there is a doubt, at least so often. */
#define DOUBT_MS 1000ULL
/* Intervals between two rounds where nothing is to be expected. */
#define EASE 6
/* Rounds that a node may take to say anything at all, before it is not waited for. */
#define PATIENCE 5
/* Of one turn of the loop. */
#define MAX_MESSAGES 256

struct ctl_sums {
	struct wf_control *control;
	struct ctl_node *node;
	struct event *timer; /* owned */
	struct wf_sums sums;
	uint64_t cookie; /* what answers have to carry */
};

/* ---- whom to ask ------------------------------------------------------------------------- */

/* Whether what the hosts send each other in it goes through the tunnel, as anybody may see it. */
static bool is_tunnelled(const struct ctl_network *network, const struct ctl_node *node)
{
	if (!wf_ctl_is_overlay(network) || wf_ctl_is_encrypted(network) ||
	    !wf_ctl_scope_has_host(&network->spec))
		return false;
	return network->spec.driver != WF_DRIVER_ROUTED ||
	       (!node->way.ifindex && !wf_ctl_is_plain(network));
}

/* The addresses of both hosts in a network that goes through the tunnel. */
static bool find_ends(struct wf_control *control, const struct ctl_node *node,
		      struct wf_sums_ends *ret_ends)
{
	for (size_t i = 0; i < node->host_count; i++) {
		const struct wf_node_host *host = &node->hosts[i].is;
		const struct ctl_network *network = wf_ctl_network_find(control, host->network);
		const struct wf_addr *own;

		if (!network || !is_tunnelled(network, node))
			continue;
		own = &network->host_addrs[!wf_addr_is_ip4(&host->addr)];
		if (wf_addr_is_zero(own))
			continue;
		*ret_ends = (struct wf_sums_ends){ .from = *own,
						   .to = host->addr,
						   .ifindex = control->weft0_ifindex };
		return true;
	}
	return false;
}

/* Whether a probe would be sent as it is, its checksum left to a device. */
static bool is_telling(const struct wf_control *control, const struct ctl_node *node)
{
	switch (control->cluster.summing.now) {
	case WF_NET_SUMS_DEVICE: return true;
	case WF_NET_SUMS_WEFT: return control->cluster.by_programs && node->way.out_ifindex;
	case WF_NET_SUMS_OTHERS: break;
	}
	return false;
}

/* ---- what is to be done -------------------------------------------------------------------- */

static enum wf_sums_state state_of(const struct ctl_node *node)
{
	return node->sums ? node->sums->sums.state : WF_SUMS_UNKNOWN;
}

static bool is_any(const struct wf_control *control, enum wf_sums_state state)
{
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (state_of(node) == state)
			return true;
	return false;
}

/* A node that may still have something to say. */
static bool is_open(struct wf_control *control, const struct ctl_node *node)
{
	const struct ctl_sums *sums = node->sums;
	struct wf_sums_ends ends;

	return sums && node->is_alive && is_telling(control, node) &&
	       find_ends(control, node, &ends) &&
	       (wf_sums_is_doubtful(&sums->sums) ||
		(sums->sums.state == WF_SUMS_UNKNOWN && sums->sums.round < PATIENCE));
}

/* What an earlier weftd found holds until this one knows better. */
static bool is_remembered(struct wf_control *control)
{
	if (!control->cluster.summing.is_remembered || is_any(control, WF_SUMS_BROKEN))
		return false;
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (is_open(control, node))
			return true;
	return !is_any(control, WF_SUMS_SOUND);
}

/* Why the kernel shall make them; NULL: it shall not. */
static const char *reason(struct wf_control *control)
{
	switch (control->config.overlay_sums) {
	case WF_OVERLAY_SUMS_SOFTWARE: return "option";
	case WF_OVERLAY_SUMS_DEVICE: return NULL;
	case WF_OVERLAY_SUMS_AUTO: break;
	}
	if (is_any(control, WF_SUMS_BROKEN))
		return "detected";
	return is_remembered(control) ? "remembered" : NULL;
}

/* The same after something was found out: what an earlier weftd knew is forgotten for good. */
static const char *decide(struct wf_control *control)
{
	struct ctl_summing *summing = &control->cluster.summing;

	summing->is_remembered = is_remembered(control);
	return reason(control);
}

/* The name of the device by which a node is reached; "" unknown. */
static const char *device_of(struct wf_control *control, const struct ctl_node *node,
			     char buffer[256])
{
	struct wf_net_link link;
	struct wf_net_way way;

	if (wf_net_way_find(control->net, &node->underlay, &way, NULL) < 0 ||
	    wf_net_link_find(control->net, NULL, way.ifindex, &link, buffer, NULL) < 0)
		return "";
	return link.name;
}

/* Adds a name to a list, once. */
static void add_name(json_t *names, const char *name)
{
	const json_t *known;
	size_t i;

	json_array_foreach(names, i, known)
		if (strcmp(json_string_value(known), name) == 0)
			return;
	if (*name)
		(void)json_array_append_new(names, json_string(name));
}

/* Where checksums arrive wrong: names of nodes, and of the devices that lead there. */
static void name_broken(struct wf_control *control, json_t *nodes, json_t *devices)
{
	char buffer[256];

	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (state_of(node) == WF_SUMS_BROKEN) {
			add_name(nodes, node->name);
			add_name(devices, device_of(control, node, buffer));
		}
}

static const char *joined(const json_t *names, struct wf_str *text)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		wf_str_addf(text, "%s%s", i ? "," : "", json_string_value(name));
	return wf_str_text(text);
}

static void tell(struct wf_control *control, const char *why)
{
	_cleanup_json_ json_t *nodes = json_array(), *devices = json_array();
	_cleanup_str_ struct wf_str node_text = WF_STR_INIT, device_text = WF_STR_INIT;

	name_broken(control, nodes, devices);
	if (!why)
		wf_log_info("checksums of what is encapsulated are left to devices again",
			    "device=" WF_NET_OVERLAY_DEVICE);
	else if (json_array_size(nodes))
		wf_log_warning("checksums inside the tunnel that are left to a device arrive "
			       "wrong: the kernel makes them from now on",
			       "device=%s nodes=%s", joined(devices, &device_text),
			       joined(nodes, &node_text));
	else
		wf_log_info("the kernel makes checksums of what is encapsulated", "because=%s",
			    why);
}

enum wf_net_sums wf_ctl_sums_sync(struct wf_control *control)
{
	struct ctl_summing *summing = &control->cluster.summing;
	struct wf_err fault = WF_ERR_INIT;
	const char *why;

	if (wf_net_overlay_sums_get(control->net, &summing->now, NULL) < 0)
		summing->now = WF_NET_SUMS_DEVICE;
	if (!summing->is_known)
		summing->is_remembered = summing->now == WF_NET_SUMS_WEFT;
	summing->is_known = true;
	why = decide(control);
	/* what somebody else has set stays as it is */
	if (summing->now == WF_NET_SUMS_OTHERS ||
	    (why != NULL) == (summing->now == WF_NET_SUMS_WEFT))
		return summing->now;
	if (wf_net_overlay_sums_set(control->net, why != NULL, &fault) < 0) {
		wf_log_warning_rl("it is not changed who makes checksums of what is encapsulated",
				  "wanted=%s error=\"%s\"", why ? "kernel" : "device",
				  fault.message);
		return summing->now;
	}
	summing->now = why ? WF_NET_SUMS_WEFT : WF_NET_SUMS_DEVICE;
	tell(control, why);
	return summing->now;
}

/* What is known of a node may be something else than before. */
static void settle(struct wf_control *control, const struct ctl_sums *sums,
		   enum wf_sums_state before)
{
	const struct ctl_summing *summing = &control->cluster.summing;
	struct wf_err fault = WF_ERR_INIT;

	if (sums->sums.state == before && !summing->is_remembered)
		return;
	if (summing->now == WF_NET_SUMS_OTHERS ||
	    (decide(control) != NULL) == (summing->now == WF_NET_SUMS_WEFT))
		return;
	if (wf_ctl_tunnel_sync(control, &fault) < 0)
		wf_log_warning_rl("the tunnel is not changed", "error=\"%s\"", fault.message);
}

/* ---- probes -------------------------------------------------------------------------------- */

static void send_pair(const struct ctl_sums *sums, const struct wf_sums_ends *ends, uint32_t pair)
{
	struct wf_ask_message probe = { .what = WF_ASK_PROBE, .cookie = sums->cookie };

	for (uint32_t i = 0; i < 2; i++) {
		/* which one is first takes turns: a queue may be full for the second */
		const bool by_device = (pair + i) % 2 == 0;

		probe.revision = (uint64_t)sums->sums.round << 8 | pair << 1 | by_device;
		/* what cannot be sent is lost */
		(void)wf_sums_wire_send(sums->control->cluster.summing.wire, ends, &probe,
					by_device);
	}
}

/* Ends the round under way, which may be a verdict, and begins the next by the way that is then. */
static void turn(struct ctl_sums *sums, struct wf_sums_ends *ends)
{
	struct wf_control *control = sums->control;
	const enum wf_sums_state before = sums->sums.state;
	const uint32_t pairs = wf_sums_begin(&sums->sums);

	settle(control, sums, before);
	if (!is_telling(control, sums->node))
		return;
	/* where the device would make the checksums, only programs leave them open */
	if (control->cluster.summing.now == WF_NET_SUMS_WEFT)
		ends->mark = WF_MARK_SUMS;
	for (uint32_t i = 0; i < pairs; i++)
		send_pair(sums, ends, i);
}

static uint64_t wait_of(const struct ctl_sums *sums)
{
	const uint64_t interval_ms = sums->control->config.node_probe_ms;

	if (wf_sums_is_doubtful(&sums->sums))
		return interval_ms < DOUBT_MS ? interval_ms : DOUBT_MS;
	/* who says nothing is not asked more often than who says that all is well */
	if (sums->sums.state == WF_SUMS_SOUND ||
	    (sums->sums.state == WF_SUMS_UNKNOWN && sums->sums.round > PATIENCE))
		return interval_ms * EASE;
	return interval_ms;
}

static void wait_ms(struct ctl_sums *sums, uint64_t ms)
{
	const struct timeval time = wf_ctl_timeval(ms);

	(void)evtimer_add(sums->timer, &time);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct ctl_sums *sums = context;
	struct wf_control *control = sums->control;
	struct wf_sums_ends ends;

	(void)fd;
	(void)what;
	if (control->cluster.summing.wire && is_telling(control, sums->node) &&
	    find_ends(control, sums->node, &ends))
		turn(sums, &ends);
	/* an eighth more or less, so that nodes that began together do not stay together */
	wait_ms(sums, wait_of(sums) * (896 + wf_ctl_random(control) % 256) / 1024);
}

void wf_ctl_sums_came(struct wf_control *control, struct ctl_node *node,
		      const struct wf_ask_message *message)
{
	struct ctl_sums *sums = node->sums;
	enum wf_sums_state before;

	if (!sums || message->cookie != sums->cookie || message->revision >> 40)
		return;
	before = sums->sums.state;
	wf_sums_came(&sums->sums, (uint32_t)(message->revision >> 8),
		     (uint32_t)(message->revision & 0xff) >> 1, message->revision & 1);
	settle(control, sums, before);
}

/* ---- answers ------------------------------------------------------------------------------- */

/* The node whose host has an address in a network; NULL: none is known. */
static struct ctl_node *node_of_host(struct wf_control *control, const struct wf_addr *addr)
{
	struct wf_remote_value value;
	struct ctl_node *node;

	if (wf_dp_remote_get(control->dp, WF_NETWORK_HOST, addr, &value) < 0 ||
	    value.node >= WF_MAX_NODES)
		return NULL;
	node = control->cluster.by_number[value.node];
	for (size_t i = 0; node && i < node->host_count; i++)
		if (wf_addr_equal(&node->hosts[i].is.addr, addr))
			return node;
	return NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct wf_ask_message message;

	(void)fd;
	(void)what;
	for (int i = 0;
	     i < MAX_MESSAGES && wf_sums_wire_receive(control->cluster.summing.wire, &message) == 1;
	     i++) {
		struct ctl_node *node = node_of_host(control, &message.peer);

		if (!node || message.what != WF_ASK_PROBE || !control->cluster.knowing.ask ||
		    !wf_ctl_is_peer(control, node))
			continue;
		message.what = WF_ASK_CAME;
		message.peer = node->underlay;
		(void)wf_ask_send(control->cluster.knowing.ask, &message);
	}
}

/* ---- life ---------------------------------------------------------------------------------- */

void wf_ctl_sums_open(struct wf_control *control)
{
	struct ctl_summing *summing = &control->cluster.summing;
	struct wf_err fault = WF_ERR_INIT;

	if (wf_sums_wire_open((uint16_t)(control->config.news_port + 1), &summing->wire, &fault) <
	    0) {
		wf_log_warning("devices that make wrong checksums are not found out, here and by "
			       "other nodes",
			       "error=\"%s\"", fault.message);
		return;
	}
	summing->event = event_new(control->loop, wf_sums_wire_fd(summing->wire),
				   EV_READ | EV_PERSIST, on_readable, control);
	if (!summing->event || event_add(summing->event, NULL) < 0)
		wf_ctl_sums_close(control);
}

void wf_ctl_sums_close(struct wf_control *control)
{
	struct ctl_summing *summing = &control->cluster.summing;

	if (summing->event)
		event_free(summing->event);
	summing->event = NULL;
	wf_sums_wire_close(&summing->wire);
}

void wf_ctl_sums_start(struct wf_control *control, struct ctl_node *node)
{
	const uint64_t interval_ms = control->config.node_probe_ms;
	uint64_t spread_ms = SPREAD_MS * HASH_CNT(by_name, control->cluster.nodes);
	struct ctl_sums *sums;

	wf_ctl_sums_stop(node);
	if (!interval_ms || control->config.overlay_sums != WF_OVERLAY_SUMS_AUTO)
		return;
	sums = calloc(1, sizeof(*sums));
	if (!sums)
		return;
	*sums = (struct ctl_sums){ .control = control, .node = node };
	sums->timer = evtimer_new(control->loop, on_timer, sums);
	if (!sums->timer || getrandom(&sums->cookie, sizeof(sums->cookie), 0) < 0) {
		if (sums->timer)
			event_free(sums->timer);
		free(sums);
		return;
	}
	node->sums = sums;
	if (spread_ms > interval_ms)
		spread_ms = interval_ms;
	wait_ms(sums, wf_ctl_random(control) % (spread_ms + 1));
}

void wf_ctl_sums_stop(struct ctl_node *node)
{
	struct ctl_sums *sums = TAKE_PTR(node->sums);

	if (!sums)
		return;
	event_free(sums->timer);
	free(sums);
}

/* ---- seen from outside --------------------------------------------------------------------- */

json_t *wf_ctl_sums_json(const struct ctl_node *node)
{
	static const char *const states[] = { [WF_SUMS_UNKNOWN] = "unknown",
					      [WF_SUMS_SOUND] = "sound",
					      [WF_SUMS_BROKEN] = "broken" };

	if (!node->sums)
		return NULL;
	return json_pack("{s:s, s:I, s:b}", "state", states[state_of(node)], "rounds",
			 (json_int_t)node->sums->sums.round, "doubtful",
			 wf_sums_is_doubtful(&node->sums->sums));
}

json_t *wf_ctl_sums_self_json(struct wf_control *control)
{
	const struct ctl_summing *summing = &control->cluster.summing;
	json_t *value =
		json_pack("{s:s}", "by", summing->now == WF_NET_SUMS_DEVICE ? "device" : "kernel");
	json_t *nodes = json_array(), *devices = json_array();
	const char *why = summing->now == WF_NET_SUMS_OTHERS ? "others" : reason(control);

	if (value && why)
		(void)wf_json_set_str(value, "because", why);
	name_broken(control, nodes, devices);
	(void)wf_json_set(value, "nodes", nodes);
	(void)wf_json_set(value, "devices", devices);
	return value;
}

void wf_ctl_sums_metrics(struct wf_control *control, struct wf_str *out)
{
	wf_ctl_metric_head(
		out, "weft_overlay_checksums_by_kernel", "gauge",
		"Whether the kernel makes the checksums of what is encapsulated, instead "
		"of devices.");
	wf_str_addf(out, "weft_overlay_checksums_by_kernel %d\n",
		    control->cluster.summing.now != WF_NET_SUMS_DEVICE);
	wf_ctl_metric_head(out, "weft_node_checksums_broken", "gauge",
			   "Whether checksums that are left to a device arrive wrong at another "
			   "node.");
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (state_of(node) != WF_SUMS_UNKNOWN)
			wf_str_addf(out, "weft_node_checksums_broken{node=\"%s\"} %d\n", node->name,
				    state_of(node) == WF_SUMS_BROKEN);
}
