/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks as structs and as documents: nothing is lost between them. What is refused:
 * test_network_read.c, test_subnet_read.c. Changes that are allowed: test_network_change.c.
 */
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
#include "network_lab.h"

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

	network_read("{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}]}", &network);
	assert_int_equal(wf_addr_parse("fd00::9", &a), 0);
	assert_ptr_equal(wf_network_subnet_of(&network, &a), &network.subnets[1]);
	assert_int_equal(wf_addr_parse("10.0.1.9", &a), 0);
	assert_null(wf_network_subnet_of(&network, &a));
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *root = network_document(
		"{coolDown: 5m, subnets: [{cidr: 10.0.0.0/24, ranges: [{start: 10.0.0.1, "
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_subnet_of),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(7);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
