/* SPDX-License-Identifier: Apache-2.0 */
/* What follows for a network from whether its addresses mean anything beyond it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/control_priv.h"

#define NUMBER 7

static struct ctl_network network_of(enum wf_driver driver, bool overlapping, bool masquerade)
{
	return (struct ctl_network){ .spec = { .number = NUMBER,
					       .driver = driver,
					       .overlapping = overlapping,
					       .masquerade = masquerade } };
}

static void each_kind_of_network(void **state)
{
	static const struct {
		enum wf_driver driver;
		bool overlapping, masquerade;
		uint32_t scope;
		bool has_host, has_outsiders, has_door;
	} kinds[] = {
		{ WF_DRIVER_BRIDGE, false, true, WF_NETWORK_HOST, true, true, false },
		{ WF_DRIVER_OVERLAY, false, false, WF_NETWORK_HOST, true, true, false },
		{ WF_DRIVER_MACVLAN, false, false, WF_NETWORK_HOST, false, true, false },
		{ WF_DRIVER_BRIDGE, true, false, NUMBER, false, false, false },
		{ WF_DRIVER_BRIDGE, true, true, NUMBER, false, true, false },
		{ WF_DRIVER_OVERLAY, true, false, NUMBER, false, false, false },
		{ WF_DRIVER_OVERLAY, true, true, NUMBER, false, true, true },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		const struct ctl_network network =
			network_of(kinds[i].driver, kinds[i].overlapping, kinds[i].masquerade);

		assert_int_equal(wf_ctl_scope_is_own(&network.spec), kinds[i].overlapping);
		assert_int_equal(wf_ctl_scope_of(&network), kinds[i].scope);
		assert_int_equal(wf_ctl_scope_has_host(&network.spec), kinds[i].has_host);
		assert_int_equal(wf_ctl_scope_has_outsiders(&network.spec), kinds[i].has_outsiders);
		assert_int_equal(wf_ctl_scope_has_door(&network.spec), kinds[i].has_door);
		assert_int_equal(wf_ctl_scope_has_keys(&network.spec), !kinds[i].overlapping);
		assert_true(wf_ctl_scope_has_key(&network, NUMBER));
		assert_int_equal(wf_ctl_scope_has_key(&network, WF_NETWORK_HOST),
				 kinds[i].scope == WF_NETWORK_HOST);
		assert_false(wf_ctl_scope_has_key(&network, NUMBER + 1));
	}
}

/* An ordinary network heeds only its like; a scope, when it chooses, everybody. */
static void who_keeps_away_from_whom(void **state)
{
	const struct ctl_network plain = network_of(WF_DRIVER_BRIDGE, false, false);
	const struct ctl_network scope = network_of(WF_DRIVER_BRIDGE, true, false);

	assert_true(wf_ctl_scope_heeds(&plain.spec, &plain.spec));
	assert_false(wf_ctl_scope_heeds(&plain.spec, &scope.spec));
	assert_true(wf_ctl_scope_heeds(&scope.spec, &plain.spec));
	assert_true(wf_ctl_scope_heeds(&scope.spec, &scope.spec));
	assert_false(wf_ctl_scope_confuses(&plain.spec, &plain.spec));
	assert_true(wf_ctl_scope_confuses(&plain.spec, &scope.spec));
	assert_true(wf_ctl_scope_confuses(&scope.spec, &plain.spec));
}

static void whose_routes_lead_to_services(void **state)
{
	struct ctl_network plain = network_of(WF_DRIVER_BRIDGE, false, false);
	struct ctl_network scope = network_of(WF_DRIVER_BRIDGE, true, false);
	struct ctl_endpoint endpoint = { .network = &scope };

	assert_false(wf_ctl_scope_routes_services(&endpoint));
	endpoint.spec.slot = 3;
	assert_true(wf_ctl_scope_routes_services(&endpoint));
	endpoint.network = &plain;
	assert_false(wf_ctl_scope_routes_services(&endpoint));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_network),
		cmocka_unit_test(who_keeps_away_from_whom),
		cmocka_unit_test(whose_routes_lead_to_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
