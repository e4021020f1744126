/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections that exist when policies begin to be about a direction of their endpoint: they are
 * noted as if their first packet had been seen, by whoever began them, so that they go on if that is
 * allowed. Those that needed a record before have one; the others had none (bpf/lib/untracked.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/conn_table.h"
#include "net/sock.h"

WF_LOG_MODULE(policy_seed);

/* Connections of one endpoint that are looked at; of the rest nobody will know who began. */
#define MAX_SEEDS 65536
/* The kernel's own choice, net.ipv4.ip_local_port_range. */
#define CALLERS_FIRST 32768
#define CALLERS_LAST  60999

struct seeds {
	struct wf_net_conn *items; /* owned */
	size_t count, capacity;
	uint16_t *listening; /* owned; local ports */
	size_t listening_count, listening_capacity;
	bool is_late; /* what policies said before is not in the tables any more */
};

static void seeds_done(struct seeds *seeds)
{
	free(seeds->items);
	free(seeds->listening);
}

static void see_socket(const struct wf_net_conn *conn, void *context)
{
	struct seeds *seeds = context;

	if (conn->listening) {
		if (wf_mem_grow(&seeds->listening, sizeof(*seeds->listening),
				seeds->listening_count, &seeds->listening_capacity) == 0)
			seeds->listening[seeds->listening_count++] = conn->local_port;
	} else if (seeds->count < MAX_SEEDS && wf_mem_grow(&seeds->items, sizeof(*seeds->items),
							   seeds->count, &seeds->capacity) == 0) {
		seeds->items[seeds->count++] = *conn;
	}
}

static int compare_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Ports that the kernel gives to those who call. */
static bool is_callers(uint16_t port)
{
	return port >= CALLERS_FIRST && port <= CALLERS_LAST;
}

/*
 * Who began, by the ports: 1, the other side (somebody listens here, or only the other port is a
 * caller's), 0, this side, -1: nobody can tell. Such a connection is not noted; it goes on only if
 * either side may begin it.
 */
static int was_called_by_ports(const struct seeds *seeds, const struct wf_net_conn *conn)
{
	if (seeds->listening_count &&
	    bsearch(&conn->local_port, seeds->listening, seeds->listening_count,
		    sizeof(conn->local_port), compare_ports))
		return 1;
	if (is_callers(conn->local_port) == is_callers(conn->remote_port))
		return -1;
	return is_callers(conn->remote_port);
}

/* The slot that has an address in a scope, WF_SLOT_HOST for everybody else. */
static uint32_t slot_of(struct wf_control *control, uint16_t scope, const struct wf_addr *addr)
{
	struct wf_addr_value value;

	if (wf_dp_address_get(control->dp, scope, addr, &value) < 0 || value.flags)
		return WF_SLOT_HOST;
	return value.slot;
}

/* The slots of a connection's ends. */
struct ends {
	uint32_t here, there;
};

/* Whether what one slot sends to another needs no leave. */
static bool is_free(const struct wf_control *control, uint32_t from, uint32_t to)
{
	const struct wf_policy_subject_value *subjects = control->policy.subjects;

	return subjects[from].profile[WF_POLICY_EGRESS] == WF_POLICY_PROFILE_NONE &&
	       subjects[to].profile[WF_POLICY_INGRESS] == WF_POLICY_PROFILE_NONE;
}

/*
 * The same, of a connection that needed no record so far: it is known whose answers were free. -1: of
 * neither, so that it has a record, or by the ports.
 */
static int was_called(const struct wf_control *control, const struct seeds *seeds,
		      const struct wf_net_conn *conn, const struct ends *ends)
{
	bool by_us, by_them;

	if (seeds->is_late || ends->here == WF_SLOT_HOST || ends->there == WF_SLOT_HOST)
		return was_called_by_ports(seeds, conn);
	by_us = is_free(control, ends->there, ends->here);
	by_them = is_free(control, ends->here, ends->there);
	if (by_us && by_them)
		return was_called_by_ports(seeds, conn);
	return by_us || by_them ? by_them : -1;
}

/* The FINs that were seen, of whoever was called or of the one who called. */
static uint32_t fins_of(const struct wf_net_conn *conn, bool called)
{
	bool original = called ? conn->has_heard : conn->has_ended;
	bool reply = called ? conn->has_ended : conn->has_heard;

	return (original ? WF_CONN_FIN_ORIGINAL : 0) | (reply ? WF_CONN_FIN_REPLY : 0);
}

static uint32_t phase_of(const struct wf_net_conn *conn)
{
	if (conn->is_opening)
		return WF_CONN_NEW;
	return conn->has_ended && conn->has_heard ? WF_CONN_CLOSING : WF_CONN_ESTABLISHED;
}

static struct wf_conn_seed seed_of(uint16_t scope, enum wf_site site,
				   const struct wf_net_conn *conn, const struct ends *ends,
				   bool called)
{
	const struct wf_addr *src = called ? &conn->remote : &conn->local;
	const struct wf_addr *dst = called ? &conn->local : &conn->remote;
	__be16 sport = htons(called ? conn->remote_port : conn->local_port);
	__be16 dport = htons(called ? conn->local_port : conn->remote_port);

	return (struct wf_conn_seed){
		.tuple = {
			[WF_DIR_ORIGINAL] = { .src = *src, .dst = *dst, .sport = sport,
					      .dport = dport, .proto = IPPROTO_TCP,
					      .site = (uint8_t)site, .scope = scope },
			[WF_DIR_REPLY] = { .src = *dst, .dst = *src, .sport = dport,
					   .dport = sport, .proto = IPPROTO_TCP,
					   .site = (uint8_t)site, .scope = scope },
		},
		.flags = WF_CONN_POLICY | fins_of(conn, called),
		.owner = called ? ends->there : ends->here,
		.peer = called ? ends->here : ends->there,
		.phase = phase_of(conn),
	};
}

/* Those of the host are met at its uplinks as well: where depends on the way to the other end. */
static void seed_all(struct wf_control *control, uint16_t scope, bool is_host,
		     const struct seeds *found)
{
	_cleanup_free_ struct wf_conn_seed *seeds = calloc(2 * found->count + 1, sizeof(*seeds));
	size_t count = 0;

	for (size_t i = 0; seeds && i < found->count; i++) {
		const struct wf_net_conn *conn = &found->items[i];
		const struct ends ends = { slot_of(control, scope, &conn->local),
					   slot_of(control, scope, &conn->remote) };
		int called = was_called(control, found, conn, &ends);

		if (called < 0)
			continue;
		seeds[count++] = seed_of(scope, WF_SITE_CONTAINER, conn, &ends, called);
		if (is_host && ends.there == WF_SLOT_HOST)
			seeds[count++] = seed_of(scope, WF_SITE_EDGE, conn, &ends, called);
	}
	if (!seeds || wf_dp_conn_seed(control->dp, seeds, count) < 0)
		wf_log_warning("connections that exist may be cut by the first policy", "count=%zu",
			       found->count);
}

/* Packets that it has sent and received. */
static uint64_t packets_of(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	struct wf_traffic_value traffic = { 0 };

	if (wf_dp_traffic_read(control->dp, endpoint->spec.slot, &traffic) < 0)
		return UINT64_MAX;
	return traffic.sent.packets + traffic.received.packets;
}

/*
 * Whether nothing can have begun since the last look, which takes the kernel half a millisecond: its
 * table of sockets is one for all namespaces.
 */
static bool is_unmoved(struct wf_control *control, struct ctl_endpoint *endpoint, bool is_late)
{
	uint64_t packets = packets_of(control, endpoint);
	bool is_same = is_late && packets != UINT64_MAX && packets == endpoint->noted_packets;

	endpoint->noted_packets = packets;
	return is_same;
}

void wf_ctl_policy_seed(struct wf_control *control, struct ctl_endpoint *endpoint, bool is_late)
{
	_cleanup_(seeds_done) struct seeds seeds = { .is_late = is_late };
	_cleanup_close_ int fd = -1;
	struct wf_err fault = WF_ERR_INIT;
	struct wf_net_ns_id id;
	int r = 0;

	if (endpoint && is_unmoved(control, endpoint, is_late))
		return;
	if (endpoint) {
		r = wf_net_ns_open(endpoint->spec.netns, &fd, &id, &fault);
		if (r == 0 &&
		    (id.dev != endpoint->spec.netns_dev || id.inode != endpoint->spec.netns_inode))
			return;
	}
	if (r == 0)
		r = wf_net_socks_visit(control->net, fd, see_socket, &seeds, &fault);
	if (r < 0) {
		wf_log_warning("connections that exist may be cut by the first policy",
			       "endpoint=%s error=\"%s\"",
			       endpoint ? endpoint->spec.meta.name : "host", fault.message);
		return;
	}
	if (seeds.listening_count)
		qsort(seeds.listening, seeds.listening_count, sizeof(*seeds.listening),
		      compare_ports);
	if (seeds.count)
		seed_all(control, endpoint ? (uint16_t)wf_ctl_scope_of(endpoint->network) : 0,
			 !endpoint, &seeds);
}
