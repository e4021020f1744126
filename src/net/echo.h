/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo requests (ICMP, ICMPv6) and what comes back: answers, and what routers say of a size. One
 * socket for all who are asked in a family. It never waits; the owner's loop polls the descriptor.
 * Requests may not be fragmented on their way, and what the kernel believes of the path does not
 * hold them back (IP_PMTUDISC_PROBE). Answers to others' requests do not wake it.
 */
#ifndef WEFT_NET_ECHO_H
#define WEFT_NET_ECHO_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

struct wf_echo;

/* Bytes of the smallest request with its IP header. */
#define WF_ECHO_SMALL_IP4 84
#define WF_ECHO_SMALL_IP6 104

enum wf_echo_what {
	WF_ECHO_ANSWER,  /* came back from whom it was sent to */
	WF_ECHO_TOO_BIG, /* a router on the way cannot pass it on */
};

struct wf_echo_news {
	enum wf_echo_what what;
	struct wf_addr peer; /* whom the request was sent to */
	uint16_t seq;
	uint32_t tag; /* ANSWER: of the request */
	uint32_t mtu; /* TOO_BIG: what the router can pass on; 0: it does not say */
};

/*
 * A socket that asks from an address, which says the family too. -EPERM: needs CAP_NET_RAW;
 * -EAFNOSUPPORT, -EADDRNOTAVAIL.
 */
int wf_echo_open(const struct wf_addr *source, struct wf_echo **ret_echo, struct wf_err *err);
/* NULL-safe; nulls the pointer. */
void wf_echo_close(struct wf_echo **echo);
int wf_echo_fd(const struct wf_echo *echo);

/*
 * Sends a request of size bytes, IP header included, that carries a number and a tag. -EMSGSIZE:
 * the device cannot; others as sendto(2).
 */
int wf_echo_send(struct wf_echo *echo, const struct wf_addr *peer, uint16_t seq, uint32_t tag,
		 uint32_t size);

/* The MTU of the device that leads to an address; 0: none does now. Sends nothing. */
uint32_t wf_echo_device_mtu(struct wf_echo *echo, const struct wf_addr *peer);

/* What has come, one at a time: 1, or 0: nothing more. */
int wf_echo_receive(struct wf_echo *echo, struct wf_echo_news *ret_news);

#endif
