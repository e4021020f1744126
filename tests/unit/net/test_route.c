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

static void test_add_and_del(void **state)
{
	struct lab *lab = *state;
	struct wf_net_route four = { .prefix = lab_prefix("10.5.0.0/16"), .mtu = 1400 };
	struct wf_net_route six = { .prefix = lab_prefix("fd05::/64") };

	four.ifindex = six.ifindex = make_device(lab, "dev0");
	for (int i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_route_add(lab->net, &four, &lab->err));
		lab_ok(lab, wf_net_route_add(lab->net, &six, &lab->err));
	}
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev0 proto 119 scope link mtu 1400");
	lab_assert_has(-1, "ip -6 route", "fd05::/64 dev dev0 proto 119");
	for (int i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_route_del(lab->net, &four, &lab->err));
		lab_ok(lab, wf_net_route_del(lab->net, &six, &lab->err));
	}
	lab_assert_lacks(-1, "ip route; ip -6 route", "proto 119");
}

/* A destination of weft's is taken back; one more is not put over what others have. */
static void test_foreign_route(void **state)
{
	struct lab *lab = *state;
	struct wf_net_route set[] = { { .prefix = lab_prefix("10.5.0.0/16") },
				      { .prefix = lab_prefix("fd05::/64") } };

	set[0].ifindex = set[1].ifindex = make_device(lab, "dev0");
	(void)lab_run(-1, "ip route add 10.5.0.0/16 dev dev0 proto static; "
			  "ip -6 route add fd05::/64 dev dev0 proto static; "
			  "ip route add 10.5.0.0/16 dev dev0 metric 9 proto static");
	assert_int_equal(wf_net_route_add(lab->net, set, &lab->err), -EEXIST);
	assert_non_null(strstr(lab->err.message, "10.5.0.0/16 that is not weft's"));
	lab_ok(lab, wf_net_route_del(lab->net, set, &lab->err));
	lab_ok(lab, wf_net_host_sync_routes(lab->net, NULL, 0, 0, &lab->err));
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev0 proto static");
	lab_ok(lab, wf_net_host_sync_routes(lab->net, set, 2, 0, &lab->err));
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev0 proto 119");
	lab_assert_has(-1, "ip -6 route", "fd05::/64 dev dev0 proto 119");
	lab_assert_lacks(-1, "ip route; ip -6 route", "proto static scope link \n");
	lab_assert_lacks(-1, "ip -6 route", "proto static");
	/* beside it is not in its place */
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev0 proto static scope link metric 9");
}

static void test_sync(void **state)
{
	struct lab *lab = *state;
	struct wf_net_route set[3] = { { .prefix = lab_prefix("10.5.0.0/16") },
				       { .prefix = lab_prefix("fd05::/64") },
				       { .prefix = lab_prefix("10.6.0.0/16") } };
	uint32_t first = make_device(lab, "dev0"), second = make_device(lab, "dev1");

	set[0].ifindex = set[1].ifindex = set[2].ifindex = first;
	lab_ok(lab, wf_net_host_sync_routes(lab->net, set, 2, 0, &lab->err));
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev0 proto 119");
	lab_assert_has(-1, "ip -6 route", "fd05::/64 dev dev0 proto 119");
	(void)lab_run(-1, "ip route add 10.7.0.0/16 dev dev0 proto static");
	/* one goes, one moves to another device, one is new, a foreign one stays */
	set[0].ifindex = second;
	set[1] = set[2];
	lab_ok(lab, wf_net_host_sync_routes(lab->net, set, 2, 0, &lab->err));
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev1 proto 119");
	lab_assert_has(-1, "ip route", "10.6.0.0/16 dev dev0 proto 119");
	lab_assert_lacks(-1, "ip route", "10.5.0.0/16 dev dev0");
	lab_assert_lacks(-1, "ip -6 route", "fd05::/64");
	lab_assert_has(-1, "ip route", "10.7.0.0/16");
	/* those of a metric can be spared while it is not known what they are for */
	set[0].metric = 2;
	lab_ok(lab, wf_net_host_sync_routes(lab->net, set, 2, 0, &lab->err));
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev1 proto 119 scope link metric 2");
	assert_int_equal(wf_net_host_sync_routes(lab->net, NULL, 0, 2, &lab->err), 1);
	lab_assert_has(-1, "ip route", "10.5.0.0/16 dev dev1 proto 119 scope link metric 2");
	lab_assert_lacks(-1, "ip route", "10.6.0.0/16");
	lab_ok(lab, wf_net_host_sync_routes(lab->net, NULL, 0, 0, &lab->err));
	lab_assert_lacks(-1, "ip route", "proto 119");
	lab_assert_has(-1, "ip route", "10.7.0.0/16");
}

static void test_default_device(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex, mtu;
	char name[16];

	assert_int_equal(wf_net_default_device(lab->net, name, &ifindex, &mtu, &lab->err), -ENODEV);
	(void)make_device(lab, "dev0");
	(void)make_device(lab, "dev1");
	(void)lab_run(-1, "ip link set dev1 mtu 1444; ip addr add 10.1.0.1/24 dev dev0; "
			  "ip addr add 10.2.0.1/24 dev dev1; "
			  "ip route add default via 10.1.0.2 metric 200; "
			  "ip route add default via 10.2.0.2 metric 100; "
			  "ip -6 route add default dev dev0 metric 1");
	lab_ok(lab, wf_net_default_device(lab->net, name, &ifindex, &mtu, &lab->err));
	assert_string_equal(name, "dev1");
	assert_int_equal(mtu, 1444);
}

/* What wf_net_prefix_dump() reports, as one text. */
static void note_prefix(const struct wf_prefix *prefix, const char *device, uint8_t protocol,
			void *context)
{
	char *text = context, one[WF_ADDR_TEXT];

	(void)strcat(strcat(strcat(strcat(text, wf_prefix_format(prefix, one)), " "), device),
		     "\n");
}

static void test_prefix_dump(void **state)
{
	struct lab *lab = *state;
	char text[8192] = "";

	(void)make_device(lab, "dev0");
	(void)lab_run(-1, "ip addr add 10.1.0.1/24 dev dev0; ip addr add fd01::1/64 dev dev0; "
			  "ip addr add 10.8.0.1 peer 10.8.0.2/32 dev dev0; "
			  "ip route add default via 10.1.0.2; "
			  "ip route add 10.66.0.0/16 dev dev0 table 4711; "
			  "ip route add blackhole 10.77.0.0/16; "
			  "ip -6 route add fd66::/48 dev dev0 table 4711");
	lab_ok(lab, wf_net_prefix_dump(lab->net, note_prefix, text, &lab->err));
	assert_non_null(strstr(text, "10.1.0.0/24 dev0\n"));
	assert_non_null(strstr(text, "fd01::/64 dev0\n"));
	assert_non_null(strstr(text, "10.8.0.2/32 dev0\n"));
	assert_non_null(strstr(text, "10.8.0.1/32 dev0\n"));
	assert_non_null(strstr(text, "10.66.0.0/16 dev0\n"));
	assert_non_null(strstr(text, "10.77.0.0/16 "));
	assert_non_null(strstr(text, "fd66::/48 dev0\n"));
	assert_non_null(strstr(text, "127.0.0.0/8 lo\n"));
	assert_null(strstr(text, "0.0.0.0/0"));
	assert_null(strstr(text, "10.1.0.255"));
	assert_null(strstr(text, "fe80"));
	assert_null(strstr(text, "ff00"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add_and_del, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_foreign_route, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_sync, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_default_device, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_prefix_dump, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
