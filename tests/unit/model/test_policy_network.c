/* SPDX-License-Identifier: Apache-2.0 */
/* NetworkPolicy: each row a rule or an edge case of its definition. */
#include "policy_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"

static const char head[] = "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy,"
			   " metadata: {name: x, namespace: shop}, spec: ";

#define OWN "namespace kubernetes.io/metadata.name=shop"

static void test_accepted(void **state)
{
	static const struct policy_row rows[] = {
		/* types: absent or empty means ingress, and egress if it has rules */
		{ "{}", OWN " isolates=i spares=ie\n" },
		{ "{podSelector: {}, policyTypes: [], egress: []}", OWN " isolates=i spares=ie\n" },
		{ "{egress: [{}]}", OWN " isolates=ie spares=ie\negress allow any : any\n" },
		{ "{policyTypes: [Egress]}", OWN " isolates=e spares=ie\n" },
		{ "{policyTypes: [Ingress, Egress]}", OWN " isolates=ie spares=ie\n" },
		/* rules of a direction that is left out mean nothing */
		{ "{policyTypes: [Egress], ingress: [{}]}", OWN " isolates=e spares=ie\n" },
		{ "{policyTypes: [Ingress], egress: [{}], ingress: [{from: [], ports: []}]}",
		  OWN " isolates=i spares=ie\ningress allow any : any\n" },
		{ "{podSelector: {matchLabels: {app: web}}}",
		  "app=web; " OWN " isolates=i spares=ie\n" },
		/* peers */
		{ "{ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}}, {podSelector:"
		  " {matchLabels: {a: b}}, namespaceSelector: {matchLabels: {t: u}}}]}]}",
		  OWN " isolates=i spares=ie\ningress allow " OWN
		      " | everything | a=b; namespace t=u : any\n" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.1.2.3/8, except: [10.9.0.0/16,"
		  " 10.255.255.255/32]}}, {ipBlock: {cidr: '::/0'}}]}]}",
		  OWN " isolates=i spares=ie\ningress allow all of 10.0.0.0/8 but 10.9.0.0/16 but "
		      "10.255.255.255/32 | all of ::/0 : any\n" },
		{ "{ingress: [{from: [{podSelector: null, namespaceSelector: {}, ipBlock: null}]}]}",
		  OWN " isolates=i spares=ie\ningress allow everything : any\n" },
		/* ports */
		{ "{ingress: [{ports: [{}, {protocol: UDP}, {port: 80}, {port: http, protocol:"
		  " SCTP}, {port: 1, endPort: 65535}, {port: 9, endPort: 9}]}]}",
		  OWN " isolates=i spares=ie\ningress allow any : 6/0-65535 17/0-65535 6/80-80 "
		      "132/http 6/1-65535 6/9-9\n" },
	};

	policy_check_accepted(head, rows, WF_ARRAY_LEN(rows));
}

static void test_refused(void **state)
{
	static const struct policy_row rows[] = {
		{ "null", "spec" },
		{ "[]", "spec" },
		{ "{policyTypes: [ingress]}", "spec.policyTypes[0]" },
		{ "{policyTypes: [Ingress, Egress, Ingress]}", "spec.policyTypes" },
		{ "{ingress: [null]}", "spec.ingress[0]" },
		{ "{ingress: [{to: []}]}", "spec.ingress[0].to" },
		{ "{ingress: [{from: [{podSelector: null}]}]}", "spec.ingress[0].from[0]" },
		{ "{ingress: [{from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]}",
		  "spec.ingress[0].from[0].ipBlock" },
		{ "{ingress: [{from: [{ipBlock: {}}]}]}", "spec.ingress[0].from[0].ipBlock.cidr" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.1}}]}]}",
		  "spec.ingress[0].from[0].ipBlock.cidr" },
		{ "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}",
		  "spec.ingress[0].from[0].ipBlock.cidr" },
		{ "{ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/24'}}]}]}",
		  "spec.ingress[0].from[0].ipBlock.cidr" },
		{ "{egress: [{to: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except:"
		  " [10.0.0.0/9, 10.0.0.0/8]}}]}]}",
		  "spec.egress[0].to[1].ipBlock.except[1]" },
		{ "{egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/7]}}]}]}",
		  "spec.egress[0].to[0].ipBlock.except[0]" },
		{ "{egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: ['::/1']}}]}]}",
		  "spec.egress[0].to[0].ipBlock.except[0]" },
		{ "{ingress: [{ports: [{port: 0}]}]}", "spec.ingress[0].ports[0].port" },
		{ "{ingress: [{ports: [{port: 65536}]}]}", "spec.ingress[0].ports[0].port" },
		{ "{ingress: [{ports: [{port: HTTP}]}]}", "spec.ingress[0].ports[0].port" },
		{ "{ingress: [{ports: [{protocol: ICMP}]}]}", "spec.ingress[0].ports[0].protocol" },
		{ "{ingress: [{ports: [{port: 80, endPort: 79}]}]}",
		  "spec.ingress[0].ports[0].endPort" },
		{ "{ingress: [{ports: [{port: http, endPort: 80}]}]}",
		  "spec.ingress[0].ports[0].endPort" },
		{ "{ingress: [{ports: [{endPort: 80}]}]}", "spec.ingress[0].ports[0].endPort" },
		/* also where it means nothing */
		{ "{policyTypes: [Egress], ingress: [{from: [{}]}]}", "spec.ingress[0].from[0]" },
		{ "{podSelector: {matchLabels: {'k8s:app': web}}}",
		  "spec.podSelector.matchLabels.k8s:app" },
	};

	policy_check_refused(head, rows, WF_ARRAY_LEN(rows));
}

static void test_head(void **state)
{
	_cleanup_(wf_policy_done) struct wf_policy policy = { .tier = WF_TIER_NETWORK };
	_cleanup_json_ json_t *written = NULL;

	policy_read(&policy, "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, ",
		    "metadata: {name: x, annotations: {weft.dev/audit: 'true'}}, spec: {ingress:"
		    " [{}, {}]}, status: {weft: {x: y}, other: z}");
	assert_string_equal(policy.kind, WF_KIND_NETWORK_POLICY);
	assert_string_equal(policy.meta.namespace, "default");
	assert_int_equal(policy.tier, WF_TIER_NETWORK);
	assert_true(policy.audit);
	assert_string_equal(policy.sections[0].rules[1].path, "spec.ingress[1]");
	written = wf_policy_to_json(&policy);
	assert_string_equal(wf_json_str(json_object_get(written, "metadata"), "namespace", ""),
			    "default");
	assert_string_equal(wf_json_str(written, "apiVersion", ""), "networking.k8s.io/v1");
	assert_null(json_object_get(json_object_get(written, "status"), "weft"));
	assert_non_null(json_object_get(json_object_get(written, "status"), "other"));
}

/* As many rules as there may be are read in full, one more is refused. */
static void test_many_rules(void **state)
{
	for (size_t count = WF_POLICY_MAX_RULES; count <= WF_POLICY_MAX_RULES + 1; count++) {
		_cleanup_json_ json_t *in = json_pack(
			"{s:s, s:s, s:{s:s}, s:{s:[]}}", "apiVersion", "networking.k8s.io/v1",
			"kind", "NetworkPolicy", "metadata", "name", "x", "spec", "ingress");
		json_t *list = json_object_get(json_object_get(in, "spec"), "ingress");

		for (size_t i = 0; i < count; i++)
			(void)json_array_append_new(list, json_object());
		assert_int_equal(wf_document_check_deep(in, NULL),
				 count > WF_POLICY_MAX_RULES ? -EINVAL : 0);
	}
}

static void test_memory(void **state)
{
	policy_check_memory(head, "{podSelector: {matchLabels: {a: b}}, ingress: [{from: [{ipBlock:"
				  " {cidr: 10.0.0.0/8, except: [10.0.0.0/9]}}, {podSelector: {}}],"
				  " ports: [{port: 80}]}], egress: [{}]}");
}

static void test_names(void **state)
{
	assert_string_equal(wf_policy_tier_name(WF_TIER_BASELINE), "baseline");
	assert_string_equal(wf_rule_action_name(WF_RULE_PASS), "pass");
	assert_string_equal(wf_policy_dir_name(WF_POLICY_EGRESS), "egress");
	assert_string_equal(wf_policy_verdict_name(WF_POLICY_AUDIT), "audit");
	assert_string_equal(wf_policy_verdict_name(WF_POLICY_VERDICT_COUNT), "");
	assert_true(wf_policy_is_kind("AdminNetworkPolicy"));
	assert_false(wf_policy_is_kind("Network"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_head),     cmocka_unit_test(test_many_rules),
		cmocka_unit_test(test_memory),   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
