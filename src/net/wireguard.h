/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WireGuard devices of the node: the kernel's where it has them, else wireguard-go, a process of
 * its own on a tun device, which outlives the daemon as the kernel's device does. Which of the two
 * a device is makes no difference to callers.
 */
#ifndef WEFT_NET_WIREGUARD_H
#define WEFT_NET_WIREGUARD_H

#include "net/net.h"

#define WF_WG_KEY_BYTES 32
/* Devices of the node are called this and a digit, 0 or 1. */
#define WF_NET_WG_DEVICE "weft-wg"
/* Where wireguard-go has its sockets, below the run directory. */
#define WF_NET_WG_FOLDER "wireguard"

/* Another node, as a device shall know it, and (the rest) what the device says of it. */
struct wf_wg_peer {
	uint8_t key[WF_WG_KEY_BYTES]; /* public */
	struct wf_addr tunnel;        /* its own address inside; zero: none, or a range beside it */
	const struct wf_addr *bound;  /* what is taken from it beside that; borrowed, to be set */
	size_t bound_count;
	uint64_t bound_sum;      /* of what it has, by wf_wg_bound_add(); in any order */
	struct wf_addr endpoint; /* where it is; zero: not known */
	uint16_t port;
	uint16_t keepalive_s; /* 0: nothing is sent unasked */
	uint64_t handshake_s; /* of the last one, seconds since 1970; 0: none yet */
	uint64_t rx_bytes;
	uint64_t tx_bytes;
};

struct wf_wg_state {
	uint8_t key[WF_WG_KEY_BYTES]; /* private; zero: none */
	uint16_t port;
	struct wf_wg_peer *peers; /* owned; sorted by key */
	size_t peer_count, peer_capacity;
};
#define WF_WG_STATE_INIT  \
	{                 \
		.port = 0 \
	}
/* Also wipes the key. */
void wf_wg_state_done(struct wf_wg_state *state);

/* What a device shall be. Borrowed for the call. */
struct wf_wg_device {
	const char *name;
	const char *run_dir;
	uint8_t key[WF_WG_KEY_BYTES]; /* private */
	uint16_t port;
	uint32_t mtu;
	struct wf_addr address;   /* of this node, inside */
	struct wf_wg_peer *peers; /* sorted by the call */
	size_t peer_count;
};

/*
 * Makes the device what it shall be; peers that stay keep their sessions, and what is taken from
 * them goes from one to the other without a gap. -EEXIST: a foreign device has the name; -EOPNOTSUPP:
 * neither the kernel nor an installed program can; -EAGAIN: wireguard-go is starting, ask again soon;
 * -ETIMEDOUT: it is there and does not answer, what it has been told holds.
 */
int wf_net_wg_ensure(struct wf_net *net, const struct wf_wg_device *device, uint32_t *ret_ifindex,
		     struct wf_err *err);
/*
 * Takes addresses from a peer that the device has, and from no other; key NULL: from none. Small,
 * whatever the device has already. -ENODEV, -ETIMEDOUT as above.
 */
int wf_net_wg_bind(struct wf_net *net, const char *run_dir, const char *name, const uint8_t *key,
		   const struct wf_addr *addrs, size_t count, struct wf_err *err);
/* -ENODEV: there is no such device. *ret_state is the caller's. */
int wf_net_wg_read(struct wf_net *net, const char *run_dir, const char *name,
		   struct wf_wg_state *ret_state, struct wf_err *err);
/* Ends a device, and the process behind it. Missing is fine. */
int wf_net_wg_remove(struct wf_net *net, const char *run_dir, const char *name, struct wf_err *err);

/*
 * Whether such devices are possible, and whether in the kernel: a device is made there for a
 * moment. -EOPNOTSUPP: neither; the message says what to install.
 */
int wf_net_wg_possible(struct wf_net *net, bool *ret_in_kernel, struct wf_err *err);

/*
 * Leads a prefix into a device, from a source. Beside that there is always a route that refuses,
 * so that nothing for it ever takes another way. ifindex 0: only that one is left.
 */
int wf_net_wg_route(struct wf_net *net, const struct wf_prefix *prefix, uint32_t ifindex,
		    const struct wf_addr *source, struct wf_err *err);
/* Takes both away. */
int wf_net_wg_unroute(struct wf_net *net, const struct wf_prefix *prefix, struct wf_err *err);

/* Makes a private key. -ENOENT: libcrypto is not installed. */
int wf_net_wg_key_make(uint8_t ret_private[WF_WG_KEY_BYTES], struct wf_err *err);
/* The public key of a private one (X25519). */
int wf_net_wg_key_public(const uint8_t private[WF_WG_KEY_BYTES],
			 uint8_t ret_public[WF_WG_KEY_BYTES], struct wf_err *err);

#endif
