/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translated connections: sweeping the expired, showing and ending them, and the alarm when the
 * table fills. The timer runs only while there are connections or numbers that wait; the programs
 * tell when the first one comes, or many do at once (WF_EVENT_WAKE).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(conntrack);

#define SWEEP_MS      1000
#define SWEEP_IDLE_MS 10000
/* Each round looks at this part of the table: the whole of it in 16 rounds. */
#define SWEEP_PARTS    16
#define SWEEP_LEAST    4096
#define ALARM_EVERY_MS 60000
#define LIST_LIMIT     10000

/* ---- sweeping ------------------------------------------------------------------------------- */

/* Says once a minute that new connections are being refused, and why. */
static void alarm_if_full(struct wf_control *control, const struct wf_conn_state *state)
{
	const struct wf_conn_state *last = &control->lb.alarm;
	uint64_t now_ms = wf_clock_monotonic_ms();

	if ((state->failed_full == last->failed_full && state->failed_quota == last->failed_quota &&
	     state->failed_ports == last->failed_ports &&
	     state->failed_index == last->failed_index) ||
	    (control->lb.full_alarm_ms && now_ms - control->lb.full_alarm_ms < ALARM_EVERY_MS))
		return;
	wf_log_error(
		"new connections are refused", "live=%u max=%u tableFull=%u quota=%u noPort=%u",
		state->live, state->max,
		state->failed_full - last->failed_full + state->failed_index - last->failed_index,
		state->failed_quota - last->failed_quota, state->failed_ports - last->failed_ports);
	control->lb.full_alarm_ms = now_ms;
	control->lb.alarm = *state;
}

/* Milliseconds to the next sweep, UINT64_MAX: when we are told. */
static uint64_t sweep_wait(struct wf_control *control, const struct wf_dp_conn_rest *rest)
{
	uint64_t wait_ms = UINT64_MAX;

	if (rest->live)
		wait_ms = rest->wait_ms < SWEEP_IDLE_MS ? rest->wait_ms : SWEEP_IDLE_MS;
	if (!wf_dp_conn_wake_at(control->dp, rest->live ? rest->live + SWEEP_LEAST : 1))
		wait_ms = 0;
	return wait_ms;
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct wf_dp_conn_rest rest;
	struct wf_conn_state state;
	uint64_t wait_ms, lb_ms;

	(void)fd;
	(void)what;
	wf_dp_conn_state(control->dp, &state);
	(void)wf_dp_conn_sweep(control->dp,
			       state.high / SWEEP_PARTS > SWEEP_LEAST ? state.high / SWEEP_PARTS
								      : SWEEP_LEAST,
			       &rest);
	alarm_if_full(control, &state);
	wait_ms = sweep_wait(control, &rest);
	lb_ms = wf_lb_table_sweep(control->lb.table, wf_clock_monotonic_ms());
	if (wait_ms != UINT64_MAX && wait_ms < SWEEP_MS)
		wait_ms = SWEEP_MS;
	if (lb_ms < wait_ms)
		wait_ms = lb_ms;
	if (wait_ms != UINT64_MAX) {
		const struct timeval wait = wf_ctl_timeval(wait_ms);

		(void)evtimer_add(control->lb.sweep_timer, &wait);
	}
}

void wf_ctl_sweep_arm(struct wf_control *control)
{
	if (control->lb.sweep_timer)
		wf_ctl_timer_within(control->lb.sweep_timer, SWEEP_MS);
}

int wf_ctl_sweep_start(struct wf_control *control, struct wf_err *err)
{
	control->lb.sweep_timer = evtimer_new(control->loop, on_sweep, control);
	if (!control->lb.sweep_timer)
		return wf_fail(err, -ENOMEM, "out of memory for timers");
	(void)event_priority_set(control->lb.sweep_timer, WF_CONTROL_PRIORITY_LOW);
	return 0;
}

void wf_ctl_sweep_stop(struct wf_control *control)
{
	if (control->lb.sweep_timer)
		event_free(control->lb.sweep_timer);
	control->lb.sweep_timer = NULL;
}

/* ---- forgetting an endpoint -------------------------------------------------------------------- */

static bool is_of_slot(const struct wf_dp_conn *conn, void *context)
{
	uint32_t slot = *(const uint32_t *)context;

	return conn->conn.owner == slot || conn->conn.peer == slot;
}

void wf_ctl_conn_forget(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	uint32_t slot = endpoint->spec.slot;
	struct wf_conn_state state;

	if (!slot)
		return;
	wf_dp_conn_state(control->dp, &state);
	if (state.live)
		(void)wf_dp_conn_visit(control->dp, is_of_slot, &slot);
}

/* ---- showing and ending -------------------------------------------------------------------------- */

struct query {
	struct wf_control *control;
	const struct wf_conn_filter *filter;
	uint32_t slot; /* of filter->endpoint */
	struct wf_addr addr;
	json_t *items; /* NULL: remove instead of showing */
	size_t limit;
	size_t total;
	bool failed;
};

static const char *phase_name(uint8_t phase)
{
	static const char *const names[WF_CONN_PHASE_COUNT] = { "new", "established", "closing",
								"closed" };

	return phase < WF_CONN_PHASE_COUNT ? names[phase] : "?";
}

static const char *site_name(uint8_t site)
{
	static const char *const names[WF_SITE_COUNT] = { "?", "container", "uplink", "xdp" };

	return site < WF_SITE_COUNT ? names[site] : "?";
}

static const char *proto_name(uint8_t proto, char text[8])
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_ICMPV6: return "icmpv6";
	default: break;
	}
	(void)snprintf(text, 8, "%u", proto);
	return text;
}

static json_t *socket_json(const struct wf_addr *addr, __be16 port)
{
	char text[WF_ADDR_TEXT];

	(void)wf_addr_format(addr, text);
	return json_sprintf(wf_addr_is_ip4(addr) ? "%s:%u" : "[%s]:%u", text, ntohs(port));
}

/* The endpoint that a connection is of: its client's, or its backend's. */
static const char *endpoint_of(const struct wf_control *control, const struct wf_conn *conn)
{
	uint32_t slot = conn->owner != WF_SLOT_HOST ? conn->owner : conn->peer;

	if (slot == WF_SLOT_HOST || slot >= WF_MAX_SLOTS || !control->by_slot[slot])
		return "";
	return control->by_slot[slot]->spec.meta.name;
}

static const char *service_of(const struct wf_control *control, const struct wf_conn *conn)
{
	const char *key = conn->service ? wf_lb_table_key(control->lb.table, conn->service) : NULL;

	return key ? key : "";
}

static json_t *flags_json(uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ WF_CONN_MASQUERADE, "masquerade" }, { WF_CONN_SERVICE, "service" },
		{ WF_CONN_PUBLISHED, "published" },   { WF_CONN_DIRECT, "direct" },
		{ WF_CONN_HAIRPIN, "hairpin" },       { WF_CONN_HOST, "host" },
		{ WF_CONN_ROUTED, "routed" },
	};
	json_t *list = json_array();

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++)
		if (flags & names[i].flag)
			(void)json_array_append_new(list, json_string(names[i].name));
	return list;
}

/* The network beyond which both ends' addresses mean nothing; "": they are those of the host's view. */
static const char *network_of(const struct wf_control *control, const struct wf_conn *conn)
{
	const struct ctl_network *network =
		wf_ctl_network_at(control, conn->tuple[WF_DIR_ORIGINAL].scope);

	return network ? network->spec.meta.name : "";
}

static json_t *conn_json(const struct wf_control *control, const struct wf_dp_conn *conn)
{
	const struct wf_tuple *from = &conn->conn.tuple[WF_DIR_ORIGINAL];
	const struct wf_tuple *back = &conn->conn.tuple[WF_DIR_REPLY];
	char proto[8];

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:I, s:I}",
		"protocol", proto_name(from->proto, proto), "site", site_name(from->site),
		"network", network_of(control, &conn->conn), "phase", phase_name(conn->conn.phase),
		"source", socket_json(&from->src, from->sport), "destination",
		socket_json(&from->dst, from->dport), "translatedSource",
		socket_json(&back->dst, back->dport), "translatedDestination",
		socket_json(&back->src, back->sport), "endpoint", endpoint_of(control, &conn->conn),
		"service", service_of(control, &conn->conn), "flags", flags_json(conn->conn.flags),
		"ageMs", (json_int_t)conn->age_ms, "idleMs", (json_int_t)conn->idle_ms, "expiresMs",
		(json_int_t)conn->expires_ms);
}

static bool has_address(const struct wf_conn *conn, const struct wf_addr *addr)
{
	for (int dir = 0; dir < WF_DIR_COUNT; dir++)
		if (wf_addr_equal(&conn->tuple[dir].src, addr) ||
		    wf_addr_equal(&conn->tuple[dir].dst, addr))
			return true;
	return false;
}

/* A service port's key begins with the service's and a colon. */
static bool is_of_service(const char *key, const char *service)
{
	size_t len = strlen(service);

	return strncmp(key, service, len) == 0 && (key[len] == ':' || key[len] == '\0');
}

static bool matches(const struct query *query, const struct wf_dp_conn *conn)
{
	const struct wf_conn_filter *filter = query->filter;
	char proto[8];

	if (filter->endpoint && conn->conn.owner != query->slot && conn->conn.peer != query->slot)
		return false;
	if (filter->service &&
	    !is_of_service(service_of(query->control, &conn->conn), filter->service))
		return false;
	if (filter->protocol &&
	    strcmp(proto_name(conn->conn.tuple[0].proto, proto), filter->protocol) != 0)
		return false;
	return !filter->address || has_address(&conn->conn, &query->addr);
}

static bool on_conn(const struct wf_dp_conn *conn, void *context)
{
	struct query *query = context;

	if (!matches(query, conn))
		return false;
	query->total++;
	if (!query->items)
		return true;
	if (json_array_size(query->items) < query->limit &&
	    json_array_append_new(query->items, conn_json(query->control, conn)) < 0)
		query->failed = true;
	return false;
}

static int query_start(struct query *query, struct wf_control *control,
		       const struct wf_conn_filter *filter, struct wf_err *err)
{
	const struct ctl_endpoint *endpoint;

	*query = (struct query){ .control = control, .filter = filter };
	query->limit = filter->limit && filter->limit < LIST_LIMIT ? filter->limit : LIST_LIMIT;
	if (filter->address && wf_addr_parse(filter->address, &query->addr) < 0)
		return wf_fail_field(err, -EINVAL, "address", "\"%s\" is not an address",
				     filter->address);
	if (!filter->endpoint)
		return 0;
	endpoint = wf_ctl_endpoint_find(control, filter->endpoint);
	if (!endpoint) {
		int r = wf_ctl_endpoint_missing(control, filter->endpoint, NULL, err);

		wf_err_set_field(err, "endpoint");
		return r;
	}
	query->slot = endpoint->spec.slot;
	return 0;
}

int wf_control_conntrack_list(struct wf_control *control, const struct wf_conn_filter *filter,
			      json_t **ret_answer, struct wf_err *err)
{
	_cleanup_json_ json_t *items = json_array();
	struct query query;
	int r = query_start(&query, control, filter, err);

	if (r < 0)
		return r;
	query.items = items;
	if (!items || wf_dp_conn_visit(control->dp, on_conn, &query) < 0 || query.failed)
		return wf_fail(err, -ENOMEM, "out of memory listing connections");
	*ret_answer = json_pack("{s:O, s:I}", "items", items, "total", (json_int_t)query.total);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory listing connections");
}

int wf_control_conntrack_flush(struct wf_control *control, const struct wf_conn_filter *filter,
			       json_t **ret_answer, struct wf_err *err)
{
	struct query query;
	int r = query_start(&query, control, filter, err);

	if (r < 0)
		return r;
	r = wf_dp_conn_visit(control->dp, on_conn, &query);
	if (r < 0)
		return wf_fail(err, r, "cannot flush connections: %s", strerror(-r));
	wf_log_info("connections flushed", "count=%zu", query.total);
	*ret_answer = json_pack("{s:I}", "flushed", (json_int_t)query.total);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
