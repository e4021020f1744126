/* SPDX-License-Identifier: Apache-2.0 */
/* Results in every version, and previous results of every version read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cni/prev.h"
#include "cni/result.h"
#include "json_text.h"

#define ENDPOINT                                                                        \
	"{'spec':{'defaultRoute':true},'status':{'mac':'02:00:00:00:00:05','mtu':1400," \
	"'hostInterface':{'name':'wf1','mac':'0a:00:00:00:00:01'},'addresses':["        \
	"{'address':'10.64.0.5/16','gateway':'10.64.0.1'},{'address':'fd00::5/64',"     \
	"'gateway':'fd00::1'}]}}"

#define HOST   "{'name':'wf1','mac':'0a:00:00:00:00:01'}"
#define ROUTES "'routes':[{'dst':'0.0.0.0/0','gw':'10.64.0.1'},{'dst':'::/0','gw':'fd00::1'}]"
#define DNS    "'dns':{'nameservers':['1.1.1.1']}"

#define INSIDE(mtu) "{'name':'eth0','mac':'02:00:00:00:00:05'," mtu "'sandbox':'/n'}"
#define IPS(v4, v6)                                                                    \
	"'ips':[{'address':'10.64.0.5/16','gateway':'10.64.0.1','interface':1" v4 "}," \
	"{'address':'fd00::5/64','gateway':'fd00::1','interface':1" v6 "}]"
#define OLDEST(version)                                                                 \
	"{'cniVersion':'" version "','ip4':{'ip':'10.64.0.5/16','gateway':'10.64.0.1'," \
	"'routes':[{'dst':'0.0.0.0/0','gw':'10.64.0.1'}]},'ip6':{'ip':'fd00::5/64',"    \
	"'gateway':'fd00::1','routes':[{'dst':'::/0','gw':'fd00::1'}]}," DNS "}"
#define OLD(version)                                      \
	"{'cniVersion':'" version "','interfaces':[" HOST \
	"," INSIDE("") "]," IPS(",'version':'4'", ",'version':'6'") "," ROUTES "," DNS "}"

static const char *const wanted[WF_CNI_VERSION_COUNT] = {
	[WF_CNI_0_1_0] = OLDEST("0.1.0"),
	[WF_CNI_0_2_0] = OLDEST("0.2.0"),
	[WF_CNI_0_3_0] = OLD("0.3.0"),
	[WF_CNI_0_3_1] = OLD("0.3.1"),
	[WF_CNI_0_4_0] = OLD("0.4.0"),
	[WF_CNI_1_0_0] = "{'cniVersion':'1.0.0','interfaces':[" HOST
			 "," INSIDE("") "]," IPS("", "") "," ROUTES "," DNS "}",
	[WF_CNI_1_1_0] = "{'cniVersion':'1.1.0','interfaces':[" HOST
			 "," INSIDE("'mtu':1400,") "]," IPS("", "") "," ROUTES "," DNS "}",
};

static json_t *build(const char *endpoint_text, json_t *dns, const json_t *prev)
{
	json_t *endpoint = json_of(endpoint_text), *result = NULL;
	struct wf_cni_error error = { 0 };

	if (wf_cni_result_build(endpoint, "eth0", "/n", dns, prev, &result, &error) < 0)
		fail_msg("%s", error.msg);
	json_decref(endpoint);
	return result;
}

static void test_versions(void **state)
{
	for (int version = 0; version < WF_CNI_VERSION_COUNT; version++) {
		json_t *dns = json_of("{'nameservers':['1.1.1.1']}");

		assert_json(wf_cni_result_convert(build(ENDPOINT, dns, NULL), version),
			    wanted[version]);
		json_decref(dns);
	}
}

static void test_sparse(void **state)
{
	assert_json(
		wf_cni_result_convert(build("{'status':{}}", NULL, NULL), WF_CNI_1_1_0),
		"{'cniVersion':'1.1.0','interfaces':[{'name':'eth0','sandbox':'/n'}],'ips':[]}");
	assert_json(wf_cni_result_convert(build("{'status':{}}", NULL, NULL), WF_CNI_0_2_0),
		    "{'cniVersion':'0.2.0'}");
	/* no default route: no routes */
	assert_json(
		build("{'status':{'addresses':[{'address':'10.0.0.2/8','gateway':'10.0.0.1'}]}}",
		      NULL, NULL),
		"{'interfaces':[{'name':'eth0','sandbox':'/n'}],'ips':[{'address':'10.0.0.2/8',"
		"'gateway':'10.0.0.1','interface':0}]}");
}

static void test_no_endpoint(void **state)
{
	json_t *endpoint = json_of("{'status':[]}"), *result = NULL;
	struct wf_cni_error error = { 0 };

	assert_true(wf_cni_result_build(endpoint, "eth0", "/n", NULL, NULL, &result, &error) < 0);
	assert_int_equal(error.code, 999);
	json_decref(endpoint);
}

static json_t *read_prev(const char *text, enum wf_cni_version fallback, struct wf_cni_error *error)
{
	json_t *prev = json_of(text), *result = NULL;

	memset(error, 0, sizeof(*error));
	if (wf_cni_prev_read(prev, fallback, &result, error) < 0)
		assert_int_equal(error->code, 7);
	json_decref(prev);
	return result;
}

/* Every version read back gives what that version can tell. */
static void test_read_back(void **state)
{
	for (int version = 0; version < WF_CNI_VERSION_COUNT; version++) {
		struct wf_cni_error error;
		json_t *prev = read_prev(wanted[version], WF_CNI_0_4_0, &error);

		if (!prev)
			fail_msg("%s: %s", wf_cni_version_name(version), error.msg);
		assert_json(wf_cni_result_convert(prev, version), wanted[version]);
	}
}

static void test_fallback(void **state)
{
	struct wf_cni_error error;

	assert_json(read_prev("{'ip4':{'ip':'10.0.0.2/8'}}", WF_CNI_0_2_0, &error),
		    "{'ips':[{'address':'10.0.0.2/8'}],'routes':[]}");
	assert_json(read_prev("{'ips':[{'version':'4','address':'10.0.0.2/8'}],'routes':null}",
			      WF_CNI_0_4_0, &error),
		    "{'ips':[{'address':'10.0.0.2/8'}]}");
}

static void test_damaged(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "[]", "prevResult must be an object" },
		{ "'x'", "prevResult must be an object" },
		{ "{'cniVersion':'7.0.0'}", "prevResult.cniVersion must be" },
		{ "{'cniVersion':1}", "prevResult.cniVersion must be" },
		{ "{'interfaces':{}}", "prevResult.interfaces must be an array" },
		{ "{'interfaces':[1]}", "prevResult.interfaces must be an array of objects" },
		{ "{'interfaces':[{'name':1}]}", "interfaces.name must be a string" },
		{ "{'ips':[{}]}", "prevResult.ips[].address" },
		{ "{'ips':[{'address':'10.0.0.1/99'}]}", "prevResult.ips[].address" },
		{ "{'ips':[{'address':'10.0.0.1/8','interface':0}]}",
		  "prevResult.ips[].interface" },
		{ "{'interfaces':[{}],'ips':[{'address':'10.0.0.1/8','interface':-1}]}",
		  "prevResult.ips[].interface" },
		{ "{'interfaces':[{}],'ips':[{'address':'10.0.0.1/8','interface':'0'}]}",
		  "prevResult.ips[].interface" },
		{ "{'cniVersion':'0.2.0','ip4':[]}", "ip4 must be an object" },
		{ "{'cniVersion':'0.2.0','ip4':{'ip':'x'}}", "prevResult.ips[].address" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_cni_error error;

		assert_null(read_prev(rows[i].text, WF_CNI_1_0_0, &error));
		if (!strstr(error.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].text, error.msg);
	}
}

/* weft second in a chain: everything of the first is echoed, ours is appended. */
static void test_chain(void **state)
{
	struct wf_cni_error error;
	json_t *dns = json_of("{'nameservers':['9.9.9.9']}");
	json_t *prev = read_prev(
		"{'cniVersion':'1.0.0','x':7,'interfaces':[{'name':'a','extra':true},"
		"{'name':'eth9','sandbox':'/n'}],'ips':[{'address':'10.0.0.2/8','interface':1}],"
		"'routes':[{'dst':'0.0.0.0/0'}],'dns':{'nameservers':['1.1.1.1']}}",
		WF_CNI_1_0_0, &error);

	assert_json(build("{'status':{'mac':'m','hostInterface':{'name':'wf1'},'addresses':["
			  "{'address':'10.64.0.5/16'}]}}",
			  dns, prev),
		    "{'x':7,'interfaces':[{'name':'a','extra':true},"
		    "{'name':'eth9','sandbox':'/n'},{'name':'wf1'},"
		    "{'name':'eth0','mac':'m','sandbox':'/n'}],'ips':[{'address':'10.0.0.2/8',"
		    "'interface':1},{'address':'10.64.0.5/16','interface':3}],"
		    "'routes':[{'dst':'0.0.0.0/0'}],'dns':{'nameservers':['1.1.1.1']}}");
	json_decref(prev);
	json_decref(dns);
}

static void test_find(void **state)
{
	json_t *result = json_of("{'interfaces':[{'name':'eth0'},{'name':'eth0','sandbox':'/a'},"
				 "{'name':'eth0','sandbox':'/b'}]}");
	size_t index = 99;

	assert_non_null(wf_cni_result_find(result, "eth0", "/b", &index));
	assert_int_equal(index, 2);
	assert_non_null(wf_cni_result_find(result, "eth0", NULL, &index));
	assert_int_equal(index, 1);
	assert_null(wf_cni_result_find(result, "eth0", "/c", &index));
	assert_null(wf_cni_result_find(result, "eth1", NULL, &index));
	assert_null(wf_cni_result_find(NULL, "eth0", NULL, &index));
	json_decref(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),    cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_no_endpoint), cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_fallback),    cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_chain),       cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
