/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

static const char full[] =
	"{apiVersion: weft.dev/v1, kind: Endpoint,"
	" metadata: {name: web, uid: u, resourceVersion: '3', labels: {app: web}},"
	" spec: {network: blue, interface: eth0, netns: /run/netns/c1, owner: cli,"
	"  containerID: 0123abcd, sticky: web, defaultRoute: true, extra: {aliases: [db]},"
	"  publish: [{hostIP: 127.0.0.1, hostPort: 8000, hostPortEnd: 8009, containerPort: 80,"
	"   protocol: TCP}], ports: [{name: http, port: 80, protocol: TCP}]},"
	" status: {phase: Ready, addresses: [{address: 10.64.0.5/16, gateway: 10.64.0.1},"
	"  {address: 'fd00::5/64'}], mac: '02:00:00:00:00:05', mtu: 1500, slot: 1,"
	"  hostInterface: {name: wf1, index: 16777217},"
	"  namespace: {device: 4, inode: 4026532000, id: 0}, bootID: b}}";

static void test_round_trip(void **state)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint endpoint = { .mtu = 0 };
	_cleanup_json_ json_t *in = document_parse(full), *out = NULL;

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_endpoint_from_json(&endpoint, in, NULL), 0);
	assert_string_equal(endpoint.network, "blue");
	assert_string_equal(endpoint.container_id, "0123abcd");
	assert_int_equal(endpoint.address_count, 2);
	assert_true(wf_addr_is_zero(&endpoint.addresses[1].gateway));
	assert_int_equal(endpoint.ifindex, 16777217);
	assert_int_equal(endpoint.nsid, 0);
	assert_int_equal(endpoint.phase, WF_ENDPOINT_READY);
	assert_int_equal(endpoint.publish.count, 1);
	assert_int_equal(endpoint.publish.items[0].last, 8009);
	assert_int_equal(wf_endpoint_port_named(&endpoint, "http", 6), 80);
	assert_int_equal(wf_endpoint_port_named(&endpoint, "http", 17), 0);
	assert_int_equal(wf_endpoint_port_named(&endpoint, "htt", 6), 0);
	out = wf_endpoint_to_json(&endpoint);
	assert_true(json_equal(in, out));
}

static void test_minimal(void **state)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint endpoint = { .mtu = 0 },
						       again = { .mtu = 0 };
	_cleanup_json_ json_t *in =
		document_parse("{apiVersion: weft.dev/v1, kind: Endpoint, metadata: "
			       "{name: w}, spec: {network: blue, interface: eth0}}");
	_cleanup_json_ json_t *out = NULL;

	assert_int_equal(wf_endpoint_from_json(&endpoint, in, NULL), 0);
	assert_string_equal(endpoint.netns, "");
	assert_string_equal(endpoint.owner, "");
	assert_null(endpoint.container_id);
	assert_null(endpoint.sticky_name);
	assert_null(endpoint.extra);
	assert_int_equal(endpoint.nsid, -1);
	out = wf_endpoint_to_json(&endpoint);
	assert_int_equal(wf_document_check_deep(out, NULL), 0);
	assert_int_equal(wf_endpoint_from_json(&again, out, NULL), 0);
	assert_int_equal(again.nsid, -1);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *rest;
		const char *field;
	} rows[] = {
		{ "spec: {network: B, interface: eth0}", "spec.network" },
		{ "spec: {network: b, interface: 'a/b'}", "spec.interface" },
		{ "spec: {network: b, interface: e}, status: {phase: Gone}", "status.phase" },
		{ "spec: {network: b, interface: e}, status: {addresses: [{address: x}]}",
		  "status.addresses[0]" },
		{ "spec: {network: b, interface: e}, status: {addresses: [{address: 10.0.0.1, "
		  "gateway: x}]}",
		  "status.addresses[0]" },
		{ "spec: {network: b, interface: e}, status: {mac: x}", "status.mac" },
		{ "spec: {network: b, interface: e}, status: {addresses: [{address: 10.0.0.1}, {}, "
		  "{}, {}, {}, {}, {}, {}, {}]}",
		  "status.addresses" },
		{ "spec: {network: b, interface: e, extra: {a: [1]}}, status: {bootID: "
		  "x0123456789012345678901234567890123456}",
		  "status.bootID" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_endpoint endpoint = { .mtu = 7 };
		_cleanup_json_ json_t *in = NULL;
		struct wf_err err = WF_ERR_INIT;
		char text[1024];

		(void)snprintf(text, sizeof(text), "{kind: Endpoint, metadata: {name: w}, %s}",
			       rows[i].rest);
		in = document_parse(text);
		if (wf_endpoint_from_json(&endpoint, in, &err) != -EINVAL)
			fail_msg("accepted %s", text);
		assert_string_equal(err.field, rows[i].field);
		assert_string_equal(err.object, "endpoint/w");
		assert_int_equal(endpoint.mtu, 7);
		assert_null(endpoint.netns);
	}
}

static void test_allocation_failures(void **state)
{
	struct wf_endpoint endpoint = { .mtu = 0 };
	_cleanup_json_ json_t *in = document_parse(full);

	for (size_t n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = wf_endpoint_from_json(&endpoint, in, NULL);
		if (!fail_alloc_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(endpoint.netns);
	}
	for (size_t n = 0;; n++) {
		json_t *out;

		fail_alloc_arm(n);
		out = wf_endpoint_to_json(&endpoint);
		if (!fail_alloc_disarm()) {
			assert_non_null(out);
			json_decref(out);
			break;
		}
		assert_null(out);
	}
	wf_endpoint_done(&endpoint);
}

static void test_phase_names(void **state)
{
	assert_string_equal(wf_endpoint_phase_name(WF_ENDPOINT_PENDING), "Pending");
	assert_string_equal(wf_endpoint_phase_name(WF_ENDPOINT_COUNT), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_refusals),    cmocka_unit_test(test_allocation_failures),
		cmocka_unit_test(test_phase_names),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
