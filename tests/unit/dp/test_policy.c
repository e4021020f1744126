/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What policies say, natively: the look-up of verdicts against a model that reads a run from its
 * start, and what a CPU remembers of verdicts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "native.h"

#include "lib/judge.h"
#include "lib/policy.h"
#include "lib/transport.h"

#include "packet.h"

#define RUNS     40
#define ROUNDS   400
#define ASKED    200
#define PROFILES 8
#define CLASSES  6

static __u32 seed = 1;

static __u32 random_below(__u32 most)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % most;
}

static int compare(const void *a, const void *b)
{
	const __u32 x = *(const __u32 *)a & WF_POLICY_AT_START;
	const __u32 y = *(const __u32 *)b & WF_POLICY_AT_START;

	return (x > y) - (x < y);
}

/* A random run of up to 60 rules from *next on, sorted and without a gap. */
static struct wf_policy_run random_run(__u32 *next)
{
	struct wf_policy_run run = { .first = *next, .count = random_below(60) };
	__u32 starts[60], count = 0;

	for (__u32 i = 0; i < run.count; i++)
		starts[i] = i ? random_below(4) << 22 | random_below(1 << 17) : 0;
	qsort(starts, run.count, sizeof(starts[0]), compare);
	for (__u32 i = 0; i < run.count; i++) {
		if (i && starts[i] == starts[i - 1])
			continue;
		native.rules[*next].at = starts[i] | random_below(3) << WF_POLICY_AT_VERDICT;
		native.rules[(*next)++].rule = random_below(1000);
		count++;
	}
	run.count = count;
	return run;
}

/* The model: the last rule of the run that starts at `at` or before. */
static void read_through(const struct wf_policy_run *run, __u32 at, struct wf_event_end *end)
{
	end->verdict = WF_POLICY_DENY;
	end->rule = 0;
	for (__u32 i = run->first; i < run->first + run->count; i++) {
		if ((native.rules[i].at & WF_POLICY_AT_START) > at)
			break;
		end->verdict = native.rules[i].at >> WF_POLICY_AT_VERDICT;
		end->rule = native.rules[i].rule;
	}
}

static void model_end(struct wf_event_end *end, __u32 slot, __u32 dir, __u32 peer, __u32 at)
{
	const struct wf_policy_run *run;

	*end = (struct wf_event_end){ .verdict = WF_POLICY_ALLOW };
	end->profile = native.subjects[slot].profile[dir];
	if (!end->profile)
		return;
	end->class_id = native.subjects[peer].class_id[0];
	run = &native.profiles[end->profile];
	for (__u32 i = 0; i < native.pair_count; i++)
		if (native.pairs[i].key.profile == end->profile &&
		    native.pairs[i].key.class_id == end->class_id)
			run = &native.pairs[i].run;
	read_through(run, at, end);
}

static void fill_tables(void)
{
	__u32 next = 0;

	for (__u32 i = 1; i < PROFILES; i++)
		native.profiles[i] = random_run(&next);
	native.pair_count = random_below(RUNS - PROFILES);
	for (__u32 i = 0; i < native.pair_count; i++) {
		native.pairs[i].key.profile = 1 + i / CLASSES % (PROFILES - 1);
		native.pairs[i].key.class_id = i % CLASSES;
		native.pairs[i].run = random_run(&next);
	}
	assert_true(next < NATIVE_RULES);
	for (__u32 slot = 0; slot < NATIVE_SLOTS; slot++)
		native.subjects[slot] = (struct wf_policy_subject_value){
			.profile = { random_below(PROFILES), random_below(PROFILES) },
			.class_id = { random_below(CLASSES), random_below(CLASSES) },
		};
}

/* An edge of some rule, or anywhere: most mistakes are made at edges. */
static __u32 random_at(void)
{
	__u32 at = native.rules[random_below(300)].at & WF_POLICY_AT_START;

	if (random_below(4) == 0)
		return random_below(1 << 24);
	return at ? at - random_below(2) : 0;
}

static void verdicts_are_those_of_the_model(void **state)
{
	__u32 seen[WF_POLICY_VERDICT_COUNT] = {};

	for (int round = 0; round < ROUNDS; round++) {
		native_reset();
		fill_tables();
		for (int i = 0; i < ASKED; i++) {
			__u32 at = random_at();
			struct wf_question question = { .from = random_below(NATIVE_SLOTS),
							.to = random_below(NATIVE_SLOTS),
							.proto = at >> 16,
							.port = at & 0xffff };
			struct wf_event_end in, out;
			struct wf_answer answer, again;
			int r = wf_policy_ask(&question, &answer);

			/* the second time from memory */
			assert_int_equal(wf_policy_ask(&question, &again), r);
			assert_memory_equal(&again, &answer, sizeof(answer));
			if (question.from == question.to) {
				assert_int_equal(r, 0);
				continue;
			}
			model_end(&out, question.from, WF_POLICY_EGRESS, question.to, at);
			model_end(&in, question.to, WF_POLICY_INGRESS, question.from, at);
			assert_memory_equal(&answer.ends[WF_POLICY_EGRESS], &out, sizeof(out));
			assert_memory_equal(&answer.ends[WF_POLICY_INGRESS], &in, sizeof(in));
			assert_int_equal(r, out.verdict == WF_POLICY_DENY ? -WF_REASON_POLICY_EGRESS
					    : in.verdict == WF_POLICY_DENY
						    ? -WF_REASON_POLICY_INGRESS
						    : 0);
			seen[answer.verdict]++;
		}
	}
	for (__u32 i = 0; i < WF_POLICY_VERDICT_COUNT; i++)
		assert_true(seen[i] > ROUNDS);
}

/* What is missing denies: no profile, an empty run, a run that points nowhere. */
static void gaps_deny(void **state)
{
	const struct wf_question question = { .from = 1, .to = 2, .proto = 6, .port = 80 };
	struct wf_answer answer;

	native_reset();
	assert_int_equal(wf_policy_ask(&question, &answer), 0);
	native.subjects[2].profile[WF_POLICY_INGRESS] = WF_POLICY_PROFILE_DENY_ALL;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.subjects[2].profile[WF_POLICY_INGRESS] = NATIVE_PROFILES + 1;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.subjects[2].profile[WF_POLICY_INGRESS] = 3;
	native.profiles[3] = (struct wf_policy_run){ .first = NATIVE_RULES, .count = 7 };
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_VERDICT_COUNT, 0, 0);
	native.profiles[3] = (struct wf_policy_run){ .first = 0, .count = 1 };
	native.config.revision++;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.config.revision++;
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_ALLOW, 0, 0);
	assert_int_equal(wf_policy_ask(&question, &answer), 0);
}

/* Looked up once for a revision; a new one, another class, port or profile is not confused with it. */
static void answers_are_remembered_for_their_revision(void **state)
{
	struct wf_question question = { .from = 1, .to = 2, .proto = 6, .port = 80 };
	struct wf_answer answer;

	native_reset();
	native.subjects[2].profile[WF_POLICY_INGRESS] = 3;
	native.profiles[3] = (struct wf_policy_run){ 0, 1 };
	native.rules[0] = (struct wf_policy_rule_value){ WF_POLICY_AT(WF_POLICY_ALLOW, 0, 0), 9 };
	assert_int_equal(wf_policy_ask(&question, &answer), 0);
	/* shows that it is from memory: tables do not change without a revision otherwise */
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_DENY, 0, 0);
	assert_int_equal(wf_policy_ask(&question, &answer), 0);
	assert_int_equal(answer.rule, 9);
	question.port = 81;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	question.port = 80;
	question.proto = 17;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	question.proto = 6;
	native.subjects[1].class_id[0] = 5;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.subjects[1].class_id[0] = 0;
	native.subjects[2].profile[WF_POLICY_INGRESS] = 4;
	native.profiles[4] = native.profiles[3];
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
	native.subjects[2].profile[WF_POLICY_INGRESS] = 3;
	assert_int_equal(wf_policy_ask(&question, &answer), 0);
	native.config.revision++;
	assert_int_equal(wf_policy_ask(&question, &answer), -WF_REASON_POLICY_INGRESS);
}

/* ---- what is remembered -------------------------------------------------------------------- */

static int run_tcp(__u32 slot, const char *src, const char *dst, __u8 flags, __u16 sport)
{
	const struct packet_spec spec = { .src_mac = (__u16)slot,
					  .dst_mac = slot == 1 ? 2 : 1,
					  .src = src,
					  .dst = dst,
					  .tcp_flags = flags,
					  .sport = sport,
					  .dport = slot == 1 ? 80 : 40000 };
	struct packet packet;
	struct wf_ctx ctx;
	int r;

	packet_build(&spec, &packet);
	native_packet(&ctx, packet.bytes, (__u32)packet.len);
	ctx.ifindex = WF_IFINDEX_BASE + slot;
	r = native_run(&ctx, false);
	native_packet_done(&ctx);
	return r;
}

static int from_one(__u8 flags)
{
	return run_tcp(1, "10.1.0.11", "10.1.0.12", flags, 40000);
}

static void guard_two(__u32 verdict)
{
	native.endpoints[2].flags |= WF_EP_GUARDED;
	native.subjects[2].profile[WF_POLICY_INGRESS] = 2;
	native.profiles[2] = (struct wf_policy_run){ 0, 1 };
	native.rules[0] = (struct wf_policy_rule_value){ WF_POLICY_AT(verdict, 0, 0), 9 };
}

/* And of what it sends: its answers have to be known, so connections have records. */
static void guard_two_both_ways(__u32 verdict)
{
	guard_two(verdict);
	native.subjects[2].profile[WF_POLICY_EGRESS] = 3;
	native.profiles[3] = (struct wf_policy_run){ 1, 1 };
	native.rules[1] = (struct wf_policy_rule_value){ WF_POLICY_AT(WF_POLICY_ALLOW, 0, 0), 8 };
}

static void nobody_guarded_is_never_judged(void **state)
{
	native_reset();
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, 0);
	assert_int_equal(native_conns.state.live, 0);
}

static void an_established_flow_is_judged_once_a_moment(void **state)
{
	__u32 questions;

	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(native_conns.state.live, 1);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	questions = native.verdict_questions;
	for (int i = 0; i < 100; i++)
		assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	/* what ends it is noted without a look; another moment and another revision need one */
	assert_int_equal(from_one(WF_TCP_FIN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	assert_true(native_conns.records[1].flags & WF_CONN_FIN_ORIGINAL);
	native.now_s++;
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_true(native.verdict_questions > questions);
	questions = native.verdict_questions;
	native.config.revision++;
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_true(native.verdict_questions > questions);
	/* a change without a new revision is not seen within the moment, with one it is */
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_DENY, 0, 0);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	native.config.revision++;
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_SHOT);
	assert_int_equal(native.drops[WF_REASON_POLICY_INGRESS].packets, 1);
	assert_int_equal(native.hits[9].packets, 2);
}

/* What one sender may, another with the same tuple may not: the slot is part of it. */
static void remembered_verdicts_are_the_senders(void **state)
{
	native_reset();
	guard_two(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	for (__u32 i = 0; i < NATIVE_VERDICTS; i++)
		for (int dir = 0; dir < 2; dir++)
			native.verdicts[i].ends[dir] ^= WF_VERDICT_ENDS(6, 0);
	memset(native.memos, 0, sizeof(native.memos));
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_DENY, 0, 0);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_SHOT);
}

static int from_two(__u8 flags)
{
	return run_tcp(2, "10.1.0.12", "10.1.0.11", flags, 80);
}

/* What follows the acceptance needs no second look; that of nothing is no acceptance. */
static void an_acceptance_is_good_for_what_follows(void **state)
{
	__u32 questions;

	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	assert_int_equal(from_two(WF_TCP_SYN | WF_TCP_ACK), TC_ACT_REDIRECT);
	questions = native.verdict_questions;
	assert_int_equal(from_two(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_true(native.verdict_questions > questions);
	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(from_two(WF_TCP_SYN | WF_TCP_ACK), TC_ACT_REDIRECT);
	questions = native.verdict_questions;
	assert_int_equal(from_two(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	/* the record still learns of the handshake's end, and of the connection's */
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native_conns.records[1].phase, WF_CONN_ESTABLISHED);
	assert_int_equal(from_two(WF_TCP_RST), TC_ACT_REDIRECT);
	assert_int_equal(native_conns.records[1].phase, WF_CONN_CLOSED);
}

/* Both sides of a whole connection; its first packet alone is judged. */
static void run_connection(void)
{
	const struct wf_conn *conn = &native_conns.records[1];
	__u32 questions;

	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_NEW);
	questions = native.verdict_questions;
	/* half of one: without the acceptance there is nothing to acknowledge */
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_NEW);
	assert_int_equal(from_two(WF_TCP_SYN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_NEW);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_ESTABLISHED);
	assert_int_equal(from_two(WF_TCP_FIN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_ESTABLISHED);
	assert_int_equal(from_one(WF_TCP_FIN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_CLOSING);
	assert_int_equal(from_two(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	assert_int_equal(native_conns.state.live, 1);
}

static void a_connection_is_judged_once(void **state)
{
	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	run_connection();
	/* and once more with the same ports */
	run_connection();
	/* a revision that forbids it ends it with the next packet, whichever it is */
	native.rules[0].at = WF_POLICY_AT(WF_POLICY_DENY, 0, 0);
	native.config.revision++;
	assert_int_equal(from_two(WF_TCP_FIN | WF_TCP_ACK), TC_ACT_SHOT);
	assert_int_equal(from_one(WF_TCP_RST), TC_ACT_SHOT);
}

/* A packet between a container of another node and the second one here. */
static void far_packet(struct wf_ctx *ctx, struct wf_ip *ret_ip, __u8 flags, bool is_answer)
{
	const struct packet_spec spec = { .src_mac = is_answer ? 2 : 1,
					  .dst_mac = is_answer ? 1 : 2,
					  .src = is_answer ? "10.1.0.12" : "10.1.0.99",
					  .dst = is_answer ? "10.1.0.99" : "10.1.0.12",
					  .tcp_flags = flags,
					  .sport = is_answer ? 80 : 40000,
					  .dport = is_answer ? 40000 : 80 };
	struct packet packet;

	packet_build(&spec, &packet);
	native_packet(ctx, packet.bytes, (__u32)packet.len);
	ctx->ifindex = WF_IFINDEX_BASE + 2;
	assert_int_equal(wf_work_parse(ctx, ETH_HLEN, ret_ip), 0);
}

/* What the judge says of the first packet, which came by a hook. */
static int begin_from_afar(__u32 hook)
{
	const __u32 how = WF_GUARD_HOW(WF_WAY_PEER, hook, WF_EP_GUARDED);
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	__u32 type;
	int r;

	far_packet(&ctx, &ip, WF_TCP_SYN, false);
	assert_int_equal(wf_guard_call(&ctx, WF_SLOT_NOBODY, 2, how), WF_NEXT(WF_STAGE_POLICY));
	r = wf_judge_stage(&ctx, wf_map_work(), &type);
	native_packet_done(&ctx);
	return r;
}

/* Whether the guard lets a packet pass by itself. */
static bool guard_knows(__u8 flags, bool is_answer)
{
	const __u32 hook = is_answer ? WF_HOOK_FROM_CONTAINER : WF_HOOK_FROM_OVERLAY;
	const __u32 way = is_answer ? WF_WAY_REMOTE : WF_WAY_PEER;
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	int r;

	far_packet(&ctx, &ip, flags, is_answer);
	r = wf_guard(&ctx, &ip, is_answer ? 2 : WF_SLOT_NOBODY, is_answer ? WF_SLOT_NOBODY : 2,
		     WF_GUARD_HOW(way, hook, WF_EP_GUARDED));
	native_packet_done(&ctx);
	return r == 0;
}

/* The same between nodes; what the host's stack brings may be answered another way. */
static void a_connection_between_nodes_is_judged_once(void **state)
{
	(void)state;
	native_reset();
	guard_two(WF_POLICY_ALLOW);
	assert_int_equal(begin_from_afar(WF_HOOK_FROM_HOST), TC_ACT_REDIRECT);
	assert_false(guard_knows(WF_TCP_SYN | WF_TCP_ACK, true));
	native_reset();
	guard_two(WF_POLICY_ALLOW);
	assert_false(guard_knows(WF_TCP_SYN | WF_TCP_ACK, true));
	assert_int_equal(begin_from_afar(WF_HOOK_FROM_OVERLAY), TC_ACT_REDIRECT);
	assert_false(guard_knows(WF_TCP_SYN, true));
	assert_true(guard_knows(WF_TCP_SYN | WF_TCP_ACK, true));
	assert_true(guard_knows(WF_TCP_ACK, false));
	assert_int_equal(native_conns.records[1].phase, WF_CONN_ESTABLISHED);
	assert_true(guard_knows(WF_TCP_RST, true));
	assert_int_equal(native_conns.records[1].phase, WF_CONN_CLOSED);
	native.config.revision++;
	assert_false(guard_knows(WF_TCP_ACK, true));
}

/* The record went to another connection: its packets do nothing to that one, and are judged. */
static void a_record_of_another_life_is_left_alone(void **state)
{
	struct wf_conn *conn = &native_conns.records[1];
	__u32 questions;

	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	questions = native.verdict_questions;
	conn->guard += WF_CONN_LIFE;
	conn->tuple[WF_DIR_ORIGINAL].sport++;
	conn->tuple[WF_DIR_REPLY].dport++;
	assert_int_equal(from_one(WF_TCP_RST | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(conn->phase, WF_CONN_NEW);
	assert_true(native.verdict_questions > questions);
}

static void connections_of_policies_spare_the_owners_counters(void **state)
{
	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(native_conns.owners[1].owned, 1);
	assert_int_equal(native_conns.owners[1].calling, 0);
	assert_int_equal(native_conns.owners[2].backing, 0);
}

static void a_full_table_drops(void **state)
{
	native_reset();
	guard_two_both_ways(WF_POLICY_ALLOW);
	native_conns.state.quota = 1;
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	assert_int_equal(run_tcp(1, "10.1.0.11", "10.1.0.12", WF_TCP_SYN, 40001), TC_ACT_SHOT);
	assert_int_equal(native.drops[WF_REASON_CONN_QUOTA].packets, 1);
}

/* ---- connections without a record ----------------------------------------------------------- */

static void free_answers_are_judged_once_a_moment(void **state)
{
	__u32 questions;

	native_reset();
	guard_two(WF_POLICY_ALLOW);
	assert_int_equal(from_one(WF_TCP_SYN), TC_ACT_REDIRECT);
	questions = native.verdict_questions;
	assert_int_equal(from_two(WF_TCP_SYN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(from_two(WF_TCP_FIN | WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(from_one(WF_TCP_RST), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	native.now_s++;
	assert_int_equal(from_two(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_true(native.verdict_questions > questions);
	questions = native.verdict_questions;
	assert_int_equal(from_one(WF_TCP_ACK), TC_ACT_REDIRECT);
	assert_int_equal(native.verdict_questions, questions);
	assert_int_equal(native_conns.state.live, 0);
	/* another sender with the same tuple is another one */
	for (__u32 i = 0; i < NATIVE_VERDICTS; i++)
		native.verdicts[i].ends[0] ^= WF_VERDICT_ENDS(6, 0);
	assert_int_equal(from_one(WF_TCP_FIN), TC_ACT_REDIRECT);
	assert_true(native.verdict_questions > questions);
}

/* Whoever speaks for a connection of which nothing was seen for long speaks for none. */
static void silence_ends_what_may_be_quoted(void **state)
{
	struct wf_tuple tuple = { .sport = bpf_htons(40000),
				  .dport = bpf_htons(80),
				  .proto = IPPROTO_TCP,
				  .site = WF_SITE_CONTAINER };
	struct wf_verdict_news news = { .from = 1, .to = 2, .is_pair = 1 };
	struct wf_tuple answer;

	native_reset();
	native.now_s = 1000;
	tuple.src.words[3] = bpf_htonl(0x0a01000b);
	tuple.dst.words[3] = bpf_htonl(0x0a01000c);
	wf_tuple_turn(&tuple, &answer);
	assert_false(wf_verdict_any(&tuple));
	/* one with a record is quoted by that */
	news.conn = 1;
	news.life = 9;
	(void)wf_verdict_keep(&tuple, &news);
	assert_false(wf_verdict_any(&tuple));
	news.conn = news.life = 0;
	news.is_untracked = 1;
	(void)wf_verdict_keep(&tuple, &news);
	assert_true(wf_verdict_any(&tuple));
	assert_true(wf_verdict_any(&answer));
	native.now_s += WF_VERDICT_FRESH;
	assert_true(wf_verdict_any(&tuple));
	native.now_s++;
	assert_false(wf_verdict_any(&tuple));
	answer.sport++;
	native.now_s -= 2;
	assert_false(wf_verdict_any(&answer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_the_model),
		cmocka_unit_test(gaps_deny),
		cmocka_unit_test(answers_are_remembered_for_their_revision),
		cmocka_unit_test(nobody_guarded_is_never_judged),
		cmocka_unit_test(an_established_flow_is_judged_once_a_moment),
		cmocka_unit_test(remembered_verdicts_are_the_senders),
		cmocka_unit_test(a_connection_is_judged_once),
		cmocka_unit_test(a_connection_between_nodes_is_judged_once),
		cmocka_unit_test(a_record_of_another_life_is_left_alone),
		cmocka_unit_test(an_acceptance_is_good_for_what_follows),
		cmocka_unit_test(connections_of_policies_spare_the_owners_counters),
		cmocka_unit_test(a_full_table_drops),
		cmocka_unit_test(free_answers_are_judged_once_a_moment),
		cmocka_unit_test(silence_ends_what_may_be_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
