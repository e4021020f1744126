/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour discovery from containers. */
#include "rows.h"

#include <linux/in.h>
#include <linux/in6.h>

#define LOCAL_1   "fe80::ff:fe00:1"
#define ROUTER    0x80000000U
#define SOLICITED 0x40000000U
#define OVERRIDE  0x20000000U

#define ICMP6(number) .in.proto = IPPROTO_ICMPV6, .in.type = (number)
#define SOLICIT(from, to, whom)                                                            \
	FROM_1, ICMP6(135), .in.dst_mac = MAC_BROADCAST, .in.src = (from), .in.dst = (to), \
			    .in.target = (whom)

#define ADVERT(mac, to_mac, to, whom, bits)                                                  \
	&(const struct packet_spec)                                                          \
	{                                                                                    \
		.src_mac = (mac), .dst_mac = (to_mac), .src = (whom), .dst = (to),           \
		.proto = IPPROTO_ICMPV6, .type = 136, .target = (whom), .option_mac = (mac), \
		.nd_flags = (bits),                                                          \
	}

static const struct row rows[] = {
	{ "solicitation for a neighbour", SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"),
	  .in.option_mac = 1, .to = TO_SELF,
	  .out = ADVERT(2, 1, "fd01::11", "fd01::12", SOLICITED | OVERRIDE) },
	{ "solicitation for the gateway", SOLICIT("fd01::11", "ff02::1:ff00:1", "fd01::1"),
	  .in.option_mac = 1, .to = TO_SELF,
	  .out = ADVERT(MAC_HOST, 1, "fd01::11", "fd01::1", ROUTER | SOLICITED | OVERRIDE) },
	{ "solicitation from the link-local address",
	  SOLICIT(LOCAL_1, "ff02::1:ff00:12", "fd01::12"), .in.option_mac = 1, .to = TO_SELF,
	  .out = ADVERT(2, 1, LOCAL_1, "fd01::12", SOLICITED | OVERRIDE) },
	{ "solicitation from the further address",
	  SOLICIT("fd01::111", "ff02::1:ff00:12", "fd01::12"), .in.option_mac = 1, .to = TO_SELF,
	  .out = ADVERT(2, 1, "fd01::111", "fd01::12", SOLICITED | OVERRIDE) },
	{ "solicitation to the neighbour itself", SOLICIT("fd01::11", "fd01::12", "fd01::12"),
	  .to = TO_SELF, .out = ADVERT(2, 1, "fd01::11", "fd01::12", SOLICITED | OVERRIDE) },
	{ "solicitation with a nonce shrinks to the answer",
	  SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"), .in.option_mac = 1,
	  .in.option_kind = 14, .in.option_units = 3, .in.payload = 16, .to = TO_SELF,
	  .out = ADVERT(2, 1, "fd01::11", "fd01::12", SOLICITED | OVERRIDE) },
	{ "probe for an address another has", SOLICIT("::", "ff02::1:ff00:12", "fd01::12"),
	  .to = TO_SELF, .out = ADVERT(2, MAC_ALL_NODES, "ff02::1", "fd01::12", OVERRIDE) },
	{ "probe for the gateway's address", SOLICIT("::", "ff02::1:ff00:1", "fd01::1"),
	  .to = TO_SELF,
	  .out = ADVERT(MAC_HOST, MAC_ALL_NODES, "ff02::1", "fd01::1", ROUTER | OVERRIDE) },

	{ "probe for the own address", SOLICIT("::", "ff02::1:ff00:11", "fd01::11"),
	  .reason = WF_REASON_ND_NO_TARGET },
	{ "probe for the own link-local address", SOLICIT("::", "ff02::1:ff00:1", LOCAL_1),
	  .reason = WF_REASON_ND_NO_TARGET },
	{ "solicitation for nobody", SOLICIT("fd01::11", "ff02::1:ff00:99", "fd01::99"),
	  .in.option_mac = 1, .reason = WF_REASON_ND_NO_TARGET },
	{ "solicitation for another network", SOLICIT("fd01::11", "ff02::1:ff00:13", "fd02::13"),
	  .reason = WF_REASON_ND_NO_TARGET },
	{ "solicitation for an endpoint not in service",
	  SOLICIT("fd01::11", "ff02::1:ff00:18", "fd01::18"), .reason = WF_REASON_ND_NO_TARGET },

	{ "solicitation with a hop limit of 254",
	  SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"), .in.ttl = 254,
	  .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation with a code", SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"),
	  .in.code = 1, .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation for a multicast address", SOLICIT("fd01::11", "ff02::1", "ff02::1"),
	  .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation for a mapped address",
	  SOLICIT("fd01::11", "ff02::1:ff00:c", "::ffff:10.1.0.12"),
	  .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation cut short", SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"),
	  .in.length = 23, .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation with an option of no length",
	  SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"), .in.option_mac = 1,
	  .in.option_units = 0xff, .reason = WF_REASON_MALFORMED_ND },
	{ "solicitation with an option beyond the packet",
	  SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"), .in.option_mac = 1,
	  .in.option_units = 2, .reason = WF_REASON_MALFORMED_ND },
	{ "probe with a source MAC option", SOLICIT("::", "ff02::1:ff00:12", "fd01::12"),
	  .in.option_mac = 1, .reason = WF_REASON_MALFORMED_ND },
	{ "probe to a unicast address", SOLICIT("::", "fd01::12", "fd01::12"),
	  .reason = WF_REASON_MALFORMED_ND },

	{ "solicitation from the neighbour's address",
	  SOLICIT("fd01::12", "ff02::1:ff00:1", "fd01::1"), .reason = WF_REASON_SPOOFED_ND },
	{ "solicitation from another's link-local address",
	  SOLICIT("fe80::ff:fe00:2", "ff02::1:ff00:1", "fd01::1"), .reason = WF_REASON_SPOOFED_ND },
	{ "solicitation with another's MAC as option",
	  SOLICIT("fd01::11", "ff02::1:ff00:1", "fd01::1"), .in.option_mac = 2,
	  .reason = WF_REASON_SPOOFED_ND },
	{ "advertisement for the gateway", FROM_1, ICMP6(136), .in.src = "fd01::11",
	  .in.dst = "fd01::12", .in.target = "fd01::1", .in.option_mac = 1,
	  .reason = WF_REASON_SPOOFED_ND },
	{ "advertisement for the own address", FROM_1, ICMP6(136), .in.src = "fd01::11",
	  .in.dst = "ff02::1", .in.target = "fd01::11", .in.option_mac = 1,
	  .reason = WF_REASON_NEIGHBOUR_ADVERT },
	{ "advertisement for the own link-local address", FROM_1, ICMP6(136), .in.src = LOCAL_1,
	  .in.dst = "ff02::1", .in.target = LOCAL_1, .in.option_mac = 1,
	  .reason = WF_REASON_NEIGHBOUR_ADVERT },
	{ "advertisement cut short", FROM_1, ICMP6(136), .in.src = "fd01::11", .in.dst = "ff02::1",
	  .in.target = "fd01::11", .in.length = 20, .reason = WF_REASON_MALFORMED_ND },
	{ "router advertisement", FROM_1, ICMP6(134), .in.src = LOCAL_1, .in.dst = "ff02::1",
	  .in.ttl = 255, .reason = WF_REASON_ROUTER_ADVERT },
	{ "router advertisement to a neighbour", FROM_1, TCP6_1_2, ICMP6(134),
	  .reason = WF_REASON_ROUTER_ADVERT },
	{ "router solicitation", FROM_1, ICMP6(133), .in.src = LOCAL_1, .in.dst = "ff02::2",
	  .reason = WF_REASON_ROUTER_SOLICIT },
	{ "redirect", FROM_1, TCP6_1_2, ICMP6(137), .reason = WF_REASON_ND_REDIRECT },
	{ "solicitation behind destination options",
	  SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"), .in.first_next = IPPROTO_DSTOPTS,
	  .in.extensions = "\x3a\0\1\4\0\0\0", .in.extension_bytes = 8,
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "solicitation with a fragment header", SOLICIT("fd01::11", "ff02::1:ff00:12", "fd01::12"),
	  .in.first_next = IPPROTO_FRAGMENT, .in.extensions = "\x3a\0\0\0\0\0\0\7",
	  .in.extension_bytes = 8, .reason = WF_REASON_EXTENSION_HEADER },
	{ "solicitation in a network without IPv6", .slot = 6, .in.src_mac = 6, ICMP6(135),
	  .in.src = "fe80::ff:fe00:6", .in.dst = "ff02::1:ff00:1", .in.target = "fd05::1",
	  .reason = WF_REASON_FAMILY_DISABLED },
	{ "solicitation in a network that is not valid", .slot = 9, .in.src_mac = 9, ICMP6(135),
	  .in.src = "fd07::19", .in.dst = "ff02::1:ff00:1", .in.target = "fd07::1",
	  .reason = WF_REASON_NO_NETWORK },
};

const struct row_table rows_nd = ROW_TABLE(rows);
