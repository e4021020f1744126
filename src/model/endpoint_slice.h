/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointSlice (discovery.k8s.io/v1) as Kubernetes defines it. Pure. */
#ifndef WEFT_MODEL_ENDPOINT_SLICE_H
#define WEFT_MODEL_ENDPOINT_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"
#include "model/meta.h"

#define WF_KIND_ENDPOINT_SLICE        "EndpointSlice"
#define WF_ENDPOINT_SLICE_API_VERSION "discovery.k8s.io/v1"

/* The label that names the service a slice belongs to. */
#define WF_LABEL_SERVICE_NAME "kubernetes.io/service-name"

/* Most endpoints of one slice (Kubernetes: 1000; hand-written ones may be longer). */
#define WF_SLICE_MAX_ENDPOINTS 65536

struct wf_slice_port {
	char name[64]; /* "" */
	uint8_t proto;
	uint16_t port; /* 0: not given; such ports are ignored */
};

struct wf_slice_endpoint {
	struct wf_addr addr; /* the first one; Kubernetes says that the others mean nothing */
	uint32_t weight;     /* annotation-free slices: 1 */
	bool ready;          /* conditions, absent ones as the API says: ready and serving true */
	bool serving;
	bool terminating;
	struct wf_shared *node;   /* held; NULL unknown */
	struct wf_shared *zone;   /* held; NULL unknown */
	struct wf_shared *target; /* held; targetRef.name, NULL none */
	char **zone_hints;        /* owned; NULL-terminated; NULL: none */
	char **node_hints;        /* owned; NULL-terminated; NULL: none */
};

struct wf_endpoint_slice {
	struct wf_meta meta;
	char service[64];            /* name of the service in the slice's namespace; "" none */
	bool ip6;                    /* addressType */
	bool fqdn;                   /* addressType FQDN: nothing for us */
	struct wf_slice_port *ports; /* owned */
	size_t port_count, port_capacity;
	struct wf_slice_endpoint *endpoints; /* owned */
	size_t endpoint_count, endpoint_capacity;
};

void wf_endpoint_slice_done(struct wf_endpoint_slice *slice);
/*
 * As wf_service_from_json(): address of the wrong family, no address, port out of range are named.
 * The annotation weft.dev/weight on the slice gives its endpoints a weight (1 to 256).
 */
int wf_endpoint_slice_from_json(struct wf_endpoint_slice *slice, const json_t *document,
				struct wf_err *err);

#endif
