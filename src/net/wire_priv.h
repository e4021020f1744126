/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from other nodes, read apart from the sockets it comes by. Pure. */
#ifndef WEFT_NET_WIRE_PRIV_H
#define WEFT_NET_WIRE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ask.h"
#include "net/echo.h"

/* What nobody who is not on the way can know. */
#define WF_ECHO_COOKIE_BYTES 8

/* What answers are told by whose requests they are for. */
struct wf_echo_self {
	bool is_ip4;
	uint16_t id;
	uint8_t cookie[WF_ECHO_COOKIE_BYTES];
};

/*
 * A packet as a raw socket hands it out (IPv4: with its IP header) is an answer to one of our requests;
 * the peer is for the caller to add.
 */
bool wf_echo_read(const struct wf_echo_self *self, const uint8_t *bytes, size_t len,
		  struct wf_echo_news *ret_news);

/* The Internet checksum (RFC 1071) of what was summed up, over as many parts as there are. */
uint32_t wf_wire_sum(const void *bytes, size_t len, uint32_t sum);
uint16_t wf_wire_fold(uint32_t sum); /* to be inverted, unless somebody goes on with it */

#define WF_ASK_BYTES 24

/* A datagram is a question or an answer; the same. */
bool wf_ask_read(const void *bytes, size_t len, struct wf_ask_message *ret_message);
/* The bytes of one; its peer does not count. */
void wf_ask_write(const struct wf_ask_message *message, uint8_t ret_bytes[WF_ASK_BYTES]);

#endif
