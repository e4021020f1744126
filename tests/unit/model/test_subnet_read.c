/* SPDX-License-Identifier: Apache-2.0 */
/* The subnets of networks: which are refused, and what is made of those that are not. */
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

static void test_refusals(void **state)
{
	static const struct network_refusal rows[] = {
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
		{ "{subnets: [{cidr: 10.64.0.0/16, gateway: 10.64.0.0}]}",
		  "spec.subnets[0].gateway", "subnet itself" },
		{ "{subnets: [{cidr: 10.64.0.0/16, gateway: 10.64.255.255}]}",
		  "spec.subnets[0].gateway", "broadcast" },
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
		{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.1.0]}]}",
		  "spec.subnets[0].exclude[0]", "not inside" },
		{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.0.5, 10.0.0.9/28]}]}",
		  "spec.subnets[0].exclude[1]", "host bits zero" },
		{ "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.0.200-10.0.1.5]}]}",
		  "spec.subnets[0].exclude[0]", "not inside" },
		{ "{overlapping: true, subnets: [{cidr: 10.0.0.0/24, gateway: 10.0.0.1}]}",
		  "spec.subnets[0].gateway", "overlapping: true" },
	};

	network_check_refused(rows, WF_ARRAY_LEN(rows));
}

static void test_too_many(void **state)
{
	_cleanup_json_ json_t *root = network_document("{subnets: []}");
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
		network_read(spec, &network);
		assert_int_equal(wf_subnet_block_len(&network.subnets[0]), cases[i].len);
		written = wf_network_to_json(&network);
		assert_int_equal(wf_network_from_json(&again, written, NULL), 0);
		assert_int_equal(wf_subnet_block_len(&again.subnets[0]), cases[i].len);
		assert_int_equal(again.subnets[0].has_block_size,
				 network.subnets[0].has_block_size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_block_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
