/* SPDX-License-Identifier: Apache-2.0 */
/* ADD against a fake daemon: what it is asked for, and what the runtime is told. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "json_text.h"
#include "lab.h"
#include "variables.h"

static void test_add(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("ADD", "c1", "/dev/null");
	assert_int_equal(lab_run(lab, ""), 0);
	lab_assert_asked(lab, "POST /v1/endpoints {\"network\":\"blue\",\"netns\":\"/dev/null\","
			      "\"ifname\":\"eth0\",\"containerID\":\"c1\",\"owner\":\"cni\"");
	assert_json(json_loads(wf_str_text(&lab->out), 0, NULL),
		    "{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','mac':'02:00:00:00:00:05',"
		    "'sandbox':'/dev/null'}],'ips':[{'address':'10.64.0.5/16',"
		    "'gateway':'10.64.0.1','interface':0}],'routes':[{'dst':'0.0.0.0/0',"
		    "'gw':'10.64.0.1'}]}");
	assert_int_equal(lab_run(lab, "'cniVersion':'0.2.0'"), 0);
	assert_json(json_loads(wf_str_text(&lab->out), 0, NULL),
		    "{'cniVersion':'0.2.0','ip4':{'ip':'10.64.0.5/16','gateway':'10.64.0.1',"
		    "'routes':[{'dst':'0.0.0.0/0','gw':'10.64.0.1'}]}}");
}

/* A check that fails leaves the daemon unasked. */
static void test_add_refused(void **state)
{
	static const struct {
		const char *members;
		int code;
	} rows[] = {
		{ "'cniVersion':'9.0.0'", 1 },
		{ "'ipam':{'type':'x'}", 2 },
		{ "'runtimeConfig':{'portMappings':[{'HostPort':80}]}", 7 },
		{ "'runtimeConfig':{'bandwidth':{'ingressRate':1}}", 2 },
		{ "'runtimeConfig':{'mac':'x'}", 7 },
		{ "'prevResult':[]", 7 },
		{ "'prevResult':{'interfaces':[{'name':'eth0','sandbox':'/dev/null'}]}", 101 },
	};
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("ADD", "c1", "/dev/null");
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int code = lab_run_code(lab, rows[i].members);

		if (code != rows[i].code)
			fail_msg("%s: %s", rows[i].members, wf_str_text(&lab->out));
		assert_string_equal(wf_str_text(&lab->asked), "");
	}
	lab_environment("ADD", "c1", "/nowhere");
	assert_int_equal(lab_run_code(lab, ""), 8);
	lab_environment("ADD", "c1", "/proc/self/ns/net");
	assert_int_equal(lab_run_code(lab, ""), 8);
	assert_string_equal(wf_str_text(&lab->asked), "");
}

static void test_add_errors(void **state)
{
	static const struct {
		struct lab_answer answers[2];
		int code;
	} rows[] = {
		{ { { "POST /v1/endpoints", 409, LAB_REFUSED("EEXIST", "endpoint/x") }, { NULL } },
		  101 },
		{ { { "POST /v1/endpoints", 507, LAB_REFUSED("ENOSPC", "network/blue") },
		    { NULL } },
		  103 },
		{ { { "POST /v1/endpoints", 404, LAB_REFUSED("ENOENT", "network/blue") },
		    { NULL } },
		  7 },
		{ { { "POST /v1/endpoints", 400, LAB_REFUSED("ESRCH", "") }, { NULL } }, 8 },
		{ { { "POST /v1/endpoints", 503, LAB_REFUSED("EAGAIN", "") }, { NULL } }, 11 },
		{ { { "POST /v1/endpoints", 0, NULL }, { NULL } }, 11 },
		{ { { "POST /v1/endpoints", 201, "{}" }, { NULL } }, 999 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		int code;

		lab_start(lab, rows[i].answers);
		lab_environment("ADD", "c1", "/dev/null");
		code = lab_run_code(lab, "");
		lab_stop(lab);
		if (code != rows[i].code)
			fail_msg("row %zu: %s", i, wf_str_text(&lab->out));
	}
	/* what cannot be told is taken back */
	lab_assert_asked(lab, "POST /v1/endpoints/detach");
}

static void test_add_no_daemon(void **state)
{
	struct lab *lab = *state;

	lab_environment("ADD", "c1", "/dev/null");
	assert_int_equal(lab_run_code(lab, ""), 11);
	assert_non_null(strstr(wf_str_text(&lab->out), "weftd is not reachable at "));
	assert_int_equal(lab_spooled(lab), 0);
}

static void test_add_gateway(void **state)
{
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("ADD", "c1", "/dev/null");
	variables_set("CNI_ARGS", "GATEWAY=10.64.0.1");
	assert_int_equal(lab_run_code(lab, ""), 0);
	variables_set("CNI_ARGS", "GATEWAY=10.64.0.9");
	assert_int_equal(lab_run_code(lab, ""), 4);
	lab_assert_asked(lab, "POST /v1/endpoints/detach {\"containerID\":\"c1\"");
}

static void test_add_unwritten(void **state)
{
	_cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct lab *lab = *state;

	lab_start(lab, lab_willing);
	lab_environment("ADD", "c1", "/dev/null");
	assert_int_equal(lab_run_into(lab, "", full), 1);
	lab_assert_asked(lab, "POST /v1/endpoints/detach");
	assert_non_null(strstr(wf_str_text(&lab->log), "cannot write the result"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(test_add),         LAB_TEST(test_add_refused),
		LAB_TEST(test_add_errors),  LAB_TEST(test_add_no_daemon),
		LAB_TEST(test_add_gateway), LAB_TEST(test_add_unwritten),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
