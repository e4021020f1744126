/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network: a named L3 domain. Pure: from and to documents, checks and defaults; nothing here
 * knows the kernel, the store or other networks.
 *
 *   apiVersion: weft.dev/v1
 *   kind: Network
 *   metadata: {name: blue, labels: {...}}
 *   spec:
 *     driver: bridge | overlay | routed | host | none | macvlan | ipvlan
 *     ipFamilies: [IPv4, IPv6]        # of automatic subnets; default [IPv4]
 *     subnets:
 *     - cidr: 10.64.0.0/16
 *       gateway: 10.64.0.1            # default: first address
 *       ranges: [{start: 10.64.0.10, end: 10.64.0.99}]   # default: all of it
 *       blockSize: 26                 # overlay, routed: prefix length of the nodes' blocks; 0: none
 *       exclude: [10.64.0.50, 10.64.0.64/28, 10.64.0.70-10.64.0.75]
 *     isolated: true                  # no traffic to other networks
 *     internal: false                 # nothing beyond the network and its host
 *     overlapping: false              # bridge, overlay: others may have the same subnets
 *     masquerade: true                # what leaves the host shows the host's address; bridge, overlay, routed
 *     mtu: 1500                       # default: found by itself
 *     coolDown: 30s                   # before a released address is given out again
 *     sticky: false                   # addresses stick to endpoint names
 *     parent: eth0                    # macvlan, ipvlan; eth0.42: VLAN 42 of eth0
 *     vlan: 42                        # macvlan, ipvlan: the same with the parent eth0
 *     mode: bridge | private | vepa | passthru | l2 | l3 | l3s
 *     hostAccess: true                # macvlan: the host reaches its own containers
 *     encapsulation: across-subnets | never   # routed: to nodes that are behind a router
 *     encryption: none | wireguard    # overlay: between nodes; default: that of --encryption
 *     routes:
 *     - to: 10.99.0.0/16              # bridge, overlay, routed: by way of an endpoint of the network
 *       via: 10.64.0.9
 *     - to: 10.98.0.0/16              # overlay: behind a VXLAN endpoint that is no node
 *       vtep: {address: 192.0.2.10, vni: 5001, mac: 02:00:00:00:98:01}
 */
#ifndef WEFT_MODEL_NETWORK_H
#define WEFT_MODEL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "model/meta.h"

#define WF_KIND_NETWORK "Network"

enum wf_driver {
	WF_DRIVER_BRIDGE,
	WF_DRIVER_OVERLAY, /* as bridge, and the same network on every node */
	WF_DRIVER_ROUTED,  /* as overlay, and without a tunnel between nodes of one segment */
	WF_DRIVER_HOST,
	WF_DRIVER_NONE,
	WF_DRIVER_MACVLAN,
	WF_DRIVER_IPVLAN,
	WF_DRIVER_COUNT,
};

enum wf_driver_mode {
	WF_MODE_DEFAULT, /* macvlan: bridge, ipvlan: l2 */
	WF_MODE_BRIDGE,
	WF_MODE_PRIVATE,
	WF_MODE_VEPA,
	WF_MODE_PASSTHRU,
	WF_MODE_L2,
	WF_MODE_L3,
	WF_MODE_L3S,
	WF_MODE_COUNT,
};

/* Of a routed network: what becomes of packets to nodes that are behind a router. */
enum wf_encapsulation {
	WF_ENCAPSULATION_ACROSS_SUBNETS, /* they take the tunnel, as in an overlay */
	WF_ENCAPSULATION_NEVER,          /* they are dropped */
	WF_ENCAPSULATION_COUNT,
};

enum wf_encryption {
	WF_ENCRYPTION_DEFAULT, /* the document does not say */
	WF_ENCRYPTION_NONE,
	WF_ENCRYPTION_WIREGUARD,
	WF_ENCRYPTION_COUNT,
};

/* An inclusive run of addresses. */
struct wf_range {
	struct wf_addr first;
	struct wf_addr last;
};

struct wf_ranges {
	struct wf_range *items; /* owned */
	size_t count;
	size_t capacity;
};

struct wf_subnet {
	struct wf_prefix prefix; /* host bits zero */
	struct wf_addr gateway;  /* zero: none (spec.gateway: "" or driver without one) */
	bool has_gateway;
	bool has_block_size;     /* spec says how large blocks are */
	uint8_t block_size;      /* then: their prefix length; 0: there shall be none */
	struct wf_ranges ranges; /* empty: the whole subnet */
	struct wf_ranges
		excluded; /* never given out automatically; static requests may take them */
};

/* A prefix by way of an endpoint of the network, or behind a VXLAN endpoint that is no node. */
struct wf_route {
	struct wf_prefix to;
	bool is_via;
	struct wf_addr via;  /* then: the endpoint's address, and nothing below counts */
	struct wf_addr vtep; /* outer address of the VXLAN endpoint */
	uint32_t vni;        /* WF_VTEP_MIN_VNI to WF_VTEP_MAX_VNI */
	struct wf_mac mac;   /* who there is sent what is inside */
	bool unencrypted;    /* may be used by an encrypted network */
};

struct wf_network {
	struct wf_meta meta;
	enum wf_driver driver;
	enum wf_driver_mode mode;
	char parent[16]; /* empty: the device of the default route */
	uint16_t vlan;   /* of the parent; 0: the document names none */
	bool want_ip4;   /* automatic subnets wanted; meaningless once subnets are there */
	bool want_ip6;
	struct wf_subnet subnets[WF_MAX_SUBNETS];
	size_t subnet_count;
	struct wf_route *routes; /* owned */
	size_t route_count;
	bool isolated;
	bool internal;
	bool overlapping; /* bridge, overlay: addresses mean nothing beyond it; then both of these */
	bool masquerade;  /* bridge, overlay, routed: default unless internal; others: false */
	enum wf_encapsulation encapsulation;
	bool sticky;
	bool host_access;
	enum wf_encryption encryption; /* overlay: between nodes */
	uint32_t mtu;                  /* 0: found by itself */
	uint64_t cool_down_ms;
	uint32_t number; /* node-local number, spec-less; kept in status.number; 0: none yet */
};

/* Frees members; the object may be used again. */
void wf_network_done(struct wf_network *network);

/*
 * Reads and checks a document that passed wf_document_check(): subnets within limits, gateway
 * and ranges inside their subnet and not each other's, driver and mode match, and so on.
 * Errors name the field. Fills defaults. *network must be zeroed; untouched on failure.
 */
int wf_network_from_json(struct wf_network *network, const json_t *document, struct wf_err *err);

/* The full document (spec with defaults spelled out; status.number when set). NULL: no memory. */
json_t *wf_network_to_json(const struct wf_network *network);

/* Whether the change from old to new is possible at all; -EBUSY names the field. */
int wf_network_check_kept(const struct wf_network *from, const struct wf_network *to,
			  struct wf_err *err);
/* The same while endpoints exist. */
int wf_network_check_change(const struct wf_network *from, const struct wf_network *to,
			    struct wf_err *err);

/*
 * Whether the routes go together with subnets and encryption, which may be chosen after the document
 * was read. -EINVAL names the field.
 */
int wf_network_check_routes(const struct wf_network *network, struct wf_err *err);
/* Whether a route is to all addresses of a family: those that nobody in weft has. */
bool wf_route_is_default(const struct wf_route *route);

/*
 * The prefix length of the blocks that a subnet is cut into where several nodes give it out: as the
 * document says, or 16 of them at least and 64 addresses in each at most. 0: none, it is too small.
 */
uint8_t wf_subnet_block_len(const struct wf_subnet *subnet);

/*
 * What VLAN of what device a parent's name speaks of where there is no such device: eth0.42. 0:
 * it does not.
 */
uint16_t wf_network_name_vlan(const char *parent, char ret_device[16]);

/* Names as in documents; from_name gives COUNT when unknown. */
const char *wf_driver_name(enum wf_driver driver);
enum wf_driver wf_driver_from_name(const char *name);
/* Whether containers of such a network are slots of the datapath and the host routes for them. */
bool wf_driver_is_routed(enum wf_driver driver);
/* Whether such a network is the same one on every node, and reaches from one to the other. */
bool wf_driver_is_shared(enum wf_driver driver);
const char *wf_encapsulation_name(enum wf_encapsulation encapsulation);
enum wf_encapsulation wf_encapsulation_from_name(const char *name);
const char *wf_encryption_name(enum wf_encryption encryption); /* "" for DEFAULT */
enum wf_encryption wf_encryption_from_name(const char *name);
const char *wf_mode_name(enum wf_driver_mode mode); /* "" for DEFAULT */
enum wf_driver_mode wf_mode_from_name(const char *name);

/*
 * Whether endpoints of the network may reach others through a gateway: not in ipvlan in l3 and l3s, and
 * not where there is nobody else.
 */
bool wf_network_has_gateways(const struct wf_network *network);

/* The subnet that contains an address, NULL when none. */
const struct wf_subnet *wf_network_subnet_of(const struct wf_network *network,
					     const struct wf_addr *addr);

/* "a-b", "a" or "a/len" into a range. -EINVAL. */
int wf_range_parse(const char *text, struct wf_range *ret_range);
void wf_ranges_done(struct wf_ranges *ranges);
int wf_ranges_add(struct wf_ranges *ranges, const struct wf_range *range);
bool wf_ranges_contain(const struct wf_ranges *ranges, const struct wf_addr *addr);

#endif
