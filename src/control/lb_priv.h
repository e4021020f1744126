/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control keeps for services, published ports and the way out: the tables and the steps
 * between them. Services are changed by key: whoever changes something touches the services it
 * concerns, and one flush resolves them and writes what differs.
 */
#ifndef WEFT_CONTROL_LB_PRIV_H
#define WEFT_CONTROL_LB_PRIV_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/index.h"
#include "control/claims.h"
#include "control/control.h"
#include "dp/conn.h"
#include "dp/lb.h"
#include "lb/select.h"
#include "lb/table.h"
#include "model/endpoint_slice.h"
#include "model/service.h"
#include "net/uplink.h"

struct ctl_endpoint;
struct ctl_remote;
struct ctl_check;

/* That a service has a backend with an address: it cares whether an endpoint has it. */
struct ctl_backend_link {
	struct wf_index_node node;
	struct ctl_service *service;
	struct wf_addr addr;
};

/* A service and what it was resolved to. */
struct ctl_service {
	char key[WF_NAME_BYTES]; /* NAMESPACE/NAME */
	struct wf_service spec;
	struct ctl_claimant *claimant;  /* owned; what it answers at */
	struct wf_index_node by_label;  /* the first of its selector, when it has one */
	struct wf_lb_ports ports;       /* as in force */
	struct ctl_backend_link *links; /* owned; of the backends of these */
	size_t link_count;
	struct ctl_slice *slices; /* list of those that name it */
	struct ctl_check *checks; /* owned; weft's own health checks of its backends */
	bool dirty;               /* in the list of those to be resolved */
	bool held;                /* in that of those that an apply holds back */
	struct ctl_service *prev_dirty, *next_dirty;
	bool programmed;
	struct wf_err *fault;         /* owned; why not; NULL: it is, or there was no memory */
	struct evhttp *health_server; /* of healthCheckNodePort; owned */
	uint16_t health_port;         /* where it listens */
	struct event *health_retry;   /* while it cannot; owned */
	size_t local_ready;
	UT_hash_handle by_key;
};

struct ctl_slice {
	char key[WF_NAME_BYTES];
	char service_key[WF_NAME_BYTES];
	struct wf_endpoint_slice spec;
	struct ctl_service *service;    /* NULL while it does not exist */
	struct ctl_slice *prev, *next;  /* of the same service */
	struct wf_index_node by_wanted; /* while its service does not exist: by what it is called */
	UT_hash_handle by_key;
};

/* An address in a scope, mostly the host's view, that is no endpoint's and no gateway's. */
struct ctl_view {
	struct wf_addr_key key;
	bool host;         /* an address of the host */
	uint32_t services; /* how many frontends have it */
	uint32_t sctp;     /* those of SCTP among them */
	uint32_t flags;    /* as written to the map; 0: not there */
	UT_hash_handle by_key;
};

struct ctl_lb {
	struct wf_lb_table *table;
	struct ctl_service *services;
	struct ctl_slice *slices;
	struct wf_index claims;    /* who answers where: claims.h */
	struct wf_index selecting; /* services, by the first label of their selectors */
	struct wf_index orphans;   /* slices whose service does not exist */
	struct wf_index links;     /* addresses of backends */
	struct ctl_service *dirty; /* list of those to be resolved */
	struct ctl_service *held;  /* those that are not before an apply is stored */
	size_t held_count;
	bool holding; /* what is touched now is held back */
	struct ctl_view *views;
	struct wf_net_uplink *uplinks; /* owned; those in force */
	size_t uplink_count;
	struct wf_prefix cluster_cidrs[2]; /* [0] IPv4, [1] IPv6 */
	uint64_t cluster_walked[2];        /* where the last search for a free one ended */
	uint64_t host_cookie;
	uint32_t config_flags;     /* enum wf_config_flag */
	size_t run_count;          /* published runs in force */
	struct event *flush_timer; /* services touched by something that is no request */
	struct event *sweep_timer; /* connections and numbers */
	bool has_least;            /* a service goes by the count of connections, or did */
	bool started;
	uint64_t *counted; /* owned; sockets that are to be looked for: recount.c */
	size_t counted_count;
	struct event *recount_timer;
	bool has_hooks;         /* those of sockets are in force */
	bool routes_changed;    /* routes to services are not what they shall be */
	bool settled;           /* all was resolved once: what is not known by now is not wanted */
	uint64_t full_alarm_ms; /* when the log last said that the table is full */
	struct wf_conn_state alarm; /* counters as they were then */
};

/* ---- service.c, service_flush.c -------------------------------------------------------------- */

int wf_ctl_lb_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_lb_stop(struct wf_control *control);
struct ctl_service *wf_ctl_service_find(struct wf_control *control, const char *key);
/* Take over *spec (zeroed). The change is in force after the next flush. */
int wf_ctl_service_put(struct wf_control *control, const char *key, struct wf_service *spec,
		       struct wf_err *err);
void wf_ctl_service_drop(struct wf_control *control, const char *key);
void wf_ctl_service_touch(struct wf_control *control, struct ctl_service *service);
/* Services that select an endpoint, or have one of its addresses as a backend. */
void wf_ctl_lb_touch_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint);
/* The same for an endpoint of another node. */
void wf_ctl_lb_touch_remote(struct wf_control *control, const struct ctl_remote *remote);
/* Services that are for this network only. */
void wf_ctl_lb_touch_network(struct wf_control *control, const char *network);
/* All of them: something that all depend on has changed. */
void wf_ctl_lb_touch_all(struct wf_control *control);
/* Tells the programs whether there is anything to look for. */
void wf_ctl_lb_config(struct wf_control *control);
/* Resolves and writes what was touched. What cannot be written is in the services' status. */
void wf_ctl_lb_flush(struct wf_control *control);
/* At most that many of those that were held back are to be resolved now; returns how many. */
size_t wf_ctl_lb_release(struct wf_control *control, size_t most);

/* ---- service_scope.c: whose a service is --------------------------------------------------------- */

/*
 * Who sees a service (WF_SCOPE_ANY, or a network's number) and the scope of its addresses. -ENOENT: its
 * network does not exist; -EOPNOTSUPP, -EADDRINUSE: not in such a network, with the field.
 */
int wf_ctl_service_scope(struct wf_control *control, const struct wf_service *spec,
			 uint32_t *ret_scope, uint32_t *ret_view, struct wf_err *err);
/* The scope of a service's addresses, of what kind it may be. */
uint32_t wf_ctl_service_view(struct wf_control *control, const struct wf_service *spec);

/* ---- slice.c ------------------------------------------------------------------------------- */

int wf_ctl_slice_put(struct wf_control *control, const char *key, struct wf_endpoint_slice *spec,
		     struct wf_err *err);
void wf_ctl_slice_drop(struct wf_control *control, const char *key);
/* The slices that came before their service; those of a service that goes. */
void wf_ctl_slices_adopt(struct wf_control *control, struct ctl_service *service);
void wf_ctl_slices_orphan(struct wf_control *control, struct ctl_service *service);
/* All of them, after the services. */
void wf_ctl_slices_free(struct wf_control *control);

/* ---- service_alloc.c: what a document leaves open, and what it must not be ------------------ */

/* Completes cluster addresses and node ports, and refuses clashes; control->plan is set. */
int wf_ctl_service_complete(struct wf_control *control, const char *key, struct wf_service *spec,
			    const struct wf_service *before, struct wf_err *err);
/*
 * Who has a port of the host's addresses already: another service or endpoint. Returns 1 and the
 * name, or 0. addr zero: all addresses. except: an object's own key, NULL none.
 */
int wf_ctl_port_claimed(struct wf_control *control, uint8_t proto, const struct wf_addr *addr,
			uint16_t first, uint16_t last, const char *except, char ret_who[320]);

/* Whether a service has an address within the prefix: 1 and its name, or 0. */
int wf_ctl_prefix_served(struct wf_control *control, const struct wf_prefix *prefix,
			 char ret_who[320]);

/* ---- view.c: addresses in the host's view, and in other scopes -------------------------------- */

/* One more (or less) frontend of that protocol has the address, which is one of that scope. */
int wf_ctl_view_service(struct wf_control *control, uint32_t scope, const struct wf_addr *addr,
			uint8_t proto, int delta);
/* The host's own addresses are exactly these. */
int wf_ctl_view_host(struct wf_control *control, const struct wf_addr *addrs, size_t count);
/* Flags an address shall have in a scope when it is nobody else's; 0: none. */
uint32_t wf_ctl_view_flags(const struct wf_control *control, uint32_t scope,
			   const struct wf_addr *addr);
bool wf_ctl_view_is_host(const struct wf_control *control, const struct wf_addr *addr);
/* Writes all again (the map was emptied or is being compared). */
int wf_ctl_view_program(struct wf_control *control, struct wf_err *err);
void wf_ctl_view_free(struct wf_control *control);

/* ---- host_route.c ----------------------------------------------------------------------------- */

/* Beside it others' routes to the very address stay, and win if they have none or a smaller one. */
#define CTL_SERVICE_ROUTE_METRIC 2

/* Whether the host shall have a route to a service's address, and which. */
bool wf_ctl_view_is_routed(const struct wf_control *control, const struct ctl_view *view);
struct wf_net_route wf_ctl_host_route(const struct wf_control *control,
				      const struct ctl_view *view);
/* Brings the host's routes up to date if what they shall be has changed. */
int wf_ctl_host_routes_sync(struct wf_control *control, struct wf_err *err);

/* ---- recount.c -------------------------------------------------------------------------------- */

/* Soon, sockets that count for a backend by now and have ended do not any more. */
void wf_ctl_recount_start(struct wf_control *control);
void wf_ctl_recount_stop(struct wf_control *control);

/* ---- uplink.c, netns.c ----------------------------------------------------------------------- */

/* Filters and values of the devices that lead out; what failed is logged and tried at changes. */
int wf_ctl_uplinks_sync(struct wf_control *control, struct wf_err *err);
/*
 * Settings of the host that were changed, for `weft cleanup`: a file in the run directory, which
 * lasts as long as they do, until the next boot. Adds to what is there.
 */
#define WF_CTL_FORWARDING_FILE "forwarding"
int wf_ctl_forwarding_note(const char *run_dir, const char *changed, struct wf_err *err);
/* A device that leads out; NULL: this one does not. */
const struct wf_net_uplink *wf_ctl_uplink_at(const struct wf_control *control, uint32_t ifindex);
bool wf_ctl_is_uplink(const struct wf_control *control, uint32_t ifindex);
/* The namespace of an endpoint as the socket hooks know it; endpoint NULL: the host's. */
int wf_ctl_netns_program(struct wf_control *control, const struct ctl_endpoint *endpoint,
			 struct wf_err *err);
/* The same without this endpoint, which goes. */
void wf_ctl_netns_unprogram(struct wf_control *control, const struct ctl_endpoint *endpoint);
int wf_ctl_netns_program_all(struct wf_control *control, struct wf_err *err);
/* Puts the socket hooks in force; without them packets are translated one by one. */
void wf_ctl_sockets_attach(struct wf_control *control);

/* ---- lb_sources.c: who of the host may use what only some may ------------------------------- */

/* Admits the host's processes where its addresses are. -ENOMEM. */
int wf_ctl_sources_admit_host(const struct wf_control *control, struct wf_lb_ports *ports);
/* Before the uplinks become these: services of which the host's addresses decide are touched. */
void wf_ctl_sources_note_uplinks(struct wf_control *control, const struct wf_net_uplink *uplinks,
				 size_t count);

/* ---- publish.c ------------------------------------------------------------------------------- */

/* Refuses what an endpoint wants to publish and somebody else has. */
int wf_ctl_publish_check(struct wf_control *control, const struct ctl_endpoint *endpoint,
			 struct wf_err *err);
/* Writes the published runs of all endpoints but `without` (NULL: none). */
int wf_ctl_publish_sync(struct wf_control *control, const struct ctl_endpoint *without,
			struct wf_err *err);

/* ---- conntrack.c ----------------------------------------------------------------------------- */

/* Ends the translated connections of an endpoint that goes. */
void wf_ctl_conn_forget(struct wf_control *control, const struct ctl_endpoint *endpoint);
/* Arms the timer that sweeps connections, if it is not. */
void wf_ctl_sweep_arm(struct wf_control *control);
int wf_ctl_sweep_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_sweep_stop(struct wf_control *control);

/* ---- check.c: weft's own health checks; health_server.c -------------------------------------- */

/* Brings the checks of a service to what its backends are now. */
void wf_ctl_checks_sync(struct wf_control *control, struct ctl_service *service);
bool wf_ctl_check_is_healthy(const struct ctl_service *service, const struct wf_addr *addr,
			     uint16_t port);
void wf_ctl_checks_free(struct ctl_service *service);
/* The server of healthCheckNodePort, started or stopped as the service wants it. */
bool wf_ctl_wants_health_server(const struct wf_service *spec);
void wf_ctl_health_server_sync(struct wf_control *control, struct ctl_service *service);
void wf_ctl_health_server_free(struct ctl_service *service);

/* Metrics of all this. */
void wf_ctl_lb_metrics(struct wf_control *control, struct wf_str *out);

#endif
