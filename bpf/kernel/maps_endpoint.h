/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who there is and where: endpoints, addresses, networks, nodes, ways to them. See maps.h. */
#ifndef WEFT_BPF_MAPS_ENDPOINT_H
#define WEFT_BPF_MAPS_ENDPOINT_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/limits.h>
#include <weft/abi/types.h>

/*
 * Endpoints by slot. Written by the daemon, read by every program for every packet.
 * Bound: WF_MAX_SLOTS; an array is never full, the daemon runs out of slots and refuses ADD.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WF_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_ep_value);
} wf_endpoints __weak SEC(".maps");

/*
 * Exact addresses per network, and the host's view of all of them as network 0. Written by the
 * daemon, read by every program. Bound: WF_MAX_ADDRESSES; when full the daemon gets -E2BIG and
 * refuses the endpoint, and what is in goes on working.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_ADDRESSES);
	__type(key, struct wf_addr_key);
	__type(value, struct wf_addr_value);
} wf_addresses __weak SEC(".maps");

/*
 * Networks by number. Written by the daemon; read on the slow paths (ARP, ND, other networks,
 * what the host sends). Bound: WF_MAX_NETWORKS; an array is never full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WF_MAX_NETWORKS);
	__type(key, __u32);
	__type(value, struct wf_net_value);
} wf_networks __weak SEC(".maps");

/*
 * Addresses of endpoints of other nodes. Written by the daemon, read by from_container, from_host
 * and from_overlay. Bound: WF_MAX_REMOTES; when full the daemon says so and the rest is not
 * reached.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_REMOTES);
	__type(key, struct wf_addr_key);
	__type(value, struct wf_remote_value);
} wf_remotes __weak SEC(".maps");

/*
 * Nodes by number, and this one's own entry (WF_NODE_SELF). Written by the daemon, read by whatever
 * sends to other nodes. Bound: WF_MAX_NODES; the daemon refuses more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WF_MAX_NODES);
	__type(key, __u32);
	__type(value, struct wf_node_value);
} wf_nodes __weak SEC(".maps");

/*
 * Numbers of nodes by the address where their tunnel ends: whose frames are taken. Written by the
 * daemon, read by from_overlay. Bound: WF_MAX_NODES.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_MEMBERS);
	__type(key, struct wf_addr);
	__type(value, __u32);
} wf_members __weak SEC(".maps");

/*
 * Routes by network and prefix: to VXLAN endpoints that are no nodes, and by way of endpoints of the
 * network; and the former by VNI and outer address.
 * Written by the daemon, read for what is no address that is known, in networks with WF_NET_VTEPS.
 * Bound: WF_MAX_VTEP_ENTRIES; the daemon refuses more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_VTEP_ENTRIES);
	__type(key, struct wf_vtep_key);
	__type(value, struct wf_vtep_value);
} wf_vteps __weak SEC(".maps");

/*
 * Nodes whose hosts' packets go inside WireGuard only, by their address. Written by the daemon, read
 * by uplinks and from_overlay. Bound: WF_MAX_NODES.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_NODES);
	__type(key, struct wf_addr);
	__type(value, struct wf_seal_value);
} wf_seals __weak SEC(".maps");

/* Ports that are an exception from that, a bit each. Written by the daemon. Never full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WF_CLEAR_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} wf_clear __weak SEC(".maps");

/*
 * Devices that lead outside. Written by the daemon, read by the programs on them. Bound:
 * WF_MAX_UPLINKS; the daemon complains about more and leaves them alone.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WF_MAX_UPLINKS);
	__type(key, __u32);
	__type(value, struct wf_uplink_value);
} wf_uplinks __weak SEC(".maps");

/*
 * Routes of the last moment. Written and read by programs alone, on the way out past the stack and
 * before it, not pinned. Bound: WF_ROUTE_SLOTS per CPU; of what is overwritten the kernel is asked
 * again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_ROUTE_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_route_value);
} wf_routes __weak SEC(".maps");

#endif
