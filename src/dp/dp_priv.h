/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the datapath's handle. Maps are kept as descriptors only: the ELF object, its BTF
 * and libbpf's bookkeeping are gone once programs are loaded.
 */
#ifndef WEFT_DP_DP_PRIV_H
#define WEFT_DP_DP_PRIV_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <limits.h>

#include "dp/dp.h"

/* The maps of bpf/kernel/maps.h that the daemon opens. */
enum wf_dp_map {
	WF_DP_MAP_ENDPOINTS,
	WF_DP_MAP_ADDRESSES,
	WF_DP_MAP_NETWORKS,
	WF_DP_MAP_DROPS,
	WF_DP_MAP_TRAFFIC,
	WF_DP_MAP_CONFIG,
	WF_DP_MAP_FLOW_FILTER,
	WF_DP_MAP_EVENTS,
	WF_DP_MAP_PROGS,
	WF_DP_MAP_BUILD,
	WF_DP_MAP_COUNT,
};

/* What a map must look like to be shared with a running datapath. */
struct wf_dp_map_spec {
	const char *name; /* in the object and in the pin directory */
	enum bpf_map_type type;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t max_entries;
	uint32_t flags;
};

/* A program of the object: the filters are pinned, the stages live in wf_progs. */
struct wf_dp_program_spec {
	const char *name;
	int stage; /* enum wf_stage, -1 for filters */
};

#define WF_DP_OBJECT_PROGRAMS 5

extern const struct wf_dp_map_spec wf_dp_map_specs[WF_DP_MAP_COUNT];
/* The first WF_DP_PROGRAM_COUNT are the filters, in the order of enum wf_dp_program. */
extern const struct wf_dp_program_spec wf_dp_program_specs[WF_DP_OBJECT_PROGRAMS];

struct wf_dp {
	char map_dir[PATH_MAX];  /* BPF_DIR/v1/maps */
	char prog_dir[PATH_MAX]; /* BPF_DIR/v1/progs */
	int map_fds[WF_DP_MAP_COUNT];
	int prog_fds[WF_DP_PROGRAM_COUNT];
	uint32_t prog_ids[WF_DP_PROGRAM_COUNT];
	int cpu_count;  /* possible CPUs: what a per-CPU value has */
	bool adopted;   /* the pinned programs were of this build */
	bool observing; /* events may come */
	struct ring_buffer
		*ring; /* reader of the event ring, NULL until there is something to read */
	wf_dp_event_fn callback; /* of the wf_dp_event_read() in progress */
	void *callback_context;
	void *percpu; /* cpu_count largest per-CPU values */
};

/* pin.c: places below BPF_DIR. */

/* Makes BPF_DIR and its folders, mounting bpffs when nothing of the kind is there. */
int wf_dp_pin_prepare(struct wf_dp *dp, const char *bpf_dir, struct wf_err *err);
/* Joins a folder and a name; -ENAMETOOLONG. */
int wf_dp_pin_path(const char *dir, const char *name, char ret_path[PATH_MAX]);
/* Opens a pin: a descriptor, -ENOENT or another negative errno. */
int wf_dp_pin_open(const char *dir, const char *name);
/* Pins, atomically replacing what has the name. */
int wf_dp_pin_replace(const char *dir, const char *name, int fd, struct wf_err *err);

/* build.c: the embedded object. */

/* Identity of the embedded object; never 0. */
uint64_t wf_dp_build_hash(void);
/* Starts catching what libbpf says, instead of letting it print; empties the log. */
void wf_dp_log_begin(void);
/* The last of what libbpf or the verifier said, on one line; "" when nothing. Static. */
const char *wf_dp_log_text(void);
/* Buffer for the verifier's log, to be given to libbpf. Freed by wf_dp_log_end(). */
char *wf_dp_log_verifier(size_t *ret_bytes);
/* Frees the verifier's log. */
void wf_dp_log_end(void);

/* event.c */

/* Unmaps the event ring when nobody observes any more. */
void wf_dp_event_release(struct wf_dp *dp);

/* load.c */

/* Checks an open map against its specification; -ESTALE with both sides in the message. */
int wf_dp_map_check(int fd, const struct wf_dp_map_spec *spec, struct wf_err *err);
/* Loads the embedded object against the maps that are pinned, and pins what is new. */
int wf_dp_load(struct wf_dp *dp, struct wf_err *err);

#endif
