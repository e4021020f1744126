/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon that sleeps until there are connections (wf_conn_state.wake_at), and how long it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conn_steps.h"

#define UDP_NEW 30 /* seconds of silence */

static int set_up(void **state)
{
	(void)conn_set_up(state);
	native_conns.state.timeout_s[WF_CONN_NEW][WF_CONN_CLASS_UDP] = UDP_NEW;
	return 0;
}

static __u32 add(__u32 from)
{
	return conn_add_plain(LAB_PROTO_UDP, from, 1);
}

/* Milliseconds until it is worth sweeping again, as the table says. */
static uint64_t sweep_wait_ms(void)
{
	(void)conn_run_sweep();
	return conn_sweep.soonest_ms;
}

static void nobody_is_told_who_did_not_ask(void **state)
{
	add(1);
	assert_int_equal(native.events, 0);
}

static void the_first_connection_tells_once(void **state)
{
	native_conns.state.wake_at = 1;
	add(1);
	assert_int_equal(native.events, 1);
	assert_int_equal(native.event.type, WF_EVENT_WAKE);
	assert_int_equal(native_conns.state.wake_at, 0);
	add(2);
	assert_int_equal(native.events, 1);
}

static void as_many_as_were_asked_for_tell(void **state)
{
	native_conns.state.wake_at = 3;
	add(1);
	wf_conn_remove(add(2));
	add(3);
	assert_int_equal(native.events, 0);
	add(4);
	assert_int_equal(native.events, 1);
}

static void what_did_not_fit_into_the_ring_is_told_by_the_next(void **state)
{
	native_conns.state.wake_at = 1;
	native.ring_full = 1;
	add(1);
	assert_int_equal(native.events, 0);
	assert_int_equal(native_conns.state.wake_at, 1);
	native.ring_full = 0;
	add(2);
	assert_int_equal(native.events, 1);
}

static void an_empty_table_never_wants_a_sweep(void **state)
{
	assert_true(sweep_wait_ms() == UINT64_MAX);
}

static void a_sweep_says_when_the_first_may_be_over(void **state)
{
	uint64_t all_ms = UDP_NEW * 1000ULL, wait_ms;

	add(1);
	assert_true(sweep_wait_ms() == all_ms);
	native.now_s += 10;
	add(2);
	wait_ms = sweep_wait_ms();
	assert_true(wait_ms > all_ms - 12000 && wait_ms < all_ms - 8000);
	native.now_s += UDP_NEW + 2;
	/* both are swept, and have to become free again */
	assert_true(sweep_wait_ms() == 0);
	native.now_s += lab_ticks_s(WF_CONN_GRACE_TICKS);
	assert_true(sweep_wait_ms() == 0);
	assert_true(sweep_wait_ms() == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nobody_is_told_who_did_not_ask, set_up),
		cmocka_unit_test_setup(the_first_connection_tells_once, set_up),
		cmocka_unit_test_setup(as_many_as_were_asked_for_tell, set_up),
		cmocka_unit_test_setup(what_did_not_fit_into_the_ring_is_told_by_the_next, set_up),
		cmocka_unit_test_setup(an_empty_table_never_wants_a_sweep, set_up),
		cmocka_unit_test_setup(a_sweep_says_when_the_first_may_be_over, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
