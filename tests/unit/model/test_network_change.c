/* SPDX-License-Identifier: Apache-2.0 */
/* src/model/network.c: what may change while endpoints exist. */
#include "model/network.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "network_lab.h"

#define BASE "{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}], mtu: 1500}"

static void test_changes(void **state)
{
	static const struct {
		const char *from, *to;
		const char *field; /* NULL: allowed */
	} rows[] = {
		{ BASE, BASE, NULL },
		{ BASE, "{subnets: [{cidr: 'fd00::/64'}, {cidr: 10.0.0.0/24}], mtu: 1500}", NULL },
		{ BASE,
		  "{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}, {cidr: 10.1.0.0/24}], "
		  "mtu: 1500, isolated: false, sticky: true, coolDown: 1s, masquerade: false}",
		  NULL },
		{ BASE,
		  "{subnets: [{cidr: 10.0.0.0/24, exclude: [10.0.0.9]}, {cidr: 'fd00::/64'}], "
		  "mtu: 1500}",
		  NULL },
		{ BASE, "{subnets: [{cidr: 10.0.0.0/24}], mtu: 1500}", "spec.subnets" },
		{ BASE, "{mtu: 1500}", "spec.subnets" },
		{ BASE, "{subnets: [{cidr: 10.0.0.0/23}, {cidr: 'fd00::/64'}], mtu: 1500}",
		  "spec.subnets" },
		{ BASE,
		  "{subnets: [{cidr: 'fd00::/64'}, {cidr: 10.0.0.0/24, gateway: 10.0.0.9}], "
		  "mtu: 1500}",
		  "spec.subnets[1].gateway" },
		{ BASE,
		  "{subnets: [{cidr: 10.0.0.0/24, gateway: ''}, {cidr: 'fd00::/64'}], "
		  "mtu: 1500}",
		  "spec.subnets[0].gateway" },
		{ BASE, "{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}], mtu: 1400}",
		  "spec.mtu" },
		{ BASE,
		  "{subnets: [{cidr: 10.0.0.0/24}, {cidr: 'fd00::/64'}], mtu: 1500, "
		  "internal: true}",
		  "spec.internal" },
		{ "{}", "{driver: none}", "spec.driver" },
		{ "{driver: macvlan}", "{driver: macvlan, mode: vepa}", "spec.mode" },
		{ "{driver: macvlan}", "{driver: macvlan, parent: eth1}", "spec.parent" },
		{ "{driver: macvlan, vlan: 5}", "{driver: macvlan, vlan: 6}", "spec.vlan" },
		{ "{driver: macvlan, vlan: 5}", "{driver: macvlan}", "spec.vlan" },
		{ "{driver: macvlan}", "{driver: macvlan, hostAccess: false}", NULL },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_network_done) struct wf_network from = { 0 }, to = { 0 };
		struct wf_err err = WF_ERR_INIT;
		int r;

		network_read(rows[i].from, &from);
		network_read(rows[i].to, &to);
		r = wf_network_check_change(&from, &to, &err);
		if (r != (rows[i].field ? -EBUSY : 0))
			fail_msg("%s: %d", rows[i].to, r);
		if (rows[i].field)
			assert_string_equal(err.field, rows[i].field);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
