/* SPDX-License-Identifier: Apache-2.0 */
/* Reading networks: defaults, what depends on what, refusals. Subnets: test_subnet_read.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/document.h"
#include "network_lab.h"

static void test_defaults(void **state)
{
	_cleanup_(wf_network_done) struct wf_network network = { 0 };

	network_read("{}", &network);
	assert_int_equal(network.driver, WF_DRIVER_BRIDGE);
	assert_int_equal(network.mode, WF_MODE_DEFAULT);
	assert_true(network.want_ip4);
	assert_false(network.want_ip6);
	assert_true(network.isolated);
	assert_false(network.internal);
	assert_true(network.masquerade);
	assert_false(network.sticky);
	assert_false(network.host_access);
	assert_int_equal(network.mtu, 0);
	assert_true(network.cool_down_ms == 30000);
	assert_int_equal(network.subnet_count, 0);
}

static void test_overlapping(void **state)
{
	_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;

	network_read("{driver: overlay, overlapping: true, encryption: wireguard}", &network);
	assert_true(network.overlapping && network.isolated && network.internal);
	assert_false(network.masquerade);
	written = wf_network_to_json(&network);
	assert_int_equal(wf_network_from_json(&again, written, NULL), 0);
	assert_true(again.overlapping);
	assert_int_equal(wf_network_check_kept(&network, &again, NULL), 0);
	again.overlapping = false;
	assert_int_equal(wf_network_check_kept(&network, &again, &err), -EBUSY);
	assert_string_equal(err.field, "spec.overlapping");
}

/* A way out that shows the host's address, with a gateway that leads there. */
static void test_overlapping_with_a_way_out(void **state)
{
	_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 }, closed = { 0 };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;

	network_read("{overlapping: true, masquerade: true, subnets: [{cidr: 10.0.0.0/24}]}",
		     &network);
	assert_true(network.overlapping && network.isolated && network.masquerade);
	assert_false(network.internal);
	assert_true(network.subnets[0].has_gateway);
	written = wf_network_to_json(&network);
	assert_int_equal(wf_network_from_json(&again, written, NULL), 0);
	assert_true(again.masquerade && again.subnets[0].has_gateway);
	assert_int_equal(wf_network_check_change(&network, &again, NULL), 0);
	network_read("{overlapping: true, subnets: [{cidr: 10.0.0.0/24}]}", &closed);
	assert_false(closed.subnets[0].has_gateway);
	assert_int_equal(wf_network_check_change(&network, &closed, &err), -EBUSY);
	assert_string_equal(err.field, "spec.masquerade");
}

static void test_masquerade(void **state)
{
	static const struct {
		const char *spec;
		bool want;
	} rows[] = {
		{ "{masquerade: false}", false }, { "{masquerade: true}", true },
		{ "{internal: true}", false },    { "{driver: host}", false },
		{ "{driver: macvlan}", false },   { "{driver: ipvlan, masquerade: false}", false },
		{ "{masquerade: null}", true },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_network_done) struct wf_network network = { 0 };

		network_read(rows[i].spec, &network);
		assert_int_equal(network.masquerade, rows[i].want);
	}
}

static void test_drivers(void **state)
{
	static const struct {
		const char *spec;
		enum wf_driver driver;
		enum wf_driver_mode mode;
		bool gateway;
	} rows[] = {
		{ "{driver: bridge, subnets: [{cidr: 10.0.0.0/24}]}", WF_DRIVER_BRIDGE,
		  WF_MODE_DEFAULT, true },
		{ "{driver: macvlan, subnets: [{cidr: 10.0.0.0/24}]}", WF_DRIVER_MACVLAN,
		  WF_MODE_BRIDGE, true },
		{ "{driver: macvlan, mode: vepa, parent: eth0, subnets: [{cidr: 10.0.0.0/24}]}",
		  WF_DRIVER_MACVLAN, WF_MODE_VEPA, true },
		{ "{driver: ipvlan, subnets: [{cidr: 10.0.0.0/24}]}", WF_DRIVER_IPVLAN, WF_MODE_L2,
		  true },
		{ "{driver: ipvlan, mode: l3, subnets: [{cidr: 10.0.0.0/24}]}", WF_DRIVER_IPVLAN,
		  WF_MODE_L3, false },
		{ "{driver: ipvlan, mode: l3s, subnets: [{cidr: 10.0.0.0/24, gateway: ''}]}",
		  WF_DRIVER_IPVLAN, WF_MODE_L3S, false },
		{ "{driver: bridge, internal: true, subnets: [{cidr: 10.0.0.0/24, gateway: ''}]}",
		  WF_DRIVER_BRIDGE, WF_MODE_DEFAULT, false },
		{ "{driver: overlay, overlapping: true, subnets: [{cidr: 10.0.0.0/24}]}",
		  WF_DRIVER_OVERLAY, WF_MODE_DEFAULT, false },
		{ "{overlapping: true, subnets: [{cidr: 10.0.0.0/24, gateway: ''}]}",
		  WF_DRIVER_BRIDGE, WF_MODE_DEFAULT, false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_network_done) struct wf_network network = { 0 };
		struct wf_addr first;

		network_read(rows[i].spec, &network);
		assert_int_equal(network.driver, rows[i].driver);
		assert_int_equal(network.mode, rows[i].mode);
		assert_int_equal(network.subnets[0].has_gateway, rows[i].gateway);
		assert_int_equal(wf_addr_parse("10.0.0.1", &first), 0);
		if (rows[i].gateway)
			assert_true(wf_addr_equal(&network.subnets[0].gateway, &first));
		else
			assert_true(network.subnets[0].gateway.words[3] == 0);
		assert_int_equal(network.host_access, rows[i].driver == WF_DRIVER_MACVLAN);
	}
}

static void test_refusals(void **state)
{
	static const struct network_refusal rows[] = {
		{ "{driver: host, subnets: [{cidr: 10.0.0.0/24}]}", "spec.subnets", "no subnets" },
		{ "{driver: none, subnets: [{cidr: 10.0.0.0/24}]}", "spec.subnets", "no subnets" },
		{ "{driver: host, ipFamilies: [IPv4]}", "spec.ipFamilies",
		  "no addresses of its own" },
		{ "{driver: host, internal: true}", "spec.internal", "cannot be internal" },
		{ "{driver: host, masquerade: true}", "spec.masquerade",
		  "for bridge, overlay and routed only" },
		{ "{internal: true, masquerade: true}", "spec.masquerade", "internal network" },
		{ "{ipFamilies: [IPv4, IPv4]}", "spec.ipFamilies", "twice" },
		{ "{ipFamilies: [IPv4], subnets: [{cidr: 'fd00::/64'}]}", "spec.ipFamilies",
		  "IPv4 is listed, but no subnet is IPv4" },
		{ "{ipFamilies: [IPv4], subnets: [{cidr: 10.0.0.0/8}, {cidr: 'fd00::/64'}]}",
		  "spec.ipFamilies", "IPv6 is not listed, but a subnet is IPv6" },
		{ "{mode: bridge}", "spec.mode", "has no modes" },
		{ "{driver: macvlan, mode: l2}", "spec.mode", "bridge, private, vepa, passthru" },
		{ "{driver: ipvlan, mode: bridge}", "spec.mode", "l2, l3, l3s" },
		{ "{parent: eth0}", "spec.parent", "macvlan and ipvlan only" },
		{ "{driver: macvlan, parent: 'a/b'}", "spec.parent",
		  "cannot be an interface name" },
		{ "{vlan: 100}", "spec.vlan", "macvlan and ipvlan only, not for bridge" },
		{ "{driver: none, vlan: 100}", "spec.vlan",
		  "macvlan and ipvlan only, not for none" },
		{ "{driver: ipvlan, hostAccess: true}", "spec.hostAccess", "macvlan only" },
		{ "{driver: overlay, encapsulation: never}", "spec.encapsulation", "routed only" },
		{ "{driver: routed, overlapping: true}", "spec.overlapping",
		  "bridge and overlay only" },
		{ "{driver: macvlan, overlapping: true}", "spec.overlapping",
		  "bridge and overlay only" },
		{ "{overlapping: true, isolated: false}", "spec.isolated", "overlapping: true" },
		{ "{driver: overlay, overlapping: true, internal: false}", "spec.internal",
		  "overlapping: true" },
		{ "{overlapping: true, internal: true, masquerade: true}", "spec.masquerade",
		  "internal network" },
		{ "{mtu: 575}", "spec.mtu", "576" },
		{ "{mtu: 1279, ipFamilies: [IPv6]}", "spec.mtu", "1280" },
		{ "{mtu: 1279, subnets: [{cidr: 'fd00::/64'}]}", "spec.mtu", "1280" },
		{ "{coolDown: soon}", "spec.coolDown", "not a duration" },
		{ "{coolDown: 31d}", "spec.coolDown", "30 days" },
		{ "{coolDown: 99999999999999999999s}", "spec.coolDown", "not a duration" },
	};

	network_check_refused(rows, WF_ARRAY_LEN(rows));
}

static void test_limits_accepted(void **state)
{
	static const char *const good[] = {
		"{subnets: [{cidr: 10.0.0.0/8}]}",
		"{subnets: [{cidr: 10.0.0.0/30}]}",
		"{subnets: [{cidr: 'fd00::/48'}]}",
		"{subnets: [{cidr: 'fd00::/126', gateway: 'fd00::3'}]}",
		"{mtu: 576}",
		"{mtu: 65535}",
		"{mtu: 1280, ipFamilies: [IPv4, IPv6]}",
		"{coolDown: 0s}",
		"{coolDown: 30d}",
		"{driver: macvlan, hostAccess: false}",
		"{driver: routed}",
		"{driver: routed, encapsulation: never}",
		"{hostAccess: false}",
		"{gateway: null, driver: null}",
		"{subnets: [{cidr: 10.0.0.0/24}, {cidr: 10.0.1.0/24}, {cidr: 'fd00::/64'}]}",
		"{subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.1, end: 10.0.0.9}]}]}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++) {
		_cleanup_(wf_network_done) struct wf_network network = { 0 };
		_cleanup_json_ json_t *root = network_document(good[i]);
		struct wf_err err = WF_ERR_INIT;

		if (wf_network_from_json(&network, root, &err) < 0)
			fail_msg("%s: %s", good[i], err.message);
	}
}

/* Tags that cannot be: in a document that is applied, and in one that is read all the same. */
static void test_vlans(void **state)
{
	static const char *const bad[] = { "0", "-1", "4095", "65578" };
	static const struct {
		const char *parent, *device;
		uint16_t vlan;
	} names[] = {
		{ "eth0.42", "eth0", 42 },
		{ "eth0.1", "eth0", 1 },
		{ "eth0.4094", "eth0", 4094 },
		{ "a.b.7", "a.b", 7 },
		{ "eth0.0", "", 0 },
		{ "eth0.4095", "", 0 },
		{ "eth0.042", "", 0 },
		{ "eth0.", "", 0 },
		{ ".42", "", 0 },
		{ "eth0", "", 0 },
		{ "eth0.4x", "", 0 },
		{ "eth0.+4", "", 0 },
		{ "", "", 0 },
		{ "eth0.65578", "", 0 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		struct wf_network network = { .subnet_count = 0 };
		struct wf_err err = WF_ERR_INIT;
		_cleanup_json_ json_t *root = NULL;
		char spec[64];

		(void)snprintf(spec, sizeof(spec), "{driver: macvlan, vlan: %s}", bad[i]);
		root = network_document(spec);
		assert_int_equal(wf_document_check(root, &err), -EINVAL);
		assert_string_equal(err.field, "spec.vlan");
		assert_non_null(strstr(err.message, "is not between 1 and 4094"));
		assert_int_equal(wf_network_from_json(&network, root, &err), -EINVAL);
		assert_string_equal(err.field, "spec.vlan");
		assert_non_null(strstr(err.message, "is not between 1 and 4094"));
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++) {
		char device[16] = "";

		assert_int_equal(wf_network_name_vlan(names[i].parent, device), names[i].vlan);
		assert_string_equal(device, names[i].device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_overlapping_with_a_way_out),
		cmocka_unit_test(test_masquerade),
		cmocka_unit_test(test_drivers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits_accepted),
		cmocka_unit_test(test_vlans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
