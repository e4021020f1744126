/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath's tables of services, published ports, namespaces and uplinks. See abi/lb.h. */
#ifndef WEFT_DP_LB_H
#define WEFT_DP_LB_H

#include <weft/abi/lb.h>

#include "base/addr.h"
#include "dp/dp.h"

/*
 * The arrays as memory that is shared with the programs, at addresses that are good until
 * wf_dp_close(). An entry may be touched only after wf_dp_lb_reach() of its array: what is mapped
 * counts as the daemon's memory.
 */
struct wf_dp_lb_memory {
	struct wf_pick_page *pages;
	uint32_t page_count;
	struct wf_backend_value *backends;
	uint32_t backend_count;
	struct wf_service_value *services;
	uint32_t service_count;
};
void wf_dp_lb_memory(struct wf_dp *dp, struct wf_dp_lb_memory *ret_memory);

enum wf_dp_lb_array {
	WF_DP_LB_PAGES,
	WF_DP_LB_BACKENDS,
	WF_DP_LB_SERVICES,
	WF_DP_LB_ARRAYS,
};
/* Makes (at least) the first entries of an array usable. 0 or a negative errno. */
int wf_dp_lb_reach(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count);
/* Only the first entries are needed from now on; the others may become unusable. */
void wf_dp_lb_trim(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count);

/* Sets (values NULL: deletes) many frontends in few calls. -ENOSPC: full. */
int wf_dp_frontends_set(struct wf_dp *dp, const struct wf_frontend_key *keys,
			const struct wf_frontend_value *values, size_t count, struct wf_err *err);
typedef int (*wf_dp_frontend_fn)(const struct wf_frontend_key *key,
				 const struct wf_frontend_value *value, void *context);
/* Visits all; a negative result of the callback ends it and is returned. */
int wf_dp_frontend_visit(struct wf_dp *dp, wf_dp_frontend_fn visit, void *context,
			 struct wf_err *err);

int wf_dp_source_set(struct wf_dp *dp, uint32_t service, const struct wf_prefix *prefix,
		     bool present, struct wf_err *err);
typedef int (*wf_dp_source_fn)(uint32_t service, const struct wf_prefix *prefix, void *context);
/* Visits all; a negative result of the callback ends it and is returned. */
int wf_dp_source_visit(struct wf_dp *dp, wf_dp_source_fn visit, void *context, struct wf_err *err);

/*
 * Replaces all published runs at once: sorted and written as the other generation, then put in
 * force by one write of wf_config. -ENOSPC: more than WF_MAX_RANGES. *ret_word: the new
 * wf_config_value.ranges, to be part of every later wf_dp_config_set().
 */
int wf_dp_ranges_set(struct wf_dp *dp, const struct wf_range_value *ranges, size_t count,
		     uint32_t *ret_word, struct wf_err *err);
/* The runs in force; returns their number. ranges: room for WF_MAX_RANGES. */
int wf_dp_ranges_get(struct wf_dp *dp, struct wf_range_value *ret_ranges);

/* Namespaces by cookie; value NULL deletes. */
int wf_dp_netns_set(struct wf_dp *dp, uint64_t cookie, const struct wf_netns_value *value,
		    struct wf_err *err);
typedef void (*wf_dp_netns_fn)(uint64_t cookie, const struct wf_netns_value *value, void *context);
int wf_dp_netns_visit(struct wf_dp *dp, wf_dp_netns_fn visit, void *context);

/* Uplinks by ifindex; value NULL deletes. */
int wf_dp_uplink_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_uplink_value *value,
		     struct wf_err *err);
typedef void (*wf_dp_uplink_fn)(uint32_t ifindex, const struct wf_uplink_value *value,
				void *context);
int wf_dp_uplink_visit(struct wf_dp *dp, wf_dp_uplink_fn visit, void *context);

/*
 * Attaches the socket hooks to a cgroup (version 2) with pinned links; those of an earlier process
 * are taken over and their programs updated. -EOPNOTSUPP, -ENOENT: no such cgroup.
 */
int wf_dp_sockets_attach(struct wf_dp *dp, const char *cgroup, struct wf_err *err);
/* Removes the links. Missing is fine. */
int wf_dp_sockets_detach(struct wf_dp *dp);
bool wf_dp_sockets_attached(const struct wf_dp *dp);

/* Cookies of the sockets that count for a backend (wf_sock_uses); the caller's to free. */
int wf_dp_sock_uses(struct wf_dp *dp, uint64_t **ret_cookies, size_t *ret_count);
/* A socket has ended: it counts for nobody any more. One that does not count is fine. */
void wf_dp_sock_use_end(struct wf_dp *dp, uint64_t cookie);

/* Where XDP runs on a device. */
enum wf_dp_xdp_mode {
	WF_DP_XDP_NONE,
	WF_DP_XDP_GENERIC,
	WF_DP_XDP_NATIVE
};
/*
 * Attaches the XDP program by a pinned link: native, or generic where the driver cannot, unless
 * want_native. -EBUSY: the device runs another's program.
 */
int wf_dp_xdp_attach(struct wf_dp *dp, uint32_t ifindex, bool want_native,
		     enum wf_dp_xdp_mode *ret_mode, struct wf_err *err);
int wf_dp_xdp_detach(struct wf_dp *dp, uint32_t ifindex);
/* Descriptor (owned by dp) of the XDP program, which is loaded when first wanted; or an errno. */
int wf_dp_xdp_program_fd(struct wf_dp *dp, struct wf_err *err);

#endif
