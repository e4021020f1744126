/* SPDX-License-Identifier: Apache-2.0 */
/* Translating SCTP: its CRC, and the addresses that an association opens with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat_lab.h"

/* The CRC of what was not checksummed, or is to be by the device, stays 0. */
static void test_leaves_empty_crc_alone(void **state)
{
	struct nat_case nat = *nat_case_find("SCTP");

	(void)state;
	nat.before.no_check = nat.after.no_check = true;
	nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
}

/* Makes the CRC of the segment at the packet's end. */
static void sum_sctp(struct wire *wire, size_t len)
{
	uint8_t *l4 = wire->bytes + wire->len - len;
	uint32_t crc;

	memset(l4 + 8, 0, 4);
	crc = wire_crc32c(l4, len);
	for (int i = 0; i < 4; i++)
		l4[8 + i] = (uint8_t)(crc >> 8 * i);
}

/* What opens an association: INIT (1) or INIT ACK (2), with addresses among its parameters. */
#define SCTP_OPENING(type)                         \
	"\xca\xfe\xba\xbe\0\0\0\0" type "\0\0\x44" \
	"\0\0\x12\x34\0\1\0\0\0\xa\0\xa\0\0\0\7"   \
	"\0\5\0\x08\x0a\0\0\2\0\xc\0\6\0\5\0\0"    \
	"\0\6\0\x14\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\5\0\x08\x0a\0\0\3"

static void put_opening(struct wire *wire, const struct wire_spec *spec, const char *bytes,
			size_t len)
{
	struct wire_spec grown = *spec;

	/* behind the ports: common header, chunk */
	grown.payload = len - 8;
	wire_build(&grown, wire);
	memcpy(wire->bytes + wire->len - len, bytes, len);
	sum_sctp(wire, len + 4);
}

/* Addresses besides that of the packet become padding, and the CRC is right; the rest stays. */
static void check_opening(const char *name, const char *bytes, size_t len, int is_narrowed)
{
	const struct nat_case *nat = nat_case_find(name);
	static struct wire wire;
	struct wf_tuple there;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};
	const __u8 *chunk;

	put_opening(&wire, &nat->before, bytes, len);
	nat_put(&ctx, &wire);
	wire_tuple(&nat->after, &there);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &there), 0);
	assert_true(wire_is_right(ctx.bytes + wire.l3, wire.len - wire.l3));
	chunk = ctx.bytes + wire.len - len + 8;
	assert_memory_equal(chunk, bytes + 8, 20);
	assert_memory_equal(chunk + 20, is_narrowed ? "\x80\5\0\x08\x0a" : "\0\5\0\x08\x0a", 5);
	assert_memory_equal(chunk + 28, "\0\xc\0\6\0\5\0\0", 8);
	assert_memory_equal(chunk + 36, is_narrowed ? "\x80\5\0\x14\xfd" : "\0\6\0\x14\xfd", 5);
	assert_memory_equal(chunk + 56, is_narrowed ? "\x80\5\0\x08\x0a" : "\0\5\0\x08\x0a", 5);
	native_packet_done(&ctx);
}

static void test_associations_have_one_path(void **state)
{
	static const char init[] = SCTP_OPENING("\1"), ack[] = SCTP_OPENING("\2"),
			  data[] = SCTP_OPENING("\0");

	(void)state;
	native_reset();
	check_opening("SCTP", init, sizeof(init) - 1, 1);
	check_opening("SCTP", ack, sizeof(ack) - 1, 1);
	check_opening("SCTP", data, sizeof(data) - 1, 0);
	check_opening("SCTP over IPv6", init, sizeof(init) - 1, 1);
}

/* Nothing is written behind the packet, whatever lengths it tells. */
static void test_broken_openings(void **state)
{
	static const char init[] = SCTP_OPENING("\1");
	const struct nat_case *nat = nat_case_find("SCTP");
	static struct wire wire;
	struct wf_tuple to;

	(void)state;
	wire_tuple(&nat->after, &to);
	for (size_t at = 8; at < sizeof(init) - 1; at++)
		for (unsigned int value = 0; value < 256; value += 85) {
			char bytes[sizeof(init)];

			native_reset();
			memcpy(bytes, init, sizeof(init));
			bytes[at] = (char)value;
			put_opening(&wire, &nat->before, bytes, sizeof(init) - 1);
			nat_run_broken(&wire, &to, false);
			nat_declare(&wire, wire.len - at / 2);
			nat_run_broken(&wire, &to, false);
		}
}

/* The CRC covers fragments that are not here: other ports are refused, other addresses are not. */
static void test_fragment_of_sctp(void **state)
{
	struct nat_case nat = *nat_case_find("SCTP");
	static struct wire wire;
	struct wf_tuple to;
	struct wf_flow flow = {};
	struct wf_ctx ctx;
	struct wf_ip ip = {};

	(void)state;
	native_reset();
	nat.before.payload = nat.after.payload = 400;
	nat.before.fragment_bytes = nat.after.fragment_bytes = 200;
	wire_build(&nat.before, &wire);
	wire_tuple(&nat.after, &to);
	nat_put(&ctx, &wire);
	assert_int_equal(native_flow_read(&ctx, (__u32)wire.l3, WF_SITE_EDGE, &ip, &flow), 0);
	assert_int_equal(wf_nat_apply(&ctx, &ip, &flow, &to), -WF_REASON_NAT_PROTOCOL);
	native_packet_done(&ctx);
	nat.after.sport = nat.before.sport;
	nat.after.dport = nat.before.dport;
	nat_check_both_ways(&nat, NATIVE_SUMMED_NONE);
}

static void test_crc_change_against_naive(void **state)
{
	static uint8_t bytes[65535];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	for (size_t len = 4; len <= sizeof(bytes); len += len / 3 + 1) {
		const __u32 change = 0x80c30000 + 0x01010101 * (__u32)(len & 0x3f);
		__u32 word, before = wire_crc32c(bytes, len);

		memcpy(&word, bytes, sizeof(word));
		word ^= change;
		memcpy(bytes, &word, sizeof(word));
		assert_int_equal(before ^ wf_crc32c_change(change, (__u32)len),
				 wire_crc32c(bytes, len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leaves_empty_crc_alone),
		cmocka_unit_test(test_associations_have_one_path),
		cmocka_unit_test(test_broken_openings),
		cmocka_unit_test(test_fragment_of_sctp),
		cmocka_unit_test(test_crc_change_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
