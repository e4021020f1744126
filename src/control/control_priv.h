/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of control share: the tables and the small steps between them. */
#ifndef WEFT_CONTROL_CONTROL_PRIV_H
#define WEFT_CONTROL_CONTROL_PRIV_H

/* A failed allocation inside uthash leaves the element out; HASH_ADD callers look at its tbl. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/index.h"
#include "control/cluster_priv.h"
#include "control/control.h"
#include "control/lb_priv.h"
#include "control/policy_priv.h"
#include "control/scope.h"
#include "flow/flow.h"
#include "ipam/choose.h"
#include "ipam/pool.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/reservation.h"

/* One network and what hangs on it. */
struct ctl_network {
	struct wf_network spec;
	struct wf_control *control;            /* whose it is */
	struct wf_pool *pools[WF_MAX_SUBNETS]; /* owned; one per subnet, same order */
	uint32_t mtu;                          /* in force */
	char parent[16];                       /* macvlan, ipvlan: in force */
	uint32_t parent_ifindex;
	uint16_t vlan;         /* the tag of the parent, if it is a VLAN's device; or 0 */
	uint32_t base_ifindex; /* what the parent is a VLAN of; or 0 */
	bool has_made_vlan;    /* the parent is a VLAN's device of weft's making */
	bool is_stranded;      /* endpoints have lost their interfaces with a former parent */
	uint32_t host_ifindex; /* macvlan: the host's own device, 0 when none */
	struct wf_addr host_addrs[2]; /* overlay: the host's own, IPv4 and IPv6; zero: none */
	size_t endpoint_count;
	struct ctl_block *blocks; /* overlay: those that are a node's; hash by cidr */
	uint64_t borrowed_total;  /* addresses given out that were in no block of this node's */
	uint64_t exhausted_total; /* attaches refused for want of an address */
	UT_hash_handle by_name;
};

/* What an endpoint is found by beside its names: an address, or a label. */
struct ctl_endpoint_key {
	struct wf_index_node node;
	struct ctl_endpoint *endpoint;
};

/* One endpoint. */
struct ctl_endpoint {
	struct wf_endpoint spec;
	struct ctl_network *network;   /* borrowed; outlives its endpoints */
	struct ctl_endpoint_key *keys; /* owned; one for each address, then one for each label */
	size_t key_count;
	char *container_key;         /* owned; "ID/IFNAME"; NULL when not a container's */
	UT_hash_handle by_container; /* in the table when container_key is set */
	struct wf_index_node by_space;
	UT_hash_handle by_name;
	struct ctl_endpoint *prev_publisher, *next_publisher; /* when it publishes ports */
	bool has_stale_routes;  /* those inside may be others than it shall have: service_route.c */
	uint64_t noted_packets; /* when its connections were last noted: policy_seed.c */
};

struct ctl_reservation {
	struct wf_reservation spec;
	struct wf_index_node by_holder; /* and network */
	UT_hash_handle by_name;
};

struct ctl_kind_ops;

/* One document of an apply, checked and completed; see apply_plan.c. */
struct ctl_change {
	const char *kind; /* borrowed: the kind table's */
	const struct ctl_kind_ops *ops;
	char name[WF_NAME_BYTES];
	json_t *document; /* owned; as it will be stored */
	json_t *before;   /* owned; as it is stored, NULL when new */
	bool changed;
	bool in_force; /* its effect was made and must be undone on failure */
	union {        /* by kind: there may be 100,000 changes in a plan, and these are large */
		struct wf_network network; /* also seen by checks of later documents */
		struct wf_reservation reservation;
		struct wf_service service;
	};
	struct ctl_claimant *claimant;   /* owned; of the service: what later documents must see */
	struct ctl_change *next_network; /* of the plan's networks, in their order */
	struct wf_index_node by_name;    /* and kind */
	struct wf_index_node by_holder;  /* and network; when kind is Reservation */
};

struct ctl_plan {
	struct ctl_change *items; /* owned; does not move */
	size_t count, room;
	struct ctl_change *networks, **networks_end;
	struct wf_index by_name, by_holder;
	bool gathered; /* what the policy engine gathers is in force */
};

/* State of one slot of the datapath's endpoint table. */
enum ctl_slot {
	CTL_SLOT_FREE,
	CTL_SLOT_USED,
	CTL_SLOT_DYING, /* fenced; its device is not gone yet */
};

/* What a repair has to look at; bits of wf_control.dirty. */
enum ctl_dirty {
	CTL_DIRTY_HOST = 1 << 0,       /* weft0, its addresses and routes */
	CTL_DIRTY_FILTERS = 1 << 1,    /* the two shared blocks */
	CTL_DIRTY_DEVICES = 1 << 2,    /* host sides: present, up, in the blocks */
	CTL_DIRTY_NAMESPACES = 1 << 3, /* endpoints without a slot: their namespace may be gone */
	CTL_DIRTY_MAPS = 1 << 4,       /* every entry of the maps */
	CTL_DIRTY_LOST = 1 << 5,       /* slots whose device was deleted */
	CTL_DIRTY_UPLINKS = 1 << 6,    /* devices that lead out, the host's addresses */
	CTL_DIRTY_SERVICES = 1 << 7,   /* frontends that could not be written */
	CTL_DIRTY_POLICY = 1 << 8,     /* who this node is to policies */
	CTL_DIRTY_WAYS = 1 << 9,       /* by which ways other nodes are reached */
	CTL_DIRTY_ALL = (1 << 10) - 1,
	CTL_DIRTY_REST = 1 << 10,   /* what the start left for later: see wf_ctl_settle() */
	CTL_DIRTY_ROUTES = 1 << 11, /* routes to services inside of containers */
};

struct wf_control {
	struct wf_control_config config;
	struct wf_store *store;
	struct wf_dp *dp;
	struct wf_net *net;
	struct event_base *loop;
	struct ctl_network *networks;         /* hash by name */
	struct ctl_network *last_found;       /* most look for the same one again; NULL: none */
	struct ctl_endpoint *endpoints;       /* hash by name */
	struct ctl_endpoint *containers;      /* the same, hash by container_key */
	struct wf_index addresses;            /* of the endpoints, as keys */
	struct wf_index labels;               /* the same, with the namespace */
	struct wf_index spaces;               /* of the endpoints, by network namespace */
	struct ctl_endpoint *publishers;      /* list of those that publish ports */
	struct ctl_reservation *reservations; /* hash by name */
	struct wf_index holders;              /* of the reservations, with their networks */
	struct ctl_network *by_number[WF_MAX_NETWORKS];
	struct ctl_endpoint *by_slot[WF_MAX_SLOTS];
	uint8_t slots[WF_MAX_SLOTS]; /* enum ctl_slot */
	uint8_t odd[WF_MAX_SLOTS];   /* the last event: the slot's device is not as it was made */
	uint32_t odd_count;
	uint8_t lost[WF_MAX_SLOTS]; /* the device of a used slot was deleted by others */
	uint32_t slot_cursor;
	size_t endpoint_count;
	uint32_t weft0_ifindex;
	struct wf_mac weft0_mac; /* also what every gateway answers: no frame has to be rewritten */
	bool is_netkit;          /* what new endpoints get instead of veth */
	uint8_t ula_seed[5];
	char boot_id[37];
	struct ctl_plan *plan;      /* borrowed while a document is being checked */
	struct ctl_apply *applying; /* under way; see apply_job.c */
	uint32_t dirty;             /* enum ctl_dirty */
	struct event *repair_timer; /* armed while dirty */
	struct event *net_event;
	struct event *ring_event; /* added while somebody observes */
	struct wf_observer *observers;
	char *spool_dir;           /* owned; NULL: not known yet */
	struct event *spool_timer; /* while something there waits for the disk */
	uint64_t repairs_total;    /* things others broke and we put right */
	uint64_t started_ms;
	uint64_t repair_window_ms; /* start of the window that limits repairs */
	uint32_t repair_count;     /* in that window */
	struct ctl_lb lb;
	struct ctl_policy policy;
	struct ctl_cluster cluster;
};

/* ---- table.c: the tables ------------------------------------------------------------------ */

/* Copies uid, resourceVersion and creation time from a stored document. */
void wf_ctl_meta_adopt(struct wf_meta *meta, const json_t *document);
struct ctl_network *wf_ctl_network_find(struct wf_control *control, const char *name);
/* By its number in the datapath, or its scope's; NULL: there is none (WF_NETWORK_HOST is none). */
struct ctl_network *wf_ctl_network_at(const struct wf_control *control, uint32_t number);
struct ctl_endpoint *wf_ctl_endpoint_find(struct wf_control *control, const char *name);
/*
 * -ENOENT, said with the endpoint that may have been meant: one whose name begins so. advice: what is
 * said when there is none; NULL: where to look.
 */
int wf_ctl_endpoint_missing(const struct wf_control *control, const char *name, const char *advice,
			    struct wf_err *err);
struct ctl_endpoint *wf_ctl_endpoint_by_container(struct wf_control *control,
						  const char *container_id, const char *ifname);
struct ctl_reservation *wf_ctl_reservation_find(struct wf_control *control, const char *name);
/* The endpoint of a network that has an address, NULL when none. */
struct ctl_endpoint *wf_ctl_endpoint_by_address(struct wf_control *control,
						const struct ctl_network *network,
						const struct wf_addr *addr);
/* The slot of the endpoint that has an address in a scope; WF_SLOT_HOST: no endpoint's of this node. */
uint32_t wf_ctl_slot_by_address(struct wf_control *control, uint32_t scope,
				const struct wf_addr *addr);
/* The namespace that an endpoint with these labels is in. Borrowed. */
const char *wf_ctl_namespace_of(const struct wf_labels *labels);
/* What endpoints of a namespace with a label have as their hash in control->labels. */
uint64_t wf_ctl_label_hash(const char *namespace, const char *key, const char *value);
/* What endpoints of a network namespace have as their hash in control->spaces; and the question. */
uint64_t wf_ctl_space_hash(const struct wf_endpoint *spec);
bool wf_ctl_is_same_space(const struct wf_endpoint *a, const struct wf_endpoint *b);
/* The reservation of a network that a holder may use, NULL when none. */
struct ctl_reservation *wf_ctl_reservation_of(struct wf_control *control, const char *network,
					      const char *holder);
/* What reservations have as their hash in control->holders. */
uint64_t wf_ctl_holder_hash(const char *network, const char *holder);
/* Takes over *spec (zeroed) and puts it into the table. -ENOMEM: *spec stays the caller's. */
int wf_ctl_network_insert(struct wf_control *control, struct wf_network *spec,
			  struct ctl_network **ret_network, struct wf_err *err);
void wf_ctl_network_remove(struct wf_control *control, struct ctl_network *network);
/* As wf_ctl_network_insert(). */
int wf_ctl_endpoint_insert(struct wf_control *control, struct wf_endpoint *spec,
			   struct ctl_network *network, struct ctl_endpoint **ret_endpoint);
void wf_ctl_endpoint_remove(struct wf_control *control, struct ctl_endpoint *endpoint);
int wf_ctl_reservation_insert(struct wf_control *control, struct wf_reservation *spec,
			      struct wf_err *err);
void wf_ctl_reservation_remove(struct wf_control *control, struct ctl_reservation *reservation);
/* A free slot from 1 on, marked used; 0 when all are taken. */
uint32_t wf_ctl_slot_take(struct wf_control *control);
/* A free network number from 1 on; 0 when all are taken. */
uint32_t wf_ctl_number_take(const struct wf_control *control);
/* The pool that has an address, NULL when none. */
struct wf_pool *wf_ctl_pool_of(const struct ctl_network *network, const struct wf_addr *addr);

/* ---- desired.c: pure, from objects to what the kernel shall hold --------------------------- */

struct wf_net_value wf_ctl_desired_network(const struct wf_control *control,
					   const struct ctl_network *network);
struct wf_ep_value wf_ctl_desired_endpoint(const struct ctl_endpoint *endpoint);
/* What the host answers for in the network: gateways, and its own address where all nodes are. */
#define CTL_MAX_HOST_ADDRS (WF_MAX_SUBNETS + 2)
size_t wf_ctl_desired_host_addrs(const struct ctl_network *network,
				 struct wf_addr addrs[CTL_MAX_HOST_ADDRS]);
/* Whether its driver is one by which programs see what its endpoints send, and the host can be in it. */
bool wf_ctl_is_routed_by_host(const struct ctl_network *network);
/* Whether the network is the same one on other nodes. */
bool wf_ctl_is_overlay(const struct ctl_network *network);
/* Whether it is that, and each node's host has an address of its own in it, or shows one. */
bool wf_ctl_takes_hosts(const struct ctl_network *network);
/* Whether nothing of it may be encapsulated. */
bool wf_ctl_is_plain(const struct ctl_network *network);
/* Whether its packets go from node to node inside WireGuard alone. */
bool wf_ctl_is_encrypted(const struct ctl_network *network);
/* The host side's name and the alias that tells people what it is. */
void wf_ctl_desired_names(const struct ctl_endpoint *endpoint, char host_name[16], char alias[256]);
/* What net needs to make an interface, and what that points to. */
struct ctl_interface {
	struct wf_net_endpoint net;
	struct wf_net_address addresses[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_net_route routes[2 * WF_MAX_ENDPOINT_ADDRESSES];
	char host_name[16], alias[256];
};
/* Fills it in; it must not be copied. netns_fd: -1 where nobody looks at it. */
void wf_ctl_desired_interface(const struct wf_control *control, const struct ctl_endpoint *endpoint,
			      int netns_fd, struct ctl_interface *ret_interface);

/* ---- program.c: map entries ---------------------------------------------------------------- */

int wf_ctl_program_network(struct wf_control *control, const struct ctl_network *network,
			   struct wf_err *err);
/* Takes out what a network has in the maps and what it becomes (NULL: nothing) has not. */
void wf_ctl_unprogram_network(struct wf_control *control, const struct wf_network *network,
			      const struct wf_network *now);
int wf_ctl_program_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint,
			    struct wf_err *err);
/* Fences: no packet to or from the endpoint from here on. */
void wf_ctl_unprogram_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint);
/* Makes the maps hold exactly what the tables say. */
int wf_ctl_program_all(struct wf_control *control, struct wf_err *err);
/* The same, but what is there and nobody has may stay. */
int wf_ctl_program_used(struct wf_control *control, struct wf_err *err);
/*
 * The last step of that: takes away addresses that nobody shall have. Those of the host and of
 * services stay until it is known which they are (control->lb.settled).
 */
int wf_ctl_program_drop(struct wf_control *control, struct wf_err *err);

/* ---- host.c: weft0, the blocks, macvlan host devices --------------------------------------- */

int wf_ctl_host_sync(struct wf_control *control, struct wf_err *err);
int wf_ctl_filters_sync(struct wf_control *control, struct wf_err *err);
/* The MTU of the device that leads out of the host, in bytes. */
uint32_t wf_ctl_default_mtu(struct wf_control *control);
/* MTU, parent device and host device of a network; the host device of what it was goes. */
int wf_ctl_network_resolve(struct wf_control *control, struct ctl_network *network,
			   struct wf_err *err);
/* Whether the host shall have a device of its own in a macvlan network, to reach containers. */
bool wf_ctl_wants_host_device(const struct wf_network *network);
/* What fails is noted for repair as well. */
int wf_ctl_endpoint_host_route(struct wf_control *control, const struct ctl_endpoint *endpoint,
			       bool add, struct wf_err *err);

/* ---- parent.c: the devices below macvlan and ipvlan networks ------------------------------- */

/* Whether its interfaces hang on a device of the host: macvlan, ipvlan. */
bool wf_ctl_has_parent(const struct ctl_network *network);
/*
 * Finds the parent, makes the device of the VLAN that the document names, and gives up one that was
 * made before and is not the parent any more. The errors name the field.
 */
int wf_ctl_parent_resolve(struct wf_control *control, struct ctl_network *network,
			  struct wf_err *err);
/* The network ends: so does the device of its VLAN, if it was made here and nobody else uses it. */
void wf_ctl_parent_drop(struct wf_control *control, struct ctl_network *network);
/* A device that is none of the slots' came, changed, or went: whether networks have to look at it. */
bool wf_ctl_parent_concerns(const struct wf_control *control, const struct wf_net_event *event);
/* Whether it was made for a VLAN that no network is in any more. */
bool wf_ctl_vlan_is_lost(const struct wf_control *control, const struct wf_net_link *link);
/*
 * Parents and the host's devices on them, where they are missing, and what endpoints lost with
 * them; what fails is tried again.
 */
void wf_ctl_parents_repair(struct wf_control *control);

/* ---- network.c, reservation.c: changes of one object --------------------------------------- */

/* Fills what a new network leaves open: number, subnets, from what is free. */
int wf_ctl_network_complete(struct wf_control *control, struct wf_network *network,
			    const struct wf_network *before, struct wf_err *err);
/* Refuses what cannot be beside the others: overlapping subnets, missing parent. */
int wf_ctl_network_check(struct wf_control *control, const struct wf_network *network,
			 struct wf_err *err);
/* Brings a stored network into force. Takes over *spec. */
int wf_ctl_network_start(struct wf_control *control, struct wf_network *spec, struct wf_err *err);
int wf_ctl_network_change(struct wf_control *control, struct ctl_network *network,
			  struct wf_network *spec, struct wf_err *err);
void wf_ctl_network_stop(struct wf_control *control, struct ctl_network *network);
/* Creates a network with defaults (CNI's first use). */
int wf_ctl_network_create_default(struct wf_control *control, const char *name, struct wf_err *err);
/* Holds a reservation's addresses in the pools. Takes over *spec. */
int wf_ctl_reservation_start(struct wf_control *control, struct wf_reservation *spec,
			     struct wf_err *err);
void wf_ctl_reservation_stop(struct wf_control *control, struct ctl_reservation *reservation);

/* ---- endpoint.c, attach.c, detach.c -------------------------------------------------------- */

/* Whether the namespace that an endpoint was attached to is still there; in doubt it is. */
bool wf_ctl_namespace_alive(const struct wf_control *control, const struct wf_endpoint *endpoint);
/* Makes the links of an endpoint whose map entries are set. */
int wf_ctl_endpoint_link(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
			 struct wf_err *err);
/* Takes the links back; what fails is noted for repair. */
void wf_ctl_endpoint_unlink(struct wf_control *control, const struct ctl_endpoint *endpoint,
			    int netns_fd);
/* What socket hooks and outsiders need to reach an endpoint: its namespace, published ports. */
int wf_ctl_endpoint_serve(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
			  struct wf_err *err);
/* Takes that back, and ends its translated connections. */
void wf_ctl_endpoint_unserve(struct wf_control *control, const struct ctl_endpoint *endpoint);
/* Takes an endpoint out of everything: maps, store, links, pools, table. */
int wf_ctl_endpoint_release(struct wf_control *control, struct ctl_endpoint *endpoint,
			    const char *why, struct wf_err *err);

/* What event timers take. */
static inline struct timeval wf_ctl_timeval(uint64_t ms)
{
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
				 .tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

/* Lets a timer end after so many ms, unless it does so sooner. */
void wf_ctl_timer_within(struct event *timer, uint64_t ms);

/* Randomness for choices that need not be secret. */
uint32_t wf_ctl_random(struct wf_control *control);

/* ---- spool.c ------------------------------------------------------------------------------- */

/* A DEL failed so: if the disk is to blame the plugin writes it down, and it is tried again from there. */
void wf_ctl_spool_retry(struct wf_control *control, int r);
void wf_ctl_spool_stop(struct wf_control *control);

/* ---- stray.c ------------------------------------------------------------------------------- */

/* A document of an endpoint of this node that is none here: it is released when that can be. */
void wf_ctl_stray_add(struct wf_control *control, const char *name);
void wf_ctl_stray_stop(struct wf_control *control);

/* ---- recover.c, repair.c, observe.c, crash.c -------------------------------------- */

int wf_ctl_recover(struct wf_control *control, struct wf_err *err);
int wf_ctl_repair_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_repair_stop(struct wf_control *control);
/* Marks things to be looked at and arms the timer. */
void wf_ctl_dirty(struct wf_control *control, uint32_t dirty);
/* The same for what has to be looked at before the next request: in the loop's next round. */
void wf_ctl_dirty_at_once(struct wf_control *control, uint32_t dirty);
/* The same for what did not work: in a while what is in the way may be gone. */
void wf_ctl_dirty_later(struct wf_control *control, uint32_t dirty);
int wf_ctl_repair_devices(struct wf_control *control, struct wf_err *err);
/*
 * The second half of a start, if it is still to be done: what is in the maps and nobody has, and
 * the devices of the endpoints. Whoever is about to take a slot has it done first; else it is
 * done as soon as nothing else is to do.
 */
int wf_ctl_settle(struct wf_control *control, struct wf_err *err);

/* ---- service_route.c ------------------------------------------------------------------------ */

/*
 * What routes to services depend on has changed: of a network's endpoints (NULL: of all), or of the
 * others in an endpoint's namespace, where that one came or is about to go. They follow soon.
 */
void wf_ctl_service_routes_touch(struct wf_control *control, const struct ctl_network *network);
void wf_ctl_service_routes_touch_space(struct wf_control *control,
				       const struct ctl_endpoint *endpoint);
/* Brings what was touched to what it shall be. What does not work is told, and tried again later. */
void wf_ctl_service_routes_sync(struct wf_control *control);

/* ---- recover.c, repair*.c, observe.c: the rest -------------------------------------------------- */

/* Tells the programs where the host receives and what is observed. */
int wf_ctl_config_sync(struct wf_control *control, struct wf_err *err);
/* One event of the datapath: to whoever wants it. context: the control. */
void wf_ctl_event(const struct wf_event *event, void *context);
/* Numbers of events as names. */
struct wf_flow_names wf_ctl_flow_names(struct wf_control *control);
int wf_ctl_observe_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_observe_stop(struct wf_control *control);

/* busy.c */

/* Decides about is_netkit. -EOPNOTSUPP: it is asked for, and the kernel has none. */
int wf_ctl_pair_choose(struct wf_control *control, struct wf_err *err);
/* An endpoint, or the host as slot 0, sends much: it gets the better hook, if that is wanted. */
void wf_ctl_busy_event(struct wf_control *control, uint32_t slot);
/* Whether an endpoint may have it: it has sent that much. */
bool wf_ctl_busy_was(struct wf_control *control, uint32_t slot);
/* Those that have it run the programs of this build afterwards. */
int wf_ctl_busy_renew(struct wf_control *control, struct wf_err *err);
/* Once, when all endpoints are known: takes it from those that have it when it is not wanted. */
void wf_ctl_busy_start(struct wf_control *control);

/*
 * Named points where a test may kill the daemon: WEFT_CRASH_AT=attach.linked makes the process
 * kill itself there, as kill -9 would.
 */
void wf_ctl_crash_point(const char *name);

/* What stands above a metric's values; and a metric of one value. */
void wf_ctl_metric_head(struct wf_str *out, const char *name, const char *type, const char *help);
void wf_ctl_metric(struct wf_str *out, const char *name, const char *type, const char *help,
		   uint64_t value);
/* Metrics of the store. */
void wf_ctl_store_metrics(const struct wf_control *control, struct wf_str *out);

#endif
