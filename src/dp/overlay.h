/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the overlay: nodes, where their tunnels end, and who of their endpoints has which
 * address. What is in them is believed: the daemon puts in what the store says, and nothing else.
 */
#ifndef WEFT_DP_OVERLAY_H
#define WEFT_DP_OVERLAY_H

#include "base/addr.h"
#include "dp/dp.h"

/*
 * This node: its device of the overlay, 0: none. Without one nobody is reached on other nodes. Where
 * its tunnel ends, and by which port; by_device: what goes through the device and not by programs,
 * WF_NODE_*_BY_DEVICE, or 0.
 */
int wf_dp_overlay_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_addr *underlay,
		      uint16_t port, unsigned int by_device, struct wf_err *err);

/*
 * A node by its number, from 1 on: frames from its underlay address are taken from here on, and
 * sent there. value NULL: the node goes; its endpoints must be gone already.
 */
int wf_dp_node_set(struct wf_dp *dp, uint32_t number, const struct wf_node_value *value,
		   struct wf_err *err);

/*
 * A node's addresses inside WireGuard (WF_NODE_SELF: this one's own): frames from there are taken
 * for encrypted networks, and sent to the first. None: packets of such networks are dropped.
 */
int wf_dp_node_tunnels_set(struct wf_dp *dp, uint32_t number, const struct wf_addr *tunnels,
			   size_t count, struct wf_err *err);

/*
 * The WireGuard device that takes containers' packets as they are, to addresses that are bound
 * (WF_REMOTE_BOUND); 0: all get outer headers first.
 */
int wf_dp_bare_set(struct wf_dp *dp, uint32_t ifindex, struct wf_err *err);

/* The number of the node whose tunnel ends there. -ENOENT. */
int wf_dp_member_get(struct wf_dp *dp, const struct wf_addr *underlay, uint32_t *ret_number);

/* Which node an address of a scope is on. -ENOENT. */
int wf_dp_remote_get(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     struct wf_remote_value *ret_value);

/*
 * An address, in a scope, of another node's endpoint. -ENOSPC: the table is full, the message says
 * the limit.
 */
int wf_dp_remote_set(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err);
/* Clearing what is not there is fine. */
int wf_dp_remote_clear(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr);

/* The same as setting one, with others: with the flush at the latest, which may fail for any of them. */
int wf_dp_remote_add(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err);
int wf_dp_remotes_flush(struct wf_dp *dp, struct wf_err *err);
/*
 * Begins to read all of them in a thread of its own, for the next visit, unless one is set or cleared before.
 * If it cannot, the visit reads them itself.
 */
void wf_dp_remotes_fetch(struct wf_dp *dp);
/* Calls back for every entry; entries may be cleared from within the callback. */
typedef void (*wf_dp_remote_fn)(uint32_t scope, const struct wf_addr *addr,
				const struct wf_remote_value *value, void *context);
int wf_dp_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context, struct wf_err *err);

/*
 * A prefix of a network's routes, or (WF_VTEP_PEER | VNI, its address in full) a VXLAN endpoint that
 * packets are taken from. value NULL: it goes; clearing what is not there is fine. -ENOSPC.
 */
int wf_dp_vtep_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		   const struct wf_vtep_value *value, struct wf_err *err);

/* Calls back for every entry; it may be cleared from within the callback. */
typedef void (*wf_dp_vtep_fn)(uint32_t scope, const struct wf_prefix *prefix, void *context);
int wf_dp_vtep_visit(struct wf_dp *dp, wf_dp_vtep_fn visit, void *context, struct wf_err *err);

/*
 * A node whose host's packets, to its address and from it, go inside WireGuard only (bpf/lib/seal.h).
 * value NULL: they go as they are; clearing what is not there is fine. In force with
 * WF_CONFIG_SEALS.
 */
int wf_dp_seal_set(struct wf_dp *dp, const struct wf_addr *addr, const struct wf_seal_value *value,
		   struct wf_err *err);
/* Calls back for every one. */
typedef void (*wf_dp_seal_fn)(const struct wf_addr *addr, const struct wf_seal_value *value,
			      void *context);
int wf_dp_seal_visit(struct wf_dp *dp, wf_dp_seal_fn visit, void *context, struct wf_err *err);
/* The ports that are excepted from that, a bit for each. */
int wf_dp_clear_set(struct wf_dp *dp, const uint64_t ports[WF_CLEAR_WORDS], struct wf_err *err);

#endif
