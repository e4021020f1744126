/* SPDX-License-Identifier: Apache-2.0 */
/* Detaching by name and by container, CNI's CHECK, GC and STATUS. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

static void attach_cni(struct lab *lab, const char *network, const char *id, unsigned int ns)
{
	if (lab_attach(lab,
		       "{'network':'%s','netns':'/fake/c%u','owner':'cni','containerID':'%s',"
		       "'ifname':'eth0'}",
		       network, ns, id) < 0)
		fail_msg("%s", lab->err.message);
}

static int setup(void **state)
{
	struct lab *lab = lab_new();

	*state = lab;
	lab_network(lab, "blue", "{'subnets':[{'cidr':'10.1.0.0/24'},{'cidr':'fd01::/64'}]}");
	lab_network(lab, "lan", "{'driver':'macvlan','subnets':[{'cidr':'10.3.0.0/24'}]}");
	attach_cni(lab, "blue", "one", 0);
	attach_cni(lab, "blue", "two", 1);
	attach_cni(lab, "lan", "three", 2);
	lab_endpoint(lab, "blue", "mine", 3);
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	lab_settle(lab);
	lab_free(&lab);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void test_by_name(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(lab_detach(lab, "mine"), 0);
	lab_assert_refused(lab, lab_detach(lab, "mine"), -ENOENT, "", "no endpoint mine");
	assert_string_equal(lab->err.object, "endpoint/mine");
	lab_settle(lab);
	lab_assert_consistent(lab);
	assert_int_equal(fake_net_ns_interfaces(lab->net, "/fake/c3"), 0);
}

static size_t detach(struct lab *lab, const char *id, const char *ifname, const char *network)
{
	_cleanup_json_ json_t *names = NULL;

	if (wf_control_detach_container(lab->control, id, ifname, network, &names, &lab->err) < 0)
		fail_msg("%s", lab->err.message);
	return json_array_size(names);
}

/* CNI's DEL: what is not there is gone. */
static void test_by_container(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(detach(lab, "nobody", "eth0", NULL), 0);
	assert_int_equal(detach(lab, "one", "eth1", NULL), 0);
	assert_int_equal(detach(lab, "one", "eth0", "lan"), 0);
	assert_int_equal(detach(lab, "one", "eth0", "blue"), 1);
	assert_int_equal(detach(lab, "one", "eth0", NULL), 0);
	assert_int_equal(detach(lab, "three", "eth0", NULL), 1);
	lab_settle(lab);
	lab_assert_consistent(lab);
	assert_int_equal(fake_net_ns_interfaces(lab->net, "/fake/c2"), 0);
}

/* The namespace is gone with its path, and the daemon has not read the news yet. */
static void test_after_death(void **state)
{
	struct lab *lab = *state;

	fake_net_kill_ns(lab->net, "/fake/c0");
	fake_net_kill_ns(lab->net, "/fake/c2");
	assert_int_equal(detach(lab, "one", "eth0", NULL), 1);
	assert_int_equal(detach(lab, "three", "eth0", NULL), 1);
	lab_settle(lab);
	lab_assert_consistent(lab);
}

static int check(struct lab *lab, const char *text)
{
	_cleanup_json_ json_t *request = lab_json("%s", text);

	wf_err_clear(&lab->err);
	return wf_control_check(lab->control, request, &lab->err);
}

static void test_check(void **state)
{
	static const struct {
		const char *request;
		int code;
		const char *text;
	} rows[] = {
		{ "{'containerID':'one','ifname':'eth0'}", 0, "" },
		{ "{'containerID':'one','ifname':'eth0','addresses':['10.1.0.2/24']}", 0, "" },
		{ "{'containerID':'one','ifname':'eth0','addresses':['10.1.0.9/24']}", -ESTALE,
		  "not an address of" },
		{ "{'containerID':'one','ifname':'eth0','addresses':['x']}", -EINVAL,
		  "not an address" },
		{ "{'containerID':'one','ifname':'eth0','mac':'02:00:00:00:00:01'}", -ESTALE,
		  "not the MAC" },
		{ "{'containerID':'one','ifname':'eth1'}", -ENOENT, "no interface eth1" },
		{ "{'containerID':'three','ifname':'eth0'}", 0, "" },
		{ "{}", -ENOENT, "" },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		if (check(lab, rows[i].request) != rows[i].code ||
		    !strstr(lab->err.message, rows[i].text))
			fail_msg("%s: %d %s", rows[i].request, lab->err.code, lab->err.message);
}

static void test_check_finds(void **state)
{
	struct lab *lab = *state;

	/* what is in the maps is not what it was */
	assert_int_equal(wf_dp_endpoint_clear(lab->dp, 1, NULL), 0);
	assert_int_equal(check(lab, "{'containerID':'one','ifname':'eth0'}"), -ESTALE);
	assert_non_null(strstr(lab->err.message, "not in the datapath's tables"));
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	assert_int_equal(check(lab, "{'containerID':'one','ifname':'eth0'}"), 0);
	/* nor what is inside */
	assert_true(fake_net_strip_ns(lab->net, "/fake/c0"));
	assert_int_equal(check(lab, "{'containerID':'one','ifname':'eth0'}"), -ESTALE);
	fake_net_kill_ns(lab->net, "/fake/c1");
	assert_int_equal(check(lab, "{'containerID':'two','ifname':'eth0'}"), -ESRCH);
}

static json_t *gc(struct lab *lab, const char *text)
{
	_cleanup_json_ json_t *request = lab_json("%s", text);
	json_t *report = NULL;

	wf_err_clear(&lab->err);
	if (wf_control_gc(lab->control, request, &report, &lab->err) < 0)
		return NULL;
	return report;
}

/* Only what the same owner has in the same network, and is not in the list. */
static void test_gc(void **state)
{
	_cleanup_json_ json_t *report = NULL;
	struct lab *lab = *state;

	report =
		gc(lab, "{'network':'blue','owner':'cni','valid':["
			"{'containerID':'two','ifname':'eth0'},{'containerID':'x','ifname':'y'}]}");
	assert_non_null(report);
	assert_int_equal(json_array_size(json_object_get(report, "deleted")), 1);
	assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
	assert_null(wf_ctl_endpoint_find(lab->control, "one-eth0"));
	assert_non_null(wf_ctl_endpoint_find(lab->control, "two-eth0"));
	assert_non_null(wf_ctl_endpoint_find(lab->control, "three-eth0"));
	assert_non_null(wf_ctl_endpoint_find(lab->control, "mine"));
	lab_settle(lab);
	lab_assert_consistent(lab);
}

static void test_gc_refuses(void **state)
{
	struct lab *lab = *state;

	assert_null(gc(lab, "{'network':'blue'}"));
	assert_string_equal(lab->err.field, "valid");
	assert_null(gc(lab, "{'valid':[]}"));
	assert_string_equal(lab->err.field, "network");
	assert_int_equal(lab->control->endpoint_count, 4);
}

static void test_gc_reports(void **state)
{
	_cleanup_json_ json_t *report = NULL;
	struct lab *lab = *state;

	fake_gate_shut(FAKE_STORE);
	report = gc(lab, "{'network':'blue','owner':'cni','valid':[]}");
	(void)fake_gate_disarm();
	assert_int_equal(json_array_size(json_object_get(report, "deleted")), 0);
	assert_int_equal(json_array_size(json_object_get(report, "errors")), 2);
	lab_settle(lab);
	lab_assert_consistent(lab);
}

/* STATUS: an ADD would work; a network that is not there yet is made by it. */
static void test_attachable(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(wf_control_attachable(lab->control, "blue", &lab->err), 0);
	assert_int_equal(wf_control_attachable(lab->control, "none-yet", &lab->err), 0);
	lab_network(lab, "tiny", "{'subnets':[{'cidr':'10.9.0.0/30'},{'cidr':'fd09::/64'}]}");
	attach_cni(lab, "tiny", "four", 4);
	assert_int_equal(wf_control_attachable(lab->control, "tiny", &lab->err), -ENOSPC);
	assert_non_null(strstr(lab->err.message, "IPv4"));
	assert_string_equal(lab->err.object, "network/tiny");
}

/* Detach is not stopped by a full disk for ever: the endpoint stays whole until it can go. */
static void test_store_is_full(void **state)
{
	struct lab *lab = *state;

	fake_gate_shut(FAKE_STORE);
	assert_int_equal(lab_detach(lab, "mine"), -ENOSPC);
	assert_int_equal(lab_detach(lab, "three-eth0"), -ENOSPC);
	(void)fake_gate_disarm();
	lab_settle(lab);
	lab_assert_consistent(lab);
	assert_int_equal(lab_detach(lab, "mine"), 0);
	assert_int_equal(lab_detach(lab, "three-eth0"), 0);
	lab_settle(lab);
	lab_assert_consistent(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_by_name),       CASE(test_by_container), CASE(test_after_death),
		CASE(test_check),         CASE(test_check_finds),  CASE(test_gc),
		CASE(test_gc_refuses),    CASE(test_gc_reports),   CASE(test_attachable),
		CASE(test_store_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
