/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab.h"
#include "net/uplink.h"

static bool find(struct lab *lab, const char *name, struct wf_net_uplink *ret_uplink)
{
	struct wf_net_uplink *uplinks = NULL;
	bool is_found = false;
	size_t count = 0;

	lab_ok(lab, wf_net_uplinks(lab->net, &uplinks, &count, &lab->err));
	for (size_t i = 0; i < count; i++) {
		assert_true(!i || uplinks[i - 1].ifindex < uplinks[i].ifindex);
		if (strcmp(uplinks[i].name, name) != 0)
			continue;
		is_found = true;
		*ret_uplink = uplinks[i];
	}
	free(uplinks);
	return is_found;
}

static void assert_addresses(const struct wf_net_uplink *uplink, const char *ip4, const char *ip6)
{
	char text[WF_ADDR_TEXT];

	assert_string_equal(wf_addr_is_zero(&uplink->ip4) ? "" : wf_addr_format(&uplink->ip4, text),
			    ip4);
	assert_string_equal(wf_addr_is_zero(&uplink->ip6) ? "" : wf_addr_format(&uplink->ip6, text),
			    ip6);
}

static void test_plain(void **state)
{
	struct lab *lab = *state;
	struct wf_net_uplink uplink;
	uint32_t ifindex = lab_make_veth(lab, "up0", -1);

	(void)lab_run(-1, "ip link set up0 address 02:00:00:00:00:77 up; ip link set up0p up; "
			  "ip addr add 10.3.0.1/24 dev up0");
	assert_true(find(lab, "up0", &uplink));
	assert_int_equal(uplink.ifindex, ifindex);
	assert_int_equal(uplink.l2_bytes, 14);
	assert_int_equal(uplink.mac.bytes[5], 0x77);
	assert_false(uplink.has_default);
	assert_addresses(&uplink, "10.3.0.1", "");
	(void)lab_run(-1,
		      "ip addr add fd03::1/64 dev up0 nodad; ip route add default via 10.3.0.2");
	assert_true(find(lab, "up0", &uplink));
	assert_true(uplink.has_default);
	assert_addresses(&uplink, "10.3.0.1", "fd03::1");
	/* a default route of another table, or one that refuses, leads nowhere */
	(void)lab_run(-1, "ip route del default; ip route add default via 10.3.0.2 table 77; "
			  "ip route add unreachable default metric 9");
	assert_true(find(lab, "up0", &uplink));
	assert_false(uplink.has_default);
	(void)lab_run(-1, "ip -6 route add default via fd03::2");
	assert_true(find(lab, "up0", &uplink));
	assert_true(uplink.has_default);
	(void)lab_run(-1, "ip addr flush dev up0 scope global");
	assert_false(find(lab, "up0", &uplink));
	(void)lab_run(-1, "ip route flush table 77; ip route del unreachable default metric 9");
}

struct odd {
	const char *name;
	const char *command; /* makes it, with an address and up */
	bool is_listed;
	uint32_t l2_bytes;
};

static const struct odd odds[] = {
	{ "lo", "ip addr add 10.50.0.1/32 dev lo", false, 0 },
	{ "down0", "ip link add down0 type veth; ip addr add 10.51.0.1/24 dev down0", false, 0 },
	{ "bare0", "ip link add bare0 type veth; ip link set bare0 up", false, 0 },
	{ "link0",
	  "ip link add link0 type veth; ip addr add 169.254.7.7/16 scope link dev link0; "
	  "ip link set link0 up",
	  false, 0 },
	{ "br0",
	  "ip link add br0 type bridge; ip addr add 10.52.0.1/24 dev br0; ip link set br0 up", true,
	  14 },
	{ "port0",
	  "ip link add port0 type veth; ip link set port0 master br0 up; "
	  "ip addr add 10.53.0.1/24 dev port0",
	  false, 0 },
	{ "vlan0.5",
	  "ip link add link br0 name vlan0.5 type vlan id 5; ip addr add 10.54.0.1/24 dev vlan0.5; "
	  "ip link set vlan0.5 up",
	  true, 14 },
	{ "tun0",
	  "ip tuntap add dev tun0 mode tun; ip addr add 10.55.0.1/32 peer 10.55.0.2 dev tun0; "
	  "ip link set tun0 up",
	  true, 0 },
	{ "tap0",
	  "ip tuntap add dev tap0 mode tap; ip addr add 10.56.0.1/24 dev tap0; "
	  "ip link set tap0 up",
	  true, 14 },
	/* weft's */
	{ "wf9",
	  "ip link add wf9 index 16777225 type veth peer name wf9p; ip addr add 10.57.0.1/24 "
	  "dev wf9; ip link set wf9 up",
	  false, 0 },
	{ "dead0",
	  "ip link add dead0 type veth; ip link set dead0 group 2003173378 up; "
	  "ip addr add 10.58.0.1/24 dev dead0",
	  false, 0 },
	{ "wfm1",
	  "ip link add link br0 name wfm1 type macvlan mode bridge; "
	  "ip addr add 10.59.0.1/24 dev wfm1; ip link set wfm1 up",
	  false, 0 },
	/* names that only look so */
	{ "wf0", "ip link add wf0 type veth; ip addr add 10.60.0.1/24 dev wf0; ip link set wf0 up",
	  true, 14 },
	{ "wfm1x",
	  "ip link add link br0 name wfm1x type macvlan mode bridge; "
	  "ip addr add 10.61.0.1/24 dev wfm1x; ip link set wfm1x up",
	  true, 14 },
};

static void test_odd(void **state)
{
	struct lab *lab = *state;
	struct wf_net_address gateway = { lab_prefix("10.1.0.1/24") };
	struct wf_net_uplink uplink;
	uint32_t ifindex;
	bool created;

	for (size_t i = 0; i < WF_ARRAY_LEN(odds); i++) {
		const char *output = lab_run(-1, "%s", odds[i].command);

		if (strstr(output, "Unknown device type"))
			print_message("left out: %s\n", odds[i].name);
		else if (*output)
			fail_msg("%s: %s", odds[i].command, output);
	}
	lab_ok(lab, wf_net_host_ensure(lab->net, 1500, 0, 0x5eed0001, 0x5eed0002, &ifindex,
				       &created, &lab->err));
	lab_ok(lab, wf_net_host_sync_addresses(lab->net, ifindex, &gateway, 1, &lab->err));
	assert_false(find(lab, "weft0", &uplink));
	for (size_t i = 0; i < WF_ARRAY_LEN(odds); i++) {
		if (!*lab_run(-1, "ip -br link show %s 2>/dev/null", odds[i].name))
			continue;
		if (find(lab, odds[i].name, &uplink) != odds[i].is_listed)
			fail_msg("%s", odds[i].name);
		if (odds[i].is_listed)
			assert_int_equal(uplink.l2_bytes, odds[i].l2_bytes);
	}
	(void)lab_run(-1, "ip addr del 10.50.0.1/32 dev lo");
}

struct choice {
	const char *commands; /* $d: the device */
	const char *ip4, *ip6;
};

#define OLD "preferred_lft 0"

static const struct choice choices[] = {
	{ "ip addr add 10.3.0.1/24 dev $d; ip addr add 10.3.0.2/24 dev $d", "10.3.0.1", "" },
	{ "ip addr add 10.3.0.1/24 dev $d " OLD "; ip addr add 10.4.0.1/24 dev $d", "10.4.0.1",
	  "" },
	/* the second is a secondary of the first, which is old: better than nothing */
	{ "ip addr add 10.3.0.1/24 dev $d " OLD "; ip addr add 10.3.0.2/24 dev $d", "10.3.0.2",
	  "" },
	{ "ip addr add fd03::1/64 dev $d nodad " OLD, "", "fd03::1" },
	{ "ip addr add fd03::1/64 dev $d nodad " OLD "; ip addr add fd03::2/64 dev $d nodad", "",
	  "fd03::2" },
	{ "ip addr add fd03::2/64 dev $d nodad; ip addr add fd03::1/64 dev $d nodad " OLD, "",
	  "fd03::2" },
	/* without a carrier they stay tentative */
	{ "ip addr add fd03::1/64 dev $d", "", "fd03::1" },
	{ "ip addr add fd03::1/64 dev $d; ip addr add fd03::2/64 dev $d nodad", "", "fd03::2" },
	{ "ip addr add fd03::2/64 dev $d nodad; ip addr add fd03::1/64 dev $d", "", "fd03::2" },
	{ "ip addr add fd03::1/64 dev $d; ip addr add fd03::2/64 dev $d nodad " OLD, "",
	  "fd03::2" },
	/* the kernel makes temporary addresses of this one */
	{ "sysctl -qw net.ipv6.conf.$d.use_tempaddr=2; "
	  "ip addr add fd03::1/64 dev $d nodad mngtmpaddr",
	  "", "fd03::1" },
};

static void test_choice_of_address(void **state)
{
	struct lab *lab = *state;

	for (size_t i = 0; i < WF_ARRAY_LEN(choices); i++) {
		struct wf_net_uplink uplink;
		const char *output;

		(void)lab_make_veth(lab, "up0", -1);
		(void)lab_run(-1, "ip link set up0 up");
		output = lab_run(-1, "d=up0; %s", choices[i].commands);
		if (*output)
			fail_msg("%s: %s", choices[i].commands, output);
		if (!find(lab, "up0", &uplink))
			fail_msg("%s: not there", choices[i].commands);
		assert_addresses(&uplink, choices[i].ip4, choices[i].ip6);
		(void)lab_run(-1, "ip link del up0");
	}
}

static size_t times(const struct wf_addr *addrs, size_t count, const char *text)
{
	struct wf_addr addr = lab_addr(text);
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += wf_addr_equal(&addrs[i], &addr);
	return found;
}

static void test_host_addresses(void **state)
{
	static const char *const expected[] = { "127.0.0.1", "::1",      "10.3.0.1",
						"fd03::1",   "10.4.0.1", "fe80::77" };
	struct lab *lab = *state;
	struct wf_addr *addrs = NULL;
	size_t count = 0;

	(void)lab_make_veth(lab, "up0", -1);
	(void)lab_run(-1, "ip link set up0 up; ip link set up0p up;"
			  "ip addr add 10.3.0.1/24 dev up0; ip addr add fd03::1/64 dev up0 nodad;"
			  "ip addr add 10.4.0.1 peer 10.4.0.2 dev up0p;"
			  "ip addr add fe80::77/64 dev up0 nodad;"
			  "ip addr add fe80::77/64 dev up0p nodad");
	lab_ok(lab, wf_net_host_addresses(lab->net, &addrs, &count, &lab->err));
	for (size_t i = 0; i < WF_ARRAY_LEN(expected); i++)
		if (times(addrs, count, expected[i]) != 1)
			fail_msg("%s: %zu times", expected[i], times(addrs, count, expected[i]));
	assert_int_equal(times(addrs, count, "10.4.0.2"), 0);
	for (size_t i = 1; i < count; i++)
		assert_true(wf_addr_compare(&addrs[i - 1], &addrs[i]) < 0);
	free(addrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_odd, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_choice_of_address, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_host_addresses, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
