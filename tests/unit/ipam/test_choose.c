/* SPDX-License-Identifier: Apache-2.0 */
#include "ipam/choose.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"

static struct wf_choose_taken taken(const char *text, const char *what)
{
	return (struct wf_choose_taken){ prefix_of(text), what };
}

static void assert_chosen(const struct wf_choose_taken *things, size_t count, const char *wanted)
{
	size_t pool_count;
	const struct wf_choose_pool *pools = wf_choose_default_ip4(&pool_count);
	struct wf_prefix subnet;
	char text[WF_ADDR_TEXT];

	assert_int_equal(wf_choose_subnet(pools, pool_count, things, count, &subnet, NULL), 0);
	assert_string_equal(wf_prefix_format(&subnet, text), wanted);
	assert_null(wf_choose_overlap(&subnet, things, count));
}

static void test_first(void **state)
{
	assert_chosen(NULL, 0, "10.64.0.0/16");
}

/* A narrow route inside, a wide one around, an interface address with host bits. */
static void test_vpn_routes(void **state)
{
	const struct wf_choose_taken narrow[] = { taken("10.64.200.0/24", "route via tun0") };
	const struct wf_choose_taken wide[] = { taken("10.0.0.0/8", "route via tun0") };
	const struct wf_choose_taken host[] = { taken("10.64.3.7/32", "address of eth0"),
						taken("10.65.0.0/16", "network blue") };
	const struct wf_choose_taken halves[] = { taken("0.0.0.0/1", "route via wg0"),
						  taken("172.16.0.0/13", "network blue") };
	const struct wf_choose_taken other[] = { taken("fd00::/8", "route via wg0") };

	assert_chosen(narrow, 1, "10.65.0.0/16");
	assert_chosen(wide, 1, "172.16.0.0/20");
	assert_chosen(host, 2, "10.66.0.0/16");
	assert_chosen(halves, 2, "172.24.0.0/20");
	assert_chosen(other, 1, "10.64.0.0/16");
}

static void test_all_taken(void **state)
{
	const struct wf_choose_taken things[] = {
		taken("10.64.9.0/24", "network red"),
		taken("10.64.0.0/10", "route via tun0"),
		taken("172.16.0.0/12", "network blue"),
		taken("192.168.0.0/17", "address of eth0"),
		taken("192.168.128.0/17", "route via wg0"),
	};
	struct wf_err err = WF_ERR_INIT;
	struct wf_prefix subnet = prefix_of("1.2.3.0/24");
	size_t pool_count;
	const struct wf_choose_pool *pools = wf_choose_default_ip4(&pool_count);

	assert_int_equal(wf_choose_subnet(pools, pool_count, things, 5, &subnet, &err), -ENOSPC);
	assert_string_equal(err.message,
			    "no free subnet in 10.64.0.0/10 by /16, 172.16.0.0/12 by /20, "
			    "192.168.0.0/16 by /24: in the way are 10.64.0.0/10 (route via tun0), "
			    "172.16.0.0/12 (network blue), 192.168.0.0/17 (address of eth0) and "
			    "more; name one in spec.subnets");
	/* the output is left alone */
	assert_int_equal(subnet.len, 24);
	/* the same with one gap is found */
	assert_chosen(things, 4, "192.168.128.0/24");
}

static void test_ends_of_the_space(void **state)
{
	const struct wf_choose_pool top = { prefix_of("255.255.255.0/24"), 26 };
	const struct wf_choose_pool none = { prefix_of("10.0.0.0/24"), 16 };
	const struct wf_choose_pool six = { prefix_of("ffff::/16"), 48 };
	const struct wf_choose_taken all[] = { taken("240.0.0.0/4", "x"), taken("ff00::/8", "y") };
	struct wf_prefix subnet;

	assert_int_equal(wf_choose_subnet(&top, 1, all, 2, &subnet, NULL), -ENOSPC);
	assert_int_equal(wf_choose_subnet(&six, 1, all, 2, &subnet, NULL), -ENOSPC);
	assert_int_equal(wf_choose_subnet(&none, 1, NULL, 0, &subnet, NULL), -ENOSPC);
	assert_int_equal(wf_choose_subnet(&top, 1, NULL, 0, &subnet, NULL), 0);
}

/* The number of candidates must not matter: 2^56 of them behind one obstacle. */
static void test_huge_pool(void **state)
{
	const struct wf_choose_pool pool = { prefix_of("fd00::/8"), 64 };
	const struct wf_choose_taken things[] = { taken("fd00::/9", "a"), taken("fd80::/48", "b") };
	struct wf_prefix subnet;
	char text[WF_ADDR_TEXT];

	assert_int_equal(wf_choose_subnet(&pool, 1, things, 2, &subnet, NULL), 0);
	assert_string_equal(wf_prefix_format(&subnet, text), "fd80:0:1::/64");
}

/* Random obstacles against trying every candidate. */
static void test_against_naive(void **state)
{
	struct wf_choose_pool pool = { prefix_of("10.0.0.0/20"), 26 };
	uint32_t seed = 7;

	for (int round = 0; round < 3000; round++) {
		struct wf_choose_taken things[12];
		size_t count = (size_t)round % 12;
		struct wf_prefix want = { .len = 0 }, got = { .len = 0 };

		for (size_t i = 0; i < count; i++) {
			seed = seed * 1664525 + 1013904223;
			things[i].prefix = pool.base;
			things[i].prefix.addr = wf_addr_add(&pool.base.addr, (seed >> 8) % 4096);
			things[i].prefix.len = (uint8_t)(21 + (seed >> 24) % 12);
			things[i].what = "x";
		}
		for (uint32_t i = 0; i < 64 && !want.len; i++) {
			struct wf_prefix one = { wf_addr_add(&pool.base.addr, i * 64), 26 };

			if (!wf_choose_overlap(&one, things, count))
				want = one;
		}
		assert_int_equal(wf_choose_subnet(&pool, 1, things, count, &got, NULL),
				 want.len ? 0 : -ENOSPC);
		assert_true(wf_prefix_equal(&want, &got));
	}
}

static void test_default_ip6(void **state)
{
	const uint8_t bytes[5] = { 0x12, 0x34, 0x56, 0x78, 0x9a };
	struct wf_choose_pool pool = wf_choose_default_ip6(bytes);
	const struct wf_choose_taken things[] = { taken("fd12:3456:789a::/64", "network blue") };
	struct wf_prefix subnet;
	char text[WF_ADDR_TEXT];

	assert_int_equal(wf_choose_subnet(&pool, 1, things, 1, &subnet, NULL), 0);
	assert_string_equal(wf_prefix_format(&subnet, text), "fd12:3456:789a:1::/64");
}

static void test_mac(void **state)
{
	uint64_t bits = 0;

	for (int i = 0; i < 1000; i++, bits = bits * 6364136223846793005U + 1442695040888963407U) {
		struct wf_mac mac = wf_choose_mac(bits);

		assert_true(wf_mac_is_unicast(&mac));
		assert_int_equal(mac.bytes[0] & 3, 2);
		assert_int_equal(mac.bytes[5], (uint8_t)(bits >> 40));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),       cmocka_unit_test(test_vpn_routes),
		cmocka_unit_test(test_all_taken),   cmocka_unit_test(test_ends_of_the_space),
		cmocka_unit_test(test_huge_pool),   cmocka_unit_test(test_against_naive),
		cmocka_unit_test(test_default_ip6), cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
