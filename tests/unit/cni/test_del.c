/* SPDX-License-Identifier: Apache-2.0 */
/* DEL against a fake daemon, and without one: it is done, or waits for the daemon. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "variables.h"

static void test_del(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("DEL", "c1", "");
	/* what a DEL does not need cannot stop it */
	assert_int_equal(
		lab_run(lab, "'runtimeConfig':7,'prevResult':'damaged','ipam':3,'mtu':'x'"), 0);
	assert_string_equal(wf_str_text(&lab->out), "");
	assert_string_equal(wf_str_text(&lab->asked),
			    "POST /v1/endpoints/detach {\"containerID\":\"c1\",\"ifname\":\"eth0\","
			    "\"network\":\"blue\"}\n");
	assert_int_equal(lab_run(lab, "'network':'No_Weft_Name'"), 0);
	assert_string_equal(wf_str_text(&lab->asked), "");
	lab_environment("DEL", "c1", "/nowhere");
	assert_int_equal(lab_run(lab, ""), 0);
	/* the plugin's own namespace: done, and told */
	lab_environment("DEL", "c1", "/proc/self/ns/net");
	assert_int_equal(lab_run_code(lab, ""), 8);
	lab_assert_asked(lab, "detach");
	variables_set("CNI_NETNS_OVERRIDE", "1");
	assert_int_equal(lab_run_code(lab, ""), 0);
}

static void test_del_no_daemon(void **state)
{
	struct lab *lab = *state;

	lab_environment("DEL", "c1", "");
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_spooled(lab), 1);
	lab_environment("DEL", "c2", "");
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_spooled(lab), 2);
	/* a DEL that succeeds later makes the entry good; an ADD does so before it attaches */
	lab_start(lab, lab_willing);
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_spooled(lab), 1);
	lab_environment("ADD", "c1", "/dev/null");
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(strncmp(wf_str_text(&lab->asked), "POST /v1/endpoints/detach", 25), 0);
	assert_int_equal(lab_spooled(lab), 0);
}

/* A daemon that dies over the request may not have done it. */
static void test_del_dropped(void **state)
{
	static const struct lab_answer dying[] = { { "POST /v1/endpoints/detach", 0, NULL },
						   { NULL } };
	struct lab *lab = *state;

	lab_start(lab, dying);
	lab_environment("DEL", "c1", "");
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_spooled(lab), 1);
}

static void test_del_refused(void **state)
{
	static const struct lab_answer refusing[] = {
		{ "POST /v1/endpoints/detach", 400, LAB_REFUSED("EINVAL", "") }, { NULL }
	};
	struct lab *lab = *state;

	lab_start(lab, refusing);
	lab_environment("DEL", "c1", "");
	assert_int_equal(lab_run_code(lab, ""), 7);
	assert_int_equal(lab_spooled(lab), 0);
}

/* A disk that is full or fails does not hold the runtime up: it is done when there is one. */
static void test_del_without_disk(void **state)
{
	static const struct lab_answer refusing[] = {
		{ "POST /v1/endpoints/detach", 500, LAB_REFUSED("EIO", "") }, { NULL }
	};
	struct lab *lab = *state;

	lab_start(lab, refusing);
	lab_environment("DEL", "c1", "");
	assert_int_equal(lab_run(lab, ""), 0);
	assert_int_equal(lab_spooled(lab), 1);
	assert_non_null(strstr(wf_str_text(&lab->log), "cannot store it now"));
}

static void test_del_never_booted(void **state)
{
	struct lab *lab = *state;

	lab_environment("DEL", "c1", "");
	(void)snprintf(lab->socket, sizeof(lab->socket), "%s/no/s", lab->dir);
	assert_int_equal(lab_run(lab, ""), 0);
	assert_non_null(strstr(wf_str_text(&lab->log), "nothing to undo"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(test_del),
		LAB_TEST(test_del_no_daemon),
		LAB_TEST(test_del_dropped),
		LAB_TEST(test_del_refused),
		LAB_TEST(test_del_without_disk),
		LAB_TEST(test_del_never_booted),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
