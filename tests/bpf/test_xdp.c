/* SPDX-License-Identifier: Apache-2.0 */
/* Before the stack: node ports by XDP, and direct server return there and behind the stack. */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dp/overlay.h"
#include "lab.h"
#include "services.h"
#include "world.h"

static void before_the_stack(void **state)
{
	static const struct step there = {
		"far node port", XDP_IN, 0, { "192.0.2.2", TO_H, SERVICES_TCP, .dport = 30084 }
	};
	static const struct step back = { "its answer",
					  XDP_IN,
					  0,
					  { "203.0.113.9", TO_H, IPPROTO_TCP, 8080, 40000,
					    .tcp_flags = 18 } };
	static const struct step others[] = {
		{ "node port here",
		  XDP_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30080 },
		  .action = XDP_PASS },
		{ "the host's own",
		  XDP_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 22 },
		  .action = XDP_PASS },
		{ "no backend",
		  XDP_IN,
		  0,
		  { "192.0.2.9", TO_H, SERVICES_TCP, .dport = 30082 },
		  .action = XDP_PASS },
		{ "through the host",
		  XDP_IN,
		  0,
		  { "192.0.2.9", "203.0.113.80", SERVICES_TCP, .dport = 30084 },
		  .action = XDP_PASS },
	};
	static struct wire in, out, wanted;

	SERVICES_STEPS(others);
	assert_int_equal(services_run(&there, &in, &out), XDP_TX);
	wire_build(&(struct wire_spec){ TO_H, "203.0.113.9", SERVICES_TCP, .dport = 8080 },
		   &wanted);
	assert_memory_equal(out.bytes, "\2\0\0\0\xaa\2", 6);
	assert_int_equal(out.bytes[22], wanted.bytes[22] - 1);
	assert_memory_equal(out.bytes + 26, wanted.bytes + 26, 12);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
	assert_int_equal(services_live(), 1);
	assert_int_equal(services_run(&back, &in, &out), XDP_TX);
	wire_build(&(struct wire_spec){ TO_H, "192.0.2.2", IPPROTO_TCP, 30084, 40000,
					.tcp_flags = 18 },
		   &wanted);
	assert_memory_equal(out.bytes + 26, wanted.bytes + 26, 12);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
}

/* The phase of the only connection there is. */
static bool keep_phase(const struct wf_dp_conn *conn, void *context)
{
	*(__u32 *)context = conn->conn.phase;
	return false;
}

static __u32 only_phase(void)
{
	__u32 phase = WF_CONN_PHASE_COUNT;

	assert_int_equal(services_live(), 1);
	assert_true(wf_dp_conn_visit(services_dp, keep_phase, &phase) >= 0);
	return phase;
}

/* Sends a packet of the client through and checks that only its time to live has changed. */
static void goes_on_as_it_is(const struct step *step, int action)
{
	static struct wire in, out;

	assert_int_equal(services_run(step, &in, &out), action);
	assert_int_equal(out.len, in.len);
	assert_int_equal(out.bytes[22], in.bytes[22] - 1);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
	/* addresses, then ports and all behind them */
	assert_memory_equal(out.bytes + 26, in.bytes + 26, in.len - 26);
}

static void direct_return(enum place place, int action)
{
	struct step step = {
		"begins", place, 0, { "192.0.2.2", "198.51.100.17", SERVICES_TCP, .dport = 80 }
	};

	goes_on_as_it_is(&step, action);
	assert_int_equal(only_phase(), WF_CONN_NEW);
	step.in.tcp_flags = 16;
	goes_on_as_it_is(&step, action);
	assert_int_equal(only_phase(), WF_CONN_ESTABLISHED);
	/* of the two ends only one is heard */
	step.in.tcp_flags = 17;
	goes_on_as_it_is(&step, action);
	assert_int_equal(only_phase(), WF_CONN_CLOSING);
}

static void direct_return_behind_the_stack(void **state)
{
	static const struct wire_spec answer = { "198.51.100.17", "192.0.2.2",    IPPROTO_TCP, 80,
						 40000,           .tcp_flags = 18 };
	struct step error = { "too big, says a router about the answer",
			      COMES_IN,
			      0,
			      { "198.18.0.1", "198.51.100.17", IPPROTO_ICMP, .type = 3, .code = 4,
				.quoted = &answer, .mtu = 1400 } };
	struct step cut = { "its backend left",
			    COMES_IN,
			    0,
			    { "192.0.2.2", "198.51.100.17", IPPROTO_TCP, 40000, 80,
			      .tcp_flags = 16 },
			    .action = TC_ACT_REDIRECT,
			    .reason = WF_REASON_CONN_CUT,
			    .is_refused = true };

	direct_return(COMES_IN, TC_ACT_REDIRECT);
	goes_on_as_it_is(&error, TC_ACT_REDIRECT);
	services_backend(BACKEND_DIRECT)->flags = WF_BACKEND_VALID | WF_BACKEND_CUT;
	services_step(&cut);
	assert_int_equal(services_live(), 0);
}

static void direct_return_before_the_stack(void **state)
{
	struct step later = { "without XDP",
			      COMES_IN,
			      0,
			      { "192.0.2.2", "198.51.100.17", IPPROTO_TCP, 40000, 80,
				.tcp_flags = 16 } };

	direct_return(XDP_IN, XDP_TX);
	goes_on_as_it_is(&later, TC_ACT_REDIRECT);
}

/* Without a neighbour XDP lets a packet pass; behind it, it goes the same way. */
static void what_xdp_lets_pass_goes_its_way(void **state)
{
	static const struct wire_spec sent = { TO_H, "203.0.113.9", SERVICES_TCP, .dport = 8080 };
	static const struct wire_spec meant = { "192.0.2.2", TO_H, SERVICES_TCP, .dport = 30084 };
	struct step later = { "without XDP",
			      COMES_IN,
			      0,
			      { "192.0.2.2", TO_H, IPPROTO_TCP, 40000, 30084 },
			      .action = TC_ACT_REDIRECT,
			      .out = { TO_H, "203.0.113.9", IPPROTO_TCP, 40000, 8080 } };
	struct step error = { "too big",
			      COMES_IN,
			      0,
			      { "198.18.0.1", TO_H, IPPROTO_ICMP, .type = 3, .code = 4,
				.quoted = &sent },
			      .action = TC_ACT_REDIRECT,
			      .out = { "198.18.0.1", "192.0.2.2", IPPROTO_ICMP, .type = 3,
				       .code = 4, .quoted = &meant } };

	before_the_stack(state);
	services_step(&later);
	services_step(&error);
}

/* Sends the packet until it comes out like that; mac: the last byte of the next hop's. */
static void leaves(const struct step *step, int action, uint8_t mac)
{
	static struct wire in, out;

	for (int i = 0; i < 500; i++) {
		int found = services_run(step, &in, &out);

		if (found == action && (action != XDP_TX || out.bytes[5] == mac))
			return;
		usleep(10000);
	}
	fail_msg("%s: never action %d", step->name, action);
}

/* What the kernel said of a route is good for a moment, and for frames that are no longer. */
static void routes_that_change_are_followed(void **state)
{
	const struct step small = {
		"far node port", XDP_IN, 0, { "192.0.2.2", TO_H, SERVICES_TCP, .dport = 30084 }
	};
	static struct wire in, out;
	struct step large = small;

	large.in.payload = 1000;
	leaves(&small, XDP_TX, 2);
	lab_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:aa:03 dev uplink nud permanent");
	leaves(&small, XDP_TX, 3);
	lab_run("ip neigh del 192.0.2.2 dev uplink");
	leaves(&small, XDP_PASS, 0);
	lab_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:aa:02 dev uplink nud permanent");
	leaves(&small, XDP_TX, 2);
	lab_run("ip route del default");
	leaves(&small, XDP_PASS, 0);
	lab_run("ip route add default via 192.0.2.2");
	leaves(&large, XDP_TX, 2);
	lab_run("ip route replace default via 192.0.2.2 mtu lock 600");
	leaves(&large, XDP_PASS, 0);
	/* remembered now, but not of the large one */
	leaves(&small, XDP_TX, 2);
	assert_int_equal(services_run(&large, &in, &out), XDP_PASS);
	lab_run("ip route replace default via 192.0.2.2");
}

#define TO_TUNNEL SERVICES_UDP, .dport = 4789

/*
 * Until the backend is the tunnel of a node it is one like any other: that shows what would be
 * sent. From then on the stack has it, which says what becomes of it.
 */
static void nobody_reaches_a_tunnel(void **state)
{
	const struct step first = { "before it was a tunnel",
				    XDP_IN,
				    0,
				    { "192.0.2.2", TO_H, SERVICES_UDP, .dport = 30087 } };
	struct step fresh = first;
	const struct step behind[] = {
		{ "the same connection, behind XDP",
		  COMES_IN,
		  0,
		  first.in,
		  TC_ACT_REDIRECT,
		  { TO_H, "203.0.113.9", TO_TUNNEL } },
		{ "where it would leave",
		  GOES_OUT,
		  0,
		  { TO_H, "203.0.113.9", TO_TUNNEL },
		  TC_ACT_SHOT,
		  .reason = WF_REASON_TUNNEL_PRETENDED },
	};
	const struct wf_addr self = lab_addr(TO_H), none = {};
	const struct wf_node_value node = { .underlay = lab_addr("203.0.113.9") };
	static struct wire in, out;

	fresh.in.sport = 40001;
	assert_int_equal(wf_dp_overlay_set(services_dp, 0, &self, 4789, 0, NULL), 0);
	leaves(&first, XDP_TX, 2);
	assert_int_equal(wf_dp_node_set(services_dp, 3, &node, NULL), 0);
	assert_int_equal(services_run(&first, &in, &out), XDP_PASS);
	assert_int_equal(services_run(&fresh, &in, &out), XDP_PASS);
	SERVICES_STEPS(behind);
	/* another port of the node, and its tunnel once it is none any more */
	services_backend(BACKEND_TUNNEL)->port = htons(4790);
	fresh.in.sport = 40002;
	leaves(&fresh, XDP_TX, 2);
	services_backend(BACKEND_TUNNEL)->port = htons(4789);
	assert_int_equal(wf_dp_node_set(services_dp, 3, NULL, NULL), 0);
	leaves(&first, XDP_TX, 2);
	assert_int_equal(wf_dp_overlay_set(services_dp, 0, &none, 0, 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(before_the_stack, services_begin),
		cmocka_unit_test_setup(what_xdp_lets_pass_goes_its_way, services_begin),
		cmocka_unit_test_setup(direct_return_behind_the_stack, services_begin),
		cmocka_unit_test_setup(direct_return_before_the_stack, services_begin),
		cmocka_unit_test_setup(nobody_reaches_a_tunnel, services_begin),
		cmocka_unit_test_setup(routes_that_change_are_followed, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
