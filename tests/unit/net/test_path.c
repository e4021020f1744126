/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a node: a wire that is told what it loses, and a clock of its own. A router passes
 * packets up to a size; it says so, or not, or something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/path.h"

#define SMALL       84
#define INTERVAL_MS 10000
#define MS          1000000ULL

struct wire {
	struct wf_path path;
	uint64_t now_ns;
	uint64_t rtt_ns;
	uint32_t device_mtu;
	uint32_t largest; /* what passes */
	bool is_mute;     /* what is too large is lost without a word */
	uint32_t told;    /* what the router says; 0: what is so */
	bool is_cut;      /* nothing passes */
	unsigned int rounds;
	uint64_t lose_large; /* bits: rounds from now on whose large request is lost by chance */
};

static void wire_init(struct wire *wire)
{
	*wire = (struct wire){
		.now_ns = 50000 * MS, .rtt_ns = MS / 4, .device_mtu = 1500, .largest = 1500
	};
	wf_path_init(&wire->path, SMALL, true);
}

/* One round and the wait after it; returns the size that was tried. */
static uint32_t turn(struct wire *wire)
{
	const struct wf_path_round *round;
	uint16_t seq;
	uint32_t size;

	wf_path_begin(&wire->path, wire->now_ns, wire->device_mtu, &round);
	seq = round->seq;
	size = round->size;
	wire->rounds++;
	if (!wire->is_cut) {
		assert_true(wf_path_answer(&wire->path, seq, wire->now_ns + wire->rtt_ns));
		if (size && size <= wire->largest && !(wire->lose_large & 1))
			assert_true(wf_path_answer(&wire->path, (uint16_t)(seq + 1),
						   wire->now_ns + wire->rtt_ns));
		else if (size > wire->largest && !wire->is_mute)
			wf_path_too_big(&wire->path, (uint16_t)(seq + 1),
					wire->told ? wire->told : wire->largest);
	}
	wire->lose_large >>= 1;
	wire->now_ns += wf_path_wait_ms(&wire->path, INTERVAL_MS) * MS;
	return size;
}

static unsigned int turns_until(struct wire *wire, uint32_t mtu)
{
	unsigned int first = wire->rounds;

	while (wire->path.mtu != mtu || wire->path.is_searching) {
		if (wire->rounds - first > 100)
			fail_msg("mtu %u, low %u, high %u; wanted %u", wire->path.mtu,
				 wire->path.low, wire->path.high, mtu);
		(void)turn(wire);
	}
	return wire->rounds - first;
}

static void test_whole_mtu_at_once(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_UNKNOWN);
	assert_int_equal(turns_until(&wire, 1500), 1);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_REACHABLE);
	assert_int_equal(wire.path.srtt_ns, MS / 4);
	/* from here on: one round in an interval, of the size that is in force */
	for (int i = 0; i < 5; i++) {
		uint64_t before_ns = wire.now_ns;

		assert_int_equal(turn(&wire), 1500);
		assert_int_equal(wire.now_ns - before_ns, INTERVAL_MS * MS);
	}
	assert_int_equal(wf_path_loss_percent(&wire.path), 0);
}

static void test_a_router_says_so(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	wire.largest = 1400;
	assert_int_equal(turns_until(&wire, 1400), 2);
	/* the way becomes narrower, and wider again ten minutes later */
	wire.largest = 1350;
	assert_int_equal(turns_until(&wire, 1350), 2);
	assert_int_equal(wf_path_limit(&wire.path), 1350);
	wire.largest = 1500;
	while (wire.now_ns < (50000 + 590000) * MS) {
		(void)turn(&wire);
		assert_int_equal(wire.path.mtu, 1350);
		assert_int_equal(wf_path_limit(&wire.path), 1350);
	}
	(void)turns_until(&wire, 1500);
	assert_int_equal(wf_path_limit(&wire.path), 0);
	assert_in_range(wire.now_ns, 640000 * MS, 700000 * MS);
}

/* No word of any router: three losses of a size, and the exact size in the end. */
static void test_black_hole(void **state)
{
	static const uint32_t sizes[] = { 1499, 1450, 1420, 1281, 1280, 1279, 576, 100, SMALL };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct wire wire;

		wire_init(&wire);
		wire.largest = sizes[i];
		wire.is_mute = true;
		assert_in_range(turns_until(&wire, sizes[i]), 4, 45);
		/* nobody is told less than what every host takes */
		assert_int_equal(wf_path_limit(&wire.path), sizes[i] < 576 ? 576 : sizes[i]);
		/* quick while somebody waits for it */
		assert_true(wire.now_ns < (50000 + 60000) * MS);
	}
}

static void test_black_hole_later(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	(void)turns_until(&wire, 1500);
	assert_int_equal(wf_path_limit(&wire.path), 0);
	wire.is_mute = true;
	wire.largest = 1400;
	/* what is lost is not sent any more, also before the right size is found */
	while (wire.path.mtu != 1400 || wire.path.is_searching) {
		(void)turn(&wire);
		assert_true(wf_path_limit(&wire.path) == 0 || wf_path_limit(&wire.path) >= 1400);
	}
	assert_int_equal(wf_path_limit(&wire.path), 1400);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_REACHABLE);
	assert_int_equal(wire.path.lost_total, 0);
}

/* One or two losses by chance are no reason to look for anything. */
static void test_chance_is_no_black_hole(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	(void)turns_until(&wire, 1500);
	wire.lose_large = 0x1b; /* twice two in a row */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(turn(&wire), 1500);
		assert_int_equal(wire.path.mtu, 1500);
	}
	wire.lose_large = 0x7;
	for (int i = 0; i < 4; i++)
		(void)turn(&wire);
	assert_int_not_equal(wire.path.mtu, 1500);
}

/* Who answers nothing says nothing about sizes. */
static void test_cut_and_back(void **state)
{
	struct wire wire;
	unsigned int first;
	uint64_t cut_ns;

	(void)state;
	wire_init(&wire);
	(void)turns_until(&wire, 1500);
	wire.is_cut = true;
	cut_ns = wire.now_ns;
	first = wire.rounds;
	while (wf_path_state(&wire.path) == WF_PATH_REACHABLE)
		(void)turn(&wire);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_UNREACHABLE);
	assert_in_range((wire.now_ns - cut_ns) / MS, INTERVAL_MS, 3 * INTERVAL_MS);
	for (int i = 0; i < 12; i++)
		(void)turn(&wire);
	assert_int_equal(wf_path_loss_percent(&wire.path), 100);
	assert_int_equal(wire.path.mtu, 1500);
	wire.is_cut = false;
	first = wire.rounds - first;
	(void)turn(&wire);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_REACHABLE);
	assert_int_equal(wire.path.mtu, 1500);
	assert_int_equal(wire.path.lost_total, first);
}

static void test_never_there(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	wire.is_cut = true;
	for (int i = 0; i < 3; i++) {
		(void)turn(&wire);
		assert_int_equal(wf_path_state(&wire.path), WF_PATH_UNKNOWN);
	}
	(void)turn(&wire);
	assert_int_equal(wf_path_state(&wire.path), WF_PATH_UNREACHABLE);
	assert_int_equal(wire.path.mtu, 0);
	assert_int_equal(wf_path_limit(&wire.path), 0);
}

/* What no router has to say: nothing, more than was sent, too little. */
static void test_routers_that_lie(void **state)
{
	static const uint32_t told[] = { 1, 68, 575, 1500, 9000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		struct wire wire;

		wire_init(&wire);
		wire.largest = 1400;
		wire.told = told[i];
		(void)turns_until(&wire, 1400);
	}
	for (int i = 0; i < 2; i++) {
		struct wire wire;

		/* less than is so: nothing larger is tried until it is time to */
		wire_init(&wire);
		wire.largest = 1400;
		wire.told = 1300;
		(void)turns_until(&wire, 1300);
	}
}

/* Numbers of old rounds, of none, and twice the same. */
static void test_answers_that_were_not_asked_for(void **state)
{
	struct wf_path path;
	const struct wf_path_round *round;

	(void)state;
	wf_path_init(&path, SMALL, true);
	assert_false(wf_path_answer(&path, 0, MS));
	wf_path_too_big(&path, 1, 1300);
	wf_path_begin(&path, 1000 * MS, 1500, &round);
	assert_false(wf_path_answer(&path, 2, 1001 * MS));
	assert_false(wf_path_answer(&path, 65535, 1001 * MS));
	wf_path_too_big(&path, 3, 1300);
	wf_path_too_big(&path, 0, 1300);
	assert_int_equal(path.high, 1500);
	assert_true(wf_path_answer(&path, 0, 1001 * MS));
	assert_false(wf_path_answer(&path, 0, 1900 * MS));
	assert_int_equal(path.rtt_ns, MS);
	for (int i = 0; i < WF_PATH_ROUNDS; i++)
		wf_path_begin(&path, 2000 * MS, 1500, &round);
	assert_false(wf_path_answer(&path, 1, 2001 * MS));
}

/* Numbers begin anew after 65,535. */
static void test_numbers_wrap(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	for (unsigned int i = 0; i < 70000; i++)
		(void)turn(&wire);
	assert_int_equal(wire.path.mtu, 1500);
	assert_int_equal(wire.path.lost_total, 0);
}

/* As RFC 6298 has it, and answers that come late count. */
static void test_round_trip_time(void **state)
{
	struct wf_path path;
	const struct wf_path_round *round;

	(void)state;
	wf_path_init(&path, SMALL, true);
	wf_path_begin(&path, 1000 * MS, 1500, &round);
	assert_true(wf_path_answer(&path, 0, 1100 * MS));
	assert_int_equal(path.srtt_ns, 100 * MS);
	assert_int_equal(path.rttvar_ns, 50 * MS);
	wf_path_begin(&path, 2000 * MS, 1500, &round);
	assert_true(wf_path_answer(&path, 2, 2180 * MS));
	assert_int_equal(path.rttvar_ns, 57500000);
	assert_int_equal(path.srtt_ns, 110 * MS);
	assert_int_equal(path.rtt_ns, 180 * MS);
	/* three seconds there and back: rounds wait longer than a second while there is doubt */
	for (uint16_t seq = 4; seq < 40; seq = (uint16_t)(seq + 2)) {
		wf_path_begin(&path, (uint64_t)seq * 10000 * MS, 1500, &round);
		assert_true(wf_path_answer(&path, seq, (uint64_t)seq * 10000 * MS + 3000 * MS));
	}
	assert_in_range(wf_path_wait_ms(&path, INTERVAL_MS), 3000, INTERVAL_MS);
	assert_in_range(path.srtt_ns, 2500 * MS, 3000 * MS);
	wf_path_begin(&path, 900000 * MS, 1500, &round);
	wf_path_begin(&path, 901000 * MS, 1500, &round);
	assert_int_equal(path.silent, 1);
	assert_true(wf_path_answer(&path, (uint16_t)(round->seq - 2), 903000 * MS));
	assert_int_equal(path.silent, 0);
}

static void test_device_changes(void **state)
{
	struct wire wire;

	(void)state;
	wire_init(&wire);
	(void)turns_until(&wire, 1500);
	wire.device_mtu = 1300;
	assert_int_equal(turns_until(&wire, 1300), 1);
	wire.device_mtu = wire.largest = 9000;
	(void)turn(&wire);
	assert_int_equal(wire.path.mtu, 9000);
	/* no device leads there for a while */
	wire.device_mtu = 0;
	(void)turn(&wire);
	assert_int_equal(wire.path.mtu, 9000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_mtu_at_once),
		cmocka_unit_test(test_a_router_says_so),
		cmocka_unit_test(test_black_hole),
		cmocka_unit_test(test_black_hole_later),
		cmocka_unit_test(test_chance_is_no_black_hole),
		cmocka_unit_test(test_cut_and_back),
		cmocka_unit_test(test_never_there),
		cmocka_unit_test(test_routers_that_lie),
		cmocka_unit_test(test_answers_that_were_not_asked_for),
		cmocka_unit_test(test_numbers_wrap),
		cmocka_unit_test(test_round_trip_time),
		cmocka_unit_test(test_device_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
