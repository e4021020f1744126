/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encryption between nodes: WireGuard below the overlay. Each node has a device for its key, all
 * other nodes as peers of it, and each peer one address that follows from its key; what is sent to
 * that address is encrypted for that node, and what comes from there is of that node. While a key
 * is changed there are two devices: see encrypt_rotate.c.
 */
#ifndef WEFT_CONTROL_ENCRYPT_PRIV_H
#define WEFT_CONTROL_ENCRYPT_PRIV_H

#include <event2/event.h>

#include "model/node.h"
#include "net/wireguard.h"

struct wf_control;
struct ctl_node;
struct ctl_remote;

/* One of this node's keys and the device that has it. */
struct ctl_tunnel {
	uint8_t key[WF_WG_KEY_BYTES]; /* private: never logged, never in the store */
	struct wf_node_tunnel public;
	uint32_t digit;   /* of the device's name: 0 or 1 */
	uint32_t ifindex; /* 0: the device is not there */
	uint64_t made_s;  /* since 1970 */
	uint64_t used_s;  /* since when in place of another key; 0: it is the first */
};

enum ctl_rotation {
	CTL_ROTATION_NONE,
	CTL_ROTATION_NEXT,   /* the second key is made known and not used yet */
	CTL_ROTATION_FORMER, /* the second key is not used any more, but still taken */
};

struct ctl_encrypt {
	struct ctl_tunnel own[WF_MAX_TUNNELS]; /* the one in use first */
	size_t count;                          /* 0: no key yet */
	enum ctl_rotation rotation;
	bool is_on;              /* the device in use works */
	unsigned int late_count; /* looks in a row at which it did not answer in time */
	bool is_swept;           /* no device is there that shall not be */
	bool is_requested;       /* somebody asked for another key */
	uint64_t since_ms;       /* when the rotation came to where it is */
	uint64_t quiet_ms;       /* since when nothing has come with the former key */
	uint64_t rx_bytes;       /* that had come by then */
	uint64_t not_before_ms;  /* after one that failed */
	bool has_ports;          /* the datapath knows which ports are excepted */
	char published[WF_NODE_TUNNELS_TEXT]; /* what the store says of this node */
	bool published_hosts;
	char problem[640]; /* "" when it works */
	struct event *timer;
};

/* ---- encrypt.c ------------------------------------------------------------------------------ */

/* Devices, routes and tables as they shall be. What fails is logged and tried again. */
void wf_ctl_encrypt_sync(struct wf_control *control);
/* The same, soon, once for many changes. */
void wf_ctl_encrypt_touch(struct wf_control *control);
/* The same after so long. */
void wf_ctl_encrypt_wake(struct wf_control *control, uint64_t ms);
void wf_ctl_encrypt_stop(struct wf_control *control);
/* What another node says of its tunnels. -EADDRINUSE: they are another one's. */
int wf_ctl_encrypt_learn(struct wf_control *control, struct ctl_node *node,
			 const struct wf_node *spec, struct wf_err *err);
/* What the store says of this one, by somebody else's hand. */
void wf_ctl_encrypt_learn_self(struct wf_control *control, const json_t *document);
/* What this node's document shall say; and that it does. */
const char *wf_ctl_encrypt_text(const struct wf_control *control, char buf[WF_NODE_TUNNELS_TEXT]);
void wf_ctl_encrypt_published(struct wf_control *control);
/* Bytes that an encrypted network's packets have more on the wire than in the container. */
uint32_t wf_ctl_encrypt_bytes(const struct wf_control *control);
/* Bytes of the largest packet that WireGuard carries in one of `mtu` bytes: it fills up what it carries. */
uint32_t wf_ctl_inside_mtu(const struct wf_control *control, uint32_t mtu);
/* Whether a device is one of encryption's. */
bool wf_ctl_encrypt_has(const struct wf_control *control, uint32_t ifindex);
/* Name of the device of a tunnel. Returns buf. */
char *wf_ctl_tunnel_name(uint32_t digit, char buf[16]);
/* The peer of a device that has a key; NULL: none. */
const struct wf_wg_peer *wf_ctl_tunnel_peer(const struct wf_wg_state *state,
					    const struct wf_node_tunnel *tunnel);

/* ---- encrypt_bind.c: which packets WireGuard gets as they are ------------------------------- */

/*
 * Whether containers' packets go into WireGuard as they are. Not while a key is new: others may not
 * have bound the addresses to it yet.
 */
bool wf_ctl_is_bare(const struct wf_control *control);
/* How long until that may be so, in ms; 0: it is. */
uint64_t wf_ctl_bare_wait(const struct wf_control *control);
/* Addresses that a node's key is to have, of its endpoints in encrypted networks. Returns how many. */
size_t wf_ctl_bound_list(struct wf_control *control, const struct ctl_node *node,
			 struct wf_addr *ret_addrs);
/* No fewer than all nodes' have in all. */
size_t wf_ctl_bound_room(const struct wf_control *control);
/* The devices have all of them: the datapath is told. */
int wf_ctl_bound_all(struct wf_control *control, struct wf_err *err);
/*
 * An endpoint is new on its node, or leaves: only its addresses are told to the devices. What fails is
 * made good by the next wf_ctl_encrypt_sync(), and until then its packets get outer headers.
 */
void wf_ctl_bind(struct wf_control *control, struct ctl_remote *remote);
void wf_ctl_unbind(struct wf_control *control, struct ctl_remote *remote);

/* ---- encrypt_hosts.c: what hosts send each other -------------------------------------------- */

/* Whether this node says that it encrypts what its host and others that say so send each other. */
bool wf_ctl_hosts_said(const struct wf_control *control);
/* Whether it is so with another node: both say it. */
bool wf_ctl_is_sealed(const struct wf_control *control, const struct ctl_node *node);
/* The datapath has all nodes with which it is so, and no others. */
int wf_ctl_seals_sync(struct wf_control *control, struct wf_err *err);

/* ---- encrypt_key.c: the file in the state directory ----------------------------------------- */

#define CTL_KEY_FILE "wireguard.keys"

/* Reads the keys, or makes the first one. */
int wf_ctl_keys_load(struct wf_control *control, struct wf_err *err);
int wf_ctl_keys_save(const struct wf_control *control, struct wf_err *err);
/* A new key for the device that is not in use. */
int wf_ctl_key_make(const struct wf_control *control, uint32_t digit, struct ctl_tunnel *ret_tunnel,
		    struct wf_err *err);

/* ---- encrypt_rotate.c ----------------------------------------------------------------------- */

/* The next step of changing the key, if it is time for one. True: something is different. */
bool wf_ctl_encrypt_step(struct wf_control *control);
/* How long until the next step, in ms; 0: none is to come. */
uint64_t wf_ctl_encrypt_next(const struct wf_control *control);

/* ---- encrypt_view.c ------------------------------------------------------------------------- */

/* Adds to items of the list of nodes what is known of their encryption. */
void wf_ctl_encrypt_view(struct wf_control *control, json_t *items);
void wf_ctl_encrypt_metrics(struct wf_control *control, struct wf_str *out);

#endif
