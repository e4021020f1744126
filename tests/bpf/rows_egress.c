/* SPDX-License-Identifier: Apache-2.0 */
/* The guard in front of containers; then all tables together. */
#include "rows.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>

#define INTO_1   .slot = 1, .egress = true, .in.src_mac = MAC_HOST, .in.dst_mac = 1
#define TO(a, b) .in.src = (a), .in.dst = (b)

static const struct row rows[] = {
	{ "TCP to the endpoint", INTO_1, TO("10.1.0.1", "10.1.0.11"), .to = 1 },
	{ "TCP over IPv6 to the endpoint", INTO_1, TO("fd01::1", "fd01::11"), .to = 1 },
	{ "TCP to its further address", INTO_1, TO("10.1.0.1", "10.1.0.111"), .to = 1 },
	{ "ping to the endpoint", INTO_1, TO("fd01::1", "fd01::11"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 128, .to = 1 },
	{ "TCP to the neighbour's address", INTO_1, TO("10.1.0.1", "10.1.0.12"),
	  .reason = WF_REASON_NOT_FOR_ENDPOINT },
	{ "TCP to outside", INTO_1, TO("10.1.0.1", "192.0.2.1"),
	  .reason = WF_REASON_NOT_FOR_ENDPOINT },
	{ "to an address mapped from its own", INTO_1, TO("fd01::1", "::ffff:10.1.0.11"),
	  .reason = WF_REASON_MARTIAN },
	{ "ARP of the host", INTO_1, .in.operation = 1, .in.sender_ip = "10.1.0.1",
	  .in.target_ip = "10.1.0.11", .reason = WF_REASON_NOT_FOR_ENDPOINT },
	{ "router advertisement to the endpoint", INTO_1, TO("fe80::1", "fd01::11"),
	  .in.proto = IPPROTO_ICMPV6, .in.type = 134, .reason = WF_REASON_ROUTER_ADVERT },
	{ "redirect to the endpoint", INTO_1, TO("fe80::1", "fd01::11"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 137, .reason = WF_REASON_ND_REDIRECT },
	{ "MLD report of the device", INTO_1, TO("fe80::1", "ff02::16"), .in.proto = IPPROTO_ICMPV6,
	  .in.type = 143, .reason = WF_REASON_GROUP_MEMBERSHIP },
	{ "multicast", INTO_1, TO("10.1.0.1", "224.0.0.251"), .in.proto = IPPROTO_UDP,
	  .reason = WF_REASON_MULTICAST },
	{ "frame with a VLAN tag", INTO_1, TO("10.1.0.1", "10.1.0.11"), .in.ethertype = ETH_P_8021Q,
	  .reason = WF_REASON_VLAN_TAGGED },
	{ "version 5", INTO_1, TO("10.1.0.1", "10.1.0.11"), .in.version = 5,
	  .reason = WF_REASON_MALFORMED_IPV4 },
	{ "from a container of an isolated network", INTO_1, TO("10.3.0.14", "10.1.0.11"),
	  .reason = WF_REASON_NETWORK_ISOLATED },
	{ "endpoint not in service", .slot = 8, .egress = true, TO("10.1.0.1", "10.1.0.18"),
	  .reason = WF_REASON_NOT_READY },
	{ "endpoint of a network that is not valid", .slot = 9, .egress = true,
	  TO("10.7.0.1", "10.7.0.19"), .reason = WF_REASON_NO_NETWORK },
	{ "free slot", .slot = 10, .egress = true, TO("10.1.0.1", "10.1.0.20"),
	  .reason = WF_REASON_NO_ENDPOINT },
	{ "foreign device", .slot = SLOT_FOREIGN, .egress = true, TO("10.1.0.1", "10.1.0.11"),
	  .reason = WF_REASON_NO_ENDPOINT },
	{ "out of weft0p", .slot = WF_SLOT_HOST, .egress = true, TO("10.1.0.1", "10.1.0.11"),
	  .reason = WF_REASON_NOT_FOR_ENDPOINT },
	{ "router solicitation out of weft0p", .slot = WF_SLOT_HOST, .egress = true,
	  TO("fe80::1", "ff02::2"), .in.proto = IPPROTO_ICMPV6, .in.type = 133,
	  .reason = WF_REASON_ROUTER_SOLICIT },
};

const struct row_table rows_egress = ROW_TABLE(rows);

const struct row_table *const row_tables[] = {
	&rows_arp, &rows_ipv4, &rows_ipv6, &rows_nd, &rows_host, &rows_egress,
};
const size_t row_table_count = sizeof(row_tables) / sizeof(row_tables[0]);
