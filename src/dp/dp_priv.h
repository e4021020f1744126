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

#include "base/addr.h"
#include "dp/conn_table.h"
#include "dp/dp.h"
#include "dp/overlay.h"
#include "dp/policy.h"

/* The maps of bpf/kernel/maps.h that the daemon opens. */
enum wf_dp_map {
	WF_DP_MAP_ENDPOINTS,
	WF_DP_MAP_ADDRESSES,
	WF_DP_MAP_NETWORKS,
	WF_DP_MAP_REMOTES,
	WF_DP_MAP_NODES,
	WF_DP_MAP_MEMBERS,
	WF_DP_MAP_VTEPS,
	WF_DP_MAP_SEALS,
	WF_DP_MAP_CLEAR,
	WF_DP_MAP_DROPS,
	WF_DP_MAP_TRAFFIC,
	WF_DP_MAP_CONFIG,
	WF_DP_MAP_FLOW_FILTER,
	WF_DP_MAP_EVENTS,
	WF_DP_MAP_PROGS,
	WF_DP_MAP_BUILD,
	WF_DP_MAP_FRONTENDS,
	WF_DP_MAP_PICKS,
	WF_DP_MAP_BACKENDS,
	WF_DP_MAP_SERVICES,
	WF_DP_MAP_RANGES,
	WF_DP_MAP_AFFINITY,
	WF_DP_MAP_SOURCE_RANGES,
	WF_DP_MAP_NETNS,
	WF_DP_MAP_SOCK_NAT,
	WF_DP_MAP_SOCK_USES,
	WF_DP_MAP_UPLINKS,
	WF_DP_MAP_CONNS,
	WF_DP_MAP_CONN_INDEX,
	WF_DP_MAP_CONN_FREE,
	WF_DP_MAP_CONN_STATE,
	WF_DP_MAP_CONN_OWNERS,
	WF_DP_MAP_FRAGMENTS,
	WF_DP_MAP_POLICY_SUBJECTS,
	WF_DP_MAP_POLICY_PROFILES,
	WF_DP_MAP_POLICY_RULES,
	WF_DP_MAP_POLICY_PAIRS,
	WF_DP_MAP_POLICY_PREFIXES,
	WF_DP_MAP_POLICY_HITS,
	WF_DP_MAP_VERDICTS,
	WF_DP_MAP_WORK,
	WF_DP_MAP_COUNT,
};

/* How many entries a map has: as many as its specification says, of what. */
enum wf_dp_sizing {
	WF_DP_SIZE_FIXED,       /* as it says */
	WF_DP_SIZE_SERVICES,    /* for each service port */
	WF_DP_SIZE_NUMBERED,    /* the same, and one more: number 0 is not used */
	WF_DP_SIZE_CONNECTIONS, /* one entry for so many connections */
	WF_DP_SIZE_ADDRESSES,   /* as it says, and room for more services than the default */
	WF_DP_SIZE_CPUS,        /* for each possible CPU */
};

/* What a map must look like to be shared with a running datapath. */
struct wf_dp_map_spec {
	const char *name; /* in the object and in the pin directory */
	enum bpf_map_type type;
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint32_t max_entries;
	uint32_t flags;
	enum wf_dp_sizing sizing;
	/* what programs remember for themselves: made anew with them, pinned for those that are late */
	bool is_passing;
};

/* The socket hooks. */
enum wf_dp_socket_hook {
	WF_DP_CONNECT4,
	WF_DP_CONNECT6,
	WF_DP_SENDMSG4,
	WF_DP_SENDMSG6,
	WF_DP_RECVMSG4,
	WF_DP_RECVMSG6,
	WF_DP_GETPEERNAME4,
	WF_DP_GETPEERNAME6,
	WF_DP_BIND4,
	WF_DP_BIND6,
	WF_DP_SOCK_RELEASE,
	WF_DP_SOCKET_HOOKS,
};

/*
 * Programs that are pinned: the filters of enum wf_dp_program, then those that links hold. The
 * others of the object are stages, which live in wf_progs.
 */
enum wf_dp_pinned {
	WF_DP_PINNED_SOCKETS = WF_DP_PROGRAM_COUNT, /* and on: enum wf_dp_socket_hook */
	WF_DP_PINNED_XDP = WF_DP_PINNED_SOCKETS + WF_DP_SOCKET_HOOKS,
	WF_DP_PINNED_COUNT,
};

#define WF_DP_OBJECT_PROGRAMS (WF_DP_PINNED_COUNT + WF_STAGE_COUNT)

struct wf_dp_program_spec {
	const char *name;
	int stage;    /* enum wf_stage, -1 for what is pinned */
	bool is_late; /* pinned, but not loaded before it is wanted */
};

extern const struct wf_dp_map_spec wf_dp_map_specs[WF_DP_MAP_COUNT];
/* The first WF_DP_PINNED_COUNT are pinned, the first of these in the order of wf_dp_program. */
extern const struct wf_dp_program_spec wf_dp_program_specs[WF_DP_OBJECT_PROGRAMS];

struct wf_dp {
	char map_dir[PATH_MAX];  /* BPF_DIR/v<WF_ABI_VERSION>/maps */
	char prog_dir[PATH_MAX]; /* the same, progs */
	char link_dir[PATH_MAX]; /* the same, links */
	int map_fds[WF_DP_MAP_COUNT];
	int prog_fds[WF_DP_PINNED_COUNT];
	uint32_t prog_ids[WF_DP_PROGRAM_COUNT];
	struct wf_dp_sizes sizes;            /* in force */
	struct wf_config_value config;       /* as it is in wf_config; the daemon alone writes it */
	void *memory[WF_DP_MAP_COUNT];       /* arrays that are mapped; see wf_dp_memory() */
	size_t shown_bytes[WF_DP_MAP_COUNT]; /* of memory[], from its start: what can be used */
	struct wf_conn_sweep conn_sweep;
	int cpu_count;  /* possible CPUs: what a per-CPU value has */
	bool adopted;   /* the pinned programs were of this build */
	bool observing; /* events may come */
	struct ring_buffer
		*ring; /* reader of the event ring, NULL until there is something to read */
	wf_dp_event_fn callback; /* of the wf_dp_event_read() in progress */
	void *callback_context;
	void *percpu;                                 /* cpu_count largest per-CPU values */
	struct wf_dp_batch *batches[WF_DP_MAP_COUNT]; /* owned; NULL: none was ever begun */
	struct wf_dp_fetch *fetched_prefixes,
		*fetched_remotes;          /* owned; NULL: none are read ahead */
	struct wf_dp_tcx_queue *tcx_queue; /* owned; NULL: nobody was ever wanted there */
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

/* link.c: hooks that are held by a pinned link, and outlive the process. */

/* Lets the pinned link of that name run a program. -ENOENT: no such link; -ENOLINK: its cgroup or
 * device is gone. */
int wf_dp_link_update(const char *dir, const char *name, int program_fd);
/* Ends a link and removes its pin; missing is fine. */
int wf_dp_link_drop(const char *dir, const char *name, void *context);
/* Calls back for every pin of a folder until one returns < 0, which is returned. */
typedef int (*wf_dp_link_fn)(const char *dir, const char *name, void *context);
int wf_dp_link_visit(const char *dir, wf_dp_link_fn visit, void *context);

/* map.c: single entries. */

/* Reads an entry; 0 or -errno, -ENOENT: it is not there. */
int wf_dp_entry_get(const struct wf_dp *dp, enum wf_dp_map map, const void *key, void *ret_value);

/* Writes an entry, or with value NULL deletes it; what is not there is fine. -ENOSPC: full. */
int wf_dp_entry_put(struct wf_dp *dp, enum wf_dp_map map, const void *key, const void *value,
		    struct wf_err *err);

/*
 * Keys of LPM tries here are a word that is always whole (a scope, a service) and a mapped address:
 * their prefixlen, and the prefix that one stands for.
 */
uint32_t wf_dp_trie_len(const struct wf_prefix *prefix);
struct wf_prefix wf_dp_trie_prefix(uint32_t prefixlen, const struct wf_addr *addr);

/* visit.c: reading whole tables. */

/* A negative result ends the visit. The entry may be deleted from within. */
typedef int (*wf_dp_entry_fn)(const void *key, const void *value, void *context);
/* Visits all entries of a hash, in few calls; 0, a result of the callback or a negative errno. */
int wf_dp_entry_visit(const struct wf_dp *dp, enum wf_dp_map map, wf_dp_entry_fn visit,
		      void *context);

/* batch.c: many entries at once. */

/* An entry that is written with others, with the flush at the latest. 0 or -errno, of others too. */
int wf_dp_batch_add(struct wf_dp *dp, enum wf_dp_map map, const void *key, const void *value);
/* Writes what was added. A failure leaves some of it unwritten; it is forgotten. */
int wf_dp_batch_flush(struct wf_dp *dp, enum wf_dp_map map);
void wf_dp_batches_free(struct wf_dp *dp);

/* policy.c */

/* wf_dp_prefix_visit(), whatever was fetched. */
int wf_dp_prefix_read(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context, struct wf_err *err);

/* fetch.c: tables that were read ahead. */

/*
 * Visits of what was fetched, which is forgotten then. False: nothing was, or not all; nothing is visited.
 * *ret_result: 0, or what the callback ended it with.
 */
bool wf_dp_fetched_prefix_visit(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context,
				int *ret_result);
bool wf_dp_fetched_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context);
/* Forgets one without a visit. */
void wf_dp_fetch_drop(struct wf_dp_fetch **fetch);

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

/* memory.c: arrays that programs and daemon share as memory. */

/*
 * The memory of an array with BPF_F_MMAPABLE, mapped when first asked for and until
 * wf_dp_memory_release() or wf_dp_close(); NULL and errno. The kernel counts all of it as
 * resident in the daemon from that moment on, touched or not: large tables are mapped as far as
 * they are used, and those of connections a window at a time.
 */
void *wf_dp_memory(struct wf_dp *dp, enum wf_dp_map map);
/* The same with nothing of it mapped yet, at the address that it keeps. */
void *wf_dp_memory_reserve(struct wf_dp *dp, enum wf_dp_map map);
/* Makes (at least) the first entries usable; what is so already stays. 0 or a negative errno. */
int wf_dp_memory_reach(struct wf_dp *dp, enum wf_dp_map map, uint32_t count);
/* Only (about) the first entries have to be usable from now on. */
void wf_dp_memory_trim(struct wf_dp *dp, enum wf_dp_map map, uint32_t count);
void wf_dp_memory_release(struct wf_dp *dp, enum wf_dp_map map);
/* Bytes of such an array as it is mapped. */
size_t wf_dp_memory_bytes(const struct wf_dp *dp, enum wf_dp_map map);

/* Some entries of such an array. All zero: none. */
struct wf_dp_window {
	void *entries; /* the first entry of the window */
	void *base;    /* what is mapped: whole pages */
	size_t bytes;
};
/* Maps count entries from first on (7 us for 256 KiB). 0, -ERANGE or another negative errno. */
int wf_dp_window_open(const struct wf_dp *dp, enum wf_dp_map map, uint32_t first, uint32_t count,
		      struct wf_dp_window *ret_window);
/* Unmaps; fine when nothing is mapped. */
void wf_dp_window_close(struct wf_dp_window *window);

/* conn.c */

/* Makes the tables of connections ready. fresh: they were made just now and hold zeros. */
int wf_dp_conn_init(struct wf_dp *dp, bool fresh, struct wf_err *err);

/* sockets.c, xdp.c: links that are pinned already run the programs of dp afterwards. */
int wf_dp_sockets_update(struct wf_dp *dp, struct wf_err *err);
int wf_dp_xdp_update(struct wf_dp *dp, struct wf_err *err);

/* tcx.c: one device. 0 or a negative errno; what is so already is fine. */
int wf_dp_tcx_put(uint32_t ifindex, int program_fd);
/* Takes all of weft's away, of whatever build. */
int wf_dp_tcx_take(uint32_t ifindex);
/* tcx_queue.c: forgets what was wanted, and waits for what is being done. */
void wf_dp_tcx_end(struct wf_dp *dp);

/* spec.c */

/* The sizes to make tables of: what was asked for within bounds, or the defaults. */
void wf_dp_sizes_wanted(const struct wf_dp_sizes *asked, struct wf_dp_sizes *ret_sizes);
/* Takes over the size that an open map was made for. */
int wf_dp_sizes_learn(int fd, const struct wf_dp_map_spec *spec, struct wf_dp_sizes *sizes);
/* Entries of a map for these sizes. */
uint32_t wf_dp_map_entries(const struct wf_dp_map_spec *spec, const struct wf_dp_sizes *sizes);
/* Checks an open map against its specification; -ESTALE with both sides in the message. */
int wf_dp_map_check(int fd, const struct wf_dp_map_spec *spec, const struct wf_dp_sizes *sizes,
		    struct wf_err *err);

/* load.c */

/*
 * Loads the embedded object against the maps that are pinned, and pins what is new; late programs
 * wait.
 */
int wf_dp_load(struct wf_dp *dp, struct wf_err *err);
/* Loads and pins a late program; does nothing when it is there. */
int wf_dp_load_late(struct wf_dp *dp, enum wf_dp_pinned program, struct wf_err *err);

#endif
