/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From an address and port to a backend: service frontends, then published ports. Used per packet
 * for the first packet of a connection and per socket at connect(). Changes no packet and adds no
 * connection.
 */
#ifndef WEFT_BPF_LB_H
#define WEFT_BPF_LB_H

#include <weft/abi/conn.h>
#include <weft/abi/lb.h>

#include "endpoint.h"
#include "lb_pick.h"
#include "lb_range.h"

/* What for. */
enum wf_lb_purpose {
	WF_LB_BEGINS, /* a connection */
	/*
	 * The same, or it is left to others: nothing is counted, and services whose choice is not a
	 * matter of the connection alone are not found.
	 */
	WF_LB_MAY_LEAVE,
	WF_LB_TRACES, /* somebody wants to know: nothing is counted */
};

/* Who asks. */
struct wf_client {
	struct wf_addr addr; /* affinity and source ranges go by it */
	__u32 scope;         /* its network, WF_NETWORK_HOST for the host and for outsiders */
	__u32 view;          /* scope of addresses: WF_NETWORK_HOST, or its network */
	__u32 outside;       /* whether it came in by an uplink */
	__u32 purpose;       /* enum wf_lb_purpose */
	/*
	 * Whether its packets pass a program that records connections: the least loaded backend is
	 * for that program to choose, since only recorded connections are counted.
	 */
	__u32 is_recorded;
	__u32 pad;
};

/*
 * The client is a process of the host. Which address it leaves with is not known at connect(), and is
 * a matter of the way to the service on packets: it is known by an address that nobody has.
 */
static __always_inline void wf_client_is_host(struct wf_client *client)
{
	client->addr.halves[0] = 0;
	client->addr.halves[1] = WF_CLIENT_HOST;
	client->scope = client->view = WF_NETWORK_HOST;
	client->outside = client->is_recorded = 0;
}

/* Where a connection goes. */
struct wf_target {
	struct wf_addr addr;
	__be16 port;
	__u16 is_least;   /* chosen by the count of connections */
	__u32 backend;    /* number, 0: a published port */
	__u32 service;    /* number that counts its hits */
	__u32 slot;       /* endpoint on this node, WF_SLOT_HOST: elsewhere */
	__u32 flags;      /* enum wf_frontend_flag */
	__u32 conn_flags; /* enum wf_conn_flag for the connection's record */
	__u32 scope; /* of addr, where that is another than the client's; WF_NETWORK_HOST: it is not */
	__u32 pad;
};

static __always_inline int wf_lb_is_ip4(const struct wf_addr *addr)
{
	return wf_addr_is_mapped(addr);
}

/* 127.0.0.0/8, ::1, and the unspecified addresses, which mean them to connect(). */
static __always_inline int wf_lb_is_loopback(const struct wf_addr *addr)
{
	if (wf_lb_is_ip4(addr))
		return addr->bytes[12] == 127 || !addr->words[3];
	return !addr->halves[0] && !addr->words[2] && !(addr->words[3] & bpf_htonl(~1U));
}

/* What stands for "any address of the host" in tables. */
static __always_inline void wf_lb_unspecify(struct wf_addr *addr)
{
	__u32 mark = wf_lb_is_ip4(addr) ? bpf_htonl(0xffff) : 0;

	addr->halves[0] = 0;
	addr->words[2] = mark;
	addr->words[3] = 0;
}

/* Whether the client may use loopback addresses of the host: its own processes alone may. */
static __always_inline int wf_lb_is_own_loopback(const struct wf_tuple *tuple,
						 const struct wf_client *client)
{
	return client->scope == WF_NETWORK_HOST && !client->outside &&
	       wf_lb_is_loopback(&tuple->dst);
}

/*
 * The frontend of that address, everybody's or of the client's scope, that serves such clients. What
 * everybody has leads to addresses of the host's view.
 */
static __always_inline struct wf_frontend_value *wf_lb_frontend(const struct wf_tuple *tuple,
								const struct wf_addr *addr,
								const struct wf_client *client)
{
	__u32 side = client->outside ? WF_FRONTEND_OUTSIDE : WF_FRONTEND_INSIDE;
	struct wf_frontend_key key = {
		.addr = *addr, .scope = WF_SCOPE_ANY, .port = tuple->dport, .proto = tuple->proto
	};
	struct wf_frontend_value *value = client->view ? NULL : wf_map_frontend(&key);

	if (value && value->flags & side)
		return value;
	key.scope = client->scope;
	value = wf_map_frontend(&key);
	return value && value->flags & side ? value : NULL;
}

/* Whether loadBalancerSourceRanges admit the client. */
static __always_inline int wf_lb_admits(const struct wf_frontend_value *frontend,
					const struct wf_client *client)
{
	struct wf_source_key key = {
		.prefixlen = 8 * (sizeof(key.service) + sizeof(key.addr)),
		.service = bpf_htonl(frontend->service),
		.addr = client->addr,
	};

	if (frontend->type != WF_FRONTEND_LOAD_BALANCER ||
	    !(frontend->flags & WF_FRONTEND_SOURCE_RANGES))
		return 1;
	return wf_map_source(&key) != NULL;
}

static __always_inline void wf_lb_count(__u32 service, int is_refused)
{
	struct wf_service_value *value = service ? wf_map_service(service) : NULL;

	if (value)
		wf_atomic_add64(is_refused ? &value->refused : &value->connections, 1);
}

/* Chooses a backend; 0: none. */
static __always_inline __u32 wf_lb_choose(const struct wf_frontend_value *frontend,
					  const struct wf_tuple *tuple,
					  const struct wf_client *client)
{
	__u32 drop = client->outside ? WF_FRONTEND_OUTSIDE_DROP : WF_FRONTEND_INSIDE_DROP;
	const struct wf_pick_run run = client->outside ? frontend->outside : frontend->inside;
	int sticks = frontend->flags & WF_FRONTEND_AFFINITY && frontend->affinity_s;
	struct wf_affinity_key key = { .client = client->addr, .service = frontend->service };
	__u32 number = 0;

	if (!run.size)
		return 0;
	if (sticks)
		number = wf_affinity_recall(&key, frontend->affinity_s, !!(frontend->flags & drop));
	if (number)
		return number;
	number = wf_pick(&run, frontend->service, frontend->algorithm, wf_pick_hash(tuple, sticks));
	if (number && sticks && client->purpose != WF_LB_TRACES)
		wf_affinity_keep(&key, number);
	return number;
}

/* A frontend was found: 1 or -reason. */
static __always_inline int wf_lb_serve(const struct wf_frontend_value *frontend,
				       const struct wf_tuple *tuple, const struct wf_client *client,
				       struct wf_target *target)
{
	__u32 drop = client->outside ? WF_FRONTEND_OUTSIDE_DROP : WF_FRONTEND_INSIDE_DROP;
	struct wf_backend_value *backend;

	target->service = frontend->service;
	if (client->purpose == WF_LB_MAY_LEAVE &&
	    (frontend->algorithm == WF_LB_ROUND_ROBIN || frontend->algorithm == WF_LB_LEAST))
		return 0;
	if (client->is_recorded && frontend->algorithm == WF_LB_LEAST)
		return 0;
	if (!wf_lb_admits(frontend, client))
		return -WF_REASON_SERVICE_SOURCE;
	target->backend = wf_lb_choose(frontend, tuple, client);
	backend = wf_backend_taking(target->backend, frontend->service);
	if (!backend)
		return frontend->flags & drop ? -WF_REASON_SERVICE_NOT_LOCAL
					      : -WF_REASON_SERVICE_NO_BACKEND;
	target->addr = backend->addr;
	target->port = backend->port;
	target->is_least = frontend->algorithm == WF_LB_LEAST;
	target->slot = backend->slot;
	target->scope = frontend->scope;
	target->flags = frontend->flags;
	target->conn_flags |= WF_CONN_SERVICE;
	return wf_lb_is_ip4(&target->addr) == wf_lb_is_ip4(&tuple->dst)
		       ? 1
		       : -WF_REASON_SERVICE_NO_BACKEND;
}

/*
 * A published run was found: 1, or 0 when it is of the other family, or of a container that only who
 * comes in by an uplink reaches, since its address means nothing to this host.
 */
static __always_inline int wf_lb_publish(const struct wf_range_value *range,
					 const struct wf_tuple *tuple,
					 const struct wf_client *client, struct wf_target *target)
{
	const struct wf_ep_value *endpoint = wf_map_endpoint(range->slot);
	__u32 step = bpf_ntohs(tuple->dport) - range->first;

	if (wf_lb_is_ip4(&range->target) != wf_lb_is_ip4(&tuple->dst))
		return 0;
	target->scope = endpoint ? endpoint->scope : WF_NETWORK_HOST;
	if (target->scope && !client->outside)
		return 0;
	target->addr = range->target;
	target->port = bpf_htons(bpf_ntohs(range->target_port) + step);
	target->service = range->service;
	target->slot = range->slot;
	target->flags = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE;
	target->conn_flags = WF_CONN_PUBLISHED | WF_CONN_VIA_HOST;
	return 1;
}

/* An address of the host: what answers there at any of its addresses. 1, 0 or -reason. */
static __always_inline int wf_lb_find_host(const struct wf_tuple *tuple,
					   const struct wf_client *client, struct wf_target *target)
{
	struct wf_addr any = tuple->dst;
	struct wf_frontend_value *frontend;
	struct wf_range_value *range;

	wf_lb_unspecify(&any);
	target->conn_flags = WF_CONN_VIA_HOST;
	frontend = wf_lb_frontend(tuple, &any, client);
	if (frontend)
		return wf_lb_serve(frontend, tuple, client, target);
	range = wf_range_find(&tuple->dst, tuple->dport, tuple->proto);
	if (!range)
		range = wf_range_find(&any, tuple->dport, tuple->proto);
	return range ? wf_lb_publish(range, tuple, client, target) : 0;
}

/*
 * Finds where a new connection to tuple's destination goes, and counts it for its service: 1 found,
 * 0 when nothing answers there, -SERVICE_* when it has to be refused or dropped.
 */
WF_GLOBAL int wf_lb_find(const struct wf_tuple *tuple, const struct wf_client *client,
			 struct wf_target *ret_target)
{
	struct wf_frontend_value *frontend;
	struct wf_addr_value *address;
	__u32 flags;
	int r;

	if (!tuple || !client || !ret_target)
		return 0;
	__builtin_memset(ret_target, 0, sizeof(*ret_target));
	frontend = wf_lb_frontend(tuple, &tuple->dst, client);
	if (frontend) {
		r = wf_lb_serve(frontend, tuple, client, ret_target);
	} else {
		address = wf_address_find(client->view, &tuple->dst);
		flags = address ? address->flags : 0;
		/* a scope's gateway is no address of the host */
		if (!client->view && (flags & (WF_ADDR_HOST | WF_ADDR_GATEWAY) ||
				      wf_lb_is_own_loopback(tuple, client)))
			r = wf_lb_find_host(tuple, client, ret_target);
		else
			r = flags & WF_ADDR_SERVICE ? -WF_REASON_SERVICE_NO_PORT : 0;
	}
	if (r && client->purpose == WF_LB_BEGINS)
		wf_lb_count(ret_target->service, r < 0);
	return r;
}

#endif
