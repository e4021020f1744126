/* SPDX-License-Identifier: Apache-2.0 */
/* The text protocol of WireGuard programs, and what has to be changed about a device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/mem.h"
#include "net/wireguard_priv.h"

#define HEX(pair) pair pair pair pair pair pair pair pair
#define KEY(pair) HEX(pair) HEX(pair) HEX(pair) HEX(pair)

static struct wf_wg_peer peer(uint8_t key, const char *tunnel, const char *endpoint)
{
	struct wf_wg_peer result = { .tunnel = addr_of(tunnel),
				     .endpoint = addr_of(endpoint),
				     .port = 51820 };

	memset(result.key, key, sizeof(result.key));
	return result;
}

static void test_read(void **state)
{
	static const char text[] = "private_key=" KEY(
		"01") "\nlisten_port=51820\nfwmark=7\n"
		      "public_key=" KEY("ff") "\npreshared_key=" KEY(
			      "00") "\n"
				    "endpoint=[2001:db8::1]:1000\nallowed_ip=fd77:6566:7400::1/128\n"
				    "allowed_ip=10.5.0.2/32\nallowed_ip=fd50::2/128\n"
				    "last_handshake_time_sec=1700000000\nrx_bytes=5\ntx_bytes=6\n"
				    "persistent_keepalive_interval=25\n"
				    "public_key=" KEY(
					    "0a") "\nendpoint=192.0.2.1:2000\n"
						  "allowed_ip=fd77:6566:7400::2/128\nallowed_ip=::/0\n"
						  "public_key=" KEY(
							  "0b") "\nallowed_ip=fd77::/64\nerrno=0\n\n";
	_cleanup_(wf_wg_state_done) struct wf_wg_state got = WF_WG_STATE_INIT;
	struct wf_addr want = addr_of("fd77:6566:7400::1"), endpoint = addr_of("2001:db8::1");

	assert_int_equal(wf_wg_text_read(text, &got), 0);
	assert_int_equal(got.key[31], 1);
	assert_int_equal(got.port, 51820);
	assert_int_equal(got.peer_count, 3);
	/* sorted; more than one whole address is not one */
	assert_int_equal(got.peers[0].key[0], 0x0a);
	assert_int_equal(got.peers[0].port, 2000);
	assert_true(wf_addr_is_zero(&got.peers[0].tunnel));
	assert_true(wf_addr_is_zero(&got.peers[1].tunnel));
	assert_true(wf_addr_equal(&got.peers[2].tunnel, &want));
	assert_true(wf_addr_equal(&got.peers[2].endpoint, &endpoint));
	assert_int_equal(got.peers[2].handshake_s, 1700000000);
	assert_int_equal(got.peers[2].keepalive_s, 25);
	assert_int_equal(got.peers[2].bound_count, 2);
	assert_int_equal(got.peers[1].bound_count, 0);
	assert_int_equal(got.peers[2].rx_bytes, 5);
	assert_int_equal(got.peers[2].tx_bytes, 6);
}

static void test_read_refusals(void **state)
{
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{ "", -EBADMSG },
		{ "errno=0", -EBADMSG },
		{ "\n\n", -EBADMSG },
		{ "nonsense\nerrno=0\n\n", -EBADMSG },
		{ "listen_port=1\n", -EBADMSG },
		{ "listen_port=65536\nerrno=0\n", -EBADMSG },
		{ "private_key=00\nerrno=0\n", -EBADMSG },
		{ "private_key=" KEY("zz") "\nerrno=0\n", -EBADMSG },
		{ "private_key=" KEY("-1") "\nerrno=0\n", -EBADMSG },
		{ "public_key=" KEY("01") "\nendpoint=192.0.2.1\nerrno=0\n", -EBADMSG },
		{ "public_key=" KEY("01") "\nallowed_ip=all\nerrno=0\n", -EBADMSG },
		{ "errno=x\n", -EBADMSG },
		{ "errno=22\n\n", -EINVAL },
		{ "errno=-98\n\n", -EADDRINUSE },
		/* of nobody: not this one's business */
		{ "endpoint=nowhere\nerrno=0\n", 0 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_wg_state got = WF_WG_STATE_INIT;

		if (wf_wg_text_read(rows[i].text, &got) != rows[i].code)
			fail_msg("row %zu: %s", i, rows[i].text);
		wf_wg_state_done(&got);
	}
}

static void test_set(void **state)
{
	struct wf_wg_peer old = peer(1, "fd77::1", "192.0.2.1"),
			  new = peer(2, "fd77::2", "2001:db8::2"),
			  known = peer(3, "fd77::3", "192.0.2.3");
	struct wf_wg_change changes[] = { { .peer = &old, .is_removal = true },
					  { .peer = &new, .is_moved = true },
					  { .peer = &known } };
	struct wf_wg_plan plan = { .port = 7, .changes = changes, .count = 3 };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	wf_wg_text_set(&text, &plan);
	assert_string_equal(
		wf_str_text(&text),
		"set=1\nlisten_port=7\npublic_key=" KEY(
			"01") "\nremove=true\n"
			      "public_key=" KEY(
				      "02") "\nendpoint=[2001:db8::2]:51820\n"
					    "replace_allowed_ips=true\nallowed_ip=fd77::2/128\n"
					    "persistent_keepalive_interval=0\n"
					    "public_key=" KEY(
						    "03") "\nendpoint=192.0.2.3:51820\n"
							  "persistent_keepalive_interval=0\n\n");
}

static void test_bind(void **state)
{
	const struct wf_addr addrs[] = { addr_of("10.5.0.2"), addr_of("fd50::2") };
	struct wf_wg_peer known = peer(3, "fd77::3", "192.0.2.3");
	struct wf_wg_change change = { .peer = &known, .is_more = true };
	struct wf_wg_plan plan = { .changes = &change, .count = 1 };
	_cleanup_str_ struct wf_str text = WF_STR_INIT, more = WF_STR_INIT, none = WF_STR_INIT;

	(void)state;
	wf_wg_text_bind(&text, known.key, addrs, 2);
	assert_string_equal(wf_str_text(&text),
			    "set=1\npublic_key=" KEY("03") "\nupdate_only=true\n"
							   "allowed_ip=10.5.0.2/32\n"
							   "allowed_ip=fd50::2/128\n\n");
	/* what a peer has stays */
	known.bound = addrs;
	known.bound_count = 1;
	wf_wg_text_set(&more, &plan);
	assert_string_equal(wf_str_text(&more),
			    "set=1\npublic_key=" KEY("03") "\nendpoint=192.0.2.3:51820\n"
							   "allowed_ip=10.5.0.2/32\n"
							   "persistent_keepalive_interval=0\n\n");
	/* from whoever has it, by way of a peer that goes at once */
	wf_wg_text_bind(&none, NULL, addrs, 1);
	assert_non_null(strstr(wf_str_text(&none), "\nallowed_ip=10.5.0.2/32\npublic_key="));
	assert_non_null(strstr(wf_str_text(&none), "\nremove=true\n\n"));
	assert_null(strstr(wf_str_text(&none), "update_only"));
}

static void check_plan(const struct wf_wg_plan *plan, const char *want)
{
	_cleanup_str_ struct wf_str got = WF_STR_INIT;

	for (size_t i = 0; i < plan->count; i++)
		wf_str_addf(&got, "%s%u ",
			    plan->changes[i].is_removal ? "-"
			    : plan->changes[i].is_moved ? "+"
			    : plan->changes[i].is_more  ? "&"
							: "=",
			    plan->changes[i].peer->key[0]);
	assert_string_equal(wf_str_text(&got), want);
}

/* Exactly these peers, and those that are as they shall be are not touched. */
static void test_plan(void **state)
{
	struct wf_wg_peer is[] = { peer(1, "fd77::1", "192.0.2.1"), peer(2, "fd77::2", "192.0.2.2"),
				   peer(3, "fd77::9", "192.0.2.3"),
				   peer(4, "fd77::4", "192.0.2.4") };
	struct wf_wg_peer shall[] = { peer(2, "fd77::2", "192.0.2.2"),
				      peer(3, "fd77::3", "192.0.2.3"),
				      peer(4, "fd77::4", "192.0.2.99"),
				      peer(5, "fd77::5", "192.0.2.5") };
	struct wf_wg_state state_now = { .port = 1, .peers = is, .peer_count = 4 };
	struct wf_wg_device device = { .port = 1, .peers = shall, .peer_count = 4 };
	struct wf_wg_plan plan;
	bool rest;

	is[1].handshake_s = 5;
	assert_int_equal(wf_wg_plan(&state_now, &device, true, &plan, &rest), 0);
	assert_false(rest);
	assert_null(plan.key);
	assert_int_equal(plan.port, 0);
	check_plan(&plan, "-1 +3 =4 +5 ");
	wf_wg_plan_done(&plan);

	device = (struct wf_wg_device){ .port = 2, .key = { 1 } };
	assert_int_equal(wf_wg_plan(&state_now, &device, false, &plan, &rest), 0);
	assert_ptr_equal(plan.key, device.key);
	assert_int_equal(plan.port, 2);
	check_plan(&plan, "-1 -2 -3 -4 ");
	wf_wg_plan_done(&plan);
}

/* An address goes from one peer to another without a moment in which nobody has it. */
static void test_plan_of_addresses(void **state)
{
	const struct wf_addr one = addr_of("10.5.0.2"), two = addr_of("10.5.0.3");
	struct wf_wg_peer is[] = { peer(1, "fd77::1", "192.0.2.1"),
				   peer(2, "fd77::2", "192.0.2.2") };
	struct wf_wg_peer shall[] = { is[0], is[1] };
	struct wf_wg_state now = { .port = 1, .peers = is, .peer_count = 2 };
	struct wf_wg_device device = { .port = 1, .peers = shall, .peer_count = 2 };
	struct wf_wg_plan plan;
	bool rest;

	(void)state;
	wf_wg_bound_add(&is[0], &one);
	shall[1].bound = &one;
	shall[1].bound_count = 1;
	assert_int_equal(wf_wg_plan(&now, &device, true, &plan, &rest), 0);
	check_plan(&plan, "&2 ");
	assert_true(rest);
	wf_wg_plan_done(&plan);
	/* what is left then is set anew */
	assert_int_equal(wf_wg_plan(&now, &device, false, &plan, &rest), 0);
	check_plan(&plan, "+1 +2 ");
	assert_false(rest);
	wf_wg_plan_done(&plan);
	/* as many, but not the same */
	shall[1].bound_count = 0;
	shall[0].bound = &two;
	shall[0].bound_count = 1;
	assert_int_equal(wf_wg_plan(&now, &device, true, &plan, &rest), 0);
	check_plan(&plan, "&1 ");
	wf_wg_plan_done(&plan);
	shall[0].bound = &one;
	assert_int_equal(wf_wg_plan(&now, &device, true, &plan, &rest), 0);
	check_plan(&plan, "");
	assert_false(rest);
	wf_wg_plan_done(&plan);
}

/* RFC 7748, 6.1. */
static void test_public_key(void **state)
{
	static const uint8_t private[WF_WG_KEY_BYTES] = { 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5,
							  0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2,
							  0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb,
							  0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5,
							  0x1d, 0xb9, 0x2c, 0x2a };
	static const uint8_t want[WF_WG_KEY_BYTES] = { 0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7,
						       0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e,
						       0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26,
						       0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e,
						       0xaa, 0x9b, 0x4e, 0x6a };
	uint8_t got[WF_WG_KEY_BYTES], one[WF_WG_KEY_BYTES], two[WF_WG_KEY_BYTES];

	assert_int_equal(wf_net_wg_key_public(private, got, NULL), 0);
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(wf_net_wg_key_make(one, NULL), 0);
	assert_int_equal(wf_net_wg_key_make(two, NULL), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	/* as WireGuard keeps it: what is read back is the same */
	assert_int_equal(one[0] & 7, 0);
	assert_int_equal(one[31] & 0xc0, 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),       cmocka_unit_test(test_read_refusals),
		cmocka_unit_test(test_set),        cmocka_unit_test(test_plan),
		cmocka_unit_test(test_bind),       cmocka_unit_test(test_plan_of_addresses),
		cmocka_unit_test(test_public_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
