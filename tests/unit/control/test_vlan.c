/* SPDX-License-Identifier: Apache-2.0 */
/* Networks in a VLAN, and what becomes of networks whose parent is deleted and made again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define NETWORK "'apiVersion':'weft.dev/v1','kind':'Network'"
#define LAN(parent) \
	"{'driver':'macvlan'," parent ",'subnets':[{'cidr':'10.3.0.0/24'},{'cidr':'fd03::/64'}]}"
#define OTHER(parent) "{'driver':'macvlan'," parent ",'subnets':[{'cidr':'10.7.0.0/24'}]}"
#define IN_42         "'parent':'uplink','vlan':42"

static int setup(void **state)
{
	*state = lab_new();
	return 0;
}

static int teardown(void **state)
{
	(void)fake_gate_disarm();
	return lab_teardown_settled(state);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void assert_settled(struct lab *lab)
{
	lab_settle(lab);
	lab_assert_consistent(lab);
}

static void assert_parent(struct lab *lab, const char *network, const char *device, uint16_t vlan)
{
	_cleanup_json_ json_t *found = NULL;
	const json_t *status;

	assert_int_equal(wf_control_network_inspect(lab->control, network, &found, &lab->err), 0);
	status = json_object_get(found, "status");
	assert_string_equal(wf_json_str(status, "parent", ""), device);
	assert_int_equal(wf_json_int(status, "vlan", 0), vlan);
}

static int apply(struct lab *lab, const char *name, const char *spec)
{
	return lab_apply(lab, "[{" NETWORK ",'metadata':{'name':'%s'},'spec':%s}]", name, spec);
}

/* Both ways to name a VLAN mean the same device; it goes with the last network. */
static void test_made_and_shared(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "lan", LAN(IN_42));
	lab_network(lab, "wan",
		    "{'driver':'ipvlan','parent':'uplink.43','subnets':[{'cidr':'10.4.0.0/24'}]}");
	lab_network(lab, "too",
		    "{'driver':'macvlan','parent':'uplink.42','subnets':[{'cidr':'10.5.0.0/24'}]}");
	lab_network(lab, "free", "{'driver':'macvlan','subnets':[{'cidr':'10.6.0.0/24'}]}");
	lab_endpoint(lab, "lan", "a", 0);
	lab_endpoint(lab, "wan", "b", 1);
	lab_endpoint(lab, "too", "c", 2);
	lab_endpoint(lab, "free", "d", 3);
	assert_settled(lab);
	assert_parent(lab, "lan", "uplink.42", 42);
	assert_parent(lab, "wan", "uplink.43", 43);
	assert_parent(lab, "too", "uplink.42", 42);
	assert_parent(lab, "free", "uplink", 0);
	lab_restart(lab);
	lab_assert_consistent(lab);
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_int_equal(lab_delete(lab, "network", "lan"), 0);
	assert_settled(lab);
	assert_true(fake_net_has(lab->net, "uplink.42"));
	assert_int_equal(lab_detach(lab, "c"), 0);
	assert_int_equal(lab_delete(lab, "network", "too"), 0);
	assert_settled(lab);
	assert_false(fake_net_has(lab->net, "uplink.42"));
	assert_true(fake_net_has(lab->net, "uplink.43"));
}

static void test_changes(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "lan", LAN(IN_42));
	lab_network(lab, "lan", LAN("'parent':'uplink','vlan':43"));
	assert_false(fake_net_has(lab->net, "uplink.42"));
	assert_settled(lab);
	lab_network(lab, "lan", LAN("'parent':'uplink.44'"));
	assert_settled(lab);
	lab_network(lab, "lan", LAN("'parent':'uplink'"));
	assert_settled(lab);
	lab_network(lab, "lan", LAN("'vlan':42"));
	assert_parent(lab, "lan", "uplink.42", 42);
	lab_endpoint(lab, "lan", "a", 0);
	lab_assert_refused(lab, apply(lab, "lan", LAN("'vlan':43")), -EBUSY, "spec.vlan",
			   "the VLAN cannot change");
	assert_settled(lab);
	assert_int_equal(lab_detach(lab, "a"), 0);
	lab_network(lab, "lan", "{'subnets':[{'cidr':'10.3.0.0/24'},{'cidr':'fd03::/64'}]}");
	assert_false(fake_net_has(lab->net, "uplink.42"));
}

/* A VLAN does not follow the default route while containers are in it. */
static void test_default_route_moves(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "lan", LAN("'vlan':42"));
	lab_endpoint(lab, "lan", "a", 0);
	(void)fake_net_add_device(lab->net, "second", 1500);
	fake_net_set_default(lab->net, "second");
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	lab_endpoint(lab, "lan", "b", 1);
	assert_settled(lab);
	assert_parent(lab, "lan", "uplink.42", 42);
	/* who starts anew does not know, and leaves what others are on */
	lab_restart(lab);
	assert_true(fake_net_has(lab->net, "uplink.42"));
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_int_equal(lab_detach(lab, "b"), 0);
	fake_net_set_default(lab->net, "uplink");
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
}

static void test_refused(void **state)
{
	struct lab *lab = *state;

	(void)fake_net_add_device(lab->net, "uplink.50", 1500);
	lab_network(lab, "lan", LAN(IN_42));
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'nix','vlan':42")), -ENODEV,
			   "spec.parent", "the host has no device nix");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'nix.42'")), -ENODEV, "spec.parent",
			   "the host has no device nix.42, and no nix to make that VLAN on");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'uplink.4095'")), -ENODEV,
			   "spec.parent", "no device uplink.4095 (VLANs are 1 to 4094)");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'uplink.0'")), -ENODEV,
			   "spec.parent", "no device uplink.0 (VLANs are 1 to 4094)");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'uplink.42','vlan':5")), -EINVAL,
			   "spec.vlan", "uplink.42 is a VLAN itself");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'uplink','vlan':50")), -EEXIST,
			   "spec.vlan", "uplink.50 is another's");
	lab_assert_refused(lab, apply(lab, "n", OTHER("'parent':'uplink','vlan':0")), -EINVAL,
			   "spec.vlan", "0 is not between 1 and 4094");
	/* that name is a device's, and may be a parent as it is */
	lab_network(lab, "n",
		    "{'driver':'ipvlan','parent':'uplink.50',"
		    "'subnets':[{'cidr':'10.7.0.0/24'}]}");
	assert_parent(lab, "n", "uplink.50", 0);
	assert_int_equal(lab_delete(lab, "network", "n"), 0);
	assert_true(fake_net_has(lab->net, "uplink.50"));
}

/* By another name, by the usual one, as the parent: used, and left alone. */
static void test_of_others(void **state)
{
	static const char *const parents[] = { LAN(IN_42), LAN("'parent':'uplink.42'"),
					       LAN("'parent':'theirs'") };
	struct lab *lab = *state;

	fake_net_add_vlan(lab->net, "theirs", "uplink", 42);
	for (size_t i = 0; i < WF_ARRAY_LEN(parents); i++) {
		lab_network(lab, "lan", parents[i]);
		assert_parent(lab, "lan", "theirs", 42);
		lab_endpoint(lab, "lan", "a", 0);
		lab_settle(lab);
		lab_restart(lab);
		assert_parent(lab, "lan", "theirs", 42);
		assert_int_equal(lab_detach(lab, "a"), 0);
		assert_int_equal(lab_delete(lab, "network", "lan"), 0);
		lab_settle(lab);
		assert_true(fake_net_has(lab->net, "theirs"));
	}
	/* one that goes is followed by weft's */
	lab_network(lab, "lan", parents[0]);
	lab_endpoint(lab, "lan", "a", 0);
	assert_true(fake_net_delete_link(lab->net, "theirs"));
	assert_settled(lab);
	assert_parent(lab, "lan", "uplink.42", 42);
}

/* What weft made and somebody takes over stays when its network goes. */
static void test_handed_over(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "lan", LAN(IN_42));
	lab_endpoint(lab, "lan", "a", 0);
	fake_net_set_group(lab->net, "uplink.42", 0);
	lab_settle(lab);
	assert_true(fake_net_has(lab->net, "uplink.42"));
	assert_int_equal(lab_detach(lab, "a"), 0);
	assert_int_equal(lab_delete(lab, "network", "lan"), 0);
	lab_settle(lab);
	assert_true(fake_net_has(lab->net, "uplink.42"));
}

static void prepare_repair(struct lab *lab)
{
	lab_network(lab, "lan", LAN(IN_42));
	lab_network(lab, "too",
		    "{'driver':'ipvlan','parent':'uplink.43','subnets':[{'cidr':'10.4.0.0/24'}]}");
	lab_network(lab, "free",
		    "{'driver':'macvlan','parent':'uplink','hostAccess':false,"
		    "'subnets':[{'cidr':'10.5.0.0/24'}]}");
	lab_endpoint(lab, "lan", "a", 0);
	lab_endpoint(lab, "too", "b", 1);
	lab_endpoint(lab, "free", "c", 2);
	assert_settled(lab);
}

static bool break_something(struct lab *lab, size_t how)
{
	static const char *const names[] = { "uplink.42", "uplink.43" };

	if (how < 2)
		return fake_net_delete_link(lab->net, names[how]);
	if (how < 4)
		return fake_net_set_down(lab->net, names[how - 2]);
	/* the parent of all is made anew */
	if (!fake_net_delete_link(lab->net, "uplink"))
		return false;
	(void)fake_net_add_device(lab->net, "other", 1500);
	return fake_net_rename(lab->net, "other", "uplink");
}

#define WAYS 5

static void test_repairs(void **state)
{
	struct lab *lab = *state;

	prepare_repair(lab);
	for (size_t how = 0; how < WAYS; how++) {
		print_message("way %zu\n", how);
		assert_true(break_something(lab, how));
		assert_settled(lab);
		/* nobody looks; whoever is attached meets it */
		assert_true(break_something(lab, how));
		fake_net_forget_events(lab->net);
		lab_endpoint(lab, "lan", "more", 3);
		lab_endpoint(lab, "too", "most", 4);
		lab_endpoint(lab, "free", "rest", 5);
		assert_settled(lab);
		assert_int_equal(lab_detach(lab, "more"), 0);
		assert_int_equal(lab_detach(lab, "most"), 0);
		assert_int_equal(lab_detach(lab, "rest"), 0);
		assert_settled(lab);
	}
	assert_true(lab->control->repairs_total >= 10);
}

/* Deleted while no daemon ran: the device and what containers had on it are made at the start. */
static void test_repairs_at_start(void **state)
{
	struct lab *lab = *state;

	prepare_repair(lab);
	lab_stop(lab);
	assert_true(break_something(lab, 0));
	assert_true(break_something(lab, 1));
	lab_restart(lab);
	assert_settled(lab);
}

static void test_repairs_with_faults(void **state)
{
	struct lab *lab = *state;

	prepare_repair(lab);
	for (size_t how = 0; how < WAYS; how++) {
		bool has_failed = true;

		for (size_t n = 0; has_failed; n++) {
			assert_true(break_something(lab, how));
			fake_gate_arm(FAKE_NET, n);
			lab_settle(lab);
			has_failed = fake_gate_disarm();
			lab_settle(lab);
			print_message("way %zu, call %zu (%s)\n", how, n, fake_gate_failed());
			lab_assert_consistent(lab);
		}
	}
}

/* It is there later than its network, by either name. */
static void test_parent_comes(void **state)
{
	static const char *const parents[] = { LAN("'parent':'late','vlan':42"),
					       LAN("'parent':'late.42'"), LAN("'parent':'late'") };
	static const char *const devices[] = { "late.42", "late.42", "late" };
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(parents); i++) {
		(void)fake_net_add_device(lab->net, "late", 1500);
		lab_network(lab, "lan", parents[i]);
		lab_stop(lab);
		assert_true(fake_net_delete_link(lab->net, "late"));
		lab_restart(lab);
		(void)fake_net_add_device(lab->net, "other", 1500);
		assert_true(fake_net_rename(lab->net, "other", "late"));
		assert_settled(lab);
		assert_parent(lab, "lan", devices[i], i < 2 ? 42 : 0);
		assert_int_equal(lab_delete(lab, "network", "lan"), 0);
		assert_true(fake_net_delete_link(lab->net, "late"));
	}
}

/* weftd ended between a network and its device. */
static void test_left_behind(void **state)
{
	struct lab *lab = *state;

	lab_network(lab, "lan", LAN(IN_42));
	lab_stop(lab);
	assert_int_equal(wf_store_commit(lab->store,
					 &(struct wf_store_write){ .op = WF_STORE_DELETE,
								   .kind = WF_KIND_NETWORK,
								   .name = "lan",
								   .expected = WF_STORE_ANY },
					 1, WF_STORE_DURABLE, NULL, &lab->err),
			 0);
	lab_restart(lab);
	assert_false(fake_net_has(lab->net, "uplink.42"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_made_and_shared),
		CASE(test_changes),
		CASE(test_default_route_moves),
		CASE(test_refused),
		CASE(test_of_others),
		CASE(test_handed_over),
		CASE(test_repairs),
		CASE(test_repairs_at_start),
		CASE(test_repairs_with_faults),
		CASE(test_parent_comes),
		CASE(test_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
