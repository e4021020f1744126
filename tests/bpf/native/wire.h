/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Complete packets from a description, with every checksum made anew by the simplest possible
 * code: what a translated packet is compared with.
 */
#ifndef WEFT_TESTS_BPF_WIRE_H
#define WEFT_TESTS_BPF_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

#define WIRE_MAX_BYTES 70000

struct wire_spec {
	const char *src; /* text; says the family */
	const char *dst;
	uint8_t proto;
	uint16_t sport; /* ICMP without `quoted`: the identifier of an echo */
	uint16_t dport;
	uint8_t type; /* ICMP */
	uint8_t code;
	uint8_t tcp_flags;
	size_t payload;        /* bytes behind the transport header */
	bool bare;             /* without Ethernet header */
	bool no_check;         /* UDP, SCTP: the checksum is 0 */
	bool partial;          /* TCP, UDP: the checksum is that of the pseudo header */
	bool zero_sum;         /* UDP: payload that makes the sum 0, so that it is sent as 0xffff */
	uint8_t option_bytes;  /* IPv4: of no operation */
	size_t fragment_at;    /* offset of this fragment in the datagram, in bytes */
	size_t fragment_bytes; /* of this fragment; 0: not fragmented */
	uint32_t id;           /* of a fragmented packet */

	const struct wire_spec *quoted; /* ICMP errors: the packet inside */
	size_t quote_bytes;             /* of it from its IP header on; 0: all */
	uint16_t mtu;
};

struct wire {
	uint8_t bytes[WIRE_MAX_BYTES];
	size_t len;
	size_t l3; /* offset of the IP header */
};

/* Builds; asserts that it fits. */
void wire_build(const struct wire_spec *spec, struct wire *ret_wire);

/* The tuple under which the described packet is known, site WF_SITE_EDGE. */
void wire_tuple(const struct wire_spec *spec, struct wf_tuple *ret_tuple);

/* The sum of bytes, folded, not complemented. */
uint32_t wire_sum(const uint8_t *bytes, size_t len);

/* Whether all checksums of a whole IP packet of TCP, UDP, SCTP or ICMP are right. */
bool wire_is_right(const uint8_t *packet, size_t len);

/* CRC32c, bit by bit. */
uint32_t wire_crc32c(const uint8_t *bytes, size_t len);

#endif
