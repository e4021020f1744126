/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <string.h>

#include "lab.h"

static struct wf_net_fate fate_of(struct lab *lab, uint32_t ifindex, const char *src,
				  const char *dst)
{
	const struct wf_net_arrival arrival = { .ifindex = ifindex,
						.src = lab_addr(src),
						.dst = lab_addr(dst),
						.proto = IPPROTO_TCP,
						.sport = 1000,
						.dport = 80 };
	struct wf_net_fate fate;

	lab_ok(lab, wf_net_arrival_fate(lab->net, &arrival, &fate, &lab->err));
	return fate;
}

static void assert_fate(struct lab *lab, uint32_t in, const char *src, const char *dst, int kind,
			uint32_t out)
{
	const struct wf_net_fate fate = fate_of(lab, in, src, dst);

	if (fate.kind != (unsigned int)kind)
		print_error("%s to %s:\n", src, dst);
	assert_int_equal(fate.kind, kind);
	assert_int_equal(fate.ifindex, out);
}

static void set_forwarding(int on)
{
	(void)lab_run(-1, "sysctl -qw net.ipv4.ip_forward=%d net.ipv6.conf.all.forwarding=%d", on,
		      on);
}

/* Two devices, and what is sent from behind one of them. */
static void test_fates(void **state)
{
	struct lab *lab = *state;
	const uint32_t in = lab_make_veth(lab, "in0", -1), out = lab_make_veth(lab, "out0", -1);

	(void)lab_run(-1,
		      "for d in in0 in0p out0 out0p; do ip link set $d up; done; "
		      "ip addr add 10.5.0.1/24 dev in0; ip -6 addr add fd05::1/64 dev in0 nodad; "
		      "ip addr add 10.6.0.1/24 dev out0; ip -6 addr add fd06::1/64 dev out0 nodad; "
		      "ip route add unreachable 10.7.0.0/24; ip route add blackhole 10.8.0.0/24; "
		      "ip -6 route add unreachable fd07::/64; "
		      "ip rule add to 10.6.0.9 ipproto 6 dport 80 blackhole");
	set_forwarding(1);
	assert_fate(lab, in, "10.5.0.2", "10.5.0.1", WF_NET_FATE_HOST, 0);
	assert_fate(lab, in, "fd05::2", "fd06::1", WF_NET_FATE_HOST, 0);
	assert_fate(lab, in, "10.5.0.2", "10.6.0.2", WF_NET_FATE_FORWARD, out);
	assert_fate(lab, in, "fd05::2", "fd06::2", WF_NET_FATE_FORWARD, out);
	assert_fate(lab, in, "10.5.0.2", "10.5.0.3", WF_NET_FATE_FORWARD, in);
	assert_fate(lab, in, "10.5.0.2", "203.0.113.1", WF_NET_FATE_NONE, 0);
	assert_fate(lab, in, "10.5.0.2", "10.7.0.1", WF_NET_FATE_NONE, 0);
	assert_fate(lab, in, "10.5.0.2", "10.8.0.1", WF_NET_FATE_NONE, 0);
	assert_fate(lab, in, "fd05::2", "fd07::1", WF_NET_FATE_NONE, 0);
	assert_fate(lab, in, "fd05::2", "2001:db8::1", WF_NET_FATE_NONE, 0);
	/* a rule that is about the port alone */
	assert_fate(lab, in, "10.5.0.2", "10.6.0.9", WF_NET_FATE_NONE, 0);
	/* a source of another device, where that is looked at */
	(void)lab_run(-1, "sysctl -qw net.ipv4.conf.in0.rp_filter=1");
	assert_fate(lab, in, "10.6.0.7", "10.6.0.2", WF_NET_FATE_NONE, 0);
	set_forwarding(0);
	assert_fate(lab, in, "10.5.0.2", "10.5.0.1", WF_NET_FATE_HOST, 0);
	assert_fate(lab, in, "10.5.0.2", "10.6.0.2", WF_NET_FATE_NONE, 0);
	assert_fate(lab, in, "fd05::2", "fd06::2", WF_NET_FATE_NONE, 0);
}

static void test_neighbours(void **state)
{
	struct lab *lab = *state;
	const uint32_t in = lab_make_veth(lab, "in0", -1);

	(void)lab_run(-1,
		      "ip link set in0 up; ip link set in0p up; ip addr add 10.5.0.1/24 dev in0; "
		      "ip -6 addr add fd05::1/64 dev in0 nodad; "
		      "ip route add 10.9.0.0/24 via 10.5.0.3; "
		      "ip neigh add 10.5.0.3 lladdr 02:00:00:00:00:03 nud stale dev in0; "
		      "ip neigh add fd05::3 lladdr 02:00:00:00:00:03 nud reachable dev in0; "
		      "ip neigh add 10.5.0.4 nud failed dev in0");
	set_forwarding(1);
	assert_true(fate_of(lab, in, "10.5.0.2", "10.5.0.3").is_neighbour);
	assert_true(fate_of(lab, in, "fd05::2", "fd05::3").is_neighbour);
	assert_false(fate_of(lab, in, "10.5.0.2", "10.5.0.4").is_neighbour);
	assert_false(fate_of(lab, in, "10.5.0.2", "10.5.0.5").is_neighbour);
	/* the router is one, and who is behind it is not */
	assert_false(fate_of(lab, in, "10.5.0.2", "10.9.0.3").is_neighbour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fates, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_neighbours, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
