/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conn_steps.h"

struct wf_conn_sweep conn_sweep;

int conn_set_up(void **state)
{
	memset(&native, 0, sizeof(native));
	memset(&conn_sweep, 0, sizeof(conn_sweep));
	native.now_s = 1000;
	native_random = 0x5eed;
	native_at_barrier = NULL;
	native_conns_reset(CONN_MAX);
	return 0;
}

__u32 conn_add(const struct wf_conn_new *conn)
{
	__u32 index = 0;

	assert_int_equal(wf_conn_add(conn, &index), 0);
	assert_in_range(index, 1, native_conns.state.max - 1);
	return index;
}

__u32 conn_add_plain(__u32 proto, __u32 from, __u32 by)
{
	const struct wf_conn_new conn = lab_conn(proto, from, by);

	return conn_add(&conn);
}

__u32 conn_run_sweep(void)
{
	const struct wf_conn_table table = lab_table();

	conn_sweep.waiting = 0;
	conn_sweep.soonest_ms = UINT64_MAX;
	return wf_conn_table_sweep(&table, &conn_sweep, wf_now_tick());
}

bool conn_is_due(void)
{
	const struct wf_conn_table table = lab_table();

	return wf_conn_table_is_due(&table, wf_now_tick());
}

bool conn_found(const struct wf_tuple *tuple)
{
	struct wf_conn_hit hit;
	int r = wf_conn_find(tuple, &hit);

	assert_int_equal(wf_conn_known(tuple), r);
	return r != 0;
}

void conn_wait_ticks(__u32 ticks)
{
	native.now_s += lab_ticks_s(ticks);
}

void conn_pass(const struct wf_tuple *tuple, __u32 tcp_flags)
{
	struct wf_conn_hit hit;

	assert_int_equal(wf_conn_find(tuple, &hit), 1);
	wf_conn_touch(&hit, tcp_flags);
}
