/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The twin of bpf/kernel/port.h for native builds of bpf/lib: a packet in memory, maps that are
 * plain arrays, and helpers that can be told to fail. The state is one object per process.
 */
#ifndef WEFT_TESTS_BPF_NATIVE_PORT_H
#define WEFT_TESTS_BPF_NATIVE_PORT_H

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>
#include <stddef.h>
#include <string.h>

#include <bpf/bpf_endian.h>

#include <weft/abi/conn.h>
#include <weft/abi/event.h>
#include <weft/abi/lb.h>
#include <weft/abi/limits.h>
#include <weft/abi/policy.h>
#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#ifndef __always_inline
#define __always_inline inline
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline, unused))
#endif

#include "lib/csum.h"

#define wf_likely(x)   __builtin_expect(!!(x), 1)
#define wf_unlikely(x) __builtin_expect(!!(x), 0)

#define WF_UNROLL

#define NATIVE_ADDRESSES 64
#define NATIVE_SLOTS     16
#define NATIVE_REMOTES   16
#define NATIVE_NODES     4
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

/* What is known of a packet's transport checksum (skb->ip_summed). */
enum native_summed {
	NATIVE_SUMMED_NONE,
	NATIVE_SUMMED_PARTIAL, /* the field holds the pseudo header only, the device adds the rest */
	NATIVE_SUMMED_COMPLETE, /* the device summed up the whole packet */
};

/* The packet. bytes ends where a heap block ends, so that ASan sees every step beyond it. */
struct wf_ctx {
	__u8 *bytes;
	__u32 front; /* bytes of the block before the packet */
	__u32 len;
	__u32 linear; /* bytes that direct reads may touch; wf_ctx_pull() moves it */
	__u32 ifindex;
	__u32 vlan;
	__u32 gso;
	__u32 is_host_type;
	__u32 mark;
	enum native_summed summed;
	__u32 sum; /* NATIVE_SUMMED_COMPLETE: of all bytes from the IP header on */
};

struct native_address {
	struct wf_addr_key key;
	struct wf_addr_value value;
};

struct native_remote {
	struct wf_addr_key key;
	struct wf_remote_value value;
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
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_traffic_value traffic[NATIVE_SLOTS];
	struct wf_config_value config;
	struct wf_flow_seen flows[WF_FLOW_FILTER_SLOTS];
	struct wf_event event; /* the last one */
	__u32 events;
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
	struct native_uplink uplinks[NATIVE_UPLINKS];
	__u32 uplink_count;
	struct wf_backend_value backends[NATIVE_BACKENDS];
	struct native_fragment fragments[NATIVE_FRAGMENTS]; /* the oldest is overwritten */
	__u32 fragment_count;
	struct native_exhausted exhausted[NATIVE_EXHAUSTED];
	__u32 exhausted_count;
	__be16 sockets[NATIVE_SOCKETS]; /* ports of the host's own */
	__u32 socket_count;
	__be16 all_ports_but; /* 0; otherwise sockets have all ports but this one */
	__u32 socket_questions;
	__u64 work[64];
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
	struct native_remote remotes[NATIVE_REMOTES];
	__u32 remote_count;
	struct wf_node_value nodes[NATIVE_NODES];
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

/* Grows or cuts the packet's heap block. */
int native_resize(struct wf_ctx *ctx, __u32 len);

static inline void *wf_ctx_data(const struct wf_ctx *ctx)
{
	return ctx->bytes;
}

static inline void *wf_ctx_end(const struct wf_ctx *ctx)
{
	return ctx->bytes + ctx->linear;
}

static inline __u32 wf_ctx_len(const struct wf_ctx *ctx)
{
	return ctx->len;
}

static inline __u32 wf_ctx_ifindex(const struct wf_ctx *ctx)
{
	return ctx->ifindex;
}

static inline __u32 wf_ctx_has_vlan(const struct wf_ctx *ctx)
{
	return ctx->vlan;
}

static inline __u32 wf_ctx_is_gso(const struct wf_ctx *ctx)
{
	return ctx->gso;
}

static inline __u32 wf_ctx_hash(struct wf_ctx *ctx)
{
	__u32 hash = 2166136261U;

	for (__u32 i = 0; i < ctx->len; i++)
		hash = (hash ^ ctx->bytes[i]) * 16777619U;
	return hash;
}

static inline int wf_ctx_is_for_others(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static inline int wf_ctx_set_type_host(struct wf_ctx *ctx)
{
	if (native.failing == NATIVE_HELPER_TYPE)
		return -EINVAL;
	ctx->is_host_type = 1;
	return 0;
}

static inline int wf_ctx_pull(struct wf_ctx *ctx, __u32 len)
{
	if (len > ctx->len)
		return -EINVAL;
	if (len > ctx->linear)
		ctx->linear = len;
	return 0;
}

static inline int wf_ctx_load(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	memset(to, 0, len);
	if (native.failing == NATIVE_HELPER_LOAD || offset > ctx->len || len > ctx->len - offset)
		return -EFAULT;
	memcpy(to, ctx->bytes + offset, len);
	return 0;
}

static inline int wf_ctx_store(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	if (native.failing == NATIVE_HELPER_STORE || offset > ctx->len || len > ctx->len - offset)
		return -EFAULT;
	memcpy(ctx->bytes + offset, from, len);
	return 0;
}

static inline int wf_ctx_load_fast(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return wf_ctx_load(ctx, offset, to, len);
}

static inline int wf_ctx_store_fast(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	return wf_ctx_store(ctx, offset, from, len);
}

static inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	if (native.failing == NATIVE_HELPER_RESIZE)
		return -ENOMEM;
	if (ctx->summed == NATIVE_SUMMED_COMPLETE && len != ctx->len)
		ctx->summed = NATIVE_SUMMED_NONE;
	return native_resize(ctx, len);
}

/* As the kernel's helper with BPF_F_RECOMPUTE_CSUM; all offsets that are stored to are even. */
static inline int wf_ctx_store_summed(struct wf_ctx *ctx, __u32 offset, const void *from, __u32 len)
{
	__u8 old[64];
	int r;

	if (len > sizeof(old) || len % 4 || wf_ctx_load(ctx, offset, old, len) < 0)
		return -EINVAL;
	r = wf_ctx_store(ctx, offset, from, len);
	for (__u32 i = 0; r == 0 && i < len; i += 4) {
		__u32 a, b;

		memcpy(&a, old + i, sizeof(a));
		memcpy(&b, (const __u8 *)from + i, sizeof(b));
		ctx->sum = wf_csum_fold((__u64)ctx->sum + wf_csum_change(a, b));
	}
	return r;
}

#define WF_CSUM_PSEUDO      0x10
#define WF_CSUM_MAY_BE_NONE 0x20

static inline int wf_csum_l3(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to, __u32 size)
{
	__u32 diff = size ? wf_csum_change((__u32)from, (__u32)to) : (__u32)to;
	__u16 check;

	if (offset & 1 || (!size && from) || wf_ctx_load(ctx, offset, &check, sizeof(check)) < 0)
		return -EFAULT;
	check = wf_csum_apply(check, diff);
	return wf_ctx_store(ctx, offset, &check, sizeof(check));
}

/* As the kernel's helper, for packets of every state of their sum. */
static inline int wf_csum_l4(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to, __u32 flags)
{
	__u32 diff = flags & 0xf ? wf_csum_change((__u32)from, (__u32)to) : (__u32)to;
	int none = flags & WF_CSUM_MAY_BE_NONE, pseudo = flags & WF_CSUM_PSEUDO;
	__u16 check;

	if (offset & 1 || (!(flags & 0xf) && from) ||
	    wf_ctx_load(ctx, offset, &check, sizeof(check)) < 0)
		return -EFAULT;
	if (none && !check)
		return 0;
	if (ctx->summed != NATIVE_SUMMED_PARTIAL)
		check = wf_csum_apply(check, diff);
	else if (pseudo)
		check = (__u16)wf_csum_fold((__u64)check + diff);
	if (ctx->summed == NATIVE_SUMMED_COMPLETE && pseudo)
		ctx->sum = wf_csum_fold((__u64)ctx->sum + wf_csum_change(diff, 0));
	if (none && !check)
		check = 0xffff;
	return wf_ctx_store(ctx, offset, &check, sizeof(check));
}

static inline __u32 wf_ctx_mark(const struct wf_ctx *ctx)
{
	return ctx->mark;
}

static inline void wf_ctx_set_mark(struct wf_ctx *ctx, __u32 mark)
{
	ctx->mark = mark;
}

static inline int wf_redirect_peer(__u32 ifindex)
{
	native.redirect_peer = ifindex;
	return TC_ACT_REDIRECT;
}

static inline int wf_redirect_ingress(__u32 ifindex)
{
	native.redirect_ingress = ifindex;
	return TC_ACT_REDIRECT;
}

/* The packet's outer header, as it will leave or as it came. */
static inline int wf_tunnel_set(struct wf_ctx *ctx, __u32 vni, const struct wf_addr *to)
{
	(void)ctx;
	native.tunnel_vni = vni;
	native.tunnel_peer = *to;
	return 0;
}

static inline int wf_tunnel_get(struct wf_ctx *ctx, __u32 *ret_vni, struct wf_addr *ret_from)
{
	(void)ctx;
	if (!native.tunnel_peer.halves[0] && !native.tunnel_peer.halves[1])
		return -1;
	*ret_vni = native.tunnel_vni;
	*ret_from = native.tunnel_peer;
	return 0;
}

static inline int wf_redirect(__u32 ifindex)
{
	native.redirect = ifindex;
	return TC_ACT_REDIRECT;
}

static inline int wf_redirect_neigh(__u32 ifindex)
{
	native.redirect = ifindex;
	return TC_ACT_REDIRECT;
}

static inline __u64 wf_now_ns(void)
{
	return (__u64)native.now_s * 1000000000ULL;
}

static inline __u32 wf_now_coarse_s(void)
{
	return native.now_s;
}

static inline void wf_event_send(struct wf_event *event)
{
	native.event = *event;
	native.events++;
}

static inline struct wf_ep_value *wf_map_endpoint(__u32 slot)
{
	return slot < NATIVE_SLOTS ? &native.endpoints[slot] : NULL;
}

static inline struct wf_addr_value *wf_map_address(const struct wf_addr_key *key)
{
	for (__u32 i = 0; i < native.address_count; i++)
		if (memcmp(&native.addresses[i].key, key, sizeof(*key)) == 0)
			return &native.addresses[i].value;
	return NULL;
}

static inline struct wf_net_value *wf_map_network(__u32 number)
{
	return number < NATIVE_NETWORKS ? &native.networks[number] : NULL;
}

static inline struct wf_remote_value *wf_map_remote(const struct wf_addr_key *key)
{
	for (__u32 i = 0; i < native.remote_count; i++)
		if (memcmp(&native.remotes[i].key, key, sizeof(*key)) == 0)
			return &native.remotes[i].value;
	return NULL;
}

static inline struct wf_node_value *wf_map_node(__u32 number)
{
	return number < NATIVE_NODES ? &native.nodes[number] : NULL;
}

/* The number of the node whose tunnel ends there; kept in the caller's thread. */
static inline __u32 *wf_map_member(const struct wf_addr *underlay)
{
	static __thread __u32 number;

	for (number = 1; number < NATIVE_NODES; number++)
		if (memcmp(&native.nodes[number].underlay, underlay, sizeof(*underlay)) == 0)
			return &number;
	return NULL;
}

static inline struct wf_counter *wf_map_drop(__u32 reason)
{
	return reason < WF_REASON_COUNT ? &native.drops[reason] : NULL;
}

static inline struct wf_traffic_value *wf_map_traffic(__u32 slot)
{
	return slot < NATIVE_SLOTS ? &native.traffic[slot] : NULL;
}

static inline struct wf_config_value *wf_map_config(void)
{
	return &native.config;
}

static inline struct wf_flow_seen *wf_map_flow(__u32 index)
{
	return &native.flows[index];
}

static inline struct wf_frontend_value *wf_map_frontend(const struct wf_frontend_key *key)
{
	for (__u32 i = 0; i < native.frontend_count; i++)
		if (memcmp(&native.frontends[i].key, key, sizeof(*key)) == 0)
			return &native.frontends[i].value;
	return NULL;
}

static inline struct wf_pick_page *wf_map_pick_page(__u32 index)
{
	return index < NATIVE_PAGES ? &native.pages[index] : NULL;
}

static inline struct wf_service_value *wf_map_service(__u32 number)
{
	return number < NATIVE_SERVICES ? &native.services[number] : NULL;
}

/* The second generation starts in the middle of the small array, too. */
static inline struct wf_range_value *wf_map_range(__u32 index)
{
	if (index >= WF_MAX_RANGES)
		index = index - WF_MAX_RANGES + NATIVE_RANGES / 2;
	return index < NATIVE_RANGES ? &native.ranges[index] : NULL;
}

static inline struct wf_affinity_value *wf_map_affinity(const struct wf_affinity_key *key)
{
	for (__u32 i = 0; i < native.affinity_count; i++)
		if (memcmp(&native.affinities[i].key, key, sizeof(*key)) == 0)
			return &native.affinities[i].value;
	return NULL;
}

static inline void wf_map_affinity_set(const struct wf_affinity_key *key,
				       const struct wf_affinity_value *value)
{
	struct wf_affinity_value *known = wf_map_affinity(key);

	if (known)
		*known = *value;
	else if (native.affinity_count < NATIVE_CLIENTS)
		native.affinities[native.affinity_count++] =
			(struct native_affinity){ *key, *value };
}

/* Whether the first bits of both are the same; prefixlen counts from `service` on. */
static inline int native_source_matches(const struct wf_source_key *entry,
					const struct wf_source_key *key)
{
	const __u8 *a = (const __u8 *)&entry->service, *b = (const __u8 *)&key->service;

	for (__u32 bit = 0; bit < entry->prefixlen; bit++)
		if ((a[bit / 8] ^ b[bit / 8]) & 0x80 >> bit % 8)
			return 0;
	return 1;
}

static inline __u32 *wf_map_source(const struct wf_source_key *key)
{
	static __u32 present = 1;

	for (__u32 i = 0; i < native.source_count; i++)
		if (native_source_matches(&native.sources[i], key))
			return &present;
	return NULL;
}

static inline struct wf_netns_value *wf_map_netns(__u64 cookie)
{
	for (__u32 i = 0; i < native.netns_count; i++)
		if (native.netns[i].cookie == cookie)
			return &native.netns[i].value;
	return NULL;
}

static inline struct wf_sock_nat_value *wf_map_sock_nat(const struct wf_sock_nat_key *key)
{
	for (__u32 i = 0; i < native.sock_nat_count; i++)
		if (memcmp(&native.sock_nats[i].key, key, sizeof(*key)) == 0)
			return &native.sock_nats[i].value;
	return NULL;
}

static inline void wf_map_sock_nat_set(const struct wf_sock_nat_key *key,
				       const struct wf_sock_nat_value *value)
{
	struct wf_sock_nat_value *known = wf_map_sock_nat(key);

	if (known)
		*known = *value;
	else if (native.sock_nat_count < NATIVE_CLIENTS)
		native.sock_nats[native.sock_nat_count++] =
			(struct native_sock_nat){ *key, *value };
}

static inline struct wf_uplink_value *wf_map_uplink(__u32 ifindex)
{
	for (__u32 i = 0; i < native.uplink_count; i++)
		if (native.uplinks[i].ifindex == ifindex)
			return &native.uplinks[i].value;
	return NULL;
}

static inline struct wf_policy_subject_value *wf_map_policy_subject(__u32 slot)
{
	native.verdict_questions++;
	return slot < NATIVE_SLOTS ? &native.subjects[slot] : NULL;
}

static inline struct wf_policy_run *wf_map_policy_profile(__u32 number)
{
	return number < NATIVE_PROFILES ? &native.profiles[number] : NULL;
}

static inline struct wf_policy_rule_value *wf_map_policy_rule(__u32 place)
{
	return place < NATIVE_RULES ? &native.rules[place] : NULL;
}

static inline struct wf_policy_run *wf_map_policy_pair(const struct wf_policy_pair_key *key)
{
	for (__u32 i = 0; i < native.pair_count; i++)
		if (memcmp(&native.pairs[i].key, key, sizeof(*key)) == 0)
			return &native.pairs[i].run;
	return NULL;
}

/* Whether the entry's bits are the first of the key's. */
static inline int native_prefix_matches(const struct wf_policy_prefix_key *entry,
					const struct wf_policy_prefix_key *key)
{
	const __u8 *a = (const __u8 *)&entry->pad, *b = (const __u8 *)&key->pad;

	for (__u32 bit = 0; bit < entry->prefixlen; bit++)
		if ((a[bit / 8] ^ b[bit / 8]) & 0x80 >> bit % 8)
			return 0;
	return 1;
}

static inline __u32 *wf_map_policy_prefix(const struct wf_policy_prefix_key *key)
{
	struct native_prefix *longest = NULL;

	for (__u32 i = 0; i < native.prefix_count; i++)
		if (native_prefix_matches(&native.prefixes[i].key, key) &&
		    (!longest || native.prefixes[i].key.prefixlen > longest->key.prefixlen))
			longest = &native.prefixes[i];
	return longest ? &longest->class_id : NULL;
}

static inline struct wf_counter *wf_map_policy_hit(__u32 rule)
{
	return rule < NATIVE_HITS ? &native.hits[rule] : NULL;
}

static inline struct wf_verdict_value *wf_map_verdict(__u32 index)
{
	return &native.verdicts[index % NATIVE_VERDICTS];
}

static inline struct wf_policy_memo *wf_map_policy_memo(__u32 index)
{
	return &native.memos[index % NATIVE_MEMOS];
}

static inline __u32 wf_now_moment(void)
{
	return native.now_s;
}

#define WF_GLOBAL static inline

#define WF_NO_UNROLL

static inline void wf_barrier(void)
{
	if (native_at_barrier)
		native_at_barrier();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline __u32 wf_read32(const __u32 *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static inline __u32 wf_atomic_cas32(__u32 *at, __u32 expected, __u32 value)
{
	return __sync_val_compare_and_swap(at, expected, value);
}

static inline __u32 wf_atomic_add32(__u32 *at, __u32 change)
{
	return __sync_fetch_and_add(at, change);
}

static inline __u32 wf_atomic_or32(__u32 *at, __u32 bits)
{
	return __sync_fetch_and_or(at, bits);
}

static inline __u32 wf_atomic_and32(__u32 *at, __u32 bits)
{
	return __sync_fetch_and_and(at, bits);
}

static inline __u64 wf_atomic_add64(__u64 *at, __u64 change)
{
	return __sync_fetch_and_add(at, change);
}

static inline __u32 wf_random32(void)
{
	native_random ^= native_random << 13;
	native_random ^= native_random >> 17;
	native_random ^= native_random << 5;
	return native_random;
}

static inline __u32 wf_now_tick(void)
{
	return (__u32)((__u64)native.now_s * 1000000000ULL >> WF_CONN_TICK_SHIFT);
}

static inline struct wf_conn *wf_map_conn(__u32 index)
{
	return index < native_conns.state.max ? &native_conns.records[index] : NULL;
}

static inline struct wf_conn_bucket *wf_map_conn_bucket(__u32 number)
{
	return number < native_conns.state.buckets ? &native_conns.buckets[number] : NULL;
}

static inline struct wf_conn_state *wf_map_conn_state(void)
{
	return &native_conns.state;
}

static inline struct wf_conn_owner *wf_map_conn_owner(__u32 slot)
{
	return slot < NATIVE_SLOTS ? &native_conns.owners[slot] : NULL;
}

static inline int wf_conn_free_pop(__u32 *ret_index)
{
	return native_queue_pop(ret_index);
}

static inline int wf_conn_free_push(__u32 index)
{
	return native_queue_push(index);
}

static inline struct wf_fragment_value *wf_map_fragment(const struct wf_fragment_key *key)
{
	for (__u32 i = 0; i < NATIVE_FRAGMENTS && i < native.fragment_count; i++)
		if (memcmp(&native.fragments[i].key, key, sizeof(*key)) == 0)
			return &native.fragments[i].value;
	return NULL;
}

static inline void wf_map_fragment_set(const struct wf_fragment_key *key,
				       const struct wf_fragment_value *value)
{
	struct wf_fragment_value *known = wf_map_fragment(key);

	if (known)
		*known = *value;
	else
		native.fragments[native.fragment_count++ % NATIVE_FRAGMENTS] =
			(struct native_fragment){ *key, *value };
}

static inline struct wf_backend_value *wf_map_backend(__u32 number)
{
	return number < NATIVE_BACKENDS ? &native.backends[number] : NULL;
}

static inline void *wf_map_work(void)
{
	return native.work;
}

static inline __u32 *wf_map_exhausted(const struct wf_tuple *key)
{
	for (__u32 i = 0; i < native.exhausted_count; i++)
		if (memcmp(&native.exhausted[i].key, key, sizeof(*key)) == 0)
			return &native.exhausted[i].tick;
	return NULL;
}

static inline void wf_map_exhausted_set(const struct wf_tuple *key, __u32 tick)
{
	__u32 *known = wf_map_exhausted(key);

	if (known)
		*known = tick;
	else if (native.exhausted_count < NATIVE_EXHAUSTED)
		native.exhausted[native.exhausted_count++] =
			(struct native_exhausted){ *key, tick };
}

static inline void wf_loop(__u32 count, long (*step)(__u32 i, void *data), void *data)
{
	for (__u32 i = 0; i < count; i++)
		if (step(i, data))
			break;
}

/* Ports that sockets of the host have, whoever the far end. */
static inline int wf_host_has_socket(void *ctx, const struct wf_tuple *tuple)
{
	(void)ctx;
	native.socket_questions++;
	if (native.all_ports_but && native.all_ports_but != tuple->dport)
		return 1;
	for (__u32 i = 0; i < native.socket_count; i++)
		if (native.sockets[i] == tuple->dport)
			return 1;
	return 0;
}

struct wf_hop {
	__u32 ifindex;
};

struct wf_ask {
	__u32 ifindex;
	__u32 proto;
	__u32 len;
};

static inline int wf_route_pair(struct wf_ctx *ctx, const struct wf_addr *pair,
				const struct wf_ask *ask, struct wf_hop *ret_hop)
{
	(void)pair;
	(void)ask;
	ret_hop->ifindex = ctx->ifindex;
	return 0;
}

static inline int wf_route_hop(struct wf_ctx *ctx, const struct wf_tuple *tuple,
			       struct wf_hop *ret_hop)
{
	const struct wf_ask ask = { .ifindex = ctx->ifindex, .proto = tuple->proto };

	return wf_route_pair(ctx, &tuple->src, &ask, ret_hop);
}

static inline int wf_redirect_hop(const struct wf_hop *hop)
{
	native.redirect = hop->ifindex;
	return TC_ACT_REDIRECT;
}

static inline __u32 wf_route_device(struct wf_ctx *ctx, const struct wf_tuple *tuple)
{
	(void)tuple;
	return ctx->ifindex;
}

#endif
