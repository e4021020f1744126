/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each path of the programs costs: nanoseconds per packet by BPF_PROG_TEST_RUN, the least of
 * many short rounds (what else the machine does can only add), next to an empty program and to the
 * bare minimum (one hash look-up and bpf_redirect_peer). Needs root; works in namespaces of its
 * own. "-o json" for machines.
 *
 * Paths whose packet comes out changed (ARP, ND, another network) are left out: a repeated run
 * would judge its own answer.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/in.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dp/dp.h"
#include "lab.h"
#include "packet.h"
#include "prog_lab.h"
#include "rules.h"
#include "world.h"

/* Paths take turns, so that all of them see the machine's good seconds. */
#define TURNS  40
#define REPEAT 60000

/* Enough other addresses that the table is not in the nearest cache by itself. */
#define MORE_ADDRESSES 20000

struct path {
	const char *name;
	__u32 slot;
	bool egress;
	__u32 observe;
	struct packet_spec packet;
};

static const struct path paths[] = {
	{ "tcp4",
	  1,
	  false,
	  0,
	  { .src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12" } },
	{ "tcp6",
	  1,
	  false,
	  0,
	  { .src_mac = 1, .dst_mac = 2, .src = "fd01::11", .dst = "fd01::12" } },
	{ "udp4",
	  1,
	  false,
	  0,
	  { .src_mac = 1,
	    .dst_mac = 2,
	    .src = "10.1.0.11",
	    .dst = "10.1.0.12",
	    .proto = 17,
	    .payload = 20 } },
	{ "tcp4 first packets observed",
	  1,
	  false,
	  WF_OBSERVE_FIRST,
	  { .src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12" } },
	{ "tcp4 to gateway",
	  1,
	  false,
	  0,
	  { .src_mac = 1, .dst_mac = 0xff01, .src = "10.1.0.11", .dst = "10.1.0.1" } },
	{ "tcp4 to outside",
	  1,
	  false,
	  0,
	  { .src_mac = 1, .dst_mac = 0xff01, .src = "10.1.0.11", .dst = "192.0.2.1" } },
	{ "tcp4 from host",
	  0,
	  false,
	  0,
	  { .src_mac = 0xff01, .dst_mac = 0xff01, .src = "10.1.0.1", .dst = "10.1.0.11" } },
	{ "tcp4 through the guard",
	  1,
	  true,
	  0,
	  { .src_mac = 0xff01, .dst_mac = 1, .src = "10.1.0.1", .dst = "10.1.0.11" } },
	{ "drop of a spoofed source",
	  1,
	  false,
	  0,
	  { .src_mac = 1, .dst_mac = 2, .src = "10.1.0.99", .dst = "10.1.0.12" } },
	{ "drop of a spoofed source observed",
	  1,
	  false,
	  WF_OBSERVE_DROPS,
	  { .src_mac = 1, .dst_mac = 2, .src = "10.1.0.99", .dst = "10.1.0.12" } },
};

static struct wf_dp *dp;

static void put_config(const struct wf_config_value *config)
{
	prog_lab_check(wf_dp_config_set(dp, config, NULL), "config");
}

static void put_more_addresses(void)
{
	const struct wf_addr_value value = { .slot = 9 };

	for (__u32 i = 0; i < MORE_ADDRESSES; i++) {
		const struct wf_addr addr = { .words = { 1, 2, 3, i } };

		prog_lab_check(wf_dp_address_set(dp, 100, &addr, &value, NULL), "address");
	}
}

static __u32 measure(int prog_fd, __u32 slot, const struct packet *packet)
{
	__u32 action;

	return prog_lab_run(prog_fd, slot, packet, REPEAT, &action);
}

/* 0: nothing measured yet. */
static void keep_least(__u32 *least, __u32 ns)
{
	if (!*least || ns < *least)
		*least = ns;
}

#define INSN(op, dst, src, offset, value)                                                         \
	{                                                                                         \
		.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value) \
	}

static int load(const struct bpf_insn *insns, size_t count)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "bench", "GPL", insns, count, NULL);

	prog_lab_check(fd < 0 ? -errno : 0, "bench program");
	return fd;
}

static int load_empty(void)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(insns, WF_ARRAY_LEN(insns));
}

/* Looks 10.1.0.12 of network 1 up and redirects to its peer: no check at all. */
static int load_bare(void)
{
	_cleanup_close_ int map_fd = bpf_obj_get(LAB_PINS "/maps/wf_addresses");
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -24, 1),
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 0),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -8, (__s32)__builtin_bswap32(0xffff)),
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, (__s32)__builtin_bswap32(0x0a01000c)),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -24),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map_fd),
		INSN(0, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 1, 0, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, WF_IFINDEX_BASE),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_peer),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(insns, WF_ARRAY_LEN(insns));
}

static void print(bool json, const char *name, __u32 ns, bool is_last)
{
	if (json)
		(void)printf("  {\"path\": \"%s\", \"ns\": %u}%s\n", name, ns, is_last ? "" : ",");
	else
		(void)printf("%-36s %6u ns\n", name, ns);
}

static void measure_path(const struct path *path, __u32 *least)
{
	const struct wf_config_value config = { .observe = path->observe,
						.host_ifindex = WORLD_HOST_DEVICE };
	enum wf_dp_program program = path->egress ? WF_DP_TO_CONTAINER : WF_DP_FROM_CONTAINER;
	struct packet packet;

	packet_build(&path->packet, &packet);
	put_config(&config);
	keep_least(least, measure(wf_dp_program_fd(dp, program), path->slot, &packet));
}

static void measure_paths(bool json)
{
	__u32 least[WF_ARRAY_LEN(paths)] = {};

	for (int turn = 0; turn < TURNS; turn++)
		for (size_t i = 0; i < WF_ARRAY_LEN(paths); i++)
			measure_path(&paths[i], &least[i]);
	for (size_t i = 0; i < WF_ARRAY_LEN(paths); i++)
		print(json, paths[i].name, least[i], i + 1 == WF_ARRAY_LEN(paths));
}

/* ---- policies ------------------------------------------------------------------------------ */

#define MANY_RULES 10000

/* Allows every port, each by a rule of its own. */
static void put_profile(__u32 profile, __u32 count)
{
	static struct rule rules[MANY_RULES];

	for (__u32 i = 0; i < count; i++)
		rules[i] = (struct rule){ i ? IPPROTO_TCP : 0, (__u16)i, WF_POLICY_ALLOW, 1 };
	rules_profile(dp, profile, rules, count);
}

#define ACK     0x10
#define SYN     0x02
#define RST_ACK 0x14

/* Both ends are under the profile. */
static const struct policy_path {
	const char *name;
	__u32 profile;
	__u8 tcp_flags;
} policy_paths[] = {
	{ "tcp4, no policy", 0, ACK },
	{ "tcp4, policy, established", 2, ACK },
	/* a reset is never remembered and begins nothing: the judge alone */
	{ "tcp4, judged by 10 rules", 2, RST_ACK },
	{ "tcp4, judged by 10000 rules", 3, RST_ACK },
	/* the record of the first one is there for all that follow */
	{ "tcp4, SYN, 10 rules", 2, SYN },
	{ "tcp4, SYN, 10000 rules", 3, SYN },
};

static void measure_policy(const struct policy_path *path, __u32 *least)
{
	const struct packet_spec spec = { .src_mac = 1,
					  .dst_mac = 2,
					  .src = "10.1.0.11",
					  .dst = "10.1.0.12",
					  .dport = 9000,
					  .tcp_flags = path->tcp_flags };
	struct packet packet;

	rules_subject(dp, 1, path->profile, path->profile, 1);
	rules_subject(dp, 2, path->profile, path->profile, 1);
	prog_lab_check(wf_dp_policy_revise(dp, NULL), "revise");
	packet_build(&spec, &packet);
	keep_least(least, measure(wf_dp_program_fd(dp, WF_DP_FROM_CONTAINER), 1, &packet));
}

static void measure_policies(bool json)
{
	const struct wf_config_value config = { .host_ifindex = WORLD_HOST_DEVICE };
	__u32 least[WF_ARRAY_LEN(policy_paths)] = {};

	put_config(&config);
	put_profile(2, 10);
	put_profile(3, MANY_RULES);
	for (int turn = 0; turn < TURNS; turn++)
		for (size_t i = 0; i < WF_ARRAY_LEN(policy_paths); i++)
			measure_policy(&policy_paths[i], &least[i]);
	for (size_t i = 0; i < WF_ARRAY_LEN(policy_paths); i++)
		print(json, policy_paths[i].name, least[i], false);
	rules_reset(dp);
}

static void measure_floor(bool json, const char *name, int prog_fd)
{
	struct packet packet;
	__u32 least = 0;

	packet_build(&paths[0].packet, &packet);
	for (int turn = 0; turn < TURNS; turn++)
		keep_least(&least, measure(prog_fd, 1, &packet));
	print(json, name, least, false);
}

static void measure_open(bool json)
{
	__u64 started = wf_clock_monotonic_ns();
	struct wf_dp *again = NULL;

	prog_lab_check(wf_dp_open(LAB_BPF_DIR, NULL, &again, NULL), "open");
	print(json, "opening, adopted", (__u32)(wf_clock_monotonic_ns() - started), false);
	wf_dp_close(&again);
}

int main(int argc, char **argv)
{
	bool json = argc == 3 && strcmp(argv[1], "-o") == 0 && strcmp(argv[2], "json") == 0;

	if (argc > 1 && !json) {
		(void)fprintf(stderr, "usage: %s [-o json]\n", argv[0]);
		return 2;
	}
	dp = prog_lab_open();
	put_more_addresses();
	if (json)
		(void)printf("[\n");
	measure_open(json);
	measure_floor(json, "empty program", load_empty());
	measure_floor(json, "bare hash look-up and redirect_peer", load_bare());
	measure_policies(json);
	measure_paths(json);
	if (json)
		(void)printf("]\n");
	prog_lab_close(dp);
	return 0;
}
