/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "lab.h"

static uint32_t make_device(struct lab *lab, const char *name)
{
	struct wf_net_link link;
	char names[256];

	(void)lab_run(-1,
		      "ip link add %s type veth peer name %sp; ip link set %s up; "
		      "ip link set %sp up",
		      name, name, name, name);
	lab_ok(lab, wf_net_link_find(lab->net, name, 0, &link, names, &lab->err));
	return link.ifindex;
}

static struct wf_net_way way_to(struct lab *lab, const char *addr)
{
	struct wf_net_way way = { 0 };
	const struct wf_addr to = lab_addr(addr);

	lab_ok(lab, wf_net_way_find(lab->net, &to, &way, &lab->err));
	return way;
}

static void test_ways(void **state)
{
	struct lab *lab = *state;
	const struct wf_addr nowhere = lab_addr("203.0.113.1"), dead = lab_addr("10.6.0.1"),
			     own = lab_addr("10.5.0.1"), router = lab_addr("10.5.0.9");
	uint32_t device = make_device(lab, "dev0");
	struct wf_net_way way;

	(void)lab_run(-1, "ip addr add 10.5.0.1/24 dev dev0; "
			  "ip -6 addr add fd05::1/64 dev dev0 nodad; "
			  "ip route add 10.7.0.0/24 via 10.5.0.9; "
			  "ip route add 10.8.0.0/24 via inet6 fd05::9 dev dev0; "
			  "ip -6 route add fd07::/64 via fd05::9; "
			  "ip route add blackhole 10.6.0.0/24");
	assert_int_equal(way_to(lab, "10.5.0.2").ifindex, device);
	assert_true(way_to(lab, "10.5.0.2").is_on_link);
	assert_true(way_to(lab, "fd05::2").is_on_link);
	assert_int_equal(way_to(lab, "10.7.0.2").ifindex, device);
	assert_false(way_to(lab, "10.7.0.2").is_on_link);
	way = way_to(lab, "10.7.0.2");
	assert_true(wf_addr_equal(&way.router, &router));
	way = way_to(lab, "10.8.0.2");
	assert_false(way.is_on_link);
	assert_true(wf_addr_is_zero(&way.router));
	assert_false(way_to(lab, "fd07::2").is_on_link);
	assert_int_equal(wf_net_way_find(lab->net, &nowhere, &way, &lab->err), -ENETUNREACH);
	assert_int_equal(wf_net_way_find(lab->net, &dead, &way, &lab->err), -ENETUNREACH);
	/* the host's own address is no neighbour's */
	assert_int_equal(wf_net_way_find(lab->net, &own, &way, &lab->err), -ENETUNREACH);
}

static void test_link_local(void **state)
{
	struct lab *lab = *state;
	const struct wf_addr own = lab_addr("10.5.0.1"), nobodys = lab_addr("10.5.0.2");
	const struct wf_addr wanted = lab_addr("fe80::5");
	struct wf_addr found;

	(void)make_device(lab, "dev0");
	(void)make_device(lab, "dev1");
	(void)lab_run(-1, "ip addr add 10.5.0.1/24 dev dev1; ip -6 addr flush dev dev1; "
			  "ip -6 addr add fe80::5/64 dev dev1 nodad");
	lab_ok(lab, wf_net_link_local_find(lab->net, &own, &found, &lab->err));
	assert_true(wf_addr_equal(&found, &wanted));
	lab_ok(lab, wf_net_link_local_find(lab->net, &nobodys, &found, &lab->err));
	assert_true(wf_addr_is_zero(&found));
	/* the kernel still asks whether somebody else has it */
	(void)lab_run(-1, "ip -6 addr flush dev dev1; ip -6 addr add fe80::6/64 dev dev1");
	lab_ok(lab, wf_net_link_local_find(lab->net, &own, &found, &lab->err));
	assert_true(wf_addr_is_zero(&found));
	(void)lab_run(-1, "ip -6 addr flush dev dev1");
	lab_ok(lab, wf_net_link_local_find(lab->net, &own, &found, &lab->err));
	assert_true(wf_addr_is_zero(&found));
}

static void test_ipsec(void **state)
{
	struct lab *lab = *state;
	bool is_present = true;

	lab_ok(lab, wf_net_ipsec_present(lab->net, &is_present, &lab->err));
	assert_false(is_present);
	(void)lab_run(-1, "ip xfrm policy add src 10.0.0.0/8 dst 10.0.0.0/8 dir out "
			  "tmpl proto esp mode transport");
	/* not in every kernel, nor in every image of one */
	if (!strstr(lab_run(-1, "ip xfrm policy 2>&1 || true"), "10.0.0.0/8"))
		skip();
	lab_ok(lab, wf_net_ipsec_present(lab->net, &is_present, &lab->err));
	assert_true(is_present);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ways, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_link_local, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ipsec, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
