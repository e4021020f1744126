/* SPDX-License-Identifier: Apache-2.0 */
#include "model/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

/* A service with this spec, and other members of the document. */
static json_t *document(const char *spec, const char *rest)
{
	return document_format(
		"{apiVersion: v1, kind: Service, metadata: {name: web%s}, spec: {%s}}", rest, spec);
}

static void read_spec(struct wf_service *service, const char *spec, const char *rest)
{
	_cleanup_json_ json_t *in = document(spec, rest);
	struct wf_err err = WF_ERR_INIT;

	memset(service, 0, sizeof(*service));
	if (wf_document_check(in, &err) < 0 || wf_service_from_json(service, in, &err) < 0)
		fail_msg("%s: %s", spec, err.message);
}

#define _cleanup_service_ _cleanup_(wf_service_done)

static void assert_addr(const struct wf_addr *addr, const char *want)
{
	char text[WF_ADDR_TEXT];

	assert_string_equal(wf_addr_format(addr, text), want);
}

static void test_defaults(void **state)
{
	_cleanup_service_ struct wf_service service;
	char key[WF_NAME_BYTES];

	read_spec(&service, "ports: [{port: 80}]", "");
	assert_int_equal(service.type, WF_SERVICE_CLUSTER_IP);
	assert_string_equal(wf_meta_key(&service.meta, key), "default/web");
	assert_int_equal(service.port_count, 1);
	assert_int_equal(service.ports[0].proto, IPPROTO_TCP);
	assert_int_equal(service.ports[0].target_port, 80);
	assert_string_equal(service.ports[0].target_name, "");
	assert_true(service.want_ip4 && !service.want_ip6 && !service.require_dual);
	assert_int_equal(service.algorithm, WF_LB_MAGLEV);
	assert_int_equal(service.affinity_s, 0);
	assert_true(service.allocate_node_ports);
	assert_int_equal(service.check.type, WF_CHECK_NONE);
	assert_int_equal(service.check.interval_ms, 2000);
	assert_false(service.cut || service.dsr || service.headless || service.foreign);
}

static void test_everything(void **state)
{
	_cleanup_service_ struct wf_service service;
	_cleanup_json_ json_t *in = document_parse(
		"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop,"
		" annotations: {weft.dev/algorithm: least-connections, weft.dev/termination: cut,"
		"  weft.dev/forwarding: dsr, weft.dev/network: blue, other.dev/x: y,"
		"  weft.dev/health-check: 'http://:8081/ok?x=1', weft.dev/health-check-interval: 5s}},"
		" spec: {type: LoadBalancer, selector: {app: web}, sessionAffinity: ClientIP,"
		"  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}},"
		"  clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, 'fd00:96::a'],"
		"  ipFamilies: [IPv4, IPv6], externalIPs: [198.51.100.9, '2001:db8::9'],"
		"  externalTrafficPolicy: Local, internalTrafficPolicy: Local,"
		"  healthCheckNodePort: 31000, publishNotReadyAddresses: true,"
		"  loadBalancerIP: 203.0.113.1, allocateLoadBalancerNodePorts: false,"
		"  loadBalancerSourceRanges: [' 192.0.2.77/24 ', '2001:db8::/32'],"
		"  ports: [{name: http, port: 80, targetPort: web-1, nodePort: 30080},"
		"   {name: dns, port: 80, protocol: UDP, targetPort: 5353}]},"
		" status: {loadBalancer: {ingress: [{ip: 203.0.113.1}, {ip: 203.0.113.2, ipMode: VIP},"
		"  {ip: 203.0.113.3, ipMode: Proxy}, {hostname: lb.example}]}, weft: {x: 1}}}");
	struct wf_err err = WF_ERR_INIT;

	memset(&service, 0, sizeof(service));
	assert_int_equal(wf_document_check(in, &err), 0);
	assert_int_equal(wf_service_from_json(&service, in, &err), 0);
	assert_string_equal(service.meta.namespace, "shop");
	assert_int_equal(service.type, WF_SERVICE_LOAD_BALANCER);
	assert_int_equal(service.cluster_ip_count, 2);
	assert_addr(&service.cluster_ips[1], "fd00:96::a");
	assert_true(service.want_ip4 && service.want_ip6 && service.require_dual);
	assert_int_equal(service.external_ips.count, 2);
	assert_int_equal(service.balancer_ips.count, 2);
	assert_addr(&service.balancer_ips.items[1], "203.0.113.2");
	assert_int_equal(service.source_count, 2);
	assert_addr(&service.sources[0].addr, "192.0.2.0");
	assert_int_equal(service.affinity_s, 60);
	assert_true(service.external_local && service.internal_local);
	assert_int_equal(service.health_check_node_port, 31000);
	assert_true(service.publish_not_ready && !service.allocate_node_ports);
	assert_string_equal(service.ports[0].target_name, "web-1");
	assert_int_equal(service.ports[0].target_port, 0);
	assert_int_equal(service.ports[0].node_port, 30080);
	assert_int_equal(service.ports[1].proto, IPPROTO_UDP);
	assert_int_equal(service.algorithm, WF_LB_LEAST);
	assert_true(service.cut && service.dsr);
	assert_string_equal(service.network, "blue");
	assert_int_equal(service.check.type, WF_CHECK_HTTP);
	assert_int_equal(service.check.port, 8081);
	assert_string_equal(service.check.path, "/ok?x=1");
	assert_int_equal(service.check.interval_ms, 5000);
	assert_null(json_object_get(json_object_get(service.document, "status"), "weft"));
}

static void test_kinds_of_services(void **state)
{
	_cleanup_service_ struct wf_service headless, name, v6, single, prefer, labelled;

	read_spec(&headless, "clusterIP: None", "");
	assert_true(headless.headless);
	assert_int_equal(headless.port_count, 0);
	read_spec(&name, "type: ExternalName, externalName: example.org", "");
	assert_int_equal(name.type, WF_SERVICE_EXTERNAL_NAME);
	read_spec(&v6, "clusterIPs: ['fd00::1'], ports: [{port: 1}]", "");
	assert_true(v6.want_ip6 && !v6.want_ip4 && v6.ip6_first);
	read_spec(&single, "ipFamilies: [IPv6], ports: [{port: 1}]", "");
	assert_true(single.want_ip6 && !single.want_ip4);
	read_spec(&prefer,
		  "ipFamilies: [IPv6], ipFamilyPolicy: PreferDualStack, ports: [{port: 1}]", "");
	assert_true(prefer.want_ip6 && prefer.want_ip4 && prefer.ip6_first && !prefer.require_dual);
	read_spec(&labelled, "ports: [{port: 1}]",
		  ", labels: {service.kubernetes.io/service-proxy-name: other}");
	assert_true(labelled.foreign);
}

static const struct {
	const char *spec;
	const char *rest;  /* of metadata */
	const char *field; /* the error's */
} refusals[] = {
	{ "selector: {a: b}", "", "spec.ports" },
	{ "ports: []", "", "spec.ports" },
	{ "ports: [{port: 0}]", "", "spec.ports[0].port" },
	{ "ports: [{port: 65536}]", "", "spec.ports[0].port" },
	{ "ports: [{port: '80'}]", "", "spec.ports[0].port" },
	{ "ports: [{name: a}]", "", "spec.ports[0].port" },
	{ "ports: [{port: 80, protocol: tcp}]", "", "spec.ports[0].protocol" },
	{ "ports: [{port: 80, targetPort: 0}]", "", "spec.ports[0].targetPort" },
	{ "ports: [{port: 80, targetPort: 70000}]", "", "spec.ports[0].targetPort" },
	{ "ports: [{port: 80, targetPort: '80'}]", "", "spec.ports[0].targetPort" },
	{ "ports: [{port: 80, targetPort: a--b}]", "", "spec.ports[0].targetPort" },
	{ "ports: [{port: 80, targetPort: abcdefghijklmnop}]", "", "spec.ports[0].targetPort" },
	{ "ports: [{port: 80}, {port: 81}]", "", "spec.ports[0].name" },
	{ "ports: [{name: a, port: 80}, {name: a, port: 81}]", "", "spec.ports[1].name" },
	{ "ports: [{name: A, port: 80}]", "", "spec.ports[0].name" },
	{ "ports: [{name: a, port: 80}, {name: b, port: 80}]", "", "spec.ports[1].port" },
	{ "ports: [{port: 80, nodePort: 30000}]", "", "spec.ports[0].nodePort" },
	{ "type: NodePort, ports: [{port: 80, nodePort: 65536}]", "", "spec.ports[0].nodePort" },
	{ "type: NodePort, ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, "
	  "nodePort: 30000}]",
	  "", "spec.ports[1].nodePort" },
	{ "ports: [{port: 80}], type: Clusterip", "", "spec.type" },
	{ "ports: [{port: 80}], clusterIp: 10.0.0.1", "", "spec.clusterIp" },
	{ "ports: [{port: 80}], clusterIP: 10.0.0.256", "", "spec.clusterIP" },
	{ "ports: [{port: 80}], clusterIP: 127.0.0.1", "", "spec.clusterIP" },
	{ "ports: [{port: 80}], clusterIP: 10.0.0.1, clusterIPs: [10.0.0.2]", "",
	  "spec.clusterIPs[0]" },
	{ "ports: [{port: 80}], clusterIPs: [10.0.0.1, 10.0.0.2]", "", "spec.clusterIPs[1]" },
	{ "ports: [{port: 80}], clusterIPs: [None, 10.0.0.2]", "", "spec.clusterIPs[0]" },
	{ "ports: [{port: 80}], clusterIP: None, type: NodePort", "", "spec.clusterIP" },
	{ "ports: [{port: 80}], clusterIP: 10.0.0.1, ipFamilies: [IPv6]", "",
	  "spec.ipFamilies[0]" },
	{ "ports: [{port: 80}], ipFamilies: [IPv4, IPv4]", "", "spec.ipFamilies" },
	{ "ports: [{port: 80}], ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack", "",
	  "spec.ipFamilyPolicy" },
	{ "ports: [{port: 80}], clusterIPs: [10.0.0.1, 'fd00::1'], ipFamilyPolicy: SingleStack", "",
	  "spec.ipFamilyPolicy" },
	{ "type: ExternalName", "", "spec.externalName" },
	{ "type: ExternalName, externalName: a.b, clusterIP: 10.0.0.1", "", "spec.clusterIP" },
	{ "type: ExternalName, externalName: a.b, externalIPs: [10.0.0.1]", "",
	  "spec.externalIPs" },
	{ "ports: [{port: 80}], externalIPs: [10.0.0.1, 10.0.0.1]", "", "spec.externalIPs[1]" },
	{ "ports: [{port: 80}], externalIPs: [0.0.0.0]", "", "spec.externalIPs[0]" },
	{ "ports: [{port: 80}], externalIPs: ['fe80::1']", "", "spec.externalIPs[0]" },
	{ "ports: [{port: 80}], externalTrafficPolicy: Local", "", "spec.externalTrafficPolicy" },
	{ "ports: [{port: 80}], healthCheckNodePort: 31000", "", "spec.healthCheckNodePort" },
	{ "ports: [{port: 80}], type: LoadBalancer, healthCheckNodePort: 31000", "",
	  "spec.healthCheckNodePort" },
	{ "ports: [{port: 80, nodePort: 31000}], type: LoadBalancer, externalTrafficPolicy: Local, "
	  "healthCheckNodePort: 31000",
	  "", "spec.healthCheckNodePort" },
	{ "ports: [{port: 80}], allocateLoadBalancerNodePorts: true", "",
	  "spec.allocateLoadBalancerNodePorts" },
	{ "ports: [{port: 80}], loadBalancerSourceRanges: [10.0.0.0/8]", "",
	  "spec.loadBalancerSourceRanges" },
	{ "ports: [{port: 80}], type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1]", "",
	  "spec.loadBalancerSourceRanges[0]" },
	{ "ports: [{port: 80}], type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/33]", "",
	  "spec.loadBalancerSourceRanges[0]" },
	{ "ports: [{port: 80}], type: LoadBalancer, loadBalancerIP: x", "", "spec.loadBalancerIP" },
	{ "ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: "
	  "{timeoutSeconds: 0}}",
	  "", "spec.sessionAffinityConfig.clientIP.timeoutSeconds" },
	{ "ports: [{port: 80}], sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: "
	  "{timeoutSeconds: 86401}}",
	  "", "spec.sessionAffinityConfig.clientIP.timeoutSeconds" },
	{ "ports: [{port: 80}], sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}", "",
	  "spec.sessionAffinityConfig" },
	{ "ports: [{port: 80}], trafficDistribution: Close", "", "spec.trafficDistribution" },
	{ "ports: [{port: 80}], selector: {a: 'b c'}", "", "spec.selector.a" },
	{ "ports: [{port: 80}]", ", namespace: A", "metadata.namespace" },
	{ "ports: [{port: 80}]", ".x", "metadata.name" },
#define ANNOTATION(key, value)                                                \
	{                                                                     \
		"ports: [{port: 80}]", ", annotations: {" key ": " value "}", \
			"metadata.annotations." key                           \
	}
	ANNOTATION("weft.dev/algorithm", "fast"),
	ANNOTATION("weft.dev/algorithms", "maglev"),
	ANNOTATION("weft.dev/termination", "kill"),
	ANNOTATION("weft.dev/forwarding", "DSR"),
	ANNOTATION("weft.dev/network", "A B"),
	ANNOTATION("weft.dev/health-check", "https://x/"),
	ANNOTATION("weft.dev/health-check", "http://host/"),
	ANNOTATION("weft.dev/health-check", "http://:0/"),
	ANNOTATION("weft.dev/health-check", "http://:80"),
	ANNOTATION("weft.dev/health-check", "'http:///a b'"),
	ANNOTATION("weft.dev/health-check", "tcp://:80/x"),
	ANNOTATION("weft.dev/health-check-interval", "1ms"),
	ANNOTATION("weft.dev/health-check-interval", "soon"),
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(refusals); i++) {
		_cleanup_json_ json_t *in = document(refusals[i].spec, refusals[i].rest);
		struct wf_err err = WF_ERR_INIT;

		if (wf_document_check_deep(in, &err) != -EINVAL)
			fail_msg("accepted %s%s", refusals[i].spec, refusals[i].rest);
		if (strcmp(err.field, refusals[i].field) != 0)
			fail_msg("%s%s: field %s: %s", refusals[i].spec, refusals[i].rest,
				 err.field, err.message);
	}
}

static void test_untouched_on_failure(void **state)
{
	_cleanup_json_ json_t *in = document("ports: [{port: 80}], externalIPs: [x]", "");
	struct wf_service service, before;

	memset(&service, 0x5a, sizeof(service));
	memcpy(&before, &service, sizeof(service));
	assert_int_equal(wf_service_from_json(&service, in, NULL), -EINVAL);
	assert_memory_equal(&service, &before, sizeof(service));
}

static void test_errors_name_the_object(void **state)
{
	_cleanup_json_ json_t *in =
		document("ports: [{port: 80}, {port: 81}]", ", namespace: shop");
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_document_check_deep(in, &err), -EINVAL);
	assert_string_equal(err.object, "service/shop/web");
	assert_ptr_equal(strstr(err.message, "Service/shop/web: spec.ports[0].name"), err.message);
}

/* What was chosen since it was read stands in the document; what weft does not know stays. */
static void test_write_what_was_chosen(void **state)
{
	_cleanup_service_ struct wf_service service, again;
	_cleanup_json_ json_t *in = document("type: NodePort, ipFamilyPolicy: PreferDualStack, "
					     "ports: [{port: 80, appProtocol: kubernetes.io/h2c}]",
					     ", generateName: web-");
	_cleanup_json_ json_t *out = NULL;
	const json_t *spec, *port;

	memset(&service, 0, sizeof(service));
	memset(&again, 0, sizeof(again));
	assert_int_equal(wf_service_from_json(&service, in, NULL), 0);
	assert_int_equal(wf_addr_parse("10.96.0.7", &service.cluster_ips[0]), 0);
	assert_int_equal(wf_addr_parse("fd00:96::7", &service.cluster_ips[1]), 0);
	service.cluster_ip_count = 2;
	service.ports[0].node_port = 30123;
	service.meta.resource_version = 9;
	out = wf_service_to_json(&service);
	assert_int_equal(wf_document_check_deep(out, NULL), 0);
	spec = json_object_get(out, "spec");
	port = json_array_get(json_object_get(spec, "ports"), 0);
	assert_string_equal(wf_json_str(spec, "clusterIP", ""), "10.96.0.7");
	assert_int_equal(json_array_size(json_object_get(spec, "clusterIPs")), 2);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(spec, "ipFamilies"), 1)), "IPv6");
	assert_int_equal(wf_json_int(port, "nodePort", 0), 30123);
	assert_int_equal(wf_json_int(port, "targetPort", 0), 80);
	assert_string_equal(wf_json_str(port, "appProtocol", ""), "kubernetes.io/h2c");
	assert_string_equal(wf_json_str(spec, "externalTrafficPolicy", ""), "Cluster");
	assert_string_equal(wf_json_str(json_object_get(out, "metadata"), "resourceVersion", ""),
			    "9");
	assert_string_equal(wf_json_str(json_object_get(out, "metadata"), "generateName", ""),
			    "web-");
	assert_int_equal(wf_service_from_json(&again, out, NULL), 0);
	assert_int_equal(again.cluster_ip_count, 2);
	assert_int_equal(again.ports[0].node_port, 30123);
	/* what was read is not what was written */
	assert_null(json_object_get(json_object_get(in, "spec"), "clusterIP"));
}

static void test_names(void **state)
{
	for (int i = 0; i < WF_LB_ALGORITHM_COUNT; i++)
		assert_int_equal(
			wf_lb_algorithm_from_name(wf_lb_algorithm_name((enum wf_lb_algorithm)i)),
			i);
	assert_int_equal(wf_lb_algorithm_from_name("x"), WF_LB_ALGORITHM_COUNT);
	assert_string_equal(wf_service_type_name(WF_SERVICE_NODE_PORT), "NodePort");
	assert_string_equal(wf_service_type_name(WF_SERVICE_TYPE_COUNT), "");
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in = document(
		"type: LoadBalancer, selector: {a: b}, externalIPs: [10.0.0.1], loadBalancerIP: "
		"10.0.0.2, loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 80}]",
		", annotations: {weft.dev/algorithm: random}");

	for (size_t n = 0;; n++) {
		struct wf_service service = { .headless = false };
		json_t *out = NULL;
		bool failed;
		int r;

		fail_alloc_arm(n);
		r = wf_service_from_json(&service, in, NULL);
		if (r == 0)
			out = wf_service_to_json(&service);
		failed = fail_alloc_disarm();
		if (r < 0)
			assert_int_equal(r, -ENOMEM);
		if (!failed)
			assert_non_null(out);
		json_decref(out);
		wf_service_done(&service);
		if (!failed)
			return;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_kinds_of_services),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_untouched_on_failure),
		cmocka_unit_test(test_errors_name_the_object),
		cmocka_unit_test(test_write_what_was_chosen),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
