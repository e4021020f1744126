/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Policies, and what programs remember of their answers. See maps.h. */
#ifndef WEFT_BPF_MAPS_POLICY_H
#define WEFT_BPF_MAPS_POLICY_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/limits.h>
#include <weft/abi/policy.h>

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
 * Verdicts of the last moment, those of each CPU together. Written and read by the programs alone;
 * pinned only so that those that are loaded late find it, and made anew with the others. Bound:
 * WF_VERDICT_SLOTS per CPU; what is overwritten is judged again. No array per CPU: that one's values
 * are anywhere, across cache lines, behind a table of pointers; mappable, so that they begin on a
 * page, but nobody maps it. The loader gives it room for all CPUs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
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

#endif
