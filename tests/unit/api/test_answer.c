/* SPDX-License-Identifier: Apache-2.0 */
#include "api/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_daemon.h"

/* However an answer is cut in two, the result is the same. */
static void test_any_cut(void **state)
{
	static const char text[] = FAKE_OK "Transfer-Encoding: chunked\r\n\r\n"
					   "3\r\nabc\r\n0B\r\ndefghijklmn\r\n0\r\n\r\ntrailing";
	struct wf_err err = WF_ERR_INIT;

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct wf_answer answer;

		wf_answer_init(&answer, 100);
		assert_int_equal(wf_answer_feed(&answer, text, cut, &err), 0);
		assert_int_equal(wf_answer_feed(&answer, text + cut, sizeof(text) - 1 - cut, &err),
				 0);
		assert_int_equal(answer.state, WF_ANSWER_DONE);
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer.body.data, "abcdefghijklmn");
		wf_answer_done(&answer);
	}
}

static void test_limits(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_answer answer;
	char line[WF_ANSWER_MAX_LINE + 100];
	int r = 0;

	(void)state;
	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, FAKE_OK "\r\n12345678901",
					strlen(FAKE_OK "\r\n12345678901"), &err),
			 -E2BIG);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, FAKE_OK, strlen(FAKE_OK), &err), 0);
	memset(line, 'x', sizeof(line));
	assert_int_equal(wf_answer_feed(&answer, line, sizeof(line), &err), -E2BIG);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, line, sizeof(line), &err), -EPROTO);
	wf_answer_done(&answer);

	wf_answer_init(&answer, 10);
	assert_int_equal(wf_answer_feed(&answer, FAKE_OK, strlen(FAKE_OK), &err), 0);
	for (int i = 0; i < WF_ANSWER_MAX_HEADERS && r == 0; i++)
		r = wf_answer_feed(&answer, "a: b\r\n", 6, &err);
	assert_int_equal(r, -E2BIG);
	wf_answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_cut),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
