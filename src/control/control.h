/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control: where the parts meet. Holds the node's tables (networks, endpoints, reservations),
 * turns documents into desired state, and brings kernel and maps there by the smallest step. The
 * API and the main call it; it calls store, dp, net, ipam and flow. One thread, driven by the
 * main's event loop; nothing here blocks longer than a local commit and a netlink round trip.
 *
 * Invariants:
 *  - an endpoint's data is in the maps before its interface is up, and gone before DEL returns
 *  - no endpoint without a document, no document without a live namespace of this boot
 *  - nothing is deleted from the kernel before the store has been read once
 */
#ifndef WEFT_CONTROL_CONTROL_H
#define WEFT_CONTROL_CONTROL_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "dp/dp.h"
#include "model/network.h"
#include "net/net.h"
#include "policy/engine.h"
#include "store/store.h"

struct wf_control;

/* Which new flows are told in the log, with the policy and rule that decided. */
enum wf_policy_log {
	WF_POLICY_LOG_NONE,
	WF_POLICY_LOG_DENIED, /* and what would be denied if it were not on trial */
	WF_POLICY_LOG_ALL,
};

/* Priorities of the loop it runs on (event_base_priority_init); requests have the middle one. */
#define WF_CONTROL_PRIORITIES   3
#define WF_CONTROL_PRIORITY_LOW 2

/* Who makes checksums of what is encapsulated. */
enum wf_overlay_sums {
	WF_OVERLAY_SUMS_AUTO, /* devices, and the kernel once they are found to get them wrong */
	WF_OVERLAY_SUMS_SOFTWARE, /* the kernel */
	WF_OVERLAY_SUMS_DEVICE,   /* devices, whatever they do */
};

struct wf_control_config {
	const char *node_name;  /* borrowed, as all strings here */
	bool shared;            /* other nodes have the same store */
	struct wf_addr node_ip; /* shared: where the others reach this node */
	uint16_t overlay_port;  /* UDP; of every node the same */
	uint64_t node_grace_ms; /* what a lost node's endpoints have until they go; 0: for ever */
	uint64_t node_probe_ms; /* between two echo requests to another node; 0: none */
	uint64_t
		attach_wait_ms; /* an attach waits so long for others to know of it; 0: not at all */
	uint16_t news_port;     /* UDP, for that, and the next; of every node the same */
	enum wf_overlay_sums overlay_sums;
	enum wf_encryption encryption; /* of new overlay networks that do not say */
	uint16_t encryption_port;      /* UDP; and the one after it */
	bool encryption_hosts;         /* of what hosts that say so send each other */
	uint64_t encryption_rotate_ms; /* age of a key that is changed; 0: none is by itself */
	const uint64_t *clear_ports;   /* but for these, WF_CLEAR_WORDS of bits; NULL: none */
	const char *state_dir;         /* for the node's own key; NULL: none is made */
	const char *run_dir;    /* for what lasts until the next boot; NULL: nothing is noted */
	uint32_t gso_max_bytes; /* BIG TCP limit for endpoints; 0: leave the kernel's */
	uint64_t cool_down_ms;  /* for networks that do not say */
	const char *zone;       /* topology.kubernetes.io/zone of this node; "" or NULL unknown */
	const char *uplinks;    /* "auto", "none", or names of devices that lead out */
	const char *xdp;        /* "off", "auto" or "native" */
	const char *tcx;        /* "auto" or "off"; NULL: auto */
	const char *pair;       /* of new endpoints: "veth", "netkit" or "auto"; NULL: veth */
	const char *firewall;   /* "respect" or "bypass": netfilter, with packets of the world */
	const char *cgroup;     /* root of cgroup v2 for the socket hooks; "" none */
	struct wf_prefix
		service_cidrs[2]; /* cluster addresses: IPv4, IPv6 (len 0: from the seed) */
	uint16_t node_port_first, node_port_last;
	uint32_t conn_quota; /* most translated connections of one endpoint; 0: a quarter of all */
	bool policy_audit;   /* every policy is on trial: what it would deny passes and is told */
	enum wf_policy_log policy_log;
	const struct wf_policy_failsafe *failsafes; /* ports of the host that no policy closes */
	size_t failsafe_count;
};

/* Who asks for what is done: the peer of the socket. pid 0: weft itself. */
struct wf_control_actor {
	uint32_t uid;
	int32_t pid;
};
/* To be told before each request; NULL: weft itself. */
void wf_control_actor_set(struct wf_control *control, const struct wf_control_actor *actor);

/*
 * Takes over what the store and the kernel hold, and repairs the difference. store, dp, net and
 * loop stay the caller's and must outlive it.
 */
int wf_control_new(struct wf_control **ret_control, const struct wf_control_config *config,
		   struct wf_store *store, struct wf_dp *dp, struct wf_net *net,
		   struct event_base *loop, struct wf_err *err);
/* Forgets; the kernel keeps everything. NULL-safe; nulls the pointer. */
void wf_control_free(struct wf_control **control);

/* Compares everything with the kernel and puts it right (lost events, SIGHUP). */
int wf_control_resync(struct wf_control *control, struct wf_err *err);

/*
 * Makes good what the CNI plugin wrote down while no daemon ran (base/spool.h). To be called when
 * the socket listens and before the first request is answered.
 */
void wf_control_drain_spool(struct wf_control *control, const char *socket_path);

/* ---- documents ---------------------------------------------------------------------------- */

/*
 * Applies an array of documents, all or none; err->document is the index of a refused one.
 * *ret_results: new array of {kind, name, action}. dry_run checks everything and changes nothing.
 */
int wf_control_apply(struct wf_control *control, const json_t *documents, bool dry_run,
		     json_t **ret_results, struct wf_err *err);
/*
 * The same, and the documents go back to what they were unless wf_control_confirm() is called
 * within that time; across restarts of the daemon too. -EBUSY: another such apply waits.
 */
int wf_control_apply_for(struct wf_control *control, const json_t *documents, uint64_t confirm_ms,
			 json_t **ret_results, struct wf_err *err);
/* Where documents come from, one after the other: there may be 100,000. */
struct wf_control_documents {
	size_t most; /* there are not more than that */
	/* The next one: 1 and a new reference, 0: there is none, or negative errno. */
	int (*next)(void *context, json_t **ret_document, struct wf_err *err);
	void (*free)(void *context); /* NULL: nothing is to be freed */
	void *context;
};
/*
 * The same without waiting: done is called once, before this returns or later, from the loop, which
 * serves others in between. results and err are borrowed; documents are freed in any case. -EAGAIN:
 * another one is under way.
 */
typedef void (*wf_control_applied_fn)(int result, json_t *results, const struct wf_err *err,
				      void *context);
void wf_control_apply_later(struct wf_control *control,
			    const struct wf_control_documents *documents, bool dry_run,
			    uint64_t confirm_ms, wf_control_applied_fn done, void *context);
/*
 * Whether an apply is under way, so that nobody else may change documents; network: whether nobody may
 * be attached there, either, until it has ended.
 */
bool wf_control_apply_holds(struct wf_control *control, const char *network);
/* Ends one that is under way: what is not stored yet is undone. */
void wf_control_apply_cancel(struct wf_control *control);
/* Keeps what waits for it. *ret_answer: {confirmed: [{kind, name}]}. -ENOENT: nothing does. */
int wf_control_confirm(struct wf_control *control, json_t **ret_answer, struct wf_err *err);
int wf_control_get(struct wf_control *control, const char *kind, const char *name,
		   json_t **ret_document, struct wf_err *err);
int wf_control_list(struct wf_control *control, const char *kind, json_t **ret_list,
		    struct wf_err *err);
/* -EBUSY: a network that has endpoints, an endpoint (detach it), a node that is alive. */
int wf_control_delete(struct wf_control *control, const char *kind, const char *name,
		      struct wf_err *err);

/* What went with a node. */
struct wf_control_released {
	size_t endpoints, addresses;
};
/* The same; force: a node goes even if it is alive. *ret_released: zero but for a node's. */
int wf_control_delete_for(struct wf_control *control, const char *kind, const char *name,
			  bool force, struct wf_control_released *ret_released, struct wf_err *err);

/* ---- networks and addresses --------------------------------------------------------------- */

/* The document with status: subnets and their use, endpoints, MTU, device. New reference. */
int wf_control_network_inspect(struct wf_control *control, const char *name, json_t **ret_document,
			       struct wf_err *err);
json_t *wf_control_network_list(struct wf_control *control);

/* Every address that is not free; network NULL: of all networks. New array. */
int wf_control_address_list(struct wf_control *control, const char *network, json_t **ret_items,
			    struct wf_err *err);
/* Who has an address and why, or why nobody has. text as the user wrote it. */
int wf_control_address_why(struct wf_control *control, const char *text, json_t **ret_answer,
			   struct wf_err *err);

/* ---- endpoints ---------------------------------------------------------------------------- */

/* Attach request as docs/api.md has it. *ret_endpoint: the Endpoint document. */
int wf_control_attach(struct wf_control *control, const json_t *request, json_t **ret_endpoint,
		      struct wf_err *err);
/*
 * Whether other nodes are being asked to say that an attached endpoint (its document) is in force
 * there. If so done is called once, later: when they have, when the time for it is over, or by
 * wf_control_free(). Nothing else waits.
 */
typedef void (*wf_control_known_fn)(void *context);
bool wf_control_when_known(struct wf_control *control, const json_t *endpoint,
			   wf_control_known_fn done, void *context);
int wf_control_detach(struct wf_control *control, const char *name, struct wf_err *err);
/* By container and interface; nothing there is success. network may be NULL. */
int wf_control_detach_container(struct wf_control *control, const char *container_id,
				const char *ifname, const char *network, json_t **ret_names,
				struct wf_err *err);
int wf_control_check(struct wf_control *control, const json_t *request, struct wf_err *err);
/* Detaches all endpoints of owner in network whose (containerID, ifname) is not in valid. */
int wf_control_gc(struct wf_control *control, const json_t *request, json_t **ret_report,
		  struct wf_err *err);
/* Whether an attach to network could work now (CNI STATUS). */
int wf_control_attachable(struct wf_control *control, const char *network, struct wf_err *err);
int wf_control_endpoint_inspect(struct wf_control *control, const char *name, json_t **ret_document,
				struct wf_err *err);
json_t *wf_control_endpoint_list(struct wf_control *control);

/* ---- nodes --------------------------------------------------------------------------------- */

/* This node and those that share its store: {items: [{name, state, address, endpoints}]}. */
json_t *wf_control_node_list(struct wf_control *control);
/*
 * Begins to change this node's WireGuard key; that takes some seconds. *ret_answer: {node}.
 * -ENODEV: it has none, or it does not work; -EBUSY: it is being changed.
 */
int wf_control_node_rotate_key(struct wf_control *control, json_t **ret_answer, struct wf_err *err);

/* ---- services and ports -------------------------------------------------------------------- */

/* Service documents with status.weft: frontends, backends, hits, conditions. New references. */
json_t *wf_control_service_list(struct wf_control *control);
/* key: "NAMESPACE/NAME". -ENOENT. */
int wf_control_service_inspect(struct wf_control *control, const char *key, json_t **ret_document,
			       struct wf_err *err);
/* What is reachable at addresses of the host, from where. */
json_t *wf_control_port_list(struct wf_control *control);

/* Which translated connections are meant; members NULL or 0: all. Strings borrowed. */
struct wf_conn_filter {
	const char *endpoint;
	const char *service;  /* "NAMESPACE/NAME" */
	const char *protocol; /* "tcp" */
	const char *address;
	size_t limit; /* of the list */
};
int wf_control_conntrack_list(struct wf_control *control, const struct wf_conn_filter *filter,
			      json_t **ret_answer, struct wf_err *err);
/* Forgets the connections; their next packets are treated as new. */
int wf_control_conntrack_flush(struct wf_control *control, const struct wf_conn_filter *filter,
			       json_t **ret_answer, struct wf_err *err);

/* ---- policies ----------------------------------------------------------------------------- */

/* Policy documents with status: conditions, and in status.weft whom they select, rules, hits. */
json_t *wf_control_policy_list(struct wf_control *control);
/* The same of one, with the peers of each rule. key: "KIND/NAME" or "KIND/NAMESPACE/NAME". */
int wf_control_policy_inspect(struct wf_control *control, const char *key, json_t **ret_document,
			      struct wf_err *err);
/* Changes on record, the newest first; limit 0: all. New references. */
int wf_control_policy_history(struct wf_control *control, size_t limit, json_t **ret_answer,
			      struct wf_err *err);
/*
 * Documents that would have allowed exactly what was seen on trial: of one policy ("KIND/..."),
 * endpoint, or (NULL) of all. *ret_answer: {items: [documents], flows, truncated}.
 */
int wf_control_policy_suggest(struct wf_control *control, const char *name, json_t **ret_answer,
			      struct wf_err *err);
/* The last drops that policies made, the newest first. */
json_t *wf_control_policy_drops(struct wf_control *control);
/*
 * Whether a packet would pass and what decides, as docs/api.md has it: request {source,
 * destination, port, protocol} or {drop}. Runs the production programs on a made-up packet.
 */
int wf_control_why(struct wf_control *control, const json_t *request, json_t **ret_answer,
		   struct wf_err *err);

/* ---- seeing it ---------------------------------------------------------------------------- */

json_t *wf_control_status(struct wf_control *control);
void wf_control_metrics(struct wf_control *control, struct wf_str *out);

/* How the store is: {store, remote, connected, revision, ...}. New reference; NULL: no memory. */
json_t *wf_control_store(struct wf_control *control);

/* The operator believes what the store has now. -EALREADY: nothing is held back. */
int wf_control_store_accept(struct wf_control *control, json_t **ret_answer, struct wf_err *err);

/* Events for observers: what is wanted, and who is called with each (JSON borrowed). */
struct wf_observer {
	bool drops;
	bool first;
	bool audit;           /* what would be dropped if it were not on trial */
	const char *network;  /* NULL: all; borrowed until removed */
	const char *endpoint; /* NULL: all */
	void (*callback)(const json_t *event, void *context);
	void *context;
	struct wf_observer *next; /* control's */
};
int wf_control_observe(struct wf_control *control, struct wf_observer *observer,
		       struct wf_err *err);
void wf_control_unobserve(struct wf_control *control, struct wf_observer *observer);

/* ---- the whole host ----------------------------------------------------------------------- */

/*
 * Takes a node that no daemon runs for on this host any more out of a store that others share.
 * -EADDRINUSE: somebody else is alive under that name.
 */
int wf_control_leave(struct wf_store *store, const char *node, struct wf_str *report,
		     struct wf_err *err);
/* In the run directory: what weftd wrote down of endpoints when the store took nothing. */
#define WF_CONTROL_KEPT_FILE "endpoints.kept"
/*
 * Takes back everything weft made on this host: links, routes, maps, state. Works without a
 * daemon; refuses (-EBUSY) while one runs on run_dir.
 */
int wf_control_cleanup(const char *run_dir, const char *state_dir, const char *bpf_dir,
		       struct wf_str *report, struct wf_err *err);

#endif
