/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

struct damage {
	const char *inside; /* command that breaks something */
	int code;           /* what the check returns */
	const char *said;   /* in its message */
};

static const struct damage damages[] = {
	{ "ip link set eth0 down", -ESTALE, "eth0 is down" },
	{ "ip link set eth0 mtu 1300", -ESTALE, "MTU 1300 instead of 1500" },
	{ "ip link set eth0 address 02:00:00:00:00:99", -ESTALE,
	  "MAC 02:00:00:00:00:99 instead of 02:00:00:01:00:01" },
	{ "ip addr del 10.9.0.2/24 dev eth0", -ESTALE, "lacks the address 10.9.0.2/24" },
	{ "ip addr del fd09::2/64 dev eth0", -ESTALE, "lacks the address fd09::2/64" },
	{ "ip addr del 10.9.0.2/24 dev eth0; ip addr add 10.9.0.2/16 dev eth0; "
	  "ip route add default via 10.9.0.1",
	  -ESTALE, "lacks the address 10.9.0.2/24" },
	{ "ip addr del fd09::2/64 dev eth0; ip addr add fd09::2/48 dev eth0 nodad", -ESTALE,
	  "lacks the address fd09::2/64" },
	{ "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6", -ESTALE,
	  "lacks the address fd09::2/64" },
	{ "ip route del default", -ESTALE, "lacks the route to 0.0.0.0/0 via 10.9.0.1" },
	{ "ip -6 route del default", -ESTALE, "lacks the route to ::/0 via fd09::1" },
	{ "ip route replace default via 10.9.0.77", -ESTALE,
	  "lacks the route to 0.0.0.0/0 via 10.9.0.1" },
	{ "ip route replace blackhole default", -ESTALE,
	  "lacks the route to 0.0.0.0/0 via 10.9.0.1" },
	{ "ip link del eth0", -ENODEV, "no interface eth0" },
	{ "ip link set eth0 down; ip link set eth0 name lan0", -ENODEV, "no interface eth0" },
	{ "ip link set eth0 down; ip link set eth0 name lan0; ip link add eth0 type bridge",
	  -ESTALE, "of kind 'bridge' instead of 'veth'" },
};

/* What a container does to its own interface is its business, but CHECK says so. */
static void test_check_finds(void **state)
{
	struct lab *lab = *state;
	struct lab_endpoint e;
	int32_t nsid;

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *damage = &damages[i];
		int box = lab_container();

		lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
		assert_string_equal(lab_run(box, "%s", damage->inside), "");
		assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err),
				 damage->code);
		if (!strstr(lab->err.message, damage->said))
			fail_msg("'%s': %s", damage->inside, lab->err.message);
		lab_ok(lab, wf_net_link_del(lab->net, LAB_SLOT(1), &lab->err));
		(void)close(box);
	}
}

/* What does no harm is not reported: more addresses, a metric, other interfaces. */
static void test_check_is_no_pedant(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_string_equal(lab_run(box, "ip addr add 10.9.0.55/24 dev eth0; "
					 "ip route del default; "
					 "ip route add default via 10.9.0.1 metric 77; "
					 "ip link add dummy0 type bridge"),
			    "");
	lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
	(void)close(box);
}

static void test_missing_and_foreign(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ENODEV);
	assert_non_null(strstr(lab->err.message, "no interface eth0"));
	(void)lab_run(box, "ip link add eth0 type bridge");
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ESTALE);
	assert_non_null(strstr(lab->err.message, "of kind 'bridge' instead of 'veth'"));
	(void)lab_run(box, "ip link del eth0; ip link add eth0 type veth peer name other");
	assert_int_equal(wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err), -ESTALE);
	assert_non_null(strstr(lab->err.message, "belongs to host interface"));
	(void)close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check_finds, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_check_is_no_pedant, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_missing_and_foreign, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
