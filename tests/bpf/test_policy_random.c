/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random documents over random worlds, compiled by the engine into the real tables: what the
 * programs do with the first packet of a connection, and what they answer when they are asked about
 * one, is what the oracle says. Endpoints, this node and addresses outside talk to each other, over
 * both families and all protocols; policies and labels change in between.
 *
 *   test_bpf_policy_random [SEED]        WEFT_DECISIONS=N: how many (30,000)
 *
 * What differs is printed with the seed and with as few documents as still show it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/abi/reason.h>

#include "documents.h"
#include "engine_lab.h"
#include "lab.h"
#include "shrink.h"
#include "trial.h"
#include "worlds.h"

#define PER_STEP      1000 /* decisions between two changes */
#define STEPS         6
#define BEFORE        300 /* questions while nothing is in force */
#define DOCUMENTS_MAX 12
#define FLIP_WORLDS   4
#define FLIP_TRIES    200

struct trial {
	struct random random;
	uint64_t seed;
	json_t *world, *documents;
	struct lab lab;
	struct oracle_party parties[WORLDS_PARTIES_MAX];
	size_t party_count;
	struct oracle_pair pairs[2]; /* by enum oracle_dir */
	uint64_t decisions, verdicts[3], denied, ways[4];
	int names;
};

static uint64_t wanted = 30000, first_seed = 1;
static struct trial trial;

/* ---- asking -------------------------------------------------------------------------------- */

static void gather_parties(struct trial *t)
{
	t->party_count = worlds_parties(t->world, t->parties);
	assert_in_range(t->party_count, 1, WORLDS_PARTIES_MAX);
}

static const struct oracle_party *some_party(struct trial *t)
{
	/* nodes and whoever is outside are few beside the endpoints */
	size_t few = t->party_count < 20 ? t->party_count : 20;

	return random_often(&t->random, 30)
		       ? &t->parties[t->party_count - 1 - random_below(&t->random, (uint32_t)few)]
		       : &t->parties[random_below(&t->random, (uint32_t)t->party_count)];
}

static struct trial_question some_question(struct trial *t)
{
	struct trial_question question;

	do {
		struct documents_port port = documents_port_random(&t->random);

		question = (struct trial_question){ some_party(t), some_party(t), port.proto,
						    port.port };
	} while (!trial_can_ask(&question));
	return question;
}

static void ask_oracle(struct oracle_pair pairs[2], const json_t *world, const json_t *documents,
		       const struct trial_question *question, enum oracle_verdict ret_verdicts[2])
{
	for (int dir = 0; dir < 2; dir++) {
		oracle_pair_open(&pairs[dir], world, documents, (enum oracle_dir)dir, question->src,
				 question->dst);
		ret_verdicts[dir] = oracle_pair_ask(&pairs[dir], question->proto, question->port);
	}
}

/* Whether programs and oracle agree: on each end, and on what becomes of the packet. */
static bool agrees(const enum oracle_verdict right[2], const struct trial_answer *answer)
{
	bool may_pass = oracle_both(right[0], right[1]) != ORACLE_DENY;
	__u32 reason = right[ORACLE_EGRESS] == ORACLE_DENY ? WF_REASON_POLICY_EGRESS
							   : WF_REASON_POLICY_INGRESS;

	return answer->verdict[0] == right[0] && answer->verdict[1] == right[1] &&
	       answer->passes == may_pass && answer->reason == (may_pass ? 0 : reason);
}

/* ---- when they differ ---------------------------------------------------------------------- */

struct difference {
	const json_t *world;
	const char *src, *dst;
	int proto, port;
};

/* Whether tables that are written from the start are wrong about it as well. */
static bool differs_afresh(const json_t *documents, void *context)
{
	const struct difference *difference = context;
	const struct wf_policy_memory memory = trial_memory();
	const struct wf_policy_effects effects = trial_effects();
	struct trial_question question = { .proto = difference->proto, .port = difference->port };
	struct oracle_pair pairs[2] = { 0 };
	struct oracle_party src, dst;
	enum oracle_verdict right[2];
	struct trial_answer answer;
	struct lab lab;

	oracle_party_find(&src, difference->world, difference->src);
	oracle_party_find(&dst, difference->world, difference->dst);
	question.src = &src;
	question.dst = &dst;
	trial_enter(difference->world);
	lab_open_over(&lab, &memory, &effects, difference->world, documents);
	ask_oracle(pairs, difference->world, documents, &question, right);
	trial_ask(&question, &answer);
	lab_close(&lab);
	oracle_pair_done(&pairs[0]);
	oracle_pair_done(&pairs[1]);
	return !agrees(right, &answer);
}

__attribute__((noreturn)) static void fail_with(struct trial *t,
						const struct trial_question *question,
						const enum oracle_verdict right[2],
						const struct trial_answer *answer)
{
	struct difference difference = { t->world, question->src->address, question->dst->address,
					 question->proto, question->port };
	bool afresh = differs_afresh(t->documents, &difference);
	json_t *documents = afresh ? shrink_documents(t->documents, differs_afresh, &difference)
				   : json_incref(t->documents);

	fprintf(stderr, "seed %llu, decision %llu%s\n", (unsigned long long)t->seed,
		(unsigned long long)t->decisions,
		afresh ? "" : " (tables written from the start are right: a change went wrong)");
	shrink_print(t->world, documents, question->src, question->dst);
	fprintf(stderr,
		"protocol %d, port %d: oracle egress %s, ingress %s; programs egress %s, ingress "
		"%s, reason %u, the packet %s\n",
		question->proto, question->port, oracle_verdict_name(right[ORACLE_EGRESS]),
		oracle_verdict_name(right[ORACLE_INGRESS]),
		oracle_verdict_name(answer->verdict[ORACLE_EGRESS]),
		oracle_verdict_name(answer->verdict[ORACLE_INGRESS]), answer->reason,
		answer->passes ? "passes" : "is dropped");
	json_decref(documents);
	fail_msg("programs and oracle differ");
	abort();
}

/* ---- a world --------------------------------------------------------------------------------- */

/* Which programs had a say: container to container, out of one, into one, the host and outside. */
static size_t way_of(const struct trial_question *question)
{
	if (question->src->endpoint)
		return question->dst->endpoint ? 0 : 1;
	return question->dst->endpoint ? 2 : 3;
}

static void decide(struct trial *t)
{
	struct trial_question question = some_question(t);
	enum oracle_verdict right[2];
	struct trial_answer answer;

	ask_oracle(t->pairs, t->world, t->documents, &question, right);
	trial_ask(&question, &answer);
	if (!agrees(right, &answer))
		fail_with(t, &question, right, &answer);
	t->verdicts[oracle_both(right[0], right[1])]++;
	t->denied += !answer.passes;
	t->ways[way_of(&question)]++;
	t->decisions++;
}

static json_t *some_document(struct trial *t)
{
	char name[32];

	snprintf(name, sizeof(name), "p%d", t->names++);
	return documents_random(&t->random, t->world, name);
}

/* A policy comes or goes, or an endpoint's labels change, in the tables that are in force. */
static void change(struct trial *t)
{
	json_t *endpoints = json_object_get(t->world, "endpoints"), *endpoint, *other;
	size_t at = random_below(&t->random, (uint32_t)json_array_size(t->documents));

	if (random_often(&t->random, 50)) {
		lab_policy_drop(&t->lab, json_array_get(t->documents, at));
		json_array_remove(t->documents, at);
		other = some_document(t);
		lab_policy_put(&t->lab, other);
		lab_policy_set(t->documents, other);
		return;
	}
	at = random_below(&t->random, (uint32_t)json_array_size(endpoints));
	endpoint = json_array_get(endpoints, at);
	other = worlds_endpoint(&t->random, 1);
	json_object_set(endpoint, "labels", json_object_get(other, "labels"));
	json_decref(other);
	lab_endpoint_put(&t->lab, endpoint);
}

static void draw_documents(struct trial *t)
{
	uint32_t count = 2 + random_below(&t->random, DOCUMENTS_MAX - 1);

	t->documents = json_array();
	while (json_array_size(t->documents) < count)
		lab_policy_set(t->documents, some_document(t));
}

static void begin(struct trial *t, uint64_t seed)
{
	const struct wf_policy_memory memory = trial_memory();
	const struct wf_policy_effects effects = trial_effects();

	t->seed = t->random.state = seed;
	t->denied = 0;
	t->world = worlds_random(&t->random);
	draw_documents(t);
	gather_parties(t);
	trial_enter(t->world);
	/* nothing is in force: every packet arrives, so a drop later is one by policy */
	for (int i = 0; i < BEFORE; i++) {
		struct trial_question question = some_question(t);
		struct trial_answer answer;

		trial_ask(&question, &answer);
		if (!answer.passes)
			fail_msg("seed %llu: %s to %s, protocol %d, port %d does not pass, reason "
				 "%u",
				 (unsigned long long)seed, question.src->address,
				 question.dst->address, question.proto, question.port,
				 answer.reason);
	}
	trial_forget();
	lab_open_over(&t->lab, &memory, &effects, t->world, t->documents);
}

static void end(struct trial *t)
{
	lab_close(&t->lab);
	json_decref(t->world);
	json_decref(t->documents);
}

/* ---- the tests ------------------------------------------------------------------------------- */

/* Turns one verdict round in the table and back; whether the world had such a rule. */
static bool flip_one(struct trial *t, enum oracle_dir dir)
{
	struct trial_question question = some_question(t);
	enum oracle_verdict right[2];
	struct trial_answer answer;

	ask_oracle(t->pairs, t->world, t->documents, &question, right);
	if (!trial_flip(&question, dir))
		return false;
	/* as whoever changes a table says: what programs remember of it holds no more */
	assert_int_equal(wf_dp_policy_revise(trial_dp, NULL), 0);
	trial_forget();
	trial_ask(&question, &answer);
	assert_int_not_equal(answer.verdict[dir], right[dir]);
	assert_false(agrees(right, &answer));
	/* what it does to the packet is seen as well, unless the other end denies anyway */
	if (right[!dir] != ORACLE_DENY)
		assert_int_equal(answer.passes, right[dir] == ORACLE_DENY);
	assert_true(trial_flip(&question, dir));
	assert_int_equal(wf_dp_policy_revise(trial_dp, NULL), 0);
	trial_forget();
	trial_ask(&question, &answer);
	assert_true(agrees(right, &answer));
	return true;
}

/* What is wrong in a table is seen, in either direction: the next test can fail. */
static void a_wrong_entry_is_seen(void **state)
{
	struct trial *t = &trial;
	int flipped[2] = { 0, 0 };

	for (uint64_t seed = first_seed; seed < first_seed + FLIP_WORLDS; seed++) {
		begin(t, seed);
		for (int i = 0; i < FLIP_TRIES; i++) {
			enum oracle_dir dir = i % 2 ? ORACLE_INGRESS : ORACLE_EGRESS;

			flipped[dir] += flip_one(t, dir);
		}
		end(t);
	}
	print_message("flipped: %d ingress, %d egress\n", flipped[ORACLE_INGRESS],
		      flipped[ORACLE_EGRESS]);
	assert_true(flipped[0] >= 20 && flipped[1] >= 20);
}

static void programs_do_what_the_oracle_says(void **state)
{
	struct trial *t = &trial;
	uint64_t by_policy, others, seed = first_seed;

	memset(t->verdicts, 0, sizeof(t->verdicts));
	t->decisions = 0;
	print_message("seed %llu\n", (unsigned long long)first_seed);
	for (; t->decisions < wanted; seed++) {
		begin(t, seed);
		for (int step = 0; step < STEPS; step++) {
			for (int i = 0; i < PER_STEP; i++)
				decide(t);
			change(t);
		}
		trial_drops(&by_policy, &others);
		assert_int_equal(by_policy, t->denied);
		assert_int_equal(others, 0);
		end(t);
	}
	print_message("%llu decisions in %llu worlds: %llu denied, %llu allowed, %llu on trial; "
		      "between containers %llu, from them %llu, to them %llu, of the host %llu\n",
		      (unsigned long long)t->decisions, (unsigned long long)(seed - first_seed),
		      (unsigned long long)t->verdicts[ORACLE_DENY],
		      (unsigned long long)t->verdicts[ORACLE_ALLOW],
		      (unsigned long long)t->verdicts[ORACLE_AUDIT], (unsigned long long)t->ways[0],
		      (unsigned long long)t->ways[1], (unsigned long long)t->ways[2],
		      (unsigned long long)t->ways[3]);
	for (int i = 0; i < 3 && wanted >= 30000; i++) /* in a few worlds all may be alike */
		assert_in_range(t->verdicts[i], t->decisions / 200, t->decisions);
	for (int i = 0; i < 4; i++)
		assert_in_range(t->ways[i], t->decisions / 200, t->decisions);
	oracle_pair_done(&t->pairs[0]);
	oracle_pair_done(&t->pairs[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_entry_is_seen),
		cmocka_unit_test(programs_do_what_the_oracle_says),
	};
	const char *decisions = getenv("WEFT_DECISIONS");

	if (decisions)
		wanted = strtoull(decisions, NULL, 10);
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 10);
	lab_enter();
	return cmocka_run_group_tests(tests, trial_set_up, trial_tear_down);
}
