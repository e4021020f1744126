/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, addresses, routes, qdiscs and filters of the host and of containers' namespaces: the
 * only part that speaks netlink. It acts when told and reports what others do; it decides
 * nothing, logs nothing and knows neither the store nor eBPF maps (program fds come in).
 *
 * Kernel objects outlive the process on purpose: closing this handle removes nothing.
 * One handle is used from one thread; burying links happens on a thread of its own inside.
 */
#ifndef WEFT_NET_NET_H
#define WEFT_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct wf_net;

/* rtm_protocol of every route that weft makes, so that it finds its own again. */
#define WF_NET_ROUTE_PROTOCOL 119
/* The same of the two routes for tunnels of encrypted networks (net/wireguard.h). */
#define WF_NET_TUNNEL_PROTOCOL 120
/* Interface groups: devices of VLANs, live endpoint devices, and those waiting to be deleted. */
#define WF_NET_GROUP_VLAN 0x77660000
#define WF_NET_GROUP_LIVE 0x77660001
#define WF_NET_GROUP_DEAD 0x77660002
/* The node's own device pair: weft0 carries the gateways' addresses, weft0p is slot 0. */
#define WF_NET_HOST_DEVICE "weft0"
#define WF_NET_HOST_PEER   "weft0p"
/* The node's way to other nodes. */
#define WF_NET_OVERLAY_DEVICE "weft-overlay"

int wf_net_open(struct wf_net **ret_net, struct wf_err *err);
/*
 * A handle to look with (find, dump, get, default_device), without a thread that buries. What would
 * change something must not be called on it.
 */
int wf_net_open_reader(struct wf_net **ret_net, struct wf_err *err);
/* Finishes pending burials, then closes. NULL-safe; nulls the pointer. */
void wf_net_close(struct wf_net **net);

/* ---- network namespaces ------------------------------------------------------------------- */

struct wf_net_ns_id {
	uint64_t dev;
	uint64_t inode;
};

/*
 * Opens a namespace by path ("/run/netns/x", "/proc/1/ns/net"). -ESRCH: no such file, not a
 * network namespace, or the host's own. -EMFILE, -ENFILE, -ENOMEM: it may well be there. *ret_fd
 * is the caller's.
 */
int wf_net_ns_open(const char *path, int *ret_fd, struct wf_net_ns_id *ret_id, struct wf_err *err);

/*
 * Whether a path still leads to a namespace that wf_net_ns_open() gave this identity: 1, or 0.
 * Cheaper than opening it again. Negative errno: it cannot be told now, want of memory.
 */
int wf_net_ns_alive(const char *path, const struct wf_net_ns_id *id);

/*
 * The id of a namespace as seen from the host's; assigns one when it has none. -ESRCH: it is none.
 */
int wf_net_ns_number(struct wf_net *net, int netns_fd, int32_t *ret_nsid, struct wf_err *err);

/* Whether id is this process' own namespace. */
bool wf_net_ns_is_own(const struct wf_net_ns_id *id);

/* ---- endpoints ---------------------------------------------------------------------------- */

enum wf_net_kind {
	WF_NET_KIND_PAIR, /* veth or netkit */
	WF_NET_KIND_MACVLAN,
	WF_NET_KIND_IPVLAN,
	WF_NET_KIND_LOOPBACK_ONLY, /* driver none: bring lo up, nothing else */
};

/* How interfaces that share a parent treat each other; see macvlan and ipvlan in ip-link(8). */
enum wf_net_mode {
	WF_NET_MODE_DEFAULT, /* bridge or l2 */
	WF_NET_MODE_BRIDGE,  /* MACVLAN: this one to PASSTHRU */
	WF_NET_MODE_VEPA,
	WF_NET_MODE_PRIVATE,
	WF_NET_MODE_PASSTHRU,
	WF_NET_MODE_L2, /* IPVLAN: this one to L3S */
	WF_NET_MODE_L3,
	WF_NET_MODE_L3S,
};

struct wf_net_address {
	struct wf_prefix prefix; /* with host bits */
};

struct wf_net_route {
	struct wf_prefix prefix; /* len 0: default */
	struct wf_addr via;      /* zero: on link */
	struct wf_addr source;   /* zero: kernel's choice */
	uint32_t mtu;            /* 0: none */
	uint32_t ifindex;        /* host routes: device; ignored for endpoints */
	uint32_t metric;         /* 0: kernel's default */
};

/* What an endpoint's interface shall be. All pointers borrowed for the call. */
struct wf_net_endpoint {
	enum wf_net_kind kind;
	bool is_netkit; /* PAIR: how it is made; to a check either is right */
	int netns_fd;
	const char *ifname;     /* inside */
	const char *host_name;  /* PAIR: name of the host side */
	uint32_t host_ifindex;  /* PAIR: index of the host side, WF_IFINDEX_BASE + slot */
	const char *alias;      /* PAIR: IFLA_IFALIAS of the host side, for people */
	struct wf_mac mac;      /* inside */
	struct wf_mac host_mac; /* PAIR */
	uint32_t mtu;
	uint32_t parent_ifindex; /* MACVLAN, IPVLAN */
	enum wf_net_mode mode;   /* MACVLAN, IPVLAN */
	uint32_t gso_max_bytes;  /* BIG TCP limit for both ends and families; 0: leave */
	uint32_t ingress_block;  /* PAIR: shared tc blocks of the host side, 0: none */
	uint32_t egress_block;
	const struct wf_net_address *addresses;
	size_t address_count;
	const struct wf_net_route *routes; /* after addresses are set and the link is up */
	size_t route_count;
};

/*
 * Makes the interface: each end is created in its final namespace, never moved; the host side
 * gets its tc blocks and comes up, addresses (IPv6 without duplicate detection) are set, the
 * inner side comes up last, then routes. lo comes up too. *ret_nsid: id of the namespace seen
 * from the host's. -EEXIST: ifname is taken inside (a buried interface of that name is removed
 * first and does not count); -EBUSY: host_name or host_ifindex is taken on the host. On failure
 * nothing is left behind. A namespace whose IPv6 is off gets it on ifname when it needs it.
 */
int wf_net_endpoint_create(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			   int32_t *ret_nsid, struct wf_err *err);

/*
 * Compares the inside of a namespace with what an endpoint shall be (CNI CHECK). -ENODEV: no
 * such interface; -ESTALE: an address, MAC, MTU or route differs; the message says which.
 */
int wf_net_endpoint_check(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			  struct wf_err *err);

/*
 * Brings weft's own routes by an endpoint's interface to those that it shall have now; routes of others
 * stay, also in the place of one of these. -ENODEV: there is no such interface.
 */
int wf_net_endpoint_sync_routes(struct wf_net *net, const struct wf_net_endpoint *endpoint,
				struct wf_err *err);

/*
 * Puts right what others did to the host side of a PAIR endpoint: name, alias, group, MTU, blocks,
 * up. netns_fd is not looked at. -ENODEV: there is no device with that index.
 */
int wf_net_host_side_repair(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			    struct wf_err *err);

/*
 * Hands a host-side device (and so its peer) to the grave-digger: it goes to the dead group and
 * down at once and is deleted, with others in one message when there are many, on another
 * thread (deleting a link blocks for 15 ms). -ENODEV when there is none.
 */
int wf_net_endpoint_bury(struct wf_net *net, uint32_t host_ifindex);
/*
 * The same for a device whose end keeps everybody else who changes links waiting for a grace period, since
 * it has a program on tcx: there is hardly ever more than one of them in a message.
 */
int wf_net_endpoint_bury_slow(struct wf_net *net, uint32_t host_ifindex);

/* The same for an interface that has no host side (MACVLAN, IPVLAN); netns_fd is duplicated. */
int wf_net_inner_bury(struct wf_net *net, int netns_fd, const char *ifname);

/*
 * Has what an earlier process buried and did not live to delete deleted, soon: here, and in all
 * namespaces that this one has a number for.
 */
void wf_net_bury_leftovers(struct wf_net *net);

/* Waits until all buried links are gone, an earlier process's too (cleanup, tests). */
int wf_net_bury_flush(struct wf_net *net, struct wf_err *err);

/* ---- the node ----------------------------------------------------------------------------- */

/*
 * Makes sure that the pair weft0 / weft0p exists, with weft0p at index WF_IFINDEX_BASE, both up,
 * no ARP, accept_ra 0, its tc blocks attached. Ends that were renamed get their names back, a pair
 * whose weft0 was moved to another namespace is made anew. *ret_created tells whether it had to
 * be made; *ret_ifindex is weft0's. -EEXIST: a foreign device has the name.
 */
int wf_net_host_ensure(struct wf_net *net, uint32_t mtu, uint32_t gso_max_bytes,
		       uint32_t ingress_block, uint32_t egress_block, uint32_t *ret_ifindex,
		       bool *ret_created, struct wf_err *err);

/*
 * Brings the addresses of a device and weft's own routes (by protocol) to exactly these. The
 * kernel makes no routes for these addresses; its link-local ones stay. Destinations are weft's:
 * a route of somebody else in the very place (prefix and metric) of one of these is replaced.
 */
int wf_net_host_sync_addresses(struct wf_net *net, uint32_t ifindex,
			       const struct wf_net_address *addresses, size_t count,
			       struct wf_err *err);
/* Those of the metric `spared` stay, wanted or not; 0: none. 1: there are such; 0, or -errno. */
int wf_net_host_sync_routes(struct wf_net *net, const struct wf_net_route *routes, size_t count,
			    uint32_t spared, struct wf_err *err);

/*
 * One more, or one less, without a dump. Adding what is there and removing what is not is fine.
 * -EEXIST: somebody else's route is in the place.
 */
int wf_net_route_add(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err);
int wf_net_route_del(struct wf_net *net, const struct wf_net_route *route, struct wf_err *err);

/*
 * A macvlan device of the host on parent, so that the host reaches its own macvlan containers and
 * they the host. Machines on the wire go on finding the host's addresses at the parent.
 * -EEXIST: another device has the name.
 */
int wf_net_macvlan_host_ensure(struct wf_net *net, const char *name, uint32_t parent_ifindex,
			       uint32_t *ret_ifindex, struct wf_err *err);

/* A macvlan container as the host sees it. */
struct wf_net_macvlan_peer {
	struct wf_addr addr;
	struct wf_mac mac;
};

/*
 * Brings that device's neighbour entries to exactly these containers, and the IPv6 addresses that
 * it answers for to those of the parent: to be repeated when the parent's addresses change.
 * ret_routes (room for count) gets a route to each, to be handed to wf_net_host_sync_routes().
 */
int wf_net_macvlan_host_sync(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			     const struct wf_net_macvlan_peer *peers, size_t count,
			     struct wf_net_route *ret_routes, struct wf_err *err);

/*
 * One container more, or one less, its route included. -EEXIST: the host has a route to it that
 * is not weft's.
 */
int wf_net_macvlan_peer_add(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err);
int wf_net_macvlan_peer_del(struct wf_net *net, uint32_t ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err);

/*
 * Makes sure that the VXLAN device of the overlay exists and is up: external mode, no learning, no
 * address. A port other than that of an existing device needs wf_net_link_del() first.
 * -EADDRINUSE: somebody else has the UDP port; -EEXIST: a foreign device has the name.
 */
int wf_net_overlay_ensure(struct wf_net *net, uint16_t port, uint32_t mtu, uint32_t *ret_ifindex,
			  struct wf_err *err);

/* Who makes checksums of what the device of the overlay encapsulates. */
enum wf_net_sums {
	WF_NET_SUMS_DEVICE, /* devices below it */
	WF_NET_SUMS_WEFT,   /* the kernel: weft has set it so */
	WF_NET_SUMS_OTHERS, /* the kernel: somebody else has */
};

/* -ENODEV: there is no such device. */
int wf_net_overlay_sums_get(struct wf_net *net, enum wf_net_sums *ret_sums, struct wf_err *err);
/* Has the kernel make them, with weft's mark, or leaves them to devices, without. */
int wf_net_overlay_sums_set(struct wf_net *net, bool by_kernel, struct wf_err *err);

/* How the host's packets leave for an address that is not its own. */
struct wf_net_way {
	uint32_t ifindex;
	bool is_on_link;       /* on the segment of the device; otherwise behind a router */
	struct wf_addr router; /* zero: there is none, or it is of the other family */
};
/* What the host's routes say now. -ENETUNREACH: none leads there. */
int wf_net_way_find(struct wf_net *net, const struct wf_addr *addr, struct wf_net_way *ret_way,
		    struct wf_err *err);

/* A packet that comes in by a device. */
struct wf_net_arrival {
	uint32_t ifindex;
	struct wf_addr src, dst; /* of one family */
	uint8_t proto;
	uint16_t sport, dport; /* of TCP and UDP */
};

/* What the host's routes and settings do with it; its packet filter is not asked. */
struct wf_net_fate {
	enum {
		WF_NET_FATE_NONE, /* nothing: no route, no forwarding, a source that must not come there */
		WF_NET_FATE_HOST,    /* it is for the host itself */
		WF_NET_FATE_FORWARD, /* it goes on by a device */
	} kind;
	uint32_t ifindex; /* of that device, else 0 */
	bool is_neighbour; /* the kernel knows who has the destination, on the segment of that device */
};
int wf_net_arrival_fate(struct wf_net *net, const struct wf_net_arrival *arrival,
			struct wf_net_fate *ret_fate, struct wf_err *err);

/*
 * The link-local IPv6 address of the device that has an address of the host: where neighbours on
 * its segment send IPv6. Zero: no device has the address, or it has no such one; for a second or two after
 * it was made the kernel asks whether somebody else has it (RFC 4862, 5.4), and answers nobody.
 */
int wf_net_link_local_find(struct wf_net *net, const struct wf_addr *addr,
			   struct wf_addr *ret_link_local, struct wf_err *err);

/* Whether the host has IPsec policies: what it sends past its stack would not be encrypted. */
int wf_net_ipsec_present(struct wf_net *net, bool *ret_present, struct wf_err *err);

/* Deletes a device by index at once. Missing is fine. */
int wf_net_link_del(struct wf_net *net, uint32_t ifindex, struct wf_err *err);

/* One device of the host's namespace. Strings borrowed for the callback. */
struct wf_net_link {
	uint32_t ifindex;
	const char *name;
	const char *kind;  /* "veth", "macvlan"; "" when it has none */
	const char *alias; /* "" when it has none */
	uint32_t group;
	uint32_t mtu;
	uint32_t parent; /* IFLA_LINK */
	uint16_t vlan;   /* kind "vlan": which one of its parent; 0: none, or not of IEEE 802.1Q */
	uint32_t master; /* bridge, bond, ... that it is a port of; 0: none */
	uint16_t hardware; /* ARPHRD_* */
	int32_t peer_nsid; /* IFLA_LINK_NETNSID; -1 when in this namespace */
	bool up;
	bool is_operational; /* IF_OPER_UP: it sends what it is given */
	struct wf_mac mac;
};

typedef void (*wf_net_link_fn)(const struct wf_net_link *link, void *context);
int wf_net_link_dump(struct wf_net *net, wf_net_link_fn visit, void *context, struct wf_err *err);
/*
 * By name or index (name NULL). -ENODEV. The strings of *ret_link point into `names`; an alias
 * that is too long for it is cut.
 */
int wf_net_link_find(struct wf_net *net, const char *name, uint32_t ifindex,
		     struct wf_net_link *ret_link, char names[256], struct wf_err *err);

/*
 * The device of a VLAN (1 to 4094) on a device of the host. One that is there is taken as it is,
 * whoever made it; one that is missing is made, in WF_NET_GROUP_VLAN, which is how weft's own is
 * known again, and named as it usually is (eth0.42) if there is room for that. *ret_created tells
 * whether it was. It is set up if it is weft's. ret_link and names as of wf_net_link_find().
 * -EEXIST: the name is taken by another device; -ENODEV: no parent; -EOPNOTSUPP: the kernel has no
 * VLANs, or the parent takes none.
 */
int wf_net_vlan_ensure(struct wf_net *net, uint32_t parent_ifindex, uint16_t vlan,
		       struct wf_net_link *ret_link, char names[256], bool *ret_created,
		       struct wf_err *err);

/* The device of the best default route and its MTU; -ENODEV: no default route. */
int wf_net_default_device(struct wf_net *net, char ret_name[16], uint32_t *ret_ifindex,
			  uint32_t *ret_mtu, struct wf_err *err);

/* Every prefix that a new subnet must not overlap: routes of all tables, and addresses. */
typedef void (*wf_net_prefix_fn)(const struct wf_prefix *prefix, const char *device,
				 uint8_t protocol, void *context);
int wf_net_prefix_dump(struct wf_net *net, wf_net_prefix_fn visit, void *context,
		       struct wf_err *err);

/* ---- tc ----------------------------------------------------------------------------------- */

/*
 * Puts a program as the one filter of a shared block, replacing atomically the one that is there;
 * filters of others are removed. The block must be in use by a device. prog_fd is not kept.
 */
int wf_net_block_set(struct wf_net *net, uint32_t block, int prog_fd, const char *name,
		     struct wf_err *err);

/* Program id of the block's filter. -ENOENT: none; -EUCLEAN: beside it there are others. */
int wf_net_block_get(struct wf_net *net, uint32_t block, uint32_t *ret_prog_id, struct wf_err *err);

/*
 * Attaches the clsact qdisc with shared blocks to a device of weft's; fine when it is there
 * already. Another clsact or ingress qdisc makes way.
 */
int wf_net_blocks_attach(struct wf_net *net, uint32_t ifindex, uint32_t ingress, uint32_t egress,
			 struct wf_err *err);

/* Devices whose clsact qdisc uses these blocks. */
typedef void (*wf_net_qdisc_fn)(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context);
int wf_net_qdisc_dump(struct wf_net *net, wf_net_qdisc_fn visit, void *context, struct wf_err *err);

/* ---- what others do ----------------------------------------------------------------------- */

enum wf_net_event_type {
	WF_NET_EVENT_LINK_DEL,
	WF_NET_EVENT_LINK_CHANGE, /* new, up, down, renamed, ... */
	WF_NET_EVENT_QDISC_DEL,
	WF_NET_EVENT_FILTER_DEL,
	WF_NET_EVENT_FILTER_CHANGE, /* new or replaced, weft's own included */
	WF_NET_EVENT_ROUTE_DEL,
	WF_NET_EVENT_ROUTE_REPLACE, /* one takes the place of another */
	WF_NET_EVENT_ADDR_NEW,
	WF_NET_EVENT_ADDR_DEL,
	WF_NET_EVENT_NSID_DEL, /* a namespace with an id of ours died */
	WF_NET_EVENT_OVERRUN,  /* events were lost: look at everything */
};

struct wf_net_event {
	enum wf_net_event_type type;
	uint32_t ifindex;        /* 0 when not about a device */
	struct wf_net_link link; /* LINK_*: as it is now, or was; strings borrowed for the call */
	struct wf_prefix prefix; /* ROUTE_*: destination */
	uint8_t protocol;        /* ROUTE_*: rtm_protocol, of the new one */
	int32_t nsid;            /* NSID_DEL */
	uint32_t block;          /* FILTER_* on a shared block */
};

typedef void (*wf_net_event_fn)(const struct wf_net_event *event, void *context);

/* Becomes readable when there are events; -1 never. Owned by net. */
int wf_net_event_fd(const struct wf_net *net);
/* Delivers all waiting events without blocking. */
int wf_net_event_read(struct wf_net *net, wf_net_event_fn callback, void *context);

#endif
