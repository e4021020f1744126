/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Others who send to tunnels. Whoever is masqueraded, by weft or by the host's own rules, shows this
 * node's address, and so does every process of the host: what they put into VXLAN would be believed
 * by another node as if this one had sent it for one of its endpoints. So nothing leaves for the tunnel
 * of a node, or of a VXLAN endpoint that routes name, but what weft sends (WF_MARK_NEAR,
 * WF_MARK_TUNNEL).
 */
#ifndef WEFT_BPF_PRETEND_H
#define WEFT_BPF_PRETEND_H

#include "endpoint.h"
#include "flow.h"

/* Behind the UDP header. */
#define WF_VXLAN_VNI_OFFSET 12

/* The port of tunnels; 0: there are none. */
static __always_inline __be16 wf_tunnel_port(void)
{
	const struct wf_node_value *self = wf_map_node(WF_NODE_SELF);

	return self ? self->port : 0;
}

/*
 * Whether a datagram, whatever its own header says, is for a tunnel once it goes to that address, and to
 * the port of tunnels. What is in pieces, so that it cannot be told, is.
 */
static __always_inline int wf_is_tunnel_end(struct wf_ctx *ctx, const struct wf_ip *ip,
					    const struct wf_addr *to)
{
	struct wf_addr dst;
	__be32 vni;

	/* before Linux 6.2 a key may not lie in the memory of a function's argument */
	dst = *to;
	if (wf_map_member(&dst))
		return 1;
	if (ip->l4 + WF_VXLAN_VNI_OFFSET + sizeof(vni) > ip->end ||
	    wf_ctx_load(ctx, ip->l4 + WF_VXLAN_VNI_OFFSET, &vni, sizeof(vni)) < 0)
		return ip->fragment;
	return !!wf_vtep_find(WF_VTEP_PEER | bpf_ntohl(vni) >> 8, &dst);
}

/* Whether the packet is for a tunnel, as it is. */
static __always_inline int wf_is_for_tunnel(struct wf_ctx *ctx, const struct wf_ip *ip)
{
	__be16 ports[2], port;

	if (wf_likely(ip->proto != IPPROTO_UDP) || ip->fragment == WF_FRAGMENT_LATER)
		return 0;
	port = wf_tunnel_port();
	if (!port || wf_ctx_load(ctx, ip->l4, ports, sizeof(ports)) < 0 || ports[1] != port)
		return 0;
	return wf_is_tunnel_end(ctx, ip, &ip->dst);
}

#endif
