/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the object's maps and programs must look like, and how large the tables are whose size the
 * user chooses. A table that is pinned keeps its size, whatever is asked for later.
 */
#include <errno.h>
#include <string.h>

#include <weft/abi/conn.h>
#include <weft/abi/lb.h>
#include <weft/abi/policy.h>

#include "dp/dp_priv.h"

#define LEAST_CONNECTIONS 256

#define PAGES_PER_SERVICE (WF_PICKS_PER_SERVICE / WF_PICKS_PER_PAGE)

const struct wf_dp_map_spec wf_dp_map_specs[WF_DP_MAP_COUNT] = {
	[WF_DP_MAP_ENDPOINTS] = { "wf_endpoints", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_ep_value),
				  WF_MAX_SLOTS, 0 },
	[WF_DP_MAP_ADDRESSES] = { "wf_addresses", BPF_MAP_TYPE_HASH, sizeof(struct wf_addr_key),
				  sizeof(struct wf_addr_value), WF_MAX_ADDRESSES, BPF_F_NO_PREALLOC,
				  WF_DP_SIZE_ADDRESSES },
	[WF_DP_MAP_NETWORKS] = { "wf_networks", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_net_value),
				 WF_MAX_NETWORKS, 0 },
	[WF_DP_MAP_REMOTES] = { "wf_remotes", BPF_MAP_TYPE_HASH, sizeof(struct wf_addr_key),
				sizeof(struct wf_remote_value), WF_MAX_REMOTES, BPF_F_NO_PREALLOC },
	[WF_DP_MAP_NODES] = { "wf_nodes", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_node_value),
			      WF_MAX_NODES, 0 },
	[WF_DP_MAP_MEMBERS] = { "wf_members", BPF_MAP_TYPE_HASH, sizeof(struct wf_addr), 4,
				WF_MAX_MEMBERS, BPF_F_NO_PREALLOC },
	[WF_DP_MAP_VTEPS] = { "wf_vteps", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct wf_vtep_key),
			      sizeof(struct wf_vtep_value), WF_MAX_VTEP_ENTRIES,
			      BPF_F_NO_PREALLOC },
	[WF_DP_MAP_SEALS] = { "wf_seals", BPF_MAP_TYPE_HASH, sizeof(struct wf_addr),
			      sizeof(struct wf_seal_value), WF_MAX_NODES, BPF_F_NO_PREALLOC },
	[WF_DP_MAP_CLEAR] = { "wf_clear", BPF_MAP_TYPE_ARRAY, 4, sizeof(uint64_t), WF_CLEAR_WORDS,
			      0 },
	[WF_DP_MAP_DROPS] = { "wf_drops", BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(struct wf_counter),
			      WF_REASON_COUNT, 0 },
	[WF_DP_MAP_TRAFFIC] = { "wf_traffic", BPF_MAP_TYPE_PERCPU_ARRAY, 4,
				sizeof(struct wf_traffic_value), WF_MAX_SLOTS, 0 },
	[WF_DP_MAP_CONFIG] = { "wf_config", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_config_value),
			       1, 0 },
	[WF_DP_MAP_FLOW_FILTER] = { "wf_flow_filter", BPF_MAP_TYPE_PERCPU_ARRAY, 4,
				    sizeof(struct wf_flow_seen), WF_FLOW_FILTER_SLOTS, 0 },
	[WF_DP_MAP_EVENTS] = { "wf_events", BPF_MAP_TYPE_RINGBUF, 0, 0, WF_EVENT_RING_BYTES, 0 },
	[WF_DP_MAP_PROGS] = { "wf_progs", BPF_MAP_TYPE_PROG_ARRAY, 4, 4, WF_STAGE_COUNT, 0 },
	[WF_DP_MAP_BUILD] = { "wf_build", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_build_value), 1,
			      0 },
	[WF_DP_MAP_FRONTENDS] = { "wf_frontends", BPF_MAP_TYPE_HASH, sizeof(struct wf_frontend_key),
				  sizeof(struct wf_frontend_value), WF_FRONTENDS_PER_SERVICE,
				  BPF_F_NO_PREALLOC, WF_DP_SIZE_SERVICES },
	[WF_DP_MAP_PICKS] = { "wf_picks", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_pick_page),
			      PAGES_PER_SERVICE, BPF_F_MMAPABLE, WF_DP_SIZE_SERVICES },
	[WF_DP_MAP_BACKENDS] = { "wf_backends", BPF_MAP_TYPE_ARRAY, 4,
				 sizeof(struct wf_backend_value), WF_BACKENDS_PER_SERVICE,
				 BPF_F_MMAPABLE, WF_DP_SIZE_NUMBERED },
	[WF_DP_MAP_SERVICES] = { "wf_services", BPF_MAP_TYPE_ARRAY, 4,
				 sizeof(struct wf_service_value), 1, BPF_F_MMAPABLE,
				 WF_DP_SIZE_NUMBERED },
	[WF_DP_MAP_RANGES] = { "wf_ranges", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_range_value),
			       2 * WF_MAX_RANGES, 0 },
	[WF_DP_MAP_AFFINITY] = { "wf_affinity", BPF_MAP_TYPE_LRU_HASH,
				 sizeof(struct wf_affinity_key), sizeof(struct wf_affinity_value),
				 WF_MAX_AFFINITIES, 0 },
	[WF_DP_MAP_SOURCE_RANGES] = { "wf_source_ranges", BPF_MAP_TYPE_LPM_TRIE,
				      sizeof(struct wf_source_key), 4, WF_MAX_SOURCE_RANGES,
				      BPF_F_NO_PREALLOC },
	[WF_DP_MAP_NETNS] = { "wf_netns", BPF_MAP_TYPE_HASH, 8, sizeof(struct wf_netns_value),
			      WF_MAX_NETNS, BPF_F_NO_PREALLOC },
	[WF_DP_MAP_SOCK_NAT] = { "wf_sock_nat", BPF_MAP_TYPE_LRU_HASH,
				 sizeof(struct wf_sock_nat_key), sizeof(struct wf_sock_nat_value),
				 WF_MAX_SOCK_NAT, 0 },
	[WF_DP_MAP_SOCK_USES] = { "wf_sock_uses", BPF_MAP_TYPE_HASH, 8,
				  sizeof(struct wf_sock_use_value), WF_MAX_SOCK_USES,
				  BPF_F_NO_PREALLOC },
	[WF_DP_MAP_UPLINKS] = { "wf_uplinks", BPF_MAP_TYPE_HASH, 4, sizeof(struct wf_uplink_value),
				WF_MAX_UPLINKS, 0 },
	[WF_DP_MAP_CONNS] = { "wf_conns", BPF_MAP_TYPE_ARRAY, 4, sizeof(struct wf_conn), 1,
			      BPF_F_MMAPABLE, WF_DP_SIZE_CONNECTIONS },
	[WF_DP_MAP_CONN_INDEX] = { "wf_conn_index", BPF_MAP_TYPE_ARRAY, 4,
				   sizeof(struct wf_conn_bucket), WF_CONN_PER_BUCKET,
				   BPF_F_MMAPABLE, WF_DP_SIZE_CONNECTIONS },
	[WF_DP_MAP_CONN_FREE] = { "wf_conn_free", BPF_MAP_TYPE_QUEUE, 0, 4, 1, 0,
				  WF_DP_SIZE_CONNECTIONS },
	[WF_DP_MAP_CONN_STATE] = { "wf_conn_state", BPF_MAP_TYPE_ARRAY, 4,
				   sizeof(struct wf_conn_state), 1, BPF_F_MMAPABLE },
	[WF_DP_MAP_CONN_OWNERS] = { "wf_conn_owners", BPF_MAP_TYPE_ARRAY, 4,
				    sizeof(struct wf_conn_owner), WF_MAX_SLOTS, BPF_F_MMAPABLE },
	[WF_DP_MAP_FRAGMENTS] = { "wf_fragments", BPF_MAP_TYPE_LRU_HASH,
				  sizeof(struct wf_fragment_key), sizeof(struct wf_fragment_value),
				  WF_MAX_FRAGMENTS, 0 },
	[WF_DP_MAP_POLICY_SUBJECTS] = { "wf_policy_subjects", BPF_MAP_TYPE_ARRAY, 4,
					sizeof(struct wf_policy_subject_value), WF_MAX_SLOTS,
					BPF_F_MMAPABLE },
	[WF_DP_MAP_POLICY_PROFILES] = { "wf_policy_profiles", BPF_MAP_TYPE_ARRAY, 4,
					sizeof(struct wf_policy_run), WF_MAX_POLICY_PROFILES,
					BPF_F_MMAPABLE },
	[WF_DP_MAP_POLICY_RULES] = { "wf_policy_rules", BPF_MAP_TYPE_ARRAY, 4,
				     sizeof(struct wf_policy_rule_value), WF_MAX_POLICY_RULES,
				     BPF_F_MMAPABLE },
	[WF_DP_MAP_POLICY_PAIRS] = { "wf_policy_pairs", BPF_MAP_TYPE_HASH,
				     sizeof(struct wf_policy_pair_key),
				     sizeof(struct wf_policy_run), WF_MAX_POLICY_PAIRS,
				     BPF_F_NO_PREALLOC },
	[WF_DP_MAP_POLICY_PREFIXES] = { "wf_policy_prefixes", BPF_MAP_TYPE_LPM_TRIE,
					sizeof(struct wf_policy_prefix_key), 4,
					WF_MAX_POLICY_PREFIXES, BPF_F_NO_PREALLOC },
	[WF_DP_MAP_POLICY_HITS] = { "wf_policy_hits", BPF_MAP_TYPE_PERCPU_ARRAY, 4,
				    sizeof(struct wf_counter), WF_MAX_POLICY_HITS, 0 },
	[WF_DP_MAP_VERDICTS] = { "wf_verdicts", BPF_MAP_TYPE_ARRAY, 4,
				 sizeof(struct wf_verdict_value), WF_VERDICT_SLOTS, BPF_F_MMAPABLE,
				 WF_DP_SIZE_CPUS, .is_passing = true },
	[WF_DP_MAP_WORK] = { "wf_work", BPF_MAP_TYPE_PERCPU_ARRAY, 4, WF_WORK_BYTES, 1, 0 },
};

#define SOCKET_PROGRAM(hook, name) [WF_DP_PINNED_SOCKETS + (hook)] = { name, -1 }

const struct wf_dp_program_spec wf_dp_program_specs[WF_DP_OBJECT_PROGRAMS] = {
	[WF_DP_FROM_CONTAINER] = { "weft_from_container", -1 },
	[WF_DP_TO_CONTAINER] = { "weft_to_container", -1 },
	[WF_DP_FROM_UPLINK] = { "weft_from_uplink", -1 },
	[WF_DP_TO_UPLINK] = { "weft_to_uplink", -1 },
	[WF_DP_FROM_OVERLAY] = { "weft_from_overlay", -1, .is_late = true },
	[WF_DP_FROM_TUNNEL] = { "weft_from_tunnel", -1, .is_late = true },
	SOCKET_PROGRAM(WF_DP_CONNECT4, "weft_connect4"),
	SOCKET_PROGRAM(WF_DP_CONNECT6, "weft_connect6"),
	SOCKET_PROGRAM(WF_DP_SENDMSG4, "weft_sendmsg4"),
	SOCKET_PROGRAM(WF_DP_SENDMSG6, "weft_sendmsg6"),
	SOCKET_PROGRAM(WF_DP_RECVMSG4, "weft_recvmsg4"),
	SOCKET_PROGRAM(WF_DP_RECVMSG6, "weft_recvmsg6"),
	SOCKET_PROGRAM(WF_DP_GETPEERNAME4, "weft_getpeername4"),
	SOCKET_PROGRAM(WF_DP_GETPEERNAME6, "weft_getpeername6"),
	SOCKET_PROGRAM(WF_DP_BIND4, "weft_bind4"),
	SOCKET_PROGRAM(WF_DP_BIND6, "weft_bind6"),
	SOCKET_PROGRAM(WF_DP_SOCK_RELEASE, "weft_sock_release"),
	[WF_DP_PINNED_XDP] = { "weft_xdp", -1, .is_late = true },
	{ "weft_from_host", WF_STAGE_FROM_HOST },
	{ "weft_arp", WF_STAGE_ARP },
	{ "weft_nd", WF_STAGE_ND },
	{ "weft_service", WF_STAGE_SERVICE },
	{ "weft_reply", WF_STAGE_REPLY },
	{ "weft_policy", WF_STAGE_POLICY },
	{ "weft_via", WF_STAGE_VIA },
	{ "weft_door", WF_STAGE_DOOR },
};

static uint32_t power_of_two(uint32_t least)
{
	uint32_t power = LEAST_CONNECTIONS;

	while (power < least && power < WF_MAX_CONNECTIONS)
		power *= 2;
	return power;
}

void wf_dp_sizes_wanted(const struct wf_dp_sizes *asked, struct wf_dp_sizes *ret_sizes)
{
	uint32_t services = asked ? asked->services : 0;
	uint32_t connections = asked ? asked->connections : 0;

	if (!services)
		services = WF_DEFAULT_SERVICES;
	ret_sizes->services = services < WF_MAX_SERVICES ? services : WF_MAX_SERVICES;
	ret_sizes->connections = power_of_two(connections ? connections : WF_DEFAULT_CONNECTIONS);
}

/* Every frontend of services beyond the default number may have an address of its own. */
static uint32_t more_addresses(const struct wf_dp_sizes *sizes)
{
	return sizes->services > WF_DEFAULT_SERVICES
		       ? WF_FRONTENDS_PER_SERVICE * (sizes->services - WF_DEFAULT_SERVICES)
		       : 0;
}

uint32_t wf_dp_map_entries(const struct wf_dp_map_spec *spec, const struct wf_dp_sizes *sizes)
{
	switch (spec->sizing) {
	case WF_DP_SIZE_SERVICES: return spec->max_entries * sizes->services;
	case WF_DP_SIZE_NUMBERED: return spec->max_entries * sizes->services + 1;
	case WF_DP_SIZE_CONNECTIONS: return sizes->connections / spec->max_entries;
	case WF_DP_SIZE_ADDRESSES: return spec->max_entries + more_addresses(sizes);
	case WF_DP_SIZE_CPUS: return spec->max_entries * (uint32_t)libbpf_num_possible_cpus();
	default: return spec->max_entries;
	}
}

/* The size that a table of so many entries was made for. */
static void learn(const struct wf_dp_map_spec *spec, uint32_t entries, struct wf_dp_sizes *sizes)
{
	switch (spec->sizing) {
	case WF_DP_SIZE_SERVICES: sizes->services = entries / spec->max_entries; break;
	case WF_DP_SIZE_NUMBERED: sizes->services = (entries - 1) / spec->max_entries; break;
	case WF_DP_SIZE_CONNECTIONS: sizes->connections = entries * spec->max_entries; break;
	default: break;
	}
}

int wf_dp_sizes_learn(int fd, const struct wf_dp_map_spec *spec, struct wf_dp_sizes *sizes)
{
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);

	if (spec->sizing == WF_DP_SIZE_FIXED)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &bytes) < 0)
		return -errno;
	learn(spec, info.max_entries, sizes);
	return 0;
}

/* The address table of an earlier build is kept with the size it has. */
static bool is_size(const struct wf_dp_map_spec *spec, uint32_t entries, uint32_t wanted)
{
	return entries == wanted ||
	       (spec->sizing == WF_DP_SIZE_ADDRESSES && entries >= spec->max_entries);
}

int wf_dp_map_check(int fd, const struct wf_dp_map_spec *spec, const struct wf_dp_sizes *sizes,
		    struct wf_err *err)
{
	uint32_t entries = wf_dp_map_entries(spec, sizes), bytes;
	struct bpf_map_info info = {};

	bytes = sizeof(info);
	if (bpf_obj_get_info_by_fd(fd, &info, &bytes) < 0)
		return wf_fail(err, -errno, "cannot inspect the pinned map %s: %s", spec->name,
			       strerror(errno));
	if (info.type == spec->type && info.key_size == spec->key_bytes &&
	    info.value_size == spec->value_bytes && is_size(spec, info.max_entries, entries) &&
	    info.map_flags == spec->flags)
		return 0;
	return wf_fail(err, -ESTALE,
		       "the pinned map %s has type %u, key %u, value %u, entries %u, flags %#x; "
		       "this weft needs %u, %u, %u, %u, %#x: run 'weft cleanup' and attach again",
		       spec->name, info.type, info.key_size, info.value_size, info.max_entries,
		       info.map_flags, spec->type, spec->key_bytes, spec->value_bytes, entries,
		       spec->flags);
}
