/* SPDX-License-Identifier: Apache-2.0 */
/* What the host sends through weft0. */
#include "rows.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>

#define HOST     .slot = WF_SLOT_HOST, .in.src_mac = MAC_HOST, .in.dst_mac = MAC_HOST
#define TO(a, b) .in.src = (a), .in.dst = (b)

#define ARRIVED(from_mac, to_mac, a, b)                                             \
	&(const struct packet_spec)                                                 \
	{                                                                           \
		.src_mac = (from_mac), .dst_mac = (to_mac), .src = (a), .dst = (b), \
	}

static const struct row rows[] = {
	{ "TCP from the gateway", HOST, TO("10.1.0.1", "10.1.0.11"), .to = 1,
	  .out = ARRIVED(MAC_HOST, 1, "10.1.0.1", "10.1.0.11") },
	{ "TCP over IPv6 from the gateway", HOST, TO("fd01::1", "fd01::11"), .to = 1,
	  .out = ARRIVED(MAC_HOST, 1, "fd01::1", "fd01::11") },
	{ "to the further address", HOST, TO("10.1.0.1", "10.1.0.111"), .to = 1,
	  .out = ARRIVED(MAC_HOST, 1, "10.1.0.1", "10.1.0.111") },
	{ "to a network whose gateway has its own MAC", HOST, TO("10.2.0.1", "10.2.0.13"), .to = 3,
	  .out = ARRIVED(MAC_RED, 3, "10.2.0.1", "10.2.0.13") },
	{ "from outside", HOST, TO("192.0.2.1", "10.1.0.11"), .to = 1,
	  .out = ARRIVED(MAC_HOST, 1, "192.0.2.1", "10.1.0.11") },
	{ "from outside to an isolated network", HOST, TO("192.0.2.1", "10.3.0.14"), .to = 4,
	  .out = ARRIVED(MAC_HOST, 4, "192.0.2.1", "10.3.0.14") },
	{ "from a container of another network", HOST, TO("10.2.0.13", "10.1.0.11"), .to = 1,
	  .out = ARRIVED(MAC_HOST, 1, "10.2.0.13", "10.1.0.11") },
	{ "from a container of the same isolated network", HOST, TO("10.3.0.14", "10.3.0.14"),
	  .to = 4, .out = ARRIVED(MAC_HOST, 4, "10.3.0.14", "10.3.0.14") },
	{ "from its gateway to an internal network", HOST, TO("10.4.0.1", "10.4.0.15"), .to = 5,
	  .out = ARRIVED(MAC_HOST, 5, "10.4.0.1", "10.4.0.15") },
	{ "from its own subnet to an internal network", HOST, TO("10.4.0.77", "10.4.0.15"), .to = 5,
	  .out = ARRIVED(MAC_HOST, 5, "10.4.0.77", "10.4.0.15") },
	{ "more than 64 KiB from the gateway", HOST, TO("10.1.0.1", "10.1.0.11"), .gso = 1448,
	  .in.length = EXPLICIT_ZERO, .to = 1,
	  .out = &(const struct packet_spec){ .src_mac = MAC_HOST,
					      .dst_mac = 1,
					      .src = "10.1.0.1",
					      .dst = "10.1.0.11",
					      .length = EXPLICIT_ZERO } },

	{ "from a container to an isolated network", HOST, TO("10.1.0.11", "10.3.0.14"),
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "from a container of an isolated network", HOST, TO("10.3.0.14", "10.1.0.11"),
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "from a container of an internal network", HOST, TO("10.4.0.15", "10.1.0.11"),
	  .reason = WF_REASON_NETWORK_INTERNAL },
	{ "from outside to an internal network", HOST, TO("192.0.2.1", "10.4.0.15"),
	  .reason = WF_REASON_NETWORK_INTERNAL },
	{ "from another gateway to an internal network", HOST, TO("10.1.0.1", "10.4.0.15"),
	  .reason = WF_REASON_NETWORK_INTERNAL },
	{ "to nobody", HOST, TO("10.1.0.1", "10.1.0.99"), .reason = WF_REASON_NO_SUCH_ADDRESS },
	{ "to a gateway", HOST, TO("10.1.0.1", "10.2.0.1"), .reason = WF_REASON_NO_SUCH_ADDRESS },
	{ "to an endpoint not in service", HOST, TO("10.1.0.1", "10.1.0.18"),
	  .reason = WF_REASON_NOT_READY },
	{ "to a network that is not valid", HOST, TO("10.1.0.1", "10.7.0.19"),
	  .reason = WF_REASON_NO_NETWORK },
	{ "version 5", HOST, TO("10.1.0.1", "10.1.0.11"), .in.version = 5,
	  .reason = WF_REASON_MALFORMED_IPV4 },
	{ "source route", HOST, TO("192.0.2.1", "10.1.0.11"),
	  .in.options = "\x83\x07\x04\x0a\1\0\x0c", .in.option_bytes = 8,
	  .reason = WF_REASON_SOURCE_ROUTE },
	{ "multicast", HOST, TO("10.1.0.1", "224.0.0.251"), .in.proto = IPPROTO_UDP,
	  .reason = WF_REASON_MULTICAST },
	{ "broadcast", HOST, TO("10.1.0.1", "255.255.255.255"), .reason = WF_REASON_BROADCAST },
	{ "to an address mapped from an endpoint's", HOST, TO("fd01::1", "::ffff:10.1.0.11"),
	  .reason = WF_REASON_MARTIAN },
	{ "IGMP report", HOST, TO("10.1.0.1", "224.0.0.22"), .in.proto = IPPROTO_IGMP,
	  .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "MLD report", HOST, TO("fe80::1", "ff02::16"), .in.proto = IPPROTO_ICMPV6, .in.type = 143,
	  .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "router solicitation", HOST, TO("fe80::1", "ff02::2"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 133, .reason = WF_REASON_ROUTER_SOLICIT },
	{ "router advertisement", HOST, TO("fe80::1", "fd01::11"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 134, .reason = WF_REASON_ROUTER_ADVERT },
	{ "neighbour solicitation", HOST, TO("fe80::1", "ff02::1:ff00:11"),
	  .in.proto = IPPROTO_ICMPV6, .in.type = 135, .in.target = "fd01::11",
	  .reason = WF_REASON_ND_NO_TARGET },
	{ "neighbour advertisement", HOST, TO("fe80::1", "ff02::1"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 136, .in.target = "fd01::1", .reason = WF_REASON_NEIGHBOUR_ADVERT },
	{ "to link-local", HOST, TO("fe80::1", "fe80::ff:fe00:1"), .reason = WF_REASON_LINK_LOCAL },
	{ "ARP", HOST, .in.operation = 1, .in.sender_ip = "10.1.0.1", .in.target_ip = "10.1.0.11",
	  .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "frame with a VLAN tag", HOST, TO("10.1.0.1", "10.1.0.11"), .in.ethertype = ETH_P_8021Q,
	  .reason = WF_REASON_VLAN_TAGGED },
	{ "frame of LLDP", HOST, .in.ethertype = 0x88cc, .in.payload = 40,
	  .reason = WF_REASON_UNSUPPORTED_L3 },
};

const struct row_table rows_host = ROW_TABLE(rows);
