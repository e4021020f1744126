/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/mem.h"

typedef unsigned __int128 u128;

/* The same address as a number: the reference that the byte-wise functions are held against. */
static u128 number(const struct wf_addr *a)
{
	u128 value = 0;

	for (int i = 0; i < 16; i++)
		value = value << 8 | a->bytes[i];
	return value;
}

static uint64_t random64(void)
{
	return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static struct wf_addr random_addr(bool ip4)
{
	struct wf_addr a;

	for (int i = 0; i < 16; i++)
		a.bytes[i] = (uint8_t)random();
	return ip4 ? wf_addr_from_ip4((uint32_t)random64()) : a;
}

static void test_parse_accepts(void **state)
{
	static const char *const same[] = {
		"0.0.0.0", "10.64.0.1",   "255.255.255.255", "::",
		"::1",     "fd00:1:2::5", "fe80::1",         "2001:db8::a:0:0:1"
	};
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < WF_ARRAY_LEN(same); i++) {
		struct wf_addr a = addr_of(same[i]);

		assert_string_equal(wf_addr_format(&a, text), same[i]);
	}
	struct wf_addr upper = addr_of("FD00:0:0:0::ABCD");

	assert_string_equal(wf_addr_format(&upper, text), "fd00::abcd");
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.5",
		"1.2.3.256",
		"01.2.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"1.2.3.4/8",
		"0x1.2.3.4",
		":::",
		"1::2::3",
		"fe80::1%eth0",
		"::ffff:10.0.0.1",
		"::ffff:a00:1",
		"12345::",
		"1:2:3:4:5:6:7",
		"abc",
		"-1.0.0.0",
		"1..2.3",
	};
	struct wf_addr a = addr_of("1.1.1.1"), before = a;

	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		if (wf_addr_parse(bad[i], &a) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_true(wf_addr_equal(&a, &before));
	}
}

static void test_prefix_parse(void **state)
{
	static const char *const bad[] = {
		"10.0.0.0/33", "::/129",   "10.0.0.0/",          "10.0.0.0/-1",
		"10.0.0.0/08", "/8",       "10.0.0.0/8/8",       "10.0.0.0/ 8",
		"10.0.0.0/8x", "10.0.0/8", "10.0.0.0/4294967304"
	};
	char longest[200], text[WF_ADDR_TEXT];
	struct wf_prefix p = prefix_of("10.64.3.4/16");

	assert_int_equal(p.len, 16);
	assert_string_equal(wf_prefix_format(&p, text), "10.64.3.4/16");
	p = prefix_of("10.64.3.4");
	assert_int_equal(p.len, 32);
	p = prefix_of("fd00::1");
	assert_int_equal(p.len, 128);
	p = prefix_of("::/0");
	assert_int_equal(p.len, 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		if (wf_prefix_parse(bad[i], &p) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
	memset(longest, '1', sizeof(longest));
	memcpy(longest + sizeof(longest) - 3, "/8", 3);
	assert_int_equal(wf_prefix_parse(longest, &p), -EINVAL);
}

/* The longest texts fit their buffers (the sanitizer would tell otherwise). */
static void test_format_longest(void **state)
{
	struct wf_prefix p = { .len = 128 };
	char *buf = malloc(WF_ADDR_TEXT);

	memset(p.addr.bytes, 0xff, 16);
	assert_string_equal(wf_prefix_format(&p, buf),
			    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	free(buf);
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:0",
					   "02:00:00:00:00:000",
					   "02-00:00-00:00-00",
					   "0g:00:00:00:00:00",
					   "02.00.00.00.00.00",
					   "020000000000",
					   " 2:00:00:00:00:00" };
	struct wf_mac mac = { { 1, 2, 3, 4, 5, 6 } };
	char text[WF_MAC_TEXT];

	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++)
		if (wf_mac_parse(bad[i], &mac) != -EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
	assert_int_equal(mac.bytes[0], 1);
	assert_int_equal(wf_mac_parse("02:AB:cd:00:00:0f", &mac), 0);
	assert_string_equal(wf_mac_format(&mac, text), "02:ab:cd:00:00:0f");
	assert_int_equal(wf_mac_parse("02-ab-cd-00-00-0f", &mac), 0);
	assert_true(wf_mac_is_unicast(&mac));
	assert_int_equal(wf_mac_parse("01:00:5e:00:00:01", &mac), 0);
	assert_false(wf_mac_is_unicast(&mac));
	assert_int_equal(wf_mac_parse("00:00:00:00:00:00", &mac), 0);
	assert_true(wf_mac_is_zero(&mac));
	assert_false(wf_mac_is_unicast(&mac));
}

static void test_kernel_forms(void **state)
{
	struct wf_addr a = addr_of("10.64.0.1"), b;
	uint8_t bytes6[16];

	assert_int_equal(wf_addr_to_ip4(&a), htonl(0x0a400001));
	b = wf_addr_from_ip4(htonl(0x0a400001));
	assert_true(wf_addr_equal(&a, &b));
	b = wf_addr_from_bytes(AF_INET, "\x0a\x40\x00\x01");
	assert_true(wf_addr_equal(&a, &b));
	assert_int_equal(inet_pton(AF_INET6, "fd00::7", bytes6), 1);
	b = wf_addr_from_bytes(AF_INET6, bytes6);
	a = addr_of("fd00::7");
	assert_true(wf_addr_equal(&a, &b));
	assert_int_equal(wf_addr_family(&a), AF_INET6);
	assert_int_equal(wf_addr_bits(&a), 128);
}

static void test_usable(void **state)
{
	static const struct {
		const char *text;
		bool usable;
	} rows[] = {
		{ "10.0.0.1", true },
		{ "0.0.0.0", false },
		{ "0.1.2.3", false },
		{ "127.0.0.1", false },
		{ "126.255.255.255", true },
		{ "128.0.0.1", true },
		{ "169.254.1.1", false },
		{ "169.253.1.1", true },
		{ "223.255.255.255", true },
		{ "224.0.0.1", false },
		{ "240.0.0.1", false },
		{ "255.255.255.255", false },
		{ "::", false },
		{ "::1", false },
		{ "fe80::1", false },
		{ "febf::1", false },
		{ "fec0::1", true },
		{ "ff02::1", false },
		{ "fd00::1", true },
		{ "2001:db8::1", true },
		{ "64:ff9b::1", false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_addr a = addr_of(rows[i].text);

		if (wf_addr_is_usable(&a) != rows[i].usable)
			fail_msg("%s", rows[i].text);
	}
	struct wf_addr zero4 = addr_of("0.0.0.0"), zero6 = addr_of("::"), one = addr_of("::1");

	assert_true(wf_addr_is_zero(&zero4));
	assert_true(wf_addr_is_zero(&zero6));
	assert_false(wf_addr_is_zero(&one));
}

static void test_add_and_distance_against_numbers(void **state)
{
	for (int i = 0; i < 20000; i++) {
		bool ip4 = i & 1;
		struct wf_addr a = random_addr(ip4), b = random_addr(ip4);
		uint64_t offset = random64() >> (random() % 64);
		struct wf_addr sum = wf_addr_add(&a, offset);
		u128 want = number(&a) + offset, gap = number(&b) - number(&a);

		if (ip4)
			want = (number(&a) & ~(u128)0xffffffff) | (uint32_t)want;
		assert_true(number(&sum) == want);
		if (number(&b) < number(&a) || gap > UINT64_MAX)
			assert_true(wf_addr_distance(&a, &b) == UINT64_MAX);
		else
			assert_true(wf_addr_distance(&a, &b) == (uint64_t)gap);
		assert_int_equal(wf_addr_compare(&a, &b) < 0, number(&a) < number(&b));
	}
}

static void test_prefix_math_against_numbers(void **state)
{
	for (int i = 0; i < 20000; i++) {
		bool ip4 = i & 1;
		struct wf_prefix p = { .addr = random_addr(ip4) };
		unsigned int bits = ip4 ? 32 : 128;
		struct wf_prefix q = { .addr = p.addr };
		struct wf_prefix network;
		struct wf_addr last, flipped = p.addr;
		unsigned int bit = (unsigned int)random() % bits;
		u128 host;

		p.len = (uint8_t)((unsigned int)random() % (bits + 1));
		host = p.len == bits ? 0 : ((u128)0 - 1) >> (128 - (bits - p.len));
		network = wf_prefix_network(&p);
		last = wf_prefix_last(&p);
		assert_true(number(&network.addr) == (number(&p.addr) & ~host));
		assert_int_equal(network.len, p.len);
		assert_true(number(&last) == (number(&p.addr) | host));
		/* the address with one bit flipped is inside when the bit is a host bit */
		flipped.bytes[15 - bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(wf_prefix_contains(&p, &flipped), (bit < bits - p.len));
		q.addr = flipped;
		q.len = (uint8_t)((unsigned int)random() % (bits + 1));
		assert_int_equal(wf_prefix_overlaps(&p, &q),
				 bit < bits - (p.len < q.len ? p.len : q.len));
		assert_int_equal(wf_prefix_overlaps(&p, &q), wf_prefix_overlaps(&q, &p));
	}
}

static void test_families_never_meet(void **state)
{
	struct wf_prefix all4 = prefix_of("0.0.0.0/0"), all6 = prefix_of("::/0");
	struct wf_addr a4 = addr_of("10.0.0.1"), a6 = addr_of("fd00::1");

	assert_true(wf_prefix_contains(&all4, &a4));
	assert_true(wf_prefix_contains(&all6, &a6));
	assert_false(wf_prefix_contains(&all4, &a6));
	assert_false(wf_prefix_contains(&all6, &a4));
	assert_false(wf_prefix_overlaps(&all4, &all6));
	assert_false(wf_prefix_equal(&all4, &all6));
}

static void test_mask(void **state)
{
	struct wf_prefix p4 = prefix_of("10.0.0.0/12"), p6 = prefix_of("fd00::/9");
	static const uint8_t want4[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf0 };
	static const uint8_t want6[16] = { 0xff, 0x80 };
	struct wf_addr mask4 = wf_prefix_mask(&p4), mask6 = wf_prefix_mask(&p6);

	assert_memory_equal(mask4.bytes, want4, 16);
	assert_memory_equal(mask6.bytes, want6, 16);
}

static void test_link_local(void **state)
{
	/* RFC 4291, appendix A: 34-56-78-9A-BC-DE with the universal bit inverted */
	struct wf_mac mac = { { 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde } };
	struct wf_addr a = wf_addr_link_local(&mac);
	char text[WF_ADDR_TEXT];

	assert_string_equal(wf_addr_format(&a, text), "fe80::3656:78ff:fe9a:bcde");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_accepts),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_prefix_parse),
		cmocka_unit_test(test_format_longest),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_kernel_forms),
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_add_and_distance_against_numbers),
		cmocka_unit_test(test_prefix_math_against_numbers),
		cmocka_unit_test(test_families_never_meet),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_link_local),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
