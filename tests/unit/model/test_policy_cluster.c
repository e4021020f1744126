/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of the administrator: each row a rule or an edge case of theirs. */
#include "policy_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const char newer[] = "apiVersion: policy.networking.k8s.io/v1alpha2,"
			    " kind: ClusterNetworkPolicy, metadata: {name: x}, spec: ";
static const char older[] = "apiVersion: policy.networking.k8s.io/v1alpha1,"
			    " kind: AdminNetworkPolicy, metadata: {name: x}, spec: ";
static const char baseline[] = "apiVersion: policy.networking.k8s.io/v1alpha1,"
			       " kind: BaselineAdminNetworkPolicy, metadata: {name: default},"
			       " spec: ";

#define ADMIN "tier: Admin, priority: 7, subject: {namespaces: {}}"
#define HEAD  "everything isolates= spares=\n"

static void test_accepted(void **state)
{
	static const struct policy_row rows[] = {
		{ "{tier: Admin, priority: 7, subject: {pods: {podSelector: {matchLabels: {a: b}},"
		  " namespaceSelector: {matchLabels: {t: u}}}}}",
		  "a=b; namespace t=u isolates= spares=\n" },
		{ "{" ADMIN
		  ", ingress: [{name: n, action: Accept, from: [{namespaces: {matchLabels:"
		  " {t: u}}}, {pods: {podSelector: {}}}]}]}",
		  HEAD "ingress allow \"n\" namespace t=u | everything : any\n" },
		{ "{" ADMIN ", egress: [{action: Deny, to: [{networks: [10.0.0.1/8, '::/0']},"
		  " {nodes: {matchLabels: {r: e}}}]}, {action: Pass, to: [{namespaces: {}}]}]}",
		  HEAD "egress deny all of 10.0.0.0/8 | all of ::/0 | nodes r=e : any\n"
		       "egress pass everything : any\n" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols: ["
		  "{tcp: {destinationPort: {number: 80}}}, {udp: {destinationPort: {range: {start:"
		  " 5, end: 6}}}}, {sctp: {destinationPort: {number: 1}}}, {destinationNamedPort:"
		  " http}]}]}",
		  HEAD
		  "ingress deny everything : 6/80-80 17/5-6 132/1-1 6/http 17/http 132/http\n" },
		{ "{" ADMIN ", egress: [{action: Accept, to: [{domainNames: ['*.example.org',"
		  " example.org.]}]}]}",
		  HEAD "egress allow : any ! domainNames needs DNS\n" },
		/* nothing denies after the last tier */
		{ "{tier: Baseline, priority: 0, subject: {namespaces: {}}, ingress: [{action: Pass,"
		  " from: [{namespaces: {}}]}]}",
		  HEAD "ingress allow everything : any\n" },
	};
	static const struct policy_row older_rows[] = {
		{ "{priority: 0, subject: {namespaces: {}}, ingress: [{action: Allow, from:"
		  " [{namespaces: {}}], ports: [{portNumber: {port: 80}}, {portRange: {protocol:"
		  " UDP, start: 5, end: 5}}, {namedPort: http}]}]}",
		  HEAD "ingress allow everything : 6/80-80 17/5-5 6/http 17/http 132/http\n" },
	};
	static const struct policy_row baseline_rows[] = {
		{ "{subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}],"
		  " ports: []}]}",
		  HEAD "egress deny everything : any\n" },
	};

	policy_check_accepted(newer, rows, WF_ARRAY_LEN(rows));
	policy_check_accepted(older, older_rows, WF_ARRAY_LEN(older_rows));
	policy_check_accepted(baseline, baseline_rows, WF_ARRAY_LEN(baseline_rows));
}

static void test_order(void **state)
{
	_cleanup_(wf_policy_done) struct wf_policy a = { .tier = WF_TIER_NETWORK };
	_cleanup_(wf_policy_done) struct wf_policy b = { .tier = WF_TIER_NETWORK };
	_cleanup_(wf_policy_done) struct wf_policy c = { .tier = WF_TIER_NETWORK };

	policy_read(&a, newer, "{" ADMIN "}");
	policy_read(&b, newer, "{tier: Baseline, priority: 1000, subject: {namespaces: {}}}");
	policy_read(&c, baseline, "{subject: {namespaces: {}}}");
	assert_int_equal(a.tier, WF_TIER_ADMIN);
	assert_int_equal(a.priority, 7);
	assert_string_equal(a.meta.namespace, "");
	assert_int_equal(b.tier, WF_TIER_BASELINE);
	assert_int_equal(c.tier, WF_TIER_BASELINE);
	assert_true(c.priority > b.priority);
}

static void test_refused(void **state)
{
	static const struct policy_row rows[] = {
		{ "{tier: Admin, priority: 7}", "spec.subject" },
		{ "{tier: Admin, priority: 7, subject: {}}", "spec.subject" },
		{ "{tier: Admin, priority: 7, subject: {pods: {}}}",
		  "spec.subject.pods.podSelector" },
		{ "{tier: Admin, priority: -1, subject: {namespaces: {}}}", "spec.priority" },
		{ "{tier: Network, priority: 1, subject: {namespaces: {}}}", "spec.tier" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: []}]}", "spec.ingress[0].from" },
		{ "{" ADMIN ", ingress: [{action: Deny}]}", "spec.ingress[0].from" },
		{ "{" ADMIN ", ingress: [{from: [{namespaces: {}}]}]}", "spec.ingress[0].action" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}, pods: {podSelector:"
		  " {}}}]}]}",
		  "spec.ingress[0].from[0]" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{networks: [10.0.0.0/8]}]}]}",
		  "spec.ingress[0].from[0].networks" },
		{ "{" ADMIN ", egress: [{action: Deny, to: [{networks: [10.0.0.0]}]}]}",
		  "spec.egress[0].to[0].networks[0]" },
		{ "{" ADMIN ", egress: [{action: Deny, to: [{domainNames: [a.b]}]}]}",
		  "spec.egress[0].to[0].domainNames" },
		{ "{" ADMIN ", egress: [{action: Accept, to: [{domainNames: ['a.*.b']}]}]}",
		  "spec.egress[0].to[0].domainNames[0]" },
		{ "{" ADMIN
		  ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{}]}]}",
		  "spec.ingress[0].protocols[0]" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp:"
		  " {}}]}]}",
		  "spec.ingress[0].protocols[0].tcp.destinationPort" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp:"
		  " {destinationPort: {}}}]}]}",
		  "spec.ingress[0].protocols[0].tcp.destinationPort" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols: [{tcp:"
		  " {destinationPort: {range: {start: 5, end: 5}}}}]}]}",
		  "spec.ingress[0].protocols[0].tcp.destinationPort.range.end" },
		{ "{" ADMIN ", ingress: [{action: Deny, from: [{namespaces: {}}], protocols:"
		  " [{destinationNamedPort: '80'}]}]}",
		  "spec.ingress[0].protocols[0].destinationNamedPort" },
		{ "{" ADMIN ", egress: [{action: Deny, to: [{nodes: {}}], protocols:"
		  " [{destinationNamedPort: http}]}]}",
		  "spec.egress[0]" },
	};

	policy_check_refused(newer, rows, WF_ARRAY_LEN(rows));
}

/* 25 entries are what each list of the newer kind may have, 100 of the older. */
static void test_limits(void **state)
{
	static const struct {
		const char *head;
		const char *action;
		size_t limit;
	} kinds[] = { { newer, "Accept", 25 }, { older, "Allow", 100 } };

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		for (size_t more = 0; more < 4; more++) {
			_cleanup_str_ struct wf_str rest = WF_STR_INIT;
			struct policy_row row = { .want = more == 2 ? "spec.ingress"
								    : "spec.ingress[0].from" };
			size_t rules = kinds[i].limit + (more == 2);
			size_t peers = kinds[i].limit + (more == 3);

			wf_str_addf(&rest, "{%spriority: 1, subject: {namespaces: {}}, ingress: [",
				    i ? "" : "tier: Admin, ");
			for (size_t j = 0; j < rules; j++) {
				wf_str_addf(&rest, "{action: %s, from: [{namespaces: {}}",
					    kinds[i].action);
				for (size_t k = 1; j == 0 && k < peers; k++)
					wf_str_add(&rest, ", {namespaces: {}}");
				wf_str_add(&rest, "]}, ");
			}
			wf_str_add(&rest, "]}");
			row.rest = wf_str_text(&rest);
			if (more < 2) {
				_cleanup_(wf_policy_done) struct wf_policy policy = { .priority =
											      0 };

				policy_read(&policy, kinds[i].head, row.rest);
				assert_int_equal(policy.sections[0].rule_count, rules);
			} else {
				policy_check_refused(kinds[i].head, &row, 1);
			}
		}
	}
}

static void test_memory(void **state)
{
	policy_check_memory(newer, "{" ADMIN ", egress: [{name: n, action: Accept, to: [{networks:"
				   " [10.0.0.0/8]}, {domainNames: [a.b]}, {pods: {podSelector:"
				   " {matchLabels: {a: b}}}}], protocols: [{tcp: {destinationPort:"
				   " {number: 80}}}]}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted), cmocka_unit_test(test_order),
		cmocka_unit_test(test_refused),  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
