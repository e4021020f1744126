/* SPDX-License-Identifier: Apache-2.0 */
/* spec.routes of a network: reading, writing, refusing. */
#include <errno.h>
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
#include "model/network.h"

#define VTEP "vtep: {address: 192.0.2.9, vni: 5001, mac: '02:00:00:00:98:01'}"

/* A Network of that driver around the rest of its spec. New reference. */
static json_t *document(const char *driver, const char *rest)
{
	return document_format(
		"{apiVersion: weft.dev/v1, kind: Network, metadata: {name: blue}, spec: "
		"{driver: %s, subnets: [{cidr: 10.50.0.0/24}], %s}}",
		driver, rest);
}

static int read_it(json_t *root, struct wf_network *network, struct wf_err *err)
{
	int r = wf_document_check(root, err);

	return r < 0 ? r : wf_network_from_json(network, root, err);
}

static void test_round_trip(void **state)
{
	_cleanup_json_ json_t *root = document(
		"overlay", "encryption: wireguard, routes: [{to: 10.98.0.0/16, "
			   "vtep: {address: 192.0.2.9, vni: 5001, mac: '02:00:00:00:98:01', "
			   "unencrypted: true}}, {to: 10.98.4.0/24, vtep: {address: 192.0.2.8, "
			   "vni: 16777215, mac: '02:00:00:00:98:02', unencrypted: true}}]");
	_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (read_it(root, &network, &err) < 0 || !network.routes) {
		fail_msg("%s", err.message);
		return;
	}
	assert_int_equal(network.route_count, 2);
	assert_int_equal(network.routes[0].to.len, 16);
	assert_int_equal(network.routes[0].vni, 5001);
	assert_int_equal(network.routes[1].vni, 0xffffff);
	assert_true(network.routes[0].unencrypted);
	written = wf_network_to_json(&network);
	assert_non_null(written);
	if (read_it(written, &again, &err) < 0 || !again.routes) {
		fail_msg("%s", err.message);
		return;
	}
	assert_int_equal(again.route_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(wf_prefix_equal(&again.routes[i].to, &network.routes[i].to));
		assert_true(wf_addr_equal(&again.routes[i].vtep, &network.routes[i].vtep));
		assert_int_equal(again.routes[i].vni, network.routes[i].vni);
		assert_memory_equal(&again.routes[i].mac, &network.routes[i].mac, 6);
		assert_int_equal(again.routes[i].unencrypted, network.routes[i].unencrypted);
	}
}

/* By way of an endpoint: in an encrypted network as in others. */
static void test_via(void **state)
{
	_cleanup_json_ json_t *root = document("overlay", "encryption: wireguard, routes: "
							  "[{to: 10.98.0.0/16, via: 10.50.0.9}]");
	_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;
	struct wf_addr via;

	assert_int_equal(wf_addr_parse("10.50.0.9", &via), 0);
	if (read_it(root, &network, &err) < 0 || !network.routes) {
		fail_msg("%s", err.message);
		return;
	}
	assert_true(network.routes[0].is_via);
	assert_true(wf_addr_equal(&network.routes[0].via, &via));
	written = wf_network_to_json(&network);
	assert_non_null(written);
	if (read_it(written, &again, &err) < 0 || !again.routes) {
		fail_msg("%s", err.message);
		return;
	}
	assert_true(again.routes[0].is_via);
	assert_true(wf_addr_equal(&again.routes[0].via, &via));
	/* the gateway of the subnet may be changed to it, which is found out then */
	network.subnets[0].gateway = via;
	assert_int_equal(wf_network_check_routes(&network, &err), -EINVAL);
	assert_string_equal(err.field, "spec.routes[0].via");
	/* subnets that are chosen later */
	network.subnet_count = 0;
	network.want_ip4 = true;
	assert_int_equal(wf_network_check_routes(&network, &err), 0);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *driver, *spec, *field, *text;
	} rows[] = {
		{ "bridge", "routes: [{to: 10.98.0.0/16, " VTEP "}]", "spec.routes", "overlay" },
		{ "overlay", "internal: true, routes: [{to: 10.98.0.0/16, " VTEP "}]",
		  "spec.routes", "internal" },
		{ "overlay", "encryption: wireguard, routes: [{to: 10.98.0.0/16, " VTEP "}]",
		  "spec.routes[0].vtep", "unencrypted" },
		{ "overlay", "routes: [{to: x, " VTEP "}]", "spec.routes[0].to", "not a prefix" },
		{ "overlay", "routes: [{to: 10.98.0.1/16, " VTEP "}]", "spec.routes[0].to",
		  "10.98.0.0/16" },
		{ "overlay", "routes: [{to: 224.0.0.0/8, " VTEP "}]", "spec.routes[0].to",
		  "multicast" },
		{ "overlay", "routes: [{to: 10.0.0.0/8, " VTEP "}]", "spec.routes[0].to",
		  "own subnet" },
		{ "overlay", "routes: [{to: 'fd98::/64', " VTEP "}]", "spec.routes[0].to", "IPv6" },
		{ "overlay", "routes: [{to: 10.98.0.0/16, " VTEP "}, {to: 10.98.0.0/16, " VTEP "}]",
		  "spec.routes[1].to", "routes[0]" },
		{ "overlay", "routes: [{to: 10.98.0.0/16}]", "spec.routes[0]", "needs via" },
		{ "overlay", "routes: [{to: 10.98.0.0/16, via: 10.50.0.9, " VTEP "}]",
		  "spec.routes[0]", "not both" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: x}]", "spec.routes[0].via",
		  "not an address" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 10.50.1.9}]", "spec.routes[0].via",
		  "none of the network's subnets" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 10.98.0.1}]", "spec.routes[0].via",
		  "none of the network's subnets" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 10.50.0.1}]", "spec.routes[0].via",
		  "own gateway" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 10.50.0.0}]", "spec.routes[0].via",
		  "the subnet itself" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 10.50.0.255}]", "spec.routes[0].via",
		  "broadcast" },
		{ "bridge", "routes: [{to: 10.98.0.0/16, via: 'fd50::9'}]", "spec.routes[0].via",
		  "family" },
		{ "bridge", "routes: [{to: 10.50.0.0/16, via: 10.50.0.9}]", "spec.routes[0].to",
		  "own subnet" },
		{ "bridge", "routes: [{to: 127.0.0.0/8, via: 10.50.0.9}]", "spec.routes[0].to",
		  "cannot be used" },
		{ "overlay", "routes: [{to: 0.0.0.0/0, " VTEP "}]", "spec.routes[0].to",
		  "not to a VXLAN endpoint" },
		{ "bridge", "routes: [{to: 0.0.0.0/0, via: 'fd50::9'}]", "spec.routes[0].via",
		  "family" },
		{ "bridge",
		  "routes: [{to: 0.0.0.0/0, via: 10.50.0.9}, {to: 0.0.0.0/0, via: 10.50.0.8}]",
		  "spec.routes[1].to", "routes[0]" },
		{ "bridge", "internal: true, routes: [{to: 0.0.0.0/0, via: 10.50.0.9}]",
		  "spec.routes", "internal" },
		{ "bridge",
		  "routes: [{to: 10.98.0.0/16, via: 10.50.0.9}, {to: 10.97.0.0/16, " VTEP "}]",
		  "spec.routes", "overlay only" },
		{ "macvlan", "routes: [{to: 10.98.0.0/16, via: 10.50.0.9}]", "spec.routes",
		  "bridge, overlay and routed" },
		{ "routed", "encapsulation: never, routes: [{to: 10.98.0.0/16, via: 10.50.0.9}]",
		  "spec.routes", "the tunnel between nodes" },
		{ "routed", "routes: [{to: 10.98.0.0/16, " VTEP "}]", "spec.routes",
		  "overlay only" },
		{ "bridge", "internal: true, routes: [{to: 10.98.0.0/16, via: 10.50.0.9}]",
		  "spec.routes", "internal" },
		{ "overlay",
		  "routes: [{to: 10.98.0.0/16, vtep: {address: 192.0.2.9, vni: 4095, "
		  "mac: '02:00:00:00:98:01'}}]",
		  "spec.routes[0].vtep.vni", "4096" },
		{ "overlay",
		  "routes: [{to: 10.98.0.0/16, vtep: {address: 127.0.0.1, vni: 5001, "
		  "mac: '02:00:00:00:98:01'}}]",
		  "spec.routes[0].vtep.address", "another host" },
		{ "overlay",
		  "routes: [{to: 10.98.0.0/16, vtep: {address: 192.0.2.9, vni: 5001, "
		  "mac: 'ff:ff:ff:ff:ff:ff'}}]",
		  "spec.routes[0].vtep.mac", "one device" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *root = document(rows[i].driver, rows[i].spec);
		_cleanup_(wf_network_done) struct wf_network network = { 0 };
		struct wf_err err = WF_ERR_INIT;

		if (read_it(root, &network, &err) != -EINVAL ||
		    strcmp(err.field, rows[i].field) != 0 || !strstr(err.message, rows[i].text))
			fail_msg("%s: %s: %s", rows[i].spec, err.field, err.message);
		assert_null(network.routes);
	}
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *root =
		document("overlay", "routes: [{to: 10.98.0.0/16, vtep: {address: 192.0.2.9, vni: "
				    "5001, mac: '02:00:00:00:98:01', unencrypted: true}}]");
	_cleanup_(wf_network_done) struct wf_network network = { 0 };

	for (size_t n = 0;; n++) {
		int r;

		fail_alloc_arm(n);
		r = wf_network_from_json(&network, root, NULL);
		if (!fail_alloc_disarm())
			break;
		assert_int_equal(r, -ENOMEM);
		assert_null(network.routes);
	}
	assert_int_equal(network.route_count, 1);
	for (size_t n = 0;; n++) {
		json_t *written;

		fail_alloc_arm(n);
		written = wf_network_to_json(&network);
		if (!fail_alloc_disarm()) {
			assert_non_null(written);
			json_decref(written);
			break;
		}
		assert_null(written);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_via),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_allocation_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
