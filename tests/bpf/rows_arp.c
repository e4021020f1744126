/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and ARP. */
#include "rows.h"

#include <linux/if_ether.h>

#define REQUEST                                                                     \
	FROM_1, .in.dst_mac = MAC_BROADCAST, .in.operation = 1, .in.sender_mac = 1, \
		.in.sender_ip = "10.1.0.11"

#define REPLY(mac, ip)                                                               \
	&(const struct packet_spec)                                                  \
	{                                                                            \
		.dst_mac = 1, .src_mac = (mac), .operation = 2, .sender_mac = (mac), \
		.sender_ip = (ip), .target_mac = 1, .target_ip = "10.1.0.11",        \
	}

static const struct row rows[] = {
	{ "frame on a foreign device", .slot = SLOT_FOREIGN, .in.src_mac = 1, TCP4_1_2,
	  .reason = WF_REASON_NO_ENDPOINT },
	{ "frame on a free slot's device", .slot = 10, .in.src_mac = 10, TCP4_1_2,
	  .reason = WF_REASON_NO_ENDPOINT },
	{ "frame from an endpoint not in service", .slot = 8, .in.src_mac = 8,
	  .in.src = "10.1.0.18", .in.dst = "10.1.0.12", .reason = WF_REASON_NOT_READY },
	{ "frame of 13 bytes", FROM_1, TCP4_1_2, .in.cut = 13, .reason = WF_REASON_MALFORMED_L2,
	  .is_native_only = true },
	{ "frame with a VLAN tag", FROM_1, TCP4_1_2, .in.ethertype = ETH_P_8021Q,
	  .reason = WF_REASON_VLAN_TAGGED },
	{ "frame with a service tag", FROM_1, TCP4_1_2, .in.ethertype = ETH_P_8021AD,
	  .reason = WF_REASON_VLAN_TAGGED },
	{ "frame of LLDP", FROM_1, .in.ethertype = 0x88cc, .in.payload = 40,
	  .reason = WF_REASON_UNSUPPORTED_L3 },
	{ "frame of 802.3", FROM_1, .in.ethertype = 0x0010, .in.payload = 40,
	  .reason = WF_REASON_UNSUPPORTED_L3 },
	{ "frame of EtherType 0", FROM_1, .in.payload = 40, .in.src_mac = 1, .in.ethertype = 0x0001,
	  .reason = WF_REASON_UNSUPPORTED_L3 },
	{ "frame with the MAC of another", .slot = 1, .in.src_mac = 2, TCP4_1_2,
	  .reason = WF_REASON_SPOOFED_MAC },
	{ "ARP with the frame MAC of another", REQUEST, .in.src_mac = 2,
	  .in.target_ip = "10.1.0.12", .reason = WF_REASON_SPOOFED_MAC },

	{ "ARP for a neighbour", REQUEST, .in.target_ip = "10.1.0.12", .to = TO_SELF,
	  .out = REPLY(2, "10.1.0.12") },
	{ "ARP for the gateway", REQUEST, .in.target_ip = "10.1.0.1", .to = TO_SELF,
	  .out = REPLY(MAC_HOST, "10.1.0.1") },
	{ "ARP sent to the neighbour's MAC", REQUEST, .in.dst_mac = 2, .in.target_ip = "10.1.0.12",
	  .to = TO_SELF, .out = REPLY(2, "10.1.0.12") },
	{ "ARP padded to 60 bytes is answered in place", REQUEST, .in.target_ip = "10.1.0.12",
	  .in.pad = 18, .to = TO_SELF,
	  .out = &(const struct packet_spec){ .dst_mac = 1,
					      .src_mac = 2,
					      .operation = 2,
					      .sender_mac = 2,
					      .sender_ip = "10.1.0.12",
					      .target_mac = 1,
					      .target_ip = "10.1.0.11",
					      .pad = 18 } },
	{ "ARP from the further address", REQUEST, .in.sender_ip = "10.1.0.111",
	  .in.target_ip = "10.1.0.12", .to = TO_SELF,
	  .out = &(const struct packet_spec){ .dst_mac = 1,
					      .src_mac = 2,
					      .operation = 2,
					      .sender_mac = 2,
					      .sender_ip = "10.1.0.12",
					      .target_mac = 1,
					      .target_ip = "10.1.0.111" } },
	{ "ARP probe for an address another has", REQUEST, .in.sender_ip = "0.0.0.0",
	  .in.target_ip = "10.1.0.12", .to = TO_SELF,
	  .out = &(const struct packet_spec){ .dst_mac = 1,
					      .src_mac = 2,
					      .operation = 2,
					      .sender_mac = 2,
					      .sender_ip = "10.1.0.12",
					      .target_mac = 1,
					      .target_ip = "0.0.0.0" } },

	{ "ARP probe for the own address", REQUEST, .in.sender_ip = "0.0.0.0",
	  .in.target_ip = "10.1.0.11", .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP gratuitous", REQUEST, .in.target_ip = "10.1.0.11",
	  .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP gratuitous for the further address", REQUEST, .in.sender_ip = "10.1.0.111",
	  .in.target_ip = "10.1.0.111", .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP reply", REQUEST, .in.operation = 2, .in.target_ip = "10.1.0.12",
	  .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP of token ring", REQUEST, .in.hardware = 6, .in.target_ip = "10.1.0.12",
	  .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP cut short", REQUEST, .in.target_ip = "10.1.0.12", .in.cut = 41,
	  .reason = WF_REASON_ARP_NOT_REQUEST },
	{ "ARP with the IP of another", REQUEST, .in.sender_ip = "10.1.0.12",
	  .in.target_ip = "10.1.0.1", .reason = WF_REASON_SPOOFED_ARP },
	{ "ARP with the IP of the gateway", REQUEST, .in.sender_ip = "10.1.0.1",
	  .in.target_ip = "10.1.0.12", .reason = WF_REASON_SPOOFED_ARP },
	{ "ARP with the inner MAC of another", REQUEST, .in.sender_mac = 2,
	  .in.target_ip = "10.1.0.12", .reason = WF_REASON_SPOOFED_ARP },
	{ "ARP reply that claims the gateway", REQUEST, .in.operation = 2,
	  .in.sender_ip = "10.1.0.1", .in.target_ip = "10.1.0.12",
	  .reason = WF_REASON_SPOOFED_ARP },
	{ "ARP for nobody", REQUEST, .in.target_ip = "10.1.0.99",
	  .reason = WF_REASON_ARP_NO_TARGET },
	{ "ARP for somebody in another network", REQUEST, .in.target_ip = "10.2.0.13",
	  .reason = WF_REASON_ARP_NO_TARGET },
	{ "ARP for an endpoint not in service", REQUEST, .in.target_ip = "10.1.0.18",
	  .reason = WF_REASON_ARP_NO_TARGET },
	{ "ARP in a network without IPv4", .slot = 7, .in.src_mac = 7, .in.dst_mac = MAC_BROADCAST,
	  .in.operation = 1, .in.sender_mac = 7, .in.sender_ip = "10.6.0.17",
	  .in.target_ip = "10.6.0.1", .reason = WF_REASON_FAMILY_DISABLED },
	{ "ARP in a network that is not valid", .slot = 9, .in.src_mac = 9,
	  .in.dst_mac = MAC_BROADCAST, .in.operation = 1, .in.sender_mac = 9,
	  .in.sender_ip = "10.7.0.19", .in.target_ip = "10.7.0.1", .reason = WF_REASON_NO_NETWORK },
};

const struct row_table rows_arp = ROW_TABLE(rows);
