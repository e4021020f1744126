/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams that find out who makes checksums inside the tunnel (net/sums.h). They are put onto the
 * host's own device as containers' packets are onto theirs, their checksum open or made, and from
 * there they take the programs' way; no netfilter of this host has seen them. What comes from others
 * is received by an ordinary UDP socket: whatever the kernel does not accept did not come.
 */
#ifndef WEFT_NET_SUMS_WIRE_H
#define WEFT_NET_SUMS_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct wf_ask_message;
struct wf_sums_wire;

/* Between whom; both of one family. */
struct wf_sums_ends {
	struct wf_addr from, to;
	uint32_t ifindex; /* of the host's own device */
	uint32_t mark;
};

/* Sockets; what comes is taken at a UDP port of any address. -EADDRINUSE, -EPERM. */
int wf_sums_wire_open(uint16_t port, struct wf_sums_wire **ret_wire, struct wf_err *err);
/* NULL-safe; nulls the pointer. */
void wf_sums_wire_close(struct wf_sums_wire **wire);
/* Readable when something came. */
int wf_sums_wire_fd(const struct wf_sums_wire *wire);

/* Sends one; the message's peer does not count. by_device: its checksum is left open. As sendto(2). */
int wf_sums_wire_send(struct wf_sums_wire *wire, const struct wf_sums_ends *ends,
		      const struct wf_ask_message *message, bool by_device);

/* What has come, one at a time: 1, or 0: nothing more. Who sent it is for the caller to judge. */
int wf_sums_wire_receive(struct wf_sums_wire *wire, struct wf_ask_message *ret_message);

#endif
