/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generator and the oracle for tests that are not written in C, as a filter with JSON:
 *
 *   policy_draw world SEED ENDPOINTS      a world (oracle.h), without services
 *   policy_draw documents SEED COUNT      documents about the world on standard input
 *   policy_draw ask                       {world, documents, questions: [[SRC, DST, PROTO, PORT]]}
 *                                         on standard input; answers with "deny", "allow", "audit"
 *                                         for both directions together
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "documents.h"
#include "engine_lab.h"
#include "oracle.h"
#include "worlds.h"

static void fail(const char *what)
{
	(void)fprintf(stderr, "policy_draw: %s\n", what);
	exit(2);
}

static json_t *read_input(void)
{
	json_error_t error;
	json_t *value = json_loadf(stdin, 0, &error);

	if (!value)
		fail(error.text);
	return value;
}

static json_t *draw_world(struct random *random, size_t endpoints)
{
	json_t *world = worlds_random(random);
	json_t *list = json_object_get(world, "endpoints");

	while (json_array_size(list) > endpoints)
		json_array_remove(list, json_array_size(list) - 1);
	json_object_set_new(world, "services", json_array());
	return world;
}

static json_t *draw_documents(struct random *random, const json_t *world, size_t count)
{
	json_t *documents = json_array();
	char name[32];

	for (int i = 0; json_array_size(documents) < count; i++) {
		(void)snprintf(name, sizeof(name), "p%d", i);
		/* the baseline kind has but one */
		lab_policy_set(documents, documents_random(random, world, name));
	}
	return documents;
}

static enum oracle_verdict judge(struct oracle_pair *pair, const json_t *input, enum oracle_dir dir,
				 const json_t *question)
{
	const json_t *world = json_object_get(input, "world");
	struct oracle_party src, dst;

	oracle_party_find(&src, world, json_string_value(json_array_get(question, 0)));
	oracle_party_find(&dst, world, json_string_value(json_array_get(question, 1)));
	oracle_pair_open(pair, world, json_object_get(input, "documents"), dir, &src, &dst);
	return oracle_pair_ask(pair, (int)json_integer_value(json_array_get(question, 2)),
			       (int)json_integer_value(json_array_get(question, 3)));
}

static json_t *ask(const json_t *input)
{
	const json_t *questions = json_object_get(input, "questions");
	struct oracle_pair pair = { 0 };
	json_t *answers = json_array();

	for (size_t i = 0; i < json_array_size(questions); i++) {
		const json_t *question = json_array_get(questions, i);
		enum oracle_verdict verdict =
			oracle_both(judge(&pair, input, ORACLE_EGRESS, question),
				    judge(&pair, input, ORACLE_INGRESS, question));

		json_array_append_new(answers, json_string(oracle_verdict_name(verdict)));
	}
	oracle_pair_done(&pair);
	return answers;
}

int main(int argc, char **argv)
{
	struct random random = { .state = argc > 2 ? strtoull(argv[2], NULL, 10) : 0 };
	size_t count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	json_t *input = NULL, *output = NULL;

	if (argc == 4 && strcmp(argv[1], "world") == 0) {
		output = draw_world(&random, count);
	} else if (argc == 4 && strcmp(argv[1], "documents") == 0) {
		input = read_input();
		output = draw_documents(&random, input, count);
	} else if (argc == 2 && strcmp(argv[1], "ask") == 0) {
		input = read_input();
		output = ask(input);
	} else {
		fail("world SEED ENDPOINTS | documents SEED COUNT | ask");
	}
	(void)json_dumpf(output, stdout, JSON_COMPACT);
	json_decref(input);
	json_decref(output);
	return 0;
}
