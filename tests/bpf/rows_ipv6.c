/* SPDX-License-Identifier: Apache-2.0 */
/* IPv6 from containers, extension headers included; ND is in rows_nd.c. */
#include "rows.h"

#include <linux/in.h>
#include <linux/in6.h>

#define FROM_1_TO(ip) FROM_1, .in.src = "fd01::11", .in.dst = (ip), .in.dst_mac = MAC_HOST
#define CHAIN(first, text) \
	.in.first_next = (first), .in.extensions = (text), .in.extension_bytes = sizeof(text) - 1

/* Extension headers of 8 bytes; the first is the next header, as in the packet. */
#define PADDED(next)           next "\0\1\4\0\0\0\0" /* hop-by-hop or destination options, PadN */
#define JUMBO(next)            next "\0\xc2\4\0\1\x20\0"
#define ALERT(next)            next "\0\5\2\0\0\1\0"
#define FRAGMENT(next, offset) next "\0" offset "\0\0\0\7"
#define N_TCP                  "\x06"
#define N_UDP                  "\x11"
#define N_ICMP                 "\x3a"
#define N_HOP                  "\0"
#define N_ROUTING              "\x2b"
#define N_FRAGMENT             "\x2c"
#define N_DST                  "\x3c"

static const struct row rows[] = {
	{ "TCP to a neighbour", FROM_1, TCP6_1_2, .to = 2 },
	{ "TCP to itself", FROM_1, .in.src = "fd01::11", .in.dst = "fd01::11", .in.dst_mac = 1,
	  .to = 1 },
	{ "TCP from the further address", FROM_1, .in.src = "fd01::111", .in.dst = "fd01::12",
	  .in.dst_mac = 2, .to = 2 },
	{ "UDP to a neighbour", FROM_1, TCP6_1_2, .in.proto = IPPROTO_UDP, .to = 2 },
	{ "ping to a neighbour", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6, .in.type = 128,
	  .to = 2 },
	{ "packet too big to a neighbour", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6,
	  .in.type = 2, .to = 2 },
	{ "no next header", FROM_1, TCP6_1_2, .in.proto = IPPROTO_NONE, .in.length = EXPLICIT_ZERO,
	  .to = 2 },
	{ "hop-by-hop options pass", FROM_1, TCP6_1_2, CHAIN(IPPROTO_HOPOPTS, PADDED(N_TCP)),
	  .to = 2 },
	{ "more than 64 KiB with the jumbo option", FROM_1, TCP6_1_2, .gso = 1428,
	  .in.length = EXPLICIT_ZERO, CHAIN(IPPROTO_HOPOPTS, JUMBO(N_TCP)), .to = 2 },
	{ "more than 64 KiB without the jumbo option", FROM_1, TCP6_1_2, .gso = 1428,
	  .in.length = EXPLICIT_ZERO, .to = 2 },
	{ "destination options pass", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_DSTOPTS, PADDED(N_DST) PADDED(N_TCP)), .to = 2 },
	{ "routing header of type 2, used up", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_ROUTING, N_TCP "\0\2\0\0\0\0\0"), .to = 2 },
	{ "first fragment", FROM_1, TCP6_1_2, CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_TCP, "\0\1")),
	  .to = 2 },
	{ "later fragment", FROM_1, TCP6_1_2, CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_TCP, "\0\x41")),
	  .to = 2 },
	{ "later fragment of ICMPv6", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6, .in.type = 134,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_ICMP, "\0\x40")), .to = 2 },
	{ "first fragment of a ping", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6, .in.type = 128,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_ICMP, "\0\1")), .to = 2 },
	{ "five extension headers", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_HOPOPTS, PADDED(N_DST) PADDED(N_DST) PADDED(N_DST) PADDED(N_FRAGMENT)
					 FRAGMENT(N_TCP, "\0\0")),
	  .to = 2 },

	{ "ping to the gateway", FROM_1_TO("fd01::1"), .in.proto = IPPROTO_ICMPV6, .in.type = 128,
	  .to = WF_SLOT_HOST },
	{ "outside", FROM_1_TO("2001:db8::1"), .to = WF_SLOT_HOST },
	{ "endpoint of another network", FROM_1_TO("fd02::13"), .to = 3,
	  .out = &(const struct packet_spec){ .src_mac = MAC_RED,
					      .dst_mac = 3,
					      .src = "fd01::11",
					      .dst = "fd02::13" } },

	{ "header cut short", FROM_1, TCP6_1_2, .in.cut = 53, .reason = WF_REASON_MALFORMED_IPV6,
	  .is_native_only = true },
	{ "version 7", FROM_1, TCP6_1_2, .in.version = 7, .reason = WF_REASON_MALFORMED_IPV6 },
	{ "payload length beyond the frame", FROM_1, TCP6_1_2, .in.length = 21,
	  .reason = WF_REASON_MALFORMED_IPV6 },
	{ "payload length 0 of an ordinary packet", FROM_1, TCP6_1_2, .in.length = EXPLICIT_ZERO,
	  .reason = WF_REASON_MALFORMED_IPV6 },
	{ "jumbo option in an ordinary packet", FROM_1, TCP6_1_2, .in.length = EXPLICIT_ZERO,
	  CHAIN(IPPROTO_HOPOPTS, JUMBO(N_TCP)), .reason = WF_REASON_MALFORMED_IPV6 },
	{ "extension header beyond the packet", FROM_1, TCP6_1_2, .in.length = 4,
	  CHAIN(IPPROTO_DSTOPTS, PADDED(N_TCP)), .reason = WF_REASON_MALFORMED_IPV6 },
	{ "ICMPv6 cut short", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6, .in.type = 128,
	  .in.length = 7, .reason = WF_REASON_MALFORMED_IPV6 },

	{ "routing header of type 0", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_ROUTING, N_TCP "\0\0\0\0\0\0\0"), .reason = WF_REASON_EXTENSION_HEADER },
	{ "routing header with segments left", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_ROUTING, N_TCP "\0\4\1\0\0\0\0"), .reason = WF_REASON_SOURCE_ROUTE },
	{ "hop-by-hop options in second place", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_DSTOPTS, PADDED(N_HOP) PADDED(N_TCP)),
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "a chain of seven", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_DSTOPTS, PADDED(N_DST) PADDED(N_DST) PADDED(N_DST) PADDED(N_DST)
					 PADDED(N_DST) PADDED(N_DST) PADDED(N_TCP)),
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "two fragment headers", FROM_1, TCP6_1_2,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_FRAGMENT, "\0\1") FRAGMENT(N_TCP, "\0\1")),
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "first fragment without the whole chain", FROM_1, TCP6_1_2, .in.length = 12,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_DST, "\0\1") PADDED(N_ICMP)),
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "first fragment without all of TCP", FROM_1, TCP6_1_2, .in.length = 24,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_TCP, "\0\1")), .reason = WF_REASON_MALFORMED_IPV6 },

	{ "source of the neighbour", FROM_1, .in.src = "fd01::12", .in.dst = "fd01::1",
	  .reason = WF_REASON_SPOOFED_IP },
	{ "source of the gateway", FROM_1, .in.src = "fd01::1", .in.dst = "fd01::12",
	  .reason = WF_REASON_SPOOFED_IP },
	{ "source of 6to4", FROM_1, .in.src = "2002:a01:b::1", .in.dst = "fd01::12",
	  .reason = WF_REASON_SPOOFED_IP },
	{ "source of multicast", FROM_1, .in.src = "ff02::1", .in.dst = "fd01::12",
	  .reason = WF_REASON_SPOOFED_IP },
	{ "source :: to a neighbour", FROM_1, .in.src = "::", .in.dst = "fd01::12",
	  .reason = WF_REASON_SPOOFED_IP },
	{ "source mapped from the own IPv4 address", FROM_1, .in.src = "::ffff:10.1.0.11",
	  .in.dst = "fd01::12", .reason = WF_REASON_MARTIAN },
	{ "source mapped from the further IPv4 address", FROM_1, .in.src = "::ffff:10.1.0.111",
	  .in.dst = "fd01::12", .reason = WF_REASON_MARTIAN },
	{ "source of loopback", FROM_1, .in.src = "::1", .in.dst = "fd01::12",
	  .reason = WF_REASON_MARTIAN },
	{ "to an address mapped from the neighbour's", FROM_1_TO("::ffff:10.1.0.12"),
	  .reason = WF_REASON_MARTIAN },
	{ "to loopback", FROM_1_TO("::1"), .reason = WF_REASON_MARTIAN },
	{ "to ::", FROM_1_TO("::"), .reason = WF_REASON_MARTIAN },

	{ "link-local source", FROM_1, .in.src = "fe80::ff:fe00:1", .in.dst = "fd01::12",
	  .reason = WF_REASON_LINK_LOCAL },
	{ "to link-local", FROM_1_TO("fe80::ff:fe00:2"), .reason = WF_REASON_LINK_LOCAL },
	{ "multicast", FROM_1_TO("ff05::1"), .in.proto = IPPROTO_UDP,
	  .reason = WF_REASON_MULTICAST },
	{ "multicast without an address", FROM_1, .in.src = "::", .in.dst = "ff02::fb",
	  .in.proto = IPPROTO_UDP, .reason = WF_REASON_MULTICAST },
	{ "ping to all nodes", FROM_1_TO("ff02::1"), .in.proto = IPPROTO_ICMPV6, .in.type = 128,
	  .reason = WF_REASON_MULTICAST },
	{ "DHCPv6 server", FROM_1, TCP6_1_2, .in.proto = IPPROTO_UDP, .in.sport = 547,
	  .reason = WF_REASON_DHCP_SERVER },
	{ "DHCPv6 server from its link-local address", FROM_1, .in.src = "fe80::ff:fe00:1",
	  .in.dst = "fe80::ff:fe00:2", .in.proto = IPPROTO_UDP, .in.sport = 547,
	  .reason = WF_REASON_DHCP_SERVER },
	{ "DHCPv6 server behind destination options", FROM_1, TCP6_1_2, .in.proto = IPPROTO_UDP,
	  .in.sport = 547, CHAIN(IPPROTO_DSTOPTS, PADDED(N_UDP)), .reason = WF_REASON_DHCP_SERVER },

	{ "nobody in the own subnet", FROM_1_TO("fd01::99"), .reason = WF_REASON_NO_SUCH_ADDRESS },
	{ "to an isolated network", FROM_1_TO("fd03::14"), .reason = WF_REASON_NETWORK_ISOLATED },
	{ "from an internal network to outside", .slot = 5, .in.src_mac = 5, .in.src = "fd04::15",
	  .in.dst = "2001:db8::1", .reason = WF_REASON_NETWORK_INTERNAL },
	{ "in a network without IPv6", .slot = 6, .in.src_mac = 6, .in.src = "fd05::16",
	  .in.dst = "fd05::1", .reason = WF_REASON_FAMILY_DISABLED },
	{ "link-local in a network without IPv6", .slot = 6, .in.src_mac = 6,
	  .in.src = "fe80::ff:fe00:6", .in.dst = "ff02::fb", .in.proto = IPPROTO_UDP,
	  .reason = WF_REASON_FAMILY_DISABLED },

	{ "MLDv2 report", FROM_1, .in.src = "fe80::ff:fe00:1", .in.dst = "ff02::16",
	  .in.proto = IPPROTO_ICMPV6, .in.type = 143, CHAIN(IPPROTO_HOPOPTS, ALERT(N_ICMP)),
	  .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "MLDv2 report without an address", FROM_1, .in.src = "::", .in.dst = "ff02::16",
	  .in.proto = IPPROTO_ICMPV6, .in.type = 143, CHAIN(IPPROTO_HOPOPTS, ALERT(N_ICMP)),
	  .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "MLD query", FROM_1, .in.src = "fe80::ff:fe00:1", .in.dst = "ff02::1",
	  .in.proto = IPPROTO_ICMPV6, .in.type = 130, .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "router advertisement behind destination options", FROM_1, TCP6_1_2,
	  .in.proto = IPPROTO_ICMPV6, .in.type = 134, CHAIN(IPPROTO_DSTOPTS, PADDED(N_ICMP)),
	  .reason = WF_REASON_ROUTER_ADVERT },
	{ "router advertisement in a first fragment", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6,
	  .in.type = 134, CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_ICMP, "\0\1")),
	  .reason = WF_REASON_EXTENSION_HEADER },
	{ "router advertisement with a fragment header only", FROM_1, TCP6_1_2,
	  .in.proto = IPPROTO_ICMPV6, .in.type = 134,
	  CHAIN(IPPROTO_FRAGMENT, FRAGMENT(N_ICMP, "\0\0")), .reason = WF_REASON_EXTENSION_HEADER },
	{ "redirect behind a used-up routing header", FROM_1, TCP6_1_2, .in.proto = IPPROTO_ICMPV6,
	  .in.type = 137, CHAIN(IPPROTO_ROUTING, N_ICMP "\0\2\0\0\0\0\0"),
	  .reason = WF_REASON_ND_REDIRECT },
};

const struct row_table rows_ipv6 = ROW_TABLE(rows);
