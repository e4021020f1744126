/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of WireGuard device share. */
#ifndef WEFT_NET_WIREGUARD_PRIV_H
#define WEFT_NET_WIREGUARD_PRIV_H

#include "base/str.h"
#include "net/wireguard.h"

#define WF_WG_PROGRAM      "wireguard-go"
#define WF_WG_PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define WF_WG_TUN_DEVICE   "/dev/net/tun"

/* Who has the addresses that nobody shall have, for the moment until he is removed. */
extern const uint8_t wf_wg_nobody[WF_WG_KEY_BYTES];

/* The steps from what a device is to what it shall be; order: removals first. */
struct wf_wg_change {
	const struct wf_wg_peer *peer; /* borrowed */
	bool is_removal;
	bool is_moved; /* what is taken from it is set anew: for a moment nothing is */
	bool is_more;  /* or addresses are added, which leave whoever had them */
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
/* Notes an address that a peer has beside its own. */
void wf_wg_bound_add(struct wf_wg_peer *peer, const struct wf_addr *addr);
/*
 * Both sorted. gentle: of what known peers have nothing is taken away, but by those who get it.
 * ret_rest: then something may be left to take away. -ENOMEM.
 */
int wf_wg_plan(const struct wf_wg_state *state, const struct wf_wg_device *device, bool gentle,
	       struct wf_wg_plan *ret_plan, bool *ret_rest);
void wf_wg_plan_done(struct wf_wg_plan *plan);

/* ---- wireguard_text.c: pure; the protocol of wireguard.com/xplatform ------------------------- */

/* The request that carries a plan out. */
void wf_wg_text_set(struct wf_str *text, const struct wf_wg_plan *plan);
/* The request that binds addresses to a peer; key NULL: to nobody. */
void wf_wg_text_bind(struct wf_str *text, const uint8_t *key, const struct wf_addr *addrs,
		     size_t count);
/*
 * Notes what a peer is said to have. Its own address is one of the tunnels'; anything but one of
 * those and whole addresses makes it not as it shall be. is_odd: false with each peer.
 */
void wf_wg_state_allow(struct wf_wg_peer *peer, const struct wf_prefix *prefix, bool *is_odd);
/* An answer to "get=1". -EBADMSG: it is none; a negative errno that it reports; -ENOMEM. */
int wf_wg_text_read(const char *text, struct wf_wg_state *state);

/* ---- wireguard_go.c: the program ------------------------------------------------------------- */

/* Whether it is installed and has what it needs. -EOPNOTSUPP. */
int wf_wg_go_find(struct wf_err *err);
/*
 * Starts it, unless that was done a moment ago (*started_ms, 0: never), and gives it a twentieth of a
 * second to answer. -EAGAIN: it does not yet; -EOPNOTSUPP: it is not installed.
 */
int wf_wg_go_start(const char *run_dir, const char *name, uint64_t *started_ms, struct wf_err *err);
/* Whether one that was started then may still need its time. */
bool wf_wg_go_is_starting(uint64_t started_ms);
/* -ENODEV: nothing answers; -ETIMEDOUT: not in time, which is a fifth of a second without a word. */
int wf_wg_go_read(const char *run_dir, const char *name, struct wf_wg_state *state,
		  struct wf_err *err);
int wf_wg_go_set(const char *run_dir, const char *name, const struct wf_wg_plan *plan,
		 struct wf_err *err);
int wf_wg_go_bind(const char *run_dir, const char *name, const uint8_t *key,
		  const struct wf_addr *addrs, size_t count, struct wf_err *err);
/* Takes its socket away, by which it ends. */
void wf_wg_go_end(const char *run_dir, const char *name);

/* -EOPNOTSUPP, with the words for it. */
int wf_wg_go_not_installed(struct wf_err *err);

/* ---- wireguard_launch.c ---------------------------------------------------------------------- */

/*
 * Starts the program for the device NAME; its sockets come to be in folder. It may serve a moment
 * later. -EOPNOTSUPP: not installed.
 */
int wf_wg_go_launch(const char *folder, const char *name, struct wf_err *err);

/* ---- wireguard_kernel.c ---------------------------------------------------------------------- */

int wf_wg_kernel_read(struct wf_net *net, const char *name, struct wf_wg_state *state,
		      struct wf_err *err);
int wf_wg_kernel_set(struct wf_net *net, const char *name, const struct wf_wg_plan *plan,
		     struct wf_err *err);
int wf_wg_kernel_bind(struct wf_net *net, const char *name, const uint8_t *key,
		      const struct wf_addr *addrs, size_t count, struct wf_err *err);

#endif
