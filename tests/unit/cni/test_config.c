/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: what is refused with which code, defaults, any case, warnings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cni/config.h"
#include "json_text.h"

/* Members beside name and type; code 0: accepted. */
static const struct {
	const char *members;
	int code;
	const char *message; /* a part of it */
} rows[] = {
	{ "", 0, "" },
	{ "'cniVersion':'1.1.0'", 0, "" },
	{ "'cniVersion':'0.3.1','ipam':{}", 0, "" },
	{ "'ipam':null,'runtimeConfig':null,'args':null,'prevResult':null,'mtu':null", 0, "" },
	{ "'x':1,'y':{'z':[]}", 0, "" },
	{ "'cniVersion':'1.2.0'", 1, "incompatible CNI versions" },
	{ "'cniVersion':'0.5.0'", 1, "incompatible CNI versions" },
	{ "'cniVersion':'1.0'", 1, "incompatible CNI versions" },
	{ "'cniVersion':110", 6, "cniVersion must be a string, not 110" },
	{ "'network':7", 7, "network must be a string, not 7" },
	{ "'network':'Blue'", 7, "\"Blue\" cannot be the name of a weft network" },
	{ "'network':'a/../b'", 7, "cannot be the name" },
	{ "'socket':'weft.sock'", 7, "socket must be an absolute path" },
	{ "'socket':true", 7, "socket must be a string" },
	{ "'ipam':{'type':'host-local'}", 2, "unsupported field ipam with value {\"type\":" },
	{ "'ipam':'host-local'", 7, "ipam must be an object" },
	{ "'cni.dev/valid-attachments':[]", 2,
	  "unsupported field cni.dev/valid-attachments with value []" },
	{ "'cni.dev/anything':1", 2, "reserved" },
	{ "'runtimeConfig':[]", 7, "runtimeConfig must be an object" },
	{ "'runtimeConfig':{'portMappings':[{'hostPort':80,'containerPort':80}]}", 0, "" },
	{ "'runtimeConfig':{'portMappings':[]}", 0, "" },
	{ "'runtimeConfig':{'portMappings':null,'bandwidth':{}}", 0, "" },
	{ "'runtimeConfig':{'bandwidth':{'ingressRate':1}}", 2, "runtimeConfig.bandwidth" },
	{ "'runtimeConfig':{'deviceID':'0000:00:1f.6'}", 2, "runtimeConfig.deviceID" },
	{ "'runtimeConfig':{'deviceID':''}", 0, "" },
	{ "'runtimeConfig':{'ips':['10.0.0.1'],'mac':'','cgroupPath':'/x'}", 0, "" },
	{ "'args':7", 7, "args must be an object" },
	{ "'args':{'cni':[]}", 7, "cni must be an object" },
	{ "'args':{'cni':{'sysctl':{}}}", 0, "" },
	{ "'dns':[]", 7, "dns must be an object" },
	{ "'labels':['a']", 7, "labels must be an object" },
	{ "'labels':{'a':1}", 7, "labels.a must be a string, not 1" },
	{ "'mtu':1400.0", 0, "" },
	{ "'mtu':0", 0, "" },
	{ "'mtu':67", 7, "mtu must be 0 or a number from 68 to 65535, not 67" },
	{ "'mtu':'1400'", 7, "mtu must be" },
	{ "'mtu':1e9", 7, "mtu must be" },
	{ "'sticky':1", 7, "sticky must be true or false, not 1" },
	{ "'defaultRoute':'yes'", 7, "defaultRoute must be true or false" },
	{ "'createNetwork':0", 7, "createNetwork must be" },
};

static int load(const char *text, struct wf_cni_config *config, struct wf_str *log,
		struct wf_cni_error *error)
{
	_cleanup_free_ char *quoted = json_quoted(text);
	int r;

	memset(error, 0, sizeof(*error));
	r = wf_cni_config_read(config, quoted, strlen(quoted), error);
	return r < 0 ? r : wf_cni_config_check(config, log, error);
}

static void test_table(void **state)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
		_cleanup_str_ struct wf_str log = WF_STR_INIT;
		struct wf_cni_error error;
		char text[512];
		int r;

		(void)snprintf(text, sizeof(text), "{'name':'blue','type':'weft'%s%s}",
			       *rows[i].members ? "," : "", rows[i].members);
		r = load(text, &config, &log, &error);
		if ((r < 0) != (rows[i].code != 0) || error.code != rows[i].code ||
		    !strstr(error.msg, rows[i].message))
			fail_msg("%s: %d \"%s\"", rows[i].members, error.code, error.msg);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{ "", 6 },
		{ "{", 6 },
		{ "null", 6 },
		{ "[]", 6 },
		{ "{'name':'a'} x", 6 },
		{ "{'name':'a','name':'b'}", 6 },
		{ "{}", 7 },
		{ "{'name':''}", 7 },
		{ "{'name':null}", 7 },
		{ "{'name':7}", 7 },
		{ "{'name':'../etc'}", 7 },
		{ "{'name':'a b'}", 7 },
		{ "{'name':'-a'}", 7 },
		{ "{'name':'a\\u0000b'}", 6 },
		{ "{'name':'a\\nb'}", 7 },
		/* the name is looked at before the version */
		{ "{'name':'/','cniVersion':'9.9.9'}", 7 },
		{ "{'name':'a','cniVersion':'9.9.9'}", 1 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
		_cleanup_str_ struct wf_str log = WF_STR_INIT;
		struct wf_cni_error error;

		if (load(cases[i].text, &config, &log, &error) >= 0 || error.code != cases[i].code)
			fail_msg("%s: %d \"%s\"", cases[i].text, error.code, error.msg);
	}
}

static void test_values(void **state)
{
	_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
	_cleanup_str_ struct wf_str log = WF_STR_INIT;
	struct wf_cni_error error;

	assert_int_equal(load("{'name':'My_Net','Network':'blue','SOCKET':'/x/s','Sticky':true,"
			      "'defaultroute':false,'createNetwork':false,'MTU':1.4e3,"
			      "'RuntimeConfig':{'ips':[]},'args':{'CNI':{'ips':[]}}}",
			      &config, &log, &error),
			 0);
	assert_string_equal(config.name, "My_Net");
	assert_string_equal(config.network, "blue");
	assert_string_equal(config.socket, "/x/s");
	assert_int_equal(config.version, WF_CNI_0_1_0);
	assert_true(config.sticky);
	assert_false(config.create_network);
	assert_int_equal(config.default_route, WF_CNI_NO);
	assert_int_equal(config.mtu, 1400);
	assert_non_null(config.runtime);
	assert_non_null(config.args);
	assert_string_equal(wf_str_text(&log), "");
}

static void test_defaults(void **state)
{
	_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
	_cleanup_str_ struct wf_str log = WF_STR_INIT;
	struct wf_cni_error error;

	assert_int_equal(load("{'name':'blue','network':''}", &config, &log, &error), 0);
	assert_string_equal(config.network, "blue");
	assert_string_equal(config.socket, "/run/weft/weft.sock");
	assert_true(config.create_network);
	assert_false(config.sticky);
	assert_int_equal(config.default_route, WF_CNI_UNSET);
	assert_null(config.prev_result);
}

static void test_warning(void **state)
{
	static const struct {
		const char *key, *meant;
	} cases[] = { { "netwrok", "network" }, { "defualtRoute", "defaultRoute" },
		      { "lables", "labels" },   { "soket", "socket" },
		      { "mut", NULL },          { "bridge", NULL },
		      { "isGateway", NULL },    { "type", NULL },
		      { "cniVersions", NULL },  { "capabilities", NULL } };

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		_cleanup_(wf_cni_config_done) struct wf_cni_config config = { 0 };
		_cleanup_str_ struct wf_str log = WF_STR_INIT;
		struct wf_cni_error error;
		char text[128];

		(void)snprintf(text, sizeof(text), "{'name':'blue','%s':'x'}", cases[i].key);
		assert_int_equal(load(text, &config, &log, &error), 0);
		if (cases[i].meant)
			assert_non_null(strstr(wf_str_text(&log), cases[i].meant));
		else
			assert_string_equal(wf_str_text(&log), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),   cmocka_unit_test(test_names),
		cmocka_unit_test(test_values),  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
