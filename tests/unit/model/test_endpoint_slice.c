/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint_slice.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

static const char full[] =
	"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
	" metadata: {name: web-abc, namespace: shop, generateName: web-, generation: 4,"
	"  ownerReferences: [{kind: Service, name: web}],"
	"  annotations: {weft.dev/weight: '7'},"
	"  labels: {kubernetes.io/service-name: web}},"
	" ports: [{name: http, port: 8080}, {name: dns, port: 53, protocol: UDP}, {name: all}],"
	" endpoints: [{addresses: [10.64.0.5, 10.64.0.6], nodeName: n1, zone: z1,"
	"  targetRef: {kind: Pod, namespace: shop, name: web-1}, hints: {forZones: [{name: z1},"
	"  {name: z2}], forNodes: [{name: n1}]}},"
	"  {addresses: [10.64.0.7], conditions: {ready: false, serving: true, terminating: true}},"
	"  {addresses: [10.64.0.8], conditions: {ready: null, serving: null}}]}";

static void test_everything(void **state)
{
	_cleanup_(wf_endpoint_slice_done) struct wf_endpoint_slice slice = { .ip6 = false };
	_cleanup_json_ json_t *in = document_parse(full);
	struct wf_err err = WF_ERR_INIT;
	char text[WF_ADDR_TEXT];

	if (wf_document_check(in, &err) < 0 || wf_endpoint_slice_from_json(&slice, in, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(slice.service, "web");
	assert_string_equal(slice.meta.namespace, "shop");
	assert_int_equal(slice.port_count, 3);
	assert_int_equal(slice.ports[0].proto, IPPROTO_TCP);
	assert_int_equal(slice.ports[1].proto, IPPROTO_UDP);
	assert_int_equal(slice.ports[2].port, 0);
	assert_int_equal(slice.endpoint_count, 3);
	assert_string_equal(wf_addr_format(&slice.endpoints[0].addr, text), "10.64.0.5");
	assert_true(slice.endpoints[0].ready && slice.endpoints[0].serving);
	assert_string_equal(slice.endpoints[0].node->text, "n1");
	assert_string_equal(slice.endpoints[0].zone->text, "z1");
	assert_string_equal(slice.endpoints[0].target->text, "web-1");
	assert_string_equal(slice.endpoints[0].zone_hints[1], "z2");
	assert_null(slice.endpoints[0].zone_hints[2]);
	assert_string_equal(slice.endpoints[0].node_hints[0], "n1");
	assert_int_equal(slice.endpoints[0].weight, 7);
	assert_true(!slice.endpoints[1].ready && slice.endpoints[1].serving &&
		    slice.endpoints[1].terminating);
	assert_null(slice.endpoints[1].zone_hints);
	assert_true(slice.endpoints[2].ready && slice.endpoints[2].serving);
}

static void test_least(void **state)
{
	_cleanup_(wf_endpoint_slice_done) struct wf_endpoint_slice slice = { .ip6 = false };
	_cleanup_json_ json_t *in = document_parse(
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x},"
		" addressType: IPv6, endpoints: null, ports: null}");

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_endpoint_slice_from_json(&slice, in, NULL), 0);
	assert_true(slice.ip6 && !slice.fqdn);
	assert_string_equal(slice.service, "");
	assert_string_equal(slice.meta.namespace, "default");
}

static void test_names_are_not_for_us(void **state)
{
	_cleanup_(wf_endpoint_slice_done) struct wf_endpoint_slice slice = { .ip6 = false };
	_cleanup_json_ json_t *in = document_parse(
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x},"
		" addressType: FQDN, endpoints: [{addresses: [a.example]}]}");

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_endpoint_slice_from_json(&slice, in, NULL), 0);
	assert_true(slice.fqdn);
	assert_true(wf_addr_is_zero(&slice.endpoints[0].addr));
}

static void test_refusals(void **state)
{
	static const struct {
		const char *rest;
		const char *field;
	} rows[] = {
		{ "endpoints: []", "addressType" },
		{ "addressType: ipv4", "addressType" },
		{ "addressType: IPv4, endpoints: [{}]", "endpoints[0].addresses" },
		{ "addressType: IPv4, endpoints: [{addresses: []}]", "endpoints[0].addresses" },
		{ "addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}, {addresses: ['fd00::1']}]",
		  "endpoints[1].addresses[0]" },
		{ "addressType: IPv6, endpoints: [{addresses: [10.0.0.1]}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [x]}]", "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [127.0.0.1]}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [169.254.1.1]}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [224.0.0.1]}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [0.0.0.0]}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv6, endpoints: [{addresses: ['::1']}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv6, endpoints: [{addresses: ['fe80::1']}]",
		  "endpoints[0].addresses[0]" },
		{ "addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditons: {}}]",
		  "endpoints[0].conditons" },
		{ "addressType: IPv4, ports: [{port: 0}]", "ports[0].port" },
		{ "addressType: IPv4, ports: [{port: 70000}]", "ports[0].port" },
		{ "addressType: IPv4, ports: [{name: a, port: 1}, {name: a, port: 2}]",
		  "ports[1]" },
		{ "addressType: IPv4, ports: [{name: A, port: 1}]", "ports[0]" },
		{ "addressType: IPv4, ports: [{port: 1, protocol: ICMP}]", "ports[0].protocol" },
		{ "addressType: IPv4, endpoints: [{addresses: [10.0.0.1], nodeName: "
		  "a234567890123456789012345678901234567890123456789012345678901234}]",
		  "endpoints[0].nodeName" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		_cleanup_json_ json_t *in = NULL;
		struct wf_err err = WF_ERR_INIT;

		wf_str_addf(&text,
			    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: "
			    "{name: x}, %s}",
			    rows[i].rest);
		in = document_parse(wf_str_text(&text));
		if (wf_document_check_deep(in, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].rest);
		if (strcmp(err.field, rows[i].field) != 0)
			fail_msg("%s: field %s: %s", rows[i].rest, err.field, err.message);
	}
}

static void test_weight_out_of_range(void **state)
{
	_cleanup_json_ json_t *in = document_parse(
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
		" metadata: {name: x, annotations: {weft.dev/weight: '257'}}}");
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_document_check_deep(in, &err), -EINVAL);
	assert_string_equal(err.field, "metadata.annotations.weft.dev/weight");
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in = document_parse(full);

	for (size_t n = 0;; n++) {
		struct wf_endpoint_slice slice = { .ip6 = false };
		int r;

		fail_alloc_arm(n);
		r = wf_endpoint_slice_from_json(&slice, in, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			wf_endpoint_slice_done(&slice);
			return;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_names_are_not_for_us),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_weight_out_of_range),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
