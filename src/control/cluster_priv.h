/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control keeps of other nodes, where several share a store: who they are, which addresses
 * their endpoints have, and what they change. Numbers of nodes are this node's own; only names and
 * addresses cross the wire.
 */
#ifndef WEFT_CONTROL_CLUSTER_PRIV_H
#define WEFT_CONTROL_CLUSTER_PRIV_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include <weft/abi/limits.h>

#include "base/index.h"
#include "base/set.h"
#include "control/control.h"
#include "control/encrypt_priv.h"
#include "control/known.h"
#include "control/probe.h"
#include "control/sums.h"
#include "ipam/choose.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/node.h"

struct ctl_endpoint;
struct ctl_network;
struct wf_pool;

/* Kinds that are weft's own business between nodes; no user writes them. */
#define CTL_KIND_NODE_LEASE    "NodeLease"   /* by node: it is alive as long as this is there */
#define CTL_KIND_NODE_ADDRESS  "NodeAddress" /* by address: whose it is; goes with the same lease */
#define CTL_KIND_ADDRESS_LEASE "AddressLease" /* by NETWORK/ADDRESS: who has it, on which node */
#define CTL_KIND_IP_BLOCK      "IPBlock"      /* by NETWORK/CIDR: which node chooses there */
#define CTL_KIND_INDEX         "Index"        /* by kind: what was looked at before a choice */

/* How another node is reached. All zero: by no uplink of weft's. */
struct ctl_way {
	uint32_t ifindex;      /* whose segment both nodes are on; 0: it is behind a router */
	uint32_t out_ifindex;  /* by which what is encapsulated leaves; 0: the stack sees to it */
	uint32_t mtu;          /* of the device */
	struct wf_addr router; /* who is sent that: a router, or the node itself */
};

/* An address that a node's host has in a network. */
struct ctl_host {
	struct wf_node_host is;
	uint16_t scope; /* where the datapath has it */
	struct wf_index_node by_addr;
};

/* Another node. */
struct ctl_node {
	char name[WF_NAME_BYTES];
	uint32_t number;         /* in the datapath, from 1 */
	struct wf_addr underlay; /* where its tunnel ends; zero: not known yet */
	struct wf_index_node by_underlay;
	struct ctl_way way;
	/* Where IPv6 is sent to on a segment that both are on; zero: not known. */
	struct wf_addr link_local;
	bool is_alive;              /* it has a lease */
	bool is_gone;               /* its Node was deleted, and endpoints of it were left */
	uint64_t lost_ms;           /* since when it has none */
	struct ctl_remote *remotes; /* list of its endpoints */
	size_t remote_count;
	struct ctl_probe *probe; /* owned; NULL: it is not asked whether it is reached */
	struct ctl_sums *sums;   /* owned; NULL: it is not asked how checksums arrive */
	struct ctl_host *hosts;  /* owned: its host's addresses in networks */
	size_t host_count;
	struct wf_node_tunnel tunnels[WF_MAX_TUNNELS]; /* of WireGuard; the first is sent to */
	size_t tunnel_count;
	uint64_t met_ms;     /* when it said that it has these */
	bool encrypts_hosts; /* it says that what hosts send each other is encrypted */
	struct ctl_known known;
	UT_hash_handle by_name;
};

/* That a crowd has a label. */
struct ctl_crowd_key {
	struct wf_index_node node;
	struct ctl_crowd *crowd;
};

/* Endpoints of other nodes that are alike: what they have in common is kept once. */
struct ctl_crowd {
	struct wf_labels labels;
	struct wf_endpoint_port *ports; /* owned */
	size_t port_count;
	struct ctl_remote *members; /* list; never empty */
	struct ctl_crowd_key *keys; /* owned; one for each label */
	struct wf_index_node by_likeness;
	struct wf_index_node by_network;
	struct ctl_crowd *prev, *next; /* of all */
	char network[];
};

/* An endpoint of another node, in a network that reaches it. There are very many. */
struct ctl_remote {
	struct ctl_crowd *crowd;
	struct ctl_node *node;
	struct ctl_remote *prev_alike, *next_alike; /* of the crowd */
	struct ctl_remote *prev_there, *next_there; /* of the node */
	uint16_t scope;                             /* of its addresses */
	uint8_t addr_count;
	uint8_t right; /* scratch: bits of the addresses that the datapath has as they shall be */
	bool is_bound; /* WireGuard takes its addresses from its node, and from no other */
	struct wf_addr addrs[];
	/* and the name */
};
_Static_assert(WF_MAX_ENDPOINT_ADDRESSES <= 8, "bits of `right`");

/* A block of a network's subnet, of a node. */
struct ctl_block {
	struct wf_prefix prefix;
	uint64_t revision;       /* of its document */
	uint64_t empty_ms;       /* own: since when nothing in it is in use; 0: something is */
	char cidr[WF_ADDR_TEXT]; /* the same as prefix */
	UT_hash_handle by_cidr;
	char node[]; /* whose it is; "": not known yet */
};

/* A change that another node has made and that is to be followed. */
struct ctl_news {
	char *kind, *name; /* owned */
	json_t *document;  /* a reference; NULL: deleted */
	uint64_t revision;
	struct ctl_news *next;
};

struct ctl_cluster {
	struct ctl_node *nodes;    /* hash by name */
	struct wf_index underlays; /* of the nodes that have one */
	struct wf_index hosts;     /* what their hosts have in networks, by address */
	struct wf_set remotes;     /* by name */
	struct wf_set addresses;   /* of them; see remote_table.c */
	size_t expected;           /* endpoints of all nodes when this one began to read */
	struct wf_index crowds;    /* by all that makes them alike */
	struct ctl_crowd *crowd_list;
	struct ctl_written *written; /* owned; see crowd.c */
	struct wf_index crowd_networks;
	struct wf_index crowd_labels; /* as keys, with the namespace */
	struct ctl_node *by_number[WF_MAX_NODES];
	struct ctl_news *news, **news_end; /* news_end NULL: nobody is followed */
	struct event *news_event;
	struct ctl_stray *strays; /* owned; see stray.c */
	struct event *stray_timer;
	struct event *lease_timer;
	struct event *renewed_event;
	struct event *expire_timer; /* more of what lost nodes had is to be released */
	struct wf_err renewed;      /* what came of the last renewal */
	bool is_refused;            /* another node has its name or address: it has not joined */
	bool is_asked;            /* the store, whether it answers; somebody has something to say */
	bool is_silent;           /* others could not be told that this node is alive */
	struct event *host_timer; /* addresses of this node's host are to be taken or given back */
	uint64_t lease;           /* of the store, for what lives as long as this node */
	uint64_t watch;           /* 0: none */
	uint32_t overlay_ifindex; /* 0: no overlay */
	bool has_ipsec;           /* the host had IPsec policies when that was looked at */
	bool by_programs;         /* they may make the tunnel, if they need not make checksums */
	bool sums_by_kernel;      /* no device makes checksums of what is encapsulated */
	struct wf_addr link_local; /* that others were told to send IPv6 to; zero: none */
	bool can_ask;              /* nodes are in the datapath as if there was one */
	uint64_t followed_total;   /* changes of others that came into force */
	uint64_t refused_total;    /* and those that did not */
	struct wf_echo *echo;      /* owned; NULL: nobody is asked */
	struct event *echo_event;
	struct ctl_knowing knowing;
	struct ctl_summing summing;
	struct ctl_encrypt encrypt;
};

/* ---- cluster.c: start, commit, the overlay's device ---------------------------------------- */

/* Whether other nodes share the store. */
bool wf_ctl_is_shared(const struct wf_control *control);
/* wf_store_commit(); what these writes are, and what they have overtaken, is not news. */
int wf_ctl_commit(struct wf_control *control, const struct wf_store_write *writes, size_t count,
		  enum wf_store_durability durability, struct wf_err *err);
/* The same in two steps, as wf_store_commit_begin() and wf_store_commit_end(). */
struct ctl_flight {
	struct wf_store_flight store;
	struct ctl_news **first; /* where news that came meanwhile begin */
};
struct ctl_flight wf_ctl_commit_begin(struct wf_control *control,
				      const struct wf_store_write *writes, size_t count,
				      enum wf_store_durability durability);
int wf_ctl_commit_end(struct wf_control *control, struct ctl_flight *flight, struct wf_err *err);
/* The same with writes that were made ready; ends the stage. */
int wf_ctl_commit_stage(struct wf_control *control, struct wf_store_stage **stage,
			const struct wf_store_write *writes, size_t count,
			enum wf_store_durability durability, struct wf_err *err);
/* After everything was read, and before the first request: joins the others. */
int wf_ctl_cluster_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_cluster_stop(struct wf_control *control);
/* The device, nodes and addresses as the tables of the datapath shall have them. */
int wf_ctl_cluster_sync(struct wf_control *control, struct wf_err *err);
/* Who makes and opens the tunnel, as the host is now: programs, or the device alone. */
int wf_ctl_tunnel_sync(struct wf_control *control, struct wf_err *err);
/* Puts a program behind a device of weft's, if it is not there. */
int wf_ctl_ingress_put(struct wf_control *control, uint32_t ifindex, enum wf_dp_program program,
		       struct wf_err *err);
/* Bytes that the tunnel adds to each packet; 0 for networks of one node. */
uint32_t wf_ctl_overlay_bytes(const struct wf_control *control);

/* ---- way.c: nodes of the same segment, and those behind routers ----------------------------- */

/* Tells the datapath of a node, and by which way it is reached now. */
int wf_ctl_node_program(struct wf_control *control, struct ctl_node *node, struct wf_err *err);
/* The same by the way that was found before. */
int wf_ctl_node_write(struct wf_control *control, const struct ctl_node *node, struct wf_err *err);
/* The same of all nodes, which looks at the devices once. */
int wf_ctl_nodes_program(struct wf_control *control, struct wf_err *err);
/* The same for all nodes whose way is another than before; and what others have to know of it. */
int wf_ctl_ways_sync(struct wf_control *control, struct wf_err *err);
/* Tells others where to send IPv6, if that has changed. */
void wf_ctl_link_local_sync(struct wf_control *control);
/* Whether a route to there leads to another node. */
bool wf_ctl_is_way(const struct wf_control *control, const struct wf_prefix *prefix);
/* The MTU of a network of several nodes, where the device that leads out has `mtu`. */
uint32_t wf_ctl_shared_mtu(const struct wf_control *control, const struct ctl_network *network,
			   uint32_t mtu);
/* Bytes of the largest packet of an encrypted network that `mtu` bytes on the wire carry. */
uint32_t wf_ctl_sealed_mtu(const struct wf_control *control, const struct ctl_network *network,
			   uint32_t mtu);
/*
 * Networks whose interfaces send larger packets than the way to a node carries, as [{network, mtu,
 * carried}]; NULL: there is none.
 */
json_t *wf_ctl_way_narrow(const struct wf_control *control, const struct ctl_node *node);
/* Names of nodes that endpoints of a network do not reach; NULL: of this one everybody is. */
json_t *wf_ctl_ways_missing(const struct wf_control *control, const struct ctl_network *network);

/* ---- vtep.c --------------------------------------------------------------------------------- */

/*
 * Whether a network that is complete may have its routes here: gateways are in its subnets, VXLAN
 * endpoints nobody else's, and none that are nodes. taken: what prefixes must keep away from. -EADDRINUSE, -EINVAL and others name the field.
 */
int wf_ctl_vteps_check(struct wf_control *control, const struct wf_network *network,
		       const struct wf_choose_taken *taken, size_t taken_count, struct wf_err *err);
/*
 * A pool for a subnet of a network, and that of one that has changed: as wf_pool_new() and
 * wf_pool_update(). Addresses of routes' gateways are given out on request only, for whoever has one
 * is the gateway.
 */
int wf_ctl_pool_new(struct wf_pool **ret_pool, const struct wf_network *network, size_t index);
int wf_ctl_pool_update(struct wf_pool *pool, const struct wf_network *network, size_t index);
/* Puts a network's routes into the maps. */
int wf_ctl_vteps_program(struct wf_control *control, const struct wf_network *network,
			 struct wf_err *err);
/* Takes out those that are not also in now; NULL: all. 0 or a failure. */
int wf_ctl_vteps_unprogram(struct wf_control *control, const struct wf_network *network,
			   const struct wf_network *now);
/* Takes out what is of no network's routes. */
int wf_ctl_vteps_sweep(struct wf_control *control, struct wf_err *err);
/* The route that a network's endpoints take to an address that nobody is known to have; NULL: none. */
const struct wf_route *wf_ctl_vtep_find(const struct ctl_network *network,
					const struct wf_addr *addr);

/* ---- node.c --------------------------------------------------------------------------------- */

struct ctl_node *wf_ctl_node_find(struct wf_control *control, const char *name);
/* The same, made when it is new. -ENOSPC, -ENOMEM. */
int wf_ctl_node_get(struct wf_control *control, const char *name, struct ctl_node **ret_node,
		    struct wf_err *err);
/* A Node document of another node was read, or is gone (NULL). */
int wf_ctl_node_learn(struct wf_control *control, const char *name, const struct wf_node *spec,
		      struct wf_err *err);
/* A NodeLease came or went. */
void wf_ctl_node_lives(struct wf_control *control, const char *name, bool lives);
/* At the start: who has no lease now is lost from now on. */
void wf_ctl_nodes_begin(struct wf_control *control);
/*
 * Releases the endpoints of nodes that were lost for too long, if it is this node's turn: some of them.
 * Whether there are more, for which it is to be called again. Forgets nodes that have nothing any more.
 */
bool wf_ctl_nodes_expire(struct wf_control *control);
/* Whether it was lost for too long, and it is this node that releases what it has. */
bool wf_ctl_node_is_over(const struct wf_control *control, const struct ctl_node *node);
/* Whether frames go to it and come from it: its address is known, and is not this one's. */
bool wf_ctl_is_peer(const struct wf_control *control, const struct ctl_node *node);
/* Another node than that one that is known to be at an address; NULL: none. */
const struct ctl_node *wf_ctl_node_at(const struct wf_control *control, const char *name,
				      const struct wf_addr *underlay);
/* The Node alone, after what it says of this node has changed. */
int wf_ctl_node_put(struct wf_control *control, struct wf_err *err);
/* Sets a label of a document, or (part "annotations") an annotation; "": takes it away. -ENOMEM. */
int wf_ctl_node_set_meta(json_t *document, const char *part, const char *key, const char *value);
/* This node's document as it shall be stored: who it is, and its addresses. NULL: no memory. */
json_t *wf_ctl_node_document(struct wf_control *control);

/* ---- join.c --------------------------------------------------------------------------------- */

/*
 * Refuses a name or an address that another node has, once nodes are known and before anything is
 * changed for the sake of what is known. A store that is not shared: 0.
 */
int wf_ctl_node_may_join(struct wf_control *control, struct wf_err *err);
/* Puts this node's own documents into the store; refuses what another node was faster with. */
int wf_ctl_node_publish(struct wf_control *control, struct wf_err *err);
/* -EADDRINUSE while another node has this one's name or address. */
int wf_ctl_check_joined(const struct wf_control *control, struct wf_err *err);
/* Whether this node has joined, and the store is there. */
bool wf_ctl_has_joined(const struct wf_control *control);
/*
 * Whether besides that the store has just answered, so that what this node says of itself can be stored
 * without others having to wait. If it has not, it is asked, and once it answers whoever has something to
 * say is called again; so ask only when there is something.
 */
bool wf_ctl_can_tell(struct wf_control *control);
/* Somebody deleted one of these documents: they are written again. */
void wf_ctl_node_missed(struct wf_control *control, const char *kind);

/* ---- leave.c -------------------------------------------------------------------------------- */

/* Refuses to forget a node that is alive; this one always, others unless forced. */
int wf_ctl_node_check_leave(struct wf_control *control, const char *name, bool force,
			    struct wf_err *err);
/*
 * Takes endpoints of a node, with their addresses, out of the store and out of force: as many as others
 * may wait for. Whether there are more.
 */
bool wf_ctl_node_release_some(struct wf_control *control, struct ctl_node *node);
/* Takes everything of a node out of the store and out of force, but for its Node document. */
int wf_ctl_node_leave(struct wf_control *control, const char *name,
		      struct wf_control_released *ret_released, struct wf_err *err);

/* ---- node_host.c: what hosts of other nodes have in networks -------------------------------- */

/* What a node's document says, NULL: the node goes. Put into force when the start is over. */
int wf_ctl_node_hosts_learn(struct wf_control *control, struct ctl_node *node,
			    const struct wf_node *spec, struct wf_err *err);
/* Into the datapath's table: at the start, and when a network is new. */
int wf_ctl_node_hosts_program(struct wf_control *control, struct wf_err *err);
/* Whether some other node's host has, or shows, the address in a scope. */
bool wf_ctl_node_hosts_have(struct wf_control *control, uint32_t scope, const struct wf_addr *addr);
/* Holds a host's address in its network's pool, or lets it go. */
void wf_ctl_host_hold(struct wf_control *control, const char *node, const struct wf_node_host *host,
		      bool on);

/* ---- host_address.c: what this node's host has in networks ---------------------------------- */

/* Those that were taken before, when networks are known. */
void wf_ctl_hosts_load(struct wf_control *control, const struct wf_node *self);
int wf_ctl_hosts_start(struct wf_control *control, struct wf_err *err);
/* Soon: takes what networks lack, gives back what they have no more. */
void wf_ctl_hosts_want(struct wf_control *control);
void wf_ctl_hosts_now(struct wf_control *control);
/* After a change of the network: forgets what is in none of its subnets; at its end, all. */
void wf_ctl_hosts_check(struct wf_control *control, struct ctl_network *network, bool is_end);
/* A lease of an address is gone ("NETWORK/ADDRESS"): if it was this host's, another is taken. */
void wf_ctl_host_missed(struct wf_control *control, const char *lease);
/*
 * All of them as the annotation WF_ANNOTATION_HOST_ADDRESSES has them, or (scoped) those of
 * WF_ANNOTATION_SCOPE_ADDRESSES. The caller's; or NULL.
 */
char *wf_ctl_hosts_text(const struct wf_control *control, bool scoped);

/* node_view.c */
void wf_ctl_node_metrics(struct wf_control *control, struct wf_str *out);

/* ---- remote.c ------------------------------------------------------------------------------- */

/* Whether an Endpoint document is of another node. */
bool wf_ctl_is_remote(const struct wf_control *control, const json_t *document);
int wf_ctl_remote_put(struct wf_control *control, const json_t *document, struct wf_err *err);
/*
 * The same from a stored document's text, with less work: 1, or 0: it is none of another node, or has to be
 * read as a document.
 */
int wf_ctl_remote_take(struct wf_control *control, const char *text, size_t len,
		       struct wf_err *err);
void wf_ctl_remote_drop(struct wf_control *control, const char *name);

/* ---- remote_table.c ------------------------------------------------------------------------- */

/* Before all else: empty tables, with room for what the store has. */
int wf_ctl_remotes_init(struct wf_control *control, struct wf_err *err);
void wf_ctl_remotes_free(struct wf_control *control);
const char *wf_ctl_remote_name(const struct ctl_remote *remote);
struct ctl_remote *wf_ctl_remote_find(struct wf_control *control, const char *name);
/* The next of all remotes, in no order: *at begins with 0; NULL ends. */
struct ctl_remote *wf_ctl_remote_walk(const struct wf_control *control, size_t *at);
/* The endpoint of another node that has an address in a scope; NULL: none. */
struct ctl_remote *wf_ctl_remote_by_address(struct wf_control *control, uint32_t scope,
					    const struct wf_addr *addr);
/* The name of that one, for pools to ask; context: the network. */
const char *wf_ctl_remote_owner(const struct wf_addr *addr, void *context);
/* Some endpoint of another node in a network; NULL: there is none. */
struct ctl_remote *wf_ctl_remote_in(struct wf_control *control, const char *network);

/* ---- remote_program.c ----------------------------------------------------------------------- */

/* Told to policies at the start, as members are. */
int wf_ctl_remotes_judge(struct wf_control *control, struct wf_err *err);
/* Into the datapath's tables, but for addresses that are noted to be right there. */
int wf_ctl_remote_program(struct wf_control *control, const struct ctl_remote *remote,
			  struct wf_err *err);
/* The same of all of them, and out of the tables what is in no document. */
int wf_ctl_remotes_program(struct wf_control *control, struct wf_err *err);

/* ---- crowd.c -------------------------------------------------------------------------------- */

/*
 * Those that an endpoint is like, if need be made; labels and ports of *spec may be taken over. The caller
 * joins one to it, or releases it. NULL: no memory.
 */
struct ctl_crowd *wf_ctl_crowd_get(struct wf_control *control, struct wf_endpoint *spec);
/* The same for one that has no ports, and whose labels are not read yet; !*ret_is_read: cannot be. */
struct ctl_crowd *wf_ctl_crowd_written(struct wf_control *control, struct wf_endpoint *spec,
				       const struct wf_endpoint_text *labels, bool *ret_is_read);
/* From here on until one goes, or the other is called: labels as they are written are remembered. */
void wf_ctl_crowds_remember(struct wf_control *control);
void wf_ctl_crowds_forget(struct wf_control *control);
/* Frees one that has no members. */
void wf_ctl_crowd_release(struct wf_control *control, struct ctl_crowd *crowd);
/* Puts a remote among its like. */
void wf_ctl_crowd_join(struct ctl_crowd *crowd, struct ctl_remote *remote);
/* Takes it out; the last one takes the crowd along. */
void wf_ctl_crowd_leave(struct wf_control *control, struct ctl_remote *remote);
/* What crowds of a network have as their hash in crowd_networks. */
uint64_t wf_ctl_crowd_network_hash(const char *network);

/* ---- lease.c: addresses that no two nodes may give out -------------------------------------- */

/* Most writes that an endpoint's addresses come to. */
#define CTL_LEASE_WRITES WF_MAX_ENDPOINT_ADDRESSES
/* Names of leases in the store: NETWORK/ADDRESS. */
typedef char ctl_lease_name[WF_NAME_BYTES + WF_ADDR_TEXT];
/* Returns name. */
char *wf_ctl_lease_name(const char *network, const struct wf_addr *addr, ctl_lease_name name);
/* What these writes point to. */
struct ctl_leases {
	ctl_lease_name names[WF_MAX_ENDPOINT_ADDRESSES];
	json_t *documents[WF_MAX_ENDPOINT_ADDRESSES]; /* owned */
};
void wf_ctl_leases_done(struct ctl_leases *leases);
/*
 * Takes an endpoint's document and the leases that are its own out of the store, in one
 * transaction if all are there; what is gone already is fine.
 */
int wf_ctl_endpoint_forget(struct wf_control *control, const struct wf_endpoint *spec,
			   enum wf_store_durability durability, struct wf_err *err);
/* The same of an endpoint that is known by its document only. */
int wf_ctl_document_forget(struct wf_control *control, const json_t *document,
			   enum wf_store_durability durability, struct wf_err *err);
/* Whether a lease is still that endpoint's, or (endpoint "") that node's own. */
bool wf_ctl_is_lease_of(struct wf_control *control, const char *name, const char *endpoint,
			const char *node);
/* The document of an address lease; endpoint NULL: the node's own. The caller's; NULL: no memory. */
json_t *wf_ctl_lease_document(const char *name, const char *network, const char *endpoint,
			      const char *node);
/* Writes to be committed with an endpoint that takes its addresses, or (is_end) gives them back. */
int wf_ctl_lease_writes(struct wf_control *control, const struct wf_endpoint *spec, bool is_end,
			struct ctl_leases *leases, struct wf_store_write *writes,
			size_t *ret_count);

/* ---- block.c: from where which node chooses ------------------------------------------------- */

/* Of the blocks that are known of a network; cidr as documents have it. NULL: no node's. */
struct ctl_block *wf_ctl_block_find(const struct ctl_network *network, const char *cidr);
/* An IPBlock document was read; is gone. */
int wf_ctl_block_learn(struct wf_control *control, const json_t *document, struct wf_err *err);
void wf_ctl_block_forget(struct wf_control *control, const char *name);
/* When the pools of a network are new, or changed: cuts them as the network says. */
void wf_ctl_blocks_cut(struct wf_control *control, struct ctl_network *network);
/*
 * As wf_pool_alloc() from a pool that has blocks: from this node's, claiming one when they are full.
 * -ENOSPC: that is not possible (no message), and an address has to be borrowed.
 */
int wf_ctl_block_alloc(struct wf_control *control, struct ctl_network *network,
		       struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		       struct wf_addr *ret_addr, struct wf_err *err);
/* Now and then, while the store is reached: gives back what is not used, or of nodes that are gone. */
void wf_ctl_blocks_sync(struct wf_control *control);
/* The network ends: this node's blocks of it go. */
void wf_ctl_blocks_end(struct wf_control *control, struct ctl_network *network);
/* Forgets the blocks of a network, in memory. */
void wf_ctl_blocks_free(struct ctl_network *network);

/* ---- block_view.c --------------------------------------------------------------------------- */

/* The blocks of a network and their use, by address. */
json_t *wf_ctl_blocks_json(struct wf_control *control, struct ctl_network *network);
/* Adds to what is shown of an address in which block it is, if that is a node's. */
void wf_ctl_block_show(struct wf_control *control, const struct ctl_network *network,
		       const struct wf_addr *addr, json_t *value);
/* How many blocks a node has, and how much of them is in use. */
json_t *wf_ctl_blocks_of_node(struct wf_control *control, const char *node);
void wf_ctl_block_metrics(const struct wf_control *control, struct wf_str *out);

/* ---- follow.c: what other nodes change ------------------------------------------------------ */

int wf_ctl_follow_start(struct wf_control *control, struct wf_err *err);
void wf_ctl_follow_stop(struct wf_control *control);
/*
 * Forgets, from *from on, news of what was written with that revision or before it. from NULL: nobody
 * is followed.
 */
void wf_ctl_follow_forget(struct wf_control *control, struct ctl_news **from,
			  const struct wf_store_write *writes, size_t count, uint64_t revision);
/* Brings into force what has come: before a request is decided on. */
void wf_ctl_follow(struct wf_control *control);

#endif
