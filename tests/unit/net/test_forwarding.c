/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"
#include "net/uplink.h"

static void write_all(const char *ip4, const char *ip6)
{
	assert_string_equal(lab_run(-1,
				    "sysctl -qw net.ipv4.ip_forward=%s "
				    "net.ipv6.conf.all.forwarding=%s",
				    ip4, ip6),
			    "");
}

static void assert_forwarding(const char *expected)
{
	assert_string_equal(
		lab_run(-1, "sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding"),
		expected);
}

struct wish {
	const char *ip4, *ip6; /* before */
	bool wants4, wants6;
	const char *after, *changed;
};

static const struct wish wishes[] = {
	{ "0", "0", true, true, "1\n1\n", "net.ipv4.ip_forward net.ipv6.conf.all.forwarding" },
	{ "1", "1", true, true, "1\n1\n", "" },
	{ "1", "0", true, true, "1\n1\n", "net.ipv6.conf.all.forwarding" },
	{ "0", "1", true, true, "1\n1\n", "net.ipv4.ip_forward" },
	{ "0", "0", true, false, "1\n0\n", "net.ipv4.ip_forward" },
	{ "0", "0", false, true, "0\n1\n", "net.ipv6.conf.all.forwarding" },
	{ "0", "0", false, false, "0\n0\n", "" },
};

static void test_forwarding(void **state)
{
	struct lab *lab = *state;
	char changed[WF_NET_CHANGED_BYTES];

	(void)lab_run(-1, "sysctl -qw net.ipv6.conf.lo.accept_ra=0");
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		write_all(wishes[i].ip4, wishes[i].ip6);
		memset(changed, 'x', sizeof(changed));
		lab_ok(lab, wf_net_forwarding_enable(lab->net, wishes[i].wants4, wishes[i].wants6,
						     changed, &lab->err));
		assert_string_equal(changed, wishes[i].changed);
		assert_forwarding(wishes[i].after);
	}
}

static void test_listeners(void **state)
{
	static const char *const names[] = { "up0", "eth0.5", "deaf0", "router0" };
	struct lab *lab = *state;
	char changed[WF_NET_CHANGED_BYTES];

	write_all("1", "0");
	(void)lab_run(-1, "sysctl -qw net.ipv6.conf.lo.accept_ra=0 "
			  "net.ipv6.conf.default.accept_ra=0");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(lab_run(-1, "ip link add %s type veth", names[i]), "");
	assert_string_equal(lab_run(-1, "sysctl -qw net.ipv6.conf.up0.accept_ra=1 "
					"net.ipv6.conf.eth0/5.accept_ra=1 "
					"net.ipv6.conf.router0.accept_ra=1 "
					"net.ipv6.conf.router0.forwarding=1"),
			    "");
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, changed, &lab->err));
	assert_non_null(strstr(changed, "net.ipv6.conf.all.forwarding"));
	assert_non_null(strstr(changed, "net.ipv6.conf.up0.accept_ra"));
	assert_non_null(strstr(changed, "net.ipv6.conf.eth0.5.accept_ra"));
	assert_null(strstr(changed, "deaf0"));
	assert_null(strstr(changed, "router0"));
	assert_null(strstr(changed, "default"));
	assert_string_equal(lab_run(-1, "sysctl -n net.ipv6.conf.up0.accept_ra "
					"net.ipv6.conf.eth0/5.accept_ra "
					"net.ipv6.conf.deaf0.accept_ra "
					"net.ipv6.conf.router0.accept_ra "
					"net.ipv6.conf.default.accept_ra"),
			    "2\n2\n0\n1\n0\n");
	/* nothing is left to do */
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, changed, &lab->err));
	assert_string_equal(changed, "");
}

/* A router in `box` says that it is one, until the host has a default route or time is up. */
static bool learns_default(int box)
{
	static const struct nd_router_advert advert = { .nd_ra_type = ND_ROUTER_ADVERT,
							.nd_ra_router_lifetime = 0xffff };
	struct sockaddr_in6 all = { .sin6_family = AF_INET6 };
	bool is_learned = false;
	int fd, hops = 255;

	assert_int_equal(inet_pton(AF_INET6, "ff02::1", &all.sin6_addr), 1);
	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	all.sin6_scope_id = if_nametoindex("up0p");
	fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	lab_go_home();
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)), 0);
	for (int try = 0; !is_learned && try < 40; try++) {
		(void)sendto(fd, &advert, sizeof(advert), 0, (const struct sockaddr *)&all,
			     sizeof(all));
		is_learned = strstr(lab_run(-1, "sleep 0.05; ip -6 route"), "default via fe80:");
	}
	(void)close(fd);
	return is_learned;
}

/* A host that knows its way out from a router goes on knowing it. */
static void test_router_advertisements(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	char changed[WF_NET_CHANGED_BYTES];

	write_all("1", "0");
	(void)lab_make_veth(lab, "up0", box);
	(void)lab_run(-1, "sysctl -qw net.ipv6.conf.up0.accept_ra=1; ip link set up0 up");
	(void)lab_run(box, "ip link set up0p up");
	assert_true(learns_default(box));
	/* what happens without care */
	write_all("1", "1");
	assert_false(learns_default(box));
	write_all("1", "0");
	assert_true(learns_default(box));
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, changed, &lab->err));
	lab_assert_has(-1, "ip -6 route", "default via fe80:");
	assert_forwarding("1\n1\n");
	(void)lab_run(-1, "ip -6 route flush default proto ra");
	lab_assert_lacks(-1, "ip -6 route", "default via fe80:");
	assert_true(learns_default(box));
	(void)close(box);
}

/* All settings of the kind, as text. */
static const char *settings(void)
{
	return lab_run(-1, "cd /proc/sys/net; grep -H . ipv4/ip_forward ipv6/conf/*/forwarding "
			   "ipv6/conf/*/accept_ra");
}

/* What was turned on is turned off again, and nothing else. */
static void test_restore(void **state)
{
	struct lab *lab = *state;
	char changed[WF_NET_CHANGED_BYTES], before[8192];

	write_all("0", "0");
	(void)lab_run(-1, "ip link add up0 type veth; sysctl -qw net.ipv6.conf.up0.accept_ra=1");
	(void)snprintf(before, sizeof(before), "%s", settings());
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, changed, &lab->err));
	assert_string_not_equal(settings(), before);
	lab_ok(lab, wf_net_forwarding_restore(lab->net, changed, &lab->err));
	assert_string_equal(settings(), before);
	/* what somebody has changed since, and what is no such setting, stays */
	(void)lab_run(-1, "sysctl -qw net.ipv6.conf.up0.accept_ra=0");
	(void)snprintf(before, sizeof(before), "%s", settings());
	lab_ok(lab, wf_net_forwarding_restore(lab->net, changed, &lab->err));
	lab_ok(lab, wf_net_forwarding_restore(lab->net, "net.core.somaxconn kernel.x net. ...",
					      &lab->err));
	assert_string_equal(settings(), before);
}

/* A list that does not fit says so. */
static void test_many_devices(void **state)
{
	struct lab *lab = *state;
	char changed[WF_NET_CHANGED_BYTES];

	write_all("0", "0");
	(void)lab_run(-1, "sysctl -qw net.ipv6.conf.default.accept_ra=1; for i in $(seq 20); do "
			  "ip link add averylongname$i type veth; done; "
			  "sysctl -qw net.ipv6.conf.default.accept_ra=0");
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, changed, &lab->err));
	assert_non_null(strstr(changed, "net.ipv6.conf.all.forwarding"));
	assert_non_null(strstr(changed, "averylongname"));
	assert_true(strlen(changed) < sizeof(changed));
	assert_string_equal(changed + strlen(changed) - 4, " ...");
	assert_string_equal(lab_run(-1, "sysctl -n net.ipv6.conf.averylongname5.accept_ra"), "2\n");
}

static void test_accept_local(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex = lab_make_veth(lab, "up0", -1);

	lab_ok(lab, wf_net_accept_local(lab->net, ifindex, true, &lab->err));
	assert_string_equal(lab_run(-1, "sysctl -n net.ipv4.conf.up0.accept_local"), "1\n");
	lab_ok(lab, wf_net_accept_local(lab->net, ifindex, false, &lab->err));
	assert_string_equal(lab_run(-1, "sysctl -n net.ipv4.conf.up0.accept_local"), "0\n");
	assert_int_equal(wf_net_accept_local(lab->net, 4242, true, &lab->err), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_forwarding, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_listeners, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_router_advertisements, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_restore, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_many_devices, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_accept_local, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
