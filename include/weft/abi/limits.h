/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Bounds that the datapath and the daemon share. Every table that a user can fill has its limit
 * here; a limit that is reached is an error with a name, never a truncation.
 */
#ifndef WEFT_ABI_LIMITS_H
#define WEFT_ABI_LIMITS_H

/* Part of the name of the pin directory: a daemon never opens maps of another layout. */
#define WF_ABI_VERSION 10

/* Slots of the endpoint table. Slot 0 is the host itself, so WF_MAX_SLOTS - 1 endpoints. */
#define WF_MAX_SLOTS 16384
#define WF_SLOT_HOST 0
/* Whoever has no slot: somebody outside, or nobody knows yet. */
#define WF_SLOT_NOBODY 0xffffffffu

/*
 * The host side of slot N has interface index WF_IFINDEX_BASE + N: the daemon chooses the index
 * when it creates the link, so a program finds its endpoint by one array look-up (1 ns) instead
 * of a hash look-up (48 ns).
 */
#define WF_IFINDEX_BASE 0x1000000

/* Who has sent so many packets by one CPU sends much (WF_EVENT_BUSY). A power of two. */
#define WF_BUSY_PACKETS 65536

/*
 * Networks of one node. Number 0 is the host's own view of all addresses it can reach.
 *
 * A scope is where an address means one thing. Networks share that of the host, WF_NETWORK_HOST;
 * one whose subnets may be those of others (WF_NET_SCOPED) is a scope of its own, by its number.
 */
#define WF_MAX_NETWORKS 4096
#define WF_NETWORK_HOST 0

/* Subnets of one network, both families together. */
#define WF_MAX_SUBNETS 8

/*
 * Entries of the address table: every address of every endpoint, gateways, host view; it has more
 * when --max-services asks for more services than the default.
 */
#define WF_MAX_ADDRESSES 65536

/* Nodes, this one (number 0) included, and addresses of endpoints on all others. */
#define WF_MAX_NODES   4096
#define WF_NODE_SELF   0
#define WF_MAX_REMOTES 262144

/*
 * Routes to VXLAN endpoints that are no nodes: of one network, and entries of their table, two for each
 * at most. Their VNIs are none that a network has or will have.
 */
#define WF_MAX_ROUTES       16
#define WF_MAX_VTEP_ENTRIES 8192
#define WF_VTEP_MIN_VNI     WF_MAX_NETWORKS
#define WF_VTEP_MAX_VNI     0xffffff
#define WF_VTEP_PEER        0x80000000 /* no network has this number */

/* UDP port of the overlay: VXLAN's own (RFC 7348). */
#define WF_OVERLAY_PORT 4789
/* Time to live of what goes through the tunnel, as of any packet of the host's. */
#define WF_TUNNEL_TTL 64

/* Addresses of one endpoint, both families together. */
#define WF_MAX_ENDPOINT_ADDRESSES 8

/* Slots of the per-CPU filter that recognises the first packet of a flow (power of two). */
#define WF_FLOW_FILTER_SLOTS 4096

/* Bytes of the event ring (power of two, multiple of the page size). */
#define WF_EVENT_RING_BYTES (1 << 20)

/* Numbers of the shared tc blocks; a shared block carries one filter for all endpoints. */
#define WF_BLOCK_INGRESS 0x77460001
#define WF_BLOCK_EGRESS  0x77460002

/*
 * Tables whose size the user chooses (--max-services, --max-connections); these are the defaults
 * and what follows from them. A table keeps its size until 'weft cleanup'.
 */
#define WF_DEFAULT_SERVICES      16384 /* service ports */
#define WF_FRONTENDS_PER_SERVICE 4
#define WF_BACKENDS_PER_SERVICE  4
#define WF_PICKS_PER_SERVICE     128
#define WF_DEFAULT_CONNECTIONS   131072 /* power of two */
#define WF_MAX_CONNECTIONS       (1 << 23)
#define WF_MAX_SERVICES          (1 << 20)

/* Backends of one service port. */
#define WF_MAX_BACKENDS_OF_SERVICE 65536

/* Published runs of ports of one node. */
#define WF_MAX_RANGES 4096

/* Sockets that are counted for the backend they were given. */
#define WF_MAX_SOCK_USES 65536

/* Entries of LRU tables: what is forgotten is found out again. */
#define WF_MAX_AFFINITIES 16384
#define WF_MAX_SOCK_NAT   16384
#define WF_MAX_FRAGMENTS  4096
#define WF_MAX_EXHAUSTED  256

/* Fragments that wait for their first one, of one device, and how long one may be. */
#define WF_MAX_HELD   128
#define WF_HELD_SHARE 64
#define WF_HELD_BYTES 9216

#define WF_MAX_SOURCE_RANGES 16384
#define WF_MAX_NETNS         WF_MAX_SLOTS
#define WF_MAX_UPLINKS       64

/* Tables of policies (abi/policy.h). What does not fit is refused, and fails closed. */
#define WF_MAX_POLICY_PROFILES 16384
#define WF_MAX_POLICY_RULES    131072 /* of all runs together */
#define WF_MAX_POLICY_PAIRS    262144
#define WF_MAX_POLICY_PREFIXES 262144
#define WF_MAX_POLICY_HITS     65536 /* numbers of rules, 0 unused */

/* Verdicts that each CPU remembers (power of two, as this many bits say). */
#define WF_VERDICT_BITS  13
#define WF_VERDICT_SLOTS (1 << WF_VERDICT_BITS)

/* CPUs whose verdicts an ICMP error is looked for in. */
#define WF_MAX_CPUS 8192

/* Answers of profiles that each CPU remembers (power of two, as this many bits say). */
#define WF_MEMO_BITS  9
#define WF_MEMO_SLOTS (1 << WF_MEMO_BITS)

/* Routes that each CPU remembers for a moment (power of two, as this many bits say). */
#define WF_ROUTE_BITS  9
#define WF_ROUTE_SLOTS (1 << WF_ROUTE_BITS)

/* Ports that masqueraded connections may show, when their own is taken. */
#define WF_NAT_FIRST_PORT 1024
#define WF_NAT_LAST_PORT  65535

/*
 * Bit of a packet's mark (skb->mark) that weft sets between its two filters on uplinks: what goes
 * on to a backend elsewhere is to show the host's address there; what shows it already, from a scope,
 * is to go as it is. The other bits are left alone;
 * others who use this one on forwarded packets must be moved away from it.
 */
#define WF_MARK_MASQUERADE 0x02000000

/*
 * Mark, as a whole, of what leaves past the host's stack as it shall be, for another node or for the
 * world: the filter of the uplink lets it pass at once. Nobody else sees a packet between the two.
 */
#define WF_MARK_NEAR 0x77664e01

/*
 * Mark, as a whole, of what goes to the overlay's device to be encapsulated, until it leaves: the
 * filter of the uplink lets nothing else pass to another node's tunnel. In between the host's own
 * rules see it, so it has none of the bits that Kubernetes' rules look at.
 */
#define WF_MARK_TUNNEL 0x70660003

/*
 * Mark, as a whole, of what probes by whom checksums inside the tunnel are made: programs send it
 * themselves, where all else goes by the device (WF_NODE_SENDS_BY_DEVICE). It has none of the bits of
 * the others.
 */
#define WF_MARK_SUMS 0x70664e02

/*
 * Bit of the mark of what came out of the node's WireGuard device, from there to the device of the
 * overlay: that its outer source is who it says was proved by the peer's key. To be left alone too.
 */
#define WF_MARK_SEALED 0x04000000

/*
 * Tunnel addresses: of this prefix, fd77:6566:7400::/48, followed by the first bytes of the key.
 * On every node the same; nothing else may have addresses of it.
 */
#define WF_TUNNEL_PREFIX_WORD0 0xfd776566
#define WF_TUNNEL_PREFIX_WORD1 0x74000000 /* the upper half */
#define WF_TUNNEL_PREFIX_BITS  48
/* Tunnels of a node: two while its key is being changed. */
#define WF_MAX_TUNNELS 2
/* Entries of wf_clear, a bit for each port. */
#define WF_CLEAR_WORDS (65536 / 64)
/* Outer addresses that frames are taken from. */
#define WF_MAX_MEMBERS ((1 + WF_MAX_TUNNELS) * WF_MAX_NODES)

/* What ways between nodes add to a packet: inner Ethernet, VXLAN, UDP and the outer IP header. */
#define WF_VXLAN_BYTES_IP4 (14 + 8 + 8 + 20)
#define WF_VXLAN_BYTES_IP6 (14 + 8 + 8 + 40)
/* The same of WireGuard: outer headers, its own and its tag. Outer headers inside are of IPv6. */
#define WF_WIREGUARD_BYTES_IP4 (20 + 8 + 16 + 16)
#define WF_WIREGUARD_BYTES_IP6 (40 + 8 + 16 + 16)
/* It fills up what it carries to a multiple of this. */
#define WF_WIREGUARD_PAD 16

/* Priority and handle of weft's filters on uplinks, beside those of others. */
#define WF_UPLINK_PRIORITY 0x7746

/* Room for what the programs know of the packet at hand: struct wf_work of bpf/lib/work.h. */
#define WF_WORK_BYTES 576

#endif
