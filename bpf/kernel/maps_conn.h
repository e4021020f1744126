/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections, and fragments of their packets. See maps.h. */
#ifndef WEFT_BPF_MAPS_CONN_H
#define WEFT_BPF_MAPS_CONN_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/conn.h>
#include <weft/abi/limits.h>

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

#endif
