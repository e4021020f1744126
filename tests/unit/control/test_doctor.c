/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's pure parts, and its report. The trials and the whole of it are in test_doctor_trial.c. */
#include "doctor_host.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

/* ---- pure parts -------------------------------------------------------------------------------- */

static void test_version(void **state)
{
	(void)state;
	assert_int_equal(wf_doctor_version_reaches("6.1.0-18-amd64", 6, 1), 1);
	assert_int_equal(wf_doctor_version_reaches("6.18.44", 6, 3), 1);
	assert_int_equal(wf_doctor_version_reaches("7.0-rc1", 6, 1), 1);
	assert_int_equal(wf_doctor_version_reaches("6.0.19", 6, 1), 0);
	assert_int_equal(wf_doctor_version_reaches("5.15.0", 6, 1), 0);
	assert_true(wf_doctor_version_reaches("mainline", 6, 1) < 0);
}

static void test_lock_holder(void **state)
{
	static const char locks[] = "1: POSIX  ADVISORY  WRITE 7 00:1a:815 0 EOF\n"
				    "2: FLOCK  ADVISORY  WRITE 4711 00:1a:815 0 EOF\n"
				    "2: -> FLOCK  ADVISORY  WRITE 12 00:1a:816 0 EOF\n"
				    "3: FLOCK  ADVISORY  READ  99 103:02:815 0 EOF\n";

	(void)state;
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1a, 815), 4711);
	assert_int_equal(wf_doctor_lock_holder(locks, 0x103, 2, 815), 99);
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1a, 816), 0);
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1b, 815), 0);
	assert_int_equal(wf_doctor_lock_holder("", 0, 0x1a, 815), 0);
}

static void test_plugin_version(void **state)
{
	char version[16];

	(void)state;
	assert_true(wf_doctor_plugin_version("CNI plugin weft 1.2.3: hands requests\n", version,
					     sizeof(version)));
	assert_string_equal(version, "1.2.3");
	assert_false(
		wf_doctor_plugin_version("CNI bridge plugin v1.1.1\n", version, sizeof(version)));
	assert_false(wf_doctor_plugin_version("CNI plugin weft :", version, sizeof(version)));
	assert_false(wf_doctor_plugin_version("CNI plugin weft 1234567890123456789", version,
					      sizeof(version)));
}

static void test_limit(void **state)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max open files            1024                 524288               files     \n"
		"Max locked memory         unlimited            unlimited            bytes     \n";

	(void)state;
	assert_true(wf_doctor_limit(limits, "Max open files") == 1024);
	assert_true(wf_doctor_limit(limits, "Max locked memory") == UINT64_MAX);
	assert_true(wf_doctor_limit(limits, "Max processes") == UINT64_MAX);
}

static void test_settings(void **state)
{
	static const char text[] = "[Network]\n#ManageForeignRoutes=no\n"
				   "  ManageForeignRoutes = yes \nManageForeignRoutes=\"no\"\r\n";
	char value[8];

	(void)state;
	assert_true(wf_doctor_setting(text, "ManageForeignRoutes", value, sizeof(value)));
	assert_string_equal(value, "no");
	assert_false(wf_doctor_setting(text, "ManageForeign", value, sizeof(value)));
	assert_false(wf_doctor_setting("Key=12345678", "Key", value, sizeof(value)));
	assert_true(wf_doctor_setting("Key=\"", "Key", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(wf_doctor_field("Uid:\t0\nCapEff:\t00000000a80425fb\n", "CapEff", 16, 0) ==
		    0xa80425fb);
	assert_true(wf_doctor_field("CapEff:\n", "CapBnd", 16, 7) == 7);
}

static void test_cni_type(void **state)
{
	static const char list[] = "{\"name\":\"a\",\"plugins\":[{\"type\":\"bridge\"},"
				   "{\"type\":\"weft\"}]}";

	(void)state;
	assert_true(wf_doctor_cni_has_type(list, strlen(list), "weft"));
	assert_false(wf_doctor_cni_has_type(list, strlen(list), "portmap"));
	assert_true(wf_doctor_cni_has_type("{\"type\":\"weft\"}", 15, "weft"));
	assert_false(wf_doctor_cni_has_type("{\"type\":\"weft\"", 14, "weft"));
	assert_false(wf_doctor_cni_has_type("[\"weft\"]", 8, "weft"));
}

static void test_mtu(void **state)
{
	struct doctor_links links = { .device = "eth0", .device_mtu = 1500 };
	struct host *host = *state;

	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	links.mtu_min = 1400;
	links.mtu_max = 1500;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_NOTE);
	assert_seen(host, "from 1400 to 1500");
	links.mtu_max = 9000;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "up to 9000");
	assert_advice(host, "spec.mtu: 1500");
	wf_doctor_result_done(&host->result);
	host->result.status = DOCTOR_OK;
	*links.device = '\0';
	links.mtu_min = 9000;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
}

static void test_paths(void **state)
{
	_cleanup_json_ json_t *nodes = json_pack("{s:[{s:s}, {s:s, s:{s:i}}]}", "items", "name",
						 "a", "name", "b", "path", "mtu", 1350);
	struct host *host = *state;

	wf_doctor_judge_paths(NULL, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "no way");
	wf_doctor_judge_paths(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "carry what networks send");
	(void)json_object_set_new(
		json_array_get(json_object_get(nodes, "items"), 1), "narrow",
		json_pack("[{s:s, s:i, s:i}]", "network", "over", "mtu", 1450, "carried", 1300));
	wf_doctor_judge_paths(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "over to b: 1450 > 1300");
	assert_advice(host, "spec.mtu");
}

static void set_self(const json_t *nodes, json_t *sums)
{
	(void)json_object_set_new(json_array_get(json_object_get(nodes, "items"), 0), "checksums",
				  sums);
}

static void test_sums(void **state)
{
	_cleanup_json_ json_t *nodes = json_pack("{s:[{s:s}, {s:s, s:{s:s}}]}", "items", "name",
						 "a", "name", "b", "checksums", "state", "sound");
	struct host *host = *state;

	wf_doctor_judge_sums(NULL, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "not tried");
	set_self(nodes, json_pack("{s:s}", "by", "device"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "arrive right (1 nodes)");
	set_self(nodes, json_pack("{s:s, s:s}", "by", "kernel", "because", "option"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "--overlay-checksum");
	set_self(nodes, json_pack("{s:s, s:s}", "by", "kernel", "because", "others"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "not by weftd");
	set_self(nodes, json_pack("{s:s, s:s, s:[s], s:[s]}", "by", "kernel", "because", "detected",
				  "nodes", "b", "devices", "eth0"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "left to a device (eth0) arrive wrong at b");
	assert_advice(host, "software");
}

/* ---- the report -------------------------------------------------------------------------------- */

static void test_result(void **state)
{
	const struct doctor_check check = { .id = "a.b", .title = "title" };
	_cleanup_json_ json_t *object = NULL;
	struct host *host = *state;

	wf_doctor_say(&host->result, DOCTOR_WARNING, "file %s", "a\x1b[31m\xff");
	wf_doctor_say(&host->result, DOCTOR_OK, "and another");
	wf_doctor_advise(&host->result, "Run: one.");
	wf_doctor_advise(&host->result, "Run: two.");
	object = wf_doctor_result_json(&check, &host->result);
	assert_string_equal(wf_json_str(object, "status", ""), "warning");
	assert_string_equal(wf_json_str(object, "seen", ""), "file a\\x1b[31m\\xff; and another");
	assert_string_equal(wf_json_str(object, "advice", ""), "Run: one. Run: two.");
	assert_string_equal(wf_json_str(object, "id", ""), "a.b");
	assert_string_equal(wf_json_str(object, "title", ""), "title");
}

static json_t *make_report(int notes, int warnings, int errors)
{
	return json_pack("{s:[{s:s,s:s,s:s},{s:s,s:s,s:s}], s:{s:i,s:i,s:i,s:i}}", "checks",
			 "status", "ok", "seen", "kernel 6.1", "advice", "", "status", "warning",
			 "seen", "ip_forward is 0", "advice", "Run: it.", "summary", "ok", 1,
			 "notes", notes, "warnings", warnings, "errors", errors);
}

static void test_status(void **state)
{
	static const struct {
		int notes, warnings, errors, status;
	} rows[] = { { 0, 0, 0, 0 }, { 9, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 1 } };

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *report =
			make_report(rows[i].notes, rows[i].warnings, rows[i].errors);

		assert_int_equal(wf_control_doctor_status(report), rows[i].status);
	}
}

static void test_print(void **state)
{
	_cleanup_json_ json_t *report = make_report(0, 1, 0);
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	(void)state;
	wf_control_doctor_print(report, false, &out);
	assert_string_equal(wf_str_text(&out), "ok    kernel 6.1\n"
					       "WARN  ip_forward is 0. Run: it.\n"
					       "2 checks: 1 ok, 0 notes, 1 warning, 0 errors\n");
	wf_str_done(&out);
	wf_control_doctor_print(report, true, &out);
	assert_non_null(strstr(wf_str_text(&out), "\033[33mWARN \033[0m ip_forward"));
}

/* Ids are what scripts look for: no two checks share one. */
static void test_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOST_TABLES; i++)
		for (const struct doctor_check *check = host_tables[i]; check->id; check++) {
			assert_ptr_equal(host_find_check(check->id), check);
			assert_true(strlen(check->title) > 0);
		}
	for (const struct doctor_check *check = wf_doctor_trial_checks; check->id; check++)
		assert_non_null(check->data);
}

static void assert_documented(const struct wf_str *text, const struct doctor_check *check)
{
	char id[64];

	for (; check->id; check++) {
		(void)snprintf(id, sizeof(id), "`%s`", check->id);
		if (!strstr(wf_str_text(text), id))
			fail_msg("docs/doctor.md does not have %s", id);
	}
}

static void test_documented(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	(void)state;
	assert_int_equal(wf_file_read(DOCTOR_MD, 1 << 20, &text, NULL), 0);
	assert_null(strstr(wf_str_text(&text), "`kernel.nothing`"));
	assert_documented(&text, wf_doctor_trial_checks);
	for (size_t i = 0; i < HOST_TABLES; i++)
		assert_documented(&text, host_tables[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_lock_holder),
		cmocka_unit_test(test_plugin_version),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_cni_type),
		HOST_TEST(test_mtu),
		HOST_TEST(test_paths),
		HOST_TEST(test_sums),
		HOST_TEST(test_result),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests_name("control/doctor", tests, NULL, NULL);
}
