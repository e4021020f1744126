/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions between nodes, and answers: UDP datagrams of one size, whether somebody has all changes up
 * to a revision, or whether the question came at all. An answer is as large as its question, so
 * nobody is made to send more than was sent. The socket never waits; the owner's loop polls the
 * descriptor.
 *
 * What is on the wire, in network byte order: "weft", the version 1, what it is, two bytes of zero,
 * the cookie, the revision.
 */
#ifndef WEFT_NET_ASK_H
#define WEFT_NET_ASK_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct wf_ask;

enum wf_ask_what {
	WF_ASK_QUESTION = 1, /* have you everything up to this revision? */
	WF_ASK_ANSWER = 2,   /* I have */
	WF_ASK_PROBE = 3,    /* does this come through the tunnel? (net/sums_wire.h) */
	WF_ASK_CAME = 4,     /* it did */
};

struct wf_ask_message {
	enum wf_ask_what what;
	struct wf_addr peer; /* whom it goes to, or came from */
	uint64_t cookie;     /* the asker's choice; an answer repeats it */
	uint64_t revision;   /* of a probe: the asker's choice, too */
};

/* A socket at an address, which says the family too, and a port: of all nodes the same. */
int wf_ask_open(const struct wf_addr *own, uint16_t port, struct wf_ask **ret_ask,
		struct wf_err *err);
/* NULL-safe; nulls the pointer. */
void wf_ask_close(struct wf_ask **ask);
int wf_ask_fd(const struct wf_ask *ask);

/* Sends one; what cannot be sent now is lost, as on the wire. As sendto(2). */
int wf_ask_send(struct wf_ask *ask, const struct wf_ask_message *message);

/* What has come, one at a time: 1, or 0: nothing more. Who sent it is for the caller to judge. */
int wf_ask_receive(struct wf_ask *ask, struct wf_ask_message *ret_message);

#endif
