/* SPDX-License-Identifier: Apache-2.0 */
/* Policies tried without a daemon. */
#include "cli/policy_lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"

static const char documents[] =
	"apiVersion: v1\nkind: Pod\nmetadata: {name: front, labels: {app: front}}\n"
	"---\n"
	"apiVersion: v1\nkind: Pod\nmetadata: {name: back, labels: {app: back}}\n"
	"spec: {containers: [{ports: [{name: http, containerPort: 8080}]}]}\n"
	"---\n"
	"apiVersion: weft.dev/v1\nkind: Endpoint\nmetadata: {name: six, labels: {app: x}}\n"
	"status: {addresses: [{address: \"fd00::6/64\"}]}\n"
	"---\n"
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
	"spec:\n"
	"  podSelector: {matchLabels: {app: back}}\n"
	"  ingress:\n"
	"  - from: [{podSelector: {matchLabels: {app: front}}}]\n"
	"    ports: [{port: http}, {port: 90, endPort: 99, protocol: UDP}]\n";

/* Two tenants with the same addresses; documents in any order. */
#define TENANT(name, more)                                                     \
	"---\napiVersion: weft.dev/v1\nkind: Endpoint\nmetadata: {name: " name \
	"-web, labels: {app: web}}\nspec: {network: " name "}\n"               \
	"status: {addresses: [{address: 10.50.0.11/24}]}\n"                    \
	"---\napiVersion: weft.dev/v1\nkind: Endpoint\nmetadata: {name: " name \
	"-db, labels: {app: db, of: " name "}}\nspec: {network: " name "}\n"   \
	"status: {addresses: [{address: 10.50.0.13/24}]}\n"                    \
	"---\napiVersion: weft.dev/v1\nkind: Network\nmetadata: {name: " name  \
	"}\nspec: {driver: bridge, overlapping: true, " more "subnets: [{cidr: 10.50.0.0/24}]}\n"
#define TENANTS TENANT("acme", "") TENANT("beta", "") TENANT("gamma", "masquerade: true, ")

static const char tenants[] =
	TENANTS "---\napiVersion: v1\nkind: Pod\nmetadata: {name: plain, labels: {app: web}}\n"
		"status: {podIP: 10.50.0.11}\n"
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
		"spec:\n"
		"  podSelector: {matchLabels: {of: acme}}\n"
		"  ingress: [{from: [{ipBlock: {cidr: 10.50.0.11/32}}], ports: [{port: 80}]}]\n"
		"---\napiVersion: v1\nkind: Service\n"
		"metadata: {name: db, annotations: {weft.dev/network: beta}}\n"
		"spec: {selector: {app: db}, ports: [{port: 80}]}\n"
		"---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: q}\n"
		"spec:\n"
		"  endpointSelector: {matchLabels: {app: web}}\n"
		"  egress:\n"
		"  - toServices: [{k8sService: {serviceName: db, namespace: default}}]\n"
		"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: r}\n"
		"spec:\n"
		"  podSelector: {matchLabels: {app: web}}\n"
		"  policyTypes: [Egress]\n"
		"  egress: [{to: [{ipBlock: {cidr: 10.50.0.13/32}}], ports: [{port: 80}]}]\n";

static int fill(void **state, const char *text)
{
	struct wf_documents parsed = { 0 };
	struct wf_err err = WF_ERR_INIT;
	struct wf_cli_lab *lab = NULL;

	assert_int_equal(wf_cli_lab_new(&lab, &err), 0);
	assert_int_equal(wf_documents_parse(&parsed, "x", text, strlen(text), &err), 0);
	for (size_t i = 0; i < parsed.count; i++)
		if (wf_cli_lab_add(lab, parsed.items[i].root, &err) < 0)
			fail_msg("%s", err.message);
	if (wf_cli_lab_settle(lab, &err) < 0)
		fail_msg("%s", err.message);
	wf_documents_done(&parsed);
	*state = lab;
	return 0;
}

static int setup(void **state)
{
	return fill(state, documents);
}

static int setup_tenants(void **state)
{
	return fill(state, tenants);
}

static int teardown(void **state)
{
	struct wf_cli_lab *lab = *state;

	wf_cli_lab_free(&lab);
	return 0;
}

static enum wf_policy_verdict ask(const struct wf_cli_lab *lab, const char *from, const char *to,
				  uint8_t proto, uint16_t port)
{
	struct wf_cli_lab_answer answer;
	struct wf_err err = WF_ERR_INIT;

	if (wf_cli_lab_ask(lab, from, to, proto, port, &answer, &err) < 0)
		fail_msg("%s", err.message);
	return answer.verdict;
}

static void test_ask(void **state)
{
	const struct wf_cli_lab *lab = *state;
	struct wf_cli_lab_answer answer;
	_cleanup_str_ struct wf_str rule = WF_STR_INIT;

	assert_int_equal(ask(lab, "front", "back", IPPROTO_TCP, 8080), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "front", "back", IPPROTO_TCP, 80), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "front", "back", IPPROTO_UDP, 99), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "front", "back", IPPROTO_UDP, 100), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "six", "back", IPPROTO_TCP, 8080), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "world", "back", IPPROTO_TCP, 8080), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "host", "back", IPPROTO_TCP, 8080), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "back", "back", IPPROTO_TCP, 1), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "fd00::6", "front", IPPROTO_ICMP, 128), WF_POLICY_ALLOW);
	assert_int_equal(wf_cli_lab_ask(lab, "front", "nobody", 6, 1, &answer, NULL), -ENOENT);
	assert_int_equal(wf_cli_lab_ask(lab, "six", "203.0.113.9", 6, 1, &answer, NULL),
			 -EAFNOSUPPORT);
	assert_int_equal(wf_cli_lab_ask(lab, "front", "back", 6, 8080, &answer, NULL), 0);
	wf_cli_lab_rule(lab, answer.rules[WF_POLICY_INGRESS], &rule);
	assert_string_equal(wf_str_text(&rule), "NetworkPolicy/default/p spec.ingress[0]");
}

static void assert_reach(const struct wf_cli_lab *lab, const char *from, const char *to,
			 const char *wanted)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	assert_int_equal(wf_cli_lab_reach(lab, from, to, &text, NULL), 0);
	assert_string_equal(wf_str_text(&text), wanted);
}

static void test_reach(void **state)
{
	const struct wf_cli_lab *lab = *state;

	assert_reach(lab, "front", "back", "8080/TCP 90-99/UDP");
	assert_reach(lab, "six", "back", "nothing");
	assert_reach(lab, "back", "front", "everything");
	assert_int_equal(wf_cli_lab_party_count(lab), 5);
	assert_string_equal(wf_cli_lab_party_name(lab, 0), "front");
	assert_string_equal(wf_cli_lab_party_name(lab, 3), "host");
	assert_string_equal(wf_cli_lab_party_name(lab, 4), "world");
}

static void test_tenants(void **state)
{
	const struct wf_cli_lab *lab = *state;

	/* a service's backends are those of its network; of the other one the CIDR alone counts */
	assert_reach(lab, "beta-web", "beta-db", "everything");
	assert_reach(lab, "acme-web", "acme-db", "80/TCP");
	/* nothing leads out of either, nor in */
	assert_reach(lab, "acme-web", "beta-db", "nothing");
	assert_reach(lab, "plain", "acme-db", "nothing");
	assert_reach(lab, "beta-db", "plain", "nothing");
	assert_reach(lab, "host", "beta-db", "nothing");
	assert_reach(lab, "beta-db", "world", "nothing");
	/* but for the world, where the network is masqueraded, and as egress rules let it */
	assert_reach(lab, "gamma-db", "world", "everything");
	assert_reach(lab, "world", "gamma-db", "nothing");
	assert_reach(lab, "gamma-db", "host", "nothing");
	assert_reach(lab, "gamma-web", "world", "nothing");
	assert_int_equal(ask(lab, "gamma-db", "203.0.113.77", IPPROTO_TCP, 80), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "gamma-db", "10.50.0.11", IPPROTO_TCP, 80), WF_POLICY_ALLOW);
	/* an address is whoever has it there */
	assert_int_equal(ask(lab, "acme-web", "10.50.0.13", IPPROTO_TCP, 81), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "acme-web", "10.50.0.13", IPPROTO_TCP, 80), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "beta-web", "10.50.0.13", IPPROTO_TCP, 81), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "10.50.0.11", "acme-db", IPPROTO_TCP, 80), WF_POLICY_ALLOW);
	assert_int_equal(ask(lab, "10.50.0.12", "acme-db", IPPROTO_TCP, 80), WF_POLICY_DENY);
	assert_int_equal(ask(lab, "10.50.0.12", "beta-db", IPPROTO_TCP, 80), WF_POLICY_ALLOW);
}

static void assert_target(const char *text, const char *destination, int64_t port,
			  const char *protocol)
{
	_cleanup_json_ json_t *request = json_object();

	assert_int_equal(wf_cli_target_parse(text, request, NULL), 0);
	assert_string_equal(wf_json_str(request, "destination", ""), destination);
	assert_int_equal(wf_json_int(request, "port", -1), port);
	assert_string_equal(wf_json_str(request, "protocol", "-"), protocol);
}

static void test_targets(void **state)
{
	static const char *const wrong[] = {
		"", ":80", "web:x", "web:70000", "web:", "[fd00::1]:x"
	};

	(void)state;
	assert_target("web", "web", -1, "-");
	assert_target("web:80", "web", 80, "-");
	assert_target("web:53/udp", "web", 53, "udp");
	assert_target("web/icmp", "web", -1, "icmp");
	assert_target("web/47", "web", -1, "47");
	assert_target("10.0.0.1:80/tcp", "10.0.0.1", 80, "tcp");
	assert_target("fd00::1", "fd00::1", -1, "-");
	assert_target("[fd00::1]:80", "fd00::1", 80, "-");
	assert_target("[fd00::1]", "fd00::1", -1, "-");
	assert_target("service/shop/db:5432", "service/shop/db", 5432, "-");
	assert_target("app=web:80", "app=web", 80, "-");
	for (size_t i = 0; i < WF_ARRAY_LEN(wrong); i++) {
		_cleanup_json_ json_t *request = json_object();

		assert_int_equal(wf_cli_target_parse(wrong[i], request, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tenants, setup_tenants, teardown),
		cmocka_unit_test_setup_teardown(test_reach, setup, teardown),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
