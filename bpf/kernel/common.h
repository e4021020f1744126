/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What programs of every kind have in common, whatever their packet looks like: maps, time and
 * atomic operations. Included by bpf/kernel/port.h and bpf/xdp/port.h; nobody else does.
 */
#ifndef WEFT_BPF_COMMON_H
#define WEFT_BPF_COMMON_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"

#define wf_likely(x)   __builtin_expect(!!(x), 1)
#define wf_unlikely(x) __builtin_expect(!!(x), 0)

/* Before a loop whose index must be a constant for the verifier. */
#define WF_UNROLL _Pragma("unroll")

/* Address families as bpf_fib_lookup() names them. */
#define WF_FAMILY_IPV4 2
#define WF_FAMILY_IPV6 10

/*
 * Copies `len` bytes, a constant, from or to a packet. Without a promise of alignment the compiler
 * copies byte by byte; every CPU that has a JIT reads words wherever they are.
 */
static __always_inline void wf_copy(void *to, const void *from, __u32 len)
{
	if (len % 4)
		__builtin_memcpy(__builtin_assume_aligned(to, 2), __builtin_assume_aligned(from, 2),
				 len);
	else
		__builtin_memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4),
				 len);
}

static __always_inline __u64 wf_now_ns(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline __u32 wf_now_coarse_s(void)
{
	return bpf_ktime_get_coarse_ns() / 1000000000ULL;
}

static __always_inline void wf_event_send(struct wf_event *event)
{
	(void)bpf_ringbuf_output(&wf_events, event, sizeof(*event), 0);
}

/* An event that says only its type and a slot, without room on the stack. 0, or -1: the ring is full. */
static __always_inline int wf_event_signal(__u32 type, __u32 slot)
{
	struct wf_event *event = bpf_ringbuf_reserve(&wf_events, sizeof(*event), 0);

	if (!event)
		return -1;
	__builtin_memset(event, 0, sizeof(*event));
	event->type = type;
	event->slot = slot;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline struct wf_ep_value *wf_map_endpoint(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_endpoints, &slot);
}

static __always_inline struct wf_addr_value *wf_map_address(const struct wf_addr_key *key)
{
	return bpf_map_lookup_elem(&wf_addresses, key);
}

static __always_inline struct wf_net_value *wf_map_network(__u32 number)
{
	return bpf_map_lookup_elem(&wf_networks, &number);
}

static __always_inline struct wf_remote_value *wf_map_remote(const struct wf_addr_key *key)
{
	return bpf_map_lookup_elem(&wf_remotes, key);
}

static __always_inline struct wf_node_value *wf_map_node(__u32 number)
{
	return bpf_map_lookup_elem(&wf_nodes, &number);
}

/* The number of the node whose tunnel ends there. */
static __always_inline __u32 *wf_map_member(const struct wf_addr *underlay)
{
	return bpf_map_lookup_elem(&wf_members, underlay);
}

/* By the longest prefix. */
static __always_inline struct wf_vtep_value *wf_map_vtep(const struct wf_vtep_key *key)
{
	return bpf_map_lookup_elem(&wf_vteps, key);
}

static __always_inline struct wf_seal_value *wf_map_seal(const struct wf_addr *addr)
{
	return bpf_map_lookup_elem(&wf_seals, addr);
}

static __always_inline __u64 *wf_map_clear(__u32 index)
{
	return bpf_map_lookup_elem(&wf_clear, &index);
}

static __always_inline struct wf_counter *wf_map_drop(__u32 reason)
{
	return bpf_map_lookup_elem(&wf_drops, &reason);
}

static __always_inline struct wf_traffic_value *wf_map_traffic(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_traffic, &slot);
}

static __always_inline struct wf_config_value *wf_map_config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wf_config, &zero);
}

static __always_inline struct wf_flow_seen *wf_map_flow(__u32 index)
{
	return bpf_map_lookup_elem(&wf_flow_filter, &index);
}

static __always_inline struct wf_frontend_value *wf_map_frontend(const struct wf_frontend_key *key)
{
	return bpf_map_lookup_elem(&wf_frontends, key);
}

static __always_inline struct wf_pick_page *wf_map_pick_page(__u32 index)
{
	return bpf_map_lookup_elem(&wf_picks, &index);
}

static __always_inline struct wf_service_value *wf_map_service(__u32 number)
{
	return bpf_map_lookup_elem(&wf_services, &number);
}

static __always_inline struct wf_range_value *wf_map_range(__u32 index)
{
	return bpf_map_lookup_elem(&wf_ranges, &index);
}

static __always_inline struct wf_affinity_value *wf_map_affinity(const struct wf_affinity_key *key)
{
	return bpf_map_lookup_elem(&wf_affinity, key);
}

static __always_inline void wf_map_affinity_set(const struct wf_affinity_key *key,
						const struct wf_affinity_value *value)
{
	(void)bpf_map_update_elem(&wf_affinity, key, value, BPF_ANY);
}

/* Anything but NULL: the longest prefix that holds the source admits it. */
static __always_inline __u32 *wf_map_source(const struct wf_source_key *key)
{
	return bpf_map_lookup_elem(&wf_source_ranges, key);
}

static __always_inline struct wf_netns_value *wf_map_netns(__u64 cookie)
{
	return bpf_map_lookup_elem(&wf_netns, &cookie);
}

static __always_inline struct wf_sock_nat_value *wf_map_sock_nat(const struct wf_sock_nat_key *key)
{
	return bpf_map_lookup_elem(&wf_sock_nat, key);
}

static __always_inline void wf_map_sock_nat_set(const struct wf_sock_nat_key *key,
						const struct wf_sock_nat_value *value)
{
	(void)bpf_map_update_elem(&wf_sock_nat, key, value, BPF_ANY);
}

static __always_inline struct wf_sock_use_value *wf_map_sock_use(__u64 cookie)
{
	return bpf_map_lookup_elem(&wf_sock_uses, &cookie);
}

/* Whether it was not there before, and there was room. */
static __always_inline int wf_map_sock_use_add(__u64 cookie, const struct wf_sock_use_value *value)
{
	return bpf_map_update_elem(&wf_sock_uses, &cookie, value, BPF_NOEXIST) == 0;
}

/* Whether it was there: of several that take it away one has done it. */
static __always_inline int wf_map_sock_use_drop(__u64 cookie)
{
	return bpf_map_delete_elem(&wf_sock_uses, &cookie) == 0;
}

static __always_inline struct wf_uplink_value *wf_map_uplink(__u32 ifindex)
{
	return bpf_map_lookup_elem(&wf_uplinks, &ifindex);
}

static __always_inline struct wf_policy_subject_value *wf_map_policy_subject(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_policy_subjects, &slot);
}

static __always_inline struct wf_policy_run *wf_map_policy_profile(__u32 number)
{
	return bpf_map_lookup_elem(&wf_policy_profiles, &number);
}

static __always_inline struct wf_policy_rule_value *wf_map_policy_rule(__u32 place)
{
	return bpf_map_lookup_elem(&wf_policy_rules, &place);
}

static __always_inline struct wf_policy_run *
wf_map_policy_pair(const struct wf_policy_pair_key *key)
{
	return bpf_map_lookup_elem(&wf_policy_pairs, key);
}

static __always_inline __u32 *wf_map_policy_prefix(const struct wf_policy_prefix_key *key)
{
	return bpf_map_lookup_elem(&wf_policy_prefixes, key);
}

static __always_inline struct wf_counter *wf_map_policy_hit(__u32 rule)
{
	return bpf_map_lookup_elem(&wf_policy_hits, &rule);
}

/* NULL: there is no such CPU. */
static __always_inline struct wf_verdict_value *wf_map_verdict_of(__u32 cpu, __u32 index)
{
	__u32 place = cpu * WF_VERDICT_SLOTS + index;

	return bpf_map_lookup_elem(&wf_verdicts, &place);
}

/* Of this CPU. */
static __always_inline struct wf_verdict_value *wf_map_verdict(__u32 index)
{
	return wf_map_verdict_of(bpf_get_smp_processor_id(), index);
}

static __always_inline struct wf_route_value *wf_map_route(__u32 index)
{
	return bpf_map_lookup_elem(&wf_routes, &index);
}

static __always_inline struct wf_policy_memo *wf_map_policy_memo(__u32 index)
{
	return bpf_map_lookup_elem(&wf_policy_memos, &index);
}

/*
 * Changes about every second (0.26 s to 2.6 s, by the kernel's HZ): what the verdicts of a CPU are
 * good for. One load, where the clocks cost more than all else that a remembered verdict needs.
 */
static __always_inline __u32 wf_now_moment(void)
{
	return bpf_jiffies64() >> 8;
}

/* A function that the verifier looks at once, whoever calls it. Pointers it gets may be NULL. */
#define WF_GLOBAL __weak __noinline

/* Before a loop that shall stay one. */
#define WF_NO_UNROLL _Pragma("clang loop unroll(disable)")

/* Keeps what is before it before what is after it, as far as the compiler is concerned. */
static __always_inline void wf_barrier(void)
{
	asm volatile("" ::: "memory");
}

/* Memory that others change at the same time. */
static __always_inline __u32 wf_read32(const __u32 *from)
{
	return *(const volatile __u32 *)from;
}

/* All of these return what was there before and order everything around them. */
static __always_inline __u32 wf_atomic_cas32(__u32 *at, __u32 expected, __u32 value)
{
	return __sync_val_compare_and_swap(at, expected, value);
}

static __always_inline __u32 wf_atomic_add32(__u32 *at, __u32 change)
{
	return __sync_fetch_and_add(at, change);
}

static __always_inline __u32 wf_atomic_or32(__u32 *at, __u32 bits)
{
	return __sync_fetch_and_or(at, bits);
}

static __always_inline __u32 wf_atomic_and32(__u32 *at, __u32 bits)
{
	return __sync_fetch_and_and(at, bits);
}

static __always_inline __u64 wf_atomic_add64(__u64 *at, __u64 change)
{
	return __sync_fetch_and_add(at, change);
}

static __always_inline __u32 wf_random32(void)
{
	return bpf_get_prandom_u32();
}

/* Time as connections keep it, see WF_CONN_TICK_SHIFT. */
static __always_inline __u32 wf_now_tick(void)
{
	return bpf_ktime_get_coarse_ns() >> WF_CONN_TICK_SHIFT;
}

static __always_inline struct wf_conn *wf_map_conn(__u32 index)
{
	return bpf_map_lookup_elem(&wf_conns, &index);
}

static __always_inline struct wf_conn_bucket *wf_map_conn_bucket(__u32 number)
{
	return bpf_map_lookup_elem(&wf_conn_index, &number);
}

static __always_inline struct wf_conn_state *wf_map_conn_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wf_conn_state, &zero);
}

static __always_inline struct wf_conn_owner *wf_map_conn_owner(__u32 slot)
{
	return bpf_map_lookup_elem(&wf_conn_owners, &slot);
}

/* 0, or an error when the queue is empty. */
static __always_inline int wf_conn_free_pop(__u32 *ret_index)
{
	return bpf_map_pop_elem(&wf_conn_free, ret_index);
}

static __always_inline int wf_conn_free_push(__u32 index)
{
	return bpf_map_push_elem(&wf_conn_free, &index, BPF_ANY);
}

static __always_inline struct wf_fragment_value *wf_map_fragment(const struct wf_fragment_key *key)
{
	return bpf_map_lookup_elem(&wf_fragments, key);
}

static __always_inline void wf_map_fragment_set(const struct wf_fragment_key *key,
						const struct wf_fragment_value *value)
{
	(void)bpf_map_update_elem(&wf_fragments, key, value, BPF_ANY);
}

static __always_inline struct wf_held_value *wf_map_held(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wf_held, &zero);
}

static __always_inline struct wf_held_frame *wf_map_held_frame(__u32 place)
{
	return bpf_map_lookup_elem(&wf_held_frames, &place);
}

static __always_inline struct wf_backend_value *wf_map_backend(__u32 number)
{
	return bpf_map_lookup_elem(&wf_backends, &number);
}

/* Room for a struct wf_work, which belongs to the program that runs on this CPU. */
static __always_inline void *wf_map_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&wf_work, &zero);
}

/* The tick at which the search was in vain; the key has dport 0. */
static __always_inline __u32 *wf_map_exhausted(const struct wf_tuple *key)
{
	return bpf_map_lookup_elem(&wf_exhausted, key);
}

static __always_inline void wf_map_exhausted_set(const struct wf_tuple *key, __u32 tick)
{
	(void)bpf_map_update_elem(&wf_exhausted, key, &tick, BPF_ANY);
}

/*
 * The value, of which the verifier knows nothing. Linux before 6.7 looks at a step of wf_loop() once, with
 * the data of its first call, and takes out what these never reach: what a step asks and changes begins so.
 */
static __always_inline __u32 wf_opaque(__u32 value)
{
	__u64 opaque = value, noise = bpf_get_smp_processor_id();

	asm volatile("%0 += %1\n\t%0 -= %1" : "+r"(opaque) : "r"(noise));
	return opaque;
}

/* Calls step(i, data) for i from 0 up to count, until it says 1. */
static __always_inline void wf_loop(__u32 count, long (*step)(__u32 i, void *data), void *data)
{
	(void)bpf_loop(count, step, data, 0);
}

/*
 * Whether a socket of the host would take a packet with this tuple: one connected to that far end
 * or one that waits for anybody. ctx: a packet in the host's namespace.
 */
static __always_inline int wf_host_has_socket(void *ctx, const struct wf_tuple *tuple)
{
	struct bpf_sock_tuple key = {};
	__u32 is_ip4 = !tuple->src.halves[0], bytes = sizeof(key.ipv6);
	struct bpf_sock *sock;

	if (is_ip4) {
		key.ipv4.saddr = tuple->src.words[3];
		key.ipv4.daddr = tuple->dst.words[3];
		key.ipv4.sport = tuple->sport;
		key.ipv4.dport = tuple->dport;
		bytes = sizeof(key.ipv4);
	} else {
		__builtin_memcpy(key.ipv6.saddr, &tuple->src, sizeof(key.ipv6.saddr));
		__builtin_memcpy(key.ipv6.daddr, &tuple->dst, sizeof(key.ipv6.daddr));
		key.ipv6.sport = tuple->sport;
		key.ipv6.dport = tuple->dport;
	}
	if (tuple->proto == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(ctx, &key, bytes, BPF_F_CURRENT_NETNS, 0);
	else if (tuple->proto == IPPROTO_UDP)
		sock = bpf_sk_lookup_udp(ctx, &key, bytes, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sock)
		return 0;
	(void)bpf_sk_release(sock);
	return 1;
}

#endif
