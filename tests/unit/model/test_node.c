/* SPDX-License-Identifier: Apache-2.0 */
#include "model/node.h"

#include <errno.h>
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

/* A Node with these members. */
static json_t *document(const char *rest)
{
	return document_format("{apiVersion: v1, kind: Node, %s}", rest);
}

static const char full[] =
	"metadata: {name: n1.example.org, labels: {role: edge}, annotations: {weft.dev/addresses:"
	" ' 192.0.2.9,2001:db8::1 ,192.0.2.1', weft.dev/host-addresses: 'over/10.5.0.14,"
	"over/fd05::e', weft.dev/scope-addresses: 'acme/10.5.0.13'}}, spec: {podCIDRs: [10.1.0.0/24]}, status: {phase: x,"
	" addresses: [{type: InternalIP, address: 192.0.2.1}, {type: ExternalIP, address:"
	" 203.0.113.1}, {type: LinkLocalIP, address: 'fe80::1'}, {type: Hostname, address: n1}, {type: InternalDNS, address: a.b}]}";

static void test_everything(void **state)
{
	static const char *const want[] = { "192.0.2.1",   "203.0.113.1", "192.0.2.9",
					    "2001:db8::1", "10.5.0.14",   "fd05::e" };
	_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };
	_cleanup_json_ json_t *in = document(full);
	char text[WF_ADDR_TEXT];

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_node_from_json(&node, in, NULL), 0);
	assert_string_equal(wf_labels_get(&node.meta.labels, "role"), "edge");
	assert_int_equal(node.addr_count, WF_ARRAY_LEN(want));
	for (size_t i = 0; i < WF_ARRAY_LEN(want); i++)
		assert_string_equal(wf_addr_format(&node.addrs[i], text), want[i]);
	assert_int_equal(node.host_count, 3);
	assert_false(node.hosts[1].is_scoped);
	assert_true(node.hosts[2].is_scoped);
	assert_string_equal(node.hosts[2].network, "acme");
	assert_string_equal(node.hosts[1].network, "over");
	assert_string_equal(wf_addr_format(&node.hosts[1].addr, text), "fd05::e");
	assert_string_equal(wf_addr_format(&node.link_local, text), "fe80::1");
}

static void test_least(void **state)
{
	_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };
	_cleanup_json_ json_t *in = document("metadata: {name: n}");

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_node_from_json(&node, in, NULL), 0);
	assert_int_equal(node.addr_count, 0);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *rest;
		const char *field;
	} rows[] = {
		{ "metadata: {name: n}, status: {addresses: [{type: InternalIP, address: x}]}",
		  "status.addresses[0].address" },
		{ "metadata: {name: n}, status: {addresses: [{type: Hostname, address: x}, {type:"
		  " ExternalIP, address: 127.0.0.1}]}",
		  "status.addresses[1].address" },
		{ "metadata: {name: n}, status: {addresses: [{type: LinkLocalIP, address:"
		  " 'fd00::1'}]}",
		  "status.addresses[0].address" },
		{ "metadata: {name: n}, status: {addresses: [{address: 192.0.2.1}]}",
		  "status.addresses[0].type" },
		{ "metadata: {name: n, annotations: {weft.dev/addresses: '192.0.2.1/24'}}",
		  "metadata.annotations.weft.dev/addresses" },
		{ "metadata: {name: n, annotations: {weft.dev/host-addresses: '10.5.0.14'}}",
		  "metadata.annotations.weft.dev/host-addresses" },
		{ "metadata: {name: n, annotations: {weft.dev/scope-addresses: 'acme'}}",
		  "metadata.annotations.weft.dev/scope-addresses" },
		{ "metadata: {name: n, annotations: {weft.dev/host-addresses: 'over/10.5.0.0/16'}}",
		  "metadata.annotations.weft.dev/host-addresses" },
		{ "metadata: {name: n, namespace: x}", "metadata.namespace" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *in = document(rows[i].rest);
		struct wf_err err = WF_ERR_INIT;

		if (wf_document_check_deep(in, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].rest);
		assert_string_equal(err.field, rows[i].field);
	}
}

static void test_many_addresses(void **state)
{
	for (size_t count = WF_NODE_MAX_ADDRESSES; count <= WF_NODE_MAX_ADDRESSES + 1; count++) {
		_cleanup_str_ struct wf_str rest = WF_STR_INIT;
		_cleanup_json_ json_t *in = NULL;

		wf_str_add(&rest, "metadata: {name: n, annotations: {weft.dev/addresses: '");
		for (size_t i = 0; i < count; i++)
			wf_str_addf(&rest, "192.0.2.%zu,", i + 1);
		wf_str_add(&rest, "'}}");
		in = document(wf_str_text(&rest));
		assert_int_equal(wf_document_check_deep(in, NULL),
				 count > WF_NODE_MAX_ADDRESSES ? -EINVAL : 0);
	}
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in = document(full);

	for (size_t n = 0;; n++) {
		struct wf_node node = { .addr_count = 0 };
		int r;

		fail_alloc_arm(n);
		r = wf_node_from_json(&node, in, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			wf_node_done(&node);
			return;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "//////////////////////////////////////////8="

static void test_tunnels(void **state)
{
	_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };
	_cleanup_json_ json_t *in =
		document("metadata: {name: n, annotations: {weft.dev/wireguard: '" KEY_A
			 " 51820, " KEY_B " 1'}}");
	char text[WF_NODE_TUNNELS_TEXT], addr_text[WF_ADDR_TEXT];
	struct wf_prefix prefix = wf_node_tunnel_prefix();
	struct wf_addr addr;

	assert_int_equal(wf_node_from_json(&node, in, NULL), 0);
	assert_int_equal(node.tunnel_count, 2);
	assert_int_equal(node.tunnels[0].key[31], 31);
	assert_int_equal(node.tunnels[1].port, 1);
	assert_string_equal(wf_node_tunnels_format(node.tunnels, 2, text),
			    KEY_A " 51820, " KEY_B " 1");
	assert_string_equal(wf_node_tunnels_format(node.tunnels, 0, text), "");
	addr = wf_node_tunnel_address(&node.tunnels[0]);
	assert_string_equal(wf_addr_format(&addr, addr_text), "fd77:6566:7400:1:203:405:607:809");
	assert_true(wf_prefix_contains(&prefix, &addr));
	addr = wf_node_tunnel_address(&node.tunnels[1]);
	assert_true(wf_prefix_contains(&prefix, &addr));
}

static void test_hosts(void **state)
{
	static const struct {
		const char *text;
		int r;
		bool encrypts;
	} rows[] = {
		{ "true", 0, true },
		{ "false", 0, false },
		{ "yes", -EINVAL, false },
		{ "", -EINVAL, false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_node_done) struct wf_node node = { .addr_count = 0 };
		_cleanup_str_ struct wf_str text = WF_STR_INIT;
		_cleanup_json_ json_t *in = NULL;

		wf_str_addf(&text,
			    "metadata: {name: n, annotations: {weft.dev/encryption-hosts: '%s'}}",
			    rows[i].text);
		in = document(wf_str_text(&text));
		assert_int_equal(wf_node_from_json(&node, in, NULL), rows[i].r);
		assert_int_equal(node.encrypts_hosts, rows[i].encrypts);
	}
}

static void test_tunnel_refusals(void **state)
{
	static const char *const rows[] = {
		"x",
		KEY_A,
		KEY_A " ",
		KEY_A " 0",
		KEY_A " 65536",
		KEY_A " 51820x",
		KEY_A "  1",
		KEY_A " 1,",
		KEY_A " 1, " KEY_A " 2",
		KEY_A " 1, " KEY_B " 2, " KEY_B " 3",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh== 51820",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_node_tunnel tunnels[WF_MAX_TUNNELS];
		size_t count = 7;

		if (wf_node_tunnels_parse(rows[i], tunnels, &count) != -EINVAL || count != 7)
			fail_msg("\"%s\" is taken", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels),         cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_tunnel_refusals), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_least),           cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_many_addresses),  cmocka_unit_test(test_allocation_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
