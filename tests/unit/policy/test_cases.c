/* SPDX-License-Identifier: Apache-2.0 */
/* The published cases put to the engine, by its answers and by the tables that it writes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cases.h"
#include "engine_lab.h"

#include "model/document.h"

static const char *folder;
static struct lab lab;

static void open_lab(void *context, const json_t *world, const json_t *documents)
{
	lab_open(context, world, documents);
}

static enum oracle_verdict ask_lab(void *context, enum oracle_dir dir,
				   const struct oracle_party *src, const struct oracle_party *dst,
				   int proto, int port)
{
	return lab_ask(context, dir, src, dst, proto, port);
}

static enum oracle_verdict look_up(void *context, enum oracle_dir dir,
				   const struct oracle_party *src, const struct oracle_party *dst,
				   int proto, int port)
{
	return lab_look_up(context, dir, src, dst, proto, port);
}

static void close_lab(void *context)
{
	lab_check_guards(context);
	lab_close(context);
}

static bool refuses(void *context, const json_t *document)
{
	struct wf_policy policy = { 0 };
	struct wf_err err = WF_ERR_INIT;
	int r = wf_document_check(document, &err);

	if (r == 0)
		r = wf_policy_from_json(&policy, document, &err);
	wf_policy_done(&policy);
	return r == -EINVAL;
}

static void run(const struct cases_judge *judge)
{
	size_t asked = 0, wrong = cases_run(folder, judge, &asked);

	print_message("%zu answers, %zu wrong\n", asked, wrong);
	assert_int_equal(wrong, 0);
	assert_in_range(asked, 1000, 1000000);
}

static void answers(void **state)
{
	run(&(struct cases_judge){ open_lab, ask_lab, close_lab, refuses, &lab, false });
}

static void tables(void **state)
{
	run(&(struct cases_judge){ open_lab, look_up, close_lab, refuses, &lab, false });
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(tables),
	};

	folder = argc > 1 ? argv[1] : "tests/unit/policy/cases";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
