/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Services and published ports as programs and daemon see them.
 *
 *   wf_frontends  (scope, address, port, protocol) -> which service, which two sets of picks
 *   wf_picks      a long array; a set is a run of it: every place names a backend. The algorithm
 *                 says which place of the run a new connection takes
 *   wf_backends   address and port, by number; numbers are never moved while in use
 *   wf_ranges     published ports: sorted runs of ports, one entry whatever their length
 */
#ifndef WEFT_ABI_LB_H
#define WEFT_ABI_LB_H

#include <weft/abi/types.h>

/* Who sees a frontend: a network's number, WF_NETWORK_HOST for the host's processes, or all. */
#define WF_SCOPE_ANY 0xffffffff

/* The second half of the address by which the host's own processes are known as clients; the first is 0. */
#define WF_CLIENT_HOST 1ULL

/*
 * Key of wf_frontends. Tried with WF_SCOPE_ANY first, then with the client's own scope; by clients
 * whose addresses are those of their network alone (WF_NET_SCOPED) with the latter only.
 */
struct wf_frontend_key {
	struct wf_addr addr; /* unspecified (of its family): any address of the host */
	__u32 scope;
	__be16 port;
	__u8 proto;
	__u8 pad; /* zero */
};

/* How a place of the run is chosen. The runs themselves are made to honour weights. */
enum wf_lb_algorithm {
	WF_LB_MAGLEV,      /* by a hash of the connection; the run is a Maglev table */
	WF_LB_RANDOM,      /* any place */
	WF_LB_ROUND_ROBIN, /* the next place */
	WF_LB_LEAST,       /* the place whose backend has fewest connections (of all up to 64, of
			    * two picked at random beyond) */
	WF_LB_ALGORITHM_COUNT,
};

/* struct wf_frontend_value.flags */
enum wf_frontend_flag {
	WF_FRONTEND_OUTSIDE = 1 << 0,       /* serves clients from outside at the uplinks */
	WF_FRONTEND_INSIDE = 1 << 1,        /* serves containers and the host */
	WF_FRONTEND_INSIDE_DROP = 1 << 2,   /* no pick for insiders: drop instead of refuse */
	WF_FRONTEND_OUTSIDE_DROP = 1 << 3,  /* the same for outsiders */
	WF_FRONTEND_SOURCE_RANGES = 1 << 4, /* clients must be in wf_source_ranges */
	WF_FRONTEND_AFFINITY = 1 << 5,
	WF_FRONTEND_SNAT =
		1 << 6, /* outsiders' source becomes the host's unless the backend is here */
	WF_FRONTEND_CUT = 1 << 7, /* established TCP to a backend that left is reset, not drained */
	WF_FRONTEND_DSR = 1 << 8, /* outsiders are answered by the backend's node directly: what
				   * they send goes on to it with the service's address */
};

/* A run of wf_picks: [first, first + size). size 0: nobody to serve. */
struct wf_pick_run {
	__u32 first;
	__u32 size;
};

/* Value of wf_frontends. */
struct wf_frontend_value {
	__u32 service;    /* number of the service port, from 1 */
	__u32 affinity_s; /* time-out of affinity, 0: none */
	struct wf_pick_run inside;
	struct wf_pick_run outside;
	__u16 flags;    /* enum wf_frontend_flag */
	__u8 algorithm; /* enum wf_lb_algorithm */
	__u8 type;      /* enum wf_frontend_type */
	__u32 scope; /* of its backends, where that is not its clients'; WF_NETWORK_HOST: it is */
};

enum wf_frontend_type {
	WF_FRONTEND_CLUSTER_IP,
	WF_FRONTEND_NODE_PORT,
	WF_FRONTEND_LOAD_BALANCER,
	WF_FRONTEND_EXTERNAL_IP,
	WF_FRONTEND_TYPE_COUNT,
};

/* Value of wf_picks: sixteen places, so that one costs four bytes. */
#define WF_PICKS_PER_PAGE 16
struct wf_pick_page {
	__u32 backends[WF_PICKS_PER_PAGE]; /* numbers of wf_backends */
};

/* struct wf_backend_value.flags; 0: the number is free. */
enum wf_backend_flag {
	WF_BACKEND_VALID = 1 << 0,  /* names a backend: connections it has go on */
	WF_BACKEND_USABLE = 1 << 1, /* takes new connections; without it UDP moves at once */
	WF_BACKEND_CUT = 1 << 2,    /* established TCP is reset */
};

/* Value of wf_backends, by number from 1. One per (service port, address, port). */
struct wf_backend_value {
	struct wf_addr addr;
	__u32 service; /* the service port it belongs to */
	__u32 slot;    /* endpoint on this node that has the address, WF_SLOT_HOST: elsewhere */
	__be16 port;
	__u16 flags; /* enum wf_backend_flag */
	/*
	 * Connections translated to it now, and with WF_LB_LEAST sockets that were given it; counted by
	 * programs and daemon.
	 */
	__u32 active;
};

/* Value of wf_services, by number of the service port from 1. Counted by the programs. */
struct wf_service_value {
	__u64 connections; /* new ones given to a backend */
	__u64 refused;     /* new ones that found none, or were not allowed */
	__u32 turn;        /* of round robin */
	__u32 pad;
};

/*
 * A published run of host ports. The daemon keeps two generations of WF_MAX_RANGES entries in one
 * array, each sorted by (proto, host address as bytes, first port); runs of one protocol and
 * address never overlap. wf_config names the generation in force and its length.
 */
struct wf_range_value {
	struct wf_addr addr;   /* of the host; unspecified (of its family): any */
	struct wf_addr target; /* the container's */
	__u32 slot;            /* the endpoint */
	__u32 service;         /* number in wf_services that counts its hits */
	__be16 target_port;    /* that of the first port; the others follow */
	__u16 first;           /* host byte order, to be compared */
	__u16 last;
	__u8 proto;
	__u8 pad;
};

/* Key of wf_affinity (LRU). */
struct wf_affinity_key {
	struct wf_addr client; /* address; for sockets without one: cookie of the namespace */
	__u32 service;
	__u32 pad;
};

struct wf_affinity_value {
	__u32 backend;
	__u32 tick; /* of last use; WF_CONN_TICK_SHIFT */
};

/* Key of wf_source_ranges (LPM trie): prefixlen counts service, then address. */
struct wf_source_key {
	__u32 prefixlen; /* 32 + bits of the 128-bit address */
	__be32 service;
	struct wf_addr addr;
};

/* Key of wf_netns: cookie of a network namespace (SO_NETNS_COOKIE). */
#define WF_NETNS_NETWORKS 4
/* Beside one of a namespace's networks: it is a scope of its own (WF_NET_SCOPED). */
#define WF_NETNS_SCOPED 0x80000000
struct wf_netns_value {
	__u32 networks[WF_NETNS_NETWORKS]; /* of its endpoints; 0 ends the list */
	__u32 slot;                        /* of its first endpoint, WF_SLOT_HOST for the host's */
	__u32 flags;                       /* enum wf_netns_flag */
};

enum wf_netns_flag {
	WF_NETNS_HOST = 1 << 0, /* the host's own */
};

/* Which of the two things that a socket's translation is remembered for. */
enum wf_sock_nat_side {
	WF_SOCK_NAT_SEEN,   /* key: the backend's address; value: the service's, which it shows */
	WF_SOCK_NAT_CHOSEN, /* key: the service's; value: the backend its datagrams go to */
};

/* Key of wf_sock_nat (LRU): what a socket believes to talk to. */
struct wf_sock_nat_key {
	__u64 cookie; /* of the socket */
	struct wf_addr addr;
	__be16 port;
	__u16 proto;
	__u32 side; /* enum wf_sock_nat_side */
};

/* Value of wf_sock_uses, by a socket's cookie: which backend it counts for. */
struct wf_sock_use_value {
	__u32 backend; /* number */
	__u32 service;
};

struct wf_sock_nat_value {
	struct wf_addr addr;
	__be16 port;
	__u16 pad;
	__u32 service;
	__u32 backend; /* number; stops being used when it is no longer usable */
	__u32 pad2;
};

/* Key of wf_uplinks: ifindex. A device of the host that leads outside. */
struct wf_uplink_value {
	struct wf_addr ip4; /* what masqueraded packets show; zero: none of that family */
	struct wf_addr ip6;
	__u32 l2_bytes; /* 14, or 0 for a device without Ethernet headers */
	__u32 flags;
	__u8 mac[6];
	__u8 pad[2];
};

_Static_assert(sizeof(struct wf_frontend_key) == 24, "wf_frontend_key");
_Static_assert(sizeof(struct wf_frontend_value) == 32, "wf_frontend_value");
_Static_assert(sizeof(struct wf_pick_page) == 64, "wf_pick_page");
_Static_assert(sizeof(struct wf_backend_value) == 32, "wf_backend_value");
_Static_assert(sizeof(struct wf_service_value) == 24, "wf_service_value");
_Static_assert(sizeof(struct wf_range_value) == 48, "wf_range_value");
_Static_assert(sizeof(struct wf_affinity_key) == 24, "wf_affinity_key");
_Static_assert(sizeof(struct wf_affinity_value) == 8, "wf_affinity_value");
_Static_assert(sizeof(struct wf_source_key) == 24, "wf_source_key");
_Static_assert(sizeof(struct wf_netns_value) == 24, "wf_netns_value");
_Static_assert(sizeof(struct wf_sock_nat_key) == 32, "wf_sock_nat_key");
_Static_assert(sizeof(struct wf_sock_nat_value) == 32, "wf_sock_nat_value");
_Static_assert(sizeof(struct wf_sock_use_value) == 8, "wf_sock_use_value");
_Static_assert(sizeof(struct wf_uplink_value) == 48, "wf_uplink_value");

#endif
