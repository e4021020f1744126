/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

WF_LOG_MODULE(tester);

static char last[4096];
static enum wf_log_level last_level;
static int count;

static void keep(enum wf_log_level level, const char *line)
{
	(void)snprintf(last, sizeof(last), "%s", line);
	last_level = level;
	count++;
}

static int set_up(void **state)
{
	wf_log_set_sink(keep);
	(void)wf_log_set_levels("info");
	count = 0;
	last[0] = '\0';
	return 0;
}

static void test_line(void **state)
{
	wf_log_info("network created", "network=%s mtu=%d", "blue", 1500);
	assert_string_equal(last, "INFO  tester: network created network=blue mtu=1500");
	assert_int_equal(last_level, WF_LOG_INFO);
	wf_log_error("failed", "%s", "");
	assert_string_equal(last, "ERROR tester: failed");
}

static void test_levels(void **state)
{
	wf_log_debug("x", "%s", "");
	assert_int_equal(count, 0);
	assert_int_equal(wf_log_set_levels("warning,tester=debug"), 0);
	wf_log_debug("x", "%s", "");
	assert_int_equal(count, 1);
	assert_int_equal(wf_log_set_levels("error"), 0);
	wf_log_warning("x", "%s", "");
	assert_int_equal(count, 1);
	wf_log_error("x", "%s", "");
	assert_int_equal(count, 2);
}

static void test_bad_levels_change_nothing(void **state)
{
	static const char *const bad[] = {
		"loud", "error,nobody=debug", "error,tester=loud", "", "error,", "tester="
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(wf_log_set_levels(bad[i]), -EINVAL);
		assert_int_equal(this_module.level, WF_LOG_INFO);
	}
	assert_string_equal(wf_log_level_name(WF_LOG_DEBUG), "debug");
	assert_null(wf_log_level_name(WF_LOG_LEVEL_COUNT));
}

/* Quotes are the caller's: what is between them stays as it is, and what has none gets none. */
static void test_quotes_are_the_callers(void **state)
{
	wf_log_info("x", "error=\"%s\" name=%s", "no such file", "blue");
	assert_string_equal(last, "INFO  tester: x error=\"no such file\" name=blue");
	wf_log_info("x", "error=%s", "no such file");
	assert_string_equal(last, "INFO  tester: x error=no such file");
}

static void test_values_cannot_forge_lines(void **state)
{
	wf_log_info("x", "name=%s", "a\nERROR forged\x1b[2J");
	assert_null(strchr(last, '\n'));
	assert_null(strchr(last, '\x1b'));
	assert_non_null(strstr(last, "a\\x0aERROR"));
}

static void test_errno_is_kept(void **state)
{
	errno = EXDEV;
	wf_log_info("x", "a=%d", 1);
	assert_int_equal(errno, EXDEV);
}

static void test_rate(void **state)
{
	for (int i = 0; i < 1000; i++)
		wf_log_warning_rl("flood", "i=%d", i);
	assert_in_range(count, 10, 20);
}

static void test_file(void **state)
{
	int saved = dup(STDERR_FILENO), ends[2];
	char line[200] = "";

	assert_int_equal(pipe(ends), 0);
	(void)dup2(ends[1], STDERR_FILENO);
	wf_log_set_sink(NULL);
	wf_log_info("to a pipe", "a=%d", 1);
	(void)dup2(saved, STDERR_FILENO);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	assert_string_equal(line, "INFO  tester: to a pipe a=1\n");
	(void)close(saved);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, set_up),
		cmocka_unit_test_setup(test_levels, set_up),
		cmocka_unit_test_setup(test_bad_levels_change_nothing, set_up),
		cmocka_unit_test_setup(test_quotes_are_the_callers, set_up),
		cmocka_unit_test_setup(test_values_cannot_forge_lines, set_up),
		cmocka_unit_test_setup(test_errno_is_kept, set_up),
		cmocka_unit_test_setup(test_rate, set_up),
		cmocka_unit_test_setup(test_file, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
