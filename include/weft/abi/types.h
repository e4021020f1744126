/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Keys and values of the pinned maps, as both the programs in bpf/ and the daemon see them.
 * Fixed-width types only, explicit padding, sizes asserted. Changing anything here means
 * raising WF_ABI_VERSION.
 */
#ifndef WEFT_ABI_TYPES_H
#define WEFT_ABI_TYPES_H

#include <linux/types.h>

#include <weft/abi/limits.h>

/* One address format for both families: IPv4 is held as ::ffff:a.b.c.d. Network byte order. */
struct wf_addr {
	union {
		__u8 bytes[16];
		__be32 words[4];
		__u64 halves[2];
	};
};

/* struct wf_ep_value.flags; a slot without WF_EP_READY drops everything in both directions. */
enum wf_ep_flag {
	WF_EP_READY = 1 << 0, /* data complete, traffic may pass */
	WF_EP_HOST = 1 << 1,  /* the node's own device: run the from_host stage */
	WF_EP_IPV4 = 1 << 2,  /* ip4 is valid */
	WF_EP_IPV6 = 1 << 3,  /* ip6 is valid */
	WF_EP_MORE_ADDRS =
		1 << 4,         /* further addresses: ask the address table when ip4/ip6 differ */
	WF_EP_GUARDED = 1 << 5, /* policies are about it: packets from and to it are judged */
	WF_EP_OVERLAY = 1 << 6, /* its network reaches other nodes: ask wf_remotes as well */
};

/* Value of wf_endpoints, indexed by slot. Written by the daemon, read by every program. */
struct wf_ep_value {
	__u32 flags;        /* enum wf_ep_flag */
	__u32 ifindex;      /* host side device, 0 when the slot is free */
	__u32 network;      /* index into wf_networks */
	__u32 class_id;     /* policy class, 0 until policy exists */
	struct wf_addr ip4; /* first IPv4 address, mapped */
	struct wf_addr ip6; /* first IPv6 address */
	__u8 mac[6];        /* the container's MAC; slot 0: the MAC of weft0 */
	__u16 scope;        /* of its addresses: WF_NETWORK_HOST, or its network */
};

/* struct wf_addr_value.flags */
enum wf_addr_flag {
	WF_ADDR_GATEWAY = 1 << 0, /* the network's gateway: answered by the host */
	WF_ADDR_HOST = 1 << 1,    /* an address of the host, in the host's view; slot 0 */
	WF_ADDR_SERVICE = 1 << 2, /* a service's, in its scope; slot 0: other ports are refused */
};

/* Key of wf_addresses: an exact address in a network (WF_NETWORK_HOST for the host's view). */
struct wf_addr_key {
	__u32 network;
	__u32 pad; /* zero: the key is compared as bytes */
	struct wf_addr addr;
};

/* Value of wf_addresses. */
struct wf_addr_value {
	__u32 slot;  /* owner: index into wf_endpoints, WF_SLOT_HOST for gateways */
	__u32 flags; /* enum wf_addr_flag */
};

/*
 * Value of wf_remotes: an address of an endpoint of another node. The key is that of wf_addresses,
 * with the address' scope for a network: mostly the host's view (WF_NETWORK_HOST).
 */
struct wf_remote_value {
	__u32 node;    /* index into wf_nodes */
	__u32 network; /* index into wf_networks, on every node the same */
	__u32 flags;   /* enum wf_remote_flag */
};

enum wf_remote_flag {
	/*
	 * WireGuard takes the address from its node and from nobody else: packets go to it, and come
	 * from it, as they are.
	 */
	WF_REMOTE_BOUND = 1 << 0,
	/* Of a program's own, never in the map: with outer headers, whatever the network is. */
	WF_REMOTE_OUTER = 1 << 1,
};

/*
 * Key of wf_vteps: a prefix of a network's routes, or, with WF_VTEP_PEER and a VNI as its scope, the
 * outer address of a VXLAN endpoint.
 */
struct wf_vtep_key {
	__u32 prefixlen; /* in bits, from scope on */
	__u32 scope;
	struct wf_addr addr;
};

/*
 * Value of wf_vteps: who has the prefix. Of WF_VTEP_PEER only the network is filled in, of a route by
 * way of an endpoint of the network only that endpoint's address.
 */
struct wf_vtep_value {
	struct wf_addr addr; /* outer; vni 0: of the network */
	__u32 vni;           /* 0: no VXLAN endpoint, an endpoint of the network is the gateway */
	__u32 network;       /* index into wf_networks */
	__u8 mac[6];         /* who is sent what is inside */
	__u16 flags;         /* enum wf_vtep_flag */
};

enum wf_vtep_flag {
	/* Of a route by way of an endpoint: to whoever is beyond weft, of that endpoint's family. */
	WF_VTEP_DEFAULT = 1 << 0,
};

/* Of WF_NODE_SELF: programs open the tunnel, but send nothing through it except WF_MARK_SUMS. */
#define WF_NODE_SENDS_BY_DEVICE 1
/* Of WF_NODE_SELF: not even that, all of it goes through the device. */
#define WF_NODE_OPENS_BY_DEVICE 2

/* Value of wf_nodes, by number; WF_NODE_SELF is this one. All zero: there is none. */
struct wf_node_value {
	struct wf_addr underlay; /* where its tunnel ends */
	struct wf_addr next_hop; /* for IPv6 where the underlay is IPv4; zero: there is none */
	struct wf_addr router; /* who is sent what is encapsulated: the node itself, or a router */
	struct wf_addr
		tunnels[WF_MAX_TUNNELS]; /* inside WireGuard; the first is sent to; zero: none */
	/*
	 * WF_NODE_SELF: the device of the overlay; 0: none. Others: the device whose segment the node
	 * is on as well; 0: it is behind a router.
	 */
	__u32 ifindex;
	/*
	 * WF_NODE_SELF: the WireGuard device that containers' packets are put into as they are; 0: they
	 * get outer headers first. Others: the device to the router; 0: the host's stack sees to it.
	 */
	__u32 out_ifindex;
	__u32 out_mtu; /* of that device */
	__be16 port;   /* WF_NODE_SELF: of the tunnel; 0: there is none */
	/*
	 * WF_NODE_SELF: WF_NODE_*_BY_DEVICE, or 0. Others: the largest packet that gets there
	 * whole; 0: what endpoints send does, with all headers.
	 */
	__u16 path_mtu;
};

/*
 * Value of wf_seals, by a node's address: what its host and this one's send each other, from that
 * address to this node's, goes inside WireGuard only. wf_clear has a bit for each port of TCP and UDP
 * that is an exception, 64 in an entry.
 */
struct wf_seal_value {
	__u32 node;    /* index into wf_nodes */
	__u32 ifindex; /* uplink by which it is reached: what comes from it is received there */
	__be16 own[WF_MAX_TUNNELS];   /* UDP ports of WireGuard here */
	__be16 ports[WF_MAX_TUNNELS]; /* and there; 0: none */
	__be16 vxlan;                 /* UDP port of the overlay */
	__u16 mtu;                    /* what WireGuard carries in one packet; 0: not known */
};

/* struct wf_net_value.flags */
enum wf_net_flag {
	WF_NET_VALID = 1 << 0,
	WF_NET_ISOLATED = 1 << 1, /* no traffic to or from endpoints of other networks */
	WF_NET_INTERNAL = 1 << 2, /* no traffic beyond the network's own subnets and the host */
	WF_NET_IPV4 = 1 << 3,
	WF_NET_IPV6 = 1 << 4,
	WF_NET_MASQUERADE = 1 << 5, /* what leaves the host shows the host's address */
	WF_NET_OVERLAY = 1 << 6,    /* the same network on every node; its number is the VNI */
	WF_NET_ROUTED = 1 << 7,     /* beside that: no tunnel to nodes on a shared segment */
	WF_NET_PLAIN = 1 << 8,      /* beside that: and none to others */
	WF_NET_ENCRYPTED = 1 << 9,  /* between nodes only inside WireGuard */
	WF_NET_VTEPS = 1 << 10,     /* has routes, to whoever is not known: wf_vteps */
	WF_NET_SCOPED = 1 << 11,    /* others may have the same addresses: isolated and internal */
};

/* One subnet of a network: an address is inside when (address & mask) == base. */
struct wf_subnet_value {
	struct wf_addr base;
	struct wf_addr mask;
};

/* Value of wf_networks, indexed by network number. Read on the slow paths only. */
struct wf_net_value {
	__u32 flags; /* enum wf_net_flag */
	__u32 subnet_count;
	__u8 gateway_mac[6]; /* what ARP and ND answer for the gateway */
	__u8 pad[2];
	__u32 pad2;
	struct wf_addr host4, host6; /* this node's own in a network of all nodes; zero: none */
	struct wf_addr gateway4, gateway6; /* the first of each family; zero: none */
	struct wf_subnet_value subnets[8];
};

/* Value of wf_drops (per CPU, indexed by enum wf_reason). */
struct wf_counter {
	__u64 packets;
	__u64 bytes;
};

/* Value of wf_traffic (per CPU, indexed by slot); directions as the container sees them. */
struct wf_traffic_value {
	struct wf_counter sent;
	struct wf_counter received;
	struct wf_counter dropped;
	__u32 peer; /* slot of the endpoint this one sent to last: a guess, always checked */
	__u32 told_s, told; /* messages about too large packets, in that second */
	__u32 pad;
};

/* struct wf_config_value.observe: what is put into the event ring. 0 costs nothing. */
enum wf_observe_flag {
	WF_OBSERVE_DROPS = 1 << 0, /* and what would be one if its policy were not on trial */
	WF_OBSERVE_FIRST = 1 << 1, /* first packets of flows */
};

/* Value of wf_config (one entry). Written by the daemon while it runs. */
struct wf_config_value {
	__u32 observe;      /* enum wf_observe_flag */
	__u32 host_ifindex; /* weft0, the peer of slot 0's device: what the host receives on */
	__u32 ranges;       /* published runs in force: generation in bit 31, their number below */
	__u32 flags;        /* enum wf_config_flag */
	__u32 revision;     /* of policies: verdicts of another one are not believed */
	/*
	 * Mark of packets that are only asked about ('weft why'): judged as the first of a
	 * connection, told as WF_EVENT_TRACE and never delivered; nothing is counted or recorded.
	 * 0: none.
	 */
	__u32 trace;
};

/* struct wf_config_value.flags */
enum wf_config_flag {
	WF_CONFIG_SERVICES = 1 << 0, /* there is a frontend or a published port */
	WF_CONFIG_BYPASS = 1 << 1,   /* no firewall of the host has to see what passes it */
	WF_CONFIG_SEALS = 1 << 2,    /* there is something in wf_seals */
	WF_CONFIG_LEAST = 1 << 3,    /* a service has, or had, WF_LB_LEAST: sockets are counted */
};

/* Value of wf_flow_filter (per CPU): a lossy memory of flows seen lately. */
struct wf_flow_seen {
	__u32 hash;
	__u32 stamp_s; /* coarse seconds since boot when last reported */
};

/* Value of wf_routes (per CPU, direct-mapped by a hash of both addresses): how frames leave. */
struct wf_route_value {
	struct wf_addr src; /* of the frame as it leaves */
	struct wf_addr dst;
	__u32 from;    /* device that it comes in by */
	__u32 proto;   /* IPPROTO_* */
	__u32 len;     /* from the IP header on: what is no longer fits as well */
	__u32 moment;  /* what it is good for */
	__u32 ifindex; /* device that it leaves by */
	__u8 macs[12]; /* destination and source, as a frame has them */
};

/* Indices of wf_progs: stages that a program reaches by a tail call. Never renumbered. */
enum wf_stage {
	WF_STAGE_FROM_HOST,
	WF_STAGE_ARP,
	WF_STAGE_ND,
	WF_STAGE_SERVICE, /* a container talks to a service, a published port or the world */
	WF_STAGE_REPLY,   /* a container answers a translated connection */
	WF_STAGE_POLICY,  /* what has to be judged, from whatever hook (lib/guard.h) */
	WF_STAGE_VIA, /* a container sends to a gateway of its network, or is one (lib/via.h); or out of
			   * a scope (lib/out.h) */
	WF_STAGE_DOOR, /* between who is outside and a scope's container on another node (lib/door.h) */
	WF_STAGE_COUNT,
};

/* Value of wf_build (one entry): which object the pinned programs came from; the daemon's only. */
struct wf_build_value {
	__u64 hash; /* of the object file; 0 while programs are being replaced */
	__u32 abi;  /* WF_ABI_VERSION */
	__u32 pad;
};

_Static_assert(sizeof(struct wf_addr) == 16, "wf_addr");
_Static_assert(sizeof(struct wf_ep_value) == 56, "wf_ep_value");
_Static_assert(sizeof(struct wf_addr_key) == 24, "wf_addr_key");
_Static_assert(sizeof(struct wf_addr_value) == 8, "wf_addr_value");
_Static_assert(sizeof(struct wf_net_value) == 88 + 8 * 32, "wf_net_value");
_Static_assert(sizeof(struct wf_remote_value) == 12, "wf_remote_value");
_Static_assert(sizeof(struct wf_vtep_key) == 24, "wf_vtep_key");
_Static_assert(sizeof(struct wf_vtep_value) == 32, "wf_vtep_value");
_Static_assert(sizeof(struct wf_node_value) == 96, "wf_node_value");
_Static_assert(sizeof(struct wf_seal_value) == 20, "wf_seal_value");
_Static_assert(sizeof(struct wf_traffic_value) == 64, "wf_traffic_value");
_Static_assert(sizeof(struct wf_config_value) == 24, "wf_config_value");
_Static_assert(sizeof(struct wf_flow_seen) == 8, "wf_flow_seen");
_Static_assert(sizeof(struct wf_route_value) == 64, "wf_route_value");
_Static_assert(sizeof(struct wf_build_value) == 16, "wf_build_value");

#endif
