/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of Cilium: each row a rule or an edge case of theirs. */
#include "policy_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const char cnp[] = "apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy,"
			  " metadata: {name: x, namespace: shop}, ";
static const char ccnp[] = "apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy,"
			   " metadata: {name: x}, ";

#define OWN     "namespace kubernetes.io/metadata.name=shop"
#define ALL     "spec: {endpointSelector: {}, "
#define IN      ALL "ingress: "
#define OUT     ALL "egress: "
#define ISO_IN  OWN " isolates=i spares=i\n"
#define ISO_OUT OWN " isolates=e spares=i\n"

static void test_isolation(void **state)
{
	static const struct policy_row rows[] = {
		{ IN "[{}]}", ISO_IN "ingress allow : any\n" },
		{ IN "[]}", OWN " isolates= spares=i\n" },
		{ ALL "egressDeny: [{}], ingress: null}", ISO_OUT "egress deny : any\n" },
		{ IN "[{}], enableDefaultDeny: {ingress: false}}",
		  OWN " isolates= spares=i\ningress allow : any\n" },
		{ IN "[], enableDefaultDeny: {ingress: true, egress: true}}",
		  OWN " isolates=ie spares=i\n" },
		{ "spec: {endpointSelector: {matchLabels: {'k8s:app': web, 'any:a': b}}, ingress:"
		  " []}, specs: [{endpointSelector: {}, egress: [{}]}]",
		  "a=b,app=web; " OWN " isolates= spares=i\n" ISO_OUT "egress allow : any\n" },
	};

	policy_check_accepted(cnp, rows, WF_ARRAY_LEN(rows));
}

static void test_peers(void **state)
{
	static const struct policy_row rows[] = {
		/* absent with ports: everybody; there and empty: nobody */
		{ IN "[{toPorts: [{ports: [{port: '80', protocol: TCP}]}]}]}",
		  ISO_IN "ingress allow any : 6/80-80\n" },
		{ IN "[{fromEndpoints: [], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}]}",
		  ISO_IN "ingress allow : 6/80-80\n" },
		{ IN "[{fromEndpoints: null, fromCIDR: [], toPorts: []}]}",
		  ISO_IN "ingress allow : any\n" },
		{ IN "[{fromEndpoints: [{}], fromCIDR: []}]}",
		  ISO_IN "ingress allow " OWN " : any\n" },
		{ IN "[{fromRequires: [], icmps: [{fields: [{type: 8}]}]}]}",
		  ISO_IN "ingress allow any : 1/8-8\n" },
		/* the own namespace, unless one is named */
		{ IN "[{fromEndpoints: [{matchLabels: {app: web}}, {matchLabels:"
		     " {'k8s:io.kubernetes.pod.namespace': tools}}, {matchLabels:"
		     " {io.cilium.k8s.namespace.labels.team: a}}, {matchExpressions: [{key:"
		     " 'any:io.kubernetes.pod.namespace', operator: Exists}]}]}]}",
		  ISO_IN "ingress allow app=web; " OWN
			 " | namespace kubernetes.io/metadata.name=tools | namespace team=a"
			 " | namespace kubernetes.io/metadata.name : any\n" },
		{ IN "[{fromEndpoints: [{matchLabels: {'reserved:host': ''}}, {matchLabels:"
		     " {'reserved:world': ''}}]}]}",
		  ISO_IN "ingress allow entities 0x1 | entities 0x18 : any\n" },
		{ IN "[{fromEndpoints: [{matchLabels: {'reserved:host': '', a: b}}]}]}",
		  ISO_IN "ingress allow a=b,reserved:host= : any"
			 " ! a label with reserved: or cidr: among others needs labels of what is "
			 "no endpoint\n" },
		{ OUT "[{toEntities: [all, world, world-ipv4, world-ipv6, cluster, host,"
		      " remote-node, none, init]}]}",
		  ISO_OUT
		  "egress allow entities 0x1f | entities 0x18 | entities 0x8 | entities 0x10"
		  " | entities 0x7 | entities 0x1 | entities 0x2 | entities 0 | entities 0"
		  " : any\n" },
		{ OUT "[{toEntities: [kube-apiserver]}]}",
		  ISO_OUT "egress allow service default/kubernetes everything : any\n" },
		{ OUT "[{toCIDR: [192.0.2.1, '2001:db8::1', 10.1.2.3/8]}]}",
		  ISO_OUT "egress allow 192.0.2.1/32 | 2001:db8::1/128 | 10.0.0.0/8 : any\n" },
		{ OUT "[{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/9, 10.0.0.0/8]}]}]}",
		  ISO_OUT "egress allow 10.0.0.0/8 but 10.0.0.0/9 but 10.0.0.0/8 : any\n" },
		{ OUT "[{toNodes: [{matchLabels: {'node:role': edge}}]}]}",
		  ISO_OUT "egress allow nodes role=edge : any\n" },
		{ OUT "[{toServices: [{k8sService: {serviceName: db}}, {k8sServiceSelector:"
		      " {namespace: data, selector: {matchLabels: {'k8s:a': b}}}}]}]}",
		  ISO_OUT "egress allow service shop/db everything | service data/ a=b : any\n" },
	};
	static const struct policy_row cluster_rows[] = {
		{ IN "[{fromEndpoints: [{}]}]}",
		  "everything isolates=i spares=i\ningress allow everything : any\n" },
		{ OUT "[{toServices: [{k8sService: {serviceName: db}}]}]}",
		  "everything isolates=e spares=i\negress allow service /db everything : any\n" },
		{ "spec: {nodeSelector: {matchLabels: {role: edge}}, ingressDeny: [{fromEntities:"
		  " [world]}]}",
		  "nodes role=edge isolates=i spares=i\ningress deny entities 0x18 : any\n" },
	};

	policy_check_accepted(cnp, rows, WF_ARRAY_LEN(rows));
	policy_check_accepted(ccnp, cluster_rows, WF_ARRAY_LEN(cluster_rows));
}

static void test_ports(void **state)
{
	static const struct policy_row rows[] = {
		{ IN "[{toPorts: [{ports: [{port: '0'}]}]}]}",
		  ISO_IN "ingress allow any : 6/0-65535 17/0-65535 132/0-65535\n" },
		{ IN "[{toPorts: [{ports: [{port: '53'}, {port: '0', protocol: UDP}]}]}]}",
		  ISO_IN "ingress allow any : 6/53-53 17/53-53 132/53-53 17/0-65535\n" },
		{ IN "[{toPorts: [{ports: [{port: HTTP}, {port: dns, protocol: UDP}]}]}]}",
		  ISO_IN "ingress allow any : 6/http 17/http 132/http 17/dns\n" },
		{ IN "[{toPorts: [{ports: [{port: '80', endPort: 90, protocol: TCP}, {port: '7',"
		     " endPort: 0, protocol: SCTP}]}]}]}",
		  ISO_IN "ingress allow any : 6/80-90 132/7-7\n" },
		{ IN "[{toPorts: [{ports: [{port: '0', protocol: GRE}, {port: '0', protocol: VRRP},"
		     " {port: '8', protocol: ICMP}]}]}]}",
		  ISO_IN "ingress allow any : 47/0-65535 112/0-65535 1/8-8\n" },
		{ IN "[{icmps: [{fields: [{type: EchoRequest}, {family: IPv6, type: EchoRequest},"
		     " {type: '13'}, {family: IPv6, type: 255}]}]}]}",
		  ISO_IN "ingress allow any : 1/8-8 58/128-128 1/13-13 58/255-255\n" },
	};

	policy_check_accepted(cnp, rows, WF_ARRAY_LEN(rows));
}

static void test_unenforced(void **state)
{
	static const struct policy_row rows[] = {
		/* what needs no L7 stays what it is */
		{ IN
		  "[{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{}]}}, {ports:"
		  " [{port: '443', protocol: TCP}]}]}]}",
		  ISO_IN "ingress allow any : 6/443-443\n"
			 "ingress allow any : 6/80-80 ! rules.http needs a proxy for L7\n" },
		{ OUT
		  "[{toPorts: [{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}]}]}",
		  ISO_OUT "egress allow any : 6/53-53 17/53-53 132/53-53 ! rules.dns needs a proxy "
			  "for DNS\n" },
		{ OUT "[{toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {}}]}]}",
		  ISO_OUT "egress allow any : 6/80-80\n" },
		{ OUT "[{toFQDNs: [{matchName: a.b}, {matchPattern: '**.a.b'}]}]}",
		  ISO_OUT "egress allow : any ! toFQDNs needs DNS\n" },
		{ OUT
		  "[{toPorts: [{ports: [{port: '443', protocol: TCP}], serverNames: ['*.a.b']}]}]}",
		  ISO_OUT "egress allow any : 6/443-443 ! serverNames needs a proxy for L7\n" },
		{ OUT "[{toPorts: [{ports: [{port: '443', protocol: TCP}], listener: {name: l,"
		      " envoyConfig: {name: e}}}]}]}",
		  ISO_OUT "egress allow any : 6/443-443 ! listener needs a proxy for L7\n" },
		{ IN "[{fromEntities: [world], authentication: {mode: required}}]}",
		  ISO_IN "ingress allow entities 0x18 : any ! authentication needs mutual "
			 "authentication\n" },
		{ IN "[{fromEntities: [world], authentication: {mode: disabled}}]}",
		  ISO_IN "ingress allow entities 0x18 : any\n" },
		{ ALL "egressDeny: [{toGroups: [{aws: {}}]}]}", ISO_OUT
		  "egress deny : any ! a group of addresses needs to ask a cloud for them\n" },
		{ ALL "egressDeny: [{toCIDRSet: [{cidrGroupRef: g}]}]}",
		  ISO_OUT "egress deny : any ! cidrGroupRef needs CiliumCIDRGroup objects\n" },
	};

	policy_check_accepted(cnp, rows, WF_ARRAY_LEN(rows));
}

#define PORT(text)  IN "[{toPorts: [{ports: [{" text "}]}]}]}"
#define ENTRY(text) OUT "[{toPorts: [{" text "}]}]}"
#define FIRST       "spec.egress[0].toPorts[0]"

static void test_refused(void **state)
{
	static const struct policy_row rows[] = {
		{ "spec: null", "spec" },
		{ "specs: []", "spec" },
		{ "specs: [{endpointSelector: {}}]", "specs[0]" },
		{ "spec: {ingress: []}", "spec" },
		{ ALL "nodeSelector: {}, ingress: []}", "spec.nodeSelector" },
		{ IN "[{toPorts: [{ports: [{port: '1'}]}], icmps: [{fields: [{type: 1}]}]}]}",
		  "spec.ingress[0].icmps" },
		{ IN "[{fromRequires: [{}]}]}", "spec.ingress[0].fromRequires[0]" },
		{ IN "[{toEndpoints: [{}]}]}", "spec.ingress[0].toEndpoints" },
		{ IN "[{fromEndpoints: [{matchLabels: {'foo:bar': a}}]}]}",
		  "spec.ingress[0].fromEndpoints[0].matchLabels.foo:bar" },
		{ IN "[{fromEndpoints: [{matchLabels: {'reserved:hst': ''}}]}]}",
		  "spec.ingress[0].fromEndpoints[0]" },
		{ IN "[{fromCIDR: [x]}]}", "spec.ingress[0].fromCIDR[0]" },
		{ IN "[{fromCIDRSet: [{cidr: 10.0.0.1}]}]}",
		  "spec.ingress[0].fromCIDRSet[0].cidr" },
		{ IN "[{fromCIDRSet: [{}]}]}", "spec.ingress[0].fromCIDRSet[0]" },
		{ IN "[{fromCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: g}]}]}",
		  "spec.ingress[0].fromCIDRSet[0]" },
		{ IN "[{fromCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/7]}]}]}",
		  "spec.ingress[0].fromCIDRSet[0].except[0]" },
		{ OUT "[{toServices: [{}]}]}", "spec.egress[0].toServices[0]" },
		{ OUT "[{toFQDNs: [{matchName: a, matchPattern: b}]}]}",
		  "spec.egress[0].toFQDNs[0]" },
		{ OUT "[{toFQDNs: [{matchName: '*.a'}]}]}", "spec.egress[0].toFQDNs[0].matchName" },
		{ PORT("port: ''"), "spec.ingress[0].toPorts[0].ports[0].port" },
		{ PORT("port: '65536'"), "spec.ingress[0].toPorts[0].ports[0].port" },
		{ PORT("port: '80', endPort: 79"), "spec.ingress[0].toPorts[0].ports[0].endPort" },
		{ PORT("port: http, endPort: 79"), "spec.ingress[0].toPorts[0].ports[0].endPort" },
		{ PORT("port: '0', endPort: 79"), "spec.ingress[0].toPorts[0].ports[0].endPort" },
		{ PORT("port: '80', protocol: tcp"),
		  "spec.ingress[0].toPorts[0].ports[0].protocol" },
		{ PORT("port: '80', protocol: GRE"), "spec.ingress[0].toPorts[0].ports[0].port" },
		{ PORT("port: http, protocol: GRE"), "spec.ingress[0].toPorts[0].ports[0].port" },
		{ IN "[{toPorts: [{}]}]}", "spec.ingress[0].toPorts[0].ports" },
		{ IN "[{icmps: [{fields: [{type: 256}]}]}]}",
		  "spec.ingress[0].icmps[0].fields[0].type" },
		{ IN "[{icmps: [{fields: [{type: PacketTooBig}]}]}]}",
		  "spec.ingress[0].icmps[0].fields[0].type" },
		{ IN "[{toPorts: [{ports: [{port: '53'}], rules: {dns: []}}]}]}",
		  "spec.ingress[0].toPorts[0].rules.dns" },
		{ ENTRY("ports: [{port: '80'}], rules: {http: []}"), FIRST ".ports[0].protocol" },
		{ ENTRY("ports: [{port: '0', protocol: TCP}], rules: {http: []}"),
		  FIRST ".ports[0].port" },
		{ ENTRY("ports: [{port: '80', protocol: TCP}], rules: {http: [], dns: []}"),
		  FIRST ".rules.dns" },
		{ ENTRY("ports: [{port: '80', protocol: TCP}], rules: {l7: []}"),
		  FIRST ".rules.l7" },
		{ ENTRY("ports: [{port: '80', protocol: TCP}], rules: {http: []}, serverNames: [a]"),
		  FIRST ".serverNames" },
		{ ENTRY("ports: [{port: '80', protocol: TCP}], serverNames: ['']"),
		  FIRST ".serverNames[0]" },
		{ ALL "ingressDeny: [{toPorts: [{ports: [{port: '80'}], rules: {}}]}]}",
		  "spec.ingressDeny[0].toPorts[0].rules" },
		{ IN "[], log: {value: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}", "spec.log.value" },
		/* a policy of a namespace is for none but its own */
		{ "spec: {ingress: [], endpointSelector: {matchExpressions: [{key:"
		  " 'k8s:io.kubernetes.pod.namespace', operator: DoesNotExist}]}}",
		  "spec.endpointSelector" },
		{ "spec: {ingress: [], endpointSelector: {matchExpressions: [{key:"
		  " io.kubernetes.pod.namespace, operator: NotIn, values: [shop]}]}}",
		  "spec.endpointSelector" },
	};

	policy_check_refused(cnp, rows, WF_ARRAY_LEN(rows));
}

/* 40 ports or types are what one entry may have. */
static void test_limits(void **state)
{
	static const struct {
		const char *begin;
		const char *item;
		const char *field;
	} lists[] = {
		{ IN "[{toPorts: [{ports: [", "{port: '80'}, ",
		  "spec.ingress[0].toPorts[0].ports" },
		{ IN "[{icmps: [{fields: [", "{type: 8}, ", "spec.ingress[0].icmps[0].fields" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(lists); i++) {
		for (size_t count = 40; count <= 41; count++) {
			_cleanup_(wf_policy_done) struct wf_policy policy = { .priority = 0 };
			_cleanup_str_ struct wf_str rest = WF_STR_INIT;
			struct policy_row row = { .want = lists[i].field };

			wf_str_add(&rest, lists[i].begin);
			for (size_t j = 0; j < count; j++)
				wf_str_add(&rest, lists[i].item);
			wf_str_add(&rest, "]}]}]}");
			row.rest = wf_str_text(&rest);
			if (count == 40)
				policy_read(&policy, cnp, row.rest);
			else
				policy_check_refused(cnp, &row, 1);
		}
	}
}

static void test_memory(void **state)
{
	policy_check_memory(cnp, IN "[{fromEndpoints: [{matchLabels: {'k8s:a': b}}, {}], toPorts:"
				    " [{ports: [{port: '80', protocol: TCP}], rules: {http: []}},"
				    " {ports: [{port: http}]}]}], egress: [{toFQDNs: [{matchName:"
				    " a.b}], authentication: {mode: required}}], egressDeny:"
				    " [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/9]}]}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isolation), cmocka_unit_test(test_peers),
		cmocka_unit_test(test_ports),     cmocka_unit_test(test_unenforced),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
