/* SPDX-License-Identifier: Apache-2.0 */
/* What the CNI plugin wrote down while no daemon ran is made good, once, and in order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/spool.h"
#include "lab.h"

static char run_dir[64], socket_path[96], spool_dir[96];

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	(void)snprintf(run_dir, sizeof(run_dir), "/tmp/weft-spool-XXXXXX");
	assert_non_null(mkdtemp(run_dir));
	(void)snprintf(socket_path, sizeof(socket_path), "%s/weft.sock", run_dir);
	(void)snprintf(spool_dir, sizeof(spool_dir), "%s/spool", run_dir);
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'}]}");
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(lab_attach(lab,
					    "{'network':'blue','netns':'/fake/c%u','owner':'cni',"
					    "'containerID':'id%u','ifname':'eth0'}",
					    i, i),
				 0);
	return 0;
}

static int teardown(void **state)
{
	(void)lab_teardown_settled(state);
	(void)rmdir(spool_dir);
	return rmdir(run_dir);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void write_down(enum wf_spool_kind kind, const char *text)
{
	_cleanup_json_ json_t *body = lab_json("%s", text);
	struct wf_err err = WF_ERR_INIT;

	if (wf_spool_write(spool_dir, kind, body, &err) < 0)
		fail_msg("%s", err.message);
}

static bool is_attached(struct lab *lab, const char *name)
{
	return wf_ctl_endpoint_find(lab->control, name) != NULL;
}

static void test_detach(void **state)
{
	struct lab *lab = *state;

	wf_control_drain_spool(lab->control, socket_path);
	write_down(WF_SPOOL_DETACH, "{'containerID':'id0','ifname':'eth0'}");
	write_down(WF_SPOOL_DETACH, "{'containerID':'id1','ifname':'eth0','network':'other'}");
	write_down(WF_SPOOL_DETACH, "{'containerID':'nobody','ifname':'eth0'}");
	wf_control_drain_spool(lab->control, socket_path);
	assert_false(is_attached(lab, "id0-eth0"));
	assert_true(is_attached(lab, "id1-eth0"));
	assert_true(is_attached(lab, "id2-eth0"));
}

/* An endpoint made after the list was written is not in it and must not suffer. */
static void test_gc(void **state)
{
	struct lab *lab = *state;

	/* times are of whole seconds: in doubt an endpoint is newer than a list */
	fake_clock_advance_ms(2000);
	write_down(WF_SPOOL_GC, "{'network':'blue','owner':'cni',"
				"'valid':[{'containerID':'id1','ifname':'eth0'}]}");
	fake_clock_advance_ms(10000);
	assert_int_equal(lab_attach(lab, "{'network':'blue','netns':'/fake/c3','owner':'cni',"
					 "'containerID':'late','ifname':'eth0'}"),
			 0);
	wf_control_drain_spool(lab->control, socket_path);
	assert_false(is_attached(lab, "id0-eth0"));
	assert_true(is_attached(lab, "id1-eth0"));
	assert_false(is_attached(lab, "id2-eth0"));
	assert_true(is_attached(lab, "late-eth0"));
}

/* A full disk: the request waits for another start. */
static void test_waits_for_the_store(void **state)
{
	struct lab *lab = *state;

	write_down(WF_SPOOL_DETACH, "{'containerID':'id0','ifname':'eth0'}");
	fake_gate_shut(FAKE_STORE);
	wf_control_drain_spool(lab->control, socket_path);
	(void)fake_gate_disarm();
	assert_true(is_attached(lab, "id0-eth0"));
	wf_control_drain_spool(lab->control, socket_path);
	assert_false(is_attached(lab, "id0-eth0"));
}

/* Nothing to be made good of what another boot left. */
static void test_other_boot(void **state)
{
	struct lab *lab = *state;
	char path[160];
	FILE *file;

	write_down(WF_SPOOL_DETACH, "{'containerID':'id0','ifname':'eth0'}");
	(void)snprintf(path, sizeof(path), "%s/detach-0123456789abcdef0123456789abcdef.json",
		       spool_dir);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "{\"kind\":\"detach\",\"time\":1,"
			    "\"bootID\":\"00000000-0000-0000-0000-000000000000\","
			    "\"containerID\":\"id1\",\"ifname\":\"eth0\"}");
	(void)fclose(file);
	wf_control_drain_spool(lab->control, socket_path);
	assert_false(is_attached(lab, "id0-eth0"));
	assert_true(is_attached(lab, "id1-eth0"));
	assert_int_not_equal(access(path, F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_detach),
		CASE(test_gc),
		CASE(test_waits_for_the_store),
		CASE(test_other_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
