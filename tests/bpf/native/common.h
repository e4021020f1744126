/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The twin of bpf/kernel/common.h for native builds of bpf/lib: maps are the arrays of state.h.
 * Included by port.h; nobody else does.
 */
#ifndef WEFT_TESTS_BPF_NATIVE_COMMON_H
#define WEFT_TESTS_BPF_NATIVE_COMMON_H

#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>
#include <stddef.h>
#include <string.h>

#include <bpf/bpf_endian.h>

#include "state.h"

#ifndef __always_inline
#define __always_inline inline
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline, unused))
#endif

#define wf_likely(x)   __builtin_expect(!!(x), 1)
#define wf_unlikely(x) __builtin_expect(!!(x), 0)

#define WF_UNROLL

static inline void wf_copy(void *to, const void *from, __u32 len)
{
	memcpy(to, from, len);
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

static inline int wf_event_signal(__u32 type, __u32 slot)
{
	struct wf_event event = { .type = (__u8)type, .slot = slot };

	if (native.ring_full)
		return -1;
	wf_event_send(&event);
	return 0;
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

	for (number = 1; number < NATIVE_NODES; number++) {
		const struct wf_node_value *node = &native.nodes[number];

		if (memcmp(&node->underlay, underlay, sizeof(*underlay)) == 0 ||
		    memcmp(&node->tunnels[0], underlay, sizeof(*underlay)) == 0 ||
		    memcmp(&node->tunnels[1], underlay, sizeof(*underlay)) == 0)
			return &number;
	}
	return NULL;
}

/* Whether the first bits of both are the same; prefixlen counts from `scope` on. */
static inline int native_vtep_matches(const struct wf_vtep_key *entry,
				      const struct wf_vtep_key *key)
{
	const __u8 *a = (const __u8 *)&entry->scope, *b = (const __u8 *)&key->scope;

	for (__u32 bit = 0; bit < entry->prefixlen; bit++)
		if ((a[bit / 8] ^ b[bit / 8]) & 0x80 >> bit % 8)
			return 0;
	return 1;
}

/* By the longest prefix. */
static inline struct wf_vtep_value *wf_map_vtep(const struct wf_vtep_key *key)
{
	struct native_vtep *best = NULL;

	for (__u32 i = 0; i < native.vtep_count; i++) {
		struct native_vtep *vtep = &native.vteps[i];

		if (native_vtep_matches(&vtep->key, key) &&
		    (!best || best->key.prefixlen < vtep->key.prefixlen))
			best = vtep;
	}
	return best ? &best->value : NULL;
}

static inline struct wf_seal_value *wf_map_seal(const struct wf_addr *addr)
{
	for (__u32 i = 0; i < native.seal_count; i++)
		if (memcmp(&native.seals[i].addr, addr, sizeof(*addr)) == 0)
			return &native.seals[i].value;
	return NULL;
}

static inline __u64 *wf_map_clear(__u32 index)
{
	return index < WF_CLEAR_WORDS ? &native.clear[index] : NULL;
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

static inline struct wf_sock_use_value *wf_map_sock_use(__u64 cookie)
{
	for (__u32 i = 0; i < native.sock_use_count; i++)
		if (native.sock_uses[i].cookie == cookie)
			return &native.sock_uses[i].value;
	return NULL;
}

static inline int wf_map_sock_use_add(__u64 cookie, const struct wf_sock_use_value *value)
{
	if (wf_map_sock_use(cookie) || native.sock_use_count == NATIVE_CLIENTS)
		return 0;
	native.sock_uses[native.sock_use_count++] = (struct native_sock_use){ cookie, *value };
	return 1;
}

static inline int wf_map_sock_use_drop(__u64 cookie)
{
	for (__u32 i = 0; i < native.sock_use_count; i++)
		if (native.sock_uses[i].cookie == cookie) {
			native.sock_uses[i] = native.sock_uses[--native.sock_use_count];
			return 1;
		}
	return 0;
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
	const __u8 *a = (const __u8 *)&entry->scope, *b = (const __u8 *)&key->scope;

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

static inline struct wf_verdict_value *wf_map_verdict_of(__u32 cpu, __u32 index)
{
	return cpu ? NULL : &native.verdicts[index % NATIVE_VERDICTS];
}

static inline struct wf_verdict_value *wf_map_verdict(__u32 index)
{
	return wf_map_verdict_of(0, index);
}

static inline struct wf_policy_memo *wf_map_policy_memo(__u32 index)
{
	return &native.memos[index % NATIVE_MEMOS];
}

static inline struct wf_route_value *wf_map_route(__u32 index)
{
	return &native.routes[index % WF_ROUTE_SLOTS];
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

static inline struct wf_held_value *wf_map_held(void)
{
	return &native.held;
}

static inline struct wf_held_frame *wf_map_held_frame(__u32 place)
{
	return place < NATIVE_HELD ? &native.held_frames[place] : NULL;
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

static inline __u32 wf_opaque(__u32 value)
{
	return value;
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

#endif
