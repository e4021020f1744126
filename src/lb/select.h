/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a Service and what is known of its backends to ports: which addresses it answers at and
 * which backends serve whom. Follows kube-proxy (Kubernetes 1.36 pkg/proxy/topology.go): traffic
 * policies, topology hints, serving and terminating. Pure: facts come in as arguments.
 */
#ifndef WEFT_LB_SELECT_H
#define WEFT_LB_SELECT_H

#include "base/err.h"
#include "lb/port.h"
#include "model/endpoint_slice.h"
#include "model/service.h"

/* What is true on this node. */
struct wf_lb_facts {
	const char *node; /* name of this node */
	const char *zone; /* topology.kubernetes.io/zone of this node, "" unknown */
	uint32_t scope;   /* of the frontends: WF_SCOPE_ANY, or the network of weft.dev/network */
	/*
	 * Scope of the backends: WF_NETWORK_HOST, or that network. Then its containers see the service's
	 * addresses in it, and of them who is outside sees all but the service's own.
	 */
	uint32_t view;
	/* The slot of the local endpoint with an address, WF_SLOT_HOST when there is none. */
	uint32_t (*slot_of)(const struct wf_addr *addr, void *context);
	/* Whether weft's own health check found the backend alive; true where there is no check. */
	bool (*is_healthy)(const struct wf_addr *addr, uint16_t port, void *context);
	void *context;
};

/*
 * Resolves every port of a service in every family it has. Slices are those of the service, both
 * families; `slices` may be empty. Headless and ExternalName services and those of another proxy
 * give no port. Endpoints that occur in several slices count once. *ret_ports is the caller's.
 * -ENOMEM.
 */
int wf_lb_select(const struct wf_service *service, const struct wf_endpoint_slice *const *slices,
		 size_t slice_count, const struct wf_lb_facts *facts, struct wf_lb_ports *ret_ports,
		 struct wf_err *err);

/*
 * Number of distinct ready backends on this node, over all ports and families: what the health
 * check node port answers.
 */
size_t wf_lb_local_ready(const struct wf_lb_ports *ports);

#endif
