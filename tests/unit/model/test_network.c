/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, writing and checking networks. Allowed changes: test_network_change.c. */
#include "model/network.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "fail_alloc.h"
#include "model/document.h"

/* A Network document around a spec written as YAML flow. New reference. */
static json_t *document(const char *spec)
{
	json_t *root = NULL;
	char text[4096];

	(void)snprintf(text, sizeof(text),
		       "{apiVersion: weft.dev/v1, kind: Network, metadata: {name: blue}, spec: %s}",
		       spec);
	assert_int_equal(wf_document_parse_mapping("t", text, strlen(text), &root, NULL), 0);
	return root;
}

static void read_ok(const char *spec, struct wf_network *network)
{
	_cleanup_json_ json_t *root = document(spec);
	struct wf_err err = WF_ERR_INIT;

	if (wf_document_check(root, &err) < 0 || wf_network_from_json(network, root, &err) < 0)
		fail_msg("%s: %s", spec, err.message);
}

static void test_defaults(void **state)
{
	_cleanup_(wf_network_done) struct wf_network network = { 0 };

	read_ok("{}", &network);
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

	read_ok("{driver: overlay, overlapping: true, encryption: wireguard}", &network);
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

	read_ok("{overlapping: true, masquerade: true, subnets: [{cidr: 10.0.0.0/24}]}", &network);
	assert_true(network.overlapping && network.isolated && network.masquerade);
	assert_false(network.internal);
	assert_true(network.subnets[0].has_gateway);
	written = wf_network_to_json(&network);
	assert_int_equal(wf_network_from_json(&again, written, NULL), 0);
	assert_true(again.masquerade && again.subnets[0].has_gateway);
	assert_int_equal(wf_network_check_change(&network, &again, NULL), 0);
	read_ok("{overlapping: true, subnets: [{cidr: 10.0.0.0/24}]}", &closed);
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

		read_ok(rows[i].spec, &network);
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

		read_ok(rows[i].spec, &network);
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

/* Specs that must be refused, the field at fault, and a part of the message. */
static const struct {
	const char *spec;
	const char *field;
	const char *message;
} refusals[] = {
	{ "{subnets: [{cidr: 10.64.0.1/16}]}", "spec.subnets[0].cidr",
	  "the subnet is 10.64.0.0/16" },
	{ "{subnets: [{cidr: 10.64.0.0}]}", "spec.subnets[0].cidr", "no prefix length" },
	{ "{subnets: [{cidr: 'fd00::'}]}", "spec.subnets[0].cidr", "fd00::/64" },
	{ "{subnets: [{cidr: x}]}", "spec.subnets[0].cidr", "not a prefix" },
	{ "{subnets: [{cidr: 10.0.0.0/7}]}", "spec.subnets[0].cidr", "too large" },
	{ "{subnets: [{cidr: 10.0.0.0/31}]}", "spec.subnets[0].cidr", "too small" },
	{ "{subnets: [{cidr: 10.0.0.0/32}]}", "spec.subnets[0].cidr", "too small" },
	{ "{subnets: [{cidr: 'fd00::/47'}]}", "spec.subnets[0].cidr", "too large" },
	{ "{subnets: [{cidr: 'fd00::/127'}]}", "spec.subnets[0].cidr", "too small" },
	{ "{subnets: [{cidr: 127.0.0.0/16}]}", "spec.subnets[0].cidr", "loopback" },
	{ "{subnets: [{cidr: 169.0.0.0/8}]}", "spec.subnets[0].cidr", "link-local" },
	{ "{subnets: [{cidr: 224.1.0.0/16}]}", "spec.subnets[0].cidr", "multicast" },
	{ "{subnets: [{cidr: 250.1.0.0/16}]}", "spec.subnets[0].cidr", "reserved" },
	{ "{subnets: [{cidr: 0.0.0.0/8}]}", "spec.subnets[0].cidr", "cannot be used" },
	{ "{subnets: [{cidr: 'fe80::/64'}]}", "spec.subnets[0].cidr", "link-local" },
	{ "{subnets: [{cidr: 'ff02::/64'}]}", "spec.subnets[0].cidr", "multicast" },
	{ "{subnets: [{cidr: '::/64'}]}", "spec.subnets[0].cidr", "reserved" },
	{ "{subnets: [{cidr: 10.64.0.0/16, gateway: 10.9.0.1}]}", "spec.subnets[0].gateway",
	  "10.9.0.1 is not inside 10.64.0.0/16" },
	{ "{subnets: [{cidr: 10.64.0.0/16, gateway: 10.64.0.0}]}", "spec.subnets[0].gateway",
	  "subnet itself" },
	{ "{subnets: [{cidr: 10.64.0.0/16, gateway: 10.64.255.255}]}", "spec.subnets[0].gateway",
	  "broadcast" },
	{ "{subnets: [{cidr: 'fd00::/64', gateway: 'fd00::'}]}", "spec.subnets[0].gateway",
	  "subnet itself" },
	{ "{subnets: [{cidr: 'fd00::/64', gateway: 10.0.0.1}]}", "spec.subnets[0].gateway",
	  "not inside" },
	{ "{subnets: [{cidr: 10.64.0.0/16, gateway: x}]}", "spec.subnets[0].gateway",
	  "not an address" },
	{ "{driver: ipvlan, mode: l3, subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.1}]}",
	  "spec.subnets[0].gateway", "has no gateway" },
	{ "{subnets: [{cidr: 10.0.0.0/24, blockSize: 26}]}", "spec.subnets[0].blockSize",
	  "for overlay and routed only" },
	{ "{driver: routed, subnets: [{cidr: 10.0.0.0/24, blockSize: 23}]}",
	  "spec.subnets[0].blockSize", "want /24 to /31, or 0" },
	{ "{driver: overlay, subnets: [{cidr: 10.0.0.0/8, blockSize: 15}]}",
	  "spec.subnets[0].blockSize", "want /16 to /31" },
	{ "{driver: overlay, subnets: [{cidr: 10.0.0.0/24, blockSize: 32}]}",
	  "spec.subnets[0].blockSize", "want /24 to /31" },
	{ "{driver: overlay, subnets: [{cidr: 'fd00::/64', blockSize: 64}]}",
	  "spec.subnets[0].blockSize", "want /112 to /127" },
	{ "{subnets: [{cidr: 10.0.0.0/24}, {cidr: 10.0.0.0/16}]}", "spec.subnets[1].cidr",
	  "overlaps 10.0.0.0/24 of subnets[0]" },
	{ "{subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.9, end: 10.0.0.8}]}]}",
	  "spec.subnets[0].ranges[0]", "behind" },
	{ "{subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.9, end: 10.0.1.8}]}]}",
	  "spec.subnets[0].ranges[0].end", "not inside" },
	{ "{subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.1, end: 10.0.0.8}, "
	  "{start: 10.0.0.8, end: 10.0.0.9}]}]}",
	  "spec.subnets[0].ranges[1]", "overlaps ranges[0], 10.0.0.1 to 10.0.0.8" },
	{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.1.0]}]}", "spec.subnets[0].exclude[0]",
	  "not inside" },
	{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.0.5, 10.0.0.9/28]}]}",
	  "spec.subnets[0].exclude[1]", "host bits zero" },
	{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.0.200-10.0.1.5]}]}",
	  "spec.subnets[0].exclude[0]", "not inside" },
	{ "{driver: host, subnets: [{cidr: 10.0.0.0/24}]}", "spec.subnets", "no subnets" },
	{ "{driver: none, subnets: [{cidr: 10.0.0.0/24}]}", "spec.subnets", "no subnets" },
	{ "{driver: host, ipFamilies: [IPv4]}", "spec.ipFamilies", "no addresses of its own" },
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
	{ "{driver: macvlan, parent: 'a/b'}", "spec.parent", "cannot be an interface name" },
	{ "{vlan: 100}", "spec.vlan", "macvlan and ipvlan only, not for bridge" },
	{ "{driver: none, vlan: 100}", "spec.vlan", "macvlan and ipvlan only, not for none" },
	{ "{driver: ipvlan, hostAccess: true}", "spec.hostAccess", "macvlan only" },
	{ "{driver: overlay, encapsulation: never}", "spec.encapsulation", "routed only" },
	{ "{driver: routed, overlapping: true}", "spec.overlapping", "bridge and overlay only" },
	{ "{driver: macvlan, overlapping: true}", "spec.overlapping", "bridge and overlay only" },
	{ "{overlapping: true, isolated: false}", "spec.isolated", "overlapping: true" },
	{ "{driver: overlay, overlapping: true, internal: false}", "spec.internal",
	  "overlapping: true" },
	{ "{overlapping: true, internal: true, masquerade: true}", "spec.masquerade",
	  "internal network" },
	{ "{overlapping: true, subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.1}]}",
	  "spec.subnets[0].gateway", "overlapping: true" },
	{ "{mtu: 575}", "spec.mtu", "576" },
	{ "{mtu: 1279, ipFamilies: [IPv6]}", "spec.mtu", "1280" },
	{ "{mtu: 1279, subnets: [{cidr: 'fd00::/64'}]}", "spec.mtu", "1280" },
	{ "{coolDown: soon}", "spec.coolDown", "not a duration" },
	{ "{coolDown: 31d}", "spec.coolDown", "30 days" },
	{ "{coolDown: 99999999999999999999s}", "spec.coolDown", "not a duration" },
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(refusals); i++) {
		_cleanup_json_ json_t *root = document(refusals[i].spec);
		struct wf_network network, before;
		struct wf_err err = WF_ERR_INIT;

		memset(&network, 0x5a, sizeof(network));
		memcpy(&before, &network, sizeof(network));
		if (wf_document_check(root, &err) < 0)
			fail_msg("%s: %s", refusals[i].spec, err.message);
		if (wf_network_from_json(&network, root, &err) != -EINVAL)
			fail_msg("accepted %s", refusals[i].spec);
		assert_string_equal(err.field, refusals[i].field);
		assert_string_equal(err.object, "network/blue");
		if (!strstr(err.message, refusals[i].message) ||
		    strncmp(err.message, "Network/blue: spec.", 19) != 0)
			fail_msg("%s: %s", refusals[i].spec, err.message);
		assert_memory_equal(&network, &before, sizeof(network));
	}
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
		_cleanup_json_ json_t *root = document(good[i]);
		struct wf_err err = WF_ERR_INIT;

		if (wf_network_from_json(&network, root, &err) < 0)
			fail_msg("%s: %s", good[i], err.message);
	}
}

static void test_too_many(void **state)
{
	_cleanup_json_ json_t *root = document("{subnets: []}");
	json_t *subnets = json_object_get(json_object_get(root, "spec"), "subnets");
	struct wf_network network = { 0 };
	struct wf_err err = WF_ERR_INIT;
	char cidr[32];

	for (int i = 0; i <= WF_MAX_SUBNETS; i++) {
		(void)snprintf(cidr, sizeof(cidr), "10.%d.0.0/16", i);
		(void)json_array_append_new(subnets, json_pack("{s:s}", "cidr", cidr));
	}
	assert_int_equal(wf_network_from_json(&network, root, &err), -EINVAL);
	assert_non_null(strstr(err.message, "limit is 8"));
	assert_int_equal(wf_document_check(root, &err), -EINVAL);
}

static void random_range(const struct wf_subnet *subnet, uint64_t from, struct wf_range *range)
{
	range->first = wf_addr_add(&subnet->prefix.addr, from);
	range->last = wf_addr_add(&range->first, (uint64_t)random() % 8);
}

static void random_subnet(struct wf_network *network, size_t i)
{
	struct wf_subnet *subnet = &network->subnets[i];
	struct wf_range range;
	char cidr[64];

	(void)snprintf(cidr, sizeof(cidr), random() % 2 ? "10.%zu.0.0/%ld" : "fd00:0:%zu::/%ld",
		       i + 1, 16 + random() % 10);
	if (cidr[0] == 'f')
		(void)snprintf(cidr, sizeof(cidr), "fd00:0:%zu::/%ld", i + 1, 64 + random() % 40);
	assert_int_equal(wf_prefix_parse(cidr, &subnet->prefix), 0);
	if (wf_addr_is_ip4(&subnet->prefix.addr))
		network->want_ip4 = true;
	else
		network->want_ip6 = true;
	subnet->has_gateway =
		network->mode != WF_MODE_L3 && network->mode != WF_MODE_L3S && random() % 4;
	if (subnet->has_gateway)
		subnet->gateway = wf_addr_add(&subnet->prefix.addr, 1 + (uint64_t)random() % 100);
	for (long n = random() % 4, at = 0; at < n; at++) {
		random_range(subnet, (uint64_t)at * 16, &range);
		assert_int_equal(wf_ranges_add(&subnet->ranges, &range), 0);
		random_range(subnet, (uint64_t)random() % 100, &range);
		assert_int_equal(wf_ranges_add(&subnet->excluded, &range), 0);
	}
	network->subnet_count = i + 1;
}

static void random_network(struct wf_network *network)
{
	static const char *const parents[] = { "", "eth0", "bond0.7" };
	static const uint64_t cool_downs[] = { 0, 1, 500, 1000, 30000, 90000, 3600000, 86400000 };
	enum wf_driver driver = (enum wf_driver)(random() % WF_DRIVER_COUNT);
	bool has_subnets = driver != WF_DRIVER_HOST && driver != WF_DRIVER_NONE;

	(void)snprintf(network->meta.name, sizeof(network->meta.name), "n%ld", random() % 1000);
	if (random() % 2)
		(void)wf_labels_set(&network->meta.labels, "example.com/app", "x-y.z");
	if (random() % 2)
		(void)wf_labels_set(&network->meta.annotations, "note", "a: \"b\"\n\t# c");
	if (random() % 2) {
		(void)strcpy(network->meta.uid, "0d4a2c2e-2a67-4a3c-9d2c-3c8c8a6e0001");
		network->meta.resource_version = (uint64_t)random() << 20;
		network->meta.created_s = random();
	}
	network->driver = driver;
	if (driver == WF_DRIVER_MACVLAN)
		network->mode = (enum wf_driver_mode)(WF_MODE_BRIDGE + random() % 4);
	if (driver == WF_DRIVER_IPVLAN)
		network->mode = (enum wf_driver_mode)(WF_MODE_L2 + random() % 3);
	if (driver == WF_DRIVER_MACVLAN || driver == WF_DRIVER_IPVLAN)
		(void)strcpy(network->parent, parents[random() % 3]);
	if (driver == WF_DRIVER_MACVLAN || driver == WF_DRIVER_IPVLAN)
		network->vlan = (uint16_t)(random() % 4095);
	network->host_access = driver == WF_DRIVER_MACVLAN && random() % 2;
	for (size_t i = 0, n = (size_t)random() % (WF_MAX_SUBNETS + 1); has_subnets && i < n; i++)
		random_subnet(network, i);
	if (has_subnets && !network->subnet_count) {
		network->want_ip6 = random() % 2;
		network->want_ip4 = !network->want_ip6 || random() % 2;
	}
	network->isolated = random() % 2;
	network->internal = driver != WF_DRIVER_HOST && random() % 2;
	network->masquerade = wf_driver_is_routed(driver) && !network->internal && random() % 2;
	network->sticky = random() % 2;
	network->mtu = random() % 2 ? 0 : 1280 + (uint32_t)random() % 60000;
	network->cool_down_ms = cool_downs[(size_t)random() % WF_ARRAY_LEN(cool_downs)];
	network->number = (uint32_t)random() % WF_MAX_NETWORKS;
}

static void assert_ranges_equal(const struct wf_ranges *a, const struct wf_ranges *b)
{
	assert_int_equal(a->count, b->count);
	if (a->count)
		assert_memory_equal(a->items, b->items, a->count * sizeof(*a->items));
}

static void assert_same(const struct wf_network *a, const struct wf_network *b)
{
	assert_string_equal(a->meta.name, b->meta.name);
	assert_string_equal(a->meta.uid, b->meta.uid);
	assert_true(a->meta.resource_version == b->meta.resource_version);
	assert_true(a->meta.created_s == b->meta.created_s);
	assert_int_equal(a->meta.labels.count, b->meta.labels.count);
	assert_int_equal(a->meta.annotations.count, b->meta.annotations.count);
	assert_int_equal(a->driver, b->driver);
	assert_int_equal(a->mode, b->mode);
	assert_string_equal(a->parent, b->parent);
	assert_int_equal(a->vlan, b->vlan);
	assert_int_equal(a->want_ip4, b->want_ip4);
	assert_int_equal(a->want_ip6, b->want_ip6);
	assert_int_equal(a->isolated, b->isolated);
	assert_int_equal(a->internal, b->internal);
	assert_int_equal(a->masquerade, b->masquerade);
	assert_int_equal(a->sticky, b->sticky);
	assert_int_equal(a->host_access, b->host_access);
	assert_int_equal(a->mtu, b->mtu);
	assert_true(a->cool_down_ms == b->cool_down_ms);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->subnet_count, b->subnet_count);
	for (size_t i = 0; i < a->subnet_count; i++) {
		const struct wf_subnet *s = &a->subnets[i], *t = &b->subnets[i];

		assert_true(wf_prefix_equal(&s->prefix, &t->prefix));
		assert_int_equal(s->has_gateway, t->has_gateway);
		assert_true(wf_addr_equal(&s->gateway, &t->gateway));
		assert_ranges_equal(&s->ranges, &t->ranges);
		assert_ranges_equal(&s->excluded, &t->excluded);
	}
}

/* Struct to JSON to YAML text to JSON to struct: nothing is lost on the way. */
static void test_round_trip(void **state)
{
	for (int i = 0; i < 1000; i++) {
		_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 };
		_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
		_cleanup_str_ struct wf_str yaml = WF_STR_INIT;
		_cleanup_json_ json_t *written = NULL;
		struct wf_err err = WF_ERR_INIT;

		random_network(&network);
		written = wf_network_to_json(&network);
		assert_non_null(written);
		if (wf_document_check(written, &err) < 0 ||
		    wf_network_from_json(&again, written, &err) < 0)
			fail_msg("%s", err.message);
		assert_same(&network, &again);
		assert_int_equal(wf_document_to_yaml(written, &yaml), 0);
		if (wf_documents_parse(&documents, "y", yaml.data, yaml.len, &err) < 0)
			fail_msg("%s\n%s", err.message, yaml.data);
		assert_true(json_equal(documents.items[0].root, written));
	}
}

static void test_names(void **state)
{
	for (int i = 0; i < WF_DRIVER_COUNT; i++)
		assert_int_equal(wf_driver_from_name(wf_driver_name((enum wf_driver)i)), i);
	for (int i = 0; i < WF_MODE_COUNT; i++)
		assert_int_equal(wf_mode_from_name(wf_mode_name((enum wf_driver_mode)i)), i);
	assert_int_equal(wf_driver_from_name("Bridge"), WF_DRIVER_COUNT);
	assert_int_equal(wf_mode_from_name("x"), WF_MODE_COUNT);
	assert_string_equal(wf_driver_name(WF_DRIVER_COUNT), "");
	assert_string_equal(wf_mode_name(WF_MODE_COUNT), "");
}

static void test_subnet_of(void **state)
{
	_cleanup_(wf_network_done) struct wf_network network = { 0 };
	struct wf_addr a;

	read_ok("{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}]}", &network);
	assert_int_equal(wf_addr_parse("fd00::9", &a), 0);
	assert_ptr_equal(wf_network_subnet_of(&network, &a), &network.subnets[1]);
	assert_int_equal(wf_addr_parse("10.0.1.9", &a), 0);
	assert_null(wf_network_subnet_of(&network, &a));
}

static void test_block_sizes(void **state)
{
	static const struct {
		const char *subnet;
		uint8_t len;
	} cases[] = {
		{ "cidr: 10.0.0.0/8", 26 },
		{ "cidr: 10.0.0.0/22", 26 },
		{ "cidr: 10.0.0.0/24", 28 },
		{ "cidr: 10.0.0.0/26", 30 },
		{ "cidr: 10.0.0.0/27", 0 },
		{ "cidr: 10.0.0.0/30", 0 },
		{ "cidr: 'fd00::/64'", 122 },
		{ "cidr: 'fd00::/120'", 124 },
		{ "cidr: 'fd00::/123'", 0 },
		{ "cidr: 10.0.0.0/16, blockSize: 24", 24 },
		{ "cidr: 10.0.0.0/30, blockSize: 31", 31 },
		{ "cidr: 10.0.0.0/16, blockSize: 0", 0 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		_cleanup_(wf_network_done) struct wf_network network = { 0 }, again = { 0 };
		_cleanup_json_ json_t *written = NULL;
		char spec[128];

		(void)snprintf(spec, sizeof(spec), "{driver: overlay, subnets: [{%s}]}",
			       cases[i].subnet);
		read_ok(spec, &network);
		assert_int_equal(wf_subnet_block_len(&network.subnets[0]), cases[i].len);
		written = wf_network_to_json(&network);
		assert_int_equal(wf_network_from_json(&again, written, NULL), 0);
		assert_int_equal(wf_subnet_block_len(&again.subnets[0]), cases[i].len);
		assert_int_equal(again.subnets[0].has_block_size,
				 network.subnets[0].has_block_size);
	}
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *root =
		document("{coolDown: 5m, subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.1, "
			 "end: 10.0.0.8}], exclude: [10.0.0.7]}, {cidr: 'fd00::/64'}]}");
	struct wf_network network = { 0 };
	static const struct wf_network zero;
	json_t *metadata = json_object_get(root, "metadata");

	(void)json_object_set_new(metadata, "labels", json_pack("{s:s, s:s}", "a", "b", "c", "d"));
	for (size_t n = 0;; n++) {
		struct wf_err err = WF_ERR_INIT;
		int r;

		fail_alloc_arm(n);
		r = wf_network_from_json(&network, root, &err);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		assert_memory_equal(&network, &zero, sizeof(zero));
	}
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
	wf_network_done(&network);
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
		root = document(spec);
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
		cmocka_unit_test(test_masquerade),
		cmocka_unit_test(test_drivers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits_accepted),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_subnet_of),
		cmocka_unit_test(test_allocation_failures),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_vlans),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_overlapping),
		cmocka_unit_test(test_overlapping_with_a_way_out),
	};

	srandom(7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
