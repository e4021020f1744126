/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

/* A parent device of the host with addresses; the other end stays on the host as well. */
static uint32_t make_parent(struct lab *lab)
{
	struct wf_net_link link;
	char names[256];

	(void)lab_run(-1, "ip link add phys type veth peer name wire; ip link set phys up; "
			  "ip link set wire up; ip addr add 10.9.0.1/24 dev phys; "
			  "ip addr add fd09::1/64 dev phys nodad");
	lab_ok(lab, wf_net_link_find(lab->net, "phys", 0, &link, names, &lab->err));
	return link.ifindex;
}

static void test_ensure(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab), first = 0, second = 0;
	struct wf_net_link link;
	struct wf_mac mac;
	char names[256];

	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm0", parent, &first, &lab->err));
	lab_assert_has(-1, "ip -d link show wfm0", "macvlan mode bridge");
	lab_assert_has(-1, "ip -d link show wfm0", ",UP");
	/* only containers are answered, and nothing is learnt from the wire */
	lab_assert_has(-1, "cat /proc/sys/net/ipv4/conf/wfm0/arp_filter", "1");
	lab_assert_has(-1, "cat /proc/sys/net/ipv6/conf/wfm0/accept_ra", "0");
	lab_assert_has(-1, "cat /proc/sys/net/ipv6/conf/all/forwarding", "0");
	(void)lab_run(-1, "ip link set wfm0 down; echo 0 > /proc/sys/net/ipv6/conf/wfm0/proxy_ndp");
	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm0", parent, &second, &lab->err));
	assert_int_equal(first, second);
	lab_assert_has(-1, "ip -d link show wfm0", ",UP");
	lab_assert_has(-1, "cat /proc/sys/net/ipv6/conf/wfm0/proxy_ndp", "1");
	/* its neighbours find it again when it was made anew */
	lab_ok(lab, wf_net_link_find(lab->net, "wfm0", 0, &link, names, &lab->err));
	mac = link.mac;
	assert_true(wf_mac_is_unicast(&mac));
	lab_ok(lab, wf_net_link_del(lab->net, first, &lab->err));
	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm0", parent, &first, &lab->err));
	lab_ok(lab, wf_net_link_find(lab->net, "wfm0", 0, &link, names, &lab->err));
	assert_memory_equal(&link.mac, &mac, sizeof(mac));
	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm2", parent, &first, &lab->err));
	lab_ok(lab, wf_net_link_find(lab->net, "wfm2", 0, &link, names, &lab->err));
	assert_memory_not_equal(&link.mac, &mac, sizeof(mac));
	assert_int_equal(wf_net_macvlan_host_ensure(lab->net, "wire", parent, &first, &lab->err),
			 -EEXIST);
	assert_non_null(strstr(lab->err.message, "wire exists already"));
	assert_true(wf_net_macvlan_host_ensure(lab->net, "wfm1", 4242, &first, &lab->err) < 0);
}

static void assert_route(const struct wf_net_route *route, uint32_t ifindex, const char *source)
{
	struct wf_addr wanted = *source ? lab_addr(source) : (struct wf_addr){ 0 };

	assert_int_equal(route->ifindex, ifindex);
	assert_true(wf_addr_equal(&route->source, &wanted));
}

static void test_sync(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab), ifindex = 0;
	struct wf_net_macvlan_peer peers[] = {
		{ lab_addr("10.9.0.5"), lab_mac("02:00:00:00:00:05") },
		{ lab_addr("fd09::5"), lab_mac("02:00:00:00:00:05") },
		{ lab_addr("10.9.0.6"), lab_mac("02:00:00:00:00:06") },
	};
	struct wf_net_route routes[3];

	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm0", parent, &ifindex, &lab->err));
	for (int i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_macvlan_host_sync(lab->net, ifindex, parent, peers, 3, routes,
						     &lab->err));
		assert_route(&routes[0], ifindex, "10.9.0.1");
		assert_route(&routes[1], ifindex, "fd09::1");
		lab_assert_has(-1, "ip neigh", "10.9.0.5 dev wfm0 lladdr 02:00:00:00:00:05 PERM");
		lab_assert_has(-1, "ip neigh", "fd09::5 dev wfm0 lladdr 02:00:00:00:00:05 PERM");
		lab_assert_has(-1, "ip neigh", "10.9.0.6 dev wfm0 lladdr 02:00:00:00:00:06 PERM");
		lab_assert_has(-1, "ip -6 neigh show proxy", "fd09::1 dev wfm0");
	}
	/* one has another MAC, one is gone; the parent has another address, and one of another net */
	peers[1].mac = lab_mac("02:00:00:00:00:07");
	(void)lab_run(-1,
		      "ip addr add fd10::1/64 dev phys nodad; ip addr del fd09::1/64 dev phys; "
		      "ip addr add fd09::99/64 dev phys nodad; ip addr del 10.9.0.1/24 dev phys;"
		      "ip addr add 10.8.0.1/24 dev phys");
	lab_ok(lab,
	       wf_net_macvlan_host_sync(lab->net, ifindex, parent, peers, 2, routes, &lab->err));
	lab_assert_has(-1, "ip neigh", "fd09::5 dev wfm0 lladdr 02:00:00:00:00:07 PERM");
	lab_assert_lacks(-1, "ip neigh", "10.9.0.6");
	lab_assert_has(-1, "ip -6 neigh show proxy", "fd10::1 dev wfm0");
	lab_assert_has(-1, "ip -6 neigh show proxy", "fd09::99 dev wfm0");
	lab_assert_lacks(-1, "ip -6 neigh show proxy", "fd09::1 ");
	assert_route(&routes[0], ifindex, "10.8.0.1");
	assert_route(&routes[1], ifindex, "fd09::99");
	/* a parent without addresses: the kernel's choice */
	(void)lab_run(-1, "ip addr flush dev phys scope global");
	lab_ok(lab,
	       wf_net_macvlan_host_sync(lab->net, ifindex, parent, peers, 2, routes, &lab->err));
	assert_route(&routes[0], ifindex, "");
	assert_route(&routes[1], ifindex, "");
	lab_assert_lacks(-1, "ip -6 neigh show proxy", "dev wfm0");
	assert_true(wf_net_macvlan_host_sync(lab->net, 4242, parent, peers, 2, routes, &lab->err) <
		    0);
}

static void test_peer(void **state)
{
	struct lab *lab = *state;
	uint32_t parent = make_parent(lab), ifindex = 0;
	struct wf_net_macvlan_peer peer = { lab_addr("10.9.0.5"), lab_mac("02:00:00:00:00:05") };

	lab_ok(lab, wf_net_macvlan_host_ensure(lab->net, "wfm0", parent, &ifindex, &lab->err));
	for (int i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_macvlan_peer_add(lab->net, ifindex, parent, &peer, &lab->err));
		lab_assert_has(-1, "ip route",
			       "10.9.0.5 dev wfm0 proto 119 scope link src 10.9.0.1");
		lab_assert_has(-1, "ip neigh", "10.9.0.5 dev wfm0 lladdr 02:00:00:00:00:05 PERM");
	}
	for (int i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_macvlan_peer_del(lab->net, ifindex, &peer, &lab->err));
		lab_assert_lacks(-1, "ip route; ip neigh", "10.9.0.5");
	}
	(void)lab_run(-1, "ip route add 10.9.0.5 dev wire");
	assert_int_equal(wf_net_macvlan_peer_add(lab->net, ifindex, parent, &peer, &lab->err),
			 -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ensure, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_sync, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_peer, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
