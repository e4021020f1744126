/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

/* A parent device of the host; the other end stays on the host as well. */
static uint32_t make_parent(struct lab *lab)
{
	struct wf_net_link link;
	char names[256];

	(void)lab_run(-1, "ip link add phys type veth peer name wire; ip link set phys up; "
			  "ip link set wire up");
	lab_ok(lab, wf_net_link_find(lab->net, "phys", 0, &link, names, &lab->err));
	return link.ifindex;
}

static void test_macvlan(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid = -1;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	e.endpoint.kind = WF_NET_KIND_MACVLAN;
	e.endpoint.parent_ifindex = make_parent(lab);
	e.endpoint.mode = WF_NET_MODE_PRIVATE;
	e.endpoint.mtu = 1440;
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_true(nsid >= 0);
	lab_assert_has(box, "ip -d link show eth0", "macvlan mode private");
	lab_assert_has(box, "ip -d link show eth0", "mtu 1440");
	lab_assert_has(box, "ip -d link show eth0", "02:00:00:01:00:01");
	lab_assert_has(box, "ip addr show eth0", "10.9.0.2/24");
	lab_assert_has(box, "ip -6 route", "default via fd09::1");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)lab_run(box, "ip addr flush dev eth0");
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ESTALE);
	/* buried and made again at once */
	assert_int_equal(wf_net_inner_bury(lab->net, box, "eth0"), 0);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -EEXIST);
	assert_non_null(strstr(lab->err.message, "interface eth0 exists already in"));
	(void)close(box);
}

static void test_macvlan_failure(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.kind = WF_NET_KIND_MACVLAN;
	e.endpoint.mode = WF_NET_MODE_BRIDGE;
	e.endpoint.parent_ifindex = 4242;
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -ENODEV);
	e.endpoint.parent_ifindex = make_parent(lab);
	e.routes[0].via = lab_addr("192.168.77.1");
	assert_true(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err) < 0);
	lab_assert_lacks(box, "ip link", "eth0");
	(void)close(box);
}

/* Where the kernel has ipvlan it works, elsewhere the message says what is missing. */
static void test_ipvlan(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), r;
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	e.endpoint.kind = WF_NET_KIND_IPVLAN;
	e.endpoint.parent_ifindex = make_parent(lab);
	e.endpoint.mode = WF_NET_MODE_L2;
	r = wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err);
	if (r == 0) {
		lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
		lab_assert_has(box, "ip -d link show eth0", "ipvlan");
	} else {
		assert_int_equal(r, -EOPNOTSUPP);
		assert_string_equal(lab->err.message, "the kernel has no ipvlan (module ipvlan)");
		lab_assert_lacks(box, "ip link", "eth0");
	}
	(void)close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_macvlan, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_macvlan_failure, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ipvlan, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
