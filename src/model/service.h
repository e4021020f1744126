/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service (v1) as Kubernetes defines it; fields that weft does not use are kept. weft's own
 * additions are annotations, so that the same file works in a cluster:
 *
 *   weft.dev/algorithm: maglev | random | round-robin | least-connections
 *   weft.dev/termination: drain | cut       # established TCP when a backend leaves
 *   weft.dev/forwarding: snat | dsr         # outside clients whose backend is on another node
 *   weft.dev/network: NAME                  # only endpoints of this network see the service
 *   weft.dev/health-check: tcp | http://:PORT/PATH    # weft asks the backends itself
 *   weft.dev/health-check-interval: 2s
 *
 * Pure.
 */
#ifndef WEFT_MODEL_SERVICE_H
#define WEFT_MODEL_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/lb.h>

#include "base/addr.h"
#include "model/meta.h"

#define WF_KIND_SERVICE        "Service"
#define WF_SERVICE_API_VERSION "v1"

#define WF_SERVICE_MAX_PORTS 256
#define WF_PORT_NAME_BYTES   64

enum wf_service_type {
	WF_SERVICE_CLUSTER_IP,
	WF_SERVICE_NODE_PORT,
	WF_SERVICE_LOAD_BALANCER,
	WF_SERVICE_EXTERNAL_NAME,
	WF_SERVICE_TYPE_COUNT,
};

struct wf_service_port {
	char name[WF_PORT_NAME_BYTES]; /* "" when the only one */
	uint8_t proto;                 /* IPPROTO_TCP, UDP, SCTP */
	uint16_t port;
	uint16_t node_port;                   /* 0: none (yet) */
	uint16_t target_port;                 /* 0: by name */
	char target_name[WF_PORT_NAME_BYTES]; /* "" when by number */
};

/* A list of addresses. */
struct wf_service_addrs {
	struct wf_addr *items; /* owned */
	size_t count, capacity;
};

/* weft's own health check of backends. */
struct wf_service_check {
	enum {
		WF_CHECK_NONE,
		WF_CHECK_TCP,
		WF_CHECK_HTTP
	} type;
	uint16_t port;  /* 0: the backend's own */
	char path[128]; /* HTTP */
	uint32_t interval_ms;
};

struct wf_service {
	struct wf_meta meta;
	enum wf_service_type type;
	struct wf_labels selector;     /* empty: slices only */
	bool headless;                 /* clusterIP: None */
	bool foreign;                  /* another proxy's, or made for no proxy */
	struct wf_addr cluster_ips[2]; /* first the first family's; zero when none */
	size_t cluster_ip_count;
	bool want_ip4, want_ip6; /* families it shall have (ipFamilies, ipFamilyPolicy) */
	bool ip6_first;
	bool require_dual; /* RequireDualStack: refuse rather than be single */
	struct wf_service_addrs external_ips;
	struct wf_service_addrs balancer_ips; /* status.loadBalancer.ingress with ipMode VIP,
					       * and spec.loadBalancerIP */
	struct wf_prefix *sources;            /* owned; loadBalancerSourceRanges */
	size_t source_count, source_capacity;
	struct wf_service_port *ports; /* owned */
	size_t port_count, port_capacity;
	uint32_t affinity_s; /* 0: none */
	bool external_local; /* externalTrafficPolicy: Local */
	bool internal_local; /* internalTrafficPolicy: Local */
	bool publish_not_ready;
	bool allocate_node_ports;        /* allocateLoadBalancerNodePorts */
	uint16_t health_check_node_port; /* 0: none */
	enum wf_lb_algorithm algorithm;
	bool cut;
	bool dsr;
	char network[WF_NAME_BYTES]; /* "" every one */
	struct wf_service_check check;
	json_t *document; /* owned; as read, for what we do not know */
};

void wf_service_done(struct wf_service *service);
/*
 * Reads and checks a document that passed wf_document_check(). Errors name the field: no ports, a
 * port out of range, two ports alike, an address of the wrong family, Local policies where they
 * mean nothing, unknown annotations of weft.dev. *service must be zeroed; untouched on failure.
 */
int wf_service_from_json(struct wf_service *service, const json_t *document, struct wf_err *err);
/*
 * The document with what was chosen for it since (clusterIP, clusterIPs, ipFamilies, nodePort,
 * healthCheckNodePort) and defaults spelled out; all else as it was read. NULL: no memory.
 */
json_t *wf_service_to_json(const struct wf_service *service);
const char *wf_service_type_name(enum wf_service_type type);
/* As in the annotation: "maglev", "random", "round-robin", "least-connections". */
const char *wf_lb_algorithm_name(enum wf_lb_algorithm algorithm);
/* WF_LB_ALGORITHM_COUNT when unknown. */
enum wf_lb_algorithm wf_lb_algorithm_from_name(const char *name);

#endif
