/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from a description: for the tests of the programs, the native tests of their logic and
 * the benchmark. What a description leaves out is what an honest sender would write.
 */
#ifndef WEFT_TESTS_BPF_PACKET_H
#define WEFT_TESTS_BPF_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX_BYTES 2048

/* A MAC in short: 02:00:00:00:hi:lo. Endpoints have their slot, gateways 0xff00 and up. */
#define MAC_NONE      0
#define MAC_BROADCAST 0xffff
#define MAC_ALL_NODES 0xfffe /* 33:33:00:00:00:01 */

/* Marks a field of a description that shall be 0 although 0 means "default". */
#define EXPLICIT_ZERO 0x10000

struct packet_spec {
	/* Ethernet */
	uint16_t src_mac;
	uint16_t dst_mac;
	uint16_t ethertype; /* 0: from the addresses */

	/* IP of either family, by how the text looks */
	const char *src;
	const char *dst;
	uint8_t proto;        /* 0: TCP */
	uint8_t ttl;          /* 0: 64, for ND 255 */
	uint32_t length;      /* of the header's total or payload length field; EXPLICIT_ZERO */
	uint8_t version;      /* nibble of the header; 0: right */
	uint8_t header_words; /* IPv4: nibble of the header; 0: right */
	uint16_t fragment;    /* IPv4: flags and offset; IPv6: of a fragment header, see below */
	const char *options;  /* IPv4 options, option_bytes of them, a multiple of 4 */
	size_t option_bytes;
	uint8_t first_next;     /* IPv6: next header of the fixed header; 0: proto */
	const char *extensions; /* IPv6: raw extension headers, chained by the writer */
	size_t extension_bytes;

	/* transport */
	uint16_t sport;    /* 0: 40000 */
	uint16_t dport;    /* 0: 80 */
	uint8_t tcp_flags; /* 0: ACK */
	uint8_t type;      /* ICMP, ICMPv6 */
	uint8_t code;
	size_t payload; /* bytes behind the transport header */

	/* ND: solicitation (135) or advertisement (136) with this target */
	const char *target;
	uint32_t nd_flags;
	uint16_t option_mac;  /* of a link-layer address option; MAC_NONE: no option */
	uint8_t option_kind;  /* 0: source for 135, target for 136 */
	uint8_t option_units; /* 0: 1; EXPLICIT is 0xff for 0 */

	/* ARP, when `operation` is set */
	uint16_t operation;
	uint16_t sender_mac;
	uint16_t target_mac;
	const char *sender_ip;
	const char *target_ip;
	uint16_t hardware; /* 0: Ethernet */

	size_t cut; /* bytes of the frame that are sent; 0: all */
	size_t pad; /* zero bytes behind the packet */
};

struct packet {
	uint8_t bytes[PACKET_MAX_BYTES];
	size_t len;
};

/* Builds; asserts that it fits. */
void packet_build(const struct packet_spec *spec, struct packet *ret_packet);

/* Expands a MAC. */
void packet_mac(uint16_t brief, uint8_t ret_mac[6]);

/* Appends a classic pcap file of one packet, for a look with tcpdump or wireshark. */
void packet_write_pcap(const char *path, const struct packet *packet);

#endif
