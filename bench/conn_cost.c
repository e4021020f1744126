/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What policies cost each packet of a TCP connection when memory is as cold as other work leaves it:
 * nanoseconds by BPF_PROG_TEST_RUN, the median over many connections whose ports follow one another
 * as Linux chooses them. Before each packet as much memory is walked through as fits into the nearest
 * cache, before each connection as much as fits into the next. prog_cost measures the same packets
 * warm. Columns: no policy, policies of the server's ingress alone (answers are free, there is no record)
 * and of both directions at both ends (there is one), and what these cost above the first. Needs root;
 * works in namespaces of its own. An argument: KiB to walk through before a connection.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/pkt_cls.h>

#include "base/mem.h"
#include "dp/conn.h"
#include "prog_lab.h"
#include "rules.h"
#include "world.h"

#define CONNECTIONS 2000 /* of one turn */
#define TURNS       12
#define LINE        64
#define NEAR_BYTES  (48 << 10)
#define NEXT_KIB    768
#define MOST_KIB    (64 << 10)

#define FIRST_PORT 32768
#define PORTS      28232

#define FIN 0x01
#define SYN 0x02
#define PSH 0x08
#define ACK 0x10

static const struct step {
	const char *name;
	bool is_reply;
	__u8 tcp_flags;
} steps[] = {
	{ "SYN", false, SYN },      { "SYN ACK", true, SYN | ACK },
	{ "ACK", false, ACK },      { "request", false, PSH | ACK },
	{ "ACK", true, ACK },       { "answer", true, PSH | ACK },
	{ "ACK", false, ACK },      { "FIN", false, FIN | ACK },
	{ "FIN", true, FIN | ACK }, { "last ACK", false, ACK },
};

#define STEPS WF_ARRAY_LEN(steps)

/* Without policies, about what comes in, about both directions. */
enum way {
	NONE,
	INGRESS,
	BOTH,
	WAYS
};

static struct wf_dp *dp;
static size_t next_bytes;
static __u32 taken[WAYS][STEPS][TURNS * CONNECTIONS];
static size_t counts[WAYS];

static void build(void)
{
	const struct wf_config_value config = { .host_ifindex = WORLD_HOST_DEVICE };
	const struct rule rules[] = { { 0, 0, WF_POLICY_ALLOW, 1 } };

	dp = prog_lab_open();
	prog_lab_check(wf_dp_config_set(dp, &config, NULL), "config");
	rules_profile(dp, 2, rules, WF_ARRAY_LEN(rules));
}

static __u32 run(__u32 slot, const struct packet *packet)
{
	__u32 action;
	__u32 ns =
		prog_lab_run(wf_dp_program_fd(dp, WF_DP_FROM_CONTAINER), slot, packet, 1, &action);

	if (action == TC_ACT_SHOT) {
		(void)fprintf(stderr, "a packet was dropped\n");
		exit(EXIT_FAILURE);
	}
	return ns;
}

/* Walks through memory, so that what was there before has to go. */
static void push_out(size_t len)
{
	static volatile char memory[MOST_KIB << 10];

	for (size_t i = 0; i < len; i += LINE)
		memory[i]++;
}

static void build_packet(const struct step *step, unsigned int port, struct packet *ret_packet)
{
	struct packet_spec spec = { .src_mac = step->is_reply ? 2 : 1,
				    .dst_mac = step->is_reply ? 1 : 2,
				    .src = step->is_reply ? "10.1.0.12" : "10.1.0.11",
				    .dst = step->is_reply ? "10.1.0.11" : "10.1.0.12",
				    .sport = step->is_reply ? 9000 : (__u16)port,
				    .dport = step->is_reply ? (__u16)port : 9000,
				    .tcp_flags = step->tcp_flags };

	packet_build(&spec, ret_packet);
}

static void connect_once(enum way way, unsigned int port, bool is_counted)
{
	struct packet packets[STEPS];

	for (size_t i = 0; i < STEPS; i++)
		build_packet(&steps[i], port, &packets[i]);
	push_out(next_bytes);
	for (size_t i = 0; i < STEPS; i++) {
		__u32 ns;

		push_out(NEAR_BYTES);
		ns = run(steps[i].is_reply ? 2 : 1, &packets[i]);
		if (is_counted)
			taken[way][i][counts[way]] = ns;
	}
	counts[way] += is_counted;
}

/* The port that Linux would choose next: one to eight places on, of those with the same parity. */
static unsigned int next_port(unsigned int port)
{
	static __u32 state = 1;

	/* Numerical Recipes' generator; the upper bits are the random ones */
	state = state * 1664525 + 1013904223;
	port += 2 + 2 * (state >> 29);
	return port < FIRST_PORT + PORTS ? port : port - PORTS;
}

static bool remove_all(const struct wf_dp_conn *conn, void *context)
{
	(void)conn;
	(void)context;
	return true;
}

static void measure_turn(enum way way, bool is_counted, size_t count)
{
	static unsigned int port = FIRST_PORT;
	__u32 any = way == NONE ? 0 : 2, both = way == BOTH ? 2 : 0;

	rules_subject(dp, 1, both, both, 1);
	rules_subject(dp, 2, any, both, 1);
	prog_lab_check(wf_dp_policy_revise(dp, NULL), "revise");
	/* who has begun none that has a record is not looked for among them */
	if (way == INGRESS)
		prog_lab_check(wf_dp_conn_visit(dp, remove_all, NULL), "flush");
	for (size_t i = 0; i < count; i++) {
		connect_once(way, port, is_counted);
		port = next_port(port);
	}
}

static int compare(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static __u32 median(__u32 *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static void print_row(const char *name, const int ns[WAYS])
{
	(void)printf("%-10s %5d %5d %5d  %+5d %+5d ns\n", name, ns[NONE], ns[INGRESS], ns[BOTH],
		     ns[INGRESS] - ns[NONE], ns[BOTH] - ns[NONE]);
}

static void print(void)
{
	int sums[WAYS] = {};

	for (size_t i = 0; i < STEPS; i++) {
		int row[WAYS];

		for (int way = 0; way < WAYS; way++) {
			row[way] = (int)median(taken[way][i], counts[way]);
			sums[way] += row[way];
		}
		print_row(steps[i].name, row);
	}
	print_row("in all", sums);
}

int main(int argc, char **argv)
{
	size_t kib = argc > 1 ? strtoul(argv[1], NULL, 10) : NEXT_KIB;

	next_bytes = (kib < MOST_KIB ? kib : MOST_KIB) << 10;
	build();
	measure_turn(BOTH, false, CONNECTIONS);
	for (int turn = 0; turn < TURNS; turn++)
		for (int way = 0; way < WAYS; way++)
			measure_turn(way, true, CONNECTIONS);
	print();
	prog_lab_close(dp);
	return 0;
}
