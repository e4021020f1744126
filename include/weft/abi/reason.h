/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every reason for which a packet is dropped. One list gives the enum of the programs, the names
 * on the terminal, the labels of the metrics and docs/drops.md. Numbers are never reused.
 *
 * X(SYMBOL, number, "label", class, "what happened", "what to do about it")
 * class: attack  - refused because it could harm others
 *        error   - a sign that something is wrong with the sender, the set-up or weft
 *        policy  - refused because somebody asked for it
 *        noise   - harmless background of any network stack
 */
#ifndef WEFT_ABI_REASON_H
#define WEFT_ABI_REASON_H

#define WF_REASON_LIST(X)                                                                          \
	X(NO_ENDPOINT, 1, "no_endpoint", error, "the device belongs to no endpoint",               \
	  "the endpoint was removed or is being repaired; see 'weft endpoint ls'")                 \
	X(NOT_READY, 2, "not_ready", error, "the endpoint is not in service",                      \
	  "it is being attached or detached; if it stays so, see the log of weftd")                \
	X(MALFORMED_L2, 3, "malformed_l2", error,                                                  \
	  "frame shorter than an Ethernet header, or sent as what it is not", "")                  \
	X(VLAN_TAGGED, 4, "vlan_tagged", error, "frame with a VLAN tag",                           \
	  "weft networks carry untagged frames only")                                              \
	X(UNSUPPORTED_L3, 5, "unsupported_l3", noise, "neither IPv4, IPv6 nor ARP", "")            \
	X(SPOOFED_MAC, 6, "spoofed_mac", attack, "source MAC is not the endpoint's",               \
	  "give the endpoint this MAC with --mac, or stop the sender")                             \
	X(SPOOFED_IP, 7, "spoofed_ip", attack, "source address is not the endpoint's",             \
	  "the container may only send from the addresses in 'weft endpoint inspect'")             \
	X(SPOOFED_ARP, 8, "spoofed_arp", attack, "ARP claims an address or MAC of another", "")    \
	X(ARP_NOT_REQUEST, 9, "arp_not_request", noise, "ARP other than a request", "")            \
	X(ARP_NO_TARGET, 10, "arp_no_target", noise, "ARP asks for an address nobody has",         \
	  "check the address with 'weft ip why ADDR'")                                             \
	X(MALFORMED_IPV4, 11, "malformed_ipv4", error, "IPv4 header is not valid", "")             \
	X(MALFORMED_IPV6, 12, "malformed_ipv6", error, "IPv6 header is not valid", "")             \
	X(SOURCE_ROUTE, 13, "source_route", attack, "source routing is refused", "")               \
	X(MULTICAST, 14, "multicast", noise, "multicast is not forwarded", "")                     \
	X(BROADCAST, 15, "broadcast", noise, "broadcast is not forwarded", "")                     \
	X(NO_SUCH_ADDRESS, 16, "no_such_address", error, "nobody has the destination address",     \
	  "check the address with 'weft ip why ADDR'")                                             \
	X(NETWORK_ISOLATED, 17, "network_isolated", policy, "the two networks are isolated",       \
	  "set spec.isolated: false on both networks, or attach the container to both")            \
	X(NETWORK_INTERNAL, 18, "network_internal", policy, "the network is internal",             \
	  "an internal network reaches its own subnets only; recreate it without --internal")      \
	X(ROUTER_ADVERT, 19, "router_advert", attack, "router advertisement from a container", "") \
	X(ND_REDIRECT, 20, "nd_redirect", attack, "ICMP redirect from a container", "")            \
	X(NEIGHBOUR_ADVERT, 21, "neighbour_advert", noise, "neighbour advertisement ignored", "")  \
	X(ROUTER_SOLICIT, 22, "router_solicit", noise, "router solicitation ignored", "")          \
	X(MALFORMED_ND, 23, "malformed_nd", error, "neighbour discovery message is not valid", "") \
	X(ND_NO_TARGET, 24, "nd_no_target", noise, "ND asks for an address nobody has",            \
	  "check the address with 'weft ip why ADDR'")                                             \
	X(SPOOFED_ND, 25, "spoofed_nd", attack, "ND claims an address or MAC of another", "")      \
	X(DHCP_SERVER, 26, "dhcp_server", attack, "DHCP server reply from a container", "")        \
	X(LINK_LOCAL, 27, "link_local", noise, "link-local address is not forwarded", "")          \
	X(FAMILY_DISABLED, 28, "family_disabled", noise,                                           \
	  "the network does not carry this address family",                                        \
	  "give the network a subnet of that family")                                              \
	X(GROUP_MEMBERSHIP, 29, "group_membership", noise, "IGMP or MLD report ignored", "")       \
	X(NOT_FOR_ENDPOINT, 30, "not_for_endpoint", error,                                         \
	  "the host sent this endpoint a packet for another address",                              \
	  "look for a route of the host that points at the endpoint's device")                     \
	X(MARTIAN, 31, "martian", attack, "loopback, zero or reserved address", "")                \
	X(EXTENSION_HEADER, 32, "extension_header", attack,                                        \
	  "IPv6 extension headers are not acceptable", "")                                         \
	X(NO_NETWORK, 33, "no_network", error, "the endpoint's network is unknown",                \
	  "the network is being removed or repaired; see 'weft network ls'")                       \
	X(INTERNAL_ERROR, 34, "internal_error", error, "a helper of the kernel failed",            \
	  "please report it with the output of 'weft doctor'")                                     \
	X(SERVICE_NO_PORT, 35, "service_no_port", error, "the service has no such port",           \
	  "see the ports in 'weft service ls'")                                                    \
	X(SERVICE_NO_BACKEND, 36, "service_no_backend", error,                                     \
	  "the service has no backend that can serve",                                             \
	  "see its backends and their state in 'weft service inspect'")                            \
	X(SERVICE_NOT_LOCAL, 37, "service_not_local", policy,                                      \
	  "the service's traffic policy is Local and no backend is on this node",                  \
	  "send to a node that has one, or set the policy to Cluster")                             \
	X(SERVICE_SOURCE, 38, "service_source", policy,                                            \
	  "the client is not in the service's loadBalancerSourceRanges", "")                       \
	X(CONN_TABLE_FULL, 39, "conn_table_full", error, "no room for a new connection",           \
	  "raise --max-connections; see who holds them with 'weft conntrack ls'")                  \
	X(CONN_QUOTA, 40, "conn_quota", error, "the endpoint has its share of connections",        \
	  "see them with 'weft conntrack ls --endpoint NAME'")                                     \
	X(NAT_NO_PORT, 41, "nat_no_port", error,                                                   \
	  "every port of the host is in use towards that destination",                             \
	  "give the host another address, or turn masquerade off and route the network")           \
	X(NAT_NO_ADDRESS, 42, "nat_no_address", error,                                             \
	  "the device that leads out, or the host in the network, has no such address",            \
	  "give it one, or turn masquerade off for the network")                                   \
	X(NAT_FRAGMENT, 43, "nat_fragment", noise,                                                 \
	  "a later fragment whose first one did not come within a second, or no room to wait", "") \
	X(NAT_PROTOCOL, 44, "nat_protocol", noise, "this protocol cannot be translated",           \
	  "TCP, UDP, ICMP echo and SCTP can")                                                      \
	X(NAT_UNRELATED, 45, "nat_unrelated", noise,                                               \
	  "an ICMP error about a connection nobody has", "")                                       \
	X(CONN_CUT, 46, "conn_cut", policy, "the connection's backend left and its service cuts",  \
	  "set the annotation weft.dev/termination: drain to let connections end by themselves")   \
	X(PORT_TAKEN, 47, "port_taken", policy, "the port belongs to a service or published port", \
	  "see 'weft ports'")                                                                      \
	X(POLICY_INGRESS, 48, "policy_ingress", policy, "a policy of the receiver denies it",      \
	  "ask 'weft why SOURCE DESTINATION:PORT'; 'weft policy ls' shows what is in force")       \
	X(POLICY_EGRESS, 49, "policy_egress", policy, "a policy of the sender denies it",          \
	  "ask 'weft why SOURCE DESTINATION:PORT'; 'weft policy ls' shows what is in force")       \
	X(OVERLAY_FOREIGN, 50, "overlay_foreign", attack,                                          \
	  "tunnelled by a host that is no node of this store",                                     \
	  "see the nodes and their addresses with 'weft node ls'; or stop the sender")             \
	X(OVERLAY_SPOOFED, 51, "overlay_spoofed", attack,                                          \
	  "source address is of no endpoint of the node that sent it",                             \
	  "it passes once this node has heard of the endpoint; see 'weft get endpoints'")          \
	X(NODE_UNKNOWN, 52, "node_unknown", error,                                                 \
	  "the node that has the address is not known, or this one has no overlay",                \
	  "see 'weft node ls' and the log of weftd")                                               \
	X(NODE_BEHIND_ROUTER, 53, "node_behind_router", policy,                                    \
	  "the node is on no shared segment, and nothing may be encapsulated",                     \
	  "see 'weft node ls'; spec.encapsulation: across-subnets would let it pass")              \
	X(OVERLAY_CLEAR, 54, "overlay_clear", attack,                                              \
	  "of an encrypted network, but came in clear text",                                       \
	  "somebody forges it, or the nodes do not agree on spec.encryption")                      \
	X(NO_TUNNEL, 55, "no_tunnel", error,                                                       \
	  "the network is encrypted and one of the two nodes has no WireGuard",                    \
	  "see ENCRYPTION in 'weft node ls', and the log of weftd there")                          \
	X(TOO_BIG, 56, "too_big", noise,                                                           \
	  "larger than the way to the node carries; the sender was told the MTU",                  \
	  "see MTU in 'weft node ls'; spec.mtu of the network would spare senders the message")    \
	X(HOST_CLEAR, 57, "host_clear", attack,                                                    \
	  "of another node's host, in clear text although both nodes encrypt that",                \
	  "somebody forges it, or --encryption-hosts and its exceptions are not the same there")   \
	X(NO_ROUTER, 58, "no_router", error,                                                       \
	  "nobody, or only the sender itself, has the address that the network's route goes via",  \
	  "see spec.routes in 'weft network inspect'; give its container the address with --ip")   \
	X(TUNNEL_PRETENDED, 59, "tunnel_pretended", attack,                                        \
	  "for the tunnel of another node, and not sent by weft",                                  \
	  "somebody on this host pretends to be the node; 'weft observe --drops' names him")

enum wf_reason {
	WF_REASON_NONE = 0,
#define WF_REASON_ENUM(symbol, number, label, class, text, hint) WF_REASON_##symbol = (number),
	WF_REASON_LIST(WF_REASON_ENUM)
#undef WF_REASON_ENUM
	WF_REASON_COUNT,
};

#endif
