/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of WireGuard device share. */
#ifndef WEFT_NET_WIREGUARD_PRIV_H
#define WEFT_NET_WIREGUARD_PRIV_H

#include "base/str.h"
#include "net/wireguard.h"

/* The steps from what a device is to what it shall be; order: removals first. */
struct wf_wg_change {
	const struct wf_wg_peer *peer; /* borrowed */
	bool is_removal;
	bool is_moved; /* what is taken from it is another address, or not known yet */
};
struct wf_wg_plan {
	const uint8_t *key;           /* NULL: it has it */
	uint16_t port;                /* 0: it has it */
	struct wf_wg_change *changes; /* owned */
	size_t count, capacity;
};

/* ---- wireguard_plan.c: pure ------------------------------------------------------------------ */

void wf_wg_peers_sort(struct wf_wg_peer *peers, size_t count);
/* Room for one more peer, zeroed. NULL: no memory. */
struct wf_wg_peer *wf_wg_state_add(struct wf_wg_state *state);
/* Both sorted. -ENOMEM. */
int wf_wg_plan(const struct wf_wg_state *state, const struct wf_wg_device *device,
	       struct wf_wg_plan *ret_plan);
void wf_wg_plan_done(struct wf_wg_plan *plan);

/* ---- wireguard_text.c: pure; the protocol of wireguard.com/xplatform ------------------------- */

/* The request that carries a plan out. */
void wf_wg_text_set(struct wf_str *text, const struct wf_wg_plan *plan);
/* An answer to "get=1". -EBADMSG: it is none; a negative errno that it reports; -ENOMEM. */
int wf_wg_text_read(const char *text, struct wf_wg_state *state);

/* ---- wireguard_go.c: the program ------------------------------------------------------------- */

/* Whether it is installed and has what it needs. -EOPNOTSUPP. */
int wf_wg_go_find(struct wf_err *err);
/* Starts it and waits until it answers. -EOPNOTSUPP: it is not installed. */
int wf_wg_go_start(const char *run_dir, const char *name, struct wf_err *err);
/* -ENODEV: nothing answers. */
int wf_wg_go_read(const char *run_dir, const char *name, struct wf_wg_state *state,
		  struct wf_err *err);
int wf_wg_go_set(const char *run_dir, const char *name, const struct wf_wg_plan *plan,
		 struct wf_err *err);
/* Takes its socket away, by which it ends. */
void wf_wg_go_end(const char *run_dir, const char *name);

/* ---- wireguard_kernel.c ---------------------------------------------------------------------- */

int wf_wg_kernel_read(struct wf_net *net, const char *name, struct wf_wg_state *state,
		      struct wf_err *err);
int wf_wg_kernel_set(struct wf_net *net, const char *name, const struct wf_wg_plan *plan,
		     struct wf_err *err);

#endif
