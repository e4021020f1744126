/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends much is told to the daemon: when, how often, and what is not counted as sending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/endpoint.h"

#include "native.h"

#define SLOT 1
#define PEER 2

static int set_up(void **state)
{
	(void)state;
	native_reset();
	return 0;
}

static void send_packets(__u32 count)
{
	for (__u32 i = 0; i < count; i++)
		wf_traffic_count(SLOT, PEER, 100);
}

static void the_first_so_many_are_told_once(void **state)
{
	(void)state;
	send_packets(WF_BUSY_PACKETS - 1);
	assert_int_equal(native.events, 0);
	send_packets(1);
	assert_int_equal(native.events, 1);
	assert_int_equal(native.event.type, WF_EVENT_BUSY);
	assert_int_equal(native.event.slot, SLOT);
}

static void then_each_time_they_are_twice_as_many(void **state)
{
	(void)state;
	send_packets(2 * WF_BUSY_PACKETS);
	assert_int_equal(native.events, 2);
	send_packets(2 * WF_BUSY_PACKETS - 1);
	assert_int_equal(native.events, 2);
	send_packets(1);
	assert_int_equal(native.events, 3);
}

static void what_did_not_fit_into_the_ring_is_told_later(void **state)
{
	(void)state;
	native.ring_full = 1;
	send_packets(WF_BUSY_PACKETS);
	assert_int_equal(native.events, 0);
	native.ring_full = 0;
	send_packets(WF_BUSY_PACKETS);
	assert_int_equal(native.events, 1);
}

static void who_receives_much_is_not_told(void **state)
{
	(void)state;
	native.traffic[SLOT].received.packets = WF_BUSY_PACKETS - 1;
	wf_traffic_count(WF_SLOT_NOBODY, SLOT, 100);
	assert_int_equal(native.traffic[SLOT].received.packets, WF_BUSY_PACKETS);
	assert_int_equal(native.events, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_so_many_are_told_once, set_up),
		cmocka_unit_test_setup(then_each_time_they_are_twice_as_many, set_up),
		cmocka_unit_test_setup(what_did_not_fit_into_the_ring_is_told_later, set_up),
		cmocka_unit_test_setup(who_receives_much_is_not_told, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
