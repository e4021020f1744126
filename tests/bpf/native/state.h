/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What native builds of bpf/lib have in place of maps: plain arrays, and helpers that can be told to
 * fail. One object per process.
 */
#ifndef WEFT_TESTS_BPF_NATIVE_STATE_H
#define WEFT_TESTS_BPF_NATIVE_STATE_H

#include <linux/types.h>

#include <weft/abi/conn.h>
#include <weft/abi/event.h>
#include <weft/abi/lb.h>
#include <weft/abi/limits.h>
#include <weft/abi/policy.h>
#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#define NATIVE_ADDRESSES 64
#define NATIVE_SLOTS     16
#define NATIVE_REMOTES   16
#define NATIVE_NODES     4
#define NATIVE_VTEPS     8
#define NATIVE_NETWORKS  8
#define NATIVE_FRONTENDS 64
#define NATIVE_PAGES     256
#define NATIVE_SERVICES  64
#define NATIVE_RANGES    64
#define NATIVE_CLIENTS   64
#define NATIVE_NETNS     8
#define NATIVE_UPLINKS   4
#define NATIVE_BACKENDS  256
#define NATIVE_FRAGMENTS 16
#define NATIVE_HELD      4
#define NATIVE_EXHAUSTED 4
#define NATIVE_SOCKETS   8
#define NATIVE_CONNS     8192
#define NATIVE_PROFILES  64
#define NATIVE_RULES     2048
#define NATIVE_PAIRS     256
#define NATIVE_PREFIXES  64
#define NATIVE_HITS      2048
#define NATIVE_VERDICTS  256
#define NATIVE_MEMOS     64

/* Helpers that native.failing can name. */
enum native_helper {
	NATIVE_HELPER_NONE,
	NATIVE_HELPER_LOAD,
	NATIVE_HELPER_STORE,
	NATIVE_HELPER_RESIZE,
	NATIVE_HELPER_TYPE,
};

struct native_address {
	struct wf_addr_key key;
	struct wf_addr_value value;
};

struct native_remote {
	struct wf_addr_key key;
	struct wf_remote_value value;
};

struct native_vtep {
	struct wf_vtep_key key;
	struct wf_vtep_value value;
};

struct native_seal {
	struct wf_addr addr;
	struct wf_seal_value value;
};

/* A small map: what is not found is put into the first free entry. */
struct native_frontend {
	struct wf_frontend_key key;
	struct wf_frontend_value value;
};

struct native_affinity {
	struct wf_affinity_key key;
	struct wf_affinity_value value;
};

struct native_netns {
	__u64 cookie;
	struct wf_netns_value value;
};

struct native_sock_use {
	__u64 cookie;
	struct wf_sock_use_value value;
};

struct native_sock_nat {
	struct wf_sock_nat_key key;
	struct wf_sock_nat_value value;
};

struct native_uplink {
	__u32 ifindex;
	struct wf_uplink_value value;
};

struct native_fragment {
	struct wf_fragment_key key;
	struct wf_fragment_value value;
};

struct native_exhausted {
	struct wf_tuple key;
	__u32 tick;
};

struct native_pair {
	struct wf_policy_pair_key key;
	struct wf_policy_run run;
};

struct native_prefix {
	struct wf_policy_prefix_key key;
	__u32 class_id;
};

struct native_state {
	struct wf_ep_value endpoints[NATIVE_SLOTS];
	struct native_address addresses[NATIVE_ADDRESSES];
	__u32 address_count;
	struct wf_net_value networks[NATIVE_NETWORKS];
	struct native_seal seals[2];
	__u32 seal_count;
	__u64 clear[WF_CLEAR_WORDS];
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_traffic_value traffic[NATIVE_SLOTS];
	struct wf_config_value config;
	struct wf_flow_seen flows[WF_FLOW_FILTER_SLOTS];
	struct wf_event event; /* the last one */
	__u32 events;
	__u32 ring_full; /* nothing fits into the ring */
	struct native_frontend frontends[NATIVE_FRONTENDS];
	__u32 frontend_count;
	struct wf_pick_page pages[NATIVE_PAGES];
	struct wf_service_value services[NATIVE_SERVICES];
	struct wf_range_value ranges[NATIVE_RANGES]; /* of both generations */
	struct native_affinity affinities[NATIVE_CLIENTS];
	__u32 affinity_count;
	struct wf_source_key sources[NATIVE_CLIENTS];
	__u32 source_count;
	struct native_netns netns[NATIVE_NETNS];
	__u32 netns_count;
	struct native_sock_nat sock_nats[NATIVE_CLIENTS];
	__u32 sock_nat_count;
	struct native_sock_use sock_uses[NATIVE_CLIENTS];
	__u32 sock_use_count;
	struct native_uplink uplinks[NATIVE_UPLINKS];
	__u32 uplink_count;
	struct wf_backend_value backends[NATIVE_BACKENDS];
	struct native_fragment fragments[NATIVE_FRAGMENTS]; /* the oldest is overwritten */
	__u32 fragment_count;
	struct wf_held_value held;
	struct wf_held_frame held_frames[NATIVE_HELD];
	struct native_exhausted exhausted[NATIVE_EXHAUSTED];
	__u32 exhausted_count;
	__be16 sockets[NATIVE_SOCKETS]; /* ports of the host's own */
	__u32 socket_count;
	__be16 all_ports_but; /* 0; otherwise sockets have all ports but this one */
	__u32 socket_questions;
	__u64 work[WF_WORK_BYTES / sizeof(__u64)];
	struct wf_policy_subject_value subjects[NATIVE_SLOTS];
	struct wf_policy_run profiles[NATIVE_PROFILES];
	struct wf_policy_rule_value rules[NATIVE_RULES];
	struct native_pair pairs[NATIVE_PAIRS];
	__u32 pair_count;
	struct native_prefix prefixes[NATIVE_PREFIXES];
	__u32 prefix_count;
	struct wf_counter hits[NATIVE_HITS];
	struct wf_verdict_value verdicts[NATIVE_VERDICTS];
	struct wf_policy_memo memos[NATIVE_MEMOS];
	__u32 verdict_questions; /* how often the tables of policies were asked for a subject */
	__u32 redirect_peer;     /* ifindex of the last redirection of each kind, 0: none */
	__u32 redirect_ingress;
	__u32 redirect;
	struct wf_route_value routes[WF_ROUTE_SLOTS];
	__u32 route_moment;
	__u32 route_questions; /* how often the host's routes were asked for a way */
	__u8 neighbour[6];     /* MAC of the next hop on every way; zero: not known */
	struct native_remote remotes[NATIVE_REMOTES];
	__u32 remote_count;
	struct wf_node_value nodes[NATIVE_NODES];
	struct native_vtep vteps[NATIVE_VTEPS];
	__u32 vtep_count;
	__u32 tunnel_vni;
	struct wf_addr tunnel_peer; /* zero: no outer header */
	__u32 now_s;
	enum native_helper failing;
};

extern struct native_state native;

/* The table of connections, apart because threads share it; see native_conns_reset(). */
struct native_conns {
	struct wf_conn_state state;
	struct wf_conn_owner owners[NATIVE_SLOTS];
	struct wf_conn records[NATIVE_CONNS];
	struct wf_conn_bucket buckets[NATIVE_CONNS / WF_CONN_PER_BUCKET];
	__u32 queue[NATIVE_CONNS]; /* a ring */
	__u32 queue_first;
	__u32 queue_count;
	__u8 queue_lock;
};

extern struct native_conns native_conns;
extern void (*native_at_barrier)(void); /* what happens meanwhile; NULL: nothing */
extern __thread __u32 native_random;    /* state of wf_random32(), never 0 */

/* An empty table for max records (power of two up to NATIVE_CONNS) with usual time-outs. */
void native_conns_reset(__u32 max);
int native_queue_pop(__u32 *ret_index);
int native_queue_push(__u32 index);

#endif
