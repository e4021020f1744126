/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of what a program on a container's device can cost: every frame goes to the other
 * end of the pair of devices whose indexes differ in the last bit. No check, no look-up. On an
 * uplink the same program is the way in, and bench_floor_out on the container's device the way out.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>

#include <bpf/bpf_helpers.h>

SEC("tc")
int bench_floor(struct __sk_buff *skb)
{
	bpf_skb_change_type(skb, PACKET_HOST);
	return (int)bpf_redirect_peer(skb->ifindex ^ 1, 0);
}

SEC("tc/out")
int bench_floor_out(struct __sk_buff *skb)
{
	return (int)bpf_redirect(skb->ifindex ^ 1, 0);
}

/* The same between two uplinks, before there is a packet. */
SEC("xdp")
int bench_floor_xdp(struct xdp_md *ctx)
{
	return (int)bpf_redirect(ctx->ingress_ifindex ^ 1, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
