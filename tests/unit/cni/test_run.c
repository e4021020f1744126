/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK, GC, STATUS and what is no command. ADD and DEL: test_add.c, test_del.c. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"

#define PREV                                                                                  \
	"'prevResult':{'cniVersion':'1.0.0','interfaces':[{'name':'wf1'},{'name':'eth0',"     \
	"'mac':'02:00:00:00:00:05','sandbox':'/dev/null'}],'ips':[{'address':'10.64.0.5/16'," \
	"'interface':1},{'address':'10.9.0.5/16','interface':0}]}"

static void test_check(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("CHECK", "c1", "/dev/null");
	assert_int_equal(lab_run(lab, PREV), 0);
	assert_string_equal(wf_str_text(&lab->out), "");
	assert_string_equal(wf_str_text(&lab->asked),
			    "POST /v1/endpoints/check {\"containerID\":\"c1\",\"ifname\":\"eth0\","
			    "\"network\":\"blue\",\"netns\":\"/dev/null\","
			    "\"mac\":\"02:00:00:00:00:05\",\"addresses\":[\"10.64.0.5/16\"]}\n");
	assert_int_equal(lab_run_code(lab, ""), 7);
	assert_int_equal(lab_run_code(lab, "'prevResult':{}"), 7);
	assert_int_equal(lab_run_code(lab, "'cniVersion':'0.3.1'," PREV), 1);
	assert_int_equal(lab_run_code(lab, "'cniVersion':'0.4.0'," PREV), 0);
	lab_stop(lab);
	assert_int_equal(lab_run_code(lab, PREV), 11);
}

static void test_gc(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("GC", NULL, NULL);
	assert_int_equal(lab_run(lab, "'cni.dev/valid-attachments':[{'containerID':'c1',"
				      "'ifname':'eth0'}],'cni.dev/attachments':[]"),
			 0);
	assert_string_equal(wf_str_text(&lab->asked),
			    "POST /v1/endpoints/gc {\"valid\":[{\"containerID\":\"c1\","
			    "\"ifname\":\"eth0\"}],\"network\":\"blue\",\"owner\":\"cni\"}\n");
	assert_int_equal(lab_run(lab, "'cni.dev/attachments':null"), 0);
	lab_assert_asked(lab, "\"valid\":[]");
	/* no list: nothing is known, so nothing is removed */
	assert_int_equal(lab_run(lab, ""), 0);
	assert_string_equal(wf_str_text(&lab->asked), "");
	assert_int_equal(lab_run_code(lab, "'cni.dev/valid-attachments':{}"), 7);
	assert_int_equal(lab_run_code(lab, "'cni.dev/valid-attachments':[{'containerID':'../x',"
					   "'ifname':'eth0'}]"),
			 7);
	assert_int_equal(lab_run_code(lab, "'cniVersion':'1.0.0'"), 1);
	lab_stop(lab);
	assert_int_equal(lab_run(lab, "'cni.dev/valid-attachments':[]"), 0);
	assert_int_equal(lab_spooled(lab), 1);
}

/* A list grows old: one that a live daemon did not take is not kept for its next start. */
static void test_gc_dropped(void **state)
{
	static const struct lab_answer dying[] = { { "POST /v1/endpoints/gc", 0, NULL }, { NULL } };
	struct lab *lab = *state;

	lab_start(lab, dying);
	lab_environment("GC", NULL, NULL);
	assert_int_equal(lab_run_code(lab, "'cni.dev/valid-attachments':[]"), 11);
	assert_int_equal(lab_spooled(lab), 0);
}

static void test_status(void **state)
{
	static const struct lab_answer full[] = {
		{ "GET /v1/cni/status?network=blue", 507, LAB_REFUSED("ENOSPC", "network/blue") },
		{ NULL },
	};
	static const struct lab_answer absent[] = {
		{ "GET /v1/cni/status?network=blue", 200, "{}" },
		{ "GET /v1/networks/blue", 404, LAB_REFUSED("ENOENT", "network/blue") },
		{ NULL },
	};
	struct lab *lab = *state;

	lab_environment("STATUS", NULL, NULL);
	assert_int_equal(lab_run_code(lab, ""), 50);
	lab_start(lab, lab_willing);
	assert_int_equal(lab_run_code(lab, ""), 0);
	assert_int_equal(lab_run_code(lab, "'ipam':{'type':'x'}"), 2);
	assert_int_equal(lab_run_code(lab, "'cniVersion':'1.0.0'"), 1);
	lab_stop(lab);
	lab_start(lab, full);
	assert_int_equal(lab_run_code(lab, ""), 50);
	assert_non_null(strstr(wf_str_text(&lab->out), "because"));
	lab_stop(lab);
	lab_start(lab, absent);
	assert_int_equal(lab_run_code(lab, ""), 0);
	assert_int_equal(lab_run_code(lab, "'createNetwork':false"), 50);
}

static void test_unknown(void **state)
{
	struct lab *lab = *state;

	lab_environment("FROB", NULL, NULL);
	assert_int_equal(lab_run_code(lab, ""), 4);
	assert_int_equal(lab_run_code(lab, "'cniVersion':'9'"), 1);
	lab_environment(NULL, NULL, NULL);
	assert_int_equal(lab_run(lab, ""), 0);
	assert_string_equal(wf_str_text(&lab->out), "");
	assert_non_null(strstr(wf_str_text(&lab->log), "CNI protocol versions supported: 0.1.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(test_check),  LAB_TEST(test_gc),      LAB_TEST(test_gc_dropped),
		LAB_TEST(test_status), LAB_TEST(test_unknown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
