/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A netlink socket: requests with their acknowledgements, and dumps. Called by src/net; knows
 * nothing of links, routes or sockets.
 *
 * The kernel carries requests out while they are being sent, in their order, each on its own: a
 * batch is no transaction, what follows a failed message is still tried. Only the last message
 * of a send asks for an acknowledgement; errors come unasked and carry the number of their
 * message, so silence up to the last acknowledgement means that all others succeeded.
 */
#ifndef WEFT_NETLINK_SOCKET_H
#define WEFT_NETLINK_SOCKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netlink/batch.h"
#include "netlink/read.h"

/* Longest explanation of the kernel that is kept. */
#define WF_NETLINK_TEXT 160

struct wf_netlink_socket {
	int fd; /* owned */
	uint32_t sequence;
};

#define WF_NETLINK_SOCKET_INIT \
	{                      \
		.fd = -1       \
	}

/* The first message of a batch that failed. */
struct wf_netlink_failure {
	size_t index;               /* of the message, SIZE_MAX: the socket itself failed */
	int code;                   /* negative errno */
	char text[WF_NETLINK_TEXT]; /* the kernel's explanation, "" when it gives none */
};

/* Opens a route netlink socket in the network namespace of the calling thread. */
int wf_netlink_open(struct wf_netlink_socket *ret_socket, struct wf_err *err);
/* The same for another NETLINK_* protocol. */
int wf_netlink_open_protocol(int protocol, struct wf_netlink_socket *ret_socket,
			     struct wf_err *err);
void wf_netlink_close(struct wf_netlink_socket *netlink);

/* Called with each answer that is not an acknowledgement. Borrowed for the call. */
typedef void (*wf_netlink_fn)(const struct nlmsghdr *message, void *context);

/*
 * Sends all messages of the batch and waits for their answers; the batch stays as it is. visit
 * (may be NULL) gets replies (of GET and NLM_F_ECHO requests). Returns 0 when every message
 * succeeded or failed in its tolerated way, else the error of the first that did not, which
 * *ret_failure (may be NULL) describes. err gets "Text of errno (kernel's explanation)".
 */
int wf_netlink_transact(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
			wf_netlink_fn visit, void *context, struct wf_netlink_failure *ret_failure,
			struct wf_err *err);

/*
 * Sends the one message of the batch as a dump request and visits every answer. When the kernel
 * says that the dump was interrupted by a change it starts again, so answers are gathered first
 * and visited at the end: the caller sees one consistent state. -EAGAIN when changes do not stop.
 */
int wf_netlink_dump(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		    wf_netlink_fn visit, void *context, struct wf_err *err);

#endif
