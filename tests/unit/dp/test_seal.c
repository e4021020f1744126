/* SPDX-License-Identifier: Apache-2.0 */
/* What hosts of two nodes send each other: what goes inside, what stays in clear, what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/from_overlay.h"

#include "native.h"

#define PEER    3
#define OVERLAY 77
#define UPLINK  88
#define NAMED   7000
#define VXLAN   4789

/* TCP's flags by names that cannot be mistaken. */
enum {
	SYN = 0x02,
	ACK = 0x10,
};

/* A packet of a frame, as much of it as somebody looks at. */
struct frame {
	__u8 eth[ETH_HLEN];
	union {
		struct {
			struct iphdr ip;
			__u8 l4[40];
		} four;
		struct {
			struct ipv6hdr ip;
			__u8 l4[20];
		} six;
	};
} __attribute__((packed));

struct want {
	__u8 proto, flags;
	__u16 sport, dport;
	__u16 offset; /* of a fragment, in units of 8 bytes */
	__u8 from, to;
};

static struct wf_addr addr4(__u8 last)
{
	struct wf_addr addr = { .words = { 0, 0, bpf_htonl(0xffff),
					   bpf_htonl(0x0a090000 | last) } };

	return addr;
}

static struct wf_addr addr6(__u8 last)
{
	struct wf_addr addr = { .words = { bpf_htonl(0xfd090000), 0, 0, bpf_htonl(last) } };

	return addr;
}

static struct wf_addr tunnel(__u8 last)
{
	struct wf_addr addr = { .words = { bpf_htonl(WF_TUNNEL_PREFIX_WORD0),
					   bpf_htonl(WF_TUNNEL_PREFIX_WORD1), 0,
					   bpf_htonl(last) } };

	return addr;
}

static void use_family(int family)
{
	native.nodes[WF_NODE_SELF].underlay = family == 4 ? addr4(1) : addr6(1);
	native.seals[0].addr = family == 4 ? addr4(9) : addr6(9);
}

static int setup(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	native.nodes[WF_NODE_SELF].ifindex = OVERLAY;
	native.nodes[WF_NODE_SELF].tunnels[0] = tunnel(1);
	native.nodes[PEER].tunnels[0] = tunnel(9);
	native.seal_count = 1;
	native.seals[0].value = (struct wf_seal_value){
		.node = PEER,
		.ifindex = UPLINK,
		.own = { bpf_htons(51820), bpf_htons(51821) },
		.ports = { bpf_htons(51830), 0 },
		.vxlan = bpf_htons(VXLAN),
		.mtu = 1370,
	};
	native.clear[NAMED / 64] = 1ULL << NAMED % 64;
	native.uplink_count = 1;
	native.uplinks[0].ifindex = UPLINK;
	native.uplinks[0].value.l2_bytes = ETH_HLEN;
	memset(native.uplinks[0].value.mac, 0x42, ETH_ALEN);
	native.config.flags = WF_CONFIG_SEALS;
	use_family(4);
	return 0;
}

static void fill_l4(__u8 *l4, const struct want *want)
{
	__be16 ports[2] = { bpf_htons(want->sport), bpf_htons(want->dport) };
	const __u8 mss[4] = { 2, 4, 1460 >> 8, 1460 & 0xff };

	if (want->proto == IPPROTO_ICMP || want->proto == IPPROTO_ICMPV6) {
		l4[0] = want->flags;
		return;
	}
	memcpy(l4, ports, sizeof(ports));
	if (want->proto != IPPROTO_TCP)
		return;
	l4[12] = 6 << 4;
	l4[13] = want->flags;
	memcpy(l4 + 20, mss, sizeof(mss));
}

static struct frame frame4(const struct want *want)
{
	struct frame frame = { .eth = { [12] = 0x08 } };

	frame.four.ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(frame.four)),
		.ttl = 64,
		.frag_off = bpf_htons(want->offset),
		.protocol = want->proto,
		.saddr = addr4(want->from).words[3],
		.daddr = addr4(want->to).words[3],
	};
	fill_l4(frame.four.l4, want);
	return frame;
}

static struct frame frame6(const struct want *want)
{
	struct wf_addr from = addr6(want->from), to = addr6(want->to);
	struct frame frame = { .eth = { [12] = 0x86, [13] = 0xdd } };

	frame.six.ip = (struct ipv6hdr){
		.version = 6,
		.payload_len = bpf_htons(sizeof(frame.six.l4)),
		.nexthdr = want->proto,
		.hop_limit = 64,
	};
	memcpy(&frame.six.ip.saddr, &from, sizeof(from));
	memcpy(&frame.six.ip.daddr, &to, sizeof(to));
	/* no room for options, and none is wanted */
	if (want->proto != IPPROTO_TCP)
		fill_l4(frame.six.l4, want);
	return frame;
}

static int pass(const struct frame *frame, int is_out, __u32 mark)
{
	struct wf_ctx ctx;
	int r;

	native.redirect = 0;
	memset(&native.tunnel_peer, 0, sizeof(native.tunnel_peer));
	native_packet(&ctx, frame, sizeof(*frame));
	ctx.ifindex = UPLINK;
	ctx.mark = mark;
	r = is_out ? wf_seal_leave(&ctx) : wf_seal_enter(&ctx);
	if (r == TC_ACT_REDIRECT) {
		struct wf_addr end = tunnel(9);

		assert_int_equal(native.redirect, OVERLAY);
		assert_memory_equal(&native.tunnel_peer, &end, sizeof(end));
	}
	if (!is_out)
		assert_int_equal(ctx.mark, mark & ~(__u32)WF_MARK_SEALED);
	native_packet_done(&ctx);
	return r;
}

static int out4(struct want want)
{
	struct frame frame;

	want.from = 1;
	want.to = 9;
	frame = frame4(&want);
	return pass(&frame, WF_SEAL_OUT, 0);
}

static int in4(struct want want)
{
	struct frame frame;

	want.from = 9;
	want.to = 1;
	frame = frame4(&want);
	return pass(&frame, WF_SEAL_IN, 0);
}

static int go6(struct want want, int is_out)
{
	struct frame frame;

	want.from = is_out ? 1 : 9;
	want.to = is_out ? 9 : 1;
	frame = frame6(&want);
	return pass(&frame, is_out, 0);
}

#define UDP(from, to) ((struct want){ .proto = IPPROTO_UDP, .sport = (from), .dport = (to) })
#define TCP(bits, from, to) \
	((struct want){ .proto = IPPROTO_TCP, .flags = (bits), .sport = (from), .dport = (to) })
#define INSIDE  TC_ACT_REDIRECT
#define REFUSED (-WF_REASON_HOST_CLEAR)

static void test_what_leaves(void **state)
{
	(void)state;
	assert_int_equal(out4(UDP(40000, 53)), INSIDE);
	assert_int_equal(out4(TCP(SYN, 40000, 22)), INSIDE);
	assert_int_equal(out4(TCP(ACK, 22, 40000)), INSIDE);
	assert_int_equal(out4((struct want){ .proto = IPPROTO_SCTP, .sport = 1, .dport = 2 }),
			 INSIDE);
	assert_int_equal(out4((struct want){ .proto = IPPROTO_ICMP, .flags = WF_ICMP4_ECHO }),
			 INSIDE);
	assert_int_equal(out4((struct want){ .proto = 50 }), INSIDE);
	/* a fragment that nobody can tell, even of WireGuard's own */
	assert_int_equal(out4((struct want){ .proto = IPPROTO_UDP, .offset = 100 }), INSIDE);
	/* the tunnels */
	assert_int_equal(out4(UDP(51820, 51830)), WF_GO_ON);
	assert_int_equal(out4(UDP(51821, 51830)), WF_GO_ON);
	assert_int_equal(out4(UDP(51820, 51831)), INSIDE);
	assert_int_equal(out4(UDP(51821, 0)), INSIDE);
	assert_int_equal(out4(UDP(40000, 51830)), INSIDE);
	assert_int_equal(out4(TCP(SYN, 51820, 51830)), INSIDE);
	assert_int_equal(out4(UDP(40000, VXLAN)), WF_GO_ON);
	assert_int_equal(out4(UDP(VXLAN, 40000)), INSIDE);
	/* named ports */
	assert_int_equal(out4(UDP(40000, NAMED)), WF_GO_ON);
	assert_int_equal(out4(UDP(NAMED, 40000)), WF_GO_ON);
	assert_int_equal(out4(UDP(40000, NAMED + 1)), INSIDE);
	assert_int_equal(out4(TCP(SYN, 40000, NAMED)), WF_GO_ON);
	assert_int_equal(out4(TCP(SYN | ACK, NAMED, 40000)), WF_GO_ON);
	assert_int_equal(out4(TCP(SYN, NAMED, 40000)), INSIDE);
}

static void test_ip6(void **state)
{
	(void)state;
	use_family(6);
	for (int is_out = 0; is_out <= 1; is_out++) {
		int wanted = is_out ? INSIDE : REFUSED;

		assert_int_equal(go6(UDP(40000, 53), is_out), wanted);
		assert_int_equal(go6((struct want){ .proto = IPPROTO_TCP }, is_out), wanted);
		for (int type = 133; type <= 137; type++)
			assert_int_equal(
				go6((struct want){ .proto = IPPROTO_ICMPV6, .flags = (__u8)type },
				    is_out),
				WF_GO_ON);
		assert_int_equal(
			go6((struct want){ .proto = IPPROTO_ICMPV6, .flags = 138 }, is_out),
			wanted);
		assert_int_equal(
			go6((struct want){ .proto = IPPROTO_ICMPV6, .flags = 129 }, is_out),
			wanted);
		/* headers that cannot be walked */
		assert_int_equal(go6((struct want){ .proto = IPPROTO_HOPOPTS }, is_out), wanted);
	}
}

static void test_what_comes(void **state)
{
	(void)state;
	assert_int_equal(in4(UDP(40000, 53)), REFUSED);
	assert_int_equal(in4(TCP(SYN, 40000, 22)), REFUSED);
	assert_int_equal(in4((struct want){ .proto = IPPROTO_UDP, .offset = 100 }), REFUSED);
	assert_int_equal(in4((struct want){ .proto = IPPROTO_ICMP, .flags = 0 }), REFUSED);
	assert_int_equal(in4((struct want){ .proto = IPPROTO_ICMP, .flags = WF_ICMP4_ECHO }),
			 WF_GO_ON);
	assert_int_equal(in4(UDP(51830, 51821)), WF_GO_ON);
	assert_int_equal(in4(UDP(51820, 51830)), REFUSED);
	assert_int_equal(in4(UDP(40000, 51820)), REFUSED);
	assert_int_equal(in4(UDP(40000, VXLAN)), WF_GO_ON);
	assert_int_equal(in4(TCP(SYN, 40000, NAMED)), WF_GO_ON);
	assert_int_equal(in4(TCP(ACK, NAMED, 40000)), WF_GO_ON);
	assert_int_equal(in4(TCP(SYN, NAMED, 40000)), REFUSED);
}

/* Of other addresses, of other protocols, without the flag, and what is marked. */
static void test_whose(void **state)
{
	struct want want = { .proto = IPPROTO_UDP, .from = 1, .to = 9 };
	struct frame frame = frame4(&want);

	(void)state;
	assert_int_equal(pass(&frame, WF_SEAL_OUT, 5), INSIDE);
	assert_int_equal(pass(&frame, WF_SEAL_OUT, WF_MARK_SEALED | 5), WF_GO_ON);
	assert_int_equal(pass(&frame, WF_SEAL_IN, 5), WF_GO_ON);
	native.config.flags = 0;
	assert_int_equal(pass(&frame, WF_SEAL_OUT, 0), WF_GO_ON);
	native.config.flags = WF_CONFIG_SEALS;
	frame.eth[12] = 0x88;
	assert_int_equal(pass(&frame, WF_SEAL_OUT, 0), WF_GO_ON);
	want.from = 2;
	frame = frame4(&want);
	assert_int_equal(pass(&frame, WF_SEAL_OUT, 0), WF_GO_ON);
	want.from = 1;
	want.to = 8;
	frame = frame4(&want);
	assert_int_equal(pass(&frame, WF_SEAL_OUT, 0), WF_GO_ON);
	want.from = 9;
	want.to = 1;
	frame = frame4(&want);
	assert_int_equal(pass(&frame, WF_SEAL_IN, 5), REFUSED);
	assert_int_equal(pass(&frame, WF_SEAL_IN, WF_MARK_SEALED | 5), WF_GO_ON);
}

static void test_without_a_tunnel(void **state)
{
	static const struct wf_addr none;

	(void)state;
	native.nodes[PEER].tunnels[0] = none;
	assert_int_equal(out4(UDP(1, 2)), -WF_REASON_NO_TUNNEL);
	native.nodes[PEER].tunnels[0] = tunnel(9);
	native.nodes[WF_NODE_SELF].tunnels[0] = none;
	assert_int_equal(out4(UDP(1, 2)), -WF_REASON_NO_TUNNEL);
	native.nodes[WF_NODE_SELF].tunnels[0] = tunnel(1);
	native.nodes[WF_NODE_SELF].ifindex = 0;
	assert_int_equal(out4(UDP(1, 2)), -WF_REASON_NO_TUNNEL);
}

/* The MSS of what begins, or answers, after it was sent. */
static __u16 mss_of(__u8 flags, __u16 mtu, __be16 *ret_check)
{
	struct want want = TCP(flags, 40000, 22);
	struct frame frame;
	struct wf_ctx ctx;
	__be16 mss;

	want.from = 1;
	want.to = 9;
	frame = frame4(&want);
	native.seals[0].value.mtu = mtu;
	native_packet(&ctx, &frame, sizeof(frame));
	ctx.ifindex = UPLINK;
	assert_int_equal(wf_seal_leave(&ctx), INSIDE);
	memcpy(&mss, ctx.bytes + ETH_HLEN + 20 + 22, sizeof(mss));
	memcpy(ret_check, ctx.bytes + ETH_HLEN + 20 + 16, sizeof(*ret_check));
	native_packet_done(&ctx);
	return bpf_ntohs(mss);
}

static void test_segments_fit(void **state)
{
	__be16 check, kept;

	(void)state;
	assert_int_equal(mss_of(SYN, 1370, &check), 1330);
	assert_int_equal(mss_of(SYN | ACK, 1370, &kept), 1330);
	assert_int_not_equal(check, 0);
	assert_int_equal(mss_of(SYN, 9000, &kept), 1460);
	assert_int_equal(kept, 0);
	assert_int_equal(mss_of(ACK, 1370, &kept), 1460);
	assert_int_equal(mss_of(SYN, 0, &kept), 1460);
}

static int arrive(__u8 from, __u8 to, __u32 node)
{
	struct want want = { .proto = IPPROTO_UDP, .from = from, .to = to };
	struct frame frame = frame4(&want);
	struct wf_ctx ctx;
	int r;

	native_packet(&ctx, &frame, sizeof(frame));
	ctx.mark = 5;
	r = wf_seal_arrive(&ctx, node);
	if (r == TC_ACT_REDIRECT) {
		assert_memory_equal(ctx.bytes, native.uplinks[0].value.mac, ETH_ALEN);
		assert_int_equal(ctx.mark, WF_MARK_SEALED | 5);
		assert_int_equal(native.redirect_ingress, UPLINK);
	}
	native_packet_done(&ctx);
	return r;
}

static void test_what_arrives(void **state)
{
	(void)state;
	assert_int_equal(arrive(9, 1, PEER), TC_ACT_REDIRECT);
	assert_int_equal(arrive(9, 1, PEER + 1), -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(arrive(8, 1, PEER), -WF_REASON_OVERLAY_SPOOFED);
	assert_int_equal(arrive(9, 2, PEER), -WF_REASON_OVERLAY_SPOOFED);
	native.uplink_count = 0;
	assert_int_equal(arrive(9, 1, PEER), -WF_REASON_NODE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_leaves, setup),
		cmocka_unit_test_setup(test_ip6, setup),
		cmocka_unit_test_setup(test_what_comes, setup),
		cmocka_unit_test_setup(test_whose, setup),
		cmocka_unit_test_setup(test_without_a_tunnel, setup),
		cmocka_unit_test_setup(test_segments_fit, setup),
		cmocka_unit_test_setup(test_what_arrives, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
