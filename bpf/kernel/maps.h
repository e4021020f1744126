/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every map of the datapath: those of one subject in a header of its own, and here what the programs
 * need to run. All are pinned by the daemon and outlive it. They are weak because each object file
 * holds the definitions and the linker keeps one of each.
 */
#ifndef WEFT_BPF_MAPS_H
#define WEFT_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/event.h>
#include <weft/abi/limits.h>
#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#include "maps_conn.h"
#include "maps_endpoint.h"
#include "maps_policy.h"
#include "maps_service.h"

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
