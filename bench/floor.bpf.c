/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of what a program on a container's device can cost: every frame goes to the other
 * end of the pair of devices whose indexes differ in the last bit. No check, no look-up. On an
 * uplink the same program is the way in, and bench_floor_out on the container's device the way out.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Bytes of a frame of TCP and IPv4 up to its ports, and where its checksum is. */
#define UPTO_PORTS 38
#define CHECK_AT   50

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

/*
 * What a translation writes, with the least number of calls: MACs, addresses and ports, and twice the
 * checksum, for ports and addresses. It is what was there before.
 */
static __always_inline void rewrite(struct __sk_buff *skb)
{
	const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
	const struct ethhdr *eth = data;
	const struct iphdr *ip = data + sizeof(*eth);
	__u16 frame[UPTO_PORTS / 2];

	if (data + UPTO_PORTS > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_TCP)
		return;
	__builtin_memcpy(frame, __builtin_assume_aligned(data, 2), sizeof(frame));
	bpf_skb_store_bytes(skb, 0, frame, sizeof(frame), 0);
	bpf_l4_csum_replace(skb, CHECK_AT, 0, 0xffff, 0);
	bpf_l4_csum_replace(skb, CHECK_AT, 0, 0xffff, BPF_F_PSEUDO_HDR);
}

SEC("tc/rewrite")
int bench_floor_rewrite(struct __sk_buff *skb)
{
	rewrite(skb);
	return bench_floor(skb);
}

SEC("tc/rewrite_out")
int bench_floor_rewrite_out(struct __sk_buff *skb)
{
	rewrite(skb);
	return bench_floor_out(skb);
}

/* To the other of two uplinks, before there is a packet. */
SEC("xdp")
int bench_floor_xdp(struct xdp_md *ctx)
{
	return (int)bpf_redirect(ctx->ingress_ifindex ^ 1, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
