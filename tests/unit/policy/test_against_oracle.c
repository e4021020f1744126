/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds under random documents: whatever the engine answers, and whatever a program would
 * read from its tables, is what the oracle says, and stays so while policies, endpoints,
 * namespaces, nodes and services come, change and go. While a single change is being made every
 * verdict is the one of before or the one of after.
 *
 *   test_policy_against_oracle [DECISIONS [SEED]]
 *
 * A decision is one question about both directions. What differs is printed with the seed and with
 * as few documents as still show it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cases.h"
#include "documents.h"
#include "engine_lab.h"
#include "shrink.h"
#include "worlds.h"

#define PORTS   24
#define STEPS   20
#define SAMPLE  200
#define WATCHED 60

struct question {
	const struct oracle_party *src, *dst;
	enum oracle_dir dir;
	int proto, port;
	enum oracle_verdict before, after;
};

struct trial {
	struct random random;
	uint64_t seed;
	json_t *world, *documents;
	struct lab lab;
	struct oracle_party parties[WORLDS_PARTIES_MAX];
	size_t party_count;
	struct documents_port ports[PORTS];
	struct oracle_pair out, in;
	struct question watched[WATCHED];
	size_t watched_count;
	uint64_t decisions, verdicts[3], instants;
	int round, step, names;
	bool is_batch; /* changes are being gathered */
	const char *doing;
};

static uint64_t wanted = 300000, first_seed = 1;
static struct trial trial;

/* ---- parties ------------------------------------------------------------------------------- */

static void gather_parties(struct trial *t)
{
	t->party_count = worlds_parties(t->world, t->parties);
	assert_in_range(t->party_count, 1, WORLDS_PARTIES_MAX);
}

static bool can_talk(const struct oracle_party *src, const struct oracle_party *dst)
{
	return src != dst && src->family == dst->family &&
	       (lab_slot(src) != UINT32_MAX || lab_slot(dst) != UINT32_MAX);
}

/* ---- when they differ ---------------------------------------------------------------------- */

/* As it was asked, by address: worlds come and go while documents are dropped. */
struct difference {
	const char *src, *dst;
	enum oracle_dir dir;
	int proto, port;
};

/* Whether an engine that starts with these documents is wrong about it as well. */
static bool differs_afresh(const json_t *world, const json_t *documents,
			   const struct difference *difference)
{
	struct lab *lab = calloc(1, sizeof(*lab));
	struct oracle_pair pair = { 0 };
	struct oracle_party src, dst;
	enum oracle_verdict right, asked, read;

	assert_non_null(lab);
	oracle_party_find(&src, world, difference->src);
	oracle_party_find(&dst, world, difference->dst);
	oracle_pair_open(&pair, world, documents, difference->dir, &src, &dst);
	right = oracle_pair_ask(&pair, difference->proto, difference->port);
	oracle_pair_done(&pair);
	lab_open(lab, world, documents);
	asked = lab_ask(lab, difference->dir, &src, &dst, difference->proto, difference->port);
	read = lab_look_up(lab, difference->dir, &src, &dst, difference->proto, difference->port);
	lab_close(lab);
	free(lab);
	return asked != right || read != right;
}

struct shrinking {
	const json_t *world;
	const struct difference *difference;
};

static bool still_differs(const json_t *documents, void *context)
{
	const struct shrinking *shrinking = context;

	return differs_afresh(shrinking->world, documents, shrinking->difference);
}

__attribute__((noreturn)) static void fail_with(struct trial *t, const struct question *question,
						enum oracle_verdict asked, enum oracle_verdict read)
{
	struct difference difference = { question->src->address, question->dst->address,
					 question->dir, question->proto, question->port };
	bool afresh = differs_afresh(t->world, t->documents, &difference);
	struct shrinking shrinking = { t->world, &difference };
	json_t *documents = afresh ? shrink_documents(t->documents, still_differs, &shrinking)
				   : json_incref(t->documents);

	fprintf(stderr, "seed %llu, round %d, step %d, after: %s%s\n", (unsigned long long)t->seed,
		t->round, t->step, t->doing,
		afresh ? "" : " (an engine that starts with this is right: the change went wrong)");
	shrink_print(t->world, documents, question->src, question->dst);
	fprintf(stderr, "%s, protocol %d, port %d: oracle %s, engine %s, tables %s\n",
		question->dir == ORACLE_INGRESS ? "ingress" : "egress", question->proto,
		question->port, oracle_verdict_name(question->after), oracle_verdict_name(asked),
		oracle_verdict_name(read));
	json_decref(documents);
	fail_msg("engine and oracle differ");
	abort();
}

/* ---- asking -------------------------------------------------------------------------------- */

static void check_one(struct trial *t, struct question *question, const struct oracle_pair *pair)
{
	enum oracle_verdict asked, read;

	question->after = oracle_pair_ask(pair, question->proto, question->port);
	asked = lab_ask(&t->lab, question->dir, question->src, question->dst, question->proto,
			question->port);
	read = lab_look_up(&t->lab, question->dir, question->src, question->dst, question->proto,
			   question->port);
	if (asked != question->after || read != question->after)
		fail_with(t, question, asked, read);
}

/* What an endpoint of another node is subject to is in force there. */
static bool is_judged_here(const struct question *question)
{
	const struct oracle_party *subject =
		question->dir == ORACLE_EGRESS ? question->src : question->dst;

	return !json_is_true(json_object_get(subject->endpoint, "remote"));
}

static void check_pair(struct trial *t, const struct oracle_party *src,
		       const struct oracle_party *dst, int ports)
{
	oracle_pair_open(&t->out, t->world, t->documents, ORACLE_EGRESS, src, dst);
	oracle_pair_open(&t->in, t->world, t->documents, ORACLE_INGRESS, src, dst);
	for (int i = 0; i < ports; i++) {
		struct documents_port port = t->ports[random_below(&t->random, PORTS)];
		struct question out = { src, dst, ORACLE_EGRESS, port.proto, port.port };
		struct question in = { src, dst, ORACLE_INGRESS, port.proto, port.port };

		out.after = in.after = ORACLE_ALLOW;
		if (is_judged_here(&out))
			check_one(t, &out, &t->out);
		if (is_judged_here(&in))
			check_one(t, &in, &t->in);
		t->verdicts[oracle_both(out.after, in.after)]++;
		t->decisions++;
	}
}

static void check_all(struct trial *t)
{
	gather_parties(t);
	for (size_t i = 0; i < PORTS; i++)
		t->ports[i] = documents_port_random(&t->random);
	for (size_t s = 0; s < t->party_count; s++)
		for (size_t d = 0; d < t->party_count; d++)
			if (can_talk(&t->parties[s], &t->parties[d]))
				check_pair(t, &t->parties[s], &t->parties[d], 4);
	lab_check_guards(&t->lab);
}

static void check_some(struct trial *t)
{
	gather_parties(t);
	for (size_t i = 0; i < PORTS; i++)
		t->ports[i] = documents_port_random(&t->random);
	for (int i = 0; i < SAMPLE; i++) {
		const struct oracle_party *src =
			&t->parties[random_below(&t->random, (uint32_t)t->party_count)];
		const struct oracle_party *dst =
			&t->parties[random_below(&t->random, (uint32_t)t->party_count)];

		if (can_talk(src, dst))
			check_pair(t, src, dst, 6);
	}
	lab_check_guards(&t->lab);
}

/* ---- every instant of a change ------------------------------------------------------------- */

static enum oracle_verdict say_now(struct trial *t, const struct question *question)
{
	oracle_pair_open(&t->out, t->world, t->documents, question->dir, question->src,
			 question->dst);
	return oracle_pair_ask(&t->out, question->proto, question->port);
}

/* Chooses questions, and hears the oracle before the change. */
static void watch_before(struct trial *t)
{
	gather_parties(t);
	t->watched_count = 0;
	for (int i = 0; i < 10 * WATCHED && t->watched_count < WATCHED; i++) {
		struct documents_port port = documents_port_random(&t->random);
		struct question question = {
			&t->parties[random_below(&t->random, (uint32_t)t->party_count)],
			&t->parties[random_below(&t->random, (uint32_t)t->party_count)],
			random_often(&t->random, 50) ? ORACLE_INGRESS : ORACLE_EGRESS,
			port.proto,
			port.port,
		};

		if (!can_talk(question.src, question.dst) || !is_judged_here(&question))
			continue;
		question.before = say_now(t, &question);
		t->watched[t->watched_count++] = question;
	}
}

/* After the world and the documents have changed, and before the engine is told. */
static void watch_after(struct trial *t)
{
	for (size_t i = 0; i < t->watched_count; i++)
		t->watched[i].after = say_now(t, &t->watched[i]);
}

static void see_instant(void *context)
{
	struct trial *t = context;

	for (size_t i = 0; i < t->watched_count; i++) {
		const struct question *question = &t->watched[i];
		enum oracle_verdict read =
			lab_look_up(&t->lab, question->dir, question->src, question->dst,
				    question->proto, question->port);

		t->instants++;
		if (read == question->before || read == question->after)
			continue;
		t->lab.watch = NULL;
		fprintf(stderr, "in the middle of it; before: %s\n",
			oracle_verdict_name(question->before));
		fail_with(t, question, read, read);
	}
}

/* ---- changes ------------------------------------------------------------------------------- */

static json_t *new_document(struct trial *t)
{
	char name[32];

	snprintf(name, sizeof(name), "p%d", t->names++);
	return documents_random(&t->random, t->world, name);
}

/* Watches while change() changes the engine; the world and documents are what they are to be. */
static void put_watched(struct trial *t, void (*change)(struct lab *lab, const json_t *object),
			const json_t *object)
{
	if (t->is_batch) {
		change(&t->lab, object);
		return;
	}
	watch_after(t);
	t->lab.watch = see_instant;
	t->lab.watch_context = t;
	change(&t->lab, object);
	see_instant(t);
	t->lab.watch = NULL;
}

static void change_policy(struct trial *t)
{
	uint32_t count = (uint32_t)json_array_size(t->documents);
	json_t *old = count ? json_array_get(t->documents, random_below(&t->random, count)) : NULL;
	json_t *document;

	watch_before(t);
	if (old && random_often(&t->random, 40)) {
		t->doing = "a policy dropped";
		json_incref(old);
		json_array_remove(t->documents, lab_policy_find(t->documents, old));
		put_watched(t, lab_policy_drop, old);
		json_decref(old);
		return;
	}
	document = new_document(t);
	t->doing = "a policy put";
	lab_policy_set(t->documents, document);
	put_watched(t, lab_policy_put, document);
}

/* A document of the same name and another content: the way policies change in life. */
static json_t *rewritten(struct trial *t, const json_t *old)
{
	char *key = lab_policy_key(old);
	json_t *found = NULL;

	for (int i = 0; i < 200 && !found; i++) {
		json_t *document =
			documents_random(&t->random, t->world,
					 oracle_text(json_object_get(old, "metadata"), "name"));
		char *other = lab_policy_key(document);

		if (strcmp(key, other) == 0)
			found = json_incref(document);
		free(other);
		json_decref(document);
	}
	free(key);
	return found;
}

static void replace_policy(struct trial *t)
{
	uint32_t count = (uint32_t)json_array_size(t->documents);
	json_t *document =
		count ? rewritten(t, json_array_get(t->documents, random_below(&t->random, count)))
		      : NULL;

	if (!document)
		return;
	t->doing = "a policy replaced";
	watch_before(t);
	lab_policy_set(t->documents, document);
	put_watched(t, lab_policy_put, document);
}

static void relabel_endpoint(struct trial *t)
{
	json_t *endpoints = json_object_get(t->world, "endpoints");
	size_t at = random_below(&t->random, (uint32_t)json_array_size(endpoints));
	json_t *endpoint = json_array_get(endpoints, at);
	json_t *other = worlds_endpoint(&t->random, 1);

	t->doing = "an endpoint changed";
	watch_before(t);
	json_object_set(endpoint, "labels", json_object_get(other, "labels"));
	if (random_often(&t->random, 30))
		json_object_set(endpoint, "ports", json_object_get(other, "ports"));
	if (random_often(&t->random, 20))
		json_object_set(endpoint, "audit", json_object_get(other, "audit"));
	json_decref(other);
	put_watched(t, lab_endpoint_put, endpoint);
}

static void come_or_go(struct trial *t)
{
	json_t *endpoints = json_object_get(t->world, "endpoints");
	size_t at = random_below(&t->random, (uint32_t)json_array_size(endpoints));
	json_t *endpoint = json_array_get(endpoints, at);
	int slot = (int)json_integer_value(json_object_get(endpoint, "slot"));

	t->doing = "an endpoint went and came";
	lab_endpoint_drop(&t->lab, endpoint);
	json_array_remove(endpoints, at);
	if (!t->is_batch)
		check_some(t);
	if (random_often(&t->random, 25) && json_array_size(endpoints) > 10)
		return;
	endpoint = worlds_endpoint(&t->random, slot);
	json_array_append_new(endpoints, endpoint);
	lab_endpoint_put(&t->lab, endpoint);
}

static void change_namespace(struct trial *t)
{
	const char *name = worlds_namespace_name(&t->random);
	json_t *spaces = json_object_get(t->world, "namespaces"), *space;

	t->doing = "a namespace changed";
	if (json_object_get(spaces, name) && random_often(&t->random, 20)) {
		json_object_del(spaces, name);
		lab_namespace_put(&t->lab, name, NULL);
		return;
	}
	space = worlds_namespace(&t->random);
	json_object_set_new(spaces, name, space);
	lab_namespace_put(&t->lab, name, space);
}

static void change_service(struct trial *t)
{
	json_t *services = json_object_get(t->world, "services");
	size_t at = random_below(&t->random, (uint32_t)json_array_size(services));
	const json_t *old = json_array_get(services, at);
	json_t *changed = worlds_service(&t->random, t->world, oracle_text(old, "namespace"),
					 oracle_text(old, "name"));

	t->doing = "a service changed";
	json_array_set_new(services, at, changed);
	lab_service_put(&t->lab, changed);
}

static void change_node(struct trial *t)
{
	json_t *nodes = json_object_get(t->world, "nodes");
	json_t *node = json_array_get(nodes, random_below(&t->random, 2));

	t->doing = "a node changed";
	json_object_set_new(node, "labels", worlds_labels(&t->random));
	lab_node_put(&t->lab, node);
}

/* Another address, or one fewer; sometimes the one of an endpoint, whose it stays. */
static void move_node(struct trial *t)
{
	json_t *nodes = json_object_get(t->world, "nodes");
	json_t *node = json_array_get(nodes, random_below(&t->random, 2));
	json_t *addresses = json_object_get(node, "addresses");
	const char *address = worlds_address(&t->random, t->world);
	struct oracle_party party;

	t->doing = "a node moved";
	oracle_party_find(&party, t->world, address);
	if (json_array_size(addresses) > 3)
		json_array_remove(addresses, json_array_size(addresses) - 1);
	else if (!party.node)
		json_array_append_new(addresses, json_string(address));
	lab_node_put(&t->lab, node);
}

/* An endpoint gives an address up, or takes one that was outside or a node's. */
static void move_endpoint(struct trial *t)
{
	json_t *endpoints = json_object_get(t->world, "endpoints");
	size_t at = random_below(&t->random, (uint32_t)json_array_size(endpoints));
	json_t *endpoint = json_array_get(endpoints, at);
	json_t *addresses = json_object_get(endpoint, "addresses");
	const char *address = worlds_address(&t->random, t->world);
	struct oracle_party party;

	t->doing = "an endpoint moved";
	oracle_party_find(&party, t->world, address);
	if (lab_is_remote(endpoint))
		lab_addresses_drop(&t->lab, addresses);
	if (json_array_size(addresses) > 1 && random_often(&t->random, 50))
		json_array_remove(addresses, random_below(&t->random, 2));
	else if (!party.endpoint && json_array_size(addresses) < 6)
		json_array_append_new(addresses, json_string(address));
	json_object_set_new(endpoint, "namespace", json_string(worlds_namespace_name(&t->random)));
	lab_endpoint_put(&t->lab, endpoint);
}

static void (*const changes[])(struct trial *) = {
	change_policy,    change_policy,    replace_policy, replace_policy, relabel_endpoint,
	relabel_endpoint, come_or_go,       come_or_go,     move_endpoint,  move_node,
	change_namespace, change_namespace, change_service, change_node,
};

/* Several changes that come into force together, or are taken back together. */
static void change_batch(struct trial *t)
{
	struct wf_err err = WF_ERR_INIT;
	json_t *documents = json_copy(t->documents), *world = json_deep_copy(t->world);
	uint32_t count = 1 + random_below(&t->random, 6);
	bool is_kept = random_often(&t->random, 65);

	t->is_batch = true;
	wf_policy_engine_begin(t->lab.engine);
	for (uint32_t i = 0; i < count; i++)
		RANDOM_OF(&t->random, changes)(t);
	t->is_batch = false;
	t->doing = is_kept ? "a batch" : "a batch taken back";
	if (!is_kept)
		wf_policy_engine_rollback(t->lab.engine);
	else if (wf_policy_engine_commit(t->lab.engine, &err) != 0)
		fail_msg("%s", err.message);
	json_decref(is_kept ? documents : t->documents);
	json_decref(is_kept ? world : t->world);
	if (!is_kept) {
		t->documents = documents;
		t->world = world;
	}
}

static void change(struct trial *t)
{
	if (random_often(&t->random, 15))
		change_batch(t);
	else
		RANDOM_OF(&t->random, changes)(t);
}

/* ---- rounds -------------------------------------------------------------------------------- */

static void run_round(struct trial *t)
{
	uint32_t count = random_below(&t->random, 40);

	t->world = worlds_random(&t->random);
	t->documents = json_array();
	for (uint32_t i = 0; i < count; i++)
		lab_policy_set(t->documents, new_document(t));
	t->doing = "the start";
	t->step = 0;
	lab_open(&t->lab, t->world, t->documents);
	check_all(t);
	for (t->step = 1; t->step <= STEPS; t->step++) {
		change(t);
		check_some(t);
	}
	check_all(t);
	lab_close(&t->lab);
	json_decref(t->documents);
	json_decref(t->world);
}

static void engine_says_what_the_oracle_says(void **state)
{
	struct trial *t = &trial;

	t->seed = first_seed;
	worlds_remotes = 25;
	for (t->round = 0; t->decisions < wanted; t->round++) {
		t->random.state = first_seed * 1000003 + (uint64_t)t->round;
		run_round(t);
	}
	print_message("%llu decisions in %d rounds: %llu denied, %llu allowed, %llu on trial; "
		      "%llu looks in the middle of changes\n",
		      (unsigned long long)t->decisions, t->round,
		      (unsigned long long)t->verdicts[ORACLE_DENY],
		      (unsigned long long)t->verdicts[ORACLE_ALLOW],
		      (unsigned long long)t->verdicts[ORACLE_AUDIT],
		      (unsigned long long)t->instants);
	for (int i = 0; i < 3 && wanted >= 300000; i++) /* in a few rounds all may be alike */
		assert_in_range(t->verdicts[i], t->decisions / 200, t->decisions);
	oracle_pair_done(&t->out);
	oracle_pair_done(&t->in);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(engine_says_what_the_oracle_says),
	};

	if (argc > 1)
		wanted = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
