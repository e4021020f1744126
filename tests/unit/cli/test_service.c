/* SPDX-License-Identifier: Apache-2.0 */
/* Services as rows and as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/service.h"

static const char full[] =
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"web\"},"
	"\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.10\","
	"\"clusterIPs\":[\"10.96.0.10\",\"fd00::a\"],\"externalIPs\":[\"198.51.100.9\"],"
	"\"selector\":{\"app\":\"web\"},\"sessionAffinity\":\"ClientIP\","
	"\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":60}},"
	"\"ports\":[{\"name\":\"http\",\"port\":80,\"nodePort\":30080,\"protocol\":\"TCP\"},"
	"{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}]},"
	"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"203.0.113.1\"},"
	"{\"hostname\":\"lb.example\"}]},\"weft\":{\"ports\":["
	"{\"name\":\"http\",\"key\":\"shop/web:80/tcp/IPv4\",\"number\":3,\"algorithm\":\"maglev\","
	"\"connections\":12,\"refused\":1,"
	"\"frontends\":[{\"type\":\"ClusterIP\",\"address\":\"10.96.0.10\",\"port\":80,"
	"\"scope\":\"all\"},{\"type\":\"NodePort\",\"address\":\"0.0.0.0\",\"port\":30080,"
	"\"scope\":\"all\"}],"
	"\"backends\":[{\"address\":\"10.64.0.5\",\"port\":8080,\"state\":\"ready\","
	"\"inside\":true,\"outside\":true,\"active\":4,\"weight\":1,\"node\":\"n1\","
	"\"target\":\"web-1\"},{\"address\":\"10.64.0.6\",\"port\":8080,"
	"\"state\":\"terminating\",\"inside\":false,\"outside\":false,\"active\":1,"
	"\"weight\":1}]},"
	"{\"name\":\"http\",\"key\":\"shop/web:80/tcp/IPv6\",\"algorithm\":\"maglev\","
	"\"connections\":3,\"refused\":0,\"frontends\":[],"
	"\"backends\":[{\"address\":\"10.64.0.5\",\"port\":8080,\"state\":\"ready\"}]}],"
	"\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"Clash\","
	"\"message\":\"a\\u001b[2J\"}]}}}";

static json_t *load(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

/* The cell of one column. */
static void assert_cell(const json_t *service, const char *header, const char *want)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;
	const struct wf_cli_column *column = wf_cli_service_columns;

	while (column->header && strcmp(column->header, header) != 0)
		column++;
	assert_non_null(column->header);
	if (column->format)
		column->format(service, &out);
	else
		wf_cli_add_path(service, column->path, &out);
	assert_string_equal(wf_str_text(&out), want);
}

static void test_row(void **state)
{
	_cleanup_json_ json_t *service = load(full);

	(void)state;
	assert_cell(service, "NAMESPACE", "shop");
	assert_cell(service, "CLUSTER-IP", "10.96.0.10,fd00::a");
	assert_cell(service, "EXTERNAL-IP", "198.51.100.9,203.0.113.1,lb.example");
	assert_cell(service, "PORTS", "80:30080/TCP,53/UDP");
	/* the same backend of two ports counts once */
	assert_cell(service, "BACKENDS", "1/2");
	assert_cell(service, "HITS", "15");
	assert_cell(service, "REFUSED", "1");
}

/* A document without what the daemon adds. */
static void test_row_without_status(void **state)
{
	_cleanup_json_ json_t *service =
		load("{\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"port\":1}]}}");
	_cleanup_json_ json_t *name =
		load("{\"spec\":{\"type\":\"ExternalName\",\"externalName\":\"db.example\"}}");

	(void)state;
	assert_cell(service, "CLUSTER-IP", "None");
	assert_cell(service, "PORTS", "1/TCP");
	assert_cell(service, "BACKENDS", "");
	assert_cell(service, "HITS", "");
	assert_cell(name, "EXTERNAL-IP", "db.example");
	assert_cell(name, "PORTS", "");
}

static void test_text(void **state)
{
	static const char *const wanted[] = {
		"Service:         shop/web\n",
		"Type:            LoadBalancer\n",
		"Affinity:        ClientIP for 60s\n",
		"\nCONDITION   STATUS   REASON   MESSAGE\n",
		"Ready       False    Clash    a\\x1b[2J\n",
		"\nshop/web:80/tcp/IPv4 (http): maglev, 12 hits, 1 refused\n",
		"10.96.0.10:80   ClusterIP   all\n",
		"*:30080         NodePort    all\n",
		"10.64.0.5:8080   ready         all          4        1        n1     -      web-1\n",
		"10.64.0.6:8080   terminating   nobody new   1",
	};
	_cleanup_json_ json_t *service = load(full);
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	(void)state;
	wf_cli_service_add(service, &out);
	assert_false(out.failed);
	for (size_t i = 0; i < WF_ARRAY_LEN(wanted); i++)
		if (!strstr(wf_str_text(&out), wanted[i]))
			fail_msg("no \"%s\" in\n%s", wanted[i], wf_str_text(&out));
	assert_true(out.data[out.len - 1] != '\n');
}

static void test_text_of_nonsense(void **state)
{
	static const char *const rows[] = {
		"{}",
		"{\"spec\":[],\"status\":{\"weft\":{\"ports\":[{}],\"conditions\":[7]}}}",
		"{\"status\":{\"weft\":{\"ports\":[7,{\"backends\":[{}],\"frontends\":[\"x\"]}]}}}",
		"{\"spec\":{\"ports\":{},\"clusterIPs\":\"x\"},\"metadata\":[]}",
	};

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *service = load(rows[i]);
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		wf_cli_service_add(service, &out);
		assert_false(out.failed);
		assert_non_null(strstr(wf_str_text(&out), "Service:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_row),
		cmocka_unit_test(test_row_without_status),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_of_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
