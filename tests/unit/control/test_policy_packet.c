/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_packet.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct probe probe_of(const char *src, const char *dst, uint8_t proto)
{
	struct probe probe = { .from_mac = { { 2, 0, 0, 0, 0, 1 } },
			       .to_mac = { { 2, 0, 0, 0, 0, 2 } },
			       .proto = proto,
			       .sport = 1000,
			       .dport = 80 };

	assert_int_equal(wf_addr_parse(src, &probe.src), 0);
	assert_int_equal(wf_addr_parse(dst, &probe.dst), 0);
	return probe;
}

/* The Internet checksum of bytes with their checksum in place is zero. */
static uint16_t sum_of(const uint8_t *bytes, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void test_ipv4(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	uint8_t frame[PROBE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct probe probe = probe_of("10.0.0.1", "10.0.0.2", protos[i]);
		size_t len = wf_ctl_probe_write(&probe, frame), inner = len - 14 - 20;

		assert_memory_equal(frame, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0\x45", 15);
		assert_int_equal(frame[16] << 8 | frame[17], len - 14);
		assert_int_equal(frame[23], protos[i]);
		assert_memory_equal(frame + 26, "\x0a\0\0\1\x0a\0\0\2", 8);
		assert_int_equal(frame[36] << 8 | frame[37], 80);
		assert_int_equal(sum_of(frame + 14, 20, 0), 0);
		/* addresses, protocol and length are part of it */
		assert_int_equal(sum_of(frame + 26, 8 + inner, (uint32_t)inner + protos[i]), 0);
	}
}

static void test_ipv6(void **state)
{
	struct probe probe = probe_of("fd00::1", "fd00::2", IPPROTO_ICMPV6);
	uint8_t frame[PROBE_MAX_BYTES];
	size_t len, inner;

	(void)state;
	probe.dport = 128;
	len = wf_ctl_probe_write(&probe, frame);
	inner = len - 14 - 40;
	assert_memory_equal(frame + 12, "\x86\xdd\x60", 3);
	assert_int_equal(frame[18] << 8 | frame[19], inner);
	assert_int_equal(frame[20], IPPROTO_ICMPV6);
	assert_int_equal(frame[54], 128);
	assert_int_equal(sum_of(frame + 22, 32 + inner, (uint32_t)inner + IPPROTO_ICMPV6), 0);
}

static void test_icmp_and_others(void **state)
{
	static const uint8_t protos[] = { IPPROTO_ICMP, IPPROTO_SCTP, IPPROTO_GRE, 255 };
	uint8_t frame[PROBE_MAX_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(protos); i++) {
		struct probe probe = probe_of("10.0.0.1", "10.0.0.2", protos[i]);
		size_t len;

		probe.dport = protos[i] == IPPROTO_ICMP ? 8 : 80;
		len = wf_ctl_probe_write(&probe, frame);
		assert_true(len >= 14 + 20 + 8 && len <= PROBE_MAX_BYTES);
		assert_int_equal(frame[23], protos[i]);
		if (protos[i] == IPPROTO_ICMP) {
			assert_int_equal(frame[34], 8);
			assert_int_equal(sum_of(frame + 34, len - 34, 0), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_icmp_and_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
