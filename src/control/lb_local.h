/* SPDX-License-Identifier: Apache-2.0 */
/* Backends of a service: its slices, or the endpoints of this node that its selector names. */
#ifndef WEFT_CONTROL_LB_LOCAL_H
#define WEFT_CONTROL_LB_LOCAL_H

#include "control/lb_priv.h"
#include "model/endpoint.h"

/* What the callbacks of a resolution know. */
struct resolve {
	struct wf_control *control;
	struct ctl_service *service;
	uint32_t view; /* scope of its addresses */
};

/* The slices of a service; made ones are owned, others borrowed. */
struct local_slices {
	struct wf_endpoint_slice *made; /* owned */
	size_t made_count, made_capacity;
	const struct wf_endpoint_slice **refs; /* owned list */
	size_t count, capacity;
};

void wf_ctl_slices_done(struct local_slices *slices);
int wf_ctl_slices_gather(struct wf_control *control, const struct ctl_service *service,
			 struct local_slices *slices, struct wf_err *err);
/* An endpoint as services see it, of whatever node. All borrowed. */
struct local_member {
	const char *name, *node, *network;
	uint32_t scope; /* of its addresses */
	const struct wf_labels *labels;
	const struct wf_endpoint_port *ports;
	size_t port_count;
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	size_t addr_count;
};
struct local_member wf_ctl_member_of(const struct wf_control *control,
				     const struct ctl_endpoint *endpoint);
struct local_member wf_ctl_member_of_remote(const struct ctl_remote *remote);
/* Whether the service's selector names it. */
bool wf_ctl_service_selects(const struct ctl_service *service, const struct local_member *member);
/*
 * How many endpoints a selector passes over, since their addresses mean nothing beyond their network:
 * a service has to name it. ret_network: of one of them. Borrowed.
 */
size_t wf_ctl_service_overlooked(struct wf_control *control, const struct ctl_service *service,
				 const char **ret_network);
/* Calls with each service without slices whose selector names it. */
void wf_ctl_services_selecting(struct wf_control *control, const struct local_member *member,
			       void (*visit)(struct wf_control *control,
					     struct ctl_service *service));

/*
 * Ends sockets that were translated at connect() to a backend that is no longer in use: UDP ones
 * at once, so that they move, TCP ones when the service cuts. Before `now` takes effect.
 */
void wf_ctl_moved_sockets(struct wf_control *control, const struct ctl_service *service,
			  const struct wf_lb_ports *now);

/* ---- service.c and service_flush.c, of each other ------------------------------------------------ */

/* It is not to be resolved any more. */
void wf_ctl_service_untouch(struct wf_control *control, struct ctl_service *service);
/* Out of the datapath; connections to it are moved. */
void wf_ctl_service_withdraw(struct wf_control *control, struct ctl_service *service);
/* Forgets which addresses its backends have. */
void wf_ctl_service_unlink(struct wf_control *control, struct ctl_service *service);

#endif
