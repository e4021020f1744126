/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle itself against the published cases, whose verdicts were written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "cases.h"

struct oracle {
	const json_t *world, *documents;
	struct oracle_pair pair;
};

static const char *folder;

static void open_oracle(void *context, const json_t *world, const json_t *documents)
{
	struct oracle *oracle = context;

	oracle->world = world;
	oracle->documents = documents;
}

static enum oracle_verdict ask_oracle(void *context, enum oracle_dir dir,
				      const struct oracle_party *src,
				      const struct oracle_party *dst, int proto, int port)
{
	struct oracle *oracle = context;

	oracle_pair_open(&oracle->pair, oracle->world, oracle->documents, dir, src, dst);
	return oracle_pair_ask(&oracle->pair, proto, port);
}

static void close_oracle(void *context)
{
	struct oracle *oracle = context;

	oracle_pair_done(&oracle->pair);
}

static void published_cases(void **state)
{
	struct oracle oracle = { 0 };
	struct cases_judge judge = { open_oracle, ask_oracle, close_oracle, NULL, &oracle, false };
	size_t asked = 0, wrong = cases_run(folder, &judge, &asked);

	print_message("%zu answers, %zu wrong\n", asked, wrong);
	assert_int_equal(wrong, 0);
	assert_in_range(asked, 1000, 1000000);
}

static enum oracle_verdict say_allow(void *context, enum oracle_dir dir,
				     const struct oracle_party *src, const struct oracle_party *dst,
				     int proto, int port)
{
	return ORACLE_ALLOW;
}

/* A table that anybody passes would prove nothing: who allows everything must fail it. */
static void cases_tell_apart(void **state)
{
	struct oracle oracle = { 0 };
	struct cases_judge judge = { open_oracle, say_allow, close_oracle, NULL, &oracle, true };
	size_t asked = 0, wrong = cases_run(folder, &judge, &asked);

	assert_in_range(wrong, asked / 10, asked);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_cases),
		cmocka_unit_test(cases_tell_apart),
	};

	folder = argc > 1 ? argv[1] : "tests/unit/policy/cases";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
