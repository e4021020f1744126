/* SPDX-License-Identifier: Apache-2.0 */
/* How packets go to another node: by the segment, by a router, or by the stack for IPsec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "pair.h"

static uint32_t node_device(const struct lab *lab, const char *name)
{
	return fake_dp_node(lab->dp, wf_ctl_node_find(lab->control, name)->number).ifindex;
}

/* A node is on the segment of an uplink, or it is behind a router; what follows from that. */
static void test_ways(void **state)
{
	struct pair *pair = *state;
	const struct ctl_network *direct, *plain;
	struct wf_node_value value;
	_cleanup_json_ json_t *seen = NULL;
	const json_t *missing;

	lab_network(pair->a, "direct", "{'driver':'routed','subnets':[{'cidr':'10.6.0.0/24'}]}");
	lab_network(pair->a, "plain",
		    "{'driver':'routed','encapsulation':'never',"
		    "'subnets':[{'cidr':'10.7.0.0/24'}]}");
	pair_settle(pair);
	direct = wf_ctl_network_find(pair->a->control, "direct");
	plain = wf_ctl_network_find(pair->a->control, "plain");
	assert_int_equal(fake_dp_network(pair->a->dp, direct->spec.number).flags &
				 (WF_NET_OVERLAY | WF_NET_ROUTED | WF_NET_PLAIN),
			 WF_NET_OVERLAY | WF_NET_ROUTED);
	assert_true(fake_dp_network(pair->a->dp, plain->spec.number).flags & WF_NET_PLAIN);
	/* the device is no uplink: nothing would see what comes in there */
	assert_int_equal(node_device(pair->a, "b"), 0);
	assert_int_equal(direct->mtu, 1450);
	assert_int_equal(plain->mtu, 1500);
	lab_use(pair->a);
	fake_net_set_uplink(pair->a->net, "uplink", "192.0.2.1", NULL);
	lab_settle(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
	value = fake_dp_node(pair->a->dp, wf_ctl_node_find(pair->a->control, "b")->number);
	assert_int_equal(value.out_ifindex, value.ifindex);
	assert_int_equal(value.out_mtu, 1500);
	assert_int_equal(value.path_mtu, 0);
	assert_true(wf_addr_equal(&value.router, &value.underlay));
	assert_int_equal(direct->mtu, 1500);
	/* it stays over a restart, and before the uplinks are looked at again */
	lab_restart(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
	fake_net_set_far(pair->a->net, "192.0.2.2", true);
	lab_settle(pair->a);
	direct = wf_ctl_network_find(pair->a->control, "direct");
	assert_int_equal(node_device(pair->a, "b"), 0);
	assert_int_equal(direct->mtu, 1450);
	/* who was attached when it was on the segment is told of what does not fit */
	value = fake_dp_node(pair->a->dp, wf_ctl_node_find(pair->a->control, "b")->number);
	assert_int_equal(value.path_mtu, 1500);
	assert_int_equal(wf_control_network_inspect(pair->a->control, "plain", &seen, NULL), 0);
	missing = json_object_get(json_object_get(seen, "status"), "unreachableNodes");
	assert_int_equal(json_array_size(missing), 1);
	assert_string_equal(json_string_value(json_array_get(missing, 0)), "b");
	fake_net_set_far(pair->a->net, "192.0.2.2", false);
	lab_settle(pair->a);
	assert_int_not_equal(node_device(pair->a, "b"), 0);
}

/* What IPsec is to encrypt must not go past the stack, and what it would refuse must not either. */
static void test_ipsec(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), WF_OVERLAY_PORT);
	lab_use(pair->a);
	fake_net_set_ipsec(pair->a->net, true);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), 0);
	fake_net_set_ipsec(pair->a->net, false);
	lab_restart(pair->a);
	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), WF_OVERLAY_PORT);
}

/* Programs cannot finish a checksum that the device below would make wrong: the kernel does it. */
static void test_checksums(void **state)
{
	struct pair *pair = *state;

	assert_false(fake_dp_sends_by_device(pair->a->dp));
	lab_use(pair->a);
	fake_net_set_checksums(pair->a->net, false);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	assert_true(fake_dp_sends_by_device(pair->a->dp));
	lab_restart(pair->a);
	assert_true(fake_dp_sends_by_device(pair->a->dp));
	/* what comes in has its checksums, or has none at all */
	assert_int_equal(fake_dp_tunnel_port(pair->a->dp), WF_OVERLAY_PORT);
	fake_net_set_checksums(pair->a->net, true);
	wf_ctl_dirty(pair->a->control, CTL_DIRTY_WAYS);
	lab_settle(pair->a);
	assert_false(fake_dp_sends_by_device(pair->a->dp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_CASE(test_ways),
		PAIR_CASE(test_ipsec),
		PAIR_CASE(test_checksums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
