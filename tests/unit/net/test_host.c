/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define INGRESS 0x5eed0001
#define EGRESS  0x5eed0002

static int ensure(struct lab *lab, uint32_t *ifindex, bool *created)
{
	return wf_net_host_ensure(lab->net, 1450, 196608, INGRESS, EGRESS, ifindex, created,
				  &lab->err);
}

static void assert_pair(void)
{
	lab_assert_has(-1, "ip -d link show weft0p", "16777216: weft0p@weft0");
	lab_assert_has(-1, "ip -d link show weft0p", "NOARP,UP");
	lab_assert_has(-1, "ip -d link show weft0", "NOARP,UP");
	lab_assert_has(-1, "ip -d link show weft0", "mtu 1450");
	lab_assert_has(-1, "ip -d link show weft0p", "mtu 1450");
	lab_assert_has(-1, "tc qdisc show dev weft0p",
		       "ingress_block 1592590337 egress_block 1592590338");
	lab_assert_lacks(-1, "tc qdisc show dev weft0", "clsact");
	lab_assert_has(-1, "cat /proc/sys/net/ipv6/conf/weft0/accept_ra", "0");
	lab_assert_has(-1, "cat /proc/sys/net/ipv4/conf/weft0/rp_filter", "2");
	if (lab_knows_link_attr(63))
		assert_int_equal(lab_link_attr(-1, "weft0", 63), 196608);
	if (lab_knows_link_attr(64))
		assert_int_equal(lab_link_attr(-1, "weft0p", 64), 196608);
}

static void test_ensure(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex = 0, again = 0;
	bool created = false;

	(void)lab_run(-1, "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	lab_ok(lab, ensure(lab, &ifindex, &created));
	(void)lab_run(-1, "echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
	assert_true(created);
	assert_pair();
	lab_ok(lab, ensure(lab, &again, &created));
	assert_false(created);
	assert_int_equal(again, ifindex);
	/* whatever somebody did to it is put right */
	(void)lab_run(-1, "ip link set weft0 down mtu 1300; ip link set weft0p arp on; "
			  "tc qdisc del dev weft0p clsact; "
			  "echo 1 > /proc/sys/net/ipv4/conf/weft0/rp_filter");
	lab_ok(lab, ensure(lab, &again, &created));
	assert_false(created);
	assert_pair();
}

/* The pair is known by its index; names are put back, and what is half gone is made anew. */
static void test_renamed_and_moved(void **state)
{
	static const char *const renamings[] = {
		/* down first: Linux before 6.2 gives no new name to what is up */
		"ip link set weft0 down; ip link set weft0 name other",
		"ip link set weft0p down; ip link set weft0p name other",
		"ip link set weft0 down; ip link set weft0p down; "
		"ip link set weft0 name other; ip link set weft0p name another",
	};
	struct lab *lab = *state;
	uint32_t ifindex = 0, again = 0;
	int box = lab_container();
	bool created = false;

	lab_ok(lab, ensure(lab, &ifindex, &created));
	for (size_t i = 0; i < sizeof(renamings) / sizeof(renamings[0]); i++) {
		assert_string_equal(lab_run(-1, "%s", renamings[i]), "");
		lab_ok(lab, ensure(lab, &again, &created));
		assert_false(created);
		assert_int_equal(again, ifindex);
		assert_pair();
	}
	/* the name is taken meanwhile */
	assert_string_equal(lab_run(-1, "ip link set weft0 down; ip link set weft0 name other; "
					"ip link add weft0 type bridge"),
			    "");
	assert_int_equal(ensure(lab, &again, &created), -EEXIST);
	assert_non_null(strstr(lab->err.message, "weft0 exists already and is not weft's"));
	(void)lab_run(-1, "ip link del weft0");
	lab_ok(lab, ensure(lab, &again, &created));
	assert_pair();
	/* weft0 was put into another namespace */
	assert_string_equal(lab_run(-1,
				    "ip link add x type veth; ip link set weft0 netns "
				    "/proc/%d/fd/%d",
				    (int)getpid(), box),
			    "");
	lab_ok(lab, ensure(lab, &again, &created));
	assert_true(created);
	assert_pair();
	(void)close(box);
}

static void test_foreign(void **state)
{
	static const char *const foreign[] = {
		"ip link add weft0 type bridge",
		"ip link add weft0p type bridge",
		"ip link add weft0 type veth peer name weft0p",
		"ip link add index 16777216 other type veth peer name weft0",
	};
	struct lab *lab = *state;
	uint32_t ifindex;
	bool created;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		assert_string_equal(lab_run(-1, "%s", foreign[i]), "");
		assert_int_equal(ensure(lab, &ifindex, &created), -EEXIST);
		assert_non_null(strstr(lab->err.message, "exists already and is not weft's"));
		(void)lab_run(-1, "ip link del weft0 || ip link del weft0p");
	}
}

static void test_sync_addresses(void **state)
{
	struct lab *lab = *state;
	struct wf_net_address set[3] = { { lab_prefix("10.1.0.1/24") },
					 { lab_prefix("fd01::1/64") },
					 { lab_prefix("10.1.0.9/24") } };
	uint32_t ifindex;
	bool created;

	lab_ok(lab, ensure(lab, &ifindex, &created));
	lab_ok(lab, wf_net_host_sync_addresses(lab->net, ifindex, set, 3, &lab->err));
	lab_assert_has(-1, "ip addr show weft0", "inet 10.1.0.1/24");
	lab_assert_has(-1, "ip addr show weft0", "inet6 fd01::1/64");
	lab_assert_lacks(-1, "ip addr show weft0 scope global", "tentative");
	/* routes to networks are weft's own, not the kernel's */
	lab_assert_lacks(-1, "ip route; ip -6 route", "10.1.0.0/24");
	lab_assert_lacks(-1, "ip route; ip -6 route", "fd01::/64");
	/* a foreign one goes, what is wanted stays when the primary of its subnet goes */
	(void)lab_run(-1, "ip addr add 192.0.2.1/24 dev weft0; ip addr add fd77::1/64 dev weft0");
	lab_ok(lab, wf_net_host_sync_addresses(lab->net, ifindex, &set[1], 2, &lab->err));
	lab_assert_lacks(-1, "ip addr show weft0", "192.0.2.1");
	lab_assert_lacks(-1, "ip addr show weft0", "fd77::1");
	lab_assert_lacks(-1, "ip addr show weft0", "10.1.0.1/24");
	lab_assert_has(-1, "ip addr show weft0", "10.1.0.9/24");
	lab_assert_has(-1, "ip addr show weft0", "fd01::1/64");
	lab_assert_has(-1, "ip addr show weft0", "inet6 fe80");
	lab_ok(lab, wf_net_host_sync_addresses(lab->net, ifindex, NULL, 0, &lab->err));
	lab_assert_lacks(-1, "ip addr show weft0", "inet 10");
	lab_assert_has(-1, "ip addr show weft0", "inet6 fe80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ensure, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_renamed_and_moved, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_foreign, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_sync_addresses, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
