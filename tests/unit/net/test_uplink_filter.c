/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "net/uplink.h"

/* Classic bytecode "return 0": what every kernel has. */
#define NOTHING "bpf bytecode '1,6 0 0 0' classid 1:1"

static void assert_programs(struct lab *lab, uint32_t ifindex, int ingress_fd, int egress_fd)
{
	uint32_t ingress = 77, egress = 77;

	lab_ok(lab, wf_net_uplink_get(lab->net, ifindex, &ingress, &egress, &lab->err));
	assert_int_equal(ingress, ingress_fd < 0 ? 0 : lab_program_id(ingress_fd));
	assert_int_equal(egress, egress_fd < 0 ? 0 : lab_program_id(egress_fd));
}

/* How often a text occurs in the output of a command. */
static size_t count(const char *command, const char *text)
{
	const char *at = lab_run(-1, "%s", command);
	size_t found = 0;

	while ((at = strstr(at, text))) {
		at++;
		found++;
	}
	return found;
}

static void test_lifecycle(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex = lab_make_veth(lab, "dev0", -1);
	int in = lab_program(), out = lab_program(), newer = lab_program();

	assert_programs(lab, ifindex, -1, -1);
	lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
	lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, in, out, &lab->err));
	assert_programs(lab, ifindex, in, out);
	lab_assert_has(-1, "tc filter show dev dev0 ingress",
		       "protocol all pref 30534 bpf chain 0 handle 0x1 weft/from_uplink "
		       "direct-action");
	lab_assert_has(-1, "tc filter show dev dev0 egress",
		       "protocol all pref 30534 bpf chain 0 handle 0x1 weft/to_uplink "
		       "direct-action");
	/* another program takes the place; nothing is added */
	lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, newer, out, &lab->err));
	assert_programs(lab, ifindex, newer, out);
	assert_int_equal(count("tc filter show dev dev0 ingress", "handle"), 1);
	assert_int_equal(count("tc filter show dev dev0 egress", "handle"), 1);
	/* one side less, and again */
	for (int again = 0; again < 2; again++) {
		lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, newer, -1, &lab->err));
		assert_programs(lab, ifindex, newer, -1);
	}
	assert_int_equal(count("tc filter show dev dev0 egress", "handle"), 0);
	(void)close(newer);
	(void)close(out);
	(void)close(in);
	lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
	assert_programs(lab, ifindex, -1, -1);
	lab_assert_lacks(-1, "tc qdisc show dev dev0", "clsact");
	lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
}

struct neighbour {
	const char *add; /* on dev0, which has clsact */
	const char *has; /* what shows that it is still there */
};

static const struct neighbour neighbours[] = {
	{ "tc filter add dev dev0 ingress prio 5 protocol ip " NOTHING, "pref 5 bpf" },
	{ "tc filter add dev dev0 egress prio 5 protocol all " NOTHING, "pref 5 bpf" },
	/* in weft's own priority, but another filter */
	{ "tc filter add dev dev0 ingress prio 30534 protocol all handle 7 " NOTHING,
	  "handle 0x7" },
	{ "tc filter add dev dev0 egress chain 3 prio 30534 protocol all handle 1 " NOTHING,
	  "chain 3" },
};

/* Filters of others stay, before and behind weft's, and so does the qdisc they are on. */
static void test_neighbours(void **state)
{
	static const char show[] =
		"tc filter show dev dev0 ingress; tc filter show dev dev0 egress";
	struct lab *lab = *state;
	uint32_t ifindex = lab_make_veth(lab, "dev0", -1);
	int in = lab_program(), out = lab_program();

	for (size_t i = 0; i < sizeof(neighbours) / sizeof(neighbours[0]); i++) {
		/* theirs first */
		assert_string_equal(
			lab_run(-1, "tc qdisc add dev dev0 clsact; %s", neighbours[i].add), "");
		for (int again = 0; again < 2; again++)
			lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, in, out, &lab->err));
		assert_programs(lab, ifindex, in, out);
		lab_assert_has(-1, show, neighbours[i].has);
		lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
		assert_programs(lab, ifindex, -1, -1);
		lab_assert_has(-1, show, neighbours[i].has);
		lab_assert_lacks(-1, show, "weft");
		lab_assert_has(-1, "tc qdisc show dev dev0", "clsact");
		(void)lab_run(-1, "tc qdisc del dev dev0 clsact");
		/* weft's first */
		lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, in, out, &lab->err));
		assert_string_equal(lab_run(-1, "%s", neighbours[i].add), "");
		assert_programs(lab, ifindex, in, out);
		lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
		lab_assert_has(-1, show, neighbours[i].has);
		(void)lab_run(-1, "tc qdisc del dev dev0 clsact");
	}
	/* an empty qdisc that weft never was on is not weft's to remove */
	(void)lab_run(-1, "tc qdisc add dev dev0 clsact");
	lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
	lab_assert_has(-1, "tc qdisc show dev dev0", "clsact");
	(void)close(in);
	(void)close(out);
}

struct refusal {
	const char *qdisc;
	const char *says;
};

static const struct refusal refusals[] = {
	{ "tc qdisc add dev dev0 ingress", "has the qdisc 'ingress'" },
	{ "tc qdisc add dev dev0 ingress_block 7 clsact", "has shared blocks" },
	{ "tc qdisc add dev dev0 egress_block 8 clsact", "has shared blocks" },
};

static void test_refusals(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex = lab_make_veth(lab, "dev0", -1), ingress, egress;
	int in = lab_program(), out = lab_program();

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char before[4096];

		assert_string_equal(lab_run(-1, "%s", refusals[i].qdisc), "");
		(void)snprintf(before, sizeof(before), "%s", lab_run(-1, "tc qdisc show dev dev0"));
		assert_int_equal(wf_net_uplink_attach(lab->net, ifindex, in, out, &lab->err),
				 -EBUSY);
		assert_non_null(strstr(lab->err.message, refusals[i].says));
		assert_programs(lab, ifindex, -1, -1);
		lab_ok(lab, wf_net_uplink_detach(lab->net, ifindex, &lab->err));
		assert_string_equal(lab_run(-1, "tc qdisc show dev dev0"), before);
		(void)lab_run(-1, "tc qdisc del dev dev0 ingress; tc qdisc del dev dev0 clsact");
	}
	assert_int_equal(wf_net_uplink_attach(lab->net, 4242, in, out, &lab->err), -ENODEV);
	assert_int_equal(wf_net_uplink_get(lab->net, 4242, &ingress, &egress, &lab->err), -ENODEV);
	lab_ok(lab, wf_net_uplink_detach(lab->net, 4242, &lab->err));
	/* what cannot be attached leaves nothing */
	assert_true(wf_net_uplink_attach(lab->net, ifindex, in, STDIN_FILENO, &lab->err) < 0);
	lab_assert_lacks(-1, "tc qdisc show dev dev0", "clsact");
	(void)close(in);
	(void)close(out);
}

/* The wires that others share: packets go on to their filters behind weft's and to the host. */
static void test_packets_pass(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	int in = lab_program_returning(-1), out = lab_program_returning(-1);
	uint32_t ifindex = lab_make_veth(lab, "dev0", box);

	(void)lab_run(-1, "ip addr add 10.3.0.1/24 dev dev0; ip link set dev0 up");
	(void)lab_run(box, "ip addr add 10.3.0.2/24 dev dev0p; ip link set dev0p up");
	lab_assert_has(box, "ping -c1 -W2 10.3.0.1", " 0% packet loss");
	lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, in, out, &lab->err));
	lab_assert_has(box, "ping -c1 -W2 10.3.0.1", " 0% packet loss");
	assert_string_equal(lab_run(-1, "tc filter add dev dev0 ingress prio 40000 protocol ip "
					"bpf da bytecode '1,6 0 0 2'"),
			    "");
	lab_assert_lacks(box, "ping -c1 -W1 10.3.0.1", " 0% packet loss");
	(void)close(in);
	(void)close(out);
	(void)close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lifecycle, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_neighbours, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_refusals, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_packets_pass, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
