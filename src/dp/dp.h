/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datapath as the daemon sees it: programs and pinned maps. The only user of libbpf.
 * Decides nothing and logs nothing. Maps and programs are pinned below
 * BPF_DIR/v<WF_ABI_VERSION>/ and outlive the process; opening adopts what is there, and loads
 * the programs again only when the pinned ones are of another build.
 */
#ifndef WEFT_DP_DP_H
#define WEFT_DP_DP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/event.h>
#include <weft/abi/limits.h>
#include <weft/abi/reason.h>
#include <weft/abi/types.h>

#include "base/err.h"

struct wf_dp;

enum wf_dp_program {
	WF_DP_FROM_CONTAINER, /* filter of WF_BLOCK_INGRESS; tail-calls from_host for slot 0 */
	WF_DP_TO_CONTAINER,   /* filter of WF_BLOCK_EGRESS */
	WF_DP_FROM_UPLINK,    /* filter of a device that leads outside, ingress */
	WF_DP_TO_UPLINK,      /* the same, egress */
	WF_DP_FROM_OVERLAY,   /* filter of the overlay's device, ingress */
	WF_DP_FROM_TUNNEL,    /* filter of the WireGuard device, ingress */
	WF_DP_PROGRAM_COUNT,
};

/* Sizes that the user chooses; 0: the default of abi/limits.h. Used when the maps are made. */
struct wf_dp_sizes {
	uint32_t services;    /* service ports; sizes of the other tables of services follow */
	uint32_t connections; /* rounded up to a power of two */
};

/*
 * Opens the pin directory (mounts bpffs there when nothing is mounted), adopts or creates maps
 * and programs. sizes NULL: the defaults. Maps that are pinned keep their size. -EPERM: not allowed to use bpf(); -ESTALE: pinned maps of another layout;
 * -EOPNOTSUPP: the verifier or kernel refuses (the message has the last lines of its log).
 */
int wf_dp_open(const char *bpf_dir, const struct wf_dp_sizes *sizes, struct wf_dp **ret_dp,
	       struct wf_err *err);
/* The sizes in force: those of the pinned maps, whatever was asked for. */
void wf_dp_sizes(const struct wf_dp *dp, struct wf_dp_sizes *ret_sizes);
/* Closes descriptors; everything pinned stays. NULL-safe; nulls the pointer. */
void wf_dp_close(struct wf_dp **dp);

/* Whether the pinned programs were of this build and taken over without loading. */
bool wf_dp_adopted(const struct wf_dp *dp);

/*
 * Loads a program that only some hosts need (those of devices between nodes), unless it was wanted
 * before; it stays. Errors as of wf_dp_open().
 */
int wf_dp_program_want(struct wf_dp *dp, enum wf_dp_program program, struct wf_err *err);
/* Descriptor (owned by dp) and kernel id of a program, for the tc filters. */
int wf_dp_program_fd(const struct wf_dp *dp, enum wf_dp_program program);
uint32_t wf_dp_program_id(const struct wf_dp *dp, enum wf_dp_program program);

/*
 * Endpoint table. Setting is one atomic-enough write: flags are written last, cleared first.
 * WF_EP_GUARDED is no part of the values: see wf_dp_guard_set() in dp/policy.h.
 */
int wf_dp_endpoint_set(struct wf_dp *dp, uint32_t slot, const struct wf_ep_value *value,
		       struct wf_err *err);
int wf_dp_endpoint_clear(struct wf_dp *dp, uint32_t slot, struct wf_err *err);
int wf_dp_endpoint_get(struct wf_dp *dp, uint32_t slot, struct wf_ep_value *ret_value);
/* count slots from first on by one call: a restart looks at all of them. */
int wf_dp_endpoint_read(struct wf_dp *dp, uint32_t first, uint32_t count,
			struct wf_ep_value *ret_values);

/* Address table. -ENOSPC: full, the message says the limit. Clearing what is not there is fine. */
int wf_dp_address_set(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      const struct wf_addr_value *value, struct wf_err *err);
int wf_dp_address_clear(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr);
int wf_dp_address_get(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      struct wf_addr_value *ret_value);

/* Calls back for every entry; entries may be cleared from within the callback. */
typedef void (*wf_dp_address_fn)(const struct wf_addr_key *key, const struct wf_addr_value *value,
				 void *context);
int wf_dp_address_visit(struct wf_dp *dp, wf_dp_address_fn visit, void *context,
			struct wf_err *err);

/* Network table; value NULL clears. */
int wf_dp_network_set(struct wf_dp *dp, uint32_t number, const struct wf_net_value *value,
		      struct wf_err *err);
int wf_dp_network_get(struct wf_dp *dp, uint32_t number, struct wf_net_value *ret_value);
int wf_dp_network_read(struct wf_dp *dp, uint32_t first, uint32_t count,
		       struct wf_net_value *ret_values);

/* Settings the programs read. `ranges`, `revision` and `trace` are kept: others set them. */
int wf_dp_config_set(struct wf_dp *dp, const struct wf_config_value *value, struct wf_err *err);
/* Their enum wf_config_flag as in force; at first what an earlier process left. */
uint32_t wf_dp_config_flags(const struct wf_dp *dp);

/* Counters summed over CPUs; out has WF_REASON_COUNT entries. */
int wf_dp_drops_read(struct wf_dp *dp, struct wf_counter *ret_drops);
int wf_dp_traffic_read(struct wf_dp *dp, uint32_t slot, struct wf_traffic_value *ret_traffic);
int wf_dp_traffic_clear(struct wf_dp *dp, uint32_t slot);

/* Event ring: fd for the event loop, and delivery of everything that waits. */
int wf_dp_event_fd(const struct wf_dp *dp);
typedef void (*wf_dp_event_fn)(const struct wf_event *event, void *context);
int wf_dp_event_read(struct wf_dp *dp, wf_dp_event_fn callback, void *context);

/* A made-up packet for a program. */
struct wf_dp_packet {
	enum wf_dp_program program;
	uint32_t ifindex;  /* the device that it seems to come from */
	uint32_t mark;     /* its skb->mark */
	uint32_t repeat;   /* how often it is run */
	const void *bytes; /* the frame, from its Ethernet header on; borrowed */
	size_t len;
};

/*
 * Runs a program of the datapath on a packet (BPF_PROG_TEST_RUN). *ret_action is TC_ACT_*;
 * ret_ns may be NULL: nanoseconds of one run. For tests, benchmarks and wf_dp_trace().
 */
int wf_dp_run(struct wf_dp *dp, const struct wf_dp_packet *packet, int *ret_action,
	      uint32_t *ret_ns, struct wf_err *err);

/* One finding of wf_dp_probe(). */
struct wf_dp_finding {
	const char *name; /* "program from_container" */
	bool ok;
	const char *detail; /* what was seen, or why it failed and what to do */
};
typedef void (*wf_dp_finding_fn)(const struct wf_dp_finding *finding, void *context);

/* Tries everything the datapath needs, without pinning or attaching: maps, every program. */
int wf_dp_probe(wf_dp_finding_fn report, void *context);

/* Unpins everything below BPF_DIR (any version). Missing is fine. */
int wf_dp_remove(const char *bpf_dir, struct wf_err *err);

#endif
