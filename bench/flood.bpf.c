/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of xdp_flood: the source writes one frame over whatever it is run on, since those
 * behind it change what they get, and the sink counts the datagrams for a port that arrive.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FRAME_WORDS 8

struct frame {
	__u64 words[FRAME_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct frame);
} bench_frame SEC(".maps");

/* Key 0: the port, in network byte order; key 1: how many arrived there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} bench_count SEC(".maps");

SEC("xdp")
int bench_source(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0;
	struct frame *frame = bpf_map_lookup_elem(&bench_frame, &zero);

	if (!frame || data + sizeof(*frame) > end)
		return XDP_DROP;
	__builtin_memcpy(data, frame, sizeof(*frame));
	return XDP_TX;
}

SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);
	__u32 port_key = 0, count_key = 1;
	__u64 *port = bpf_map_lookup_elem(&bench_count, &port_key);
	__u64 *count = bpf_map_lookup_elem(&bench_count, &count_key);

	if (!port || !count || (void *)(udp + 1) > end || ip->protocol != IPPROTO_UDP ||
	    udp->dest != *port)
		return XDP_PASS;
	__sync_fetch_and_add(count, 1);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
