/* SPDX-License-Identifier: Apache-2.0 */
/* The attach request and the steps of it that have files of their own. */
#ifndef WEFT_CONTROL_ATTACH_PRIV_H
#define WEFT_CONTROL_ATTACH_PRIV_H

#include "control/control_priv.h"

/* A parsed request; strings are borrowed from the JSON body. */
struct attach_request {
	const char *network, *netns, *ifname, *name, *container_id, *owner, *sticky_name;
	bool create_network, sticky;
	bool default_route, default_route_given;
	uint32_t mtu;
	struct wf_mac mac; /* zero: choose */
	struct wf_addr addresses[WF_MAX_ENDPOINT_ADDRESSES];
	size_t address_count;
	struct attach_range_set *range_sets; /* owned; one address from each */
	size_t range_set_count;
	const json_t *labels, *annotations, *extra, *publish, *ports;
};

/* One inner list of the CNI capability ipRanges. */
struct attach_range_set {
	struct wf_ranges ranges;
};

/* Checks and reads a request; errors name the field. */
int wf_ctl_attach_parse(struct attach_request *request, const json_t *body, struct wf_err *err);
void wf_ctl_attach_request_done(struct attach_request *request);

/* Copies what an endpoint keeps of a request. */
int wf_ctl_attach_copy(const struct attach_request *request, struct wf_endpoint *spec,
		       struct wf_err *err);

/* Takes the addresses of an endpoint: asked for, held for its name, or the next free ones. */
int wf_ctl_attach_addresses(struct wf_control *control, struct ctl_network *network,
			    const struct attach_request *request, struct wf_endpoint *spec,
			    struct wf_err *err);

/* Gives them back. cool: they were in use. */
void wf_ctl_attach_unaddress(struct ctl_network *network, const struct wf_endpoint *spec,
			     bool cool);

/* Holds the addresses of a sticky endpoint; *ret_fresh is NULL when they were held already. */
int wf_ctl_attach_reserve(struct wf_control *control, struct ctl_network *network,
			  const struct wf_endpoint *spec, struct ctl_reservation **ret_fresh,
			  struct wf_err *err);

/* ---- attach_endpoint.c ---------------------------------------------------------------------- */

/* Everything an endpoint is, before anything is made. Slot and addresses are taken. */
int wf_ctl_attach_fill(struct wf_control *control, struct ctl_network *network,
		       const struct attach_request *request, const struct wf_net_ns_id *ns,
		       struct wf_endpoint *spec, struct wf_err *err);

/* ---- attach_store.c ------------------------------------------------------------------------- */

/* What an attach stores, on its way. */
struct attach_record {
	json_t *document, *reservation; /* owned */
	struct ctl_leases leases;
	struct wf_store_write writes[2 + CTL_LEASE_WRITES];
	size_t count;
	bool is_new;
	struct ctl_flight flight;
};

/*
 * Begins to store an endpoint as it is; fresh: a reservation that is stored with it, may be NULL.
 * To be followed by recorded or retract; the control is not asked to store anything in between.
 */
int wf_ctl_attach_record(struct wf_control *control, const struct wf_endpoint *spec,
			 const struct ctl_reservation *fresh, struct attach_record *record,
			 struct wf_err *err);
/* Waits until it is stored. *ret_document: new reference to what was stored; may be NULL. */
int wf_ctl_attach_recorded(struct wf_control *control, struct wf_endpoint *spec,
			   struct attach_record *record, json_t **ret_document, struct wf_err *err);
/* Takes back what began to be stored, now or as soon as the store can be asked. */
void wf_ctl_attach_retract(struct wf_control *control, struct wf_endpoint *spec,
			   struct attach_record *record);
void wf_ctl_attach_record_done(struct attach_record *record);
/* The first two at once. */
int wf_ctl_attach_store(struct wf_control *control, struct wf_endpoint *spec, struct wf_err *err);
/* The name is taken by an endpoint of another node: -EEXIST. */
int wf_ctl_attach_fail_elsewhere(struct wf_err *err, const char *name, const char *node);

/* Under which name the pools know an endpoint: its sticky name, or its own. */
const char *wf_ctl_pool_owner(const struct wf_endpoint *spec);

#endif
