/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every map of the datapath. All are pinned by the daemon and outlive it. They are weak because
 * each object file holds the definitions and the linker keeps one of each.
 */
#ifndef WEFT_BPF_MAPS_H
#define WEFT_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/conn.h>
#include <weft/abi/event.h>
#include <weft/abi/lb.h>
#include <weft/abi/limits.h>
#include <weft/abi/policy.h>
#include <weft/abi/reason.h>
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

/* Drops by reason. Written by the programs, read by the daemon. One entry per reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_REASON_COUNT);
	__type(key, __u32);
	__type(value, struct wf_counter);
} wf_drops __weak SEC(".maps");

/*
 * Packets and bytes by slot. Written by the programs, read and zeroed by the daemon.
 * Bound: WF_MAX_SLOTS, 48 bytes per slot and CPU.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_traffic_value);
} wf_traffic __weak SEC(".maps");

/* Settings. Written by the daemon while it runs, read by the programs. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wf_config_value);
} wf_config __weak SEC(".maps");

/*
 * Flows seen lately, by hash. Written and read by the programs alone, only while first packets
 * are observed. Bound: WF_FLOW_FILTER_SLOTS per CPU; a slot that is taken is overwritten, which
 * makes a flow appear as new once more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_FLOW_FILTER_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_flow_seen);
} wf_flow_filter __weak SEC(".maps");

/*
 * Events. Written by the programs, only while observed; consumed by the daemon.
 * Bound: WF_EVENT_RING_BYTES; when full new events are lost, counters are not.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WF_EVENT_RING_BYTES);
} wf_events __weak SEC(".maps");

/*
 * Stages reached by tail calls (enum wf_stage). Written by the daemon when it loads programs;
 * the pin keeps the entries when the daemon is gone. An empty entry drops with INTERNAL_ERROR.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, WF_STAGE_COUNT);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} wf_progs __weak SEC(".maps");

/* Identity of the pinned programs. Written and read by the daemon alone. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wf_build_value);
} wf_build __weak SEC(".maps");

/*
 * Service addresses and ports. Written by the daemon, read by the service stage, the uplinks, XDP
 * and the socket hooks for what is no container's own address. Bound: WF_FRONTENDS_PER_SERVICE
 * for each service port; when full the daemon gets -E2BIG, refuses the service and says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_DEFAULT_SERVICES *WF_FRONTENDS_PER_SERVICE);
	__type(key, struct wf_frontend_key);
	__type(value, struct wf_frontend_value);
} wf_frontends __weak SEC(".maps");

/*
 * Runs of backends' numbers. Written by the daemon through mapped memory, read by the programs.
 * Bound: WF_PICKS_PER_SERVICE for each service port, shared by all; when full the daemon makes
 * runs shorter, then refuses the service.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_DEFAULT_SERVICES *WF_PICKS_PER_SERVICE / WF_PICKS_PER_PAGE);
	__type(key, __u32);
	__type(value, struct wf_pick_page);
} wf_picks __weak SEC(".maps");

/*
 * Hits by number of the service port. Written by the programs, zeroed and read by the daemon
 * through mapped memory. An array is never full; number 0 is not used.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_DEFAULT_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct wf_service_value);
} wf_services __weak SEC(".maps");

/*
 * Published runs of ports, two generations of WF_MAX_RANGES. Written by the daemon, only into the
 * generation that wf_config does not name; read by the programs. More are refused by the daemon.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * WF_MAX_RANGES);
	__type(key, __u32);
	__type(value, struct wf_range_value);
} wf_ranges __weak SEC(".maps");

/*
 * Which backend a client had last. Written and read by the programs alone. Bound:
 * WF_MAX_AFFINITIES; when full the client seen longest ago is forgotten and picks anew.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WF_MAX_AFFINITIES);
	__type(key, struct wf_affinity_key);
	__type(value, struct wf_affinity_value);
} wf_affinity __weak SEC(".maps");

/*
 * Sources that a service admits. Written by the daemon, read by the programs for frontends with
 * WF_FRONTEND_SOURCE_RANGES. Bound: WF_MAX_SOURCE_RANGES; when full the service is refused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_SOURCE_RANGES);
	__type(key, struct wf_source_key);
	__type(value, __u32);
} wf_source_ranges __weak SEC(".maps");

/*
 * Network namespaces by cookie: whose services a socket sees. Written by the daemon, read by the
 * socket hooks. Bound: WF_MAX_NETNS, one per endpoint; a socket of another namespace is not
 * touched.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_NETNS);
	__type(key, __u64);
	__type(value, struct wf_netns_value);
} wf_netns __weak SEC(".maps");

/*
 * What sockets believe to talk to. Written and read by the socket hooks alone. Bound:
 * WF_MAX_SOCK_NAT; when full the socket unused for longest is forgotten: it sees the backend's
 * address where it should see the service's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WF_MAX_SOCK_NAT);
	__type(key, struct wf_sock_nat_key);
	__type(value, struct wf_sock_nat_value);
} wf_sock_nat __weak SEC(".maps");

/*
 * Sockets that count for a backend, by their cookies. Written by the socket hooks; the daemon gives all
 * up when it attaches the hook that sees the end of sockets anew. Bound: WF_MAX_SOCK_USES; when full,
 * further sockets are not counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_SOCK_USES);
	__type(key, __u64);
	__type(value, struct wf_sock_use_value);
} wf_sock_uses __weak SEC(".maps");

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
 * Translated connections; bpf/lib/conn.h states how they are changed. Written by the programs and,
 * through mapped memory, by the daemon. Bound: --max-connections; when full a new connection takes
 * the record of one that is over, or is refused with CONN_TABLE_FULL.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_DEFAULT_CONNECTIONS);
	__type(key, __u32);
	__type(value, struct wf_conn);
} wf_conns __weak SEC(".maps");

/*
 * Index of wf_conns by tuple. Written by whoever adds or removes a connection. Bound: one bucket
 * for WF_CONN_PER_BUCKET connections; a full bucket refuses a connection with CONN_TABLE_FULL.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_DEFAULT_CONNECTIONS / WF_CONN_PER_BUCKET);
	__type(key, __u32);
	__type(value, struct wf_conn_bucket);
} wf_conn_index __weak SEC(".maps");

/* Sizes, keys, time-outs (written by the daemon) and counters of wf_conns. One entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wf_conn_state);
} wf_conn_state __weak SEC(".maps");

/*
 * Connections by slot. Counted by whoever adds or removes a connection, read for every packet that
 * a container sends. Bound: WF_MAX_SLOTS; an array is never full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_conn_owner);
} wf_conn_owners __weak SEC(".maps");

/*
 * Free records of wf_conns that were used before. Filled by the daemon's sweep and by programs
 * that did not need a record after all, emptied by the programs. Bound: --max-connections.
 */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, WF_DEFAULT_CONNECTIONS);
	__uint(value_size, sizeof(__u32));
} wf_conn_free __weak SEC(".maps");

/*
 * Ports of fragmented packets. Written and read by the programs alone. Bound: WF_MAX_FRAGMENTS;
 * when full the packet seen longest ago is forgotten and its later fragments are dropped.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WF_MAX_FRAGMENTS);
	__type(key, struct wf_fragment_key);
	__type(value, struct wf_fragment_value);
} wf_fragments __weak SEC(".maps");

/*
 * Fragments that are here before the first one of their packet: which places are taken, and what
 * is in them. Written and read by the programs alone, not pinned. Bound: WF_MAX_HELD, of which one
 * device gets WF_HELD_SHARE; when full a fragment is dropped, or passes if it may be the host's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wf_held_value);
} wf_held __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WF_MAX_HELD);
	__type(key, __u32);
	__type(value, struct wf_held_frame);
} wf_held_frames __weak SEC(".maps");

/*
 * Backends by number. Written by the daemon through mapped memory; the programs read it and count
 * `active`. Bound: WF_BACKENDS_PER_SERVICE for each service port; when full the daemon refuses the
 * service and says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_DEFAULT_SERVICES *WF_BACKENDS_PER_SERVICE);
	__type(key, __u32);
	__type(value, struct wf_backend_value);
} wf_backends __weak SEC(".maps");

/*
 * Destinations towards which no port of the host was free lately, by the reply's tuple without the
 * port: what would be searched once more in vain. Written and read by the programs alone, not
 * pinned. Bound: WF_MAX_EXHAUSTED; what is forgotten is searched again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WF_MAX_EXHAUSTED);
	__type(key, struct wf_tuple);
	__type(value, __u32);
} wf_exhausted __weak SEC(".maps");

/*
 * Who is under which policies, and what peers take him for, by slot; slot 0 is the node. Written by
 * the daemon through mapped memory, read by the programs for packets of guarded endpoints. Bound:
 * WF_MAX_SLOTS; an array is never full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_MAX_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_policy_subject_value);
} wf_policy_subjects __weak SEC(".maps");

/*
 * What holds for the peers of a profile that have no pair. Written by the daemon through mapped
 * memory, read by the programs. Bound: WF_MAX_POLICY_PROFILES; when full the daemon refuses the
 * policy or the endpoint and says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_MAX_POLICY_PROFILES);
	__type(key, __u32);
	__type(value, struct wf_policy_run);
} wf_policy_profiles __weak SEC(".maps");

/*
 * Sorted runs of rules. Written by the daemon through mapped memory, never where a profile or a
 * pair points; read by the programs. Bound: WF_MAX_POLICY_RULES; when full the daemon refuses.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WF_MAX_POLICY_RULES);
	__type(key, __u32);
	__type(value, struct wf_policy_rule_value);
} wf_policy_rules __weak SEC(".maps");

/*
 * Peers for whom a profile has other rules than for most. Written by the daemon, read by the
 * programs. Bound: WF_MAX_POLICY_PAIRS; when full the daemon refuses.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_POLICY_PAIRS);
	__type(key, struct wf_policy_pair_key);
	__type(value, struct wf_policy_run);
} wf_policy_pairs __weak SEC(".maps");

/*
 * Classes of addresses that are no endpoint's. Written by the daemon, read by the programs when
 * the other end is not on this node. Bound: WF_MAX_POLICY_PREFIXES; when full the daemon refuses.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, WF_MAX_POLICY_PREFIXES);
	__type(key, struct wf_policy_prefix_key);
	__type(value, __u32);
} wf_policy_prefixes __weak SEC(".maps");

/*
 * First packets and drops by number of the rule. Counted by the programs, read by the daemon.
 * Bound: WF_MAX_POLICY_HITS; rules with higher numbers are in force without being counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_MAX_POLICY_HITS);
	__type(key, __u32);
	__type(value, struct wf_counter);
} wf_policy_hits __weak SEC(".maps");

/*
 * Verdicts of the last moment. Written and read by the programs alone, not pinned. Bound:
 * WF_VERDICT_SLOTS per CPU; what is overwritten is judged again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_VERDICT_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_verdict_value);
} wf_verdicts __weak SEC(".maps");

/*
 * What profiles said lately. Written and read by the programs alone, not pinned. Bound:
 * WF_MEMO_SLOTS per CPU; what is overwritten is looked up again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_MEMO_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_policy_memo);
} wf_policy_memos __weak SEC(".maps");

/*
 * Routes of the last moment. Written and read by XDP alone, not pinned. Bound: WF_ROUTE_SLOTS per
 * CPU; of what is overwritten the kernel is asked again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WF_ROUTE_SLOTS);
	__type(key, __u32);
	__type(value, struct wf_route_value);
} wf_routes __weak SEC(".maps");

/*
 * What a program knows of the packet at hand (lib/work.h); of no use after it. Written and read by
 * the programs alone. Pinned, because while programs are replaced one of the old build calls a
 * stage of the new one. One entry per CPU.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, WF_WORK_BYTES);
} wf_work __weak SEC(".maps");

#endif
