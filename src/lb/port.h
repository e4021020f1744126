/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One port of one service in one family, resolved: the addresses it is reached at and the
 * backends it leads to. What lb/select.h makes and lb/table.h puts into the kernel. Pure.
 */
#ifndef WEFT_LB_PORT_H
#define WEFT_LB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/lb.h>

#include "base/addr.h"
#include "base/shared.h"

/* struct wf_lb_backend.sets */
enum wf_lb_set {
	WF_LB_INSIDE = 1 << 0,   /* new connections to the service's own address may go there */
	WF_LB_OUTSIDE = 1 << 1,  /* those of clients from outside to the other addresses */
	WF_LB_EXTERNAL = 1 << 2, /* those of containers and the host to the other addresses: a Local
				  * policy for outsiders does not bind insiders */
};

/* Why a backend is in the sets it is in; shown to people. */
enum wf_lb_state {
	WF_LB_READY,
	WF_LB_TERMINATING, /* still serving: used only while no other is ready */
	WF_LB_NOT_READY,
	WF_LB_UNHEALTHY, /* weft's own health check says so */
	WF_LB_STATE_COUNT,
};

struct wf_lb_backend {
	struct wf_addr addr;
	uint32_t weight; /* from 1 */
	uint32_t sets;   /* enum wf_lb_set; 0: known, and takes no new connections */
	enum wf_lb_state state;
	uint32_t slot; /* of the local endpoint, WF_SLOT_HOST: elsewhere */
	uint16_t port;
	bool is_local;            /* on this node, be it in the host's own namespace */
	struct wf_shared *node;   /* held; NULL unknown */
	struct wf_shared *zone;   /* held; NULL unknown */
	struct wf_shared *target; /* held; what it is, for people: the pod's or endpoint's name */
};

struct wf_lb_frontend {
	struct wf_addr addr; /* unspecified of its family: every address of the host */
	uint16_t port;
	uint32_t scope; /* WF_SCOPE_ANY or a network's number; WF_NETWORK_HOST beside the latter */
	/* Scope of the address: that of the backends, or the host's for who is outside. */
	uint32_t view;
	enum wf_frontend_type type;
	uint16_t flags; /* enum wf_frontend_flag */
};

struct wf_lb_port {
	char *key; /* owned; "NAMESPACE/SERVICE:PORT/tcp/IPv4": what it is known by */
	uint8_t proto;
	enum wf_lb_algorithm algorithm;
	uint32_t view;                    /* scope of its backends: WF_NETWORK_HOST, or a network */
	uint32_t affinity_s;              /* 0: none */
	bool cut;                         /* established TCP to a backend that left is reset */
	struct wf_lb_frontend *frontends; /* owned */
	size_t frontend_count, frontend_capacity;
	struct wf_lb_backend *backends; /* owned; no two alike; sorted by address and port */
	size_t backend_count, backend_capacity;
	struct wf_prefix *sources; /* owned; who may use LOAD_BALANCER frontends; none: all */
	size_t source_count, source_capacity;
};

struct wf_lb_ports {
	struct wf_lb_port *items; /* owned */
	size_t count, capacity;
};

void wf_lb_port_done(struct wf_lb_port *port);
void wf_lb_ports_done(struct wf_lb_ports *ports);
const char *wf_lb_state_name(enum wf_lb_state state);    /* "ready", "terminating", ... */
const char *wf_lb_type_name(enum wf_frontend_type type); /* "ClusterIP", "NodePort", ... */

#endif
