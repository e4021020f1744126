/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Services, published ports and sockets that were sent to a backend. See maps.h. */
#ifndef WEFT_BPF_MAPS_SERVICE_H
#define WEFT_BPF_MAPS_SERVICE_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <weft/abi/lb.h>
#include <weft/abi/limits.h>

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

#endif
