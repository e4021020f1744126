/* SPDX-License-Identifier: Apache-2.0 */
/* Which flow a packet belongs to: that of the packet an error quotes, or of the first fragment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat_lab.h"

/* What reading its flow at an uplink comes to. */
static int read_flow(const struct wire *wire)
{
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	int r;

	nat_put(&ctx, wire);
	r = native_flow_read(&ctx, (__u32)wire->l3, WF_SITE_EDGE, &ip, &flow);
	native_packet_done(&ctx);
	return r;
}

/* Errors that quote what the addressee cannot have sent, or nothing that can be translated. */
static void test_unrelated_errors(void **state)
{
	struct wire_spec quoted = { .src = "10.0.0.2",
				    .dst = "192.0.2.9",
				    .proto = IPPROTO_UDP,
				    .sport = 5000,
				    .dport = 53,
				    .payload = 20 };
	struct wire_spec error = { .src = "192.0.2.1",
				   .dst = "10.0.0.2",
				   .proto = IPPROTO_ICMP,
				   .type = 3,
				   .code = 1,
				   .quoted = &quoted };
	static struct wire wire;

	(void)state;
	native_reset();
	for (int change = 0; change < 6; change++) {
		int wanted = change ? -WF_REASON_NAT_UNRELATED : 0;

		wire_build(&error, &wire);
		switch (change) {
		case 1: wire.bytes[42] = 0x65; break;                /* the quoted version */
		case 2: wire.bytes[42] = 0x44; break;                /* its header length */
		case 3: wire.bytes[48] = 0x01; break;                /* a later fragment */
		case 4: wire.bytes[57] ^= 1; break;                  /* of another sender */
		case 5: nat_declare(&wire, 14 + 20 + 8 + 27); break; /* too short */
		default: break;
		}
		assert_int_equal(read_flow(&wire), wanted);
	}
}

/* An error that quotes a mapped IPv4 address in IPv6 must not name an IPv4 connection. */
static void test_quoted_mapped_address(void **state)
{
	struct wire_spec quoted = { .src = "fd00::2",
				    .dst = "::ffff:192.0.2.9",
				    .proto = IPPROTO_TCP,
				    .sport = 5000,
				    .dport = 80 };
	struct wire_spec error = { .src = "2001:db8::1",
				   .dst = "fd00::2",
				   .type = 1,
				   .proto = IPPROTO_ICMPV6,
				   .quoted = &quoted };
	static struct wire wire;

	(void)state;
	for (int mapped = 0; mapped < 2; mapped++) {
		quoted.dst = mapped ? "::ffff:192.0.2.9" : "2001:db8::9";
		wire_build(&error, &wire);
		assert_int_equal(read_flow(&wire), mapped ? -WF_REASON_NAT_UNRELATED : 0);
	}
}

static void test_unknown_protocols(void **state)
{
	struct wire_spec spec = { .src = "10.0.0.2", .dst = "192.0.2.9", .proto = IPPROTO_UDPLITE };
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	wire_build(&spec, &wire);
	nat_put(&ctx, &wire);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow), 0);
	assert_int_equal(flow.tuple.sport, 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &flow.tuple), -WF_REASON_NAT_PROTOCOL);
	native_packet_done(&ctx);
}

/* The later fragments of a datagram; the first one is among the cases. */
static void check_fragments(const struct nat_case *nat)
{
	struct wire_spec from = nat->before, to = nat->after;
	static struct wire wire;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	from.fragment_at = to.fragment_at = from.fragment_bytes;
	from.fragment_bytes = to.fragment_bytes = 64;
	wire_build(&from, &wire);
	native_reset();
	nat_put(&ctx, &wire);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow),
			 -WF_REASON_NAT_FRAGMENT);
	native_packet_done(&ctx);
	nat_check(nat->name, &nat->before, &nat->after, NATIVE_SUMMED_NONE);
	nat_check(nat->name, &from, &to, NATIVE_SUMMED_NONE);
	nat_check(nat->name, &from, &to, NATIVE_SUMMED_COMPLETE);
	native.now_s += 120;
	nat_put(&ctx, &wire);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow),
			 -WF_REASON_NAT_FRAGMENT);
	native_packet_done(&ctx);
}

static void test_later_fragments(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < nat_case_count; i++) {
		if (!nat_cases[i].before.fragment_bytes)
			continue;
		check_fragments(&nat_cases[i]);
		count++;
	}
	assert_true(count > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unrelated_errors),
		cmocka_unit_test(test_quoted_mapped_address),
		cmocka_unit_test(test_unknown_protocols),
		cmocka_unit_test(test_later_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
