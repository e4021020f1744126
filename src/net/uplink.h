/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of the host that lead outside: which they are, their addresses, and weft's filters on
 * them, beside those of others. And what else NAT has to know of the host.
 */
#ifndef WEFT_NET_UPLINK_H
#define WEFT_NET_UPLINK_H

#include "net/net.h"

/*
 * One device that may lead outside: not weft's, not lo, no port of a bridge or bond, up, with an
 * address of global scope, and with packets that start with an Ethernet or an IP header.
 */
struct wf_net_uplink {
	uint32_t ifindex;
	char name[16];
	struct wf_mac mac;
	uint32_t l2_bytes; /* 14, or 0 without Ethernet headers */
	/*
	 * First address of global scope; zero: none. Temporary, secondary, deprecated ones and
	 * those that are still being checked for duplicates only when there is no better one.
	 */
	struct wf_addr ip4;
	struct wf_addr ip6;
	bool has_default; /* carries a default route of the main table, its first next hop */
};
/* *ret_uplinks: new array, to be freed; sorted by ifindex. */
int wf_net_uplinks(struct wf_net *net, struct wf_net_uplink **ret_uplinks, size_t *ret_count,
		   struct wf_err *err);

/*
 * Every address of the host, loopback, link-local and weft0's included, each once. *ret_addrs: new
 * array, to be freed; sorted.
 */
int wf_net_host_addresses(struct wf_net *net, struct wf_addr **ret_addrs, size_t *ret_count,
			  struct wf_err *err);

/*
 * Puts the programs on ingress and egress of a device (clsact, made when missing), at
 * WF_UPLINK_PRIORITY; replaces weft's own atomically, leaves those of others. A descriptor < 0:
 * no filter on that side, weft's own goes. -EBUSY: the device has the qdisc "ingress", or a clsact
 * with shared blocks, of somebody else's. -ENODEV: there is no such device.
 */
int wf_net_uplink_attach(struct wf_net *net, uint32_t ifindex, int ingress_fd, int egress_fd,
			 struct wf_err *err);
/* Takes weft's filters away, and with them the qdisc when nothing else is on it. Missing is fine. */
int wf_net_uplink_detach(struct wf_net *net, uint32_t ifindex, struct wf_err *err);
/* Program ids of weft's filters on a device; 0: none. -ENODEV: there is no such device. */
int wf_net_uplink_get(struct wf_net *net, uint32_t ifindex, uint32_t *ret_ingress_id,
		      uint32_t *ret_egress_id, struct wf_err *err);

/* SO_NETNS_COOKIE of a namespace (fd < 0: the host's own). */
int wf_net_ns_cookie(int netns_fd, uint64_t *ret_cookie, struct wf_err *err);

/* Room for the names of settings that were changed. */
#define WF_NET_CHANGED_BYTES 1024

/*
 * Turns forwarding on for the families asked for where it is off (a host that routes for containers
 * needs it). A host that forwards IPv6 would ignore router advertisements from then on: devices
 * that listened to them go on (accept_ra 2). *ret_changed names what was changed, "" when nothing
 * was ("net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra"); " ..."
 * stands for what does not fit. A kernel without IPv6 is fine.
 */
int wf_net_forwarding_enable(struct wf_net *net, bool ip4, bool ip6,
			     char ret_changed[WF_NET_CHANGED_BYTES], struct wf_err *err);
/* Takes back what `changed` names; what is not so any more, or belongs to no device, is left. */
int wf_net_forwarding_restore(struct wf_net *net, const char *changed, struct wf_err *err);

/* Whether a device takes IPv4 packets from outside that have an address of the host as source. */
int wf_net_accept_local(struct wf_net *net, uint32_t ifindex, bool on, struct wf_err *err);

/*
 * Whether the host has packet filter rules that forwarded packets meet: base chains at the forward
 * hook of nftables (also those that iptables-nft makes), or filter tables of iptables-legacy. A
 * chain without rules counts only when its policy is to drop.
 */
int wf_net_firewall_present(struct wf_net *net, bool *ret_present, struct wf_err *err);

#endif
