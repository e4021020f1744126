/* SPDX-License-Identifier: Apache-2.0 */
/* What others send to the tunnels of nodes and of VXLAN endpoints: it does not leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/from_overlay.h"
#include "lib/pretend.h"

#include "native.h"

#define PEER  3
#define VNI   5001
#define VXLAN 4789

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	__be16 ports[2];
	__be16 len[2];
	__be32 flags, vni;
	__u8 inner[20];
} __attribute__((packed));

/* A packet of 36 bytes behind its IP header, or the first ones of that. */
struct row {
	const char *name;
	__u8 proto;
	__u16 dport;
	__u8 to;
	__u32 vni;
	__u16 offset; /* with WF_IP4_MORE: as frag_off has it */
	__u16 bytes;  /* 0: all */
	int is_for_tunnel;
};

#define MORE 0x2000

static const struct row rows[] = {
	{ "a node", IPPROTO_UDP, VXLAN, 9, 1, 0, 0, 1 },
	{ "a node, whatever the VNI", IPPROTO_UDP, VXLAN, 9, 77, 0, 0, 1 },
	{ "a node, nothing behind the ports", IPPROTO_UDP, VXLAN, 9, 0, 0, 8, 1 },
	{ "a node, the first piece", IPPROTO_UDP, VXLAN, 9, 1, MORE, 8, 1 },
	{ "a node, a later piece", IPPROTO_UDP, VXLAN, 9, 1, 2, 0, 0 },
	{ "a node, another port", IPPROTO_UDP, VXLAN + 1, 9, 1, 0, 0, 0 },
	{ "a node, TCP", IPPROTO_TCP, VXLAN, 9, 1, 0, 0, 0 },
	{ "a VXLAN endpoint of a route", IPPROTO_UDP, VXLAN, 20, VNI, 0, 0, 1 },
	{ "another VNI of it", IPPROTO_UDP, VXLAN, 20, VNI + 1, 0, 0, 0 },
	{ "it, so short that there is no VNI", IPPROTO_UDP, VXLAN, 20, 0, 0, 12, 0 },
	{ "it, in pieces so short that nobody can tell", IPPROTO_UDP, VXLAN, 20, 0, MORE, 8, 1 },
	{ "somebody else", IPPROTO_UDP, VXLAN, 30, VNI, 0, 0, 0 },
};

static struct wf_addr addr4(__u8 last)
{
	struct wf_addr addr = { .words = { 0, 0, bpf_htonl(0xffff),
					   bpf_htonl(0x0a090000 | last) } };

	return addr;
}

static int setup(void **state)
{
	(void)state;
	memset(&native, 0, sizeof(native));
	native.nodes[WF_NODE_SELF].port = bpf_htons(VXLAN);
	native.nodes[WF_NODE_SELF].underlay = addr4(1);
	native.nodes[PEER].underlay = addr4(9);
	native.vtep_count = 1;
	native.vteps[0].key = (struct wf_vtep_key){ .prefixlen = 32 + 128,
						    .scope = WF_VTEP_PEER | VNI,
						    .addr = addr4(20) };
	native.vteps[0].value = (struct wf_vtep_value){ .addr = addr4(20), .vni = VNI };
	return 0;
}

static int leave(const struct row *row)
{
	__u16 bytes = row->bytes ? row->bytes : sizeof(struct frame) - ETH_HLEN - 20;
	struct frame frame = {
		.eth = { .h_proto = bpf_htons(ETH_P_IP) },
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = bpf_htons(20 + bytes),
			.ttl = 64,
			.frag_off = bpf_htons(row->offset),
			.protocol = row->proto,
			.saddr = addr4(1).words[3],
			.daddr = addr4(row->to).words[3] },
		.ports = { bpf_htons(50000), bpf_htons(row->dport) },
		.vni = bpf_htonl(row->vni << 8),
	};
	/* the IP header is aligned, as the kernel has it */
	_Alignas(8) __u8 block[2 + sizeof(frame)];
	struct wf_ctx ctx = { .bytes = block + 2,
			      .len = ETH_HLEN + 20 + bytes,
			      .linear = ETH_HLEN + 20 + bytes };
	struct wf_ip ip = {};

	memcpy(ctx.bytes, &frame, sizeof(frame));
	assert_int_equal(wf_work_parse(&ctx, ETH_HLEN, &ip), 0);
	return wf_is_for_tunnel(&ctx, &ip);
}

static void test_what_is_for_a_tunnel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (leave(&rows[i]) != rows[i].is_for_tunnel)
			fail_msg("%s", rows[i].name);
}

/* Without a tunnel there is nobody to speak for. */
static void test_without_an_overlay(void **state)
{
	(void)state;
	native.nodes[WF_NODE_SELF].port = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (leave(&rows[i]))
			fail_msg("%s", rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_what_is_for_a_tunnel, setup),
		cmocka_unit_test_setup(test_without_an_overlay, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
