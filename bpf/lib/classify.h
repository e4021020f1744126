/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Destinations that are nobody's address. Asked only when the address table has no answer, so
 * the usual packet never pays for it.
 */
#ifndef WEFT_BPF_CLASSIFY_H
#define WEFT_BPF_CLASSIFY_H

#include "packet.h"

static __always_inline int wf_classify_ip4(const struct wf_ip *ip)
{
	__u32 dst = bpf_ntohl(ip->dst.words[3]);

	if (dst == 0xffffffff)
		return -WF_REASON_BROADCAST;
	if (dst >> 28 == 0xe)
		return ip->proto == IPPROTO_IGMP ? -WF_REASON_GROUP_MEMBERSHIP
						 : -WF_REASON_MULTICAST;
	if (dst >> 28 == 0xf || dst >> 24 == 0 || dst >> 24 == 127)
		return -WF_REASON_MARTIAN;
	if (dst >> 16 == 0xa9fe)
		return -WF_REASON_LINK_LOCAL;
	return 0;
}

/* 0 when the destination is an ordinary unicast address, otherwise -reason. */
static __always_inline int wf_classify(const struct wf_ip *ip)
{
	if (ip->version == 4)
		return wf_classify_ip4(ip);
	if (ip->dst.bytes[0] == 0xff)
		return -WF_REASON_MULTICAST;
	if (wf_addr_is_link_local6(&ip->dst))
		return -WF_REASON_LINK_LOCAL;
	return 0;
}

/* Whether the address lies in the subnet. */
static __always_inline int wf_subnet_has(const struct wf_subnet_value *subnet,
					 const struct wf_addr *addr)
{
	return (addr->halves[0] & subnet->mask.halves[0]) == subnet->base.halves[0] &&
	       (addr->halves[1] & subnet->mask.halves[1]) == subnet->base.halves[1];
}

/* Whether an IPv4 address in the subnet has all host bits set (and there are two at least). */
static __always_inline int wf_subnet_is_broadcast(const struct wf_subnet_value *subnet,
						  const struct wf_addr *addr)
{
	__u32 mask = bpf_ntohl(subnet->mask.words[3]);

	return (mask & 3) == 0 && (bpf_ntohl(addr->words[3]) | mask) == 0xffffffff;
}

/*
 * Finds an address, of which nobody is known to have it, in the network's subnets: 0 when it is
 * outside of all, otherwise -NO_SUCH_ADDRESS or -BROADCAST.
 */
static __always_inline int wf_classify_subnet(const struct wf_net_value *network,
					      const struct wf_ip *ip)
{
	for (__u32 i = 0; i < WF_MAX_SUBNETS; i++) {
		const struct wf_subnet_value *subnet = &network->subnets[i];

		if (i >= network->subnet_count)
			break;
		if (!wf_subnet_has(subnet, &ip->dst))
			continue;
		if (ip->version == 4 && wf_subnet_is_broadcast(subnet, &ip->dst))
			return -WF_REASON_BROADCAST;
		return -WF_REASON_NO_SUCH_ADDRESS;
	}
	return 0;
}

#endif
